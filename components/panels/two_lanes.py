"""Two lanes on the same bins: laid over each other, the second turned downwards, or the second minus the first."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from components import theme
from components.panels import bands, brush, heights
from components.panels.inputs import Given, summaries
from components.panels.score_histogram import CENTRES, EDGES, histogram, mean
from models.diagnostics.summary import BINS, ScoreHistogram, Summary
from models.diagnostics.threshold import COMPARISONS, Sides, TwoLanes, two_lanes

TITLE = "Scores of pairs, two lanes"
HELP = (
    "Two lanes on the same bins, as shares of each lane's positive and of its negative pairs. Good: the better lane "
    "has its positives further right and its negatives further left. Subtracted, what stands above the middle is more "
    "in the second lane."
)
OVERLAY, MIRROR, DIFFERENCE = COMPARISONS
SPEC_OPTIONS = ("compare",)
OPTIONS = ("compare", "lanes", "unseen", "threshold", "brushed")
WORDS = ("compare", "lanes", "unseen")
_POSITIVE, _NEGATIVE = "positive pairs (filled)", "negative pairs (dashed)"
_TITLE = "cosine · height: share of a kind's pairs in a bin"
_MIDDLE, _HALF = 0.5, 0.5 * bands.BODY
_VALUES = ("pos_a", "neg_a", "pos_b", "neg_b")
_COLUMNS = (
    *bands.COLUMNS, "label", "colour", "x", "x2", "series", "h", "base", "h1", "cut", *_VALUES,
)  # fmt: skip


@lru_cache
def spec(*, compare: str = OVERLAY) -> dict[str, Any]:
    """Vega-Lite without data. Raises ValueError on an unknown comparison."""
    if compare not in COMPARISONS:
        raise ValueError(f"comparison must be one of {', '.join(COMPARISONS)}, got {compare!r}")
    over = compare == OVERLAY
    x = alt.X(
        "x:Q", title=_TITLE, scale=alt.Scale(domain=[-1, 1], nice=False), axis=theme.axis(tickCount=5, grid=False)
    )
    lane = alt.Color("lane:N", scale=theme.lane_scale(), legend=None)
    about = {"x": x, "color": lane if over else bands.sign_colour(_POSITIVE, _NEGATIVE), "detail": "series:N"}
    word = f"datum.series[0] === 'p' ? '{_POSITIVE}' : '{_NEGATIVE}'"
    series = alt.Chart().transform_filter("datum.kind === 'bin'").transform_calculate(sign=word)
    first = "datum.series[1] === '0'" if over else "datum.series[0] === 'p'"
    filled, line = series.transform_filter(first), series.transform_filter(f"!({first})")
    layers = [
        filled.mark_area(interpolate="step", fillOpacity=0.4, line={"strokeWidth": 1.5}).encode(
            y=bands.height_axis("h"), y2="base:Q", **about
        ),
        line.mark_line(interpolate="step", strokeWidth=2, strokeDash=[1, 0] if over else list(theme.DASH)).encode(
            y=bands.height_axis("h"), **about
        ),
        series.mark_area(interpolate="step", fillOpacity=0.8).encode(y=bands.height_axis("h1"), y2="base:Q", **about),
        *_over(x),
    ]
    return theme.freeze(bands.assemble([*layers, _legend()] if over else layers))


def _legend() -> alt.Chart:
    """An invisible layer whose legend names the two lanes; each row brings its colour, since any two may be shown."""
    legend = alt.Legend(
        title=None, orient="top", columns=1, labelLimit=340, labelFontSize=11, rowPadding=1, symbolType="square",
        symbolSize=90, symbolOpacity=1, symbolStrokeWidth=4, offset=2,
    )  # fmt: skip
    scale = alt.Scale(range=alt.FieldRange(field="colour"))
    # Labels begin with the lane's letter. In another order than this, colours and labels would not go together.
    stroke = alt.Stroke("label:N", sort="ascending", scale=scale, legend=legend)
    named = alt.Chart().transform_filter("isValid(datum.label)")
    chart: alt.Chart = named.mark_point(opacity=0).encode(stroke=stroke)
    return chart


def _over(x: alt.X) -> Iterator[alt.Chart]:
    """The threshold, and what is under the pointer; on it a stretch is dragged out."""
    cut = alt.Chart().transform_filter("isValid(datum.cut)").mark_rule(color=theme.NEUTRAL, strokeWidth=1.5)
    yield cut.encode(x=alt.X("cut:Q", title=_TITLE))
    words = ("first lane: positive", "first lane: negative", "second lane: positive", "second lane: negative")
    tip = [alt.Tooltip("x:Q", title="cosine", format=".2f")]
    tip += [alt.Tooltip(f"{name}:Q", title=word, format=".2%") for name, word in zip(_VALUES, words, strict=True)]
    hover = alt.Chart().transform_filter("datum.kind === 'hover'").mark_rect(opacity=0)
    hover = hover.encode(x=x, x2="x2:Q", y=bands.height_axis("floor"), y2="roof:Q", tooltip=tip)
    yield hover.add_params(brush.stretch())


def rows(
    given: Given,
    *,
    compare: str = OVERLAY,
    lanes: tuple[int, int] = (0, 1),
    unseen: bool = False,
    threshold: float | None = None,
    brushed: brush.Lanes = (),
) -> pd.DataFrame:
    """One row a bin and series, a bin for the pointer, names and ticks; heights are shares of a kind's pairs.

    lanes: the first and the second; where one is not there, or has no pair, the names alone. brushed: what each lane
    shows of a brush, dark within the whole.
    """
    pair = _pair(given, lanes)
    parts = [*_heads(pair, lanes, compare)]
    wholes = [_sides(found) for lane in pair if (found := histogram(lane, unseen)) is not None]
    if len(wholes) == 2:
        both = wholes[0], wholes[1]
        held = [brush.of_lane(brushed, lane) for lane in lanes]
        none = np.zeros(BINS), np.zeros(BINS)
        some = [none if part is None else (part.positive, part.negative) for part in held]
        dark = two_lanes((some[0], some[1]), compare, both) if any(part is not None for part in held) else None
        parts += [*_drawn(two_lanes(both, compare), dark, lanes), _hover(two_lanes(both, OVERLAY))]
    if threshold is not None and pair:
        parts.append({"kind": "cut", "cut": threshold})
    return theme.frame(parts, _COLUMNS)


def _pair(given: Given, lanes: tuple[int, int]) -> list[Summary]:
    shown = summaries(given)
    return [shown[lane] for lane in lanes] if max(lanes) < len(shown) else []


def _sides(found: ScoreHistogram) -> Sides:
    return np.asarray(found.positive, np.float64), np.asarray(found.negative, np.float64)


def _heads(pair: list[Summary], lanes: tuple[int, int], compare: str) -> Iterator[dict[str, Any]]:
    """Names at the upper and at the lower edge, with the colours of the lanes, or of a legend that names both.

    An axis puts a label in the middle of its slot: of four slots, the first and the third or last have words.
    """
    if not pair:
        return
    names = [theme.short(lane, summary.label, 30) for lane, summary in zip(lanes, pair, strict=True)]
    letters = [theme.letter(lane) for lane in lanes]
    if compare == OVERLAY:
        words, at = ("positive pairs", "negative pairs"), 2
        for lane, name, drawn in zip(lanes, names, ("filled", "line"), strict=True):
            yield {"kind": "name", "label": f"{name} ({drawn})", "colour": theme.colour(lane)}
    elif compare == MIRROR:
        words, at = (names[0], names[1]), 3
    else:
        words, at = (f"more in {names[1]}", f"more in {names[0]}"), 3
        letters = letters[::-1]
    for slot in range(4):
        upper = slot < 2
        text = words[0] if slot == 0 else words[1] if slot == at else "\u200b" * (slot + 1)
        edge = {"floor": _MIDDLE if upper else 0.0, "roof": 1.0 if upper else _MIDDLE, "y": -float(slot)}
        chip = {} if compare == OVERLAY else {"lane": letters[0 if upper else 1]}
        yield {"kind": "head", "text": text, **edge, **chip}


def _drawn(whole: TwoLanes, dark: TwoLanes | None, lanes: tuple[int, int]) -> Iterator[dict[str, Any]]:
    """The bins of every series, and a line near the top of either half; empty tails are not sent."""
    over = whole.comparison == OVERLAY
    every = [*whole.positive, *whole.negative]
    top = max(float(np.abs(every).max()), 1e-12)
    keep = heights.occupied([np.abs(side) for side in every])
    for sign, sides in (("positive", whole.positive), ("negative", whole.negative)):
        base = _MIDDLE if sign == "positive" or not over else 0.0
        for k, side in enumerate(sides):
            held = np.full(BINS, np.nan) if dark is None else getattr(dark, sign)[k]
            yield {
                "kind": "bin", "lane": theme.letter(lanes[k if len(sides) > 1 else 1]), "series": f"{sign[0]}{k}",
                "x": CENTRES[keep], "h": base + _HALF * side[keep] / top, "base": base,
                "h1": base + _HALF * held[keep] / top,
            }  # fmt: skip
    step = 10.0 ** np.floor(np.log10(top))
    level = float(np.floor(top / step) * step)
    for base, way in ((_MIDDLE, 1.0), (0.0, 1.0) if over else (_MIDDLE, -1.0)):
        # Below, where the name of a lane stands, the line goes without its words.
        words = f"{theme.number(100 * level)} %" if way > 0 else ""
        yield {"kind": "tick", "y": base + way * _HALF * level / top, "text": words}


def _hover(shares: TwoLanes) -> dict[str, Any]:
    sides = (shares.positive[0], shares.negative[0], shares.positive[1], shares.negative[1])
    keep = heights.occupied(sides)
    values = {name: side[keep] for name, side in zip(_VALUES, sides, strict=True)}
    return {"kind": "hover", "floor": 0.0, "roof": 1.0, "x": CENTRES[keep], "x2": EDGES[1:][keep], **values}


_DRAWN = {
    OVERLAY: "laid over each other",
    MIRROR: "the second turned downwards",
    DIFFERENCE: "the second minus the first",
}


def sentence(given: Given, *, compare: str = OVERLAY, lanes: tuple[int, int] = (0, 1), unseen: bool = False) -> str:
    """What the picture shows, for those who do not see it."""
    pair = _pair(given, lanes)
    if not pair:
        return "Two lanes on the same bins: there are not both of these lanes yet."
    told = []
    for lane, summary in zip(lanes, pair, strict=True):
        found, name = histogram(summary, unseen), theme.name(lane, summary.label)
        if found is None:
            told.append(f"{name}: {summary.why_no_unseen or 'no unseen classes'}.")
            continue
        centres = (theme.number(mean(side), 2) for side in (found.positive, found.negative))
        told.append(f"{name}: positives centre at {next(centres)}, negatives at {next(centres)}.")
    return f"Two lanes on the same bins, {_DRAWN[compare]}. {' '.join(told)} {_auc_words(pair, lanes, unseen)}"


def _auc_words(pair: list[Summary], lanes: tuple[int, int], unseen: bool) -> str:
    """`AUC of lane B minus that of lane A: +0.012.`"""
    curves = [lane.roc_unseen if unseen else lane.roc for lane in pair]
    values = [float("nan") if curve is None else curve.auc for curve in curves]
    first, second = (theme.letter(lane) for lane in lanes)
    change = values[1] - values[0]
    return f"AUC of lane {second} minus that of lane {first}: {f'{change:+.3f}' if np.isfinite(change) else '–'}."


def numbers(given: Given, lanes: tuple[int, int], unseen: bool = False) -> str:
    """The change of AUC; empty if a lane is not there."""
    pair = _pair(given, lanes)
    return _auc_words(pair, lanes, unseen) if pair else ""


def table(
    given: Given, *, compare: str = OVERLAY, lanes: tuple[int, int] = (0, 1), unseen: bool = False
) -> pd.DataFrame:
    """One row a bin: shares of each kind's pairs in either lane, and the second minus the first."""
    wholes = [_sides(found) for lane in _pair(given, lanes) if (found := histogram(lane, unseen)) is not None]
    if len(wholes) < 2:
        return pd.DataFrame({"cosine from": [], "to": []})
    shares = two_lanes((wholes[0], wholes[1]), OVERLAY)
    columns: dict[str, np.ndarray] = {"cosine from": EDGES[:-1], "to": EDGES[1:]}
    for kind, sides in (("positive", shares.positive), ("negative", shares.negative)):
        columns |= {f"{theme.letter(lane)} {kind} (share)": side for lane, side in zip(lanes, sides, strict=True)}
        columns[f"{kind}, second minus first"] = sides[1] - sides[0]
    return theme.finite(pd.DataFrame(columns))


def figure(given: Given, *, compare: str = OVERLAY, **options: Any) -> alt.LayerChart:
    """The same picture as an Altair chart, for a notebook or a file."""
    return theme.thaw(spec(compare=compare), rows(given, compare=compare, **options))
