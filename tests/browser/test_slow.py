"""Slow motion in a real browser: five phases of one step, walked through by keys."""

from typing import Any

import pytest

from components.panels.slow_motion import PHASES
from tests.browser.lab import LabPage
from tests.conftest import Server

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]


def test_five_phases_by_keys(context: Any, server: Server) -> None:
    lab = LabPage(context.new_page(), server.url)
    lab.page.goto(f"{server.url}/?lane=infonce&data=clusters&panels=spectrum")
    lab.until(lambda: lab.step() == 0, "a live lane")
    lab.page.get_by_text("Slow motion").first.click()
    lab.page.wait_for_selector(".st-key-slow-next button")
    lab.page.get_by_text("Loss Lab").first.click()  # keys typed into a control belong to the control
    stands = lab.page.locator(".st-key-slow strong")
    for at, phase in enumerate(PHASES):
        lab.page.keyboard.press("n")
        lab.until(lambda phase=phase: stands.last.inner_text() == phase, f"phase {phase}")  # type: ignore[misc]
        pictures = lab.page.locator(".st-key-slow .js-plotly-plot")
        lab.until(lambda at=at, p=pictures: p.count() == min(at, 1), f"the picture of {phase}")  # type: ignore[misc]
    assert "turned a row by" in lab.page.locator(".st-key-slow").inner_text()
    lab.page.keyboard.press("b")
    lab.until(lambda: stands.last.inner_text() == PHASES[-2], "the phase before")
    assert lab.step() == 1  # one step was trained, whatever is looked at
