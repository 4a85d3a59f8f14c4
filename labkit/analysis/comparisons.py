"""Is one arm of a study better than another? The primary outcomes of docs/preregistration.md, paired by seed.

    found = compare(at(records["dcgan-ours"], 20), at(records["vanilla-ours"], 20), ("DCGAN", "vanilla GAN"))
    found.better, table(found)

A run is one draw, so every statement is over runs.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch

from ..base.errors import LabError
from ..texts import listed, say
from .evidence import Looked
from .statistics import bca_interval, holm, improvement, runs_needed, sign_flips, t_interval

BySeed = Mapping[int, Mapping[str, float]]  # the scores of each run of an arm


@dataclass(frozen=True)
class Outcome:
    """What is compared: a score, or its logarithm, of which ``less`` is better, or more."""

    title: str
    score: str  # its name in `evaluation.scoring`
    log: bool
    less: bool

    @property
    def words(self) -> str:
        """Its title in the language that is spoken."""
        return say(f"claims.outcome.{self.score}", self.title)

    def of(self, scores: Mapping[str, float]) -> float:
        """Its value for one run; nan where there is none."""
        value = scores[self.score]
        return value if not self.log else math.log(value) if value > 0 else math.nan


OUTCOMES = (
    Outcome("log Fréchet distance, classifier", "frechet", True, True),
    Outcome("log Fréchet distance, pixels", "frechet_pixels", True, True),
    Outcome("log kernel distance, classifier", "rbf", True, True),
    Outcome("log kernel distance, pixels", "rbf_pixels", True, True),
    Outcome("recall", "recall", False, False),
    Outcome("coverage", "coverage", False, False),
    Outcome("two-sample AUC", "auc", False, True),
)
LEAST = 5  # seeds of an arm, as fixed in the preregistration: with fewer there is no answer
DECIDING = ("frechet", "frechet_pixels")  # both spaces must agree on these


@dataclass(frozen=True)
class Difference:
    """One outcome of the first arm less that of the second, over ``runs`` pairs of runs with one seed."""

    outcome: Outcome
    runs: int
    mean: float
    bca: tuple[float, float]  # 95 %, bootstrap over seeds
    t: tuple[float, float]  # 95 %, Student's
    p: float  # of all changes of sign
    adjusted: float  # over the outcomes of a comparison (Holm)
    improvement: float  # share of the pairs of runs, one of either arm, in which the first is better
    needed: float  # pairs of runs that would find such a difference (two-sided 5 %, power 80 %)

    @property
    def side(self) -> int:
        """1 where the first arm is better with its whole interval, -1 where the second is, 0 if it holds zero."""
        low, high = self.bca
        sign = (low > 0) - (high < 0)
        return -sign if self.outcome.less else sign


@dataclass(frozen=True)
class Comparison:
    """Two arms on all outcomes."""

    names: tuple[str, str]
    seeds: tuple[int, ...]  # of the pairs
    differences: tuple[Difference, ...]
    lost: tuple[int, ...] = ()  # seeds of which a run has no value: it diverged

    def of(self, score: str) -> Difference:
        """The difference of the outcome ``score``."""
        return next(d for d in self.differences if d.outcome.score == score)

    @property
    def better(self) -> str | None:
        """The arm that is better: that of which both spaces' intervals of the log Frechet distance say so; `LEAST`."""
        if len(self.seeds) < LEAST:
            return None
        sides = [d.side for d in self.differences if d.outcome.score in DECIDING]
        if len(set(sides)) > 1 or not sides[0]:
            return None
        return self.names[0] if sides[0] > 0 else self.names[1]

    @property
    def remark(self) -> str:
        """What a reader of the p-values must know; nothing if there is nothing."""
        n, m = min(d.runs for d in self.differences), len(self.differences)
        least, words = m * 2 / 2**n, []
        if least >= 0.05:
            words.append(say("claims.compare.few", seeds=n, outcomes=m, least=min(least, 1)))
        if self.lost:
            words.append(say("claims.compare.lost", seeds=say("common.list.between").join(map(str, self.lost))))
        return say("common.list.sentences").join(words)


def at(records: Sequence[Looked], look: int) -> dict[int, Mapping[str, float]]:
    """The scores of every run of an arm after ``look`` epochs, by seed."""
    return {record.seed: record.scores[look] for record in records}


