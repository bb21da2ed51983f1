"""Mann-Whitney loss: every positive of the batch against every negative of the batch, a bound on one minus the AUC.

All positives meet all negatives, some 10^7 comparisons at 128 items and 10^12 at 2048: `models.contest` sums them in
time linear in the scores.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from models.contest import mean_contest
from models.geometry import Scores
from models.spec import Counts, Knob, Knobs, Level, LossSpec, Paper


def _level(counts: Counts, knobs: Knobs, gap: float) -> float | None:
    """softplus(gap), gap = (negative score - positive score) / T, times the kept negatives if divided by positives."""
    hardest = int(knobs["hardest"])
    kept = sum(min(int(n), hardest) if hardest else int(n) for n in counts.negatives)
    if counts.positives.sum() == 0 or kept == 0:
        return None
    value = max(gap, 0.0) + math.log1p(math.exp(-abs(gap)))
    return value * kept if knobs["divisor"] == "positives" else value


def _flat(counts: Counts, knobs: Knobs) -> float | None:
    return _level(counts, knobs, 0.0)


def _perfect(counts: Counts, knobs: Knobs) -> float | None:
    return _level(counts, knobs, (counts.best_negative - 1.0) / float(knobs["temperature"]))


SPEC = LossSpec(
    key="mann_whitney",
    name="Mann-Whitney",
    family="ranking",
    reads="scores",
    paper=Paper(
        "Sheikholeslami et al.",
        2025,
        "Optimizing What Matters: AUC-Driven Learning for Robust Neural Retrieval",
        arxiv="2510.00137",
        equation="3",
    ),
    knobs=(
        Knob(
            "temperature",
            0.1,
            0.01,
            1.0,
            log=True,
            help="Cold: near to counting wrong orders; the paper trains at 0.01.",
        ),
        Knob("hardest", 0, 0, 2048, unit="negatives", help="Nearest negatives kept of each anchor; 0 keeps them all."),
        Knob(
            "divisor",
            "comparisons",
            choices=("comparisons", "positives"),
            help="What the sum is divided by: all comparisons, as the bound needs, or positives alone, as printed.",
        ),
    ),
    levels=(
        Level("chance", _flat, "scores say nothing about pairs yet: log 2 a comparison, at any temperature"),
        Level("collapse", _flat, "all scores are equal: if they are all 1, the embedding has collapsed to a point"),
        Level("perfect", _perfect, "classes sit on a simplex: nothing is left to gain at this temperature"),
    ),
    formula=r"\frac{1}{|P||N|}\sum_{(i,j)\in P}\sum_{(a,b)\in N}\log\left(1+e^{(s_{ab}-s_{ij})/T}\right)",
    when="One threshold must serve all anchors: scores of different anchors are compared with each other.",
    pitfall="False negatives hurt more than in InfoNCE, because each of them is held against every positive.",
    convention=(
        "Mean over all positives times all negatives of the batch: divided by log 2 it is at least 1 - AUC. The paper "
        "prints the sum over B, here the divisor `positives`, and no temperature; its bound needs the mean over all. "
        "Its mined hard negatives are further candidates, which count like any other; `hardest` (ours) keeps those "
        "nearest to each anchor of what the batch has, and then bounds the AUC against them only."
    ),
    relations=("divided by log 2 bounds one minus the AUC",),
    rowwise=False,
    cost=(
        "Every positive of the batch meets every negative of the batch: the sum is exact and linear in the scores, "
        "but spreading and reading each score takes some seven times the matrix product."
    ),
)


def loss(
    scores: Scores, *, temperature: float = 0.1, hardest: int = 0, divisor: str = "comparisons"
) -> Float[Tensor, ""]:
    """Mean over positive scores p and negative scores q of log(1 + e^((q - p) / T)), pooled over all anchors.

    With divisor `positives` the mean over positives of the sum over negatives.
    """
    x, pos, neg = scores.s, scores.pos, scores.neg
    if hardest:
        p, q = x[pos], _nearest(scores, hardest)
        x, neg = torch.cat([p, q]), torch.arange(len(p) + len(q), device=x.device) >= len(p)
        pos = ~neg
    negatives = int(neg.count_nonzero())
    if negatives == 0 or not pos.any():
        return 0.0 * scores.s.sum()
    value = mean_contest(x, pos, neg, temperature)
    return value * negatives if divisor == "positives" else value


def _nearest(scores: Scores, hardest: int) -> Float[Tensor, " k"]:
    """Scores of as many negatives as `hardest` of each anchor; of ties at the edge exactly that many."""
    masked = scores.s.masked_fill(~scores.neg, -torch.inf)
    nearest = masked.topk(min(hardest, masked.shape[1]), dim=1).values
    return nearest[nearest != -torch.inf]
