"""Cells of a table of text as numbers, and the rows whose cells are not what their column is."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.reading.refused import MOST_VALUE, Refused, counted, shown

_NAMES = {
    "label",
    "labels",
    "y",
    "target",
    "targets",
    "class",
    "classes",
    "name",
    "text",
    "id",
    "item",
    "group",
    "anchor",
}
_PADDED = re.compile(r"\s*[+-]?0\d")
_BLOCK = 4096  # rows
_BETWEEN = "\0"  # stands in no text that is read
Values = NDArray[Any] | list[str]


@dataclass(frozen=True)
class Fault:
    """One row that cannot be taken."""

    line: int
    code: str
    reason: str


class Cells:
    """One column as it is read; what is behind the last few rows is kept as one text a block, a tenth of the memory."""

    def __init__(self) -> None:
        self._blocks: list[str] = []
        self._open: list[str] = []

    def append(self, cell: str) -> None:
        """One row more."""
        self._open.append(cell)
        if len(self._open) == _BLOCK:
            self._close()

    def _close(self) -> None:
        if self._open:
            self._blocks.append(_BETWEEN.join(self._open))
            self._open = []

    def __iter__(self) -> Iterator[str]:
        self._close()
        return (cell for block in self._blocks for cell in block.split(_BETWEEN))

    def values(self) -> Values | None:
        """Numbers, or texts where a cell is a name made of digits; None if some cell is no number."""
        self._close()
        try:
            parts = [convert(block.split(_BETWEEN)) for block in self._blocks]
        except ValueError:
            return None
        numbers = [part for part in parts if not isinstance(part, list)]
        return np.concatenate(numbers) if len(numbers) == len(parts) else list(self)


def whole(cell: str) -> bool:
    """True for digits alone, with or without a sign."""
    return cell.strip().lstrip("+-").isdecimal()


def number(cell: str) -> float | None:
    """Its value, None if it is no number."""
    try:
        return None if "_" in cell else float(cell)
    except ValueError:
        return None


def first(bad: dict[int, Fault]) -> Refused:
    """The first fault as the error, and how many more of its kind there are."""
    row = min(bad)
    fault = bad[row]
    same = sum(other.code == fault.code for other in bad.values())
    if fault.code == "E133":
        verb = "is" if same == 1 else "are"
        return Refused("E133", f"Line {fault.line}, {fault.reason} {counted(same, 'row')} {verb} affected.")
    more = f" And {counted(same - 1, 'more row')}." if same > 1 else ""
    return Refused(fault.code, f"Line {fault.line}, {fault.reason}{more}")


def faulty(name: str, cells: Iterable[str], lines: list[int]) -> dict[int, Fault]:
    """Rows whose cell is no number, if the column is one of numbers; empty if it is one of texts."""
    wrong = {row: cell for row, cell in enumerate(cells) if number(cell) is None}
    empty = sum(not cell.strip() for cell in wrong.values())
    named = name.strip().lower() in _NAMES
    if named or (empty < len(lines) and 2 * (len(wrong) - empty) >= len(lines) - empty):
        return {}
    where = f"column '{shown(name, MOST_VALUE)}'"
    return {row: _fault(where, cell, lines[row]) for row, cell in wrong.items()}


def _fault(where: str, cell: str, line: int) -> Fault:
    if cell.strip():
        return Fault(line, "E132", f"{where}: '{shown(cell, MOST_VALUE)}' is not a number.")
    return Fault(line, "E133", f"{where} is empty.")


def convert(cells: list[str]) -> Values:
    """Whole numbers as int64, others as float64; raises ValueError at the first cell that is no number."""
    try:
        values = np.fromiter(map(int, cells), np.int64, len(cells))
    except (ValueError, OverflowError):
        return _floats(cells)
    if any("_" in cell for cell in cells):
        raise ValueError("1_0 is no number in a table")
    return cells if any(map(_PADDED.match, cells)) else values


def _floats(cells: list[str]) -> Values:
    values = np.fromiter(map(float, cells), np.float64, len(cells))
    if any("_" in cell for cell in cells):
        raise ValueError("1_0.0 is no number in a table")
    largest = np.abs(values, where=np.isfinite(values), out=np.zeros_like(values)).max(initial=0.0)
    if largest >= 2.0**53 and all(map(whole, cells)):
        return cells  # ids beyond what a number holds exactly stay text
    return values
