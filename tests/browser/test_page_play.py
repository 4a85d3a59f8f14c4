"""The film of states, variants, vectors of one's own and recipes, in the lab of the report, as its reader has them."""

import base64
import io
import json
import time

import numpy as np
import pytest
import torch
from page_lab import (  # noqa: F401 (fixtures, too)
    PIXELS,
    browser,
    drawn,
    lab,
    needs_both,
    opened,
    path,
    same,
    shared,
    trained,
    z,
)

from labkit import latent, pictures
from labkit.base import paths
from labkit.base.errors import LabError
from labkit.editor import own
from labkit.editor.session import Editor
from labkit.study import records

pytestmark = needs_both
EVERY = list(range(8))


def press(lab, *keys):
    for key in keys:
        lab.page.keyboard.press(key)


def edit(lab, title, *keys):
    """Move the slider ``title`` by ``keys``, and wait for what follows."""
    lab.slider(title).focus()
    press(lab, *keys)
    lab.rest()


def vectors(lab):
    """z and base, as a recipe has them, (8, 100) each."""
    kept = json.loads(lab.saved("save").read_bytes())
    return torch.tensor(kept["z"]), torch.tensor(kept["base"])


# ----- the film


def states(lab):
    """The names of the states that the film shows; the present one has a star."""
    now = {"true": "*", "false": ""}
    return [
        one.get_attribute("aria-label") + now[one.get_attribute("aria-current")]
        for one in lab.page.locator(".lab-film button:visible").all()
    ]


def test_the_film_keeps_what_came_to_rest_and_leads_back(lab):
    assert states(lab) == [] and lab.find("film").is_hidden()  # there is nowhere to go back to
    first = lab.pixels()
    edit(lab, "z[5]", "PageUp", "PageUp")  # one state: nothing came to rest between them
    second = lab.pixels()
    edit(lab, "z[20]", "PageDown")
    third = lab.pixels()
    assert states(lab) == ["state 1 of 3", "state 2 of 3", "state 3 of 3*"]
    lab.page.get_by_role("button", name="state 2 of 3").click()
    assert lab.moved(second) == [] and lab.value("z[20]") == 0 and lab.value("z[5]") == 2
    assert states(lab) == ["state 1 of 3", "state 2 of 3*", "state 3 of 3"] and "state 2 of 3" in lab.said()
    lab.find("undo").click()  # the way back is an edit
    assert lab.moved(third) == [] and states(lab) == ["state 1 of 3", "state 2 of 3", "state 3 of 3*"]
    lab.find("redo").click()
    assert lab.moved(second) == []
    edit(lab, "z[40]", "PageUp")  # and what follows is new, at the right
    assert states(lab) == ["state 1 of 4", "state 2 of 4", "state 3 of 4", "state 4 of 4*"]
    lab.page.get_by_role("button", name="state 1 of 4").click()
    assert lab.moved(first) == []


def test_a_picture_of_the_film_is_of_all_eight_garments(lab):
    edit(lab, "z[5]", "PageUp", "PageUp")
    lab.page.wait_for_selector(".lab-film button >> nth=1")
    seen = lab.page.locator(".lab-film canvas").last.evaluate(
        """canvas => {
            const {data} = canvas.getContext('2d').getImageData(0, 0, 112, 56);
            return [...Array(112 * 56).keys()].map(k => data[4 * k]);
        }"""
    )
    tiles = np.array(seen, np.uint8).reshape(2, 28, 4, 28).transpose(0, 2, 1, 3).reshape(8, 28, 28)
    assert np.array_equal(tiles, lab.pixels())


def test_the_film_by_keyboard_is_one_stop(lab):
    before = lab.pixels()
    edit(lab, "z[5]", "PageUp")
    edit(lab, "z[20]", "PageUp")
    lab.find("garment").first.focus()
    press(lab, "Tab")
    name = lambda: lab.page.evaluate("document.activeElement.getAttribute('aria-label')")  # noqa: E731
    assert name() == "state 3 of 3"  # the newest, until another one was used
    press(lab, "ArrowLeft")
    assert name() == "state 2 of 3"
    press(lab, "Home", "ArrowLeft")
    assert name() == "state 1 of 3"
    press(lab, "Enter")
    assert lab.moved(before) == [] and name() == "state 1 of 3"
    press(lab, "Tab")
    assert not lab.page.evaluate("document.activeElement.closest('.lab-film')")
    press(lab, "Shift+Tab")
    assert name() == "state 1 of 3"


