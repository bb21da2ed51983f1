"""The step cursor of a diagnosis: numbers of all checkpoints in a row, and which of them the panels show."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from components.panels import timeline
from models.checkpoint.result import Result
from models.checkpoint.view import View

CURSOR = "diagnose-cursor"
TOGETHER = "All together"
_MOST = 4  # lanes that panels tell apart


def cursor(result: Result) -> list[View]:
    """The checkpoints that the panels show: those of the cursor's place, or all, as many as have a colour."""
    told = result.told["timeline"]
    if not told:
        return list(result.views)
    st.markdown(f"**{timeline.TITLE}**", help=timeline.HELP)
    st.vega_lite_chart(
        timeline.rows(told),
        timeline.spec(timeline.has_steps(told)),
        key="chart-timeline",
        alt=timeline.TITLE,
        width="stretch",
    )
    st.caption(timeline.sentence(told))
    chosen = st.select_slider(
        "Show the panels of",
        [TOGETHER, *range(len(told))],
        format_func=lambda place: place if place == TOGETHER else _label(told[place]),
        key=CURSOR,
        help="Arrow keys step through the checkpoints, oldest first.",
    )
    if chosen == TOGETHER:
        if len(result.views) > _MOST:
            st.caption(f"The panels show this one and the oldest {_MOST - 1} of {len(told) - 1} others together.")
        return list(result.views[:_MOST])
    place = int(str(chosen))
    _findings(told[place])
    return [in_row(result.views)[place]]


def in_row(views: Sequence[View]) -> list[View]:
    """Oldest first, as the timeline has them: the diagnosed checkpoint comes last."""
    return [*views[1:], views[0]]


def _label(one: Mapping[str, Any]) -> str:
    name = str(one["name"])
    return name if one["step"] is None else f"step {one['step']:,}"


def _findings(one: Mapping[str, Any]) -> None:
    found = "; ".join(f"{finding['title']} ({finding['severity']})" for finding in one["findings"]) or "none"
    st.caption(f"Findings of {str(one['name']).replace('`', '')} among those before it: {found}.")
