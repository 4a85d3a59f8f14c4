"""The lab in the report as its reader has it: every control, in a real browser, from a file, without a network."""

import io
import json
import re
import time
from urllib.parse import parse_qs

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
    write_page,
    z,
)
from PIL import Image

from labkit import data, latent, pictures
from labkit.base import paths
from labkit.editor.session import Editor

pytestmark = needs_both
DIMS = [f"z[{dim}]" for dim in latent.LAB_DIMS]
WIDTH = "less aspect ratio (regression on width)"  # "more width", by what it was measured to do
EVERY = list(range(8))


@pytest.fixture(scope="module")
def chinese(tmp_path_factory):
    """The same page in Chinese."""
    return write_page(tmp_path_factory.mktemp("page") / "report.html", edition="zh")


def drag(lab, locator, start, end, steps=12):
    """Pull the mouse over ``locator`` between two points, in shares of its size."""
    box = locator.bounding_box()
    locator.hover(position={"x": start[0] * box["width"], "y": start[1] * box["height"]})  # scrolls until it is free
    box = locator.bounding_box()
    lab.page.mouse.down()
    lab.page.mouse.move(box["x"] + end[0] * box["width"], box["y"] + end[1] * box["height"], steps=steps)
    lab.page.mouse.up()


def swipe(lab, locator, start, end, steps=8):
    """The same with a finger."""
    locator.wait_for()
    locator.evaluate("e => e.scrollIntoView({block: 'end'})")
    box, client = locator.bounding_box(), lab.page.context.new_cdp_session(lab.page)
    for k in range(steps + 1):
        share = [a + (b - a) * k / steps for a, b in zip(start, end, strict=True)]
        point = {"x": box["x"] + share[0] * box["width"], "y": box["y"] + share[1] * box["height"]}
        client.send("Input.dispatchTouchEvent", {"type": "touchMove" if k else "touchStart", "touchPoints": [point]})
    client.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    time.sleep(0.3)  # what follows sooner than a finger can is taken for a part of it, and is no tap


def press(lab, *keys):
    for key in keys:
        lab.page.keyboard.press(key)


def idle(lab, name):
    """Whether the button lab-``name`` says that there is nothing for it to do."""
    return lab.find(name).get_attribute("aria-disabled") == "true"


# ----- the stage


def test_it_begins_with_the_garments_of_chapter_three(lab, z):
    assert same(lab.pixels(), drawn(z)) and np.array_equal(lab.pixels(), lab.pixels("before"))
    assert lab.chosen() == EVERY and lab.titles() == DIMS
    assert lab.page.locator(".lab-here > figure").is_hidden()


def test_what_stands_below_a_garment_is_what_the_library_measures(lab, z):
    images = latent.sample(trained("dcgan").generator(), z)
    seen = {name: lab.page.locator(f".lab-garment .{name}").all_inner_texts() for name in ("bright", "wide", "length")}
    for text, wanted in zip(seen["bright"], pictures.brightness(images).tolist(), strict=True):
        assert float(text.split()[0]) == pytest.approx(wanted, abs=0.6)
    assert [float(text.split()[0]) for text in seen["wide"]] == pictures.width(images).tolist()
    for text, wanted in zip(seen["length"], z.norm(dim=1).tolist(), strict=True):
        assert float(text.split()[1]) == pytest.approx(wanted, abs=0.06)
    from labkit.evaluation.classifier import load_classifier

    chance, best = load_classifier()[0].measure(images)[1].max(1)
    assert lab.page.locator(".lab-garment .class").all_inner_texts() == [data.CLASSES[k] for k in best]
    shares = [float(text.split()[0]) / 100 for text in lab.page.locator(".lab-garment .chance").all_inner_texts()]
    assert shares == pytest.approx(chance.tolist(), abs=0.05)  # its weights are rounded


def test_brightness_and_width_are_measured_as_by_the_library(lab, z):
    """On real garments, dark and bright ones, and on none."""
    images = data.to_unit(data.load("test")[0][:200])
    images = torch.cat([images, (images[:50] + 1) * 0.15 - 1, torch.full((1, 1, 28, 28), -1.0)])
    measured = lab.page.evaluate(
        """images => images.map(image => {
            const {brightness, width} = labModules['pictures.js'], own = Float32Array.from(image);
            return [brightness(own), width(own)];
        })""",
        images.flatten(1).tolist(),
    )
    bright, wide = torch.tensor(measured).T
    torch.testing.assert_close(bright, pictures.brightness(images), rtol=0, atol=1e-3)
    assert torch.equal(wide, pictures.width(images))


def test_garments_are_chosen_by_click_and_by_keyboard(lab):
    garments = lab.find("garment")
    garments.nth(2).click()
    assert lab.chosen() == [2] and lab.find("who").inner_text() == "garment 3"
    garments.nth(5).click(modifiers=["Shift"])
    assert lab.chosen() == [2, 5] and lab.find("who").inner_text() == "garments 3 and 6"
    press(lab, "ArrowLeft", "Shift+Enter")
    assert lab.chosen() == [2, 4, 5]
    tops = garments.evaluate_all("all => all.map(one => one.offsetTop)")
    above = max(4 - tops.count(tops[0]), 4 % tops.count(tops[0]))  # itself, where all stand in one row
    press(lab, "ArrowUp", "ArrowRight", "Shift+Space")
    assert lab.chosen() == sorted({2, 4, 5} ^ {above + 1})
    lab.page.get_by_role("button", name="all", exact=True).click()
    assert lab.chosen() == EVERY
    press(lab, "Enter", "Enter")
    assert lab.chosen() == EVERY  # one alone, and all again


# ----- sliders


