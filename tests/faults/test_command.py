"""Every command ends in one line, whatever the terminal, the interpreter's settings or the moment of Ctrl-C."""

import signal
import subprocess
import sys
import time

import pytest
from project_copy import clean_environment

from labkit.base.command import INTERRUPTED
from labkit.base.paths import ROOT

RAISE = "from labkit.base.command import command; raise SystemExit(command(lambda: exec({!r})))"


def python(*arguments, timeout=60, **environment):
    """What a Python with ``arguments`` says, in the project, unbuffered or not as it is by default."""
    own = {name: value for name, value in clean_environment(**environment).items() if name != "PYTHONUNBUFFERED"}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=ROOT, env=own, capture_output=True, timeout=timeout)


def raised(code, **environment):
    return python("-c", RAISE.format(code), **environment)


@pytest.mark.parametrize(
    "code",
    [
        "(lambda f: f(f))(lambda f: f(f))",
        "import json; json.loads('[' * 100_000)",
        "raise MemoryError",
        "raise RuntimeError('DefaultCPUAllocator: can\\'t allocate memory: you tried to allocate 9 bytes')",
        "raise OSError(5, 'Input/output error', '/disk/run.json')",
        "raise OSError(5, 'Input/output error', b'/disk/run.json')",
        "raise OSError(24, 'Too many open files')",
        "raise OSError(24, 'Too many open files', 7)",
        "import zmq; raise zmq.error.ZMQError(24, 'Too many open files')",
        "raise OSError(28, 'No space left on device')",
        "raise OSError('no text')",
        "raise ConnectionResetError(104, 'Connection reset by peer')",
        "import tempfile; tempfile.tempdir = '/nowhere'; tempfile.mkdtemp()",
        "import nothing_of_that_name",
        "raise ImportError('libtorch.so: cannot open shared object file:\\nToo many open files')",
        "from labkit.base.errors import LabError; raise LabError('\\udcff and \\u4e2d')",
    ],
)
@pytest.mark.parametrize("environment", [{}, {"PYTHONIOENCODING": "ascii", "PYTHONOPTIMIZE": "2"}], ids=["", "poor"])
def test_a_fault_is_one_line(code, environment):
    done = raised(code, **environment)
    assert done.returncode == 1 and done.stdout == b""
    (line,) = done.stderr.decode().splitlines()
    assert line.startswith("labkit: ") and "Traceback" not in line
    assert "/disk" not in code or "/disk/run.json" in line
    assert "28" not in code or "disk is full" in line


@pytest.mark.parametrize(
    ("code", "status", "said"),
    [
        ("raise SystemExit", 0, ""),
        ("raise SystemExit(3)", 3, ""),
        ("raise SystemExit('labkit: what is wrong')", 1, "labkit: what is wrong\n"),
        ("from labkit.base.errors import LabError; raise LabError('a fault')", 1, "labkit: a fault\n"),
        (
            "from labkit.base.errors import LabError\ntry: raise KeyboardInterrupt\nexcept BaseException:"
            " raise LabError('interrupted: it is kept')",
            130,
            "labkit: interrupted: it is kept\n",
        ),
    ],
)
def test_how_it_ends_is_its_status(code, status, said):
    done = raised(code)
    assert (done.returncode, done.stdout, done.stderr.decode()) == (status, b"", said)


