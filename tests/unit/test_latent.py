"""Sampling that no neighbour can disturb, edits that touch what they name, and measures against plain loops."""

import copy
import math

import numpy as np
import pytest
import torch
from torch import nn

from labkit import data, latent, load, pictures
from labkit.base.rng import seeded
from labkit.config import config_for
from labkit.data.loading import to_unit
from labkit.gans.layers import fuse, plain
from labkit.gans.registry import build

MODELS = ["vanilla", "dcgan"]


@pytest.fixture(scope="module")
def generators():
    """Both generators in eval mode, with BatchNorm statistics and gains that are far from their initial 0 and 1."""
    made = {}
    for model in MODELS:
        with seeded("test", model):
            g = build(config_for(model, "smoke"))[0]
            for m in g.modules():
                if isinstance(m, nn.modules.batchnorm._BatchNorm):
                    nn.init.normal_(m.weight, 1.0, 0.5)
                    nn.init.normal_(m.bias, 0.0, 0.5)
            with torch.no_grad():
                for _ in range(5):
                    g.train()(2 * torch.randn(16, 100) + 1)
        made[model] = g.eval()
    return made


def company(draw, z, sizes):
    """The largest difference that company makes to the first image, over batches of ``sizes``."""
    images = [draw(z[:n])[0] for n in sizes]
    return max((image - images[0]).abs().max().item() for image in images)


# ----- sample


@pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])
@pytest.mark.parametrize("model", MODELS)
def test_sample_is_batch_proof(generators, model, training):
    g = copy.deepcopy(generators[model]).train(training)
    before = {name: value.clone() for name, value in g.state_dict().items()}
    z = latent.latents(512, seed=3)

    assert company(lambda part: latent.sample(g, part, chunk=512), z, (1, 8, 512)) < 1e-5
    among_8 = latent.sample(g, z[:8])
    alone = torch.cat([latent.sample(g, z[i : i + 1]) for i in range(8)])  # wherever in the batch it stands
    torch.testing.assert_close(among_8, alone, atol=1e-5, rtol=0)
    assert among_8.shape == (8, 1, 28, 28) and among_8.std(0).mean() > 0.01  # eight different images

    assert all(m.training == training for m in g.modules())
    assert all(torch.equal(value, before[name]) for name, value in g.state_dict().items())


@pytest.mark.parametrize("model", MODELS)
def test_a_forward_in_train_mode_is_not_batch_proof(generators, model):
    """The same check can fail: here company changes pixels, and sampling changes the generator."""
    g = copy.deepcopy(generators[model]).train()
    for m in g.modules():
        if isinstance(m, nn.Dropout):
            m.p = 0.0  # what is left is BatchNorm alone
    before = copy.deepcopy(g.state_dict())
    with torch.no_grad():
        assert company(g, latent.latents(512, seed=3), (2, 8, 512)) > 1e-2
    assert not all(torch.equal(value, before[name]) for name, value in g.state_dict().items())


@pytest.mark.parametrize("model", MODELS)
def test_sample_is_a_plain_forward_in_chunks(generators, model):
    g, z = generators[model], latent.latents(23, seed=4)
    with torch.no_grad():
        expected = g(z)
    for chunk in (1, 7, 23, 100):
        torch.testing.assert_close(latent.sample(g, z, chunk), expected, atol=1e-5, rtol=0)


def test_sample_restores_the_mode_when_the_forward_fails(generators):
    g = copy.deepcopy(generators["vanilla"]).train()
    del g.main[0].weight
    with pytest.raises((AttributeError, StopIteration)):
        latent.sample(g, torch.zeros(2, 100))
    assert g.training


# ----- latents and edits


def test_latents_depend_on_the_seed_alone_and_disturb_nobody():
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    first = latent.latents(4, 10, seed=7)
    assert torch.equal(torch.rand(3), expected)  # the global stream went on as if nothing had happened
    assert torch.equal(latent.latents(4, 10, seed=7), first)
    assert not torch.equal(latent.latents(4, 10, seed=8), first)


def test_latents_are_standard_normal():
    z = latent.latents(2000, 50, seed=1).flatten().numpy()
    assert abs(z.mean()) < 5 / math.sqrt(len(z)) and abs(z.var() - 1) < 5 * math.sqrt(2 / len(z))
    assert abs((np.abs(z) < 1).mean() - 0.6827) < 0.01


