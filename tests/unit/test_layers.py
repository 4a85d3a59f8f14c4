"""fast.py changes no result beyond rounding: the layer, its gradients, fifty steps of training, what is saved."""

import copy
from contextlib import nullcontext

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm
from torch.nn.utils.parametrize import cached

from labkit.config import config_for
from labkit.data.loading import to_unit
from labkit.gans import dcgan, registry, vanilla
from labkit.gans import layers as gans_layers
from labkit.training import loop, runs
from labkit.training import state as training_state


def plain_and_arranged(*layers):
    plain = nn.Sequential(*layers).double()
    return plain, gans_layers.arrange(copy.deepcopy(plain))


def plain_and_folded(c_in=3, c_out=5):
    return plain_and_arranged(nn.Upsample(scale_factor=2), nn.Conv2d(c_in, c_out, 3, padding=1))


def assert_same_with_gradients(networks, x):
    """Same results, and same gradients of ``x`` and of every parameter for any gradient that comes in."""
    outs = [network(x) for network in networks]
    torch.testing.assert_close(*outs, rtol=1e-12, atol=1e-12)
    weight = torch.randn_like(outs[0])
    grads = [torch.autograd.grad((out * weight).sum(), [x, *net.parameters()]) for out, net in zip(outs, networks)]
    for expected, actual in zip(*grads, strict=True):
        torch.testing.assert_close(actual, expected, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (7, 7), (14, 14)])
def test_folded_layer_equals_plain_layer_with_gradients(size):
    assert_same_with_gradients(plain_and_folded(), torch.randn(4, 3, *size, dtype=torch.float64, requires_grad=True))


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (28, 28)])
def test_convolution_to_one_equals_plain_convolution_with_gradients(size):
    networks = plain_and_arranged(nn.Conv2d(3, 1, 3, padding=1))
    assert "_ToOne" in networks[1](torch.randn(1, 3, 5, 5, dtype=torch.float64)).grad_fn.name()
    assert_same_with_gradients(networks, torch.randn(4, 3, *size, dtype=torch.float64, requires_grad=True))


def test_spectral_norm_equals_torchs_with_gradients_and_state():
    """Over several steps, in training and in eval mode; and where two results wait for their gradients, as those of a GAN's D may."""
    networks = plain_and_arranged(spectral_norm(nn.Linear(7, 5)), nn.LeakyReLU(0.2), spectral_norm(nn.Linear(5, 1)))
    for training in (True, True, False, True):
        for network in networks:
            network.train(loop)
        assert_same_with_gradients(networks, torch.randn(4, 7, dtype=torch.float64, requires_grad=True))
        torch.testing.assert_close(networks[1].state_dict(), networks[0].state_dict(), rtol=1e-12, atol=1e-12)
    x_real, x_fake = torch.randn(2, 4, 7, dtype=torch.float64)
    for once in (True, False):
        for network in networks:
            network.zero_grad()
            with cached() if once else nullcontext():
                loss = network(x_real).square().sum() - network(x_fake).square().sum()
            loss.backward()
        for expected, actual in zip(*(network.parameters() for network in networks), strict=True):
            torch.testing.assert_close(actual.grad, expected.grad, rtol=1e-11, atol=1e-11)
    assert "_DivideBySigma" in networks[1][0].weight.grad_fn.name()


@pytest.mark.parametrize(
    "layers",
    [(nn.Upsample(scale_factor=2), nn.Conv2d(3, 5, 3, padding=1)), (nn.Conv2d(3, 1, 3, padding=1),), (spectral_norm(nn.Linear(4, 5)),)],
    ids=["folded", "to one", "spectral norm"],
)
def test_a_second_derivative_is_refused_not_wrong(layers):
    network, x = plain_and_arranged(*layers)[1], torch.randn(2, 3, 4, 4, dtype=torch.float64)
    grad = torch.autograd.grad(network(x).square().sum(), list(network.parameters())[-1], create_graph=True)[0]
    with pytest.raises(RuntimeError, match="once_differentiable"):
        grad.sum().backward()


