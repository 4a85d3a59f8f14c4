"""The atlas against plain loops, tables, and toy generators of which is known what each dimension does."""

import functools
import math
import re

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

from labkit import data, latent, pictures
from labkit.analysis import effects as analysis_effects
from labkit.analysis.effects import NAMES, SWEEPS, Effects, EffectTable, compare, edit_effects, mean_interval
from labkit.analysis.statistics import bootstrap, false_discovery, t_two_sided
from labkit.base.rng import seeded
from labkit.data.loading import to_unit
from labkit.evaluation import scoring
from labkit.latent import LAB_DIMS, LAB_VALUES
from labkit.pictures import ATTRIBUTES
from labkit.texts import EDITIONS, using
from labkit.training import runs, state

DIM = 40  # of the toys' latent spaces


class Toy(nn.Module):
    """Pictures from a plain function of z; the parameter is there since `latent.sample` asks where the network is."""

    def __init__(self, draw):
        super().__init__()
        self.draw, self.scale = draw, nn.Parameter(torch.ones(()))

    def forward(self, z):
        return self.draw(z).view(len(z), 1, 28, 28) * self.scale


@pytest.fixture(scope="module")
def reference():
    return scoring.load_reference(150)


@pytest.fixture(scope="module")
def garments(reference):
    """Blends of 30 test images: some lie among the real ones, and edits change their class."""
    with seeded("garments"):
        way = torch.randn(DIM, 30)
    way[7] = 0  # this dimension does nothing
    return Toy(lambda z: ((z @ way).softmax(1) @ reference.real[:30].flatten(1)).clamp(-1, 1))


def plain_noise():
    with seeded("patterns"):
        patterns = torch.randn(DIM, 784)
    return 0.02 * (patterns - patterns.mean(1, keepdim=True))  # none is brighter than another


# ----- effects


def one_at_a_time(g, z, direction, value):
    """Every vector with its coordinate along ``direction`` at ``value``, drawn and measured by itself."""
    unit = direction.double() / direction.double().norm()
    return [latent.sample(g, (row.double() + (value - row.double() @ unit) * unit).float().unsqueeze(0)) for row in z]


def looked_at(reference, image):
    features, probabilities = reference.classifier.measure(image)
    inside = any(
        (features[0].double() - real.double()).norm() <= radius
        for real, radius in zip(reference.features, reference.radii[0])
    )
    return features[0], probabilities[0].argmax().item(), inside


def test_effects_against_loops(garments, reference):
    directions, n = torch.stack([torch.eye(DIM)[3], 5 * latent.latents(1, DIM, 3)[0]]), 12
    found = edit_effects(garments, directions, reference, DIM, bases=n)
    assert found.change.shape == (2, n, len(NAMES)) and found.entering.shape == (2, n)
    assert found.sweeps.shape == (2, len(SWEEPS))
    z = latent.latents(n, DIM, 500)
    own = [latent.sample(garments, row.unsqueeze(0)) for row in z]
    rest = [looked_at(reference, image)[1:] for image in own]
    inside = sum(is_in for _, is_in in rest)
    assert 0 < inside < n
    for k, direction in enumerate(directions):
        first, last = (one_at_a_time(garments, z, direction, value) for value in LAB_VALUES[::2])
        for i, (kind, is_in) in enumerate(rest):
            numbers = [pictures.measure(ends[i])[0] for ends in (first, last)]
            torch.testing.assert_close(found.change[k, i, :-3], numbers[1] - numbers[0], atol=2e-2, rtol=1e-3)
            ends = [looked_at(reference, image)[1:] for image in (first[i], last[i])]
            moved = [255 * ((image - own[i]) / 2).abs().mean().item() for image in (first[i], last[i])]
            out = sum(not end_in for _, end_in in ends) / 2
            assert found.change[k, i, -3].item() == pytest.approx(np.mean(moved), rel=1e-3)
            assert found.change[k, i, -2] == np.mean([end_kind != kind for end_kind, _ in ends])
            assert found.change[k, i, -1].item() == pytest.approx(out * n / inside if is_in else 0)
            assert found.entering[k, i].item() == pytest.approx(0 if is_in else (1 - out) * n / (n - inside))
    assert {0.0, 0.5, 1.0} <= set(found.change[..., -2].flatten().tolist())
    assert found.change[..., -1].any() and found.entering.any()


