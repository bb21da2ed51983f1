"""Around every call of an own loss in a worker: a clock that ends the process, and a limit on its memory.

The clock is faulthandler's: a thread of C that needs no lock of Python, so that a call which holds the lock for ever
is ended too. Before that it writes where the code stood into a note, from which the next process tells the lane.
"""

import faulthandler
import json
import os
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, TextIO

from models import limits
from models.custom import REGISTER
from models.engine.warm import OWN_VARIABLE
from models.own_source import is_own
from models.training.config import RunConfig

_LINE = re.compile(r'File "<own:[^"]*>", line (\d+)')
_TOKEN = re.compile(r"[0-9a-z-]{1,64}")


@dataclass(frozen=True)
class Limits:
    """What one worker lets an own loss use."""

    folder: str  # where notes lie
    seconds: float  # of one call
    memory_mb: int  # more than the worker has without it

    def to_json(self) -> str:
        """As the worker's environment holds it."""
        return json.dumps(asdict(self))


class Broken(ValueError):
    """An own loss raised an error where the lane was measured; the text is for the user."""


class Guard:
    """Use it as `with guard:` around whatever calls the loss; for a built-in loss it does nothing."""

    def __init__(self, bounds: Limits | None = None, token: str = "") -> None:
        """token: names the note. Raises ValueError if the process before this one was ended by the clock."""
        self._bounds = bounds
        self._note: TextIO | None = None
        if bounds is not None:
            path = Path(bounds.folder) / f"{token}.stopped"
            _tell(path, bounds.seconds)
            self._note = path.open("w", encoding="ascii")
            limit_once(bounds.memory_mb)

    @property
    def own(self) -> bool:
        """True if there is an own loss to guard."""
        return self._note is not None

    def __enter__(self) -> None:
        if self._note is not None and self._bounds is not None:
            faulthandler.dump_traceback_later(self._bounds.seconds, exit=True, file=self._note)

    def __exit__(self, *_: object) -> None:
        if self._note is not None:
            faulthandler.cancel_dump_traceback_later()

    def portions(self, steps: int) -> Sequence[int]:
        """How to cut a slice, so that the clock runs for one step and not for all of them."""
        return [1] * steps if self.own else [steps]

    def told(self, error: Exception) -> str:
        """An error of the loss in one line."""
        if self._bounds is None:
            return f"{type(error).__name__}: {error}"
        return limits.told(error, self._bounds.memory_mb)


def guard_of(config: RunConfig, token: str) -> Guard:
    """The guard that a run needs in this process; outside a worker for own losses it guards nothing."""
    bounds = _bounds()
    if bounds is None or not is_own(config.loss.key) or not _TOKEN.fullmatch(token):
        return Guard()
    return Guard(bounds, token)


@lru_cache
def settle() -> None:
    """Once in each worker: may it run own losses?"""
    if _bounds() is not None:
        REGISTER.allow(runs=True)


@lru_cache
def limit_once(memory_mb: int) -> None:
    """The limit counts from what the process uses when its first own loss comes."""
    limits.limit_memory(memory_mb)


def _bounds() -> Limits | None:
    text = os.environ.get(OWN_VARIABLE, "")
    values: dict[str, Any] = json.loads(text) if text else {}
    return Limits(**values) if values else None


def _tell(path: Path, seconds: float) -> None:
    """Raise ValueError with what an earlier process wrote there, and forget it: the next trial is a new one."""
    if not path.is_file():
        return
    text = path.read_text(encoding="ascii", errors="replace")
    path.unlink()
    if text:
        found = _LINE.search(text)
        where = f" (it stood in line {found.group(1)} of its code)" if found else ""
        raise ValueError(f"Your loss was stopped: one step took longer than {seconds:g} s{where}.")
