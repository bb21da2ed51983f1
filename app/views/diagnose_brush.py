"""The brush of the Diagnose page: dragged on a panel, typed, or a finding's pairs; every panel then shows it."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import streamlit as st

from app import brushing, state
from app.diagnosing import Case
from components.panels.brush import STRETCH
from components.panels.class_matrix import CELL
from models.checkpoint.result import Result
from models.selection import SIGNS, Block, Brush, ClassCell, ItemSet, PairList, RateBand, ScoreBand, Selection

HELD = "diagnose-held"  # key of the finding that is marked
BRUSH, PROBLEM = "diagnose-brush", "diagnose-brush-problem"
ORIGIN, MOUNT = "diagnose-origin", "diagnose-mount"  # the panel that the brush was made on; how often each was mounted
SIGN, KIND = "diagnose-sign", "diagnose-kind"
KINDS = ("Scores", "ROC", "Classes", "Items", "Heat map")
HINT = (
    "Drag along the histogram or the ROC, click a pair of classes, draw around items on the map, or mark a finding: "
    "every panel then shows those pairs, and their cards stand below."
)


def selection(case: Case) -> Selection | None:
    """The brush of this case; None without one."""
    key, found = state.get(BRUSH, ("", None))
    return found if key == case.key else None


def mount(panel: str) -> int:
    """Grows when a chart must be mounted anew, without what was dragged out on it."""
    return int(state.get(f"{MOUNT}-{panel}", 0))


def found(case: Case, places: Sequence[int]) -> brushing.Shown | None:
    """The brush and its pairs in these views; None without one, or where there is nothing to brush."""
    chosen = selection(case)
    if chosen is None:
        return None
    try:
        return case.brushed(chosen, places)
    except ValueError as error:
        st.warning(f"This brush cannot be shown: {error}. Clear it, or brush anew.")
        return None


def bar(case: Case, result: Result, shown: brushing.Shown | None) -> None:
    """What is brushed, above the panels, with the controls of the brush."""
    with st.container(horizontal=True, vertical_alignment="center", key="diagnose-bar"):
        chosen = selection(case)
        st.markdown(HINT if chosen is None or shown is None else _told(result, chosen, shown))
        st.segmented_control("Sign", SIGNS, default=state.choice(SIGN, SIGNS[0]), required=True, key=SIGN,
                             label_visibility="collapsed", help="Which pairs a stretch of scores takes.")  # fmt: skip
        popover = st.popover("By numbers", help="Brush without a pointer.", key="diagnose-form", on_change="rerun")
        if popover.open:
            with popover:
                _form(case, result)
        if chosen is not None:
            st.button("Clear", key="diagnose-clear", on_click=partial(clear, case))
    if problem := state.get(PROBLEM):
        st.warning(str(problem))


def _told(result: Result, chosen: Selection, shown: brushing.Shown) -> str:
    """`Marked: 12 pairs: negatives scoring 0.60 to 0.90: 2.1 % of negatives`, a letter only where there are several."""
    own, names = shown.own, dict(enumerate(result.classes))
    what = chosen.name or brushing.words(chosen, names).removesuffix(" in lane A")
    shares = brushing.share_words(shown)
    return f"**Marked: {own.pairs:,} pair{'' if own.pairs == 1 else 's'}**, {what}{': ' if shares else ''}{shares}"


def hold(case: Case, brush: Brush | None, panel: str = "", name: str = "", finding: str | None = None) -> None:
    """Show these pairs everywhere. panel: that they were brushed on; finding: key of the finding that they are of."""
    state.put(BRUSH, (case.key, None if brush is None else Selection(brush, name=name)))
    state.put(HELD, finding)
    state.put(PROBLEM, "")
    before = str(state.get(ORIGIN, ""))
    if before != panel:
        state.put(f"{MOUNT}-{before}", mount(before) + 1)
    state.put(ORIGIN, panel)


def mark(case: Case, result: Result, key: str, title: str) -> None:
    """The pairs of a finding, or none of them if they are marked already."""
    if state.get(HELD) == key:
        clear(case)
    else:
        hold(case, PairList(result.marks[key].pairs), name=title[:60], finding=key)


def clear(case: Case) -> None:
    """No brush, and no trace of it on the chart where it was made."""
    hold(case, None)


def _attempt(work: Callable[[], None]) -> None:
    try:
        work()
    except ValueError as error:
        state.put(PROBLEM, f"Nothing is brushed: {error}.")


def drag(case: Case, panel: str, key: str) -> None:
    """A stretch was dragged out on the histogram ("scores") or the ROC, or taken away there."""
    stretch = state.get(key)["selection"].get(STRETCH) or {}
    brush = brushing.dragged(panel, stretch, str(state.choice(SIGN, SIGNS[0])))
    hold(case, brush, panel)


def cell(case: Case, key: str, labels: list[Any]) -> None:
    """A pair of classes was clicked, or let go."""
    told = brushing.clicked_cell(state.get(key)["selection"].get(CELL) or (), labels)
    hold(case, None if told is None else told[1], "classes")


def lasso(case: Case, key: str, rows: list[Any]) -> None:
    """Items were drawn around on the map, or let go."""
    items = brushing.lassoed_items(state.get(key)["selection"]["selected"], rows)
    hold(case, ItemSet(items) if items else None, "map")


def box(case: Case, key: str, cells: list[tuple[int, tuple[int, int]]]) -> None:
    """A block of a heat map was boxed, or let go."""
    boxes = state.get(key)["selection"]["box"]
    if boxes:
        _attempt(lambda: hold(case, brushing.boxed(boxes[-1], cells)[1], "heat"))
    else:
        hold(case, None, "heat")


def _form(case: Case, result: Result) -> None:
    """One way to brush at a time, all by keyboard."""
    kind = str(st.segmented_control("Brush by", KINDS, default=KINDS[0], required=True, key=KIND))
    if kind in ("Scores", "ROC"):
        low, usual = (-1.0, (0.5, 1.0)) if kind == "Scores" else (0.0, (0.0, 0.1))
        called = "Cosine" if kind == "Scores" else "False positive rate"
        st.number_input(f"{called} from", low, 1.0, usual[0], 0.01, key=f"diagnose-low-{kind}")
        st.number_input("to", low, 1.0, usual[1], 0.01, key=f"diagnose-high-{kind}")
    elif kind == "Classes":
        names = dict(enumerate(result.classes))
        st.multiselect("One class, or two", list(names), format_func=lambda k: names[k], max_selections=2,
                       key="diagnose-classes")  # fmt: skip
    elif kind == "Items":
        st.text_input("Item numbers", placeholder="3, 17, 220", key="diagnose-items")
    else:
        st.text_input("Anchor ranks, by class: first and last", placeholder="0, 49", key="diagnose-anchors")
        st.text_input("Candidate ranks: first and last", placeholder="50, 99", key="diagnose-candidates")
    st.button("Brush", key="diagnose-typed", type="primary", on_click=partial(_typed, case, kind))


def _typed(case: Case, kind: str) -> None:
    _attempt(lambda: hold(case, _read(kind)))


def _read(kind: str) -> Brush:
    if kind == "Scores":
        ends = state.get("diagnose-low-Scores"), state.get("diagnose-high-Scores")
        return ScoreBand(str(state.choice(SIGN, SIGNS[0])), *ends)
    if kind == "ROC":
        return RateBand("fpr", state.get("diagnose-low-ROC"), state.get("diagnose-high-ROC"))
    if kind == "Classes":
        classes = state.get("diagnose-classes") or ()
        if not classes:
            raise ValueError("choose one class, or two, to brush their pairs")
        return ClassCell(int(classes[0]), int(classes[-1]))
    if kind == "Items":
        return ItemSet(brushing.numbers_of(state.get("diagnose-items", "")))
    spans = []
    for name in ("anchors", "candidates"):
        ranks = brushing.numbers_of(state.get(f"diagnose-{name}", ""))
        if len(ranks) != 2:
            raise ValueError(f"ranks of {name} are two numbers, the first and the last, got {len(ranks)}")
        spans.append((ranks[0], ranks[1] + 1))
    return Block(*spans)
