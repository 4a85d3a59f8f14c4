"""`make doctor`, for real, on a copy of the project in which one thing at a time is broken; then single checks."""

import ast
import os
import re
import shutil
import signal
import subprocess
import sys
import types
import venv
import warnings
from importlib import metadata

import pytest
import torch
from project_copy import clean_environment, copy_project, make

from labkit import data, doctor
from labkit.base import paths
from labkit.base.errors import LabError
from labkit.base.paths import ROOT
from labkit.data import loading
from labkit.evaluation import classifier
from labkit.evaluation.classifier import load_classifier
from labkit.training import runs

NAMES = [check.__name__ for check in doctor.CHECKS]
NEED_TORCH = {"data", "own", "classifier", "runs", "studies", "gpu", "threads"}


@pytest.fixture(scope="module")
def healthy(tmp_path_factory, tiny_config, sample_images):
    """A copy of the project with a finished run, which no test may change."""
    root = copy_project(tmp_path_factory.mktemp("doctor") / "a project")
    data.ensure(paths.DATA)
    runs.fit_or_load(tiny_config("vanilla"), "cpu", root / "data" / "runs", sample_images)
    return root


@pytest.fixture
def project(healthy, tmp_path):
    """A copy of that copy, to be damaged."""
    return shutil.copytree(healthy, tmp_path / "project")


def tree(root):
    """Everything under ``root``, and when it was changed."""
    return {p: (p.lstat().st_mtime_ns, p.read_bytes() if p.is_file() else None) for p in [root, *root.rglob("*")]}


def read(output):
    """(state, check, text) of every line, each as it has to look."""
    rows = [re.fullmatch(r"(ok  |note|FAIL)  (\w+): (\S.*)", line) for line in output.splitlines()]
    assert all(rows), output
    rows = [(row[1].strip(), row[2], row[3]) for row in rows]
    for state, _, text in rows:
        assert state == "ok" or re.search(r"\S: \S", text), f"no remedy: {text}"
    assert [name for name in NAMES if name in {row[1] for row in rows}] == list(dict.fromkeys(row[1] for row in rows))
    return rows


def consult(root, *before, **environment):
    """What the doctor says in ``root``, as `read` returns it; ``before`` comes before the command."""
    was = tree(root)
    command = [*before, sys.executable, "-B", "-m", "labkit", "doctor"]
    done = subprocess.run(
        command, cwd=root, env=clean_environment(**environment), capture_output=True, text=True, timeout=60
    )
    rows = read(done.stdout)
    assert done.stderr == "" and {row[1] for row in rows} == set(NAMES)
    assert done.returncode == any(state == "FAIL" for state, *_ in rows)
    assert tree(root) == was
    return rows


def failures(rows):
    return [(name, text) for state, name, text in rows if state == "FAIL"]


# ----- the real thing


def test_a_healthy_project(healthy):
    was = tree(healthy)
    done = make(healthy, "doctor")
    rows = read(done.stdout)
    assert done.returncode == 0 and done.stderr == "" and not failures(rows)
    assert tree(healthy) == was
    said = {name: (state, text) for state, name, text in rows if name != "python"}
    assert said["data"] == ("ok", f"4 verified files of Fashion-MNIST in {paths.DATA}")
    assert said["classifier"][0] == "ok" and load_classifier()[1]["sha256"][:12] in said["classifier"][1]
    assert said["page"] == ("ok", "@jax-js/jax 0.1.25 verified, 4 files")
    assert said["runs"] == ("ok", f"1 verified finished runs in {healthy}/data/runs")
    assert [row for row in rows if row[1] == "folders"] == [
        ("ok", "folders", f"{healthy / name} can be written") for name in ("data", "figures", "build")
    ]
    assert rows[0] == ("ok", "python", f"{sys.version.split()[0]} in {sys.prefix}")
    assert any(
        state == "note" and name == "python" and "make setup" in text for state, name, text in rows
    )  # the copy has no .venv


