"""Kill trainings, reports, publications and set-ups at random moments: nothing may be lost or half done.

    make soak                      or    python tests/soak.py [--kills 100] [--seed N]

A small DCGAN trains in a process of its own, which is killed (SIGKILL) after a random time; then it is started again
and goes on from its last checkpoint. A run that gets to its end is compared bit by bit with an undisturbed one, and
another begins, until as many processes have been killed as were asked for. A report that is killed leaves the last one
whole, or the next start makes it so, and so it is for what is published, between its two renames too, and for .venv.
"""

import argparse
import functools
import hashlib
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
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


NOTEBOOK = """
import os, pathlib, time
print("drawn for", note)
for name in {names}:
    pathlib.Path(os.environ["LABKIT_FIGURES"], name).write_bytes(b"drawn for " + note.encode())
"""


def lab(root: Path):
    """This process works in the project ``root``, which has one notebook; it and the names of the figures it draws."""
    import nbformat
    from nbformat.v4 import new_code_cell, new_notebook

    from labkit.base import paths
    from labkit.figures.catalogue import FIGURES
    from labkit.report import render

    paths.ROOT, paths.BUILD, paths.FIGURES = root, root / "build", root / "figures"
    paths.DATA = SAMPLE[0].parent
    render.provenance = lambda *_: [("made", "by a soak test")]
    names = [f"fig{n:02d}_{slug}.png" for n, (slug, _) in FIGURES.items()]
    cells = [new_code_cell('note = ""', metadata={"tags": ["parameters"]}), new_code_cell(NOTEBOOK.format(names=names))]
    path = root / "notebooks/01_draw.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(new_notebook(cells=cells, metadata={"language_info": {"name": "python"}}), path)
    return path, names


def report(root: Path, note: str) -> None:
    """What is killed: a report of one notebook that draws every figure."""
    from labkit.report import make

    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(1, 2)
    os.setsid()
    make.make_report("smoke", "cpu", {"note": note}, [lab(root)[0]])


def publishing(root: Path, note: str) -> None:
    """What is killed: a publication of two folders, again and again."""
    from labkit.report.publish import publish

    lab(root)
    for number in range(10**6):
        for target in targets():
            stage = root / "stage" / target.folder.parent.name
            shutil.rmtree(stage, ignore_errors=True)
            stage.mkdir(parents=True)
            for k in range(30):
                (stage / f"{k}.html").write_text(f"{note} {number}")
        publish("smoke", {target: root / "stage" / target.folder.parent.name for target in targets()})


def targets() -> list:
    """What is published: figures/smoke and build/smoke."""
    from labkit.base import paths
    from labkit.report.publish import Target

    return [Target(paths.FIGURES / "smoke"), Target(paths.BUILD / "smoke")]


def settle(root: Path) -> None:
    """What every start of a report does first with what a killed publication has left."""
    from labkit.base import paths
    from labkit.report.publish import Target, finish, sweep

    lab(root)
    finish("smoke", [*targets(), Target(paths.BUILD, False)])
    sweep("smoke", [*targets(), Target(paths.BUILD, False)])


def generation(folder: Path, count: int, what: str) -> str | None:
    """What all files in ``folder`` were made for, all ``count`` of them; None if it is not there."""
    if not folder.exists():
        return None
    found = {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}
    assert len(found) == count and len(set(found.values())) == 1, f"{what}: {folder} is half one and half another"
    return next(iter(found.values()))


def soak_publishing(kills: int, seed: int, root: Path, start) -> str:
    """Kill publications, every other one between the first file's rename and the last one's."""
    chance, between = random.Random(seed), 0
    journal = root / "build/.smoke.publishing"
    for kill in range(kills):
        process = start(publishing, root, f"round {kill}")
        end = time.monotonic() + 20
        while not journal.exists() and process.is_alive() and time.monotonic() < end:
            time.sleep(0.0005)  # until the first publication is at it
        if kill % 2 == 0:
            time.sleep(chance.uniform(0, 0.3))
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL, f"seed {seed}: publication {kill} ended with {process.exitcode}"
        between += journal.exists()
        what = f"seed {seed}, publication {kill}"
        done(start(settle, root), what)
        found = {generation(root / place / "smoke", 30, what) for place in ("build", "figures")}
        assert len(found) == 1 and None not in found and not journal.exists(), f"{what}: {found}"
    return f"{kills} publications, {between} of them between the first and the last rename"