def test_a_shift_moves_the_chosen_garments_and_nothing_jumps(lab, z):
    before = lab.pixels()
    lab.find("garment").nth(3).click()
    assert lab.moved(before) == []
    lab.slider("z[5]").focus()
    press(lab, "ArrowRight")
    assert lab.moved(before) == [3] and lab.value("z[5]") == 0.1
    press(lab, "PageUp", "Shift+ArrowLeft")
    assert lab.value("z[5]") == 1.09
    wanted = z.clone()
    wanted[3, 5] += 1.09
    assert same(lab.pixels(), drawn(wanted))
    assert np.array_equal(lab.pixels("before"), before)


def test_set_to_sets_and_says_the_value(lab, z):
    lab.page.get_by_text("set to").click()
    assert lab.value("z[20]") == pytest.approx(z[:, 20].mean().item(), abs=0.006)
    field = lab.page.get_by_label("z[20], as a number")
    field.fill("-3")
    press(lab, "Enter")
    wanted = latent.perturb(z, 20, -3.0)
    assert same(lab.pixels(), drawn(wanted))
    field.fill("9")
    press(lab, "Enter")
    assert lab.value("z[20]") == 4  # the range
    field.fill("")
    press(lab, "Enter")
    assert lab.said() == "That is not a number." and lab.value("z[20]") == 4


def test_a_drag_is_one_step_of_undo(lab, z):
    before = lab.pixels()
    drag(lab, lab.slider("z[40]"), (0.5, 0.5), (0.8, 0.5))
    after, value = lab.pixels(), lab.value("z[40]")
    assert value > 2 and lab.moved(before) == EVERY
    drag(lab, lab.slider("z[40]"), (0.8, 0.5), (0.3, 0.5))
    lab.page.get_by_role("button", name="Undo").click()
    assert lab.moved(after) == [] and lab.value("z[40]") == value
    press(lab, "Control+z")
    assert lab.moved(before) == [] and idle(lab, "undo")
    press(lab, "Control+Shift+Z")
    assert lab.moved(after) == []


def test_reset_is_of_the_chosen_garments_only(lab):
    before = lab.pixels()
    lab.slider("z[60]").focus()
    press(lab, "PageUp")
    lab.slider("z[80]").focus()
    press(lab, "PageUp")
    lab.find("garment").nth(1).click()
    lab.slider("z[60]").focus()
    press(lab, "Backspace")
    assert lab.value("z[60]") == 0 and lab.value("z[80]") == 1 and lab.moved(before) == EVERY
    lab.page.get_by_role("button", name="Reset").click()
    assert lab.moved(before) == [0, 2, 3, 4, 5, 6, 7] and idle(lab, "reset")


def test_a_slider_is_found_by_number_and_by_what_it_does(lab, z):
    search = lab.find("search")
    search.fill("17")
    press(lab, "Enter")
    assert lab.titles() == ["z[17]", *DIMS]
    search.fill("width")
    offered = [text.partition("\n")[0] for text in lab.find("found").get_by_role("option").all_inner_texts()]
    assert offered[0] == "mostly wider" and WIDTH in offered[:3]
    press(lab, *["ArrowDown"] * (offered.index(WIDTH) + 1), "Enter")
    assert lab.titles()[:2] == [WIDTH, "z[17]"]
    row = lab.page.locator(".lab-row").first
    assert "new" in row.get_attribute("class") and row.is_visible()
    search.fill("100")
    press(lab, "Enter")
    assert "Nothing of that name" in lab.said()
    lab.slider(WIDTH).focus()
    press(lab, "PageUp")
    from labkit.analysis.directions import directions_of

    wanted = z + directions_of(trained("dcgan"))[0]["more width"]
    assert same(lab.pixels(), drawn(wanted))
    press(lab, "Delete")
    assert lab.titles() == ["z[17]", *DIMS] and same(lab.pixels(), drawn(wanted))
    lab.page.get_by_label("take the slider of z[17] away").click()
    assert lab.titles() == DIMS


def test_a_direction_that_does_one_thing_is_found_by_that_and_says_how_purely(lab, z):
    """Offered first, without a word typed; of its effects, what it is named after comes first."""
    from labkit.analysis.alone import alone_of

    only, _ = alone_of(trained("dcgan"))
    lab.find("search").focus()
    texts = [text.replace("\n", " ") for text in lab.find("found").get_by_role("option").all_inner_texts()]
    assert [bool(re.match(r".+, and little else |mostly ", text)) for text in texts].index(False) == len(only) > 4
    lab.find("search").fill("little else")
    texts = lab.find("found").get_by_role("option").all_inner_texts()
    assert len(texts) > 4 and all(int(re.search(r"purity (\d+)%", text)[1]) >= 50 for text in texts)
    lab.find("search").fill("wider")
    press(lab, "Enter")
    assert lab.titles()[0] == "mostly wider"
    lab.slider("mostly wider").focus()
    press(lab, "PageUp")
    assert same(lab.pixels(), drawn(z + only["only width"]))
    assert lab.page.locator(".lab-effect span").first.inner_text() == "width"


@pytest.mark.parametrize(("typed", "found"), [("darker", "brightness"), ("narrow", "wid"), ("blurred", "outline")])
def test_a_measure_is_found_by_the_words_of_everyday(lab, typed, found):
    lab.find("search").fill(typed)
    offered = lab.find("found").get_by_role("option").all_inner_texts()
    assert len(offered) > 3 and all(found in text for text in offered), offered


def test_a_new_slider_is_in_sight_among_many(lab):
    for dim in range(12):
        lab.find("search").fill(str(dim))
        press(lab, "Enter")
    row, listed = lab.page.locator(".lab-row").first.bounding_box(), lab.find("rows").bounding_box()
    assert lab.titles()[0] == "z[11]" and listed["y"] <= row["y"] + 2 < listed["y"] + listed["height"] - row["height"]


