"""Every score against closed forms, plain loops and real images spoilt on purpose; then the book of scores."""

import functools
import importlib.util
import json
import math
import re
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import safetensors.torch
import torch
from torch.nn.functional import avg_pool2d, one_hot

from labkit import data, latent, pictures, texts
from labkit.base import paths
from labkit.base.files import sha256
from labkit.base.rng import seeded
from labkit.config import config_for
from labkit.data.loading import to_unit
from labkit.evaluation import metrics, scoring
from labkit.evaluation.classifier import load_classifier
from labkit.evaluation.metrics import (
    class_scores,
    frechet_distance,
    kernel_distance,
    manifold_scores,
    neighbour_ratio,
    radii,
)
from labkit.evaluation.scoring import SCORES, load_reference, score, score_with_interval
from labkit.gans import GANS
from labkit.training import runs, state


@pytest.fixture(autouse=True)
def few_subsets(monkeypatch):
    """Of a set of at most a thousand every subset is the whole, and fifty of them cost time."""
    monkeypatch.setattr(metrics, "SUBSETS", 5)


def normal(n, d, *stream):
    with seeded("test", *stream):
        return torch.randn(n, d)


def on_a_grid(n, d, *stream, top=4):
    """Whole numbers: many distances are equal, many points are the same, and float32 makes no error."""
    with seeded("grid", *stream):
        return torch.randint(top, (n, d)).float()


# ----- Frechet distance


def test_frechet_of_equal_sets_is_zero():
    a = normal(500, 8)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(a, a[torch.randperm(500)]) == pytest.approx(0, abs=1e-6)


def test_frechet_of_a_shift_is_its_square():
    a, shift = normal(500, 8), torch.tensor([1.0, -2, 0, 0, 0.5, 0, 0, 3])
    assert frechet_distance(a, a + shift) == pytest.approx(1 + 4 + 0.25 + 9, rel=1e-4)


def test_frechet_of_a_stretch():
    """Each axis stretched by its own factor: the squares of the differences of the deviations.

    That is so if the axes do not correlate.
    """
    a, factors = normal(500, 4), torch.tensor([1.0, 2.0, 0.5, 3.0])
    a = (a - a.mean(0)) @ torch.linalg.inv(torch.linalg.cholesky(a.T.cov())).T  # covariance 1, mean 0
    assert frechet_distance(a, a * factors) == pytest.approx(0 + 1 + 0.25 + 4, rel=1e-4)
    assert frechet_distance(2 * a, 2 * a * factors) == pytest.approx(4 * 5.25, rel=1e-4)


def test_frechet_of_two_gaussians_within_sampling_error():
    a, b = normal(40_000, 4, "a"), normal(40_000, 4, "b") * torch.tensor([1.0, 2, 1, 1]) + torch.tensor([0.5, 0, 0, 0])
    assert frechet_distance(a, b) == pytest.approx(0.25 + 1, abs=0.04)
    assert 0 <= frechet_distance(a, normal(40_000, 4, "c")) < 0.002


def frechet_by_numpy(a, b):
    """With the square root of sqrt(A) B sqrt(A), which is symmetric."""
    (ma, ca), (mb, cb) = ((x.double().numpy().mean(0), np.cov(x.double().numpy().T)) for x in (a, b))
    values, vectors = np.linalg.eigh(ca)
    root = vectors * np.sqrt(values.clip(0)) @ vectors.T
    cross = np.sqrt(np.linalg.eigvalsh(root @ cb @ root).clip(0)).sum()
    return ((ma - mb) ** 2).sum() + np.trace(ca) + np.trace(cb) - 2 * cross


@pytest.mark.parametrize(("n", "m", "d"), [(200, 300, 8), (50, 50, 2), (500, 400, 32), (12, 15, 20)], ids=str)
def test_frechet_against_numpy(n, m, d):
    """The last case has fewer points than dimensions."""
    a, b = normal(n, d, "a") @ normal(d, d, "mix"), normal(m, d, "b") @ normal(d, d, "other mix") + 0.3
    assert frechet_distance(a, b) == pytest.approx(frechet_by_numpy(a, b), rel=1e-4, abs=1e-4)
    assert frechet_distance(b, a) == pytest.approx(frechet_distance(a, b), rel=1e-6, abs=1e-5)


def test_frechet_far_from_zero_keeps_its_digits():
    a, b = normal(300, 4, "a"), normal(300, 4, "b")
    assert frechet_distance(a + 1000, b + 1000) == pytest.approx(frechet_distance(a, b), abs=1e-3)


# ----- kernel distance


def kernel_by_loops(a, b):
    """Unbiased: no image is compared with itself."""
    a, b, d = a.double().numpy(), b.double().numpy(), a.shape[1]

    def kernel(x, y):
        return (x @ y / d + 1) ** 3

    def within(s):
        return sum(kernel(s[i], s[j]) for i in range(len(s)) for j in range(len(s)) if i != j) / (len(s) * (len(s) - 1))

    return within(a) + within(b) - 2 * np.mean([kernel(x, y) for x in a for y in b])


def test_kernel_against_loops():
    a, b = normal(40, 6, "a"), 1.5 * normal(40, 6, "b") + 0.3
    mean, deviation = kernel_distance(a, b)
    assert mean == pytest.approx(kernel_by_loops(a, b), rel=1e-3, abs=1e-5)
    assert deviation == pytest.approx(0, abs=1e-5)  # every subset is the whole set
    assert kernel_distance(b, a)[0] == pytest.approx(mean, rel=1e-3)


def test_kernel_of_two_halves_is_near_zero_on_either_side():
    values = [kernel_distance(*normal(200, 16, seed).split(100))[0] for seed in range(12)]
    assert min(values) < 0 < max(values) and abs(np.mean(values)) < 3 * np.std(values) / math.sqrt(12)
    assert kernel_distance(normal(100, 16, "a"), normal(100, 16, "b") + 1)[0] > 10 * max(values)


def test_kernel_over_subsets(monkeypatch):
    a, b = normal(150, 6, "a"), normal(120, 6, "b") + 0.5
    monkeypatch.setattr(metrics, "SUBSET", 60)
    mean, deviation = kernel_distance(a, b)
    assert deviation > 0 and kernel_by_loops(a[:120], b) == pytest.approx(mean, abs=2 * deviation)
    assert kernel_distance(a, b) == (mean, deviation) != kernel_distance(a, b, seed=1)
    before = torch.get_rng_state()
    kernel_distance(a, b)
    assert torch.equal(torch.get_rng_state(), before)


# ----- radii, precision, recall, density, coverage


