"""A small project that sets itself up with the real make, venv and pip: two packages, and a folder for a network."""

import hashlib
import os
import shutil
import subprocess
import zipfile
from pathlib import Path

from project_copy import clean_environment

from labkit.base.paths import ROOT

BACKEND = """
import pathlib, zipfile

def build_editable(folder, settings=None, metadata=None):
    name = "lab-1-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(folder, name), "w") as wheel:
        wheel.writestr("lab.pth", str(pathlib.Path.cwd()).encode("utf-8", "surrogateescape") + b"\\n")
        wheel.writestr("lab-1.dist-info/METADATA", "Metadata-Version: 2.1\\nName: lab\\nVersion: 1\\n")
        wheel.writestr("lab-1.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("lab-1.dist-info/RECORD", "")
    return name
"""
PROJECT = '[project]\nname = "lab"\nversion = "1"\n[build-system]\nrequires = []\nbuild-backend = "backend"\n'
NAMES = ("Makefile", "labkit/__init__.py", "labkit/base/environment.py", "labkit/base/arguments.py")


def make_wheels(folder: Path, version: str = "1", names: tuple[str, ...] = ("small", "other"), needs: str = "") -> Path:
    """Packages of one module and one script each in ``folder``; each of them requires the package ``needs``."""
    kind = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    for name in names:
        about = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
            wheel.writestr(f"{name}.py", f"def main(): print('{name}')\n")
            wheel.writestr(
                f"{name}-{version}.dist-info/METADATA", about + (f"Requires-Dist: {needs}\n" if needs else "")
            )
            wheel.writestr(f"{name}-{version}.dist-info/WHEEL", kind)
            wheel.writestr(f"{name}-{version}.dist-info/entry_points.txt", f"[console_scripts]\n{name} = {name}:main\n")
            wheel.writestr(f"{name}-{version}.dist-info/RECORD", "")
    return folder


def locked(wheels: Path, *names: str) -> str:
    """A lock of the packages ``names``, in their version 1."""
    digests = {name: hashlib.sha256((wheels / f"{name}-1-py3-none-any.whl").read_bytes()).hexdigest() for name in names}
    return "".join(f"{name.replace('_', '-')}==1 --hash=sha256:{digests[name]}\n" for name in names)


def project(root: Path, wheels: Path) -> Path:
    """The project, in the folder ``root``."""
    for name in NAMES:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, root / name)
    (root / "backend.py").write_text(BACKEND)
    (root / "pyproject.toml").write_text(PROJECT + 'backend-path = ["."]\n')
    (root / "requirements.lock").write_text(locked(wheels, "small"))
    return root


def own(**more: str) -> dict[str, str]:
    """The environment of a machine that reaches no network, unless ``more`` says where there is one."""
    named = {name: value for name, value in clean_environment().items() if not name.startswith("PIP_")}
    return named | {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "HOME": "/nonexistent"} | more


def setup(root: Path, **more: str) -> tuple[int, list[str]]:
    """``make setup`` in ``root``: the exit status, and all lines but make's own."""
    done = subprocess.run(["make", "setup"], cwd=root, env=own(**more), capture_output=True, timeout=300)
    lines = (done.stdout + done.stderr).decode(errors="replace").splitlines()
    return done.returncode, [line for line in lines if not line.startswith("make")]


def sound(root: Path) -> bool:
    """Does .venv run, is its labkit this folder's, and do its scripts run in it?"""
    code = "import os, small, sys, labkit; sys.stdout.buffer.write(os.fsencode(labkit.__file__))"
    python, script = root / ".venv/bin/python", root / ".venv/bin/small"
    found = subprocess.run([python, "-c", code], cwd="/", env=own(), capture_output=True).stdout
    ran = subprocess.run([script], cwd="/", env=own(), capture_output=True)
    ours = os.fsencode(root / ".venv") in script.read_bytes()
    return found == os.fsencode(root / "labkit/__init__.py") and ran.stdout == b"small\n" and ours


def contents(root: Path) -> dict[Path, int]:
    """What is in .venv, and when it was written."""
    return {
        path: path.lstat().st_mtime_ns
        for path in (root / ".venv").rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
