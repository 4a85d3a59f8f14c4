"""Pictures of the reader's own as a data set: a folder or an .npz is brought in once, and then found by its name.

data/own/<name>/pictures.safetensors   both splits: images uint8 (n, 28, 28), labels uint8 (n,)
data/own/<name>/contact.png            some of each class, as the networks will see them
data/own/<name>/own.json               written last: classes, what was done, digests
"""

import io
import json
import re
import zipfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from numpy.lib.format import read_array
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from ..base import cache, doors, paths
from ..base.errors import LabError
from ..base.files import exclusive, faults_in, read_sealed, seal, sha256, write_atomic
from ..base.machine import progress
from ..base.rng import seeded
from .convert import SUFFIXES, is_light, read_picture, small
from .kinds import kinds
from .registry import DATASETS, Dataset

FORMAT = 1
FEWEST = 256  # different pictures of a data set
OF_CLASS = 10  # pictures of a class
CLASSES = 62  # at most: as many as EMNIST has
LOST = 0.1  # share of the pictures that may be unreadable
LARGEST = 4 << 30  # bytes of an .npz, unpacked
TEST, SMALL, HELD = 1 / 6, 500, 10_000  # share held for the test; a third, up to so many, of few; never more
SHOWN = 16  # pictures of a class on the contact sheet
SPLITS = frozenset(
    ["train", "training", "test", "testing", "val", "valid", "validation"]
)  # folders that are no classes
IMAGES, LABELS = ("images", "x", "X", "data", "arr_0"), ("labels", "y", "Y", "target", "arr_1")  # in an .npz
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


@dataclass
class Brought:
    """What was read of the reader's pictures, before it is a data set."""

    images: np.ndarray  # uint8 (n, 28, 28)
    labels: list[str]  # names of the classes, (n,); empty without labels
    said: list[str]  # what was done, a line for each kind


def bring(path: Path, name: str = "") -> Own:
    """Make a data set of the folder or .npz ``path``, called ``name`` or after it, and say what was done.

    Pictures that were brought in before under this name are not converted into something else: the same are found
    again, others are refused.

    Raises:
        LabError: no pictures, too few, too many that cannot be read, a name that is taken.
    """
    path = Path(path).expanduser()
    name = re.sub(r"[^a-z0-9]+", "_", (name or path.absolute().stem).lower()).strip("_")[:40] or "pictures"
    if name in DATASETS:
        raise LabError(f"{path}: a data set is called {name} already: give another --name")
    if not path.exists():
        raise LabError(f"{path} is not there: give a folder of pictures, or an .npz of them")
    brought = _of_folder(path) if path.is_dir() else _of_arrays(path)
    images, labels = torch.from_numpy(brought.images), brought.labels
    images, labels = _different(images, labels, brought.said)
    if len(images) < FEWEST:
        raise LabError(f"{path} has {len(images)} different pictures: a data set takes at least {FEWEST}")
    classes, numbers = _classes(images, labels, brought.said, path)
    return _write(name, path, images, numbers, classes, bool(labels) and len(set(labels)) > 1, brought.said)


def _of_folder(folder: Path) -> Brought:
    """The pictures in ``folder`` and below it; the names of its own folders are the classes."""
    every = [file for file in sorted(folder.rglob("*")) if not _hidden(file, folder) and file.is_file()]
    files = [file for file in every if file.suffix.lower() in SUFFIXES]
    if not files:
        raise LabError(
            f"{folder} has no pictures ({', '.join(sorted(SUFFIXES)[:6])}, ...): give a folder that has some"
        )
    found, bright, kept, lost, sizes, modes = [], [], [], [], [], Counter[str]()
    with progress(total=len(files), unit="picture", desc="pictures") as bar:
        for file in files:
            bar.update()
            try:
                picture = read_picture(file)
                both, light = small(picture)
            except LabError as error:
                lost.append(f"{file.relative_to(folder)} ({error})")
                continue
            found.append(both)
            bright.append(light)
            kept.append(file)
            sizes.append(picture.size)
            modes[picture.mode] += 1
    if len(lost) > LOST * len(files):
        raise LabError(
            f"{folder}: {len(lost)} of {len(files)} pictures cannot be read, {_some(lost)}: mend or remove them"
        )
    said = [
        f"{len(kept):,} pictures in {folder}: {_sizes(sizes)}, {_counted(modes)}; each fitted into 28 x 28, in grey"
    ]
    if lost:
        said.append(f"left out, as they cannot be read: {len(lost)}, {_some(lost)}")
    if others := [str(file.relative_to(folder)) for file in every if file not in set(files)]:
        said.append(f"passed over, as they are no pictures: {len(others)} files, {_some(others)}")
    images = _grounded(np.stack(found), bright, said)
    return Brought(_dark_ground(images, said), _folders(kept, folder, said), said)


def _hidden(file: Path, folder: Path) -> bool:
    return any(part.startswith((".", "__MACOSX")) for part in file.relative_to(folder).parts)


def _folders(files: Sequence[Path], folder: Path, said: list[str]) -> list[str]:
    """The class of each of ``files``: its folder below ``folder``, but for one called train, test or the like."""
    parts = [file.relative_to(folder).parts[:-1] for file in files]
    if all(part and part[0].lower() in SPLITS for part in parts):
        said.append("the folders train and test are taken together, and split anew")
        parts = [part[1:] for part in parts]
    if not any(parts):
        return []
    if not all(parts):
        beside = sum(not part for part in parts)
        said.append(f"no labels: {beside} pictures lie beside the folders, which therefore are no classes")
        return []
    return [part[0] for part in parts]


