"""HL-Gauss: regression as classification over bins, the target smeared by a Gaussian."""

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from models.classification import BINS, ends, log_classes
from models.spec import Knob, Level, LossSpec

SPEC = LossSpec(
    key="hl_gauss",
    name="HL-Gauss",
    family="classification",
    reads="logits",
    target="real",
    paper=replace(
        BINS,
        equation="categorical distribution from a Gaussian over the bins",
        status="verified (paper)",
    ),
    knobs=(
        *ends("Lower end of the bins", "Upper end of the bins"),
        Knob(
            "ratio", 0.75, 0.05, 5.0, log=True, unit="bins", help="Width (sigma) of the Gaussian, in widths of a bin."
        ),
    ),
    levels=(
        Level("chance", log_classes, "the head gives every bin the same probability"),
        Level("collapse", log_classes, "all logits are equal: every bin has the same probability"),
    ),
    formula=r"-\sum_k p_k(y_i)\log\mathrm{softmax}(l_i)_k,\quad "
    r"p_k(y)\propto\Phi\left(\frac{e_{k+1}-y}{s}\right)-\Phi\left(\frac{e_k-y}{s}\right)",
    when="A number is to be predicted, noisy or drifting, and squared error makes the network stiff.",
    pitfall="Near the ends the smeared target is cut off and its mean lies too far inside: let the bins reach at least "
    "three sigma beyond the data.",
    convention="Mean over items. As many bins as there are logits, from v_min to v_max; the prediction is the mean of "
    "the bins' middles under the softmax. The best value is the entropy of the smeared target, not 0.",
    relations=("equals cross_entropy on the bin of the target for a narrow Gaussian",),
    pulls_positives=False,
    pushes_negatives=False,
)


def loss(
    logits: Float[Tensor, "n bins"],
    target: Float[Tensor, " n"],
    *,
    v_min: float = -10.0,
    v_max: float = 10.0,
    ratio: float = 0.75,
) -> Float[Tensor, ""]:
    """Mean over items of the cross-entropy between the smeared target and the softmax over bins."""
    p = smeared(target, logits.shape[1], v_min, v_max, ratio).to(logits.dtype)
    return -(p * logits.log_softmax(dim=1)).sum(dim=1).mean()


def smeared(
    target: Float[Tensor, " n"], bins: int, v_min: float, v_max: float, ratio: float
) -> Float[Tensor, "n bins"]:
    """Mass of a Gaussian around each target in each bin, over that in all bins, float64; ratio: sigma in bin widths.

    Targets outside the range are taken to its end: from far outside, no bin would have any mass.
    """
    # In float64: with a narrow Gaussian the masses are small differences of numbers near 1.
    edges = torch.linspace(v_min, v_max, bins + 1, dtype=torch.float64, device=target.device)
    inside = target.double().clamp(v_min, v_max)
    below: Tensor = torch.special.ndtr((edges - inside[:, None]) / (ratio * (v_max - v_min) / bins))  # (n, bins + 1)
    return below.diff(dim=1) / (below[:, -1:] - below[:, :1])


def decode(logits: Float[Tensor, "n bins"], *, v_min: float = -10.0, v_max: float = 10.0) -> Float[Tensor, " n"]:
    """The predicted numbers: means of the bins' middles under the softmax."""
    half = 0.5 * (v_max - v_min) / logits.shape[1]
    middle = torch.linspace(v_min + half, v_max - half, logits.shape[1], dtype=logits.dtype, device=logits.device)
    return logits.softmax(dim=1) @ middle