@pytest.mark.parametrize(
    "features",
    [normal(30, 3), on_a_grid(40, 2), on_a_grid(600, 3, top=20), torch.zeros(9, 4)],
    ids=["normal", "ties", "600", "equal"],
)
def test_radii_against_loops(features):
    found = radii(features, (1, 3, 5))
    assert found.shape == (3, len(features))
    for i in range(0, len(features), max(1, len(features) // 60)):
        others = sorted(math.dist(features[i].tolist(), features[j].tolist()) for j in range(len(features)) if j != i)
        assert found[:, i].tolist() == pytest.approx([others[0], others[2], others[4]], abs=1e-5)


def test_distances_far_from_zero_keep_their_digits():
    """The short cut over a matrix product would lose them all."""
    a, b = normal(60, 8, "a"), normal(60, 8, "b")
    torch.testing.assert_close(radii(a + 1000, (3, 5)), radii(a, (3, 5)), atol=1e-2, rtol=0)
    assert manifold_scores(a + 1000, b + 1000) == pytest.approx(manifold_scores(a, b), abs=0.02)


def manifold_by_loops(real, fake, k, k_density):
    """In squares of whole numbers, where equal is equal."""
    real, fake = real.long().numpy(), fake.long().numpy()

    def squares(x, y):
        return ((x[:, None] - y[None]) ** 2).sum(2)

    def reach(x, k):
        found = squares(x, x)
        return np.array([sorted(np.delete(row, i))[k - 1] for i, row in enumerate(found)])

    across = squares(real, fake)
    balls = across <= reach(real, k_density)[:, None]
    return {
        "precision": np.mean(
            [any(across[i, j] <= reach(real, k)[i] for i in range(len(real))) for j in range(len(fake))]
        ),
        "recall": np.mean((across <= reach(fake, k)[None]).any(1)),
        "density": balls.sum() / k_density / len(fake),
        "coverage": balls.any(1).mean(),
    }


@pytest.mark.parametrize(("k", "k_density"), [(3, 5), (1, 2), (5, 3), (2, 2)], ids=str)
@pytest.mark.parametrize(
    ("n", "m", "top", "shift"), [(25, 30, 3, 1), (30, 25, 6, 3), (40, 20, 12, 5), (7, 9, 40, 8)], ids=str
)
def test_manifold_scores_against_loops(k, k_density, n, m, top, shift):
    real, fake = on_a_grid(n, 2, "real", top=top), on_a_grid(m, 2, "fake", top=top) + shift
    assert manifold_scores(real, fake, k, k_density) == pytest.approx(
        manifold_by_loops(real, fake, k, k_density), abs=1e-6
    )


def test_manifold_scores_of_more_than_a_chunk():
    """Several chunks of 500: a radius belongs to the image in its own chunk."""
    real = torch.cat([on_a_grid(600, 2, "narrow", top=10), 1000 + on_a_grid(600, 2, "wide", top=300)])
    fake = torch.cat([on_a_grid(80, 2, "here", top=15), 1000 + on_a_grid(80, 2, "there", top=330)])
    found = manifold_scores(real, fake)
    across, reach = ((real[:, None] - fake[None]).norm(dim=2), radii(real, (3, 5)))
    assert found["precision"] == pytest.approx((across <= reach[0][:, None]).any(0).float().mean().item())
    assert found["density"] == pytest.approx((across <= reach[1][:, None]).sum().item() / 5 / 160)
    assert found["coverage"] == pytest.approx((across <= reach[1][:, None]).any(1).float().mean().item())
    assert found["recall"] == pytest.approx((across <= radii(fake, (3,))).any(1).float().mean().item())


def test_the_defaults_are_those_of_the_papers():
    real, fake = normal(60, 3, "a"), normal(60, 3, "b") + 0.5
    assert manifold_scores(real, fake) == manifold_scores(real, fake, k=3, k_density=5)
    assert manifold_scores(real, fake) == manifold_scores(real, fake, real_radii=radii(real, (3, 5)))


@pytest.mark.parametrize(("place", "inside"), [(-30.0, True), (-30.01, False), (80.0, True), (80.01, False)])
def test_the_edge_of_a_ball_belongs_to_it(place, inside):
    """0, 10, ... 50: the balls of the outer two reach 30 out."""
    real = torch.arange(0, 60, 10).float().unsqueeze(1)
    fake = torch.full((6, 1), place)
    assert manifold_scores(real, fake)["precision"] == inside


@pytest.mark.parametrize(("place", "density"), [(-50.0, 1 / 5), (-50.01, 0), (-30.0, 2 / 5), (25.0, 6 / 5)])
def test_density_counts_balls(place, density):
    """The balls of 0, 10, ... 50 reach to the fifth neighbour: 50, 40, 30, 30, 40, 50."""
    real = torch.arange(0, 60, 10).float().unsqueeze(1)
    found = manifold_scores(real, torch.full((6, 1), place))
    assert found["density"] == pytest.approx(density)
    assert found["coverage"] == pytest.approx(5 * density / 6)  # each of these balls holds one


def test_equal_sets():
    """Density is 6 / 5: a ball holds its five neighbours and the image itself."""
    a = normal(200, 8)
    assert manifold_scores(a, a) == pytest.approx({"precision": 1, "recall": 1, "density": 1.2, "coverage": 1})
    assert manifold_scores(a, normal(200, 8, "b"))["density"] == pytest.approx(1, abs=0.15)


def test_sets_far_from_each_other():
    assert set(manifold_scores(normal(50, 8, "a"), normal(50, 8, "b") + 100).values()) == {0}


def test_half_of_the_clusters():
    """Perfect pictures of half of what there is: precision says nothing, recall and coverage do."""
    real, fake = normal(200, 4, "real"), normal(100, 4, "fake")
    real[100:] += 1000
    found = manifold_scores(real, real[:100])
    assert found["precision"] == 1 and found["recall"] == 0.5 and found["coverage"] == 0.5
    found = manifold_scores(real, fake)
    assert found["precision"] > 0.8 and 0.3 < found["recall"] <= 0.5 and 0.3 < found["coverage"] <= 0.5
    found = manifold_scores(real[:100], torch.cat([real[:100], real[100:]]))  # half of the fakes are far from all
    assert found["precision"] == 0.5 and found["recall"] == 1 and found["coverage"] == 1


def test_recall_is_precision_the_other_way_round():
    a, b = normal(80, 4, "a"), 0.6 * normal(70, 4, "b") + 0.3
    assert manifold_scores(a, b)["precision"] == pytest.approx(manifold_scores(b, a)["recall"])
    assert manifold_scores(a, b)["precision"] > manifold_scores(a, b)["recall"] + 0.1


def test_an_outlier_fools_recall_but_not_coverage():
    real, fake = normal(200, 2, "real"), 0.01 * normal(200, 2, "fake")
    fake[:4] = torch.tensor([[10.0, 10], [-10, -10], [10, -10], [-10, 10]])
    found = manifold_scores(real, fake)
    assert found["recall"] > 0.99 and found["coverage"] < 0.2


def test_identical_features_are_inside():
    same = torch.ones(20, 6)
    assert manifold_scores(same, same) == {
        "precision": 1,
        "recall": 1,
        "density": 4,
        "coverage": 1,
    }  # 20 balls hold each, over 5
    assert set(manifold_scores(same, same + 0.001).values()) == {0}
    assert frechet_distance(same, same + 1) == pytest.approx(6) and kernel_distance(same, same)[0] == pytest.approx(
        0, abs=1e-5
    )


@pytest.mark.parametrize("which", ["real", "fake"])
def test_the_order_does_not_matter(which):
    real, fake = on_a_grid(620, 3, "real", top=9), on_a_grid(610, 3, "fake", top=9) + 2
    with seeded("order"):
        a, b = (real[torch.randperm(620)], fake) if which == "real" else (real, fake[torch.randperm(610)])
    assert manifold_scores(a, b) == pytest.approx(manifold_scores(real, fake), abs=1e-6)
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(real, fake), abs=1e-6)
    assert kernel_distance(a[:300], b[:300])[0] == pytest.approx(kernel_distance(a[:300].flip(0), b[:300])[0], rel=1e-4)


# ----- classes


def probabilities(counts):
    """One-hot rows, counts[i] of class i."""
    return one_hot(torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts)), len(counts)).float()


