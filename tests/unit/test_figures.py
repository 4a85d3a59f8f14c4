"""Figures from tensors of the report's own shapes: what they show is compared with what went in."""

import base64
import html
import io
import math
import re
import subprocess
import sys
import threading

import matplotlib
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image
from project_copy import clean_environment, copy_project

from labkit import texts as language
from labkit.analysis.claims import CLAIMS, Verdict
from labkit.analysis.comparisons import OUTCOMES
from labkit.analysis.design import DESIGN
from labkit.base import paths
from labkit.base.errors import LabError
from labkit.base.files import sha256
from labkit.base.rng import seeded
from labkit.config import config_for
from labkit.evaluation.album import Album
from labkit.figures import benchmarks, catalogue, charts, curves, fonts, growth, labels, networks, palette, worlds
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
    "structure of two": (
        1,
        lambda: networks.structure(
            [("(a) generator", (100,), layers("vanilla", 0)), ("(b) discriminator", (1, 28, 28), layers("vanilla", 1))]
        ),
    ),
    "structure of one": (9, lambda: networks.structure([("DCGAN generator", (100,), layers("dcgan", 0))])),
    "few epochs": (2, lambda: curves.loss_curves(history(), "vanilla GAN")),
    "many epochs": (11, lambda: curves.loss_curves(history(30, 4), "DCGAN")),
    "latent cards": (
        3,
        lambda: figures_sheets.latent_cards(
            history(1, 2).view(8, 1).expand(8, 100), images(8), images(8, seed=1), torch.arange(8.0), images(8, seed=2)
        ),
    ),
    "odd latent cards": (
        3,
        lambda: figures_sheets.latent_cards(
            torch.zeros(3, 7), images(3), images(3, seed=1), torch.arange(3.0), images(3, seed=2)
        ),
    ),
    "one dimension": (4, lambda: figures_sheets.perturbation(images(8), images(1, 3, 8, seed=1), [5], [-3, 0, 3])),
    "five dimensions": (
        13,
        lambda: figures_sheets.perturbation(images(8), images(5, 3, 8, seed=1), [5, 20, 40, 60, 80], [-3, 0, 3]),
    ),
    "samples": (
        12,
        lambda: figures_sheets.samples({name: images(8, seed=i) for i, name in enumerate(["real", "DCGAN"])}),
    ),
    "train mode": (
        14,
        lambda: figures_sheets.train_mode(
            {"eval": images(8), "train": images(8)}, {"eval": images(8, seed=1), "train": images(8, seed=1)}
        ),
    ),
    "effects": (15, lambda: charts.effects({"DCGAN": (scores(100, 7), scores(100, 7) > 6)}, list("abcdefg"), [5, 20])),
    "ranking": (
        16,
        lambda: charts.ranking(
            {"DCGAN": (scores(100).abs() + 2, scores(100).abs() + 1, scores(100).abs() + 3, scores(50).abs())}, [5, 20]
        ),
    ),
    "by class": (
        17,
        lambda: figures_sheets.by_class(
            {"real": images(10, 5)[:, :, 0], "DCGAN": images(10, 5, seed=1)[:, :, 0]}, list("0123456789")
        ),
    ),
    "loss movement": (18, lambda: curves.loss_movement({"vanilla": history(3, 40), "dcgan": history(2, 90)})),
    "directions": (
        19,
        lambda: charts.directions(
            {"DCGAN": (["one", "two", "three"], scores(3, 7), scores(3, 7) > 6)}, list("abcdefg")
        ),
    ),
    "broken": (
        4,
        lambda: figures_sheets.perturbation(
            images(8), images(1, 3, 8, seed=1), [5], [-3, 0, 3], torch.arange(24).view(1, 3, 8) % 7 == 0
        ),
    ),
    "walks": (28, lambda: figures_sheets.walks(ways(), ["T-shirt", "trouser", "ankle boot"])),
    "growth": (20, lambda: growth.growth({"vanilla GAN, seed 2": grown(), "dcgan": grown()})),
    "worlds": (21, lambda: worlds.worlds({"DCGAN": {seed: images(8)[:, 0] for seed in (1, 2)}})),
    "worlds edited": (
        22,
        lambda: worlds.worlds_edited(
            {name: {seed: images(2, 8)[:, :, 0] for seed in range(1, 9)} for name in ("vanilla GAN", "DCGAN")},
            {
                name: {seed: "outline_sharpness\n+0.0823 (q = 0.97)" for seed in range(1, 9)}
                for name in ("vanilla GAN", "DCGAN")
            },
            5,
        ),
    ),
    "scatter": (
        23,
        lambda: worlds.scatter(
            {f"DCGAN, {recipe}": [{o.score: 0.1 * i for o in OUTCOMES} for i in (1, 2, 4)] for recipe in RECIPES}
        ),
    ),
    "claims by run": (24, lambda: worlds.claims_by_run([verdict("V2"), verdict("L5", "depends on the run")])),
    "design": (27, lambda: worlds.design([verdict("A1"), verdict("A6", "does not hold")])),
    "smoothness": (26, lambda: charts.smoothness({"DCGAN": (scores(100).sigmoid(), scores(50).sigmoid())}, 0.9)),
}
# Those beside the report.
OTHERS = {
    "edit": lambda: figures_sheets.edit(images(8), images(8, seed=1), "title"),
    "benchmark": lambda: benchmarks.benchmark(speed("dcgan", "vanilla")),
    "latency": lambda: benchmarks.latency(
        {"machine": {}, "dcgan": {"quiet": {"times_ms": [30.0, 40.0, 50.0], "median_ms": 40.0, "p95_ms": 50.0}}}
    ),
    "time to quality": lambda: benchmarks.time_to_quality(
        {way: [{"seconds": s, "frechet": 50 / s} for s in range(1, 9)] for way in ("plain", "lab")}, 7.0, 4.0
    ),
}
DRAWN = {**{name: draw for name, (_, draw) in CALLS.items()}, **OTHERS}


