import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import roc_auc_score, roc_curve

from models.diagnostics.items import PairScores
from models.diagnostics.roc import auc, equal_error, rates, roc, thresholds, tpr_at
from models.diagnostics.summary import CURVE_POINTS, RATES, RocCurve
from tests.diagnostics.helpers import flat_pairs, scored, some_items, stored, trained

COARSE = st.integers(-4, 4).map(lambda k: k / 4)  # ties everywhere
PAIRS = st.tuples(
    arrays(np.float64, st.integers(1, 40), elements=COARSE), arrays(np.float64, st.integers(1, 40), elements=COARSE)
)


def sorted_pairs(positive: np.ndarray, negative: np.ndarray) -> PairScores:
    return PairScores(np.sort(positive), np.sort(negative))


def labelled(pairs: PairScores) -> tuple[np.ndarray, np.ndarray]:
    kinds = np.concatenate([np.ones(len(pairs.positive)), np.zeros(len(pairs.negative))])
    return kinds, np.concatenate([pairs.positive, pairs.negative])


def curve_of(seed: int = 0, spread: float = 1.0, n: int = 60) -> tuple[RocCurve, np.ndarray, np.ndarray]:
    """A curve of ours with the labels and scores it came from."""
    items = some_items(n, 4, spread, seed)
    s, same = flat_pairs(items)
    return roc(items.s, items.pos, items.neg), same, s


@given(PAIRS)
def test_auc_is_that_of_scikit_learn(given_pairs: tuple[np.ndarray, np.ndarray]) -> None:
    pairs = sorted_pairs(*given_pairs)
    assert auc(pairs) == pytest.approx(roc_auc_score(*labelled(pairs)), abs=1e-12)


def test_auc_of_a_trained_probe_is_that_of_scikit_learn() -> None:
    snapshot = trained()
    once = np.triu(np.ones_like(snapshot.pos), k=1)
    found = roc(snapshot.s, snapshot.pos, snapshot.neg)
    assert found.positives + found.negatives == 500 * 499 // 2
    assert found.auc == pytest.approx(roc_auc_score(snapshot.pos[once], snapshot.s[once]), abs=1e-12)


@given(PAIRS)
def test_auc_minds_order_alone(given_pairs: tuple[np.ndarray, np.ndarray]) -> None:
    positive, negative = given_pairs
    plain = auc(sorted_pairs(positive, negative))
    assert auc(sorted_pairs(np.exp(3 * positive), np.exp(3 * negative))) == plain
    assert auc(sorted_pairs(-positive, -negative)) == pytest.approx(1 - plain, abs=1e-12)
    assert auc(sorted_pairs(negative, positive)) == pytest.approx(1 - plain, abs=1e-12)


def test_auc_by_hand() -> None:
    # Couples: 0.8 beats both; 0.3 ties with 0.3 and beats 0.1: (2 + 1 + 0.5) / 4.
    assert auc(PairScores(np.asarray([0.3, 0.8]), np.asarray([0.1, 0.3]))) == 0.875


def test_auc_of_two_towers_is_the_stored_one() -> None:
    numbers = stored("mw_loss")
    s = np.asarray(numbers["inputs"]["q"]) @ np.asarray(numbers["inputs"]["p"]).T
    pos = np.eye(4, dtype=bool)
    assert roc(s, pos, ~pos).auc == pytest.approx(numbers["auc_aoc"]["auc"], abs=1e-12)


@pytest.mark.parametrize("n", [10, 60, 150])
def test_every_point_of_the_curve_lies_on_the_exact_one(n: int) -> None:
    curve, same, s = curve_of(n=n)
    assert 3 <= len(curve.fpr) <= CURVE_POINTS
    accepted = s[:, None] >= curve.threshold[None, :]
    assert curve.tpr == pytest.approx(accepted[same].mean(axis=0), abs=1e-12)
    assert curve.fpr == pytest.approx(accepted[~same].mean(axis=0), abs=1e-12)
    assert (curve.fpr[0], curve.tpr[0], curve.fpr[-1], curve.tpr[-1]) == (0, 0, 1, 1)
    assert np.all(np.diff(curve.threshold) < 0)


