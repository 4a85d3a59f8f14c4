"""The live editor as its user has it: a real JupyterLab, a real Chromium, and every pixel compared with the library's.

One server, one page and one run of notebook 03 (profile smoke) serve all tests; each test begins with a fresh editor.
"""

import ast
import io
import json
import math
import os
import queue
import re
import shutil
import signal
import socket
import threading
import time
from contextlib import contextmanager, suppress
from xml.etree import ElementTree

import lab_page
import matplotlib
import numpy as np
import pytest
import torch
from lab_page import CHROMIUM, chromium, jupyterlab, open_notebook, run_all
from PIL import Image
from project_copy import clean_environment, copy_project

from labkit import latent
from labkit.analysis import directions
from labkit.base.rng import seeded
from labkit.editor.session import MEASURES
from labkit.figures import sheets
from labkit.training import runs

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no Chromium is installed")

DIMS = [5, 20, 40, 60, 80]  # those of the notebook
NOTEBOOK = "notebooks/03_latent_perturbation.ipynb"
EDITOR = "LatentExplorer(runs.run_folder"  # how its cell is known
# Tests that close a page or a connection in the middle of what is said: then the kernel may be told of what is gone.
CUTTING = ("test_a_slow_link_is_told", "test_a_second_tab_takes_over_and_the_first_says_so")
CUT_OFF = re.compile(r"Task exception was never retrieved\n(?:(?!Task exception).)*?\S*WebSocketClosedError\n", re.S)
complaints = []  # (test, what the browser's console or the kernel said)


# What goes between page and kernel: how many requests lack an answer, and what the kernel says beside the answers.
# A request is answered when the kernel is idle after it, in whichever of its threads: comms have one of their own.
LISTEN = """() => {
    const open = new Set(), faults = [];
    let sent = 0;
    jupyterapp.shell.currentWidget.context.sessionContext.session.kernel.anyMessage.connect((_, {msg, direction}) => {
        const kind = msg.header.msg_type;
        if (direction === 'send' && msg.channel === 'shell') { open.add(msg.header.msg_id); sent += 1 }
        if (kind === 'status' && msg.content.execution_state === 'idle') open.delete(msg.parent_header.msg_id);
        if (direction === 'recv' && ['error', 'stream'].includes(kind)) faults.push(JSON.stringify(msg.content));
    });
    const rest = () => new Promise(done => requestAnimationFrame(() => setTimeout(done, 20)));
    const quiet = async seconds => {
        for (const end = Date.now() + 1000 * seconds; Date.now() < end; ) {
            const before = sent;
            await rest();
            if (!open.size && sent === before) return true;
        }
        return false;
    };
    window.talk = {faults, quiet};
}"""


# The desk: a project, a page, a fresh editor.


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A copy of the project, in a folder with an awkward name.

    Its chapter 03 is quick: two small networks, no figures.
    """
    root = copy_project(tmp_path_factory.mktemp("page") / "a lab 實驗")
    chapter = root / "notebooks/03_latent_perturbation.ipynb"
    notebook = json.loads(chapter.read_text(encoding="utf-8"))
    settings, _, _, *figures_and_tables, editor = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert "parameters" in settings["metadata"]["tags"] and EDITOR in "".join(editor["source"])
    assert 'profile = "auto"' in "".join(settings["source"])
    settings["source"] = [line.replace('profile = "auto"', 'profile = "smoke"') for line in settings["source"]]
    notebook["cells"] = [cell for cell in notebook["cells"] if cell not in figures_and_tables]
    chapter.write_text(json.dumps(notebook), encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def server(project, tmp_path_factory):
    """JupyterLab on the project: (address, token). The kernel computes on the CPU, as the tests do."""
    scratch = tmp_path_factory.mktemp("jupyter")
    with jupyterlab(project, scratch, environment=clean_environment(CUDA_VISIBLE_DEVICES="")) as server:
        yield server
    log = (scratch / "jupyter.log").read_text(encoding="utf-8", errors="replace")
    log = CUT_OFF.sub("", log)
    assert "Traceback" not in log, log[-3000:]


@pytest.fixture(scope="module")
def lab(server):
    """The page with chapter 03, all cells run."""
    with chromium() as browser:
        page = open_notebook(browser, server, NOTEBOOK)
        page.set_default_timeout(15_000)
        run_all(page, ".labkit-stage img", 240)
        page.evaluate(LISTEN)
        quiet(page)
        yield page


@pytest.fixture
def untouched(lab):
    """The page as *Run all* left it, for the first test alone."""
    return lab


@pytest.fixture
def page(lab, request):
    """The page with a fresh editor, scrolled to, whose sliders set values; complaints meanwhile are noted."""

    def note(text):
        if request.node.name not in CUTTING:
            complaints.append((request.node.name, text))

    def on_console(message):
        if message.type == "error":
            note(f"console: {message.text} ({message.location.get('url')})")

    def on_error(error):
        note(f"page: {error}")

    lab.on("console", on_console)
    lab.on("pageerror", on_error)
    run_editor_cell(lab)
    press(lab, "set to")
    quiet(lab)
    yield lab
    quiet(lab)
    for fault in lab.evaluate("() => window.talk.faults.splice(0)"):
        note(f"kernel: {fault}")
    lab.remove_listener("console", on_console)
    lab.remove_listener("pageerror", on_error)


@pytest.fixture
def fresh(page):
    """The page with an editor as it is at first: its sliders shift."""
    press(page, "shift by")
    quiet(page)
    return page


@pytest.fixture(scope="module")
def networks(lab, project):
    """The generators that the notebook has trained, by model."""
    (vanilla,), (dcgan,) = (list((project / "data/runs/smoke" / model).iterdir()) for model in ("vanilla", "dcgan"))
    return {"vanilla": runs.load_run(vanilla).generator(), "dcgan": runs.load_run(dcgan).generator()}


@pytest.fixture(scope="module")
def z():
    """The base vectors of latent_seed 0."""
    return latent.latents(8, 100, 0)


def run_editor_cell(page):
    """Run the editor's cell again, as Shift+Enter does, and scroll to it."""
    page.evaluate(
        """async wanted => {
        document.querySelectorAll('.labkit-editor').forEach(editor => { editor.dataset.old = 'yes' });
        const notebook = jupyterapp.shell.currentWidget.content;
        notebook.activeCellIndex = notebook.widgets.findIndex(cell => cell.model.sharedModel.source.includes(wanted));
        await jupyterapp.commands.execute('notebook:run-cell');
    }""",
        EDITOR,
    )
    page.wait_for_selector(".labkit-editor:not([data-old]) .labkit-stage img", timeout=20_000)
    quiet(page)
    page.locator(".labkit-editor").scroll_into_view_if_needed()


# What the tests do and see.


