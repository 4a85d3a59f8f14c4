"""The stage of the page's lab in a real browser: garments that are chosen, pinned, dragged, compared."""

import base64

import matplotlib
import numpy as np
import pytest
import torch
from page_lab import (  # noqa: F401 (fixtures, too)
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

from labkit import latent
from labkit.figures.palette import SIGNED

pytestmark = needs_both
EVERY = list(range(8))
COLOURS = """canvas => {
    const copy = new OffscreenCanvas(28, 28).getContext('2d', {willReadFrequently: true});
    copy.drawImage(canvas, 0, 0);
    return [...copy.getImageData(0, 0, 28, 28).data];
}"""
# What the focus is at, if something else is seen in its place.
COVERED = """() => {
    const at = document.activeElement, box = at.getBoundingClientRect();
    const seen = document.elementFromPoint((box.left + box.right) / 2, (box.top + box.bottom) / 2);
    return at.contains(seen) ? '' : at.getAttribute('aria-label') || at.className;
}"""


def garment(lab, k):
    return lab.find("garment").nth(k)


def pinned(lab):
    """Which garments have a pin to be seen, with its name."""
    marks = lab.page.locator(".lab-garment .pinned").all()
    assert all(mark.get_attribute("aria-label") == "pinned" for mark in marks)
    return [k for k, mark in enumerate(marks) if mark.is_visible()]


def raise_slider(lab, title="z[5]"):
    lab.slider(title).focus()
    lab.page.keyboard.press("PageUp")


def idle(lab, name):
    """Whether the button lab-``name`` says that there is nothing for it to do."""
    return lab.find(name).get_attribute("aria-disabled") == "true"


def point(lab, start, end, t):
    """The place a share ``t`` of the way from the middle of garment ``start`` to that of garment ``end``."""
    boxes = [garment(lab, k).bounding_box() for k in (start, end)]
    ends = [np.array([box["x"] + box["width"] / 2, box["y"] + box["height"] / 2]) for box in boxes]
    return (1 - t) * ends[0] + t * ends[1]


def pull(lab, start, end, t, steps=6):
    """Press garment ``start`` and pull it a share ``t`` of the way to garment ``end``; the button stays down."""
    garment(lab, start).scroll_into_view_if_needed()
    lab.page.mouse.move(*point(lab, start, end, 0))
    lab.page.mouse.down()
    lab.page.mouse.move(*point(lab, start, end, t), steps=steps)


def walked(z, start, end, t):
    """The vectors after that."""
    after = z.clone()
    after[start] = latent.interpolate(z[start], z[end], 101)[round(100 * t)]
    return after


# ----- choosing


def test_a_click_chooses_one_alone_and_then_all(lab):
    garment(lab, 2).click()
    assert lab.chosen() == [2] and lab.find("who").inner_text() == "garment 3"
    garment(lab, 5).click()
    assert lab.chosen() == [5]
    for k in (1, 5):
        lab.page.wait_for_timeout(600)  # two clicks on one garment are not a double one
        garment(lab, k).click()
    lab.page.wait_for_timeout(600)
    garment(lab, 5).click()
    assert lab.chosen() == EVERY and pinned(lab) == []


@pytest.mark.parametrize("key", ["Shift", "Control", "Meta"])
def test_with_a_key_a_click_joins_or_leaves(lab, key):
    garment(lab, 2).click()
    garment(lab, 5).click(modifiers=[key])
    garment(lab, 7).click(modifiers=[key])
    assert lab.chosen() == [2, 5, 7]
    garment(lab, 2).click(modifiers=[key])
    assert lab.chosen() == [5, 7]
    for k in (5, 7):
        garment(lab, k).click(modifiers=[key])
    assert lab.chosen() == EVERY  # none is all
    garment(lab, 0).click(modifiers=[key])
    assert lab.chosen() == EVERY[1:] and pinned(lab) == []


def test_the_keyboard_chooses_pins_and_looks(lab, z):
    garment(lab, 0).focus()
    for key in ("ArrowRight", "Enter"):
        lab.page.keyboard.press(key)
    assert lab.chosen() == [1]
    for key in ("ArrowRight", "Shift+Enter", "ArrowRight", "Shift+Space"):
        lab.page.keyboard.press(key)
    assert lab.chosen() == [1, 2, 3]
    lab.page.keyboard.press("Enter")
    lab.page.keyboard.press("Enter")
    assert lab.chosen() == EVERY and pinned(lab) == []  # two presses are no double click
    lab.page.keyboard.press("p")
    assert pinned(lab) == [3] and lab.said().startswith("Pinned: edits leave garment 4 alone.")
    lab.page.keyboard.press("p")
    assert pinned(lab) == [] and lab.said() == "Free: edits change garment 4 again."
    raise_slider(lab)
    now = lab.pixels()
    garment(lab, 3).focus()
    lab.page.keyboard.down("b")
    assert np.array_equal(lab.pixels()[3], lab.pixels("before")[3])
    lab.page.keyboard.up("b")
    assert lab.moved(now) == []


def test_by_touch_a_tap_joins_and_two_pin(browser, path):
    with opened(browser, path, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True) as lab:
        for k in (2, 5, 7):
            garment(lab, k).tap()
        assert lab.chosen() == [2, 5, 7]
        lab.page.wait_for_timeout(600)
        garment(lab, 7).tap()
        assert lab.chosen() == [2, 5] and pinned(lab) == []
        lab.page.wait_for_timeout(600)
        garment(lab, 5).tap()
        garment(lab, 5).tap()
        assert lab.chosen() == [2, 5] and pinned(lab) == [5]


# ----- pins


def test_a_double_click_pins_and_frees_and_leaves_the_choice(lab):
    for chosen in (EVERY, [3], [3, 4]):
        if chosen != EVERY:
            lab.page.wait_for_timeout(600)
            garment(lab, 3).click()
        if chosen == [3, 4]:
            garment(lab, 4).click(modifiers=["Shift"])
        assert lab.chosen() == chosen
        lab.page.wait_for_timeout(600)
        garment(lab, 3).dblclick()
        assert pinned(lab) == [3] and lab.chosen() == chosen
        garment(lab, 3).dblclick()
        assert pinned(lab) == [] and lab.chosen() == chosen
        lab.find("all").click() if chosen != EVERY else None


def test_no_edit_changes_what_is_pinned(lab, z):
    before = lab.pixels()
    raise_slider(lab)
    after = lab.pixels()
    garment(lab, 1).dblclick()
    others = [0, *range(2, 8)]
    assert lab.find("who").inner_text() == "garments 1, 3, 4, 5, 6, 7 and 8"
    raise_slider(lab)
    assert lab.moved(after) == others and lab.value("z[5]") == 2
    wanted = z.clone()
    wanted[:, 5] += 2
    wanted[1, 5] -= 1
    assert same(lab.pixels(), drawn(wanted))
    lab.find("reset").click()
    assert lab.moved(before) == [1]
    lab.tab("Pad")
    lab.find("pad").focus()
    lab.page.keyboard.press("ArrowUp")
    assert lab.moved(after) == others
    lab.tab("Walk")
    lab.find("play").click()
    lab.page.wait_for_timeout(600)
    lab.page.keyboard.press("Escape")
    lab.find("renew").click()
    assert lab.moved(after) == others and lab.said().startswith("New garments, but for the pinned ones.")
    lab.page.locator(".lab-panel-walk select").first.select_option(index=1)
    lab.page.get_by_label("goes to").select_option(index=4)
    lab.page.get_by_label("how far").fill("0.5")
    assert lab.moved(after) == others and lab.said() == "It is pinned: a double-click, or P, frees garment 2."


def test_where_all_are_pinned_an_edit_says_so(lab):
    before = lab.pixels()
    garment(lab, 6).click()
    lab.page.wait_for_timeout(600)
    garment(lab, 6).dblclick()
    said = "All chosen garments are pinned: a double-click, or P, frees one."
    raise_slider(lab)
    assert lab.said() == said and lab.find("who").inner_text() == "none of them: all that are chosen are pinned"
    lab.find("reset").click(force=True)
    assert lab.said() == said
    lab.tab("Walk")
    lab.find("play").click()
    assert lab.said() == said and lab.find("play").inner_text() == "Let them walk"
    lab.tab("Sliders")
    box = lab.slider("z[5]").bounding_box()
    lab.page.mouse.click(box["x"] + 0.8 * box["width"], box["y"] + box["height"] / 2)
    assert lab.said() == said and lab.slider("z[5]").input_value() == "0" and lab.moved(before) == []


def test_a_pin_is_undone(lab):
    raise_slider(lab)
    after = lab.pixels()
    garment(lab, 0).dblclick()
    lab.find("undo").click()
    assert pinned(lab) == [] and lab.moved(after) == []  # what is pinned is not undone before it is free
    lab.find("redo").click()
    assert pinned(lab) == [0] and lab.moved(after) == []


# ----- dragging


@pytest.mark.parametrize("width", [1280, 1920])
@pytest.mark.parametrize(("start", "end", "share"), [(0, 1, 0.75), (6, 4, 0.9), (1, 6, 0.95)])
def test_a_garment_that_is_dragged_walks_to_another(browser, path, z, width, start, end, share):
    with opened(browser, path, viewport={"width": width, "height": 800}) as lab:
        before = lab.pixels()
        pull(lab, start, end, share)
        live = lab.pixels()
        assert (
            lab.moved(before) == [start] and f"of the way from garment {start + 1} to garment {end + 1}" in lab.said()
        )
        t = int(lab.said().split()[0]) / 100
        assert t == pytest.approx(share, abs=0.02)
        assert "target" in garment(lab, end).get_attribute("class")
        lab.page.mouse.move(*point(lab, start, end, 1), steps=4)
        lab.page.mouse.up()
        wanted = z.clone()
        wanted[start] = z[end]
        assert same(lab.pixels(), drawn(wanted)) and lab.said().startswith("100 %")
        shown = live[start].astype(int) - drawn(walked(z, start, end, t))[start].astype(int)
        assert np.abs(shown).mean() < 4  # to a pixel of the pointer
        assert lab.chosen() == EVERY and pinned(lab) == []
        lab.find("undo").click()
        assert lab.moved(before) == [] and idle(lab, "undo")


def test_the_panel_of_walks_shows_the_walk_that_was_dragged(lab, z):
    pull(lab, 3, 2, 0.75)
    lab.page.mouse.up()
    t = int(lab.said().split()[0])
    after = lab.pixels()
    lab.tab("Walk")
    assert lab.page.locator(".lab-panel-walk select").first.input_value() == "3"
    assert lab.page.get_by_label("goes to").input_value() == "2"
    assert float(lab.page.get_by_label("how far").input_value()) == pytest.approx(t / 100, abs=0.006)
    lab.page.get_by_label("how far").fill("1")
    wanted = z.clone()
    wanted[3] = z[2]
    assert same(lab.pixels(), drawn(wanted))
    assert lab.moved(after) == [3]
    lab.page.get_by_label("goes to").select_option(index=5)
    assert lab.page.get_by_label("goes to").input_value() == "5"  # what the reader chooses stays


def test_on_the_way_past_others_it_walks_from_where_it_was(lab, z):
    before = lab.pixels()
    pull(lab, 0, 3, 0.4, steps=12)  # past garment 2
    lab.page.mouse.move(*point(lab, 0, 3, 1), steps=12)
    lab.page.mouse.move(*point(lab, 0, 4, 1), steps=12)
    lab.page.mouse.up()
    wanted = z.clone()
    wanted[0] = z[4]
    assert same(lab.pixels(), drawn(wanted))
    lab.find("undo").click()
    assert lab.moved(before) == [] and idle(lab, "undo")


@pytest.mark.parametrize("how", ["Escape", "pointercancel"])
def test_a_drag_can_be_taken_back(lab, how):
    before = lab.pixels()
    raise_slider(lab)
    lab.find("undo").click()
    pull(lab, 5, 4, 0.8)
    assert lab.moved(before) == [5]
    if how == "Escape":
        lab.page.keyboard.press("Escape")
    else:
        garment(lab, 5).dispatch_event("pointercancel", {"pointerId": 1, "bubbles": True})
    assert lab.moved(before) == []
    lab.page.mouse.move(*point(lab, 5, 4, 0.9))
    lab.page.mouse.up()
    assert lab.moved(before) == [] and lab.chosen() == EVERY and idle(lab, "undo") and not idle(lab, "redo")
    assert lab.page.locator(".lab-garment:is(.target, .dragged)").count() == 0


def test_a_press_that_hardly_moves_is_a_click(lab):
    before = lab.pixels()
    x, y = point(lab, 4, 5, 0)
    lab.page.mouse.move(x, y)
    lab.page.mouse.down()
    lab.page.mouse.move(x + 6, y + 4, steps=3)
    lab.page.mouse.up()
    assert lab.chosen() == [4] and lab.moved(before) == []


def test_what_is_pinned_is_not_dragged_but_dragged_to(lab, z):
    before = lab.pixels()
    garment(lab, 1).dblclick()
    pull(lab, 1, 0, 1)
    lab.page.mouse.up()
    assert lab.moved(before) == [] and lab.said() == "It is pinned: a double-click, or P, frees garment 2."
    pull(lab, 0, 1, 1)
    lab.page.mouse.up()
    wanted = z.clone()
    wanted[0] = z[1]
    assert same(lab.pixels(), drawn(wanted))


def test_a_finger_drags_sideways(browser, path, z):
    with opened(browser, path, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True) as lab:
        client = lab.page.context.new_cdp_session(lab.page)
        garment(lab, 4).scroll_into_view_if_needed()
        for k in range(9):
            x, y = point(lab, 4, 5, k / 8)
            kind = "touchMove" if k else "touchStart"
            client.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y}]})
        client.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        wanted = z.clone()
        wanted[4] = z[5]
        assert same(lab.pixels(), drawn(wanted)) and lab.chosen() == EVERY


