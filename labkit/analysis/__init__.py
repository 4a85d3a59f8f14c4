"""What was learned about the latent space, and which claims of the original hold.

Here: effects of dimensions and directions beside those of random directions, statistics, claims.
Not here: drawing (`figures`), and scores of whole sets of pictures (`evaluation`).
"""

from ..base import whole  # noqa: F401, before torch
