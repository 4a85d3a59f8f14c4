"""A run is trained once, resumed bit for bit after any death, and never loaded when a byte of it is wrong."""

import dataclasses
import errno
import functools
import hashlib
import io
import json
import math
import multiprocessing
import os
import pickle
import random
import re
import resource
import shutil
import signal
from pathlib import Path

import pytest
import safetensors.torch
import torch
from soak import soak

import labkit
from labkit import data
from labkit.base import paths
from labkit.base.errors import LabError
from labkit.base.files import exclusive, seal, sha256
from labkit.base.paths import ROOT
from labkit.config import PROFILES, config_for
from labkit.data import loading
from labkit.training import checkpoints as checkpoints_module
from labkit.training import loop, runs
from labkit.training import state as training_state
from labkit.training.checkpoints import KEEP, checkpoints_in, machine, progress_of
from labkit.training.runs import choose_profile, finish_early, fit_or_load, fit_or_load_seeds, load_run, run_folder
from labkit.training.state import COLUMNS

MODELS = ["vanilla", "dcgan"]
RESULTS = ["generator.safetensors", "discriminator.safetensors", "history.safetensors"]
Z_FOR_BATCHNORM = 100  # instead of 10,000: seconds instead of half a minute


@pytest.fixture(autouse=True, scope="module")
def garments(sample_as_garments):
    """Runs on the sample are where those on the training set would be."""


@pytest.fixture(autouse=True)
def few_z(monkeypatch):
    monkeypatch.setattr(
        runs, "trained_generator", functools.partial(training_state.trained_generator, n=Z_FOR_BATCHNORM)
    )


def bits(folder):
    """Digests of the results in ``folder``."""
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in RESULTS}


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def checkpoints(folder):
    """Epochs of the checkpoints in ``folder``, oldest first."""
    return sorted(int(p.name.split("-")[1]) for p in folder.glob("checkpoint-*.safetensors"))


def config_of(tiny_config, model, epochs=3):
    """Three epochs of two steps, with everything that a checkpoint must carry: Adam's moments and an average."""
    return tiny_config(model, epochs=epochs, examples=16, ema=0.9)


@pytest.fixture(scope="module")
def straight(tiny_config, sample_images, tmp_path_factory):
    """``straight(model)``: the folder of an uninterrupted run. Tests that change it do so in a copy."""

    @functools.cache
    def folder(model):
        return fit_or_load(config_of(tiny_config, model), "cpu", tmp_path_factory.mktemp(model), sample_images).folder

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "trained_generator", functools.partial(training_state.trained_generator, n=Z_FOR_BATCHNORM))
        for model in MODELS:
            folder(model)
    return folder


@pytest.fixture
def finished(straight, tiny_config, tmp_path):
    """``finished(model)``: config, root and folder of a finished run that may be damaged."""

    def make(model="vanilla"):
        config = config_of(tiny_config, model)
        folder = run_folder(config, tmp_path)
        shutil.copytree(straight(model), folder)
        return config, tmp_path, folder

    return make


# ----- train once, load after


@pytest.mark.parametrize("model", MODELS)
def test_trained_once_then_loaded(finished, monkeypatch, model):
    config, root, folder = finished(model)
    before = names(folder)

    def fail(*_, **__):
        raise AssertionError("a finished run is not trained again")

    monkeypatch.setattr(runs, "train", fail)
    monkeypatch.setattr(loading, "load", fail)
    run = fit_or_load(config, root=root)
    assert (run.folder, run.config) == (folder, config)
    assert names(folder) == before and checkpoints(folder) == [3]
    assert [n for n in before if not n.startswith("checkpoint-")] == sorted([*RESULTS, "run.json"])
    assert run.history.shape == (3, 2, len(COLUMNS)) and run.history.isfinite().all()
    for i, column in enumerate(COLUMNS):
        assert torch.equal(run.column(column), run.history[:, :, i])
    assert load_run(folder).manifest == run.manifest


@pytest.mark.parametrize("model", MODELS)
def test_loaded_networks_are_the_trained_ones(tiny_config, sample_images, straight, model):
    config = config_of(tiny_config, model)
    state = training_state.TrainState(config)
    loop.train(state, sample_images)
    run = load_run(straight(model))
    for loaded, expected in (
        (run.generator(), training_state.trained_generator(state, Z_FOR_BATCHNORM)),
        (run.discriminator(), state.d),
    ):
        assert not any(m.training for m in loaded.modules())
        for (name, value), (_, other) in zip(loaded.state_dict().items(), expected.state_dict().items(), strict=True):
            assert torch.equal(value, other), name
    assert torch.equal(run.history, state.history)
    g, z = run.generator(), torch.randn(4, 100)
    assert torch.equal(g(z), g(z)) and torch.equal(g(z), run.generator()(z))


def test_loading_leaves_the_callers_random_numbers(straight):
    run = load_run(straight("vanilla"))
    before = torch.get_rng_state()
    run.generator(), run.discriminator()
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("model", MODELS)
def test_manifest(finished, sample_images, model):
    config, _, folder = finished(model)
    manifest = json.loads((folder / "run.json").read_bytes())
    assert manifest["format"] == runs.FORMAT == 1
    assert manifest["config"] == config.to_dict()
    assert manifest["files"] == bits(folder)
    assert manifest["images_sha256"] == sha256(bytes(sample_images.flatten().tolist()))
    assert manifest["machine"]["torch"] == torch.__version__
    assert manifest["machine"]["device"] == "cpu" and manifest["machine"]["threads"] == torch.get_num_threads()
    assert manifest["seconds"] >= 0


def test_folder_names_profile_model_seed_and_config(tiny_config, tmp_path):
    config = tiny_config("vanilla", seed=7)
    assert run_folder(config, tmp_path) == tmp_path / "smoke" / "vanilla" / f"seed7-{config.digest()}"
    assert run_folder(config).is_relative_to(paths.RUNS) and paths.RUNS == paths.ROOT / "data" / "runs"


