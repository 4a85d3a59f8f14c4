"""Figures from tensors of the report's own shapes: what they show is compared with what went in."""

import base64
import html
import io
import math
import re

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image

from labkit.base import paths
from labkit.base.rng import seeded
from labkit.config import config_for
from labkit.figures import benchmarks, catalogue, curves, networks
from labkit.figures import sheets as figures_sheets
from labkit.figures.catalogue import FIGURES
from labkit.gans.description import describe
from labkit.gans.registry import build
from labkit.training.state import COLUMNS


def images(*shape, seed=0):
    with seeded("images", seed):
        return torch.rand(*shape, 1, 28, 28) * 2 - 1


def network(model, part):
    """The generator, part 0, or the discriminator, part 1, of ``model``."""
    with seeded("network"):
        return build(config_for(model, "smoke"))[part]


def layers(model, part):
    return describe(network(model, part), (torch.zeros(2, 100), torch.zeros(2, 1, 28, 28))[part])


def history(epochs=2, steps=16):
    with seeded("history"):
        return torch.rand(epochs, steps, len(COLUMNS))


# Every figure function of the report, as the notebooks call it.
CALLS = {
    "structure of two": (1, lambda: networks.structure(
        [("(a) generator", (100,), layers("vanilla", 0)), ("(b) discriminator", (1, 28, 28), layers("vanilla", 1))])),
    "structure of one": (9, lambda: networks.structure([("DCGAN generator", (100,), layers("dcgan", 0))])),
    "few epochs": (2, lambda: curves.loss_curves(history(), "vanilla GAN")),
    "many epochs": (11, lambda: curves.loss_curves(history(30, 4), "DCGAN")),
    "latent cards": (3, lambda: figures_sheets.latent_cards(
        history(1, 2).view(8, 1).expand(8, 100), images(8), images(8, seed=1), torch.arange(8.0), images(8, seed=2))),
    "odd latent cards": (3, lambda: figures_sheets.latent_cards(
        torch.zeros(3, 7), images(3), images(3, seed=1), torch.arange(3.0), images(3, seed=2))),
    "one dimension": (4, lambda: figures_sheets.perturbation(images(8), images(1, 3, 8, seed=1), [5], [-3, 0, 3])),
    "five dimensions": (13, lambda: figures_sheets.perturbation(
        images(8), images(5, 3, 8, seed=1), [5, 20, 40, 60, 80], [-3, 0, 3])),
    "samples": (12, lambda: figures_sheets.samples({name: images(8, seed=i) for i, name in enumerate(["real", "DCGAN"])})),
    "train mode": (14, lambda: figures_sheets.train_mode(
        {"eval": images(8), "train": images(8)}, {"eval": images(8, seed=1), "train": images(8, seed=1)})),
}


def texts(figure):
    """All that is written in a figure."""
    figure.draw_without_rendering()
    return [t.get_text() for t in figure.findobj(lambda artist: hasattr(artist, "get_text")) if t.get_text()]


# ----- publish


@pytest.mark.parametrize("name", CALLS)
def test_every_figure_is_published_with_the_same_bytes_twice(monkeypatch, tmp_path, name):
    number, draw = CALLS[name]
    written = []
    for attempt in ("first", "second"):
        monkeypatch.setattr(paths, "COLLECT", tmp_path / attempt)
        figure = draw()
        assert isinstance(figure, Figure)
        published = catalogue.publish(figure, number, "smoke", "A note.")
        written.append({path.name: path.read_bytes() for path in sorted((tmp_path / attempt).iterdir())})
    stem = f"fig{number:02d}_{FIGURES[number][0]}"
    assert sorted(written[0]) == [f"{stem}.png", f"{stem}.svg"]
    assert written[0] == written[1]
    assert published.caption == f"Figure {number}. {FIGURES[number][1]} A note."
    with Image.open(io.BytesIO(written[0][f"{stem}.png"])) as png:
        assert png.format == "PNG" and min(png.size) > 200 and np.asarray(png.convert("L")).std() > 5
    assert written[0][f"{stem}.svg"].startswith(b"<?xml") and b"</svg>" in written[0][f"{stem}.svg"]


