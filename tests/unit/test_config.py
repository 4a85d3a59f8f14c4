"""Every bad value is refused by name; a digest stands for all fields and stays what it is."""

import dataclasses
import json
import math
import re

import numpy as np
import pytest
import torch

from labkit.base.files import sha256
from labkit.base.rng import stream_seed
from labkit.config import PROFILES, TrainConfig, config_for
from labkit.gans import GANS, reported
from labkit.texts import EDITIONS, using

FIELDS = {f.name: f for f in dataclasses.fields(TrainConfig)}
NOT_A_NAME = ["", "DCGAN", "full ", "wgan", "auto", None, 0, True, 1.0, ["dcgan"], b"dcgan"]
NOT_AN_INT = [True, False, None, "8", 8.0, math.nan, math.inf, [8], -1, 2**63, 10**400]
NOT_A_FLOAT = [True, False, None, "0.5", "", math.nan, math.inf, -math.inf, [0.5], 0.5j, -0.1, -1, 10**400]
NOT_A_SWITCH = [None, 0, 1, 1.0, "yes", "", [True], math.nan]
BAD = {
    "model": NOT_A_NAME + ["smoke", "full"],
    "profile": NOT_A_NAME + ["dcgan"],
    "dataset": [None, 0, True, ["mnist"], b"mnist", "", "a/b", "..", "<b>", "x" * 41],
    "epochs": NOT_AN_INT + [0, 100_001],
    "batch": NOT_AN_INT + [0, 1, 60_001],
    "examples": NOT_AN_INT + [0, 1, 1_000_001],
    "latent_dim": NOT_AN_INT + [0, 4097],
    "lr": NOT_A_FLOAT + [0, 0.0, 1e-9, 1.0001, 2],
    "lr_d": NOT_A_FLOAT + [-1e-9, 1.0001, 2],
    "d_steps": NOT_AN_INT + [0, 101],
    "beta1": NOT_A_FLOAT + [1, 1.0, 0.99995],
    "beta2": NOT_A_FLOAT + [1, 1.0, 0.9999999],
    "loss": [v for v in NOT_A_NAME if v != "auto"] + ["hinge"],
    "penalty": NOT_A_FLOAT + [1e6 + 1],
    "label_smoothing": NOT_A_FLOAT + [0.51, 1],
    "feature_matching": NOT_A_FLOAT + [1000.1],
    "without": [None, 0, True, 1.0, ["depth"], b"depth", "roof", "Depth", "depth "],
    "ema": NOT_A_FLOAT + [1, 0.999991],
    "precision": [v for v in NOT_A_NAME if v != "auto"] + ["float16", "float64"],
    "tf32": NOT_A_SWITCH,
    "deterministic": NOT_A_SWITCH,
    "compile": NOT_A_SWITCH,
    "seed": NOT_AN_INT,
}
# The ends of every range, and a value that differs from the default.
GOOD = {
    "model": ["vanilla", "dcgan"],
    "profile": ["smoke", "quick", "full"],
    "dataset": ["mnist", "my_own_1"],
    "epochs": [1, 100_000],
    "batch": [2, 60_000],
    "examples": [64, 59_999, 1_000_000],
    "latent_dim": [1, 4096],
    "lr": [1e-8, 1.0, 1],
    "lr_d": [0.0, 0, 1.0],
    "d_steps": [1, 100],
    "beta1": [0.0, 0, 0.9999],
    "beta2": [0.0, 0, 0.999999],
    "loss": ["non-saturating", "wgan-gp"],
    "penalty": [0.0, 0],
    "label_smoothing": [0.0, 0, 0.5],
    "feature_matching": [0.0, 0.1, 1000],
    "without": [""],
    "ema": [0.0, 0, 0.99999],
    "precision": ["auto", "float32", "bfloat16"],
    "tf32": [True, False],
    "deterministic": [True, False],
    "compile": [True, False],
    "seed": [0, 1, 2**63 - 1],
}


def test_tables_cover_every_field():
    assert list(FIELDS) == list(BAD) == list(GOOD)


@pytest.mark.parametrize("name, value", [(n, v) for n in BAD for v in BAD[n]], ids=lambda value: repr(value)[:20])
def test_bad_value(refused, name, value):
    with refused(f"{name} = {value!r}"[:90]):
        TrainConfig(**{name: value})


@pytest.mark.parametrize("name, value", [(n, v) for n in GOOD for v in GOOD[n]])
def test_good_value(name, value):
    kept = getattr(TrainConfig(**{name: value}), name)
    assert kept == value and type(kept) is FIELDS[name].type


