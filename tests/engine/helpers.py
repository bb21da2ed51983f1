import time
from collections.abc import Callable
from typing import Any

import torch

from models.engine.board import BoardState
from models.engine.player import Player
from models.training.config import Part, RunConfig
from models.training.run import Run

WAIT_S = 90.0  # generous: the machine may be busy, and no test asserts a time


def small(temperature: float = 0.1, seed: int = 0, rate: float = 1e-3, **others: Any) -> RunConfig:
    """A run whose steps cost next to nothing."""
    return RunConfig(
        loss=Part("infonce", (("temperature", temperature),)),
        sampler=Part("balanced", (("batch", 16),)),
        encoder=Part("mlp", (("width", 16), ("depth", 1), ("dim", 8))),
        optimiser=Part("adam", (("rate", rate),)),
        seed=seed,
        **others,
    )


def eventually(what: Callable[[], Any], timeout_s: float = WAIT_S) -> Any:
    """Wait until something is true, and return it."""
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        found = what()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("it did not happen in time")


def settled(player: Player, step: int) -> BoardState:
    """The board once it rests at this step and all that it shows is of this step."""

    def resting() -> BoardState | None:
        state = player.state()
        broken = [lane.message for lane in state.lanes if lane.status == "failed"]
        assert not broken, broken
        rest = all(lane.status in ("ready", "paused", "finished") for lane in state.lanes)
        shown = all(lane.summary is not None and lane.summary.step == lane.step == step for lane in state.lanes)
        return state if state.step == step and not state.playing and rest and shown else None

    found: BoardState = eventually(resting)
    return found


def loaded(player: Player) -> BoardState:
    """The board once every lane has its actor."""
    waiting = ("loading", "recovering")
    eventually(lambda: all(lane.status not in waiting and lane.summary for lane in player.state().lanes))
    return player.state()


def plain(config: RunConfig, steps: int) -> Run:
    """The same config trained here without any engine, by one thread as in a worker."""
    torch.set_num_threads(1)
    run = Run(config)
    run.advance(steps)
    return run


def state_of(player: Player, lane: int = 0) -> bytes:
    """Weights, optimiser and trace of a lane, as packed."""
    packed = player.packed()[lane][1]
    assert packed is not None
    return packed.payload
