"""Embeddings of a user and the classes of their rows."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.reading.child import Answer, ask, source
from models.reading.refused import PAGE, Limits, Note

ACCEPTED = (".npy", ".npz", ".csv", ".tsv", ".parquet", ".arrow", ".feather", ".safetensors", ".h5")


@dataclass(frozen=True, eq=False)
class Arrays:
    """Embeddings and, where known, the class of each row."""

    name: str
    z: NDArray[np.float32]  # (n, d), finite
    y: NDArray[np.int64] | None  # (n,), places in classes
    classes: list[str]
    rows: NDArray[np.int64] | None  # (n,), rows of the file where not all were taken
    total: int  # rows of the file
    array: str  # its name in the file, empty if it has none
    notes: tuple[Note, ...]


@dataclass(frozen=True)
class Choice:
    """What of a file is taken."""

    array: str = ""  # one of several by name
    sample: int | None = None  # so many rows, the same each time; an .npy file of any length is then read row by row
    drop: bool = False  # leave out rows that are not finite


def read_arrays(
    path: Path, name: str = "", *, labels: Path | None = None, choice: Choice = Choice(), limits: Limits = PAGE
) -> Arrays:
    """Read embeddings in a limited process; `labels` is another file with one a row; raises Refused (E101 to E156)."""
    checked = source(path, name, ACCEPTED, limits)
    options = {**asdict(choice), "labels": labels is None}
    answer = ask("arrays", [checked], options, limits)
    z, y, rows = (answer.columns.get(key) for key in ("z", "y", "rows"))
    notes, classes = notes_of(answer), answer.told["classes"] or []
    total = int(answer.told["total"])
    if labels is not None:
        other = ask("arrays", [source(labels, "", ACCEPTED, limits)], {"labels_for": total}, limits)
        every: Any = other.columns["y"]
        y, classes, notes = (every if rows is None else every[rows]), other.told["classes"], notes + notes_of(other)
    values: tuple[Any, Any, Any] = (z, y, rows)
    return Arrays(checked.name, values[0], values[1], list(classes), values[2], total, str(answer.told["array"]), notes)


def notes_of(answer: Answer) -> tuple[Note, ...]:
    """What the process remarked."""
    return tuple(Note(str(code), str(text)) for code, text in answer.told["notes"])
