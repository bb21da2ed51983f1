"""The lab in a real browser: every test does what a person would and looks at what a person would see."""

import os
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.lab import PANELS, LabPage
from tests.conftest import Server

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]
Opener = Callable[[str], LabPage]


@pytest.fixture
def lab(context: Any, server: Server) -> LabPage:
    """A fresh lab page, not opened yet. What is live is paused afterwards, so that tests do not slow each other."""
    opened = LabPage(context.new_page(), server.url)
    yield opened  # type: ignore[misc]
    if "live=" in opened.page.url and opened.page.get_by_role("button", name=re.compile("^Pause")).count():
        opened.press("Pause")
        opened.page.wait_for_timeout(500)


def test_the_recording_moves_and_the_play_key_goes_live(lab: LabPage) -> None:
    # While the server warms up, the document tells what is being done instead.
    lab.until(lambda: 'id="prelude"' in lab.page.request.get(lab.url).text(), "a warm server")
    lab.page.goto(lab.url, wait_until="commit")
    opening = lab.page.locator("#prelude figcaption span").first
    shown = opening.text_content()
    lab.until(lambda: opening.text_content() != shown, "the document's own moving picture")
    lab.open()
    lab.until(lambda: lab.page.locator("#prelude").count() == 0, "the lab in place of the document's picture")
    assert "recording" in lab.rows()[0][0]
    first = lab.step()
    lab.until(lambda: lab.step() != first, "the recording's next frame")
    lab.page.keyboard.press("Space")
    lab.until(lambda: "running" in lab.rows()[0][0] and lab.step() > 2, "live training")
    start = [row[-1] for row in lab.rows()]
    assert len(set(start)) == 1
    assert re.fullmatch(r"[0-9a-f]{8} / [0-9a-f]{8} / none", start[0])


def test_all_six_panels_change_and_no_chart_is_mounted_anew(lab: LabPage) -> None:
    lab.open()
    lab.play()
    lab.page.wait_for_selector(".st-key-panel-curves canvas")
    before = {name: lab.picture(name) for name in PANELS}
    lab.page.evaluate("document.querySelectorAll('.st-key-grid canvas').forEach(c => { c.dataset.seen = 'yes' })")
    marked = lab.page.locator(".st-key-grid canvas[data-seen=yes]").count()
    assert marked >= len(PANELS)
    steps = {lab.step()}

    def five_more_updates() -> bool:
        steps.add(lab.step())
        return len(steps) > 5

    lab.until(five_more_updates, "five updates")
    for name in PANELS:
        lab.until(lambda name=name: lab.picture(name) != before[name], f"a change of the panel {name}")  # type: ignore[misc]
    assert lab.page.locator(".st-key-grid canvas[data-seen=yes]").count() == marked


def test_a_knob_turned_while_training_is_an_event_without_reset(lab: LabPage) -> None:
    lab.open()
    lab.play()
    before = lab.step()
    lab.page.locator(".st-key-lane-0 input[type=range]").first.focus()
    lab.page.keyboard.press("ArrowRight")
    lab.until(lambda: "%40loss.temperature" in lab.page.url, "the event in the address")
    assert int(re.search(r"infonce%3B(\d+)%40", lab.page.url).group(1)) >= before  # type: ignore[union-attr]
    lab.until(lambda: lab.step() > before, "training that goes on")


def test_lanes_come_and_go(lab: LabPage) -> None:
    lab.open()
    lab.play()
    box = lab.page.get_by_role("combobox", name="Add a lane")
    box.click()
    lab.page.keyboard.type("supc", delay=50)
    lab.page.get_by_role("option", name=re.compile("SupCon · softmax")).click()
    lab.until(lambda: len(lab.rows()) == 3, "the third lane")
    lab.until(lambda: lab.step(2) == lab.step(0) > 0, "the third lane on the common clock")
    assert "lane=supcon" in lab.page.url
    assert len(lab.rows()) == 3  # one choice is one lane, however often it was sent
    lab.page.locator(".st-key-lane-2 button").filter(has_text="close").first.click()
    lab.until(lambda: len(lab.rows()) == 2, "two lanes again")


def test_pause_step_reset(lab: LabPage) -> None:
    lab.open()
    lab.play()
    rest = lab.pause()
    lab.press("Step")
    lab.until(lambda: lab.step() == rest + 1, "one step more")
    lab.page.keyboard.press("ArrowUp")
    lab.until(lambda: lab.step() == rest + 21, "twenty steps more")
    lab.press("Reset")
    lab.until(lambda: lab.step() == 0, "step 0")


def test_a_refresh_loses_nothing_and_a_second_viewer_gets_a_copy(lab: LabPage, context: Any) -> None:
    lab.open()
    lab.play()
    board, step = lab.board(), lab.pause()
    lab.page.reload()
    lab.until(lambda: lab.step() == step, "the same step after a refresh")
    assert lab.board() == board
    second = LabPage(context.new_page(), lab.url)
    second.page.goto(lab.page.url)
    second.until(lambda: second.step() == step, "the same step in the copy")
    second.until(lambda: second.board() != board, "a board of its own")
    second.press("Play")
    second.until(lambda: second.step() > step, "the copy's training")
    assert lab.step() == step
    second.pause()


