"""The moving parts of a lesson: questions, the run (recorded or trained here), panels, what-if, and what leaves it."""

from collections.abc import Sequence
from html import escape

import numpy as np
import streamlit as st

from app import drawn, lesson_file, notebook, startup, state
from app.address import Setup
from app.lesson import Lesson, Place
from app.lesson_trials import replay_path
from app.views import lab_readings, lesson_questions, lesson_session
from app.views.lab_panels import HEIGHT, PANELS, spec_of
from components import theme
from components.panels import what_if
from models.diagnostics.summary import Summary
from models.engine.quota import QuotaError
from models.spec import Knob
from models.training.config import RunConfig, part_knobs

POLL_S, WAIT_S = 1.0, 2.0


def draw(lesson: Lesson, place: Place) -> None:
    """One place of the prose."""
    if place.kind == "question":
        lesson_questions.ask(lesson, lesson.question(place.name))
    elif place.kind == "run":
        _run(lesson)
    elif place.kind == "panel":
        _moving(lesson, place.name)
    else:
        _what_if(lesson, place.name)


def _run(lesson: Lesson) -> None:
    open_questions = [q for q in lesson.questions if state.get(lesson_session.key(lesson, f"answer-{q.name}")) is None]
    with st.container(horizontal=True, vertical_alignment="center", key="lesson-run"):
        st.button(
            "Show what happens", key="lesson-show", type="primary",
            disabled=not replay_path(lesson_file.FOLDER, lesson).is_file(),
            on_click=state.put, args=(lesson_session.key(lesson, "mode"), lesson_session.RECORDED),
        )  # fmt: skip
        if "live" not in lesson.locked or not open_questions:
            st.button("Run it here", key="lesson-live", on_click=_train, args=(lesson,))
        if lesson_session.mode(lesson) is not None:
            st.button("Begin again", key="lesson-again", on_click=_again, args=(lesson,))
    if open_questions and lesson_session.mode(lesson) is None:
        st.caption("Predict first: you remember what surprised you.")
    elif lesson_session.mode(lesson) is None:
        st.caption("The stored recording is shown at once.")
    _hindrance(lesson)
    names = " · ".join(f"{theme.badge(k)} {run.name}" for k, run in enumerate(lesson.runs))
    st.markdown(names)
    if lesson_session.mode(lesson) == lesson_session.RECORDED:
        steps = [frame.step for frame in lesson_session.recorded(lesson)[0]]
        st.select_slider("Step", steps, value=steps[-1], key=lesson_session.key(lesson, "step"))
    elif lesson_session.mode(lesson) == lesson_session.LIVE:
        _progress(lesson)


def _hindrance(lesson: Lesson) -> None:
    """Why nothing trains here: what the server refused, or who comes first."""
    problem = state.get(lesson_session.key(lesson, "problem"))
    if problem:
        st.warning(str(problem), icon="⚠️")
    if state.get(lesson_session.key(lesson, "waiting")):
        _waiting(lesson)


def _train(lesson: Lesson) -> None:
    """Train the runs on this machine, on a board of the engine like that of the lab; wait where it is full."""
    who = lesson_session.key(lesson, state.page().ticket)
    turns = startup.boards().wait(who)
    state.put(lesson_session.key(lesson, "waiting"), turns)
    if turns:
        state.put(lesson_session.key(lesson, "mode"), lesson_session.RECORDED)
        return
    try:
        player = startup.boards().create([run.config for run in lesson.runs])
        player.run_until(step=lesson.steps)
    except (QuotaError, ValueError) as error:
        state.put(lesson_session.key(lesson, "problem"), f"{error} The recording shows the same runs.")
        return
    startup.boards().leave(who)
    state.put(lesson_session.key(lesson, "problem"), "")
    state.put(lesson_session.key(lesson, "board"), player.board_id)
    state.put(lesson_session.key(lesson, "mode"), lesson_session.LIVE)


def _again(lesson: Lesson) -> None:
    startup.boards().leave(lesson_session.key(lesson, state.page().ticket))
    for name in ("mode", "board", "problem", "waiting", *(f"answer-{question.name}" for question in lesson.questions)):
        state.put(lesson_session.key(lesson, name), None)


def _waiting(lesson: Lesson) -> None:
    """The place in the line; looks again by itself, and trains when it is this reader's turn."""

    @st.fragment(run_every=WAIT_S)
    def look() -> None:
        _train(lesson)
        turns = state.get(lesson_session.key(lesson, "waiting"))
        if not turns:
            st.rerun()
        st.info(
            f"As many train now as this machine takes. You are **number {turns}** of those who wait, and your run "
            "begins by itself. Meanwhile the recording shows the same.", icon=":material/hourglass_top:",
        )  # fmt: skip

    look()


def _progress(lesson: Lesson) -> None:
    """How far the runs are; looks again until they are done, then the page is drawn with the grades."""
    player = lesson_session.player(lesson)
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


def _moving(lesson: Lesson, name: str) -> None:
    """A panel of the lab; while runs train here it looks again by itself."""
    if lesson_session.mode(lesson) is None:
        return
    player = lesson_session.player(lesson)
    training = player is not None and player.state().step < lesson.steps

    @st.fragment(run_every=POLL_S if training else None)
    def panel() -> None:
        _panel(lesson, name, lesson_session.shown(lesson))

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
    if lesson_session.mode(lesson) is None or _locked(lesson, "what-if"):
        return
    player, first = lesson_session.player(lesson), lesson.runs[0]
    if player is None:
        st.caption(f"Press **Run it here** to drag the {name} of {first.name} yourself.")
        return
    knob = next(knob for knob in part_knobs("loss", first.config.loss.key) if knob.name == name)
    values = _values(knob)
    value = st.select_slider(
        f"{name} of {first.name}, if it were", values, key=lesson_session.key(lesson, f"if-{name}")
    )
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
    return what in lesson.locked and lesson_session.mode(lesson) is None


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