def test_twenty_states_are_kept_and_the_newest_is_in_sight(lab):
    for _ in range(23):
        edit(lab, "z[5]", "ArrowRight")
    assert len(states(lab)) == 20 and states(lab)[-1] == "state 20 of 20*"
    strip, newest = lab.find("film").bounding_box(), lab.page.locator(".lab-film button").last.bounding_box()
    assert newest["x"] + newest["width"] <= strip["x"] + strip["width"] + 1
    assert lab.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    lab.page.get_by_role("button", name="state 1 of 20").click()
    assert lab.value("z[5]") == pytest.approx(0.4)  # of 24, the first four are gone


def test_a_drag_that_pauses_is_one_state(lab):
    box = lab.slider("z[5]").bounding_box()
    across = [box["x"] + share * box["width"] for share in (0.5, 0.6, 0.8)]
    lab.page.mouse.move(across[0], box["y"] + box["height"] / 2)
    lab.page.mouse.down()
    for x in across[1:]:
        lab.page.mouse.move(x, box["y"] + box["height"] / 2, steps=4)
        lab.rest()
        time.sleep(0.1)
    assert states(lab) == []
    lab.page.mouse.up()
    lab.page.wait_for_selector(".lab-film button >> nth=1")
    lab.rest()
    assert states(lab) == ["state 1 of 2", "state 2 of 2*"] and lab.value("z[5]") > 2


def use(lab, title):
    lab.page.get_by_text(title, exact=True).first.click()
    lab.page.wait_for_selector(f".lab-note:has-text('{title}')")
    lab.rest()


def test_a_state_brings_its_network_back_and_so_does_undo(lab, z):
    edit(lab, "z[5]", "PageUp")
    edited = lab.pixels()
    use(lab, "vanilla GAN")
    wanted = z.clone()
    wanted[:, 5] += 1
    assert same(lab.pixels(), drawn(wanted, "vanilla"))
    other = lab.pixels()
    assert states(lab) == ["state 1 of 3, DCGAN", "state 2 of 3, DCGAN", "state 3 of 3, vanilla GAN*"]
    lab.page.get_by_role("button", name="state 1 of 3, DCGAN").click()
    assert same(lab.pixels(), drawn(z)) and lab.page.get_by_role("radio", name="DCGAN").is_checked()
    lab.find("undo").click()
    assert lab.moved(other) == [] and lab.page.get_by_role("radio", name="vanilla GAN").is_checked()
    lab.find("redo").click()
    assert same(lab.pixels(), drawn(z)) and lab.page.get_by_role("radio", name="DCGAN").is_checked()
    lab.page.get_by_role("button", name="state 2 of 3, DCGAN").click()
    assert lab.moved(edited) == []


# ----- more like this


def variants(lab):
    """The pictures of the variants, (12, 28, 28), as they came to rest."""
    lab.rest()
    time.sleep(0.3)
    shown = lab.page.locator(".lab-variants canvas").all()
    return np.array([one.evaluate(PIXELS) for one in shown], np.uint8).reshape(-1, 28, 28)


def off(images, from_):
    """The mean difference of each of ``images`` from one, in grey levels."""
    return np.abs(images.astype(int) - from_.astype(int)).mean((1, 2))


