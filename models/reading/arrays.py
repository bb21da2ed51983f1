"""Embeddings of a user and the classes of their rows."""

from dataclasses import asdict, dataclass, replace
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
    sample: int | None = None  # rows read of a file that has more than the limit, the same each time
    drop: bool = False  # leave out rows that are not finite


def read_arrays(
    path: Path, name: str = "", *, labels: Path | None = None, choice: Choice = Choice(), limits: Limits = PAGE
) -> Arrays:
    """Read embeddings in a limited process; `labels` is another file with one a row; raises Refused (E101 to E156)."""
    checked = source(path, name, ACCEPTED, limits)
    options = {**asdict(choice), "labels": labels is None}
    answer = ask("arrays", [checked], options, limits)
    z, y, rows = (answer.columns.get(key) for key in ("z", "y", "rows"))
    values: tuple[Any, Any, Any] = (z, y, rows)
    told = answer.told
    found = Arrays(
        checked.name,
        *values[:2],
        list(told["classes"] or []),
        values[2],
        int(told["total"]),
        str(told["array"]),
        notes_of(answer),
    )
    return found if labels is None else with_labels(found, labels, limits)


def with_labels(found: Arrays, labels: Path, limits: Limits = PAGE) -> Arrays:
    """The same rows with the labels of another file, which has one for each row of the first; raises Refused."""
    answer = ask("arrays", [source(labels, "", ACCEPTED, limits)], {"labels_for": found.total}, limits)
    every: Any = answer.columns["y"]
    y = every if found.rows is None else every[found.rows]
    return replace(found, y=y, classes=list(answer.told["classes"]), notes=found.notes + notes_of(answer))


def notes_of(answer: Answer) -> tuple[Note, ...]:
    """What the process remarked."""
    return tuple(Note(str(code), str(text)) for code, text in answer.told["notes"])