def test_a_copy_of_an_arranged_discriminator_is_another():
    d = gans_layers.arrange(vanilla.VanillaDiscriminator())
    twin, x = copy.deepcopy(d), torch.randn(4, 1, 28, 28)
    before = copy.deepcopy(d.state_dict())
    with torch.no_grad():
        twin.features[0].parametrizations.weight.original.add_(1)
    twin.logits(x).sum().backward()
    torch.testing.assert_close(d.state_dict(), before, rtol=0, atol=0)
    assert all(p.grad is None for p in d.parameters()) and all(p.grad is not None for p in twin.parameters())


def test_every_entry_of_the_fold_matters(monkeypatch):
    """Removing any of the six ones of FOLD breaks the equality."""
    plain, folded = plain_and_folded()
    x = torch.randn(2, 3, 5, 5, dtype=torch.float64)
    for i, j in gans_layers.FOLD.nonzero().tolist():
        broken = gans_layers.FOLD.clone()
        broken[i, j] = 0
        monkeypatch.setattr(gans_layers, "FOLD", broken)
        assert (folded(x) - plain(x)).abs().max() > 1e-3


def test_print_names_and_weights_stay():
    g = dcgan.DCGANGenerator()
    text, keys = str(g), list(g.state_dict())
    weights = copy.deepcopy(g.state_dict())
    gans_layers.arrange(g)
    assert str(g) == text and list(g.state_dict()) == keys
    g.load_state_dict(weights)


def test_folded_generator_is_used_and_survives_deepcopy():
    """A copy computes with its own weights, and both never make the upsampled tensor."""
    g = gans_layers.arrange(dcgan.DCGANGenerator().eval())
    twin = copy.deepcopy(g)
    with torch.no_grad():
        for p in twin.parameters():
            p.add_(0.01)
        z = torch.randn(2, 100)
        reference = dcgan.DCGANGenerator().eval()
        reference.load_state_dict(twin.state_dict())
        torch.testing.assert_close(twin(z), reference(z), rtol=1e-4, atol=1e-5)
        assert (twin(z) - g(z)).abs().max() > 1e-3
        assert g.conv_blocks[1](torch.zeros(1, 128, 7, 7)).shape[-1] == 7


@pytest.fixture
def double(monkeypatch):
    """Train in float64: rounding is then 1e-16, and fifty steps of a game do not blow it up to a visible size."""
    monkeypatch.setattr(loop, "to_unit", lambda images: to_unit(images).double())
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("model", ["vanilla", "dcgan"])
def test_fifty_steps_with_and_without(model, sample_images, monkeypatch, double):
    """Same noise, same batches, float64: losses and weights agree to 1e-8."""
    config = config_for(model, "smoke", epochs=2, examples=200, batch=8, precision="float32")  # here: that of the weights
    states = []
    for arranged in (True, False):
        if not arranged:
            monkeypatch.setattr(gans_layers, "arrange", lambda network, dtype=None: network)
        states.append(training_state.TrainState(config))
        loop.train(states[-1], sample_images)
    fastest, plain = states
    assert fastest.history.flatten(0, 1).shape[0] == 50
    tolerance = {"rtol": 0, "atol": 1e-8}
    torch.testing.assert_close(fastest.history, plain.history, **tolerance)
    for name in ("g", "d"):
        expected = getattr(plain, name).state_dict()
        for key, value in getattr(fastest, name).state_dict().items():
            torch.testing.assert_close(value, expected[key], **tolerance)


