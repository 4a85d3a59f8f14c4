"""The environment names folders; what it names is absolute, whoever reads it from wherever."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from labkit.base import paths

SHOW = """
import json
from labkit.base import paths
names = ("DATA", "RUNS", "STUDIES", "COLLECT", "HEADLESS")
values = {name: getattr(paths, name) for name in names}
print(json.dumps({name: value if isinstance(value, bool | None) else str(value) for name, value in values.items()}))
"""


def seen(folder, **own):
    """What `paths` holds in a process that works in ``folder`` and has ``own`` in its environment."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("LABKIT_")}
    environment = inherited | {"PYTHONPATH": str(paths.ROOT)} | own
    done = subprocess.run([sys.executable, "-c", SHOW], cwd=folder, env=environment, capture_output=True, check=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    "nothing",
    [{}, {f"LABKIT_{name}": "" for name in ("DATA", "RUNS", "STUDIES", "FIGURES", "HEADLESS")}],
)
def test_without_a_word_of_the_environment_all_is_in_the_project(tmp_path, nothing):
    root = paths.ROOT
    assert (root / "labkit/base/paths.py").samefile(paths.__file__)
    wanted = {"DATA": str(root / "data"), "RUNS": str(root / "data/runs"), "STUDIES": str(root / "data/studies")}
    assert seen(tmp_path, **nothing) == wanted | {"COLLECT": None, "HEADLESS": False}


def test_what_the_environment_names_is_made_absolute(tmp_path):
    own = {"LABKIT_DATA": "my data", "LABKIT_RUNS": "~/runs", "LABKIT_FIGURES": "/elsewhere", "LABKIT_HEADLESS": "1"}
    found = seen(tmp_path, LABKIT_STUDIES="studies", **own)
    assert found == {
        "DATA": str(tmp_path / "my data"),
        "RUNS": str(Path("~/runs").expanduser()),
        "STUDIES": str(tmp_path / "studies"),
        "COLLECT": "/elsewhere",
        "HEADLESS": True,
    }