def test_effects_stand_beside_random_directions(lab):
    from labkit.analysis.effects import NAMES, effects_of

    table = effects_of(trained("dcgan"))
    lab.slider("z[20]").focus()
    said = lab.find("effects").inner_text()
    names = [NAMES[k].replace("_", " ") for k in table.score[20].abs().argsort(descending=True)[:3]]
    assert said.startswith("z[20] from −3 to 3") and all(name in said for name in names) and "random: " in said
    assert ("no more than a random direction" in said) == (not table.special[20].any())
    lab.find("search").fill("more width")
    press(lab, "Enter")
    assert (
        "Purity" in lab.find("effects").inner_text()
        and "more than a random direction" in lab.find("effects").inner_text()
    )


def test_small_controls_of_a_slider(lab):
    """What gives back what was, the arrows of a number, and the list of the search by mouse and by keyboard."""
    before = lab.pixels()
    lab.slider("z[5]").focus()
    press(lab, "PageUp")
    again = lab.page.get_by_label("z[5] as it was")
    again.click()
    assert lab.moved(before) == [] and again.is_hidden()
    drag(lab, lab.slider("z[5]"), (0.5, 0.5), (0.7, 0.5))
    lab.slider("z[5]").dblclick(position={"x": 20, "y": 10})  # far from the middle
    assert lab.value("z[5]") == 0 and lab.moved(before) == []
    number = lab.page.get_by_label("z[5], as a number")
    number.focus()
    press(lab, "ArrowUp", "ArrowUp")
    assert lab.moved(before) == EVERY and lab.slider("z[5]").input_value() == "0.203125"
    lab.find("search").fill("texture")
    press(lab, "Escape")
    assert lab.find("found").is_hidden()
    press(lab, "ArrowUp")
    last = lab.find("found").get_by_role("option").last
    assert last.get_attribute("aria-selected") == "true" and "z[" in last.inner_text()
    lab.find("found").get_by_role("option").first.click()
    assert lab.titles() == ["more texture, and little else", *DIMS] and lab.find("search").input_value() == ""


def test_tabs_by_keyboard(lab):
    lab.page.get_by_role("tab", name="Sliders").focus()
    for key, name in (("ArrowRight", "Pad"), ("End", "Share"), ("ArrowRight", "Sliders"), ("ArrowLeft", "Share")):
        press(lab, key)
        tab, panel = lab.page.locator("[role=tab]:focus"), lab.page.locator("[role=tabpanel]:visible")
        assert tab.inner_text() == name and panel.count() == 1
        assert panel.get_attribute("aria-labelledby") == tab.get_attribute("id")


# ----- pad and walks


def test_the_pad_moves_two_at_once(lab, z):
    lab.tab("Pad")
    lab.find("garment").nth(0).click()
    drag(lab, lab.find("pad"), (0.5, 0.5), (0.75, 0.25))
    lab.tab("Sliders")
    across, up = lab.value("z[5]"), lab.value("z[20]")
    assert across == pytest.approx(2, abs=0.1) and up == pytest.approx(2, abs=0.1)
    lab.tab("Pad")
    lab.find("pad").focus()
    press(lab, "ArrowLeft", "ArrowDown", "Shift+ArrowUp")
    lab.tab("Sliders")
    assert lab.value("z[5]") == pytest.approx(across - 0.1, abs=0.01)
    assert lab.value("z[20]") == pytest.approx(up - 0.09, abs=0.01)
    press(lab, "Control+z")
    press(lab, "Control+z")
    assert lab.value("z[5]") == 0  # a drag is one step, keys that follow at once another


def test_the_pad_hits_what_it_points_at_along_directions_that_are_not_square(lab):
    lab.tab("Pad")
    for label, name in (("up", "more height"), ("right", "more aspect")):
        lab.page.get_by_label(label, exact=True).select_option(name)
    drag(lab, lab.find("pad"), (0.5, 0.5), (0.8, 0.3))
    label = lab.find("pad").get_attribute("aria-label")
    assert label.startswith("Right more aspect ratio ") and ", up more height " in label
    across, up = (float(part.split()[-1]) for part in label.split(", up"))
    assert across == pytest.approx(2.4, abs=0.1) and up == pytest.approx(1.6, abs=0.1)


def test_a_walk_leads_from_the_garment_as_it_is(lab, z):
    lab.slider("z[5]").focus()
    press(lab, "PageUp")
    edited = z.clone()
    edited[:, 5] += 1
    lab.tab("Walk")
    lab.page.get_by_label("goes to").select_option(index=3)
    way = lab.page.get_by_label("how far")
    way.focus()
    press(lab, "ArrowRight", "ArrowLeft")
    assert same(lab.pixels(), drawn(edited))  # 0 % is where it was
    way.fill("0.5")
    edited[0] = latent.interpolate(edited[0], edited[2 + 1], 3)[1]
    assert same(lab.pixels(), drawn(edited)) and "50 %" in lab.said()
    lab.page.get_by_label("goes to").select_option(index=0)
    way.fill("0.7")
    assert "not the same" in lab.said()
    lab.page.locator(".lab-panel-walk select").first.select_option(index=5)
    way.fill("1")
    edited[5] = edited[0]
    assert same(lab.pixels(), drawn(edited))


def test_a_random_walk_plays_and_stops_and_is_one_step(lab):
    before = lab.pixels()
    lab.find("garment").nth(6).click()
    lab.tab("Walk")
    lab.find("play").click()
    time.sleep(1)
    press(lab, "Escape")
    assert lab.find("play").inner_text() == "Let them walk" and lab.moved(before) == [6]
    after = lab.pixels()
    time.sleep(0.5)
    assert lab.moved(after) == []
    lab.find("undo").click()
    assert lab.moved(before) == []


