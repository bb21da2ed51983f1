"""Softmax over masked candidates: masks as numbers, a log-sum-exp that stands an empty row, and two fused losses.

The fused losses never hold the n x n matrix: rows go through a cache-sized buffer in blocks, and each block adds its
share of the gradient at both ends of its pairs. They are the fast twins of `loss(score(embeddings))`, not definitions.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from models.geometry import Embeddings, unit

# Powers of 2 throughout: where results underflow, exp takes up to two hundred times as long on a CPU, exp2 does not.
_LOG2E = math.log2(math.e)
_BUFFER = 1 << 16  # numbers of one row block: 256 kB in float32, which stays in the second-level cache
_SAFE = {torch.float32: 40.0, torch.float64: 300.0}  # e^x and sums of it stay inside the type up to this |x|


def as_number(mask: Bool[Tensor, "n m"], like: Float[Tensor, "n m"]) -> Float[Tensor, "n m"]:
    """1 and 0 in the type of `like`: sums weighted by masks take a fraction of the time that choosing entries takes."""
    return mask.view(torch.uint8).to(like.dtype)  # by way of whole numbers, because that conversion is vectorised


class _RowLogSumExp(torch.autograd.Function):
    """Keeps the exponentials of the forward pass: backward is one product."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, mask: Tensor, rate: float) -> Tensor:
        far = math.copysign(torch.finfo(x.dtype).max / 2, rate)
        held = torch.add(x, as_number(mask, x).sub_(1.0), alpha=far)  # x in the mask, near -far outside: 2^that is 0
        top = (held.amax if rate > 0 else held.amin)(dim=1, keepdim=True)
        top = top.masked_fill(top.abs() > abs(far) / 2, 0.0)  # else the entries of an empty row would be its top
        held = held.sub_(top).mul_(rate * _LOG2E).exp2_()
        total = held.sum(dim=1, keepdim=True)
        ctx.save_for_backward(held, total)
        ctx.rate = rate
        return (total.log() + rate * top).squeeze(1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        held, total = ctx.saved_tensors
        return held * _ratio(ctx.rate * grad[:, None], total), None, None


def row_logsumexp(x: Float[Tensor, "n m"], mask: Bool[Tensor, "n m"], *, rate: float = 1.0) -> Float[Tensor, " n"]:
    """Log of the sum of e^(rate x) over the masked entries of each row; -inf, gradient zero, where a row has none.

    rate, not 0 and of either sign, is an inverse temperature: given here it costs no pass of its own.
    """
    result: Tensor = _RowLogSumExp.apply(x, mask, rate)  # type: ignore[no-untyped-call]
    return result


def _ratio(part: Tensor, total: Tensor) -> Tensor:
    """part / total, and 0 where the total is 0: an empty row has no gradient."""
    return torch.where(total == 0, 0.0, part / total)


@dataclass(frozen=True, eq=False)
class _Batch:
    """Unit rows sorted by group, so that the positives of a block of rows lie in one narrow range of columns."""

    z: Float[Tensor, "n d"]
    group: Int[Tensor, " n"]
    size: Int[Tensor, " n"]  # members of each row's group, itself included
    temperature: float
    first: list[int]  # where each row's group begins
    last: list[int]  # one past where it ends

    @property
    def pairs(self) -> float:
        """How many positive pairs there are, each direction counted."""
        return float((self.size - 1).sum())

    def blocks(self) -> Iterator[tuple[slice, slice, Tensor]]:
        """Rows, the columns that hold all their positives, and logits s / T in base 2 in a buffer that is reused."""
        n = len(self.z)
        step = max(16, min(n, _BUFFER // n))
        buffer = self.z.new_empty(step, n)
        scaled = self.z * (_LOG2E / self.temperature)
        stop = 0
        while stop < n:
            start, stop = stop, min(stop + step, n)
            if stop < n and self.first[stop] > start:
                stop = self.first[stop]  # whole groups where they fit: their positives span fewer columns
            logits = torch.mm(scaled[start:stop], self.z.T, out=buffer[: stop - start])
            yield slice(start, stop), slice(self.first[start], self.last[stop - 1]), logits

    def exponentials(self, logits: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """In place 2^(logit - shift), its row sums and the log2 of the unshifted sums; (r, n), (r, 1), (r, 1).

        At a usual temperature nothing can overflow and no shift is needed; a cold softmax is shifted by the row's top.
        """
        if 1.0 / self.temperature <= _SAFE[logits.dtype]:
            total = logits.exp2_().sum(dim=1, keepdim=True)
            return logits, total, total.log2()
        top = logits.amax(dim=1, keepdim=True)
        top = top.masked_fill(top == -torch.inf, 0.0)
        total = logits.sub_(top).exp2_().sum(dim=1, keepdim=True)
        return logits, total, total.log2() + top


def _sorted(z: Tensor, group: Tensor, temperature: float) -> tuple[_Batch, Tensor]:
    group, order = group.sort(stable=True)
    _, counts = torch.unique_consecutive(group, return_counts=True)
    last = counts.cumsum(0).repeat_interleave(counts)
    size = counts.repeat_interleave(counts)
    return _Batch(z[order], group, size, temperature, (last - size).tolist(), last.tolist()), order


def _infonce(batch: _Batch, gradient: Tensor | None) -> Tensor:
    """Mean over positive pairs of softplus(push - logit), push = log-sum-exp over negatives; adds dL/dz if asked."""
    value = batch.z.new_zeros((), dtype=torch.float64)
    if batch.pairs == 0:
        return value
    for rows, near, logits in batch.blocks():
        same = batch.group[rows, None] == batch.group[None, near]
        own = logits[:, near].clone()  # (r, w), w: as wide as the groups of these rows
        logits[:, near].masked_fill_(same, -torch.inf)
        exponent, total, push = batch.exponentials(logits)
        same[:, rows.start - near.start :].diagonal().fill_(False)  # no item is its own positive
        lead = (push - own).div_(_LOG2E)
        value += torch.where(same, torch.nn.functional.softplus(lead, threshold=80.0), 0.0).sum()
        if gradient is None:
            continue
        pull = torch.where(same, lead.sigmoid_(), 0.0)
        share = _ratio(pull.sum(dim=1, keepdim=True), total)
        _add(gradient, batch.z, rows, exponent, share)
        gradient[rows].addmm_(pull, batch.z[near], alpha=-1.0)
        gradient[near].addmm_(pull.T, batch.z[rows], alpha=-1.0)
    if gradient is not None:
        gradient /= batch.pairs * batch.temperature
    return value / batch.pairs


def _supcon(batch: _Batch, gradient: Tensor | None) -> Tensor:
    """Mean over anchors with a positive of log-sum-exp over all others - mean positive logit; adds dL/dz if asked."""
    value = batch.z.new_zeros((), dtype=torch.float64)
    active = (batch.size > 1)[:, None]
    anchors = float(active.sum())
    if anchors == 0:
        return value
    for rows, _, logits in batch.blocks():
        logits[:, rows].diagonal().fill_(-torch.inf)
        exponent, total, rivals = batch.exponentials(logits)
        value += torch.where(active[rows], rivals, 0.0).sum() / _LOG2E
        if gradient is not None:
            _add(gradient, batch.z, rows, exponent, _ratio(active[rows].to(total.dtype), total))
    # The positive logits are linear in s, so the sum of each group stands for all its pairs.
    start = torch.tensor(batch.first, device=batch.z.device)
    sums = torch.zeros_like(batch.z).index_add_(0, start, batch.z)[start]
    mean = torch.where(active, (sums - batch.z) / (batch.size[:, None] - 1), 0.0)  # (n, d) mean of the positives
    value -= (batch.z * mean).sum() / batch.temperature
    if gradient is not None:
        gradient.add_(mean, alpha=-2.0).div_(anchors * batch.temperature)
    return value / anchors


def _add(gradient: Tensor, z: Tensor, rows: slice, exponent: Tensor, share: Tensor) -> None:
    """Gradient of sum_ij share_i e_ij s_ij at both ends of every pair of a block, e and share held constant."""
    gradient[rows].addcmul_(exponent @ z, share)
    gradient.addmm_(exponent.T, z[rows] * share)


Formula = Callable[[_Batch, Tensor | None], Tensor]


class _Fused(torch.autograd.Function):
    """The gradient is found beside the value, while a block is in cache, and only scaled in backward."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, group: Tensor, temperature: float, formula: Formula) -> Tensor:
        batch, order = _sorted(z.detach(), group, temperature)
        gradient = torch.zeros_like(batch.z) if ctx.needs_input_grad[0] else None
        value = formula(batch, gradient)
        if gradient is not None:
            ctx.save_for_backward(torch.empty_like(gradient).index_copy_(0, order, gradient))
        return value.to(z.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:
        (gradient,) = ctx.saved_tensors
        return grad * gradient, None, None, None


def _apply(formula: Formula, embeddings: Embeddings, temperature: float) -> Float[Tensor, ""]:
    group = embeddings.y if embeddings.instance is None else embeddings.instance
    result: Tensor = _Fused.apply(unit(embeddings.z), group, temperature, formula)  # type: ignore[no-untyped-call]
    return result


def fused_infonce(embeddings: Embeddings, temperature: float) -> Float[Tensor, ""]:
    """InfoNCE of a batch against itself: time of about two matrix products, memory O(n) beside the embeddings."""
    return _apply(_infonce, embeddings, temperature)


def fused_supcon(embeddings: Embeddings, temperature: float) -> Float[Tensor, ""]:
    """SupCon of a batch against itself: time of about two matrix products, memory O(n) beside the embeddings."""
    return _apply(_supcon, embeddings, temperature)
