"""Scores of pairs without embeddings, and pairs of rows of an embedding: tables whose columns have a role."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.reading.refused import MOST_VALUE, PAGE, Limits, Note, Refused, counted, listing, shown
from models.reading.table import Table, read_table

_SCORE = ("score", "scores", "similarity", "sim", "cosine")
_MATCH = (
    "is_match",
    "match",
    "is-match",
    "ismatch",
    "same",
    "positive",
    "is_positive",
    "relevant",
    "label",
    "y",
    "target",
)
_ANCHOR = ("anchor", "anchor_id", "query", "query_id")
_GROUP = ("group", "groups", "slice")
_TRUE = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False, "-1": False}


@dataclass(frozen=True, eq=False)
class ScoreTable:
    """Scores of pairs without the embeddings."""

    name: str
    score: NDArray[np.float64]  # (n,), finite
    is_match: NDArray[np.bool_]  # (n,)
    anchor: list[str] | None
    group: list[str] | None
    notes: tuple[Note, ...]


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of rows."""

    left: NDArray[np.int64]  # (k,)
    right: NDArray[np.int64]  # (k,)
    is_match: NDArray[np.bool_]  # (k,)


def is_scores(table: Table) -> bool:
    """True if a table has a column of scores, one that says which pairs match, and no numbers beside those."""
    names = {key.strip().lower(): column for key, column in table.columns.items()}
    roles = {*_SCORE, *_MATCH, *_ANCHOR, *_GROUP}
    others = [name for name, column in names.items() if name not in roles and not isinstance(column, list)]
    return bool(names.keys() & set(_SCORE)) and bool(names.keys() & set(_MATCH)) and not others


def read_scores(path: Path, name: str = "", *, limits: Limits = PAGE) -> ScoreTable:
    """Read a table of score and is-match, optionally anchor and group; raises Refused (E112, E191 to E193)."""
    return scores_of(read_table(path, name, limits=limits))


def scores_of(table: Table) -> ScoreTable:
    """The scores of a table; raises Refused."""
    key, match = _column(table, _SCORE), _column(table, _MATCH)
    if key is None or match is None:
        lacks = "scores (call it 'score')" if key is None else "matches (call it 'is_match')"
        raise Refused("E191", f"No column of {lacks}; found: {listing(list(table.columns))}.")
    score = table.columns[key]
    if isinstance(score, list) or score.ndim != 1:
        raise Refused("E192", f"Column '{shown(key, MOST_VALUE)}' is not one number a row.")
    values = score.astype(np.float64)
    wrong = np.flatnonzero(~np.isfinite(values))
    if wrong.size:
        verb = "is" if wrong.size == 1 else "are"
        text = f"{counted(int(wrong.size), 'score')} {verb} NaN or infinite; the first is at row {wrong[0]}."
        raise Refused("E112", f"{text} Drop or fill them.")
    return ScoreTable(
        table.name, values, _matches(table, match), _texts(table, _ANCHOR), _texts(table, _GROUP), table.notes
    )


def _column(table: Table, names: tuple[str, ...]) -> str | None:
    lower = {key.strip().lower(): key for key in table.columns}
    return next((lower[name] for name in names if name in lower), None)


def _texts(table: Table, names: tuple[str, ...]) -> list[str] | None:
    key = _column(table, names)
    if key is None:
        return None
    column = table.columns[key]
    return column if isinstance(column, list) else [str(value) for value in column.tolist()]


def _matches(table: Table, key: str) -> NDArray[np.bool_]:
    column = table.columns[key]
    cells = (
        column
        if isinstance(column, list)
        else [f"{value:g}" for value in column.reshape(len(column), -1)[:, 0].tolist()]
    )
    found = [_TRUE.get(cell.strip().lower()) for cell in cells]
    if None in found:
        row = found.index(None)
        cell = shown(cells[row], MOST_VALUE)
        raise Refused(
            "E193", f"Column '{shown(key, MOST_VALUE)}', row {row} is '{cell}'; 1 or 0, true or false is needed."
        )
    return np.array(found, bool)


def read_pairs(path: Path, rows: int, name: str = "", *, limits: Limits = PAGE) -> Pairs:
    """Row numbers from 0, and whether each pair matches (all do if no column says so); raises Refused (E158, E193)."""
    table = read_table(path, name, limits=limits)
    match = _column(table, _MATCH)
    keys = [key for key in table.columns if key != match][:2]
    if len(table.columns) == 3 and match is None:
        match = list(table.columns)[2]
    if len(keys) < 2:
        raise Refused("E158", f"Pairs need two columns of row numbers; found: {listing(list(table.columns))}.")
    left, right = (_row_numbers(table, key, rows) for key in keys)
    is_match = np.ones(len(left), bool) if match is None else _matches(table, match)
    return Pairs(left, right, is_match)


def _row_numbers(table: Table, key: str, rows: int) -> NDArray[np.int64]:
    column = table.columns[key]
    where = f"Column '{shown(key, MOST_VALUE)}'"
    if isinstance(column, list) or column.ndim != 1 or column.dtype.kind not in "iu":
        raise Refused("E158", f"{where} does not hold whole numbers; the rows of a pair are counted from 0.")
    wrong = np.flatnonzero((column < 0) | (column >= rows))
    if wrong.size:
        text = f"{where}, row {wrong[0]} is {column[wrong[0]]}; rows are counted from 0 to {rows - 1:,}."
        raise Refused("E158", f"{text} Do pairs and embeddings belong together?")
    return column.astype(np.int64)
