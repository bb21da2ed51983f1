"""The step cursor in a real browser: scrubbed by the mouse, played back, a ghost chosen, lanes forked, and reloaded."""

import re
from typing import Any

import pytest

from tests.browser.lab import LabPage
from tests.conftest import Server

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]
CURSOR = ".st-key-cursor input[type=range]"
THUMB = f"""() => {{
  const box = document.querySelector("{CURSOR}").parentElement.parentElement.getBoundingClientRect();
  return [box.x + box.width / 2, box.y + box.height / 2];
}}"""


def drag(lab: LabPage, share: float) -> None:
    """Take the thumb of the cursor and let it go at a share of the slider's width."""
    page, (x, y) = lab.page, lab.page.evaluate(THUMB)
    track = page.locator(".st-key-cursor [data-testid=stSlider]").bounding_box()
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(track["x"] + track["width"] * share, y, steps=8)
    page.mouse.up()


def cursor(lab: LabPage) -> str:
    """What stands at the thumb: a step, or live."""
    return str(lab.page.locator(CURSOR).get_attribute("aria-valuetext"))


def shown(lab: LabPage) -> int:
    """The step of all lanes once they stand where the cursor does."""
    lab.until(lambda: {row[1] for row in lab.rows()} == {cursor(lab)}, "all lanes at the cursor")
    return lab.step()


def fork(lab: LabPage, step: int, box: str, choice: str, value: str = "") -> None:
    """Fork lane A from the step shown with another choice in one of the form's boxes, or the value of a knob."""
    page, before = lab.page, len(lab.rows())
    lab.press("Fork here")
    page.get_by_role("combobox", name=box, exact=True).click()
    page.keyboard.type(choice)
    page.get_by_role("option", name=choice, exact=True).click()
    if value:
        page.keyboard.press("Escape")
        field = page.get_by_role("textbox", name=re.compile(f"^{choice}:"))
        field.fill(value)
        field.press("Enter")
    lab.press(f"Fork lane A at step {step}")
    lab.until(lambda: len(lab.rows()) == before + 1, "the fork as one more lane")


def test_scrub_replay_and_ghost(context: Any, server: Server) -> None:
    lab = LabPage(context.new_page(), server.url).open("?lane=infonce&encoder.width=32&panels=scores")
    page = lab.page
    lab.play()
    lab.until(lambda: int(page.locator(CURSOR).get_attribute("max") or 0) >= 4, "kept steps while training")
    drag(lab, 0.5)
    lab.until(lambda: "shown" in lab.rows()[0][0], "an earlier step while training goes on")
    lab.press("Live")
    lab.until(lambda: cursor(lab) == "live" and "running" in lab.rows()[0][0], "the latest step")
    last = lab.pause()
    now = lab.picture("scores")
    drag(lab, 0.4)
    lab.until(lambda: cursor(lab) != "live", "the cursor at an earlier step")
    step = shown(lab)
    assert 0 < step < last
    lab.until(lambda: lab.picture("scores") != now, "the histogram of then")
    page.get_by_text("Loss Lab", exact=True).click()  # keys go to the page, not to the slider
    page.keyboard.press("j")
    lab.until(lambda: 0 <= lab.step() < step, "the kept step before")
    page.keyboard.press("l")
    lab.until(lambda: lab.step() == step, "the next one again")
    page.keyboard.press("k")
    lab.until(lambda: lab.step() > step, "play back")
    lab.press("Live")
    lab.until(lambda: lab.step() == last, "the latest step again")
    lab.until(lambda: lab.picture("scores") == now, "its picture")
    drag(lab, 0.7)
    ghost = shown(lab)
    lab.press("Ghost: step 0")
    lab.press(f"Ghost of step {ghost}")
    page.get_by_role("button", name=f"Ghost: step {ghost}").wait_for()
    page.keyboard.press("Escape")
    lab.press("Live")
    lab.until(lambda: lab.step() == last and lab.picture("scores") != now, "the latest step with another ghost")


def test_fork_with_another_loss_and_temperature_and_reload(context: Any, server: Server) -> None:
    lab = LabPage(context.new_page(), server.url).open("?lane=infonce&encoder.width=32&panels=scores")
    page = lab.page
    lab.press("Step 20")
    lab.until(lambda: lab.step() == 20, "twenty steps")
    lab.press("Step 20")
    lab.until(lambda: lab.step() == 40, "forty")
    page.keyboard.press("j")
    lab.until(lambda: cursor(lab) == "40", "the last kept step")
    page.keyboard.press("j")
    lab.until(lambda: 0 <= lab.step() < 40, "the one before")
    step = shown(lab)
    assert step > 0
    fork(lab, step, "Loss", "SupCon")
    fork(lab, step, "Knobs to change", "temperature", "0.5")
    told = page.get_by_text(f"A → A2 (lane B, from step {step}) · A → A3 (lane C, from step {step})")
    told.wait_for()
    lab.until(lambda: f"{step}%40loss.temperature%3D0.5" in page.url, "the second fork in the address")
    assert f"{step}%40fork%3DA2%3B{step}%40loss%3Dsupcon" in page.url
    lab.press("Live")
    lab.until(lambda: [row[1] for row in lab.rows()] == ["40"] * 3, "all lanes at the clock")
    results = [row[3:] for row in lab.rows()]
    assert len({tuple(row) for row in results}) == 3
    page.reload()
    told.wait_for()
    lab.until(lambda: [row[3:] for row in lab.rows()] == results, "the same numbers after a reload")
