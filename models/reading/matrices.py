"""In the reading process: the embeddings of a file, and the labels that may stand beside them."""

from dataclasses import dataclass
from importlib import import_module
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from models.reading import columns, labels, npy, tensorfile, values
from models.reading.refused import MOST_VALUE, Limits, Notes, Refused, check_shape, counted, fits, listing, shown, told

TABLES = (".csv", ".tsv", ".parquet", ".arrow", ".feather")
_NAMES = ("embeddings", "embedding", "features", "z", "x", "emb", "vectors", "vector")
_ASIDE = {"id", "index", "item", "group", "instance", "anchor", "text", "name", "split", "fold"}
Values = NDArray[Any] | list[str]


def warm(options: dict[str, Any]) -> None:
    """Load what reads these kinds before the limits are set."""
    kind = options["sources"][0][1]
    columns.warm(options)
    if kind == ".h5":
        import_module("models.reading.hdf5")


def task(files: list[IO[bytes]], options: dict[str, Any], limits: Limits) -> tuple[dict[str, Any], dict[str, Any]]:
    """Embeddings, or only labels for so many rows; told: names, counts, notes."""
    notes = Notes()
    name, kind, length = options["sources"][0]
    if options.get("labels_for") is not None:
        raw = labels_of(files[0], kind, name, int(options["labels_for"]), limits)
        y, names = labels.classes(raw, int(options["labels_for"]), limits, notes)
        return {"classes": names, "notes": _told(notes)}, {"y": y}
    return _embeddings(files[0], (name, kind, length), options, limits, notes)


def _told(notes: Notes) -> list[list[str]]:
    return [[note.code, note.text] for note in notes.found]


def _embeddings(
    file: IO[bytes], source: tuple[str, str, int], options: dict[str, Any], limits: Limits, notes: Notes
) -> tuple[dict[str, Any], dict[str, Any]]:
    read = _read(file, source, options, limits, notes)
    z, rows, total = read.z, read.rows, read.total
    if len(rows) < total:
        notes.add("W207", f"{len(rows):,} of {total:,} rows were read, drawn at random, the same each time.")
    kept = values.check_finite(z, half=read.half, drop=bool(options.get("drop")))
    places, known = (np.arange(len(z)), len(z)) if read.beside_sample else (rows, total)
    if kept is not None:
        notes.add("W206", f"{counted(len(z) - len(kept), 'row')} of {len(z):,} left out: not finite.")
        z, rows, places = z[kept], rows[kept], places[kept]
    values.remark(z, notes)
    answer: dict[str, Any] = {"z": z}
    names: list[str] | None = None
    beside = read.beside
    if beside is not None:
        if len(beside) == known and len(places) < known:
            beside = [beside[place] for place in places] if isinstance(beside, list) else beside[places]
            known = len(places)
        answer["y"], names = labels.classes(beside, known, limits, notes)
    if len(rows) < total:
        answer["rows"] = rows
    return {"array": read.key, "total": total, "classes": names, "notes": _told(notes)}, answer


@dataclass(frozen=True, eq=False)
class _Read:
    """A matrix of a file, or some rows of it."""

    key: str  # its name in the file
    z: NDArray[np.float32]
    half: bool  # the file holds float16
    total: int  # rows of the file
    rows: NDArray[np.int64]  # those that were read
    beside: Values | None  # labels in the same file
    beside_sample: bool = False  # those labels are of the rows that were read alone