def done(process, what: str) -> None:
    """Wait for ``process``, which is to end well."""
    process.join(300)
    assert process.exitcode == 0, f"{what}: ended with {process.exitcode}"


def soak_reports(kills: int, seed: int, root: Path, start) -> str:
    """Kill reports: what was published is whole once the next start has looked at it, and the next report is whole."""
    from labkit.figures.catalogue import FIGURES

    chance, ended, begin = random.Random(seed), 0, time.monotonic()
    done(start(report, root, "round 0"), "an undisturbed report")
    took, count = time.monotonic() - begin, len(FIGURES)
    for kill in range(1, kills + 1):
        process = start(report, root, f"round {kill}")
        process.join(chance.uniform(0.3, 1) * took)
        if process.exitcode is None:
            os.killpg(process.pid, signal.SIGKILL) if kill % 2 else process.kill()  # with its kernel, or without
            process.join()
        ended += process.exitcode == 0
        what = f"seed {seed}, report {kill}"
        assert process.exitcode in (0, -signal.SIGKILL), f"{what} ended with {process.exitcode}"
        done(start(settle, root), what)
        note = generation(root / "figures/smoke", count, what)
        assert note and f"{note}".removeprefix("drawn ") in (root / "build/smoke/01_draw.ipynb").read_text(), what
        assert (root / "build/smoke/report.html").read_bytes().rstrip().endswith(b"</html>"), what
    done(start(report, root, "the last"), f"seed {seed}: the last report")
    assert generation(root / "figures/smoke", count, "the last") == "drawn for the last"
    left = {path.name for path in (root / "build").iterdir()} - {"smoke", ".smoke.busy", "measured"}
    assert not left, f"seed {seed}: left behind {left}"
    return f"{kills} reports, {ended} of which were done by then"


def soak_setups(kills: int, seed: int, scratch: Path) -> str:
    """Kill set-ups that are to make another .venv: the next one, without a network, has what was there before."""
    import small_setup as small

    (scratch / "wheels").mkdir()
    wheels, chance = small.make_wheels(scratch / "wheels"), random.Random(seed)
    root = small.project(scratch / "project", wheels)
    begin = time.monotonic()
    status, lines = small.setup(root, PIP_FIND_LINKS=str(wheels))
    took = time.monotonic() - begin
    assert status == 0, lines
    shutil.copytree(root / ".venv", scratch / "kept", symlinks=True)
    for kill in range(kills):
        (root / "requirements.lock").write_text(small.locked(wheels, "small", "other"))
        environment = small.own(PIP_FIND_LINKS=str(wheels))
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "start_new_session": True}
        process = subprocess.Popen(["make", "setup"], cwd=root, env=environment, **quiet)
        time.sleep(chance.uniform(0, took))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        (root / "requirements.lock").write_text(small.locked(wheels, "small"))
        status, lines = small.setup(root)
        assert status == 0 and small.sound(root), f"seed {seed}, set-up {kill}: {lines}"
        assert not (root / ".venv.old").exists()
        shutil.rmtree(root / ".venv")  # which may be the new one by now
        shutil.copytree(scratch / "kept", root / ".venv", symlinks=True)
    return f"{kills} set-ups"


SHARES = {"reports": 0.08, "setups": 0.07, "publishing": 0.25}  # of the kills; the rest are for trainings


def everything(kills: int, seed: int, scratch: Path) -> None:
    """All four kinds, a line on each."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["labkit.report.make", "labkit.training.runs", "torch._dynamo", "papermill"])

    def start(work, *arguments):
        process = context.Process(target=work, args=arguments)
        process.start()
        return process

    number = {kind: round(kills * share) for kind, share in SHARES.items()}
    for name, what in (
        ("publishing", lambda: soak_publishing(number["publishing"], seed, scratch / "publishing", start)),
        ("reports", lambda: soak_reports(number["reports"], seed, scratch / "reports", start)),
        ("setups", lambda: soak_setups(number["setups"], seed, scratch)),
        ("trainings", lambda: soak(kills - sum(number.values()), seed, scratch)),
    ):
        begin = time.monotonic()
        print(f"{name}: {what()}; {time.monotonic() - begin:.0f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        everything(options.kills, options.seed, Path(scratch))


if __name__ == "__main__":
    from labkit.base.command import command

    raise SystemExit(command(main))
