"""CWCL: one tower's own similarities say how much of a positive every pair is; the other direction stays InfoNCE."""

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softplus

from models.fused_softmax import as_number, row_logsumexp
from models.geometry import Scores, unit
from models.spec import Counts, Knob, Knobs, Level, LossSpec, Paper


def _level(counts: Counts, knobs: Knobs, gap: float) -> float | None:
    """Both directions without a graded target, gap = negative score - positive score; a batch against itself."""
    lead = math.exp(gap / float(knobs["temperature"]))
    held = [(int(p), int(n)) for p, n in zip(counts.positives, counts.negatives, strict=True) if p > 0]
    if not held:
        return None
    forward = sum(math.log(p + n * lead) for p, n in held) / len(held)
    return forward + sum(p * math.log1p(n * lead) for p, n in held) / sum(p for p, _ in held)


def _flat(counts: Counts, knobs: Knobs) -> float | None:
    return _level(counts, knobs, 0.0)


def _perfect(counts: Counts, knobs: Knobs) -> float | None:
    return _level(counts, knobs, counts.best_negative - 1.0)


SPEC = LossSpec(
    key="cwcl",
    name="CWCL",
    family="softmax",
    reads="scores",
    paper=Paper(
        "Srinivasa, Cho, Yang et al.",
        2023,
        "CWCL: Cross-Modal Transfer with Continuously Weighted Contrastive Loss",
        arxiv="2309.14580",
        equation="continuously weighted loss plus ordinary loss (numbers not seen)",
        status="second-hand (a third-party implementation and its paper)",
    ),
    knobs=(
        Knob(
            "temperature",
            0.07,
            0.01,
            1.0,
            log=True,
            help="Learned in the paper from 0.07; warm softens both softmaxes.",
        ),
        Knob("sharpness", 1.0, 1.0, 16.0, log=True, help="Ours: power of the graded target; 1 is the paper's loss."),
    ),
    levels=(
        Level("chance", _flat, "the encoder does not tell positives from negatives yet (no graded target)"),
        Level("collapse", _flat, "all scores are equal: if they are all 1, the embedding has collapsed to a point"),
        Level("perfect", _perfect, "classes sit on a simplex: the floor where there is no graded target"),
    ),
    formula=(
        r"-\sum_j\frac{w_{ij}}{\sum_k w_{ik}}\log\frac{e^{s_{ij}/T}}{\sum_k e^{s_{ik}/T}}"
        r"-\log\frac{e^{s_{ii}/T}}{\sum_k e^{s_{ki}/T}}"
    ),
    when="A frozen, good embedding of one side is to lend its neighbourhoods to the side that is trained.",
    pitfall=(
        "Cosine / 2 + 1/2 is near 1/2 for unrelated pairs: the target row is almost even and the space shrinks to a "
        "cone, unless the temperature is tuned or the target sharpened."
    ),
    convention=(
        "Sum of the two directions. Graded: mean over anchors with any target, all counted pairs in the denominator, "
        "targets held constant. Ordinary: mean over positive pairs, candidates as anchors. Rows are the frozen side. "
        "The temperature is a knob here; that the paper learns it, clamped at 0.01, was not read there."
    ),
    relations=("equals supcon plus infonce with the towers exchanged where there is no graded target",),
    pulls_positives=False,
    pushes_negatives=False,
    rowwise=False,
    graded=True,
    cost=(
        "Two softmaxes, one along the rows and one along the columns, where other losses take one: four to six times "
        "the matrix product."
    ),
)


def similarity(z: Float[Tensor, "n d"]) -> Float[Tensor, "n n"]:
    """The paper's target from the frozen side's rows: cosine / 2 + 1/2, in [0, 1], without gradient."""
    rows = unit(z.detach())
    return ((rows @ rows.T + 1.0) / 2.0).clamp(0.0, 1.0)  # rounding alone may lead outside


def loss(scores: Scores, *, temperature: float = 0.07, sharpness: float = 1.0) -> Float[Tensor, ""]:
    """Graded softmax over each row's candidates plus InfoNCE over each column's anchors."""
    return graded(scores, temperature=temperature, sharpness=sharpness) + _ordinary(scores, temperature)


def graded(scores: Scores, *, temperature: float = 0.07, sharpness: float = 1.0) -> Float[Tensor, ""]:
    """Mean over anchors of LSE_k(s_ik / T) - sum_j W_ij s_ij / T, W the target's rows divided by their sums."""
    counted = scores.pos | scores.neg
    if scores.target is None:
        weight = as_number(scores.pos, scores.s)  # 0 and 1, at any sharpness
    else:
        weight = scores.target.detach().to(scores.s.dtype).pow(sharpness) * as_number(counted, scores.s)
    total = weight.sum(dim=1)  # (n,)
    active = total > 0
    pull = (scores.s * weight).sum(dim=1) / (temperature * torch.where(active, total, 1.0))
    rivals = row_logsumexp(scores.s, counted, rate=1.0 / temperature)
    return torch.where(active, rivals - pull, 0.0).sum() / active.sum().clamp(min=1)


def _ordinary(scores: Scores, temperature: float) -> Float[Tensor, ""]:
    """InfoNCE of the candidates: each positive pair against the candidate's negative anchors, mean over pairs."""
    push = row_logsumexp(scores.s.T, scores.neg.T, rate=1.0 / temperature)[None, :]  # (1, m)
    per_pair = softplus(push - scores.s / temperature, threshold=80.0)  # (n, m)
    pos = as_number(scores.pos, per_pair)
    return (per_pair * pos).sum() / pos.sum().clamp(min=1.0)
