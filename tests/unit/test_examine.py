"""What is brought to be examined, what its numbers mean, sentences, pages and the table: without a stranger's code."""

import csv
import io
import re

import pytest
import torch

from labkit.analysis.effects import NAMES, EffectTable
from labkit.base.errors import LabError
from labkit.examine import page
from labkit.examine.bench import arguments_of
from labkit.examine.measure import Examination
from labkit.examine.probe import form_of
from labkit.examine.sentences import judge
from labkit.examine.submission import Submission, submissions

NOTHING = Submission("", "")


# ----- what is brought


def folder(root, **files):
    root.mkdir()
    for name, content in files.items():
        (root / name.replace("__", ".")).write_text(content)
    return root


def test_a_folder_of_folders_is_many_and_each_takes_its_place(tmp_path):
    module = "class G(nn.Module):\n    def forward(self, z): ..."
    folder(tmp_path / "ann", gan__py=module, g__pt="")
    folder(tmp_path / "bob", gan__py=module, helper__py="x = 1", submission__toml="latent = 64\n[arguments]\nn = 3")
    folder(tmp_path / "cat", a__png="", Thumbs__db="")
    folder(tmp_path / "dan", notes__txt="")
    folder(tmp_path / "eve", gan__py=module, a__pt="", b__pth="")
    folder(tmp_path / "fay", submission__toml='colour = "red"', gan__py=module)
    ann, bob, cat, dan, eve, fay = submissions([str(tmp_path)], NOTHING)
    assert (ann.kind, ann.weights.name) == ("code", "g.pt")
    assert (bob.path.name, bob.latent, bob.arguments, bob.weights) == ("gan.py", 64, {"n": 3}, None)
    assert (cat.kind, cat.name) == ("images", "cat")
    assert "nothing to examine" in dan.fault and "weights = " in eve.fault and "colour" in fay.fault


def test_what_is_typed(tmp_path):
    path = folder(tmp_path / "x", gan__py="", g__pt="no zip") / "gan.py"
    one, again = submissions([f"{path}:Net.G", str(path)], NOTHING)
    assert (one.object, one.name, again.object, again.name) == ("Net.G", "gan", "", "gan (2)")
    alone, lost, other = submissions([str(path.with_name("g.pt")), "lost.py:G", str(path.with_name("a.txt"))], NOTHING)
    assert "weights alone" in alone.fault and "not there" in lost.fault and "file.py:Class" in other.fault
    with pytest.raises(LabError, match="nothing to examine"):
        submissions([""], NOTHING)


def test_arguments_are_values_and_never_run():
    assert arguments_of(["n=100", "size=(1,28)", "name=relu", "code=__import__('os')"]) == {
        "n": 100,
        "size": (1, 28),
        "name": "relu",
        "code": "__import__('os')",
    }
    with pytest.raises(LabError, match="name=value"):
        arguments_of(["100"])


# ----- what numbers mean


def garments(side=28, border=0):
    """(6, 1, side, side) in [0, 1]: bright squares on black."""
    x = torch.zeros(6, 1, side, side)
    x[:, :, border : side - border, border : side - border] = torch.rand(6, 1, side - 2 * border, side - 2 * border)
    return x


@pytest.mark.parametrize(
    ("drawn", "whole", "last"),
    [
        (lambda x: 2 * x - 1, False, "Tanh"),
        (lambda x: 2 * x - 1, False, ""),
        (lambda x: x, False, "Sigmoid"),
        (lambda x: 255 * x, False, ""),
        (lambda x: (255 * x).round(), True, ""),
        (lambda x: (2 * x - 1).flatten(1), False, ""),
        (lambda x: x[:, 0], False, ""),
        (lambda x: x.repeat(1, 3, 1, 1), False, ""),
        (lambda x: x.permute(0, 2, 3, 1).repeat(1, 1, 1, 3), False, ""),
    ],
)
def test_ranges_and_shapes_come_to_the_same_pictures(drawn, whole, last):
    x = garments()
    given = drawn(x)
    form, notes, faults = form_of(given, whole, last)
    torch.testing.assert_close(form.pictures(given), 2 * x - 1, atol=0.5 / 127, rtol=0)
    assert notes and not faults


