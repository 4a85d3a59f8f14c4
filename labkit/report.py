"""Execute the notebooks, decide whether they succeeded, publish the report: all of it or nothing.

`make report` runs this module. Notebooks run in a staging folder, in order, each in a fresh kernel of this very
interpreter; then the report is rendered, and only a complete one takes the place of the last.
"""

import argparse
import ast
import asyncio
import json
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from unittest.mock import patch

from . import data, runs
from .config import MODELS, TrainConfig, config_for
from .figures import FIGURES
from .latent import check_edits
from .runs import load_run, run_folder
from .system import BROWSERS, ROOT, LabError, exclusive, pick_device, write_atomic, write_fault

NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
BUILD = ROOT / "build"
RETRAINED = BUILD / "retrained"
KERNEL_START = 60  # seconds that a kernel may take to come up
TITLE = "What a GAN learns from sixty thousand garments"
LEAD = "A lab report on Fashion-MNIST: a vanilla GAN, a DCGAN, and what happens when one number of z moves."


def make_report(profile: str, device: str = "auto", settings: dict | None = None, notebooks: list[Path] = NOTEBOOKS) -> Path:
    """Run ``notebooks`` with ``settings``, publish build/<profile>/report.html and figures/<profile>/.

    ``settings`` are parameters of the notebooks or fields of TrainConfig. Returns the path of the HTML report.

    Raises:
        LabError: bad settings, or a notebook failed; the last good report is as it was.
    """
    parameters = check_settings(profile, device, dict(settings or {}), notebooks)
    with exclusive(BUILD / f".{profile}.busy"):  # a folder: one report of a profile at a time
        data.ensure(data.data_folder())
        start, stage, failed = time.perf_counter(), BUILD / f".{profile}.staging", BUILD / f"{profile}-failed"
        for folder in (stage, failed):
            shutil.rmtree(folder, ignore_errors=True)
        (stage / "figures").mkdir(parents=True)
        try:
            for number, notebook in enumerate(notebooks, 1):
                print(f"[{number}/{len(notebooks)}] {notebook.name}", flush=True)
                execute(notebook, stage / notebook.name, parameters, stage)
            report = render(stage, [n.name for n in notebooks], parameters, time.perf_counter() - start)
        except LabError:
            os.replace(stage, failed)
            print(f"the failed notebook is kept as {failed / notebook.name}", file=sys.stderr)
            raise
        shutil.rmtree(stage / "jupyter")
        publish(stage / "figures", ROOT / "figures" / profile)
        publish(stage, BUILD / profile)
        return BUILD / profile / report.name


def check_settings(profile: str, device: str, settings: dict, notebooks: list[Path]) -> dict:
    """All notebook parameters for ``settings``, or a LabError before anything is run or written."""
    declared = {name: value for notebook in notebooks for name, value in declared_parameters(notebook).items()}
    free = {name: value for name, value in declared.items() if name not in ("profile", "device", "changes")}
    fields = [name for name in TrainConfig.__dataclass_fields__ if name not in ("model", "profile", "seed")]
    for name, value in settings.items():
        if name not in free and name not in fields:
            known = ", ".join([*free, *fields])
            raise LabError(f"{name} = {value!r}: there is no such setting (profile and device are options); the settings are {known}")
        if name in free and type(value) is not type(free[name]):
            raise LabError(f"{name} = {value!r} has the wrong type: it takes {type(free[name]).__name__}, for instance {free[name]!r}")
    changes = {name: settings.pop(name) for name in fields if name in settings}
    configs = [config_for(model, profile, **({"seed": settings["seed"]} if "seed" in settings else {}), **changes) for model in MODELS]
    if "dims" in free:
        check_edits(settings.get("dims", free["dims"]), settings.get("values", free["values"]), configs[0].latent_dim, len(free["dims"]))
    return {"profile": profile, "device": pick_device(device), "changes": changes, **settings}


def declared_parameters(notebook: Path) -> dict[str, object]:
    """The names that the cell tagged `parameters` assigns, with their values."""
    try:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        source = next("".join(cell["source"]) for cell in cells if "parameters" in cell["metadata"].get("tags", []))
        return {node.targets[0].id: ast.literal_eval(node.value) for node in ast.parse(source).body if isinstance(node, ast.Assign)}
    except StopIteration:
        raise LabError(f"{notebook} has no cell tagged 'parameters': tag the one with its settings") from None
    except (OSError, ValueError, KeyError, SyntaxError, AttributeError) as error:
        raise LabError(f"{notebook} is not a notebook with plain settings ({error}): mend it, or take the project's own") from None


