"""Comparisons of arms and design claims over planted runs: of which is known who is better, and by how much."""

import dataclasses
import json
import math
import re

import pytest
import torch

from labkit.analysis import claims
from labkit.analysis.comparisons import DECIDING, OUTCOMES, at, compare, in_words, table
from labkit.analysis.design import COMPLETE, DESIGN, LEAST, judge_design
from labkit.analysis.statistics import bca_interval, sign_flips, t_interval
from labkit.base.errors import LabError
from labkit.config import config_for
from labkit.texts import using

JITTER = [0.3, -0.7, 1.1, 0.2, -1.3, 0.6, -0.4, 0.9, -0.2, -0.5]  # over seeds, mean 0


@dataclasses.dataclass(frozen=True)
class Record:
    """A run as far as it is asked for here."""

    seed: int
    scores: dict
    history: torch.Tensor
    epochs: int = 20
    config: object = config_for("vanilla", "quick")
    effects: object = None


def scored(seed=0, **changes):
    """The scores of a run: distances e^(what is given) where logarithms are taken."""
    found = {**{o.score: 0.0 if o.log else 0.5 for o in OUTCOMES}, **changes}
    return {o.score: math.exp(found[o.score]) if o.log else found[o.score] for o in OUTCOMES}


def arm(n=10, spread=0.0, **shifts):
    """Scores by seed, from 1 on: ``shifts`` plus the jitter of the seed."""
    return {
        seed: scored(**{name: shift + spread * JITTER[seed - 1] for name, shift in shifts.items()})
        for seed in range(1, n + 1)
    }


def named(comparison):
    return {difference.outcome.score: difference for difference in comparison.differences}


def test_the_primary_outcomes_as_preregistered():
    assert [(o.score, o.log, o.less) for o in OUTCOMES] == [
        ("frechet", True, True),
        ("frechet_pixels", True, True),
        ("rbf", True, True),
        ("rbf_pixels", True, True),
        ("recall", False, False),
        ("coverage", False, False),
        ("auc", False, True),
    ]
    assert DECIDING == ("frechet", "frechet_pixels")


def test_a_difference_by_hand():
    first, second = arm(frechet=-1.0, spread=0.1), arm(frechet=-0.5)
    found = named(compare(first, second))["frechet"]
    values = torch.tensor([-0.5 + 0.1 * jitter for jitter in JITTER], dtype=torch.double)
    assert (found.runs, found.mean) == (10, pytest.approx(-0.5)) and found.side == 1
    assert found.bca == pytest.approx(bca_interval(values)) and found.t == pytest.approx(t_interval(values))
    assert found.p == sign_flips(values) == 2 / 2**10 and found.improvement == 1
    assert found.needed == 3  # 0.5 over 0.076


def test_p_values_are_adjusted_over_the_outcomes():
    """Two outcomes differ in all ten seeds, the five others in none."""
    found = named(compare(arm(frechet=-1.0, recall=0.7), arm(frechet=0.0, recall=0.5)))
    least = 2 / 2**10
    assert found["frechet"].adjusted == found["recall"].adjusted == pytest.approx(7 * least)
    assert found["auc"].p == found["auc"].adjusted == 1


def test_pairs_have_one_seed_and_the_order_is_no_matter():
    first, second = arm(frechet=0.0, spread=1.0), arm(frechet=0.2, spread=1.0)
    del second[3], first[8]
    shuffled = {seed: second[seed] for seed in (9, 1, 10, 2, 8, 7, 4, 6, 5)}
    comparison = compare(first, shuffled)
    assert comparison.seeds == (1, 2, 4, 5, 6, 7, 9, 10)
    found = named(comparison)["frechet"]
    assert (found.runs, found.mean) == (8, pytest.approx(-0.2)) and max(found.t) < 0


@pytest.mark.parametrize(
    ("frechet", "pixels", "better"),
    [
        (-0.5, -0.5, "A"),
        (0.5, 0.5, "B"),
        (-0.5, 0.5, None),
        (0.5, -0.5, None),
        (-0.5, 0.0, None),
        (0.0, 0.0, None),
        (0.0, 0.5, None),
    ],
)
def test_better_is_who_is_better_in_both_spaces(frechet, pixels, better):
    first = {
        seed: scored(frechet=frechet + jitter / 10, frechet_pixels=pixels - jitter / 10, recall=1.0)
        for seed, jitter in enumerate(JITTER, 1)
    }
    found = compare(first, arm(), ("A", "B"))
    assert found.better == better
    words = f"Better in both spaces: **{better}**." if better else "Neither is better in both spaces."
    assert words in table(found)


