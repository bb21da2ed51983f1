"""LaneActor: a Run where it lives, in a worker process; what it tells is arrays, JSON and our own classes."""

import contextlib
import os
import sys
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache

import dask
import numpy as np
import torch

from models.diagnostics.look import Look, look_of
from models.diagnostics.placed import placed
from models.diagnostics.projection import Frame, pca_frame
from models.diagnostics.slow_step import SlowStep
from models.diagnostics.summarise import summarise
from models.diagnostics.summary import Summary, WeightProfile
from models.diagnostics.weights import weight_profile
from models.engine.guard import Broken, guard_of, settle
from models.engine.probe_loss import probe_loss
from models.engine.warm import NICE
from models.own_source import is_own
from models.snapshot import Snapshot
from models.spec import Value
from models.training import keep
from models.training.config import RunConfig
from models.training.radar import Found, find_suspects
from models.training.run import Diverged, Run
from models.training.slow_step import slow_step
from models.training.trace import Trace

# Lanes of one process take turns anyway (one core, one torch thread); building a run seeds torch's shared generator.
TURN = threading.Lock()
SWITCH_S = 0.0005
HURRIED = 4  # looks in a hurry between two whole ones, while training goes on
NO_LOOK, NOW, BESIDE = "", "now", "beside"


@dataclass(frozen=True, eq=False)
class Packed:
    """A lane's whole state: safetensors bytes and the manifest that names their checksum."""

    payload: bytes
    manifest: str
    step: int


@dataclass(frozen=True, eq=False)
class Progress:
    """What a lane tells after a slice."""

    step: int
    seconds: float  # of training alone, by the clock
    processor_s: float  # the same by processor time: less than by the clock on a busy machine
    status: str  # "ok", "diverged" or "failed"
    message: str
    summary: Summary | None = None
    raw: Look | None = None  # of the summary's moment, where it was asked for
    packed: Packed | None = None


Seen = tuple[Summary, Look | None]  # of one moment; the second where a brush needs it


@dataclass(frozen=True, eq=False)
class Probe:
    """The probe's embeddings, for a map made elsewhere."""

    z: np.ndarray  # (n, d)
    y: np.ndarray  # (n,)
    item: np.ndarray  # (n,)
    seen: np.ndarray  # (n,) bool
    step: int


@dataclass(frozen=True, eq=False)
class WhatIf:
    """What other knobs would do to the scores as they are now; nothing is trained."""

    knobs: dict[str, Value]
    loss: float  # on the probe
    loss_now: float  # the same with the present knobs
    weights: WeightProfile | None
    step: int


