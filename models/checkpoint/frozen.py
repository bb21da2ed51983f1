"""All losses on frozen embeddings: where each stands between its levels, and whose gradient agrees with the named.

The batch is that of `models.agreement`, with pairs by label; losses at the defaults of their knobs.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from models.agreement import compare
from models.checkpoint.material import Material
from models.checkpoint.sample import choose
from models.diagnostics.agreement import Comparison

BATCH = 256  # items of the one batch


@dataclass(frozen=True)
class Standing:
    """One loss on the embeddings."""

    key: str
    value: float  # nan for a loss of which only the gradient means something
    way: float  # share of the way from chance to perfect; nan where one of them is not defined
    active: float  # share of pairs with a weight
    agreement: float  # cosine of its gradient with the named loss's; nan without one, or without a gradient

    def as_dict(self) -> dict[str, Any]:
        """For JSON: numbers that are not defined are None."""
        numbers = {name: getattr(self, name) for name in ("value", "way", "active", "agreement")}
        return {"key": self.key, **{name: float(x) if np.isfinite(x) else None for name, x in numbers.items()}}


@dataclass(frozen=True, eq=False)
class Frozen:
    """All losses on one batch of a checkpoint."""

    named: str  # the loss it was trained with; empty if unknown
    rows: np.ndarray  # (b,) of the batch
    standings: tuple[Standing, ...]  # those that agree most with the named loss first; else by key
    comparison: Comparison  # the whole matrix, with profiles
    why_no_agreement: str  # empty if there is


def frozen(material: Material, loss: str | None = None, batch: int = BATCH) -> Frozen:
    """Every loss with pair weights on one batch of the embeddings, without training.

    loss: key of that it was trained with. Raises ValueError without labels, and for a batch below 4.
    """
    if material.labels is None:
        raise ValueError(f"losses are compared on items with labels; {material.name} has {material.door}")
    if batch < 4:
        raise ValueError(f"batch must be 4 items at least, got {batch}")
    rows = choose(material, batch).rows
    found = compare(material.embeddings[rows], material.labels[rows])
    keys = [reading.key for reading in found.readings]
    cosine = np.full(len(keys), np.nan)
    why = "" if loss else "no loss was named"
    if loss in keys:
        cosine = found.cosine["all"][keys.index(loss)]
    elif loss:
        why = found.left_out.get(loss, f"{loss} is not among the losses that were compared")
    standings = [
        Standing(reading.key, reading.value, reading.way, reading.active, float(agreement))
        for reading, agreement in zip(found.readings, cosine, strict=True)
    ]
    standings.sort(key=lambda one: (-one.agreement if np.isfinite(one.agreement) else np.inf, one.key))
    return Frozen(loss or "", rows, tuple(standings), found, why)
