"""Pictures to train on and to compare with.

Here: data sets as records, one file for each; how their files are found, fetched, verified and read.
Not here: what is measured on pictures (`pictures`), or how they are drawn (`figures`).
"""

from ..base.rooms import import_all
from .fashion_mnist import FASHION_MNIST
from .loading import ensure, load, to_unit
from .registry import DATASETS, Dataset

import_all(__name__, __path__)

CLASSES = FASHION_MNIST.classes

__all__ = ["CLASSES", "DATASETS", "FASHION_MNIST", "Dataset", "ensure", "load", "to_unit"]