# ----- what the pictures show


def look(lab, name):
    lab.page.locator(".lab-look").get_by_text(name, exact=True).click()
    lab.rest()


def coloured(lab):
    """The large pictures, uint8 (8, 28, 28, 3)."""
    lab.rest()
    shown = [one.evaluate(COLOURS) for one in lab.page.locator(".lab-garment .picture").all()]
    return np.array(shown, np.uint8).reshape(8, 28, 28, 4)[..., :3]


def test_base_and_change(lab, z):
    garment(lab, 3).click()
    raise_slider(lab)
    raise_slider(lab)
    now, before = lab.pixels(), lab.pixels("before")
    look(lab, "base")
    assert np.array_equal(lab.pixels(), before) and "before all edits" in lab.said()
    assert lab.page.locator(".lab-garment .picture").first.get_attribute("aria-label") == "base"
    look(lab, "change")
    assert "orange is brighter" in lab.said()
    edited = z.clone()
    edited[3, 5] += 2
    generator = trained("dcgan").generator()
    change = (latent.sample(generator, edited) - latent.sample(generator, z))[:, 0]
    wanted = matplotlib.colormaps[SIGNED]((change / 2 + 0.5).numpy(), bytes=True)[..., :3]
    shown = coloured(lab).astype(int)
    assert np.abs(shown - wanted.astype(int)).max() <= 8 and np.abs(shown - wanted.astype(int)).mean() < 0.2
    assert (shown[3] != shown[0]).any()
    raise_slider(lab)  # it follows
    assert (coloured(lab)[3].astype(int) != shown[3]).any()
    lab.page.keyboard.press("PageDown")
    look(lab, "now")
    assert np.array_equal(lab.pixels(), now)


