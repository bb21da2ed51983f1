"""A small chart on which a reader draws a curve with mouse, finger or keys, and later sees what was measured."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from math import isfinite
from pathlib import Path
from typing import Any

import streamlit as st

_NAME = "losslab.drawn_curve"
_GRAINS = 100  # heights between the lowest and the highest
_HERE = Path(__file__)


@dataclass(frozen=True)
class Frame:
    """The axes: training steps across, and heights from low to high of what `name` says, in `unit`."""

    name: str
    unit: str
    steps: tuple[int, ...]
    low: float
    high: float

    @property
    def grain(self) -> float:
        """The least difference of two heights."""
        return (self.high - self.low) / _GRAINS

    @property
    def middle(self) -> tuple[float, ...]:
        """The level line from which drawing begins."""
        return ((self.low + self.high) / 2,) * len(self.steps)


@dataclass(frozen=True)
class Found:
    """What was measured, a number a step: the mean over seeds, the ends of its interval, and one run more."""

    mean: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]
    here: Sequence[float] | None
    colour: str


@cache
def _component() -> Any:
    """Registered once: Streamlit warns of a second component of one name."""
    script, look = (_HERE.with_suffix(kind).read_text(encoding="utf-8") for kind in (".js", ".css"))
    return st.components.v2.component(_NAME, html='<div class="drawn-curve"></div>', css=look, js=script)


def draw(frame: Frame, values: Sequence[float], key: str, changed: Callable[[], None]) -> None:
    """The chart to draw on, as it stands. changed: called before the page is drawn again; `sent` tells the heights."""
    data = _data(frame, values, says=f"Draw {frame.name} over training steps") | {"open": True}
    _component()(key=key, data=data, on_values_change=changed)


def sent(frame: Frame, held: Any) -> tuple[float, ...] | None:
    """The heights that a browser sent, one a step and within the frame, from what is held under the chart's key."""
    values = (held or {}).get("values")
    if not isinstance(values, list) or len(values) != len(frame.steps):
        return None
    if not all(isinstance(value, int | float) and isfinite(value) for value in values):
        return None
    return tuple(min(max(float(value), frame.low), frame.high) for value in values)


def show(frame: Frame, values: Sequence[float] | None, found: Found | None, key: str) -> None:
    """What was drawn (None: nothing) and, once the run is shown, what was measured over it."""
    told = " and ".join(word for word, part in (("drawn", values), ("measured", found)) if part is not None)
    data = _data(frame, values, says=f"{frame.name} over training steps: {told}")
    if found is not None:
        data["measured"] = {"mean": list(found.mean), "low": list(found.low), "high": list(found.high)}
        data |= {"here": None if found.here is None else list(found.here), "ink": found.colour}
    _component()(key=key, data=data)


def _data(frame: Frame, values: Sequence[float] | None, says: str) -> dict[str, Any]:
    return {
        "name": frame.name, "unit": frame.unit, "steps": list(frame.steps), "low": frame.low, "high": frame.high,
        "grain": frame.grain, "drawn": None if values is None else list(values), "open": False, "says": says,
    }  # fmt: skip
