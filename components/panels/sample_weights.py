"""What the loss does to every item: the length of its gradient at the logits, against its margin, a band a lane."""

from functools import lru_cache
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from components import theme
from components.panels import bands, margin_axis
from components.panels.inputs import Given, summaries
from models.diagnostics.summary import MarginProfile, Summary

TITLE = "Weight of each item"
HELP = (
    "How hard the loss pulls an item's logits towards its own class (below 0: away from it), by its margin. Left of 0 "
    "are items decided wrong. Band: the middle 80 %; dots: single items; thin line: theory, for the item of median "
    "margin. Good: wrong items weigh more than right ones, unless their labels are wrong."
)
SPEC_OPTIONS = ("residual", "own")
OPTIONS = SPEC_OPTIONS
WORDS = ("residual",)
DOTS = 40  # items of a lane on the wire
CURVE = 25  # points of the theoretical curve on the wire
_SIDES = ("right", "wrong")
_VALUES = tuple(f"{side}{end}" for side in _SIDES for end in ("", "_lo", "_hi"))
_COLUMNS = (*bands.COLUMNS, "x", *_VALUES, "theory", "margin", "weight")


@lru_cache
def spec(*, residual: bool = False, own: bool = False) -> dict[str, Any]:
    """Vega-Lite without data; every band has its own scale of weights, named at its lines."""
    title, right, wrong = margin_axis.words(residual, own)
    title = f"{title} · thin: theory"
    x, colour = margin_axis.axis(title), bands.sign_colour(right, wrong)
    layers: list[alt.Chart] = []
    for side, word, dash in ((_SIDES[0], right, [1, 0]), (_SIDES[1], wrong, list(theme.DASH))):
        bins = _of("bin").transform_calculate(sign=f"'{word}'")
        spread = bins.mark_area(opacity=0.2).encode(
            x=x, y=bands.height_axis(f"{side}_lo"), y2=f"{side}_hi:Q", color=colour, detail="lane:N"
        )
        mean = bins.mark_line(strokeWidth=2.2, strokeDash=dash).encode(
            x=x, y=bands.height_axis(side), color=colour, detail="lane:N"
        )
        layers += [spread, mean, _dots(side, word, residual, (x, colour))]
    theory = _of("theory").mark_line(strokeWidth=1, color=theme.NEUTRAL)
    curve = theory.encode(x=x, y=bands.height_axis("theory"), detail="lane:N")
    return theme.freeze(bands.assemble([curve, *layers, *margin_axis.frame_layers(x, title)]))


def _of(kind: str) -> alt.Chart:
    chart: alt.Chart = alt.Chart().transform_filter(f"datum.kind === '{kind}'")
    return chart


def _dots(side: str, word: str, residual: bool, channels: tuple[alt.X, alt.Color]) -> alt.Chart:
    """Single items: decided right filled, decided wrong open."""
    x, colour = channels
    tip = [
        alt.Tooltip("lane:N", title="lane"), alt.Tooltip("sign:N", title="item"),
        alt.Tooltip("margin:Q", title=margin_axis.quantity(residual), format=".3~g"),
        alt.Tooltip("weight:Q", format=".3~g"),
    ]  # fmt: skip
    items = _of(f"dot {side}").transform_calculate(sign=f"'{word}'")
    marks = items.mark_point(filled=side == _SIDES[0], size=14, opacity=0.8)
    chart: alt.Chart = marks.encode(x=x, y=bands.height_axis("y"), color=colour, tooltip=tip)
    return chart


def rows(given: Given, *, residual: bool = False, own: bool = False) -> pd.DataFrame:
    """Bins, theory, dots, names and the ends of the axis; weights as heights in the view, single items as numbers."""
    lanes = summaries(given)
    profiles = [margin_axis.shown(lane, residual) for lane in lanes]
    scale = margin_axis.scale([[profile] for profile in profiles], own)
    parts: list[dict[str, Any]] = [margin_axis.frame(scale)] if lanes else []
    for index, (lane, profile) in enumerate(zip(lanes, profiles, strict=True)):
        low, high = extent(profile)
        band = bands.Band(index, len(lanes), low, high)
        parts.append(band.head(_label(index, lane, residual) + scale.label(index, own and profile is not None)))
        if profile is not None:
            parts += [band.tick(at, theme.number(at, 2)) for at in sorted({low, 0.0, high})]
            parts += _profile(band, profile, scale)
    return theme.frame(parts, _COLUMNS)


