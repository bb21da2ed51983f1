"""The part of each pair in a loss that is a sum over pairs; that of a positive includes what its negatives do to it.

The value is the one that the loss has on the whole look, its mean included: all parts add up to it. Losses that compare
pairs with pairs, keep the hardest of a row or take a logarithm over all of one kind have no part a pair.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from models.diagnostics.look import Look

Matrix = Float[np.ndarray, "n m"]
Mask = Bool[np.ndarray, "n m"]
Knobs = dict[str, float]


@dataclass(frozen=True)
class Totals:
    """What means are over, in the whole look, so that some of its rows can be worked alone."""

    anchors: int
    positives: int  # pairs, both directions
    active: int  # anchors with a positive


def pair_losses(look: Look, rows: Int[np.ndarray, " n"] | None = None) -> tuple[Matrix | None, str]:
    """(parts, "") of the pairs of some anchors, or all, as the loss reads them; (None, reason) where there are none."""
    if look.coded is None:
        return None, look.why_no_weight
    if look.loss not in PARTS:
        return None, "this loss is no sum over pairs: a pair has a weight, and no part of the value"
    each = np.count_nonzero(look.read_pos, axis=1)
    totals = Totals(len(each), max(int(each.sum()), 1), max(int(np.count_nonzero(each)), 1))
    chosen = slice(None) if rows is None else rows
    s = look.read_s[chosen].astype(np.float64)
    return PARTS[look.loss](s, look.read_pos[chosen], look.read_neg[chosen], look.knobs, totals), ""


def log_sum(s: Matrix, mask: Mask) -> Float[np.ndarray, "n 1"]:
    """Log of the sum of e^s over the masked entries of each row; -inf where a row has none."""
    held = np.where(mask, s, -np.inf)
    top = held.max(axis=1, keepdims=True)
    top = np.where(np.isfinite(top), top, 0.0)
    with np.errstate(divide="ignore"):
        total: np.ndarray = top + np.log(np.exp(held - top).sum(axis=1, keepdims=True))
    return total


def _race(s: Matrix, pos: Mask, neg: Mask, temperature: float, totals: Totals) -> Matrix:
    """InfoNCE and N-pair: mean over positives of log(1 + sum_k e^((s_ik - s_ij) / T))."""
    logits = s / temperature
    return np.asarray(np.where(pos, np.logaddexp(0.0, log_sum(logits, neg) - logits), 0.0) / totals.positives)


def _infonce(s: Matrix, pos: Mask, neg: Mask, knobs: Knobs, totals: Totals) -> Matrix:
    return _race(s, pos, neg, knobs["temperature"], totals)


def _n_pair(s: Matrix, pos: Mask, neg: Mask, knobs: Knobs, totals: Totals) -> Matrix:
    return _race(s, pos, neg, 1.0, totals)


def _supcon(s: Matrix, pos: Mask, neg: Mask, knobs: Knobs, totals: Totals) -> Matrix:
    """Mean over anchors with positives of mean_j -log(e_ij / sum_k e_ik), k over all counted pairs."""
    logits = s / knobs["temperature"]
    count = pos.sum(axis=1, keepdims=True)
    terms = np.where(pos, log_sum(logits, pos | neg) - logits, 0.0)
    return np.asarray(terms / np.maximum(count, 1) / totals.active)


def _contrastive(s: Matrix, pos: Mask, neg: Mask, knobs: Knobs, totals: Totals) -> Matrix:
    """Mean over anchors of sum_k [s_ik - threshold]_+ - sum_j s_ij."""
    push = np.where(neg, np.maximum(s - knobs["threshold"], 0.0), 0.0)
    return np.asarray((push - np.where(pos, s, 0.0)) / totals.anchors)


def _binomial_deviance(s: Matrix, pos: Mask, neg: Mask, knobs: Knobs, totals: Totals) -> Matrix:
    """Mean over anchors of mean_j softplus(alpha (l - s_ij)) + mean_k softplus(beta (s_ik - l))."""
    gap = s - knobs["threshold"]
    parts = np.zeros_like(s)
    for mask, rate in ((pos, -knobs["alpha"]), (neg, knobs["beta"])):
        count = np.maximum(mask.sum(axis=1, keepdims=True), 1)
        parts += np.where(mask, np.logaddexp(0.0, rate * gap), 0.0) / count
    return np.asarray(parts / totals.anchors)


def _simple_contrastive(s: Matrix, pos: Mask, neg: Mask, knobs: Knobs, totals: Totals) -> Matrix:
    """Mean over positives (i, j) of -s_ij + w sum_k s_ik: negative k counts once for each positive of i."""
    count = pos.sum(axis=1, keepdims=True)
    terms = np.where(neg, knobs["negative_weight"] * count * s, 0.0) - np.where(pos, s, 0.0)
    return np.asarray(terms / totals.positives)


PARTS: dict[str, Callable[[Matrix, Mask, Mask, Knobs, Totals], Matrix]] = {
    "infonce": _infonce,
    "n_pair": _n_pair,
    "supcon": _supcon,
    "contrastive": _contrastive,
    "binomial_deviance": _binomial_deviance,
    "simple_contrastive": _simple_contrastive,
}
