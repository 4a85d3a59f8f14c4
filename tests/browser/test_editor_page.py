"""The live editor as its user has it: a kernel draws and keeps what the page does, to the grey level.

The controls themselves, which the report's page has too, are tested there: test_page_lab.py, test_page_stage.py and
test_page_play.py. How the editor lives in JupyterLab is in test_editor_notebook.py.
"""

import json
import shutil
import time
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from editor_page import (  # noqa: F401 (fixtures, too)
    add,
    alike,
    along,
    ask,
    check,
    complaints,
    keys,
    lab,
    library,
    networks,
    opened,
    project,
    quiet,
    run_editor_cell,
    run_in_the_kernel,
    server,
    status,
    take_network,
    truth,
    z,
)
from lab_page import needs_chromium
from page_lab import Lab
from PIL import Image

from labkit import latent, pictures
from labkit.base.rng import seeded

pytestmark = needs_chromium
DIMS = [5, 20, 40, 60, 80]  # those of the notebook
# Notes when the first garment's picture changes, frame by frame.
WATCH = """() => {
    const canvas = document.querySelector('.labkit-editor:not([data-old]) .lab-garment .picture');
    const context = canvas.getContext('2d');
    let before = '';
    window.painted = [];
    const look = () => {
        const now = context.getImageData(0, 0, 28, 28).data.join();
        if (now !== before) window.painted.push(performance.now());
        before = now;
        if (window.painted) requestAnimationFrame(look);
    };
    look();
}"""


# At rest.


def test_after_run_all_the_garments_are_those_of_the_vectors(opened, networks, z):
    lab = Lab(opened)
    check(lab, networks["dcgan"], z)
    assert torch.equal(truth(lab), z) and ask(opened, "LatentExplorer._live.untouched")
    assert lab.titles() == [f"z[{dim}]" for dim in DIMS] and [lab.value(title) for title in lab.titles()] == [0] * 5
    assert opened.locator(".lab-row.mixed, .lab-row.moved, .lab-garment.edited").count() == 0


def test_the_editors_cell_shows_the_editor_and_nothing_else(lab):
    assert lab.page.evaluate(
        """() => {
        const cell = document.querySelector('.labkit-editor').closest('.jp-Cell');
        return cell.querySelectorAll('.jp-Cell-outputArea > .jp-OutputArea-child').length === 1
            && !cell.querySelector('[data-mime-type*="std"], [data-mime-type*="error"]') }"""
    )


def test_the_numbers_below_the_garments_are_the_librarys(lab, networks, z):
    keys(lab, "z[5]", "PageUp", "PageUp")
    edited = along(z, 5, 2)
    images = latent.sample(networks["dcgan"], edited)
    quiet(lab.page)
    for name, wanted, apart in (
        ("bright", pictures.brightness(images), 0.51),
        ("wide", pictures.width(images), 0.01),
        ("length", edited.norm(dim=1), 0.051),
    ):
        texts = lab.page.locator(f".lab-garment .{name}").all_inner_texts()
        numbers = [float("".join(c for c in text if c.isdigit() or c == ".")) for text in texts]
        assert np.allclose(numbers, wanted.tolist(), atol=apart), (name, texts)


# Sliders.


def test_keys_move_the_kernels_vectors_and_undo_takes_them_back(lab, networks, z):
    keys(lab, "z[5]", "PageUp", "PageUp", "ArrowLeft", "Shift+ArrowRight")
    edited = along(z, 5, 1.91)
    check(lab, networks["dcgan"], edited)
    assert ask(lab.page, "LatentExplorer._live.dims, LatentExplorer._live.mode") == (DIMS, "shift")
    lab.find("undo").click()
    check(lab, networks["dcgan"], z)
    lab.find("redo").click()
    check(lab, networks["dcgan"], edited)
    alike(lab.pixels("before"), library(networks["dcgan"], z))


def test_a_value_that_is_typed(lab, networks, z):
    number = lab.page.get_by_label("z[20], as a number", exact=True)
    number.fill("1.25")
    number.press("Enter")
    check(lab, networks["dcgan"], along(z, 20, 1.25))
    lab.page.get_by_text("set to", exact=True).click()
    number.fill("-2.5")
    number.press("Enter")
    check(lab, networks["dcgan"], latent.perturb(z, 20, -2.5))
    assert ask(lab.page, "LatentExplorer._live.mode") == "set"


