"""The moving parts of a lesson: questions, the run (recorded or trained here), panels, what-if, and what leaves it."""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from html import escape
from typing import Any

import numpy as np
import streamlit as st

from app import drawn, lesson_file, notebook, startup, state
from app.address import Setup
from app.commands.lessons import NUMBERS
from app.lesson import Lesson, Place, Question
from app.lesson_grade import grade
from app.lesson_trials import Measured, fingerprint, read, replay_path
from app.views import lab_readings
from app.views.lab_panels import HEIGHT, PANELS, spec_of
from components import theme
from components.panels import what_if
from models.diagnostics import readings
from models.diagnostics.storage import load_summaries
from models.diagnostics.summary import Summary
from models.engine.quota import QuotaError
from models.spec import Knob
from models.training.config import RunConfig, part_knobs

POLL_S = 1.0
RECORDED, LIVE = "recorded", "live"


@st.cache_resource
def _measured() -> dict[str, Measured]:
    return read(lesson_file.FOLDER / NUMBERS)


@st.cache_resource(max_entries=8)
def _recording(number: int, path: str) -> tuple[tuple[Summary, ...], ...]:
    """Frames of each run, run by run."""
    frames = load_summaries(path)
    configs = list(dict.fromkeys(frame.config for frame in frames))
    return tuple(tuple(frame for frame in frames if frame.config == config) for config in configs)


def measured(lesson: Lesson) -> Measured | None:
    """The numbers over seeds, if they are of the lesson as it stands."""
    found = _measured().get(lesson.slug)
    return found if found is not None and found.fingerprint == fingerprint(lesson) else None


def draw(lesson: Lesson, place: Place) -> None:
    """One place of the prose."""
    if place.kind == "question":
        _question(lesson, lesson.question(place.name))
    elif place.kind == "run":
        _run(lesson)
    elif place.kind == "panel":
        _moving(lesson, place.name)
    else:
        _what_if(lesson, place.name)


def _key(lesson: Lesson, name: str) -> str:
    return f"lesson-{lesson.slug}-{name}"


def _mode(lesson: Lesson) -> str | None:
    """Whether the recording or a run of this machine is shown; None before either."""
    mode: str | None = state.get(_key(lesson, "mode"))
    return mode


def _question(lesson: Lesson, question: Question) -> None:
    """Asked until it is answered; graded once the run is shown."""
    kept = _key(lesson, f"answer-{question.name}")
    answer = state.get(kept)
    with st.container(border=True, key=f"question-{question.name}"):
        st.markdown(f"**Predict.** {question.text}")
        if _mode(lesson) is not None:
            _grade(lesson, question, answer)
        elif answer is not None:
            st.markdown(f"Your answer: **{answer if isinstance(answer, str) else f'{answer:g}'}**. Now run it.")
            st.button("Change it", key=f"change-{question.name}", on_click=state.put, args=(kept, None))
        else:
            given = _asked(lesson, question)
            st.button(
                "This is my answer", key=f"commit-{question.name}", disabled=given is None, on_click=state.put,
                args=(kept, given),
            )  # fmt: skip


def _asked(lesson: Lesson, question: Question) -> float | str | None:
    """The slider or the choice, where it stands now."""
    key = _key(lesson, f"ask-{question.name}")
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


def _grade(lesson: Lesson, question: Question, answer: float | str | None) -> None:
    numbers = measured(lesson)
    if numbers is None:
        st.info("This lesson has not been measured since it was changed: python -m app lessons verify --write")
        return
    found = grade(lesson, question, answer, numbers)
    (st.success if found.right else st.info)(found.words)
    if _mode(lesson) == LIVE:
        here = {run.name: s for run, s in zip(lesson.runs, _shown(lesson), strict=False) if s.step >= lesson.steps}
        told = [f"{name} {readings.read(s, question.measure):.3g}" for name, s in here.items()]
        if told:
            st.caption(f"Trained here, one seed: {', '.join(told)}.")