def test_a_thinned_curve_keeps_area_and_low_rates() -> None:
    snapshot = trained()
    curve = roc(snapshot.s, snapshot.pos, snapshot.neg)
    assert curve.negatives > 100_000
    assert np.trapezoid(curve.tpr, curve.fpr) == pytest.approx(curve.auc, abs=1e-3)
    # A log axis from 1e-4: each of its decades holds a dozen points or more.
    for decade in (1e-4, 1e-3, 1e-2, 1e-1):
        assert np.count_nonzero((curve.fpr >= decade) & (curve.fpr < 10 * decade)) >= 12


def test_few_scores_keep_every_corner() -> None:
    curve, same, s = curve_of(n=14)
    fpr, tpr, _ = roc_curve(same, s, drop_intermediate=False)
    assert curve.fpr == pytest.approx(fpr, abs=1e-12)
    assert curve.tpr == pytest.approx(tpr, abs=1e-12)


@given(PAIRS)
def test_equal_error_is_where_the_full_curve_meets_the_diagonal(given_pairs: tuple[np.ndarray, np.ndarray]) -> None:
    pairs = sorted_pairs(*given_pairs)
    fpr, tpr, threshold = roc_curve(*labelled(pairs), drop_intermediate=False)
    gap = fpr + tpr - 1
    last = int(np.flatnonzero(gap <= 0)[-1])
    # The excess rises along the curve: where it passes 0, on the straight line between both points.
    share = -gap[last] / (gap[last + 1] - gap[last])
    expected = fpr[last] + share * (fpr[last + 1] - fpr[last])
    found, at = equal_error(pairs)
    assert found == pytest.approx(expected, abs=1e-9)
    # roc_curve starts at an infinite threshold: there the interval begins at the highest score instead.
    assert min(threshold[last], threshold[1]) + 1e-9 >= at >= threshold[last + 1] - 1e-9


def test_equal_error_by_hand() -> None:
    # At 0.5: one of four negatives accepted, three of four positives: both errors a quarter.
    pairs = PairScores(np.asarray([0.2, 0.5, 0.6, 0.9]), np.asarray([0.0, 0.1, 0.3, 0.7]))
    assert equal_error(pairs) == (0.25, 0.5)
    assert equal_error(PairScores(np.asarray([0.8, 0.9]), np.asarray([0.1, 0.2])))[0] == 0


def test_true_positive_rates_by_exhaustion() -> None:
    curve, same, s = curve_of(n=150, spread=0.6)
    candidates = np.concatenate([np.unique(s), [2.0]])
    fpr = np.asarray([(s[~same] >= t).mean() for t in candidates])
    tpr = np.asarray([(s[same] >= t).mean() for t in candidates])
    assert curve.negatives == 150 * 149 // 2 - (2 * 38 * 37 + 2 * 37 * 36) // 2
    best = [tpr[fpr <= rate].max() for rate in RATES[:3]]
    assert curve.tpr_at[:3] == pytest.approx(best, abs=1e-12)
    assert np.isnan(curve.tpr_at[3])  # 8,000 negatives cannot show one in 10,000


def test_true_positive_rate_at_a_tie_accepts_all_or_none() -> None:
    # Ten negatives, the two hardest tied: a rate of 1e-1 allows one, so both are refused.
    negative = np.asarray([0.0] * 8 + [0.5, 0.5])
    assert tpr_at(PairScores(np.asarray([0.5, 0.6]), negative))[0] == 0.5


def test_undefined_without_both_kinds() -> None:
    curve = roc(*scored(np.eye(3), np.asarray([0, 1, 2])))
    assert (curve.positives, curve.negatives, len(curve.fpr)) == (0, 3, 0)
    assert np.isnan([curve.auc, curve.low, curve.high, curve.equal_error, *curve.tpr_at]).all()


def test_constant_scores_are_a_coin() -> None:
    curve = roc(*scored(np.ones((6, 6)), np.asarray([0, 0, 1, 1, 2, 2])))
    assert curve.auc == 0.5
    assert curve.low == pytest.approx(0.5, abs=1e-6)
    assert curve.high == pytest.approx(0.5, abs=1e-6)
    assert curve.equal_error == pytest.approx(0.5)


def test_heavy_ties_stay_exact() -> None:
    rng = np.random.default_rng(1)
    pairs = sorted_pairs(rng.integers(3, 9, 900) / 10, rng.integers(0, 6, 4000) / 10)
    threshold = thresholds(pairs)
    assert len(threshold) <= 11
    fpr, tpr, _ = roc_curve(*labelled(pairs), drop_intermediate=False)
    assert np.asarray(rates(pairs, threshold)) == pytest.approx(np.asarray([fpr, tpr]), abs=1e-12)