FAIR = torch.full((10,), 0.1)


@pytest.mark.parametrize(
    ("counts", "reference", "js", "dropped"),
    [
        ([10] * 10, FAIR, 0, 0),
        ([50, 50] + [0] * 8, torch.tensor([0.5, 0.5] + [0] * 8), 0, 8),
        ([50, 50] + [0] * 8, torch.tensor([0, 0, 0.5, 0.5] + [0] * 6), 1, 8),
        ([100] + [0] * 9, torch.tensor([0.5, 0.5] + [0] * 8), (math.log2(4 / 3) + 0.5 * math.log2(2 / 3) + 0.5) / 2, 9),
        ([10, 190] + [100] * 8, torch.tensor([0.01, 0.19] + [0.1] * 8), 0, 0),  # one per cent is not dropped
        ([9, 191] + [100] * 8, torch.tensor([0.009, 0.191] + [0.1] * 8), 0, 1),
        ([0, 200] + [100] * 8, torch.tensor([0.0, 0.2] + [0.1] * 8), 0, 1),
    ],
    ids=["equal", "equal halves", "disjoint", "one of two", "one per cent", "less", "none"],
)
def test_class_scores(counts, reference, js, dropped):
    found = class_scores(probabilities(counts), reference)
    assert found["class_js"] == pytest.approx(js, abs=1e-6) and found["dropped_classes"] == dropped


def test_class_scores_are_symmetric_and_take_the_likeliest_class():
    a, b = torch.tensor([5, 0, 15] + [10] * 8) / 100, torch.tensor([20, 10, 0] + [10] * 7 + [0]) / 100
    a, b = a[:10] / a[:10].sum(), b[:10] / b[:10].sum()
    rows = [probabilities((1000 * p).round().long().tolist()) for p in (a, b)]
    histograms = [p.mean(0) for p in rows]
    there, back = class_scores(rows[0], histograms[1])["class_js"], class_scores(rows[1], histograms[0])["class_js"]
    assert 0 < there == pytest.approx(back, abs=1e-6)
    unsure = 0.11 * rows[0] + (1 - 0.11) / 10  # a little likelier than the others
    assert class_scores(unsure, histograms[1])["class_js"] == pytest.approx(there, abs=1e-6)


# ----- neighbours


def constant(*values):
    """One image of each grey value."""
    return torch.tensor(values).view(-1, 1, 1, 1).expand(-1, 1, 28, 28).contiguous()


def test_neighbour_ratio_of_known_distances():
    seen, unseen = constant(0.1, 0.9, -0.9), constant(-0.2, 0.8, -1.0)
    assert neighbour_ratio(constant(0.0), seen, unseen) == pytest.approx(0.5, rel=1e-3)
    assert neighbour_ratio(constant(0.0), unseen, seen) == pytest.approx(2, rel=1e-3)
    assert neighbour_ratio(constant(0.0, 0.5), seen, unseen) == pytest.approx(
        (0.1 + 0.4) / (0.2 + 0.3), rel=1e-3
    )  # of means


def test_neighbour_ratio_of_exchangeable_sets_is_one():
    images, seen, unseen = (normal(300, 784, name).view(-1, 1, 28, 28) / 4 for name in ("images", "seen", "unseen"))
    assert neighbour_ratio(images, seen, unseen) == pytest.approx(1, abs=0.01)
    assert neighbour_ratio(seen, seen, unseen) < 0.01  # learned by heart
    assert neighbour_ratio(torch.cat([seen[:150], images[:150]]), seen, unseen) == pytest.approx(0.5, abs=0.02)


def test_neighbour_ratio_of_more_than_a_chunk():
    images = constant(*torch.linspace(-1, 1, 1001).tolist())
    seen, unseen = constant(-1.0, 0.0, 1.0), constant(-1.0, 0.0, 0.5)
    x = torch.linspace(-1, 1, 1001)[:, None]
    near, far = ((x - s.view(1, -1, 784)[..., 0]).abs().amin(1).mean() for s in (seen, unseen))
    assert neighbour_ratio(images, seen, unseen) == pytest.approx((near / far).item(), rel=1e-3)


def test_neighbour_ratio_needs_as_many_of_each(refused):
    with refused("2 seen and 3 unseen", "as many"):
        neighbour_ratio(constant(0.0), constant(0.1, 0.2), constant(0.1, 0.2, 0.3))


# ----- refusals

NAN = normal(20, 4).index_fill(0, torch.tensor([7]), float("nan"))
PAIRS = {"frechet": frechet_distance, "kernel": kernel_distance, "manifold": manifold_scores}


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        (normal(20, 4), NAN, "not finite"),
        (NAN, normal(20, 4), "not finite"),
        (normal(20, 4), NAN.nan_to_num(float("inf")), "not finite"),
        (normal(20, 4), normal(20, 5), "(20, 5)"),
        (normal(20, 4), normal(1, 4), "at least"),
        (normal(1, 4), normal(20, 4), "at least"),
        (normal(20, 4), normal(20, 4)[0], "takes (n, 4)"),
        (normal(20, 4), torch.zeros(0, 4), "at least"),
    ],
    ids=["nan", "nan first", "inf", "width", "too few", "too few first", "no rows", "none"],
)
def test_features_that_give_no_score_are_refused(refused, name, a, b, words):
    with refused(words):
        PAIRS[name](a, b)


@pytest.mark.parametrize("n", [5, 6])
def test_as_many_as_have_a_fifth_neighbour(refused, n):
    if n == 6:
        assert manifold_scores(normal(6, 2, "a"), normal(6, 2, "b"))["precision"] >= 0
        return
    for real, fake in ((5, 6), (6, 5)):
        with refused("(5, 2)", "at least 6"):
            manifold_scores(normal(real, 2, "a"), normal(fake, 2, "b"))
    with refused("at least 6"):
        radii(normal(5, 2), (3, 5))


@pytest.mark.parametrize("n", [-1, 0, 99, 10_001])
def test_a_reference_too_small_or_too_large(refused, n):
    with refused(n, "100 to 10000"):
        load_reference(n)


# ----- real images, and the same spoilt on purpose

N = 500


@pytest.fixture(scope="module")
def reference():
    return load_reference(N)


@pytest.fixture(scope="module")
def training_images():
    return data.load("train")


@pytest.fixture(scope="module")
def floor(reference):
    return score(reference.floor, reference)


def test_the_reference(reference, training_images):
    """Test images; training images and other ones; the smaller reference is a part of the larger."""
    test_images = {image.numpy().tobytes() for image in data.load("test")[0]}
    back = ((part[:, 0] + 1) * 127.5 for part in (reference.real, reference.seen, reference.floor))
    real, seen, floor = ([image.numpy().tobytes() for image in part.round().byte()] for part in back)
    train = {image.numpy().tobytes() for image in training_images[0]}
    assert len(set(real)) == len(real) == N and set(real) <= test_images
    assert len(seen) == len(floor) == N and set(seen) <= train and set(floor) <= train and not set(seen) & set(floor)
    torch.testing.assert_close(reference.features, reference.classifier.measure(reference.real)[0])
    assert torch.equal(reference.radii, radii(reference.features, (3, 5)))
    classes = reference.classifier.measure(reference.real)[1].argmax(1)
    assert reference.histogram.tolist() == pytest.approx([(classes == i).double().mean().item() for i in range(10)])
    small = load_reference(100)
    assert torch.equal(small.real, reference.real[:100]) and small.card == load_classifier()[1]


