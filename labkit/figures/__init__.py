"""What is drawn: tensors in, a matplotlib figure out.

Here: the catalogue of the report's figures, one file for each kind of drawing. The only room that knows matplotlib.
Not here: measuring; a figure is given its numbers.
"""

from ..base import whole  # noqa: F401, before torch

# isort: split
from ..base.rooms import import_all

import_all(__name__, __path__)
