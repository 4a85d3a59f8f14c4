"""What the tests share: a small real sample of Fashion-MNIST, tiny configs, and what a refusal looks like.

`sample/` holds the first 512 training and the first 256 test images with their labels, in the format and
under the names of the real files.
"""

import os
import shutil
import signal
import subprocess
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from labkit.base.system import cores

# Test processes share the cores. If each took them all, the threads of one would wait for those of the other, and small
# trainings last ten times as long. Read when torch is imported, here and in what the tests start.
if workers := int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "0")):
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, cores() // workers)))

from sample_data import with_digests

from labkit import data
from labkit.base import paths
from labkit.base.errors import LabError
from labkit.base.files import sha256
from labkit.config import config_for

if (
    signal.getsignal(signal.SIGINT) == signal.SIG_IGN
):  # as in a background job of a shell: tests that press Ctrl-C need it heard
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_sessionstart(session):
    """On a fresh clone the data are fetched once, not by every process; without them some tests say what is missing."""
    if not hasattr(session.config, "workerinput"):
        with suppress(LabError):
            data.ensure(paths.DATA)


def pytest_collection_modifyitems(items):
    """A test is marked with the name of its folder: `-m unit` runs tests/unit."""
    for item in items:
        item.add_marker(item.path.parent.name)


# SHA-256 of the decompressed content, as in data.FASHION_MNIST.digests.
SAMPLE_DIGESTS = {
    "train-images-idx3-ubyte": "deb9198f706b0f2ae2e54000eed634453fb922aab9d99acae2d649ff92165d3e",
    "train-labels-idx1-ubyte": "d197307668a52d8897d577ef0befc4313eb4609c88e3ff5119ccfc2ffbabe212",
    "t10k-images-idx3-ubyte": "d26e6d4358029015fcf965ead9b5b8d3d14c9f95e7bcb339b0671d303127251c",
    "t10k-labels-idx1-ubyte": "9a0b493be362cbe84229b5021aa6fcc6c4337787151612e718d2892825267910",
}


@pytest.fixture(scope="session")
def sample_folder():
    """The folder of the sample. Tests that damage files do so in a copy."""
    return Path(__file__).parent / "sample"


@pytest.fixture(scope="session")
def sample_digests():
    return dict(SAMPLE_DIGESTS)


@pytest.fixture(scope="session")
def sample_images(sample_folder):
    """The 512 training images, uint8 (512, 28, 28)."""
    return data.load("train", folder=sample_folder, dataset=with_digests(SAMPLE_DIGESTS))[0]


@pytest.fixture(scope="module")
def sample_as_garments(sample_images):
    """The sample takes the place of the training set: runs on it have plain names, and are given for garments."""
    from labkit.training import runs

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "GARMENTS", sha256(sample_images.numpy().tobytes()))
        yield


@pytest.fixture(scope="session")
def tiny_config():
    """``tiny_config(model, **changes)``: the smoke profile, cut down to eight small steps."""

    def tiny(model, **changes):
        return config_for(model, "smoke", **{"epochs": 2, "batch": 8, "examples": 32, **changes})

    return tiny


@pytest.fixture(scope="session")
def refused():
    """``with refused("words", ...)``: the block raises a LabError of one line that contains all the words."""

    @contextmanager
    def check(*words):
        with pytest.raises(LabError) as caught:
            try:
                yield caught
            except KeyboardInterrupt:  # some tests plant one; unnoticed it would end pytest
                pytest.fail("Ctrl-C came through as itself")
        text = str(caught.value)
        assert text and text.splitlines() == [text]
        for word in words:
            assert str(word) in text

    return check


@pytest.fixture(scope="session")
def own_mounts():
    """Skip where this user may not mount in a namespace of its own."""
    if os.geteuid() or not shutil.which("unshare"):
        pytest.skip("mounting a small disk needs root and unshare")
    if subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True).returncode:
        pytest.skip("this machine does not let root mount")
