"""All pairs of many items without a matrix of them: tiles of the product, counted in a compiled kernel.

Rows are sorted by class, so that the columns right of the diagonal of each row are one run of positives and one of
negatives. A tile of the product stays in the processor's cache; memory does not grow with the number of pairs. Stripes
of rows are the tasks: threads of one process take them here, workers of a cluster could (`count_stripe` is a pure
function, and counts add up).
"""

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from jaxtyping import Float, Float32, Int
from threadpoolctl import threadpool_limits

from models.diagnostics.items import unit_rows
from models.diagnostics.pair_counts import COSINE, FINE_BINS, PairCounts
from models.pair_kernels import count_runs, move_relevant

STRIPE, TILE = 256, 1024  # rows and columns of a tile: a megabyte of scores
_FLUSH = 1 << 31  # scores counted before 32-bit counters are emptied
Result = TypeVar("Result")


@dataclass(frozen=True, eq=False)
class AllPairs:
    """Which pairs there are: row i against columns first[i] and up; those before middle[i] are positives.

    Beside those runs, single places of the matrix may be positives: (row, column), rows rising.
    """

    rows: Float32[np.ndarray, "n d"]  # unit rows
    columns: Float32[np.ndarray, "m d"]  # unit rows; the same array for items among themselves
    first: Int[np.ndarray, " n"]
    middle: Int[np.ndarray, " n"]
    row: Int[np.ndarray, " k"]
    column: Int[np.ndarray, " k"]
    order: Int[np.ndarray, " n"]  # row i is item order[i] of what was given

    @property
    def pairs(self) -> int:
        """Number of pairs."""
        return int((len(self.columns) - self.first).sum())

    def stripes(self) -> list[tuple[int, int]]:
        """Ranges of rows that cover all; the last ones of a triangle hold the fewest pairs."""
        n = len(self.rows)
        return [(start, min(start + STRIPE, n)) for start in range(0, n, STRIPE)]


@dataclass(frozen=True)
class Progress:
    """How far a count has come."""

    done: int  # pairs
    total: int
    seconds: float

    @property
    def per_second(self) -> float:
        """Pairs a second so far."""
        return self.done / self.seconds if self.seconds > 0 else 0.0

    @property
    def seconds_left(self) -> float:
        """Time left at that pace; inf before the first pair."""
        return (self.total - self.done) / self.per_second if self.done else float("inf")


class Cancelled(Exception):
    """Raise it from a progress callback to end the work: no further stripe is begun."""


Watcher = Callable[[Progress], None]


def among(z: Float[np.ndarray, "n d"], y: Int[np.ndarray, " n"]) -> AllPairs:
    """Every unordered pair of items once, positive where the labels are equal."""
    order = np.argsort(y, kind="stable")
    ordered = y[order]
    u = np.ascontiguousarray(unit_rows(z[order]), np.float32)
    ends = np.searchsorted(ordered, ordered, "right").astype(np.int64)
    nothing = np.empty(0, np.int64)
    return AllPairs(u, u, np.arange(1, len(u) + 1), ends, nothing, nothing, order)


