"""Selections that are kept: the brushed pairs held as they are now, named, chosen again, and saved as files."""

import io
from dataclasses import replace
from functools import partial

import pandas as pd
import streamlit as st

from app import brushing, state
from app.live import Lab
from app.looked_at import Looked, left_out
from app.views import lab_export
from components import theme
from components.panels import export
from models.diagnostics import cards
from models.selection import PairList, Selection

HOLD_HELP = (
    "Keep exactly these pairs, under a name: their scores go on, and the histogram shows where they went. A brush of "
    "scores takes other pairs at every step."
)


def controls(lab: Lab, found: brushing.Shown | None) -> None:
    """Name, hold and files of the brush that stands, and the selections that have a name."""
    selection = lab.page.setup.brush
    if selection is not None:
        st.text_input(
            "Name of the brush", selection.name, max_chars=60, placeholder="name it", width=160,
            key=_name_key(lab), label_visibility="collapsed",
            on_change=partial(_rename, lab, _name_key(lab)),
        )  # fmt: skip
    if found is not None and not isinstance(found.selection.brush, PairList):
        st.button("Hold these pairs", key="brush-hold", help=HOLD_HELP, on_click=partial(_hold, lab, found))
    if found is not None:
        _files(lab, found)
    _kept(lab)


def _name_key(lab: Lab) -> str:
    """Another box whenever another selection stands: a box keeps what was typed into it."""
    selection = lab.page.setup.brush
    return f"brush-name-{lab.page.brushes}-{'' if selection is None else selection.name}"


def _kept_key(looked: Looked) -> str:
    """Another control whenever other names stand or another is brushed: the page keeps what is chosen."""
    return f"brush-kept-{[one.name for one in looked.kept]}-{looked.named}"


def _kept(lab: Lab) -> None:
    """The names, one of them marked if it is brushed; and what the address has no room for."""
    looked = lab.page.setup.looked
    if not looked.kept:
        return
    names, now, key = [one.name for one in looked.kept], looked.named, _kept_key(looked)
    st.pills(
        "Kept selections", names, default=now, key=key, label_visibility="collapsed",
        help="Kept under a name: choose one to see its pairs again.", on_change=partial(_recall, lab, key),
    )  # fmt: skip
    if now is not None:
        st.button(
            "Forget", key="brush-forget", help=f"Do not keep {now} any more.", on_click=partial(_forget, lab, now)
        )
    out = left_out(looked)
    if out:
        several = "hold" if len(out) > 1 else "holds"
        st.caption(
            f"{', '.join(out)} {several} too many pairs for the link and {'are' if len(out) > 1 else 'is'} lost when "
            "the page is loaded anew: save the table."
        )


def put(lab: Lab, looked: Looked) -> None:
    """Look at this from now on."""
    lab.page.setup = replace(lab.page.setup, looked=looked)


def changed(lab: Lab, selection: Selection) -> None:
    """The brush as it is now; under its name, if it has one."""
    looked = lab.page.setup.looked
    if selection.name:
        put(lab, looked.naming(selection, selection.name))
    else:
        lab.brush(selection)


def _hold(lab: Lab, found: brushing.Shown) -> None:
    """The pairs as they stood on the page when the button was pressed; a press that comes twice holds them once."""
    looked, name = lab.page.setup.looked, found.selection.name
    if looked.brush == found.selection:
        lab.attempt(lambda: put(lab, looked.naming(found.held(), name or looked.free_name())))


def _rename(lab: Lab, key: str) -> None:
    held, name = lab.page.setup.brush, str(state.get(key) or "").strip()
    if held is not None and key == _name_key(lab):  # else the box of a brush that has gone
        lab.attempt(lambda: put(lab, lab.page.setup.looked.naming(held, name)))


def _recall(lab: Lab, key: str) -> None:
    looked, name = lab.page.setup.looked, state.get(key)
    if key != _kept_key(looked):
        return
    put(lab, replace(looked, brush=None) if name is None else looked.recalled(str(name)))
    lab.page.brushes += 1  # a stretch that was dragged out is not this selection
    if lab.page.setup.brush is not None:
        state.put("brush-lane", lab.page.setup.brush.lane or "A")


def _forget(lab: Lab, name: str) -> None:
    put(lab, lab.page.setup.looked.forgetting(name))
    lab.page.brushes += 1


def _files(lab: Lab, found: brushing.Shown) -> None:
    def table() -> pd.DataFrame:
        parts = [
            pd.DataFrame({"lane": theme.letter(lane), **cards.table(look, pairs)})
            for lane, (look, pairs) in enumerate(zip(found.looks, found.pairs, strict=True))
            if look is not None and pairs is not None
        ]
        return pd.concat(parts, ignore_index=True)

    def parquet() -> bytes:
        buffer = io.BytesIO()
        table().to_parquet(buffer, index=False)
        return buffer.getvalue()

    stem = (
        "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in found.selection.name) or "pairs"
    )
    lab_export.links(
        lab,
        ("csv", f"{stem}.csv", "text/csv", lambda: export.csv(table())),
        ("parquet", f"{stem}.parquet", "application/vnd.apache.parquet", parquet),
    )