def ask(page, expression, do=""):
    """The value of ``expression`` in the kernel after ``do``, by way of the page, when all else is answered."""
    quiet(page)
    reply = page.evaluate(
        """async ([code, value]) => {
        const kernel = jupyterapp.shell.currentWidget.context.sessionContext.session.kernel;
        const request = {code, silent: true, store_history: false, user_expressions: {value}};
        return (await kernel.requestExecute(request).done).content;
    }""",
        [do, expression],
    )
    assert reply["status"] == "ok" and reply["user_expressions"]["value"]["status"] == "ok", reply
    return ast.literal_eval(reply["user_expressions"]["value"]["data"]["text/plain"])


def quiet(page, seconds=30):
    """Wait until page and kernel have nothing more to say to each other."""
    assert page.evaluate("seconds => window.talk.quiet(seconds)", seconds), "page and kernel go on talking"


def run_in_the_kernel(page, code):
    """Begin to run ``code``, as a cell is run."""
    page.evaluate(
        """code => {
        const kernel = jupyterapp.shell.currentWidget.context.sessionContext.session.kernel;
        kernel.requestExecute({code, store_history: false})
    }""",
        code,
    )


def cells(page):
    """The picture, (rows, 8, 28, 28, 3), uint8, when all is quiet; between the garments it is transparent."""
    quiet(page)
    sheet = np.asarray(lab_page.picture(page))
    assert sheet.shape[0] % 29 == 0 and sheet.shape[1:] == (8 * 29, 4), sheet.shape
    sheet = sheet.reshape(-1, 29, 8, 29, 4).transpose(0, 2, 1, 3, 4)
    assert (
        (sheet[:, :, :28, :28, 3] == 255).all()
        and (sheet[:, :, 28, :, 3] == 0).all()
        and (sheet[:, :, :, 28, 3] == 0).all()
    )
    return sheet[:, :, :28, :28, :3]


def library(network, *rows):
    """What the library makes of each row's vectors (8, 100), as `cells` gives it."""
    return np.stack(
        [np.repeat(sheets.grey_levels(latent.sample(network, row))[:, 0, :, :, None], 3, 3) for row in rows]
    )


def assert_same(shown, expected):
    """Equal to the grey level; hardly anywhere, where a sum was rounded the other way, half a level becomes one."""
    assert shown.shape == expected.shape
    apart = np.abs(shown.astype(int) - expected)
    assert apart.max() <= 1 and (apart > 0).mean() < 1e-3, (
        f"{(apart > 0).mean():.1%} of the values differ, by up to {apart.max()}"
    )


def handle(page, name):
    return page.locator(f'.labkit-editor .noUi-handle[aria-label="{name}"]')


def readout(page, name):
    return page.locator(f'.labkit-editor .widget-slider:has(.noUi-handle[aria-label="{name}"]) .widget-readout')


def value(page, name):
    """Where a slider stands; the number beside it says the same, to two digits."""
    exact = float(handle(page, name).get_attribute("aria-valuetext"))
    assert float(readout(page, name).inner_text().replace("\u2212", "-")) == pytest.approx(exact, abs=0.0051)
    return exact


def button(page, text):
    """The one button with this text, or with this tooltip."""
    named = page.locator(".labkit-editor button").filter(has_text=re.compile(f"^{re.escape(text)}$"))
    return named if named.count() == 1 else page.locator(f'.labkit-editor button[title="{text}"]')


def press(page, text):
    """Click a button, when what was done before is answered."""
    quiet(page)
    button(page, text).click()


def control(page, label, kind):
    """The input or select behind a visible label."""
    return (
        page.locator(".labkit-editor .widget-inline-hbox")
        .filter(has=page.locator(f'.widget-label:text-is("{label}")'))
        .locator(kind)
    )


CHOSEN = "select => select.selectedOptions[0]?.label.replaceAll('\\xa0', ' ')"


def options(select):
    """What a list offers."""
    return [text.replace("\xa0", " ") for text in select.locator("option").all_inner_texts()]


def status(page):
    quiet(page)
    return page.locator('.labkit-editor [role="status"]').inner_text().strip()


def sliders(page):
    """The names of the sliders, from top to bottom."""
    quiet(page)
    page.wait_for_function(
        "() => [...document.querySelectorAll('.labkit-editor .noUi-handle')].every(handle => handle.ariaLabel)"
    )  # named when the page is idle
    return page.eval_on_selector_all(
        ".labkit-rows .noUi-handle", "all => all.map(handle => handle.getAttribute('aria-label'))"
    )


def centre(locator):
    box = locator.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def no_output_but_the_editor(page):
    """No traceback, no warning: the editor's cell shows the editor and nothing else."""
    return page.evaluate("""() => {
        const cell = document.querySelector('.labkit-editor').closest('.jp-Cell');
        return cell.querySelectorAll('.jp-Cell-outputArea > .jp-OutputArea-child').length === 1
            && !cell.querySelector('[data-mime-type*="std"], [data-mime-type*="error"]');
    }""")


# At rest.


def test_after_run_all_the_garments_are_those_of_the_vectors(untouched, networks, z):
    assert_same(cells(untouched), library(networks["dcgan"], z, z))
    assert ask(untouched, "LatentExplorer._live.z.tolist()") == z.tolist()  # and nobody has edited anything
    assert untouched.locator(".labkit-measures .touched").count() == 0
    assert no_output_but_the_editor(untouched)


def test_a_fresh_editor_shifts_by_nothing(fresh, networks, z):
    """The first touch of a slider moves each garment a little from where it is, and none jumps."""
    assert [value(fresh, f"z[{dim}]") for dim in DIMS] == [0] * len(DIMS)
    assert fresh.locator(".labkit-rows", has_text="mixed").count() == 0
    handle(fresh, "z[5]").focus()
    fresh.keyboard.press("ArrowRight")
    shifted = z.clone()
    shifted[:, 5] += ask(fresh, "(LatentExplorer._live.z - LatentExplorer._live.base)[0, 5].item()")
    assert_same(cells(fresh), library(networks["dcgan"], z, shifted))
    assert value(fresh, "z[5]") == pytest.approx(0.1, abs=0.005)
    press(fresh, "undo")
    assert_same(cells(fresh), library(networks["dcgan"], z, z))


def test_an_editor_that_sets_stands_at_the_means_and_has_nothing_to_undo(page, networks, z):
    assert sliders(page) == [f"z[{dim}]" for dim in DIMS]
    for dim in DIMS:
        assert value(page, f"z[{dim}]") == pytest.approx(z[:, dim].mean().item(), abs=0.0051)
    assert page.locator(".labkit-rows", has_text="mixed").count() == 1
    press(page, "undo")
    assert status(page) == "there is nothing to undo"
    assert_same(cells(page), library(networks["dcgan"], z, z))


# Sliders.


