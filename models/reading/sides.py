"""In the reading process: embeddings of queries and of documents, their ids, and judgements of relevance."""

import csv
import re
from collections.abc import Iterator
from itertools import islice
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from models.reading import columns, matrices, values
from models.reading.cells import number
from models.reading.refused import MOST_VALUE, Limits, Notes, Refused, check_rows, check_shape, counted, listing, shown
from models.reading.refused import told as shaped
from models.reading.utf8 import checked_lines

QUERIES = ("queries", "query_embeddings", "queries_embeddings", "query", "q", "questions")
DOCUMENTS = (
    "documents", "document_embeddings", "documents_embeddings", "docs", "doc_embeddings", "document", "corpus",
    "corpus_embeddings", "passages", "passage_embeddings",
)  # fmt: skip
JUDGED = ("relevance", "qrels", "relevant", "judgements", "judgments")
_IDS = ("id", "ids", "_id", "item", "name")
_QUERY_IDS = ("query_ids", "query_id", "query-id", "queries_ids", "qid", "qids")
_DOCUMENT_IDS = (
    "document_ids", "document_id", "doc_ids", "doc_id", "docid", "corpus_ids", "corpus_id", "corpus-id", "pid",
    "passage_id", "passage_ids",
)  # fmt: skip
_GRADE = ("grade", "score", "relevance", "rel", "label", "relevant", "judgement")
_WORDS = {"query": (*_QUERY_IDS, "query", "q", "topic"), "document": (*_DOCUMENT_IDS, "document", "doc", "passage")}
_FORMS = "query, document and grade, or TREC's query 0 document grade"
_HOLDERS = (".npz", ".safetensors", ".h5")  # of several arrays
Found = dict[str, matrices.Values]


def warm(options: dict[str, Any]) -> None:
    """Load what reads these kinds before the limits are set."""
    for one in options["sources"]:
        matrices.warm({"sources": [one]})


def task(files: list[IO[bytes]], options: dict[str, Any], limits: Limits) -> tuple[dict[str, Any], dict[str, Any]]:
    """Both sides from one file or two, and judgements where the first file holds some; or one file of judgements."""
    notes = Notes()
    if options.get("judged"):
        name, kind, length = options["sources"][0]
        every = _judgements(files[0], kind, name, length, limits)
        return {"notes": []}, every
    sources = [tuple(one) for one in options["sources"]]
    found = [_all(file, one, limits, notes) for file, one in zip(files, sources, strict=True)]
    names = [_named(_matrices(found[0]), QUERIES), _named(_matrices(found[-1]), DOCUMENTS)]
    if len(found) == 1:
        _check_both(found[0], names, sources[0][0])
    answer: dict[str, Any] = {}
    for side, there, key, own in zip(
        ("queries", "documents"), (found[0], found[-1]), names, (_QUERY_IDS, _DOCUMENT_IDS), strict=True
    ):
        answer[side] = _matrix(there, key, side, limits, notes)
        ids = _ids(there, own, len(answer[side]), side, single=len(found) == 2)
        if ids is not None:
            answer[f"{side}_ids"] = ids
    _check_dimensions(answer)
    judged = _named(found[0], JUDGED)
    if judged and sources[0][1] in _HOLDERS:
        answer |= _columns_of(judged, found[0][judged])
    return {"notes": [[note.code, note.text] for note in notes.found]}, answer


def _matrices(found: Found) -> Found:
    return {key: array for key, array in found.items() if not isinstance(array, list) and array.ndim > 1}


def _all(file: IO[bytes], source: tuple[Any, ...], limits: Limits, notes: Notes) -> Found:
    name, kind, length = source
    if kind == ".npy":
        return {"": matrices.whole(file, name, length)}
    return matrices.candidates(file, kind, name, length, limits, notes)


def _named(found: Found, names: tuple[str, ...]) -> str:
    """The key of the array that has one of the names; empty if none has."""
    lower = {key.rpartition("/")[2].strip().lower(): key for key in found}
    return next((lower[name] for name in names if name in lower), "")