def test_variants_are_near_the_garment_and_one_of_them_becomes_it(lab, z):
    before = lab.pixels()
    lab.find("garment").nth(2).click()
    lab.tab("Walk")
    assert lab.find("variants").is_hidden()  # until it is asked for
    lab.find("vary").click()
    lab.find("variants").wait_for()
    usual = variants(lab)
    assert len(usual) == 12 and (off(usual, before[2]) > 0).all()
    lab.find("far").fill("0.1")
    near = variants(lab)
    lab.find("far").fill("1")
    far = variants(lab)
    assert off(near, before[2]).mean() < off(usual, before[2]).mean() < off(far, before[2]).mean()
    lab.find("far").fill("0.1")
    assert np.array_equal(variants(lab), near)  # the same noise
    lab.find("vary").click()
    assert not np.array_equal(variants(lab), near)  # new noise
    lab.find("far").fill("1")
    chosen = variants(lab)[5]
    lab.page.get_by_role("button", name="variant 6 of 12").click()
    assert lab.moved(before) == [2] and np.array_equal(lab.pixels()[2], chosen)
    assert np.array_equal(lab.pixels("before"), before) and lab.said() == "That one is garment 3 now."
    now, base = vectors(lab)
    assert torch.equal(base, z) and torch.equal(now[:2], z[:2]) and torch.equal(now[3:], z[3:])
    assert now[2].norm() == pytest.approx(z[2].norm().item(), rel=1e-5)  # its length stays
    cosine = torch.cosine_similarity(now[2], z[2], dim=0).item()
    assert 0.5 < cosine < 0.9  # as much noise as there was vector: 0.71
    lab.find("undo").click()
    assert lab.moved(before) == []


def test_variants_follow_the_garment_and_are_drawn_while_they_are_seen(lab):
    lab.tab("Walk")
    lab.find("vary").click()
    lab.find("variants").wait_for()
    first = variants(lab)
    lab.tab("Sliders")
    edit(lab, "z[5]", "PageUp", "PageUp")
    assert np.array_equal(variants(lab), first)  # nobody looks
    lab.tab("Walk")
    moved = variants(lab)
    assert not np.array_equal(moved, first)
    lab.find("garment").nth(4).click()
    other = variants(lab)
    assert off(other, lab.pixels()[4]).mean() < off(moved, lab.pixels()[4]).mean()
    assert "garment 5" in lab.page.locator(".lab-like h4").inner_text()
    use(lab, "vanilla GAN")
    assert not np.array_equal(variants(lab), other)


def test_variants_by_keyboard_are_one_stop(lab):
    before = lab.pixels()
    lab.tab("Walk")
    lab.find("vary").click()
    lab.find("variants").wait_for()
    lab.find("far").focus()
    press(lab, "Tab", "ArrowRight", "ArrowRight", "End", "ArrowLeft")
    name = "document.activeElement.getAttribute('aria-label')"
    assert lab.page.evaluate(name) == "variant 11 of 12"
    press(lab, "Enter")
    assert lab.moved(before) == [0] and lab.page.evaluate(name) == "variant 11 of 12"
    press(lab, "Tab")
    assert lab.page.evaluate("document.activeElement.className") == "lab-play"


# ----- numbers in and out


def npy(array, **options):
    file = io.BytesIO()
    np.lib.format.write_array(file, np.asarray(array), **options)
    return file.getvalue()


