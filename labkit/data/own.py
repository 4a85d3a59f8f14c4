"""Pictures of the reader's own as a data set: a folder or an .npz is brought in once, and then found by its name.

data/own/<name>/pictures.safetensors   both splits: images uint8 (n, 28, 28), labels uint8 (n,)
data/own/<name>/contact.png            some of each class, as the networks will see them
data/own/<name>/own.json               written last: classes, what was done, digests
"""

import io
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from ..base import cache, doors, paths
from ..base.errors import LabError
from ..base.files import exclusive, faults_in, read_sealed, seal, sha256, write_atomic
from ..base.rng import seeded
from ..texts import EDITIONS
from .brought import read_arrays, read_folder, some
from .kinds import kinds
from .registry import DATASETS, Dataset

FORMAT = 1
FEWEST = 256  # different pictures of a data set
OF_CLASS = 10  # pictures of a class
CLASSES = 62  # at most: as many as EMNIST has
TEST, SMALL, HELD = 1 / 6, 500, 10_000  # share held for the test; a third, up to so many, of few; never more
SHOWN = 16  # pictures of a class on the contact sheet
AGAIN = "bring the pictures in again with 'labkit data PATH'"


@dataclass(frozen=True)
class Own(Dataset):
    """A data set of the reader's own."""

    file_sha256: str = ""

    @property
    def folder(self) -> Path:
        """Where it lies."""
        return paths.OWN / self.name

    @property
    def counted(self) -> str:
        """How many pictures and classes it has, in words."""
        what = "classes" if self.labelled else "kinds of like pictures, as they have no labels"
        return (
            f"{self.sizes['train']:,} to train on and {self.sizes['test']:,} to test with, {len(self.classes)} {what}"
        )

    def load(self, split: str) -> tuple[Tensor, Tensor]:
        """Images, uint8 (n, 28, 28), and labels, uint8 (n,), of ``split``, verified.

        Raises:
            LabError: the file is damaged, or gone.
        """
        path = self.folder / "pictures.safetensors"
        with faults_in(path, f"delete its folder and {AGAIN}"):
            content = path.read_bytes()
            if sha256(content) != self.file_sha256:
                raise ValueError("its sha256 is not that of own.json")
            found = cache.tensors_in(content)
        return found[f"{split}_images"], found[f"{split}_labels"]


def checked_name(name: object) -> str:
    """``name`` as data sets have names, which a hyphen may stand in for the _ of.

    Raises:
        LabError: no data set can have it.
    """
    found = doors.text("dataset", name).strip().lower().replace("-", "_")
    if not re.fullmatch(r"[a-z0-9_]{1,40}", found):
        raise LabError(_unknown(name))
    return found


def _unknown(name: object) -> str:
    own = sorted(path.parent.name for path in paths.OWN.glob("*/own.json"))
    return (
        f"dataset = {doors.said(name)} is unknown: use one of {', '.join([*DATASETS, *own])},"
        " or the path of a folder or .npz of pictures"
    )


def own_record(name: str) -> Own:
    """The record of the reader's own data set ``name``.

    Raises:
        LabError: there is none, or its card is damaged.
    """
    path = paths.OWN / name / "own.json"
    if not path.exists():
        raise LabError(_unknown(name))
    with faults_in(path, f"delete its folder and {AGAIN}"):
        card = read_sealed(path, FORMAT)
        return Own(
            name=name,
            title=card["title"],
            source=card["source"],
            classes=tuple(card["classes"]),
            splits=dict.fromkeys(("train", "test")),  # type: ignore[arg-type]
            digests={},
            mirror=str,
            sizes=card["sizes"],
            labelled=card["labelled"],
            images_sha256=card["images_sha256"],
            file_sha256=card["file_sha256"],
        )


# ----- what is brought


def bring(path: str | Path, name: str = "") -> Own:
    """Make a data set of the folder or .npz ``path``, called ``name`` or after it, and say what was done.

    The same pictures under the same name are found again; others are refused.

    Raises:
        LabError: no pictures, too few, too many that cannot be read, a name that is taken.
    """
    path = doors.path("path", path)
    name = re.sub(r"[^a-z0-9]+", "_", (name or path.stem).lower()).strip("_")[:40] or "pictures"
    if name in EDITIONS:  # a report in another language has its name where that of a data set stands
        raise LabError(f"{path}: {name} stands for a language in the names of reports: give another --name")
    if name in DATASETS:
        raise LabError(f"{path}: a data set is called {name} already: give another --name")
    if not path.exists():
        raise LabError(f"{path} is not there: give a folder of pictures, or an .npz of them")
    brought = read_folder(path) if path.is_dir() else read_arrays(path)
    images, labels = torch.from_numpy(brought.images), brought.labels
    images, labels = _different(images, labels, brought.said)
    if len(images) < FEWEST:
        raise LabError(f"{path} has {len(images)} different pictures: a data set takes at least {FEWEST}")
    classes, numbers = _classes(images, labels, brought.said, path)
    return _write(name, path, images, numbers, classes, bool(labels) and len(set(labels)) > 1, brought.said)


