"""The live editor as its user has it: a real JupyterLab, a real Chromium, and every pixel compared with the library's.

One server, one page and one run of notebook 03 (profile smoke) serve all tests; each test begins with a fresh editor.
The controls themselves, which the report's page has too, are tested there: test_page_lab.py, test_page_stage.py and
test_page_play.py. Here: that a kernel draws and keeps what they do, and what becomes of it when the kernel does not.
"""

import ast
import json
import os
import re
import signal
import time
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from axe_playwright_python.sync_playwright import Axe
from lab_page import CHROMIUM, chromium, jupyterlab, open_notebook, run_all, slow_link
from page_lab import Lab
from project_copy import clean_environment, copy_project

from labkit import latent, pictures
from labkit.base.rng import seeded
from labkit.training import runs

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no Chromium is installed")

NOTEBOOK = "notebooks/03_latent_perturbation.ipynb"
EDITOR = "LatentExplorer(runs.run_folder"  # how its cell is known
SHOWN = ".labkit-editor .lab[data-state=resting] .lab-garment .class:not(:empty)"
EVERY = list(range(8))
# Tests that close a page or a connection in the middle of what is said: then the kernel may be told of what is gone.
CUTTING = (
    "test_a_slow_link_is_told",
    "test_a_second_tab_follows_the_first",
    "test_after_a_restart_the_vectors_are_back",
)
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
def opened(server):
    """The page with chapter 03, all cells run."""
    with chromium() as browser:
        page = open_notebook(browser, server, NOTEBOOK)
        page.set_default_timeout(15_000)
        run_all(page, SHOWN, 240)
        page.evaluate(LISTEN)
        yield page


@pytest.fixture
def lab(opened, request):
    """The page with a fresh editor, scrolled to; complaints meanwhile are noted."""

    def note(text):
        if request.node.name not in CUTTING:
            complaints.append((request.node.name, text))

    def on_console(message):
        if message.type == "error":
            note(f"console: {message.text} ({message.location.get('url')})")

    def on_error(error):
        note(f"page: {error}")

    opened.on("console", on_console)
    opened.on("pageerror", on_error)
    run_editor_cell(opened)
    yield Lab(opened)
    quiet(opened)
    for fault in opened.evaluate("() => window.talk.faults.splice(0)"):
        note(f"kernel: {fault}")
    opened.remove_listener("console", on_console)
    opened.remove_listener("pageerror", on_error)


@pytest.fixture(scope="module")
def networks(opened, project):
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
    page.wait_for_selector(SHOWN.replace(".labkit-editor", ".labkit-editor:not([data-old])"), timeout=20_000)
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


def truth(lab, what="z"):
    """The vectors of the kernel's editor, (8, 100)."""
    lab.rest()
    return torch.tensor(ask(lab.page, f"LatentExplorer._live.{what}.tolist()"))


def check(lab, network, wanted):
    """The kernel has the vectors ``wanted``, and the page shows what ``network`` draws of them, to the grey level."""
    torch.testing.assert_close(truth(lab), wanted, atol=2e-6, rtol=0)
    shown, drawn = lab.pixels(), pictures.levels(latent.sample(network, wanted)).numpy().squeeze()
    apart = np.abs(shown.astype(int) - drawn)
    assert apart.max() <= 1 and (apart > 0).mean() < 1e-3, f"{(apart > 0).mean():.1%} differ, by up to {apart.max()}"


def keys(lab, title, *pressed):
    lab.slider(title).focus()
    for key in pressed:
        lab.page.keyboard.press(key)
    lab.rest()


def along(z, dim, value, rows=None):
    """``z`` with ``dim`` moved by ``value`` in ``rows``, left out all."""
    moved = z.clone()
    moved[EVERY if rows is None else rows, dim] += value
    return moved


def pulse(lab):
    """What is said of a kernel that does not answer."""
    return lab.page.locator(".lab-pulse").first.inner_text()


# What is drawn is the kernel's.


def test_after_run_all_the_garments_are_those_of_the_vectors(opened, networks, z):
    check(Lab(opened), networks["dcgan"], z)
    assert Lab(opened).titles() == ["z[5]", "z[20]", "z[40]", "z[60]", "z[80]"]


