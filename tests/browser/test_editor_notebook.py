"""The live editor as a guest of JupyterLab: who can use it there, and what becomes of it when others interfere.

Another cell, another tab, a damaged network, a kernel that is busy, gone or new, a slow link. That a kernel draws and
keeps what the page does is in test_editor_page.py.
"""

import os
import re
import signal
from contextlib import contextmanager

import pytest
import torch
from axe_playwright_python.sync_playwright import Axe
from editor_page import (  # noqa: F401 (fixtures, too)
    LISTEN,
    NOTEBOOK,
    SHOWN,
    add,
    along,
    ask,
    check,
    complaints,
    keys,
    lab,
    networks,
    opened,
    project,
    pulse,
    quiet,
    run_editor_cell,
    run_in_the_kernel,
    server,
    status,
    take_network,
    truth,
    z,
)
from lab_page import needs_chromium, open_notebook, run_all, slow_link
from page_lab import Lab

pytestmark = needs_chromium
TABS = ("Sliders", "Pad", "Walk", "Draw", "Keep")
THEMES = ("JupyterLab Light", "JupyterLab Dark")
CONTROLS = ("button", "checkbox", "combobox", "image", "radio", "slider", "spinbutton", "tab", "textbox")
KERNEL = "jupyterapp.shell.currentWidget.context.sessionContext.session.kernel"
COMMS = f"""async () => Object.keys((await {KERNEL}.requestCommInfo({{target_name: 'jupyter.widget'}}))
    .content.comms).length"""
CELLS = """jupyterapp.shell.currentWidget.content.widgets.map(
    cell => [cell.model.type, cell.model.sharedModel.source])"""


# How it looks, and who can use it.


@contextmanager
def window(lab, width, height):
    """The browser's window has this size."""
    lab.page.set_viewport_size({"width": width, "height": height})
    try:
        lab.page.locator(".labkit-editor").evaluate("editor => editor.scrollIntoView()")
        lab.page.wait_for_timeout(300)
        yield lab.page.locator(".jp-WindowedPanel-outer").first.bounding_box()
    finally:
        lab.page.set_viewport_size({"width": 1280, "height": 800})


@contextmanager
def theme(lab, name):
    """JupyterLab wears the theme ``name``."""
    use = "theme => jupyterapp.commands.execute('apputils:change-theme', {theme})"
    light = "light => document.body.dataset.jpThemeLight === light"
    lab.page.evaluate(use, name)
    try:
        lab.page.wait_for_function(light, arg=str(name.endswith("Light")).lower())
        lab.page.wait_for_timeout(500)  # what fades has done so
        yield
    finally:
        lab.page.evaluate(use, "JupyterLab Light")
        lab.page.wait_for_function(light, arg="true")


def test_stage_and_eight_sliders_fit_a_small_screen(lab):
    with window(lab, 1280, 720) as room:
        for number in ("7", "9", "33"):
            add(lab, number)
        lab.rest()
        boxes = [part.bounding_box() for part in (*lab.find("garment").all(), *lab.page.locator(".lab-row").all())]
        assert len(boxes) == 16
        for box in boxes:
            assert room["y"] - 1 <= box["y"] and box["y"] + box["height"] <= room["y"] + room["height"] + 1
            assert box["x"] + box["width"] <= room["x"] + room["width"]
        rows = lab.page.locator(".lab-rows").bounding_box()  # which scrolls by itself where there are more
        assert rows["y"] - 1 <= boxes[8]["y"] and boxes[-1]["y"] + boxes[-1]["height"] <= rows["y"] + rows["height"] + 1
        assert min(track.bounding_box()["width"] for track in lab.page.locator(".lab-row [type=range]").all()) >= 200


def test_when_its_cell_has_run_the_whole_of_it_is_in_view(lab):
    pane = lab.page.locator(".jp-WindowedPanel-outer").first
    pane.evaluate("pane => { pane.scrollTop = 0; }")
    run_editor_cell(lab.page, seek=False)
    lab.rest()
    top = lab.page.locator(".labkit-editor").bounding_box()["y"] - pane.bounding_box()["y"]
    assert abs(top) < 20
    last = lab.page.locator(".lab-row").last.bounding_box()
    assert last["y"] + last["height"] <= pane.bounding_box()["y"] + pane.bounding_box()["height"]


