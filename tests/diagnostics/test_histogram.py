import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.diagnostics.histogram import EDGES, d_prime, histogram, overlap
from models.diagnostics.items import PairScores, pair_scores
from tests.diagnostics.helpers import some_items

COSINES = arrays(np.float64, st.integers(1, 60), elements=st.floats(-1, 1))


@given(COSINES, COSINES)
def test_counts_are_those_of_numpy(positive: np.ndarray, negative: np.ndarray) -> None:
    found = histogram(PairScores(np.sort(positive), np.sort(negative)))
    assert found.positive.sum() == len(positive)
    assert found.negative.sum() == len(negative)
    # An interval of the real line: a number a rounding error below an edge may go either way.
    clear = np.abs(positive[:, None] - EDGES).min(axis=1) > 1e-12
    assert np.histogram(positive[clear], EDGES)[0].sum() <= found.positive.sum()
    assert np.all(np.histogram(positive[clear], EDGES)[0] <= found.positive)


def test_edges_belong_to_the_bin_above_and_one_to_the_last() -> None:
    past = np.float32(1.0000001)  # what rounding makes of a cosine of 1
    found = histogram(PairScores(np.asarray([-1.0, 0.0, past], np.float32), np.asarray([0.03125], np.float32)))
    assert np.flatnonzero(found.positive).tolist() == [0, 32, 63]
    assert np.flatnonzero(found.negative).tolist() == [33]


def test_overlap_by_hand() -> None:
    # Densities (1/2, 1/2, 0) and (0, 1/4, 3/4) share 1/4.
    assert overlap(np.asarray([2, 2, 0]), np.asarray([0, 1, 3])) == 0.25
    assert overlap(np.asarray([1, 2]), np.asarray([10, 20])) == pytest.approx(1)
    assert overlap(np.asarray([1, 0]), np.asarray([0, 5])) == 0


def test_d_prime_by_hand() -> None:
    # Means 0.7 and 0.1; variances 0.01 and 0.09: 0.6 / sqrt(0.05).
    found = d_prime(np.asarray([0.6, 0.8]), np.asarray([-0.2, 0.4]))
    assert found == pytest.approx(0.6 / 0.05**0.5)


def test_d_prime_of_two_normals_is_their_distance() -> None:
    rng = np.random.default_rng(0)
    # One standard deviation of 0.1 on both sides, means 0.2 apart: d' = 2, to within 3 standard errors.
    found = d_prime(rng.normal(0.3, 0.1, 100_000), rng.normal(0.1, 0.1, 100_000))
    assert found == pytest.approx(2.0, abs=0.03)


def test_without_spread_or_without_a_kind_there_is_no_distance() -> None:
    flat = np.full(3, 0.5, np.float32)
    assert np.isnan(d_prime(flat, flat))
    lone = histogram(PairScores(flat, flat[:0]))
    assert np.isnan(lone.overlap)
    assert np.isnan(lone.d_prime)
    assert lone.positive.sum() == 3


def test_real_pairs_all_land() -> None:
    items = some_items(40, 5)
    found = histogram(pair_scores(items.s, items.pos, items.neg))
    assert found.positive.sum() == 5 * 28
    assert found.negative.sum() == 780 - 140
    assert 0 < found.overlap < 1