def test_keys_move_the_kernels_vectors_and_undo_takes_them_back(lab, networks, z):
    keys(lab, "z[5]", "PageUp", "PageUp", "ArrowLeft", "Shift+ArrowRight")
    edited = along(z, 5, 1.91)
    check(lab, networks["dcgan"], edited)
    assert ask(lab.page, "LatentExplorer._live.dims, LatentExplorer._live.mode") == ([5, 20, 40, 60, 80], "shift")
    lab.find("undo").click()
    check(lab, networks["dcgan"], z)
    lab.find("redo").click()
    check(lab, networks["dcgan"], edited)
    assert np.array_equal(lab.pixels("before"), pictures.levels(latent.sample(networks["dcgan"], z)).numpy().squeeze())


def test_a_chosen_garment_alone_is_edited(lab, networks, z):
    lab.find("garment").nth(2).click()
    lab.page.get_by_text("set to", exact=True).click()
    keys(lab, "z[20]", "PageUp")
    wanted = z.clone()
    wanted[2, 20] = round(z[2, 20].item() + 1, 2)
    check(lab, networks["dcgan"], wanted)
    assert ask(lab.page, "LatentExplorer._live.rows, LatentExplorer._live.mode") == ([2], "set")


def test_dragging_with_the_mouse(lab, networks):
    box = lab.slider("z[40]").bounding_box()
    y, left, width = box["y"] + box["height"] / 2, box["x"], box["width"]
    lab.page.mouse.move(left + width / 2, y)
    lab.page.mouse.down()
    for k in range(20):
        lab.page.mouse.move(left + width * (0.5 + 0.02 * k), y)
    lab.page.mouse.up()
    moved = truth(lab)
    assert lab.value("z[40]") == pytest.approx(3.2, abs=0.4)
    check(lab, networks["dcgan"], moved)
    lab.find("undo").click()  # the whole of it is one step
    assert lab.value("z[40]") == 0


def test_a_flood_of_moves_ends_at_the_last_within_half_a_second(lab, networks, z):
    lab.slider("z[5]").focus()
    for _ in range(60):
        lab.page.keyboard.press("ArrowRight", delay=0)
    begin = time.monotonic()
    lab.page.wait_for_function("document.querySelector('.lab').dataset.state === 'resting'")
    assert time.monotonic() - begin < 1.5  # of which 0.18 s are the rest itself, and the naming of the garments
    check(lab, networks["dcgan"], along(z, 5, 4))


def test_a_slider_moved_while_a_cell_runs(lab, networks, z):
    run_in_the_kernel(lab.page, "import time; time.sleep(1.5)")
    keys(lab, "z[5]", *["PageUp"] * 3)
    check(lab, networks["dcgan"], along(z, 5, 3))


def test_a_training_that_runs_keeps_its_random_numbers(lab):
    """New base vectors are drawn beside it, not from its stream."""
    lab.tab("Walk")
    draw = "with seeded('test'):\n    drawn = [(torch.randn(1).item(), time.sleep(0.002))[0] for _ in range(400)]"
    run_in_the_kernel(lab.page, f"import time\nfrom labkit.base.rng import seeded\n{draw}")
    for typed in range(3, 20):
        lab.find("seed").select_text()
        lab.page.keyboard.type(str(typed))
        lab.page.keyboard.press("Enter")
    with seeded("test"):
        wanted = [torch.randn(1).item() for _ in range(400)]
    assert ask(lab.page, "drawn") == wanted
    torch.testing.assert_close(truth(lab, "base"), latent.latents(8, 100, 19))


def test_a_call_in_a_cell_moves_the_page(lab, networks, z):
    """Who types edits and who drags edit the same vectors."""
    ask(lab.page, "LatentExplorer._live.status", "LatentExplorer._live.set(5, 2.0)")
    wanted = latent.perturb(z, 5, 2.0)
    lab.page.wait_for_function("document.querySelector('.lab-row input[type=number]').value !== '0.00'")
    check(lab, networks["dcgan"], wanted)
    keys(lab, "z[20]", "PageUp")
    check(lab, networks["dcgan"], along(wanted, 20, 1))
    assert ask(lab.page, "LatentExplorer._live.failed", "LatentExplorer._live.undo()") is False
    lab.page.wait_for_timeout(300)
    check(lab, networks["dcgan"], wanted)
    ask(lab.page, "0", "LatentExplorer._live.set(5, 99)")
    lab.page.wait_for_function("document.querySelector('.lab-status').textContent.includes('out of range')")


