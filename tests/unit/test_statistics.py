"""Statistics of few runs, against scipy, against formulas, and by hand."""

import math
from itertools import product

import numpy as np
import pytest
import torch
from scipy import stats

from labkit.analysis import statistics
from labkit.analysis.statistics import (
    bca_interval,
    clopper_pearson,
    holm,
    improvement,
    power,
    runs_needed,
    sign_flips,
    t_interval,
    t_quantile,
    t_two_sided,
)
from labkit.base.errors import LabError


def drawn(n, seed=0, shift=0.5):
    return np.random.default_rng(seed).gamma(2, size=n) - 2 + shift


@pytest.mark.parametrize("freedom", [*range(1, 12), 48, 49, 199])
def test_student_against_scipy(freedom):
    t = np.array([0.0, 0.1, 0.7, 1.0, 2.0, 4.0, 30.0])
    found = t_two_sided(torch.from_numpy(np.concatenate([t, -t])), freedom)
    np.testing.assert_allclose(found, np.tile(2 * stats.t.sf(t, freedom), 2), atol=1e-13)
    assert t_quantile(freedom) == pytest.approx(stats.t.ppf(0.975, freedom), rel=1e-9)


@pytest.mark.parametrize("n", [2, 3, 5, 10, 31])
def test_t_interval_against_scipy(n):
    values = drawn(n)
    expected = stats.t.interval(0.95, n - 1, values.mean(), stats.sem(values))
    assert t_interval(torch.from_numpy(values)) == pytest.approx(expected, rel=1e-9)


def test_one_value_has_no_interval():
    for interval in (t_interval, bca_interval):
        assert all(map(math.isnan, interval(torch.ones(1))))


@pytest.mark.parametrize(
    ("k", "n"), [(0, 1), (1, 1), (0, 5), (5, 5), (6, 6), (3, 10), (9, 10), (10, 10), (50, 100), (0, 100), (700, 2000)]
)
def test_clopper_pearson_against_scipy(k, n):
    expected = stats.binomtest(k, n).proportion_ci(method="exact")
    assert clopper_pearson(k, n) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_clopper_pearson_as_preregistered():
    """With five runs not even 5 of 5 is enough, it takes six; 10 of 10 is more than 69 %."""
    assert clopper_pearson(5, 5)[0] == pytest.approx(0.478, abs=5e-4)
    assert clopper_pearson(6, 6)[0] > 0.5
    assert clopper_pearson(10, 10)[0] == pytest.approx(0.6915, abs=5e-5)


@pytest.mark.parametrize(("k", "n"), [(0, 0), (-1, 3), (4, 3)])
def test_no_share(k, n):
    with pytest.raises(LabError, match="is no share"):
        clopper_pearson(k, n)


@pytest.mark.parametrize("n", [3, 5, 8, 9, 14])
def test_bca_against_scipy(n):
    """Both ends within one part in a hundred of the width: scipy draws its samples, here all are gone through."""
    values = drawn(n, seed=n)
    low, high = stats.bootstrap(
        (values,), np.mean, method="BCa", n_resamples=200_000, batch=20_000, rng=np.random.default_rng(1)
    ).confidence_interval
    assert bca_interval(torch.from_numpy(values)) == pytest.approx((low, high), abs=0.01 * (high - low))


def test_bca_of_more_values_than_are_gone_through(monkeypatch):
    values = torch.from_numpy(drawn(9))
    exact = bca_interval(values)
    monkeypatch.setattr(statistics, "EXACT", 8)
    statistics._samples.cache_clear()
    drawn_ones = bca_interval(values)
    statistics._samples.cache_clear()
    assert drawn_ones != exact and drawn_ones == pytest.approx(exact, abs=0.01 * (exact[1] - exact[0]))


def test_all_bootstrap_samples_and_their_chances():
    """Of three values: 10 samples with replacement, of 27 equally likely draws."""
    picks, weights = statistics._samples(3)
    counts = {}
    for draw in product(range(3), repeat=3):
        counts[tuple(sorted(draw))] = counts.get(tuple(sorted(draw)), 0) + 1
    assert dict(zip(map(tuple, picks.tolist()), (weights * 27).tolist())) == pytest.approx(counts)


