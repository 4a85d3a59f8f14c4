"""The lab in a page of the report, with both trained networks: for the tests of its controls, and to look at."""

import re
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from lab_page import chromium, needs_chromium

from labkit import latent, pictures
from labkit.base import paths
from labkit.page import contents
from labkit.report import render
from labkit.study import records
from labkit.texts import using
from labkit.training import runs

RMS = {"dcgan": (22.0, 70.0), "vanilla": (28.0, 75.0)}  # what was not measured for these tests, but looks like it
FIGURE = (
    '<figure><img width="810" alt="eight garments" src="data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAA'
    'AAABAAEAAAIBRAA7"><figcaption>The latent editor at rest.</figcaption></figure>'
)
# The pixels of garment ``k``, as it is or as it was drawn, and of any other canvas.
PIXELS = """canvas => {
    const copy = new OffscreenCanvas(28, 28).getContext('2d', {willReadFrequently: true});
    copy.drawImage(canvas, 0, 0);
    const {data} = copy.getImageData(0, 0, 28, 28);
    return [...Array(784).keys()].map(k => data[4 * k]);
}"""


def trained(model: str) -> runs.Run | None:
    """The run of ``model`` that ships, if it is here."""
    found = [folder for folder in runs.finished(paths.RUNS) if folder.parts[-2] == model]
    return runs.load_run(found[0]) if found else None


def write_page(path: Path, models=("dcgan", "vanilla"), edition: str = "en") -> Path:
    """A chapter of the report with the lab of ``models`` in it, in ``edition``, in the file ``path``."""
    with using(edition):
        return _write(path, models)


def _write(path: Path, models) -> Path:
    arms = records.load() if (paths.STUDIES / "seeds").is_dir() else {}
    lab = contents.lab([trained(model) for model in models], arms=arms, rms=RMS)
    text = (
        "<p>Before we look, two warnings. The pictures must be sampled correctly, which is easy to get wrong.</p>" * 30
    )
    body = (
        f'<h1 id="first">A chapter</h1>{text}<div class="lab-here">{FIGURE}</div>{text}<div class="growth-here"></div>'
    )
    chapter = {"name": "03_latent_perturbation", "title": "A chapter", "body": body, "figures": []}
    path.write_text(render.page([chapter], [("made", "for a test")], lab), encoding="utf-8")
    return path


class Lab:
    """The lab in ``page``, as a reader has it: by what can be seen and touched."""

    def __init__(self, page):
        self.page = page

    def find(self, name: str):
        """The element of class lab-``name``."""
        return self.page.locator(f".lab-{name}")

    def rest(self):
        """Wait until all that was asked for is drawn and named."""
        self.page.wait_for_selector(".lab[data-state=resting]")

    def pixels(self, kind: str = "picture") -> np.ndarray:
        """What the eight garments show, or what they were ("before"), uint8 (8, 28, 28)."""
        self.rest()
        shown = self.page.locator(f".lab-garment .{kind}").all()
        return np.array([canvas.evaluate(PIXELS) for canvas in shown], np.uint8).reshape(8, 28, 28)

    def canvas(self, selector: str) -> np.ndarray:
        """The pixels of one canvas, uint8 (28, 28)."""
        return np.array(self.page.locator(selector).evaluate(PIXELS), np.uint8).reshape(28, 28)

    def moved(self, before: np.ndarray) -> list[int]:
        """Which garments have changed since ``before``."""
        return np.flatnonzero((self.pixels() != before).any((1, 2))).tolist()

    def slider(self, title: str):
        """The slider that is called ``title``."""
        return self.page.get_by_role("slider", name=title, exact=True)

    def value(self, title: str) -> float:
        """The number beside that slider."""
        return float(self.page.get_by_label(f"{title}, as a number", exact=True).input_value())

    def titles(self) -> list[str]:
        """What has a slider, from top to bottom."""
        return self.page.locator(".lab-row .name").all_inner_texts()

    def chosen(self) -> list[int]:
        """Which garments edits change."""
        marks = [one.get_attribute("aria-pressed") for one in self.find("garment").all()]
        return [k for k, mark in enumerate(marks) if mark == "true"]

    def tab(self, name: str):
        """Open the tab ``name``."""
        self.page.get_by_role("tab", name=name, exact=True).click()

    def said(self) -> str:
        """The status line."""
        return self.find("status").inner_text()

    def link(self) -> str:
        """The address of the present state."""
        self.tab("Share")
        self.find("copy").click()
        self.rest()
        return self.find("link").input_value()

    def saved(self, name: str) -> Path:
        """The file that the button lab-``name`` gives."""
        self.tab("Share")
        with self.page.expect_download() as download:
            self.find(name).click()
        return download.value.path()


@contextmanager
def opened(browser, path: Path, fragment: str = "", live: bool = True, before: str = "", **options):
    """The lab in the page ``path``, which is offline and may ask for nothing and complain of nothing."""
    context = browser.new_context(offline=True, **{"viewport": {"width": 1280, "height": 800}, **options})
    page, told = context.new_page(), []
    page.on("console", lambda message: told.append(message.text))
    page.on("pageerror", lambda error: told.append(str(error)))
    page.on("request", lambda request: told.append(request.url[:80]) if not own(request.url, path) else None)
    if before:
        context.add_init_script(before)
    page.goto(path.as_uri() + fragment)
    page.locator(".lab-here").scroll_into_view_if_needed()
    lab = Lab(page)
    if live:
        page.wait_for_selector(".lab-here.live")
        lab.rest()
    yield lab
    context.close()
    assert not told, told


def own(url: str, path: Path) -> bool:
    """Whether ``url`` is the page itself, or something inside it."""
    return bool(re.match(r"data:|blob:", url)) or url.split("#")[0] == path.as_uri()


# ----- what the tests of the lab share: imported by each of their files

needs_both = [
    needs_chromium,
    pytest.mark.skipif(not (trained("dcgan") and trained("vanilla")), reason="no trained runs of both networks"),
]


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write_page(tmp_path_factory.mktemp("page") / "report.html")


@pytest.fixture(scope="module")
def shared(browser, path):
    """One page for all tests that do not need their own."""
    with opened(browser, path) as lab:
        yield lab


@pytest.fixture
def lab(shared):
    """The lab at rest, as it was when it was opened: link and history, too."""
    shared.page.evaluate("history.replaceState(null, '', location.href.split('#')[0]), location.reload()")
    shared.page.wait_for_load_state("load")
    shared.page.locator(".lab-here").scroll_into_view_if_needed()
    shared.page.wait_for_selector(".lab-here.live")
    shared.rest()
    return shared


@pytest.fixture(scope="module")
def z():
    return latent.latents(8)


def drawn(z, model="dcgan"):
    """What the library draws, uint8 (n, 28, 28)."""
    return pictures.levels(latent.sample(trained(model).generator(), z)).numpy()


def same(shown, wanted):
    """To a grey level, and hardly any pixel off by one."""
    difference = np.abs(shown.astype(int) - wanted.astype(int))
    return difference.max() <= 1 and (difference > 0).mean() < 0.03
