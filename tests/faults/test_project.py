"""The house around the code: one list of dependencies, a lock that fits it, make targets, and rules of the modules."""

import ast
import inspect
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request
from importlib import import_module
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from project_copy import clean_environment, copy_project, make

import labkit
from labkit.base.paths import ROOT
from labkit.base.version import VERSION

PACKAGE = ROOT / "labkit"
ROOMS = re.split(r"\s+> ", re.search(r"base(?:\s+> \w+)+", labkit.__doc__)[0])
# Every module by its dotted name below labkit, but for the two doors; a room's __init__ by the room's name.
SOURCES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): path.read_text(
        encoding="utf-8"
    )
    for path in sorted(PACKAGE.rglob("*.py"))
    if path not in (PACKAGE / "__init__.py", PACKAGE / "__main__.py")
}
each_module = pytest.mark.parametrize("name", SOURCES)


# ----- dependencies


@pytest.fixture(scope="module")
def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def lock():
    """The entries of requirements.lock, each as one logical line."""
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8").replace("\\\n", " ")
    return [line for line in text.splitlines() if line.strip() and not line.startswith("#")]


def test_every_entry_of_the_lock_is_pinned_and_hashed(lock):
    assert len(lock) > 50
    for line in lock:
        pin, *hashes = line.split("--hash=")
        requirement = Requirement(pin.strip())
        (specifier,) = requirement.specifier
        assert specifier.operator == "==" and "*" not in specifier.version and requirement.url is None
        assert hashes and all(re.fullmatch(r"sha256:[0-9a-f]{64}", digest.strip()) for digest in hashes), pin
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert not re.search(r"://|^\s*(?:-[ief]\b|--(?!hash=))", text, re.M)  # no addresses, no other index, no other file


def test_the_lock_satisfies_every_dependency(project, lock):
    locked = {}
    for line in lock:
        requirement = Requirement(line.split("--hash=")[0].strip())
        locked.setdefault(canonicalize_name(requirement.name), []).append(requirement)
    extras = {
        name: needs for name, needs in project["optional-dependencies"].items() if name != "onnx"
    }  # as in make lock
    wanted = [*project["dependencies"], *(need for needs in extras.values() for need in needs)]
    for text in wanted:
        requirement = Requirement(text)
        pins = locked.get(canonicalize_name(requirement.name), [])
        assert pins, f"{text} is not in the lock"
        for pin in pins:
            assert requirement.specifier.contains(next(iter(pin.specifier)).version), f"{text}, but {pin}"


@pytest.mark.parametrize("name", ["environment.yml", "binder/environment.yml"])
def test_conda_installs_the_lock_and_the_project_and_nothing_else(project, lock, name):
    environment = yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))
    (python,) = (d for d in environment["dependencies"] if isinstance(d, str) and d.startswith("python="))
    constraints, ourselves = environment["dependencies"][-1]["pip"]
    assert environment["dependencies"] == [python, "pip", {"pip": [constraints, ourselves]}]
    assert Requirement(f"python{project['requires-python']}").specifier.contains(python.removeprefix("python="))
    folder, extras = re.fullmatch(r"-e (\S+)\[(.*)\]", ourselves).groups()
    assert ((ROOT / name).parent / folder).resolve() == ROOT
    assert set(extras.split(",")) == ({"report"} if "/" in name else set(project["optional-dependencies"]) - {"onnx"})
    pins = ((ROOT / name).parent / constraints.removeprefix("-c ")).read_text(encoding="utf-8").splitlines()
    assert pins == [line.partition(" --hash=")[0].strip() for line in lock]


