"""Figures of many runs show every run, on its side of the threshold, in its row."""

import math

import pytest
import torch

from labkit.analysis.claims import Verdict, over_runs
from labkit.analysis.comparisons import OUTCOMES
from labkit.figures import palette, worlds


def row(id, passes, verdict=None, level="runs"):
    """A verdict on a claim, from whether each of the runs 1, 2, ... passes."""
    found, share = over_runs(sum(passes), len(passes))
    runs = [{"seed": seed, "value": float(seed), "passes": one} for seed, one in enumerate(passes, 1)]
    return Verdict(
        id, f"claim {id}", "", "", 2.0, (1.0, 3.0), verdict or found, level, len(passes), sum(passes), share, runs
    )


def test_a_row_for_every_seed_and_a_column_for_every_vector():
    images = {title: {seed: torch.full((8, 28, 28), seed / 10) for seed in (1, 2, 5)} for title in ("a", "b")}
    figure = worlds.worlds(images)
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["a", "b"]
    for ax in figure.axes:
        assert [text.get_text() for text in ax.get_yticklabels()] == ["seed 1", "seed 2", "seed 5"]
        sheet = ax.get_images()[0].get_array()
        assert sheet.shape == (3 * 30 - 2, 8 * 30 - 2)
        assert [float(sheet[30 * i, 0]) for i in range(3)] == pytest.approx([0.1, 0.2, 0.5])


def test_an_edit_is_a_pair_beside_its_words():
    ends = torch.stack([torch.full((8, 28, 28), -0.5), torch.full((8, 28, 28), 0.5)])
    figure = worlds.worlds_edited({"a": {1: ends, 2: -ends}}, {"a": {1: "width +2", 2: "width -2"}}, 5)
    (ax,) = figure.axes
    sheet = ax.get_images()[0].get_array()
    assert sheet.shape == (58, 4 * 30 - 2)
    assert [float(sheet[0, 30 * i]) for i in range(4)] == [-0.5, 0.5, -0.5, 0.5]
    assert [float(sheet[30, 30 * i]) for i in range(2)] == [0.5, -0.5]
    figure.canvas.draw()
    texts = {text.get_text(): text.get_window_extent().y0 for text in ax.texts}
    assert list(texts) == ["width +2", "width \u22122"] and texts["width +2"] > texts["width \u22122"]
    assert "z[5]" in ax.get_title(loc="left")


def test_every_run_is_a_dot_and_the_bar_is_the_mean_over_runs():
    scores = [{outcome.score: value for outcome in OUTCOMES} for value in (1.0, 2.0, 4.0)]
    figure = worlds.scatter({"first": scores, "second": scores[:1]})
    *panels, legend = figure.axes
    assert len(panels) == len(OUTCOMES) == 7
    for ax, outcome in zip(panels, OUTCOMES):
        dots = ax.get_lines()[0].get_ydata()
        assert list(dots) == [1.0, 2.0, 4.0]
        middle = ax.containers[0].lines[0].get_ydata()[0]
        assert middle == pytest.approx(2.0 if outcome.log else 7 / 3)  # the geometric mean of distances
        assert ax.get_yscale() == ("log" if outcome.log else "linear")
        low, high = ax.containers[0].lines[2][0].get_segments()[0][:, 1]
        logs = torch.tensor([1.0, 2.0, 4.0]).log() if outcome.log else torch.tensor([1.0, 2.0, 4.0])
        half = 4.302653 * logs.std().item() / math.sqrt(3)
        ends = [logs.mean().item() - half, logs.mean().item() + half]
        assert [low, high] == pytest.approx([math.exp(end) for end in ends] if outcome.log else ends, rel=1e-4)
    assert [text.get_text() for text in legend.get_legend().get_texts()] == ["first: 3 runs", "second: 1 runs"]


def test_claims_run_by_run():
    rows = [row("A", [True] * 7), row("B", [True, False] * 3 + [False]), row("C", [True], level="within run")]
    rows.append(row("D", [True, True]))
    figure = worlds.claims_by_run(rows)
    left, right = figure.axes
    assert [text.get_text().split()[0] for text in left.get_yticklabels()] == ["A", "B", "D"]  # judged over runs
    full = [line.get_mfc() == palette.PASSES for line in left.get_lines()]
    assert full == [True] * 7 + [True, False] * 3 + [False] + [True] * 2
    marks = [line.get_xdata()[0] for line in right.get_lines() if line.get_marker() == "D"]
    assert marks == pytest.approx([1.0, 3 / 7, 1.0])
    assert [text.get_text() for text in right.texts] == ["holds", "depends on the run", "too few runs to tell"]


def test_design_claims_and_one_that_was_not_tested():
    rows = [row("A1", [True, True, False]), Verdict("A2", "claim", "", "", None, None, "not tested: 0 pairs of runs")]
    figure = worlds.design(rows)
    first, second = figure.axes
    assert list(first.get_lines()[0].get_xdata()) == [1.0, 2.0, 3.0]
    assert first.get_xlim()[0] < 0 < 3 < first.get_xlim()[1]
    assert list(second.get_lines()[0].get_xdata()) == [] and second.texts[0].get_text() == "not tested: 0 pairs of runs"


def test_long_claims_are_wrapped_at_words_and_not_before_a_comma():
    assert worlds.wrapped("short", 20) == ["short"]
    assert worlds.wrapped("some words that go on", 10) == ["some words", "that go on"]
    assert worlds.wrapped("第一行八个字满了，第二行 DCGAN 好", 16) == ["第一行八个字满", "了，第二行 DCGAN", "好"]