def test_a_chosen_garment_alone_is_edited_and_reset(lab, networks, z):
    keys(lab, "z[5]", "PageUp")
    lab.find("garment").nth(2).click()
    lab.page.get_by_text("set to", exact=True).click()
    keys(lab, "z[20]", "PageUp")
    wanted = along(z, 5, 1)
    wanted[2, 20] = round(z[2, 20].item() + 1, 2)
    check(lab, networks["dcgan"], wanted)
    assert ask(lab.page, "LatentExplorer._live.rows, LatentExplorer._live.mode") == ([2], "set")
    lab.find("reset").click()
    wanted[2] = z[2]
    check(lab, networks["dcgan"], wanted)


def test_set_reset_undo_and_redo(lab, networks, z):
    lab.page.get_by_text("set to", exact=True).click()
    keys(lab, "z[5]", "End")
    one = latent.perturb(z, 5, 4)
    check(lab, networks["dcgan"], one)
    keys(lab, "z[20]", "Home")
    both = latent.perturb(one, 20, -4)
    check(lab, networks["dcgan"], both)
    keys(lab, "z[5]", "Backspace")
    alone = latent.perturb(z, 20, -4)
    check(lab, networks["dcgan"], alone)
    lab.find("reset").click()
    check(lab, networks["dcgan"], z)
    for state in (alone, both, one, z):
        lab.find("undo").click()
        torch.testing.assert_close(truth(lab), state, atol=2e-6, rtol=0)
    check(lab, networks["dcgan"], z)
    for state in (one, both, alone, z):
        lab.find("redo").click()
        torch.testing.assert_close(truth(lab), state, atol=2e-6, rtol=0)
    check(lab, networks["dcgan"], z)
    lab.find("redo").click(force=True)
    status(lab, "nothing to redo")


def test_dragging_with_the_mouse(lab, networks, z):
    box = lab.slider("z[40]").bounding_box()
    y, left, width = box["y"] + box["height"] / 2, box["x"], box["width"]
    lab.page.mouse.move(left + width / 2, y)
    lab.page.mouse.down()
    lab.page.mouse.move(left + 0.3 * width, y, steps=8)
    halfway = lab.pixels()  # the button is still down
    assert lab.value("z[40]") == pytest.approx(-1.6, abs=0.4)
    alike(halfway, library(networks["dcgan"], along(z, 40, float(lab.slider("z[40]").input_value()))))
    lab.page.mouse.move(left + 0.9 * width, y, steps=8)
    lab.page.mouse.up()
    moved = truth(lab)
    assert lab.value("z[40]") == pytest.approx(3.2, abs=0.4)
    torch.testing.assert_close((moved - z)[:, 40].mean().item(), lab.value("z[40]"), atol=0.0051, rtol=0)
    check(lab, networks["dcgan"], moved)
    lab.find("undo").click()  # the whole of it is one step
    check(lab, networks["dcgan"], z)
    lab.find("redo").click()
    check(lab, networks["dcgan"], moved)


def test_a_flood_of_moves_ends_at_the_last_within_half_a_second(lab, networks, z):
    """The pictures keep pace: none is left to be drawn half a second after the slider is let go."""
    box = lab.slider("z[60]").bounding_box()
    y, middle, tries = box["y"] + box["height"] / 2, box["x"] + box["width"] / 2, []
    lab.page.evaluate(WATCH)
    try:
        for attempt in range(3):  # the machine may have other things to do
            lab.page.mouse.move(middle, y)
            lab.page.mouse.down()
            lab.page.evaluate("window.painted.splice(0)")
            begin = time.monotonic()
            for i in range(120):
                lab.page.mouse.move(middle + 45 * np.sin(i / 9 + attempt), y)
                time.sleep(max(0.0, begin + (i + 1) / 60 - time.monotonic()))
            during, release = lab.page.evaluate("[window.painted.length, performance.now()]")
            lab.page.mouse.up()
            check(lab, networks["dcgan"], along(z, 60, float(lab.slider("z[60]").input_value())))
            assert during >= 10  # it moved on the way, too
            tries.append(lab.page.evaluate("window.painted.at(-1)") - release)
            if tries[-1] < 500:
                break
    finally:
        lab.page.evaluate("window.painted = null")
    assert min(tries) < 500, tries


