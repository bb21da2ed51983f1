"""The light measures that a run logs about itself every 50 steps: a few milliseconds on 500 items."""

import numpy as np
from jaxtyping import Bool, Float, Int

from models.diagnostics.anchors import anchor_statistics, averages
from models.diagnostics.items import items_of, label_pairs
from models.diagnostics.neighbours import first_hits
from models.diagnostics.plane import plane
from models.diagnostics.roc import auc
from models.diagnostics.spectrum import rank_of


def measure(z: Float[np.ndarray, "n d"], y: Int[np.ndarray, " n"], seen: Bool[np.ndarray, " n"]) -> dict[str, float]:
    """Measures of embeddings z with labels y on the items of seen classes; `auc_unseen` is on pairs of the others.

    Rows are normalised here. A measure that is not defined is nan: see `reasons.why_undefined`.
    """
    items, unseen = items_of(z[seen], y[seen]), items_of(z[~seen], y[~seen])
    spread = plane(items)
    hits = first_hits(items)
    return {
        "auc": auc(label_pairs(items)),
        "auc_unseen": auc(label_pairs(unseen)),
        "recall_at_1": float(np.nanmean(hits)) if np.isfinite(hits).any() else float("nan"),
        "uniformity": spread.uniformity,
        "tolerance": spread.tolerance,
        "alignment": spread.alignment,
        "effective_rank": rank_of(items.u),
        **averages(anchor_statistics(items.s, items.pos, items.neg)),
    }
