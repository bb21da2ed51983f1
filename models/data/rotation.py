"""Handwritten digits turned by known angles: a number to predict, and classes that are ranges of it."""

from itertools import pairwise

import numpy as np

from models.data import digits as upright
from models.data_common import Source
from models.spec import DataSpec, Knob

SPEC = DataSpec(
    key="rotation",
    name="Turned digits",
    kind="image",
    teaches="The class is an order: bins of an angle. See whether near angles come near, or only equal bins together.",
    source="scikit-learn load_digits, each picture turned once by an angle drawn here",
    licence="BSD-3-Clause package; data CC BY 4.0",
    knobs=(
        Knob(
            "digits",
            "three",
            choices=("three", "ten"),
            help="three: 1, 4 and 7, whose upright is plain to see; ten: all, some of which look alike when turned.",
        ),
        Knob("reach", 60.0, 10.0, 180.0, unit="degrees", help="Angles lie evenly between minus and plus this."),
        Knob("bins", 12, 2, 36, unit="classes", help="Equal ranges of the angle; the range is the class."),
        Knob(
            "width",
            10.0,
            1.0,
            90.0,
            unit="degrees",
            help="Graded losses: angles this far apart are alike by 0.61, twice as far by 0.14.",
        ),
    ),
)
_SEED = 20_240_104
_MARGIN = 2  # pixels around a picture, so that its corners stay in it when it is turned
_UPRIGHT = (1, 4, 7)


def load(*, digits: str = "three", reach: float = 60.0, bins: int = 12, width: float = 10.0) -> Source:
    """Each digit once, turned; shape (1, 12, 12), brightness in [0, 1]. target: the angle in degrees.

    Graded: exp(-(difference of angles)^2 / (2 width^2)), for losses that read how alike two items are.

    A positive angle turns counterclockwise. Whatever the digit, one angle is drawn in each of as many equal ranges as
    there are pictures. A view of an item is turned too, by up to 20 degrees at full strength, and keeps its target.
    """
    # Imported here: the catalogue imports every data module, and only a run on this set needs the package.
    from scipy.ndimage import rotate

    source = upright.load()
    chosen = source.x[np.isin(source.y, _UPRIGHT)] if digits == "three" else source.x
    rng = np.random.default_rng(_SEED)
    place = (rng.permutation(len(chosen)) + rng.random(len(chosen))) / len(chosen)  # in [0, 1)
    angle = (2 * place - 1) * reach
    wide = np.pad(chosen[:, 0], ((0, 0), (_MARGIN, _MARGIN), (_MARGIN, _MARGIN)))
    x = np.stack([rotate(one, turn, reshape=False, order=1) for one, turn in zip(wide, angle, strict=True)])
    y = np.minimum((place * bins).astype(np.int64), bins - 1)
    return Source(x.astype(np.float32)[:, None], y, _names(reach, bins), target=angle, width=width)


def _names(reach: float, bins: int) -> tuple[str, ...]:
    """Both ends of each range in degrees."""
    ends = np.linspace(-reach, reach, bins + 1)
    return tuple(f"{low:+.3g} to {high:+.3g} deg" for low, high in pairwise(ends))