def test_another_network_from_the_list_draws_the_same_vectors(lab, networks, z):
    keys(lab, "z[5]", "PageUp")
    titles = lab.find("networks").locator("option").all_inner_texts()
    assert {title.split(":")[0] for title in titles} == {"DCGAN", "vanilla GAN"}
    lab.find("networks").select_option(label=next(title for title in titles if title.startswith("vanilla GAN: smoke")))
    lab.page.wait_for_function("document.querySelector('.lab-note').textContent.startsWith('vanilla GAN')")
    check(lab, networks["vanilla"], along(z, 5, 1))
    assert "vanilla" in ask(lab.page, "str(LatentExplorer._live.run.folder)")


def test_a_dimension_by_number_and_what_was_not_measured(lab):
    field = lab.find("search")
    field.fill("33")
    field.press("Enter")
    assert lab.titles()[0] == "z[33]" and truth(lab).shape == (8, 100)
    assert ask(lab.page, "LatentExplorer._live.dims") == [33, 5, 20, 40, 60, 80]
    assert lab.page.get_by_role("button", name="Measure them").is_visible()  # a run of this minute
    field.fill("nonsense")
    field.press("Enter")
    assert lab.said() and lab.titles()[0] == "z[33]"


@pytest.mark.slow
def test_find_a_garment_and_the_kernel_has_its_vector(lab, networks):
    lab.tab("Draw")
    lab.page.locator(".lab-tests button").nth(3).click()
    lab.find("go").click()
    lab.page.wait_for_function("document.querySelector('.lab-status').textContent.startsWith('Found')", timeout=60_000)
    found = truth(lab)
    assert not torch.equal(found[0], latent.latents(8)[0]) and torch.equal(found[1:], latent.latents(8)[1:])
    check(lab, networks["dcgan"], found)


# What is kept.


def test_what_is_kept_opens_by_a_click_and_is_the_same(lab, project, networks, z):
    keys(lab, "z[5]", "PageUp", "PageUp")
    lab.tab("Keep")
    lab.find("keep").click()
    lab.page.wait_for_function("document.querySelector('.lab-status').textContent.startsWith('kept in')")
    name = lab.said().split(":")[0].rpartition("/")[2]
    saved = json.loads((project / f"figures/explorer/{name}/recipe.json").read_text())
    torch.testing.assert_close(torch.tensor(saved["z"]), along(z, 5, 2))
    lab.find("reset").click()
    check(lab, networks["dcgan"], z)
    lab.page.get_by_title(f"open {name}").click()
    lab.page.wait_for_function("document.querySelector('.lab-status').textContent.endsWith('is back')")
    check(lab, networks["dcgan"], along(z, 5, 2))
    assert lab.page.locator(".lab-gallery img").first.evaluate("image => image.naturalWidth") > 50


def test_a_sweep_is_shown(lab, project):
    lab.tab("Keep")
    lab.find("sweep").click()
    lab.page.wait_for_selector(".lab-movie:visible", timeout=30_000)
    name = lab.said().split(":")[0].rpartition("/")[2]
    assert (project / f"figures/explorer/{name}/sweep.gif").exists()
    assert lab.find("movie").evaluate("image => image.decode().then(() => image.naturalWidth)") > 500


def test_a_recipe_that_somebody_sent_is_opened(lab, project, networks, z):
    keys(lab, "z[60]", "PageDown")
    lab.tab("Keep")
    with lab.page.expect_download() as download:
        lab.find("save").click()
    lab.find("reset").click()
    lab.page.locator("input.lab-load").set_input_files(
        {"name": "r.json", "mimeType": "application/json", "buffer": download.value.path().read_bytes()}
    )
    lab.page.wait_for_function("document.querySelector('.lab-status').textContent === 'the recipe is opened'")
    check(lab, networks["dcgan"], along(z, 60, -1))
    lab.page.locator("input.lab-load").set_input_files(
        {"name": "r.json", "mimeType": "application/json", "buffer": b'{"format": 1}'}
    )
    lab.page.wait_for_function("document.querySelector('.lab-status').textContent.includes('no recipe')")
    check(lab, networks["dcgan"], along(z, 60, -1))


def test_a_damaged_network_is_named_and_the_last_picture_stands(lab, project, networks, z):
    (vanilla,) = (project / "data/runs/smoke/vanilla").iterdir()
    ask(lab.page, "0", "LatentExplorer._live.others.clear()")
    with damaged(vanilla / "generator.safetensors"):
        titles = lab.find("networks").locator("option").all_inner_texts()
        broken = next(title for title in titles if title.startswith("vanilla GAN: smoke"))
        lab.find("networks").select_option(label=broken)
        lab.page.wait_for_selector(".lab-status.failed")
        assert "damaged" in lab.said()
        check(lab, networks["dcgan"], z)


# What goes wrong.


