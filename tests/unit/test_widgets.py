"""The live editor as a page meets it: what it says is followed, what nobody asked for is told, and no message harms."""

import asyncio
import base64
import copy
import dataclasses
import json
import math
import re
import shutil
import threading
import tomllib
from pathlib import Path
from types import SimpleNamespace

import comm
import ipywidgets
import numpy as np
import pytest
import torch
from comm import DummyComm
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ipywidgets.widgets.widget import _instances as open_widgets
from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection
from jupyter_server.services.kernels.websocket import KernelWebsocketHandler
from test_session import clock, home, measure, own_runs, trained  # noqa: F401  (fixtures, too)

from labkit import data, latent
from labkit.base import paths
from labkit.editor import deeds, server, widgets
from labkit.editor.widgets import Front, LatentExplorer
from labkit.figures import catalogue
from labkit.page.worlds import name_of_world
from labkit.training import runs

EVERY = list(range(8))
TOLD = ("state", "said", "progress", "over", "here")  # what notebook.js hears


@pytest.fixture(autouse=True)
def on_a_page(monkeypatch):
    """Somebody is there to move a slider; what a test leaves open is closed."""
    monkeypatch.setattr(paths, "HEADLESS", False)
    yield
    for name in ("_live", "_last"):
        if getattr(LatentExplorer, name):
            getattr(LatentExplorer, name).close()
            setattr(LatentExplorer, name, None)


@pytest.fixture(autouse=True)
def post(monkeypatch):
    """What goes to pages, as it goes over the wire: (front, message, tensors), the oldest first."""
    sent, send = [], Front.send

    def recorded(self, content, buffers=None):
        parts = [torch.from_numpy(np.frombuffer(bytes(part), "<f4").copy()) for part in buffers or []]
        sent.append((self, json.loads(json.dumps(content, ensure_ascii=False, allow_nan=False).encode()), parts))
        send(self, content, buffers)

    monkeypatch.setattr(Front, "send", recorded)
    return sent


class Page:
    """What kernel.js does: messages with a number, and with the state ahead of them if it has changed."""

    def __init__(self, lab, post, name="1-2"):
        self.lab, self.post, self.name, self.count = lab, post, name, 0
        self.front = lab.front

    def send(self, message, buffers=()):
        """Whatever it is: what comes back, [(message, tensors)], to all pages."""
        before = len(self.post)
        content = {"method": "custom", "content": message}
        self.front._handle_msg({"content": {"data": content}, "buffers": [memoryview(part) for part in buffers]})
        return [(content, parts) for front, content, parts in self.post[before:] if front is self.front]

    def ask(self, deed, *parts, state=None, **fields):
        """The answer: (fields, tensors); what was told meanwhile is in ``heard``."""
        self.count += 1
        message = {"id": f"{self.name}.{self.count}", "deed": deed, "state": state and state[0], **fields}
        came = self.send(
            json.loads(json.dumps(message)), [raw(part) for part in (*parts, *(state[1] if state else ()))]
        )
        *self.heard, (answer, tensors) = came
        assert answer.pop("id") == message["id"] and all(told["tell"] in TOLD for told, _ in self.heard)
        return answer, tensors

    def fault(self, deed, *parts, **options):
        """The line that a deed is refused with."""
        answer, tensors = self.ask(deed, *parts, **options)
        assert set(answer) == {"fault"} and not tensors and one_line(answer["fault"])
        return answer["fault"]

    def follow(self, z, base=None, **changes):
        """Say that the lab's state is this."""
        answer, tensors = self.ask("state", state=state_of(self.lab, z, base, **changes))
        assert (answer, tensors) == ({}, []), answer
        return self.heard


def state_of(lab, z=None, base=None, **changes):
    """As `stateOf` of notebook.js: what is in JSON, and z and base."""
    now = {"run": name_of_world(lab.run.folder), "rows": lab.dims, "mode": lab.mode, "chosen": lab.rows}
    return now | changes, [lab.z if z is None else z, lab.base if base is None else base]


