"""Kinds of like pictures, for pictures without labels: k-means on principal components of the pixels.

They stand in for classes (as the pseudo-labels of Caron et al. 2018, without their iteration): a classifier that tells
them apart has features, and what is measured by classes has a meaning, if not a name.
"""

import torch
from torch import Tensor

from ..base.rng import seeded

MOST, FEWEST, AXES, ROUNDS = 10, 10, 20, 50  # kinds; pictures of one; components; rounds of k-means


def kinds(images: Tensor) -> Tensor:
    """Which kind each of ``images``, uint8 (n, 28, 28), is of, uint8 (n,): as many kinds as have `FEWEST` each."""
    pixels = images.flatten(1).float() / 255
    centred = pixels - pixels.mean(0)
    axes = torch.linalg.eigh(centred.double().T @ centred.double()).eigenvectors[:, -AXES:].float()
    places = centred @ axes  # (n, AXES)
    for k in range(MOST, 2, -1):
        found = _k_means(places, k)
        if found.bincount(minlength=k).min() >= max(FEWEST, len(images) // 50):
            break
    else:  # two halves, along what differs most
        found = (places[:, -1].argsort().argsort() >= len(images) // 2).long()
    return found.to(torch.uint8)


def _k_means(places: Tensor, k: int) -> Tensor:
    """The nearest of ``k`` centres for each of ``places`` (n, d), (n,); the largest kind is number 0."""
    with seeded("kinds", k):
        centres = places[torch.randint(len(places), (1,))]
        while len(centres) < k:  # k-means++: the farther from all centres, the likelier the next one
            chance = torch.cdist(places, centres).amin(1).square()
            centres = torch.cat([centres, places[torch.multinomial(chance, 1)]])
    for _ in range(ROUNDS):
        nearest = torch.cdist(places, centres).argmin(1)
        centres = torch.stack([places[nearest == i].mean(0) if (nearest == i).any() else centres[i] for i in range(k)])
    order = nearest.bincount(minlength=k).argsort(descending=True, stable=True)
    return order.argsort()[nearest]
