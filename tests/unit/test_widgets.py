"""The live editor as a page uses it: messages in, pictures out, each the one of the vectors it stands for."""

import asyncio
import base64
import dataclasses
import html
import io
import math
import re
import shutil
import tomllib
from functools import partial
from pathlib import Path

import comm
import ipywidgets as w
import numpy as np
import pytest
import torch
from comm import DummyComm
from ipywidgets.widgets.widget import _instances as open_widgets
from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection
from jupyter_server.services.kernels.websocket import KernelWebsocketHandler
from PIL import Image
from test_session import clock, flip, home, own_runs, trained  # noqa: F401  (fixtures, too)

from labkit import latent
from labkit.analysis import directions, naming
from labkit.base import paths
from labkit.base.errors import LabError
from labkit.data import CLASSES
from labkit.editor import own, server, session
from labkit.editor import widgets as editor_widgets
from labkit.editor.widgets import LatentExplorer
from labkit.evaluation.classifier import load_classifier
from labkit.figures import catalogue, sheets
from labkit.training import runs

NAN, INF = math.nan, math.inf


@pytest.fixture(autouse=True)
def on_a_page(monkeypatch):
    """Somebody is there to move a slider; what a test leaves open is closed."""
    monkeypatch.setattr(paths, "HEADLESS", False)
    yield
    for name in ("_live", "_last"):
        if getattr(LatentExplorer, name):
            getattr(LatentExplorer, name).close()
            setattr(LatentExplorer, name, None)


@pytest.fixture
def lab(home, clock):
    """The live editor of the vanilla network, with sliders for z[5] and z[20] that set one value for all."""
    return setting(LatentExplorer(home["vanilla"], dims=[5, 20], seed=3, device="cpu"))


def setting(lab):
    """``lab``, whose sliders set one value for all chosen garments; at first they shift each from where it is."""
    lab.choose_mode("set")
    return lab


def inside(widget):
    """``widget`` and all in it."""
    return [widget, *(each for child in getattr(widget, "children", ()) for each in inside(child))]


def button(lab, text, dim=None):
    """The one button of that description: in the row of z[dim], or beside the rows."""
    rows = [inside(row) for row, *_ in lab.slider_rows.values()]
    found = (
        inside(lab.slider_rows[dim][0])
        if dim is not None
        else [x for x in inside(lab.view) if not any(x in row for row in rows)]
    )
    (button,) = (x for x in found if isinstance(x, w.Button) and x.description == text)
    return button


def slider(lab, dim):
    (slider,) = (x for x in inside(lab.slider_rows[dim][0]) if isinstance(x, w.FloatSlider))
    assert slider.description == f"z[{dim}]"
    return slider


def stands_at(lab, dim, value):
    """Whether the slider of z[dim] shows ``value``, to its own step."""
    return abs(slider(lab, dim).value - value) <= slider(lab, dim).step / 2 + 1e-4


def note(lab, dim):
    """Text beside a slider."""
    (note,) = (x for x in inside(lab.slider_rows[dim][0]) if isinstance(x, w.HTML))
    return html.unescape(re.sub("<[^>]*>", "", note.value))


