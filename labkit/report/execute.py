"""A notebook run by papermill in a fresh kernel, and our own verdict on it."""

import json
import logging
import sys
import time
from pathlib import Path

from ..base.errors import LabError
from ..base.files import write_atomic
from .environment import HOME, kernels_own
from .settings import declared_parameters

KERNEL_START = 60  # seconds that a kernel may take to come up
NOTHING_ELSE = (  # for a kernel: none of what the machine's own configuration might add, and no file of its history
    "--log-level=CRITICAL",
    "--InteractiveShellApp.exec_PYTHONSTARTUP=False",
    "--InteractiveShellApp.exec_files=[]",
    "--InteractiveShellApp.exec_lines=[]",
    "--InteractiveShellApp.extensions=[]",
    "--InteractiveShellApp.ignore_cwd=True",
    "--HistoryManager.enabled=False",
)


def execute(notebook: Path, out: Path, parameters: dict, stage: Path) -> None:
    """Run ``notebook`` in a fresh kernel of this interpreter and save it to ``out``; our own verdict, not papermill's.

    Raises:
        LabError: a cell failed or never ran, or the kernel died; the line names notebook, cell and error.
    """
    import nbformat
    import papermill
    from nbclient.exceptions import DeadKernelError

    kernel = {
        "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}", *NOTHING_ELSE],
        "display_name": "python3",
        "language": "python",
    }
    write_atomic(stage / HOME / "jupyter/kernels/python3/kernel.json", json.dumps(kernel).encode())
    wanted, start = declared_parameters(notebook), time.perf_counter()
    logging.getLogger("asyncio").addFilter(_is_news)
    try:
        with kernels_own(stage):
            papermill.execute_notebook(
                *(
                    str(path).replace("{", "{{").replace("}", "}}") for path in (notebook, out)
                ),  # papermill formats paths
                {name: value for name, value in parameters.items() if name in wanted},
                kernel_name="python3",
                language="python",
                cwd=notebook.parent,
                start_timeout=KERNEL_START,
                progress_bar=False,
                stderr_file=sys.stderr,
            )
    except papermill.PapermillExecutionError as error:
        message = (str(error.evalue) or error.ename).splitlines()[0]
        kind = "" if error.ename == "LabError" else f"{error.ename}: "
        raise LabError(f"{notebook.name}, cell {error.exec_count}: {kind}{message}") from None
    except DeadKernelError:
        raise LabError(
            f"{notebook.name}: the kernel died (killed, perhaps for want of memory): close other programs and try again"
        ) from None
    except RuntimeError as error:  # the kernel never came up
        raise LabError(f"{notebook.name}: no kernel ({str(error).splitlines()[0]}): run 'make doctor'") from None
    for cell in nbformat.read(out, 4).cells:
        if cell.cell_type == "code" and cell.source.strip() and cell.execution_count is None:
            raise LabError(f"{notebook.name} stopped early: the cell «{cell.source.splitlines()[0]}» never ran")
    print(f"      done in {time.perf_counter() - start:.0f} s", flush=True)


def _is_news(record: logging.LogRecord) -> bool:
    """False for the traceback of a task that still waited for the kernel when an interruption ended it."""
    return not (record.exc_info and record.exc_info[0] and record.exc_info[0].__name__ == "DeadKernelError")
