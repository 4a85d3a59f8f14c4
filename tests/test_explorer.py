"""The sliders: every picture they show is the picture that `sample` makes of the vectors they stand for."""

import ipywidgets as widgets
import pytest
import torch
from IPython.display import Image

from labkit import explorer, latent
from labkit.config import config_for
from labkit.figures import png
from labkit.models import build
from labkit.training import seeded


@pytest.fixture(scope="module")
def bench():
    """A generator in train mode, to make it harder, and eight vectors."""
    with seeded("explorer"):
        g = build(config_for("vanilla", "smoke"))[0]
        with torch.no_grad():
            for _ in range(3):
                g(torch.randn(16, 100))
    return g.train(), latent.latents(8, seed=2)


@pytest.fixture
def panel(bench, monkeypatch):
    """The live panel on dimensions 5 and 20: (upper picture, lower picture, sliders by name, reset button)."""
    monkeypatch.delenv("LABKIT_HEADLESS", raising=False)
    children = explorer.explore(*bench, [5, 20]).children
    base, stage = (child for child in children if isinstance(child, widgets.Image))
    sliders = {child.description: child for child in children if isinstance(child, widgets.FloatSlider)}
    (reset,) = (child for child in children if isinstance(child, widgets.Button))
    return base, stage, sliders, reset


def test_headless_is_a_picture_and_no_widget(bench, monkeypatch):
    g, z = bench
    monkeypatch.setenv("LABKIT_HEADLESS", "1")
    shown = explorer.explore(g, z, [5, 20])
    assert isinstance(shown, Image) and not isinstance(shown, widgets.Widget)
    assert shown.data == png(latent.sample(g, z))
    assert shown._repr_mimebundle_()[0].keys() == {"image/png"}


def test_live_starts_at_the_vectors_themselves(bench, panel):
    base, stage, sliders, _ = panel
    assert set(sliders) == {"z[5]", "z[20]"}
    assert base.value == stage.value == png(latent.sample(*bench))


def test_a_slider_shows_exactly_the_edit_it_names(bench, panel):
    g, z = bench
    base, stage, sliders, _ = panel
    before = z.clone()
    at_rest, seen = base.value, {base.value}
    for value in (-3.0, 0.57, 0.0, 3.0):
        sliders["z[5]"].value = value
        assert stage.value == png(latent.sample(g, latent.perturb(z, 5, value)))
        seen.add(stage.value)
    assert len(seen) == 5  # five different pictures
    sliders["z[20]"].value = -1.25  # the first stays where it is
    assert stage.value == png(latent.sample(g, latent.perturb(latent.perturb(z, 5, 3.0), 20, -1.25)))
    assert torch.equal(z, before) and base.value == at_rest


def test_reset_restores_the_vectors_and_the_sliders_still_work(bench, panel):
    g, z = bench
    base, stage, sliders, reset = panel
    for _ in range(2):
        sliders["z[5]"].value, sliders["z[20]"].value = 2.0, -2.0
        assert stage.value != base.value
        reset.click()
        assert stage.value == base.value == png(latent.sample(g, z))
        assert {slider.value for slider in sliders.values()} == {0.0}
    sliders["z[20]"].value = 1.0  # of the other slider's edit nothing is left
    assert stage.value == png(latent.sample(g, latent.perturb(z, 20, 1.0)))


def test_two_panels_do_not_share_their_vectors(bench, panel):
    g, z = bench
    other = explorer.explore(g, z, [5])
    panel[2]["z[5]"].value = 3.0
    assert other.children[1].value == panel[0].value
    other.children[2].value = -3.0
    assert panel[1].value == png(latent.sample(g, latent.perturb(z, 5, 3.0)))


@pytest.mark.parametrize("wanted", [99.0, float("inf"), -99.0])
def test_a_value_beyond_the_slider_is_clamped(bench, panel, wanted):
    g, z = bench
    panel[2]["z[5]"].value = wanted
    assert panel[1].value == png(latent.sample(g, latent.perturb(z, 5, 3.0 if wanted > 0 else -3.0)))


def test_what_is_no_number_is_ignored(panel):
    """A slider lets nan through; the picture stays, and the next number counts."""
    base, stage, sliders, _ = panel
    sliders["z[5]"].value = 2.0
    at_two = stage.value
    sliders["z[5]"].value = float("nan")
    assert stage.value == at_two != base.value
    sliders["z[5]"].value = 1.0
    assert stage.value not in (at_two, base.value)


@pytest.mark.parametrize("dims", [[], [100], [-1], [5, 1.5], ["5"], 5, None])
@pytest.mark.parametrize("headless", ["1", ""], ids=["headless", "live"])
def test_bad_dimensions_are_refused(bench, monkeypatch, refused, headless, dims):
    monkeypatch.setenv("LABKIT_HEADLESS", headless)
    with refused("dims = "):
        explorer.explore(*bench, dims)
