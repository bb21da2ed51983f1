"""Columns of a user's file as the roles are given to them, whatever kind of file they came from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

NUMBER, TEXT, VECTOR, IMAGE = "number", "text", "vector", "image"
KINDS = (NUMBER, TEXT, VECTOR, IMAGE)
_NOTHING = frozenset({"", "nan"})  # what no label can be called
MISSING = frozenset(
    {"", "na", "n/a", "nan", "null", "none", "?"}
)  # cells of a column of numbers that say that nothing is there
Column = np.ndarray | Sequence[str]


@dataclass(frozen=True)
class RefusedRow:
    """A row of the file that is not trained on, and why; line as the user counts it."""

    line: int
    reason: str


@dataclass(frozen=True, eq=False)
class Columns:
    """Columns of equal length by name, in the order of the file.

    (n,) float64 numbers with nan where a cell is empty, n texts, (n, d) vectors, or (n, h, w[, 3]) pictures of uint8.
    """

    values: Mapping[str, Column]
    lines: np.ndarray  # (n,) where each row stands in the file
    refused: tuple[RefusedRow, ...] = ()  # rows that the reader left out
    _numbers: dict[str, np.ndarray] = field(default_factory=dict, init=False)  # texts take a second a million to read

    def __len__(self) -> int:
        """Rows."""
        return len(self.lines)

    @property
    def names(self) -> tuple[str, ...]:
        """Names in the order of the file."""
        return tuple(self.values)

    @cached_property
    def kinds(self) -> dict[str, str]:
        """Kind of every column."""
        return {name: kind_of(column) for name, column in self.values.items()}

    def numbers(self, name: str) -> np.ndarray:
        """A column as (n,) float64, nan where a cell holds no number."""
        if name not in self._numbers:
            self._numbers[name] = as_numbers(self.values[name])
        return self._numbers[name]

    def different(self, name: str) -> tuple[int, int]:
        """How many cells of a column of numbers or texts hold something, and how many different things."""
        if self.kinds[name] == NUMBER:
            values = self.numbers(name)
            values = values[~np.isnan(values)]
            return len(values), len(np.unique(values))
        words = [word for word in self.words(name) if word]
        return len(words), len(set(words))

    def words(self, name: str) -> list[str]:
        """A column of numbers or texts as n texts without blanks around them; empty where nothing is there."""
        column = self.values[name]
        if isinstance(column, np.ndarray) and column.dtype.kind in "fiub":
            return [number_word(value) for value in column.tolist()]
        texts = [str(cell).strip() for cell in column]
        return ["" if text.lower() in _NOTHING else text for text in texts]


def kind_of(column: Column) -> str:
    """One of KINDS, by type and shape alone."""
    if not isinstance(column, np.ndarray) or column.dtype.kind == "U":
        return TEXT
    return {1: NUMBER, 2: VECTOR}.get(column.ndim, IMAGE)


def is_missing(cell: str) -> bool:
    """True for an empty cell and for the usual words for one."""
    return str(cell).strip().lower() in MISSING


def number_word(value: float) -> str:
    """A whole number without its point, so that class 1.0 is called 1; empty for nan."""
    if value != value:
        return ""
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def as_numbers(column: Column) -> np.ndarray:
    """(n,) float64, nan where a cell holds no number."""
    if isinstance(column, np.ndarray) and column.dtype.kind != "U":
        return np.asarray(column, np.float64)
    return np.array([_number(cell) for cell in column], np.float64)


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return float("nan")