def test_publish_without_a_runner_goes_to_the_profiles_folder(monkeypatch, tmp_path):
    monkeypatch.setattr(paths, "COLLECT", None)
    monkeypatch.setattr(paths, "FIGURES", tmp_path / "figures")
    published = catalogue.publish(Figure(), 9, "quick")
    assert published.png == tmp_path / "figures/quick/fig09_dcgan_generator.png"
    assert published.png.exists() and published.caption == f"Figure 9. {FIGURES[9][1]}"


@pytest.mark.parametrize("number", [0, max(FIGURES) + 1, -1, "1", None])
def test_publish_refuses_a_number_that_is_not_in_the_report(monkeypatch, tmp_path, refused, number):
    monkeypatch.setattr(paths, "COLLECT", tmp_path / "figures")
    with refused(f"figure = {number}", f"1 to {len(FIGURES)}"):
        catalogue.publish(Figure(), number, "smoke")
    assert not (tmp_path / "figures").exists()


def test_the_table_of_figures():
    assert list(FIGURES) == list(range(1, len(FIGURES) + 1)) and len(FIGURES) >= 14
    slugs = [slug for slug, _ in FIGURES.values()]
    assert len(set(slugs)) == len(FIGURES) and all(slug.isidentifier() and slug.islower() for slug in slugs)
    assert all(caption.endswith(".") for _, caption in FIGURES.values())


def test_a_caption_is_text_not_markup(monkeypatch, tmp_path):
    monkeypatch.setattr(paths, "COLLECT", tmp_path)
    hostile = """<script>alert(1)</script> & "quoted" 'x' <img src=x onerror=alert(1)>"""
    page = catalogue.publish(Figure(), 1, "smoke", hostile)._repr_html_()
    assert "<script" not in page and "<img src=x" not in page
    assert page.count("<img") == page.count("<figure") == 1
    assert page.count(html.escape(hostile)) == 2  # alt and caption
    assert 'alt="Figure 1.' in page and "src=\"data:image/png;base64," in page


# ----- pictures


@pytest.mark.parametrize("gap", [1, 2, 5])
def test_montage_against_loops(gap):
    with seeded("montage"):
        sheets = torch.rand(3, 4, 5, 7)
    out = figures_sheets.montage(sheets, gap)
    assert out.shape == (3 * 5 + 2 * gap, 4 * 7 + 3 * gap)
    expected = np.full(out.shape, np.nan, dtype=np.float32)
    for row in range(3):
        for column in range(4):
            for y in range(5):
                for x in range(7):
                    expected[row * (5 + gap) + y, column * (7 + gap) + x] = sheets[row, column, y, x]
    np.testing.assert_array_equal(out, expected)


LEVELS = torch.arange(8 * 784).view(8, 1, 28, 28) % 256
EXACT = (LEVELS.float() / 127.5 - 1).clamp(-1, 1)
NUDGED = (EXACT + 0.4 / 127.5).clamp(-1, 1)  # by less than half a level: rounds to the same


def test_grey_levels_round_and_clip():
    for pictures in (EXACT, NUDGED):
        shown = figures_sheets.grey_levels(pictures)
        assert shown.dtype == np.uint8 and shown.shape == (8, 1, 28, 28)
        np.testing.assert_array_equal(shown, LEVELS)
    np.testing.assert_array_equal(figures_sheets.grey_levels(torch.tensor([-5.0, -1.0, 0.0, 1.0, 5.0])), [0, 0, 128, 255, 255])


def stage_of(base, edited, change=False):
    """The live picture as cells (rows, n, 29, 29, 4)."""
    with Image.open(io.BytesIO(figures_sheets.stage(base, edited, change))) as png:
        assert png.format == "PNG" and png.mode == "RGBA" and png.size == (29 * len(base), 29 * (2 + change))
        return np.asarray(png).reshape(2 + change, 29, len(base), 29, 4).swapaxes(1, 2)