def test_other_sizes_are_cut_or_shrunk_and_said():
    padded, large = garments(32, border=2), garments(64)
    form, notes, _ = form_of(padded, False, "")
    assert form.crop and "cut off" in notes[-1]
    torch.testing.assert_close(form.pictures(padded), 2 * padded[:, :, 2:-2, 2:-2] - 1)
    form, notes, _ = form_of(large, False, "")
    assert not form.crop and "64 x 64" in notes[-1] and form.pictures(large).shape == (6, 1, 28, 28)
    assert not form_of(garments(32), False, "")[0].crop


def test_what_are_no_pictures():
    assert "Tanh or Sigmoid" in form_of(20 * garments() - 10, False, "")[2][0]
    for drawn, words in ((torch.zeros(4, 10), "no grey picture"), (garments() / 0, "not finite")):
        with pytest.raises(LabError, match=words):
            form_of(drawn, False, "")


# ----- sentences

SENTENCES = """
[[sentence]]
text = "raised"
dimension = 1
effect = "brightness"
direction = "raises"
at_least = 5
[[sentence]]
text = "too much asked"
dimension = 1
effect = "brightness"
direction = "raises"
at_least = 9.5
[[sentence]]
text = "other way"
dimension = 1
effect = "outline sharpness"
direction = "lowers"
[[sentence]]
text = "kept"
dimension = 0
effect = "width"
direction = "keeps"
at_most = 2
[[sentence]]
dimension = 9
effect = "width"
direction = "changes"
[[sentence]]
text = "unknown"
dimension = 1
effect = "charm"
direction = "changes"
"""


@pytest.fixture
def effects():
    """Of two dimensions: the second raises all by 10 (9 to 11), the first does nothing (-1 to 1)."""
    mean = torch.tensor([0.0, 10.0]).unsqueeze(1).expand(2, len(NAMES))
    unused = dict.fromkeys(
        "null score sweeps null_sweeps pairs entering null_entering lab_low lab_high".split(), torch.zeros(0)
    )
    return EffectTable(mean=mean, low=mean - 1, high=mean + 1, q=torch.full_like(mean, 0.01), **unused)


def test_sentences_are_judged_by_the_interval(tmp_path, effects):
    path = tmp_path / "s.toml"
    path.write_text(SENTENCES)
    found = judge(path, effects)
    assert [one.verdict for one in found] == ["holds", *["does not hold"] * 2, "holds", *["not tested"] * 2]
    assert "9 to 11" in found[0].measured and "more than random" in found[0].measured
    assert "dimension = 9" in found[4].measured and "brightness" in found[5].measured
    assert {one.verdict for one in judge(path, None)} == {"not tested"}


@pytest.mark.parametrize("content", ["[[sentence", "sentence = 3", "", "sentence = [3]"])
def test_a_file_without_sentences_is_one_that_is_not_tested(tmp_path, content):
    path = tmp_path / "s.toml"
    path.write_text(content)
    (one,) = judge(path, None)
    assert one.verdict == "not tested" and "cannot be used" in one.measured


# ----- pages and table


def test_pages_have_names_that_every_disk_takes():
    names = page.file_names(["a b", "a/b", "../..", "index", "\u9648", "A_B"])
    assert names == ["a_b.html", "a_b-2.html", "submission.html", "index_.html", "\u9648.html", "A_B-3.html"]


def test_what_a_stranger_wrote_is_text_on_the_page_and_in_the_table():
    hostile = "=HYPERLINK(1)<script>alert(1)</script>"
    found = Examination(Submission(hostile, "code", fault=hostile), fault=hostile, faults=[hostile])
    for text in (page.page(found), page.index([found], ["a.html"])):
        assert "<script" not in text and "&lt;script" in text
        assert not re.search(r'(?:src|href)="(?!data:|a\.html|table\.csv|index\.html)', text)
    header, row = csv.reader(io.StringIO(page.table([found], ["a.html"])))
    assert len(header) == len(row) and dict(zip(header, row))["name"] == f"'{hostile}"