def test_a_slider_moved_while_a_cell_runs(lab, networks, z):
    """And what is clicked meanwhile takes effect in its order."""
    run_in_the_kernel(lab.page, "import time; time.sleep(1.5)")
    keys(lab, "z[5]", *["PageUp"] * 3)
    lab.find("garment").nth(2).click()
    keys(lab, "z[20]", "PageDown")
    check(lab, networks["dcgan"], along(along(z, 5, 3), 20, -1, [2]))
    assert ask(lab.page, "LatentExplorer._live.rows") == [2]


def test_a_training_that_runs_keeps_its_random_numbers(lab):
    """New base vectors are drawn beside it, not from its stream."""
    lab.tab("Walk")
    draw = "with seeded('test'):\n    drawn = [(torch.randn(1).item(), time.sleep(0.002))[0] for _ in range(800)]"
    run_in_the_kernel(lab.page, f"import time\nfrom labkit.base.rng import seeded\n{draw}")
    for typed in range(3, 40):
        lab.find("seed").fill(str(typed))
        lab.find("seed").press("Enter")
    with seeded("test"):
        wanted = [torch.randn(1).item() for _ in range(800)]
    assert ask(lab.page, "drawn") == wanted
    torch.testing.assert_close(truth(lab, "base"), latent.latents(8, 100, 39))


# Beyond sliders.


def test_a_walk_and_new_base_vectors(lab, networks, z):
    keys(lab, "z[5]", "PageUp")
    edited = along(z, 5, 1)
    lab.tab("Walk")
    lab.slider("how far").focus()
    for _ in range(25):
        lab.page.keyboard.press("ArrowRight")
    walked = edited.clone()
    walked[0] = latent.interpolate(edited[0], edited[1], 101)[25]  # from where garment 1 is, with its edit
    check(lab, networks["dcgan"], walked)
    lab.page.keyboard.press("End")
    walked[0] = edited[1]
    check(lab, networks["dcgan"], walked)
    lab.find("seed").fill("7")
    lab.find("seed").press("Enter")
    other = latent.latents(8, 100, 7)
    lab.page.wait_for_function("!document.querySelector('.lab-garment.edited')")
    check(lab, networks["dcgan"], other)
    alike(lab.pixels("before"), library(networks["dcgan"], other))
    lab.find("undo").click()
    check(lab, networks["dcgan"], walked)


@pytest.mark.parametrize("typed", ["-5", "1.5", "99999999999"])
def test_a_seed_that_is_none_is_refused_in_a_line(lab, networks, z, typed):
    lab.tab("Walk")
    lab.find("seed").fill(typed)
    lab.find("seed").press("Enter")
    lab.page.wait_for_selector(".lab-status.failed")
    assert "seed" in lab.said() and typed in lab.said()
    check(lab, networks["dcgan"], z)


def test_a_call_in_a_cell_moves_the_page(lab, networks, z):
    """Who types edits and who drags edit the same vectors."""
    ask(lab.page, "LatentExplorer._live.status", "LatentExplorer._live.set(5, 2.0)")
    wanted = latent.perturb(z, 5, 2.0)
    lab.page.wait_for_function("document.querySelector('.lab-row input[type=number]').value !== '0.00'")
    assert lab.value("z[5]") == pytest.approx((2 - z[:, 5]).mean().item(), abs=0.0051)
    check(lab, networks["dcgan"], wanted)
    keys(lab, "z[20]", "PageUp")
    check(lab, networks["dcgan"], along(wanted, 20, 1))
    assert ask(lab.page, "LatentExplorer._live.failed", "LatentExplorer._live.undo()") is False
    lab.page.wait_for_function("document.querySelectorAll('.lab-row input[type=number]')[1].value === '0.00'")
    check(lab, networks["dcgan"], wanted)


