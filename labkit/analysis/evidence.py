"""What claims are judged by: the evidence for one network in one run, and the functions that measure on it.

A measuring function takes a claim's id, which names its random numbers, and the evidence for each network that the
claim is about. It returns an `Estimate`: a value, and its interval within the run, which is reckoned when it is asked
for. Within a run, that is over its steps, dimensions, base vectors or latent sets: what another training would give is
for `claims.judge` to say, from several. Where the evidence brings no interval of its own, what the claim is about is
drawn anew `RESAMPLES` times, with replacement (the bootstrap, Efron 1979).
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import torch
from torch import Tensor

from ..base.rng import seeded
from ..config import TrainConfig
from ..latent import LAB_DIMS
from ..training.runs import Run
from ..training.state import COLUMNS
from .effects import NAMES, SWEEPS, EffectTable
from .statistics import clopper_pearson
from .wording import Wording

RESAMPLES = 500
BLOCK = 50  # steps of which a swing is measured
PARTS = 20  # a training is drawn anew in so many parts: its losses are alike for thousands of steps
DIVISOR = 16  # our guess at what the original divided its mean losses by

Interval = tuple[float, float] | None  # of 95 %; None where nothing varies within the run


@dataclass(frozen=True)
class Estimate:
    """A value, and on demand its interval within the run."""

    value: float
    ends: Callable[[], Interval]

    @property
    def interval(self) -> Interval:
        """The ends of its interval of 95 %; None if there is none."""
        return self.ends()


def known(value: float, low: float, high: float) -> Estimate:
    """An estimate whose interval comes with the evidence."""
    return Estimate(value, lambda: (low, high) if low < high else None)


class Looked(Protocol):
    """A run of a study, measured after some of its epochs, its looks: what is asked of a `study.records.Record`."""

    @property
    def config(self) -> TrainConfig: ...
    @property
    def seed(self) -> int: ...
    @property
    def epochs(self) -> int: ...
    @property
    def scores(self) -> Mapping[int, Mapping[str, float]]: ...  # by look
    @property
    def history(self) -> Tensor: ...  # (epochs, steps, 4)
    @property
    def effects(self) -> EffectTable | None: ...  # of the last look


@dataclass(frozen=True)
class Evidence:
    """What the claims are judged by, for one network and one run."""

    config: TrainConfig
    epochs: int  # that were trained
    history: Tensor  # (epochs, steps, 4): the columns of training.COLUMNS
    scores: Mapping  # by name: a number, or a row of `scoring.score_runs` with its mean, low and high
    effects: EffectTable | None = None

    @classmethod
    def of_run(cls, run: Run, scores: Mapping, effects: EffectTable | None = None) -> "Evidence":
        """That of a run on disk."""
        return cls(run.config, run.epochs, run.history, scores, effects)

    @classmethod
    def of_record(cls, record: Looked, look: int | None = None) -> "Evidence":
        """That of a record of a study after ``look`` epochs; after its last, if not given: effects are of that one."""
        epochs = look or record.epochs
        effects = record.effects if epochs == record.epochs else None
        return cls(record.config, epochs, record.history[:epochs], record.scores[epochs], effects)

    @property
    def seed(self) -> int:
        """What decides the run besides the other settings."""
        return self.config.seed

    def column(self, name: str) -> Tensor:
        """One column of the history by step, (n,): loss_d, loss_g, d_real or d_fake."""
        return self.history[..., COLUMNS.index(name)].flatten()

    def score(self, name: str) -> Estimate:
        """A score; its interval is over sets of latent vectors, if several were drawn."""
        found = self.scores[name]
        if not isinstance(found, Mapping):
            return Estimate(float(found), lambda: None)
        return known(found["mean"], found["low"], found["high"])


def drawn(measure: Callable[..., Tensor], sets: list[list[Tensor]], *stream, ordered: bool = False) -> Interval:
    """Interval of ``measure(*tensors)`` over their rows drawn anew: the same rows for the tensors of one set.

    ``ordered``: the drawn rows stay in the order of the given ones. Rows are joined again before they are measured.
    """
    if not all(len(group[0]) for group in sets):
        return None  # nothing to draw from
    with seeded("claims", *stream):
        picks = [[torch.randint(len(group[0]), (len(group[0]),)) for group in sets] for _ in range(RESAMPLES)]
    if ordered:
        picks = [[pick.sort().values for pick in row] for row in picks]
    samples = torch.stack(
        [
            measure(*(part[pick].flatten() for group, pick in zip(sets, row, strict=True) for part in group))
            for row in picks
        ]
    )
    return None if (samples == samples[0]).all() else interval(samples)


def interval(samples: Tensor) -> tuple[float, float]:
    """The ends that leave out a fortieth of ``samples`` (n,) each."""
    return torch.quantile(samples.double(), 0.025).item(), torch.quantile(samples.double(), 0.975).item()


def each(pick: Callable[..., float], *estimates: Estimate) -> Estimate:
    """What ``pick``, min or max, takes of the values, of the lower and of the upper ends of ``estimates``."""

    def ends() -> Interval:
        found = [estimate.interval or (estimate.value, estimate.value) for estimate in estimates]
        low, high = (pick(column) for column in zip(*found, strict=True))
        return None if low == high else (low, high)

    return Estimate(pick([estimate.value for estimate in estimates]), ends)


# ----- losses: parts of a training are what is drawn, since neighbouring steps are alike


def blocks(values: Tensor, length: int) -> Tensor:
    """``values`` (n,) in blocks of ``length``, (blocks, length); what is left of them is left out."""
    return values[: len(values) // length * length].view(-1, length)


def short_blocks(loss: Tensor) -> Tensor:
    """``loss`` (n,) in blocks of `BLOCK` steps, (blocks, steps); in shorter ones if there are few steps."""
    return blocks(loss, max(2, min(BLOCK, len(loss) // 4)))


def over_steps(
    measure: Callable[..., Tensor],
    id: str,
    *evidences: Evidence,
    after: float = 0.0,
    columns: Sequence[str] = ("loss_d", "loss_g"),
) -> Estimate:
    """``measure`` of ``columns`` by step (n,), of one network after the other, from the share ``after`` of training on.

    For its interval a training is drawn anew in `PARTS` parts, which stay in their order.
    """
    sets = [[e.column(name) for name in columns] for e in evidences]
    return over_parts(measure, [[part[int(after * len(part)) :] for part in group] for group in sets], id)


def over_parts(measure: Callable[..., Tensor], sets: list[list[Tensor]], id: str) -> Estimate:
    """``measure(*series)`` of the series (n,) of all ``sets``; each set is drawn anew in `PARTS` parts."""

    def parts(values: Tensor) -> Tensor:
        short = short_blocks(values).shape[1]
        return blocks(values, max(short, len(values) // PARTS // short * short))

    value = measure(*(series for group in sets for series in group)).item()
    return Estimate(value, lambda: drawn(measure, [list(map(parts, group)) for group in sets], id, ordered=True))


def spread(values: Tensor, dim: int = 0) -> Tensor:
    """Standard deviation of ``values`` along ``dim``; of one or none it is nan, without a warning of torch's."""
    return values.std(dim) if values.shape[dim] > 1 and len(values) else values.mean(dim) * math.nan


