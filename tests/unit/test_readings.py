"""What is said of figures: which sentence, with which numbers, in both languages."""

import re
import string

import pytest
import torch

from labkit import pictures
from labkit.analysis import effects, readings
from labkit.analysis.effects import NAMES, SWEEPS, EffectTable
from labkit.gans.losses import LOSSES
from labkit.texts import EDITIONS, lookup, say, using

PLAIN = LOSSES["non-saturating"]


def losses(loss, d, g=1.0, real=0.6, fake=0.4):
    return readings.losses(loss, epochs=20, some=2, d=d, g=g, real=real, fake=fake)


@pytest.mark.parametrize(
    ("d", "who"), [(1.386, "draw"), (1.30, "draw"), (1.47, "draw"), (1.28, "d"), (0.63, "d"), (1.49, "g"), (2.5, "g")]
)
def test_who_is_ahead_is_read_from_the_mark_of_d(d, who):
    said = losses(PLAIN, d)
    assert said.endswith(say(f"chapters123.losses.ahead_{who}")) and f"D's loss averages {d:.3f}" in said
    assert "(its mark: 1.386)" in said and "(its mark: 0.693)" in said and "last 2 of 20 epochs" in said


def test_a_loss_without_a_mark_says_so(monkeypatch):
    monkeypatch.setattr(PLAIN, "marks", ())
    said = losses(PLAIN, 0.2)
    assert said.endswith(say("chapters123.losses.ahead_unknown")) and "mark:" not in said


@pytest.mark.parametrize("language", EDITIONS)
@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_has_its_words(name, language):
    with using(language):
        said = losses(LOSSES[name], 0.5)
        assert LOSSES[name].words("title") in said and LOSSES[name].words("answers") in said
        own = {"title": LOSSES[name].title, "answers": LOSSES[name].answers}
        own |= {mark.column: mark.text for mark in LOSSES[name].marks}
        assert all((LOSSES[name].words(part) == text) == (language == "en") for part, text in own.items())


def table(k=4, special=()):
    """Effects of k dimensions, the first of which moves the picture most."""
    mean = torch.zeros(k, len(NAMES))
    change, flips, breakage = len(NAMES) - 3, len(NAMES) - 2, len(NAMES) - 1
    mean[:, change] = torch.linspace(40, 10, k)
    mean[:, flips], mean[:, breakage] = 0.25, 0.125
    q = torch.ones_like(mean)
    for dim in special:
        q[dim, 0] = 0.01
    null = torch.full((6, len(NAMES)), 8.0)
    null[0, change] = 32.0
    sweeps = torch.tensor([[0.5, 0.9, 0.2, 1.5]]).expand(k, len(SWEEPS))
    none, entering = torch.zeros(0), torch.full((k,), 0.5)
    ends = mean.clone(), mean.clone()
    pairs = torch.tensor([80.0, 0.75])
    return EffectTable(mean, *ends, null, mean.clone(), q, sweeps, sweeps, pairs, entering, entering, none, none)


@pytest.mark.parametrize("language", EDITIONS)
def test_the_atlas_in_numbers(language):
    with using(language):
        said = readings.atlas({"vanilla": table(), "dcgan": table()}, 1000)
    lines = [line for line in said.splitlines() if line.startswith("|")]
    assert len(lines) == 2 + len(readings.ROWS) and len({line.count("|") for line in lines}) == 1
    numbers = [re.findall(r"\d+(?:\.\d+)?", line.rsplit("|", 2)[1]) for line in lines[2:]]
    assert sorted(numbers[0]) == ["0", str(4 * len(NAMES))]
    assert numbers[1:5] == [["0", "40.0"], ["3", "10.0"], ["8.0", "32.0"], ["4.0", "4.0"]]
    assert sorted(numbers[5]) == ["25.0", "31", "80.0"] and numbers[6] == ["25", "75"]  # rounded half to even
    assert numbers[7:] == [["12"], ["50"], ["1.5"], ["20"], ["90"]]


def test_the_atlas_names_special_dimensions_only_where_there_are_some():
    none, some = (readings.atlas({"vanilla": table(special=s), "dcgan": table()}, 10) for s in ((), (1, 2)))
    assert say("chapters123.atlas.says_none") in none and "2 dimensions of the vanilla GAN" not in none
    assert say("chapters123.atlas.says_none") not in some and "2 dimensions of the vanilla GAN" in some


