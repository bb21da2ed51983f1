"""Anchor passport: whom one item is compared with, what each of them weighs, and what the next step would do.

The next step is that of free embeddings: every row of the look, the anchor and all others, moves by -rate dL/dz. The
encoder, the batch and the optimiser's memory are left out, so that only directions and ratios carry over to training.
Where the loss reads two views of each item, both are taken to lie where the item does.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from models.diagnostics.look import Look
from models.diagnostics.pairs import foremost

SHOWN = 20  # candidates of each kind


@dataclass(frozen=True, eq=False)
class Ranked:
    """Candidates of one kind by falling score, ties by position."""

    position: Int[np.ndarray, " k"]
    item: Int[np.ndarray, " k"]  # id
    label: Int[np.ndarray, " k"]  # class
    score: Float[np.ndarray, " k"]  # cosine
    share: Float[np.ndarray, " k"]  # of the softmax at the loss's temperature over all candidates; nan if it has none
    weight: Float[np.ndarray, " k"]  # dL/ds in the anchor's own row; nan without weights
    change: Float[np.ndarray, " k"]  # of the score by the next step, to first order; nan without weights


@dataclass(frozen=True, eq=False)
class Passport:
    """One anchor. Counts are of all its candidates, lists of the SHOWN nearest of each kind."""

    position: int
    item: int
    label: int
    positives: Ranked
    negatives: Ranked
    positive_count: int
    negative_count: int
    intruder: int  # position of the highest negative, the nearest intruder; -1 if there is no negative
    above: int  # negatives that score higher than the best positive
    gap: float  # best positive minus nearest intruder, cosine; below 0: the intruder is nearer; nan without both
    gap_change: float  # of that gap by the next step, between the same two pairs
    pull: float  # sum of the pulling weights in the anchor's row, as a positive number; nan without weights
    push: float
    temperature: float  # nan if the loss has none
    rate: float  # of the next step
    why_no_weight: str


def passport(look: Look, anchor: int, rate: float = 1.0) -> Passport:
    """The passport of the item at one position; raises IndexError if there is no such position.

    rate: length of the step along -dL/dz, to which all changes are proportional.
    """
    if not 0 <= anchor < len(look.y):
        raise IndexError(f"anchor must be a position from 0 to {len(look.y) - 1}, got {anchor}")
    pos, neg = np.flatnonzero(look.pos[anchor]), np.flatnonzero(look.neg[anchor])
    share, change = softmax_share(look, anchor), next_change(look, anchor, rate)
    score = look.s[anchor]
    positives, negatives = (_ranked(look, anchor, group, share, change) for group in (pos, neg))
    both = len(pos) > 0 and len(neg) > 0
    best, intruder = (int(ranked.position[0]) if len(ranked.position) else -1 for ranked in (positives, negatives))
    row = np.full(len(look.y), np.nan) if look.weight is None else look.weight[anchor].astype(np.float64)
    return Passport(
        position=anchor,
        item=int(look.item[anchor]),
        label=int(look.y[anchor]),
        positives=positives,
        negatives=negatives,
        positive_count=len(pos),
        negative_count=len(neg),
        intruder=intruder,
        above=int(np.count_nonzero(score[neg] > score[best])) if both else 0,
        gap=float(score[best] - score[intruder]) if both else float("nan"),
        gap_change=float(change[best] - change[intruder]) if both else float("nan"),
        pull=float(-np.minimum(row, 0.0).sum()),
        push=float(np.maximum(row, 0.0).sum()),
        temperature=look.temperature,
        rate=rate,
        why_no_weight=look.why_no_weight,
    )


def _ranked(look: Look, anchor: int, group: np.ndarray, share: np.ndarray, change: np.ndarray) -> Ranked:
    chosen = group[foremost(look.s[anchor, group], SHOWN)]
    weight = np.full(len(chosen), np.nan) if look.weight is None else look.weight[anchor, chosen]
    kept = (look.s[anchor, chosen], share[chosen], weight, change[chosen])
    return Ranked(chosen, look.item[chosen], look.y[chosen], *kept)


def softmax_share(look: Look, anchor: int) -> Float[np.ndarray, " n"]:
    """e^(s_j / T) / sum_k e^(s_k / T) over all candidates of the anchor, positive and negative; 0 for itself.

    nan where the loss has no temperature.
    """
    if not look.temperature > 0:
        return np.full(len(look.y), np.nan)
    counted = look.pos[anchor] | look.neg[anchor]
    logits = np.where(counted, look.s[anchor].astype(np.float64) / look.temperature, -np.inf)
    power = np.exp(logits - logits.max()) if counted.any() else np.zeros(len(logits))
    share: np.ndarray = power / max(power.sum(), 1e-300)
    return share


def descent(look: Look) -> tuple[Float[np.ndarray, "n d"], Float[np.ndarray, "n d"]]:
    """-dL/dz of the anchors and of the candidates, of one side the same array twice. Needs weights.

    With s_ij = u_i v_j, the gradient at u_i is sum_j w_ij v_j, of one side with w_ij + w_ji. Scaling to length 1 lets
    only its part across u_i through, divided by the length of z_i; a row of length 0 does not move.
    """
    assert look.pair_weight is not None, "this loss gives no weights to pairs"
    first = _through(look.pair_weight @ look.v, look.u, look.z)
    if look.other is None:
        return first, first
    return first, _through(look.pair_weight.T @ look.u, look.v, look.other)


def _through(at_unit: np.ndarray, unit: np.ndarray, z: np.ndarray) -> np.ndarray:
    along = np.einsum("ij,ij->i", at_unit, unit)[:, None]
    return -_over_length(at_unit - along * unit, z)


def _over_length(rows: np.ndarray, z: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(z, axis=1)[:, None]
    return np.asarray(np.divide(rows, length, out=np.zeros_like(rows), where=length > 0))


def next_change(look: Look, anchor: int, rate: float) -> Float[np.ndarray, " n"]:
    """Change of the anchor's scores if every embedding moves by -rate dL/dz, to first order; nan without weights.

    ds_ij = du_i v_j + u_i dv_j, where du is the move divided by the length of z: it already lies across u.
    """
    if look.weight is None:
        return np.full(len(look.y), np.nan)
    mine, theirs = descent(look)
    du = _over_length(mine, look.z)[anchor]
    dv = _over_length(theirs, look.z if look.other is None else look.other)
    change: np.ndarray = rate * (look.v @ du + dv @ look.u[anchor])
    return change
