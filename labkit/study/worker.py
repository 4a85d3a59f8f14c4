"""What a worker of a study does: train, measure, hand over.

It keeps in data/studies/.work/<study>/<arm>/seed<k>-<digest of the config>/ of its own machine

    checkpoint-...                          see `training.checkpoints`
    look-<epoch>-<sha256>.safetensors       networks after an epoch; its name vouches for its content
    album.safetensors                       pictures after every epoch
    record/                                 the finished record, until the client has it

so that whoever takes over the run goes on where it was left, if it sees this folder, and else trains it anew, to the
same bits.
"""

import contextlib
import functools
import platform
import shutil
import signal
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor

from .. import data
from ..base import paths
from ..base.cache import tensors_in
from ..base.errors import LabError
from ..base.files import FAULTS, exclusive, sha256, write_atomic
from ..base.kept import LIST
from ..base.machine import pick_device
from ..base.version import VERSION
from ..data.loading import locate
from ..evaluation import album
from ..evaluation.classifier import load_classifier
from ..training.checkpoints import checkpoint, machines_of, resume
from ..training.loop import train
from ..training.state import TrainState, trained_generator
from . import records
from .plan import Job, Shard

PATIENCE = 600  # seconds to wait for another process that is at the same run
TOPIC = "labkit-study"  # of the messages that a worker sends


def dask_setup(worker) -> None:
    """Called by Dask as a local worker starts: Ctrl-C in the terminal is for the client, which ends its workers.

    And a bar of progress makes no lock between processes, which a worker that is killed would leave behind.
    """
    from tqdm import tqdm

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    tqdm.set_lock(threading.RLock())


def describe(dataset: str = data.DEFAULT) -> dict:
    """What the client must know of a worker: its labkit, whether it has a GPU, and what it lacks of ``dataset``."""
    known = {"version": VERSION, "sources": records.sources(), "gpu": torch.cuda.is_available()}
    if dataset != data.DEFAULT:
        return known | _described(dataset)
    lacking = [name for name in data.FASHION_MNIST.digests if locate(paths.DATA, name) is None]
    lacks = f"has no {data.FASHION_MNIST.title} in {paths.DATA}: run 'labkit data' there, or set LABKIT_DATA"
    return known | {"lacks": lacks if lacking else ""}


def _described(dataset: str) -> dict:
    """Which pictures of another data set than the default are here, and which classifier; or that they are not."""
    folder = paths.OWN / dataset
    try:
        pictures = data.images_sha256(dataset)
        card = load_classifier(dataset=dataset, train=False)[1]
    except LabError as error:
        lacks = f"cannot measure runs on {dataset} ({error}): have the pictures there, and copy {folder} to it"
        return {"lacks": lacks}
    return {"lacks": "", "pictures": pictures, "classifier": card["sha256"]}


def forget(study: str, jobs: list[Job]) -> None:
    """Remove what this machine kept of ``jobs``, whose records the client has."""
    for job in jobs:
        shutil.rmtree(folder_of(study, job), ignore_errors=True)


def folder_of(study: str, job: Job) -> Path:
    """Where a worker keeps what it has of ``job``."""
    return paths.STUDIES / ".work" / study / f"{job.name}-{job.config.digest()}"


class Unwanted(Exception):
    """Nobody waits for this run any more: its client has ended."""


def work(shard: Shard, study: str, device: str, weights: tuple[int, ...]) -> dict:
    """`make` as a task of Dask, whose client gets a message after every epoch; and where it was done."""

    def tell(job: Job, epoch: int) -> None:
        worker, key = _task()
        if worker:
            state = worker.state.tasks.get(key)
            if state is None or state.state == "cancelled":
                raise Unwanted(job.name)
            worker.log_event(f"{TOPIC}-{study}", {"job": job.name, "epoch": epoch})

    found = make(shard, study, pick_device(device), weights, tell)
    return {"runs": {job.config.seed: made for job, made in found.items()}, "host": platform.node()}


def _task():
    """The worker and the key of the task that runs in this thread, if it is one."""
    from distributed import get_worker

    try:
        worker = get_worker()
        return worker, worker.get_current_task()
    except ValueError:
        return None, None


Made = dict[str, bytes] | str  # files of a record, or in a line why there are none


def make(
    shard: Shard,
    study: str,
    device: str = "cpu",
    weights: tuple[int, ...] = (),
    tell: Callable[[Job, int], None] = lambda job, epoch: None,
) -> dict[Job, Made]:
    """The records of ``shard``: kept ones, or else trained to the end and measured; or why there is none.

    ``weights`` are the seeds whose weights are kept; ``tell(job, epoch)`` is called after every epoch.
    """
    made: dict[Job, Made] = {}
    states: dict[Job, TrainState] = {}
    with contextlib.ExitStack() as stack, _threads(1):
        for job in shard.jobs:
            folder = folder_of(study, job)
            with _fault_of(job, made):
                stack.enter_context(_alone(folder, partial(tell, job, 0)))
                kept = _kept(folder / "record", shard.looks, job.config.seed in weights)
                if kept:
                    made[job] = kept
                else:
                    states[job] = _resumed(job, shard.looks, folder, device)
        made |= _train(states, shard.looks, study, device, tell)
        for job, state in states.items():
            if job not in made:
                with _fault_of(job, made):
                    made[job] = _measured(job, state, shard.looks, study, job.config.seed in weights)
    return made


@contextlib.contextmanager
def _fault_of(job: Job, made: dict[Job, Made]):
    """What is wrong with ``job`` is noted, and the others go on."""
    try:
        yield
    except LabError as error:
        made[job] = str(error)


