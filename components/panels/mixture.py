"""The terms of a mixture over the steps: how long the gradient of each is, and where two of them cancel."""

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from components import theme
from components.panels.inputs import Given, summaries
from models.diagnostics.mixture import AGAINST, Course, course
from models.diagnostics.summary import Summary

TITLE = "Mixture"
HELP = (
    "Above: how hard each loss of a mixture, times its weight, pulls at the embeddings. Below: the cosine between two "
    "of these gradients; shaded where it is below 0, for there they cancel. Good: no loss drowns the others, and none "
    "works against another for long."
)
SPEC_OPTIONS = ()
NONE = "No lane is a mixture: add two or three losses as one lane with “Mix losses” to see how they work together."
UNMEASURED = "the gradient of each term is not measured where methods, two towers or targets change what the loss reads"
POINTS, ROWS = 60, 480  # most steps of a curve on the wire, and about how many rows all curves may have
_LENGTHS, _ANGLES = "lengths", "angles"
DASHES = ((1, 0), (6, 3), (2, 2), (8, 2, 2, 2), (4, 4), (1, 3))  # a pattern a term, and a pair of terms
_ROOF, _SPLIT, _HALF = 2.0, 1.14, 0.94  # the view: lengths from SPLIT to ROOF, cosines from 0 to HALF
_TOP = _ROOF + 0.14  # room for the words of the highest line
_ROOM = 1.3  # steps shown, of those trained: names stand to the right of the curves
_GAP = 0.11  # heights by which these names keep apart
_COLUMNS = ("kind", "lane", "label", "step", "until", "y", "roof", "value", "dash", "text")


@lru_cache
def spec() -> dict[str, Any]:
    """Vega-Lite without data."""
    x = alt.X("step:Q", title="training step", scale=alt.Scale(nice=False), axis=theme.axis(tickCount=5, grid=False))
    y = alt.Y("y:Q", scale=alt.Scale(domain=[0, _TOP], nice=False), axis=None)
    lane = alt.Stroke("lane:N", scale=theme.lane_scale(), legend=None)
    ink = alt.Color("lane:N", scale=theme.lane_scale(), legend=None)  # fill belongs to the legend
    names = [str(number) for number in range(len(DASHES))]
    dash = alt.StrokeDash("dash:N", scale=alt.Scale(domain=names, range=[list(dash) for dash in DASHES]), legend=None)
    tip = [
        alt.Tooltip("lane:N", title="lane"), alt.Tooltip("step:Q"), alt.Tooltip("text:N", title="gradient or cosine"),
        alt.Tooltip("value:Q", format=".3~g"),
    ]  # fmt: skip
    band = _of("band").mark_rect(opacity=0.18).encode(x=x, x2="until:Q", y=y, y2="roof:Q", color=ink)
    line = _of("curve").mark_line(strokeWidth=1.8, clip=True)
    curve = line.encode(x=x, y=y, stroke=lane, strokeDash=dash, detail="text:N")
    dots = _of("curve").mark_point(size=90, filled=True, opacity=0).encode(x=x, y=y, tooltip=tip)
    ends = _of("end").mark_text(align="left", baseline="middle", fontSize=11, dx=5).encode(x=x, y=y, color=ink)
    room = _of("room").mark_point(opacity=0).encode(x=x)
    layers = [*_rules(y), band, curve, dots, ends.encode(text="text:N"), room]
    return theme.freeze(alt.layer(*layers, theme.lane_legend()))


def _of(kind: str) -> alt.Chart:
    chart: alt.Chart = alt.Chart().transform_filter(f"datum.kind === '{kind}'")
    return chart


def _rules(y: alt.Y) -> list[alt.Chart]:
    """Thin lines at the ends of both scales and at the threshold, with their numbers at the left."""
    tick = _of("tick")
    line = tick.mark_rule(color=theme.NEUTRAL, opacity=0.35).encode(y=y)
    words = tick.mark_text(align="left", baseline="bottom", fontSize=10, color=theme.NEUTRAL, dy=-1, clip=True)
    return [line, words.encode(x=alt.value(2), y=y, text="text:N")]


