"""CSV and TSV, strictly: every row as long as the header, every cell what its column is, nothing guessed or dropped.

A column is one of numbers if more than half of its cells are; the others are then faults. Columns named as labels,
names or ids are may hold anything, and so may columns with a cell like 007, which is a name. Lines count from 1.
"""

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import IO

import numpy as np
from numpy.typing import NDArray

from models.reading import cells as cells_
from models.reading.cells import Cells, Fault, Values
from models.reading.refused import GAPS, MOST_VALUE, Limits, Refused, check_rows, counted, shown
from models.reading.utf8 import checked_lines

_COMMA = re.compile(r"[+-]?\d+,\d+(e[+-]?\d+)?", re.IGNORECASE)


@dataclass
class Rows:
    """The cells of a file by column, and the line each row begins on."""

    names: list[str]
    columns: list[Cells]
    lines: list[int]
    faults: list[Fault]
    headed: bool


def count(file: IO[bytes], kind: str) -> int:
    """Rows of a table, the header left out; nothing is kept."""
    records = _without_last_blanks(_records(checked_lines(file), _delimiter(_first_lines(file), kind)))
    start = list(islice(records, 2))
    headed = bool(start) and not _is_data(start[0][1], start[1][1] if len(start) > 1 else [])
    return len(start) - headed + sum(1 for _ in records)


def read(
    file: IO[bytes], kind: str, limits: Limits, *, lenient: int, only: NDArray[np.int64] | None = None
) -> tuple[dict[str, Values], list[Fault], bool]:
    """Columns by name, rows left out (none unless lenient), whether there was a header; `only` those rows."""
    most_lines = _count_lines(file)
    first = _first_lines(file)
    delimiter = _delimiter(first, kind)
    if delimiter == ";" and _decimal_commas(first):
        mend = "Export with decimal points and ',' between cells."
        raise Refused("E134", f"The file uses ';' and decimal commas (0,5). {mend}")
    rows = _rows(_records(checked_lines(file), delimiter), limits, most_lines, lenient=lenient, only=only)
    columns = _columns(rows, lenient=lenient)
    return columns, rows.faults, rows.headed


def _count_lines(file: IO[bytes]) -> int:
    file.seek(0)
    count = 0
    while piece := file.read(1 << 20):
        count += piece.count(b"\n")
    return count


def _first_lines(file: IO[bytes]) -> list[str]:
    file.seek(0)
    head = file.read(1 << 16).decode("utf-8-sig", errors="replace")
    return [line for line in head.splitlines()[:6] if line.strip()]


def _delimiter(first: list[str], kind: str) -> str:
    """A tab for .tsv; else the comma, unless the header has none and has another of the usual marks."""
    if kind == ".tsv" or not first:
        return "\t"
    header = first[0]
    if ";" in header and header.count(";") > header.count(",") - _commas(header.split(";")):
        return ";"
    return "\t" if "," not in header and "\t" in header else ","


def _commas(cells: list[str]) -> int:
    return sum(_COMMA.fullmatch(cell.strip()) is not None for cell in cells)


def _decimal_commas(first: list[str]) -> bool:
    return any(_commas(line.split(";")) for line in first)


