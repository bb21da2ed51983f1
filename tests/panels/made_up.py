"""Summaries made of plain numpy: the shape of a trained run, an untrained one, one that is all nan."""

from dataclasses import replace
from functools import lru_cache

import numpy as np

from models.diagnostics.summary import (
    BINS,
    CLASS_POINTS,
    RATES,
    ClassProfile,
    Curves,
    MarginProfile,
    Mark,
    Neighbours,
    Plane,
    Points,
    RocCurve,
    ScoreHistogram,
    Spectrum,
    Summary,
    WeightProfile,
)
from models.training.config import Part, RunConfig

EDGES = np.linspace(-1, 1, BINS + 1)
MEASURES = (
    "auc", "auc_unseen", "recall_at_1", "uniformity", "tolerance", "alignment", "neg_mean", "neg_var",
    "pos_mean", "pos_var",
)  # fmt: skip


@lru_cache
def summary(seed: int = 0, *, step: int = 400, label: str = "InfoNCE (temperature 0.1)", gap: float = 0.8) -> Summary:
    """A trained run: positives `gap` above the negatives."""
    rng = np.random.default_rng(seed)
    positive = np.clip(rng.normal(0.05 + gap, 0.12, 8000), -1, 1)
    negative = np.clip(rng.normal(0.05, 0.2, 70000), -1, 1)
    return Summary(
        step=step,
        label=label,
        config=RunConfig(loss=Part("infonce")).to_json(),
        scores=histogram(positive, negative),
        scores_unseen=histogram(positive - 0.2, negative + 0.1),
        roc=roc(positive, negative),
        roc_unseen=roc(positive - 0.2, negative + 0.1),
        plane=Plane(3.2 + 0.1 * seed, 0.85 - 0.05 * seed, 0.09, 0.3),
        spectrum=Spectrum(np.sort(rng.exponential(0.2, 32))[::-1], 9.5 + seed),
        neighbours=Neighbours(0.97, 0.88, 0.98),
        weights=weights(rng),
        points=points(rng),
        curves=curves(rng, step),
        levels={"chance": 4.736, "collapse": 4.736, "perfect": 0.002},
        marks=(Mark(150, "temperature 0.1 → 0.05"), Mark(300, "temperature 0.05 → 0.2")),
        why_no_weight="",
        why_no_unseen="",
        margins=margins(seed, gap),
        heads=tuple(histogram(positive - shift, negative) for shift in (0.1, 0.2, 0.3)),
        classes=classes(seed),
    )


def margins(seed: int = 0, gap: float = 0.8, *, kind: str = "class", classes: int = 10) -> MarginProfile:
    """Margins around 5 times the gap, by class; the ROC of later classes is better. For numbers: residuals around 0."""
    rng = np.random.default_rng(seed)
    group = np.arange(400) % classes
    margin = rng.normal(0.0 if kind == "real" else 5 * gap, 2.0, 400)
    reach = float(2 ** np.ceil(np.log2(np.abs(margin).max())))
    edges = np.linspace(-reach, reach, BINS + 1)
    count = np.stack([np.histogram(margin[group == k], edges)[0] for k in range(classes)])
    centre, rate = (edges[1:] + edges[:-1]) / 2, np.linspace(0, 1, CLASS_POINTS) ** 2
    weight = np.where(count.sum(axis=0) > 0, 3e-3 / (1 + np.exp(centre)), np.nan)
    tpr = rate[None] ** (1 / (2.0 + np.arange(classes)[:, None]))
    auc = 1 - 1 / (3.0 + np.arange(classes))
    has_roc = slice(0, 0) if kind == "real" else slice(None)
    return MarginProfile(
        kind, reach, np.arange(classes), count, float((margin < 0).mean()),
        np.array([(margin[group == k] < 0).mean() for k in range(classes)]), float(np.median(margin)),
        np.array([np.median(margin[group == k]) for k in range(classes)]), float(np.abs(margin).mean()),
        np.arange(classes)[has_roc], auc[has_roc], rate if kind != "real" else np.empty(0), tpr[has_roc],
        weight, 0.5 * weight, 1.5 * weight, margin[::2], 3e-3 / (1 + np.exp(margin[::2])), group[::2],
        np.linspace(-reach, reach, 61), 3e-3 / (1 + np.exp(np.linspace(-reach, reach, 61))), 0.11, 87.3,
    )  # fmt: skip


def classes(seed: int = 0, count: int = 12) -> ClassProfile:
    """Alike within a class; the last two classes are the most alike of two, and push each other hardest."""
    rng = np.random.default_rng(seed)
    similarity = rng.uniform(-0.2, 0.3, (count, count))
    similarity = (similarity + similarity.T) / 2 + 0.6 * np.eye(count)
    similarity[-1, -2] = similarity[-2, -1] = 0.5
    push = np.exp(4 * similarity) * (1 - np.eye(count))
    pull = np.eye(count) * rng.uniform(0.5, 1.0, count)
    total = 2 * push.sum()
    return ClassProfile(
        np.arange(count), np.full((count, count), 1600) - 40 * np.eye(count, dtype=int), similarity,
        pull / (2 * pull.sum()), push / total,
    )  # fmt: skip


def histogram(positive: np.ndarray, negative: np.ndarray) -> ScoreHistogram:
    counts = [np.histogram(side, EDGES)[0] for side in (positive, negative)]
    spread = np.sqrt((positive.var() + negative.var()) / 2)
    shares = [count / count.sum() for count in counts]
    return ScoreHistogram(
        *counts, float(np.minimum(*shares).sum()), float((positive.mean() - negative.mean()) / spread)
    )