def test_a_flipped_byte_in_the_data(healthy, tmp_path):
    for name in data.FASHION_MNIST.digests:
        path = loading.locate(paths.DATA, name)
        (tmp_path / path.name).symlink_to(path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    damaged = tmp_path / path.name
    damaged.unlink()
    damaged.write_bytes(content)
    rows = consult(healthy, LABKIT_DATA=str(tmp_path), PYTHONIOENCODING="ascii")  # which has no "…"
    ((name, text),) = failures(rows)
    assert name == "data" and str(damaged) in text and "run 'make data'" in text and "delete" not in text
    assert ("ok", "data", f"3 verified files of Fashion-MNIST in {tmp_path}") in rows
    assert damaged.read_bytes() == content


@pytest.mark.parametrize(
    ("name", "damage", "words"),
    [
        ("ruler.safetensors", lambda content: content[:-1], "sha256"),
        ("ruler.json", lambda content: content.replace(b"0.9255", b"0.9355"), "ruler.json is not as it was written"),
    ],
    ids=["truncated weights", "a flipped digit of the accuracy"],
)
def test_a_damaged_ruler(tmp_path, monkeypatch, name, damage, words):
    for path in classifier.FOLDER.glob("ruler.*"):
        shutil.copy(path, tmp_path)
    path = tmp_path / name
    before = path.read_bytes()
    path.write_bytes(damage(before))
    assert path.read_bytes() != before
    monkeypatch.setattr(classifier, "FOLDER", tmp_path)
    ((state, text),) = doctor.examine(doctor.classifier)
    assert state == "FAIL" and str(tmp_path / "ruler.safetensors") in text and words in text and "git" in text


def test_every_damage_is_found_and_nothing_else(project, tiny_config, sample_images):
    """Of three files: the classifier's card, a script that is vendored, a run among sound ones."""
    card = project / "labkit" / "evaluation" / "ruler.json"
    card.write_text(card.read_text().replace("0.9255", "0.9355"))
    script = project / "labkit" / "page" / "vendor" / "jax-js" / "index.js"
    script.write_bytes(script.read_bytes() + b"\n")
    folder = runs.fit_or_load(tiny_config("vanilla", seed=1), "cpu", project / "data" / "runs", sample_images).folder
    weights = folder / "generator.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    rows = consult(project)
    found = dict(failures(rows))
    assert len(failures(rows)) == 3 and list(found) == ["classifier", "page", "runs"]
    assert "ruler.json is not as it was written" in found["classifier"] and "git" in found["classifier"]
    assert "index.js" in found["page"] and "git" in found["page"]
    assert str(weights) in found["runs"] and "delete its folder" in found["runs"]
    assert ("ok", "runs", f"1 verified finished runs in {project}/data/runs") in rows


def test_what_can_be_missed_is_a_note(project, tmp_path):
    """No data, no run, no browser; and none of them is fetched."""
    (tmp_path / "empty").mkdir()
    shutil.rmtree(project / "data" / "runs")
    rows = consult(project, LABKIT_DATA=str(tmp_path / "empty"), PATH=str(tmp_path / "empty"))
    assert not failures(rows) and ("ok", "runs", f"0 verified finished runs in {project}/data/runs") in rows
    notes = {name: text for state, name, text in rows if state == "note"}
    if loading.SYSTEM.exists():  # Debian's package is installed
        assert "data" not in notes
    else:
        assert f"4 of 4 files are not in {tmp_path / 'empty'}: 'make data'" in notes["data"]
    assert "Chromium" in notes["browser"] and "install" in notes["browser"]
    assert not list((tmp_path / "empty").iterdir())


def test_a_browser_on_the_path(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "google-chrome").write_text("#!/bin/sh\n")
    (tmp_path / "google-chrome").chmod(0o755)
    assert list(doctor.browser()) == [("ok", str(tmp_path / "google-chrome"))]


@pytest.mark.parametrize("error", ["ImportError", "OSError"])
def test_a_torch_that_cannot_be_imported(healthy, tmp_path, error):
    """What needs it says so, the rest is looked at."""
    (tmp_path / "torch.py").write_text(
        'import sys\nprint("Traceback (most recent call last):", file=sys.stderr)\n'
        f'raise {error}("libtorch.so is broken\\nand more")\n'
    )
    rows = consult(healthy, PYTHONPATH=str(tmp_path))
    assert {name for name, _ in failures(rows)} == NEED_TORCH
    assert all("libtorch.so is broken and more" in text and "make setup" in text for _, text in failures(rows))
    assert all(
        ("from git" in text) == (error == "OSError") for _, text in failures(rows)
    )  # a missing package is not a damaged project


def test_disks_that_take_nothing(project, own_mounts):
    """data/ is read-only, figures/ is full but for less than what is tried."""
    mounts = "mount -t tmpfs -o ro tmpfs data && mount -t tmpfs -o size=64k tmpfs figures"
    script = f'{mounts} && head -c 40000 /dev/zero > figures/big; exec "$@"'
    rows = consult(project, "unshare", "-m", "sh", "-c", script, "sh")
    (_, first), (_, second) = failures(rows)
    assert str(project / "data") in first and "read-only" in first and "a copy of the project" in first
    assert str(project / "figures") in second and second.endswith("the disk is full: free some space")
    assert ("ok", "folders", f"{project / 'build'} can be written") in rows and {
        name for name, _ in failures(rows)
    } == {"folders"}


def test_an_old_interpreter_is_one_line(healthy):
    """It can read as far as the line that refuses it, whatever comes later."""
    for name in ("__init__", "__main__", "cli", "doctor"):
        ast.parse((ROOT / f"labkit/{name}.py").read_text(encoding="utf-8"), feature_version=(3, 7))
    code = (
        "import runpy, sys; sys.version_info = (3, 10, 9); sys.modules['tomllib'] = None;"
        " sys.argv = ['labkit', 'doctor']; runpy.run_module('labkit', run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", code], cwd=healthy, env=clean_environment(), capture_output=True, text=True
    )
    ((state, name, text),) = read(done.stdout)
    assert (
        done.returncode == 1
        and done.stderr == ""
        and (state, name) == ("FAIL", "python")
        and "3.11" in text
        and sys.prefix in text
    )