def execute(notebook: Path, out: Path, parameters: dict, stage: Path) -> None:
    """Run ``notebook`` in a fresh kernel of this interpreter and save it to ``out``; our own verdict, not papermill's.

    Raises:
        LabError: a cell failed or never ran, or the kernel died; the line names notebook, cell and error.
    """
    import nbformat
    import papermill
    from nbclient.exceptions import DeadKernelError

    kernel = {"argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}", "--log-level=CRITICAL"], "display_name": "python3", "language": "python"}
    write_atomic(stage / "jupyter/kernels/python3/kernel.json", json.dumps(kernel).encode())
    own = {"JUPYTER_PATH": str(stage / "jupyter"), "LABKIT_HEADLESS": "1", "LABKIT_FIGURES": str(stage / "figures"), "PYTHONPATH": str(ROOT)}
    wanted, start = declared_parameters(notebook), time.perf_counter()
    logging.getLogger("asyncio").addFilter(_is_news)
    try:
        with patch.dict(os.environ, own):  # the kernel inherits it
            papermill.execute_notebook(
                *(str(path).replace("{", "{{").replace("}", "}}") for path in (notebook, out)),  # papermill formats paths
                {name: value for name, value in parameters.items() if name in wanted},
                kernel_name="python3",
                language="python",
                cwd=notebook.parent,
                start_timeout=KERNEL_START,
                progress_bar=False,
                stderr_file=sys.stderr,
            )
    except papermill.PapermillExecutionError as error:
        message = (str(error.evalue) or error.ename).splitlines()[0]
        kind = "" if error.ename == "LabError" else f"{error.ename}: "
        raise LabError(f"{notebook.name}, cell {error.exec_count}: {kind}{message}") from None
    except DeadKernelError:
        raise LabError(f"{notebook.name}: the kernel died (killed, perhaps for want of memory): close other programs and try again") from None
    except RuntimeError as error:  # the kernel never came up
        raise LabError(f"{notebook.name}: no kernel ({str(error).splitlines()[0]}): run 'make doctor'") from None
    for cell in nbformat.read(out, 4).cells:
        if cell.cell_type == "code" and cell.source.strip() and cell.execution_count is None:
            raise LabError(f"{notebook.name} stopped early: the cell «{cell.source.splitlines()[0]}» never ran")
    print(f"      done in {time.perf_counter() - start:.0f} s", flush=True)


def _is_news(record: logging.LogRecord) -> bool:
    """False for the traceback of a task that still waited for the kernel when an interruption ended it."""
    return not (record.exc_info and record.exc_info[0].__name__ == "DeadKernelError")


def render(stage: Path, names: list[str], parameters: dict, seconds: float) -> Path:
    """The executed notebooks in ``stage`` as one self-contained HTML page that asks the network for nothing."""
    import jinja2
    import nbformat
    from pygments.formatters import HtmlFormatter

    missing = [str(n) for n, (slug, _) in FIGURES.items() if not (stage / f"figures/fig{n:02d}_{slug}.png").exists()]
    if missing:
        raise LabError(f"figure {', '.join(missing)} was not made by any notebook: the report is not published")
    declared = {f"fig{n:02d}_{slug}" for n, (slug, _) in FIGURES.items()}
    if strangers := sorted(path.name for path in (stage / "figures").iterdir() if path.stem not in declared):
        raise LabError(f"{', '.join(strangers)}: no figure of the report (see FIGURES in labkit/figures.py): the report is not published")
    exporter, chapters = _exporter(), []
    for name in names:
        notebook = nbformat.read(stage / name, 4)
        body, _ = exporter.from_notebook_node(notebook)
        body = re.sub(r'href="(\d\d_\w+)\.ipynb"', r'href="#\1"', body).replace('href="../', 'href="../../')
        body = re.sub(r'<figure style="[^"]*">(?=<img[^>]*alt="Figure (\d+)\.)', r'<figure id="figure-\1">', body)
        numbers = [int(n) for n in re.findall(r'<figure id="figure-(\d+)"', body)]
        title = next((line[2:] for line in notebook.cells[0].source.splitlines() if line.startswith("# ")), name)
        chapters.append({"name": name.removesuffix(".ipynb"), "title": title, "body": body, "figures": [(n, FIGURES[n][1]) for n in numbers]})
    page = jinja2.Environment(autoescape=True).from_string((Path(__file__).parent / "templates/page.html.j2").read_text())
    content = page.render(
        title=TITLE,
        lead=LEAD,
        made=_provenance(parameters, seconds),
        chapters=chapters,
        pygments=HtmlFormatter().get_style_defs(".highlight"),
    )
    return write_atomic(stage / "report.html", content.encode())


def _exporter():
    """nbconvert with our chapter template, and formulas as MathML, which browsers draw without a script."""
    from latex2mathml.converter import convert
    from nbconvert import HTMLExporter
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

    class Renderer(IPythonRenderer):
        def inline_math(self, body):
            return convert(body)

        def block_math(self, body):
            return convert(body, display="block")

    class Exporter(HTMLExporter):
        def default_filters(self):
            yield from super().default_filters()
            yield "markdown2html", lambda source: MarkdownWithMath(renderer=Renderer(escape=False)).render(source)

    return Exporter(template_name="chapter", extra_template_basedirs=[str(Path(__file__).parent / "templates")], sanitize_html=False)


