"""A data set: find, fetch, verify, and hand over as one uint8 tensor on the device.

The content of every file is verified by SHA-256 on every load, whatever the source.
"""

import contextlib
import errno
import functools
import gzip
import hashlib
import io
import math
import os
import shutil
import stat
import struct
import subprocess
import tempfile
import time
import urllib.request
import zlib
from http.client import HTTPException
from pathlib import Path

import torch
from torch import Tensor

from ..base import doors, paths
from ..base.errors import LabError
from ..base.files import exclusive, part_of, sha256, sweep
from ..base.machine import pick_device, progress
from .fashion_mnist import FASHION_MNIST
from .own import Own, checked_name, own_record
from .registry import DATASETS, Dataset

SYSTEM = Path("/usr/share/datasets")  # where Debian's packages of data sets put them
TIMEOUT = 20  # seconds without a byte before a download is given up
LONGEST = 3600  # seconds that the download of a file may take
SLACK = 1 << 16  # bytes by which an archive may be larger than is known


def load(
    split: str = "train",
    device: str = "cpu",
    folder: str | Path | None = None,
    dataset: Dataset | str = FASHION_MNIST,
) -> tuple[Tensor, Tensor]:
    """Images, uint8 (n, 28, 28), and labels, uint8 (n,), of ``split`` ("train" or "test"), fetched if need be.

    ``dataset`` is a record, or the name of one, the reader's own among them (`own`).

    Raises:
        LabError: a file is damaged, or is nowhere and cannot be fetched; there is no such data set.
    """
    dataset = dataset if isinstance(dataset, Dataset) else find(dataset)
    if split not in dataset.splits:
        raise LabError(f"split = {split!r} is unknown: use {' or '.join(dataset.splits)}")
    if isinstance(dataset, Own):
        images, labels = dataset.load(split)
    else:
        folder = ensure(paths.DATA if folder is None else folder, dataset)
        images, labels = (
            parse_idx(_content(folder, name, dataset), name, dataset.shape) for name in dataset.splits[split]
        )
        images = images.transpose(1, 2).contiguous() if dataset.transposed else images
        labels = labels - dataset.lowest
    device = pick_device(device)
    return images.to(device), labels.to(device)


def find(name: str) -> Dataset:
    """The record of the data set ``name``, one of `DATASETS` or the reader's own; a hyphen is as good as a _.

    Raises:
        LabError: there is none.
    """
    name = checked_name(name)
    return DATASETS[name] if name in DATASETS else own_record(name)


@functools.cache
def _digest(name: str) -> str:
    return sha256(load("train", dataset=DATASETS[name])[0].numpy().tobytes())


def images_sha256(name: str) -> str:
    """The digest of the training images of the data set ``name``, by which a run on them is known.

    Raises:
        LabError: see `load`.
    """
    dataset = find(name)
    return dataset.images_sha256 or _digest(dataset.name)


def to_unit(images: Tensor) -> Tensor:
    """uint8 grey levels (n, 28, 28) as float32 in [-1, 1], (n, 1, 28, 28): the range of the generators' Tanh."""
    return images.unsqueeze(1).float().div_(127.5).sub_(1.0)


