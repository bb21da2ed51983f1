"""The brush in a real browser: dragged out with the mouse, seen in every panel, named, and back from its link."""

import re
from typing import Any

import pytest

from tests.browser.lab import LabPage
from tests.conftest import Server

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]


@pytest.fixture
def lab(context: Any, server: Server) -> LabPage:
    """A live lab that rests at some step."""
    opened = LabPage(context.new_page(), server.url)
    opened.open()
    opened.play()
    opened.pause()
    return opened


def drag(lab: LabPage, panel: str, start: float, end: float) -> None:
    """Drag along a panel's chart; start and end are shares of its width."""
    chart = lab.page.locator(f".st-key-panel-{panel} canvas").first
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    y = box["y"] + 0.55 * box["height"]
    lab.page.mouse.move(box["x"] + start * box["width"], y)
    lab.page.mouse.down()
    lab.page.mouse.move(box["x"] + (start + end) / 2 * box["width"], y, steps=4)
    lab.page.mouse.move(box["x"] + end * box["width"], y, steps=4)
    lab.page.mouse.up()


def told(lab: LabPage) -> str:
    """What the bar says."""
    return str(lab.page.locator(".st-key-brush p").first.inner_text())


def test_a_dragged_stretch_is_a_brush_that_ticks_and_links_keep(lab: LabPage) -> None:
    map_before = lab.picture("map")
    drag(lab, "scores", 0.7, 0.9)
    lab.until(lambda: "pairs: pairs scoring" in told(lab), "a brush of the histogram")
    lab.until(lambda: "brush=scores%3Dboth%2C0." in lab.page.url, "the brush in the address")
    lab.until(lambda: lab.picture("map") != map_before, "lines on the map")
    words, canvas = told(lab), lab.page.locator(".st-key-panel-scores canvas").first
    canvas.evaluate("c => { c.dataset.seen = 'yes' }")
    lab.press("Step 20")
    lab.until(lambda: told(lab) != words and "pairs scoring" in told(lab), "the brush at a later step")
    assert re.search(r"scoring [-\d.]+ to [-\d.]+", told(lab)).group(0) in words  # type: ignore[union-attr]
    assert lab.page.locator(".st-key-panel-scores canvas[data-seen=yes]").count() == 1
    lab.page.locator(".st-key-brush input[type=text]").fill("look closer")
    lab.page.keyboard.press("Enter")
    lab.until(lambda: told(lab).startswith("look closer: "), "the name")
    lab.until(lambda: "look" in lab.page.url, "the name in the address")
    link = lab.page.url.split("&live=")[0]
    lab.page.goto(link)
    lab.until(lambda: told(lab).startswith("look closer: ") and "pairs scoring" in told(lab), "the brush of the link")


def test_a_piece_of_the_roc_is_a_brush(lab: LabPage) -> None:
    drag(lab, "roc", 0.2, 0.5)
    lab.until(lambda: "accepted between" in told(lab), "a brush of the ROC")
    lab.until(lambda: "brush=roc%3Dfpr" in lab.page.url, "the brush in the address")
    lab.press("Clear")
    lab.until(lambda: told(lab).startswith("Drag along"), "no brush")
    lab.until(lambda: "brush=" not in lab.page.url, "an address without a brush")
