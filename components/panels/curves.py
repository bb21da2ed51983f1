"""Loss, AUC and the other measures over the steps, with the loss's reference levels and the changes of knobs."""

from functools import lru_cache
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from components import theme
from components.panels.inputs import Given, summaries
from models.diagnostics.levels import sits_on
from models.diagnostics.summary import Summary

TITLE = "Curves"
HELP = (
    "A number of the run over its steps, a colour a lane. Thin lines are reference levels of the loss: its value at "
    "chance (all pairs score alike), under collapse (all embeddings equal) and when perfect. Ticks at the bottom mark "
    "a changed knob. Good: the loss leaves the chance level and settles near perfect."
)
SPEC_OPTIONS = ("measure", "log")
MEASURES = {
    "loss": "Loss of the batch",
    "auc": "AUC",
    "auc_unseen": "AUC, unseen classes",
    "recall_at_1": "Recall@1 (share)",
    "uniformity": "Uniformity",
    "tolerance": "Tolerance (cosine)",
    "alignment": "Alignment (squared distance)",
    "grad_norm": "Gradient norm",
}
POINTS = 150  # points of a lane on the wire: two pixels each on a card
_EVERY_STEP = ("loss", "grad_norm")
_LINE = 11  # pixels that the words of one level are high
_CLOSE = 0.08  # of the span of the levels: nearer than a line of words is high
_COLUMNS = ("kind", "lane", "label", "step", "value", "text", "slot", "reach")


@lru_cache
def spec(*, measure: str = "loss", log: bool = False) -> dict[str, Any]:
    """Vega-Lite without data, for one of MEASURES; log: a logarithmic height, on which values up to 0 are left out."""
    title = MEASURES[measure]
    scale = alt.Scale(type="log", nice=False) if log else alt.Scale(zero=False, nice=True)
    x = alt.X(
        "step:Q",
        title="training step",
        scale=alt.Scale(nice=False),
        axis=theme.axis(tickCount=5, tickMinStep=1, format=",d", grid=False),
    )
    words = theme.axis(tickCount=5, labelExpr="format(datum.value, '.4~g')")  # "~g" alone would write 350 as 3.5e+2
    y = alt.Y("value:Q", title=title, scale=scale, axis=words)
    lane = alt.Stroke("lane:N", scale=theme.lane_scale(), legend=None)
    curve = _of("point").mark_line(strokeWidth=1.8).encode(x=x, y=y, stroke=lane)
    layers = [*_levels(y, lane), *_marks(x), curve, *_hover(x, y, lane, title), theme.lane_legend()]
    return theme.freeze(alt.layer(*layers))


def _of(kind: str) -> alt.Chart:
    chart: alt.Chart = alt.Chart().transform_filter(f"datum.kind === '{kind}'")
    return chart


def _levels(y: alt.Y, lane: alt.Stroke) -> list[alt.Chart]:
    """Thin lines in the lanes' colours, and one name for all lanes that share a value."""
    rule = _of("level").mark_rule(strokeDash=[1, 2], opacity=0.9).encode(y=y, stroke=lane)
    words = _of("words").mark_text(
        align="right", baseline="bottom", fontSize=10, color=theme.NEUTRAL, dx=-2,
        # Words that would lie on each other go up, not aside: what leaves the plot takes its width from it.
        dy=alt.ExprRef(f"-1 - {_LINE} * datum.slot"), clip=True,
    )  # fmt: skip
    return [rule, words.encode(x=alt.value("width"), y=y, text="text:N")]


def _marks(x: alt.X) -> list[alt.Chart]:
    """Changes of knobs: short ticks at the bottom, a row a lane, and the change under the pointer."""
    place = alt.value(alt.ExprRef("height"))
    fill = alt.Color("lane:N", scale=theme.lane_scale(), legend=None)
    tip = [alt.Tooltip("step:Q"), alt.Tooltip("lane:N", title="lane"), alt.Tooltip("text:N", title="changed")]
    ticks = _of("mark").mark_tick(orient="vertical", size=12, thickness=3, yOffset=alt.ExprRef("-6 - 12 * datum.slot"))
    return [ticks.encode(x=x, y=place, color=fill, tooltip=tip)]


def _hover(x: alt.X, y: alt.Y, lane: alt.Stroke, title: str) -> list[alt.Chart]:
    """A rule at the nearest step, and the value of each lane there."""
    near = alt.selection_point(
        name="curve_near", nearest=True, on="pointerover", clear="pointerout", empty=False, fields=["step"]
    )
    shown = alt.when(near).then(alt.value(1)).otherwise(alt.value(0))
    tip = [
        alt.Tooltip("lane:N", title="lane"), alt.Tooltip("step:Q"), alt.Tooltip("value:Q", title=title, format=".4~g")
    ]  # fmt: skip
    point = _of("point").transform_filter("datum.reach === 1")
    dots = point.mark_point(size=60).encode(x=x, y=y, stroke=lane, opacity=shown, tooltip=tip).add_params(near)
    rule = point.transform_filter(near).mark_rule(color=theme.NEUTRAL).encode(x=x)
    fill = alt.Color("lane:N", scale=theme.lane_scale(), legend=None)
    told = point.transform_filter(near).transform_calculate(full="datum.lane + ' ' + format(datum.value, '.4~g')")
    # Values stand in a column at the rule's top: beside the curves they would cover each other.
    words = told.mark_text(
        y=alt.ExprRef("8 + 13 * indexof('ABCD', datum.lane)"), dx=alt.ExprRef("datum.step > 0 ? -6 : 6"), fontSize=11,
        fontWeight="bold", align=alt.ExprRef("datum.step > 0 ? 'right' : 'left'"),
    )  # fmt: skip
    return [rule, dots, words.encode(x=x, text="full:N", color=fill)]


