"""Where items stand towards the decision of a head: margins, ROC of each class against the rest, weight of each item.

A margin is the logit of an item's class minus the highest other; of a single logit, and of one logit a label, it is the
logit with the sign of the class or of the presence of the label; where a number is predicted, it is the residual,
prediction minus target.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import expit

from models.diagnostics.items import PairScores
from models.diagnostics.prediction import f1_by
from models.diagnostics.roc import auc
from models.diagnostics.summary import BINS, CLASS_POINTS, MarginProfile
from models.diagnostics.weights import binned, effective_negatives, hardest_share
from models.snapshot import Lens, Snapshot

DOTS = 200
RATES = (np.arange(CLASS_POINTS) / (CLASS_POINTS - 1)) ** 2  # false positive rates, closer where they are low
_SMALLEST, _LARGEST = -20, 60  # exponents of 2 between which reach lies


@dataclass(frozen=True, eq=False)
class Entries:
    """What is counted: items, or items with each of their possible labels."""

    margin: Float[np.ndarray, " k"]
    weight: Float[np.ndarray, " k"]  # length of dL/dlogits; minus where the item is driven from its own class
    group: Int[np.ndarray, " k"]  # class, or label
    hardness: Float[np.ndarray, " k"]  # the highest is the hardest


def margin_profile(snapshot: Snapshot) -> MarginProfile | None:
    """The profile of the items of seen classes; None where the loss reads no logits."""
    lens = snapshot.lens
    if lens is None or lens.outputs is None or len(lens.s) == 0:
        return None
    y = snapshot.y if len(lens.s) == len(snapshot.y) else snapshot.y[snapshot.seen]
    found, kind = entries(lens, y), lens.outputs.kind
    group = np.unique(y) if kind == "real" else np.arange(lens.s.shape[1])
    reach = reach_of(found.margin)
    edges = np.linspace(-reach, reach, BINS + 1)
    own = found.group[None, :] == group[:, None]  # (g, k)
    roc_group, areas, tpr = _against_the_rest(lens, kind)
    spread = binned(found.margin.clip(-reach, reach), found.weight, edges)
    dots = np.unique(np.linspace(0, len(found.margin) - 1, min(DOTS, len(found.margin))).round().astype(np.int64))
    size = np.abs(found.weight)
    return MarginProfile(
        kind=kind,
        reach=reach,
        group=group,
        count=np.stack([bins(found.margin[mask], reach) for mask in own]),
        below=float((found.margin < 0).mean()),
        f1_by=f1_by(lens.s > 0, lens.pos) if kind == "multilabel" else None,
        label_gap=label_gap(lens.s, lens.pos) if kind == "multilabel" else None,
        below_by=np.array([(found.margin[mask] < 0).mean() if mask.any() else np.nan for mask in own]),
        middle=float(np.median(found.margin)),
        middle_by=np.array([np.median(found.margin[mask]) if mask.any() else np.nan for mask in own]),
        size=float(np.abs(found.margin).mean()),
        roc_group=roc_group,
        auc=areas,
        fpr=RATES if len(roc_group) else np.empty(0),
        tpr=tpr,
        weight=spread.mean,
        weight_low=spread.low,
        weight_high=spread.high,
        dot_margin=found.margin[dots],
        dot_weight=found.weight[dots],
        dot_group=found.group[dots],
        grid=lens.outputs.grid,
        curve=lens.outputs.curve,
        hardest_share=hardest_share(found.hardness, size),
        effective=effective_negatives(np.ones((1, len(size)), bool), size[None]),
        top_5=among_first(lens.s, lens.pos, 5) if kind == "class" else None,
        moved=lens.outputs.moved,
    )


def entries(lens: Lens, y: Int[np.ndarray, " n"]) -> Entries:
    """Margin, weight and group of everything that counts; y: class of each item.

    The weight is the length of the item's dL/dlogits, as it stands in the reduced loss. It is negative where the step
    lowers the logit of its own class (or raises that of a label it does not carry). Of numbers it has no sign: the
    bins of the target and those around it are always driven apart.
    """
    assert lens.outputs is not None, "only a lens of logits has margins"
    kind = lens.outputs.kind
    if kind == "multilabel":
        margin = np.where(lens.pos, lens.s, -lens.s).ravel()
        weight = np.where(lens.pos, -lens.weight, lens.weight).ravel()
        return Entries(margin, weight, np.tile(np.arange(lens.s.shape[1]), len(lens.s)), -margin)
    weight = strength(lens.weight, lens.pos, kind)
    if lens.outputs.residual is not None:
        residual = lens.outputs.residual.astype(np.float64)
        return Entries(residual, weight, y, np.abs(residual))
    margin = of_scores(lens.s, lens.pos)
    return Entries(margin, weight, lens.pos.argmax(axis=1), -margin)


def of_scores(s: Float[np.ndarray, "n c"], pos: Bool[np.ndarray, "n c"]) -> Float[np.ndarray, " n"]:
    """The own logit, of which a row has one, minus the highest other; below 0 the decision is another class."""
    s = s.astype(np.float64)
    margin: np.ndarray = np.where(pos, s, -np.inf).max(axis=1) - np.where(pos, -np.inf, s).max(axis=1)
    return margin


def among_first(s: Float[np.ndarray, "n c"], pos: Bool[np.ndarray, "n c"], first: int) -> float:
    """Share of rows whose own logit is among the first so many; an equal logit of another class counts as higher."""
    own = np.where(pos, s, -np.inf).max(axis=1, keepdims=True)
    return float(((~pos & (s >= own)).sum(axis=1) < first).mean())


def label_gap(s: Float[np.ndarray, "n c"], pos: Bool[np.ndarray, "n c"]) -> float:
    """Root mean square, over pairs of different labels, of their correlation as predicted minus as it is.

    Predicted is that of the probabilities. A label without variance correlates with nothing; nan with one label.
    """
    apart = np.triu_indices(s.shape[1], k=1)
    told, there = (_correlations(columns)[apart] for columns in (expit(s.astype(np.float64)), pos.astype(np.float64)))
    return float(np.sqrt(np.mean((told - there) ** 2))) if len(told) else float("nan")


def _correlations(columns: Float[np.ndarray, "n c"]) -> Float[np.ndarray, "c c"]:
    centred = columns - columns.mean(axis=0)
    length = np.linalg.norm(centred, axis=0)
    scaled = centred / np.where(length > 0, length, 1.0)
    found: np.ndarray = scaled.T @ scaled
    return found


def strength(weight: Float[np.ndarray, "n c"], pos: Bool[np.ndarray, "n c"], kind: str) -> Float[np.ndarray, " n"]:
    """Length of each row of dL/dlogits, minus where its own logit is lowered; see `entries` for numbers.

    Of a single logit, which stands as the second of two that weigh the same, it is that logit's weight alone.
    """
    length: np.ndarray = np.linalg.norm(weight.astype(np.float64), axis=1)
    if kind == "binary":
        length = np.abs(weight[:, 1]).astype(np.float64)
    if kind == "real":
        return length
    own = np.where(pos, weight, 0.0).sum(axis=1)
    return np.where(own > 0, -length, length)


def reach_of(margin: Float[np.ndarray, " k"]) -> float:
    """The least power of two that no margin exceeds."""
    largest = float(np.abs(margin).max())
    exponent = np.ceil(np.log2(largest)) if largest > 0 else 0.0
    return float(2.0 ** np.clip(exponent, _SMALLEST, _LARGEST))


def bins(margin: Float[np.ndarray, " k"], reach: float) -> Int[np.ndarray, " bins"]:
    """Counts in BINS bins from -reach to reach; a bin holds its lower edge, so that all below 0 lies left of 0."""
    position = np.floor(margin.astype(np.float64) * (BINS / 2 / reach)).astype(np.int64) + BINS // 2
    return np.bincount(position.clip(0, BINS - 1), minlength=BINS)


def widened(count: Int[np.ndarray, "*g bins"], times: int) -> Int[np.ndarray, "*g bins"]:
    """The counts in bins that reach `times` as far, a power of two: exactly what counting anew would give."""
    place = (np.arange(BINS) - BINS // 2) // times + BINS // 2
    wide: np.ndarray = count @ (place[:, None] == np.arange(BINS)).astype(np.int64)
    return wide


def _against_the_rest(
    lens: Lens, kind: str
) -> tuple[Int[np.ndarray, " r"], Float[np.ndarray, " r"], Float[np.ndarray, "r points"]]:
    """(groups, AUC, true positive rates at RATES) of each class against all others.

    Items are ranked by the margin that they would have if they were of that class, so that 0 is the decision; of labels
    by the label's logit; of a single logit by it, for the second class.
    """
    if kind == "real":
        return np.empty(0, np.int64), np.empty(0), np.empty((0, CLASS_POINTS))
    score = lens.s.astype(np.float64) if kind == "multilabel" else leads(lens.s)
    columns = np.array([1]) if kind == "binary" else np.arange(lens.s.shape[1])
    sides = [PairScores(np.sort(score[lens.pos[:, k], k]), np.sort(score[~lens.pos[:, k], k])) for k in columns]
    return columns, np.array([auc(side) for side in sides]), np.stack([tpr_at(side, RATES) for side in sides])


def leads(s: Float[np.ndarray, "n c"]) -> Float[np.ndarray, "n c"]:
    """Each logit minus the highest other of its row."""
    s = s.astype(np.float64)
    order = np.partition(s, -2, axis=1)
    second, first = order[:, -2, None], order[:, -1, None]
    return s - np.where(s == first, second, first)


def tpr_at(side: PairScores, rates: Float[np.ndarray, " k"]) -> Float[np.ndarray, " k"]:
    """Highest true positive rate whose false positive rate is at most each of the rates; nan if one side is absent."""
    p, q = len(side.positive), len(side.negative)
    if not side.complete:
        return np.full(len(rates), np.nan)
    # The epsilon makes up for products of a rate and a count that fall just short of a whole number.
    allowed = np.floor(rates * q + 1e-9).astype(np.int64)
    barrier = np.append(side.negative[::-1], -np.inf)[allowed]
    return (p - np.searchsorted(side.positive, barrier, "right")) / p