def _read(
    file: IO[bytes], source: tuple[str, str, int], options: dict[str, Any], limits: Limits, notes: Notes
) -> _Read:
    sample, wanted = options.get("sample"), str(options.get("array", ""))
    name, kind, length = source
    if kind == ".npy":
        head = npy.header(file, length, shown(name))
        total, picked = _picked(head.shape, head.dtype, limits, sample)
        rows = np.arange(total) if picked is None else picked
        return _Read("", values.from_file(file, head, picked), head.dtype.itemsize == 2, total, rows, None)
    part = None
    if sample is not None and kind in TABLES:
        part = columns.sampled(file, source, limits, notes, sample)
    if part is not None:
        found = _stacked(part.columns)
    elif sample is not None and kind not in TABLES:
        found = _named(import_module("models.reading.streamed").arrays(file, kind, name, length, limits))
    else:
        found = candidates(file, kind, name, length, limits, notes)
    key, it = chosen(found, wanted)
    array: Any = it  # or Stored, which has its shape and type
    beside = labels_beside(found, key, notes) if options.get("labels", True) else None
    half = array.dtype == np.float16
    if part is not None:
        _picked(array.shape, array.dtype, limits, None)
        return _Read(key, values.from_array(array, None), half, part.total, part.rows, beside, beside_sample=True)
    total, picked = _picked(array.shape, array.dtype, limits, sample)
    rows = np.arange(total) if picked is None else picked
    if not isinstance(array, np.ndarray):
        return _Read(key, values.from_array(array.take(rows), None), half, total, rows, beside)
    return _Read(key, values.from_array(array, picked), half, total, rows, beside)


def _named(found: dict[str, Any]) -> dict[str, Values]:
    return {key: _plain(key, array) if isinstance(array, np.ndarray) else array for key, array in found.items()}


def _picked(
    shape: tuple[int, ...], dtype: np.dtype[Any], limits: Limits, sample: int | None
) -> tuple[int, NDArray[np.int64] | None]:
    """Rows there are, and those that are read: all of a matrix that is not large, else a sample if one is asked for."""
    if dtype.kind not in "biuf" or dtype.itemsize > 8:
        columns.plain(np.empty((0, 0), dtype))
    check_shape(shape, limits, rows=False)
    if sample is None or (fits(shape, limits) and 4 * shape[0] * shape[1] <= limits.whole_bytes):
        check_shape(shape, limits)
        return shape[0], None
    check_shape((min(sample, shape[0]), shape[1]), limits)
    return shape[0], values.sampled(shape[0], sample)


def candidates(file: IO[bytes], kind: str, name: str, length: int, limits: Limits, notes: Notes) -> dict[str, Values]:
    """Everything of a file by name; a table's columns of numbers are one matrix, unless it has columns of lists."""
    if kind == ".npz":
        return {key: _plain(key, array) for key, (_, array) in npy.members(file, name, limits).items()}
    if kind == ".safetensors":
        found = tensorfile.entries(file, length, limits)
        return {entry.name: tensorfile.array(file, entry) for entry in found}
    if kind == ".h5":
        arrays = import_module("models.reading.hdf5").arrays(file, name, limits)
        return {key: _plain(key, array) for key, array in arrays.items()}
    return _stacked(columns.read(file, kind, name, limits, notes, lenient=False)[0])


def _plain(key: str, array: NDArray[Any]) -> Values:
    if array.dtype.kind in "US" and array.ndim != 1:
        return array  # says what it is when it is chosen
    return columns.plain(array, f"Array '{shown(key, MOST_VALUE)}'") if array.dtype.kind in "USbiuf" else array


def _stacked(table: dict[str, Values]) -> dict[str, Values]:
    matrices = {key: column for key, column in table.items() if not isinstance(column, list) and column.ndim == 2}
    if matrices:
        return table
    numbers = [key for key, column in table.items() if not isinstance(column, list) and not is_aside(key)]
    if not numbers:
        raise Refused("E138", f"No numeric column: {listing(list(table))}.")
    rest = {key: column for key, column in table.items() if key not in numbers}
    return {"columns": np.column_stack([table[key] for key in numbers]), **rest}


def is_aside(key: str) -> bool:
    """True for a name that people give to labels and ids."""
    return npy.is_label(key) or key.strip().lower() in _ASIDE


