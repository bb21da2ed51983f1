"""In the reading process: a table of any kind as columns."""

from importlib import import_module
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from models.reading import delimited, npy
from models.reading.cells import Fault, Values
from models.reading.refused import MOST_VALUE, Limits, Notes, Refused, check_rows, counted, shown, told

_COLUMNAR = "models.reading.columnar"
Found = tuple[dict[str, Values], list[Fault]]


def warm(options: dict[str, Any]) -> None:
    """Load what reads this kind before the limits are set."""
    if options["sources"][0][1] in (".parquet", ".arrow", ".feather"):
        import_module(_COLUMNAR)  # pyarrow, 0.1 s that text does not need


def task(files: list[IO[bytes]], options: dict[str, Any], limits: Limits) -> tuple[dict[str, Any], dict[str, Values]]:
    """Columns of one file; told: the rows left out, and notes."""
    name, kind, _ = options["sources"][0]
    notes = Notes()
    columns, faults = read(files[0], kind, name, limits, notes, lenient=int(options["lenient"]))
    faults_told = [[fault.line, fault.reason] for fault in faults]
    return {"refused": faults_told, "notes": [[note.code, note.text] for note in notes.found]}, columns


def read(file: IO[bytes], kind: str, name: str, limits: Limits, notes: Notes, *, lenient: int) -> Found:
    """Columns by name and the rows left out."""
    if kind in (".csv", ".tsv"):
        columns, faults, headed = delimited.read(file, kind, limits, lenient=lenient)
        if not headed:
            notes.add(
                "W212", "The first line holds numbers: it is taken as a row, and the columns are called c0, c1, ..."
            )
    elif kind == ".npz":
        columns, faults = _arrays(npy.members(file, name, limits), limits), []
    else:
        columns, faults = import_module(_COLUMNAR).read(file, kind, name, limits, lenient=lenient)
    return _without_index(columns, notes), faults


def _without_index(columns: dict[str, Values], notes: Notes) -> dict[str, Values]:
    """Without a first column that has no name and counts the rows."""
    first = next(iter(columns))
    unnamed = first == "" or first.startswith(("Unnamed: 0", "__index_level_0__"))
    values = columns[first]
    if not unnamed:
        return columns
    counts = not isinstance(values, list) and values.ndim == 1 and np.array_equal(values, np.arange(len(values)))
    if counts and len(columns) > 1:
        notes.add("W211", "The first column has no name and counts 0, 1, 2: taken as a row number, not a dimension.")
        return {name: column for name, column in columns.items() if name != first}
    return {name or "column 0": column for name, column in columns.items()}


def _arrays(members: dict[str, tuple[npy.Header, NDArray[Any]]], limits: Limits) -> dict[str, Values]:
    """Arrays of one length as columns: vectors as they are, matrices whole."""
    columns: dict[str, Values] = {}
    for name, (head, array) in members.items():
        where = f"Array '{shown(name, MOST_VALUE)}'"
        if array.ndim not in (1, 2):
            mend = f"Flatten it first: {shown(name, MOST_VALUE)}.reshape(len({shown(name, MOST_VALUE)}), -1)."
            raise Refused("E108", f"{where} has shape {told(head.shape)}: one or two dimensions are needed. {mend}")
        check_rows(len(array), limits, width=array.shape[1] if array.ndim == 2 else 1)
        columns[name] = plain(array, where)
    _check_lengths(columns)
    return columns


def _check_lengths(columns: dict[str, Values]) -> None:
    lengths = {name: len(column) for name, column in columns.items()}
    first, rows = next(iter(lengths.items()))
    if rows == 0:
        raise Refused("E109", f"Array '{shown(first, MOST_VALUE)}': there are no rows.")
    for name, count in lengths.items():
        if count != rows:
            both = f"'{shown(first, MOST_VALUE)}' has {counted(rows, 'row')}, '{shown(name, MOST_VALUE)}' {count:,}"
            raise Refused("E151", f"Arrays of different lengths: {both}. Save those that belong together in one file.")


def plain(array: NDArray[Any], where: str = "") -> Values:
    """Numbers in this machine's byte order, or texts; raises Refused (E111) for anything else."""
    begins = f"{where}: " if where else ""
    if array.dtype.kind in "US" and array.ndim == 1:
        return _texts(array, begins)
    if array.dtype.kind == "c":
        raise Refused("E111", f"{begins}Numbers are complex. Use np.abs(x), or np.hstack([x.real, x.imag]).")
    if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
        raise Refused(
            "E111", f"{begins}Values of type {shown(array.dtype, MOST_VALUE)} are not plain numbers. {_mend(array)}"
        )
    return np.ascontiguousarray(array, array.dtype.newbyteorder("="))


def _texts(array: NDArray[Any], begins: str) -> list[str]:
    try:
        texts = [text.decode("utf-8") if isinstance(text, bytes) else str(text) for text in array.tolist()]
        for text in texts:
            text.encode("utf-8")
    except (UnicodeDecodeError, UnicodeEncodeError, ValueError):
        raise Refused("E135", f"{begins}A text is not UTF-8. Save with astype(str).") from None
    return texts


def _mend(array: NDArray[Any]) -> str:
    if array.dtype.kind in "mM":
        return "Use (t - t.min()) / np.timedelta64(1, 'D')."
    if array.dtype.kind in "US":
        return "Convert first: x.astype('float32')."
    if array.dtype.kind == "V":
        return "Stack the fields: np.stack([x[name] for name in x.dtype.names], axis=1)."
    return "Convert first: x.astype('float64')."