def test_the_colours_of_change_are_those_of_the_figures(lab):
    kept = lab.page.evaluate("JSON.parse(document.getElementById('lab-data').textContent).signed")
    wanted = matplotlib.colormaps[SIGNED](np.linspace(0, 1, 256), bytes=True)[:, :3]
    assert np.array_equal(np.frombuffer(base64.b64decode(kept), np.uint8).reshape(256, 3), wanted)


def test_the_small_picture_shows_base_in_the_large_one_meanwhile(lab):
    raise_slider(lab)
    now, before = lab.pixels(), lab.pixels("before")
    garment(lab, 2).locator(".before").hover()
    assert lab.moved(now) == [2] and np.array_equal(lab.pixels()[2], before[2])
    look(lab, "change")
    garment(lab, 2).locator(".before").hover()
    assert np.array_equal(lab.pixels()[2], before[2])
    look(lab, "now")
    assert lab.moved(now) == []


# ----- another network beside


def test_another_network_draws_the_same_vectors_beside(lab, z):
    beside = lab.page.get_by_label("beside")
    assert beside.locator("option").all_inner_texts() == ["none", "vanilla GAN"]
    assert lab.page.locator("canvas.beside").first.is_hidden()
    beside.select_option(label="vanilla GAN")
    lab.page.wait_for_selector("canvas.beside:visible")
    assert same(lab.pixels("beside"), drawn(z, "vanilla")) and same(lab.pixels(), drawn(z))
    named = lab.page.locator("canvas.beside").first.get_attribute("aria-label")
    assert named == "the same vector, drawn by vanilla GAN"
    raise_slider(lab)
    edited = z.clone()
    edited[:, 5] += 1
    assert same(lab.pixels("beside"), drawn(edited, "vanilla")) and same(lab.pixels(), drawn(edited))
    lab.page.get_by_text("vanilla GAN", exact=True).first.click()  # they change places
    lab.page.wait_for_selector(".lab-note:has-text('vanilla GAN')")
    assert same(lab.pixels("beside"), drawn(edited)) and same(lab.pixels(), drawn(edited, "vanilla"))
    assert beside.locator("option").all_inner_texts() == ["none", "DCGAN"]
    beside.select_option(label="none")
    lab.page.wait_for_selector("canvas.beside", state="hidden")
    raise_slider(lab)
    edited[:, 5] += 1
    assert same(lab.pixels(), drawn(edited, "vanilla"))


