"""Pairs: positions of some pairs of a look, and how they are carried to another lane or step."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from models.diagnostics.look import Look


@dataclass(frozen=True, eq=False)
class Pairs:
    """Positions in a look, in rising order; i < j where items have one side, else row i of side A and j of side B."""

    i: Int[np.ndarray, " k"]
    j: Int[np.ndarray, " k"]
    among: str  # the scope that shares of AUC loss and of pairs refer to: one of `look.SCOPES`

    def __len__(self) -> int:
        return len(self.i)

    def take(self, chosen: Int[np.ndarray, " k"]) -> "Pairs":
        """Some of them, in the given order."""
        return Pairs(self.i[chosen], self.j[chosen], self.among)

    def ids(self, look: Look) -> tuple[tuple[int, int], ...]:
        """The same pairs as ids of items."""
        return tuple(zip(look.item[self.i].tolist(), look.item[self.j].tolist(), strict=True))


def folded(i: Int[np.ndarray, " k"], j: Int[np.ndarray, " k"], look: Look, among: str) -> Pairs:
    """Distinct pairs in order; where items have one side, (j, i) is (i, j) and an item with itself is no pair."""
    n = len(look.y)
    if not look.two_sided:
        i, j = np.minimum(i, j), np.maximum(i, j)
        i, j = i[i != j], j[i != j]
    chosen = np.zeros(n * n, bool)  # a mark a pair: a tenth of the time of sorting them
    chosen[i * n + j] = True
    flat = np.flatnonzero(chosen)
    return Pairs(flat // max(n, 1), flat % max(n, 1), among)


def carried(pairs: Pairs, home: Look, away: Look) -> Pairs:
    """The pairs of the same items in another look; those with an item that is not there are left out.

    Raises ValueError if one look is of the probe and the other of training items: their ids mean different things.
    """
    if home.of != away.of:
        raise ValueError(f"pairs of {home.of} items cannot be shown among {away.of} items: select there anew")
    if np.array_equal(home.item, away.item):
        return pairs
    i, j = (placed_at(away, home.item[end]) for end in (pairs.i, pairs.j))
    there = (i >= 0) & (j >= 0)
    return folded(i[there], j[there], away, pairs.among)


def positions_of(look: Look) -> dict[int, int]:
    """Where each item stands; of one that comes twice, the first."""
    return {item: k for k, item in reversed(list(enumerate(look.item.tolist())))}


def placed_at(look: Look, ids: Int[np.ndarray, "*k"]) -> Int[np.ndarray, "*k"]:
    """Where the items of these ids stand, of one that comes twice the first; -1 where there is none."""
    if len(look.item) == 0:
        return np.full(ids.shape, -1)
    order = np.argsort(look.item, kind="stable")
    rank = np.minimum(np.searchsorted(look.item, ids, "left", sorter=order), len(order) - 1)
    found: np.ndarray = np.where(look.item[order[rank]] == ids, order[rank], -1)
    return found


def foremost(key: Float[np.ndarray, " k"], count: int) -> Int[np.ndarray, " c"]:
    """Indices of the `count` largest keys by falling key, ties by index; no nan."""
    if len(key) > count:
        border = np.partition(key, len(key) - count)[len(key) - count]
        above, at = np.flatnonzero(key > border), np.flatnonzero(key == border)
        chosen = np.sort(np.concatenate([above, at[: count - len(above)]]))
    else:
        chosen = np.arange(len(key))
    order: np.ndarray = chosen[np.argsort(-key[chosen], kind="stable")]
    return order


def spaced(count: int, most: int) -> Int[np.ndarray, " c"]:
    """At most so many indices evenly through `count`, first and last included."""
    if count <= most:
        return np.arange(count)
    return np.linspace(0, count - 1, most).round().astype(np.int64)
