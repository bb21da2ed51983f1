"""Snapshot: the border where torch ends and NumPy begins."""

from dataclasses import dataclass

import numpy as np

from models.training.config import RunConfig
from models.training.trace import TraceView


@dataclass(frozen=True, eq=False)
class Outputs:
    """What the logits of a lens are of, and how hard the loss would act on one item at other margins.

    The margin is that of `models.diagnostics.margins`; of a number to predict it is prediction minus target.
    """

    kind: str  # a key of models.spec.TARGETS: "class", "binary", "multilabel" or "real"
    residual: np.ndarray | None  # (n,) prediction minus target, in the target's unit, where numbers are predicted
    grid: np.ndarray  # (k,) margins at which the theoretical curve is given; empty if there is none
    curve: np.ndarray  # (k,) signed weight of the item of median margin if it alone stood there, in measured units
    moved: np.ndarray | None = None  # (3,) what the loss of the probe gains if every logit is doubled, raised by 1, or
    # takes the other sign; None where its value means nothing, or the outputs are those of numbers or answers


@dataclass(frozen=True, eq=False)
class Lens:
    """The scores a loss really read when it gave the weights: items, two views of items, class proxies or logits."""

    s: np.ndarray  # (n, m)
    pos: np.ndarray  # (n, m) bool
    neg: np.ndarray  # (n, m) bool
    weight: np.ndarray  # (n, m) signed dL/ds: negative pulls, positive pushes
    candidates: str  # "items", "second views", "other sides", "class proxies" or "class logits"
    grid: np.ndarray  # (k,) scores at which the theoretical curve is given; empty if there is none
    pull_curve: np.ndarray  # (k,) weight of a positive at each score of the grid, for a typical anchor
    push_curve: np.ndarray  # (k,) the same for a negative
    target: np.ndarray | None = None  # (n, m) graded similarity in [0, 1] that the loss read, if any
    terms: np.ndarray | None = None  # (t, n, m) of a mixture: the part of weight that each term gives
    outputs: Outputs | None = None  # None: the scores are no logits


@dataclass(frozen=True, eq=False)
class Terms:
    """The losses of a mixture, each with the gradient that it alone would give, its weight included."""

    names: tuple[str, ...]  # (t,) labels
    coefficient: np.ndarray  # (t,) the weights
    gradient: np.ndarray | None  # (t, n, d) at the embeddings of the probe; None where methods change what is read


@dataclass(frozen=True, eq=False)
class Snapshot:
    """One moment of a run, measured on the probe: all pairs of its items, by label, and what the loss does to them.

    With two towers: side A of every item against side B of every item, by instance; then the diagonal counts.

    weight belongs to (s, pos, neg) where the loss reads pairs of items; else it is None and lens holds what there is.
    """

    s: np.ndarray  # (n, n) cosine
    pos: np.ndarray  # (n, n) bool, same label; False on the diagonal
    neg: np.ndarray  # (n, n) bool, other label
    weight: np.ndarray | None  # (n, n) signed dL/ds, or None: see why_no_weight
    z: np.ndarray  # (n, d) as the encoder gives them
    y: np.ndarray  # (n,)
    item: np.ndarray  # (n,) row of the data set, for display
    seen: np.ndarray  # (n,) bool: the item's class is trained on
    step: int
    label: str  # a short name of the run
    trace: TraceView
    config: RunConfig
    levels: dict[str, float]  # reference levels of the loss at this batch and these knobs
    lens: Lens | None
    why_no_weight: str = ""
    why_no_unseen: str = ""
    other: np.ndarray | None = None  # (n, d) side B of the items, where z is side A; None: items have one side
    terms: Terms | None = None  # None: the loss is no mixture
    heads: np.ndarray | None = None  # (h, n, d) the items under each of several heads; None: there is one
