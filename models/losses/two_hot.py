"""Two-hot: regression as classification over locations, the target shared by the two that it lies between."""

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from models.classification import BINS, ends, log_classes
from models.spec import Level, LossSpec

SPEC = LossSpec(
    key="two_hot",
    name="Two-hot",
    family="classification",
    reads="logits",
    target="real",
    paper=replace(
        BINS,
        equation="two-hot categorical distribution",
        status="verified (paper; its two shares read as swapped, these keep the mean)",
    ),
    knobs=(*ends("First location", "Last location"),),
    levels=(
        Level("chance", log_classes, "the head gives every location the same probability"),
        Level("collapse", log_classes, "all logits are equal: every location has the same probability"),
    ),
    formula=r"-\sum_k p_k(y_i)\log\mathrm{softmax}(l_i)_k,\quad "
    r"p_k=\frac{z_{k+1}-y}{z_{k+1}-z_k},\ p_{k+1}=1-p_k,\ z_k\le y\le z_{k+1}",
    when="As hl_gauss, where the mean of the target must be kept exactly.",
    pitfall="Its targets know no neighbours beyond two: in the paper hl_gauss does better, online even squared error.",
    convention="Mean over items. As many locations as there are logits, from v_min to v_max with both ends, unlike the "
    "middles of bins of hl_gauss. The best value is the entropy of the shares, not 0.",
    relations=("equals cross_entropy when every target is a location",),
    pulls_positives=False,
    pushes_negatives=False,
)


def loss(
    logits: Float[Tensor, "n bins"], target: Float[Tensor, " n"], *, v_min: float = -10.0, v_max: float = 10.0
) -> Float[Tensor, ""]:
    """Mean over items of the cross-entropy between the shared target and the softmax over locations."""
    p = shared(target, logits.shape[1], v_min, v_max).to(logits.dtype)
    return -(p * logits.log_softmax(dim=1)).sum(dim=1).mean()


def shared(target: Float[Tensor, " n"], bins: int, v_min: float, v_max: float) -> Float[Tensor, "n bins"]:
    """Shares of the two locations next to each target, float64; their mean is the target, or the end it lies beyond.

    Raises ValueError on fewer than two locations.
    """
    if bins < 2:
        raise ValueError(f"two_hot needs at least 2 locations, got {bins}")
    place = (target.double().clamp(v_min, v_max) - v_min) * (bins - 1) / (v_max - v_min)  # in steps, (n,)
    lower = place.floor().long().clamp(0, bins - 2)  # at v_max the last step is used to its end
    upper_share = (place - lower)[:, None]
    p = torch.zeros(len(target), bins, dtype=torch.float64, device=target.device)
    return p.scatter(1, lower[:, None], 1.0 - upper_share).scatter(1, lower[:, None] + 1, upper_share)


def decode(logits: Float[Tensor, "n bins"], *, v_min: float = -10.0, v_max: float = 10.0) -> Float[Tensor, " n"]:
    """The predicted numbers: means of the locations under the softmax."""
    place = torch.linspace(v_min, v_max, logits.shape[1], dtype=logits.dtype, device=logits.device)
    return logits.softmax(dim=1) @ place
