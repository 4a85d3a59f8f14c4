"""What may be wrong on this machine, one line each, and what mends it: `make doctor`.

It trains, fetches, installs and changes nothing. A line begins with ok, note (it can be lived with) or FAIL (something
will not work). Each check is a function; one that cannot be made is a FAIL of its own, and the others go on.
"""

import platform
import sys

from .base import paths

if sys.version_info < (3, 11):  # what is imported below is not written for it; this file can be read by any Python 3.6
    print(
        f"FAIL  python: {platform.python_version()} in {sys.prefix} is too old:"
        " install 3.11 or later, or name one with PYTHON="
    )
    raise SystemExit(1)

import ast
import contextlib
import importlib.util
import io
import json
import os
import re
import shutil
import subprocess
import tempfile
import tomllib
import warnings
from importlib import metadata
from pathlib import Path

from .base.environment import OF_CUDA
from .base.errors import LabError
from .base.files import write_fault
from .base.machine import BROWSERS
from .base.system import cores

VENV = paths.ROOT / ".venv"
PROBE = 1 << 16  # bytes that are written to a folder and taken back


def python():
    """Recent enough, since it has read this far. Is this the labkit of the folder we are in, and was it set up?"""
    yield "ok", f"{platform.python_version()} in {sys.prefix}"
    if paths.ROOT not in (Path.cwd(), *Path.cwd().parents):
        yield (
            "FAIL",
            f"labkit comes from {paths.ROOT}, not from {Path.cwd()}:"
            " take it out of PYTHONPATH, or run 'make doctor' there",
        )
    if (VENV / "ready").exists() and not (VENV / "bin/python").exists():
        yield "FAIL", f"the interpreter that {VENV} was made with is gone: delete .venv and run 'make setup'"
    if not (VENV / "ready").exists():
        yield (
            "note",
            f"'make setup' was not run, or not to its end, in {paths.ROOT}:"
            " run it, unless you name an interpreter with PYTHON=",
        )


