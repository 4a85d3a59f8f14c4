"""Where the project keeps what. The environment is asked once, here, and what it names is made absolute."""

import os
from pathlib import Path


def _folder(variable: str, default: Path) -> Path:
    """The folder that the environment names in ``variable``, or else ``default``."""
    return Path(os.environ.get(variable) or default).expanduser().absolute()


ROOT = Path(__file__).resolve().parents[2]  # the project: notebooks/, data/, figures/, build/
DATA = _folder("LABKIT_DATA", ROOT / "data")  # the files of the data sets
OWN = _folder("LABKIT_OWN", ROOT / "data/own")  # the reader's own pictures, and classifiers that were trained here
RUNS = _folder("LABKIT_RUNS", ROOT / "data/runs")  # trained runs
STUDIES = _folder("LABKIT_STUDIES", ROOT / "data/studies")  # records of studies, and what workers keep meanwhile
PREDICTIONS = _folder("LABKIT_PREDICTIONS", ROOT / "data/predictions")  # sealed before a run
FIGURES = ROOT / "figures"  # those of a report, by profile
KEPT = FIGURES / "explorer"  # what a reader saved in the editor
BUILD = ROOT / "build"  # reports, scores, benchmarks: all that can be made again
MEASURED = BUILD / "measured"  # measurements of what belongs to no run
GIVEN = ROOT / "data/measured"  # the same, as it comes with the project: only looked at
RETRAINED = BUILD / "retrained"  # runs of a report that loads none

# Both are set by the report runner for its kernels.
HEADLESS = bool(os.environ.get("LABKIT_HEADLESS"))  # nobody is there to move a slider
COLLECT = _folder("LABKIT_FIGURES", ROOT) if os.environ.get("LABKIT_FIGURES") else None  # figures, until all are made
