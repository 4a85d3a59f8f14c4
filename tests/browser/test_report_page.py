"""A small page of the report as its readers meet it: on any screen, on paper, sent away; in both languages."""

import base64
import io
import re

import nbformat
import numpy as np
import pytest
from lab_page import chromium, needs_chromium
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image
from report_page import WIDTHS, cut_on_paper, leading_nowhere, overflowing, serious

from labkit import data, texts
from labkit.base.errors import LabError
from labkit.figures import fonts
from labkit.report import chapters, pdf, render

pytestmark = needs_chromium
SCORES = [
    "frechet",
    "kernel",
    "precision",
    "recall",
    "density",
    "coverage",
    "dropped classes",
    "neighbour ratio",
    "auc",
]
HEADS = [*SCORES, *(f"{name} of the pixels" for name in SCORES)]  # more columns than any screen or paper is wide
FORMULA = (
    r"$$L_D = -\log D(x) - \log(1 - D(G(z))) \qquad L_G = -\log D(G(z)) + \lambda \lVert f(x) - f(G(z)) \rVert^2$$"
)
PROSE = {
    "en": "Two networks play a game: $L_D = 2 \\ln 2 \\approx 1.386$. ",
    "zh": "两个网络互相对抗，$L_D = 2 \\ln 2 \\approx 1.386$。“生成器”把随机数变成图像——判别器判断真假。",
}
CLAIM = (
    '| <a id="claim-V1"></a>V1 | both swing<br><small>[figure 3](#figure-3), [code](../labkit/latent.py#L12)</small> |'
)


def picture():
    content = io.BytesIO()
    Image.fromarray(np.full((300, 962), 255, np.uint8)).save(content, "PNG")
    return base64.b64encode(content.getvalue()).decode()


def notebook(name, edition):
    """A chapter with what is wide: a table, a formula, a figure, code; and links to files of the project."""
    image = f'<img width="962" style="max-width:100%" alt="3" src="data:image/png;base64,{picture()}">'
    shown = f'<figure data-figure="3" style="margin:1em 0">{image}<figcaption>Figure 3. Wide.</figcaption></figure>'
    rows = [" | ".join(["0.0107 (0.004)"] * len(HEADS)) for _ in range(4)]
    table = "\n".join(f"| {row} |" for row in [" | ".join(HEADS), "|".join(["---"] * len(HEADS)), *rows])
    links = "[two](02_two.ipynb) [latent](../labkit/latent.py) [protocol](../docs/preregistration.md) [R](../README.md)"
    code = new_code_cell("# Draw it\n" + "x = " + " + ".join(["latent"] * 40), execution_count=2)
    code.outputs = [new_output("display_data", {"text/html": shown}), new_output("stream", text="word " * 200)]
    cells = [
        new_markdown_cell(f"# Chapter {name}\n\n{PROSE[edition] * 3}\n\n{FORMULA}\n\n{links}"),
        new_markdown_cell("## Settings"),
        new_code_cell("profile = 'auto'", metadata={"tags": ["parameters"]}, execution_count=1),
        new_code_cell(
            "# Parameters\nprofile = 'full'\n", metadata={"tags": ["injected-parameters"]}, execution_count=1
        ),
        new_markdown_cell(f"## Scores\n\n{table}\n\n| id | claim |\n|---|---|\n{CLAIM}"),
        *([code] if name == "01_one" else []),
        *(new_markdown_cell(f"## Part {k}\n\n{PROSE[edition] * 20}") for k in range(8)),
    ]
    return new_notebook(cells=cells)


@pytest.fixture(scope="module", params=list(texts.EDITIONS))
def page(request, tmp_path_factory):
    """The path of a page of two chapters in one of the languages."""
    edition, folder = request.param, tmp_path_factory.mktemp("page")
    if edition == "zh":
        try:
            fonts.chinese()
        except LabError as error:
            pytest.skip(str(error))
    for name in ("01_one", "02_two"):
        nbformat.write(notebook(name, edition), folder / f"{name}.ipynb")
    with texts.using(edition):
        found = chapters.chapters_of(folder, ["01_one.ipynb", "02_two.ipynb"], data.FASHION_MNIST)
        text = render.page(found, [("made", "in a test")], None)
    path = folder / f"{edition}.html"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started


def opened(browser, path, width=1280, **options):
    tab = browser.new_page(viewport={"width": width, "height": 844}, **options)
    tab.goto(path.as_uri())
    tab.wait_for_load_state("load")
    return tab


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_hangs_over_the_edge(browser, page, width):
    tab = opened(browser, page, width)
    tab.evaluate("for (const folded of document.querySelectorAll('details')) folded.open = true")
    assert overflowing(tab) == []
    tab.close()


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (390, "dark"), (1280, "light"), (1280, "dark")])
def test_axe_finds_nothing_serious(browser, page, width, scheme):
    tab = opened(browser, page, width, color_scheme=scheme)
    tab.evaluate("for (const folded of document.querySelectorAll('section:first-of-type details')) folded.open = true")
    assert serious(tab) == []
    tab.close()


