"""Under the toolbar: the slider over kept steps, play back, the ghost, and the form that forks a lane."""

from functools import partial

import streamlit as st

from app import clock, state
from app.clock import LIVE, Clock
from app.live import Lab
from app.view import LaneView, View, loss_now, loss_spec
from components import theme
from models.catalogue import discover
from models.engine.history import nearest
from models.spec import Value
from models.training.config import OPTIMISERS, part_knobs

SPEEDS = (1.0, 2.0, 4.0, 8.0, 16.0)  # kept steps a second
KEYS = ("J", "L", "K")  # back, next, replay, as film editors have them
CURSOR = "cursor"
_SAME = "the same loss"


def moved(lab: Lab, view: View) -> View:
    """Let the clock run on, and return the view as it stands at the cursor."""
    held = lab.page.clock
    held.offer(clock.kept_steps(view), clock.now())
    held.tick(clock.now())
    return clock.shown(view, held)


def bar(lab: Lab, view: View) -> None:
    """Draw the clock."""
    held = lab.page.clock
    with st.container(horizontal=True, vertical_alignment="bottom", key="clock"):
        if held.offered:
            _slider(held)
            _buttons(held)
            _ghost(held)
            _fork(lab, view)
    words = clock.told([lane.config for lane in view.lanes])
    if words:
        st.caption(words)


def _slider(held: Clock) -> None:
    options = (*held.offered, LIVE)
    at = LIVE if held.at is None else nearest(held.offered, held.at)
    if state.get(CURSOR, LIVE) != at:
        state.put(CURSOR, at)
    st.select_slider(
        "Step shown in all panels",
        options,
        # Said at every run: of two runs that come close together the browser may see the second alone, and would then
        # start at the first of the options.
        value=LIVE,
        key=CURSOR,
        format_func=lambda step: "live" if step == LIVE else str(step),
        on_change=partial(_go, held),
        help="Steps that are kept. Training goes on while an earlier one is shown.",
    )


def _go(held: Clock) -> None:
    chosen = state.get(CURSOR)
    if chosen is not None:
        held.go(None if chosen == LIVE else int(chosen))


def _buttons(held: Clock) -> None:
    back, on, again = KEYS
    st.button("Back", key="clock-back", shortcut=back, on_click=partial(_move, held, -1), help="The kept step before.")
    st.button("Next", key="clock-next", shortcut=on, on_click=partial(_move, held, 1), help="The next kept step.")
    if held.playing:
        st.button("Stop", key="clock-stop", icon=":material/stop:", on_click=partial(held.go, held.at))
    else:
        st.button(
            "Replay", key="clock-replay", icon=":material/replay:", shortcut=again, on_click=partial(_replay, held)
        )
    if held.at is not None:
        st.button("Live", key="clock-live", type="primary", on_click=partial(held.go, None), help="The latest step.")


def _move(held: Clock, by: int) -> None:
    if state.fresh(f"clock-{by}"):
        held.move(by)


def _replay(held: Clock) -> None:
    if not held.playing:
        held.replay(clock.now())


def _ghost(held: Clock) -> None:
    """The ghost's step, and the speed of play back."""
    popover = st.popover(f"Ghost: step {held.ghost}", key="clock-options", on_change="rerun")
    if not popover.open:
        return
    with popover:
        here = held.at is not None
        st.button(
            f"Ghost of step {held.at}" if here else "Ghost of the step shown",
            key="ghost-here", disabled=not here, on_click=partial(setattr, held, "ghost", held.at or 0),
            help="Thin outlines in the histogram: move the slider to a step first.",
        )  # fmt: skip
        st.button("Ghost of step 0", key="ghost-first", on_click=partial(setattr, held, "ghost", 0))
        st.select_slider(
            "Replay, kept steps a second", SPEEDS, value=held.speed, key="clock-speed", on_change=partial(_speed, held)
        )


def _speed(held: Clock) -> None:
    held.speed = float(state.get("clock-speed", held.speed))
    if held.playing:
        held.replay(clock.now())


def _fork(lab: Lab, view: View) -> None:
    """The form; what it says goes into the lane's config, and so into link and file."""
    popover = st.popover(
        "Fork here", key="fork", on_change="rerun", disabled=not view.live,
        help="A new lane from the step shown: same weights, same optimiser, another loss, knob or rate.",
    )  # fmt: skip
    if not popover.open or not view.live:
        return
    with popover:
        letters = range(len(view.lanes))
        index = st.selectbox("Lane", letters, format_func=lambda k: _named(k, view.lanes[k]), key="fork-lane")
        lane = view.lanes[index or 0]
        step = _step(lab, lane)
        losses = {key: module.SPEC.name for key, module in discover("losses").items()}
        loss = st.selectbox(
            "Loss", (_SAME, *losses), format_func=lambda key: losses.get(key, _SAME.capitalize()), key="fork-loss"
        )
        key = loss_now(lane.config) if loss == _SAME else str(loss)
        knobs = {knob.name: knob for knob in part_knobs("loss", key) if not knob.choices}
        name = st.selectbox("Knob of the loss to change", list(knobs), index=None, key=f"fork-knob-{key}")
        if name is not None:
            knob = knobs[name]
            st.text_input(f"{name}: {knob.allowed()}", str(knob.default), key=f"fork-value-{key}-{name}")
        rate = OPTIMISERS[lane.config.optimiser.key][0]
        st.text_input(f"Learning rate: {rate.allowed()}", "", placeholder="the same", key="fork-rate")
        st.button(
            f"Fork lane {theme.letter(index or 0)} at step {step}", key="fork-go", type="primary",
            on_click=partial(_press_fork, lab),
        )  # fmt: skip


def _named(index: int, lane: LaneView) -> str:
    return f"{theme.letter(index)} · {loss_spec(loss_now(lane.config)).name}"


def _step(lab: Lab, lane: LaneView) -> int:
    """The step at which a fork begins: the one shown, as far as the lane has come."""
    return lane.step if lab.page.clock.at is None else min(lab.page.clock.at, lane.step)


def _press_fork(lab: Lab) -> None:
    """Read the form as it is at the press, which may come before the page has drawn the last choice."""
    lanes, index = lab.view().lanes, int(state.get("fork-lane") or 0)
    if index >= len(lanes):
        return  # a lane that has gone meanwhile
    lane, chosen = lanes[index], str(state.get("fork-loss", _SAME))
    loss = None if chosen == _SAME else chosen
    key = loss or loss_now(lane.config)
    name = state.get(f"fork-knob-{key}")
    text = state.get(f"fork-value-{key}-{name}")
    if name is not None and text is None:
        lab.page.refuse(f"Give {name} a value, then press the button again.")
        return
    _go_fork(lab, lane.id, _step(lab, lane), loss, (name, text), str(state.get("fork-rate") or ""))


def _go_fork(lab: Lab, lane: str, step: int, loss: str | None, knob: tuple[str | None, str | None], rate: str) -> None:
    try:
        knobs: dict[str, Value] = {} if knob[0] is None else {knob[0]: _number(knob[0], str(knob[1]))}
        made = lab.fork(lane, step, loss, knobs, _number("the learning rate", rate) if rate.strip() else None)
    except ValueError as error:
        lab.page.refuse(error)
        return
    if made:
        state.put("fork", False)  # the form has done its work


def _number(name: str, text: str) -> float | int:
    try:
        return int(text) if text.strip().lstrip("-").isdecimal() else float(text)
    except ValueError:
        raise ValueError(f"{name} must be a number, got {text[:40]!r}") from None
