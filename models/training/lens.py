"""What a loss reads on the probe and the weight it gives there, as arrays."""

import numpy as np
import torch

from models.geometry import Embeddings, Scores
from models.objective import Objective
from models.sensitivity import response
from models.snapshot import Lens
from models.spec import TooLarge
from models.training.outputs import outputs
from models.training.terms import weights_of_terms

GRID = torch.linspace(-1.0, 1.0, 61)  # cosines at which the theoretical curves are given


def look(objective: Objective, anchors: Embeddings, candidates: Embeddings | None, kind: str) -> Lens | None:
    """The lens of one loss; None if it reads no scores or too many. kind: what the candidates are, for display."""
    with torch.no_grad():
        scores = objective.view(anchors, candidates)
    return look_at(objective, scores, anchors, kind)


def look_at(
    objective: Objective, scores: Scores | None, anchors: Embeddings, kind: str, rows: int | None = None
) -> Lens | None:
    """The lens of scores that a loss is given; only the first `rows` anchors are shown, whose weights count all."""
    if scores is None:
        return None
    try:
        weight = objective.weights(scores, anchors)
    except TooLarge:  # the page says so, see no_weight_reason
        return None
    shown = (scores.s, scores.pos, scores.neg, weight)
    s, pos, neg, seen_weight = (t[:rows].detach().cpu().numpy() for t in shown)
    grid, pull, push = _curves(objective, scores)
    target = None if scores.target is None else scores.target[:rows].detach().cpu().numpy()
    terms = weights_of_terms(objective, scores, anchors, rows)
    heads = outputs(objective, scores, anchors, weight) if objective.spec.reads == "logits" else None
    return Lens(s, pos, neg, seen_weight, kind, grid, pull, push, target=target, terms=terms, outputs=heads)


def _curves(objective: Objective, scores: Scores) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weight as a function of one pair's score, for a typical anchor; empty where a loss has no such curve."""
    spec = objective.spec
    if not (spec.reads == "scores" and spec.rowwise and spec.has_value and not spec.one_tower):
        empty = np.empty(0)
        return empty, empty, empty
    pull, push = response(objective.read_scores, scores, _typical(scores), GRID.to(scores.s.device))
    return GRID.numpy(), pull.cpu().numpy(), push.cpu().numpy()


def _typical(scores: Scores) -> int:
    """The anchor whose hardest negative is the median one."""
    hardest = scores.s.masked_fill(~scores.neg, -2.0).max(dim=1).values
    return int(hardest.argsort()[len(hardest) // 2])
