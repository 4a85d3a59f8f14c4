"""A reader's own answers: which cells they are, what was written there, and how a report shows it.

A question and its answer are two Markdown cells, one after the other: `question-<what>`, and `answer-<what>` with the
tag `answer`, whose source as it ships is one line that asks to be replaced. What else stands there is an answer.
"""

import functools
import html
import re
from collections.abc import Mapping
from pathlib import Path

from ..texts import EDITIONS, say, using

TAG = "answer"
STYLE = Path(__file__).parent / "templates/handin.css"  # of the blocks, and of a hand-in
PLACE = '<div class="answer-here" data-answer="{}"></div>'  # in the place of an answer cell, until the page is made
PLACES = re.compile(PLACE.format(r"([\w-]+)"))
BLOCK = re.compile(r"[\w-]{1,60}")  # what an answer may be called
DIVISION = re.compile(r"<(/?)div\b[^<>]*>")
BEGIN = re.compile(r'<div class="answer"[^<>]* id="answer-([^"<>]*)">')  # of a block in a page
LABEL, TAGS = re.compile(r'<p class="answer-label">[^<]*</p>'), re.compile(r"<[^<>]*>")


def is_answer(cell: Mapping) -> bool:
    """Whether ``cell`` of a notebook is one for an answer."""
    return cell["cell_type"] == "markdown" and TAG in cell["metadata"].get("tags", [])


def what_of(cell: Mapping) -> str:
    """What the answer cell ``cell`` is about: its id without answer-."""
    return str(cell.get("id", "")).removeprefix("answer-")


@functools.cache
def _placeholders() -> frozenset[str]:
    found = set()
    for language in EDITIONS:
        with using(language):
            found.add(say("handin.answer.placeholder"))
    return frozenset(found)


def written(cell: Mapping) -> str:
    """The Markdown that somebody wrote into the answer cell ``cell``: all but the line that asks for it."""
    source = cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])
    return "\n".join(line for line in source.splitlines() if line.strip() not in _placeholders()).strip()


def of(cells: list) -> dict[str, str]:
    """The answers in ``cells`` of a notebook, by what they are about; an empty one was not given."""
    return {what_of(cell): written(cell) for cell in cells if is_answer(cell)}


def take(notebook) -> dict[str, str]:
    """Take the answers out of ``notebook``, of nbformat: what was written, by what it is about.

    An answered cell becomes a mark that `put` finds in the page; an unanswered one is gone.
    """
    given, kept = {}, []
    for cell in notebook.cells:
        text = written(cell) if is_answer(cell) else ""
        what = what_of(cell) if text else ""
        if text and BLOCK.fullmatch(what) and what not in given:
            given[what], cell.source = text, PLACE.format(what)
        if text or not is_answer(cell):
            kept.append(cell)
    notebook.cells = kept
    return given


def put(body: str, given: Mapping[str, str]) -> str:
    """``body``, HTML of a notebook after `take`, with the answers ``given`` in their places, as marked blocks."""
    return PLACES.sub(lambda match: _block(match[1], given.get(match[1], "")), body)


def _block(what: str, text: str) -> str:
    label = html.escape(say("handin.answer.label"))
    return (
        f'<div class="answer" role="note" aria-label="{label}" id="answer-{what}"><p class="answer-label">{label}</p>'
        f"\n{markdown(text)}</div>"
    )


def markdown(text: str) -> str:
    """``text`` as HTML, its formulas as MathML; HTML in it stands there as text, and no picture is fetched."""
    from latex2mathml.converter import convert
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

    class Renderer(IPythonRenderer):
        def inline_math(self, body):
            return _formula(body, "inline")

        def block_math(self, body):
            return _formula(body, "block")

        def image(self, text, url, title=None):
            return html.escape(f"[{text}]")

        def heading(self, text, level, **attributes):  # no heading of the report, nor an anchor
            return f"<p><strong>{text}</strong></p>\n"

        def link(self, text, url, title=None):
            safe = html.escape(url, quote=True)
            return f'<a href="{safe}">{text}</a>' if re.match(r"https?://", url) else text

    def _formula(body: str, display: str) -> str:
        try:
            return convert(body, display=display)
        except Exception:  # whatever a student's formula does to the converter
            return f"<code>{html.escape(body)}</code>"

    try:
        return MarkdownWithMath(renderer=Renderer(escape=True)).render(text)
    except Exception:  # nested too deeply, or another oddity
        return f"<pre>{html.escape(text)}</pre>\n"


# ----- back from a page


def in_page(page: str) -> dict[str, str]:
    """The text of every answer that the HTML ``page`` shows, by what it is about, without spaces; see `plain`."""
    found: dict[str, str] = {}
    what, start, depth = "", 0, 0
    for tag in DIVISION.finditer(page):
        if not what and (block := BEGIN.fullmatch(tag[0])):
            what, start, depth = block[1], tag.end(), 1
        elif what:
            depth += -1 if tag[1] else 1
            if not depth:
                text = TAGS.sub("", LABEL.sub("", page[start : tag.start()], count=1))
                found[what] = found.get(what, "") + re.sub(r"\s+", "", html.unescape(text))
                what = ""
    return found


def plain(what: str, text: str) -> str:
    """What `in_page` finds where the page shows the answer ``text``."""
    return in_page(_block(what, text)).get(what, "")
