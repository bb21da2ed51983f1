"""What a board has under way on the side workers: maps of its lanes, a sweep, a repeat."""

from collections.abc import Sequence
from typing import Any

from models.engine import jobs
from models.engine.background import Background
from models.engine.board import Cell, TaskState
from models.engine.cluster import Engine
from models.engine.lane import Probe
from models.engine.remote import Remote


class Side:
    """Belongs to its board's thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._tasks: dict[str, Background] = {}
        self._maps: dict[str, tuple[Any, int]] = {}  # lane id -> Dask future and the step that it maps

    def start(self, kind: str, knob: str, steps: int, cells: list[Cell]) -> None:
        """Begin a sweep or repeat; an older one of the same kind is stopped."""
        if kind in self._tasks:
            self._tasks[kind].cancel()
        self._tasks[kind] = Background(self._engine, kind, knob, steps, cells)

    def mapping(self, lane: Remote) -> bool:
        """True while a map of this lane is under way."""
        return lane.id in self._maps

    def map(self, lane: Remote, probe: Probe) -> None:
        """Begin a UMAP of a lane's probe, from its last map where there is one."""
        previous = None if lane.umap is None else lane.umap.xy
        self._maps[lane.id] = (self._engine.submit(jobs.umap_points, probe, previous), probe.step)

    def poll(self, lanes: Sequence[Remote]) -> bool:
        """Take in what has finished; True if anything has."""
        changed = any([task.poll() for task in self._tasks.values()])
        for lane_id in [key for key, (future, _) in self._maps.items() if future.status != "pending"]:
            future, step = self._maps.pop(lane_id)
            changed = True
            for lane in [lane for lane in lanes if lane.id == lane_id]:
                _take(lane, future, step)
            future.release()
        return changed

    def cancel(self) -> None:
        """Stop sweep and repeat; what has finished stays."""
        for task in self._tasks.values():
            task.cancel()

    def task(self, kind: str) -> TaskState | None:
        """What a page reads of the sweep or the repeat."""
        return self._tasks[kind].view() if kind in self._tasks else None


def _take(lane: Remote, future: Any, step: int) -> None:
    if future.status == "finished":
        lane.umap, lane.umap_step = future.result(timeout=10), step
    else:
        lane.message = "The UMAP of this run failed; ask for it again."
