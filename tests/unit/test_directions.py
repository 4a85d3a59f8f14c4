"""Directions in the latent space against singular values, derivatives, regressions, and generators of known ways."""

import functools

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

from labkit import data, latent
from labkit.analysis import directions
from labkit.analysis import effects as analysis_effects
from labkit.analysis.directions import all_directions, directions_of, principal, purity, regression, sefa, steepest
from labkit.analysis.effects import NAMES, EffectTable
from labkit.base.rng import seeded
from labkit.config import config_for
from labkit.data.loading import to_unit
from labkit.evaluation import scoring
from labkit.gans import GANS
from labkit.gans.registry import build
from labkit.pictures import ATTRIBUTES
from labkit.training import runs, state

DIM = 8  # of the toys' latent spaces


class Toy(nn.Module):
    """Pictures from a plain function of z; the parameter is there since `latent.sample` asks where the network is."""

    def __init__(self, draw):
        super().__init__()
        self.draw, self.scale = draw, nn.Parameter(torch.ones(()))

    def forward(self, z):
        return self.draw(z).view(len(z), 1, 28, 28) * self.scale


class Layered(Toy):
    """A toy with one linear layer on z, as SeFa wants it; a unit of z moves a pixel by about ``size``."""

    def __init__(self, size=0.1):
        super().__init__(lambda z: self.layer(z).tanh())
        with seeded("layered"):
            self.layer = nn.Linear(DIM, 784)
            nn.init.normal_(self.layer.weight, 0, size)


@pytest.fixture(scope="module")
def garment():
    """One real picture, (784,), and a clean background."""
    return to_unit(data.load("test")[0][1:2]).flatten()


def numbers(*shape):
    with seeded("numbers", *shape):
        return torch.randn(*shape)


def turned(n):
    """A random orthogonal matrix, (n, n)."""
    with seeded("turned", n):
        return torch.linalg.qr(torch.randn(n, n, dtype=torch.float64)).Q


def network(model, latent_dim=100):
    with seeded("network"):
        return build(config_for(model, "smoke", latent_dim=latent_dim))[0].eval()


def upright(vectors):
    """Each of (k, d) with its largest entry positive."""
    return torch.stack([v if v[v.abs().argmax()] > 0 else -v for v in vectors])


def alike(found, expected, atol=1e-4):
    """The same directions, signs included."""
    torch.testing.assert_close(found.double(), expected.double(), atol=atol, rtol=0)


# ----- SeFa


def layers_on_z(model, g):
    return [g.l1[0]] if model == "dcgan" else [g.main[0], g.shortcut[0]]


def trained(model, latent_dim=100):
    """A network whose BatchNorms have seen something: means, variances, gains and offsets of their own."""
    g = network(model, latent_dim)
    for i, layer in enumerate(layer for layer in g.modules() if isinstance(layer, nn.modules.batchnorm._BatchNorm)):
        with seeded("norm", i):
            for part, value in (("running_var", 3), ("running_mean", 1), ("weight", 1), ("bias", 1)):
                getattr(layer, part).data = (value * torch.randn(layer.num_features)).exp()
    return g


def stretches(model, g):
    """What the layers on z and a BatchNorm right after them do to a small step in z, by automatic differentiation."""
    paths = [lambda z: g.conv_blocks[0](g.l1(z).view(1, 128, 7, 7))] if model == "dcgan" else [g.main[0], g.shortcut]
    z = torch.zeros(1, layers_on_z(model, g)[0].in_features)
    return torch.cat([torch.autograd.functional.jacobian(path, z).flatten(0, -3).squeeze(1) for path in paths]).double()


@pytest.mark.parametrize("model", list(GANS))
def test_sefa_against_singular_vectors(model):
    g = trained(model)
    found = sefa(g, 100, 7)
    assert found.shape == (7, 100) and found.dtype == torch.float32 and not found.requires_grad
    alike(found, upright(torch.linalg.svd(stretches(model, g), full_matrices=False).Vh[:7]))
    alike(sefa(g, 100), found[:5])
    plain = torch.cat([layer.weight.detach() for layer in layers_on_z(model, g)]).double()
    assert abs(found[0].double() @ torch.linalg.svd(plain, full_matrices=False).Vh[0]) < 0.9  # without BatchNorm


