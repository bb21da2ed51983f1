"""How soon a brush is answered in a real browser: from letting go of the mouse to the bar and the next panel.

A stretch of the score histogram is dragged while lanes train, at 500 items (124,750 pairs). The page says which scores
are brushed; the last time that this changes after the mouse is up is the answer, and the ROC is drawn after it.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import sync_playwright

from tests.benchmarks.page import FOUR, ONE, fresh, play, warm
from tests.conftest import CHROMIUM_ARGS, chromium_path, start_server, stop_server

BRUSHES, SETTLED_MS = 16, 2500
LIMITS_MS = {1: 300, 4: 1000}
WATCH = """
() => {
  const said = () => document.querySelector('.st-key-brush p')?.innerText.match(/scoring \\S+ to \\S+/)?.[0];
  const small = document.createElement('canvas');
  small.width = small.height = 64;
  const pen = small.getContext('2d', {willReadFrequently: true});
  const pixels = () => {
    const chart = document.querySelector('.st-key-panel-roc canvas');
    pen.clearRect(0, 0, 64, 64);
    if (chart) pen.drawImage(chart, 0, 0, 64, 64);
    return pen.getImageData(0, 0, 64, 64).data.join();
  };
  const seen = {up: 0, told: 0, drawn: 0};
  let text = said(), picture = '';
  addEventListener('pointerup', () => { seen.up = performance.now(); seen.told = seen.drawn = 0; }, true);
  const look = () => {
    const now = performance.now();
    if (said() !== text) { text = said(); seen.told = now; seen.drawn = 0; picture = pixels(); }
    else if (seen.told && !seen.drawn && pixels() !== picture) seen.drawn = now;
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
  window.brushing = seen;
}
"""


def main() -> Iterator[tuple[str, str]]:
    """Rows of what, with its target, and figure."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server = start_server(Path(folder))
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=CHROMIUM_ARGS)
        try:
            warm(browser, server.url)
            for lanes in (ONE, FOUR):
                yield from training(browser, server.url, lanes)
        finally:
            browser.close()
            stop_server(server)


def training(browser: Any, url: str, lanes: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Brushes while so many lanes train."""
    page = fresh(browser)
    page.goto(f"{url}/?" + "&".join(f"lane={lane}" for lane in lanes))
    play(page)
    page.wait_for_timeout(SETTLED_MS)
    page.evaluate("document.querySelector('.st-key-grid').scrollIntoView({behavior: 'instant'})")
    page.evaluate(WATCH)
    told, drawn = [], []
    for turn in range(BRUSHES):
        seen = brush(page, turn)
        if not seen["told"]:
            raise RuntimeError(f"brush {turn} with {len(lanes)} lanes was not answered in {SETTLED_MS} ms: {seen}")
        told.append(seen["told"] - seen["up"])
        drawn.append(seen["drawn"] - seen["up"])
    name = f"{len(lanes)} lane{'s' * (len(lanes) > 1)} training"
    for what, times in (("the bar says the pairs", told), ("the ROC shows them", drawn)):
        p50, p95 = np.quantile(times, (0.5, 0.95))
        yield f"{name}: {what} (target: {LIMITS_MS[len(lanes)]} ms)", f"p50 {p50:.0f} ms, p95 {p95:.0f} ms"
    page.context.close()


def brush(page: Any, turn: int) -> dict[str, float]:
    """Drag over another stretch than the time before; the moments at which it was let go, told and drawn."""
    box = page.locator(".st-key-panel-scores canvas").first.bounding_box()
    left, right = (0.55 + 0.02 * (turn % 5), 0.75 + 0.03 * (turn % 4))
    height = box["y"] + 0.5 * box["height"]
    page.mouse.move(box["x"] + left * box["width"], height)
    page.mouse.down()
    page.mouse.move(box["x"] + right * box["width"], height, steps=4)
    page.mouse.up()
    page.wait_for_timeout(SETTLED_MS + 170 * turn % 500)
    seen: dict[str, float] = page.evaluate("window.brushing")
    return seen
