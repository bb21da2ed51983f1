"""Simple contrastive loss: every pair has the same weight whatever its score; the limit of a hot InfoNCE."""

from jaxtyping import Float
from torch import Tensor

from models.fused_softmax import as_number
from models.geometry import Scores
from models.spec import Counts, Knob, Knobs, Level, LossSpec, Paper


def _line(counts: Counts, knobs: Knobs, positive: float, negative: float) -> float | None:
    """Mean over positive pairs of -positive + w N negative, N the negatives of the pair's anchor."""
    pairs = counts.positives.sum()
    if pairs == 0:
        return None
    rivals = float((counts.positives * counts.negatives).sum() / pairs)
    return -positive + float(knobs["negative_weight"]) * rivals * negative


def _chance(counts: Counts, knobs: Knobs) -> float | None:
    return _line(counts, knobs, 0.0, 0.0)


def _collapse(counts: Counts, knobs: Knobs) -> float | None:
    return _line(counts, knobs, 1.0, 1.0)


def _perfect(counts: Counts, knobs: Knobs) -> float | None:
    return _line(counts, knobs, 1.0, counts.best_negative)


SPEC = LossSpec(
    key="simple_contrastive",
    name="Simple contrastive",
    family="pair",
    reads="scores",
    paper=Paper(
        "Wang, Liu",
        2021,
        "Understanding the Behaviour of Contrastive Loss",
        arxiv="2012.09740",
        equation="L_simple",
    ),
    knobs=(
        Knob(
            "negative_weight",
            0.01,
            0.001,
            10.0,
            log=True,
            help="Push of one negative against a pull of 1; one over the number of negatives balances the two.",
        ),
    ),
    levels=(
        Level("chance", _chance, "the encoder does not tell positives from negatives yet"),
        Level("collapse", _collapse, "all scores are 1: the embedding has collapsed to a point"),
        Level("perfect", _perfect, "classes sit on a simplex"),
    ),
    formula=r"-s_{ij}+\lambda\sum_{k\in N(i)}s_{ik}",
    when="As the baseline that shows what hardness-awareness buys: it has none.",
    pitfall="Hard and easy negatives are pushed alike, so the embedding spreads badly; it may go far below zero.",
    convention="Mean over positive pairs of the pull and a sum over the anchor's negatives, one direction.",
    relations=("is the limit of infonce for a hot temperature, with negative_weight one over the number of negatives",),
)


def loss(scores: Scores, *, negative_weight: float = 0.01) -> Float[Tensor, ""]:
    """Mean over positives (i, j) of -s_ij + negative_weight * sum_k s_ik, k over the negatives of i."""
    pos, neg = (as_number(mask, scores.s) for mask in (scores.pos, scores.neg))
    positives = pos.sum(dim=1, keepdim=True)  # (n, 1): so many pairs share an anchor's push
    per_pair = scores.s * (negative_weight * positives * neg - pos)  # (n, m)
    # No positive in the batch: the sum is zero, joined to the graph, and so is the quotient.
    return per_pair.sum() / positives.sum().clamp(min=1.0)
