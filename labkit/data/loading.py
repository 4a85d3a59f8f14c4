"""A data set: find, fetch, verify, and hand over as one uint8 tensor on the device.

The content of every file is verified by SHA-256 on every load, whatever the source.
"""

import gzip
import io
import math
import os
import shutil
import struct
import subprocess
import tempfile
import urllib.request
import zlib
from http.client import HTTPException
from pathlib import Path

import torch
from torch import Tensor

from ..base import paths
from ..base.errors import LabError
from ..base.files import exclusive, sha256
from ..base.machine import progress
from .fashion_mnist import FASHION_MNIST
from .registry import Dataset

SYSTEM = Path("/usr/share/datasets")  # where Debian's packages of data sets put them
TIMEOUT = 20  # seconds without a byte before a download is given up


def load(
    split: str = "train",
    device: str = "cpu",
    folder: Path | None = None,
    dataset: Dataset = FASHION_MNIST,
) -> tuple[Tensor, Tensor]:
    """Images, uint8 (n, 28, 28), and labels, uint8 (n,), of ``split`` ("train" or "test"), fetched if need be.

    Raises:
        LabError: a file is damaged, or is nowhere and cannot be fetched.
    """
    if split not in dataset.splits:
        raise LabError(f"split = {split!r} is unknown: use {' or '.join(dataset.splits)}")
    folder = ensure(folder or paths.DATA, dataset)
    images, labels = (parse_idx(_content(folder, name, dataset), name, dataset.shape) for name in dataset.splits[split])
    return images.to(device), labels.to(device)


def to_unit(images: Tensor) -> Tensor:
    """uint8 grey levels (n, 28, 28) as float32 in [-1, 1], (n, 1, 28, 28): the range of the generators' Tanh."""
    return images.unsqueeze(1).float().div_(127.5).sub_(1.0)


def read_verified(path: Path, digest: str, largest: int = FASHION_MNIST.largest) -> bytes:
    """The content of ``path``, decompressed if it is gzip, provided that its SHA-256 is ``digest``."""
    try:
        with path.open("rb") as f:
            content = f.read(largest + 1)  # no more, however large the file or what it unpacks to
        if content.startswith(b"\x1f\x8b"):
            content = gzip.GzipFile(fileobj=io.BytesIO(content)).read(largest + 1)
        fault = "" if sha256(content) == digest else f"sha256 {sha256(content)[:12]}…, expected {digest[:12]}…"
    except (OSError, EOFError, zlib.error) as error:
        fault = str(error)
    if fault:
        raise LabError(f"{path} is damaged ({fault}): delete it and run 'make data'")
    return content


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
    """Where the file ``name`` lies: in ``folder`` or in the system's copy, as .gz or unpacked."""
    for path in (folder / f"{name}.gz", folder / name, SYSTEM / dataset.system / f"{name}.gz"):
        if path.is_file():
            return path
    return None


def _content(folder: Path, name: str, dataset: Dataset) -> bytes:
    """The verified content of the file ``name``, which is known to be somewhere."""
    path = locate(folder, name, dataset)
    if path is None:
        raise LabError(f"{name}.gz was in {folder} a moment ago: run 'make data'")
    return read_verified(path, dataset.digests[name], dataset.largest)


def _missing(folder: Path, dataset: Dataset) -> list[str]:
    return [name for name in dataset.digests if locate(folder, name, dataset) is None]


def ensure(folder: Path, dataset: Dataset = FASHION_MNIST) -> Path:
    """Fetch what is missing into ``folder``, from the first source that works, and return ``folder``.

    Raises:
        LabError: no source works; the line says why for each, and what to do without a network.
    """
    if not _missing(folder, dataset):
        return folder
    with exclusive(folder):
        return _fetch(folder, dataset)


def _fetch(folder: Path, dataset: Dataset) -> Path:
    """The work of `ensure`, in a folder where nobody else fetches."""
    reasons = []
    for source in (_from_mirror, _from_debian):
        missing = _missing(folder, dataset)
        if not missing:
            return folder
        try:
            for name, path in source(missing, folder, dataset):
                read_verified(path, dataset.digests[name], dataset.largest)
                path.chmod(0o644)
                os.replace(path, folder / f"{name}.gz")
        except (LabError, OSError, ValueError, HTTPException, subprocess.SubprocessError) as error:
            reasons.append(f"{source.__doc__}: {error}")
        finally:
            for part in folder.glob("*.gz.part"):
                part.unlink()
    if missing := _missing(folder, dataset):
        raise LabError(
            f"{missing[0]}.gz is not in {folder} and could not be fetched ({'; '.join(reasons)}):"
            f" without a network, put the {len(dataset.digests)} .gz files of {dataset.title} there,"
            " or name their folder in the environment variable LABKIT_DATA"
        )
    return folder


def _from_mirror(names: list[str], folder: Path, dataset: Dataset):
    """torchvision's mirror"""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        part = folder / f"{name}.gz.part"
        with (
            urllib.request.urlopen(f"{dataset.mirror()}{name}.gz", timeout=TIMEOUT) as answer,
            part.open("wb") as f,
        ):
            size = int(answer.headers.get("Content-Length", 0))
            with progress(desc=name, total=size, unit="B", unit_scale=True) as bar:
                while chunk := answer.read(1 << 16):
                    f.write(chunk)
                    bar.update(len(chunk))
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
            part = folder / f"{name}.gz.part"
            shutil.copyfile(f"{work}/unpacked{SYSTEM}/{dataset.system}/{name}.gz", part)
            yield name, part


def _run(command: list[str], folder: str) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=180)
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or ["no message"]
        raise LabError(f"{' '.join(command[:1] + command[-2:])}: {lines[-1]}")


def verify(dataset: Dataset = FASHION_MNIST) -> None:
    """Fetch what is missing, and say where the verified files are."""
    folder = ensure(paths.DATA, dataset)
    for name, digest in dataset.digests.items():
        _content(folder, name, dataset)
        print(f"ok  {locate(folder, name, dataset)}  sha256 of the content {digest[:12]}…")
