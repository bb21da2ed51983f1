"""A table of a user: csv, tsv, parquet, Arrow, Feather or npz, as columns by name."""

from dataclasses import dataclass, field
from pathlib import Path

from models.reading.child import ask, source
from models.reading.refused import PAGE, Limits, Note
from models.reading.wire import Values

ACCEPTED = (".csv", ".tsv", ".parquet", ".arrow", ".feather", ".npz")


@dataclass(frozen=True)
class RefusedRow:
    """A row left out, and why."""

    line: int  # of a text from 1; of any other file the row, from 0
    reason: str


@dataclass(frozen=True, eq=False)
class Table:
    """Columns of one length: numbers (n,), texts as a list of n, lists of numbers as a matrix (n, d)."""

    name: str
    columns: dict[str, Values]
    refused: tuple[RefusedRow, ...] = ()
    notes: tuple[Note, ...] = field(default=())

    def __len__(self) -> int:
        """Rows."""
        return len(next(iter(self.columns.values())))


def read_table(path: Path, name: str = "", *, lenient: int = False, peek: int = 0, limits: Limits = PAGE) -> Table:
    """Read a file in a limited process; `name` stands for the path's in messages and says the kind.

    The first fault is the error, Refused; with `lenient` rows of a csv, tsv, parquet or Arrow file that are uneven,
    lack a value or hold text among numbers are left out instead and listed in `refused`. With GAPS only uneven rows
    are: a column of numbers with other cells comes as texts, and a null as nan or an empty text.
    peek: of a file too large to be read at once, so many rows from its beginning; 0 for all.
    """
    checked = source(path, name, ACCEPTED, limits)
    answer = ask("table", [checked], {"lenient": int(lenient), "peek": peek}, limits)
    refused = tuple(RefusedRow(int(line), str(reason)) for line, reason in answer.told["refused"])
    notes = tuple(Note(str(code), str(text)) for code, text in answer.told["notes"])
    return Table(checked.name, answer.columns, refused, notes)
