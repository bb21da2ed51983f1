"""Every positive score of a batch against every negative score, in time linear in the scores.

Some 10^7 comparisons at 128 items and 10^12 at 2048 cannot be made one by one. The kernel softplus(q - p) is analytic
up to a distance pi from the real axis, so local polynomials stand for it to rounding error, on two scales. Each score
is spread over a few nodes of a fine grid, by the moments of its distance to the nearest. The nodes of a cell of the
axis are summed into a few Chebyshev nodes, cells meet cells through one small matrix for each distance, and the slopes
are read back the same way. Both steps are as exact relative to a small slope as to a large one.
"""

import math
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import logsigmoid

_ONE_BY_ONE = 1 << 20  # up to so many comparisons the plain matrix is made: 8 MB in float64
# The kernel's nearest poles lie three half-cells off: the error falls by 3 + sqrt(10) a node.
_WIDTH = 2.0 * math.pi / 3.0
_CHEBYSHEV = {torch.float64: 20, torch.float32: 10}  # nodes of a cell, for errors of 2e-16 and 1e-8
_FINE = 256  # nodes of the grid in a cell
_STENCIL = {torch.float64: 7, torch.float32: 3}  # of them a score is spread over, for errors of 1e-17 and 3e-9
_BLOCK = 1 << 15  # scores worked on together, so that they stay in cache


def mean_contest(
    x: Float[Tensor, "*shape"], pos: Bool[Tensor, "*shape"], neg: Bool[Tensor, "*shape"], temperature: float
) -> Float[Tensor, ""]:
    """Mean over positive scores p and negative scores q of x of log(1 + e^((q - p) / T)); nan if there are none."""
    if int(pos.count_nonzero()) * int(neg.count_nonzero()) > _ONE_BY_ONE:
        return _Contest.apply(x, pos, neg, temperature)  # type: ignore[no-untyped-call,no-any-return]
    p, q = x[pos] / temperature, x[neg] / temperature
    # Not softplus: torch's goes straight above 20, and its gradient is off by 2e-9 there.
    return -logsigmoid(p[:, None] - q[None, :]).mean()


