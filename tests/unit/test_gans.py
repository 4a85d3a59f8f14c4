"""The four networks are the report's, layer for layer, and compute what they print."""

import re
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch
from project_copy import clean_environment
from torch import nn

import labkit
from labkit import latent
from labkit.base import paths
from labkit.base.errors import LabError
from labkit.base.rng import seeded
from labkit.config import config_for
from labkit.gans import GANS, build, registry, reported
from labkit.gans.dcgan import DCGANDiscriminator, DCGANGenerator
from labkit.gans.description import describe
from labkit.gans.registry import GAN, register
from labkit.gans.vanilla import VanillaDiscriminator, VanillaGenerator
from labkit.training import runs
from labkit.training.loop import train
from labkit.training.state import TrainState

NETWORKS = [VanillaGenerator, VanillaDiscriminator, DCGANGenerator, DCGANDiscriminator]
GENERATORS, DISCRIMINATORS = NETWORKS[::2], NETWORKS[1::2]


def some_input(network, n=6):
    return torch.randn(n, 100) if network in GENERATORS else torch.rand(n, 1, 28, 28) * 2 - 1


PRINTED = {
    VanillaGenerator: """\
VanillaGenerator(
  (main): Sequential(
    (0): Linear(in_features=100, out_features=128, bias=True)
    (1): LeakyReLU(negative_slope=0.2)
    (2): Linear(in_features=128, out_features=256, bias=True)
    (3): BatchNorm1d(256, eps=0.8, momentum=0.1, affine=True, track_running_stats=True)
    (4): LeakyReLU(negative_slope=0.2)
    (5): Dropout(p=0.2, inplace=False)
    (6): Linear(in_features=256, out_features=512, bias=True)
    (7): BatchNorm1d(512, eps=0.8, momentum=0.1, affine=True, track_running_stats=True)
    (8): LeakyReLU(negative_slope=0.2)
    (9): Dropout(p=0.2, inplace=False)
    (10): Linear(in_features=512, out_features=1024, bias=True)
    (11): BatchNorm1d(1024, eps=0.8, momentum=0.1, affine=True, track_running_stats=True)
    (12): LeakyReLU(negative_slope=0.2)
    (13): Dropout(p=0.2, inplace=False)
  )
  (shortcut): Sequential(
    (0): Linear(in_features=100, out_features=1024, bias=True)
    (1): BatchNorm1d(1024, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)
  )
  (output): Sequential(
    (0): Linear(in_features=1024, out_features=784, bias=True)
    (1): Tanh()
  )
)""",
    VanillaDiscriminator: """\
VanillaDiscriminator(
  (features): Sequential(
    (0): ParametrizedLinear(
      in_features=784, out_features=512, bias=True
      (parametrizations): ModuleDict(
        (weight): ParametrizationList(
          (0): SpectralNorm()
        )
      )
    )
    (1): LeakyReLU(negative_slope=0.2)
    (2): Dropout(p=0.3, inplace=False)
    (3): ParametrizedLinear(
      in_features=512, out_features=256, bias=True
      (parametrizations): ModuleDict(
        (weight): ParametrizationList(
          (0): SpectralNorm()
        )
      )
    )
    (4): LeakyReLU(negative_slope=0.2)
    (5): Dropout(p=0.3, inplace=False)
  )
  (classifier): Sequential(
    (0): ParametrizedLinear(
      in_features=256, out_features=1, bias=True
      (parametrizations): ModuleDict(
        (weight): ParametrizationList(
          (0): SpectralNorm()
        )
      )
    )
    (1): Sigmoid()
  )
)""",
    DCGANGenerator: """\
DCGANGenerator(
  (l1): Sequential(
    (0): Linear(in_features=100, out_features=6272, bias=True)
  )
  (conv_blocks): Sequential(
    (0): BatchNorm2d(128, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)
    (1): Upsample(scale_factor=2.0, mode='nearest')
    (2): Conv2d(128, 128, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))
    (3): BatchNorm2d(128, eps=0.8, momentum=0.1, affine=True, track_running_stats=True)
    (4): LeakyReLU(negative_slope=0.2)
    (5): Upsample(scale_factor=2.0, mode='nearest')
    (6): Conv2d(128, 64, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))
    (7): BatchNorm2d(64, eps=0.8, momentum=0.1, affine=True, track_running_stats=True)
    (8): LeakyReLU(negative_slope=0.2)
    (9): Conv2d(64, 1, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))
    (10): Tanh()
  )
)""",
    DCGANDiscriminator: """\
DCGANDiscriminator(
  (model): Sequential(
    (0): Conv2d(1, 16, kernel_size=(3, 3), stride=(2, 2), padding=(1, 1))
    (1): LeakyReLU(negative_slope=0.2)
    (2): Dropout2d(p=0.25, inplace=False)
    (3): Conv2d(16, 32, kernel_size=(3, 3), stride=(2, 2), padding=(1, 1))
    (4): LeakyReLU(negative_slope=0.2)
    (5): Dropout2d(p=0.25, inplace=False)
    (6): BatchNorm2d(32, eps=0.8, momentum=0.1, affine=True, track_running_stats=True)
    (7): Conv2d(32, 64, kernel_size=(3, 3), stride=(2, 2), padding=(1, 1))
    (8): LeakyReLU(negative_slope=0.2)
    (9): Dropout2d(p=0.25, inplace=False)
    (10): BatchNorm2d(64, eps=0.8, momentum=0.1, affine=True, track_running_stats=True)
    (11): Conv2d(64, 128, kernel_size=(3, 3), stride=(2, 2), padding=(1, 1))
    (12): LeakyReLU(negative_slope=0.2)
    (13): Dropout2d(p=0.25, inplace=False)
    (14): BatchNorm2d(128, eps=0.8, momentum=0.1, affine=True, track_running_stats=True)
  )
  (adv_layer): Sequential(
    (0): Linear(in_features=512, out_features=1, bias=True)
    (1): Sigmoid()
  )
)""",
}


