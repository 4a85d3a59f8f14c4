"""Every loss against its formula, written down once more, and against what is known of it."""

import copy
import dataclasses
import math

import pytest
import torch
from torch import nn

from labkit.config import TrainConfig, config_for
from labkit.gans import LOSSES, build, loss_of
from labkit.gans.layers import fuse
from labkit.gans.losses import Loss, NonSaturating, Relativistic, WassersteinGP, squared_slopes
from labkit.training import runs
from labkit.training.state import COLUMNS
from labkit.training.steps import d_step, g_step

LN2 = math.log(2)


class Linear(nn.Module):
    """A discriminator whose answer is w . x + b: its slope is w everywhere."""

    def __init__(self, slope=2.0, bias=0.3):
        super().__init__()
        self.w = nn.Parameter(torch.full((784,), slope / 28, dtype=torch.float64))  # |w| = slope
        self.b = nn.Parameter(torch.tensor(bias, dtype=torch.float64))

    def logits(self, x):
        return (x.flatten(1) @ self.w + self.b).unsqueeze(1)


class Quadratic(nn.Module):
    """A discriminator whose answer is c |x|^2 / 2: its slope is c x."""

    def __init__(self):
        super().__init__()
        self.c = nn.Parameter(torch.tensor(0.7, dtype=torch.float64))

    def logits(self, x):
        return self.c * x.flatten(1).square().sum(1, keepdim=True) / 2


@pytest.fixture
def images():
    """Real and fake ones, (6, 1, 28, 28) each."""
    torch.manual_seed(0)
    return torch.rand(2, 6, 1, 28, 28, dtype=torch.float64) * 2 - 1


def softplus(x):
    return math.log1p(math.exp(x))


def test_every_loss_names_its_source_its_marks_and_its_axis():
    for name, loss in LOSSES.items():
        assert issubclass(loss, Loss) and loss.name == name and loss.title and loss.source and loss.answers
        assert {mark.column for mark in loss.marks} <= set(COLUMNS)
        assert {field.name for field in dataclasses.fields(loss)} <= {
            field.name for field in dataclasses.fields(TrainConfig)
        }


def test_the_config_gives_the_loss_its_weights():
    assert loss_of(TrainConfig()) == NonSaturating(0.0)
    assert loss_of(TrainConfig(label_smoothing=0.1)) == NonSaturating(0.1)
    assert loss_of(TrainConfig(loss="wgan-gp", penalty=3.0)) == WassersteinGP(3.0)


def test_slopes_of_known_functions(images):
    x = images[0]
    logits, slopes = squared_slopes(Linear(), x)
    torch.testing.assert_close(logits, Linear().logits(x))
    torch.testing.assert_close(slopes, torch.full((6,), 4.0, dtype=torch.float64))
    torch.testing.assert_close(squared_slopes(Quadratic(), x)[1], 0.49 * x.square().sum((1, 2, 3)))
    assert not x.requires_grad


def test_non_saturating(images):
    d, (x, y) = Linear(), images
    value, real, fake = NonSaturating(0.1).of_d(d, x, y)
    by_hand = [
        0.9 * softplus(-a) + 0.1 * softplus(a) + softplus(b)
        for a, b in zip(real.flatten().tolist(), fake.flatten().tolist())
    ]
    assert value.item() == pytest.approx(sum(by_hand) / 6)
    assert NonSaturating().of_g(d, x, y).item() == pytest.approx(sum(softplus(-b) for b in fake.flatten().tolist()) / 6)
    torch.testing.assert_close(NonSaturating().answer(real), 1 / (1 + (-real).exp()))


@pytest.mark.parametrize(("given", "weight"), [(0.0, 10.0), (3.0, 3.0)])
def test_wgan_gp(images, given, weight):
    """Of a linear critic with slope 2 the penalty is (2 - 1)^2 wherever it is taken; of slope 1 it is none."""
    x, y = images
    for slope, excess in ((2.0, 1.0), (1.0, 0.0), (0.5, 0.25)):
        d = Linear(slope)
        value, real, fake = WassersteinGP(given).of_d(d, x, y)
        assert value.item() == pytest.approx((fake.mean() - real.mean()).item() + weight * excess, abs=1e-9)
    assert WassersteinGP().of_g(d, x, y).item() == pytest.approx(-d.logits(y).mean().item())
    assert torch.equal(WassersteinGP().answer(real), real)


def test_wgan_gp_takes_its_penalty_between_real_and_fake_images(images):
    """Of a quadratic critic the slope is known at every point: between the two it lies where the random shares say."""
    d, (x, y) = Quadratic(), images
    torch.manual_seed(3)
    value, real, fake = WassersteinGP().of_d(d, x, y)
    torch.manual_seed(3)
    share = torch.rand(6, 1, 1, 1, dtype=torch.float64)
    slopes = 0.7 * (share * x + (1 - share) * y).flatten(1).norm(dim=1)
    expected = fake.mean() - real.mean() + 10 * (slopes - 1).square().mean()
    assert value.item() == pytest.approx(expected.item()) and share.std() > 0.1


