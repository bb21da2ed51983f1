"""Taylor softmax: the exponential of the softmax cut after its second term, a spherical sibling of the Z-loss."""

from dataclasses import replace

from jaxtyping import Float, Int
from torch import Tensor

from models.classification import EQUAL, SPHERICAL
from models.spec import LossSpec

SPEC = LossSpec(
    key="taylor_softmax",
    name="Taylor softmax",
    family="classification",
    reads="logits",
    paper=replace(
        SPHERICAL,
        equation="Taylor softmax of second order",
        status="second-hand (as a comparison of arXiv 1604.08859)",
    ),
    levels=EQUAL,
    formula=r"-\log\frac{t(l_{iy_i})}{\sum_k t(l_{ik})},\quad t(l)=1+l+\tfrac12 l^2",
    when="A comparison with the softmax: the class race without an exponential, cheap for very many classes.",
    pitfall="Its numerator is least at logit -1 and grows again below: a logit under -1 is drawn the wrong way.",
    convention="Mean over items; second order, which keeps every numerator at 1/2 or more.",
    pulls_positives=False,
    pushes_negatives=False,
)


def loss(logits: Float[Tensor, "n c"], target: Int[Tensor, " n"]) -> Float[Tensor, ""]:
    """Mean over items of log(sum_k t(l_k)) - log t(l_y), t(l) = 1 + l + l^2 / 2."""
    numerator = 0.5 * (1.0 + (1.0 + logits).square())  # the same polynomial, without cancellation near its least
    own = numerator.gather(1, target[:, None]).squeeze(1)
    return (numerator.sum(dim=1).log() - own.log()).mean()
