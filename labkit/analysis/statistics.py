"""Tests, adjusted p-values and intervals; all intervals hold with 95 % confidence.

A sample of runs is small, so nothing here leans on large numbers where an exact answer can be had: distributions are
summed, quantiles found by halving, permutations and (up to `EXACT` values) bootstrap samples are all gone through.
"""

import functools
import math
from collections.abc import Callable
from itertools import combinations_with_replacement

import torch
from torch import Tensor
from torch.special import ndtr, ndtri

from ..base.errors import LabError
from ..base.rng import seeded

RESAMPLES = 1000  # of the bootstrap of effects
EXACT = 10  # values of which all bootstrap samples are gone through: 92,378 with 10
DRAWS = 100_000  # bootstrap samples of more values
SIGNS = 16  # differences of which all changes of sign are gone through
Z = 1.959963984540054  # of the normal distribution, 2.5 % above it
Z_POWER = 0.8416212335729143  # 20 % above it


def t_two_sided(t: Tensor, freedom: int) -> Tensor:
    """P(|T| > |t|), of the shape of ``t``, of Student's distribution (Abramowitz and Stegun 26.7.3 and 26.7.4).

    Raises:
        LabError: no ``freedom``.
    """
    if freedom < 1:
        raise LabError(f"freedom = {freedom} leaves nothing to test with: it takes at least 1, that is two values")
    angle, odd = (t.double().abs() / math.sqrt(freedom)).atan(), freedom % 2
    term, total = torch.ones_like(angle), torch.ones_like(angle)
    for i in range(1 + odd, freedom - 1, 2):  # cos^2 1/2, cos^4 (1 3)/(2 4), ...; odd: cos^2 2/3, ...
        term = term * angle.cos().square() * i / (i + 1)
        total = total + term
    if not odd:
        return (1 - angle.sin() * total).clamp(0, 1)
    series = angle.sin() * angle.cos() * total if freedom > 1 else 0
    return (1 - 2 / math.pi * (angle + series)).clamp(0, 1)


def root(f: Callable[[float], float], low: float, high: float) -> float:
    """Where the increasing ``f`` crosses 0 between ``low`` and ``high``, by halving."""
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (low, middle) if f(middle) > 0 else (middle, high)
    return (low + high) / 2


def t_quantile(freedom: int) -> float:
    """What |T| of Student's distribution exceeds in 5 % of all cases: half the width of an interval, in errors."""
    return root(lambda t: 0.05 - t_two_sided(torch.tensor(t, dtype=torch.double), freedom).item(), 0.0, 20.0)


def t_interval(values: Tensor) -> tuple[float, float]:
    """Interval of the mean of ``values`` (n,); nan with fewer than two."""
    values = values.double()
    if len(values) < 2:
        return math.nan, math.nan
    half = t_quantile(len(values) - 1) * values.std().item() / math.sqrt(len(values))
    return values.mean().item() - half, values.mean().item() + half


def clopper_pearson(k: int, n: int) -> tuple[float, float]:
    """Exact interval of a share of which ``k`` of ``n`` were found (Clopper and Pearson 1934)."""
    if not 0 <= k <= n or not n:
        raise LabError(f"{k} of {n} is no share: it takes 0 to n, of at least one")

    def at_least(count: int, share: float) -> float:  # P(X >= count)
        i = torch.arange(count, n + 1, dtype=torch.double)
        ways = math.lgamma(n + 1) - torch.lgamma(i + 1) - torch.lgamma(n - i + 1)
        return (ways + i * math.log(share) + (n - i) * math.log1p(-share)).exp().sum().item()

    low = root(lambda share: at_least(k, share) - 0.025, 0.0, 1.0) if k else 0.0
    high = root(lambda share: at_least(k + 1, share) - 0.975, 0.0, 1.0) if k < n else 1.0
    return low, high


@functools.cache
def _samples(n: int) -> tuple[Tensor, Tensor]:
    """Which of n values a bootstrap sample holds, (samples, n), and how probable that sample is, (samples,)."""
    if n > EXACT:
        with seeded("bca"):
            return torch.randint(n, (DRAWS, n)), torch.full((DRAWS,), 1 / DRAWS, dtype=torch.double)
    picks = torch.tensor(list(combinations_with_replacement(range(n), n)))
    counts = torch.zeros(len(picks), n, dtype=torch.double).scatter_add_(1, picks, torch.ones(picks.shape).double())
    return picks, (math.lgamma(n + 1) - torch.lgamma(counts + 1).sum(1) - n * math.log(n)).exp()