@pytest.mark.parametrize(("dim", "value"), [(0, -3), (5, 0.25), (9, 0)])
def test_perturb_sets_one_column_of_a_copy(dim, value):
    z = latent.latents(6, 10)
    before = z.clone()
    out = latent.perturb(z, dim, value)
    assert torch.equal(z, before)
    for row in range(6):
        for column in range(10):
            assert out[row, column] == (value if column == dim else before[row, column])


@pytest.mark.parametrize("rows", [[0], [5, 2], [0, 1, 2, 3, 4, 5]], ids="rows {}".format)
def test_perturb_in_some_rows_leaves_the_others(rows):
    z = latent.latents(6, 10)
    before = z.clone()
    out = latent.perturb(z, 5, -1.5, rows)
    assert torch.equal(z, before)
    for row in range(6):
        for column in range(10):
            assert out[row, column] == (-1.5 if column == 5 and row in rows else before[row, column])
    if len(rows) == 6:
        assert torch.equal(out, latent.perturb(z, 5, -1.5))


@pytest.mark.parametrize("length", [1.0, 0.01, 40.0], ids="length {}".format)
def test_perturb_along_an_axis_is_perturb(length):
    z = latent.latents(6, 10)
    for dim in range(10):
        out = latent.perturb_along(z, length * torch.eye(10)[dim], -2.5)
        torch.testing.assert_close(out, latent.perturb(z, dim, -2.5), atol=1e-6, rtol=0)


def test_perturb_along_sets_the_projection_and_nothing_else():
    z, direction = latent.latents(6, 10), latent.latents(1, 10, seed=9)[0]
    before, out = z.clone(), latent.perturb_along(z, direction, 3.0)
    assert torch.equal(z, before)
    unit = (direction / direction.square().sum().sqrt()).double().numpy()
    for old, new in zip(z.double().numpy(), out.double().numpy(), strict=True):
        assert new @ unit == pytest.approx(3.0, abs=1e-5)
        np.testing.assert_allclose(new - (new @ unit) * unit, old - (old @ unit) * unit, atol=1e-5)


def test_perturbation_grid_against_loops():
    z, dims, values = latent.latents(3, 10), [7, 0], [-3, 0.5, 3, 10]
    grid = latent.perturbation_grid(z, dims, values)
    assert grid.shape == (2, 4, 3, 10)
    for i, dim in enumerate(dims):
        for j, value in enumerate(values):
            for row in range(3):
                for column in range(10):
                    assert grid[i, j, row, column] == (value if column == dim else z[row, column])


def test_random_directions_are_units_of_all_directions():
    directions = latent.random_directions(4000, 20, seed=2)
    torch.testing.assert_close(directions.square().sum(1), torch.ones(4000))
    second = (directions.T @ directions / 4000 * 20).numpy()  # the identity, if no direction is preferred
    np.testing.assert_allclose(second, np.eye(20), atol=0.15)
    assert directions.mean(0).abs().max() < 5 / math.sqrt(20 * 4000)


# ----- interpolate


@pytest.mark.parametrize("steps", [2, 5, 11])
def test_interpolate_goes_evenly_along_the_great_circle(steps):
    start, end = latent.latents(2, 100, seed=5)
    end = 1.7 * end
    path = latent.interpolate(start, end, steps)
    assert path.shape == (steps, 100)
    torch.testing.assert_close(path[0], start, atol=1e-5, rtol=0)
    torch.testing.assert_close(path[-1], end, atol=1e-5, rtol=0)

    path, start, end = path.double(), start.double(), end.double()
    norms = path.norm(dim=1).numpy()
    np.testing.assert_allclose(norms, np.linspace(start.norm().item(), end.norm().item(), steps), rtol=1e-5)

    def angle(a, b):
        return math.acos((a @ b / a.norm() / b.norm()).clamp(-1, 1))

    for i, z in enumerate(path):
        assert angle(start, z) == pytest.approx(angle(start, end) * i / (steps - 1), abs=1e-3)
        assert angle(start, z) + angle(z, end) == pytest.approx(angle(start, end), abs=1e-3)  # in their plane


