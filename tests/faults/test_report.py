"""The report runner: it publishes all or nothing, and believes neither papermill nor the machine it runs on."""

import asyncio
import base64
import gc
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from functools import partial
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import numpy as np
import pytest
from lab_page import chromium, needs_chromium
from nbclient.exceptions import DeadKernelError
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image
from project_copy import clean_environment, copy_project

from labkit.base import paths
from labkit.base.errors import LabError
from labkit.base.files import exclusive, write_atomic
from labkit.config import config_for
from labkit.figures import catalogue
from labkit.figures.catalogue import FIGURES
from labkit.latent import LAB_DIMS
from labkit.page.bundle import script_hash
from labkit.report import execute, images, make, publish, render
from labkit.report import settings as report_settings
from labkit.training.runs import run_folder

FILES = [f"fig{n:02d}_{slug}.png" for n, (slug, _) in FIGURES.items()]
DRAW = """
import os, pathlib
for name in {names}:
    path = pathlib.Path(os.environ["LABKIT_FIGURES"], name)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"drawn by " + note.encode())
"""


@pytest.fixture
def lab(tmp_path, monkeypatch, sample_folder):
    """An empty project for the runner, with the last good report of profile smoke in its place."""
    root = tmp_path / "project"
    monkeypatch.setattr(paths, "ROOT", root)
    monkeypatch.setattr(paths, "BUILD", root / "build")
    monkeypatch.setattr(paths, "FIGURES", root / "figures")
    monkeypatch.setattr(render, "provenance", lambda *_: [("made", "in a test")])
    monkeypatch.setattr(paths, "DATA", sample_folder)
    for place in ("build/smoke/report.html", "build/smoke/01_good.ipynb", "figures/smoke/fig01_vanilla_structure.png"):
        path = root / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"the last good one")
    return root


def notebook(folder, name, *sources, tags=()):
    """A notebook with a title, a `parameters` cell and ``sources``, the last of which has ``tags``."""
    folder.mkdir(parents=True, exist_ok=True)
    cells = [
        new_markdown_cell(f"# Chapter {name}"),
        new_code_cell('profile = "auto"\nnote = "default"', metadata={"tags": ["parameters"]}),
        *(new_code_cell(source) for source in sources),
    ]
    made = new_notebook(cells=cells, metadata={"language_info": {"name": "python"}})
    made.cells[-1].metadata["tags"] = list(tags)
    nbformat.write(made, folder / name)
    return folder / name


def snapshot(*folders):
    return {path: path.read_bytes() for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()}


def printed(path):
    """All that the cells of an executed notebook printed."""
    cells = nbformat.read(path, 4).cells
    return "".join(out.text for cell in cells if cell.cell_type == "code" for out in cell.outputs if "text" in out)


# ----- success


def test_success_publishes_notebooks_figures_and_page(lab, tmp_path):
    draw = notebook(tmp_path / "notebooks", "01_draw.ipynb", DRAW.format(names=FILES), "print('note is', note)")
    other = notebook(tmp_path / "notebooks", "02_other.ipynb", "print(profile, 2 + 2)")
    before = snapshot(tmp_path / "notebooks")
    environment = dict(os.environ)

    page = make.make_report("smoke", "cpu", {"note": "{x} 'quoted' 報告"}, [draw, other])

    assert page == lab / "build/smoke/report.html"
    assert {"01_draw.ipynb", "02_other.ipynb"} == set(re.findall(r"Chapter (\w+\.ipynb)", page.read_text("utf-8")))
    figures = snapshot(lab / "figures/smoke")
    assert sorted(path.name for path in figures) == FILES
    assert set(figures.values()) == {"drawn by {x} 'quoted' 報告".encode()}  # by this run, with this setting
    assert "note is {x} 'quoted' 報告" in printed(page.with_name("01_draw.ipynb"))
    assert "smoke 4" in printed(page.with_name("02_other.ipynb"))
    assert not (page.parent / "01_good.ipynb").exists()  # nothing of the report before
    assert {path.name for path in (lab / "build").iterdir()} == {"smoke", ".smoke.busy"}
    assert {path.name for path in (lab / "figures").iterdir()} == {"smoke"}
    assert snapshot(tmp_path / "notebooks") == before and dict(os.environ) == environment


# ----- failure


@pytest.mark.parametrize(
    ("source", "tags", "words"),
    [
        ("raise ValueError('boom\\nand more')", [], ["cell 4", "ValueError: boom"]),
        ("class LabError(Exception): pass\nraise LabError('mend this')", [], ["cell 4: mend this"]),
        ("raise ValueError('expected')", ["raises-exception"], ["cell 4", "ValueError: expected"]),
        ("assert False", [], ["cell 4", "AssertionError"]),
        ("for for", [], ["cell 4", "SyntaxError"]),
        ("import sys; sys.exit(0)", [], ["stopped early", "print('never reached')"]),
        ("import os; os._exit(0)", [], ["kernel died"]),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", [], ["kernel died"]),
    ],
    ids=["error", "LabError", "raises-exception", "assert", "syntax", "exit 0", "_exit", "SIGKILL"],
)
def test_a_failed_notebook_is_named_and_nothing_is_published(lab, tmp_path, refused, capsys, source, tags, words):
    bad = notebook(tmp_path / "notebooks", "01_bad.ipynb", "print('reached')", source, tags=tags)
    cells = nbformat.read(bad, 4)
    cells.cells.append(new_code_cell("print('never reached')"))
    nbformat.write(cells, bad)
    later = notebook(tmp_path / "notebooks", "02_later.ipynb", f"open({str(tmp_path / 'later ran')!r}, 'w')")
    before = snapshot(lab / "build/smoke", lab / "figures")

    with refused("01_bad.ipynb", *words):
        make.make_report("smoke", "cpu", {}, [bad, later])

    assert snapshot(lab / "build/smoke", lab / "figures") == before
    assert not (tmp_path / "later ran").exists()
    kept = lab / "build/smoke-failed/01_bad.ipynb"
    assert "reached" in printed(kept) and str(kept) in capsys.readouterr().err
    assert {path.name for path in (lab / "build").iterdir()} == {"smoke", "smoke-failed", ".smoke.busy"}


