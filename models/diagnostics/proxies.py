"""Items against the proxies of their classes: the weights of a softmax head such as ArcFace's, rows of unit length.

A proxy stands for its class as one more item would. Where items sit nearer to another class's proxy, the head and the
embeddings disagree; where a proxy lies far from the mean of its items, it was not trained to its end.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

_BLOCK = 1 << 22  # cosines held at once


@dataclass(frozen=True, eq=False)
class ProxyFit:
    """Cosines of items and proxies."""

    own: Float[np.ndarray, " n"]  # to the proxy of the item's class
    other: Float[np.ndarray, " n"]  # to the nearest other proxy; -inf if there is none
    nearest: Int[np.ndarray, " n"]  # that other proxy
    centre: Float[np.ndarray, " k"]  # of each class with items: its proxy to the mean of its unit rows
    closest: float  # largest cosine between two proxies; nan if there is one alone

    @property
    def hits(self) -> Float[np.ndarray, " n"]:
        """1 where the item's own proxy is the nearest."""
        found: np.ndarray = (self.own > self.other).astype(np.float64)
        return found


def fit(u: Float[np.ndarray, "n d"], y: Int[np.ndarray, " n"], w: Float[np.ndarray, "c d"]) -> ProxyFit:
    """u, w: unit rows; y: row of w that is the item's own. Memory is a block of cosines."""
    n = len(u)
    own, other, nearest = np.empty(n), np.full(n, -np.inf), np.full(n, -1)
    step = max(_BLOCK // len(w), 1)
    for start in range(0, n, step):
        part = slice(start, start + step)
        s = u[part] @ w.T
        rows = np.arange(len(s))
        own[part] = s[rows, y[part]]
        s[rows, y[part]] = -np.inf
        if len(w) > 1:
            nearest[part] = s.argmax(axis=1)
            other[part] = s[rows, nearest[part]]
    return ProxyFit(own, other, nearest, _centres(u, y, w), _closest(w))


def _centres(
    u: Float[np.ndarray, "n d"], y: Int[np.ndarray, " n"], w: Float[np.ndarray, "c d"]
) -> Float[np.ndarray, " k"]:
    total = np.zeros(w.shape)
    np.add.at(total, y, u)
    there = np.unique(y)
    length = np.linalg.norm(total[there], axis=1)
    found: np.ndarray = (total[there] * w[there]).sum(axis=1) / np.where(length > 0, length, 1.0)
    return found


def _closest(w: Float[np.ndarray, "c d"]) -> float:
    if len(w) < 2:
        return float("nan")
    best, step = -np.inf, max(_BLOCK // len(w), 1)
    for start in range(0, len(w), step):
        s = w[start : start + step] @ w.T
        s[np.arange(len(s)), np.arange(start, start + len(s))] = -np.inf
        best = max(best, float(s.max()))
    return best