@pytest.mark.parametrize("width", [1280, 900])
def test_no_text_on_a_button_is_cut_off_and_nothing_hangs_over(lab, width):
    cut = "all => all.filter(button => button.scrollWidth > button.clientWidth + 1).map(button => button.textContent)"
    with window(lab, width, 800) as room:
        for name in TABS:
            lab.tab(name)
            assert lab.page.eval_on_selector_all(".labkit-editor .lab button:not([hidden])", cut) == [], name
            assert (
                lab.page.eval_on_selector_all(
                    ".labkit-editor .lab > div > :not(.lab-hidden, .lab-film)",
                    """(all, right) => all.filter(one => one.getBoundingClientRect().right > right + 1)
                    .map(one => one.className)""",
                    room["x"] + room["width"],
                )
                == []
            )
        assert lab.page.locator(".jp-WindowedPanel-outer").first.evaluate("at => at.scrollWidth - at.clientWidth") <= 0


def test_the_pixels_are_squares(lab):
    for name in ("picture", "before"):
        shape = lab.page.locator(f".lab-garment canvas.{name}").first.evaluate(
            """at => [at.width, at.height, getComputedStyle(at).imageRendering,
                at.getBoundingClientRect().width - at.getBoundingClientRect().height]"""
        )
        assert shape[:3] == [28, 28, "pixelated"] and abs(shape[3]) < 0.5, (name, shape)


def test_keys_of_the_lab_are_not_jupyterlabs(lab):
    """A letter typed into a field, or pressed on a control, makes no cell and deletes none."""
    before = lab.page.evaluate(CELLS)
    parts = [("Sliders", lab.find("search")), ("Sliders", lab.find("garment").first), ("Sliders", lab.slider("z[5]"))]
    parts += [("Keep", lab.find("numbers")), ("Keep", lab.find("keep")), ("Walk", lab.find("seed"))]
    for name, part in parts:
        lab.tab(name)
        part.focus()
        for key in ("a", "b", "d", "d", "x", "m", "y", "Shift+M"):
            lab.page.keyboard.press(key)
    assert lab.page.evaluate(CELLS) == before
    assert lab.page.locator(".jp-mod-editMode").count() == 0


def focused(lab):
    """The name of the control of the editor that has the focus; empty outside of it."""
    name = lab.page.evaluate(
        """() => { const at = document.activeElement;
        return at.closest('.labkit-editor') && (at.getAttribute('aria-label') || at.labels?.[0]?.textContent
            || at.textContent || at.name || at.className) }"""
    )
    return " ".join((name or "").split())


def tab_to(lab, name, key="Tab"):
    """Press ``key`` until ``name`` has the focus; how often."""
    for pressed in range(1, 26):
        lab.page.keyboard.press(key)
        if focused(lab).startswith(name):
            return pressed
    raise AssertionError(f"{name} is not reached")


def test_the_keyboard_alone_does_everything_within_25_stops(lab, networks, z):
    lab.find("networks").focus()
    stops = tab_to(lab, "Undo") + tab_to(lab, "Redo") + tab_to(lab, "Reset") + tab_to(lab, "1")
    lab.page.keyboard.press("ArrowRight")
    lab.page.keyboard.press("Enter")  # garment 2 alone
    stops += tab_to(lab, "Sliders") + tab_to(lab, "z[5]")
    lab.page.keyboard.press("End")
    check(lab, networks["dcgan"], along(z, 5, 4, [1]))
    stops += tab_to(lab, "z[80]")
    while focused(lab):
        lab.page.keyboard.press("Tab")
        stops += 1
    assert stops < 25
    lab.slider("z[80]").focus()
    tab_to(lab, "Undo", "Shift+Tab")
    lab.page.keyboard.press("Enter")
    check(lab, networks["dcgan"], z)
    tab_to(lab, "Redo")
    lab.page.keyboard.press("Space")
    check(lab, networks["dcgan"], along(z, 5, 4, [1]))
    tab_to(lab, "Sliders")
    for _ in range(4):
        lab.page.keyboard.press("ArrowRight")
    tab_to(lab, "Keep in the project")
    lab.page.keyboard.press("Enter")
    status(lab, "kept in")


