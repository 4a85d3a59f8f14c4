"""The whole report on a few training steps, by `make` in a fresh copy of the project, and in a browser."""

import re
import shutil
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urldefrag

import nbformat
import numpy as np
import pytest
from lab_page import chromium, needs_chromium
from PIL import Image
from project_copy import clean_environment, copy_project, make
from report_page import WIDTHS, cut_on_paper, leading_nowhere, overflowing, serious

from labkit.figures.catalogue import FIGURES
from labkit.report.make import CHAPTERS as EXECUTED
from labkit.report.pdf import pages_of

CHAPTERS = sorted(EXECUTED)


PAGES = 25  # on paper; of the trained networks there are 24


def snapshot(folder):
    """Content and time of every file below ``folder``."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    """The project in a folder with an awkward name, after `make smoke`."""
    root = copy_project(tmp_path_factory.mktemp("smoke") / "實驗 報告 {x} %d")
    done = make(root, "smoke")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"report: {root / 'build/smoke/report.html'}" in done.stdout
    return root


def test_every_figure_is_there_and_shows_something(smoke):
    stems = [f"fig{n:02d}_{slug}" for n, (slug, _) in FIGURES.items()]
    found = sorted(path.name for path in (smoke / "figures/smoke").iterdir())
    assert found == sorted(f"{stem}.{kind}" for stem in stems for kind in ("png", "svg"))
    for stem in stems:
        with Image.open(smoke / f"figures/smoke/{stem}.png") as png:
            pixels = np.asarray(png.convert("L"))
        assert min(pixels.shape) > 200 and pixels.std() > 5, stem
        assert b"</svg>" in (smoke / f"figures/smoke/{stem}.svg").read_bytes()[-20:], stem


def test_the_executed_notebooks_are_complete_and_hold_no_widgets(smoke):
    sources = sorted(path.name for path in (smoke / "notebooks").glob("[0-9]*.ipynb"))
    assert sorted(path.name for path in (smoke / "build/smoke").glob("[0-9]*.ipynb")) == sources
    for name in sources:
        notebook = nbformat.read(smoke / "build/smoke" / name, 4)
        assert "widgets" not in notebook.metadata
        for cell in notebook.cells:
            if cell.cell_type == "code":
                assert cell.execution_count, cell.source
                for output in cell.outputs:
                    assert output.output_type != "error"
                    assert "application/vnd.jupyter.widget-view+json" not in output.get("data", {})


def test_the_report_says_how_it_was_made_and_leaves_no_hole(smoke):
    page = (smoke / "build/smoke/report.html").read_text(encoding="utf-8")
    assert "profile smoke" in page and "Is the lab here?" not in page
    text = re.sub(r"<[^>]+>", " ", re.sub(r"<(style|details|script)\b.*?</\1>", " ", page, flags=re.S))
    assert not re.search(r"\b(?:nan|inf|None|Traceback)\b|\$", text)  # a number that could not be computed
    assert str(smoke) not in page and "/build/" not in text


@pytest.mark.thorough
def test_a_second_report_trains_nothing_and_draws_the_same_bytes(smoke):
    """Also when the project was moved meanwhile, and `make` is called from elsewhere; it makes the site with it."""
    runs, figures = snapshot(smoke / "data/runs"), snapshot(smoke / "figures/smoke")
    assert {path.split("/")[1] for path in runs if path.endswith("run.json")} == {"vanilla", "dcgan"}
    moved = smoke.rename(smoke.with_name("moved"))
    try:
        done = make(smoke.parent, "-C", str(moved), "site", "PROFILE=smoke")
        assert str(smoke) not in (moved / "build/smoke/report.html").read_text(encoding="utf-8")
    finally:
        moved.rename(smoke)
    assert done.returncode == 0, done.stdout + done.stderr
    assert snapshot(smoke / "data/runs") == runs
    again = snapshot(smoke / "figures/smoke")
    assert {name: file[0] for name, file in again.items()} == {name: file[0] for name, file in figures.items()}
    assert all(again[name][1] > figures[name][1] for name in figures)  # drawn anew, not left over


@needs_chromium
def test_the_report_in_a_browser_without_a_network(smoke):
    source = smoke / "build/smoke/report.html"
    with chromium() as browser:
        context = browser.new_context(offline=True, viewport={"width": 1280, "height": 800})
        page, requests, complaints = context.new_page(), [], []
        page.on("request", lambda request: requests.append(request.url))
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(source.as_uri())
        page.wait_for_load_state("load")

        assert [url for url in requests if not url.startswith("data:")] == [source.as_uri()]
        assert complaints == []
        widths = page.eval_on_selector_all("img", "images => images.map(image => image.naturalWidth)")
        assert len(widths) >= len(FIGURES) and min(widths) > 0
        for number in FIGURES:
            assert page.locator(f"figure#figure-{number} img").count() == 1, number
        formulas = page.eval_on_selector_all("math", "all => all.map(formula => formula.getBoundingClientRect().width)")
        assert formulas and min(formulas) > 0
        assert page.locator("nav a").count() >= len(FIGURES)
        for href in page.eval_on_selector_all("a[href]", "all => all.map(a => a.getAttribute('href'))"):
            address, fragment = urldefrag(href)
            if not address:
                assert page.evaluate("id => document.getElementById(id) !== null", unquote(fragment)), href
            elif "://" not in address:
                assert (source.parent / unquote(address)).exists(), href
        assert page.evaluate("document.documentElement.scrollWidth") <= 1280  # nothing hangs over the edge


@pytest.mark.thorough
@needs_chromium
def test_the_site_below_a_path_of_a_static_host(smoke, tmp_path):
    """Every address in it leads within it, and a browser finds all it asks for."""
    if not (smoke / "build/site").exists():
        assert make(smoke, "site", "PROFILE=smoke").returncode == 0
    shutil.copytree(smoke / "build/site", tmp_path / "a b/\u5b50")
    handler = partial(SimpleHTTPRequestHandler, directory=tmp_path)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server, chromium() as browser:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        root = f"http://127.0.0.1:{server.server_port}/a%20b/%E5%AD%90/"
        page, complaints = browser.new_page(), []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        for start in (root, f"{root}figures/", f"{root}zh/", f"{root}zh/figures/"):
            requests: list[str] = []
            page.on("request", lambda request, requests=requests: requests.append(request.url))
            page.goto(start, wait_until="networkidle")
            page.evaluate("for (const image of document.images) image.loading = 'eager'")
            page.evaluate(
                "Promise.all([...document.images].map(image => image.decode()))"
            )  # fails for one that is none
            assert all(url.startswith((root, "data:")) for url in requests)
            for href in page.eval_on_selector_all("a[href]", "all => all.map(a => a.href)"):
                address, _ = urldefrag(href)
                assert address.startswith(root), href
                assert (tmp_path / "a b/\u5b50" / unquote(address.removeprefix(root))).exists(), href
        assert complaints == []
        server.shutdown()
    text = (smoke / "build/site/index.html").read_text(encoding="utf-8")
    assert [*re.findall(r'id="lab-weights-(\w+)"', text)] == ["dcgan", "vanilla", "classifier"]
    for folder in ("figures", "zh/figures"):
        assert {path.stem for path in (smoke / f"build/site/{folder}").glob("*.svg")} == {
            f"fig{n:02d}_{slug}" for n, (slug, _) in FIGURES.items()
        }


@needs_chromium
@pytest.mark.parametrize("edition", ["en", pytest.param("zh", marks=pytest.mark.thorough)])
def test_the_report_on_a_telephone_sent_away_and_on_paper(smoke, edition):
    """Nothing hangs over the edge or is cut, no link leads out of the file, and no name of the machinery is left."""
    folder = smoke / ("build/smoke" if edition == "en" else f"build/smoke-{edition}")
    if not folder.exists():
        assert make(smoke, "smoke", f"EDITION={edition}").returncode == 0
    path = folder / "report.html"
    text = path.read_text(encoding="utf-8")
    assert "# Parameters" not in text and "scores of floor" not in text
    with chromium() as browser:
        page = browser.new_page()
        page.goto(path.as_uri())
        assert page.locator("html").get_attribute("lang") == ("en" if edition == "en" else "zh-CN")
        assert leading_nowhere(page) == []
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 844})
            assert overflowing(page) == [], width
        assert serious(page) == []
        assert cut_on_paper(page) == []


@needs_chromium
def test_the_report_as_pdf(smoke):
    done = make(smoke, "pdf", "PROFILE=smoke")
    assert done.returncode == 0, done.stdout + done.stderr
    path = smoke / "build/smoke/report.pdf"
    assert f"report: {path}" in done.stdout and path.read_bytes().startswith(b"%PDF-")
    assert b"/Outlines" in path.read_bytes() and b"/Lang (en)" in path.read_bytes()
    begins = pages_of(path.read_bytes())
    assert [begins[name] for name in CHAPTERS] == sorted(begins[name] for name in CHAPTERS)  # its contents name them
    if shutil.which("pdfinfo"):
        shown = subprocess.run(["pdfinfo", path], capture_output=True, check=True, text=True).stdout
        assert 5 <= int(re.search(r"^Pages: +(\d+)", shown, re.M)[1]) <= PAGES
        assert re.search(r"^Title: +What a GAN learns", shown, re.M)
        assert re.search(r"^Page size: .*\(A4\)", shown, re.M)
    else:
        assert len(re.findall(rb"/Type\s*/Page\b", path.read_bytes())) >= 5


def test_a_read_only_project(smoke, own_mounts):
    """One line, and nothing is changed."""
    before = snapshot(smoke / "build") | snapshot(smoke / "figures")
    script = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && cd "$0" && exec "$@"'
    command = [
        "unshare",
        "-m",
        "bash",
        "-c",
        script,
        str(smoke),
        sys.executable,
        "-m",
        "labkit",
        "report",
        "--profile",
        "smoke",
    ]
    done = subprocess.run(
        command, env=clean_environment(PYTHONPATH=str(smoke)), capture_output=True, text=True, timeout=120
    )
    assert done.returncode and "the disk is read-only" in done.stderr and done.stderr.count("\n") == 1
    assert snapshot(smoke / "build") | snapshot(smoke / "figures") == before