def across(
    queries: Float[np.ndarray, "n d"],
    documents: Float[np.ndarray, "m d"],
    row: Int[np.ndarray, " k"],
    column: Int[np.ndarray, " k"],
) -> AllPairs:
    """Every query against every document, positive where (row, column) is listed; raises ValueError if one is no pair.

    A pair that is listed twice counts once.
    """
    n, m = len(queries), len(documents)
    for name, place, size in (("query", row, n), ("document", column, m)):
        if len(place) and not (place.min() >= 0 and place.max() < size):
            raise ValueError(f"relevance names {name} {place.max()}, there are {size}: count from 0")
    flat = np.unique(row.astype(np.int64) * m + column)
    none = np.zeros(n, np.int64)
    u, v = (np.ascontiguousarray(unit_rows(side), np.float32) for side in (queries, documents))
    return AllPairs(u, v, none, none, flat // max(m, 1), flat % max(m, 1), np.arange(n))


def tiles(
    work: AllPairs, start: int, stop: int, buffer: Float32[np.ndarray, "h w"]
) -> Iterator[tuple[int, np.ndarray]]:
    """(first column, scores) of each tile of a stripe, in a buffer that is used again.

    The same stripe gives the same scores to the last bit, however often it is walked.
    """
    rows = work.rows[start:stop]
    left = min(int(work.first[start]), len(work.columns))
    for column in range(left, len(work.columns), TILE):
        block = work.columns[column : column + TILE]
        tile = (
            buffer[: len(rows), : len(block)] if len(block) == TILE else np.empty((len(rows), len(block)), np.float32)
        )
        np.matmul(rows, block.T, out=tile)
        yield column, tile


def runs(work: AllPairs, start: int, stop: int, column: int, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where in a tile each row's pairs begin, its negatives begin, and its pairs end."""
    first, middle = work.first[start:stop] - column, work.middle[start:stop] - column
    return first.clip(0, width), middle.clip(0, width), np.full(stop - start, width, np.int64)


def listed(work: AllPairs, start: int, stop: int, column: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Places of the single positives within a tile."""
    low, high = np.searchsorted(work.row, [start, stop])
    inside = (work.column[low:high] >= column) & (work.column[low:high] < column + width)
    return work.row[low:high][inside] - start, work.column[low:high][inside] - column


def new_buffer() -> Float32[np.ndarray, "h w"]:
    """Room for one tile."""
    return np.empty((STRIPE, TILE), np.float32)


class Counter:
    """Counters of one thread: small enough for the cache, emptied before they can overflow."""

    def __init__(self, bins: int = FINE_BINS) -> None:
        self._buffer = new_buffer()
        self._small = [np.zeros(bins, np.uint32) for _ in range(2)]
        self._large = [np.zeros(bins, np.int64) for _ in range(2)]
        self._held = 0
        low, high = COSINE
        self._scale = np.float32(bins / (high - low))
        self._low = np.float32(low)

    def stripe(self, work: AllPairs, start: int, stop: int) -> int:
        """Count one stripe; returns how many pairs it has."""
        for column, tile in tiles(work, start, stop, self._buffer):
            count_runs(tile, *runs(work, start, stop, column, tile.shape[1]), *self._small, self._low, self._scale)
            move_relevant(tile, *listed(work, start, stop, column, tile.shape[1]), *self._small, self._low, self._scale)
            self._held += tile.size
            if self._held > _FLUSH:
                self._flush()
        return int((len(work.columns) - work.first[start:stop]).sum())

    def _flush(self) -> None:
        for small, large in zip(self._small, self._large, strict=True):
            large += small
            small[:] = 0
        self._held = 0

    def counts(self) -> PairCounts:
        """All that was counted."""
        self._flush()
        return PairCounts(self._large[0], self._large[1], *COSINE)


def count_stripe(work: AllPairs, start: int, stop: int) -> PairCounts:
    """The pairs of rows start..stop, as a task of its own: the counts of all `stripes` add up to those of `count`."""
    counter = Counter()
    with threadpool_limits(1, "blas"):
        for low in range(start, stop, STRIPE):
            counter.stripe(work, low, min(low + STRIPE, stop))
    return counter.counts()


def count(work: AllPairs, threads: int = 1, progress: Watcher | None = None) -> PairCounts:
    """Every pair, counted by threads that take stripes as they come.

    progress is called in the calling thread after each stripe; what it raises ends the work and is passed on.
    """
    counters = [Counter() for _ in range(max(threads, 1))]

    def task(counter: Counter) -> Callable[[tuple[int, int]], int]:
        return lambda stripe: counter.stripe(work, *stripe)

    spread([task(counter) for counter in counters], work.stripes(), work.pairs, progress)
    return sum((counter.counts() for counter in counters[1:]), counters[0].counts())


def spread(
    workers: Sequence[Callable[[tuple[int, int]], int]],
    stripes: Iterable[tuple[int, int]],
    total: int,
    progress: Watcher | None,
) -> None:
    """Let each worker, in a thread of its own, take stripes until there are none; it returns the pairs it has done."""
    began, lock, over = time.perf_counter(), threading.Lock(), threading.Event()
    waiting, told, done = iter(stripes), queue.Queue[int | None](), 0

    def take() -> tuple[int, int] | None:
        with lock:
            return None if over.is_set() else next(waiting, None)

    def loop(worker: Callable[[tuple[int, int]], int]) -> None:
        try:
            while (stripe := take()) is not None:
                told.put(worker(stripe))
        finally:
            told.put(None)

    # One thread for each: the library of the product must not start its own beside them.
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(len(workers), "pairs") as pool:
        futures = [pool.submit(loop, worker) for worker in workers]
        try:
            left = len(workers)
            while left:
                pairs = told.get()
                left -= pairs is None
                done += pairs or 0
                if progress is not None and pairs is not None:
                    progress(Progress(done, total, time.perf_counter() - began))
        finally:
            over.set()
        for future in futures:
            future.result()
