"""A lane's methods: which stand before its loss, their knobs, one more, and why some do not fit."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import streamlit as st

from app import state
from app.live import Lab
from app.view import LaneView, method_spec
from components.widgets.knobs import knob_widget
from models.catalogue import discover
from models.spec import Value
from models.training.config import Part, RunConfig

ABOUT = "A queue, mixing, further heads: what changes the batch, the embeddings or the scores before the loss."
RESTARTS = (
    "A method changes what stands before the loss. Adding, turning or removing one starts this lane anew from step 0, "
    "with the same weights and batches; the other lanes go on."
)


def offers(config: RunConfig) -> tuple[list[str], dict[str, str]]:
    """Methods that can be added to a run, and of the others why not, in the words of whatever refuses them."""
    fits, refused = [], {}
    present = [part.key for part in config.methods]
    for key in discover("methods"):
        if key in present:
            continue
        try:
            replace(config, events=(), methods=(*config.methods, Part(key)))
        except ValueError as error:
            refused[key] = str(error)
        else:
            fits.append(key)
    return fits, refused


def menu(lab: Lab, lane: LaneView, index: int) -> None:
    """The button below a lane's knobs; what is behind it is drawn while it is open."""
    # Its key is the lane's place and its label constant: it stays open when the lane starts anew under another id.
    popover = st.popover("Methods", icon=":material/alt_route:", key=f"menu-lane-{index}", on_change="rerun")
    if not popover.open:
        return
    with popover:
        st.caption(f"{ABOUT} {RESTARTS}")
        for part in lane.config.methods:
            _present(lab, lane, index, part)
        _more(lab, lane, index)


def _present(lab: Lab, lane: LaneView, index: int, part: Part) -> None:
    spec = method_spec(part.key)
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.markdown(f"**{spec.name}**", help=f"${spec.formula}$\n\n{spec.when}\n\n*{spec.pitfall}*")
        others = [kept for kept in lane.config.methods if kept.key != part.key]
        st.button(
            "Remove", key=f"method-remove-{lane.id}-{part.key}", type="tertiary",
            on_click=partial(lab.set_methods, lane, index, others),
        )  # fmt: skip
    for knob in spec.knobs:
        key = f"method-{lab.page.round}-{lane.id}-{part.key}-{knob.name}"
        knob_widget(knob, part[knob.name], key, partial(_turn, lab, lane, index, part.key, knob.name, key))


def _turn(lab: Lab, lane: LaneView, index: int, method: str, knob: str, key: str) -> None:
    """The method with one knob changed, in its place."""
    lab.set_methods(lane, index, [_with(part, method, knob, state.get(key)) for part in lane.config.methods])


def _with(part: Part, method: str, knob: str, value: Value) -> Part:
    return Part(part.key, tuple({**part.values, knob: value}.items())) if part.key == method else part


def _more(lab: Lab, lane: LaneView, index: int) -> None:
    fits, refused = offers(lane.config)
    if fits:
        key = f"method-add-{lab.page.round}-{lane.id}"
        st.selectbox(
            "Add a method", fits, index=None, placeholder="Choose a method", key=key,
            format_func=lambda name: method_spec(name).name,
            on_change=partial(_add, lab, lane, index, key),
        )  # fmt: skip
    for key, reason in refused.items():
        st.caption(f"{method_spec(key).name}: {reason}.")


def _add(lab: Lab, lane: LaneView, index: int, key: str) -> None:
    chosen = state.get(key)
    if chosen:
        methods: Sequence[Part] = (*lane.config.methods, Part(str(chosen)))
        lab.set_methods(lane, index, methods)
