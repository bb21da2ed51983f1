"""Items and their pairs: what every diagnostic of embeddings and scores starts from."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float, Int

from models.snapshot import Snapshot


@dataclass(frozen=True, eq=False)
class Items:
    """Some items of a probe with the scores of all their pairs.

    The diagonal is in neither mask, except where items have two sides: then rows are side A, columns side B.
    """

    u: Float[np.ndarray, "n d"]  # unit rows; a zero row stays zero
    y: Int[np.ndarray, " n"]
    s: Float[np.ndarray, "n n"]  # cosine
    pos: Bool[np.ndarray, "n n"]
    neg: Bool[np.ndarray, "n n"]
    v: Float[np.ndarray, "n d"] | None = None  # unit rows of side B; None: the columns are u too


@dataclass(frozen=True, eq=False)
class Across:
    """The other sides of the items of a probe."""

    z: Float[np.ndarray, "n d"]
    pair: Int[
        np.ndarray, " n *n"
    ]  # side A belongs to the sides B of equal pair; or (n, n): 1 does, 0 does not, else apart

    def of(self, z: Float[np.ndarray, "n d"], y: Int[np.ndarray, " n"], keep: Bool[np.ndarray, " n"]) -> Items:
        """The kept items, each side A against each side B."""
        u, v, pair = unit_rows(z[keep]), unit_rows(self.z[keep]), self.pair[keep]
        if pair.ndim == 2:
            told = pair[:, keep]
            return Items(u, y[keep], u @ v.T, told == 1, told == 0, v)
        same = pair[:, None] == pair[None, :]
        return Items(u, y[keep], u @ v.T, same, ~same, v)


@dataclass(frozen=True, eq=False)
class PairScores:
    """Scores of positive and of negative pairs, each rising."""

    positive: Float[np.ndarray, " p"]
    negative: Float[np.ndarray, " q"]

    @property
    def complete(self) -> bool:
        """True if there is at least one pair of each kind."""
        return len(self.positive) > 0 and len(self.negative) > 0


def unit_rows(z: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
    """Rows scaled to length 1; a zero row stays zero."""
    length = np.sqrt(np.einsum("ij,ij->i", z, z))
    return z / np.where(length > 0, length, 1)[:, None]


def items_of(z: Float[np.ndarray, "n d"], y: Int[np.ndarray, " n"]) -> Items:
    """All pairs of embeddings z, by label."""
    u = unit_rows(z)
    same = y[:, None] == y[None, :]
    neg = ~same
    np.fill_diagonal(same, val=False)
    return Items(u, y, u @ u.T, same, neg)


def snapshot_items(snapshot: Snapshot, keep: Bool[np.ndarray, " n"]) -> Items:
    """The kept items of a snapshot, with the scores and masks it holds."""
    rows = np.flatnonzero(keep)
    square = np.ix_(rows, rows)
    other = None if snapshot.other is None else unit_rows(snapshot.other[rows])
    u, y = unit_rows(snapshot.z[rows]), snapshot.y[rows]
    return Items(u, y, snapshot.s[square], snapshot.pos[square], snapshot.neg[square], other)


def unordered(pos: Bool[np.ndarray, "n m"], neg: Bool[np.ndarray, "n m"]) -> bool:
    """True for items scored against themselves: then (i, j) and (j, i) are one pair.

    Told by the diagonal, which `models.geometry.masks` leaves out of both masks there and only there.
    """
    return pos.shape[0] == pos.shape[1] and not (pos.diagonal().any() or neg.diagonal().any())


def pair_scores(s: Float[np.ndarray, "n m"], pos: Bool[np.ndarray, "n m"], neg: Bool[np.ndarray, "n m"]) -> PairScores:
    """Sorted scores of both kinds of pair, each unordered pair once; rows and columns of two towers are all counted."""
    if unordered(pos, neg):
        once = upper(len(s))
        s, pos, neg = s.ravel()[once], pos.ravel()[once], neg.ravel()[once]
    return PairScores(np.sort(s[pos]), np.sort(s[neg]))


def label_pairs(items: Items) -> PairScores:
    """`pair_scores` of items paired by their labels; where both kinds lie is kept for the next look at the probe."""
    positive, negative = _positions(items.y.astype(np.int64).tobytes())
    flat = items.s.ravel()
    return PairScores(np.sort(flat[positive]), np.sort(flat[negative]))


@lru_cache(maxsize=4)
def _positions(labels: bytes) -> tuple[Int[np.ndarray, " p"], Int[np.ndarray, " q"]]:
    """Flat positions of the positive and of the negative pairs in the upper triangle."""
    y = np.frombuffer(labels, np.int64)
    once = upper(len(y))
    same = (y[:, None] == y[None, :]).ravel()[once]
    found = once[same], once[~same]
    for positions in found:
        positions.flags.writeable = False
    return found


@lru_cache(maxsize=4)
def upper(n: int) -> Int[np.ndarray, " pairs"]:
    """Flat positions of the upper triangle of an n x n matrix, kept: the same probe is measured again and again."""
    rows, columns = np.triu_indices(n, k=1)
    flat = rows * n + columns
    flat.flags.writeable = False
    return flat
