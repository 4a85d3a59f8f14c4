"""The editor without its sliders: every edit is what `latent` makes of it, can be undone, comes back from a file."""

import functools
import inspect
import io
import json
import math
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from labkit import latent, pictures
from labkit.analysis import directions, effects, naming
from labkit.analysis.effects import EffectTable
from labkit.base import cache, paths
from labkit.base.errors import LabError
from labkit.editor import history, own
from labkit.editor.session import Editor
from labkit.figures import catalogue, sheets
from labkit.latent import LAB_DIMS
from labkit.page import worlds
from labkit.study import records
from labkit.training import runs
from labkit.training import state as training_state

MODELS = ["vanilla", "dcgan"]
each_model = pytest.mark.parametrize("model", MODELS)


@pytest.fixture(scope="session")
def trained(tiny_config, sample_images, tmp_path_factory):
    """The root of three finished runs: both networks, and a "narrow" one with 50 latent dimensions.

    Their step size is large, so that after four steps an edit moves the picture by several grey levels. Two test
    files have this fixture; the second finds the runs where the first left them.
    """
    root = tmp_path_factory.getbasetemp() / "tiny runs"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "trained_generator", functools.partial(training_state.trained_generator, n=100))
        for model, changes in (("vanilla", {}), ("dcgan", {}), ("vanilla", {"latent_dim": 50})):
            runs.fit_or_load(tiny_config(model, examples=16, lr=1e-2, **changes), "cpu", root, sample_images)
    for checkpoint in root.rglob("checkpoint-*"):
        checkpoint.unlink()
    return root


def folders(root):
    """The three runs in ``root``, by name."""
    configs = {folder: json.loads((folder / "run.json").read_text())["config"] for folder in runs.finished(root)}
    found = {"narrow" if config["latent_dim"] == 50 else config["model"]: folder for folder, config in configs.items()}
    assert sorted(found) == ["dcgan", "narrow", "vanilla"]
    return found


@pytest.fixture
def home(trained, tmp_path, monkeypatch):
    """The folders of the runs, by name; what is kept goes to a folder of the test's own."""
    monkeypatch.setattr(paths, "RUNS", trained)
    monkeypatch.setattr(paths, "STUDIES", tmp_path / "studies")
    monkeypatch.setattr(paths, "KEPT", tmp_path / "figures" / "explorer")
    return folders(trained)


@pytest.fixture
def own_runs(home, tmp_path, monkeypatch):
    """The same, in a copy that may be damaged."""
    shutil.copytree(paths.RUNS, tmp_path / "runs")
    monkeypatch.setattr(paths, "RUNS", tmp_path / "runs")
    return folders(paths.RUNS)


