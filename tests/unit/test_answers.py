"""What the first page says: which sentence, by what was measured."""

import math
from types import SimpleNamespace

import pytest
import torch

from labkit import texts
from labkit.analysis import answers
from labkit.analysis.effects import NAMES

SCORES = ("frechet", "frechet_pixels", "rbf", "rbf_pixels", "recall", "coverage", "auc", "ks_outline", "ks_texture")


def arm(factor, outline=1.0, runs=6):
    """Runs of a network whose distances are ``factor`` of the usual."""
    rows = [{name: (1 + 0.01 * seed) * factor for name in SCORES} for seed in range(runs)]
    rows = [row | {"recall": 0.5 / factor, "coverage": 0.5, "ks_outline": outline} for row in rows]
    return [SimpleNamespace(seed=k, epochs=20, scores={5: r, 20: r}, effects=None) for k, r in enumerate(rows)]


def table(dim, name, sign=1.0, q=0.9):
    """Effects of ten dimensions, of which ``dim`` stands out by ``name``."""
    score = torch.zeros(10, len(NAMES))
    score[dim, NAMES.index(name)] = 3 * sign
    chance = torch.where(score != 0, q, 1.0)
    pairs = torch.tensor([70.0, 0.8])
    return SimpleNamespace(mean=score, low=score - 1, high=score + 1, score=score, q=chance, pairs=pairs,
                           special=chance < 0.05)  # fmt: skip


@pytest.mark.parametrize(
    ("dcgan", "vanilla", "said"),
    [
        (0.3, 1.0, "Epoch for epoch, the DCGAN draws the better"),
        (1.0, 0.3, "The vanilla GAN draws"),
        (1.0, 1.0, "Neither network"),
    ],
)
def test_the_better_network_is_the_one_that_is_nearer(dcgan, vanilla, said):
    text = answers.better({"dcgan-ours": arm(dcgan), "vanilla-ours": arm(vanilla)}, {})
    assert said in text and "6 times for 20 epochs" in text
    assert f"{dcgan / vanilla:.0%} of the vanilla GAN's" in text


def test_what_the_other_does_better_is_said():
    arms = {"dcgan-ours": arm(0.3, outline=2.0), "vanilla-ours": arm(1.0, outline=1.0)}
    assert "the vanilla GAN is nearer" in answers.better(arms, {}) and "outline sharpness" in answers.better(arms, {})
    assert "outline sharpness" not in answers.better(arms | {"dcgan-ours": arm(0.3)}, {})


@pytest.mark.parametrize(("distance", "said"), [(1.0, "the DCGAN draws"), (3.0, "the vanilla GAN"), (2.0, "Neither")])
def test_without_a_study_the_two_networks_at_hand_are_compared(distance, said):
    def row(mean):
        return {
            k: {"mean": mean, "low": mean - 0.4, "high": mean + 0.4} for k in ("frechet", "frechet_pixels", "recall")
        }

    assert said in answers.better({}, {"dcgan": row(distance), "vanilla": row(2.0)})


@pytest.mark.parametrize(
    ("g", "distance", "said"),
    [
        ((1.0, 2.0), (2.0, 1.0), "do not tell"),
        ((1.0, 2.0), (1.0, 2.0), "the same way"),
        ((2.0, 1.0), (2.0, 1.0), "the same way"),
        ((1.0, 2.0), (2.0, math.nan), "cannot be said"),
    ],
)
def test_losses_mislead_where_they_do(g, distance, said):
    run = SimpleNamespace(column=lambda name: torch.tensor(g).view(2, 1))
    assert said in answers.losses(run, [{"epoch": k + 1, "frechet": x} for k, x in enumerate(distance)])


def test_an_effect_comes_back_only_by_the_same_measure_in_the_same_sense():
    here, other = table(5, "width"), [table(5, "width"), table(5, "width", -1.0), table(5, "height")]
    assert "In 1 of 3 networks" in answers.comes_back(5, here, other)
    assert "In none of 2" in answers.comes_back(5, here, other[1:]) and answers.comes_back(5, here, []) == ""


@pytest.mark.parametrize(("q", "said"), [(0.01, "more than a random direction"), (0.5, "no more than a random")])
def test_an_effect_is_held_against_random_directions(q, said):
    text = answers.effect(5, table(5, "width", q=q))
    assert said in text and "width" in text and ("no more" in said) == ("no more" in text)


def test_a_paragraph_names_what_breaks_and_what_the_original_said_of_it():
    tables = {"dcgan": table(5, "width"), "vanilla": table(5, "area")}
    broken = {"dcgan": torch.tensor([[False, True, False], [False, False, True]]), "vanilla": torch.zeros(2, 3).bool()}
    text = answers.paragraphs(5, tables, {}, broken, {})
    assert "2 and 3" in text and "none of the eight garments breaks" in text and "original" not in text
    with texts.using("zh"):
        assert "第 2 和 3 件" in answers.paragraphs(5, tables, {}, broken, {})


def test_the_best_of_a_class_is_the_nearest_to_a_real_one():
    images = torch.tensor([0.0, 0.5, 0.9]).view(3, 1, 1, 1).expand(3, 1, 28, 28)
    ruler = SimpleNamespace(measure=lambda x, signed: (x[:, 0, 0, :1], torch.tensor([[0.0, 1.0, 0.0]] * len(x))))
    found = answers.best_of_each(images, ruler, images[2:], 3)
    assert found[1].unique().item() == pytest.approx(0.9) and found[[0, 2]].isnan().all()


@pytest.mark.parametrize("language", texts.EDITIONS)
@pytest.mark.parametrize(
    ("recall", "said"), [((0.2, 0.3), "missing"), ((0.2, 0.8), "missing_in_one"), ((0.6, 0.8), "there")]
)
def test_variety_is_missing_where_real_pictures_reach_farther(recall, said, language):
    """Of few pictures of one's own the networks may cover more than other real ones do."""
    scores = {
        model: {"recall": {"mean": one}, "neighbour_ratio": {"mean": 1.0}}
        for model, one in zip(answers.MODELS, recall, strict=True)
    }
    searched = {model: SimpleNamespace(missed=torch.tensor([1.0, 0.0]), rms=[1, 2]) for model in answers.MODELS}
    with texts.using(language):
        found = answers.variety(scores, {"recall": {"mean": 0.5}}, searched)
        assert found.startswith(texts.say(f"answers.variety_is.{said}"))


@pytest.mark.parametrize("language", texts.EDITIONS)
def test_no_list_is_announced_where_no_claim_fails(language):
    row = SimpleNamespace(verdict="not tested")
    with texts.using(language):
        assert texts.say("answers.verdicts_these") not in answers.verdicts([row])
