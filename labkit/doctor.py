"""What may be wrong on this machine, one line each, and what mends it: `make doctor` runs this module.

It trains, fetches, installs and changes nothing. A line begins with ok, note (all works, or can be lived with) or
FAIL (something will not work). A check that cannot be made is a FAIL of its own, and the others go on.
"""

import platform
import sys

if sys.version_info < (3, 11):  # an older one cannot read the modules imported below; this one is kept readable for it
    print("FAIL  Python: {} in {} is too old: install 3.11 or later, or name one with PYTHON=".format(platform.python_version(), sys.prefix))
    raise SystemExit(1)

import contextlib
import importlib.util
import io
import os
import re
import shutil
import signal
import tempfile
import tomllib
import warnings
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from .system import ROOT, LabError, write_fault

VENV = ROOT / ".venv"
PROBE = 1 << 16  # bytes that must fit into a folder that is written to
Findings = Iterator[tuple[str, str]]  # (ok, note or FAIL; what was seen, and for the last two what mends it)


def interpreter() -> Findings:
    """New enough, since it read this file; and is this the labkit, and the .venv, of the folder we are in?"""
    yield "ok", f"{platform.python_version()} in {sys.prefix}"
    if ROOT not in (Path.cwd(), *Path.cwd().parents):
        yield "FAIL", f"labkit comes from {ROOT}, not from {Path.cwd()}: take it out of PYTHONPATH, or run 'make doctor' there"
    if not (VENV / "ready").exists():
        yield "note", f"{VENV} is {'half made' if VENV.exists() else 'not there'}: run 'make setup', unless you name an interpreter with PYTHON="


def packages() -> Findings:
    """What pyproject.toml needs must be installed; a version other than that of requirements.lock is only noted."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = [*project["dependencies"], *project["optional-dependencies"]["report"]]
    absent = [text for text in needed if not _version(re.match(r"[\w.-]+", text)[0])]
    if absent:
        yield "FAIL", f"{', '.join(absent)} not in {sys.prefix}: {_setup()}"
    from packaging.requirements import Requirement

    for package in map(Requirement, needed):
        if (here := _version(package.name)) and not package.specifier.contains(here, prereleases=True):
            yield "FAIL", f"{package} is needed, {here} is in {sys.prefix}: {_setup()}"
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    pins = [pin for pin in map(Requirement, re.findall(r"^\w[^\\\n]*", lock, re.M)) if not pin.marker or pin.marker.evaluate()]
    found = [(pin, _version(pin.name)) for pin in pins]
    others = [f"{pin.name}{pin.specifier} (here {here or 'none'})" for pin, here in found if not (here and pin.specifier.contains(here, prereleases=True))]
    if others:
        text = f"{', '.join(others[:4])}{f' and {len(others) - 4} more' if others[4:] else ''}"
        yield "note", f"{len(pins) - len(others)} of {len(pins)} fit requirements.lock, not {text}: to have the locked ones, {_setup()}"
    else:
        yield "ok", f"all {len(pins)} of requirements.lock that apply here"


def _version(name: str) -> str | None:
    """The version of the package ``name`` that is installed, if any is."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _setup() -> str:
    """What mends the packages of this interpreter."""
    if Path(sys.prefix).resolve() == VENV.resolve():
        return "delete .venv and run 'make setup'"
    return "install requirements.lock there, or use the .venv of 'make setup'"


def fashion_mnist() -> Findings:
    """The four files, wherever they lie, by the digests of their content."""
    from . import data

    folder = data.data_folder()
    found = {name: path for name in data.DIGESTS if (path := data.locate(folder, name))}
    sound = 0
    for name, path in found.items():
        try:
            sound += bool(data.read_verified(path, data.DIGESTS[name]))
        except LabError as error:
            yield "FAIL", str(error)
    if missing := data.DIGESTS.keys() - found:
        yield "note", f"{len(missing)} of {len(data.DIGESTS)} files are not in {folder}: 'make data' fetches them (30 MB)"
    if sound:
        yield "ok", f"{sound} files in {', '.join(sorted({str(path.parent) for path in found.values()}))}, their content as published"