@pytest.mark.parametrize(("end", "status"), [(signal.SIGINT, 130), (signal.SIGPIPE, 128 + signal.SIGPIPE)])
def test_it_ends_quietly_when_it_is_stopped(healthy, end, status):
    command = [sys.executable, "-B", "-m", "labkit", "doctor"]
    with subprocess.Popen(
        command, cwd=healthy, env=clean_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout.readline()
        if end == signal.SIGINT:
            process.send_signal(end)
        else:
            process.stdout.close()
        said = process.stderr.read().strip().splitlines()
        assert process.wait(60) == status and len(said) == (end == signal.SIGINT), said


def test_make_takes_the_interpreter_that_is_there_and_installs_nothing(healthy, tmp_path):
    """The .venv's if there is one, else python3, unless PYTHON names another."""

    def spoken(*arguments):
        environment = clean_environment(PATH=f"{tmp_path}:{os.environ['PATH']}")
        return subprocess.run(
            ["make", "doctor", *arguments], cwd=root, env=environment, capture_output=True, text=True
        ).stdout

    def fake(path, says):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'#!/bin/sh\necho {says} "$@"\n')
        path.chmod(0o755)

    root = tmp_path / "root"
    root.mkdir()
    shutil.copy(healthy / "Makefile", root)
    fake(tmp_path / "python3", "three")
    fake(tmp_path / "mine", "mine")
    assert spoken() == "three -B -m labkit doctor\n" and not (root / ".venv").exists()
    assert spoken("PYTHON=mine") == "mine -B -m labkit doctor\n"
    fake(root / ".venv/bin/python", "venv")
    assert spoken() == "venv -B -m labkit doctor\n"
    assert spoken("PYTHON=mine") == "mine -B -m labkit doctor\n"
    (root / ".venv/bin/python").unlink()
    (root / ".venv/bin/python").symlink_to("/nowhere/python")
    assert spoken() == "three -B -m labkit doctor\n"


# ----- packages


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """``installed(name=version, ...)``: what packages() says where these are installed; the project needs a and b."""

    def say(**versions):
        def version(name):
            if name not in versions:
                raise metadata.PackageNotFoundError(name)
            return versions[name]

        monkeypatch.setattr(metadata, "version", version)
        return list(doctor.packages())

    pyproject = (
        '[project]\ndependencies = ["a>=1.5"]\n[project.optional-dependencies]\nreport = ["b>=2,<3"]\ntest = ["t>=1"]\n'
    )
    (tmp_path / "pyproject.toml").write_text(pyproject)
    pins = [
        "a==1.7",
        "b==2.1",
        "t==1.0",
        "c==0.1 ; python_version >= '3'",
        "d==4 ; python_version < '3'",
        "e==5",
        "f==6",
    ]
    lock = "# a comment\n" + "".join(
        f"{pin} \\\n    --hash=sha256:{'0' * 64} \\\n    --hash=sha256:{'1' * 64}\n" for pin in pins
    )
    (tmp_path / "requirements.lock").write_text(lock)
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    return say