@pytest.fixture
def clock(monkeypatch):
    """The editor's clock, in seconds: it stands still until a test sets ``clock.now``."""
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(history, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


@pytest.fixture
def editor(home, clock):
    return Editor(home["vanilla"], seed=3, device="cpu")


def generator(folder):
    return runs.load_run(folder).generator()


def shows(editor, g, base, z):
    """Whether vectors and pictures are those of ``base`` and ``z``, to the bit."""
    vectors = torch.equal(editor.base, base) and torch.equal(editor.z, z)
    return vectors and all(map(torch.equal, editor.images(), (latent.sample(g, base), latent.sample(g, z))))


def state(editor):
    """All that a refused call has to leave as it is."""
    picture = editor.images()[1].clone() if editor.run else None
    numbers = (
        editor.seed,
        list(editor.dims),
        editor.dim,
        list(editor.rows),
        list(editor.touched),
        editor.run and editor.run.folder,
    )
    return numbers, *((x.clone() for x in (editor.base, editor.z, picture)) if editor.run else ())


def same(a, b):
    return a[0] == b[0] and len(a) == len(b) and all(map(torch.equal, a[1:], b[1:]))


def refuses(editor, *words):
    """Whether the status line says that the last call failed, in one line and with these words."""
    return (
        editor.failed
        and editor.status
        and editor.status.splitlines() == [editor.status]
        and all(str(w) in editor.status for w in words)
    )


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


# ----- single edits


@each_model
def test_a_new_editor_shows_what_the_seed_drew(home, model):
    e = Editor(home[model], seed=3, device="cpu")
    assert shows(e, generator(home[model]), latent.latents(8, 100, 3), latent.latents(8, 100, 3))
    assert (e.seed, e.dims, e.failed, e.status) == (3, list(LAB_DIMS), False, "")
    assert e.images()[0].std(0).mean() > 0.05  # eight different pictures


@pytest.mark.parametrize("rows", [None, [0], [7], [2, 5]], ids="rows {}".format)
@each_model
def test_set_is_perturb_and_the_picture_is_sample(home, model, rows):
    e, g, base = Editor(home[model], seed=3, device="cpu"), generator(home[model]), latent.latents(8, 100, 3)
    e.set(20, -2.5, rows)
    assert shows(e, g, base, latent.perturb(base, 20, -2.5, rows)) and not e.failed
    changed = [bool((edited - plain).abs().max() > 1 / 127.5) for plain, edited in zip(*e.images())]
    assert changed == [rows is None or row in rows for row in range(8)]  # by more than a grey level, where it should
    e.set(99, 4, rows)  # on top of the first
    assert shows(e, g, base, latent.perturb(latent.perturb(base, 20, -2.5, rows), 99, 4.0, rows))
    assert e.dim == 99 and e.touched == (rows or list(range(8)))


def test_edits_go_where_the_editor_is_aimed(home, editor):
    base = editor.base.clone()
    editor.select([1, 6])
    editor.set(5, 3.0)
    once = latent.perturb(base, 5, 3.0, [1, 6])
    assert torch.equal(editor.z, once) and editor.touched == [1, 6]
    editor.set(20, 1.0, [0])  # rows of its own
    assert torch.equal(editor.z, latent.perturb(once, 20, 1.0, [0])) and editor.rows == [1, 6]


NAN, INF = math.nan, math.inf
BAD = {
    "set value": [("set", 5, value) for value in (NAN, INF, -INF, None, "1", 1e9, 4.01, -4.01, True, [1.0], 10**400)],
    "set dim": [("set", dim, 0.0) for dim in (-1, 100, "3", 1.5, None, True)],
    "set rows": [("set", 5, 1.0, rows) for rows in ([], [8], [-1], "all", [True], [1.0], ["1"], (8,), 3, [0, None])],
    "reset": [("reset", dim) for dim in (-1, 100, "3", 1.5)],
    "reseed": [("reseed", seed) for seed in (-1, 2**31, 1.5, "1", None, True)],
    "walk t": [("walk", 0, 1, t) for t in (NAN, INF, -0.01, 1.01, None, "0", True)],
    "walk ends": [("walk", *ends, 0.5) for ends in ((8, 0), (0, -1), (None, 8), (0, "1"), (0, 1.0), (0, None))],
    "shift": [("shift", 5, by) for by in (NAN, INF, None, "1", 4.01, -4.01, True)] + [("shift", 100, 0.0)],
    "reset rows": [("reset", None, rows) for rows in ([], [8], "all", [True])],
    "mode": [("choose_mode", mode) for mode in ("", None, 1, "add")],
    "place": [("place", given) for given in (None, "x", [], [[]], [1.0] * 99, [[0.0] * 100] * 9, [NAN] * 100)],
    "add": [("add", dim) for dim in (-1, 100, "3", 1.5, None)],
    "select": [("select", rows) for rows in ([], [8], "all", None, 3)],
    "sweep": [("sweep", dim) for dim in (-1, 100, "3", 1.5)],
    "load": [("load", name) for name in (None, "", ".", "..", "nothing", 5, [])],
}


@pytest.mark.parametrize("calls", BAD.values(), ids=BAD)
def test_a_bad_value_changes_nothing(editor, calls):
    editor.set(5, 2.0)
    editor.set(20, -1.0, [3])
    editor.set(40, 3.0)
    editor.undo()  # something to undo, and something to redo
    before = state(editor)
    for method, *arguments in calls:
        getattr(editor, method)(*arguments)
        assert refuses(editor) and same(state(editor), before) and editor.kept() == [], arguments

    editor.redo()
    assert not editor.failed and editor.status == "" and torch.equal(editor.z, latent.perturb(before[2], 40, 3.0))
    for _ in range(3):
        editor.undo()
    assert not editor.failed and torch.equal(editor.z, editor.base)
    editor.undo()
    assert refuses(editor, "nothing to undo")


@pytest.mark.parametrize("value", [4, -4, 4.0, 0, 1e-9])
def test_the_whole_range_can_be_set(editor, value):
    editor.set(5, value)
    assert not editor.failed and (editor.z[:, 5] == torch.tensor(float(value))).all()


def test_the_status_tells_the_last_call_alone(editor):
    editor.set(5, NAN)
    assert refuses(editor, "nan")
    editor.set(5, 1.0)
    assert (editor.status, editor.failed) == ("", False)


def test_every_method_ends_in_a_new_picture(home):
    class Counting(Editor):
        drawn = 0

        def refresh(self):
            self.drawn += 1

    e = Counting(home["vanilla"], device="cpu")
    assert e.drawn == 1
    calls = [("set", 5, 1.0), ("set", 5, NAN), ("undo",), ("undo",), ("select", [0]), ("load", "x")]
    for count, (method, *arguments) in enumerate(calls, 2):
        getattr(e, method)(*arguments)
        assert e.drawn == count


# ----- reset, base vectors, walks


def test_reset_of_one_dimension_and_of_all(editor):
    base = editor.base.clone()
    editor.set(5, 3.0)
    editor.set(20, -3.0, [2])
    editor.reset(5)
    assert torch.equal(editor.z, latent.perturb(base, 20, -3.0, [2]))
    editor.set(99, 1.0)
    editor.reset()
    assert torch.equal(editor.z, base) and torch.equal(editor.base, base)
    editor.undo()
    assert torch.equal(editor.z, latent.perturb(latent.perturb(base, 20, -3.0, [2]), 99, 1.0))


def test_the_base_is_out_of_reach_of_edits(editor):
    base = editor.base.clone()
    for call in (("reset",), ("set", 5, 3.0), ("walk", 0, 1, 0.5), ("reset",), ("set", 20, 1.0, [4])):
        getattr(editor, call[0])(*call[1:])
        assert torch.equal(editor.base, base) and torch.equal(editor.images()[0], latent.sample(editor.g, base))


def test_reseed_depends_on_the_seed_alone(home, editor):
    editor.set(5, 3.0)
    editor.images(), torch.rand(3)  # neither old pictures nor anybody's random numbers are in the way
    editor.reseed(7)
    assert (
        shows(editor, generator(home["vanilla"]), latent.latents(8, 100, 7), latent.latents(8, 100, 7))
        and editor.seed == 7
    )
    assert torch.equal(editor.z, Editor(home["vanilla"], seed=7, device="cpu").z)
    editor.reseed(8)
    assert not torch.equal(editor.z, latent.latents(8, 100, 7))


@pytest.mark.parametrize("dim", [None, 5])
def test_reset_changes_the_garments_that_the_editor_is_set_to(editor, dim):
    editor.set(5, 3.0)
    editor.set(20, -3.0)
    edited = editor.z.clone()
    editor.select([3, 6])
    editor.reset(dim)
    wanted = edited.clone()
    wanted[[3, 6]] = editor.base[[3, 6]] if dim is None else latent.perturb(editor.base, 20, -3.0)[[3, 6]]
    assert torch.equal(editor.z, wanted)
    editor.undo()
    assert torch.equal(editor.z, edited)
    editor.reset(dim, [0])  # rows of its own
    assert (editor.z != edited).any(1).tolist() == [True] + 7 * [False]


@pytest.mark.parametrize(("start", "end"), [(0, 1), (6, 2), (3, 3)])
def test_walk_goes_from_what_is_shown_to_what_is_shown(editor, start, end):
    editor.set(5, 4.0)  # a walk keeps the edits of both
    editor.set(20, -2.0, [start])
    shown = editor.z.clone()
    others = [row for row in range(8) if row != start]
    for t, target in ((0, shown[start]), (1, shown[end]), (0, shown[start])):
        editor.walk(start, end, t)
        assert not editor.failed and editor.touched == [start]
        torch.testing.assert_close(editor.z[start], target, atol=1e-5, rtol=0)
    editor.walk(start, end, 0.5)
    a, b, middle = (x.double() for x in (shown[start], shown[end], editor.z[start]))
    assert middle.norm().item() == pytest.approx((a.norm() + b.norm()).item() / 2, rel=1e-5)  # on the shell
    torch.testing.assert_close(
        middle / middle.norm() @ a / a.norm(), middle / middle.norm() @ b / b.norm(), atol=1e-5, rtol=0
    )
    assert torch.equal(editor.z[others], shown[others])


def test_a_walk_begins_anew_after_another_edit(editor):
    editor.walk(0, 1, 0.5)
    editor.set(5, 4.0, [0])
    edited = editor.z.clone()
    editor.walk(0, 1, 0.0)
    torch.testing.assert_close(editor.z, edited, atol=1e-5, rtol=0)  # and what was done on the way is not lost


def test_a_walk_without_a_start_takes_the_garments_that_the_editor_is_set_to(editor):
    base = editor.base.clone()
    editor.select([2, 4])
    editor.walk(None, 7, 0.3)
    for row in range(8):
        wanted = latent.interpolate(base[row], base[7], 101)[30] if row in (2, 4) else base[row]
        torch.testing.assert_close(editor.z[row], wanted, atol=1e-6, rtol=0)
    assert editor.touched == [2, 4]
    editor.undo()
    assert torch.equal(editor.z, base)


def test_walk_goes_all_the_way_in_small_steps(editor):
    editor.walk(0, 1, 0.0)
    way, a, b = [], *editor.base[:2].double()
    for i in range(101):
        editor.walk(0, 1, i / 100)
        z = editor.z[0].double()
        way.append(torch.arccos(z @ a / z.norm() / a.norm()).item())
    angle = torch.arccos(a @ b / a.norm() / b.norm()).item()
    np.testing.assert_allclose(way, np.linspace(0, angle, 101), atol=1e-3)


# ----- shift by


@pytest.mark.parametrize("rows", [None, [2, 5]], ids="rows {}".format)
def test_a_shift_moves_each_garment_from_where_it_is(editor, rows):
    base = editor.base.clone()
    editor.shift(5, 0.0, rows)
    assert torch.equal(editor.z, base)  # the first touch changes nothing by a jump
    for by in (0.5, -2.25, 4.0, 0.0):
        editor.shift(5, by, rows)
        wanted = base.clone()
        wanted[rows or slice(None), 5] += by
        assert torch.equal(editor.z, wanted) and editor.touched == (rows or list(range(8)))
    editor.undo()  # one gesture
    assert torch.equal(editor.z, base)


def test_a_shift_keeps_what_differs_between_garments(editor):
    editor.shift(5, 2.0, [0])
    editor.shift(5, 1.0)  # on average: one stands 1.75 above the seven others, which are 0.25 below that mean
    moved = editor.z[:, 5] - editor.base[:, 5]
    torch.testing.assert_close(moved, torch.tensor([2.75] + 7 * [0.75]), atol=1e-5, rtol=0)
    assert moved.mean().item() == pytest.approx(1.0, abs=1e-5)


def test_a_slider_shifts_at_first_and_sets_when_told_to(editor):
    assert editor.mode == "shift"
    editor.choose_mode("set")
    assert editor.mode == "set" and not editor.failed and torch.equal(editor.z, editor.base)


def test_a_shift_along_a_direction(editor):
    editor.directions = {"mine": latent.random_directions(1, 100)[0]}
    unit = editor.directions["mine"]
    editor.shift("mine", -1.5, [1, 6])
    wanted = editor.base.clone()
    wanted[[1, 6]] -= 1.5 * unit
    torch.testing.assert_close(editor.z, wanted, atol=1e-5, rtol=0)


# ----- vectors of one's own


def test_an_own_vector_takes_the_place_of_the_chosen_garment(home, editor):
    mine = latent.latents(2, 100, 77)
    editor.set(5, 1.0)
    before, base = editor.z.clone(), editor.base.clone()
    editor.select([3, 5])
    for given, rows in ((mine[0], [3]), (mine.numpy(), [3, 5]), (mine.tolist(), [3, 5])):
        editor.place(given)
        assert not editor.failed and editor.touched == rows and "4" in editor.status
        assert torch.equal(editor.z[rows], mine[: len(rows)]) and torch.equal(editor.base[rows], mine[: len(rows)])
        others = [row for row in range(8) if row not in rows]
        assert torch.equal(editor.z[others], before[others])
        editor.undo()
        assert torch.equal(editor.z, before) and torch.equal(editor.base, base)
    editor.place(mine[0, :50])
    assert refuses(editor, "50", "100")
    editor.place(latent.latents(3, 100, 1))
    assert refuses(editor, "3", "2")


def npy(array):
    content = io.BytesIO()
    np.save(content, array)
    return content.getvalue()


MINE = np.linspace(-2, 2, 6).astype(np.float32).reshape(2, 3)
WRITTEN = {
    "npy": npy(MINE),
    "npy float64": npy(MINE.astype(np.float64)),
    "json": json.dumps(MINE.tolist()).encode(),
    "csv": "\n".join(",".join(map(str, row)) for row in MINE.tolist()).encode(),
    "csv of a spreadsheet": "\ufeff-2;-1.2;-0.4\r\n0.4;1.2;2\r\n".encode(),
    "printed": b"[-2 -1.2 -0.4]\n[0.4 1.2 2]",
    "a recipe": json.dumps({"format": 1, "z": MINE.tolist()}).encode(),
}


@pytest.mark.parametrize("content", WRITTEN.values(), ids=WRITTEN)
def test_vectors_are_read_from_what_people_have(content):
    np.testing.assert_allclose(own.read_vectors(content).numpy(), MINE, atol=1e-6)


@pytest.mark.parametrize("content", [b"1\n2\n3\n", b"1,2,3", b"[1, 2, 3]", npy(np.arange(1, 4))], ids=repr)
def test_one_vector_is_one(content):
    assert own.read_vectors(content).tolist() == [[1.0, 2.0, 3.0]]


def test_what_was_copied_out_can_be_pasted(editor):
    for rows in ([2], [0, 7]):
        assert torch.equal(own.read_vectors(own.written(editor.z[rows]).encode()), editor.z[rows])


NO_VECTORS = {
    "empty": b"", "words": b"hello", "half json": b"[1, 2", "ragged": b"1,2\n3", "ragged json": b"[[1, 2], [3]]",
    "nan": b"nan, 1", "infinite": b"1e400, 1", "json without vectors": b"{}", "truths": b"[true, false]",
    "text numbers": b'["1", "2"]', "not text": b"\xff\xfe", "damaged npy": npy(MINE)[:-4], "deep": b"[" * 100_000,
    "three axes": npy(np.zeros((2, 2, 2))), "complex": npy(np.zeros(3, complex)), "null": b"[null]",
    "huge": b"1," * (5 << 20), "objects": npy(np.zeros(3, "S3")), "far": b"1e7, 0",
}  # fmt: skip


@pytest.mark.parametrize("content", NO_VECTORS.values(), ids=NO_VECTORS)
def test_what_is_no_vector_is_refused_in_a_line(content):
    with pytest.raises(LabError, match="own vector"):
        own.read_vectors(content)


# ----- undo and redo


@each_model
def test_undo_and_redo_are_exact(home, clock, model):
    e = Editor(home[model], seed=3, device="cpu")
    steps = [("set", 5, 3.0), ("set", 20, -1.5, [2]), ("walk", 0, 1, 0.3), ("reseed", 9)]
    steps += [("set", 5, 1.0), ("reset", 5), ("set", 60, 4.0), ("reset",)]
    seen = [(e.seed, e.base.clone(), e.z.clone(), *(x.clone() for x in e.images()))]
    for step in steps:
        getattr(e, step[0])(*step[1:])
        seen.append((e.seed, e.base.clone(), e.z.clone(), *(x.clone() for x in e.images())))

    def stands_at(i):
        return not e.failed and e.seed == seen[i][0] and all(map(torch.equal, (e.base, e.z, *e.images()), seen[i][1:]))

    for _ in range(2):
        for i in reversed(range(len(steps))):
            e.undo()
            assert stands_at(i)
        for i in range(len(steps)):
            e.redo()
            assert stands_at(i + 1)


def test_nothing_to_undo_or_redo(editor):
    before = state(editor)
    for method in ("undo", "redo"):
        getattr(editor, method)()
        assert refuses(editor, f"nothing to {method}") and same(state(editor), before)


def test_a_new_edit_ends_what_could_be_redone(editor):
    editor.set(5, 1.0)
    editor.undo()
    editor.set(20, 1.0)
    editor.redo()
    assert refuses(editor, "nothing to redo") and torch.equal(editor.z, latent.perturb(editor.base, 20, 1.0))


DRAGS = {
    "set": lambda e, i: e.set(5, i / 10),
    "set in a row": lambda e, i: e.set(5, i / 10, [3]),
    "walk": lambda e, i: e.walk(0, 1, i / 10),
}


@pytest.mark.parametrize("move", DRAGS.values(), ids=DRAGS)
def test_the_moves_of_a_drag_are_one_step(editor, clock, move):
    editor.set(40, 1.0)
    before = editor.z.clone()
    for i in range(1, 6):
        clock.now += 0.9  # from the move before, not from the first
        move(editor, i)
    after = editor.z.clone()
    editor.undo()
    assert torch.equal(editor.z, before)
    editor.redo()
    assert torch.equal(editor.z, after)


def test_a_drag_ends_after_a_second(editor, clock):
    editor.set(5, 1.0)
    clock.now += 1.1
    editor.set(5, 2.0)
    editor.undo()
    assert torch.equal(editor.z, latent.perturb(editor.base, 5, 1.0))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("set", 5, 1.0), ("set", 20, 1.0)),
        (("set", 5, 1.0, [0]), ("set", 5, 1.0, [1])),
        (("set", 5, 1.0), ("reset", 5)),
        (("reset", 5), ("reset",)),
        (("walk", 0, 1, 0.5), ("walk", 2, 1, 0.5)),
        (("walk", 0, 1, 0.5), ("walk", 0, 2, 0.5)),
    ],
)
def test_moves_of_different_controls_are_steps_of_their_own(editor, first, second):
    editor.set(5, 4.0)  # something to reset
    editor.set(20, 4.0)
    seen = []
    for method, *arguments in (first, second, first):
        seen.append(editor.z.clone())
        getattr(editor, method)(*arguments)
    for z in reversed(seen):
        editor.undo()
        assert not editor.failed and torch.equal(editor.z, z)


