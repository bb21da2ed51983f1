"""Who waits to train on a server that is full: first come first served, for as long as somebody asks."""

import threading
import time

FORGOTTEN_S = 15.0  # a page asks every second or two; a tab in the background may ask less often


class Line:
    """Thread-safe. Whoever has not asked for `FORGOTTEN_S` has lost the place."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked: dict[str, float] = {}  # in the order of arrival, and when each asked last

    def place(self, who: str, free: int) -> int:
        """0 if one of the free places is theirs, else how many turns they have to wait: 1 is the next.

        The first call takes the last place of the line.
        """
        now = time.monotonic()
        with self._lock:
            self._asked = {name: asked for name, asked in self._asked.items() if now - asked < FORGOTTEN_S}
            self._asked[who] = now
            return max(0, list(self._asked).index(who) - max(free, 0) + 1)

    def leave(self, who: str) -> None:
        """They train now, or have gone."""
        with self._lock:
            self._asked.pop(who, None)
