"""What a reader gives to public functions: paths as text, torch's devices, and what stands in a run's place."""

import numpy as np
import pytest
import torch
from sample_data import with_digests

import labkit
from labkit import data, latent
from labkit.analysis import alone, directions, effects, inversion
from labkit.base import paths
from labkit.base.machine import pick_device
from labkit.config import config_for
from labkit.evaluation import album, classifier, monitor, scoring
from labkit.page import recipe, worlds
from labkit.report import predictions, verify
from labkit.study import records
from labkit.training import runs

# ----- paths


@pytest.fixture(scope="module")
def run(tmp_path_factory, sample_images, tiny_config):
    """A small run on the sample, in a folder of its own."""
    return runs.fit_or_load(tiny_config("vanilla"), "cpu", tmp_path_factory.mktemp("runs"), sample_images)


def test_paths_as_text(run, sample_images, sample_folder, sample_digests, monkeypatch):
    """Also below the folder where one stands: what is found does not hang on where one goes later."""
    root = run.folder.parents[2]
    monkeypatch.chdir(root)
    folder, dataset = str(run.folder.relative_to(root)), with_digests(sample_digests)
    again = runs.load_run(folder)
    assert again.folder == run.folder and again.manifest == run.manifest
    assert runs.fit_or_load(run.config, "cpu", ".", sample_images).folder == run.folder
    assert runs.run_folder(run.config, ".", runs.images_of(folder)) == run.folder
    assert runs.finished(".") == [run.folder] and runs.dataset_of(folder) == ""
    assert worlds.open_world(folder).manifest == run.manifest
    assert album.read(folder).epochs == album.read(run.folder).epochs
    assert monitor.read(f"{folder}/nothing.jsonl") == []
    assert torch.equal(data.load("test", folder=str(sample_folder), dataset=dataset)[0][:1], data.load("test")[0][:1])
    assert data.ensure(str(sample_folder), dataset) == sample_folder
    assert classifier.load_classifier(str(classifier.FOLDER))[1] == classifier.load_classifier()[1]
    assert verify.verify(f"{folder}/run.json").path.is_absolute()


def test_pictures_by_a_path_as_text(tmp_path, monkeypatch, sample_images):
    monkeypatch.setattr(paths, "OWN", tmp_path / "own")
    monkeypatch.chdir(tmp_path)
    np.savez("mine.npz", images=sample_images[:300].numpy())
    assert data.bring("mine.npz").name == "mine"


@pytest.mark.parametrize("wrong", [5, b"data", "", ["data"], True, "no\0file"], ids=repr)
@pytest.mark.parametrize("call", [
    runs.load_run, runs.finished, runs.images_of, runs.dataset_of, worlds.open_world, worlds.listed, album.read,
    monitor.read, records.load_record, recipe.read_recipe, verify.verify, data.bring, data.ensure,
    classifier.load_classifier,
    lambda path: data.load("test", folder=path),
    lambda path: runs.fit_or_load(config_for("dcgan", "smoke"), root=path),
    lambda path: runs.finish_early(config_for("dcgan", "smoke"), path),
    lambda path: predictions.predict(path, config_for("dcgan", "smoke")),
])  # fmt: skip
def test_what_is_no_path_is_refused_in_a_line(refused, call, wrong):
    with refused("give the path of a file or folder"):
        call(wrong)


# ----- devices

USERS = {
    "generator": lambda run, device: run.generator(device),
    "discriminator": lambda run, device: run.discriminator(device),
    "load": lambda run, device: labkit.load("dcgan", device),
    "data": lambda run, device: data.load("test", device),
    "train": lambda run, device: runs.fit_or_load(run.config, device, run.folder.parents[2]),
    "reference": lambda run, device: scoring.load_reference(200, device),
}


@pytest.mark.parametrize("call", USERS.values(), ids=USERS)
def test_a_device_as_torch_has_it(run, call):
    call(run, torch.device("cpu"))


@pytest.mark.parametrize("device", [torch.device("cpu", 0), "cpu:0"], ids=repr)
def test_the_one_processor_by_its_number(device):
    assert pick_device(device) == "cpu"


@pytest.mark.parametrize("device", ["gpu", "CPU", "", None, 0, torch.device("meta"), ["cpu"]], ids=repr)
@pytest.mark.parametrize("call", USERS.values(), ids=USERS)
def test_what_is_no_device_is_refused_in_a_line(refused, run, call, device):
    with refused("device = ", "use auto, cpu, cuda"):
        call(run, device)


# ----- runs and configs


@pytest.mark.parametrize("wrong", ["dcgan", None, torch.nn.ReLU()], ids=["text", "nothing", "network"])
@pytest.mark.parametrize("call", [
    effects.effects_of, directions.directions_of, alone.alone_of, inversion.inversion_of,
    lambda run: scoring.score_runs([run]),
    lambda run: effects.broken_of(run, latent.latents(1), latent.perturbation_grid(latent.latents(1), [5], [0])),
])  # fmt: skip
def test_what_is_no_run_is_refused_in_a_line(refused, call, wrong):
    with refused("run = ", "give a Run"):
        call(wrong)


def test_one_run_or_several(run, monkeypatch):
    """One run is as good as a list of one; and one that lies elsewhere than below data/runs has its whole path."""
    scores = {name: torch.zeros(3) for name in scoring.names()}
    monkeypatch.setattr(scoring, "_kept", lambda folders, identity: scores)  # as if they had been measured
    assert list(scoring.score_runs(run)) == list(scoring.score_runs([run]))
    assert run.folder.as_posix() in scoring.score_runs(run)


@pytest.mark.parametrize("wrong", ["dcgan", None, {"model": "dcgan"}], ids=repr)
@pytest.mark.parametrize("call", [runs.fit_or_load, runs.finish_early, runs.run_folder])
def test_what_is_no_config_is_refused_in_a_line(refused, call, wrong):
    with refused("config = ", "give a TrainConfig"):
        call(wrong)


def test_one_config_or_several(run, sample_images):
    found = runs.fit_or_load_seeds(run.config, "cpu", run.folder.parents[2], sample_images)
    assert [one.folder for one in found] == [run.folder]
