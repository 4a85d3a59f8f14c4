"""The report on paper."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from .. import data
from ..base import paths
from ..base.errors import LabError
from ..base.files import write_atomic
from ..base.machine import BROWSERS
from ..page.bundle import script_hash
from .make import DEFAULT, name_of
from .site import TEMPLATES

SCRIPT = TEMPLATES / "print.js"
SCRIPTS = re.compile(r"<script\b.*?</script>\s*", re.S)
POLICY = re.compile(r"(?<=<meta http-equiv=\"Content-Security-Policy\" content=\")([^\"]*)")
MOST = 4  # times that a page is printed until its contents name the right pages; two are enough
NUMBER = re.compile(r'(<span class="page" data-of="([\w-]+)">)\d*</span>')
OBJECT = re.compile(rb"(?<!\S)(\d+) 0 obj\n(<<(?:(?!stream\n|endobj).)*)", re.S)
NAMED = re.compile(rb"/([\w-]+) \[(\d+) 0 R /XYZ [^\]]*\]")


def make_pdf(profile: str, dataset: str = data.DEFAULT, edition: str = DEFAULT) -> Path:
    """Print build/<profile>/report.html, or that of another data set or language, to PDF with a headless Chromium."""
    source = paths.BUILD / name_of(profile, dataset, edition) / "report.html"
    more = "" if dataset == data.DEFAULT else f" DATASET={dataset}"
    more += "" if edition == DEFAULT else f" EDITION={edition}"
    if not source.exists():
        raise LabError(f"{source} is not there: run 'make report PROFILE={profile}{more}' first")
    return print_page(source, source.with_suffix(".pdf"))


def print_page(source: Path, out: Path) -> Path:
    """Print the page ``source`` to the PDF ``out`` with a headless Chromium; its contents name the pages.

    It is printed twice: the first time says on which page each part begins.

    Raises:
        LabError: there is no Chromium, or it makes none.
    """
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if not browser:
        raise LabError(f"no Chromium is installed: install one, or open {source} and print it")
    page = for_paper(source.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as scratch:
        begins: dict[str, int] = {}
        for _ in range(MOST):
            named = write_atomic(Path(scratch, "page.html"), numbered(page, begins).encode())
            printed = _print(browser, named, Path(scratch))
            begins, before = pages_of(printed), begins
            if begins == before or not NUMBER.search(page):
                break
        return write_atomic(out, printed)


def for_paper(page: str) -> str:
    """``page`` as it is to be printed: laid out as on paper, its figures where there is room, without its scripts."""
    script = SCRIPT.read_text(encoding="utf-8")
    allowed = f"script-src '{script_hash(script)}'"
    still = SCRIPTS.sub("", page).replace("@media print {", "@media all {")
    still = POLICY.sub(lambda policy: f"{re.sub('script-src[^;]*', '', policy[1])}; {allowed}", still)
    return still.replace("</body>", f"<script>{script}</script>\n</body>")


def _print(browser: str, page: Path, scratch: Path) -> bytes:
    """``page`` as the content of a PDF file."""
    made = scratch / "out.pdf"
    made.unlink(missing_ok=True)
    command = [
        browser,
        "--headless",
        "--disable-gpu",
        "--window-size=800,1000",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        f"--user-data-dir={scratch / 'browser'}",
        "--no-pdf-header-footer",
        "--generate-pdf-document-outline",
        f"--print-to-pdf={made}",
        *(["--no-sandbox"] if os.geteuid() == 0 else []),  # it has none for root
        page.as_uri(),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    if not made.exists():
        raise LabError(f"{browser} made no PDF of {page}: {(done.stderr.strip().splitlines() or ['no message'])[-1]}")
    return made.read_bytes()


def numbered(page: str, begins: Mapping[str, int]) -> str:
    """``page`` with the number of the page in its contents on which each part ``begins``, by the part's name."""
    return NUMBER.sub(lambda place: f"{place[1]}{begins.get(place[2], '')}</span>", page)


def pages_of(pdf: bytes) -> dict[str, int]:
    """On which page of ``pdf``, as Chromium writes it, each part of the page begins that a link leads to, from 1.

    Its objects stand there as text: the tree of pages, and the names of what links lead to. Of another PDF nothing is
    known.
    """
    objects = {int(number): body for number, body in OBJECT.findall(pdf)}
    root = next((n for n, body in objects.items() if b"/Type /Pages" in body and b"/Parent" not in body), None)

    def leaves(number: int) -> Iterator[int]:
        body = objects.get(number, b"")
        if b"/Type /Pages" not in body:
            yield number
        elif kids := re.search(rb"/Kids \[([^\]]*)\]", body):
            for kid in re.findall(rb"(\d+) 0 R", kids[1]):
                yield from leaves(int(kid))

    place = {number: k for k, number in enumerate(leaves(root), 1)} if root is not None else {}
    named = {name.decode(): place[int(at)] for name, at in NAMED.findall(pdf) if int(at) in place}
    return {name: at for name, at in named.items() if name != "Dest"}  # of the bookmarks, which have no names
