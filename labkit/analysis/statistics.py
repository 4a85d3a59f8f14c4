"""Tests, adjusted p-values and intervals."""

import math

import torch
from torch import Tensor

from ..base.errors import LabError
from ..base.rng import seeded

RESAMPLES = 1000  # of the bootstrap


def t_two_sided(t: Tensor, freedom: int) -> Tensor:
    """P(|T| > |t|), of the shape of ``t``, of Student's distribution (Abramowitz and Stegun 26.7.4).

    Raises:
        LabError: the degrees of ``freedom`` are not an even number of at least 2.
    """
    if freedom < 2 or freedom % 2:
        raise LabError(f"freedom = {freedom} is not an even number of at least 2")
    angle = (t.double().abs() / math.sqrt(freedom)).atan()
    term, total = torch.ones_like(angle), torch.ones_like(angle)
    for i in range(1, freedom // 2):
        term = term * angle.cos().square() * (2 * i - 1) / (2 * i)
        total = total + term
    return (1 - angle.sin() * total).clamp(0, 1)


def false_discovery(p: Tensor) -> Tensor:
    """Adjusted p-values, of the shape of ``p`` (Benjamini and Hochberg 1995).

    Those below q hold at most a share q of false finds.
    """
    flat, order = p.flatten().sort()
    adjusted = (flat * len(flat) / torch.arange(1, len(flat) + 1)).flip(0).cummin(0).values.flip(0).clamp(max=1)
    return torch.empty_like(flat).scatter_(0, order, adjusted).view(p.shape)


def bootstrap(values: Tensor, resamples: int = RESAMPLES, seed: int = 0) -> tuple[Tensor, Tensor]:
    """95 % interval of the mean over dimension 1 of (k, n, a): lower and upper ends, (k, a) each."""
    k, n, a = values.shape
    with seeded(seed, "bootstrap"):
        weights = torch.stack([torch.randint(n, (n,)).bincount(minlength=n) for _ in range(resamples)]).float() / n
    means = torch.einsum("rn,kna->rka", weights, values)
    return torch.quantile(means, 0.025, dim=0), torch.quantile(means, 0.975, dim=0)
