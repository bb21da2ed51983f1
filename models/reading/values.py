"""Numbers as float32, block by block, and what is wrong or odd about them."""

from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from models.reading.npy import Header
from models.reading.refused import Notes, Refused, counted

_BLOCK = 1 << 22  # values converted at once
_LARGE = 1e18  # beyond it squared distances leave float32
_TICK = "Tick 'drop bad rows'"


def sampled(count: int, sample: int | None) -> NDArray[np.int64] | None:
    """Rows taken, in order: the same ones for the same numbers; None if all are."""
    if sample is None or sample >= count:
        return None
    return np.sort(np.random.default_rng(0).choice(count, sample, replace=False))


def from_file(file: IO[bytes], head: Header, picked: NDArray[np.int64] | None) -> NDArray[np.float32]:
    """The matrix of an .npy file, never more than a block of it beside the result."""
    rows, width = head.shape
    taken = np.arange(rows) if picked is None else picked
    out = np.empty((len(taken), width), np.float32)
    if head.fortran:
        for column in range(width):
            file.seek(head.start + column * rows * head.dtype.itemsize)
            values = np.frombuffer(file.read(rows * head.dtype.itemsize), head.dtype)
            out[:, column] = _converted(values[taken][:, None], 0, column)[:, 0]
        return out
    step = max(_BLOCK // width, 1)
    wide = width * head.dtype.itemsize
    for start in range(0, len(taken), step):
        some = taken[start : start + step]
        if picked is None:
            file.seek(head.start + start * wide)
            raw = file.read(len(some) * wide)
        else:
            raw = b"".join(_row(file, head.start + int(row) * wide, wide) for row in some)
        out[start : start + step] = _converted(np.frombuffer(raw, head.dtype).reshape(-1, width), start, 0)
    return out


def _row(file: IO[bytes], place: int, length: int) -> bytes:
    file.seek(place)
    return file.read(length)


def from_array(array: NDArray[Any], picked: NDArray[np.int64] | None) -> NDArray[np.float32]:
    """A matrix in memory."""
    array = array if picked is None else array[picked]
    step = max(_BLOCK // array.shape[1], 1)
    out = np.empty(array.shape, np.float32)
    for start in range(0, len(array), step):
        out[start : start + step] = _converted(array[start : start + step], start, 0)
    return out


def _converted(block: NDArray[Any], row: int, column: int) -> NDArray[np.float32]:
    """Raises Refused (E113) for a number that float32 cannot hold."""
    with np.errstate(over="ignore", invalid="ignore"):
        values = block.astype(np.float32)
    if block.dtype.kind == "f" and block.dtype.itemsize > 4:
        lost = np.argwhere(np.isinf(values) & np.isfinite(block))
        if len(lost):
            at_row, at_column = (int(place) for place in lost[0])
            where = f"Row {row + at_row}, column {column + at_column}"
            raise Refused(
                "E113", f"{where} is {block[at_row, at_column]:.2g}, too large for float32 (3.4e38). Rescale."
            )
    return values


def check_finite(z: NDArray[np.float32], *, half: bool, drop: bool) -> NDArray[np.int64] | None:
    """Rows to keep if some are dropped, None if all are fine; raises Refused (E112) unless told to drop."""
    bad = np.zeros(len(z), bool)
    step = max(_BLOCK // z.shape[1], 1)
    for start in range(0, len(z), step):
        bad[start : start + step] = ~np.isfinite(z[start : start + step]).all(axis=1)
    if not bad.any():
        return None
    if drop and not bad.all():
        return np.flatnonzero(~bad)
    rows = z[bad]
    nan, infinite = np.isnan(rows), np.isinf(rows)
    wrong = nan if nan.any() else infinite
    place = np.argwhere(wrong)[0]
    first = f"the first is at row {np.flatnonzero(bad)[place[0]]}, column {place[1]}"
    count = int(wrong.sum())
    many = f"{counted(count, 'value')} in {counted(int(wrong.any(axis=1).sum()), 'row')}"
    mend = f"{_TICK} ({int(bad.sum())} of {len(z)} would go), use x[np.isfinite(x).all(axis=1)], or fill them."
    if half and infinite.any():
        mend = "The file is float16, whose largest number is 65504: export as float32."
    verb = "is" if count == 1 else "are"
    raise Refused("E112", f"{many} {verb} {'NaN' if nan.any() else 'infinite'}; {first}. {mend}")


def remark(z: NDArray[np.float32], notes: Notes) -> None:
    """Notes W201 to W205 on a finite matrix."""
    n = len(z)
    if n == 1:
        notes.add("W201", "Only 1 row: distances, neighbours and most losses need at least 2.")
        return
    largest = max(float(z.max()), -float(z.min()))
    if largest > _LARGE:
        notes.add("W202", f"Values up to {largest:.0e}: squared distances overflow. Tick 'normalise rows' or rescale.")
    if (z == z[0]).all():
        notes.add("W203", f"All {n} rows are equal: the embedding has collapsed to one point.")
    zero = np.flatnonzero(~z.any(axis=1))
    if zero.size:
        verb = "has" if zero.size == 1 else "have"
        left = "its cosine is not defined; it is" if zero.size == 1 else "their cosines are not defined; they are"
        at = f"row {zero[0]}" if zero.size == 1 else f"first: row {zero[0]}"
        text = f"{counted(int(zero.size), 'row')} {verb} length 0 ({at}): {left} left out of cosine measures."
        notes.add("W204", text)
    again = n - len(np.unique(_hashed(z)))
    if again:
        verb = "repeats" if again == 1 else "repeat"
        notes.add("W205", f"{again:,} of {n:,} rows {verb} an earlier row.")


def _hashed(z: NDArray[np.float32]) -> NDArray[np.uint64]:
    """A number a row, equal for equal rows; for others equal once in 2^64."""
    factors = np.random.default_rng(1).integers(1, 1 << 63, z.shape[1], dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    step = max(_BLOCK // z.shape[1], 1)
    out = np.empty(len(z), np.uint64)
    for start in range(0, len(z), step):
        bits = (z[start : start + step] + np.float32(0)).view(np.uint32).astype(np.uint64)  # -0 becomes 0
        bits = (bits ^ (bits >> np.uint64(15))) * np.uint64(0x9E3779B97F4A7C15)
        out[start : start + step] = ((bits ^ (bits >> np.uint64(29))) * factors).sum(axis=1, dtype=np.uint64)
    return out
