"""Quotas and paths of one server, from LOSSLAB_* variables of the environment; the defaults suit one laptop."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

_PREFIX = "LOSSLAB_"


def _cores() -> int:
    """Cores this process may use, which a container may limit."""
    return max(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, 1)


def _home() -> Path:
    return Path("~/.losslab").expanduser()


@dataclass(frozen=True)
class Settings:
    """How much one server lets happen at once, where it keeps checkpoints, and how the engine is paced."""

    home: Path = field(default_factory=_home)
    scheduler: str = ""  # tcp://host:8786 of a Dask cluster; empty: workers of our own on this machine
    lanes: int = 4  # of one board
    boards: int = 10  # training at once
    sessions: int = 60  # boards kept open at once
    steps: int = 1_000_000  # of one run
    idle_s: float = 600.0  # a board that nobody looks at for so long is paused
    forget_s: float = 86_400.0  # and after so long released; its checkpoint stays on disk
    workers: int = field(default_factory=_cores)  # training processes
    side_workers: int = field(default_factory=lambda: max(_cores() // 4, 1))  # for UMAP, sweeps and repeats
    nice: int = 5  # of the workers, so that the page stays responsive while all cores train
    own_losses: bool = False  # losses that a user wrote; only `serve --allow-custom-loss` sets it, no variable does
    own_workers: int = 2  # processes that run them
    own_call_s: float = 10.0  # that one step with such a loss may take
    own_memory_mb: int = 2048  # that such a loss may use
    own_data_mb: int = 1024  # that data sets of one's own may take on disk, all together
    checkpoint_s: float = 2.0
    summary_s: float = 0.45  # between two summaries of a lane that trains
    slice_s: float = 0.15  # training between two looks at the commands

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> "Settings":
        """Read LOSSLAB_HOME, LOSSLAB_SCHEDULER and the numbers; raises ValueError naming variable and range."""
        given = os.environ if environment is None else environment
        numbers = {name: _number(given, name, *limits) for name, limits in _RANGES.items() if _PREFIX + name in given}
        values = {_FIELDS[name]: value for name, value in numbers.items()}
        for name in _WHOLE & values.keys():
            values[name] = int(values[name])
        home = Path(given.get("LOSSLAB_HOME") or _home()).expanduser().absolute()
        return cls(home=home, scheduler=_scheduler(given.get("LOSSLAB_SCHEDULER", "")), **values)  # type: ignore[arg-type]

    def folder(self, name: str) -> Path:
        """A folder below home, made if it is missing; home itself is for this user alone (mode 0700)."""
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.home / name
        path.mkdir(mode=0o700, exist_ok=True)
        return path


_RANGES: dict[str, tuple[float, float]] = {
    "LANES": (1, 16),
    "BOARDS": (1, 1000),
    "SESSIONS": (1, 10_000),
    "STEPS": (1, 1_000_000),
    "IDLE_S": (1, 1e7),
    "FORGET_S": (1, 1e8),
    "WORKERS": (1, 512),
    "SIDE_WORKERS": (1, 512),
    "NICE": (0, 19),
    "OWN_WORKERS": (1, 64),
    "OWN_CALL_S": (0.1, 3600),
    "OWN_MEMORY_MB": (64, 1_000_000),
    "OWN_DATA_MB": (1, 1_000_000),
    "CHECKPOINT_S": (0.1, 3600),
    "SUMMARY_S": (0.05, 60),
}
_FIELDS = {name: name.lower() for name in _RANGES}
_WHOLE = {"lanes", "boards", "sessions", "steps", "workers", "side_workers", "nice"} | {
    "own_workers",
    "own_memory_mb",
    "own_data_mb",
}


def _number(given: Mapping[str, str], name: str, low: float, high: float) -> float:
    kind = "a whole number" if name.lower() in _WHOLE else "a number"
    text = given[_PREFIX + name]
    complaint = ValueError(f"{_PREFIX}{name} must be {kind} from {low:g} to {high:g}, got {text!r}")
    try:
        value = float(text)
    except ValueError:
        raise complaint from None
    if not low <= value <= high or (name.lower() in _WHOLE and value != int(value)):
        raise complaint
    return value


def _scheduler(text: str) -> str:
    if text and not text.startswith(("tcp://", "tls://")):
        raise ValueError(f"LOSSLAB_SCHEDULER must be an address like tcp://host:8786, got {text!r}")
    return text
