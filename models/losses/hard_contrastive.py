"""Hard contrastive loss: InfoNCE in which each anchor races only its nearest negatives."""

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softplus

from models.fused_softmax import as_number
from models.geometry import Scores
from models.spec import Counts, Knob, Knobs, Level, LossSpec, Paper


def _race(counts: Counts, gap: float, knobs: Knobs) -> float | None:
    """Mean over positive pairs of log(1 + K e^(gap / T)), K = min(hardest, negatives of the anchor)."""
    pairs = counts.positives.sum()
    if pairs == 0:
        return None
    rivals = [min(int(n), int(knobs["hardest"])) for n in counts.negatives]
    per_anchor = [math.log1p(k * math.exp(gap / float(knobs["temperature"]))) for k in rivals]
    return float((counts.positives * per_anchor).sum() / pairs)


def _flat(counts: Counts, knobs: Knobs) -> float | None:
    return _race(counts, 0.0, knobs)


def _perfect(counts: Counts, knobs: Knobs) -> float | None:
    return _race(counts, counts.best_negative - 1.0, knobs)


SPEC = LossSpec(
    key="hard_contrastive",
    name="Hard contrastive",
    family="softmax",
    reads="scores",
    paper=Paper(
        "Wang, Liu",
        2021,
        "Understanding the Behaviour of Contrastive Loss",
        arxiv="2012.09740",
        equation="L_hard",
    ),
    knobs=(
        Knob(
            "temperature", 0.3, 0.01, 1.0, log=True, help="Shares the push among the kept negatives; cold: the nearest."
        ),
        Knob("hardest", 16, 1, 2048, log=True, unit="negatives", help="Nearest negatives kept for each anchor."),
    ),
    levels=(
        Level("chance", _flat, "the encoder does not tell positives from negatives yet"),
        Level("collapse", _flat, "all scores are equal: if they are all 1, the embedding has collapsed to a point"),
        Level("perfect", _perfect, "classes sit on a simplex: nothing is left to gain at this temperature"),
    ),
    formula=r"-\log\frac{e^{s_{ij}/T}}{e^{s_{ij}/T}+\sum_{k\in N_K(i)}e^{s_{ik}/T}}",
    when="To keep a warm temperature and still press on hard negatives: uniformity hardly depends on T any more.",
    pitfall="The nearest negatives are the likeliest to be false ones, and nothing dilutes them.",
    convention=(
        "Mean over positive pairs, one direction. The paper keeps the negatives above a quantile of the row; here "
        "their number is given. Of negatives tied at the edge exactly as many are kept as are asked for."
    ),
    relations=("equals infonce when hardest is at least the number of negatives",),
    cost=(
        "Each row's nearest negatives are picked before they are summed, and every positive pair meets that sum: some "
        "five to seven times the matrix product."
    ),
)


def loss(scores: Scores, *, temperature: float = 0.3, hardest: int = 16) -> Float[Tensor, ""]:
    """Mean over positives (i, j) of log(1 + sum_k e^((s_ik - s_ij) / T)), k over the nearest negatives of i."""
    nearest = scores.s.masked_fill(~scores.neg, -torch.inf).topk(min(hardest, scores.s.shape[1]), dim=1).values
    push = (nearest / temperature).logsumexp(dim=1, keepdim=True)  # (n, 1)
    per_pair = softplus(push - scores.s / temperature, threshold=80.0)  # (n, m)
    # No positive in the batch: the sum is zero, joined to the graph, and so is the quotient.
    pos = as_number(scores.pos, per_pair)
    return (per_pair * pos).sum() / pos.sum().clamp(min=1.0)
