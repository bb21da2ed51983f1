"""Named numbers of one moment of a run, with their units: what lessons claim, ask for and grade by."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.stats import spearmanr

from models.diagnostics.summary import MarginProfile, Summary, WeightProfile

NAN = float("nan")
AT_STEP = "@"  # auc@100: the measure as the run logged it at step 100
# What every run on labelled items logs over its steps.
LOGGED = ("auc", "auc_unseen", "recall_at_1", "uniformity", "tolerance", "alignment", "effective_rank")


@dataclass(frozen=True)
class Reading:
    """One measure: what it says, its unit, and how it is taken from a summary; nan where it is not defined."""

    says: str
    unit: str
    take: Callable[[Summary], float]


def _weight(take: Callable[[WeightProfile], float]) -> Callable[[Summary], float]:
    return lambda summary: NAN if summary.weights is None else take(summary.weights)


def _margin(take: Callable[[MarginProfile], float]) -> Callable[[Summary], float]:
    return lambda summary: NAN if summary.margins is None else take(summary.margins)


def _attracted(weights: WeightProfile) -> float:
    """Of the fixed sample of negatives, those whose weight is below zero."""
    negatives = weights.dot_weight[~weights.dot_positive]
    return float(np.mean(negatives < 0)) if len(negatives) else NAN


def _own_class(weights: WeightProfile) -> float:
    return NAN if weights.own_class is None else weights.own_class


def _last_loss(summary: Summary, steps: int = 20) -> float:
    """Mean of the last training steps: one batch alone is noisy."""
    return float(np.mean(summary.curves.loss[-steps:])) if len(summary.curves.loss) else NAN


def _logged(name: str) -> Callable[[Summary], float]:
    """The last row of what the run logs about itself."""

    def take(summary: Summary) -> float:
        column = summary.curves.measured.get(name)
        return float(column[-1]) if column is not None and len(column) else NAN

    return take


def _moved(which: int) -> Callable[[Summary], float]:
    return _margin(lambda m: NAN if m.moved is None else float(m.moved[which]))


def _gap(summary: Summary) -> float:
    """Mean cosine of the positives minus that of the negatives; 0: the two lie on one another."""
    return _logged("pos_mean")(summary) - _logged("neg_mean")(summary)


def _over_chance(summary: Summary) -> float:
    return _last_loss(summary) - summary.levels.get("chance", NAN)


def _over_collapse(summary: Summary) -> float:
    return _last_loss(summary) - summary.levels.get("collapse", NAN)


def _two_classes(margins: MarginProfile) -> tuple[float, float, float, float]:
    """True positives, false positives, false negatives and true negatives of class 1; nan unless there are two."""
    if margins.kind not in ("binary", "class") or len(margins.group) != 2:
        return NAN, NAN, NAN, NAN
    (n0, n1), (wrong0, wrong1) = margins.count.sum(axis=1).astype(float), margins.below_by
    return n1 * (1 - wrong1), n0 * wrong0, n1 * wrong1, n0 * (1 - wrong0)


def _f1(margins: MarginProfile) -> float:
    """2 TP / (2 TP + FP + FN) of class 1; the mean over labels where an item carries several."""
    if margins.f1_by is not None:
        return float(np.nanmean(margins.f1_by))
    hit, false_alarm, missed, _ = _two_classes(margins)
    found = 2 * hit + false_alarm + missed
    return float(2 * hit / found) if found > 0 else NAN


def _class_order(summary: Summary) -> float:
    """Spearman's correlation, over pairs of different classes, of mean cosine with minus the distance of labels."""
    profile = summary.classes
    if profile is None or len(profile.label) < 3:
        return NAN
    one, other = np.triu_indices(len(profile.label), k=1)
    known = np.isfinite(profile.similarity[one, other]) & (profile.label[one] >= 0) & (profile.label[other] >= 0)
    near = profile.similarity[one, other][known]
    apart = np.abs(profile.label[one] - profile.label[other])[known]
    return float(spearmanr(near, -apart).statistic) if known.sum() > 2 and np.ptp(near) > 0 else NAN