@pytest.mark.parametrize("change", [False, True])
@pytest.mark.parametrize("n", [1, 8])
def test_stage_is_the_rounded_grey_levels(n, change):
    cells = stage_of(EXACT[:n], NUDGED[:n].flip(3), change)
    for i in range(n):
        for row, levels in enumerate((LEVELS[i, 0], LEVELS[i, 0].flip(1))):
            for channel in range(3):
                np.testing.assert_array_equal(cells[row, i, :28, :28, channel], levels)
    assert (cells[:, :, :28, :28, 3] == 255).all()
    assert not cells[:, :, 28, :, 3].any() and not cells[:, :, :, 28, 3].any()


def test_stage_colours_the_change():
    """Orange is brighter, violet darker, full at one (128 grey levels), white where nothing changed."""
    base = torch.zeros(3, 1, 28, 28)
    edited = base.clone()
    edited[0, 0, 3, 4], edited[0, 0, 5, 6], edited[1, 0, 7, 8], edited[1, 0, 9, 9], edited[2] = 1.0, -1.0, 0.5, -0.5, 0.001
    row = stage_of(base, edited, True)[2, :, :28, :28, :3].astype(int)
    up, down, half_up, half_down = row[0, 3, 4], row[0, 5, 6], row[1, 7, 8], row[1, 9, 9]
    nothing = row[0, 0, 0]
    assert nothing.min() > 240 and np.ptp(nothing) < 4 and (abs(row[2] - nothing) < 8).all()
    assert up[0] > up[1] > up[2] and down[2] > down[0] > down[1]  # red over blue, blue over red
    assert half_up[0] > half_up[2] and half_down[2] > half_down[1]
    for full, half in ((up, half_up), (down, half_down)):
        assert full.sum() < half.sum() < nothing.sum()
    others = [(y, x) for y in range(28) for x in range(28) if (y, x) not in ((3, 4), (5, 6))]
    assert all((row[0, y, x] == nothing).all() for y, x in others)
    double = stage_of(base - 1, edited * 2 - 1 + (edited > 0.9), True)[2, 0, 3, 4, :3]  # from black to white
    assert (double == up).all()


def test_the_colours_of_the_change_are_those_of_figure_13():
    base, edited = images(2), images(2, seed=1)
    shown = figures_sheets.perturbation(base, edited[None, None], [5], [0]).axes[1].get_images()[0]
    expected = shown.to_rgba(shown.get_array(), bytes=True)[30:58, :28, :3].astype(int)
    assert abs(stage_of(base, edited, True)[2, 0, :28, :28, :3].astype(int) - expected).max() <= 1


@pytest.mark.parametrize(("n", "scale", "seconds"), [(8, 4, 0.08), (1, 2, 0.2)])
def test_animation_shows_every_frame_under_its_label(n, scale, seconds):
    frames = [(f"z[5] = {i}", EXACT[:n].roll(i, 3)) for i in range(5)]
    content = figures_sheets.animation(frames, scale, seconds)
    assert content == figures_sheets.animation(frames, scale, seconds)
    labels = []
    with Image.open(io.BytesIO(content)) as gif:
        assert gif.format == "GIF" and gif.n_frames == 5 and gif.size == (n * 29 * scale, 24 + 28 * scale) and gif.info["loop"] == 0
        for i in range(5):
            gif.seek(i)
            assert gif.info["duration"] == 1000 * seconds
            sheet = np.asarray(gif.convert("L"))
            for column in range(n):
                left = column * 29 * scale
                tile = sheet[24:, left : left + 28 * scale]
                np.testing.assert_allclose(tile, np.kron(LEVELS[column, 0].roll(i, 1), np.ones((scale, scale))), atol=min(i, 1))
                assert (sheet[24:, left + 28 * scale : left + 29 * scale] >= 254).all()  # white between
            labels.append((sheet[:24] < 128).tobytes())
            assert (sheet[:24] < 128).any()
    assert len(set(labels)) == 5


