"""Nearest neighbours of every item: exact by blocks up to a stated amount of work, above it by an index.

The index is NN-descent (Dong, Moses and Li 2011) of pynndescent; how many of the true neighbours it finds is measured
on items that are drawn, each against all others. Unit rows: the nearest by cosine are the nearest by distance.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from models.diagnostics.measured import Measured, share_interval

VOTERS = 5
EXACT = 10**12  # items times items times dimensions: a minute of one core, as long as an index takes to be compiled
MOST = 200_000  # items of an index
CHECKED = 500  # items on which an index is compared with the truth
_BLOCK = 1 << 22  # scores held at once
_SPARE = 10  # neighbours that the index keeps beyond those asked for: its search is better with more


@dataclass(frozen=True, eq=False)
class Near:
    """The VOTERS nearest others of every item, nearest first, and the share of them that the search finds."""

    index: Int[np.ndarray, "n k"]
    found: Measured  # 1 where the search is exact
    exact: bool


def near(u: Float[np.ndarray, "n d"]) -> Near:
    """Nearest others of unit rows. Raises ValueError for fewer than two, and above MOST where exact is too much."""
    n, d = u.shape
    if n < 2:
        raise ValueError(f"neighbours need two items at least, got {n}")
    k = min(VOTERS, n - 1)
    if n * n * d <= EXACT:
        return Near(exact(u, np.arange(n), k), Measured(1.0, 1.0, 1.0), True)
    if n > MOST:
        raise ValueError(f"neighbours among {n:,} items are not looked for: {MOST:,} at most")
    index = indexed(u, k)
    asked = np.sort(np.random.default_rng(0).choice(n, min(CHECKED, n), replace=False))
    return Near(index, agreement(index[asked], exact(u, asked, k)), False)


def exact(u: Float[np.ndarray, "n d"], asked: Int[np.ndarray, " a"], k: int) -> Int[np.ndarray, "a k"]:
    """The k nearest others of some rows by falling cosine, ties by index; memory is a block of scores."""
    found = np.empty((len(asked), k), np.int64)
    step = max(_BLOCK // len(u), 1)
    for start in range(0, len(asked), step):
        rows = asked[start : start + step]
        score = u[rows] @ u.T
        here = np.arange(len(rows))
        score[here, rows] = -np.inf
        for place in range(k):
            # A few passes for the largest cost less than one partition of the whole row.
            best = score.argmax(axis=1)
            found[start : start + step, place] = best
            score[here, best] = -np.inf
    return found


def indexed(u: Float[np.ndarray, "n d"], k: int) -> Int[np.ndarray, "n k"]:
    """The same for all rows, as far as the index finds them; the same rows give the same answer."""
    # pynndescent compiles for seconds when imported, and only large sets need it.
    from pynndescent import NNDescent

    made = NNDescent(u, metric="euclidean", n_neighbors=min(k + 1 + _SPARE, len(u)), random_state=0, n_jobs=1)
    index = made.neighbor_graph[0].astype(np.int64)
    own = index == np.arange(len(u))[:, None]
    # An item is its own nearest but where copies of it are listed first: put it last, and cut it off.
    order = np.argsort(own, axis=1, kind="stable")
    nearest: np.ndarray = np.take_along_axis(index, order, axis=1)[:, :k]
    return nearest


def agreement(index: Int[np.ndarray, "a k"], truth: Int[np.ndarray, "a k"]) -> Measured:
    """Share of the true neighbours that were found, whatever their order."""
    hits = int((index[:, :, None] == truth[:, None, :]).any(axis=1).sum())
    return share_interval(hits, truth.size)