def test_a_drag_does_not_go_on_across_an_undo(editor):
    editor.set(5, 1.0)
    editor.undo()
    editor.set(5, 2.0)  # the same control, at once
    editor.undo()
    assert not editor.failed and torch.equal(editor.z, editor.base)


@pytest.mark.parametrize("step", ["use", "load"])
def test_a_drag_does_not_go_on_in_another_network(home, clock, step):
    """Where the vectors do not fit, what can be undone begins anew: with the first edit, even of the same control."""
    Editor(home["narrow"], dims=[5], device="cpu").save()
    e = Editor(home["dcgan"], device="cpu")
    e.set(5, 1.0)
    e.use(home["narrow"]) if step == "use" else e.load("vanilla-001")
    e.set(5, 2.0)
    e.undo()
    assert not e.failed and torch.equal(e.z, e.base)


def test_many_steps_are_all_kept(editor):
    for i in range(300):
        editor.set(i % 2, i / 100)
    for _ in range(300):
        editor.undo()
    assert not editor.failed and torch.equal(editor.z, editor.base)


# ----- dimensions at hand, and their effect


def test_add_and_remove(editor):
    editor.add(7)
    editor.add(7)
    assert editor.dims == [*LAB_DIMS, 7]
    editor.set(7, 2.0)
    editor.remove(7)
    assert editor.dims == list(LAB_DIMS) and (editor.z[:, 7] == 2.0).all()
    for dim in LAB_DIMS:
        editor.remove(dim)
    assert editor.dims == [] and not editor.failed
    editor.add(0)
    assert editor.dims == [0] and LAB_DIMS == (5, 20, 40, 60, 80)


