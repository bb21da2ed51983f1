"""Loss against score: what the real loss makes of one anchor if a single score moved and all others stayed."""

import numpy as np
import torch

from models.catalogue import find
from models.diagnostics.anchor_curve import AnchorLoss, ScoreCurve
from models.diagnostics.anchor_symbols import formula
from models.diagnostics.anchor_terms import LOSSES, Knobs, Row, anchor_losses, anchor_share, row_of
from models.diagnostics.look import Look
from models.geometry import Scores
from models.sensitivity import value_and_weights
from models.spec import Value

POINTS = 81  # of a curve


def usual_anchor(look: Look, knobs: Knobs) -> int:
    """Position of the anchor with the largest term among those with a positive and a negative; -1 if there is none."""
    found = anchor_losses(look, knobs)
    if found is None:
        return -1
    both = look.read_pos.any(axis=1) & look.read_neg.any(axis=1)
    ranked = np.where(both & np.isfinite(found), found, -np.inf)
    return int(ranked.argmax()) if both.any() else -1


def anchor_loss(
    look: Look, anchor: int, knobs: Knobs, positive: int | None = None, negative: int | None = None
) -> AnchorLoss:
    """The term of the item at one position.

    knobs: all of the loss, as they stand. positive, negative: positions of the candidates whose scores move; None, or
    one of another kind: the lowest positive, the highest negative. Raises IndexError if there is no such anchor.
    """
    row = row_of(look, anchor, knobs)
    reason = _reason(look, row)
    if reason:
        return AnchorLoss(anchor, float("nan"), float("nan"), (), None, "", reason)
    share, module = anchor_share(look, anchor, knobs), find("losses", look.loss)
    scores, given = _alone(look.loss, row)
    value, weights = value_and_weights(module, scores, **given)
    slopes = weights[0].numpy()
    columns = (
        positive if positive is not None and row.pos[positive] else int(row.positives[0]),
        negative if negative is not None and row.neg[negative] else int(row.negatives[0]),
    )
    curves = tuple(_curve(look.loss, row, column, float(slopes[column]), share) for column in columns)
    told = formula(look.loss, row, columns[0], value)
    return AnchorLoss(anchor, value, share, curves, told, module.SPEC.detached)


def _reason(look: Look, row: Row) -> str:
    if look.coded is None:
        return look.why_no_weight
    if look.loss not in LOSSES:
        return "of this loss only the weights of the pairs are known: its anchors do not lose each for itself"
    if not (row.pos.any() and row.neg.any()):
        return f"this item has no {'negative' if row.pos.any() else 'positive'} here, so that nothing is compared"
    return ""


def _alone(loss: str, row: Row) -> tuple[Scores, dict[str, Value]]:
    """The row as a batch of one anchor, and the knobs; triplets are summed, so that no mean moves with a score."""
    scores = Scores(*(torch.from_numpy(np.array(part[None])) for part in (row.s, row.pos, row.neg)))
    return scores, {**row.knobs, **({"reduction": "sum"} if loss == "triplet" else {})}


@torch.no_grad()
def _curve(loss: str, row: Row, column: int, slope: float, share: float) -> ScoreCurve:
    scores, knobs = _alone(loss, row)
    grid, module, values = np.linspace(-1.0, 1.0, POINTS), find("losses", loss), []
    for score in grid:
        scores.s[0, column] = score
        values.append(float(module.loss(scores, **knobs)))
    return ScoreCurve(column, bool(row.pos[column]), grid, np.array(values), float(row.s[column]), slope, slope * share)
