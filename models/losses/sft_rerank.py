"""SFT for reranking: a yes-or-no question for every document on its own, and its gradient as weight times direction."""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softplus

from models.fused_softmax import as_number, row_logsumexp
from models.geometry import Scores
from models.spec import Counts, Knob, Knobs, Level, LossSpec, Paper

REDUCTIONS = ("sum", "mean")


def _at(counts: Counts, knobs: Knobs, positive: float, negative: float) -> float:
    """Mean over anchors when all positives have one score and all negatives another."""
    p, n = counts.positives.astype(float), counts.negatives.astype(float)
    temperature = float(knobs["temperature"])
    total = p * np.logaddexp(0.0, -positive / temperature) + n * np.logaddexp(0.0, negative / temperature)
    if knobs["reduction"] == "mean":
        total = total / np.maximum(p + n, 1.0)
    return float(total.mean())


SPEC = LossSpec(
    key="sft_rerank",
    name="SFT reranking",
    family="pair",
    reads="scores",
    paper=Paper(
        "Dai, Zhang et al.",
        2025,
        "Supervised Fine-Tuning or Contrastive Learning? Towards Better Multimodal LLM Reranking",
        arxiv="2510.14824",
        equation="SFT loss and the unified weight x direction form",
        status="second-hand (two notes and a review agree), algebra checked",
    ),
    knobs=(
        Knob("temperature", 1.0, 0.01, 10.0, log=True, help="Divides the score before the yes-or-no question."),
        Knob(
            "reduction",
            "sum",
            choices=REDUCTIONS,
            help="Over the documents of a query. The mean only rescales: Adam hides that, SGD does not.",
        ),
    ),
    levels=(
        Level("chance", lambda c, k: _at(c, k, 0.0, 0.0), "every document is answered with one half"),
        Level("collapse", lambda c, k: _at(c, k, 1.0, 1.0), "all scores are 1: the embedding has collapsed to a point"),
        Level("perfect", lambda c, k: _at(c, k, 1.0, c.best_negative), "classes are points on a simplex: the floor"),
    ),
    formula=r"\sum_{j\in P(i)}-\log\sigma(s_{ij}/T)+\sum_{k\in N(i)}-\log\sigma(-s_{ik}/T)",
    when="To compare with InfoNCE: the same directions, but no document is weighted by its rivals.",
    pitfall="With many easy negatives their sum outweighs the positive, because no weight depends on a rival.",
    convention=(
        "Sum (or mean) over an anchor's documents, mean over all n anchors. The score stands for the paper's "
        "z_yes - z_no; cosines span little of a sigmoid at temperature 1, so give them a colder one."
    ),
    relations=(
        "(sum) equals binomial_deviance at alpha = beta = 1 / temperature and threshold 0 "
        "when each anchor has one positive and one negative",
    ),
)


def loss(scores: Scores, *, temperature: float = 1.0, reduction: str = "sum") -> Float[Tensor, ""]:
    """Mean over anchors of sum_j softplus(-s_ij / T) + sum_k softplus(s_ik / T), j positives, k negatives of i."""
    sign = as_number(scores.neg, scores.s).sub_(as_number(scores.pos, scores.s))  # -1, 1, and 0 where no pair counts
    per_pair = softplus(sign * (scores.s / temperature), threshold=80.0) * sign.abs()
    per_anchor = per_pair.sum(dim=1)
    if reduction == "mean":
        per_anchor = per_anchor / sign.abs().sum(dim=1).clamp(min=1.0)  # no document: zero over one
    return per_anchor.mean()


@torch.no_grad()
def own_weights(logits: Scores) -> Float[Tensor, "n m"]:
    """W of SFT: sigma(-s) at a positive and sigma(s) at a negative, each document for itself; 0 elsewhere."""
    sign = as_number(logits.neg, logits.s).sub_(as_number(logits.pos, logits.s))
    return (sign * logits.s).sigmoid() * sign.abs()


@torch.no_grad()
def race_weights(logits: Scores) -> Float[Tensor, "n m"]:
    """W of contrastive learning: the share of the rivals at a positive, a negative's share of the race; 0 elsewhere.

    With several positives each runs its own race against the negatives, and a negative's shares add up.
    """
    push = row_logsumexp(logits.s, logits.neg)[:, None]  # (n, 1)
    lost = (push - logits.s).sigmoid() * as_number(logits.pos, logits.s)
    share = torch.where(logits.neg, (logits.s - push).exp(), 0.0)
    return lost + share * lost.sum(dim=1, keepdim=True)


@torch.no_grad()
def constant_weights(logits: Scores) -> Float[Tensor, "n m"]:
    """W = 1 at every document: the probe in which only the direction is left."""
    return as_number(logits.pos | logits.neg, logits.s)


@torch.no_grad()
def masked_weights(logits: Scores, threshold: float = 0.1) -> Float[Tensor, "n m"]:
    """W = 1 until a positive's probability sigma(s) is above 1 - threshold or a negative's below threshold, then 0."""
    probability = logits.s.sigmoid()
    open_ = (logits.pos & (probability <= 1.0 - threshold)) | (logits.neg & (probability >= threshold))
    return as_number(open_, logits.s)


WEIGHTS: dict[str, Callable[[Scores], Tensor]] = {
    "sft": own_weights,
    "cl": race_weights,
    "constant": constant_weights,
    "masked": masked_weights,
}


def weight_by_direction(weight: Float[Tensor, "n m"], along: Scores) -> Float[Tensor, ""]:
    """Mean over queries of -sum_j W_ij z_ij + sum_k W_ik z_ik, W held constant: its gradient is weight x direction.

    weight: from one of WEIGHTS, at the scores that its loss reads (z_yes for "cl", z_yes - z_no for "sft").
    along: scores z = h . D of the direction to follow, D = M_yes, M_yes - M_no or any other; only its gradient counts.
    """
    sign = as_number(along.neg, along.s).sub_(as_number(along.pos, along.s))
    return (sign * weight.detach() * along.s).sum() / len(along.s)