@pytest.mark.parametrize("factor", [1.0, 2.5, -1.0, -2.5])
def test_interpolate_between_parallel_vectors(factor):
    start = latent.latents(1, 100, seed=6)[0]
    path = latent.interpolate(start, factor * start, 5)
    assert path.isfinite().all()
    torch.testing.assert_close(path[[0, -1]], torch.stack([start, factor * start]), atol=1e-5, rtol=0)
    if factor > 0:  # the same direction all the way, the length evenly
        expected = torch.stack([(1 + (factor - 1) * i / 4) * start for i in range(5)])
        torch.testing.assert_close(path, expected, atol=1e-5, rtol=1e-5)


# ----- what is taken


def test_vectors_of_any_kind_draw_the_same_pictures(generators, refused):
    g, z = generators["vanilla"], latent.latents(4)
    expected = latent.sample(g, z)
    for same in (z.numpy(), z.double(), z.view(4, 100, 1, 1), z.tolist(), z.numpy().astype(">f4"), z.requires_grad_()):
        assert torch.equal(latent.sample(g, same), expected)
    assert torch.equal(latent.sample(g, z[0]), latent.sample(g, z[:1]))
    for wrong in (torch.zeros(8, 64), torch.zeros(200), torch.full((1, 100), math.nan), torch.zeros(0, 100), None):
        with refused("z ", "(n, 100)"):
            latent.sample(g, wrong)
        with refused("z "):
            latent.change_along(g, wrong, torch.eye(100)[:1])
    with refused("g = ", "labkit.load"):
        latent.sample("dcgan", z)
    with refused("chunk = 0"):
        latent.sample(g, z, 0)


def test_a_generator_keeps_its_length_when_its_layers_are_exchanged(generators, refused):
    for g in (copy.deepcopy(generators["dcgan"]), fuse(copy.deepcopy(generators["dcgan"])), plain(generators["dcgan"])):
        with refused("(8, 64)", "(n, 100)"):
            latent.sample(g, torch.zeros(8, 64))
    whole = nn.Sequential(nn.Linear(3, 784), nn.Unflatten(1, (1, 28, 28)))
    whole.latent_dim = 3
    for g in (fuse(copy.deepcopy(whole)), plain(whole)):
        with refused("(n, 3)"):
            latent.sample(g, torch.zeros(8, 64))


def test_edits_by_numbers_of_any_kind(refused):
    z, expected = latent.latents(4, 10), latent.perturb(latent.latents(4, 10), 5, -3.0, [1])
    for dim, value, rows in (
        (np.int64(5), np.linspace(-3, 3, 7)[0], np.array([1])),
        (torch.tensor(5), torch.tensor(-3), torch.tensor([1])),
        (np.argsort(np.arange(6))[-1], np.float32(-3), range(1, 2)),
    ):
        assert torch.equal(latent.perturb(z.numpy(), dim, value, rows), expected)
    grid = latent.perturbation_grid(z, np.array([7, 0]), range(-3, 4, 3))
    assert torch.equal(grid, latent.perturbation_grid(z, [7, 0], [-3, 0, 3]))
    axis = np.eye(10)[5]
    assert torch.equal(latent.perturb_along(z, axis, np.int8(2)), latent.perturb_along(z, torch.eye(10)[5], 2.0))
    way = latent.interpolate(z[0].numpy(), z[1:2], np.int32(5))
    assert torch.equal(way, latent.interpolate(z[0], z[1], 5))
    for seed in (np.int64(3), torch.tensor(3), np.uint8(3)):
        assert torch.equal(latent.latents(np.int64(2), torch.tensor(10), seed), latent.latents(2, 10, 3))
        assert torch.equal(latent.random_directions(2, 10, seed), latent.random_directions(2, 10, 3))
    for call in (
        lambda: latent.latents(2, 10, 3.0),
        lambda: latent.latents(2, 10, "3"),
        lambda: latent.latents(-1),
        lambda: latent.perturb(z, 5, 0.0, [4]),
        lambda: latent.perturb(z, 5, 0.0, [True]),
        lambda: latent.perturb_along(z, torch.eye(10)[:2], 0.0),
        lambda: latent.perturb_along(z, torch.ones(9), 0.0),
        lambda: latent.perturb_along(z, torch.ones(10), math.nan),
        lambda: latent.interpolate(z[0], torch.zeros(9), 5),
        lambda: latent.interpolate(z[0], z[1], 0),
        lambda: latent.interpolate(z[0], z[1], 2.5),
    ):
        with refused():
            call()


# ----- refusals