def _run(lesson: Lesson) -> None:
    open_questions = [q for q in lesson.questions if state.get(_key(lesson, f"answer-{q.name}")) is None]
    with st.container(horizontal=True, vertical_alignment="center", key="lesson-run"):
        st.button(
            "Show what happens", key="lesson-show", type="primary", help="The stored recording: at once.",
            disabled=not replay_path(lesson_file.FOLDER, lesson).is_file(),
            on_click=state.put, args=(_key(lesson, "mode"), RECORDED),
        )  # fmt: skip
        if "live" not in lesson.locked or not open_questions:
            st.button("Run it here", key="lesson-live", on_click=_train, args=(lesson,))
        if _mode(lesson) is not None:
            st.button("Begin again", key="lesson-again", on_click=_again, args=(lesson,))
    if open_questions and _mode(lesson) is None:
        st.caption("Predict first: you remember what surprised you.")
    problem = state.get(_key(lesson, "problem"))
    if problem:
        st.warning(str(problem), icon="⚠️")
    names = " · ".join(f"{theme.badge(k)} {run.name}" for k, run in enumerate(lesson.runs))
    st.markdown(names)
    if _mode(lesson) == RECORDED:
        steps = [frame.step for frame in _recorded(lesson)[0]]
        st.select_slider("Step", steps, value=steps[-1], key=_key(lesson, "step"))
    elif _mode(lesson) == LIVE:
        _progress(lesson)


def _train(lesson: Lesson) -> None:
    """Train the runs on this machine, on a board of the engine like that of the lab."""
    try:
        player = startup.boards().create([run.config for run in lesson.runs])
        player.run_until(step=lesson.steps)
    except (QuotaError, ValueError) as error:
        state.put(_key(lesson, "problem"), f"{error} The recording shows the same runs.")
        return
    state.put(_key(lesson, "problem"), "")
    state.put(_key(lesson, "board"), player.board_id)
    state.put(_key(lesson, "mode"), LIVE)


def _again(lesson: Lesson) -> None:
    for name in ("mode", "board", "problem", *(f"answer-{question.name}" for question in lesson.questions)):
        state.put(_key(lesson, name), None)


def _player(lesson: Lesson) -> Any:
    board = state.get(_key(lesson, "board"))
    return startup.boards().get(board) if board and _mode(lesson) == LIVE else None


def _progress(lesson: Lesson) -> None:
    """How far the runs are; looks again until they are done, then the page is drawn with the grades."""
    player = _player(lesson)
    if player is None:
        st.info("The run of this machine has gone; the recording shows the same.")
        return
    done = player.state().step >= lesson.steps

    @st.fragment(run_every=None if done else POLL_S)
    def look() -> None:
        startup.boards().look(player.board_id)
        now = player.state()
        st.progress(min(now.step / lesson.steps, 1.0), text=f"Step {now.step} of {lesson.steps}. {now.message}")
        if not done and now.step >= lesson.steps:
            st.rerun()

    look()


def _recorded(lesson: Lesson) -> tuple[tuple[Summary, ...], ...]:
    return _recording(lesson.number, str(replay_path(lesson_file.FOLDER, lesson)))


def _shown(lesson: Lesson) -> list[Summary]:
    """What the panels draw, run by run, each under the name that the lesson gives it."""
    if _mode(lesson) == RECORDED:
        runs = _recorded(lesson)
        step = state.choice(_key(lesson, "step"), runs[0][-1].step)
        found = [next((frame for frame in frames if frame.step == step), frames[-1]) for frames in runs]
    else:
        player = _player(lesson)
        lanes = () if player is None else player.state().lanes
        found = [lane.summary for lane in lanes if lane.summary is not None]
    return [named(summary, run.name) for summary, run in zip(found, lesson.runs, strict=False)]


@lru_cache(maxsize=64)
def named(summary: Summary, name: str) -> Summary:
    """The summary under another name; the same one gives the same object, so that its picture is known again."""
    return replace(summary, label=name)


