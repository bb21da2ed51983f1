"""Circle loss: each score is weighted by how far it is from its own optimum, so the worse side moves more."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softplus

from models.fused_softmax import row_logsumexp
from models.geometry import Scores
from models.spec import Counts, Knob, Knobs, Level, LossSpec, Paper


def _at(counts: Counts, knobs: Knobs, positive: float, negative: float) -> float | None:
    """Mean over anchors that have both when all positives have one score and all negatives another."""
    m, gamma = float(knobs["margin"]), float(knobs["gamma"])
    pairs = counts.positives.astype(float) * counts.negatives
    pairs = pairs[pairs > 0]
    if len(pairs) == 0:
        return None
    pull = -gamma * max(1.0 + m - positive, 0.0) * (positive - 1.0 + m)
    push = gamma * max(negative + m, 0.0) * (negative - m)
    return float(np.logaddexp(0.0, pull + push + np.log(pairs)).mean())


SPEC = LossSpec(
    key="circle",
    name="Circle",
    family="pair",
    reads="scores",
    paper=Paper(
        "Sun et al.",
        2020,
        "Circle Loss: A Unified Perspective of Pair Similarity Optimization",
        arxiv="2002.10857",
        equation="circle loss with one margin m (optima 1 + m and -m, margins 1 - m and m)",
        status="second-hand (agrees with pytorch-metric-learning)",
    ),
    knobs=(
        Knob("margin", 0.25, 0.0, 0.9, unit="cosine", help="Smaller asks for tighter classes further apart."),
        Knob(
            "gamma", 256.0, 1.0, 1024.0, log=True, help="An inverse temperature: high looks at the hardest pairs only."
        ),
    ),
    levels=(
        Level("chance", lambda c, k: _at(c, k, 0.0, 0.0), "the encoder does not tell positives from negatives yet"),
        Level("collapse", lambda c, k: _at(c, k, 1.0, 1.0), "all scores are 1: the embedding has collapsed to a point"),
        Level("perfect", lambda c, k: _at(c, k, 1.0, c.best_negative), "classes are points on a simplex: the floor"),
    ),
    formula=r"\log\Big(1+\sum_{k\in N(i)}e^{\gamma[s_{ik}+m]_+(s_{ik}-m)}"
    r"\sum_{j\in P(i)}e^{-\gamma[1+m-s_{ij}]_+(s_{ij}-1+m)}\Big)",
    when="Positives and negatives are at very different distances from where they should be.",
    pitfall="At chance and under collapse it has one and the same value, so the curve alone cannot tell them apart.",
    convention="Mean over anchors that have both a positive and a negative; the bracketed weights are held constant.",
    detached="the weights [s + m]_+ of negatives and [1 + m - s]_+ of positives",
)


def loss(scores: Scores, *, margin: float = 0.25, gamma: float = 256.0) -> Float[Tensor, ""]:
    """Mean over anchors with both of softplus(LSE_k(gamma a_ik (s_ik - m)) + LSE_j(-gamma a_ij (s_ij - 1 + m))).

    Weights, without gradient: a_ik = [s_ik + m]_+ for negatives k, a_ij = [1 + m - s_ij]_+ for positives j.
    """
    s = scores.s
    fixed = s.detach()
    push = row_logsumexp((fixed + margin).relu_().mul_(gamma) * (s - margin), scores.neg)  # (n,)
    pull = row_logsumexp((fixed - 1.0 - margin).clamp_(max=0.0).mul_(gamma) * (s - 1.0 + margin), scores.pos)
    worst = pull + push  # -inf for an anchor that lacks either: its term is zero, and it does not count
    return softplus(worst, threshold=80.0).sum() / (worst != -torch.inf).sum().clamp(min=1)