RECIPES = ("ours", "tutorial")


def ways():
    """A walk that changes its class twice, and one that never does, by network."""
    ids = torch.tensor([[0, 0, 1, 1, 1, 0], [2, 2, 2, 2, 2, 2]])
    return {name: (images(2, 6, seed=i), ids) for i, name in enumerate(("vanilla", "dcgan"))}


def grown():
    """An album and its scores."""
    pictures = ((images(3, 8)[:, :, 0] + 1) * 127).to(torch.uint8)
    rows = [{"epoch": epoch, "frechet": 9 / epoch, "precision": 0.5, "recall": 0.3} for epoch in (1, 2, 4)]
    return Album([1, 2, 4], pictures), rows


def verdict(id, said="holds"):
    """A claim with its long sentence, judged over two runs."""
    claims = {one.id: one.sentence for one in (*CLAIMS, *DESIGN)}
    runs = [{"seed": 1, "value": 0.2, "passes": True}, {"seed": 2, "value": -0.1, "passes": False}]
    return Verdict(id, claims[id], "", "", 0.05, (-0.2, 0.3), said, "runs", 9, 5, (0.2, 0.8), runs)


def scores(*shape):
    with seeded("scores"):
        return torch.randn(*shape) * 4


def speed(*models):
    """Results as benchmarks/training.py writes them."""
    row = {"ratio": 2.0, "ratio_spread": {"quartiles": [1.9, 2.2]}}
    return {
        "device": {},
        "sample": dict.fromkeys(models, row),
        "growth": {},
        **dict.fromkeys(models, {**row, "float32": row, "time_by_kind": {"convolution": 0.6, "other": 0.4}}),
    }


def texts(figure):
    """All that is written in a figure."""
    figure.draw_without_rendering()
    return [t.get_text() for t in figure.findobj(lambda artist: hasattr(artist, "get_text")) if t.get_text()]


# ----- publish


@pytest.mark.slow
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
    assert published.caption == f"Figure {number}. {catalogue.caption(number, figure)} A note."
    with Image.open(io.BytesIO(written[0][f"{stem}.png"])) as png:
        assert png.format == "PNG" and min(png.size) > 200 and np.asarray(png.convert("L")).std() > 5
    assert written[0][f"{stem}.svg"].startswith(b"<?xml") and b"</svg>" in written[0][f"{stem}.svg"]


def test_publish_without_a_runner_goes_to_the_profiles_folder(monkeypatch, tmp_path):
    monkeypatch.setattr(paths, "COLLECT", None)
    monkeypatch.setattr(paths, "FIGURES", tmp_path / "figures")
    published = catalogue.publish(Figure(), 9, "quick")
    assert published.png == tmp_path / "figures/quick/fig09_dcgan_generator.png"
    assert published.png.exists() and published.caption == f"Figure 9. {catalogue.caption(9)}"
    assert published._repr_html_().startswith('<figure data-figure="9"')


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
    assert all(catalogue.caption(number).endswith(".") for number in FIGURES)


