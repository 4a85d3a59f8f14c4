"""The data sets that there are, by name. Each is one file of this folder with its record; nothing else names it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from ..texts import terms

DEFAULT = "fashion_mnist"  # what is meant where no data set is named: that of the exercise, and of all that ships


class Files(NamedTuple):
    """The files of a split, without `.gz`."""

    images: str
    labels: str


@dataclass(frozen=True)
class Dataset:
    """What is particular to one data set, in the IDX format of MNIST or brought by the reader (`own`)."""

    name: str
    title: str  # in sentences
    source: str
    classes: tuple[str, ...]  # names of the labels 0, 1, ...
    splits: dict[str, Files]  # "train" and "test"
    # Of each file: SHA-256 of the content, as archives differ from source to source; or, where that is not known,
    # "md5:" and the MD5 of the .gz as it is published, which then is the only form that is taken.
    digests: dict[str, str]
    mirror: Callable[[], str]  # the address that files are fetched from; called when one is missing
    sizes: Mapping[str, int] = field(default_factory=lambda: {"train": 60_000, "test": 10_000})  # images of each split
    noun: str = "picture"  # what one of them is called; with an s at its end, several
    mirrored: bool = False  # whether a mirrored picture of a class is one, too
    labelled: bool = True  # whether the classes are the authors' own, and not kinds that were found
    place: str = ""  # below the folder of the data sets, if its files have names that others have, too
    lowest: int = 0  # label of the first class in the files
    transposed: bool = False  # whether the files have rows for columns
    package: str = ""  # of Debian, if there is one
    system: str = ""  # where that package puts it, below `loading.SYSTEM`
    folders: tuple[str, ...] = ()  # where other programs put the files, below a folder of the reader's
    packed: dict[str, int] = field(default_factory=dict)  # bytes of each .gz, about: much more is not fetched
    shape: tuple[int, int] = (28, 28)  # of an image, in pixels
    images_sha256: str = ""  # of the training images, (n, *shape) bytes: what a run on them is known by
    largest: int = 47_040_016  # bytes of the largest file, unpacked: no more is read

    @property
    def plain(self) -> bool:
        """Whether it is the one that is meant where none is named."""
        return self.name == DEFAULT

    @property
    def class_names(self) -> tuple[str, ...]:
        """``classes`` in the reader's words."""
        return tuple(terms.of_class(name, self.name) for name in self.classes)


DATASETS: dict[str, Dataset] = {}


def register(dataset: Dataset) -> Dataset:
    """Add ``dataset`` to `DATASETS`."""
    if dataset.name in DATASETS:
        raise ValueError(f"two data sets are called {dataset.name}")
    DATASETS[dataset.name] = dataset
    return dataset
