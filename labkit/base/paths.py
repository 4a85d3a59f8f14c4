"""Where the project keeps what, and what the environment says."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]  # the project: notebooks/, data/, figures/, build/
BUILD = ROOT / "build"


def headless() -> bool:
    """True while the report runner executes a notebook: nobody is there to move a slider."""
    return bool(os.environ.get("LABKIT_HEADLESS"))
