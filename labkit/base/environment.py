"""The project's own packages, in .venv: made whole or not at all, and never at the cost of one that works.

    python3 -I labkit/base/environment.py [--check]          what `make setup` runs; it needs nothing installed

On Linux the variable TORCH chooses which torch that is: cuda, the lock's own, or cpu, its build without CUDA, which is
4 GB smaller. Without it, what was chosen before stays.

A new .venv is made while the old one waits as .venv.old: if that fails, or is stopped, or is killed and run again, the
old one is put back. .venv/ready, written last, says of which folder, lock and pyproject.toml it is; --check is true if
it fits. One that has all packages of the lock but came from another folder is made to fit, without a network.
"""

import ast
import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

try:
    import fcntl
except ImportError:
    raise SystemExit(
        "labkit: this is no Unix: on Windows, work in WSL (wsl --install; there, the same command)"
    ) from None

ROOT = Path(__file__).resolve().parents[2]
VENV = Path(os.path.realpath(ROOT / ".venv"))  # which may be a link to another disk
OLD = VENV.with_name(VENV.name + ".old")
TORCH = VENV.with_name(VENV.name + ".torch")  # which torch was chosen, until there is a .venv that says so
PYTHON = VENV / "bin/python"
# editor.server: without it, a slider's picture waits 40 ms in the system's network buffers.
PROMPT = {"ServerApp": {"kernel_websocket_connection_class": "labkit.editor.server.PromptConnection"}}
# What pip takes over of a person's own settings: where packages are found, and how the network is reached. The others
# say where and how to install, which is not theirs here.
NETWORK = (
    *("index-url", "extra-index-url", "find-links", "no-index", "trusted-host", "proxy", "cert", "client-cert"),
    *("default-timeout", "timeout", "retries", "cache-dir", "no-cache-dir", "keyring-provider", "use-feature"),
)
LOCKED = ("--require-hashes", "-r", "requirements.lock")
# torch without CUDA is a build of its own for Linux, by the same version with +cpu, and PyTorch's index alone has it;
# what else in the lock is of CUDA, only the other build needs. Elsewhere torch comes without CUDA anyway.
OF_CUDA = re.compile(r"(torch|torchvision|triton|cuda-[\w-]+|nvidia-[\w-]+)==([^\s;]+)")
OURSELVES = ("--no-deps", "--no-build-isolation", "--editable", ".")


class SetupError(Exception):
    """Why there is no environment, in a line."""


def record() -> list[str]:
    """What .venv/ready holds, if it can be read: see `stamp`."""
    with contextlib.suppress(OSError, ValueError, TypeError):
        return [str(entry) for entry in json.loads((VENV / "ready").read_text())]
    return []


def without_cuda() -> bool:
    """Is torch without CUDA wanted? As TORCH says, or the .venv that is there, or a set-up that came to no end."""
    said = os.environ.get("TORCH", "")
    if said not in ("", "cpu", "cuda"):
        raise SetupError(f"TORCH = {said!r} is unknown: use cpu, or cuda, which runs on a CPU too")
    known = record()[4:] if record() else begun()
    return sys.platform == "linux" and (said == "cpu" or not said and known == ["cpu"])


def begun() -> list[str]:
    """Which torch a set-up chose that came to no end, as in `record`."""
    with contextlib.suppress(OSError, ValueError):
        return TORCH.read_text().split()
    return []


def stamp(cpu: bool) -> list[str]:
    """What .venv/ready must hold: of which folders it is, the digests of what decides the packages, which torch."""
    decisive = [(ROOT / name).read_bytes() for name in ("requirements.lock", "pyproject.toml")]
    digests = [hashlib.sha256(content).hexdigest() for content in decisive]
    return [str(VENV), str(ROOT), *digests, *(["cpu"] if cpu else [])]


def ready() -> bool:
    """Is .venv whole, and this folder's? Only of use in its own interpreter, which thereby is seen to run."""
    return record() == stamp(without_cuda())