@pytest.mark.parametrize("model", list(GANS))
def test_sefa_finds_what_the_first_layers_stretch(model):
    """The longest stretch is not the first axis, and no axis at all. Of two layers, the squares add up."""
    g, ways = network(model, DIM), turned(DIM)  # rows
    if model == "dcgan":
        nn.init.ones_(g.conv_blocks[0].weight)
    layers = layers_on_z(model, g)
    for layer, sizes in zip(layers, ([1, 5, 3, 0.1, 1, 1, 0, 2], [6, 1, 1, 4, 0, 0, 0, 0])):
        rows = torch.linalg.qr(numbers(layer.out_features, DIM).double()).Q
        layer.weight.data = (rows * torch.tensor(sizes).double() @ ways).float()
    expected = [0, 1, 3] if len(layers) == 2 else [1, 2, 7]  # 37, 26, 16.01, 10, ...; 25, 9, 4, ...
    alike(sefa(g, DIM, 3), upright(ways[expected]))


@pytest.mark.parametrize("model", list(GANS))
def test_sefa_sees_what_the_pictures_see(model):
    """A layer a hundred times as large before a BatchNorm that divides by as much more draws the same pictures."""
    g, z = trained(model), latent.latents(5)
    before, pictures = sefa(g, 100), latent.sample(g, z)
    linear, norm = (g.l1[0], g.conv_blocks[0]) if model == "dcgan" else (g.shortcut[0], g.shortcut[1])
    norm.eps *= 1e4
    norm.running_var *= 1e4
    norm.running_mean *= 100
    for part in (linear.weight, linear.bias):
        part.data *= 100
    torch.testing.assert_close(latent.sample(g, z), pictures, atol=1e-3, rtol=0)
    alike(sefa(g, 100), before, atol=1e-3)


def after(*layers):
    """A linear layer on z with rows of many lengths, ``layers``, and the picture."""
    with seeded("after"):
        linear = nn.Linear(DIM, 784)
    linear.weight.data *= torch.linspace(0.1, 3, 784).unsqueeze(1)
    for layer in layers:
        if isinstance(layer, nn.modules.batchnorm._BatchNorm) and layer.running_var is not None:
            layer.running_var.copy_(torch.linspace(0.01, 9, layer.num_features).flip(0))
    return nn.Sequential(linear, *layers, nn.Flatten(), nn.Unflatten(1, (1, 28, 28)), nn.Tanh())


@pytest.mark.parametrize(
    ("layers", "per_row"),
    [
        ((nn.BatchNorm1d(784),), 1),
        ((nn.BatchNorm1d(784, affine=False),), 1),
        ((nn.Identity(), nn.BatchNorm1d(784)), 1),
        ((nn.Unflatten(1, (16, 7, 7)), nn.BatchNorm2d(16)), 49),
        ((nn.Unflatten(1, (4, 196)), nn.BatchNorm1d(4)), 196),
        ((nn.LeakyReLU(0.2), nn.BatchNorm1d(784)), None),
        ((nn.LeakyReLU(0.2, inplace=True), nn.BatchNorm1d(784)), None),
        ((nn.BatchNorm1d(784, track_running_stats=False),), None),
    ],
    ids=["norm", "without gain", "after nothing", "maps", "rows", "activation", "in place", "of the batch"],
)
def test_the_batchnorm_that_follows_belongs_to_the_layer(layers, per_row):
    """And one that follows something else does not."""
    g, weight = after(*layers), None
    weight = g[0].weight.detach().double()
    if per_row:
        norm = layers[-1]
        scale = (norm.running_var.double() + norm.eps).rsqrt()
        weight = weight * scale.repeat_interleave(per_row).unsqueeze(1)
    alike(sefa(g, DIM, 3), upright(torch.linalg.svd(weight, full_matrices=False).Vh[:3]))
    assert not any(layer._forward_hooks or layer._forward_pre_hooks for layer in g.modules())


@pytest.mark.parametrize(
    "g",
    [Toy(lambda z: z), network("vanilla", 7), network("dcgan", 7), nn.Linear(5, DIM)],
    ids=["toy", *GANS, "back"],
)
def test_a_generator_without_a_layer_on_z_is_refused(refused, g):
    with refused(f"takes {DIM} numbers", "SeFa"):
        sefa(g, DIM)


