"""The client of a study: hands shards to the workers of a Dask cluster and writes the records that come back.

Without a scheduler it makes a cluster of its own on this machine, which only this machine can reach. What connects to
a Dask scheduler can run code on all of its workers: see docs/cluster.md before you open one to a network.
"""

import contextlib
import logging
import os
import re
from collections import Counter
from concurrent.futures import CancelledError
from pathlib import Path

import torch

from .. import data
from ..base import paths
from ..base.errors import LabError
from ..base.files import exclusive, sweep
from ..base.machine import on_cuda, pick_device, progress
from ..base.system import cores
from ..base.version import VERSION
from ..evaluation.classifier import load_classifier
from . import records, worker
from .plan import Job, Shard, looks_of, numbers, plan, shards

CONNECT = 10  # seconds to wait for a scheduler, and for its first worker
RETRIES = 2  # of a shard that fails for another reason than a LabError or the death of its worker
SILENT = logging.CRITICAL + 1  # of Dask's loggers: what it calls critical, as that a client left, a study says itself
GROUP = 8  # seeds that a GPU trains at a time


def study(
    models: str = "vanilla,dcgan",
    recipes: str = "ours,tutorial",
    seeds: str = "8",
    epochs: int = 20,
    looks: str = "",
    without: str = "",
    profile: str = "full",
    name: str = "",
    workers: int = 0,
    scheduler: str = "",
    group: int = 0,
    device: str = "auto",
    weights: str = "",
    only_list: bool = False,
    dataset: str = data.DEFAULT,
) -> int:
    """Make what is missing of the records of a study, and print a table of all of them; 1 if one failed, else 0.

    ``models``, ``recipes`` and ``without`` are names joined by commas, ``seeds`` is how many or which, ``weights`` the
    seeds whose generators are kept. ``workers`` is how many processes are started, 0 as many as fit; ``scheduler`` is
    the address of a cluster that is joined instead. ``group`` is how many seeds a worker takes at a time, 0 what suits
    it. With ``only_list`` nothing is trained. A study on another ``dataset`` than the default has its name in those of
    its arms and in its own; its classifier is trained first, if there is none.

    Raises:
        LabError: a setting is wrong, the package distributed or a cluster is not there, the disk takes no more.
    """
    record = data.find(dataset)
    jobs = plan(models, recipes, seeds, epochs, without, profile, record.name)
    at = looks_of(looks, epochs)
    kept = numbers("weights", weights) if weights else ()
    usual = "smoke" if profile == "smoke" else "design" if without else "seeds"
    name = name or (usual if record.plain else f"{usual}-{record.name}".lower())
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,40}", name):
        raise LabError(f"name = {name!r} names a folder: use up to 40 of a-z, 0-9, - and _")
    if not record.plain and name in records.SHIPPED:
        raise LabError(
            f"name = {name!r} is that of a study of {data.FASHION_MNIST.title}: give this one another --name"
        )
    _check_places(workers, group, scheduler, device)
    folder = paths.STUDIES / name
    if only_list:
        print(table(jobs, have(folder, jobs, at), {}))
        return 0
    _distributed()
    with _place(folder):
        for place in folder.glob("*/*"):
            sweep(place)
        missing = [job for job, row in have(folder, jobs, at).items() if not row]
        faults: dict[Job, str] = {}
        if missing:
            if not record.plain:  # here, once, not by every worker
                data.ensure(paths.DATA, record)
                load_classifier(dataset=record.name)
            with _cluster(workers, scheduler, device) as client:
                faults = _Study(client, folder, jobs, at, kept, device).run(missing, group)
        print(table(jobs, have(folder, jobs, at), faults))
    return int(bool(faults))


def _check_places(workers: int, group: int, scheduler: str, device: str) -> None:
    """Refuse what cannot be meant."""
    if min(workers, group) < 0:
        raise LabError(f"workers = {workers}, group = {group}: give numbers of at least 1, or leave them out")
    if scheduler and workers:
        raise LabError(f"workers = {workers}: the workers are those of {scheduler}: leave one of both out")
    if scheduler and not re.fullmatch(r"(tcp|tls)://[^\s/]+:[0-9]+", scheduler):
        raise LabError(f"scheduler = {scheduler!r} is no address: write tcp://host:port, or tls://host:port")
    if not scheduler:
        pick_device(device)


def have(folder: Path, jobs: list[Job], looks: tuple[int, ...]) -> dict[Job, str]:
    """For each of ``jobs``, what its record in ``folder`` says of seconds and machine; empty where there is none.

    Raises:
        LabError: a record is damaged, or of another config or other looks.
    """
    found = {}
    for job in jobs:
        place, found[job] = folder / job.name, ""
        if (place / "record.json").exists():
            record = records.load_record(place)
            theirs, ours = record.config.to_dict(), job.config.to_dict()
            changed = [f"{key} is {value!r}" for key, value in theirs.items() if value != ours[key]]
            changed += [] if record.looks == looks else [f"looks are {','.join(map(str, record.looks))}"]
            if changed:
                raise LabError(f"{place} is of another study ({', '.join(changed)}): give this one another --name")
            found[job] = f"{record.manifest['seconds']:.0f} | {record.manifest['machines'][-1]['device']}"
    return found


