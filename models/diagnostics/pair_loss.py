"""The part of each pair in a loss that is a sum over pairs; that of a positive includes what its negatives do to it.

The value is the one that the loss has on the whole look, its mean included: all parts add up to it. Losses that compare
pairs with pairs, keep the hardest of a row or take a logarithm over all of one kind have no part a pair.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float

from models.diagnostics.look import Look

Matrix = Float[np.ndarray, "n m"]
Mask = Bool[np.ndarray, "n m"]
Knobs = dict[str, float]


def pair_losses(look: Look) -> tuple[Matrix | None, str]:
    """(parts, "") of all pairs as the loss reads them, anchors in rows; (None, reason) where there are none."""
    if look.weight is None:
        return None, look.why_no_weight
    if look.loss not in PARTS:
        return None, "this loss is no sum over pairs: a pair has a weight, and no part of the value"
    s = look.read_s.astype(np.float64)
    return PARTS[look.loss](s, look.read_pos, look.read_neg, look.knobs), ""


def log_sum(s: Matrix, mask: Mask) -> Float[np.ndarray, "n 1"]:
    """Log of the sum of e^s over the masked entries of each row; -inf where a row has none."""
    held = np.where(mask, s, -np.inf)
    top = held.max(axis=1, keepdims=True)
    top = np.where(np.isfinite(top), top, 0.0)
    with np.errstate(divide="ignore"):
        total: np.ndarray = top + np.log(np.exp(held - top).sum(axis=1, keepdims=True))
    return total


def _race(s: Matrix, pos: Mask, neg: Mask, temperature: float) -> Matrix:
    """InfoNCE and N-pair: mean over positives of log(1 + sum_k e^((s_ik - s_ij) / T))."""
    logits = s / temperature
    return np.where(pos, np.logaddexp(0.0, log_sum(logits, neg) - logits), 0.0) / max(int(pos.sum()), 1)


def _supcon(s: Matrix, pos: Mask, neg: Mask, knobs: Knobs) -> Matrix:
    """Mean over anchors with positives of mean_j -log(e_ij / sum_k e_ik), k over all counted pairs."""
    logits = s / knobs["temperature"]
    count = pos.sum(axis=1, keepdims=True)
    terms = np.where(pos, log_sum(logits, pos | neg) - logits, 0.0)
    return np.asarray(terms / np.maximum(count, 1) / max(int(np.count_nonzero(count)), 1))


def _contrastive(s: Matrix, pos: Mask, neg: Mask, knobs: Knobs) -> Matrix:
    """Mean over anchors of sum_k [s_ik - threshold]_+ - sum_j s_ij."""
    push = np.where(neg, np.maximum(s - knobs["threshold"], 0.0), 0.0)
    return np.asarray((push - np.where(pos, s, 0.0)) / len(s))


def _binomial_deviance(s: Matrix, pos: Mask, neg: Mask, knobs: Knobs) -> Matrix:
    """Mean over anchors of mean_j softplus(alpha (l - s_ij)) + mean_k softplus(beta (s_ik - l))."""
    gap = s - knobs["threshold"]
    parts = np.zeros_like(s)
    for mask, rate in ((pos, -knobs["alpha"]), (neg, knobs["beta"])):
        count = np.maximum(mask.sum(axis=1, keepdims=True), 1)
        parts += np.where(mask, np.logaddexp(0.0, rate * gap), 0.0) / count
    return np.asarray(parts / len(s))


def _simple_contrastive(s: Matrix, pos: Mask, neg: Mask, knobs: Knobs) -> Matrix:
    """Mean over positives (i, j) of -s_ij + w sum_k s_ik: negative k counts once for each positive of i."""
    count = pos.sum(axis=1, keepdims=True)
    terms = np.where(neg, knobs["negative_weight"] * count * s, 0.0) - np.where(pos, s, 0.0)
    return np.asarray(terms / max(int(count.sum()), 1))


PARTS: dict[str, Callable[[Matrix, Mask, Mask, Knobs], Matrix]] = {
    "infonce": lambda s, pos, neg, knobs: _race(s, pos, neg, knobs["temperature"]),
    "n_pair": lambda s, pos, neg, knobs: _race(s, pos, neg, 1.0),
    "supcon": _supcon,
    "contrastive": _contrastive,
    "binomial_deviance": _binomial_deviance,
    "simple_contrastive": _simple_contrastive,
}
