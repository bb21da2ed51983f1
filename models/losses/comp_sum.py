"""Comp-sum losses: one family from sum-exponential over cross-entropy and GCE to the mean absolute error."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from models.spec import Counts, Knob, Knobs, Level, LossSpec, Paper


def _chance(counts: Counts, knobs: Knobs) -> float | None:
    """The family's value at probability one over the number of classes."""
    above = float(knobs["tau"]) - 1.0
    depth = -math.log(counts.classes)
    return math.expm1(above * depth) / -above if above else -depth


SPEC = LossSpec(
    key="comp_sum",
    name="Comp-sum",
    family="classification",
    reads="logits",
    paper=Paper(
        "Mao, Mohri, Zhong",
        2023,
        "Cross-Entropy Loss Functions: Theoretical Analysis and Applications",
        arxiv="2304.07288",
        equation="the family of comp-sum losses",
        status="partly (abstract read; the family recalled, it agrees with second-hand notes)",
    ),
    knobs=(
        Knob(
            "tau",
            1.0,
            0.0,
            3.0,
            help="0: sum-exponential; 1: cross-entropy; 1.7: generalised cross-entropy with q = 0.7; "
            "2: mean absolute error. Each item weighs p to the power tau - 1, p the probability of its own class.",
        ),
    ),
    levels=(
        Level("chance", _chance, "the head gives every class the same probability"),
        Level("collapse", _chance, "all logits are equal: the classes, all as frequent, share one embedding"),
    ),
    formula=r"\frac{p_{iy_i}^{\tau-1}-1}{1-\tau},\quad \tau=1:\ -\log p_{iy_i},\quad p_i=\mathrm{softmax}(l_i)",
    when="Some labels are wrong: above tau 1 the items that the head cannot fit lose their weight.",
    pitfall="Near tau 2 and with many classes a fresh head has small p and hardly moves; near 0 it blows up.",
    convention="Mean over items. At tau 2 the value is 1 - p, half the absolute error summed over classes.",
    relations=(
        "at tau 1 equals cross_entropy",
        "at tau 0 equals the sum of exponentials of the other logits over the own",
        "at tau 1.7 equals generalised cross-entropy with q = 0.7",
        "at tau 2 equals half the mean absolute error of the probabilities",
    ),
)


def loss(logits: Float[Tensor, "n c"], target: Int[Tensor, " n"], *, tau: float = 1.0) -> Float[Tensor, ""]:
    """Mean over items of (p^(tau - 1) - 1) / (1 - tau), p = softmax(l)_y; at tau 1 its limit -log p."""
    log_p = logits.log_softmax(dim=1).gather(1, target[:, None])
    above = tau - 1.0
    # expm1 keeps its digits however near tau is to 1: only the quotient 0 / 0 needs a branch.
    return (torch.expm1(above * log_p) / -above if above else -log_p).mean()
