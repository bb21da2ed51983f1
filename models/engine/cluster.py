"""The engine as the server sees it: workers of its own, or a Dask cluster elsewhere; where a lane may be placed."""

import asyncio
import json
import logging
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import CancelledError
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from distributed import Client

from models.engine.guard import Limits
from models.engine.warm import OWN_LOSS, SIDE, TRAIN, warm_worker
from models.settings import Settings

__all__ = ["Engine", "EngineError", "Settings"]
ROOT = Path(__file__).parents[2]
START_S, CLOSE_S = 60.0, 10.0
DEATHS, DEATHS_S = 3, 600.0  # so many ends of the host within so long, and it is not started again
GREET_S = 0.5  # between two looks for new workers
COLD = 3  # lanes that a worker counts as holding before it is warm
LOG = "engine.log"
# What calls raise whose client, scheduler or worker has gone. asyncio's kind is no Exception, so it is named.
GONE = (OSError, RuntimeError, CancelledError, asyncio.CancelledError)
_LOG = logging.getLogger("losslab")


class EngineError(RuntimeError):
    """The workers could not be started or reached."""


class Engine:
    """Workers and the client that reaches them. All methods may be called from any thread."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._lock = threading.Lock()
        self._host: subprocess.Popen[str] | None = None
        self._warming: dict[str, tuple[str, Any]] = {}  # worker address -> name and future of its warm-up
        self._held: Counter[str] = Counter()
        self._yielded = False
        self._up = threading.Event()
        self._stopped = threading.Event()
        self._closed = False
        self._client: Any = None
        self.address = settings.scheduler

    @classmethod
    def start(cls, settings: Settings) -> Self:
        """Start the workers, or connect to LOSSLAB_SCHEDULER; raises EngineError if that fails. Warms up behind."""
        engine = cls(settings)
        try:
            engine._launch()
        except (OSError, EngineError) as error:
            engine.close()
            raise EngineError(f"The training workers could not be reached: {error}") from error
        if engine._host is not None:
            threading.Thread(target=engine._watch, args=(engine._host,), name="engine-host", daemon=True).start()
        threading.Thread(target=engine._greet, name="engine-warm-up", daemon=True).start()
        return engine

    @property
    def client(self) -> Any:
        """The Dask client; another one after the host had to be started again."""
        return self._client

    @property
    def pid(self) -> int | None:
        """Process id of the host; None on a cluster elsewhere."""
        return None if self._host is None else self._host.pid

    @property
    def alive(self) -> bool:
        """False while the host is gone, and once the engine is closed."""
        return self._up.is_set() and (self._host is None or self._host.poll() is None)

    def warm(self) -> tuple[tuple[str, bool], ...]:
        """Every worker's name, and whether its slow first things are done."""
        with self._lock:
            return tuple(sorted((name, future.done()) for name, future in self._warming.values()))

    def workers(self, purpose: str = TRAIN) -> list[str]:
        """Addresses of live workers for this purpose; on a cluster that names no purposes, all of them.

        For own losses only those that were made for them, with their limits.
        """
        known = self._known()
        fit = [address for address, about in known.items() if purpose in about["resources"]]
        if fit or purpose == OWN_LOSS:
            return fit
        return [address for address, about in known.items() if not {TRAIN, SIDE} & about["resources"].keys()]

    def place(self, purpose: str = TRAIN) -> str | None:
        """The worker for this purpose that holds the fewest lanes, counted as holding one more; None if there is none.

        One that is not warm yet counts as fuller: a lane that lost its process is sooner back on a warm one.
        """
        fit = self.workers(purpose) if self.alive else []
        with self._lock:
            cold = {address: not self._warmed(address) for address in fit}
            chosen = min(fit, key=lambda address: self._held[address] + COLD * cold[address], default=None)
            if chosen is not None:
                self._held[chosen] += 1
        return chosen

    def leave(self, address: str) -> None:
        """A lane has gone from this worker."""
        with self._lock:
            self._held[address] -= 1

    def submit(self, work: Any, *arguments: Any, purpose: str = SIDE, priority: int = 0) -> Any:
        """Run a pure function on a side worker, or one for own losses; returns a Dask future.

        Of what waits, the highest priority is next.
        """
        known = self._known().values()
        named = purpose == OWN_LOSS or any(purpose in about["resources"] for about in known)
        resources = {purpose: 1} if named else None
        return self._client.submit(work, *arguments, pure=False, resources=resources, priority=priority)

    def keep(self, value: Any) -> Any:
        """Put a large value where workers find it; the Dask future stands for it among the arguments of `submit`."""
        return self._client.scatter(value, hash=False)

    def heard(self, topic: str) -> Any:
        """What a worker told last under a topic; None if nothing."""
        events = self._client.get_events(topic)
        return events[-1][1] if events else None

    def close(self) -> None:
        """End client, workers and host; further calls do nothing."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        self._stopped.set()
        self._up.clear()
        if self._client is not None:
            self._client.close(timeout=CLOSE_S)
        if self._host is not None:
            _end(self._host)

    def _launch(self) -> subprocess.Popen[str] | None:
        """Start a host, where the workers are ours, and connect; raises OSError or EngineError."""
        if not self.settings.scheduler:
            self._yielded = False
            self._host = _host(self.settings)
            self.address = _first_line(self._host, self.settings)
        self._client = Client(
            self.address, set_as_default=False, direct_to_workers=True, timeout=START_S, name="losslab"
        )
        self._up.set()
        return self._host

    def _watch(self, host: subprocess.Popen[str]) -> None:
        """If the host ends unasked, start another: boards resume from their checkpoints."""
        deaths: list[float] = []
        while len(deaths) < DEATHS:
            host.wait()
            self._up.clear()
            if host.stdin is not None:
                host.stdin.close()
            if self._stopped.is_set():
                return
            now = time.monotonic()
            deaths = [*(at for at in deaths if now - at < DEATHS_S), now]
            _LOG.error("the engine's process has ended; starting it again")
            try:
                self._client.close(timeout=CLOSE_S)
                host = self._launch() or host
            except (OSError, EngineError) as error:
                _LOG.error("the engine's process could not be started again: %s", error)
                return
            if self._stopped.is_set():  # closed while it started
                _end(host)
                return
        _LOG.error("the engine's process has ended %d times in a row; giving up", len(deaths))

    def _greet(self) -> None:
        """Warm up every worker that appears, at the start and after one was replaced."""
        while not self._stopped.wait(GREET_S):
            if self.alive:
                with suppress(*GONE):  # the host has just gone; another will come
                    self._warm_new()
                    self._yield()

    def _known(self) -> dict[str, Any]:
        """What the scheduler says of each worker, by address; nothing while the client is between two schedulers."""
        workers: dict[str, Any] = self._client.scheduler_info(n_workers=-1).get("workers", {})
        return workers

    def _warm_new(self) -> None:
        known = self._known()
        with self._lock:
            self._warming = {address: held for address, held in self._warming.items() if address in known}
            new = {address: about for address, about in known.items() if address not in self._warming}
        for address, about in new.items():
            purpose = SIDE if SIDE in about["resources"] else TRAIN
            future = self._client.submit(warm_worker, purpose, workers=[address], pure=False)
            future.add_done_callback(_log_failure)
            with self._lock:
                self._warming[address] = (str(about["name"]), future)

    def _yield(self) -> None:
        """Once the training workers are warm, let them yield to the page: before, the page waits for them."""
        host = self._host
        if self._yielded or host is None or host.stdin is None:
            return
        training = self.workers()
        with self._lock:
            ready = len(training) == self.settings.workers and all(self._warmed(address) for address in training)
        if ready:
            self._yielded = True
            host.stdin.write("warm\n")
            host.stdin.flush()

    def _warmed(self, address: str) -> bool:
        return address in self._warming and bool(self._warming[address][1].done())


def _log_failure(future: Any) -> None:
    if future.status == "error":
        _LOG.error("warm-up of a worker: %s", future.exception())


def _host(settings: Settings) -> subprocess.Popen[str]:
    """Start the host and give it its order."""
    folder = settings.folder("engine")
    for note in folder.glob("*.stopped"):  # of processes that an earlier server had
        note.unlink()
    with (folder / LOG).open("w") as log:
        host = subprocess.Popen(
            [sys.executable, "-m", "models.engine.host"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,  # Ctrl-C is for the server, which then closes the pipe
        )
    assert host.stdin is not None
    order = {"workers": settings.workers, "side_workers": settings.side_workers, "nice": settings.nice}
    order |= {"own_workers": settings.own_workers if settings.own_losses else 0}
    limits = Limits(str(folder), settings.own_call_s, settings.own_memory_mb).to_json()
    host.stdin.write(json.dumps({**order, "own": limits, "folder": str(folder)}) + "\n")
    host.stdin.flush()
    return host


def _first_line(host: subprocess.Popen[str], settings: Settings) -> str:
    """The scheduler's address; raises EngineError if the host ends, or says nothing for START_S."""
    assert host.stdout is not None
    late = threading.Timer(START_S, host.kill)
    late.start()
    line = host.stdout.readline()
    late.cancel()
    if not line:
        raise EngineError(f"the engine's process did not start; see {settings.folder('engine') / LOG}")
    host.stdout.close()  # it has told all
    address: str = json.loads(line)["address"]
    return address


def _end(host: subprocess.Popen[str]) -> None:
    """Close its standard input, which ends it; kill it if that takes too long."""
    assert host.stdin is not None
    host.stdin.close()
    try:
        host.wait(CLOSE_S)
    except subprocess.TimeoutExpired:
        host.kill()
        host.wait(CLOSE_S)
