"""Classes against classes of one moment, small enough to travel with every summary."""

import numpy as np
from jaxtyping import Float, Int

from models.diagnostics.summary import ClassProfile
from models.snapshot import Snapshot

MOST = 30  # classes with a row of their own; the rest share one
OTHER = -1  # the label of that row


def class_profile(snapshot: Snapshot) -> ClassProfile:
    """Mean cosine and mass of gradient of every two classes, anchors' classes in rows, over all pairs of the probe.

    Beyond MOST classes, those with the fewest items (ties: the later labels) become one row of OTHER at the end.
    """
    label, code = _grouped(snapshot.y)
    member = (code[:, None] == np.arange(len(label))[None, :]).astype(np.float32)  # (n, c)
    counted = (snapshot.pos | snapshot.neg).astype(np.float32)

    def summed(values: np.ndarray) -> Float[np.ndarray, "c c"]:
        return np.asarray((member.T @ values @ member).astype(np.float64))

    count = summed(counted)
    total = summed(snapshot.s.astype(np.float32) * counted)
    similarity = np.divide(total, count, out=np.full(count.shape, np.nan), where=count > 0)
    pull = push = np.empty((0, 0))
    if snapshot.weight is not None:
        size = np.abs(snapshot.weight)
        all_of_it = float(size.sum())
        weight = (snapshot.weight / all_of_it if all_of_it > 0 else 0.0 * snapshot.weight).astype(np.float32)
        net, mass = summed(weight), summed(np.abs(weight))
        push, pull = np.maximum(mass + net, 0.0) / 2, np.maximum(mass - net, 0.0) / 2  # rounding alone is below 0
    return ClassProfile(label, count.round().astype(np.int64), similarity, pull, push)


def _grouped(y: Int[np.ndarray, " n"]) -> tuple[Int[np.ndarray, " c"], Int[np.ndarray, " n"]]:
    """Labels of the rows, rising, OTHER last; and the row of every item."""
    label, code, held = np.unique(y, return_inverse=True, return_counts=True)
    if len(label) <= MOST:
        return label, code
    kept = np.sort(np.argsort(-held, kind="stable")[: MOST - 1])
    row = np.full(len(label), MOST - 1)
    row[kept] = np.arange(MOST - 1)
    return np.append(label[kept], OTHER), row[code]