def test_bca_moves_with_its_values_and_turns_with_their_sign():
    values = torch.from_numpy(drawn(7))
    low, high = bca_interval(values)
    assert bca_interval(3 * values + 10) == pytest.approx((3 * low + 10, 3 * high + 10))
    assert bca_interval(-values) == pytest.approx((-high, -low), abs=0.02 * (high - low))


def test_equal_values_have_no_bootstrap():
    assert all(map(math.isnan, bca_interval(torch.full((6,), 0.3))))


@pytest.mark.parametrize("n", [2, 5, 10, 12])
@pytest.mark.parametrize("shift", [0.0, 0.5, 3.0])
def test_sign_flips_against_scipy(n, shift):
    values = drawn(n, seed=n, shift=shift)
    expected = stats.permutation_test((values,), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert sign_flips(torch.from_numpy(values)) == pytest.approx(expected.pvalue, rel=1e-9)


def test_sign_flips_by_hand():
    assert sign_flips(torch.tensor([1.0, 2.0, 3.0])) == 2 / 8  # only +++ and --- reach a sum of 6
    assert sign_flips(torch.tensor([1.0, 2.0, -3.0])) == 1
    assert sign_flips(torch.tensor([1.0, 1.0, 1.0, -1.0])) == 10 / 16  # ties count
    assert sign_flips(torch.full((10,), 0.1)) == 2 / 2**10  # as low as it can be


@pytest.mark.parametrize("n", [0, 17])
def test_sign_flips_of_too_many(n):
    with pytest.raises(LabError, match="takes 1 to 16"):
        sign_flips(torch.ones(n))


@pytest.mark.parametrize(
    ("p", "adjusted"),
    [
        ([0.01, 0.04, 0.03, 0.005], [0.03, 0.06, 0.06, 0.02]),  # R: p.adjust(p, "holm")
        ([0.5, 0.4], [0.8, 0.8]),
        ([0.9, 0.9, 0.9], [1, 1, 1]),
        ([0.02], [0.02]),
    ],
)
def test_holm_by_hand(p, adjusted):
    assert holm(torch.tensor(p)).tolist() == pytest.approx(adjusted)


def test_improvement():
    first, second = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([2.0, 0.0])
    assert improvement(first, second) == pytest.approx((0 + 0.5 + 1 + 1 + 1 + 1) / 6)
    assert improvement(second, first) == pytest.approx(1 - 4.5 / 6)
    values, others = drawn(9), drawn(7, seed=2)
    expected = stats.mannwhitneyu(values, others).statistic / 63
    assert improvement(torch.from_numpy(values), torch.from_numpy(others)) == pytest.approx(expected)


def exact_power(effect, n):
    limit, shift = stats.t.ppf(0.975, n - 1), effect * math.sqrt(n)
    return stats.nct.sf(limit, n - 1, shift) + stats.nct.cdf(-limit, n - 1, shift)


@pytest.mark.parametrize(("effect", "n"), [(0.5, 5), (1, 5), (1, 10), (1.5, 2), (3, 3), (0.2, 200), (0, 8)])
def test_power_against_scipy(effect, n):
    assert power(effect, n) == pytest.approx(exact_power(effect, n), abs=1e-4)
    assert power(-effect, n) == pytest.approx(power(effect, n))


@pytest.mark.parametrize("effect", [0.25, 0.5, 0.8, 1.0, 1.3, 2.0, -2.0, 5.0])
def test_runs_needed_are_the_fewest(effect):
    n = runs_needed(effect)
    assert exact_power(abs(effect), n) >= 0.8 and (n == 2 or exact_power(abs(effect), n - 1) < 0.8)


def test_runs_needed_of_small_effects():
    assert runs_needed(0.01) == math.ceil(((stats.norm.ppf(0.975) + stats.norm.ppf(0.8)) / 0.01) ** 2)
    assert runs_needed(0.0) == math.inf and math.isnan(runs_needed(math.nan))
