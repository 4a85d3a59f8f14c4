"""The two steps against plain autograd, the loop against a plain loop, and equal bits for equal seeds."""

import copy
import math
from functools import partial

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrize import cached

from labkit.base import machine
from labkit.base.machine import kernels
from labkit.base.rng import seeded
from labkit.data.loading import to_unit
from labkit.gans import registry
from labkit.gans.losses import NonSaturating, loss_of
from labkit.training import loop
from labkit.training.loop import train
from labkit.training.state import COLUMNS, TrainState, reestimate_batchnorm, trained_generator
from labkit.training.steps import d_step, g_step

MODELS = ["vanilla", "dcgan"]
LN2 = math.log(2)


@pytest.fixture
def pair(tiny_config):
    """``pair(model)``: both networks in float64, real images and noise, so that the oracle may be exact."""

    def make(model, n=6):
        torch.manual_seed(1)
        g, d = (network.double() for network in registry.build(tiny_config(model)))
        for layer in [*g.modules(), *d.modules()]:
            if isinstance(layer, nn.Conv2d):
                nn.init.normal_(layer.weight, 0, 0.2)  # from 0.02, gradients would be within the tolerance
        return g, d, torch.rand(n, 1, 28, 28).double() * 2 - 1, torch.randn(n, 100).double()

    return make


def state_of(network):
    return {name: value.clone() for name, value in network.state_dict().items()}


def assert_same(network, state):
    for name, value in network.state_dict().items():
        assert torch.equal(value, state[name]), name


def by_hand(parameters, gradients, lr=0.1):
    """Plain gradient descent, as SGD(lr=0.1) does it."""
    return [(p - lr * grad).detach() for p, grad in zip(parameters, gradients, strict=True)]


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("model", MODELS)
def test_d_step_against_autograd(pair, model, smoothing):
    g, d, x_real, z = pair(model)
    x_fake, twin, g_before = g(z), copy.deepcopy(d), state_of(g)

    torch.manual_seed(5)  # the same dropout for both
    with cached():  # one spectral norm for both pictures
        p_real, p_fake = twin(x_real), twin(x_fake.detach())
    loss = -((1 - smoothing) * p_real.log() + smoothing * (1 - p_real).log()).mean() - (1 - p_fake).log().mean()
    expected = by_hand(list(twin.parameters()), torch.autograd.grad(loss, list(twin.parameters())))

    torch.manual_seed(5)
    result = d_step(d, torch.optim.SGD(d.parameters(), lr=0.1), x_real, x_fake, NonSaturating(smoothing))
    torch.testing.assert_close(result, torch.stack([loss, p_real.mean(), p_fake.mean()]).detach())
    torch.testing.assert_close([p.detach() for p in d.parameters()], expected)
    assert not result.requires_grad
    assert_same(g, g_before)
    assert all(p.grad is None for p in g.parameters())


@pytest.mark.parametrize("model", MODELS)
def test_g_step_against_autograd(pair, model):
    g, d, x_real, z = pair(model)
    g_twin, d_twin = copy.deepcopy(g), copy.deepcopy(d)

    torch.manual_seed(5)
    loss = -d_twin(g_twin(z)).log().mean()
    expected = by_hand(list(g_twin.parameters()), torch.autograd.grad(loss, list(g_twin.parameters())))

    torch.manual_seed(5)
    before = [p.detach().clone() for p in d.parameters()]
    result = g_step(d, torch.optim.SGD(g.parameters(), lr=0.1), x_real, g(z))
    torch.testing.assert_close(result, loss.detach())
    torch.testing.assert_close([p.detach() for p in g.parameters()], expected)
    assert result.shape == () and not result.requires_grad
    assert all(p.grad is None and torch.equal(p, b) for p, b in zip(d.parameters(), before, strict=True))


