"""How good the pictures of a generator are, as sets.

Here: the classifier in whose features sets are compared, the scores, the monitor of a training.
Not here: what a single dimension of z does, or whether a claim holds (`analysis`).
"""

from ..base import whole  # noqa: F401, before torch