def project_says(root, code, **more):
    """What a fresh interpreter prints that finds labkit in ``root``."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=root,
        env=clean_environment(PYTHONPATH=str(root), **more),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert not done.returncode, done.stderr
    return done.stdout.strip()


@pytest.mark.slow
@pytest.mark.parametrize("first", ["labkit.figures.networks", "labkit.figures.catalogue"])
def test_the_table_is_complete_whichever_module_is_imported_first(first):
    code = f"import {first}; from labkit.figures.catalogue import FIGURES; print(FIGURES)"
    assert project_says(paths.ROOT, code) == str(FIGURES)


@pytest.mark.slow
def test_a_new_figure_needs_one_file(tmp_path):
    """And no figure takes the place of another."""
    root = copy_project(tmp_path / "copy")
    new = root / "labkit/figures/arrows.py"
    source = "from .catalogue import report_figure\n\n\n@report_figure({}, {!r}, 'Arrows.')\ndef arrows():\n    pass\n"
    new.write_text(source.format(99, "arrows"))
    said = project_says(root, "from labkit.figures.catalogue import FIGURES; print(FIGURES)")
    assert said == str({**FIGURES, 99: ("arrows", "Arrows.")})
    new.write_text(source.format(2, "arrows"))
    code = "try: import labkit.figures\nexcept Exception as error: print(type(error).__name__, error)"
    said = project_says(root, code)
    assert said.startswith("LabError figure 2") and "arrows" in said and "vanilla_losses" in said


@pytest.mark.parametrize(("number", "slug"), [(9, "new"), (99, "samples")])
def test_two_figures_with_one_number_or_name_are_refused(refused, number, slug):
    before = dict(FIGURES)
    with refused(f"figure {number}, {slug}"):
        catalogue.report_figure(number, slug, "A caption.")(Figure)
    assert before == FIGURES


def test_the_table_is_in_order_and_a_function_draws_as_many_figures_as_it_says(monkeypatch):
    table = {}
    monkeypatch.setattr(catalogue, "FIGURES", table)

    @catalogue.report_figure(3, "c", "Third.")
    @catalogue.report_figure(1, "a", "First.")
    @catalogue.report_figure(2, "b", "Second.")
    def draw(size):
        """What it draws."""
        return Figure(figsize=size)

    assert list(table.items()) == [(1, ("a", "First.")), (2, ("b", "Second.")), (3, ("c", "Third."))]
    assert draw((2, 1)).get_figwidth() == 2 and draw.__name__ == "draw" and draw.__doc__ == "What it draws."


# ----- the look


HOSTILE = {
    "image.origin": "lower",
    "image.interpolation": "bilinear",
    "image.cmap": "viridis",
    "text.usetex": True,
    "font.size": 20,
    "savefig.bbox": "tight",
    "savefig.dpi": 50,
    "savefig.transparent": True,
    "figure.facecolor": "red",
    "axes.facecolor": "green",
    "figure.constrained_layout.use": False,
    "lines.linewidth": 7,
    "svg.fonttype": "none",
    "svg.hashsalt": "reader",
    "path.sketch": (9, 9, 9),
    "axes.unicode_minus": False,
    "xtick.labelsize": 3,
    "legend.frameon": True,
    "axes.formatter.use_locale": True,
}


def settings():
    """All rcParams as they are; to ask for the backend by name would choose one."""
    return dict(dict.items(matplotlib.rcParams))


@pytest.mark.slow
@pytest.mark.parametrize("name", DRAWN)
def test_the_readers_settings_change_no_byte_and_stay_as_they_are(name):
    expected = catalogue.encode(DRAWN[name]())
    with matplotlib.rc_context(HOSTILE):
        before = settings()
        figure = DRAWN[name]()
        assert settings() == before
        assert catalogue.encode(figure) == expected
        assert settings() == before


def test_a_failed_drawing_leaves_the_readers_settings():
    with matplotlib.rc_context(HOSTILE):
        before = settings()
        with pytest.raises(TypeError):
            figures_sheets.samples({"real": None})
        assert settings() == before


@pytest.mark.slow
def test_importing_changes_no_setting_and_the_readers_file_changes_no_byte(tmp_path):
    lines = {**HOSTILE, "path.sketch": "9, 9, 9"}
    (tmp_path / "matplotlibrc").write_text("".join(f"{key}: {value}\n" for key, value in lines.items()))
    code = """
import hashlib, matplotlib, torch
before = dict(dict.items(matplotlib.rcParams))
from labkit.figures import catalogue, sheets
assert dict(dict.items(matplotlib.rcParams)) == before and before["image.origin"] == "lower"
files = catalogue.encode(sheets.samples({"real": torch.linspace(-1, 1, 784).view(1, 1, 28, 28)}))
assert dict(dict.items(matplotlib.rcParams)) == before
print(*(hashlib.sha256(content).hexdigest() for content in files.values()))
"""
    hostile = project_says(paths.ROOT, code, MATPLOTLIBRC=str(tmp_path / "matplotlibrc"))
    files = catalogue.encode(figures_sheets.samples({"real": torch.linspace(-1, 1, 784).view(1, 1, 28, 28)}))
    assert hostile.split() == [sha256(content) for content in files.values()]


def test_two_threads_do_not_mix_their_settings():
    """Sliders are served in a thread of their own beside the cells."""
    before, inside, leave, size = settings(), threading.Event(), threading.Event(), []

    def other():
        with catalogue.house_style():
            inside.set()
            leave.wait(20)

    def own():
        with catalogue.house_style():
            size.append(matplotlib.rcParams["savefig.dpi"])

    threads = [threading.Thread(target=run) for run in (other, own)]
    threads[0].start()
    assert inside.wait(20)
    threads[1].start()
    threads[1].join(0.2)
    assert threads[1].is_alive() and not size  # it waits its turn
    leave.set()
    for thread in threads:
        thread.join(20)
    assert size == [260] and settings() == before


# ----- colours, words and sizes


def test_every_meaning_has_a_colour_of_its_own():
    """And in a pair one tells them apart in grey."""
    used = palette.MEANINGS
    assert len(set(used.values())) == len(used) and len(used) >= 16

    def light(colour):
        return sum(w * part**2.2 for w, part in zip((0.2126, 0.7152, 0.0722), matplotlib.colors.to_rgb(colour)))

    pairs = (("VANILLA", "DCGAN"), ("D", "G"), ("PRECISION", "RECALL"), ("PASSES", "FAILS"), ("OURS", "PLAIN"))
    for one, other in (*pairs, ("LAB", "NULL"), ("REAL", "NULL")):
        lights = sorted((light(used[one]), light(used[other])))
        assert (lights[1] + 0.05) / (lights[0] + 0.05) > 1.5, (one, other)


def test_no_figure_names_a_colour_itself():
    """Colours stand in palette.py; greys of frames, and pictures' own, are no meaning."""
    for path in (paths.ROOT / "labkit/figures").glob("*.py"):
        if path.name != "palette.py":
            found = set(re.findall(r"#[0-9A-Fa-f]{6}", path.read_text(encoding="utf-8")))
            assert {c for c in found if len({c[1:3].lower(), c[3:5].lower(), c[5:].lower()}) > 1} == set(), path.name