def test_samples_and_cards_show_the_images_they_were_given():
    rows = {"real": images(8), "DCGAN": images(8, seed=1)}
    figure = figures_sheets.samples(rows)
    shown = figure.axes[0].get_images()[0].get_array().filled(np.nan)
    for i, pictures in enumerate(rows.values()):
        for j in range(8):
            np.testing.assert_array_equal(shown[i * 30 : i * 30 + 28, j * 30 : j * 30 + 28], pictures[j, 0])
    assert {"real", "DCGAN"} <= set(texts(figure))

    with seeded("cards"):
        z = torch.randn(8, 100)
    figure = figures_sheets.latent_cards(z, images(8), images(8, seed=1), torch.arange(8) * 3.0, images(8, seed=2))
    cells = figure.axes[0].get_images()[0].get_array().filled(np.nan)
    for i in range(8):
        for k in range(100):  # row by row, three pixels a number
            y, x = k // 10 * 3, i * 32 + k % 10 * 3
            np.testing.assert_array_equal(cells[y : y + 3, x : x + 3], z[i, k])
    for ax, pictures in zip(figure.axes[1:4], (images(8), images(8, seed=1), images(8, seed=2)), strict=True):
        shown = ax.get_images()[0].get_array().filled(np.nan)
        for j in range(8):
            np.testing.assert_array_equal(shown[:, j * 30 : j * 30 + 28], pictures[j, 0])
    assert {f"{3 * i} grey levels" for i in range(8)} <= set(texts(figure))


# ----- figures 4-8 and 13


@pytest.mark.parametrize(("dims", "values"), [([5], [-3, 0, 3]), ([5, 20, 40, 60, 80], [-3, 0, 3]), ([7, 8], [-0.5])])
def test_perturbation_shows_the_edits_and_their_size(dims, values):
    base, edited = images(8), images(len(dims), len(values), 8, seed=1)
    edited[0, 0] = base + 10 / 127.5  # a row whose change is known without arithmetic
    figure = figures_sheets.perturbation(base, edited, dims, values)
    left, right = figure.axes[:2]
    rows = [(i, j) for i in range(len(dims)) for j in range(len(values))]

    labels = [label.get_text() for label in left.get_yticklabels()]
    assert labels == ["base"] + [f"z[{dims[i]}] = {values[j]:g}".replace("-", "−") for i, j in rows]
    by_hand = []
    for i, j in rows:
        grey = (edited[i, j].double() * 127.5).numpy(), (base.double() * 127.5).numpy()
        by_hand.append(f"{np.abs(grey[0] - grey[1]).mean():.1f}")
    assert by_hand[0] == "10.0" and [t.get_text() for t in right.texts] == by_hand
    heights = [t.get_position()[1] for t in right.texts]
    assert heights == [30 * row + 13.5 for row in range(1, len(rows) + 1)]  # the middle of the row it belongs to

    pictures, changes = (ax.get_images()[0].get_array().filled(np.nan) for ax in (left, right))
    for n in range(8):
        np.testing.assert_array_equal(pictures[:28, n * 30 : n * 30 + 28], base[n, 0])
        assert np.isnan(changes[:28, n * 30 : n * 30 + 28]).all()
        for row, (i, j) in enumerate(rows, 1):
            tile = np.s_[row * 30 : row * 30 + 28, n * 30 : n * 30 + 28]
            np.testing.assert_array_equal(pictures[tile], edited[i, j, n, 0])
            np.testing.assert_array_equal(changes[tile], edited[i, j, n, 0] - base[n, 0])
    assert left.get_images()[0].get_clim() == right.get_images()[0].get_clim() == (-1, 1)


@pytest.mark.parametrize(("shift", "moved"), [(0.0, 0), (0.4, 0), (0.6, 3)], ids="shift {}".format)
def test_train_mode_counts_the_images_that_moved(shift, moved):
    before = {"eval": 0.5 * images(8), "train": 0.5 * images(8)}
    after = {mode: x.clone() for mode, x in before.items()}
    after["train"][:3, 0, 5, 5] += shift / 127.5  # in grey levels, at one pixel of three images
    titles = {ax.get_title(loc="left") for ax in figures_sheets.train_mode(before, after).axes}
    assert any(t.startswith("eval") and "0 of 8" in t for t in titles)
    assert any(t.startswith("train") and f"{moved} of 8" in t for t in titles)


