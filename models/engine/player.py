"""Player: what a page can ask of a board. Every command is checked at once and carried out between two slices."""

from collections.abc import Mapping, Sequence

from models.diagnostics.slow_step import SlowStep
from models.diagnostics.summary import Summary
from models.engine.background import repeat_cells, sweep_cells
from models.engine.board import LaneState
from models.engine.forks import Change, forked
from models.engine.history import shown_at
from models.engine.lane import Packed, WhatIf
from models.engine.loop import ANSWER_S, Loop
from models.engine.quota import check_lanes
from models.engine.stopping import Goal
from models.snapshot import Snapshot
from models.spec import Value
from models.training.config import Event, RunConfig
from models.training.radar import Found


class Player(Loop):
    """Commands may come from any thread, and so may `state()`, which is one attribute read.

    A command that is refused raises ValueError or QuotaError with one sentence; lanes are named by id or by number.
    """

    def play(self) -> None:
        """Train until told otherwise."""
        self._go("playing", Goal())

    def pause(self) -> None:
        """Stop after the slice under way."""
        self._halt()
        self._ask(lambda: None)

    def rest(self) -> None:
        """Pause a board that nobody looks at, and say so."""
        self.pause()
        self._ask(lambda: self._say("Paused, since nobody looked at it."))

    def step(self, n: int = 1) -> None:
        """Train n steps, then stop; steps asked for while others are under way come on top of them."""
        if isinstance(n, bool) or not isinstance(n, int) or n < 1:
            raise ValueError(f"steps to train must be a whole number from 1, got {n!r}")
        under_way = self._goal.step if self._mode == "stepping" else None
        self._go("stepping", Goal(step=(self._state.step if under_way is None else under_way) + n))

    def run_until(self, *, step: int | None = None, auc: float | None = None, plateau: bool = False) -> None:
        """Train until the clock shows a step, until every lane has an AUC, or until no AUC rises any more."""
        self._go("playing", Goal(step, auc, plateau))

    def set_speed(self, steps_per_second: float | None) -> None:
        """Train at this pace; None: as fast as it goes."""
        if steps_per_second is not None and not 0.01 <= steps_per_second <= 1e6:
            raise ValueError(f"the speed must be from 0.01 to 1e6 steps a second, got {steps_per_second!r}")

        def change() -> None:
            self._speed, self._next_slice = steps_per_second, 0.0

        self._ask(change)

    def reset(self) -> None:
        """Back to step 0, with the knobs as they stand."""
        self._halt()
        self._ask(lambda: self._lanes.restart())

    def set_configs(self, configs: Sequence[RunConfig]) -> None:
        """Other lanes, all at step 0."""
        check_lanes(self.settings, configs)
        self._halt()
        self._ask(lambda: self._lanes.fill(configs, {}))

    def add_lane(self, config: RunConfig) -> None:
        """One more lane; it catches up from step 0 and then keeps the clock."""
        check_lanes(self.settings, [*(lane.config for lane in self._state.lanes), config])
        self._ask(lambda: self._lanes.add(config))

    def steps(self, lane: str | int) -> tuple[int, ...]:
        """Steps of a lane that `summary_at` shows, rising; the last is that of its latest summary."""
        return tuple(summary.step for summary in self._shown(lane).kept)

    def summary_at(self, lane: str | int, step: int) -> Summary:
        """What the panels drew of a lane at the kept step that is nearest; raises ValueError if none is kept yet."""
        return shown_at(self._shown(lane).kept, step)

    def fork(
        self,
        lane: str | int,
        step: int,
        loss: str | None = None,
        knobs: Mapping[str, Value] | None = None,
        rate: float | None = None,
    ) -> RunConfig:
        """A new lane that shares a lane's run up to a step, and from there has another loss, knobs, or rate.

        It is rebuilt from the last state kept by then and trained up to the step as its parent was, so that weights
        and optimiser are those of that step; then it catches up with the clock. Returns its config, which says all
        this in events: a plain run of it gives the same numbers. knobs: of the loss by name, of the optimiser as
        `optimiser.weight_decay`.
        """
        parent = self._shown(lane)
        config = forked(parent, self._state.lanes, step, Change(loss, knobs or {}, rate))
        if not 0 <= step <= parent.step:
            raise ValueError(f"a fork begins at a step that the run has been at, from 0 to {parent.step}, got {step}")
        check_lanes(self.settings, [*(other.config for other in self._state.lanes), config])
        self._ask(lambda: self._lanes.fork(self._lanes.find(lane), config, step))
        return config

    def remove_lane(self, lane: str | int) -> None:
        """Take a lane away; the last one stays."""

        def change() -> None:
            if len(self._lanes.all) == 1:
                raise ValueError("a board needs at least one run; the last one stays")
            self._lanes.remove(self._lanes.find(lane))

        self._ask(change)

    def change_lane(self, lane: str | int, config: RunConfig) -> None:
        """Another config in a lane's place; it catches up from step 0, the others keep what they have."""
        found = self._shown(lane)
        check_lanes(self.settings, [config if held is found else held.config for held in self._state.lanes])
        self._ask(lambda: self._lanes.change(self._lanes.find(lane), config))

    def set_knob(self, lane: str | int, knob: str, value: Value) -> None:
        """Change `loss.<knob>` or `optimiser.<knob>` from the next step on; kept as an event of the lane's config."""
        found = self._shown(lane)
        found.config.check_event(Event(found.step, knob, value))

        def change() -> None:
            held = self._lanes.find(lane)
            self._lanes.guarded(held, lambda: held.set_knob(knob, value))
            self._lanes.refresh(held)

        self._ask(change)

    def resume_from_checkpoint(self, lane: str | int, rate: float | None = None) -> None:
        """Take a diverged lane back to its last checkpoint, without later events; rate: its learning rate from there.

        If it diverges again before there is a new checkpoint, the next call goes back one further.
        """
        if rate is not None:
            self._shown(lane).config.check_event(Event(0, "optimiser.rate", rate))
        self._ask(lambda: self._lanes.go_back(self._lanes.find(lane), rate))

    def request_umap(self, lane: str | int) -> None:
        """Map a lane's probe with UMAP, from its previous map where there is one; it comes with a later state."""

        def begin() -> None:
            held = self._lanes.find(lane)
            if not self._side.mapping(held):
                self._side.map(held, self._lanes.ask(held, "probe"))

        self._ask(begin)

    def what_if(self, lane: str | int, knobs: Mapping[str, Value]) -> WhatIf:
        """Loss and pair weights of the scores as they are, with other loss knobs; nothing is trained."""
        found = self._shown(lane)
        checked = {
            name: found.config.check_event(Event(found.step, f"loss.{name}", value)).value
            for name, value in knobs.items()
        }
        answer: WhatIf = self._ask(lambda: self._lanes.ask(self._lanes.find(lane), "what_if", checked), ANSWER_S)
        return answer

    def snapshot(self, lane: str | int) -> Snapshot:
        """A lane's whole snapshot, of this moment: for what is too large to travel at every look."""
        taken: Snapshot = self._ask(lambda: self._lanes.ask(self._lanes.find(lane), "snapshot"), ANSWER_S)
        return taken

    def brush(self, held: bool) -> None:
        """Have every lane's `raw` beside its summaries for as long as a brush is held; without one it costs nothing."""
        self._ask(lambda: self._lanes.brush(held))

    def slow_step(self, lane: str | int) -> SlowStep:
        """Stop, train one step of one lane and tell of its phases; the other lanes catch up when the clock runs."""
        self._halt()

        def work() -> SlowStep:
            held = self._lanes.find(lane)
            found: SlowStep = self._lanes.ask(held, "slow_step")
            self._lanes.moved(held, found.step + 1)
            return found

        answer: SlowStep = self._ask(work, ANSWER_S)
        return answer

    def radar(self, lane: str | int) -> Found:
        """Suspected pairs among a lane's training items, at this moment."""
        found: Found = self._ask(lambda: self._lanes.ask(self._lanes.find(lane), "radar"), ANSWER_S)
        return found

    def sweep(self, lane: str | int, knob: str = "temperature", values: Sequence[Value] = (), steps: int = 300) -> None:
        """Train the lane's config once for each value of a loss knob, beside the live lanes."""
        found = self._shown(lane)
        cells = sweep_cells(found.id, found.config, knob, list(values))
        self._ask(lambda: self._side.start("sweep", knob, steps, cells))

    def repeat(self, seeds: Sequence[int], steps: int) -> None:
        """Train every lane's config once for each seed, beside the live lanes."""
        cells = repeat_cells([(lane.id, lane.config) for lane in self._state.lanes], list(seeds))
        self._ask(lambda: self._side.start("repeat", "seed", steps, cells))

    def cancel(self) -> None:
        """Stop sweep and repeat; what has finished stays."""
        self._ask(self._side.cancel)

    def packed(self) -> list[tuple[RunConfig, Packed | None]]:
        """Every lane's config and newest state."""

        def take() -> list[tuple[RunConfig, Packed | None]]:
            self._lanes.pack()
            return [(lane.config, lane.packs[-1] if lane.packs else None) for lane in self._lanes.all]

        answer: list[tuple[RunConfig, Packed | None]] = self._ask(take, ANSWER_S)
        return answer

    def _shown(self, key: str | int) -> LaneState:
        """A lane as last published; raises ValueError if there is none."""
        lanes = self._state.lanes
        for index, lane in enumerate(lanes):
            if key in (lane.id, index):
                return lane
        raise ValueError(f"this board has no lane {key!r}; its lanes are: {', '.join(lane.id for lane in lanes)}")
