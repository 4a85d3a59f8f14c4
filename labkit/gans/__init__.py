"""The GANs: their networks, and what is particular to each.

Here: one file for each GAN, their registry, their losses, their layers.
Not here: how they are trained (`training`) or judged (`evaluation`, `analysis`).
"""

from .description import describe
from .registry import build

__all__ = ["build", "describe"]
