"""How a report was made, as the foot of its page says it."""

import dataclasses

import pytest

from labkit import data
from labkit.base import paths
from labkit.report import render
from labkit.training import runs

HERE = [folder for folder in runs.finished(paths.RUNS) if folder.parts[-2] == "dcgan"]
pytestmark = pytest.mark.skipif(not HERE, reason="no trained run of the DCGAN")


@pytest.fixture(scope="module")
def run():
    return runs.load_run(HERE[0])


@pytest.mark.parametrize(
    ("changes", "said", "unsaid"),
    [
        ({}, ["200 epochs"], [" of ", "steps of D", "loss"]),
        ({"epochs": 300}, ["200 of 300 epochs"], []),
        ({"d_steps": 2}, ["2 steps of D"], []),
        ({"loss": "relativistic"}, ["loss relativistic"], []),
    ],
    ids=str,
)
def test_a_training_in_a_line(run, changes, said, unsaid):
    """What is as usual is not said; a training that did not come to its end says how far it came."""
    other = dataclasses.replace(run, config=dataclasses.replace(run.config, **changes))
    line = render._training(other).partition(" s on ")[0]
    assert all(words in line for words in said) and not any(words in line for words in unsaid)


@pytest.mark.parametrize("code", ["1a2b3c4-dirty", ""])
def test_the_commit_is_named_where_there_is_one(monkeypatch, code):
    monkeypatch.setattr(render, "commit", lambda: code)
    parameters = {"profile": "full", "changes": {}}
    rows = render.provenance(parameters, 61.0, data.FASHION_MNIST)
    assert (rows[-1][1] == code) == bool(code) and len(rows) == 4 + bool(code)