def test_eight_new_garments_and_back(lab):
    before = lab.pixels()
    lab.tab("Walk")
    lab.page.get_by_role("button", name="Eight new garments").click()
    assert lab.moved(before) == EVERY and np.array_equal(lab.pixels(), lab.pixels("before"))
    lab.find("undo").click()
    assert lab.moved(before) == [] and np.array_equal(lab.pixels("before"), before)


# ----- a garment of one's own


def test_pencil_eraser_and_clear(lab):
    lab.tab("Draw")
    lab.find("draw").scroll_into_view_if_needed()
    assert lab.find("go").is_disabled()
    drag(lab, lab.find("draw"), (0.2, 0.5), (0.8, 0.5))
    one = lab.canvas(".lab-draw")
    assert one[14, 6:22].min() > 200 and one[:10].max() == 0 and lab.find("go").is_enabled()
    lab.page.get_by_text("eraser").click()
    drag(lab, lab.find("draw"), (0.5, 0.2), (0.5, 0.8))
    assert lab.canvas(".lab-draw")[14, 13:15].max() == 0 and lab.canvas(".lab-draw")[14, 8] > 200
    lab.find("clear").click()
    assert lab.canvas(".lab-draw").max() == 0 and lab.find("go").is_disabled()


def test_drawing_by_keyboard(lab):
    lab.tab("Draw")
    lab.find("size").fill("1")
    lab.find("draw").focus()
    press(lab, "ArrowUp", "Space", *["Shift+ArrowRight"] * 5, "ArrowDown")
    seen = lab.canvas(".lab-draw")
    assert seen[13, 14:20].min() > 200 and seen[12].max() == 0 and seen[16:].max() == 0


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_picture_is_centred_fitted_and_turned_to_bright_on_black(lab, kind):
    sheet = np.full((400, 600), 240, np.uint8)
    sheet[100:260, 50:130] = 30  # dark on paper, twice as tall as wide, near a border
    file = io.BytesIO()
    Image.fromarray(sheet).save(file, kind)
    lab.tab("Draw")
    lab.find("picture").set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": file.getvalue()})
    lab.page.wait_for_selector(".lab-go:enabled")
    seen = lab.canvas(".lab-draw")
    inside = seen > 100
    assert inside.any(0).sum() == 14 and inside.any(1).sum() == 28  # fitted
    assert inside[:, 7:21].all() and seen[:, :6].max() < 20  # centred, bright on black


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.png", b"no picture", "not a picture"),
        ("a.svg", b"<svg onload='alert(1)'/>", "not a picture"),
        ("b.png", None, "nothing to see"),
    ],
)
def test_a_file_that_is_no_garment(lab, name, content, said):
    if content is None:
        file = io.BytesIO()
        Image.new("L", (50, 50), 255).save(file, "PNG")
        content = file.getvalue()
    lab.tab("Draw")
    lab.find("picture").set_input_files({"name": name, "mimeType": "image/png", "buffer": content})
    lab.page.wait_for_selector(".lab-status.failed")
    assert said in lab.said() and lab.canvas(".lab-draw").max() == 0


def test_a_real_garment_is_found_and_then_edited(lab):
    before = lab.pixels()
    lab.find("garment").nth(4).click()
    lab.tab("Draw")
    lab.page.get_by_role("button", name="real garment 2: trouser").click()
    wanted = lab.canvas(".lab-draw")
    images, labels = data.load("test")
    assert np.array_equal(wanted, images[int((labels == 1).nonzero()[0])])
    lab.find("go").click()
    lab.page.wait_for_selector(".lab-status:has-text('Found')", timeout=90_000)
    found, words = lab.pixels()[4], lab.find("error-words").inner_text()
    error = np.sqrt(np.square(found.astype(float) - wanted).mean())
    assert lab.moved(before) == [4] and error < 30
    assert float(words.split()[0]) == pytest.approx(error, abs=0.6) and "A real test garment: 22. Noise: 70." in words
    lab.tab("Sliders")
    lab.slider("z[5]").focus()
    press(lab, "PageUp")
    assert (lab.pixels()[4] != found).any()
    lab.find("undo").click()
    lab.find("undo").click()
    assert lab.moved(before) == []


def test_a_search_can_be_stopped(lab):
    before = lab.pixels()
    lab.tab("Draw")
    lab.page.get_by_role("button", name="real garment 1:").click()
    lab.find("go").click()
    lab.page.wait_for_selector(".lab-goes:has-text('step')", timeout=60_000)
    lab.find("go").click()
    lab.page.wait_for_selector(".lab-status:has-text('Stopped')", timeout=60_000)
    assert (
        "no garment was replaced" in lab.said() and lab.moved(before) == [] and lab.find("go").inner_text() == "Find it"
    )


# ----- links, files


def edited(lab):
    """Edits of several kinds; what they give."""
    lab.find("garment").nth(1).click()
    lab.slider("z[5]").focus()
    press(lab, "PageUp", "ArrowLeft")
    lab.find("search").fill("more contrast")
    press(lab, "Enter")
    lab.find("garment").nth(6).click(modifiers=["Shift"])
    lab.slider("more contrast").focus()
    press(lab, "PageDown")
    lab.tab("Walk")
    lab.page.get_by_label("how far").fill("0.3")
    return lab.pixels()


@pytest.mark.parametrize("fresh", [False, True])
def test_a_link_shows_the_same_pixels_in_another_browser(browser, path, lab, fresh):
    if fresh:
        lab.tab("Walk")
        lab.page.get_by_role("button", name="Eight new garments").click()
        lab.tab("Sliders")
    shown = edited(lab)
    link = lab.link()
    assert np.array_equal(lab.pixels(), shown) and len(link) - len(path.as_uri()) < 5000
    with opened(browser, path, link[link.index("#") :]) as other:
        assert np.array_equal(other.pixels(), shown) and np.array_equal(other.pixels("before"), lab.pixels("before"))
        assert other.titles() == lab.titles() == ["more contrast", *DIMS] and other.chosen() == [1, 6]
        assert other.said() == "This is what the link shows."
        other.find("undo").click()
        assert np.array_equal(other.pixels(), other.pixels("before"))