@pytest.mark.parametrize("latent_dim", [128, 256])
def test_a_hidden_layer_as_wide_as_z_does_not_count(latent_dim):
    g = trained("vanilla", latent_dim)
    alike(sefa(g, latent_dim), upright(torch.linalg.svd(stretches("vanilla", g), full_matrices=False).Vh[:5]))


# ----- steepest


def test_steepest_of_a_linear_generator():
    """Its derivative is the same everywhere: the directions are the singular vectors."""
    ways, stretches = turned(DIM), torch.tensor([0.1, 0.5, 0.3, 0, 0.2, 0.4, 0.6, 0.05]).double()
    rows = torch.linalg.qr(numbers(784, DIM).double()).Q.T
    g = Toy(lambda z: (z.double() @ (ways.T * stretches) @ rows).float())
    found = steepest(g, DIM, 4)
    assert found.shape == (4, DIM) and found.dtype == torch.float32
    alike(found, upright(ways[[6, 1, 5, 2]]), atol=1e-3)
    alike(steepest(g, DIM, 1, n=1), found[:1], atol=1e-3)


def test_steepest_against_derivatives():
    """The mean of J^T J over the vectors of the seed, with J by automatic differentiation."""
    g = Layered(0.5)
    for seed in (0, 3):
        total = torch.zeros(DIM, DIM)
        for z in latent.latents(6, DIM, seed + 600):
            jacobian = torch.autograd.functional.jacobian(lambda v: g(v.unsqueeze(0)).flatten(), z)  # (784, DIM)
            total += jacobian.T @ jacobian
        expected = torch.linalg.svd(total.double()).Vh[:3]
        alike(steepest(g, DIM, 3, n=6, step=0.01, seed=seed), upright(expected), atol=5e-3)


def test_steepest_is_a_mean_of_squares():
    """Axis 0 changes pictures fast, but for half of the vectors only; axis 1 at a steady 0.8 of that.

    Axis 2 goes back and forth.
    """
    patterns = torch.eye(784)[:3]

    def draw(z):
        return torch.stack([z[:, 0].relu(), 0.8 * z[:, 1], 0.6 * z[:, 2].abs()], 1) @ patterns

    alike(steepest(Toy(draw), DIM, 3, n=200), torch.eye(DIM)[[1, 0, 2]], atol=0.1)


# ----- principal


@pytest.mark.slow
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)], ids=str)
def test_principal_finds_what_pictures_vary_by(garment, order):
    """Three patterns that go with three directions, which are no axes."""
    ways, patterns = turned(DIM)[:3].float(), torch.linalg.qr(numbers(784, 3)).Q.T
    sizes = torch.tensor([4.0, 2.0, 1.0])[list(order)]
    found = principal(Toy(lambda z: garment / 2 + z @ ways.T * sizes @ patterns), DIM, 3)
    assert found.shape == (3, DIM) and found.dtype == torch.float32
    for u, i in zip(found, sizes.argsort(descending=True)):
        assert abs(u @ ways[i]) > 0.99


def test_principal_is_a_direction_in_z_not_of_the_pictures():
    """Two directions at an angle that move the same pattern: it is raised most between them, nearer the stronger."""
    pattern = numbers(1, 784) / 28
    g = Toy(lambda z: (2 * z[:, :1] + z[:, 1:2]) @ pattern)
    assert abs(principal(g, DIM, 1)[0] @ torch.tensor([2.0, 1, *[0] * (DIM - 2)])) / 5**0.5 > 0.9999


@pytest.mark.slow
def test_principal_against_numpy():
    g, n = Layered(), 300
    z = latent.latents(n, DIM, 5 + 700).double().numpy()
    pixels = latent.sample(g, latent.latents(n, DIM, 5 + 700)).flatten(1).double().numpy()
    pixels -= pixels.mean(0)
    components = np.linalg.svd(pixels, full_matrices=False)[2][:4]
    slopes = np.linalg.lstsq(z, pixels @ components.T, rcond=None)[0].T
    for u, expected in zip(
        principal(g, DIM, 4, n=n, seed=5), slopes / np.linalg.norm(slopes, axis=1, keepdims=True), strict=True
    ):
        assert abs(u.double().numpy() @ expected) == pytest.approx(1, abs=1e-4)


# ----- regression


