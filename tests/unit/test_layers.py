"""layers.py changes no result beyond rounding: a layer, its gradients, fifty steps of training, what is saved."""

import copy
import dataclasses
from contextlib import nullcontext

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm
from torch.nn.utils.parametrize import cached

from labkit.base import machine
from labkit.config import config_for
from labkit.data.loading import to_unit
from labkit.gans import dcgan, layers, registry, vanilla
from labkit.training import loop, runs
from labkit.training import state as training_state


def plain_and_fused(*parts):
    plain = nn.Sequential(*parts).double()
    return plain, layers.fuse(copy.deepcopy(plain))


def normalised(norm):
    """Two layers whose weights are normalised by ``norm``."""
    return nn.Sequential(norm(nn.Linear(7, 5)), nn.LeakyReLU(0.2), norm(nn.Linear(5, 1))).double()


def plain_and_folded(c_in=3, c_out=5):
    return plain_and_fused(nn.Upsample(scale_factor=2), nn.Conv2d(c_in, c_out, 3, padding=1))


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
    networks = plain_and_fused(nn.Conv2d(3, 1, 3, padding=1))
    assert "_ToOne" in networks[1](torch.randn(1, 3, 5, 5, dtype=torch.float64)).grad_fn.name()
    assert_same_with_gradients(networks, torch.randn(4, 3, *size, dtype=torch.float64, requires_grad=True))


def test_spectral_norm_equals_torchs_with_gradients_and_state():
    """Over several steps, in training and in eval mode.

    Also where two results wait for their gradients, as those of a GAN's D may.
    """
    networks = normalised(spectral_norm), layers.fuse(normalised(layers.spectral_norm))
    networks[1].load_state_dict(networks[0].state_dict())
    for training in (True, True, False, True):
        for network in networks:
            network.train(training)
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


