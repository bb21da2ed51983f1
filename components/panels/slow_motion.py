"""One training step in five phases: drawn, embedded, scored, weighed, moved."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from components import theme
from models.diagnostics.slow_step import Places, SlowStep, places

TITLE = "Slow motion"
PHASES = ("drawn", "embedded", "scored", "weighed", "moved")
HELP = (
    "One real training step, phase by phase: the batch is drawn, the encoder places it, every pair gets a score, the "
    "loss gives every score a weight, and the optimiser moves all of it. Good: likes pull, unlikes push."
)
Names = Sequence[str]
_ARROW = 0.25  # of the picture's reach: the longest arrow


def figure(step: SlowStep, phase: str, names: Names = ()) -> go.Figure:
    """The picture of a phase but the first, which is the items themselves; an empty one where there is nothing."""
    if phase not in PHASES[1:]:
        raise ValueError(f"a picture is of one of {', '.join(PHASES[1:])}, got {phase!r}")
    if phase == "scored":
        fig = _matrix(step, step.s, 1.0, ("-1", "0", "1"), names)
    elif phase == "weighed":
        known = None if step.weight is None else float(np.abs(step.weight).max())
        fig = _matrix(step, step.weight, known or 1.0, ("pull", "0", "push"), names)
    else:
        fig = _map(step, places(step), names, moved=phase == "moved")
    return fig.update_layout(
        height=theme.HEIGHT + 60, margin={"l": 10, "r": 10, "t": 10, "b": 10}, paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)", legend={"orientation": "h", "y": -0.02},
    )  # fmt: skip


def _called(step: SlowStep, names: Names) -> list[str]:
    return [names[label] if label < len(names) and names[label] else str(label) for label in step.y.tolist()]


def _order(step: SlowStep, count: int) -> np.ndarray:
    """Rows of a matrix by class, so that classes are blocks."""
    order: np.ndarray = np.argsort(step.y[:count], kind="stable")
    return order


def _matrix(
    step: SlowStep, value: np.ndarray | None, reach: float, ticks: tuple[str, str, str], names: Names
) -> go.Figure:
    """Rows and, where they are the same items, columns by class. A pair that counts as neither kind is left blank."""
    fig = go.Figure()
    if value is None or step.pos is None or step.neg is None:
        return fig
    rows = _order(step, len(value))
    columns = rows if value.shape[0] == value.shape[1] else np.arange(value.shape[1])
    square, called = np.ix_(rows, columns), np.array(_called(step, names), dtype=object)
    shown = np.where(step.pos | step.neg, value, np.nan)[square]
    kind = np.where(step.pos, "positive", np.where(step.neg, "negative", "neither"))[square]
    # Scores: alike is the colour of positives. Weights: pull is.
    flip = ticks[0] != "pull"
    stops = [[1 - at, colour] for at, colour in reversed(theme.DIVERGING)] if flip else list(map(list, theme.DIVERGING))
    fig.add_heatmap(
        z=shown, customdata=kind, zmin=-reach, zmax=reach, colorscale=stops, hoverongaps=False,
        colorbar={"thickness": 8, "len": 0.8, "tickvals": [-reach, 0, reach], "ticktext": list(ticks)},
        hovertemplate="row %{y}, column %{x}, %{customdata}: %{z:.3g}<extra></extra>",
    )  # fmt: skip
    starts = [at for at in range(len(rows)) if at == 0 or step.y[rows[at]] != step.y[rows[at - 1]]]
    fig.update_yaxes(autorange="reversed", tickvals=starts, ticktext=called[rows[starts]].tolist(), showgrid=False)
    return fig.update_xaxes(
        showticklabels=False, showgrid=False, title="the same rows" if columns is rows else "outputs"
    )


def _map(step: SlowStep, where: Places, names: Names, *, moved: bool) -> go.Figure:
    """Points by class; after the step, arrows of pull and push from the old places and the new places filled."""
    fig, called = go.Figure(), np.array(_called(step, names), dtype=object)
    if where.kind != "PCA":
        turn = np.linspace(0, 2 * np.pi, 91)
        fig.add_scatter(
            x=np.cos(turn), y=np.sin(turn), mode="lines", line={"color": theme.NEUTRAL, "width": 1}, hoverinfo="skip",
            showlegend=False,
        )  # fmt: skip
    if moved:
        _arrows(fig, where)
    for at, label in enumerate(np.unique(step.y)):
        mine = step.y == label
        place = (where.after if moved else where.before)[mine]
        colour = theme.CLASSES[at % len(theme.CLASSES)]
        fig.add_scatter(
            x=place[:, 0], y=place[:, 1], mode="markers", name=str(called[mine][0]), text=called[mine],
            marker={"color": colour, "size": 8}, hovertemplate="%{text}<extra></extra>",
        )  # fmt: skip
    fig.update_yaxes(scaleanchor="x", showticklabels=False, showgrid=False, zeroline=False)
    return fig.update_xaxes(showticklabels=False, showgrid=False, zeroline=False)


def _arrows(fig: go.Figure, where: Places) -> None:
    """Pull solid and push dashed from where a row was; a thin line leads on to where the step took it."""
    reach = float(np.abs(where.before).max(initial=0.0)) or 1.0
    styles: list[tuple[str, Any, Any]] = [("way of the step", where.after - where.before, {"color": theme.NEUTRAL})]
    if where.pull is not None and where.push is not None:
        long = _ARROW * reach
        styles += [
            ("pull", long * where.pull, {"color": theme.POSITIVE, "width": 2}),
            ("push", long * where.push, {"color": theme.NEGATIVE, "width": 2, "dash": "dash"}),
        ]
    for name, arrow, line in styles:
        ends = np.stack([where.before, where.before + arrow, np.full(arrow.shape, np.nan)], axis=1).reshape(-1, 2)
        tip = {"symbol": "arrow", "size": 7, "angleref": "previous"}
        mode = "lines+markers" if name != "way of the step" else "lines"
        fig.add_scatter(x=ends[:, 0], y=ends[:, 1], mode=mode, line=line, marker=tip, name=name, hoverinfo="skip")


def sentence(step: SlowStep, phase: str, names: Names = ()) -> str:
    """What a phase shows, with its numbers."""
    if phase == "drawn":
        classes = theme.many(len(np.unique(step.y)), "class", "classes")
        return f"Step {step.step + 1} draws {step.rows} rows; {len(step.item)} of them are shown, of {classes}."
    if phase in ("embedded", "moved"):
        return _told_map(step, places(step), phase)
    if step.s is None or step.pos is None or step.neg is None or step.weight is None:
        return f"No matrix of scores: {step.why_no_split}."
    if phase == "scored":
        positive, negative = (_mean(step.s[mask]) for mask in (step.pos, step.neg))
        return (
            f"Positive pairs score {positive} on average, negative pairs {negative}. "
            f"The loss of the batch is {theme.number(step.loss)}."
        )
    pull, push = float(-step.weight[step.weight < 0].sum()), float(step.weight[step.weight > 0].sum())
    acting = int(np.count_nonzero(step.weight))
    counted = int(np.count_nonzero(step.pos | step.neg))
    return (
        f"{acting} of {counted} pairs shown have a weight: they pull with {theme.number(pull)} in all and push with "
        f"{theme.number(push)}."
    )


def _mean(values: np.ndarray) -> str:
    return theme.number(float(values.mean())) if values.size else "–"


def _told_map(step: SlowStep, where: Places, phase: str) -> str:
    frame = {
        "circle": "on the unit circle", "sphere": "on the sphere, seen from its pole",
        "PCA": "in the plane of their two widest directions",
    }[where.kind]  # fmt: skip
    if phase == "embedded":
        return f"The encoder's {step.z.shape[1]} dimensions, {frame}."
    u, after = (z / np.maximum(np.linalg.norm(z, axis=1, keepdims=True), 1e-12) for z in (step.z, step.after))
    cosine = np.clip((u * after).sum(axis=1), -1.0, 1.0)
    turned = theme.number(float(np.degrees(np.arccos(cosine)).mean()))
    arrows = f"No arrows: {step.why_no_split}. " if where.pull is None else "Arrows: solid pulls, dashed pushes. "
    return f"{arrows}The step turned a row by {turned}° on average, {frame}."


def table(step: SlowStep, names: Names = ()) -> pd.DataFrame:
    """One row for each row of the batch that is shown; lengths of gradients at the embedding."""
    length = {
        title: np.full(len(step.item), np.nan) if part is None else np.linalg.norm(part, axis=1)
        for title, part in (("pull", step.pull), ("push", step.push), ("gradient", step.gradient))
    }
    return theme.finite(pd.DataFrame({"item": step.item, "class": _called(step, names), **length}))