def _different(images: Tensor, labels: list[str], said: list[str]) -> tuple[Tensor, list[str]]:
    """``images`` and their labels without those that are the same as one before: copies are looked for, later."""
    first: dict[bytes, int] = {}
    for i, one in enumerate(images.numpy()):
        first.setdefault(one.tobytes(), i)
    if len(first) < len(images):
        said.append(f"{len(images) - len(first):,} are the same as another and were left out")
    index = list(first.values())
    return images[index], [labels[i] for i in index] if labels else []


def _classes(images: Tensor, labels: list[str], said: list[str], path: Path) -> tuple[tuple[str, ...], Tensor]:
    """The names of the classes and the number of each picture's, (n,): its label's, or without labels its kind's."""
    counts = Counter(labels)
    if 2 <= len(counts) <= CLASSES:
        name, n = min(counts.items(), key=lambda item: item[1])
        if n < OF_CLASS:
            raise LabError(
                f"{path}: class {name!r} has {n} pictures: give at least {OF_CLASS} of each, or leave it out"
            )
        digits = all(re.fullmatch(r"-?\d{1,9}", label) for label in counts)
        order = sorted(counts, key=int if digits else str)
        said.append(f"{len(order)} classes: {some(order, 12)}")
        names = [re.sub(r"[^\w .+-]", "_", label).strip()[:16] or "_" for label in order]
        if len(set(names)) < len(names):  # shortened, two have become one
            names = [f"{one[:12]} {i}" for i, one in enumerate(names, 1)]
        return tuple(names), torch.tensor([order.index(label) for label in labels], dtype=torch.uint8)
    if len(counts) > CLASSES:
        said.append(f"{len(counts)} labels are more than the {CLASSES} classes there may be: taken as none")
    numbers = kinds(images)
    k = int(numbers.max()) + 1
    said.append(f"without labels: sorted into {k} kinds of like pictures (k-means), which have numbers and no names")
    return tuple(f"kind {i + 1}" for i in range(k)), numbers


def split_of(numbers: Tensor) -> Tensor:
    """Which of pictures of the classes ``numbers`` (n,) are held for the test, bool (n,): some of every class."""
    n, held = len(numbers), torch.zeros(len(numbers), dtype=torch.bool)
    share = min(max(TEST, min(1 / 3, SMALL / n)), HELD / n)
    with seeded("own split"):
        order = torch.randperm(n)
    for k in numbers.unique():
        mine = order[numbers[order] == k]
        held[mine[: max(2, round(share * len(mine)))]] = True
    return held


def _write(
    name: str, path: Path, images: Tensor, numbers: Tensor, classes: tuple[str, ...], labelled: bool, said: list[str]
) -> Own:
    """Put the data set into its folder, the card last, and say what was done; or find that it is there."""
    held, tensors = split_of(numbers), dict[str, Tensor]()
    with seeded("own order"):
        order = torch.randperm(len(images))
    for split, chosen in (("train", order[~held[order]]), ("test", order[held[order]])):
        tensors |= {f"{split}_images": images[chosen].contiguous(), f"{split}_labels": numbers[chosen].contiguous()}
    content, folder = safetensors.torch.save(tensors), paths.OWN / name
    card = {
        "format": FORMAT,
        "title": name.replace("_", " "),
        "source": f"the reader's own, from {path.name}",
        "classes": list(classes),
        "labelled": labelled,
        "sizes": {split: len(tensors[f"{split}_images"]) for split in ("train", "test")},
        "done": said,
        "images_sha256": sha256(tensors["train_images"].numpy().tobytes()),
        "file_sha256": sha256(content),
    }
    card["sha256"] = seal(card)
    if (folder / "own.json").exists():
        if own_record(name).file_sha256 != card["file_sha256"]:
            raise LabError(f"{folder} holds other pictures: give these another --name, or delete that folder first")
    else:
        with exclusive(folder):
            write_atomic(folder / "pictures.safetensors", content)
            write_atomic(
                folder / "contact.png", _contact_sheet(tensors["train_images"], tensors["train_labels"], classes)
            )
            write_atomic(folder / "own.json", (json.dumps(card, indent=1) + "\n").encode())
    record = own_record(name)
    print("\n".join(said), f"{name}: {record.counted}; look at them in {folder / 'contact.png'}", sep="\n", flush=True)
    return record


def _contact_sheet(images: Tensor, labels: Tensor, classes: Sequence[str], scale: int = 2) -> bytes:
    """A PNG: a row for each class, its name and its first `SHOWN` pictures."""
    cell, margin = 28 * scale + 2, 150
    sheet = Image.new("L", (margin + SHOWN * cell, len(classes) * cell + 2), 40)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(16)
    for row, name in enumerate(classes):
        draw.text((8, row * cell + cell // 2 - 10), name, fill=255, font=font)
        for column, one in enumerate(images[labels == row][:SHOWN].numpy()):
            picture = Image.fromarray(one).resize((28 * scale, 28 * scale), Image.Resampling.NEAREST)
            sheet.paste(picture, (margin + column * cell, row * cell + 2))
    content = io.BytesIO()
    sheet.save(content, "PNG")
    return content.getvalue()
