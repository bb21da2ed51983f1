"""Parquet, Arrow and Feather through pyarrow, rows and values counted before it is decoded."""

from collections.abc import Iterator
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.ipc as ipc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from models.reading.cells import Fault, Values
from models.reading.npy import is_label
from models.reading.refused import GAPS, MOST_VALUE, Limits, Refused, check_rows, counted, shown

_AGAIN = "Copy or export it again."
_FEW = 8  # columns of Parquet read at once
_AT_ONCE = 8192  # rows of Parquet decoded at once


def read(
    file: IO[bytes],
    kind: str,
    name: str,
    limits: Limits,
    *,
    lenient: int,
    only: NDArray[np.int64] | None = None,
) -> tuple[dict[str, Values], list[Fault]]:
    """Columns by name (list columns as matrices), rows left out (none unless lenient); `only` those rows."""
    file.seek(0)
    try:
        if only is not None:
            table = _part(file, kind, only)
        else:
            table = _parquet(file, name, limits) if kind == ".parquet" else _arrow(file, name, limits)
    except Refused:
        raise
    except (pa.ArrowException, OSError, ValueError, KeyError, IndexError, UnicodeDecodeError):
        raise Refused("E104", f"{shown(name)} is damaged: it cannot be decoded. {_AGAIN}") from None
    if table.num_columns == 0:
        raise Refused("E109", f"{shown(name)} has no columns.")
    if table.num_rows == 0:
        raise Refused("E109", f"Shape (0, {table.num_columns}): there are no rows.")
    faults: list[Fault] = []
    if lenient == GAPS:
        table = _filled(table)
    if lenient:
        table, faults = _without_nulls(table)
    columns = {key: values(key, column) for key, column in zip(table.column_names, table.columns, strict=True)}
    return columns, faults


def count(file: IO[bytes], kind: str, name: str, length: int, limits: Limits) -> int:
    """Rows of a table that is too large to be read whole, 0 of a smaller one; raises Refused."""
    try:
        if kind != ".parquet":
            return sum(batch.num_rows for batch in _batches(file, kind)) if length > limits.whole_bytes else 0
        about = pq.ParquetFile(file, pre_buffer=False).metadata
        return int(about.num_rows) if 4 * _declared(about) > limits.whole_bytes else 0
    except (pa.ArrowException, OSError, ValueError, IndexError):
        raise Refused("E104", f"{shown(name)} is cut short or damaged: it cannot be decoded. {_AGAIN}") from None


