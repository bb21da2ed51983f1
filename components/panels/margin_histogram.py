"""Histogram of margins, a band a lane: how many items a head decides right, and by how much."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from components import theme
from components.panels import bands, heights, margin_axis
from components.panels.inputs import Given, summaries
from models.diagnostics.margins import widened
from models.diagnostics.summary import BINS, MarginProfile, Summary

TITLE = "Margins of items"
RESIDUAL_TITLE = "Residuals of predictions"
HELP = (
    "By how much the logit of an item's own class beats the highest other. Left of 0 (dashed) another class wins: that "
    "share is the error rate. Good: everything right of 0, with room. Where a number is predicted, the residual: too "
    "low on the left, too high on the right; good is a narrow hill at 0."
)
SPEC_OPTIONS = ("counts", "log", "residual", "own")
OPTIONS = (*SPEC_OPTIONS, "ghost", "first")
WORDS = ("residual", "names")
_COLUMNS = (*bands.COLUMNS, "x", "x2", "right", "wrong", "right0", "wrong0", "from", "to", "entries")


@lru_cache
def spec(*, counts: bool = False, log: bool = False, residual: bool = False, own: bool = False) -> dict[str, Any]:
    """Vega-Lite without data; the options change words only, heights and the ends of the axis come with the rows."""
    title, right, wrong = margin_axis.words(residual, own)
    unit = "count" if counts else "density"
    return theme.freeze(
        bands.assemble(_layers(f"{title} · {unit}{', log' if log else ''} · thin: ghost", right, wrong))
    )


def _layers(title: str, right: str, wrong: str) -> list[alt.Chart]:
    bins = alt.Chart().transform_filter("datum.kind === 'bin'")
    x, colour = margin_axis.axis(title), bands.sign_colour(right, wrong)
    won, lost = (bins.transform_calculate(sign=f"'{word}'") for word in (right, wrong))
    fill = won.mark_area(interpolate="step", fillOpacity=0.45, line={"strokeWidth": 1.5}).encode(
        x=x, y=bands.height_axis("right"), y2="floor:Q", color=colour, detail="lane:N"
    )
    outline = lost.mark_line(interpolate="step", strokeWidth=2, strokeDash=list(theme.DASH)).encode(
        x=x, y=bands.height_axis("wrong"), color=colour, detail="lane:N"
    )
    ghosts = [
        base.mark_line(interpolate="step", strokeWidth=1, opacity=0.55, strokeDash=dash).encode(
            x=x, y=bands.height_axis(field), color=colour, detail="lane:N"
        )
        for base, field, dash in ((won, "right0", [1, 0]), (lost, "wrong0", list(theme.DASH)))
    ]
    hover = bins.mark_rect(opacity=0).encode(
        x=alt.X("x1:Q", title=title), x2="x2:Q", y=bands.height_axis("floor"), y2="roof:Q",
        tooltip=[
            alt.Tooltip("lane:N", title="lane"), alt.Tooltip("from:Q", format=".3~g"),
            alt.Tooltip("to:Q", format=".3~g"), alt.Tooltip("entries:Q", title="items", format=".0f"),
        ],
    ).transform_calculate(x1="2 * datum.x - datum.x2")  # fmt: skip
    return [fill, outline, *ghosts, *margin_axis.frame_layers(x, title), hover]


@dataclass(frozen=True)
class Options:
    """What the rows depend on; `first` holds the lanes at the ghost's step."""

    counts: bool = False
    log: bool = False
    residual: bool = False
    own: bool = False  # each lane's axis in units of its own
    ghost: bool = True
    first: Sequence[Summary | None] = ()


def rows(given: Given, **options: Any) -> pd.DataFrame:
    """One row a bin and lane on bins that all lanes share; one row each for names, ticks and the ends of the axis.

    options: see Options.
    """
    lanes, chosen = summaries(given), Options(**options)
    first = [*chosen.first, *[None] * len(lanes)][: len(lanes)] if chosen.ghost else [None] * len(lanes)
    drawn = [
        [None if lane is None else margin_axis.shown(lane, chosen.residual) for lane in moments]
        for moments in zip(lanes, first, strict=True)
    ]
    scale = margin_axis.scale(drawn, chosen.own)
    counted = [_Counted.of(moments, drawn[at : at + 1] if chosen.own else drawn) for at, moments in enumerate(drawn)]
    heights_of = [lane.heights(scale.unit[at], chosen.counts) for at, lane in enumerate(counted)]
    low, high = heights.common([now for now, _ in heights_of if now is not None], chosen.log)
    parts: list[dict[str, Any]] = [margin_axis.frame(scale)] if lanes else []
    for index, lane in enumerate(lanes):
        band = bands.Band(index, len(lanes), low, high)
        unit = scale.label(index, chosen.own)
        parts.append(band.head(_label(index, lane, chosen.residual, unit)))
        if counted[index].now is not None:
            parts += [band.tick(at, text) for at, text in heights.ticks(low, high, chosen.log)]
            parts.append(_bins(band, counted[index], heights_of[index], scale.unit[index], chosen.log))
    return theme.frame(parts, _COLUMNS)


