"""Many runs: what a study trains, the workers that do it, and what is kept of each run.

Here: arms and seeds, records on disk, the client and the workers of a cluster.
Not here: how one run is trained (`training`), or what is concluded from many (`analysis`).
"""

from ..base import whole  # noqa: F401, before torch
