"""Mean and spread of positive and negative scores over the steps, a band a lane."""

from functools import lru_cache
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from components import theme
from components.panels import bands
from components.panels.inputs import Given, summaries
from models.diagnostics.summary import Summary

TITLE = "Scores over the steps"
HELP = (
    "Mean similarity of an anchor's positives (solid) and negatives (dashed), with one standard deviation around it, "
    "from the start of the run. Good: the two drift apart and the negatives' band stays narrow."
)
SPEC_OPTIONS = ()
_POSITIVE, _NEGATIVE = "positives (solid)", "negatives (dashed)"
_COLUMNS = (
    *bands.COLUMNS, "step", "pos", "pos_lo", "pos_hi", "neg", "neg_lo", "neg_hi", "pos_mean", "pos_var", "neg_mean",
    "neg_var",
)  # fmt: skip
_NAMES = ("pos_mean", "pos_var", "neg_mean", "neg_var")


@lru_cache
def spec() -> dict[str, Any]:
    """Vega-Lite without data."""
    points = alt.Chart().transform_filter("datum.kind === 'step'")
    x = alt.X("step:Q", title="training step", scale=alt.Scale(nice=False), axis=theme.axis(tickCount=5, grid=False))
    colour = bands.sign_colour(_POSITIVE, _NEGATIVE)
    layers = []
    for side, word, dash in (("pos", _POSITIVE, [1, 0]), ("neg", _NEGATIVE, list(theme.DASH))):
        base = points.transform_calculate(sign=f"'{word}'")
        spread = base.mark_area(opacity=0.2).encode(
            x=x, y=bands.height_axis(f"{side}_lo"), y2=f"{side}_hi:Q", color=colour, detail="lane:N"
        )
        mean = base.mark_line(strokeWidth=2, strokeDash=dash).encode(
            x=x, y=bands.height_axis(side), color=colour, detail="lane:N"
        )
        layers += [spread, mean]
    tip = [alt.Tooltip("lane:N", title="lane"), alt.Tooltip("step:Q")]
    tip += [alt.Tooltip(f"{name}:Q", title=_words(name), format=".3f") for name in _NAMES]
    hover = points.mark_rule(opacity=0, strokeWidth=8).encode(
        x=x, y=bands.height_axis("floor"), y2="roof:Q", tooltip=tip
    )
    return theme.freeze(bands.assemble([*layers, hover]))


def _words(name: str) -> str:
    side, what = name.split("_")
    return f"{'mean' if what == 'mean' else 'variance'} of {'positives' if side == 'pos' else 'negatives'}"


def columns(summary: Summary) -> dict[str, np.ndarray]:
    """The measured columns by name, nan where a run has none."""
    measured = summary.curves.measured
    blank = np.full(len(summary.curves.measured_step), np.nan)
    return {name: np.asarray(measured.get(name, blank), np.float64) for name in _NAMES}


def rows(given: Given) -> pd.DataFrame:
    """One row a measured step and lane, with heights in the view and values for the tooltip."""
    lanes = summaries(given)
    found = [columns(lane) for lane in lanes]
    low = _lowest(found)
    parts: list[dict[str, Any]] = []
    for index, (lane, column) in enumerate(zip(lanes, found, strict=True)):
        band = bands.Band(index, len(lanes), low, 1.0)
        parts += [band.head(theme.short(index, lane.label)), *[band.tick(at, theme.number(at)) for at in (0.0, 1.0)]]
        part: dict[str, Any] = {
            "kind": "step",
            "lane": theme.letter(index),
            "floor": band.floor,
            "roof": band.floor + 1,
        }
        part["step"] = np.asarray(lane.curves.measured_step, np.float64)
        for side in ("pos", "neg"):
            mean, spread = column[f"{side}_mean"], np.sqrt(column[f"{side}_var"])
            part |= {side: band.place(mean), f"{side}_lo": band.place(mean - spread)}
            part[f"{side}_hi"] = band.place(mean + spread)
        parts.append({**part, **column})
    return theme.frame(parts, _COLUMNS)


def _lowest(found: list[dict[str, np.ndarray]]) -> float:
    """Floor of all bands: a tenth below the lowest edge, never above 0, in steps of a tenth so that it rests."""
    edges = [column["neg_mean"] - np.sqrt(column["neg_var"]) for column in found]
    edges += [column["pos_mean"] - np.sqrt(column["pos_var"]) for column in found]
    known = np.concatenate([np.zeros(1), *edges])
    return max(float(np.floor(10 * known[np.isfinite(known)].min()) / 10) - 0.1, -1.0)


def sentence(given: Given) -> str:
    """What the picture shows, for those who do not see it."""
    lanes = summaries(given)
    if not lanes:
        return "Scores over the steps: no lane yet."
    return " ".join(_told(index, lane) for index, lane in enumerate(lanes))


def _told(index: int, lane: Summary) -> str:
    column, name = columns(lane), theme.name(index, lane.label)
    if not len(lane.curves.measured_step):
        return f"{name}: nothing measured yet."
    last = {key: theme.number(float(values[-1]), 2) for key, values in column.items()}
    return (
        f"{name}: at step {int(lane.curves.measured_step[-1])} positives have mean {last['pos_mean']} and variance "
        f"{last['pos_var']}, negatives mean {last['neg_mean']} and variance {last['neg_var']}."
    )


def table(given: Given) -> pd.DataFrame:
    """One row a lane and measured step."""
    blocks = [
        {
            "lane": theme.name(index, lane.label),
            "step": lane.curves.measured_step,
            **{f"{_words(key)} (cosine{'²' if 'var' in key else ''})": v for key, v in columns(lane).items()},
        }
        for index, lane in enumerate(summaries(given))
    ]
    return theme.frame(blocks, tuple(blocks[0]) if blocks else ("lane", "step"))


def figure(given: Given) -> alt.LayerChart:
    """The same picture as an Altair chart, for a notebook or a file."""
    return theme.thaw(spec(), rows(given))
