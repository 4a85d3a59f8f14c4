"""Pictures through a training: kept whole, always of the same vectors, shown as they come, and of no influence."""

import pytest
import safetensors.torch
import torch

from labkit.cli import parser
from labkit.evaluation import album
from labkit.evaluation.monitor import Monitor
from labkit.figures import growth
from labkit.gans import build
from labkit.training import runs
from labkit.training.runs import fit_or_load


@pytest.fixture
def g(tiny_config):
    torch.manual_seed(3)
    return build(tiny_config("vanilla"))[0].eval()


def test_pictures_are_those_of_the_same_vectors_in_grey_levels(g):
    once, twice = album.draw(g, 100), album.draw(g, 100)
    assert once.shape == (64, 28, 28) and once.dtype == torch.uint8
    assert torch.equal(once, twice) and once.float().std() > 0


def test_an_album_grows_by_fifty_kilobytes_a_look(g, tmp_path):
    for epoch in (1, 2, 5):
        kept = album.keep(g, 100, epoch, tmp_path)
    assert kept.epochs == [1, 2, 5] and album.read(tmp_path).epochs == [1, 2, 5]
    assert torch.equal(album.read(tmp_path).pictures, kept.pictures)
    size = (tmp_path / album.FILE).stat().st_size
    assert 40 * size / 3 < 2.5e6  # of a training of any length, which looks forty times at most


def test_what_came_after_the_epoch_is_replaced(g, tmp_path):
    for epoch in (1, 2, 3, 2):
        kept = album.keep(g, 100, epoch, tmp_path)
    assert kept.epochs == [1, 2] and len(kept.pictures) == 2


@pytest.mark.parametrize(
    "content",
    [b"", b"<html>", safetensors.torch.save({"epochs": torch.arange(3)}),
     safetensors.torch.save({"epochs": torch.arange(3), "pictures": torch.zeros(2, 64, 28, 28, dtype=torch.uint8)}),
     safetensors.torch.save({"epochs": torch.arange(2), "pictures": torch.zeros(2, 64, 28, 28)})],
)  # fmt: skip
def test_a_damaged_album_is_begun_anew(g, tmp_path, content):
    (tmp_path / album.FILE).write_bytes(content)
    assert album.read(tmp_path).epochs == []
    assert album.keep(g, 100, 7, tmp_path).epochs == [7]


@pytest.mark.thorough
@pytest.mark.slow
def test_a_training_that_is_watched_has_the_same_bits_and_shows_every_look(
    tiny_config, tmp_path, sample_images, capsys
):
    config, seen = tiny_config("vanilla", epochs=2, examples=64), []
    plain = fit_or_load(config, "cpu", tmp_path / "plain", sample_images)

    def show(folder, drawn, scores):
        growth.to_file(folder, drawn, scores)
        seen.append((drawn.epochs, [row["epoch"] for row in scores], (folder / "growth.png").read_bytes()))

    watched = fit_or_load(config, "cpu", tmp_path / "watched", sample_images, Monitor("smoke", show=show))
    assert plain.manifest["files"] == watched.manifest["files"]
    assert [look[:2] for look in seen] == [([1], [1]), ([1, 2], [1, 2])]
    assert seen[0][2] != seen[1][2] and seen[1][2][:4] == b"\x89PNG"
    assert capsys.readouterr().out.count("growth.png") == 1
    assert album.read(watched.folder).epochs == [1, 2]
    assert runs.load_run(watched.folder, config).epochs == 2


def test_the_command_line_watches_only_if_asked():
    assert parser().parse_args(["train", "dcgan", "--watch"]).watch is True
    assert parser().parse_args(["train", "dcgan"]).watch is False


def test_a_figure_of_few_looks_has_room_for_those_to_come(g, tmp_path):
    rows = [{"epoch": epoch, "frechet": 3.0 / epoch, "precision": 0.5, "recall": 0.1} for epoch in (1, 2, 30)]
    for row in rows[:2]:
        kept = album.keep(g, 100, row["epoch"], tmp_path)
    figure = growth.growth({"vanilla GAN": (kept, rows)})
    sheet, below, _ = figure.axes
    assert [text.get_text() for text in sheet.get_xticklabels()] == ["1", "2"]
    assert below.get_xlim() == (-0.5, growth.COLUMNS - 0.5) and len(below.get_lines()[0].get_xdata()) == 2
    long = album.Album(list(range(1, 41)), kept.pictures[:1].expand(40, -1, -1, -1))
    shown = [text.get_text() for text in growth.growth({"": (long, rows)}).axes[0].get_xticklabels()]
    assert len(shown) == growth.COLUMNS and (shown[0], shown[-1]) == ("1", "40")
