"""A checkpoint as the lab's panels draw it: material and diagnosis to a Summary, with what is unknown and why."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from models.checkpoint.diagnosis import Diagnosis
from models.diagnostics.class_profile import profile_of
from models.diagnostics.findings.evidence import Evidence, LossEvidence
from models.diagnostics.histogram import d_prime, histogram, overlap
from models.diagnostics.items import Items, PairScores
from models.diagnostics.neighbours import neighbours
from models.diagnostics.plane import plane
from models.diagnostics.projection import align, pca_frame, project, trustworthiness
from models.diagnostics.roc import equal_error, rates, thresholds, tpr_at
from models.diagnostics.spectrum import spectrum
from models.diagnostics.summary import (
    BINS,
    RATES,
    ClassProfile,
    Curves,
    Neighbours,
    Plane,
    Points,
    RocCurve,
    ScoreHistogram,
    Spectrum,
    Summary,
    WeightProfile,
)
from models.diagnostics.weights import lens_profile
from models.snapshot import Lens

PANELS = ("score_histogram", "roc_curve", "embedding_map", "pair_weights", "class_matrix", "spectrum", "tradeoff")
NO_HISTORY = "A checkpoint alone has no history of its loss: give several as a comparison."
NO_PAIRS = "Nothing says which items belong together: give labels or pairs."
SCORES_ALONE = "There are scores alone, and no embeddings."


@dataclass(frozen=True, eq=False)
class Gradient:
    """Weights of the pairs that stood in a batch together, by places in the sample."""

    anchor: np.ndarray  # (p,) int32
    candidate: np.ndarray  # (p,) int32
    weight: np.ndarray  # (p,) float32, signed dL/ds


@dataclass(frozen=True, eq=False)
class View:
    """What the panels draw of one checkpoint, and which of PANELS have nothing to draw."""

    summary: Summary
    absent: Mapping[str, str]  # panel -> why it is not there
    gradient: Gradient | None = None  # None where `summary.why_no_weight` says why


def views(diagnosis: Diagnosis) -> tuple[View, ...]:
    """The checkpoint first, then the others it was compared with, oldest first, their maps turned onto its own.

    Histogram, curve and AUC of the first are those of the diagnosis, which may be exact over all pairs; everything else
    is of the sampled items.
    """
    first = _view(diagnosis.evidence, None, _verified(diagnosis))
    shown = first.summary.points
    return first, *(_view(other, shown, _of_sample(other)) for other in diagnosis.evidence.earlier)


Verified = tuple[ScoreHistogram, RocCurve]


def _view(evidence: Evidence, beside: Points | None, verified: Verified) -> View:
    weights, none = _weights(evidence), np.empty(0)
    summary = Summary(
        step=0,
        label=_label(evidence),
        config="",
        scores=verified[0],
        scores_unseen=None,
        roc=verified[1],
        roc_unseen=None,
        plane=_plane(evidence),
        spectrum=Spectrum(np.empty(0), float("nan")) if evidence.u is None else spectrum(evidence.u),
        neighbours=_neighbours(evidence),
        weights=None if weights is None else _weight_profile(evidence, weights),
        points=_points(evidence, beside),
        curves=Curves(none, none, none, none, {}),
        levels={} if evidence.loss is None else {k: float(v.mean()) for k, v in evidence.loss.levels.items()},
        marks=(),
        why_no_weight=_why_no_weight(evidence),
        why_no_unseen="nothing says which classes were trained on",
        classes=_classes(evidence, weights),
    )
    return View(summary, _absent(evidence), _gradient(evidence.loss))


def _gradient(loss: LossEvidence | None) -> Gradient | None:
    if loss is None or loss.anchor is None or loss.candidate is None or loss.weight is None:
        return None
    ends = loss.anchor.astype(np.int32), loss.candidate.astype(np.int32)
    return Gradient(*ends, loss.weight.astype(np.float32))


def _label(evidence: Evidence) -> str:
    """The name; of scores that are no cosines, also where they lie on the axis from -1 to 1."""
    if evidence.table is None or _cosines(evidence.table.score):
        return evidence.name
    low, high = float(evidence.table.score.min()), float(evidence.table.score.max())
    return f"{evidence.name} · axis: scores {low:.4g} to {high:.4g}"


def _absent(evidence: Evidence) -> dict[str, str]:
    why = {"curves": NO_HISTORY}
    pairs = evidence.scores
    if pairs is None:
        why |= dict.fromkeys(("score_histogram", "roc_curve"), NO_PAIRS)
    elif not pairs.complete:
        why["roc_curve"] = f"There are {len(pairs.positive)} positive and {len(pairs.negative)} negative pairs."
    if evidence.u is None:
        why |= dict.fromkeys(("embedding_map", "spectrum", "tradeoff"), SCORES_ALONE)
    elif evidence.column is not None:
        why["tradeoff"] = "Queries and documents are two sets: their spread is not compared with one class's."
    elif pairs is None:
        why["tradeoff"] = NO_PAIRS
    if evidence.y is None:
        why["class_matrix"] = "There are no classes: give labels."
    if _why_no_weight(evidence):
        why["pair_weights"] = f"{_why_no_weight(evidence)[:1].upper()}{_why_no_weight(evidence)[1:]}."
    return why


def _verified(diagnosis: Diagnosis) -> Verified:
    """What the diagnosis counted; of the sample where it counted nothing."""
    found = _of_sample(diagnosis.evidence)
    if diagnosis.histogram is None or diagnosis.roc is None:
        return found
    auc = diagnosis.metric("auc").measured
    reached = [diagnosis.metric(f"tpr_at_{rate:.0e}").measured.value for rate in RATES]
    counted = diagnosis.histogram
    curve = RocCurve(
        *diagnosis.roc,
        auc.value,
        auc.low,
        auc.high,
        diagnosis.metric("equal_error").measured.value,
        found[1].equal_error_threshold,
        np.asarray(reached),
        int(counted.positive.sum()),
        int(counted.negative.sum()),
        found[1].replicates,
    )
    return counted, curve


def _of_sample(evidence: Evidence) -> Verified:
    pairs, nan, empty = evidence.scores, float("nan"), np.empty(0)
    if pairs is None:
        none = np.zeros(BINS, np.int64)
        nothing = RocCurve(empty, empty, empty, nan, nan, nan, nan, nan, np.full(len(RATES), nan), 0, 0)
        return ScoreHistogram(none, none, nan, nan), nothing
    counts, p, q = _histogram(evidence, pairs), len(pairs.positive), len(pairs.negative)
    if not pairs.complete:
        return counts, RocCurve(empty, empty, empty, nan, nan, nan, nan, nan, np.full(len(RATES), nan), p, q)
    at = thresholds(pairs)
    auc = evidence.auc
    drawn = empty if evidence.table is not None else evidence.auc_replicates.clip(0.0, 1.0)
    error = equal_error(pairs)
    curve = RocCurve(
        *rates(pairs, at), at, auc.value, auc.low, auc.high, *error, tpr_at(pairs), p, q, drawn.astype(np.float32)
    )
    return counts, curve


def _histogram(evidence: Evidence, pairs: PairScores) -> ScoreHistogram:
    """Counts on [-1, 1]; scores that lie beyond are stretched onto it, and d' stays that of the scores."""
    if evidence.table is None or _cosines(evidence.table.score):
        return histogram(pairs)
    low, high = float(evidence.table.score.min()), float(evidence.table.score.max())
    wide = high - low if high > low else 1.0
    found = histogram(PairScores(*(2.0 * (side - low) / wide - 1.0 for side in (pairs.positive, pairs.negative))))
    if not pairs.complete:
        return found
    shared = overlap(found.positive, found.negative)
    return ScoreHistogram(found.positive, found.negative, shared, d_prime(pairs.positive, pairs.negative))


