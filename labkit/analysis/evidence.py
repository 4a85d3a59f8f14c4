"""What claims are judged by: the evidence for one network, and the functions that measure on it.

A measuring function takes a claim's id, which names its random numbers, and the evidence for each network that the
claim is about. It returns an `Estimate`. Where the evidence brings no interval of its own, what the claim is about is
drawn anew `RESAMPLES` times, with replacement (the bootstrap, Efron 1979).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from .. import pictures
from ..base.rng import seeded
from ..latent import LAB_DIMS
from ..training.runs import Run
from .effects import NAMES, SWEEPS, EffectTable

RESAMPLES = 500
DIVISOR = 16  # our guess at what the original divided its mean losses by

Estimate = tuple[float, float, float]  # a value, and the ends of its 95 % interval


@dataclass(frozen=True)
class Evidence:
    """What the claims are judged by, for one network."""

    run: Run
    scores: dict[str, dict]  # a row of scoring.score_runs
    effects: EffectTable
    attributes: Tensor  # (n, a): of its images
    second: EffectTable | None = None  # of a run with another seed


@dataclass(frozen=True)
class RealEvidence:
    """What it is compared with: real images, which have neither run nor effects."""

    scores: dict[str, dict]  # as in `Evidence`, of training images
    attributes: Tensor  # (n, a): of test images


def resample(measure: Callable[..., Tensor], sets: list[list[Tensor]], *stream, ordered: bool = False) -> Estimate:
    """``measure(*tensors)``, and its interval over their rows drawn anew: the same rows for the tensors of one set.

    ``ordered``: the drawn rows stay in the order of the given ones.
    """
    with seeded("claims", *stream):
        picks = [[torch.randint(len(group[0]), (len(group[0]),)) for group in sets] for _ in range(RESAMPLES)]
    if ordered:
        picks = [[pick.sort().values for pick in row] for row in picks]
    samples = [measure(*(part[pick] for group, pick in zip(sets, row, strict=True) for part in group)) for row in picks]
    return measure(*(part for group in sets for part in group)).item(), *interval(torch.stack(samples))


def interval(samples: Tensor) -> tuple[float, float]:
    """The ends that leave out a fortieth of ``samples`` (n,) each."""
    return torch.quantile(samples.double(), 0.025).item(), torch.quantile(samples.double(), 0.975).item()


def each(pick: Callable[..., float], *estimates: Estimate) -> Estimate:
    """What ``pick``, min or max, takes of the values, of the lower and of the upper ends of ``estimates``."""
    value, low, high = map(pick, zip(*estimates, strict=True))
    return value, low, high


# ----- losses: blocks of steps are what is drawn, since neighbouring steps are alike


def blocks(values: Tensor, length: int) -> Tensor:
    """``values`` of any shape in blocks of ``length``, (blocks, length); what is left of them is left out."""
    values = values.flatten()
    return values[: len(values) // length * length].view(-1, length)


def losses(run: Run) -> list[Tensor]:
    """D's and G's loss in blocks of about fifty steps, (blocks, steps) each."""
    length = max(2, min(50, run.column("loss_d").numel() // 20))
    return [blocks(run.column(name), length) for name in ("loss_d", "loss_g")]


def over_steps(
    measure: Callable[[Tensor, Tensor], Tensor], id: str, evidence: Evidence, after: float = 0.0
) -> Estimate:
    """``measure(D's blocks, G's blocks)`` from the share ``after`` of training on; drawn blocks stay in their order."""
    d, g = (loss[int(after * len(loss)) :] for loss in losses(evidence.run))
    return resample(measure, [[d, g]], id, ordered=True)


def swing(loss: Tensor) -> Tensor:
    """Standard deviation within each block, (blocks,)."""
    return loss.std(1)


def settling(d: Tensor, g: Tensor) -> Tensor:
    """Swing in the first tenth over swing in the last tenth, the smaller of both losses."""
    tenth = max(1, len(d) // 10)
    return torch.stack([swing(loss[:tenth]).mean() / swing(loss[-tenth:]).mean() for loss in (d, g)]).min()


def swing_ratio(d: Tensor, g: Tensor) -> Tensor:
    """Swing of D's loss over swing of G's."""
    return swing(d).mean() / swing(g).mean()


def trend(d: Tensor, g: Tensor) -> Tensor:
    """Rank correlation of G's loss with time."""
    return rank_correlation(g.mean(1))


def rank_correlation(values: Tensor) -> Tensor:
    """Spearman's, of ``values`` (n,) with their order; equal values share their mean rank."""
    _, inverse, counts = values.unique(return_inverse=True, return_counts=True)
    ranks = (counts.cumsum(0).double() - (counts - 1) / 2)[inverse]
    ranks, time = ranks - ranks.mean(), torch.arange(len(ranks)) - (len(ranks) - 1) / 2
    return (ranks * time).sum() / (ranks.norm() * time.norm()).clamp(min=1e-12)


def inside(loss: Tensor, low: float, high: float) -> Tensor:
    """Share of the blocks whose mean over `DIVISOR` is in ``low`` to ``high``."""
    means = loss.mean(1) / DIVISOR
    return ((means >= low) & (means <= high)).double().mean()


def movement(d: Tensor, g: Tensor) -> Tensor:
    """Swing over level, mean of both losses."""
    return (swing(d).mean() / d.mean() + swing(g).mean() / g.mean()) / 2


def calmer(id: str, vanilla: Evidence, dcgan: Evidence) -> Estimate:
    """`movement` of the DCGAN's losses over that of the vanilla GAN's."""

    def ratio(d, g, vanilla_d, vanilla_g):
        return movement(d, g) / movement(vanilla_d, vanilla_g)

    return resample(ratio, [losses(dcgan.run), losses(vanilla.run)], id)


