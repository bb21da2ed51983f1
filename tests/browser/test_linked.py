"""The linked panels with a real mouse: what is done in one of them shows in the others. One page for all steps."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.lab import LabPage
from tests.conftest import Server, Watch

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]
POLYGON = (85, 20)  # pixels from the right and lower edge of the map to the tool that draws around items
AROUND = ((0.2, 0.25), (0.75, 0.25), (0.75, 0.75), (0.2, 0.75), (0.2, 0.26))  # shares of the map


@pytest.fixture(scope="module")
def lab(browser: Any, server: Server) -> Iterator[LabPage]:
    """A live lane that rests at step 20, on one page for this file; no console error, no request that leaves."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    watch = Watch(context)
    opened = LabPage(context.new_page(), server.url)
    opened.page.goto(f"{server.url}/?lane=infonce&panels=scores,roc,map,weights,classes")
    opened.page.wait_for_selector(".st-key-panel-classes canvas")
    opened.press("Step 20")
    opened.until(lambda: opened.step() == 20, "twenty steps")
    yield opened
    context.close()
    assert (watch.errors, watch.foreign) == ([], [])


def told(lab: LabPage) -> str:
    """What the bar says is brushed."""
    return str(lab.page.locator(".st-key-brush p").first.inner_text())


def corner(lab: LabPage, selector: str) -> tuple[float, float, float, float]:
    """Left, top, width and height of what is scrolled into view."""
    found = lab.page.locator(selector).first
    found.scroll_into_view_if_needed()
    box = found.bounding_box()
    return box["x"], box["y"], box["width"], box["height"]


def drag(lab: LabPage, selector: str, path: tuple[tuple[float, float], ...]) -> None:
    """Press at the first point and let go at the last; points are shares of width and height."""
    left, top, wide, high = corner(lab, selector)
    points = [(left + x * wide, top + y * high) for x, y in path]
    lab.page.mouse.move(*points[0])
    lab.page.mouse.down()
    for point in points[1:]:
        lab.page.mouse.move(*point, steps=6)
    lab.page.mouse.up()


def test_a_clicked_cell_of_classes_is_brushed_everywhere(lab: LabPage) -> None:
    scores, on_map = lab.picture("scores"), lab.picture("map")
    left, top, wide, high = corner(lab, ".st-key-panel-classes canvas")
    lab.page.mouse.click(left + 0.6 * wide, top + 0.5 * high)
    lab.until(lambda: "pairs of class" in told(lab) or "pairs within class" in told(lab), "a brushed cell")
    lab.until(lambda: "brush=classes" in lab.page.url, "the brush in the address")
    lab.until(lambda: lab.picture("scores") != scores, "its pairs in the histogram")
    lab.until(lambda: lab.picture("map") != on_map, "its lines on the map")


def test_a_card_opens_a_passport_and_a_symbol_brushes_its_pair(lab: LabPage) -> None:
    button = lab.page.locator("[class*=st-key-side-0-0-0] button").first
    item = button.inner_text()
    button.click()
    passport = lab.page.locator(".st-key-passport")
    lab.until(lambda: f"Passport of item {item}" in passport.inner_text(), "the passport of that item")
    lab.page.get_by_text("Loss against score").first.click()
    formula = lab.page.locator(".st-key-formula")
    lab.until(lambda: formula.locator(".katex-display").count() == 1, "the formula")
    assert item in formula.inner_text()
    formula.locator("canvas").wait_for()
    before = lab.picture("scores")
    formula.get_by_role("radio").or_(formula.locator("[data-testid^=stBaseButton-pills]")).first.focus()
    lab.page.keyboard.press("Space")
    lab.until(lambda: told(lab).startswith("1 pair: listed pairs"), "the pair of the symbol")
    lab.until(lambda: "score of the positive j" in formula.inner_text(), "what the symbol is")
    lab.until(lambda: lab.picture("scores") != before, "the pair in the histogram")


def test_a_box_on_the_heat_map_is_brushed_in_the_histogram(lab: LabPage) -> None:
    before = lab.picture("scores")
    lab.page.locator(".st-key-weights-mode").get_by_text("Heat map").click()
    lab.page.wait_for_selector(".st-key-panel-weights .nsewdrag")
    drag(lab, ".st-key-panel-weights .nsewdrag", ((0.2, 0.3), (0.4, 0.5)))
    lab.until(lambda: "a block of the heat map" in told(lab), "a brushed block")
    lab.until(lambda: lab.picture("scores") != before, "its pairs in the histogram")


