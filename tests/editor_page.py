"""The live editor in a real JupyterLab and a real Chromium: what the tests of it share.

One server, one page and one run of notebook 03 (profile smoke) serve all tests of a file; each begins with a fresh
editor, and every pixel is compared with the library's.
"""

import ast
import json
import re

import numpy as np
import pytest
import torch
from lab_page import chromium, jupyterlab, open_notebook, run_all
from page_lab import Lab
from project_copy import clean_environment, copy_project

from labkit import latent, pictures
from labkit.training import runs

NOTEBOOK = "notebooks/03_latent_perturbation.ipynb"
EDITOR = "LatentExplorer(runs.run_folder"  # how its cell is known
SHOWN = ".labkit-editor .lab[data-state=resting] .lab-garment .class:not(:empty)"
EVERY = list(range(8))
# Tests that close a page or a connection in the middle of what is said: then the kernel may be told of what is gone.
CUTTING = (
    "test_a_slow_link_is_told",
    "test_a_second_tab_follows_the_first",
    "test_after_a_restart_the_vectors_are_back",
    "test_a_kernel_that_is_gone_is_told_and_the_vectors_come_back",
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
    complaints.clear()
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


def run_editor_cell(page, seek=True):
    """Run the editor's cell again, as Shift+Enter does, and scroll to it unless ``seek`` is false."""
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
    if seek:
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
    alike(lab.pixels(), library(network, wanted))


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


def status(lab, text):
    """Wait until the status line has ``text`` in it; all of it."""
    lab.page.wait_for_function("text => document.querySelector('.lab-status').textContent.includes(text)", arg=text)
    return lab.said()


def add(lab, text):
    """Look for ``text`` in the field above the sliders, and take what comes first."""
    lab.find("search").fill(text)
    lab.find("search").press("Enter")


def take_network(lab, beginning):
    """Choose the network whose name begins so from the list of them."""
    titles = lab.find("networks").locator("option").all_inner_texts()
    lab.find("networks").select_option(index=next(k for k, one in enumerate(titles) if one.startswith(beginning)))


def library(network, z):
    """What ``network`` makes of ``z``, as `Lab.pixels` gives it."""
    return pictures.levels(latent.sample(network, z)).numpy().squeeze()


def alike(shown, drawn):
    """Equal to the grey level; hardly anywhere, where a sum was rounded the other way, half a level becomes one."""
    apart = np.abs(shown.astype(int) - drawn)
    assert apart.max() <= 1 and (apart > 0).mean() < 1e-3, f"{(apart > 0).mean():.1%} differ, by up to {apart.max()}"


def pulse(lab):
    """What is said of a kernel that does not answer."""
    return lab.page.locator(".lab-pulse").first.inner_text()
