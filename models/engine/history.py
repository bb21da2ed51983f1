"""Which moments of a lane are kept: close at the start, then at a spacing that doubles whenever the room is full.

Time is cut into bins whose width is a power of two: 1 step at first, doubling with time, but never more than `spacing`,
which doubles until the first moment of every bin, and the last of all, fit. A run of any length so has its step 0, its
last step, and at most `most` moments. Measured for digits with the MLP and a probe of 500 items (500 training steps,
float32): a summary holds 90 kB, 32 of them where its items stand, so 96 of them 8.6 MB a lane in memory; a checkpoint
236 kB, so 24 of them 5.7 MB a lane on disk. Where they are larger, fewer are kept: see `room`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

import numpy as np

from models.diagnostics.storage import to_arrays
from models.diagnostics.summary import Summary

SUMMARIES, SUMMARY_BYTES = 96, 12_000_000  # at most, of one lane in memory
CHECKPOINTS, CHECKPOINT_BYTES = 24, 64_000_000  # at most, of one lane on disk
FEWEST = 8
DAYS, BOARDS = 30, 500  # boards on disk that are older, or beyond so many newer ones, go
_DAY_S = 86_400.0
T = TypeVar("T")


def bin_of(step: int, spacing: int, dense: int) -> tuple[int, int]:
    """(width, number) of the bin that a step falls into; width doubles whenever the step does, from `dense` on."""
    width = min(1 << max((step // dense).bit_length() - 1, 0), spacing)
    return width, step // width


def thinned(steps: Sequence[int], spacing: int, most: int, dense: int) -> tuple[tuple[int, ...], int]:
    """The steps to keep, of steps in rising order, and the spacing at which they fit; it never falls.

    dense: bins of width 1 at the start, and as many of each further width. Raises ValueError if `most` is below FEWEST.
    """
    if most < FEWEST:
        raise ValueError(f"at least {FEWEST} moments of a lane are kept, got {most}")
    while True:
        first = {bin_of(step, spacing, dense): step for step in reversed(steps)}
        kept = tuple(sorted({*first.values(), *steps[-1:]}))
        if len(kept) <= most or spacing > 2 * max(steps):
            return kept[: most - 1] + kept[-1:] if len(kept) > most else kept, spacing
        spacing *= 2


def room(size: int, most: int, budget: int) -> int:
    """How many moments of this many bytes fit a budget: at most `most`, at least FEWEST."""
    return max(min(most, budget // max(size, 1)), FEWEST)


def nbytes(summary: Summary) -> int:
    """Bytes that the arrays of a summary hold."""
    return sum(array.nbytes for array in to_arrays(summary)[0].values())


def nearest(steps: Sequence[int], step: int) -> int:
    """The kept step that is nearest, the earlier of two; raises ValueError if none is kept."""
    if not steps:
        raise ValueError("no step of this run is kept yet")
    return min(steps, key=lambda kept: (abs(kept - step), kept))


def before(steps: Sequence[int], step: int) -> int | None:
    """The last kept step that is not later; None if there is none."""
    return max((kept for kept in steps if kept <= step), default=None)


def outdated(saved: dict[str, float], now: float) -> list[str]:
    """Boards on disk that go: not written for DAYS days, or more than BOARDS others are newer. saved: seconds."""
    newest = sorted(saved, key=lambda board: (-saved[board], board))
    return [board for rank, board in enumerate(newest) if rank >= BOARDS or now - saved[board] > DAYS * _DAY_S]


def shown_at(kept: Sequence[Summary], step: int) -> Summary:
    """Of a lane's kept summaries the one nearest to a step; raises ValueError if there is none."""
    steps = [summary.step for summary in kept]
    return kept[steps.index(nearest(steps, step))]


@dataclass(frozen=True, eq=False)
class History(Generic[T]):
    """Moments of one lane by step, rising; every change gives another History, so that any thread may read one."""

    most: int
    dense: int
    steps: tuple[int, ...] = ()
    kept: tuple[T, ...] = ()
    spacing: int = 1

    def add(self, step: int, moment: T, most: int | None = None) -> "History[T]":
        """One more moment; what was kept of this step or of later ones, which it undoes, goes."""
        past = self.until(step - 1)
        known = dict(zip((*past.steps, step), (*past.kept, moment), strict=True))
        most = self.most if most is None else min(most, self.most)
        steps, spacing = thinned(tuple(known), past.spacing, most, self.dense)
        return replace(past, most=most, steps=steps, kept=tuple(known[at] for at in steps), spacing=spacing)

    def until(self, step: int) -> "History[T]":
        """The moments up to a step, that one included."""
        count = int(np.searchsorted(np.asarray(self.steps, np.int64), step, side="right"))
        return replace(self, steps=self.steps[:count], kept=self.kept[:count])

    def at(self, step: int) -> T:
        """The moment nearest to a step; raises ValueError if there is none."""
        return self.kept[self.steps.index(nearest(self.steps, step))]


def summaries() -> "History[Summary]":
    """An empty history of what the panels draw."""
    return History(SUMMARIES, 4)


def checkpoints() -> "History[str]":
    """An empty history of states on disk, by the name of their file."""
    return History(CHECKPOINTS, 1)
