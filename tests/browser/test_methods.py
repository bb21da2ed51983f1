"""Methods and mixtures in a real browser: added to lanes, turned while training, seen in their panel and the link."""

import re
from typing import Any

import pytest

from tests.browser.lab import LabPage
from tests.conftest import Server

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]
NORM = re.compile(r"gradient norms infonce ([\d.]+), triplet ([\d.]+)")


def terms(lab: LabPage) -> list[float]:
    """The lengths that the mixture's panel tells; empty while it tells none."""
    found = NORM.search(lab.page.locator(".st-key-panel-mixture").inner_text())
    return [float(value) for value in found.groups()] if found else []


def test_a_method_and_a_mixture_from_the_page_to_the_link(context: Any, server: Server) -> None:
    lab = LabPage(context.new_page(), server.url).open("?lane=infonce&encoder.width=32&panels=scores,curves")
    page = lab.page
    lab.play()
    lanes = page.locator(".st-key-lane-0")
    lanes.get_by_role("button", name="Methods").click()
    page.get_by_role("combobox", name=re.compile("Add a method")).click()
    page.get_by_role("option", name="Momentum queue").click()
    lanes.get_by_text("InfoNCE + Momentum queue").wait_for()
    lab.until(lambda: "methods.queue" in page.url, "the method in the address")
    page.keyboard.press("Escape")

    page.get_by_role("combobox", name=re.compile("Add a lane")).fill("infonce + triplet")
    page.keyboard.press("Enter")
    page.wait_for_selector(".st-key-panel-mixture canvas")
    lab.until(lambda: len(terms(lab)) == 2 and lab.step(1) >= 20, "the terms of the mixture")
    weight = page.locator(".st-key-lane-1").get_by_role("slider", name=re.compile("Triplet: weight"))
    before = lab.picture("mixture")
    weight.press("Home")
    lab.until(lambda: terms(lab)[1:] == [0.0], "the triplet loss left out while it trains")
    lab.until(lambda: lab.picture("mixture") != before, "another picture")
    assert terms(lab)[0] > 0
    lab.until(lambda: "loss.triplet.weight%3D0.0" in page.url, "the change in the address")
    assert "mix%3Ainfonce%2Btriplet" in page.url
    lab.pause()

    link = re.sub(r"&live=[0-9a-f]+", "", page.url)
    other = LabPage(context.new_page(), server.url)
    other.page.goto(link)
    other.page.wait_for_selector(".st-key-panel-mixture canvas")
    other.page.get_by_text("InfoNCE + Momentum queue").wait_for()
    assert len(other.rows()) == 2
    assert re.sub(r"&live=[0-9a-f]+", "", other.page.url) == link


def test_the_catalogue_tries_a_method_beside_the_plain_loss(context: Any, server: Server) -> None:
    lab = LabPage(context.new_page(), server.url).open()
    page = lab.page
    page.get_by_role("link", name="Catalogue").click()
    page.locator(".st-key-catalogue-view").get_by_text("Methods", exact=True).first.click()
    card = page.locator(".st-key-card-method-queue")
    card.get_by_role("link", name="Try it: InfoNCE with it and without").click()
    page.wait_for_selector(".st-key-panel-scores canvas")
    page.get_by_text("InfoNCE + Momentum queue").wait_for()
    lab.until(lambda: len(lab.rows()) == 2, "the loss with the method beside the loss")
