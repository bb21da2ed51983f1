"""Many sessions at once: websocket clients that speak Streamlit's messages, as browsers do, but draw nothing.

Twenty pages stand open; one of them trains two lanes, the others show the recording, whose every tick is drawn anew.
Clients, server and workers share the same cores. An update is the time from asking for the live part of the page to
its last message. Only a server of its own on the loopback interface is loaded, and everything ends after half a minute
at each pace.
"""

import asyncio
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.conftest import start_server, stop_server

SESSIONS, SECONDS, SETTLE_S = 20, 30.0, 10.0
PACES = {"1 Hz": 1.0, "the page's own pace": 0.0}  # least seconds between two updates of one session
PATIENCE_S = 90.0  # for the first page of a server that is still warming up
TARGET = "target: p95 below 1 s, no error"
ENDS = (ForwardMsg.FINISHED_SUCCESSFULLY, ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY)


class Session:
    """One page as a browser's connection sees it."""

    def __init__(self, url: str, pace_s: float, query: str = "") -> None:
        self.url, self.pace_s, self.query = url.replace("http://", "ws://"), pace_s, query
        self.latencies: list[float] = []
        self.errors: list[str] = []
        self.received = 0  # bytes
        self.opened_s = float("nan")  # from connecting to the end of the first run that drew the lab
        self.buttons: dict[str, str] = {}  # key to widget id
        self._timers: dict[str, asyncio.Task[None]] = {}
        self._asked: float | None = None
        self._drawn = asyncio.Event()
        self._page = ""

    async def run(self, until: float) -> None:
        """Connect, ask for the page, then update as asked until the clock says so."""
        begun = time.perf_counter()
        async with connect(f"{self.url}/_stcore/stream", max_size=None) as wire:
            reader = asyncio.create_task(self._read(wire))
            await self._ask(wire)
            try:
                await asyncio.wait_for(self._drawn.wait(), PATIENCE_S)
                self.opened_s = time.perf_counter() - begun
                await asyncio.sleep(until - time.perf_counter())
            except TimeoutError:
                self.errors.append(f"no page within {PATIENCE_S:.0f} s")
            for task in (*self._timers.values(), reader):
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    async def press(self, wire: ClientConnection, key: str) -> None:
        """Press a button of the page."""
        message = self._message()
        state = message.rerun_script.widget_states.widgets.add()
        state.id, state.trigger_value = self.buttons[key], True
        await wire.send(message.SerializeToString())

    def begin(self) -> None:
        """Forget what was measured while everything was still starting."""
        self.latencies.clear()
        self.received = 0

    def _message(self, fragment: str = "") -> BackMsg:
        message = BackMsg()
        rerun = message.rerun_script
        rerun.query_string, rerun.page_script_hash = self.query, self._page
        rerun.fragment_id, rerun.is_auto_rerun = fragment, fragment != ""
        rerun.context_info.url = self.url.replace("ws://", "http://") + "/"
        rerun.context_info.timezone, rerun.context_info.locale = "UTC", "en"
        return message

    async def _ask(self, wire: ClientConnection, fragment: str = "") -> None:
        if fragment and self._asked is None:
            self._asked = time.perf_counter()
        await wire.send(self._message(fragment).SerializeToString())

    async def _read(self, wire: ClientConnection) -> None:
        try:
            async for data in wire:
                assert isinstance(data, bytes)
                self.received += len(data)
                await self._take(ForwardMsg.FromString(data), wire)
        except ConnectionClosed as error:
            self.errors.append(f"connection closed: {error}")

    async def _take(self, message: ForwardMsg, wire: ClientConnection) -> None:
        kind = message.WhichOneof("type")
        if kind == "new_session":
            self._page = message.new_session.page_script_hash
            if not message.metadata.run.fragment_ids:
                self._stop_timers()
        elif kind == "auto_rerun":
            self._start_timer(message.auto_rerun.fragment_id, message.auto_rerun.interval, wire)
        elif kind == "script_finished":
            self._finished(message.script_finished)
        elif kind == "delta":
            await self._element(message, wire)

    def _finished(self, status: int) -> None:
        if status == ForwardMsg.FINISHED_WITH_COMPILE_ERROR:
            self.errors.append("the script could not be compiled")
        if status in ENDS and self._asked is not None:
            self.latencies.append(time.perf_counter() - self._asked)
            self._asked = None

    async def _element(self, message: ForwardMsg, wire: ClientConnection) -> None:
        element = message.delta.new_element
        kind = element.WhichOneof("type")
        if kind == "exception" or (kind == "alert" and "incident" in element.alert.body):
            self.errors.append(element.exception.message or element.alert.body)
        elif kind == "button" and "-" in element.button.id:
            key = element.button.id.rsplit("-", 1)[1]
            self.buttons[key] = element.button.id
            if key == "play" and self.query and not self._drawn.is_set():
                self._drawn.set()
                await self.press(wire, "play")
        elif "vega" in str(kind):
            self._drawn.set()

    def _start_timer(self, fragment: str, interval: float, wire: ClientConnection) -> None:
        async def tick() -> None:
            while True:
                await asyncio.sleep(max(interval, self.pace_s))
                await self._ask(wire, fragment)

        if fragment in self._timers:
            self._timers[fragment].cancel()
        self._timers[fragment] = asyncio.create_task(tick())

    def _stop_timers(self) -> None:
        """A run of the whole page makes new fragments; the old ones are not asked for any more."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()


async def load(url: str, pace_s: float, server: psutil.Process) -> tuple[list[Session], float]:
    """Open all sessions, let them settle, then measure; also the CPU seconds that the server took meanwhile."""
    until = time.perf_counter() + SETTLE_S + SECONDS
    opened = [Session(url, pace_s, "lane=infonce&lane=supcon" if index == 0 else "") for index in range(SESSIONS)]
    running = [asyncio.create_task(session.run(until)) for session in opened]
    await asyncio.sleep(SETTLE_S)
    before = sum(server.cpu_times()[:2])
    for session in opened:
        session.begin()
    await asyncio.gather(*running)
    return opened, sum(server.cpu_times()[:2]) - before


async def warm(url: str) -> None:
    """One session that waits for the end of the server's warm-up."""
    await Session(url, 1.0).run(time.perf_counter() + 1.0)


