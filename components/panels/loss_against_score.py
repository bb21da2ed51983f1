"""Loss against score: an anchor's own loss if one score moved, where that score stands now, and the slope there."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from components import theme
from models.diagnostics.anchor_curve import AnchorLoss, ScoreCurve

TITLE = "Loss against score"
HELP = (
    "What this anchor alone would lose if the score of one pair were another and all others stayed. The dot is where "
    "the score stands now; the slope of the short line through it is the weight of that pair. Good: flat where a pair "
    "needs nothing more, steep where it is wrong."
)
_POSITIVE, _NEGATIVE = "positive moves (solid)", "negative moves (dashed)"
_COLUMNS = ("kind", "side", "score", "loss", "weight")
_REACH = 0.12  # half the length of a tangent, in cosines


@lru_cache
def spec() -> dict[str, Any]:
    """Vega-Lite without data."""
    axis = theme.axis(tickCount=5, grid=False)
    x = alt.X("score:Q", title=theme.COSINE, scale=alt.Scale(domain=[-1, 1], nice=False), axis=axis)
    y = alt.Y(
        "loss:Q", title="loss of this anchor", scale=alt.Scale(zero=False), axis=theme.axis(tickCount=5, format="~g")
    )
    sides = [_POSITIVE, _NEGATIVE]
    legend = alt.Legend(title=None, orient="top", direction="vertical", labelLimit=240, labelFontSize=11, offset=4)
    colour = alt.Color("side:N", scale=alt.Scale(domain=sides, range=[theme.POSITIVE, theme.NEGATIVE]), legend=legend)
    dash = alt.StrokeDash("side:N", scale=alt.Scale(domain=sides, range=[[1, 0], list(theme.DASH)]), legend=None)
    tip = [
        alt.Tooltip("side:N", title="pair"), alt.Tooltip("score:Q", format=".3f"),
        alt.Tooltip("loss:Q", format=".4~g"), alt.Tooltip("weight:Q", title="weight", format=".3~g"),
    ]  # fmt: skip
    curve, tangent, dot = (
        alt.Chart().transform_filter(f"datum.kind === '{kind}'") for kind in ("curve", "tangent", "dot")
    )
    lines = curve.mark_line(strokeWidth=1.5, opacity=0.8).encode(x=x, y=y, color=colour, strokeDash=dash)
    slopes = tangent.mark_line(strokeWidth=4, opacity=0.9).encode(x=x, y=y, color=colour, detail="side:N")
    stands = dot.mark_point(filled=True, size=110, opacity=1).encode(x=x, y=y, color=colour, tooltip=tip)
    return theme.freeze(alt.layer(lines, slopes, stands), height=280)


def rows(told: AnchorLoss) -> pd.DataFrame:
    """One row a point of both curves, two a tangent, one a dot; none without curves."""
    parts: list[dict[str, Any]] = []
    for curve in told.curves:
        side = {"side": _POSITIVE if curve.positive else _NEGATIVE}
        ends = np.clip([curve.score - _REACH, curve.score + _REACH], -1.0, 1.0)
        line = told.value + curve.slope * (ends - curve.score)
        # A tangent as steep as the whole picture is high would press the curve flat.
        low, high = float(np.min(curve.value)), float(np.max(curve.value))
        parts.append({"kind": "curve", **side, "score": curve.grid, "loss": curve.value})
        parts.append({"kind": "tangent", **side, **_within(ends, line, low, high)})
        parts.append({"kind": "dot", **side, "score": [curve.score], "loss": [told.value], "weight": [curve.weight]})
    return theme.frame(parts, _COLUMNS)


def _within(ends: np.ndarray, line: np.ndarray, low: float, high: float) -> dict[str, np.ndarray]:
    """The tangent between the lowest and the highest value of its curve."""
    if line[0] == line[1]:
        return {"score": ends, "loss": line}
    kept = np.clip(line, low, high)
    share = (kept - line[0]) / (line[1] - line[0])
    return {"score": ends[0] + share * (ends[1] - ends[0]), "loss": kept}


def sentence(told: AnchorLoss, names: Mapping[int, str] | None = None) -> str:
    """What the picture shows, for those who do not see it. names: of the candidates by position."""
    if not told.curves:
        return f"Loss against score: {told.why_not or 'no anchor yet'}."
    parts = [f"This anchor alone loses {theme.number(told.value)}."]
    for curve in told.curves:
        kind = "positive" if curve.positive else "negative"
        called = (names or {}).get(curve.column, "")
        parts.append(
            f"The {kind}{f' {called}' if called else ''} scores {curve.score:.3f} and has weight "
            f"{theme.number(curve.weight)}: {_direction(curve)}."
        )
    if told.held:
        parts.append(f"In the gradient this loss holds constant {told.held}: its slope is not that of the curve.")
    return " ".join(parts)


def _direction(curve: ScoreCurve) -> str:
    if curve.slope == 0.0:
        return "a small change of this score changes nothing"
    return f"a higher score would {'lower' if curve.slope < 0 else 'raise'} the loss"


def table(told: AnchorLoss) -> pd.DataFrame:
    """One row a candidate whose score moves."""
    return theme.finite(
        pd.DataFrame(
            [
                {
                    "pair": "positive" if curve.positive else "negative",
                    "score now (cosine)": curve.score,
                    "loss of the anchor now": told.value,
                    "slope of that loss": curve.slope,
                    "weight in the whole loss": curve.weight,
                    "loss at cosine -1": float(curve.value[0]),
                    "loss at cosine 1": float(curve.value[-1]),
                }
                for curve in told.curves
            ]
        )
    )


def figure(told: AnchorLoss) -> alt.LayerChart:
    """The same picture as an Altair chart, for a notebook or a file."""
    return theme.thaw(spec(), rows(told))