@pytest.mark.parametrize(
    ("ranges", "breakage", "entering"),
    [
        ([(-9, -2)], 0.5, 0.5),  # one of the ends: from inside every second edit leaves, from outside one comes back
        ([(-9, -2), (1, 9)], 1, 0),  # both
        ([(0, 2)], 0, 1),  # between the ends: an edit brings all in
        ([(-9, 9)], 0, 0),  # nobody starts inside
        ([], 0, 0),  # nobody outside
    ],
    ids=["one end", "both ends", "between", "everywhere", "nowhere"],
)
def test_breakage_is_the_share_of_those_inside_that_leave(reference, ranges, breakage, entering):
    """One garment, but noise where the coordinate along dimension 0 is in one of ``ranges``."""
    garment, bases = reference.real[0].flatten(), 30
    with seeded("noise"):
        noise = torch.rand(784) * 2 - 1

    def lost(z):
        return sum((((z > low) & (z < high)).float() for low, high in ranges), torch.zeros(len(z)))

    g = Toy(lambda z: torch.where(lost(z[:, 0]).bool().unsqueeze(1), noise, garment))
    found = edit_effects(g, torch.eye(DIM)[:1], reference, DIM, bases=bases)
    own = lost(latent.latents(bases, DIM, 500)[:, 0])
    assert (0 < own.sum() < bases) == (ranges not in ([], [(-9, 9)]))
    assert found.change[0, :, -1].mean().item() == pytest.approx(breakage, abs=1e-6)
    assert found.entering.mean().item() == pytest.approx(entering, abs=1e-6)
    flips = torch.stack([(lost(torch.full((1,), end)) != own).float() for end in (-3.0, 3.0)]).mean(0)
    assert torch.equal(found.change[0, :, -2], flips)


def test_the_vectors_are_those_of_the_seed(garments, reference):
    direction = torch.eye(DIM)[:1]
    first, other = (edit_effects(garments, direction, reference, DIM, bases=4, seed=seed) for seed in (0, 1))
    again = edit_effects(garments, direction, reference, DIM, bases=4, seed=1)
    assert torch.equal(other.change, again.change) and torch.equal(other.sweeps, again.sweeps)
    assert not torch.equal(first.change, other.change)


def test_all_directions_edit_the_same_vectors(garments, reference):
    """The same direction twice: the same change of every vector."""
    found = edit_effects(garments, torch.eye(DIM)[[3, 3]], reference, DIM, bases=6)
    assert torch.equal(found.change[0], found.change[1]) and torch.equal(found.sweeps[0], found.sweeps[1])


def test_the_other_way_round_is_minus_the_change(garments, reference):
    found = edit_effects(garments, torch.stack([torch.eye(DIM)[3], -torch.eye(DIM)[3]]), reference, DIM, bases=6)
    torch.testing.assert_close(found.change[0, :, :-3], -found.change[1, :, :-3])
    torch.testing.assert_close(found.change[0, :, -3:], found.change[1, :, -3:])


def test_a_dimension_that_does_nothing_does_nothing(garments, reference):
    found = edit_effects(garments, torch.eye(DIM)[[7, 8]], reference, DIM, bases=8)
    assert not found.change[0].any() and not found.sweeps[0].any()
    assert found.change[1, :, -3].all()


@pytest.mark.parametrize("shape", [(3, DIM + 1), (DIM + 1,), (2, 3, DIM)], ids=str)
def test_directions_of_another_space_are_refused(garments, reference, refused, shape):
    with refused(shape, f"(n, {DIM})"):
        edit_effects(garments, torch.ones(shape), reference, DIM)


