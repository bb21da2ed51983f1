"""Every lesson walked through as a reader does: opened by its link, each question answered, the recording graded."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from app.lesson import Lesson, Place, Question
from app.lesson_file import lessons
from tests.browser.lab import PATIENCE_MS
from tests.conftest import Server, Watch

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]
LESSONS = lessons()
GRADED = re.compile(r"^(Near|Far|Right): |^You said .+; it is |is not distinguishable from")


@pytest.fixture(scope="module")
def walker(browser: Any, server: Server) -> Iterator[Any]:
    """One page for all lessons: what it has loaded once, it has for the others."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.watch = Watch(context)
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    yield page
    context.close()
    assert not context.watch.foreign
    assert not context.watch.errors


def answer(page: Any, question: Question) -> str:
    """Commit the first choice, or what stands there; returns the words by which the page repeats it."""
    box = page.locator(f".st-key-question-{question.name}")
    if not question.run:  # a choice; a slider or a curve has an answer from the start
        box.locator("[role=radiogroup] label").first.click()
    page.locator(f".st-key-commit-{question.name} button:enabled").click()
    said: str = box.get_by_text("Now run it.").inner_text()
    # Until the run of the page ends, what stands below may still move up, away from the next press.
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for()
    return said


def graded(page: Any, question: Question) -> str:
    """What stands under a question once the run is shown."""
    said: str = page.locator(f".st-key-question-{question.name} [data-testid=stAlert]").inner_text()
    return said


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.slug)
def test_predict_show_and_be_graded(walker: Any, server: Server, lesson: Lesson) -> None:
    page = walker
    page.goto(f"{server.url}/lessons?lesson={lesson.slug}")
    page.locator(".st-key-lesson-show button:enabled").wait_for()
    assert page.locator("[data-testid=stVegaLiteChart]").count() == 0  # nothing is shown before the run
    for question in lesson.questions:
        assert answer(page, question).startswith("Your answer: ")
    page.locator(".st-key-lesson-show button").click()
    for question in lesson.questions:
        assert GRADED.search(graded(page, question))
    charts = [part.name for part in lesson.body if isinstance(part, Place) and part.kind == "panel"]
    vega = sum(name != "map" for name in charts)  # the map is another kind of chart, drawn when it comes into view
    page.locator("[data-testid=stVegaLiteChart] canvas").nth(vega - 1).wait_for()
    assert page.locator("[data-testid=stException]").count() == 0


def test_a_lesson_opened_on_a_phone_can_be_begun(browser: Any, server: Server) -> None:
    """Each press stands once and in sight: a button with help stands twice, the first hidden on a narrow screen."""
    context = browser.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(f"{server.url}/lessons?lesson={LESSONS[0].slug}")
    page.locator(".st-key-lesson-run button").nth(1).wait_for()
    shown = page.locator(".st-key-lesson-run button").evaluate_all(
        "all => all.map(one => [one.innerText, one.offsetWidth > 0])"
    )
    width = page.evaluate("document.documentElement.scrollWidth")
    context.close()
    assert shown == [["Show what happens", True], ["Run it here", True]]
    assert width == 390
