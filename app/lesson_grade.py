"""A prediction against what was measured: near or far, with the spread over seeds and the reason."""

from dataclasses import dataclass
from math import isfinite

import numpy as np

from app.lesson import Answer, Lesson, Question
from app.lesson_trials import Measured, interval
from models.diagnostics import readings


@dataclass(frozen=True)
class Grade:
    """What to say of one answer."""

    right: bool
    words: str


@dataclass(frozen=True)
class Course:
    """What was measured at each step of a curve: mean over seeds, and the ends of its 95 % interval."""

    mean: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


def grade(lesson: Lesson, question: Question, answer: Answer | None, measured: Measured) -> Grade:
    """Grade a number, a curve or the name of a run; without an answer only what was measured is told."""
    if question.steps:
        return _curve(question, answer if isinstance(answer, tuple) else None, course(question, measured))
    if question.run:
        return _number(question, answer if isinstance(answer, float | int) else None, measured)
    return _choice(lesson, question, answer if isinstance(answer, str) else None, measured)


def course(question: Question, measured: Measured) -> Course:
    """The measured curve of a question that asks for one; nan where the run logged nothing."""
    found = [interval(measured.values[question.run][name]) for name in question.measures]
    mean, low, high = zip(*found, strict=True)
    return Course(mean, low, high)


def _curve(question: Question, answer: tuple[float, ...] | None, found: Course) -> Grade:
    """Near: the mean distance to the measured curve is at most `near` and the mean reach of its intervals."""
    says, unit = readings.says(question.measure), readings.unit(question.measure)
    if not all(map(isfinite, (*found.low, *found.high))):
        return Grade(False, f"{says} is not defined at each of these steps, so the curve cannot be graded.")
    means = ", ".join(f"{mean:.3g} at step {step}" for step, mean in zip(question.steps, found.mean, strict=True))
    if answer is None:
        return Grade(False, f"Measured, {says} ({unit}): {means}.")
    distances = [abs(drawn - mean) for drawn, mean in zip(answer, found.mean, strict=True)]
    reach = float(np.mean([high - low for low, high in zip(found.low, found.high, strict=True)])) / 2
    distance, worst = round(float(np.mean(distances)), 9), int(np.argmax(distances))
    near = distance <= question.near + reach
    return Grade(
        near,
        f"{'Near' if near else 'Far'}: your curve lies **{distance:.2g}** from the measured one ({unit}; mean over "
        f"{len(answer)} steps; up to {question.near + reach:.2g} is near, {reach:.2g} of it the spread over seeds). "
        f"It is off most at step {question.steps[worst]}: you drew {answer[worst]:.3g}, measured "
        f"{found.mean[worst]:.3g} [{found.low[worst]:.3g}, {found.high[worst]:.3g}]. Measured, {says}: {means}.",
    )


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
