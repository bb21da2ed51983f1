"""Gradient of a loss at the object it reads: the weight and sign of every pair (paper 3, General Pair Weighting)."""

from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from models.geometry import Scores


def pair_weights(module: Any, scores: Scores, **knobs: Any) -> Float[Tensor, "n m"]:
    """Signed dL/ds of the reduced loss: negative pulls a pair together, positive pushes it apart.

    module: a loss module with `loss(scores, **knobs)`, or any callable that takes scores.
    """
    return value_and_weights(module, scores, **knobs)[1]


def value_and_weights(module: Any, scores: Scores, **knobs: Any) -> tuple[float, Float[Tensor, "n m"]]:
    """The reduced loss and `pair_weights`, from one pass."""
    function = getattr(module, "loss", module)
    s = scores.s.detach().clone().requires_grad_()
    with torch.enable_grad():
        value = function(replace(scores, s=s), **knobs)
    if not value.requires_grad:
        return float(value), torch.zeros_like(s)
    (weight,) = torch.autograd.grad(value, s, allow_unused=True)
    return float(value.detach()), torch.zeros_like(s) if weight is None else weight


def response(
    module: Any, scores: Scores, row: int, grid: Float[Tensor, " k"], **knobs: Any
) -> tuple[Float[Tensor, " k"], Float[Tensor, " k"]]:
    """Weight that one candidate of anchor `row` would get if its score were each value of the grid, all else as it is.

    Returns the curve of a positive and of a negative (the first of each in the row; zeros where there is none), in
    units of a single anchor's loss. Only for losses that look at one row at a time.
    """
    curves = []
    for mask in (scores.pos, scores.neg):
        columns = mask[row].nonzero()
        if len(columns) == 0:
            curves.append(torch.zeros_like(grid))
            continue
        column = int(columns[0])
        k = len(grid)
        s = scores.s[row].detach().repeat(k, 1)
        s[:, column] = grid
        target = None if scores.target is None else scores.target[row].repeat(k, 1)
        copies = Scores(s, scores.pos[row].repeat(k, 1), scores.neg[row].repeat(k, 1), target)
        curves.append(k * pair_weights(module, copies, **knobs)[:, column])
    return curves[0], curves[1]
