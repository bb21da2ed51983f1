"""Pictures of a user: a zip with a folder for each class."""

from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.reading.child import ask, source
from models.reading.refused import PAGE, Limits

ACCEPTED = (".zip",)


class Images(NamedTuple):
    """Pixels (n, h, w) if all are grey, else (n, h, w, 3), and the class of each, in the archive's order."""

    pixels: NDArray[np.uint8]
    classes: list[str]


def read_images(path: Path, name: str = "", *, folders: bool = True, limits: Limits = PAGE) -> Images:
    """Read a zip of PNG and JPEG pictures in a limited process; raises Refused.

    All are brought to the commonest height and width among them (of equally common ones the smallest), at most 256 a
    side: scaled until they cover it, then cut in the middle. Clear parts become white, turned ones upright. The class
    is the folder that a picture lies in; without `folders` pictures may lie in none, and their class is empty.
    """
    checked = source(path, name, ACCEPTED, limits)
    answer = ask("images", [checked], {"folders": folders}, replace(limits, ratio=max(limits.ratio, 1000)))
    pixels: Any = answer.columns["pixels"]
    classes: Any = answer.columns["classes"]
    return Images(pixels, classes)
