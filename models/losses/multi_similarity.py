"""Multi-similarity: mine the pairs that break the order, then weight each by itself and by its rivals."""

import math
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from models.fused_softmax import as_number
from models.geometry import Scores
from models.spec import Counts, Knob, Knobs, Level, LossSpec, Paper

_BUFFER = 1 << 17  # numbers of one block: larger leaves the cache, smaller spends its time on the calls


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


class _Mined(torch.autograd.Function):
    """Loss of each anchor, (n,). Rows go through in blocks that stay in cache, each with its share of dL/ds.

    Mining keeps pairs on one side of a cut, so what it keeps has the same hardest pair as what it looked through: that
    pair's distance to the cut shifts the exponents, and entries beyond the cut are clipped, never compared one by one.
    """

    @staticmethod
    def forward(ctx: Any, s: Tensor, pos: Tensor, neg: Tensor, knobs: tuple[float, float, float, float]) -> Tensor:
        alpha, beta, threshold, margin = knobs
        value, gradient = s.new_empty(len(s)), torch.empty_like(s)
        step = max(16, _BUFFER // max(1, s.shape[1]))
        for start in range(0, len(s), step):
            rows = slice(start, start + step)
            up, nearest = _outside(s[rows], pos[rows], 1.0)  # positives as they are, all else far above
            down, hardest = _outside(s[rows], neg[rows], -1.0)  # negatives as they are, all else far below
            if margin > 0:
                up, down = torch.sub(hardest + margin, up, out=up), down.sub_(nearest - margin)
                up_top = down_top = hardest - nearest + margin
            else:
                up, up_top, down_top = up.neg_(), -nearest, hardest
            pull, pulled = _log_one_plus(up, up_top, alpha, alpha * (threshold - nearest), margin > 0)
            push, pushed = _log_one_plus(down, down_top, beta, beta * (hardest - threshold), margin > 0)
            value[rows] = (pull / alpha + push / beta).squeeze(1)
            torch.mul(down, pushed, out=gradient[rows])
            gradient[rows].addcmul_(up, pulled, value=-1.0)
        ctx.save_for_backward(gradient)
        return value

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * grad[:, None], None, None, None


def _outside(s: Tensor, mask: Tensor, side: float) -> tuple[Tensor, Tensor]:
    """Scores with all that the mask leaves out moved far to one side, and each row's last on the other, (r, 1)."""
    far = torch.finfo(s.dtype).max / 4
    held = as_number(mask, s).sub_(1.0)
    held = torch.add(s, held, alpha=-side * far, out=held)
    return held, (held.amin if side > 0 else held.amax)(dim=1, keepdim=True)


def _log_one_plus(x: Tensor, top: Tensor, rate: float, level: Tensor, mined: bool) -> tuple[Tensor, Tensor]:
    """log(1 + sum of e^(rate (x - top) + level)), (r, 1), over x above 0 if mined, and what a term of it weighs.

    In place x becomes e^(rate (x - top)).
    """
    far = torch.finfo(x.dtype).max / 4
    if mined:
        torch.threshold_(x, 0.0, -far)
        top = torch.where((top > 0) & (top < far / 2), top, 0.0)  # a row that keeps nothing, or has no rivals
    else:
        top = top.masked_fill(top.abs() > far / 2, 0.0)
    rate *= math.log2(math.e)  # exp is slow where it underflows, exp2 is not
    total = torch.add(top * -rate, x, alpha=rate, out=x).exp2_().sum(dim=1, keepdim=True)
    inside = total.log() + level
    return torch.nn.functional.softplus(inside, threshold=80.0), torch.where(total == 0, 0.0, inside.sigmoid() / total)


def loss(
    scores: Scores, *, alpha: float = 2.0, beta: float = 40.0, threshold: float = 0.5, mining_margin: float = 0.1
) -> Float[Tensor, ""]:
    """Mean over anchors of log(1 + sum_j e^(-alpha (s_ij - l))) / alpha + log(1 + sum_k e^(beta (s_ik - l))) / beta.

    l is the threshold. Mining keeps positives j of i below its hardest negative + margin and negatives k above its
    hardest positive - margin; without rivals none. At a margin of 0 all are kept.
    """
    value: Tensor = _Mined.apply(  # type: ignore[no-untyped-call]
        scores.s, scores.pos, scores.neg, (alpha, beta, threshold, mining_margin)
    )
    return value.mean()
