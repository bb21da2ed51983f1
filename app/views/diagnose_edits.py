"""Edits of a checkpoint's class weights without training: fewer dimensions, a class unlearnt, before and after."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from app import state
from app.background import questions
from app.diagnosing import Case
from app.views import diagnose_more
from components import theme
from models.checkpoint.edits import SHARE, Edits, Row
from models.engine import diagnosing

HELP = (
    "ModHiFi: which components of the head its outputs need, told by embeddings alone. Half of the items choose, the "
    "other half measure. Compensated: the kept weights are solved anew to come nearest to all outputs."
)
ASKED = "diagnose-edits-asked"


def section(case: Case) -> None:
    """The form, and what came of it; nothing without class weights."""
    material = case.material
    if material is None or material.proxies is None or material.labels is None:
        return
    st.markdown("**Edit the head without training**", help=HELP)
    names = list(material.classes) or [str(k) for k in range(len(material.proxies))]
    with st.container(horizontal=True, vertical_alignment="bottom", key="diagnose-edits"):
        keep = st.number_input("Dimensions to keep", 1, material.dim, max(material.dim // 4, 1), key="diagnose-keep")
        forget = st.selectbox("Class to unlearn", range(len(names)), format_func=names.__getitem__,
                              key="diagnose-forget")  # fmt: skip
        share = st.number_input("Components taken out (%)", 0.1, 100.0, 100 * SHARE, 0.5, key="diagnose-share")
        if st.button("Prune and unlearn", key="diagnose-edit"):
            state.put(ASKED, (case.key, int(keep), int(forget or 0), float(share) / 100))
    asked = state.get(ASKED)
    if asked is None or asked[0] != case.key:
        return
    answer = questions().ask(("diagnose-edits", *asked), diagnosing.edited, lambda: (case.kept, *asked[1:]))
    diagnose_more.answered(answer, _show, "Measuring before and after")


def _show(found: Edits) -> None:
    st.dataframe(_rows(found.pruned, "accuracy"), hide_index=True, key="diagnose-pruned")
    st.caption(
        f"{found.kept} of {found.of} dimensions keep a fidelity of {theme.number(found.fidelity, 2)}; "
        f"{theme.percent(found.correlated)} of the components' mass is correlated: near 0 the choice by fidelity is "
        "the best there is, near 1 compensation matters and the choice does not."
    )
    rows = _rows(found.unlearnt, "accuracy of the other classes")
    for row, told in zip(rows, found.unlearnt, strict=True):
        row |= {"of the class unlearnt": round(told.forgotten.value, 4)}
    st.dataframe(rows, hide_index=True, key="diagnose-unlearnt")


def _rows(found: Sequence[Row], called: str) -> list[dict[str, Any]]:
    return [
        {
            "head": row.name,
            called: round(row.accuracy.value, 4),
            "low": round(row.accuracy.low, 4),
            "high": round(row.accuracy.high, 4),
        }
        for row in found
    ]