def test_more_examples_than_images(tiny_config, tmp_path, sample_images, refused):
    with refused("examples = 513", "512 images"):
        fit_or_load(tiny_config("vanilla", examples=513), "cpu", tmp_path, sample_images)
    assert list(tmp_path.rglob("*")) == []


def test_finished_runs_the_longest_profile_first(tmp_path, monkeypatch):
    names = ["smoke/dcgan/a", "quick/vanilla/b", "full/vanilla/d", "full/dcgan/c", "quick/dcgan/e", "full/dcgan/a"]
    for name in [*names, "other/dcgan/x", "full/dcgan/deep/er"]:  # the last two are no places for runs
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "run.json").touch()
    (tmp_path / "full/dcgan/b").mkdir()  # half done
    (tmp_path / "full/dcgan/b/checkpoint-00001-0123456789abcdef.safetensors").touch()
    expected = ["full/dcgan/a", "full/dcgan/c", "full/vanilla/d", "quick/dcgan/e", "quick/vanilla/b", "smoke/dcgan/a"]
    assert [folder.relative_to(tmp_path).as_posix() for folder in runs.finished(tmp_path)] == expected
    assert runs.finished(tmp_path / "nothing") == []
    monkeypatch.setattr(paths, "RUNS", tmp_path / "full")
    assert runs.finished() == []
    monkeypatch.setattr(paths, "RUNS", tmp_path)
    assert runs.finished() == runs.finished(tmp_path)


@pytest.mark.parametrize("device", ["cpu", "cuda", "cuda:1"])
@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_means_itself(profile, device):
    assert choose_profile(profile, device) == profile


def test_auto_is_full_where_its_runs_are(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "RUNS", tmp_path)
    for model in ("neither", *MODELS):
        assert choose_profile("auto", "cpu") == "quick" and choose_profile("auto", "cuda") == "full"
        if model in MODELS:
            folder = run_folder(config_for(model, "full"))
            folder.mkdir(parents=True)
            (folder / "run.json").touch()
    assert choose_profile("auto", "cpu") == choose_profile("auto", "cpu", seed=0) == "full"
    assert choose_profile("auto", "cpu", seed=1) == choose_profile("auto", "cpu", epochs=3) == "quick"


@pytest.mark.parametrize("profile", ["fast", "", None, 0, ["quick"]])
def test_no_such_profile(refused, profile):
    with refused(f"profile = {profile!r}", "auto, smoke"):
        choose_profile(profile, "cpu")
    with refused("lr = 0"):
        choose_profile("auto", "cpu", lr=0)


@pytest.mark.parametrize("model", MODELS)
def test_finished_early_and_gone_on_with(straight, tiny_config, tmp_path, monkeypatch, sample_images, refused, model):
    config = config_of(tiny_config, model)
    with refused(run_folder(config, tmp_path), "no checkpoint"):
        runs.finish_early(config, tmp_path, sample_images)
    assert list(tmp_path.rglob("*")) == []

    def stop_after_two(state, folder):
        if state.epoch == 2:
            raise KeyboardInterrupt

    with refused("2 of 3 epochs"):
        fit_or_load(config, "cpu", tmp_path, sample_images, monitor=stop_after_two)
    early = runs.finish_early(config, tmp_path, sample_images)
    assert early.epochs == 2 and early.length == "2 of 3 epochs" and early.history.shape == (2, 2, 4)
    assert torch.equal(early.history, load_run(straight(model)).history[:2])
    shorter = fit_or_load(config_of(tiny_config, model, epochs=2), "cpu", tmp_path, sample_images)
    assert all(torch.equal(value, early.generator_state[name]) for name, value in shorter.generator_state.items())

    with monkeypatch.context() as patch:
        patch.setattr(runs, "train", None)
        loaded = fit_or_load(config, "cpu", tmp_path, sample_images)
        assert loaded.manifest == early.manifest
    assert fit_or_load(config, "cpu", tmp_path, sample_images, whole=True).length == "3 epochs"
    assert bits(early.folder) == bits(straight(model))


@pytest.fixture
def early(half, tiny_config, tmp_path, sample_images):
    """The config of a run that was finished after epoch 2 of 3."""
    config = config_of(tiny_config, "vanilla")
    assert runs.finish_early(config, tmp_path, sample_images).folder == half
    return config


@pytest.mark.parametrize("at", [*RESULTS, "run.json"])
def test_a_full_disk_while_a_run_that_was_finished_early_is_finished(
    early, straight, tmp_path, monkeypatch, sample_images, refused, at
):
    """Its old manifest does not vouch for new files: the next call goes on."""
    replace = os.replace

    def fail(source, target):
        if Path(target).name == at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", fail)
        with refused("the disk is full"):
            fit_or_load(early, "cpu", tmp_path, sample_images, whole=True)
    assert bits(fit_or_load(early, "cpu", tmp_path, sample_images, whole=True).folder) == bits(straight("vanilla"))


def test_on_a_gpu_a_run_that_was_finished_early_is_gone_on_with(early, tmp_path, monkeypatch, sample_images, refused):
    """Unless the caller says that it will do. No GPU is needed to see which."""

    def begin(config, device, digest):
        raise LabError(f"training goes on on {device}")

    monkeypatch.setattr(runs, "pick_device", lambda name: "meta")
    monkeypatch.setattr(runs, "TrainState", begin)
    with refused("goes on on meta"):
        fit_or_load(early, "auto", tmp_path, sample_images)
    assert fit_or_load(early, "auto", tmp_path, sample_images, whole=False).epochs == 2


@pytest.mark.parametrize("model", MODELS)
def test_a_run_is_shown_in_a_few_lines(straight, model):
    """The last expression of a cell may be a run: its weights do not fill the page."""
    shown = repr(load_run(straight(model)))
    assert model in shown and "tensor(" not in shown and len(shown) < 2000