def test_a_missing_figure_is_not_published(lab, tmp_path, refused):
    draws = notebook(tmp_path / "notebooks", "01_draw.ipynb", DRAW.format(names=FILES[:8] + FILES[9:]))
    before = snapshot(lab / "build/smoke", lab / "figures")
    with refused("figure 9 was not made"):
        make.make_report("smoke", "cpu", {}, [draws])
    assert snapshot(lab / "build/smoke", lab / "figures") == before


def test_a_figure_that_nobody_declared_is_not_published(lab, tmp_path, refused):
    draws = notebook(tmp_path / "notebooks", "01_draw.ipynb", DRAW.format(names=[*FILES, "fig99_stranger.png"]))
    before = snapshot(lab / "build/smoke", lab / "figures")
    with refused("fig99_stranger.png", "no figure of the report"):
        make.make_report("smoke", "cpu", {}, [draws])
    assert snapshot(lab / "build/smoke", lab / "figures") == before


def shm():
    """Whether /dev/shm is there, and another file system."""
    return os.path.isdir("/dev/shm") and os.stat("/dev/shm").st_dev != os.stat(tempfile.gettempdir()).st_dev


def targets_of(root):
    """Two folders to publish, as a report has them, with the last generation in them, and the next one's parts."""
    targets = [publish.Target(root / "figures/smoke"), publish.Target(root / "build/smoke")]
    for target in targets:
        target.folder.mkdir(parents=True, exist_ok=True)
    return targets


def generation(root, text):
    """The parts of a report that all say ``text``: three files in each, one in a folder of its own, one new by name."""
    parts = {}
    for target in targets_of(root):
        part = root / "parts" / text / target.folder.parent.name
        for name in ("a.html", f"only {text}.png", "deep/er/b.png"):
            (part / name).parent.mkdir(parents=True, exist_ok=True)
            (part / name).write_text(text)
        parts[target] = part
    return parts


def shown(root):
    """What all published files say, and whether each is there that is to be; hidden ones, which nobody opens, apart."""
    said = {}
    for target in targets_of(root):
        files = {
            path.relative_to(target.folder).as_posix(): path for path in target.folder.rglob("*") if path.is_file()
        }
        for name, path in files.items():
            if not name.startswith("."):
                said.setdefault(path.read_text(), set()).add((target.folder.parent.name, name))
    return said


@pytest.mark.parametrize("place", ["here", "figures is a link", "figures/smoke is a link"])
def test_killed_at_any_rename_of_a_publication(tmp_path, monkeypatch, place):
    """A link leads to another file system. The next start finishes it, or it never began: all old, or all new."""
    root, elsewhere = tmp_path / "project", tempfile.TemporaryDirectory(dir="/dev/shm" if shm() else tmp_path)
    monkeypatch.setattr(paths, "ROOT", root)
    monkeypatch.setattr(paths, "BUILD", root / "build")
    root.mkdir()
    link = {"figures is a link": root / "figures", "figures/smoke is a link": root / "figures/smoke"}.get(place)
    if link:
        link.parent.mkdir(exist_ok=True)
        link.symlink_to(elsewhere.name)

    def child(text, die_at):
        """The exit status of a process that publishes, killed at its ``die_at``-th rename."""
        pid = os.fork()
        if not pid:
            calls, rename = [], os.replace

            def replace(source, target, **more):
                calls.append(source)
                if len(calls) == die_at:
                    os._exit(9)
                rename(source, target, **more)

            os.replace = replace
            publish.publish("smoke", generation(root, text))
            os._exit(0)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    with elsewhere:
        assert child("old", 0) == 0
        whole = {("figures", "a.html"), ("figures", "deep/er/b.png"), ("build", "a.html"), ("build", "deep/er/b.png")}
        renames = 0
        while True:
            renames += 1
            status = child("new", renames)
            publish.finish("smoke", targets_of(root))
            publish.sweep("smoke", targets_of(root))
            ((said, files),) = shown(root).items()
            assert files == whole | {("figures", f"only {said}.png"), ("build", f"only {said}.png")}
            assert said == "new" or status
            assert not list(root.rglob(".*")) and (not link or link.is_symlink())
            if status == 0:
                break
            assert status == 9
            assert child("old", 0) == 0
        assert renames == 14  # six files copied, the journal, six files put in place; and then none


def test_make_clean_keeps_what_a_killed_publication_is_finished_by(tmp_path):
    """Without its journal, figures/ would stay a mixture of two reports."""
    shutil.copy(paths.ROOT / "Makefile", tmp_path)
    for path in (tmp_path / "build/.full.publishing", tmp_path / "build/full/report.html"):
        write_atomic(path, b"{}")
    subprocess.run(["make", "clean"], cwd=tmp_path, check=True, capture_output=True)
    assert [path.name for path in (tmp_path / "build").rglob("*")] == [".full.publishing"]


@pytest.mark.parametrize("text", ["{", "[]", '{"figures/nowhere": ["a.html"]}', '{"figures/smoke": 3}'])
def test_a_damaged_journal_is_named_and_nothing_is_moved(tmp_path, monkeypatch, refused, text):
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    monkeypatch.setattr(paths, "BUILD", tmp_path / "build")
    publish.publish("smoke", generation(tmp_path, "good"))
    before, journal = shown(tmp_path), tmp_path / "build/.smoke.publishing"
    journal.write_text(text)
    with refused(journal, "is damaged", "delete it"):
        publish.finish("smoke", targets_of(tmp_path))
    assert shown(tmp_path) == before and journal.exists()


