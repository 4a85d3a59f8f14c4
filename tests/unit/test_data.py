"""No file is taken for what it is not, whether found, damaged or fetched; grey levels map to [-1, 1] exactly."""

import contextlib
import errno
import gzip
import http.server
import os
import random
import re
import shutil
import socket
import stat
import struct
import subprocess
import sys
import threading
import time
import tracemalloc

import pytest
import torch
from sample_data import with_digests
from torchvision.datasets import FashionMNIST

from labkit import data
from labkit.base import paths
from labkit.base.errors import LabError
from labkit.base.files import sha256
from labkit.data import Dataset, loading
from labkit.data.registry import Files

TEST_IMAGES, TEST_LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"
SYSTEM = loading.SYSTEM


@pytest.fixture(autouse=True)
def sealed(monkeypatch, tmp_path):
    """No system copy, no Debian, no mirror, no proxy: what a test needs of these it puts back itself."""
    monkeypatch.setattr(loading, "SYSTEM", tmp_path / "no system copy")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(FashionMNIST, "mirrors", ["http://127.0.0.1:9/"])
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv("LABKIT_DATA", raising=False)


@pytest.fixture
def contents(sample_folder):
    """Decompressed content of the four sample files."""
    return {p.name.removesuffix(".gz"): gzip.decompress(p.read_bytes()) for p in sample_folder.glob("*.gz")}


@pytest.fixture
def copy(tmp_path, sample_folder):
    """A copy of the sample that may be damaged."""
    return shutil.copytree(sample_folder, tmp_path / "copy")


# ----- loading


@pytest.mark.parametrize("split, prefix, n", [("train", "train", 512), ("test", "t10k", 256)])
@pytest.mark.parametrize("packed", [True, False], ids=["gz", "raw"])
def test_load(copy, contents, sample_digests, split, prefix, n, packed):
    if not packed:
        for name, content in contents.items():
            (copy / name).write_bytes(content)
            (copy / f"{name}.gz").unlink()
    images, labels = data.load(split, folder=copy, dataset=with_digests(sample_digests))
    assert images.shape == (n, 28, 28) and labels.shape == (n,) and images.dtype == labels.dtype == torch.uint8
    assert bytes(images.flatten().tolist()) == contents[f"{prefix}-images-idx3-ubyte"][16:]
    assert bytes(labels.tolist()) == contents[f"{prefix}-labels-idx1-ubyte"][8:]


def test_sample_is_the_beginning_of_the_real_data(sample_folder, sample_digests):
    """Its first labels as the authors published them: ankle boot, T-shirt, T-shirt, dress, T-shirt, ..."""
    labels = data.load("train", folder=sample_folder, dataset=with_digests(sample_digests))[1]
    assert labels[:10].tolist() == [9, 0, 0, 3, 0, 2, 7, 2, 5, 5]
    assert data.CLASSES[9] == "ankle boot" and set(labels.tolist()) == set(range(len(data.CLASSES)))