@pytest.mark.parametrize(("name", "less"), [("recall", False), ("auc", True)])
def test_what_is_better_depends_on_the_outcome(name, less):
    found = named(compare(arm(**{name: 0.6}, spread=0.01), arm(**{name: 0.5}, spread=0.01)))[name]
    assert found.mean == pytest.approx(0.1) and found.improvement == (0 if less else 1)
    found = named(compare(arm(**{name: 0.6}, spread=0.01), arm(**{name: 0.5})))[name]
    assert found.side == (-1 if less else 1)


@pytest.mark.parametrize(("n", "said"), [(5, "below 0.44"), (8, "below 0.055"), (9, ""), (10, "")])
def test_few_seeds_are_said_to_be_few(n, said):
    found = compare(arm(n, frechet=-1.0, spread=0.1), arm(n))
    assert said in found.remark and bool(said) == ("the intervals speak alone" in found.remark)
    assert found.remark in table(found)


def test_a_run_that_diverged_is_named_and_counts_as_worse():
    first, second = arm(frechet=-1.0, spread=0.1), arm()
    first[4] = dict.fromkeys(first[4], math.nan)
    found = compare(first, second, ("A", "B"))
    assert found.lost == (4,) and "seed 4" in found.remark
    difference = named(found)["frechet"]
    assert difference.runs == 9 and difference.improvement == pytest.approx(0.9) and difference.mean < -0.9
    assert named(compare(second, first))["recall"].improvement == pytest.approx(0.9 / 2 + 0.1)


@pytest.mark.parametrize("n", [0, 1])
def test_one_pair_is_no_comparison(n):
    with pytest.raises(LabError, match=f"A and B have {n} seeds in common"):
        compare(arm(n), arm(10), ("A", "B"))


def test_a_table_has_every_outcome():
    lines = table(compare(arm(frechet=-1.0, spread=0.1), arm(), ("A", "B"))).splitlines()
    cells = [[cell.strip() for cell in line[1:-1].split("|")] for line in lines[:9]]
    assert {len(row) for row in cells} == {6} and cells[0][0] == "A minus B" and cells[0][4] == "A better in"
    assert [row[0] for row in cells[2:]] == [outcome.title for outcome in OUTCOMES]
    assert cells[2][1].startswith("-1 (-1.0") and cells[2][4] == "100 %" and lines[-1].startswith("10 pairs of runs.")


def test_the_answer_in_words_by_hand():
    """The second is e and then e^0.5 times as far: both are said of the better one, whichever is named first."""
    first = arm(frechet=0.0, frechet_pixels=0.0, recall=0.5, spread=0.01)
    second = arm(frechet=1.0, frechet_pixels=0.5, recall=0.25)
    said = in_words(compare(first, second, ("A", "B")))
    assert said.startswith("**The A is better.** The B's Fréchet distance to real garments is 2.72 times the A's")
    assert "1.65 times" in said and "over 10 pairs of runs" in said and said.count("100 %") == 2
    assert "A minus B: recall +0.250" in said and "coverage +0.000" in said and "Fréchet distance, " not in said
    other = in_words(compare(second, first, ("B", "A")))
    assert other.startswith("**The A is better.**") and "2.72 times" in other and "B minus A: recall -0.250" in other


def test_the_answer_in_words_where_there_is_none():
    first, second = arm(frechet=0.0, frechet_pixels=0.5, spread=0.01), arm(frechet=1.0, frechet_pixels=0.0)
    apart = compare(first, second, ("A", "B"))
    said = in_words(apart)
    assert said.startswith("Neither network is better in both spaces. The A's") and "0.37 times the B's" in said
    assert "1.65 times" in said
    few = in_words(compare(arm(3, frechet=-1.0), arm(3), ("A", "B")))
    assert few.startswith("3 pairs of runs are no answer yet: it takes 5.")
    same = in_words(compare(arm(frechet=1.0), arm(), ("A", "B")))
    assert "2.72 times the B's" in same and "no interval" in same and "nan" not in same