def read_verified(path: Path, digest: str, largest: int = FASHION_MNIST.largest) -> bytes:
    """The content of ``path``, decompressed if it is gzip, provided that its SHA-256 is ``digest``.

    A ``digest`` that begins with "md5:" is that of the file itself, which then has to be gzip.

    Raises:
        LabError: it cannot be read, is damaged, or is a sound file of other pictures; the line says which.
    """
    try:
        with path.open("rb") as f:
            content = f.read(largest + largest // 100 + SLACK)  # no more, however large the file or what it unpacks to
    except OSError as error:
        may = error.errno not in (errno.EACCES, errno.EPERM)
        raise LabError(
            f"{path} cannot be read ({error.strerror or error}): "
            + ("see to the disk" if may else "give yourself the right to read it, with chmod")
            + ", or name another folder in the environment variable LABKIT_DATA"
        ) from None
    packed, archive = content.startswith(b"\x1f\x8b"), hashlib.md5(content, usedforsecurity=False).hexdigest()
    try:
        content = gzip.GzipFile(fileobj=io.BytesIO(content)).read(largest + 1) if packed else content
    except (OSError, EOFError, zlib.error) as error:
        raise LabError(f"{path} is damaged ({error}): {_remedy(path, 'delete it')}") from None
    if digest in (sha256(content), f"md5:{archive}"):
        return content
    fault = f"sha256 {sha256(content)[:12]}…, expected {digest[:12]}…"
    if digest.startswith("md5:"):
        fault = f"md5 of the file {archive[:12]}…, expected {digest[4:16]}…; only the .gz as it is published is known"
    if not (shape := _idx_shape(content)):
        raise LabError(f"{path} is damaged ({fault}): {_remedy(path, 'delete it')}")
    size = " x ".join(map(str, shape))
    what = "holds other data" if packed else "holds other data, or is damaged"  # a .gz has a checksum of its own
    raise LabError(
        f"{path} {what}: a sound IDX file of {size} numbers, as of another data set ({fault}):"
        f" {_remedy(path, 'move it elsewhere')}; ours is looked for in {', '.join(_places(path.parent))}"
    )


def _remedy(path: Path, act: str) -> str:
    """What to do about the file ``path``: ``act`` on it only in the project's own folder."""
    own = path.parent == paths.ROOT / "data" and not path.is_symlink()
    return f"{act} and run 'make data'" if own else OTHERWISE


OTHERWISE = "move it elsewhere and run 'make data', or name another folder in the environment variable LABKIT_DATA"


def _places(folder: Path, dataset: Dataset = FASHION_MNIST) -> list[str]:
    """Where files are looked for, in words."""
    return [str(folder), *(f"{folder}/{below}" for below in dataset.folders), str(SYSTEM / dataset.system)]


def _idx_shape(content: bytes) -> tuple[int, ...]:
    """The shape of what the IDX file ``content`` holds, images or labels; empty if it is no whole one."""
    if content[:3] != b"\0\0\x08" or len(content) < 4 or content[3] not in (1, 3):
        return ()
    header = 4 + 4 * content[3]
    shape = struct.unpack(f">{content[3]}I", content[4:header].ljust(header - 4, b"\0"))
    return shape if math.prod(shape) == len(content) - header and 0 not in shape else ()


def parse_idx(content: bytes, name: str, size: tuple[int, int] = FASHION_MNIST.shape) -> Tensor:
    """The uint8 tensor in an IDX file: magic 0x0000080d with d dimensions, big-endian sizes, then the bytes."""
    dims = 3 if "idx3" in name else 1
    header = 4 + 4 * dims
    magic, *shape = struct.unpack(f">{1 + dims}I", content[:header].ljust(header, b"\0"))
    if magic != 0x0800 + dims:
        raise LabError(
            f"{name}: IDX magic is {magic:#010x}, expected {0x0800 + dims:#010x}: not a file of this data set"
        )
    if math.prod(shape) != len(content) - header or 0 in shape or shape[1:] not in ([], [*size]):
        raise LabError(
            f"{name}: header says {shape}, but {len(content) - header} bytes follow: not a file of this data set"
        )
    return torch.frombuffer(bytearray(content[header:]), dtype=torch.uint8).view(shape)


def locate(folder: Path, name: str, dataset: Dataset = FASHION_MNIST) -> Path | None:
    """Where the file ``name`` lies: in ``folder``, below it where torchvision puts it, or in the system's copy.

    As .gz or unpacked, and also with the dots that some write in the name, as in train-images.idx3-ubyte.
    """
    dotted = name.replace("-idx", ".idx")
    here = [f"{name}.gz", name, f"{dotted}.gz", dotted]
    places = [folder / below for below in (dataset.place, *dataset.folders)]
    candidates = [place / one for place in places for one in here]
    if dataset.system:
        candidates.append(SYSTEM / dataset.system / f"{name}.gz")
    return next((path for path in candidates if _is_there(path)), None)


def _is_there(path: Path) -> bool:
    """Whether ``path`` is a file, or something that cannot be looked at, which reading it will tell."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        return error.errno not in (errno.ELOOP, errno.ENAMETOOLONG)
    except ValueError:  # a name that no file has
        return False


def _content(folder: Path, name: str, dataset: Dataset) -> bytes:
    """The verified content of the file ``name``, which is known to be somewhere."""
    path = locate(folder, name, dataset)
    if path is None:
        raise LabError(f"{name}.gz was in {folder} a moment ago: run 'make data'")
    return read_verified(path, dataset.digests[name], dataset.largest)


def _missing(folder: Path, dataset: Dataset) -> list[str]:
    return [name for name in dataset.digests if locate(folder, name, dataset) is None]


def ensure(folder: str | Path, dataset: Dataset = FASHION_MNIST) -> Path:
    """Fetch what is missing into ``folder``, from the first source that works, and return ``folder``.

    Raises:
        LabError: no source works; the line says why for each, and what to do without a network.
    """
    if isinstance(dataset, Own):
        return dataset.folder
    folder = doors.path("folder", folder)
    sweep(folder / dataset.place)
    if not _missing(folder, dataset):
        return folder
    with exclusive(folder / dataset.place):
        return _fetch(folder, dataset)


def _fetch(folder: Path, dataset: Dataset) -> Path:
    """The work of `ensure`, in a folder where nobody else fetches."""
    reasons, place = [], folder / dataset.place
    for part in place.glob("*.gz.part"):  # of an older labkit
        part.unlink(missing_ok=True)
    for source in (_from_mirror, _from_debian):
        missing = _missing(folder, dataset)
        if not missing:
            return folder
        try:
            with contextlib.closing(source(missing, place, dataset)) as parts:
                for name, path in parts:
                    read_verified(path, dataset.digests[name], dataset.largest)
                    os.replace(path, place / f"{name}.gz")
        except (LabError, OSError, ValueError, HTTPException, subprocess.SubprocessError) as error:
            reasons.append(f"{source.__doc__}: {error}")
    if missing := _missing(folder, dataset):
        raise LabError(
            f"{missing[0]}.gz is not in {place} and could not be fetched ({'; '.join(reasons)}):"
            f" without a network, put the {len(dataset.digests)} .gz files of {dataset.title} there, or name"
            f" {'the folder above it' if dataset.place else 'their folder'} in the environment variable LABKIT_DATA"
        )
    return folder


def _from_mirror(names: list[str], folder: Path, dataset: Dataset):
    """torchvision's mirror"""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        most = dataset.packed.get(name, dataset.largest) + SLACK
        with (
            urllib.request.urlopen(f"{dataset.mirror()}{name}.gz", timeout=TIMEOUT) as answer,
            part_of(folder / f"{name}.gz") as (part, f),
        ):
            size, deadline = int(answer.headers.get("Content-Length", 0)), time.monotonic() + LONGEST
            with progress(desc=name, total=size, unit="B", unit_scale=True) as bar:
                while chunk := answer.read1(1 << 16):
                    f.write(chunk)
                    bar.update(len(chunk))
                    if f.tell() > most or time.monotonic() > deadline:
                        why = f"more than {most / 1e6:.1f} MB" if f.tell() > most else f"not done in {LONGEST} s"
                        raise LabError(f"{name}.gz: {why}, given up")
            f.flush()
            yield name, part


def _from_debian(names: list[str], folder: Path, dataset: Dataset):
    """Debian's package"""
    if not dataset.package:
        raise LabError("there is none")
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise LabError("apt-get is not here")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as work:
        # Package lists of our own, so that neither root nor a recent `apt-get update` is needed.
        (Path(work) / "lists/partial").mkdir(parents=True)
        own = ["-o", f"Dir::State::Lists={work}/lists", "-o", f"Dir::Cache={work}", "-o", "APT::Sandbox::User="]
        for command in (["update"], ["download", dataset.package]):
            _run(["apt-get", "-qq", *own, *command], work)
        package = next(Path(work).glob(f"{dataset.package}*.deb"))
        _run(["dpkg-deb", "-x", package.name, "unpacked"], work)
        for name in names:
            with (
                open(f"{work}/unpacked{SYSTEM}/{dataset.system}/{name}.gz", "rb") as unpacked,
                part_of(folder / f"{name}.gz") as (part, f),
            ):
                shutil.copyfileobj(unpacked, f)
                f.flush()
                yield name, part


def _run(command: list[str], folder: str) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=180)
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["no message"]
        raise LabError(f"{' '.join(command[:1] + command[-2:])}: {lines[-1]}")


def verify(dataset: Dataset = FASHION_MNIST) -> None:
    """Fetch what is missing, and say where the verified files are."""
    if isinstance(dataset, Own):
        print(f"ok  {dataset.folder}  {dataset.source}, {dataset.counted}")
        return
    folder = ensure(paths.DATA, dataset)
    for name, digest in dataset.digests.items():
        _content(folder, name, dataset)
        what = "md5 of the file" if digest.startswith("md5:") else "sha256 of the content"
        print(f"ok  {locate(folder, name, dataset)}  {what} {digest.removeprefix('md5:')[:12]}…")