LOCKED = {"a": "1.7", "b": "2.1", "t": "1.0", "c": "0.1", "e": "5", "f": "6"}


@pytest.mark.parametrize("same", [{}, {"a": "1.7+cpu"}, {"e": "5.0"}, {"d": "3"}], ids=str)
def test_locked_packages(installed, same):
    """A build of the same version is that version, and what is locked for other machines is not asked for."""
    assert installed(**LOCKED | same) == [("ok", "6 of the 6 that requirements.lock names for this machine")]


def test_another_version_than_the_locked_one_is_a_note(installed):
    ((state, text),) = installed(**LOCKED | {"a": "1.8rc1", "e": "5.1"})
    assert state == "note" and text.startswith("4 of the 6 ") and "not a==1.7 (here 1.8rc1), e==5 (here 5.1): " in text


def test_a_package_that_only_the_lock_or_a_test_needs_is_a_note(installed):
    ((state, text),) = installed(**{name: version for name, version in LOCKED.items() if name not in "tc"})
    assert state == "note" and "not t==1.0 (here none), c==0.1 (here none): " in text


@pytest.mark.parametrize("name, requirement", [("a", "a>=1.5"), ("b", "b<3,>=2")])
@pytest.mark.parametrize("here", [None, "1.4"])
def test_a_needed_package_that_is_missing_or_too_old(installed, name, requirement, here):
    versions = {key: value for key, value in LOCKED.items() if key != name} | ({name: here} if here else {})
    (state, text), (other, _) = installed(**versions)
    assert (state, other) == ("FAIL", "note")
    assert text.startswith(f"{requirement} (here {here or 'none'}) not in {sys.prefix}: ") and "make setup" in text


def test_the_first_four_are_named(installed):
    text = installed(a="1.6", b="2.1")[0][1]
    assert (
        text.startswith("1 of the 6 that requirements.lock names for this machine, not a==1.7 (here 1.6), t==1.0")
        and " and 1 more: " in text
    )
    text = installed(a="1.6", b="2.2")[0][1]
    assert text.startswith("0 of the 6 ") and "c==0.1 (here none) and 2 more: " in text and "e==5" not in text


def test_the_remedy_is_one_that_works(installed, monkeypatch, tmp_path):
    """`make setup` does nothing where .venv is ready."""
    monkeypatch.setattr(doctor, "VENV", tmp_path / ".venv")
    assert "requirements.lock" in installed(b="2.1")[0][1].rpartition(": ")[2]
    monkeypatch.setattr(sys, "prefix", str(tmp_path / ".venv"))
    assert installed(b="2.1")[0][1].endswith(": delete .venv and run 'make setup'")


def test_torch_without_cuda_needs_no_more_of_cuda(installed, tmp_path):
    lock = tmp_path / "requirements.lock"
    lock.write_text(lock.read_text() + "nvidia-any==1 ; python_version >= '3'\ntorch==2\ntorchvision==3\n")
    ((state, text),) = installed(**LOCKED, torch="2", torchvision="3")
    assert state == "note" and text.startswith("8 of the 9 ") and "nvidia-any==1 (here none): " in text
    assert installed(**LOCKED, torch="2+cpu", torchvision="3+cpu")[0][1].startswith("8 of the 8 ")


# ----- the other checks


def test_whether_a_notebook_that_is_opened_without_make_finds_this_labkit(tmp_path, monkeypatch):
    """As in VS Code, with an interpreter of the reader's: here a new one, and whatever PYTHONPATH make has set."""
    venv.create(tmp_path / "own", symlinks=True)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "own/bin/python"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pth = next((tmp_path / "own").glob("lib/python3*/site-packages")) / "labkit.pth"
    (tmp_path / "other é/labkit").mkdir(parents=True)
    (tmp_path / "other é/labkit/__init__.py").touch()
    ((state, text),) = doctor.notebooks()
    assert state == "note" and "find no labkit: " in text and f"{sys.executable} -m pip install" in text
    pth.write_text(f"{tmp_path / 'other é'}\n", encoding="utf-8")
    ((state, text),) = doctor.notebooks()
    assert state == "note" and f"find the labkit in {tmp_path / 'other é'}: " in text
    pth.write_text(f"{ROOT}\n", encoding="utf-8")
    assert [state for state, _ in doctor.notebooks()] == ["ok"]