def test_a_lasso_on_the_map_is_brushed_in_the_histogram(lab: LabPage) -> None:
    left, top, wide, high = corner(lab, ".st-key-panel-map canvas")
    lab.page.mouse.click(left + wide - POLYGON[0], top + high - POLYGON[1])
    before = lab.picture("scores")
    drag(lab, ".st-key-panel-map canvas", AROUND)
    lab.until(lambda: "pairs with one of" in told(lab), "brushed items")
    lab.until(lambda: "brush=items" in lab.page.url, "the items in the address")
    lab.until(lambda: lab.picture("scores") != before, "their pairs in the histogram")


def test_the_dragged_threshold_moves_counts_and_both_panels(lab: LabPage) -> None:
    counts = lab.page.locator(".st-key-confusion").inner_text()
    scores, roc = lab.picture("scores"), lab.picture("roc")
    drag(lab, ".st-key-threshold [data-testid=stSlider]", ((0.75, 0.6), (0.6, 0.6)))
    lab.until(lambda: lab.page.locator(".st-key-confusion").inner_text() != counts, "other counts")
    lab.until(lambda: lab.picture("scores") != scores, "the line in the histogram")
    lab.until(lambda: lab.picture("roc") != roc, "the point on the ROC")


def test_the_radar_masks_its_pairs_in_a_new_lane(lab: LabPage) -> None:
    lab.page.get_by_text("Radar").first.click()
    lab.press("Search lane A")
    lab.press("Mask these and race")
    lab.until(lambda: len(lab.rows()) == 2, "a second lane")
    lab.until(lambda: lab.step(1) == lab.step(0) == 20, "the second lane at the same step")


def test_a_lasso_is_drawn_while_training_goes_on(lab: LabPage) -> None:
    lab.press("Clear")
    lab.press("Play")
    lab.until(lambda: "running" in lab.rows()[0][0], "training")
    lab.page.get_by_text("Hold the map").click()
    lab.page.get_by_text("The map stands at step").wait_for()
    left, top, wide, high = corner(lab, ".st-key-panel-map canvas")
    lab.page.mouse.click(left + wide - POLYGON[0], top + high - POLYGON[1])
    points = [(left + 0.5 * x * wide, top + y * high) for x, y in AROUND]  # of two maps, the left one
    lab.page.mouse.move(*points[0])
    lab.page.mouse.down()
    lab.page.mouse.move(*points[1], steps=6)
    step = lab.step()
    lab.until(lambda: lab.step() > step + 20, "several updates in the middle of the drag")
    for point in points[2:]:
        lab.page.mouse.move(*point, steps=6)
    lab.page.mouse.up()
    lab.until(lambda: "pairs with one of" in told(lab), "brushed items")
    lab.until(lambda: lab.page.get_by_text(re.compile("^.? ?ticks: ")).count() == 2, "their ticks in both lanes")
    lab.pause()


def test_held_pairs_stay_and_two_lanes_are_mirrored(lab: LabPage) -> None:
    lab.press("Hold these pairs")
    lab.until(lambda: told(lab).startswith("held 1: "), "held pairs")
    count, step = told(lab).split(" pairs")[0], lab.step()
    lab.press("Step 20")
    lab.until(lambda: f"at step {step + 20}" in told(lab), "twenty steps more")
    assert told(lab).startswith(f"{count} pairs: pairs held since step {step}")
    lab.page.get_by_text(re.compile(f"on average since step {step}")).first.wait_for()
    lab.page.locator(".st-key-menu-scores button").first.click()
    lab.page.get_by_role("combobox", name="Two lanes on the same bins").click()
    lab.page.get_by_role("option", name="Mirrored").click()
    lab.page.get_by_text("Scores of pairs, two lanes").wait_for()
    lab.page.keyboard.press("Escape")
    lab.until(lambda: "compare=mirror" in lab.page.url, "the comparison in the address")
    lab.page.wait_for_selector(".st-key-panel-scores canvas")
    drag(lab, ".st-key-panel-scores canvas", ((0.55, 0.5), (0.9, 0.5)))
    lab.until(lambda: "pairs scoring" in told(lab), "a stretch of the mirrored histogram")
    lab.page.locator(".st-key-brush").get_by_text("held 1", exact=True).first.click()
    lab.until(lambda: told(lab).startswith(f"{count} pairs: "), "the held pairs again")
