"""What the lab page does: plays the stored recording, or commands a live board and reads its state."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from app import startup, state
from app.address import PRESETS, Setup
from app.clock import Clock
from app.view import LaneView, View, frame_number, live_lane, recording
from models.diagnostics.slow_step import SlowStep
from models.engine.quota import QuotaError
from models.selection import Selection
from models.snapshot import Snapshot
from models.spec import Value
from models.training.config import MASK, Event, Part, RunConfig
from models.training.radar import Found


class Lab:
    """Commands of one browser session. Whatever is refused becomes a message, never a traceback."""

    def __init__(self) -> None:
        self.page = state.page()
        self._attach()

    @property
    def player(self) -> Any:
        """The board's player, or None while the recording is shown."""
        return startup.boards().get(self.page.board) if self.page.board else None

    def _attach(self) -> None:
        """Join the board that the address names; a board that somebody else watches is copied."""
        boards, board = startup.boards(), self.page.board
        if board is not None:
            if boards.get(board) is None and not self._restore(board):
                self.page.board = None
                self.page.linked = True
            elif state.watched_elsewhere(board):
                self._copy(board)
        if self.page.board is None and self.page.linked:
            self._create(self.page.setup.lanes)
        self.page.linked = False
        if self.page.board is not None:
            state.watch(self.page.board)

    def _restore(self, board: str) -> bool:
        try:
            return startup.boards().restore(board) is not None
        except (ValueError, QuotaError):
            return False

    def _copy(self, board: str) -> None:
        try:
            self.page.board = startup.boards().copy(board).board_id
        except (ValueError, QuotaError) as error:
            self.page.board = None
            self.page.refuse(error)

    def _create(self, lanes: Sequence[RunConfig]) -> bool:
        try:
            self.page.board = startup.boards().create(list(lanes)).board_id
        except (QuotaError, ValueError) as error:
            self.page.refuse(error)
            return False
        state.watch(str(self.page.board))
        self.page.round += 1
        self.page.clock = Clock()
        if self.page.speed is not None:
            self.set_speed(self.page.speed)
        return True

    def setup(self) -> Setup:
        """The setup as it is now, events included."""
        player = self.player
        if player is None:
            return self.page.setup
        lanes = tuple(lane.config for lane in player.state().lanes)
        return replace(self.page.setup, lanes=lanes) if lanes else self.page.setup

    def view(self) -> View:
        """What to draw now."""
        player = self.player
        if player is None:
            return self._recorded()
        startup.boards().look(self.page.board)
        self._hold(player)
        board = player.state()
        lanes = tuple(live_lane(lane) for lane in board.lanes)
        return View(lanes, True, board.playing, board.step, board.message, board)

    def _hold(self, player: Any) -> None:
        """Tell the board when a brush is held, and when no longer."""
        held = self.page.setup.brush is not None or bool(state.choice("threshold-pairs", False))
        if held != (self.page.held == self.page.board):
            self.attempt(lambda: player.brush(held))
            self.page.held = self.page.board if held else None

    def brush(self, selection: Selection | None) -> None:
        """Select pairs, or none; on the recording, which holds no pairs, say what to do."""
        if selection is not None and self.player is None:
            self.page.refuse("A recording holds no single pairs: press Play first, then brush again.")
            return
        self.page.setup = replace(self.page.setup, looked=replace(self.page.setup.looked, brush=selection))
        self.page.passport = None if selection is None else self.page.passport

    def _recorded(self) -> View:
        lanes = []
        for index, frames in enumerate(recording()):
            shown = frames[frame_number(time.monotonic() - self.page.opened, len(frames))]
            config = RunConfig.from_json(shown.config)
            lanes.append(
                LaneView(f"r{index}", config, "recording", "", shown.step, shown, frames[0], {}, 0.0, kept=frames)
            )
        return View(tuple(lanes), False, True, lanes[0].step, "")

    def go_live(self, setup: Setup | None = None, play: bool = True) -> bool:
        """Leave the recording: the same lanes, trained here from step 0."""
        if setup is not None:
            self.page.setup = setup
        if self.player is None and not self._create(self.page.setup.lanes):
            return False
        if play:
            self.attempt(self.player.play)
        return True

    def play(self) -> None:
        """Train until told otherwise; on the recording, go live. Pressed twice, it still plays."""
        player = self.player
        if player is None:
            self.go_live()
        else:
            self.attempt(player.play)

    def pause(self) -> None:
        """Stop after the slice under way."""
        if self.player is not None:
            self.attempt(self.player.pause)

    def step(self, n: int = 1) -> None:
        """Train n steps and stop. A press that the browser's messages deliver twice counts once."""
        if state.fresh(f"step-{n}") and self.go_live(play=False):
            self.attempt(lambda: self.player.step(n))

    def run_until(self, **goal: Any) -> None:
        """Train until the board's clock, every AUC, or a plateau says so; see Player.run_until."""
        if self.go_live(play=False):
            self.attempt(lambda: self.player.run_until(**goal))

    def set_speed(self, steps_per_second: float | None) -> None:
        """Train at this pace, None as fast as it goes; chosen on the recording, it holds once the lanes are live."""
        self.page.speed, player = steps_per_second, self.player
        if player is not None:
            self.attempt(lambda: player.set_speed(steps_per_second))

    @property
    def speed(self) -> float | None:
        """The pace, in steps a second; None: as fast as it goes."""
        pace: float | None = self.page.speed if self.player is None else self.player.state().speed
        return pace

    def reset(self) -> None:
        """Back to step 0 with the knobs as they stand."""
        if self.player is not None:
            self.change(replace(self.page.setup, lanes=tuple(lane.folded() for lane in self.setup().lanes)), play=False)

    def change(self, setup: Setup, play: bool | None = None) -> None:
        """Other data, encoder, seed and the like: all lanes start anew from the same weights and batches."""
        self.page.setup, self.page.round, self.page.clock = setup, self.page.round + 1, Clock()
        player = self.player
        if player is None:
            self.go_live()
            return
        again = player.state().playing if play is None else play
        self.attempt(lambda: player.set_configs(list(setup.lanes)))
        if again:
            self.attempt(player.play)

    def set_knob(self, lane: LaneView, knob: str, value: Value) -> None:
        """Change a loss knob: at once and with a mark where a lane is live, as the start where none is."""
        player = self.player
        if player is None:
            index = int(lane.id[1:])
            lanes = list(self.page.setup.lanes)
            values = {**lanes[index].loss.values, knob: value}
            lanes[index] = replace(lanes[index], loss=Part(lanes[index].loss.key, tuple(values.items())))
            self.go_live(replace(self.page.setup, lanes=tuple(lanes)))
            return
        if player.state().lane(lane.id) is not None:  # else a control of lanes that have gone meanwhile
            self.attempt(lambda: player.set_knob(lane.id, f"loss.{knob}", value))

    def set_optimiser(self, knob: str, value: Value) -> None:
        """Change a knob of every live lane's optimiser from the next step on."""
        player = self.player
        for lane in player.state().lanes:
            self.attempt(partial(player.set_knob, lane.id, f"optimiser.{knob}", value))

    def add_lane(self, chosen: str | Part) -> None:
        """One more lane with this loss, a key taking its preset; it catches up with the clock."""
        self.page.added += 1
        loss = PRESETS.get(chosen, Part(chosen)) if isinstance(chosen, str) else chosen
        player = self.player
        try:
            longer = self.setup().with_lane(loss)
        except ValueError as error:  # the pairing refuses it
            self.page.refuse(error)
            return
        if player is None:
            self.go_live(longer)
        elif self.attempt(lambda: player.add_lane(longer.lanes[-1])):
            self.page.setup = replace(self.page.setup, panels=longer.panels)

    def set_methods(self, lane: LaneView, index: int, methods: Sequence[Part]) -> None:
        """Other methods before a lane's loss: it starts anew with its knobs as they stand, from the same weights."""
        setup, player = self.setup(), self.player
        if player is not None and player.state().lane(lane.id) is None:
            return  # a control of a lane that has gone meanwhile
        try:
            config = replace(setup.lanes[index].folded(), methods=tuple(methods))
        except ValueError as error:
            self.page.refuse(error)
            return
        if player is None:
            self.go_live(replace(setup, lanes=(*setup.lanes[:index], config, *setup.lanes[index + 1 :])))
        else:
            self.attempt(lambda: player.change_lane(lane.id, config))

    def fork(self, lane: str, step: int, loss: str | None, knobs: dict[str, Value], rate: float | None) -> bool:
        """A new lane that leaves this one at a step; True if there is. A press that is delivered twice counts once."""
        player = self.player
        if player is None or not state.fresh("fork"):
            return False
        return self.attempt(lambda: player.fork(lane, step, loss=loss, knobs=knobs, rate=rate))

    def remove_lane(self, lane: LaneView, index: int) -> None:
        """Take one lane away; the last one stays."""
        player = self.player
        if player is None:
            self.go_live(self.page.setup.without_lane(index))
            return
        if player.state().lane(lane.id) is not None:
            shorter = self.setup().without_lane(index)
            if self.attempt(lambda: player.remove_lane(lane.id)):
                self.page.setup = replace(self.page.setup, panels=shorter.panels)

    def what_if(self, lane: LaneView, knobs: dict[str, Value]) -> Any:
        """What other knobs would do to the frozen scores of a lane; None where there is no live lane."""
        return self._asked(lambda player: player.what_if(lane.id, knobs))

    def resume(self, lane: LaneView) -> None:
        """Take a diverged lane back to its last checkpoint and go on with a tenth of its learning rate."""
        player = self.player
        if player is not None:
            rate = float(lane.config.folded().optimiser["rate"]) / 10
            self.attempt(lambda: player.resume_from_checkpoint(lane.id, rate))
            self.attempt(player.play)

    def snapshot(self, lane: LaneView) -> Snapshot | None:
        """A lane's whole snapshot, for what is too large to travel at every tick; None where there is no live lane."""
        taken: Snapshot | None = self._asked(lambda player: player.snapshot(lane.id))
        return taken

    def slow_step(self, lane: LaneView) -> SlowStep | None:
        """Train one step of a lane, told phase by phase; on the recording, go live first."""
        if self.player is None:
            self.go_live(play=False)
            self.page.refuse("The lanes are being built: draw the batch again in a moment.")
            return None
        step: SlowStep | None = self._asked(lambda player: player.slow_step(lane.id))
        return step

    def radar(self, lane: LaneView) -> Found | None:
        """Search a lane's training items for suspected pairs; None where there is no live lane."""
        found: Found | None = self._asked(lambda player: player.radar(lane.id))
        return found

    def race_masked(self, lane: LaneView, mask: str, step: int) -> None:
        """One more lane like this one, from the same start, that leaves some pairs out from a step on."""
        player = self.player
        if player is not None:
            self.attempt(lambda: player.add_lane(lane.config.with_event(Event(step, MASK, mask))))

    def _asked(self, ask: Callable[[Any], Any]) -> Any:
        """What the board answers; None where there is no live lane, or where it refuses."""
        answers: list[Any] = []
        if self.player is not None:
            self.attempt(lambda: answers.append(ask(self.player)))
        return answers[0] if answers else None

    def attempt(self, command: Callable[[], object]) -> bool:
        """Carry out a command of the board; a refusal becomes the page's message. True if it was carried out."""
        try:
            command()
        except (QuotaError, ValueError) as error:
            self.page.refuse(error)
            return False
        return True
