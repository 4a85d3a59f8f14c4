"""The steps of a set-up, each by itself; the whole of it, with the real make and pip, is in tests/faults."""

import json
import sys

import pytest

from labkit.base import environment


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An empty folder in the place of the project's."""
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    monkeypatch.setattr(environment, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(environment, "OLD", tmp_path / ".venv.old")
    monkeypatch.setattr(environment, "TORCH", tmp_path / ".venv.torch")
    monkeypatch.setattr(environment, "PYTHON", tmp_path / ".venv/bin/python")
    monkeypatch.delenv("TORCH", raising=False)
    for name in ("requirements.lock", "pyproject.toml"):
        (tmp_path / name).write_text(f"of {name}")
    return tmp_path


def venv(folder, *marks):
    """A .venv in ``folder`` with the files ``marks``, that knows its own name."""
    folder.mkdir()
    for mark in marks:
        (folder / mark).write_text("[]")
    (folder / "name").write_text(folder.name)


@pytest.mark.parametrize(
    ("there", "old", "left"),
    [
        (("ready",), None, ".venv"),  # nothing to do
        (("unfinished",), None, None),  # the first one was stopped
        ((), None, ".venv"),  # of a person's own making
        (("ready",), ("ready",), ".venv"),  # the new one is whole: the old one goes
        (("unfinished",), ("ready",), ".venv.old"),  # it was stopped: the old one comes back
        (("ready", "unfinished"), ("ready",), ".venv.old"),  # a copy of a ready one that was not finished
        ((), ("ready",), ".venv.old"),
        (None, ("ready",), ".venv.old"),  # stopped between the two
        (None, None, None),
    ],
)
def test_what_a_set_up_that_was_killed_left_is_put_right(place, there, old, left):
    """Which .venv is there afterwards, by the name that it had before; nothing waits beside it."""
    for folder, marks in ((environment.VENV, there), (environment.OLD, old)):
        if marks is not None:
            venv(folder, *marks)
    environment.restore()
    assert not environment.OLD.exists() and environment.VENV.exists() == (left is not None)
    assert not left or (environment.VENV / "name").read_text() == left


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere torch has no CUDA")
@pytest.mark.parametrize(
    ("said", "known", "begun", "cpu"),
    [
        ("", None, None, False),
        ("cpu", None, None, True),
        ("cuda", ["a", "b", "c", "d", "cpu"], "cpu", False),
        ("", ["a", "b", "c", "d", "cpu"], None, True),  # what was chosen stays
        ("", ["a", "b", "c", "d"], "cpu", False),  # one that is whole knows better than one that was begun
        ("", None, "cpu", True),
        ("", None, "", False),
        ("cpu", ["a", "b", "c", "d"], None, True),
    ],
)
def test_which_torch_is_wanted(place, monkeypatch, said, known, begun, cpu):
    if said:
        monkeypatch.setenv("TORCH", said)
    if known:
        venv(environment.VENV)
        (environment.VENV / "ready").write_text(json.dumps(known))
    if begun is not None:
        environment.TORCH.write_text(begun)
    assert environment.without_cuda() is cpu


def test_a_torch_that_there_is_not(place, monkeypatch):
    monkeypatch.setenv("TORCH", "gpu")
    with pytest.raises(environment.SetupError, match="'gpu' is unknown: use cpu, or cuda"):
        environment.without_cuda()


@pytest.mark.parametrize("changed", ["nothing", "requirements.lock", "pyproject.toml", "folder", "torch", "record"])
def test_ready_is_a_venv_of_this_folder_lock_and_project(place, monkeypatch, changed):
    venv(environment.VENV)
    environment.TORCH.write_text("")
    environment.finish(False)
    assert not environment.TORCH.exists() and environment.ready()
    if changed in ("requirements.lock", "pyproject.toml"):
        (place / changed).write_text("another")
    if changed == "folder":
        monkeypatch.setattr(environment, "ROOT", place / "moved")
        (place / "moved").mkdir()
        for name in ("requirements.lock", "pyproject.toml"):
            (place / "moved" / name).write_text(f"of {name}")
    if changed == "torch":
        monkeypatch.setenv("TORCH", "cpu")
    if changed == "record":
        (environment.VENV / "ready").write_text('["cut')
    assert environment.ready() == (changed == "nothing")


@pytest.mark.parametrize(
    ("script", "complaint"),
    [
        (
            "import sys; print('ERROR: one'); print('ERROR: two', file=sys.stderr); print('a hint'); sys.exit(1)",
            "ERROR: one$",
        ),
        ("import sys; print('first'); print('last  '); sys.exit(3)", "^last$"),
        ("import sys; sys.exit(3)", "ended with 3$"),
    ],
    ids=["an error", "the last line", "silent"],
)
def test_what_a_command_complains_of_is_the_line_that_is_shown(place, script, complaint):
    with pytest.raises(environment.SetupError, match=complaint) as caught:
        environment.call(sys.executable, "-c", script)
    assert "hint" not in str(caught.value)
    assert environment.call(sys.executable, "-c", "print(1)").strip() == "1"


def test_a_command_sees_none_of_what_leads_python_or_pip_elsewhere(place, monkeypatch):
    for name in ("PYTHONPATH", "PIP_TARGET", "VIRTUAL_ENV", "OTHER_NAME"):
        monkeypatch.setenv(name, "/nowhere")
    code = "import os; print([n for n in ('PYTHONPATH', 'PIP_TARGET', 'VIRTUAL_ENV', 'OTHER_NAME') if n in os.environ])"
    assert environment.call(sys.executable, "-c", code).strip() == "['OTHER_NAME']"


def test_the_venv_says_as_what_it_was_made(place):
    assert environment.made_as() == str(environment.VENV)
    venv(environment.VENV)
    assert environment.made_as() == str(environment.VENV)
    (environment.VENV / "pyvenv.cfg").write_text(
        "home = /usr/bin\ncommand = /usr/bin/python3 -I -m venv /old place/.venv\n"
    )
    assert environment.made_as() == "/old place/.venv"
    (environment.VENV / "ready").write_text('["/older/.venv", "b", "c", "d"]')
    assert environment.made_as() == "/older/.venv"


@pytest.mark.parametrize(("name", "word"), [("a:b", "colon"), ("a\udcffb", "UTF-8"), ("a b é", "")])
def test_a_folder_in_which_python_loses_its_way(place, monkeypatch, name, word):
    monkeypatch.setattr(environment, "VENV", place / name / ".venv")
    if word:
        with pytest.raises(environment.SetupError, match=word):
            environment.check_name()
    else:
        environment.check_name()