@pytest.mark.parametrize(
    ("dims", "values", "words"),
    [
        ([], [0], ["dims = []"]),
        (5, [0], ["dims = 5"]),
        ("5", [0], ["dims = '5'"]),
        (None, [0], ["dims = None"]),
        ([5, 100], [0], ["100", "0 to 99"]),
        ([-1], [0], ["-1", "0 to 99"]),
        ([1.0], [0], ["1.0"]),
        ([True], [0], ["True"]),
        (["5"], [0], ["'5'"]),
        ([[5]], [0], ["[5]"]),
        ([0], [], ["values = []"]),
        ([0], 3, ["values = 3"]),
        ([0], {1: 2}, ["values = {1: 2}"]),
        ([0], [1, math.nan], ["nan", "finite"]),
        ([0], [math.inf], ["inf", "finite"]),
        ([0], ["3"], ["'3'", "finite"]),
        ([0], [None], ["None", "finite"]),
        ([0], [False], ["False", "finite"]),
    ],
)
def test_check_edits_refuses(refused, dims, values, words):
    with refused(*words):
        latent.check_edits(dims, values, 100)


@pytest.mark.parametrize(("dims", "values"), [([0], [0]), ([99, 0], [-3, 0.5]), ((5,), (1e6,))])
def test_check_edits_accepts(dims, values):
    assert latent.check_edits(dims, values, 100) == ([*dims], [*values])


@pytest.mark.parametrize(("dim", "value"), [(10, 0.0), (-1, 0.0), (1.5, 0.0), (0, math.nan), (0, "1")])
def test_perturb_refuses(refused, dim, value):
    with refused():
        latent.perturb(latent.latents(2, 10), dim, value)


# ----- measures


@pytest.fixture(scope="module")
def tiny():
    """Two sets of random images, (5, 1, 28, 28) in [-1, 1], and the same as grey levels from 0 to 255 in float64."""
    with seeded("tiny images"):
        images, others = torch.rand(2, 5, 1, 28, 28) * 2 - 1
    return images, others, *((x.double().numpy()[:, 0] + 1) * 127.5 for x in (images, others))


def test_mean_change(tiny):
    images, others, a, b = tiny
    expected = [sum(abs(a[i, y, x] - b[i, y, x]) for y in range(28) for x in range(28)) / 784 for i in range(5)]
    np.testing.assert_allclose(pictures.mean_change(images, others), expected, rtol=1e-5)
    np.testing.assert_allclose(pictures.mean_change(images[None], others[None]), [expected], rtol=1e-5)


def test_roughness(tiny):
    images, _, a, _ = tiny
    for i, value in enumerate(pictures.roughness(images).tolist()):
        across = [abs(a[i, y, x + 1] - a[i, y, x]) for y in range(28) for x in range(27)]
        down = [abs(a[i, y + 1, x] - a[i, y, x]) for y in range(27) for x in range(28)]
        assert value == pytest.approx((sum(across) / len(across) + sum(down) / len(down)) / 2, rel=1e-5)


def test_diversity(tiny):
    images, _, a, _ = tiny
    pairs = [np.abs(a[i] - a[j]).mean() for i in range(5) for j in range(i)]
    assert pictures.diversity(images).item() == pytest.approx(sum(pairs) / len(pairs), rel=1e-5)
    assert pictures.diversity(images[:1].expand(4, -1, -1, -1)).item() == 0


class Plane(nn.Module):
    """A generator that is linear in z: image = weight z + bias."""

    def __init__(self, latent_dim=5, bend=0.0):
        super().__init__()
        with seeded("plane"):
            self.weight, self.bias = (
                nn.Parameter(torch.randn(784, latent_dim) / 20),
                nn.Parameter(torch.randn(784) / 20),
            )
        self.bend = bend

    def forward(self, z):
        return (z @ self.weight.T + self.bias + self.bend * z[:, :1].square()).view(-1, 1, 28, 28)


@pytest.mark.parametrize("dims", [[0], [3, 1], [0, 1, 2, 3, 4], [2, 2]])
def test_change_along_of_a_linear_generator_is_its_slope(dims):
    """Whatever the vectors are, and whatever a quadratic part adds to both sides alike."""
    g = Plane()
    expected = [np.abs(g.weight.detach().double().numpy()[:, k]).mean() * 127.5 for k in dims]
    for n in (1, 16):
        out = latent.change_along(g, latent.latents(n, 5, seed=n), torch.eye(5)[dims])
        assert out.shape == (len(dims),)
        np.testing.assert_allclose(out, expected, rtol=1e-4)
    at_zero = latent.change_along(Plane(bend=3.0), torch.zeros(2, 5), torch.eye(5)[dims])
    np.testing.assert_allclose(at_zero, expected, rtol=1e-4)


