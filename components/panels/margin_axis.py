"""What the pictures of margins share: which lanes have one, where the axis ends, and the words for it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import numpy as np

from components import theme
from models.diagnostics.summary import BINS, MarginProfile, Summary

NUMBERS = "real"  # kind of a profile whose margins are residuals
_DEEPEST = 8  # the lower half of the axis is at least this part of the upper one
_UNEVEN = 8  # times the reach of another lane: on its axis the other has 8 of 64 bins
RIGHT, WRONG = "decided right (filled)", "decided wrong (dashed)"
HIGH, LOW = "predicted too high (filled)", "predicted too low (dashed)"
MARGIN = "margin: logits in favour of the truth"
RESIDUAL = "residual: prediction − target"
OWN = ", in units of each lane"
Names = Sequence[str]


def words(residual: bool, own: bool) -> tuple[str, str, str]:
    """Title of the axis, and what lies right and left of 0."""
    title, right, left = (RESIDUAL, HIGH, LOW) if residual else (MARGIN, RIGHT, WRONG)
    return f"{title}{OWN if own else ''}", right, left


def quantity(residual: bool) -> str:
    """What stands on the axis, in a word."""
    return "residual" if residual else "margin"


def shown(summary: Summary, residual: bool) -> MarginProfile | None:
    """The profile of a lane on this axis; None where it has none."""
    found = summary.margins
    return found if found is not None and (found.kind == NUMBERS) == residual else None


def why_not(summary: Summary, residual: bool) -> str:
    """Why a lane is not on this axis, in a few words."""
    if summary.margins is None:
        return f"no {quantity(residual)}: reads no logits (menu ⋯: cosine)"
    return "predicts no number (menu ⋯: margin)" if residual else "predicts a number (menu ⋯: residual)"


def edges(profile: MarginProfile) -> np.ndarray:
    """Edges of a profile's bins, (BINS + 1,)."""
    return np.linspace(-profile.reach, profile.reach, BINS + 1)


def centres(profile: MarginProfile) -> np.ndarray:
    """Middles of a profile's bins, (BINS,)."""
    ends = edges(profile)
    middles: np.ndarray = (ends[1:] + ends[:-1]) / 2
    return middles


@dataclass(frozen=True)
class Scale:
    """Where the axis ends, and the margin that is 1 on it for each lane: 1 where all lanes share the axis."""

    low: float
    high: float
    unit: tuple[float, ...]  # by lane

    def label(self, lane: int, own: bool) -> str:
        """The unit of a lane's axis, for its name in the picture."""
        return f" · 1 = {theme.number(self.unit[lane])}" if own else ""


def uneven(shown_by_lane: Sequence[MarginProfile | None]) -> bool:
    """True if on one axis some lane would fill a few bins only."""
    reach = [profile.reach for profile in shown_by_lane if profile is not None]
    return len(reach) > 1 and max(reach) >= _UNEVEN * min(reach)


def scale(lanes: Sequence[Sequence[MarginProfile | None]], own: bool) -> Scale:
    """The common axis of the profiles that each lane draws; own: each lane's longer end is at 1 or -1."""
    found = [_ends([profile for profile in drawn if profile is not None]) for drawn in lanes]
    unit = tuple(max(-low, high) if own else 1.0 for low, high in found)
    some = [(low / u, high / u) for (low, high), u, drawn in zip(found, unit, lanes, strict=True) if any(drawn)]
    if not some:
        return Scale(-1.0, 1.0, unit)
    return Scale(min(low for low, _ in some), max(high for _, high in some), unit)


def _ends(profiles: Sequence[MarginProfile]) -> tuple[float, float]:
    """Lowest and highest margin: powers of two, so that the axis does not change at every tick."""
    low = max((-_outermost(profile, lower=True) for profile in profiles), default=0.0)
    high = max((_outermost(profile, lower=False) for profile in profiles), default=0.0)
    largest = max(low, high)
    if largest == 0.0:
        return -1.0, 1.0
    return -_power(max(low, largest / _DEEPEST)), _power(max(high, largest / _DEEPEST))


def _outermost(profile: MarginProfile, *, lower: bool) -> float:
    """The outer edge of the last occupied bin on one side; 0 where that side is empty."""
    filled = np.flatnonzero(profile.count.sum(axis=0))
    half = BINS // 2
    filled = filled[filled < half] if lower else filled[filled >= half]
    if len(filled) == 0:
        return 0.0
    return float(edges(profile)[filled[0] if lower else filled[-1] + 1])


def _power(value: float) -> float:
    return float(2.0 ** np.ceil(np.log2(value)))


def axis(title: str) -> alt.X:
    """The common axis; its ends come with the rows of kind `ends`, so that the spec stays."""
    return alt.X("x:Q", title=title, scale=alt.Scale(nice=False, zero=True), axis=theme.axis(tickCount=6, grid=False))


def frame(ends: Scale) -> dict[str, Any]:
    """Rows that hold the axis open from end to end."""
    return {"kind": "ends", "x": np.array([ends.low, ends.high])}


def frame_layers(x: alt.X, title: str) -> list[alt.Chart]:
    """The line of decision at 0, and invisible marks at both ends of the axis."""
    ends_of = alt.Chart().transform_filter("datum.kind === 'ends'")
    zero = ends_of.transform_calculate(zero="0").mark_rule(color=theme.NEUTRAL, strokeWidth=1, opacity=0.6)
    return [ends_of.mark_point(opacity=0).encode(x=x), zero.encode(x=alt.X("zero:Q", title=title))]


def group_name(profile: MarginProfile, group: int, names: Names) -> str:
    """A class by name where it has one, a label by number."""
    if profile.kind == "multilabel":
        return f"label {group}"
    return str(names[group]) if 0 <= group < len(names) else f"class {group}"


def entry(profile: MarginProfile) -> str:
    """What is counted, in the plural."""
    return "pairs of item and label" if profile.kind == "multilabel" else "items"