def _resumed(job: Job, looks: tuple[int, ...], folder: Path, device: str) -> TrainState:
    """The state of ``job`` as far as what lies in ``folder`` has it."""
    images, digest = _images(device, job.config.dataset, job.config.examples)
    if job.config.examples > len(images):
        raise LabError(f"examples = {job.config.examples} is more than the {len(images)} images there are")
    state = TrainState(job.config, device, digest)
    resume(state, folder)
    if any(_look(folder, epoch) is None for epoch in looks if epoch <= state.epoch):
        _sweep(folder)
        state = TrainState(job.config, device, digest)
    return state


@functools.lru_cache(maxsize=1)
def _images(device: str, dataset: str = data.DEFAULT, examples: int = 0) -> tuple[Tensor, str]:
    """The training images and their digest; those of a smaller set than the default again and again, as in `runs`."""
    images = data.load("train", device, dataset=dataset)[0]
    digest = sha256(images.cpu().numpy().tobytes())
    if dataset != data.DEFAULT and examples > len(images):
        images = images.repeat(-(-examples // len(images)), 1, 1)[:examples]
    return images, digest


def _train(
    states: dict[Job, TrainState],
    looks: tuple[int, ...],
    study: str,
    device: str,
    tell: Callable[[Job, int], None],
) -> dict[Job, Made]:
    """Train all ``states`` to the end, together; why one has failed. After a fault each goes on alone."""
    failed: dict[Job, Made] = {}
    config = next(iter(states)).config if states else None
    jobs = {job.config.seed: job for job in states}

    def keep(state: TrainState) -> None:
        job = jobs[state.config.seed]
        folder = folder_of(study, job)
        if state.epoch in looks:
            _keep_look(state, folder)
        album.keep(trained_generator(state, n=1000), state.config.latent_dim, state.epoch, folder)
        checkpoint(state, folder)
        tell(job, state.epoch)

    for job, state in states.items():
        tell(job, state.epoch)
    if config is None:
        return failed
    images = _images(device, config.dataset, config.examples)[0]
    try:
        train(list(states.values()), images, on_epoch=keep)
    except LabError as error:
        if len(states) == 1:
            return dict.fromkeys(states, str(error))
        for job in states:
            with _fault_of(job, failed):
                states[job] = _resumed(job, looks, folder_of(study, job), device)
                train(states[job], images, on_epoch=keep)
    return failed


def _measured(job: Job, state: TrainState, looks: tuple[int, ...], study: str, weights: bool) -> dict[str, bytes]:
    """The files of the record of ``job``, kept until the client has them; what was only needed for them is removed."""
    folder = folder_of(study, job)
    origin = {"images_sha256": state.images_sha256, "seconds": round(state.seconds, 1), "machines": machines_of(state)}
    found = {epoch: look for epoch in looks if (look := _look(folder, epoch))}
    if len(found) < len(looks):
        raise LabError(f"{folder}: the networks of a look are gone or damaged: start the study again")
    kept = (folder / album.FILE).read_bytes() if weights and album.read(folder).epochs else b""
    files = records.measure(job, found, state.history, origin, state.device, weights, kept)
    records.write(files, job, folder / "record")
    _sweep(folder)
    return files


def _keep_look(state: TrainState, folder: Path) -> None:
    networks = {"g": trained_generator(state), "d": state.d}
    tensors = {
        f"{part}.{name}": value.cpu().contiguous()
        for part, network in networks.items()
        for name, value in network.state_dict().items()
    }
    content = safetensors.torch.save(tensors)
    write_atomic(folder / f"look-{state.epoch:05d}-{sha256(content)[:16]}.safetensors", content)


def _look(folder: Path, epoch: int) -> records.Look | None:
    """The networks after ``epoch``, if a sound file holds them."""
    for path in folder.glob(f"look-{epoch:05d}-*.safetensors"):
        with contextlib.suppress(*FAULTS):
            content = path.read_bytes()
            if path.stem.endswith(sha256(content)[:16]):
                return look_in(tensors_in(content))
    return None


def look_in(tensors: dict[str, Tensor]) -> records.Look:
    """The networks in ``tensors``, whose names begin with g. and d."""
    g, d = ({name[2:]: value for name, value in tensors.items() if name.startswith(part)} for part in ("g.", "d."))
    return records.Look(g, d)


def _kept(folder: Path, looks: tuple[int, ...], weights: bool) -> dict[str, bytes] | None:
    """The files of the record in ``folder``, if it is sound, of this very labkit, and has what is asked for."""
    try:
        record = records.load_record(folder, weights=True)
    except LabError:
        return None
    manifest = record.manifest
    has = any(name.startswith("generator-") for name in manifest["files"])
    if record.looks != looks or manifest["labkit"]["sources"] != records.sources() or (weights and not has):
        return None
    return {name: (folder / name).read_bytes() for name in (*manifest["files"], "record.json")}


def _sweep(folder: Path) -> None:
    """Remove what is needed only until the record is made."""
    for path in (*folder.glob("checkpoint-*"), *folder.glob("look-*"), folder / album.FILE, folder / LIST):
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def _alone(folder: Path, waiting: Callable[[], None]):
    """`exclusive` in ``folder``, after a process that goes on with the same run for nobody has noticed that."""
    deadline = time.monotonic() + PATIENCE
    with contextlib.ExitStack() as stack:
        while True:
            try:
                stack.enter_context(exclusive(folder))
                break
            except LabError as error:
                if error.__cause__ or time.monotonic() > deadline:
                    raise
            waiting()
            time.sleep(1)
        yield


@contextlib.contextmanager
def _threads(n: int):
    """While this lasts, torch computes in ``n`` threads: the bits of a run depend on it."""
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)
