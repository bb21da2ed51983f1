"""The numbers of a diagnosis, each with its interval and with what it was measured on."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from models.checkpoint.diagnosis import Metric
from models.checkpoint.material import Material
from models.checkpoint.sample import Sample
from models.diagnostics.all_pairs import AllPairs, Watcher, across, among, count
from models.diagnostics.auc_interval import all_pairs_error, around
from models.diagnostics.bootstrap import draws_for, pair_means
from models.diagnostics.exact_auc import BUDGET, ExactAuc, exact_auc
from models.diagnostics.findings.evidence import Evidence
from models.diagnostics.histogram import d_prime, histogram
from models.diagnostics.items import Items, unordered
from models.diagnostics.measured import Measured, drawn, resampled_mean
from models.diagnostics.neighbours import map_at_r
from models.diagnostics.order import ranking
from models.diagnostics.pair_counts import PairCounts
from models.diagnostics.plane import closeness
from models.diagnostics.roc import equal_error, rates, thresholds, tpr_at
from models.diagnostics.spectrum import rank_of
from models.diagnostics.summary import BINS, CURVE_POINTS, RATES, ScoreHistogram

MOST_PRODUCTS = 10**12  # pairs times dimensions up to which all pairs are counted: under a minute on two cores
PRECISE = 10**11  # ... up to which a second walk makes the AUC exact
_ROWS = 512  # whose pairs tell the AUC's error over items
_NO_PAIRS = "nothing says which items belong together"
Row = tuple[str, str, Measured]


@dataclass(frozen=True, eq=False)
class Verification:
    """How well pairs are told apart."""

    metrics: tuple[Metric, ...]
    histogram: ScoreHistogram | None
    roc: tuple[np.ndarray, np.ndarray, np.ndarray] | None
    scope: str


def pairs_of(material: Material) -> AllPairs | None:
    """All pairs, where there are more of them than a list: by label, or queries against documents."""
    if material.labels is not None:
        return among(material.embeddings, material.labels)
    if material.relevance is not None:
        there = material.relevance
        return across(material.embeddings, there.documents, there.query, there.document)
    return None


def affordable(material: Material) -> bool:
    """True if all pairs can be counted within about a minute."""
    m = material.size / 2 if material.relevance is None else len(material.relevance.documents)
    return material.size * m * material.dim <= MOST_PRODUCTS


def verify(
    material: Material, sample: Sample, evidence: Evidence, threads: int, progress: Watcher | None, exact: bool
) -> Verification:
    """AUC, equal error, rates, overlap and d-prime: over all pairs where that is asked for and can be afforded."""
    if evidence.scores is None:
        return Verification(tuple(_missing(_NO_PAIRS)), None, None, "")
    work = pairs_of(material) if exact and not sample.whole and affordable(material) else None
    if work is not None:
        return _of_all(material, work, evidence, threads, progress)
    scores = evidence.scores
    p, q = len(scores.positive), len(scores.negative)
    scope = scope_of(material, sample, p + q)
    if not scores.complete:
        return Verification(tuple(_missing(f"there are {p} positive and {q} negative pairs", scope)), None, None, scope)
    drawn_histogram = None if evidence.table is not None else histogram(scores)
    overlap = float("nan") if drawn_histogram is None else drawn_histogram.overlap
    distance = d_prime(scores.positive, scores.negative)
    found = _rows(evidence.auc, equal_error(scores)[0], tpr_at(scores), overlap, distance)
    at = thresholds(scores)
    curve = (*rates(scores, at), at)
    return Verification(tuple(_metric(row, scope) for row in found), drawn_histogram, curve, scope)


def scope_of(material: Material, sample: Sample, pairs: int) -> str:
    """What numbers over pairs stand on, in words."""
    if sample.whole:
        return f"exact over {pairs:,} pairs"
    return f"{len(sample.rows):,} of {material.size:,} sampled, {pairs:,} pairs"


def _of_all(
    material: Material, work: AllPairs, evidence: Evidence, threads: int, progress: Watcher | None
) -> Verification:
    counts = count(work, threads, progress)
    scope = f"exact over {counts.positives + counts.negatives:,} pairs"
    if not counts.complete:
        why = f"there are {counts.positives} positive and {counts.negatives} negative pairs"
        return Verification(tuple(_missing(why, scope)), None, None, scope)
    found = ExactAuc(*counts.auc_bounds(), 0)
    held = int((counts.positive + counts.negative)[counts.uncertain].sum())
    if held <= BUDGET and work.pairs * material.dim <= PRECISE:
        found = exact_auc(work, counts, threads, progress, passes=1)
    if not found.exact:
        scope += f", AUC certain to {(found.high - found.low) / 2:.1g}"
    auc = _over_items(work, counts, evidence, found.value)
    coarse = counts.coarse(BINS)
    rows = _rows(auc, counts.equal_error()[0], counts.tpr_at(), coarse.overlap, coarse.d_prime)
    return Verification(tuple(_metric(row, scope) for row in rows), coarse, _thinned(counts), scope)


def _over_items(work: AllPairs, counts: PairCounts, evidence: Evidence, value: float) -> Measured:
    """The AUC of all pairs with its interval over items; of two sides, the interval's width is that of the sample."""
    if evidence.column is not None:
        half = (evidence.auc.high - evidence.auc.low) / 2
        return Measured(value, max(value - half, 0.0), min(value + half, 1.0))
    rows = np.linspace(0, len(work.rows) - 1, min(_ROWS, len(work.rows))).round().astype(np.int64)
    return around(value, all_pairs_error(work, counts, rows))


