import tracemalloc

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from models.diagnostics.all_pairs import AllPairs, Cancelled, Progress, across, among, count, count_stripe
from models.diagnostics.exact_auc import exact_auc
from models.diagnostics.histogram import EDGES, histogram
from models.diagnostics.items import PairScores, items_of, pair_scores, unit_rows
from models.diagnostics.pair_counts import COSINE, FINE_BINS, PairCounts
from models.diagnostics.roc import equal_error, tpr_at
from tests.diagnostics.helpers import clouds


def listed_scores(z: np.ndarray, y: np.ndarray) -> PairScores:
    """Every unordered pair by plain loops over the float32 product."""
    u = unit_rows(z).astype(np.float32)
    kinds: dict[bool, list[float]] = {True: [], False: []}
    s = u @ u.T
    for i in range(len(y)):
        for j in range(i + 1, len(y)):
            kinds[bool(y[i] == y[j])].append(float(s[i, j]))
    return PairScores(np.sort(np.asarray(kinds[True])), np.sort(np.asarray(kinds[False])))


def reference(pairs: PairScores) -> float:
    truth = np.repeat([1, 0], [len(pairs.positive), len(pairs.negative)])
    return float(roc_auc_score(truth, np.concatenate([pairs.positive, pairs.negative])))


def lattice(n: int, seed: int = 0) -> np.ndarray:
    """Rows along few directions: products of halves are exact, so ties are everywhere and survive any tiling."""
    half = np.asarray([[1, 1, 1, 1], [1, 1, -1, -1], [1, -1, 1, -1], [2, 0, 0, 0], [0, 2, 0, 0]], np.float32) / 2
    return half[np.random.default_rng(seed).integers(0, len(half), n)]


@pytest.mark.parametrize(("n", "classes", "threads"), [(40, 3, 1), (300, 7, 2), (1400, 2, 2)])
def test_bounds_hold_and_the_second_walk_is_exact(n: int, classes: int, threads: int) -> None:
    z, y = clouds(n, classes, 2.0, seed=n)
    work = among(z, y)
    counts = count(work, threads)
    s = work.rows @ work.rows.T
    above = np.triu(np.ones((n, n), bool), 1)
    ordered = y[work.order]
    truth = (ordered[:, None] == ordered[None, :])[above]
    expected = roc_auc_score(truth, s[above])
    low, high = counts.auc_bounds()
    assert counts.positives + counts.negatives == n * (n - 1) // 2 == work.pairs
    assert low - 1e-12 <= expected <= high + 1e-12
    assert high - low < 1e-4
    found = exact_auc(work, counts, threads)
    assert found.exact
    # Whether scores equal to the last bit depends on the shape of a product: a few ties may fall either way.
    assert found.value == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("n", [30, 280])
def test_ties_are_exact_as_scikit_learn_has_them(n: int) -> None:
    z = lattice(n)
    y = np.random.default_rng(1).integers(0, 3, n)
    work = among(z, y)
    found = exact_auc(work, count(work))
    assert found.exact
    assert found.value == pytest.approx(reference(listed_scores(z, y)), abs=1e-12)


def test_small_budgets_settle_bins_over_several_walks() -> None:
    z, y = clouds(120, 3, 2.0)
    work = among(z, y)
    counts = count(work)
    whole, walked = exact_auc(work, counts), exact_auc(work, counts, budget=60, passes=200)
    assert walked.passes > 3
    assert walked.exact
    assert walked.value == whole.value
    cut = exact_auc(work, counts, budget=60, passes=1)
    assert not cut.exact
    assert counts.auc_bounds()[0] <= cut.low <= whole.value <= cut.high <= counts.auc_bounds()[1]
    assert cut.high - cut.low < counts.auc_bounds()[1] - counts.auc_bounds()[0]


def test_a_bin_beyond_the_budget_stays_open_and_says_so() -> None:
    work = among(np.ones((30, 4)), np.arange(30) % 2)
    counts = count(work)
    assert counts.auc_bounds() == (0.0, 1.0)
    assert not exact_auc(work, counts, budget=100).exact
    assert exact_auc(work, counts).value == 0.5


