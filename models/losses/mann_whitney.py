"""Mann-Whitney loss: every positive of the batch against every negative of the batch, a bound on one minus the AUC.

All positives meet all negatives, some 10^7 comparisons at 128 items and 10^12 at 2048, so large batches are not
compared one by one. The kernel softplus(q - p) is analytic up to a distance pi from the real axis: on a cell of the
axis it is a polynomial to rounding error. Scores are summed into Chebyshev moments of their cell, cells meet cells
through one small matrix for each distance, and the slopes are read back at every score. Cost is linear in the scores.
"""

import math
from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import logsigmoid

from models.geometry import Scores
from models.spec import Counts, Knob, Knobs, Level, LossSpec, Paper

_ONE_BY_ONE = 1 << 20  # up to so many comparisons the plain matrix is made: 8 MB in float64
# The kernel's nearest poles lie three half-cells off: the error falls by 3 + sqrt(10) a node.
_WIDTH = 2.0 * math.pi / 3.0
_NODES = {torch.float64: 20, torch.float32: 10}  # in a cell, for errors of 2e-16 and 1e-8
_BLOCK = 1 << 15  # scores worked on together, so that they stay in cache


def _level(counts: Counts, knobs: Knobs, gap: float) -> float | None:
    """softplus(gap), gap = (negative score - positive score) / T, times the kept negatives if divided by positives."""
    hardest = int(knobs["hardest"])
    kept = sum(min(int(n), hardest) if hardest else int(n) for n in counts.negatives)
    if counts.positives.sum() == 0 or kept == 0:
        return None
    value = max(gap, 0.0) + math.log1p(math.exp(-abs(gap)))
    return value * kept if knobs["divisor"] == "positives" else value


def _flat(counts: Counts, knobs: Knobs) -> float | None:
    return _level(counts, knobs, 0.0)


def _perfect(counts: Counts, knobs: Knobs) -> float | None:
    return _level(counts, knobs, (counts.best_negative - 1.0) / float(knobs["temperature"]))


SPEC = LossSpec(
    key="mann_whitney",
    name="Mann-Whitney",
    family="ranking",
    reads="scores",
    paper=Paper(
        "Sheikholeslami et al.",
        2025,
        "Optimizing What Matters: AUC-Driven Learning for Robust Neural Retrieval",
        arxiv="2510.00137",
        equation="3",
    ),
    knobs=(
        Knob(
            "temperature",
            0.1,
            0.01,
            1.0,
            log=True,
            help="Cold: near to counting wrong orders; the paper trains at 0.01.",
        ),
        Knob("hardest", 0, 0, 2048, unit="negatives", help="Nearest negatives kept of each anchor; 0 keeps them all."),
        Knob(
            "divisor",
            "comparisons",
            choices=("comparisons", "positives"),
            help="What the sum is divided by: all comparisons, as the bound needs, or positives alone, as printed.",
        ),
    ),
    levels=(
        Level("chance", _flat, "scores say nothing about pairs yet: log 2 a comparison, at any temperature"),
        Level("collapse", _flat, "all scores are equal: if they are all 1, the embedding has collapsed to a point"),
        Level("perfect", _perfect, "classes sit on a simplex: nothing is left to gain at this temperature"),
    ),
    formula=r"\frac{1}{|P||N|}\sum_{(i,j)\in P}\sum_{(a,b)\in N}\log\left(1+e^{(s_{ab}-s_{ij})/T}\right)",
    when="One threshold must serve all anchors: scores of different anchors are compared with each other.",
    pitfall="False negatives hurt more than in InfoNCE, because each of them is held against every positive.",
    convention=(
        "Mean over all positives times all negatives of the batch: divided by log 2 it is at least 1 - AUC. The paper "
        "prints the sum over B, here the divisor `positives`, and no temperature; its bound needs the mean over all. "
        "Its mined hard negatives are further candidates, which count like any other; `hardest` (ours) keeps those "
        "nearest to each anchor of what the batch has, and then bounds the AUC against them only."
    ),
    relations=("divided by log 2 bounds one minus the AUC",),
    rowwise=False,
)


def loss(
    scores: Scores, *, temperature: float = 0.1, hardest: int = 0, divisor: str = "comparisons"
) -> Float[Tensor, ""]:
    """Mean over positive scores p and negative scores q of log(1 + e^((q - p) / T)), pooled over all anchors.

    With divisor `positives` the mean over positives of the sum over negatives.
    """
    p, q = scores.s[scores.pos] / temperature, _negatives(scores, hardest) / temperature
    if len(p) == 0 or len(q) == 0:
        return 0.0 * scores.s.sum()
    value = _mean(p, q)
    return value * len(q) if divisor == "positives" else value


def _negatives(scores: Scores, hardest: int) -> Float[Tensor, " k"]:
    """Scores of all negatives, or of as many as `hardest` of each anchor; of ties at the edge exactly that many."""
    if hardest == 0:
        return scores.s[scores.neg]
    masked = scores.s.masked_fill(~scores.neg, -torch.inf)
    nearest = masked.topk(min(hardest, masked.shape[1]), dim=1).values
    return nearest[nearest != -torch.inf]