# ----- the editor's figure


def test_edit_shows_both_rows_and_the_size_of_the_change():
    base, edited = images(8), images(8, seed=1)
    edited[0] = base[0] + 10 / 127.5  # a change that is known without arithmetic
    edited[1] = base[1]
    figure = figures_sheets.edit(base, edited, "the title <&>")
    top, bottom = figure.axes[:2]
    pictures, changes = (ax.get_images()[0].get_array().filled(np.nan) for ax in (top, bottom))
    for i in range(8):
        tile = np.s_[:28, i * 30 : i * 30 + 28]
        np.testing.assert_array_equal(pictures[tile], base[i, 0])
        np.testing.assert_array_equal(pictures[30:58, i * 30 : i * 30 + 28], edited[i, 0])
        np.testing.assert_array_equal(changes[tile], edited[i, 0] - base[i, 0])
    grey = np.abs((edited.double() - base.double()).numpy()).mean((1, 2, 3)) * 127.5
    amounts = [label.get_text() for label in bottom.get_xticklabels()]
    assert amounts == [f"{x:.1f}" for x in grey] and amounts[:2] == ["10.0", "0.0"]
    np.testing.assert_allclose(bottom.get_xticks(), [i * 30 + 13.5 for i in range(8)])  # above its image
    assert top.get_images()[0].get_clim() == bottom.get_images()[0].get_clim() == (-1, 1)
    assert {"base", "edited", "the title <&>"} <= set(texts(figure))


def test_encode_gives_the_same_bytes_twice():
    first, second = (catalogue.encode(figures_sheets.edit(images(8), images(8, seed=1), "title")) for _ in range(2))
    assert first == second and set(first) == {"svg", "png"}
    assert first["svg"].startswith(b"<?xml") and b"<dc:date>" not in first["svg"]
    with Image.open(io.BytesIO(first["png"])) as png:
        assert png.format == "PNG" and "Software" not in png.info
    assert first != catalogue.encode(figures_sheets.edit(images(8), images(8, seed=2), "title"))


def test_save_writes_what_encode_gives(tmp_path):
    path = catalogue.save(figures_sheets.edit(images(8), images(8, seed=1), "title"), tmp_path / "new", "name")
    encoded = catalogue.encode(figures_sheets.edit(images(8), images(8, seed=1), "title"))
    assert path == tmp_path / "new" / "name.png"
    assert {p.name: p.read_bytes() for p in path.parent.iterdir()} == {f"name.{kind}": content for kind, content in encoded.items()}


def test_on_page_holds_the_file_and_escapes_the_caption():
    hostile = """"><script>alert(1)</script> & 'x'"""
    page = catalogue.on_page(b"any bytes", hostile, 123)
    assert "<script" not in page and page.count("<img") == page.count("<figure") == page.count("<figcaption") == 1
    assert page.count(html.escape(hostile)) == 2 and 'width="123"' in page
    assert base64.b64decode(re.search(r'src="data:image/png;base64,([^"]+)"', page)[1]) == b"any bytes"


# ----- the editor's benchmark


def test_latency_draws_every_move_with_its_median():
    times = {("dcgan", "quiet"): [30.0, 40.0, 50.0], ("dcgan", "busy"): [60.0, 80.0, 100.0], ("vanilla", "quiet"): [10.0, 20.0, 90.0]}
    results = {"machine": {}, "moves": 3, "vanilla": {}, "dcgan": {}}
    for (model, name), values in times.items():
        results[model][name] = {"times_ms": values, "median_ms": values[1], "p95_ms": values[2]}
    (ax,) = benchmarks.latency(results).axes
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels == ["dcgan, quiet", "dcgan, busy", "vanilla, quiet"]
    for y, key in enumerate(times):
        lines = [line for line in ax.get_lines() if abs(np.mean(line.get_ydata()) - y) < 0.01]
        assert [list(line.get_xdata()) for line in lines] == [times[key], [times[key][1]] * 2, [times[key][2]] * 2]
    assert ax.yaxis_inverted() and ax.get_xlim()[0] == 0
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["median", "95 %"]