def decoded(lab):
    """What the page shows: levels (rows, 8, 28, 28, 3), after a look at the frame of the picture."""
    with Image.open(io.BytesIO(lab.stage.value)) as png:
        assert png.format == "PNG" and png.mode == "RGBA" and png.width == 8 * 29 and png.height % 29 == 0
        pixels = np.asarray(png).reshape(png.height // 29, 29, 8, 29, 4).swapaxes(1, 2)
    assert (
        (pixels[:, :, :28, :28, 3] == 255).all()
        and not pixels[:, :, 28, :, 3].any()
        and not pixels[:, :, :, 28, 3].any()
    )
    return pixels[:, :, :28, :28, :3]


def shows(lab, base, z):
    """Whether the page shows G(base) above G(z), to the grey level."""
    pixels, g = decoded(lab), runs.load_run(lab.run.folder).generator()
    expected = np.concatenate([sheets.grey_levels(latent.sample(g, v)) for v in (base, z)]).reshape(2, 8, 28, 28, 1)
    return np.array_equal(pixels[:2], expected.repeat(3, 4))


def told(lab):
    """Status line of the page as text, and whether it is marked as a failure."""
    line = re.fullmatch(r'<div role="status"( class="labkit-failed")?>([^<]*)</div>', lab.status_line.value)
    return html.unescape(line[2]).replace("\xa0", ""), bool(line[1])


def measures(lab):
    """Rows of the table under the picture: {name: [(text, classes) for each garment]}."""
    cells = [
        (text, classes.split())
        for classes, text in re.findall(r'<span class="([^"]*)">([^<]*)</span>', lab.measurements.value)
    ]
    rows = [cells[i : i + 9] for i in range(0, len(cells), 9)]
    assert all(row[0][1] == ["name"] for row in rows)
    return {row[0][0]: row[1:] for row in rows}


def norms_of(lab):
    """The row of the vectors' norms."""
    (name,) = (name for name in measures(lab) if "\u2016z\u2016" in name)
    return measures(lab)[name]


def control_values(lab):
    """What every control on the page shows."""
    named = (
        "network",
        "folder",
        "change",
        "target",
        "base_seed",
        "what",
        "end",
        "fraction",
        "dimension",
        "by_effect",
        "recipe",
    )
    controls = [getattr(lab, name) for name in named] + [slider(lab, dim) for dim in lab.slider_rows]
    return [c.value for c in controls] + [(c.min, c.max) for c in controls if hasattr(c, "max")]


# ----- pictures


@pytest.mark.parametrize("model", ["vanilla", "dcgan"])
def test_the_page_shows_exactly_the_grey_levels(home, model):
    lab = setting(LatentExplorer(home[model], dims=[5, 20], seed=3, device="cpu"))
    base = latent.latents(8, 100, 3)
    assert decoded(lab).shape[0] == 2 and shows(lab, base, base) and told(lab) == ("", False)
    seen, z = {lab.stage.value}, base
    for dim, value in ((5, -3.0), (5, 0.57), (20, 3.0), (5, 0.0)):
        slider(lab, dim).set_state({"value": value})
        z = latent.perturb(z, dim, value)
        assert shows(lab, base, z) and torch.equal(lab.z, z) and stands_at(lab, dim, value)
        seen.add(lab.stage.value)
    assert len(seen) == 5  # five different pictures
    assert "base" in lab.names.value and "edited" in lab.names.value and "difference" not in lab.names.value


def test_a_slider_starts_at_the_mean_and_says_that_garments_differ(lab):
    assert stands_at(lab, 5, lab.z[:, 5].mean().item())
    assert note(lab, 5) == f"{lab.effect(5):.1f} grey levels/unit, mixed"
    slider(lab, 5).set_state({"value": 1.5})
    assert note(lab, 5) == f"{lab.effect(5):.1f} grey levels/unit" and "mixed" in note(lab, 20)


def test_the_first_touch_of_a_slider_changes_nothing_by_a_jump(home, clock):
    """Each garment is shifted from where it is: two steps of the slider move all of them by two steps."""
    lab = LatentExplorer(home["vanilla"], dims=[5, 20], seed=3, device="cpu")
    assert lab.what.value == "shift" and slider(lab, 5).value == 0 and "mixed" not in note(lab, 5)
    step = slider(lab, 5).step
    for moved in (step, 2 * step, 3.0, 0.0):
        slider(lab, 5).set_state({"value": moved})
        wanted = lab.base.clone()
        wanted[:, 5] += moved
        assert torch.equal(lab.z, wanted) and shows(lab, lab.base, wanted) and slider(lab, 5).value == moved
    lab.what.set_state({"index": 1})
    assert lab.mode == "set" and stands_at(lab, 5, lab.base[:, 5].mean().item()) and "mixed" in note(lab, 5)
    assert torch.equal(lab.z, lab.base)  # which of the two it is changes nothing
    slider(lab, 5).set_state({"value": 1.0})
    assert torch.equal(lab.z, latent.perturb(lab.base, 5, 1.0))


def test_difference_is_a_third_row_that_comes_and_goes(lab):
    lab.set(5, 3.0, [2])
    lab.change.set_state({"value": True})
    pixels = decoded(lab)
    assert pixels.shape[0] == 3 and shows(lab, lab.base, lab.z) and "difference" in lab.names.value
    spread = [np.ptp(pixels[2, i].reshape(-1, 3), axis=0).max() for i in range(8)]
    assert [s > 20 for s in spread] == [i == 2 for i in range(8)]  # one colour where nothing changed
    lab.set(5, -3.0, [2])
    assert decoded(lab).shape[0] == 3  # it stays while edits go on
    lab.change.set_state({"value": False})
    assert decoded(lab).shape[0] == 2 and "difference" not in lab.names.value


# ----- messages


NO_NUMBERS = [{"value": value} for value in (NAN, INF, -INF, None, "1", "", True, [1.0], {}, -5, 2**31)]
NO_STATES = [
    {"max": 1e9},
    {"max": 1e9, "value": 1},
    {"min": -1e9},
    {"step": 0},
    {"disabled": True},
    {"description": "<b>"},
    {"index": 1},
]


def stands(lab, controls, picture, z):
    """Whether a message was refused in one line, and page and vectors are what they were."""
    line, failed = told(lab)
    unmoved = control_values(lab) == controls and lab.stage.value == picture and torch.equal(lab.z, z)
    return failed and len(line.splitlines()) == 1 and unmoved


def test_a_bad_message_to_a_slider_is_refused(lab):
    move = slider(lab, 5)
    step = move.step
    move.set_state({"value": 1.5})
    before = control_values(lab), lab.stage.value, lab.z.clone()
    for state in [*NO_NUMBERS, {"value": 1e9}, {"value": 4.01}, {"value": -4.01}, *NO_STATES]:
        move.set_state(state)
        assert stands(lab, *before) and "z[5]" in told(lab)[0], state
        assert (move.min, move.max, move.step, move.disabled, move.description) == (-4, 4, step, False, "z[5]")
    move.set_state({"value": -2.0})  # and it goes on
    assert told(lab) == ("", False) and shows(lab, lab.base, latent.perturb(before[2], 5, -2.0))
    button(lab, "undo").click()
    assert torch.equal(lab.z, lab.base)  # what was refused is nothing to undo


@pytest.mark.parametrize("name", ["fraction", "base_seed", "dimension"])
def test_a_bad_message_to_another_number_is_refused(lab, name):
    before = control_values(lab), lab.stage.value, lab.z.clone()
    for state in NO_NUMBERS + NO_STATES:
        getattr(lab, name).set_state(state)
        assert stands(lab, *before), state


CHOICES = ["network", "folder", "target", "end", "what"]


@pytest.mark.parametrize("name", CHOICES)
def test_an_unknown_choice_is_refused(lab, name):
    lab.set(5, 3.0)
    before = control_values(lab), lab.stage.value, lab.z.clone()
    for state in [{"index": index} for index in (99, -1, "x", 1.5, [], NAN)] + [
        {"options": ["x"]},
        {"_options_labels": ["x"], "index": 0},
    ]:
        getattr(lab, name).set_state(state)
        assert stands(lab, *before), state
    assert lab.run.config.model == "vanilla" and lab.rows == list(range(8))


@pytest.mark.parametrize("name", CHOICES)
def test_no_choice_is_refused(lab, name):
    """``None`` is a sound index for the widget, and no choice for the editor."""
    lab.set(5, 3.0)
    before = control_values(lab), lab.stage.value, lab.z.clone()
    getattr(lab, name).set_state({"index": None})
    assert stands(lab, *before)


@pytest.mark.parametrize("name", ["by_effect", "recipe"])
def test_an_unknown_choice_from_an_empty_list_does_no_harm(lab, name):
    before = control_values(lab), lab.stage.value, lab.z.clone()
    for index in (99, -1, "x", 1.5):
        getattr(lab, name).set_state({"index": index})
        assert stands(lab, *before), index
    getattr(lab, name).set_state({"index": None})
    assert lab.stage.value == before[1] and lab.dims == [5, 20]


def test_the_lists_are_never_blank(home, clock, monkeypatch):
    """A list without a chosen entry is an empty box on the page."""
    found = dict(zip(("sefa 1", "sefa 2"), latent.random_directions(2, 100)))
    monkeypatch.setattr(directions, "all_directions", lambda g, latent_dim: found)
    lab = LatentExplorer(home["vanilla"], dims=[5], device="cpu")

    def shown():
        return [(chooser.index, chooser.label) for chooser in (lab.direction, lab.by_effect)]

    assert shown() == [(0, "not looked for"), (0, "not ranked")]
    lab.find()
    assert shown() == [(0, "choose"), (0, "not ranked")]
    lab.direction.set_state({"index": 2})
    assert lab.dims == [5, "sefa 2"] and shown()[0] == (0, "choose")
    for dim in range(100):
        lab.effect(dim)
    lab.refresh()
    lab.by_effect.set_state({"index": 3})
    assert len(lab.dims) >= 2 and shown() == [(0, "choose")] * 2


def test_a_bad_message_to_the_difference_button_is_refused(lab):
    before = control_values(lab), lab.stage.value, lab.z.clone()
    for value in ("x", None, 2, [], NAN):
        lab.change.set_state({"value": value})
        assert stands(lab, *before), value


@pytest.fixture
def mail(monkeypatch):
    """``mail(widget)``: the updates that were sent to the page for ``widget``, oldest first; without one: for all."""
    sent = []
    monkeypatch.setattr(w.Widget, "_send", lambda self, message, buffers=None: sent.append((self, message)))
    return lambda widget=None: [m for to, m in sent if m["method"] == "update" and widget in (None, to)]


def test_a_refusal_tells_the_page_what_stands(lab, mail):
    """The page shows what it asked for, until it hears otherwise."""
    move = slider(lab, 5)
    move.set_state({"value": 1.5})
    move.set_state({"value": 1e9, "max": 1e9})
    assert (mail(move)[-1]["state"]["value"], mail(move)[-1]["state"]["max"]) == (1.5, 4)
    lab.target.set_state({"index": 99})
    assert mail(lab.target)[-1]["state"]["index"] == 0


def test_a_move_sends_what_changed_and_no_more(lab, mail):
    lab.set(5, 1.0)
    before = len(mail())
    slider(lab, 5).set_state({"value": 1.5})
    assert (
        len(mail()) == before + 2 and mail(lab.stage)[-1] in mail()[-2:] and mail(lab.measurements)[-1] in mail()[-2:]
    )
    assert mail(lab.stage)[-1]["buffer_paths"] == [["value"]] and mail(lab.measurements)[-1]["state"].keys() == {
        "value"
    }


@pytest.mark.slow
def test_a_flood_of_moves_ends_at_the_last(lab):
    values = [round(4 * math.sin(i / 7), 2) for i in range(200)]
    for value in values:
        slider(lab, 5).set_state({"value": value})
    z = latent.perturb(lab.base, 5, values[-1])
    assert torch.equal(lab.z, z) and shows(lab, lab.base, z) and stands_at(lab, 5, values[-1])
    button(lab, "undo").click()  # the flood is one drag
    assert shows(lab, lab.base, lab.base) and torch.equal(lab.z, lab.base)


def test_moves_of_two_sliders_and_bad_ones_between_them(lab):
    z = lab.base
    for i in range(20):
        dim, value = (5, 20)[i % 2], i / 10
        slider(lab, dim).set_state({"value": NAN if i % 3 == 0 else value})
        z = z if i % 3 == 0 else latent.perturb(z, dim, value)
        assert torch.equal(lab.z, z)
    assert shows(lab, lab.base, z)


# ----- one editor at a time


def test_a_second_editor_closes_the_first(home, lab):
    (view, *widgets), move = inside(lab.view), slider(lab, 5)
    assert len(widgets) > 30 and all(x.comm is not None for x in widgets)
    second = setting(LatentExplorer(home["vanilla"], dims=[5, 20], seed=3, device="cpu"))
    assert not lab.open_on_page and all(x.comm is None for x in widgets)
    z, picture, other = lab.z.clone(), lab.stage.value, second.stage.value
    move.value = 2.0
    move.set_state({"value": -2.0})
    assert torch.equal(lab.z, z) and lab.stage.value == picture
    assert second.stage.value == other and torch.equal(second.z, second.base)
    slider(second, 5).set_state({"value": 1.0})
    assert shows(second, second.base, latent.perturb(second.base, 5, 1.0)) and torch.equal(lab.z, z)
    for _ in range(2):  # twice does no harm
        lab.close()
    assert view.comm is None
    lab.set(5, 3.0)  # nor does an edit by name


def test_an_editor_whose_place_was_taken_says_so_and_can_be_brought_back(home, lab):
    """As when the notebook is run in a second tab: the first one shows a line, and no blank."""
    slider(lab, 5).set_state({"value": 2.0})
    z = lab.z.clone()
    second = setting(LatentExplorer(home["vanilla"], dims=[5, 20], seed=3, device="cpu"))
    line, back = lab.view.children
    assert "Another editor" in line.value and "labkit-editor" not in lab.view._dom_classes
    model = lab.view.model_id
    back.click()
    assert lab.view.model_id == model and shows(lab, lab.base, z) and not second.open_on_page
    slider(lab, 5).set_state({"value": 1.0})
    assert shows(lab, lab.base, latent.perturb(z, 5, 1.0))
    button(lab, "undo").click()
    assert torch.equal(lab.z, z)
    assert "Another editor" in second.view.children[0].value and torch.equal(second.z, second.base)
    second.view.children[1].click()
    assert second.open_on_page and shows(second, second.base, second.base)


def test_messages_are_taken_where_the_page_sends_them(home, monkeypatch):
    """ipykernel hands a message to the thread that spoke last for a widget: then one overtakes another."""

    class Comm(DummyComm):
        def _reply_subshell_for(self, data, sent_to):
            return "where it was last used"

    monkeypatch.setattr(comm, "create_comm", Comm)
    lab = LatentExplorer(home["vanilla"], dims=[5], device="cpu")
    lab.add(33), lab.save()
    assert len(inside(lab.view)) > 60
    for widget in inside(lab.view):
        assert widget.comm._reply_subshell_for({}, "the page's") == "the page's", widget


# ----- buttons


@pytest.mark.parametrize(("text", "value"), [("-3", -3.0), ("0", 0.0), ("+3", 3.0)])
def test_the_labs_three_values(lab, text, value):
    button(lab, text, 20).click()
    assert shows(lab, lab.base, latent.perturb(lab.base, 20, value)) and slider(lab, 20).value == value


def test_undo_redo_and_reset(lab):
    base = lab.base.clone()
    slider(lab, 5).set_state({"value": 2.0})
    slider(lab, 20).set_state({"value": -2.0})
    one, both = latent.perturb(base, 5, 2.0), latent.perturb(latent.perturb(base, 5, 2.0), 20, -2.0)
    for text, z in (("undo", one), ("undo", base), ("redo", one), ("redo", both), ("reset", base), ("undo", both)):
        button(lab, text).click()
        assert torch.equal(lab.z, z) and shows(lab, base, z)
        for dim in (5, 20):
            assert stands_at(lab, dim, z[:, dim].mean().item())
    button(lab, "\u21ba", 20).click()
    assert shows(lab, base, one)
    button(lab, "redo").click()
    assert told(lab) == ("there is nothing to redo", True) and shows(lab, base, one)


def test_add_and_remove(lab):
    lab.dimension.set_state({"value": 33})
    button(lab, "add").click()
    assert list(lab.slider_rows) == lab.dims == [5, 20, 33] and len(lab.sliders.children) == 3
    slider(lab, 33).set_state({"value": 2.5})
    z = latent.perturb(lab.base, 33, 2.5)
    assert shows(lab, lab.base, z)
    row = inside(lab.slider_rows[33][0])
    button(lab, "\u00d7", 33).click()
    assert lab.dims == [5, 20] == list(lab.slider_rows) and len(lab.sliders.children) == 2 and shows(lab, lab.base, z)
    assert all(x.comm is None for x in row)
    button(lab, "add").click()  # the slider comes back where the value still is
    assert slider(lab, 33).value == 2.5
    button(lab, "add").click()
    assert lab.dims == [5, 20, 33]


@pytest.mark.slow
def test_rank_orders_all_dimensions_and_adds_the_one_chosen(lab):
    assert lab.by_effect.options == (("not ranked", ""),)
    button(lab, "rank").click()
    assert "100" in told(lab)[0] and lab.bar.value == 1 and lab.bar.layout.visibility == "hidden"
    (_, nothing), *ranked = lab.by_effect.options
    effects = latent.change_along(
        runs.load_run(lab.run.folder).generator(), latent.latents(16, 100, 1), torch.eye(100)[list(range(100))]
    )
    assert nothing == "" and sorted(k for _, k in ranked) == list(range(100)) and lab.by_effect.value == ""
    values = [effects[k].item() for _, k in ranked]
    np.testing.assert_allclose(values, sorted(values, reverse=True), atol=1e-3)
    assert [text for text, _ in ranked] == [f"z[{k}]: {lab.effects[k]:.1f} grey levels/unit" for _, k in ranked]
    first = ranked[0][1]
    lab.by_effect.set_state({"index": 1})
    assert lab.dims == [5, 20, first] and lab.by_effect.value == ""


@pytest.mark.slow
def test_find_offers_directions_and_adds_the_one_chosen(lab, monkeypatch):
    """With what it is known to do; it has no place among the dimensions that are ranked."""
    found = dict(zip(("sefa 1", "sefa 2"), latent.random_directions(2, 100)))
    monkeypatch.setattr(directions, "all_directions", lambda g, latent_dim: found)
    assert lab.direction.options == (("not looked for", ""),)
    lab.deeds = {name: naming.Deed("width", 3.0, 0.4) for name in found}
    button(lab, "find").click()
    words = "+3 pixels from -3 to 3, purity 40%"
    named = [(f"more width (SeFa {k}): {words}", f"sefa {k}") for k in (1, 2)]
    assert lab.direction.options == (("choose", ""), *named)
    lab.direction.set_state({"index": 2})
    assert lab.dims == [5, 20, "sefa 2"] and lab.direction.value == ""
    for dim in range(99):
        lab.effect(dim)
    lab.refresh()
    assert lab.by_effect.options == (("not ranked", ""),)


def test_save_sweep_and_load(home, lab):
    slider(lab, 5).set_state({"value": 2.0})
    lab.base_seed.set_state({"value": 11})
    slider(lab, 20).set_state({"value": -1.0})
    picture, z = lab.stage.value, lab.z.clone()
    button(lab, "save").click()
    assert "vanilla-001" in told(lab)[0] and not told(lab)[1] and lab.recipe.options == ("vanilla-001",)
    button(lab, "sweep").click()
    assert "vanilla-002" in told(lab)[0] and lab.recipe.options == ("vanilla-001", "vanilla-002")
    assert (paths.KEPT / "vanilla-002" / "sweep.gif").exists() and (paths.KEPT / "vanilla-001" / "picture.svg").exists()
    button(lab, "reset").click()
    lab.use(home["dcgan"])
    assert lab.stage.value != picture
    lab.recipe.set_state({"index": 0})
    assert lab.stage.value != picture  # a choice alone loads nothing
    button(lab, "load").click()
    assert lab.stage.value == picture and torch.equal(lab.z, z) and told(lab) == ("vanilla-001 is back", False)
    assert (lab.base_seed.value, lab.network.value, lab.folder.value) == (11, "vanilla", home["vanilla"])
    assert slider(lab, 20).value == -1.0


def test_the_progress_bar_goes_when_the_sweep_is_done(lab):
    seen = []
    lab.bar.observe(lambda change: seen.append(change["new"]), "value")
    button(lab, "sweep").click()
    assert len(seen) > 40 and seen == sorted(seen) and lab.bar.layout.visibility == "hidden"


def test_load_without_anything_kept(lab):
    button(lab, "load").click()
    assert told(lab)[1] and "none" in told(lab)[0]


# ----- where an edit goes, and what is said about it


def test_an_edit_of_one_garment(lab):
    lab.target.set_state({"index": 3})
    assert lab.target.value == "3" and lab.rows == [2]
    assert stands_at(lab, 5, lab.base[2, 5].item()) and "mixed" not in note(lab, 5)
    slider(lab, 5).set_state({"value": 3.5})
    assert shows(lab, lab.base, latent.perturb(lab.base, 5, 3.5, [2]))
    assert [(text, "touched" in classes) for text, classes in measures(lab)["garment"]] == [
        (str(i + 1), i == 2) for i in range(8)
    ]
    others = list(measures(lab).values())[1:]
    assert not any("touched" in classes for row in others for _, classes in row)
    lab.target.set_state({"index": 0})
    button(lab, "0", 20).click()
    assert shows(lab, lab.base, latent.perturb(latent.perturb(lab.base, 5, 3.5, [2]), 20, 0.0))
    assert sum("touched" in classes for row in measures(lab).values() for _, classes in row) == 8


def test_a_walk_by_slider(lab):
    """It begins where the garment stands that is chosen under edit, with its edits, and jumps nowhere."""
    lab.target.set_state({"index": 3})
    slider(lab, 5).set_state({"value": 3.0})
    edited = lab.z.clone()
    lab.end.set_state({"index": 5})
    lab.fraction.set_state({"value": 0.01})
    assert lab.z[2, 5].item() == pytest.approx(3, abs=0.1)
    lab.fraction.set_state({"value": 0.25})
    z = edited.clone()
    z[2] = latent.interpolate(edited[2], edited[5], 5)[1]
    torch.testing.assert_close(lab.z, z, atol=1e-5, rtol=0)
    assert shows(lab, lab.base, lab.z) and lab.fraction.value == 0.25
    button(lab, "undo").click()
    assert lab.fraction.value == 0 and torch.equal(lab.z, edited)


def test_reset_gives_back_the_chosen_garment_alone(lab):
    slider(lab, 5).set_state({"value": 3.0})
    edited = lab.z.clone()
    lab.target.set_state({"index": 4})
    button(lab, "reset").click()
    wanted = edited.clone()
    wanted[3] = lab.base[3]
    assert torch.equal(lab.z, wanted) and shows(lab, lab.base, wanted)


def test_an_own_vector_is_pasted_loaded_and_copied_out(lab):
    mine = latent.latents(1, 100, 77)
    lab.target.set_state({"index": 3})
    lab.numbers.set_state({"value": own.written(mine)})
    button(lab, "take").click()
    wanted = lab.z.clone()
    assert torch.equal(wanted[2], mine[0]) and shows(lab, lab.base, wanted) and told(lab)[0].startswith("garment 3")
    slider(lab, 5).set_state({"value": 1.0})
    lab.numbers.value = ""
    button(lab, "copy").click()
    assert torch.equal(own.read_vectors(lab.numbers.value.encode())[0], lab.z[2]) and not told(lab)[1]
    content = io.BytesIO()
    np.save(content, latent.latents(1, 100, 5).numpy())
    file = {"name": "z.npy", "type": "", "size": 1, "content": content.getvalue(), "last_modified": 0}
    lab.upload.set_state({"value": [file]})
    assert torch.equal(lab.z[2], latent.latents(1, 100, 5)[0]) and lab.upload.value == ()
    before, picture = lab.z.clone(), lab.stage.value
    lab.numbers.set_state({"value": "1, 2, 3"})
    button(lab, "take").click()
    assert told(lab)[1] and "100" in told(lab)[0] and torch.equal(lab.z, before) and lab.stage.value == picture


def test_what_was_kept_is_seen_and_opened_by_a_click(home, lab):
    """Small pictures, the newest first; the animation that was made moves on the page."""
    assert lab.gallery.children == () and lab.movie.layout.display == "none"
    slider(lab, 5).set_state({"value": 2.0})
    z = lab.z.clone()
    button(lab, "save").click()
    button(lab, "reset").click()
    button(lab, "sweep").click()
    assert lab.movie.value == (paths.KEPT / "vanilla-002" / "sweep.gif").read_bytes() and not lab.movie.layout.display
    names = [box.children[-1].description for box in lab.gallery.children]
    assert names == ["vanilla-002", "vanilla-001"]
    for box in lab.gallery.children:
        with Image.open(io.BytesIO(box.children[0].value)) as small:
            assert small.format == "PNG" and small.width <= 220 and np.asarray(small.convert("L")).std() > 5
    lab.gallery.children[1].children[-1].click()
    assert torch.equal(lab.z, z) and told(lab) == ("vanilla-001 is back", False)
    assert lab.movie.layout.display == "none"  # it has no animation
    shutil.rmtree(paths.KEPT / "vanilla-002")
    lab.refresh()
    assert [box.children[-1].description for box in lab.gallery.children] == ["vanilla-001"]


def test_every_message_is_answered(home, lab):
    """A page that hears nothing for a second says so: even what changes nothing has an answer."""

    def beat():
        return int(re.search(r'data-beat="(\d+)"', lab.measurements.value)[1])

    acts = [
        partial(lab.end.set_state, {"index": 4}),
        partial(lab.dimension.set_state, {"value": 7}),
        partial(slider(lab, 5).set_state, {"value": 99}),
        *(button(lab, text).click for text in ("undo", "copy", "take", "load", "reset")),
    ]
    for act in acts:
        before = beat()
        act()
        assert beat() > before, act


def test_new_base_vectors(lab):
    lab.base_seed.set_state({"value": 12})
    base = latent.latents(8, 100, 12)
    assert shows(lab, base, base) and lab.seed == 12
    button(lab, "undo").click()
    assert lab.base_seed.value == 3 and shows(lab, latent.latents(8, 100, 3), lab.base)


def test_the_captions_measure_what_is_shown(lab):
    lab.set(5, 4.0, [1])
    edited = lab.images()[1]
    rows = measures(lab)
    assert all(len(row) == 8 for row in rows.values())
    norms = norms_of(lab)
    assert [text for text, _ in norms] == [f"{x:.2f}" for x in lab.z.norm(dim=1).tolist()]
    assert list(session.MEASURES) == ["brightness", "contrast", "width"]
    for name, measure in session.MEASURES.items():
        assert [text for text, _ in rows[name]] == [f"{x:.0f}" for x in measure(edited).tolist()]
    assert "9.97" in list(rows)[1]  # sqrt(99.5), where N(0, I) lives
    chance, seen = load_classifier()[0].measure(edited)[1].max(1)
    assert [text for text, _ in rows["seen as"]] == [
        f"{CLASSES[k]} {c:.0%}" for k, c in zip(seen.tolist(), chance.tolist(), strict=True)
    ]


def test_without_the_ruler_only_the_classes_are_missing(home, monkeypatch):
    def missing(**_):
        raise LabError("no ruler")

    for module in (editor_widgets, directions):
        monkeypatch.setattr(module, "load_classifier", missing)
    lab = LatentExplorer(home["vanilla"], dims=[5], device="cpu")
    assert list(measures(lab))[2:] == ["brightness", "contrast", "width"] and told(lab) == ("", False)


@pytest.mark.parametrize(("offset", "far"), [(-2.2, True), (-2.0, False), (0.0, False), (2.0, False), (2.2, True)])
def test_a_vector_off_the_shell_is_called_far(lab, offset, far):
    typical = math.sqrt(99.5)
    lab.z = lab.base / lab.base.norm(dim=1, keepdim=True) * typical
    lab.z[3] *= (typical + offset) / typical
    lab.refresh()
    norms = norms_of(lab)
    assert ["far" in classes for _, classes in norms] == [far and i == 3 for i in range(8)]
    assert [text for text, _ in norms] == [
        f"{typical + offset:.2f}{' far' * far}" if i == 3 else "9.97" for i in range(8)
    ]


def test_many_dimensions_at_the_end_of_their_range_lead_far_away(lab):
    lab.select([6])
    for dim in range(20):
        lab.set(dim, 4.0)
    norms = norms_of(lab)
    assert norms[6][0].endswith(" far") and sum("far" in classes for _, classes in norms) == 1
    lab.reset()
    assert "far" not in lab.measurements.value


def test_the_status_line_is_text_not_markup(lab):
    name = '<b>"bold"&'
    (paths.KEPT / name).mkdir(parents=True)
    (paths.KEPT / name / "recipe.json").write_text("{")
    lab.undo()
    assert lab.recipe.options == (name,)
    lab.recipe.set_state({"index": 0})
    button(lab, "load").click()
    assert "<b>" not in lab.status_line.value and html.escape(name) in lab.status_line.value
    assert told(lab)[1] and name in told(lab)[0] and "damaged" in told(lab)[0]


# ----- networks


def test_the_other_network_keeps_the_vectors(home, lab):
    slider(lab, 5).set_state({"value": 3.0})
    z = lab.z.clone()
    lab.network.set_state({"index": 1})
    assert lab.run.config.model == lab.network.value == "dcgan" and lab.folder.value == home["dcgan"]
    assert shows(lab, lab.base, z) and torch.equal(lab.z, z) and slider(lab, 5).value == 3.0
    assert [folder for _, folder in lab.folder.options] == [home["dcgan"]]
    assert note(lab, 5).startswith(f"{lab.effect(5):.1f} grey levels/unit")
    lab.network.set_state({"index": 0})
    assert lab.run.config.model == "vanilla" and torch.equal(lab.z, z)


def test_a_narrow_network_has_fewer_dimensions(home, lab):
    lab.add(60)
    index = [folder for _, folder in lab.folder.options].index(home["narrow"])
    lab.folder.set_state({"index": index})
    assert lab.run.folder == home["narrow"] and lab.z.shape == (8, 50) and lab.dimension.max == 49
    assert list(lab.slider_rows) == lab.dims == [5, 20] and shows(lab, lab.base, lab.base)


@pytest.mark.parametrize("damage", ["missing", "flipped byte"])
def test_a_network_that_cannot_be_opened_leaves_the_old_one(own_runs, mail, damage):
    lab = LatentExplorer(own_runs["vanilla"], dims=[5], device="cpu")
    lab.set(5, 3.0)
    picture = lab.stage.value
    if damage == "missing":
        shutil.rmtree(own_runs["dcgan"])
    else:
        flip(own_runs["dcgan"] / "generator.safetensors")
    lab.network.set_state({"index": 1})
    assert told(lab)[1] and ("finished run" if damage == "missing" else "damaged") in told(lab)[0]
    assert lab.stage.value == picture and lab.network.value == "vanilla" and lab.folder.value == own_runs["vanilla"]
    assert mail(lab.network)[-1]["state"]["index"] == 0  # the page showed the other one


def test_the_open_run_is_deleted(own_runs, clock):
    """Its network is in memory: edits go on, or the status line says why not."""
    lab = setting(LatentExplorer(own_runs["vanilla"], dims=[5], device="cpu"))
    shutil.rmtree(own_runs["vanilla"])
    slider(lab, 5).set_state({"value": 3.0})
    edited = sheets.grey_levels(latent.sample(lab.g, latent.perturb(lab.base, 5, 3.0)))
    assert told(lab)[1] or np.array_equal(decoded(lab)[1, ..., 0], edited[:, 0])


def test_without_a_run_every_control_answers_and_a_good_one_brings_it_to_life(home, tmp_path, monkeypatch):
    root = paths.RUNS
    monkeypatch.setattr(paths, "RUNS", tmp_path / "nothing")
    lab = LatentExplorer(dims=[5, 20], seed=4, device="cpu")
    assert told(lab)[1] and "make report" in told(lab)[0] and lab.view is not None
    messages = [("network", 1), ("target", 3), ("end", 4), ("by_effect", 0)]
    for name, index in messages:
        getattr(lab, name).set_state({"index": index})
    for name, value in (("change", True), ("base_seed", 5), ("fraction", 0.5), ("dimension", 7)):
        getattr(lab, name).set_state({"value": value})
    for text in ("undo", "redo", "reset", "add", "rank", "load", "save", "sweep"):
        button(lab, text).click()
        assert told(lab)[1] and told(lab)[0]
    assert lab.run is None and lab.slider_rows == {} and lab.stage.value == b""

    monkeypatch.setattr(paths, "RUNS", root)
    lab.use(home["dcgan"])
    assert told(lab) == ("", False) and list(lab.slider_rows) == [5, 20]
    base = latent.latents(8, 100, 4)
    assert shows(lab, base, base) and (lab.network.value, lab.base_seed.value, lab.target.value) == ("dcgan", 4, "all")
    slider(setting(lab), 5).set_state({"value": 1.0})
    assert shows(lab, base, latent.perturb(base, 5, 1.0))


def test_a_run_from_elsewhere_is_shown_or_refused(home, tmp_path):
    shutil.copytree(home["vanilla"], tmp_path / "elsewhere")
    lab = LatentExplorer(tmp_path / "elsewhere", dims=[5], device="cpu")
    assert told(lab)[1] or shows(lab, lab.base, lab.base)


def test_a_bad_start_is_told(home):
    lab = LatentExplorer(home["vanilla"], dims=[5, 100], device="cpu")
    assert told(lab)[1] and "100" in told(lab)[0]


# ----- how many widgets there are


@pytest.mark.slow
def test_slider_moves_make_no_widgets(lab):
    count = len(open_widgets)
    for i in range(100):
        slider(lab, (5, 20)[i % 2]).set_state({"value": i / 50})
    assert len(open_widgets) == count


@pytest.mark.slow
def test_rows_that_went_leave_no_widgets(lab):
    lab.add(33)
    lab.remove(33)
    count = len(open_widgets)
    for _ in range(20):
        lab.add(33)
        lab.remove(33)
    assert len(open_widgets) == count


def test_an_editor_that_was_replaced_leaves_no_widgets(home):
    counts = []
    for _ in range(3):
        LatentExplorer(home["vanilla"], dims=[5], device="cpu")
        counts.append(len(open_widgets))
    assert counts[1:] == [counts[0] + 8] * 2  # of the one before, its line and its button


# ----- what a cell shows


def test_a_page_gets_the_view(lab):
    bundle = lab._repr_mimebundle_()
    assert bundle["application/vnd.jupyter.widget-view+json"]["model_id"] == lab.view.model_id


def test_headless_is_a_picture_and_no_widget(home, monkeypatch, lab):
    monkeypatch.setattr(paths, "HEADLESS", True)
    made = []
    w.Widget.on_widget_constructed(made.append)
    try:
        rest = LatentExplorer(home["vanilla"], seed=3, device="cpu")
        rest.set(5, 3.0, [2])
        bundle = rest._repr_mimebundle_()
        rest.sweep(5)
    finally:
        w.Widget.on_widget_constructed(None)
    assert made == [] and rest.view is None and lab.view is None  # the one on the page is closed
    assert set(bundle) == {"text/plain", "text/html"} and "make lab" in bundle["text/plain"]
    assert bundle["text/html"].count("<img") == 1
    png = base64.b64decode(re.search(r'src="data:image/png;base64,([^"]+)"', bundle["text/html"])[1])
    assert png == catalogue.encode(rest.figure())["png"] and torch.equal(rest.z, latent.perturb(rest.base, 5, 3.0, [2]))


def test_headless_without_a_run_says_so(home, tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "HEADLESS", True)
    monkeypatch.setattr(paths, "RUNS", tmp_path / "nothing")
    assert "make report" in LatentExplorer(device="cpu")._repr_mimebundle_()["text/plain"]


def test_the_page_can_name_every_picture_and_control(lab):
    """What the labels script looks for is there; the tooltips and descriptions say what a control does."""
    controls = [
        x
        for x in inside(lab.view)
        if isinstance(x, (w.Button, w.ToggleButton, w.FloatSlider, w.Dropdown, w.BoundedIntText))
    ]
    assert len(controls) > 20 and all(x.description for x in controls)
    assert all(x.tooltip for x in controls if isinstance(x, (w.Button, w.ToggleButton)))
    assert "labkit-editor" in lab.view._dom_classes and ".labkit-stage img" in editor_widgets.SCRIPTS[0]


def test_styles_and_scripts_go_with_the_package():
    patterns = tomllib.loads((paths.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"][
        "package-data"
    ]["*"]
    beside = [
        path for path in Path(editor_widgets.__file__).parent.iterdir() if path.is_file() and path.suffix != ".py"
    ]
    assert {path.name for path in beside} == {"style.css", "labels.js", "clicks.js", "pulse.js"}
    assert all(any(path.match(pattern) for pattern in patterns) for path in beside)


# ----- the connection of the page


class Handler(KernelWebsocketHandler):
    """Stands for the websocket of a page; notes what is asked of it."""

    def __init__(self, calls):
        self.calls = calls

    def set_nodelay(self, value):
        self.calls.append(("set_nodelay", value))


def test_the_connection_sets_nodelay_before_it_connects(monkeypatch):
    calls = []

    async def connect(self):
        calls.append("connect")
        return "connected"

    monkeypatch.setattr(ZMQChannelsWebsocketConnection, "connect", connect)
    assert issubclass(server.PromptConnection, ZMQChannelsWebsocketConnection)
    connection = server.PromptConnection(websocket_handler=Handler(calls))
    assert asyncio.run(connection.connect()) == "connected"
    assert calls == [("set_nodelay", True), "connect"]


# ----- in the reader's language

FOREIGN = {"DCGAN", "GAN", "SeFa", "smoke", "seed", "npy", "csv", "JSON"}  # networks, methods, folders, files


def words_of(lab):
    """All that a reader sees of the editor, or is told by its texts for screen readers and its tips."""
    names = ("description", "tooltip", "placeholder")
    for widget in inside(lab.view):
        yield from (str(getattr(widget, name, None) or "") for name in names)
        yield from (
            str(option[0]) if isinstance(option, tuple) else str(option) for option in getattr(widget, "options", ())
        )
        if isinstance(widget, w.Label):
            yield widget.value
        if isinstance(widget, w.HTML) and "<style>" not in widget.value:
            yield from re.findall(r'(?:title|data-alt)="([^"]*)"', widget.value)
            yield html.unescape(re.sub("<[^>]*>", " ", widget.value))


def test_the_editor_in_chinese_says_no_english_word(home, clock, monkeypatch):
    monkeypatch.setenv("LABKIT_EDITION", "zh")
    lab = LatentExplorer(home["vanilla"], dims=[5], device="cpu")
    lab.change.value = True
    seen = [*words_of(lab)]
    for do in (
        lab.undo,
        lab.redo,
        lab.find,
        lab.rank,
        partial(lab.add, "more width"),
        partial(lab.set, "more width", 3, [1]),
    ):
        do()
        seen += words_of(lab)
    slider(lab, 5).set_state({"value": 99})
    seen += words_of(lab)
    assert all(word in " ".join(seen) for word in ("增大宽度", "服装", "没有可以撤销的操作", "不一"))
    odd = {word for text in seen for word in re.findall("[A-Za-z]{2,}", text)} - FOREIGN
    assert {word for word in odd if word not in str(home)} == set()


def test_the_editor_on_other_pictures_says_what_they_are(home, clock, monkeypatch):
    """On digits it says digit; on pictures of which nothing is known, picture."""
    lab = LatentExplorer(home["vanilla"], dims=[5], device="cpu")
    assert "garments differ" in lab.slider_rows[5][2].value and "Eight garments" in lab.names.value
    run = lab.run
    for dataset, noun in (("mnist", "digit"), ("no_such", "picture")):
        monkeypatch.setattr(lab, "run", None)
        lab._open(dataclasses.replace(run, config=dataclasses.replace(run.config, dataset=dataset)), {}, {})
        lab.refresh()
        assert f"Eight {noun}s" in lab.names.value and f"{noun}s differ" in lab.slider_rows[5][2].value
        assert f">{noun}<" in lab.measurements.value