def test_real_data(monkeypatch, capsys):
    monkeypatch.setattr(loading, "SYSTEM", SYSTEM)
    folder = paths.DATA
    if any(loading.locate(folder, name) is None for name in data.FASHION_MNIST.digests):
        pytest.skip(f"the real files are not in {folder} (make data)")
    for split, n in (("train", 60_000), ("test", 10_000)):
        images, labels = data.load(split)
        assert images.shape == (n, 28, 28) and labels.shape == (n,)
        assert torch.bincount(labels).tolist() == [n // 10] * 10
    loading.verify()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4 and all(line.startswith("ok") for line in lines)


@pytest.mark.parametrize("split", ["", "Train", "t10k", None])
def test_unknown_split(refused, sample_folder, split):
    with refused(f"split = {split!r}"):
        data.load(split, folder=sample_folder)


def test_sample_is_not_taken_for_the_real_data(refused, sample_folder):
    with refused("train-images-idx3-ubyte.gz holds other data", "512 x 28 x 28", "make data") as caught:
        data.load("train", folder=sample_folder)
    assert "delete" not in str(caught.value)


def test_folder_from_the_environment(monkeypatch, sample_folder, sample_digests):
    monkeypatch.setattr(paths, "DATA", sample_folder)
    assert len(data.load("test", dataset=with_digests(sample_digests))[0]) == 256


def test_where_a_file_is_looked_for(monkeypatch, tmp_path):
    """The folder's .gz, then its unpacked file, then the system's copy."""
    folder, system = tmp_path / "folder", tmp_path / "system"
    places = [folder / "name.gz", folder / "name", system / "fashion-mnist/name.gz"]
    monkeypatch.setattr(loading, "SYSTEM", system)
    assert loading.locate(folder, "name") is None
    for place in reversed(places):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(b"")
        assert loading.locate(folder, "name") == place


# ----- damage


def loads_or_refuses(folder, digests, path, content):
    """True if ``folder``, with ``path`` as damaged, was refused in one line; what loads must be the content."""
    try:
        images, labels = data.load("test", folder=folder, dataset=with_digests(digests))
    except LabError as error:
        assert str(path) in str(error) and len(str(error).splitlines()) == 1
        return True
    assert images.numpy().tobytes() == content[TEST_IMAGES][16:]
    assert labels.numpy().tobytes() == content[TEST_LABELS][8:]
    return False


@pytest.mark.parametrize("name", [TEST_IMAGES, TEST_LABELS])
@pytest.mark.parametrize("packed", [True, False], ids=["gz", "raw"])
def test_bit_flips(copy, contents, sample_digests, name, packed):
    """100 flips each. In a .gz, a few bits carry no content: time stamp, flags, the padding after the last code."""
    path = copy / f"{name}.gz"
    if not packed:
        path.unlink()
        path = copy / name
        path.write_bytes(contents[name])
    whole = path.read_bytes()
    refused = 0
    for bit in random.Random(0).sample(range(8 * len(whole)), 100):
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        refused += loads_or_refuses(copy, sample_digests, path, contents)
    assert refused == 100 if not packed else refused > 90


def test_a_bomb_is_not_unpacked(tmp_path, refused):
    """Half a megabyte that unpacks to half a gigabyte costs no more memory than the largest file there is."""
    path = tmp_path / "t10k-labels-idx1-ubyte.gz"
    with gzip.open(path, "wb", compresslevel=1) as f:
        for _ in range(500):
            f.write(bytes(1_000_000))
    tracemalloc.start()
    try:
        with refused(path, "is damaged", "make data"):
            loading.read_verified(path, "0" * 64)
        assert tracemalloc.get_traced_memory()[1] < 4 * data.FASHION_MNIST.largest
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("packed", [True, False], ids=["gz", "raw"])
def test_truncation(copy, contents, sample_digests, packed):
    path = copy / f"{TEST_IMAGES}.gz"
    if not packed:
        path.unlink()
        path = copy / TEST_IMAGES
        path.write_bytes(contents[TEST_IMAGES])
    whole = path.read_bytes()
    cuts = [0, 1, 2, 3, 9, 10, 11, 16, len(whole) - 9, len(whole) - 8, len(whole) - 4, len(whole) - 1]
    for cut in cuts + random.Random(1).sample(range(len(whole)), 10):
        path.write_bytes(whole[:cut])
        assert loads_or_refuses(copy, sample_digests, path, contents), cut


WRONG = {
    "empty": lambda whole: b"",
    "page": lambda whole: b"<!DOCTYPE html><html><body>404: no such file</body></html>\n" * 50,
    "page in gzip": lambda whole: gzip.compress(b"<!DOCTYPE html>\n" * 50),
    "empty gzip": lambda whole: gzip.compress(b""),
    "two members": lambda whole: whole + whole,
    "a second member": lambda whole: whole + gzip.compress(b"x"),
    "garbage behind": lambda whole: whole + b"garbage",
    "gzip of gzip": lambda whole: gzip.compress(whole),
    "magic alone": lambda whole: b"\x1f\x8b",
    "lines": lambda whole: b"\n\n\n",
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_wrong_file(copy, contents, sample_digests, wrong):
    path = copy / f"{TEST_IMAGES}.gz"
    path.write_bytes(wrong(path.read_bytes()))
    assert loads_or_refuses(copy, sample_digests, path, contents)


def test_folder_in_place_of_a_file(copy, refused, sample_digests):
    (copy / f"{TEST_IMAGES}.gz").unlink()
    (copy / f"{TEST_IMAGES}.gz").mkdir()
    with refused(f"{TEST_IMAGES}.gz"):
        data.load("test", folder=copy, dataset=with_digests(sample_digests))


def placed(tmp_path, contents, place):
    """The sample's files under ``place`` of each name, below a new folder."""
    for name in contents:
        path = tmp_path / "other" / place(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(contents[name], 0) if path.suffix == ".gz" else contents[name])
    return tmp_path / "other"


LAYOUTS = {
    "torchvision": lambda name: f"FashionMNIST/raw/{name}",
    "torchvision, packed": lambda name: f"FashionMNIST/raw/{name}.gz",
    "its own folder": lambda name: f"raw/{name}",
    "dots": lambda name: name.replace("-idx", ".idx"),
    "dots, packed": lambda name: name.replace("-idx", ".idx") + ".gz",
    "dots in torchvision's": lambda name: "FashionMNIST/raw/" + name.replace("-idx", ".idx"),
    "level 0": lambda name: f"{name}.gz",
}


@pytest.mark.parametrize("place", LAYOUTS.values(), ids=LAYOUTS)
def test_other_layouts_are_taken(tmp_path, contents, sample_digests, place):
    images, labels = data.load("test", folder=placed(tmp_path, contents, place), dataset=with_digests(sample_digests))
    assert images.numpy().tobytes() == contents[TEST_IMAGES][16:] and len(labels) == 256


def test_the_largest_file_at_level_0(tmp_path):
    """Larger packed than it is."""
    content = bytes(data.FASHION_MNIST.largest)
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(content, 0))
    assert path.stat().st_size > len(content)
    assert loading.read_verified(path, sha256(content)) == content


def test_plain_content_under_a_packed_name(copy, contents, sample_digests):
    (copy / f"{TEST_IMAGES}.gz").write_bytes(contents[TEST_IMAGES])
    assert len(data.load("test", folder=copy, dataset=with_digests(sample_digests))[0]) == 256


OTHERS = {  # sound files of another data set, and what is said of each
    "packed": (
        f"{TEST_IMAGES}.gz",
        gzip.compress(struct.pack(">4I", 0x0803, 3, 28, 28) + bytes(2352)),
        "holds other data",
    ),
    "unpacked": (TEST_IMAGES, struct.pack(">4I", 0x0803, 3, 28, 28) + bytes(2352), "or is damaged"),
    "another size": (f"{TEST_IMAGES}.gz", gzip.compress(struct.pack(">4I", 0x0803, 2, 8, 9) + bytes(144)), "2 x 8 x 9"),
}


@pytest.mark.parametrize("name, content, words", OTHERS.values(), ids=OTHERS)
@pytest.mark.parametrize("own", [True, False], ids=["the project's folder", "the reader's"])
def test_another_data_set_s_files(tmp_path, monkeypatch, refused, name, content, words, own):
    """Nobody is told to delete it, wherever it is, and where ours is looked for is said."""
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / name).write_bytes(content)
    if own:
        monkeypatch.setattr(paths, "ROOT", tmp_path)
    with refused(folder / name, words, "another data set", "move it elsewhere", f"{folder}/FashionMNIST/raw") as caught:
        loading.read_verified(folder / name, "0" * 64)
    assert "delete" not in str(caught.value) and ("LABKIT_DATA" in str(caught.value)) != own