@each_model
def test_effect_is_the_change_per_unit(home, model):
    e, g = Editor(home[model], device="cpu"), generator(home[model])
    for dim in (5, 99):
        value = e.effect(dim)
        assert value == latent.change_along(g, latent.latents(16, 100, 1), torch.eye(100)[[dim]]).item() > 0
    e.set(5, 3.0)
    e.reseed(4)
    assert (
        e.effect(5) == latent.change_along(g, latent.latents(16, 100, 1), torch.eye(100)[[5]]).item()
    )  # of the network, not of the edits


def test_effects_belong_to_the_network(home):
    e = Editor(home["vanilla"], device="cpu")
    one = e.effect(5)
    e.use(home["dcgan"])
    assert (
        e.effect(5)
        == latent.change_along(generator(home["dcgan"]), latent.latents(16, 100, 1), torch.eye(100)[[5]]).item()
        != one
    )


@pytest.mark.slow
def test_rank_measures_every_dimension_and_tells_how_far_it_is(home):
    shares = []
    e = type("Telling", (Editor,), {"progress": lambda self, share: shares.append(share)})(
        home["vanilla"], device="cpu"
    )
    e.rank()
    assert list(e.effects) == list(range(100)) and "100" in e.status and not e.failed
    assert shares == sorted(shares) and len(shares) == 100 and shares[-1] == 1
    expected = latent.change_along(
        generator(home["vanilla"]), latent.latents(16, 100, 1), torch.eye(100)[list(range(100))]
    )
    torch.testing.assert_close(torch.tensor(list(e.effects.values())), expected, rtol=1e-4, atol=1e-4)


# ----- directions


