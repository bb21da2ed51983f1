"""The fast bootstrap against the slow one: every replicate's AUC from its own weighted couples of pairs."""

import numpy as np
import pytest

from models.diagnostics.bootstrap import (
    REPLICATES,
    auc_replicates,
    draws_for,
    interval,
    multiplicities,
    pair_means,
    pair_sums,
)
from models.diagnostics.items import Items, pair_scores, unit_rows
from models.diagnostics.roc import auc, roc
from tests.diagnostics.helpers import scored, some_items


def weighted_aucs(items: Items, times: np.ndarray) -> np.ndarray:
    """AUC of each row of times, pair (i, j) weighing times[i] times[j], ties half, over all couples of pairs."""
    rows, columns = np.triu_indices(times.shape[1], k=1)
    s, same = items.s[rows, columns], items.pos[rows, columns]
    weight = times[:, rows] * times[:, columns]
    wins = np.sign(s[same][:, None] - s[~same][None, :]) / 2 + 0.5
    of_positives, of_negatives = weight[:, same], weight[:, ~same]
    won: np.ndarray = np.einsum("rq,rq->r", of_positives @ wins, of_negatives)
    return np.asarray(won / (of_positives.sum(axis=1) * of_negatives.sum(axis=1)))


def test_multiplicities_count_n_draws() -> None:
    times = multiplicities(50)
    assert times.shape == (REPLICATES, 50)
    assert np.all(times.sum(axis=1) == 50)
    # Each count is nearly Poisson of mean 1: its variance is 1 - 1/n.
    assert times.var() == pytest.approx(0.98, abs=0.03)
    assert np.array_equal(times, multiplicities(50))
    assert not np.array_equal(times, multiplicities(50, seed=1))


def test_pair_sums_and_means_are_loops() -> None:
    rng = np.random.default_rng(0)
    values, mask = rng.normal(size=(4, 5)), rng.random((4, 5)) < 0.5
    rows, columns = multiplicities(4)[:3], multiplicities(5)[:3]
    for k in range(3):
        total = sum(rows[k, i] * values[i, j] * columns[k, j] for i in range(4) for j in range(5))
        held = [(rows[k, i] * columns[k, j], values[i, j]) for i in range(4) for j in range(5) if mask[i, j]]
        weights, kept = np.asarray(held).T
        assert pair_sums(values, rows, columns)[k] == pytest.approx(total, abs=1e-5)
        assert pair_means(values, mask, rows, columns)[k] == pytest.approx(np.average(kept, weights=weights), abs=1e-5)


@pytest.mark.parametrize(("n", "spread"), [(60, 1.0), (60, 2.0), (80, 0.5)])
def test_replicates_are_those_of_brute_force(n: int, spread: float) -> None:
    items = some_items(n, 4, spread)
    slow = weighted_aucs(items, multiplicities(n).astype(np.float64))
    fast = auc_replicates(items.s, items.pos, items.neg)
    # What is left out is of second order: a fifth of the spread at most, and no shift to speak of.
    assert np.std(fast - slow) < 0.2 * slow.std()
    assert abs(fast.mean() - slow.mean()) < 0.1 * slow.std()
    assert np.corrcoef(fast, slow)[0, 1] > 0.98
    width = np.ptp(interval(slow))
    assert interval(fast) == pytest.approx(interval(slow), abs=0.1 * width)


def test_shared_items_make_the_interval_wide() -> None:
    # Drawing pairs as if they were independent would claim a several times narrower interval.
    items = some_items(60, 4, 1.0)
    curve = roc(items.s, items.pos, items.neg)
    pairs = pair_scores(items.s, items.pos, items.neg)
    rng = np.random.default_rng(0)
    naive = []
    for _ in range(200):
        positive, negative = (
            rng.choice(pairs.positive, len(pairs.positive)),
            rng.choice(pairs.negative, len(pairs.negative)),
        )
        naive.append(auc(type(pairs)(np.sort(positive), np.sort(negative))))
    assert curve.low < curve.auc < curve.high
    assert curve.high - curve.low > 1.5 * np.ptp(interval(np.asarray(naive)))


def test_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    # A hundred probes of 120 items, their classes drawn too; the mean of all AUCs stands for the truth.
    centres = np.random.default_rng(0).normal(size=(4, 6))
    curves = []
    for seed in range(100):
        rng = np.random.default_rng([9, seed])
        y = rng.integers(0, 4, 120)
        u = unit_rows(centres[y] + 2.5 * rng.normal(size=(120, 6)))
        curves.append(roc(*scored(u @ u.T, y)))
    truth = np.mean([curve.auc for curve in curves])
    assert 0.9 <= np.mean([curve.low <= truth <= curve.high for curve in curves]) <= 1.0
    # 3.92 standard deviations wide; a tenth too wide, as bootstraps of small samples of pairs are.
    width = np.mean([curve.high - curve.low for curve in curves])
    assert width == pytest.approx(1.1 * 3.92 * np.std([curve.auc for curve in curves]), rel=0.2)


def test_two_towers_draw_rows_and_columns_apart() -> None:
    pos = np.eye(6, 9, dtype=bool)
    rows, columns = draws_for(pos, ~pos)
    assert (rows.shape[1], columns.shape[1]) == (6, 9)
    s = np.random.default_rng(0).random((6, 9))
    replicates = auc_replicates(s, pos, ~pos)
    assert np.isfinite(replicates).sum() > REPLICATES / 2
    assert np.nanstd(replicates) > 0


def test_undefined_intervals_are_nan() -> None:
    assert np.isnan(interval(np.full(10, np.nan))).all()
    assert np.isnan(interval(np.empty(0))).all()
    assert np.isnan(auc_replicates(*scored(np.eye(3), np.asarray([0, 1, 2])))).all()
    two = scored(np.asarray([[1.0, 0.2, 0.1], [0.2, 1.0, 0.3], [0.1, 0.3, 1.0]]), np.asarray([0, 0, 1]))
    # Three items: a replicate needs all three of them for a pair of either kind, and 78 % of draws miss one.
    assert np.isnan(interval(auc_replicates(*two))).all()