@pytest.mark.parametrize("name", ["vanilla", "vanilla GAN"])
def test_a_network_has_one_name_and_one_colour(name):
    assert labels.network(name) == "vanilla GAN" and palette.network(f"{name}, ours") == palette.VANILLA
    with language.using("zh"):
        assert (
            labels.network(name) == labels.network("原始 GAN") == "原始 GAN"
            and labels.network(f"{name}, seed 3") == "原始 GAN，种子 3"
        )
    assert labels.network("wgan") == "wgan" and labels.network("DCGAN, tutorial") == "DCGAN, tutorial"


@pytest.fixture
def chinese():
    """The Chinese edition, where there is a font for it."""
    try:
        fonts.check("zh")
    except LabError as error:
        pytest.skip(str(error))
    with language.using("zh"):
        yield


CJK = re.compile(r"[\u3400-\u9fff]")
CODE = {"edit", "benchmark"}  # what is drawn there has words of its caller, or of a profiler


@pytest.mark.filterwarnings("error:Glyph")
@pytest.mark.parametrize("name", DRAWN)
def test_in_chinese_every_letter_is_drawn(chinese, name):
    written = texts(DRAWN[name]())
    assert any(CJK.search(text) for text in written)
    english = set(texts_in_english(name)) & set(written)
    words = [text for text in english if len(re.findall(r"[a-z]{3,}", text)) > 1]
    assert name in CODE or [text for text in words if text not in NAMES] == []


NAMES = {
    name
    for model in ("vanilla", "dcgan")
    for part in (0, 1)
    for layer in layers(model, part)
    for name in (layer.part, layer.label.replace("e-0", "e-"))
}


def texts_in_english(name):
    with language.using("en"):
        return texts(DRAWN[name]())


def test_a_caption_is_in_the_language_in_which_it_is_published(monkeypatch, tmp_path, chinese):
    monkeypatch.setattr(paths, "COLLECT", tmp_path)
    figure = figures_sheets.perturbation(images(8), images(1, 3, 8, seed=1), [60], [-3, 0, 3])
    published = catalogue.publish(figure, 7, "smoke", "附注。")
    assert published.caption.startswith("图 7　原始 GAN") and published.caption.endswith("附注。")
    assert "z[60]" in published.caption and 'data-figure="7"' in published._repr_html_()


@pytest.mark.parametrize("name", DRAWN)
def test_figure_text_is_at_least_seven_points_on_a4(name):
    """Where the figure is as wide as the text of the page, 17.8 cm, or as it is if it is narrower."""
    figure = DRAWN[name]()
    figure.draw_without_rendering()
    scale = min(1.0, 17.8 / 2.54 / figure.get_figwidth())
    sizes = {
        text.get_text(): text.get_fontsize() * scale
        for text in figure.findobj(lambda artist: hasattr(artist, "get_fontsize") and hasattr(artist, "get_text"))
        if text.get_text().strip() and text.get_visible()
    }
    assert {text: size for text, size in sizes.items() if size < 7} == {}


def shown(figure):
    """All texts that are seen: of ticks, those between the ends of their axis."""
    yield from figure.texts
    yield from (text for legend in figure.legends for text in legend.get_texts())
    for ax in figure.axes:
        yield from (ax._left_title, *ax.texts, *((ax.xaxis.label, ax.yaxis.label) if ax.axison else ()))
        if not ax.axison:
            continue
        for axis, ends in ((ax.xaxis, ax.get_xlim()), (ax.yaxis, ax.get_ylim())):
            for place, label in zip(axis.get_ticklocs(), axis.get_ticklabels()):
                if min(ends) <= place <= max(ends):
                    yield label


@pytest.mark.parametrize("edition", ["en", "zh"])
@pytest.mark.parametrize("name", sorted(DRAWN.keys() - {"edit"}))
def test_no_text_is_cut_at_the_edge(name, edition, request):
    if edition == "zh":
        request.getfixturevalue("chinese")
    figure = DRAWN[name]()
    figure.draw_without_rendering()
    width, height = figure.bbox.size
    for text in shown(figure):
        if text.get_text().strip() and text.get_visible():
            box = text.get_window_extent()
            assert -2 <= box.x0 and box.x1 <= width + 2 and -2 <= box.y0 and box.y1 <= height + 2, text.get_text()


