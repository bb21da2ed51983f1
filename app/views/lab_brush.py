"""The brush of the page: what is brushed; drags of the panels, and the same by keyboard."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import streamlit as st

from app import brushing, items, state
from app.live import Lab
from app.view import View
from app.views import lab_held
from components import theme
from components.panels.brush import STRETCH
from components.panels.class_matrix import CELL
from models.selection import SIGNS, Block, Brush, ClassCell, ItemSet, RateBand, ScoreBand, Selection
from models.selection_text import to_text

HINT = (
    "Drag along the histogram or the ROC to brush pairs, click a pair of classes, or draw around items on the map, "
    "paused or held: every panel then shows them, and their cards stand below."
)
KINDS = ("Scores", "ROC", "Classes", "Items", "Heat map")
LANE, SIGN, KIND = "brush-lane", "brush-sign", "brush-kind"


def current(lab: Lab, view: View) -> brushing.Shown | None:
    """The brush and its pairs; None without one, or while the lanes have not told their pairs yet."""
    try:
        return _found(lab, view)
    except ValueError as error:
        st.warning(f"This brush cannot be shown: {error}. Clear it, or brush anew.")
        return None


def held(lab: Lab, view: View) -> brushing.Shown | None:
    """The same, where the bar has told already what is wrong."""
    try:
        return _found(lab, view)
    except ValueError:
        return None


def _found(lab: Lab, view: View) -> brushing.Shown | None:
    selection = lab.page.setup.brush
    if selection is None or not any(look is not None for look in view.looks):
        return None
    return brushing.shown(selection, view.looks)


def bar(lab: Lab, view: View) -> brushing.Shown | None:
    """What is brushed, above the panels, with the controls of the brush; returns the brush."""
    with st.container(horizontal=True, vertical_alignment="center", key="brush"):
        found = current(lab, view)
        st.markdown(_told(lab, view, found))
        _choices(lab, view)
        if lab.page.setup.brush is not None:
            st.button("Clear", key="brush-clear", on_click=partial(_clear, lab))
        lab_held.controls(lab, found)
    return found


def _told(lab: Lab, view: View, found: brushing.Shown | None) -> str:
    selection = lab.page.setup.brush
    if selection is None:
        return HINT
    what = brushing.words(selection, items.class_names(view.lanes[0].config.data))
    if found is None:
        return f"**Brush:** {what}"
    name = f"{selection.name}: " if selection.name else ""
    shares = brushing.share_words(found)
    count = f"{found.own.pairs:,} pair{'' if found.own.pairs == 1 else 's'}"
    return f"**{name}{count}**: {what} at step {found.home.step}{': ' if shares else ''}{shares}"


def _choices(lab: Lab, view: View) -> None:
    """Lane and sign of the brush that stands, and of the next one."""
    letters = [theme.letter(k) for k in range(len(view.lanes))]
    if len(letters) > 1:
        st.segmented_control(
            "Lane", letters, default=_lane(letters), required=True, key=LANE, label_visibility="collapsed",
            on_change=partial(_again, lab), help="Lane whose pairs are brushed; the others show the same pairs.",
        )  # fmt: skip
    st.segmented_control(
        "Sign", SIGNS, default=state.choice(SIGN, SIGNS[0]), required=True, key=SIGN, label_visibility="collapsed",
        on_change=partial(_again, lab), help="Which pairs a stretch of scores takes.",
    )  # fmt: skip
    popover = st.popover("By numbers", key="brush-form", on_change="rerun")
    if popover.open:
        with popover:
            st.caption("Brush without a pointer.")
            _form(lab, view)


def _lane(letters: list[str]) -> str:
    kept = str(state.choice(LANE, letters[0]))
    return kept if kept in letters else letters[0]


def _form(lab: Lab, view: View) -> None:
    """One way to brush at a time, all by keyboard."""
    kind = st.segmented_control("Brush by", KINDS, default=KINDS[0], required=True, key=KIND)
    if kind == "Scores":
        _ends("Cosine from", "to", (-1.0, 1.0), (0.5, 1.0))
    elif kind == "ROC":
        _ends("False positive rate from", "to", (0.0, 1.0), (0.0, 0.1))
    elif kind == "Classes":
        named = items.class_names(view.lanes[0].config.data)
        st.multiselect(
            "One class, or two", list(named), format_func=lambda k: named[k], max_selections=2, key="brush-classes"
        )
    elif kind == "Items":
        st.text_input("Item numbers", placeholder="3, 17, 220", key="brush-items")
        st.toggle("Both items among them", key="brush-both")
    else:
        st.text_input("Anchor ranks, by class: first and last", placeholder="0, 49", key="brush-rows")
        st.text_input("Candidate ranks: first and last", placeholder="50, 99", key="brush-columns")
    st.button("Brush", key="brush-typed", type="primary", on_click=partial(_typed, lab, kind))


def _ends(first: str, last: str, within: tuple[float, float], usual: tuple[float, float]) -> None:
    for label, key, value in ((first, "brush-low", usual[0]), (last, "brush-high", usual[1])):
        st.number_input(label, *within, value, 0.01, key=f"{key}{within[0]:g}")


def _typed(lab: Lab, kind: str) -> None:
    lab.attempt(lambda: take(lab, _READERS[kind]()))


def _score_band() -> Brush:
    return ScoreBand(str(state.choice(SIGN, SIGNS[0])), state.get("brush-low-1"), state.get("brush-high-1"))


def _rate_band() -> Brush:
    return RateBand("fpr", state.get("brush-low0"), state.get("brush-high0"))


def _class_cell() -> Brush:
    classes = state.get("brush-classes") or ()
    if not classes:
        raise ValueError("choose one class, or two, to brush their pairs")
    return ClassCell(int(classes[0]), int(classes[-1]))


def _item_set() -> Brush:
    return ItemSet(brushing.numbers_of(state.get("brush-items", "")), "both" if state.get("brush-both") else "any")


def _block() -> Brush:
    spans = []
    for name, key in (("anchor", "brush-rows"), ("candidate", "brush-columns")):
        ranks = brushing.numbers_of(state.get(key, ""))
        if len(ranks) != 2:
            raise ValueError(f"{name} ranks are two numbers, the first and the last, got {len(ranks)}")
        spans.append((ranks[0], ranks[1] + 1))
    return Block(*spans)


_READERS: dict[str, Callable[[], Brush]] = {
    "Scores": _score_band, "ROC": _rate_band, "Classes": _class_cell, "Items": _item_set, "Heat map": _block,
}  # fmt: skip


def take(lab: Lab, brush: Brush, panel: str = "", lane: str = "") -> None:
    """Hold this brush; raises ValueError if it does not fit into an address. panel: where it was dragged out."""
    among = "all"
    if isinstance(brush, ScoreBand | RateBand):
        asked = panel or ("scores" if isinstance(brush, ScoreBand) else "roc")
        among = "unseen" if state.choice(f"{'score' if asked == 'scores' else 'roc'}-unseen", False) else "seen"
    selection = Selection(brush, lane=lane or str(state.choice(LANE, "A")), among=among)
    to_text(selection)
    lab.brush(selection)


def drag(lab: Lab, panel: str, key: str) -> None:
    """A stretch was dragged out on a panel, or taken away there."""
    stretch = state.get(key)["selection"].get(STRETCH) or {}
    brush = brushing.dragged(panel, stretch, str(state.choice(SIGN, SIGNS[0])))
    if brush is None:
        _clear(lab, mount=False)
    else:
        lab.attempt(lambda: take(lab, brush, panel))


def lasso(lab: Lab, key: str, rows: list[Any]) -> None:
    """Items were drawn around on the map, or let go."""
    found = brushing.lassoed_items(state.get(key)["selection"]["selected"], rows)
    if found:
        lab.attempt(lambda: take(lab, ItemSet(found, "both" if state.choice("brush-both", False) else "any")))
    else:
        _clear(lab, mount=False)


def cell(lab: Lab, key: str, labels: list[Any]) -> None:
    """A cell of the matrices of classes was clicked, or let go."""
    found = brushing.clicked_cell(state.get(key)["selection"].get(CELL) or (), labels)
    if found is None:
        _clear(lab, mount=False)
        return
    lane, chosen = found
    lab.attempt(lambda: take(lab, chosen, lane=theme.letter(lane)))
    state.put(LANE, theme.letter(lane))


def box(lab: Lab, key: str, cells: list[tuple[int, tuple[int, int]]]) -> None:
    """A block of a heat map was boxed, or let go."""
    boxes = state.get(key)["selection"]["box"]
    if not boxes:
        _clear(lab, mount=False)
        return

    def hold() -> None:
        lane, block = brushing.boxed(boxes[-1], cells)
        take(lab, block, lane=theme.letter(lane))
        state.put(LANE, theme.letter(lane))

    lab.attempt(hold)


def _again(lab: Lab) -> None:
    """Another lane or sign for the brush that stands."""
    held = lab.page.setup.brush
    if held is None:
        return
    sign, lane = str(state.choice(SIGN, SIGNS[0])), str(state.choice(LANE, "A"))
    brush = replace(held.brush, sign=sign) if isinstance(held.brush, ScoreBand) else held.brush
    lab_held.changed(lab, replace(held, brush=brush, lane=lane))


def _clear(lab: Lab, mount: bool = True) -> None:
    """mount: the charts are mounted anew, without the stretch that was dragged out on them."""
    lab.brush(None)
    lab.page.brushes += mount