def raw(part):
    return np.ascontiguousarray(torch.as_tensor(part).numpy(), "<f4").tobytes()


def one_line(text):
    return bool(text) and text.splitlines() == [text]


def everything(lab):
    """All that a refused message has to leave as it is."""
    numbers = lab.seed, list(lab.dims), list(lab.rows), lab.mode, lab.run.folder, len(lab._history._undo), lab.at_hand
    return repr((numbers, list(lab.directions), lab.kept())), lab.z.clone(), lab.base.clone()


def unchanged(lab, before):
    now = everything(lab)
    return now[0] == before[0] and all(map(torch.equal, now[1:], before[1:]))


@pytest.fixture
def lab(home, clock):
    """The live editor of the vanilla network, with sliders for z[5] and z[20]."""
    return LatentExplorer(home["vanilla"], dims=[5, 20], seed=3, device="cpu")


@pytest.fixture
def page(lab, post):
    return Page(lab, post)


def told(heard):
    return [message["tell"] for message, _ in heard]


# ----- what a page is told at first


def test_a_page_is_told_of_every_network_and_of_the_base_vectors(home, lab):
    contents = lab.front.contents
    assert json.loads(json.dumps(contents, allow_nan=False)) == contents
    assert sorted(one["run"] for one in contents["networks"]) == sorted(map(name_of_world, home.values()))
    assert all(one["title"] and one["directions"] == [] for one in contents["networks"])
    assert torch.equal(torch.tensor(contents["base"]["z"]), latent.latents(8, 100, 3)) and contents["base"]["seed"] == 3
    assert contents["lab_dims"] == [5, 20] and contents["training"] is None


def test_hello_gives_the_present_state_to_the_bit(lab, page):
    answer, (z, base) = page.ask("hello")
    assert torch.equal(z.view(8, 100), lab.z) and torch.equal(base.view(8, 100), lab.base)
    assert answer["run"] == name_of_world(lab.run.folder) and answer["open"] and answer["fresh"]
    assert answer["fields"] == {"rows": [5, 20], "chosen": EVERY, "mode": "shift", "extra": []}
    assert answer["kept"] == [] and answer["movie"] == ""
    lab.set(5, 2.0)
    answer, (z, base) = page.ask("hello")
    assert not answer["fresh"] and torch.equal(z.view(8, 100), lab.z) and not torch.equal(z, base)


def test_a_direction_goes_to_the_page_with_its_name_and_its_unit(own_runs, clock, post):
    unit, other = latent.random_directions(2, 100)
    measure(runs.load_run(own_runs["vanilla"]), **{"more width": unit, "sefa 1": other})
    lab = LatentExplorer(own_runs["vanilla"], dims=[5, "more width"], device="cpu")
    answer, _ = Page(lab, post).ask("hello")
    ((name, direction),) = answer["fields"]["extra"]
    assert (
        name == direction["name"] == "more width"
        and direction["title"] == lab.title("more width")
        and torch.equal(torch.tensor(direction["unit"]), unit)
    )


# ----- what a page says is followed


def test_the_state_of_the_page_is_followed_and_can_be_undone(lab, page):
    base, z = lab.base.clone(), latent.perturb(lab.base, 5, 2.5, [1, 6])
    page.follow(z, rows=[20, 7], chosen=[1, 6], mode="set")
    assert torch.equal(lab.z, z) and torch.equal(lab.base, base) and not lab.failed
    assert (lab.dims, lab.rows, lab.mode, lab.touched) == ([20, 7], [1, 6], "set", [1, 6])
    assert torch.equal(lab.images()[1], latent.sample(lab.g, z)) and not lab.untouched
    lab.undo()
    assert torch.equal(lab.z, base)
    lab.redo()
    assert torch.equal(lab.z, z)


def test_what_the_page_draws_anew_is_drawn_anew(lab, page):
    lab.images()
    base = latent.latents(8, 100, 77)
    page.follow(base, base)
    assert torch.equal(lab.base, base) and torch.equal(lab.images()[0], latent.sample(lab.g, base))


