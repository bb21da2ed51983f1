"""What one reader of a lesson looks at: the recording or a run of this machine, and under which keys that is kept."""

from dataclasses import replace
from functools import lru_cache
from typing import Any

import streamlit as st

from app import lesson_file, startup, state
from app.commands.lessons import NUMBERS
from app.lesson import Lesson
from app.lesson_trials import Measured, fingerprint, read, replay_path
from models.diagnostics.storage import load_summaries
from models.diagnostics.summary import Summary

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


def key(lesson: Lesson, name: str) -> str:
    """Under which something of a lesson is kept."""
    return f"lesson-{lesson.slug}-{name}"


def mode(lesson: Lesson) -> str | None:
    """Whether the recording or a run of this machine is shown; None before either."""
    shown: str | None = state.get(key(lesson, "mode"))
    return shown


def player(lesson: Lesson) -> Any:
    """The player of the run of this machine; None if there is none."""
    board = state.get(key(lesson, "board"))
    return startup.boards().get(board) if board and mode(lesson) == LIVE else None


def recorded(lesson: Lesson) -> tuple[tuple[Summary, ...], ...]:
    """The stored frames, run by run."""
    return _recording(lesson.number, str(replay_path(lesson_file.FOLDER, lesson)))


def shown(lesson: Lesson) -> list[Summary]:
    """What the panels draw, run by run, each under the name that the lesson gives it."""
    if mode(lesson) == RECORDED:
        runs = recorded(lesson)
        step = state.choice(key(lesson, "step"), runs[0][-1].step)
        found = [next((frame for frame in frames if frame.step == step), frames[-1]) for frames in runs]
    else:
        live = player(lesson)
        lanes = () if live is None else live.state().lanes
        found = [lane.summary for lane in lanes if lane.summary is not None]
    return [named(summary, run.name) for summary, run in zip(found, lesson.runs, strict=False)]


@lru_cache(maxsize=64)
def named(summary: Summary, name: str) -> Summary:
    """The summary under another name; the same one gives the same object, so that its picture is known again."""
    return replace(summary, label=name)