def test_keys_move_a_slider_and_the_garments_follow(page, networks, z):
    """As in the page of the report: arrows by 0.1, with Shift by 0.01, Page Up and Down by 1, Backspace resets."""
    handle(page, "z[5]").focus()
    start = value(page, "z[5]")
    keys = {"ArrowRight": 0.1, "ArrowDown": -0.1, "Shift+ArrowUp": 0.01, "PageUp": 1, "PageDown": -1}
    for key, step in keys.items():
        page.keyboard.press(key)
        quiet(page)
        assert value(page, "z[5]") - start == pytest.approx(step, abs=0.011), key
        start = value(page, "z[5]")
    for key in ["ArrowRight"] * 12 + ["ArrowLeft"] * 2:
        page.keyboard.press(key)
    shown = cells(page)
    assert value(page, "z[5]") == pytest.approx(start + 1, abs=0.02)
    at = ask(page, "LatentExplorer._live.z[0, 5].item()")
    assert_same(shown, library(networks["dcgan"], z, latent.perturb(z, 5, at)))
    page.keyboard.press("End")
    assert_same(cells(page), library(networks["dcgan"], z, latent.perturb(z, 5, 4.0)))
    assert handle(page, "z[5]").evaluate("handle => handle === document.activeElement")
    page.keyboard.press("Backspace")
    assert_same(cells(page), library(networks["dcgan"], z, z))
    page.keyboard.press("Delete")
    assert sliders(page) == [f"z[{dim}]" for dim in DIMS[1:]]


def test_a_double_click_gives_a_slider_its_base_value_back(page, networks, z):
    press(page, "z[20] = 3")
    press(page, "z[5] = 3")
    quiet(page)
    handle(page, "z[5]").dblclick()
    assert_same(cells(page), library(networks["dcgan"], z, latent.perturb(z, 20, 3)))


def test_a_click_on_a_garment_chooses_it(page, networks, z):
    stage = page.locator(".labkit-stage img")
    width = stage.bounding_box()["width"]
    stage.click(position={"x": width * 2.5 / 8, "y": 150})
    press(page, "z[5] = 3")
    assert_same(cells(page), library(networks["dcgan"], z, latent.perturb(z, 5, 3, [2])))
    assert page.locator(".labkit-measures .chosen").all_inner_texts() == ["3"]
    assert page.locator(".labkit-measures .edited").all_inner_texts() == ["3"]
    stage.click(position={"x": width * 2.5 / 8, "y": 150})  # again: all
    quiet(page)
    assert ask(page, "LatentExplorer._live.rows") == list(range(8))


def test_dragging_with_the_mouse(page, networks, z):
    x, y = centre(handle(page, "z[40]"))
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 60, y, steps=5)
    halfway = cells(page)  # the button is still down
    assert -4 < value(page, "z[40]") < -1
    assert_same(halfway, library(networks["dcgan"], z, latent.perturb(z, 40, value(page, "z[40]"))))
    page.mouse.move(x + 40, y + 40, steps=5)
    page.mouse.up()
    shown = cells(page)
    assert 0.5 < value(page, "z[40]") < 4
    assert_same(shown, library(networks["dcgan"], z, latent.perturb(z, 40, value(page, "z[40]"))))


def test_a_drag_is_one_edit(page, networks, z):
    x, y = centre(handle(page, "z[80]"))
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 25, y, steps=25)
    page.mouse.up()
    dragged = library(networks["dcgan"], z, latent.perturb(z, 80, value(page, "z[80]")))
    assert_same(cells(page), dragged)
    press(page, "undo")
    assert_same(cells(page), library(networks["dcgan"], z, z))
    press(page, "redo")
    assert_same(cells(page), dragged)


def test_a_typed_value(page, networks, z):
    readout(page, "z[20]").fill("1.25")
    readout(page, "z[20]").press("Enter")
    assert_same(cells(page), library(networks["dcgan"], z, latent.perturb(z, 20, 1.25)))


def test_a_flood_of_moves_ends_at_the_last_within_half_a_second(page, networks, z):
    """The pictures keep pace: none is left to be drawn half a second after the slider is let go."""
    page.evaluate("""() => {
        const image = document.querySelector('.labkit-stage img');
        image.addEventListener('load', () => requestAnimationFrame(
            () => { window.painted = performance.now(); window.paints = (window.paints || 0) + 1 }))
    }""")
    left, y = centre(page.locator(".labkit-rows .noUi-target").nth(3))
    tries = []
    for attempt in range(3):  # the machine may have other things to do
        page.mouse.move(*centre(handle(page, "z[60]")))
        page.mouse.down()
        begin = time.monotonic()
        page.evaluate("window.paints = 0")
        for i in range(120):
            page.mouse.move(left + 45 * math.sin(i / 9 + attempt), y)
            time.sleep(max(0.0, begin + (i + 1) / 60 - time.monotonic()))
        during, release = page.evaluate("[window.paints, performance.now()]")
        page.mouse.up()
        shown = cells(page)
        assert_same(shown, library(networks["dcgan"], z, latent.perturb(z, 60, value(page, "z[60]"))))
        assert during >= 10  # it moved on the way, too
        tries.append(page.evaluate("window.painted") - release)
        if tries[-1] < 500:
            break
    assert min(tries) < 500, tries


def test_a_slider_moved_while_a_cell_runs(page, networks, z):
    """Whether the picture follows at once or when the cell is done: in the end it is the slider's."""
    handle(page, "z[5]").focus()
    page.keyboard.press("ArrowRight")
    quiet(page)
    run_in_the_kernel(page, "import time; time.sleep(1.5)")
    for _ in range(30):
        page.keyboard.press("ArrowRight")
    button(page, "z[20] = 3").click()  # which is then still running
    shown = cells(page)
    assert_same(shown, library(networks["dcgan"], z, latent.perturb(latent.perturb(z, 5, value(page, "z[5]")), 20, 3)))


def test_a_training_that_runs_keeps_its_random_numbers(page):
    """New base vectors are drawn beside it, not from its stream."""
    seed = control(page, "base seed", "input")
    for typed in ("1", "2"):
        seed.fill(typed)
        seed.press("Enter")
        quiet(page)
    draw = "with seeded('test'):\n    drawn = [(torch.randn(1).item(), time.sleep(0.002))[0] for _ in range(800)]"
    run_in_the_kernel(page, f"import time\nfrom labkit.base.rng import seeded\n{draw}")
    for typed in range(3, 40):
        seed.fill(str(typed))
        seed.press("Enter")
    with seeded("test"):
        wanted = [torch.randn(1).item() for _ in range(800)]
    assert ask(page, "drawn") == wanted