def told(sessions: list[Session], seconds: float, cpu_s: float) -> str:
    """The figures of all sessions in one line."""
    latencies = np.array([latency for session in sessions for latency in session.latencies])
    if not len(latencies):
        return "no update at all"
    opened = np.array([session.opened_s for session in sessions])
    p50, p95 = 1e3 * np.quantile(latencies, (0.5, 0.95))
    kilobytes = sum(session.received for session in sessions) / len(latencies) / 1e3
    errors = [error for session in sessions for error in session.errors]
    return "; ".join(
        (
            f"update p50 {p50:.0f} ms, p95 {p95:.0f} ms",
            f"{len(latencies) / seconds:.1f} updates/s in all",
            f"{kilobytes:.0f} kB and {1e3 * cpu_s / len(latencies):.0f} ms of the server's processor an update",
            f"first page p95 {np.quantile(opened, 0.95):.1f} s",
            f"{len(errors)} errors {errors[:1]}" if errors else "no error",
        )
    )


def main() -> Iterator[tuple[str, str]]:
    """Rows of what and figure."""
    yield "load average of the machine before", f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    with tempfile.TemporaryDirectory() as folder:
        server = start_server(Path(folder))
        try:
            asyncio.run(warm(server.url))
            for name, pace_s in PACES.items():
                sessions, cpu_s = asyncio.run(load(server.url, pace_s, psutil.Process(server.process.pid)))
                yield f"{SESSIONS} sessions at {name}, one training ({TARGET})", told(sessions, SECONDS, cpu_s)
        finally:
            stop_server(server)