def test_value_of_several_lines_is_refused_in_one(refused):
    with refused("lr = "):
        TrainConfig(lr=np.zeros((3, 3)))


@pytest.mark.parametrize("examples, batch", [(32, 33), (2, 64), (59_999, 60_000)])
def test_batch_beyond_examples(refused, examples, batch):
    with refused(f"batch = {batch}", f"examples = {examples}"):
        TrainConfig(examples=examples, batch=batch)
    assert TrainConfig(examples=examples, batch=examples).steps == 1
    with refused("batch = 64 x d_steps = 2", "examples = 127"):
        TrainConfig(examples=127, d_steps=2)
    assert TrainConfig(examples=128, d_steps=2).steps == 1


@pytest.mark.parametrize("model", ["Vanilla", "", None, 0, ["vanilla"], "auto"])
def test_unknown_model(refused, model):
    with refused(f"model = {model!r}"):
        config_for(model, "smoke")


@pytest.mark.parametrize("profile", ["Smoke", "", None, 0, ["smoke"], "auto"])
def test_unknown_profile(refused, profile):
    with refused(f"profile = {profile!r}"):
        config_for("vanilla", profile)


@pytest.mark.parametrize("name", ["epoch", "LR", "device", "learning_rate"])
def test_unknown_setting(refused, name):
    with refused(f"{name} = 3", "learning" if "learn" in name else "lr"):
        config_for("vanilla", "smoke", **{name: 3})


@pytest.mark.parametrize(
    ("loss", "changes"), [("wgan-gp", {"label_smoothing": 0.1}), ("non-saturating", {"penalty": 1.0})]
)
def test_a_field_that_means_nothing_to_the_loss_is_refused(refused, loss, changes):
    ((name, value),) = changes.items()
    with refused(f"{name} = {value}", loss):
        TrainConfig(loss=loss, **changes)
    assert TrainConfig(loss=loss, **{name: FIELDS[name].default}).loss == loss


def test_batch_size_is_another_name_for_batch(refused):
    assert config_for("dcgan", "smoke", batch_size=32) == config_for("dcgan", "smoke", batch=32)
    assert config_for("dcgan", "smoke", batch=32).batch_size == 32
    with refused("batch_size = 32", "batch"):
        config_for("dcgan", "smoke", batch_size=32, batch=32)
    with refused("batch = 1"):
        config_for("dcgan", "smoke", batch_size=1)


def test_config_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        TrainConfig().lr = 1.0


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_has_a_unit_and_a_reason(name):
    assert FIELDS[name].metadata["unit"] and FIELDS[name].metadata["why"]


@pytest.mark.parametrize("language", EDITIONS)
def test_a_notebook_shows_every_field_in_the_reader_s_words(language):
    with using(language):
        head, _, *rows = config_for("vanilla", "smoke")._repr_markdown_().splitlines()
    assert len(rows) == len(FIELDS) and {line.count("|") for line in (head, *rows)} == {5}
    assert all(f"| `{name}` |" in row for name, row in zip(FIELDS, rows, strict=True))
    assert "| **vanilla** |" in rows[0] and "| 64 |" in next(row for row in rows if "`batch`" in row)
    own = [name for name, row in zip(FIELDS, rows, strict=True) if re.search(r"[\u4e00-\u9fff]", row)]
    assert own == ([] if language == "en" else list(FIELDS))
    units = [row.split(" | ")[2] for row in rows]
    assert any(re.search("[a-z]{4}", unit) for unit in units) == (language == "en")


DIFFERENCES = {
    ("smoke", "vanilla"): {"model": "vanilla", "profile": "smoke", "epochs": 2, "examples": 1024},
    ("smoke", "dcgan"): {"profile": "smoke", "epochs": 2, "examples": 512},
    ("quick", "vanilla"): {
        "model": "vanilla",
        "profile": "quick",
        "epochs": 10,
        "ema": 0.999,
        "lr_d": 1e-3,
        "beta1": 0.0,
    },
    ("quick", "dcgan"): {"profile": "quick", "epochs": 4, "lr": 1e-3, "ema": 0.99},
    ("full", "vanilla"): {"model": "vanilla", "ema": 0.999, "lr_d": 1e-3, "beta1": 0.0},
    ("full", "dcgan"): {"lr": 5e-4, "ema": 0.999},
}


