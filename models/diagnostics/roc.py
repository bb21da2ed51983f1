"""ROC of pair verification: exact AUC, a thinned curve, working points and an interval over items."""

from bisect import bisect_right

import numpy as np
from jaxtyping import Bool, Float

from models.diagnostics.bootstrap import REPLICATES, auc_replicates, interval
from models.diagnostics.items import PairScores, pair_scores
from models.diagnostics.summary import CURVE_POINTS, RATES, RocCurve

_STRICT, _EVEN = 80, 58  # thresholds at log-spaced ranks of the negatives, and evenly through each kind


def auc(pairs: PairScores) -> float:
    """Share of (positive, negative) couples in which the positive scores higher, ties half; exact; nan if undefined."""
    if not pairs.complete:
        return float("nan")
    below = np.searchsorted(pairs.negative, pairs.positive, "left")
    # Ties are rare: only the positives that meet an equal negative are looked up a second time.
    tied = pairs.negative[np.minimum(below, len(pairs.negative) - 1)] == pairs.positive
    equal = np.searchsorted(pairs.negative, pairs.positive[tied], "right") - below[tied]
    return (2 * int(below.sum()) + int(equal.sum())) / (2 * len(pairs.positive) * len(pairs.negative))


def rates(
    pairs: PairScores, threshold: Float[np.ndarray, " k"]
) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, " k"]]:
    """Exact (fpr, tpr) at each threshold: the shares of negatives and of positives that reach it."""
    p, q = len(pairs.positive), len(pairs.negative)
    fpr = (q - np.searchsorted(pairs.negative, threshold, "left")) / q
    tpr = (p - np.searchsorted(pairs.positive, threshold, "left")) / p
    return fpr, tpr


def roc(
    s: Float[np.ndarray, "n m"],
    pos: Bool[np.ndarray, "n m"],
    neg: Bool[np.ndarray, "n m"],
    replicates: int = REPLICATES,
) -> RocCurve:
    """The ROC of all counted pairs; every measure is nan and the curve is empty without pairs of both kinds.

    low and high: percentiles of a bootstrap over items (`bootstrap.auc_replicates`), kept within [0, 1], where the
    first-order replicates of a nearly perfect AUC may step out.
    """
    pairs = pair_scores(s, pos, neg)
    p, q = len(pairs.positive), len(pairs.negative)
    nan, empty = float("nan"), np.empty(0)
    if not pairs.complete:
        return RocCurve(empty, empty, empty, nan, nan, nan, nan, nan, np.full(len(RATES), nan), p, q)
    threshold = thresholds(pairs)
    fpr, tpr = rates(pairs, threshold)
    drawn = np.clip(auc_replicates(s, pos, neg, replicates=replicates), 0.0, 1.0)
    low, high = interval(drawn)
    error, at = equal_error(pairs)
    return RocCurve(
        fpr, tpr, threshold, auc(pairs), low, high, error, at, tpr_at(pairs), p, q, drawn.astype(np.float32)
    )


def thresholds(pairs: PairScores) -> Float[np.ndarray, " k"]:
    """At most CURVE_POINTS falling thresholds that are scores of pairs; the first lies just above all of them.

    Ranks of the negatives are log-spaced from the highest, so that a decade of low false positive rates gets as many
    points as the next; evenly spaced ranks of both kinds hold the rest of the curve.
    """
    scores = np.concatenate([pairs.positive, pairs.negative]).astype(np.float64)
    distinct = np.unique(scores) if len(scores) < 4 * CURVE_POINTS else scores
    if len(distinct) >= CURVE_POINTS:
        strict = np.geomspace(1, len(pairs.negative), _STRICT).round().astype(np.int64)
        chosen = [pairs.negative[-strict], _evenly(pairs.negative), _evenly(pairs.positive)]
        lowest = min(pairs.negative[0], pairs.positive[0])
        distinct = np.unique(np.concatenate([*chosen, [lowest]]).astype(np.float64))
    highest = float(max(pairs.negative[-1], pairs.positive[-1]))
    return np.concatenate([[np.nextafter(highest, np.inf)], distinct[::-1]])


def _evenly(scores: np.ndarray) -> np.ndarray:
    return scores[np.linspace(0, len(scores) - 1, _EVEN).round().astype(np.int64)]


def tpr_at(pairs: PairScores) -> Float[np.ndarray, " rates"]:
    """Highest true positive rate whose false positive rate is at most each of RATES; nan below one negative's share."""
    p, q = len(pairs.positive), len(pairs.negative)
    found = np.full(len(RATES), np.nan)
    for k, rate in enumerate(RATES):
        # The epsilon makes up for products such as 1e-3 * 3000 that fall just short of a whole number.
        allowed = int(np.floor(rate * q + 1e-9))
        if allowed >= 1:
            barrier = pairs.negative[q - allowed - 1] if allowed < q else -np.inf
            found[k] = (p - np.searchsorted(pairs.positive, barrier, "right")) / p
    return found


def equal_error(pairs: PairScores) -> tuple[float, float]:
    """(rate, threshold) where false positive rate = false negative rate, on the line between the two scores around it.

    fpr - fnr falls as the threshold rises, so the last score at which it is not negative is found by bisection.
    """

    def excess(threshold: float | np.floating) -> float:
        fpr, tpr = rates(pairs, np.asarray([threshold]))
        return float(fpr[0] + tpr[0]) - 1.0

    held, above = [], []
    for scores in (pairs.positive, pairs.negative):
        count = bisect_right(scores, 0.0, key=lambda t: -excess(t))
        held += [float(scores[count - 1])] if count else []
        above += [float(scores[count])] if count < len(scores) else []
    lower = max(held)  # the lowest score accepts all, so there excess = 1
    upper = min(above, default=float(np.nextafter(lower, np.inf)))
    fpr, tpr = rates(pairs, np.asarray([lower, upper]))
    first, second = fpr + tpr - 1.0
    share = float(first / (first - second)) if first > second else 0.0
    return float(fpr[0] + share * (fpr[1] - fpr[0])), lower + share * (upper - lower)
