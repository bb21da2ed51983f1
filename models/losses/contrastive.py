"""Contrastive loss on cosines: every positive is pulled alike, every negative above a threshold is pushed alike."""

from jaxtyping import Float
from torch import Tensor

from models.fused_softmax import as_number
from models.geometry import Scores
from models.spec import Counts, Knob, Knobs, Level, LossSpec, Paper


def _at(counts: Counts, knobs: Knobs, positive: float, negative: float) -> float:
    """Mean over anchors when all positives have one score and all negatives another."""
    excess = max(negative - float(knobs["threshold"]), 0.0)
    return float((counts.negatives * excess - counts.positives * positive).mean())


SPEC = LossSpec(
    key="contrastive",
    name="Contrastive",
    family="pair",
    reads="scores",
    paper=Paper(
        "Hadsell, Chopra, LeCun",
        2006,
        "Dimensionality Reduction by Learning an Invariant Mapping",
        equation="section 2.1, in the cosine form of General Pair Weighting (arXiv 1904.06627, section 3)",
        status="second-hand (cosine form; the original is written in distances)",
    ),
    knobs=(
        Knob("threshold", 0.5, -1.0, 1.0, unit="cosine", help="Negatives below it are left alone; higher leaves more."),
    ),
    levels=(
        Level("chance", lambda c, k: _at(c, k, 0.0, 0.0), "the encoder does not tell positives from negatives yet"),
        Level("collapse", lambda c, k: _at(c, k, 1.0, 1.0), "all scores are 1: the embedding has collapsed to a point"),
        Level(
            "perfect",
            lambda c, k: _at(c, k, 1.0, c.best_negative),
            "classes are points on a simplex: the floor, minus the number of positives an anchor has",
        ),
    ),
    formula=r"\sum_{k\in N(i)}[s_{ik}-\lambda]_+-\sum_{j\in P(i)}s_{ij}",
    when="A baseline whose weights look at one pair alone: all of equal size, on or off.",
    pitfall="With many items a class the pull outweighs the push, and the classes are drawn together.",
    convention="Sums over pairs, mean over all n anchors; libraries average over pairs with a loss above zero instead.",
    relations=("equals minus the sum of positive scores over n when no negative passes the threshold",),
)


def loss(scores: Scores, *, threshold: float = 0.5) -> Float[Tensor, ""]:
    """Mean over anchors of sum_k [s_ik - threshold]_+ - sum_j s_ij, k over negatives and j over positives of i."""
    push = (scores.s - threshold).relu() * as_number(scores.neg, scores.s)
    return (push - scores.s * as_number(scores.pos, scores.s)).sum() / len(scores.s)