def packages():
    """Those that pyproject.toml needs must be here; other versions than those of requirements.lock are only noted."""
    from packaging.requirements import Requirement

    def compare(texts):
        wanted = [r for r in map(Requirement, texts) if not r.marker or r.marker.evaluate()]
        here = [_version(r.name) for r in wanted]
        unmet = [
            f"{r.name}{r.specifier} (here {v or 'none'})"
            for r, v in zip(wanted, here, strict=True)
            if not (v and r.specifier.contains(v, prereleases=True))
        ]
        return len(wanted), len(unmet), ", ".join(unmet[:4]) + (f" and {len(unmet) - 4} more" if unmet[4:] else "")

    project = tomllib.loads((paths.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    _, unmet, names = compare(project["dependencies"] + project["optional-dependencies"]["report"])
    if unmet:
        yield "FAIL", f"{names} not in {sys.prefix}: {_setup()}"
    locked = re.findall(r"^\w[^\\\n]*", (paths.ROOT / "requirements.lock").read_text(encoding="utf-8"), re.M)
    if (_version("torch") or "").endswith("+cpu"):
        locked = [line for line in locked if line.startswith("torch") or not OF_CUDA.match(line)]
    wanted, unmet, names = compare(locked)
    text = f"{wanted - unmet} of the {wanted} that requirements.lock names for this machine"
    yield ("note", f"{text}, not {names}: if that matters, {_setup()}") if unmet else ("ok", text)


def _version(name: str) -> str | None:
    """That of the installed package ``name``, if it is."""
    with contextlib.suppress(metadata.PackageNotFoundError):
        return metadata.version(name)
    return None


def _setup() -> str:
    """What mends the packages of this interpreter."""
    own = Path(sys.prefix).resolve() == VENV.resolve() or not (VENV / "bin/python").exists() and VENV.exists()
    return (
        "delete .venv and run 'make setup'"
        if own
        else "install requirements.lock there, or leave PYTHON out and run 'make setup'"
    )


def notebooks():
    """Is this labkit found without make, by a notebook that a reader opens in VS Code or a Jupyter of their own?"""
    code = "from importlib.util import find_spec as f; s = f('labkit'); print(ascii(s.origin if s else ''))"
    own = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run([sys.executable, "-c", code], cwd=os.sep, env=own, capture_output=True, text=True)
    found = Path(ast.literal_eval(done.stdout or "''"))
    if found == paths.ROOT / "labkit/__init__.py":
        yield "ok", "labkit is found by those that are opened without make, too"
        return
    what = f"find the labkit in {found.parent.parent}" if found.name else "find no labkit"
    install = f"'{sys.executable} -m pip install --no-deps -e .' in {paths.ROOT}"
    yield "note", f"those opened without make, with {sys.executable}, {what}: if you want that, run {install}"


def data():
    """The four files of Fashion-MNIST, wherever they lie, by the digests of their content."""
    from .data import FASHION_MNIST
    from .data.loading import locate, read_verified

    places = {name: locate(paths.DATA, name) for name in FASHION_MNIST.digests}
    here = [(path, FASHION_MNIST.digests[name]) for name, path in places.items() if path]
    gone = [f"{name}.gz" for name, path in places.items() if not path]
    if gone:
        yield (
            "note",
            f"{len(gone)} of {len(places)} files are not in {paths.DATA}:"
            f" 'make data' fetches them (30 MB), {', '.join(gone)}",
        )
    if here:
        yield from _verified(read_verified, here, f"files of Fashion-MNIST in {here[0][0].parent}")


def own():
    """Data sets of the reader's own."""
    from .data.own import own_record

    def look(name):
        for split in ("train", "test"):
            own_record(name).load(split)

    names = [(path.parent.name,) for path in sorted(paths.OWN.glob("*/own.json"))]
    yield from _verified(look, names, f"data sets of your own in {paths.OWN}")


def classifier():
    """The classifier that ships, and those that were trained here for other data sets: weights and cards."""
    from .data import find
    from .evaluation.classifier import load_classifier, saved_classifier

    card = load_classifier()[1]
    yield "ok", f"verified, sha256 {card['sha256'][:12]}…"
    others = [(path.parent, path.parent.name) for path in sorted(paths.OWN.glob("*/ruler.json"))]
    if others:
        yield from _verified(lambda folder, name: saved_classifier(folder, find(name)), others, "of other data sets")


def page():
    """What the report computes with: jax-js, as it was fetched."""
    from .page.bundle import check_vendored

    record = check_vendored()
    yield "ok", f"{record['package']} {record['version']} verified, {len(record['files'])} files"


def runs():
    """Every run: what it was finished with, what was measured on it, what it can go on from."""
    from .training.runs import finished

    done, sound = finished(), 0
    for folder in sorted({*done, *(path for path in paths.RUNS.glob("*/*/*") if path.is_dir())}):
        said = list(_faults_of_run(folder, folder in done))
        sound += folder in done and not any(state == "FAIL" for state, _ in said)
        yield from said
    if sound or not done:
        yield "ok", f"{sound} verified finished runs in {paths.RUNS}"


def _faults_of_run(folder: Path, finished: bool):
    """What is wrong in ``folder``, each file once."""
    from .base import kept
    from .training.checkpoints import checkpoints_in, damage_of
    from .training.runs import FILES, load_run

    first = ""
    try:
        if finished:
            load_run(folder)
    except LabError as error:
        first = str(error)
        yield "FAIL", first
    for text in kept.damages(folder):
        if text.partition(" is ")[0] != first.partition(" is ")[0]:
            yield "FAIL", text
    for path in checkpoints_in(folder):
        fault = damage_of(path)
        if fault:
            yield "FAIL", f"{path} is damaged ({fault}): delete it, training goes on from the one before"
    if kept.shown(folder) and not os.path.lexists(folder / kept.LIST):
        yield _unvouched(folder, kept)
    if not finished and not checkpoints_in(folder) and (folder / FILES[0]).exists():
        yield "FAIL", f"{folder / 'run.json'} is missing: get it back from git, or delete its folder to train again"


def _unvouched(folder: Path, kept):
    """What stands in ``folder`` without a list: a damage where one was, in a run that says so, or else a note."""
    with contextlib.suppress(OSError, ValueError, TypeError):
        if kept.LIST in json.loads((folder / "run.json").read_bytes()):
            return "FAIL", f"{folder / kept.LIST} is missing: get it back from git"
    names = ", ".join(path.name for path in kept.shown(folder)[:4])
    return (
        "note",
        f"nothing vouches for {names} in {folder}, of a labkit before 0.3: the next that is measured there does",
    )


def measured():
    """The measurements that come with the project and belong to no run."""
    from .base import kept

    if not paths.GIVEN.exists():
        yield "note", f"{paths.GIVEN} is not here, its scores are measured anew: get it back from git"
        return
    faults = kept.damages(paths.GIVEN)
    if not os.path.lexists(paths.GIVEN / kept.LIST):
        faults.append(f"{paths.GIVEN / kept.LIST} is missing: get it back from git")
    yield from (("FAIL", text) for text in faults)
    if not faults:
        yield "ok", f"{len(kept.shown(paths.GIVEN))} verified in {paths.GIVEN}"


def studies():
    """Every record of a study, with the weights and pictures that it keeps."""
    from .study.records import load_record

    found = sorted(path for path in paths.STUDIES.glob("[!.]*/*/seed*/"))
    yield from _verified(lambda folder: load_record(folder, True), [(one,) for one in found], "records of studies")


def _verified(look, items: list[tuple], what: str):
    """A FAIL for every one of ``items`` that ``look`` refuses, and how many it accepts."""
    sound = 0
    for item in items:
        try:
            look(*item)
            sound += 1
        except LabError as error:
            yield "FAIL", str(error)
    if sound or not items:
        yield "ok", f"{sound} verified {what}"


def folders():
    """Those that are written to. What is written has no name, and is gone even if we are killed."""
    for folder in (paths.ROOT / "data", paths.ROOT / "figures", paths.ROOT / "build"):
        place = next(path for path in (folder, *folder.parents) if os.path.lexists(path))  # build/ may not be made yet
        try:
            with tempfile.TemporaryFile(dir=place) as f:
                f.write(bytes(PROBE))
                f.flush()
                os.fsync(f.fileno())
            yield "ok", f"{folder} can be written"
        except OSError as error:
            yield "FAIL", write_fault(folder, PROBE, error).partition(";")[0]


def disk():
    """Room for what comes next."""
    need, what = (1, "reports and runs take") if importlib.util.find_spec("torch") else (6, "'make setup' takes")
    free = shutil.disk_usage(paths.ROOT).free / 1e9
    yield (
        ("ok", f"{free:.1f} GB free")
        if free >= need
        else ("note", f"{free:.1f} GB free, {what} up to {need}: free some space")
    )


def browser():
    """A Chromium, without which all but two things work."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    yield (
        ("ok", found)
        if found
        else (
            "note",
            "no Chromium on the PATH, hence no 'make pdf' and no tests in a browser: install one if you want them",
        )
    )


def gpu():
    """What networks are trained on."""
    import torch

    mac = "that of a Mac, untested: everything runs on the CPU, unless DEVICE=mps asks for it"
    none = mac if torch.backends.mps.is_available() else "none: everything runs on the CPU"
    with warnings.catch_warnings(record=True) as said:
        name = torch.cuda.get_device_name() if torch.cuda.is_available() else none
    yield (
        ("note", f"none that torch can use ({said[0].message}): see to its driver, or stay on the CPU")
        if said
        else ("ok", name)
    )


def threads():
    """How many torch takes."""
    import torch

    yield "ok", f"torch computes with {torch.get_num_threads()}, on {cores()} cores"


CHECKS = (
    python,
    packages,
    notebooks,
    data,
    own,
    classifier,
    page,
    runs,
    measured,
    studies,
    folders,
    disk,
    browser,
    gpu,
    threads,
)


def examine(check):
    """What ``check`` finds, as (ok, note or FAIL; text); what it stumbles over is a FAIL."""
    try:
        with contextlib.redirect_stderr(io.StringIO()):  # some broken packages print tracebacks while they are imported
            yield from check()
    except LabError as error:
        yield "FAIL", str(error)
    except ImportError as error:
        yield "FAIL", f"not looked at, {error}: {_setup()}"
    except Exception as error:  # whatever it is, the next check is to be made
        yield (
            "FAIL",
            f"not looked at, {type(error).__name__} {error}: get the project's files back from git, or {_setup()}",
        )


def main() -> int:
    """Print all findings; 1 if one is a FAIL, else 0."""
    failed = False
    for check in CHECKS:
        for state, text in examine(check):
            print(f"{state:<4}  {check.__name__}: {' '.join(text.splitlines())}", flush=True)
            failed |= state == "FAIL"
    return int(failed)
