"""Score histograms of positive and negative pairs on shared bins, and how far apart the two lie."""

import numpy as np
from jaxtyping import Float, Int

from models.diagnostics.items import PairScores
from models.diagnostics.summary import BINS, ScoreHistogram

EDGES = np.linspace(-1.0, 1.0, BINS + 1)  # cosine; the last bin holds 1 too


def histogram(pairs: PairScores) -> ScoreHistogram:
    """Counts per bin, overlap coefficient and d-prime; both are nan without pairs of both kinds."""
    positive, negative = _count(pairs.positive), _count(pairs.negative)
    if not pairs.complete:
        return ScoreHistogram(positive, negative, float("nan"), float("nan"))
    return ScoreHistogram(positive, negative, overlap(positive, negative), d_prime(pairs.positive, pairs.negative))


def _count(scores: Float[np.ndarray, " k"]) -> Int[np.ndarray, " bins"]:
    # Rounding may carry a cosine past 1 by an ulp: it belongs to the outermost bin.
    position = ((scores.astype(np.float64) + 1.0) * (BINS / 2)).astype(np.int64)
    return np.bincount(position.clip(0, BINS - 1), minlength=BINS)


def overlap(positive: Int[np.ndarray, " bins"], negative: Int[np.ndarray, " bins"]) -> float:
    """Overlap coefficient sum_b min(p_b, q_b) of two histograms with at least one count each; 1: the same shape."""
    return float(np.minimum(positive / positive.sum(), negative / negative.sum()).sum())


def d_prime(positive: Float[np.ndarray, " p"], negative: Float[np.ndarray, " q"]) -> float:
    """(mean+ - mean-) / sqrt((var+ + var-) / 2) with population variances; nan if neither side varies."""
    a, b = positive.astype(np.float64), negative.astype(np.float64)
    spread = float(np.sqrt((a.var() + b.var()) / 2))
    # Scores that are equal up to rounding have no spread to measure a distance in.
    if spread <= np.finfo(positive.dtype).eps:
        return float("nan")
    return float((a.mean() - b.mean()) / spread)
