"""A prediction against what was measured: near or far, with the spread over seeds and the reason."""

from dataclasses import dataclass
from math import isfinite

import numpy as np

from app.lesson import Lesson, Question
from app.lesson_trials import Measured, interval
from models.diagnostics import readings


@dataclass(frozen=True)
class Grade:
    """What to say of one answer."""

    right: bool
    words: str


def grade(lesson: Lesson, question: Question, answer: float | str | None, measured: Measured) -> Grade:
    """Grade a number or the name of a run; without an answer only what was measured is told."""
    if question.run:
        return _number(question, None if answer is None else float(answer), measured)
    return _choice(lesson, question, None if answer is None else str(answer), measured)


def _number(question: Question, answer: float | None, measured: Measured) -> Grade:
    """Near: within the interval over seeds, widened by what the question allows."""
    mean, low, high = interval(measured.values[question.run][question.measure])
    spread = f"95 % interval {low:.3g} to {high:.3g} over {len(measured.seeds)} seeds"
    told = f"{readings.says(question.measure)}: **{mean:.3g}** {readings.unit(question.measure)} ({spread})."
    if answer is None:
        return Grade(False, f"Measured, {told}")
    near = low - question.near <= answer <= high + question.near
    return Grade(near, f"{'Near' if near else 'Far'}: you said {answer:.3g}. Measured, {told}")


def _choice(lesson: Lesson, question: Question, answer: str | None, measured: Measured) -> Grade:
    """Right: the run with the highest mean, or one whose paired difference to it does not keep off zero."""
    columns = {run.name: np.array(measured.values[run.name][question.measure]) for run in lesson.runs}
    known = {name: column for name, column in columns.items() if np.isfinite(column).all()}
    best = max(known, key=lambda name: float(known[name].mean()))
    rows = ", ".join(f"{name} {_spread(column)}" for name, column in columns.items())
    told = f"{readings.says(question.measure)}, mean and 95 % interval over {len(measured.seeds)} seeds: {rows}."
    if answer is None:
        return Grade(False, f"The highest is **{best}**. {told}")
    if answer == best:
        return Grade(True, f"Right: **{best}**. {told}")
    low = interval((known[best] - known[answer]).tolist())[1] if answer in known else float("nan")
    if isfinite(low) and low <= 0:
        return Grade(True, f"{answer} is not distinguishable from **{best}**, which has the highest mean. {told}")
    return Grade(False, f"You said {answer}; it is **{best}**. {told}")


def _spread(column: np.ndarray) -> str:
    mean, low, high = interval(column.tolist())
    return f"{mean:.3g} [{low:.3g}, {high:.3g}]" if isfinite(mean) else "not defined"
