"""Multi-similarity: mine the pairs that break the order, then weight each by itself and by its rivals."""

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from models.fused_softmax import as_number, row_logsumexp
from models.geometry import Scores
from models.spec import Counts, Knob, Knobs, Level, LossSpec, Paper


def _at(counts: Counts, knobs: Knobs, positive: float, negative: float) -> float:
    """Mean over anchors when all positives have one score and all negatives another."""
    alpha, beta, threshold, eps = (float(knobs[k]) for k in ("alpha", "beta", "threshold", "mining_margin"))
    p, n = counts.positives.astype(float), counts.negatives.astype(float)
    if eps > 0:  # all pairs of an anchor are mined, or none
        kept = (p * n > 0) & (negative > positive - eps)
        p, n = p * kept, n * kept
    pull = np.log1p(p * np.exp(alpha * (threshold - positive))) / alpha
    push = np.log1p(n * np.exp(beta * (negative - threshold))) / beta
    return float((pull + push).mean())


def _inactive(counts: Counts, knobs: Knobs) -> float | None:
    return 0.0 if float(knobs["mining_margin"]) > 0 else None


SPEC = LossSpec(
    key="multi_similarity",
    name="Multi-similarity",
    family="pair",
    reads="scores",
    paper=Paper(
        "Wang et al.",
        2019,
        "Multi-Similarity Loss with General Pair Weighting for Deep Metric Learning",
        arxiv="1904.06627",
        equation="multi-similarity loss with its pair mining, section 4",
        status="verified (code)",
    ),
    knobs=(
        Knob("alpha", 2.0, 0.1, 50.0, log=True, help="Steepness for positives; higher looks at the hardest ones only."),
        Knob(
            "beta", 40.0, 0.1, 100.0, log=True, help="Steepness for negatives; higher looks at the hardest ones only."
        ),
        Knob("threshold", 0.5, -1.0, 1.0, unit="cosine", help="Where pull and push turn on."),
        Knob(
            "mining_margin",
            0.1,
            0.0,
            1.0,
            unit="cosine",
            help="Keep pairs that come within this of breaking the order; 0 switches mining off.",
        ),
    ),
    levels=(
        Level("chance", lambda c, k: _at(c, k, 0.0, 0.0), "the encoder does not tell positives from negatives yet"),
        Level("collapse", lambda c, k: _at(c, k, 1.0, 1.0), "all scores are 1: the embedding has collapsed to a point"),
        Level("perfect", lambda c, k: _at(c, k, 1.0, c.best_negative), "classes are points on a simplex: the floor"),
        Level("inactive", _inactive, "no pair passes the mining: nothing moves any more"),
    ),
    formula=r"\frac1\alpha\log\Big(1+\sum_{j\in P(i)}e^{-\alpha(s_{ij}-\lambda)}\Big)"
    r"+\frac1\beta\log\Big(1+\sum_{k\in N(i)}e^{\beta(s_{ik}-\lambda)}\Big)",
    when="Labels with several items a class; strong on fine-grained retrieval.",
    pitfall="Mining compares with the hardest pair, so one wrong label keeps every pair of its anchors alive.",
    convention="Mean over all n anchors, mined or not; constants of the authors' code (the library takes beta = 50).",
    relations=(
        "equals binomial_deviance at alpha = beta = 1 without mining when no anchor has two positives or two negatives",
    ),
)


def mined(scores: Scores, margin: float) -> tuple[Bool[Tensor, "n m"], Bool[Tensor, "n m"]]:
    """Positives below the hardest negative + margin, negatives above the hardest positive - margin; no rivals: none."""
    s = scores.s.detach()
    far = torch.finfo(s.dtype).max / 2  # where a mask is off, out of the way; a row without rivals keeps nothing
    hardest_positive = torch.sub(s, as_number(scores.pos, s).sub_(1.0), alpha=far).amin(dim=1, keepdim=True)
    hardest_negative = torch.add(s, as_number(scores.neg, s).sub_(1.0), alpha=far).amax(dim=1, keepdim=True)
    return scores.pos & (s < hardest_negative + margin), scores.neg & (s > hardest_positive - margin)


def loss(
    scores: Scores, *, alpha: float = 2.0, beta: float = 40.0, threshold: float = 0.5, mining_margin: float = 0.1
) -> Float[Tensor, ""]:
    """Mean over anchors of log(1 + sum_j e^(-alpha (s_ij - l))) / alpha + log(1 + sum_k e^(beta (s_ik - l))) / beta.

    l is the threshold; j and k run over the positives and negatives of i that mining keeps.
    """
    pos, neg = mined(scores, mining_margin) if mining_margin > 0 else (scores.pos, scores.neg)
    pull = row_logsumexp(scores.s, pos, rate=-alpha) + alpha * threshold  # (n,)
    push = row_logsumexp(scores.s, neg, rate=beta) - beta * threshold
    zero = torch.zeros_like(pull)  # the 1 inside the logarithm
    return (torch.logaddexp(zero, pull) / alpha + torch.logaddexp(zero, push) / beta).mean()