@pytest.mark.parametrize("weight", [0.5, 10.0])
@pytest.mark.parametrize("model", MODELS)
def test_feature_matching_by_hand(pair, model, weight):
    """D in eval mode has no dropout, so the order in which its features are asked for does not matter."""
    g, d, x_real, z = pair(model)
    d.eval()
    g_twin = copy.deepcopy(g)

    torch.manual_seed(5)
    x_fake = g_twin(z)
    gap = d.embed(x_real).sum(0) / len(x_real) - d.embed(x_fake).sum(0) / len(x_fake)
    loss = -d(x_fake).log().mean() + weight * (gap**2).sum() / gap.numel()
    expected = by_hand(list(g_twin.parameters()), torch.autograd.grad(loss, list(g_twin.parameters())))

    torch.manual_seed(5)
    result = g_step(d, torch.optim.SGD(g.parameters(), lr=0.1), x_real, g(z), matching=weight)
    torch.testing.assert_close(result, loss.detach())
    torch.testing.assert_close([p.detach() for p in g.parameters()], expected)
    assert all(p.grad is None for p in d.parameters())


def test_losses_at_equilibrium(pair):
    """A discriminator that cannot tell, logit 0 for all: 2 ln 2 for D, ln 2 for G."""
    g, d, x_real, z = pair("dcgan")
    nn.init.zeros_(d.adv_layer[0].weight)
    nn.init.zeros_(d.adv_layer[0].bias)
    x_fake = g(z)
    assert g_step(d, torch.optim.SGD(g.parameters(), lr=0.1), x_real, x_fake).item() == pytest.approx(LN2, abs=1e-12)
    loss, d_real, d_fake = d_step(d, torch.optim.SGD(d.parameters(), lr=0.1), x_real, g(z)).tolist()
    assert (loss, d_real, d_fake) == pytest.approx((2 * LN2, 0.5, 0.5), abs=1e-12)


@pytest.mark.parametrize("step", [d_step, g_step])
def test_gradients_of_the_step_before_do_not_add_up(pair, step):
    """With a learning rate of 0, a second step must leave the gradients of a single one."""
    g, d, x_real, z = pair("dcgan")
    g.eval(), d.eval()
    network = d if step is d_step else g
    opt = torch.optim.SGD(network.parameters(), lr=0.0)
    step(d, opt, x_real, g(z))
    once = [p.grad.clone() for p in network.parameters()]
    step(d, opt, x_real, g(z))
    torch.testing.assert_close([p.grad for p in network.parameters()], once)


# ----- the loop


def plain_adam(lr, betas):
    """Adam as published (Kingma and Ba 2015), one list of parameters at a time."""
    moments = {}

    def step(parameters, gradients):
        for i, (p, grad) in enumerate(zip(parameters, gradients, strict=True)):
            t, m, v = moments.get(i, (0, 0, 0))
            t, m, v = t + 1, betas[0] * m + (1 - betas[0]) * grad, betas[1] * v + (1 - betas[1]) * grad**2
            moments[i] = t, m, v
            p.data -= lr * (m / (1 - betas[0] ** t)) / ((v / (1 - betas[1] ** t)) ** 0.5 + 1e-8)

    return step