@pytest.mark.parametrize("own", [True, False], ids=["the project's folder", "the reader's"])
def test_only_in_the_project_s_folder_one_is_told_to_delete(tmp_path, monkeypatch, refused, own):
    path = tmp_path / "data" / f"{TEST_IMAGES}.gz"
    path.parent.mkdir()
    path.write_bytes(b"<html>")
    if own:
        monkeypatch.setattr(paths, "ROOT", tmp_path)
    with refused(path, "is damaged", "make data") as caught:
        loading.read_verified(path, "0" * 64)
    assert ("delete" in str(caught.value)) == own


@pytest.mark.parametrize("number, remedy", [(errno.EACCES, "chmod"), (errno.EIO, "see to the disk")])
def test_a_file_that_cannot_be_read(copy, sample_digests, monkeypatch, refused, number, remedy):
    """Neither damaged nor missing."""
    real = type(copy).open

    def fail(path, *args, **options):
        if path.name == f"{TEST_IMAGES}.gz":
            raise OSError(number, os.strerror(number))
        return real(path, *args, **options)

    monkeypatch.setattr(type(copy), "open", fail)
    with refused(copy / f"{TEST_IMAGES}.gz", "cannot be read", os.strerror(number), remedy) as caught:
        data.load("test", folder=copy, dataset=with_digests(sample_digests))
    assert "damaged" not in str(caught.value) and "delete" not in str(caught.value)