def test_comparisons_speak_chinese():
    names = {o.score: -1.0 for o in OUTCOMES}
    found = [compare(arm(n, **names, spread=0.1), arm(n), ("A", "B")) for n in (3, 5, 10)]
    with using("zh"):
        text = "".join(table(one) + in_words(one) for one in found)
        assert all(not outcome.words.isascii() for outcome in OUTCOMES)
    assert not re.findall("[a-z]{3,}", text) and "10 对训练" in text


def test_scores_at_a_look():
    records = [Record(seed, {5: {"recall": seed / 10}, 20: {"recall": 0.9}}, torch.zeros(1, 1, 4)) for seed in (2, 1)]
    assert at(records, 5) == {2: {"recall": 0.2}, 1: {"recall": 0.1}}


# ----- design

NORMAL = torch.randn(20, 1000, 2, generator=torch.Generator().manual_seed(3))


def runs(n=5, spread=0.02, swing=0.0, late=0.0, turn=1, **shifts):
    """Records with scores at look 10: logs of distances, and losses of which the log swing is ``swing``."""
    found = []
    for i in range(n):
        jitter = spread * JITTER[i] * turn
        scores = {
            "frechet": math.exp(shifts.get("frechet", 0.0) + jitter),
            "frechet_pixels": math.exp(shifts.get("frechet_pixels", 0.0) - jitter),
            "neighbour_ratio": 1 + shifts.get("neighbour_ratio", 0.0) + jitter / 10,
            "d_gap": shifts.get("d_gap", 0.0) + jitter / 10,
        }
        history = torch.full((20, 1000, 4), 0.5)
        size = torch.tensor([math.exp(swing + jitter)] * 10 + [math.exp(late)] * 10).view(20, 1, 1)
        history[:, :, :2] = 1 + 0.1 * size * NORMAL
        found.append(Record(i + 1, {10: scores, 20: {}}, history))
    return found


def designed(id, complete, switched):
    """The verdict on one design claim."""
    switch = next(design.switch for design in DESIGN if design.id == id)
    rows = {row.id: row for row in judge_design({COMPLETE: complete, f"{COMPLETE}-{switch}": switched})}
    assert all(row.verdict == "not tested: 0 pairs of runs" for other, row in rows.items() if other != id)
    return rows[id]


FOR = {  # what the runs without, or with, are to have if the claim is right
    "A1": {"frechet": 0.5, "frechet_pixels": 0.5},
    "A2": {"swing": 0.5},
    "A3": {"neighbour_ratio": -0.05},
    "A4": {"frechet": 0.5, "frechet_pixels": 0.5},
    "A5": {"swing": 0.5},
    "A6": {"d_gap": 0.05},
    "A7": {"frechet": -0.5, "frechet_pixels": -0.5},
    "A8": {"frechet": 0.5, "frechet_pixels": 0.5},
}


@pytest.mark.parametrize("id", FOR)
def test_a_design_claim_holds_where_the_part_matters(id):
    row = designed(id, runs(), runs(turn=-1, **FOR[id]))
    size = abs(next(iter(FOR[id].values())))
    assert row.verdict == "holds" and row.value == pytest.approx(size, abs=0.01)
    assert (row.level, row.runs, row.passes) == ("runs", 5, 5) and row.interval[0] > 0
    assert [run["seed"] for run in row.per_run] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("id", FOR)
def test_a_design_claim_does_not_hold_the_other_way_round(id):
    row = designed(id, runs(turn=-1, **FOR[id]), runs())
    assert row.verdict == "does not hold" and row.interval[1] < 0 and row.passes == 0


@pytest.mark.parametrize("id", FOR)
def test_a_design_claim_does_not_hold_where_nothing_happens(id):
    row = designed(id, runs(), runs(turn=-1))
    assert row.verdict == "does not hold" and row.interval[0] < 0 < row.interval[1]