def _cosines(score: np.ndarray) -> bool:
    return len(score) == 0 or float(np.abs(score).max()) <= 1.0


def items(evidence: Evidence) -> Items | None:
    """The sampled items with all their pairs; None of scores alone and of two sides."""
    if evidence.u is None or evidence.column is not None:
        return None
    n = len(evidence.u)
    y = np.arange(n) if evidence.y is None else evidence.y
    if evidence.s is None or evidence.pos is None or evidence.neg is None:
        none = np.zeros((n, n), bool)
        return Items(evidence.u, y, evidence.u @ evidence.u.T, none, none)
    return Items(evidence.u, y, evidence.s, evidence.pos, evidence.neg)


def _plane(evidence: Evidence) -> Plane:
    found = items(evidence)
    return Plane(*[float("nan")] * 4) if found is None else plane(found)


def _neighbours(evidence: Evidence) -> Neighbours:
    """By class only where there are classes: pairs alone tell a hit, but no vote."""
    found, nan = items(evidence), float("nan")
    if found is None or evidence.y is None or len(found.y) < 2:
        return Neighbours(evidence.recall.value if evidence.s is not None else nan, nan, nan)
    return neighbours(found)


def _points(evidence: Evidence, beside: Points | None) -> Points:
    """A map of its own frame: two encoders share no axes, but a map may be turned to lie like another's."""
    if evidence.u is None:
        none = np.empty(0, np.int64)
        return Points(np.empty((0, 2), np.float32), none, none, none > 0, "PCA", float("nan"))
    n = len(evidence.u)
    xy = project(evidence.u, pca_frame(evidence.u))
    if beside is not None and len(beside.xy) == n:
        xy = align(xy, beside.xy)
    y = np.zeros(n, np.int64) if evidence.y is None else evidence.y
    seen = np.ones(n, bool) if evidence.seen is None else evidence.seen
    return Points(xy.astype(np.float32), y, evidence.row, seen, "PCA", trustworthiness(evidence.u, xy))


