"""What surrounds a report: of the reader's own machine, nothing that could change it.

The reader's start-up files, profiles, modules, matplotlibrc and git settings are for the reader's own work, in
JupyterLab too; a report is the same for everybody.
"""

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

from .. import texts
from ..base import paths

# Variables that Python, IPython, Jupyter, matplotlib and git read; but for those that only say where Python keeps what.
FOREIGN = re.compile(
    r"(?!PYTHON(HOME|UTF8|NOUSERSITE|DONTWRITEBYTECODE|PYCACHEPREFIX)$)(I?PYTHON|JUPYTER|MPL|MATPLOTLIB|GIT_)"
)
HOME = "home"  # the folder in the staging folder that kernels have in the place of the reader's own


@contextlib.contextmanager
def clean_environment() -> Iterator[None]:
    """Without what the reader's environment says to Python, Jupyter, matplotlib and git; a context, or a decorator."""
    with patch.dict(os.environ):
        for name in filter(FOREIGN.match, [*os.environ]):
            del os.environ[name]
        yield


@contextlib.contextmanager
def kernels_own(stage: Path) -> Iterator[None]:
    """The environment of the kernels of a report that is made in ``stage``, which inherit it; also that of rendering.

    They find this project, and where its things are, whatever folder they work in; a home of their own, since the
    reader's may be full; and no start-up file. They speak the language that is spoken here.
    """
    home = stage / HOME
    own = {
        "IPYTHONDIR": home / "ipython",
        "JUPYTER_CONFIG_DIR": home / "config",
        "JUPYTER_DATA_DIR": home / "data",
        "JUPYTER_RUNTIME_DIR": home / "runtime",
        "JUPYTER_PATH": home / "jupyter",
        "MPLCONFIGDIR": home / "matplotlib",
        "MPLBACKEND": "agg",
        "PYTHONPATH": paths.ROOT,
        "LABKIT_HEADLESS": "1",
        "LABKIT_EDITION": texts.edition(),
        "LABKIT_FIGURES": stage / "figures",
        "LABKIT_DATA": paths.DATA,
        "LABKIT_RUNS": paths.RUNS,
        "LABKIT_STUDIES": paths.STUDIES,
    }
    with clean_environment():
        os.environ.update({name: str(value) for name, value in own.items()})
        yield