def _provenance(parameters: dict, seconds: float) -> list[tuple[str, str]]:
    """How the report was made: name and value, for the head of the page."""
    rows = [("made", f"{datetime.now():%Y-%m-%d %H:%M}, profile {parameters['profile']}, in {seconds:.0f} s beyond earlier runs")]
    for model in MODELS:
        seed = {"seed": parameters["seed"]} if "seed" in parameters else {}
        run = load_run(run_folder(config_for(model, parameters["profile"], **seed, **parameters["changes"])))
        c, m = run.config, run.manifest
        rows.append((
            model,
            f"{run.length} of {c.examples:,} images, batch {c.batch}, Adam {c.lr:g}{f' (D {c.lr_d:g})' if c.lr_d else ''}, {f'{c.d_steps} steps of D to one of G, ' if c.d_steps > 1 else ''}EMA {c.ema:g}, seed {c.seed}; trained in {m['seconds']:.0f} s on"
            f" {m['machine']['device']} with {m['machine']['threads']} thread{'s' * (m['machine']['threads'] > 1)}, torch {m['machine']['torch']}, {m['machine'].get('precision', 'float32')};"
            f" generator sha256 {m['files']['generator.safetensors'][:12]}",
        ))
    rows.append(("data", f"Fashion-MNIST, training images sha256 {data.DIGESTS['train-images-idx3-ubyte'][:12]}"))
    git = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    done = subprocess.run(git, capture_output=True, text=True) if shutil.which("git") else None
    return rows + ([("code", f"commit {done.stdout.strip()}")] if done and done.returncode == 0 else [])


def publish(new: Path, target: Path) -> None:
    """Put the folder ``new`` in the place of ``target`` by rename."""
    old = target.with_name(f".{target.name}.old")
    if old.exists() and not target.exists():  # an earlier publication was killed half-way
        os.replace(old, target)
    shutil.rmtree(old, ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        os.replace(target, old)
    try:
        os.replace(new, target)
    except BaseException:
        if old.exists():
            os.replace(old, target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def make_pdf(profile: str) -> Path:
    """Print build/<profile>/report.html to PDF with a headless Chromium."""
    source, browser = BUILD / profile / "report.html", next(filter(None, map(shutil.which, BROWSERS)), None)
    if not source.exists():
        raise LabError(f"{source} is not there: run 'make report PROFILE={profile}' first")
    if not browser:
        raise LabError(f"no Chromium is installed: install one, or open {source} and print it")
    out = source.with_suffix(".pdf")
    with tempfile.TemporaryDirectory() as scratch:
        command = [browser, "--headless", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update"]
        command += ["--disable-sync", f"--user-data-dir={scratch}", "--no-pdf-header-footer", f"--print-to-pdf={scratch}/out.pdf", source.as_uri()]
        done = subprocess.run(command + ["--no-sandbox"] * (os.geteuid() == 0), capture_output=True, text=True, timeout=120)
        if not Path(scratch, "out.pdf").exists():
            raise LabError(f"{browser} made no PDF of {source}: {(done.stderr.strip().splitlines() or ['no message'])[-1]}")
        return write_atomic(out, Path(scratch, "out.pdf").read_bytes())


def parse_setting(text: str) -> tuple[str, object]:
    """`name=value` of the command line; the value is JSON, or else text."""
    name, sign, value = text.partition("=")
    if not sign:
        raise LabError(f"setting {text!r} has no value: write name=value, for instance epochs=3")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def main() -> None:
    """The command line: make a report, or print the last one to PDF."""
    parser = argparse.ArgumentParser(prog="python -m labkit.report", description=make_report.__doc__.splitlines()[0])
    parser.add_argument("settings", nargs="*", metavar="name=value", help="parameters of the notebooks or fields of TrainConfig")
    parser.add_argument("--profile", default="auto", help="smoke, quick or full; auto is full on a GPU or if its runs are there, else quick")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--pdf", action="store_true", help="print the report that was made to PDF")
    parser.add_argument("--retrain", action="store_true", help=f"load no finished run: train anew, into {RETRAINED}")
    options = parser.parse_args()
    settings = dict(map(parse_setting, options.settings))
    own = {name: value for name, value in settings.items() if name in TrainConfig.__dataclass_fields__ and name not in ("model", "profile")}
    if options.retrain:
        runs.RUNS = RETRAINED
        os.environ["LABKIT_RUNS"] = str(RETRAINED)  # for the kernels
    profile = runs.choose_profile(options.profile, pick_device(options.device), **own)
    if options.retrain:
        for folder in (run_folder(config_for(model, profile, **own)) for model in MODELS):
            if (folder / "run.json").exists():  # of an earlier call; an interrupted training goes on
                shutil.rmtree(folder)
    made = make_pdf(profile) if options.pdf else make_report(profile, options.device, settings)
    print(f"report: {made}")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: the kernel ends its step and keeps what is done
    try:
        main()
    except (LabError, subprocess.TimeoutExpired) as error:
        raise SystemExit(f"labkit: {error}") from None
    except OSError as error:
        raise SystemExit(f"labkit: {write_fault(Path(error.filename or BUILD), 0, error)}") from None
    except (KeyboardInterrupt, asyncio.CancelledError):  # the second, if Ctrl-C came while the kernel was being waited for
        print("\nlabkit: interrupted: what is done is kept; run the same command to go on from there", file=sys.stderr)
        raise SystemExit(130) from None