@pytest.fixture(scope="session")
def searched(trained):
    """An editor of the small DCGAN that has looked for directions: that takes half a minute."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "RUNS", trained)
        e = Editor(folders(trained)["dcgan"], seed=3, device="cpu")
        e.find()
    assert not e.failed and str(len(e.directions)) in e.status and "sefa 1" in e.directions
    return e


@pytest.fixture
def finder(home, clock, searched):
    """An editor that knows the directions that were found."""
    e = Editor(home["dcgan"], seed=3, device="cpu")
    e.directions, e.deeds = dict(searched.directions), dict(searched.deeds)
    return e


@pytest.mark.slow
def test_find_is_what_the_library_finds(searched, finder, monkeypatch):
    found = directions.all_directions(searched.g, 100)
    assert all(torch.equal(searched.directions[name], u) for name, u in found.items())
    first, only = list(searched.directions)[: len(found)], list(searched.directions)[len(found) :]
    assert first == list(found) and all(name.startswith("only ") for name in only)
    for name in only:  # each beats the plain one, as measured
        deed = searched.deeds[name]
        assert deed.attribute == name[5:].replace(" ", "_") and deed.mean > 0
        assert deed.purity > searched.deeds[f"more {name[5:]}"].purity
    monkeypatch.setattr(directions, "all_directions", lambda g, latent_dim: found)
    finder.find()  # once more: nothing is added, and nothing measured anew
    assert not finder.failed and list(finder.directions) == list(searched.directions)
    assert finder.deeds == searched.deeds


@pytest.mark.slow
def test_an_edit_along_a_direction(finder):
    unit = finder.directions["principal 2"]
    finder.add("principal 2")
    assert finder.dims[-1] == "principal 2" and torch.equal(finder.position("principal 2"), finder.base @ unit)
    finder.set("principal 2", 2.5, [1, 6])
    expected = finder.base.clone()
    expected[[1, 6]] = latent.perturb_along(expected[[1, 6]], unit, 2.5)
    assert shows(finder, finder.g, finder.base, expected) and finder.touched == [1, 6]
    torch.testing.assert_close(finder.position("principal 2")[[1, 6]], torch.tensor([2.5, 2.5]))
    finder.set(5, 1.0)
    before = finder.z.clone()
    finder.reset("principal 2")
    torch.testing.assert_close(finder.position("principal 2"), finder.base @ unit)
    torch.testing.assert_close(
        finder.z - (finder.z @ unit)[:, None] * unit, before - (before @ unit)[:, None] * unit
    )  # and nothing else
    finder.undo(), finder.undo(), finder.undo()
    assert torch.equal(finder.z, finder.base)


@pytest.mark.slow
def test_the_effect_of_a_direction(finder):
    unit = finder.directions["steepest 1"]
    assert (
        finder.effect("steepest 1")
        == latent.change_along(finder.g, latent.latents(16, 100, 1), unit[None]).item()
        > finder.effect(5)
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "call",
    [
        ("set", "nowhere", 1.0),
        ("set", "sefa 1", 4.5),
        ("set", "sefa 1", math.nan),
        ("add", "nowhere"),
        ("reset", "nowhere"),
        ("sweep", "nowhere"),
    ],
    ids=str,
)
def test_bad_directions_are_refused(finder, call):
    before = state(finder)
    getattr(finder, call[0])(*call[1:])
    assert refuses(finder) and same(state(finder), before) and finder.kept() == []


@pytest.mark.slow
def test_a_direction_is_kept_with_the_recipe(home, finder):
    finder.add("sefa 1"), finder.set("sefa 1", -3.0)
    z, pictures, unit = finder.z.clone(), finder.images()[1].clone(), finder.directions["sefa 1"].clone()
    finder.sweep()
    (name,) = finder.kept()
    fresh = Editor(home["vanilla"], device="cpu")
    fresh.load(name)
    assert (
        not fresh.failed
        and fresh.dims == [*LAB_DIMS, "sefa 1"]
        and torch.equal(fresh.z, z)
        and torch.equal(fresh.images()[1], pictures)
    )
    assert torch.equal(fresh.directions["sefa 1"], unit)
    fresh.use(home["vanilla"])  # where nobody has looked for directions
    assert fresh.dims == list(LAB_DIMS) and fresh.directions == {}


@pytest.mark.slow
def test_a_recipe_with_a_bad_direction_is_refused(finder):
    finder.add("sefa 1"), finder.save()
    path = paths.KEPT / finder.kept()[0] / "recipe.json"
    recipe = json.loads(path.read_text())
    for bad in ([0.0] * 100, [1.0], "x", None, recipe["directions"]["sefa 1"][:-1] + [9.0]):
        path.write_text(json.dumps({**recipe, "directions": {"sefa 1": bad}}))
        before = state(finder)
        finder.load(finder.kept()[0])
        assert refuses(finder, "damaged") and same(state(finder), before)


def measure(run, **units):
    """Keep ``units`` as directions of ``run``; as measured, the first changes contrast most, the second brightness."""
    mean, score = torch.zeros(2, 2, len(effects.NAMES))
    for k, name, effect, against_random in (
        (0, "contrast", -4.25, -3.0),
        (0, "width", 9.0, 1.0),
        (1, "brightness", 17.0, 2.0),
    ):
        mean[k, effects.NAMES.index(name)], score[k, effects.NAMES.index(name)] = effect, against_random
    sheet = {name: torch.zeros(2, 4) for name in EffectTable.__dataclass_fields__} | {"mean": mean, "score": score}
    vectors = {f"u:{name}": u for name, u in units.items()} | {
        f"i:{name}": torch.tensor(float(i)) for i, name in enumerate(units)
    }
    for old in run.folder.glob("directions-*"):
        old.unlink()
    cache.save(run.folder, "directions", directions.identity_of(run), sheet | vectors)


def test_directions_that_were_measured_are_there_from_the_start(own_runs):
    """With what each was measured to do most, beside what random directions do."""
    one, two = latent.random_directions(2, 100)
    measure(runs.load_run(own_runs["dcgan"]), one=one, two=two)
    e = Editor(own_runs["dcgan"], device="cpu")
    assert list(e.directions) == ["one", "two"]
    assert [e.deeds[name][:2] for name in e.directions] == [("contrast", -4.25), ("brightness", 17.0)]
    assert e.deeds["one"].words() == "\u22124.25 grey levels from -3 to 3, purity 90%"  # of squares: 9 to 1
    e.set("two", 1.0)
    assert not e.failed


def test_find_leaves_the_directions_that_were_measured(own_runs, monkeypatch):
    one, two, other = latent.random_directions(3, 100)
    measure(runs.load_run(own_runs["dcgan"]), one=one, two=two)
    monkeypatch.setattr(directions, "all_directions", lambda g, latent_dim: {"one": other, "three": other})
    e = Editor(own_runs["dcgan"], device="cpu")
    e.find()
    assert set(e.directions) == {"one", "two", "three"} and torch.equal(e.directions["one"], one)


def test_a_recipe_keeps_its_own_direction_beside_those_that_were_measured_since(own_runs):
    one, two, other = latent.random_directions(3, 100)
    run = runs.load_run(own_runs["dcgan"])
    measure(run, one=one, two=two)
    e = Editor(own_runs["dcgan"], dims=["one"], device="cpu")
    e.save()
    measure(run, one=other, two=two)
    fresh = Editor(own_runs["vanilla"], device="cpu")
    fresh.load(e.kept()[0])
    assert not fresh.failed and torch.equal(fresh.directions["one"], one) and torch.equal(fresh.directions["two"], two)
    assert fresh.deeds["two"][:2] == ("brightness", 17.0)


NAMED = {  # of a direction that was measured to do most to an attribute, so much: what it is called
    ("more width", "width", 9.0): "more width",
    ("more outline sharpness", "outline_sharpness", 1.0): "more outline sharpness",
    ("more brightness", "texture", -14.0): "less texture (regression on brightness)",
    ("more width", "aspect", -1.86): "less aspect ratio (regression on width)",
    ("more width", "width", -2.0): "less width (regression on width)",
    ("sefa 1", "height", 3.0): "more height (SeFa 1)",
    ("only outline sharpness", "outline_sharpness", 1.0): "sharper outline, and little else",
    ("only width", "aspect", -1.86): "less aspect ratio (width, the others held)",
    ("only width", "width", -2.0): "less width (width, the others held)",
}


@pytest.mark.parametrize(("measured", "title"), NAMED.items(), ids=NAMED.values())
def test_a_direction_is_called_by_what_it_mostly_does(editor, measured, title):
    name, attribute, mean = measured
    editor.deeds = {name: naming.Deed(attribute, mean, 0.5)}
    assert editor.title(name) == title


def test_little_else_is_said_where_half_of_all_is_one_effect(editor):
    editor.deeds = {"only width": naming.Deed("width", 2.0, 0.49)}
    assert editor.title("only width") == "mostly wider"


def test_what_was_not_measured_claims_nothing(editor):
    assert editor.title("more width") == "regression on width" and editor.title("sefa 2") == "SeFa 2"
    assert editor.title("only width") == "width, the others held"
    assert editor.title(5) == "z[5]"


@pytest.mark.slow
def test_find_measures_what_it_finds(finder):
    """The largest effect beside random directions, as differences of pictures say."""
    assert set(finder.deeds) == set(finder.directions)
    name = "sefa 1"
    z, unit, deed = latent.latents(naming.BASES, 100, 900), finder.directions[name], finder.deeds[name]
    low, high = (
        pictures.measure(latent.sample(finder.g, latent.perturb_along(z, unit, value)), signed=True).mean(0)
        for value in (-3.0, 3.0)
    )
    at = list(pictures.ATTRIBUTES).index(deed.attribute)
    assert deed.mean == pytest.approx((high - low)[at].item(), rel=1e-3) and 0 < deed.purity <= 1
    assert finder.title(name).startswith("more " if deed.mean > 0 else "less ")


# ----- what is measured on the pictures


def picture(left, right=None):
    """One image, (1, 1, 28, 28): grey level ``left`` in its left half, ``right`` in the other."""
    levels = torch.full((1, 1, 28, 28), float(left))
    levels[..., 14:] = left if right is None else right
    return levels / 127.5 - 1


MEASURED = [  # brightness, contrast, width
    (picture(0), 0, 0, 0),
    (picture(255), 255, 0, 28),
    (picture(100), 100, 0, 28),
    (picture(15), 15, 0, 0),  # no garment: not brighter than 16
    (picture(17), 17, 0, 28),
    (picture(255, 0), 127.5, 127.5, 14),
    (picture(20, 220), 120, 100, 14),
]


@pytest.mark.parametrize(("image", "brightness", "contrast", "width"), MEASURED)
def test_measures_of_plain_pictures(image, brightness, contrast, width):
    for name, expected in (("brightness", brightness), ("contrast", contrast), ("width", width)):
        values = getattr(pictures, name)(torch.cat([image, picture(255, 0)]))
        assert values.shape == (2,) and values[0].item() == pytest.approx(expected, abs=1e-3)


def test_width_counts_columns_with_one_bright_pixel():
    image = picture(0)
    for x in (0, 3, 27):
        image[0, 0, 2 * (x % 14), x] = 1.0
    image[0, 0, 5, 3] = 1.0  # a second one in the same column
    assert pictures.width(image).item() == 3 and pictures.width(image.transpose(2, 3)).item() == 4


# ----- save, sweep, load


def content(root):
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


PICTURE, SWEEP = ["picture.png", "picture.svg", "recipe.json"], ["recipe.json", "sweep.gif"]


@pytest.mark.slow
def test_save_and_sweep_write_new_folders_and_change_no_old_one(home):
    e = Editor(home["vanilla"], device="cpu")
    assert not paths.KEPT.exists()
    old = {}
    steps = [("vanilla-001", "save"), ("vanilla-002", "sweep"), ("dcgan-001", "sweep"), ("vanilla-003", "save")]
    for number, (folder, method) in enumerate(steps):
        names = {"save": PICTURE, "sweep": SWEEP}[method]
        if e.run.config.model != folder.split("-")[0]:
            e.use(home[folder.split("-")[0]])
        e.set(5, float(number))
        getattr(e, method)()
        assert not e.failed and e.status.startswith(f"kept in figures/explorer/{folder}: ")
        assert sorted(e.status.split(": ")[1].split(", ")) == names
        now = content(paths.KEPT)
        assert sorted(now.keys() - old.keys()) == [f"{folder}/{name}" for name in names]
        assert {name: now[name] for name in old} == old
        old = now
    assert e.kept() == sorted(folder for folder, *_ in steps) == sorted(p.name for p in paths.KEPT.iterdir())


def test_the_saved_picture_is_the_figure_of_the_state(home, editor):
    editor.set(20, 3.0, [1])
    editor.set(5, -3.0)
    editor.save()
    files = catalogue.encode(editor.figure())
    assert all((paths.KEPT / "vanilla-001" / f"picture.{kind}").read_bytes() == data for kind, data in files.items())
    base, edited = (x[:, 0] for x in editor.images())
    top = editor.figure().axes[0]
    shown = top.get_images()[0].get_array().filled(np.nan)
    for column in range(8):
        np.testing.assert_array_equal(shown[:28, column * 30 : column * 30 + 28], base[column])
        np.testing.assert_array_equal(shown[30:, column * 30 : column * 30 + 28], edited[column])
    title = top.get_title(loc="left") or top.get_title()
    assert all(text in title for text in ("vanilla", "smoke", "seed 0", "vectors of seed 3", "z[5], z[20]"))


def test_the_title_of_the_figure_stays_short(editor):
    def title():
        titles = (editor.figure().axes[0].get_title(loc=where) for where in ("left", "center"))
        return next(filter(None, titles))

    assert "as drawn" in title()
    for dim in range(50):
        editor.set(dim, 0.0)
    assert "z[5]" in title() and "z[6]" not in title() and len(title()) < 120


@pytest.mark.parametrize(("model", "kind"), [("vanilla", "sweep"), ("dcgan", "save")])
def test_a_recipe_brings_back_the_same_pixels(home, model, kind):
    """After other edits, other vectors and another network; and in an editor that never saw them."""
    e = Editor(home[model], dims=[5, 33], seed=3, device="cpu")
    e.set(33, -1.2345678)
    e.walk(2, 4, 0.37)
    e.reseed(11)
    e.set(5, 1 / 3, [0, 7])
    e.walk(1, 6, 0.81)
    z, base, pictures = e.z.clone(), e.base.clone(), [x.clone() for x in e.images()]
    getattr(e, kind)()
    (name,) = e.kept()

    other = home[MODELS[model == "vanilla"]]
    e.set(5, 4.0)
    e.reset()
    e.reseed(5)
    e.remove(33)
    e.use(other)
    fresh = Editor(other, device="cpu")
    for again in (e, fresh):
        again.load(name)
        assert not again.failed and name in again.status
        assert (
            torch.equal(again.z, z)
            and torch.equal(again.base, base)
            and all(map(torch.equal, again.images(), pictures))
        )
        assert (again.seed, again.dims, again.run.folder) == (11, [5, 33], home[model])
        again.set(60, 2.0)  # and it goes on from there
        assert shows(again, generator(home[model]), base, latent.perturb(z, 60, 2.0))


def test_loading_can_be_taken_back(home, editor):
    editor.set(5, 3.0)
    editor.save()
    editor.reseed(8)
    editor.set(20, 1.0)
    z = editor.z.clone()
    editor.load("vanilla-001")
    editor.undo()
    assert torch.equal(editor.z, z) and editor.seed == 8 and torch.equal(editor.images()[1], latent.sample(editor.g, z))


def test_undo_after_loading_vectors_of_another_length_does_no_harm(home, clock):
    Editor(home["narrow"], dims=[5], device="cpu").save()
    e = Editor(home["dcgan"], device="cpu")
    e.set(5, 3.0)
    e.load("vanilla-001")
    assert e.z.shape == (8, 50)
    for method in ("undo", "redo", "undo", "undo"):
        getattr(e, method)()
        assert e.z.shape[1] == e.base.shape[1] == e.run.config.latent_dim and e.images()[1].shape == (8, 1, 28, 28)


@pytest.mark.parametrize("rows", [None, [2, 5]], ids="rows {}".format)
def test_a_sweep_goes_through_the_values_and_back(home, editor, rows):
    editor.set(40, 1.0)
    if rows:
        editor.select(rows)
    before = state(editor)
    editor.sweep(5)
    assert same(state(editor), before)  # the vectors stay where they were
    values = [*np.linspace(-3, 3, 25), *np.linspace(2.75, -2.75, 23)]
    with Image.open(paths.KEPT / "vanilla-001" / "sweep.gif") as gif:
        assert gif.n_frames == len(values) == 48 and gif.size == (8 * 29 * 4, 24 + 28 * 4) and gif.info["loop"] == 0
        labels = set()
        for i, value in enumerate(values):
            gif.seek(i)
            picture = np.asarray(gif.convert("L"))
            levels = sheets.grey_levels(latent.sample(editor.g, latent.perturb(editor.z, 5, value.item(), rows)))
            for column in range(8):
                tile = picture[24:, column * 116 : column * 116 + 112]
                # Pillow, not the file, is off by a level where a later frame has a palette of its own.
                np.testing.assert_allclose(tile, np.kron(levels[column, 0], np.ones((4, 4))), atol=min(i, 1), rtol=0)
                assert (picture[24:, column * 116 + 112 : column * 116 + 116] >= 254).all()
            assert gif.info["duration"] == 80
            labels.add((picture[:24] < 128).tobytes())
        assert len(labels) == 25  # each value is written above its pictures


def test_a_sweep_takes_the_dimension_last_touched(home, editor):
    editor.set(33, 1.0)
    editor.sweep()
    editor.sweep(33)
    a, b = ((paths.KEPT / f"vanilla-00{i}" / "sweep.gif").read_bytes() for i in (1, 2))
    assert a == b
    editor.set(20, 1.0)
    editor.undo()
    editor.sweep(20)
    assert (paths.KEPT / "vanilla-003" / "sweep.gif").read_bytes() != a


@pytest.mark.slow
def test_a_sweep_after_another_network_was_opened(home, finder):
    """The direction last touched is not one of its own: the first slider's dimension is swept."""
    finder.add("sefa 1"), finder.set("sefa 1", -3.0)
    finder.use(home["vanilla"])
    finder.sweep()
    assert not finder.failed
    finder.sweep(LAB_DIMS[0])
    a, b = ((paths.KEPT / f"vanilla-00{i}" / "sweep.gif").read_bytes() for i in (1, 2))
    assert a == b