def test_what_the_page_is_told_it_does_not_send_back(lab, networks, z):
    """A page that rounds what it is told would report a move of its own: a second step, of what nobody edited."""
    ask(lab.page, "0", "LatentExplorer._live.set(5, 2.0, [2])")
    lab.page.wait_for_selector(".lab-garment.edited")
    for name in ("Pad", "Sliders"):
        lab.tab(name)
    lab.find("garment").nth(4).click()
    check(lab, networks["dcgan"], latent.perturb(z, 5, 2.0, [2]))
    ask(lab.page, "0", "LatentExplorer._live.undo()")
    lab.page.wait_for_function("!document.querySelector('.lab-garment.edited')")
    check(lab, networks["dcgan"], z)
    assert ask(lab.page, "LatentExplorer._live.status", "LatentExplorer._live.undo()") == "there is nothing to undo"


HOSTILE = {
    "set(5, float('nan'))": ["nan", "finite"],
    "set(5, float('inf'))": ["inf", "finite"],
    "set(200, 1.0)": ["200", "0 to 99"],
    "set(5, 'x')": ["'x'", "finite"],
    "set(5, 4.01)": ["4.01", "out of range"],
    "set(5, 1.0, [8])": ["[8]", "0 to 7"],
    "add(-1)": ["-1", "0 to 99"],
    "reseed(-1)": ["-1", "seed"],
    "load('../../etc')": ["../../etc", "is not in"],
}


def test_hostile_calls_are_answered_on_the_page(lab, networks, z):
    keys(lab, "z[5]", "PageUp")
    for call, words in HOSTILE.items():
        ask(lab.page, "0", do=f"LatentExplorer._live.{call}")
        said = status(lab, words[0])
        assert all(word in said for word in words), (call, said)
        assert lab.page.locator(".lab-status.failed").count() == 1
        torch.testing.assert_close(truth(lab), along(z, 5, 1), atol=2e-6, rtol=0)
    check(lab, networks["dcgan"], along(z, 5, 1))
    assert lab.value("z[5]") == 1


# Networks, dimensions.


def test_another_network_from_the_list_draws_the_same_vectors(lab, networks, z):
    keys(lab, "z[5]", "PageUp")
    take_network(lab, "vanilla GAN: smoke")
    lab.page.wait_for_function("document.querySelector('.lab-note').textContent.startsWith('vanilla GAN')")
    check(lab, networks["vanilla"], along(z, 5, 1))
    assert "vanilla" in ask(lab.page, "str(LatentExplorer._live.run.folder)")
    keys(lab, "z[20]", "PageDown")
    edited = along(along(z, 5, 1), 20, -1)
    check(lab, networks["vanilla"], edited)
    take_network(lab, "DCGAN: smoke")
    lab.page.wait_for_function("document.querySelector('.lab-note').textContent.startsWith('DCGAN')")
    check(lab, networks["dcgan"], edited)


def test_another_run_of_the_same_network(lab, project, networks, z):
    """Every finished run is in the list, and every run of the study whose weights were kept."""
    (folder,) = (project / "data/runs/smoke/dcgan").iterdir()
    other = folder.with_name(folder.name + "-again")
    shutil.copytree(folder, other)
    try:
        keys(lab, "z[5]", "PageUp")
        ask(lab.page, "0", "from labkit.page import worlds")
        found = ask(lab.page, "[worlds.entitled(folder) for folder in worlds.worlds()]")
        run_editor_cell(lab.page)
        assert lab.find("networks").locator("option").all_inner_texts() == found
        take_network(lab, next(title for title in found if other.name in title))
        check(lab, networks["dcgan"], z)
        assert ask(lab.page, "LatentExplorer._live.run.folder.name") == other.name
    finally:
        shutil.rmtree(other)


def test_another_network_beside_and_the_change(lab, networks, z):
    keys(lab, "z[5]", "PageUp", "PageUp", "PageUp")
    edited = along(z, 5, 3)
    titles = lab.find("beside").locator("option").all_inner_texts()
    lab.page.locator("select.lab-beside").select_option(
        label=next(title for title in titles if title.startswith("vanilla GAN: smoke"))
    )
    lab.page.wait_for_selector(".lab-garment canvas.beside:visible")
    check(lab, networks["dcgan"], edited)
    alike(lab.pixels("beside"), library(networks["vanilla"], edited))
    lab.page.get_by_text("base", exact=True).click()
    alike(lab.pixels(), library(networks["dcgan"], z))
    assert "vanilla" not in ask(lab.page, "str(LatentExplorer._live.run.folder)")  # that one only looks on


