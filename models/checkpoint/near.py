"""Retrieval among all items of a checkpoint, not among a sample: recall@1 and the vote of the nearest."""

import numpy as np

from models.checkpoint.diagnosis import Metric
from models.checkpoint.material import Material
from models.diagnostics.items import unit_rows
from models.diagnostics.measured import Measured, share_interval
from models.diagnostics.near import VOTERS, Near, near

QUICK = 5 * 10**10  # items times items times dimensions
NAMES = (("recall_at_1_of_all", "recall@1, among all items"), ("knn_of_all", f"Vote of {VOTERS}, among all items"))


def among_all(material: Material) -> tuple[Metric, ...]:
    """Both numbers with the interval of a share over items; nothing where items have no labels.

    Where neighbours cannot be looked for they are nan and `why` says the reason.
    """
    if material.labels is None:
        return ()
    y = material.labels
    asking = np.bincount(y)[y] > 1
    try:
        found = near(unit_rows(material.embeddings))
    except ValueError as error:
        return tuple(Metric(key, name, Measured(float("nan")), "", str(error)) for key, name in NAMES)
    first, vote = (y[found.index[:, 0]] == y)[asking], (_vote(y, found.index) == y)[asking]
    if not asking.any():
        why = "no item has another of its class"
        return tuple(Metric(key, name, Measured(float("nan")), "", why) for key, name in NAMES)
    values = [share_interval(int(right.sum()), len(right)) for right in (first, vote)]
    scope = said(found, len(y))
    return tuple(Metric(key, name, value, scope) for (key, name), value in zip(NAMES, values, strict=True))


def quick(material: Material) -> bool:
    """Whether it takes seconds."""
    return material.z is not None and material.size**2 * material.dim <= QUICK


def said(found: Near, n: int) -> str:
    """`exact over 20,000 items`, or how much of the truth the index finds."""
    if found.exact:
        return f"exact over {n:,} items"
    return f"{n:,} items by an index (pynndescent) that finds {found.found} of the {found.index.shape[1]} nearest"


def _vote(y: np.ndarray, nearest: np.ndarray) -> np.ndarray:
    """Most frequent label among each row's neighbours; a tie goes to the label of the nearest of those tied."""
    given = y[nearest]
    votes = (given[:, :, None] == given[:, None, :]).sum(axis=2)
    winners: np.ndarray = given[np.arange(len(given)), votes.argmax(axis=1)]
    return winners
