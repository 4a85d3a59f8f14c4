"""The four networks of the lab report, layer for layer.

Both generators map z, (n, latent_dim), to images in [-1, 1], (n, 1, 28, 28). Both discriminators map such
images to the probability of being real, (n, 1); training uses `logits`, the same value before the Sigmoid.

`eps=0.8` in BatchNorm is what the original report prints: a well-known slip of `BatchNorm1d(n, 0.8)`, whose
second argument is eps where momentum was meant. It is kept; notebook 01 measures what it does.
"""

from collections import namedtuple

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from .config import TrainConfig


class VanillaGenerator(nn.Module):
    """Figure 1a: fully connected, with one residual connection over the whole depth."""

    def __init__(self, latent_dim: int = 100):
        super().__init__()

        def block(n_in, n_out):
            return [nn.Linear(n_in, n_out), nn.BatchNorm1d(n_out, eps=0.8), nn.LeakyReLU(0.2), nn.Dropout(0.2)]

        self.main = nn.Sequential(
            nn.Linear(latent_dim, 128), nn.LeakyReLU(0.2), *block(128, 256), *block(256, 512), *block(512, 1024)
        )
        self.shortcut = nn.Sequential(nn.Linear(latent_dim, 1024), nn.BatchNorm1d(1024, eps=1e-5))
        self.output = nn.Sequential(nn.Linear(1024, 784), nn.Tanh())

    def forward(self, z: Tensor) -> Tensor:
        h = self.main(z) + self.shortcut(z)  # (n, 1024)
        return self.output(h).view(-1, 1, 28, 28)  # (n, 1, 28, 28)


class VanillaDiscriminator(nn.Module):
    """Figure 1b: spectral normalisation on every linear layer; the report gives no widths, 512 and 256 are ours."""

    def __init__(self):
        super().__init__()

        def block(n_in, n_out):
            return [spectral_norm(nn.Linear(n_in, n_out)), nn.LeakyReLU(0.2), nn.Dropout(0.3)]

        self.features = nn.Sequential(*block(784, 512), *block(512, 256))
        self.classifier = nn.Sequential(spectral_norm(nn.Linear(256, 1)), nn.Sigmoid())

    def embed(self, x: Tensor) -> Tensor:
        return self.features(x.flatten(1))  # (n, 256)

    def logits(self, x: Tensor) -> Tensor:
        return self.classifier[0](self.embed(x))  # (n, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.embed(x))  # (n, 1)


class DCGANGenerator(nn.Module):
    """Figure 9: a linear layer to 128 maps of 7x7, then twice upsample and convolve."""

    def __init__(self, latent_dim: int = 100):
        super().__init__()
        self.l1 = nn.Sequential(nn.Linear(latent_dim, 128 * 7 * 7))
        self.conv_blocks = nn.Sequential(
            nn.BatchNorm2d(128),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(128, 128, 3, stride=1, padding=1),
            nn.BatchNorm2d(128, eps=0.8),
            nn.LeakyReLU(0.2),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(128, 64, 3, stride=1, padding=1),
            nn.BatchNorm2d(64, eps=0.8),
            nn.LeakyReLU(0.2),
            nn.Conv2d(64, 1, 3, stride=1, padding=1),
            nn.Tanh(),
        )

    def forward(self, z: Tensor) -> Tensor:
        h = self.l1(z).view(-1, 128, 7, 7)  # (n, 128, 7, 7)
        return self.conv_blocks(h)  # (n, 1, 28, 28)


class DCGANDiscriminator(nn.Module):
    """Figure 10: four convolutions of stride 2, 28 to 14 to 7 to 4 to 2 pixels."""

    def __init__(self):
        super().__init__()

        def block(n_in, n_out, norm=True):
            layers = [nn.Conv2d(n_in, n_out, 3, stride=2, padding=1), nn.LeakyReLU(0.2), nn.Dropout2d(0.25)]
            return layers + [nn.BatchNorm2d(n_out, eps=0.8)] * norm

        self.model = nn.Sequential(*block(1, 16, norm=False), *block(16, 32), *block(32, 64), *block(64, 128))
        self.adv_layer = nn.Sequential(nn.Linear(128 * 2 * 2, 1), nn.Sigmoid())

    def embed(self, x: Tensor) -> Tensor:
        return self.model(x).flatten(1)  # (n, 512)

    def logits(self, x: Tensor) -> Tensor:
        return self.adv_layer[0](self.embed(x))  # (n, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.adv_layer(self.embed(x))  # (n, 1)


def build(config: TrainConfig) -> tuple[nn.Module, nn.Module]:
    """Generator and discriminator of ``config``, freshly initialised from torch's global generator.

    The vanilla networks keep torch's initial weights. In the DCGAN, convolutions start from N(0, 0.02) and
    BatchNorm gains from N(1, 0.02) (Radford et al. 2016).
    """
    if config.model == "vanilla":
        return VanillaGenerator(config.latent_dim), VanillaDiscriminator()
    g, d = DCGANGenerator(config.latent_dim), DCGANDiscriminator()
    for module in [*g.modules(), *d.modules()]:
        if isinstance(module, nn.Conv2d):
            nn.init.normal_(module.weight, 0.0, 0.02)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, 0.02)
    return g, d


Layer = namedtuple("Layer", "name part label shape parameters")


@torch.no_grad()
def describe(model: nn.Module, x: Tensor) -> list[Layer]:
    """The layers that ``x`` passes, in order: dotted name, top-level part, label, output shape, parameters.

    Shapes leave the batch out. They are read from a real forward pass in eval mode, not typed.
    """
    layers, hooks = [], []
    for name, module in model.named_modules():
        parametrized = hasattr(module, "parametrizations")
        if "parametrizations" in name or (any(module.children()) and not parametrized):
            continue

        def record(module, _, out, name=name, parametrized=parametrized):
            label = _label(module) + ", spectral norm" * parametrized
            count = sum(p.numel() for p in module.parameters())
            layers.append(Layer(name, name.split(".")[0], label, tuple(out.shape[1:]), count))

        hooks.append(module.register_forward_hook(record))
    was_training = model.training
    model.eval()(x)
    model.train(was_training)
    for hook in hooks:
        hook.remove()
    return layers


def _label(module: nn.Module) -> str:
    """Kind and the one argument that matters: `Conv2d 3×3, stride 2`."""
    kind = type(module).__name__.replace("Parametrized", "")
    match module:
        case nn.Conv2d():
            return f"{kind} {module.kernel_size[0]}×{module.kernel_size[1]}, stride {module.stride[0]}"
        case nn.BatchNorm1d() | nn.BatchNorm2d():
            return f"{kind} eps {module.eps:g}"
        case nn.LeakyReLU():
            return f"{kind} {module.negative_slope:g}"
        case nn.Dropout() | nn.Dropout2d():
            return f"{kind} {module.p:g}"
        case nn.Upsample():
            return f"{kind} ×{module.scale_factor:g} {module.mode}"
    return kind