def test_publishing_keeps_pictures_that_look_the_same(lab):
    """As another processor draws them; what is missing, damaged or other to the eye is replaced."""

    def figure(grey):
        content = io.BytesIO()
        Image.new("L", (90, 60), grey).save(content, "PNG")
        return {"png": content.getvalue(), "svg": f"<svg>{grey}</svg>".encode()}

    def fill(folder, greys):
        folder.mkdir(parents=True, exist_ok=True)
        for name, grey in greys.items():
            for kind, content in figure(grey).items():
                (folder / f"{name}.{kind}").write_bytes(content)

    stage, target = lab / "stage", lab / "figures/full"
    names = ["same", "other", "lost", "cut", "cut_svg", "new"]
    fill(stage, dict.fromkeys(names, 101))
    fill(target, {"same": 100, "other": 150, "lost": 100, "cut": 100, "cut_svg": 100, "gone": 100})
    (target / "lost.svg").unlink()
    (target / "cut.png").write_bytes(figure(100)["png"][:-5])
    (target / "cut_svg.svg").write_bytes(b"<svg>100</sv")
    catalogue.keep_unchanged(stage, target)
    publish.publish("full", {publish.Target(target): stage})
    expected = {name: figure(100 if name == "same" else 101) for name in names}
    assert {path.name: path.read_bytes() for path in target.iterdir()} == {
        f"{name}.{kind}": content for name, files in expected.items() for kind, content in files.items()
    }


def test_a_report_drawn_on_another_processor_changes_no_picture(lab, tmp_path):
    draw = """
import os, pathlib
from PIL import Image
for name in {names}:
    path = pathlib.Path(os.environ["LABKIT_FIGURES"], name)
    Image.new("L", (9, 9), 100 + int(note)).save(path)
    path.with_suffix(".svg").write_text(f"<svg>{{note}}</svg>")
"""
    path = notebook(tmp_path / "notebooks", "01_draw.ipynb", draw.format(names=FILES))
    make.make_report("smoke", "cpu", {"note": "0"}, [path])
    first = snapshot(lab / "figures")
    assert len(first) == 2 * len(FILES)
    make.make_report("smoke", "cpu", {"note": "1"}, [path])
    assert snapshot(lab / "figures") == first
    make.make_report("smoke", "cpu", {"note": "9"}, [path])
    assert not set(first.items()) & set(snapshot(lab / "figures").items())


def test_a_publication_that_finds_no_room_leaves_the_last_good_one(lab, monkeypatch, refused):
    """Nothing is renamed before all is there, on whatever disk."""
    before, write = snapshot(lab), publish.write_atomic

    def full(path, content):
        if path.name == "only new.png" and "figures" in path.parts:
            raise LabError(f"cannot write {path}: the disk is full")
        return write(path, content)

    parts = generation(lab, "new")
    monkeypatch.setattr(publish, "write_atomic", full)
    with refused("figures/smoke", "the disk is full"):
        publish.publish("smoke", parts)
    shutil.rmtree(lab / "parts")
    assert snapshot(lab) == before


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda figures: figures.symlink_to("nowhere/at/all"), []),
        (lambda figures: figures.write_text("a file"), ["figures/smoke", "File exists"]),
        (lambda figures: figures.symlink_to(figures), ["figures/smoke"]),
        (lambda figures: figures.symlink_to("/proc/self"), ["figures/smoke"]),
    ],
    ids=["a link to nothing yet", "a file", "a link to itself", "a link to what takes no file"],
)
def test_what_is_to_be_written_is_tried_before_the_work(lab, tmp_path, monkeypatch, refused, spoil, words):
    """In one line that names it; what can be written is not changed by the trial."""
    never = notebook(tmp_path / "notebooks", "01_never.ipynb", "1")
    shutil.rmtree(lab / "figures/smoke")
    spoil(lab / "figures/smoke")
    monkeypatch.setattr(make, "_work", lambda *_: (_ for _ in ()).throw(LabError("the work begins")))
    before = snapshot(lab)
    with refused(*(words or ["the work begins"])):
        make.make_report("smoke", "cpu", {}, [never])
    assert snapshot(lab) == before and not (lab / "figures/smoke/nowhere").exists()


def test_a_second_report_at_the_same_time_is_refused(lab, tmp_path, refused):
    never = notebook(tmp_path / "notebooks", "01_never.ipynb", "1")
    with exclusive(lab / "build/.smoke.busy"):
        before = snapshot(lab)
        with refused("in use", lab / "build/.smoke.busy"):
            make.make_report("smoke", "cpu", {}, [never])
        assert snapshot(lab) == before
        with exclusive(lab / "build/.quick.busy"):
            pass  # another profile is free


# ----- one training


TRAIN = """
import os, pathlib
run = pathlib.Path(os.environ["LABKIT_RUNS"], "{run}/run.json")
run.parent.mkdir(parents=True, exist_ok=True)
if not run.exists():
    run.write_text("trained by " + note)
print(run.read_text())
"""


def run_of_a_report():
    """The run that the notebook `TRAIN` trains: that of the DCGAN of profile smoke, below the folder of all runs."""
    return run_folder(config_for("dcgan", "smoke")).relative_to(paths.RUNS)


def test_a_retraining_loses_nothing_that_is_finished(lab, tmp_path, monkeypatch, refused):
    """A refused one, a second one beside it, one that fails: the runs of the last report stay until the next is out."""
    monkeypatch.setattr(paths, "RETRAINED", lab / "build/retrained")
    kept, run = lab / "build/retrained", run_of_a_report()
    unfinished = kept / ".unfinished" / run / "run.json"
    kept = kept / run / "run.json"
    sources = TRAIN.format(run=run), DRAW.format(names=FILES)
    good = notebook(tmp_path / "notebooks", "01_train.ipynb", *sources)
    bad = notebook(tmp_path / "notebooks", "02_bad.ipynb", "raise ValueError('boom')")

    def retrained(note, *notebooks):
        make.make_report("smoke", "cpu", {"note": note}, list(notebooks), retrain=True)
        return kept.read_text()

    usual = paths.RUNS
    assert retrained("one", good) == "trained by one" and not unfinished.exists()
    with refused("epochs = 0"):
        make.make_report("smoke", "cpu", {"epochs": 0}, [good], retrain=True)
    with exclusive(lab / "build/.smoke.busy"), refused("in use"):
        retrained("two", good)
    assert kept.read_text() == "trained by one"
    with refused("boom"):
        retrained("three", good, bad)
    assert kept.read_text() == "trained by one" and unfinished.read_text() == "trained by three"
    assert retrained("four", good) == "trained by three"  # the same command goes on with what was trained
    assert retrained("five", good) == "trained by five" and paths.RUNS == usual