def _profile(band: bands.Band, profile: MarginProfile, scale: margin_axis.Scale) -> list[dict[str, Any]]:
    letter, centre, unit = theme.letter(band.lane), margin_axis.centres(profile), scale.unit[band.lane]
    known = np.isfinite(profile.weight)
    columns: dict[str, np.ndarray] = {}
    for side, mask in ((_SIDES[0], centre > 0), (_SIDES[1], centre < 0)):
        for end, values in (("", profile.weight), ("_lo", profile.weight_low), ("_hi", profile.weight_high)):
            columns[f"{side}{end}"] = band.place(np.where(mask, values, np.nan)[known])
    parts: list[dict[str, Any]] = [{"kind": "bin", "lane": letter, "x": centre[known] / unit, **columns}]
    on_axis = np.flatnonzero((profile.grid / unit >= scale.low) & (profile.grid / unit <= scale.high))
    if len(on_axis):
        kept = on_axis[_spaced(len(on_axis), CURVE)]
        theory = _inside(band, profile.curve[kept])
        parts.append({"kind": "theory", "lane": letter, "x": profile.grid[kept] / unit, "theory": theory})
    dots = _spaced(len(profile.dot_margin), DOTS)
    margin, weight = profile.dot_margin[dots], profile.dot_weight[dots]
    for side, mask in ((_SIDES[0], margin >= 0), (_SIDES[1], margin < 0)):
        chosen = {
            "x": margin[mask] / unit,
            "margin": margin[mask],
            "y": _inside(band, weight[mask]),
            "weight": weight[mask],
        }
        parts.append({"kind": f"dot {side}", "lane": letter, **chosen})
    return parts


def _inside(band: bands.Band, values: np.ndarray) -> np.ndarray:
    """Heights of what the band can hold; what lies outside is left out, not drawn along its edge."""
    return band.place(np.where((values >= band.low) & (values <= band.high), values, np.nan))


def _spaced(length: int, most: int) -> np.ndarray:
    return np.unique(np.linspace(0, max(length - 1, 0), most).round().astype(int))[: max(length, 0)]


def extent(profile: MarginProfile | None) -> tuple[float, float]:
    """Lowest (0 or below) and highest (above 0) weight of bins, quantiles and dots; (0, 1) where nothing is known."""
    if profile is None:
        return 0.0, 1.0
    values = np.concatenate([profile.weight, profile.weight_low, profile.weight_high, profile.dot_weight])
    values = values[np.isfinite(values)]
    low, high = float(values.min(initial=0.0)), float(values.max(initial=0.0))
    return low, high if high > 0 else (-low or 1.0)


def _label(index: int, lane: Summary, residual: bool) -> str:
    found = margin_axis.shown(lane, residual)
    if found is None:
        return f"{theme.letter(index)} · {margin_axis.why_not(lane, residual)}"
    matter = f"{theme.number(found.effective)} of {found.entries} matter"
    return f"{theme.short(index, lane.label, 28)} · {matter}"


def numbers(summary: Summary, *, residual: bool = False) -> tuple[str, str]:
    """Two sentences on who carries the gradient and how many entries matter; the first says why where there is none."""
    found = margin_axis.shown(summary, residual)
    if found is None:
        why = margin_axis.why_not(summary, residual)
        return f"{why[0].upper()}{why[1:]}.", ""
    if not np.isfinite(found.effective):
        return "No item has a gradient.", ""
    hardest = "largest residuals" if residual else "lowest margins"
    return (
        f"The hardest 1 % ({hardest}) carry {theme.percent(found.hardest_share, 1)} of the gradient.",
        f"{theme.number(found.effective)} of {found.entries} {margin_axis.entry(found)} matter.",
    )


def sentence(given: Given, *, residual: bool = False) -> str:
    """What the picture shows, for those who do not see it."""
    lanes = summaries(given)
    if not lanes:
        return "Weight of each item: no lane yet."
    return " ".join(
        f"{theme.name(index, lane.label)}: {' '.join(part for part in numbers(lane, residual=residual) if part)}"
        for index, lane in enumerate(lanes)
    )


def table(given: Given, *, residual: bool = False) -> pd.DataFrame:
    """One row a lane."""
    return theme.finite(pd.DataFrame([_row(index, lane, residual) for index, lane in enumerate(summaries(given))]))


def _row(index: int, lane: Summary, residual: bool) -> dict[str, Any]:
    names = ("gradient of the hardest 1 % (share)", "effective number", "counted", "away from own class (share)", "of")
    row: dict[str, Any] = {"lane": theme.name(index, lane.label), "step": lane.step}
    found = margin_axis.shown(lane, residual)
    if found is None:
        return {**row, **dict.fromkeys(names), "of": margin_axis.why_not(lane, residual)}
    away = float((found.dot_weight < 0).mean()) if len(found.dot_weight) else float("nan")
    values = (found.hardest_share, found.effective, found.entries, away, margin_axis.entry(found))
    return {**row, **dict(zip(names, values, strict=True))}


def figure(given: Given, **options: bool) -> alt.LayerChart:
    """The same picture as an Altair chart, for a notebook or a file."""
    return theme.thaw(spec(**options), rows(given, **options))