def test_a_direction_without_length_is_refused(garments, reference, refused):
    with refused("no length"):
        edit_effects(garments, torch.zeros(1, DIM), reference, DIM, bases=3)


# ----- sweeps


@pytest.mark.slow
def test_a_sweep_against_loops(garments, reference):
    direction = latent.latents(1, DIM, 8)
    for n, walkers in ((6, 3), (80, 4)):  # one in twenty, at least three
        found = edit_effects(garments, direction, reference, DIM, bases=n).sweeps[0]
        rows = []
        for row in latent.latents(n, DIM, 500)[:walkers]:
            way = [looked_at(reference, one_at_a_time(garments, [row], direction[0], -3 + i / 2)[0]) for i in range(13)]
            points, classes = np.stack([step[0].double().numpy() for step in way]), [step[1] for step in way]
            steps, whole = np.diff(points, axis=0), points[-1] - points[0]
            lengths = np.linalg.norm(steps, axis=1)
            crossings = sum(a != b for a, b in zip(classes, classes[1:]))
            rows.append(
                [
                    np.linalg.norm(whole) / lengths.sum(),
                    np.mean([step @ whole > 0 for step in steps]),
                    lengths.max() / lengths.sum(),
                    crossings,
                ]
            )
        assert found.tolist() == pytest.approx(np.mean(rows, 0).tolist(), rel=1e-3)
        assert 0 < found[0] < 1 and 0 < found[1] <= 1 and 1 / 12 <= found[2] < 1 and found[3] > 0


def switch(*levels):
    """One garment up to the first level along dimension 0, another one up to the second, and so on in turn."""

    def draw(reference):
        classes = reference.classifier.measure(reference.real)[1].argmax(1)
        pair = torch.stack([reference.real[classes == c][0].flatten() for c in (0, 8)])
        return Toy(lambda z: pair[sum((z[:, 0] > level).long() for level in levels) % 2])

    return draw


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        ((0.2,), (1, 1 / 12, 1, 1)),  # one step is all of the way
        ((-1.2, 0.2, 1.2), (1 / 3, 2 / 12, 1 / 3, 3)),  # there, back, there
        ((-1.2, 0.2), (0, 0, 1 / 2, 2)),  # there and back
        ((9.0,), (0, 0, 0, 0)),
    ],
    ids=str,
)
def test_sweeps_of_known_ways(reference, levels, expected):
    found = edit_effects(switch(*levels)(reference), torch.eye(DIM)[:1], reference, DIM, bases=3).sweeps[0]
    assert found.tolist() == pytest.approx(expected, abs=1e-4)


# ----- what is special


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(analysis_effects, "STEPS", 3)


def mapped(g, reference, dims, null=20, bases=8):
    effects, of_null = (
        edit_effects(g, directions, reference, DIM, bases)
        for directions in (torch.eye(DIM)[dims], latent.random_directions(null, DIM, 77))
    )
    return compare(effects, of_null, torch.ones(2))


@pytest.mark.slow
def test_a_planted_dimension_is_found_and_no_other(quick, reference):
    patterns = plain_noise()
    g = Toy(lambda z: 0.1 + 0.1 * z[:, 3:4] + z @ patterns * (torch.arange(DIM) != 3).float().mean())
    found = mapped(g, reference, dims := [0, 1, 2, 3, 4, 5, 11, 25])
    brightness = NAMES.index("brightness")
    assert found.special[:, brightness].tolist() == [dim == 3 for dim in dims]
    assert not found.special[[dim != 3 for dim in dims]].any()
    assert found.mean[3, brightness].item() == pytest.approx(6 * 0.1 * 127.5, rel=1e-2)
    assert found.low[3, brightness] <= found.mean[3, brightness] <= found.high[3, brightness]
    assert found.caption(3).startswith("z[3] stands out most by image change: ")
    assert ", more than a random direction does" in found.caption(3)
    assert ", no more than a random direction does" in found.caption(0)


