"""The form that forks a lane: from which step, with which loss, and with which knobs of loss and optimiser changed."""

from functools import partial

import streamlit as st

from app import state
from app.live import Lab
from app.view import LaneView, View, loss_now, loss_spec
from components import theme
from models.catalogue import discover
from models.spec import Knob, Value
from models.training.config import RunConfig, part_knobs

_SAME = "the same loss"
OPTIMISER = "optimiser."  # stands before the name of a knob that is not the loss's
_SWITCH = {(True, False), (False, True)}


def button(lab: Lab, view: View) -> None:
    """The form; what it says goes into the lane's config, and so into link and file."""
    popover = st.popover("Fork here", key="fork", on_change="rerun", disabled=not view.live)
    if not popover.open or not view.live:
        return
    with popover:
        st.caption("A new lane from the step shown: same weights, same optimiser, another loss, other knobs or rate.")
        letters = range(len(view.lanes))
        index = st.selectbox("Lane", letters, format_func=lambda k: _named(k, view.lanes[k]), key="fork-lane") or 0
        lane = view.lanes[index]
        step = _step(lab, lane)
        losses = {key: module.SPEC.name for key, module in discover("losses").items()}
        loss = st.selectbox(
            "Loss", (_SAME, *losses), format_func=lambda key: losses.get(key, _SAME.capitalize()), key="fork-loss"
        )
        key = loss_now(lane.config) if loss == _SAME else str(loss)
        _knobs(lane.config, step, key)
        st.button(
            f"Fork lane {theme.letter(index)} at step {step}", key="fork-go", type="primary",
            on_click=partial(_press, lab),
        )  # fmt: skip


def _knobs(config: RunConfig, step: int, loss: str) -> None:
    """Which knobs the fork has otherwise, any number of them, and a field for each."""
    known, now = knobs_of(config, loss), values_at(config, step, loss)
    chosen = st.multiselect(
        "Knobs to change", list(known), format_func=lambda name: name.replace(OPTIMISER, "optimiser: "),
        key=f"fork-knobs-{loss}", placeholder="None: as they are",
    )  # fmt: skip
    for name in chosen:
        knob, key = known[name], value_key(loss, name)
        words = name.replace(OPTIMISER, "optimiser: ")
        if knob.choices in _SWITCH:
            st.toggle(words, value=bool(now[name]), key=key, help=knob.help or None)
        elif knob.choices:
            st.selectbox(words, knob.choices, index=knob.choices.index(now[name]), key=key, help=knob.help or None)
        else:
            st.text_input(f"{words}: {knob.allowed()}", f"{now[name]:g}", key=key, help=knob.help or None)


def knobs_of(config: RunConfig, loss: str) -> dict[str, Knob]:
    """The knobs that a fork may change: those of its loss by name, those of the optimiser as `optimiser.rate`."""
    own = {knob.name: knob for knob in part_knobs("loss", loss)}
    return own | {f"{OPTIMISER}{knob.name}": knob for knob in part_knobs("optimiser", config.optimiser.key)}


def values_at(config: RunConfig, step: int, loss: str) -> dict[str, Value]:
    """The same knobs as they are at a step; of another loss than the lane's then, its defaults."""
    then = config.loss_at(step)
    own = {knob.name: knob.default for knob in part_knobs("loss", loss)}
    own |= then.values if then.key == loss else {}
    optimiser = config.until(step + 1).folded().optimiser.values
    return own | {f"{OPTIMISER}{name}": value for name, value in optimiser.items()}


def value_key(loss: str, name: str) -> str:
    """Under which the field of a knob keeps its value; each loss has fields of its own."""
    return f"fork-value-{loss}-{name}"


def _named(index: int, lane: LaneView) -> str:
    return f"{theme.letter(index)} · {loss_spec(loss_now(lane.config)).name}"


def _step(lab: Lab, lane: LaneView) -> int:
    """The step at which a fork begins: the one shown, as far as the lane has come."""
    return lane.step if lab.page.clock.at is None else min(lab.page.clock.at, lane.step)


def _press(lab: Lab) -> None:
    """Read the form as it is at the press, which may come before the page has drawn the last choice."""
    lanes, index = lab.view().lanes, int(state.get("fork-lane") or 0)
    if index >= len(lanes):
        return  # a lane that has gone meanwhile
    lane, chosen = lanes[index], str(state.get("fork-loss", _SAME))
    loss = None if chosen == _SAME else chosen
    key = loss or loss_now(lane.config)
    given = {name: state.get(value_key(key, name)) for name in state.get(f"fork-knobs-{key}") or ()}
    missing = next((name for name, value in given.items() if value is None), None)
    if missing is not None:
        lab.page.refuse(f"Give {missing} a value, then press the button again.")
        return
    try:
        known = knobs_of(lane.config, key)
        knobs = {name: _read(name, known[name], value) for name, value in given.items()}
    except ValueError as error:
        lab.page.refuse(error)
        return
    if lab.fork(lane.id, _step(lab, lane), loss, knobs, None):
        state.put("fork", False)  # the form has done its work


def _read(name: str, knob: Knob, given: Value) -> Value:
    """What a field says; numbers are typed, choices are what they are."""
    if knob.choices:
        return given
    text = str(given).strip()
    try:
        return int(text) if text.lstrip("-").isdecimal() else float(text)
    except ValueError:
        raise ValueError(f"{name} must be a number, got {text[:40]!r}") from None
