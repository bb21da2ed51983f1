"""What the server tells a page, sent in bundles: a page works through all of itself for every bundle that reaches it.

A tick is some sixty messages over some fifty milliseconds. Sent as they come, they are drawn in five rounds.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

QUIET_S, LONGEST_S = 0.015, 0.1  # a bundle is closed after so long without a message, or so long after its first
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Bundled:
    """ASGI middleware: holds what goes into a websocket for a moment, and sends in order what has come together."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Pass on; a websocket through a bundle of its own."""
        if scope["type"] != "websocket":
            await self._app(scope, receive, send)
            return
        bundle = _Bundle(send)
        try:
            await self._app(scope, receive, bundle.send)
        finally:
            bundle.drop()


class _Bundle:
    """The messages of one websocket that wait. A failure to send is raised at the next message."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._waiting: list[Message] = []
        self._last = 0.0
        self._closing: asyncio.Task[None] | None = None

    async def send(self, message: Message) -> None:
        """Hold a message; what is no message (accept, close) goes at once, behind all that waits."""
        failed = self._closing is not None and self._closing.done() and self._closing.exception()
        if failed:
            raise failed
        if message["type"] != "websocket.send":
            await self._flush()
            await self._send(message)
            return
        self._waiting.append(message)
        self._last = asyncio.get_running_loop().time()
        if self._closing is None or self._closing.done():
            self._closing = asyncio.create_task(self._close())

    async def _close(self) -> None:
        """Wait for quiet, then send."""
        clock = asyncio.get_running_loop().time
        until = clock() + LONGEST_S
        while (left := min(self._last + QUIET_S, until) - clock()) > 0:
            await asyncio.sleep(left)
        await self._flush()

    async def _flush(self) -> None:
        while self._waiting:
            await self._send(self._waiting.pop(0))

    def drop(self) -> None:
        """The websocket is gone: nothing waits any more."""
        if self._closing is not None:
            self._closing.cancel()
