"""Lessons: a list, and one lesson as predict, run, observe; for one reader or, a part at a time, for a room."""

from itertools import groupby

import streamlit as st

from app import lesson_file, state
from app.lesson import Lesson, Place
from app.views import lesson_parts

FIELD = "lesson"  # of the address: the slug of the open lesson
STYLE = """
.stMainBlockContainer { padding-bottom: 3rem; max-width: 62rem; }
[data-testid="stCaptionContainer"] { opacity: 0.8; }
.lesson-link { color: inherit; text-decoration: underline; }
.stButton button[kind="primary"] { background-color: #3457d5; border-color: #3457d5; }
"""
# On paper: the lesson alone, at its full length; what can be pressed or dragged is of no use there.
PRINT = """
@media print {
  @page { margin: 15mm; }
  :is(.stAppHeader, .stSidebar, [data-testid="stToolbar"],
    [data-testid="stElementToolbar"], [data-testid="stDecoration"],
    .stStatusWidget, .stButton, .stDownloadButton, .stTooltipIcon, .lesson-link, .st-key-lesson-foot, .st-key-presenter,
    .st-key-all-lessons, [class*="st-key-lesson-"][class*="-step"], .stVegaLiteChart summary,
    .stHeadingActionElements) { display: none !important; }
  :is(html, body, #root, .stApp, .stAppViewContainer, .stMain, .stMainBlockContainer) {
    position: static !important; height: auto !important; max-width: none; overflow: visible !important; }
  .stMainBlockContainer { padding: 0 !important; }
  body, .stApp { background: white !important; color-scheme: light; }
  :is(.stVegaLiteChart, [data-testid="stEchartsChart"], .stAlert, [class*="st-key-question-"]) { break-inside: avoid; }
  h3, [data-testid="stMarkdownContainer"]:has(> p > strong:only-child) { break-after: avoid; }
  p { orphans: 3; widows: 3; }
}
"""
LARGE = """
.stMainBlockContainer { max-width: 80rem; }
.stMainBlockContainer :is(p, li, label p) { font-size: 1.6rem; line-height: 1.45; }
.stMainBlockContainer h3 { font-size: 2.4rem; }
"""


@st.cache_resource
def _lessons() -> tuple[Lesson, ...]:
    return lesson_file.lessons()


def page() -> None:
    """The lesson that the address names, or the list."""
    st.html(f"<style>{STYLE}{PRINT}</style>")
    known = _lessons()
    asked = state.address_field(FIELD)
    if asked is None:
        _list(known)
        return
    try:
        lesson = lesson_file.named(asked, known)
    except ValueError as error:
        st.warning(f"The link was not understood: {error}", icon="⚠️")
        _list(known)
        return
    _lesson(lesson, known)


def _list(known: tuple[Lesson, ...]) -> None:
    st.markdown("### Lessons")
    st.caption("Predict, run, see. What a lesson claims was trained over several seeds, and a test compares the two.")
    for lesson in known:
        with st.container(border=True, key=f"lesson-{lesson.slug}"):
            st.markdown(f"**{lesson.number}. {lesson.title}**")
            st.caption(f"{lesson.paper} · text {lesson.status} · {lesson.minutes} minutes")
            st.button("Open", key=f"open-{lesson.slug}", on_click=state.put_address_field, args=(FIELD, lesson.slug))


def _lesson(lesson: Lesson, known: tuple[Lesson, ...]) -> None:
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.markdown(f"### {lesson.number}. {lesson.title}")
        presenting = st.toggle("Presenter view", key="presenter", help="Large type, a part at a time: arrow keys.")
        st.button("All lessons", key="all-lessons", on_click=state.put_address_field, args=(FIELD, None))
    if not presenting:
        st.caption(f"{lesson.paper} · text {lesson.status} · {lesson.minutes} minutes")
    groups = parts(lesson)
    shown = groups if not presenting else [groups[_slide(lesson, len(groups))]]
    for group in shown:
        for part in group:
            if isinstance(part, Place):
                lesson_parts.draw(lesson, part)
            else:
                st.markdown(part)
    if not presenting:
        lesson_parts.foot(lesson)
        _neighbours(lesson, known)


def parts(lesson: Lesson) -> list[tuple[str | Place, ...]]:
    """The lesson as slides: prose with the place that follows it; questions each by themselves."""
    numbers, slide = [], 0
    for before, part in zip((None, *lesson.body), lesson.body, strict=False):
        if isinstance(before, Place):  # a place ends its slide
            slide += 1
        numbers.append((slide, part))
    return [tuple(part for _, part in group) for _, group in groupby(numbers, key=lambda pair: pair[0])]


def _slide(lesson: Lesson, count: int) -> int:
    """Which part stands on the screen, and the buttons that turn the pages."""
    st.html(f"<style>{LARGE}</style>")
    key = f"slide-{lesson.slug}"
    at = min(int(state.get(key, 0)), count - 1)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("Back", key="slide-back", shortcut="Left", disabled=at == 0, on_click=state.put, args=(key, at - 1))
        last = at == count - 1
        st.button("Next", key="slide-next", shortcut="Right", disabled=last, on_click=state.put, args=(key, at + 1))
        st.caption(f"{at + 1} of {count}")
    return at


def _neighbours(lesson: Lesson, known: tuple[Lesson, ...]) -> None:
    following = [other for other in known if other.number > lesson.number]
    if following:
        go = following[0]
        st.button(
            f"Next lesson: {go.title}", key="next-lesson", on_click=state.put_address_field, args=(FIELD, go.slug)
        )