def test_snap_reset_undo_and_redo(page, networks, z):
    network, snapped = networks["dcgan"], latent.perturb(z, 5, 3)
    both = latent.perturb(snapped, 20, -3)
    press(page, "z[5] = 3")
    assert_same(cells(page), library(network, z, snapped))
    assert value(page, "z[5]") == 3
    press(page, "z[20] = -3")
    assert_same(cells(page), library(network, z, both))
    press(page, "z[5] as it was drawn")
    alone = latent.perturb(z, 20, -3)
    assert_same(cells(page), library(network, z, alone))
    press(page, "reset")
    assert_same(cells(page), library(network, z, z))
    for state in (alone, both, snapped, z):
        press(page, "undo")
        assert_same(cells(page), library(network, z, state))
    for state in (snapped, both, alone, z):
        press(page, "redo")
        assert_same(cells(page), library(network, z, state))
    press(page, "redo")
    assert status(page) == "there is nothing to redo"


def test_a_target_alone_is_edited_and_marked(page, networks, z):
    press(page, "3")
    assert_same(cells(page), library(networks["dcgan"], z, z))  # aiming changes nothing
    press(page, "z[5] = 3")
    shown = cells(page)
    assert_same(shown, library(networks["dcgan"], z, latent.perturb(z, 5, 3, [2])))
    differ = [column for column in range(8) if (shown[0, column] != shown[1, column]).any()]
    assert differ == [2]
    marks = page.eval_on_selector_all(
        ".labkit-measures span:not(.name)", "all => all.map(span => span.classList.contains('touched'))"
    )
    assert [i for i, marked in enumerate(marks) if marked] == [2]  # the first line, third garment
    press(page, "all")
    assert_same(cells(page), library(networks["dcgan"], z, latent.perturb(z, 5, 3, [2])))
    press(page, "z[80] = 0")
    marks = page.eval_on_selector_all(".labkit-measures .touched", "all => all.length")
    assert_same(cells(page), library(networks["dcgan"], z, latent.perturb(latent.perturb(z, 5, 3, [2]), 80, 0)))
    assert page.locator(".labkit-measures .touched").count() == 8


def test_what_the_page_is_told_it_does_not_send_back(page, networks, z):
    """A slider that rounds its new value would report a move of its own, and edit garments that were not aimed at."""
    press(page, "3")
    press(page, "z[5] = 3")
    for text in ("1", "all", "5"):
        press(page, text)
    press(page, "undo"), press(page, "redo")
    assert_same(cells(page), library(networks["dcgan"], z, latent.perturb(z, 5, 3, [2])))
    press(page, "undo")
    assert_same(cells(page), library(networks["dcgan"], z, z))
    press(page, "undo")
    assert status(page) == "there is nothing to undo"


def test_clicks_take_effect_in_their_order(page, networks, z):
    """Also those that wait for a cell: of all that is clicked meanwhile, nothing overtakes."""
    press(page, "3"), press(page, "all")
    quiet(page)
    run_in_the_kernel(page, "import time; time.sleep(0.7)")
    button(page, "z[5] = 3").click()
    button(page, "3").click()
    edited = latent.perturb(z, 5, 3)
    assert_same(cells(page), library(networks["dcgan"], z, edited))
    press(page, "z[20] = -3")
    assert_same(cells(page), library(networks["dcgan"], z, latent.perturb(edited, 20, -3, [2])))


def test_the_measures_are_the_librarys(page, networks, z):
    press(page, "z[5] = 3")
    quiet(page)
    spans = iter(page.locator(".labkit-measures span").all_inner_texts())
    lines = {name: [next(spans) for _ in range(8)] for name in spans}
    edited = latent.perturb(z, 5, 3)
    images = latent.sample(networks["dcgan"], edited)
    (length,) = (name for name in lines if "\u2016z\u2016" in name)
    assert lines["garment"] == list("12345678")
    assert np.allclose([float(text.split()[0]) for text in lines[length]], edited.norm(dim=1).tolist(), atol=0.0051)
    for name, measure in MEASURES.items():
        assert np.allclose([float(text) for text in lines[name]], measure(images).tolist(), atol=0.51), name


def test_a_new_base_seed_and_a_walk(page, networks):
    seed = control(page, "base seed", "input")
    seed.fill("7")
    seed.press("Enter")
    other = latent.latents(8, 100, 7)
    assert_same(cells(page), library(networks["dcgan"], other, other))
    press(page, "1")
    press(page, "z[5] = 3")
    handle(page, "by").focus()
    page.keyboard.press("ArrowRight")  # a first step from where garment 1 is, with its edit
    edited = latent.perturb(other, 5, 3, [0])
    started = edited.clone()
    started[0] = latent.interpolate(edited[0], edited[1], 101)[1]
    assert_same(cells(page), library(networks["dcgan"], other, started))
    page.keyboard.press("End")  # all the way from garment 1 to garment 2
    arrived = other.clone()
    arrived[0] = other[1]
    assert_same(cells(page), library(networks["dcgan"], other, arrived))


def test_reset_gives_back_the_chosen_garment_alone(page, networks, z):
    press(page, "z[5] = 3")
    press(page, "4")
    press(page, "reset")
    rest = [row for row in range(8) if row != 3]
    assert_same(cells(page), library(networks["dcgan"], z, latent.perturb(z, 5, 3, rest)))


def test_the_lists_are_never_blank(page):
    for label in ("direction", "by effect"):
        assert control(page, label, "select").evaluate(CHOSEN) in ("not looked for", "not ranked")


# Keyboard, and those who do not see the page.


def test_the_keyboard_alone_reaches_everything(page, networks, z):
    def focused():
        return page.evaluate("""() => {
            const at = document.activeElement, editor = at.closest('.labkit-editor');
            return editor && (at.getAttribute('aria-label') || at.textContent || at.tagName);
        }""")

    def tab_to(name):
        reached = []
        for _ in range(70):
            page.keyboard.press("Tab")
            reached.append(focused())
            assert reached[-1] is not None, f"left the editor before {name}: {reached}"
            if reached[-1] == name:
                return reached
        raise AssertionError(f"{name} is not reached: {reached}")

    edited = latent.perturb(z, 5, 4)
    page.locator(".labkit-editor button", has_text="vanilla").focus()
    reached = []
    for name in ("DCGAN", "difference", "undo", "redo", "reset", "z[5]"):
        reached += tab_to(name)
    page.keyboard.press("End")
    assert_same(cells(page), library(networks["dcgan"], z, edited))
    reached += tab_to("z[80]")
    assert [name for name in reached if re.fullmatch(r"z\[\d+\]", name)] == [f"z[{dim}]" for dim in DIMS]
    for _ in range(9):
        page.keyboard.press("Shift+Tab")
        if focused() == "undo":
            break
    page.keyboard.press("Enter")
    assert_same(cells(page), library(networks["dcgan"], z, z))
    tab_to("redo")
    page.keyboard.press("Space")
    assert_same(cells(page), library(networks["dcgan"], z, edited))
    tab_to("rank")
    tab_to("sweep")
    page.keyboard.press("Shift+Tab")
    assert focused() == "save"