@pytest.mark.parametrize("outside", ["a copy", "a relative path"])
def test_a_run_from_elsewhere_can_be_edited_and_saved_or_is_refused(home, tmp_path, monkeypatch, outside):
    folder = tmp_path / "elsewhere"
    shutil.copytree(home["vanilla"], folder)
    if outside == "a relative path":
        monkeypatch.chdir(home["vanilla"].parent)
        folder = home["vanilla"].name
    e = Editor(folder, device="cpu")
    assert e.run or refuses(e)
    e.save()
    assert refuses(e) or len(e.kept()) == 1


# ----- recipes that are refused


def recipe_with(**changes):
    def damage(path):
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return damage


def without(key):
    return lambda path: path.write_text(json.dumps({k: v for k, v in json.loads(path.read_text()).items() if k != key}))


ZEROS = [[0.0] * 100] * 8
DAMAGE = {
    "empty": lambda path: path.write_bytes(b""),
    "half": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "not text": lambda path: path.write_bytes(b"\xff\xfe{}"),
    "a list": lambda path: path.write_text("[]"),
    "a number": lambda path: path.write_text("1"),
    "deeply nested": lambda path: path.write_text("[" * 100_000),
    "newer format": recipe_with(format=2),
    "no format": without("format"),
    "no vectors": without("z"),
    "no seed": without("seed"),
    "no run": without("run"),
    "nan": recipe_with(z=[[math.nan] * 100] * 8),
    "one nan": recipe_with(base=[*ZEROS[:7], [0.0] * 99 + [math.nan]]),
    "infinity": recipe_with(base=[[math.inf] * 100] * 8),
    "seven vectors": recipe_with(base=ZEROS[:7], z=ZEROS[:7]),
    "no vector": recipe_with(base=[], z=[]),
    "ragged": recipe_with(z=[*ZEROS[:7], [0.0] * 99]),
    "other lengths": recipe_with(base=[[0.0] * 50] * 8),
    "shorter than the run's": recipe_with(base=[[0.0] * 50] * 8, z=[[0.0] * 50] * 8, dims=[5]),
    "text": recipe_with(z="zeros"),
    "numbers as text": recipe_with(z=[["0"] * 100] * 8),
    "null": recipe_with(z=None),
    "flat": recipe_with(base=[0.0] * 8, z=[0.0] * 8),
    "three axes": recipe_with(base=[[[0.0]] * 100] * 8, z=[[[0.0]] * 100] * 8),
    "no such dimension": recipe_with(dims=[100]),
    "dimension as text": recipe_with(dims=["5"]),
    "one dimension": recipe_with(dims=5),
    "dimension 0 alone": recipe_with(dims=0),
    "dimensions null": recipe_with(dims=None),
    "negative seed": recipe_with(seed=-1),
    "seed as text": recipe_with(seed="3"),
    "huge number": recipe_with(z=[[10**400] * 100] * 8),
    "unknown run": recipe_with(run="smoke/vanilla/seed1-00000000"),
    "run outside": recipe_with(run="../../etc"),
    "run as a list": recipe_with(run=[]),
    "other network's run": lambda path: recipe_with(run=runs.finished()[0].relative_to(paths.RUNS).as_posix())(path),
    "other generator": recipe_with(generator_sha256="0" * 64),
    "no generator": recipe_with(generator_sha256=None),
    "directions as a list": recipe_with(directions=[]),
    "directions null": recipe_with(directions=None),
    "three hundred directions": recipe_with(
        directions={f"d{k}": [1.0] + [0.0] * 99 for k in range(300)}, dims=[f"d{k}" for k in range(300)]
    ),
    "directions of another length": recipe_with(directions={"a": [1.0]}, dims=["a"]),
    "a direction of truths": recipe_with(directions={"a": [True] + [False] * 99}, dims=["a"]),
    "a name without end": recipe_with(directions={"a" * 10_000: [1.0] + [0.0] * 99}),
    "numbers that overflow": recipe_with(z=[[1e39] * 100] * 8),
    "numbers whose pictures overflow": recipe_with(base=[[1e30] * 100] * 8, z=[[1e30] * 100] * 8),
    "truths": recipe_with(z=[[True] * 100] * 8),
    "a dimension twice": recipe_with(dims=[5, 5]),
    "lists in lists": recipe_with(dims=[[5]]),
    "thousands of dimensions": recipe_with(dims=list(range(100)) * 50),
    "a seed of truth": recipe_with(seed=True),
    "a generator as a number": recipe_with(generator_sha256=7),
    "huge": lambda path: path.write_bytes(path.read_bytes() + b" " * (9 << 20)),
    "deeply nested vectors": lambda path: path.write_text('{"format": 1, "z": ' + "[" * 100_000 + "]" * 100_000 + "}"),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
}


