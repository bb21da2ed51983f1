"""Selection: the one value of a brush, as it travels through address, store and page; `resolve` finds its pairs."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import isfinite

import numpy as np
from jaxtyping import Int

from models.diagnostics.look import PROBE, SCOPES, TRAINING, Look
from models.diagnostics.pairs import Pairs, folded, placed_at

SIGNS = ("both", "positive", "negative")
RATES = ("fpr", "tpr")
ENDS = ("any", "both")
_LONGEST_NAME = 60


@dataclass(frozen=True)
class ScoreBand:
    """Pairs with low <= cosine < high, as the bins of the histogram count; 1 and -1 leave that end open."""

    sign: str  # one of SIGNS
    low: float
    high: float

    def __post_init__(self) -> None:
        _one_of("sign", self.sign, SIGNS)
        _interval("scores", self.low, self.high, -1.0, 1.0)


@dataclass(frozen=True)
class RateBand:
    """Pairs that a threshold passes along a stretch of the ROC, upright pieces at both ends included."""

    rate: str  # one of RATES, in which low and high are
    low: float
    high: float

    def __post_init__(self) -> None:
        _one_of("rate", self.rate, RATES)
        _interval(self.rate, self.low, self.high, 0.0, 1.0)


@dataclass(frozen=True)
class ClassCell:
    """Pairs between two classes, or within one; of two sides, anchors of the first against candidates of the second."""

    anchor: int
    candidate: int


@dataclass(frozen=True)
class Block:
    """A block of the heat map: ranks from `first` to below `last` of items sorted by class, anchors and candidates."""

    rows: tuple[int, int]
    columns: tuple[int, int]

    def __post_init__(self) -> None:
        for name, (first, last) in (("rows", self.rows), ("columns", self.columns)):
            if not 0 <= first < last:
                raise ValueError(f"{name} must be ranks from 0, the first below the last, got {first} to {last}")


@dataclass(frozen=True)
class PairList:
    """Pairs by the ids of their items; perhaps a hundred thousand, held while the scores go on."""

    pairs: tuple[tuple[int, int], ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "pairs", tuple(sorted(set(self.pairs))))

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash(self.pairs)

    @cached_property
    def ids(self) -> Int[np.ndarray, "k 2"]:
        """The same as an array."""
        return np.array(self.pairs, np.int64).reshape(-1, 2)


@dataclass(frozen=True)
class ItemSet:
    """Pairs of a lassoed or listed set of items, by id: with any end in it, or with both."""

    items: tuple[int, ...]
    ends: str = "any"  # one of ENDS

    def __post_init__(self) -> None:
        object.__setattr__(self, "items", tuple(sorted(set(self.items))))
        _one_of("ends", self.ends, ENDS)


Brush = ScoreBand | RateBand | ClassCell | Block | PairList | ItemSet


@dataclass(frozen=True)
class Selection:
    """What was brushed, and where. The pairs are those of the home lane at the home step; every lane shows them.

    Raises ValueError, naming the field, if a value is out of range.
    """

    brush: Brush
    lane: str = ""  # id of the home lane; empty: the first
    step: int | None = None  # home step; None: the latest, so that the selection follows training
    among: str = "all"  # one of SCOPES: both items of a pair are of such classes
    of: str = PROBE  # PROBE, or TRAINING where ids are positions in the training set
    name: str = ""

    def __post_init__(self) -> None:
        _one_of("among", self.among, SCOPES)
        _one_of("of", self.of, (PROBE, TRAINING))
        if self.step is not None and self.step < 0:
            raise ValueError(f"step must be 0 or more, got {self.step}")
        if len(self.name) > _LONGEST_NAME:
            raise ValueError(f"a name has at most {_LONGEST_NAME} letters, got {len(self.name)}")


def home(selection: Selection, looks: dict[str, Sequence[Look]]) -> Look:
    """The look in which a selection was made: its lane's at its step, or the nearest before it that is kept.

    looks: of every lane, by rising step. Raises ValueError if the lane is not there or has no look yet.
    """
    lane = selection.lane or next(iter(looks), "")
    kept = looks.get(lane, ())
    if not kept:
        raise ValueError(f"the selection was made in lane {lane!r}, which has no look; lanes are: {', '.join(looks)}")
    before = [look for look in kept if selection.step is None or look.step <= selection.step]
    return before[-1] if before else kept[0]


def resolve(selection: Selection, look: Look) -> Pairs:
    """The pairs of a selection in its home look, distinct and in rising order of position.

    Raises ValueError if the look is of other items than the selection.
    """
    if selection.of != look.of:
        raise ValueError(f"this selection is of {selection.of} items, the look of {look.of} items: select there anew")
    brush = selection.brush
    if isinstance(brush, ScoreBand | RateBand):
        return _by_score(brush, look, selection.among)
    i, j = _ends(brush, look)
    keep = look.keep(selection.among)
    inside = keep[i] & keep[j]
    return folded(i[inside], j[inside], look, selection.among)


def held(selection: Selection, pairs: Pairs, look: Look) -> Selection:
    """The selection of these pairs themselves, whatever they score later; its step says when they were taken."""
    return replace(selection, brush=PairList(pairs.ids(look)), step=look.step)


def lassoed(selection: Selection, look: Look) -> np.ndarray | None:
    """Positions of the items of a set; None for other brushes. See `brushed.brushed`."""
    if not isinstance(selection.brush, ItemSet):
        return None
    return np.flatnonzero(np.isin(look.item, np.array(selection.brush.items, np.int64)) & look.keep(selection.among))


def _by_score(brush: ScoreBand | RateBand, look: Look, among: str) -> Pairs:
    positive, negative = look.positions(among)
    sign = brush.sign if isinstance(brush, ScoreBand) else "both"
    flat = {"positive": positive, "negative": negative, "both": np.concatenate([positive, negative])}[sign]
    low, high = score_band(brush) if isinstance(brush, ScoreBand) else rate_band(brush, look, among)
    score = look.s.ravel()[flat]
    chosen = flat[(score >= low) & (score < high)]
    return folded(chosen // len(look.y), chosen % len(look.y), look, among)


def score_band(brush: ScoreBand) -> tuple[float, float]:
    """Ends (low, high) of low <= score < high; infinite at -1 and 1, where rounding may carry a cosine past the end."""
    return -np.inf if brush.low <= -1.0 else brush.low, np.inf if brush.high >= 1.0 else brush.high


def rate_band(brush: RateBand, look: Look, among: str) -> tuple[float, float]:
    """Ends (low, high) of low <= score < high: the pairs accepted at the rate `high` and not yet at the rate `low`.

    Of N pairs of the rate's kind, ceil(low N) are already accepted at the start, and floor(high N) at the end. Pairs
    that tie come together: at the end, all or none of them.
    """
    pairs = look.pair_scores(among)
    scores = pairs.negative if brush.rate == "fpr" else pairs.positive
    n = len(scores)
    if n == 0:
        return np.inf, np.inf  # there is no rate, and so no pair
    # The epsilons make up for products such as 0.07 * 100 that fall just beside a whole number.
    start, end = int(np.ceil(brush.low * n - 1e-9)), int(np.floor(brush.high * n + 1e-9))
    above = float(scores[n - start]) if start else np.inf
    # The loosest threshold that still accepts no more than `end`: just above the first pair left out.
    below = float(np.nextafter(scores[n - end - 1], scores.dtype.type(np.inf))) if end < n else -np.inf
    return below, above


def _ends(brush: ClassCell | Block | PairList | ItemSet, look: Look) -> tuple[np.ndarray, np.ndarray]:
    """Both ends of the pairs, in any order and perhaps twice."""
    if isinstance(brush, PairList):
        i, j = placed_at(look, brush.ids).T
        known = (i >= 0) & (j >= 0)
        return i[known], j[known]
    if isinstance(brush, ItemSet):
        inside = np.isin(look.item, np.array(brush.items, np.int64))
        pair = inside[:, None] & inside[None, :] if brush.ends == "both" else inside[:, None] | inside[None, :]
        i, j = np.divmod(np.flatnonzero(pair if look.two_sided else np.triu(pair, k=1)), len(look.y))
        return i, j
    if isinstance(brush, ClassCell):
        rows, columns = np.flatnonzero(look.y == brush.anchor), np.flatnonzero(look.y == brush.candidate)
    else:
        order = np.argsort(look.y, kind="stable")
        rows, columns = order[slice(*brush.rows)], order[slice(*brush.columns)]
    i, j = np.meshgrid(rows, columns, indexing="ij")
    return i.ravel(), j.ravel()


def heat_block(n: int, cells: int, rows: tuple[int, int], columns: tuple[int, int]) -> Block:
    """The ranks of cells of a heat map of n items in so many blocks; rows and columns: first cell and last, included.

    Cell k holds the ranks from k n // cells on (`weights.heat_map`).
    """
    ends = [(first * n // cells, (last + 1) * n // cells) for first, last in (rows, columns)]
    return Block(*ends)


def _one_of(name: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise ValueError(f"{name} must be one of {', '.join(known)}, got {value[:40]!r}")


def _interval(name: str, low: float, high: float, least: float, most: float) -> None:
    if not (isfinite(low) and isfinite(high) and least <= low < high <= most):
        raise ValueError(f"{name} must go from low to high within {least:g} and {most:g}, got {low:g} to {high:g}")
