"""Z-loss: softplus of the own class's z-score among the logits; blind to a shift and to a scale of all logits."""

import math

from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import softplus

from models.spec import Counts, Knob, Knobs, Level, LossSpec, Paper

_FLOOR = 1e-3  # least standard deviation: below it the scale counts again, so that a head of zeros has a finite slope


def _flat(counts: Counts, knobs: Knobs) -> float | None:
    """All z-scores are 0."""
    a, lead = float(knobs["a"]), float(knobs["a"]) * float(knobs["b"])
    return (max(lead, 0.0) + math.log1p(math.exp(-abs(lead)))) / a


SPEC = LossSpec(
    key="z_loss",
    name="Z-loss",
    family="classification",
    reads="logits",
    paper=Paper(
        "de Brébisson, Vincent",
        2016,
        "The Z-loss: a shift and scale invariant classification loss belonging to the Spherical Family",
        arxiv="1604.08859",
        equation="softplus of a (b - z) over a",
        status="verified (code) for a = 1, b = 0; second-hand for other a and b",
    ),
    knobs=(
        Knob("a", 1.0, 0.01, 10.0, log=True, help="Sharpness: large makes it a hinge at b."),
        Knob(
            "b",
            0.0,
            -10.0,
            30.0,
            unit="standard deviations",
            help="z-score to reach. The greatest possible is sqrt(classes - 1); a third to half of it is a good start.",
        ),
    ),
    levels=(
        Level("chance", _flat, "all logits are equal: no class stands out"),
        Level("collapse", _flat, "all logits are equal: the classes, all as frequent, share one embedding"),
    ),
    formula=r"\frac1a\log\left(1+e^{a(b-z_{iy_i})}\right),\quad z_{ik}=\frac{l_{ik}-\mu_i}{\sigma_i}",
    when="Very many classes, and it matters that the own one is among the first few.",
    pitfall="Not the z-loss of language models, which penalises the log of the softmax sum. The slope falls as the "
    "logits grow, since only their z-scores count.",
    convention="Mean over items; the released code sums. The deviation divides by the number of classes, not by one "
    "less, and is held at 1e-3 or more. Two classes are refused: their z-scores are always 1 and -1.",
    relations=("does not change when all logits of an item are shifted, or scaled by a positive factor",),
    pushes_negatives=False,
    fewest_classes=3,
)


def loss(
    logits: Float[Tensor, "n c"], target: Int[Tensor, " n"], *, a: float = 1.0, b: float = 0.0
) -> Float[Tensor, ""]:
    """Mean over items of softplus(a (b - z_y)) / a, z the logits less their mean, over their population deviation.

    Raises ValueError on fewer than three classes.
    """
    if logits.shape[1] < 3:
        raise ValueError(
            f"z_loss needs at least 3 classes, got {logits.shape[1]}: with two it is blind to all but signs"
        )
    centred = logits - logits.mean(dim=1, keepdim=True)
    deviation = centred.square().mean(dim=1).clamp(min=_FLOOR**2).sqrt()
    own = centred.gather(1, target[:, None]).squeeze(1) / deviation
    return (softplus(a * (b - own), threshold=80.0) / a).mean()
