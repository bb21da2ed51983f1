"""The catalogue in a real browser: find a loss, read its card, compare all on one batch, open one in the lab."""

import re
from typing import Any

import pytest

from tests.browser.lab import LabPage
from tests.conftest import Server

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]
CARD = "[class*='st-key-card-']"


def test_from_the_lab_to_a_card_and_back_with_that_loss(context: Any, server: Server) -> None:
    lab = LabPage(context.new_page(), server.url).open()
    page = lab.page
    page.get_by_role("link", name="Catalogue").click()
    page.wait_for_selector(CARD)
    assert page.url == f"{server.url}/catalogue"
    assert page.locator(CARD).count() == 12
    page.locator(f"{CARD} .katex").nth(11).wait_for()
    page.get_by_role("textbox", name="Search").fill("circle")
    page.keyboard.press("Enter")
    card = page.locator(".st-key-card-circle")
    lab.until(lambda: page.locator(CARD).count() < 12 and card.count() == 1, "the card that was searched for")
    card.locator("img[alt^='Weight curve of Circle']").wait_for()
    lab.until(lambda: re.search(r"[\d.]+ ms, [\d.]+ × InfoNCE", card.inner_text()), "the cost of a step")
    assert card.locator("img").evaluate("image => image.naturalWidth") > 0
    card.get_by_role("link", name="Open in the lab beside InfoNCE").click()
    page.wait_for_selector(".st-key-panel-scores canvas")
    lab.until(lambda: "lane=infonce&lane=circle" in page.url, "the two lanes in the address")
    assert len(lab.rows()) == 2


def test_all_losses_on_one_batch(context: Any, server: Server) -> None:
    lab = LabPage(context.new_page(), server.url).open()
    page = lab.page
    page.get_by_role("link", name="Catalogue").click()
    page.get_by_text("All on one batch").click()
    page.wait_for_selector(".js-plotly-plot .heatmaplayer image")
    names = page.locator(".js-plotly-plot .yaxislayer-above text, .js-plotly-plot .ytick text").all_text_contents()
    assert len(names) >= 20
    assert {"InfoNCE", "SupCon", "Triplet"} <= set(names)
    assert page.get_by_text(re.compile(r"fall into \d+ groups")).count() == 1
    page.wait_for_selector(".st-key-catalogue-table, [data-testid=stDataFrame] canvas")


def test_a_live_board_outlives_a_look_at_the_catalogue(context: Any, server: Server) -> None:
    lab = LabPage(context.new_page(), server.url).open("?lane=supcon%3Btemperature%3D0.2&seed=3")
    lab.until(lambda: "live=" in lab.page.url, "a live board")
    board = lab.board()
    lab.page.get_by_role("link", name="Catalogue").click()
    lab.page.wait_for_selector(CARD)
    lab.page.get_by_role("link", name="Lab", exact=True).click()
    lab.until(lambda: "live=" in lab.page.url and len(lab.rows()) == 1, "the lab as it was")
    assert lab.board() == board
    assert "seed=3" in lab.page.url
    assert "temperature%3D0.2" in lab.page.url


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_the_catalogue_without_overflow(browser: Any, server: Server, scheme: str) -> None:
    phone = browser.new_context(viewport={"width": 390, "height": 844}, color_scheme=scheme)
    page = phone.new_page()
    page.goto(f"{server.url}/catalogue")
    page.wait_for_selector(CARD, timeout=120_000)
    assert page.evaluate("document.querySelector('.stMain').scrollWidth") <= 390
    page.get_by_text("All on one batch").click()
    page.wait_for_selector(".js-plotly-plot", timeout=120_000)
    assert page.evaluate("document.querySelector('.stMain').scrollWidth") <= 390
    phone.close()
