"""Kill a training at random moments, again and again: what comes out in the end must be what an undisturbed one gives.

    make soak                      or    python tests/soak.py [--kills 100] [--seed N]

A small DCGAN trains in a process of its own, which is killed (SIGKILL) after a random time; then it is started again
and goes on from its last checkpoint. A run that gets to its end is compared bit by bit with an undisturbed one, and
another begins, until as many processes have been killed as were asked for.
"""

import argparse
import functools
import hashlib
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
EPOCHS = 30
FILES = ("generator.safetensors", "discriminator.safetensors", "history.safetensors")
LONGEST = 1.2  # seconds between the start of a process and its death


def train(root: Path, threads: int) -> None:
    """What is killed: a DCGAN on a few pictures, with all that a checkpoint must carry."""
    import torch
    from tqdm import tqdm

    from labkit.config import config_for
    from labkit.data import loading
    from labkit.training import runs, state

    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # a hundred progress bars
    tqdm.set_lock(threading.RLock())  # its own is a semaphore that nobody clears away after a killed process
    torch.set_num_threads(threads)
    runs.trained_generator = functools.partial(state.trained_generator, n=100)  # not 10,000: a second
    pictures = loading.parse_idx(loading.read_verified(*SAMPLE), SAMPLE[0].name)
    runs.fit_or_load(config_for("dcgan", "smoke", epochs=EPOCHS, examples=16, batch=8, ema=0.9), "cpu", root, pictures)


SAMPLE = (
    Path(__file__).parent / "sample/train-images-idx3-ubyte.gz",
    "deb9198f706b0f2ae2e54000eed634453fb922aab9d99acae2d649ff92165d3e",  # as in conftest.py
)


def digests(root: Path) -> dict[str, str]:
    """SHA-256 of the results of the one run in ``root``."""
    (folder,) = (path.parent for path in root.glob("smoke/dcgan/*/run.json"))
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in FILES}


def strays(root: Path) -> list[str]:
    """Files that a finished run should not have."""
    return [
        path.name
        for path in root.rglob("*")
        if path.is_file()
        and path.name not in (*FILES, "run.json")
        and not path.name.startswith(f"checkpoint-{EPOCHS:05d}")
    ]


def soak(kills: int, seed: int, scratch: Path, threads: int = 1) -> str:
    """Kill ``kills`` processes and compare every run that ends; a sentence on what happened, or an AssertionError."""
    context = multiprocessing.get_context("forkserver")  # children are forked from a process that has imported torch
    context.set_forkserver_preload(["labkit.training.runs", "torch._dynamo", "torch.optim.swa_utils"])
    chance, killed, finished, begin = random.Random(seed), 0, 0, time.monotonic()

    def start(root: Path):
        process = context.Process(target=train, args=(root, threads))
        process.start()
        return process

    process = start(scratch / "straight")
    process.join(300)
    assert process.exitcode == 0, f"the undisturbed training ended with {process.exitcode}"
    wanted = digests(scratch / "straight")
    while killed < kills or not finished:
        root = scratch / f"run{finished}"
        process = start(root)
        process.join(chance.uniform(0.05, LONGEST) if killed < kills else 300)
        if process.exitcode is None:
            process.kill()
            process.join()
            killed += 1
        elif process.exitcode != 0:
            raise AssertionError(f"seed {seed}, after {killed} kills: a training ended with {process.exitcode}")
        else:
            assert digests(root) == wanted, f"seed {seed}, after {killed} kills: the results differ"
            assert not strays(root), f"seed {seed}, after {killed} kills: left behind {strays(root)}"
            shutil.rmtree(root)
            finished += 1
        assert process.exitcode in (0, -signal.SIGKILL)
    took = time.monotonic() - begin
    ended = f"{finished} runs ended, each with the bits of the undisturbed one"
    return f"{killed} kills, seed {seed}: {ended}, in {took:.0f} s"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        print(soak(options.kills, options.seed, Path(scratch)))


if __name__ == "__main__":
    main()