def test_a_link_that_is_opened_in_the_same_page(lab):
    before = lab.pixels()
    edited(lab)
    link = lab.link()
    shown = lab.pixels()
    lab.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    assert lab.said() == "The link is copied." and lab.page.evaluate("navigator.clipboard.readText()") == link
    lab.find("link").focus()
    assert lab.page.evaluate("getSelection().toString()") == link
    lab.find("undo").click()
    press(lab, *["Control+z"] * 10)
    assert lab.moved(before) == [] and "nothing to undo" in lab.said()
    lab.page.evaluate("link => { location.hash = link }", link[link.index("#") :])
    lab.page.wait_for_selector(".lab-status:has-text('what the link shows')")
    assert np.array_equal(lab.pixels(), shown)


GOOD = {"lab": "1", "g": "", "c": "ff", "m": "shift", "r": "5", "v": "AAAAAAAAAAA"}


HOSTILE = [
    ({"lab": "2"}, "another version"),
    ({"lab": "1e9"}, "another version"),
    ({"g": "0123456789ab"}, "another network"),
    ({"g": ""}, "another network"),
    ({"v": "NaN"}, "damaged"),
    ({"v": ""}, "damaged"),
    ({"v": "!!!"}, "damaged"),
    ({"v": "A" * 9000}, "damaged"),
    ({"v": "_" * 4000}, "damaged"),
    ({"v": "EgAAwH8" + "A" * 600}, "damaged"),  # z as float32, the first of them nan
    ({"r": "1000000000"}, "damaged"),
    ({"r": "-1"}, "damaged"),
    ({"r": "NaN,5"}, "damaged"),
    ({"r": "<img src=x onerror=alert(1)>"}, "damaged"),
    ({"r": "__proto__"}, "damaged"),
    ({"m": "<b>"}, "damaged"),
    ({"c": "0"}, "damaged"),
    ({"c": "1e9"}, "damaged"),
    ({"r": ",".join(map(str, range(100_000)))}, "too long"),
    ({"lab": "%00%ff<script>1</script>"}, "another version"),
]


def test_a_hostile_link_leaves_the_page_whole(lab):
    """Nothing of it is drawn, run or shown; a line says so, and the sliders go on."""
    before, digest = lab.pixels(), trained("dcgan").manifest["files"]["generator.safetensors"]
    for change, said in HOSTILE:
        lab.find("garment").first.press("ArrowRight")
        lab.page.evaluate("document.querySelector('.lab-status').textContent = ''")
        fields = GOOD | {"g": digest[:12]} | change
        lab.page.evaluate("text => { location.hash = text }", "&".join(f"{k}={v}" for k, v in fields.items()))
        lab.page.wait_for_selector(".lab-status.failed:not(:empty)")
        assert said in lab.said() and "<" not in lab.said(), str(change)[:80]
        assert lab.titles() == DIMS and lab.chosen() == EVERY, str(change)[:80]
    assert lab.moved(before) == []
    lab.slider("z[5]").focus()
    press(lab, "PageUp")
    assert lab.moved(before) == EVERY


def test_a_page_that_is_opened_with_a_hostile_link(browser, path, z):
    with opened(browser, path, "#lab=1&v=" + "x" * 1_000_000) as lab:
        assert "too long" in lab.said() and same(lab.pixels(), drawn(z))


def test_the_good_link_of_the_tests_above_is_good(lab):
    digest = trained("dcgan").manifest["files"]["generator.safetensors"]
    lab.page.evaluate(
        "text => { location.hash = text }", "&".join(f"{k}={v}" for k, v in (GOOD | {"g": digest[:12]}).items())
    )
    lab.page.wait_for_selector(".lab-status:has-text('what the link shows')")
    assert lab.titles() == ["z[5]"]


