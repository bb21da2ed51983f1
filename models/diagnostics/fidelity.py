"""ModHiFi's subset fidelity of a linear layer: which inputs an output needs, and the least change that does without.

Output c is Y_c = sum_i A_ci with A_ci = W_ci h_i. With M = E[h h^T], not centred, E<A_ci, A_cj> = W_ci M_ij W_cj, so
everything follows from M and W: no gradient, no label and no loss is needed.
"""

import numpy as np
from jaxtyping import Bool, Float, Float64, Int

_RIDGE = 1e-6  # of the mean of the diagonal, where inputs are nearly collinear


def moment(h: Float[np.ndarray, "n d"]) -> Float64[np.ndarray, "d d"]:
    """M = E[h h^T] of the inputs of a layer."""
    rows = h.astype(np.float64)
    found: np.ndarray = rows.T @ rows / max(len(rows), 1)
    return found


def singletons(m: Float[np.ndarray, "d d"], w: Float[np.ndarray, "c d"]) -> Float64[np.ndarray, "c d"]:
    """Fidelity of each component alone, s_ci = (M w_c)_i^2 / (M_ii w_c^T M w_c); 0 of a dead one.

    The size of W_ci cancels: a component of next to no energy may score highest.
    """
    product = w.astype(np.float64) @ m  # (c, d), m is symmetric
    whole = (product * w).sum(axis=1)[:, None] * np.diag(m)[None, :]
    alive = (whole > 0) & (w != 0)
    found: np.ndarray = np.divide(product**2, whole, out=np.zeros_like(product), where=alive)
    return found


def explained(m: Float[np.ndarray, "d d"], w: Float[np.ndarray, "c d"]) -> Float64[np.ndarray, "c d"]:
    """Energy of its output that each component explains alone, s_ci E|Y_c|^2.

    Ours: fidelity itself counts outputs that are all but silent as much as loud ones, which in a head are the other
    classes.
    """
    rows = w.astype(np.float64)
    found: np.ndarray = singletons(m, w) * ((rows @ m) * rows).sum(axis=1)[:, None]
    return found


def fidelity(
    m: Float[np.ndarray, "d d"], w: Float[np.ndarray, "c d"], kept: Int[np.ndarray, " k"]
) -> Float64[np.ndarray, " c"]:
    """FS_c(C) = max over factors of 1 - E|Y_c - sum_{i in C} delta_i A_ci|^2 / E|Y_c|^2; nan where Y_c is nothing.

    An input whose weight is 0 contributes nothing, and cannot be scaled up.
    """
    found = np.full(len(w), np.nan)
    for c, row in enumerate(w.astype(np.float64)):
        whole = float(row @ m @ row)
        used = kept[row[kept] != 0]
        if whole <= 0:
            continue
        target = m[used] @ row
        found[c] = float(target @ np.linalg.lstsq(m[np.ix_(used, used)], target, rcond=None)[0]) / whole
    return found


def foremost(score: Float[np.ndarray, "c d"], count: int) -> Bool[np.ndarray, "c d"]:
    """The `count` components of the highest score, ties by place."""
    chosen = np.zeros(score.size, bool)
    chosen[np.argsort(-score.ravel(), kind="stable")[:count]] = True
    return chosen.reshape(score.shape)


def inputs_kept(score: Float[np.ndarray, "c d"], count: int) -> Int[np.ndarray, " k"]:
    """The `count` inputs that are the last to have no component in a growing HiFi set: by their best component."""
    order = np.argsort(-score.max(axis=0), kind="stable")[:count]
    found: np.ndarray = np.sort(order)
    return found


def compensated(
    m: Float[np.ndarray, "d d"], w: Float[np.ndarray, "c d"], kept: Int[np.ndarray, " k"]
) -> Float64[np.ndarray, "c d"]:
    """The weights that come nearest to all outputs with the kept inputs alone: W M[:, C] M[C, C]^-1, 0 elsewhere."""
    inner = m[np.ix_(kept, kept)]
    inner = inner + _RIDGE * np.trace(inner) / max(len(kept), 1) * np.eye(len(kept))
    found = np.zeros(w.shape)
    found[:, kept] = np.linalg.solve(inner, (w.astype(np.float64) @ m[:, kept]).T).T
    return found


def correlated(m: Float[np.ndarray, "d d"], w: Float[np.ndarray, "c d"]) -> float:
    """Share of the mass of all Q_c that lies off the diagonal, in [0, 1]; at 0 the best singletons are the best set."""
    size = np.abs(w.astype(np.float64))
    whole = float(((size @ np.abs(m)) * size).sum())
    own = float((size**2 @ np.abs(np.diag(m))).sum())
    return 1.0 - own / whole if whole > 0 else float("nan")