def test_sliders_by_number_and_by_name_and_their_measures(lab, networks, z):
    add(lab, "33")
    assert lab.titles()[0] == "z[33]"
    keys(lab, "z[33]", "PageDown")
    check(lab, networks["dcgan"], along(z, 33, -1))
    assert ask(lab.page, "LatentExplorer._live.dims") == [33, *DIMS]
    add(lab, "width")  # a run of this minute: nothing was measured
    status(lab, "Nothing of that name")
    lab.page.get_by_role("button", name="take the slider of z[40] away").click()
    check(lab, networks["dcgan"], along(z, 33, -1))
    assert ask(lab.page, "LatentExplorer._live.dims") == [33, 5, 20, 60, 80]


@pytest.mark.thorough
@pytest.mark.slow
def test_measure_and_move_along_a_direction(lab, networks, z):
    add(lab, "33")
    lab.page.get_by_role("button", name="Measure them").click()
    lab.page.wait_for_function(
        "document.querySelector('.lab-status').textContent === 'All dimensions and directions are measured.'",
        timeout=120_000,
    )
    assert lab.page.locator(".lab-effect").count() >= 3
    assert not lab.page.get_by_role("button", name="Measure them").is_visible()
    lab.find("search").fill("brightness")
    offered = lab.page.locator(".lab-found li").all_inner_texts()
    do = "from labkit.analysis import effects\nfound = effects.effects_of(LatentExplorer._live.run)"
    most = ask(lab.page, "found.score[:, effects.NAMES.index('brightness')].abs().argmax().item()", do)
    assert any(f"z[{most}]" in text for text in offered)
    lab.find("search").press("Enter")
    by_effect = lab.titles()[0]
    assert by_effect != "z[33]" and by_effect in offered[0]
    add(lab, "sefa 2")
    lab.rest()
    title, name, *dims = lab.titles()[0], *ask(lab.page, "LatentExplorer._live.dims")
    assert name == "sefa 2" and len(dims) == 7 and lab.titles()[1] == by_effect
    unit = torch.tensor(ask(lab.page, f"LatentExplorer._live.directions[{name!r}].tolist()"))
    lab.find("garment").nth(1).click()
    keys(lab, title, "PageUp", "PageUp")
    wanted = z.clone()
    wanted[1] += 2 * unit
    check(lab, networks["dcgan"], wanted)


@pytest.mark.slow
def test_find_a_garment_and_the_kernel_has_its_vector(lab, networks, z):
    lab.tab("Draw")
    lab.page.locator(".lab-tests button").nth(3).click()
    lab.find("go").click()
    lab.page.wait_for_function("document.querySelector('.lab-status').textContent.startsWith('Found')", timeout=60_000)
    found = truth(lab)
    assert not torch.equal(found[0], z[0]) and torch.equal(found[1:], z[1:])
    check(lab, networks["dcgan"], found)
    got, wanted = (lab.canvas(f".lab-result .{name}").astype(float) for name in ("got", "wanted"))
    assert np.abs(got - library(networks["dcgan"], found)[0]).max() <= 1
    drawn = library(networks["dcgan"], latent.latents(512, 100, 9)).astype(float)
    assert ((got - wanted) ** 2).mean() < ((drawn - wanted) ** 2).mean((1, 2)).min()  # nearer than any by chance


def test_own_numbers_are_taken_and_given(lab, networks, z):
    mine = latent.latents(1, 100, 77)[0]
    lab.tab("Keep")
    lab.find("garment").nth(4).click()
    lab.find("numbers").fill(" ".join(f"{x:.9g}" for x in mine.tolist()))
    lab.find("take").click()
    placed = z.clone()
    placed[4] = mine
    check(lab, networks["dcgan"], placed)
    torch.testing.assert_close(truth(lab, "base"), placed)
    lab.find("garment").first.click()
    lab.find("copy-numbers").click()
    assert json.loads(lab.find("numbers").input_value()) == pytest.approx(z[0].tolist())