def test_a_drag_is_one_step_of_undo(lab, page, clock):
    for i in range(30):
        page.follow(latent.perturb(lab.base, 5, i / 10))
    clock.now += 2
    page.follow(latent.perturb(lab.base, 20, 1.0))
    lab.undo()
    assert torch.equal(lab.z, latent.perturb(lab.base, 5, 2.9))
    lab.undo()
    assert torch.equal(lab.z, lab.base)


def test_a_flood_of_moves_ends_at_the_last_and_makes_no_widgets(lab, page, post):
    """The flood is one drag, and the page has a picture for each move that it asks for."""
    z, count = lab.base.clone(), len(open_widgets)
    for i in range(200):
        z[:, (5, 20)[i % 2]] = 4 * math.sin(i / 7)
        _, (pictures,) = page.ask("draw", z, state=state_of(lab, z), run=name_of_world(lab.run.folder))
    assert torch.equal(pictures.view(8, 1, 28, 28), latent.sample(lab.g, z)) and torch.equal(lab.z, z)
    assert len(open_widgets) == count and len(post) == 201  # an answer to each, and the "here" of the beginning
    lab.undo()
    assert torch.equal(lab.z, lab.base)


def test_a_state_goes_ahead_of_what_is_asked(lab, page):
    z = latent.perturb(lab.base, 5, 3.0)
    answer, _ = page.ask("save", state=state_of(lab, z))
    lab.reset(), lab.load(answer["kept"][0]["name"])
    assert torch.equal(lab.z, z)
    page.fault("load", state=state_of(lab, lab.base), name="nothing")
    assert torch.equal(lab.z, lab.base)  # the page has it, whatever comes of the deed


def test_who_brought_a_state_about_is_not_told_of_it_and_another_page_is(lab, page, post):
    page.ask("hello")
    assert page.follow(latent.perturb(lab.base, 5, 1.0)) == []
    other = Page(lab, post, "3-4")
    other.ask("hello")
    z = latent.perturb(lab.base, 20, 2.0)
    ((message, (heard, base)),) = page.follow(z)
    assert message["tell"] == "state" and message["by"] == "1-2" and message["fields"]["rows"] == [5, 20]
    assert torch.equal(heard.view(8, 100), z) and torch.equal(base.view(8, 100), lab.base)
    assert page.follow(z) == []  # it is known by now
    assert other.follow(latent.perturb(z, 5, 0.0))[0][0]["by"] == "3-4"


def test_pages_that_are_opened_again_and_again_are_not_all_remembered(lab, post):
    for k in range(40):
        Page(lab, post, f"{k}-0").ask("hello")
    assert lab.pages == [f"{k}-0" for k in range(24, 40)]


def test_an_edit_in_a_cell_reaches_every_page(lab, page, post):
    page.ask("hello")
    before = len(post)
    lab.set(5, 1.5, [2])
    ((_, message, (z, base)),) = post[before:]
    assert message["tell"] == "state" and message["by"] == "" and message["said"] == "" and not message["failed"]
    assert torch.equal(z.view(8, 100), latent.perturb(lab.base, 5, 1.5, [2])) and torch.equal(
        base.view(8, 100), lab.base
    )
    lab.select([1]), lab.choose_mode("set"), lab.add(33)
    assert [m["fields"] for _, m, _ in post[before + 1 :]][-1] == {
        "rows": [5, 20, 33],
        "chosen": [1],
        "mode": "set",
        "extra": [],
    }
    lab.set(5, 99.0)
    _, message, parts = post[-1]
    assert message["tell"] == "said" and message["failed"] and "99" in message["said"] and not parts
    count = len(post)
    lab.refresh()
    lab.images(), lab.figure()
    assert [m["tell"] for _, m, _ in post[count:]] == ["said"]  # a state that is known is not told again


# ----- states that are none

