"""Sweeps and repeats: many runs of their own on the side workers, taken in as they finish."""

from dataclasses import replace
from typing import Any

from models.engine import jobs
from models.engine.board import Cell, TaskState
from models.engine.cluster import Engine
from models.engine.warm import OWN_LOSS, SIDE
from models.own_source import is_own
from models.spec import Value
from models.training.config import LOSS, STEPS, Event, Part, RunConfig

MOST_CELLS = 200


class Background:
    """One sweep or repeat under way. Belongs to its player's thread."""

    def __init__(self, engine: Engine, kind: str, knob: str, steps: int, cells: list[Cell]) -> None:
        """kind: "sweep" or "repeat". Raises ValueError if a run may not have so many steps."""
        STEPS.check(steps, "runs")
        self._kind, self._knob, self._steps, self._cells = kind, knob, steps, cells
        self._message = ""
        self._futures: dict[int, Any] = {
            index: engine.submit(jobs.train, cell.config.to_json(), steps, purpose=_purpose(cell.config))
            for index, cell in enumerate(cells)
        }

    def poll(self) -> bool:
        """Take in what has finished; True if anything has."""
        settled = [index for index, future in self._futures.items() if future.status != "pending"]
        for index in settled:
            try:
                self._cells[index] = _settled(self._cells[index], self._futures[index])
            except TimeoutError:  # its worker went with what it had just told: Dask has it told again
                continue
            self._futures.pop(index).release()
        return bool(settled)

    def cancel(self) -> None:
        """Stop what has not finished; what has stays."""
        for future in self._futures.values():
            future.cancel(force=True)
        self._futures.clear()
        self._message = "Cancelled."

    @property
    def running(self) -> bool:
        """True while cells are missing."""
        return bool(self._futures)

    def view(self) -> TaskState:
        """What a page reads."""
        return TaskState(self._kind, self._knob, self._steps, tuple(self._cells), self.running, self._message)


def _purpose(config: RunConfig) -> str:
    return OWN_LOSS if is_own(config.loss.key) else SIDE


def _settled(cell: Cell, future: Any) -> Cell:
    if future.status == "finished":
        return replace(cell, outcome=future.result(timeout=10))
    error = future.exception(timeout=10) if future.status == "error" else "it was lost"
    return replace(cell, error=f"This run failed: {error}")


def sweep_cells(lane: str, config: RunConfig, knob: str, values: list[Value]) -> list[Cell]:
    """One config for each value of a loss knob, without the events that change it; raises ValueError on a bad value."""
    if any(event.knob == LOSS for event in config.events):
        raise ValueError("this run changed its loss on the way: sweep one that has a single loss")
    if knob not in config.loss.values:
        known = ", ".join(config.loss.values) or "none"
        raise ValueError(f"{config.loss.key} has no knob {knob!r} to sweep; its knobs are: {known}")
    _check_count(len(values))
    events = tuple(event for event in config.events if event.knob != f"loss.{knob}")
    cells = []
    for value in values:
        # One knob, so the event's check says what is allowed in the same words as a live change would.
        checked = config.check_event(Event(0, f"loss.{knob}", value)).value
        loss = Part(config.loss.key, tuple({**config.loss.values, knob: checked}.items()))
        cells.append(Cell(lane, checked, replace(config, loss=loss, events=events), None))
    return cells


def repeat_cells(lanes: list[tuple[str, RunConfig]], seeds: list[int]) -> list[Cell]:
    """Every lane with every seed, events included; raises ValueError on a bad seed."""
    _check_count(len(lanes) * len(seeds))
    return [Cell(lane, seed, replace(config, seed=seed), None) for lane, config in lanes for seed in seeds]


def _check_count(count: int) -> None:
    if not 1 <= count <= MOST_CELLS:
        raise ValueError(f"{count} runs asked for; from 1 to {MOST_CELLS} are possible at once")