@pytest.mark.parametrize("y", [np.zeros(20, int), np.arange(20)])
def test_one_kind_of_pair_has_no_auc(y: np.ndarray) -> None:
    work = among(clouds(20, 2)[0], y)
    counts = count(work)
    assert counts.positives + counts.negatives == 190
    assert min(counts.positives, counts.negatives) == 0
    for number in (*counts.auc_bounds(), counts.equal_error()[0], counts.d_prime(), exact_auc(work, counts).value):
        assert np.isnan(number)


@pytest.mark.parametrize("n", [0, 1])
def test_nothing_to_count(n: int) -> None:
    assert count(among(np.ones((n, 3)), np.zeros(n, int))).positives == 0


def test_stripes_add_up_in_any_order() -> None:
    work = among(*clouds(700, 5))
    whole = count(work)
    stripes = work.stripes()
    assert len(stripes) == 3
    first, second, third = (count_stripe(work, *stripe) for stripe in stripes)
    together = third + first + second
    assert np.array_equal(together.positive, whole.positive)
    assert np.array_equal(together.negative, whole.negative)
    with pytest.raises(ValueError, match="do not add up"):
        first + PairCounts(first.positive, first.negative, 0.0, 1.0)


def test_queries_against_documents() -> None:
    rng = np.random.default_rng(3)
    queries, documents = rng.normal(size=(300, 8)), rng.normal(size=(1100, 8))
    row, column = (np.append(rng.integers(0, top, 500), 7) for top in (300, 1100))
    row[0] = column[0] = 7  # this pair is listed twice
    documents[column] += queries[row]
    work = across(queries, documents, row, column)
    s = work.rows @ work.columns.T
    relevant = np.zeros(s.shape, bool)
    relevant[row, column] = True
    counts = count(work, 2)
    assert counts.positives == relevant.sum() < len(row)
    assert counts.negatives == s.size - relevant.sum()
    found = exact_auc(work, counts, 2)
    assert found.exact
    assert found.value == pytest.approx(roc_auc_score(relevant.ravel(), s.ravel()), abs=1e-9)


def test_relevance_outside_is_refused() -> None:
    with pytest.raises(ValueError, match="names document 9, there are 4"):
        across(np.ones((3, 2)), np.ones((4, 2)), np.asarray([0]), np.asarray([9]))


def test_working_points_are_those_of_the_sorted_scores() -> None:
    z, y = clouds(200, 4, 1.5)
    counts = count(among(z, y))
    items = items_of(z.astype(np.float32), y)
    pairs = pair_scores(items.s, items.pos, items.neg)
    drawn = counts.coarse(len(EDGES) - 1)
    plain = histogram(pairs)
    assert np.abs(drawn.positive - plain.positive).max() <= 1  # an edge of a bin is an edge of a fine one
    assert drawn.overlap == pytest.approx(plain.overlap, abs=1e-3)
    assert drawn.d_prime == pytest.approx(plain.d_prime, abs=1e-4)
    assert counts.equal_error() == pytest.approx(equal_error(pairs), abs=1e-3)
    assert counts.tpr_at() == pytest.approx(tpr_at(pairs), abs=2e-3, nan_ok=True)
    fpr, tpr, threshold = counts.rates()
    assert (fpr[0], tpr[0], fpr[-1], tpr[-1]) == (0, 0, 1, 1)
    assert (threshold[0], threshold[-1]) == (COSINE[1], COSINE[0])


def test_progress_and_cancel() -> None:
    work = among(*clouds(1300, 3))
    seen: list[Progress] = []
    count(work, 2, seen.append)
    assert [step.done for step in seen][-1] == work.pairs == seen[0].total
    assert len(seen) == len(work.stripes())
    assert seen[-1].seconds_left == 0 < seen[-1].per_second

    def stop(step: Progress) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        count(work, 2, stop)


def test_memory_does_not_grow_with_the_pairs() -> None:
    peaks = []
    for n in (1000, 4000):
        work: AllPairs = among(*clouds(n, 10))
        tracemalloc.start()
        count(work, 2)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0] < 20e6  # 8 million pairs in float32 would be 32 MB
    assert peaks[0] > FINE_BINS * 8