def test_every_control_has_a_name(lab):
    add(lab, "7")  # a slider that came later is named like the first ones
    client = lab.page.context.new_cdp_session(lab.page)
    try:
        for name in TABS:
            lab.tab(name)
            lab.rest()
            root = client.send("DOM.getDocument")["root"]["nodeId"]
            place = client.send("DOM.querySelector", {"nodeId": root, "selector": ".labkit-editor"})
            nodes = client.send("Accessibility.queryAXTree", place)["nodes"]
            named = [
                (node["role"]["value"], node.get("name", {}).get("value", "").strip())
                for node in nodes
                if not node["ignored"] and node["role"]["value"] in CONTROLS
            ]
            assert len(named) > 30 and all(text for _, text in named), (name, named)
            buttons = [text for role, text in named if role == "button"]
            assert len(set(buttons)) == len(buttons), (name, sorted(buttons))
            if name == "Sliders":
                wanted = [f"z[{dim}]" for dim in (7, 5, 20, 40, 60, 80)]
                assert [text for role, text in named if role == "slider"] == wanted
    finally:
        client.detach()
    assert lab.page.locator(".labkit-editor [role=status]").count() == 1


# The least contrast of text with what is behind it, by the class of what holds it; 4.5 is asked for by WCAG 2.
CONTRAST = """() => {
    const context = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
    const channels = text => {
        context.clearRect(0, 0, 1, 1);
        context.fillStyle = text;
        context.fillRect(0, 0, 1, 1);
        return [...context.getImageData(0, 0, 1, 1).data];
    };
    const light = ([r, g, b]) => [r, g, b].map(c => c / 255)
        .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
        .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
    const behind = element => {
        for (let e = element; e; e = e.parentElement) {
            const c = channels(getComputedStyle(e).backgroundColor);
            if (c[3] === 255) return c;
        }
        return [255, 255, 255];
    };
    const editor = document.querySelector('.labkit-editor'), found = {};
    const words = document.createTreeWalker(editor, NodeFilter.SHOW_TEXT);
    while (words.nextNode()) {
        const at = words.currentNode.parentElement;
        if (!words.currentNode.data.trim() || !at.checkVisibility() || at.closest('[aria-disabled=true], :disabled'))
            continue;
        const [a, b] = [light(channels(getComputedStyle(at).color)), light(behind(at))];
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), name = `${at.tagName}.${at.className}`;
        found[name] = Math.min(found[name] ?? 99, ratio);
    }
    return {found, page: light(behind(editor))};
}"""


@pytest.mark.parametrize("name", THEMES)
def test_text_can_be_read_in_both_themes(lab, name):
    with theme(lab, name):
        add(lab, "nonsense")  # a failed status, in red
        assert lab.page.locator(".lab-status.failed").count() == 1
        for panel in TABS:
            seen = lab.page.evaluate(CONTRAST)
            assert (seen["page"] < 0.2) == name.endswith("Dark")
            faint = {what: round(ratio, 2) for what, ratio in seen["found"].items() if ratio < 4.5}
            assert len(seen["found"]) > 10 and faint == {}, (panel, faint)
            lab.tab(panel)


@pytest.mark.parametrize("name", THEMES)
def test_accessibility_in_both_themes(lab, name):
    """axe-core finds nothing that keeps anybody out, whichever panel is open."""
    with theme(lab, name):
        for panel in TABS:
            lab.tab(panel)
            found = Axe().run(lab.page, context=".labkit-editor").response["violations"]
            serious = [
                (one["id"], one["nodes"][0]["html"][:200]) for one in found if one["impact"] in ("serious", "critical")
            ]
            assert serious == [], (panel, serious)


# What goes wrong.


