"""The exact AUC of all pairs: a second walk over the tiles picks out and sorts the scores of bins that decide it."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32

from models.diagnostics.all_pairs import AllPairs, Watcher, listed, new_buffer, runs, spread, tiles
from models.diagnostics.pair_counts import PairCounts
from models.pair_kernels import pick_runs, wins_twice

BUDGET = 24_000_000  # scores held at once: 96 MB, and as much again while they are sorted


@dataclass(frozen=True)
class ExactAuc:
    """AUC between proven bounds; low == high: exact, ties counted half."""

    low: float
    high: float
    passes: int  # walks over all tiles that were needed after the first

    @property
    def exact(self) -> bool:
        """True if nothing is left open."""
        return self.low == self.high

    @property
    def value(self) -> float:
        """The middle of the bounds."""
        return (self.low + self.high) / 2


def exact_auc(
    work: AllPairs,
    counts: PairCounts,
    threads: int = 1,
    progress: Watcher | None = None,
    *,
    budget: int = BUDGET,
    passes: int = 4,
) -> ExactAuc:
    """AUC of `count`ed pairs from the order of the scores within the bins that hold both kinds.

    Bins are settled in the order of how much they leave open, at most `budget` scores a walk and `passes` walks; what
    is then still open stays between the bounds. A bin with more scores than the budget (a collapsed embedding has
    one) is never settled. nan without pairs of both kinds.
    """
    if not counts.complete:
        return ExactAuc(float("nan"), float("nan"), 0)
    left, twice, walks = counts.uncertain.copy(), 2 * counts.sure_wins, 0
    open_couples = counts.unsure
    while walks < passes:
        chosen = _choose(counts, left, budget)
        if not chosen.any():
            break
        settled = PairCounts(counts.positive * chosen, counts.negative * chosen, counts.low, counts.high)
        picked = _pick(work, settled, chosen, threads, progress)
        # All couples of the picked scores, less those of different bins, which are known already.
        twice += _wins(*picked) - 2 * settled.sure_wins
        open_couples -= settled.unsure
        left &= ~chosen
        walks += 1
    couples = 2 * counts.positives * counts.negatives
    return ExactAuc(twice / couples, (twice + 2 * open_couples) / couples, walks)


def _choose(counts: PairCounts, left: Bool[np.ndarray, " bins"], budget: int) -> Bool[np.ndarray, " bins"]:
    """The bins that leave the most open for each score that must be held, as many as the budget has room for."""
    size = counts.positive + counts.negative
    worth = counts.positive.astype(np.float64) * counts.negative / np.maximum(size, 1)
    fit = np.flatnonzero(left & (size <= budget))
    ranked = fit[np.argsort(-worth[fit], kind="stable")]
    chosen = np.zeros(len(left), bool)
    chosen[ranked[np.cumsum(size[ranked]) <= budget]] = True
    return chosen


def _pick(
    work: AllPairs,
    settled: PairCounts,
    chosen: Bool[np.ndarray, " bins"],
    threads: int,
    progress: Watcher | None,
) -> tuple[Float32[np.ndarray, " p"], Float32[np.ndarray, " a"], bool]:
    """Rising scores of the positives in chosen bins and of the others, and whether those others hold the positives."""
    listing = len(work.row) > 0
    positive = _Pile(settled.positives)
    other = _Pile(settled.negatives + (settled.positives if listing else 0))
    grid = (chosen, np.float32(settled.low), np.float32(1.0 / settled.width))
    workers = [_picker(work, grid, positive, other) for _ in range(max(threads, 1))]
    spread(workers, work.stripes(), work.pairs, progress)
    for pile in (positive, other):
        pile.scores.sort()
    return positive.scores, other.scores, listing


class _Pile:
    """An array of known length that several threads fill."""

    def __init__(self, size: int) -> None:
        self.scores = np.empty(size, np.float32)
        self._used, self._lock = 0, threading.Lock()

    def add(self, scores: np.ndarray) -> None:
        with self._lock:
            start = self._used
            self._used += len(scores)
        self.scores[start : start + len(scores)] = scores


def _picker(
    work: AllPairs, grid: tuple[np.ndarray, np.float32, np.float32], positive: _Pile, other: _Pile
) -> Callable[[tuple[int, int]], int]:
    """A worker that adds the picked scores of a stripe to the piles."""
    buffer, out = new_buffer(), new_buffer().ravel()
    wanted, low, scale = grid

    def stripe(bounds: tuple[int, int]) -> int:
        for column, tile in tiles(work, *bounds, buffer):
            first, middle, stop = runs(work, *bounds, column, tile.shape[1])
            split = np.maximum(first, middle)
            found = pick_runs(tile, first, split, wanted, out, low, scale)
            positive.add(out[:found])
            found = pick_runs(tile, split, stop, wanted, out, low, scale)
            other.add(out[:found])
            row, place = listed(work, *bounds, column, tile.shape[1])
            single = tile[row, place][None, :]
            found = pick_runs(single, np.zeros(1, np.int64), np.full(1, single.shape[1]), wanted, out, low, scale)
            positive.add(out[:found])
        return int((len(work.columns) - work.first[bounds[0] : bounds[1]]).sum())

    return stripe


def _wins(positive: np.ndarray, other: np.ndarray, holding: bool) -> int:
    """Twice the won couples and once the tied ones; where the others hold the positives, less those among positives."""
    total = int(wins_twice(positive, other))
    return total - len(positive) ** 2 if holding else total