def column(summary: Summary, measure: str) -> tuple[np.ndarray, np.ndarray]:
    """(steps, values) of one of MEASURES; empty where the run has none."""
    if measure not in MEASURES:
        raise ValueError(f"measure must be one of {', '.join(MEASURES)}, got {measure!r}")
    curves = summary.curves
    if measure in _EVERY_STEP:
        return curves.step, curves.loss if measure == "loss" else curves.grad_norm
    if measure not in curves.measured:
        return np.empty(0), np.empty(0)
    return curves.measured_step, curves.measured[measure]


def rows(given: Given, *, measure: str = "loss", log: bool = False) -> pd.DataFrame:
    """At most POINTS points a lane, its reference levels (loss only), its changes of knobs and its name."""
    lanes = summaries(given)
    parts: list[dict[str, Any]] = _level_rows(lanes, log) if measure == "loss" else []
    for index, lane in enumerate(lanes):
        letter = theme.letter(index)
        step, value = (np.asarray(part, np.float64) for part in column(lane, measure))
        last = theme.number(float(value[-1])) if len(value) else "–"
        name = f"{theme.short(index, lane.label)} · {last}"
        parts.append({"kind": "name", "lane": letter, "label": name})
        kept = np.unique(np.linspace(0, len(step) - 1, POINTS).round().astype(int)) if len(step) > POINTS else ...
        step, value = step[kept], value[kept]
        if log:
            value = np.where(value > 0, value, np.nan)
        parts.append({"kind": "point", "lane": letter, "step": step, "value": value, "reach": theme.reach(len(step))})
        parts += [
            {"kind": "mark", "lane": letter, "step": mark.step, "text": mark.text, "slot": index} for mark in lane.marks
        ]
    return theme.frame(parts, _COLUMNS)


def _level_rows(lanes: list[Summary], log: bool) -> list[dict[str, Any]]:
    """A line a lane and level, and words for every distinct value, which go up where the next is close below."""
    lines: list[dict[str, Any]] = []
    names: dict[str, dict[str, list[str]]] = {}
    for index, lane in enumerate(lanes):
        for name, value in lane.levels.items():
            if not np.isfinite(value) or (log and value <= 0):
                continue
            lines.append({"kind": "level", "lane": theme.letter(index), "value": float(value)})
            letters = names.setdefault(theme.number(value), {}).setdefault(name, [])
            letters.append(theme.letter(index))
    shown = sorted(names.items(), key=lambda pair: float(pair[0]))
    words, slot, below = [], 0, -np.inf
    close = _CLOSE * (float(shown[-1][0]) - float(shown[0][0])) if shown else 0.0
    for text, owners in shown:
        slot = slot + 1 if float(text) - below < close else 0
        told = "; ".join(f"{name} {''.join(letters)}" for name, letters in owners.items())
        words.append({"kind": "words", "value": float(text), "slot": slot, "text": f"{told}: {text}"})
        below = float(text)
    return [*lines, *words]


def sentence(given: Given, *, measure: str = "loss") -> str:
    """What the picture shows, for those who do not see it; where a loss sits on a level, what that means."""
    lanes = summaries(given)
    if not lanes:
        return f"{MEASURES[measure]}: no lane yet."
    return " ".join(_told(index, lane, measure) for index, lane in enumerate(lanes))


def _told(index: int, lane: Summary, measure: str) -> str:
    step, value = column(lane, measure)
    name = theme.name(index, lane.label)
    if not len(step):
        return f"{name}: no {MEASURES[measure]} yet."
    first, last = theme.number(float(value[0])), theme.number(float(value[-1]))
    found = sits_on(lane.curves, lane.levels) if measure == "loss" else None
    told = f"{name}: {MEASURES[measure]} from {first} at step {int(step[0])} to {last} at step {int(step[-1])}."
    return told if found is None else f"{told} {found[1]}"


def table(given: Given, *, measure: str = "loss") -> pd.DataFrame:
    """One row a lane and step, not thinned further than the summary is."""
    blocks = []
    for index, lane in enumerate(summaries(given)):
        step, value = column(lane, measure)
        blocks.append({"lane": theme.name(index, lane.label), "step": step, MEASURES[measure]: value})
    return theme.frame(blocks, ("lane", "step", MEASURES[measure]))


def figure(given: Given, *, measure: str = "loss", log: bool = False) -> alt.LayerChart:
    """The same picture as an Altair chart, for a notebook or a file."""
    return theme.thaw(spec(measure=measure, log=log), rows(given, measure=measure, log=log))