def test_the_link_restores_and_a_bad_field_costs_one_message(lab: LabPage) -> None:
    lab.page.goto(f"{lab.url}/?seed=3&data=faces&lane=supcon%3Btemperature%3D0.2&lane=nonesuch&sampler.batch=1&x=1")
    lab.page.wait_for_selector(".st-key-panel-scores canvas")
    told = lab.page.get_by_text("was ignored").all_inner_texts()
    assert len(told) == 3
    assert any("lane=nonesuch" in text for text in told)
    assert any("sampler.batch=1" in text and "from 4 to 2048" in text for text in told)
    assert any("x=1" in text for text in told)
    assert len(lab.rows()) == 1
    assert "seed=3" in lab.page.url
    assert "data=faces" in lab.page.url
    assert "temperature%3D0.2" in lab.page.url


def test_a_killed_worker_is_told_and_training_goes_on(lab: LabPage, server: Server) -> None:
    lab.open()
    lab.play()
    step = lab.step()
    family = psutil.Process(server.process.pid).children(recursive=True)
    busy = [child for child in family if child.is_running() and _cpu(child) > 0 and _works(child)]
    assert busy
    for child in busy:  # whichever of them holds the lanes
        os.kill(child.pid, signal.SIGKILL)
    lab.until(lambda: lab.page.get_by_text("process stopped").count() > 0, "the message")
    lab.until(lambda: all(lab.step(lane) > step for lane in (0, 1)), "training that goes on")


def _works(process: psutil.Process) -> bool:
    """True for a worker: forked from the process that has imported for all, or, where forking is not sound, spawned."""
    parent = process.parent()
    return "spawn_main" in _words(process) or (parent is not None and "forkserver" in _words(parent))


def _words(process: psutil.Process) -> str:
    return " ".join(process.cmdline()) if process.is_running() else ""


def _cpu(process: psutil.Process) -> float:
    return float(process.cpu_times().user)


def test_one_threshold_moves_histogram_and_roc(lab: LabPage) -> None:
    lab.open()
    lab.play()
    lab.pause()
    before = lab.picture("scores"), lab.picture("roc"), lab.page.locator(".st-key-confusion").inner_text()
    lab.page.locator(".st-key-panel-scores input[type=range]").first.focus()
    for _ in range(20):
        lab.page.keyboard.press("ArrowLeft")
    lab.until(lambda: lab.page.locator(".st-key-confusion").inner_text() != before[2], "other counts")
    lab.until(lambda: lab.picture("scores") != before[0], "another line in the histogram")
    lab.until(lambda: lab.picture("roc") != before[1], "another point on the ROC")


def test_a_panel_is_a_picture_and_a_table_too(lab: LabPage, tmp_path: Path) -> None:
    lab.open()
    lab.play()  # and it goes on: files must not depend on a page that stands still
    lab.page.locator(".st-key-menu-roc button").first.click()
    starts = {"PNG": b"\x89PNG", "SVG": b"<svg", "csv": b"\xef\xbb\xbflane"}  # csv: the mark that spreadsheets want
    for kind, start in starts.items():
        with lab.page.expect_download() as download:
            lab.page.get_by_role("link", name=kind, exact=True).click()
        path = tmp_path / f"roc.{kind.lower()}"
        assert download.value.suggested_filename == path.name
        download.value.save_as(path)
        assert path.read_bytes().startswith(start)
        assert len(path.read_bytes()) > 100
    lab.page.get_by_text("Show as a table").click()
    lab.page.locator(".st-key-panel-roc [data-testid=stDataFrame]").wait_for()
    assert lab.page.locator(".st-key-panel-roc [data-testid=stVegaLiteChart]").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_rule_of_accessibility_is_broken(browser: Any, server: Server, scheme: str) -> None:
    context = browser.new_context(viewport={"width": 1440, "height": 900}, color_scheme=scheme)
    lab = LabPage(context.new_page(), server.url).open("?lane=infonce&lane=triplet")
    lab.page.wait_for_selector(".st-key-panel-curves canvas")
    found = Axe().run(lab.page).response
    assert len(found["passes"]) > 20  # it did look
    assert [(broken["id"], broken["nodes"][0]["html"]) for broken in found["violations"]] == []
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_the_page_without_overflow(browser: Any, server: Server, scheme: str) -> None:
    phone = browser.new_context(viewport={"width": 390, "height": 844}, color_scheme=scheme)
    lab = LabPage(phone.new_page(), server.url).open()
    assert lab.page.evaluate("document.documentElement.scrollWidth") <= 390
    assert lab.page.evaluate("document.querySelector('.stMain').scrollWidth") <= 390
    assert lab.page.get_by_role("button", name=re.compile("^Play")).is_visible()
    ground = lab.page.evaluate("getComputedStyle(document.querySelector('.stApp')).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", ground)[:3])) < 200) == (scheme == "dark")
    phone.close()