def test_score_is_all_the_scores(reference, floor):
    assert tuple(floor) == SCORES and all(math.isfinite(value) for value in floor.values())
    features, classes = reference.classifier.measure(reference.floor)
    assert floor["frechet"] == pytest.approx(frechet_distance(reference.features, features))
    assert (floor["kernel"], floor["kernel_sd"]) == pytest.approx(
        kernel_distance(reference.features, features), abs=1e-6
    )
    assert {k: floor[k] for k in SCORES[3:7]} == pytest.approx(manifold_scores(reference.features, features))
    assert {k: floor[k] for k in SCORES[7:9]} == pytest.approx(class_scores(classes, reference.histogram))
    assert floor["sharpness"] == pytest.approx(pictures.roughness(reference.floor).mean().item())
    assert floor["neighbour_ratio"] == pytest.approx(neighbour_ratio(reference.floor, reference.seen, reference.real))


def test_the_names_of_the_scores():
    """Their order is that of the tables, and of the numbers in what is kept."""
    assert (
        SCORES
        == scoring.names()
        == (
            *("frechet", "kernel", "kernel_sd", "precision", "recall", "density", "coverage"),
            *("class_js", "dropped_classes", "sharpness", "neighbour_ratio"),
            *("frechet_pixels", "rbf", "rbf_pixels", "auc", "outliers", "ks_outline", "ks_texture", "copying"),
        )
    )


@pytest.fixture
def registry(monkeypatch):
    """What is registered here is gone afterwards."""
    monkeypatch.setattr(scoring, "MEASURES", dict(scoring.MEASURES))
    return scoring.MEASURES


def test_a_score_is_one_function(reference, floor, registry):
    """It sees everything that a score may look at; the others are as they were."""
    seen = []

    @scoring.gives("darkest", "brightest")
    def ends(sample):
        seen.append(sample)
        return sample.images.min().item(), sample.images.max().item()

    scoring.gives("the seed")(lambda sample: sample.seed)
    found, (sample,) = score(reference.floor, reference, 7), seen
    assert scoring.names() == (*SCORES, "darkest", "brightest", "the seed") == tuple(found)
    assert (found["darkest"], found["brightest"], found["the seed"]) == (-1, 1, 7)
    assert {name: found[name] for name in SCORES if "kernel" not in name} == {
        name: floor[name] for name in SCORES if "kernel" not in name
    }
    features, probabilities = reference.classifier.measure(reference.floor)
    assert torch.equal(sample.features, features) and torch.equal(sample.probabilities, probabilities)
    assert torch.equal(sample.images, reference.floor) and sample.reference is reference and sample.seed == 7
    assert ends(sample) == (-1, 1)  # and is a plain function still


def test_a_function_that_gives_too_few_numbers_is_noticed(reference, registry):
    scoring.gives("one", "two")(lambda sample: (1.0,))
    with pytest.raises(ValueError, match="zip"):
        score(reference.floor, reference)


def test_real_training_images_are_good(floor):
    assert (
        floor["frechet"] < 0.5
        and abs(floor["kernel"]) < 0.005
        and floor["class_js"] < 0.02
        and floor["dropped_classes"] == 0
    )
    assert (
        floor["precision"] > 0.8 and floor["recall"] > 0.8 and floor["coverage"] > 0.9 and 0.9 < floor["density"] < 1.2
    )
    assert 0.98 < floor["neighbour_ratio"] < 1.03  # these training images were not among the seen ones
    assert abs(floor["rbf"]) < 0.005 and abs(floor["rbf_pixels"]) < 0.005 and abs(floor["auc"] - 0.5) < 0.07
    assert floor["outliers"] == pytest.approx(0, abs=0.002) and max(floor["ks_outline"], floor["ks_texture"]) < 0.1
    assert abs(floor["copying"]) < 3


def test_the_real_images_themselves_are_perfect(reference):
    found = score(reference.real, reference)
    assert found["frechet"] == pytest.approx(0, abs=1e-6) and found["kernel"] < 0
    assert [found[k] for k in SCORES[3:9]] == pytest.approx([1, 1, 1.2, 1, 0, 0], abs=1e-6)
    assert found["frechet_pixels"] == pytest.approx(0, abs=1e-6) and found["outliers"] == pytest.approx(-0.01)
    assert max(found["rbf"], found["rbf_pixels"]) < 0 and found["ks_outline"] == found["ks_texture"] == 0
    assert (
        found["copying"] == pytest.approx(0, abs=1e-6) and found["auc"] < 0.5
    )  # what is left out is on the other side


def test_one_image_again_and_again(reference, floor):
    """Precision alone would call this perfect."""
    found = score(reference.real[:1].expand(N, -1, -1, -1), reference)
    assert found["precision"] == 1
    assert found["recall"] < 0.01 and found["coverage"] < 0.05 and found["dropped_classes"] == 9
    assert found["class_js"] > 0.5 and found["frechet"] > 20 * floor["frechet"] and found["kernel"] > 0.1


def test_three_classes_missing(reference, floor, training_images):
    """What is there is as good as before; what is missing shows in recall, coverage and the classes."""
    images, labels = training_images
    found = score(
        to_unit(images[40_000:][~torch.isin(labels[40_000:], torch.tensor([1, 7, 8], dtype=torch.uint8))][:N]),
        reference,
    )
    assert found["dropped_classes"] == 3 and found["class_js"] > 0.1 > 10 * floor["class_js"]
    assert found["recall"] < floor["recall"] - 0.15 and found["coverage"] < floor["coverage"] - 0.2
    assert found["frechet"] > 4 * floor["frechet"] and found["kernel"] > 0.005
    assert found["precision"] == pytest.approx(floor["precision"], abs=0.05)
    assert found["neighbour_ratio"] == pytest.approx(1, abs=0.03)
    assert found["sharpness"] == pytest.approx(floor["sharpness"], rel=0.1)


def test_blurred(reference, floor):
    found = score(
        avg_pool2d(torch.nn.functional.pad(reference.floor, (1, 1, 1, 1), mode="replicate"), 3, stride=1), reference
    )
    assert found["precision"] < floor["precision"] - 0.3 and found["density"] < floor["density"] / 2
    assert found["sharpness"] < 0.75 * floor["sharpness"] and found["frechet"] > 5 * floor["frechet"]
    assert found["dropped_classes"] == 0
    assert found["neighbour_ratio"] == pytest.approx(1, abs=0.03)
    assert found["auc"] > 0.9 and found["outliers"] > 0.02 and found["ks_outline"] > 0.3 and found["ks_texture"] > 0.3
    assert found["rbf"] > 0.02 > 10 * abs(floor["rbf"])


