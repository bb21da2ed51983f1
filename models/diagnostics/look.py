"""Look: the raw moment of a lane that answers a brush without asking the worker again.

Embeddings as they are, so that every score is that of the snapshot; weights in ten bits (`models.diagnostics.coded`).
500 items in 32 dimensions are 389 kB, 420 kB where some weight has a sign that is not the usual one of its kind, and
128 kB more with two views of each item.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from jaxtyping import Bool, Float, Int

from models.diagnostics.coded import Coded, decode, decode_at, encode
from models.diagnostics.items import PairScores, unit_rows
from models.diagnostics.storage import from_arrays, to_arrays
from models.snapshot import Snapshot

SCOPES = ("all", "seen", "unseen")
VIEWS = "second views"
PROBE, TRAINING = "probe", "training"
_SPARE = 8  # columns beyond the rank with which the range of a matrix is found


@dataclass(frozen=True, eq=False)
class Look:
    """One moment of a lane. Pairs and their kind are those of the panels: by label, or, of two sides, by instance.

    The loss may read other pairs (`reads`); its weights go with `read_s`, `read_pos` and `read_neg`.
    """

    z: np.ndarray  # (n, d) float32 as the encoder gives them
    other: np.ndarray | None  # (n, d) side B, where items have two
    y: np.ndarray  # (n,) label
    group: np.ndarray  # (n,) pairs of equal group are positive: the label, or which sides belong together
    item: np.ndarray  # (n,) row of the data set; of training items, the position in the training set
    seen: np.ndarray  # (n,) bool
    step: int
    label: str
    loss: str  # key
    knobs: dict[str, float]  # numeric knobs of the loss, as they are at this step
    of: str  # PROBE or TRAINING: which items these are
    reads: str  # candidates of the loss, "items", "second views" or "other sides"; empty without weights
    coded: Coded | None  # weights of what the loss reads, anchors in rows
    view_rows: np.ndarray | None  # (n, k) of two views: view_rows @ view_columns are the scores that the loss read
    view_columns: np.ndarray | None  # (k, n)
    left_out: np.ndarray  # flat positions, rising, of pairs that the loss reads as neither kind: those of a mask
    why_no_weight: str

    @property
    def two_sided(self) -> bool:
        """Whether rows are side A and columns side B; else (i, j) and (j, i) are one pair."""
        return self.other is not None

    @property
    def temperature(self) -> float:
        """Of the loss; nan if it has none."""
        return self.knobs.get("temperature", float("nan"))

    @cached_property
    def u(self) -> Float[np.ndarray, "n d"]:
        """Unit rows of the anchors."""
        return unit_rows(self.z)

    @cached_property
    def v(self) -> Float[np.ndarray, "n d"]:
        """Unit rows of the candidates."""
        return self.u if self.other is None else unit_rows(self.other)

    @cached_property
    def s(self) -> Float[np.ndarray, "n n"]:
        """Cosine of every pair."""
        score: np.ndarray = self.u @ self.v.T
        return score

    @cached_property
    def pos(self) -> Bool[np.ndarray, "n n"]:
        """Positive pairs; an item is no pair with itself unless it has two sides."""
        same: np.ndarray = self.group[:, None] == self.group[None, :]
        if not self.two_sided:
            np.fill_diagonal(same, val=False)
        return same

    @cached_property
    def neg(self) -> Bool[np.ndarray, "n n"]:
        """Negative pairs."""
        apart: np.ndarray = self.group[:, None] != self.group[None, :]
        return apart

    @cached_property
    def read_s(self) -> Float[np.ndarray, "n n"]:
        """The scores that the loss read when it gave the weights."""
        if self.view_rows is None or self.view_columns is None:
            return self.s
        read: np.ndarray = self.view_rows @ self.view_columns
        return read

    @cached_property
    def read_pos(self) -> Bool[np.ndarray, "n n"]:
        """What the loss takes for positive: of two views, those of one item alone."""
        return self._read(np.eye(len(self.y), dtype=bool) if self.reads == VIEWS else self.pos)

    @cached_property
    def read_neg(self) -> Bool[np.ndarray, "n n"]:
        """What the loss takes for negative."""
        return self._read(~np.eye(len(self.y), dtype=bool) if self.reads == VIEWS else self.neg)

    def _read(self, mask: Bool[np.ndarray, "n n"]) -> Bool[np.ndarray, "n n"]:
        """A mask without the pairs that are left out."""
        if len(self.left_out) == 0:
            return mask
        mask = mask.copy()
        mask.ravel()[self.left_out] = False
        return mask

    @cached_property
    def weight(self) -> Float[np.ndarray, "n n"] | None:
        """Signed dL/ds of what the loss reads, anchors in rows; None where `why_no_weight` says why."""
        return None if self.coded is None else decode(self.coded, self.read_pos)

    @cached_property
    def pair_weight(self) -> Float[np.ndarray, "n n"] | None:
        """Weight of a pair: of both directions together where items have one side."""
        if self.weight is None or self.two_sided:
            return self.weight
        both: np.ndarray = self.weight + self.weight.T
        return both

    def pair_weight_at(self, i: Int[np.ndarray, " k"], j: Int[np.ndarray, " k"]) -> Float[np.ndarray, " k"]:
        """`pair_weight` of some pairs without decoding all; nan without weights."""
        if self.coded is None:
            return np.full(len(i), np.nan)
        n = len(self.y)
        found = decode_at(self.coded, i * n + j, self._pulled(i, j))
        return found if self.two_sided else found + decode_at(self.coded, j * n + i, self._pulled(j, i))

    def _pulled(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        if self.reads == VIEWS:
            return np.asarray(i == j)
        return np.asarray((self.group[i] == self.group[j]) & (self.two_sided | (i != j)))

    def score_at(self, i: Int[np.ndarray, " k"], j: Int[np.ndarray, " k"]) -> Float[np.ndarray, " k"]:
        """Cosines of some pairs alone."""
        found: np.ndarray = np.einsum("kd,kd->k", self.u[i], self.v[j])
        return found

    def keep(self, among: str) -> Bool[np.ndarray, " n"]:
        """Items of one of SCOPES."""
        if among not in SCOPES:
            raise ValueError(f"among must be one of {', '.join(SCOPES)}, got {among!r}")
        return np.ones(len(self.y), bool) if among == "all" else self.seen == (among == "seen")

    def positions(self, among: str) -> tuple[Int[np.ndarray, " p"], Int[np.ndarray, " q"]]:
        """Flat positions of the positive and of the negative pairs of a scope, rising, each unordered pair once."""
        return _positions(self.group.astype(np.int64).tobytes(), self.keep(among).tobytes(), self.two_sided)

    def pair_scores(self, among: str) -> PairScores:
        """Sorted scores of both kinds of pair of a scope; kept, since every panel asks."""
        return self._sorted.setdefault(
            among, PairScores(*(np.sort(self.s.ravel()[at]) for at in self.positions(among)))
        )

    @cached_property
    def _sorted(self) -> dict[str, PairScores]:
        return {}

    def pack(self) -> tuple[dict[str, np.ndarray], dict[str, object]]:
        """Arrays for a safetensors file and JSON for the rest; nothing is lost or rounded."""
        return to_arrays(self)

    @classmethod
    def unpack(cls, arrays: Mapping[str, np.ndarray], meta: dict[str, object]) -> "Look":
        """The inverse of `pack`."""
        return from_arrays(dict(arrays), meta, cls)


@lru_cache(maxsize=8)
def _positions(group: bytes, keep: bytes, two_sided: bool) -> tuple[np.ndarray, np.ndarray]:
    groups, kept = np.frombuffer(group, np.int64), np.frombuffer(keep, bool)
    same = groups[:, None] == groups[None, :]
    counted = kept[:, None] & kept[None, :]
    if not two_sided:
        counted = np.triu(counted, k=1)
    found = np.flatnonzero(counted & same), np.flatnonzero(counted & ~same)
    for positions in found:
        positions.flags.writeable = False
    return found


def look_of(snapshot: Snapshot, of: str = PROBE) -> Look:
    """The look of a snapshot. of: TRAINING where its items are positions in the training set."""
    lens = snapshot.lens
    weighed = snapshot.weight is not None and lens is not None
    reads = lens.candidates if weighed and lens is not None else ""
    rows = columns = coded = None
    left_out = np.empty(0, np.int32)
    if weighed and lens is not None:
        coded = encode(lens.weight, lens.pos)
        diagonal_counts = reads == VIEWS or snapshot.other is not None
        neither = (
            ~(lens.pos | lens.neg) if diagonal_counts else ~(lens.pos | lens.neg | np.eye(len(lens.s), dtype=bool))
        )
        left_out = np.flatnonzero(neither).astype(np.int32)
        if reads == VIEWS:
            rows, columns = factors(lens.s, snapshot.z.shape[1])
    # A side A belongs to the sides B of its own row; the first of them names the group.
    group = snapshot.y if snapshot.other is None else snapshot.pos.argmax(axis=1)
    return Look(
        z=snapshot.z,
        other=snapshot.other,
        y=snapshot.y,
        group=group,
        item=snapshot.item,
        seen=snapshot.seen,
        step=snapshot.step,
        label=snapshot.label,
        loss=snapshot.config.turn_at(snapshot.step)[1],
        knobs=_knobs(snapshot),
        of=of,
        reads=reads,
        coded=coded,
        view_rows=rows,
        view_columns=columns,
        left_out=left_out,
        why_no_weight=snapshot.why_no_weight,
    )


def _knobs(snapshot: Snapshot) -> dict[str, float]:
    """Numeric knobs in force at the snapshot's step: an event takes effect before the step that follows it."""
    values = snapshot.config.loss_at(snapshot.step).values
    return {name: float(value) for name, value in values.items() if not isinstance(value, str)}


def factors(s: Float[np.ndarray, "n m"], rank: int) -> tuple[Float[np.ndarray, "n k"], Float[np.ndarray, "k m"]]:
    """Two thin matrices whose product is s, a matrix of at most this rank, to rounding (Halko et al., 0909.4061)."""
    width = min(rank + _SPARE, *s.shape)
    tried = np.random.default_rng(0).normal(size=(s.shape[1], width)).astype(s.dtype)
    frame, _ = np.linalg.qr(s @ tried)
    keep = min(rank, width)
    left, size, right = np.linalg.svd(frame.T @ s, full_matrices=False)
    return (frame @ left[:, :keep]) * size[:keep], right[:keep]