@pytest.mark.parametrize("sign", [1, -1])
def test_regression_finds_brightness_and_which_way_it_grows(garment, sign):
    """The other directions change the picture too, but make it no brighter."""
    way, patterns = sign * turned(DIM)[3].float(), numbers(DIM, 784)
    patterns = 0.01 * (patterns - patterns.mean(1, keepdim=True))
    found = regression(Toy(lambda z: 0.65 * garment + 0.05 * (z @ way).unsqueeze(1) + z @ patterns), DIM, n=1000)
    assert list(found) == list(ATTRIBUTES) and all(
        u.shape == (DIM,) and u.dtype == torch.float32 for u in found.values()
    )
    alike(found["brightness"], way, atol=5e-3)


def test_regression_against_numpy():
    """More vectors than are drawn at a time; every attribute with the picture's own measure, by itself."""
    g, n = Layered(), 700
    found = regression(g, DIM, n=n, seed=2)
    z = latent.latents(n, DIM, 2 + 800)
    images = latent.sample(g, z)
    for name, measure in ATTRIBUTES.items():
        values = measure(images).double().numpy()
        if values.std() < 1e-6:
            continue
        slope = np.linalg.lstsq(z.double().numpy(), values - values.mean(), rcond=None)[0]
        assert found[name].norm().item() == pytest.approx(1, abs=1e-5)
        assert found[name].double().numpy() @ slope / np.linalg.norm(slope) == pytest.approx(1, abs=1e-4), name


def dark(z):
    """Nowhere as bright as a garment, so that only brightness, contrast, background and symmetry can change."""
    patterns = torch.linspace(0, 1, 784).repeat(DIM, 1).roll(100)
    return (
        -0.94
        + 0.006 * z[:, :1].clamp(-4, 4) * patterns[:1]
        + 0.008 * torch.linspace(-1, 1, 784).sin() * z[:, 1:2].clamp(-4, 4)
    )


UNCHANGED = ("outline_sharpness", "completeness", "texture", "width", "height", "aspect", "area")


def test_nothing_raises_an_attribute_that_never_changes():
    found = regression(Toy(dark), DIM, n=600)
    assert {name for name, u in found.items() if not u.any()} == set(UNCHANGED)
    assert all(u.norm().item() == pytest.approx(1, abs=1e-5) for name, u in found.items() if name not in UNCHANGED)


def test_nothing_raises_an_attribute_of_one_picture(garment):
    found = regression(Toy(lambda z: garment.expand(len(z), 784)), DIM, n=600)
    assert not any(u.any() for u in found.values())


# ----- all of them


def method_names(k=5):
    return [f"{method} {i + 1}" for method in ("sefa", "steepest", "principal") for i in range(k)]


@pytest.fixture(scope="module")
def everything():
    """A small generator and its directions."""
    g = Layered()
    return g, all_directions(g, DIM)


@pytest.mark.slow
def test_every_method_under_its_name(everything):
    g, found = everything
    more = {f"more {name.replace('_', ' ')}": u for name, u in regression(g, DIM).items() if u.any()}
    assert "more outline sharpness" in more and list(found) == [*method_names(), *more]
    expected = [*sefa(g, DIM), *steepest(g, DIM), *principal(g, DIM), *more.values()]
    assert all(torch.equal(u, v) for u, v in zip(found.values(), expected, strict=True))


def test_the_methods_can_be_counted():
    assert list(directions.METHODS) == ["sefa", "steepest", "principal", "regression"]
    for name, line in directions.METHODS.items():
        assert line and getattr(directions, name).__doc__.startswith(line) and "\n" not in line


@pytest.mark.slow
@pytest.mark.parametrize(
    ("label", "vectors", "names"),
    [
        ("sign {}", -torch.eye(DIM)[:2], ["sign 1", "sign 2"]),
        ("less {}", {"outline_sharpness": torch.eye(DIM)[3], "area": torch.zeros(DIM)}, ["less outline sharpness"]),
    ],
    ids=["numbered", "named"],
)
def test_a_method_is_one_function(everything, monkeypatch, label, vectors, names):
    """Its vectors come last, those without length not at all; the others are as they were."""
    for name in ("METHODS", "_FINDERS"):
        monkeypatch.setattr(directions, name, dict(getattr(directions, name)))
    asked, (g, others) = [], everything

    @directions.method(label)
    def mine(*given):
        """What I look for.

        And why.
        """
        asked.append(given)
        return vectors

    found = all_directions(g, DIM)
    assert list(directions.METHODS.items())[4:] == [("mine", "What I look for.")] and asked == [(g, DIM)]
    assert list(found) == [*others, *names] and all(torch.equal(u, found[name]) for name, u in others.items())
    expected = list(vectors.values()) if isinstance(vectors, dict) else vectors
    assert all(torch.equal(found[name], u) for name, u in zip(names, expected))
    assert mine(g, DIM) is vectors  # and is a plain function still


