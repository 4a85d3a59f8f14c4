"""A study whose workers, client, scheduler or disk die ends with the same bits, nothing lost, nothing twice."""

import errno
import importlib.util
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from project_copy import clean_environment

from labkit import cli, data
from labkit.base import paths
from labkit.base.files import exclusive, sha256
from labkit.base.paths import ROOT
from labkit.data import loading
from labkit.evaluation import classifier
from labkit.study import engine, records, worker
from labkit.study.engine import study
from labkit.study.plan import plan
from labkit.training.loop import train
from labkit.training.runs import fit_or_load
from labkit.training.state import TrainState, trained_generator

needs_dask = pytest.mark.skipif(not importlib.util.find_spec("distributed"), reason="needs the package distributed")
EPOCHS = 4  # of 16 steps
SMALL = dict(models="vanilla", recipes="ours", epochs=EPOCHS, looks="2,4", profile="smoke", device="cpu")


@pytest.fixture(scope="module")
def undisturbed():
    """Digests of the generators of seeds 1 to 3 by epoch, from trainings in this very process."""
    found, threads = {}, torch.get_num_threads()
    torch.set_num_threads(1)
    images = data.load("train")[0]

    def note(state):
        tensors = {name: value.contiguous() for name, value in trained_generator(state).state_dict().items()}
        digests[str(state.epoch)] = sha256(safetensors.torch.save(tensors))

    for job in plan("vanilla", "ours", "3", EPOCHS, "", "smoke"):
        digests = found[job.config.seed] = {}
        train(TrainState(job.config), images, on_epoch=note)
    torch.set_num_threads(threads)
    return found


def check_bits(folder, undisturbed, seeds):
    """``folder`` holds the records of ``seeds``, each once, with the bits of a training that nothing disturbed."""
    found = [records.load_record(path.parent) for path in folder.rglob("record.json")]
    assert sorted(record.seed for record in found) == seeds
    for record in found:
        assert record.manifest["generators"] == {look: undisturbed[record.seed][look] for look in ("2", "4")}
    assert not list(folder.rglob("*.part"))


def environment(studies):
    return clean_environment(LABKIT_STUDIES=str(studies), PYTHONPATH=str(ROOT), OMP_NUM_THREADS="1")


def wait_for(what, process=None, seconds=240):
    """What the function ``what`` finds, once it finds anything, while ``process`` lives."""
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline and not (process and process.poll() is not None), "it never came"
        time.sleep(0.05)
    return found


def workers_of(process):
    """The process ids of its workers."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == process.pid and b"spawn_main" in (path / "cmdline").read_bytes():
                found.append(int(path.name))
        except (OSError, ValueError):
            pass
    return found


def listening(processes):
    """The addresses at which ``processes`` listen, as /proc writes them."""
    links = [link for pid in processes for link in Path(f"/proc/{pid}/fd").iterdir()]
    sockets = {os.readlink(link)[8:-1] for link in links if os.path.islink(link)}
    rows = [row.split() for name in ("tcp", "tcp6") for row in Path(f"/proc/net/{name}").read_text().splitlines()[1:]]
    return [row[1].partition(":")[0] for row in rows if row[3] == "0A" and row[9] in sockets]


def moment(longest):
    """A random time, in seconds, that is printed, so that a failure can be looked into."""
    seed = time.time_ns()
    seconds = random.Random(seed).uniform(0, longest)
    print(f"killed after {seconds:.2f} s (seed {seed})")
    return seconds


# ----- on this machine


@pytest.fixture
def mine(tmp_path, monkeypatch, sample_images):
    """The folder of a data set of 300 pictures, with a classifier of theirs; where the workers have none."""
    monkeypatch.setattr(paths, "OWN", tmp_path / "own")
    monkeypatch.setattr(classifier, "STEPS", 6)
    np.savez(tmp_path / "mine.npz", images=sample_images[:300].numpy())
    data.bring(tmp_path / "mine.npz")
    classifier.load_classifier(dataset="mine")
    return paths.OWN / "mine"


def start(studies):
    arguments = "--models vanilla --recipes ours --seeds 3 --looks 2,4 --profile smoke --device cpu --workers 2"
    return subprocess.Popen(
        [sys.executable, "-m", "labkit", "study", "--epochs", str(EPOCHS), *arguments.split()],
        cwd=ROOT,
        env=environment(studies),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.mark.thorough
@needs_dask
@pytest.mark.slow
def test_ctrl_c_and_then_a_killed_worker(tmp_path, undisturbed):
    """Ctrl-C ends it with one line and no process left; started again it goes on, and a kill changes no bit."""
    first = start(tmp_path)
    try:
        wait_for(lambda: [*tmp_path.glob(".work/smoke/*/*/checkpoint-*")], first)
        workers = workers_of(first)
        assert len(workers) == 2
        assert set(listening([first.pid, *workers])) == {"0100007F"}  # 127.0.0.1, and nowhere else
        os.killpg(first.pid, signal.SIGINT)
        _, err = first.communicate(timeout=60)
    finally:
        first.kill()
    assert first.returncode == 130 and "Traceback" not in err
    assert err.splitlines()[-1] == "labkit: interrupted: what is done is kept; run the same command to go on from there"
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))
    before = {*tmp_path.glob(".work/smoke/*/*/*")}

    second = start(tmp_path)
    try:
        workers = wait_for(lambda: len(found := workers_of(second)) == 2 and found, second)
        wait_for(lambda: {*tmp_path.glob(".work/smoke/*/*/*")} - before, second)
        time.sleep(moment(6))
        victim = random.choice(workers)
        os.kill(victim, signal.SIGKILL)
        out, err = second.communicate(timeout=400)
    finally:
        second.kill()
    assert second.returncode == 0, err
    assert "3 done" in out.splitlines() and "Traceback" not in err
    check_bits(tmp_path / "smoke", undisturbed, [1, 2, 3])
    assert not list(tmp_path.glob(".work/smoke/*/*"))  # nothing that is not needed any more


SHOUTS = """
import logging, sys
from labkit.study.engine import _cluster

