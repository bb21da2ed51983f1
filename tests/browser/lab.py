"""How tests drive the lab page: what a person sees and presses, waited for by condition and never by time."""

import re
from collections.abc import Callable
from typing import Any

PATIENCE_MS = 120_000  # the machine may be busy, and no test asserts a time
PANELS = ("scores", "roc", "tradeoff", "map", "weights", "curves")


class LabPage:
    """One browser page that shows the lab."""

    def __init__(self, page: Any, url: str) -> None:
        self.page, self.url = page, url
        page.set_default_timeout(PATIENCE_MS)

    def open(self, query: str = "") -> "LabPage":
        """Go to the lab and wait until its charts stand."""
        self.page.goto(f"{self.url}/{query}")
        self.page.wait_for_selector(".st-key-panel-scores canvas")
        return self

    def rows(self) -> list[list[str]]:
        """Cells of the numbers table, a list a lane: badge and status, step, steps/s, loss, ..."""
        cells = ".st-key-numbers tbody tr"
        return [row.locator("td").all_inner_texts() for row in self.page.locator(cells).all()]

    def step(self, lane: int = 0) -> int:
        """The step that a lane's row shows."""
        rows = self.rows()
        return int(rows[lane][1]) if len(rows) > lane and rows[lane][1].isdigit() else -1

    def until(self, condition: Callable[[], object], what: str) -> None:
        """Wait for something that a person would see."""
        waited = 0
        while not condition():
            assert waited < PATIENCE_MS, f"{what} did not happen; the page says {self.rows()}"
            self.page.wait_for_timeout(250)
            waited += 250

    def press(self, name: str) -> None:
        """Press a button by its words."""
        self.page.get_by_role("button", name=re.compile(rf"^{name}")).first.click()

    def play(self) -> None:
        """Go live, and wait for the first trained steps."""
        self.press("Play")
        self.until(lambda: "live=" in self.page.url and self.step() >= 3, "live training")

    def pause(self) -> int:
        """Pause, and return the step at which everything rests."""
        self.press("Pause")
        self.until(lambda: all("paused" in row[0] for row in self.rows()), "pause")
        seen = [-1, -2, self.step()]  # the slice under way ends first

        def rests() -> bool:
            self.page.wait_for_timeout(1000)
            seen.append(self.step())
            return len(set(seen[-4:])) == 1

        self.until(rests, "rest")
        return seen[-1]

    def picture(self, panel: str) -> bytes:
        """What a panel's chart looks like."""
        shot: bytes = self.page.locator(f".st-key-panel-{panel} canvas").first.screenshot()
        return shot

    def board(self) -> str:
        """The id of the live board, from the address."""
        return re.search(r"live=([0-9a-f]+)", self.page.url).group(1)  # type: ignore[union-attr]
