"""Forks give the numbers of plain runs with the same events, and what was kept of a lane can be shown again."""

import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.diagnostics.summarise import summarise
from models.engine.checkpoint import purge
from models.engine.forks import Branch, tree
from models.engine.history import DAYS
from models.engine.player import Player
from models.engine.registry import Boards, QuotaError
from models.engine.remote import Remote
from models.settings import Settings
from models.training.config import FORK, LOSS, Event, RunConfig
from tests.diagnostics.helpers import trained
from tests.engine.helpers import eventually, plain, settled, small, state_of


def stepped(player: Player, *steps: int) -> None:
    """Train in portions, so that something is kept at each of these steps."""
    for step in steps:
        player.run_until(step=step)
        settled(player, step)


def test_a_fork_has_the_weights_of_its_step_and_another_loss(boards: Boards) -> None:
    player = boards.create([small(0.1)])
    stepped(player, 10, 20, 33, 40)
    config = player.fork(
        "lane-0", 33, loss="supcon", knobs={"temperature": 0.3, "optimiser.weight_decay": 0.1}, rate=0.01
    )
    state = settled(player, 40)
    assert [lane.id for lane in state.lanes] == ["lane-0", "lane-1"]
    assert state.lanes[1].config == config
    assert config.events == (
        Event(33, FORK, "A2"),
        Event(33, LOSS, "supcon"),
        Event(33, "loss.temperature", 0.3),
        Event(33, "optimiser.rate", 0.01),
        Event(33, "optimiser.weight_decay", 0.1),
    )
    stepped(player, 45)
    assert state_of(player, 1) == plain(config, 45).pack()[0]
    assert state_of(player, 0) == plain(small(0.1), 45).pack()[0]
    forked = player.state().lanes[1].summary
    parent = player.state().lanes[0].summary
    assert forked is not None
    assert parent is not None
    assert np.array_equal(forked.curves.loss[:33], parent.curves.loss[:33])
    assert forked.curves.loss[33] != parent.curves.loss[33]
    assert "SupCon" in forked.label
    assert (33, "A2 leaves its parent") in [(mark.step, mark.text) for mark in forked.marks]
    assert set(player.steps(1)) >= {0, 10, 20, 33, 40, 45}


def test_a_fork_between_kept_states_is_trained_up_to_its_step(boards: Boards) -> None:
    player = boards.create([small(0.1)])
    stepped(player, 20, 40)
    player.set_knob(0, "loss.temperature", 0.2)
    stepped(player, 60)
    config = player.fork(0, 51, rate=0.005)
    settled(player, 60)
    assert config.events[0] == Event(40, "loss.temperature", 0.2)
    assert state_of(player, 1) == plain(config, 60).pack()[0]
    again = player.fork(1, 30)
    settled(player, 60)
    assert [event.knob for event in again.events] == [FORK]
    assert state_of(player, 2) == state_of_plain(again, 60)
    shape = [Branch(1, "A2", 51, 0), Branch(2, "A3", 30, 0)]
    assert list(tree([lane.config for lane in player.state().lanes])) == shape


def state_of_plain(config: RunConfig, steps: int) -> bytes:
    return plain(config, steps).pack()[0]


def test_a_state_far_back_is_read_from_disk(boards: Boards, settings: Settings) -> None:
    player = boards.create([small(0.1)])
    stepped(player, 5, 12, 20, 30, 40, 50)
    folder = settings.folder("boards") / player.board_id / "lane-0" / "history"
    boards._keeper.flush()
    assert {"00000012.json", "00000012.safetensors", "00000050.json"} <= {path.name for path in folder.iterdir()}
    read: list[int] = []
    past = boards._keeper.past

    def spied(board: str, lane: str, step: int) -> object:
        read.append(step)
        return past(board, lane, step)

    boards._keeper.past = spied  # type: ignore[assignment,method-assign]
    config = player.fork(0, 15, rate=0.01)
    settled(player, 50)
    assert read == [12]
    assert state_of(player, 1) == plain(config, 50).pack()[0]


def test_kept_steps_are_shown_as_they_were(boards: Boards) -> None:
    player = boards.create([small(0.1)])
    stepped(player, 7, 20, 31)
    steps = player.steps("lane-0")
    assert steps[0] == 0
    assert steps[-1] == 31
    assert {7, 20} <= set(steps)
    assert player.summary_at(0, 8).step == 7
    assert player.summary_at(0, 999).step == 31
    then = plain(small(0.1), 20).measures()
    assert player.summary_at(0, 20).roc.auc == pytest.approx(then["auc"], abs=1e-6)
    player.reset()
    settled(player, 0)
    assert player.steps(0) == (0,)


def test_what_cannot_be_forked_is_refused(boards: Boards) -> None:
    player = boards.create([small(0.1), small(0.2), small(0.3)])
    stepped(player, 5)
    with pytest.raises(ValueError, match="from 0 to 5, got 6"):
        player.fork(0, 6)
    with pytest.raises(ValueError, match="no loss called 'nonsense'"):
        player.fork(0, 5, loss="nonsense")
    with pytest.raises(ValueError, match="no knob 'margin'"):
        player.fork(0, 5, knobs={"margin": 0.1})
    with pytest.raises(QuotaError, match="at most 3 runs"):
        player.fork(0, 5)
    assert len(player.state().lanes) == 3


def test_the_tree_knows_forks_of_forks_and_parents_that_have_gone() -> None:
    parent = small(0.1)
    second = parent.with_event(Event(20, FORK, "A2")).with_event(Event(20, "loss.temperature", 0.5))
    third = second.with_event(Event(30, FORK, "A3"))
    assert tree([parent, second, third]) == (Branch(1, "A2", 20, 0), Branch(2, "A3", 30, 1))
    assert tree([parent, third]) == (Branch(1, "A3", 30, None),)
    assert tree([parent, small(0.5)]) == ()


def test_a_restored_board_has_its_forks(boards: Boards) -> None:
    player = boards.create([small(0.1)])
    stepped(player, 20)
    config = player.fork(0, 10, loss="supcon")
    settled(player, 20)
    board = player.board_id
    boards.release(board)
    again = boards.restore(board)
    assert again is not None
    assert [lane.config for lane in again.state().lanes] == [small(0.1), config]
    stepped(again, 25)
    assert state_of(again, 1) == plain(config, 25).pack()[0]


def test_old_boards_on_disk_go_and_open_ones_stay(tmp_path: Path) -> None:
    for name, days in (("old", DAYS + 1), ("open", DAYS + 1), ("new", 1)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "board.json").write_text("{}")
        written = time.time() - days * 86_400
        os.utime(tmp_path / name / "board.json", (written, written))
    assert purge(tmp_path, ["open"], time.time()) == ["old"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "open"]
    eventually(lambda: not (tmp_path / "old").exists())


def test_what_a_fork_shares_with_its_parent_is_not_looked_at_anew(boards: Boards) -> None:
    """A fork is rebuilt from an older state: a look on the way must not undo the moments of its parent."""
    made = summarise(trained(3))
    lane = Remote(boards._engine, "lane-9", small(0.1))
    for step in (0, 5, 9):
        lane.show(replace(made, step=step))
    parents, lane.shared = lane.seen.kept, 9
    lane.show(replace(made, step=5))
    assert lane.seen.kept == parents
    assert lane.summary is not None
    assert lane.summary.step == 5
    lane.show(replace(made, step=12))
    assert lane.seen.steps == (0, 5, 9, 12)