BAD_FIELDS = {
    "no run": {"run": "full/nothing/0"},
    "a run that is a number": {"run": 5},
    "a run that is a list": {"run": ["a"]},
    "out of the folder": {"run": "../../etc"},
    "rows of text": {"rows": "5"},
    "no rows": {"rows": None},
    "rows of numbers that are not whole": {"rows": [5.5]},
    "rows of truths": {"rows": [True]},
    "rows in rows": {"rows": [[5]]},
    "rows of objects": {"rows": [{}]},
    "a dimension too many": {"rows": [100]},
    "a dimension too few": {"rows": [-1]},
    "a huge dimension": {"rows": [10**400]},
    "a direction that nobody knows": {"rows": ["sefa 99"]},
    "very many rows": {"rows": [5] * 129},
    "nobody chosen": {"chosen": []},
    "a ninth garment": {"chosen": [8]},
    "no garments": {"chosen": None},
    "garments in words": {"chosen": ["0"]},
    "half a garment": {"chosen": [0.5]},
    "a mode of its own": {"mode": "jump"},
    "no mode": {"mode": None},
    "modes": {"mode": ["shift"]},
}


@pytest.mark.parametrize("fields", BAD_FIELDS.values(), ids=BAD_FIELDS)
def test_a_state_with_a_bad_field_changes_nothing(lab, page, fields):
    page.follow(latent.perturb(lab.base, 5, 1.0), chosen=[2])
    before = everything(lab)
    page.fault("state", state=state_of(lab, latent.perturb(lab.base, 20, 3.0), **fields))
    assert unchanged(lab, before)
    page.follow(latent.perturb(lab.base, 5, 2.0))  # and it goes on
    assert torch.equal(lab.z, latent.perturb(lab.base, 5, 2.0))


@pytest.mark.parametrize("missing", ["run", "rows", "chosen", "mode"])
def test_a_state_without_a_field_changes_nothing(lab, page, missing):
    fields, parts = state_of(lab, lab.base + 1)
    del fields[missing]
    before = everything(lab)
    assert missing in page.fault("state", state=(fields, parts)) and unchanged(lab, before)


@pytest.mark.parametrize("state", [[], "state", 5, True, {}])
def test_what_is_no_state_changes_nothing(lab, page, state):
    before = everything(lab)
    page.fault("state", state=(state or {"": 0}, [lab.base, lab.base])) and unchanged(lab, before)
    ((answer, _),) = page.send({"id": "1-2.9", "deed": "state", "state": state}, [raw(lab.base + 1)] * 2)
    assert answer["id"] == "1-2.9" and one_line(answer["fault"]) and unchanged(lab, before)


def bad_vectors(value):
    z = latent.latents(8, 100, 5)
    z[3, 7] = value
    return z


BAD_PARTS = {
    "nothing": lambda z: (),
    "z alone": lambda z: (z,),
    "half a vector": lambda z: (z.flatten()[:-50], z),
    "half a base": lambda z: (z, z.flatten()[:50]),
    "seven": lambda z: (z[:7], z[:7]),
    "seven of eight": lambda z: (z[:7], z),
    "nine": lambda z: (torch.cat([z, z[:1]]), torch.cat([z, z[:1]])),
    "none": lambda z: (z[:0], z[:0]),
    "shorter vectors": lambda z: (z[:, :50], z[:, :50]),
    "not a number": lambda z: (bad_vectors(math.nan), z),
    "infinite": lambda z: (z, bad_vectors(-math.inf)),
    "far beyond all": lambda z: (bad_vectors(1e30), z),
    "very many": lambda z: (z.repeat(2000, 1), z),
}


@pytest.mark.parametrize("parts", BAD_PARTS.values(), ids=BAD_PARTS)
def test_a_state_with_bad_vectors_changes_nothing(lab, page, parts):
    before = everything(lab)
    page.fault("state", state=(state_of(lab)[0], parts(latent.latents(8, 100, 5))))
    assert unchanged(lab, before)


@pytest.mark.parametrize("odd", [b"x", b"12345", b"\0" * 3203])
def test_bytes_that_are_no_numbers_change_nothing(lab, page, odd):
    before = everything(lab)
    ((answer, _),) = page.send({"id": "1-2.1", "deed": "state", "state": state_of(lab)[0]}, [odd, raw(lab.base)])
    assert one_line(answer["fault"]) and unchanged(lab, before)


