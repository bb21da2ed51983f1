"""Classes against classes of one moment, small enough to travel with every summary."""

import numpy as np
from jaxtyping import Bool, Float, Int

from models.diagnostics.summary import ClassProfile
from models.snapshot import Snapshot

MOST = 30  # classes with a row of their own; the rest share one
OTHER = -1  # the label of that row


def class_profile(snapshot: Snapshot) -> ClassProfile:
    """Mean cosine and mass of gradient of every two classes, anchors' classes in rows, over all pairs of the probe.

    Beyond MOST classes, those with the fewest items (ties: the later labels) become one row of OTHER at the end.
    """
    return profile_of(snapshot.y, snapshot.s, snapshot.pos | snapshot.neg, snapshot.weight)


def profile_of(
    y: Int[np.ndarray, " n"],
    s: Float[np.ndarray, "n n"],
    pairs: Bool[np.ndarray, "n n"],
    weight: Float[np.ndarray, "n n"] | None,
) -> ClassProfile:
    """The same of any items; `pairs` says which pairs count."""
    label, code = _grouped(y)
    member = (code[:, None] == np.arange(len(label))[None, :]).astype(np.float32)  # (n, c)
    counted = pairs.astype(np.float32)

    def summed(values: np.ndarray) -> Float[np.ndarray, "c c"]:
        return np.asarray((member.T @ values @ member).astype(np.float64))

    count = summed(counted)
    total = summed(s.astype(np.float32) * counted)
    similarity = np.divide(total, count, out=np.full(count.shape, np.nan), where=count > 0)
    pull = push = np.empty((0, 0))
    if weight is not None:
        all_of_it = float(np.abs(weight).sum())
        share = (weight / all_of_it if all_of_it > 0 else 0.0 * weight).astype(np.float32)
        net, mass = summed(share), summed(np.abs(share))
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
