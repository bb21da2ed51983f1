"""What being live costs: a lane with summaries at 2 Hz against the bare loop in the same worker, and who gets what.

Bare and live take turns on the same otherwise idle worker, so that a change of the machine's load hits both; medians.
"""

import os
import signal
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from models.engine.cluster import Engine
from models.engine.lane import settle_process
from models.engine.player import Player
from models.engine.registry import Boards
from models.settings import Settings
from models.training.config import Part, RunConfig
from models.training.run import Run

WINDOW_S, TURNS = 3.0, 4
CORES = 2


def main() -> Iterator[tuple[str, str]]:
    """Rows of what and figure."""
    with tempfile.TemporaryDirectory() as home:
        settings = Settings(home=Path(home) / "home", workers=CORES, side_workers=1, nice=0)
        engine = Engine.start(settings)
        boards = Boards(engine)
        try:
            while len(engine.warm()) < CORES + 1 or not all(done for _, done in engine.warm()):
                time.sleep(0.2)
            yield "load average of the machine before", f"{os.getloadavg()[0]:.1f}"
            yield from one_lane(engine, boards)
            yield from four_lanes(boards)
            yield from killed_worker(engine, boards)
        finally:
            boards.close()
            engine.close()


def one_lane(engine: Engine, boards: Boards) -> Iterator[tuple[str, str]]:
    """Live against bare, by steps a second."""
    config = RunConfig()
    player = boards.create([config])
    player.step(50)
    rest(player)
    worker = player.state().lanes[0].worker
    process = psutil.Process(engine.client.run(os.getpid, workers=[worker])[worker])
    pairs, costs = [], []
    for _ in range(TURNS):
        bare, bare_cost = engine.client.submit(
            bare_rate, config.to_json(), WINDOW_S, workers=[worker], pure=False
        ).result()
        used, step = sum(process.cpu_times()[:2]), player.state().step
        pairs.append((bare, live_rate([player])[0]))
        costs.append(bare_cost * (player.state().step - step) / (sum(process.cpu_times()[:2]) - used))
    yield "bare loop in a worker, batch 128, MLP", f"{statistics.median(bare for bare, _ in pairs):.0f} steps/s"
    yield "live lane with summaries at 2 Hz", f"{statistics.median(live for _, live in pairs):.0f} steps/s"
    yield "live over bare, by the clock (goal 0.9)", f"{statistics.median(live / bare for bare, live in pairs):.2f}"
    yield "live over bare, by processor time a step", f"{statistics.median(costs):.2f}"
    boards.release(player.board_id)


def four_lanes(boards: Boards) -> Iterator[tuple[str, str]]:
    """Four lanes of one board share one clock by construction; four boards share the workers."""
    together = boards.create([temperature(t) for t in (0.05, 0.1, 0.2, 0.5)])
    together.step(20)
    rest(together)
    yield "one board, four lanes on two workers", f"{live_rate([together])[0]:.0f} steps/s each"
    boards.release(together.board_id)
    apart = [boards.create([temperature(t)]) for t in (0.05, 0.1, 0.2, 0.5)]
    for player in apart:
        player.step(20)
    for player in apart:
        rest(player)
    rates = live_rate(apart)
    yield "four boards, one lane each, on two workers", ", ".join(f"{rate:.0f}" for rate in rates) + " steps/s"
    yield "slowest over fastest board", f"{min(rates) / max(rates):.2f}"


def killed_worker(engine: Engine, boards: Boards) -> Iterator[tuple[str, str]]:
    """From the kill of a worker until the board says so, and until it has the step it had."""
    player = boards.create([RunConfig()])
    player.step(200)
    rest(player)
    player.play()
    time.sleep(1.0)
    worker, step = player.state().lanes[0].worker, player.state().step
    os.kill(engine.client.run(os.getpid, workers=[worker])[worker], signal.SIGKILL)
    began = time.perf_counter()
    while "process stopped" not in player.state().lanes[0].message:
        time.sleep(0.01)
    noticed = time.perf_counter() - began
    while player.state().lanes[0].status != "running" or player.state().lanes[0].step < step:
        time.sleep(0.01)
    yield (
        "killed worker: noticed, at the same step again (goal 5 s)",
        (f"{noticed:.2f} s, {time.perf_counter() - began:.1f} s"),
    )
    boards.release(player.board_id)


def temperature(value: float) -> RunConfig:
    """The default run at a temperature."""
    return RunConfig(loss=Part("infonce", (("temperature", value),)))


def bare_rate(config: str, seconds: float) -> tuple[float, float]:
    """Steps a second of a plain run in this process, and its processor seconds a step."""
    settle_process()
    run = Run(RunConfig.from_json(config))
    run.advance(50)
    began, used, steps = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - began < seconds:
        run.advance(50)
        steps += 50
    return steps / (time.perf_counter() - began), (time.process_time() - used) / steps


def live_rate(players: list[Player]) -> list[float]:
    """Steps a second of boards that play at once."""
    for player in players:
        player.play()
    time.sleep(0.5)
    began = [(time.perf_counter(), player.state().step) for player in players]
    time.sleep(WINDOW_S)
    rates = [
        (player.state().step - step) / (time.perf_counter() - at)
        for player, (at, step) in zip(players, began, strict=True)
    ]
    for player in players:
        player.pause()
    for player in players:
        rest(player)
    return rates


def rest(player: Player) -> Any:
    """Wait until a board has come to rest."""
    while player.state().playing or any(lane.status not in ("paused", "ready") for lane in player.state().lanes):
        time.sleep(0.02)