def chosen(found: dict[str, Values], wanted: str) -> tuple[str, NDArray[Any]]:
    """The array that holds the embeddings (E115, E116)."""
    shapes = [f"{shown(key, MOST_VALUE)} {told(np.shape(array))}" for key, array in found.items()]
    if wanted:
        array = found.get(wanted)
        if array is None or isinstance(array, list):
            raise Refused("E116", f"No matrix called '{shown(wanted, MOST_VALUE)}'; found: {listing(shapes)}.")
        return wanted, array
    arrays = {key: array for key, array in found.items() if not isinstance(array, list) and not is_aside(_last(key))}
    flat = {key: array for key, array in arrays.items() if array.ndim == 2}
    if len(flat) > 1:
        named = [key for key in flat if _last(key).lower() in _NAMES]
        if len(named) == 1:
            return named[0], flat[named[0]]
        raise Refused(
            "E115", f"{len(flat)} arrays could be the embeddings: {listing(shapes)}. Choose one: call it 'embeddings'."
        )
    if flat:
        return next(iter(flat.items()))
    named = [key for key in arrays if _last(key).lower() in _NAMES or len(arrays) == 1]
    if named and arrays[named[0]].ndim != 1:
        return named[0], arrays[named[0]]  # the check of its shape says what to do
    raise Refused("E116", f"No matrix inside; found: {listing(shapes)}. Save it as 'embeddings'.")


def _last(key: str) -> str:
    return key.rpartition("/")[2]


def labels_beside(found: dict[str, Values], taken: str, notes: Notes) -> Values | None:
    """Labels in the same file: an array named so, else the one column of text."""
    named = [key for key in found if key != taken and npy.is_label(_last(key))]
    if named:
        return found[named[0]]
    texts = [key for key, column in found.items() if isinstance(column, list)]
    if len(texts) == 1 and len(set(found[texts[0]])) < len(found[texts[0]]):
        notes.add("W213", f"Column '{shown(texts[0], MOST_VALUE)}' holds text that repeats: taken as the labels.")
        return found[texts[0]]
    return None


def labels_of(file: IO[bytes], kind: str, name: str, rows: int, limits: Limits) -> Values:
    """The labels of another file: its array or column named so, or its only one."""
    if kind == ".npy":
        array = whole(file, name, length_of(file))
        return array if array.dtype.kind == "f" and array.ndim == 2 else _plain("labels", array)
    if kind in (".csv", ".tsv"):
        return _labels_of_text(file, kind, rows, limits)
    notes = Notes()
    if kind in TABLES:
        found = columns.read(file, kind, name, limits, notes, lenient=False)[0]
    else:
        found = candidates(file, kind, name, length_of(file), limits, notes)
    return _only(found)


def whole(file: IO[bytes], name: str, length: int) -> NDArray[Any]:
    """The array of an .npy file as it is."""
    head = npy.header(file, length, shown(name))
    file.seek(0)
    return npy.values(file.read(), head)


def length_of(file: IO[bytes]) -> int:
    """Bytes of an open file."""
    length = file.seek(0, 2)
    file.seek(0)
    return length


def _only(found: dict[str, Values]) -> Values:
    named = [key for key in found if npy.is_label(_last(key))]
    if len(named) == 1 or len(found) == 1:
        return found[named[0] if named else next(iter(found))]
    raise Refused("E157", f"{len(found)} columns could be the labels: {listing(list(found))}. Call one 'label'.")


def _labels_of_text(file: IO[bytes], kind: str, rows: int, limits: Limits) -> Values:
    """A line a label, with or without a header: its name says so, or the number of lines does."""
    delimited = import_module("models.reading.delimited")
    try:
        found, _, headed = delimited.read(file, kind, limits, lenient=False)
    except Refused as error:
        if error.code == "E131" and " 0 cells, the " in error.text:
            line = error.text.split()[1]
            raise Refused(
                "E152", f'Line {line} of the labels is blank. An empty class must be written as "".'
            ) from None
        raise
    only = _only(found)
    name = next(iter(found))
    if headed and len(found) == 1 and not npy.is_label(name) and len(only) == rows - 1:
        return [name, *(str(value) for value in (only if isinstance(only, list) else only.tolist()))]
    return only
