"""AnyLoss: one minus a classification metric, with the threshold at one half made soft by a steep logistic curve."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from models.spec import Counts, Knob, Knobs, Level, LossSpec, Paper


def _flat(counts: Counts, knobs: Knobs) -> float | None:
    """Every item counts half for either class; F-beta then still depends on how many positives there are."""
    return None if knobs["metric"] == "f_beta" else 0.5


SPEC = LossSpec(
    key="anyloss",
    name="AnyLoss",
    family="classification",
    reads="logits",
    target="binary",
    paper=Paper(
        "Han, Moniz, Chawla",
        2024,
        "AnyLoss: Transforming Classification Metrics into Loss Functions",
        arxiv="2405.14745",
        equation="amplified probability and the soft confusion matrix",
        status="verified (code)",
    ),
    knobs=(
        Knob(
            "metric",
            "f_beta",
            choices=("accuracy", "f_beta", "balanced_accuracy", "g_mean"),
            help="What is trained: one minus it is the loss.",
        ),
        Knob("beta", 1.0, 0.1, 10.0, log=True, help="Of F-beta: recall counts beta times as much as precision."),
        Knob(
            "L",
            73,
            2,
            110,
            log=True,
            help="Steepness of the soft threshold: large is nearer to the metric, and only items with a probability "
            "within about 4 / L of one half have a gradient.",
        ),
    ),
    levels=(
        Level("chance", _flat, "every item has probability one half"),
        Level("collapse", _flat, "all logits are 0: every item has probability one half"),
    ),
    formula=r"1-\mathrm{metric}(TP,FP,FN,TN),\quad TP=\sum_i y_ia_i,\ a_i=\sigma(L(p_i-\tfrac12)),\ p_i=\sigma(l_i)",
    when="Two classes of very unequal size, and the metric that will be reported is known.",
    pitfall="At L = 73 an item with a probability beyond 0.3 to 0.7 has next to no gradient: a head that is sure and "
    "wrong stops learning. Start with a small L or with cross-entropy.",
    convention="Counts and their number are those of the batch; the released layers divide by the whole training set. "
    "The rate of a class that the batch lacks is taken as 1/2. F-beta and G-mean tie the items together.",
    relations=("with a steep threshold equals one minus the metric of the decisions",),
    rowwise=False,
)


def loss(
    logits: Float[Tensor, " n"], target: Int[Tensor, " n"], *, metric: str = "f_beta", beta: float = 1.0, L: int = 73
) -> Float[Tensor, ""]:
    """One minus the metric of the soft confusion matrix of a = sigmoid(L (sigmoid(logit) - 1/2)); target in {0, 1}."""
    lean = L * (logits.sigmoid() - 0.5)
    positive = target.to(logits.dtype)
    yes, no = lean.sigmoid(), (-lean).sigmoid()  # 1 - yes would lose the small ones
    false, lost = (yes * (1.0 - positive)).sum(), (no * positive).sum()
    if metric == "accuracy":
        return (false + lost) / len(target)
    if metric == "f_beta":
        return (beta**2 * lost + false) / (beta**2 * positive.sum() + yes.sum())
    if metric not in ("balanced_accuracy", "g_mean"):
        raise ValueError(f"metric must be accuracy, f_beta, balanced_accuracy or g_mean, got {metric!r}")
    found = _rate((yes * positive).sum(), positive.sum())
    kept = _rate((no * (1.0 - positive)).sum(), (1.0 - positive).sum())
    if metric == "balanced_accuracy":
        return 1.0 - (found + kept) / 2.0
    return 1.0 - found.sqrt() * kept.sqrt()  # two roots: the product of two small rates may underflow


def _rate(right: Float[Tensor, ""], count: Float[Tensor, ""]) -> Float[Tensor, ""]:
    """Share of a class that is right; 1/2, as by chance, where the batch has none of it."""
    return torch.where(count > 0, right / count.clamp(min=1.0), 0.5)