def test_a_report_is_of_one_training(lab, tmp_path, monkeypatch, refused):
    """A run that goes away, or another that takes its place, while the report is made."""
    monkeypatch.setattr(paths, "RUNS", tmp_path / "runs")
    train = TRAIN.format(run=run_of_a_report())
    first = notebook(tmp_path / "notebooks", "01_train.ipynb", train, DRAW.format(names=FILES))
    loses = f"import os, pathlib; pathlib.Path(os.environ['LABKIT_RUNS'], '{run_of_a_report()}/run.json').unlink()"
    second = notebook(tmp_path / "notebooks", "02_loses.ipynb", loses, train.replace("note", "'another'"))
    before = snapshot(lab / "build/smoke", lab / "figures")
    with refused("was changed while the report was made"):
        make.make_report("smoke", "cpu", {}, [first, second])
    assert snapshot(lab / "build/smoke", lab / "figures") == before


# ----- the kernel


HOSTILE_START = "import sys; sys.modules['labkit'] = None; open({!r}, 'w')"


def test_nothing_of_the_readers_machine_reaches_a_kernel(tmp_path, monkeypatch):
    """Start-up files, profiles, modules that shadow, settings of matplotlib and git; nor is a home needed."""
    home, ran = tmp_path / "home", tmp_path / "ran"
    start = HOSTILE_START.format(str(ran))
    for name in (
        "startup.py",
        "ipython/profile_default/startup/00.py",
        "home/.ipython/profile_default/startup/00.py",
        "modules/labkit.py",
        "modules/torch.py",
        "modules/sitecustomize.py",
        "modules/usercustomize.py",
        "notebooks/matplotlib.py",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(start)
    (home / ".ipython/profile_default/ipython_config.py").write_text(f"c.InteractiveShellApp.exec_lines = [{start!r}]")
    for name, value in {
        "HOME": home, "IPYTHONDIR": tmp_path / "ipython", "PYTHONSTARTUP": tmp_path / "startup.py",
        "PYTHONPATH": tmp_path / "modules", "MPLBACKEND": "foo", "MPLCONFIGDIR": "/proc/self/none",
        "MATPLOTLIBRC": tmp_path / "startup.py", "GIT_DIR": "/nowhere", "GIT_WORK_TREE": "/nowhere",
        "PYTHONIOENCODING": "ascii", "PYTHONOPTIMIZE": "2", "PYTHONWARNINGS": "error", "PYTHONINSPECT": "1",
        "JUPYTER_RUNTIME_DIR": "/proc/self/none", "JUPYTER_CONFIG_DIR": "/proc/self/none",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, str(value))
    for name in ("DATA", "RUNS", "STUDIES"):
        monkeypatch.setattr(paths, name, tmp_path / name)
    before = dict(os.environ)
    source = """
import os, sys, warnings, labkit
from labkit.base import paths
import matplotlib
print(paths.ROOT, paths.DATA, paths.RUNS, paths.STUDIES)
print(matplotlib.rcParams["backend"], sys.flags.optimize, "\N{SNOWMAN}")
print(*(name for name in os.environ if name.startswith(("GIT_DIR", "PYTHON"))), warnings.filters[0][0] == "error")
print(sys.stdout.encoding, __debug__, any("home" in str(getattr(m, "__file__", "")) for m in [matplotlib, labkit]))
assert matplotlib.__file__.count("site-packages")
"""
    stage = tmp_path / "stage"
    execute.execute(notebook(tmp_path / "notebooks", "01.ipynb", source), stage / "01.ipynb", {}, stage)
    places, first, second, third = printed(stage / "01.ipynb").splitlines()
    assert places == f"{paths.ROOT} {paths.DATA} {paths.RUNS} {paths.STUDIES}" and first == "agg 0 \N{SNOWMAN}"
    assert set(second.split()) <= {"PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "PYTHONHASHSEED", "False"}
    assert third == "UTF-8 True False" and not ran.exists() and dict(os.environ) == before


WHO = (
    "import sys; from pathlib import Path; from labkit.base.paths import ROOT; print(sys.executable, ROOT, Path.cwd())"
)


def test_a_hostile_kernelspec_is_ignored(tmp_path, monkeypatch):
    spec = json.dumps({"argv": ["/bin/false", "{connection_file}"], "display_name": "python3", "language": "python"})
    for place in ("path/kernels", "data/kernels", "home/.local/share/jupyter/kernels", "home/.ipython/kernels"):
        (tmp_path / place / "python3").mkdir(parents=True)
        (tmp_path / place / "python3/kernel.json").write_text(spec)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "path"))
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("JUPYTER_PREFER_ENV_PATH", "0")
    path = notebook(tmp_path / "notebooks", "01_who.ipynb", WHO)
    execute.execute(path, tmp_path / "stage/01_who.ipynb", {}, tmp_path / "stage")
    assert printed(tmp_path / "stage/01_who.ipynb") == f"{sys.executable} {paths.ROOT} {path.parent}\n"


@pytest.mark.parametrize(
    ("interpreter", "words"), [("exec sleep 60", "in 2 seconds"), ("exit 1", "died")], ids=["hangs", "dies"]
)
def test_a_kernel_that_does_not_come_up(tmp_path, monkeypatch, refused, interpreter, words):
    stub = tmp_path / "python"
    stub.write_text(f"#!/bin/sh\n{interpreter}\n")
    stub.chmod(0o755)
    monkeypatch.setattr(execute, "KERNEL_START", 2)
    monkeypatch.setattr(sys, "executable", str(stub))
    path = notebook(tmp_path / "notebooks", "01_never.ipynb", "print(1)")
    with refused("01_never.ipynb: no kernel", words, "make doctor"):
        execute.execute(path, tmp_path / "stage/01_never.ipynb", {}, tmp_path / "stage")
    wait_for(
        lambda: not any(str(stub).encode() in line or line == b"sleep\x0060\x00" for _, line in processes_of(tmp_path)),
        20,
        "the kernel to end",
    )