@pytest.mark.parametrize("id", FOR)
def test_a_design_claim_depends_on_the_run_where_it_is_uncertain(id):
    half = {name: size / 2 for name, size in FOR[id].items()}
    assert designed(id, runs(), runs(spread=0.5, **half)).verdict == "depends on the run"


def test_a_distance_counts_in_both_spaces():
    both, worse = {"frechet": 0.5, "frechet_pixels": 0.5}, {"frechet": 0.5, "frechet_pixels": 0.0}
    assert designed("A1", runs(), runs(turn=-1, **both)).verdict == "holds"
    row = designed("A1", runs(), runs(turn=-1, **worse))
    assert row.verdict == "does not hold" and row.value == pytest.approx(0, abs=0.02)  # the worse space is shown
    assert row.note.startswith("By space: classifier 0.5") and "pixels" in row.note


def test_an_effect_too_small_to_matter_is_called_so():
    row = designed("A2", runs(spread=0.0), runs(swing=0.1, spread=0.01))
    assert row.verdict == "holds" and row.interval[1] < LEAST and "smaller than one that would matter" in row.note


def test_the_complete_network_is_cut_to_the_same_epochs():
    """What its losses do after the look says nothing here."""
    row = designed("A2", runs(late=9.0), runs(swing=0.5, turn=-1))
    assert row.value == pytest.approx(0.5, abs=0.01)


def test_design_claims_are_paired_by_seed():
    complete, switched = runs(spread=1.0), runs(spread=1.0, frechet=0.5, frechet_pixels=0.5)
    row = designed("A1", complete[::-1], switched[1:])
    assert row.runs == 4 and row.verdict == "holds" and row.interval == pytest.approx((0.5, 0.5))


def test_design_rows_join_the_table_of_claims(tmp_path, monkeypatch):
    monkeypatch.setattr(claims.paths, "COLLECT", tmp_path / "figures")
    rows = judge_design({COMPLETE: runs(), f"{COMPLETE}-depth": runs(turn=-1, frechet=0.5, frechet_pixels=0.5)})
    assert [row.id for row in rows] == [f"A{i}" for i in range(1, 9)]
    claims.publish(rows, "smoke")
    assert [row["verdict"] for row in json.loads((tmp_path / "pages/claims.json").read_text())][-1] == "holds"
    assert claims.table(rows).splitlines()[-1].endswith("**holds**<br>(5 of 5 runs) |")
    assert (
        claims.table(rows).splitlines()[2].endswith(" would matter | **not tested: 0 pairs of runs**<br>(over runs) |")
    )
    assert "this run" not in claims.table(rows)  # there is none


def test_with_fewer_seeds_than_were_fixed_there_is_no_answer():
    arms = [{seed: {o.score: 2.0 + seed / 100 + arm for o in OUTCOMES} for seed in range(1, 6)} for arm in (0, 1)]
    few = [{seed: scores for seed, scores in arm.items() if seed < 5} for arm in arms]
    assert compare(*arms, ("a", "b")).better == "a"
    assert compare(*few, ("a", "b")).better is None
    assert "no answer yet: it takes at least 5" in table(compare(*few, ("a", "b")))


def test_differences_that_are_all_the_same_have_no_interval_in_the_table():
    arms = [{seed: {o.score: 0.5 + arm for o in OUTCOMES} for seed in (1, 2)} for arm in (0, 1)]
    text = table(compare(*arms, ("a", "b")))
    assert "(none)" in text and "nan" not in text.replace("| nan |", "")


def test_design_rows_speak_chinese():
    """What is stored is English all the same."""
    arms = {COMPLETE: runs()} | {
        f"{COMPLETE}-{design.switch}": runs(turn=-1, **FOR[design.id]) for design in DESIGN if design.id != "A8"
    }
    english = judge_design(arms)
    with using("zh"):
        assert judge_design(arms) == english
        for row in english:
            said = claims.spoken(row)
            words = said.claim + said.statistic + said.threshold + said.verdict + said.note
            names = {"LeakyReLU", "Tanh", "ReLU"}
            assert not set(re.findall("[A-Za-z]{3,}", words)) - names and "10 轮" in said.statistic, row.id
    assert [claims.spoken(row) for row in english] == english
    assert all(claims.source_of(design).startswith("labkit/analysis/design.py#L") for design in DESIGN)
