"""The DCGAN of the lab report (figures 9 and 10), after Radford et al. 2016."""

from torch import Tensor, nn

from .registry import GAN, register


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
            return [*layers, nn.BatchNorm2d(n_out, eps=0.8)] if norm else layers

        self.model = nn.Sequential(*block(1, 16, norm=False), *block(16, 32), *block(32, 64), *block(64, 128))
        self.adv_layer = nn.Sequential(nn.Linear(128 * 2 * 2, 1), nn.Sigmoid())

    def embed(self, x: Tensor) -> Tensor:
        return self.model(x).flatten(1)  # (n, 512)

    def logits(self, x: Tensor) -> Tensor:
        return self.adv_layer[0](self.embed(x))  # (n, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.adv_layer(self.embed(x))  # (n, 1)


def initialise(network: nn.Module) -> None:
    """Convolutions start from N(0, 0.02), gains of BatchNorm from N(1, 0.02) (Radford et al. 2016)."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.normal_(module.weight, 0.0, 0.02)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, 0.02)


register(
    GAN(
        name="dcgan",
        title="DCGAN",
        year=2016,
        source="Radford et al. 2016, with the layers of the lab report",
        generator=DCGANGenerator,
        discriminator=DCGANDiscriminator,
        chapter=2,
        initialise=initialise,
        recipes={
            "smoke": dict(epochs=2, examples=512),
            # Five times the step size: in two epochs it reaches the Frechet distance that 2e-4 needs five or six epochs
            # for. Averaging over a hundred steps takes out the noise of so large a step.
            "quick": dict(epochs=4, lr=1e-3, ema=0.99),
            # A step size that D does not run away with, and a longer average.
            "full": dict(lr=5e-4, ema=0.999),
        },
    )
)
