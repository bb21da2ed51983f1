"""Retrieval of a checkpoint of queries and documents: each query against all documents, with intervals over queries."""

import numpy as np

from models.checkpoint.diagnosis import Metric
from models.checkpoint.material import Material
from models.checkpoint.sample import Sample, places
from models.diagnostics.items import unit_rows
from models.diagnostics.measured import Measured, resampled_mean
from models.diagnostics.retrieval import CUTS, DEPTH, Relevant, Retrieval, measured, ranks

MOST = 10_000  # queries
MOST_PRODUCTS = 2 * 10**11  # queries times documents times dimensions: ten seconds on two cores
_STREAM = 18
NAMES = (
    *((f"recall_at_{cut}_of_all", f"Recall@{cut}, of all documents") for cut in CUTS),
    ("mrr", "MRR"),
    ("map", "Mean average precision"),
    (f"ndcg_at_{DEPTH}", f"nDCG@{DEPTH}"),
)


def retrieval(material: Material, sample: Sample, exact: bool) -> tuple[Metric, ...]:
    """Recall at each cut, MRR, mean average precision and nDCG; nothing where there are no queries and documents.

    exact: ask all queries, as far as that is affordable; else only those of the sample.
    """
    if material.relevance is None:
        return ()
    asked = _asked(material, None if exact else sample.rows)
    if not len(asked):
        nan, why = Measured(float("nan")), "no document is relevant to a query"
        return tuple(Metric(key, name, nan, "", why) for key, name in NAMES)
    there = material.relevance
    place = places(asked, there.query)
    kept = place >= 0
    grade = np.ones(len(there.query)) if there.grade is None else there.grade
    relevant = Relevant(place[kept], there.document[kept], grade[kept])
    u, v = unit_rows(material.embeddings[asked]), unit_rows(there.documents)
    found = measured(ranks(u, v, relevant), relevant)
    every = len(np.unique(there.query))
    some = f"{len(asked):,} queries" if len(asked) == every else f"{len(asked):,} of {every:,} queries sampled"
    scope = f"{some}, each against all {len(v):,} documents"
    return tuple(Metric(key, name, value, scope) for (key, name), value in zip(NAMES, _means(found), strict=True))


def _asked(material: Material, among: np.ndarray | None) -> np.ndarray:
    """Queries that have a relevant document, rising; drawn, the same each time, where there are too many."""
    assert material.relevance is not None
    asked = np.unique(material.relevance.query)
    if among is not None:
        asked = np.intersect1d(asked, among)
    cost = len(material.relevance.documents) * material.dim
    most = min(MOST, max(MOST_PRODUCTS // max(cost, 1), 1))
    if len(asked) <= most:
        return asked
    return np.sort(np.random.default_rng(_STREAM).choice(asked, most, replace=False))


def _means(found: Retrieval) -> list[Measured]:
    columns = [*found.recall.T, found.reciprocal, found.precision, found.ndcg]
    return [resampled_mean(column) for column in columns]