@pytest.mark.parametrize("model", ["vanilla", "dcgan"])
def test_in_bfloat16_images_and_gradients_are_the_same_to_its_rounding(model):
    """Gradients within a fifth of their size (seen: up to 0.1, as LeakyReLU's kink is passed on another side)."""
    torch.manual_seed(0)
    exact = registry.build(config_for(model, "smoke"))[0]
    half = gans_layers.arrange(copy.deepcopy(exact), torch.bfloat16)
    z, weight = torch.randn(16, 100), torch.randn(16, 1, 28, 28)
    images = []
    for g in (exact, half):
        torch.manual_seed(1)  # dropout
        images.append(g(z))
        (images[-1] * weight).sum().backward()
    assert images[1].dtype == torch.float32
    assert 1e-5 < (images[0] - images[1]).abs().max() < 0.02
    for (name, p), q in zip(exact.named_parameters(), half.parameters()):
        assert q.grad.dtype == torch.float32
        if p.grad.norm() > 1e-4:  # not so for a bias before BatchNorm: rounding of 0
            assert (p.grad - q.grad).norm() < 0.2 * p.grad.norm(), name


@pytest.mark.parametrize(("amx", "avx512_bf16", "expected"), [(1, 0, "bfloat16"), (0, 1, "bfloat16"), (0, 0, "float32")])
def test_auto_is_bfloat16_where_a_cpu_multiplies_it(monkeypatch, amx, avx512_bf16, expected):
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512_bf16)
    assert gans_layers.precision("auto", "cpu") == expected
    assert gans_layers.precision("auto", "cuda") == "float32"  # not measured there
    assert [gans_layers.precision(wanted, "cpu") for wanted in ("float32", "bfloat16")] == ["float32", "bfloat16"]


@pytest.mark.parametrize("precision", ["bfloat16", "float32"])
@pytest.mark.parametrize(("model", "block"), [("vanilla", "main"), ("dcgan", "conv_blocks")])
def test_a_generator_trains_in_the_precision_and_is_sampled_in_float32(model, block, precision, sample_images, tmp_path):
    config = config_for(model, "smoke", epochs=1, examples=64, batch=8, precision=precision)
    run = runs.fit_or_load(config, "cpu", tmp_path, sample_images)
    assert run.manifest["machine"]["precision"] == precision
    assert all(tensor.dtype != torch.bfloat16 for tensor in run.generator_state.values())
    state = training_state.TrainState(config)
    assert state.d.embed(torch.zeros(4, 1, 28, 28)).dtype == torch.float32
    kinds = []
    for g in (state.g.train(), training_state.trained_generator(state, 100), run.generator()):
        getattr(g, block)[3].register_forward_hook(lambda layer, args, out: kinds.append(out.dtype))
        g(torch.randn(4, 100))
    assert kinds == [getattr(torch, precision), torch.float32, torch.float32]


def test_on_a_cpu_the_step_itself_is_returned():
    step = object()
    assert loop.captured(step, None, torch.zeros(1), torch.zeros(1)) is step


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here: CUDA graphs are not tested")
@pytest.mark.parametrize("model", ["vanilla", "dcgan"])
def test_cuda_graph_equals_eager(model, sample_images, monkeypatch, capsys):
    config = config_for(model, "smoke", epochs=2, examples=200, batch=8)
    states = []
    for graph in (True, False):
        if not graph:
            monkeypatch.setattr(loop, "captured", lambda step, state, x, z: step)
        states.append(training_state.TrainState(config, "cuda"))
        loop.train(states[-1], sample_images.cuda())
    assert "no CUDA graph" not in capsys.readouterr().err
    torch.testing.assert_close(states[0].history, states[1].history, rtol=2e-3, atol=2e-3)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here: CUDA graphs are not tested")
def test_capture_leaves_the_state_alone():
    config = config_for("dcgan", "smoke")
    state = training_state.TrainState(config, "cuda")
    before = copy.deepcopy(state.tensors())

    def step(x, z):
        fake = state.g(z)
        loop.d_step(state.d, state.opt_d, x, fake)
        return loop.g_step(state.d, state.opt_g, x, fake)

    loop.captured(step, state, to_unit(torch.zeros(8, 28, 28, dtype=torch.uint8)).cuda(), torch.zeros(8, 100).cuda())
    after = state.tensors()
    for key, value in before.items():
        assert torch.equal(after[key], value), key
