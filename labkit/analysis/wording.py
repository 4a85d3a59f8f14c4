"""Texts that a record keeps in English, and that are said in the reader's language where it is shown."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..texts import say


@dataclass(frozen=True)
class Wording:
    """The text ``key`` with ``values`` in its fields; values may be wordings, and tuples of them, which are listed.

    ``english`` is what `texts.say` takes as such: the text itself, if it stands in the code and in no file.
    """

    key: str
    values: Mapping[str, object] = field(default_factory=dict)
    english: str | None = None

    def said(self) -> str:
        """The text in the language that is spoken now."""
        return say(self.key, self.english, **{name: _said(value) for name, value in self.values.items()})


def _said(value: object) -> object:
    if isinstance(value, tuple):
        return say("common.list.between").join(str(_said(part)) for part in value)
    return value.said() if isinstance(value, Wording) else value


def sentences(*words: Wording | None) -> str:
    """The texts one after the other; what is None is none."""
    found = [one.said() for one in words if one is not None]
    return say("common.list.sentences").join(found)
