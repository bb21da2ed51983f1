"""Questions of a lesson: asked with a slider, a choice or a curve to draw, kept, and graded once the run is shown."""

from collections.abc import Mapping

import streamlit as st

from app import state
from app.lesson import Answer, Lesson, Question
from app.lesson_grade import course, grade
from app.lesson_trials import Measured
from app.views import lesson_session
from components import theme
from components.widgets import drawn_curve
from models.diagnostics import readings
from models.diagnostics.summary import Summary


def ask(lesson: Lesson, question: Question) -> None:
    """Asked until it is answered; graded once the run is shown."""
    kept = lesson_session.key(lesson, f"answer-{question.name}")
    answer: Answer | None = state.get(kept)
    with st.container(border=True, key=f"question-{question.name}"):
        st.markdown(f"**Predict.** {question.text}")
        if lesson_session.mode(lesson) is not None:
            _grade(lesson, question, answer)
        elif answer is not None:
            _kept(lesson, question, answer)
            st.button("Change it", key=f"change-{question.name}", on_click=state.put, args=(kept, None))
        else:
            given = _asked(lesson, question)
            st.button(
                "This is my answer", key=f"commit-{question.name}", disabled=given is None, on_click=state.put,
                args=(kept, given),
            )  # fmt: skip


def _kept(lesson: Lesson, question: Question, answer: Answer) -> None:
    """The answer as it was given."""
    if not isinstance(answer, tuple):
        st.markdown(f"Your answer: **{answer if isinstance(answer, str) else f'{answer:g}'}**. Now run it.")
        return
    heights = ", ".join(f"{height:.3g} at step {step}" for step, height in zip(question.steps, answer, strict=True))
    st.markdown(f"Your answer: **{heights}**. Now run it.")
    drawn_curve.show(_frame(question), answer, None, lesson_session.key(lesson, f"kept-{question.name}"))


def _asked(lesson: Lesson, question: Question) -> Answer | None:
    """The slider, the choice or the curve, where it stands now."""
    key = lesson_session.key(lesson, f"ask-{question.name}")
    if question.steps:
        return _drawn(question, key)
    if not question.run:
        return st.radio(
            "Your answer", [run.name for run in lesson.runs], index=None, key=key, label_visibility="collapsed"
        )
    middle = (question.low + question.high) / 2
    step = 1.0 if question.high - question.low > 20 else (question.high - question.low) / 100
    return float(
        st.slider(
            f"{readings.says(question.measure)} of {question.run}, in {readings.unit(question.measure)}",
            question.low, question.high, round(middle / step) * step, step, key=key,
        )
    )  # fmt: skip


def _frame(question: Question) -> drawn_curve.Frame:
    name = f"{readings.says(question.measure)} of {question.run}"
    return drawn_curve.Frame(name, readings.unit(question.measure), question.steps, question.low, question.high)


def _drawn(question: Question, key: str) -> tuple[float, ...]:
    """A chart to draw on and a field for each height: the fields hold what stands, and the chart writes into them."""
    frame = _frame(question)
    fields = [f"{key}-{step}" for step in question.steps]
    for field, height in zip(fields, frame.middle, strict=True):
        if not state.known(field):
            state.put(field, height)

    def take() -> None:
        heights = drawn_curve.sent(frame, state.get(key))
        for field, height in zip(fields, heights or (), strict=False):
            state.put(field, height)

    st.caption(f"{frame.name}, in {frame.unit}. Draw with a pointer, or move the points with the arrow keys.")
    drawn_curve.draw(frame, [float(state.get(field)) for field in fields], key, take)
    with st.expander("By numbers"), st.container(horizontal=True):
        for field, step in zip(fields, question.steps, strict=True):
            st.number_input(
                f"Step {step}", frame.low, frame.high, step=frame.grain, format="%.3g", key=field, width=130
            )
    return tuple(float(state.get(field)) for field in fields)


def _grade(lesson: Lesson, question: Question, answer: Answer | None) -> None:
    numbers = lesson_session.measured(lesson)
    if numbers is None:
        st.info("This lesson has not been measured since it was changed: python -m app lessons verify --write")
        return
    found = grade(lesson, question, answer, numbers)
    (st.success if found.right else st.info)(found.words)
    live = lesson_session.mode(lesson) == lesson_session.LIVE
    pairs = zip(lesson.runs, lesson_session.shown(lesson) if live else (), strict=False)
    here = {run.name: summary for run, summary in pairs if summary.step >= lesson.steps}
    if question.steps:
        _course(lesson, question, answer if isinstance(answer, tuple) else None, numbers, here)
    elif here:
        told = ", ".join(f"{name} {readings.read(summary, question.measure):.3g}" for name, summary in here.items())
        st.caption(f"Trained here, one seed: {told}.")


def _course(
    lesson: Lesson,
    question: Question,
    answer: tuple[float, ...] | None,
    numbers: Measured,
    here: Mapping[str, Summary],
) -> None:
    """The drawn curve under the measured one, and the one that was trained here."""
    found = course(question, numbers)
    lane = [run.name for run in lesson.runs].index(question.run)
    own = here.get(question.run)
    trained = None if own is None else [readings.read(own, name) for name in question.measures]
    told = drawn_curve.Found(found.mean, found.low, found.high, trained, theme.colour(lane))
    drawn_curve.show(_frame(question), answer, told, lesson_session.key(lesson, f"shown-{question.name}"))
    drawn = "Dashed: your curve. " if answer is not None else ""
    last = " Dotted: trained here, one seed." if trained else ""
    st.caption(
        f"{readings.says(question.measure)} of {question.run}, in {readings.unit(question.measure)}. {drawn}"
        f"Line and band: mean over {len(numbers.seeds)} seeds and its 95 % interval.{last}"
    )
