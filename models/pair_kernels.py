"""Compiled loops over tiles of a score matrix: counting scores into bins, and picking out the scores of some bins.

They stand outside the diagnostics because they are compiled as they are written, without checks of shapes. All release
the interpreter's lock. The bin of a score is `int((score - low) * scale)` kept within the bins: every step of that
rounds without ever changing an order, so scores in different bins are in the order of their bins.
"""

import numpy as np
from numba import njit

_OPTIONS = {"nogil": True, "cache": True, "fastmath": False}


@njit(**_OPTIONS)
def count_runs(tile, start, middle, stop, positive, negative, low, scale):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201, PLR0913
    """Add each row's scores to the bins: columns start..middle are positives, middle..stop negatives."""
    last, first, one = np.int32(len(positive) - 1), np.int32(0), np.uint32(1)
    place = np.empty(tile.shape[1], np.int32)
    for i in range(tile.shape[0]):
        row = tile[i]
        for j in range(tile.shape[1]):  # a loop of its own, over all: it is worked several scores at a time
            place[j] = min(max(np.int32((row[j] - low) * scale), first), last)
        for j in range(start[i], middle[i]):
            positive[np.uint32(place[j])] += one
        for j in range(max(middle[i], start[i]), stop[i]):
            negative[np.uint32(place[j])] += one


@njit(**_OPTIONS)
def move_relevant(tile, row, column, positive, negative, low, scale):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201, PLR0913
    """Take given places of a tile, counted as negatives before, over to the positives."""
    last = len(positive) - 1
    for k in range(len(row)):
        place = min(max(int((tile[row[k], column[k]] - low) * scale), 0), last)
        negative[place] -= 1
        positive[place] += 1


@njit(**_OPTIONS)
def pick_runs(tile, start, stop, wanted, out, low, scale):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201, PLR0913
    """Copy the scores of wanted bins in columns start..stop of each row to `out`; returns how many there are."""
    last, found = len(wanted) - 1, 0
    for i in range(tile.shape[0]):
        row = tile[i]
        for j in range(start[i], stop[i]):
            if wanted[min(max(int((row[j] - low) * scale), 0), last)]:
                out[found] = row[j]
                found += 1
    return found


@njit(**_OPTIONS)
def wins_twice(positive, negative):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Twice the couples of two rising arrays in which the positive is higher, and once those that tie."""
    total, below, upto = np.int64(0), 0, 0
    for k in range(len(positive)):
        while below < len(negative) and negative[below] < positive[k]:
            below += 1
        upto = max(upto, below)
        while upto < len(negative) and negative[upto] == positive[k]:
            upto += 1
        total += below + upto
    return total
