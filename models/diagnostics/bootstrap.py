"""Bootstrap over items: pairs that share an item are not independent, so items are drawn and pairs follow.

A replicate draws n items with replacement; item i comes m_i times and pair (i, j) weighs m_i m_j. Weighted sums over
pairs are quadratic forms m' V m, so all replicates together are one matrix product.
"""

from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float, Shaped

from models.diagnostics.items import unordered

REPLICATES = 400
LEVEL = 0.95
_TABLE = 1 << 14  # score bins of the placement tables


@lru_cache(maxsize=8)
def multiplicities(n: int, seed: int = 0, replicates: int = REPLICATES) -> Float[np.ndarray, "r n"]:
    """How often each of n items is drawn in each replicate: the same numbers for the same n and seed."""
    draws = np.random.default_rng([seed, n]).integers(0, n, (replicates, n))
    flat = draws + n * np.arange(replicates)[:, None]
    counts = np.bincount(flat.ravel(), minlength=n * replicates).reshape(replicates, n).astype(np.float32)
    counts.flags.writeable = False
    return counts


def draws_for(
    pos: Bool[np.ndarray, "n m"], neg: Bool[np.ndarray, "n m"], seed: int = 0, replicates: int = REPLICATES
) -> tuple[Float[np.ndarray, "r n"], Float[np.ndarray, "r m"]]:
    """Multiplicities of rows and of columns: the same items on both sides, or two towers drawn apart."""
    rows = multiplicities(pos.shape[0], seed, replicates)
    return rows, rows if unordered(pos, neg) else multiplicities(pos.shape[1], seed + 1, replicates)


def pair_sums(
    values: Shaped[np.ndarray, "n m"] | Bool[np.ndarray, "n m"],
    rows: Float[np.ndarray, "r n"],
    columns: Float[np.ndarray, "r m"],
) -> Float[np.ndarray, " r"]:
    """sum_ij m_i v_ij m_j of each replicate."""
    half = rows @ values.astype(np.float32, copy=False)  # (r, m)
    return np.asarray(np.einsum("rm,rm->r", half, columns, dtype=np.float64))


def pair_means(
    values: Float[np.ndarray, "n m"],
    mask: Bool[np.ndarray, "n m"],
    rows: Float[np.ndarray, "r n"],
    columns: Float[np.ndarray, "r m"],
) -> Float[np.ndarray, " r"]:
    """Weighted mean over the pairs of a mask, of each replicate; nan where a replicate drew no such pair."""
    return _ratio(pair_sums(np.where(mask, values, 0), rows, columns), pair_sums(mask, rows, columns))


def _ratio(total: np.ndarray, count: np.ndarray) -> np.ndarray:
    out = np.full(len(total), np.nan)
    np.divide(total, count, out=out, where=count > 0)
    return out


def auc_replicates(
    s: Float[np.ndarray, "n m"],
    pos: Bool[np.ndarray, "n m"],
    neg: Bool[np.ndarray, "n m"],
    seed: int = 0,
    replicates: int = REPLICATES,
) -> Float[np.ndarray, " r"]:
    """AUC of each replicate, to first order in the change of both score distributions; nan without both kinds.

    AUC is bilinear in the distributions F of positives and G of negatives: AUC(F*, G*) = AUC(F*, G) + AUC(F, G*) -
    AUC(F, G) + a product of both changes, of order 1/n beside the 1/sqrt(n) that is kept. The first two terms are means
    over pairs of a placement (share of negatives below a positive, of positives above a negative), read from tables of
    16,384 score bins; a tie within a bin counts half.
    """
    if not (pos.any() and neg.any()):
        return np.full(replicates, np.nan)
    rows, columns = draws_for(pos, neg, seed, replicates)
    low, high = float(s.min()), float(s.max())
    scale = (_TABLE - 1) / max(high - low, 1e-12)
    position = ((s - low) * scale).astype(np.int32)
    below_p = np.bincount(position[pos], minlength=_TABLE)
    below_n = np.bincount(position[neg], minlength=_TABLE)
    wins = _middle(below_n).astype(np.float32)[position]  # (n, m) share of negatives below
    losses = (1.0 - _middle(below_p)).astype(np.float32)[position]  # (n, m) share of positives above
    base = float(below_p @ _middle(below_n) / below_p.sum())
    positives, negatives = _totals(pos, neg, rows, columns)
    of_positives = _ratio(pair_sums(np.where(pos, wins, 0), rows, columns), positives)
    of_negatives = _ratio(pair_sums(np.where(neg, losses, 0), rows, columns), negatives)
    return np.asarray(of_positives + of_negatives - base)


def _totals(pos: np.ndarray, neg: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weighted numbers of positive and of negative pairs of each replicate."""
    positives = pair_sums(pos, rows, columns)
    n = len(pos)
    if unordered(pos, neg) and np.count_nonzero(pos) + np.count_nonzero(neg) == n * (n - 1):
        # Every pair counts, so together they weigh (sum m)^2 - sum m^2, and a product is saved.
        return positives, float(n) ** 2 - np.einsum("rn,rn->r", rows, rows, dtype=np.float64) - positives
    return positives, pair_sums(neg, rows, columns)


def _middle(counts: np.ndarray) -> np.ndarray:
    """Share of a histogram below the middle of each bin."""
    return np.asarray((np.cumsum(counts) - counts / 2) / counts.sum())


def interval(replicates: Float[np.ndarray, " r"]) -> tuple[float, float]:
    """Percentile interval of 95 %; nan if fewer than half of the replicates are defined."""
    defined = replicates[np.isfinite(replicates)]
    if 2 * len(defined) < len(replicates) or len(defined) == 0:
        return float("nan"), float("nan")
    low, high = np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