@pytest.mark.parametrize("network", NETWORKS)
def test_printed_structure(network):
    """Newer torch prints `bias=True` within a BatchNorm; that alone is left out."""
    assert re.sub(r"(BatchNorm.*), bias=True", r"\1", str(network())) == PRINTED[network]


def linear(n_in, n_out):
    return n_in * n_out + n_out


def conv(n_in, n_out):
    return n_in * n_out * 9 + n_out


COUNTS = {
    VanillaGenerator: linear(100, 128) + linear(128, 256) + linear(256, 512) + linear(512, 1024) + linear(100, 1024)
    + linear(1024, 784) + 2 * (256 + 512 + 1024 + 1024),
    VanillaDiscriminator: linear(784, 512) + linear(512, 256) + linear(256, 1),
    DCGANGenerator: linear(100, 6272) + conv(128, 128) + conv(128, 64) + conv(64, 1) + 2 * (128 + 128 + 64),
    DCGANDiscriminator: conv(1, 16) + conv(16, 32) + conv(32, 64) + conv(64, 128) + linear(512, 1)
    + 2 * (32 + 64 + 128),
}  # fmt: skip


@pytest.mark.parametrize("network", NETWORKS)
def test_parameter_count(network):
    assert sum(p.numel() for p in network().parameters()) == COUNTS[network]


@pytest.mark.parametrize("model, g, d", [("vanilla", *NETWORKS[:2]), ("dcgan", *NETWORKS[2:])])
@pytest.mark.parametrize("latent_dim", [100, 7])
def test_build(tiny_config, model, g, d, latent_dim):
    built = registry.build(tiny_config(model, latent_dim=latent_dim))
    assert [type(network) for network in built] == [g, d]
    images = built[0](torch.randn(3, latent_dim))
    assert images.shape == (3, 1, 28, 28) and built[1](images).shape == (3, 1)


@pytest.mark.parametrize("network", GENERATORS)
def test_images_fill_the_range_of_tanh(network):
    g = network()
    with torch.no_grad():
        images = g(torch.randn(16, 100) * 100)
        assert images.shape == (16, 1, 28, 28) and images.dtype == torch.float32
        assert images.abs().max() <= 1
        last = [m for m in g.modules() if isinstance(m, (nn.Linear, nn.Conv2d))][-1]
        last.weight.mul_(1000)
        images = g(torch.randn(16, 100))
        assert images.max() == 1 and images.min() == -1


