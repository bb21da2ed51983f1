"""Spherical softmax: squares of the logits instead of exponentials, a sibling of the Z-loss."""

from dataclasses import replace

from jaxtyping import Float, Int
from torch import Tensor

from models.classification import EQUAL, SPHERICAL
from models.spec import Knob, LossSpec

SPEC = LossSpec(
    key="spherical_softmax",
    name="Spherical softmax",
    family="classification",
    reads="logits",
    paper=replace(
        SPHERICAL,
        equation="spherical softmax",
        status="second-hand (as a comparison of arXiv 1604.08859); size of the floor unverified",
    ),
    knobs=(Knob("floor", 1e-3, 1e-6, 1.0, log=True, help="Added to every square: keeps a logit of 0 finite."),),
    levels=EQUAL,
    formula=r"-\log\frac{l_{iy_i}^2+\epsilon}{\sum_k (l_{ik}^2+\epsilon)}",
    when="A comparison with the softmax: the class race without an exponential, blind to the scale of the logits.",
    pitfall="Blind to signs: a logit is drawn away from 0 on whichever side it starts, and crosses only by a jump.",
    convention="Mean over items; the floor stands in the numerator and, once for each class, in the sum.",
    relations=("does not change when all logits of an item are multiplied by a factor and the floor by its square",),
    pulls_positives=False,
    pushes_negatives=False,
)


def loss(logits: Float[Tensor, "n c"], target: Int[Tensor, " n"], *, floor: float = 1e-3) -> Float[Tensor, ""]:
    """Mean over items of log(sum_k (l_k^2 + floor)) - log(l_y^2 + floor)."""
    numerator = logits.square() + floor
    own = numerator.gather(1, target[:, None]).squeeze(1)
    return (numerator.sum(dim=1).log() - own.log()).mean()