def test_a_folder_that_cannot_be_looked_into(copy, sample_digests, monkeypatch, refused):
    """As where one may not enter it: what is there is not called missing, and nothing is fetched."""
    real = type(copy).stat

    def fail(path, **options):
        if path.parent == copy:
            raise OSError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return real(path, **options)

    monkeypatch.setattr(type(copy), "stat", fail)
    monkeypatch.setattr(type(copy), "open", lambda path, *_: fail(path))
    with refused(copy, "cannot be read", "Permission denied"):
        data.load("test", folder=copy, dataset=with_digests(sample_digests))


def test_a_swept_part(copy, sample_digests):
    """What a killed fetch left, here with nothing left to fetch."""
    (copy / f".{TEST_IMAGES}.gz.0a1b2c3d.part").write_bytes(b"half")
    data.ensure(copy, with_digests(sample_digests))
    assert not list(copy.glob(".*"))


def test_swapped_files(copy, contents, sample_digests):
    a, b = copy / f"{TEST_IMAGES}.gz", copy / f"{TEST_LABELS}.gz"
    swapped = a.read_bytes(), b.read_bytes()
    b.write_bytes(swapped[0])
    a.write_bytes(swapped[1])
    assert loads_or_refuses(copy, sample_digests, a, contents)


# ----- the format itself, where no digest helps


def idx(*header, size=None, order=">"):
    return struct.pack(f"{order}{len(header)}I", *header) + bytes(i % 251 for i in range(size))


IMAGES, LABELS = "x-images-idx3-ubyte", "x-labels-idx1-ubyte"
FAULTS = {
    "no bytes": (IMAGES, b""),
    "half a header": (IMAGES, idx(0x803, 2, size=0)),
    "labels' magic": (IMAGES, idx(0x801, 2, 28, 28, size=1568)),
    "images' magic": (LABELS, idx(0x803, 3, size=3)),
    "signed bytes": (IMAGES, idx(0x903, 2, 28, 28, size=1568)),
    "floats": (IMAGES, idx(0xD03, 2, 28, 28, size=1568)),
    "high byte set": (IMAGES, idx(0x01000803, 2, 28, 28, size=1568)),
    "little-endian": (IMAGES, idx(0x803, 2, 28, 28, size=1568, order="<")),
    "little-endian sizes": (IMAGES, struct.pack(">I", 0x803) + idx(2, 28, 28, size=1568, order="<")),
    "count too high": (IMAGES, idx(0x803, 3, 28, 28, size=1568)),
    "count too low": (IMAGES, idx(0x803, 1, 28, 28, size=1568)),
    "one byte short": (IMAGES, idx(0x803, 2, 28, 28, size=1567)),
    "one byte long": (IMAGES, idx(0x803, 2, 28, 28, size=1569)),
    "27 x 28": (IMAGES, idx(0x803, 2, 27, 28, size=1512)),
    "28 x 27": (IMAGES, idx(0x803, 2, 28, 27, size=1512)),
    "14 x 56": (IMAGES, idx(0x803, 2, 14, 56, size=1568)),
    "huge count": (IMAGES, idx(0x803, 2**32 - 1, 28, 28, size=1568)),
    "no images": (IMAGES, idx(0x803, 0, 28, 28, size=0)),
    "no labels": (LABELS, idx(0x801, 0, size=0)),
    "labels too few": (LABELS, idx(0x801, 3, size=2)),
    "labels too many": (LABELS, idx(0x801, 3, size=4)),
    "images as labels": (LABELS, idx(0x803, 2, 28, 28, size=1568)),
    "labels as images": (IMAGES, idx(0x801, 3, size=3)),
}


@pytest.mark.parametrize("name, content", FAULTS.values(), ids=FAULTS)
def test_bad_header(refused, name, content):
    with refused(name):
        loading.parse_idx(content, name)


def test_good_header():
    images = loading.parse_idx(idx(0x803, 2, 28, 28, size=1568), IMAGES)
    assert images.shape == (2, 28, 28) and images.flatten().tolist() == [i % 251 for i in range(1568)]
    assert loading.parse_idx(idx(0x801, 3, size=3), LABELS).tolist() == [0, 1, 2]


