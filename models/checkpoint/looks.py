"""A checkpoint as a look: what answers a brush, made where the embeddings are from a view that has come back."""

import numpy as np

from models.checkpoint.material import Material
from models.checkpoint.view import View
from models.diagnostics.coded import encode
from models.diagnostics.look import PROBE, Look
from models.spec import Value

WHY_NOT = "Brushing needs labels: of pairs and of queries with documents, findings alone can be marked."


def look_of(material: Material, view: View, loss: str, knobs: dict[str, Value]) -> Look:
    """The sampled items of a view. loss: the one that gave the weights, empty without; knobs: of it.

    Raises ValueError where pairs are not told by labels: a look knows an item's class alone.
    """
    if material.labels is None:
        raise ValueError(WHY_NOT)
    points = view.summary.points
    y, n, gradient = material.labels[points.item], len(points.item), view.gradient
    coded, left_out = None, np.empty(0, np.int32)
    if gradient is not None:
        same = y[:, None] == y[None, :]
        np.fill_diagonal(same, val=False)
        weight, met = np.zeros((n, n), np.float32), np.eye(n, dtype=bool)
        weight[gradient.anchor, gradient.candidate] = gradient.weight
        met[gradient.anchor, gradient.candidate] = True
        coded, left_out = encode(weight, same), np.flatnonzero(~met).astype(np.int32)
    return Look(
        z=material.embeddings[points.item],
        other=None,
        y=y,
        group=y,
        item=points.item,
        seen=points.seen,
        step=0,
        label=view.summary.label,
        loss=loss if gradient is not None else "",
        knobs={name: float(value) for name, value in knobs.items() if not isinstance(value, str)},
        of=PROBE,
        reads="items" if gradient is not None else "",
        coded=coded,
        view_rows=None,
        view_columns=None,
        left_out=left_out,
        why_no_weight=view.summary.why_no_weight,
    )
