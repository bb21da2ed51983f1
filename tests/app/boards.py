"""Boards of this process, for page tests without workers: real runs that train at the moment they are told to."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from models.diagnostics.slow_step import SlowStep
from models.engine.board import BoardState, LaneState
from models.engine.forks import Change, forked
from models.engine.lane import LaneActor, WhatIf
from models.engine.quota import QuotaError
from models.snapshot import Snapshot
from models.spec import Value
from models.training.config import RunConfig
from models.training.radar import Found

PLAYED = 5  # steps that Play trains at once here


class LocalPlayer:
    """What the page asks of a player, carried out at once; `told` lists the commands in order."""

    def __init__(self, board_id: str, configs: Sequence[RunConfig]) -> None:
        self.board_id = board_id
        self.told: list[tuple[Any, ...]] = []
        self.refusal = ""  # set by a test: why the next commands are refused
        self._actors: dict[str, LaneActor] = {}
        self._state = BoardState(board_id, 0, False, 0, (), None, None, None, "")
        self.brushed = False
        self._fill(configs)

    def state(self) -> BoardState:
        return self._state

    def play(self) -> None:
        self._tell("play")
        self._state = replace(self._state, playing=True)
        self._advance(PLAYED)

    def pause(self) -> None:
        self._tell("pause")
        self._state = replace(self._state, playing=False)
        self._look()

    def step(self, n: int = 1) -> None:
        self._tell("step", n)
        self._state = replace(self._state, playing=False)
        self._advance(n)

    def run_until(self, **goal: Any) -> None:
        self._tell("run_until", goal)

    def set_speed(self, steps_per_second: float | None) -> None:
        self._tell("set_speed", steps_per_second)
        self._state = replace(self._state, speed=steps_per_second)

    def set_configs(self, configs: Sequence[RunConfig]) -> None:
        self._tell("set_configs", len(configs))
        self._fill(configs)

    def add_lane(self, config: RunConfig) -> None:
        self._tell("add_lane", config.loss.key)
        self._add(config)

    def fork(self, lane: str, step: int, loss: str | None, knobs: Mapping[str, Value], rate: float | None) -> None:
        self._tell("fork", lane, step, loss, dict(knobs), rate)
        lanes = self._state.lanes
        parent = next(known for known in lanes if known.id == lane)
        self._add(forked(parent, lanes, step, Change(loss, knobs, rate)))

    def remove_lane(self, lane: str) -> None:
        self._tell("remove_lane", lane)
        del self._actors[lane]
        self._state = replace(self._state, lanes=tuple(kept for kept in self._state.lanes if kept.id != lane))

    def change_lane(self, lane: str, config: RunConfig) -> None:
        self._tell("change_lane", lane, [part.key for part in config.methods])
        place = [kept.id for kept in self._state.lanes].index(lane)
        self._add(config)
        del self._actors[lane]
        lanes = [kept for kept in self._state.lanes if kept.id != lane]
        lanes.insert(place, lanes.pop())
        self._state = replace(self._state, lanes=tuple(lanes))

    def set_knob(self, lane: str, knob: str, value: Value) -> None:
        self._tell("set_knob", lane, knob, value)
        config = RunConfig.from_json(self._actors[lane].set_knob(knob, value))
        lanes = tuple(replace(kept, config=config) if kept.id == lane else kept for kept in self._state.lanes)
        self._state = replace(self._state, lanes=lanes)
        self._look()

    def resume_from_checkpoint(self, lane: str, rate: float | None = None) -> None:
        self._tell("resume_from_checkpoint", lane, rate)

    def request_umap(self, lane: str) -> None:
        self._tell("request_umap", lane)

    def sweep(self, lane: str, knob: str, values: Sequence[Value], steps: int) -> None:
        self._tell("sweep", lane, knob, tuple(values), steps)

    def repeat(self, seeds: Sequence[int], steps: int) -> None:
        self._tell("repeat", tuple(seeds), steps)

    def what_if(self, lane: str, knobs: Mapping[str, Value]) -> WhatIf:
        self._tell("what_if", lane, dict(knobs))
        return self._actors[lane].what_if(knobs)

    def brush(self, held: bool) -> None:
        self._tell("brush", held)
        self.brushed = held
        self._look()

    def snapshot(self, lane: str) -> Snapshot:
        return self._actors[lane].snapshot()

    def slow_step(self, lane: str) -> SlowStep:
        self._tell("slow_step", lane)
        found = self._actors[lane].slow_step()
        for other, actor in self._actors.items():
            actor.advance(int(other != lane))
        self._state = replace(self._state, playing=False, step=found.step + 1)
        self._look()
        return found

    def radar(self, lane: str) -> Found:
        self._tell("radar", lane)
        return self._actors[lane].radar()

    def show(self, **changes: Any) -> None:
        """Make every lane look so: what a worker would have told."""
        self._state = replace(self._state, lanes=tuple(replace(lane, **changes) for lane in self._state.lanes))

    def _tell(self, *command: Any) -> None:
        if self.refusal:
            raise QuotaError(self.refusal)
        self.told.append(command)

    def _fill(self, configs: Sequence[RunConfig]) -> None:
        self._actors, self._state = {}, replace(self._state, lanes=(), step=0, playing=False)
        for config in configs:
            self._add(config)

    def _add(self, config: RunConfig) -> None:
        lane = f"lane-{self._state.version}"
        actor = self._actors[lane] = LaneActor(config.to_json())
        actor.advance(self._state.step)
        first = actor.first()
        new = LaneState(
            lane, config, "ready", 0, first, first, actor.checksums(), 0.0, None, 0, "", "here", kept=(first,)
        )
        self._state = replace(self._state, version=self._state.version + 1, lanes=(*self._state.lanes, new))
        self._look()

    def _advance(self, n: int) -> None:
        for actor in self._actors.values():
            actor.advance(n)
        self._state = replace(self._state, step=self._state.step + n)
        self._look()

    def _look(self) -> None:
        step = self._state.step
        status = "running" if self._state.playing else "paused" if step else "ready"
        self._state = replace(
            self._state,
            lanes=tuple(self._looked(lane, status, step) for lane in self._state.lanes),
        )

    def _looked(self, lane: LaneState, status: str, step: int) -> LaneState:
        now, raw = self._actors[lane.id].summary(self.brushed)
        kept = (*(old for old in lane.kept if old.step < now.step), now)
        return replace(lane, status=status, step=step, summary=now, raw=raw, kept=kept)


class LocalBoards:
    """What the page asks of the boards of a server; `full` refuses every new board."""

    def __init__(self) -> None:
        self.players: dict[str, LocalPlayer] = {}
        self.full = ""
        self.line: list[int] = []  # turns that whoever asks has to wait, ask by ask; then none

    def wait(self, who: str) -> int:
        return self.line.pop(0) if self.line else 0

    def leave(self, who: str) -> None:
        """Nobody else waits here."""

    def create(self, configs: Sequence[RunConfig]) -> LocalPlayer:
        if self.full:
            raise QuotaError(self.full)
        board_id = f"board{len(self.players)}"
        self.players[board_id] = LocalPlayer(board_id, configs)
        return self.players[board_id]

    def get(self, board_id: str) -> LocalPlayer | None:
        return self.players.get(board_id)

    def restore(self, board_id: str) -> LocalPlayer | None:
        return self.get(board_id)

    def copy(self, board_id: str) -> LocalPlayer:
        return self.create([lane.config for lane in self.players[board_id].state().lanes])

    def open_ids(self) -> list[str]:
        return list(self.players)

    def look(self, board_id: str) -> None:
        """Nothing here is paused for want of a look."""
