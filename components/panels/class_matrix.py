"""Classes against classes, a square a lane: how alike two classes are, or which one pulls and pushes which."""

from collections.abc import Sequence
from functools import lru_cache
from math import isfinite
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from components import theme
from components.panels.inputs import Given, summaries
from models.diagnostics.summary import ClassProfile, Summary

TITLE = "Class against class"
HELP = (
    "Classes of anchors in rows, of candidates in columns. Similarity: mean cosine of their pairs; good is a strong "
    "diagonal and nothing beside it. Gradient: the share of all gradient that a pair of classes carries, push in the "
    "colour of negatives, pull in that of positives: a dark cell beside the diagonal is a confusion being fought."
)
SPEC_OPTIONS = ("gradient",)
OPTIONS = ("gradient", "names")
WORDS = ("gradient", "names")
Names = Sequence[str]
CELL = "cell"  # name of the clicked cell in the chart's state; it tells lane, `at` (row) and `place` (column)
_COLUMNS = (
    "kind", "lane", "label", "x", "y", "left", "top", "wide", "high", "size", "row", "at", "cells", "shares", "columns",
)  # fmt: skip
_HEAD, _SIDE, _GAP = 0.09, 0.11, 0.02  # of the plot: a lane's name, names of rows, room between squares
_NAMED = 16  # classes up to which rows are named
_SHORT = 7  # letters of such a name


@lru_cache
def spec(*, gradient: bool = False) -> dict[str, Any]:
    """Vega-Lite without data. A row of the data is a row of a matrix, its cells one text: the browser parts them."""
    title = "share of gradient, %" if gradient else "mean cosine"
    quiet: dict[str, Any] = {"axis": None, "scale": alt.Scale(domain=[0, 1], nice=False)}
    cells = (
        alt.Chart()
        .transform_filter("datum.kind === 'row'")
        .transform_calculate(cell="split(datum.cells, ' ')")
        .transform_calculate(candidate="split(datum.columns, '|')")
        .transform_calculate(share="split(datum.shares, ' ')")
        .transform_calculate(place="sequence(0, datum.size)")
        .transform_flatten(["cell", "candidate", "share", "place"])
        .transform_filter("datum.cell !== '-'")
        .transform_calculate(value="toNumber(datum.cell)")
        .transform_calculate(tint="toNumber(datum.share)")
        .transform_calculate(x1="datum.left + datum.place * datum.wide / datum.size")
        .transform_calculate(x2="datum.x1 + datum.wide / datum.size")
        .transform_calculate(y2="datum.top - datum.high / datum.size")
    )
    colour = alt.Color(
        "tint:Q", legend=None, scale=alt.Scale(domain=[-1, 0, 1], range=_colours(gradient), interpolate="rgb")
    )
    clicked = alt.selection_point(name=CELL, fields=["lane", "at", "place"], empty=False)
    squares = cells.mark_rect(stroke=theme.NEUTRAL, cursor="pointer").add_params(clicked).encode(
        strokeWidth=alt.condition(clicked, alt.value(2.0), alt.value(0.15)),
        x=alt.X("x1:Q", **quiet), x2="x2:Q", y=alt.Y("top:Q", **quiet), y2="y2:Q", color=colour,
        tooltip=[
            alt.Tooltip("lane:N", title="lane"), alt.Tooltip("row:N", title="anchors"),
            alt.Tooltip("candidate:N", title="candidates"), alt.Tooltip("value:Q", title=title, format=".3~g"),
        ],
    )  # fmt: skip
    place = {"x": alt.X("x:Q", **quiet), "y": alt.Y("y:Q", **quiet), "text": "label:N"}
    names = (
        alt.Chart().transform_filter("datum.kind === 'tick'").mark_text(align="right", fontSize=9, color=theme.NEUTRAL)
    )
    heads = alt.Chart().transform_filter("datum.kind === 'name'").mark_text(align="left", baseline="top", fontSize=11)
    lane = alt.Color("lane:N", scale=theme.lane_scale(), legend=None)
    layered = alt.layer(squares, names.encode(**place), heads.encode(**place, color=lane))
    return theme.freeze(layered.resolve_scale(color="independent"))


def _colours(gradient: bool) -> list[str]:
    """Pull, nothing, push; of similarities, opposite, unlike and alike: alike is what positives should be."""
    middle = "rgba(120,123,130,0.06)"
    ends = (theme.POSITIVE, theme.NEGATIVE) if gradient else (theme.NEGATIVE, theme.POSITIVE)
    return [ends[0], middle, ends[1]]


def rows(given: Given, *, gradient: bool = False, names: Names = ()) -> pd.DataFrame:
    """One row for each lane's name and each row of its matrix; the matrices stand two abreast."""
    lanes = summaries(given)
    parts: list[dict[str, Any]] = []
    for index, lane in enumerate(lanes):
        left, top, wide, high = _slot(index, len(lanes))
        words = _label(index, lane, gradient, 26 if len(lanes) > 1 else 48)
        parts.append({"kind": "name", "lane": theme.letter(index), "label": words, "x": left, "y": top})
        found = shown(lane, gradient)
        if found is not None and lane.classes is not None:
            place = (left + _SIDE * wide, top - _HEAD, wide * (1 - _SIDE), high - _HEAD)
            parts += _matrix(theme.letter(index), lane.classes, found, place, names)
    return theme.frame(parts, _COLUMNS)


def _slot(index: int, lanes: int) -> tuple[float, float, float, float]:
    """Left, top, width and height of a lane's part of the plot, in shares of it; top counts from below."""
    abreast, deep = min(lanes, 2), (lanes + 1) // 2
    wide, high = 1 / abreast, 1 / deep
    row, column = divmod(index, 2)
    return column * wide, 1 - row * high, wide - _GAP, high - _GAP


