"""Controls made from knobs: a loss knows no slider."""

from collections.abc import Callable
from math import log10

import streamlit as st

from models.spec import Knob, Value

_TICKS = 41  # stops of a logarithmic slider


def knob_widget(knob: Knob, value: Value, key: str, on_change: Callable[[], None] | None = None) -> Value:
    """Draw the control that fits the knob and return its value; it can only give values that the knob allows."""
    words = knob.name.replace("_", " ")
    label = words[:1].upper() + words[1:] + (f" ({knob.unit})" if knob.unit else "")
    if knob.choices == (True, False) or knob.choices == (False, True):
        return st.toggle(label, value=bool(value), key=key, help=knob.help or None, on_change=on_change)
    if knob.choices:
        index = knob.choices.index(value)
        chosen: Value = st.selectbox(
            label, knob.choices, index=index, key=key, help=knob.help or None, on_change=on_change
        )
        return chosen
    if knob.log or (knob.whole and float(knob.high or 0) > 300):
        stops = _stops(knob, value)
        picked: Value = st.select_slider(
            label, stops, value=value, format_func=_text, key=key, help=knob.help or None, on_change=on_change
        )
        return picked
    low, high = float(knob.low or 0), float(knob.high or 0)
    if knob.whole:
        return int(
            st.slider(label, int(low), int(high), int(value), key=key, help=knob.help or None, on_change=on_change)
        )
    step = 10.0 ** (round(log10(high - low)) - 2)
    return float(
        st.slider(label, low, high, float(value), step=step, key=key, help=knob.help or None, on_change=on_change)
    )


def _stops(knob: Knob, value: Value) -> list[Value]:
    """Geometric stops of two significant digits between the bounds, the present value and the default among them."""
    low, high = float(knob.low or 0), float(knob.high or 1)
    start = max(low, 1.0 if knob.whole else high * 1e-6)
    grid = [start * (high / start) ** (k / (_TICKS - 1)) for k in range(_TICKS)]
    rounded = {float(f"{stop:.2g}") for stop in grid} | {low, high, float(value), float(knob.default)}
    inside = sorted(stop for stop in rounded if low <= stop <= high)
    return sorted({int(stop) for stop in inside}) if knob.whole else list(inside)


def _text(value: Value) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
