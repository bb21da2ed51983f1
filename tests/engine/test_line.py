import pytest

from models.engine import line
from models.engine.line import Line


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(line.time, "monotonic", lambda: now[0])
    return now


def test_first_come_first_served(clock: list[float]) -> None:
    waiting = Line()
    assert [waiting.place(who, 0) for who in ("a", "b", "c")] == [1, 2, 3]
    clock[0] += 10
    assert [waiting.place(who, 1) for who in ("c", "b", "a")] == [2, 1, 0]  # a place for the first, whoever asks first
    waiting.leave("a")
    assert [waiting.place(who, 1) for who in ("b", "c", "d")] == [0, 1, 2]
    assert [waiting.place(who, 2) for who in ("b", "c", "d")] == [0, 0, 1]
    assert waiting.place("b", -1) == 1  # more train than are allowed: the limit was lowered


def test_who_does_not_ask_loses_the_place(clock: list[float]) -> None:
    waiting = Line()
    assert [waiting.place(who, 0) for who in ("a", "b")] == [1, 2]
    clock[0] += line.FORGOTTEN_S - 1
    assert waiting.place("b", 0) == 2
    clock[0] += 2
    assert waiting.place("b", 0) == 1
    assert waiting.place("a", 0) == 2  # back at the end
    waiting.leave("nobody")