@dataclass(frozen=True, eq=False)
class _Counted:
    """Entries of a lane now and of its ghost in bins from -reach to reach, (BINS,) each; None: there are none."""

    now: np.ndarray | None
    before: np.ndarray | None
    reach: float

    @classmethod
    def of(
        cls, moments: Sequence[MarginProfile | None], beside: Sequence[Sequence[MarginProfile | None]]
    ) -> "_Counted":
        """Bins of the longest reach among `beside`: those of any two profiles nest."""
        reach = max((profile.reach for drawn in beside for profile in drawn if profile is not None), default=1.0)
        now, before = (
            None if profile is None else widened(profile.count.sum(axis=0), round(reach / profile.reach))
            for profile in moments
        )
        return cls(now, before, reach)

    def heights(self, unit: float, counts: bool) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Counts, or densities on the axis on which `unit` is 1."""
        width = 2 * self.reach / BINS / unit
        now, before = (
            None if side is None else side.astype(np.float64) if counts else heights.density(side, width)
            for side in (self.now, self.before)
        )
        return now, before


def _bins(
    band: bands.Band, lane: _Counted, sides: tuple[np.ndarray | None, np.ndarray | None], unit: float, log: bool
) -> dict[str, Any]:
    """The bins of one lane, split at 0; the occupied stretch and one bin around it only."""
    edges = np.linspace(-lane.reach, lane.reach, BINS + 1)
    blank = np.full(BINS, np.nan)
    now, before = (blank if side is None else side for side in sides)
    keep = heights.occupied([now, before])

    def height(values: np.ndarray, *, right: bool) -> np.ndarray:
        return heights.place(band, _half(values, right=right)[keep], log)

    return {
        "kind": "bin", "lane": theme.letter(band.lane), "floor": band.floor, "roof": band.floor + 1.0,
        "x": (edges[1:] + edges[:-1])[keep] / 2 / unit, "x2": edges[1:][keep] / unit,
        "from": edges[:-1][keep], "to": edges[1:][keep], "entries": (blank if lane.now is None else lane.now)[keep],
        "right": height(now, right=True), "wrong": height(now, right=False),
        "right0": height(before, right=True), "wrong0": height(before, right=False),
    }  # fmt: skip


def _half(values: np.ndarray, *, right: bool) -> np.ndarray:
    """One side of 0; the first bin of the other is 0, so that the step falls at 0, and the rest is not drawn."""
    half, found = BINS // 2, np.full(BINS, np.nan)
    side = slice(half, None) if right else slice(None, half)
    found[side] = values[side]
    found[half - 1 if right else half] = 0.0 if np.isfinite(values).any() else np.nan
    return found


def _label(index: int, lane: Summary, residual: bool, unit: str) -> str:
    found = margin_axis.shown(lane, residual)
    if found is None:
        return f"{theme.letter(index)} · {margin_axis.why_not(lane, residual)}"
    name = theme.short(index, lane.label, 28)
    if residual:
        return f"{name} · mean |residual| {theme.number(found.size)}{unit}"
    return f"{name} · {theme.percent(found.below, 1)} wrong, median {theme.number(found.middle, 2)}{unit}"


def sentence(given: Given, *, residual: bool = False, names: margin_axis.Names = ()) -> str:
    """What the picture shows, for those who do not see it."""
    lanes = summaries(given)
    if not lanes:
        return "Margins: no lane yet."
    return " ".join(_told(index, lane, residual, names) for index, lane in enumerate(lanes))


def _told(index: int, lane: Summary, residual: bool, names: margin_axis.Names) -> str:
    told = numbers(lane, residual=residual, names=names)
    return f"{theme.name(index, lane.label)}: {told[0].lower()}{told[1:]}"


def numbers(summary: Summary, *, residual: bool = False, names: margin_axis.Names = ()) -> str:
    """How much is decided wrong, and where; of numbers, by how much they miss. Why not, where there is no margin."""
    found = margin_axis.shown(summary, residual)
    if found is None:
        why = margin_axis.why_not(summary, residual)
        return f"{why[0].upper()}{why[1:]}."
    if residual:
        return (
            f"Predictions miss by {theme.number(found.size)} on average, {theme.percent(found.below)} of them too low, "
            f"median residual {theme.number(found.middle)}."
        )
    return (
        f"{theme.percent(found.below, 1)} of {found.entries} {margin_axis.entry(found)} are decided wrong, "
        f"median margin {theme.number(found.middle, 2)}{_worst(found, names)}."
    )


def _worst(found: MarginProfile, names: margin_axis.Names) -> str:
    if not np.isfinite(found.below_by).any() or not found.below:
        return ""
    at = int(np.nanargmax(found.below_by))
    who = margin_axis.group_name(found, int(found.group[at]), names)
    return f", worst {who} with {theme.percent(float(found.below_by[at]))}"


def table(given: Given, *, residual: bool = False, names: margin_axis.Names = ()) -> pd.DataFrame:
    """One row for each lane, and one for each of its classes or labels."""
    found = [row for index, lane in enumerate(summaries(given)) for row in _table_rows(index, lane, residual, names)]
    return theme.finite(pd.DataFrame(found))


def _table_rows(index: int, lane: Summary, residual: bool, names: margin_axis.Names) -> list[dict[str, Any]]:
    found, left = margin_axis.shown(lane, residual), "too low (share)" if residual else "decided wrong (share)"
    middle = "median residual" if residual else "median margin (logits)"
    row: dict[str, Any] = {"lane": theme.name(index, lane.label), "step": lane.step}
    if found is None:
        return [{**row, "of": margin_axis.why_not(lane, residual), "entries": None, left: None, middle: None}]
    who = [margin_axis.group_name(found, int(group), names) for group in found.group]
    counts, rest = found.count.sum(axis=1), (found.below_by, found.middle_by)
    every = [("all", found.entries, found.below, found.middle), *zip(who, counts, *rest, strict=True)]
    return [
        {**row, "of": of, "entries": int(count), left: float(below), middle: float(at)}
        for of, count, below, at in every
    ]


def figure(given: Given, **options: Any) -> alt.LayerChart:
    """The same picture as an Altair chart, for a notebook or a file."""
    return theme.thaw(spec(**{key: options[key] for key in SPEC_OPTIONS if key in options}), rows(given, **options))