@pytest.mark.slow
def test_of_equivalent_dimensions_none_is_special(quick, reference):
    with seeded("rotation"):
        way = 0.1 * torch.randn(DIM, 784)
    found = mapped(Toy(lambda z: (z @ way).tanh()), reference, list(range(8)))
    assert not found.special.any() and found.score.square().mean().sqrt() < 1.5


# ----- the pieces


def planted_effects(k, n, *stream):
    with seeded("effects", *stream):
        return Effects(
            torch.randn(k, n, len(NAMES)) + torch.randn(k, 1, len(NAMES)), torch.rand(k, n), torch.rand(k, 4)
        )


@pytest.mark.parametrize(("m", "freedom"), [(50, 48), (20, 18), (21, 20), (4, 2)])
def test_compare_against_loops(m, freedom):
    effects, null = planted_effects(6, 30, "effects"), planted_effects(m, 30, "null")
    found = compare(effects, null, torch.tensor([20.0, 0.5]))
    p = np.zeros((6, len(NAMES)))
    for a, name in enumerate(NAMES):
        of_null = null.change[:, :, a].double().numpy().mean(1)
        centre, count = (0, m) if name in ATTRIBUTES else (of_null.mean(), m - 1)
        deviation = math.sqrt(sum((x - centre) ** 2 for x in of_null) / count)
        for k in range(6):
            expected = (effects.change[k, :, a].double().mean().item() - centre) / deviation
            assert found.score[k, a].item() == pytest.approx(expected, rel=1e-4, abs=1e-5)
            p[k, a] = t_two_sided(torch.tensor(expected), freedom).item()
    np.testing.assert_allclose(found.q, false_discovery(torch.from_numpy(p)), rtol=1e-3)
    torch.testing.assert_close(found.mean, effects.change.mean(1))
    torch.testing.assert_close(found.null, null.change.mean(1))
    torch.testing.assert_close((found.low, found.high), bootstrap(effects.change))
    assert (
        torch.equal(found.sweeps, effects.sweeps)
        and torch.equal(found.null_sweeps, null.sweeps)
        and found.pairs.tolist() == [20, 0.5]
    )
    assert torch.equal(found.special, found.q < 0.05)
    torch.testing.assert_close(found.entering, effects.entering.mean(1))
    torch.testing.assert_close(found.null_entering, null.entering.mean(1))
    assert found.lab_low.shape == found.lab_high.shape == (0,)  # the lab's dimensions are not among six


def test_the_interval_of_a_mean_over_dimensions_is_paired():
    """Dimensions that do the opposite for each vector: their mean is always the same, and surely so."""
    effects = planted_effects(4, 50, "paired")
    effects.change[1] = 2 - effects.change[0]
    mean, low, high = mean_interval(effects, [0, 1])
    for part in (mean, low, high):
        torch.testing.assert_close(part, torch.ones(len(NAMES)), atol=1e-5, rtol=0)
    mean, low, high = mean_interval(effects, [2, 2])  # and two that do the same: no surer than one
    torch.testing.assert_close((low, high), tuple(end[2] for end in bootstrap(effects.change)))
    torch.testing.assert_close(mean, effects.change[2].mean(0))


def test_the_interval_of_a_mean_over_dimensions_covers_as_it_says():
    """Against theory: vectors share a part in all dimensions, and the mean is normal."""
    with seeded("covers"):
        change = torch.randn(3, 2000, 1) + 2 * torch.randn(1, 2000, 1)
    mean, low, high = mean_interval(Effects(change, None, None), range(3))
    expected = 1.96 * math.sqrt((4 + 1 / 3) / 2000)
    assert (high - mean).item() == pytest.approx(expected, rel=0.12)
    assert (mean - low).item() == pytest.approx(expected, rel=0.12)


def test_the_lab_s_dimensions_have_a_mean_of_their_own():
    effects, null = planted_effects(81, 40, "lab"), planted_effects(20, 40, "null of the lab")
    found = compare(effects, null, torch.zeros(2))
    for i, name in enumerate(NAMES):
        expected = [part[i].item() for part in mean_interval(effects, LAB_DIMS)]
        assert found.lab(name) == pytest.approx(expected) and expected[1] < expected[0] < expected[2]
    assert not compare(planted_effects(80, 5, "too few"), null, torch.zeros(2)).lab_low.numel()


