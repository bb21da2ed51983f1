"""LDR-KL: the worst mixture of leads over the own class, kept near the uniform one by a KL penalty."""

import math
from dataclasses import replace

from jaxtyping import Float, Int
from torch import Tensor

from models.classification import ROBUST, SHARED, flat_race
from models.spec import Knob, Level, LossSpec

SPEC = LossSpec(
    key="ldr_kl",
    name="LDR-KL",
    family="classification",
    reads="logits",
    paper=replace(
        ROBUST,
        equation="closed form of the LDR-KL loss",
        status="verified (code and loops; of the paper only the abstract was read)",
    ),
    knobs=(
        Knob(
            "temperature",
            1.0,
            0.01,
            100.0,
            log=True,
            help="Cold: only the class with the largest lead counts, a hinge. Hot: all classes count alike.",
        ),
        Knob("margin", 0.1, 0.0, 5.0, unit="logit", help="Head start of every other class."),
    ),
    levels=(
        Level("chance", flat_race, "the head gives every class the same logit: the margin alone lifts this above 0"),
        Level("collapse", flat_race, SHARED),
    ),
    formula=r"T\log\frac1C\sum_k e^{d_{ik}/T},\quad d_{ik}=l_{ik}-l_{iy_i}+c\,[k\ne y_i]",
    when="Between cross-entropy and a multi-class hinge, with one knob; hot where labels are noisy.",
    pitfall="May be negative. A hot temperature needs small logits to be robust: see aldr_kl, which brings them to one "
    "size first; by itself it gains nothing under label noise.",
    convention="Mean over items and, inside the logarithm, over classes: the closed form. The released code divides "
    "softplus of the logits by its mean before; that is aldr_kl with normalise softplus and a large alpha.",
    relations=(
        "at temperature 1 and margin 0 equals cross_entropy less the log of the number of classes",
        "is the hinge on the largest lead for a cold temperature",
        "is the mean lead for a hot temperature",
    ),
)


def loss(
    logits: Float[Tensor, "n c"], target: Int[Tensor, " n"], *, temperature: float = 1.0, margin: float = 0.1
) -> Float[Tensor, ""]:
    """Mean over items of T log(mean_k exp(d_k / T)), d_k = l_k - l_y + margin for k other than y, and 0 for y."""
    own = target[:, None]
    lead = (logits - logits.gather(1, own) + margin).scatter(1, own, 0.0)
    return temperature * ((lead / temperature).logsumexp(dim=1) - math.log(logits.shape[1])).mean()