# ----- messages that are none


@pytest.mark.parametrize(
    "message", [None, 5, "hello", [], {}, {"id": None}, {"id": "1-2.1"}, {"id": 5, "deed": None}, {"deed": "hello"}]
)
def test_what_is_no_message_is_answered_in_one_line(lab, page, message):
    before = everything(lab)
    ((answer, parts),) = page.send(message)
    assert one_line(answer["fault"]) and not parts and unchanged(lab, before)


@pytest.mark.parametrize(
    "deed",
    [
        "",
        "no_such",
        "close",
        "_kept",
        "__init__",
        "do",
        "undo",
        "a\nb",
        "\ud800",
        "x" * 10**6,
        5,
        None,
        [],
        {},
        ["draw"],
    ],
    ids=lambda deed: repr(deed)[:20],
)
def test_an_unknown_deed_is_refused(lab, page, deed):
    before = everything(lab)
    line = page.fault(deed)
    assert len(line) < 300 and "cannot be done" in line and unchanged(lab, before)


@pytest.mark.parametrize("name", ["1-2", "", ".", "a\nb", "\udfff", 10**30, ["x"]], ids=repr)
def test_whatever_a_message_is_called_it_is_answered(lab, page, name):
    ((answer, _),) = page.send({"id": name, "deed": "state"})
    assert type(answer["id"]) is str and "\n" not in answer["id"]


def test_a_fault_of_our_own_is_answered_too(lab, page, monkeypatch):
    """A page that hears nothing waits, and says so for ever."""
    for fault in (RuntimeError("two\nlines"), OSError("disk"), MemoryError(), ZeroDivisionError(), KeyboardInterrupt()):

        def deed(*_, fault=fault):
            raise fault

        monkeypatch.setitem(deeds.DEEDS, "state", deed)
        assert type(fault).__name__ in page.fault("state")
    monkeypatch.undo()


WHATEVER = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["sefa 1", "shift"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=6,
)
FIELDS = ("run", "dim", "name", "text", "seed", "rows", "chosen", "mode", "id", "state")
MESSAGES = st.fixed_dictionaries(
    {
        "id": st.just("1-2.1") | WHATEVER,
        "deed": st.sampled_from(sorted(set(deeds.DEEDS) - {"measure", "sweep"})) | WHATEVER,
    },
    optional={name: WHATEVER for name in FIELDS if name not in ("id", "state")}
    | {"state": st.dictionaries(st.sampled_from(FIELDS), WHATEVER, max_size=5) | WHATEVER},
)
BUFFERS = st.lists(st.binary(max_size=40) | st.sampled_from([400, 3200, 3136]).map(lambda n: b"\0" * n), max_size=4)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(message=MESSAGES | WHATEVER, buffers=BUFFERS)
def test_whatever_comes_is_answered_once_and_leaves_a_sound_state(lab, page, message, buffers):
    came = page.send(copy.deepcopy(message), buffers)
    *heard, (answer, _) = came
    assert "id" in answer and all("tell" in one for one, _ in heard)
    assert "fault" not in answer or one_line(answer["fault"])
    assert lab.z.shape == lab.base.shape == (8, 100) and bool(lab.z.isfinite().all()) and lab.run is not None
    assert set(lab.rows) <= set(EVERY) and lab.rows and lab.mode in ("shift", "set")
    assert all(dim in lab.directions or type(dim) is int and 0 <= dim < 100 for dim in lab.dims)


# ----- other networks


def test_the_page_goes_to_another_network_with_its_vectors(home, lab, page):
    z = latent.perturb(lab.base, 5, 3.0)
    page.follow(z)
    page.follow(z, run=name_of_world(home["dcgan"]))
    assert lab.run.config.model == "dcgan" and torch.equal(lab.z, z)
    assert torch.equal(lab.images()[1], latent.sample(runs.load_run(home["dcgan"]).generator(), z))
    lab.undo()
    assert torch.equal(lab.z, lab.base) and lab.run.config.model == "dcgan"