def test_everything_has_a_name_for_a_screen_reader(page):
    control(page, "dimension", "input").fill("7")
    press(page, "add")  # a slider that came later is named like the first ones
    assert sliders(page)[-1] == "z[7]"
    client = page.context.new_cdp_session(page)
    root = client.send(
        "DOM.querySelector", {"nodeId": client.send("DOM.getDocument")["root"]["nodeId"], "selector": ".labkit-editor"}
    )
    nodes = client.send("Accessibility.queryAXTree", {"nodeId": root["nodeId"]})["nodes"]
    client.detach()
    named = {}
    for node in nodes:
        if not node["ignored"]:
            named.setdefault(node["role"]["value"], []).append(node.get("name", {}).get("value", "").strip())
    assert sorted(named["slider"]) == sorted([f"z[{dim}]" for dim in [*DIMS, 7]] + ["by"])
    assert named["image"] == ["Eight garments, from top to bottom: base, edited"]
    assert set(named["combobox"]) == {"run", "walk to", "direction", "by effect", "kept"}
    assert set(named["spinbutton"]) == {"base seed", "dimension"}
    assert len(named["button"]) > 40 and all(named["button"]) and len(set(named["button"])) == len(named["button"])
    pressed = {
        node["name"]["value"]
        for node in nodes
        for entry in node.get("properties", ())
        if entry["name"] == "pressed" and entry["value"]["value"] == "true"
    }
    assert pressed == {"DCGAN", "all", "set to"}
    assert len(named["status"]) == 1


# Networks, dimensions, what is kept.


def test_the_difference_is_a_third_row_in_colour(page, networks, z):
    press(page, "z[5] = 3")
    press(page, "difference")
    shown = cells(page)
    base, edited = (latent.sample(networks["dcgan"], vectors) for vectors in (z, latent.perturb(z, 5, 3)))
    colours = matplotlib.colormaps["PuOr_r"](((edited - base)[:, 0] / 2 + 0.5).numpy(), bytes=True)[..., :3]
    assert len(shown) == 3
    assert_same(shown[:2], library(networks["dcgan"], z, latent.perturb(z, 5, 3)))
    assert (
        np.abs(shown[2].astype(int) - colours).max() <= 4
    )  # a neighbouring colour, where a sum was rounded the other way
    whole = np.asarray(Image.open(io.BytesIO(sheets.stage(base, edited, True))).convert("RGBA"))
    assert whole.shape == np.asarray(lab_page.picture(page)).shape
    assert page.locator(".labkit-names span").all_inner_texts() == ["base", "edited", "difference"]
    press(page, "difference")
    assert len(cells(page)) == 2
    assert page.locator(".labkit-names span").all_inner_texts() == ["base", "edited"]


def test_the_other_network_gets_the_same_vectors(page, networks, z):
    press(page, "z[5] = 3")
    edited = latent.perturb(z, 5, 3)
    press(page, "vanilla GAN")
    assert_same(cells(page), library(networks["vanilla"], z, edited))
    press(page, "z[20] = -3")
    edited = latent.perturb(edited, 20, -3)
    assert_same(cells(page), library(networks["vanilla"], z, edited))
    press(page, "DCGAN")
    assert_same(cells(page), library(networks["dcgan"], z, edited))


def test_another_run_of_the_same_network(page, project, networks, z):
    """The list beside the network has every finished run of it, and the runs of the study whose weights were kept."""
    (folder,) = (project / "data/runs/smoke/dcgan").iterdir()
    other = folder.with_name(folder.name + "-again")
    shutil.copytree(folder, other)
    try:
        press(page, "reset")  # any button looks what runs there are
        quiet(page)
        finished, worlds = [f"smoke, {folder.name}", f"smoke, {other.name}"], [1, 2]  # seeds of the study with weights
        wanted = [*finished, *(f"seeds: dcgan-ours, seed{seed}" for seed in worlds)]
        assert options(control(page, "run", "select")) == wanted
        control(page, "run", "select").select_option(index=1)
        assert_same(cells(page), library(networks["dcgan"], z, z))
        assert ask(page, "LatentExplorer._live.run.folder.name") == other.name
    finally:
        shutil.rmtree(other)


def test_rank_then_choose_from_the_list(page, networks, z):
    chooser = control(page, "by effect", "select")
    assert options(chooser) == ["not ranked"]
    press(page, "rank")
    assert "ranked" in status(page)
    first, *offered = options(chooser)
    found = [re.fullmatch(r"z\[(\d+)\]: ([\d.]+) grey levels/unit", option).groups() for option in offered]
    dims, effects = [int(dim) for dim, _ in found], [float(effect) for _, effect in found]
    assert first == "choose" and sorted(dims) == list(range(100)) and effects == sorted(effects, reverse=True)
    wanted = latent.change_along(networks["dcgan"], latent.latents(16, 100, 1), torch.eye(100)[dims])
    assert np.allclose(effects, wanted, atol=0.051)
    new = next(dim for dim in dims if dim not in DIMS)
    chooser.select_option(index=1 + dims.index(new))
    assert sliders(page) == [f"z[{dim}]" for dim in [*DIMS, new]]
    press(page, f"z[{new}] = 3")
    assert_same(cells(page), library(networks["dcgan"], z, latent.perturb(z, new, 3)))
    assert chooser.evaluate(CHOSEN) == "choose"  # ready for the next


def test_find_a_direction_and_move_along_it(page, networks, z):
    chooser = control(page, "direction", "select")
    assert options(chooser) == ["not looked for"]
    press(page, "find")
    assert "directions are found" in status(page)
    first, *offered = options(chooser)
    found = directions.all_directions(networks["dcgan"], 100)
    only = [text for text in offered if re.match(".+, and little else: |mostly ", text)]
    assert first == "choose" and only == offered[len(found) :]
    offered = offered[: len(found)]
    for text in offered:  # what it mostly does, how much, and how pure that is
        assert re.fullmatch(r"(more|less) [a-z ]+( \(.+\))?: [+\u2212].+ from -3 to 3, purity \d+%", text), text
    chooser.select_option(index=1 + list(found).index("sefa 2"))
    title = sliders(page)[-1]
    assert title.endswith(" (SeFa 2)") and offered[list(found).index("sefa 2")].startswith(title)
    assert chooser.evaluate(CHOSEN) == "choose"
    press(page, "2")
    press(page, f"{title} = -3")
    edited = z.clone()
    edited[1] = latent.perturb_along(z[1:2], found["sefa 2"], -3.0)
    assert_same(cells(page), library(networks["dcgan"], z, edited))
    press(page, f"{title} as it was drawn")
    assert_same(cells(page), library(networks["dcgan"], z, z))


def test_add_by_number_and_take_away(page, networks, z):
    control(page, "dimension", "input").fill("99")
    press(page, "add")
    assert sliders(page) == [f"z[{dim}]" for dim in [*DIMS, 99]]
    press(page, "add")
    assert sliders(page) == [f"z[{dim}]" for dim in [*DIMS, 99]]  # once is enough
    press(page, "z[99] = -3")
    press(page, "take the slider of z[99] away")
    press(page, "take the slider of z[40] away")
    assert sliders(page) == ["z[5]", "z[20]", "z[60]", "z[80]"]
    assert_same(cells(page), library(networks["dcgan"], z, latent.perturb(z, 99, -3)))  # its value stays


