"""GroCo: sort an anchor's scores softly and ask of every pair that it lands on its own group's ranks."""

import math
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from models.fused_softmax import as_number
from models.geometry import Scores
from models.spec import Counts, Knob, Knobs, Level, LossSpec, Paper


@lru_cache(maxsize=256)
def _sorted_cost(negatives: int, positives: int, gap: float, steepness: float) -> float:
    """Loss of one anchor whose negatives all have score 0 and whose positives all have score `gap`."""
    if negatives == 0 or positives == 0:
        return 0.0
    slots = negatives + positives
    x = torch.zeros(slots, 1, dtype=torch.float64)
    x[negatives:] = gap
    return float(_cost(x, torch.tensor([negatives]), torch.tensor([slots]), steepness))


def _at(counts: Counts, knobs: Knobs, gap: float) -> float:
    """Mean over anchors when all positives have one score and all negatives another, lower by `gap`."""
    k = np.minimum(counts.negatives, int(knobs["hardest"]))
    p = np.minimum(counts.positives, int(knobs["positives"]))
    steepness = float(knobs["steepness"])
    costs = [_sorted_cost(int(a), int(b), gap, steepness) for a, b in zip(k, p, strict=True)]
    return float(np.mean(costs))


SPEC = LossSpec(
    key="group_ordering",
    name="GroCo",
    family="ranking",
    reads="scores",
    paper=Paper(
        "Shvetsova, Petersen, Kukleva, Schiele, Kuehne",
        2023,
        "Learning by Sorting: Self-supervised Learning with Group Ordering Constraints",
        arxiv="2301.02009",
        equation="group ordering loss over an odd-even network with Cauchy swaps",
        status="verified (code)",
    ),
    knobs=(
        Knob(
            "steepness", 1.0, 0.1, 100.0, log=True, help="How sharply two scores are ordered; high: only errors count."
        ),
        Knob("hardest", 10, 1, 50, unit="negatives", help="Nearest negatives kept for each anchor; no other is moved."),
        Knob("positives", 10, 1, 50, unit="positives", help="Farthest positives kept for each anchor."),
    ),
    levels=(
        Level("chance", lambda c, k: _at(c, k, 0.0), "all scores are equal: no order yet"),
        Level(
            "collapse", lambda c, k: _at(c, k, 0.0), "all scores are equal: if they are all 1, all items are one point"
        ),
        Level("perfect", lambda c, k: _at(c, k, 1.0 - c.best_negative), "the floor: a soft sort never gets to 0"),
    ),
    formula=r"-\frac1{K+P}\Big(\sum_{j\in P(i)}\log q^+_j+\sum_{k\in N_K(i)}\log(1-q^+_k)\Big),\quad "
    r"q^+_j=\sum_{r>K}X_{jr},\ X=\mathrm{softsort}(s_i)",
    when="Neighbourhoods matter more than distances: what counts is the order of a few nearest items.",
    pitfall=(
        "At steepness 1 the loss moves in a narrow band (0.15 to 0.26 for one positive, ten negatives): not stuck. "
        "A steep sort moves some pairs the wrong way."
    ),
    convention=(
        "Mean over kept pairs of an anchor, then over all n anchors. Negatives come from all other items, not from the "
        "anchor's own view only. The authors also stop the gradient at the candidate: the weight of a pair is the "
        "same, but here it moves both ends. `positives` leaves up to eleven views as published and bounds the cost "
        "where a class has many members."
    ),
    relations=("is minus the log of arctan(steepness * (s_pos - s_neg)) / pi + 1/2 when each anchor has one of each",),
    pulls_positives=False,
    pushes_negatives=False,
    cost=(
        "A soft sort runs layer by layer, one for each kept pair of an anchor: twenty at the default, forth "
        "and back, and the kept pairs are picked from whole rows first."
    ),
)


def loss(scores: Scores, *, steepness: float = 1.0, hardest: int = 10, positives: int = 10) -> Float[Tensor, ""]:
    """Mean over anchors of the mean over kept pairs of -log(mass that a pair has on the ranks of its own group).

    Kept are the `hardest` highest negatives and the `positives` lowest positives; the mass comes from an odd-even
    transposition network of as many layers as scores, keep = arctan(steepness (b - a)) / pi + 1/2 for neighbours a, b.
    """
    first, rest = _number(scores.neg, scores.s, hardest), _number(scores.pos, scores.s, positives)
    if not (first.any() and rest.any()):
        return 0.0 * scores.s.sum()  # nothing to order; joined to the graph
    x, count = _line_up(scores, first, rest), first + rest
    return _cost(x, first, count, steepness).mean()


