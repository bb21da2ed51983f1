"""Queries, documents and judgements: every form is read alike, and what is wrong is told by line, row or name."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pyarrow.feather as feather
import pytest
from safetensors.numpy import save_file

from models.reading import relevance
from models.reading.child import Answer, Source
from models.reading.doors import Request, bring
from models.reading.refused import Limits, Refused
from models.reading.relevance import JUDGEMENTS
from tests.reading.helpers import inside, made, npy, npz

RNG = np.random.default_rng(2)
Q, D = RNG.normal(size=(4, 6)).astype(np.float32), RNG.normal(size=(9, 6)).astype(np.float32)
QIDS, DIDS = [f"q{k}" for k in range(4)], [f"d{k}" for k in range(9)]
EXPECTED = [(0, 1, 2.0), (0, 3, 0.0), (2, 8, 1.0)]
ROWS = [(f"q{a}", f"d{b}", f"{g:g}") for a, b, g in EXPECTED]
TEXTS = {
    "headed.tsv": "query-id\tcorpus-id\tscore\n" + "".join("\t".join(row) + "\n" for row in ROWS),
    "bare.tsv": "".join("\t".join(row) + "\n" for row in ROWS),
    "turned.csv": "doc,grade,query\n" + "".join(f'"{d}",{g},{q}\n' for q, d, g in ROWS),
    "trec.qrels": "".join(f"{q} 0 {d} {g}\n" for q, d, g in ROWS),
    "trec.txt": "".join(f"{q}\t0\t{d}\t{g}\n" for q, d, g in ROWS),
    "marked.csv": "\ufeff" + "".join(f"{q},{d},{g}\r\n" for q, d, g in ROWS),
}


def judged(path: Path) -> list[tuple[str, str, float]]:
    columns = inside("sides", [path], JUDGEMENTS, {"judged": True})[1]
    return list(zip(columns["query"], columns["document"], columns["grade"].tolist(), strict=True))


@pytest.mark.parametrize("name", TEXTS)
def test_every_text_says_the_same(tmp_path: Path, name: str) -> None:
    expected = [(f"q{a}", f"d{b}", g) for a, b, g in EXPECTED]
    assert judged(made(tmp_path, name, TEXTS[name])) == expected


def test_tables_say_the_same(tmp_path: Path) -> None:
    frame = pd.DataFrame(EXPECTED, columns=["query_id", "doc_id", "relevance"])
    frame.to_parquet(tmp_path / "a.parquet")
    feather.write_feather(frame, tmp_path / "a.feather")
    expected = [(str(a), str(b), g) for a, b, g in EXPECTED]
    assert judged(tmp_path / "a.parquet") == expected
    assert judged(tmp_path / "a.feather") == expected
    assert judged(made(tmp_path, "a.npy", npy(np.asarray(EXPECTED)))) == expected


def test_two_columns_are_all_relevant(tmp_path: Path) -> None:
    assert judged(made(tmp_path, "a.csv", "0,1\n2,8\n")) == [("0", "1", 1.0), ("2", "8", 1.0)]
    assert judged(made(tmp_path, "a.csv", "query,doc\n0,1\n")) == [("0", "1", 1.0)]


def _one_npz(folder: Path) -> list[Path]:
    return [made(folder, "a.npz", npz(queries=Q, documents=D, query_ids=np.array(QIDS), doc_ids=np.array(DIDS)))]


def _one_h5(folder: Path) -> list[Path]:
    with h5py.File(folder / "a.h5", "w") as file:
        file["queries"], file["corpus"] = Q.astype(np.float16).astype(np.float32), D
        file["query_ids"], file["corpus_ids"] = QIDS, DIDS
    return [folder / "a.h5"]


def _two_tables(folder: Path) -> list[Path]:
    for name, z, ids in (("q", Q, QIDS), ("d", D, DIDS)):
        pd.DataFrame({"id": ids, "vector": list(z)}).to_parquet(folder / f"{name}.parquet")
    return [folder / "q.parquet", folder / "d.parquet"]


def _two_csv(folder: Path) -> list[Path]:
    for name, z, ids in (("q", Q, QIDS), ("d", D, DIDS)):
        pd.DataFrame(z, columns=[f"e{k}" for k in range(6)]).assign(id=ids).to_csv(folder / f"{name}.csv", index=False)
    return [folder / "q.csv", folder / "d.csv"]


@pytest.mark.parametrize("make", [_one_npz, _one_h5, _two_tables, _two_csv])
def test_sides_and_their_ids(tmp_path: Path, make: Any) -> None:
    answer = inside("sides", make(tmp_path), (".npz", ".h5", ".parquet", ".csv"))[1]
    np.testing.assert_allclose(answer["queries"], Q, atol=2e-3)
    np.testing.assert_allclose(answer["documents"], D, rtol=1e-6)
    assert (answer["queries_ids"], answer["documents_ids"]) == (QIDS, DIDS)


def test_bring_from_the_process(tmp_path: Path) -> None:
    found = bring(Request(_one_npz(tmp_path)[0], relevance=made(tmp_path, "r.tsv", TEXTS["bare.tsv"] + "q1\tdx\t1\n")))
    assert found.door == "relevance"
    assert found.judged is not None
    there = list(zip(found.judged.query, found.judged.document, found.judged.grade, strict=True))
    assert there == EXPECTED
    assert [note.code for note in found.notes] == ["W241", "W242"]
    assert "1 judgement of 4 name a query or a document that is not there" in found.notes[0].text
    assert "2 of 4 queries have no relevant document" in found.notes[1].text


def test_rows_without_ids_are_counted_and_judgements_may_lie_beside(tmp_path: Path) -> None:
    save_file({"queries": Q, "documents": D, "relevance": np.asarray(EXPECTED)}, tmp_path / "a.safetensors")
    found = bring(Request(tmp_path / "a.safetensors", "relevance")).judged
    assert found is not None
    assert list(zip(found.query, found.document, found.grade, strict=True)) == EXPECTED
    two = bring(
        Request(
            made(tmp_path, "q.npy", npy(Q)),
            documents=made(tmp_path, "d.npy", npy(D.astype(np.float64))),
            relevance=made(tmp_path, "r.csv", "0,1,2\n0,3,0\n2,8,1\n"),
        )
    ).judged
    assert two is not None
    np.testing.assert_array_equal(two.documents, D)
    assert list(zip(two.query, two.document, two.grade, strict=True)) == EXPECTED


def _files(folder: Path) -> dict[str, Path]:
    ids = {"query_ids": np.array(QIDS), "document_ids": np.array(DIDS)}
    return {
        "named": made(folder, "named.npz", npz(queries=Q, documents=D, **ids)),
        "plain": made(folder, "plain.npz", npz(queries=Q, documents=D)),
        "one": made(folder, "one.npz", npz(queries=Q, x=D)),
        "narrow": made(folder, "narrow.npz", npz(queries=Q, documents=D[:, :4])),
        "nan": made(folder, "nan.npz", npz(queries=Q, documents=np.where(D > 1, np.nan, D))),
        "few": made(folder, "few.npz", npz(queries=Q, documents=D, query_ids=np.array(QIDS[:3]))),
        "twice": made(folder, "twice.npz", npz(queries=Q, documents=D, query_ids=np.array(["a", "b", "a", "c"]))),
        "wide": made(folder, "wide.npz", npz(queries=Q, documents=D, relevance=np.zeros((3, 5)))),
        "half": made(folder, "half.npz", npz(queries=Q, documents=D, relevance=np.array([[0, 1], [0.5, 1]]))),
    }


BAD: list[tuple[str, str | None, str]] = [
    ("plain", None, "E194 Nothing in plain.npz says which documents are relevant. Give --relevance FILE: a line of"),
    (
        "one",
        "0,1,1\n",
        "E194 one.npz has no array 'documents'; found: queries (4, 6), x (9, 6). Name them so: np.savez(",
    ),
    ("narrow", "0,1,1\n", "E174 Queries have 6 dimensions, documents 4. Both must come from one model"),
    ("nan", "0,1,1\n", "E112 Documents: "),
    ("few", "q0,1,1\n", "E151 3 ids for 4 rows of queries."),
    ("twice", "a,1,1\n", "E195 Two rows of queries have the id 'a'. Ids must differ."),
    ("wide", None, "E195 Array 'relevance' has shape (3, 5): rows of (query, document) or (query, document, grade)"),
    ("half", None, "E195 Array 'relevance', row 1 names no rows. Whole numbers that count rows from 0"),
    ("named", "q0,d1,much\nq0,d2,1\nq1,d1,lots\n", "E195 Line 3: the grade 'lots' is no number. 0 is not relevant."),
    ("named", "q0,d1,inf\n", "E195 Line 1: the grade 'inf' is no number."),
    ("named", "q0,d1,1\nq0,d2\n", "E131 Line 2 has 2 cells, the first 3."),
    ("named", "q0\n", "E195 Line 1 has 1 cell: query, document and grade, or TREC's query 0 document grade is needed."),
    ("named", "query,doc,grade\n", "E109 There is a header but no judgement."),
    ("named", "\n", "E109 There is no judgement on line 1."),
    ("named", 'q0,"d1,1\n', "E136 A quote opened on line 1 is never closed."),
    (
        "named",
        "x0,d1,1\n",
        "E195 No judgement fits: the first names query 'x0', which is none of the rows, which are named",
    ),
    ("named", "q0,d1,1\nq0,d1,0\n", "E195 Query and document 'q0' and 'd1' are judged twice: 1 and 0. Keep one"),
    ("named", "q0,d1,0\n", "E195 No document is relevant: every grade is 0 or below."),
    ("plain", "q0,1,1\n", "E158 The query 'q0' is no row number, and its embeddings have no ids. np.savez(path"),
    ("plain", "9,1,1\n", "E195 No judgement fits: the first names query '9', which is none of the rows 0 to 3."),
]


@pytest.mark.parametrize(("name", "text", "begins"), BAD, ids=[f"{one[0]}-{n}" for n, one in enumerate(BAD)])
def test_what_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str | None, begins: str
) -> None:
    """Without a process of its own for each row, which would take half a second."""

    def here(task: str, sources: list[Source], options: dict[str, Any], limits: Limits) -> Answer:
        return Answer(*inside(task, [one.path for one in sources], tuple(one.kind for one in sources), options, limits))

    monkeypatch.setattr(relevance, "ask", here)
    judged_file = None if text is None else made(tmp_path, "r.csv", text)
    with pytest.raises(Refused) as caught:
        bring(Request(_files(tmp_path)[name], "relevance", relevance=judged_file))
    assert str(caught.value).startswith(begins)
    assert str(tmp_path) not in str(caught.value)