def rows(given: Given, *, log: bool = False) -> pd.DataFrame:
    """Curves of at most POINTS steps, bands where terms cancel, ticks, and a name a lane.

    log: lengths on a logarithmic height, on which a length of 0 is left out.
    """
    lanes = summaries(given)
    courses = [course(lane) for lane in lanes]
    mixtures = [found for found in courses if found is not None]
    low, high = _range(mixtures, log)
    points = min(POINTS, ROWS // max(sum(len(found.names) + len(found.pairs) for found in mixtures), 1))
    parts = _ticks(low, high)
    ends: dict[str, list[dict[str, Any]]] = {}
    for index, (lane, found) in enumerate(zip(lanes, courses, strict=True)):
        parts.append({"kind": "name", "lane": theme.letter(index), "label": _name(index, lane, found)})
        if found is None or not len(found.step):
            continue
        shown = _thinned(found, max(points, 2))
        parts += _bands(theme.letter(index), shown)
        parts.append({"kind": "room", "step": max(float(found.step[-1]), 1.0) * _ROOM})
        for group, curves in _curves(theme.letter(index), shown, low, high, log).items():
            parts += curves
            ends.setdefault(group, []).extend(end for curve in curves if (end := _end(curve)) is not None)
    parts += [*_apart(ends.get(_LENGTHS, []), _SPLIT), *_apart(ends.get(_ANGLES, []), 0.0)]
    return theme.frame(parts, _COLUMNS)


def _name(index: int, lane: Summary, found: Course | None) -> str:
    name = theme.short(index, lane.label)
    if found is None:
        return f"{name} · no mixture"
    return name if len(found.step) else f"{name} · not measured"


def _range(courses: Sequence[Course], log: bool) -> tuple[float, float]:
    """Least and greatest length that the upper part shows."""
    every = np.concatenate([np.empty(0), *(found.norm.ravel() for found in courses)])
    usable = every[np.isfinite(every) & (every > 0)]
    if not len(usable):
        return (0.1, 1.0) if log else (0.0, 1.0)
    high = float(usable.max())
    return (min(float(usable.min()), high / 10), high) if log else (0.0, high)


def _ticks(low: float, high: float) -> list[dict[str, Any]]:
    heights = {
        f"gradient norm {theme.number(high)}": _ROOF,
        f"gradient norm {theme.number(low)}": _SPLIT,
        "cosine 1: they agree": _HALF,
        f"cosine {AGAINST:g}: below, they cancel": _HALF / 2,
        "cosine −1": 0.0,
    }
    return [{"kind": "tick", "y": height, "text": text} for text, height in heights.items()]


def _thinned(found: Course, points: int) -> Course:
    last = len(found.step) - 1
    kept = np.unique(np.linspace(0, last, min(points, last + 1)).round().astype(int))
    return Course(
        found.names, found.pairs, found.step[kept], found.norm[:, kept], found.cosine[:, kept], found.lost[kept]
    )


def _curves(letter: str, found: Course, low: float, high: float, log: bool) -> dict[str, list[dict[str, Any]]]:
    """A block a term, and a block a pair of terms; a pair is named by the numbers of its terms."""
    scaled = found.norm
    if log:
        scaled = np.log10(np.where(found.norm > 0, found.norm, np.nan))
        low, high = np.log10(low), np.log10(high)
    base = {"kind": "curve", "lane": letter, "step": found.step}
    dashes = [str(place % len(DASHES)) for place in range(max(len(found.names), len(found.pairs)))]
    heights = _SPLIT + (_ROOF - _SPLIT) * (scaled - low) / (high - low)
    lengths = [
        base | {"y": y, "value": norm, "dash": dash, "text": f"{number} {name}"}
        for number, (name, y, norm, dash) in enumerate(zip(found.names, heights, found.norm, dashes, strict=False), 1)
    ]
    angles = [
        base | {"y": _HALF * (1 + cosine) / 2, "value": cosine, "dash": dash, "text": f"{a + 1} with {b + 1}"}
        for ((a, b), cosine), dash in zip(_angles(found), dashes, strict=False)
    ]
    return {_LENGTHS: lengths, _ANGLES: angles}


def _end(curve: dict[str, Any]) -> dict[str, Any] | None:
    """The name of a curve at its last known height; None if it has none."""
    known = np.flatnonzero(np.isfinite(curve["y"]))
    if not len(known):
        return None
    height = float(curve["y"][known[-1]])
    return {"kind": "end", "lane": curve["lane"], "text": curve["text"], "step": float(curve["step"][-1]), "y": height}


def _apart(ends: Sequence[dict[str, Any]], floor: float) -> list[dict[str, Any]]:
    """The same names, those that would lie on each other moved up, and down again where they leave their part."""
    moved = sorted(ends, key=lambda end: float(end["y"]))
    for below, above in pairwise(moved):
        above["y"] = max(above["y"], below["y"] + _GAP)
    room = floor + _TOP - _SPLIT - _GAP / 2
    for end in reversed(moved):
        end["y"] = min(end["y"], room)
        room = end["y"] - _GAP
    return moved


def _bands(letter: str, found: Course) -> list[dict[str, Any]]:
    """Rectangles of the lower part where terms cancel, each from half a step before to half a step after."""
    inside = np.concatenate([[False], found.against, [False]])
    starts, stops = np.flatnonzero(inside[1:] & ~inside[:-1]), np.flatnonzero(~inside[1:] & inside[:-1])
    edges = np.concatenate([found.step[:1], (found.step[1:] + found.step[:-1]) / 2, found.step[-1:]])
    return [
        {
            "kind": "band", "lane": letter, "step": float(edges[start]), "until": float(edges[stop]), "y": 0.0,
            "roof": _HALF / 2,
        }
        for start, stop in zip(starts, stops, strict=True)
    ]  # fmt: skip


def mixed(given: Given) -> bool:
    """True if there is a mixture to draw."""
    return any(lane.mixture is not None for lane in summaries(given))


def sentence(given: Given) -> str:
    """What the picture shows, for those who do not see it."""
    lanes = summaries(given)
    if not lanes:
        return "Mixture: no lane yet."
    return " ".join(f"{theme.name(index, lane.label)}: {numbers(lane)}" for index, lane in enumerate(lanes))


def numbers(lane: Summary) -> str:
    """One sentence of numbers of one lane."""
    found = course(lane)
    if found is None:
        return "no mixture."
    if not len(found.step):
        return f"{UNMEASURED}."
    lengths = ", ".join(f"{name} {theme.number(norm[-1])}" for name, norm in zip(found.names, found.norm, strict=True))
    told = [f"{found.names[a]} and {found.names[b]} {_angle(c[-1])}" for (a, b), c in _angles(found)]
    against = int(found.against.sum())
    return (
        f"at step {int(found.step[-1])} gradient norms {lengths}; cosine of {', of '.join(told)}; "
        f"{theme.percent(float(found.lost[-1]))} of the gradient lost. "
        f"Below {AGAINST:g} at {against} of {theme.many(len(found.step), 'measured step')}."
    )


def _angles(found: Course) -> Sequence[tuple[tuple[int, int], np.ndarray]]:
    return list(zip(found.pairs, found.cosine, strict=True))


def _angle(cosine: float) -> str:
    if not np.isfinite(cosine):
        return "not defined (a weight is 0)"
    return f"{cosine:.2f} ({'they cancel' if cosine < AGAINST else 'they agree'})"


def table(given: Given) -> pd.DataFrame:
    """One row a lane, step and term or pair of terms."""
    blocks: list[dict[str, Any]] = []
    for index, lane in enumerate(summaries(given)):
        name, found = theme.name(index, lane.label), course(lane)
        if found is None or not len(found.step):
            blocks.append({"lane": name, "term": "no mixture" if found is None else "not measured"})
            continue
        for term, norm in zip(found.names, found.norm, strict=True):
            blocks.append({"lane": name, "step": found.step, "term": term, "gradient norm": norm})
        for (a, b), cosine in _angles(found):
            pair = f"{found.names[a]} and {found.names[b]}"
            blocks.append({"lane": name, "step": found.step, "term": pair, "cosine": cosine})
    return theme.frame(blocks, ("lane", "step", "term", "gradient norm", "cosine"))


def figure(given: Given, *, log: bool = False) -> alt.LayerChart:
    """The same picture as an Altair chart, for a notebook or a file."""
    return theme.thaw(spec(), rows(given, log=log))