def test_defaults_are_the_labs():
    assert TrainConfig().to_dict() == {
        "model": "dcgan", "profile": "full", "dataset": "fashion_mnist",
        "epochs": 200, "batch": 64, "examples": 60_000, "latent_dim": 100,
        "lr": 2e-4, "lr_d": 0.0, "d_steps": 1, "beta1": 0.5, "beta2": 0.999, "loss": "non-saturating",
        "penalty": 0.0, "label_smoothing": 0.0, "feature_matching": 0.0, "without": "", "ema": 0.0, "precision": "auto",
        "tf32": True, "deterministic": True, "compile": False, "seed": 0,
    }  # fmt: skip


@pytest.mark.parametrize("profile, model", DIFFERENCES)
def test_profile_differs_only_where_stated(profile, model):
    assert set(DIFFERENCES) == {(p, m) for p in PROFILES for m in reported()}
    assert config_for(model, profile).to_dict() == TrainConfig().to_dict() | DIFFERENCES[profile, model]


@pytest.mark.parametrize("profile, model", DIFFERENCES)
def test_own_change_wins(profile, model):
    assert config_for(model, profile, epochs=3).to_dict() == config_for(model, profile).to_dict() | {"epochs": 3}


# Folders of finished runs carry these digests: a change of any of them loses the runs.
VANILLA_SMOKE = '{"epochs": 2, "examples": 1024, "model": "vanilla", "profile": "smoke"}'
GOLDEN = [
    (TrainConfig(), "{}", "44136fa3"),
    (config_for("vanilla", "smoke"), VANILLA_SMOKE, "249a122a"),
    (config_for("dcgan", "smoke"), '{"epochs": 2, "examples": 512, "profile": "smoke"}', "04e5b26e"),
    (
        config_for("dcgan", "quick", seed=3),
        '{"ema": 0.99, "epochs": 4, "lr": 0.001, "profile": "quick", "seed": 3}',
        "60be08f1",
    ),
]


@pytest.mark.parametrize("config, text, digest", GOLDEN, ids=[g[2] for g in GOLDEN])
def test_digest_is_stable(config, text, digest):
    assert config.digest() == sha256(text.encode())[:8] == digest


def test_digest_changes_with_every_field():
    changed = [TrainConfig(**{n: v}) for n in GOOD for v in GOOD[n]]
    changed.append(TrainConfig(loss="wgan-gp", penalty=1e6))
    changed += [TrainConfig(model="vanilla", without=part) for part in GANS["vanilla"].parts]
    different = {json.dumps(c.to_dict(), sort_keys=True): c.digest() for c in changed}
    assert len(set(different.values())) == len(different) > 2 * len(FIELDS) - 8
    for name in FIELDS:
        assert any(c.digest() != TrainConfig().digest() and getattr(c, name) != FIELDS[name].default for c in changed)


@pytest.mark.parametrize("a, b", [({"lr": 1}, {"lr": 1.0}), ({"ema": 0}, {}), ({"epochs": 200, "seed": 0}, {})])
def test_equal_configs_have_equal_digests(a, b):
    a, b = TrainConfig(**a), TrainConfig(**b)
    assert a == b and a.digest() == b.digest()
    assert TrainConfig(**json.loads(json.dumps(a.to_dict()))) == a


@pytest.mark.parametrize("changes", [
    {"epochs": np.int64(2), "lr": np.float32(5e-4), "tf32": np.True_, "loss": np.str_("wgan-gp"), "seed": np.uint8(3)},
    {"epochs": torch.tensor(2), "lr": torch.tensor(5e-4), "tf32": torch.tensor(True), "loss": "wgan-gp",
     "seed": torch.tensor([3])},
])  # fmt: skip
def test_numbers_of_any_type_are_one_run(changes):
    config, usual = (config_for("dcgan", "smoke", **given) for given in (
        changes, {"epochs": 2, "lr": 5e-4, "tf32": True, "loss": "wgan-gp", "seed": 3}))  # fmt: skip
    assert config == usual and config.digest() == usual.digest()
    assert {type(value) for value in config.to_dict().values()} == {str, int, float, bool}
    for name in ("epochs", "seed"):  # the streams of random numbers are named after them
        assert stream_seed(changes[name], "init") == stream_seed(getattr(usual, name), "init")


def test_the_range_of_a_list_is_no_number(refused):
    for value in (range(3), [3], np.arange(3), torch.arange(3), {3}):
        with refused("epochs = "):
            config_for("dcgan", "smoke", epochs=value)