def _why_no_weight(evidence: Evidence) -> str:
    """Empty where the named loss gave weights."""
    if evidence.loss is None:
        return evidence.why_no_loss
    return evidence.loss.why_no_weight or ("" if evidence.loss.weight is not None else "the loss gives pairs no weight")


Weights = tuple[np.ndarray, np.ndarray]  # (n, m) signed dL/ds, and which pairs stood in a batch


def _weights(evidence: Evidence) -> Weights | None:
    """The weights of all batches in one matrix: no two batches share an item, so no pair is written twice."""
    loss = evidence.loss
    if loss is None or evidence.s is None or loss.weight is None or loss.anchor is None or loss.candidate is None:
        return None
    weight, met = np.zeros(evidence.s.shape, np.float32), np.zeros(evidence.s.shape, bool)
    weight[loss.anchor, loss.candidate] = loss.weight
    met[loss.anchor, loss.candidate] = True
    return weight, met


def weight_matrix(evidence: Evidence) -> np.ndarray | None:
    """(n, m) signed dL/ds of the sampled pairs, 0 where a pair stood in no batch; None without weights."""
    found = _weights(evidence)
    return None if found is None else found[0]


def _weight_profile(evidence: Evidence, weights: Weights) -> WeightProfile:
    weight, met = weights
    assert evidence.s is not None
    assert evidence.pos is not None
    assert evidence.neg is not None
    none = np.empty(0)
    against = "items" if evidence.column is None else "other sides"
    lens = Lens(evidence.s, evidence.pos & met, evidence.neg & met, weight, against, none, none, none)
    y = np.zeros(len(weight), np.int64) if evidence.y is None else evidence.y
    loss: LossEvidence | None = evidence.loss
    assert loss is not None
    return lens_profile(lens, y)


def _classes(evidence: Evidence, weights: Weights | None) -> ClassProfile | None:
    if evidence.y is None or evidence.s is None or evidence.pos is None or evidence.neg is None:
        return None
    return profile_of(evidence.y, evidence.s, evidence.pos | evidence.neg, None if weights is None else weights[0])
