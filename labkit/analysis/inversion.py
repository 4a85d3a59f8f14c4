"""Garments that a network never saw, looked for among all that it can draw: what is not found, it cannot draw.

Recall asks whether a real picture lies among some thousand samples; a search asks whether there is any z for it. What
is left over has two causes, the network and the search. The same search for pictures that the network did draw tells
how much the search leaves.
"""

import contextlib
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from .. import data, latent, pictures
from ..base import cache
from ..base.machine import own_torch
from ..base.rng import seeded
from ..data.loading import to_unit
from ..training.runs import Run, checked
from .statistics import bootstrap

VERSION = 1  # of the definitions below
PER_CLASS = {"smoke": 1, "quick": 5, "full": 20}  # test garments of each class that are looked for, by profile
STEPS = {"smoke": 10, "quick": latent.STEPS, "full": latent.STEPS}  # of the search


@dataclass(frozen=True)
class Inversion:
    """How near a network comes to n test garments, class by class as in `garments`; all in grey levels (of 255)."""

    rms: Tensor  # (n,): root mean square difference per pixel of the picture that was found
    nearest: Tensor  # (n,): that of the nearest of the training garments
    own: Tensor  # (c,): of pictures of the network itself, found by the same search
    noise: Tensor  # (c,): of test garments whose pixels were shuffled, found by the same search
    pictures: Tensor  # uint8 (classes, 28, 28): what was found for the first of each class

    @property
    def missed(self) -> Tensor:
        """(n,): 1. where a training garment is nearer than all that was found in the network, else 0."""
        return (self.rms > self.nearest).float()


def garments(per_class: int, dataset: str = data.DEFAULT) -> Tensor:
    """The first ``per_class`` test images of each class, (classes * per_class, 1, 28, 28), class by class."""
    images, labels = data.load("test", dataset=dataset)
    return to_unit(torch.cat([images[labels == k][:per_class] for k in range(len(data.find(dataset).classes))]))


def of_each(profile: str, dataset: str = data.DEFAULT) -> int:
    """How many test images of each class are looked for: `PER_CLASS`, or as many as the smallest class has."""
    return min(PER_CLASS[profile], int(data.load("test", dataset=dataset)[1].bincount().min()))


def shuffled(images: Tensor) -> Tensor:
    """``images`` with their pixels in another order, one for all: as bright, as dark, and no garment."""
    with seeded("shuffled"):
        order = torch.randperm(28 * 28)
    return images.flatten(1)[:, order].view_as(images)


@own_torch()
def inversion_of(run: Run, device: str = "cpu") -> Inversion:
    """Test garments looked for in a run's generator; done once and kept in the run's folder."""
    config = checked(run).config
    profile, dataset, d = config.profile, config.dataset, config.latent_dim
    per_class, steps = of_each(profile, dataset), STEPS[profile]
    method = (latent.STARTS, latent.KEPT, latent.RATE, latent.BETA1, latent.BETA2, latent.LONGEST)
    identity = (VERSION, run.generator_sha256, per_class, steps, *method)
    with contextlib.suppress(LookupError, TypeError):
        return Inversion(**cache.load(run.folder, "inversion", identity))
    g, real = run.generator(device), garments(per_class, dataset)
    few = real[:: max(5, len(real) // 20)]  # two of each class, if there are as many
    sought = {"own": latent.sample(g, latent.latents(len(few), d, 600)), "noise": shuffled(few)}
    search = partial(latent.invert, g, steps=steps, latent_dim=d, signed=True)
    found = search(real)
    rms = {name: search(images).rms for name, images in sought.items()}
    nearest = pictures.nearest(real, to_unit(data.load("train", dataset=dataset)[0]), signed=True)[1]
    result = Inversion(found.rms, nearest, **rms, pictures=pictures.levels(found.images[::per_class], signed=True))
    cache.save(run.folder, "inversion", identity, vars(result))
    return result


def missed_more(one: Inversion, other: Inversion) -> tuple[float, float, float]:
    """By how much the share of missed garments is larger in ``one`` than in ``other``, and its 95 % interval.

    The interval is over garments, the same for both: of these two networks, not of others that might be trained.
    """
    difference = one.missed - other.missed
    low, high = bootstrap(difference.view(1, -1, 1))
    return difference.mean().item(), low.item(), high.item()


def missed_classes(result: Inversion) -> Tensor:
    """The share of missed garments in each class, (classes,)."""
    return result.missed.view(len(result.pictures), -1).mean(1)
