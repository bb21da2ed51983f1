"""Hybrid multi-label loss: weighted cross-entropy, correlation of labels, and distance of embeddings by label sets."""

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from models.geometry import unit
from models.spec import Context, Knob, LossSpec, Paper

_HEAVIEST = 10.0  # a label that hardly occurs weighs no more
_CONSTANT = 1e-12  # summed square below which a column counts as constant
_ROOT = 1e-12  # under the root of a squared distance: two equal rows keep a finite slope

SPEC = LossSpec(
    key="hybrid_multilabel",
    name="Hybrid multi-label",
    family="classification",
    reads="logits",
    target="multilabel",
    paper=Paper(
        "Aslam et al.",
        2024,
        "Improving Arabic Multi-Label Emotion Classification using Stacked Embeddings and Hybrid Loss Function",
        arxiv="2410.03979",
        equation="class weights, label correlation and contrast, put together",
        status="unverified (reconstruction from the abstract; all weights ours)",
    ),
    knobs=(
        Knob("correlation", 0.1, 0.0, 1.0, help="Weight of the part that makes predictions correlate as labels do."),
        Knob("contrast", 0.1, 0.0, 1.0, help="Weight of the part that draws items with shared labels together."),
        Knob("margin", 0.5, 0.01, 2.0, unit="distance", help="Items that share no label are pushed this far apart."),
    ),
    formula=r"\overline{w_c\,\mathrm{BCE}(l_{ic},Y_{ic})}+\lambda\,\overline{(R^p_{cc'}-R^Y_{cc'})^2}"
    r"+\kappa\,\overline{t_{ij}d_{ij}^2+(1-t_{ij})[m-d_{ij}]_+^2}",
    when="Items carry several labels, some of them rare, some of them usually together.",
    pitfall="A trade: rare labels gain a little, the average over all may lose. Correlations of a batch of less than "
    "32 items are noise, and a threshold of one half no longer fits once labels are weighted.",
    convention="Means over items and labels, over all pairs of labels, and over pairs of items i < j. Class weights "
    "n / (C n_c), at most 10, and label correlations are those of the training split, and never move; those of the "
    "batch where nothing is known of a split. Without embeddings the third part is absent. A column without variance "
    "correlates with nothing.",
    relations=("without correlation and contrast equals class-weighted binary cross-entropy",),
    pulls_positives=False,
    pushes_negatives=False,
    rowwise=False,
    also="z",
)


def loss(
    logits: Float[Tensor, "n c"],
    target: Shaped[Tensor, "n c"],
    z: Float[Tensor, "n d"] | None = None,
    *,
    correlation: float = 0.1,
    contrast: float = 0.1,
    margin: float = 0.5,
) -> Float[Tensor, ""]:
    """Weighted cross-entropy + correlation * (gap of correlations) + contrast * (distances by label sets).

    target is 0 or 1; z, where given, are the embeddings that the logits were made of.
    """
    y = target.to(logits.dtype)
    value = weighted_bce(logits, y) + correlation * correlation_gap(logits, y)
    return value if z is None else value + contrast * set_contrast(z, y, margin)


class Loss(nn.Module):
    """The loss with weights and label correlations of the whole training split, as the reconstruction of paper 22.

    `correlation`, `contrast` and `margin` may be set at any time. Without labels in the context (a loss outside a run)
    it is `loss`, which takes both from the batch.
    """

    def __init__(
        self, context: Context, *, correlation: float = 0.1, contrast: float = 0.1, margin: float = 0.5
    ) -> None:
        super().__init__()
        self.correlation, self.contrast, self.margin = correlation, contrast, margin
        self.weight: Tensor | None
        self.together: Tensor | None
        known = context.carried is not None
        y = torch.tensor(context.carried, dtype=torch.float64) if known else None
        # Made of the data, which a run builds again: no part of a saved state.
        self.register_buffer("weight", None if y is None else class_weights(y).float(), persistent=False)
        self.register_buffer("together", None if y is None else pearson(y).float(), persistent=False)

    def forward(
        self, logits: Float[Tensor, "n c"], target: Shaped[Tensor, "n c"], z: Float[Tensor, "n d"] | None = None
    ) -> Float[Tensor, ""]:
        """The three parts, weighed by the knobs; target is 0 or 1."""
        y = target.to(logits.dtype)
        gap = correlation_gap(logits, y, self.together)
        value = weighted_bce(logits, y, self.weight) + self.correlation * gap
        return value if z is None else value + self.contrast * set_contrast(z, y, self.margin)


def class_weights(y: Float[Tensor, "n c"]) -> Float[Tensor, " c"]:
    """w_c = n / (C n_c), at most 10; n_c of the n rows carry label c."""
    return (y.shape[0] / (y.shape[1] * y.sum(dim=0))).clamp(max=_HEAVIEST)


def weighted_bce(
    logits: Float[Tensor, "n c"], y: Float[Tensor, "n c"], weight: Float[Tensor, " c"] | None = None
) -> Float[Tensor, ""]:
    """Mean over items and labels of w_c BCE; without weights, those of the batch."""
    weight = class_weights(y) if weight is None else weight.to(logits.dtype)
    return (weight * binary_cross_entropy_with_logits(logits, y, reduction="none")).mean()


def correlation_gap(
    logits: Float[Tensor, "n c"], y: Float[Tensor, "n c"], together: Float[Tensor, "c c"] | None = None
) -> Float[Tensor, ""]:
    """Mean over all pairs of labels of the squared gap of predicted from true correlation, the batch's if not given."""
    true = pearson(y) if together is None else together.to(logits.dtype)
    return (pearson(logits.sigmoid()) - true).square().mean()


def pearson(columns: Float[Tensor, "n c"]) -> Float[Tensor, "c c"]:
    """Correlation of every column with every other; 0 where one of them is constant."""
    centred = columns - columns.mean(dim=0)
    square = centred.square().sum(dim=0)
    varies = square > _CONSTANT
    scaled = torch.where(varies, centred / torch.where(varies, square, 1.0).sqrt(), 0.0)
    return scaled.T @ scaled


def set_contrast(z: Float[Tensor, "n d"], y: Float[Tensor, "n c"], margin: float) -> Float[Tensor, ""]:
    """Mean over pairs i < j of t d^2 + (1 - t) max(0, margin - d)^2, t the overlap of label sets, d of unit rows.

    Two empty sets overlap fully. No pair, no value: 0.
    """
    one, other = torch.triu_indices(len(z), len(z), offset=1, device=z.device)
    rows = unit(z)
    square = (rows[one] - rows[other]).square().sum(dim=1)  # (pairs,)
    both, either = (y[one] * y[other]).sum(dim=1), torch.maximum(y[one], y[other]).sum(dim=1)
    shared = torch.where(either > 0, both / either.clamp(min=1.0), 1.0)
    short = (margin - (square + _ROOT).sqrt()).clamp(min=0.0)
    return (shared * square + (1.0 - shared) * short.square()).sum() / max(len(one), 1)
