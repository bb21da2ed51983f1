"""Where this program keeps what it makes."""

import os
from pathlib import Path

ROOT = Path(__file__).parents[1]  # the folder that holds app, components and models


def home() -> Path:
    """The folder of runs: LOSSLAB_HOME, else `.losslab` beside the program."""
    return Path(os.environ.get("LOSSLAB_HOME") or ROOT / ".losslab").expanduser().absolute()