def test_a_recipe_of_the_page_opens_in_the_editor(lab, tmp_path, monkeypatch):
    edited(lab)
    shown = lab.pixels()
    content = lab.saved("save").read_bytes()
    assert json.loads(content)["run"] == trained("dcgan").folder.relative_to(paths.RUNS).as_posix()
    monkeypatch.setattr(paths, "KEPT", tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/recipe.json").write_bytes(content)
    editor = Editor()
    editor.load("mine")
    assert editor.status == "mine is back" and editor.dims == ["more contrast", *latent.LAB_DIMS]
    base, now = editor.images()
    assert same(shown, pictures.levels(now).numpy()) and same(lab.pixels("before"), pictures.levels(base).numpy())


def test_a_recipe_of_the_editor_opens_in_the_page(lab, tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "KEPT", tmp_path)
    editor = Editor(dims=[7, "more width"], seed=4)
    editor.set("more width", 2.0, [0, 1])
    editor.set(7, -3.0)
    editor.save()
    file = next(tmp_path.glob("*/recipe.json"))
    lab.tab("Share")
    lab.find("load").set_input_files(file)
    lab.page.wait_for_selector(".lab-status:has-text('The recipe is loaded')")
    assert sorted(lab.titles()) == [WIDTH, "z[7]"]
    base, now = editor.images()
    assert same(lab.pixels(), pictures.levels(now).numpy()) and same(
        lab.pixels("before"), pictures.levels(base).numpy()
    )
    again = json.loads(lab.saved("save").read_bytes())
    assert torch.equal(torch.tensor(again["z"]), editor.z) and torch.equal(torch.tensor(again["base"]), editor.base)
    lab.find("undo").click()
    assert same(lab.pixels(), drawn(latent.latents(8)))


DAMAGED = [
    (lambda r: "{", "not JSON"),
    (lambda r: "[]", "format 1"),
    (lambda r: "null", "format 1"),
    (lambda r: {**r, "format": 2}, "format 1"),
    (
        lambda r: {**r, "generator_sha256": "ab" * 32, "run": "<b>x</b>"},
        "generator abababab, which is not in this page",
    ),
    (lambda r: {**r, "z": r["z"][:7]}, "damaged"),
    (lambda r: {**r, "z": [[1e9] * 100] * 8}, "damaged"),
    (lambda r: {**r, "base": [[None] * 100] * 8}, "damaged"),
    (lambda r: {**r, "dims": ["no such"]}, "damaged"),
    (lambda r: {**r, "dims": 5}, "damaged"),
    (lambda r: {**r, "directions": {"long": [1.0] * 100}}, "no unit vector"),
    (lambda r: {**r, "directions": {"__proto__": [1.0] * 100}}, "no unit vector"),
    (lambda r: " " * 3_000_000, "too large"),
]


def test_a_damaged_recipe_changes_nothing(lab):
    before, good = lab.pixels(), json.loads(lab.saved("save").read_bytes())
    for damage, said in DAMAGED:
        content = damage(good)
        text = content if isinstance(content, str) else json.dumps(content)
        lab.page.evaluate("document.querySelector('.lab-status').textContent = ''")
        lab.find("load").set_input_files({"name": "r.json", "mimeType": "application/json", "buffer": text.encode()})
        lab.page.wait_for_selector(".lab-status.failed:not(:empty)")
        assert said in lab.said() and lab.titles() == DIMS, said
    assert lab.moved(before) == []


@pytest.mark.parametrize("asked", ["darker", "wider"])
def test_what_is_offered_says_which_way_it_goes(lab, asked):
    """And there it goes: the words of a dimension are of its slider to the right."""
    lab.find("search").fill(asked)
    offered = [one.split() for one in lab.page.locator(".lab-found li").all_inner_texts() if one.startswith("z[")]
    assert offered and all(words[1:3] == ["to", "the"] for words in offered)
    dim, _, _, _, measure, effect = offered[0][:6]
    lab.find("search").fill(dim)
    press(lab, "Enter")
    before = lab.pixels()
    lab.slider(dim).focus()
    press(lab, "PageUp", "PageUp", "PageUp")
    after, sign = lab.pixels(), -1 if effect.startswith("\u2212") else 1
    of = {"brightness": lambda images: images.mean(), "width": lambda images: (images > 64).any(1).sum() / len(images)}
    assert sign * (of[measure](after) - of[measure](before)) > 0


@pytest.mark.parametrize("chosen", [[2], [0, 2, 7], [*range(8)]], ids=str)
def test_the_picture_that_is_saved(lab, chosen):
    """Of the garments that are chosen, as they were and as they are; the status line says what it is called."""
    edited(lab)
    lab.find("all").click()
    if len(chosen) < 8:
        for n, k in enumerate(chosen):
            lab.find("garment").nth(k).click(modifiers=["Shift"] * (n > 0))
    assert lab.chosen() == chosen
    with Image.open(lab.saved("png")) as png:
        seen = np.asarray(png.convert("L"))
    which = "s" if len(chosen) == 8 else "".join(f"-{k + 1}" for k in chosen)
    assert lab.said() == f"dcgan-garment{which}.png is in your downloads."
    assert seen.shape == (2 * 172 - 4, len(chosen) * 172 - 4)
    for row, kind in enumerate(("before", "picture")):
        for k, garment in enumerate(lab.pixels(kind)[chosen]):
            assert np.array_equal(seen[172 * row + 3 : 172 * row + 168 : 6, 172 * k + 3 : 172 * k + 168 : 6], garment)


def test_files_that_are_dropped(lab):
    drop = """([name, kind, content]) => {
        const files = new DataTransfer(), bytes = Uint8Array.from(atob(content), c => c.charCodeAt(0));
        files.items.add(new File([bytes], name, {type: kind}));
        const event = new DragEvent('drop', {dataTransfer: files, bubbles: true, cancelable: true});
        document.querySelector('.lab').dispatchEvent(event);
    }"""
    import base64

    content = lab.saved("save").read_bytes()
    lab.page.evaluate(drop, ["r.json", "application/json", base64.b64encode(content).decode()])
    lab.page.wait_for_selector(".lab-status:has-text('The recipe is loaded')")
    file = io.BytesIO()
    picture = np.zeros((60, 60), np.uint8)
    picture[10:40, 20:50] = 200
    Image.fromarray(picture).save(file, "PNG")
    lab.page.evaluate(drop, ["a.png", "image/png", base64.b64encode(file.getvalue()).decode()])
    lab.page.wait_for_selector(".lab-go:enabled")
    assert lab.canvas(".lab-draw").min() > 100  # a square fills the frame


# ----- the other network, time


def test_the_other_network_draws_the_same_vectors(lab, z):
    lab.page.get_by_text("vanilla GAN", exact=True).first.click()
    lab.page.wait_for_selector(".lab-note:has-text('vanilla GAN')")
    lab.page.wait_for_selector(".lab-status:has-text('Move a slider')")
    assert same(lab.pixels(), drawn(z, "vanilla"))
    link = parse_qs(lab.link().split("#")[1])
    assert trained("vanilla").manifest["files"]["generator.safetensors"].startswith(link["g"][0])


def test_time_goes_by_slider_and_by_play(lab):
    from labkit.evaluation import album
    from labkit.study import records

    lab.page.locator(".growth-here").scroll_into_view_if_needed()
    lab.page.wait_for_selector(".growth-here canvas")
    kept = records.with_pictures(records.load()["dcgan-ours"])
    pages = album.read(kept.folder).pictures[:, :8].numpy()

    def shown():
        section = lab.page.locator(".growth section", has_text="DCGAN")
        return np.array([one.evaluate(PIXELS) for one in section.locator("canvas").all()], np.uint8).reshape(8, 28, 28)

    assert np.array_equal(shown(), pages[-1])
    slider = lab.page.locator(".growth input")
    slider.fill("0")
    assert np.array_equal(shown(), pages[0])
    slider.focus()
    press(lab, "ArrowRight", "ArrowRight", "ArrowRight", "ArrowRight")
    said = lab.page.locator(".growth-here").inner_text()
    assert np.array_equal(shown(), pages[4]) and f"{kept.scores[5]['frechet']:.3g}" in said
    lab.page.locator(".growth-play").click()
    time.sleep(1)
    lab.page.locator(".growth-play").click()
    assert 5 <= int(slider.input_value()) <= 9


# ----- in the reader's language

# All that is seen in a part of the page, and all that a screen reader is told or a pointer finds there.
READ = """place => {
    const all = [...place.querySelectorAll('*')];
    const names = 'aria-label aria-valuetext aria-roledescription title placeholder alt label'.split(' ');
    const marks = all.flatMap(e => ['::before', '::after'].map(side => getComputedStyle(e, side).content));
    return [place.innerText, ...all.flatMap(e => names.map(name => e.getAttribute(name) || '')), ...marks,
        ...all.filter(e => e.matches('option, legend, .lab-hidden')).map(e => e.textContent)].join('\\n');
}"""
NAMES = {
    "DCGAN",
    "GAN",
    "SeFa",
    "Ctrl",
    "Shift",
    "Page",
    "Up",
    "Down",
    "Backspace",
    "Delete",
    "Esc",
    "Escape",
    "px",
    "JSON",
}
NAMES |= {"npy", "csv", "txt"}
NAMES |= {"make", "explore", "none", "normal"}  # a command, and what a style has where there is nothing


def english(seen):
    """Words in ``seen`` that are no names."""
    return set(re.findall("[A-Za-z]{2,}", seen)) - NAMES


def test_in_chinese_no_english_word_is_left(browser, chinese):
    with opened(browser, chinese) as lab:
        place, seen = lab.page.locator(".lab-here .lab"), []
        look = lambda: seen.append(place.evaluate(READ))  # noqa: E731
        look()
        for name in ("undo", "redo", "reset"):
            lab.find(name).click(force=True)  # there is nothing to do yet, and it says so
            look()
        lab.find("garment").nth(2).click()
        lab.find("search").fill("宽")
        look()
        press(lab, "Enter")
        look()
        lab.find("search").fill("nothing")
        press(lab, "Enter")
        lab.find("search").fill("")
        look()
        lab.find("garment").nth(3).click()
        for tab in lab.page.get_by_role("tab").all():
            tab.click()
            look()
        lab.find("save").click()
        look()
        lab.find("take").click()
        look()
        lab.find("copy-numbers").click()
        look()
        lab.find("load").set_input_files({"name": "r.json", "mimeType": "application/json", "buffer": b"{"})
        lab.page.wait_for_selector(".lab-status.failed")
        look()
        lab.page.locator("#lab-tab-walk").click()
        lab.find("vary").click()
        lab.find("variants").wait_for()
        look()
        lab.find("renew").click()
        look()
        lab.page.locator(".lab-panel-walk .way").fill("0.5")
        look()
        lab.page.locator("#lab-tab-find").click()
        lab.page.locator(".lab-tests button").nth(1).click()
        lab.find("go").click()
        lab.page.wait_for_selector(".lab-error i")
        look()
        lab.find("go").click()
        lab.page.wait_for_selector(".lab-status:has-text('已停止')")
        look()
        lab.page.locator(".growth-here").scroll_into_view_if_needed()
        lab.page.wait_for_selector(".growth canvas")
        seen.append(lab.page.locator(".growth-here").evaluate(READ))
        assert [one for text in seen for one in english(re.sub(r"[\w-]+\.(?:json|png)", "", text))] == []
        assert all(
            word in "".join(seen) for word in ("滑块", "对宽度回归", "短靴", "没有可以撤销的操作", "召回率", "真实")
        )


def test_a_link_of_one_language_opens_in_the_other(browser, path, chinese, z):
    """It knows directions by names that are of no language."""
    with opened(browser, path) as lab:
        edited(lab)
        link, shown = lab.link().split("#")[1], lab.pixels()
    with opened(browser, chinese, "#" + link) as lab:
        assert lab.titles()[0] == "增大对比度" and np.array_equal(lab.pixels(), shown)


# ----- where it cannot run, how it looks


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("no wasm", "So the figure shows the editor at rest."),
        ("no unpacking", "So the figure shows the editor at rest."),
        ("damaged", "The weights in this file are damaged. So the figure shows the editor at rest."),
        ("cut off", None),
        ("no script", None),
    ],
)
def test_where_it_cannot_run_the_figure_stays(browser, path, tmp_path, kind, said):
    page, options = path.read_text(encoding="utf-8"), {}
    if kind == "damaged":
        at = page.index('id="lab-weights-dcgan"') + 5000
        page = page[:at] + ("A" if page[at] != "A" else "B") + page[at + 1 :]
    if kind == "cut off":
        page = page[: page.index('id="lab-weights-dcgan"') + 5000]
    other = tmp_path / "report.html"
    other.write_text(page, encoding="utf-8")
    before = {"no wasm": "delete window.WebAssembly", "no unpacking": "delete window.DecompressionStream"}.get(kind, "")
    if kind == "no script":
        options = {"java_script_enabled": False}
    with opened(browser, other, live=False, before=before, **options) as lab:
        if said:
            lab.page.wait_for_selector(".lab-here > .lab-note")
            assert lab.page.locator(".lab-here > .lab-note").inner_text().endswith(said)
        else:
            time.sleep(1)
        assert lab.page.locator(".lab-here > figure").is_visible() and lab.page.locator(".lab-left").count() == 0