READINGS: dict[str, Reading] = {
    "auc": Reading("AUC of seen classes", "share of pairs", lambda s: s.roc.auc),
    "auc_unseen": Reading(
        "AUC of classes never trained on",
        "share of pairs",
        lambda s: NAN if s.roc_unseen is None else s.roc_unseen.auc,
    ),
    "tpr_001": Reading(
        "positive pairs found at one false accept in a thousand", "share of pairs", lambda s: float(s.roc.tpr_at[2])
    ),
    "recall_at_1": Reading("recall@1", "share of items", lambda s: s.neighbours.recall_at_1),
    "map_at_r": Reading("MAP@R", "share", lambda s: s.neighbours.map_at_r),
    "knn": Reading("accuracy of 5 nearest neighbours", "share of items", lambda s: s.neighbours.knn),
    "uniformity": Reading("uniformity", "nats", lambda s: s.plane.uniformity),
    "tolerance": Reading("tolerance", "cosine", lambda s: s.plane.tolerance),
    "alignment": Reading("alignment", "squared distance", lambda s: s.plane.alignment),
    "overlap": Reading("overlap of the two histograms", "share", lambda s: s.scores.overlap),
    "class_order": Reading("rank correlation of nearness of two classes with their order", "correlation", _class_order),
    "effective_rank": Reading("effective rank", "directions", lambda s: s.spectrum.effective_rank),
    "effective_negatives": Reading(
        "effective negatives of an anchor", "negatives", _weight(lambda w: w.effective_negatives)
    ),
    "hardest_share": Reading(
        "push carried by the hardest 1 % of negatives", "share of push", _weight(lambda w: w.hardest_share)
    ),
    "pull_push": Reading("pull over push", "ratio", _weight(lambda w: w.pull_push)),
    "attracted": Reading("negatives that are pulled instead of pushed", "share of negatives", _weight(_attracted)),
    "active": Reading("pairs with a weight", "share of pairs", _weight(lambda w: w.active)),
    "own_class": Reading("push on negatives of the anchor's own class", "share of push", _weight(_own_class)),
    "loss": Reading("loss, mean of the last 20 steps", "loss", _last_loss),
    "loss_over_chance": Reading("loss minus its chance level", "loss", _over_chance),
    "loss_over_collapse": Reading("loss minus its collapse level", "loss", _over_collapse),
    "accuracy": Reading("accuracy of the head", "share of items", _margin(lambda m: 1.0 - m.below)),
    "balanced_accuracy": Reading(
        "balanced accuracy of the head", "share of items", _margin(lambda m: 1.0 - float(np.nanmean(m.below_by)))
    ),
    "f1": Reading("F1 of the head", "share", _margin(_f1)),
    "f1_lowest": Reading(
        "F1 of the label told worst", "share", _margin(lambda m: NAN if m.f1_by is None else float(np.nanmin(m.f1_by)))
    ),
    "hamming": Reading(
        "Hamming loss: labels told wrong", "share of labels", _margin(lambda m: NAN if m.f1_by is None else m.below)
    ),
    "label_gap": Reading(
        "gap of the labels' correlations as predicted from those they have",
        "correlation",
        _margin(lambda m: NAN if m.label_gap is None else m.label_gap),
    ),
    "few_shot": Reading(
        "accuracy over episodes of classes never trained on",
        "share of queries",
        lambda s: NAN if s.few_shot is None else s.few_shot,
    ),
    "pos_mean": Reading("mean score of the positives, as last logged", "cosine", _logged("pos_mean")),
    "neg_mean": Reading("mean score of the negatives, as last logged", "cosine", _logged("neg_mean")),
    "neg_var": Reading("variance of an anchor's negative scores, as last logged", "cosine²", _logged("neg_var")),
    "top_5": Reading(
        "own class among the first five of the head",
        "share of items",
        _margin(lambda m: NAN if m.top_5 is None else m.top_5),
    ),
    "margin_size": Reading("mean size of a margin", "logits", _margin(lambda m: m.size)),
    "doubled": Reading("what the loss gains if all logits are doubled", "loss", _moved(0)),
    "raised": Reading("what the loss gains if all logits are raised by 1", "loss", _moved(1)),
    "turned": Reading("what the loss gains if all logits take the other sign", "loss", _moved(2)),
    "gap": Reading("mean score of the positives minus that of the negatives, as last logged", "cosine", _gap),
}


def known(name: str) -> bool:
    """True if a name is a measure, or a logged one at a step."""
    base, at, step = name.partition(AT_STEP)
    return base in READINGS and (not at or step.isdecimal())


def read(summary: Summary, name: str) -> float:
    """A measure of a summary; `name@step` as the run logged it there, nan if it did not.

    Raises KeyError on an unknown name.
    """
    base, at, step = name.partition(AT_STEP)
    if not at:
        return float(READINGS[base].take(summary))
    rows = np.flatnonzero(summary.curves.measured_step == int(step))
    column = summary.curves.measured.get(base)
    return float(column[rows[0]]) if column is not None and len(rows) else NAN


def says(name: str) -> str:
    """A measure in words."""
    base, at, step = name.partition(AT_STEP)
    return READINGS[base].says + (f" at step {step}" if at else "")


def unit(name: str) -> str:
    """What a measure is counted in."""
    return READINGS[name.partition(AT_STEP)[0]].unit