def _batches(file: IO[bytes], kind: str, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
    """One after another, none kept; pages of Parquet are read as they are needed."""
    file.seek(0)
    if kind == ".parquet":
        opened = pq.ParquetFile(file, buffer_size=1 << 16, page_checksum_verification=True, pre_buffer=False)
        _check_names(opened.schema_arrow.names)
        yield from opened.iter_batches(_AT_ONCE, use_threads=False, columns=columns)
        return
    head = file.read(6)
    file.seek(0)
    opened = ipc.open_file(file) if head == b"ARROW1" else ipc.open_stream(file)
    _check_names(opened.schema.names)
    for batch in map(opened.get_batch, range(opened.num_record_batches)) if head == b"ARROW1" else opened:
        batch.validate(full=True)
        yield batch


def _part(file: IO[bytes], kind: str, only: NDArray[np.int64]) -> pa.Table:
    """Those rows, a batch in memory at a time; of Parquet a few columns too, as every column has pages of its own."""
    if kind != ".parquet":
        return _rows(_batches(file, kind), only)
    names = pq.ParquetFile(file, pre_buffer=False).schema_arrow.names
    step = len(names) if any("." in name for name in names) else _FEW  # a dot would also choose within structs
    few = [_rows(_batches(file, kind, names[at : at + step]), only) for at in range(0, len(names), step)]
    return pa.table(dict(zip(names, (column for part in few for column in part.columns), strict=True)))


def _rows(batches: Iterator[pa.RecordBatch], only: NDArray[np.int64]) -> pa.Table:
    first, parts = 0, []
    for batch in batches:
        low, high = np.searchsorted(only, (first, first + batch.num_rows))
        parts.append(batch.take(pa.array(only[low:high] - first)))
        first += batch.num_rows
        if first > only[-1]:
            break
    return pa.Table.from_batches(parts)


def _parquet(file: IO[bytes], name: str, limits: Limits) -> pa.Table:
    try:
        opened = pq.ParquetFile(file, page_checksum_verification=True, pre_buffer=False)
    except (pa.ArrowException, OSError):
        raise Refused(
            "E104", f"{shown(name)}: The Parquet footer is missing: the file is cut short. {_AGAIN}"
        ) from None
    told = opened.metadata
    _check_names(opened.schema_arrow.names)
    check_rows(told.num_rows, limits)
    cells = _declared(told)
    _check_cells(cells, told.num_rows, told.num_columns, limits)
    texts = [field.name for field in opened.schema_arrow if _is_text(field.type)]
    file.seek(0)
    return pq.ParquetFile(file, read_dictionary=texts, page_checksum_verification=True, pre_buffer=False).read(
        use_threads=False
    )


def _declared(about: Any) -> int:
    """Cells of a Parquet file, those in lists counted one by one."""
    groups = (about.row_group(place) for place in range(about.num_row_groups))
    return sum(group.column(place).num_values for group in groups for place in range(about.num_columns))


def _arrow(file: IO[bytes], name: str, limits: Limits) -> pa.Table:
    """The file form (Feather version 2 is the same) or the stream form."""
    head = file.read(6)
    file.seek(0)
    try:
        opened = ipc.open_file(file) if head == b"ARROW1" else ipc.open_stream(file)
    except (pa.ArrowException, OSError):
        raise Refused("E104", f"{shown(name)} is cut short or damaged: its schema cannot be read. {_AGAIN}") from None
    _check_names(opened.schema.names)
    batches, rows, cells = [], 0, 0
    many = opened.num_record_batches if head == b"ARROW1" else None
    for place in range(many if many is not None else 1 << 30):
        try:
            batch = opened.get_batch(place) if many is not None else opened.read_next_batch()
        except StopIteration:
            break
        batch.validate(full=True)
        rows, cells = rows + batch.num_rows, cells + _cells(batch)
        check_rows(rows, limits)
        _check_cells(cells, rows, batch.num_columns, limits)
        batches.append(batch)
    return pa.Table.from_batches(batches, schema=opened.schema)


def _cells(batch: pa.RecordBatch) -> int:
    return sum(len(column.flatten()) if _is_list(column.type) else len(column) for column in batch.columns)


def _check_names(names: list[str]) -> None:
    for place, name in enumerate(names):
        if name in names[:place]:
            raise Refused("E137", f"Two columns are called '{shown(name, MOST_VALUE)}'.")


def _check_cells(cells: int, rows: int, columns: int, limits: Limits) -> None:
    if columns > limits.columns + limits.members:
        raise Refused(
            "E107", f"{columns:,} columns; the limit is {limits.columns:,}. Rows must be points. Transposed? Use x.T."
        )
    if 4 * max(cells, rows * columns) > limits.matrix_bytes:
        most = limits.matrix_bytes // 4
        raise Refused(
            "E106", f"{rows:,} rows with {cells:,} values; the limit here is {most:,} values. Upload a sample."
        )


def _filled(table: pa.Table) -> pa.Table:
    """Nulls as nan and as empty texts; those among lists stay."""
    for place, (key, column) in enumerate(zip(table.column_names, table.columns, strict=True)):
        text = _is_text(column.type) or (pa.types.is_dictionary(column.type) and _is_text(column.type.value_type))
        number = pa.types.is_integer(column.type) or pa.types.is_floating(column.type)
        if column.null_count and text:
            table = table.set_column(place, key, pc.fill_null(column.cast(pa.string()), ""))
        elif column.null_count and (number or pa.types.is_boolean(column.type)):
            table = table.set_column(place, key, pc.fill_null(column.cast(pa.float64()), float("nan")))
    return table


def _without_nulls(table: pa.Table) -> tuple[pa.Table, list[Fault]]:
    bad = np.zeros(table.num_rows, dtype=bool)
    why: dict[int, Fault] = {}
    for key, column in zip(table.column_names, table.columns, strict=True):
        missing = np.asarray(pc.is_null(column).to_numpy(), dtype=bool)
        for row in np.flatnonzero(missing & ~bad):
            why[int(row)] = Fault(int(row), "E143", f"column '{shown(key, MOST_VALUE)}' is null.")
        bad |= missing
    if bad.all():
        raise Refused("E109", f"No row is left: {why[0].reason} (row 0).")
    return table.filter(pa.array(~bad)), [why[row] for row in sorted(why)]


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def values(key: str, column: pa.ChunkedArray) -> Values:
    """One column as numbers, texts or, if it holds lists, a matrix (E111, E141 to E143)."""
    kind, where = column.type, f"Column '{shown(key, MOST_VALUE)}'"
    if column.null_count:
        raise _null(key, where, column)
    if pa.types.is_dictionary(kind) and not _is_text(kind.value_type):
        return values(key, column.cast(kind.value_type))
    if pa.types.is_dictionary(kind) or _is_text(kind):
        return [str(text) for text in column.to_pylist()]
    if _is_list(kind):
        return _matrix(where, column)
    if pa.types.is_boolean(kind):
        return np.asarray(column.to_numpy()).astype(np.int64)
    if pa.types.is_decimal(kind):
        return np.asarray(column.cast(pa.float64()).to_numpy())
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        raise _kind(where, kind)
    return np.asarray(column.to_numpy())


def _null(key: str, where: str, column: pa.ChunkedArray) -> Refused:
    row = int(np.flatnonzero(pc.is_null(column).to_numpy())[0])
    if is_label(key):
        verb = "is" if column.null_count == 1 else "are"
        first = f"{counted(column.null_count, 'label')} {verb} missing (first: row {row})."
        return Refused("E155", f"{first} Tick 'drop unlabelled rows' or name them, e.g. -1.")
    return Refused(
        "E143", f"{where}, row {row} is null. {counted(column.null_count, 'row')} in all. Fill or drop them."
    )


def _kind(where: str, kind: pa.DataType) -> Refused:
    if pa.types.is_nested(kind):
        what = "a struct" if pa.types.is_struct(kind) else "nested"
        return Refused("E142", f"{where} is {what}; a list of numbers or one column per dimension is needed.")
    mend = (
        "Convert it, e.g. to days: (t - t.min()).days." if pa.types.is_temporal(kind) else "Leave it out or convert it."
    )
    return Refused("E111", f"{where}: Values of type {shown(kind, MOST_VALUE)} are not plain numbers. {mend}")


def _matrix(where: str, column: pa.ChunkedArray) -> NDArray[Any]:
    inner = column.type.value_type
    if not (pa.types.is_integer(inner) or pa.types.is_floating(inner)):
        words = "nested" if pa.types.is_nested(inner) else f"a list of {shown(inner, MOST_VALUE)}"
        raise Refused("E142", f"{where} is {words}; a list of numbers or one column per dimension is needed.")
    lengths = np.asarray(pc.list_value_length(column).to_numpy())
    usual = int(np.bincount(lengths).argmax()) if lengths.size else 0
    other = np.flatnonzero(lengths != usual)
    if other.size:
        row = int(other[0])
        raise Refused("E141", f"{where}, row {row} has {counted(int(lengths[row]), 'number')}, the other rows {usual}.")
    flat = pc.list_flatten(column)
    if flat.null_count:
        row = int(np.flatnonzero(pc.is_null(flat).to_numpy())[0]) // usual
        inside = int(pc.is_null(flat).to_numpy()[row * usual : (row + 1) * usual].sum())
        raise Refused("E143", f"{where}, row {row} has {counted(inside, 'null')}. Fill them or drop the row.")
    return np.asarray(flat.to_numpy()).reshape(len(lengths), usual)
