"""The plane of Wang and Liu (arXiv 2012.09740): how evenly embeddings spread against how tight classes stay."""

import math

import numpy as np
from jaxtyping import Float

from models.diagnostics.items import Items, unordered
from models.diagnostics.summary import Plane

SHARPNESS = 2.0  # t of the uniformity; the value that reproduces the paper's figures


def closeness(items: Items) -> Float[np.ndarray, "n n"]:
    """exp(-t ||u_i - v_j||^2) with t = SHARPNESS; v = u and 0 on the diagonal where items have one side.

    ||u_i - v_j||^2 = |u_i|^2 + |v_j|^2 - 2 s_ij, where |u| is 1 or, for a zero row, 0.
    """
    own = SHARPNESS * np.einsum("ij,ij->i", items.u, items.u)
    close: np.ndarray = 2.0 * SHARPNESS * items.s
    close -= own[:, None]
    close -= own if items.v is None else SHARPNESS * np.einsum("ij,ij->i", items.v, items.v)
    np.exp(close, out=close)
    if unordered(items.pos, items.neg):
        np.fill_diagonal(close, 0.0)
    return close


def plane(items: Items) -> Plane:
    """All four numbers over distinct pairs (of two sides: all pairs); each is nan where it has no pair to stand on.

    Uniformity of one side goes up to about 4; of two it goes to 8, where the sides stand opposite each other.
    """
    n = len(items.y)
    if n < 2:
        return Plane(*[float("nan")] * 4)
    pairs = n * (n - 1) if unordered(items.pos, items.neg) else n * n  # one side: each pair twice, here and below
    uniformity = -math.log(float(closeness(items).sum(dtype=np.float64)) / pairs)
    size = np.einsum("ij,ij->i", items.u, items.u)
    partners = np.count_nonzero(items.pos, axis=1)
    positives = int(partners.sum())
    if positives == 0:
        return Plane(uniformity, float("nan"), 0.0, float("nan"))
    agreement = float(np.einsum("ij,ij->i", items.s, items.pos).sum(dtype=np.float64))
    # Rounding may leave the distance of equal rows an ulp below zero.
    lengths = 2.0 * (size @ partners)
    if items.v is not None:
        other = np.einsum("ij,ij->i", items.v, items.v)
        lengths = size @ partners + other @ np.count_nonzero(items.pos, axis=0)
    alignment = max(float(lengths - 2.0 * agreement) / positives, 0.0)
    return Plane(uniformity, agreement / positives, agreement / pairs, alignment)
