"""Questions to the side workers: asked once however many pages wait, and answered when a page looks again."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from threading import Lock
from typing import Any

import streamlit as st

from app import startup

KEPT = 64  # answers in memory, some tens of kilobytes each
LOST = "The process that worked on this stopped; ask again."


@dataclass(frozen=True, eq=False)
class Answer:
    """What is known of a question: still pending, its value, or why there is none."""

    pending: bool
    value: Any = None
    problem: str = ""


class Questions:
    """By key. A failure stays the answer until the question is forgotten: no page asks it over and over."""

    def __init__(self) -> None:
        self._futures: OrderedDict[Hashable, Any] = OrderedDict()
        self._lock = Lock()

    def ask(
        self, key: Hashable, work: Callable[..., Any], arguments: Callable[[], tuple[Any, ...]], priority: int = 0
    ) -> Answer:
        """The answer as it stands. arguments: made only if the question is new; priority: that of the engine."""
        with self._lock:
            if key not in self._futures:
                self._futures[key] = startup.engine().submit(work, *arguments(), priority=priority)
                while len(self._futures) > KEPT:
                    self._futures.popitem(last=False)
            self._futures.move_to_end(key)
            future = self._futures[key]
            if future.status == "pending":
                return Answer(True)
            if future.status == "finished":
                return Answer(False, future.result(timeout=10))
        return Answer(False, problem=f"It failed: {future.exception()}" if future.status == "error" else LOST)

    def forget(self, key: Hashable) -> None:
        """Let the question be asked anew."""
        with self._lock:
            self._futures.pop(key, None)


@st.cache_resource
def questions() -> Questions:
    """Those of this server."""
    return Questions()
