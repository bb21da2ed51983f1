"""Files of a user as columns: the readers' tables and pictures, with the line of every row."""

from pathlib import Path

import numpy as np

from models.own_data.columns import Column, Columns, RefusedRow
from models.reading import images, table
from models.reading.refused import GAPS, PAGE, Limits

SUFFIXES = (*table.ACCEPTED, *images.ACCEPTED)
PICTURE, FOLDER = "picture", "folder"  # columns of a zip
_HEADLESS = "W212"  # the reader's note that a text has no header


def read(path: Path, name: str = "", limits: Limits = PAGE) -> tuple[Columns, tuple[str, ...]]:
    """Columns and notes of a file, which `name` stands for in messages; raises ValueError with code and remedy.

    A zip gives a column of pictures and one of the folders they lie in.
    """
    if (name or path.name).lower().endswith(images.ACCEPTED):
        found = images.read_images(path, name, folders=False, limits=limits)
        columns: dict[str, Column] = {PICTURE: found.pixels, FOLDER: found.classes}
        return Columns(columns, np.arange(len(found.classes))), ()
    read_in = table.read_table(path, name, lenient=GAPS, limits=limits)
    refused = tuple(RefusedRow(row.line, row.reason) for row in read_in.refused)
    columns = {key: _plain(column) for key, column in read_in.columns.items()}
    lines = _lines(columns, _first_line(read_in), [row.line for row in refused])
    return Columns(columns, lines, refused), tuple(map(str, read_in.notes))


def _plain(column: Column) -> Column:
    """Numbers as float64, vectors as float32 where that holds them, texts as they are."""
    if not isinstance(column, np.ndarray):
        return column
    return column.astype(np.float64) if column.ndim == 1 else column


def _first_line(read_in: table.Table) -> int:
    """Texts count lines from 1, and the header is one; everything else counts rows from 0."""
    if not read_in.name.lower().endswith((".csv", ".tsv")):
        return 0
    return 1 if any(note.code == _HEADLESS for note in read_in.notes) else 2


def _lines(columns: dict[str, Column], first: int, refused: list[int]) -> np.ndarray:
    """(n,) where each row begins: a row takes a line and one more for every line break in its texts."""
    rows = len(next(iter(columns.values())))
    long = np.ones(rows, np.int64)
    for column in columns.values():
        if not isinstance(column, np.ndarray):
            long += [cell.count("\n") for cell in column]
    lines = first + np.concatenate([[0], np.cumsum(long)[:-1]]).astype(np.int64)
    for line in sorted(refused):
        lines[lines >= line] += 1
    return lines
