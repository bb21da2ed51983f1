"""The warm-up: once, in order, with what went wrong kept, and the collector frozen after it."""

import gc
import threading
from collections.abc import Iterator

import pytest

from app.startup import WarmUp


@pytest.fixture(autouse=True)
def thawed() -> Iterator[None]:
    gc.unfreeze()
    yield
    gc.unfreeze()


def finished(warm: WarmUp) -> dict[str, object]:
    """Wait for the stages, then end the thread."""
    until = threading.Event()
    while not (warm.done or warm.failure) or (warm.done and not gc.get_freeze_count()):
        until.wait(0.01)
    return warm.stop()


def test_stages_in_order_and_once() -> None:
    calls: list[str] = []
    warm = WarmUp((("one", lambda: calls.append("one")), ("two", lambda: calls.append("two") or 7)))
    assert warm.progress() == (("one", False), ("two", False))
    warm.start()
    warm.start()
    assert finished(warm) == {"one": None, "two": 7}
    assert calls == ["one", "two"]
    assert warm.progress() == (("one", True), ("two", True))
    assert warm.result("two") == 7
    assert warm.failure == ""


def test_the_collector_is_frozen_at_the_end() -> None:
    assert gc.get_freeze_count() == 0
    warm = WarmUp((("only", lambda: None),))
    warm.start()
    finished(warm)
    assert gc.get_freeze_count() > 0


def test_a_failure_is_kept_and_told_and_ends_it() -> None:
    def burst() -> None:
        raise OSError("no space left")

    calls: list[int] = []
    warm = WarmUp((("first", lambda: None), ("second", burst), ("third", lambda: calls.append(1))))
    warm.start()
    finished(warm)
    assert warm.failure == "second failed: OSError: no space left"
    assert warm.progress() == (("first", True), ("second", False), ("third", False))
    assert not warm.done
    assert calls == []
    with pytest.raises(KeyError):
        warm.result("second")


def test_stop_before_the_end_skips_the_rest() -> None:
    entered, leave = threading.Event(), threading.Event()
    calls: list[int] = []

    def slow() -> str:
        entered.set()
        leave.wait(10)
        return "made"

    warm = WarmUp((("slow", slow), ("never", lambda: calls.append(1))))
    warm.start()
    assert entered.wait(10)
    threading.Timer(0.1, leave.set).start()
    assert warm.stop() == {"slow": "made"}
    assert calls == []
