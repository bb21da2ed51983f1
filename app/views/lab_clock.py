"""Under the toolbar: the slider over kept steps, play back, the ghost, and the button that forks a lane."""

from functools import partial

import streamlit as st

from app import clock, state
from app.clock import LIVE, Clock
from app.live import Lab
from app.view import View
from app.views import lab_fork
from models.engine.history import nearest

SPEEDS = (1.0, 2.0, 4.0, 8.0, 16.0)  # kept steps a second
KEYS = ("J", "L", "K")  # back, next, replay, as film editors have them
CURSOR = "cursor"


def moved(lab: Lab, view: View) -> View:
    """Let the clock run on, and return the view as it stands at the cursor."""
    held = lab.page.clock
    held.offer(clock.kept_steps(view), clock.now(), view.playing)
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
            lab_fork.button(lab, view)
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
    st.button("Back", key="clock-back", shortcut=back, on_click=partial(_move, held, -1))
    st.button("Next", key="clock-next", shortcut=on, on_click=partial(_move, held, 1))
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