def test_the_container_runs_the_report_as_nobody_in_particular():
    """What is copied is there, what is made again is not, and set-up needs no more than what it is given."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    steps = [line.split(maxsplit=1) for line in text.splitlines() if line and not line.startswith("#")]
    words = [word for word, _ in steps]
    assert steps[-1] == ["CMD", '["make", "report"]'] and steps[words.index("USER")] == ["USER", "reader"]
    assert words.index("USER") < words.index("COPY") and "root" not in text
    copies = [step.split()[1:-1] for word, step in steps if word == "COPY"]
    assert all((ROOT / name).exists() for names in copies for name in names)
    assert {"Makefile", "pyproject.toml", "requirements.lock", "labkit"} <= {
        name for names in copies[:2] for name in names
    }
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert {".git", ".venv", ".venv.old", "build"} <= set(ignored)


def test_the_version_is_that_of_the_package(project):
    assert VERSION == project["version"]


# ----- make


def targets():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    return set(re.search(r"^\.PHONY:(.*)$", makefile, re.M)[1].split())


def test_make_alone_lists_every_target():
    done = make(ROOT)
    assert done.returncode == 0 and not done.stderr
    assert done.stdout == make(ROOT, "help").stdout
    listed = re.findall(r"^  make ([\w-]+) +(\S.*)$", done.stdout, re.M)
    assert sorted(name for name, _ in listed) == sorted(targets() - {"help", "environment"})


def test_every_make_command_in_the_prose_is_a_target():
    texts = [p.read_text(encoding="utf-8") for p in (ROOT / "labkit").glob("**/*") if p.suffix in (".py", ".j2")]
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        texts += ["".join(cell["source"]) for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]]
    texts += [p.read_text(encoding="utf-8") for p in ROOT.glob("*.md")]
    for folder in ("docs", "data", "figures"):
        texts += [p.read_text(encoding="utf-8") for p in (ROOT / folder).glob("*.md")]
    texts += [(ROOT / "environment.yml").read_text(encoding="utf-8"), (ROOT / ".ci/run").read_text(encoding="utf-8")]
    named = {name for text in texts for name in re.findall(r"(?:[`'>]|^\s*(?:\$ )?|; )make ([a-z]+)", text, re.M)}
    assert {"report", "data", "lab", "smoke"} <= named
    assert named <= targets()


def test_the_prose_is_finished_and_its_links_lead_to_files():
    for path in [
        *ROOT.glob("*.md"),
        *(p for folder in ("docs", "data", "figures") for p in (ROOT / folder).glob("*.md")),
    ]:
        text = path.read_text(encoding="utf-8")
        assert not re.findall(r"@[A-Z]+@|\bTODO\b|\bFIXME\b", text), path.name
        for link in re.findall(r"\]\(([^)\s]+)\)", text):
            if not re.match(r"[a-z]+:|#", link):
                assert (path.parent / link.partition("#")[0]).exists(), f"{path.name}: {link}"


@pytest.mark.parametrize("target", ["lab", "explore"])
def test_jupyter_is_for_this_machine_and_asks_for_its_token(tmp_path, target):
    root = copy_project(tmp_path / "project")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = {
        "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime"),
        "JUPYTER_CONFIG_DIR": str(tmp_path / "config"),
        "IPYTHONDIR": str(tmp_path / "ipython"),
    }
    own |= {
        "JUPYTERLAB_SETTINGS_DIR": str(tmp_path / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(tmp_path / "workspaces"),
    }
    arguments = f"--no-browser --port={port} --ServerApp.port_retries=0"
    command = ["make", target, f"PYTHON={sys.executable}", f"ARGS={arguments}"]
    environment = {name: value for name, value in clean_environment(**own).items() if name != "JUPYTER_TOKEN"}
    log = (tmp_path / "log").open("wb")
    server = subprocess.Popen(command, cwd=root, env=environment, stdout=log, stderr=log, start_new_session=True)

    def status(query):
        try:
            return urllib.request.urlopen(f"http://127.0.0.1:{port}/api/contents{query}", timeout=5).status
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return None

    try:
        deadline = time.monotonic() + 60
        while status("") is None:
            assert server.poll() is None and time.monotonic() < deadline, (tmp_path / "log").read_text()
            time.sleep(0.2)
        (card,) = (tmp_path / "runtime").glob("jpserver-*.json")
        token = json.loads(card.read_text())["token"]
        assert len(token) >= 32 and status("") == status("?token=wrong") == 403 and status(f"?token={token}") == 200
        sockets = [
            line.split()
            for table in ("tcp", "tcp6")
            for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
        ]
        listening = [
            local for _, local, _, state, *_ in sockets if state == "0A" and int(local.rpartition(":")[2], 16) == port
        ]
        assert listening == [f"0100007F:{port:04X}"]
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(30)


FAULTS = {
    "Data": ("D", 13),
    "Checkpoints": ("C", 12),
    "Training": ("T", 11),
    "Notebook and report": ("N", 19),
    "Interactive": ("I", 8),
    "Supply chain": ("S", 7),
    "Commands and set-up": ("M", 12),
}


def test_the_table_of_faults_names_tests_that_exist():
    """Every fault has its row, and hardly one is without a test."""
    sections = re.split(r"^## (.+)\n", (ROOT / "tests/README.md").read_text(encoding="utf-8"), flags=re.M)[1:]
    assert sections[::2] == list(FAULTS)
    trees = {
        path.name: ast.parse(path.read_text(encoding="utf-8")).body for path in (ROOT / "tests").rglob("test_*.py")
    }
    functions = {
        (file, node.name) for file, body in trees.items() for node in body if isinstance(node, ast.FunctionDef)
    }
    tested = 0
    for heading, text in zip(sections[::2], sections[1::2], strict=True):
        letter, count = FAULTS[heading]
        rows = [
            [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
            for line in text.splitlines()
            if line.startswith("|")
        ]
        assert rows[0] == ["id", "fault", "what happens", "tests", "seconds"]
        assert [row[0] for row in rows[2:]] == [f"{letter}{number}" for number in range(1, count + 1)]
        for name, fault, what, tests, seconds in rows[2:]:
            assert fault and what, name
            if tests == "-":
                assert seconds == "-", name
                continue
            assert re.fullmatch(r"< 1|[1-9]\d*", seconds), name
            for test in tests.split(", "):
                assert re.fullmatch(r"`(test_\w+\.py)::(test_\w+)`", test).groups() in functions, f"{name}: {test}"
            tested += 1
    assert tested >= 36


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["report", "PROFILE=nonsense"], "profile = 'nonsense'"),
        (["report", "PROFILE=smoke", "SET=epochs=0"], "epochs = 0"),
    ],
    ids=["profile", "setting"],
)
def test_a_bad_argument_is_one_line(arguments, words):
    done = make(ROOT, *arguments)
    assert done.returncode != 0 and done.stdout == ""
    lines = [line for line in done.stderr.splitlines() if not line.startswith("make")]  # make adds a line of its own
    assert len(lines) == 1 and lines[0].startswith("labkit: ") and words in lines[0]


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("report", "PROFILE"),
        ("report", "DEVICE"),
        ("report", "SET"),
        ("report", "DATASET"),
        ("smoke", "SET"),
        ("pdf", "PROFILE"),
        ("score", "FEATURES"),
        ("study", "ARGS"),
        ("examine", "SUBMISSION"),
        ("predict", "SENTENCES"),
        ("handin", "STUDENT"),
        ("verify", "HANDIN"),
    ],
)
def test_no_argument_of_make_is_run(tmp_path, target, name):
    """Whatever is typed, or comes from a script, is refused as text."""
    root = copy_project(tmp_path / "parent/project")
    hostile = """$(shell touch ../canary)'; touch ../canary; '"; touch ../canary; "$$(touch ../canary)"""
    hostile += "`touch ../canary` * ../../x"
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    done = make(root, target, f"{name}={hostile}")
    assert done.returncode != 0 and "Traceback" not in done.stderr
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


# ----- modules


def imports(name):
    """(modules of labkit, top-level names of other packages) that the module ``name`` imports, wherever it does."""
    own, others = set(), set()
    package = name.split(".")[:1] if (PACKAGE / name.split(".")[0]).is_dir() else []
    for node in ast.walk(ast.parse(SOURCES[name])):
        if isinstance(node, ast.Import):
            others |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level:
            base = [*package[: len(package) - node.level + 1], *(node.module or "").split(".")]
            base = ".".join(filter(None, base))
            for alias in node.names:
                below = f"{base}.{alias.name}".lstrip(".")
                own.add(below if below in SOURCES else base)
        elif isinstance(node, ast.ImportFrom):
            others.add(node.module.split(".")[0])
    assert "labkit" not in others  # inside the package, imports are relative
    assert own <= set(SOURCES)
    return own, others


def room(name):
    """Where the module ``name`` lives."""
    return name.split(".")[0]


def test_the_list_of_rooms_is_complete():
    assert {room(name) for name in SOURCES} == set(ROOMS)
    described = re.findall(r"^(\w+)  +\S", labkit.__doc__, re.M)
    assert described == ROOMS
    assert sum((PACKAGE / name).is_dir() for name in ROOMS) <= 13


@each_module
def test_a_module_imports_only_from_its_room_and_rooms_to_its_left(name):
    allowed = set(ROOMS[: ROOMS.index(room(name)) + 1])
    assert {room(other) for other in imports(name)[0]} <= allowed


def test_no_module_imports_itself_by_a_detour():
    """Modules can be put in an order in which each imports only from those before it; a room's __init__ comes last."""
    left = {name: imports(name)[0] - {name} for name in SOURCES}
    while left:
        free = [name for name, needs in left.items() if not needs & set(left)]
        assert free, f"a circle among {sorted(left)}"
        for name in free:
            del left[name]