def _cost(x: Float[Tensor, "w n"], first: Tensor, count: Tensor, steepness: float) -> Float[Tensor, " n"]:
    """Mean of -log(own mass) down each column, whose `first` entries are negatives and which ends after `count`."""
    own: Tensor = _OwnMass.apply(x, first, count, steepness)  # type: ignore[no-untyped-call]
    # The floor is that of the usual binary cross-entropy: a mass can underflow where a steep network is upside down.
    cost = -own.clamp(min=torch.finfo(own.dtype).tiny).log()
    kept = torch.arange(len(own), device=own.device)[:, None] < count
    return torch.where(kept, cost, 0.0).sum(dim=0) / count.clamp(min=1)


def _number(mask: Bool[Tensor, "n m"], like: Float[Tensor, "n m"], cap: int) -> Int[Tensor, " n"]:
    """How many of its candidates each row keeps."""
    return as_number(mask, like).sum(dim=1).long().clamp(max=cap)


def _line_up(scores: Scores, first: Int[Tensor, " n"], rest: Int[Tensor, " n"]) -> Float[Tensor, "w n"]:
    """The kept negatives, then the kept positives, each rising, down the columns, with zeros at a column's end."""
    k, p = int(first.max()), int(rest.max())
    low = scores.s.masked_fill(~scores.neg, -torch.inf).topk(k, dim=1).values.flip(1)
    high = scores.s.masked_fill(~scores.pos, torch.inf).topk(p, dim=1, largest=False).values
    slot = torch.arange(k + p, device=low.device)
    # A row with fewer than k negatives has gaps before them: it moves up.
    place = (slot + (k - first)[:, None]).clamp(max=k + p - 1)
    x = torch.cat([low, high], dim=1).gather(1, place)
    return torch.where(slot < (first + rest)[:, None], x, 0.0).T.contiguous()


class _OwnMass(torch.autograd.Function):
    """Soft-sort every column of x (w, n); the mass of each entry on the ranks of its own group.

    Every layer is a symmetric doubly stochastic matrix, so the soft permutation is never written out: what it does to
    an indicator of ranks is found by going through the same layers backwards. That makes time and memory
    O(w^2 n) instead of O(w^3 n). Both groups' indicators are carried, because one minus the other would lose a small
    mass to rounding. The gradient is worked by hand, layer by layer, which takes half the time of recording it.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, first: Tensor, count: Tensor, steepness: float) -> Tensor:
        slot = torch.arange(len(x), device=x.device)[:, None]
        low, x = slot < first, x.clone()
        uneven = bool((count < len(x)).any())
        gaps, swaps, leans = [], [], []
        for layer in range(len(x)):
            a, b = _neighbours(x, layer)
            gap = b - a
            swap = (gap * steepness).atan_().mul_(-1.0 / math.pi).add_(0.5)  # (c, n) the share that is exchanged
            if uneven:  # a column's network ends with its own entries, and has as many layers
                swap.masked_fill_((_neighbours(slot, layer)[1] >= count) | (layer >= count), 0.0)
            _exchange(a, b, swap * gap)
            gaps.append(gap)
            swaps.append(swap)
        side = torch.stack([low, ~low]).to(x.dtype)  # (2, w, n) ranks of the negatives, ranks of the positives
        for layer in reversed(range(len(x))):
            a, b = _neighbours(side, layer)
            lean = b - a
            _exchange(a, b, swaps[layer] * lean)
            leans.append(lean)
        ctx.save_for_backward(low, *gaps, *swaps, *reversed(leans))
        ctx.steepness, ctx.uneven = steepness, uneven
        return torch.where(low, side[0], side[1])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:
        low, *saved = ctx.saved_tensors
        layers = range(len(low))
        gaps, swaps, leans = (saved[len(low) * part :][: len(low)] for part in range(3))
        side = torch.stack([torch.where(low, grad, 0.0), torch.where(low, 0.0, grad)])
        at_swap = []
        for layer in layers:
            a, b = _neighbours(side, layer)
            tilt = a - b
            at_swap.append((tilt * leans[layer]).sum(dim=0))
            _exchange(a, b, -swaps[layer] * tilt)
        at_x = torch.zeros_like(grad)
        for layer in reversed(layers):
            a, b = _neighbours(at_x, layer)
            gap, swap, tilt = gaps[layer], swaps[layer], a - b
            slope = (gap * ctx.steepness).square_().add_(1.0).reciprocal_().mul_(-ctx.steepness / math.pi)
            if ctx.uneven:
                slope.masked_fill_(swap == 0, 0.0)  # layers and places beyond a column's end
            _exchange(a, b, -(tilt * swap + (at_swap[layer] + tilt * gap) * slope))
        return at_x, None, None, None


def _neighbours(x: Tensor, layer: int) -> tuple[Tensor, Tensor]:
    """Views of the first and the second of all pairs that a layer compares, along the last but one dimension."""
    start, end = layer % 2, x.shape[-2] - (x.shape[-2] - layer % 2) % 2
    return x[..., start:end:2, :], x[..., start + 1 : end : 2, :]


def _exchange(a: Tensor, b: Tensor, moved: Tensor) -> None:
    """Add to one neighbour what the other loses, in place."""
    a += moved
    b -= moved
