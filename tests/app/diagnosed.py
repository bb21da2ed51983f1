"""A Diagnose page without workers, for tests: what is asked is done at once."""

from collections.abc import Callable
from typing import Any

import numpy as np
from streamlit.testing.v1 import AppTest

from app.diagnosing import Case
from tests.app.drawn import sound
from tests.checkpoint.made import sound as items

SCRIPT = "from app.views import diagnose\ndiagnose.page()\n"
Z, Y = items(n=120, classes=4, d=8)
FLIPPED = np.where(np.arange(120) < 6, (Y + 1) % 4, Y)
SCORES = "score,is_match\n" + "".join(f"{k / 60:.4f},{int(k % 3 > 0)}\n" for k in range(60))


class Future:
    """What a side worker gives back; done, failed or still at it."""

    def __init__(self, status: str, value: Any = None) -> None:
        self.status, self.value, self.cancelled = status, value, False

    def result(self, timeout: float) -> Any:
        return self.value

    def exception(self, timeout: float = 0) -> Any:
        return self.value

    def cancel(self, *, force: bool) -> None:
        self.cancelled = force


class LocalEngine:
    """Does what is submitted at once, unless told to be busy."""

    def __init__(self) -> None:
        self.busy, self.asked = False, list[str]()
        self.canned: dict[str, Any] = {}  # answers that would take seconds, by name of the work
        self.last: Future | None = None

    def keep(self, value: Any) -> Any:
        return value

    def heard(self, topic: str) -> Any:
        return ["Counting pairs: 5 of 10", 0.5]

    def submit(self, work: Callable[..., Any], *arguments: Any, priority: int = 0) -> Future:
        self.asked.append(work.__name__)
        if self.busy:
            self.last = Future("pending")
            return self.last
        if work.__name__ in self.canned:
            return Future("finished", self.canned[work.__name__](*arguments))
        try:
            return Future("finished", work(*arguments))
        except ValueError as error:
            return Future("error", error)


def case_of(page: AppTest) -> Case:
    found: Case = page.session_state["diagnose-case"][1]
    return found


def settled(page: AppTest) -> AppTest:
    """Wait for the reader's thread and draw again."""
    case_of(page)._reader.join(100)
    return sound(page.run())


def dropped(page: AppTest, content: bytes, name: str, key: str = "diagnose-file-embeddings") -> AppTest:
    page.file_uploader(key=key).set_value((name, content, "application/octet-stream"))
    return settled(sound(page.run()))


def text(page: AppTest) -> str:
    kinds = ("markdown", "caption", "info", "success", "warning", "error", "code")
    return "\n".join(part.value for kind in kinds for part in page.get(kind))