@pytest.mark.parametrize("network", DISCRIMINATORS)
def test_discriminator(network):
    """D is the sigmoid of its logits; both read the embedding through the last linear layer."""
    torch.manual_seed(0)
    d, x = network().eval(), some_input(network)
    last = [m for m in d.modules() if isinstance(m, nn.Linear)][-1]
    with torch.no_grad():
        embedding, logits = d.embed(x), d.logits(x)
        assert embedding.shape == (6, last.in_features) and logits.shape == (6, 1)
        assert logits.std() > 1e-4
        torch.testing.assert_close(d(x), 1 / (1 + torch.exp(-logits)))
        torch.testing.assert_close(logits, embedding @ last.weight.T + last.bias)


def leaky(x):
    return torch.where(x > 0, x, 0.2 * x)


def batchnorm(layer, x, eps):
    return (x - layer.running_mean) / (layer.running_var + eps).sqrt() * layer.weight + layer.bias


def test_residual_connection_by_hand():
    """The whole vanilla generator in eval mode, from its weights, with running statistics that make eps matter."""
    torch.manual_seed(0)
    g = VanillaGenerator().eval().double()
    for layer in g.modules():
        if isinstance(layer, nn.BatchNorm1d):
            layer.running_mean.normal_(0, 0.1)
            layer.running_var.uniform_(0.01, 0.5)
            nn.init.normal_(layer.weight, 1, 0.2)
            nn.init.normal_(layer.bias, 0, 0.2)
    z = torch.randn(5, 100, dtype=torch.float64)
    with torch.no_grad():
        h = leaky(z @ g.main[0].weight.T + g.main[0].bias)
        for i in (2, 6, 10):
            h = leaky(batchnorm(g.main[i + 1], h @ g.main[i].weight.T + g.main[i].bias, 0.8))
        short = batchnorm(g.shortcut[1], z @ g.shortcut[0].weight.T + g.shortcut[0].bias, 1e-5)
        expected = torch.tanh((h + short) @ g.output[0].weight.T + g.output[0].bias)
        torch.testing.assert_close(g(z).flatten(1), expected)


def test_dcgan_generator_by_hand():
    """Nearest upsampling repeats every pixel; the rest from torch's functions."""
    torch.manual_seed(0)
    g = DCGANGenerator().eval().double()
    blocks = g.conv_blocks
    for i in (0, 3, 7):
        blocks[i].running_mean.normal_(0, 0.1)
        blocks[i].running_var.uniform_(0.01, 0.5)
    z = torch.randn(3, 100, dtype=torch.float64)

    def norm(layer, x, eps):
        return batchnorm(layer, x.movedim(1, -1), eps).movedim(-1, 1)

    def upsample(x):
        return x.repeat_interleave(2, -1).repeat_interleave(2, -2)

    def conv(layer, x):
        return nn.functional.conv2d(x, layer.weight, layer.bias, padding=1)

    with torch.no_grad():
        h = norm(blocks[0], (z @ g.l1[0].weight.T + g.l1[0].bias).reshape(3, 128, 7, 7), 1e-5)
        h = leaky(norm(blocks[3], conv(blocks[2], upsample(h)), 0.8))
        h = leaky(norm(blocks[7], conv(blocks[6], upsample(h)), 0.8))
        torch.testing.assert_close(g(z), torch.tanh(conv(blocks[9], h)))


def test_spectral_norm():
    """Fresh linear layers happen to have norms near 1, so the raw weights are first made seven times larger."""
    torch.manual_seed(0)
    d = VanillaDiscriminator()
    layers = [d.features[0], d.features[3], d.classifier[0]]
    with torch.no_grad():
        for layer in layers:
            layer.parametrizations.weight.original.mul_(7)
        for _ in range(30):
            d(some_input(VanillaDiscriminator))
        d.eval()
        for layer in layers:
            assert torch.linalg.svdvals(layer.parametrizations.weight.original)[0] > 3
            assert torch.linalg.svdvals(layer.weight)[0] == pytest.approx(1, abs=0.02)


