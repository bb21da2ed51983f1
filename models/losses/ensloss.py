"""EnsLoss: every batch draws the slopes of a calibrated loss at random; only the gradient means something."""

from hashlib import sha256

import torch
from jaxtyping import Float, Int
from torch import Tensor

from models.spec import Knob, LossSpec, Paper

_STEEPEST = -1.0  # slopes are cut here, as for a hinge
_LEAST = 1e-6  # taken from every slope, so that none is zero
_DIGITS = 6  # of the margins that decide the draws: rounding of the last bits must not change them

SPEC = LossSpec(
    key="ensloss",
    name="EnsLoss",
    family="classification",
    reads="logits",
    target="binary",
    paper=Paper(
        "Dai",
        2024,
        "EnsLoss: Stochastic Calibrated Loss Ensembles for Preventing Overfitting in Classification",
        arxiv="2409.00908",
        equation="doubly stochastic step: random slopes, sorted, with a tail",
        status="verified (code)",
    ),
    knobs=(
        Knob(
            "lam",
            0.0,
            -1.0,
            1.0,
            help="Box-Cox exponent that shapes the draws; at 0 they are log-normal, and half of the slopes are -1.",
        ),
        Knob("seed", 0, 0, 1_000_000, help="Another number, other draws."),
    ),
    formula=r"\frac1n\sum_i g_i\,m_i,\quad m_i=\pm l_i,\ g_i<0\ \text{drawn, rising with}\ m_i,\ \text{held constant}",
    when="A network that learns its training items by heart, with wrong labels among them.",
    pitfall="Its value says nothing of progress and its curve is noise: watch the probe. A batch of less than 16 items "
    "makes the slopes noise too.",
    convention="Mean over items. The draws follow from the margins of the batch and the seed: another batch or step "
    "has others, the same has the same, so that a run can be cut and repeated.",
    relations=("draws slopes that a convex calibrated loss could have",),
    rowwise=False,
    has_value=False,
    detached="the slope of every item",
)


def loss(
    logits: Float[Tensor, " n"], target: Int[Tensor, " n"], *, lam: float = 0.0, seed: int = 0
) -> Float[Tensor, ""]:
    """Mean over items of slope times margin, margin the logit with the sign of the label; target in {0, 1}."""
    margin = torch.where(target > 0, logits, -logits)
    with torch.no_grad():
        slope = slopes(margin, draws(margin, seed), lam)
    return (slope * margin).mean()


def slopes(margin: Float[Tensor, " n"], normal: Float[Tensor, " n"], lam: float) -> Float[Tensor, " n"]:
    """Slope of each margin from standard normal draws: below zero, and never falling as the margin rises.

    The draws go through the inverse Box-Cox map, are cut at -1 and sorted onto the margins; beyond margin 1 a slope is
    divided by it. Equal margins take theirs in the order of the batch.
    """
    # As lam goes to 0 this is exp of the draw; a base below zero counts as zero.
    grown = torch.log1p((lam * normal).clamp(min=-1.0)) / lam if lam else normal
    drawn = (-grown.exp()).clamp(min=_STEEPEST).sort().values
    slope = torch.empty_like(margin)
    slope[margin.argsort(stable=True)] = drawn
    return slope / margin.clamp(min=1.0) - _LEAST


def draws(margin: Float[Tensor, " n"], seed: int) -> Float[Tensor, " n"]:
    """Standard normal numbers that depend on the margins, whatever their order, and on the seed."""
    digits = margin.double().mul(10.0**_DIGITS).round().sort().values + 0.0  # no minus zero
    digest = sha256(digits.cpu().numpy().tobytes() + seed.to_bytes(8, "little")).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest[:4], "little"))
    return torch.randn(len(margin), generator=generator, dtype=torch.float64).to(margin)