def _records(lines: Iterator[str], delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Line on which each record begins, and its cells (E136)."""
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    begins = 1
    while True:
        try:
            record = next(reader, None)
        except csv.Error as error:
            raise _quoted(str(error), begins, reader.line_num) from None
        if record is None:
            return
        yield begins, record
        begins = reader.line_num + 1


def _quoted(error: str, begins: int, line: int) -> Refused:
    if "expected after" in error:
        mend = 'Double a quote that belongs to the text ("").'
        return Refused("E136", f"Line {line}: a quote ends in the middle of a cell. {mend}")
    if "field limit" in error and line == begins:
        return Refused(
            "E139", f"Line {begins} has a cell of more than {csv.field_size_limit():,} characters. Shorten it."
        )
    return Refused("E136", f"A quote opened on line {begins} is never closed.")


def _rows(
    records: Iterator[tuple[int, list[str]]],
    limits: Limits,
    most: int,
    *,
    lenient: int,
    only: NDArray[np.int64] | None = None,
) -> Rows:
    records = _without_last_blanks(records)
    start = list(islice(records, 2))
    if not start or not start[0][1]:
        raise Refused("E109", "There is no header on line 1." if start else "There is neither a header nor a row.")
    headed = not _is_data(start[0][1], start[1][1] if len(start) > 1 else [])
    names = _header(start[0][1]) if headed else [f"c{place}" for place in range(len(start[0][1]))]
    if len(names) > limits.columns + limits.members:
        raise Refused(
            "E107",
            f"{len(names):,} columns; the limit is {limits.columns:,}. Rows must be points. Transposed? Use x.T.",
        )
    rows = Rows(names, [Cells() for _ in names], [], [], headed)
    body: Iterator[tuple[int, list[str]]] = chain(start[1:] if headed else start, records)
    for line, cells in body if only is None else _those(body, only):
        _take(rows, line, cells, lenient=lenient)
        if len(rows.lines) > limits.rows:
            check_rows(max(most - headed, len(rows.lines)), limits)
    if not rows.lines and not rows.faults:
        raise Refused("E109", "There is a header but no row.")
    return rows


def _those(records: Iterable[tuple[int, list[str]]], only: NDArray[np.int64]) -> Iterator[tuple[int, list[str]]]:
    """The records whose places are wanted, which rise."""
    wanted = iter(only.tolist())
    place = next(wanted, -1)
    for here, record in enumerate(records):
        if here == place:
            yield record
            place = next(wanted, -1)
            if place < 0:
                return


def _without_last_blanks(records: Iterable[tuple[int, list[str]]]) -> Iterator[tuple[int, list[str]]]:
    """Blank lines count as rows, but for those at the very end."""
    blank: list[tuple[int, list[str]]] = []
    for record in records:
        if record[1]:
            yield from blank
            yield record
            blank = []
        else:
            blank = [*blank, record][:1000]


def _take(rows: Rows, line: int, cells: list[str], *, lenient: int) -> None:
    if len(cells) == 1 and len(rows.names) > 1 and not cells[0].strip():
        cells = []
    if len(cells) != len(rows.names):
        _fault(rows, Fault(line, "E131", _uneven(rows, len(cells))), lenient=lenient)
        return
    rows.lines.append(line)
    for column, cell in zip(rows.columns, cells, strict=True):
        column.append(cell)


def _uneven(rows: Rows, count: int) -> str:
    there = f"{counted(count, 'cell')}, the {'header' if rows.headed else 'first line'} has {len(rows.names)}."
    if count < len(rows.names):
        return f"{there} Missing values must be filled."
    at_once = not rows.lines and not rows.faults and rows.headed and count == len(rows.names) + 1
    return f"{there} Is a name missing for the first (index) column?" if at_once else there


def _fault(rows: Rows, fault: Fault, *, lenient: int) -> None:
    if not lenient:
        raise Refused(fault.code, f"Line {fault.line} has {fault.reason}")
    rows.faults.append(fault)


def _header(cells: list[str]) -> list[str]:
    """Names without the spaces around them; unnamed columns are counted (E137)."""
    names = [cell.strip() for cell in cells]
    for place, name in enumerate(names):
        if name and name in names[:place]:
            raise Refused("E137", f"Two columns are called '{shown(name, MOST_VALUE)}'.")
    given = set(names)
    for place, name in enumerate(names):
        if not name:
            names[place] = (
                "" if place == 0 else next(n for n in (f"column {place}", f"column {place} (2)") if n not in given)
            )
    return names


def _is_data(first: list[str], second: list[str]) -> bool:
    """True if the first line holds values: numbers that are no names of columns, which whole ones in order may be."""
    numbers = [cell for cell in first if cell.strip() and cells_.number(cell) is not None]
    if any(not cells_.whole(cell) for cell in numbers):
        return True
    if not numbers or len(numbers) < sum(bool(cell.strip()) for cell in first):
        return False
    in_order = [cell.strip() for cell in first if cell.strip()] == [str(place) for place in range(len(numbers))]
    return not (in_order and any(not cells_.whole(cell) for cell in second))


def _columns(rows: Rows, *, lenient: int) -> dict[str, Values]:
    """The cells as numbers where a column holds some; rows with a fault are left out of all columns."""
    bad: dict[int, Fault] = {}
    found: dict[str, Values | None] = {}
    for name, column in zip(rows.names, rows.columns, strict=True):
        found[name] = column.values()
        if found[name] is None:
            faults = {} if lenient == GAPS else cells_.faulty(name, column, rows.lines)
            bad = {**faults, **bad}
            found[name] = None if faults else list(column)
    if bad and not lenient:
        raise cells_.first(bad)
    rows.faults.extend(bad.values())
    rows.faults.sort(key=lambda fault: fault.line)
    if len(bad) == len(rows.lines):
        raise Refused("E109", f"No row is left: {rows.faults[0].reason} (line {rows.faults[0].line}).")
    columns = zip(found.items(), rows.columns, strict=True)
    return {name: _kept(column, values, bad) for (name, values), column in columns}


def _kept(column: Cells, values: Values | None, bad: dict[int, Fault]) -> Values:
    """A column without the rows that have a fault; its values are None if some of its own cells are faults."""
    if values is None:
        return cells_.convert([cell for row, cell in enumerate(column) if row not in bad])
    if not bad:
        return values
    if isinstance(values, list):
        return [cell for row, cell in enumerate(values) if row not in bad]
    return np.delete(values, list(bad))