def _check_both(found: Found, names: list[str], name: str) -> None:
    if all(names):
        return
    there = [f"{shown(key, MOST_VALUE)} {shaped(np.shape(array))}" for key, array in found.items()]
    lacks = " nor ".join(f"'{word}'" for word, key in zip(("queries", "documents"), names, strict=True) if not key)
    mend = f"Name them so: np.savez('{shown(name)}', queries=q, documents=d), or give --documents FILE."
    raise Refused("E194", f"{shown(name)} has no array {lacks}; found: {listing(there)}. {mend}")


def _matrix(found: Found, key: str, side: str, limits: Limits, notes: Notes) -> NDArray[np.float32]:
    """One side as float32; what is said of it begins with the side."""
    try:
        array = matrices.chosen(found, key)[1]
        if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
            columns.plain(np.empty((0, 0), array.dtype))
        check_shape(array.shape, limits)
        z = values.from_array(array, None)
        values.check_finite(z, half=array.dtype == np.float16, drop=False)
    except Refused as refused:
        raise Refused(refused.code, f"{side.capitalize()}: {refused.text}") from None
    mine = Notes()
    values.remark(z, mine)
    for note in mine.found:
        notes.add(note.code, f"{side.capitalize()}: {note.text}")
    return z


def _ids(found: Found, own: tuple[str, ...], rows: int, side: str, *, single: bool) -> list[str] | None:
    """Names of the rows; of a file that holds one side alone, any column of ids."""
    key = _named(found, (*own, *_IDS) if single else own)
    if not key:
        return None
    column = found[key]
    if not isinstance(column, list) and column.ndim != 1:
        raise Refused("E153", f"'{shown(key, MOST_VALUE)}' has shape {shaped(column.shape)}: one id a row is needed.")
    ids = column if isinstance(column, list) else [_id(value) for value in column.tolist()]
    if len(ids) != rows:
        raise Refused("E151", f"{counted(len(ids), 'id')} for {counted(rows, 'row')} of {side}. One a row is needed.")
    if len(set(ids)) < rows:
        twice = next(one for place, one in enumerate(ids) if one in ids[:place]) if rows < 10_000 else "one of them"
        raise Refused("E195", f"Two rows of {side} have the id '{shown(twice, MOST_VALUE)}'. Ids must differ.")
    return ids


def _id(value: float) -> str:
    """A number as a judgement names it: 17 and not 17.0."""
    return str(int(value)) if float(value).is_integer() else str(value)


def _check_dimensions(answer: dict[str, Any]) -> None:
    q, d = answer["queries"].shape, answer["documents"].shape
    if q[1] != d[1]:
        text = f"Queries have {q[1]:,} dimensions, documents {d[1]:,}."
        raise Refused("E174", f"{text} Both must come from one model, or from two with one space of embeddings.")


def _columns_of(key: str, array: matrices.Values) -> dict[str, Any]:
    """Judgements as an array (k, 2) or (k, 3) of row numbers and grades."""
    where = f"Array '{shown(key, MOST_VALUE)}'"
    if isinstance(array, list) or array.ndim != 2 or array.shape[1] not in (2, 3):
        shape = f"{len(array)} texts" if isinstance(array, list) else f"shape {shaped(array.shape)}"
        raise Refused("E195", f"{where} has {shape}: rows of (query, document) or (query, document, grade) are needed.")
    table = array.astype(np.float64)
    grade = table[:, 2] if array.shape[1] == 3 else np.ones(len(table))
    wrong = np.flatnonzero(~np.isfinite(table).all(axis=1) | (table[:, :2] != np.round(table[:, :2])).any(axis=1))
    if len(wrong):
        mend = "Whole numbers that count rows from 0, and a grade, are needed."
        raise Refused("E195", f"{where}, row {wrong[0]} names no rows. {mend}")
    query, document = ([str(int(value)) for value in table[:, place].tolist()] for place in (0, 1))
    return {"query": query, "document": document, "grade": grade}


def _judgements(file: IO[bytes], kind: str, name: str, length: int, limits: Limits) -> dict[str, Any]:
    """query, document (texts) and grade of every line or row."""
    if kind in (".csv", ".tsv"):
        return _of_text(file, limits)
    if kind in (".parquet", ".arrow", ".feather"):
        return _of_table(columns.read(file, kind, name, limits, Notes(), lenient=False)[0])
    return _columns_of("relevance", matrices.whole(file, name, length))