def test_attributes_without_any_effect():
    nothing = Effects(torch.zeros(3, 5, len(NAMES)), torch.zeros(3, 5), torch.zeros(3, 4))
    found = compare(nothing, nothing, torch.zeros(2))
    assert not found.score.any() and found.q.eq(1).all() and not found.special.any() and found.caption(1)


@pytest.mark.parametrize(
    ("t", "freedom", "p"),
    [
        (4.3027, 2, 0.05),
        (9.9248, 2, 0.01),
        (2.7764, 4, 0.05),
        (2.2281, 10, 0.05),
        (3.1693, 10, 0.01),
        (4.5869, 10, 0.001),
        (1.7247, 20, 0.1),
        (2.0106, 48, 0.05),
        (2.0086, 50, 0.05),
        (2.6778, 50, 0.01),
        (1.9840, 100, 0.05),
        (0, 6, 1),
    ],
)
def test_students_table(t, freedom, p):
    both = t_two_sided(torch.tensor([t, -t]), freedom)
    assert both.tolist() == pytest.approx([p, p], rel=1e-3)


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 8, 48, 49])
def test_student_against_the_integral_of_the_density(freedom):
    x = np.linspace(0, 5, 20_001)
    density = (
        math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2))
        / math.sqrt(freedom * math.pi)
        * (1 + x**2 / freedom) ** (-(freedom + 1) / 2)
    )
    within = np.concatenate([[0], np.cumsum((density[1:] + density[:-1]) / 2) * (x[1] - x[0])])
    np.testing.assert_allclose(t_two_sided(torch.from_numpy(x), freedom), 1 - 2 * within, atol=1e-7)


def test_student_far_out_is_no_less_than_zero():
    p = t_two_sided(torch.tensor([1e3, 1e12, float("inf")]), 48)
    assert (p >= 0).all() and (p < 1e-12).all()


@pytest.mark.parametrize("freedom", [-2, 0])
def test_no_degrees_of_freedom_are_refused(refused, freedom):
    with refused(f"freedom = {freedom}", "at least 1"):
        t_two_sided(torch.ones(1), freedom)


# The example of Benjamini and Hochberg's paper: at 5 % the first four are found, where Bonferroni finds three.
PAPER = [
    0.0001,
    0.0004,
    0.0019,
    0.0095,
    0.0201,
    0.0278,
    0.0298,
    0.0344,
    0.0459,
    0.3240,
    0.4262,
    0.5719,
    0.6528,
    0.7590,
    1.0,
]


@pytest.mark.parametrize(
    ("p", "q"),
    [
        ([0.005, 0.009, 0.05, 0.5], [0.018, 0.018, 0.2 / 3, 0.5]),
        ([0.5, 0.009, 0.005, 0.05], [0.5, 0.018, 0.018, 0.2 / 3]),
        ([0.01, 0.02, 0.03, 0.04, 0.05], [0.05] * 5),
        ([0.04], [0.04]),
        ([0.9, 0.8, 1.0], [1.0, 1.0, 1.0]),
        ([0.0, 0.6], [0.0, 0.6]),
    ],
    ids=str,
)
def test_false_discovery_by_hand(p, q):
    assert false_discovery(torch.tensor(p, dtype=torch.float64)).tolist() == pytest.approx(q)


def test_false_discovery_of_the_paper():
    q = false_discovery(torch.tensor(PAPER, dtype=torch.float64))
    assert (q < 0.05).tolist() == [True] * 4 + [False] * 11
    assert q[3].item() == pytest.approx(15 / 4 * 0.0095) and q[4].item() == pytest.approx(15 / 5 * 0.0201)


