import io
import json
import os
import signal
import sys
from importlib.util import find_spec
from types import SimpleNamespace

import psutil
import pytest

from models.engine import host
from models.engine.cluster import Engine
from tests.engine.helpers import eventually

ORDER = {"workers": 1, "side_workers": 0, "own_workers": 0, "own": "", "nice": 7, "folder": ""}


@pytest.mark.parametrize(("further", "yields"), [([], []), (["warm"], [7])])
def test_workers_yield_when_they_are_told_to_be_warm(
    monkeypatch: pytest.MonkeyPatch, further: list[str], yields: list[int]
) -> None:
    seen: list[int] = []
    cluster = SimpleNamespace(scheduler_address="tcp://127.0.0.1:1", close=lambda timeout: None)
    monkeypatch.setattr(host, "build", lambda *_: cluster)
    monkeypatch.setattr(host, "share_imports", lambda: None)
    monkeypatch.setattr(host, "yield_session", seen.append)
    monkeypatch.setattr("threading.Timer", lambda *_: SimpleNamespace(start=lambda: None))
    monkeypatch.setattr("os._exit", lambda _: None)
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n".join([json.dumps(ORDER), *further])))
    monkeypatch.setattr(sys, "stdout", told := io.StringIO())
    host.main()
    assert seen == yields
    assert json.loads(told.getvalue()) == {"address": "tcp://127.0.0.1:1"}


def test_workers_share_the_slow_imports_and_so_does_one_that_replaces_another(engine: Engine) -> None:
    """Where forking is sound they have one parent, which imported for all; elsewhere each is the host's own child."""
    assert find_spec(host.PRELOAD) is not None
    before = set(eventually(lambda: pids(engine)))
    lost = min(before)
    os.kill(lost, signal.SIGKILL)
    after = set(eventually(lambda: pids(engine, without=lost)))
    assert len(after - before) == 1
    parents = {psutil.Process(pid).ppid() for pid in after}
    assert len(parents) == 1
    assert (parents == {engine.pid}) == (sys.platform != "linux")


def pids(engine: Engine, without: int = -1) -> list[int]:
    """Of three warm workers; none as long as there are fewer, or one that must be gone."""
    found = list(engine.client.run(os.getpid, on_error="ignore").values())
    return found if len(found) == len(engine.warm()) == 3 and without not in found else []