@pytest.mark.parametrize("name", ["實驗 報告 {x} {{y}} {} %d %(z)s", 'it\'s "quoted" & $HOME'])
def test_any_folder_name_will_do(tmp_path, name):
    folder = tmp_path / name
    path = notebook(folder / "notebooks", "01_who.ipynb", WHO)
    execute.execute(path, folder / "stage/01_who.ipynb", {}, folder / "stage")
    assert printed(folder / "stage/01_who.ipynb") == f"{sys.executable} {paths.ROOT} {path.parent}\n"


def test_a_notebook_gets_only_the_parameters_that_it_declares(tmp_path):
    path = notebook(tmp_path, "01_parameters.ipynb", "print(note, 'undeclared' in globals(), profile)")
    execute.execute(path, tmp_path / "out.ipynb", {"note": [1, "zwei"], "undeclared": 1}, tmp_path / "stage")
    assert printed(tmp_path / "out.ipynb") == "[1, 'zwei'] False auto\n"


# ----- settings


@pytest.mark.parametrize(
    ("profile", "settings", "words"),
    [
        ("nonsense", {}, ["profile = 'nonsense'", "smoke, quick, full"]),
        ("smoke", {"epochs": 0}, ["epochs = 0"]),
        ("smoke", {"epochs": "3"}, ["epochs = '3'", "whole number"]),
        ("smoke", {"epochs": True}, ["epochs = True"]),
        ("smoke", {"epochs": 2.5}, ["epochs = 2.5"]),
        ("smoke", {"batch": 100000}, ["batch = 100000"]),
        ("smoke", {"batch": 1}, ["batch = 1"]),
        ("smoke", {"batch": 600}, ["batch = 600", "examples = 512"]),
        ("smoke", {"lr": float("nan")}, ["lr = nan"]),
        ("smoke", {"lr": "nan"}, ["lr = 'nan'"]),
        ("smoke", {"lr": 0}, ["lr = 0"]),
        ("smoke", {"latent_dim": -1}, ["latent_dim = -1"]),
        ("smoke", {"seed": -1}, ["seed = -1"]),
        ("smoke", {"seed": "zero"}, ["seed = 'zero'"]),
        ("smoke", {"dims": [100]}, ["dims = [100]", "0 to 99"]),
        ("smoke", {"dims": [60], "latent_dim": 50}, ["dims = [60]", "0 to 49"]),
        ("smoke", {"dims": 5}, ["dims = 5"]),
        ("smoke", {"dims": "5"}, ["dims = '5'"]),
        ("smoke", {"values": [float("inf")]}, ["values = [inf]"]),
        ("smoke", {"values": []}, ["values = []"]),
        ("smoke", {"epoch": 3}, ["epoch = 3", "no such setting", "epochs"]),
        ("smoke", {"__import__": 1}, ["__import__", "no such setting"]),
        ("smoke", {"latent_seed": "abc"}, ["latent_seed = 'abc'"]),
        ("smoke", {"dims": [*range(13)]}, ["dims = [0,", "1 to 12 dimensions", "13"]),
        ("smoke", {"dims": [3, 3]}, ["dims = [3, 3]", "each once"]),
        ("smoke", {"values": [0.5] * 29}, ["145 edits", "at most 144", "28 values"]),
        ("smoke", {"dim": 100}, ["dim = 100", "0 to 99"]),
        ("smoke", {"batch": 8, "batch_size": 8}, ["batch_size = 8", "one setting"]),
        ("smoke", {"model": "dcgan"}, ["model"]),
        ("smoke", {"profile": "full"}, ["profile"]),
        ("smoke", {"device": "banana"}, ["device"]),
        ("smoke", {"changes": 5}, ["changes"]),
        ("smoke", {"changes": {"epochs": 0}}, ["changes", "no such setting"]),
    ],
)
def test_a_bad_setting_is_refused_before_anything_is_written(lab, monkeypatch, refused, profile, settings, words):
    monkeypatch.setattr(execute, "execute", lambda *_: pytest.fail("a notebook was run"))
    given, before = dict(settings), snapshot(lab)
    with refused(*words):
        make.make_report(profile, "cpu", settings)
    assert settings == given and snapshot(lab) == before
    assert sorted(path.name for path in lab.rglob("*") if path.is_dir()) == ["build", "figures", "smoke", "smoke"]


def test_an_unknown_device_is_refused(lab, refused):
    with refused("device = 'tpu'"):
        make.make_report("smoke", "tpu")


def test_good_settings_reach_the_notebooks():
    settings = {"epochs": 1, "lr": 1, "seed": 3, "dims": [0, 99, 1, 2, 3], "values": [1.5], "latent_seed": 2}
    parameters = report_settings.check_settings("smoke", "cpu", dict(settings), make.NOTEBOOKS)
    changes = {"epochs": 1, "lr": 1}
    rest = {name: value for name, value in settings.items() if name not in changes}
    assert parameters == {"profile": "smoke", "device": "cpu", "changes": changes, **rest}
    for path in make.NOTEBOOKS:
        declared = report_settings.declared_parameters(path)
        no_vectors = path.stem in ("00_in_short", "04_comparison")
        shared = set(report_settings.SHARED) - ({"latent_seed"} if no_vectors else set())
        if path.stem == "05_eight_worlds":  # which judges many runs, and trains none
            shared = {"profile", "device"}
        if path.stem == "03_latent_perturbation":
            assert declared["dims"] == list(LAB_DIMS)
        assert {name: declared[name] for name in shared} == {name: report_settings.SHARED[name] for name in shared}


