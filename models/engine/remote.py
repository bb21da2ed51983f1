"""A lane as its player holds it: where its actor is, what it last told, and how its loss is noticed and repaired."""

import secrets
import time
from collections import deque
from typing import Any

from distributed.scheduler import KilledWorker

from models.diagnostics.look import Look
from models.diagnostics.summary import Points, Summary
from models.engine import history
from models.engine.board import LaneState
from models.engine.cluster import GONE, Engine
from models.engine.lane import LaneActor, Packed, Progress
from models.engine.warm import OWN_LOSS, TRAIN
from models.own_source import is_own
from models.spec import Value
from models.training.config import Event, RunConfig

POLL_S = 0.5  # between two looks at whether a worker that has not answered is still there
ANSWER_S = 10.0  # most that fetching a finished future takes
CHECK_S = 1.0  # the same while an actor is being made
BUSY = 4.0  # times as long as meant that a slice may take on a busy machine
KEPT = 3  # checkpoints in memory
LOSSES = 3  # times in a row that a lane may lose its worker before it is given up
_FIRST_CHUNK, _MOST_CHUNK = 4, 20_000


class Lost(Exception):
    """The worker that held the lane is gone."""


class Remote:
    """One lane. Belongs to its player's thread; nothing here is shared."""

    def __init__(self, engine: Engine, lane_id: str, config: RunConfig, packed: Packed | None = None) -> None:
        self.id, self.config = lane_id, config
        self.step = packed.step if packed else 0
        self.status, self.message = "loading", ""
        self.summary: Summary | None = None
        self.first: Summary | None = None
        self.raw: Look | None = None  # of the latest summary's moment, where it was asked for
        self.checksums: dict[str, str] = {}
        self.rate = 0.0
        self.umap: Points | None = None
        self.umap_step = 0
        self.packs: deque[Packed] = deque([packed] if packed else [], maxlen=KEPT)
        self.seen = history.summaries()
        self.saved = history.checkpoints()  # file by step
        self.shared = -1  # last step that `seen` has from the lane that this one left
        self._engine = engine
        self._token = secrets.token_hex(8)  # names the note of a process that an own loss held up
        self._address: str | None = None
        self._client: Any = None
        self._future: Any = None
        self._actor: Any = None
        self._from = packed  # state to start from; None: step 0
        self._asked = 0.0  # when the actor was asked for, or last seen to be coming; 0: never
        self._losses = 0
        self._returned = -1  # step of the last return to a checkpoint
        self._cost = 0.0  # seconds a step, smoothed; 0: unknown
        self._late: list[tuple[str, Value]] = []  # knobs set while there was no actor

    @property
    def ready(self) -> bool:
        """True while there is an actor to call."""
        return self._actor is not None

    @property
    def trains(self) -> bool:
        """True if it can be advanced."""
        return self.ready and self.status not in ("diverged", "failed", "finished")

    @property
    def alive(self) -> bool:
        """False once Dask says that the actor's worker is gone."""
        if self._future is None or self._client is not self._engine.client or not self._engine.alive:
            return False
        return bool(self._future.status == "finished")

    def start(self) -> None:
        """Ask for an actor, from `_from` where that is a state; does nothing while no worker is free."""
        self._drop()
        self._asked = time.monotonic()
        state = (self._from.payload, self._from.manifest) if self._from else (b"", "")
        purpose = OWN_LOSS if is_own(self.config.loss.key) else TRAIN
        try:
            self._client, self._address = self._engine.client, self._engine.place(purpose)
            if self._address is not None:
                self._future = self._client.submit(
                    LaneActor,
                    self.config.to_json(),
                    *state,
                    self._token,
                    actor=True,
                    workers=[self._address],
                    pure=False,
                )
        except GONE:  # the scheduler is gone; asked again in a moment
            self._drop()

    def poll(self) -> bool:
        """See whether the actor has come; True once, when it has. A run that cannot be built fails for good."""
        if self.ready or self.status == "failed":
            return False
        if self._asked == 0.0:
            self.start()
            return False
        status = "gone" if self._future is None else self._future.status
        try:
            if status == "finished":
                with self._client.as_current():
                    self._actor = self._future.result(timeout=ANSWER_S)
                return True
            error = self._future.exception(timeout=ANSWER_S) if status == "error" else None
        except GONE:
            self.start()
            return False
        if error is not None and not isinstance(error, KilledWorker):
            self.fail(str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}")
        elif time.monotonic() - self._asked > CHECK_S:
            # Dask leaves an actor pending for good if its worker goes while it is made.
            self._asked = time.monotonic()
            if status != "pending" or not self._coming():
                self.start()
        return False

    def _coming(self) -> bool:
        """True if the worker that makes the actor is still there."""
        try:
            return self._client is self._engine.client and self._address in self._engine.workers()
        except GONE:
            return False

    def fail(self, message: str) -> None:
        """Give this lane up, with the reason."""
        self.status, self.message, self.rate = "failed", message, 0.0
        self._drop()

    def call(self, name: str, *arguments: Any, **options: Any) -> Any:
        """Begin a method of the actor; returns its future for `answer`. Raises Lost if the worker is gone."""
        try:
            with self._client.as_current():
                return getattr(self._actor, name)(*arguments, **options)
        except GONE as error:  # Dask: "Worker holding Actor was lost"
            raise Lost(str(error)) from error

    def answer(self, future: Any) -> Any:
        """Wait for a call. Raises Lost as soon as the worker is seen to be gone, else what the method raised."""
        while True:
            try:
                return future.result(timeout=POLL_S)
            except TimeoutError as error:
                if not self.alive:
                    raise Lost(str(error)) from error
            except GONE as error:
                if isinstance(error, RuntimeError) and self.alive:  # the method's own
                    raise
                raise Lost(str(error)) from error

    def ask(self, name: str, *arguments: Any) -> Any:
        """Call a method and wait for its answer."""
        return self.answer(self.call(name, *arguments))

    def chunk(self, seconds: float) -> int:
        """Steps that take about so long, by what was seen so far; few at first."""
        if self._cost == 0.0:
            return _FIRST_CHUNK
        return min(max(round(seconds / self._cost), 1), _MOST_CHUNK)

    def take(self, progress: Progress, began: float) -> None:
        """Take in what a slice brought."""
        steps = progress.step - self.step
        if steps > 0:
            # By the clock alone, a busy machine would make slices short, and short slices dear: less would be trained.
            cost = max(progress.processor_s, progress.seconds / BUSY) / steps
            wall = max(time.monotonic() - began, 1e-6)
            # The first steps of a process are slow: the estimate moves half way with each slice.
            self._cost = cost if self._cost == 0.0 else (self._cost + cost) / 2
            self.rate = steps / wall if self.rate == 0.0 else (3 * self.rate + steps / wall) / 4
        self.step = progress.step
        if progress.summary is not None:
            self.show(progress.summary, progress.raw)
        if progress.status != "ok":
            self.status, self.message, self.rate = progress.status, progress.message, 0.0

    def keep(self, packed: Packed) -> None:
        """A new checkpoint; those of the same step or of later ones, which a divergence undid, go."""
        while self.packs and self.packs[-1].step >= packed.step:
            self.packs.pop()
        self.packs.append(packed)
        self._losses = 0

    def show(self, summary: Summary, raw: Look | None = None) -> None:
        """A new latest summary, and what a brush needs; one begun before the brush was held leaves what there is."""
        self.summary, self.raw = summary, raw or self.raw
        most = history.room(history.nbytes(summary), history.SUMMARIES, history.SUMMARY_BYTES)
        if summary.step > self.shared:
            self.seen = self.seen.add(summary.step, summary, most)
        if summary.step == 0:
            self.first = summary

    def set_knob(self, knob: str, value: Value) -> None:
        """Set a knob from the next step on; without an actor, as soon as there is one again.

        A diverged lane tries again with it.
        """
        if self.status == "diverged":
            self.go_back(knob, value)
            return
        self.config = self.config.with_event(Event(self.step, knob, value))
        if not self.ready:
            self._late.append((knob, value))
            return
        self.ask("set_knob", knob, value)

    def catch_up_knobs(self) -> None:
        """Set what was set while there was no actor, now that there is one."""
        late, self._late = self._late, []
        for knob, value in late:
            self.set_knob(knob, value)

    def go_back(self, knob: str = "", value: Value = 0.0) -> None:
        """Return to the last checkpoint, without later events, and with one knob set anew.

        If the last return led to a divergence before any new checkpoint, it goes to the one before, at last to step 0.
        """
        if self.packs and self.packs[-1].step == self._returned:
            self.packs.pop()
        self._from = self.packs[-1] if self.packs else None
        self.step = self._returned = self._from.step if self._from else 0
        self._forget_later()
        config = self.config.until(self.step)
        self.config = config.with_event(Event(self.step, knob, value)) if knob else config
        self.status, self.message = "recovering", f"Went back to step {self.step}."
        self.start()

    def lose(self) -> None:
        """The worker is gone: start anew from the last checkpoint."""
        stopped, self._losses = self.step, self._losses + 1
        self._from = self.packs[-1] if self.packs else None
        self.step, self.rate = (self._from.step if self._from else 0), 0.0
        self._forget_later()
        if self._losses > LOSSES:
            self.fail(f"The training process stopped {self._losses} times in a row, last at step {stopped}.")
            return
        self.status = "recovering"
        self.message = f"The training process stopped at step {stopped}; resuming from step {self.step}."
        self.start()

    def restart(self, config: RunConfig) -> None:
        """Back to step 0 with this config."""
        self.config, self.step, self.rate, self._from = config, 0, 0.0, None
        self.status, self.message, self.shared = "loading", "", -1
        self.summary = self.first = self.umap = self.raw = None
        self.packs.clear()
        self.seen, self.saved = history.summaries(), history.checkpoints()
        self._late.clear()
        self.start()

    def release(self) -> None:
        """Let the actor go."""
        self._drop()

    def view(self) -> LaneState:
        """What a page reads."""
        return LaneState(
            self.id,
            self.config,
            self.status,
            self.step,
            self.summary,
            self.first,
            self.checksums,
            self.rate if self.status in ("running", "catching up") else 0.0,
            self.umap,
            self.umap_step,
            self.message,
            self._address or "" if self.ready else "",
            self.raw,
            self.seen.kept,
        )

    def _forget_later(self) -> None:
        """What was kept of steps that are trained anew."""
        self.seen, self.saved = self.seen.until(self.step), self.saved.until(self.step)

    def _drop(self) -> None:
        self._actor = None
        if self._future is not None:
            self._future.release()
        self._future = self._client = None
        if self._address is not None:
            self._engine.leave(self._address)
            self._address = None
