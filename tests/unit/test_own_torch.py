"""What an earlier cell set in torch changes no result, and is as it was afterwards."""

import contextlib

import pytest
import torch

from labkit import latent, pictures
from labkit.base.machine import own_torch
from labkit.config import config_for
from labkit.evaluation import scoring
from labkit.evaluation.classifier import load_classifier, train_classifier
from labkit.gans import build
from labkit.training import runs
from labkit.training.loop import train
from labkit.training.state import TrainState


@contextlib.contextmanager
def default_dtype():
    torch.set_default_dtype(torch.float64)
    yield
    assert torch.get_default_dtype() == torch.float64
    torch.set_default_dtype(torch.float32)


@contextlib.contextmanager
def default_device():
    torch.set_default_device("meta")
    yield
    assert torch.get_default_device().type == "meta"
    torch.set_default_device(None)


@contextlib.contextmanager
def no_gradients():
    torch.set_grad_enabled(False)
    yield
    assert not torch.is_grad_enabled()
    torch.set_grad_enabled(True)


@contextlib.contextmanager
def inference():
    with torch.inference_mode():
        yield
        assert torch.is_inference_mode_enabled()


@contextlib.contextmanager
def autocast():
    with torch.autocast("cpu", dtype=torch.bfloat16):
        yield
        assert torch.is_autocast_enabled("cpu")


@contextlib.contextmanager
def precision():
    torch.set_float32_matmul_precision("medium")
    yield
    assert torch.get_float32_matmul_precision() == "medium"
    torch.set_float32_matmul_precision("highest")


STATES = [default_dtype, default_device, no_gradients, inference, autocast, precision]


def everything(images, root):
    """All kinds of results, by name: vectors, edits, trainings, pictures, measures, searches."""
    z = latent.latents(4, 100, 3)
    config = config_for("vanilla", "smoke", epochs=1, examples=16, batch=8)
    state = TrainState(config_for("dcgan", "smoke", epochs=1, examples=16, batch=8, ema=0.9))
    train(state, images)
    run = runs.fit_or_load(config, "cpu", root, images)
    g = runs.load_run(run.folder).generator()
    drawn = latent.sample(g, z)
    search = latent.invert(g, images[:1], 4, 2)
    return {
        "vectors": z,
        "grid": latent.perturbation_grid(z, [5, 20], [-3, 3]),
        "way": latent.interpolate(z[0], z[1], 5),
        "directions": latent.random_directions(3),
        "along": latent.perturb_along(z, latent.random_directions(1), 2.0),
        **{f"dcgan {name}": value for name, value in state.g.state_dict().items()},
        "dcgan's history": state.history,
        **{f"vanilla {name}": value for name, value in run.generator_state.items()},
        "history": run.history,
        "pictures": drawn,
        "change": latent.change_along(g, z[:2], z[:2]),
        "found": search.z,
        "rms": search.rms,
        "attributes": pictures.measure(images[:5]),
        "features": load_classifier()[0].measure(images[:5])[0],
        "classifier": train_classifier(images[:256], images[:256, 0, 0] % 10, epochs=1).classifier.weight.detach(),
    }


@pytest.fixture(scope="module")
def expected(sample_images, tmp_path_factory):
    return everything(sample_images, tmp_path_factory.mktemp("expected"))


@pytest.mark.slow
@pytest.mark.parametrize("around", STATES)
def test_the_same_bits_whatever_an_earlier_cell_set(expected, around, sample_images, tmp_path):
    with around():
        found = everything(sample_images, tmp_path)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name].dtype == value.dtype and found[name].device == value.device, name
        assert torch.equal(found[name], value), name


@pytest.mark.slow
@pytest.mark.parametrize("around", [default_dtype, inference])
def test_scores_are_the_same(around, monkeypatch, sample_images):
    """The space of pixels is made once in a process: here again, in the state of an earlier cell."""
    fake = sample_images[:100]
    reference = scoring.load_reference(100)
    expected = scoring.score(fake, reference)
    with around():
        again = scoring.load_reference(100)
        found = scoring.score(fake.numpy(), again)
    assert found == expected and torch.equal(again.features, reference.features)


def test_one_thread_does_not_take_another_ones_type_away():
    """Who enters first keeps the reader's default, and who leaves last gives it back."""
    with default_dtype():
        first, second = own_torch(), own_torch()
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        assert torch.get_default_dtype() == torch.float32
        second.__exit__(None, None, None)
        assert torch.get_default_dtype() == torch.float64


def test_a_generator_says_the_length_of_its_vectors_beside_its_state():
    for model in ("vanilla", "dcgan"):
        g = build(config_for(model, "smoke", latent_dim=7))[0]
        assert g.latent_dim == 7 and not any("latent" in name for name in g.state_dict())