def test_dcgan_initial_weights(tiny_config):
    """N(0, 0.02) and N(1, 0.02), each within five standard errors; linear layers and biases as torch makes them."""
    torch.manual_seed(0)
    g, d = registry.build(tiny_config("dcgan"))
    layers = [*g.modules(), *d.modules()]
    weights = torch.cat([m.weight.flatten() for m in layers if isinstance(m, nn.Conv2d)]).double()
    gains = torch.cat([m.weight for m in layers if isinstance(m, nn.BatchNorm2d)]).double()
    for values, mean in ((weights, 0), (gains, 1)):
        n = len(values)
        assert values.mean().item() == pytest.approx(mean, abs=5 * 0.02 / n**0.5)
        assert values.std().item() == pytest.approx(0.02, rel=5 / (2 * n) ** 0.5)
    assert len(weights) == 128 * 128 * 9 + 128 * 64 * 9 + 64 * 9 + (16 + 16 * 32 + 32 * 64 + 64 * 128) * 9
    assert len(gains) == 128 + 128 + 64 + 32 + 64 + 128
    assert not any(m.bias.any() for m in layers if isinstance(m, nn.BatchNorm2d))
    assert g.l1[0].weight.abs().max().item() == pytest.approx(0.1, rel=1e-3)  # U(-1/sqrt(100), 1/sqrt(100))


def test_vanilla_keeps_torchs_initial_weights(tiny_config):
    torch.manual_seed(0)
    built = registry.build(tiny_config("vanilla"))
    torch.manual_seed(0)
    for network, fresh in zip(built, (VanillaGenerator(), VanillaDiscriminator()), strict=True):
        state, expected = network.state_dict(), fresh.state_dict()
        assert state.keys() == expected.keys()
        assert all(torch.equal(state[name], expected[name]) for name in state)


