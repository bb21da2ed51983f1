"""All pairs: histograms and AUC against the bare blocked product over the same pairs, and against scikit-learn.

Ratios of one run on one machine. `LOSSLAB_BENCH_ROWS=10000,100000` asks for larger sets than the default.
"""

import os
import time
from collections.abc import Callable, Iterator

import numpy as np
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_limits

from models.diagnostics.all_pairs import AllPairs, among, count, new_buffer, tiles
from models.diagnostics.exact_auc import exact_auc

ROWS, DIMS, CLASSES = "2000,10000", (64, 128), 10
LIBRARY = 2000  # rows up to which all pairs are laid out for the library


def embeddings(n: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    """Clouds of ten classes that overlap."""
    rng = np.random.default_rng(n)
    y = rng.integers(0, CLASSES, n)
    return rng.normal(size=(CLASSES, d))[y] + 1.5 * rng.normal(size=(n, d)), y


def bare(work: AllPairs) -> None:
    """The product alone, tile by tile, one thread."""
    buffer = new_buffer()
    with threadpool_limits(1, "blas"):
        for stripe in work.stripes():
            for _ in tiles(work, *stripe, buffer):
                pass


def seconds(work: Callable[[], object], turns: int) -> float:
    """The shortest of some turns."""
    times = []
    for _ in range(turns):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def rows(n: int, d: int) -> Iterator[tuple[str, str]]:
    """One size: the product, the count, two threads, the exact AUC, the library."""
    z, y = embeddings(n, d)
    work = among(z, y)
    turns = 5 if n <= LIBRARY else 2 if n <= 20_000 else 1
    counts = count(work)  # compiles, and is needed below
    floor = seconds(lambda: bare(work), turns)
    name = f"{n} x {d}, {work.pairs:.2g} pairs"
    yield f"{name}: product alone", f"{1e3 * floor:.0f} ms"
    low, high = counts.auc_bounds()
    one = seconds(lambda: count(work), turns)
    yield (
        f"{name}: counted",
        f"{one / floor:.2f} x, AUC certain to {(high - low) / 2:.1g}, {work.pairs / one:.2g} pairs/s",
    )
    yield f"{name}: counted, two threads", f"{seconds(lambda: count(work, 2), turns) / floor:.2f} x"
    found = exact_auc(work, counts, passes=1)
    told = "exact" if found.exact else f"certain to {(found.high - found.low) / 2:.1g}"
    second = seconds(lambda: exact_auc(work, counts, passes=1), 1)
    yield f"{name}: and a second walk", f"{(one + second) / floor:.2f} x, AUC {told}"
    if n <= LIBRARY:
        yield f"{name}: scikit-learn", f"{seconds(lambda: library(work, y), 1) / floor:.0f} x"


def library(work: AllPairs, y: np.ndarray) -> float:
    """All pairs laid out, and the library's AUC of them."""
    once = np.triu(np.ones((len(y), len(y)), bool), 1)
    ordered = y[work.order]
    return float(roc_auc_score((ordered[:, None] == ordered[None, :])[once], (work.rows @ work.rows.T)[once]))


def main() -> Iterator[tuple[str, str]]:
    """Rows (what, figure) as they are measured."""
    for n in os.environ.get("LOSSLAB_BENCH_ROWS", ROWS).split(","):
        for d in DIMS:
            yield from rows(int(n), d)