def test_training_images_learned_by_heart(reference, floor):
    """Every score but one likes copies."""
    found = score(reference.seen, reference)
    assert found["neighbour_ratio"] < 0.01 and found["copying"] < -20
    for name, tolerance in {
        "precision": 0.06,
        "recall": 0.06,
        "density": 0.1,
        "coverage": 0.05,
        "class_js": 0.01,
        "frechet": 0.1,
        "kernel": 0.003,
        "frechet_pixels": 2.0,
        "rbf": 0.004,
        "rbf_pixels": 0.004,
        "auc": 0.1,
        "outliers": 0.02,
        "ks_outline": 0.06,
        "ks_texture": 0.06,
    }.items():
        assert found[name] == pytest.approx(floor[name], abs=tolerance), name
    half = torch.cat([reference.seen[: N // 2], reference.floor[: N // 2]])
    assert neighbour_ratio(half, reference.seen, reference.real) == pytest.approx(0.5, abs=0.05)
    with seeded("jitter"):
        jittered = reference.seen + 0.05 * torch.randn_like(reference.seen)
    assert neighbour_ratio(jittered, reference.seen, reference.real) < 0.3


def test_noise(reference, floor):
    with seeded("noise"):
        found = score(torch.rand_like(reference.real) * 2 - 1, reference)
    assert found["precision"] == found["recall"] == found["density"] == found["coverage"] == 0
    assert (
        found["frechet"] > 100 * floor["frechet"]
        and found["kernel"] > 1
        and found["sharpness"] > 3 * floor["sharpness"]
    )
    assert found["class_js"] > 0.5 and found["dropped_classes"] >= 7
    assert found["neighbour_ratio"] == pytest.approx(1, abs=0.1)
    assert found["auc"] > 0.999 and found["outliers"] == pytest.approx(0.99) and found["copying"] > 5
    assert min(found["rbf"], found["rbf_pixels"], found["ks_outline"], found["ks_texture"]) > 0.3


def test_a_score_needs_as_many_images_as_the_reference(reference, refused):
    with refused("499 images against 500"):
        score(reference.floor[:-1], reference)
    with refused("from -2 to 2"):
        score(2 * reference.floor, reference)


# ----- the second space, the Gaussian kernel, the two-sample tests: against closed forms and loops


def test_principal_axes_of_a_known_scatter():
    """Two pixels that move together, and one that stands still."""
    levels = torch.tensor([0, 100, 200, 100], dtype=torch.uint8)
    images = torch.stack([levels, levels, torch.full((4,), 7, dtype=torch.uint8)], 1).view(4, 1, 3)
    mean, axes = metrics.principal_axes(images, 1)
    assert mean.tolist() == [100, 100, 7] and axes[:, 0].tolist() == pytest.approx([0.5**0.5, 0.5**0.5, 0], abs=1e-9)
    same, again = metrics.principal_axes(images.flip(0), 1)
    assert torch.equal(mean, same) and torch.equal(axes, again)


@pytest.mark.parametrize("n", [30, 700])
def test_rbf_against_loops(n):
    a, b, width = normal(n, 5, "a"), 1.3 * normal(n // 2, 5, "b") + 0.4, 1.7

    def kernel(x, y):
        return np.exp(-((x[:, None] - y[None]) ** 2).sum(2) / 2 / width**2)

    x, y = a.double().numpy(), b.double().numpy()
    within = ((kernel(z, z).sum() - len(z)) / len(z) / (len(z) - 1) for z in (x, y))
    expected = sum(within) - 2 * kernel(x, y).mean()
    assert metrics.rbf_distance(a, b, width) == pytest.approx(expected, rel=1e-4, abs=1e-7)
    assert metrics.rbf_distance(b + 100, a + 100, width) == pytest.approx(expected, rel=1e-2)


def test_rbf_sees_what_the_cubic_kernel_hardly_does():
    """The same mean and covariance, another shape: two clusters instead of one."""
    a, b = normal(3000, 2, "a"), 0.3 * normal(3000, 2, "b")
    b[:, 0] += torch.where(torch.arange(3000) % 2 == 0, 1.0, -1.0) * (1 - 0.3**2) ** 0.5
    b[:, 1] /= 0.3
    noise = [abs(metrics.rbf_distance(a, normal(3000, 2, i), metrics.median_distance(a))) for i in range(5)]
    assert metrics.rbf_distance(a, b, metrics.median_distance(a)) > 5 * max(noise)


def test_a_width_is_the_median_distance(refused):
    a = on_a_grid(30, 3, top=50)
    distances = sorted(math.dist(x, y) for i, x in enumerate(a.tolist()) for y in a.tolist()[:i])
    assert metrics.median_distance(a) == pytest.approx(distances[(len(distances) - 1) // 2], rel=1e-5)
    with refused("width = 0.0", "equal images"):
        metrics.rbf_distance(torch.ones(9, 2), a[:, :2], metrics.median_distance(torch.ones(9, 2)))


@pytest.mark.parametrize("top", [3, 10_000])
def test_superiority_counts_pairs(top):
    a, b = on_a_grid(23, 1, "a", top=top)[:, 0], on_a_grid(31, 1, "b", top=top)[:, 0] + 1
    pairs = [(y > x) + (y == x) / 2 for x in a.tolist() for y in b.tolist()]
    assert metrics.superiority(a, b) == pytest.approx(sum(pairs) / len(pairs))


def test_auc_of_two_gaussians():
    """Known: the normal distribution of shift / sqrt(2); and one half without a shift."""
    shift = torch.tensor([1.0, 0, 0, 0])
    expected = 0.5 * (1 + math.erf(1 / 2))  # Phi(1 / sqrt 2)
    assert metrics.two_sample_auc(normal(4000, 4, "a"), normal(4000, 4, "b") + shift) == pytest.approx(
        expected, abs=0.015
    )
    assert metrics.two_sample_auc(normal(4000, 4, "a"), normal(4000, 4, "b")) == pytest.approx(0.5, abs=0.04)
    same = torch.ones(100, 6)
    assert metrics.two_sample_auc(same, same) == 0.5  # no axis at all


def test_auc_is_judged_by_images_that_the_discriminant_has_not_seen():
    """As many dimensions as images: what was seen could be told apart without error."""
    assert metrics.two_sample_auc(normal(100, 90, "a"), normal(100, 90, "b")) == pytest.approx(0.5, abs=0.12)


def test_nearest_distances_and_the_nearest_other_one():
    a, b = normal(60, 4, "a"), normal(50, 4, "b")
    expected = [min(math.dist(x, y) for y in b.tolist()) for x in a.tolist()]
    assert metrics.nearest_distances(a, b).tolist() == pytest.approx(expected, rel=1e-4)
    assert metrics.nearest_distances(b[:20], b, others=True).tolist() == pytest.approx(
        radii(b, (1,))[0, :20].tolist(), rel=1e-4
    )


def test_copying_counts_within_cells():
    """The cells differ in what is near: over all of them the generated images would look like copies."""
    with seeded("cells"):
        near, far = torch.rand(400), 10 + torch.rand(400)
        fake, unseen = torch.cat([near[:300], far[:100]]), torch.cat([near[300:], far[100:]])
    fake_cells, unseen_cells = (torch.arange(400) >= cut for cut in (300, 100))
    apart = metrics.copying_test(fake, unseen, fake_cells.long(), unseen_cells.long())
    together = metrics.copying_test(fake, unseen, torch.zeros(400).long(), torch.zeros(400).long())
    assert abs(apart) < 3 and together < -10
    assert metrics.copying_test(torch.zeros(400), unseen, fake_cells.long(), unseen_cells.long()) < -15
    assert metrics.copying_test(fake + 99, unseen, fake_cells.long(), unseen_cells.long()) > 15
    assert metrics.copying_test(fake[:5], unseen, fake_cells[:5].long(), unseen_cells.long()) == 0  # too few to say


def test_copying_is_a_standard_normal_for_equal_distributions():
    values = []
    for i in range(200):
        fake, unseen = normal(90, 1, "fake", i)[:, 0], normal(150, 1, "unseen", i)[:, 0]
        values.append(metrics.copying_test(fake, unseen, torch.arange(90) % 3, torch.arange(150) % 3))
    assert abs(np.mean(values)) < 0.2 and np.std(values) == pytest.approx(1, abs=0.12)


def test_the_frechet_distance_of_infinitely_many():
    """Known to be 1.25; that of 2,000 images is too large by far, in forty dimensions."""
    shift = torch.cat([torch.full((5,), 0.5), torch.zeros(35)])
    a, b = normal(8000, 40, "a"), normal(8000, 40, "b") + shift
    assert frechet_distance(a[:2000], b[:2000]) > 1.25 + 0.15
    assert metrics.frechet_infinity(a, b) == pytest.approx(1.25, abs=0.05)
    assert metrics.frechet_infinity(a, normal(8000, 40, "c")) == pytest.approx(0, abs=0.03)


def test_infinity_takes_some_images(refused):
    with refused("1999 images", "at least 2000"):
        metrics.frechet_infinity(normal(1999, 3, "a"), normal(5000, 3, "b"))


# ----- agreement with independent implementations, on real images


@pytest.fixture(scope="module")
def spoilt(reference):
    """Features of the floor's images with noise: near real ones, and not the same."""
    with seeded("spoilt"):
        images = (reference.floor + 0.1 * torch.randn(reference.floor.shape)).clamp(-1, 1)
    return scoring.take(images, reference)


def test_frechet_against_scipy(reference, spoilt):
    linalg = pytest.importorskip("scipy.linalg")
    for real, fake in ((reference.features, spoilt.features), (reference.pixels, spoilt.pixels)):
        (ma, ca), (mb, cb) = ((x.mean(0), np.cov(x.T)) for x in (real.double().numpy(), fake.double().numpy()))
        expected = ((ma - mb) ** 2).sum() + np.trace(ca + cb - 2 * linalg.sqrtm(ca @ cb).real)
        assert frechet_distance(real, fake) == pytest.approx(expected, rel=1e-3)


def test_precision_recall_density_coverage_against_prdc(reference, spoilt):
    prdc = pytest.importorskip("prdc")
    found = manifold_scores(reference.features, spoilt.features)
    for k, names in ((3, ("precision", "recall")), (5, ("density", "coverage"))):
        expected = prdc.compute_prdc(reference.features.numpy(), spoilt.features.numpy(), nearest_k=k)
        for name in names:
            assert 0.05 < expected[name] and found[name] == pytest.approx(expected[name], abs=1e-3), name


def test_rbf_against_sklearn(reference, spoilt):
    pairwise = pytest.importorskip("sklearn.metrics.pairwise")
    pairs = (
        (reference.features, spoilt.features, reference.width),
        (reference.pixels, spoilt.pixels, reference.width_pixels),
    )
    for found, (real, fake, width) in zip(scoring._rbf(spoilt), pairs, strict=True):
        x, y, gamma = real.double().numpy(), fake.double().numpy(), 1 / (2 * width**2)
        xx, yy = (pairwise.rbf_kernel(z, gamma=gamma) for z in (x, y))
        off = (kernel[~np.eye(len(kernel), dtype=bool)].mean() for kernel in (xx, yy))
        expected = sum(off) - 2 * pairwise.rbf_kernel(x, y, gamma=gamma).mean()
        assert found == pytest.approx(expected, rel=1e-3, abs=1e-6)
        assert width == pytest.approx(np.median(pairwise.euclidean_distances(x)[np.triu_indices(len(x), 1)]), rel=1e-3)


def test_auc_against_sklearn(reference, spoilt):
    discriminant, measures = (pytest.importorskip(f"sklearn.{name}") for name in ("discriminant_analysis", "metrics"))
    x = torch.cat([reference.features, spoilt.features]).double().numpy()
    y, fold, areas = np.arange(2 * N) >= N, metrics.folds(2 * N).numpy(), []
    assert np.bincount(fold).tolist() == [2 * N // 5] * 5
    for k in range(5):
        fitted = discriminant.LinearDiscriminantAnalysis(solver="lsqr").fit(x[fold != k], y[fold != k])
        areas.append(measures.roc_auc_score(y[fold == k], fitted.decision_function(x[fold == k])))
    assert 0.6 < np.mean(areas) and metrics.two_sample_auc(reference.features, spoilt.features) == pytest.approx(
        np.mean(areas), abs=1e-3
    )


def test_ks_against_scipy(reference, spoilt):
    stats = pytest.importorskip("scipy.stats")
    for found, measure in zip(scoring._ks(spoilt), (pictures.outline_sharpness, pictures.texture), strict=True):
        real, fake = (measure(images).numpy() for images in (reference.real, spoilt.images))
        assert found == pytest.approx(stats.ks_2samp(real, fake).statistic, abs=1e-6)
    ties = on_a_grid(80, 1, "a")[:, 0], on_a_grid(70, 1, "b", top=5)[:, 0]
    assert metrics.ks_distance(*ties) == pytest.approx(stats.ks_2samp(*(t.numpy() for t in ties)).statistic, abs=1e-6)


def test_the_second_space_against_sklearn(reference, training_images):
    decomposition = pytest.importorskip("sklearn.decomposition")
    pixels = to_unit(training_images[0]).flatten(1).double().numpy()
    fitted = decomposition.PCA(64, svd_solver="covariance_eigh").fit(pixels)
    axes = scoring.pixel_space().axes.numpy()
    assert np.abs((fitted.components_ * axes.T).sum(1)) == pytest.approx(np.ones(64), abs=1e-3)
    assert np.abs(fitted.transform(reference.real.flatten(1).numpy())) == pytest.approx(
        np.abs(reference.pixels.numpy()), abs=5e-3
    )
    assert fitted.explained_variance_ratio_.sum() == pytest.approx(0.88, abs=0.005)
    assert (axes.max(0) >= -axes.min(0)).all()  # the sign


def test_copying_against_scipy(reference, spoilt):
    stats = pytest.importorskip("scipy.stats")
    floor = torch.cdist(scoring.pixel_space().train, scoring.pixel_space().features(reference.floor)).amin(1) < 0.05
    searched = scoring.pixel_space().train[~floor]  # all training images but the floor's
    distances = [torch.cdist(points, searched).amin(1).numpy() for points in (spoilt.pixels, reference.pixels)]
    classes = [x.numpy() for x in (spoilt.probabilities.argmax(1), reference.classes)]
    z, weight = [], []
    for cell in range(10):
        fake, real = (d[c == cell] for d, c in zip(distances, classes, strict=True))
        if min(len(fake), len(real)) >= 10:
            test = stats.mannwhitneyu(fake, real, alternative="less", method="asymptotic", use_continuity=False)
            z.append(stats.norm.ppf(test.pvalue))
            weight.append(len(real))
    expected = np.dot(z, weight) / np.linalg.norm(weight)
    assert scoring._copying(spoilt) == pytest.approx(expected, rel=0.01, abs=0.02)


def test_outliers_against_loops(reference, spoilt):
    def nearest(features):
        return np.array([np.linalg.norm(reference.features.numpy() - row, axis=1).min() for row in features.numpy()])

    limit = np.quantile(nearest(reference.classifier.measure(reference.floor)[0]), 0.99)
    assert reference.reach == pytest.approx(limit, rel=1e-4)
    assert scoring._outliers(spoilt) == pytest.approx((nearest(spoilt.features) > limit).mean() - 0.01, abs=1e-6)


# ----- intervals


def test_an_interval_covers_both_samples(reference, registry, monkeypatch):
    """Means whose standard error is known: of generated images, of real ones, and their difference."""
    registry.clear()
    monkeypatch.setattr(scoring, "PAIRS", 200)  # what a few pairs scatter around
    columns = range(0, 128, 2)
    scoring.gives(*(f"fake {i}" for i in columns))(lambda s: tuple(s.features.mean(0)[::2].tolist()))
    scoring.gives(*(f"real {i}" for i in columns))(lambda s: tuple(s.reference.features.mean(0)[::2].tolist()))
    scoring.gives(*(f"both {i}" for i in columns))(
        lambda s: tuple((s.features - s.reference.features).mean(0)[::2].tolist())
    )
    found = score_with_interval(reference.floor, reference)
    fake, real = (x.var(0) / N for x in (reference.classifier.measure(reference.floor)[0], reference.features))
    for kind, variance in (("fake", fake), ("real", real), ("both", fake + real)):
        ratios = []
        for i in columns:
            value, low, high = found[f"{kind} {i}"].tolist()
            assert value - low == pytest.approx(high - value)
            ratios.append(((high - value) / scoring.STUDENT) ** 2 / variance[i].item())
        assert np.mean(ratios) == pytest.approx(1, abs=0.1), kind


def test_the_interval_of_a_z_does_not_shrink(reference, registry, monkeypatch):
    """Its standard error is 1 for any number of images: for the mean of one feature over its standard error."""
    registry.clear()
    monkeypatch.setattr(scoring, "PAIRS", 400)
    deviation = reference.classifier.measure(reference.floor)[0].std(0)[5]
    scoring.gives("copying")(lambda s: (s.features.mean(0)[5] / deviation * len(s.features) ** 0.5).item())
    value, _, high = score_with_interval(reference.floor, reference)["copying"].tolist()
    assert (high - value) / scoring.STUDENT == pytest.approx(1, abs=0.1)


def test_student_is_that_of_the_pairs():
    assert scoring.STUDENT == pytest.approx(pytest.importorskip("scipy.stats").t.ppf(0.975, scoring.PAIRS), abs=1e-3)


def test_halves_are_halves():
    with seeded("halves"):
        cuts = scoring.halves(101)
    assert len(cuts) == scoring.PAIRS and len({tuple(one.tolist()) for one, _ in cuts}) == scoring.PAIRS
    assert all(len(one) == len(other) == 50 and len({*one.tolist(), *other.tolist()}) == 100 for one, other in cuts)


def test_values_and_intervals_are_the_same_every_time(small):
    found, again = (score_with_interval(small.floor, small) for _ in range(2))
    assert tuple(found) == SCORES and all(torch.equal(found[name], again[name]) for name in SCORES)
    assert {name: value[0].item() for name, value in found.items()} == pytest.approx(score(small.floor, small))
    assert all(found[name][1] < found[name][0] < found[name][2] for name in ("frechet", "recall", "auc", "rbf_pixels"))


# ----- generators and runs


@pytest.fixture(scope="module")
def small():
    return load_reference(100)


@pytest.fixture
def workplace(tmp_path, small, tiny_config, sample_images, sample_as_garments, monkeypatch):
    """``workplace(seed, ...)``: runs of these seeds, in a project of their own whose references are small."""
    monkeypatch.setattr(paths, "BUILD", tmp_path / "build")
    monkeypatch.setattr(paths, "MEASURED", tmp_path / "build/measured")
    monkeypatch.setattr(paths, "RUNS", tmp_path / "runs")
    monkeypatch.setattr(scoring, "load_reference", lambda n, device, *_: small)
    monkeypatch.setattr(scoring, "PAIRS", 1)
    monkeypatch.setattr(runs, "trained_generator", functools.partial(state.trained_generator, n=100))

    def make(*seeds):
        return [
            runs.fit_or_load(tiny_config("vanilla", seed=seed), "cpu", tmp_path / "runs", sample_images)
            for seed in seeds
        ]

    return make


@pytest.fixture
def measured(monkeypatch):
    """The images of every call of `score_with_interval`."""
    calls = []

    def counted(images, *rest, **options):
        calls.append(images)
        return score_with_interval(images, *rest, **options)

    monkeypatch.setattr(scoring, "score_with_interval", counted)
    return calls


def name_of(run):
    return run.folder.relative_to(paths.RUNS).as_posix()


@pytest.mark.slow
def test_runs_are_scored_once(workplace, measured, small):
    found = workplace(0, 1)
    rows = scoring.score_runs(found, 100, "cpu")
    assert list(rows) == ["floor", "ceiling", *map(name_of, found)] and len(set(rows)) == 4
    assert len(measured) == 4
    for run, images in zip(found, measured[2:], strict=True):
        expected = latent.sample(run.generator(), latent.latents(100, run.config.latent_dim, 1000))
        assert torch.equal(images, expected)
        values = {name: entry["mean"] for name, entry in rows[name_of(run)].items()}
        assert values == pytest.approx(score(expected, small))
    assert torch.equal(measured[0], small.floor) and measured[1].abs().max() > 0.99 and abs(measured[1].mean()) < 0.01
    for row in rows.values():
        assert tuple(row) == SCORES and all(
            entry["low"] <= entry["mean"] <= entry["high"] and entry["n"] == 100 for entry in row.values()
        )

    measured.clear()
    assert scoring.score_runs(found, 100, "cpu") == rows and not measured
    assert scoring.score_runs(found[1:], 100, "cpu") == {
        name: rows[name] for name in ("floor", "ceiling", name_of(found[1]))
    }
    assert not measured


@pytest.mark.slow
def test_a_new_or_changed_run_is_measured_and_nothing_else(workplace, measured):
    found = workplace(0)
    rows = scoring.score_runs(found, 100)
    measured.clear()
    both = scoring.score_runs([*found, *workplace(1)], 100)
    assert len(measured) == 1 and {name: both[name] for name in rows} == rows

    measured.clear()
    found[0].manifest["files"]["generator.safetensors"] = "another digest"
    for value in found[0].generator_state.values():
        value.mul_(2)
    again = scoring.score_runs(found, 100)
    assert (
        len(measured) == 1 and again["floor"] == rows["floor"] and again[name_of(found[0])] != rows[name_of(found[0])]
    )


@pytest.mark.parametrize("changed", ["version", "images", "classifier"])
def test_other_circumstances_are_measured_anew(workplace, measured, monkeypatch, changed):
    scoring.score_runs([], 100)
    measured.clear()
    if changed == "version":
        monkeypatch.setattr(scoring, "VERSION", scoring.VERSION + 1)
    if changed == "classifier":
        monkeypatch.setattr(scoring, "load_classifier", lambda **_: (None, {"sha256": "another"}))
    scoring.score_runs([], 101 if changed == "images" else 100)
    assert len(measured) == 2


@pytest.mark.parametrize("damage", ["empty", "truncated", "flipped", "no tensors", "half of the scores"])
def test_damaged_scores_are_measured_anew(workplace, measured, damage):
    rows = scoring.score_runs([], 100)
    path, whole = next((path, path.read_bytes()) for path in paths.MEASURED.glob("scores-*"))
    partial = safetensors.torch.save({"frechet": torch.zeros(1)})
    spoilt = {
        "empty": b"",
        "truncated": whole[:-5],
        "flipped": whole[:-1] + bytes([whole[-1] ^ 1]),
        "no tensors": b"x",
        "half of the scores": partial,
    }
    if damage == "half of the scores":  # and its name vouches for it
        path = path.rename(path.with_stem(f"{path.stem.rpartition('-')[0]}-{sha256(partial)[:16]}"))
    path.write_bytes(spoilt[damage])
    measured.clear()
    assert scoring.score_runs([], 100) == rows and len(measured) == 1


@pytest.mark.slow
def test_scores_kept_before_one_was_added_are_measured_anew(workplace, measured, registry):
    """Once; and what was kept before stays where it was, for those who look for no more."""
    found = workplace(0)
    rows = scoring.score_runs(found, 100)
    folders = (paths.MEASURED, found[0].folder)
    kept = {path: path.read_bytes() for folder in folders for path in folder.glob("scores-*")}
    measured.clear()

    scoring.gives("darkest")(lambda sample: sample.images.min().item())
    more = scoring.score_runs(found, 100)
    assert len(kept) == 3 and len(measured) == 3
    assert all(tuple(row) == (*SCORES, "darkest") for row in more.values()) and more["floor"]["darkest"]["mean"] == -1
    assert {name: {key: more[name][key] for key in SCORES} for name in rows} == rows
    assert {path: path.read_bytes() for path in kept} == kept
    measured.clear()
    assert scoring.score_runs(found, 100) == more and not measured
    assert "| darkest |" in scoring.table(more)

    del registry["darkest",]
    assert scoring.score_runs(found, 100) == rows and not measured


def test_a_file_with_more_scores_than_are_wanted_will_do(workplace, measured, registry):
    scoring.gives("darkest")(lambda sample: sample.images.min().item())
    more = scoring.score_runs([], 100)
    measured.clear()
    del registry["darkest",]
    rows = scoring.score_runs([], 100)
    assert not measured and all(tuple(row) == SCORES for row in rows.values())
    assert rows == {label: {name: row[name] for name in SCORES} for label, row in more.items()}


@pytest.mark.parametrize("model", list(GANS))
def test_the_scores_that_ship_are_found(model, tmp_path, monkeypatch):
    """Those of a shipped run, over ten thousand images; floor and ceiling are measured here by a stand-in."""
    monkeypatch.setattr(runs, "GARMENTS", data.FASHION_MNIST.images_sha256)
    monkeypatch.setattr(paths, "MEASURED", tmp_path)
    monkeypatch.setattr(paths, "GIVEN", tmp_path)  # those that ship have a test of their own
    monkeypatch.setattr(scoring, "load_reference", lambda n, device, *_: SimpleNamespace(floor=torch.zeros(n, 1)))
    stand_in = {name: torch.full((3,), 10_000.0) for name in SCORES}
    monkeypatch.setattr(scoring, "score_with_interval", lambda images, reference, **options: stand_in)
    monkeypatch.setattr(latent, "sample", lambda *given: pytest.fail("a shipped run is measured again"))
    run = runs.load_run(runs.run_folder(config_for(model, "full")))
    rows = scoring.score_runs([run])
    assert rows["floor"]["recall"]["mean"] == 10_000 and tuple(rows[name_of(run)]) == SCORES
    assert 0 < rows[name_of(run)]["frechet"]["low"] < rows[name_of(run)]["frechet"]["high"]
    assert len(list(run.folder.glob("scores-*"))) == 1  # none of an earlier version


def test_the_noise_and_the_caller_do_not_depend_on_each_other(workplace):
    torch.manual_seed(1)
    rows, before = scoring.score_runs([], 100), torch.rand(1)
    for path in paths.MEASURED.iterdir():
        path.unlink()
    torch.manual_seed(2)
    assert scoring.score_runs([], 100) == rows and torch.rand(1) != before


def test_the_table(refused):
    row = {name: {"mean": 0.12345, "low": 0.12345, "high": 0.12345, "n": 2000} for name in SCORES}
    other = {
        **row,
        "recall": {"mean": 0.5, "low": 0.4, "high": 0.6, "n": 2000},
        "dropped_classes": {"mean": 3, "low": 3, "high": 3, "n": 2000},
    }
    lines = scoring.table({"floor": row, "a run": other}).splitlines()
    assert len(lines) == 2 + len(SCORES) - 1 and all(line.startswith("|") and line.endswith("|") for line in lines)
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in (lines[0], *lines[2:])]
    assert cells[0] == ["score", "a run", "floor", "better is"] and lines[1].count("---") == 4
    found = {row[0]: row[1:] for row in cells[1:]}
    assert list(found) == [scoring.title(name) for name in SCORES if name != "kernel_sd"]
    assert {row[1] for row in found.values()} == {"0.123"}
    assert found["recall"] == ["0.5 (0.1)", "0.123", "more"] and found["dropped classes"] == ["3", "0.123", "less"]
    assert found["sharpness"][2] == "as real" and found["Fréchet distance"][2] == "less"
    with texts.using("zh"):
        assert not re.findall("[a-z]{3,}", scoring.table({"floor": row}))
    few = {name: {**entry, "n": 500} for name, entry in row.items()}
    with refused("500 and of 2,000 images", "cannot be compared"):
        scoring.table({"floor": row, "a run": few})


@pytest.mark.slow
def test_all_finished_runs_are_scored(workplace, capsys, refused):
    with refused("no finished run", "make report"):
        scoring.score_all(100, "cpu")
    (run,) = workplace(0)
    scoring.score_all(100, "cpu")
    printed = capsys.readouterr().out
    assert (
        scoring.table(scoring.score_runs([run], 100)) in printed
        and str(paths.BUILD / "scores.json") in printed
        and load_classifier()[1]["sha256"][:12] in printed
        and "100 images of each kind" in printed
    )
    book = json.loads((paths.BUILD / "scores.json").read_bytes())
    assert book["rows"] == scoring.score_runs([run], 100) and book["images"] == 100
    assert book["classifier"] == load_classifier()[1] and book["version"] == scoring.VERSION


def test_the_usual_fid_needs_a_package_of_its_own(workplace, refused):
    if importlib.util.find_spec("torch_fidelity"):
        pytest.skip("torch-fidelity is here: no line to see")
    workplace(0)
    with refused("no Inception features", "pip install torch-fidelity"):
        scoring.score_all(100, "cpu", features="inception")


def test_an_unknown_space_is_refused(workplace, refused):
    workplace(0)
    with refused("features = 'pixels'", "classifier, inception"):
        scoring.score_all(100, "cpu", features="pixels")


def test_floor_and_ceiling_come_with_the_project_and_what_is_measured_here_goes_before(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "MEASURED", tmp_path / "here")
    monkeypatch.setattr(paths, "GIVEN", tmp_path / "given")
    first = scoring.score_runs([], 100)
    shutil.move(tmp_path / "here", tmp_path / "given")
    monkeypatch.setattr(scoring, "score_with_interval", lambda *given, **options: pytest.fail("measured again"))
    assert scoring.score_runs([], 100) == first and not (tmp_path / "here").exists()


def test_floor_and_ceiling_of_the_report_are_at_hand():
    digest = load_classifier()[1]["sha256"]
    for of in ("training images", "noise"):
        scoring._kept([paths.GIVEN], (scoring.VERSION, digest, 10_000, of))
