"""InfoNCE with in-batch negatives: a softmax race of each positive against its anchor's negatives."""

import math

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softplus

from models.fused_softmax import as_number, fused_infonce, row_logsumexp
from models.geometry import Embeddings, Scores
from models.spec import Counts, Knob, Knobs, Level, LossSpec, Paper


def _race(counts: Counts, gap: float, temperature: float) -> float | None:
    """Mean over positive pairs of log(1 + N e^(gap / T)), gap = negative score - positive score."""
    pairs = counts.positives.sum()
    if pairs == 0:
        return None
    per_anchor = [math.log1p(int(n) * math.exp(gap / temperature)) for n in counts.negatives]
    return float((counts.positives * per_anchor).sum() / pairs)


def _flat(counts: Counts, knobs: Knobs) -> float | None:
    return _race(counts, 0.0, float(knobs["temperature"]))


def _perfect(counts: Counts, knobs: Knobs) -> float | None:
    return _race(counts, counts.best_negative - 1.0, float(knobs["temperature"]))


SPEC = LossSpec(
    key="infonce",
    name="InfoNCE",
    family="softmax",
    reads="scores",
    paper=Paper(
        "van den Oord, Li, Vinyals",
        2018,
        "Representation Learning with Contrastive Predictive Coding",
        arxiv="1807.03748",
        equation="4",
    ),
    knobs=(
        Knob("temperature", 0.1, 0.01, 1.0, log=True, help="Cold: the hardest negatives take nearly all the push."),
    ),
    levels=(
        Level("chance", _flat, "the encoder does not tell positives from negatives yet"),
        Level("collapse", _flat, "all scores are equal: if they are all 1, the embedding has collapsed to a point"),
        Level("perfect", _perfect, "classes sit on a simplex: nothing is left to gain at this temperature"),
    ),
    formula=r"-\log\frac{e^{s_{ij}/T}}{e^{s_{ij}/T}+\sum_{k\in N(i)}e^{s_{ik}/T}}",
    when="The default for two views of an item, and a strong baseline with labels.",
    pitfall="Same-class negatives are pushed too unless labels mask them out.",
    convention="Mean over positive pairs; that positive and the anchor's negatives in the denominator; one direction.",
    relations=("equals supcon when each anchor has one positive", "equals n_pair at temperature 1"),
)


def loss(scores: Scores, *, temperature: float = 0.1) -> Float[Tensor, ""]:
    """Mean over positives (i, j) of -log(e_ij / (e_ij + sum_k e_ik)), e = exp(s / T), k over negatives of i."""
    push = row_logsumexp(scores.s, scores.neg, rate=1.0 / temperature)[:, None]  # (n, 1)
    per_pair = softplus(push - scores.s / temperature, threshold=80.0)  # (n, m)
    # No positive in the batch: the sum is zero, joined to the graph, and so is the quotient.
    pos = as_number(scores.pos, per_pair)
    return (per_pair * pos).sum() / pos.sum().clamp(min=1.0)


def fused(embeddings: Embeddings, *, temperature: float = 0.1) -> Float[Tensor, ""]:
    """The same loss of a batch against itself, worked in row blocks with its gradient and without the n x n matrix."""
    return fused_infonce(embeddings, temperature)
