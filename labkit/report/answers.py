"""A reader's own answers: which cells they are, what was written there, and how a report shows it.

A question and its answer are two Markdown cells, one after the other: `question-<what>`, and `answer-<what>` with the
tag `answer`, whose source as it ships is one line that asks to be replaced. What else stands there is an answer.
"""

import functools
import html
import re
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path

from ..texts import EDITIONS, say, using

TAG = "answer"
STYLE = Path(__file__).parent / "templates/handin.css"  # of the blocks, and of a hand-in
PLACE = '<div class="answer-here" data-answer="{}"></div>'  # in the place of an answer cell, until the page is made
PLACES = re.compile(PLACE.format(r"([\w-]+)"))
BLOCK = re.compile(r"[\w-]{1,60}")  # what an answer may be called
VOID = ("br", "hr", "img", "input", "wbr")  # elements without an end


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


class _Reader(HTMLParser):
    """The texts of all answers in a page, by what they are about."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: dict[str, list[str]] = {}
        self._now, self._depth, self._label = "", 0, False

    def handle_starttag(self, tag: str, attrs: list) -> None:
        if tag in VOID:
            return
        of_tag = dict(attrs)
        if not self._now and of_tag.get("class") == "answer":
            self._now, self._depth = (of_tag.get("id") or "").removeprefix("answer-") or "?", 0
            self.found.setdefault(self._now, [])
        if self._now:
            self._depth += 1
            self._label = of_tag.get("class") == "answer-label"

    def handle_endtag(self, tag: str) -> None:
        if self._now and tag not in VOID:
            self._depth, self._label = self._depth - 1, False
            if not self._depth:
                self._now = ""

    def handle_data(self, data: str) -> None:
        if self._now and not self._label:
            self.found[self._now].append(data)


def in_page(page: str) -> dict[str, str]:
    """The text of every answer that the HTML ``page`` shows, by what it is about, without spaces; see `plain`."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    return {what: _bare("".join(parts)) for what, parts in reader.found.items()}


def plain(what: str, text: str) -> str:
    """What `in_page` finds where the page shows the answer ``text``."""
    return in_page(_block(what, text)).get(what, "")


def _bare(text: str) -> str:
    return re.sub(r"\s+", "", text)
