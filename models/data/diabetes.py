"""Diabetes: 442 patients, ten measurements, and how far the disease went in a year."""

from itertools import pairwise

import numpy as np

from models.data_common import Source
from models.spec import DataSpec, Knob

SPEC = DataSpec(
    key="diabetes",
    name="Diabetes progression",
    kind="points",
    teaches="A number that is mostly noise: no loss gets far, and the training items are soon learnt by heart.",
    source="scikit-learn load_diabetes (Efron, Hastie, Johnstone, Tibshirani: Least Angle Regression)",
    licence="BSD-3-Clause package; data published with the article",
    knobs=(
        Knob(
            "width",
            40.0,
            1.0,
            300.0,
            unit="progression",
            help="Graded losses: patients this far apart are alike by 0.61, twice as far by 0.14.",
        ),
    ),
)
_BINS = 5


def load(*, width: float = 40.0) -> Source:
    """All 442 patients, each measurement scaled to mean 0 and variance 1; shape (10,).

    target: the progression after a year, 25 to 346. The class is its fifth: as many patients in each, ties together.
    Graded: exp(-(difference of progressions)^2 / (2 width^2)), for losses that read how alike two items are.
    """
    # Imported here: the catalogue imports every data module, and this one takes a second.
    from sklearn.datasets import load_diabetes

    bunch = load_diabetes()
    target = bunch.target.astype(np.float64)
    x = (bunch.data * np.sqrt(len(target))).astype(np.float32)  # the package's columns have length 1
    ends = np.quantile(target, np.linspace(0, 1, _BINS + 1))
    y = np.searchsorted(ends[1:-1], target, side="right").astype(np.int64)
    names = tuple(f"{low:.0f} to {high:.0f}" for low, high in pairwise(ends))
    return Source(x, y, names, target=target, width=width)