def ruler() -> Findings:
    """The weights that ship."""
    from .ruler import load_ruler

    card = load_ruler()[1]
    yield "ok", f"sha256 {card['sha256'][:12]}…, test accuracy {card['test_accuracy']:.2%}"


def trained_runs() -> Findings:
    """Every finished run."""
    from . import runs

    found, sound = runs.finished(), 0
    for folder in found:
        try:
            sound += bool(runs.load_run(folder))
        except LabError as error:
            yield "FAIL", str(error)
    if sound or not found:
        yield "ok", f"{sound} finished in {runs.RUNS}, as they were written" if found else f"none finished in {runs.RUNS} so far"


def folders() -> Findings:
    """The folders that are written to. What is written has no name, and is gone when it is closed or we are killed."""
    for folder in (ROOT / "data", ROOT / "figures", ROOT / "build"):
        place = next(path for path in (folder, *folder.parents) if os.path.lexists(path))  # build/ may be not made yet
        try:
            with tempfile.TemporaryFile(dir=place) as f:
                f.write(bytes(PROBE))
                f.flush()
                os.fsync(f.fileno())
            yield "ok", f"{folder} can be written"
        except OSError as error:
            yield "FAIL", write_fault(folder, PROBE, error).partition(";")[0]


def disk() -> Findings:
    """Room for what comes next: a first setup, or reports and runs."""
    free, need = shutil.disk_usage(ROOT).free / 1e9, 1 if importlib.util.find_spec("torch") else 6
    purpose = "reports and runs take" if need == 1 else "'make setup' takes"
    yield ("ok", f"{free:.1f} GB free") if free >= need else ("note", f"{free:.1f} GB free, {purpose} up to {need}: free some space")


def browser() -> Findings:
    """A Chromium, without which all but two things work."""
    from .report import BROWSERS

    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    yield ("ok", found) if found else ("note", "no Chromium on the PATH, so no 'make pdf' and no tests in a browser: install one if you want them")


def gpu() -> Findings:
    """What training will run on."""
    import torch

    with warnings.catch_warnings(record=True) as said:
        name = torch.cuda.get_device_name() if torch.cuda.is_available() else "none: everything runs on the CPU"
    yield ("note", f"torch cannot use it ({said[0].message}): see to its driver, or stay on the CPU") if said else ("ok", name)


def threads() -> Findings:
    """How many threads torch takes."""
    import torch

    yield "ok", f"{torch.get_num_threads()} in torch, for {len(os.sched_getaffinity(0))} cores"


CHECKS = {
    "Python": interpreter,
    "packages": packages,
    "Fashion-MNIST": fashion_mnist,
    "ruler": ruler,
    "runs": trained_runs,
    "folders": folders,
    "disk": disk,
    "browser": browser,
    "GPU": gpu,
    "threads": threads,
}


def examine(check) -> Findings:
    """The findings of ``check``; whatever it stumbles over is one of them."""
    try:
        with contextlib.redirect_stderr(io.StringIO()):  # broken packages like to show tracebacks while they are imported
            yield from check()
    except LabError as error:
        yield "FAIL", str(error)
    except ImportError as error:
        yield "FAIL", f"not looked at, {error}: {_setup()}"
    except Exception as error:  # the one place that may: the next check is to be made in any case
        yield "FAIL", f"not looked at, {type(error).__name__} {error}: get the project's files back from git, or {_setup()}"


def main() -> int:
    """Print all findings; 1 if one is a FAIL, else 0."""
    states = set()
    for name, check in CHECKS.items():
        for state, text in examine(check):
            print(f"{state:<4}  {name}: {' '.join(text.splitlines())}", flush=True)
            states.add(state)
    return int("FAIL" in states)


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)  # Ctrl-C and `make doctor | head` end it without a traceback
    sys.stdout.reconfigure(errors="replace")  # a terminal that knows no "…"
    raise SystemExit(main())