def test_the_page_needs_nothing_but_itself(browser, page):
    """No request, no complaint; every link leads to a place in it."""
    requests, complaints = [], []
    tab = browser.new_context(offline=True).new_page()
    tab.on("request", lambda request: requests.append(request.url))
    tab.on("console", lambda message: complaints.append(message.text))
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.goto(page.as_uri())
    tab.wait_for_load_state("load")
    assert [url for url in requests if not url.startswith("data:")] == [page.as_uri()] and complaints == []
    assert leading_nowhere(tab) == []
    assert tab.locator("html").get_attribute("lang") == {"en": "en", "zh": "zh-CN"}[page.stem]
    ids = tab.eval_on_selector_all("[id]", "all => all.map(one => one.id)")
    assert len([id for id in ids if not id.startswith("claim-")]) == len(
        {id for id in ids if not id.startswith("claim-")}
    )
    tab.close()


def test_a_link_to_code_opens_it_at_its_line(browser, page):
    tab = opened(browser, page)
    tab.locator("a[href='#code-labkit-latent-py-12']").first.click()
    line = tab.locator("#code-labkit-latent-py-12")
    line.wait_for(state="visible")
    wanted = (chapters.Path(render.paths.ROOT) / "labkit/latent.py").read_text(encoding="utf-8").splitlines()[11]
    assert line.text_content().strip() == wanted.strip()
    assert tab.locator("#code-docs-preregistration-md").count() == 1  # a page of docs is shown, too
    assert tab.get_by_role("link", name="R", exact=True).count() == 0  # another file is named, not linked
    tab.close()


def test_the_contents_follow(browser, page):
    """Beside the page they mark what is read; on a narrow screen they are folded, and close when used."""
    tab = opened(browser, page)
    tab.evaluate("document.getElementById('02_two').scrollIntoView()")
    tab.wait_for_function("document.querySelector('.side [aria-current]')?.getAttribute('href') === '#02_two'")
    tab.set_viewport_size({"width": 390, "height": 844})
    assert not tab.locator(".side").is_visible()
    tab.locator(".folded > summary").click()
    tab.locator(".folded a[href='#01_one-3']").click()
    tab.wait_for_function("!document.querySelector('.folded').open && location.hash === '#01_one-3'")
    tab.close()


def test_settings_stand_there_once_and_leave_no_mark_of_the_machinery(page):
    text = page.read_text(encoding="utf-8")
    assert "# Parameters" not in text and text.count("profile</span>") == 2  # once in each chapter, as given
    with texts.using(page.stem):
        assert text.count(texts.say("report.settings")) == 2


def test_subscripts_stand_lower_than_what_they_belong_to(browser, page):
    tab = opened(browser, page)
    drops = tab.evaluate("""() => [...document.querySelectorAll('msub')].map(one => {
        const [base, low] = [...one.children].map(part => part.getBoundingClientRect());
        return (low.bottom - base.bottom) / base.height; })""")
    assert drops and min(drops) > 0.02
    tab.close()


def test_chinese_letters_are_in_the_page(browser, page):
    """All that it uses, and no more; English has none."""
    text = page.read_text(encoding="utf-8")
    if page.stem == "en":
        assert "@font-face" not in text
        return
    tab = opened(browser, page)
    (face,) = tab.evaluate("document.fonts.ready.then(() => [...document.fonts].map(one => [one.family, one.status]))")
    assert face == ["Report Chinese", "loaded"]
    from fontTools.ttLib import TTFont

    from labkit.report import webfont

    content = base64.b64decode(re.search(r"data:font/woff;base64,([^)]+)", text)[1])
    has = TTFont(io.BytesIO(content)).getBestCmap()
    assert {ord(letter) for letter in webfont.letters_of(text)} == set(has) - {0x20} or set(has)
    assert {ord(letter) for letter in "生成器判别“”——。，"} <= set(has) and len(content) < 200_000
    tab.close()


def test_on_paper_nothing_is_cut_and_the_contents_name_the_pages(browser, page, tmp_path):
    tab = opened(browser, page)
    assert cut_on_paper(tab) == []
    assert not tab.locator("details.code").first.is_visible() and not tab.locator("#code").is_visible()
    assert tab.locator("h2.bare").count() == 2 and not tab.locator("h2.bare").first.is_visible()  # settings: only code
    tab.close()
    out = pdf.print_page(page, tmp_path / "page.pdf").read_bytes()
    begins = pdf.pages_of(out)
    wanted = re.findall(r'data-of="([\w-]+)"', page.read_text(encoding="utf-8"))
    assert set(wanted) - set(begins) <= {"01_one-1", "02_two-1"}  # those of the settings are not printed
    assert begins["01_one"] == 1 < begins["02_two"] <= begins["02_two-10"] <= len(re.findall(rb"/Type /Page\b", out))
    assert b"/Outlines" in out and b"/Lang" in out


def test_numbers_of_pages_are_filled_in():
    contents = '<span class="page" data-of="a"></span> <span class="page" data-of="b">9</span>'
    assert pdf.numbered(contents, {"a": 2}) == contents.replace("></", ">2</", 1).replace(">9<", "><")
    assert pdf.pages_of(b"%PDF-1.7 of another maker") == {}