def test_what_was_kept_can_be_loaded_at_once(page):
    """The list never stands blank beside the button: a click on it brings back what the list shows."""
    press(page, "save")
    name = re.search(r"explorer/([\w-]+):", status(page))[1]
    kept = control(page, "kept", "select")
    shown = kept.evaluate(CHOSEN)
    assert name in options(kept) and shown in options(kept)
    press(page, "load")
    assert status(page) == f"{shown} is back"


def test_save_and_load_bring_back_the_same_pixels(page, project, networks, z):
    press(page, "3")
    press(page, "z[5] = 3")
    press(page, "all")
    press(page, "z[20] = -3")
    before = cells(page)
    press(page, "save")
    name = re.fullmatch(r"kept in figures/explorer/([\w-]+): picture.svg, picture.png, recipe.json", status(page))[1]
    folder = project / "figures/explorer" / name
    assert sorted(path.name for path in folder.iterdir()) == ["picture.png", "picture.svg", "recipe.json"]
    with Image.open(folder / "picture.png") as png:
        assert png.width > 500 and np.asarray(png.convert("L")).std() > 5
    assert ElementTree.parse(folder / "picture.svg").getroot().tag.endswith("svg")

    press(page, "vanilla GAN")
    press(page, "reset")
    press(page, "z[80] = 3")
    assert (cells(page) != before).any()
    control(page, "kept", "select").select_option(label=name)
    press(page, "load")
    assert status(page) == f"{name} is back"
    assert (cells(page) == before).all()
    assert_same(before, library(networks["dcgan"], z, latent.perturb(latent.perturb(z, 5, 3, [2]), 20, -3)))


def test_sweep_keeps_an_animation(page, project, networks, z):
    press(page, "z[20] = 3")
    press(page, "sweep")
    name = re.fullmatch(r"kept in figures/explorer/([\w-]+): sweep.gif, recipe.json", status(page))[1]
    with Image.open(project / "figures/explorer" / name / "sweep.gif") as gif:
        assert gif.n_frames >= 40
        gif.seek(0)
        frame = np.asarray(gif.convert("L"))[-28 * 4 :: 4, ::4]  # under the label, every pixel four times
    wanted = library(networks["dcgan"], latent.perturb(z, 20, -3))[0, :, :, :, 0]
    shown = np.stack([frame[:28, 29 * i : 29 * i + 28] for i in range(8)])
    assert np.abs(shown.astype(int) - wanted).max() <= 8  # a GIF has few colours
    assert (
        page.locator(".labkit-editor .progress").evaluate("bar => getComputedStyle(bar.parentElement).visibility")
        == "hidden"
    )
    assert_same(cells(page), library(networks["dcgan"], z, latent.perturb(z, 20, 3)))
    movie = page.locator(".labkit-movie")
    assert movie.is_visible() and movie.evaluate("image => image.naturalWidth") == 8 * 29 * 4  # and it is seen


def test_a_click_on_a_small_picture_opens_what_was_kept(page, networks, z):
    press(page, "z[20] = 3")
    press(page, "save")
    name = re.search(r"explorer/([\w-]+):", status(page))[1]
    press(page, "reset")
    assert_same(cells(page), library(networks["dcgan"], z, z))
    first = page.locator(".labkit-kept").first
    assert first.inner_text().strip() == name and first.locator("img").evaluate("image => image.naturalWidth") > 100
    first.locator("img").click()
    assert_same(cells(page), library(networks["dcgan"], z, latent.perturb(z, 20, 3)))
    assert status(page) == f"{name} is back"


def test_an_own_vector_is_pasted_and_copied(page, networks, z):
    mine = latent.latents(1, 100, 77)
    numbers = page.locator(".labkit-numbers textarea")
    numbers.fill(" ".join(f"{x:.9g}" for x in mine[0].tolist()))
    press(page, "5")
    press(page, "take")
    placed = z.clone()
    placed[4] = mine[0]
    assert_same(cells(page), library(networks["dcgan"], placed, placed))
    press(page, "1")
    numbers.fill("")
    press(page, "copy")
    quiet(page)
    assert json.loads(numbers.input_value()) == pytest.approx(z[0].tolist())
    page.wait_for_function("document.activeElement.closest('.labkit-numbers')")


# What goes wrong.


def pulse(page):
    """What is said of a kernel that does not answer."""
    return page.locator(".labkit-editor .labkit-pulse").inner_text()


def test_a_kernel_that_does_not_answer_is_told_within_a_second(page, networks, z):
    pid = ask(page, "__import__('os').getpid()")
    handle(page, "z[5]").focus()
    assert pulse(page) == ""
    os.kill(pid, signal.SIGSTOP)
    try:
        page.keyboard.press("End")
        page.wait_for_function("document.querySelector('.labkit-pulse').textContent", timeout=1200)
        assert pulse(page).startswith("no answer for ")
    finally:
        os.kill(pid, signal.SIGCONT)
    assert_same(cells(page), library(networks["dcgan"], z, latent.perturb(z, 5, 4.0)))  # it follows, and all is well
    assert not pulse(page).startswith("no answer")


def test_a_kernel_that_answers_is_not_complained_of(page):
    """Whatever is clicked, also what changes nothing."""
    said = "() => { const place = document.querySelector('.labkit-pulse'); window.said = [];"
    page.evaluate(
        said + " new MutationObserver(() => said.push(place.textContent)).observe(place, {childList: true}) }"
    )
    for text in ("all", "3", "3", "set to", "difference", "undo", "DCGAN", "copy", "reset", "z[5] = 0", "z[5] = 0"):
        press(page, text)
        page.wait_for_timeout(150)
    control(page, "walk to", "select").select_option(index=4)
    control(page, "dimension", "input").fill("9")
    control(page, "dimension", "input").press("Enter")
    page.wait_for_timeout(1200)
    assert [text for text in page.evaluate("said") if text.startswith("no answer")] == []


@contextmanager
def slow_link(address, seconds):
    """Another address of the server, where every byte arrives ``seconds`` later, either way."""

    def later(source, target):
        due = queue.Queue()

        def give():
            while (item := due.get())[1]:
                time.sleep(max(0.0, item[0] - time.monotonic()))
                target.sendall(item[1])
            target.close()

        threading.Thread(target=give, daemon=True).start()
        with suppress(OSError):
            while chunk := source.recv(1 << 16):
                due.put((time.monotonic() + seconds, chunk))
        due.put((0, b""))

    def accept():
        with suppress(OSError):
            while True:
                near, far = door.accept()[0], socket.create_connection(("127.0.0.1", int(address.rsplit(":", 1)[1])))
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=later, args=(one, other), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as door:
        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{door.getsockname()[1]}"