def _thinned(counts: PairCounts) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """At most CURVE_POINTS points: evenly through both rates, and log-spaced through low false positive rates."""
    fpr, tpr, threshold = counts.rates()
    k = CURVE_POINTS // 3
    low = np.searchsorted(fpr, np.geomspace(max(1 / counts.negatives, 1e-9), 1.0, k))
    even = [np.searchsorted(line, np.linspace(0, 1, k)) for line in (fpr, tpr)]
    chosen = np.unique(np.concatenate([[0], low, *even]).clip(0, len(fpr) - 1))
    return fpr[chosen], tpr[chosen], threshold[chosen]


def _rows(auc: Measured, error: float, tpr: np.ndarray, overlap: float, distance: float) -> list[Row]:
    named = [
        (f"tpr_at_{rate:.0e}", f"TPR at FPR {rate:g}", Measured(float(x))) for rate, x in zip(RATES, tpr, strict=True)
    ]
    return [
        ("auc", "AUC", auc),
        ("equal_error", "Equal error rate", Measured(error)),
        *named,
        ("overlap", "Overlap of the histograms", Measured(overlap)),
        ("d_prime", "d'", Measured(distance)),
    ]


def _missing(why: str, scope: str = "") -> Iterator[Metric]:
    nan = float("nan")
    for key, name, measured in _rows(Measured(nan), nan, np.full(len(RATES), nan), nan, nan):
        yield Metric(key, name, measured, scope, why)


def _metric(row: Row, scope: str) -> Metric:
    return Metric(*row, scope, "" if row[2].known else "not defined for these pairs")


def shape(material: Material, sample: Sample, evidence: Evidence) -> tuple[Metric, ...]:
    """Numbers of the embeddings as they lie: spread, rank, lengths, retrieval."""
    scope = "all items" if sample.whole else f"{len(sample.rows):,} of {material.size:,} sampled"
    if evidence.u is None or len(evidence.row) < 2:
        why = "there are scores alone, and no embeddings" if evidence.u is None else "fewer than two embeddings"
        return tuple(Metric(key, name, Measured(float("nan")), scope, why) for key, name, _ in _SHAPE)
    rows = ((key, name, work(evidence)) for key, name, work in _SHAPE)
    return tuple(
        Metric(*row, scope, "" if row[2].known else "not defined: no positive pair, or nothing varies") for row in rows
    )


def _items(evidence: Evidence) -> Items | None:
    if evidence.s is None or evidence.pos is None or evidence.neg is None or evidence.column is not None:
        return None
    return Items(evidence.rows, evidence.row, evidence.s, evidence.pos, evidence.neg)


def _uniformity(evidence: Evidence) -> Measured:
    """-log mean exp(-2 ||a - b||^2) over distinct items."""
    u = evidence.rows
    n = len(u)
    off = ~np.eye(n, dtype=bool)
    items = Items(u, evidence.row, u @ u.T, off & False, off)
    draws = draws_for(items.pos, items.neg)
    close = closeness(items)
    mean = float(close.sum(dtype=np.float64)) / (n * (n - 1))
    return drawn(-float(np.log(mean)), -np.log(pair_means(close, items.neg, *draws)))


def _tolerance(evidence: Evidence) -> Measured:
    """Mean cosine of the pairs that belong together."""
    return _of_positives(evidence, lambda s: s)


def _alignment(evidence: Evidence) -> Measured:
    """Mean squared distance of the pairs that belong together: 2 - 2 cosine."""
    return _of_positives(evidence, lambda s: 2.0 - 2.0 * s)


def _of_positives(evidence: Evidence, change: Callable[[np.ndarray], np.ndarray]) -> Measured:
    if evidence.s is None or evidence.pos is None or evidence.neg is None or not evidence.pos.any():
        return Measured(float("nan"))
    value = change(evidence.s)
    once = np.triu(evidence.pos, 1) if unordered(evidence.pos, evidence.neg) else evidence.pos
    return drawn(
        float(value[once].mean(dtype=np.float64)),
        pair_means(value, evidence.pos, *draws_for(evidence.pos, evidence.neg)),
    )


def _recall(evidence: Evidence) -> Measured:
    return evidence.recall if evidence.s is not None else Measured(float("nan"))


def _precision(evidence: Evidence) -> Measured:
    """MAP@R (Musgrave et al. 2020) among the sample."""
    if evidence.s is None or evidence.pos is None or not evidence.pos.any():
        return Measured(float("nan"))
    asking = evidence.pos.any(axis=1)
    total = evidence.pos[asking].sum(axis=1)
    near = ranking(evidence.candidates[asking], int(total.max()))
    relevant = np.take_along_axis(evidence.pos[asking], near, axis=1)
    each = np.asarray([map_at_r(relevant[k : k + 1], total[k : k + 1]) for k in range(len(total))])
    return resampled_mean(each)


def _length(evidence: Evidence) -> Measured:
    assert evidence.length is not None
    return resampled_mean(evidence.length)


def _varying(evidence: Evidence) -> Measured:
    assert evidence.length is not None
    mean = float(evidence.length.mean())
    return Measured(float(evidence.length.std()) / mean if mean > 0 else float("nan"))


_SHAPE: tuple[tuple[str, str, Callable[[Evidence], Measured]], ...] = (
    ("uniformity", "Uniformity", _uniformity),
    ("tolerance", "Tolerance", _tolerance),
    ("alignment", "Alignment", _alignment),
    ("effective_rank", "Effective rank", lambda evidence: Measured(rank_of(evidence.rows))),
    ("recall_at_1", "recall@1", _recall),
    ("map_at_r", "MAP@R", _precision),
    ("mean_cosine", "Mean cosine", lambda evidence: evidence.mean_cosine),
    ("mean_length", "Mean length", _length),
    ("length_variation", "Variation of lengths, as a share of their mean", _varying),
)