# name, part, label, output shape, parameters
DESCRIBED = {
    VanillaGenerator: [
        ("main.0", "main", "Linear", (128,), 12_928),
        ("main.1", "main", "LeakyReLU 0.2", (128,), 0),
        ("main.2", "main", "Linear", (256,), 33_024),
        ("main.3", "main", "BatchNorm1d eps 0.8", (256,), 512),
        ("main.4", "main", "LeakyReLU 0.2", (256,), 0),
        ("main.5", "main", "Dropout 0.2", (256,), 0),
        ("main.6", "main", "Linear", (512,), 131_584),
        ("main.7", "main", "BatchNorm1d eps 0.8", (512,), 1_024),
        ("main.8", "main", "LeakyReLU 0.2", (512,), 0),
        ("main.9", "main", "Dropout 0.2", (512,), 0),
        ("main.10", "main", "Linear", (1024,), 525_312),
        ("main.11", "main", "BatchNorm1d eps 0.8", (1024,), 2_048),
        ("main.12", "main", "LeakyReLU 0.2", (1024,), 0),
        ("main.13", "main", "Dropout 0.2", (1024,), 0),
        ("shortcut.0", "shortcut", "Linear", (1024,), 103_424),
        ("shortcut.1", "shortcut", "BatchNorm1d eps 1e-05", (1024,), 2_048),
        ("output.0", "output", "Linear", (784,), 803_600),
        ("output.1", "output", "Tanh", (784,), 0),
    ],
    VanillaDiscriminator: [
        ("features.0", "features", "Linear, spectral norm", (512,), 401_920),
        ("features.1", "features", "LeakyReLU 0.2", (512,), 0),
        ("features.2", "features", "Dropout 0.3", (512,), 0),
        ("features.3", "features", "Linear, spectral norm", (256,), 131_328),
        ("features.4", "features", "LeakyReLU 0.2", (256,), 0),
        ("features.5", "features", "Dropout 0.3", (256,), 0),
        ("classifier.0", "classifier", "Linear, spectral norm", (1,), 257),
        ("classifier.1", "classifier", "Sigmoid", (1,), 0),
    ],
    DCGANGenerator: [
        ("l1.0", "l1", "Linear", (6272,), 633_472),
        ("conv_blocks.0", "conv_blocks", "BatchNorm2d eps 1e-05", (128, 7, 7), 256),
        ("conv_blocks.1", "conv_blocks", "Upsample ×2 nearest", (128, 14, 14), 0),
        ("conv_blocks.2", "conv_blocks", "Conv2d 3×3, stride 1", (128, 14, 14), 147_584),
        ("conv_blocks.3", "conv_blocks", "BatchNorm2d eps 0.8", (128, 14, 14), 256),
        ("conv_blocks.4", "conv_blocks", "LeakyReLU 0.2", (128, 14, 14), 0),
        ("conv_blocks.5", "conv_blocks", "Upsample ×2 nearest", (128, 28, 28), 0),
        ("conv_blocks.6", "conv_blocks", "Conv2d 3×3, stride 1", (64, 28, 28), 73_792),
        ("conv_blocks.7", "conv_blocks", "BatchNorm2d eps 0.8", (64, 28, 28), 128),
        ("conv_blocks.8", "conv_blocks", "LeakyReLU 0.2", (64, 28, 28), 0),
        ("conv_blocks.9", "conv_blocks", "Conv2d 3×3, stride 1", (1, 28, 28), 577),
        ("conv_blocks.10", "conv_blocks", "Tanh", (1, 28, 28), 0),
    ],
    DCGANDiscriminator: [
        ("model.0", "model", "Conv2d 3×3, stride 2", (16, 14, 14), 160),
        ("model.1", "model", "LeakyReLU 0.2", (16, 14, 14), 0),
        ("model.2", "model", "Dropout2d 0.25", (16, 14, 14), 0),
        ("model.3", "model", "Conv2d 3×3, stride 2", (32, 7, 7), 4_640),
        ("model.4", "model", "LeakyReLU 0.2", (32, 7, 7), 0),
        ("model.5", "model", "Dropout2d 0.25", (32, 7, 7), 0),
        ("model.6", "model", "BatchNorm2d eps 0.8", (32, 7, 7), 64),
        ("model.7", "model", "Conv2d 3×3, stride 2", (64, 4, 4), 18_496),
        ("model.8", "model", "LeakyReLU 0.2", (64, 4, 4), 0),
        ("model.9", "model", "Dropout2d 0.25", (64, 4, 4), 0),
        ("model.10", "model", "BatchNorm2d eps 0.8", (64, 4, 4), 128),
        ("model.11", "model", "Conv2d 3×3, stride 2", (128, 2, 2), 73_856),
        ("model.12", "model", "LeakyReLU 0.2", (128, 2, 2), 0),
        ("model.13", "model", "Dropout2d 0.25", (128, 2, 2), 0),
        ("model.14", "model", "BatchNorm2d eps 0.8", (128, 2, 2), 256),
        ("adv_layer.0", "adv_layer", "Linear", (1,), 513),
        ("adv_layer.1", "adv_layer", "Sigmoid", (1,), 0),
    ],
}


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("network", NETWORKS)
def test_describe(network, training):
    """The rows as written above; the network is left in the mode and with the values it had, without hooks."""
    model = network().train(training)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert [tuple(layer) for layer in describe(model, some_input(network, 2))] == DESCRIBED[network]
    assert sum(row[4] for row in DESCRIBED[network]) == COUNTS[network]
    assert model.training is training and not any(m._forward_hooks for m in model.modules())
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name


# ----- the free seat


class TinyGenerator(nn.Module):
    """What a reader may bring: plain layers, others than those of the lab."""

    def __init__(self, latent_dim):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(latent_dim, 49),
            nn.Unflatten(1, (1, 7, 7)),
            nn.ConvTranspose2d(1, 4, 4, stride=2, padding=1),
            nn.InstanceNorm2d(4, affine=True),
            nn.GELU(),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(4, 1, 5, padding=2),
            nn.Tanh(),
        )

    def forward(self, z):
        return self.layers(z)


class TinyDiscriminator(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 4, 4, stride=4), nn.LeakyReLU(0.2), nn.Flatten())
        self.head = nn.Sequential(nn.Linear(196, 1), nn.Sigmoid())

    def embed(self, x):
        return self.features(x)

    def logits(self, x):
        return self.head[0](self.embed(x))

    def forward(self, x):
        return self.head(self.embed(x))