def test_a_labkit_from_elsewhere(tmp_path, monkeypatch):
    for inside in (ROOT, ROOT / "labkit"):
        monkeypatch.chdir(inside)
        assert "FAIL" not in dict(doctor.python())
    monkeypatch.chdir(tmp_path)
    text = dict(doctor.python())["FAIL"]
    assert str(ROOT) in text and str(tmp_path) in text and "PYTHONPATH" in text


def test_a_setup_that_was_not_finished(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor, "VENV", tmp_path)
    assert "make setup" in dict(doctor.python())["note"]
    (tmp_path / "ready").touch()
    assert "note" not in dict(doctor.python())


def test_folders_that_are_not_there_are_not_made(tmp_path, monkeypatch):
    """A file, or a link to nowhere, in the place of one is found out."""
    monkeypatch.setattr(paths, "ROOT", tmp_path / "later")
    assert [state for state, _ in doctor.folders()] == ["ok"] * 3 and not list(tmp_path.iterdir())
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    (tmp_path / "data").touch()
    (tmp_path / "build").symlink_to("/nowhere/build")
    assert [state for state, _ in doctor.folders()] == ["FAIL", "ok", "FAIL"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["build", "data"]


def test_a_limit_on_the_size_of_files():
    """Found without any privilege, since the bytes are really written."""
    code = (
        "import resource; from labkit import doctor; resource.setrlimit(resource.RLIMIT_FSIZE, (9, 9));"
        " print(*doctor.folders(), sep='\\n')"
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", code], cwd=ROOT, env=clean_environment(), capture_output=True, text=True
    )
    assert done.stderr == "" and done.stdout.count("('FAIL'") == 3 and done.stdout.count("ulimit -f") == 3


@pytest.mark.parametrize(
    "torch_is_here, free, state",
    [(True, 1.1e9, "ok"), (True, 0.9e9, "note"), (False, 6.1e9, "ok"), (False, 5.9e9, "note")],
)
def test_free_disk(monkeypatch, torch_is_here, free, state):
    """Before a first setup it takes more."""
    monkeypatch.setattr(shutil, "disk_usage", lambda path: types.SimpleNamespace(free=free))
    if not torch_is_here:
        monkeypatch.setitem(sys.modules, "torch", None)
    ((seen, text),) = doctor.disk()
    assert (
        seen == state
        and text.startswith(f"{free / 1e9:.1f} GB free")
        and ("free some space" in text) == (state == "note")
    )


def test_gpu_and_threads(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert list(doctor.gpu()) == [("ok", "none: everything runs on the CPU")]
    with monkeypatch.context() as mac:
        mac.setattr(torch.backends.mps, "is_available", lambda: True)
        assert "DEVICE=mps" in dict(doctor.gpu())["ok"]
    monkeypatch.setattr(
        torch.cuda, "is_available", lambda: warnings.warn("The driver is too old", stacklevel=2) or False
    )
    ((state, text),) = doctor.gpu()
    assert state == "note" and "The driver is too old" in text
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Abacus 9000")
    assert list(doctor.gpu()) == [("ok", "Abacus 9000")]
    monkeypatch.setattr(torch, "get_num_threads", lambda: 37)
    assert "37" in dict(doctor.threads())["ok"]


def test_a_check_that_stumbles_is_a_line_and_the_rest_go_on(monkeypatch, capsys):
    def first():
        yield "ok", "so far"
        raise RuntimeError("of two\nlines")

    def second():
        raise LabError("this: do that")
        yield

    def third():
        yield "note", "a thing: a remedy"

    monkeypatch.setattr(doctor, "CHECKS", (first, second, third))
    assert doctor.main() == 1
    start, stumble, *rest = capsys.readouterr().out.splitlines()
    assert start == "ok    first: so far" and rest == ["FAIL  second: this: do that", "note  third: a thing: a remedy"]
    assert stumble.startswith("FAIL  first: not looked at, RuntimeError of two lines: ") and "git" in stumble
    monkeypatch.setattr(doctor, "CHECKS", (third,))
    assert doctor.main() == 0
