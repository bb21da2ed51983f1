"""ROC of pair verification: live as Vega-Lite, at rest as Plotly, with the counts at the shared threshold."""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
import plotly.graph_objects as go

from components import theme
from components.panels import brush
from components.panels.inputs import Given, summaries
from models.diagnostics.summary import BINS, RATES, RocCurve, Summary

TITLE = "ROC and AUC"
HELP = (
    "Accept every pair above a threshold: how many positives are found (up) at what price in false alarms (right). "
    "Good: a curve in the upper left corner. AUC is the chance that a positive pair scores above a negative one: 1 is "
    "perfect, 0.5 is guessing (dotted). The dot is the shared threshold."
)
SPEC_OPTIONS = ("log",)
FLOOR = 1e-4  # lowest false positive rate of the logarithmic axis: the strictest of RATES
EDGES = np.linspace(-1.0, 1.0, BINS + 1)
_CHANCE = np.geomspace(FLOOR, 1.0, 25)
_COLUMNS = ("kind", "lane", "label", "fpr", "tpr", "cosine", "reach")


@lru_cache
def spec(*, log: bool = False) -> dict[str, Any]:
    """Vega-Lite without data; log: decades of false positive rates, where a strict threshold lives."""
    scale = alt.Scale(type="log", domain=[FLOOR, 1], nice=False) if log else alt.Scale(domain=[0, 1], nice=False)
    words = {"tickCount": 5, "format": "~g" if log else "~%"}
    x = alt.X("fpr:Q", title="false positive rate", scale=scale, axis=theme.axis(**words))
    y = alt.Y(
        "tpr:Q", title="true positive rate", scale=alt.Scale(domain=[0, 1], nice=False),
        axis=theme.axis(tickCount=5, format="~%"),
    )  # fmt: skip
    lane = alt.Stroke("lane:N", scale=theme.lane_scale(), legend=None)
    curve = _of("curve").mark_line(strokeWidth=2, interpolate="step-after", clip=True)
    chance = _of("chance").mark_line(color=theme.NEUTRAL, strokeDash=[2, 3], clip=True)
    held = _of("stretch").mark_line(strokeWidth=8, opacity=0.45, strokeCap="round", clip=True)
    point = _of("threshold").mark_point(size=110, strokeWidth=3, filled=False, opacity=1)
    near = alt.selection_point(name="roc_near", nearest=True, on="pointerover", clear="pointerout", empty=False)
    tip = [
        alt.Tooltip("lane:N", title="lane"), alt.Tooltip("cosine:Q", title="threshold (cosine)", format=".3f"),
        alt.Tooltip("fpr:Q", title="false positive rate", format=".4~f"),
        alt.Tooltip("tpr:Q", title="true positive rate", format=".4~f"),
    ]  # fmt: skip
    shown = alt.when(near).then(alt.value(1)).otherwise(alt.value(0))
    reach = _of("curve").transform_filter("datum.reach === 1")
    hover = reach.mark_point(size=60).encode(x=x, y=y, stroke=lane, opacity=shown, tooltip=tip).add_params(near)
    layers = [
        chance.encode(x=x, y=y), held.encode(x=x, y=y, stroke=lane, order="tpr:Q"),
        curve.encode(x=x, y=y, stroke=lane, order="tpr:Q").add_params(brush.stretch()), hover,
        point.encode(x=x, y=y, stroke=lane, tooltip=tip), theme.lane_legend(),
    ]  # fmt: skip
    return theme.freeze(alt.layer(*layers))


def _of(kind: str) -> alt.Chart:
    chart: alt.Chart = alt.Chart().transform_filter(f"datum.kind === '{kind}'")
    return chart


