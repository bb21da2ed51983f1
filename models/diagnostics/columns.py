"""One field of many frames as one flat array: repeats kept once, numbers as narrow as they may be."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# Drawn and not computed with: kept as float16 of the share of the array's largest number, an error of at most 0.05 %
# of each number (and 6e-8 of the largest). Every other floating column is kept as float32.
HALF = (
    "points.xy",
    "weights.heat",
    "weights.dot_score",
    "weights.dot_weight",
    *(f"weights.{kind}{end}" for kind in ("pull", "push") for end in ("", "_low", "_high", "_curve")),
    "margins.dot_margin",
    "margins.dot_weight",
    "curves.grad_norm",
)
_INTEGERS = (np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int32)


@dataclass(frozen=True)
class Column:
    """How to cut a flat array up again."""

    frame: list[int | None]  # which array each frame has; None: the field is absent there
    shape: list[list[int]]  # of each array
    dtype: list[str]  # each array's own dtype, restored on reading
    scale: list[float]  # each array's factor; 1 where it is not scaled


def pack(name: str, arrays: Sequence[np.ndarray | None]) -> tuple[np.ndarray, Column]:
    """The distinct arrays of one field, end to end, and how to cut them up."""
    distinct: list[np.ndarray] = []
    place: dict[tuple[bytes, tuple[int, ...], str], int] = {}
    frame: list[int | None] = []
    for array in arrays:
        if array is None:
            frame.append(None)
            continue
        key = (array.tobytes(), array.shape, array.dtype.str)
        if key not in place:
            place[key] = len(distinct)
            distinct.append(array)
        frame.append(place[key])
    scale = [_scale(name, array) for array in distinct]
    flat = np.concatenate(
        [
            array.ravel() / factor if factor != 1 else array.ravel()
            for array, factor in zip(distinct, scale, strict=True)
        ]
    )
    column = Column(frame, [list(a.shape) for a in distinct], [a.dtype.str for a in distinct], scale)
    return flat.astype(stored(name, flat)), column


def unpack(flat: np.ndarray, column: Column) -> list[np.ndarray | None]:
    """The inverse of `pack`: one array a frame, None where the field is absent; repeats share memory."""
    sizes = [int(np.prod(shape)) for shape in column.shape]
    pieces = np.split(flat, np.cumsum(sizes)[:-1]) if sizes else []
    arrays = []
    for piece, shape, dtype, factor in zip(pieces, column.shape, column.dtype, column.scale, strict=True):
        array = piece.astype(dtype).reshape(shape)
        arrays.append(array * array.dtype.type(factor) if factor != 1 else array)
    return [None if k is None else arrays[k] for k in column.frame]


def stored(name: str, values: np.ndarray) -> np.dtype:
    """The dtype on disk: whole numbers as narrow as they fit, floats as float32, those named in HALF as float16."""
    if values.dtype.kind == "f":
        return np.dtype(np.float16 if name in HALF else np.float32)
    if values.dtype.kind not in "iu" or values.size == 0:
        return values.dtype
    low, high = values.min(), values.max()
    fitting = [kind for kind in _INTEGERS if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max]
    return np.dtype(fitting[0]) if fitting else values.dtype


def _scale(name: str, array: np.ndarray) -> float:
    """The largest magnitude of an array that is kept as float16, else 1."""
    if name not in HALF:
        return 1.0
    defined = array[np.isfinite(array)]
    largest = float(np.abs(defined).max()) if len(defined) else 0.0
    return largest if largest > 0 else 1.0
