"""Verdict, temperature laboratory and map controls: the parts of the page that ask the workers for more."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import streamlit as st

from app import drawn, items, state
from app.live import Lab
from app.view import LaneView, View, loss_knobs
from components import theme
from components.panels import embedding_map, what_if
from models.diagnostics.summary import Summary
from models.diagnostics.verdict import Verdict, compare_curves, compare_seeds
from models.spec import Knob

SEEDS = 5
PLANE, WHAT_IF = "Plane", "What if"
TEMPERATURES = (0.03, 0.05, 0.08, 0.13, 0.2, 0.35, 0.6, 1.0)
SWEEP_STEPS = 150


def verdict(lab: Lab, view: View) -> None:
    """One sentence a pair of lanes, each against lane A, and the button that repeats both with more seeds."""
    lanes = [lane for lane in view.lanes if lane.summary is not None]
    if len(lanes) < 2:
        return
    task = view.board.repeat if view.board is not None else None
    over_seeds = task is not None and not task.running and task.done > 0
    told = [_over_seeds(task, view) if over_seeds else _at_one_seed(lanes)]
    with st.container(horizontal=True, vertical_alignment="center", key="verdict"):
        st.markdown(" · ".join(sentence for part in told for sentence in part))
        if task is not None and task.running:
            st.progress(
                task.done / len(task.cells), text=f"Repeating with {SEEDS} seeds: {task.done}/{len(task.cells)}"
            )
            st.button("Cancel", key="cancel-repeat", on_click=partial(_command, lab, "cancel"))
        elif view.live and view.step > 0:
            st.button(
                f"Repeat with {SEEDS} seeds",
                key="repeat",
                on_click=partial(_repeat, lab, view),
                help=f"Trains every lane {view.step} steps with {SEEDS} seeds beside the live lanes, then pairs them.",
            )


def _at_one_seed(lanes: Sequence[LaneView]) -> list[str]:
    first = lanes[0].summary
    told = []
    for index, lane in enumerate(lanes[1:], start=1):
        assert first is not None
        assert lane.summary is not None
        if lane.summary.step != first.step:
            told.append(f"Lane {theme.letter(index)} is at another step.")
            continue
        told.append(_said(compare_curves(first.roc, lane.summary.roc, ("A", theme.letter(index)))))
    return told


def _over_seeds(task: Any, view: View) -> list[str]:
    values = {
        lane.id: [c.outcome.metrics["auc"] if c.outcome is not None else float("nan") for c in _cells(task, lane.id)]
        for lane in view.lanes
    }
    first, *others = view.lanes
    return [
        _said(compare_seeds(values[first.id], values[lane.id], "AUC", ("A", theme.letter(index))))
        + f" after {task.steps} steps"
        for index, lane in enumerate(others, start=1)
        if len(values[lane.id]) == len(values[first.id])
    ]


def _cells(task: Any, lane: str) -> list[Any]:
    return [cell for cell in task.cells if cell.lane == lane]


def _said(found: Verdict) -> str:
    return f"**{found.sentence}**" if found.distinguishable else found.sentence


def _repeat(lab: Lab, view: View) -> None:
    if not _busy(lab, "repeat"):
        _command(lab, "repeat", tuple(range(SEEDS)), view.step)


def _train_sweep(lab: Lab, lane: LaneView) -> None:
    if not _busy(lab, "sweep"):
        _command(lab, "sweep", lane.id, "temperature", TEMPERATURES, SWEEP_STEPS)


def _busy(lab: Lab, task: str) -> bool:
    """True while the task runs: one press may be delivered twice, and the second must not begin it anew."""
    found = getattr(lab.player.state(), task) if lab.player is not None else None
    return found is not None and found.running


def _command(lab: Lab, name: str, *arguments: Any) -> None:
    """Send a command to the board; a refusal becomes the page's message."""
    if lab.player is not None:
        lab.attempt(lambda: getattr(lab.player, name)(*arguments))


def swept(view: View) -> tuple[tuple[float, Any], ...]:
    """(temperature, Summary) of what a sweep has trained so far, for the plane."""
    task = view.board.sweep if view.board is not None else None
    return _points(task) if task is not None else ()


def _points(task: Any) -> tuple[tuple[float, Any], ...]:
    """(temperature, Summary) of every finished cell."""
    return tuple(
        (float(cell.value), cell.outcome.summary)
        for cell in task.cells
        if cell.outcome is not None and cell.outcome.summary is not None
    )


def temperature_knob(lane: LaneView) -> Knob | None:
    """The knob that plays the part of a temperature in a lane's loss, if it has one."""
    return next((knob for knob in loss_knobs(lane.config) if knob.name == "temperature"), None)


