"""From a config to a finished run.

Here: the two moves, the loop around them, a run on disk: checkpoints, resume, `fit_or_load`.
Not here: what the pictures of a run are worth (`evaluation`).
"""

from ..base import whole  # noqa: F401, before torch
