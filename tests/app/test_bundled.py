import asyncio
from typing import Any

import pytest

from app import bundled
from app.bundled import Bundled


class Wire:
    """What reaches the browser, with the moment."""

    def __init__(self, broken: bool = False) -> None:
        self.got: list[tuple[str, float]] = []
        self.broken = broken

    async def send(self, message: Any) -> None:
        if self.broken:
            raise OSError("gone")
        self.got.append((message.get("text", message["type"]), asyncio.get_running_loop().time()))

    @property
    def texts(self) -> list[str]:
        return [text for text, _ in self.got]


async def receive() -> Any:
    return {"type": "websocket.receive"}


def told(*plan: tuple[str, float], broken: bool = False, kind: str = "websocket") -> Wire:
    """Run an app that says each text and then waits so many seconds."""
    wire = Wire(broken)

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        for text, pause in plan:
            await send({"type": "websocket.send", "text": text} if text.islower() else {"type": text.lower()})
            await asyncio.sleep(pause)

    asyncio.run(Bundled(app)({"type": kind}, receive, wire.send))
    return wire


def test_what_comes_together_goes_together_and_in_order() -> None:
    wire = told(("a", 0.002), ("b", 0.002), ("c", 0.1), ("d", 0.1))
    assert wire.texts == ["a", "b", "c", "d"]
    first, _, third, last = [moment for _, moment in wire.got]
    assert third - first < 0.004  # sent one after the other, though they were said apart
    assert last - third > 0.05


def test_no_message_waits_for_ever_while_others_come() -> None:
    wire = told(*[(f"x{k}", 0.008) for k in range(40)])
    waits = [moment - wire.got[0][1] for _, moment in wire.got]
    assert max(waits) > 2 * bundled.LONGEST_S  # several bundles, though it was never quiet


def test_closing_goes_behind_all_that_waits() -> None:
    assert told(("a", 0.0), ("b", 0.0), ("WEBSOCKET.CLOSE", 0.0)).texts == ["a", "b", "websocket.close"]


def test_a_wire_that_broke_is_told_at_the_next_message() -> None:
    with pytest.raises(OSError, match="gone"):
        told(("a", 0.1), ("b", 0.0), broken=True)


def test_what_is_no_websocket_passes_at_once() -> None:
    wire = told(("a", 0.0), kind="http")
    assert wire.texts == ["a"]


def test_nothing_is_sent_after_the_app_has_ended() -> None:
    assert told(("a", 0.0)).texts == []
