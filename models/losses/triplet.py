"""Triplet: every positive of an anchor should beat every negative by a margin; all triplets, without listing them."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from models.fused_softmax import as_number
from models.geometry import Scores
from models.spec import Counts, Knob, Knobs, Level, LossSpec, Paper

_BLOCK = 1 << 16  # scores of one row block, so that what its sort needs stays in cache
_FAR = 1e9
REDUCTIONS = ("sum", "mean", "mean_active")


def _at(gap: Callable[[Counts], float]) -> Callable[[Counts, Knobs], float]:
    """Level when every triplet has the same gap = negative score - positive score."""

    def level(counts: Counts, knobs: Knobs) -> float:
        triplets = (counts.positives.astype(float) * counts.negatives).sum()
        height = max(gap(counts) + float(knobs["margin"]), 0.0)
        if knobs["reduction"] == "sum":
            return float(height * triplets / max(len(counts.positives), 1))
        return height if triplets > 0 else 0.0

    return level


SPEC = LossSpec(
    key="triplet",
    name="Triplet",
    family="triplet",
    reads="scores",
    paper=Paper(
        "Schroff, Kalenichenko, Philbin",
        2015,
        "FaceNet: A Unified Embedding for Face Recognition and Clustering",
        arxiv="1503.03832",
        equation="section 3.1, in the cosine form of General Pair Weighting (arXiv 1904.06627, section 3)",
        status="second-hand (cosine form; the original is written in squared distances)",
    ),
    knobs=(
        Knob("margin", 0.2, 0.0, 1.0, unit="cosine", help="By how much a positive must beat a negative."),
        Knob(
            "reduction",
            "sum",
            choices=REDUCTIONS,
            help="sum: over an anchor's triplets; mean: over all triplets; mean_active: over those not yet satisfied.",
        ),
    ),
    levels=(
        Level("chance", _at(lambda c: 0.0), "the encoder does not tell positives from negatives yet"),
        Level("collapse", _at(lambda c: 0.0), "all scores are equal: if they are all 1, all items are one point"),
        Level("perfect", _at(lambda c: c.best_negative - 1.0), "classes are points on a simplex: no triplet is left"),
        Level("inactive", lambda c, k: 0.0, "every triplet keeps its margin: nothing moves any more"),
    ),
    formula=r"\sum_{j\in P(i)}\sum_{k\in N(i)}[s_{ik}-s_{ij}+m]_+",
    when="Only the order matters; weights are whole numbers one can count: triplets still broken.",
    pitfall="A mean over active triplets that sits at the margin is the value of a collapsed embedding.",
    convention="sum: over triplets, mean over all n anchors; mean, mean_active: over all or all active triplets.",
    relations=(
        "(sum) equals lifted_structure with threshold = margin when each anchor has one positive and one negative",
    ),
    cost=(
        "All triplets are summed without listing them, by ordering each row's scores in buckets: seven to ten times "
        "the matrix product."
    ),
)


def loss(scores: Scores, *, margin: float = 0.2, reduction: str = "sum") -> Float[Tensor, ""]:
    """Sum or mean over triplets (i, j, k) of [s_ik - s_ij + margin]_+, j over positives and k over negatives of i.

    A sum of hinges is linear in s between kinks, with coefficients that count active triplets: -k_ij for a positive,
    c_ik for a negative. So the value is counts . s + margin x active, and the counts are its exact gradient.
    """
    counts = active_triplets(scores, margin)  # (n, m)
    active = counts.clamp(min=0).sum(dtype=torch.float64)
    total = (counts * scores.s).sum() + (margin * active).to(scores.s.dtype)
    if reduction == "sum":
        return total / len(counts)
    if reduction == "mean":
        active = (scores.pos.sum(dim=1).double() * scores.neg.sum(dim=1)).sum()
    # No triplet: zero over one, still joined to the graph.
    return total / active.clamp(min=1.0).to(total.dtype)


@torch.no_grad()
def active_triplets(scores: Scores, margin: float) -> Float[Tensor, "n m"]:
    """In how many triplets with s_ik - s_ij + margin > 0 a pair stands: minus that for a positive, plus for a negative.

    Each row is sorted once with its negatives raised by the margin; then a negative counts the positives before it and
    a positive the negatives after it. Time O(n m log m), memory O(n m), worked in row blocks.
    """
    counts = torch.empty_like(scores.s)
    step = max(1, _BLOCK // max(scores.s.shape[1], 1))
    for start in range(0, len(counts), step):
        rows = slice(start, start + step)
        _count(counts[rows], scores.s[rows].detach(), scores.pos[rows], scores.neg[rows], margin)
    return counts


def _count(counts: Tensor, s: Tensor, pos: Tensor, neg: Tensor, margin: float) -> None:
    """Fill `counts` for one block of rows."""
    # In neither mask: beyond every score, among the positives, so that no negative comes after it.
    raised = as_number(neg, s).mul_(margin).add_(s).add_(as_number(~(pos | neg), s), alpha=_FAR)
    order, later = (_order_packed if s.dtype == torch.float32 else _order_stable)(raised, ~neg)
    m = s.shape[1]
    before = later.cumsum(dim=1)  # (r, m) positives up to here; whole numbers, exact in float32 to 2^24
    place = torch.arange(1 - m, 1, dtype=s.dtype, device=s.device)  # minus the number of entries to come
    minus_after = (place - before).add_(before[:, -1:])  # minus the negatives to come
    counts.scatter_(1, order, torch.lerp(before, minus_after, later))


def _order_stable(value: Tensor, later: Tensor) -> tuple[Tensor, Tensor]:
    """Column order of each row by rising value, `later` after others in a tie, and 1 or 0 for later in that order."""
    order = later.to(torch.uint8).argsort(dim=1, stable=True)
    order = order.gather(1, value.gather(1, order).argsort(dim=1, stable=True))
    return order, as_number(later, value).gather(1, order)


def _order_packed(value: Tensor, later: Tensor) -> tuple[Tensor, Tensor]:
    """As _order_stable for float32: value, tie bit and column in one whole number, sorted without an index."""
    bits = value.add_(0.0).view(torch.int32)  # + 0.0 makes one zero of -0 and 0
    bits = (bits >> 31).bitwise_and_(0x7FFFFFFF).bitwise_xor_(bits)  # whole numbers in the order of the floats
    column = torch.arange(value.shape[1], device=value.device)
    key = bits.long().bitwise_left_shift_(32).add_(column).add_(later.view(torch.uint8), alpha=1 << 31)
    if key.is_cuda:
        key = key.sort(dim=1).values
    else:
        key.numpy().sort(axis=1)  # vectorised, an order of magnitude faster than torch on a CPU
    last = (key >> 31).bitwise_and_(1).to(value.dtype)
    return key.bitwise_and_(0x7FFFFFFF), last
