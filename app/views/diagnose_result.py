"""What a diagnosis shows: findings beside the panels that prove them, numbers, files to keep, and what can be tried."""

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from app import state
from app.diagnosing import Case
from app.repeat import Given, origin
from app.report import loss_said, measured_said, report
from app.report_notebook import report_notebook
from app.views import diagnose_brush, diagnose_edits, diagnose_more, diagnose_panels, lab_export
from models.checkpoint.result import Result

COLOURS = {"serious": "red", "warning": "orange", "info": "blue"}
SEVERITY_HELP = "serious: do not use it so · warning: look at it · info: good to know"
CONFIDENCE_HELP = "high: its interval lies beyond the threshold and all that the rule needs was given; low: a guess"


def show(case: Case, result: Result) -> None:
    """Findings to the left, panels to the right; on a narrow screen one below the other."""
    told = result.told
    st.markdown("\n".join(f"- {text}" for text in (*told["scope"], f"Loss: {loss_said(told['loss'])}")))
    if told["loss"] is not None and told["loss"]["batch"] is None:
        st.caption("The batch is a guess: findings about the loss have lower confidence until you name it.")
    left, right = st.columns([2, 3], gap="medium")
    with left:
        _findings(case, result)
    with right:
        diagnose_panels.show(case, result)
    _numbers(result)
    diagnose_more.neighbours(case)
    _keep(case, result)
    diagnose_more.show(case, result)
    diagnose_edits.section(case)


def _findings(case: Case, result: Result) -> None:
    told = result.told
    st.markdown(f"**Findings** ({len(told['findings'])}), worst first")
    for one in told["findings"]:
        with st.container(border=True, key=f"finding-{one['key']}"):
            _finding(case, one, result)
    checked = ", ".join(one["title"].lower() for one in told["checked"]) or "nothing"
    if not told["findings"]:
        st.success(f"No finding. Looked for: {checked}.")
    with st.expander(f"Checked, nothing found ({len(told['checked'])}); not checked ({len(told['not_checked'])})"):
        rows = [{"what": one["title"], "outcome": measured_said(one)} for one in told["checked"]]
        rows += [{"what": one["title"], "outcome": f"not checked: {one['why']}"} for one in told["not_checked"]]
        st.dataframe(rows, hide_index=True, key="diagnose-checked")


def _finding(case: Case, one: Mapping[str, Any], result: Result) -> None:
    mark = result.marks[one["key"]]
    st.markdown(f"**{one['title']}** :{COLOURS[one['severity']]}-badge[{one['severity']}]", help=SEVERITY_HELP)
    st.markdown(plain(one["sentence"]))
    st.caption(f"{plain(measured_said(one))} · {one['confidence']} confidence", help=CONFIDENCE_HELP)
    st.markdown(f"**Do:** {plain(one['advice'])}")
    st.caption(f"What would change our mind: {plain(one['would_change'])}")
    held = state.get(diagnose_brush.HELD) == one["key"]
    if mark.brushed is not None:
        st.button(
            "Take the marks away" if held else "Mark on the panels",
            key=f"mark-{one['key']}",
            type="primary" if held else "secondary",
            on_click=partial(_mark, case, result, one, held),
        )
    if not mark.listed:
        st.caption(mark.about)
    elif held:
        st.dataframe(list(mark.listed), hide_index=True, key=f"listed-{one['key']}", height=240)
        st.caption(f"{len(mark.listed):,} of {mark.total:,} {mark.about}")
    diagnose_more.trial(case, one)


def _mark(case: Case, result: Result, one: Mapping[str, Any], held: bool) -> None:
    """With labels a finding is one brush among others; without, its marks are all there is to show."""
    if case.material is not None and case.material.labels is not None:
        diagnose_brush.mark(case, result, one["key"], one["title"])
    else:
        state.put(diagnose_brush.HELD, None if held else one["key"])


def plain(text: str) -> str:
    """Text of a finding as Markdown that shows it as it is: names in it are the user's."""
    return "".join(f"\\{letter}" if letter in "\\`*_{}[]<>#|$~:" else letter for letter in text)


def _numbers(result: Result) -> None:
    with st.expander("All numbers"):
        rows = diagnose_more.rows_of(result.told["metrics"])
        st.dataframe(pd.DataFrame(rows), hide_index=True, key="diagnose-numbers")


def _keep(case: Case, result: Result) -> None:
    """Report, notebook and numbers as files, made when their link is pressed."""
    asked = case.measured or case.asked
    given = Given(
        Path(case.given.file[0]),
        case.given.door,
        {role: Path(file[0]) for role, file in case.given.beside.items()},
        tuple(Path(file[0]) for file in case.given.against),
        asked.loss,
        dict(asked.knobs),
        encoder=case.given.encoder,
    )
    where = origin(given)
    st.markdown("**Keep it**: the report opens without a server or a network")
    lab_export.ticket_links(
        state.page().ticket,
        ("Report (html)", "report.html", "text/html", lambda: report(result, where).encode()),
        ("Notebook", "notebook.ipynb", "application/x-ipynb+json", lambda: report_notebook(result, where).encode()),
        ("Numbers (JSON)", "diagnosis.json", "application/json", lambda: _json(result)),
    )
    st.code(where.command, language=None, wrap_lines=True)


def _json(result: Result) -> bytes:
    """The diagnosis as the command line writes it."""
    return json.dumps(result.told, indent=1, sort_keys=True, allow_nan=False).encode()