class _Contest(torch.autograd.Function):
    """mean_ik softplus(q_k - p_i) with its slopes in closed form: -mean_k sigmoid(q_k - p_i) for p_i, likewise q_k."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, pos: Tensor, neg: Tensor, temperature: float) -> Tensor:
        low, high = (float(end) / temperature for end in torch.aminmax(x))
        if not math.isfinite(high - low):  # a run that diverged
            ctx.save_for_backward(torch.full_like(x, torch.nan))
            return x.new_full((), torch.nan)
        grid = _Grid(low, high, x)
        node, offset = grid.place(x, pos, neg, 1.0 / temperature)
        count, weights = grid.spread(node, offset)
        from_p, from_q = weights[0] / count[0], weights[1] / count[1]  # (cells, d)
        gap = _gaps(grid.cells, grid.nodes)
        slope = torch.sigmoid(gap)
        at_p = -grid.seen(_meet(slope, from_q)) / (count[0] * temperature)
        at_q = grid.seen(_meet(_seen_from_q(slope), from_p)) / (count[1] * temperature)
        slopes = grid.read(torch.stack([at_p, at_q, torch.zeros_like(at_p)]), node, offset)
        ctx.save_for_backward(slopes.view_as(x))
        return (from_p * _meet(-logsigmoid(-gap), from_q)).sum().to(x.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:
        (slopes,) = ctx.saved_tensors
        return grad * slopes, None, None, None


class _Grid:
    """A fine grid from the least to the greatest score / T, in cells of _FINE nodes; `nodes`: Chebyshev, of a cell."""

    def __init__(self, low: float, high: float, like: Tensor) -> None:
        stencil = _STENCIL.get(like.dtype, 3)
        self.step = _WIDTH / _FINE
        self.low = low - (stencil // 2) * self.step  # of the first node: a stencil fits around the least score
        self.cells = int((high - self.low) / _WIDTH + (stencil // 2 + 1) / _FINE) + 1
        self.size = self.cells * _FINE
        self.nodes = _chebyshev(_CHEBYSHEV.get(like.dtype, 10), like.device)
        fine = (torch.arange(_FINE, dtype=torch.float64, device=like.device) + 0.5) * (2.0 / _FINE) - 1.0
        self.basis = _basis(fine, self.nodes)  # (_FINE, d)
        self.around = range(-(stencil // 2), stencil // 2 + 1)
        offsets = torch.tensor(list(self.around), dtype=torch.float64, device=like.device)
        # (power, neighbour): the polynomial through the values at the neighbours, by powers of the distance in steps.
        self.polynomial = torch.linalg.inv(torch.vander(offsets, increasing=True))

    def place(self, x: Tensor, pos: Tensor, neg: Tensor, rate: float) -> tuple[Int[Tensor, " k"], Float[Tensor, " k"]]:
        """Nearest node of every score, in the first, second or third copy of the grid (pos, neg, neither); distance."""
        x, pos, neg = x.reshape(-1), pos.reshape(-1).view(torch.uint8), neg.reshape(-1).view(torch.uint8)
        node, offset = torch.empty_like(x, dtype=torch.int32), torch.empty_like(x)
        for start in range(0, len(x), _BLOCK):
            block = slice(start, start + _BLOCK)
            where = torch.mul(x[block], rate / self.step, out=offset[block]).sub_(self.low / self.step)
            nearest = where.round()
            where.sub_(nearest)
            copy = (2 - 2 * pos[block] - neg[block]).int()
            node[block] = copy.mul_(self.size).add_(nearest.int())
        return node, offset

    def spread(self, node: Tensor, offset: Tensor) -> tuple[Float[Tensor, " 3"], Float[Tensor, "3 cells d"]]:
        """How many scores each copy has, and weights of the Chebyshev nodes that stand for them in any smooth sum."""
        moments = torch.zeros(len(self.around), 3 * self.size, dtype=torch.float64, device=node.device)
        for start in range(0, len(node), _BLOCK):
            block = slice(start, start + _BLOCK)
            distance, place = offset[block].double(), node[block].long()
            power = torch.ones_like(distance)
            for row in moments:
                row.scatter_add_(0, place, power)  # half the time of index_add_
                power.mul_(distance)
        parts = self.polynomial.T @ moments  # (neighbour, 3 copies)
        fine = sum(part.roll(shift) for part, shift in zip(parts, self.around, strict=True))
        return moments[0].view(3, -1).sum(dim=1), torch.as_tensor(fine).view(3, self.cells, _FINE) @ self.basis

    def seen(self, at_nodes: Float[Tensor, "cells d"]) -> Float[Tensor, " size"]:
        """Values at the nodes of the grid of a function known at the Chebyshev nodes."""
        return (at_nodes @ self.basis.T).reshape(-1)

    def read(self, values: Float[Tensor, "3 size"], node: Tensor, offset: Tensor) -> Float[Tensor, " k"]:
        """Values at the scores, each from its own copy of the grid; written over `offset`."""
        around = torch.stack([values.roll(-shift, dims=1) for shift in self.around]).flatten(1)
        terms = (self.polynomial @ around).to(offset.dtype)  # (power, 3 size)
        for start in range(0, len(node), _BLOCK):
            block = slice(start, start + _BLOCK)
            distance, value = offset[block], terms[-1].index_select(0, node[block])
            for row in terms[:-1].flip(0):
                value.mul_(distance).add_(row.index_select(0, node[block]))
            distance.copy_(value)
        return offset


def _chebyshev(count: int, device: torch.device) -> Float[Tensor, " d"]:
    """Roots of the Chebyshev polynomial of this degree."""
    k = torch.arange(count, dtype=torch.float64, device=device)
    return torch.cos(math.pi * (k + 0.5) / count)


def _basis(x: Float[Tensor, " k"], nodes: Float[Tensor, " d"]) -> Float[Tensor, "k d"]:
    """Entry (i, b): what the value at node b adds to the polynomial through all nodes at x_i, both on [-1, 1]."""
    j = torch.arange(len(nodes), dtype=torch.float64, device=nodes.device)
    at_x, at_nodes = (torch.cos(j * torch.acos(points)[:, None]) for points in (x, nodes))  # T_j
    at_nodes[:, 0] /= 2.0
    return at_x @ at_nodes.T * (2.0 / len(nodes))


def _gaps(cells: int, nodes: Float[Tensor, " d"]) -> Float[Tensor, "offsets d d"]:
    """q - p for every distance in cells, from -(cells - 1) to cells - 1, every node of p (rows) and of q (columns)."""
    offset = torch.arange(1 - cells, cells, dtype=torch.float64, device=nodes.device)
    return _WIDTH * (offset[:, None, None] + 0.5 * (nodes[None, None, :] - nodes[None, :, None]))


def _seen_from_q(kernel: Float[Tensor, "offsets d d"]) -> Float[Tensor, "offsets d d"]:
    """The same kernel with the roles of p and q exchanged."""
    return kernel.flip(0).transpose(1, 2)


def _meet(kernel: Float[Tensor, "offsets d d"], weights: Float[Tensor, "cells d"]) -> Float[Tensor, "cells d"]:
    """Sum of the kernel over all weighted nodes, at each node of the other side."""
    windows = kernel.flip(0).unfold(0, len(weights), 1)  # (cells, d, d, cells): for each cell, the others from the last
    return torch.einsum("iabj,jb->ia", windows, weights.flip(0))
