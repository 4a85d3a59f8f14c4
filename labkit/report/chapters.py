"""Executed notebooks as chapters of a page: prose, figures and tables in full, code folded."""

import html
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import nbformat

from .. import data
from ..texts import say, terms
from . import answers
from .settings import declared_parameters
from .speak import SUMMARY

FIGURE = re.compile(r'<figure(?: data-figure="(\d+)")? style="[^"]*">(<img[^>]*>)')
NARROW = 481  # pixels: half of a page's width
CAPTION = re.compile(r'<figure id="figure-(\d+)"[^>]*>.*?<figcaption>(.*?)</figcaption>', re.S)
HEADING = re.compile(r'<h([1-4]) id="[^"]*">(.*?)<a class="anchor-link"[^>]*>.*?</a></h\1>', re.S)
PART = re.compile(r'(?=<h[1-4] id=")')
SHOWS = re.compile(r"<(?:img|table|svg|math|input)\b|lab-here")  # what a reader sees that is no text
OWN_STYLE = re.compile(r"<style>pre \{ line-height.*?</style>", re.S)  # of shown code: the page has one for all
SHOWN = re.compile(r'(?<=output_execute_result">)\s*<div class="highlight">')
CODE = re.compile(r'<details class="code">.*?</details>', re.S)
TABLE = re.compile(r"<table\b.*?</table>", re.S)
SENTENCE = re.compile(r"(?<=\.)\s+(?=[A-Z])|(?<=。)")
TAGS = re.compile(r"<[^>]+>")
FIRST = "00_in_short"  # the chapter that stands first: what was found, without code in between


@dataclass(frozen=True)
class Heading:
    """A heading of a chapter, as the table of contents has it."""

    id: str
    text: str  # HTML without links
    bare: bool  # nothing but code is below it
    level: str


def chapters_of(pages: Path, names: list[str], dataset: data.Dataset) -> list[dict]:
    """Name, number, title, body, headings and figures of each notebook in ``pages``.

    What is said in them of ``dataset`` has its noun. Links to files of the project are as the notebooks have them.
    """
    exporter, chapters = _exporter(), []
    for name in names:
        notebook = nbformat.read(pages / name, 4)
        elsewhere = not dataset.plain and "changes" not in declared_parameters(pages / name)  # of what ships alone
        if not dataset.plain and not elsewhere:
            _in_its_words(notebook, dataset)
        _one_cell_of_settings(notebook)
        given = answers.take(notebook)
        body, _ = exporter.from_notebook_node(notebook)
        body = SHOWN.sub(_on_paper, OWN_STYLE.sub("", answers.put(body, given)))
        body = re.sub(r'href="(\d\d_\w+)\.ipynb(?:#[^"]*)?"', r'href="#\1"', body)
        body = FIGURE.sub(_figure, body)
        figures = [(int(n), html.unescape(TAGS.sub("", caption))) for n, caption in CAPTION.findall(body)]
        stem = name.removesuffix(".ipynb")
        body, headings = _headings(body, stem)
        body = scrolling(_code_last(body) if stem == FIRST else body)
        if elsewhere:
            note = f"<p>{say('report.elsewhere', title=html.escape(dataset.title))}</p>"
            body = body.replace("</h1>", f"</h1>{note}", 1)
        title = next((line[2:] for line in notebook.cells[0].source.splitlines() if line.startswith("# ")), name)
        number = "" if stem == FIRST else stem.split("_")[0].lstrip("0")
        made = {"number": number if number.isdecimal() else "", "headings": headings}
        chapters.append({"name": stem, "title": title, "body": body, "figures": figures, **made})
    return chapters


def _figure(match: re.Match) -> str:
    """The beginning of a figure of the report, with its name; a narrow one may stand beside another on paper."""
    given, image = match.groups()
    width, said = re.search(r'\bwidth="(\d+)"', image), re.search(r'\balt="Figure (\d+)\.', image)
    number = given or (said and said[1])
    if not number:
        return match[0]
    narrow = ' class="narrow"' if width and int(width[1]) < NARROW else ""
    return f'<figure id="figure-{number}"{narrow}>{image}'


def _on_paper(match: re.Match) -> str:
    """Code that a cell shows, and before it what stands for it on paper."""
    return f'<p class="paper">{html.escape(say("report.code.paper"))}</p>{match[0]}'


