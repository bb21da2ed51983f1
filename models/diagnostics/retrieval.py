"""How well documents that are relevant stand at the top of each query's list; grades say how relevant they are.

Recall@k is the share of a query's relevant documents among its first k, MRR the mean of 1 / rank of the first relevant
one, average precision the mean over relevant documents of the precision at their rank, and
nDCG@k = sum_i g_i / log2(i + 1) over the first k, divided by its highest possible value, the gain g being the grade
itself (Järvelin and Kekäläinen 2002, as trec_eval counts it). Ties of scores go to the document that comes first.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

CUTS = (1, 10, 100)  # of recall
DEPTH = 10  # of nDCG
_BLOCK = 1 << 22  # scores held at once


@dataclass(frozen=True, eq=False)
class Retrieval:
    """Measures of each query that has a relevant document."""

    recall: Float[np.ndarray, "q cuts"]
    reciprocal: Float[np.ndarray, " q"]
    precision: Float[np.ndarray, " q"]  # average precision
    ndcg: Float[np.ndarray, " q"]


@dataclass(frozen=True, eq=False)
class Relevant:
    """Relevant documents by query: positions of both, and the grade above 0."""

    query: Int[np.ndarray, " k"]
    document: Int[np.ndarray, " k"]
    grade: Float[np.ndarray, " k"]


def ranks(
    queries: Float[np.ndarray, "q d"], documents: Float[np.ndarray, "m d"], relevant: Relevant
) -> Int[np.ndarray, " k"]:
    """Rank from 1 of each relevant document in its query's list of all documents by falling score.

    Memory is a block of scores, whatever the number of documents; rows are taken as they are, so give unit rows.
    """
    found = np.empty(len(relevant.query), np.int64)
    order = np.argsort(relevant.query, kind="stable")
    bounds = np.searchsorted(relevant.query[order], np.arange(len(queries) + 1))
    step = max(_BLOCK // max(len(documents), 1), 1)
    for start in range(0, len(queries), step):
        scores = queries[start : start + step] @ documents.T
        for place, row in enumerate(scores, start):
            for pair in order[bounds[place] : bounds[place + 1]].tolist():
                own = int(relevant.document[pair])
                before = np.count_nonzero(row[:own] == row[own])
                found[pair] = 1 + np.count_nonzero(row > row[own]) + before
    return found


def measured(rank: Int[np.ndarray, " k"], relevant: Relevant) -> Retrieval:
    """The measures of each query named in `relevant`, by rising query."""
    parts = np.split(
        np.argsort(relevant.query, kind="stable"), np.unique(np.sort(relevant.query), return_index=True)[1][1:]
    )
    rows = [_of_query(rank[part], relevant.grade[part]) for part in parts]
    table = np.asarray(rows, np.float64).reshape(len(rows), len(CUTS) + 3)
    return Retrieval(table[:, : len(CUTS)], *table[:, len(CUTS) :].T)


def _of_query(rank: Int[np.ndarray, " r"], grade: Float[np.ndarray, " r"]) -> list[float]:
    """Recall at each cut, reciprocal rank, average precision and nDCG of one query."""
    rising = np.sort(rank)
    recall = [float((rising <= cut).mean()) for cut in CUTS]
    precision = float((np.arange(1, len(rising) + 1) / rising).mean())
    best = np.sort(grade)[::-1][:DEPTH]
    ideal = float((best / np.log2(np.arange(2, len(best) + 2))).sum())
    near = rank <= DEPTH
    gained = float((grade[near] / np.log2(rank[near] + 1.0)).sum())
    return [*recall, 1.0 / float(rising[0]), precision, gained / ideal]
