"""The weight of a single pair against its own score, all else held: the small picture of a loss."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from models.catalogue import find
from models.geometry import Embeddings, Scores
from models.objective import Objective, no_weight_reason
from models.sensitivity import pair_weights
from models.spec import Context, LossSpec
from models.training.config import Part

POINTS = 21
CLASSES, EACH, DIM = 4, 3, 8  # a batch small enough to be read some hundred times
NEAR = 0.7  # how far items stand from the middle of their class, a class's middle has length 1
REACH = 4.0  # logits from minus this to this
COSINES = 0.98  # the same for cosines: at 1 the slope of a distance has no end
SPREAD = 10.0  # numbers to predict lie between minus this and this
Read = Callable[[Scores], Tensor]


@dataclass(frozen=True, eq=False)
class Curve:
    """Signed dL/ds of one positive and one negative of an anchor, in units of the largest; negative pulls."""

    grid: np.ndarray  # (k,) cosines or logits; empty where there is no curve
    pull: np.ndarray  # (k,)
    push: np.ndarray  # (k,)
    axis: str  # "cosine" or "logit"
    why_not: str = ""  # why there is no curve


def weight_curve(key: str) -> Curve:
    """The curve of a loss at its default knobs, on a fixed batch of 12 items of 4 classes (or logits for as many)."""
    spec: LossSpec = find("losses", key).SPEC
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        read, scores, why_not = _given(key, spec)
        if scores is None:
            return Curve(np.empty(0), np.empty(0), np.empty(0), "", why_not)
        axis = "cosine" if spec.reads != "logits" else "logit"
        reach = COSINES if axis == "cosine" else REACH
        grid = torch.linspace(-reach, reach, POINTS)
        row = _typical(scores)
        sides = [_curve(read, scores, row, int(mask[row].nonzero()[0]), grid) for mask in (scores.pos, scores.neg)]
    largest = max(float(side.abs().max()) for side in sides)
    pull, push = (side.numpy() / (largest if largest > 0 else 1.0) for side in sides)
    return Curve(grid.numpy(), pull, push, axis)


def _curve(read: Read, scores: Scores, row: int, column: int, grid: Tensor) -> Tensor:
    """Weight of one pair with its score at each value of the grid."""
    weights = []
    for value in grid:
        s = scores.s.clone()
        s[row, column] = value
        torch.manual_seed(0)  # a loss that draws shows one draw, not a different one at every point
        weights.append(pair_weights(read, replace(scores, s=s))[row, column])
    return torch.stack(weights).detach()


def _typical(scores: Scores) -> int:
    """Of the anchors that have a positive and a negative, the one whose hardest negative is the median."""
    hardest = scores.s.masked_fill(~scores.neg, -torch.inf).max(dim=1).values
    rows = (scores.pos.any(dim=1) & scores.neg.any(dim=1)).nonzero()[:, 0]
    return int(rows[hardest[rows].argsort()[len(rows) // 2]])


def _given(key: str, spec: LossSpec) -> tuple[Read, Scores | None, str]:
    """How the loss is read, and the scores of the fixed batch; without scores, the reason."""
    if spec.target in _TARGETS:
        return _TARGETS[spec.target](find("losses", key))
    classes = 2 if spec.target == "binary" else CLASSES
    y = torch.arange(EACH * CLASSES) % classes
    z = one_hot(y, DIM) + NEAR * torch.randn(len(y), DIM) / DIM**0.5
    batch = Embeddings(z, y, sample=torch.arange(len(y)))
    objective = Objective(Part(key), Context(DIM, classes, len(y)))
    with torch.no_grad():
        scores = objective.view(batch)
    reason = "" if scores is not None else no_weight_reason(objective)
    return (lambda given: objective.read(given, batch)), scores, reason


def _loss(module: Any, target: Tensor) -> Read:
    knobs = {knob.name: knob.default for knob in module.SPEC.knobs}
    return lambda given: module.loss(given.s, target, **knobs)


def _multilabel(module: Any) -> tuple[Read, Scores, str]:
    """Items with two of four labels each."""
    own = (torch.arange(CLASSES) + torch.arange(EACH * CLASSES)[:, None]) % CLASSES < 2
    logits = torch.randn(own.shape)
    return _loss(module, own.to(logits.dtype)), Scores(logits, own, ~own), ""


def _real(module: Any) -> tuple[Read, Scores, str]:
    """Numbers at the middles of nine bins; a bin is a number's own if it is the nearest."""
    bins = 2 * CLASSES + 1
    nearest = torch.arange(EACH * CLASSES) % bins
    own = one_hot(nearest, bins).bool()
    value = torch.linspace(-SPREAD, SPREAD, bins)[nearest]
    logits = torch.randn(len(value), bins)
    return _loss(module, value), Scores(logits, own, ~own), ""


def _preference(module: Any) -> tuple[Read, Scores, str]:
    """A better and a worse answer each, under a reference that finds both alike."""
    own = torch.tensor([True, False]).expand(EACH * CLASSES, 2)
    logits = torch.randn(own.shape)
    return _loss(module, torch.zeros(own.shape)), Scores(logits, own, ~own), ""


_TARGETS = {"multilabel": _multilabel, "real": _real, "preference": _preference}
