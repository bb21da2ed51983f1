"""In the reading process: a table of any kind as columns."""

from dataclasses import dataclass
from importlib import import_module
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from models.reading import delimited, npy, values
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
    if options.get("peek") and (part := _first(files[0], options["sources"][0], limits, int(options["peek"]))):
        return {"refused": [], "notes": []}, part
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


@dataclass(frozen=True, eq=False)
class Part:
    """Some rows of a table."""

    columns: dict[str, Values]
    total: int  # rows of the table
    rows: NDArray[np.int64]  # (k,) rising


def sampled(file: IO[bytes], source: tuple[str, str, int], limits: Limits, notes: Notes, sample: int) -> Part | None:
    """So many rows of a table too large to be read whole, the same each time; None if it is small or has no more."""
    name, kind, length = source
    if kind in (".csv", ".tsv"):
        if length <= limits.whole_bytes:
            return None
        picked = drawn(delimited.count(file, kind), sample)
        if picked is None:
            return None
        found = delimited.read(file, kind, limits, lenient=False, only=picked[1])[0]
    else:
        columnar = import_module(_COLUMNAR)
        picked = drawn(columnar.count(file, kind, name, length, limits), sample)
        if picked is None:
            return None
        found = columnar.read(file, kind, name, limits, lenient=False, only=picked[1])[0]
    return Part(_without_index(found, notes, picked[1]), *picked)


def _first(file: IO[bytes], source: tuple[str, str, int], limits: Limits, count: int) -> dict[str, Values] | None:
    """The first rows of a table too large to be read whole; None if it is small."""
    name, kind, length = source
    only = np.arange(count)
    if kind in (".csv", ".tsv"):
        return delimited.read(file, kind, limits, lenient=False, only=only)[0] if length > limits.whole_bytes else None
    columnar = import_module(_COLUMNAR)
    large = kind != ".npz" and columnar.count(file, kind, name, length, limits)
    return columnar.read(file, kind, name, limits, lenient=False, only=only)[0] if large else None


def drawn(total: int, sample: int) -> tuple[int, NDArray[np.int64]] | None:
    """The rows of a sample; None if it takes all."""
    rows = values.sampled(total, sample)
    return None if rows is None else (total, rows)


def _without_index(
    columns: dict[str, Values], notes: Notes, rows: NDArray[np.int64] | None = None
) -> dict[str, Values]:
    """Without a first column that has no name and counts the rows."""
    first = next(iter(columns))
    unnamed = first == "" or first.startswith(("Unnamed: 0", "__index_level_0__"))
    column = columns[first]
    if not unnamed:
        return columns
    count = np.arange(len(column)) if rows is None else rows
    counts = not isinstance(column, list) and column.ndim == 1 and np.array_equal(column, count)
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
