"""The numbers of a finished run, as a sweep and a table of runs keep them."""

import numpy as np
from jaxtyping import Float, Int

from models.diagnostics.items import pair_scores, snapshot_items, unit_rows
from models.diagnostics.neighbours import linear_probe, neighbours
from models.diagnostics.plane import plane
from models.diagnostics.roc import auc, roc
from models.diagnostics.spectrum import spectrum
from models.snapshot import Snapshot


def final_metrics(
    snapshot: Snapshot, train_z: Float[np.ndarray, "t d"], train_y: Int[np.ndarray, " t"]
) -> dict[str, float]:
    """Measures on the probe's items of seen classes; `auc_unseen` on pairs of the others.

    The linear probe learns from the training embeddings and is tested on the probe, both as unit rows: the space in
    which the loss compares. A measure that is not defined is nan: see `reasons.why_undefined`.
    """
    seen, unseen = snapshot_items(snapshot, snapshot.seen), snapshot_items(snapshot, ~snapshot.seen)
    curve, spread, near = roc(seen.s, seen.pos, seen.neg), plane(seen), neighbours(seen)
    return {
        "auc": curve.auc,
        "auc_low": curve.low,
        "auc_high": curve.high,
        "auc_unseen": auc(pair_scores(unseen.s, unseen.pos, unseen.neg)),
        "uniformity": spread.uniformity,
        "tolerance": spread.tolerance,
        "alignment": spread.alignment,
        "recall_at_1": near.recall_at_1,
        "map_at_r": near.map_at_r,
        "knn": near.knn,
        "linear_probe": linear_probe(unit_rows(train_z), train_y, seen.u, seen.y),
        "effective_rank": spectrum(seen.u).effective_rank,
    }