def _of_arrays(path: Path) -> Brought:
    """The pictures and labels in an .npz."""
    refusal = "give an .npz with images, such as (n, 28, 28) uint8, and perhaps labels, (n,), or a folder of pictures"
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
            if size > LARGEST:
                raise LabError(f"{path} unpacks to {size / 1e9:.0f} GB, more than {LARGEST / 1e9:.0f}: {refusal}")
            arrays = {}
            for entry in archive.infolist():
                with archive.open(entry) as f:
                    arrays[entry.filename.removesuffix(".npy")] = read_array(f, allow_pickle=False)
    except LabError:
        raise
    except Exception as error:  # what NumPy and zipfile raise for what is no array, or holds objects
        why = (str(error) or type(error).__name__).splitlines()[0][:100]
        raise LabError(f"{path} is no .npz of numbers ({why}): {refusal}") from None
    if {"x_train", "x_test"} <= arrays.keys():  # as Keras has them
        for new in ("x", "y"):
            if {f"{new}_train", f"{new}_test"} <= arrays.keys():
                arrays[new] = np.concatenate([arrays[f"{new}_train"], arrays[f"{new}_test"]])
    name = next((name for name in IMAGES if name in arrays), None)
    if name is None:
        raise LabError(f"{path} has no images among {', '.join(arrays) or 'its no arrays'}: {refusal}")
    images, said = _from_array(arrays[name], f"{path}: {name}")
    given = next((arrays[one] for one in LABELS if one in arrays), None)
    if given is not None and (given.shape != images.shape[:1] or given.dtype.kind not in "iuUSb"):
        raise LabError(f"{path}: labels are a {doors.said(given)}: give one for each of {len(images)} pictures, (n,)")
    labels = [] if given is None else [one.decode() if isinstance(one, bytes) else str(one) for one in given.tolist()]
    return Brought(_dark_ground(images, said), labels, said)


def _from_array(given: np.ndarray, name: str) -> tuple[np.ndarray, list[str]]:
    """The pictures in an array, (n, 28, 28), and what was done."""
    if given.ndim >= 2 and np.prod(given.shape[1:]) == 784 and given.shape[1:] != (1, 784):
        return doors.grey_images(given, name).numpy(), [f"{len(given):,} pictures of 28 x 28 pixels, as they are"]
    if given.ndim == 4 and given.shape[1] in (1, 3, 4) and given.shape[-1] not in (1, 3, 4):
        given = given.transpose(0, 2, 3, 1)  # colours last
    colours = given.shape[3] if given.ndim == 4 else 0
    if given.ndim not in (3, 4) or colours not in (0, 1, 3, 4) or not given.size or given.dtype.kind not in "iuf":
        raise LabError(
            f"{name} = {doors.said(given)}: give pictures, (n, height, width), with 3 or 4 colours last or none"
        )
    low, high = float(given.min()), float(given.max())
    if not (np.isfinite(low) and np.isfinite(high) and high <= 255 and (low >= 0 or (low >= -1 and high <= 1))):
        raise LabError(
            f"{name} from {low:.3g} to {high:.3g}: give whole numbers from 0 to 255, or floats from 0 or -1 to 1"
        )
    if given.dtype.kind == "f" and high <= 1:
        given = (given + 1) * 127.5 if low < 0 else given * 255
    levels = given.round().astype(np.uint8)
    levels = levels[..., 0] if colours == 1 else levels
    found, bright = zip(*(small(Image.fromarray(one)) for one in levels), strict=True)
    said = [f"{len(given):,} pictures of {given.shape[2]} x {given.shape[1]} pixels, each fitted into 28 x 28, in grey"]
    return _grounded(np.stack(found), bright, said), said


def _grounded(both: np.ndarray, bright: Sequence[float | None], said: list[str]) -> np.ndarray:
    """Of pictures on a white and a black ground, (n, 2, 28, 28), those on the one that their rest stands out from."""
    clear = [light for light in bright if light is not None]
    if not clear:
        return both[:, 0]
    black = float(np.median(clear)) > 127
    ground, rest = ("black", "light") if black else ("white", "dark")
    said.append(f"{len(clear):,} with transparent parts were put on {ground}, since what is opaque in them is {rest}")
    return both[:, int(black)]


def _dark_ground(images: np.ndarray, said: list[str]) -> np.ndarray:
    """``images`` (n, 28, 28), inverted if most of them are light all around."""
    if not is_light(images):
        return images
    said.append("all were inverted, since most are light all around: the networks draw bright on black")
    return 255 - images


def _some(names: Sequence[str], n: int = 3) -> str:
    return ", ".join(names[:n]) + (", ..." if len(names) > n else "")


def _counted(kinds_of: Counter) -> str:
    return ", ".join(f"{n} of mode {kind}" for kind, n in kinds_of.most_common())


def _sizes(sizes: Sequence[tuple[int, int]]) -> str:
    if len(set(sizes)) == 1:
        return "{} x {} pixels".format(*sizes[0])
    (a, b), (c, d) = (sorted(sizes, key=lambda size: size[0] * size[1])[i] for i in (0, -1))
    return f"{a} x {b} to {c} x {d} pixels"


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
        said.append(f"{len(order)} classes: {_some(order, 12)}")
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
