"""Pictures of the reader's own, read from a folder or an .npz: as the data sets have them, and what was done for it."""

import zipfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.lib.format import read_array
from PIL import Image

from ..base import doors
from ..base.errors import LabError
from ..base.machine import progress
from .convert import SUFFIXES, grounds, read_picture, small

LOST = 0.1  # share of the pictures that may be unreadable
FEW = 0.05  # share of the pictures that may differ from the rest in their ground without a word
LARGEST = 4 << 30  # bytes of an .npz, unpacked
SPLITS = frozenset(["train", "training", "test", "testing", "val", "valid", "validation"])  # folders, but no classes
IMAGES, LABELS = ("images", "x", "X", "data", "arr_0"), ("labels", "y", "Y", "target", "arr_1")  # in an .npz


@dataclass
class Brought:
    """What was read of the reader's pictures, before it is a data set."""

    images: np.ndarray  # uint8 (n, 28, 28)
    labels: list[str]  # names of the classes, (n,); empty without labels
    said: list[str]  # what was done, a line for each kind


def read_folder(folder: Path) -> Brought:
    """The pictures in ``folder`` and below it; the names of its own folders are the classes.

    Raises:
        LabError: there are none, or too many of them cannot be read; the line names some.
    """
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
            f"{folder}: {len(lost)} of {len(files)} pictures cannot be read, {some(lost)}: mend or remove them"
        )
    said = [
        f"{len(kept):,} pictures in {folder}: {_sizes(sizes)}, {_counted(modes)}; each fitted into 28 x 28, in grey"
    ]
    if lost:
        said.append(f"left out, as they cannot be read: {len(lost)}, {some(lost)}")
    if others := [str(file.relative_to(folder)) for file in every if file not in set(files)]:
        said.append(f"passed over, as they are no pictures: {len(others)} files, {some(others)}")
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


def read_arrays(path: Path) -> Brought:
    """The pictures in the .npz ``path``, under one of the names `IMAGES`, and labels, under one of `LABELS`.

    Those of Keras, x_train, y_train, x_test and y_test, are taken together.

    Raises:
        LabError: it is none, or too large; its pictures or labels are none.
    """
    refusal = "give an .npz with images, such as (n, 28, 28) uint8, and perhaps labels, (n,), or a folder of pictures"
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
            if size > LARGEST:
                raise LabError(f"{path} unpacks to {size / 1e9:.0f} GB, more than {LARGEST / 1e9:.0f}: {refusal}")
            arrays = {}
            for entry in archive.infolist():
                with archive.open(entry) as f:
                    arrays[entry.filename.removesuffix(".npy")] = read_array(f)  # which refuses objects
        for new in ("x", "y"):  # as Keras has them
            if {f"{new}_train", f"{new}_test"} <= arrays.keys():
                arrays[new] = np.concatenate([arrays[f"{new}_train"], arrays[f"{new}_test"]])
    except LabError:
        raise
    except Exception as error:  # what NumPy and zipfile raise for what is no array, or holds objects
        why = (str(error) or type(error).__name__).splitlines()[0][:100]
        raise LabError(f"{path} is no .npz of numbers ({why}): {refusal}") from None
    name = next((name for name in IMAGES if name in arrays), None)
    if name is None:
        raise LabError(f"{path} has no images among {', '.join(arrays) or 'its no arrays'}: {refusal}")
    images, said = _from_array(arrays[name], f"{path}: {name}")
    given = next((arrays[one] for one in LABELS if one in arrays), None)
    if given is not None and (given.shape != images.shape[:1] or given.dtype.kind not in "iuUSb"):
        raise LabError(f"{path}: labels are a {doors.said(given)}: give one for each of {len(images)} pictures, (n,)")
    labels = (
        []
        if given is None
        else [one.decode(errors="replace") if isinstance(one, bytes) else str(one) for one in given.tolist()]
    )
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
    """``images`` (n, 28, 28), inverted if most of them are light all around; what then differs is counted."""
    ground = grounds(images)
    if np.median(ground) > 127:
        said.append("all were inverted, since most are light all around: the networks draw bright on black")
        images, ground = 255 - images, 255 - ground
    if (light := int((ground > 127).sum())) > FEW * len(images):
        said.append(f"{light:,} are light all around even so, unlike the others: a network learns to draw both")
    return images


def some(names: Sequence[str], n: int = 3) -> str:
    """The first ``n`` of ``names``, in words."""
    return ", ".join(names[:n]) + (", ..." if len(names) > n else "")


def _counted(kinds_of: Counter) -> str:
    return ", ".join(f"{n} of mode {kind}" for kind, n in kinds_of.most_common())


def _sizes(sizes: Sequence[tuple[int, int]]) -> str:
    if len(set(sizes)) == 1:
        return "{} x {} pixels".format(*sizes[0])
    (a, b), (c, d) = (sorted(sizes, key=lambda size: size[0] * size[1])[i] for i in (0, -1))
    return f"{a} x {b} to {c} x {d} pixels"