def plain_training(config, images):
    """What `train` is to do, without any of its parts but the stream of random numbers."""
    with seeded(config.seed, "init"):
        g, d = registry.build(config)
    average, decay = None, config.ema
    adam_g, adam_d = (plain_adam(lr, (config.beta1, config.beta2)) for lr in (config.lr, config.lr_d or config.lr))
    history = []
    for epoch in range(config.epochs):
        with seeded(config.seed, "epoch", epoch):
            for index in torch.randperm(config.examples).split(config.d_steps * config.batch):
                if len(index) < config.d_steps * config.batch:
                    continue
                z = torch.randn(len(index), config.latent_dim)
                for k in range(config.d_steps):
                    part = slice(k * config.batch, (k + 1) * config.batch)
                    x_real = images[index[part]][:, None].double() / 127.5 - 1
                    x_fake = g(z[part])
                    with cached():
                        p_real, p_fake = d(x_real), d(x_fake.detach())
                    loss_d = -p_real.log().mean() - (1 - p_fake).log().mean()
                    adam_d(list(d.parameters()), torch.autograd.grad(loss_d, list(d.parameters())))
                loss_g = -d(x_fake).log().mean()
                adam_g(list(g.parameters()), torch.autograd.grad(loss_g, list(g.parameters())))
                history.append(torch.stack([loss_d, loss_g, p_real.mean(), p_fake.mean()]).detach())
                now = [p.detach().clone() for p in g.parameters()]
                average = [decay * a + (1 - decay) * p for a, p in zip(average, now, strict=True)] if average else now
    return g, d, average, torch.stack(history).view(config.epochs, -1, 4)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "own"),
    [(model, {}) for model in MODELS]
    + [
        ("vanilla", {"lr_d": 3e-3, "beta1": 0.0}),
        ("vanilla", {"d_steps": 3, "examples": 75}),
        ("dcgan", {"d_steps": 2, "examples": 50}),
    ],
)
def test_train_against_a_plain_loop(monkeypatch, tiny_config, sample_images, model, own):
    """In float64, where rounding cannot be amplified by Adam's division."""
    torch.set_default_dtype(torch.float64)
    monkeypatch.setattr(machine, "DTYPE", "float64")
    monkeypatch.setattr(loop, "to_unit", lambda images: images[:, None].double() / 127.5 - 1)
    try:
        config = tiny_config(
            model, **{"examples": 27, "lr": 1e-3, "ema": 0.7, "precision": "float32", **own}
        )  # 3 steps, 3 or 2 images left out
        state = TrainState(config)
        train(state, sample_images)
        g, d, average, history = plain_training(config, sample_images)
    finally:
        torch.set_default_dtype(torch.float32)
    assert state.history.shape == (2, 3, 4) == history.shape
    close = {"rtol": 1e-7, "atol": 1e-9}
    torch.testing.assert_close(state.history, history, **close)
    torch.testing.assert_close(list(state.g.parameters()), list(g.parameters()), **close)
    torch.testing.assert_close(list(state.d.parameters()), list(d.parameters()), **close)
    torch.testing.assert_close([p.detach() for p in state.average.module.parameters()], average, **close)
    assert all((a - p).abs().max() > 1e-4 for a, p in zip(average, g.parameters(), strict=True) if p.dim() == 2)


def trained(config, images, **options):
    state = TrainState(config)
    train(state, images, **options)
    return state


def fingerprint(state):
    return {name: value.clone() for name, value in state.tensors().items()}


def assert_equal_bits(a, b):
    assert a.keys() == b.keys()
    for name in a:
        assert torch.equal(a[name], b[name]), name


@pytest.mark.parametrize("model", MODELS)
def test_equal_seeds_give_equal_bits(tiny_config, sample_images, model):
    """Whatever the caller's own random state, and whatever a hook draws, samples or measures."""
    config = tiny_config(model, examples=16, ema=0.9)
    torch.manual_seed(123)
    state = torch.get_rng_state()
    first = fingerprint(trained(config, sample_images))
    assert torch.equal(torch.get_rng_state(), state)

    seen = []

    def hook(state):
        seen.append(state.epoch)
        torch.randn(1000)
        trained_generator(state, n=100)(torch.randn(4, 100))
        torch.manual_seed(state.epoch)

    torch.manual_seed(77)
    assert_equal_bits(first, fingerprint(trained(config, sample_images, on_epoch=hook)))
    assert seen == [1, 2]


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_another_seed_gives_other_weights(tiny_config, sample_images, model):
    a, b = (fingerprint(trained(tiny_config(model, examples=16, seed=seed), sample_images)) for seed in (0, 1))
    for name in ("history", *(n for n in a if n.endswith("weight") and a[n].dim() > 1)):
        assert not torch.equal(a[name], b[name]), name


def test_epochs_differ_in_order_and_noise(tiny_config, sample_images, monkeypatch):
    """Every image once an epoch, in another order each time; no noise twice."""
    drawn = []
    monkeypatch.setattr(loop, "d_step", lambda d, opt, *images: drawn.append(images[:2]) or torch.ones(3))
    monkeypatch.setattr(loop, "g_step", lambda *_: torch.ones(()))
    config = tiny_config("vanilla")
    trained(config, sample_images)
    epochs = [torch.cat([x for x, _ in drawn[i : i + 4]]) for i in (0, 4)]
    everything = {image.tobytes() for image in to_unit(sample_images[:32]).numpy()}
    assert [{image.tobytes() for image in epoch.numpy()} for epoch in epochs] == [everything] * 2
    assert not torch.equal(*epochs)
    assert len({x.detach().numpy().tobytes() for _, x in drawn}) == 8


