"""Why one network is better, in words: each sentence is decided by planted scores."""

import re

import pytest
import torch

from labkit.analysis import conclusion
from labkit.analysis.inversion import Inversion
from labkit.texts import EDITIONS, using

NAMES = ("frechet", "frechet_pixels", "precision", "recall", "sharpness", "dropped_classes")
DIVERSITY = {"vanilla": 60.0, "dcgan": 70.0, "real": 72.5}


def row(**values):
    """Scores with intervals of 0.01 to either side."""
    given = {name: 0.5 for name in NAMES} | values
    return {name: {"mean": value, "low": value - 0.01, "high": value + 0.01} for name, value in given.items()}


def searched(missed, n=40):
    """A search that misses the first ``missed`` of ``n`` garments, of two classes."""
    rms = torch.where(torch.arange(n) < missed, 9.0, 1.0)
    return Inversion(rms, torch.full((n,), 5.0), torch.ones(4), torch.ones(4), torch.zeros(2, 28, 28))


def why(vanilla=None, dcgan=None, missed=(0, 0)):
    scores = {"vanilla": row(**(vanilla or {})), "dcgan": row(**(dcgan or {}))}
    floor = row(precision=0.87, recall=0.86, sharpness=20.0)
    found = dict(zip(("vanilla", "dcgan"), map(searched, missed), strict=True))
    return conclusion.why(scores, floor, DIVERSITY, found).splitlines()


@pytest.mark.parametrize(
    ("vanilla", "dcgan", "nearer"),
    [((1, 1), (2, 2), "vanilla"), ((2, 2), (1, 1), "dcgan"), ((1, 2), (2, 1), "alike"), ((1, 1), (2, 1), "alike")],
)
def test_nearer_is_nearer_in_both_spaces(vanilla, dcgan, nearer):
    found = {
        name: row(frechet=one, frechet_pixels=other)
        for name, (one, other) in {"vanilla": vanilla, "dcgan": dcgan}.items()
    }
    assert conclusion.nearer(found) == nearer


@pytest.mark.parametrize(("name", "place", "words"), [("precision", 0, "single pictures"), ("recall", 1, "variety")])
@pytest.mark.parametrize(
    ("vanilla", "dcgan", "who"), [(0.5, 0.515, None), (0.5, 0.53, "DCGAN"), (0.53, 0.5, "vanilla GAN")]
)
def test_a_share_is_larger_only_where_the_intervals_are_apart(name, place, words, vanilla, dcgan, who):
    line = why({name: vanilla}, {name: dcgan})[place]
    assert words in line and f"{100 * vanilla:.1f} %" in line and f"{100 * dcgan:.1f} %" in line
    assert ("intervals that overlap" in line) == (who is None)
    if who:
        assert re.match(rf"- (By precision, single pictures of the|The) {who} (are better|has more)", line)


def test_pictures_are_compared_in_roughness_and_difference():
    assert why({"recall": 0.1})[2].startswith("- The pixels show it, too") and "does not" in why({"recall": 0.9})[2]
    lines = why({"sharpness": 17.0}, {"sharpness": 24.0})
    assert "by 60.0 grey levels" in lines[2] and "by 70.0" in lines[2] and "by 72.5" in lines[2]
    assert lines[3].startswith("- The vanilla GAN's pictures are nearer") and "real: 20.0" in lines[3]
    assert why({"sharpness": 17.0}, {"sharpness": 22.0})[3].startswith("- The DCGAN's pictures are nearer")


def test_missing_classes_are_counted():
    assert "not that a class is missing" in why({"dropped_classes": 0}, {"dropped_classes": 0})[4]
    line = why({"dropped_classes": 2}, {"dropped_classes": 0})[4]
    assert line.startswith("- Of the classes, 2 have less") and "and 0 less" in line


@pytest.mark.parametrize(
    ("missed", "words"),
    [((20, 0), "The vanilla GAN misses more"), ((0, 20), "The DCGAN misses more"), ((3, 3), "no clear difference")],
)
def test_missed_garments_are_compared(missed, words):
    line = why(missed=missed)[5]
    assert words in line and all(f"{100 * number / 40:.1f} %" in line for number in missed)


def test_the_worst_classes_are_named():
    assert conclusion.worst_classes(searched(10), ["coat", "bag"]) == "coat (50 %)"
    assert conclusion.worst_classes(searched(25), ["coat", "bag"]) == "coat (100 %) and bag (25 %)"
    assert conclusion.worst_classes(searched(0), ["coat", "bag"]) == "none"


def test_exceptions_are_what_the_vanilla_gan_does_better_in_every_pair():
    vanilla = {seed: {"ks_outline": 0.1, "ks_texture": 0.2} for seed in (1, 2, 3)}
    dcgan = {1: {"ks_outline": 0.3, "ks_texture": 0.3}, 2: {"ks_outline": 0.2, "ks_texture": 0.1}}
    here = {"vanilla": row(ks_outline=0.4), "dcgan": row(ks_outline=0.3)}
    said = conclusion.exceptions(dcgan, vanilla, here)
    assert (
        "2 pairs" in said and "distance 0.10 against 0.25 on average; in the two runs at hand 0.40 against 0.30" in said
    )
    assert "texture (Kolmogorov" not in said
    assert conclusion.exceptions(vanilla, dcgan, here) == "" and conclusion.exceptions({}, vanilla, here) == ""


@pytest.mark.parametrize("language", [language for language in EDITIONS if language != "en"])
def test_the_two_languages_state_the_same_numbers(language):
    for given in ({}, {"vanilla": {"recall": 0.1, "precision": 0.9}, "missed": (30, 5)}):
        english = [re.findall(r"\d+(?:\.\d+)?", line) for line in why(**given)]
        with using(language):
            other = why(**given)
        assert [sorted(re.findall(r"\d+(?:\.\d+)?", line)) for line in other] == [sorted(line) for line in english]
        assert not re.findall("[a-z]{3,}", "".join(other))