@pytest.mark.parametrize(
    ("typed", "dims"),
    [
        ("latent_dim=64", [5, 20, 40, 60]),
        ("latent_dim=10", [5]),
        ("latent_dim=2", [0, 1]),
        ("latent_dim=1", [0]),
        ("latent_dim=10 dims=[0,1,2,3,4]", [0, 1, 2, 3, 4]),
        ("dims = [5, 20, 40, 60, 80]", [5, 20, 40, 60, 80]),  # as our own hint prints it
        ("dims=[7]", [7]),
        (f"dims={[*range(12)]} values={[*range(12)]}", [*range(12)]),
        ("", [5, 20, 40, 60, 80]),
    ],
)
def test_dimensions_that_nobody_asked_for_follow_the_run(typed, dims):
    """And those that were asked for are taken, from one to twelve."""
    given = report_settings.parse_settings([typed])
    assert report_settings.check_settings("smoke", "cpu", given, make.NOTEBOOKS)["dims"] == dims


def chapter(folder, name, **values):
    """A notebook with ``values`` in its settings cell."""
    path = notebook(folder, name, "1")
    made = nbformat.read(path, 4)
    made.cells[1].source = "\n".join(f"{key} = {value!r}" for key, value in values.items())
    nbformat.write(made, path)
    return path


def test_what_a_chapter_has_saved_is_overridden_by_what_was_typed_alone(tmp_path, refused):
    """It holds for all chapters, since a report is of one training."""
    plain = {"profile": "auto", "device": "auto", "seed": 0, "changes": {}}
    one = chapter(tmp_path, "01_one.ipynb", **plain | {"changes": {"epochs": 1, "batch": 8}, "seed": 4})
    two = chapter(tmp_path, "02_two.ipynb", **plain | {"profile": "smoke"}, dims=[1, 2, 3], values=[0.5])
    found = report_settings.check_settings("auto", "cpu", {}, [one, two])
    assert found == plain | {
        "profile": "smoke", "device": "cpu", "seed": 4, "changes": {"epochs": 1, "batch": 8}, "dims": [1, 2, 3]
    }  # fmt: skip
    typed = {"batch_size": 16, "seed": 5, "dims": [9]}
    found = report_settings.check_settings("quick", "cpu", typed, [one, two])
    assert (found["profile"], found["seed"], found["changes"]) == ("quick", 5, {"epochs": 1, "batch": 16})
    assert found["dims"] == [9] and "values" not in found
    other = chapter(tmp_path, "03_other.ipynb", **plain | {"changes": {"epochs": 2}})
    with refused("01_one.ipynb", "03_other.ipynb", "changes", "one training"):
        report_settings.check_settings("smoke", "cpu", {}, [one, two, other])


def test_only_the_chapters_are_published():
    """A copy that JupyterLab made, or a notebook of one's own, is none of them: they are a list, not what is found."""
    assert make.NOTEBOOKS == [paths.ROOT / f"notebooks/{name}.ipynb" for name in make.CHAPTERS]
    assert len(make.CHAPTERS) == 6 and all(path.is_file() for path in make.NOTEBOOKS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("epochs=3", {"epochs": 3}),
        ("lr=2e-4 beta1=.5", {"lr": 2e-4, "beta1": 0.5}),
        ("lr = -.5, epochs = 3", {"lr": -0.5, "epochs": 3}),
        ("dims=[5, 20, 40] values=(-3, 0, 3) seed=1", {"dims": [5, 20, 40], "values": [-3, 0, 3], "seed": 1}),
        ("changes={'a': 1}", {"changes": {"a": 1}}),
        ("note=plain text epochs=1", {"note": "plain text", "epochs": 1}),
        ('note="a epochs=3" seed=1', {"note": "a epochs=3", "seed": 1}),
        ("'dims=[5, 20]' \"lr=.001\"", {"dims": [5, 20], "lr": 0.001}),
        ('note="3"', {"note": "3"}),
        ("note=a=b", {"note": "a=b"}),
        ("note=it's epochs=1", {"note": "it's", "epochs": 1}),
        ("on=true off=False", {"on": True, "off": False}),
        ("code=0012", {"code": "0012"}),
        ("empty= seed=1", {"empty": "", "seed": 1}),
        (f"deep={'[' * 99999}", {"deep": "[" * 99999}),
        ("set={1}", {"set": "{1}"}),
        ("", {}),
    ],
)
def test_parse_settings(text, expected):
    found = report_settings.parse_settings([text])
    assert found == expected and [*map(type, found.values())] == [*map(type, expected.values())]
    assert report_settings.parse_settings(text.split(" ")) == found  # as a shell would cut it


def test_a_setting_needs_a_value(refused):
    with refused("'epochs'", "name=value"):
        report_settings.parse_settings(["epochs"])
    with refused("epochs is given twice"):
        report_settings.parse_settings(["epochs=3", "epochs=4"])


def test_declared_parameters_needs_the_tag(tmp_path, refused):
    path = tmp_path / "untagged.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell("a = 1")]), path)
    with refused(path, "parameters"):
        report_settings.declared_parameters(path)


def damaged(cells):
    """The text of a notebook with these cells."""
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


@pytest.mark.parametrize(
    "text",
    [
        "[]", "null", "", "{}", '"text"', "[" * 99999, b"\xff\xfe", damaged(None), damaged([None]), damaged([[]]),
        damaged([{"cell_type": "code"}]),
        damaged([{"id": "a", "cell_type": "code", "source": "a = 1", "metadata": None, "outputs": []}]),
        damaged([{"id": "a", "cell_type": "code", "source": "a = 1", "metadata": {"tags": None}, "outputs": []}]),
        damaged([{"cell_type": "code", "source": None, "metadata": {"tags": ["parameters"]}, "outputs": []}]),
        None,
    ],
)  # fmt: skip
def test_a_damaged_notebook_is_refused_in_a_line(lab, tmp_path, refused, text):
    """Before anything is written; a folder is none either."""
    path = tmp_path / "01_damaged.ipynb"
    if text is None:
        path.mkdir()
    else:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    before = snapshot(lab)
    with refused(path, "mend it"):
        make.make_report("smoke", "cpu", {}, [path])
    assert snapshot(lab) == before