def table(jobs: list[Job], found: dict[Job, str], faults: dict[Job, str]) -> str:
    """A line for each of ``jobs``: arm, seed, state, seconds of training, and on what; ``found`` is that of `have`."""
    lines = ["| arm | seed | state | seconds | where |", "|---|---|---|---|---|"]
    for job in jobs:
        state = "done" if found[job] else "failed" if job in faults else "missing"
        lines.append(f"| {job.arm} | {job.config.seed} | {state} | {found[job] or '- | -'} |")
    counts = Counter("done" if found[job] else "failed" if job in faults else "missing" for job in jobs)
    lines += ["", ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))]
    return "\n".join(lines + [f"failed: {job.name}: {line}" for job, line in faults.items()])


@contextlib.contextmanager
def _place(folder: Path):
    """``folder`` for this process alone; it goes again if nothing came into it."""
    with exclusive(folder):
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                folder.rmdir()


# ----- a cluster


def _distributed() -> None:
    """Refuse where the package is missing."""
    try:
        import distributed  # noqa: F401
    except ImportError as error:
        raise LabError(
            f"a study needs the package distributed ({error}): run 'make setup', or pip install 'gan-lab[study]'"
        ) from None


@contextlib.contextmanager
def _cluster(workers: int, scheduler: str, device: str):
    """A client of the cluster at ``scheduler``, or of one on this machine that ends with it."""
    import dask
    from distributed import Client

    loggers = dict.fromkeys(("distributed", "distributed.client", "tornado", "tornado.application"), SILENT)
    for logger, level in loggers.items():
        logging.getLogger(logger).setLevel(level)
    quiet = {"logging": loggers, "distributed.comm.timeouts.connect": f"{CONNECT}s"}
    with dask.config.set(quiet), contextlib.ExitStack() as stack:
        if not scheduler:
            data.ensure(paths.DATA)
            yield stack.enter_context(Client(stack.enter_context(_local(workers, pick_device(device)))))
            return
        try:
            client = stack.enter_context(Client(scheduler, timeout=CONNECT))
        except (OSError, ValueError, TypeError) as error:
            raise LabError(
                f"no scheduler of Dask answers at {scheduler} ({str(error).splitlines()[0][:100]}):"
                " start one as docs/cluster.md says, or leave --scheduler out"
            ) from None
        yield client


def _local(workers: int, device: str):
    """A cluster on 127.0.0.1: a process for each GPU, or else for each core, with one thread."""
    import dask
    from distributed import Nanny, Scheduler, SpecCluster

    gpus = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if on_cuda(device) else []
    if on_cuda(device) and not any(gpus):
        gpus = [str(index) for index in range(torch.cuda.device_count())]
    if ":" in device:
        gpus = [gpus[int(device.partition(":")[2])]]
    count = workers or len(gpus) or cores()
    encrypted = dask.config.get("distributed.comm.require-encryption")
    door = {"host": "127.0.0.1", "protocol": "tls://" if encrypted else "tcp://", "dashboard": False}
    options = door | {
        "nthreads": 1,
        "memory_limit": 0,
        "preload": ["labkit.study.worker"],
        "silence_logs": SILENT,
    }
    quiet = {"TQDM_DISABLE": "1"}  # the client has a bar for all
    spec = {
        index: {
            "cls": Nanny,
            "options": options | {"env": quiet | ({"CUDA_VISIBLE_DEVICES": gpus[index % len(gpus)]} if gpus else {})},
        }
        for index in range(count)
    }
    scheduler = {"cls": Scheduler, "options": door | {"port": 0, "dashboard_address": "127.0.0.1:0"}}
    try:
        return SpecCluster(workers=spec, scheduler=scheduler, silence_logs=SILENT)
    except RuntimeError as error:  # as where one is killed while it starts
        raise LabError(
            f"the workers did not start ({str(error).splitlines()[0]}): run the same command again"
        ) from None


