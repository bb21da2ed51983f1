"""How alike the gradients of several losses are on one batch: cosines, and an order that puts kin together."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.cluster.hierarchy import fcluster, leaves_list, linkage
from scipy.spatial.distance import squareform

KINDS = ("all", "positives", "negatives")  # which pairs a comparison of gradients looks at
KIN = 0.9  # mean cosine above which two groups of losses count as one


@dataclass(frozen=True, eq=False)
class Reading:
    """What one loss makes of the batch."""

    key: str
    value: float  # nan for a loss of which only the gradient means something
    levels: dict[str, float]  # reference levels at this batch and the knobs' defaults
    active: float  # share of counted pairs with a weight, in [0, 1]
    pull_push: float  # total pull over total push; nan without push
    hardest_share: float  # share of the push that the hardest 1 % of negatives carry; nan without push
    pull: Float[np.ndarray, " bins"]  # mean signed weight of the positives of a score bin over [-1, 1], nan where empty
    push: Float[np.ndarray, " bins"]  # the same of the negatives
    ms: float  # wall time of value and gradient

    @property
    def way(self) -> float:
        """Share of the way from chance to perfect, 1 at perfect, beyond [0, 1] outside; nan without both levels."""
        chance, perfect = (self.levels.get(name, np.nan) for name in ("chance", "perfect"))
        span = chance - perfect
        return float((chance - self.value) / span) if np.isfinite(span) and span != 0 else float("nan")


@dataclass(frozen=True, eq=False)
class Comparison:
    """All losses on one batch: readings, and for each of KINDS the matrix of cosines with its order and groups."""

    readings: tuple[Reading, ...]
    cosine: dict[str, Float[np.ndarray, "k k"]]
    order: dict[str, Int[np.ndarray, " k"]]
    group: dict[str, Int[np.ndarray, " k"]]
    left_out: dict[str, str]  # loss key -> why it has no weight for these pairs
    items: int
    positives: int  # pairs, each once
    negatives: int
    ms: float  # of all losses together


def cosines(gradients: Float[np.ndarray, "k p"]) -> Float[np.ndarray, "k k"]:
    """Cosine between any two rows; nan where a row is zero or not finite."""
    size = np.abs(gradients).max(axis=1, initial=0.0, keepdims=True)
    usable = np.isfinite(size) & (size > 0)
    # Scaled to its largest entry first: the square of a weight of 1e-30 would vanish in float32.
    rows = np.where(usable, gradients, 0.0) / np.where(usable, size, 1.0)
    length = np.sqrt(np.einsum("kp,kp->k", rows, rows))
    found = (rows @ rows.T) / np.where(usable[:, 0], length, np.nan)[:, None] / length.clip(min=1e-30)[None, :]
    known = usable[:, 0][:, None] & usable[:, 0][None, :]
    result: np.ndarray = np.where(known, found.clip(-1.0, 1.0), np.nan).astype(np.float64)
    np.fill_diagonal(result, np.where(usable[:, 0], 1.0, np.nan))
    return result


def clustered(cosine: Float[np.ndarray, "k k"]) -> tuple[Int[np.ndarray, " k"], Int[np.ndarray, " k"]]:
    """Order of the leaves of a tree by average linkage on 1 - cosine, and the group of each row (KIN), from 1.

    Losses without a gradient agree with none: they stand alone.
    """
    count = len(cosine)
    if count < 2:
        return np.arange(count), np.ones(count, dtype=np.int64)
    apart = np.where(np.isfinite(cosine), 1.0 - cosine, 2.0)
    apart = (apart + apart.T) / 2
    np.fill_diagonal(apart, 0.0)
    tree = linkage(squareform(apart.clip(min=0.0), checks=False), method="average", optimal_ordering=True)
    group = fcluster(tree, t=1.0 - KIN, criterion="distance")
    return leaves_list(tree).astype(np.int64), group.astype(np.int64)
