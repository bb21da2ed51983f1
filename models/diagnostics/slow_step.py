"""One training step taken apart: what the batch was before it, what the loss did to it, where it stood after it."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from models.diagnostics.items import unit_rows

SHOWN = 64  # rows of a batch that are kept for display, at most


@dataclass(frozen=True, eq=False)
class SlowStep:
    """Some rows of the batch of one step. Gradients are those of the whole batch's loss at these rows.

    Where the loss is no function of scores alone, or methods change what it reads, there are no scores and no split:
    `s`, `pos`, `neg`, `weight`, `pull` and `push` are None and why_no_split says why.
    """

    step: int  # training steps before this one
    loss: float  # of the batch, before the step
    rows: int  # in the whole batch; two views of an item, or its two sides, are two rows
    item: np.ndarray  # (k,) row of the data set
    y: np.ndarray  # (k,) label
    z: np.ndarray  # (k, d) before the step
    after: np.ndarray  # (k, d) after it
    gradient: np.ndarray  # (k, d) dL/dz
    pull: np.ndarray | None  # (k, d) the part of dL/dz that comes through scores which the loss wants larger
    push: np.ndarray | None  # (k, d) and through those it wants smaller: pull + push = gradient
    s: np.ndarray | None  # (a, c) scores of the rows shown, as the loss reads them
    pos: np.ndarray | None  # (a, c) bool
    neg: np.ndarray | None  # (a, c) bool
    weight: np.ndarray | None  # (a, c) signed dL/ds
    why_no_split: str = ""


@dataclass(frozen=True, eq=False)
class Places:
    """Rows in two dimensions, in one frame before and after; arrows are steps down the gradient in the same frame."""

    kind: str  # "circle", "sphere" (seen from the pole, depth left out) or "PCA"
    before: Float[np.ndarray, "k 2"]
    after: Float[np.ndarray, "k 2"]
    pull: Float[np.ndarray, "k 2"] | None  # minus the gradient's part, in units of the longest arrow of both kinds
    push: Float[np.ndarray, "k 2"] | None


def places(step: SlowStep) -> Places:
    """Unit rows of two dimensions as they are, of three without the third, of more by PCA of the rows before."""
    u, after = unit_rows(step.z.astype(np.float64)), unit_rows(step.after.astype(np.float64))
    dim = u.shape[1]
    centre, axes = np.zeros(dim), np.eye(dim)[:2]
    if dim > 3:
        centre = u.mean(axis=0)
        axes = np.linalg.svd(u - centre, full_matrices=False)[2][:2]
    pull = push = None
    if step.pull is not None and step.push is not None:
        # A row of length r moves on the unit sphere by 1/r of what it moves by itself.
        length = np.maximum(np.linalg.norm(step.z, axis=1, keepdims=True), 1e-12)
        parts = [-part / length @ axes.T for part in (step.pull, step.push)]
        longest = max(float(np.linalg.norm(part, axis=1).max(initial=0.0)) for part in parts) or 1.0
        pull, push = (part / longest for part in parts)
    kind = {2: "circle", 3: "sphere"}.get(dim, "PCA")
    return Places(kind, (u - centre) @ axes.T, (after - centre) @ axes.T, pull, push)
