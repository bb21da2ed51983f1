"""CACR: attraction shared out among an anchor's positives, repulsion among its negatives, each within its own group."""

import math
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import softplus

from models.fused_softmax import as_number, row_logsumexp
from models.geometry import Scores
from models.spec import Counts, Knob, Knobs, Level, LossSpec, Paper

_LOG2E = math.log2(math.e)
FORMS = ("small_scale", "euclidean", "rbf")


def _at(counts: Counts, knobs: Knobs, positive: float, negative: float) -> float:
    """Value when all positives have one score and all negatives another; softmax weights then add up to 1 a group."""
    pulled, pushed = counts.positives > 0, counts.negatives > 0
    t_minus, beta = float(knobs["t_minus"]), float(knobs["beta"])
    if knobs["form"] == "rbf":
        race = np.log1p(counts.negatives * np.exp(2.0 * t_minus * (negative - positive)))
        return float((pulled * race).mean() / t_minus)
    if knobs["form"] == "euclidean":
        return float((pulled * ((1.0 - positive) - beta * pushed * (1.0 - negative))).sum())
    return float((2.0 * pulled * (1.0 - positive) - 2.0 * beta * pushed * (1.0 - negative)).mean())


SPEC = LossSpec(
    key="cacr",
    name="CACR",
    family="pair",
    reads="scores",
    paper=Paper(
        "Zheng et al.",
        2021,
        "Contrastive Attraction and Contrastive Repulsion for Representation Learning",
        arxiv="2105.03746",
        equation="contrastive attraction and contrastive repulsion, in the three forms of the authors' code",
        status="verified (code; its three variants differ)",
    ),
    knobs=(
        Knob(
            "form",
            "small_scale",
            choices=FORMS,
            help="small_scale: squared distances, mean over anchors; euclidean, rbf: the costs of the ImageNet code.",
        ),
        Knob(
            "t_plus", 1.0, 0.01, 20.0, log=True, help="Multiplies the squared distance: high pulls the farthest only."
        ),
        Knob(
            "t_minus", 2.0, 0.01, 20.0, log=True, help="Multiplies the squared distance: high pushes the nearest only."
        ),
        Knob("beta", 1.0, 0.0, 10.0, help="Weight of repulsion against attraction; rbf has its own balance."),
        Knob(
            "detach",
            False,
            choices=(False, True),
            help="Hold the softmax weights constant in backward: then every positive is pulled, every negative pushed.",
        ),
    ),
    levels=(
        Level("chance", lambda c, k: _at(c, k, 0.0, 0.0), "the encoder does not tell positives from negatives yet"),
        Level("collapse", lambda c, k: _at(c, k, 1.0, 1.0), "all scores are 1: the embedding has collapsed to a point"),
        Level("perfect", lambda c, k: _at(c, k, 1.0, c.best_negative), "classes are points on a simplex: the floor"),
    ),
    formula=(
        r"\sum_{j\in P(i)}\pi^+_{ij}d_{ij}-\beta\sum_{k\in N(i)}\pi^-_{ik}d_{ik},\quad "
        r"\pi^+=\mathrm{softmax}_P(t_+d),\ \pi^-=\mathrm{softmax}_N(-t_-d),\ d=2-2s"
    ),
    when="Several positives an anchor (three views or more, or labels), where the far ones need the pull.",
    pitfall="Without detach, negatives farther than the weighted mean distance by 1 / t_minus are attracted.",
    convention=(
        "Temperatures multiply, as published; the ImageNet code's T is t_plus = 1 / T and t_minus = 1 / (2 T). "
        "Published: small_scale without detach (its queue version with it), euclidean and rbf with it. small_scale: "
        "mean over all n anchors, one softmax over all negatives of an anchor (the code takes one for each pair of "
        "views). euclidean, rbf: rows are queries, columns keys; a pull is shared among the queries of a key and the "
        "push of a query is weighted alike; euclidean sums over the batch, rbf is a mean over keys of 1 / t_minus "
        "times the cross-entropy in which that positive stays in the denominator."
    ),
    relations=(
        "(rbf) equals infonce at temperature 1 / (2 t_minus), divided by t_minus, when each anchor has one positive",
        "(small_scale) does not depend on t_plus when each anchor has one positive",
    ),
    pulls_positives=False,
    pushes_negatives=False,
    rowwise=False,
    cost=(
        "Positives and negatives are shared out by two softmaxes of their own, each with its slope: the scores are "
        "read several times."
    ),
)


