"""Diagnostics of items with two sides, against plain loops over the pairs from side A to side B."""

import math

import numpy as np
import pytest

from models.diagnostics.items import Across, Items
from models.diagnostics.measure import measure
from models.diagnostics.neighbours import first_hits, neighbours
from models.diagnostics.plane import plane

RNG = np.random.default_rng(5)
N = 24
Y = RNG.integers(0, 3, N)
PAIR = np.concatenate([np.arange(N - 3), [0, 1, 1]])  # two captions are shared
A = RNG.standard_normal((N, 4))
B = A + 0.7 * RNG.standard_normal((N, 4))
ALL = np.ones(N, bool)


def items() -> Items:
    return Across(B, PAIR).of(A, Y, ALL)


def unit(v: np.ndarray) -> np.ndarray:
    return np.asarray(v / math.sqrt(sum(float(x) ** 2 for x in v)))


def every() -> list[tuple[int, int, float]]:
    """All pairs with their cosines."""
    return [(i, j, float(unit(A[i]) @ unit(B[j]))) for i in range(N) for j in range(N)]


def test_the_plane_counts_every_pair() -> None:
    pairs = every()
    positive = [s for i, j, s in pairs if PAIR[i] == PAIR[j]]
    found = plane(items())
    assert len(positive) > N
    distance = [float(((unit(A[i]) - unit(B[j])) ** 2).sum()) for i, j, _ in pairs]
    assert found.uniformity == pytest.approx(-math.log(sum(math.exp(-2 * d) for d in distance) / len(pairs)))
    assert found.tolerance == pytest.approx(sum(positive) / len(positive))
    assert found.tolerance_printed == pytest.approx(sum(positive) / len(pairs))
    apart = [d for d, (i, j, _) in zip(distance, pairs, strict=True) if PAIR[i] == PAIR[j]]
    assert found.alignment == pytest.approx(sum(apart) / len(apart))


def test_a_zero_row_of_one_side_is_as_far_as_its_length_says() -> None:
    b = B.copy()
    b[3] = 0
    alone = Across(b[3:4], PAIR[3:4]).of(A[3:4], Y[3:4], ALL[:1])
    assert plane(Across(b, PAIR).of(A, Y, ALL)).alignment > plane(items()).alignment
    assert alone.s.tolist() == [[0.0]]
    both = Across(np.zeros((2, 4)), np.arange(2)).of(A[:2], Y[:2], ALL[:2])
    assert plane(both).alignment == pytest.approx(1.0)  # from a unit row to the origin


def test_side_a_asks_side_b_for_what_belongs_to_it() -> None:
    s = np.zeros((N, N))
    for i, j, value in every():
        s[i, j] = value
    hits, precise, votes = [], [], []
    for i in range(N):
        order = sorted(range(N), key=lambda j, i=i: -s[i, j])  # type: ignore[misc]
        hits.append(float(PAIR[order[0]] == PAIR[i]))
        right = int((PAIR[i] == PAIR).sum())
        ranks = [k for k in range(1, right + 1) if PAIR[order[k - 1]] == PAIR[i]]
        precise.append(sum((at + 1) / k for at, k in enumerate(ranks)) / right)
        voters = [int(Y[j]) for j in order if j != i][:5]
        votes.append(float(max(range(3), key=lambda c, v=voters: (v.count(c), -c)) == Y[i]))  # type: ignore[misc]
    found = neighbours(items())
    assert 0 < sum(hits) < N
    assert first_hits(items()).tolist() == hits
    assert found.recall_at_1 == pytest.approx(sum(hits) / N)
    assert found.map_at_r == pytest.approx(sum(precise) / N)
    assert found.knn == pytest.approx(sum(votes) / N)


def test_the_logged_measures_are_of_pairs_across() -> None:
    seen = Y < 2
    found = measure(A, Y, seen, Across(B, PAIR))
    for name, kept in {"auc": seen, "auc_unseen": ~seen}.items():
        pairs = [(PAIR[i] == PAIR[j], s) for i, j, s in every() if kept[i] and kept[j]]
        wins = [float(p > n) for is_p, p in pairs if is_p for is_n, n in pairs if not is_n]
        assert len(wins) > 50
        assert found[name] == pytest.approx(sum(wins) / len(wins))
    positive = [s for i, j, s in every() if seen[i] and i == j]
    assert found["pos_mean"] == pytest.approx(
        np.mean(
            [
                np.mean([s for i, j, s in every() if i == k and seen[j] and PAIR[j] == PAIR[k]])
                for k in np.flatnonzero(seen)
            ]
        )
    )
    assert len(positive) == int(seen.sum())
