"""The thread of one board: slices of training, commands between them, and the state that a page reads."""

import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any

from models.engine.board import BoardState
from models.engine.checkpoint import Keeper
from models.engine.cluster import GONE, Engine
from models.engine.lanes import Kept, Lanes
from models.engine.quota import QuotaError, check_lanes
from models.engine.side import Side
from models.engine.stopping import Goal
from models.training.config import RunConfig

WAIT_S = 0.5  # most that a caller waits for a command to be carried out
ANSWER_S = 30.0  # the same for a command whose answer is the point
IDLE_S = 0.1
GIVE_WAY = 4.0  # a board that gives way rests so many times as long as it trains
_LOG = logging.getLogger("losslab")


@dataclass(eq=False)
class _Command:
    """Something to do between two slices; late once nobody waits for its answer any more."""

    work: Callable[[], Any]
    answer: "Future[Any]"
    late: bool = False


class Loop:
    """Runs a board. Only its own thread touches the lanes; others read `state()` and put commands."""

    def __init__(
        self,
        engine: Engine,
        board_id: str,
        configs: Sequence[RunConfig],
        *,
        keeper: Keeper | None = None,
        admit: Callable[[], None] = lambda: None,
        kept: Mapping[int, Kept] | None = None,
    ) -> None:
        """admit: raises QuotaError if no further board may train. kept: ids and states that lanes had, by position."""
        self.board_id, self.settings = board_id, engine.settings
        check_lanes(self.settings, configs)
        self._admit = admit
        self._lanes, self._side = Lanes(engine, board_id, keeper), Side(engine)
        self._lanes.fill(configs, kept)
        self._mode = "paused"  # or "playing", or "stepping"
        self._goal = Goal()
        self._speed: float | None = None
        self._next_slice = 0.0
        self.gives_way = False  # set from outside: nobody looks at this board, and somebody looks at another
        self._unsettled = False
        self._message = ""
        self._commands: queue.SimpleQueue[_Command] = queue.SimpleQueue()
        self._closed = False
        self._writing = threading.Lock()  # of mode, goal and state; readers of the state take none
        self._state = BoardState(board_id, 0, False, self._lanes.clock, (), None, None, None, "")
        self._publish()
        self._thread = threading.Thread(target=self._live, name=f"board-{board_id}", daemon=True)
        self._thread.start()

    def state(self) -> BoardState:
        """The board as it is now."""
        return self._state

    @property
    def training(self) -> bool:
        """True while it plays or steps."""
        return self._mode != "paused"

    def close(self) -> None:
        """End the thread and let the lanes go."""
        self._closed = True
        self._commands.put(_Command(lambda: None, Future()))
        self._thread.join(ANSWER_S)

    def _go(self, mode: str, goal: Goal) -> None:
        """Start training; the state says so at once."""
        if not self.training:
            self._admit()
        with self._writing:
            self._mode, self._goal, self._message, self._next_slice = mode, goal, "", 0.0
            self._state = replace(self._state, playing=mode == "playing", message="", version=self._state.version + 1)
        self._ask(lambda: None)

    def _halt(self) -> None:
        """Stop training after the slice under way; the state says so at once."""
        with self._writing:
            self._mode = "paused"
            self._state = replace(self._state, playing=False, version=self._state.version + 1)

    def _ask(self, work: Callable[[], Any], wait_s: float = WAIT_S) -> Any:
        """Have something done between two slices. What it returns or raises is passed on, if it is done in time."""
        if self._closed:
            raise ValueError("this board is closed")
        command = _Command(work, Future())
        self._commands.put(command)
        try:
            return command.answer.result(wait_s)
        except TimeoutError:
            command.late = True
            if wait_s == ANSWER_S:
                raise ValueError("the board did not answer in time; try again") from None
            return None

    def _say(self, message: str) -> None:
        self._message = message

    def _live(self) -> None:
        while not self._closed:
            try:
                trained = self._turn()
            except (Exception, *GONE):
                _LOG.exception("board %s", self.board_id)
                self._halt()
                self._message, trained = (
                    "Something went wrong here; the board is paused. The log has the details.",
                    False,
                )
                self._publish()
            self._serve(trained)
        if self._unsettled:
            self._lanes.pack()
        self._side.cancel()
        self._lanes.release()

    def _turn(self) -> bool:
        """One round: see to lanes and tasks, train a slice, publish; True if there was something to train."""
        changed = self._lanes.tend() | self._side.poll(self._lanes.all)
        with self._writing:
            active, goal = self.training, self._goal
        trained = self._slice(goal) if active else self._lanes.slice(None)
        self._unsettled |= trained
        if active:
            changed |= self._stop(goal)
        if self._unsettled and not self.training and not trained:
            self._lanes.settle()
            self._unsettled, changed = False, True
        if changed or trained:
            self._publish()
        return trained

    def _slice(self, goal: Goal) -> bool:
        """Train towards the goal at the chosen speed; only lanes that catch up may go faster."""
        began, clock, speed = time.monotonic(), self._lanes.clock, self._speed
        if began < self._next_slice:
            return self._lanes.slice(None)
        limit = min(self.settings.steps, goal.step or self.settings.steps)
        most = None if speed is None else max(round(speed * self.settings.slice_s), 1)
        trained = self._lanes.slice(limit, most)
        ended = time.monotonic()
        if speed is not None:
            self._next_slice = began + (self._lanes.clock - clock) / speed
        if self.gives_way:
            self._next_slice = max(self._next_slice, ended + GIVE_WAY * (ended - began))
        return trained

    def _stop(self, goal: Goal) -> bool:
        """Stop playing if the goal is reached or nothing can go on; True if it was stopped."""
        message = goal.reached(self._lanes.clock, self._lanes.summaries)
        if not message and not self._lanes.loading and not any(lane.trains for lane in self._lanes.all):
            message = "No run can go on."
        if not message and self._lanes.clock >= self.settings.steps:
            message = f"Step {self.settings.steps} is the last here."
        if not message:
            return False
        with self._writing:
            if self._goal is not goal:  # a new command has come meanwhile
                return False
            message = "" if self._mode == "stepping" and goal.step == self._lanes.clock else message
            self._mode, self._message = "paused", message
        return True

    def _serve(self, trained: bool) -> None:
        """Carry out the commands that wait; with nothing to train, wait a little for one."""
        pause = 0.0 if trained else IDLE_S
        due = self._next_slice - time.monotonic()
        if self.training and due > 0:
            pause = min(pause, due)
        try:
            command = self._commands.get(timeout=pause) if pause else self._commands.get_nowait()
        except queue.Empty:
            return
        self._carry_out(command)
        while not self._commands.empty():
            self._carry_out(self._commands.get())

    def _carry_out(self, command: _Command) -> None:
        try:
            answer = command.work()
        except (Exception, *GONE) as error:
            if command.late:
                self._message = str(error)
            if not isinstance(error, ValueError | QuotaError):
                _LOG.exception("board %s", self.board_id)
            self._publish()
            command.answer.set_exception(error)
        else:
            self._publish()
            command.answer.set_result(answer)

    def _publish(self) -> None:
        """Replace the state as a whole."""
        with self._writing:
            self._lanes.mark(self.training)
            self._state = BoardState(
                self.board_id,
                self._state.version + 1,
                self._mode == "playing",
                self._lanes.clock,
                tuple(lane.view() for lane in self._lanes.all),
                self._side.task("sweep"),
                self._side.task("repeat"),
                self._speed,
                self._message or self._lanes.problem,
            )