def rows(
    given: Given,
    *,
    log: bool = False,
    unseen: bool = False,
    threshold: float | None = None,
    brushed: brush.Lanes = (),
) -> pd.DataFrame:
    """Points of the curves, of the chance diagonal, of the shared threshold, and a row a lane for the legend.

    brushed: what each lane shows of a brush; its stretch of the curve is drawn thick.
    """
    lanes = summaries(given)
    chance = _CHANCE if log else np.array([0.0, 1.0])
    parts: list[dict[str, Any]] = [{"kind": "chance", "fpr": chance, "tpr": chance}] if lanes else []
    for index, lane in enumerate(lanes):
        letter, curve = theme.letter(index), chosen(lane, unseen)
        parts.append({"kind": "name", "lane": letter, "label": _label(index, lane, unseen)})
        if curve is None or not len(curve.fpr):
            continue
        fpr, tpr, cosine = _floored(curve) if log else (curve.fpr, curve.tpr, curve.threshold)
        reach = theme.reach(len(fpr))
        parts.append({"kind": "curve", "lane": letter, "fpr": fpr, "tpr": tpr, "cosine": cosine, "reach": reach})
        held = brush.of_lane(brushed, index)
        if held is not None and len(held.fpr):
            price = np.maximum(held.fpr, FLOOR) if log else held.fpr
            parts.append({"kind": "stretch", "lane": letter, "fpr": price, "tpr": held.tpr, "cosine": held.threshold})
        at = None if threshold is None else working_point(lane, threshold, unseen)
        if at is not None:
            price = max(at.fpr, FLOOR) if log else at.fpr
            parts.append({"kind": "threshold", "lane": letter, "fpr": price, "tpr": at.tpr, "cosine": at.threshold})
    return theme.frame(parts, _COLUMNS)


def chosen(summary: Summary, unseen: bool) -> RocCurve | None:
    """The curve of seen or of unseen classes; None where there is none."""
    return summary.roc_unseen if unseen else summary.roc