def test_without_a_font_the_chinese_edition_is_refused_in_one_line(monkeypatch, refused):
    monkeypatch.setattr(fonts, "find_spec", lambda name: None)
    monkeypatch.setattr(fonts, "INSTALLED", ("No Such Font",))
    fonts.chinese.cache_clear()
    with refused("needs a font", "pip install pylopdf-fonts-zh-cn"):
        fonts.check("zh")
    fonts.check("en")
    fonts.chinese.cache_clear()


def test_a_frame_for_each_garment_that_breaks_and_a_word_on_it():
    base, edited = images(8), images(1, 3, 8, seed=1)
    broken = torch.zeros(1, 3, 8, dtype=torch.bool)
    broken[0, 2, 4] = broken[0, 0, 7] = True
    figure = figures_sheets.perturbation(base, edited, [5], [-3, 0, 3], broken)
    frames = sorted(patch.get_xy() for patch in figure.axes[0].patches)
    assert frames == [(4 * 30 - 1, 3 * 30 - 1), (7 * 30 - 1, 1 * 30 - 1)]
    assert "red frame" in catalogue.caption(4, figure)
    plain = figures_sheets.perturbation(base, edited, [5], [-3, 0, 3], broken & False)
    assert not plain.axes[0].patches and "frame" not in catalogue.caption(4, plain)


