"""Files are written whole or not at all; a fault is one line; a device is refused before it fails."""

import errno
import os
import re
import signal
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from project_copy import clean_environment

import labkit
from labkit.base import files as base_files
from labkit.base import paths, system
from labkit.base.errors import LabError
from labkit.base.files import exclusive, sha256, write_atomic, write_new
from labkit.base.machine import on_cuda, pick_device, postponed_interrupt
from labkit.base.paths import ROOT
from labkit.training.state import precision

OLD = b"old content " * 1000
NEW = b"new content " * 2000


def intact(folder):
    """Nothing but `file` with its old content stands in ``folder``."""
    return [p.name for p in folder.iterdir()] == ["file"] and (folder / "file").read_bytes() == OLD


@pytest.mark.parametrize("content", [b"", b"x", NEW], ids=["empty", "short", "long"])
def test_written_content_is_read_back(tmp_path, content):
    path = tmp_path / "new" / "folders" / "file"
    for _ in range(2):  # a new file, then one that replaces another
        assert write_atomic(path, content) == path
        assert path.read_bytes() == content
        assert [p.name for p in path.parent.iterdir()] == ["file"]


REMEDIES = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space",
    errno.EFBIG: "ulimit -f",
    errno.EROFS: "read-only",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.EIO: os.strerror(errno.EIO),
}


@pytest.mark.parametrize("stage", ["replace", "fsync"])
@pytest.mark.parametrize("number", REMEDIES, ids=errno.errorcode.get)
def test_failed_write_leaves_the_old_file(tmp_path, monkeypatch, refused, stage, number):
    path = tmp_path / "file"
    path.write_bytes(OLD)

    def fail(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, stage, fail)
    with refused(path, REMEDIES[number]):
        write_atomic(path, NEW)
    assert intact(tmp_path)


@pytest.mark.parametrize("stage", ["replace", "fsync"])
def test_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch, stage):
    """Ctrl-C is not a write fault: it goes on as itself, with the same clean folder."""
    path = tmp_path / "file"
    path.write_bytes(OLD)

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, stage, interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomic(path, NEW)
    assert intact(tmp_path)


def test_content_name_and_folder_reach_the_disk_in_this_order(tmp_path, monkeypatch):
    """What a power cut leaves is either file, whole; the cut itself cannot be tested."""
    done, fsync, replace = [], os.fsync, os.replace

    def synced(handle):
        done.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "content")
        fsync(handle)

    def renamed(source, target):
        done.append("name")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", renamed)
    write_atomic(tmp_path / "file", NEW)
    assert done == ["content", "name", "folder"]


def test_failure_after_the_rename_does_not_claim_the_old_file(tmp_path, monkeypatch):
    """The folder's fsync comes after the rename: the new content stands, and no message may deny it."""
    path = tmp_path / "file"
    path.write_bytes(OLD)

    fsync = os.fsync

    def fail(handle):  # for a folder only
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", fail)
    message = ""
    try:
        write_atomic(path, NEW)
    except LabError as error:
        message = str(error)
    assert path.read_bytes() == (OLD if "untouched" in message else NEW)


def test_parent_that_is_a_file(tmp_path, refused):
    (tmp_path / "file").write_bytes(OLD)
    with refused(tmp_path / "file"):
        write_atomic(tmp_path / "file" / "child", NEW)
    assert intact(tmp_path)


# Real limits, each in a process of its own. The child prints the error's line and how it found the folder.
CHILD = """
import sys
from pathlib import Path
from labkit.base.errors import LabError
from labkit.base.files import write_atomic
folder = Path(sys.argv[1])
{setup}
try:
    write_atomic(folder / "file", b"n" * 1_500_000)
except LabError as error:
    print(error)
content = (folder / "file").read_bytes()
print([p.name for p in folder.iterdir()], set(content) == set(b"o"), len(content))
"""
FILL = '(folder / "file").write_bytes(b"o" * 1_000_000)\n'
SMALL_FILES = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (1_200_000, 1_200_000))"
READ_ONLY = 'import subprocess; subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)'