def _moving(lesson: Lesson, name: str) -> None:
    """A panel of the lab; while runs train here it looks again by itself."""
    if _mode(lesson) is None:
        return
    player = _player(lesson)
    training = player is not None and player.state().step < lesson.steps

    @st.fragment(run_every=POLL_S if training else None)
    def panel() -> None:
        _panel(lesson, name, _shown(lesson))

    panel()


def _panel(lesson: Lesson, name: str, shown: Sequence[Summary]) -> None:
    reading = lab_readings.fullest(name, shown)
    panel = lab_readings.PICTURES.get(name, {}).get(reading, PANELS[name])
    st.markdown(f"**{panel.TITLE}**", help=panel.HELP)
    if not shown:
        st.skeleton(height=HEIGHT)
        return
    key, data = f"lesson-chart-{name}", lesson.runs[0].config.data
    options = lab_readings.options_of(reading, data)
    if name == "map":
        st.echarts_chart(drawn.map_option(shown, data), key=key, height=HEIGHT, alt=panel.sentence(shown))
    else:
        rows = drawn.rows(panel, shown, lab_readings.drawing(panel, options))
        st.vega_lite_chart(rows, spec_of(panel, options), key=key, alt=panel.TITLE, width="stretch")
    st.caption(drawn.sentence(panel, shown, lab_readings.telling(panel, options)))


def _what_if(lesson: Lesson, name: str) -> None:
    """Another value of a loss knob of the first run, on its frozen scores; needs a run of this machine."""
    if _mode(lesson) is None or _locked(lesson, "what-if"):
        return
    player, first = _player(lesson), lesson.runs[0]
    if player is None:
        st.caption(f"Press **Run it here** to drag the {name} of {first.name} yourself.")
        return
    knob = next(knob for knob in part_knobs("loss", first.config.loss.key) if knob.name == name)
    values = _values(knob)
    value = st.select_slider(f"{name} of {first.name}, if it were", values, key=_key(lesson, f"if-{name}"))
    lane = player.state().lanes[0]
    try:
        found = player.what_if(lane.id, {name: value})
    except (QuotaError, ValueError) as error:
        st.warning(str(error), icon="⚠️")
        return
    now = lane.summary.weights if lane.summary is not None else None
    if now is None or found.weights is None:
        st.caption("This loss gives no weight to pairs.")
        return
    st.vega_lite_chart(what_if.rows(now, found.weights), what_if.spec(), key="lesson-what-if", alt=what_if.TITLE)
    st.caption(what_if.sentence(now, found.weights))


def _values(knob: Knob) -> list[float]:
    """Thirteen values from the knob's lowest to its highest, evenly spaced on its own scale."""
    low, high = float(knob.low or 0.0), float(knob.high or 1.0)
    spaced = np.geomspace(low, high, 13) if knob.log else np.linspace(low, high, 13)
    return [float(f"{value:.2g}") for value in spaced]


def _locked(lesson: Lesson, what: str) -> bool:
    """True while something stays shut: until every question is answered, or the run has been shown."""
    return what in lesson.locked and _mode(lesson) is None


def foot(lesson: Lesson) -> None:
    """What was claimed, and the ways out: the same set-up in the lab, the lesson as a notebook."""
    lanes: tuple[RunConfig, ...] = tuple(run.config for run in lesson.side_by_side())
    with st.container(horizontal=True, vertical_alignment="center", key="lesson-foot"):
        if not _locked(lesson, "lab"):
            address = escape(f"/?{state.link(Setup(lanes, lesson.panels))}")
            st.html(f'<a class="lesson-link" href="{address}" target="_self">Open in the lab</a>')
            if len(lanes) < len(lesson.runs):
                names = ", ".join(run.name for run in lesson.runs if run.config not in lanes)
                st.caption(f"Without {names}: the lab's lanes share all but the loss and its methods.")
        if not _locked(lesson, "notebook"):
            st.download_button(
                "Jupyter notebook", notebook.notebook(lesson), notebook.file_name(lesson), "application/x-ipynb+json",
                key="lesson-notebook", on_click="ignore",
            )  # fmt: skip