def what_if_shown(lab: Lab, view: View) -> bool:
    """Draw the what-if in the plane's place, if it was chosen: one picture at a time, so that no panel grows."""
    chosen = state.get("tradeoff-mode") == WHAT_IF and view.live and _warm_lane(view) is not None
    if chosen:
        _what_if(lab, view)
    return chosen


def _warm_lane(view: View) -> tuple[int, LaneView] | None:
    """The first lane whose loss has a temperature."""
    return next(((k, lane) for k, lane in enumerate(view.lanes) if temperature_knob(lane) is not None), None)


def laboratory(lab: Lab, view: View) -> None:
    """Plane or what-if on the frozen scores of this step, and eight temperatures trained on a small budget."""
    warm = _warm_lane(view)
    if warm is None:
        st.caption("No lane has a temperature; add InfoNCE or SupCon to use the laboratory.")
        return
    if not view.live:
        st.caption("Press Play to go live: then a what-if slider and a sweep of eight temperatures stand here.")
        return
    st.segmented_control(
        "Show", (PLANE, WHAT_IF), default=PLANE, required=True, key="tradeoff-mode", label_visibility="collapsed"
    )
    if state.get("tradeoff-mode") == WHAT_IF:
        st.select_slider(
            f"Temperature of lane {theme.letter(warm[0])}, if it were",
            TEMPERATURES,
            value=TEMPERATURES[0],
            key="what-if",
            help="Nothing is trained: the scores of this step stay as they are, only their weights change.",
        )
    else:
        _sweep(lab, view, warm[1])


def _sweep(lab: Lab, view: View, lane: LaneView) -> None:
    task = view.board.sweep
    if task is not None and task.running:
        st.progress(task.done / len(task.cells), text=f"{task.done} of {len(task.cells)} temperatures")
        st.button("Cancel the sweep", key="cancel-sweep", on_click=partial(_command, lab, "cancel"))
        return
    st.button(
        "Train eight temperatures",
        key="sweep",
        on_click=partial(_train_sweep, lab, lane),
        help=f"{SWEEP_STEPS} steps each, from the same start, beside the live lanes; each is a point in the plane.",
    )


def _what_if(lab: Lab, view: View) -> None:
    warm = _warm_lane(view)
    temperature = float(state.get("what-if", TEMPERATURES[0]))
    found = lab.what_if(warm[1], {"temperature": temperature}) if warm is not None else None
    now = warm[1].summary.weights if warm is not None and warm[1].summary is not None else None
    if found is None or found.weights is None or now is None:
        st.caption("The what-if needs a lane that has begun.")
        return
    words = what_if.sentence(now, found.weights)
    st.vega_lite_chart(what_if.rows(now, found.weights), what_if.spec(), key="chart-what-if", alt=what_if.TITLE)
    st.caption(f"{words} {what_if.level(found.loss_now, found.loss)}")


def mapped(view: View, method: str) -> list[Summary]:
    """The lanes' summaries with the projection that was asked for, where it has come already."""
    lanes = [lane for lane in view.lanes if lane.summary is not None]
    return [
        drawn.with_points(lane.summary, lane.umap) if method == "UMAP" and lane.umap is not None else lane.summary
        for lane in lanes
        if lane.summary is not None
    ]


def map_controls(lab: Lab, view: View) -> None:
    """Ask for a UMAP of this moment; the last one stays until the next has come."""
    if state.choice("map-method", "PCA") != "UMAP":
        return
    if not view.live:
        st.caption("The recording has PCA only; press Play to go live for UMAP.")
        return
    every = state.choice("map-every", False)
    for index, lane in enumerate(view.lanes):
        if lane.summary is None:
            continue
        if (lane.umap is None or (every and lane.step > lane.umap_step)) and state.due(f"umap-{lane.id}", 10.0):
            _command(lab, "request_umap", lane.id)
        shown = "being computed" if lane.umap is None else f"of step {lane.umap_step}"
        st.caption(f"{theme.badge(index)} UMAP {shown}")
    st.button("UMAP of this step", key="umap-now", on_click=partial(_all_umaps, lab, view))


def _all_umaps(lab: Lab, view: View) -> None:
    for lane in view.lanes:
        _command(lab, "request_umap", lane.id)


def in_three(lab: Lab, view: View) -> None:
    """The paused lanes' whole snapshots in three dimensions; Plotly, because a person turns it."""
    taken = [found for lane in view.lanes if (found := lab.snapshot(lane)) is not None]
    if not taken:
        st.caption("Three dimensions need lanes that have begun.")
        return
    figure = embedding_map.figure_3d(taken, names=items.class_names(view.lanes[0].config.data))
    st.plotly_chart(figure, key="chart-map-3d", config={"displaylogo": False})
