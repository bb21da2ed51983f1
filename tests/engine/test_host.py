import io
import json
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


def test_workers_share_the_slow_imports(engine: Engine) -> None:
    """Where forking is sound they have one parent, which imported for all; elsewhere each is the host's own child."""
    assert find_spec(host.PRELOAD) is not None
    eventually(lambda: len(engine.warm()) == 3)
    pids = engine.client.run(lambda: __import__("os").getpid(), nanny=False).values()
    parents = {psutil.Process(pid).ppid() for pid in pids}
    assert len(parents) == 1
    assert (parents == {engine.pid}) == (sys.platform != "linux")
