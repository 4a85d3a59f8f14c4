"""Set-up with the real make, venv and pip, on a lock of one small package: no .venv that works is ever lost.

A folder with the Makefile and the files that set-up needs stands for the project, a folder of wheels for the network.
"""

import ast
import os
import random
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from small_setup import contents, locked, make_wheels, own, project, setup, sound

from labkit.base import environment
from labkit.base.paths import ROOT


@pytest.fixture(scope="module")
def wheels(tmp_path_factory):
    """The folder of wheels."""
    return make_wheels(tmp_path_factory.mktemp("wheels"))


@pytest.fixture(scope="module")
def made(tmp_path_factory, wheels):
    """A project that is set up, on a machine whose owner has settled much for pip; tests that change it take a copy."""
    root = project(tmp_path_factory.mktemp("made") / "a 'b' 実 é", wheels)
    config = root.parent / "pip.conf"
    config.write_text(f"[global]\nfind-links = {wheels}\nno-index = true\n[install]\nuser = true\ntarget = /nowhere\n")
    status, lines = setup(
        root,
        PIP_CONFIG_FILE=str(config),
        PIP_USER="1",
        PIP_TARGET="/nowhere",
        PIP_PREFIX="/nowhere",
        PIP_REQUIRE_VIRTUALENV="1",
        PIP_DRY_RUN="1",
        PIP_PYTHON="/nowhere/python",
        PYTHONHOME="/nowhere",
        PYTHONUSERBASE="/nowhere",
        PYTHONOPTIMIZE="2",
    )
    assert status == 0, lines
    assert len(lines) == 1 and lines[0].startswith("Installing") and not Path("/nowhere").exists()
    return root


@pytest.fixture
def copied(made, tmp_path):
    """The project that is set up, moved to another folder."""
    root = tmp_path / "moved"
    shutil.copytree(made, root, symlinks=True)
    return root


pytestmark = pytest.mark.slow


def test_a_persons_settings_of_pip_and_python_do_no_harm(made):
    assert sound(made)


def test_nothing_is_done_twice_or_undone(made):
    """A touched file, or another that fits as well, asks no network, and a lock that cannot be had changes nothing."""
    before = contents(made)
    (made / "pyproject.toml").touch()
    assert setup(made) == (0, []) and contents(made) == before
    lock = (made / "requirements.lock").read_text()
    (made / "requirements.lock").write_text(lock.replace("small==1", "small==2"))
    status, lines = setup(made)
    assert status != 0 and lines[0].startswith("Installing") and len(lines) == 2, lines
    assert lines[1].startswith("labkit: ") and "small==2" in lines[1] and "as it was" in lines[1]
    assert contents(made) == before and not (made / ".venv.old").exists()
    (made / "requirements.lock").write_text("# a comment\n" + lock)
    assert setup(made) == (0, []) and sound(made)


def test_a_venv_of_another_folder_is_made_to_fit(made, tmp_path):
    """Else the other folder's labkit would be imported, and its scripts run."""
    root = tmp_path / "elsewhere"
    shutil.copytree(made, root, symlinks=True)
    assert not sound(root)
    status, lines = setup(root)
    assert status == 0 and len(lines) == 1 and str(root) in lines[0], lines
    assert sound(root) and setup(root) == (0, [])


@pytest.mark.thorough
def test_the_interpreter_below_is_gone(copied, wheels):
    assert setup(copied)[0] == 0
    for path in (copied / ".venv/bin").glob("python*"):
        if path.readlink().is_absolute():
            path.unlink()
            path.symlink_to("/nowhere/python3")
    status, lines = setup(copied)
    assert status != 0 and len(lines) == 2 and "as it was" in lines[1]  # and it takes a network to make it anew
    assert setup(copied, PIP_FIND_LINKS=str(wheels))[0] == 0 and sound(copied)