def clean() -> dict[str, str]:
    """The environment without anything that leads Python or pip elsewhere."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PIP_", "VIRTUAL_ENV"))}


def call(*command: str | Path, environment: dict[str, str] | None = None) -> str:
    """What ``command`` prints, run in this folder; its last complaint as a SetupError if it fails."""
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=environment or clean(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        errors="replace",
        close_fds=False,  # it holds the lock, too: if we are killed, the next set-up waits for its end
    )
    if done.returncode:
        said = [line.strip() for line in (done.stderr + "\n" + done.stdout).splitlines() if line.strip()]
        errors = [line for line in said if re.match(r"error\b", line, re.I)] or said[-1:]
        raise SetupError((errors or [f"{command[0]} ended with {done.returncode}"])[-1])
    return done.stdout


def network() -> dict[str, str]:
    """pip's environment: a person's settings of the `NETWORK`, from files and variables, and no others."""
    names = {f"PIP_{key.upper().replace('-', '_')}" for key in NETWORK}
    found: dict[str, str] = {}
    with contextlib.suppress(SetupError):  # a file that pip cannot read
        files = {name: value for name, value in os.environ.items() if name == "PIP_CONFIG_FILE"}
        for line in call(PYTHON, "-I", "-m", "pip", "config", "list", environment=clean() | files).splitlines():
            with contextlib.suppress(ValueError, SyntaxError):  # section.key='value'
                key, _, value = line.partition("=")
                found[f"PIP_{key.rpartition('.')[2].upper().replace('-', '_')}"] = str(ast.literal_eval(value))
    found |= os.environ
    chosen = {name: found[name] for name in names & found.keys()}
    return clean() | {"PIP_CONFIG_FILE": os.devnull, "PIP_DISABLE_PIP_VERSION_CHECK": "1"} | chosen


def pip(*arguments: str, environment: dict[str, str] | None = None) -> None:
    """Install into .venv."""
    try:
        call(PYTHON, "-I", "-m", "pip", "install", "--quiet", *arguments, environment=environment or network())
    except SetupError as error:
        hint = " (torch without CUDA is in PyTorch's own index alone: give TORCH_INDEX=, the address that its install"
        hint += " page shows for Pip and CPU; TORCH=cuda takes the other)"
        raise SetupError(f"{error}{hint if any('+cpu' in one for one in arguments) else ''}") from None


def fits() -> bool:
    """Is there nothing to do?"""
    try:
        call(PYTHON, "-I", Path(__file__), "--check")
        return True
    except (SetupError, OSError):
        return False


def chosen(cpu: bool) -> list[tuple[str, ...]]:
    """What pip is to install, call by call: the lock, or torch's builds without CUDA and then the lock without its own.

    Those are vouched for by PyTorch's index, since the lock has the digests of the others.
    """
    if not cpu:
        return [LOCKED]
    entries = re.split(r"^(?=\w)", (ROOT / "requirements.lock").read_text(), flags=re.M)
    of_cuda = {match[1]: match[2] for entry in entries if (match := OF_CUDA.match(entry))}
    builds = [f"{name}=={of_cuda[name]}+cpu" for name in ("torch", "torchvision") if name in of_cuda]
    rest = VENV / "cpu.lock"
    rest.write_text("".join(entry for entry in entries if not OF_CUDA.match(entry)))
    index = ["--index-url", address] if (address := os.environ.get("TORCH_INDEX", "")) else []
    return [("--no-deps", *index, *builds), ("--no-deps", "--require-hashes", "-r", str(rest))]


def satisfied(cpu: bool) -> bool:
    """Does .venv run, and has it all that the lock names for this machine, of those versions? Asks no network."""
    offline = clean() | {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    if not PYTHON.exists() or (VENV / "unfinished").exists():
        return False
    try:
        call(PYTHON, "-I", "-c", "import sys; sys.exit(sys.version_info < (3, 11))")
        for what in chosen(cpu):
            pip("--dry-run", *what, environment=offline)
    except (SetupError, OSError):
        return False
    return True


def adopt(cpu: bool) -> None:
    """Make what .venv has besides the lock's packages fit this folder: labkit itself, and the scripts in .venv/bin."""
    before, here = os.fsencode(made_as()), os.fsencode(VENV)
    if before != here:
        print(f"labkit: .venv was made as {os.fsdecode(before)}: it is made to fit {VENV}", file=sys.stderr, flush=True)
        for path in (VENV / "bin").iterdir():
            if path.is_file() and not path.is_symlink() and path.stat().st_size < 1 << 16:
                content = path.read_bytes()
                if before in content:
                    path.write_bytes(content.replace(before, here))
    pip(*OURSELVES)
    finish(cpu)


