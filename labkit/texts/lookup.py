"""A key and values in, a text in the reader's language out.

    say("figures.losses.title", network="DCGAN")     # of [losses] title in <language>/figures.toml

A text is what `str.format` takes: its fields name the values, and say how each is written. English is complete: a text
that another language lacks is given in English, and a test finds it.
"""

import os
import re
import tomllib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path

from ..base.errors import LabError

FOLDER = Path(__file__).parent
EDITIONS = {"en": "English", "zh": "中文"}  # what each language calls itself
_now: ContextVar[str | None] = ContextVar("edition", default=None)
CELL = re.compile(r"^<!-- ([\w-]+) -->\n", re.M)  # before the text of each cell of a chapter
BESIDE = re.compile(r"(?<=[\u4e00-\u9fff])(?=[A-Za-z0-9])|(?<=[A-Za-z0-9%])(?=[\u4e00-\u9fff])")  # Chinese and Latin
WRAPPED = re.compile(r"(?<=[^\x00-\x7f])\n(?=[^\x00-\x7f])")  # a line's end where Chinese has no space


def edition() -> str:
    """The language that is spoken: that of `using`, else of the environment's LABKIT_EDITION, else English."""
    return _now.get() or checked(os.environ.get("LABKIT_EDITION") or "en")


def checked(name: object) -> str:
    """``name``, if it is one of `EDITIONS`.

    Raises:
        LabError: it is not.
    """
    if not isinstance(name, str) or name not in EDITIONS:
        raise LabError(f"edition = {name!r}: there is none; the editions are {', '.join(EDITIONS)}")
    return name


@contextmanager
def using(name: str) -> Iterator[None]:
    """A context in which ``name`` is spoken; other threads keep their own."""
    token = _now.set(checked(name))
    try:
        yield
    finally:
        _now.reset(token)


def say(key: str, english: str | None = None, /, **values: object) -> str:
    """The text ``key``, file.table.name, with ``values`` in its fields.

    What has its English beside its meaning, as a claim in its record, gives it as ``english``; it is not filled in.

    Raises:
        LabError: there is no such text.
    """
    own = read(edition()).get(key)
    if own is None and english is not None:
        return english
    text = read("en").get(key) if own is None else own
    if text is None:
        raise LabError(f"there is no text {key} in {FOLDER / 'en'}: write it there")
    return BESIDE.sub(" ", text.format(**values))


def listed(items: Iterable[str], last: str = "and") -> str:
    """``items`` as a list in words: a, b and c; ``last`` is "and" or "or"."""
    words = list(items)
    joined = say("common.list.between").join(words[:-1])
    return say(f"common.list.{last}", first=joined, last=words[-1]) if len(words) > 1 else "".join(words)


def table(name: str) -> dict[str, str]:
    """All texts of the file ``name`` in the language, fields not filled in, by the rest of their keys."""
    found = read("en") | read(edition())
    return {key.removeprefix(f"{name}."): text for key, text in found.items() if key.startswith(f"{name}.")}


@cache
def read(language: str) -> dict[str, str]:
    """All texts of ``language`` by their keys."""
    found: dict[str, str] = {}
    for path in sorted((FOLDER / language).glob("*.toml")):
        found |= dict(_flat(path.stem, tomllib.loads(path.read_text(encoding="utf-8"))))
    return found


def _flat(key: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, below in value.items():
            yield from _flat(f"{key}.{name}", below)
    else:
        yield key, WRAPPED.sub("", str(value).strip("\n"))


@cache
def chapter(name: str, language: str) -> dict[str, str]:
    """The prose of a notebook in ``language`` by the ids of its cells; of a code cell, the line that stands for it.

    English stands in the notebook itself.
    """
    path = FOLDER / language / "chapters" / f"{name}.md"
    if not path.exists():
        return {}
    _, *parts = CELL.split(path.read_text(encoding="utf-8"))
    return {cell: WRAPPED.sub("", text.strip()) for cell, text in zip(parts[::2], parts[1::2], strict=True)}