ROWS = np.random.default_rng(0).normal(size=(3, 5))
GIVEN = {
    "commas": b"1, -2.5, 3e-1, .5, 5.",
    "spaces and signs": b"  +1  -0 1E1 1_0 0.1\n",
    "a byte order mark": b"\xef\xbb\xbf1;2;3;4;5",
    "lines": b"1 2 3\n\n4 5 6\r\n7 8 9",
    "one a line": b"1\n2\n3\n4\n",
    "one alone": b"5",
    "brackets of NumPy": b"[[ 1.  2. -3.]\n [ 4.  5.  6.]]",
    "tuples": b"(1, 2, 3)\n(4, 5, 6)",
    "a JSON list": b"[1, 2.5, -3]",
    "JSON lists": b"[[1, 2], [3, 4]]",
    "a recipe": json.dumps({"format": 1, "z": ROWS.tolist()}).encode(),
    "digits": json.dumps(ROWS.tolist()).encode(),
    "float32, one": npy(ROWS[0].astype("<f4")),
    "float32": npy(ROWS.astype("<f4")),
    "float64": npy(ROWS),
    "version 2": npy(ROWS, version=(2, 0)),
    "version 3": npy(ROWS, version=(3, 0)),
    "more behind": npy(ROWS) + b"more",
}
REFUSED = {
    "nothing": (b"", "no numbers"),
    "blanks": (b" \n ", "no numbers"),
    "a word": (b"1 2 two", "Not a row of numbers: 1 2 two"),
    "markup": (b"<img src=x onerror=alert(1)> 1", "Not a row of numbers: <img"),
    "hexadecimal": (b"0x10 1", "Not a row"),
    "nan": (b"1 nan 3", "no number up to"),
    "inf": (b"1 -Infinity", "no number up to"),
    "JSON nan": (b"[1, NaN]", "no number up to"),
    "uneven lines": (b"1 2 3\n4 5", "no list"),
    "uneven JSON": (b"[[1, 2], [3]]", "no list"),
    "deep JSON": (b"[[[1, 2]], [[3, 4]]]", "no list"),
    "strings": (b'["1", "2"]', "no list"),
    "empty JSON": (b"[]", "no numbers"),
    "empty rows": (b"[[], []]", "no numbers"),
    "no z": (b'{"format": 1}', "no list"),
    "a z that is none": (b'{"z": "1 2 3"}', "no list"),
    "open brackets": (b"[1, 2", "brackets"),
    "not JSON": (b"{z: 1}", "brackets"),
    "binary": (b"\xff\xfe\x00\x01", "neither text"),
    "cut off": (npy(ROWS)[:-3], "ends too soon"),
    "a header that is cut": (npy(ROWS)[:20], "ends too soon"),
    "only a name": (b"\x93NUMPY", "ends too soon"),
    "nan in a file": (npy(ROWS * np.nan), "no number up to"),
    "objects": (npy(np.array([None, 1]), allow_pickle=True), "another kind"),
    "letters": (npy(np.array(["1", "2"])), "another kind"),
    "three dimensions": (npy(ROWS[None]), "another kind|no list"),
    "no dimension": (npy(np.float64(1)), "another kind"),
    "no rows": (npy(ROWS[:0]), "no numbers"),
}
ALONE = {  # what the library takes, and the page does not
    "whole numbers": (npy(np.arange(5)), "another kind"),
    "Fortran": (npy(np.asfortranarray(ROWS)), "another kind"),
    "big-endian": (npy(ROWS.astype(">f8")), "another kind"),
    "far out": (b"1 2 16", "no number up to ±15"),
}
READ = """content => {
    const {readVectors} = labModules['numbers.js'], bytes = Uint8Array.from(atob(content), c => c.charCodeAt(0));
    try {
        return readVectors(bytes).map(row => [...row]);
    } catch (fault) {
        return fault.message;
    }
}"""


def read(lab, content):
    """What numbers.js reads in ``content``, rows or a refusal."""
    return lab.page.evaluate(READ, base64.b64encode(content).decode())


@pytest.mark.parametrize("name", GIVEN)
def test_numbers_are_read_as_by_the_library(shared, name):
    found = read(shared, GIVEN[name])
    assert not isinstance(found, str), found
    assert torch.equal(torch.tensor(found, dtype=torch.float32), own.read_vectors(GIVEN[name]))


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_vector_is_refused_in_a_line_as_by_the_library(shared, name):
    content, said = REFUSED[name]
    with pytest.raises(LabError):
        own.read_vectors(content)
    found = read(shared, content)
    assert isinstance(found, str) and any(part in found for part in said.split("|")) and "\n" not in found, found


@pytest.mark.parametrize("name", ALONE)
def test_what_the_page_alone_refuses(shared, name):
    content, said = ALONE[name]
    assert own.read_vectors(content).shape[1] >= 3
    assert said in read(shared, content)


def test_numbers_that_are_too_many_to_read(shared):
    content = b"1 " * (1 << 22) + b"1"
    with pytest.raises(LabError):
        own.read_vectors(content)
    assert read(shared, content) == "Those are more than 8 MB: no vectors of this page."


def test_numbers_that_are_written_come_back(shared):
    rows = torch.randn(3, 100, generator=torch.Generator().manual_seed(1)) * 2
    for part in (rows, rows[:1]):
        text = shared.page.evaluate(
            "rows => labModules['numbers.js'].written(rows.map(row => Float32Array.from(row)))", part.tolist()
        )
        assert json.loads(text) == json.loads(own.written(part))
        assert torch.equal(own.read_vectors(text.encode()), part)


