"""Histogram of positive and negative scores under each of several heads, a band a head."""

from functools import lru_cache
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from components import theme
from components.panels import bands, heights
from components.panels.inputs import Given, summaries
from components.panels.score_histogram import mean
from models.diagnostics.summary import BINS, ScoreHistogram, Summary

TITLE = "Scores under each head"
HELP = (
    "The same pairs under each projection head: how similar two items of one class are (filled) and of different "
    "classes (dashed). Good: heads that differ; heads with the same hills have become copies of each other. The map "
    "and all other panels show the embedding below the heads."
)
SPEC_OPTIONS = ("counts", "log")
OPTIONS = ("counts", "log")
WORDS = ()
BANDS = 8  # heads drawn in all lanes together: more bands would be too flat to read
MERGED = 2  # bins of the summary in one that is drawn, for the same reason
EDGES = np.linspace(-1.0, 1.0, BINS // MERGED + 1)
_POSITIVE, _NEGATIVE = "positive pairs (filled)", "negative pairs (dashed)"
_COLUMNS = (*bands.COLUMNS, "band", "x", "x2", "pos", "neg", "positive", "negative")


@lru_cache
def spec(*, counts: bool = False, log: bool = False) -> dict[str, Any]:
    """Vega-Lite without data; counts and log only change the words of the axis, heights come with the rows."""
    title = f"cosine under the head · height: {'pairs in a bin' if counts else 'density'}{', log' if log else ''}"
    bins = alt.Chart().transform_filter("datum.kind === 'bin'")
    x = alt.X("x:Q", title=title, scale=alt.Scale(domain=[-1, 1], nice=False), axis=theme.axis(tickCount=5, grid=False))
    colour = bands.sign_colour(_POSITIVE, _NEGATIVE)
    fill = (
        bins.transform_calculate(sign=f"'{_POSITIVE}'")
        .mark_area(interpolate="step", fillOpacity=0.45, line={"strokeWidth": 1.5})
        .encode(x=x, y=bands.height_axis("pos"), y2="floor:Q", color=colour, detail="band:N")
    )
    outline = (
        bins.transform_calculate(sign=f"'{_NEGATIVE}'")
        .mark_line(interpolate="step", strokeWidth=2, strokeDash=list(theme.DASH))
        .encode(x=x, y=bands.height_axis("neg"), color=colour, detail="band:N")
    )
    number = ".0f" if counts else ".3f"
    tip = [
        alt.Tooltip("band:N", title="head"), alt.Tooltip("x:Q", title="cosine", format=".2f"),
        alt.Tooltip("positive:Q", format=number), alt.Tooltip("negative:Q", format=number),
    ]  # fmt: skip
    hover = bins.mark_rect(opacity=0).encode(x=x, x2="x2:Q", y=bands.height_axis("floor"), y2="roof:Q", tooltip=tip)
    return theme.freeze(bands.assemble([fill, outline, hover]))


def rows(given: Given, *, counts: bool = False, log: bool = False) -> pd.DataFrame:
    """One row a bin and head; one row each for names and ticks. A lane without heads has one band that says so."""
    lanes = summaries(given)
    shown = [(index, k) for index, lane in enumerate(lanes) for k in range(_bands(lane, len(lanes)))]
    sides = {at: _sides(lanes[at[0]], at[1], counts) for at in shown}
    low, high = heights.common([side for pair in sides.values() if pair is not None for side in pair], log)
    parts: list[dict[str, Any]] = []
    for place, (index, k) in enumerate(shown):
        band, letter, pair = bands.Band(place, len(shown), low, high), theme.letter(index), sides[index, k]
        parts.append({**band.head(_label(index, lanes[index], k, len(lanes))), "lane": letter})
        if pair is not None:
            parts.append({**_bins(band, pair, log), "lane": letter, "band": f"{letter}, head {k + 1}"})
    return theme.frame(parts, _COLUMNS)


def _bands(lane: Summary, lanes: int) -> int:
    """Bands of a lane: one a head as far as there is room, one where there are no heads."""
    return min(len(lane.heads), max(BANDS // lanes, 1)) if lane.heads else 1


def _sides(lane: Summary, head: int, counts: bool) -> tuple[np.ndarray, np.ndarray] | None:
    """(positive, negative) counts or densities of one head."""
    if not lane.heads:
        return None
    found = lane.heads[head]
    positive, negative = (side.reshape(-1, MERGED).sum(axis=1) for side in (found.positive, found.negative))
    if counts:
        return positive.astype(np.float64), negative.astype(np.float64)
    width = 2.0 * MERGED / BINS
    return heights.density(positive, width), heights.density(negative, width)


def _bins(band: bands.Band, pair: tuple[np.ndarray, np.ndarray], log: bool) -> dict[str, Any]:
    keep, centres = heights.occupied(pair), (EDGES[1:] + EDGES[:-1]) / 2
    return {
        "kind": "bin", "floor": band.floor, "roof": band.floor + 1.0, "x": centres[keep], "x2": EDGES[1:][keep],
        "pos": heights.place(band, pair[0][keep], log), "neg": heights.place(band, pair[1][keep], log),
        "positive": pair[0][keep], "negative": pair[1][keep],
    }  # fmt: skip


def _label(index: int, lane: Summary, head: int, lanes: int) -> str:
    if not lane.heads:
        return f"{theme.letter(index)} · has no heads (menu ⋯: cosine)"
    found, drawn = lane.heads[head], _bands(lane, lanes)
    name = theme.short(index, lane.label, 20) if head == 0 else theme.letter(index)
    more = len(lane.heads) - drawn
    rest = f" (+{more} in the table)" if more and head == drawn - 1 else ""
    return (
        f"{name} · head {head + 1} · d′ {theme.number(found.d_prime)}, overlap {theme.number(found.overlap, 2)}{rest}"
    )


def sentence(given: Given) -> str:
    """What the picture shows, for those who do not see it."""
    lanes = summaries(given)
    if not lanes:
        return "Scores under each head: no lane yet."
    return " ".join(f"{theme.name(index, lane.label)}: {_told(lane)}." for index, lane in enumerate(lanes))


def _told(lane: Summary) -> str:
    if not lane.heads:
        return "has no heads"
    return "; ".join(
        f"head {k + 1}: positives centre at {theme.number(mean(head.positive), 2)}, negatives at "
        f"{theme.number(mean(head.negative), 2)}, d′ {theme.number(head.d_prime)}"
        for k, head in enumerate(lane.heads)
    )


def table(given: Given) -> pd.DataFrame:
    """One row a head, and one for a lane without."""
    found = [
        _row(theme.name(index, lane.label), lane.step, k, head)
        for index, lane in enumerate(summaries(given))
        for k, head in enumerate(lane.heads or (None,))
    ]
    return theme.finite(pd.DataFrame(found))


def _row(name: str, step: int, k: int, head: ScoreHistogram | None) -> dict[str, Any]:
    nan = float("nan")
    return {
        "lane": name, "step": step, "head": str(k + 1) if head else "none",
        "mean of positives (cosine)": mean(head.positive) if head else nan,
        "mean of negatives (cosine)": mean(head.negative) if head else nan,
        "d′ (standard deviations)": head.d_prime if head else nan,
        "overlap (share)": head.overlap if head else nan,
    }  # fmt: skip


def figure(given: Given, *, counts: bool = False, log: bool = False) -> alt.LayerChart:
    """The same picture as an Altair chart, for a notebook or a file."""
    return theme.thaw(spec(counts=counts, log=log), rows(given, counts=counts, log=log))
