"""Columns made by hand, for the tests of own data."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.datasets import load_digits, load_wine

from models.own_data.columns import Columns


def table(values: Mapping[str, Any], first_line: int = 2) -> Columns:
    """Lists and arrays as the columns of a file; lists of numbers become numbers."""
    columns = {name: column if _kept(column) else np.asarray(column, np.float64) for name, column in values.items()}
    rows = len(next(iter(columns.values())))
    return Columns(columns, np.arange(first_line, first_line + rows))


def _kept(column: Any) -> bool:
    return isinstance(column, np.ndarray) or isinstance(column[0], str)


def wine() -> Columns:
    """178 wines by thirteen measurements, three cultivars."""
    frame = load_wine(as_frame=True).frame
    return table({name: frame[name].to_numpy() for name in frame})


def digits(rows: int = 120) -> Columns:
    """Pictures of digits in grey, classes as texts."""
    bunch = load_digits()
    pixels = np.rint(bunch.images[:rows] * (255 / 16)).astype(np.uint8)
    return table({"image": pixels, "class": [str(k) for k in bunch.target[:rows]]})


def grid(rows: int, width: int = 2, seed: int = 0) -> np.ndarray:
    """Numbers without a pattern, (rows, width)."""
    return np.random.default_rng(seed).normal(3.0, 2.0, (rows, width))
