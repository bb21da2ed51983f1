"""What a page reads of a board: frozen, complete, replaced as a whole."""

from dataclasses import dataclass

from models.diagnostics.look import Look
from models.diagnostics.summary import Points, Summary
from models.engine.jobs import Outcome
from models.spec import Value
from models.training.config import RunConfig


@dataclass(frozen=True, eq=False)
class LaneState:
    """One run of a board.

    status: loading (its run is being built), ready (at step 0), running, paused, catching up (behind the clock, which
    waits for it), recovering (its process stopped; being rebuilt from a checkpoint), diverged, finished (at the most
    steps a run may have) or failed (message says why).
    """

    id: str
    config: RunConfig
    status: str
    step: int
    summary: Summary | None  # the latest
    first: Summary | None  # of step 0
    checksums: dict[str, str]
    steps_per_second: float  # 0 while it does not train
    umap: Points | None
    umap_step: int  # step that umap shows
    message: str
    worker: str  # address of the process that holds it; empty while there is none
    raw: Look | None = None  # of the latest summary's moment, while somebody holds a brush
    kept: tuple[Summary, ...] = ()  # moments to go back to, by rising step; see models.engine.history


@dataclass(frozen=True, eq=False)
class Cell:
    """One run of a sweep or repeat; outcome is None until it is done."""

    lane: str  # id
    value: Value  # of the swept knob, or the seed
    config: RunConfig
    outcome: Outcome | None
    error: str = ""


@dataclass(frozen=True, eq=False)
class TaskState:
    """A sweep of one knob or a repeat over seeds: runs of their own, beside the live ones."""

    kind: str  # "sweep" or "repeat"
    knob: str  # "temperature", or "seed"
    steps: int
    cells: tuple[Cell, ...]  # lane by lane, in the order of the values
    running: bool
    message: str

    @property
    def done(self) -> int:
        """How many of the cells are settled."""
        return sum(cell.outcome is not None or cell.error != "" for cell in self.cells)


@dataclass(frozen=True, eq=False)
class BoardState:
    """All lanes of a board at one moment."""

    board_id: str
    version: int  # grows with each change
    playing: bool
    step: int  # the clock
    lanes: tuple[LaneState, ...]
    sweep: TaskState | None
    repeat: TaskState | None
    speed: float | None  # steps a second; None: as fast as it goes
    message: str

    def lane(self, lane_id: str) -> LaneState | None:
        """A lane by id."""
        return next((lane for lane in self.lanes if lane.id == lane_id), None)
