"""What all tests share: one thread, checked shapes, repeatable random cases, one running server, one browser."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest
import torch
from hypothesis import settings
from jaxtyping import install_import_hook

ROOT = Path(__file__).parents[1]
CHROMIUM_ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
]
START_S = 60  # generous: the machine may be busy, and no test asserts a time

# Shapes and types of annotations are checked on every call in the tests; the app itself pays nothing for them.
# A whole number may stand for a float, as everywhere in Python.
CHECK = "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))"
install_import_hook(["models.geometry", "models.losses", "models.methods", "models.diagnostics"], CHECK)
torch.set_num_threads(1)
settings.register_profile("repeatable", derandomize=True, deadline=None, database=None)
settings.load_profile("repeatable")


@pytest.fixture(scope="session", autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test reads or writes the runs of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOSSLAB_HOME", str(tmp_path_factory.mktemp("home")))
        yield


@dataclass(frozen=True)
class Server:
    """A running `python -m app` of its own."""

    url: str
    home: Path
    process: subprocess.Popen[bytes]
    log: Path


def free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
    return number


def start_server(
    folder: Path,
    command: Sequence[str] = (sys.executable, "-m", "app"),
    cwd: Path = ROOT,
    extra: Mapping[str, str] | None = None,
) -> Server:
    """Start the app with its own folder of runs, and wait until it answers."""
    port, log = free_port(), folder / "server.log"
    environment = {**os.environ, "LOSSLAB_HOME": str(folder / "home"), "OMP_NUM_THREADS": "1", **(extra or {})}
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*command, "--port", str(port), "--no-browser"],
            cwd=cwd,
            env=environment,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    server = Server(f"http://127.0.0.1:{port}", folder / "home", process, log)
    until = time.monotonic() + START_S
    while time.monotonic() < until and process.poll() is None:
        try:
            with urlopen(f"{server.url}/_stcore/health", timeout=1):
                return server
        except (URLError, OSError):
            time.sleep(0.1)
    stop_server(server)
    raise RuntimeError(f"the server did not answer:\n{log.read_text(errors='replace')}")


def stop_server(server: Server) -> int:
    """End it by its process id, as a user's Ctrl-C would; returns its exit code."""
    if server.process.poll() is None:
        server.process.terminate()
    try:
        return server.process.wait(30)
    except subprocess.TimeoutExpired:
        server.process.kill()
        return server.process.wait(30)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests of a session."""
    # What a test leaves training would take the processors of all that come after it.
    running = start_server(tmp_path_factory.mktemp("server"), extra={"LOSSLAB_IDLE_S": "20"})
    yield running
    stop_server(running)


def chromium_path() -> str | None:
    """The browser to drive: LOSSLAB_CHROMIUM, one on the path, else None for Playwright's own."""
    named = os.environ.get("LOSSLAB_CHROMIUM")
    found = (shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome"))
    return named or next((path for path in found if path), None)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium, without a window and without calls of its own to the network."""
    from playwright.sync_api import sync_playwright  # slow, and only browser tests need it

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium_path(), args=CHROMIUM_ARGS)
        yield running
        running.close()


class Watch:
    """What a browser context did that it should not have: console errors, and requests that left this machine."""

    def __init__(self, context: Any) -> None:
        self.errors: list[str] = []
        self.foreign: list[str] = []
        self.expected: list[str] = []  # parts of errors that a test provokes on purpose
        context.on("console", lambda message: self._note(message.text) if message.type == "error" else None)
        context.on("weberror", lambda error: self._note(str(error.error)))
        context.on("request", lambda request: None if _local(request.url) else self.foreign.append(request.url))

    def _note(self, text: str) -> None:
        if not any(part in text for part in self.expected):
            self.errors.append(text)


def _local(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in ("data", "blob", "about", "chrome") or parts.hostname in ("127.0.0.1", "localhost")


@pytest.fixture
def context(browser: Any) -> Iterator[Any]:
    """A fresh browser context. Fails the test on a console error, and on any request that leaves this machine.

    `context.watch.expected` takes parts of errors that a test provokes.
    """
    fresh = browser.new_context(viewport={"width": 1440, "height": 1000})
    fresh.watch = Watch(fresh)
    yield fresh
    fresh.close()
    assert not fresh.watch.foreign, f"requests left this machine: {fresh.watch.foreign}"
    assert not fresh.watch.errors, f"console errors: {fresh.watch.errors}"


@pytest.fixture
def page(context: Any, server: Server) -> Any:
    """A fresh page with the lab opened."""
    opened = context.new_page()
    opened.goto(server.url)
    return opened
