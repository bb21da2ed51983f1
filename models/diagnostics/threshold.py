"""One threshold over pairs: who is accepted, what that costs, where it is best; and two lanes on the same bins.

A pair whose score equals the threshold is accepted, as in `models.diagnostics.roc`.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from models.diagnostics.items import PairScores

COMPARISONS = ("overlay", "mirror", "difference")


@dataclass(frozen=True)
class Confusion:
    """Counts of pairs at a threshold; a rate over nothing is nan."""

    threshold: float  # cosine
    true_accepts: int
    false_accepts: int
    false_rejects: int
    true_rejects: int

    @property
    def tpr(self) -> float:
        """Share of the positives that are accepted: recall."""
        return _share(self.true_accepts, self.true_accepts + self.false_rejects)

    @property
    def fpr(self) -> float:
        """Share of the negatives that are accepted: false match rate."""
        return _share(self.false_accepts, self.false_accepts + self.true_rejects)

    @property
    def fnr(self) -> float:
        """Share of the positives that are rejected: false non-match rate."""
        return _share(self.false_rejects, self.true_accepts + self.false_rejects)

    @property
    def precision(self) -> float:
        """Share of the accepted pairs that are positive."""
        return _share(self.true_accepts, self.true_accepts + self.false_accepts)

    @property
    def accuracy(self) -> float:
        """Share of all pairs that are told rightly."""
        right = self.true_accepts + self.true_rejects
        return _share(right, right + self.false_accepts + self.false_rejects)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return _share(2 * self.true_accepts, 2 * self.true_accepts + self.false_accepts + self.false_rejects)


@dataclass(frozen=True)
class Costs:
    """What a mistake costs, in the user's unit. prior: how often a pair is positive in use; None: as often as here.

    Raises ValueError, naming the field, if a cost is negative or the prior is no share.
    """

    false_accept: float = 1.0
    false_reject: float = 1.0
    prior: float | None = None

    def __post_init__(self) -> None:
        for name in ("false_accept", "false_reject"):
            value = getattr(self, name)
            if not 0.0 <= value < float("inf"):
                raise ValueError(f"{name} must be a cost of 0 or more, got {value}")
        if self.prior is not None and not 0.0 <= self.prior <= 1.0:
            raise ValueError(f"prior must be a share from 0 to 1, got {self.prior}")


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


def confusion(pairs: PairScores, threshold: float) -> Confusion:
    """All four counts at one threshold."""
    rejected = [int(np.searchsorted(scores, threshold, "left")) for scores in (pairs.positive, pairs.negative)]
    accepted = len(pairs.positive) - rejected[0], len(pairs.negative) - rejected[1]
    return Confusion(threshold, accepted[0], accepted[1], rejected[0], rejected[1])


def expected_cost(pairs: PairScores, threshold: Float[np.ndarray, " k"], costs: Costs) -> Float[np.ndarray, " k"]:
    """Mean cost of a pair at each threshold: prior fnr C_reject + (1 - prior) fpr C_accept.

    nan without pairs of both kinds.
    """
    p, q = len(pairs.positive), len(pairs.negative)
    if not pairs.complete:
        return np.full(len(threshold), np.nan)
    prior = p / (p + q) if costs.prior is None else costs.prior
    fnr = np.searchsorted(pairs.positive, threshold, "left") / p
    fpr = (q - np.searchsorted(pairs.negative, threshold, "left")) / q
    found: np.ndarray = prior * costs.false_reject * fnr + (1.0 - prior) * costs.false_accept * fpr
    return found


def best_threshold(pairs: PairScores, costs: Costs) -> tuple[float, float]:
    """(threshold, cost) of least expected cost; exact; nan without pairs of both kinds.

    The cost only changes at scores. Of all thresholds that cost as little, the middle of the highest stretch between
    two neighbouring scores; where all or none is to be accepted, just beyond the last score.
    """
    if not pairs.complete:
        return float("nan"), float("nan")
    scores = np.sort(np.concatenate([pairs.positive, pairs.negative]))
    scores = scores[np.append(True, scores[1:] > scores[:-1])]  # in place of np.unique, which takes ten times as long
    candidates = np.append(scores, np.nextafter(scores[-1], scores.dtype.type(np.inf)))
    cost = expected_cost(pairs, candidates, costs)
    least = float(cost.min())
    at = int(np.flatnonzero(cost <= least * (1 + 1e-12))[-1])
    return _middle(candidates, at), least


def _middle(candidates: np.ndarray, at: int) -> float:
    """Between a candidate and the one below it: the same pairs are accepted, and the cut is as far from both.

    In the scores' own precision, where a middle of neighbours may fall on the lower one: then the candidate itself.
    """
    if at == 0 or at == len(candidates) - 1:
        return float(candidates[at])
    middle = (candidates[at - 1] + candidates[at]) / 2
    return float(middle if middle > candidates[at - 1] else candidates[at])


def threshold_at(pairs: PairScores, fpr: float) -> float:
    """Lowest threshold whose false positive rate is at most this; nan if less than one negative's share is asked for.

    Raises ValueError if the rate is no share.
    """
    if not 0.0 <= fpr <= 1.0:
        raise ValueError(f"a false positive rate is from 0 to 1, got {fpr}")
    q = len(pairs.negative)
    # The epsilon makes up for products such as 1e-3 * 3000 that fall just short of a whole number.
    allowed = int(np.floor(fpr * q + 1e-9))
    if allowed == 0:
        return float("nan")
    if allowed >= q:
        return float(min(pairs.negative[0], pairs.positive[0])) if len(pairs.positive) else float(pairs.negative[0])
    barrier = pairs.negative[q - allowed - 1]
    return float(np.nextafter(barrier, barrier.dtype.type(np.inf)))


Sides = tuple[np.ndarray, np.ndarray]  # counts a bin of positive and of negative pairs


@dataclass(frozen=True, eq=False)
class TwoLanes:
    """Two lanes on the same bins, a height a bin; how to draw them follows from `comparison`."""

    comparison: str  # one of COMPARISONS
    positive: tuple[np.ndarray, ...]  # of the first and the second lane; of a difference, one: second minus first
    negative: tuple[np.ndarray, ...]


def two_lanes(lanes: tuple[Sides, Sides], comparison: str, wholes: tuple[Sides, Sides] | None = None) -> TwoLanes:
    """Shares of each kind's pairs a bin: laid over each other, the second lane turned downwards, or subtracted.

    Shares and not counts, since probes may differ in size. wholes: what the shares are of, where only some pairs are
    counted. Raises ValueError on another comparison.
    """
    if comparison not in COMPARISONS:
        raise ValueError(f"comparison must be one of {', '.join(COMPARISONS)}, got {comparison!r}")
    kinds = []
    for kind in (0, 1):
        first, second = (_shares(lane[kind], whole[kind]) for lane, whole in zip(lanes, wholes or lanes, strict=True))
        drawn = {"overlay": (first, second), "mirror": (first, -second), "difference": (second - first,)}
        kinds.append(drawn[comparison])
    return TwoLanes(comparison, kinds[0], kinds[1])


def _shares(counts: np.ndarray, whole: np.ndarray) -> Float[np.ndarray, " bins"]:
    total = whole.sum()
    return np.asarray(counts / total if total else np.zeros(len(counts)), np.float64)