@pytest.fixture(scope="module")
def recipe(trained, tmp_path_factory):
    """The bytes of a sound recipe of the vanilla network, with z[20] = 2."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "RUNS", trained)
        patch.setattr(paths, "KEPT", tmp_path_factory.mktemp("recipe") / "figures" / "explorer")
        e = Editor(folders(trained)["vanilla"], seed=3, device="cpu")
        e.set(20, 2.0)
        e.save()
        return (paths.KEPT / "vanilla-001" / "recipe.json").read_bytes()


def put(recipe, name="vanilla-001"):
    """Lay the file where recipes are kept; its path."""
    path = paths.KEPT / name / "recipe.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(recipe)
    return path


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_recipe_is_refused(home, editor, recipe, damage):
    damage(put(recipe))
    editor.set(20, 2.0)
    editor.set(5, 3.0)
    before = state(editor)
    editor.load("vanilla-001")
    assert refuses(editor, "vanilla-001") and same(state(editor), before)
    editor.undo()
    assert torch.equal(editor.z, latent.perturb(editor.base, 20, 2.0))


def test_the_recipe_that_was_damaged_is_sound(home, editor, recipe):
    put(recipe)
    editor.load("vanilla-001")
    assert not editor.failed and torch.equal(editor.z, latent.perturb(latent.latents(8, 100, 3), 20, 2.0))


NAMES = [
    "vanilla-002",
    "../x",
    "../explorer/vanilla-001",
    "vanilla-001/",
    "vanilla-001/../../x",
    "./vanilla-001",
    "/etc",
    "absolute",
]


@pytest.mark.parametrize("name", NAMES)
def test_only_names_on_the_list_are_loaded(home, editor, recipe, name):
    put(recipe)
    outside = put(recipe, "../x").parent.resolve()
    editor.set(5, 3.0)
    before = state(editor)
    editor.load(str(outside) if name == "absolute" else name)
    assert refuses(editor, "vanilla-001") and same(state(editor), before)  # the line names what there is


def test_a_recipe_whose_run_is_gone_or_another(own_runs, clock):
    e = Editor(own_runs["vanilla"], device="cpu")
    e.save()
    e.use(own_runs["dcgan"])
    e.set(5, 3.0)
    before = state(e)
    flip(own_runs["vanilla"] / "generator.safetensors")
    e.load("vanilla-001")
    assert refuses(e, "generator.safetensors", "damaged") and same(state(e), before)

    manifest = json.loads((own_runs["narrow"] / "run.json").read_text())  # sound, and not what the recipe was made with
    for path in own_runs["narrow"].iterdir():
        shutil.copy(path, own_runs["vanilla"])
    e.load("vanilla-001")
    assert refuses(e, own_runs["vanilla"].name) and same(state(e), before)
    assert manifest["files"]["generator.safetensors"] not in e.status

    shutil.rmtree(own_runs["vanilla"])
    e.load("vanilla-001")
    assert refuses(e, own_runs["vanilla"].name, "train it first") and same(state(e), before)


def test_what_is_kept_is_only_what_has_a_recipe(home, editor, recipe):
    assert editor.kept() == []
    put(recipe)
    (paths.KEPT / "notes").mkdir()
    (paths.KEPT / "a file").write_text("mine")
    put(recipe, "notes/deeper")
    (paths.KEPT / "recipe.json").write_bytes(recipe)
    assert editor.kept() == ["vanilla-001"]


# ----- the network


def test_another_network_shows_the_same_vectors(home, clock):
    e = Editor(home["vanilla"], seed=3, device="cpu")
    e.set(5, 3.0)
    e.set(20, -1.0, [2])
    base, z = e.base.clone(), e.z.clone()
    e.use(home["dcgan"])
    assert shows(e, generator(home["dcgan"]), base, z) and e.run.config.model == "dcgan" and e.dims == list(LAB_DIMS)
    e.undo()
    assert torch.equal(e.z, latent.perturb(base, 5, 3.0))
    e.use(str(home["vanilla"]))
    assert shows(e, generator(home["vanilla"]), base, latent.perturb(base, 5, 3.0))


def test_a_network_with_other_vectors_draws_its_own(home, clock):
    e = Editor(home["vanilla"], seed=3, device="cpu")
    e.set(5, 3.0)
    e.use(home["narrow"])
    assert shows(e, generator(home["narrow"]), latent.latents(8, 50, 3), latent.latents(8, 50, 3))
    assert e.dims == [5, 20, 40]  # of 5, 20, 40, 60, 80
    e.undo()
    assert refuses(e, "nothing to undo") and e.z.shape == (8, 50)
    e.set(60, 1.0)
    assert refuses(e, "60", "0 to 49")


def test_without_a_run_named_the_dcgan_of_the_longest_profile_is_opened(home, tmp_path, monkeypatch):
    for place, model in (
        ("full/vanilla", "vanilla"),
        ("smoke/dcgan", "dcgan"),
        ("quick/dcgan", "dcgan"),
        ("smoke/vanilla", "vanilla"),
    ):
        shutil.copytree(home[model], tmp_path / "runs" / place / home[model].name)
    monkeypatch.setattr(paths, "RUNS", tmp_path / "runs")
    assert Editor(device="cpu").run.folder == tmp_path / "runs/quick/dcgan" / home["dcgan"].name
    shutil.rmtree(tmp_path / "runs/quick"), shutil.rmtree(tmp_path / "runs/smoke/dcgan")
    assert Editor(device="cpu").run.folder == tmp_path / "runs/full/vanilla" / home["vanilla"].name


DAMAGED_RUNS = {
    "missing": (lambda folder: shutil.rmtree(folder), ["no finished run", "make report"]),
    "empty": (lambda folder: [path.unlink() for path in folder.iterdir()], ["no finished run"]),
    "flipped byte": (lambda folder: flip(folder / "generator.safetensors"), ["generator.safetensors", "damaged"]),
    "no generator": (lambda folder: (folder / "generator.safetensors").unlink(), ["generator.safetensors", "missing"]),
    "manifest": (lambda folder: (folder / "run.json").write_text("{}"), ["run.json", "damaged"]),
}


@pytest.mark.parametrize(("damage", "words"), DAMAGED_RUNS.values(), ids=DAMAGED_RUNS)
def test_a_run_that_cannot_be_opened_leaves_the_old_one(own_runs, clock, damage, words):
    e = Editor(own_runs["vanilla"], device="cpu")
    e.set(5, 3.0)
    before = state(e)
    damage(own_runs["dcgan"])
    e.use(own_runs["dcgan"])
    assert refuses(e, own_runs["dcgan"].name, *words) and same(state(e), before)
    e.set(20, 1.0)
    assert not e.failed and torch.equal(e.z, latent.perturb(before[2], 20, 1.0))


@pytest.mark.parametrize("what", [None, "", 5, "a file"])
def test_what_is_no_folder_is_refused(home, editor, tmp_path, what):
    (tmp_path / "file").write_text("mine")
    before = state(editor)
    editor.use(tmp_path / "file" if what == "a file" else what)
    assert refuses(editor) and same(state(editor), before)


# ----- no run at all


@pytest.fixture
def idle(home, tmp_path, monkeypatch):
    """An editor where nothing was trained yet, and the folders of runs that could be opened."""
    monkeypatch.setattr(paths, "RUNS", tmp_path / "nothing")
    return Editor(dims=[5, 33], seed=4, device="cpu"), home


CALLS = [
    ("set", 5, 1.0), ("reset",), ("reset", 5), ("reseed", 1), ("walk", 0, 1, 0.5), ("undo",), ("redo",),
    ("shift", 5, 1.0), ("choose_mode", "set"), ("place", [0.0] * 100),
    ("add", 5), ("remove", 5), ("select", [0]), ("rank",), ("find",), ("save",), ("sweep",), ("sweep", 5),
    ("load", "vanilla-001"), ("load_text", "{}"),
]  # fmt: skip


def test_the_list_of_calls_is_complete():
    reporting = {
        name for name, method in inspect.getmembers(Editor, inspect.isfunction) if hasattr(method, "__wrapped__")
    }
    assert {call[0] for call in CALLS} | {"use"} == reporting


@pytest.mark.parametrize("call", CALLS, ids="{0[0]}".format)
def test_without_a_run_every_method_answers_with_a_sentence(idle, call):
    e, _ = idle
    assert refuses(e, "no finished run", "make report")
    getattr(e, call[0])(*call[1:])
    assert refuses(e) and e.run is None and (e.dims, e.seed, e.rows) == ([5, 33], 4, list(range(8)))
    assert e.kept() == [] and ("train" in e.status or call[0].startswith("load"))


def test_without_a_run_a_good_one_brings_it_to_life(idle, monkeypatch):
    e, home = idle
    e.set(5, 1.0)
    e.use(home["dcgan"].parent)
    assert refuses(e, "no finished run") and e.run is None
    e.use(home["dcgan"])
    assert refuses(e, "is not below") and e.run is None
    monkeypatch.setattr(paths, "RUNS", home["dcgan"].parents[2])
    e.use(home["dcgan"])
    assert (e.status, e.failed, e.dims, e.seed) == ("", False, [5, 33], 4)
    base = latent.latents(8, 100, 4)
    assert shows(e, generator(home["dcgan"]), base, base)
    e.undo()
    assert refuses(e, "nothing to undo")
    e.set(5, 1.0)
    assert shows(e, generator(home["dcgan"]), base, latent.perturb(base, 5, 1.0))


def test_without_a_run_a_recipe_brings_it_to_life(home, clock, tmp_path, monkeypatch):
    e = Editor(home["dcgan"], seed=3, device="cpu")
    e.set(5, 3.0)
    e.save()
    root = paths.RUNS
    monkeypatch.setattr(paths, "RUNS", tmp_path / "nothing")
    idle = Editor(device="cpu")
    monkeypatch.setattr(paths, "RUNS", root)
    idle.load("dcgan-001")
    assert not idle.failed and torch.equal(idle.z, e.z) and all(map(torch.equal, idle.images(), e.images()))
    idle.undo()
    assert refuses(idle, "nothing to undo")


@pytest.mark.parametrize("dims", [[100], [-1], [1.5], ["5"], [5, None]])
def test_bad_dimensions_at_the_start_are_told(home, dims):
    e = Editor(home["vanilla"], dims=dims, device="cpu")
    assert refuses(e, "dims = ") and e.run is None


@pytest.mark.parametrize("seed", [-1, 2**31, 1.5, "1", None])
def test_a_bad_seed_at_the_start_is_told(home, seed):
    e = Editor(home["vanilla"], seed=seed, device="cpu")
    assert refuses(e, f"seed = {seed!r}") and e.run is None


# ----- other worlds: runs of a study


@pytest.fixture
def world(tmp_path, monkeypatch, home):
    """The folder of a record that ships with weights, in a copy that may be damaged."""
    shipped = next((paths.ROOT / "data/studies/seeds/vanilla-ours").glob("seed*/generator-*")).parent
    folder = paths.STUDIES / "seeds/vanilla-ours" / shipped.name
    shutil.copytree(shipped, folder)
    return folder


def test_a_run_of_a_study_is_opened_beside_the_finished_runs(editor, world):
    assert worlds.worlds() == [*runs.finished(), world] and worlds.worlds("dcgan") == [
        folder for folder in runs.finished() if folder.parts[-2] == "dcgan"
    ]
    vectors = editor.z.clone()
    editor.use(world)
    g = records.load_record(world).run().generator()
    assert not editor.failed and shows(editor, g, vectors, vectors)
    texts = [worlds.label(folder) for folder in worlds.worlds()]
    assert len({*texts}) == len(texts) and texts[-1] == f"seeds: vanilla-ours, {world.name}"


def test_a_recipe_of_another_world_brings_it_back(editor, world):
    editor.use(world)
    editor.set(5, 2.5)
    editor.save()
    before, wanted = editor.images()[1].clone(), editor.z.clone()
    editor.use(runs.finished()[0])
    editor.load(editor.kept()[0])
    assert not editor.failed and editor.run.folder == world
    assert torch.equal(editor.z, wanted) and torch.equal(editor.images()[1], before)


def test_a_damaged_world_is_refused_and_nothing_changes(editor, world):
    flip(next(world.glob("generator-*")))
    before = state(editor)
    editor.use(world)
    assert refuses(editor, "generator-", "damaged") and same(state(editor), before)


def test_without_finished_runs_a_world_is_opened(world, tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "RUNS", tmp_path / "nothing")
    assert Editor(device="cpu").run.folder == world
