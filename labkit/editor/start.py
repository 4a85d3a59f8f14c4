"""What `make lab` and `make explore` start: JupyterLab on a notebook, for this machine only, asking for its token."""

import os
import sys
from pathlib import Path

from ..base import paths
from ..base.command import command
from ..base.errors import LabError
from ..base.system import LINUX
from ..texts import edition
from .copies import write_copies

PROMPT = "--ServerApp.kernel_websocket_connection_class=labkit.editor.server.PromptConnection"
MARKS = ("/.dockerenv", "/run/.containerenv", "/run/systemd/container")
ENGINES = ("docker", "kubepods", "containerd", "lxc", "libpod")  # in the names of control groups


def in_container() -> bool:
    """Is this a container, or a machine with no account but the system's: is there nobody else that one could be?"""
    if not LINUX:
        return False
    if any(map(os.path.exists, MARKS)) or {"container", "KUBERNETES_SERVICE_HOST"} & os.environ.keys():
        return True
    try:
        groups = Path("/proc/1/cgroup").read_text(errors="replace")
    except OSError:
        groups = ""
    import pwd

    people = [user for user in pwd.getpwall() if 1000 <= user.pw_uid < 65000 and not user.pw_shell.endswith("nologin")]
    return any(engine in groups for engine in ENGINES) or not people


def jupyterlab(notebook: str, arguments: list[str]) -> list[str]:
    """The command that opens ``notebook``, with more ``arguments`` for JupyterLab.

    Raises:
        LabError: JupyterLab would run as root where others use the machine, and nobody said that it may.
    """
    own = ["--ip=127.0.0.1", "--notebook-dir=.", PROMPT]
    if os.geteuid() == 0 and "--allow-root" not in arguments:
        if not in_container():
            target = "explore" if "editor" in notebook else "lab"
            raise LabError(
                "you are root, and every notebook would run as root: use an account of your own,"
                f" or say that it may: make {target} ARGS=--allow-root"
            )
        print("labkit: JupyterLab runs as root, since this is a container", file=sys.stderr, flush=True)
        own.append("--allow-root")
    return [sys.executable, "-m", "jupyterlab", *own, notebook, *arguments]


def main() -> None:
    """Become JupyterLab; the command line gives the notebook and what else it is to be told."""
    notebook, *arguments = sys.argv[1:]
    if (language := edition()) != "en":  # and it is spoken by the kernels, which inherit the environment
        notebook = str((write_copies(language) / Path(notebook).name).relative_to(paths.ROOT))
    words = jupyterlab(notebook, arguments)
    os.execv(words[0], words)


if __name__ == "__main__":
    raise SystemExit(command(main))
