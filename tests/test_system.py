"""Files are written whole or not at all; a fault is one line; a device is refused before it fails."""

import errno
import os
import stat
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import labkit
from labkit import system
from labkit.system import LabError, pick_device, sha256, write_atomic

OLD = b"old content " * 1000
NEW = b"new content " * 2000


def intact(folder):
    """Nothing but `file` with its old content stands in ``folder``."""
    return [p.name for p in folder.iterdir()] == ["file"] and (folder / "file").read_bytes() == OLD


@pytest.mark.parametrize("content", [b"", b"x", NEW], ids=["empty", "short", "long"])
def test_written_content_is_read_back(tmp_path, content):
    path = tmp_path / "new" / "folders" / "file"
    for _ in range(2):  # a new file, then one that replaces another
        assert write_atomic(path, content) == path
        assert path.read_bytes() == content
        assert [p.name for p in path.parent.iterdir()] == ["file"]


REMEDIES = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space",
    errno.EFBIG: "ulimit -f",
    errno.EROFS: "read-only",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.EIO: os.strerror(errno.EIO),
}


@pytest.mark.parametrize("stage", ["replace", "fsync"])
@pytest.mark.parametrize("number", REMEDIES, ids=errno.errorcode.get)
def test_failed_write_leaves_the_old_file(tmp_path, monkeypatch, refused, stage, number):
    path = tmp_path / "file"
    path.write_bytes(OLD)

    def fail(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, stage, fail)
    with refused(path, REMEDIES[number]):
        write_atomic(path, NEW)
    assert intact(tmp_path)


@pytest.mark.parametrize("stage", ["replace", "fsync"])
def test_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch, stage):
    """Ctrl-C is not a write fault: it goes on as itself, with the same clean folder."""
    path = tmp_path / "file"
    path.write_bytes(OLD)

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, stage, interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomic(path, NEW)
    assert intact(tmp_path)


def test_failure_after_the_rename_does_not_claim_the_old_file(tmp_path, monkeypatch):
    """The folder's fsync comes after the rename: the new content stands, and no message may deny it."""
    path = tmp_path / "file"
    path.write_bytes(OLD)

    fsync = os.fsync

    def fail(handle):  # for a folder only
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", fail)
    message = ""
    try:
        write_atomic(path, NEW)
    except LabError as error:
        message = str(error)
    assert path.read_bytes() == (OLD if "untouched" in message else NEW)


def test_parent_that_is_a_file(tmp_path, refused):
    (tmp_path / "file").write_bytes(OLD)
    with refused(tmp_path / "file"):
        write_atomic(tmp_path / "file" / "child", NEW)
    assert intact(tmp_path)


# Real limits, each in a process of its own. The child prints the error's line and how it found the folder.
CHILD = """
import sys
from pathlib import Path
from labkit.system import LabError, write_atomic
folder = Path(sys.argv[1])
{setup}
try:
    write_atomic(folder / "file", b"n" * 1_500_000)
except LabError as error:
    print(error)
content = (folder / "file").read_bytes()
print([p.name for p in folder.iterdir()], set(content) == set(b"o"), len(content))
"""
FILL = '(folder / "file").write_bytes(b"o" * 1_000_000)\n'
SMALL_FILES = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1_200_000, 1_200_000))"
READ_ONLY = 'import subprocess; subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)'


def run_child(folder, setup, mount=False):
    code = CHILD.format(setup=FILL + setup)
    command = [sys.executable, "-c", code, str(folder)]
    if mount:
        script = 'mount -t tmpfs -o size=2m tmpfs "$0" && exec "$@"'
        command = ["unshare", "-m", "sh", "-c", script, str(folder), *command]
    path = {"PYTHONPATH": str(Path(labkit.__file__).parent.parent)}
    done = subprocess.run(command, env=os.environ | path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.fixture(scope="module")
def own_mounts():
    """Skip where this user may not mount in a namespace of its own."""
    if os.geteuid() or not shutil.which("unshare"):
        pytest.skip("mounting a small disk needs root and unshare")
    if subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True).returncode:
        pytest.skip("this machine does not let root mount")


def test_file_size_limit(tmp_path):
    line, after = run_child(tmp_path, SMALL_FILES)
    assert str(tmp_path / "file") in line and "ulimit -f" in line
    assert after == "['file'] True 1000000"


@pytest.mark.parametrize(
    "setup, remedy", [("", "free some space"), (READ_ONLY, "read-only")], ids=["full", "read-only"]
)
def test_disk_that_takes_no_more(tmp_path, own_mounts, setup, remedy):
    line, after = run_child(tmp_path, setup, mount=True)
    assert str(tmp_path / "file") in line and remedy in line
    assert after == "['file'] True 1000000"


def test_sha256():
    """FIPS 180-2, the example "abc"."""
    assert sha256(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_notebook_shows_one_line(tmp_path):
    code = "from labkit.system import LabError; raise LabError('the disk is full')"
    paths = {"IPYTHONDIR": str(tmp_path), "PYTHONPATH": str(Path(labkit.__file__).parent.parent)}
    command = [sys.executable, "-m", "IPython", "--quick", "-c", code]
    done = subprocess.run(command, env=os.environ | paths, capture_output=True, text=True, timeout=60)
    assert (done.stdout + done.stderr).strip() == "labkit: the disk is full"


BAD_DEVICES = ["gpu", "", "CPU", "mps", "cuda:x", "cuda:-1", "cuda:²", "cuda:1000", "cpu:", "cpu:²", None, 0]


@pytest.mark.parametrize("name", BAD_DEVICES)
def test_pick_device_refuses(refused, name):
    with refused(repr(name)):
        pick_device(name)


def test_pick_device_takes(refused):
    assert pick_device("cpu") == "cpu"
    assert pick_device() == pick_device("auto") == ("cuda" if torch.cuda.is_available() else "cpu")
    if torch.cuda.is_available():
        assert pick_device("cuda:0") == "cuda:0"
    else:
        with refused("'cuda'", "0 GPUs", "use auto or cpu"):
            pick_device("cuda")
