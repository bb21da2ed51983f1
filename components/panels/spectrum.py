"""Singular values of the embedding: how many directions are in use."""

from functools import lru_cache
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from components import theme
from components.panels.inputs import Given, summaries

TITLE = "Directions in use"
HELP = (
    "How far the embedding spreads along each of its own directions, the widest first, on a logarithmic scale. Good: a "
    "gentle slope. A cliff means the other directions lie idle; effective rank counts those in use."
)
SPEC_OPTIONS = ()
FLOOR = 1e-4  # singular values below this are drawn here: a unit sphere's rows cannot tell them from 0
_COLUMNS = ("kind", "lane", "label", "direction", "size", "singular")


@lru_cache
def spec() -> dict[str, Any]:
    """Vega-Lite without data."""
    scale = alt.Scale(type="log", domain=[FLOOR, 1], nice=False)
    x = alt.X("direction:Q", title="direction, widest first", axis=theme.axis(tickMinStep=1, tickCount=6, format="d"))
    y = alt.Y("size:Q", title="singular value", scale=scale, axis=theme.axis(tickCount=5, format="~g"))
    lane = alt.Stroke("lane:N", scale=theme.lane_scale(), legend=None)
    tip = [
        alt.Tooltip("lane:N", title="lane"), alt.Tooltip("direction:Q"),
        alt.Tooltip("singular:Q", title="singular value", format=".3~g"),
    ]  # fmt: skip
    base = alt.Chart().transform_filter("datum.kind === 'value'").encode(x=x, y=y, stroke=lane)
    line = base.mark_line(strokeWidth=2, clip=True)
    dots = base.mark_point(size=25, filled=False, opacity=1).encode(tooltip=tip)
    return theme.freeze(alt.layer(line, dots, theme.lane_legend()))


def rows(given: Given) -> pd.DataFrame:
    """One row a lane and direction, and a row a lane for the legend."""
    parts: list[dict[str, Any]] = []
    for index, lane in enumerate(summaries(given)):
        singular = np.asarray(lane.spectrum.singular, np.float64)
        rank = theme.number(lane.spectrum.effective_rank)
        words = f"{theme.short(index, lane.label, 26)} · rank {rank} of {len(singular)}"
        parts.append({"kind": "name", "lane": theme.letter(index), "label": words})
        place = np.arange(1, len(singular) + 1, dtype=np.float64)
        size = np.maximum(singular, FLOOR)
        parts.append(
            {"kind": "value", "lane": theme.letter(index), "direction": place, "size": size, "singular": singular}
        )
    return theme.frame(parts, _COLUMNS)


def sentence(given: Given) -> str:
    """What the picture shows, for those who do not see it."""
    lanes = summaries(given)
    if not lanes:
        return "Directions in use: no lane yet."
    return " ".join(
        f"{theme.name(index, lane.label)}: effective rank {theme.number(lane.spectrum.effective_rank)} of "
        f"{theme.many(len(lane.spectrum.singular), 'direction')}."
        for index, lane in enumerate(lanes)
    )


def table(given: Given) -> pd.DataFrame:
    """One row a lane and direction."""
    blocks = [
        {
            "lane": theme.name(index, lane.label),
            "direction": np.arange(1, len(lane.spectrum.singular) + 1),
            "singular value": lane.spectrum.singular,
            "effective rank (directions)": lane.spectrum.effective_rank,
        }
        for index, lane in enumerate(summaries(given))
    ]
    return theme.frame(blocks, ("lane", "direction", "singular value", "effective rank (directions)"))


def figure(given: Given) -> alt.LayerChart:
    """The same picture as an Altair chart, for a notebook or a file."""
    return theme.thaw(spec(), rows(given))
