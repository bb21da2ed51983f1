"""N-pair: InfoNCE without a temperature, the smooth form of a triplet against all negatives at once."""

import numpy as np
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softplus

from models.fused_softmax import as_number, row_logsumexp
from models.geometry import Scores
from models.spec import Counts, Level, LossSpec, Paper


def _at(counts: Counts, gap: float) -> float | None:
    """Mean over positive pairs of log(1 + N e^gap), gap = negative score - positive score."""
    pairs = counts.positives.sum()
    if pairs == 0:
        return None
    return float((counts.positives * np.log1p(counts.negatives * np.exp(gap))).sum() / pairs)


SPEC = LossSpec(
    key="n_pair",
    name="N-pair",
    family="softmax",
    reads="scores",
    paper=Paper(
        "Sohn",
        2016,
        "Improved Deep Metric Learning with Multi-class N-pair Loss Objective",
        equation="(N+1)-tuplet loss, in the form of General Pair Weighting (arXiv 1904.06627, section 3)",
        status="second-hand (form of arXiv 1904.06627)",
    ),
    levels=(
        Level("chance", lambda c, k: _at(c, 0.0), "the encoder does not tell positives from negatives yet"),
        Level("collapse", lambda c, k: _at(c, 0.0), "all scores are equal: if they are all 1, all items are one point"),
        Level("perfect", lambda c, k: _at(c, c.best_negative - 1.0), "classes are points on a simplex: the floor"),
    ),
    formula=r"\log\Big(1+\sum_{k\in N(i)}e^{s_{ik}-s_{ij}}\Big)",
    when="To see what a softmax does without a temperature; the ancestor of InfoNCE.",
    pitfall="On cosines the softmax is nearly flat and the floor close to the chance level: the curve hardly falls.",
    convention="Mean over positive pairs, on cosines; the paper takes inner products with a penalty on their length.",
    relations=("equals infonce at temperature 1", "equals supcon at temperature 1 when each anchor has one positive"),
)


def loss(scores: Scores) -> Float[Tensor, ""]:
    """Mean over positives (i, j) of log(1 + sum_k e^(s_ik - s_ij)), k over negatives of i."""
    push = row_logsumexp(scores.s, scores.neg)[:, None]  # (n, 1)
    per_pair = softplus(push - scores.s, threshold=80.0)  # (n, m)
    # No positive in the batch: the sum is zero, joined to the graph, and so is the quotient.
    pos = as_number(scores.pos, per_pair)
    return (per_pair * pos).sum() / pos.sum().clamp(min=1.0)
