import os
import signal

from models.engine.cluster import Engine
from models.engine.player import Player
from models.engine.registry import Boards
from models.training.config import Event
from tests.engine.helpers import eventually, plain, settled, small, state_of


def kill_worker(engine: Engine, player: Player, lane: int = 0) -> None:
    address = player.state().lanes[lane].worker
    pids = engine.client.run(os.getpid, workers=[address])
    os.kill(pids[address], signal.SIGKILL)


def test_killed_worker_is_noticed_and_its_lane_resumes_bit_exactly(boards: Boards, engine: Engine) -> None:
    player = boards.create([small(0.1), small(0.5)])
    player.set_speed(400.0)
    player.run_until(step=900)
    eventually(lambda: player.state().step > 200)
    player.set_knob(0, "loss.temperature", 0.2)
    event = eventually(lambda: player.state().lanes[0].config.events)[0]
    kill_worker(engine, player)
    lane = eventually(lambda: next((x for x in player.state().lanes if "process stopped" in x.message), None))
    assert f"The training process stopped at step {lane_number(lane.message, 'at step ')}" in lane.message
    assert lane_number(lane.message, "from step ") <= lane_number(lane.message, "at step ")
    state = settled(player, 900)
    assert state.lanes[0].config.events == (Event(event.step, "loss.temperature", 0.2),)
    assert state_of(player, 0) == plain(small(0.1).with_event(event), 900).pack()[0]
    assert state_of(player, 1) == plain(small(0.5), 900).pack()[0]


def lane_number(message: str, after: str) -> int:
    return int(message.split(after)[1].split(";")[0].rstrip("."))


def test_worker_killed_while_its_board_is_paused(boards: Boards, engine: Engine) -> None:
    player = boards.create([small()])
    player.step(38)
    settled(player, 38)
    kill_worker(engine, player)
    eventually(lambda: "process stopped" in player.state().lanes[0].message)
    state = settled(player, 38)
    assert state.lanes[0].status == "paused"
    player.step(10)
    settled(player, 48)
    assert state_of(player) == plain(small(), 48).pack()[0]
