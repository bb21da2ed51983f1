"""What the server process does behind the first page: heavy imports, the engine, and garbage collection at our pace."""

import gc
import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from typing import Any

from models.custom import REGISTER
from models.settings import Settings

COLLECT_EVERY_S = 60.0
Stage = tuple[str, Callable[[], Any]]
_LOG = logging.getLogger("losslab")


class WarmUp:
    """Stages done once, in order, in one thread. The first that fails ends it; what went wrong is kept to be told."""

    def __init__(self, stages: tuple[Stage, ...]) -> None:
        self._stages = stages
        self._results: dict[str, Any] = {}
        self._failure = ""
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()

    def start(self) -> None:
        """Begin, unless it has begun."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="warm-up", daemon=True)
                self._thread.start()

    def progress(self) -> tuple[tuple[str, bool], ...]:
        """Each stage in words, and whether it is done."""
        return tuple((name, name in self._results) for name, _ in self._stages)

    @property
    def done(self) -> bool:
        """True when all stages are."""
        return len(self._results) == len(self._stages)

    @property
    def failure(self) -> str:
        """What went wrong, in one sentence; empty if nothing did."""
        return self._failure

    def result(self, name: str) -> Any:
        """What a stage returned; raises KeyError while it is not done."""
        return self._results[name]

    def stop(self, timeout_s: float = 10.0) -> dict[str, Any]:
        """Ask the thread to end, wait for the stage it is in, and return what the finished stages made."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(timeout_s)
        return dict(self._results)

    def _run(self) -> None:
        for name, work in self._stages:
            if self._stopped.is_set():
                return
            try:
                self._results[name] = work()
            except Exception as error:
                _LOG.exception("warm-up: %s", name)
                self._failure = f"{name} failed: {type(error).__name__}: {error}"
                break
        self._collect()

    def _collect(self) -> None:
        """Streamlit's collection after every run is off (.streamlit/config.toml); this replaces it.

        What the imports made lives for ever: frozen, it is not walked again, and a collection takes milliseconds.
        """
        gc.collect()
        gc.freeze()
        while not self._stopped.wait(COLLECT_EVERY_S):
            gc.collect()


def _torch() -> None:
    """The first optimiser takes seconds by itself (it pulls in the compiler): paid here, not at the first Play."""
    torch = import_module("torch")
    torch.set_num_threads(1)
    torch.optim.Adam(torch.nn.Linear(2, 2).parameters())


def _catalogue() -> None:
    catalogue = import_module("models.catalogue")
    for package in ("losses", "methods", "data", "encoders"):
        catalogue.discover(package)


def _settings() -> Settings:
    """From the environment; own losses only where this server was started with them."""
    return replace(Settings.from_environment(), own_losses=REGISTER.allowed)


def _engine() -> Any:
    return import_module("models.engine.cluster").Engine.start(_settings())


def _boards() -> Any:
    return import_module("models.engine.registry").Boards(engine(), _settings())


def _pictures() -> None:
    """Charts are built once and the recording's frames are read: not in the time of the first visitor."""
    import_module("app.views.lab_panels").rehearse()
    import_module("app.prelude").rehearse()


ENGINE = "Starting the training workers"
BOARDS = "Looking for earlier boards"
_WARM_UP = WarmUp(
    # The workers import by themselves while the catalogue is read here.
    (
        ("Loading torch", _torch),
        (ENGINE, _engine),
        (BOARDS, _boards),
        ("Reading the catalogue", _catalogue),
        ("Drawing the first pictures", _pictures),
    )
)


def warm() -> None:
    """Begin the warm-up of this process in the background; further calls do nothing."""
    _WARM_UP.start()


def progress() -> tuple[tuple[str, bool], ...]:
    """What is being prepared and what of it is done, for the first page."""
    return _WARM_UP.progress()


def ready() -> bool:
    """True when everything is prepared."""
    return _WARM_UP.done


def failure() -> str:
    """Why the preparation failed, in one sentence; empty if it did not."""
    return _WARM_UP.failure


def engine() -> Any:
    """The engine of this process; raises KeyError before it is up."""
    return _WARM_UP.result(ENGINE)


def boards() -> Any:
    """The boards of this process; raises KeyError before the engine is up."""
    return _WARM_UP.result(BOARDS)


def stop() -> None:
    """Keep the boards, then end the engine's workers, in whatever state the warm-up is."""
    made = _WARM_UP.stop()
    for name in (BOARDS, ENGINE):
        if name in made:
            made[name].close()


def trained_on(data: str) -> bool:
    """True if a board that is open on this server trains on this data set."""
    players = [player for board in boards().open_ids() if (player := boards().get(board)) is not None]
    return any(lane.config.data.key == data for player in players for lane in player.state().lanes)