@pytest.mark.thorough
def test_two_at_once(tmp_path, wheels):
    root = project(tmp_path / "two", wheels)
    both = [
        subprocess.Popen(
            ["make", "setup"],
            cwd=root,
            env=own(PIP_FIND_LINKS=str(wheels)),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        for _ in range(2)
    ]
    said = [process.communicate(timeout=300)[0].decode() for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert sorted(map(str.count, said, ["Installing"] * 2)) == [0, 1] and sound(root)


@pytest.mark.thorough
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_a_set_up_that_is_stopped_keeps_what_was_there(copied, wheels, end):
    """Whenever it is stopped: the next one puts back what was there, even if it cannot do what the first one began."""
    assert setup(copied)[0] == 0
    before, lock = contents(copied), (copied / "requirements.lock").read_text()
    chance = random.Random(7)
    for _ in range(3):
        (copied / "requirements.lock").write_text(lock + "nothing==1 --hash=sha256:" + "0" * 64 + "\n")
        process = subprocess.Popen(
            ["make", "setup"],
            cwd=copied,
            env=own(PIP_FIND_LINKS=str(wheels)),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        process.stdout.readline()  # it has begun
        time.sleep(chance.uniform(0, 2))
        os.killpg(process.pid, end)
        said = process.communicate(timeout=60)[0].decode()
        assert "Traceback" not in said, said
        (copied / "requirements.lock").write_text(lock)
        assert setup(copied) == (0, []) and contents(copied) == before
        assert not (copied / ".venv.old").exists()


@pytest.mark.parametrize(("name", "word"), [("with:colon", "colon"), ("\udcff", "UTF-8")])
def test_a_folder_that_python_makes_no_venv_in(tmp_path, wheels, name, word):
    root = project(tmp_path / name, wheels)
    status, lines = setup(root, PIP_FIND_LINKS=str(wheels))
    assert status != 0 and lines[-1].startswith("labkit: ") and word in lines[-1] and "rename" in lines[-1]
    assert not (root / ".venv").exists()


def versions(root: Path) -> dict[str, str]:
    """All that is installed, with its version."""
    found = (root / ".venv").glob("lib/python*/site-packages/*.dist-info")
    return dict(path.name.removesuffix(".dist-info").split("-") for path in found)


@pytest.mark.thorough
def test_torch_without_cuda_is_chosen_once(tmp_path, wheels):
    """And neither choice is taken for the other, nor forgotten: by a later command, a move, a killed one."""
    root, folder, builds = project(tmp_path / "cpu", wheels), tmp_path / "wheels", tmp_path / "builds"
    shutil.copytree(wheels, folder)
    make_wheels(folder, names=("torch", "torchvision"), needs="nvidia_any")
    make_wheels(folder, names=("nvidia_any",))
    (root / "requirements.lock").write_text(locked(folder, "nvidia_any", "small", "torch", "torchvision"))
    builds.mkdir()
    make_wheels(builds, "1+cpu", ("torch", "torchvision"))
    process = subprocess.Popen(
        ["make", "setup"], cwd=root, env=own(TORCH="cpu"), stdout=subprocess.PIPE, start_new_session=True
    )
    assert b"without CUDA" in process.stdout.readline()
    os.killpg(process.pid, signal.SIGKILL)  # the first one
    process.communicate()
    status, lines = setup(root)
    assert status and "without CUDA" in lines[0] and not (root / ".venv/ready").exists()  # and one that fails
    status, lines = setup(root, PIP_FIND_LINKS=shlex.join(map(str, (folder, builds))))
    assert status == 0 and len(lines) == 1 and "without CUDA" in lines[0], lines
    without = {"small": "1", "torch": "1+cpu", "torchvision": "1+cpu"}
    assert without.items() <= versions(root).items() and "nvidia_any" not in versions(root) and sound(root)
    assert setup(root) == (0, []) and setup(root, TORCH="cpu") == (0, []) and not list(root.glob(".venv.*"))
    moved = root.rename(tmp_path / "moved")
    assert setup(moved)[0] == 0 and sound(moved) and without.items() <= versions(moved).items()
    status, lines = setup(moved, TORCH="rocm")
    assert status and "TORCH = 'rocm' is unknown" in lines[0] and setup(moved) == (0, [])
    status, lines = setup(moved, TORCH="cuda", PIP_FIND_LINKS=str(folder))
    assert status == 0 and "without CUDA" not in lines[0] and setup(moved) == (0, [])
    assert {"nvidia_any": "1", "torch": "1", "torchvision": "1"}.items() <= versions(moved).items()


def test_the_lock_without_cuda_is_the_lock_but_for_torch_and_what_only_torch_needs(tmp_path, monkeypatch):
    monkeypatch.setattr(environment, "VENV", tmp_path)
    monkeypatch.setenv("TORCH_INDEX", "file:///index")
    (builds, rest), (whole,) = environment.chosen(True), environment.chosen(False)
    assert whole == environment.LOCKED and rest[:3] == ("--no-deps", *environment.LOCKED[:2])
    assert builds[:3] == ("--no-deps", "--index-url", "file:///index")
    assert [build.partition("==")[0] for build in builds[3:]] == ["torch", "torchvision"]
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    kept = Path(rest[-1]).read_text().splitlines()
    names, left = ({line.partition("==")[0] for line in part if "==" in line} for part in (lines, kept))
    assert all(line in lines for line in kept) and {"torch", "torchvision", "triton", "nvidia-nccl-cu13"} < names - left
    assert all(name.startswith(("torch", "triton", "cuda-", "nvidia-")) for name in names - left)
    assert [name for name in sorted(left) if name.startswith(("torch", "triton", "cuda", "nvidia"))] == ["torchmetrics"]
    assert all(f"{build.removesuffix('+cpu')} \\" in lines for build in builds[3:])


def test_only_the_lock_is_installed():
    assert environment.LOCKED == ("--require-hashes", "-r", "requirements.lock")
    assert environment.OURSELVES == ("--no-deps", "--no-build-isolation", "--editable", ".")


# It is Python as far as its options go, and else says what it was given.
STAND_IN = """
import os, runpy, sys

if sys.argv[1] == "-I":
    sys.executable, sys.argv = os.environ["CALLED"], sys.argv[2:]
    runpy.run_path(sys.argv[0], run_name="__main__")
elif sys.argv[1] != "-c":
    print(sys.argv[1:])
"""


@pytest.mark.parametrize(
    "text", ["-c 'print(1)' ; touch canary", "$(touch canary)`touch canary`", "'open", '"a b" \\"c']
)
def test_arguments_are_words_and_never_run(tmp_path, text):
    """They are split as a shell would, with its quotes, and given to a Python whose path may hold anything."""
    root = tmp_path / "root"
    root.mkdir()
    (root / "labkit/base").mkdir(parents=True)
    for name in ("Makefile", "labkit/base/arguments.py"):
        shutil.copy(ROOT / name, root / name)
    python = tmp_path / "a $HOME 'b' \"c/python"
    python.parent.mkdir()
    (tmp_path / "stand_in.py").write_text(STAND_IN)
    real = shlex.join([sys.executable, str(tmp_path / "stand_in.py")])  # a name with a space is none for a line with #!
    python.write_text(f'#!/bin/sh\nCALLED="$0" exec {real} "$@"\n')
    python.chmod(0o755)
    command = ["make", "test", f"PYTHON={python}", f"ARGS={text}"]
    done = subprocess.run(command, cwd=root, env=own(), capture_output=True, text=True)
    assert not list(root.rglob("canary"))
    try:
        words = shlex.split(text)
    except ValueError:
        assert done.returncode and done.stderr.splitlines()[0].startswith("labkit: ARGS = ")
    else:
        (said,) = done.stdout.splitlines()
        assert ast.literal_eval(said)[-len(words) :] == words
