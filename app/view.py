"""What the page draws of a board, live or recorded, as frozen values."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from models.catalogue import find
from models.diagnostics.look import Look
from models.diagnostics.storage import load_summaries
from models.diagnostics.summary import Summary
from models.spec import Knob, MethodSpec, Value
from models.training.config import RunConfig, part_knobs

REPLAY = Path(__file__).parent / "assets" / "replay.safetensors"
REPLAY_RATE = 4.0  # frames a second of the recording
HOLD_FRAMES = 16  # the last frame stays this long before the recording starts again


@dataclass(frozen=True, eq=False)
class LaneView:
    """One lane as the page draws it, live or recorded."""

    id: str
    config: RunConfig
    status: str
    message: str
    step: int
    summary: Summary | None
    first: Summary | None
    checksums: dict[str, str]
    rate: float  # training steps a second; 0 if not training
    umap: Any = None  # Points of the last UMAP
    umap_step: int = 0  # step that it shows
    raw: Look | None = None  # scores and weights of single pairs, while a brush is held
    kept: tuple[Summary, ...] = ()  # moments that can be shown again, by rising step


def live_lane(lane: Any) -> LaneView:
    """What a board says of one of its lanes."""
    return LaneView(
        lane.id,
        lane.config,
        lane.status,
        lane.message,
        lane.step,
        lane.summary,
        lane.first,
        lane.checksums,
        lane.steps_per_second,
        lane.umap,
        lane.umap_step,
        lane.raw,
        lane.kept,
    )


@dataclass(frozen=True, eq=False)
class View:
    """The board as the page draws it."""

    lanes: tuple[LaneView, ...]
    live: bool
    playing: bool
    step: int
    message: str
    board: Any = None  # BoardState of a live board
    then: int | None = None  # the step that the cursor stands at; None: the latest of every lane

    @property
    def summaries(self) -> list[Summary]:
        """Latest summaries, lane by lane; lanes that have none yet are left out."""
        return [lane.summary for lane in self.lanes if lane.summary is not None]

    @property
    def looks(self) -> tuple[Look | None, ...]:
        """What a brush needs of each lane, in the order of `lanes`."""
        return tuple(lane.raw for lane in self.lanes)

    @property
    def firsts(self) -> list[Summary]:
        """Summaries that the ghost shows, lane by lane: of step 0, or of the step chosen for it."""
        return [lane.first for lane in self.lanes if lane.summary is not None and lane.first is not None]


@lru_cache
def recording() -> tuple[tuple[Summary, ...], ...]:
    """The stored two-lane run: one tuple of frames a lane."""
    frames = load_summaries(REPLAY)
    labels = list(dict.fromkeys(frame.config for frame in frames))
    return tuple(tuple(frame for frame in frames if frame.config == label) for label in labels)


def frame_number(seconds: float, frames: int) -> int:
    """Which frame of the recording stands on screen after so many seconds; it holds at the end, then starts again."""
    return min(int(seconds * REPLAY_RATE) % (frames + HOLD_FRAMES), frames - 1)


def knobs_now(config: RunConfig, step: int) -> dict[str, Value]:
    """Values of the loss knobs at a step, events applied."""
    return config.loss_at(step).values


def loss_now(config: RunConfig) -> str:
    """Key of a lane's loss, the last one where it changed on the way."""
    return config.folded().loss.key


def loss_knobs(config: RunConfig) -> tuple[Knob, ...]:
    """Knobs of a lane's loss."""
    return part_knobs("loss", loss_now(config))


def loss_spec(key: str) -> Any:
    """What a loss says of itself."""
    return find("losses", key).SPEC


def method_spec(key: str) -> MethodSpec:
    """What a method says of itself."""
    spec: MethodSpec = find("methods", key).SPEC
    return spec


def lane_name(config: RunConfig) -> str:
    """What a lane is called: `InfoNCE + Momentum queue`."""
    return " + ".join([loss_spec(loss_now(config)).name, *(method_spec(part.key).name for part in config.methods)])