def test_what_is_said_last_and_finds_no_room_is_a_fault():
    """A few words wait in memory until the end."""
    with open("/dev/full", "wb") as full:
        command = [sys.executable, "-c", RAISE.format("print('done')")]
        done = subprocess.run(command, cwd=ROOT, env=clean_environment(), stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 1 and done.stderr.startswith(b"labkit: ") and b"disk is full" in done.stderr
    assert done.stderr.count(b"\n") == 1


def test_a_mistake_in_the_program_keeps_its_traceback():
    for code in ("1 / 0", "from labkit.base import nothing_of_that_name", "raise RuntimeError('odd')"):
        done = raised(code)
        assert done.returncode == 1 and b"Traceback" in done.stderr and not done.stderr.startswith(b"labkit")


def test_what_a_terminal_cannot_show_is_replaced():
    for own in ({"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, {}):
        done = raised("print('a\\u2026b \\udcff')", **own)
        assert done.returncode == 0 and done.stderr == b"" and done.stdout.startswith(b"a") and b"b ?" in done.stdout


def test_a_name_that_is_no_text_is_named():
    done = python("-m", "labkit", "data", LABKIT_DATA=b"/proc/nowhere/\xff".decode(errors="surrogateescape"))
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1 and b"/proc/nowhere/?" in done.stderr
    done = python("-m", "labkit", "doctor", b"\xff\xfe=1", PYTHONIOENCODING="ascii")
    assert done.returncode == 2 and b"Traceback" not in done.stderr


@pytest.mark.parametrize("shell", ["{} | head -c 1", "{} >&-", "{} 2>&-", "{} >&- 2>&- <&-", "{} > /dev/full"])
def test_nobody_reads_what_is_said(tmp_path, shell):
    """No traceback, and nothing that is written for the reader gets into a file that is opened later."""
    kept = tmp_path / "kept"
    code = f"f = open({str(kept)!r}, 'w'); print('x' * 100_000); import os; os.write(1, b'y'); f.close()"
    script = shell.format('"$@"') + "; exit ${PIPESTATUS[0]}"
    command = ["bash", "-c", script, "bash", sys.executable, "-c", RAISE.format(code)]
    done = subprocess.run(command, cwd=ROOT, env=clean_environment(), capture_output=True, timeout=60)
    full = "full" in shell
    assert done.returncode == (128 + signal.SIGPIPE if "|" in shell else int(full))
    assert done.stderr.splitlines()[: int(full)] == done.stderr.splitlines()
    assert not full or (done.stderr.startswith(b"labkit: ") and b"disk is full" in done.stderr)
    assert full or kept.read_bytes() == b""


@pytest.mark.parametrize("command", [["--help"], ["study", "--help"], ["train", "vanilla", "epochs=0"]])
def test_a_python_without_docstrings(command):
    """Nothing that is said, decided or checked is lost where Python drops docstrings and assertions."""
    plain, poor = python("-m", "labkit", *command), python("-m", "labkit", *command, PYTHONOPTIMIZE="2")
    assert (plain.returncode, plain.stdout, plain.stderr) == (poor.returncode, poor.stdout, poor.stderr)


@pytest.mark.parametrize("command", [["report", "--profile", "smoke"], ["train", "vanilla"], ["doctor"]])
def test_ctrl_c_in_the_first_seconds_is_one_line(tmp_path, command):
    """While torch and all else is imported, an interruption hits an import, and often one that would swallow it."""
    for seconds in (0.1, 0.2, 0.4, 0.8, 1.6):
        process = subprocess.Popen(
            [sys.executable, "-c", BEGIN, *command],
            cwd=ROOT,
            env=clean_environment(LABKIT_RUNS=str(tmp_path), LABKIT_DATA=str(tmp_path)),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        process.stdout.readline()
        time.sleep(seconds)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
        lines = said.decode().strip().splitlines()
        assert len(lines) <= 1 and (not lines or lines[0].startswith("labkit: ")), said.decode()
        if process.returncode != 130:  # it was done, or refused what it found, before it was interrupted
            assert process.returncode in (0, 1, -signal.SIGINT)  # the last, while Python took itself down
            break


PRESS = "import os, signal; os.kill(os.getpid(), signal.SIGINT)"


def test_ctrl_c_that_an_import_would_swallow_ends_the_command(tmp_path):
    (tmp_path / "swallows.py").write_text(f"try:\n    {PRESS}\nexcept BaseException:\n    pass\n")
    done = raised("import swallows; print('went on')", PYTHONPATH=str(tmp_path))
    assert (done.returncode, done.stdout, done.stderr.strip().decode()) == (130, b"", INTERRUPTED)


def test_ctrl_c_elsewhere_is_an_exception_that_what_is_at_hand_may_end_by():
    done = raised(f"try:\n    {PRESS}\nfinally:\n    print('ended')")
    assert (done.returncode, done.stdout, done.stderr.strip().decode()) == (130, b"ended\n", INTERRUPTED)


def test_ctrl_c_while_python_takes_itself_down_is_silent():
    done = raised("import atexit, os; atexit.register(os.kill, os.getpid(), 2)")
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, b"", b"")


def test_where_ctrl_c_is_ignored_it_stays_so():
    """As after nohup."""
    done = subprocess.run(
        [
            "bash",
            "-c",
            "trap '' INT; exec \"$@\"",
            "",
            sys.executable,
            "-c",
            RAISE.format(PRESS + "; print('went on')"),
        ],
        cwd=ROOT,
        env=clean_environment(),
        capture_output=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"went on\n", b"")


BEGIN = """
import os, runpy, sys
os.write(1, b"begin\\n")
sys.argv[0] = "labkit"
runpy.run_module("labkit", run_name="__main__", alter_sys=True)
"""


@pytest.mark.parametrize("name", ["explorer", "page", "quality", "training"])
def test_a_benchmark_is_a_command_too(name):
    done = python(f"benchmarks/{name}.py", "--nothing-like-this", PYTHONOPTIMIZE="2")
    assert done.returncode == 2 and b"Traceback" not in done.stderr and done.stderr.startswith(b"usage: ")