def second_tab(lab, server):
    """Another tab of the same notebook, and so of the same kernel."""
    page = open_notebook(lab.context.browser, server, NOTEBOOK)
    page.set_default_timeout(15_000)
    page.evaluate(LISTEN)
    return page


@pytest.mark.slow
def test_a_slow_link_is_told(page, server):
    address, token = server
    with slow_link(address, 0.15) as slow:
        tab = second_tab(page, (slow, token))
        try:
            run_editor_cell(tab)
            tab.locator(".labkit-rows .noUi-handle").first.focus()
            for _ in range(30):
                tab.keyboard.press("ArrowRight")
                tab.wait_for_timeout(50)
            said = pulse(tab)
            late = re.fullmatch(r"slow link: pictures come (\d\.\d) s late", said)
            assert late and 0.3 <= float(late[1]) < 2, said
        finally:
            tab.close()


def test_a_second_tab_takes_over_and_the_first_says_so(page, server, networks, z):
    press(page, "z[5] = 3")
    quiet(page)
    tab = second_tab(page, server)
    try:
        run_editor_cell(tab)
        page.wait_for_selector(".labkit-gone [role=status]", timeout=1000)
        assert page.locator(".labkit-gone").first.inner_text().startswith("Another editor has been opened")
        press(tab, "z[20] = 3")
        assert_same(cells(tab), library(networks["dcgan"], z, latent.perturb(z, 20, 3)))
        page.locator(".labkit-gone:visible button").click()
        page.wait_for_selector(".labkit-editor .labkit-stage img")
        assert_same(cells(page), library(networks["dcgan"], z, latent.perturb(z, 5, 3)))
        press(page, "z[40] = 3")  # and it goes on
        edited = latent.perturb(latent.perturb(z, 5, 3), 40, 3)
        assert_same(cells(page), library(networks["dcgan"], z, edited))
        tab.wait_for_selector(".labkit-gone [role=status]", timeout=1000)
    finally:
        tab.close()


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


def test_a_damaged_run_is_named_and_the_last_picture_stands(page, project, networks, z):
    press(page, "z[5] = 3")
    before = cells(page)
    (folder,) = (project / "data/runs/smoke/vanilla").iterdir()
    with damaged(folder / "generator.safetensors"):
        press(page, "vanilla GAN")
        said = status(page)
        assert (
            f"{folder.relative_to(project)}/generator.safetensors" in said
            and "damaged" in said
            and "train again" in said
        )
        assert page.locator('.labkit-editor .labkit-failed[role="status"]').count() == 1
        assert (cells(page) == before).all()
        pressed = page.locator(".labkit-editor button.mod-active").all_inner_texts()
        assert pressed[0] == "DCGAN"  # the page says which network it shows
        assert no_output_but_the_editor(page)
        press(page, "z[20] = 3")  # and the editor goes on
        edited = latent.perturb(latent.perturb(z, 5, 3), 20, 3)
        assert_same(cells(page), library(networks["dcgan"], z, edited))
        assert status(page) == ""
    press(page, "vanilla GAN")  # mended
    assert_same(cells(page), library(networks["vanilla"], z, edited))


def test_a_damaged_recipe_is_named(page, project):
    press(page, "save")
    name = re.search(r"explorer/([\w-]+):", status(page))[1]
    recipe = project / "figures/explorer" / name / "recipe.json"
    recipe.write_text(recipe.read_text()[:-40])
    before = cells(page)
    try:
        control(page, "kept", "select").select_option(label=name)
        press(page, "load")
        assert status(page).startswith(f"{recipe.relative_to(project)} is") and "damaged" in status(page)
        assert (cells(page) == before).all()
    finally:
        shutil.rmtree(recipe.parent)


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


def test_hostile_calls_are_answered_on_the_page(page):
    press(page, "z[5] = 3")
    before, state = cells(page), ask(page, "LatentExplorer._live.z.tolist()")
    for call, words in HOSTILE.items():
        ask(page, "0", do=f"LatentExplorer._live.{call}")
        said = status(page)
        assert all(word in said for word in words), (call, said)
        assert (cells(page) == before).all() and ask(page, "LatentExplorer._live.z.tolist()") == state, call
        assert value(page, "z[5]") == 3
    assert no_output_but_the_editor(page)


def test_hostile_messages_from_the_page_change_nothing(page):
    press(page, "z[5] = 3")
    before, state = cells(page), ask(page, "LatentExplorer._live.z.tolist()")
    model = ask(page, "LatentExplorer._live.slider_rows[5][1].model_id")
    hostile = [({"value": bad}, repr(bad)) for bad in (None, "abc", "NaN", 10**9, -4.5, True, [1], "<b>1</b>")]
    hostile += [({"min": -100}, "min"), ({"value": 1, "max": 9}, "max"), ({"description": "x"}, "description")]
    for message, word in hostile:
        page.evaluate(
            """([id, state]) => {
            const kernel = jupyterapp.shell.currentWidget.context.sessionContext.session.kernel;
            kernel._comms.get(id).send({method: 'update', state, buffer_paths: []});
        }""",
            [model, message],
        )
        said = status(page)
        assert said.startswith("z[5]: ") and word in said and said.endswith("; nothing was changed"), (message, said)
        assert (cells(page) == before).all(), message
    assert ask(page, "LatentExplorer._live.z.tolist()") == state
    press(page, "undo"), press(page, "redo")
    assert (cells(page) == before).all()
    assert status(page) == "" and value(page, "z[5]") == 3
    assert no_output_but_the_editor(page)


def test_a_number_that_does_not_fit_is_put_right(page, networks, z):
    seed, dimension = control(page, "base seed", "input"), control(page, "dimension", "input")
    for typed, shown in (("-5", 0), ("", 0), ("99999999999", 2**31 - 1)):
        seed.fill(typed)
        seed.press("Enter")
        base = latent.latents(8, 100, shown)
        assert_same(cells(page), library(networks["dcgan"], base, base))
        assert seed.input_value() == str(shown)
    dimension.fill("500")
    press(page, "add")
    assert sliders(page)[-1] == "z[99]"


def test_the_cell_run_again_leaves_one_editor(page):
    count = """async () => Object.keys((await jupyterapp.shell.currentWidget.context.sessionContext.session.kernel
        .requestCommInfo({target_name: 'jupyter.widget'})).content.comms).length"""
    before = page.evaluate(count)
    press(page, "z[5] = 3")
    run_editor_cell(page)
    run_editor_cell(page)
    assert page.locator(".labkit-editor").count() == 1
    assert page.evaluate(count) == before  # nothing of the old ones is left in the kernel