def test_a_network_of_other_vectors_begins_with_what_the_page_brings(home, lab, page):
    """What was before cannot be undone: it does not fit."""
    page.follow(latent.perturb(lab.base, 5, 3.0))
    narrow, name = latent.latents(8, 50, 4), name_of_world(home["narrow"])
    before = everything(lab)
    page.fault("state", state=state_of(lab, lab.z, run=name))  # 800 numbers are no eight vectors of 50
    page.fault("state", state=state_of(lab, narrow, narrow, run=name, rows=[60]))
    assert unchanged(lab, before)
    page.follow(narrow, narrow, run=name)
    assert lab.run.folder == home["narrow"] and torch.equal(lab.z, narrow) and lab.images()[1].shape == (8, 1, 28, 28)
    lab.undo()
    assert lab.failed and torch.equal(lab.z, narrow)
    page.follow(latent.perturb(narrow, 5, 1.0))
    lab.undo()
    assert torch.equal(lab.z, narrow)
    page.fault("state", state=state_of(lab, narrow, narrow, rows=[50]))


def test_a_direction_that_was_measured_meanwhile_is_known(own_runs, clock, post):
    """As by another notebook; the page has heard of it before this editor has."""
    lab = LatentExplorer(own_runs["vanilla"], dims=[5], device="cpu")
    page, unit = Page(lab, post), latent.random_directions(1, 100)[0]
    page.fault("state", state=state_of(lab, rows=[5, "sefa 1"]))
    measure(lab.run, **{"sefa 1": unit, "sefa 2": -unit})
    page.follow(lab.z, rows=[5, "sefa 1"])
    assert lab.dims == [5, "sefa 1"] and torch.equal(lab.directions["sefa 1"], unit)


def test_the_open_run_is_deleted(own_runs, clock, post):
    """Its network is in memory: edits go on."""
    lab = LatentExplorer(own_runs["vanilla"], dims=[5], device="cpu")
    page, run = Page(lab, post), name_of_world(own_runs["vanilla"])
    shutil.rmtree(own_runs["vanilla"])
    z = latent.perturb(lab.base, 5, 3.0)
    _, (pictures,) = page.ask("draw", z, state=state_of(lab, z), run=run)
    assert torch.equal(pictures.view(8, 1, 28, 28), latent.sample(lab.g, z)) and torch.equal(lab.z, z)


# ----- no network, and one editor at a time


def test_without_a_run_a_cell_says_so_and_a_good_one_brings_it_to_life(home, tmp_path, monkeypatch, post):
    root = paths.RUNS
    monkeypatch.setattr(paths, "RUNS", tmp_path / "nothing")
    lab = LatentExplorer(dims=[5, 20], seed=4, device="cpu")
    assert lab.failed and lab.front is None and lab.run is None
    assert lab._repr_mimebundle_() == {"text/plain": lab.status} and "make report" in lab.status
    for call in (lab.undo, lab.save, lab.sweep, lab.refresh, lab.close, lab.take_over):
        call()
    assert lab.front is None and post == []

    monkeypatch.setattr(paths, "RUNS", root)
    lab.use(home["dcgan"])
    assert not lab.failed
    bundle, _ = lab._repr_mimebundle_()
    assert bundle["application/vnd.jupyter.widget-view+json"]["model_id"] == lab.front.model_id
    answer, (z, _) = Page(lab, post).ask("hello")
    assert (
        torch.equal(z.view(8, 100), latent.latents(8, 100, 4))
        and answer["open"]
        and answer["fields"]["rows"] == [5, 20]
    )


@pytest.mark.parametrize("options", [{"dims": [5, 100]}, {"dims": ["nowhere"]}, {"seed": -1}, {"run": "elsewhere"}])
def test_a_bad_start_is_told(home, options):
    lab = LatentExplorer(**{"run": home["vanilla"], "device": "cpu", **options})
    assert lab.failed and one_line(lab.status) and lab.front is None
    assert lab._repr_mimebundle_()["text/plain"] == lab.status