def test_a_kernel_that_does_not_answer_is_told_within_a_second(lab, networks, z):
    pid = ask(lab.page, "__import__('os').getpid()")
    assert pulse(lab) == ""
    os.kill(pid, signal.SIGSTOP)
    try:
        lab.slider("z[5]").focus()
        lab.page.keyboard.press("PageUp")
        lab.page.wait_for_function("document.querySelector('.lab-pulse').textContent", timeout=1200)
        assert pulse(lab).startswith("No answer for ")
    finally:
        os.kill(pid, signal.SIGCONT)
    check(lab, networks["dcgan"], along(z, 5, 1))  # it follows, and all is well
    assert not pulse(lab).startswith("No answer")


def test_a_kernel_that_answers_is_not_complained_of(lab):
    lab.page.evaluate(
        """() => { const place = document.querySelector('.lab-pulse'); window.said = [];
        new MutationObserver(() => said.push(place.textContent)).observe(place, {childList: true}) }"""
    )
    keys(lab, "z[5]", *["ArrowRight"] * 12)
    for name in ("Pad", "Walk", "Draw", "Keep", "Sliders"):
        lab.tab(name)
    lab.find("reset").click()
    lab.page.wait_for_timeout(1000)
    assert [text for text in lab.page.evaluate("said") if text.startswith("No answer")] == []


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
    assert len(faults) == 15 and all(content["fault"].count("\n") == 0 for content in faults)
    check(lab, networks["dcgan"], z)
    keys(lab, "z[5]", "PageUp")
    check(lab, networks["dcgan"], along(z, 5, 1))


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


@pytest.mark.slow
def test_a_slow_link_is_told(lab, server):
    address, token = server
    with slow_link(address, 0.15) as slow:
        tab = open_notebook(lab.page.context.browser, (slow, token), NOTEBOOK)
        tab.set_default_timeout(30_000)
        tab.evaluate(LISTEN)
        try:
            run_editor_cell(tab)
            there = Lab(tab)
            there.slider("z[5]").focus()
            for _ in range(30):
                tab.keyboard.press("ArrowRight")
                tab.wait_for_timeout(50)
            late = re.fullmatch(r"Slow link: pictures come (\d\.\d) s late\.", pulse(there))
            assert late and 0.3 <= float(late[1]) < 2, pulse(there)
        finally:
            tab.close()


def test_a_second_tab_follows_the_first(lab, server, networks, z):
    """Neither is blank: both show the same editor, whichever moves it."""
    lab.page.evaluate("jupyterapp.commands.execute('docmanager:save')")
    lab.page.wait_for_timeout(1000)
    tab = open_notebook(lab.page.context.browser, server, NOTEBOOK)
    tab.set_default_timeout(20_000)
    tab.evaluate(LISTEN)
    try:
        there = Lab(tab)
        tab.locator(".labkit-editor").scroll_into_view_if_needed()
        there.rest()
        keys(lab, "z[5]", "PageUp")
        check(lab, networks["dcgan"], along(z, 5, 1))
        tab.wait_for_timeout(500)
        check(there, networks["dcgan"], along(z, 5, 1))
        keys(there, "z[20]", "PageDown")
        tab.wait_for_timeout(500)
        both = along(along(z, 5, 1), 20, -1)
        check(there, networks["dcgan"], both)
        check(lab, networks["dcgan"], both)
    finally:
        tab.close()


def test_the_cell_run_again_leaves_one_editor(lab, networks, z):
    keys(lab, "z[5]", "PageUp")
    run_editor_cell(lab.page)
    assert lab.page.locator(".labkit-editor").count() == 1
    check(lab, networks["dcgan"], z)


def test_an_editor_in_another_cell_takes_the_place_of_the_first(lab, networks, z):
    keys(lab, "z[5]", "PageUp")
    lab.page.evaluate("jupyterapp.commands.execute('notebook:insert-cell-below')")
    lab.page.evaluate(
        "() => { jupyterapp.shell.currentWidget.content.activeCell.model.sharedModel.setSource('LatentExplorer()') }"
    )
    lab.page.evaluate("jupyterapp.commands.execute('notebook:run-cell')")
    try:
        lab.page.wait_for_selector(".lab-gone:visible")
        assert lab.page.locator(".lab-gone:visible").inner_text().startswith("Another editor has been opened")
        lab.page.locator(".lab-gone:visible button").click()
        lab.page.wait_for_function("document.querySelectorAll('.lab:not([hidden])').length === 1")
        torch.testing.assert_close(
            torch.tensor(ask(lab.page, "LatentExplorer._live.z.tolist()")), along(z, 5, 1), atol=2e-6, rtol=0
        )
    finally:
        lab.page.evaluate(
            """() => { const notebook = jupyterapp.shell.currentWidget.content;
            notebook.deselectAll();
            notebook.activeCellIndex = notebook.widgets.findIndex(
                cell => cell.model.sharedModel.source === 'LatentExplorer()');
            return jupyterapp.commands.execute('notebook:delete-cell') }"""
        )


