"""Retrieval measures against plain loops over sorted lists, scikit-learn, and numbers counted by hand."""

import math

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, ndcg_score

from models.diagnostics.retrieval import CUTS, Relevant, measured, ranks

RNG = np.random.default_rng(4)
QUERIES = RNG.normal(size=(7, 5)).astype(np.float32)
DOCUMENTS = RNG.normal(size=(60, 5)).astype(np.float32)
GRADES = np.where(RNG.random((7, 60)) < 0.1, RNG.integers(1, 4, (7, 60)), 0)
GRADES[:, 0] = 1  # each query has a relevant document
FOUND = Relevant(*np.nonzero(GRADES), GRADES[np.nonzero(GRADES)].astype(np.float64))


def test_ranks_are_places_in_the_sorted_list() -> None:
    scores = QUERIES @ DOCUMENTS.T
    for query, document, rank in zip(FOUND.query, FOUND.document, ranks(QUERIES, DOCUMENTS, FOUND), strict=True):
        ordered = sorted(range(60), key=lambda d, q=query: (-float(scores[q, d]), d))
        assert rank == 1 + ordered.index(int(document))


def test_ties_go_to_the_document_that_comes_first() -> None:
    same = np.ones((5, 2), np.float32)
    relevant = Relevant(np.asarray([0, 0]), np.asarray([0, 3]), np.ones(2))
    assert ranks(same[:1], same, relevant).tolist() == [1, 4]


def test_measures_against_scikit_learn() -> None:
    found = measured(ranks(QUERIES, DOCUMENTS, FOUND), FOUND)
    scores = QUERIES @ DOCUMENTS.T
    assert found.ndcg.mean() == pytest.approx(ndcg_score(GRADES, scores, k=10), rel=1e-6)
    for query in range(7):
        expected = average_precision_score(GRADES[query] > 0, scores[query])
        assert found.precision[query] == pytest.approx(expected, rel=1e-6)
        top = np.argsort(-scores[query])
        for place, cut in enumerate(CUTS):
            hit = (GRADES[query, top[:cut]] > 0).sum() / (GRADES[query] > 0).sum()
            assert found.recall[query, place] == pytest.approx(hit)
        first = next(k for k, document in enumerate(top, 1) if GRADES[query, document])
        assert found.reciprocal[query] == pytest.approx(1 / first)


def test_one_query_by_hand() -> None:
    """Relevant at ranks 2 (grade 1) and 4 (grade 3)."""
    relevant = Relevant(np.asarray([0, 0]), np.asarray([5, 6]), np.asarray([1.0, 3.0]))
    found = measured(np.asarray([2, 4]), relevant)
    assert found.recall.tolist() == [[0.0, 1.0, 1.0]]
    assert found.reciprocal.tolist() == [0.5]
    assert found.precision.tolist() == [(1 / 2 + 2 / 4) / 2]
    gained, ideal = 1 / math.log2(3) + 3 / math.log2(5), 3 + 1 / math.log2(3)
    assert found.ndcg[0] == pytest.approx(gained / ideal)


def test_grades_beyond_the_depth_give_nothing() -> None:
    relevant = Relevant(np.asarray([0]), np.asarray([1]), np.asarray([2.0]))
    assert measured(np.asarray([11]), relevant).ndcg.tolist() == [0.0]
    assert measured(np.asarray([1]), relevant).ndcg.tolist() == [1.0]