class LaneActor:
    """One run. Its numbers are those of a plain `Run` of the same config, however it is sliced or looked at."""

    def __init__(self, config: str, payload: bytes = b"", manifest: str = "", token: str = "") -> None:
        """Start from step 0, or from a packed state; raises ValueError if the parts do not fit or the state is damaged.

        config: RunConfig as JSON; with a packed state it may hold later events than the state does. token: names this
        lane for as long as it lasts, over all its processes.
        """
        settle_process()
        made = RunConfig.from_json(config)
        rehearse(made)
        self._guard = guard_of(made, token)
        with TURN, self._guard:
            self._run = Run(made)
            if payload:
                was, step, trace, tensors = keep.unpack(payload, manifest)
                self._run.restore(step, Trace.of(trace), tensors, was)
            self._try_look()
        self._frame: Frame | None = None
        self._looking: Future[Seen] | None = None
        self._recent: Summary | None = None  # the last whole look
        self._hurried = 0  # looks since

    def advance(self, n: int, look: str = NO_LOOK, packed: bool = False, raw: bool = False) -> Progress:
        """Train n steps; then, where asked, measure and pack. A divergence is told, not raised.

        look: NOW brings the summary of the last step; BESIDE begins one beside the training that follows, and a later
        call brings it. raw: what a brush needs comes with the summary.
        """
        status, message = "ok", ""
        with TURN:
            began, used = time.perf_counter(), time.thread_time()
            try:
                self._train(n)
            except Diverged as found:
                status, message = "diverged", str(found)
            except Exception as error:  # a loss file may hold any mistake: it ends this lane and no other
                status, message = "failed", f"Step {self._run.step}: {self._guard.told(error)}"
        seconds, processor_s = time.perf_counter() - began, time.thread_time() - used
        seen, moment = self._looked(NO_LOOK if status == "failed" else look, raw) or (None, None)
        # A diverged run stands at sound weights again: that is the state to go on from.
        kept = self.pack() if status == "diverged" or (packed and status == "ok") else None
        return Progress(self._run.step, seconds, processor_s, status, message, seen, moment, kept)

    def _train(self, n: int) -> None:
        for portion in self._guard.portions(n):
            with self._guard:
                self._run.advance(portion)

    def _taken(self) -> Snapshot:
        """The snapshot; what an own loss raises on the way becomes Broken."""
        try:
            return self._run.snapshot()
        except Exception as error:  # foreign code may hold any mistake
            if not self._guard.own:
                raise
            raise Broken(f"Your loss cannot be measured on the probe: {self._guard.told(error)}.") from None

    def _try_look(self) -> None:
        """An own loss may stand a batch and not the whole probe: better told at the start than in the middle."""
        if self._guard.own:
            self._taken()

    def summary(self, raw: bool = False) -> Seen:
        """All that the panels draw of this moment, the map in axes that turn with the embedding; raw: as `advance`."""
        if self._looking is not None:  # one at a time, since each turns the axes a little further
            self._looking.result()
            self._looking = None
        return self._look(self.snapshot(), False, raw)

    def _looked(self, look: str, raw: bool) -> Seen | None:
        """The summary that is ready, if one is; begins the next."""
        if look == NOW:
            return self.summary(raw)
        ready = None
        if self._looking is not None and self._looking.done():
            ready, self._looking = self._looking.result(), None
        if look == BESIDE and self._looking is None:
            self._looking = looker().submit(self._look, self.snapshot(), True, raw)
        return ready

    def _look(self, snapshot: Snapshot, hurried: bool, raw: bool) -> Seen:
        self._frame = pca_frame(snapshot.z, self._frame)
        hurried = hurried and self._hurried < HURRIED
        made = summarise(snapshot, self._frame, self._recent if hurried else None)
        seen = replace(made, placed=placed(snapshot.z, snapshot.other))
        self._recent, self._hurried = (self._recent, self._hurried + 1) if hurried else (seen, 0)
        moment = look_of(snapshot) if raw else None
        return seen, moment

    def first(self) -> Summary:
        """The summary of step 0, for a lane that was not here then."""
        with TURN, self._guard:
            config = self._run.config
            start = tuple(event for event in config.events if event.step == 0)
            return summarise(Run(replace(config, events=start)).snapshot())

    def snapshot(self) -> Snapshot:
        """The whole snapshot: about a megabyte for every 200 items of the probe."""
        with TURN, self._guard:
            return self._taken()

    def slow_step(self) -> SlowStep:
        """Train one step and tell what happened in it; raises ValueError, untrained, if it would not be finite."""
        with TURN, self._guard:
            return slow_step(self._run)

    def radar(self) -> Found:
        """Suspected pairs among the training items; nothing is trained."""
        with TURN, self._guard:
            return find_suspects(self._run)

    def probe(self) -> Probe:
        """The probe's embeddings."""
        taken = self.snapshot()
        return Probe(taken.z, taken.y, taken.item, taken.seen, taken.step)

    def set_knob(self, knob: str, value: Value) -> str:
        """Change `loss.<knob>` or `optimiser.<knob>` from the next step on; returns the config, event included."""
        with TURN:
            self._run.set(knob, value)
        return self._run.config.to_json()

    def pack(self) -> Packed:
        """The whole state."""
        with TURN:
            return Packed(*self._run.pack(), self._run.step)

    def metrics(self) -> dict[str, float]:
        """Loss of the last step and the light measures of this moment."""
        with TURN:
            return final_metrics(self._run)

    def checksums(self) -> dict[str, str]:
        """Short hashes of initial weights, first batches and first views."""
        return self._run.checksums()

    def what_if(self, knobs: Mapping[str, Value]) -> WhatIf:
        """Loss and pair weights on the probe with other loss knobs; raises ValueError on a bad knob."""
        with TURN, self._guard:
            objective = self._run.objective
            now = dict(objective.knobs)
            loss_now = probe_loss(self._run, self._run.snapshot())
            try:
                for name, value in knobs.items():
                    objective.set(name, value)
                snapshot = self._run.snapshot()
                loss = probe_loss(self._run, snapshot)
            finally:
                for name, value in now.items():
                    objective.set(name, value)
            return WhatIf(dict(knobs), loss, loss_now, weight_profile(snapshot), self._run.step)


@lru_cache
def looker() -> ThreadPoolExecutor:
    """One thread a process that makes summaries beside the training: most of that is NumPy's, outside Python's lock."""
    return ThreadPoolExecutor(1, thread_name_prefix="summaries")


@lru_cache
def settle_process() -> None:
    """Once in each worker: one torch thread, and a low priority if the engine's configuration says so."""
    torch.set_num_threads(1)
    settle()
    # A summary made beside the training asks for Python's lock some hundred times: at the usual 5 ms each it takes ten
    # times as long as its own work.
    sys.setswitchinterval(SWITCH_S)
    nice = int(dask.config.get(NICE, 0))
    if nice:
        os.nice(nice)


def rehearse(config: RunConfig) -> None:
    """Before an own loss, a step with a built-in one: imports and data shall not count against its clock and memory."""
    if is_own(config.loss.key):
        _rehearse(replace(config, loss=RunConfig().loss, events=(), source=RunConfig().source, methods=()))


@lru_cache
def _rehearse(config: RunConfig) -> None:
    # What does not fit is told by the run itself, which follows.
    with TURN, contextlib.suppress(ValueError, Diverged):
        run = Run(config)
        run.advance(1)
        run.snapshot()


def final_metrics(run: Run) -> dict[str, float]:
    """Loss of the last step (nan before the first) and the light measures of this moment."""
    return {"loss": run.trace.loss[-1] if run.trace.loss else float("nan"), **run.measures()}