def test_an_editor_whose_place_was_taken_says_so_and_can_be_brought_back(home, lab, page, post, clock):
    """As when the notebook is run in a second tab: the first page shows a line, and no blank."""
    page.follow(latent.perturb(lab.base, 5, 2.0))
    z, before = lab.z.clone(), len(post)
    second = LatentExplorer(home["vanilla"], dims=[5, 20], seed=3, device="cpu")
    assert [(front, m["tell"]) for front, m, _ in post[before:]] == [(lab.front, "over"), (second.front, "here")]
    assert not lab.is_open and second.is_open and not page.ask("hello")[0]["open"]
    before = len(post)
    assert page.ask("back") == ({}, []) and lab.is_open and not second.is_open
    assert [(front, m["tell"]) for front, m, _ in post[before:-1]] == [(second.front, "over"), (lab.front, "here")]
    assert torch.equal(lab.z, z) and torch.equal(second.z, second.base)
    clock.now += 2
    page.follow(latent.perturb(z, 20, 1.0))
    lab.undo()
    assert torch.equal(lab.z, z) and Page(second, post).ask("hello")[0]["open"] is False


def test_a_third_editor_closes_the_first_and_no_widget_is_left(home):
    """The two before it stay: one is open, the other can be brought back."""
    counts, labs = [], []
    for _ in range(4):
        labs.append(LatentExplorer(home["vanilla"], dims=[5], device="cpu"))
        counts.append(len(open_widgets))
    assert counts[1] == counts[2] == counts[3]
    assert [lab.front is None for lab in labs] == [True, True, False, False] and labs[3].is_open


def test_a_closed_editor_answers_nothing_and_comes_back_when_it_is_shown(lab, page, post):
    front, z, model = lab.front, latent.perturb(lab.base, 5, 1.0), lab.front.model_id
    for _ in range(2):  # twice does no harm
        lab.close()
    assert front.comm is None
    before = len(post)
    page.send({"id": "1-2.1", "deed": "hello"})
    lab.set(5, 1.0)
    assert len(post) == before and torch.equal(lab.z, z)
    bundle, _ = lab._repr_mimebundle_()
    assert bundle["application/vnd.jupyter.widget-view+json"]["model_id"] == lab.front.model_id != model
    assert torch.equal(Page(lab, post).ask("hello")[1][0].view(8, 100), z) and lab.is_open


def test_messages_are_taken_where_the_page_sends_them(home, monkeypatch):
    """ipykernel hands a message to the thread that spoke last for a widget: then one overtakes another."""

    class Comm(DummyComm):
        def _reply_subshell_for(self, data, sent_to):
            return "where it was last used"

    monkeypatch.setattr(comm, "create_comm", Comm)
    lab = LatentExplorer(home["vanilla"], dims=[5], device="cpu")
    assert lab.front.comm._reply_subshell_for({}, "the page's") == "the page's"


def test_messages_and_cells_in_two_threads_do_not_mix(lab, page):
    """JupyterLab answers a page in a thread of its own while a cell runs."""
    stop, odd = threading.Event(), []

    def cell():
        while not stop.is_set():
            lab.set(20, 1.0, [7])

    thread = threading.Thread(target=cell)
    thread.start()
    try:
        for i in range(60):
            z = latent.perturb(lab.base, 5, i / 20, [0])
            page.send({"id": "1-2.1", "deed": "state", "state": state_of(lab)[0]}, [raw(z), raw(lab.base)])
            odd += [abs(lab.z[0, 5].item() - i / 20) > 1e-6]
    finally:
        stop.set()
        thread.join()
    assert not any(odd)


# ----- what a cell shows