def test_false_discovery_keeps_order_and_shape():
    with seeded("p"):
        p, smaller = torch.rand(20, 7).square(), torch.rand(20, 7)
    q = false_discovery(p)
    assert q.shape == p.shape and (q >= p).all() and (q <= 1).all()
    order = p.flatten().argsort()
    assert (q.flatten()[order].diff() >= 0).all()
    torch.testing.assert_close(false_discovery(p.flatten()[order]), q.flatten()[order])
    assert (false_discovery(p * smaller) <= q + 1e-9).all()  # smaller chances, smaller adjusted ones


def test_false_discovery_finds_nothing_where_there_is_nothing():
    """One look of 5 % in a thousand would find fifty; of these 400 sets one in twenty may find any."""
    with seeded("nothing"):
        p = torch.rand(400, 50, dtype=torch.float64)
    assert 0.01 < np.mean([(false_discovery(row) < 0.05).any().item() for row in p]) < 0.09


def test_bootstrap_is_the_normal_interval():
    """Of means of 400 normal numbers: 1.96 standard errors on either side."""
    with seeded("values"):
        values = torch.tensor([1.0, 10.0]) * torch.randn(3, 400, 2) + torch.tensor([5.0, 0.0])
    low, high = bootstrap(values)
    assert low.shape == high.shape == (3, 2)
    mean, error = values.mean(1), values.std(1) / math.sqrt(400)
    torch.testing.assert_close(low, mean - 1.96 * error, rtol=0, atol=0.25 * error.max().item())
    np.testing.assert_allclose(((high - low) / 2 / error).numpy(), 1.96, rtol=0.12)
    assert (low < mean).all() and (mean < high).all()


def test_bootstrap_shrinks_with_numbers_and_covers():
    with seeded("coverage"):
        values = torch.randn(300, 64, 1)
    low, high = bootstrap(values)
    assert 0.88 < ((low < 0) & (high > 0)).float().mean() < 0.98
    few = bootstrap(values[:, :16])
    assert ((few[1] - few[0]).mean() / (high - low).mean()).item() == pytest.approx(2, rel=0.1)


def test_bootstrap_is_seeded_and_paired():
    with seeded("values"):
        values = torch.randn(1, 50, 2)
    values = torch.cat([values, values + 3])
    low, high = bootstrap(values)
    torch.testing.assert_close(low[1], low[0] + 3)  # the same vectors are picked for every direction
    before = torch.get_rng_state()
    assert all(torch.equal(a, b) for a, b in zip(bootstrap(values), (low, high), strict=True))
    assert torch.equal(torch.get_rng_state(), before)
    assert not torch.equal(bootstrap(values, seed=1)[0], low)
    assert (
        bootstrap(torch.full((1, 9, 1), 0.5))[0].item()
        == bootstrap(torch.full((1, 9, 1), 0.5))[1].item()
        == pytest.approx(0.5)
    )


def test_random_pairs_against_loops(garments, reference):
    change, flips = analysis_effects.random_pairs(garments, reference, DIM, n=20)
    images = latent.sample(garments, latent.latents(40, DIM, 900))
    classes = reference.classifier.measure(images)[1].argmax(1).tolist()
    assert flips.item() == pytest.approx(np.mean([classes[i] != classes[20 + i] for i in range(20)])) and 0 < flips < 1
    assert change.item() == pytest.approx(
        np.mean([127.5 * (images[i] - images[20 + i]).abs().mean().item() for i in range(20)]), rel=1e-4
    )


# ----- captions


def sheet(q):
    """An atlas of three dimensions: 1 changes the outline most, by -7.25, with this q; 2 flips classes."""
    score = torch.zeros(3, len(NAMES))
    mean = torch.zeros(3, len(NAMES))
    score[1, NAMES.index("outline_sharpness")], mean[1, NAMES.index("outline_sharpness")] = -4.0, -7.25
    score[1, NAMES.index("brightness")], mean[1, NAMES.index("brightness")] = 3.0, 90.0
    chances = torch.ones_like(score)
    chances[1, NAMES.index("outline_sharpness")] = q
    chances[1, NAMES.index("brightness")] = 1e-9
    score[2, NAMES.index("class flips")], mean[2, NAMES.index("class flips")] = 6.0, 0.625
    chances[2, NAMES.index("class flips")] = 1e-4
    sweeps = mean[:, :4], mean[:, :4]
    return EffectTable(mean, mean, mean, mean, score, chances, *sweeps, torch.ones(2), *mean[:2], *mean[:2])


