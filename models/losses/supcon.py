"""SupCon: every positive is one target of a softmax over all other items of the batch."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from models.fused_softmax import as_number, fused_supcon, row_logsumexp
from models.geometry import Embeddings, Scores
from models.spec import Counts, Knob, Knobs, Level, LossSpec, Paper


def _level(counts: Counts, negative: float, temperature: float) -> float | None:
    """Mean over anchors with a positive of log(P + N e^((negative - positive) / T)), all positives at one score."""
    terms = [
        math.log(int(p) + int(n) * math.exp(negative / temperature))
        for p, n in zip(counts.positives, counts.negatives, strict=True)
        if p > 0
    ]
    return sum(terms) / len(terms) if terms else None


def _flat(counts: Counts, knobs: Knobs) -> float | None:
    return _level(counts, 0.0, float(knobs["temperature"]))


def _perfect(counts: Counts, knobs: Knobs) -> float | None:
    return _level(counts, counts.best_negative - 1.0, float(knobs["temperature"]))


SPEC = LossSpec(
    key="supcon",
    name="SupCon",
    family="softmax",
    reads="scores",
    paper=Paper("Khosla et al.", 2020, "Supervised Contrastive Learning", arxiv="2004.11362", equation="2 (L_out)"),
    knobs=(
        Knob("temperature", 0.1, 0.01, 1.0, log=True, help="Cold: the hardest candidates take nearly all the weight."),
    ),
    levels=(
        Level("chance", _flat, "the encoder does not tell positives from negatives yet"),
        Level("collapse", _flat, "all scores are equal: if they are all 1, the embedding has collapsed to a point"),
        Level("perfect", _perfect, "classes sit on a simplex: this is the floor, not zero, with several positives"),
    ),
    formula=r"\frac{-1}{|P(i)|}\sum_{j\in P(i)}\log\frac{e^{s_{ij}/T}}{\sum_{k\ne i}e^{s_{ik}/T}}",
    when="Labels are given and classes have several items in a batch.",
    pitfall="Positives stand in the denominator, so an easy positive is pushed away while harder ones remain.",
    convention="Sum outside the logarithm, all j != i below, mean over anchors with a positive, no base temperature.",
    relations=("equals infonce when each anchor has one positive",),
    pulls_positives=False,
)


def loss(scores: Scores, *, temperature: float = 0.1) -> Float[Tensor, ""]:
    """Mean over anchors with positives of mean_j -log(e_ij / sum_k e_ik), e = exp(s / T), k over all counted pairs."""
    pos = as_number(scores.pos, scores.s)
    positives = pos.sum(dim=1)  # (n,)
    active = positives > 0
    rivals = row_logsumexp(
        scores.s, scores.pos | scores.neg, rate=1.0 / temperature
    )  # (n,), finite wherever there is a positive
    pull = (scores.s * pos).sum(dim=1) / (temperature * positives.clamp(min=1.0))
    # No positive in the batch: the sum is zero, joined to the graph, and so is the quotient.
    return torch.where(active, rivals - pull, 0.0).sum() / max(int(active.sum()), 1)


def fused(embeddings: Embeddings, *, temperature: float = 0.1) -> Float[Tensor, ""]:
    """The same loss of a batch against itself, worked in row blocks with its gradient and without the n x n matrix."""
    return fused_supcon(embeddings, temperature)