def test_a_walk_says_each_class_where_it_begins():
    top, bottom = figures_sheets.walks(ways(), ["T-shirt", "trouser", "ankle boot"]).axes
    assert [ax.get_title(loc="left") for ax in (top, bottom)] == ["vanilla GAN", "DCGAN"]
    assert [(t.get_text(), t.get_position()[0] // 30) for t in top.texts] == [
        *(("T-shirt", 0), ("trouser", 2), ("T-shirt", 5)),
        ("ankle boot", 0),
    ]
    spans = [tuple(line.get_xdata()) for line in top.get_lines()]
    assert spans == [(0, 57), (60, 147), (150, 177), (0, 177)]


# ----- what another processor draws


def png(pixels):
    content = io.BytesIO()
    Image.fromarray(np.asarray(pixels, np.uint8)).save(content, "PNG")
    return content.getvalue()


def drawn(figure):
    return catalogue.encode(figure)["png"]


def ramp(steps, cmap):
    """All 256 levels of a colour map, each ``steps`` further than it should be."""
    figure = Figure(figsize=(4, 1))
    level = (torch.arange(256) + steps).clamp(0, 255)
    figures_sheets.show_images(figure.subplots(), ((level + 0.5) / 128 - 1).view(1, 1, 4, 64), cmap=cmap)
    return figure


@pytest.mark.parametrize("cmap", ["gray", palette.SIGNED])
def test_one_step_of_a_grey_level_or_a_colour_is_not_seen(cmap):
    exact = drawn(ramp(0, cmap))
    assert exact != drawn(ramp(1, cmap))
    assert catalogue.same_to_the_eye(exact, drawn(ramp(1, cmap)))
    assert catalogue.same_to_the_eye(exact, drawn(ramp(-1, cmap)))
    assert not catalogue.same_to_the_eye(exact, drawn(ramp(8, cmap)))


@pytest.mark.parametrize("channel", range(4))
def test_the_limit_holds_for_one_channel_of_one_pixel(channel):
    pixels = np.full((5, 7, 4), 100)
    for steps in (catalogue.SAME, -catalogue.SAME, catalogue.SAME + 1, -catalogue.SAME - 1):
        other = pixels.copy()
        other[4, 6, channel] += steps
        assert catalogue.same_to_the_eye(png(pixels), png(other)) == (abs(steps) == catalogue.SAME)
    assert not catalogue.same_to_the_eye(png(np.zeros((5, 7, 4))), png(np.full((5, 7, 4), 255)))  # no wrap-around
    assert not catalogue.same_to_the_eye(png(pixels), png(pixels.swapaxes(0, 1)))


@pytest.mark.slow
def test_a_letter_a_digit_and_a_dot_are_seen():
    def perturbation(title="z[5] set", amount=None, label=None):
        figure = figures_sheets.perturbation(images(8), images(1, 3, 8, seed=1), [5], [-3, 0, 3])
        figure.axes[0].set_title(title)
        if amount:
            figure.axes[1].texts[1].set_text(amount)
        if label:
            labels = [text.get_text() for text in figure.axes[0].get_yticklabels()]
            figure.axes[0].set_yticks(figure.axes[0].get_yticks(), [labels[0], label, *labels[2:]])
        return drawn(figure)

    def effects(place):
        special = torch.zeros(100, 7, dtype=torch.bool)
        special[place] = True
        darkest = torch.full((100, 7), -9.0)
        return drawn(charts.effects({"DCGAN": (darkest, special)}, list("abcdefg"), [5]))

    exact = perturbation(amount="84.9")
    assert catalogue.same_to_the_eye(exact, perturbation(amount="84.9"))
    for other in (
        perturbation("z[6] set", "84.9"),
        perturbation("z[5] sot", "84.9"),
        perturbation(amount="84.8"),
        perturbation(amount="84,9"),
        perturbation(amount="84.9", label="z[5] = 3"),
    ):
        assert not catalogue.same_to_the_eye(exact, other)
    assert catalogue.same_to_the_eye(effects((3, 4)), effects((3, 4)))
    assert not catalogue.same_to_the_eye(effects((3, 4)), effects((4, 4)))


def test_a_damaged_picture_is_like_no_other():
    with seeded("pixels"):
        whole = png(torch.randint(0, 256, (6, 6, 4)).numpy())
    assert catalogue.same_to_the_eye(whole, whole)
    damaged = [whole[:n] for n in range(len(whole))]
    for i in range(len(whole)):
        damaged.append(whole[:i] + bytes([whole[i] ^ 1]) + whole[i + 1 :])
    assert not [content for content in damaged if catalogue.same_to_the_eye(content, whole)]
    assert not [content for content in (b"", b"GIF89a", b"<svg/>") if catalogue.same_to_the_eye(content, content)]


NUDGE = 0.3 / 127.5  # moves some of the grey levels, by one


def test_save_keeps_what_looks_the_same(tmp_path):
    def save(shift, name="name"):
        figure = figures_sheets.samples({"real": images(8) * 0.9 + shift})
        path = catalogue.save(figure, tmp_path, name)
        assert path == tmp_path / f"{name}.png"
        return {p.suffix: (p.read_bytes(), p.stat().st_mtime_ns) for p in tmp_path.glob(f"{name}.*")}

    first = save(0)
    other = save(NUDGE, "other")
    assert all(other[kind][0] != first[kind][0] for kind in (".png", ".svg"))  # it does have other bytes
    assert save(NUDGE) == first
    changed = save(0.1)
    assert all(changed[kind][0] != first[kind][0] for kind in (".png", ".svg")) and len(changed) == 2


@pytest.mark.parametrize("kind", ["png", "svg"])
@pytest.mark.parametrize(
    "damage",
    [None, lambda c: c[:-20], lambda c: b"", lambda c: c[:2000] + b"<<<" + c[2003:]],
    ids=["missing", "cut", "empty", "overwritten"],
)
def test_save_replaces_a_damaged_pair(tmp_path, kind, damage):
    path = catalogue.save(OTHERS["edit"](), tmp_path, "name").with_suffix(f".{kind}")
    if damage:
        path.write_bytes(damage(path.read_bytes()))
    else:
        path.unlink()
    catalogue.save(OTHERS["edit"](), tmp_path, "name")
    assert {p.suffix[1:]: p.read_bytes() for p in tmp_path.iterdir()} == catalogue.encode(OTHERS["edit"]())


def test_a_notebook_run_by_hand_keeps_what_looks_the_same(monkeypatch, tmp_path):
    monkeypatch.setattr(paths, "COLLECT", None)
    monkeypatch.setattr(paths, "FIGURES", tmp_path)
    pictures = []
    for shift in (0, NUDGE):
        figure = figures_sheets.samples({"real": images(8) * 0.9 + shift})
        pictures.append(catalogue.publish(figure, 12, "full").png.read_bytes())
    assert pictures[0] == pictures[1]


def test_a_caption_is_text_not_markup(monkeypatch, tmp_path):
    monkeypatch.setattr(paths, "COLLECT", tmp_path)
    hostile = """<script>alert(1)</script> & "quoted" 'x' <img src=x onerror=alert(1)>"""
    page = catalogue.publish(Figure(), 1, "smoke", hostile)._repr_html_()
    assert "<script" not in page and "<img src=x" not in page
    assert page.count("<img") == page.count("<figure") == 1
    assert page.count(html.escape(hostile)) == 2  # alt and caption
    assert 'alt="Figure 1.' in page and 'src="data:image/png;base64,' in page


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
    np.testing.assert_array_equal(
        figures_sheets.grey_levels(torch.tensor([-5.0, -1.0, 0.0, 1.0, 5.0])), [0, 0, 128, 255, 255]
    )


def test_the_colours_of_the_change_are_those_of_figure_13():
    base, edited = images(2), images(2, seed=1)
    shown = figures_sheets.perturbation(base, edited[None, None], [5], [0]).axes[1].get_images()[0]
    expected = shown.to_rgba(shown.get_array(), bytes=True)[30:58, :28, :3].astype(int)
    colours = np.frombuffer(figures_sheets.signed_colours(), np.uint8).reshape(256, 3).astype(int)
    at = (((edited - base)[0, 0] / 2 + 0.5) * 256).floor().clip(0, 255).long().numpy()  # as pictures.js does
    assert abs(colours[at] - expected).max() <= 1


def test_the_colours_of_a_change_say_which_way_it_went():
    """Orange is brighter, violet darker, full at the ends, white where nothing changed."""
    colours = np.frombuffer(figures_sheets.signed_colours(), np.uint8).reshape(256, 3).astype(int)
    down, half_down, nothing, half_up, up = colours[[0, 64, 128, 192, 255]]
    assert nothing.min() > 240 and np.ptp(nothing) < 4
    assert up[0] > up[1] > up[2] and down[2] > down[0] > down[1]  # red over blue, blue over red
    for full, half in ((up, half_up), (down, half_down)):
        assert full.sum() < half.sum() < nothing.sum()


@pytest.mark.parametrize(("n", "scale", "seconds"), [(8, 4, 0.08), (1, 2, 0.2)])
def test_animation_shows_every_frame_under_its_label(n, scale, seconds):
    frames = [(f"z[5] = {i}", EXACT[:n].roll(i, 3)) for i in range(5)]
    content = figures_sheets.animation(frames, scale, seconds)
    assert content == figures_sheets.animation(frames, scale, seconds)
    labels = []
    with Image.open(io.BytesIO(content)) as gif:
        assert (
            gif.format == "GIF"
            and gif.n_frames == 5
            and gif.size == (n * 29 * scale, 24 + 28 * scale)
            and gif.info["loop"] == 0
        )
        for i in range(5):
            gif.seek(i)
            assert gif.info["duration"] == 1000 * seconds
            sheet = np.asarray(gif.convert("L"))
            for column in range(n):
                left = column * 29 * scale
                tile = sheet[24:, left : left + 28 * scale]
                np.testing.assert_allclose(
                    tile, np.kron(LEVELS[column, 0].roll(i, 1), np.ones((scale, scale))), atol=min(i, 1)
                )
                assert (sheet[24:, left + 28 * scale : left + 29 * scale] >= 254).all()  # white between
            labels.append((sheet[:24] < 128).tobytes())
            assert (sheet[:24] < 128).any()
    assert len(set(labels)) == 5


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.uint8, torch.bool], ids=str)
def test_show_images_takes_any_tensor(dtype):
    tiles = (images(2, 3)[:, :, 0, :5, :9] * 200).to(dtype)
    if dtype.is_floating_point:
        tiles.requires_grad_()
    ax = Figure().subplots()
    rows, top = ["first", "second"], ["a", "b", "c"]
    shown = figures_sheets.show_images(ax, tiles, rows, "title", top, limit=200, cmap="viridis")
    sheet = shown.get_array().filled(np.nan)
    for i in range(2):
        for j in range(3):
            np.testing.assert_array_equal(sheet[i * 7 : i * 7 + 5, j * 11 : j * 11 + 9], tiles[i, j].detach().float())
    assert shown.get_clim() == (-200, 200) and shown.get_cmap().name == "viridis" and ax.get_title() == "title"
    assert [label.get_text() for label in ax.get_yticklabels()] == rows and list(ax.get_yticks()) == [2.0, 9.0]
    assert [label.get_text() for label in ax.get_xticklabels()] == top and list(ax.get_xticks()) == [4.0, 15.0, 26.0]
    bare = Figure().subplots()
    figures_sheets.show_images(bare, tiles)
    assert not len(bare.get_xticks()) and not len(bare.get_yticks())


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
    assert {f"{3 * i}" for i in range(8)} <= set(texts(figure))


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
    assert by_hand[0] == "10.0" and [t.get_text() for t in right.texts[1:]] == by_hand
    heights = [t.get_position()[1] for t in right.texts[1:]]
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
    assert {p.name: p.read_bytes() for p in path.parent.iterdir()} == {
        f"name.{kind}": content for kind, content in encoded.items()
    }