def test_all_are_unit_vectors_the_signs_are_fixed_and_no_two_of_a_method_are_the_same(everything):
    found = everything[1]
    for name, u in found.items():
        assert u.shape == (DIM,) and u.dtype == torch.float32 and u.norm().item() == pytest.approx(1, abs=1e-5)
        if name.startswith(("sefa", "steepest")):
            assert u[u.abs().argmax()] > 0
    for method in ("sefa", "steepest"):  # eigenvectors are at right angles
        vectors = torch.stack([u for name, u in found.items() if name.startswith(method)])
        alike(vectors @ vectors.T, torch.eye(5), atol=1e-5)


@pytest.mark.slow
def test_what_never_changes_is_left_out():
    g = Toy(lambda z: dark(g.layer(z)))
    g.layer = nn.Linear(DIM, DIM, bias=False)
    nn.init.eye_(g.layer.weight)
    names = [name for name in all_directions(g, DIM) if name.startswith("more")]
    assert names == ["more brightness", "more contrast", "more background", "more symmetry"]


def test_fewer_dimensions_than_directions():
    g = network("vanilla", 3)
    for found in (sefa(g, 3), steepest(g, 3, n=2)):
        alike(found @ found.T, torch.eye(3), atol=1e-5)


@pytest.mark.slow
def test_the_same_directions_twice_and_the_callers_random_numbers_go_on(everything):
    g, found = everything
    g.train()
    torch.manual_seed(1)
    before = torch.get_rng_state()
    again = all_directions(g, DIM)
    assert torch.equal(torch.get_rng_state(), before) and g.training
    torch.manual_seed(2)
    assert list(again) == list(found) and all(torch.equal(u, found[name]) for name, u in again.items())


@pytest.mark.slow
@pytest.mark.parametrize("method", [steepest, principal, regression])
def test_the_vectors_are_those_of_the_seed(method):
    g = Layered(0.5)

    def vectors(seed):
        found = method(g, DIM, n=20, seed=seed)
        return torch.stack(list(found.values()) if isinstance(found, dict) else list(found))

    assert torch.equal(vectors(1), vectors(1)) and not torch.allclose(vectors(1), vectors(0), atol=1e-3)


# ----- purity


def test_purity_by_hand():
    score = torch.zeros(5, len(NAMES))
    score[0, [0, 3]] = torch.tensor([3.0, -4.0])  # 16 of 25
    score[1, 7] = -2.5  # one attribute alone
    score[2, : len(ATTRIBUTES)] = 1  # all alike
    score[3, [1, 2]] = torch.tensor([1.0, 2.0])  # 4 of 5 ...
    score[3, len(ATTRIBUTES) :] = 100  # ... as the last three are no attributes
    assert purity(score).tolist() == pytest.approx([16 / 25, 1, 1 / len(ATTRIBUTES), 4 / 5, 0])
    assert purity(-7 * score).tolist() == pytest.approx(purity(score).tolist())


# ----- the directions of a run


@pytest.fixture(scope="module")
def reference():
    return scoring.load_reference(100)


@pytest.fixture(scope="module")
def run(tiny_config, sample_images, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "trained_generator", functools.partial(state.trained_generator, n=100))
        return runs.fit_or_load(
            tiny_config("vanilla", latent_dim=3), "cpu", tmp_path_factory.mktemp("run"), sample_images
        )


@pytest.fixture
def kept(run, reference, monkeypatch):
    """Few directions on few vectors, of a run without any; the list counts the edits that are measured."""
    for path in [*run.folder.glob("atlas-*"), *files(run)]:
        path.unlink()
    for name, value in {"STEPS": 3, "NULL": 4, "BASES": {"smoke": 4}}.items():
        monkeypatch.setattr(analysis_effects, name, value)
    for module in (analysis_effects, directions):
        monkeypatch.setattr(module, "load_reference", lambda n, device, *_: reference)
    calls, measure = [], analysis_effects.edit_effects

    def counted(g, ways, *rest):
        calls.append(ways)
        return measure(g, ways, *rest)

    monkeypatch.setattr(analysis_effects, "edit_effects", counted)
    return calls


