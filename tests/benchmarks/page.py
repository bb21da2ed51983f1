"""What a person feels: first picture, first live frame, updates a second, bytes, and how soon a press shows.

A real headless Chromium beside the server and its workers on the same cores. What it sees is measured in the page
itself, by observers of the numbers table and of one chart's pixels; bytes are those of the websocket.
"""

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import sync_playwright

from tests.conftest import CHROMIUM_ARGS, chromium_path, start_server, stop_server

WINDOW_S, PRESSES = 10.0, 21
PATIENCE_MS = 120_000
ONE, FOUR = ("infonce",), ("infonce", "supcon", "triplet;reduction=mean_active", "circle")
STEPS = "[...document.querySelectorAll('.st-key-numbers tbody tr')].map(r => +r.cells[1].innerText)"
LIVE = "/running/.test(document.querySelector('.st-key-numbers tbody')?.innerText)"
WATCH = """
() => {
  const shown = () => document.querySelector('.st-key-numbers table')?.textContent;
  const small = document.createElement('canvas');
  small.width = small.height = 48;
  const pen = small.getContext('2d', {willReadFrequently: true});
  const pixels = () => {
    const chart = document.querySelector('.st-key-panel-scores canvas');
    pen.clearRect(0, 0, 48, 48);
    if (chart) pen.drawImage(chart, 0, 0, 48, 48);
    return pen.getImageData(0, 0, 48, 48).data.join();
  };
  const charts = [...document.querySelectorAll('.st-key-grid canvas')];
  charts.forEach(canvas => { canvas.dataset.seen = 'yes'; });
  const seen = {updates: 0, pictures: 0, longest: 0, charts: charts.length, since: performance.now()};
  let text = shown(), picture = pixels(), last = performance.now();
  const look = now => {
    seen.longest = Math.max(seen.longest, now - last);
    last = now;
    if (shown() !== text) { text = shown(); seen.updates += 1; }
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
  setInterval(() => { const now = pixels(); if (now !== picture) { picture = now; seen.pictures += 1; } }, 100);
  window.seen = seen;
}
"""
SEEN = """
() => ({...window.seen, seconds: (performance.now() - window.seen.since) / 1000,
        kept: document.querySelectorAll('.st-key-grid canvas[data-seen=yes]').length})
"""
PRESS = """
async ([press, then]) => {
  // A button that went may stay in the document for a while, hidden.
  const all = () => [...document.querySelectorAll('.st-key-toolbar button')].filter(b => b.offsetParent !== null);
  const find = word => all().find(b => b.innerText.includes(word));
  while (!find(press) || find(then)) await new Promise(requestAnimationFrame);
  const begun = performance.now();
  find(press).click();
  while (!find(then) || find(press)) await new Promise(requestAnimationFrame);
  return performance.now() - begun;
}
"""


def main() -> Iterator[tuple[str, str]]:
    """Rows of what, with its target, and figure."""
    yield "load average of the machine before", f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server = start_server(Path(folder))
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=CHROMIUM_ARGS)
        try:
            warm(browser, server.url)
            yield from opening(browser, server.url)
            for lanes in (ONE, FOUR):
                yield from live(browser, server.url, lanes)
        finally:
            browser.close()
            stop_server(server)


def warm(browser: Any, url: str) -> None:
    """Until workers train: what comes after is a warm server."""
    page = fresh(browser)
    page.goto(f"{url}/?lane=infonce")
    play(page)
    page.wait_for_function(f"Math.max(...{STEPS}) > 20", timeout=PATIENCE_MS)
    page.evaluate(PRESS, ["Pause", "Play"])
    page.context.close()


def fresh(browser: Any) -> Any:
    """A page with a cache of its own: nothing is kept from a page before."""
    page = browser.new_context(viewport={"width": 1440, "height": 1000}).new_page()
    page.set_default_timeout(PATIENCE_MS)
    return page


def play(page: Any) -> None:
    """Wait for the page, then press Play and wait until the lanes run."""
    page.wait_for_selector(".st-key-panel-curves canvas")
    page.evaluate(PRESS, ["Play", "Pause"])
    page.wait_for_function(LIVE)


def opening(browser: Any, url: str) -> Iterator[tuple[str, str]]:
    """From the address to a picture that moves, and from the space bar to the first live frame."""
    page = fresh(browser)
    begun = time.perf_counter()
    page.goto(url, wait_until="commit")
    page.wait_for_selector("#prelude figcaption span", state="attached")
    told = "document.querySelector('#prelude figcaption span').textContent"
    said = page.evaluate(told)
    page.wait_for_function(f"{told} !== {said!r}")
    yield "first moving picture, the document's own (target: 2 s)", f"{time.perf_counter() - begun:.1f} s"
    page.wait_for_selector(".st-key-panel-scores canvas")
    first = time.perf_counter() - begun
    page.wait_for_function(f"({STEPS}).length > 0")
    step = page.evaluate(f"({STEPS})[0]")
    page.wait_for_function(f"({STEPS})[0] !== {step}")
    yield (
        "first panel of the lab itself",
        f"{first:.1f} s, moving after {time.perf_counter() - begun:.1f} s",
    )
    page.wait_for_selector(".st-key-panel-curves canvas")
    begun = time.perf_counter()
    page.keyboard.press("Space")
    page.wait_for_function(f"{LIVE} && Math.min(...{STEPS}) > 0")
    yield "Space to the first live frame of two lanes", f"{time.perf_counter() - begun:.1f} s"
    page.evaluate(PRESS, ["Pause", "Play"])
    page.context.close()


def live(browser: Any, url: str, lanes: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Updates, bytes and kept charts while lanes train, then presses of Pause and Play."""
    page, sizes = fresh(browser), list[int]()
    page.on("websocket", lambda wire: wire.on("framereceived", lambda data: sizes.append(len(data))))
    page.goto(f"{url}/?" + "&".join(f"lane={lane}" for lane in lanes))
    play(page)
    page.evaluate(WATCH)
    sizes.clear()
    page.wait_for_timeout(1e3 * WINDOW_S)
    seen, size = page.evaluate(SEEN), sum(sizes)
    name = f"{len(lanes)} lane{'s' * (len(lanes) > 1)}, six panels"
    yield (
        f"{name}: updates seen (target: 2 a second)",
        f"{seen['updates'] / seen['seconds']:.2f} a second of the table, "
        f"{seen['pictures'] / seen['seconds']:.2f} of the histogram; longest frame {seen['longest']:.0f} ms",
    )
    limit = "target: below 100 kB" if len(lanes) == 1 else "no target"
    yield f"{name}: websocket, an update ({limit})", f"{size / max(seen['updates'], 1) / 1e3:.0f} kB"
    yield f"{name}: charts mounted anew (target: 0)", f"{seen['charts'] - seen['kept']} of {seen['charts']}"
    words = ["Pause", "Play"]
    times = []
    for turn in range(PRESSES):  # at any moment between two updates, as a hand does; the last one is Pause
        page.wait_for_timeout(300 + 170 * turn % 800)
        times.append(page.evaluate(PRESS, words[:: 1 if turn % 2 == 0 else -1]))
    p50, p95 = np.quantile(times, (0.5, 0.95))
    yield f"{name}: a press of Pause or Play shows after", f"p50 {p50:.0f} ms, p95 {p95:.0f} ms"
    page.context.close()