@pytest.mark.parametrize(
    ("q", "words"), [(0.011, ", more than"), (0.0499, ", more than"), (0.05, ", no more than"), (0.7, ", no more than")]
)
def test_the_caption_names_the_strongest_effect(q, words):
    said = (
        f"z[1] acts most on outline sharpness: −7.25 grey levels per pixel from −3 to 3{words} a random direction does"
    )
    assert sheet(q).caption(1) == f"{said} (q = {q:.2g})."


def test_the_caption_of_what_is_measured_from_the_base_vector():
    said = "z[2] stands out most by class flips: 62.5 % at −3 or 3, more than a random direction does (q = 0.0001)."
    assert sheet(0.1).caption(2) == said


def test_the_caption_in_chinese():
    with using("zh"):
        said = "z[1] 对轮廓锐度的作用最大（从 −3 到 3：每像素 −7.25 个灰度级），但不超过随机方向（q = 0.7）。"
        assert sheet(0.7).caption(1) == said
        assert sheet(0.1).caption(2).startswith("z[2] 最突出的是类别改变（取 −3 或 3 时：62.5%），超过随机方向")


@pytest.mark.parametrize("language", EDITIONS)
def test_all_that_is_measured_has_a_unit_that_can_be_said(language):
    assert list(analysis_effects.UNITS) == list(NAMES)
    with using(language):
        for name in NAMES:
            assert re.search(r"25|0\.25", analysis_effects.in_unit(name, 0.25)), name


@pytest.mark.parametrize(
    ("value", "said"),
    [(-4.688, "−4.69"), (0.503, "+0.50"), (9.996, "+10.0"), (43.21, "+43.2"), (-99.96, "−100"), (115.2, "+115")],
)
def test_a_number_has_three_digits_and_its_sign(value, said):
    assert analysis_effects.number(value) == said
    assert analysis_effects.number(-3.0, plain=True) == "−3" and analysis_effects.number(3.0, plain=True) == "3"


def test_inside_is_what_breakage_counts(reference):
    assert analysis_effects.inside(reference.real[:40], reference).all()
    assert not analysis_effects.inside(torch.rand(20, 1, 28, 28) * 2 - 1, reference).any()


def test_a_picture_breaks_that_lay_among_real_ones_and_leaves_them(reference):
    noise = torch.rand(3, 1, 28, 28) * 2 - 1
    base = torch.cat([reference.real[:2], noise[:1]])
    edited = torch.stack([torch.cat([noise[1:2], base[1:]]), torch.cat([base[:1], noise[1:]])])[None]
    found = analysis_effects.broken(base, edited, reference)  # (1, 2, 3): what is set, its values, the pictures
    assert found.tolist() == [[[True, False, False], [False, True, False]]]


def test_the_names():
    assert NAMES == (*ATTRIBUTES, "image change", "class flips", "breakage")
    assert analysis_effects.NULL % 2 == 0
    assert LAB_VALUES == (-3, 0, 3)


# ----- the atlas of a run


@pytest.fixture(scope="module")
def run(tiny_config, sample_images, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "trained_generator", functools.partial(state.trained_generator, n=100))
        return runs.fit_or_load(
            tiny_config("vanilla", latent_dim=3), "cpu", tmp_path_factory.mktemp("run"), sample_images
        )


@pytest.fixture
def kept(run, reference, monkeypatch):
    """A small atlas, of a run without one; the list counts the edits that are measured."""
    for path in atlases(run):
        path.unlink()
    for name, value in {"STEPS": 3, "NULL": 4, "BASES": {"smoke": 4}}.items():
        monkeypatch.setattr(analysis_effects, name, value)
    monkeypatch.setattr(analysis_effects, "load_reference", lambda n, device, *_: reference)
    calls = []

    def counted(g, directions, *rest):
        calls.append(directions)
        return edit_effects(g, directions, *rest)

    monkeypatch.setattr(analysis_effects, "edit_effects", counted)
    return calls