@pytest.mark.parametrize("model", MODELS)
def test_history(tiny_config, sample_images, model):
    config = tiny_config(model, epochs=3, examples=36)
    state = TrainState(config)
    shapes = []
    train(state, sample_images, on_epoch=lambda state: shapes.append(state.tensors()["history"].shape))
    assert COLUMNS == ("loss_d", "loss_g", "d_real", "d_fake")
    assert shapes == [(1, 4, 4), (2, 4, 4), (3, 4, 4)] and state.history.shape == (3, 4, 4)
    losses, probabilities = state.history[..., :2], state.history[..., 2:]
    assert state.history.isfinite().all() and (losses > 0).all()
    assert ((probabilities > 0) & (probabilities < 1)).all()
    assert state.epoch == 3 and state.seconds > 0


@pytest.mark.slow
@pytest.mark.parametrize("steps", [1, 50, 51, 103])
def test_progress_covers_every_step(monkeypatch, tiny_config, sample_images, steps):
    """Losses are looked at every 50 steps and at the end of an epoch; the bar must reach its end all the same."""
    bars, real = [], loop.progress
    monkeypatch.setattr(loop, "progress", lambda **options: bars.append(real(**options)) or bars[0])
    monkeypatch.setattr(loop, "d_step", lambda *_: torch.ones(3))
    monkeypatch.setattr(loop, "g_step", lambda *_: torch.ones(()))
    trained(tiny_config("vanilla", batch=2, examples=2 * steps, latent_dim=2), sample_images)
    assert bars[0].n == bars[0].total == 2 * steps


@pytest.mark.parametrize(
    "changes", [{}, {"ema": 0.9, "d_steps": 2}, {"feature_matching": 1.0, "precision": "bfloat16"}]
)
@pytest.mark.parametrize("model", MODELS)
def test_seeds_trained_together_are_what_they_are_alone(tiny_config, sample_images, model, changes):
    configs = [tiny_config(model, examples=32, seed=seed, **changes) for seed in (3, 0, 7)]
    alone = [trained(config, sample_images) for config in configs]
    together, seen = [TrainState(config) for config in configs], []
    train(together, sample_images, on_epoch=lambda state: seen.append((state.epoch, state.config.seed)))
    for one, other in zip(alone, together):
        assert_equal_bits(one.tensors(), other.tensors())
    assert seen == [(epoch, seed) for epoch in range(1, configs[0].epochs + 1) for seed in (3, 0, 7)]


def test_seeds_that_are_at_different_epochs_catch_up(tiny_config, sample_images):
    configs = [tiny_config("vanilla", epochs=3, seed=seed) for seed in (0, 1)]
    alone = [trained(config, sample_images) for config in configs]
    ahead, behind = (TrainState(config) for config in configs)

    def stop(state):
        if state.epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(ahead, sample_images, on_epoch=stop)
    train([behind, ahead], sample_images)
    for one, other in zip(alone, (ahead, behind)):
        assert_equal_bits(one.tensors(), other.tensors())


@pytest.mark.parametrize(
    "changes, text",
    [([{}, {}], "1 seeds"), ([{}, {"seed": 1, "lr": 0.1}], "2 configs"), ([], "0 states")],
)
def test_states_that_are_no_seeds_of_one_config_are_refused(tiny_config, sample_images, refused, changes, text):
    with refused(text, "each with a seed of its own"):
        train([TrainState(tiny_config("vanilla", **change)) for change in changes], sample_images)


def test_divergence_of_one_of_several_seeds_names_it(tiny_config, sample_images, refused):
    states = [TrainState(tiny_config("vanilla", seed=seed)) for seed in (4, 5)]
    with torch.no_grad():
        next(states[1].d.parameters()).fill_(math.nan)
    with refused("vanilla", "nan", "epoch 1"):
        train(states, sample_images)
    assert states[1].epoch == 0


def test_the_average_that_waits_for_nobody_is_torchs(tiny_config):
    state = TrainState(tiny_config("vanilla", ema=0.7))
    other = copy.deepcopy(state.average)
    for step in range(4):
        with torch.no_grad():
            for parameter in state.g.parameters():
                parameter.add_(torch.randn_like(parameter))
        state.average.update_parameters(state.g)
        loop.follow(other, state.g, 0.7)
        assert other.n_averaged == state.average.n_averaged == step + 1
        for one, two in zip(state.average.module.parameters(), other.module.parameters()):
            torch.testing.assert_close(one, two)