def test_to_unit():
    """All grey levels: 0 is -1, 255 is +1, the steps between are equal, and the input is left alone."""
    images = torch.arange(4 * 784).remainder(256).to(torch.uint8).view(4, 28, 28)
    before = images.clone()
    x = data.to_unit(images)
    assert x.shape == (4, 1, 28, 28) and x.dtype == torch.float32
    assert x.min() == -1 and x.max() == 1
    torch.testing.assert_close(x[:, 0].double(), images.double() / 255 * 2 - 1, rtol=0, atol=1e-7)
    assert torch.equal(images, before)


# ----- fetching, from a server on this machine


class Server:
    """Serves ``answers[file name]``, each a function of the request's handler, and notes what was asked for."""

    def __init__(self):
        self.answers, self.asked, self.closing = {}, [], threading.Event()
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                server.asked.append(self.path)
                server.answers[self.path.removeprefix("/")](self)

            def log_message(self, *_):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()


def body(content, size=None, status=200, **headers):
    """An answer of ``content``, announced as ``size`` bytes."""

    def answer(handler):
        handler.send_response(status)
        for name, value in {"Content-Length": len(content) if size is None else size, **headers}.items():
            if value is not None:
                handler.send_header(name.replace("_", "-"), str(value))
        handler.end_headers()
        handler.wfile.write(content)

    return answer


@pytest.fixture
def server(monkeypatch, sample_folder):
    """A mirror that has the four files of the sample."""
    server = Server()
    server.answers = {path.name: body(path.read_bytes()) for path in sample_folder.glob("*.gz")}
    monkeypatch.setattr(FashionMNIST, "mirrors", [f"http://127.0.0.1:{server.http.server_port}/"])
    yield server
    server.closing.set()
    server.http.shutdown()
    server.http.server_close()


def test_fetch(server, tmp_path, contents, sample_digests):
    folder = tmp_path / "new" / "folder"
    assert data.ensure(folder, with_digests(sample_digests)) == folder
    assert sorted(p.name for p in folder.iterdir()) == sorted(f"{name}.gz" for name in sample_digests)
    for name, digest in sample_digests.items():
        assert loading.read_verified(folder / f"{name}.gz", digest) == contents[name]
        assert stat.S_IMODE((folder / f"{name}.gz").stat().st_mode) == 0o644
    assert sorted(server.asked) == sorted(f"/{name}.gz" for name in sample_digests)
    data.ensure(folder, with_digests(sample_digests))
    assert len(server.asked) == 4


def test_fetch_only_what_is_missing(server, copy, sample_digests):
    (copy / f"{TEST_LABELS}.gz").unlink()
    images, labels = data.load("test", folder=copy, dataset=with_digests(sample_digests))
    assert len(images) == len(labels) == 256 and server.asked == [f"/{TEST_LABELS}.gz"]


