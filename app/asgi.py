"""The server: the Streamlit page as an ASGI app with safe headers, our start-up behind it, and our words for errors."""

import logging
import os
import sys
import threading
import time
import tomllib
import webbrowser
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import streamlit as st
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app import files, startup
from app.cli import incident

ROOT = Path(__file__).parents[1]  # the folder that holds app, components and models
HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"SAMEORIGIN"),
    (b"referrer-policy", b"no-referrer"),
)
# Where the page looks for its server. Left to itself it asks below the address of the open page first: two errors in
# the browser's console at every direct visit to /catalogue.
BASE = b"<script>window.__streamlit={BACKEND_BASE_URL:window.location.origin}</script>"
CLOSED = ("/_stcore/metrics",)  # tells of sessions; nothing here reads it
WAIT_S, POLL_S = 30.0, 0.05
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
_LOG = logging.getLogger("losslab")


class Guard:
    """ASGI middleware: refuses hosts that are not ours (DNS rebinding), closes some paths, adds the safe headers.

    Streamlit itself checks the host of the websocket only; here pictures, uploads and the page itself are covered too.
    """

    def __init__(self, app: Any, hosts: frozenset[str]) -> None:
        self._app, self._hosts = app, hosts

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer 403 or 404 by ourselves, or pass on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if host_name(scope) not in self._hosts:
            await _refuse(send, 403, b"This host name is not allowed.")
        elif scope["path"] in CLOSED:
            await _refuse(send, 404, b"Not found.")
        elif any(name == b"accept" and b"text/html" in value for name, value in scope["headers"]):
            plain = [pair for pair in scope["headers"] if pair[0] != b"accept-encoding"]  # its text is changed here
            await self._app({**scope, "headers": plain}, receive, _with_headers(_with_base(send)))
        else:
            await self._app(scope, receive, _with_headers(send))


def host_name(scope: Message) -> str:
    """The name in the Host header without its port, in lower case; empty if there is none or more than one."""
    hosts = [value for name, value in scope["headers"] if name == b"host"]
    if len(hosts) != 1:
        return ""
    text: str = hosts[0].decode("latin-1").lower()
    name, colon, port = text.rpartition(":")
    return name if colon and port.isdigit() else text


def _with_headers(send: Send) -> Send:
    async def wrapped(message: Message) -> None:
        if message["type"] == "http.response.start":
            ours = {name for name, _ in HEADERS}
            kept = [(name, value) for name, value in message["headers"] if name.lower() not in ours]
            message = {**message, "headers": [*kept, *HEADERS]}
        await send(message)

    return wrapped


def _with_base(send: Send) -> Send:
    """Put BASE at the head of a page; anything else passes as it is."""
    start: Message = {}
    text = bytearray()

    async def wrapped(message: Message) -> None:
        if message["type"] == "http.response.start":
            start.update(message)
            if not _is_page(message):
                await send(message)
            return
        if message["type"] != "http.response.body" or not _is_page(start):
            await send(message)
            return
        text.extend(message.get("body", b""))
        if message.get("more_body", False):
            return
        page = bytes(text).replace(b"<head>", b"<head>" + BASE, 1)
        kept = [pair for pair in start["headers"] if pair[0].lower() != b"content-length"]
        length = (b"content-length", b"%d" % len(page))
        await send({**start, "headers": [*kept, length] if page else start["headers"]})
        await send({"type": "http.response.body", "body": page})

    return wrapped


def _is_page(start: Message) -> bool:
    return any(name.lower() == b"content-type" and value.startswith(b"text/html") for name, value in start["headers"])


async def _refuse(send: Send, status: int, body: bytes) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(body)), *HEADERS]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def streamlit_options() -> dict[str, Any]:
    """The settings of .streamlit/config.toml as dotted names: given explicitly they hold in any working folder.

    So neither a file in the user's home nor an environment variable can loosen them.
    """
    return dict(_flat(tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))))


def _flat(table: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    pairs: list[tuple[str, Any]] = []
    for name, value in table.items():
        pairs += _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else [(prefix + name, value)]
    return pairs


def on_script_error(error: Exception) -> bool:
    """Show our sentence with an incident number; the log has the traceback, the page none of it."""
    number = incident()
    _LOG.error("incident %s", number, exc_info=error)
    st.error(
        f"Something went wrong here (incident {number}). Your data and runs are as before. The log has the details."
    )
    return True


async def _item(request: Request) -> Response:
    """One item's picture; app/items.py comes with torch, so it is imported at the first picture, not at the start."""
    from app.items import picture

    return await picture(request)


class _Opening:
    """The document with its recording; app/prelude.py comes with the catalogue, so it is imported once that is read."""

    def __init__(self, app: Any) -> None:
        self._plain, self._app = app, app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Pass on, through the prelude as soon as the warm-up is over."""
        if self._app is self._plain and startup.ready():
            from app.prelude import Prelude

            self._app = Prelude(self._plain)
        await self._app(scope, receive, send)


@asynccontextmanager
async def _lifespan(_app: st.App) -> AsyncIterator[None]:
    """What was started with the server ends with it."""
    try:
        yield
    finally:
        startup.stop()


def build() -> st.App:
    """The page as an ASGI app."""
    hosts = frozenset(str(host).lower() for host in streamlit_options()["server.allowedHosts"])
    return st.App(
        ROOT / "app" / "main.py",
        lifespan=_lifespan,
        routes=[Route("/items/{key}/{row:int}", _item), Route("/files/{ticket}/{name}", files.answer)],
        middleware=[Middleware(Guard, hosts=hosts), Middleware(_Opening)],
        on_script_error=on_script_error,
    )


def serve(address: str, port: int, *, browser: bool) -> None:
    """Serve until SIGINT or SIGTERM; prints one line with the address as soon as the server answers."""
    url = f"http://{address}:{port}"
    # Streamlit looks for settings beside this path and puts its folder on the import path: the root, not app/.
    sys.argv = [str(ROOT / "app")]
    threading.Thread(target=_announce, args=(url, browser), name="announce", daemon=True).start()
    chosen = {**streamlit_options(), "server.address": address, "server.port": port, "logger.hideWelcomeMessage": True}
    with suppress(KeyboardInterrupt):  # uvicorn has shut down in order and passes the signal on
        build().run(config=chosen)


def _announce(url: str, browser: bool) -> None:
    """Wait for the first answer, tell the address, then warm up: imports before it would only delay it."""
    if not _answers(f"{url}/_stcore/health"):
        return
    sys.stdout.write(f"Loss Lab is at {url} (Ctrl-C stops it)\n")
    sys.stdout.flush()
    startup.warm()
    # Without a screen the standard library may start a text browser in this terminal.
    if browser and (
        sys.platform in ("darwin", "win32") or os.environ.get("DISPLAY", os.environ.get("WAYLAND_DISPLAY"))
    ):
        webbrowser.open(url)


def _answers(url: str) -> bool:
    until = time.monotonic() + WAIT_S
    while time.monotonic() < until:
        try:
            with urlopen(url, timeout=1) as answer:
                return bool(answer.status == 200)
        except (URLError, OSError):
            time.sleep(POLL_S)
    return False