# How it looks, and who can use it.


def test_stage_and_eight_sliders_fit_a_small_screen(lab):
    lab.page.set_viewport_size({"width": 1280, "height": 720})
    try:
        for number in ("7", "9", "33"):
            lab.find("search").fill(number)
            lab.find("search").press("Enter")
        lab.page.locator(".labkit-editor").evaluate("editor => editor.scrollIntoView()")
        lab.rest()
        low = lab.page.locator(".jp-WindowedPanel-outer").first.bounding_box()
        boxes = [part.bounding_box() for part in (*lab.find("garment").all(), *lab.page.locator(".lab-row").all())]
        assert len(boxes) == 16
        for box in boxes:
            assert low["y"] - 1 <= box["y"] and box["y"] + box["height"] <= low["y"] + low["height"] + 1
            assert box["x"] + box["width"] <= low["x"] + low["width"]
    finally:
        lab.page.set_viewport_size({"width": 1280, "height": 800})


def test_keys_of_the_lab_are_not_jupyterlabs(lab):
    """A letter typed into a field, or pressed on a garment, makes no cell and deletes none."""
    cells = "jupyterapp.shell.currentWidget.content.widgets.length"
    before = lab.page.evaluate(cells)
    for part in (lab.find("search"), lab.find("garment").first, lab.slider("z[5]")):
        part.focus()
        for key in ("a", "b", "d", "d", "x", "m"):
            lab.page.keyboard.press(key)
    assert lab.page.evaluate(cells) == before


def test_the_keyboard_alone_reaches_everything_in_25_stops(lab):
    lab.find("networks").focus()
    reached = []
    for _ in range(25):
        name = lab.page.evaluate(
            """() => { const at = document.activeElement;
            return at.closest('.labkit-editor') && (at.getAttribute('aria-label') || at.textContent || at.name) }"""
        )
        if not name:
            break
        reached.append(" ".join(name.split()))
        lab.page.keyboard.press("Tab")
    joined = " | ".join(reached)
    for wanted in ("Undo", "Redo", "Reset", "Sliders", "z[5]", "z[80]"):
        assert wanted in joined, joined
    assert len(reached) < 25, joined


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_accessibility_in_both_themes(lab, theme):
    """axe-core finds nothing that keeps anybody out, whichever panel is open."""
    lab.page.evaluate("theme => jupyterapp.commands.execute('apputils:change-theme', {theme})", theme)
    lab.page.wait_for_timeout(700)
    try:
        for name in ("Sliders", "Pad", "Walk", "Draw", "Keep"):
            lab.tab(name)
            found = Axe().run(lab.page, context=".labkit-editor").response["violations"]
            serious = [
                (one["id"], one["nodes"][0]["html"][:200]) for one in found if one["impact"] in ("serious", "critical")
            ]
            assert serious == [], (name, serious)
    finally:
        lab.page.evaluate("jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Light'})")
        lab.page.wait_for_timeout(500)


# Last.


def test_nobody_has_complained(lab):
    """Neither the browser's console nor the kernel had anything to say meanwhile."""
    assert complaints == []


def test_after_a_restart_the_vectors_are_back(lab, networks, z):
    keys(lab, "z[5]", "PageUp")
    lab.page.evaluate("jupyterapp.shell.currentWidget.context.sessionContext.session.kernel.restart()")
    lab.page.wait_for_function(
        "document.querySelector('.lab-pulse').textContent.startsWith('The kernel')", timeout=5000
    )
    lab.page.wait_for_function(
        "jupyterapp.shell.currentWidget.context.sessionContext.session.kernel.status === 'idle'", timeout=30_000
    )
    run_all(lab.page, SHOWN.replace(".labkit-editor", ".labkit-editor:not([data-old])"), 120)
    lab.page.wait_for_timeout(1500)
    assert lab.said().startswith("The kernel is a new one")
    check(lab, networks["dcgan"], along(z, 5, 1))
    lab.find("undo").click()
    check(lab, networks["dcgan"], z)