def atlases(run):
    return list(run.folder.glob("atlas-*"))


def same(a, b):
    return all(torch.equal(value, getattr(b, name)) for name, value in vars(a).items())


def test_the_atlas_of_a_run_is_measured_once(run, kept):
    found = analysis_effects.effects_of(run)
    assert len(kept) == 2 and torch.equal(kept[0], torch.eye(3)) and kept[1].shape == (4, 3)
    torch.testing.assert_close(kept[1].norm(dim=1), torch.ones(4))
    a = len(NAMES)
    shapes = {
        "mean": (3, a),
        "low": (3, a),
        "high": (3, a),
        "null": (4, a),
        "score": (3, a),
        "q": (3, a),
        "sweeps": (3, 4),
        "null_sweeps": (4, 4),
        "pairs": (2,),
        "entering": (3,),
        "null_entering": (4,),
        "lab_low": (0,),
        "lab_high": (0,),
    }
    assert {name: tuple(value.shape) for name, value in vars(found).items()} == shapes
    assert all(value.isfinite().all() for value in vars(found).values())
    again = analysis_effects.effects_of(run)
    assert len(kept) == 2 and same(again, analysis_effects.effects_of(run)) and len(atlases(run)) == 1
    for name, value in vars(found).items():
        torch.testing.assert_close(getattr(again, name), value.float())


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["truncated", "empty", "no atlas", "half an atlas"])
def test_a_damaged_atlas_is_measured_again(run, kept, damage):
    analysis_effects.effects_of(run)
    (path,) = atlases(run)
    whole = path.read_bytes()
    content = {
        "truncated": whole[:-10],
        "empty": b"",
        "no atlas": b"not a file of tensors",
        "half an atlas": safetensors.torch.save({"mean": torch.zeros(3, 14)}),
    }[damage]
    path.write_bytes(content)
    kept.clear()
    analysis_effects.effects_of(run)
    assert len(kept) == 2 and path.read_bytes() == whole


@pytest.mark.slow
def test_a_flipped_bit_in_an_atlas_is_noticed(run, kept):
    analysis_effects.effects_of(run)
    expected = analysis_effects.effects_of(run)
    (path,) = atlases(run)
    content = bytearray(path.read_bytes())
    content[-6] ^= 64
    path.write_bytes(content)
    assert same(analysis_effects.effects_of(run), expected)


@pytest.mark.slow
@pytest.mark.parametrize("changed", ["version", "classifier", "generator", "bases"])
def test_other_circumstances_have_an_atlas_of_their_own(run, kept, monkeypatch, changed):
    analysis_effects.effects_of(run)
    kept.clear()
    if changed == "version":
        monkeypatch.setattr(analysis_effects, "VERSION", analysis_effects.VERSION + 1)
    if changed == "classifier":
        monkeypatch.setattr(analysis_effects, "load_classifier", lambda **_: (None, {"sha256": "another"}))
    if changed == "bases":
        monkeypatch.setattr(analysis_effects, "BASES", {"smoke": 3})
    if changed == "generator":
        monkeypatch.setitem(run.manifest["files"], "generator.safetensors", "another")
    analysis_effects.effects_of(run)
    assert len(kept) == 2 and len(atlases(run)) == 2


# ----- how many attributes there are


def test_redundancy_is_read_off_the_test_images(monkeypatch):
    images = data.load("test")[0][:1200]
    monkeypatch.setattr(analysis_effects.data, "load", lambda split, **_: {"test": (images, None)}[split])
    measured = pictures.measure(to_unit(images))
    rank, names = pictures.independent(measured)
    said = analysis_effects.redundancy()
    assert f"these {len(ATTRIBUTES)} attributes are worth {rank:.1f} independent ones" in said and "_" not in said
    assert all(name.replace("_", " ") in said for name in names)
