"""Lifted structure: the hinge of one smooth maximum over negatives against one over positives."""

import numpy as np
from jaxtyping import Float
from torch import Tensor

from models.fused_softmax import row_logsumexp
from models.geometry import Scores
from models.spec import Counts, Knob, Knobs, Level, LossSpec, Paper


def _at(counts: Counts, knobs: Knobs, gap: float) -> float:
    """Mean over anchors of [threshold + gap + log P + log N]_+, gap = negative score - positive score."""
    pairs = counts.positives.astype(float) * counts.negatives
    both = pairs > 0
    height = float(knobs["threshold"]) + gap + np.log(np.where(both, pairs, 1.0))
    return float(np.where(both, np.maximum(height, 0.0), 0.0).mean())


SPEC = LossSpec(
    key="lifted_structure",
    name="Lifted structure",
    family="pair",
    reads="scores",
    paper=Paper(
        "Hermans, Beyer, Leibe",
        2017,
        "In Defense of the Triplet Loss for Person Re-Identification",
        arxiv="1703.07737",
        equation="generalised lifted embedding loss, after Oh Song et al. 2016 (arXiv 1511.06452), on cosines",
        status="second-hand (cosine form of General Pair Weighting, arXiv 1904.06627)",
    ),
    knobs=(
        Knob(
            "threshold",
            1.0,
            0.0,
            2.0,
            unit="cosine",
            help="Margin between the smooth maxima; higher keeps more active.",
        ),
    ),
    levels=(
        Level("chance", lambda c, k: _at(c, k, 0.0), "the encoder does not tell positives from negatives yet"),
        Level(
            "collapse", lambda c, k: _at(c, k, 0.0), "all scores are equal: if they are all 1, all items are one point"
        ),
        Level(
            "perfect",
            lambda c, k: _at(c, k, c.best_negative - 1.0),
            "classes are points on a simplex; above zero, because the smooth maximum counts its candidates",
        ),
        Level("inactive", lambda c, k: 0.0, "no anchor breaks its margin: nothing moves any more"),
    ),
    formula=r"\left[\log\sum_{j\in P(i)}e^{\lambda-s_{ij}}+\log\sum_{k\in N(i)}e^{s_{ik}}\right]_+",
    when="All pairs of an anchor should compete, with a hinge that lets a settled anchor rest.",
    pitfall="Cosines span only 2 and there is no temperature: the softmax is nearly flat, hard pairs hardly stand out.",
    convention="Mean over all n anchors; an anchor without positive or negative is zero.",
    relations=("equals triplet (sum) with margin = threshold when each anchor has one positive and one negative",),
)


def loss(scores: Scores, *, threshold: float = 1.0) -> Float[Tensor, ""]:
    """Mean over anchors of [LSE_j(threshold - s_ij) + LSE_k(s_ik)]_+, j over positives and k over negatives of i."""
    pull = threshold + row_logsumexp(
        scores.s, scores.pos, rate=-1.0
    )  # (n,), -inf without a positive: the hinge is zero
    push = row_logsumexp(scores.s, scores.neg)
    return (pull + push).relu().mean()
