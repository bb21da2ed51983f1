"""A lesson's prose holds no number of its own: each stands in a run, a question or a claim, which are measured."""

import json
import re

import pytest

from app.lesson import Lesson
from app.lesson_file import lessons, parse
from tests.app.test_lesson_file import BODY, text

LESSONS = lessons()
NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?:e-?\d+)?")


def behind(lesson: Lesson) -> set[float]:
    """Every number of the runs, defaults included, of the questions and of the claims; also as a percentage."""
    runs = [run.config.to_json() for run in lesson.runs]
    asked = [(q.text, q.low, q.high, q.near) for q in lesson.questions]
    claimed = [(c.statement, c.paper, c.right, c.within) for c in lesson.claims]
    found = {float(number) for number in NUMBER.findall(json.dumps([runs, asked, claimed]))}
    return found | {round(100 * number, 9) for number in found}


def unfounded(lesson: Lesson) -> list[str]:
    """Numbers of the prose with nothing behind them."""
    known = behind(lesson)
    prose = " ".join(part for part in lesson.body if isinstance(part, str))
    return [number for number in NUMBER.findall(prose) if float(number) not in known]


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.slug)
def test_every_number_of_the_prose_has_a_run_a_question_or_a_claim_behind_it(lesson: Lesson) -> None:
    assert unfounded(lesson) == []


def test_a_number_from_nowhere_is_found() -> None:
    """0.05 is a temperature of the head, 5 % is the same; 0.87 and 43 % stand nowhere."""
    body = BODY.replace("Before.", "At 0.05, that is 5 %, it reaches 0.87, or 43 % more.")
    assert unfounded(parse(text(body=body), "01_x.md", 1, "x")) == ["0.87", "43"]


def test_lessons_do_speak_of_numbers() -> None:
    assert sum(any(NUMBER.search(p) for p in lesson.body if isinstance(p, str)) for lesson in LESSONS) >= 8
