"""Two lanes on the same bins of the histogram: which, and how; kept in the address."""

from dataclasses import replace
from functools import partial
from typing import Any

import streamlit as st

from app import state
from app.live import Lab
from app.looked_at import Comparison
from app.view import View
from components import theme
from components.panels import score_histogram, two_lanes
from models.diagnostics.threshold import COMPARISONS

APART = "each by itself"
WORDS = dict(zip(COMPARISONS, ("overlaid", "mirrored", "subtracted"), strict=True))
HOW, FIRST, SECOND = "compare-how", "compare-first", "compare-second"


def shown(lab: Lab, view: View) -> Comparison | None:
    """The comparison that is asked for and can be drawn."""
    compared = lab.page.setup.looked.compared
    return compared if compared is not None and compared.fits(len(view.summaries)) else None


def picture(panel: Any, lab: Lab, view: View) -> Any:
    """Both lanes together in place of the histogram that has a band a lane."""
    return two_lanes if panel is score_histogram and shown(lab, view) is not None else panel


def options(lab: Lab, view: View) -> dict[str, Any]:
    """What the picture of two lanes is drawn with beside the options of the histogram."""
    compared = shown(lab, view)
    return {} if compared is None else {"compare": compared.kind, "lanes": compared.lanes}


def controls(lab: Lab, view: View) -> None:
    """How two lanes are put together; which, where there are more."""
    count = len(view.lanes)
    if count < 2:
        return
    held = lab.page.setup.looked.compared
    at = 0 if held is None else 1 + COMPARISONS.index(held.kind)
    st.selectbox(
        "Two lanes on the same bins", (APART, *COMPARISONS), index=at,
        format_func=lambda how: WORDS.get(how, how.capitalize()).capitalize(), key=HOW, on_change=partial(_choose, lab),
    )  # fmt: skip
    if held is None or count == 2:
        return
    with st.container(horizontal=True):
        for key, word, lane in zip((FIRST, SECOND), ("First", "Second"), held.lanes, strict=True):
            st.segmented_control(
                word, tuple(range(count)), default=min(lane, count - 1), format_func=theme.letter, required=True,
                key=key, on_change=partial(_choose, lab),
            )  # fmt: skip


def _choose(lab: Lab) -> None:
    how, looked = state.get(HOW, APART), lab.page.setup.looked
    lanes = (0, 1) if looked.compared is None else looked.compared.lanes
    chosen = state.get(FIRST, lanes[0]), state.get(SECOND, lanes[1])
    lab.attempt(lambda: _put(lab, None if how == APART else Comparison(str(how), chosen)))


def _put(lab: Lab, compared: Comparison | None) -> None:
    lab.page.setup = replace(lab.page.setup, looked=replace(lab.page.setup.looked, compared=compared))
