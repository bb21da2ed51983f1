"""Intervals of an AUC where a bootstrap would not fit in memory: the variance of a bootstrap, to first order.

Drawing items anew changes AUC by sum_i (m_i - 1) c_i to first order, m_i how often item i is drawn and c_i what its
pairs add: c_i = sum over its positives (wins - AUC) / P + sum over its negatives (losses - AUC) / N. The bootstrap's
variance of that is sum_i c_i^2. With each row its own cluster it is DeLong's (1988) but for n / (n - 1).
"""

import numpy as np
from jaxtyping import Bool, Float, Int

from models.diagnostics.all_pairs import AllPairs
from models.diagnostics.measured import Measured
from models.diagnostics.pair_counts import PairCounts

_SURE = 1.959964  # normal quantile of 95 %
_BLOCK = 64  # sampled rows at once


def table_auc(
    score: Float[np.ndarray, " p"], match: Bool[np.ndarray, " p"], anchor: Int[np.ndarray, " p"] | None = None
) -> Measured:
    """AUC of scored pairs, ties half, with its interval; pairs of one anchor are drawn together. nan: one kind only."""
    positive, negative = np.sort(score[match]), np.sort(score[~match])
    if min(len(positive), len(negative)) == 0:
        return Measured(float("nan"))
    gain = np.empty(len(score))
    gain[match] = _below(negative, score[match])
    gain[~match] = 1.0 - _below(positive, score[~match])
    auc = float(gain[match].mean())
    change = (gain - auc) / np.where(match, len(positive), len(negative))
    cluster = np.arange(len(score)) if anchor is None else np.unique(anchor, return_inverse=True)[1].reshape(-1)
    added = np.bincount(cluster, weights=change)
    return around(auc, float(np.sqrt((added**2).sum())))


def _below(ordered: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Share of rising numbers below each score, equal ones half."""
    sides = [np.searchsorted(ordered, scores, side) for side in ("left", "right")]
    return np.asarray((sides[0] + sides[1]) / (2 * len(ordered)))


def around(value: float, error: float) -> Measured:
    """A share with its normal interval, kept within [0, 1]."""
    return Measured(value, max(value - _SURE * error, 0.0), min(value + _SURE * error, 1.0))


def all_pairs_error(work: AllPairs, counts: PairCounts, sampled: Int[np.ndarray, " k"]) -> float:
    """Standard error over items of the AUC of `among`, from what some of its rows add; nan without both kinds.

    Each sampled row is scored against all: the error is that of all items, estimated from these.
    """
    if not counts.complete or len(sampled) == 0:
        return float("nan")
    auc = counts.auc()
    wins = (np.cumsum(counts.negative) - counts.negative / 2) / counts.negatives
    losses = 1.0 - (np.cumsum(counts.positive) - counts.positive / 2) / counts.positives
    gain = ((wins - auc) / counts.positives).astype(np.float32), ((losses - auc) / counts.negatives).astype(np.float32)
    n, total, last = len(work.rows), 0.0, len(counts.positive) - 1
    starts = np.searchsorted(work.middle, work.middle, "left")  # rows are sorted by class: where each class begins
    for at in range(0, len(sampled), _BLOCK):
        chosen = sampled[at : at + _BLOCK]
        place = ((work.rows[chosen] @ work.columns.T - counts.low) / counts.width).astype(np.int64).clip(0, last)
        for row, bins in zip(chosen, place, strict=True):
            low, high = int(starts[row]), int(work.middle[row])
            own = float(gain[0][bins[low:high]].sum(dtype=np.float64)) - float(gain[0][bins[row]])
            rest = float(gain[1][bins[:low]].sum(dtype=np.float64) + gain[1][bins[high:]].sum(dtype=np.float64))
            total += (own + rest) ** 2
    return float(np.sqrt(total * n / len(sampled)))