@pytest.mark.parametrize("model", ["vanilla", "dcgan"])
def test_both_moves_with_networks_that_are_compiled(monkeypatch, tiny_config, sample_images, model):
    """As on a GPU, but traced alone: no kernels are made."""
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    config = tiny_config(model, precision="float32")
    plain, compiled = TrainState(config), TrainState(config)
    x_real, z = to_unit(sample_images[: config.batch]), torch.randn(config.batch, config.latent_dim)
    with seeded(0, "dropout"):
        one = loop.both_moves(plain, loss_of(config), x_real, z)
    with seeded(0, "dropout"):
        other = loop.both_moves(compiled, loss_of(config), x_real, z, *loop._compiled(compiled.g, compiled.d))
    torch.testing.assert_close(one, other)


def test_on_a_cpu_how_a_gpu_computes_is_left_alone():
    backends = torch.backends.cudnn
    before = torch.get_float32_matmul_precision(), backends.allow_tf32, backends.deterministic, backends.benchmark
    with kernels("cpu", tf32=True, deterministic=False):
        now = torch.get_float32_matmul_precision(), backends.allow_tf32, backends.deterministic, backends.benchmark
    assert now == before
    with kernels("cuda", tf32=False, deterministic=False):
        assert torch.get_float32_matmul_precision() == "highest" and not backends.allow_tf32
        assert backends.benchmark and not backends.deterministic
    with kernels("cuda", tf32=True, deterministic=True):
        assert torch.get_float32_matmul_precision() == "high" and backends.allow_tf32 and backends.deterministic
    after = torch.get_float32_matmul_precision(), backends.allow_tf32, backends.deterministic, backends.benchmark
    assert after == before