def test_pasted_numbers_are_the_chosen_garment(lab, z):
    before, mine = lab.pixels(), latent.latents(2, 100, 77)
    lab.find("garment").nth(3).click()
    lab.tab("Share")
    lab.find("numbers").fill(" ".join(f"{x!r}" for x in mine[0].tolist()))
    lab.find("take").click()
    assert lab.moved(before) == [3] and lab.said() == "These numbers are garment 4 now, to be edited from there."
    wanted = z.clone()
    wanted[3] = mine[0]
    now, base = vectors(lab)
    assert torch.equal(now, wanted) and torch.equal(base, wanted)  # to the bit; edits begin there
    lab.find("garment").nth(6).click(modifiers=["Shift"])
    lab.find("numbers").fill(own.written(mine))
    lab.find("take").click()
    wanted[[3, 6]] = mine
    assert "garments 4 and 7" in lab.said() and torch.equal(vectors(lab)[0], wanted)
    lab.find("undo").click()
    lab.find("undo").click()
    assert lab.moved(before) == []


def test_undo_within_the_field_is_of_what_is_typed(lab):
    edit(lab, "z[5]", "PageUp")
    before = lab.pixels()
    lab.tab("Share")
    lab.find("numbers").focus()
    press(lab, "1", "2", "Control+z")
    assert lab.find("numbers").input_value() != "12" and lab.moved(before) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1 2 3", "A vector has 3 numbers there; this network takes 100."),
        ("\n".join(["0 " * 100] * 3), "3 vectors for 2 chosen: choose more, or give fewer."),
        ("one", "Not a row of numbers: one"),
        ("", "There are no numbers in it."),
        ("nan " * 100, "Something in it is no number up to ±15."),
    ],
)
def test_pasted_numbers_that_do_not_fit_change_nothing(lab, text, said):
    before = lab.pixels()
    lab.find("garment").nth(0).click()
    lab.find("garment").nth(1).click(modifiers=["Shift"])
    lab.tab("Share")
    lab.find("numbers").fill(text)
    lab.find("take").click()
    assert lab.said() == said and "failed" in lab.find("status").get_attribute("class")
    assert lab.moved(before) == [] and lab.find("undo").get_attribute("aria-disabled") == "true"


def test_numbers_from_a_file_and_into_the_clipboard(lab, z):
    mine = latent.latents(8, 100, 5)
    lab.tab("Share")
    lab.find("vector").set_input_files(
        {"name": "z.npy", "mimeType": "application/octet-stream", "buffer": npy(mine.numpy())}
    )
    lab.page.wait_for_selector(".lab-status:has-text('These numbers are')")
    assert same(lab.pixels(), drawn(mine)) and torch.equal(vectors(lab)[1], mine)
    lab.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    lab.find("garment").nth(2).click()
    lab.find("copy-numbers").click()
    lab.page.wait_for_selector(".lab-status:has-text('The numbers of garment 3 are copied')")
    text = lab.page.evaluate("navigator.clipboard.readText()")
    assert text == lab.find("numbers").input_value()
    assert torch.equal(own.checked(own.read_vectors(text.encode()), 100, 1), mine[2:3])


# ----- files that are dropped


DROP = """([name, kind, content]) => {
    const files = new DataTransfer(), bytes = Uint8Array.from(atob(content), c => c.charCodeAt(0));
    files.items.add(new File([bytes], name, {type: kind}));
    const event = new DragEvent('drop', {dataTransfer: files, bubbles: true, cancelable: true});
    document.querySelector('.lab').dispatchEvent(event);
}"""


def drop(lab, name, kind, content):
    """Let the file ``name`` fall onto the lab, and wait for what it says."""
    lab.page.evaluate("document.querySelector('.lab-status').textContent = ''")
    lab.page.evaluate(DROP, [name, kind, base64.b64encode(content).decode()])
    lab.page.wait_for_selector(".lab-status:not(:empty)")


@pytest.mark.parametrize(
    ("name", "kind", "write"),
    [
        ("z.npy", "", lambda z: npy(z.numpy())),
        ("z.csv", "text/csv", lambda z: "\n".join(",".join(map(repr, row)) for row in z.tolist()).encode()),
        ("z.txt", "text/plain", lambda z: "\n".join(" ".join(map(repr, row)) for row in z.tolist()).encode()),
        ("z.json", "application/json", lambda z: own.written(z).encode()),
    ],
)
def test_numbers_in_a_file_that_is_dropped(lab, name, kind, write):
    mine = latent.latents(8, 100, 6)
    drop(lab, name, kind, write(mine))
    assert "These numbers are" in lab.said() and torch.equal(vectors(lab)[0], mine)


