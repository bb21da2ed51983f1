"""Cross-entropy on the logits of a linear head: the plain classifier that metric losses are compared with."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from models.spec import Counts, Knobs, Level, LossSpec, Paper


def _chance(counts: Counts, knobs: Knobs) -> float | None:
    return math.log(counts.classes)


SPEC = LossSpec(
    key="cross_entropy",
    name="Cross-entropy",
    family="classification",
    reads="logits",
    paper=Paper(
        "Bridle",
        1990,
        "Probabilistic Interpretation of Feedforward Classification Network Outputs",
        equation="softmax with the logarithmic score",
        status="standard formula",
    ),
    levels=(
        Level("chance", _chance, "the head gives every class the same probability"),
        Level("collapse", _chance, "all logits are equal: the classes, all as frequent, share one embedding"),
    ),
    formula=r"-\log\frac{e^{l_{iy_i}}}{\sum_k e^{l_{ik}}}",
    when="The classes are known and closed, and the embedding is a by-product.",
    pitfall="Asks only that classes can be told apart by a linear head: distances within a class are left loose.",
    convention="Mean over items. The linear head, with bias, reads the embedding as it is, not normalised.",
)


def loss(logits: Float[Tensor, "n c"], target: Int[Tensor, " n"]) -> Float[Tensor, ""]:
    """Mean over items of logsumexp_k l_ik - l_iy; target holds whole numbers from 0 to c - 1."""
    return torch.nn.functional.cross_entropy(logits, target)
