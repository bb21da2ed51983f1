"""The step cursor: one step for all panels and lanes, its play back, and the step of the ghost."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from app.view import LaneView, View
from models.diagnostics.look import Look
from models.diagnostics.summary import Summary
from models.diagnostics.trails import look_then
from models.engine.forks import tree
from models.engine.history import nearest, shown_at
from models.training.config import RunConfig

LIVE = -1  # the right end of the slider: the latest step, as it comes
FRESH_S = 2.0  # new steps join the slider of a board that trains no more often, so that it keeps still under a hand


@dataclass
class Clock:
    """Where the cursor of one browser session stands."""

    at: int | None = None  # None: live
    ghost: int = 0
    speed: float = 4.0  # kept steps a second of the play back
    playing: bool = False
    offered: tuple[int, ...] = ()  # steps on the slider
    renewed: float = -FRESH_S
    began: tuple[float, int] = field(default=(0.0, 0))  # when play back began, and at which of the offered

    def offer(self, steps: Sequence[int], now: float, moving: bool = True) -> None:
        """Take in the steps that are kept now; while the cursor stands at one, the slider stays as it is."""
        early = moving and now - self.renewed < FRESH_S
        if self.offered and (self.at is not None or early):
            return
        self.offered, self.renewed = tuple(steps), now

    def go(self, step: int | None) -> None:
        """Show this step, or the latest again; ends play back."""
        self.at, self.playing = step, False

    def move(self, by: int) -> None:
        """To the next kept step, or the one before; past the last one it is live again."""
        if self.offered:
            index = len(self.offered) if self.at is None else self.offered.index(nearest(self.offered, self.at))
            index = max(index + by, 0)
            self.go(self.offered[index] if index < len(self.offered) else None)

    def replay(self, now: float) -> None:
        """Play back from the cursor, or from the first step where it is live."""
        if self.offered:
            start = 0 if self.at is None else self.offered.index(nearest(self.offered, self.at))
            self.at, self.playing, self.began = self.offered[start], True, (now, start)

    def tick(self, now: float) -> bool:
        """Move on while playing back; True if the cursor has moved. At the end it stays at the last kept step."""
        if not self.playing:
            return False
        began, start = self.began
        index = start + int((now - began) * self.speed)
        before, self.at = self.at, self.offered[min(index, len(self.offered) - 1)]
        self.playing = index < len(self.offered) - 1
        return self.at != before


def kept_steps(view: View) -> list[int]:
    """The steps of all lanes that can be shown, rising."""
    return sorted({summary.step for lane in view.lanes for summary in lane.kept})


def shown(view: View, clock: Clock) -> View:
    """The view as the cursor and the ghost have it; lanes that kept nothing stay as they are."""
    if clock.at is None and clock.ghost == 0:
        return view
    lanes = tuple(_then(lane, clock) if lane.kept else lane for lane in view.lanes)
    return replace(view, lanes=lanes, then=clock.at, step=view.step if clock.at is None else clock.at)


def _then(lane: LaneView, clock: Clock) -> LaneView:
    ghost = shown_at(lane.kept, clock.ghost) if clock.ghost else lane.first
    if clock.at is None:
        return replace(lane, first=ghost)
    summary = shown_at(lane.kept, clock.at)
    return replace(
        lane,
        first=ghost,
        summary=summary,
        step=summary.step,
        status="shown",
        rate=0.0,
        umap=None,
        raw=None if lane.raw is None else _look_then(lane.raw, summary, lane.config),
    )


@lru_cache(maxsize=64)
def _look_then(look: Look, summary: Summary, config: RunConfig) -> Look | None:
    """The same for a brush: one object as long as look and moment are the same, so that what is drawn is known."""
    loss = config.loss_at(summary.step)
    knobs = {name: float(value) for name, value in loss.values.items() if not isinstance(value, str)}
    return look_then(look, summary, loss.key, knobs)


def told(configs: Sequence[RunConfig]) -> str:
    """The tree of forks in one line, lanes by letter; empty without forks."""
    names = {index: chr(ord("A") + index) for index in range(len(configs))}
    branches = tree(configs)
    own = {branch.index: branch.name for branch in branches}
    parts = []
    for branch in branches:
        parent = "a lane that has gone" if branch.parent is None else own.get(branch.parent, names[branch.parent])
        parts.append(f"{parent} → {branch.name} (lane {names[branch.index]}, from step {branch.step})")
    return "Forks: " + " · ".join(parts) if parts else ""


def now() -> float:
    """Seconds of a clock that only goes forward."""
    return time.monotonic()
