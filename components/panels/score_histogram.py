"""Histogram of positive and negative scores, a band a lane: how far apart training has pulled the two."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from components import theme
from components.panels import bands, brush, heights
from components.panels.inputs import Given, summaries
from models.diagnostics.brushed import Brushed
from models.diagnostics.summary import BINS, ScoreHistogram, Summary

TITLE = "Scores of pairs"
HELP = (
    "How similar two items of one class are (positive pairs, filled) and two items of different classes (negative "
    "pairs, dashed outline). Good: two separate hills, positives on the right. Overlap is the share they have in "
    "common; d′ is their distance in standard deviations."
)
SPEC_OPTIONS = ("counts", "log")
OPTIONS = (*SPEC_OPTIONS, "unseen", "ghost", "threshold", "first", "brushed")
EDGES = np.linspace(-1.0, 1.0, BINS + 1)
CENTRES = (EDGES[:-1] + EDGES[1:]) / 2
_WIDTH = 2.0 / BINS
_POSITIVE, _NEGATIVE = "positive pairs (filled)", "negative pairs (dashed)"
_COLUMNS = (
    *bands.COLUMNS,
    "x",
    "x2",
    "pos",
    "neg",
    "pos0",
    "neg0",
    "positive",
    "negative",
    "cut",
    "pos1",
    "neg1",
    "rug",
)


@lru_cache
def spec(*, counts: bool = False, log: bool = False) -> dict[str, Any]:
    """Vega-Lite without data; counts and log only change the words of the axis, heights come with the rows."""
    unit = "pairs in a bin" if counts else "density"
    title = f"cosine · height: {unit}{', log' if log else ''} · thin: ghost"
    return theme.freeze(bands.assemble(_layers(title, counts)))


def _layers(title: str, counts: bool) -> list[alt.Chart]:
    bins = alt.Chart().transform_filter("datum.kind === 'bin'")
    positive, negative = (bins.transform_calculate(sign=f"'{word}'") for word in (_POSITIVE, _NEGATIVE))
    x = alt.X("x:Q", title=title, scale=alt.Scale(domain=[-1, 1], nice=False), axis=theme.axis(tickCount=5, grid=False))
    colour = bands.sign_colour(_POSITIVE, _NEGATIVE)
    fill = positive.mark_area(interpolate="step", fillOpacity=0.45, line={"strokeWidth": 1.5}).encode(
        x=x, y=bands.height_axis("pos"), y2="floor:Q", color=colour, detail="lane:N"
    )
    outline = negative.mark_line(interpolate="step", strokeWidth=2, strokeDash=list(theme.DASH)).encode(
        x=x, y=bands.height_axis("neg"), color=colour, detail="lane:N"
    )
    ghosts = [
        base.mark_line(interpolate="step", strokeWidth=1, opacity=0.55, strokeDash=dash).encode(
            x=x, y=bands.height_axis(field), color=colour, detail="lane:N"
        )
        for base, field, dash in ((positive, "pos0", [1, 0]), (negative, "neg0", list(theme.DASH)))
    ]
    held = [
        base.mark_area(interpolate="step", fillOpacity=0.85).encode(
            x=x, y=bands.height_axis(field), y2="floor:Q", color=colour, detail="lane:N"
        )
        for base, field in ((positive, "pos1"), (negative, "neg1"))
    ]
    rugs = [
        brush.rug_marks(sign)
        .transform_calculate(sign=f"'{word}'")
        .encode(x=alt.X("score:Q", title=title), y=bands.height_axis("floor"), y2="y:Q", color=colour)
        for sign, word in (("+", _POSITIVE), ("-", _NEGATIVE))
    ]
    cut = (
        alt.Chart()
        .transform_filter("isValid(datum.cut)")
        .mark_rule(color=theme.NEUTRAL, strokeWidth=1.5)
        .encode(x=alt.X("cut:Q", title=title))
    )
    number = ".0f" if counts else ".3f"
    hover = bins.mark_rect(opacity=0).encode(
        x=x, x2="x2:Q", y=bands.height_axis("floor"), y2="roof:Q",
        tooltip=[
            alt.Tooltip("lane:N", title="lane"), alt.Tooltip("x:Q", title="cosine", format=".2f"),
            alt.Tooltip("positive:Q", title="positive", format=number),
            alt.Tooltip("negative:Q", title="negative", format=number),
        ],
    )  # fmt: skip
    return [fill, outline, *held, *ghosts, *rugs, cut, hover.add_params(brush.stretch())]


@dataclass(frozen=True)
class Options:
    """What the rows depend on; `first` holds the lanes at the ghost's step, `threshold` is a cosine.

    brushed: what each lane shows of a brush; its pairs stand solid within the histogram, on the same scale, and their
    scores as ticks below it.
    """

    counts: bool = False
    log: bool = False
    unseen: bool = False
    ghost: bool = True
    threshold: float | None = None
    first: Sequence[Summary | None] = ()
    brushed: brush.Lanes = ()


def rows(given: Given, **options: Any) -> pd.DataFrame:
    """One row a bin and lane, with heights in the view and values for the tooltip; one row each for names and ticks.

    options: see Options.
    """
    lanes, chosen = summaries(given), Options(**options)
    shown = [_values(lane, chosen) for lane in lanes]
    ghosts = [_values(lane, chosen) for lane in _padded(chosen.first, len(lanes), chosen.ghost)]
    low, high = heights.common([side for pair in shown if pair is not None for side in pair], chosen.log)
    # All bands alike, so that heights can be compared.
    foot = brush.FOOT if any(part is not None and part.pairs for part in chosen.brushed) else 0.0
    parts: list[dict[str, Any]] = []
    for index, lane in enumerate(lanes):
        shown_of = brush.of_lane(chosen.brushed, index)
        band = bands.Band(index, len(lanes), low, high, foot=foot)
        parts.append(band.head(_label(index, lane, chosen.unseen)))
        parts += [band.tick(at, text) for at, text in heights.ticks(low, high, chosen.log)]
        if shown[index] is not None:
            held = _held(lane, shown_of, chosen)
            parts.append(_bins(band, shown[index], ghosts[index], held, chosen.log))
            parts += brush.rugs(shown_of, band)
    if chosen.threshold is not None and lanes:
        parts.append({"kind": "cut", "cut": chosen.threshold})
    return theme.frame(parts, _COLUMNS)


Pair = tuple[np.ndarray, np.ndarray]


def histogram(summary: Summary, unseen: bool) -> ScoreHistogram | None:
    """The histogram of seen or of unseen classes; None where there is none."""
    return summary.scores_unseen if unseen else summary.scores


def _padded(first: Sequence[Summary | None], count: int, ghost: bool) -> list[Summary | None]:
    return [*first, *[None] * count][:count] if ghost else [None] * count


def _values(summary: Summary | None, options: Options) -> Pair | None:
    """(positive, negative) counts, or densities that integrate to 1; zeros where there is no pair."""
    found = histogram(summary, options.unseen) if summary is not None else None
    if found is None:
        return None
    pair = np.asarray(found.positive, np.float64), np.asarray(found.negative, np.float64)
    return pair if options.counts else (heights.density(pair[0], _WIDTH), heights.density(pair[1], _WIDTH))


def _bins(band: bands.Band, now: Pair | None, ghost: Pair | None, held: Pair | None, log: bool) -> dict[str, Any]:
    """The bins of one lane, occupied stretch and one bin around it only: empty tails are not sent."""
    blank = np.full(BINS, np.nan)
    positive, negative = now if now is not None else (blank, blank)
    before = ghost if ghost is not None else (blank, blank)
    brushed = held if held is not None else (blank, blank)
    keep = heights.occupied([positive, negative, *before])

    def height(values: np.ndarray) -> np.ndarray:
        return heights.place(band, values[keep], log)

    return {
        "kind": "bin", "lane": theme.letter(band.lane), "floor": band.base, "roof": band.floor + 1.0,
        "x": CENTRES[keep], "x2": EDGES[1:][keep], "pos": height(positive), "neg": height(negative),
        "pos0": height(before[0]), "neg0": height(before[1]), "positive": positive[keep], "negative": negative[keep],
        "pos1": height(brushed[0]), "neg1": height(brushed[1]),
    }  # fmt: skip


def _held(summary: Summary, held: Brushed | None, options: Options) -> Pair | None:
    """Brushed pairs in every bin, in the unit of the whole histogram; None without a brush."""
    whole = histogram(summary, options.unseen)
    if held is None or whole is None:
        return None
    kinds = ((held.positive, whole.positive), (held.negative, whole.negative))
    first, second = (np.asarray(part, np.float64) / _unit(total, options.counts) for part, total in kinds)
    return first, second


def _unit(count: np.ndarray, counts: bool) -> float:
    return 1.0 if counts else max(float(np.nansum(count)) * _WIDTH, 1e-300)


def _label(index: int, summary: Summary, unseen: bool) -> str:
    found = histogram(summary, unseen)
    name = theme.short(index, summary.label)
    if found is None:
        return f"{theme.letter(index)} · {summary.why_no_unseen or 'no unseen classes'}"
    return f"{name} · d′ {theme.number(found.d_prime)}, overlap {theme.number(found.overlap, 2)}"


def sentence(given: Given, *, unseen: bool = False) -> str:
    """What the picture shows, for those who do not see it."""
    lanes = summaries(given)
    if not lanes:
        return "Score histograms: no lane yet."
    return " ".join(_words(index, lane, histogram(lane, unseen)) for index, lane in enumerate(lanes))


def _words(index: int, lane: Summary, found: ScoreHistogram | None) -> str:
    name = theme.name(index, lane.label)
    if found is None:
        return f"{name}: {lane.why_no_unseen or 'no unseen classes'}."
    positive, negative = mean(found.positive), mean(found.negative)
    return (
        f"{name}: positives centre at {theme.number(positive, 2)}, negatives at {theme.number(negative, 2)}, "
        f"d′ {theme.number(found.d_prime)}, overlap {theme.number(found.overlap, 2)}."
    )


def mean(count: np.ndarray) -> float:
    """Mean cosine of a histogram, from the middles of its bins; nan if it is empty."""
    total = float(np.nansum(count))
    return float(np.nansum(count * CENTRES) / total) if total > 0 else float("nan")


def table(given: Given, *, unseen: bool = False) -> pd.DataFrame:
    """One row a lane."""
    found = [(theme.name(i, lane.label), lane.step, histogram(lane, unseen)) for i, lane in enumerate(summaries(given))]
    nan = float("nan")
    return theme.finite(
        pd.DataFrame(
            [
                {
                    "lane": name, "step": step,
                    "positive pairs": int(np.nansum(h.positive)) if h else None,
                    "negative pairs": int(np.nansum(h.negative)) if h else None,
                    "mean of positives (cosine)": mean(h.positive) if h else nan,
                    "mean of negatives (cosine)": mean(h.negative) if h else nan,
                    "d′ (standard deviations)": h.d_prime if h else nan,
                    "overlap (share)": h.overlap if h else nan,
                }
                for name, step, h in found
            ]
        )
    )  # fmt: skip


def figure(given: Given, **options: Any) -> alt.LayerChart:
    """The same picture as an Altair chart, for a notebook or a file."""
    return theme.thaw(spec(**{key: options[key] for key in SPEC_OPTIONS if key in options}), rows(given, **options))