@pytest.fixture
def third():
    """A third GAN, registered as a file of labkit/gans/ would do it."""
    before = dict(GANS)
    yield register(
        GAN("tiny", "tiny GAN", 2015, "a test", TinyGenerator, TinyDiscriminator, recipes={"smoke": dict(epochs=1)})
    )
    GANS.clear()
    GANS.update(before)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("loss", ["non-saturating", "wgan-gp"])
def test_a_third_gan_is_trained_loaded_and_looked_at(
    third, loss, precision, sample_images, sample_as_garments, tmp_path, monkeypatch
):
    """Nothing but its registration knows it."""
    monkeypatch.setattr(paths, "RUNS", tmp_path)
    config = config_for("tiny", "smoke", examples=64, batch=8, latent_dim=7, loss=loss, precision=precision)
    assert config.epochs == 1 and list(GANS) == ["vanilla", "tiny", "dcgan"]  # in the order of the years
    run = runs.fit_or_load(config, "cpu", images=sample_images)
    again = runs.fit_or_load(config, "cpu", tmp_path / "again", images=sample_images)
    assert run.manifest["files"] == again.manifest["files"] and run.history.isfinite().all()
    g, z = labkit.load("tiny"), latent.latents(3, 7)
    images = latent.sample(g, z)
    assert images.shape == (3, 1, 28, 28) and images.std() > 0.001
    torch.testing.assert_close(latent.sample(g, z[1:2]), images[1:2])
    assert [layer.shape for layer in describe(g, z)][-1] == (1, 28, 28)
    assert runs.choose_profile("auto", "cpu") == "quick"  # a report does not wait for it
    assert reported() == ["vanilla", "dcgan"]


def test_two_gans_of_one_name_are_refused(third):
    with pytest.raises(ValueError, match="tiny"):
        register(third)


def test_an_unknown_model_is_refused_by_name(refused):
    with refused("model = 'wgan'", "vanilla, dcgan"):
        registry.build(SimpleNamespace(model="wgan", latent_dim=100))


@pytest.mark.parametrize("part", GANS["vanilla"].parts)
def test_a_part_that_is_left_out_is_gone_and_the_rest_still_trains(part):
    whole, less = (config_for("vanilla", "smoke", epochs=1, without=name) for name in ("", part))
    assert whole.digest() != less.digest()
    with seeded(0, "init"):
        before = build(whole)
    with seeded(0, "init"):
        after = build(less)
    assert str(before) != str(after)
    images = torch.randint(0, 256, (512, 28, 28), dtype=torch.uint8)
    state = TrainState(config_for("vanilla", "smoke", epochs=1, examples=512, without=part))
    train(state, images)
    assert state.history.isfinite().all()
    gone = {
        "shortcut": {"Linear(in_features=100, out_features=1024"},
        "batchnorm": {"BatchNorm1d"},
        "dropout_g": {"Dropout"},
        "leaky_tanh": {"LeakyReLU", " Tanh"},
        "depth": {"out_features=512"},
        "spectral_norm": {"SpectralNorm"},
        "dropout_d": {"Dropout"},
    }[part]
    index = part in ("spectral_norm", "dropout_d")
    for name in gone:
        assert name in str(before[index]) and name not in str(after[index])
    assert str(before[not index]) == str(after[not index])


def test_a_part_that_a_network_does_not_have_is_refused_in_one_line():
    with pytest.raises(LabError, match="dcgan has no part of this name"):
        config_for("dcgan", "smoke", without="depth")
    with pytest.raises(LabError, match="use one of shortcut, batchnorm"):
        config_for("vanilla", "smoke", without="roof")


def test_a_network_is_read_without_the_compiler_of_torch():
    """Which takes two seconds to import, in every process that reads one."""
    read = """
import sys
from labkit import latent
from labkit.base import paths
from labkit.training import runs
for model in ("vanilla", "dcgan"):
    [folder] = [one for one in runs.finished(paths.RUNS) if one.parts[-3:-1] == ("full", model)]
    latent.sample(runs.load_run(folder).generator(), latent.latents(1))
sys.exit("torch._dynamo" in sys.modules)
"""
    environment = clean_environment(PYTHONPATH=str(paths.ROOT))
    assert subprocess.run([sys.executable, "-c", read], env=environment).returncode == 0
