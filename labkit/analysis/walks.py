"""Walks from one picture to another through the latent space, and what a classifier sees on the way."""

import torch
from torch import Tensor, nn

from .. import latent
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
