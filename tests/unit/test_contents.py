"""What the page knows of runs besides their weights."""

import base64
import gzip
import json

import numpy as np
import pytest
import torch

from labkit import data, latent, pictures
from labkit.analysis import alone, directions, effects
from labkit.base import paths
from labkit.editor.session import Editor
from labkit.evaluation import album
from labkit.page import contents
from labkit.study import records
from labkit.texts import terms
from labkit.training import runs

HERE = [folder for folder in runs.finished(paths.RUNS) if folder.parts[-2] == "dcgan"]
pytestmark = pytest.mark.skipif(not HERE, reason="no trained run of the DCGAN")


@pytest.fixture(scope="module")
def run():
    return runs.load_run(HERE[0])


@pytest.fixture(scope="module")
def found(run):
    return contents.contents([run], seed=3, dims=[1, 2], rms={"dcgan": (20.0, 70.0)})


def test_it_is_json_and_small(found):
    text = json.dumps(found, allow_nan=False, separators=(",", ":"))
    assert json.loads(text) == found and len(text) < 150_000


def test_the_page_begins_with_the_vectors_of_the_seed(found):
    assert torch.equal(torch.tensor(found["base"]["z"]), latent.latents(8, 100, 3))
    assert found["base"]["seed"] == 3 and found["lab_dims"] == [1, 2] and found["range"] == 4


def test_a_network_is_known_by_its_folder_and_its_digest(found, run):
    entry = found["networks"][0]
    assert (paths.RUNS / entry["run"]).samefile(run.folder) and "\\" not in entry["run"]
    assert entry["generator_sha256"] == run.manifest["files"]["generator.safetensors"]
    assert entry["test_rms"] == 20 and entry["noise_rms"] == 70
    assert contents.network(run)["test_rms"] is None  # not measured


def test_effects_are_those_of_the_atlas(found, run):
    """In the units that the page says; the interval is where 95 % of random directions lie."""
    table, shown = effects.effects_of(run), found["networks"][0]["effects"]
    width, flips = (effects.NAMES.index(name) for name in ("width", "class flips"))
    assert shown["names"][width] == "width" and shown["units"][width] == "px" and shown["units"][flips] == "%"
    mean = torch.tensor(shown["mean"])
    torch.testing.assert_close(mean[:, width], table.mean[:, width], rtol=1e-3, atol=1e-6)
    torch.testing.assert_close(mean[:, flips], 100 * table.mean[:, flips], rtol=1e-3, atol=1e-6)
    assert torch.equal(torch.tensor(shown["special"]).bool(), table.special)
    low, high = torch.tensor(shown["null_low"]), torch.tensor(shown["null_high"])
    inside = ((table.null[:, width] > low[width]) & (table.null[:, width] < high[width])).float().mean()
    assert low[width] == -high[width] and 0.86 <= inside <= 1
    beyond = (mean[:, width] - (low + high)[width] / 2).abs() > (high - low)[width] / 2
    assert torch.equal(beyond, torch.tensor(shown["score"])[:, width].abs() > contents.WITHIN)


def test_a_direction_says_what_it_does(found, run):
    named, measured = directions.directions_of(run)
    only, of_only = alone.alone_of(run)
    shown = {one["name"]: one for one in found["networks"][0]["directions"]}
    assert list(shown) == [*named, *only]
    for name, unit in (named | only).items():
        torch.testing.assert_close(torch.tensor(shown[name]["unit"]), unit, rtol=1e-5, atol=1e-7)
    pure = directions.purity(measured.score)[list(named).index("more width")]
    assert shown["more width"]["purity"] == pytest.approx(pure.item(), abs=0.006)
    symmetry, pure = shown["only symmetry"], directions.purity(of_only.score)[list(only).index("only symmetry")]
    assert symmetry["purity"] == pytest.approx(pure.item(), abs=0.006) and symmetry["purity"] > 0.5
    assert symmetry["title"] == "more symmetric, and little else" and "symmetry" in symmetry["does"]
    assert shown["only width"]["purity"] < 0.5 and shown["only width"]["title"] == "mostly wider"


def test_a_direction_is_called_by_what_it_does_most_as_in_the_editor(found, run):
    """By the measurements themselves, not by what the method was after; the key of links and recipes stays."""
    named, measured = directions.directions_of(run)
    editor = Editor(run.folder, device="cpu")
    attributes = list(pictures.ATTRIBUTES)
    odd = []
    for k, one in enumerate(found["networks"][0]["directions"][: len(named)]):
        most = int(measured.score[k, : len(attributes)].abs().argmax())
        more = "more" if measured.mean[k, most] > 0 else "less"
        assert one["title"].startswith(f"{more} {terms.measure(attributes[most])}")
        assert one["does"] == attributes[most].replace("_", " ")
        assert one["title"] == editor.title(one["name"]) and one["words"] == editor.deeds[one["name"]].words()
        odd += [one["name"]] if one["name"].startswith("more ") and one["title"] != terms.direction(one["name"]) else []
    assert "more width" in odd and "more contrast" not in odd  # of this network, these were measured to be so


def test_sixteen_real_garments_two_of_six_classes(found):
    pixels = np.frombuffer(base64.b64decode(found["tests"]["pixels"]), np.uint8).reshape(16, 28, 28)
    images, labels = data.load("test")
    assert found["tests"]["labels"] == [*range(10), *range(6)]
    first, second = (labels == 2).nonzero().flatten()[:2].tolist()
    assert np.array_equal(pixels[2], images[first]) and np.array_equal(pixels[12], images[second])


def test_time_is_that_of_the_first_run_with_an_album():
    arms = records.load()
    kept = records.with_pictures(arms["dcgan-ours"])
    shown = contents.training(arms["dcgan-ours"])
    seen = album.read(kept.folder)
    frames = np.frombuffer(gzip.decompress(base64.b64decode(shown["frames"])), np.uint8).reshape(-1, 8, 28, 28)
    assert np.array_equal(frames, seen.pictures[:, :8]) and shown["epochs"] == seen.epochs
    assert shown["scores"][-1]["frechet"] == pytest.approx(kept.scores[kept.epochs]["frechet"], abs=1e-3)
    assert shown["losses"]["d"] == pytest.approx(kept.column("loss_d").mean(1).tolist(), rel=1e-3)
    assert contents.training([]) is None


def test_the_editor_at_rest_says_where_the_lab_belongs(monkeypatch, run):
    from labkit.editor import widgets

    monkeypatch.setattr(paths, "HEADLESS", True)
    shown = widgets.LatentExplorer(run.folder)._repr_mimebundle_()
    assert shown["text/html"].startswith('<div class="lab-here"><figure')