@pytest.mark.parametrize("source", ["a = f()", "a = b", "a = 1 +", "a = " + "[" * 999, "x.y = f(1)"])
def test_settings_that_are_no_plain_values_are_refused_in_a_line(tmp_path, refused, source):
    path = notebook(tmp_path, "01_settings.ipynb", "1")
    made = nbformat.read(path, 4)
    made.cells[1].source = source
    nbformat.write(made, path)
    with refused(path, "plain values"):
        report_settings.declared_parameters(path)


def test_the_trial_of_folders_leaves_none_behind(tmp_path):
    (tmp_path / "there").mkdir()
    publish.probe([publish.Target(tmp_path / "there"), publish.Target(tmp_path / "not/yet/there")])
    assert [path.name for path in tmp_path.rglob("*")] == ["there"]


@pytest.mark.thorough
@pytest.mark.parametrize(("limits", "words"), [("-n 20", "only 20 files"), ("-Sn 20", "")])
def test_few_open_files(tmp_path, limits, words):
    """One line before anything is done; a limit that may be lifted is, for the kernels too."""
    use = "files = [open('/dev/null') for _ in range(60)]\nraise ValueError('here')"
    path = notebook(tmp_path / "notebooks", "01_one.ipynb", use)
    code = (
        "from labkit.base.command import guarded; from labkit.report import make; from pathlib import Path\n"
        f"raise SystemExit(guarded(lambda: make.make_report('smoke', 'cpu', {{}}, [Path({str(path)!r})])))"
    )
    root = copy_project(tmp_path / "copy")
    command = ["bash", "-c", f'ulimit {limits} && exec "$@"', "", sys.executable, "-c", code]
    done = subprocess.run(
        command, cwd=root, env=clean_environment(PYTHONPATH=str(root)), capture_output=True, text=True, timeout=120
    )
    line = done.stderr.splitlines()[-1]
    assert done.returncode == 1
    if words:
        assert done.stderr.splitlines() == [line] and words in line and "ulimit -n" in line and not done.stdout
    else:
        assert line == "labkit: 01_one.ipynb, cell 3: ValueError: here"


# ----- the page


def png(pixels):
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG")
    return base64.b64encode(content.getvalue()).decode()


PIXELS = np.random.default_rng(0).integers(0, 256, (9, 7, 4), np.uint8)  # a picture with an alpha channel
OWN = render.SCRIPT.read_text(encoding="utf-8")
PNG, BROKEN = png(PIXELS), "data:image/png;base64,AAAA"
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)> & </pre>"


class Page(HTMLParser):
    """Every tag with its attributes, and the text between."""

    def __init__(self, content):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(content)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A rendered page: hostile text in every output that is text, formulas, links, and the fourteen figures."""
    stage = tmp_path_factory.mktemp("stage")
    (stage / "figures").mkdir()
    (stage / "pages").mkdir()
    for name in FILES:
        (stage / "figures" / name).write_bytes(b"")
    cell = new_code_cell("# first line <b>\nprint(1)", execution_count=1)
    image = f'<img style="max-width:100%" alt="Figure 3. x" src="data:image/png;base64,{PNG}"><img src="{BROKEN}">'
    shown = f'<figure style="margin:1em 0">{image}<figcaption>x</figcaption></figure>'
    cell.outputs = [
        new_output("stream", name="stdout", text="out " + HOSTILE),
        new_output("stream", name="stderr", text="progress bar"),
        new_output("execute_result", {"text/plain": "plain " + HOSTILE}, execution_count=1),
        new_output("display_data", {"text/html": shown}),
    ]
    links = "[two](02_two.ipynb) [code](../labkit/config.py)"
    text = f"# One\n\nInline $z \\sim N(0, I)$ and\n\n$$\\min_G \\max_D V$$\n\n{links}"
    nbformat.write(new_notebook(cells=[new_markdown_cell(text), cell]), stage / "pages/01_one.ipynb")
    nbformat.write(new_notebook(cells=[new_markdown_cell("# Two")]), stage / "pages/02_two.ipynb")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(render, "provenance", lambda *_: [("made", HOSTILE)])
        path = render.render(stage, ["01_one.ipynb", "02_two.ipynb"], {}, 1.0)
    return path.read_text(encoding="utf-8")


def test_hostile_text_stays_text(page):
    parsed = Page(page)
    assert [tag for tag, _ in parsed.tags].count("script") == 1 and f"<script>{OWN}</script>" in page  # our own
    assert not {"iframe", "object", "embed", "link", "base", "form", "b"} & {tag for tag, _ in parsed.tags}
    assert not [name for _, attributes in parsed.tags for name in attributes if name.startswith("on")]
    for where in ("out ", "plain "):
        assert where + HOSTILE in parsed.text
    assert HOSTILE in parsed.text.partition("How this report was made")[2]  # and in the foot of the page
    assert "# first line <b>" in parsed.text
    assert "progress bar" not in page


@needs_chromium
def test_a_browser_shows_hostile_text_and_runs_none_of_it(page, tmp_path):
    (tmp_path / "report.html").write_text(page)
    requests, dialogs = [], []
    with chromium() as browser:
        tab = browser.new_page()
        tab.on("request", lambda request: requests.append(request.url))
        tab.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
        tab.goto((tmp_path / "report.html").as_uri())
        tab.wait_for_load_state("load")
        tab.locator(".made summary").click()
        assert tab.locator("body").inner_text().count(HOSTILE) == 3
        assert tab.evaluate("document.querySelectorAll('script, img[src=x]').length") == 1  # our own script
    assert dialogs == [] and len(requests) == 1 + sum(url.startswith("data:") for url in requests)


def test_the_page_asks_the_network_for_nothing(page):
    parsed = Page(page)
    (policy,) = (a["content"] for tag, a in parsed.tags if a.get("http-equiv") == "Content-Security-Policy")
    own = f"script-src '{script_hash(OWN)}'"
    rest = ["default-src 'none'", "img-src data:", "style-src 'unsafe-inline'", "font-src data:"]
    assert policy.split("; ") == [*rest, own]
    for tag, attributes in parsed.tags:
        assert attributes.get("src", "data:").startswith("data:"), (tag, attributes)
        assert "srcset" not in attributes and "url(" not in attributes.get("style", "")
    assert not re.search(r"@import|url\(", page)


@pytest.mark.parametrize("channels", [slice(4), slice(3), 0])
def test_pictures_lose_nothing_on_their_way_into_the_page(channels):
    text = png(PIXELS[..., channels])
    body = f'<p><img alt="x" src="data:image/png;base64,{text}"> <img src="{BROKEN}"></p>'
    encoded = images.encode([body, "no picture"])
    placed = images.put(body, encoded, images.inside)
    (found,) = re.findall(r'src="data:image/webp;base64,([^"]+)"', placed)
    seen = np.asarray(Image.open(io.BytesIO(base64.b64decode(found))))
    wanted = PIXELS[..., channels]
    np.testing.assert_array_equal(seen, wanted if wanted.ndim == 3 else np.stack([wanted] * 3, -1))
    assert f'<img src="{BROKEN}">' in placed  # what cannot be read stays as it is


def test_formulas_are_mathml(page):
    formulas = [attributes.get("display") for tag, attributes in Page(page).tags if tag == "math"]
    assert len(formulas) == 2 and formulas.count("block") == 1
    assert "$" not in Page(page).text and "\\min" not in Page(page).text


def test_links_lead_within_the_page(page):
    tags = Page(page).tags
    ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
    links = [attributes["href"] for tag, attributes in tags if tag == "a"]
    assert len(ids) == len(set(ids)) and "figure-3" in ids
    assert "#02_two" in links and "02_two" in ids
    assert "#code-labkit-config-py" in links and "code-labkit-config-py" in ids  # its source is in the page
    assert not [link for link in links if not link.startswith("#")]


# ----- Ctrl-C


def processes_of(folder: Path):
    """The processes, this one aside, whose environment names ``folder``."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if str(folder).encode() in (entry / "environ").read_bytes() and (entry / "cmdline").read_bytes():
                found.append((int(entry.name), (entry / "cmdline").read_bytes().replace(b"\0", b" ")))
        except OSError:
            pass  # it has ended, or is not ours
    return [(pid, command) for pid, command in found if pid != os.getpid()]


