"""A copy of the project as a clone would give it, for tests that run `make` or the report for real."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from labkit.base import paths
from labkit.base.paths import ROOT


def copy_project(target: Path) -> Path:
    """Copy all files that git knows or would add to ``target``, and return it; tests and trained runs stay behind."""
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout.split("\0")
    for name in filter(None, names):
        if not name.startswith(("tests/", "data/runs/", "figures/full/")) and (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    return target


def clean_environment(**own: str) -> dict[str, str]:
    """The environment without what this test run, or a `make test` around it, has put there; plus ``own``."""
    foreign = ("LABKIT_", "MAKE", "MFLAGS", "PYTHON", "PYTEST")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return inherited | {"LABKIT_DATA": str(paths.DATA), "PYTHONDONTWRITEBYTECODE": "1"} | own


def make(root: Path, *arguments: str, timeout: float = 600) -> subprocess.CompletedProcess:
    """Run `make` in ``root`` with this interpreter."""
    command = ["make", *arguments, f"PYTHON={sys.executable}"]
    return subprocess.run(command, cwd=root, env=clean_environment(), capture_output=True, text=True, timeout=timeout)
