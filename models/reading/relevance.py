"""Queries, documents, and which documents are relevant to which query: embeddings and judgements of a user."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.reading import arrays
from models.reading.arrays import notes_of
from models.reading.child import Answer, ask, source
from models.reading.refused import MOST_VALUE, PAGE, Limits, Note, Refused, counted, shown

ACCEPTED = arrays.ACCEPTED
JUDGEMENTS = (".csv", ".tsv", ".parquet", ".arrow", ".feather", ".npy")
_MEND = "Give --relevance FILE: a line of query, document and grade, or TREC's query 0 document grade."


@dataclass(frozen=True, eq=False)
class Judged:
    """Embeddings of queries and documents, and one row for each judgement of a document."""

    name: str
    queries: NDArray[np.float32]  # (n, d), finite
    documents: NDArray[np.float32]  # (m, d), finite
    query: NDArray[np.int64]  # (k,), row of the query
    document: NDArray[np.int64]  # (k,), row of the document
    grade: NDArray[np.float64]  # (k,), above 0: relevant
    query_ids: tuple[str, ...]  # (n,); empty: rows have no names
    document_ids: tuple[str, ...]  # (m,)
    notes: tuple[Note, ...]


@dataclass(frozen=True, eq=False)
class _Sides:
    """Names of the rows of both sides, empty where there are none, and how many rows there are."""

    ids: tuple[tuple[str, ...], tuple[str, ...]]
    rows: tuple[int, int]


def read_judged(
    path: Path, documents: Path | None = None, relevance: Path | None = None, *, limits: Limits = PAGE
) -> Judged:
    """Read both sides from one file or two; raises Refused (those of arrays, E158, E194, E195).

    documents: a file of their own; else both lie in one file, as arrays `queries` and `documents`.
    relevance: query, document and grade by line; else an array `relevance` of the first file says it. Rows are named by
    ids that stand beside the embeddings, or counted from 0 where there are none.
    """
    sources = [source(one, "", ACCEPTED, limits) for one in (path, documents) if one is not None]
    judged = None if relevance is None else source(relevance, "", JUDGEMENTS, limits)
    answer = ask("sides", sources, {}, limits)
    told = answer if judged is None else ask("sides", [judged], {"judged": True}, limits)
    values: dict[str, Any] = answer.columns
    if "query" not in told.columns:
        raise Refused("E194", f"Nothing in {shown(path.name)} says which documents are relevant. {_MEND}")
    ids = tuple(values.get("queries_ids", ())), tuple(values.get("documents_ids", ()))
    sides = _Sides(ids, (len(values["queries"]), len(values["documents"])))
    found = Judged(
        sources[0].name, values["queries"], values["documents"], *_places(told, sides), *ids, notes_of(answer)
    )
    return replace(found, notes=found.notes + _remarks(told, found))


def _places(told: Answer, sides: _Sides) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Rows of every judgement whose query and document are there, each pair once, and its grade."""
    columns: dict[str, Any] = told.columns
    rows = [_rows(columns[name], sides, side, name) for side, name in enumerate(("query", "document"))]
    there = (rows[0] >= 0) & (rows[1] >= 0)
    if not there.any():
        raise Refused("E195", _stranger(columns, rows, sides))
    query, document, grade = rows[0][there], rows[1][there], np.asarray(columns["grade"], np.float64)[there]
    key = query * sides.rows[1] + document
    _, first, again = np.unique(key, return_index=True, return_inverse=True)
    other = np.flatnonzero(grade != grade[first][again])
    if len(other):
        row = int(np.flatnonzero(there)[other[0]])
        names = " and ".join(f"'{shown(columns[name][row], MOST_VALUE)}'" for name in ("query", "document"))
        two = f"{grade[first][again][other[0]]:g} and {grade[other[0]]:g}"
        raise Refused("E195", f"Query and document {names} are judged twice: {two}. Keep one judgement.")
    if not (grade > 0).any():
        raise Refused("E195", "No document is relevant: every grade is 0 or below. A grade above 0 means relevant.")
    kept = np.sort(first)
    return query[kept], document[kept], grade[kept]


def _rows(named: list[str], sides: _Sides, side: int, word: str) -> NDArray[np.int64]:
    """Row of each name, -1 where there is none; names of rows without ids are whole numbers."""
    ids, count = sides.ids[side], sides.rows[side]
    if ids:
        places = {name: place for place, name in enumerate(ids)}
        return np.fromiter((places.get(name, -1) for name in named), np.int64, len(named))
    known: dict[str, int] = {}
    for name in dict.fromkeys(named):
        if not name.isdecimal():
            mend = f"np.savez(path, embeddings=x, ids=ids) names the rows; without, rows of a {word} count from 0."
            text = f"The {word} '{shown(name, MOST_VALUE)}' is no row number, and its embeddings have no ids."
            raise Refused("E158", f"{text} {mend}")
        known[name] = int(name) if int(name) < count else -1
    return np.fromiter((known[name] for name in named), np.int64, len(named))


def _stranger(columns: dict[str, Any], rows: list[NDArray[np.int64]], sides: _Sides) -> str:
    side = 0 if rows[0][0] < 0 else 1
    word = ("query", "document")[side]
    named, there = shown(columns[word][0], MOST_VALUE), sides.ids[side][:1]
    like = f", which are named like '{shown(there[0], MOST_VALUE)}'" if there else f" 0 to {sides.rows[side] - 1:,}"
    first = f"the first names {word} '{named}', which is none of the rows{like}"
    return f"No judgement fits: {first}. Do they belong together?"


def _remarks(told: Answer, found: Judged) -> tuple[Note, ...]:
    """W241: judgements of what is not there; W242: queries without a relevant document."""
    notes = []
    columns: dict[str, Any] = told.columns
    every = len(set(zip(columns["query"], columns["document"], strict=True)))
    gone = every - len(found.query)
    if gone:
        text = f"{counted(gone, 'judgement')} of {every:,} name a query or a document that is not there: left out."
        notes.append(Note("W241", text))
    without = len(found.queries) - len(np.unique(found.query[found.grade > 0]))
    if without:
        verb = "has" if without == 1 else "have"
        text = f"{without:,} of {len(found.queries):,} queries {verb} no relevant document: left out of retrieval."
        notes.append(Note("W242", text))
    return tuple(notes)
