"""The live map: it moves with training, and stands still while somebody draws around its items."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import streamlit as st

from app import drawn, state
from app.live import Lab
from app.view import View
from app.views import lab_brush, lab_tradeoff
from components.panels import embedding_map
from components.panels.brush import Lanes
from models.diagnostics.summary import Summary
from models.selection import Selection

HOLD = "map-hold"
_HOLD_HELP = (
    "While it moves, the map is drawn anew at every update, and a line around items would be lost with it. Held, it "
    "stays as it is for as long as you draw; training and the other panels go on."
)


@dataclass(eq=False)
class Held:
    """The map as it stands while somebody draws on it."""

    shown: Sequence[Summary]
    brushed: Lanes
    selection: Selection | None  # whose pairs `brushed` are


def draw(lab: Lab, view: View, options: dict[str, Any], height: int, brushed: Lanes) -> None:
    """The map of this moment, or the one that is held; in three dimensions while the board rests."""
    shown: Sequence[Summary] = lab_tradeoff.mapped(view, options["method"])
    if options["three"] and _rests(lab, view) and view.then is None:
        lab_tradeoff.in_three(lab, view)
        return
    held = _held(lab, view, shown, brushed)
    if held is not None:
        shown = held.shown
    lasso, key = _rests(lab, view) or held is not None, f"chart-map-{lab.page.brushes}"
    rows = [lane.points.item[lane.points.seen == seen] for lane in shown for seen in (True, False)]
    st.echarts_chart(
        option(lab, view, options, brushed),
        key=key if lasso else "chart-map",
        height=height,
        alt=embedding_map.sentence(shown),
        on_select=partial(lab_brush.lasso, lab, key, rows) if lasso else "ignore",
    )


def option(lab: Lab, view: View, options: dict[str, Any], brushed: Lanes) -> dict[str, Any]:
    """What ECharts draws; made once for the same moment."""
    shown: Sequence[Summary] = lab_tradeoff.mapped(view, options["method"])
    held = _held(lab, view, shown, brushed)
    if held is not None:
        shown, brushed = held.shown, held.brushed
    return drawn.map_option(shown, view.lanes[0].config.data, brushed, _rests(lab, view) or held is not None)


def _rests(lab: Lab, view: View) -> bool:
    return view.live and not _moves(lab, view)


def _moves(lab: Lab, view: View) -> bool:
    """While it trains, and while kept steps are played back."""
    return view.live and (view.playing or lab.page.clock.playing)


def _held(lab: Lab, view: View, shown: Sequence[Summary], brushed: Lanes) -> Held | None:
    """What is held; taken when the switch is turned, and with the lines of a brush as soon as they are there."""
    if not (_moves(lab, view) and state.get(HOLD, False)):
        lab.page.map_held = None
        return None
    held: Held | None = lab.page.map_held
    selection = lab.page.setup.brush
    if held is None or len(held.shown) != len(shown):
        held = Held(shown, brushed, selection)
    elif held.selection != selection and (selection is None or brushed):
        held = Held(held.shown, brushed, selection)
    lab.page.map_held = held
    return held


def controls(lab: Lab, view: View) -> None:
    """The switch that holds the map, while it moves; and what a projection needs."""
    if _moves(lab, view):
        st.toggle("Hold the map, to draw around items", key=HOLD, help=_HOLD_HELP)
        held: Held | None = lab.page.map_held
        if held is not None:
            steps = sorted({lane.step for lane in held.shown})
            st.caption(f"The map stands at step {', '.join(map(str, steps))}; training goes on.")
    lab_tradeoff.map_controls(lab, view)