def _one_cell_of_settings(notebook) -> None:
    """Let ``notebook`` show its settings once: as the report was given them, not also as the cell has them."""
    given = [cell for cell in notebook.cells if "injected-parameters" in cell.metadata.get("tags", [])]
    for cell in notebook.cells:
        if "parameters" in cell.metadata.get("tags", []):
            cell.metadata.setdefault(SUMMARY, say("report.settings"))
            for shown in given:
                shown.metadata[SUMMARY] = cell.metadata[SUMMARY]
                shown.source = shown.source.removeprefix("# Parameters\n")
    if given:
        notebook.cells = [cell for cell in notebook.cells if "parameters" not in cell.metadata.get("tags", [])]


def _headings(body: str, chapter: str) -> tuple[str, list[Heading]]:
    """``body`` with a name for each heading that no other chapter has, and the headings of its sections.

    What has nothing but folded code below it is marked as bare: on paper it is left out.
    """
    before, *parts = PART.split(body)
    found: list[Heading] = []
    for k, part in enumerate(parts):
        match = HEADING.match(part)
        if match is None:
            continue
        level, text = match.groups()
        if level == "1":
            parts[k] = f"<h1>{text}</h1>{part[match.end() :]}"
            continue
        below = part[match.end() :]
        last = k + 1 == len(parts) or parts[k + 1][2] <= level
        bare = last and not SHOWS.search(CODE.sub("", below)) and not TAGS.sub("", CODE.sub("", below)).strip()
        id = f"{chapter}-{k}"
        found.append(Heading(id, re.sub(r"</?a\b[^>]*>", "", text), bare, level))
        parts[k] = f'<h{level} id="{id}"{" class=bare" if bare else ""}>{text}</h{level}>{below}'
    return before + "".join(parts), [heading for heading in found if heading.level == "2"]


def _code_last(body: str) -> str:
    """``body`` with all folded code at its end."""
    folded = "\n".join(CODE.findall(body))
    return f'{CODE.sub("", body)}\n<div class="codes">{folded}</div>' if folded else body


def scrolling(body: str) -> str:
    """``body`` with every table in a box that scrolls where the page is narrower than it."""
    label = html.escape(say("report.table"))
    return TABLE.sub(
        lambda table: f'<div class="scroll" tabindex="0" role="group" aria-label="{label}">{table[0]}</div>', body
    )


def _in_its_words(notebook, dataset: data.Dataset) -> None:
    """Let the text of ``notebook``, and its outputs, say the noun of ``dataset`` where they say garment."""
    usual, own = terms.noun(data.FASHION_MNIST.noun), terms.noun(dataset.noun)
    word = rf"\b{usual}(?=s?\b)" if usual.isascii() else usual
    twice = rf"\b({own})s? of (?:an? )?\1(?=s?\b)" if own.isascii() else rf"({own})的?\1"  # a picture of a picture

    def said(text: str) -> str:
        return re.sub(twice, r"\1", re.sub(word, own, text))

    for cell in notebook.cells:
        cell.source = said(cell.source) if cell.cell_type == "markdown" else cell.source
        for shown in (output.get("data", {}) for output in cell.get("outputs", ())):
            shown |= {kind: said(shown[kind]) for kind in shown.keys() & {"text/markdown", "text/html"}}


def summary(cell) -> str:
    """The line that stands for the folded code of ``cell``: its own, else its first comment."""
    first = next(iter(cell.source.splitlines()), "")
    if SUMMARY in cell.metadata:
        return cell.metadata[SUMMARY]
    return first.removeprefix("# ") if first.startswith("# ") else say("report.code.any")


def figures_of(chapters: Iterable[dict]) -> list[tuple[int, str]]:
    """Number and first sentence of every figure of ``chapters``, in the order in which one meets them."""
    found = []
    for number, caption in (figure for chapter in chapters for figure in chapter["figures"]):
        words = caption.removeprefix(say("figures.numbered", number=number, caption="").rstrip()).strip()
        found.append((number, SENTENCE.split(words, maxsplit=1)[0]))
    return found


def _exporter():
    """nbconvert with our chapter template, and formulas as MathML, which browsers draw without a script."""
    from latex2mathml.converter import convert
    from nbconvert import HTMLExporter
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

    label = html.escape(say("report.formula"))

    class Renderer(IPythonRenderer):
        def inline_math(self, body):
            return convert(body)

        def block_math(self, body):
            formula = convert(body, display="block")
            return f'<div class="formula" tabindex="0" role="group" aria-label="{label}">{formula}</div>'

    class Exporter(HTMLExporter):
        def default_filters(self):
            yield from super().default_filters()
            yield "markdown2html", lambda source: MarkdownWithMath(renderer=Renderer(escape=False)).render(source)
            yield "summary", summary
            yield "said", say

    return Exporter(
        template_name="chapter", extra_template_basedirs=[str(Path(__file__).parent / "templates")], sanitize_html=False
    )
