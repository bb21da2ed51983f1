"""What the rules look at: a sample of items with all their pairs, and what the named loss makes of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int

from models.diagnostics.auc_interval import table_auc
from models.diagnostics.bootstrap import auc_replicates, multiplicities
from models.diagnostics.items import PairScores, pair_scores, unordered
from models.diagnostics.measured import Measured, drawn, resampled_mean
from models.diagnostics.order import ranking
from models.diagnostics.roc import auc

NEIGHBOURS = 10


@dataclass(frozen=True, eq=False)
class LossEvidence:
    """The named loss on batches that share no item; numbers are per batch, pairs of all batches stand in one row."""

    name: str
    knobs: Mapping[str, float | int | str | bool]
    value: Float[np.ndarray, " k"]  # nan for a loss of which only the gradient means something
    levels: Mapping[str, Float[np.ndarray, " k"]]
    batch: int  # items of a batch
    why_no_weight: str = ""  # empty: the rest is there
    anchor: Int[np.ndarray, " p"] | None = None  # places in the sample
    candidate: Int[np.ndarray, " p"] | None = None
    positive: Bool[np.ndarray, " p"] | None = None
    weight: Float[np.ndarray, " p"] | None = None  # signed dL/ds
    hardest_share: Float[np.ndarray, " k"] | None = None
    effective: Float[np.ndarray, " k"] | None = None  # effective negatives over negatives
    active: Float[np.ndarray, " k"] | None = None
    term_cosine: float | None = None  # lowest between the gradients of two terms; None: the loss is no mixture
    guessed: bool = False  # batch size or a knob is a default and not the user's word

    @property
    def temperature(self) -> float | None:
        """The temperature, where the loss has one."""
        found = [value for name, value in self.knobs.items() if name.split(".")[-1] == "temperature"]
        return float(found[0]) if found else None


@dataclass(frozen=True, eq=False)
class Table:
    """Scores without embeddings."""

    score: Float[np.ndarray, " p"]
    match: Bool[np.ndarray, " p"]
    group: Int[np.ndarray, " p"] | None
    anchor: Int[np.ndarray, " p"] | None = None  # None: rows stand for themselves


@dataclass(frozen=True, eq=False)
class Evidence:
    """One checkpoint. What is not there is None, and rules that need it say so."""

    name: str
    row: Int[np.ndarray, " n"]  # rows of the user's data that were sampled
    u: Float[np.ndarray, "n d"] | None = None  # unit rows
    length: Float[np.ndarray, " n"] | None = None  # of the rows as given
    y: Int[np.ndarray, " n"] | None = None
    s: Float[np.ndarray, "n m"] | None = None  # cosine
    pos: Bool[np.ndarray, "n m"] | None = None
    neg: Bool[np.ndarray, "n m"] | None = None
    column: Int[np.ndarray, " m"] | None = None  # rows of the documents; None: candidates are the items
    content: Int[np.ndarray, " n"] | None = None
    group: Int[np.ndarray, " n"] | None = None
    seen: Bool[np.ndarray, " n"] | None = None
    table: Table | None = None
    loss: LossEvidence | None = None
    why_no_loss: str = "no loss was named"
    earlier: tuple["Evidence", ...] = ()  # other checkpoints of the same items, oldest first

    @property
    def rows(self) -> Float[np.ndarray, "n d"]:
        """The unit rows, where there must be some."""
        assert self.u is not None
        return self.u

    @cached_property
    def mean_vector(self) -> tuple[Float[np.ndarray, " d"], Float[np.ndarray, "r d"]]:
        """The mean of the unit rows, and that of each replicate of a bootstrap over items."""
        u = self.rows.astype(np.float32)
        return u.mean(axis=0, dtype=np.float64), multiplicities(len(u)) @ u / len(u)

    @cached_property
    def mean_cosine(self) -> Measured:
        """Mean cosine of distinct items: (|sum u|^2 - n) / (n (n - 1)); replicates leave an item's own copies out."""
        n = len(self.rows)
        if n < 2:
            return Measured(float("nan"))
        mean, replicates = self.mean_vector
        draws = multiplicities(n).astype(np.float64)
        size = np.einsum("ij,ij->i", self.rows, self.rows).astype(np.float64)
        own = (draws**2) @ size
        pairs = float(n) ** 2 - (draws**2).sum(axis=1)
        total = n * n * np.einsum("rd,rd->r", replicates, replicates, dtype=np.float64) - own
        # A replicate may have drawn one item alone, which is no pair.
        drawn_means = np.divide(total, pairs, out=np.full(len(draws), np.nan), where=pairs > 0)
        return drawn(float((n * n * mean @ mean - size.sum()) / (n * (n - 1))), drawn_means)

    @cached_property
    def cone(self) -> Measured:
        """Length of the mean of the unit rows, in [0, 1]."""
        mean, replicates = self.mean_vector
        return drawn(float(np.linalg.norm(mean)), np.linalg.norm(replicates.astype(np.float64), axis=1))

    @cached_property
    def scores(self) -> PairScores | None:
        """Rising scores of both kinds of pair; None where nothing says which items belong together."""
        if self.table is not None:
            score, match = self.table.score, self.table.match
            return PairScores(np.sort(score[match]), np.sort(score[~match]))
        if self.s is None or self.pos is None or self.neg is None:
            return None
        return pair_scores(self.s, self.pos, self.neg)

    @cached_property
    def auc_replicates(self) -> Float[np.ndarray, " r"]:
        """AUC of each replicate of a bootstrap over items."""
        assert self.s is not None
        assert self.pos is not None
        assert self.neg is not None
        return auc_replicates(self.s, self.pos, self.neg)

    @cached_property
    def auc(self) -> Measured:
        """AUC of the sample with its interval; nan without pairs of both kinds."""
        if self.scores is None or not self.scores.complete:
            return Measured(float("nan"))
        if self.table is not None:
            return table_auc(self.table.score, self.table.match, self.table.anchor)
        return drawn(auc(self.scores), self.auc_replicates.clip(0.0, 1.0))

    @cached_property
    def candidates(self) -> Float[np.ndarray, "n m"]:
        """The scores with each item's own taken out, as retrieval sees them."""
        assert self.s is not None
        assert self.pos is not None
        assert self.neg is not None
        s = self.s.copy()
        if self.column is None and unordered(self.pos, self.neg):
            np.fill_diagonal(s, -np.inf)
        return s

    @cached_property
    def nearest(self) -> Int[np.ndarray, "n k"]:
        """The NEIGHBOURS nearest candidates of each item, itself left out."""
        s = self.candidates
        own = self.column is None
        return ranking(s, min(NEIGHBOURS, s.shape[1] - own))

    @cached_property
    def hits(self) -> Float[np.ndarray, " n"]:
        """1 where an item's nearest candidate belongs to it, 0 where not, nan where none does."""
        assert self.pos is not None
        found = np.full(len(self.pos), np.nan)
        asking = self.pos.any(axis=1)
        found[asking] = self.pos[np.arange(len(found)), self.candidates.argmax(axis=1)][asking]
        return found

    @cached_property
    def recall(self) -> Measured:
        """recall@1 among the sample, over the items that can have a hit."""
        return resampled_mean(self.hits[np.isfinite(self.hits)])

    def selected(self, places: Int[np.ndarray, " k"]) -> Int[np.ndarray, " k"]:
        """Places in the sample as rows of the user's data."""
        found: np.ndarray = self.row[places]
        return found

    def selected_pairs(self, anchor: np.ndarray, candidate: np.ndarray) -> Int[np.ndarray, "p 2"]:
        """Pairs of places as pairs of rows of the user's data."""
        columns = self.row if self.column is None else self.column
        return np.stack([self.row[anchor], columns[candidate]], axis=1).astype(np.int64)
