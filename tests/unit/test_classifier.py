"""The ruler ships, is what its card says, measures alike whatever the batch, and refuses what is no picture."""

import json
import shutil

import pytest
import safetensors.torch
import torch
from sample_data import with_digests

from labkit import data
from labkit.base.files import sha256
from labkit.data.loading import to_unit
from labkit.evaluation import classifier as classifier_module
from labkit.evaluation.classifier import FOLDER, WIDTH, load_classifier, retrain, train_classifier


@pytest.fixture(scope="module")
def shipped():
    return load_classifier()[0]


@pytest.fixture(scope="module")
def sample_labels(sample_folder, sample_digests):
    return data.load("train", folder=sample_folder, dataset=with_digests(sample_digests))[1]


@pytest.fixture
def copied(tmp_path):
    """A folder with a copy of the ruler that may be damaged."""
    for name in ("ruler.json", "ruler.safetensors"):
        shutil.copy(FOLDER / name, tmp_path)
    return tmp_path


# ----- what ships


def test_it_ships_with_the_package_and_is_small():
    weights = FOLDER / "ruler.safetensors"
    assert FOLDER.name == "evaluation" and weights.stat().st_size < 1_000_000
    card = json.loads((FOLDER / "ruler.json").read_bytes())
    assert sha256(weights.read_bytes()) == card["sha256"]
    assert set(card) == {"sha256", "test_accuracy", "epochs", "seconds", "torch", "card_sha256"}
    assert load_classifier()[1] == card


def test_it_is_in_eval_mode_and_its_features_are_what_it_reads(shipped, sample_images):
    assert not any(module.training for module in shipped.modules())
    images = to_unit(sample_images[:10])
    features, probabilities = shipped.measure(images)
    assert WIDTH <= 128 and features.shape == (10, WIDTH) and probabilities.shape == (10, len(data.CLASSES))
    with torch.no_grad():
        torch.testing.assert_close(shipped(images).softmax(1), probabilities)
        torch.testing.assert_close(shipped.classifier(features).softmax(1), probabilities)
    torch.testing.assert_close(probabilities.sum(1), torch.ones(10))


@pytest.mark.slow
def test_its_accuracy_is_that_of_the_card(shipped):
    images, labels = data.load("test")
    accuracy = (shipped.measure(images)[1].argmax(1) == labels).double().mean().item()
    assert round(accuracy, 4) == load_classifier()[1]["test_accuracy"] >= 0.92


def test_loading_leaves_the_callers_random_numbers():
    before = torch.get_rng_state()
    load_classifier()
    assert torch.equal(torch.get_rng_state(), before)


# ----- damage


def flip(path):
    """A bit in the middle."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def put(path, old, new):
    """``new`` in the place of ``old``, which is there."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