@pytest.mark.parametrize("spoil", ["damaged", "other length"])
def test_a_network_that_cannot_be_beside(browser, path, tmp_path, spoil, z):
    page, other = path.read_text(encoding="utf-8"), tmp_path / "report.html"
    if spoil == "damaged":
        at = page.index('id="lab-weights-vanilla"') + 5000
        page = page[:at] + ("A" if page[at] != "A" else "B") + page[at + 1 :]
    else:
        at = page.index('"latent_dim":100', page.index('"title":"vanilla GAN"'))
        page = page[:at] + page[at:].replace('"latent_dim":100', '"latent_dim":64', 1)
    other.write_text(page, encoding="utf-8")
    with opened(browser, other) as lab:
        if spoil == "damaged":
            lab.page.get_by_label("beside").select_option(label="vanilla GAN")
            lab.page.wait_for_selector(".lab-status.failed")
            assert "The weights in this file are damaged" in lab.said()
        else:
            assert lab.find("with").is_hidden()
        raise_slider(lab)
        assert same(lab.pixels(), drawn(z + torch.eye(100)[5]))
        assert lab.page.locator("canvas.beside").first.is_hidden()


# ----- seen and found


@pytest.mark.thorough
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (390, "light"), (1920, "dark")])
def test_accessibility_of_the_stage(browser, path, width, scheme):
    """axe-core finds nothing serious when garments are chosen, pinned, edited and compared; nothing hangs over."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    with opened(browser, path, viewport={"width": width, "height": 1080}, color_scheme=scheme) as lab:
        garment(lab, 1).dblclick()
        garment(lab, 6).click()
        garment(lab, 1).click(modifiers=["Shift"])
        raise_slider(lab)
        lab.page.get_by_label("beside").select_option(label="vanilla GAN")
        lab.page.wait_for_selector("canvas.beside:visible")
        look(lab, "change")
        found = axe.run(lab.page).response["violations"]
        faults = [
            (f["id"], n["html"][:120], n["failureSummary"][:300])
            for f in found
            for n in f["nodes"]
            if f["impact"] in ("serious", "critical")
        ]
        assert faults == []
        assert lab.page.evaluate("document.documentElement.scrollWidth") <= width
        for name, mark in (("edited", [6]), ("pinned", [1])):
            marks = lab.page.locator(f".lab-garment .{name}").all()
            assert [k for k, one in enumerate(marks) if one.is_visible()] == mark
        stops = lab.page.locator(".lab-garment[tabindex='0']").count()
        assert stops == 1


@pytest.mark.parametrize("beside", ["none", "vanilla GAN"])
@pytest.mark.parametrize(("width", "height"), [(390, 664), (390, 844), (1280, 600), (1280, 720)])
def test_the_stage_covers_no_control_that_the_keyboard_is_at(browser, path, width, height, beside):
    with opened(browser, path, viewport={"width": width, "height": height}) as lab:
        lab.page.get_by_label("beside").select_option(label=beside)
        if beside != "none":
            lab.page.wait_for_selector("canvas.beside:visible")
        lab.rest()
        lab.find("search").focus()
        covered = []
        for _ in range(9):
            lab.page.keyboard.press("Tab")
            if name := lab.page.evaluate(COVERED):
                covered.append(name)
        assert covered == []