def test_change_along_any_direction():
    g, units = Plane(), latent.random_directions(3, 5, seed=1)
    expected = (g.weight.detach() @ units.T).abs().mean(0) * 127.5
    torch.testing.assert_close(latent.change_along(g, latent.latents(4, 5), units), expected, rtol=1e-4, atol=1e-4)


def test_change_along_is_the_mean_over_the_vectors():
    g, z = Plane(bend=0.1), latent.latents(7, 5, seed=2)
    each = torch.cat([latent.change_along(g, z[i : i + 1], torch.eye(5)[[0, 4]]).view(1, 2) for i in range(7)])
    assert each[:, 0].std() > 0.1  # the slope along z[0] differs from vector to vector
    torch.testing.assert_close(latent.change_along(g, z, torch.eye(5)[[0, 4]]), each.mean(0))


@pytest.mark.parametrize("m", [20, 60], ids="among {}".format)
def test_nearest(m):
    with seeded("nearest"):
        images, reference = torch.rand(7, 1, 28, 28) * 2 - 1, torch.rand(m, 1, 28, 28) * 2 - 1
    reference[3] = images[2]  # a copy must be found, at distance 0
    index, distance = pictures.nearest(images, reference)
    a, b = ((x.double().numpy().reshape(len(x), 784) + 1) * 127.5 for x in (images, reference))
    for i in range(7):
        distances = [math.sqrt(sum((a[i] - b[j]) ** 2) / 784) for j in range(m)]
        assert index[i] == int(np.argmin(distances))
        assert distance[i].item() == pytest.approx(min(distances), rel=1e-4, abs=0.2)
    assert index[2] == 3


# ----- invert


@pytest.fixture(scope="module")
def shipped():
    """The trained generators that ship, by model."""
    return {model: load(model) for model in MODELS}


@pytest.mark.slow
@pytest.mark.parametrize(("model", "n", "steps", "most"), [("vanilla", 6, 400, 3.0), ("dcgan", 3, latent.STEPS, 9.0)])
def test_pictures_of_the_generator_come_back(shipped, model, n, steps, most):
    """The known answer: there is a z without error. The DCGAN's way there is longer."""
    own = latent.sample(shipped[model], latent.latents(n, 100, 99))
    found = latent.invert(shipped[model], own, steps=steps)
    assert found.rms.median() < most
    far = pictures.nearest(own, latent.sample(shipped[model], latent.latents(64, 100, 0)))[1]  # where it started
    assert (found.rms < 0.5 * far).all()
    torch.testing.assert_close(latent.sample(shipped[model], found.z), found.images, atol=1e-4, rtol=0)
    torch.testing.assert_close(
        (found.images - own).square().mean((1, 2, 3)).sqrt() * 127.5, found.rms, atol=1e-3, rtol=0
    )
    assert (found.z.norm(dim=1) <= 12.001).all()


@pytest.mark.parametrize("model", MODELS)
def test_a_start_that_is_the_answer_is_kept(generators, model):
    z = latent.latents(3, 100, 5)
    z = z * (11 / z.norm(dim=1, keepdim=True))
    own = latent.sample(generators[model], z)
    found = latent.invert(generators[model], own, starts=torch.cat([latent.latents(7, 100, 6), z]), steps=3)
    torch.testing.assert_close(found.z, z)
    assert (found.rms < 1e-3).all()


def test_the_best_that_was_met_is_given(generators, monkeypatch):
    """Steps far too long lead away from a vector that is close: it is kept, with its own picture."""
    monkeypatch.setattr(latent, "RATE", 5.0)
    g, z = generators["vanilla"], latent.latents(1, 100, 5)
    start = 0.99 * z
    found = latent.invert(g, latent.sample(g, z), start, steps=3)
    assert torch.equal(found.z, start)
    torch.testing.assert_close(found.images, latent.sample(g, start), atol=1e-5, rtol=0)