def _mean(p: Float[Tensor, " a"], q: Float[Tensor, " b"]) -> Float[Tensor, ""]:
    """Mean over all pairs of log(1 + e^(q - p))."""
    if len(p) * len(q) <= _ONE_BY_ONE:
        # Not softplus: torch's goes straight above 20, and its gradient is off by 2e-9 there.
        return -logsigmoid(p[:, None] - q[None, :]).mean()
    return _Contest.apply(p, q)  # type: ignore[no-untyped-call,no-any-return]


class _Contest(torch.autograd.Function):
    """mean_ik softplus(q_k - p_i) with its slopes in closed form: -mean_k sigmoid(q_k - p_i) for p_i, likewise q_k."""

    @staticmethod
    def forward(ctx: Any, p: Tensor, q: Tensor) -> Tensor:
        low = torch.minimum(p.min(), q.min()).double()
        cells = int((torch.maximum(p.max(), q.max()).double() - low) / _WIDTH) + 1
        nodes = _nodes(_NODES.get(p.dtype, 10), p.device)
        ps, qs = _Points(p, low, cells, nodes), _Points(q, low, cells, nodes)
        gap = _gaps(cells, nodes)
        from_p, from_q = ps.weights() / len(p), qs.weights() / len(q)
        slope = torch.sigmoid(gap)
        ctx.save_for_backward(
            -ps.read(_meet(slope, from_q)).to(p.dtype) / len(p),
            qs.read(_meet(_seen_from_q(slope), from_p)).to(q.dtype) / len(q),
        )
        return (from_p * _meet(-logsigmoid(-gap), from_q)).sum().to(p.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        slope_p, slope_q = ctx.saved_tensors
        return grad * slope_p, grad * slope_q


class _Points:
    """Scores by cell: which one, and where in it on [-1, 1]."""

    def __init__(self, x: Float[Tensor, " k"], low: Float[Tensor, ""], cells: int, nodes: Float[Tensor, " d"]) -> None:
        place = (x.double() - low) / _WIDTH
        self.cells = cells
        self.cell: Int[Tensor, " k"] = place.long().clamp_(0, cells - 1)  # the largest score may round onto the end
        self.t = 2.0 * (place - self.cell) - 1.0
        self.transform = _transform(nodes)

    def weights(self) -> Float[Tensor, "cells d"]:
        """Weight of each node such that any smooth function sums over the nodes as over the scores."""
        moments = torch.zeros(len(self.transform), self.cells, dtype=torch.float64, device=self.t.device)
        for cell, t in self._blocks():
            for row, polynomial in zip(moments, _polynomials(t), strict=False):
                row.index_add_(0, cell, polynomial)
        return moments.T @ self.transform

    def read(self, at_nodes: Float[Tensor, "cells d"]) -> Float[Tensor, " k"]:
        """Values at the scores of a function known at the nodes."""
        coefficients = self.transform @ at_nodes.T  # (d, cells)
        parts = []
        for cell, t in self._blocks():
            values = torch.zeros_like(t)
            for row, polynomial in zip(coefficients, _polynomials(t), strict=False):
                values.addcmul_(row.index_select(0, cell), polynomial)
            parts.append(values)
        return torch.cat(parts)

    def _blocks(self) -> Iterator[tuple[Tensor, Tensor]]:
        for start in range(0, len(self.t), _BLOCK):
            yield self.cell[start : start + _BLOCK], self.t[start : start + _BLOCK]


def _polynomials(t: Float[Tensor, " k"]) -> Iterator[Tensor]:
    """T_0(t), T_1(t), ... without end, by T_j+1 = 2 t T_j - T_j-1."""
    now, after = torch.ones_like(t), t
    while True:
        yield now
        now, after = after, torch.addcmul(-now, t, after, value=2.0)


def _nodes(count: int, device: torch.device) -> Float[Tensor, " d"]:
    """Roots of the Chebyshev polynomial of this degree."""
    k = torch.arange(count, dtype=torch.float64, device=device)
    return torch.cos(math.pi * (k + 0.5) / count)


def _transform(nodes: Float[Tensor, " d"]) -> Float[Tensor, "d d"]:
    """Entry (j, b): what the value at node b adds to the coefficient of T_j."""
    j = torch.arange(len(nodes), dtype=torch.float64, device=nodes.device)
    rows = torch.cos(j[:, None] * torch.acos(nodes)[None, :]) * (2.0 / len(nodes))
    rows[0] /= 2.0
    return rows


def _gaps(cells: int, nodes: Float[Tensor, " d"]) -> Float[Tensor, "offsets d d"]:
    """q - p for every distance in cells, from -(cells - 1) to cells - 1, every node of p (rows) and of q (columns)."""
    offset = torch.arange(1 - cells, cells, dtype=torch.float64, device=nodes.device)
    return _WIDTH * (offset[:, None, None] + 0.5 * (nodes[None, None, :] - nodes[None, :, None]))


def _seen_from_q(kernel: Float[Tensor, "offsets d d"]) -> Float[Tensor, "offsets d d"]:
    """The same kernel with the roles of p and q exchanged."""
    return kernel.flip(0).transpose(1, 2)


def _meet(kernel: Float[Tensor, "offsets d d"], weights: Float[Tensor, "cells d"]) -> Float[Tensor, "cells d"]:
    """Sum of the kernel over all weighted nodes, at each node of the other side."""
    cells = len(weights)
    rows = [torch.einsum("jab,jb->a", kernel[cells - 1 - i : 2 * cells - 1 - i], weights) for i in range(cells)]
    return torch.stack(rows)
