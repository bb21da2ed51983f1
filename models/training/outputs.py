"""What a head's outputs are of, and the weight of one item as a function of its margin."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from models.diagnostics.margins import of_scores, strength
from models.geometry import Embeddings, Scores
from models.objective import Objective
from models.sensitivity import pair_weights
from models.snapshot import Outputs

POINTS = 61  # of the theoretical curve
MOVES: tuple[Callable[[Tensor], Tensor], ...] = (lambda s: 2.0 * s, lambda s: s + 1.0, lambda s: -s)
NO_SLICE = ("multilabel", "preference")  # an item has several margins, or a reference that goes along with it


def outputs(objective: Objective, scores: Scores, anchors: Embeddings, weight: Tensor) -> Outputs:
    """The outputs of a loss that reads logits; weight: dL/dlogits of the probe, (n, outputs).

    The curve is that of the slice through the item of median margin along its own logit, all its other logits as they
    stand: with two classes, all there is to a margin. Of a number, the target moves and the logits stand. There is none
    where items share a term or only the gradient means something.
    """
    spec, residual = objective.spec, None
    if spec.target == "real":
        predicted = objective.predict(anchors.z)
        assert predicted is not None, "a loss that predicts numbers has a head"
        assert anchors.target is not None, "Objective.view has read the targets"
        residual = (predicted - anchors.target).cpu().numpy()
    empty, gained = np.empty(0), gains(objective, scores, anchors)
    if not (spec.rowwise and spec.has_value) or spec.target in NO_SLICE or len(scores.s) == 0:
        return Outputs(spec.target, residual, empty, empty, gained)
    margin = of_scores(scores.s.cpu().numpy(), scores.pos.cpu().numpy()) if residual is None else residual
    typical = int(np.argsort(margin, kind="stable")[len(margin) // 2])
    reach = float(np.abs(margin).max()) or 1.0
    # The item's own margin goes along: there curve and measurement are the same thing, which tells the unit.
    grid = np.append(np.linspace(-reach, reach, POINTS), margin[typical])
    moved, rows = _copies(scores, anchors, typical, torch.from_numpy(grid).to(scores.s))
    found = pair_weights(lambda given: objective.read(given, rows), moved).cpu().numpy()
    curve = strength(found, moved.pos.cpu().numpy(), spec.target)
    measured = strength(weight[typical, None].cpu().numpy(), scores.pos[typical, None].cpu().numpy(), spec.target)[0]
    unit = measured / curve[-1] if curve[-1] * measured > 0 else 1.0 / len(scores.s)
    return Outputs(spec.target, residual, grid[:-1], unit * curve[:-1], gained)


@torch.no_grad()
def gains(objective: Objective, scores: Scores, anchors: Embeddings) -> np.ndarray | None:
    """What the loss gains, (3,), if every logit is doubled, raised by 1, or takes the other sign.

    None where its value means nothing, where the outputs are those of numbers or answers, or without a row.
    """
    if not objective.spec.has_value or objective.spec.target in ("real", "preference") or len(scores.s) == 0:
        return None
    value = float(objective.read(scores, anchors))
    return np.array([float(objective.read(replace(scores, s=move(scores.s)), anchors)) - value for move in MOVES])


def _copies(scores: Scores, anchors: Embeddings, row: int, grid: Tensor) -> tuple[Scores, Embeddings]:
    """One item as often as the grid is long, each time at another margin; the last is its own."""
    k = len(grid)
    s, pos = scores.s[row].detach().repeat(k, 1), scores.pos[row].repeat(k, 1)
    rows = Embeddings(anchors.z[row].detach().repeat(k, 1), anchors.y[row].repeat(k))
    if anchors.target is None:
        highest = s.masked_fill(pos, -torch.inf).max(dim=1).values
        s = torch.where(pos, (highest + grid)[:, None], s)
    else:
        rows = replace(rows, target=anchors.target[row] + grid[-1] - grid)
    return Scores(s, pos, ~pos), rows
