"""The files of the project that a page names, at its end: so its links lead somewhere wherever the page is sent."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_for_filename

from ..base import paths

LINK = re.compile(r'<a href="\.\./([^"#]*)(?:#L?([\w.]*))?"([^>]*)>(.*?)</a>', re.S)
SHOWN = ("labkit/", "docs/")  # where the files are that a page may show; others are named without a link


@dataclass(frozen=True)
class Source:
    """A file of the project in the page: its highlighted lines, some of which have names that links lead to."""

    path: str
    id: str
    body: str


def with_sources(bodies: Sequence[str]) -> tuple[list[str], list[Source]]:
    """``bodies`` of HTML, their links to files of the project leading to the sources, which are the second.

    A link to a line, as labkit/latent.py#L12, leads to that line. What is not shown loses its link and keeps its text.
    """
    wanted: dict[str, set[int]] = {}

    def led(match: re.Match) -> str:
        path, line, more, text = match.groups()
        if not _is_shown(path):
            return text
        lines = wanted.setdefault(path, set())
        if line and line.isdecimal():
            lines.add(int(line))
            return f'<a href="#{_id(path)}-{line}"{more}>{text}</a>'
        return f'<a href="#{_id(path)}"{more}>{text}</a>'

    linked = [LINK.sub(led, body) for body in bodies]
    return linked, [Source(path, _id(path), _lines(path, wanted[path])) for path in sorted(wanted)]


def _is_shown(path: str) -> bool:
    known = path.startswith(SHOWN) and ".." not in PurePosixPath(path).parts
    return known and (paths.ROOT / path).is_file()


def _id(path: str) -> str:
    """The name of the file ``path`` in the page."""
    return "code-" + re.sub(r"[^A-Za-z0-9]+", "-", path)


def _lines(path: str, named: set[int]) -> str:
    """The file ``path`` as highlighted HTML; those of its lines whose numbers are ``named`` have a name."""
    text = (paths.ROOT / path).read_text(encoding="utf-8")
    lexer = get_lexer_for_filename(path, stripnl=False)
    body = highlight(text, lexer, HtmlFormatter(nowrap=True)).splitlines()
    shown = (f'<b id="{_id(path)}-{n}">{line}</b>' if n in named else line for n, line in enumerate(body, 1))
    return f'<div class="highlight"><pre>{chr(10).join(shown)}</pre></div>'
