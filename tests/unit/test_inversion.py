"""Garments that are looked for in a network: what is counted as missed, the controls, and that it is kept."""

import dataclasses

import pytest
import torch

from labkit import data, latent, pictures
from labkit.analysis import inversion
from labkit.analysis.inversion import Inversion
from labkit.base import cache
from labkit.config import config_for
from labkit.data.loading import to_unit
from labkit.gans import build
from labkit.training import runs


def result(rms, nearest):
    rms, nearest = torch.tensor(rms).float(), torch.tensor(nearest).float()
    return Inversion(rms, nearest, rms[:2], rms[:2], torch.zeros(10, 28, 28, dtype=torch.uint8))


def test_missed_is_where_a_training_garment_is_nearer():
    one = result([10.0] * 10 + [30.0] * 10, [20.0] * 20)  # the last five classes
    other = result([30.0] * 2 + [10.0] * 18, [20.0] * 20)  # the first class
    assert inversion.missed_classes(one).tolist() == [0] * 5 + [1] * 5
    assert inversion.missed_classes(other).tolist() == [1] + [0] * 9
    more, low, high = inversion.missed_more(one, other)
    assert more == pytest.approx(0.4) and 0 < low < more < high < 0.8
    back = inversion.missed_more(other, one)
    assert back == pytest.approx((-more, -high, -low), abs=0.06)
    assert inversion.missed_more(one, one) == (0, 0, 0)


def test_garments_are_the_first_of_each_class_of_the_test_set():
    images, labels = data.load("test")
    expected = [to_unit(images[labels == k][:3]) for k in range(10)]
    assert torch.equal(inversion.garments(3), torch.cat(expected))
    assert torch.equal(inversion.garments(3)[::3], inversion.garments(1))


def test_shuffled_has_the_same_pixels_and_no_garment():
    images = inversion.garments(2)
    noise = inversion.shuffled(images)
    assert torch.equal(noise.flatten(1).sort(1).values, images.flatten(1).sort(1).values)
    assert (pictures.roughness(noise) > 1.5 * pictures.roughness(images)).all()
    assert torch.equal(noise, inversion.shuffled(images))


def test_inversion_of_a_run(tmp_path, monkeypatch):
    """A network that nobody trained: measured, kept, and not measured again, but anew when its weights are others."""
    config = config_for("vanilla", "smoke")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        states = [network.state_dict() for network in build(config)]
    manifest = {"files": {"generator.safetensors": "one"}}
    run = runs.Run(tmp_path, config, manifest, *states, torch.zeros(1, 1, 4))
    found = inversion.inversion_of(run)
    assert len(found.rms) == len(found.nearest) == 10 and found.pictures.shape == (10, 28, 28)
    real, g = inversion.garments(1), run.generator()
    by_hand = latent.invert(g, real, steps=inversion.STEPS["smoke"])
    assert torch.equal(found.rms, by_hand.rms) and torch.equal(found.pictures, pictures.levels(by_hand.images))
    plain = (to_unit(data.load("train")[0])[:, None] - real[None, 3]).square().flatten(1).mean(1).min().sqrt() * 127.5
    assert found.nearest[3].item() == pytest.approx(plain.item(), rel=1e-3)
    assert found.own.median() < found.rms.median() < found.noise.median() * 1.5
    (kept,) = tmp_path.glob("inversion-*.safetensors")
    assert kept.stat().st_size < 20_000

    monkeypatch.setattr(latent, "invert", None)
    again = inversion.inversion_of(run)
    assert all(torch.equal(one, two) for one, two in zip(vars(found).values(), vars(again).values(), strict=True))
    other = dataclasses.replace(run, manifest={"files": {"generator.safetensors": "two"}})
    with pytest.raises(TypeError):
        inversion.inversion_of(other)


def test_the_shipped_runs_ship_what_was_found(monkeypatch):
    """No search in `make report` for the networks that come with the project."""

    def refuse(*_):
        raise AssertionError("it is measured anew")

    monkeypatch.setattr(cache, "save", refuse)
    monkeypatch.setattr(latent, "invert", refuse)
    for folder in runs.finished():
        if folder.parts[-3] == "full":
            found = inversion.inversion_of(runs.load_run(folder))
            assert found.own.median() < found.rms.median() < found.noise.median()
