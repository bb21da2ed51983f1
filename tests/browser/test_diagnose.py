"""Diagnose in a real browser: a sample, a file of one's own, a finding marked, and the report opened from disk."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.browser.lab import PATIENCE_MS
from tests.checkpoint.made import sound
from tests.conftest import Server

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]


def wrong(path: Path) -> Path:
    """120 items of four classes, six of them with the next class's label."""
    z, y = sound(n=120, classes=4, d=8)
    np.savez(path, embeddings=z, labels=np.where(np.arange(120) < 6, (y + 1) % 4, y))
    return path


def test_a_sample_a_file_a_finding_and_a_report(context: Any, browser: Any, server: Server, tmp_path: Path) -> None:
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(f"{server.url}/diagnose")
    page.get_by_role("button", name="Try a sample").click()
    page.get_by_text("1,797 rows of 32 dimensions").wait_for()
    page.locator(".st-key-finding-label_suspects").wait_for()

    page.locator(".st-key-diagnose-files input[type=file]").first.set_input_files(wrong(tmp_path / "mine.npz"))
    page.get_by_text("120 rows of 8 dimensions").wait_for()
    finding = page.locator(".st-key-finding-label_suspects")
    finding.get_by_role("button", name="Mark on the panels").click()
    page.get_by_text(re.compile(r"Marked: \d+ pairs")).wait_for()
    assert finding.locator("canvas").count() >= 1  # the table of its items
    assert page.locator(".st-key-panel-score_histogram canvas").count() == 1

    page.locator(".st-key-diagnose-cards .pair").first.wait_for()
    _drag(page, page.locator(".st-key-panel-score_histogram canvas"))
    page.get_by_text(re.compile(r"pairs scoring -?\d\.\d\d to -?\d\.\d\d")).wait_for()
    assert finding.get_by_role("button", name="Mark on the panels").is_visible()  # another brush took its place
    assert finding.get_by_role("button", name="Test this: Train without the listed items").is_visible()

    with page.expect_download() as download:
        page.get_by_role("link", name="Report (html)").click()
    kept = tmp_path / "report.html"
    download.value.save_as(kept)
    _opens_without_a_network(browser, kept)


def _drag(page: Any, chart: Any) -> None:
    """A stretch right of the middle of a chart."""
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    height = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 0.6 * box["width"], height)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.8 * box["width"], height, steps=6)
    page.mouse.up()


def _opens_without_a_network(browser: Any, kept: Path) -> None:
    alone = browser.new_context(viewport={"width": 390, "height": 844}, offline=True)
    problems: list[str] = []
    alone.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    alone.on("weberror", lambda error: problems.append(str(error.error)))
    asked: list[str] = []
    alone.on("request", lambda request: asked.append(request.url))
    page = alone.new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(kept.as_uri())
    page.wait_for_selector("body[data-ready=yes]")
    chart = page.locator("#panel-score_histogram canvas, #panel-score_histogram svg").first
    before = chart.screenshot()
    page.locator(".finding[data-key=label_suspects] button").click()
    page.get_by_text(re.compile(r"Marked: \d+ pairs")).wait_for()
    assert chart.screenshot() != before
    told = json.loads(page.locator("#report").text_content())
    assert "label_suspects" in told["panels"]["embedding_map"]["marks"]
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert asked == [kept.as_uri()]
    assert problems == []
    alone.close()
