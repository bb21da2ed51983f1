"""The small picture on a loss's card: the weight of one positive and one negative against their score, as SVG."""

import base64
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from components import theme

WIDTH, HEIGHT = 220, 84  # pixels
_PAD = 6


def picture(curve: Mapping[str, Any], name: str) -> str:
    """HTML of `svg` as an image: Streamlit takes SVG elements out of HTML, and lets images stand. Empty without one."""
    drawn = svg(curve)
    if not drawn:
        return ""
    data = base64.b64encode(drawn.encode()).decode()
    alt = escape(f"Weight curve of {name}: {_words(curve)}")
    return f'<img src="data:image/svg+xml;base64,{data}" alt="{alt}" width="{WIDTH}" height="{HEIGHT}">'


def svg(curve: Mapping[str, Any]) -> str:
    """SVG of a curve (`grid`, `pull`, `push`, `axis`): push above the middle line, dashed, pull below it.

    Weights are in units of the larger side. An empty text if there is no curve.
    """
    grid = curve["grid"]
    if not grid:
        return ""
    middle = HEIGHT / 2
    dash = ",".join(str(part) for part in theme.DASH)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}">'
        f'<line x1="0" x2="{WIDTH}" y1="{middle}" y2="{middle}" stroke="{theme.NEUTRAL}" stroke-width="1" />'
        f'<polyline fill="none" stroke="{theme.POSITIVE}" stroke-width="2.5" points="{_points(grid, curve["pull"])}" />'
        f'<polyline fill="none" stroke="{theme.NEGATIVE}" stroke-width="2.5" stroke-dasharray="{dash}" '
        f'points="{_points(grid, curve["push"])}" /></svg>'
    )


def _points(grid: Sequence[float], weight: Sequence[float]) -> str:
    low, high = grid[0], grid[-1]
    across, reach = WIDTH - 2 * _PAD, HEIGHT / 2 - _PAD
    places = [
        (_PAD + across * (x - low) / (high - low), HEIGHT / 2 - reach * w) for x, w in zip(grid, weight, strict=True)
    ]
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in places)


def _words(curve: Mapping[str, Any]) -> str:
    """Both ends of both sides."""
    at = "cosine" if curve["axis"] == "cosine" else "logit"
    ends = f"at {at} {curve['grid'][0]:g} and {curve['grid'][-1]:g}"
    pull, push = curve["pull"], curve["push"]
    return f"positive {pull[0]:.2f} and {pull[-1]:.2f}, negative {push[0]:.2f} and {push[-1]:.2f} {ends}"