def test_on_page_holds_the_file_and_escapes_the_caption():
    hostile = """"><script>alert(1)</script> & 'x'"""
    page = catalogue.on_page(b"any bytes", hostile, 123)
    assert "<script" not in page and page.count("<img") == page.count("<figure") == page.count("<figcaption") == 1
    assert page.count(html.escape(hostile)) == 2 and 'width="123"' in page
    assert base64.b64decode(re.search(r'src="data:image/png;base64,([^"]+)"', page)[1]) == b"any bytes"


# ----- the editor's benchmark


def test_latency_draws_every_move_with_its_median():
    times = {
        ("dcgan", "quiet"): [30.0, 40.0, 50.0],
        ("dcgan", "busy"): [60.0, 80.0, 100.0],
        ("vanilla", "quiet"): [10.0, 20.0, 90.0],
    }
    results = {"machine": {}, "moves": 3, "vanilla": {}, "dcgan": {}}
    for (model, name), values in times.items():
        results[model][name] = {"times_ms": values, "median_ms": values[1], "p95_ms": values[2]}
    (ax,) = benchmarks.latency(results).axes
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels == ["DCGAN, quiet", "DCGAN, busy", "vanilla GAN, quiet"]
    for y, key in enumerate(times):
        lines = [line for line in ax.get_lines() if abs(np.mean(line.get_ydata()) - y) < 0.01]
        assert [list(line.get_xdata()) for line in lines] == [times[key], [times[key][1]] * 2, [times[key][2]] * 2]
    assert ax.yaxis_inverted() and ax.get_xlim()[0] == 0
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["median", "95 %"]


def test_benchmarks_draw_the_networks_that_were_measured():
    left, right = benchmarks.benchmark(speed("vanilla", "wgan", "dcgan")).axes
    labels = [label.get_text() for label in left.get_yticklabels()]
    parts = ("training", "training, float32", "sampling")
    assert labels == [f"{m}, {part}" for m in ("DCGAN", "vanilla GAN", "wgan") for part in parts]
    assert [label.get_text() for label in right.get_yticklabels()] == ["DCGAN", "vanilla GAN", "wgan"]
    row = {"times_ms": [1.0, 2.0], "median_ms": 1.5, "p95_ms": 2.0}
    results = {"machine": {"cpu": "x"}, "moves": 2, "first_use_s": 1.0, "wgan": {"quiet": row}, "dcgan": {"busy": row}}
    (ax,) = benchmarks.latency(results).axes
    assert [label.get_text() for label in ax.get_yticklabels()] == ["DCGAN, busy", "wgan, quiet"]


