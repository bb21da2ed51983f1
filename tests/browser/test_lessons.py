"""A lesson in a real browser: open, predict, run, graded."""

import re
from typing import Any

import pytest

from tests.browser.lab import PATIENCE_MS, LabPage
from tests.conftest import Server

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]


def test_open_predict_run_and_be_graded(context: Any, server: Server) -> None:
    page = LabPage(context.new_page(), server.url).open().page
    page.set_default_timeout(PATIENCE_MS)
    page.get_by_role("link", name="Lessons").click()
    page.locator(".st-key-open-what-temperature-does button").click()
    page.get_by_text("Which run spreads the embedding most evenly").wait_for()
    assert "lesson=what-temperature-does" in page.url
    page.locator(".st-key-question-even label", has_text="simple").click()
    page.locator(".st-key-commit-even button:enabled").click()
    page.get_by_text(re.compile("Your answer: simple")).wait_for()
    assert page.locator("canvas").count() == 0
    page.locator(".st-key-lesson-show button").first.click()
    page.get_by_text(re.compile("You said simple; it is hard")).wait_for()
    page.locator("[data-testid=stVegaLiteChart] canvas").first.wait_for()
    # On paper: nothing to press, and the whole length instead of what a window shows.
    assert page.locator("button:visible").count() > 0
    page.emulate_media(media="print")
    assert page.locator("button:visible").count() == 0
    assert page.get_by_text(re.compile("You said simple; it is hard")).is_visible()
    assert page.evaluate("getComputedStyle(document.querySelector('.stMain')).overflowY") == "visible"