def swing(loss: Tensor) -> Tensor:
    """Standard deviation within each block of `BLOCK` steps, (blocks,)."""
    return spread(short_blocks(loss), 1)


def settling(id: str, evidence: Evidence) -> Estimate:
    """Swing in the first tenth of training over swing in the last tenth, the smaller of both losses.

    Each tenth is drawn anew by itself: parts of the whole training would mix other times into the first tenth.
    """
    losses = [evidence.column(name) for name in ("loss_d", "loss_g")]
    tenth = max(2, len(losses[0]) // 10)

    def ratio(early_d, early_g, late_d, late_g):
        pairs = (early_d, late_d), (early_g, late_g)
        return torch.stack([swing(early).mean() / swing(late).mean() for early, late in pairs]).min()

    return over_parts(ratio, [[loss[:tenth] for loss in losses], [loss[-tenth:] for loss in losses]], id)


def fluctuation(d: Tensor, g: Tensor) -> Tensor:
    """Standard deviation of D's loss over all steps, over that of G's: what the spread of the drawn curves shows."""
    return spread(d.flatten()) / spread(g.flatten())


def fluctuations(evidence: Evidence) -> dict[str, float]:
    """Other readings of `fluctuation`, D's loss over G's: by coefficient of variation, per term, by local swing.

    The coefficient of variation is the deviation over the mean. D's loss is a sum of two terms, G's has one: per term
    is half of the plain reading. The local swing is the mean deviation within blocks of `BLOCK` steps.
    """
    d, g = evidence.column("loss_d"), evidence.column("loss_g")
    readings = {
        "variation": fluctuation(d, g) * g.mean() / d.mean(),
        "term": fluctuation(d, g) / 2,
        "swing": swing(d).mean() / swing(g).mean(),
    }
    return {name: value.item() for name, value in readings.items()}


def trend(d: Tensor, g: Tensor) -> Tensor:
    """Rank correlation of G's loss, in blocks of `BLOCK` steps, with time."""
    return rank_correlation(short_blocks(g).mean(1))


def rank_correlation(values: Tensor) -> Tensor:
    """Spearman's, of ``values`` (n,) with their order; equal values share their mean rank."""
    _, inverse, counts = values.unique(return_inverse=True, return_counts=True)
    ranks = (counts.cumsum(0).double() - (counts - 1) / 2)[inverse]
    ranks, time = ranks - ranks.mean(), torch.arange(len(ranks)) - (len(ranks) - 1) / 2
    return (ranks * time).sum() / (ranks.norm() * time.norm()).clamp(min=1e-12)


def inside(low: float, high: float, values: Tensor) -> Tensor:
    """Share of the blocks of ``values`` (n,) whose mean is in ``low`` to ``high``."""
    means = short_blocks(values).mean(1)
    return ((means >= low) & (means <= high)).double().mean()


def movement(d: Tensor, g: Tensor) -> Tensor:
    """Swing over level, mean of both losses."""
    return (swing(d).mean() / d.mean() + swing(g).mean() / g.mean()) / 2


def calmer(vanilla_d: Tensor, vanilla_g: Tensor, d: Tensor, g: Tensor) -> Tensor:
    """`movement` of the DCGAN's losses over that of the vanilla GAN's."""
    return movement(d, g) / movement(vanilla_d, vanilla_g)


def balance(id: str, evidence: Evidence) -> Estimate:
    """Share of the second half of training with mean D(G(z)) between 0.2 and 0.8; 0 if the samples lack a class."""
    if evidence.score("dropped_classes").value > 0:
        return Estimate(0.0, lambda: None)
    return over_steps(partial(inside, 0.2, 0.8), id, evidence, after=0.5, columns=["d_fake"])


# ----- scores


def closer(id: str, vanilla: Evidence, dcgan: Evidence) -> Estimate:
    """Distance from real images, vanilla over DCGAN: the smallest of `distances`."""

    def ratio(name: str) -> Estimate:
        v, d = vanilla.score(name), dcgan.score(name)

        def ends() -> Interval:
            if v.interval is None or d.interval is None:
                return None
            return v.interval[0] / max(d.interval[1], 1e-9), v.interval[1] / max(d.interval[0], 1e-9)

        return Estimate(v.value / max(d.value, 1e-9), ends)

    return each(min, *map(ratio, DISTANCES))


DISTANCES = ("frechet", "frechet_pixels", "ks_outline", "ks_texture")  # from real images: less is nearer


def deformed(id: str, network: Evidence) -> Estimate:
    """Share of samples farther from test images than 99 % of real training images are, less the 1 %."""
    return network.score("outliers")


# ----- dimensions


def table_of(evidence: Evidence) -> EffectTable:
    """The effects of a run in which they were measured."""
    assert evidence.effects is not None
    return evidence.effects


def over_dimensions(
    measure: Callable[[EffectTable, Tensor, Tensor], Tensor], id: str, *evidences: Evidence, worse: Callable = min
) -> Estimate:
    """``measure(effects, dimensions, random directions)``. Of several networks ``worse`` picks value and either end.

    The claim is made of all the networks, so it is as good as the worse one. Dimensions and random directions are
    drawn anew, each by themselves.
    """

    def of(evidence: Evidence) -> Estimate:
        effects = table_of(evidence)
        dims, null = torch.arange(len(effects.mean)), torch.arange(len(effects.null))
        found = partial(measure, effects)
        return Estimate(found(dims, null).item(), lambda: drawn(found, [[dims], [null]], id, evidence.config.model))

    return each(worse, *map(of, evidences))


def among_dimensions(
    which: Callable[[EffectTable], Tensor], id: str, *evidences: Evidence, worse: Callable = min, count: bool = False
) -> Estimate:
    """Share of the dimensions for which ``which`` (k,) is true, or their ``count``; the interval is the exact one."""

    def of(evidence: Evidence) -> Estimate:
        found = which(table_of(evidence))
        k, n = int(found.sum()), len(found)
        unit = n if count else 1

        def ends() -> Interval:
            low, high = clopper_pearson(k, n)
            return low * unit, high * unit

        return Estimate(k / n * unit, ends)

    return each(worse, *map(of, evidences))


def column(effects: EffectTable, name: str) -> Tensor:
    """The mean effect on ``name``, of `effects.NAMES`, for every dimension, (k,)."""
    return effects.mean[:, NAMES.index(name)]


FORWARD, LARGEST = 0.9, 0.25  # share of a smooth sweep's steps that go forward, and its largest step's of the way


def smooth(effects: EffectTable) -> Tensor:
    """(k,): whether a sweep has no step above a quarter of the way and 90 % of its steps forward."""
    _, forward, largest, _ = (effects.sweeps[:, i] for i in range(len(SWEEPS)))
    return (largest < LARGEST) & (forward > FORWARD)


def meaningful(effects: EffectTable) -> Tensor:
    """(k,): whether a dimension has any effect beyond random directions'."""
    return effects.special.any(1)


def drastic(effects: EffectTable) -> Tensor:
    """(k,): whether a dimension changes the class of more than half of the images."""
    return column(effects, "class flips") > 0.5


def farther(limits: tuple[float, float], shares: Sequence[float]) -> float:
    """Which of ``shares`` is farther from the middle of ``limits``: if that one is between them, so are all."""
    return max(shares, key=lambda share: abs(share - sum(limits) / 2))


def share_of_pair(effects: EffectTable, dims: Tensor, null: Tensor) -> Tensor:
    """Mean image change of an edit over that between two vectors drawn at random."""
    return column(effects, "image change")[dims].mean() / effects.pairs[0]


def inequality(effects: EffectTable, dims: Tensor, null: Tensor, names: Sequence[str] = NAMES) -> Tensor:
    """How much the sizes of effects vary over dimensions, over the same of random directions; mean of ``names``."""
    at = [NAMES.index(name) for name in names]
    sizes, of_null = effects.mean[dims][:, at].abs(), effects.null[null][:, at].abs()
    return (spread(sizes) / spread(of_null).clamp(min=1e-9)).mean()


# ----- single dimensions: the interval over base vectors comes with the effects


def at_lab(name: str, id: str, evidence: Evidence) -> Estimate:
    """Mean effect on ``name``, of `effects.NAMES`, over the lab's five dimensions."""
    return known(*table_of(evidence).lab(name))


def crossings(evidence: Evidence) -> dict[str, float]:
    """What stands beside the share of edits along the lab's dimensions that leave the real manifold."""
    effects = table_of(evidence)
    return {
        "random_leave": effects.null[:, NAMES.index("breakage")].mean().item(),
        "lab_enter": effects.entering[list(LAB_DIMS)].mean().item(),
        "random_enter": effects.null_entering.mean().item(),
    }


def meaning(dim: int, names: tuple[str, ...], id: str, evidence: Evidence) -> Estimate:
    """The weakest of the effects of ``dim`` on ``names``, in deviations of random directions' effects.

    A name with a minus is to fall, a name between bars may go either way.
    """
    effects, found = table_of(evidence), []
    for name in names:
        at = dim, NAMES.index(name.strip("-|"))
        deviation = effects.mean[at] / effects.score[at] if effects.score[at] else torch.inf
        low, mean, high = sorted((part[at] / deviation).item() for part in (effects.low, effects.mean, effects.high))
        if name.startswith("-") or (name.startswith("|") and mean < 0):
            low, mean, high = -high, -mean, -low
        found.append(known(mean, low, high))
    return each(min, *found)


def strongest(dim: int, evidences: Sequence[Evidence]) -> Wording:
    """What an edit of ``dim`` changes most, by run, in words: an axis that had a meaning would have it in every run."""
    most = Counter(table_of(e).strongest(dim)[0] for e in evidences).most_common()
    names = [(Wording(f"measures.{name.replace(' ', '_')}"), n) for name, n in most]
    if len(evidences) < 2:
        return Wording("claims.beside.strongest", {"dim": dim, "found": names[0][0]})
    found = tuple(Wording("claims.beside.counted", {"name": name, "n": n}) for name, n in names)
    return Wording("claims.beside.strongest_in_runs", {"dim": dim, "runs": len(evidences), "found": found})