@pytest.mark.parametrize(("given", "weight"), [(0.0, 1.0), (3.0, 3.0)])
def test_relativistic(images, given, weight):
    """Each real image against the fake one beside it; of a linear D with slope 2, R1 and R2 are 4 each."""
    d, (x, y) = Linear(2.0), images
    value, real, fake = Relativistic(given).of_d(d, x, y)
    gaps = (real - fake).flatten().tolist()
    assert value.item() == pytest.approx(sum(softplus(-gap) for gap in gaps) / 6 + weight / 2 * (4 + 4))
    assert Relativistic().of_g(d, x, y).item() == pytest.approx(sum(softplus(gap) for gap in gaps) / 6)
    assert torch.equal(Relativistic().answer(real), real)


def test_relativistic_takes_its_penalties_at_the_images(images):
    d, (x, y) = Quadratic(), images
    value, real, fake = Relativistic().of_d(d, x, y)
    r1, r2 = (0.49 * part.flatten(1).square().sum(1).mean() for part in (x, y))
    assert value.item() == pytest.approx((torch.nn.functional.softplus(fake - real).mean() + (r1 + r2) / 2).item())


def test_relativistic_gives_g_no_gradient_through_the_real_images(images):
    """And the gradient that it gives is that of the formula."""
    d, (x, y) = Quadratic(), images
    fake = y.clone().requires_grad_()
    (found,) = torch.autograd.grad(Relativistic().of_g(d, x, fake), fake)
    pull = torch.sigmoid(d.logits(x) - d.logits(y)).view(6, 1, 1, 1) / 6
    torch.testing.assert_close(found, (-pull * 0.7 * y).detach())


def test_the_penalty_moves_the_critic_to_slope_one(images):
    """Trained on equal sets, a linear critic of slope 2 is left with the penalty alone, which pulls it to 1."""
    d, x = Linear(2.0), images[0]
    opt = torch.optim.SGD(d.parameters(), lr=0.02)
    for _ in range(100):
        d_step(d, opt, x, x, WassersteinGP())
    assert d.w.norm().item() == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("name", LOSSES)
def test_at_a_draw_the_losses_stand_on_their_marks(name, images):
    """D answers 0 to everything: the marks that figures show are what the steps then return."""
    loss, d = LOSSES[name](), Linear(0.0, 0.0)
    value_d, d_real, d_fake = d_step(d, torch.optim.SGD(d.parameters(), lr=0.0), *images, loss).tolist()
    value_g = g_step(d, torch.optim.SGD(d.parameters(), lr=0.0), *images, loss).item()
    without_penalty = value_d - (10.0 if name == "wgan-gp" else 0.0)  # of a critic without a slope: (0 - 1)^2
    for column, found in zip(COLUMNS, (without_penalty, value_g, d_real, d_fake), strict=True):
        if (mark := loss.of(column)) is not None:
            assert found == pytest.approx(mark.level, abs=1e-4), column


@pytest.mark.slow
@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("model", ["vanilla", "dcgan"])
def test_fused_layers_give_the_steps_of_plain_ones(name, model):
    """Losses and weights after three steps of both players, in float64."""
    torch.manual_seed(0)
    g, d = (network.double() for network in build(config_for(model, "smoke")))
    x, z = torch.rand(8, 1, 28, 28, dtype=torch.float64) * 2 - 1, torch.randn(8, 100, dtype=torch.float64)
    results = []
    for dress in (lambda network: network, fuse):
        networks = [dress(copy.deepcopy(network)) for network in (g, d)]
        opts = [torch.optim.Adam(network.parameters(), 1e-3) for network in networks]
        torch.manual_seed(1)
        rows = []
        for _ in range(3):
            fake = networks[0](z)
            rows.append(d_step(networks[1], opts[1], x, fake, LOSSES[name]()))
            rows.append(g_step(networks[1], opts[0], x, fake, LOSSES[name]()).expand(3))
        results.append((torch.stack(rows), *(network.state_dict() for network in networks)))
    torch.testing.assert_close(results[1], results[0], rtol=1e-6, atol=1e-8)


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("model", ["vanilla", "dcgan"])
def test_a_run_is_trained_resumed_and_loaded_with_every_loss(name, model, tiny_config, sample_images, tmp_path):
    config = tiny_config(model, loss=name, examples=16)  # two steps an epoch
    run = runs.fit_or_load(config, "cpu", tmp_path, sample_images)
    assert run.config.loss == name and run.history.isfinite().all()
    again = runs.fit_or_load(config, "cpu", tmp_path / "again", sample_images)
    assert torch.equal(run.history, again.history)
