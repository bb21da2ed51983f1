"""Classes of rows: from whatever people keep them in to a number a row and the names, with what is wrong or odd."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.reading.refused import MOST_VALUE, Limits, Notes, Refused, counted, shown, told

Values = NDArray[Any] | list[str]


def classes(values: Values, rows: int, limits: Limits, notes: Notes) -> tuple[NDArray[np.int64], list[str]]:
    """Class (n,) of every row and the classes' names in order; raises Refused (E151 to E156)."""
    array = values if isinstance(values, list) else _flat(values)
    if len(array) != rows:
        raise Refused(
            "E151",
            f"{counted(len(array), 'label')} for {counted(rows, 'row')}. They must be in the same order and number.",
        )
    if isinstance(array, list):
        y, names = _of_texts(array)
    else:
        found, inverse = np.unique(_whole(array), return_inverse=True)
        y, names = inverse.astype(np.int64), [str(value) for value in found.tolist()]
    if len(names) > limits.classes:
        raise Refused("E156", f"{len(names):,} classes; the limit is {limits.classes:,}. Is the label column an id?")
    remark(y, names, notes)
    return y, names


def _flat(array: NDArray[Any]) -> NDArray[Any]:
    if array.ndim == 2 and array.shape[1] == 1:
        return array[:, 0]
    if array.ndim != 1:
        raise Refused("E153", f"Labels have shape {told(array.shape)}. One label per row is needed: labels.argmax(1).")
    return array


def _whole(array: NDArray[Any]) -> NDArray[Any]:
    if array.dtype.kind != "f":
        return array
    missing = np.flatnonzero(np.isnan(array))
    if missing.size:
        raise _missing(missing)
    wrong = np.flatnonzero(~np.isfinite(array) | (array != np.round(array)))
    if wrong.size:
        first = f"{array[wrong[0]]:.4g}"
        mend = "Losses here need classes; for a regression target choose none."
        raise Refused("E154", f"Labels are fractions (first: {first}). {mend}")
    return array.astype(np.int64) if np.abs(array).max(initial=0) < 2**62 else array


def _missing(rows: Any) -> Refused:
    verb = "is" if len(rows) == 1 else "are"
    mend = "Tick 'drop unlabelled rows' or name them, e.g. -1."
    return Refused("E155", f"{counted(len(rows), 'label')} {verb} missing (first: row {int(rows[0])}). {mend}")


def _of_texts(texts: list[str]) -> tuple[NDArray[np.int64], list[str]]:
    empty = [row for row, text in enumerate(texts) if not text]
    if empty:
        raise _missing(empty)
    names = sorted(set(texts))
    places = {name: place for place, name in enumerate(names)}
    return np.fromiter((places[text] for text in texts), np.int64, len(texts)), names


def remark(y: NDArray[np.int64], names: list[str], notes: Notes) -> None:
    """Notes W221 to W223."""
    if len(names) == 1 and len(y) > 1:
        text = f"All {len(y):,} rows are class '{shown(names[0], MOST_VALUE)}'. Losses that need negatives"
        notes.add("W221", f"{text} (triplet, contrastive, ...) are not available.")
    elif len(names) == len(y) and len(y) > 1:
        notes.add("W222", "Each class has one row: there is no positive pair.")
    alike: dict[str, str] = {}
    for name in names:
        plain = " ".join(name.split()).casefold()
        if plain in alike:
            other = alike[plain]
            only = "spaces" if " ".join(name.split()) == " ".join(other.split()) else "capitals or spaces"
            both = f"'{shown(other, MOST_VALUE)}' and '{shown(name, MOST_VALUE)}'"
            notes.add("W223", f"{both} differ only in {only}. Merge them?")
            return
        alike[plain] = name