def _of_table(table: Found) -> dict[str, Any]:
    keys = [_named(table, _WORDS["query"]), _named(table, _WORDS["document"]), _named(table, _GRADE)]
    if not keys[0] or not keys[1]:
        raise Refused("E195", f"Columns of {_FORMS} are needed; found: {listing(list(table))}. Call them so.")
    grade = table[keys[2]] if keys[2] else np.ones(len(table[keys[0]]))
    if isinstance(grade, list) or grade.ndim != 1 or not np.isfinite(grade.astype(np.float64)).all():
        raise Refused("E195", f"Column '{shown(keys[2], MOST_VALUE)}' is not one finite number a row.")
    texts = []
    for key in keys[:2]:
        column = table[key]
        texts.append(column if isinstance(column, list) else [_id(value) for value in column.tolist()])
    return {"query": texts[0], "document": texts[1], "grade": grade.astype(np.float64)}


def _of_text(file: IO[bytes], limits: Limits) -> dict[str, Any]:
    """A line a judgement; with a header or without, by tabs, commas or spaces."""
    file.seek(0)
    lines = (line.rstrip("\r\n") for line in checked_lines(file))
    first = list(islice(lines, 1))
    if not first or not first[0].strip():
        raise Refused("E109", f"There is no judgement on line 1. A line of {_FORMS} is needed.")
    mark = "\t" if "\t" in first[0] else "," if "," in first[0] else ""
    head = _cells(first[0], mark, 1)
    order = _order(head)
    query, document, grade = list[str](), list[str](), list[float]()
    for line, cells in _records(first, lines, mark, skip=not _is_judgement(head, order)):
        if len(cells) != len(head):
            raise Refused("E131", f"Line {line} has {counted(len(cells), 'cell')}, the first {len(head)}.")
        query.append(cells[order[0]])
        document.append(cells[order[1]])
        grade.append(_grade(cells[order[2]], line) if order[2] >= 0 else 1.0)
        check_rows(len(query), limits)
    if not query:
        raise Refused("E109", "There is a header but no judgement.")
    return {"query": query, "document": document, "grade": np.asarray(grade)}


def _records(first: list[str], rest: Iterator[str], mark: str, *, skip: bool) -> Iterator[tuple[int, list[str]]]:
    """Number and cells of every line that is not blank, the header left out."""
    if not skip:
        yield 1, _cells(first[0], mark, 1)
    for line, text in enumerate(rest, 2):
        if text.strip():
            yield line, _cells(text, mark, line)


def _cells(text: str, mark: str, line: int) -> list[str]:
    if not mark:
        return re.split(r"\s+", text.strip())
    try:
        return [cell.strip() for cell in next(csv.reader([text], delimiter=mark, strict=True))]
    except (csv.Error, StopIteration):
        raise Refused("E136", f"A quote opened on line {line} is never closed.") from None


def _order(head: list[str]) -> tuple[int, int, int]:
    """Places of query, document and grade; -1 for a grade that is not there."""
    lower = [cell.lower() for cell in head]
    named = [next((k for k, cell in enumerate(lower) if cell in words), -1) for words in _WORDS.values()]
    if min(named) >= 0:
        return named[0], named[1], next((k for k, cell in enumerate(lower) if cell in _GRADE), -1)
    places = {2: (0, 1, -1), 3: (0, 1, 2), 4: (0, 2, 3)}.get(len(head))
    if places is None:
        raise Refused("E195", f"Line 1 has {counted(len(head), 'cell')}: {_FORMS} is needed.")
    return places


def _is_judgement(head: list[str], order: tuple[int, int, int]) -> bool:
    """False for a header: its grade is no number, or its cells are the names of columns."""
    if order[2] >= 0:
        return number(head[order[2]]) is not None
    return head[order[0]].lower() not in _WORDS["query"]


def _grade(cell: str, line: int) -> float:
    value = number(cell)
    if value is None or not np.isfinite(value):
        raise Refused("E195", f"Line {line}: the grade '{shown(cell, MOST_VALUE)}' is no number. 0 is not relevant.")
    return value
