"""When the page looks at its board: how often a tick comes, and how long it waits for what is worth drawing.

A browser works through its whole page several times for every tick, whether it brings news or not: a tick that waits
for news here costs nothing there.
"""

import time

from app import state
from app.live import Lab
from app.view import LaneView, View

PLAYING_S, RESTING_S, CROWDED_S = 0.45, 2.0, 1.0  # between two ticks; a board that plays has news about as often
CROWD = 12  # more sessions than this share one processor better at a slower pace
PATIENCE_S, GLANCE_S = 0.35, 0.02  # how long a tick waits for news at most, and how often it looks


def interval(lab: Lab, view: View) -> float:
    """Seconds between two ticks of this page."""
    if view.live and not view.playing and not lab.page.clock.playing and not any(map(_late, view.lanes)):
        return RESTING_S
    return PLAYING_S if state.crowd() <= CROWD else CROWDED_S


def _late(lane: LaneView) -> bool:
    """True while a lane at rest still waits for the summary of its last step."""
    return lane.status == "paused" and lane.summary is not None and lane.summary.step < lane.step


def awaited(lab: Lab) -> View:
    """The view as soon as there is something new to draw, or somebody has pressed something, or patience ends."""
    view, until = lab.view(), time.monotonic() + PATIENCE_S
    touched = state.touched()
    while not touched and _expects(lab, view) and not state.asked_again() and time.monotonic() < until:
        time.sleep(GLANCE_S)
        view = lab.view()
    lab.page.seen = _moment(view)
    return view


def _expects(lab: Lab, view: View) -> bool:
    """True if waiting may bring something: the board trains, and shows what was drawn already."""
    return view.live and view.playing and not lab.page.clock.playing and _moment(view) == lab.page.seen


def _moment(view: View) -> tuple[object, ...]:
    """What a drawing would show otherwise than the last one; that steps went on is not worth one."""
    lanes = [
        (lane.id, lane.status, lane.umap_step, lane.raw is None, None if lane.summary is None else lane.summary.step)
        for lane in view.lanes
    ]
    return view.playing, view.message, *lanes