def test_headless_is_a_picture_and_no_widget(home, monkeypatch, lab):
    monkeypatch.setattr(paths, "HEADLESS", True)
    made = []
    ipywidgets.Widget.on_widget_constructed(made.append)
    try:
        rest = LatentExplorer(home["vanilla"], seed=3, device="cpu")
        rest.set(5, 3.0, [2])
        bundle = rest._repr_mimebundle_()
        rest.sweep(5)
    finally:
        ipywidgets.Widget.on_widget_constructed(None)
    assert made == [] and rest.front is None
    assert set(bundle) == {"text/plain", "text/html"} and "make lab" in bundle["text/plain"]
    assert bundle["text/html"].count("<img") == 1
    png = base64.b64decode(re.search(r'src="data:image/png;base64,([^"]+)"', bundle["text/html"])[1])
    assert png == catalogue.encode(rest.figure())["png"] and torch.equal(rest.z, latent.perturb(rest.base, 5, 3.0, [2]))


def test_headless_without_a_run_says_so(home, tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "HEADLESS", True)
    monkeypatch.setattr(paths, "RUNS", tmp_path / "nothing")
    assert "make report" in LatentExplorer(device="cpu")._repr_mimebundle_()["text/plain"]


def test_the_scripts_are_a_module_and_the_look_follows_the_room(lab):
    """anywidget takes a default export with `render`; what follows the window in a page follows the output here."""
    assert re.search(r'export default \{render: labModules\["notebook\.js"\]\.render\};\s*$', Front._esm)
    assert not any(query in Front._css for query in widgets.ROOM) and Front._css.count("@container lab") >= 2
    assert ".labkit-editor" in Front._css and "http" not in re.sub(r"http://www\.w3\.org/\S*", "", Front._css)


def test_styles_go_with_the_package():
    project = tomllib.loads((paths.ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = project["tool"]["setuptools"]["package-data"]["*"]
    beside = [path for path in Path(widgets.__file__).parent.iterdir() if path.is_file() and path.suffix != ".py"]
    assert {path.name for path in beside} == {"notebook.css"}
    assert all(any(path.match(pattern) for pattern in patterns) for path in beside)


# ----- in the reader's language

KEYS = {"Ctrl", "Shift", "Esc", "Home", "End", "Page", "Up", "Down", "Enter", "Backspace", "Delete", "Tab", "Alt"}
BROWSERS = {"Chromium", "Firefox", "Safari", "WebAssembly", "DecompressionStream", "JavaScript", "JupyterLab"}
FOREIGN = (
    KEYS
    | BROWSERS
    | {"DCGAN", "GAN", "SeFa", "smoke", "seed", "npy", "csv", "JSON", "json", "PNG", "SVG", "MB", "px", "txt", "float"}
)


def test_the_editor_in_chinese_says_no_english_word(home, clock, monkeypatch, post):
    monkeypatch.setenv("LABKIT_EDITION", "zh")
    lab = LatentExplorer(home["vanilla"], dims=[5], device="cpu")
    page, contents = Page(lab, post), lab.front.contents
    seen = [*contents["words"].values(), *contents["classes"], *(one["title"] for one in contents["networks"])]
    lab.undo(), lab.redo(), lab.rank()
    answers = [page.ask(deed)[0] for deed in ("hello", "save", "no_such")]
    seen += [m["said"] for _, m, _ in post if "said" in m] + [a["fault"] for a in answers if "fault" in a]
    assert all(word in " ".join(seen) for word in ("服装", "没有可以撤销的操作", "维度"))
    plain = [re.sub(r"\{[^}]*\}|<[^>]*>|[\w./-]+\.(?:json|png|svg|gif)|'[^']*'|\S*/\S*", " ", text) for text in seen]
    odd = {word for text in plain for word in re.findall("[A-Za-z]{2,}", text)} - FOREIGN
    assert sorted(word for word in odd if word not in str(home)) == []


@pytest.mark.parametrize(("dataset", "noun"), [("mnist", "digit"), (data.DEFAULT, "garment")])
def test_the_editor_on_other_pictures_says_what_they_are(home, clock, lab, dataset, noun):
    run = dataclasses.replace(lab.run, config=dataclasses.replace(lab.run.config, dataset=dataset))
    words = deeds.contents(SimpleNamespace(opened=lambda: run, base=lab.base, seed=3, dims=[5]))["words"]
    said = " ".join(words.values())
    assert noun in said and "{noun" not in said and ("garment" in said) == (noun == "garment")


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