DAMAGE = {
    "a flipped bit": lambda folder: flip(folder / "ruler.safetensors"),
    "truncated": lambda folder: (folder / "ruler.safetensors").write_bytes(
        (folder / "ruler.safetensors").read_bytes()[:-1]
    ),
    "empty": lambda folder: (folder / "ruler.safetensors").write_bytes(b""),
    "no weights": lambda folder: (folder / "ruler.safetensors").unlink(),
    "no card": lambda folder: (folder / "ruler.json").unlink(),
    "half a card": lambda folder: (folder / "ruler.json").write_bytes((folder / "ruler.json").read_bytes()[:20]),
    "a card of something else": lambda folder: (folder / "ruler.json").write_text('["a list"]'),
    "a card without digest": lambda folder: (folder / "ruler.json").write_text("{}"),
    "another accuracy": lambda folder: put(folder / "ruler.json", "0.92", "0.93"),
    "another duration": lambda folder: put(folder / "ruler.json", '"seconds": 3', '"seconds": 4'),
    "a card that nothing vouches for": lambda folder: put(folder / "ruler.json", "card_sha256", "card"),
    "a card that is no text": lambda folder: (folder / "ruler.json").write_bytes(b"\xff\xfe\x00"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_one_line(copied, refused, damage):
    DAMAGE[damage](copied)
    with refused(copied / "ruler.safetensors", "no scores without the classifier", "make classifier"):
        load_classifier(copied)


def test_weights_of_another_network_are_refused(copied, refused):
    content = safetensors.torch.save({"weight": torch.zeros(3)})
    (copied / "ruler.safetensors").write_bytes(content)
    (copied / "ruler.json").write_text(json.dumps({"sha256": sha256(content), "test_accuracy": 1.0}))
    with refused("no scores without the classifier"):
        load_classifier(copied)


def test_an_undamaged_copy_is_loaded(copied, shipped, sample_images):
    torch.testing.assert_close(
        load_classifier(copied)[0].measure(sample_images[:5]), shipped.measure(sample_images[:5])
    )


# ----- measure


def test_uint8_and_float_agree(shipped, sample_images):
    for given, expected in zip(
        shipped.measure(sample_images[:64]), shipped.measure(to_unit(sample_images[:64])), strict=True
    ):
        torch.testing.assert_close(given, expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("chunk", [1, 7, 64, 500])
def test_the_chunk_does_not_matter(shipped, sample_images, chunk):
    for given, expected in zip(
        shipped.measure(sample_images[:64], chunk), shipped.measure(sample_images[:64], 13), strict=True
    ):
        assert (given - expected).abs().max() < 1e-5


def test_measuring_changes_neither_images_nor_ruler(shipped, sample_images):
    images = to_unit(sample_images[:64])
    before, weights = images.clone(), {k: v.clone() for k, v in shipped.state_dict().items()}
    features, probabilities = shipped.measure(images)
    assert not features.requires_grad and not probabilities.requires_grad
    assert torch.equal(images, before)
    assert all(torch.equal(v, weights[k]) for k, v in shipped.state_dict().items())


def test_the_ends_of_the_range_are_taken(shipped):
    assert all(
        part.isfinite().all()
        for part in shipped.measure(torch.tensor([-1.0, 1.0]).view(2, 1, 1, 1).expand(2, 1, 28, 28))
    )


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 1.001, -1.001, 255.0])
def test_a_pixel_out_of_range_is_refused(shipped, refused, value):
    images = torch.zeros(3, 1, 28, 28)
    images[1, 0, 5, 5] = value
    with refused("finite values in [-1, 1]"):
        shipped.measure(images, signed=True)
    if value != 255:  # which are grey levels, one of them white
        with refused("images"):
            shipped.measure(images)


def test_garments_are_seen_in_every_guise(shipped, sample_images):
    u = sample_images[:8]
    expected = shipped.measure(u)
    for same in (u.unsqueeze(1), u.long(), u.float() / 255, (u / 127.5 - 1).double(), u.numpy(), u.numpy()[..., None],
                 u.flatten(1)):  # fmt: skip
        for one, two in zip(shipped.measure(same), expected):
            torch.testing.assert_close(one, two, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("shape", [(3, 3, 28, 28), (3, 1, 28, 27), (3, 1, 32, 32), (0, 28, 28), (3, 30, 30), (28,)])
@pytest.mark.parametrize("kind", [torch.uint8, torch.float32])
def test_another_shape_is_refused(shipped, refused, shape, kind):
    with refused(shape, "(n, 1, 28, 28)"):
        shipped.measure(torch.zeros(shape, dtype=kind))


# ----- training one


@pytest.fixture(scope="module")
def trained(sample_images, sample_labels):
    return train_classifier(sample_images, sample_labels, epochs=3)


@pytest.mark.slow
def test_training_is_deterministic(trained, sample_images, sample_labels):
    torch.manual_seed(12)  # whatever the caller drew before
    again = train_classifier(sample_images, sample_labels, epochs=3)
    for (name, value), other in zip(trained.state_dict().items(), again.state_dict().values(), strict=True):
        assert torch.equal(value, other), name
    first, other = (train_classifier(sample_images[:128], sample_labels[:128], epochs=1, seed=seed) for seed in (0, 1))
    assert not torch.equal(first.classifier.weight, other.classifier.weight)


def test_training_learns(trained, sample_folder, sample_digests):
    assert not any(module.training for module in trained.modules())
    images, labels = data.load("test", folder=sample_folder, dataset=with_digests(sample_digests))
    assert (trained.measure(images)[1].argmax(1) == labels).float().mean() > 0.3  # chance is 0.1


def test_training_leaves_the_callers_random_numbers(sample_images, sample_labels):
    before = torch.get_rng_state()
    train_classifier(sample_images[:128], sample_labels[:128], epochs=1)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.thorough
@pytest.mark.slow
def test_retraining_puts_a_classifier_where_the_old_one_was(trained, copied, monkeypatch, capsys):
    """With a card that vouches for it; the training itself takes minutes, so it is another's."""
    asked = []
    monkeypatch.setattr(classifier_module, "FOLDER", copied)
    monkeypatch.setattr(
        classifier_module, "train_classifier", lambda images, labels: asked.append((images, labels)) or trained
    )
    retrain()
    ((images, labels),) = asked
    assert len(images) == len(labels) == 60_000
    found, card = load_classifier(copied)
    assert all(torch.equal(value, trained.state_dict()[name]) for name, value in found.state_dict().items())
    images, labels = data.load("test")
    accuracy = (found.measure(images)[1].argmax(1) == labels).double().mean().item()
    assert set(card) == set(load_classifier()[1]) and card["test_accuracy"] == round(accuracy, 4)
    assert capsys.readouterr().out.startswith(f"classifier: test accuracy {accuracy:.2%}, ")
