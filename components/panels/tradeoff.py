"""Uniformity against tolerance: where each lane stands, how it came there, and a sweep of temperatures."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from components import theme
from components.panels.inputs import Given, summaries
from components.panels.score_histogram import CENTRES
from models.diagnostics.summary import ScoreHistogram, Summary

TITLE = "Trade-off: uniformity and tolerance"
HELP = (
    "To the right: embeddings fill the sphere more evenly. Up: items of one class stay closer together. Good is both, "
    "but a cold temperature buys the first with the second. Lines are the way a lane came; diamonds are trained at the "
    "temperature beside them. Point at a mark to see its score histogram."
)
SPEC_OPTIONS = ()
TRAIL = 60  # points of a trail on the wire
_INSET = 2  # score bins of the inset are this many of the summary's
_COLUMNS = ("kind", "lane", "label", "id", "order", "step", "uniformity", "tolerance", "text", "bin", "pos", "neg")

Sweep = Sequence[tuple[float, Summary]]  # (temperature, what was trained at it)


@lru_cache
def spec() -> dict[str, Any]:
    """Vega-Lite without data; the frame is fixed, because a frame that follows the points hides their way."""
    near = alt.selection_point(
        name="plane_near", nearest=True, on="pointerover", clear="pointerout", empty=False, fields=["id"]
    )
    x = alt.X(
        "uniformity:Q", title="uniformity (right: more even)", scale=alt.Scale(domain=[0, 4.1], nice=False),
        axis=theme.axis(tickCount=5),
    )  # fmt: skip
    y = alt.Y(
        "tolerance:Q", title="tolerance (up: tighter classes)", scale=alt.Scale(domain=[0, 1.05], nice=False),
        axis=theme.axis(tickCount=5, values=[0, 0.25, 0.5, 0.75, 1], format=".2~f"),
    )  # fmt: skip
    lane = alt.Stroke("lane:N", scale=theme.lane_scale(), legend=None)
    tip = [
        alt.Tooltip("text:N", title="mark"), alt.Tooltip("step:Q"), alt.Tooltip("uniformity:Q", format=".2f"),
        alt.Tooltip("tolerance:Q", format=".2f"),
    ]  # fmt: skip
    at = {"x": x, "y": y}
    trail = _of("trail").mark_line(strokeWidth=1.5, opacity=0.6, clip=True).encode(**at, stroke=lane, order="step:Q")
    path = _of("sweep").mark_line(color=theme.NEUTRAL, strokeDash=[2, 2], clip=True).encode(**at, order="order:Q")
    diamonds = _of("sweep").mark_point(shape="diamond", size=90, color=theme.NEUTRAL, filled=True, opacity=1)
    words = _of("sweep").mark_text(color=theme.NEUTRAL, align="left", dx=7, dy=-6, fontSize=10)
    now = _of("now").mark_point(size=140, strokeWidth=4, opacity=1)
    reach = (
        alt.Chart().transform_filter("datum.kind === 'now' || datum.kind === 'sweep'").mark_point(opacity=0, size=300)
    )
    plane = alt.layer(
        trail, path, diamonds.encode(**at), words.encode(**at, text="text:N"), now.encode(**at, stroke=lane),
        reach.encode(**at, tooltip=tip).add_params(near),
    )  # fmt: skip
    both = alt.layer(plane, _inset(near), theme.lane_legend()).resolve_scale(x="independent", y="independent")
    return theme.freeze(both)


def _of(kind: str) -> alt.Chart:
    chart: alt.Chart = alt.Chart().transform_filter(f"datum.kind === '{kind}'")
    return chart


def _inset(near: alt.Parameter) -> alt.LayerChart:
    """The score histogram of the mark under the pointer, in the lower left corner, which good runs leave empty."""
    bins = _of("bin").transform_filter(near)
    x = alt.X(
        "bin:Q", axis=None,
        scale=alt.Scale(domain=[-1, 1], range=[alt.ExprRef("0.04 * width"), alt.ExprRef("0.5 * width")]),
    )  # fmt: skip
    high = alt.Scale(domain=[0, 1], range=[alt.ExprRef("0.95 * height"), alt.ExprRef("0.6 * height")])
    positive = bins.mark_area(interpolate="step", color=theme.POSITIVE, fillOpacity=0.5, line={"color": theme.POSITIVE})
    negative = bins.mark_line(interpolate="step", color=theme.NEGATIVE, strokeWidth=2, strokeDash=list(theme.DASH))
    name = alt.Chart().transform_filter("datum.kind === 'now' || datum.kind === 'sweep'").transform_filter(near)
    name = name.transform_calculate(full="(datum.kind === 'sweep' ? 'temperature ' : '') + datum.text")
    words = name.mark_text(align="left", color=theme.NEUTRAL, fontSize=11, fontWeight="bold").encode(
        x=alt.value(alt.ExprRef("0.04 * width")), y=alt.value(alt.ExprRef("0.56 * height")), text="full:N"
    )
    chart: alt.LayerChart = alt.layer(  # type: ignore[assignment]
        words,
        positive.encode(x=x, y=alt.Y("pos:Q", axis=None, scale=high)),
        negative.encode(x=x, y=alt.Y("neg:Q", axis=None, scale=high)),
    )
    return chart


def rows(given: Given, *, sweep: Sweep = ()) -> pd.DataFrame:
    """Trails, current points, sweep points joined in the order of their temperature, and a histogram for each point."""
    parts: list[dict[str, Any]] = []
    for index, lane in enumerate(summaries(given)):
        letter, name = theme.letter(index), theme.name(index, lane.label)
        parts.append({"kind": "name", "lane": letter, "label": f"{theme.short(index, lane.label)} · {_where(lane)}"})
        parts.append({"kind": "trail", "lane": letter, **trail(lane)})
        parts.append({"kind": "now", "lane": letter, "id": letter, "step": lane.step, "text": name, **_point(lane)})
        parts.append({"kind": "bin", "id": letter, **_bins(lane.scores)})
    for order, (temperature, summary) in enumerate(sorted(sweep, key=lambda pair: pair[0])):
        key, text = f"sweep {order}", theme.number(temperature)
        parts.append(
            {"kind": "sweep", "id": key, "order": order, "step": summary.step, "text": text, **_point(summary)}
        )
        parts.append({"kind": "bin", "id": key, **_bins(summary.scores)})
    return theme.frame(parts, _COLUMNS)


def trail(summary: Summary) -> dict[str, np.ndarray]:
    """step, uniformity and tolerance so far, at most TRAIL points; empty where they were not measured."""
    measured = summary.curves.measured
    if "uniformity" not in measured or "tolerance" not in measured:
        return {name: np.empty(0) for name in ("step", "uniformity", "tolerance")}
    columns = {"step": summary.curves.measured_step, **{k: measured[k] for k in ("uniformity", "tolerance")}}
    kept = np.unique(np.linspace(0, max(len(columns["step"]) - 1, 0), TRAIL).round().astype(int))
    return {name: np.asarray(values, np.float64)[kept[: len(values)]] for name, values in columns.items()}


def _point(summary: Summary) -> dict[str, float]:
    return {"uniformity": summary.plane.uniformity, "tolerance": summary.plane.tolerance}


def _where(summary: Summary) -> str:
    return f"{theme.number(summary.plane.uniformity)}, {theme.number(summary.plane.tolerance)}"


def _bins(histogram: ScoreHistogram) -> dict[str, np.ndarray]:
    """Both signs scaled to a height of 1 each: the inset shows where they lie, not how many they are."""
    middle = CENTRES.reshape(-1, _INSET).mean(axis=1)
    sides = [
        np.asarray(side, np.float64).reshape(-1, _INSET).sum(axis=1)
        for side in (histogram.positive, histogram.negative)
    ]
    heights = [side / side.max() if side.max() > 0 else side for side in sides]
    return {"bin": middle, "pos": heights[0], "neg": heights[1]}


def sentence(given: Given, *, sweep: Sweep = ()) -> str:
    """What the picture shows, for those who do not see it."""
    lanes = summaries(given)
    if not lanes and not sweep:
        return "Trade-off: no lane yet."
    told = [
        f"{theme.name(i, lane.label)}: uniformity {theme.number(lane.plane.uniformity)}, tolerance "
        f"{theme.number(lane.plane.tolerance)}."
        for i, lane in enumerate(lanes)
    ]
    told += [
        f"Temperature {theme.number(t)}: uniformity {theme.number(s.plane.uniformity)}, tolerance "
        f"{theme.number(s.plane.tolerance)}."
        for t, s in sorted(sweep, key=lambda pair: pair[0])
    ]
    return " ".join(told)


def table(given: Given, *, sweep: Sweep = ()) -> pd.DataFrame:
    """One row a lane, then one a temperature of the sweep."""
    named: list[tuple[str, float | None, Summary]] = [
        (theme.name(i, lane.label), None, lane) for i, lane in enumerate(summaries(given))
    ]
    named += [(f"sweep, temperature {theme.number(t)}", t, s) for t, s in sorted(sweep, key=lambda pair: pair[0])]
    return theme.finite(
        pd.DataFrame(
            [
                {
                    "mark": name, "temperature": temperature, "step": s.step, "uniformity": s.plane.uniformity,
                    "tolerance (cosine)": s.plane.tolerance, "alignment (squared distance)": s.plane.alignment,
                    "AUC": s.roc.auc, "recall@1 (share)": s.neighbours.recall_at_1,
                }
                for name, temperature, s in named
            ]
        )
    )  # fmt: skip


def figure(given: Given, *, sweep: Sweep = ()) -> alt.LayerChart:
    """The same picture as an Altair chart, for a notebook or a file."""
    return theme.thaw(spec(), rows(given, sweep=sweep))