@pytest.mark.parametrize("language", EDITIONS)
def test_directions_are_held_against_the_best_axis(language):
    width, area = (list(pictures.ATTRIBUTES).index(name) for name in ("width", "area"))
    axes, measured = table(), table(2)
    for part in (axes.mean, axes.score):
        part[2, width], part[1, area] = -4.0, 0.2
    measured.mean[0, width], measured.mean[1, area] = 12.0, 0.1
    measured.score[0, :2], measured.score[1, area] = torch.tensor([3.0, 0.0]), 5.0
    measured.score[0, width] = 3.0
    with using(language):
        said = readings.found_directions({"dcgan": axes}, {"dcgan": (["more width", "more area"], measured)})
    rows = [line for line in said.splitlines() if line.startswith("|")][2:]
    assert len(rows) == 2  # of the others, which never change, there is no direction
    assert "+12.0" in rows[0] and "−4.00" in rows[0] and "z[2]" in rows[0] and "50" in rows[0]
    assert "+10.0" in rows[1] and "+20.0" in rows[1] and "100" in rows[1]  # per cent of the picture
    better = r"In 1 of 2 rows" if language == "en" else r"2 行中有 1 行"
    assert re.search(better, said)


@pytest.mark.parametrize("language", EDITIONS)
def test_directions_that_do_nothing_are_a_sentence_and_no_nan(language):
    still, axes = table(2), table()  # no axis and no direction changes anything
    with using(language):
        for labels in ([], ["more width", "more area"]):
            said = readings.found_directions({"dcgan": axes}, {"dcgan": (labels, still)})
            assert "nan" not in said and "inf" not in said
        assert readings.found_directions({"dcgan": axes}, {"dcgan": ([], still)}) == say("chapters123.directions.none")


def pictures_of(steps):
    """Images (1, n, 1, 28, 28) of a walk whose steps change every pixel by so many grey levels."""
    levels = torch.tensor([0.0, *steps]).cumsum(0) / 127.5 - 1
    return levels.view(1, -1, 1, 1, 1).expand(1, -1, 1, 28, 28)


def test_walks_are_counted():
    shown = {"vanilla": torch.tensor([[1, 1, 1, 2, 2], [3, 3, 3, 3, 3]])}
    classes = torch.tensor([[1, 1, 2, 2, 3], [1, 1, 1, 2, 2], [4, 4, 4, 4, 4], [5, 5, 6, 5, 5]])
    said = readings.walks(shown, {"vanilla": (pictures_of([10, 20, 10, 10]).expand(4, -1, -1, -1, -1), classes)})
    assert "1 of the 8 steps" in said and "Over 4 other walks" in said
    assert "changes 1.2 times" in said and "25 % of the walks keep" in said and "50 % pass through" in said
    assert "The middle 2 of 4 steps hold 80 %" in said and "50 %)" in said
    assert "largest step of a walk covers 40 %" in said and "(even steps: 25 %)" in said
    assert say("chapters123.walks.third_few") in said and said.endswith(
        say("chapters123.walks.steps_smooth", times=1.6)
    )
    most = {"vanilla": (pictures_of([1, 1, 1, 97]), torch.tensor([[1, 1, 2, 2, 3]]))}
    said = readings.walks(shown, most)
    assert say("chapters123.walks.third_most") in said and said.endswith(
        say("chapters123.walks.steps_jumps", times=3.88)
    )


def test_measures_say_their_unit():
    assert effects.with_unit("width") == "width (px)" and effects.with_unit("symmetry") == "symmetry"
    with using("zh"):
        assert effects.with_unit("outline_sharpness") == "轮廓锐度（灰度级/像素）"


# Numbers that are no results: of figures, of the original report and what would explain it, of the edits (-3, 3).
FIGURES = {"2", "3", "11", "12", "15", "16", "19", "28"}
ORIGINAL = {"0.05", "0.10", "0.03", "0.06", "0.22", "14", "16", "20", "23"}
OTHERS = {"1", "3", "95"}  # what BatchNorm makes of a deviation, an edit's end, the level of an interval


@pytest.mark.parametrize("language", EDITIONS)
def test_no_result_is_typed_in_what_cells_say(language):
    for key, text in lookup.read(language).items():
        if key.startswith(("chapters123.", "measures.", "monitor.")):
            literal = "".join(part for part, *_ in string.Formatter().parse(re.sub(r"`[^`]*`|\]\([^)]*\)", "", text)))
            assert set(re.findall(r"(?<![\w.])\d+(?:\.\d+)?", literal)) <= FIGURES | ORIGINAL | OTHERS, key
