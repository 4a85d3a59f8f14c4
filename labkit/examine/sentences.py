"""Sentences that a student writes about dimensions of z, each judged by the effect that was measured.

[[sentence]]
text = "Dimension 5 makes the garment brighter."
dimension = 5                # counted from 0
effect = "brightness"        # one of `analysis.effects.NAMES`
direction = "raises"         # raises, lowers, changes or keeps
at_least = 10                # in the unit of the effect, from z = -3 to 3; left out: 0. For keeps it is at_most
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from ..analysis.effects import NAMES, EffectTable
from ..base import doors
from ..base.errors import LabError
from ..base.files import FAULTS, fault_of

DIRECTIONS = ("raises", "lowers", "changes", "keeps")
KEYS = ("text", "dimension", "effect", "direction", "at_least", "at_most")
MOST = 100  # sentences
HOLDS, FAILS, UNTESTED = "holds", "does not hold", "not tested"


@dataclass(frozen=True)
class Judged:
    """A sentence, and what was found."""

    text: str
    verdict: str  # HOLDS, FAILS or UNTESTED
    measured: str  # the effect with its interval, and how it compares with random directions; or why it is not tested
    found: tuple[float, float, float, float] | None = None  # the same in numbers: mean, low, high and q


def judge(path: Path | None, effects: EffectTable | None, why: str = "") -> list[Judged]:
    """The sentences in the file ``path``, judged by ``effects``; without these, none is tested, and ``why`` is said.

    A file that cannot be read is one sentence that is not tested.
    """
    if path is None:
        return []
    try:
        return judge_text(path.read_text(encoding="utf-8"), effects, why)
    except FAULTS as error:
        return [Judged(path.name, UNTESTED, f"the file cannot be used: {fault_of(error)}")]


def judge_text(text: str, effects: EffectTable | None, why: str = "") -> list[Judged]:
    """The sentences in ``text``, the content of such a file, judged likewise.

    Raises:
        ValueError, or another of `files.FAULTS`: it is no such content.
    """
    return [_judge(one, effects, why) for one in sentences_in(text)]


def sentences_in(text: str) -> list[dict]:
    """The sentences in ``text``, as they stand there.

    Raises:
        ValueError, or another of `files.FAULTS`: there are none.
    """
    sentences = tomllib.loads(text)["sentence"]
    if type(sentences) is not list or not sentences or not all(type(one) is dict for one in sentences):
        raise ValueError("each sentence begins with [[sentence]]")
    return sentences[:MOST]


def words_of(one: dict) -> str:
    """What the sentence ``one`` says, or else what it asks for."""
    return str(one.get("text") or f"dimension {one.get('dimension')} {one.get('direction')} {one.get('effect')}")


def _judge(one: dict, effects: EffectTable | None, why: str) -> Judged:
    try:
        return _measured(words_of(one), one, effects, why)
    except LabError as error:
        return Judged(words_of(one), UNTESTED, str(error))


def asked(one: dict, latent_dim: int | None) -> tuple[int, int, str, float]:
    """What the sentence ``one`` asks: the dimension, the number of the effect in `NAMES`, direction and threshold.

    Without a ``latent_dim`` nothing is known about its dimension, which is then -1.

    Raises:
        LabError: it is no sentence, or about no dimension of a z of ``latent_dim`` numbers.
    """
    if unknown := one.keys() - set(KEYS):
        raise LabError(f"{', '.join(sorted(map(str, unknown)))}: a sentence has {', '.join(KEYS)}")
    name, direction = str(one.get("effect")).replace("_", " "), one.get("direction")
    names = [n.replace("_", " ") for n in NAMES]
    if name not in names:
        raise LabError(f"effect = {doors.said(one.get('effect'))} is unknown: use one of {', '.join(names)}")
    if direction not in DIRECTIONS:
        raise LabError(f"direction = {doors.said(direction)} is unknown: use one of {', '.join(DIRECTIONS)}")
    keeps = direction == "keeps"
    if keeps and "at_most" not in one:
        raise LabError("keeps needs at_most, the largest effect that counts as none")
    limit = doors.real("at_most" if keeps else "at_least", one.get("at_most" if keeps else "at_least", 0), 0)
    dim = doors.whole("dimension", one.get("dimension"), 0, latent_dim - 1) if latent_dim else -1
    return dim, names.index(name), str(direction), limit


def _measured(text: str, one: dict, effects: EffectTable | None, why: str) -> Judged:
    dim, at, direction, limit = asked(one, None if effects is None else len(effects.mean))
    if effects is None:
        raise LabError(why or "there is no z: pictures were brought, and no generator")
    mean, low, high, q = (round(float(of[dim, at]), 6) for of in (effects.mean, effects.low, effects.high, effects.q))
    holds = {
        "raises": low > limit,
        "lowers": high < -limit,
        "changes": low > limit or high < -limit,
        "keeps": -limit <= low and high <= limit,
    }[direction]
    chance = "more than random directions do" if q < 0.05 else "no more than random directions do"
    said = f" (asked: {limit:g})" if limit else ""
    measured = f"{mean:+.3g}{said}, 95 % interval {low:.3g} to {high:.3g}: {chance}, q = {q:.2g}"
    return Judged(text, HOLDS if holds else FAILS, measured, (mean, low, high, q))