def run_child(folder, setup, mount=False):
    code = CHILD.format(setup=FILL + setup)
    command = [sys.executable, "-c", code, str(folder)]
    if mount:
        script = 'mount -t tmpfs -o size=2m tmpfs "$0" && exec "$@"'
        command = ["unshare", "-m", "sh", "-c", script, str(folder), *command]
    path = {"PYTHONPATH": str(Path(labkit.__file__).parent.parent)}
    done = subprocess.run(command, env=os.environ | path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_file_size_limit(tmp_path):
    line, after = run_child(tmp_path, SMALL_FILES)
    assert str(tmp_path / "file") in line and "ulimit -f" in line
    assert after == "['file'] True 1000000"


@pytest.mark.parametrize(
    "setup, remedy", [("", "free some space"), (READ_ONLY, "read-only")], ids=["full", "read-only"]
)
def test_disk_that_takes_no_more(tmp_path, own_mounts, setup, remedy):
    line, after = run_child(tmp_path, setup, mount=True)
    assert str(tmp_path / "file") in line and remedy in line
    assert after == "['file'] True 1000000"


# ----- write_new


def tree(folder):
    """Everything under ``folder``: content of the files, None for folders."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() if p.is_file() else None for p in folder.rglob("*")}


def test_write_new_counts_up_and_changes_nothing_old(tmp_path):
    parent, expected = tmp_path / "new" / "folder", {}
    for number in (1, 2, 3):
        files = {"a.txt": b"%d" % number, "b.bin": NEW, "empty": b""}
        assert write_new(parent, "kept", files) == parent / f"kept-{number:03d}"
        expected |= {f"kept-{number:03d}": None} | {
            f"kept-{number:03d}/{name}": content for name, content in files.items()
        }
        assert tree(parent) == expected
    assert write_new(parent, "other", {"x": b"x"}).name == "other-001"


def test_write_new_takes_no_number_that_is_taken(tmp_path):
    (tmp_path / "kept-001").mkdir()  # empty, and still somebody's
    (tmp_path / "kept-002").write_bytes(OLD)  # not even a folder
    (tmp_path / "kept-004").mkdir()
    assert [write_new(tmp_path, "kept", {"x": b"x"}).name for _ in range(2)] == ["kept-003", "kept-005"]
    assert tree(tmp_path) == {
        "kept-001": None,
        "kept-002": OLD,
        "kept-003": None,
        "kept-003/x": b"x",
        "kept-004": None,
        "kept-005": None,
        "kept-005/x": b"x",
    }


def test_write_new_goes_on_after_999(tmp_path):
    for number in range(1, 1000):
        (tmp_path / f"kept-{number:03d}").mkdir()
    assert write_new(tmp_path, "kept", {"x": b"x"}).name == "kept-1000"


def test_write_new_from_many_threads(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        folders = list(
            pool.map(lambda i: write_new(tmp_path, "kept", {"mine": b"%d" % i, "too": b"%d" % i}), range(16))
        )
    assert sorted(folder.name for folder in folders) == [f"kept-{i:03d}" for i in range(1, 17)]
    for i, folder in enumerate(folders):
        assert tree(folder) == {"mine": b"%d" % i, "too": b"%d" % i}
    assert sorted(tmp_path.iterdir()) == sorted(folders)


def test_a_new_folder_that_is_swept_before_it_is_locked_is_made_again(tmp_path, monkeypatch):
    """By another writer, who takes it for one of the dead; before it is opened, or after."""
    moments, opening, folders = ["opened", "locked"], os.open, set()

    def swept_before(moment, path):
        if str(path).endswith(".part") and Path(path).is_dir():
            folders.add(str(path))
            if moment in moments:
                moments.remove(moment)
                Path(path).rmdir()

    def opened(path, *rest, **more):
        swept_before("opened", path)
        handle = opening(path, *rest, **more)
        swept_before("locked", path)
        return handle

    monkeypatch.setattr(os, "open", opened)
    folder = write_new(tmp_path, "kept", {"mine": b"mine"})
    assert not moments and tree(folder) == {"mine": b"mine"} and list(tmp_path.iterdir()) == [folder]
    assert len(folders) == 3


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES], ids=errno.errorcode.get)
@pytest.mark.parametrize("fails", ["first file", "second file", "folder"])
def test_write_new_is_all_or_none(tmp_path, monkeypatch, refused, fails, number):
    """Also when the last step fails, the one that puts the folder in its place."""
    write_new(tmp_path, "kept", {"x": OLD})
    before, replace, calls = tree(tmp_path), os.replace, []

    def fail(source, target):
        calls.append(target)
        if len(calls) == ["first file", "second file", "folder"].index(fails) + 1:
            raise OSError(number, os.strerror(number))
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", fail)
        with refused(tmp_path, REMEDIES[number]):
            write_new(tmp_path, "kept", {"a": NEW, "b": NEW})
    assert tree(tmp_path) == before
    assert write_new(tmp_path, "kept", {"a": NEW}).name == "kept-002"


@pytest.mark.parametrize(
    "error", [LabError("stop"), KeyboardInterrupt(), ValueError("stop")], ids=lambda error: type(error).__name__
)
def test_write_new_stopped_midway_leaves_nothing(tmp_path, monkeypatch, error):
    write, calls = base_files.write_atomic, []

    def stop(path, content):
        calls.append(path)
        if len(calls) == 2:
            raise error
        return write(path, content)

    monkeypatch.setattr(base_files, "write_atomic", stop)
    with pytest.raises(type(error)):
        write_new(tmp_path, "kept", {"a": NEW, "b": NEW})
    assert tree(tmp_path) == {}


def test_write_new_with_a_name_that_no_disk_takes(tmp_path, refused):
    with refused(tmp_path):
        write_new(tmp_path, "kept", {"fine": b"x", "n" * 300: b"x"})
    assert tree(tmp_path) == {}


def test_write_new_where_the_parent_is_a_file(tmp_path, refused):
    (tmp_path / "file").write_bytes(OLD)
    with refused(tmp_path / "file"):
        write_new(tmp_path / "file", "kept", {"x": b"x"})
    assert intact(tmp_path)


# ----- exclusive


HOLD = """
import sys, pathlib
from labkit.base.files import exclusive
with exclusive(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_one_process_at_a_time(tmp_path, refused):
    """Freed by the system, though its holder had no chance to do it."""
    folder = tmp_path / "new" / "run"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, folder], env=os.environ | {"PYTHONPATH": str(paths.ROOT)}, **pipes
    ) as holder:
        try:
            assert holder.stdout.readline() == "held\n"
            with refused(folder, f"process {holder.pid}"), exclusive(folder):
                pass
            with exclusive(tmp_path / "another"):
                pass
        finally:
            holder.kill()
    with exclusive(folder):
        with refused(folder, "in use"), exclusive(folder):
            pass
    with pytest.raises(KeyError), exclusive(folder):
        raise KeyError
    with exclusive(folder):
        pass
    assert tree(folder) == {}  # nothing is left behind