def _floored(curve: RocCurve) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The part that a logarithmic axis can show: it starts at FLOOR with the best rate that costs no more."""
    if not np.isfinite(curve.fpr).all():
        return curve.fpr, curve.tpr, curve.threshold
    first = max(int(np.searchsorted(curve.fpr, FLOOR, "right")) - 1, 0)
    start = max(float(curve.fpr[first]), FLOOR)
    return np.concatenate([[start], curve.fpr[first + 1 :]]), curve.tpr[first:], curve.threshold[first:]


@dataclass(frozen=True)
class WorkingPoint:
    """Pairs accepted at a threshold at which both counts are known exactly."""

    threshold: float  # cosine
    tp: int
    fp: int
    positives: int
    negatives: int

    @property
    def tpr(self) -> float:
        """Share of positives that are accepted."""
        return self.tp / self.positives

    @property
    def fpr(self) -> float:
        """Share of negatives that are accepted."""
        return self.fp / self.negatives


def working_point(summary: Summary, threshold: float, unseen: bool = False) -> WorkingPoint | None:
    """The exact threshold nearest to the asked one: an edge of the histogram (every 1/32) or a stored one of the ROC.

    Nothing is interpolated: a bin edge counts the bins above it, a stored rate times its number of pairs is a count.
    None where one kind of pair is absent.
    """
    curve, histogram = chosen(summary, unseen), summary.scores_unseen if unseen else summary.scores
    if curve is None or histogram is None or not curve.positives * curve.negatives:
        return None
    at = int(np.argmin(np.abs(EDGES - threshold)))
    best = WorkingPoint(
        float(EDGES[at]), int(histogram.positive[at:].sum()), int(histogram.negative[at:].sum()),
        curve.positives, curve.negatives,
    )  # fmt: skip
    known = np.flatnonzero(np.isfinite(curve.threshold))
    if not len(known):
        return best
    near = known[np.argmin(np.abs(curve.threshold[known] - threshold))]
    if abs(curve.threshold[near] - threshold) >= abs(best.threshold - threshold):
        return best
    counts = round(float(curve.tpr[near]) * curve.positives), round(float(curve.fpr[near]) * curve.negatives)
    return replace(best, threshold=float(curve.threshold[near]), tp=counts[0], fp=counts[1])


def _label(index: int, lane: Summary, unseen: bool) -> str:
    curve = chosen(lane, unseen)
    if curve is None:
        return f"{theme.letter(index)} · {lane.why_no_unseen or 'no unseen classes'}"
    return f"{theme.short(index, lane.label, 26)} · {auc_words(curve)}"


def auc_words(curve: RocCurve) -> str:
    """`AUC 0.971 [0.964, 0.978]`, the 95 % interval in brackets."""
    if not np.isfinite(curve.auc):
        return "AUC –"
    interval = f" [{curve.low:.3f}, {curve.high:.3f}]" if np.isfinite([curve.low, curve.high]).all() else ""
    return f"AUC {curve.auc:.3f}{interval}"


def confusion(given: Given, threshold: float, *, unseen: bool = False) -> pd.DataFrame:
    """Pairs accepted (score at or above the threshold) and refused, one row a lane; see working_point for how exact."""
    lanes = summaries(given)
    found = [(theme.name(i, lane.label), working_point(lane, threshold, unseen)) for i, lane in enumerate(lanes)]
    return theme.finite(pd.DataFrame([{"lane": name, **_counts(at)} for name, at in found]))


_COUNTS = ("threshold (cosine)", "TP", "FP", "TN", "FN", "TP rate (share)", "FP rate (share)", "precision (share)")


def _counts(at: WorkingPoint | None) -> dict[str, float | None]:
    if at is None:
        return dict.fromkeys(_COUNTS)
    accepted = at.tp + at.fp
    counts = (at.tp, at.fp, at.negatives - at.fp, at.positives - at.tp)
    rates = (at.tpr, at.fpr, at.tp / accepted if accepted else None)
    return dict(zip(_COUNTS, (at.threshold, *counts, *rates), strict=True))


def sentence(given: Given, *, unseen: bool = False) -> str:
    """What the picture shows, for those who do not see it."""
    lanes = summaries(given)
    if not lanes:
        return "ROC: no lane yet."
    told = []
    for index, lane in enumerate(lanes):
        curve, name = chosen(lane, unseen), theme.name(index, lane.label)
        told.append(f"{name}: {auc_words(curve) if curve else lane.why_no_unseen or 'no unseen classes'}.")
    return " ".join(told)


def table(given: Given, *, unseen: bool = False) -> pd.DataFrame:
    """One row a lane."""
    return theme.finite(pd.DataFrame([_row(i, lane, chosen(lane, unseen)) for i, lane in enumerate(summaries(given))]))


def _row(index: int, lane: Summary, curve: RocCurve | None) -> dict[str, Any]:
    values = (
        (curve.auc, curve.low, curve.high, curve.equal_error, curve.equal_error_threshold, *curve.tpr_at)
        if curve is not None
        else [None] * (5 + len(RATES))
    )
    names = ["AUC", "AUC low (95 %)", "AUC high (95 %)", "equal error rate (share)", "its threshold (cosine)"]
    names += [f"TP rate at FP rate {rate:g}" for rate in RATES]
    return {"lane": theme.name(index, lane.label), "step": lane.step, **dict(zip(names, values, strict=True))}


def figure(given: Given, *, log: bool = False, **options: Any) -> alt.LayerChart:
    """The same picture as an Altair chart, for a notebook or a file."""
    return theme.thaw(spec(log=log), rows(given, log=log, **options))


def figure_at_rest(given: Given, *, log: bool = False, unseen: bool = False) -> go.Figure:
    """Plotly, for a curve that stands still: zoom, and every stored threshold under the pointer."""
    fig = go.Figure()
    chance = _CHANCE if log else np.array([0.0, 1.0])
    fig.add_scatter(x=chance, y=chance, mode="lines", name="chance", line={"color": theme.NEUTRAL, "dash": "dot"})
    for index, lane in enumerate(summaries(given)):
        curve = chosen(lane, unseen)
        if curve is None or not len(curve.fpr):
            continue
        fpr, tpr, cosine = _floored(curve) if log else (curve.fpr, curve.tpr, curve.threshold)
        fig.add_scatter(
            x=fpr, y=tpr, customdata=cosine, mode="lines", name=_label(index, lane, unseen),
            line={"color": theme.colour(index), "shape": "hv", "width": 2},
            hovertemplate="threshold %{customdata:.3f}<br>FP rate %{x:.4f}<br>TP rate %{y:.4f}",
        )  # fmt: skip
    kind = {"type": "log", "range": [np.log10(FLOOR), 0], "tickformat": "~g", "dtick": 1} if log else {"range": [0, 1]}
    return fig.update_layout(
        xaxis={"title": "false positive rate", **kind},
        yaxis={"title": "true positive rate", "range": [0, 1.005]},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom"},
        margin={"l": 50, "r": 10, "t": 10, "b": 45},
    )
