"""The report on paper."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from .. import data
from ..base import paths
from ..base.errors import LabError
from ..base.files import write_atomic
from ..base.machine import BROWSERS
from .make import DEFAULT, name_of


def make_pdf(profile: str, dataset: str = data.DEFAULT, edition: str = DEFAULT) -> Path:
    """Print build/<profile>/report.html, or that of another data set or language, to PDF with a headless Chromium."""
    source = paths.BUILD / name_of(profile, dataset, edition) / "report.html"
    more = "" if dataset == data.DEFAULT else f" DATASET={dataset}"
    more += "" if edition == DEFAULT else f" EDITION={edition}"
    if not source.exists():
        raise LabError(f"{source} is not there: run 'make report PROFILE={profile}{more}' first")
    return print_page(source, source.with_suffix(".pdf"))


def print_page(source: Path, out: Path) -> Path:
    """Print the page ``source`` to the PDF ``out`` with a headless Chromium.

    Raises:
        LabError: there is no Chromium, or it makes none.
    """
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if not browser:
        raise LabError(f"no Chromium is installed: install one, or open {source} and print it")
    with tempfile.TemporaryDirectory() as scratch:
        command = [
            browser,
            "--headless",
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            f"--user-data-dir={scratch}",
            "--no-pdf-header-footer",
            f"--print-to-pdf={scratch}/out.pdf",
            *(["--no-sandbox"] if os.geteuid() == 0 else []),  # it has none for root
            source.as_uri(),
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        if not Path(scratch, "out.pdf").exists():
            raise LabError(
                f"{browser} made no PDF of {source}: {(done.stderr.strip().splitlines() or ['no message'])[-1]}"
            )
        return write_atomic(out, Path(scratch, "out.pdf").read_bytes())