def compare(first: BySeed, second: BySeed, names: tuple[str, str] = ("first", "second")) -> Comparison:
    """All outcomes of ``first`` less those of ``second``, for the seeds that both have.

    Raises:
        LabError: fewer than two seeds are common.
    """
    seeds = tuple(sorted(set(first) & set(second)))
    if len(seeds) < 2:
        raise LabError(f"{names[0]} and {names[1]} have {len(seeds)} seeds in common: a comparison takes at least 2")
    found = [_difference(outcome, first, second, seeds) for outcome in OUTCOMES]
    adjusted = holm(torch.tensor([difference.p for difference in found], dtype=torch.double)).tolist()
    found = [replace(difference, adjusted=p) for difference, p in zip(found, adjusted, strict=True)]
    runs = (scores for arm in (first, second) for scores in arm.items() if scores[0] in seeds)
    lost = sorted({seed for seed, scores in runs if not all(math.isfinite(o.of(scores)) for o in OUTCOMES)})
    return Comparison(names, seeds, tuple(found), tuple(lost))


def _difference(outcome: Outcome, first: BySeed, second: BySeed, seeds: tuple[int, ...]) -> Difference:
    """One outcome, not adjusted."""
    pairs = torch.tensor([[outcome.of(arm[seed]) for arm in (first, second)] for seed in seeds], dtype=torch.double)
    differences = pairs[pairs.isfinite().all(1)].diff(dim=1)[:, 0].neg()
    n, mean = len(differences), differences.mean()
    goods = [torch.tensor([outcome.of(scores) for scores in arm.values()]).double() for arm in (first, second)]
    goods = [(-values if outcome.less else values).nan_to_num(nan=-math.inf) for values in goods]
    return Difference(
        outcome,
        n,
        mean.item(),
        bca_interval(differences),
        t_interval(differences),
        sign_flips(differences) if n else math.nan,
        math.nan,
        improvement(*goods),
        runs_needed((mean / differences.std()).item()) if n > 1 else math.nan,
    )


def table(comparison: Comparison) -> str:
    """The differences in Markdown, and below them which arm is better, if one is."""
    first, second = comparison.names
    names = ("less", "mean", "p", "adjusted", "wins", "needed")
    heads = [say(f"claims.compare.{name}", first=first, second=second) for name in names]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for d in comparison.differences:
        cells = (
            d.outcome.words,
            say("claims.compare.with_interval", mean=d.mean, ends=_ends(*d.bca)),
            f"{d.p:.2g}",
            f"{d.adjusted:.2g}",
            say("claims.table.percent", share=100 * d.improvement),
            f"{d.needed:.0f}",
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", answer(comparison)])


def _ends(low: float, high: float) -> str:
    """An interval in words, or that there is none."""
    return say("claims.table.none") if math.isnan(low) else say("claims.compare.ends", low=low, high=high)


def answer(comparison: Comparison) -> str:
    """Which arm is better, if one is, of how many pairs, and the remark."""
    pairs, better = len(comparison.seeds), comparison.better
    key = "too_few" if pairs < LEAST else "better" if better else "neither"
    words = [say("claims.compare.pairs", pairs=pairs), say(f"claims.compare.{key}", name=better, least=LEAST)]
    return say("common.list.sentences").join([*words, *filter(None, [comparison.remark])])


def in_words(comparison: Comparison) -> str:
    """Which arm is better, by which factors of the distance in both spaces, and how far the plain scores differ.

    Means over pairs of runs, with the intervals of the bootstrap.
    """
    first, second = comparison.names
    better = comparison.better
    worse = {first: second, second: first}.get(better or "", "")
    none = any(math.isnan(comparison.of(score).bca[0]) for score in DECIDING)  # no interval, where no pair differs
    key = "few" if len(comparison.seeds) < LEAST else "better" if better else "bare" if none else "neither"
    values: dict[str, object] = {"pairs": len(comparison.seeds), "least": LEAST, "better": better, "worse": worse}
    for score in DECIDING:
        d = comparison.of(score)
        ends = (
            (d.mean, *d.bca) if better != first else (-d.mean, -d.bca[1], -d.bca[0])
        )  # of how much larger the other is
        names = (score, f"{score}_low", f"{score}_high")
        values |= {name: math.exp(end) for name, end in zip(names, ends, strict=True)}
        values[f"{score}_wins"] = 100 * (d.improvement if better != second else 1 - d.improvement)
    plain = [_plainly(d) for d in comparison.differences if not d.outcome.log]
    words = [
        say(f"claims.compare.said_{key}", first=first, second=second, **values),
        say("claims.compare.said_plain", first=first, second=second, found=listed(plain)),
    ]
    return say("common.list.sentences").join(words)


def _plainly(d: Difference) -> str:
    """A difference that is no logarithm, with its interval."""
    low, high = d.bca
    if math.isnan(low):
        return say("claims.compare.said_alone", outcome=d.outcome.words, mean=d.mean)
    return say("claims.compare.said_one", outcome=d.outcome.words, mean=d.mean, low=low, high=high)