def test_a_room_says_what_belongs_in_it_and_what_does_not():
    for name in ROOMS:
        if (PACKAGE / name).is_dir():
            first, blank, *rest = ast.get_docstring(ast.parse(SOURCES[name])).splitlines()
            text = " ".join(rest)
            assert first and not blank and "Here: " in text and "Not here: " in text and len(rest) <= 3, name


@pytest.mark.parametrize(
    ("package", "owner"),
    [
        ("matplotlib", "figures"),
        ("papermill", "report"),
        ("nbconvert", "report"),
        ("anywidget", "editor"),
        ("distributed", "study"),
        ("onnxruntime", "examine"),
    ],
)
def test_a_heavy_package_has_one_owner(package, owner):
    assert {room(name) for name in SOURCES if package in imports(name)[1]} == {owner}


FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__", "os.system", "torch.load", "torch.save", "np.load"}
ALLOWED = {("examine.weights", "torch.load")}  # what a stranger brings, weights_only, in a process of its own
FORBIDDEN_OPTIONS = {"weights_only=False", "trust_remote_code=True", "shell=True", "allow_pickle=True"}


@each_module
def test_nothing_is_unpickled_or_evaluated(name):
    assert not imports(name)[1] & {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
    for node in ast.walk(ast.parse(SOURCES[name])):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            options = {f"{keyword.arg}={ast.unparse(keyword.value)}" for keyword in node.keywords}
            assert called not in FORBIDDEN_CALLS or ((name, called) in ALLOWED and "weights_only=True" in options)
            assert not options & FORBIDDEN_OPTIONS
    assert "http://" not in SOURCES[name]


@each_module
def test_every_public_name_has_a_docstring(name):
    module = import_module(f"labkit.{name}")
    assert inspect.getdoc(module)
    bare = [
        key
        for key, value in vars(module).items()
        if (inspect.isfunction(value) or inspect.isclass(value))
        and value.__module__ == module.__name__
        and not key.startswith("_")
        and not (value.__doc__ or "").strip()
    ]
    assert bare == []


@each_module
def test_no_function_is_longer_than_a_screen(name):
    """Sixty lines, and two for decorators or a docstring's end."""
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    lengths = {
        node.name: node.end_lineno - node.lineno + 1
        for node in ast.walk(ast.parse(SOURCES[name]))
        if isinstance(node, functions)
    }
    assert {function: lines for function, lines in lengths.items() if lines > 62} == {}


def test_no_line_is_wider_than_120_columns():
    wide = [
        f"{path.relative_to(ROOT)}:{number}"
        for folder in ("labkit", "tests", "benchmarks")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if len(line) > 120
    ]
    assert wide == []


def test_no_code_cell_of_a_notebook_is_longer_than_100_lines():
    notebooks = sorted((ROOT / "notebooks").glob("*.ipynb"))
    assert notebooks
    for path in notebooks:
        for number, cell in enumerate(json.loads(path.read_text(encoding="utf-8"))["cells"], 1):
            lines = "".join(cell["source"]).splitlines()
            assert cell["cell_type"] != "code" or len(lines) <= 100, f"{path.name}, cell {number}"


IMPORT_ALL = """
import copy, json, sys
import matplotlib, torch

def settings():
    return {
        "cudnn.deterministic": torch.backends.cudnn.deterministic,
        "threads": torch.get_num_threads(),
        "rcParams": dict(copy.deepcopy(matplotlib.rcParams)),
        "dtype": torch.get_default_dtype(),
    }

before = settings()
for name in sys.argv[1:]:
    __import__(name)
after = settings()
print(*(name for name in before if before[name] != after[name]))
"""


def test_importing_changes_no_setting_of_torch_or_matplotlib():
    """They are the reader's: what labkit needs, it sets for as long as it needs it."""
    names = [f"labkit.{name}" for name in SOURCES]
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, *names], cwd=ROOT, env=clean_environment(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


def test_no_merge_marks_and_no_absolute_homes():
    """Files that a clone gets name no machine."""
    names = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files"], cwd=ROOT, capture_output=True, check=True, text=True
    ).stdout.splitlines()
    for name in names:
        if name.endswith((".py", ".md", ".ipynb", ".toml", ".yml", ".j2", "Makefile")) and (ROOT / name).exists():
            text = (ROOT / name).read_text(encoding="utf-8")
            assert not re.search(r"^(?:<{7}|>{7}) |/(?:home|Users)/[a-z]", text, re.M), name