def hang(before, server):
    """Announce a body, send ``before`` of it, and then nothing until the test is over."""

    def answer(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        handler.wfile.write(before)
        server.closing.wait(30)

    return answer


def raw(text):
    """An answer that is not HTTP at all, or only nearly."""

    def answer(handler):
        handler.wfile.write(text)
        handler.close_connection = True

    return answer


def endless(server):
    """Announce nothing, and send until the other side has had enough."""

    def answer(handler):
        handler.send_response(200)
        handler.end_headers()
        with contextlib.suppress(OSError):
            while not server.closing.is_set():
                handler.wfile.write(bytes(1 << 16))

    return answer


def trickle(server):
    """A byte now and then, each in time."""

    def answer(handler):
        handler.send_response(200)
        handler.end_headers()
        with contextlib.suppress(OSError):
            while not server.closing.wait(0.05):
                handler.wfile.write(b"x")

    return answer


ANSWERS = {
    "endless": lambda good, server: endless(server),
    "a trickle": lambda good, server: trickle(server),
    "short body": lambda good, server: body(good[: len(good) // 2], len(good)),
    "short body, no size": lambda good, server: body(good[: len(good) // 2], Content_Length=None),
    "other bytes": lambda good, server: body(gzip.compress(b"other bytes")),
    "page": lambda good, server: body(b"<html>sign in to this network</html>"),
    "nothing": lambda good, server: body(b""),
    "twice": lambda good, server: body(good + good),
    "404": lambda good, server: body(b"no such file", status=404),
    "500": lambda good, server: body(b"", status=500),
    "redirect to nowhere": lambda good, server: body(b"", status=302, Location="http://127.0.0.1:9/"),
    "redirect in a circle": lambda good, server: body(b"", status=302, Location=f"/{TEST_IMAGES}.gz"),
    "chunk cut": lambda good, server: raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nabc"),
    "bad size": lambda good, server: body(good, "many"),
    "not HTTP": lambda good, server: raw(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "closed at once": lambda good, server: raw(b""),
    "hangs before the body": lambda good, server: hang(b"", server),
    "hangs within the body": lambda good, server: hang(good[:1000], server),
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_fetch_fails(server, monkeypatch, refused, tmp_path, sample_folder, sample_digests, answer):
    """One file of four is not what it should be: one line, no part of it left, and the sound ones are kept."""
    monkeypatch.setattr(loading, "TIMEOUT", 0.3)
    monkeypatch.setattr(loading, "LONGEST", 1)
    good = (sample_folder / f"{TEST_IMAGES}.gz").read_bytes()
    server.answers[f"{TEST_IMAGES}.gz"] = answer(good, server)
    folder = tmp_path / "data"
    with refused(f"{TEST_IMAGES}.gz is not in {folder}", "without a network", "LABKIT_DATA", "torchvision's mirror"):
        data.ensure(folder, with_digests(sample_digests))
    kept = {p.name.removesuffix(".gz"): sha256(gzip.decompress(p.read_bytes())) for p in folder.iterdir()}
    assert kept == {name: digest for name, digest in sample_digests.items() if name.startswith("train")}


def test_nobody_listens(monkeypatch, refused, tmp_path, sample_digests):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    monkeypatch.setattr(FashionMNIST, "mirrors", [f"http://127.0.0.1:{port}/"])
    with refused("is not in", "LABKIT_DATA", "mirror", "refused", "Debian's package: apt-get is not here"):
        data.ensure(tmp_path / "data", with_digests(sample_digests))
    assert list((tmp_path / "data").iterdir()) == []


def test_folder_that_cannot_be_made(server, refused, tmp_path, sample_digests):
    (tmp_path / "file").write_bytes(b"")
    with refused(tmp_path / "file"):
        data.ensure(tmp_path / "file" / "data", with_digests(sample_digests))


def test_interrupted_fetch(server, monkeypatch, tmp_path, sample_digests):
    """Ctrl-C goes on as itself and leaves no part behind; the next call completes."""
    replace, folder = loading.os.replace, tmp_path / "data"

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(loading.os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        data.ensure(folder, with_digests(sample_digests))
    assert list(folder.iterdir()) == []
    monkeypatch.setattr(loading.os, "replace", replace)
    assert len(list(data.ensure(folder, with_digests(sample_digests)).iterdir())) == 4


FETCH = """
import dataclasses
import sys
from pathlib import Path
from torchvision.datasets import FashionMNIST
from labkit import data
from labkit.data import Dataset, loading
from labkit.data.registry import Files
FashionMNIST.mirrors, loading.SYSTEM, loading.shutil.which = [sys.argv[1]], Path("no system copy"), lambda name: None
digests = dict(pair.split("=") for pair in sys.argv[3:])
data.ensure(Path(sys.argv[2]), dataclasses.replace(data.FASHION_MNIST, digests=digests))
"""


def fetching(server, folder, digests):
    """Another process that fetches into ``folder``."""
    arguments = [
        f"http://127.0.0.1:{server.http.server_port}/",
        str(folder),
        *(f"{name}={digest}" for name, digest in digests.items()),
    ]
    return subprocess.Popen(
        [sys.executable, "-c", FETCH, *arguments],
        env=os.environ | {"PYTHONPATH": str(paths.ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


@pytest.mark.thorough
@pytest.mark.slow
def test_killed_while_fetching(server, tmp_path, sample_folder, sample_digests):
    """Nothing half-fetched has the name of a file, nobody else fetches meanwhile, and the next call completes."""
    folder, good = tmp_path / "data", (sample_folder / f"{TEST_IMAGES}.gz").read_bytes()
    server.answers[f"{TEST_IMAGES}.gz"] = hang(good[:1000], server)
    child = fetching(server, folder, sample_digests)
    try:
        deadline = time.monotonic() + 60
        while not list(folder.glob(f".{TEST_IMAGES}.gz.*.part")):
            assert child.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        second = fetching(server, folder, sample_digests)
        said = second.communicate(timeout=60)[1].decode()
        assert second.returncode and f"in use by process {child.pid}" in said
        assert child.poll() is None and list(folder.glob(f".{TEST_IMAGES}.gz.*.part"))
    finally:
        child.kill()
        child.communicate()
    assert not (folder / f"{TEST_IMAGES}.gz").exists() and list(folder.glob(f".{TEST_IMAGES}.gz.*.part"))
    server.answers[f"{TEST_IMAGES}.gz"] = body(good)
    data.ensure(folder, with_digests(sample_digests))
    assert sorted(path.name for path in folder.iterdir()) == sorted(f"{name}.gz" for name in sample_digests)


LOAD = """
import dataclasses
import sys
from pathlib import Path
from torchvision.datasets import FashionMNIST
from labkit import data
from labkit.data import Dataset, loading
from labkit.data.registry import Files
from labkit.base.errors import LabError
FashionMNIST.mirrors, loading.SYSTEM, loading.shutil.which = [sys.argv[1]], Path("no system copy"), lambda name: None
try:
    digests = dict(pair.split("=") for pair in sys.argv[3:])
    dataset = dataclasses.replace(data.FASHION_MNIST, digests=digests)
    print(len(data.load("test", folder=Path(sys.argv[2]), dataset=dataset)[0]), "images")
except LabError as error:
    print(error)
"""


@pytest.mark.slow
def test_a_read_only_folder(server, copy, sample_digests, own_mounts):
    """What is there is used; what is missing cannot be fetched to it, and one line says what to do."""

    def load():
        arguments = [
            f"http://127.0.0.1:{server.http.server_port}/",
            str(copy),
            *(f"{name}={digest}" for name, digest in sample_digests.items()),
        ]
        script = f'mount --bind "{copy}" "{copy}" && mount -o remount,ro,bind "{copy}" && exec "$@"'
        command = ["unshare", "-m", "bash", "-c", script, "bash", sys.executable, "-c", LOAD, *arguments]
        done = subprocess.run(
            command, env=os.environ | {"PYTHONPATH": str(paths.ROOT)}, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    assert load() == "256 images"
    (copy / f"{TEST_LABELS}.gz").unlink()
    said = load()
    assert (
        f"{TEST_LABELS}.gz is not in {copy}" in said
        and "Read-only" in said
        and "LABKIT_DATA" in said
        and len(said.splitlines()) == 1
    )


def test_every_record_is_complete_and_found_by_its_name():
    assert data.DATASETS["fashion_mnist"] is data.FASHION_MNIST
    for name, dataset in data.DATASETS.items():
        assert dataset.name == name and dataset.title and dataset.source and len(set(dataset.classes)) > 1
        assert set(dataset.splits) == {"train", "test"}
        assert {file for files in dataset.splits.values() for file in files} == set(dataset.digests)
        assert all(re.fullmatch("[0-9a-f]{64}|md5:[0-9a-f]{32}", digest) for digest in dataset.digests.values())


def test_a_record_of_another_size_is_read_by_its_own_numbers(tmp_path, refused):
    """Pictures of 2x3 pixels under other file names, with two classes."""
    pixels, labels = bytes(range(24)), bytes([0, 1, 1, 0])
    contents = {
        "i-idx3-ubyte": struct.pack(">4I", 0x0803, 4, 2, 3) + pixels,
        "l-idx1-ubyte": struct.pack(">2I", 0x0801, 4) + labels,
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    digests = {name: sha256(content) for name, content in contents.items()}
    files = Files("i-idx3-ubyte", "l-idx1-ubyte")
    other = Dataset("x", "X", "ours", ("a", "b"), {"train": files, "test": files}, digests, lambda: "", shape=(2, 3))
    images, found = data.load("train", folder=tmp_path, dataset=other)
    assert images.shape == (4, 2, 3) and bytes(images.flatten().tolist()) == pixels and bytes(found.tolist()) == labels
    (tmp_path / "i-idx3-ubyte").unlink()
    with refused("i-idx3-ubyte.gz is not in", "there is none", "the 2 .gz files of X"):
        data.load("train", folder=tmp_path, dataset=other)