def wait_for(condition, seconds, what):
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, f"waited {seconds} s in vain for {what}"
        time.sleep(0.05)
    return value


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc to look for left-over kernels")
def test_a_kernel_that_an_interruption_ended_is_no_news(lab, tmp_path, caplog):
    """A task that waited for it may be left with its error, which asyncio reports with a traceback."""
    execute.execute(notebook(tmp_path, "01_one.ipynb", "1"), tmp_path / "out.ipynb", {}, tmp_path / "stage")

    async def leave(error):
        async def wait():
            raise error

        task = asyncio.ensure_future(wait())
        await asyncio.wait([task])

    for error in (DeadKernelError("Kernel died"), ValueError("another")):
        asyncio.run(leave(error))
    gc.collect()
    assert [record.exc_info[0] for record in caplog.records] == [ValueError]


@pytest.mark.thorough
def test_ctrl_c_keeps_what_is_done_and_leaves_no_kernel(tmp_path):
    """Chapter one is its settings, its imports and its training: a figure before it is no part of the question."""
    root = copy_project(tmp_path / "copy")
    first_chapter = nbformat.read(make.NOTEBOOKS[0], 4)
    wanted = re.compile(r'^profile = "auto"|^from labkit|runs\.fit_or_load', re.M)
    first_chapter.cells = [cell for cell in first_chapter.cells if wanted.search(cell.source)]
    assert len(first_chapter.cells) == 3
    nbformat.write(first_chapter, root / "notebooks" / make.NOTEBOOKS[0].name)
    runs = root / "data/runs"
    command = [sys.executable, "-m", "labkit", "report", "--profile", "smoke", "--device", "cpu"]
    command += ["epochs=500", "examples=1600", "batch=8"]  # 200 steps an epoch, less than a second

    def checkpoints():
        return sorted(path.name.split("-")[1] for path in runs.rglob("checkpoint-*.safetensors"))

    def interrupted(number, done_before):
        """Start the report, stop it in an epoch after those done before; what it wrote to stderr."""
        log = tmp_path / "stderr"
        environment = clean_environment(PYTHONPATH=str(root), TMPDIR=str(tmp_path))
        with log.open("wb") as stderr:
            # As in a terminal; a background job of a shell inherits "ignore", and Python then hears no Ctrl-C.
            listen = partial(signal.signal, signal.SIGINT, signal.default_int_handler)
            runner = subprocess.Popen(
                command, cwd=root, env=environment, stdout=subprocess.DEVNULL, stderr=stderr, preexec_fn=listen
            )
        try:

            def on_its_way():
                steps = re.findall(r"vanilla epoch (\d+)/500:.*? (\d+)/100000 ", log.read_text())
                return runner.poll() is not None or any(int(e) > done_before + 1 and int(n) % 200 for e, n in steps)

            wait_for(on_its_way, 120, "an epoch to be begun after another")
            assert runner.poll() is None, log.read_text()
            assert any(b"ipykernel" in line for _, line in processes_of(root))
            runner.send_signal(number)
            assert runner.wait(timeout=30) == 130, log.read_text()
        finally:
            runner.kill()
            runner.wait()
        wait_for(lambda: not processes_of(root), 20, "the kernel to end")
        return log.read_text()

    first = interrupted(signal.SIGINT, 0)
    assert "labkit: interrupted" in first and "Traceback" not in first
    kept = checkpoints()
    assert kept and not list((root / "build").glob("smoke*")) and not (root / "figures/smoke").exists()

    second = interrupted(signal.SIGTERM, int(kept[-1].partition(".")[0]))
    epochs, steps = map(int, f"{kept[-1]}.0".split(".")[:2])
    went_on = re.findall(r"vanilla epoch (\d+)/500:.*? (\d+)/100000 ", second)
    assert went_on and min(int(n) for _, n in went_on) >= 200 * epochs + steps // 50 * 50  # where the first one stopped
    assert "." in kept[-1] + checkpoints()[-1]  # in the middle of an epoch, unless it had just ended, twice