# ----- death and resumption


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("epochs_done", [1, 2, 3])
def test_interrupted_after_an_epoch(
    straight, tiny_config, tmp_path, monkeypatch, sample_images, refused, model, epochs_done
):
    """Also after the last one, when only the results are still to be written."""
    config = config_of(tiny_config, model)
    folder = run_folder(config, tmp_path)
    save = runs.checkpoint

    def save_then_interrupt(state, folder):
        save(state, folder)
        if state.epoch == epochs_done:
            raise KeyboardInterrupt

    monkeypatch.setattr(runs, "checkpoint", save_then_interrupt)
    with refused(folder, f"{epochs_done} of 3 epochs", "run the same cell or command again"):
        fit_or_load(config, "cpu", tmp_path, sample_images)
    assert checkpoints(folder) == list(range(1, epochs_done + 1))[-KEEP:]
    assert not (folder / "run.json").exists()

    monkeypatch.setattr(runs, "checkpoint", save)
    steps, real = [], loop.d_step
    monkeypatch.setattr(loop, "d_step", lambda *args: steps.append(0) or real(*args))
    assert fit_or_load(config, "cpu", tmp_path, sample_images).history.shape == (3, 2, 4)
    assert len(steps) == 2 * (3 - epochs_done)
    assert bits(folder) == bits(straight(model)) and checkpoints(folder) == [3]