def kept(editor, folder):
    """The recipe that ``editor`` saves."""
    editor.save()
    return next(folder.glob("*/recipe.json")).read_bytes()


def test_a_recipe_of_the_editor_that_is_dropped(lab, tmp_path, monkeypatch):
    """Of the other network than the one that is shown; undo leads back to that, too."""
    monkeypatch.setattr(paths, "KEPT", tmp_path)
    before = lab.pixels()
    editor = Editor(trained("vanilla").folder, dims=[7, "sefa 1"], seed=4)
    editor.set("sefa 1", 2.0, [0, 1])
    editor.set(7, -3.0)
    drop(lab, "recipe.json", "application/json", kept(editor, tmp_path))
    assert lab.said() == "The recipe is loaded." and sorted(lab.titles()) == sorted([editor.title("sefa 1"), "z[7]"])
    assert lab.page.get_by_role("radio", name="vanilla GAN").is_checked()
    base, now = editor.images()
    assert same(lab.pixels(), pictures.levels(now).numpy())
    assert same(lab.pixels("before"), pictures.levels(base).numpy())
    lab.find("undo").click()
    assert lab.page.get_by_role("radio", name="DCGAN").is_checked() and lab.moved(before) == []


def foreign():
    """The folder of a run of a study, which no page carries; None if there is none."""
    return next(iter(records.with_weights()), None) if (paths.STUDIES / "seeds").is_dir() else None


@pytest.mark.skipif(not foreign(), reason="no run of a study with its weights")
@pytest.mark.parametrize("way", ["dropped", "loaded"])
def test_a_recipe_of_a_network_that_the_page_does_not_carry(lab, tmp_path, monkeypatch, way):
    monkeypatch.setattr(paths, "KEPT", tmp_path)
    before, titles, editor = lab.pixels(), lab.titles(), Editor(foreign())
    editor.set(5, 2.0)
    content, digest = kept(editor, tmp_path), editor.run.generator_sha256
    if way == "dropped":
        drop(lab, "recipe.json", "application/json", content)
    else:
        lab.tab("Share")
        lab.find("load").set_input_files({"name": "r.json", "mimeType": "application/json", "buffer": content})
        lab.page.wait_for_selector(".lab-status.failed")
    assert lab.said().startswith("That recipe was made with run studies/") and digest[:8] in lab.said()
    assert lab.said().endswith("which is not in this page.") and "\n" not in lab.said()
    assert lab.moved(before) == [] and lab.titles() == titles


def test_a_direction_of_a_recipe_that_is_another_one_claims_nothing(lab):
    """Of the same name, but another vector: it says how it was found, not what the page's own was measured to do."""
    recipe = json.loads(lab.saved("save").read_bytes())
    unit = np.zeros(100)
    unit[3] = 1.0
    recipe |= {"dims": ["more texture"], "directions": {"more texture": unit.tolist()}}
    drop(lab, "recipe.json", "application/json", json.dumps(recipe).encode())
    assert lab.titles() == ["regression on texture"]


# ----- how it looks


@pytest.mark.thorough
@pytest.mark.parametrize("width", [390, 768, 1280, 1440, 1920])
def test_at_every_width_nothing_hangs_over(browser, path, width):
    with opened(browser, path, viewport={"width": width, "height": 844}, has_touch=width < 700) as lab:
        for _ in range(9):
            edit(lab, "z[5]", "ArrowRight")
        assert len(states(lab)) == 10
        strip, stage = lab.find("film").bounding_box(), lab.find("stage").bounding_box()
        assert strip["y"] >= stage["y"] + stage["height"] and strip["height"] < 75
        lab.tab("Walk")
        lab.find("vary").click()
        lab.find("variants").wait_for()
        for tab in ("Walk", "Share"):
            lab.tab(tab)
            assert lab.page.evaluate("document.documentElement.scrollWidth") <= width
            for one in lab.page.locator(".lab-right :is(button, textarea, canvas):visible").all():
                box = one.bounding_box()
                assert box["x"] >= 0 and box["x"] + box["width"] <= width + 1 and box["width"] >= 24