def made_as() -> str:
    """The path of .venv when it was made, as it says itself."""
    if record():
        return record()[0]
    with contextlib.suppress(OSError):
        made = re.search(r"^command = .* -m venv (?:-\S+ )*(/.*)$", (VENV / "pyvenv.cfg").read_text(), re.M)
        return made[1] if made else str(VENV)
    return str(VENV)


def finish(cpu: bool) -> None:
    """What comes last."""
    config = VENV / "etc/jupyter/jupyter_server_config.json"
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text(json.dumps(PROMPT))
    (VENV / "unfinished").unlink(missing_ok=True)
    part = VENV / "ready.part"
    part.write_text(json.dumps(stamp(cpu)))
    os.replace(part, VENV / "ready")
    TORCH.unlink(missing_ok=True)


def check_name() -> None:
    """Refuse a folder in which Python's own tools lose their way: they split lists of paths at a colon."""
    try:
        str(VENV).encode()
    except UnicodeEncodeError:
        raise SetupError(f"Python makes no .venv in {VENV}, whose name is no UTF-8: rename that folder") from None
    if os.pathsep in str(VENV):
        raise SetupError(f"Python makes no .venv in {VENV}, whose name has a colon: rename that folder")


def make(cpu: bool) -> None:
    """A new .venv, while what was there waits beside it, and is put back if there will be none."""
    draft = TORCH.with_name(f"{TORCH.name}.part")
    draft.write_text("cpu" if cpu else "")
    os.replace(draft, TORCH)
    cost = "1 minute and 2 GB, torch without CUDA" if cpu else "2 minutes and 6 GB"
    print(f"Installing the locked packages into .venv (once, about {cost})", flush=True)
    if os.path.lexists(VENV):
        os.rename(VENV, OLD)
    try:
        VENV.mkdir()
        (VENV / "unfinished").touch()
        call(getattr(sys, "_base_executable", sys.executable), "-I", "-m", "venv", VENV)
        environment = network()
        for what in chosen(cpu):
            pip(*what, environment=environment)
        pip(*OURSELVES, environment=environment)
        finish(cpu)
    except BaseException:
        restore()
        raise
    shutil.rmtree(OLD, ignore_errors=True)


def restore() -> None:
    """Put back the .venv that waits, if the one that is there was not finished; remove the one that is not needed."""
    if not os.path.lexists(OLD):
        if (VENV / "unfinished").exists():
            shutil.rmtree(VENV, ignore_errors=True)
    elif (VENV / "ready").exists() and not (VENV / "unfinished").exists():
        shutil.rmtree(OLD, ignore_errors=True)
    else:
        shutil.rmtree(VENV, ignore_errors=True)
        os.rename(OLD, VENV)


@contextlib.contextmanager
def alone():
    """One set-up at a time in this folder: the second waits, and then finds that all is done."""
    handle = os.open(ROOT, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("labkit: another set-up is at work in this folder: waiting for it", file=sys.stderr, flush=True)
            fcntl.flock(handle, fcntl.LOCK_EX)
        except OSError:  # a file system without locks
            pass
        os.set_inheritable(handle, True)
        yield
    finally:
        os.close(handle)


def main() -> int:
    """Have a .venv that fits, or say in a line why there is none; the exit status."""
    if sys.argv[1:] == ["--check"]:
        return not ready()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    for stream in (sys.stdout, sys.stderr):
        if stream:
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    try:
        with alone():
            check_name()
            restore()
            cpu = without_cuda()
            if fits():
                pass
            elif satisfied(cpu):
                adopt(cpu)
            else:
                make(cpu)
        return 0
    except KeyboardInterrupt:
        print("\nlabkit: interrupted: .venv is as it was; run the same command to set it up", file=sys.stderr)
        return 130
    except (SetupError, OSError) as error:
        there = "the .venv that was there is as it was" if VENV.exists() else "there is no .venv"
        print(f"labkit: set-up failed, {there}: {' '.join(str(error).split())}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    raise SystemExit(main())
