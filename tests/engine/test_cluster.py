import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from models.engine.cluster import Engine, EngineError
from models.engine.registry import Boards
from models.settings import Settings
from tests.engine.helpers import WAIT_S, eventually, plain, settled, small, state_of

ROOT = Path(__file__).parents[2]
SERVER = """
import sys
from pathlib import Path
from models.engine.cluster import Engine
from models.settings import Settings

if __name__ == "__main__":
    engine = Engine.start(Settings(home=Path(sys.argv[1]), workers=1, side_workers=1, nice=0))
    engine.client.wait_for_workers(2)
    sys.stdout.write(f"{engine.pid}\\n")
    sys.stdout.flush()
    sys.stdin.read()
"""


def family(pid: int | None) -> list[psutil.Process]:
    assert pid is not None
    host = psutil.Process(pid)
    return [host, *host.children(recursive=True)]


def test_everything_listens_on_loopback_only(engine: Engine) -> None:
    bound = [
        connection.laddr.ip
        for process in [psutil.Process(), *family(engine.pid)]
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert len(bound) >= 4
    assert set(bound) == {"127.0.0.1"}


def test_workers_are_named_by_their_purpose_and_get_warm(engine: Engine) -> None:
    eventually(lambda: [name for name, _ in engine.warm()] == ["map-0", "train-0", "train-1"])
    eventually(lambda: all(done for _, done in engine.warm()))
    known = engine.client.scheduler_info()["workers"]
    training = {about["name"] for about in known.values() if about["resources"].get("train")}
    assert training == {"train-0", "train-1"}
    assert len(engine.workers("side")) == 1
    assert {about["nthreads"] for about in known.values()} == {1}


def test_lanes_are_spread_over_training_workers(boards: Boards, engine: Engine) -> None:
    player = boards.create([small(), small(0.5)])
    settled(player, 0)
    assert {lane.worker for lane in player.state().lanes} == set(engine.workers())


def test_host_and_workers_end_with_a_killed_server(tmp_path: Path) -> None:
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(tmp_path / "home")],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdin is not None
    assert server.stdout is not None
    with server.stdin, server.stdout:
        processes = family(int(server.stdout.readline()))
        assert len(processes) >= 3
        server.kill()
        server.wait(10)
        _, alive = psutil.wait_procs(processes, timeout=10)
    assert alive == []


def test_killed_host_is_started_again_and_boards_resume_bit_exactly(settings: Settings, tmp_path: Path) -> None:
    own = replace(settings, home=tmp_path / "home", workers=1)
    engine = Engine.start(own)
    boards = Boards(engine, own)
    player = boards.create([small()])
    player.step(12)
    settled(player, 12)
    first = family(engine.pid)
    os.kill(first[0].pid, signal.SIGKILL)
    eventually(lambda: "process stopped" in player.state().lanes[0].message)
    settled(player, 12)
    assert engine.pid != first[0].pid
    player.step(12)
    settled(player, 24)
    assert state_of(player) == plain(small(), 24).pack()[0]
    _, alive = psutil.wait_procs(first, timeout=10)
    assert alive == []
    boards.close()
    last = family(engine.pid)
    engine.close()
    _, alive = psutil.wait_procs(last, timeout=10)
    assert alive == []


def test_scheduler_of_a_cluster_elsewhere(engine: Engine, settings: Settings, tmp_path: Path) -> None:
    own = replace(settings, home=tmp_path / "home", scheduler=engine.address)
    joined = Engine.start(own)
    boards = Boards(joined, own)
    player = boards.create([small()])
    player.step(5)
    settled(player, 5)
    assert state_of(player) == plain(small(), 5).pack()[0]
    boards.close()
    joined.close()
    assert engine.alive
    engine.client.wait_for_workers(3, timeout=WAIT_S)


def test_scheduler_that_does_not_answer_is_told(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.engine.cluster.START_S", 1.0)
    with pytest.raises(EngineError, match="could not be reached"):
        Engine.start(replace(settings, scheduler="tcp://127.0.0.1:9"))


def test_a_session_yields_only_where_it_is_its_own(tmp_path: Path) -> None:
    """The file is written by the leader of a session alone; one that cannot be written is no error."""
    code = "import sys, pathlib; from models.engine import host; host.yield_session(7, pathlib.Path(sys.argv[1]))"
    file = tmp_path / "autogroup"
    for leads, told in ((False, ""), (True, "7")):
        file.write_text("")
        subprocess.run([sys.executable, "-c", code, str(file)], cwd=ROOT, check=True, start_new_session=leads)
        assert file.read_text() == told
    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "no" / "file")], cwd=ROOT, check=True, start_new_session=True
    )
