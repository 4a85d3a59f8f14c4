"""The original's eight reasons for the design of its vanilla GAN, each judged by runs without that part.

Every statistic compares runs of one seed, of the complete network and of one in which a single part is switched, and is
written so that a positive number speaks for the claim. See docs/preregistration.md. The rows are `claims.Verdict`s, for
the same table.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ..texts import using
from ..training.state import COLUMNS
from .claims import RUNS, Verdict, mean_over_runs, untested
from .evidence import Looked, swing
from .statistics import clopper_pearson, t_interval
from .wording import Wording, sentences

COMPLETE, LOOK = "vanilla-ours", 10  # the arm that is compared with, and the epochs after which it is
LEAST, LEAST_SHARE = math.log(1.25), 0.02  # the smallest effects that would matter
Arms = Mapping[str, Sequence[Looked]]


def log_distances(run: Looked, look: int) -> list[float]:
    """Log Frechet distance in the classifier's features and in pixels."""
    return [math.log(run.scores[look][name]) for name in ("frechet", "frechet_pixels")]


def log_swing(run: Looked, look: int) -> list[float]:
    """Mean over D and G of the log swing of their losses, in the epochs up to ``look``."""
    losses = (run.history[:look, :, COLUMNS.index(name)].flatten() for name in ("loss_d", "loss_g"))
    return [sum(swing(loss).mean().log().item() for loss in losses) / 2]


def neighbour_ratio(run: Looked, look: int) -> list[float]:
    """How much nearer samples are to training than to test images: below 1, if learned by heart."""
    return [run.scores[look]["neighbour_ratio"]]


def d_gap(run: Looked, look: int) -> list[float]:
    """D's mean answer to training images less that to test images."""
    return [run.scores[look]["d_gap"]]


@dataclass(frozen=True)
class Design:
    """A reason of the original, and the switch that asks for it."""

    id: str
    sentence: str
    switch: str  # the arm is `COMPLETE`-switch
    measure: Callable[[Looked, int], list[float]]  # of a run after a look, in one or both spaces
    words: str
    order: str  # of the two whose difference it is, in words
    sign: int = 1  # of the switched run less the complete one
    least: float = LEAST
    figure: int = 27  # of the report, that shows it

    @property
    def values(self) -> dict[str, Any]:
        """Numbers that its texts may name."""
        return {"look": LOOK}

    @property
    def limits(self) -> Wording:
        """The threshold in words."""
        return Wording("claims.limits.least", {"least": self.least})

    @property
    def statistic(self) -> str:
        """What is measured, in words."""
        return f"{self.words}: {self.order}, after {LOOK} epochs"


DISTANCES = "log Fréchet distance, the smaller difference of both spaces"
# fmt: off
DESIGN = (
    Design("A1", "the residual connection helps gradients", "shortcut", log_distances, DISTANCES,
           "without the shortcut minus with it"),
    Design("A2", "BatchNorm makes training stable", "batchnorm", log_swing, "log swing of the losses",
           "without BatchNorm minus with it"),
    Design("A3", "dropout of 0.2 in G reduces overfitting", "dropout_g", neighbour_ratio, "neighbour ratio",
           "with dropout in G minus without it", sign=-1, least=LEAST_SHARE),
    Design("A4", "LeakyReLU and Tanh give more natural images", "leaky_tanh", log_distances, DISTANCES,
           "with ReLU and a clipped line in their place minus with them"),
    Design("A5", "spectral normalisation makes training stable", "spectral_norm", log_swing, "log swing of the losses",
           "without spectral normalisation minus with it"),
    Design("A6", "dropout of 0.3 makes D robust", "dropout_d", d_gap,
           "D's mean answer to training images minus that to test images", "without dropout in D minus with it",
           least=LEAST_SHARE),
    Design("A7", "the split of D allows feature matching, which helps", "matching", log_distances, DISTANCES,
           "without feature matching minus with it", sign=-1),
    Design("A8", "depth helps", "depth", log_distances, DISTANCES, "with one block in G minus with all three"),
)
# fmt: on


def judge_design(arms: Arms, look: int = LOOK) -> list[Verdict]:
    """The verdicts on all eight, by the records of each arm, paired by seed with those of `COMPLETE`."""
    with using("en"):  # what is stored is English
        return [_judged(design, arms, look) for design in DESIGN]


def _judged(design: Design, arms: Arms, look: int) -> Verdict:
    complete = {run.seed: run for run in arms.get(COMPLETE, ()) if look in run.scores}
    switched = {run.seed: run for run in arms.get(f"{COMPLETE}-{design.switch}", ()) if look in run.scores}
    seeds = sorted(set(complete) & set(switched))
    row = partial(Verdict, design.id, design.sentence, design.statistic, design.limits.said(), record=design)
    if len(seeds) < 2:
        why = Wording("claims.why.pairs", {"pairs": len(seeds)})
        return row(None, None, untested(why), RUNS, len(seeds), why=why)
    found = torch.tensor([[design.measure(arm[seed], look) for seed in seeds] for arm in (switched, complete)]).double()
    differences = design.sign * (found[0] - found[1])  # (n, spaces)
    ends = [t_interval(space[space.isfinite()]) for space in differences.T]
    worse = min(range(len(ends)), key=lambda i: differences[:, i].nanmean().item())
    passes = (differences > 0).all(1).tolist()
    value, interval, rows, lost = mean_over_runs(seeds, differences[:, worse].tolist(), passes)
    beside = (*_beside(differences, ends, design.least), *([lost] if lost else []))
    return row(
        value,
        interval,
        verdict(ends, design.least),
        RUNS,
        len(seeds),
        sum(passes),
        clopper_pearson(sum(passes), len(seeds)),
        rows,
        note=sentences(*beside),
        beside=beside,
    )


def verdict(ends: Sequence[tuple[float, float]], least: float) -> str:
    """That of the intervals in all spaces: above zero in each, below the ``least`` that would matter in one, or not."""
    if all(low > 0 for low, _ in ends):
        return "holds"
    return "does not hold" if any(high < least for _, high in ends) else "depends on the run"


def _beside(differences: Tensor, ends: Sequence[tuple[float, float]], least: float) -> list[Wording]:
    """Both spaces, and a word on effects that are there and too small to matter."""
    words = []
    if len(ends) > 1:
        spaces = zip(("classifier", "pixels"), differences.nanmean(0).tolist(), ends, strict=True)
        values: dict[str, float] = {}
        for name, mean, (low, high) in spaces:
            values |= {name: mean, f"{name}_low": low, f"{name}_high": high}
        words.append(Wording("claims.beside.spaces", values))
    if verdict(ends, least) == "holds" and any(high < least for _, high in ends):
        words.append(Wording("claims.beside.small"))
    return words