@pytest.mark.parametrize("model", MODELS)
def test_a_search_is_of_one_image(generators, model):
    """Others in the batch change no bit, nor does a second time; a longer search is never worse by its own count."""
    g, images = generators[model], to_unit(data.load("test")[0][:3])
    found, again, alone = (latent.invert(g, part, 8, 12) for part in (images, images, images[1:2]))
    for one, two, three in zip(*(vars(f).values() for f in (found, again, alone)), strict=True):
        assert torch.equal(one, two) and torch.equal(one[1:2], three)
    start = latent.invert(g, images, 8, 0)
    assert (found.rms < start.rms).all() and not torch.equal(found.z[0], found.z[1])
    nearest = pictures.nearest(images, latent.sample(g, latent.latents(8, 100, 0)))[1]
    torch.testing.assert_close(start.rms, nearest, atol=1e-2, rtol=0)  # no steps: the nearest of the starts
    assert not torch.equal(latent.invert(g, images, 8, 0, seed=1).z, start.z)
    given = latent.invert(g, images, latent.latents(8, 100, 1), 0)
    assert torch.equal(given.z, latent.invert(g, images, 8, 0, seed=1).z)


def test_a_search_is_adam(generators):
    """Held against torch's own Adam on one vector."""
    g, image, start = generators["vanilla"], to_unit(data.load("test")[0][:1]), latent.latents(1, 100, 3)
    z = start.clone().requires_grad_()
    adam = torch.optim.Adam([z], lr=latent.RATE, betas=(latent.BETA1, latent.BETA2), eps=latent.EPS)
    rate = torch.optim.lr_scheduler.CosineAnnealingLR(adam, 20)
    errors = []
    for _ in range(21):
        error = (g(z) - image).square().mean()
        errors.append(error.item())
        (z.grad,) = torch.autograd.grad(error, z)
        adam.step()
        rate.step()
    found = latent.invert(g, image, start, 20)
    assert found.rms.item() == pytest.approx(min(errors) ** 0.5 * 127.5, rel=1e-3)


def test_a_search_leaves_everything_as_it_was(generators):
    g = copy.deepcopy(generators["vanilla"]).train()
    state = {name: value.clone() for name, value in g.state_dict().items()}
    images = to_unit(data.load("test")[0][:2])
    expected = latent.invert(generators["vanilla"], images, 4, 3)
    for around in (torch.no_grad, torch.enable_grad, torch.inference_mode):
        with around():
            was = torch.is_grad_enabled(), torch.is_inference_mode_enabled()
            found = latent.invert(g, images.clone(), latent.latents(4, 100, 0), 3)
            assert was == (torch.is_grad_enabled(), torch.is_inference_mode_enabled())
        assert all(
            torch.equal(one, two) for one, two in zip(vars(found).values(), vars(expected).values(), strict=True)
        )
        assert not any(value.requires_grad for value in vars(found).values())
    torch.set_default_dtype(torch.float64)
    try:
        assert latent.invert(g, images.double(), 4, 3).z.dtype == torch.float32
    finally:
        torch.set_default_dtype(torch.float32)
    assert all(p.grad is None and p.requires_grad for p in g.parameters()) and all(m.training for m in g.modules())
    assert all(torch.equal(value, state[name]) for name, value in g.state_dict().items())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"images": torch.zeros(2, 28, 27)}, "(n, 1, 28, 28)"),
        ({"images": torch.zeros(0, 1, 28, 28)}, "at least one"),
        ({"images": torch.full((1, 1, 28, 28), 255.0)}, "[-1, 1]"),
        ({"images": torch.full((1, 1, 28, 28), torch.nan)}, "[-1, 1]"),
        ({"images": torch.zeros(1, 1, 28, 28), "signed": False}, "cannot be told"),
        ({"starts": torch.zeros(99)}, "(n, 100)"),
        ({"starts": torch.full((2, 100), torch.inf)}, "finite"),
        ({"starts": torch.zeros(2, 7)}, "(2, 7)"),
        ({"starts": 0}, "starts = 0"),
        ({"starts": -1}, "starts = -1"),
        ({"steps": -1}, "steps = -1"),
        ({"steps": 1.5}, "steps = 1.5"),
    ],
)
def test_a_search_refuses_in_one_line(generators, refused, change, words):
    with refused(words):
        given = {"images": torch.zeros(1, 1, 28, 28), "steps": 1, "signed": True, **change}
        latent.invert(generators["vanilla"], **given)
