"""Four numbers an anchor instead of all its scores (arXiv 2108.02982, the log of its score visualiser)."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float


@dataclass(frozen=True, eq=False)
class AnchorStatistics:
    """What each anchor sees, before any temperature; nan where it has too few candidates."""

    neg_mean: Float[np.ndarray, " n"]
    neg_var: Float[np.ndarray, " n"]  # unbiased, over the anchor's negatives
    pos_mean: Float[np.ndarray, " n"]  # one positive in the paper, the mean of several here


def anchor_statistics(
    s: Float[np.ndarray, "n m"], pos: Bool[np.ndarray, "n m"], neg: Bool[np.ndarray, "n m"]
) -> AnchorStatistics:
    """Mean and unbiased variance of each anchor's negatives, and the mean of its positives."""
    negatives = np.count_nonzero(neg, axis=1)
    mean = _ratio(np.einsum("ij,ij->i", s, neg), negatives)
    deviation = (s - np.nan_to_num(mean).astype(s.dtype)[:, None]) * neg
    variance = _ratio(np.einsum("ij,ij->i", deviation, deviation), negatives - 1)
    positive = _ratio(np.einsum("ij,ij->i", s, pos), np.count_nonzero(pos, axis=1))
    return AnchorStatistics(mean, variance, positive)


def averages(each: AnchorStatistics) -> dict[str, float]:
    """Averages over the anchors that have the number; pos_var is the population variance of pos_mean over anchors."""
    positive = each.pos_mean[np.isfinite(each.pos_mean)]
    return {
        "neg_mean": _mean(each.neg_mean),
        "neg_var": _mean(each.neg_var),
        "pos_mean": _mean(positive),
        "pos_var": float(positive.var()) if len(positive) else float("nan"),
    }


def _ratio(total: np.ndarray, count: np.ndarray) -> np.ndarray:
    """total / count, nan where count is not positive."""
    out = np.full(len(total), np.nan)
    np.divide(total, count, out=out, where=count > 0)
    return out


def _mean(values: np.ndarray) -> float:
    defined = values[np.isfinite(values)]
    return float(defined.mean()) if len(defined) else float("nan")
