"""The light measures that a run logs about itself every 50 steps: a few milliseconds on 500 items."""

import numpy as np
from jaxtyping import Bool, Float, Int

from models.diagnostics.anchors import anchor_statistics, averages
from models.diagnostics.items import Across, items_of, label_pairs, pair_scores
from models.diagnostics.neighbours import first_hits
from models.diagnostics.plane import plane
from models.diagnostics.roc import auc
from models.diagnostics.spectrum import rank_of


def measure(
    z: Float[np.ndarray, "n d"],
    y: Int[np.ndarray, " n"],
    seen: Bool[np.ndarray, " n"],
    across: Across | None = None,
) -> dict[str, float]:
    """Measures of embeddings z with labels y on the items of seen classes; `auc_unseen` is on pairs of the others.

    across: the other sides, where items have two; then pairs go from side A to side B, and the rank is of side A.
    Rows are normalised here. A measure that is not defined is nan: see `reasons.why_undefined`.
    """
    if across is None:
        items, unseen = items_of(z[seen], y[seen]), items_of(z[~seen], y[~seen])
        pairs, others = label_pairs(items), label_pairs(unseen)
    else:
        items, unseen = across.of(z, y, seen), across.of(z, y, ~seen)
        pairs, others = (pair_scores(held.s, held.pos, held.neg) for held in (items, unseen))
    spread = plane(items)
    hits = first_hits(items)
    return {
        "auc": auc(pairs),
        "auc_unseen": auc(others),
        "recall_at_1": float(np.nanmean(hits)) if np.isfinite(hits).any() else float("nan"),
        "uniformity": spread.uniformity,
        "tolerance": spread.tolerance,
        "alignment": spread.alignment,
        "effective_rank": rank_of(items.u),
        **averages(anchor_statistics(items.s, items.pos, items.neg)),
    }