@contextmanager
def damaged(file):
    """One byte in the middle of ``file`` is another."""
    sound = file.read_bytes()
    content = bytearray(sound)
    content[len(content) // 2] ^= 255
    file.write_bytes(content)
    try:
        yield
    finally:
        file.write_bytes(sound)


def test_a_damaged_network_is_named_and_the_last_picture_stands(lab, project, networks, z):
    (vanilla,) = (project / "data/runs/smoke/vanilla").iterdir()
    ask(lab.page, "0", "LatentExplorer._live.others.clear()")
    keys(lab, "z[5]", "PageUp")
    with damaged(vanilla / "generator.safetensors"):
        take_network(lab, "vanilla GAN: smoke")
        lab.page.wait_for_selector(".lab-status.failed")
        for word in (f"{vanilla.relative_to(project)}/generator.safetensors", "damaged", "train again"):
            assert word in lab.said()
        check(lab, networks["dcgan"], along(z, 5, 1))
        chosen = lab.find("networks").evaluate("list => list.selectedOptions[0].textContent")
        assert chosen.startswith("DCGAN")  # the page says which network it shows
        keys(lab, "z[20]", "PageUp")  # and the editor goes on
        check(lab, networks["dcgan"], along(along(z, 5, 1), 20, 1))
    take_network(lab, "vanilla GAN: smoke")  # mended
    lab.page.wait_for_function("document.querySelector('.lab-note').textContent.startsWith('vanilla GAN')")
    check(lab, networks["vanilla"], along(along(z, 5, 1), 20, 1))


def test_hostile_messages_from_the_page_change_nothing(lab, networks, z):
    """Answered in a line each, and the editor goes on."""
    said = ask(
        lab.page,
        "said",
        """
import numpy as np
ex, said = LatentExplorer._live, []
sent, ex.front.send = ex.front.send, lambda content, buffers=None: said.append(content)
run = ex.state()[0]["run"]
good = {"run": run, "rows": [5], "mode": "set", "chosen": [0]}
whole = np.zeros(800, "<f4").tobytes()
for message, buffers in [
    ("nothing", []), ({}, []), ({"id": "a.1", "deed": "exec"}, []), ({"id": "a.1", "deed": "draw"}, []),
    ({"id": "a.1", "deed": "draw", "run": "../../etc"}, [whole]), ({"id": "a.1", "deed": "draw", "run": run}, [b"123"]),
    ({"id": "a.1", "deed": "draw", "run": run}, [np.full(100, np.nan, "<f4").tobytes()]),
    ({"id": "a.1", "deed": "state", "state": {**good, "mode": "x"}}, [whole, whole]),
    ({"id": "a.1", "deed": "state", "state": {**good, "chosen": [9]}}, [whole, whole]),
    ({"id": "a.1", "deed": "state", "state": {**good, "rows": [100]}}, [whole, whole]),
    ({"id": "a.1", "deed": "state", "state": good}, [whole[:400], whole]),
    ({"id": "a.1", "deed": "state", "state": 3}, []),
    ({"id": "a.1", "deed": "load", "name": "../x"}, []), ({"id": "a.1", "deed": "seed", "seed": "x"}, []),
    ({"id": "a.1", "deed": "sweep", "dim": [1]}, []), ({"id": "a.1", "deed": "recipe", "text": 5}, []),
]:
    ex._hear(None, message, buffers)
ex.front.send = sent
""",
    )
    faults = [content for content in said if "fault" in content]
    assert len(faults) == 16 and all(content["fault"].count("\n") == 0 for content in faults)
    check(lab, networks["dcgan"], z)
    keys(lab, "z[5]", "PageUp")
    check(lab, networks["dcgan"], along(z, 5, 1))


def test_the_cell_run_again_leaves_one_editor(lab, networks, z):
    keys(lab, "z[5]", "PageUp")
    run_editor_cell(lab.page)
    before = lab.page.evaluate(COMMS)
    for _ in range(2):
        keys(lab, "z[5]", "PageUp")
        run_editor_cell(lab.page)
    assert lab.page.locator(".labkit-editor").count() == 1
    check(lab, networks["dcgan"], z)
    assert lab.page.evaluate(COMMS) == before  # nothing more of the old ones is left in the kernel


@contextmanager
def another_cell(lab, source):
    """Below the editor's cell, another one with ``source`` is run."""
    lab.page.evaluate(
        """async source => {
        await jupyterapp.commands.execute('notebook:insert-cell-below');
        jupyterapp.shell.currentWidget.content.activeCell.model.sharedModel.setSource(source);
        await jupyterapp.commands.execute('notebook:run-cell') }""",
        source,
    )
    try:
        yield
    finally:
        lab.page.evaluate(
            """source => { const notebook = jupyterapp.shell.currentWidget.content;
            notebook.deselectAll();
            notebook.activeCellIndex = notebook.widgets.findIndex(cell => cell.model.sharedModel.source === source);
            return jupyterapp.commands.execute('notebook:delete-cell') }""",
            source,
        )


def test_an_editor_in_another_cell_takes_the_place_of_the_first(lab, networks, z):
    keys(lab, "z[5]", "PageUp")
    with another_cell(lab, "LatentExplorer()"):
        gone = lab.page.locator(".lab-gone:visible")
        gone.wait_for(timeout=5000)
        assert gone.inner_text().startswith("Another editor has been opened")
        torch.testing.assert_close(torch.tensor(ask(lab.page, "LatentExplorer._live.z.tolist()")), z)
        gone.get_by_role("button").click()
        lab.page.wait_for_function("document.querySelector('.labkit-editor .lab:not([hidden])')")
        here = Lab(lab.page.locator(".labkit-editor").first.locator("xpath=."))
        assert lab.page.locator(".lab-gone:visible").count() == 1  # the other one rests now
        quiet(lab.page)
        moved = torch.tensor(ask(lab.page, "LatentExplorer._live.z.tolist()"))
        torch.testing.assert_close(moved, along(z, 5, 1), atol=2e-6, rtol=0)
        here.page.get_by_role("slider", name="z[5]", exact=True).press("PageUp")
        lab.page.wait_for_timeout(600)  # and it goes on
        moved = torch.tensor(ask(lab.page, "LatentExplorer._live.z.tolist()"))
        torch.testing.assert_close(moved, along(z, 5, 2), atol=2e-6, rtol=0)


@contextmanager
def second_tab(lab, server):
    """Another tab of the same notebook, and so of the same kernel."""
    tab = open_notebook(lab.page.context.browser, server, NOTEBOOK)
    tab.set_default_timeout(30_000)
    tab.evaluate(LISTEN)
    try:
        yield Lab(tab)
    finally:
        tab.close()


def test_a_second_tab_follows_the_first(lab, server, networks, z):
    """Neither is blank: both show the same editor, whichever moves it."""
    lab.page.evaluate("jupyterapp.commands.execute('docmanager:save')")
    lab.page.wait_for_timeout(1000)
    with second_tab(lab, server) as there:
        there.page.locator(".labkit-editor").scroll_into_view_if_needed()
        there.rest()
        keys(lab, "z[5]", "PageUp")
        there.page.wait_for_selector(".lab-garment.edited")
        check(there, networks["dcgan"], along(z, 5, 1))
        check(lab, networks["dcgan"], along(z, 5, 1))
        keys(there, "z[20]", "PageDown")
        lab.page.wait_for_function("document.querySelectorAll('.lab-row [type=number]')[1].value === '-1.00'")
        both = along(along(z, 5, 1), 20, -1)
        check(there, networks["dcgan"], both)
        check(lab, networks["dcgan"], both)


@pytest.mark.thorough
@pytest.mark.slow
def test_a_slow_link_is_told(lab, server):
    address, token = server
    with slow_link(address, 0.15) as slow, second_tab(lab, (slow, token)) as there:
        run_editor_cell(there.page)
        there.slider("z[5]").focus()
        for _ in range(30):
            there.page.keyboard.press("ArrowRight")
            there.page.wait_for_timeout(50)
        late = re.fullmatch(r"Slow link: pictures come (\d\.\d) s late\.", pulse(there))
        assert late and 0.3 <= float(late[1]) < 2, pulse(there)


@contextmanager
def stopped(pid):
    """The kernel's process, ``pid``, stands still."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def said_of_the_kernel(lab, beginning, within=1000):
    """Wait until the line on the kernel begins so, for so many milliseconds."""
    lab.page.wait_for_function(
        "text => document.querySelector('.lab-pulse').textContent.startsWith(text)", arg=beginning, timeout=within
    )
    return pulse(lab)


def test_a_kernel_that_does_not_answer_is_told_within_a_second(lab, networks, z):
    pid = ask(lab.page, "__import__('os').getpid()")
    assert pulse(lab) == ""
    with stopped(pid):
        lab.slider("z[5]").focus()
        lab.page.keyboard.press("PageUp")
        assert "the kernel is busy, or the link is down" in said_of_the_kernel(lab, "No answer for ", 1200)
    check(lab, networks["dcgan"], along(z, 5, 1))  # it follows, and all is well
    assert not pulse(lab).startswith("No answer")


def test_a_kernel_that_runs_a_cell_and_does_not_answer_is_told(lab, networks, z):
    pid = ask(lab.page, "__import__('os').getpid()")
    run_in_the_kernel(lab.page, "import time; time.sleep(2)")
    lab.page.wait_for_function("document.querySelector('.jp-Notebook-ExecutionIndicator').dataset.status === 'busy'")
    with stopped(pid):
        lab.slider("z[5]").focus()
        lab.page.keyboard.press("PageUp")
        assert "a cell is running" in said_of_the_kernel(lab, "No answer for ", 1200)
    check(lab, networks["dcgan"], along(z, 5, 1))


def test_a_kernel_that_answers_is_not_complained_of(lab):
    """Whatever is clicked, also what changes nothing."""
    lab.page.evaluate(
        """() => { const place = document.querySelector('.lab-pulse'); window.said = [];
        new MutationObserver(() => said.push(place.textContent)).observe(place, {childList: true}) }"""
    )
    keys(lab, "z[5]", *["ArrowRight"] * 12)
    for name in ("Pad", "Walk", "Draw", "Keep", "Sliders"):
        lab.tab(name)
    for name in ("undo", "undo", "redo", "reset", "reset"):
        lab.find(name).click(force=True)
    add(lab, "9")
    lab.page.wait_for_timeout(1200)
    assert [text for text in lab.page.evaluate("said") if text.startswith("No answer")] == []


# Last: after these the page asks a new kernel for the widgets of the old one, and complains.


def test_nobody_has_complained(lab):
    """Neither the browser's console nor the kernel had anything to say meanwhile."""
    assert complaints == []


def run_again(lab):
    """When the new kernel is ready, run all cells; the new editor is there."""
    lab.page.wait_for_function(f"{KERNEL}?.status === 'idle'", timeout=30_000)
    lab.page.evaluate("document.querySelectorAll('.labkit-editor').forEach(editor => { editor.dataset.old = 'yes' })")
    run_all(lab.page, SHOWN.replace(".labkit-editor", ".labkit-editor:not([data-old])"), 120)
    lab.page.evaluate(LISTEN)
    status(lab, "The kernel is a new one")


def test_after_a_restart_the_vectors_are_back(lab, networks, z):
    keys(lab, "z[5]", "PageUp")
    before = lab.pixels()
    lab.page.evaluate(f"() => {{ {KERNEL}.restart() }}")
    said_of_the_kernel(lab, "The kernel was restarted")
    assert (lab.pixels() == before).all()  # the last pictures stand
    assert lab.page.locator(".lab-stopped").count() == 1
    run_again(lab)
    check(lab, networks["dcgan"], along(z, 5, 1))
    assert pulse(lab) == "" and lab.page.locator(".lab-stopped").count() == 0
    lab.find("undo").click()
    check(lab, networks["dcgan"], z)


def test_a_kernel_that_is_gone_is_told_and_the_vectors_come_back(lab, networks, z):
    keys(lab, "z[20]", "PageDown")
    session = "jupyterapp.shell.currentWidget.context.sessionContext"
    lab.page.evaluate(f"() => {{ {session}.shutdown() }}")
    said_of_the_kernel(lab, "The kernel ")
    lab.page.wait_for_function(f"!{session}.session?.kernel")
    lab.page.evaluate(f"{session}.changeKernel({{name: 'python3'}})")
    run_again(lab)
    check(lab, networks["dcgan"], along(z, 20, -1))
