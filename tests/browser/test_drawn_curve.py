"""A curve drawn with the mouse and with keys, kept, graded, and left on the chart under what was measured."""

import re
from typing import Any

import pytest

from app.lesson_file import lessons, named
from tests.browser.lab import PATIENCE_MS
from tests.conftest import Server

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]
LESSON = named("stuck", lessons())
(QUESTION,) = [question for question in LESSON.questions if question.steps]


def heights(box: Any) -> list[float]:
    """Where the points of the chart stand."""
    values = box.locator(".drawn-curve [role=slider]").evaluate_all("all => all.map(o => Number(o.ariaValueNow))")
    return [float(value) for value in values]


def stroke(page: Any, box: Any) -> None:
    """Sweep from the top left to the bottom right corner of the plot, as a hand does."""
    points = box.locator(".drawn-curve [role=slider]")
    first, last = points.first.bounding_box(), points.last.bounding_box()
    left, right, middle = (
        first["x"] + first["width"] / 2,
        last["x"] + last["width"] / 2,
        first["y"] + first["height"] / 2,
    )
    page.mouse.move(left, middle - 60)
    page.mouse.down()
    page.mouse.move((left + right) / 2, middle, steps=4)
    page.mouse.move(right, middle + 60, steps=4)
    page.mouse.up()


def test_draw_with_mouse_and_keys_and_be_graded(context: Any, server: Server) -> None:
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(f"{server.url}/lessons?lesson={LESSON.slug}")
    box = page.locator(f".st-key-question-{QUESTION.name}")
    box.locator(".drawn-curve [role=slider]").nth(len(QUESTION.steps) - 1).wait_for()
    box.scroll_into_view_if_needed()
    assert heights(box) == [0.5] * len(QUESTION.steps)
    stroke(page, box)
    drawn = heights(box)
    assert drawn == sorted(drawn, reverse=True)
    assert drawn[0] > 0.7
    assert drawn[-1] < 0.3
    fields = box.locator("[data-testid=stNumberInput] input")
    box.get_by_text("By numbers").click()
    page.wait_for_function(
        "([one, value]) => Number(one.value) === value", arg=[fields.first.element_handle(), drawn[0]]
    )
    box.locator(".drawn-curve [role=slider]").first.focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowRight")  # on to the next point
    page.keyboard.press("End")
    page.wait_for_function("one => Number(one.value) === 1", arg=fields.nth(1).element_handle())
    assert heights(box)[:2] == [0.01, 1.0]
    page.locator(f".st-key-commit-{QUESTION.name} button").click()
    box.get_by_text(re.compile("Your answer: 0.01 at step 0, 1 at step 20, .*Now run it")).wait_for()
    page.locator(".st-key-lesson-show button").click()
    box.get_by_text(re.compile("^Far: your curve lies .* off most at step 20: you drew 1, ")).wait_for()
    for kind in ("drawn", "measured", "band"):
        assert box.locator(f".drawn-curve path.{kind}").count() == 1
    assert box.locator(".drawn-curve [role=slider]").count() == 0