# What is kept.


def keep(lab, button="keep"):
    """Click it; the name under which the state was kept."""
    lab.tab("Keep")
    lab.find(button).click()
    return status(lab, "kept in").split(":")[0].rpartition("/")[2]


def test_what_is_kept_opens_by_a_click_and_is_the_same(lab, project, networks, z):
    keys(lab, "z[5]", "PageUp", "PageUp")
    edited = along(z, 5, 2)
    name = keep(lab)
    folder = project / "figures/explorer" / name
    assert sorted(path.name for path in folder.iterdir()) == ["picture.png", "picture.svg", "recipe.json"]
    with Image.open(folder / "picture.png") as png:
        assert png.width > 500 and np.asarray(png.convert("L")).std() > 5
    assert ElementTree.parse(folder / "picture.svg").getroot().tag.endswith("svg")
    torch.testing.assert_close(torch.tensor(json.loads((folder / "recipe.json").read_text())["z"]), edited)
    take_network(lab, "vanilla GAN: smoke")
    lab.find("reset").click()
    check(lab, networks["vanilla"], z)
    lab.page.get_by_title(f"open {name}").click()
    status(lab, f"{name} is back")
    check(lab, networks["dcgan"], edited)
    assert lab.page.locator(".lab-gallery img").first.evaluate("image => image.naturalWidth") > 50


def test_a_recipe_that_was_damaged_is_named(lab, project, networks, z):
    name = keep(lab)
    recipe = project / "figures/explorer" / name / "recipe.json"
    recipe.write_text(recipe.read_text()[:-40])
    edited = truth(lab)
    lab.page.get_by_title(f"open {name}").click()
    lab.page.wait_for_selector(".lab-status.failed")
    assert lab.said().startswith(f"figures/explorer/{name}/recipe.json is") and "damaged" in lab.said()
    check(lab, networks["dcgan"], edited)
    shutil.rmtree(recipe.parent)


def test_a_sweep_is_shown(lab, project, networks, z):
    keys(lab, "z[20]", "PageUp")
    name = keep(lab, "sweep")
    with Image.open(project / "figures/explorer" / name / "sweep.gif") as gif:
        assert gif.n_frames >= 40
        frame = np.asarray(gif.convert("L"))[-28 * 4 :: 4, ::4]  # under the label, every pixel four times
    shown = np.stack([frame[:28, 29 * i : 29 * i + 28] for i in range(8)])
    wanted = library(networks["dcgan"], latent.perturb(z, 20, -3))
    assert np.abs(shown.astype(int) - wanted).max() <= 8  # a GIF has few colours
    check(lab, networks["dcgan"], along(z, 20, 1))
    movie = lab.page.locator(".lab-movie:visible")
    assert movie.evaluate("image => image.decode().then(() => image.naturalWidth)") == 8 * 29 * 4  # and it is seen


def test_a_recipe_that_somebody_sent_is_opened(lab, networks, z):
    keys(lab, "z[60]", "PageDown")
    lab.tab("Keep")
    with lab.page.expect_download() as download:
        lab.find("save").click()
    content = download.value.path().read_bytes()
    lab.find("reset").click()
    check(lab, networks["dcgan"], z)

    def send(content):
        lab.page.locator("input.lab-load").set_input_files(
            {"name": "r.json", "mimeType": "application/json", "buffer": content}
        )

    send(content)
    status(lab, "the recipe is opened")
    check(lab, networks["dcgan"], along(z, 60, -1))
    for spoilt in (b'{"format": 1}', content[:-40], b"{", content.replace(b'"dims"', b'"dimz"')):
        lab.find("undo").click()
        lab.find("redo").click()
        lab.rest()
        send(spoilt)
        lab.page.wait_for_selector(".lab-status.failed")
        check(lab, networks["dcgan"], along(z, 60, -1))


# Last.


def test_nobody_has_complained(lab):
    """Neither the browser's console nor the kernel had anything to say meanwhile."""
    assert complaints == []
