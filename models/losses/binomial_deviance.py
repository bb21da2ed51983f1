"""Binomial deviance: a soft threshold for each pair alone, steep for negatives and gentle for positives."""

import numpy as np
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softplus

from models.fused_softmax import as_number
from models.geometry import Scores
from models.spec import Counts, Knob, Knobs, Level, LossSpec, Paper


def _at(counts: Counts, knobs: Knobs, positive: float, negative: float) -> float:
    """Mean over anchors when all positives have one score and all negatives another."""
    alpha, beta, threshold = (float(knobs[name]) for name in ("alpha", "beta", "threshold"))
    pull = np.logaddexp(0.0, alpha * (threshold - positive)) * (counts.positives > 0)
    push = np.logaddexp(0.0, beta * (negative - threshold)) * (counts.negatives > 0)
    return float((pull + push).mean())


SPEC = LossSpec(
    key="binomial_deviance",
    name="Binomial deviance",
    family="pair",
    reads="scores",
    paper=Paper(
        "Yi, Lei, Li",
        2014,
        "Deep Metric Learning for Practical Person Re-Identification",
        arxiv="1407.4979",
        equation="binomial deviance cost, in the form of General Pair Weighting (arXiv 1904.06627, section 3)",
        status="second-hand (form of arXiv 1904.06627)",
    ),
    knobs=(
        Knob("alpha", 2.0, 0.1, 50.0, log=True, help="Steepness for positives; higher leaves good positives alone."),
        Knob("beta", 40.0, 0.1, 100.0, log=True, help="Steepness for negatives; higher makes the threshold sharp."),
        Knob("threshold", 0.5, -1.0, 1.0, unit="cosine", help="Where pull and push turn on."),
    ),
    levels=(
        Level("chance", lambda c, k: _at(c, k, 0.0, 0.0), "the encoder does not tell positives from negatives yet"),
        Level("collapse", lambda c, k: _at(c, k, 1.0, 1.0), "all scores are 1: the embedding has collapsed to a point"),
        Level(
            "perfect",
            lambda c, k: _at(c, k, 1.0, c.best_negative),
            "classes are points on a simplex: what remains is the tail of the soft threshold",
        ),
    ),
    formula=r"\frac{1}{|P(i)|}\sum_{j\in P(i)}\log(1+e^{\alpha(\lambda-s_{ij})})"
    r"+\frac{1}{|N(i)|}\sum_{k\in N(i)}\log(1+e^{\beta(s_{ik}-\lambda)})",
    when="Pairs should be judged one by one, with a smooth threshold instead of a hinge.",
    pitfall="The mean over all negatives dilutes the few hard ones: among many easy ones next to no push is left.",
    convention="Mean over positives plus mean over negatives of an anchor, then mean over all n anchors.",
    relations=(
        "equals multi_similarity at alpha = beta = 1 without mining when no anchor has two positives or two negatives",
    ),
)


def loss(scores: Scores, *, alpha: float = 2.0, beta: float = 40.0, threshold: float = 0.5) -> Float[Tensor, ""]:
    """Mean over anchors of mean_j softplus(alpha (l - s_ij)) + mean_k softplus(beta (s_ik - l)), l the threshold."""
    pos, neg = as_number(scores.pos, scores.s), as_number(scores.neg, scores.s)
    share = neg.div_(_number(neg)).addcdiv_(pos, _number(pos))  # 0 for a pair in neither mask
    rate = pos.mul_(-alpha - beta).add_(beta)  # -alpha or beta: one softplus serves both signs
    return (softplus(rate * (scores.s - threshold), threshold=80.0) * share).sum() / len(share)


def _number(mask: Float[Tensor, "n m"]) -> Float[Tensor, "n 1"]:
    """How many a row has; 1 where it has none, since there is nothing to divide."""
    return mask.sum(dim=1, keepdim=True).clamp(min=1.0)