LAYERS = {
    "folded": lambda: (nn.Upsample(scale_factor=2), nn.Conv2d(2, 3, 3, padding=1)),
    "to one": lambda: (nn.Conv2d(2, 1, 3, padding=1),),
    "spectral norm": lambda: (layers.spectral_norm(nn.Linear(4, 3)),),
    "convolution": lambda: (nn.Conv2d(2, 3, 3, stride=2, padding=1), nn.LeakyReLU(0.2)),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", LAYERS)
def test_second_derivatives_are_right(kind):
    """Against finite differences of the first ones: of the input, and of every parameter."""
    network = layers.fuse(nn.Sequential(*LAYERS[kind]())).double().eval()
    parameters = dict(network.named_parameters())

    def result(x, *values):
        return torch.func.functional_call(network, dict(zip(parameters, values, strict=True)), (x,))

    x = torch.randn(2, 2, 4, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(result, (x, *parameters.values()), atol=1e-7)


@pytest.mark.parametrize("model", ["vanilla", "dcgan"])
def test_a_gradient_penalty_is_that_of_plain_layers(model):
    """The gradient by D's weights of |dD/dx|^2, in float64."""
    plain = registry.build(config_for(model, "smoke"))[1].double()
    fused = layers.fuse(copy.deepcopy(plain))
    x = torch.rand(5, 1, 28, 28, dtype=torch.float64) * 2 - 1
    found = []
    for d in (plain, fused):
        torch.manual_seed(0)  # dropout
        images = x.clone().requires_grad_()
        (slope,) = torch.autograd.grad(d.logits(images).sum(), images, create_graph=True)
        slope.square().sum().backward()
        found.append({name: p.grad for name, p in d.named_parameters() if p.grad is not None})
    assert found[0].keys() == found[1].keys() and len(found[0]) >= 3
    for name, expected in found[0].items():
        torch.testing.assert_close(found[1][name], expected, rtol=1e-9, atol=1e-9, msg=name)


def test_a_copy_of_a_fused_discriminator_is_another():
    d = layers.fuse(vanilla.VanillaDiscriminator())
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
    for i, j in layers.FOLD.nonzero().tolist():
        broken = layers.FOLD.clone()
        broken[i, j] = 0
        monkeypatch.setattr(layers, "FOLD", broken)
        assert (folded(x) - plain(x)).abs().max() > 1e-3


def test_print_shows_the_layers_of_the_lab_and_that_they_are_fused():
    g = dcgan.DCGANGenerator()
    text, keys = str(g), list(g.state_dict())
    weights = copy.deepcopy(g.state_dict())
    g = layers.fuse(g)
    assert str(g) != text and str(g).replace("FusedSequential(", "Sequential(") == text
    assert list(g.state_dict()) == keys
    g.load_state_dict(weights)
    assert str(layers.plain(g)) == text


@pytest.mark.parametrize("model", ["vanilla", "dcgan"])
def test_each_layer_called_alone_does_what_it_is_called(model):
    """Layer by layer, and with hooks on every layer, a fused network gives what the plain one does."""
    for network, x in zip(
        registry.build(config_for(model, "smoke")), (torch.randn(2, 100), torch.rand(2, 1, 28, 28)), strict=True
    ):
        plain, fused = network.eval(), layers.fuse(copy.deepcopy(network)).eval()
        expected, seen = {}, {}
        for into, whole in ((expected, plain), (seen, fused)):
            for name, layer in whole.named_modules():
                if not isinstance(layer, nn.Sequential) and layer is not whole and "parametrizations" not in name:
                    layer.register_forward_hook(
                        lambda _, args, out, name=name, into=into: into.update({name: (args[0].clone(), out.clone())})
                    )
        with torch.no_grad():
            torch.testing.assert_close(fused(x), plain(x), rtol=1e-4, atol=1e-5)
        assert list(seen) == list(expected) and len(seen) > 5
        for name, (came, gave) in expected.items():
            torch.testing.assert_close(seen[name], (came, gave), rtol=1e-4, atol=1e-5, msg=name)
            alone = layers.fuse(copy.deepcopy(network)).eval().get_submodule(name)
            with torch.no_grad():
                kept = came.clone()
                torch.testing.assert_close(alone(came), gave, rtol=1e-4, atol=1e-5, msg=name)
            assert torch.equal(came, kept), name


def test_what_cannot_be_fused_is_computed_as_it_is():
    """Other paddings, scales, biases and kinds of layer, and a first layer that works in place elsewhere."""
    parts = [
        nn.LeakyReLU(0.2),
        nn.Upsample(scale_factor=2, mode="bilinear"),
        nn.Conv2d(2, 4, 3, padding=1, bias=False),
        nn.Upsample(scale_factor=2),
        nn.Conv2d(4, 4, 5, padding=2),
        nn.Upsample(scale_factor=3),
        nn.Conv2d(4, 4, 3, padding=1, groups=2),
        nn.Upsample(scale_factor=2),
        nn.Conv2d(4, 1, 3, padding=1, padding_mode="reflect"),
        nn.GroupNorm(1, 1),
        nn.ConvTranspose2d(1, 1, 2),
        nn.Upsample(scale_factor=2),
    ]
    plain, fused = plain_and_fused(*parts)
    x = torch.randn(2, 2, 3, 3, dtype=torch.float64)
    kept = x.clone()
    torch.testing.assert_close(fused(x), plain(x), rtol=1e-11, atol=1e-11)
    assert torch.equal(x, kept)
    half = layers.fuse(copy.deepcopy(plain).float(), torch.bfloat16)
    assert (half(x.float()) - plain(x)).abs().max() < 0.1


def test_a_fused_generator_never_makes_the_upsampled_tensor_and_survives_deepcopy(monkeypatch):
    """A copy computes with its own weights."""
    g = layers.fuse(dcgan.DCGANGenerator().eval())
    twin = copy.deepcopy(g)
    with torch.no_grad():
        for p in twin.parameters():
            p.add_(0.01)
        z = torch.randn(2, 100)
        reference = dcgan.DCGANGenerator().eval()
        reference.load_state_dict(twin.state_dict())
        expected = reference(z)
        monkeypatch.setattr(nn.Upsample, "forward", lambda *_: pytest.fail("upsampled"))
        torch.testing.assert_close(twin(z), expected, rtol=1e-4, atol=1e-5)
        assert (twin(z) - g(z)).abs().max() > 1e-3


@pytest.fixture
def double(monkeypatch):
    """Train in float64: rounding is then 1e-16, and fifty steps of a game do not blow it up to a visible size."""
    monkeypatch.setattr(loop, "to_unit", lambda images: to_unit(images).double())
    torch.set_default_dtype(torch.float64)
    monkeypatch.setattr(machine, "DTYPE", "float64")
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["vanilla", "dcgan"])
def test_fifty_steps_with_and_without(model, sample_images, monkeypatch, double):
    """Same noise, same batches, float64: losses and weights agree to 1e-8."""
    config = config_for(
        model, "smoke", epochs=2, examples=200, batch=8, precision="float32"
    )  # here: that of the weights
    states = []
    for fused in (True, False):
        if not fused:
            monkeypatch.setattr(training_state, "fuse", lambda network, dtype=None: layers.plain(network))
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
    half = layers.fuse(copy.deepcopy(exact), torch.bfloat16)
    z, weight = torch.randn(16, 100), torch.randn(16, 1, 28, 28)
    images = []
    for g in (exact, half):
        torch.manual_seed(1)  # dropout
        images.append(g(z))
        (images[-1] * weight).sum().backward()
    assert images[1].dtype == torch.float32
    assert 1e-5 < (images[0] - images[1]).abs().max() < 0.02
    for (name, p), q in zip(exact.named_parameters(), half.parameters(), strict=True):
        assert q.grad.dtype == torch.float32
        if p.grad.norm() > 1e-4:  # not so for a bias before BatchNorm: rounding of 0
            assert (p.grad - q.grad).norm() < 0.2 * p.grad.norm(), name


@pytest.mark.parametrize(
    ("amx", "avx512_bf16", "expected"), [(1, 0, "bfloat16"), (0, 1, "bfloat16"), (0, 0, "float32")]
)
def test_auto_is_bfloat16_where_a_cpu_multiplies_it(monkeypatch, amx, avx512_bf16, expected):
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512_bf16)
    assert training_state.precision("auto", "cpu") == expected
    assert training_state.precision("auto", "cuda") == "float32"  # not measured there
    assert [training_state.precision(wanted, "cpu") for wanted in ("float32", "bfloat16")] == ["float32", "bfloat16"]


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["bfloat16", "float32"])
@pytest.mark.parametrize(("model", "block"), [("vanilla", "main"), ("dcgan", "conv_blocks")])
def test_a_generator_trains_in_the_precision_and_is_sampled_in_float32(
    model, block, precision, sample_images, tmp_path
):
    config = config_for(model, "smoke", epochs=1, examples=16, batch=8, precision=precision)
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


GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here: CUDA graphs are not tested")


def seeds_of(model, seeds, **changes):
    """States of a short training on the GPU, one for each of ``seeds``."""
    config = config_for(model, "smoke", epochs=2, examples=200, batch=8, **changes)
    return [training_state.TrainState(dataclasses.replace(config, seed=seed), "cuda") for seed in seeds]


@GPU
@pytest.mark.parametrize("model", ["vanilla", "dcgan"])
def test_cuda_graph_equals_eager(model, sample_images, monkeypatch, capsys):
    states = []
    for graph in (True, False):
        if not graph:
            monkeypatch.setattr(loop.Desk, "record", lambda desk: False)
        states += seeds_of(model, [0], ema=0.9)
        loop.train(states[-1], sample_images.cuda())
    assert "no CUDA graph" not in capsys.readouterr().err
    torch.testing.assert_close(states[0].history, states[1].history, rtol=2e-3, atol=2e-3)
    for own, other in zip(states[0].average.parameters(), states[1].average.parameters()):
        torch.testing.assert_close(own, other, rtol=2e-2, atol=2e-3)


@GPU
@pytest.mark.parametrize("model", ["vanilla", "dcgan"])
def test_seeds_as_branches_of_one_cuda_graph_are_what_they_are_alone(model, sample_images, capsys):
    images = sample_images.cuda()
    together, alone = seeds_of(model, [3, 4, 5]), seeds_of(model, [3, 4, 5])
    loop.train(together, images)
    for state in alone:
        loop.train(state, images)
    assert "no CUDA graph" not in capsys.readouterr().err
    for one, other in zip(together, alone):
        torch.testing.assert_close(one.history, other.history, rtol=2e-3, atol=2e-3)
    assert not torch.allclose(together[0].history, together[1].history)


@GPU
@pytest.mark.parametrize("model", ["vanilla", "dcgan"])
def test_a_gpu_gives_the_same_bits_twice(model, sample_images):
    twice = [seeds_of(model, [1, 2]) for _ in range(2)]
    for states in twice:
        loop.train(states, sample_images.cuda())
    for one, other in zip(*twice):
        assert torch.equal(one.history, other.history)


@GPU
@pytest.mark.parametrize("model", ["vanilla", "dcgan"])
def test_compiled_networks_learn_the_same(model, sample_images):
    plain, compiled = (seeds_of(model, [0], compile=compile)[0] for compile in (False, True))
    for state in (plain, compiled):
        loop.train(state, sample_images.cuda())
    torch.testing.assert_close(plain.history[0, :3], compiled.history[0, :3], rtol=2e-2, atol=2e-2)


@GPU
def test_recording_leaves_the_state_alone(sample_images):
    (state,) = seeds_of("dcgan", [0], ema=0.9)
    before = copy.deepcopy(state.tensors())
    assert loop.Desk([state], sample_images.cuda()).record()
    after = state.tensors()
    for key, value in before.items():
        assert torch.equal(after[key], value), key