@pytest.mark.parametrize("network", ["g", "d"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("model", MODELS)
def test_divergence_stops_in_one_line(tiny_config, sample_images, refused, model, network, value):
    state = TrainState(tiny_config(model))
    with torch.no_grad():
        next(getattr(state, network).parameters()).fill_(value)
    with refused(model, "nan", "epoch 1", "lr = 0.0002", "smaller lr"):
        train(state, sample_images)
    assert state.epoch == 0


def test_divergence_in_the_middle_of_an_epoch(monkeypatch, tiny_config, sample_images, refused):
    """One infinite loss among finite ones is found too, and the epochs before are kept."""
    calls, real = [], loop.g_step

    def poisoned(*args):
        calls.append(args)
        return real(*args) + (math.inf if len(calls) == 6 else 0)

    monkeypatch.setattr(loop, "g_step", poisoned)
    state = TrainState(tiny_config("vanilla", epochs=3))
    with refused("of G = inf", f"epoch 2, step {6 - state.config.steps}", "earlier epochs are kept"):
        train(state, sample_images)
    assert state.epoch == 1 and state.history[0].isfinite().all() and not state.history[1:].any()


# ----- the generator to sample from


@pytest.mark.parametrize("model", MODELS)
def test_average_is_what_is_sampled(tiny_config, sample_images, model):
    state = trained(tiny_config(model, ema=0.9, examples=16), sample_images)
    for averaged, network in ((state.average, state.average.module), (None, state.g)):
        state.average = averaged
        g = trained_generator(state, n=100)
        assert not g.training and g is not network
        assert_equal_bits(dict(g.named_parameters()), dict(network.named_parameters()))


@pytest.mark.parametrize("config_ema, expected", [(0.0, type(None)), (0.5, torch.optim.swa_utils.AveragedModel)])
def test_average_is_off_by_default(tiny_config, config_ema, expected):
    assert isinstance(TrainState(tiny_config("vanilla", ema=config_ema)).average, expected)


FIRST = {  # the input of the first BatchNorm, and the dimensions to average over
    "vanilla": lambda g, z: (g.main[3], g.main[:3](z), (0,)),
    "dcgan": lambda g, z: (g.conv_blocks[0], g.l1(z).view(-1, 128, 7, 7), (0, 2, 3)),
}


@pytest.mark.parametrize("model", MODELS)
def test_reestimated_statistics_by_hand(tiny_config, model):
    """Of the first BatchNorm: means over the batches of z, with Bessel's correction, as `var` has it."""
    torch.manual_seed(3)
    g = registry.build(tiny_config(model))[0]
    reestimate_batchnorm(g, 100, seed=4, n=200, batch=100)
    with seeded(4, "batchnorm"), torch.no_grad():
        inputs = [FIRST[model](g, torch.randn(100, 100)) for _ in range(2)]
    norm, _, dims = inputs[0]
    torch.testing.assert_close(norm.running_mean, torch.stack([x.mean(dims) for _, x, _ in inputs]).mean(0))
    torch.testing.assert_close(norm.running_var, torch.stack([x.var(dims) for _, x, _ in inputs]).mean(0))


@pytest.mark.parametrize("model", MODELS)
def test_reestimated_generator_draws_as_the_batch_did(tiny_config, sample_images, model):
    """On the z of the statistics, eval mode differs from normalising by the batch in Bessel's correction only."""
    g = trained(tiny_config(model, epochs=1, lr=0.01), sample_images).g.eval()
    with seeded(0, "batchnorm"):
        z = torch.randn(100, 100)
    by_batch = copy.deepcopy(g)
    for m in by_batch.modules():
        if isinstance(m, nn.modules.batchnorm._BatchNorm):
            m.train()
    with torch.no_grad():
        expected, stale = by_batch(z), g(z)
        images = reestimate_batchnorm(g, 100, seed=0, n=100)(z)
    assert (stale - expected).square().mean().sqrt() > 0.05
    assert (images - expected).square().mean().sqrt() < 0.005
    assert images.mean().item() == pytest.approx(expected.mean().item(), abs=0.002)
    assert images.std().item() == pytest.approx(expected.std().item(), rel=0.01)


@pytest.mark.parametrize("model", MODELS)
def test_reestimation_is_deterministic_and_leaves_the_rest(tiny_config, model):
    torch.manual_seed(3)
    g = registry.build(tiny_config(model))[0]
    momenta = [m.momentum for m in g.modules() if hasattr(m, "momentum")]
    parameters = [p.clone() for p in g.parameters()]
    states = []
    for caller in (1, 2):
        torch.manual_seed(caller)
        before = torch.get_rng_state()
        states.append(state_of(reestimate_batchnorm(g, 100, seed=0, n=200)))
        assert torch.equal(torch.get_rng_state(), before)
    assert_equal_bits(*states)
    assert not g.training and not any(m.training for m in g.modules())
    assert [m.momentum for m in g.modules() if hasattr(m, "momentum")] == momenta
    assert all(torch.equal(p, b) for p, b in zip(g.parameters(), parameters, strict=True))
    other = state_of(reestimate_batchnorm(g, 100, seed=1, n=200))
    assert any(not torch.equal(value, other[name]) for name, value in states[0].items())


@pytest.mark.parametrize("n", [1, 50, 150])
def test_reestimation_uses_all_of_a_small_n(tiny_config, n):
    """Fewer vectors than a batch must still be seen, and no more than asked for."""
    torch.manual_seed(3)
    g = registry.build(tiny_config("dcgan"))[0]
    seen = []
    g.l1.register_forward_pre_hook(lambda module, inputs: seen.append(len(inputs[0])))
    reestimate_batchnorm(g, 100, seed=0, n=n)
    assert sum(seen) == n


def test_seeded():
    def draw(*stream):
        with seeded(*stream):
            return torch.randn(4).tolist()

    streams = [(0, "init"), (1, "init"), (0, "epoch", 0), (0, "epoch", 1), (1, "epoch", 0), (0, "batchnorm")]
    assert len({tuple(draw(*stream)) for stream in streams}) == len(streams)
    assert draw(0, "init") == draw(0, "init")
    torch.manual_seed(9)
    expected = torch.randn(4).tolist()
    torch.manual_seed(9)
    with pytest.raises(ZeroDivisionError), seeded(0):
        torch.randn(4)
        raise ZeroDivisionError
    assert torch.randn(4).tolist() == expected