def roc(positive: np.ndarray, negative: np.ndarray) -> RocCurve:
    scores = np.concatenate([positive, negative])
    threshold = np.sort(np.quantile(scores, np.concatenate([np.linspace(0, 1, 150), 1 - np.geomspace(1e-5, 0.5, 49)])))[
        ::-1
    ]
    threshold = np.concatenate([[1.0001], threshold])
    fpr = np.array([(negative >= t).mean() for t in threshold])
    tpr = np.array([(positive >= t).mean() for t in threshold])
    area = float(np.trapezoid(tpr, fpr))
    low, high, kinds = area - 0.01, min(area + 0.01, 1), (len(positive), len(negative))
    return RocCurve(fpr, tpr, threshold, area, low, high, 0.03, 0.42, np.full(len(RATES), 0.8), *kinds)


def weights(rng: np.random.Generator) -> WeightProfile:
    centre = np.linspace(-0.975, 0.975, 40)
    push = np.where(centre < 0.7, 2e-4 * np.exp(3 * (centre - 0.5)), np.nan)
    pull = np.where(centre > 0.2, -3e-3 * (1 - centre), np.nan)
    score = rng.uniform(-0.9, 0.95, 400)
    positive = score > 0.4
    weight = np.where(positive, -3e-3 * (1 - score), 2e-4 * np.exp(3 * (score - 0.5))) * rng.lognormal(0, 0.3, 400)
    grid = np.linspace(-1, 1, 81)
    heat = rng.normal(0, 1e-4, (50, 50))
    return WeightProfile(
        "items", centre, pull, 1.4 * pull, 0.6 * pull, push, 0.5 * push, 1.6 * push, score, weight, positive,
        grid, -3e-3 * (1 - grid), 2e-4 * np.exp(3 * (grid - 0.5)), heat, np.repeat(np.arange(10), 5),
        0.43, 2.4, 436.0, 1.0, 0.62,
    )  # fmt: skip


def points(rng: np.random.Generator) -> Points:
    y = np.arange(500) % 12
    xy = np.stack([np.cos(y), np.sin(y)], axis=1) * 0.7 + rng.normal(0, 0.08, (500, 2))
    return Points(xy.astype(np.float32), y, np.arange(500) + 1000, y < 10, "PCA", 0.91)


def curves(rng: np.random.Generator, step: int) -> Curves:
    steps = np.unique(np.linspace(0, max(step - 1, 0), min(step, 400)).astype(int))
    loss = 4.7 * np.exp(-steps / 90) + 0.4 + rng.normal(0, 0.05, len(steps))
    grad = 0.5 * np.exp(-steps / 200) + rng.exponential(0.03, len(steps))
    measured_step = np.arange(0, step + 1, 50)
    rise = 1 - np.exp(-measured_step / 100)
    measured = {name: 0.5 + 0.45 * rise for name in MEASURES}
    measured |= {
        "uniformity": 0.5 + 2.8 * rise, "tolerance": 0.98 - 0.15 * rise, "neg_mean": 0.8 - 0.75 * rise,
        "neg_var": 0.01 + 0.03 * rise, "pos_mean": 0.95 - 0.1 * rise, "pos_var": np.full(len(rise), 0.01),
    }  # fmt: skip
    return Curves(steps, loss, grad, measured_step, measured)


def unknown(label: str = "SupCon (temperature 0.1)") -> Summary:
    """Nothing could be measured: every number is nan, every optional part is absent."""
    nan, blank = float("nan"), np.full(200, np.nan)
    zeros = np.zeros(BINS, dtype=int)
    return replace(
        summary(label=label),
        scores=ScoreHistogram(zeros, zeros, nan, nan),
        scores_unseen=None,
        roc=RocCurve(blank, blank, blank, nan, nan, nan, nan, nan, np.full(len(RATES), nan), 0, 0),
        roc_unseen=None,
        plane=Plane(nan, nan, nan, nan),
        spectrum=Spectrum(np.full(8, nan), nan),
        neighbours=Neighbours(nan, nan, nan),
        weights=None,
        points=Points(
            np.full((20, 2), np.nan, np.float32), np.zeros(20, int), np.arange(20), np.ones(20, bool), "PCA", nan
        ),
        curves=Curves(np.arange(200), blank, blank, np.arange(3), {name: np.full(3, nan) for name in MEASURES}),
        levels={"chance": nan},
        marks=(),
        why_no_weight="Uniformity reads embeddings, not scores: there is no weight per pair.",
        why_no_unseen="unseen classes need at least five classes; this set has 3",
        margins=None,
        heads=None,
        classes=None,
    )


def start(label: str = "InfoNCE (temperature 0.1)") -> Summary:
    """Step 0: no curve yet, positives and negatives on top of each other."""
    empty = np.empty(0)
    return replace(
        summary(step=400, label=label, gap=0.02), step=0, curves=Curves(empty, empty, empty, empty, {}), marks=()
    )


def four() -> list[Summary]:
    """Four lanes, as many as the page shows, with names as long as they get."""
    labels = (
        "InfoNCE (temperature 0.1)", "SupCon (temperature 0.1)",
        "Multi-Similarity (alpha 2, beta 50, base 0.5, epsilon 0.1)", "Triplet (margin 0.2, reduction mean_active)",
    )  # fmt: skip
    return [summary(seed, label=label, gap=0.9 - 0.2 * seed) for seed, label in enumerate(labels)]