def _matrix(
    lane: str, profile: ClassProfile, value: np.ndarray, place: tuple[float, float, float, float], names: Names
) -> list[dict[str, Any]]:
    """The rows of one matrix, and their names where there is room."""
    left, top, wide, high = place
    size, reach = len(profile.label), _reach(value)
    called = [class_name(int(label), names) for label in profile.label]
    columns = "|".join(one.replace("|", "/") for one in called)
    parts: list[dict[str, Any]] = []
    for at in range(size):
        y = top - at * high / size
        parts.append({
            "kind": "row", "lane": lane, "left": left, "top": y, "wide": wide, "high": high, "size": float(size),
            "row": called[at], "at": float(at), "cells": _text(value[at], 3), "shares": _text(value[at] / reach, 2),
            "columns": columns,
        })  # fmt: skip
        if size <= _NAMED:
            middle = y - high / size / 2
            parts.append({"kind": "tick", "lane": lane, "label": called[at][:_SHORT], "x": left - 0.008, "y": middle})
    return parts


def _text(cells: np.ndarray, digits: int) -> str:
    return " ".join(f"{value:.{digits}g}" if isfinite(value) else "-" for value in cells)


def _reach(value: np.ndarray) -> float:
    """End of the colour scale of a lane: its largest cell of either sign."""
    known = np.abs(value[np.isfinite(value)])
    return float(known.max()) if known.size and known.max() > 0 else 1.0


def shown(summary: Summary, gradient: bool) -> np.ndarray | None:
    """(c, c) mean cosines; or push less pull, in percent of all gradient. None where there are none."""
    found = summary.classes
    if found is None:
        return None
    if not gradient:
        return found.similarity
    return 100 * (found.push - found.pull) if found.push.size else None


def why_not(summary: Summary, gradient: bool) -> str:
    """Why a lane has no matrix."""
    if summary.classes is None:
        return "not recorded: press Play to train it live"
    return summary.why_no_weight.rstrip(".") or "no gradient of pairs"


def class_name(label: int, names: Names) -> str:
    """What a class is called; the last row of many classes is `other`."""
    if label < 0:
        return "other"
    return names[label] if label < len(names) and names[label] else str(label)


def _label(index: int, lane: Summary, gradient: bool, limit: int) -> str:
    if shown(lane, gradient) is None:
        return f"{theme.letter(index)} · {'no gradient of pairs' if lane.classes is not None else 'not recorded'}"
    return theme.short(index, lane.label, limit)


def sentence(given: Given, *, gradient: bool = False, names: Names = ()) -> str:
    """Who is like whom, or who pushes whom, a sentence a lane."""
    lanes = summaries(given)
    if not lanes:
        return "Class against class: no lane yet."
    return " ".join(
        f"{theme.name(index, lane.label)}: {numbers(lane, gradient=gradient, names=names)}"
        for index, lane in enumerate(lanes)
    )


def numbers(summary: Summary, *, gradient: bool = False, names: Names = ()) -> str:
    """The cell that matters most: the two classes most alike, or the heaviest push beside the diagonal."""
    value, profile = shown(summary, gradient), summary.classes
    if value is None or profile is None:
        return f"{why_not(summary, gradient)}."
    apart = np.where(np.eye(len(value), dtype=bool), np.nan, profile.push if gradient else value)
    if not np.isfinite(apart).any() or (gradient and not np.nanmax(apart) > 0):
        return "no class pushes another." if gradient else "fewer than two classes have pairs."
    row, column = (int(at) for at in np.unravel_index(np.nanargmax(apart), apart.shape))
    one, other = (class_name(int(profile.label[at]), names) for at in (row, column))
    if gradient:
        every = float(profile.push.sum())
        return (
            f"{one} pushes {other} hardest, with {theme.percent(apart[row, column] / every, 1)} of all push "
            f"(mean cosine {profile.similarity[row, column]:.2f})."
        )
    inside = profile.similarity.diagonal()
    mean = float(np.nanmean(inside)) if np.isfinite(inside).any() else float("nan")
    return (
        f"{one} and {other} are the most alike of two classes (mean cosine {apart[row, column]:.2f}; "
        f"within a class {theme.number(mean, 2)})."
    )


def table(given: Given, *, gradient: bool = False, names: Names = ()) -> pd.DataFrame:
    """One row for each two classes of each lane that has a matrix; a lane without has one row that says why."""
    blocks: list[dict[str, Any]] = []
    for index, lane in enumerate(summaries(given)):
        found = lane.classes
        block: dict[str, Any] = {"lane": theme.name(index, lane.label)}
        if found is None:
            blocks.append({**block, "anchors": why_not(lane, gradient)})
            continue
        called = np.array([class_name(int(label), names) for label in found.label], dtype=object)
        block |= {"anchors": np.repeat(called, len(called)), "candidates": np.tile(called, len(called))}
        block |= {"pairs": found.count.ravel(), "mean cosine": found.similarity.ravel()}
        for title, share in (("pull (% of gradient)", found.pull), ("push (% of gradient)", found.push)):
            block[title] = 100 * share.ravel() if share.size else np.full(found.count.size, np.nan)
        blocks.append(block)
    return theme.frame(
        blocks,
        ("lane", "anchors", "candidates", "pairs", "mean cosine", "pull (% of gradient)", "push (% of gradient)"),
    )


def figure(given: Given, *, gradient: bool = False, names: Names = ()) -> alt.LayerChart:
    """The same picture as an Altair chart, for a notebook or a file."""
    return theme.thaw(spec(gradient=gradient), rows(given, gradient=gradient, names=names))
