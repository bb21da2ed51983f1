"""A class of thirty opens one lesson: all look at its recording at once, then all press "Run it here".

Websocket clients as in `load`, on one server with its default quotas, all on the same cores. As many train as the
server takes; the others are told their place in the line, and begin by themselves.
"""

import asyncio
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection

from app.lesson_file import lessons, named
from tests.benchmarks.load import Session, warm
from tests.conftest import start_server, stop_server

CLASS, LESSON = 30, "stuck"  # four runs of 150 steps
RECORDED_S, LIMIT_S = 15.0, 170.0
PLACE = re.compile(r"number (\d+)\*\* of those who wait")
STEP = re.compile(r"Step (\d+) of (\d+)")


class Reader(Session):
    """One student: presses a button once all are there, and notes what the page says of the run."""

    def __init__(self, url: str, wanted: str) -> None:
        super().__init__(url, 0.0, f"lesson={LESSON}")
        self.wanted, self.wire = wanted, None
        self.ready = asyncio.Event()
        self.shown_s = self.trained_s = float("nan")
        self.pressed = 0.0
        self.places: list[int] = []
        self.done = asyncio.Event()
        self.ended = False  # the connection is closed from here

    async def _element(self, message: ForwardMsg, wire: ClientConnection) -> None:
        self.wire = wire
        element = message.delta.new_element
        kind = element.WhichOneof("type")
        if kind == "button" and "-" in element.button.id:
            key = re.sub(r"^.*?(lesson-\w+)$", r"\1", element.button.id)
            self.buttons[key] = element.button.id
            if key == self.wanted:
                self.ready.set()
                self._drawn.set()
        elif kind == "alert" and (found := PLACE.search(element.alert.body)):
            self.places.append(int(found[1]))
        elif kind == "progress" and (found := STEP.search(element.progress.text)):
            if found[1] == found[2] and not self.done.is_set():
                self.trained_s = time.perf_counter() - self.pressed
                self.done.set()
        elif "vega" in str(kind) and self.pressed and not self.shown_s > 0:
            self.shown_s = time.perf_counter() - self.pressed
        elif kind == "exception" or (kind == "alert" and "incident" in element.alert.body):
            self.errors.append(element.exception.message or element.alert.body)

    def _message(self, fragment: str = "") -> BackMsg:
        message = super()._message(fragment)
        message.rerun_script.page_script_hash, message.rerun_script.page_name = "", "lessons"
        return message

    async def _read(self, wire: ClientConnection) -> None:
        await super()._read(wire)
        if self.ended and self.errors:
            self.errors.pop()  # that the connection was closed

    async def go(self) -> None:
        """Press the wanted button."""
        await asyncio.wait_for(self.ready.wait(), 120.0)
        self.pressed = time.perf_counter()
        await self.press(self.wire, self.wanted)


async def together(url: str, key: str, seconds: float, until_trained: bool) -> list[Reader]:
    """All open the lesson, then all press at once; ends when all have trained, or after so many seconds."""
    readers = [Reader(url, key) for _ in range(CLASS)]
    ends = time.perf_counter() + seconds + 240.0
    running = [asyncio.create_task(reader.run(ends)) for reader in readers]
    await asyncio.gather(*(asyncio.wait_for(reader.ready.wait(), 120.0) for reader in readers))
    await asyncio.gather(*(reader.go() for reader in readers))
    if until_trained:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await asyncio.gather(*(reader.done.wait() for reader in readers))
    else:
        await asyncio.sleep(seconds)
    for reader in readers:
        reader.ended = True
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    return readers


def told(readers: list[Reader]) -> str:
    """Errors, if there were any."""
    errors = [error for reader in readers for error in reader.errors]
    return f"{len(errors)} errors {errors[:1]}" if errors else "no error"


def main() -> Iterator[tuple[str, str]]:
    """Rows of what and figure."""
    lesson = named(LESSON, lessons())
    with tempfile.TemporaryDirectory() as folder:
        server = start_server(Path(folder))
        try:
            asyncio.run(warm(server.url))
            readers = asyncio.run(together(server.url, "lesson-show", RECORDED_S, False))
            shown = np.array([reader.shown_s for reader in readers])
            p50, p95 = np.quantile(shown, (0.5, 0.95))
            yield (
                f"{CLASS} readers press Show what happens at once: first panel after",
                f"p50 {p50:.1f} s, p95 {p95:.1f} s; {told(readers)}",
            )
            readers = asyncio.run(together(server.url, "lesson-live", LIMIT_S, True))
            waited = [reader.places[0] for reader in readers if reader.places]
            trained = np.array([reader.trained_s for reader in readers])
            first, last = np.nanmin(trained, initial=np.inf), np.nanmax(trained, initial=0)
            yield (
                f"{CLASS} readers press Run it here at once ({len(lesson.runs)} runs of {lesson.steps} steps each)",
                f"{CLASS - len(waited)} train at once, {len(waited)} are told a place from {min(waited, default=0)} to "
                f"{max(waited, default=0)}; trained after {first:.0f} to {last:.0f} s, "
                f"{np.isnan(trained).sum()} not; {told(readers)}",
            )
        finally:
            stop_server(server)