# ----- figures 2 and 11


@pytest.mark.parametrize(("epochs", "steps"), [(1, 1), (2, 16), (20, 3), (40, 5)])
def test_loss_curves_draw_the_history(epochs, steps):
    h = history(epochs, steps)
    left, right = curves.loss_curves(h, "GAN").axes
    levels = [
        sorted({line.get_ydata()[0] for line in ax.get_lines() if line.get_linestyle() == "--"}) for ax in (left, right)
    ]
    assert levels == [pytest.approx([math.log(2), 2 * math.log(2)]), [0.5]]
    for ax, columns in ((left, {"D": 0, "G": 1}), (right, {"D(x)": 2, "D(G(z))": 3})):
        dots = {line.get_label(): line for line in ax.get_lines() if not line.get_label().startswith("_")}
        assert set(dots) == set(columns)
        for label, column in columns.items():
            for epoch in range(epochs):
                x, y = dots[label].get_xdata()[epoch], dots[label].get_ydata()[epoch]
                assert x == epoch + 0.5
                assert y == pytest.approx(sum(h[epoch, :, column].tolist()) / steps, abs=1e-6)
        every_step = [line for line in ax.get_lines() if len(line.get_ydata()) == epochs * steps and line.get_alpha()]
        for line, column in zip(every_step, columns.values(), strict=True):
            np.testing.assert_array_equal(line.get_ydata(), h[..., column].flatten())
            np.testing.assert_allclose(line.get_xdata(), (np.arange(epochs * steps) + 0.5) / steps)
    assert left.get_ylim()[0] == 0 and left.get_ylim()[1] > 2 * math.log(2) and right.get_ylim() == (0, 1)


def test_the_window_means_of_the_loss_curves():
    h = history(2, 25)  # windows of two steps; the last of each epoch's 25 goes with the next epoch's first
    line = next(line for line in curves.loss_curves(h, "GAN").axes[0].get_lines() if len(line.get_ydata()) == 25)
    flat = h[..., 0].flatten().tolist()
    np.testing.assert_allclose(line.get_ydata(), [(flat[2 * i] + flat[2 * i + 1]) / 2 for i in range(25)], rtol=1e-5)
    np.testing.assert_allclose(line.get_xdata(), [(2 * i + 1) / 25 for i in range(25)])


# ----- figures 1, 9, 10


@pytest.mark.parametrize("part", [0, 1], ids=["generator", "discriminator"])
@pytest.mark.parametrize("model", ["vanilla", "dcgan"])
def test_structure_names_every_layer(model, part):
    described = layers(model, part)
    shape = ((100,), (1, 28, 28))[part]
    figure = networks.structure([("title", shape, described)])
    drawn = texts(figure)
    total = sum(p.numel() for p in network(model, part).parameters())
    assert f"title: {total:,} parameters" in drawn
    wanted = ["input", "×".join(map(str, shape))]
    for layer in described:
        wanted += [layer.label, "×".join(map(str, layer.shape))] + [f"{layer.parameters:,}"] * bool(layer.parameters)
    for text in set(wanted):
        assert drawn.count(text) >= wanted.count(text), text

    labels = [layer.label for layer in described]
    places = {}
    for text in figure.axes[0].texts:
        if text.get_text() in labels:
            places.setdefault(text.get_text(), []).append(text.get_position())
    column = [(y, label) for label, at in places.items() for x, y in at if x < 1]
    top_down = [label for _, label in sorted(column, reverse=True)]
    assert top_down == [layer.label for layer in described if layer.part != "shortcut"]  # as the forward pass goes
    assert all(figure.axes[0].get_ylim()[0] < y < figure.axes[0].get_ylim()[1] for y, _ in column)