def test_paper_shows_no_lab(lab):
    lab.page.locator(".growth-here").scroll_into_view_if_needed()
    lab.page.wait_for_selector(".growth canvas")
    lab.page.emulate_media(media="print")
    hidden = [lab.page.locator(name).is_hidden() for name in (".growth", ".lab-here", ".lab-left")]
    lab.page.emulate_media(media="screen")
    assert all(hidden) and lab.page.locator(".growth").is_visible()


def test_nothing_is_unpacked_before_the_reader_comes(browser, path):
    context = browser.new_context(offline=True, viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.goto(path.as_uri())
    time.sleep(1)
    assert page.locator(".lab").count() == 0
    page.locator(".lab-here").scroll_into_view_if_needed()
    page.wait_for_selector(".lab-here.live")
    context.close()


@pytest.mark.parametrize("width", [390, 768, 1199, 1200, 1920])
@pytest.mark.parametrize("edition", ["en", "zh"])
def test_at_every_width_nothing_hangs_over_and_the_stage_stays_in_view(browser, path, chinese, edition, width):
    own = {"en": path, "zh": chinese}[edition]
    with opened(browser, own, viewport={"width": width, "height": 844}, has_touch=width < 700) as lab:
        for tab in ("sliders", "pad", "walk", "find", "share"):
            lab.page.locator(f"#lab-tab-{tab}").click()
            assert lab.page.evaluate("document.documentElement.scrollWidth") <= width, tab
            inside = """() => [...document.querySelectorAll('.lab :is(button, input, canvas, span, b)')].filter(e => {
                const box = e.getBoundingClientRect();
                return box.width > 1 && (box.left < -1 || box.right > innerWidth + 1);
            }).map(e => e.className)"""
            assert lab.page.evaluate(inside) == [], tab
        lab.page.locator("#lab-tab-sliders").click()
        assert all(canvas.is_visible() for canvas in lab.page.locator(".lab-garment .before").all())
        lab.slider("z[80]").focus()
        lab.slider("z[80]").scroll_into_view_if_needed()
        slider, stage = lab.slider("z[80]").bounding_box(), lab.find("stage").bounding_box()
        assert stage["y"] >= -1 and stage["y"] + stage["height"] <= 844
        assert width >= 1200 or slider["y"] >= stage["y"] + stage["height"]


def test_by_touch(browser, path, z):
    with opened(browser, path, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True) as lab:
        before = lab.pixels()
        lab.find("garment").nth(2).tap()
        assert lab.chosen() == [2]
        lab.slider("z[5]").evaluate("e => e.scrollIntoView({block: 'end'})")
        box = lab.slider("z[5]").bounding_box()
        lab.page.touchscreen.tap(box["x"] + 0.75 * box["width"], box["y"] + box["height"] / 2)
        assert lab.moved(before) == [2] and lab.value("z[5]") > 1.5
        value = lab.value("z[5]")
        swipe(lab, lab.slider("z[5]"), (0.5 + value / 8, 0.5), (0.25, 0.5))
        assert lab.value("z[5]") < -1
        lab.page.get_by_role("tab", name="Pad").tap()
        swipe(lab, lab.find("pad"), (0.6, 0.6), (0.75, 0.75))
        assert lab.find("pad").get_attribute("aria-label") == "Right z[5] 2.00, up z[20] -2.00"
        lab.page.get_by_role("tab", name="Draw").tap()
        swipe(lab, lab.find("draw"), (0.2, 0.8), (0.8, 0.8))
        assert lab.canvas(".lab-draw")[22, 6:22].min() > 200


def test_few_stops_of_the_tab_key(lab):
    """One for the garments, the tabs, the mode and the search, two for each slider; arrow keys lead on within."""
    lab.page.locator("#first").evaluate("e => { e.tabIndex = -1; e.focus() }")
    lab.find("stage").locator("button").first.focus()
    seen = []
    for _ in range(40):
        inside = lab.page.evaluate("(e => e.closest('.lab-here') && e.className + e.type)(document.activeElement)")
        if not inside:
            break
        seen.append(inside)
        press(lab, "Tab")
    assert len(seen) == 4 + 2 * len(DIMS), seen


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")])
def test_accessibility(browser, path, width, scheme):
    """axe-core finds nothing serious in any tab."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    with opened(browser, path, viewport={"width": width, "height": 844}, color_scheme=scheme) as lab:
        edited(lab)
        for tab in ("Sliders", "Pad", "Walk", "Draw", "Share"):
            lab.tab(tab)
            if tab == "Walk":
                lab.find("vary").click()
                lab.find("variants").wait_for()
            lab.rest()
            found = axe.run(lab.page).response["violations"]
            faults = [
                (f["id"], n["html"][:120], n["failureSummary"][:300])
                for f in found
                for n in f["nodes"]
                if f["impact"] in ("serious", "critical")
            ]
            assert faults == [], tab


def test_calm(browser, path):
    """A device that asks for little motion: nothing plays by itself, a walk that is asked for does."""
    with opened(browser, path, reduced_motion="reduce") as lab:
        lab.tab("Walk")
        assert "little motion" in lab.find("calm").inner_text()
        before = lab.pixels()
        time.sleep(0.5)
        assert lab.moved(before) == []
        lab.find("play").click()
        time.sleep(0.6)
        press(lab, "Escape")
        assert lab.moved(before) == EVERY