def test_an_editor_in_another_cell_takes_the_place_of_the_first(page, networks, z):
    notebook = "jupyterapp.shell.currentWidget.content"
    page.evaluate(f"""async () => {{
        await jupyterapp.commands.execute('notebook:insert-cell-below');
        {notebook}.activeCell.model.sharedModel.setSource('LatentExplorer(seed=3)');
        await jupyterapp.commands.execute('notebook:run-cell');
    }}""")
    try:
        other = latent.latents(8, 100, 3)
        assert_same(cells(page), library(networks["dcgan"], other, other))
        assert page.locator(".labkit-editor").count() == 1
        assert page.locator(".labkit-editor").evaluate(f"editor => {notebook}.activeCell.node.contains(editor)")
    finally:
        page.evaluate("jupyterapp.commands.execute('notebook:delete-cell')")


# How it looks.


def test_garments_and_eight_sliders_fit_a_small_screen(page):
    """1280 x 720: nothing to scroll sideways; garments, controls and eight sliders are in sight at once."""
    page.set_viewport_size({"width": 1280, "height": 720})
    try:
        for dim in range(6, 18):  # seventeen in all: they scroll by themselves
            ask(page, "0", do=f"LatentExplorer._live.add({dim})")
        assert len(sliders(page)) == 17
        room = page.evaluate("""() => {
            const editor = document.querySelector('.labkit-editor');
            const view = editor.closest('.jp-WindowedPanel-outer') || editor.closest('.jp-Notebook');
            editor.scrollIntoView({block: 'start'});
            const box = element => element.getBoundingClientRect();
            const part = name => editor.querySelector(`.labkit-${name}`);
            const low = box(view).top + view.clientHeight, right = box(view).left + view.clientWidth;
            const list = box(part('rows'));
            const rows = [...part('rows').children].map(box);
            const over = [...editor.querySelectorAll('*')].filter(one => box(one).width && box(one).right > right
                && !one.closest('.labkit-gallery'));
            return {
                sideways: view.scrollWidth - view.clientWidth, over: over.map(one => one.className),
                above: box(part('stage')).top - box(view).top, below: low - box(part('desk')).bottom,
                height: list.height, row: rows[1].top - rows[0].top, first: rows[0].top - list.top,
                seen: rows.filter(row => row.top >= list.top - 1 && row.bottom <= list.bottom + 1).length,
                track: box(part('row').querySelector('.noUi-target')).width,
            };
        }""")
    finally:
        page.set_viewport_size({"width": 1280, "height": 800})
    assert room["sideways"] <= 0 and room["over"] == [], room
    assert room["above"] >= 0 and room["below"] >= 0 and room["seen"] >= 8 and room["track"] >= 200, str(room)


@pytest.mark.parametrize("width", [1280, 900])
def test_no_text_on_a_button_is_cut_off(page, width):
    """Nor on a narrow page, where the tools stand below the sliders."""
    page.set_viewport_size({"width": width, "height": 800})
    page.wait_for_timeout(300)
    wide = "all => all.filter(button => button.scrollWidth > button.clientWidth).map(button => button.textContent)"
    try:
        assert page.eval_on_selector_all(".labkit-editor button", wide) == []
    finally:
        page.set_viewport_size({"width": 1280, "height": 800})


def test_the_pixels_are_squares(page):
    image = page.locator(".labkit-stage img")
    assert image.evaluate("image => getComputedStyle(image).imageRendering") == "pixelated"
    width, height, natural = image.evaluate(
        "i => [i.getBoundingClientRect().width, i.getBoundingClientRect().height, i.naturalWidth]"
    )
    assert (width / natural, height) == (4, 4 * 58)


CONTRAST = """() => {
    const channels = text => {
        const c = document.createElement('canvas').getContext('2d');
        c.fillStyle = text;
        c.fillRect(0, 0, 1, 1);
        return [...c.getImageData(0, 0, 1, 1).data];
    };
    const light = ([r, g, b]) => [r, g, b]
        .map(c => c / 255)
        .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
        .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
    const behind = element => {
        for (let e = element; e; e = e.parentElement) {
            const c = channels(getComputedStyle(e).backgroundColor);
            if (c[3] === 255) return c;
        }
        return [255, 255, 255];
    };
    const found = {}, places = [
        '.labkit-names span', '.labkit-measures span', '.widget-label', '.widget-readout',
        '.labkit-rows .widget-html span', 'button', '[role=status]',
    ];
    for (const what of places)
        for (const element of document.querySelectorAll('.labkit-editor ' + what)) {
            const [a, b] = [light(channels(getComputedStyle(element).color)), light(behind(element))];
            found[what] = Math.min(found[what] || 99, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05));
        }
    return {found, page: light(behind(document.querySelector('.labkit-editor')))};
}"""


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_text_can_be_read_in_both_themes(page, theme):
    use = "theme => jupyterapp.commands.execute('apputils:change-theme', {theme})"
    dark = theme.endswith("Dark")
    page.evaluate(use, theme)
    try:
        page.wait_for_function(f"document.body.dataset.jpThemeLight === '{str(not dark).lower()}'")
        press(page, "DCGAN"), press(page, "undo")  # a failed status, in red
        assert status(page) == "there is nothing to undo"
        seen = page.evaluate(CONTRAST)
        assert (seen["page"] < 0.2) == dark
        assert len(seen["found"]) == 7
        assert all(ratio >= 4.5 for ratio in seen["found"].values()), seen["found"]
    finally:
        page.evaluate(use, "JupyterLab Light")
        page.wait_for_function("document.body.dataset.jpThemeLight === 'true'")


def test_nobody_has_complained(page):
    """In all the tests above: no error in the browser's console, none in the page, no output of the kernel."""
    press(page, "z[5] = 3"), press(page, "difference"), press(page, "undo")
    quiet(page)
    assert page.evaluate("window.talk.faults") == []
    assert complaints == []


def test_after_a_restart_of_the_kernel_a_recipe_brings_the_garments_back(page):
    """Until the cells are run again, the last picture stands.

    Last of all: the page asks the new kernel for the widgets of the old one, and complains.
    """
    press(page, "z[5] = 3")
    before = cells(page)
    press(page, "save")
    name = re.search(r"explorer/([\w-]+):", status(page))[1]
    page.evaluate("jupyterapp.shell.currentWidget.context.sessionContext.session.kernel.restart()")
    page.wait_for_function("/restarted|gone/.test(document.querySelector('.labkit-pulse').textContent)", timeout=1000)
    assert (cells(page) == before).all()
    chain = "all => all.some(one => getComputedStyle(one, '::before').content !== 'none')"
    assert not page.eval_on_selector_all(".labkit-editor .jupyter-widgets-disconnected", chain)  # no broken pictures
    page.evaluate("jupyterapp.commands.execute('notebook:run-all-cells')")
    quiet(page, 120)
    assert page.locator(".labkit-editor").count() == 1
    assert (cells(page) != before).any()
    control(page, "kept", "select").select_option(label=name)
    press(page, "load")
    assert status(page) == f"{name} is back" and (cells(page) == before).all()
