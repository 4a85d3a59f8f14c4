"""Pictures to train on and to compare with.

Here: data sets as records, and how their files are found, fetched, verified and read.
Not here: what is measured on pictures (`pictures`), or how they are drawn (`figures`).
"""

from .loading import CLASSES, DIGESTS, ensure, load, to_unit

__all__ = ["CLASSES", "DIGESTS", "ensure", "load", "to_unit"]
