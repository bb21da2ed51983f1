"""One anchor's own term of a loss, in closed form: its value, what it counts for, and the symbols of its formula.

The reduced loss is the sum of `anchor_share` times these terms, up to terms that no score moves. Losses whose rows do
not part in this way are not listed: of them only the weights of pairs are known.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from models.diagnostics.look import Look
from models.diagnostics.pair_loss import log_sum
from models.spec import Value

Knobs = Mapping[str, Value]
Rows = Callable[[np.ndarray, np.ndarray, np.ndarray, Knobs], np.ndarray]


@dataclass(frozen=True, eq=False)
class Row:
    """What the loss reads of one anchor: scores (m,) in float64, and which candidates are positive and negative."""

    s: np.ndarray
    pos: np.ndarray
    neg: np.ndarray
    knobs: Knobs

    @property
    def positives(self) -> np.ndarray:
        """Positions of the positives, the lowest score first: the one that is hardest to hold."""
        at = np.flatnonzero(self.pos)
        return np.asarray(at[np.argsort(self.s[at], kind="stable")])

    @property
    def negatives(self) -> np.ndarray:
        """Positions of the negatives, the highest score first."""
        at = np.flatnonzero(self.neg)
        return np.asarray(at[np.argsort(-self.s[at], kind="stable")])


def row_of(look: Look, anchor: int, knobs: Knobs) -> Row:
    """The row of the item at one position; raises IndexError if there is no such position."""
    if not 0 <= anchor < len(look.y):
        raise IndexError(f"anchor must be a position from 0 to {len(look.y) - 1}, got {anchor}")
    return Row(look.read_s[anchor].astype(np.float64), look.read_pos[anchor], look.read_neg[anchor], knobs)


def anchor_losses(look: Look, knobs: Knobs) -> np.ndarray | None:
    """(n,) the term of every anchor, nan where it does not count; None where the loss is not one of LOSSES."""
    if look.coded is None or look.loss not in LOSSES:
        return None
    return LOSSES[look.loss](look.read_s.astype(np.float64), look.read_pos, look.read_neg, knobs)


def anchor_share(look: Look, anchor: int, knobs: Knobs) -> float:
    """What the term of an anchor counts for in the reduced loss, the triplets that are active now held."""
    pos, neg = look.read_pos, look.read_neg
    each = np.count_nonzero(pos, axis=1)
    if look.loss == "infonce":
        return float(each[anchor]) / max(int(each.sum()), 1)
    if look.loss == "supcon":
        return 1.0 / max(int(np.count_nonzero(each)), 1)
    if look.loss == "circle":
        return 1.0 / max(int(np.count_nonzero((each > 0) & neg.any(axis=1))), 1)
    reduction = knobs.get("reduction", "sum") if look.loss == "triplet" else "sum"
    if reduction == "mean":
        return 1.0 / max(int((each * np.count_nonzero(neg, axis=1)).sum()), 1)
    if reduction == "mean_active":
        margin = float(knobs["margin"])
        total = sum(active_triplets(look.read_s[i].astype(np.float64), pos[i], neg[i], margin) for i in range(len(pos)))
        return 1.0 / max(total, 1)
    return 1.0 / len(pos)


def active_triplets(s: np.ndarray, pos: np.ndarray, neg: np.ndarray, margin: float) -> int:
    """Triplets of one row with s_k - s_j + margin > 0."""
    rising = np.sort(s[neg])
    return int((len(rising) - np.searchsorted(rising, s[pos] - margin, "right")).sum())


def _over_positives(terms: np.ndarray, pos: np.ndarray) -> np.ndarray:
    """Mean over the positives of each row, nan without one."""
    count = np.count_nonzero(pos, axis=1)
    total = np.where(pos, terms, 0.0).sum(axis=1)
    return np.asarray(np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0))


def _infonce(s: np.ndarray, pos: np.ndarray, neg: np.ndarray, knobs: Knobs) -> np.ndarray:
    """mean_j log(1 + sum_k e^((s_ik - s_ij) / T))."""
    logits = s / float(knobs["temperature"])
    return _over_positives(np.logaddexp(0.0, log_sum(logits, neg) - logits), pos)


def _supcon(s: np.ndarray, pos: np.ndarray, neg: np.ndarray, knobs: Knobs) -> np.ndarray:
    """log sum_(k counted) e^(s_ik / T) - mean_j s_ij / T."""
    logits = s / float(knobs["temperature"])
    return _over_positives(log_sum(logits, pos | neg) - logits, pos)


def _triplet(s: np.ndarray, pos: np.ndarray, neg: np.ndarray, knobs: Knobs) -> np.ndarray:
    """sum_jk [s_ik - s_ij + m]_+, by counting: the negatives above s_ij - m, and the sum of their scores."""
    margin, found = float(knobs["margin"]), np.zeros(len(s))
    for i in range(len(s)):
        rising = np.sort(s[i, neg[i]])
        above = np.append(np.cumsum(rising[::-1])[::-1], 0.0)  # sum of the scores from here up
        edge = s[i, pos[i]] - margin
        first = np.searchsorted(rising, edge, "right")
        found[i] = (above[first] - (len(rising) - first) * edge).sum()
    return found


def _contrastive(s: np.ndarray, pos: np.ndarray, neg: np.ndarray, knobs: Knobs) -> np.ndarray:
    """sum_k [s_ik - l]_+ - sum_j s_ij."""
    push = np.where(neg, np.maximum(s - float(knobs["threshold"]), 0.0), 0.0)
    return np.asarray((push - np.where(pos, s, 0.0)).sum(axis=1))


def mined(s: np.ndarray, pos: np.ndarray, neg: np.ndarray, knobs: Knobs) -> tuple[np.ndarray, np.ndarray]:
    """Positives below the hardest negative plus the mining margin, negatives above the hardest positive minus it."""
    margin = float(knobs["mining_margin"])
    if margin <= 0:
        return pos, neg
    hardest_positive = np.where(pos, s, np.inf).min(axis=-1, keepdims=True)
    hardest_negative = np.where(neg, s, -np.inf).max(axis=-1, keepdims=True)
    return pos & (s < hardest_negative + margin), neg & (s > hardest_positive - margin)


def _multi_similarity(s: np.ndarray, pos: np.ndarray, neg: np.ndarray, knobs: Knobs) -> np.ndarray:
    """log(1 + sum_j e^(-a (s_ij - l))) / a + log(1 + sum_k e^(b (s_ik - l))) / b, over mined pairs."""
    alpha, beta, middle = (float(knobs[name]) for name in ("alpha", "beta", "threshold"))
    kept = mined(s, pos, neg, knobs)
    pull, push = log_sum(-alpha * (s - middle), kept[0]), log_sum(beta * (s - middle), kept[1])
    return np.asarray((np.logaddexp(0.0, pull) / alpha + np.logaddexp(0.0, push) / beta)[:, 0])


def circle_exponents(s: np.ndarray, knobs: Knobs) -> tuple[np.ndarray, np.ndarray]:
    """gamma [s + m]_+ (s - m) of a negative and -gamma [1 + m - s]_+ (s - 1 + m) of a positive."""
    margin, gamma = float(knobs["margin"]), float(knobs["gamma"])
    push = gamma * np.maximum(s + margin, 0.0) * (s - margin)
    pull = -gamma * np.maximum(1.0 + margin - s, 0.0) * (s - 1.0 + margin)
    return push, pull


def _circle(s: np.ndarray, pos: np.ndarray, neg: np.ndarray, knobs: Knobs) -> np.ndarray:
    """log(1 + sum_k e^push sum_j e^pull); nan without both kinds."""
    push, pull = circle_exponents(s, knobs)
    both = (log_sum(push, neg) + log_sum(pull, pos))[:, 0]
    return np.where(np.isfinite(both), np.logaddexp(0.0, both), np.nan)


LOSSES: dict[str, Rows] = {
    "infonce": _infonce,
    "supcon": _supcon,
    "triplet": _triplet,
    "contrastive": _contrastive,
    "multi_similarity": _multi_similarity,
    "circle": _circle,
}
