"""The lanes of a board and their one clock: who trains how far in the next slice, and what comes of it."""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from models.diagnostics.summary import Summary
from models.engine.checkpoint import Keeper, Past
from models.engine.cluster import Engine
from models.engine.forks import state_before
from models.engine.guard import Broken
from models.engine.history import CHECKPOINT_BYTES, CHECKPOINTS, room
from models.engine.lane import BESIDE, NO_LOOK, NOW, Packed
from models.engine.remote import Lost, Remote
from models.training.config import RunConfig

Kept = tuple[str, Packed | None]  # a lane's id and state
_NAME = "lane-"
TELL_S = 30.0  # how long a lane says that it was resumed


class Lanes:
    """Belongs to its player's thread. Lanes behind the clock train alone until they have caught up; the clock waits."""

    def __init__(self, engine: Engine, board_id: str, keeper: Keeper | None) -> None:
        self.all: list[Remote] = []
        self.clock = 0
        self.brushed = False  # somebody holds a brush: summaries come with what it needs
        self._engine, self._board, self._keeper = engine, board_id, keeper
        self._settings = engine.settings
        self._next = 0  # number of the next new lane; none is used twice
        self._look_at = self._packed = 0.0
        self._tell: dict[str, float] = {}

    def fill(self, configs: Sequence[RunConfig], kept: Mapping[int, Kept] | None = None) -> None:
        """All lanes anew, at step 0 or, by position, as they were kept; the clock is that of the furthest."""
        self.release()
        known = kept or {}
        taken = [int(name.removeprefix(_NAME)) for name, _ in known.values() if name.startswith(_NAME)]
        self._next = max([self._next, *(number + 1 for number in taken)])
        self.all = [self._made(config, *known.get(index, ("", None))) for index, config in enumerate(configs)]
        self.clock = max((lane.step for lane in self.all), default=0)
        self.keep_board()

    def add(self, config: RunConfig) -> None:
        """One more lane, from step 0."""
        self.all.append(self._made(config))
        self.keep_board()

    def fork(self, parent: Remote, config: RunConfig, step: int) -> None:
        """One more lane with the parent's past, from its last kept state up to this step; see `Player.fork`."""
        on_disk = None if self._keeper is None else partial(self._keeper.past, self._board, parent.id)
        lane = self._made(config, packed=state_before(parent.packs, parent.saved.steps, step, on_disk))
        lane.seen = parent.seen.until(step)
        lane.shared = max(lane.seen.steps, default=-1)
        lane.first, lane.checksums = parent.first, parent.checksums
        self.all.append(lane)
        self.keep_board()

    def remove(self, lane: Remote) -> None:
        """Let one go."""
        lane.release()
        self.all.remove(lane)
        self.keep_board()

    def change(self, lane: Remote, config: RunConfig) -> None:
        """Another run in a lane's place, from step 0; under a new id, so that nothing told of the old one stays."""
        self.all[self.all.index(lane)] = self._made(config)
        lane.release()
        self.keep_board()

    def restart(self) -> None:
        """Every lane back to step 0, with the knobs as they stand."""
        self.clock = 0
        for lane in self.all:
            lane.restart(lane.config.folded())
        self.keep_board()

    def go_back(self, lane: Remote, rate: float | None) -> None:
        """A diverged lane back to its last checkpoint; raises ValueError if it has not diverged."""
        if lane.status != "diverged":
            raise ValueError("only a run that diverged can go back to its checkpoint")
        lane.go_back("" if rate is None else "optimiser.rate", rate or 0.0)
        self._tell[lane.id] = time.monotonic() + TELL_S
        self.keep_board()

    def refresh(self, lane: Remote) -> None:
        """Measure one lane as it stands, and keep its config."""
        self.measure([lane] if lane.ready else [])
        self.keep_board()

    def measure(self, lanes: Sequence[Remote]) -> None:
        """Show lanes as they stand."""
        for lane, seen in self.each(lanes, "summary", {lane.id: (self.brushed,) for lane in lanes}):
            lane.show(*seen)

    def brush(self, held: bool) -> None:
        """While a brush is held, every summary comes with what it needs; the first at once."""
        self.brushed = held
        for lane in self.all if not held else ():
            lane.raw = None
        if held:
            self.measure([lane for lane in self.all if lane.ready and lane.raw is None])

    def moved(self, lane: Remote, step: int) -> None:
        """A lane has trained on its own up to a step: the clock follows, and the other lanes are behind it."""
        lane.step, self.clock = step, max(self.clock, step)
        self.refresh(lane)

    def find(self, key: str | int) -> Remote:
        """A lane by id or by number; raises ValueError if there is none."""
        for index, lane in enumerate(self.all):
            if key in (lane.id, index):
                return lane
        raise ValueError(f"this board has no lane {key!r}; its lanes are: {', '.join(lane.id for lane in self.all)}")

    def release(self) -> None:
        """Let all actors go."""
        for lane in self.all:
            lane.release()

    @property
    def loading(self) -> bool:
        """True while a lane has no actor yet."""
        return any(lane.status in ("loading", "recovering") for lane in self.all)

    @property
    def problem(self) -> str:
        """Why checkpoints cannot be written; empty if they can."""
        return "" if self._keeper is None else self._keeper.problem

    @property
    def summaries(self) -> list[Summary]:
        """The latest of every lane that trains."""
        return [lane.summary for lane in self.all if lane.trains and lane.summary is not None]

    def tend(self) -> bool:
        """Take in actors that have come, replace those whose worker is gone; True if anything changed."""
        changed = False
        for lane in self.all:
            if lane.ready and not lane.alive:
                self._lose(lane)
                changed = True
            elif not lane.ready:
                before = lane.status
                if lane.poll():
                    self.guarded(lane, partial(self._welcome, lane))
                changed = changed or lane.ready or lane.status != before
        return changed

    def slice(self, limit: int | None, most: int | None = None) -> bool:
        """Train one slice: lanes behind the clock, or else all of them, up to `limit` (None: only those behind).

        most: largest number of steps. False if there is nothing to train.
        """
        movers = self._plan(limit, most)
        if not movers:
            return False
        began = time.monotonic()
        summary, packed = self._due(began)
        look = NO_LOOK if not summary else BESIDE if most is None else NOW  # at a slow pace every step is looked at
        answers = self.each(
            [lane for lane, _ in movers], "advance", {lane.id: (n, look, packed, self.brushed) for lane, n in movers}
        )
        for lane, progress in answers:
            lane.take(progress, began)
            if progress.packed is not None:
                self._pack(lane, progress.packed)
        self.clock = max([self.clock, *(progress.step for _, progress in answers)])
        if packed:
            self.keep_board()
        return True

    def settle(self) -> None:
        """Measure and pack every lane as it stands."""
        self.measure([lane for lane in self.all if lane.ready])
        self.pack()

    def pack(self) -> None:
        """Keep every lane as it stands; a diverged one keeps its last good checkpoint."""
        sound = [lane for lane in self.all if lane.ready and lane.status not in ("diverged", "failed")]
        for lane, packed in self.each(sound, "pack"):
            self._pack(lane, packed)
        self.keep_board()

    def mark(self, active: bool) -> None:
        """Set what each lane's state is called; forget old news."""
        for lane in self.all:
            if lane.trains:
                lane.status = self._called(lane, active)
            if lane.id in self._tell and time.monotonic() > self._tell[lane.id]:
                del self._tell[lane.id]
                lane.message = lane.message if lane.status == "failed" else ""

    def each(
        self, lanes: Sequence[Remote], name: str, arguments: Mapping[str, tuple[Any, ...]] | None = None
    ) -> list[tuple[Remote, Any]]:
        """Call a method on several lanes at once; those whose worker is gone are replaced and missing here."""
        calls: list[tuple[Remote, Any]] = []
        answers: list[tuple[Remote, Any]] = []

        def begin(lane: Remote) -> None:
            calls.append((lane, lane.call(name, *(arguments or {}).get(lane.id, ()))))

        def finish(lane: Remote, call: Any) -> None:
            answers.append((lane, lane.answer(call)))

        for lane in lanes:
            self.guarded(lane, partial(begin, lane))
        for lane, call in calls:
            self.guarded(lane, partial(finish, lane, call))
        return answers

    def ask(self, lane: Remote, name: str, *arguments: Any) -> Any:
        """Ask one lane something; raises ValueError while it has no process."""
        if not lane.ready:
            raise ValueError("this run is being built; ask again in a moment")
        try:
            return lane.ask(name, *arguments)
        except Lost:
            self._lose(lane)
            raise ValueError("this run's process has just stopped; ask again in a moment") from None

    def keep_board(self) -> None:
        """Write down which lanes there are."""
        if self._keeper is not None:
            self._keeper.put_board(self._board, self.clock, [(lane.id, lane.config) for lane in self.all])

    def _made(self, config: RunConfig, name: str = "", packed: Packed | None = None) -> Remote:
        if not name:
            name, self._next = f"{_NAME}{self._next}", self._next + 1
        return Remote(self._engine, name, config, packed)

    def _plan(self, limit: int | None, most: int | None) -> list[tuple[Remote, int]]:
        able = [lane for lane in self.all if lane.trains]
        # Lanes of one worker take turns: shorter ones, so that all together look up as often as one would.
        seconds = self._settings.slice_s * min(self._settings.workers / max(len(able), 1), 1.0)
        behind = [lane for lane in able if lane.step < self.clock]
        if behind:
            return [(lane, min(lane.chunk(seconds), self.clock - lane.step)) for lane in behind]
        starting = self.clock == 0 and any(lane.status == "loading" for lane in self.all)
        if limit is None or not able or starting or self.clock >= limit:
            return []
        n = min([limit - self.clock, most or limit, *(lane.chunk(seconds) for lane in able)])
        return [(lane, n) for lane in able]

    def _due(self, now: float) -> tuple[bool, bool]:
        """Whether this slice ends with a summary, and with a checkpoint.

        Summaries that take longer than their interval come as they are ready: none is begun before the last is done.
        """
        every = self._settings.summary_s
        summary = now >= self._look_at
        if summary:
            # Asked for only between slices, so mostly late: the next is due an interval after this one was due.
            self._look_at = max(self._look_at + every, now + every / 2)
        packed = now - self._packed >= self._settings.checkpoint_s
        self._packed = now if packed else self._packed
        return summary, packed

    def _welcome(self, lane: Remote) -> None:
        """An actor has come: what the page shows of it, and a first checkpoint."""
        lane.checksums = lane.ask("checksums")
        lane.catch_up_knobs()
        lane.status = "paused"
        if lane.first is None and lane.step > 0:
            lane.first = lane.ask("first")
        lane.show(*lane.ask("summary", self.brushed))
        self._pack(lane, lane.ask("pack"))

    def guarded(self, lane: Remote, work: Callable[[], None]) -> None:
        """Do something with a lane: replaced if its worker turns out to be gone, failed if its own loss breaks."""
        try:
            work()
        except Lost:
            self._lose(lane)
        except Broken as error:
            lane.fail(str(error))

    def _lose(self, lane: Remote) -> None:
        lane.lose()
        self._tell[lane.id] = time.monotonic() + TELL_S

    def _pack(self, lane: Remote, packed: Packed) -> None:
        lane.keep(packed)
        if self._keeper is not None:
            self._keeper.put(self._board, lane.id, packed)
            most = room(len(packed.payload), CHECKPOINTS, CHECKPOINT_BYTES)
            lane.saved = lane.saved.add(packed.step, lane.id, most)
            self._keeper.put_past(self._board, lane.id, Past(lane.saved.steps, (packed,)))

    def _called(self, lane: Remote, active: bool) -> str:
        if lane.step < self.clock:
            return "catching up"
        if lane.step >= self._settings.steps:
            return "finished"
        if active:
            return "running"
        return "ready" if lane.step == 0 else "paused"
