"""The form for a loss of one's own: code or a file, its examination as a table, and the lane that it becomes."""

from functools import partial

import streamlit as st

from app import state
from app.address import MAX_LANES
from app.live import Lab
from app.own_files import listed, name_of, text_in
from app.view import View
from models.custom import REGISTER
from models.examine import Check, Report, examine
from models.own_source import EXAMPLE, MOST_CHARACTERS

NAME, CODE, FILE = "own-name", "own-code", "own-file"


def form(lab: Lab, view: View) -> None:
    """Everything in the popover; it stands only where this server allows such losses."""
    st.caption(
        "One function of `scores` and its knobs. `scores.s` holds cosines, anchors in rows; `scores.pos` and "
        "`scores.neg` say which pairs count. `torch`, `math` and `F` are there. It runs in a limited process."
    )
    if REGISTER.folder is not None:
        st.selectbox(
            "From the folder",
            listed(REGISTER.folder),
            index=None,
            placeholder="Choose a file",
            key=FILE,
            on_change=partial(_take_file, lab),
            help="The .py files of the folder that the server was started with.",
        )
    st.text_input("Name", key=NAME, max_chars=31, placeholder="mine")
    st.text_area("Code", key=CODE, height=220, max_chars=MOST_CHARACTERS, placeholder="def loss(scores, *, ...):")
    with st.expander("An example to copy"):
        st.code(EXAMPLE, language="python")
    st.button(
        "Examine",
        key="own-examine",
        on_click=partial(_examine, lab),
        help="Takes some seconds: extremes, gradient, order, empty masks, cost.",
    )
    lab.page.own_drawn = lab.page.own
    if lab.page.own is not None:
        _report(lab, view, lab.page.own)


def _take_file(lab: Lab) -> None:
    """Copy the chosen file into the box, where it can be read before it is run."""
    chosen, folder = state.get(FILE), REGISTER.folder
    if not chosen or folder is None:
        return
    try:
        state.put(CODE, text_in(folder, str(chosen)))
        state.put(NAME, name_of(folder / str(chosen)))
    except ValueError as error:
        lab.page.refuse(error)


def _examine(lab: Lab) -> None:
    if REGISTER.allowed and state.fresh("own-examine"):
        lab.page.own = examine(*_written())


def _written() -> tuple[str, str]:
    """Code and name as they stand in the boxes."""
    return str(state.get(CODE) or ""), str(state.get(NAME) or "") or "mine"


def _report(lab: Lab, view: View, report: Report) -> None:
    st.table([_row(check) for check in report.checks])
    text, name = _written()
    changed = (text.replace("\r\n", "\n").rstrip(), name) != (report.text.rstrip(), report.name)
    if changed:
        st.caption("The code or its name has changed since: examine it again.")
    elif report.passed:
        st.caption(f"{report.key} passed every check.")
    st.button(
        "Add as a lane",
        key="own-add",
        type="primary",
        disabled=changed or not report.passed or len(view.lanes) >= MAX_LANES,
        on_click=partial(_add, lab, report),
    )


def _row(check: Check) -> dict[str, str]:
    number = "" if check.number is None else f"{check.number:.3g} "
    return {
        "Check": check.name,
        "Result": "passed" if check.passed else "failed",
        "Number": f"{number}{check.unit}".strip(),
        "What to mend": check.mend,
    }


def _add(lab: Lab, report: Report) -> None:
    """It joins the losses of this server, and a lane with it joins the board."""
    if not report.passed or not state.fresh("own-add"):
        return
    try:
        own = REGISTER.add(report.text, report.name)
    except ValueError as error:
        lab.page.refuse(error)
        return
    REGISTER.join(own)
    lab.add_lane(own.SPEC.key)