# ----- figures 2 and 11


@pytest.mark.parametrize(("epochs", "steps"), [(1, 1), (2, 16), (20, 3), (40, 50)])
def test_loss_curves_draw_the_history(epochs, steps):
    h = history(epochs, steps)
    left, right = curves.loss_curves(h, "vanilla").axes
    levels = [
        sorted({line.get_ydata()[0] for line in ax.get_lines() if line.get_linestyle() == "--"}) for ax in (left, right)
    ]
    assert levels == [pytest.approx([math.log(2), 2 * math.log(2)]), [0.5]]
    length = epochs * steps // 100 if epochs * steps >= 500 else 1
    for ax, columns in ((left, {"D": 0, "G": 1}), (right, {"D(x)": 2, "D(G(z))": 3})):
        lines = {line.get_label(): line for line in ax.get_lines() if not line.get_label().startswith("_")}
        assert set(lines) == set(columns)
        for (label, column), colour in zip(columns.items(), (palette.D, palette.G), strict=True):
            blocks = h[..., column].flatten().numpy().reshape(-1, length)
            np.testing.assert_allclose(lines[label].get_ydata(), blocks.mean(1), rtol=1e-5)
            np.testing.assert_allclose(lines[label].get_xdata(), (np.arange(len(blocks)) + 0.5) * length / steps)
            assert lines[label].get_color() == colour
    assert left.get_ylim()[0] == 0 and left.get_ylim()[1] > 2 * math.log(2) and right.get_ylim() == (0, 1)


def test_the_band_of_a_loss_holds_four_fifths_of_the_steps_and_the_caption_says_so():
    h = history(40, 50)
    figure = curves.loss_curves(h, "dcgan")
    band = figure.axes[0].collections[0].get_paths()[0].vertices  # of D
    blocks = h[..., 0].flatten().numpy().reshape(100, 20)
    at = {round(x, 6): set() for x, _ in band}
    for x, y in band:
        at[round(x, 6)].add(round(y, 5))
    for i in (0, 57, 99):
        ends = {round(float(np.quantile(blocks[i], share)), 5) for share in (0.1, 0.9)}
        assert ends <= at[round((i + 0.5) * 20 / 50, 6)]
    assert "four fifths" in catalogue.caption(11, figure)
    few = curves.loss_curves(history(), "dcgan")  # too short for bands, which then nobody explains
    assert not few.axes[0].collections and "four fifths" not in catalogue.caption(11, few)


# ----- figures 1, 9, 10


@pytest.mark.parametrize("part", [0, 1], ids=["generator", "discriminator"])
@pytest.mark.parametrize("model", ["vanilla", "dcgan"])
def test_structure_names_every_layer(model, part):
    described = layers(model, part)
    shape = ((100,), (1, 28, 28))[part]
    figure = networks.structure([("title", shape, described)])
    drawn = texts(figure)
    total = sum(p.numel() for p in network(model, part).parameters())
    assert {"title", f"{total:,} parameters"} <= set(drawn)
    assert {layer.part for layer in described} <= set(drawn)  # the names that the code has for them
    wanted = ["input", "×".join(map(str, shape))]
    for layer in described:
        wanted += [layer.label.replace("e-0", "e-"), "×".join(map(str, layer.shape))] + [
            f"{layer.parameters:,}"
        ] * bool(layer.parameters)
    for text in set(wanted):
        assert drawn.count(text) >= wanted.count(text), text

    labels = [layer.label.replace("e-0", "e-") for layer in described]
    places = {}
    for text in figure.axes[0].texts:
        if text.get_text() in labels:
            places.setdefault(text.get_text(), []).append(text.get_position())
    column = [(y, label) for label, at in places.items() for x, y in at if x < networks.MARGIN + 0.2]
    top_down = [label for _, label in sorted(column, reverse=True)]
    assert top_down == [
        layer.label.replace("e-0", "e-") for layer in described if layer.part != "shortcut"
    ]  # as the forward pass goes
    assert all(figure.axes[0].get_ylim()[0] < y < figure.axes[0].get_ylim()[1] for y, _ in column)


def test_smoothness_counts_the_dimensions_at_every_threshold():
    shares = torch.tensor([0.5, 0.8, 0.8, 0.95])
    axes = charts.smoothness({"a": (shares, torch.full((2,), 0.7))}, 0.9).axes[0]
    line = next(line for line in axes.get_lines() if line.get_label() == "dimensions")
    x, y = line.get_xdata(), line.get_ydata()
    assert line.get_drawstyle() == "steps-pre"
    for asked in (10, 49, 60, 79, 81, 94, 99):
        # between two points the line is as high as the later one
        assert y[(x >= asked).argmax()] == pytest.approx(100 * (shares * 100 >= asked).float().mean().item()), asked
