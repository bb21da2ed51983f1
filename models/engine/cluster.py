"""The engine as the server sees it: workers of its own, or a Dask cluster elsewhere; where a lane may be placed."""

import json
import logging
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import IO, Any, Self

from distributed import Client

from models.engine.warm import SIDE, TRAIN
from models.settings import Settings

__all__ = ["Engine", "EngineError", "Settings"]
ROOT = Path(__file__).parents[2]
START_S, CLOSE_S = 60.0, 10.0
_LOG = logging.getLogger("losslab")


class EngineError(RuntimeError):
    """The workers could not be started or reached."""


class Engine:
    """Workers and the client that reaches them. All methods may be called from any thread."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._lock = threading.Lock()
        self._host: subprocess.Popen[str] | None = None
        self._warm: dict[str, bool] = {}
        self._held: Counter[str] = Counter()
        self._closed = False
        self._client: Any = None
        self.address = settings.scheduler

    @classmethod
    def start(cls, settings: Settings) -> Self:
        """Start the workers, or connect to LOSSLAB_SCHEDULER; raises EngineError if that fails. Warms up behind."""
        engine = cls(settings)
        try:
            if not settings.scheduler:
                engine._start_host()
            engine._client = Client(
                engine.address, set_as_default=False, direct_to_workers=True, timeout=START_S, name="losslab"
            )
        except (OSError, EngineError) as error:
            engine.close()
            raise EngineError(f"The training workers could not be reached: {error}") from error
        return engine

    @property
    def client(self) -> Any:
        """The Dask client."""
        return self._client

    @property
    def pid(self) -> int | None:
        """Process id of the host; None on a cluster elsewhere."""
        return None if self._host is None else self._host.pid

    @property
    def alive(self) -> bool:
        """False once the host has gone, or the engine is closed."""
        return not self._closed and (self._host is None or self._host.poll() is None)

    def warm(self) -> tuple[tuple[str, bool], ...]:
        """Every worker's name, and whether its slow first things are done."""
        with self._lock:
            return tuple(self._warm.items())

    def workers(self, purpose: str = TRAIN) -> list[str]:
        """Addresses of live workers for this purpose; on a cluster that names no purposes, all of them."""
        known = self._client.scheduler_info(n_workers=-1)["workers"]
        fit = [address for address, about in known.items() if purpose in about["resources"]]
        return fit or [address for address, about in known.items() if not {TRAIN, SIDE} & about["resources"].keys()]

    def place(self) -> str | None:
        """The training worker that holds the fewest lanes, counted as holding one more; None if there is none."""
        fit = self.workers() if self.alive else []
        with self._lock:
            chosen = min(fit, key=lambda address: self._held[address], default=None)
            if chosen is not None:
                self._held[chosen] += 1
        return chosen

    def leave(self, address: str) -> None:
        """A lane has gone from this worker."""
        with self._lock:
            self._held[address] -= 1

    def submit(self, work: Any, *arguments: Any) -> Any:
        """Run a pure function on a side worker; returns a Dask future."""
        known = self._client.scheduler_info(n_workers=-1)["workers"].values()
        resources = {SIDE: 1} if any(SIDE in about["resources"] for about in known) else None
        return self._client.submit(work, *arguments, pure=False, resources=resources)

    def close(self) -> None:
        """End client, workers and host; further calls do nothing."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        if self._client is not None:
            self._client.close(timeout=CLOSE_S)
        if self._host is not None:
            self._end_host(self._host)

    def _start_host(self) -> None:
        folder = self.settings.folder("engine")
        log = (folder / "engine.log").open("w")
        with log:
            self._host = subprocess.Popen(
                [sys.executable, "-m", "models.engine.host"],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                start_new_session=True,  # Ctrl-C is for the server, which then closes the pipe
            )
        assert self._host.stdin is not None
        assert self._host.stdout is not None
        settings = self.settings
        order = {"workers": settings.workers, "side_workers": settings.side_workers, "nice": settings.nice}
        self._host.stdin.write(json.dumps({**order, "folder": str(folder)}) + "\n")
        self._host.stdin.flush()
        started = threading.Event()
        threading.Thread(
            target=self._listen, args=(self._host.stdout, started), name="engine-lines", daemon=True
        ).start()
        if not started.wait(START_S) or not self.address:
            raise EngineError(f"the engine's process did not start; see {folder / 'engine.log'}")

    def _listen(self, lines: IO[str], started: threading.Event) -> None:
        """Take in what the host tells, until it ends."""
        for line in lines:
            told = json.loads(line)
            if "address" in told:
                self.address = told["address"]
                started.set()
                continue
            if told.get("error"):
                _LOG.error("warm-up of %s: %s", told["warm"], told["error"])
            with self._lock:
                self._warm[told["warm"]] = told["done"]
        started.set()

    @staticmethod
    def _end_host(host: subprocess.Popen[str]) -> None:
        assert host.stdin is not None
        host.stdin.close()
        try:
            host.wait(CLOSE_S)
        except subprocess.TimeoutExpired:
            host.kill()
            host.wait(CLOSE_S)
        if host.stdout is not None:
            host.stdout.close()
