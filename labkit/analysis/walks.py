"""Walks from one picture to another through the latent space, and what a classifier sees on the way."""

import torch
from torch import Tensor, nn

from .. import latent, pictures
from ..base.machine import own_torch
from ..evaluation.classifier import Classifier

STEPS = 11  # pictures of a walk, both ends among them


@own_torch()
def walks(g: nn.Module, z: Tensor, ruler: Classifier, steps: int = STEPS) -> tuple[Tensor, Tensor]:
    """Walks between pairs of ``z`` (2 w, latent_dim), the first to the second, the third to the fourth, and so on.

    Images (w, steps, 1, 28, 28) along the great circles (`latent.interpolate`), and their classes (w, steps).
    """
    way = torch.cat(
        [latent.interpolate(start, end, steps) for start, end in z.unflatten(0, (-1, 2))]
    )  # (w * steps, latent_dim)
    drawn = latent.sample(g, way)
    classes = ruler.measure(drawn, signed=True)[1].argmax(1)
    return drawn.unflatten(0, (-1, steps)), classes.view(-1, steps)


def largest_step(images: Tensor) -> Tensor:
    """Of walks (w, steps, 1, 28, 28) the largest step's share of the way, in mean changes of the pixels, (w,)."""
    change = pictures.mean_change(images[:, 1:], images[:, :-1], signed=True)  # (w, steps - 1)
    return change.amax(1) / change.sum(1).clamp(min=1e-9)
