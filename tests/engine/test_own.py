"""Own losses in workers of their own: the numbers of a plain run, and what comes of one that hangs or grabs memory."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from models.custom import OFF, REGISTER
from models.engine.cluster import Engine
from models.engine.registry import Boards
from models.engine.warm import OWN_LOSS
from models.settings import Settings
from models.training.config import Part, RunConfig
from tests.engine.helpers import WAIT_S, eventually, loaded, plain, settled, small, state_of
from tests.own import GREEDY, HANGS, RACE, knowing


@pytest.fixture(scope="module")
def own_boards(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Boards]:
    home = tmp_path_factory.mktemp("own") / "home"
    settings = Settings(home=home, workers=1, side_workers=1, nice=0, own_losses=True, own_workers=1, own_call_s=4.0)
    with knowing(runs=False):
        running = Engine.start(settings)
        running.client.wait_for_workers(3, timeout=WAIT_S)
        opened = Boards(running, settings)
        yield opened
        opened.close()
        running.close()


def own(text: str, **knobs: float) -> RunConfig:
    key = REGISTER.add(text, "mine").SPEC.key
    return replace(small(), loss=Part(key, tuple(knobs.items())))


def failure(boards: Boards, board: str, lane: int) -> str:
    player = boards.get(board)
    assert player is not None
    eventually(lambda: player.state().lanes[lane].status == "failed")
    return player.state().lanes[lane].message


def test_trains_in_a_worker_of_its_own_with_the_numbers_of_a_plain_run(own_boards: Boards) -> None:
    config = own(RACE)
    mixed = replace(small(), loss=Part(f"mix:{config.loss.key}+triplet"))
    player = own_boards.create([config, small(), mixed])
    player.step(30)
    state = settled(player, 30)
    limited = own_boards._engine.workers(OWN_LOSS)
    assert [lane.worker in limited for lane in state.lanes] == [True, False, True]
    packed = [state_of(player), state_of(player, 2)]
    own_boards.release(player.board_id)
    with knowing(runs=True):
        runs = [plain(RunConfig.from_json(lane.to_json()), 30) for lane in (config, mixed)]
        assert packed == [run.pack()[0] for run in runs]


def test_one_that_hangs_is_ended_by_the_clock_and_says_so_while_others_recover(own_boards: Boards) -> None:
    player = own_boards.create([own(HANGS), own(RACE), small()])
    player.step(5)
    settled(player, 5)
    player.set_knob(0, "loss.hang", 1)
    player.step(5)
    message = failure(own_boards, player.board_id, 0)
    assert message == "Your loss was stopped: one step took longer than 4 s (it stood in line 4 of its code)."
    eventually(lambda: [lane.step for lane in player.state().lanes[1:]] == [10, 10])
    assert [lane.status for lane in player.state().lanes[1:]] == ["paused", "paused"]
    packed = state_of(player, 1)
    own_boards.release(player.board_id)
    with knowing(runs=True):
        assert packed == plain(RunConfig.from_json(own(RACE).to_json()), 10).pack()[0]


def test_one_that_asks_for_too_much_memory_fails_with_the_limit(own_boards: Boards) -> None:
    player = own_boards.create([own(GREEDY), small()])
    loaded(player)
    player.step(3)
    settled(player, 3)
    player.set_knob(0, "loss.gigabytes", 5)
    player.step(3)
    assert "it asked for more than 2048 MB of memory" in failure(own_boards, player.board_id, 0)
    eventually(lambda: player.state().lanes[1].step == 6)
    own_boards.release(player.board_id)


def test_sweep_with_one_that_hangs_tells_it_in_that_cell_alone(own_boards: Boards) -> None:
    player = own_boards.create([own(HANGS)])
    loaded(player)
    player.sweep(0, "hang", [0, 1], 3)
    task = eventually(lambda: (found := player.state().sweep) is not None and not found.running and found)
    assert task.cells[0].outcome.step == 3
    assert "one step took longer than 4 s" in task.cells[1].error
    own_boards.release(player.board_id)


def test_code_at_the_top_that_hangs_fails_the_lane(own_boards: Boards) -> None:
    player = own_boards.create([own("x = 1\n\ndef loss(scores, *, t=sum):\n    return 0\n".replace("t=sum", "t=1.0"))])
    assert "'int' object has no attribute" in failure(own_boards, player.board_id, 0)
    own_boards.release(player.board_id)


def test_an_engine_without_them_refuses_in_one_sentence(boards: Boards) -> None:
    with knowing(runs=False):
        config = own(RACE)
        with pytest.raises(ValueError, match="is off on this server") as refused:
            boards.create([config])
        player = boards.create([small()])
        with pytest.raises(ValueError, match="is off on this server"):
            player.add_lane(config)
    assert str(refused.value) == OFF
    boards.release(player.board_id)


def test_a_kept_board_brings_its_code_along(own_boards: Boards, tmp_path: Path) -> None:
    config = own(RACE)
    player = own_boards.create([config])
    player.step(4)
    settled(player, 4)
    own_boards.release(player.board_id)
    again = own_boards.restore(player.board_id)
    assert again is not None
    assert settled(again, 4).lanes[0].config.source == config.source
    own_boards.release(player.board_id)
