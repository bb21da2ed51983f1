"""Small multiples inside one view, a horizontal band a lane, so that the chart can fill its container."""

from collections.abc import Sequence
from dataclasses import dataclass

import altair as alt
import numpy as np

from components import theme

BODY = 0.72  # share of a band that data may fill; the rest holds the lane's name
FONT = 11
_SLOTS = 4
# Words of a tick hang below its line, except near the floor, where the next band begins.
_BASELINE = alt.ExprRef("datum.y - floor(datum.y) > 0.15 ? 'top' : 'bottom'")
_NAME = 310  # pixels a name may take: the plot of a phone 390 wide has some 340


@dataclass(frozen=True)
class Band:
    """Where one lane's values go: `low` sits on the band's floor or `foot` above it, `high` at BODY of its height."""

    lane: int
    lanes: int
    low: float
    high: float
    middle: float | None = None  # if given, this value sits halfway, and either half has a scale of its own
    foot: float = 0.0  # share of the band that is left free below `low`, for ticks along the axis

    @property
    def floor(self) -> float:
        """Height of the floor; lane A is the highest band."""
        return float(self.lanes - 1 - self.lane)

    @property
    def base(self) -> float:
        """Height at which `low` sits."""
        return self.floor + self.foot

    def place(self, values: np.ndarray | Sequence[float] | float) -> np.ndarray:
        """Values as heights in the view; nan stays nan, what lies outside is cut at the band's ends."""
        values = np.asarray(values, np.float64)
        if self.middle is None:
            share = _share(values, self.low, self.high)
        else:
            lower, upper = _share(values, self.low, self.middle), _share(values, self.middle, self.high)
            share = 0.5 * np.where(values < self.middle, lower, 1.0 + upper)
        height: np.ndarray = self.base + (BODY - self.foot) * np.clip(share, 0.0, 1.0)
        return height

    def head(self, label: str) -> dict[str, object]:
        """The rows that give the band its name, its extent and its lane's colour.

        An axis puts a label in the middle of its slot, so a band has four slots, and all but the highest are blank.
        """
        slot = _SLOTS * self.lane + np.arange(_SLOTS)
        words = [label, *("\u200b" * (int(k) + 1) for k in slot[1:])]  # zero-width spaces: no two slots are alike
        extent = {"floor": self.floor, "roof": self.floor + 1.0, "y": -slot}
        return {"kind": "head", "lane": theme.letter(self.lane), "text": words, **extent}

    def tick(self, value: float, text: str) -> dict[str, object]:
        """A thin line at a value, named at its left end."""
        return {"kind": "tick", "lane": theme.letter(self.lane), "y": float(self.place(value)), "text": text}


def _share(values: np.ndarray, low: float, high: float) -> np.ndarray:
    return (values - low) / (high - low) if high > low else np.where(np.isnan(values), np.nan, 0.0)


COLUMNS = ("kind", "lane", "text", "floor", "roof", "y")  # columns that head and tick need


def height_axis(field: str) -> alt.Y:
    """The common height of all bands: from the lowest floor to the highest roof, which the head rows hold."""
    return alt.Y(f"{field}:Q", scale=alt.Scale(zero=True, nice=False), axis=None)


def assemble(layers: Sequence[alt.Chart]) -> alt.LayerChart:
    """Names and colour bars of the bands around the layers, which share one height axis."""
    heads = alt.Chart().transform_filter("datum.kind === 'head'")
    axis = alt.Axis(
        title=None, orient="left", labelAlign="left", labelPadding=-12, labelLimit=_NAME, labelFontSize=FONT,
        ticks=False, domain=False, grid=False, zindex=1, labelOverlap=False,
    )  # fmt: skip
    order = alt.EncodingSortField("y", op="min", order="descending")
    scale = alt.Scale(type="point", padding=0.5)
    # A text mark would be black in the dark theme too; an axis takes the theme's colour, so the names are axis labels.
    names = heads.mark_point(opacity=0).encode(y=alt.Y("text:N", sort=order, scale=scale, axis=axis))
    chip = heads.transform_filter("isValid(datum.lane)").mark_bar(width=5, xOffset=3, align="left").encode(
        x=alt.value(0), y=height_axis("floor"), y2="roof:Q",
        fill=alt.Fill("lane:N", scale=theme.lane_scale(), legend=None),
    )  # fmt: skip
    ticks = alt.Chart().transform_filter("datum.kind === 'tick'")
    lines = ticks.mark_rule(color=theme.NEUTRAL, opacity=0.35).encode(y=height_axis("y"))
    words = ticks.mark_text(color=theme.NEUTRAL, align="left", fontSize=10, baseline=_BASELINE).encode(
        x=alt.value(12), y=height_axis("y"), text="text:N"
    )
    inner = alt.layer(lines, *layers, chip, words)
    chart: alt.LayerChart = alt.layer(names, inner).resolve_scale(y="independent")
    return chart


def sign_colour(positive: str, negative: str) -> alt.Color:
    """Colour by the field `sign`, which holds one of two words; the words of the legend say the pattern too."""
    return alt.Color(
        "sign:N",
        scale=alt.Scale(domain=[positive, negative], range=[theme.POSITIVE, theme.NEGATIVE]),
        legend=alt.Legend(
            title=None,
            orient="top",
            direction="horizontal",
            labelLimit=200,
            symbolOpacity=1,
            offset=4,
            labelFontSize=11,
        ),
    )
