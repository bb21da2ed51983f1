"""Placed: where every item of the probe stood at one moment, small enough to be kept for every moment of a lane."""

from dataclasses import dataclass

import numpy as np

from models.diagnostics.items import unit_rows

LARGEST = 131_072  # bytes; 500 items in 128 dimensions still fit
ERROR = 1e-3  # of a cosine: a half has 11 bits, and sum |u_k v_k| is at most 1


@dataclass(frozen=True, eq=False)
class Placed:
    """Unit rows in half precision: a cosine of two of them is off by at most ERROR."""

    u: np.ndarray  # (n, d) float16
    v: np.ndarray | None = None  # (n, d) side B, where items have two


def placed(z: np.ndarray, other: np.ndarray | None) -> Placed | None:
    """The rows (n, d) of a moment, as they are kept; None where that would take more than LARGEST bytes."""
    if 2 * z.size * (1 if other is None else 2) > LARGEST:
        return None
    return Placed(_half(z), None if other is None else _half(other))


def _half(z: np.ndarray) -> np.ndarray:
    small: np.ndarray = unit_rows(z).astype(np.float16)
    return small
