"""Symmetry: the two halves of a frontal face, one mirrored, are to have one embedding."""

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softplus

from models.fused_softmax import as_number, row_logsumexp
from models.geometry import Scores
from models.spec import Counts, Knob, Knobs, Level, LossSpec, Paper


def _level(counts: Counts, knobs: Knobs, positive: float, negative: float) -> float | None:
    """2 - 2 positive, plus the companion's mean over pairs of log(1 + N e^((negative - positive) / T))."""
    pairs = counts.positives.sum()
    if pairs == 0:
        return None
    lead = math.exp((negative - positive) / float(knobs["temperature"]))
    raced = sum(int(p) * math.log1p(int(n) * lead) for p, n in zip(counts.positives, counts.negatives, strict=True))
    return 2.0 - 2.0 * positive + float(knobs["companion"]) * raced / float(pairs)


SPEC = LossSpec(
    key="symmetry",
    name="Symmetry (SymFace)",
    family="pair",
    reads="scores",
    paper=Paper(
        "Prakash et al.",
        2024,
        "SymFace: Additional Facial Symmetry Loss for Deep Face Recognition",
        arxiv="2409.11816",
        equation="symmetry term; distance, scaling and threshold are our reconstruction",
        status="unverified (structure from two summaries)",
    ),
    knobs=(
        Knob("threshold", 0.8, 0.0, 1.0, help="Frontness, told as the pair's graded target, from which a pair counts."),
        Knob("companion", 0.0, 0.0, 10.0, help="Ours: weight of InfoNCE on the same scores; at 0 the term collapses."),
        Knob("temperature", 0.1, 0.01, 1.0, log=True, help="Of the companion only."),
    ),
    levels=(
        Level("chance", lambda c, k: _level(c, k, 0.0, 0.0), "halves of one face are at a right angle"),
        Level(
            "collapse", lambda c, k: _level(c, k, 1.0, 1.0), "all scores are 1: without a companion, the very optimum"
        ),
        Level("perfect", lambda c, k: _level(c, k, 1.0, c.best_negative), "halves agree and faces are on a simplex"),
    ),
    formula=r"\frac{1}{|A|}\sum_{(i,j)\in A}\|z_i-z_j\|^2=2-\frac{2}{|A|}\sum_{(i,j)\in A}s_{ij},\quad \rho_{ij}\ge r",
    when="Pairs are two halves, or two views, that ought to agree, and only some of them are fit to ask it of.",
    pitfall="Alone it is least when everything is one point: it needs a loss that pushes, on whole images, beside it.",
    convention=(
        "Mean over the selected positive pairs; every one is selected where no frontness is told, and none gives 0. "
        "The pull is constant, 2 over their number. The paper adds the term to a face loss on the whole image; here a "
        "companion on the same pairs stands in for it, and is off by default."
    ),
    relations=("is the mean squared distance of unit vectors of the positive pairs", "its companion is infonce"),
    graded=True,
)


def frontness(
    left_eye: Float[Tensor, " n"], right_eye: Float[Tensor, " n"], nose: Float[Tensor, " n"]
) -> Float[Tensor, " n"]:
    """1 for a nose midway between the eyes, 0 from under an eye outwards; horizontal places in any one unit."""
    half = (right_eye - left_eye).abs() / 2.0
    aside = (nose - (left_eye + right_eye) / 2.0).abs()
    return torch.where(half > 0, 1.0 - aside / torch.where(half > 0, half, 1.0), 0.0).clamp(0.0, 1.0)


def loss(
    scores: Scores, *, threshold: float = 0.8, companion: float = 0.0, temperature: float = 0.1
) -> Float[Tensor, ""]:
    """Mean over positives (i, j) with target >= threshold of 2 - 2 s_ij, plus companion * InfoNCE."""
    chosen = scores.pos if scores.target is None else scores.pos & (scores.target >= threshold)
    selected = as_number(chosen, scores.s)
    value = ((2.0 - 2.0 * scores.s) * selected).sum() / selected.sum().clamp(min=1.0)
    if companion == 0:
        return value
    push = row_logsumexp(scores.s, scores.neg, rate=1.0 / temperature)[:, None]
    per_pair = softplus(push - scores.s / temperature, threshold=80.0)
    pos = as_number(scores.pos, per_pair)
    return value + companion * (per_pair * pos).sum() / pos.sum().clamp(min=1.0)
