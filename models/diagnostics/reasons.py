"""Why a measure is nan, in words for the page."""

import numpy as np
from jaxtyping import Bool, Float, Int

from models.diagnostics.items import unit_rows
from models.diagnostics.spectrum import rank_of

_BOTH = ("auc", "auc_low", "auc_high", "equal_error", "overlap", "d_prime")
_POSITIVE = ("recall_at_1", "map_at_r", "knn", "tolerance", "alignment", "pos_mean", "pos_var")
_NEGATIVE = ("neg_mean", "neg_var")
_POINT = ("effective_rank", "d_prime")


def why_undefined(
    z: Float[np.ndarray, "n d"], y: Int[np.ndarray, " n"], seen: Bool[np.ndarray, " n"]
) -> dict[str, str]:
    """Measure name -> reason, for the measures that these items leave undefined; empty if all are defined."""
    found: dict[str, str] = {}
    pairless = _pairs(y[seen], "of seen classes")
    for kind, names in (("both", _BOTH), ("positive", _POSITIVE), ("negative", _NEGATIVE)):
        found |= dict.fromkeys(names, pairless[kind]) if kind in pairless else {}
    if seen.sum() < 2:
        found |= dict.fromkeys(("uniformity", "effective_rank"), pairless["both"])
    elif not np.isfinite(rank_of(unit_rows(z[seen]))):
        found |= dict.fromkeys(_POINT, "all embeddings lie in one point: nothing varies")
    elif seen.sum() == 2 and "neg_mean" not in found:
        found["neg_var"] = "each item of seen classes has one negative: a variance needs two"
    unseen = _pairs(y[~seen], "of unseen classes")
    return found | ({"auc_unseen": unseen["both"]} if "both" in unseen else {})


def _pairs(y: np.ndarray, which: str) -> dict[str, str]:
    """Which kinds of pair are missing among labels y, and why."""
    if len(y) < 2:
        count = "there is no item" if len(y) == 0 else "there is one item"
        return dict.fromkeys(("both", "positive", "negative"), f"{count} {which}: a pair needs two")
    classes = len(np.unique(y))
    if classes == 1:
        reason = f"all items {which} share one class: there is no negative pair"
        return {"both": reason, "negative": reason}
    if classes == len(y):
        reason = f"every item {which} is alone in its class: there is no positive pair"
        return {"both": reason, "positive": reason}
    return {}
