"""The GANs that there are, by name. A GAN is one file of this folder, which registers itself; nothing else names it."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import nn

from ..base.errors import LabError


@dataclass(frozen=True)
class GAN:
    """What is particular to one GAN. Generators map z, (n, latent_dim), to images in [-1, 1], (n, 1, 28, 28).

    Discriminators map such images to the probability of being real, (n, 1), and have two methods more: ``embed(x)``,
    the features (n, f) that the answer is read from, and ``logits(x)``, the answer before the Sigmoid, (n, 1).
    """

    name: str  # as in `TrainConfig.model` and in the folders of its runs
    title: str  # in captions and sentences
    year: int  # of the source; the registry is in this order
    source: str
    generator: Callable[[int], nn.Module]  # of latent_dim
    discriminator: Callable[[], nn.Module]
    chapter: int = 0  # of the report that trains it; 0: none
    recipes: dict[str, dict] = field(default_factory=dict)  # profile: what it changes in the defaults of TrainConfig
    initialise: Callable[[nn.Module], None] = lambda network: None  # initial weights, if not torch's own
    # What may be left out, to see what it is good for: name, and how generator and discriminator are changed.
    parts: dict[str, Callable[[nn.Module, nn.Module], None]] = field(default_factory=dict)


GANS: dict[str, GAN] = {}


def register(gan: GAN) -> GAN:
    """Add ``gan`` to `GANS`, which stays in the order of the years."""
    if gan.name in GANS:
        raise ValueError(f"two GANs are called {gan.name}")
    ordered = sorted([*GANS.values(), gan], key=lambda gan: gan.year)
    GANS.clear()
    GANS.update({gan.name: gan for gan in ordered})
    return gan


def reported() -> list[str]:
    """The names of the GANs that the report is about, in the order of its chapters."""
    return sorted((name for name in GANS if GANS[name].chapter), key=lambda name: GANS[name].chapter)


def build(config) -> tuple[nn.Module, nn.Module]:
    """Generator and discriminator of ``config``, a `TrainConfig`, freshly initialised from torch's global generator.

    The generator says the length of its vectors in ``latent_dim``, an attribute beside its `state_dict`.

    Raises:
        LabError: there is no such GAN.
    """
    if config.model not in GANS:
        raise LabError(f"model = {config.model!r} is unknown: use one of {', '.join(GANS)}")
    gan = GANS[config.model]
    networks = _generator(config), gan.discriminator()
    for network in networks:
        gan.initialise(network)
    if config.without:
        gan.parts[config.without](*networks)
    return networks


def build_empty(config, index: int) -> nn.Module:
    """The generator, 0, or the discriminator, 1, of `build` without numbers, to be given some; none is drawn.

    The other one is not made, nor is this one initialised, where that changes nothing: on the device "meta" a normal
    number takes torch two seconds, for it imports its compiler.
    """
    with torch.device("meta"):
        if config.without:
            return build(config)[index]
        return GANS[config.model].discriminator() if index else _generator(config)


def _generator(config) -> nn.Module:
    made = GANS[config.model].generator(config.latent_dim)
    made.latent_dim = config.latent_dim  # what `latent` checks vectors by
    return made
