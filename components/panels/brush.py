"""What a brush adds to any panel: the stretch that a pointer drags out, and what a lane shows of the brushed pairs."""

from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np

from components import theme
from components.panels.bands import Band
from models.diagnostics.brushed import Brushed
from models.diagnostics.pairs import spaced
from models.diagnostics.summary import Points

STRETCH = "stretch"  # name of the dragged stretch in a chart's state
DOTS = 40  # brushed pairs of a kind and lane on the wire
RUGS = 100  # ticks of a kind and lane
FOOT = 0.16  # share of a band below the heights where there are ticks: two rows, positives above negatives
Lanes = Sequence[Brushed | None]


def stretch() -> alt.Parameter:
    """A stretch of the horizontal axis, dragged out with the pointer."""
    mark = alt.BrushConfig(fill=theme.NEUTRAL, fillOpacity=0.15, stroke=theme.NEUTRAL, strokeOpacity=0.8)
    return alt.selection_interval(name=STRETCH, encodings=["x"], zoom=False, mark=mark)


def of_lane(brushed: Lanes, lane: int) -> Brushed | None:
    """What one lane shows; None without a brush."""
    return brushed[lane] if lane < len(brushed) else None


def dots(lane: Brushed | None) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """(sign, score, weight) of brushed positives and of brushed negatives, evenly thinned."""
    if lane is None:
        return []
    found = []
    for sign, mask in (("+", lane.dot_positive), ("-", ~lane.dot_positive)):
        at = np.flatnonzero(mask)
        at = at[spaced(len(at), DOTS)]
        found.append((sign, lane.dot_score[at], lane.dot_weight[at]))
    return found


def rugs(lane: Brushed | None, band: Band) -> list[dict[str, Any]]:
    """Rows of the ticks of a lane's brushed pairs, one a sign: all scores in one text, which the chart takes apart.

    A row a tick would send every column of the chart with each of them.
    """
    found = []
    for sign, row in (("+", 1), ("-", 0)):
        scores = ticked(lane, sign)
        if len(scores):
            low = band.floor + 0.5 * FOOT * row
            text = " ".join(f"{score:.3f}" for score in scores)
            place = {"floor": low + 0.05 * FOOT, "y": low + 0.45 * FOOT}
            found.append({"kind": f"rug{sign}", "lane": theme.letter(band.lane), "rug": text, **place})
    return found


def ticked(lane: Brushed | None, sign: str) -> np.ndarray:
    """Scores of the brushed positives or negatives that have a tick, rising, evenly thinned."""
    if lane is None:
        return np.empty(0)
    scores = lane.rug_positive if sign == "+" else lane.rug_negative
    ticks: np.ndarray = scores[spaced(len(scores), RUGS)]
    return ticks


def rug_marks(sign: str) -> alt.Chart:
    """The ticks of one sign, from the rows of `rugs`; to be encoded by `x` and by colour."""
    chart: alt.Chart = (
        alt.Chart()
        .transform_filter(f"datum.kind === 'rug{sign}'")
        .transform_calculate(ticks="split(datum.rug, ' ')")
        .transform_flatten(["ticks"])
        .transform_calculate(score="toNumber(datum.ticks)")
        .mark_rule(strokeWidth=1, opacity=0.65)
    )
    return chart


def rugs_said(shown: Brushed | None) -> str:
    """`ticks: 100 of 2,614 positive, all 12 negative pairs`; empty without a brushed pair."""
    if shown is None or not shown.pairs:
        return ""
    told = []
    for sign, count, kind in (("+", shown.positives, "positive"), ("-", shown.negatives, "negative")):
        ticks = len(ticked(shown, sign))
        if count:
            told.append(f"{'all' if ticks == count else f'{ticks} of'} {count:,} {kind}")
    return f"ticks: {', '.join(told)} pairs"


def counts_said(shown: Brushed | None) -> str:
    """`brushed: 2,614 positive, 12 negative pairs`; empty without a brushed pair."""
    if shown is None or not shown.pairs:
        return ""
    return f"brushed: {shown.positives:,} positive, {shown.negatives:,} negative pairs"


def lines(points: Points, shown: Brushed | None, lane: int) -> list[dict[str, Any]]:
    """ECharts series of the brushed pairs on a lane's map: positives solid, negatives dashed; empty without a brush."""
    if shown is None or len(shown.line_from) == 0:
        return []
    ends = np.round(np.asarray(points.xy, np.float64), 3)
    known = np.isfinite(ends[:, 0]) & np.isfinite(ends[:, 1])
    drawn = known[shown.line_from] & known[shown.line_to]
    series = []
    for positive, colour, dash in ((True, theme.POSITIVE, "solid"), (False, theme.NEGATIVE, [*theme.DASH])):
        chosen = np.flatnonzero(drawn & (shown.line_positive == positive))
        pairs = [(ends[shown.line_from[k]].tolist(), ends[shown.line_to[k]].tolist()) for k in chosen]
        series.append(
            {
                "type": "lines", "coordinateSystem": "cartesian2d", "xAxisIndex": lane, "yAxisIndex": lane,
                "silent": True, "z": 1, "data": [{"coords": [*pair]} for pair in pairs],
                "lineStyle": {"color": colour, "type": dash, "width": 1, "opacity": 0.45},
            }
        )  # fmt: skip
    return series


def lines_said(shown: Brushed | None) -> str:
    """`300 of 2,614 pairs as lines`; empty without a brush."""
    return "" if shown is None else f"{len(shown.line_from):,} of {shown.pairs:,} pairs as lines"