def test_a_folder_that_cannot_be_made(tmp_path, refused):
    (tmp_path / "file").write_bytes(OLD)
    for folder in (tmp_path / "file", tmp_path / "file" / "run"):
        with refused(folder), exclusive(folder):
            pass
    assert intact(tmp_path)


def test_without_locks_work_goes_on(tmp_path, monkeypatch):
    """Some network file systems have none."""
    monkeypatch.setattr(
        system.fcntl, "flock", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOLCK, "no locks available"))
    )
    with exclusive(tmp_path / "run"):
        assert (tmp_path / "run").is_dir()


def test_sha256():
    """FIPS 180-2, the example "abc"."""
    assert sha256(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_notebook_shows_one_line(tmp_path):
    code = "from labkit.base.errors import LabError; raise LabError('the disk is full')"
    paths = {"IPYTHONDIR": str(tmp_path), "PYTHONPATH": str(Path(labkit.__file__).parent.parent)}
    command = [sys.executable, "-m", "IPython", "--quick", "-c", code]
    done = subprocess.run(command, env=os.environ | paths, capture_output=True, text=True, timeout=60)
    assert (done.stdout + done.stderr).strip() == "labkit: the disk is full"


BAD_DEVICES = ["gpu", "", "CPU", "mps", "cuda:x", "cuda:-1", "cuda:²", "cuda:1000", "cpu:", "cpu:²", None, 0]


@pytest.mark.parametrize("name", BAD_DEVICES)
def test_pick_device_refuses(refused, name):
    with refused(repr(name)):
        pick_device(name)


def test_pick_device_takes(refused):
    assert pick_device("cpu") == "cpu"
    assert pick_device() == pick_device("auto") == ("cuda" if torch.cuda.is_available() else "cpu")
    assert not [device for device in ("cpu", "mps") if on_cuda(device)] and on_cuda("cuda:1")
    if torch.cuda.is_available():
        assert pick_device("cuda:0") == "cuda:0"
    else:
        with refused("'cuda'", "0 GPUs", "use auto or cpu"):
            pick_device("cuda")


def test_the_gpu_of_a_mac_is_said_to_be_untested_and_taken_by_name_alone(monkeypatch, capsys):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert pick_device() != "mps" and capsys.readouterr().err == ""
    assert pick_device("mps") == "mps" and precision("auto", "mps") == precision("bfloat16", "mps") == "float32"
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("labkit: ") and "mps is untested" in line


# ----- systems that have less

# A Mac has no affinity of processes, mallopt or /proc, and this one locks no folders. Then, what is to be done there.
LESS = """
import fcntl, os, pathlib, sys

sys.platform, read = "darwin", pathlib.Path.read_text
del os.sched_getaffinity

def no_lock(*_):
    raise OSError("a disk without locks")

def no_proc(path, *rest, **more):
    if str(path).startswith("/proc"):
        raise FileNotFoundError(path)
    return read(path, *rest, **more)

fcntl.flock, pathlib.Path.read_text = no_lock, no_proc
from labkit.base import files, machine, system
from labkit.editor import start

assert system.cores() == os.cpu_count() and not system.LINUX and not start.in_container()
folder = pathlib.Path(sys.argv[1])
with machine.keeping_memory(), files.exclusive(folder / "run"):
    files.write_atomic(folder / "run/a", b"a")
    files.write_new(folder, "new", {"b": b"b"})
    assert system.holder(os.open(folder, os.O_RDONLY)) == "another process"
assert sorted(path.name for path in folder.rglob("*")) == ["a", "b", "new-001", "run"] and "torch" not in sys.modules
"""


def test_a_system_with_less_than_linux(tmp_path):
    done = subprocess.run([sys.executable, "-c", LESS, tmp_path], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    "start",
    [
        "sys.argv = ['labkit', 'data']; runpy.run_module('labkit', run_name='__main__')",
        "runpy.run_path('labkit/base/environment.py', run_name='__main__')",
    ],
)
def test_windows_is_told_of_wsl_before_anything_slow(start):
    code = (
        "import atexit, runpy, sys; sys.platform = 'win32'; sys.modules['fcntl'] = sys.modules['pwd'] = None;"
        f" atexit.register(lambda: print('torch' in sys.modules)); {start}"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    (line,) = done.stderr.splitlines()
    assert done.returncode == 1 and done.stdout == "False\n" and line.startswith("labkit: ") and "WSL" in line


def test_what_only_some_systems_have_is_asked_for_in_one_place():
    """In labkit/base/system.py, which says what is done elsewhere; set-up needs nothing installed, not even that."""
    only_some = re.compile(r"import fcntl|sched_getaffinity|/proc/locks")
    found = {
        path.relative_to(ROOT).as_posix() for path in ROOT.glob("labkit/**/*.py") if only_some.search(path.read_text())
    }
    assert found == {"labkit/base/system.py", "labkit/base/environment.py"}


# ----- an interruption waits for the work in hand


def handlers():
    return signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_is_postponed_and_not_forgotten(number):
    before, reached = handlers(), []
    with pytest.raises(KeyboardInterrupt):
        with postponed_interrupt() as interrupted:
            assert not interrupted()
            signal.raise_signal(number)
            reached.append(interrupted())
            assert handlers() == before  # the next one is not postponed
    assert reached == [True] and handlers() == before


def test_without_an_interruption_nothing_happens():
    before = handlers()
    with postponed_interrupt() as interrupted:
        assert handlers() != before
    assert not interrupted() and handlers() == before


def test_a_signal_that_is_ignored_stays_so():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with postponed_interrupt() as interrupted:
            signal.raise_signal(signal.SIGINT)
            assert not interrupted()
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_thread_that_hears_no_signal_works_too():
    def work():
        with postponed_interrupt() as interrupted:
            return interrupted()

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(work).result(10) is False


IMPATIENT = """
import contextlib, os, random, signal, sys, threading, time
import labkit
from labkit import data
from labkit.base.errors import LabError
from labkit.config import config_for
from labkit.training import runs
from labkit.data import loading
from pathlib import Path

folder, sample, digest, seconds = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], float(sys.argv[4])
images = loading.parse_idx(loading.read_verified(sample, digest), sample.name)
config = config_for("vanilla", "smoke", epochs=2, examples=64, batch=16, ema=0.9)
signal.signal(signal.SIGINT, signal.default_int_handler)

def press():
    for pause in (seconds, 0.05):
        time.sleep(pause)
        os.kill(os.getpid(), signal.SIGINT)

threading.Thread(target=press).start()
try:
    runs.fit_or_load(config, "cpu", folder, images)
    time.sleep(seconds + 0.2)
except (KeyboardInterrupt, LabError) as error:
    print("stopped", type(error).__name__)
with contextlib.suppress(KeyboardInterrupt):  # the second, where the training had ended before the first
    time.sleep(0.2)
print(runs.fit_or_load(config, "cpu", folder, images).epochs)
"""


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.1, 0.6, 1.2])
def test_a_stop_during_the_imports_of_the_first_training_breaks_nothing(
    tmp_path, sample_folder, sample_digests, seconds
):
    """Pressed twice while hundreds of modules are imported: the training stops, and the next one runs to its end."""
    sample = sample_folder / "train-images-idx3-ubyte.gz"
    digest = sample_digests["train-images-idx3-ubyte"]
    command = [sys.executable, "-c", IMPATIENT, tmp_path, sample, digest, str(seconds)]
    done = subprocess.run(command, cwd=paths.ROOT, env=clean_environment(), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == "2" and "stopped" in done.stdout


STOPPED = """
import os, signal, sys, threading, time

signal.signal(signal.SIGINT, signal.default_int_handler)

def press():
    while "torch._C" not in sys.modules:
        time.sleep(0.001)
    os.kill(os.getpid(), signal.SIGINT)

threading.Thread(target=press).start()
try:
    exec(sys.argv[1])
    print("not stopped")
except KeyboardInterrupt:
    print("stopped")
exec(sys.argv[1])
import torch
print(torch.optim.Adam(torch.nn.Linear(2, 2).parameters()).defaults["lr"])
"""


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.parametrize("cell", ["from labkit import pictures", "from labkit.editor.widgets import LatentExplorer"])
def test_a_cell_that_was_stopped_while_it_imported_torch_runs_again(cell):
    """*Stop* in a notebook: torch is whole, or not there; half of it cannot be imported again."""
    command = [sys.executable, "-c", STOPPED, cell]
    done = subprocess.run(command, cwd=paths.ROOT, env=clean_environment(), capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout.split()) == (0, ["stopped", "0.001"]), done.stderr


def test_every_room_that_has_torch_has_it_whole():
    """All that a notebook imports: at the head of the room, or of each of its files that begin with torch."""
    package = paths.ROOT / "labkit"
    for path in package.rglob("*.py"):
        room = path.relative_to(package).parts[0]
        text = path.read_text(encoding="utf-8")
        if not re.search(r"^(import|from) (torch|numpy)", text, re.M) or room in ("base", "examine", "page"):
            continue
        begin = path.with_name("__init__.py") if room != path.name else path
        heads = [one.read_text(encoding="utf-8") for one in (begin, path)]
        assert any(re.search(r"^from \.+base import whole", head, re.M) for head in heads), path
