"""The vanilla GAN of the lab report (figure 1): fully connected, with one residual connection.

`eps=0.8` in BatchNorm is what the original report prints: a well-known slip of `BatchNorm1d(n, 0.8)`, whose
second argument is eps where momentum was meant. It is kept; notebook 01 measures what it does.
"""

from torch import Tensor, nn
from torch.nn.utils.parametrize import remove_parametrizations

from .layers import spectral_norm
from .registry import GAN, register


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


# ----- what may be left out, each alone: `TrainConfig.without`


def _exchange(network: nn.Module, kind: type[nn.Module], make=nn.Identity) -> None:
    """Put a ``make()`` in the place of every layer of ``kind`` in ``network``."""
    for parent in list(network.modules()):
        for name, child in parent.named_children():
            if isinstance(child, kind):
                setattr(parent, name, make())


class Nothing(nn.Module):
    """A path that adds nothing."""

    def forward(self, x: Tensor) -> float:
        return 0.0


def _without_shortcut(g: nn.Module, d: nn.Module) -> None:
    g.shortcut = Nothing()


def _without_batchnorm(g: nn.Module, d: nn.Module) -> None:
    _exchange(g, nn.BatchNorm1d)


def _without_dropout_g(g: nn.Module, d: nn.Module) -> None:
    _exchange(g, nn.Dropout)


def _without_leaky_tanh(g: nn.Module, d: nn.Module) -> None:
    """ReLU, and a line that is cut off at -1 and 1."""
    _exchange(g, nn.LeakyReLU, nn.ReLU)
    _exchange(g, nn.Tanh, nn.Hardtanh)


def _without_spectral_norm(g: nn.Module, d: nn.Module) -> None:
    for layer in d.modules():
        if isinstance(layer, nn.Linear):
            remove_parametrizations(layer, "weight", leave_parametrized=False)


def _without_dropout_d(g: nn.Module, d: nn.Module) -> None:
    _exchange(d, nn.Dropout)


def _without_depth(g: nn.Module, d: nn.Module) -> None:
    """Of the three blocks only the last, from 128 to 1024."""
    g.main = nn.Sequential(*g.main[:2], nn.Linear(128, 1024), *g.main[-3:])  # type: ignore[index]


# The discriminator is held so tight by spectral normalisation that it hardly tells real from fake: a step size five
# times G's, and no momentum, let it follow.
FOLLOWS = dict(lr_d=1e-3, beta1=0.0, ema=0.999)
register(
    GAN(
        name="vanilla",
        title="vanilla GAN",
        year=2014,
        source="Goodfellow et al. 2014, with the layers of the lab report",
        generator=VanillaGenerator,
        discriminator=VanillaDiscriminator,
        chapter=1,
        recipes={
            "smoke": dict(epochs=2, examples=1024),
            "quick": dict(epochs=10, **FOLLOWS),
            "full": FOLLOWS,
        },
        parts={
            "shortcut": _without_shortcut,
            "batchnorm": _without_batchnorm,
            "dropout_g": _without_dropout_g,
            "leaky_tanh": _without_leaky_tanh,
            "spectral_norm": _without_spectral_norm,
            "dropout_d": _without_dropout_d,
            "depth": _without_depth,
        },
    )
)
