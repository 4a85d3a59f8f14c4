"""Pictures to train on and to compare with.

Here: data sets as records, one file for each; how their files are found, fetched, verified and read; how pictures of
the reader's own become a data set (`own`; `convert` for each of them, `kinds` where they have no labels).
Not here: what is measured on pictures (`pictures`), or how they are drawn (`figures`).
"""

from ..base import whole  # noqa: F401, before torch

# isort: split
from ..base.rooms import import_all
from .fashion_mnist import FASHION_MNIST
from .loading import ensure, find, images_sha256, load, to_unit
from .own import bring, checked_name
from .registry import DATASETS, DEFAULT, Dataset

import_all(__name__, __path__)

CLASSES = FASHION_MNIST.classes

__all__ = [
    "CLASSES",
    "DATASETS",
    "DEFAULT",
    "FASHION_MNIST",
    "Dataset",
    "bring",
    "checked_name",
    "ensure",
    "find",
    "images_sha256",
    "load",
    "to_unit",
]