def bca_interval(values: Tensor) -> tuple[float, float]:
    """Interval of the mean of ``values`` (n,) by the bootstrap, bias-corrected and accelerated (Efron 1987).

    Of up to `EXACT` values every sample with replacement is gone through, with its probability; of more, `DRAWS`
    samples are drawn. Values that are all the same, or fewer than two, have none: nan.
    """
    values, n = values.double(), len(values)
    if n < 2 or values.min() == values.max():
        return math.nan, math.nan
    picks, weights = _samples(n)
    mean = values.mean()
    means, order = values[picks].mean(1).sort()
    weights, slack = weights[order], 1e-9 * values.std()  # sums in another order differ in their last digits
    bias = ndtri((weights[means < mean - slack].sum() + weights[means <= mean + slack].sum()) / 2)
    off = values - mean  # of the mean, from those without one value, but for a factor
    acceleration = off.pow(3).sum() / (6 * off.square().sum().pow(1.5))
    z = bias + torch.tensor([-Z, Z], dtype=torch.double)
    ends = torch.searchsorted(weights.cumsum(0), ndtr(bias + z / (1 - acceleration * z))).clamp(max=len(means) - 1)
    return means[ends[0]].item(), means[ends[1]].item()


def sign_flips(differences: Tensor) -> float:
    """Chance of a mean as far from 0 as that of ``differences`` (n,), were the signs a toss: two-sided, exact.

    All 2^n changes of sign are gone through (Fisher 1935), so no result is below 2 / 2^n.

    Raises:
        LabError: more than `SIGNS` differences.
    """
    n = len(differences)
    if not 0 < n <= SIGNS:
        raise LabError(f"{n} differences: the exact test of all changes of sign takes 1 to {SIGNS}")
    signs = 1 - 2.0 * (torch.arange(2**n).unsqueeze(1) >> torch.arange(n) & 1).double()
    sums, found = (signs @ differences.double()).abs(), differences.double().sum().abs()
    return (sums >= found * (1 - 1e-9)).double().mean().item()


def holm(p: Tensor) -> Tensor:
    """Adjusted p-values (m,): all that are below 5 % may be believed at once, with 5 % error (Holm 1979)."""
    flat, order = p.double().sort()
    adjusted = (flat * torch.arange(len(flat), 0, -1)).cummax(0).values.clamp(max=1)
    return torch.empty_like(flat).scatter_(0, order, adjusted)


def improvement(first: Tensor, second: Tensor) -> float:
    """Share of the pairs, one of ``first`` (n,) and one of ``second`` (m,), in which the first is larger; ties half."""
    one, other = first.unsqueeze(1), second.unsqueeze(0)
    return ((one > other).double() + (one == other).double() / 2).mean().item()


def power(effect: float, n: int) -> float:
    """How often Student's two-sided test at 5 % finds a mean of ``effect`` deviations in ``n`` differences.

    The noncentral t distribution, integrated over the deviation that a sample may have.
    """
    freedom, limit, shift = n - 1, t_quantile(n - 1), abs(effect) * math.sqrt(n)
    reach = 1 + 10 / math.sqrt(2 * freedom)
    w = (torch.arange(4000, dtype=torch.double) + 0.5) * reach / 4000  # the deviation found, over the true one
    density = ((freedom - 1) * w.log() - freedom * w.square() / 2).softmax(0)
    return (density * (ndtr(shift - limit * w) + ndtr(-shift - limit * w))).sum().item()


def runs_needed(effect: float) -> float:
    """The fewest pairs of runs that find a mean of ``effect`` deviations (two-sided 5 %, power 80 %).

    By the noncentral t distribution; above 1,000 by the normal one. Of no effect infinitely many, of nan nan.
    """
    if not effect or math.isnan(effect):
        return math.nan if effect else math.inf
    n = max(2, math.ceil(((Z + Z_POWER) / effect) ** 2))
    while n <= 1000 and power(effect, n) < 0.8:
        n += 1
    return n


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
