"""The data sets that there are, by name. Each is one file of this folder with its record; nothing else names it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple


class Files(NamedTuple):
    """The files of a split, without `.gz`."""

    images: str
    labels: str


@dataclass(frozen=True)
class Dataset:
    """What is particular to one data set in the IDX format of MNIST."""

    name: str
    title: str  # in sentences
    source: str
    classes: tuple[str, ...]  # names of the labels 0, 1, ...
    splits: dict[str, Files]  # "train" and "test"
    digests: dict[str, str]  # of each file: SHA-256 of the content, as archives differ from source to source
    mirror: Callable[[], str]  # the address that files are fetched from; called when one is missing
    package: str = ""  # of Debian, if there is one
    system: str = ""  # where that package puts it, below `loading.SYSTEM`
    folders: tuple[str, ...] = ()  # where other programs put the files, below a folder of the reader's
    packed: dict[str, int] = field(default_factory=dict)  # bytes of each .gz, about: much more is not fetched
    shape: tuple[int, int] = (28, 28)  # of an image, in pixels
    images_sha256: str = ""  # of the training images, (n, *shape) bytes: what a run on them is known by
    largest: int = 47_040_016  # bytes of the largest file, unpacked: no more is read


DATASETS: dict[str, Dataset] = {}


def register(dataset: Dataset) -> Dataset:
    """Add ``dataset`` to `DATASETS`."""
    if dataset.name in DATASETS:
        raise ValueError(f"two data sets are called {dataset.name}")
    DATASETS[dataset.name] = dataset
    return dataset