class _Study:
    """The shards of a study on their way through a cluster."""

    def __init__(self, client, folder: Path, jobs: list[Job], looks: tuple[int, ...], weights: tuple[int, ...], device):
        self.client, self.folder, self.jobs, self.looks, self.weights = client, folder, jobs, looks, weights
        self.device = re.sub(":.*", "", device)  # a worker sees one GPU
        self.faults: dict[Job, str] = {}
        self.epochs: dict[str, int] = {}  # done so far, by a job's name

    def run(self, missing: list[Job], group: int) -> dict[Job, str]:
        """Have all of ``missing`` made, and written as they come; why some were not, in a line each."""
        from distributed.comm import CommClosedError

        on_gpus = self._check_workers() and self.device != "cpu"
        size = group or (GROUP if on_gpus else 1)
        total = sum(job.config.epochs for job in missing)
        self.client.subscribe_topic(f"{worker.TOPIC}-{self.folder.name}", self._hear)
        with progress(total=total, unit="epoch", desc=f"study {self.folder.name}") as bar:
            try:
                self._make(shards(missing, self.looks, size), bar)
            except (CancelledError, CommClosedError):
                raise LabError(
                    f"the scheduler at {self.client.scheduler.address} is gone: the records that came are kept;"
                    " run the same command to go on from there"
                ) from None
        done = [job for job in self.jobs if job not in self.faults]
        self.client.run(worker.forget, self.folder.name, done, on_error="ignore")
        return self.faults

    def _make(self, waiting: list[Shard], bar) -> None:
        """Hand a shard to every worker that has none, and take back what is ready, until all are."""
        from distributed import wait

        running: dict = {}  # shards by their futures
        while waiting or running:
            threads = sum(self.client.nthreads().values())
            bar.set_postfix_str("" if threads else "no worker left: waiting for one", refresh=False)
            while waiting and len(running) < max(1, threads):
                shard = waiting.pop(0)
                running[self._submit(shard)] = shard
            with contextlib.suppress(TimeoutError):
                wait(list(running), timeout=1, return_when="FIRST_COMPLETED")
            for future in [future for future in running if future.status != "pending"]:
                self._receive(future, running.pop(future))
            bar.update(sum(self.epochs.values()) - bar.n)

    def _submit(self, shard: Shard):
        seeds = "-".join(str(job.config.seed) for job in shard.jobs)
        key = f"{worker.TOPIC}-{self.folder.name}-{shard.jobs[0].arm}-{seeds}-{records.sources()[:8]}"
        arguments = shard, self.folder.name, self.device, self.weights
        return self.client.submit(worker.work, *arguments, key=key, pure=False, retries=RETRIES)

    def _hear(self, event) -> None:
        """A worker's message: a run has done an epoch, perhaps once more after another worker had died."""
        _, said = event
        self.epochs[said["job"]] = max(said["epoch"], self.epochs.get(said["job"], 0))

    def _receive(self, future, shard: Shard) -> None:
        """Write the records that came, and note the faults."""
        if future.status != "finished":
            why = _why(future)
            self.faults |= dict.fromkeys(shard.jobs, why)
            return
        runs = future.result()["runs"]
        for job in shard.jobs:
            made = runs[job.config.seed]
            self.epochs[job.name] = job.config.epochs
            if isinstance(made, str):
                self.faults[job] = made
            else:
                records.write(made, job, self.folder / job.name)

    def _check_workers(self) -> bool:
        """Whether all workers have a GPU.

        Raises:
            LabError: there is none, or one that has another labkit, several threads, or no data.
        """
        at = self.client.scheduler.address
        try:
            self.client.wait_for_workers(1, timeout=CONNECT)
        except TimeoutError:
            raise LabError(f"{at} has no worker: start one as docs/cluster.md says") from None
        try:
            of_scheduler = self.client.run_on_scheduler(worker.describe)
        except Exception as error:  # whatever its own imports raise
            of_scheduler = error
        _check(f"the scheduler at {at}", of_scheduler)
        dataset = self.jobs[0].config.dataset
        here = worker.describe(dataset)
        answers = self.client.run(worker.describe, dataset, on_error="return")
        answers = {address: said for address, said in answers.items() if not isinstance(said, OSError)}  # it has died
        threads = self.client.nthreads()
        for address, said in answers.items():
            who, own = f"the worker at {address}", threads.get(address, 1)
            _check(who, said)
            if own != 1:
                raise LabError(f"{who} has {own} threads: start it with --nthreads 1, a run needs its process alone")
            if said["lacks"]:
                raise LabError(f"{who} {said['lacks']}")
            if any(said.get(key) != here.get(key) for key in ("pictures", "classifier")):
                raise LabError(f"{who} has another {dataset}, or another classifier of it: copy {paths.OWN / dataset}")
        return bool(answers) and all(said["gpu"] for said in answers.values())


def _check(who: str, said) -> None:
    """Refuse ``who`` that ``said`` of itself, see `worker.describe`, that it has another labkit than this one."""
    if not isinstance(said, dict):
        raise LabError(f"{who} has no labkit, or none that knows studies ({said}): install this one there")
    if said["sources"] != records.sources():
        theirs = f"{said['version']}, here {VERSION}; sources differ"
        raise LabError(f"{who} has another labkit ({theirs}): install this one there, and start it again")


def _why(future) -> str:
    """In a line, why ``future`` has no result."""
    from distributed import KilledWorker

    if future.status == "cancelled":
        raise CancelledError
    error = future.exception()
    if isinstance(error, KilledWorker):
        return "its workers died, one after the other: perhaps of want of memory; start the study again to go on"
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