def balance(id: str, evidence: Evidence) -> Estimate:
    """Share of the second half of training with mean D(G(z)) between 0.2 and 0.8; 0 if the samples lack a class."""
    fake = evidence.run.column("d_fake")
    later = fake[len(fake) // 2 :]
    if evidence.scores["dropped_classes"]["high"]:
        return 0.0, 0.0, 0.0
    means = blocks(later, 2 if later.numel() < 100 else 50).mean(1)
    balanced = ((means > 0.2) & (means < 0.8)).double()
    return resample(torch.mean, [[balanced]], id)


# ----- pictures


def closer(id: str, vanilla: Evidence, dcgan: Evidence, real: RealEvidence) -> Estimate:
    """Distance from real images, vanilla over DCGAN: the smallest of outline sharpness, texture and Frechet distance.

    The interval of the first two is over pictures, that of the Frechet distance over sets of latent vectors.
    """
    columns = [list(pictures.ATTRIBUTES).index(name) for name in ("outline_sharpness", "texture")]

    def ratio(v, d, r):
        gaps = [(attributes.mean(0) - r.mean(0)).abs()[columns] for attributes in (v, d)]
        return (gaps[0] / gaps[1].clamp(min=1e-9)).min()

    of_vanilla, of_dcgan = vanilla.scores["frechet"], dcgan.scores["frechet"]
    frechet = tuple(of_vanilla[a] / of_dcgan[b] for a, b in (("mean", "mean"), ("low", "high"), ("high", "low")))
    estimate = resample(ratio, [[vanilla.attributes], [dcgan.attributes], [real.attributes]], id)
    return each(min, estimate, frechet)


def deformed(id: str, network: Evidence, real: RealEvidence) -> Estimate:
    """Share of images outside the real manifold, beyond that of real images; interval over sets of latent vectors."""
    best, found = real.scores["precision"]["mean"], network.scores["precision"]
    return best - found["mean"], best - found["high"], best - found["low"]


# ----- dimensions


def over_dimensions(
    measure: Callable[[EffectTable, Tensor], Tensor], id: str, *evidences: Evidence, worse: Callable = min
) -> Estimate:
    """``measure(effects, dimensions)``. Of several networks ``worse`` picks the value and either end.

    The claim is made of all the networks, so it is as good as the worse one.
    """
    found = [
        resample(partial(measure, e.effects), [[torch.arange(len(e.effects.mean))]], id, e.run.config.model)
        for e in evidences
    ]
    return each(worse, *found)


def column(effects: EffectTable, name: str) -> Tensor:
    """The mean effect on ``name``, of `effects.NAMES`, for every dimension, (k,)."""
    return effects.mean[:, NAMES.index(name)]


def unequal(effects: EffectTable, dims: Tensor) -> Tensor:
    """90th over 10th percentile of the mean image change."""
    change = column(effects, "image change")[dims]
    return change.quantile(0.9) / change.quantile(0.1).clamp(min=1e-9)


def smooth(effects: EffectTable, dims: Tensor) -> Tensor:
    """Share of dimensions whose sweep has no step above a quarter of the way and 90 % of its steps forward."""
    _, forward, largest, _ = (effects.sweeps[dims, i] for i in range(len(SWEEPS)))
    return ((largest < 0.25) & (forward > 0.9)).double().mean()


def share_of_pair(effects: EffectTable, dims: Tensor) -> Tensor:
    """Mean image change of an edit over that between two vectors drawn at random."""
    return column(effects, "image change")[dims].mean() / effects.pairs[0]


def meaningful(effects: EffectTable, dims: Tensor) -> Tensor:
    """Share of dimensions with any effect beyond a random direction's."""
    return effects.special[dims].any(1).double().mean()


def drastic(effects: EffectTable, dims: Tensor) -> Tensor:
    """Share of dimensions that change the class of more than half of the images."""
    return (column(effects, "class flips")[dims] > 0.5).double().mean()


def inequality(effects: EffectTable, dims: Tensor) -> Tensor:
    """How much the sizes of effects vary over dimensions, over the same of random directions; mean of all measures."""
    sizes, null = effects.mean[dims].abs(), effects.null[dims % len(effects.null)].abs()
    return (sizes.std(0) / null.std(0).clamp(min=1e-9)).mean()


# ----- single dimensions: the interval over base vectors comes with the effects


def at_lab(name: str, id: str, evidence: Evidence) -> Estimate:
    """Mean effect on ``name``, of `effects.NAMES`, over the lab's five dimensions."""
    effects, at = evidence.effects, (list(LAB_DIMS), NAMES.index(name))
    return effects.mean[at].mean().item(), effects.low[at].mean().item(), effects.high[at].mean().item()


def meaning(dim: int, names: tuple[str, ...], id: str, evidence: Evidence) -> Estimate:
    """The weakest of the effects of ``dim`` on ``names``, in deviations of random directions' effects.

    A name with a minus is to fall, a name between bars may go either way.
    """
    effects, ends = evidence.effects, []
    for name in names:
        at = dim, NAMES.index(name.strip("-|"))
        deviation = effects.mean[at] / effects.score[at] if effects.score[at] else torch.inf
        low, mean, high = sorted((part[at] / deviation).item() for part in (effects.low, effects.mean, effects.high))
        if name.startswith("-") or (name.startswith("|") and mean < 0):
            low, mean, high = -high, -mean, -low
        ends.append((mean, low, high))
    return each(min, *ends)
