"""Networks by name."""

from torch import nn

from ..config import TrainConfig
from .dcgan import DCGANDiscriminator, DCGANGenerator
from .vanilla import VanillaDiscriminator, VanillaGenerator


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