@pytest.fixture
def three(kept, monkeypatch):
    """Three directions, which are soon found, in no order of the alphabet."""
    monkeypatch.setattr(
        directions,
        "all_directions",
        lambda g, latent_dim: dict(zip(("sefa 2", "more area", "sefa 1"), sefa(g, latent_dim))),
    )
    return kept


def files(run):
    return list(run.folder.glob("directions-*"))


def same(a, b):
    """The same names in the same order, the same vectors, the same effects."""
    vectors = list(a[0]) == list(b[0]) and all(torch.equal(u, b[0][name]) for name, u in a[0].items())
    return vectors and all(
        torch.equal(value.float(), getattr(b[1], name).float()) for name, value in vars(a[1]).items()
    )


@pytest.mark.slow
def test_the_directions_of_a_run_are_measured_once(run, kept):
    before = torch.get_rng_state()
    found, effects = directions_of(run)
    assert torch.equal(torch.get_rng_state(), before)
    assert len(kept) == 3 and len(files(run)) == 1  # the atlas of the axes, its random directions, and these
    expected = all_directions(run.generator(), 3)
    assert list(found) == list(expected) and all(torch.equal(u, expected[name]) for name, u in found.items())
    assert torch.equal(kept[2], torch.stack(list(found.values())))
    assert len(effects.mean) == len(effects.score) == len(effects.sweeps) == len(found) > 10
    again = directions_of(run)
    assert len(kept) == 3 and same((found, effects), again) and same(again, directions_of(run))
    assert isinstance(again[1], EffectTable) and len(files(run)) == 1


def test_the_effects_are_those_of_the_edits_beside_the_null_of_the_axes(run, three, reference):
    found, effects = directions_of(run)
    axes = analysis_effects.effects_of(run)
    a, change = (
        len(ATTRIBUTES),
        analysis_effects.edit_effects(run.generator(), torch.stack(list(found.values())), reference, 3, 4).change,
    )
    torch.testing.assert_close(effects.mean, change.mean(1))
    assert (
        torch.equal(effects.null, axes.null)
        and torch.equal(effects.null_sweeps, axes.null_sweeps)
        and torch.equal(effects.pairs, axes.pairs)
    )
    spread = axes.null[:, :a].square().mean(0).sqrt()
    measured = spread > 1e-6
    torch.testing.assert_close(
        effects.score[:, :a][:, measured], (effects.mean[:, :a] / spread)[:, measured], rtol=1e-3, atol=1e-4
    )
    assert measured.any() and (purity(effects.score) > 0).all()


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["empty", "others", "a flipped bit"])
def test_damaged_directions_are_measured_again(run, three, damage):
    expected = directions_of(run)
    (path,) = files(run)
    whole = path.read_bytes()
    path.write_bytes(
        {
            "empty": b"",
            "others": safetensors.torch.save({"u:one": torch.ones(3), "i:one": torch.tensor(0.0)}),
            "a flipped bit": whole[:-6] + bytes([whole[-6] ^ 64]) + whole[-5:],
        }[damage]
    )
    three.clear()
    assert same(directions_of(run), expected)
    assert len(three) == 1 and path.read_bytes() == whole  # the atlas of the axes is still there


@pytest.mark.slow
@pytest.mark.parametrize("changed", ["version", "version of the atlas", "classifier", "generator", "bases"])
def test_other_circumstances_have_directions_of_their_own(run, three, monkeypatch, changed):
    directions_of(run)
    three.clear()
    if changed == "version":
        monkeypatch.setattr(directions, "VERSION", directions.VERSION + 1)
    if changed == "version of the atlas":
        monkeypatch.setattr(analysis_effects, "VERSION", analysis_effects.VERSION + 1)
    if changed == "classifier":
        for module in (analysis_effects, directions):
            monkeypatch.setattr(module, "load_classifier", lambda **_: (None, {"sha256": "another"}))
    if changed == "generator":
        monkeypatch.setitem(run.manifest["files"], "generator.safetensors", "another")
    if changed == "bases":
        monkeypatch.setattr(analysis_effects, "BASES", {"smoke": 3})
    directions_of(run)
    assert len(three) == (1 if changed == "version" else 3) and len(files(run)) == 2
