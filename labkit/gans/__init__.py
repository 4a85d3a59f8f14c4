"""The GANs: their networks, and what is particular to each.

Here: one file for each GAN, their registry, their losses, their layers.
Not here: how they are trained (`training`) or judged (`evaluation`, `analysis`).
"""

from ..base import whole  # noqa: F401, before torch

# isort: split
from ..base.rooms import import_all
from .description import describe
from .layers import plain
from .losses import LOSSES, loss_of
from .registry import GANS, build, build_empty, reported

import_all(__name__, __path__)

__all__ = ["GANS", "LOSSES", "build", "build_empty", "describe", "loss_of", "plain", "reported"]