def shout():
    for logger in ("distributed.scheduler", "distributed.worker", "tornado.application"):
        logging.getLogger(logger).critical("SHOUTED")
    print("was there", file=sys.stderr, flush=True)

if __name__ == "__main__":
    with _cluster(1, "", "cpu") as client:
        shout()
        client.run(shout)
"""


@needs_dask
@pytest.mark.slow
def test_nothing_that_dask_shouts_reaches_the_terminal(tmp_path):
    """A client that leaves at the wrong moment is "critical" to its scheduler, with a traceback."""
    (tmp_path / "shouts.py").write_text(SHOUTS)
    command = [sys.executable, "shouts.py"]
    done = subprocess.run(command, cwd=tmp_path, env=environment(tmp_path), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and done.stderr.split("\n") == ["was there", "was there", ""]


# ----- on a cluster by hand: a scheduler, and workers that share no folder


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def dask(log, studies, *arguments, **own):
    return subprocess.Popen(
        [sys.executable, "-m", "distributed.cli.dask_" + arguments[0], *arguments[1:], "--no-dashboard"],
        cwd=log.parent,
        env=environment(studies) | own,
        stdout=log.open("wb"),
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


class Cluster:
    """A scheduler and two workers, each with a folder of its own, as docs/cluster.md starts them."""

    def __init__(self, folder):
        self.folder, port = folder, free_port()
        self.address = f"tcp://127.0.0.1:{port}"
        self.processes = [
            dask(folder / "scheduler.log", folder, "scheduler", "--host", "127.0.0.1", "--port", str(port))
        ]
        self.add(2)

    def add(self, count, threads=1, **own):
        """``count`` more workers."""
        for index in range(len(self.processes), len(self.processes) + count):
            own = {"LABKIT_OWN": str(self.folder / "own")} | own
            options = ["--host", "127.0.0.1", "--nthreads", str(threads), "--name", f"w{index}"]
            log = self.folder / f"w{index}.log"
            self.processes.append(dask(log, self.folder / f"w{index}", "worker", self.address, *options, **own))

    def kept(self, what):
        """What the workers keep that fits the pattern ``what``."""
        return [*self.folder.glob(f"w*/.work/{what}")]

    def living(self):
        """The numbers of the workers that nobody has killed."""
        return [index for index, process in enumerate(self.processes) if index and process.poll() is None]

    def removed(self):
        """How many workers the scheduler has seen go."""
        return (self.folder / "scheduler.log").read_text().count("Remove worker")

    def end(self):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(30)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    made = Cluster(tmp_path_factory.mktemp("cluster"))
    yield made
    made.end()


@pytest.fixture
def studies(tmp_path, monkeypatch):
    """Where the client keeps its studies: this process, hence no folder of a worker."""
    monkeypatch.setattr(paths, "STUDIES", tmp_path / "studies")
    monkeypatch.setattr(engine, "CONNECT", 60)  # a busy machine may take its time to start a worker
    return tmp_path / "studies"


@pytest.mark.thorough
@needs_dask
@pytest.mark.slow
def test_a_worker_of_a_cluster_is_killed_with_all_that_it_has(cluster, studies, undisturbed, capsys):
    """The other one trains its run anew, to the same bits."""
    victim = cluster.processes[2]

    def kill():
        wait_for(lambda: cluster.kept("killed/*/*/checkpoint-*"))
        time.sleep(moment(5))
        os.killpg(victim.pid, signal.SIGKILL)
        cluster.add(1)

    killer = threading.Thread(target=kill)
    killer.start()
    assert study(**SMALL, seeds="3", name="killed", scheduler=cluster.address) == 0
    killer.join()
    assert "3 done" in capsys.readouterr().out.splitlines()
    check_bits(studies / "killed", undisturbed, [1, 2, 3])


@needs_dask
@pytest.mark.slow
def test_a_shard_that_fails_is_named_and_the_rest_is_done(cluster, studies, undisturbed, capsys):
    """Started again when it is mended, only what is missing is made."""
    jobs = plan("vanilla", "ours", "2", EPOCHS, "", "smoke")
    blocked = [
        cluster.folder / f"w{index}" / worker.folder_of("failing", jobs[1]).relative_to(paths.STUDIES)
        for index in cluster.living()
    ]
    for path in blocked:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("in the way")
    assert study(**SMALL, seeds="2", name="failing", scheduler=cluster.address) == 1
    out = capsys.readouterr().out.splitlines()
    assert "1 done, 1 failed" in out
    assert out[-1].startswith("failed: vanilla-ours/seed2: cannot write ") and "seed2" in out[-1]
    check_bits(studies / "failing", undisturbed, [1])
    first = studies / "failing" / jobs[0].name / "record.json"
    before = first.stat().st_mtime_ns
    for path in blocked:
        path.unlink(missing_ok=True)
    assert study(**SMALL, seeds="2", name="failing", scheduler=cluster.address) == 0
    assert first.stat().st_mtime_ns == before
    check_bits(studies / "failing", undisturbed, [1, 2])


@pytest.mark.thorough
@needs_dask
@pytest.mark.slow
def test_a_full_disk_at_the_client_loses_nothing(cluster, studies, undisturbed, monkeypatch, refused):
    """The worker has the record until it is written: nothing is trained again."""
    replace = os.replace

    def fail(source, target):
        if Path(target).name == "record.json":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        replace(source, target)

    settings = dict(SMALL, seeds="1", name="full", scheduler=cluster.address)
    with monkeypatch.context() as patch, refused("record.json", "the disk is full"):
        patch.setattr(os, "replace", fail)
        study(**settings)
    (kept,) = cluster.kept("full/*/*/record/record.json")
    manifest = kept.read_bytes()
    # Whoever gets the run now, it may be the other worker, finds the record.
    for index in cluster.living():
        place = cluster.folder / f"w{index}" / kept.parent.relative_to(kept.parents[5])
        if place != kept.parent:
            shutil.copytree(kept.parent, place)
    assert study(**settings) == 0
    assert (studies / "full/vanilla-ours/seed1/record.json").read_bytes() == manifest
    check_bits(studies / "full", undisturbed, [1])
    assert not cluster.kept("full/*/*/*")


@needs_dask
@pytest.mark.slow
def test_a_worker_that_will_not_do_is_refused(cluster, studies, tmp_path, refused):
    """It has another labkit, or none, or two threads."""
    (tmp_path / "none/labkit").mkdir(parents=True)
    (tmp_path / "none/labkit/__init__.py").write_text("raise ModuleNotFoundError('there is none')")
    shutil.copytree(ROOT / "labkit", tmp_path / "other/labkit")
    with (tmp_path / "other/labkit/latent.py").open("a") as source:
        source.write("# changed\n")
    others = [
        ("another labkit (0.", 1, {"PYTHONPATH": str(tmp_path / "other")}),
        ("no labkit, or none that knows studies", 1, {"PYTHONPATH": str(tmp_path / "none")}),
        ("has 2 threads: start it with --nthreads 1", 2, {}),
    ]
    for words, threads, own in others:
        before = len(cluster.processes)
        cluster.add(1, threads, **own)
        log = cluster.folder / f"w{before}.log"
        wait_for(lambda log=log: "Registered to" in log.read_text())
        try:
            with refused("the worker at tcp://", words):
                study(**SMALL, seeds="1", name="refused", scheduler=cluster.address)
        finally:
            process, seen = cluster.processes.pop(before), cluster.removed()
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(30)
            wait_for(lambda seen=seen: cluster.removed() > seen)


@pytest.mark.thorough
@needs_dask
@pytest.mark.slow
def test_a_study_on_another_data_set(cluster, studies, mine, said, refused, capsys, tmp_path, monkeypatch):
    """All is its own; a worker without its pictures, or with another classifier of them, will not do."""
    settings = SMALL | dict(seeds="1,", epochs=1, looks="1", dataset="mine", scheduler=cluster.address)
    theirs = cluster.folder / "own/mine"
    with refused("the worker at tcp://", "cannot measure runs on mine", f"copy {theirs} to it"):
        study(**settings)
    shutil.copytree(mine, theirs)
    monkeypatch.setattr(classifier, "PEAK_LR", 1e-3)
    classifier.retrain("mine")
    with refused("the worker at tcp://", "has another mine, or another classifier of it"):
        study(**settings)
    shutil.copytree(mine, theirs, dirs_exist_ok=True)
    assert study(**settings) == 0
    record = records.load_record(studies / "smoke-mine/vanilla-ours-mine/seed1")
    assert (record.arm, record.config.dataset) == ("vanilla-ours-mine", "mine")
    manifest, card = record.manifest, classifier.load_classifier(dataset="mine")[1]
    assert manifest["images_sha256"] == data.find("mine").images_sha256
    assert manifest["measured"]["classifier"] == card["sha256"]
    assert 95 <= manifest["measured"]["images"] <= 105  # as many as there are
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    run = fit_or_load(record.config, "cpu", tmp_path / "runs")
    torch.set_num_threads(threads)
    assert manifest["generators"]["1"] == sha256((run.folder / "generator.safetensors").read_bytes())
    capsys.readouterr()
    arguments = "--models vanilla --recipes ours --seeds 1, --epochs 1 --profile smoke --device cpu --list"
    assert said(*arguments.split(), "--dataset", "mine")[1][2].startswith("| vanilla-ours-mine | 1 | done |")
    assert said(*arguments.split())[1][2].startswith("| vanilla-ours | 1 | missing |")
    status, _, err = said(*arguments.split(), "--dataset", "mine", "--name", "seeds")
    assert status == 1 and len(err) == 1 and "name = 'seeds' is that of a study of Fashion-MNIST" in err[0]


@needs_dask
@pytest.mark.slow
def test_a_cluster_without_workers_is_one_line(studies, tmp_path, monkeypatch, refused):
    address = f"tcp://127.0.0.1:{free_port()}"
    scheduler = dask(
        tmp_path / "log", tmp_path, "scheduler", "--host", "127.0.0.1", "--port", address.rpartition(":")[2]
    )
    try:
        wait_for(lambda: "Scheduler at" in (tmp_path / "log").read_text(), scheduler)
        monkeypatch.setattr(engine, "CONNECT", 5)
        with refused(f"{address} has no worker", "docs/cluster.md"):
            study(**SMALL, seeds="1", name="refused", scheduler=address)
    finally:
        scheduler.kill()
        scheduler.wait(30)


@needs_dask
@pytest.mark.slow
def test_a_scheduler_that_dies_is_one_line(studies, tmp_path_factory, refused):
    cluster = Cluster(tmp_path_factory.mktemp("mortal"))

    def kill():
        wait_for(lambda: cluster.kept("mortal/*/*/checkpoint-*"))
        cluster.processes[0].kill()

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        with refused(cluster.address, "is gone", "run the same command"):
            study(**SMALL | dict(epochs=400), seeds="2", name="mortal", scheduler=cluster.address)
    finally:
        killer.join()
        for process in cluster.processes:
            os.killpg(process.pid, signal.SIGKILL)


# ----- input


@pytest.fixture
def said(capsys):
    """``said(*arguments)``: (exit status, lines on stdout, lines on stderr) of `labkit study`."""

    def call(*arguments):
        status = cli.main(["study", *arguments])
        out, err = capsys.readouterr()
        return status, out.splitlines(), err.splitlines()

    return call


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("--seeds 0", "seeds = '0'"),
        ("--seeds=-3", "seeds = '-3'"),
        ("--seeds 1,x", "seeds = '1,x'"),
        ("--models stylegan", "model = 'stylegan' is unknown"),
        ("--recipes mine", "recipe = 'mine' is unknown"),
        ("--models vanilla --without roof", "without = 'roof'"),
        ("--epochs 0", "epochs = 0"),
        ("--epochs 4 --looks 2,5", "5 is beyond the last epoch, 4"),
        ("--looks two", "looks = 'two'"),
        ("--weights 0", "weights = '0'"),
        ("--profile hasty", "profile = 'hasty'"),
        ("--name ../outside", "name = '../outside'"),
        ("--name .work", "name = '.work'"),
        ("--workers=-1", "workers = -1"),
        ("--group=-1", "group = -1"),
        ("--device abacus", "device = 'abacus'"),
        ("--workers 2 --scheduler tcp://127.0.0.1:1", "workers = 2"),
        ("--scheduler nonsense", "scheduler = 'nonsense' is no address"),
        ("--scheduler http://x:1", "is no address"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(said, studies, arguments, words):
    status, out, err = said(*arguments.split())
    assert status == 1 and not out
    assert len(err) == 1 and err[0].startswith("labkit: ") and words in err[0]
    assert not list(studies.rglob("*"))


@needs_dask
@pytest.mark.parametrize("scheme", ["tcp", "tls"])
def test_no_scheduler_is_one_line(said, studies, monkeypatch, scheme):
    monkeypatch.setattr(engine, "CONNECT", 1)
    address = f"{scheme}://127.0.0.1:{free_port()}"
    status, _, err = said("--scheduler", address)
    assert status == 1 and len(err) == 1
    assert err[0].startswith(f"labkit: no scheduler of Dask answers at {address}") and "docs/cluster.md" in err[0]
    assert not list(studies.rglob("*"))


def test_a_worker_says_that_it_lacks_the_data(tmp_path, monkeypatch):
    assert worker.describe()["lacks"] == ""
    monkeypatch.setattr(paths, "DATA", tmp_path)
    monkeypatch.setattr(loading, "SYSTEM", tmp_path)
    assert worker.describe()["lacks"].startswith(f"has no Fashion-MNIST in {tmp_path}: run 'labkit data' there")


def test_without_the_package_one_line_says_what_to_install(said, studies, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    status, _, err = said("--seeds", "1")
    assert status == 1 and len(err) == 1 and "gan-lab[study]" in err[0]
    status, out, _ = said("--seeds", "1", "--list")
    assert status == 0 and "4 missing" in out  # what is there can be listed


@needs_dask
def test_a_second_client_of_a_study_is_refused(said, studies):
    with exclusive(studies / "seeds"):
        status, _, err = said("--seeds", "1")
    assert status == 1 and len(err) == 1 and "is in use by process" in err[0]


@needs_dask
def test_a_damaged_or_foreign_record_stops_a_study(said, studies):
    """Nothing that is there is trained again or written over unasked."""
    place = studies / "seeds/vanilla-ours/seed1"
    place.mkdir(parents=True)
    (place / "record.json").write_text(json.dumps({"format": 1, "sha256": "0"}))
    for arguments in ([], ["--list"]):
        status, _, err = said("--seeds", "1", *arguments)
        assert status == 1 and len(err) == 1 and str(place / "record.json") in err[0] and "damaged" in err[0]


def test_dask_is_imported_by_nothing_but_a_study():
    code = (
        "import sys; from labkit.study import engine, records, worker; from labkit import cli, doctor;"
        "print({'dask', 'distributed'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=clean_environment(), capture_output=True, check=True, text=True
    )
    assert done.stdout.strip() == "set()"