def test_interrupted_within_the_first_epoch(straight, tiny_config, tmp_path, monkeypatch, sample_images, refused):
    config = config_of(tiny_config, "vanilla")

    def interrupt(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(loop, "g_step", interrupt)
        with refused(run_folder(config, tmp_path), "0 of 3 epochs", "again"):
            fit_or_load(config, "cpu", tmp_path, sample_images)
    assert bits(fit_or_load(config, "cpu", tmp_path, sample_images).folder) == bits(straight("vanilla"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("model", MODELS)
def test_interrupted_in_the_middle_of_an_epoch(
    straight, tiny_config, tmp_path, monkeypatch, sample_images, refused, model, number
):
    """The step in hand is finished and kept, and no step is done twice."""
    config, real, steps = config_of(tiny_config, model), loop.g_step, []

    def signalled(*args):
        steps.append(0)
        if len(steps) == 3:  # the first of epoch 2
            signal.raise_signal(number)
        return real(*args)

    monkeypatch.setattr(loop, "g_step", signalled)
    folder, handlers = run_folder(config, tmp_path), [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
    with refused(folder, "1 of 3 epochs and 1 steps", "run the same cell or command again"):
        fit_or_load(config, "cpu", tmp_path, sample_images)
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == handlers
    assert [p.name.split("-")[1] for p in checkpoints_in(folder)] == ["00001.00001", "00001"]
    early = runs.finish_early(config, tmp_path, sample_images)  # of whole epochs, and no step is lost by it
    first = fit_or_load(config_of(tiny_config, model, epochs=1), "cpu", tmp_path, sample_images)
    assert early.epochs == 1 and all(
        torch.equal(value, early.generator_state[name]) for name, value in first.generator_state.items()
    )
    checks, steps[2:] = [], [0]
    fit_or_load(
        config, "cpu", tmp_path, sample_images, whole=True, monitor=lambda state, folder: checks.append(state.epoch)
    )
    assert len(steps) == 6 and checks == [2, 3]
    assert bits(folder) == bits(straight(model)) and checkpoints(folder) == [3]


def test_interrupted_twice_stops_at_once(straight, tiny_config, tmp_path, monkeypatch, sample_images, refused):
    config, real, steps = config_of(tiny_config, "vanilla"), loop.g_step, []

    def signalled(*args):
        steps.append(0)
        if len(steps) == 3:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
        return real(*args)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "g_step", signalled)
        with refused("1 of 3 epochs in"):
            fit_or_load(config, "cpu", tmp_path, sample_images)
    assert len(steps) == 3 and checkpoints(run_folder(config, tmp_path)) == [1]
    assert bits(fit_or_load(config, "cpu", tmp_path, sample_images).folder) == bits(straight("vanilla"))


def test_a_damaged_half_epoch_costs_only_itself(
    straight, tiny_config, tmp_path, monkeypatch, sample_images, refused, capsys
):
    config, real, steps = config_of(tiny_config, "dcgan"), loop.g_step, []

    def signalled(*args):
        steps.append(0)
        if len(steps) == 5:
            signal.raise_signal(signal.SIGINT)
        return real(*args)

    with monkeypatch.context() as patch:
        patch.setattr(loop, "g_step", signalled)
        with refused("2 of 3 epochs and 1 steps"):
            fit_or_load(config, "cpu", tmp_path, sample_images)
    newest = checkpoints_in(run_folder(config, tmp_path))[0]
    newest.write_bytes(newest.read_bytes()[:-1])
    done = fit_or_load(config, "cpu", tmp_path, sample_images)
    assert f"{newest} is damaged" in capsys.readouterr().out
    assert bits(done.folder) == bits(straight("dcgan"))


def test_interrupted_while_saving(straight, tiny_config, tmp_path, monkeypatch, sample_images, refused):
    """The message counts the epochs that are on disk, not the one whose checkpoint was lost."""
    config = config_of(tiny_config, "vanilla")
    replace, calls = os.replace, []

    def interrupt(*paths):
        calls.append(paths)
        if len(calls) == 2:
            raise KeyboardInterrupt
        replace(*paths)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", interrupt)
        with refused("has 1 of 3 epochs"):
            fit_or_load(config, "cpu", tmp_path, sample_images)
    assert checkpoints(run_folder(config, tmp_path)) == [1]
    assert bits(fit_or_load(config, "cpu", tmp_path, sample_images).folder) == bits(straight("vanilla"))


@pytest.mark.parametrize("at", ["trained_generator", "write_atomic"])
def test_interrupted_while_finishing(straight, tiny_config, tmp_path, monkeypatch, sample_images, refused, at):
    config = config_of(tiny_config, "vanilla")
    real = getattr(runs, at)

    def interrupt(*args):
        if at == "write_atomic" and args[0].name.startswith("checkpoint"):
            return real(*args)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(runs, at, interrupt)
        with refused(run_folder(config, tmp_path), "again"):
            fit_or_load(config, "cpu", tmp_path, sample_images)
    assert bits(fit_or_load(config, "cpu", tmp_path, sample_images).folder) == bits(straight("vanilla"))


def die(config, root, images, threads, point):
    """In a process of its own: train, and die by SIGKILL at ``point``."""
    torch.set_num_threads(threads)
    runs.GARMENTS = sha256(images.tobytes())
    runs.trained_generator = functools.partial(training_state.trained_generator, n=Z_FOR_BATCHNORM)

    def kill():
        os.kill(os.getpid(), signal.SIGKILL)

    calls = []
    if point == "step":  # the second step of epoch 2
        real = loop.g_step
        loop.g_step = lambda *args: (calls.append(0), kill() if len(calls) == 4 else None, real(*args))[-1]
    else:  # before the rename of the file of this name
        real = os.replace
        os.replace = lambda a, b: kill() if Path(b).name.startswith(point) else real(a, b)
    fit_or_load(config, "cpu", root, torch.from_numpy(images))


@pytest.fixture(scope="module")
def server():
    """A process with labkit imported and no threads running, from which the children that die are forked."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["labkit.training.runs", "torch._dynamo", "torch.optim.swa_utils"])
    return context


POINTS = {  # point: epochs on disk after the death, whether a part is left behind
    "step": ([1], False),
    "checkpoint-00002": ([1], True),
    "generator": ([2, 3], True),
    "run.json": ([2, 3], True),
}


@pytest.mark.parametrize("model, point", [("dcgan", "step"), *(("vanilla", point) for point in POINTS)])
def test_killed(straight, server, tiny_config, tmp_path, sample_images, model, point):
    config = config_of(tiny_config, model)
    folder = run_folder(config, tmp_path)
    images = sample_images.numpy().copy()
    child = server.Process(target=die, args=(config, tmp_path, images, torch.get_num_threads(), point))
    child.start()
    child.join(120)
    assert child.exitcode == -signal.SIGKILL
    assert (checkpoints(folder), bool(list(folder.glob(".*.part")))) == POINTS[point]
    assert not (folder / "run.json").exists()
    fit_or_load(config, "cpu", tmp_path, sample_images)
    assert bits(folder) == bits(straight(model))
    assert list(folder.glob(".*")) == [] and checkpoints(folder) == [3]


# ----- several seeds at once


def die_among_seeds(configs, root, images, threads, number, at):
    """In a process of its own: train ``configs`` together; signal ``number`` comes in step ``at``, counted over all."""
    torch.set_num_threads(threads)
    runs.GARMENTS = sha256(images.tobytes())
    runs.trained_generator = functools.partial(training_state.trained_generator, n=Z_FOR_BATCHNORM)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    real, calls = loop.g_step, []
    loop.g_step = lambda *args: (calls.append(0), os.kill(os.getpid(), number) if len(calls) == at else 0, real(*args))[
        -1
    ]
    fit_or_load_seeds(configs, "cpu", root, torch.from_numpy(images))


KILLED_SEEDS = {  # signal and step: epochs and further steps on disk, of two steps an epoch for each of three seeds
    (signal.SIGKILL, 6): [(1, 0), (1, 0)],
    (signal.SIGTERM, 7): [(1, 1), (1, 0), (1, 0)],
    (signal.SIGINT, 10): [(2, 0), (2, 0), (1, 0)],
}


@pytest.mark.slow
@pytest.mark.parametrize("number, at", KILLED_SEEDS)
def test_several_seeds_killed(straight, server, tiny_config, tmp_path, sample_images, number, at):
    """After each epoch of each seed there is a checkpoint; after a polite request, one of the epoch in hand too."""
    first = config_of(tiny_config, "vanilla")
    configs = [first, *(dataclasses.replace(first, seed=seed) for seed in (8, 9))]
    arguments = configs, tmp_path, sample_images.numpy().copy(), torch.get_num_threads(), number, at
    child = server.Process(target=die_among_seeds, args=arguments)
    child.start()
    child.join(120)
    assert child.exitcode == (-signal.SIGKILL if number == signal.SIGKILL else 1)
    on_disk = [checkpoints_in(run_folder(config, tmp_path))[:1] for config in configs]
    assert [progress_of(path) for (path,) in filter(None, on_disk)] == KILLED_SEEDS[number, at]
    assert not list(tmp_path.rglob("run.json"))
    done = fit_or_load_seeds(configs, "cpu", tmp_path, sample_images)
    assert bits(done[0].folder) == bits(straight("vanilla"))
    for config, run in zip(configs[1:], done[1:]):
        alone = fit_or_load(config, "cpu", tmp_path / "alone", sample_images)
        assert run.config == config and bits(run.folder) == bits(alone.folder)
    assert not list(tmp_path.rglob(".*"))


def test_of_several_seeds_only_what_is_missing_is_trained(straight, tiny_config, tmp_path, monkeypatch, sample_images):
    first = config_of(tiny_config, "vanilla")
    configs = [first, dataclasses.replace(first, seed=8)]
    shutil.copytree(straight("vanilla"), run_folder(first, tmp_path))
    trained, real = [], runs.train
    monkeypatch.setattr(
        runs, "train", lambda states, *args, **kw: (trained.append(len(states)), real(states, *args, **kw))
    )
    done = fit_or_load_seeds(configs, "cpu", tmp_path, sample_images)
    assert trained == [1] and [run.config for run in done] == configs
    fit_or_load_seeds(configs[::-1], "cpu", tmp_path, sample_images)
    assert trained == [1]


def test_seeds_one_of_which_is_trained_elsewhere_are_refused(tiny_config, tmp_path, sample_images, refused):
    first = config_of(tiny_config, "vanilla")
    configs = [first, dataclasses.replace(first, seed=8)]
    with exclusive(run_folder(configs[1], tmp_path)), refused(run_folder(configs[1], tmp_path), "is in use by"):
        fit_or_load_seeds(configs, "cpu", tmp_path, sample_images)
    assert not list(tmp_path.rglob("checkpoint*"))


STAGES = [
    ("fsync", 3),
    ("fsync", 4),
    ("replace", 2),
    ("unlink", 1),
]  # of epoch 2's file, its folder; the third checkpoint's rotation


def die_at(config, root, images, threads, name, count, after):
    """In a process of its own: train, and die before or after the ``count``-th call of this function of the system."""
    torch.set_num_threads(threads)
    runs.GARMENTS = sha256(images.tobytes())
    runs.trained_generator = functools.partial(training_state.trained_generator, n=Z_FOR_BATCHNORM)
    real, calls = getattr(os, name), []

    def counted(*arguments, **options):
        calls.append(0)
        if len(calls) == count and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        result = real(*arguments, **options)
        if len(calls) == count:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(os, name, counted)
    fit_or_load(config, "cpu", root, torch.from_numpy(images))


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(("name", "count"), STAGES, ids=lambda value: str(value))
def test_killed_at_every_stage_of_a_save(straight, server, tiny_config, tmp_path, sample_images, name, count, after):
    config = config_of(tiny_config, "vanilla")
    child = server.Process(
        target=die_at,
        args=(config, tmp_path, sample_images.numpy().copy(), torch.get_num_threads(), name, count, after),
    )
    child.start()
    child.join(120)
    assert child.exitcode == -signal.SIGKILL
    folder = run_folder(config, tmp_path)
    assert checkpoints(folder)[0] == 1 or checkpoints(folder)[-2:] == [2, 3]
    fit_or_load(config, "cpu", tmp_path, sample_images)
    assert bits(folder) == bits(straight("vanilla"))
    assert list(folder.glob(".*")) == [] and checkpoints(folder) == [3]


@pytest.mark.thorough
def test_killed_at_random(tmp_path, capsys):
    """Eight times; `make soak` does it a hundred times."""
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    print(soak(8, seed, tmp_path))


def hold(config, root, ready, go_on):
    """In a process of its own: hold the lock on the run's folder, with a part that is being written in it."""
    with exclusive(run_folder(config, root)):
        (run_folder(config, root) / ".checkpoint-00001.x.part").write_bytes(b"half")
        ready.set()
        go_on.wait(60)


def test_a_run_is_trained_by_one_process_at_a_time(server, tiny_config, tmp_path, sample_images, refused):
    config = config_of(tiny_config, "vanilla")
    folder, ready, go_on = run_folder(config, tmp_path), server.Event(), server.Event()
    child = server.Process(target=hold, args=(config, tmp_path, ready, go_on))
    child.start()
    try:
        assert ready.wait(60)
        with refused(folder, f"process {child.pid}"):
            fit_or_load(config, "cpu", tmp_path, sample_images)
        with refused(folder, f"process {child.pid}"):
            runs.finish_early(config, tmp_path, sample_images)
        assert names(folder) == [".checkpoint-00001.x.part"]  # not swept away
        fit_or_load(config_of(tiny_config, "vanilla", 2), "cpu", tmp_path, sample_images)  # another run is free
    finally:
        child.kill()
        child.join()
    assert fit_or_load(config, "cpu", tmp_path, sample_images).epochs == 3 and list(folder.glob(".*")) == []


def starve(config, root, images, answer):
    """In a process of its own: train with little more memory than there is already."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 400_000_000, resource.RLIM_INFINITY))
    try:
        fit_or_load(config, "cpu", root, torch.from_numpy(images))
    except LabError as error:
        answer.put(str(error))


def test_out_of_memory(server, tiny_config, tmp_path, sample_images):
    """One line with the remedy; an epoch that was done is kept."""
    config = tiny_config("dcgan", epochs=1, batch=4096, examples=4096)
    images, answer = sample_images.repeat(8, 1, 1).numpy(), server.Queue()
    child = server.Process(target=starve, args=(config, tmp_path, images, answer))
    child.start()
    said = answer.get(timeout=120)
    child.join(60)
    assert "batch = 4096" in said and "smaller batch" in said and len(said.splitlines()) == 1
    assert names(run_folder(config, tmp_path, sha256(images.tobytes()))) == []


def test_a_weight_that_is_not_finite_is_not_saved(straight, tiny_config, tmp_path, monkeypatch, sample_images, refused):
    """Also where the losses of the epoch do not show it."""
    config = config_of(tiny_config, "vanilla")
    save = runs.checkpoint

    def spoil(state, folder):
        if state.epoch == 2:
            state.g.shortcut[1].running_mean[3] = math.nan
        save(state, folder)

    with monkeypatch.context() as patch:
        patch.setattr(runs, "checkpoint", spoil)
        with refused("vanilla", "not finite after epoch 2", "smaller lr"):
            fit_or_load(config, "cpu", tmp_path, sample_images)
    assert checkpoints(run_folder(config, tmp_path)) == [1]
    assert bits(fit_or_load(config, "cpu", tmp_path, sample_images).folder) == bits(straight("vanilla"))


def test_diverged_run_is_not_finished(tiny_config, tmp_path, monkeypatch, sample_images, refused):
    """It keeps its sound epochs, has no results, and says the same when run again."""
    config = tiny_config("vanilla", epochs=3, examples=16)
    folder = run_folder(config, tmp_path)
    real = loop.g_step
    monkeypatch.setattr(loop, "g_step", lambda *args: real(*args) * (math.nan if bool(checkpoints(folder)) else 1))
    for _ in range(2):
        with refused("vanilla", "nan", "epoch 2", "smaller lr"):
            fit_or_load(config, "cpu", tmp_path, sample_images)
        assert checkpoints(folder) == [1] and len(names(folder)) == 1


# ----- damage


def flip(path, position):
    content = bytearray(path.read_bytes())
    content[position % len(content)] ^= 1 << position % 8
    path.write_bytes(content)


DAMAGE = {
    "bit in the header": lambda path: flip(path, 20),
    "bit in the middle": lambda path: flip(path, path.stat().st_size // 2),
    "last bit": lambda path: flip(path, -1),
    "half": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "one byte short": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "one byte long": lambda path: path.write_bytes(path.read_bytes() + b"\0"),
    "empty": lambda path: path.write_bytes(b""),
    "page": lambda path: path.write_bytes(b"<html>\n</html>\n"),
}


@pytest.fixture(scope="module")
def half_done(straight, tiny_config, sample_images, tmp_path_factory):
    """The root of a run that was interrupted after epoch 2: checkpoints 1 and 2."""
    root = tmp_path_factory.mktemp("half")
    config, save = config_of(tiny_config, "vanilla"), runs.checkpoint

    def save_then_stop(state, folder):
        save(state, folder)
        if state.epoch == 2:
            raise RuntimeError("stop")

    with pytest.MonkeyPatch.context() as patch, pytest.raises(RuntimeError):
        patch.setattr(runs, "checkpoint", save_then_stop)
        fit_or_load(config, "cpu", root, sample_images)
    return root


@pytest.mark.parametrize("damaged", [1, 2], ids=["newest", "both"])
@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_damaged_checkpoint(half_done, straight, tiny_config, tmp_path, capsys, sample_images, damaged, damage):
    """The one before is used, or none; the result is the same to the last bit, and the damage is told."""
    config, root = config_of(tiny_config, "vanilla"), tmp_path / "root"
    folder = run_folder(config, root)
    shutil.copytree(half_done, root)
    paths = sorted(folder.glob("checkpoint-*"), reverse=True)[:damaged]
    for path in paths:
        damage(path)
    wrong = {path.with_suffix(".corrupt"): path.read_bytes() for path in paths}
    fit_or_load(config, "cpu", root, sample_images)
    told = capsys.readouterr().out.splitlines()
    assert [line.split(" is damaged")[0] for line in told] == [str(path) for path in paths]
    assert {path: path.read_bytes() for path in folder.glob("*.corrupt")} == wrong
    assert bits(folder) == bits(straight("vanilla"))


def test_swapped_checkpoints(half_done, straight, tiny_config, tmp_path, sample_images):
    """Two sound files under each other's names: neither is what its name says."""
    config, root = config_of(tiny_config, "vanilla"), tmp_path / "root"
    folder = run_folder(config, root)
    shutil.copytree(half_done, root)
    a, b = sorted(folder.glob("checkpoint-*"))
    a.rename(tmp_path / "a"), b.rename(a), (tmp_path / "a").rename(b)
    fit_or_load(config, "cpu", root, sample_images)
    assert bits(folder) == bits(straight("vanilla"))


def test_file_that_only_looks_like_a_checkpoint(half_done, straight, tiny_config, tmp_path, sample_images):
    config, root = config_of(tiny_config, "vanilla"), tmp_path / "root"
    shutil.copytree(half_done, root)
    (run_folder(config, root) / "checkpoint-best.safetensors").write_bytes(b"mine")
    assert bits(fit_or_load(config, "cpu", root, sample_images).folder) == bits(straight("vanilla"))


def test_stale_parts_are_swept(half_done, tiny_config, tmp_path, sample_images):
    config, root = config_of(tiny_config, "vanilla"), tmp_path / "root"
    folder = run_folder(config, root)
    shutil.copytree(half_done, root)
    stale = folder / ".checkpoint-00003-0123456789abcdef.safetensors.abc123.part"
    stale.write_bytes(b"half a checkpoint")
    (folder / "notes.txt").write_text("the reader's own")
    fit_or_load(config, "cpu", root, sample_images)
    assert not stale.exists() and (folder / "notes.txt").exists()


@pytest.mark.parametrize("kind", ["checkpoint", "finished"])
def test_another_config_in_the_folder(half_done, straight, tiny_config, tmp_path, sample_images, refused, kind):
    """A folder renamed by hand."""
    other = config_of(tiny_config, "vanilla")
    config = tiny_config("vanilla", epochs=3, examples=16, ema=0.9, lr=1e-3)
    source = straight("vanilla") if kind == "finished" else run_folder(other, half_done)
    folder = run_folder(config, tmp_path)
    shutil.copytree(source, folder)
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    with refused(folder, "another config", "delete", *(["lr is 0.0002"] if kind == "finished" else [])):
        fit_or_load(config, "cpu", tmp_path, sample_images)
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before


def use(config, root):
    """Load a run, and all there is in it."""
    run = fit_or_load(config, "cpu", root)
    run.generator(), run.discriminator()


@pytest.mark.parametrize("name", RESULTS)
@pytest.mark.parametrize("damage", [*DAMAGE.values(), Path.unlink], ids=[*DAMAGE, "missing"])
def test_damaged_result(finished, refused, name, damage):
    config, root, folder = finished()
    damage(folder / name)
    with refused(folder / name, "delete its folder"):
        use(config, root)


@pytest.mark.parametrize("name", RESULTS)
def test_loading_verifies_every_file(finished, refused, name):
    """`load_run` promises a verified run: no file is left for a later cell to stumble over."""
    _, _, folder = finished()
    flip(folder / name, -1)
    with refused(folder / name):
        load_run(folder)


@pytest.mark.parametrize("name", RESULTS)
def test_results_of_another_run(finished, refused, name):
    """Sound in itself, right in shape, and not what the manifest vouches for."""
    config, root, folder = finished()
    tensors = safetensors.torch.load((folder / name).read_bytes())
    (folder / name).write_bytes(safetensors.torch.save({k: v + 1 for k, v in tensors.items()}))
    with refused(folder / name):
        use(config, root)


def test_no_finished_run(tmp_path, refused):
    with refused(tmp_path, "no finished run", "make report"):
        load_run(tmp_path)


def manifest_with(**changes):
    """A manifest that its own seal vouches for."""

    def damage(path):
        manifest = json.loads(path.read_text()) | changes
        path.write_text(json.dumps(manifest | {"sha256": seal(manifest)}))

    return damage


DAMAGED_MANIFEST = DAMAGE | {
    "no object": lambda path: path.write_text("[]"),
    "a number": lambda path: path.write_text("1"),
    "not text": lambda path: path.write_bytes(b"\xff\xfe{}"),
    "unsealed": lambda path: path.write_text(json.dumps(json.loads(path.read_text()) | {"seconds": 1})),
    "no config": manifest_with(config=None),
    "unknown setting": manifest_with(config={"learning_rate": 1}),
    "bad setting": manifest_with(config={"epochs": 0}),
    "newer format": manifest_with(format=2),
    "no format": manifest_with(format=None),
    "no files": manifest_with(files={}),
    "files as a list": manifest_with(files=RESULTS),
    "files missing": manifest_with(files=None),
}


@pytest.mark.parametrize("damage", DAMAGED_MANIFEST.values(), ids=DAMAGED_MANIFEST)
def test_damaged_manifest(finished, refused, damage):
    config, root, folder = finished()
    damage(folder / "run.json")
    with refused(folder / "run.json"):
        use(config, root)


@pytest.fixture
def half(half_done, tiny_config, tmp_path):
    """The folder of an interrupted run that may be changed."""
    shutil.copytree(half_done, tmp_path, dirs_exist_ok=True)
    return run_folder(config_of(tiny_config, "vanilla"), tmp_path)


def test_a_newer_format_is_named(finished, refused):
    config, root, folder = finished()
    manifest_with(format=2)(folder / "run.json")
    with refused("format 2", "reads 1"):
        use(config, root)


def with_owner(path, change):
    """The checkpoint at ``path`` with its owner changed, under a name that vouches for it."""
    with safetensors.safe_open(path, "pt") as f:
        note = f.metadata()
    owner = json.loads(note["owner"])
    change(owner["config"])
    content = safetensors.torch.save(safetensors.torch.load(path.read_bytes()), note | {"owner": json.dumps(owner)})
    path.unlink()
    path.with_name(f"{path.name.rpartition('-')[0]}-{sha256(content)[:16]}.safetensors").write_bytes(content)


def test_a_checkpoint_from_before_a_setting_existed(half, straight, tiny_config, tmp_path, sample_images):
    """Its digest promises that a new setting changes nothing."""
    for path in list(half.glob("checkpoint-*")):
        with_owner(path, lambda config: config.pop("lr_d"))
    assert bits(fit_or_load(config_of(tiny_config, "vanilla"), "cpu", tmp_path, sample_images).folder) == bits(
        straight("vanilla")
    )


def test_a_checkpoint_of_a_newer_labkit(half, tiny_config, tmp_path, sample_images, refused):
    for path in list(half.glob("checkpoint-*")):
        with_owner(path, lambda config: config.update(newfield=1))
    with refused(half, "newfield", "delete"):
        fit_or_load(config_of(tiny_config, "vanilla"), "cpu", tmp_path, sample_images)


class Canary:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def hostile(tmp_path):
    """Contents that are no tensors, or not those they should be.

    Among them are pickles that write a file when loaded, and a claim of 40 GB.
    """
    huge = json.dumps({"a": {"dtype": "F32", "shape": [10**5, 10**5], "data_offsets": [0, 4 * 10**10]}}).encode()
    zipped = io.BytesIO()
    torch.save(Canary(tmp_path / "canary"), zipped)
    return {
        "pickle": pickle.dumps(Canary(tmp_path / "canary")),
        "torch.save": zipped.getvalue(),
        "huge": len(huge).to_bytes(8, "little") + huge,
        "other tensors": safetensors.torch.save({"a": torch.zeros(3)}),
        "nothing": b"",
    }


@pytest.mark.parametrize("kind", ["pickle", "torch.save", "huge", "other tensors", "nothing"])
@pytest.mark.parametrize("name", RESULTS)
def test_hostile_content_with_a_digest_that_vouches_for_it(finished, tmp_path, refused, name, kind):
    config, root, folder = finished()
    content = hostile(tmp_path)[kind]
    (folder / name).write_bytes(content)
    files = json.loads((folder / "run.json").read_text())["files"]
    manifest_with(files=files | {name: sha256(content)})(folder / "run.json")
    with refused(folder / name, "delete its folder") as caught:
        run = load_run(folder)
        run.generator(), run.discriminator()
    assert "weights_only" not in str(caught.value) and not (tmp_path / "canary").exists()


@pytest.mark.parametrize("shape", [(3, 2, 3), (3, 1, 4), (3, 2), (24,)], ids=str)
def test_a_history_of_another_shape_with_a_digest_that_vouches_for_it(finished, refused, shape):
    config, root, folder = finished()
    content = safetensors.torch.save({"history": torch.zeros(shape)})
    (folder / "history.safetensors").write_bytes(content)
    files = json.loads((folder / "run.json").read_text())["files"]
    manifest_with(files=files | {"history.safetensors": sha256(content)})(folder / "run.json")
    with refused(folder / "history.safetensors", "no history", "delete its folder"):
        load_run(folder)


@pytest.mark.parametrize("kind", ["pickle", "torch.save", "huge", "other tensors", "nothing"])
def test_a_hostile_checkpoint(half, tiny_config, tmp_path, sample_images, refused, kind):
    content = hostile(tmp_path)[kind]
    (half / f"checkpoint-00009-{sha256(content)[:16]}.safetensors").write_bytes(content)
    with refused("checkpoint-00009", "delete"):
        fit_or_load(config_of(tiny_config, "vanilla"), "cpu", tmp_path, sample_images)
    assert not (tmp_path / "canary").exists()


def test_gone_on_with_other_threads(half, tiny_config, tmp_path, sample_images, capsys, monkeypatch):
    """It says so, and the manifest names both."""
    real = machine
    monkeypatch.setattr(checkpoints_module, "machine", lambda device: real(device) | {"threads": 99})
    manifest = fit_or_load(config_of(tiny_config, "vanilla"), "cpu", tmp_path, sample_images).manifest
    assert f"{half.name} was begun with another threads" in capsys.readouterr().out
    assert manifest["machine"]["threads"] == 99 and [m["threads"] for m in manifest["earlier_machines"]] == [
        torch.get_num_threads()
    ]


@pytest.mark.parametrize("at", ["checkpoint-00002", *RESULTS, "run.json"])
def test_a_full_disk(straight, tiny_config, tmp_path, monkeypatch, sample_images, refused, at):
    """A line, the epochs before intact, and the same bits once there is room."""
    config = config_of(tiny_config, "vanilla")
    folder, replace = run_folder(config, tmp_path), os.replace

    def fail(source, target):
        if Path(target).name.startswith(at):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", fail)
        with refused(folder, "the disk is full", "free some space"):
            fit_or_load(config, "cpu", tmp_path, sample_images)
    assert checkpoints(folder) == ([1] if at.startswith("checkpoint") else [2, 3]) and list(folder.glob(".*")) == []
    assert bits(fit_or_load(config, "cpu", tmp_path, sample_images).folder) == bits(straight("vanilla"))


def test_flipped_bits_of_the_manifest(finished):
    """Nothing that a flipped bit made of the manifest is believed, be it only the time or the machine."""
    config, root, folder = finished()
    path = folder / "run.json"
    whole = path.read_bytes()
    believed = []
    for bit in random.Random(0).sample(range(8 * len(whole)), 150):
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        try:
            use(config, root)
            believed.append(flipped[bit // 8 - 20 : bit // 8 + 20].decode())
        except LabError as error:
            assert len(str(error).splitlines()) == 1
    assert believed == []


# ----- rules


@pytest.mark.parametrize("path", sorted(Path(labkit.__file__).parent.rglob("*.py")), ids=lambda path: path.name)
def test_no_pickle(path):
    """Loading a pickle runs what is in it. What a stranger saved is read as tensors alone, in a process of its own."""
    text = path.read_text()
    if path.parent.name == "examine":
        text = re.sub(r"torch\.load\([^()]*weights_only=True\)|\btorch\.save\(generator|allow_pickle=False", "", text)
    assert not re.search(r"(?<!safetensors\.)\btorch\.(load|save)\b|allow_pickle", text)
    assert not re.search(r"^\s*(from|import)\b.*\b(pickle|cloudpickle|dill|joblib|marshal|shelve)\b", text, re.M)


def test_checkpoints_kept(half_done, tiny_config):
    """Two while training, so that one is there to fall back on; each file's name vouches for its content."""
    folder = run_folder(config_of(tiny_config, "vanilla"), half_done)
    assert KEEP == 2 and checkpoints(folder) == [1, 2]
    for path in folder.glob("checkpoint-*"):
        assert sha256(path.read_bytes())[:16] == path.stem.split("-")[2]


# ----- what ships with the project

SHIPPED = [folder for folder in runs.finished(ROOT / "data/runs") if folder.parts[-3] == "full"]


def test_both_networks_ship():
    """With their measurements, and with nothing that only training needs."""
    assert {folder.parts[-2] for folder in SHIPPED} == set(MODELS)
    for model in MODELS:
        run = load_run(run_folder(config_for(model, "full"), ROOT / "data/runs", data.FASHION_MNIST.images_sha256))
        assert run.epochs >= 15 and run.manifest["machine"]["torch"]
        found = {path.name.partition("-")[0] for path in run.folder.iterdir()}
        assert {"atlas", "directions", "scores", "scores.json"} <= found
    assert (
        sum(
            path.stat().st_size
            for folder in SHIPPED
            for path in folder.iterdir()
            if not path.name.startswith("checkpoint")
        )
        < 40e6
    )


def test_one_set_of_images_in_every_guise_is_one_run(tiny_config, tmp_path, sample_images, refused):
    """Other pictures, as 32 by 32 for a DCGAN, are refused before anything is written."""
    config = tiny_config("vanilla", epochs=1)
    run = fit_or_load(config, "cpu", str(tmp_path / "runs"), sample_images)
    u = sample_images
    for same in (
        u.numpy(),
        u.unsqueeze(1),
        u.numpy()[..., None],
        u.flatten(1),
        u.float() / 255,
        u / 127.5 - 1,
        u.long(),
    ):
        assert fit_or_load(config, "cpu", tmp_path / "runs", same).manifest == run.manifest
    small = torch.nn.functional.pad(u, (2, 2, 2, 2))
    for wrong in (small, u.unsqueeze(1).repeat(1, 3, 1, 1), u.float() * 2, u > 100, u // 200, "garments", u[:0]):
        for call in (fit_or_load, finish_early):
            with refused("images"):
                call(config, root=tmp_path / "new", images=wrong)
    with refused("config = "):
        fit_or_load("vanilla", "cpu", tmp_path / "new", u)
    assert not (tmp_path / "new").exists()


def test_load_gives_the_generator_of_the_longest_profile(monkeypatch, refused):
    monkeypatch.setattr(paths, "RUNS", ROOT / "data/runs")
    monkeypatch.setattr(runs, "GARMENTS", data.FASHION_MNIST.images_sha256)
    for model in MODELS:
        state = load_run(next(folder for folder in SHIPPED if folder.parts[-2] == model)).generator_state
        g = labkit.load(model)
        assert not g.training and all(torch.equal(value, state[name]) for name, value in g.state_dict().items())
    for model in ("Dcgan", None, "full"):
        with refused(f"model = {model!r}", "vanilla, dcgan"):
            labkit.load(model)


@pytest.mark.parametrize("model", MODELS)
def test_no_damage_to_what_ships_goes_unnoticed(tmp_path, model):
    """A hundred flipped bits and 25 cuts for each network, all over its files."""
    chance, shipped = random.Random(model), next(folder for folder in SHIPPED if folder.parts[-2] == model)
    files = ["run.json", *RESULTS]
    for name in files:
        shutil.copy(shipped / name, tmp_path)
    load_run(tmp_path)
    for trial in range(125):
        path = tmp_path / files[trial % len(files)]
        whole = path.read_bytes()
        if trial < 100:
            at = chance.randrange(len(whole))
            with path.open("r+b") as f:
                f.seek(at)
                f.write(bytes([whole[at] ^ 1 << chance.randrange(8)]))
        else:
            os.truncate(path, chance.randrange(len(whole)))
        with pytest.raises(LabError):
            load_run(tmp_path)
        path.write_bytes(whole)
    load_run(tmp_path)