def share(x: Float[Tensor, "n m"], mask: Bool[Tensor, "n m"]) -> Float[Tensor, "n m"]:
    """Softmax of x over the masked entries of each column; all zero where the mask is empty."""
    held = x.masked_fill(~mask, -torch.inf)
    top = held.detach().amax(dim=0, keepdim=True)
    weight = (held - top.masked_fill(top == -torch.inf, 0.0)).exp()
    total = weight.sum(dim=0, keepdim=True)
    return weight / total.masked_fill(total == 0, 1.0)


def loss(
    scores: Scores,
    *,
    form: str = "small_scale",
    t_plus: float = 1.0,
    t_minus: float = 2.0,
    beta: float = 1.0,
    detach: bool = False,
) -> Float[Tensor, ""]:
    """Mean over anchors of sum_j pi+_ij d_ij - beta sum_k pi-_ik d_ik, d = 2 - 2 s; or an ImageNet form of it.

    pi+ = softmax of t_plus d over the positives of an anchor (ImageNet forms: of a key, that is down the column),
    pi- = softmax of -t_minus d over the negatives of an anchor.
    """
    if form == "small_scale":
        near = _attended(scores.s, scores.pos, -2.0 * t_plus, detach)
        return (near - beta * _attended(scores.s, scores.neg, 2.0 * t_minus, detach)).sum() / len(near)
    distance = 2.0 - 2.0 * scores.s
    pull = share(t_plus * distance, scores.pos)
    pull = pull.detach() if detach else pull
    if form == "rbf":
        return _rbf(scores, pull, t_minus)
    push = _attended(scores.s, scores.neg, 2.0 * t_minus, detach)
    # Cost 1 - s, half the squared distance; a query pushes as much as it is pulled.
    return 0.5 * ((pull * distance).sum() - beta * (pull.sum(dim=1) * push).sum())


def _attended(s: Float[Tensor, "n m"], mask: Bool[Tensor, "n m"], rate: float, detach: bool) -> Float[Tensor, " n"]:
    """Mean of d = 2 - 2 s over the masked entries of each row, weighed by the softmax of rate * s; 0 without any."""
    value: Tensor = _Attended.apply(s, mask, rate, detach)  # type: ignore[no-untyped-call]
    return value


class _Attended(torch.autograd.Function):
    """pi = softmax(rate s), m the mean of s by it: the slope is -2 pi_j, times 1 + rate (s_j - m) unless pi is held."""

    @staticmethod
    def forward(ctx: Any, s: Tensor, mask: Tensor, rate: float, detach: bool) -> Tensor:
        far = math.copysign(torch.finfo(s.dtype).max / 4, rate)
        held = torch.add(s, as_number(mask, s).sub_(1.0), alpha=far)  # near -far outside the mask
        top = (held.amax if rate > 0 else held.amin)(dim=1, keepdim=True)
        weight = held.sub_(top).mul_(rate * _LOG2E).exp2_()  # exp is slow where it underflows
        weight.mul_(as_number(mask, s))
        total = weight.sum(dim=1, keepdim=True)
        weight = weight.div_(total.masked_fill_(total == 0, 1.0))
        mean = (weight * s).sum(dim=1, keepdim=True)
        ctx.save_for_backward(s, weight, mean)
        ctx.rate, ctx.detach = rate, detach
        return (2.0 * mask.any(dim=1, keepdim=True) - 2.0 * mean).squeeze(1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:
        s, weight, mean = ctx.saved_tensors
        slope = weight * (-2.0 * grad[:, None])
        return (slope if ctx.detach else (s - mean).mul_(ctx.rate).add_(1.0).mul_(slope)), None, None, None


def _rbf(scores: Scores, pull: Float[Tensor, "n m"], t_minus: float) -> Float[Tensor, ""]:
    """Mean over keys of sum_i pi+_ij log(1 + sum_k e^(2 t_minus (s_ik - s_ij))) / t_minus, k negatives of query i."""
    rivals = row_logsumexp(scores.s, scores.neg, rate=2.0 * t_minus)[:, None]  # (n, 1)
    race = softplus(rivals - 2.0 * t_minus * scores.s, threshold=80.0)
    return (race * pull * as_number(scores.pos, pull)).sum() / (t_minus * scores.s.shape[1])
