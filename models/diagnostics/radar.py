"""Radar for false negatives and duplicates: pairs that a loss pushes apart although the two items look alike.

Suspected is a pair that the loss reads as negative, that scores above the median of its positives, and whose suspicion
reaches a cut; besides, every negative pair of identical items. Suspicion is the mean of

- likeness: the share of all pairs whose contents lie further apart (pixels, or features of any kind; given by caller),
- overlap: the share that both neighbourhoods in the embedding have in common, NEIGHBOURS items and the item itself;

without contents it is the overlap alone. With a tenth of the labels flipped, the usual cut found 33 to 46 % of the
false negatives at 92 to 100 % precision after 50 steps of InfoNCE, SupCon and triplet on digits, MNIST and clusters.
After 300 steps it still is as precise and finds 0.3 to 15 %: by then the encoder has learnt the wrong labels.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from models.diagnostics.look import TRAINING, Look
from models.diagnostics.pairs import Pairs
from models.pair_code import MOST, encode_pairs
from models.selection import PairList, Selection

NEIGHBOURS = 10
CUT, CUT_ALONE = 0.5, 0.2  # with contents, and of the overlap alone


@dataclass(frozen=True, eq=False)
class Radar:
    """Suspected pairs, the most suspicious first, and what they own; each pair once where items have one side."""

    pairs: Pairs
    suspicion: Float[np.ndarray, " k"]  # in [0, 1]
    score: Float[np.ndarray, " k"]  # cosine that the loss read; of two views, the mean of both directions
    likeness: Float[np.ndarray, " k"]  # in [0, 1]; nan without contents
    overlap: Float[np.ndarray, " k"]  # in [0, 1]
    push: Float[np.ndarray, " k"]  # share of all push that the pair owns; nan without weights
    identical: Bool[np.ndarray, " k"]  # the contents are the same
    median: float  # of the positives' scores; nan without positives
    negatives: int  # that the loss reads
    share_of_negatives: float  # nan without negatives
    share_of_push: float  # nan without weights
    known: int  # negatives that are false by the truth; -1 if it was not given
    precision: float  # share of the suspected that are false; nan without truth or suspects
    recall: float  # share of the false that are suspected; nan without truth or false ones
    cut: float
    why_no_weight: str


def radar(
    look: Look,
    distance: Float[np.ndarray, "n n"] | None = None,
    truth: Int[np.ndarray, " n"] | None = None,
    cut: float | None = None,
) -> Radar:
    """Find the suspects of a look; best one of training items, since nothing is wrong with the probe's.

    distance: how far apart the contents of any two items lie, 0 for identical ones; see `distances`. truth: classes as
    they really are, with which the radar grades itself: a negative pair of one true class is false.
    """
    i, j = _negatives(look)
    score, median = _read_scores(look, i, j)
    overlap = neighbourhood_overlap(look)[i, j]
    likeness = np.full(len(i), np.nan) if distance is None else likenesses(distance)[i, j]
    identical = np.zeros(len(i), bool) if distance is None else distance[i, j] == 0
    suspicion = overlap if distance is None else (likeness + overlap) / 2
    limit = cut if cut is not None else CUT_ALONE if distance is None else CUT
    found = ((score > median) & (suspicion >= limit)) | identical
    push = _push(look, i, j)
    false = np.zeros(len(i), bool) if truth is None else truth[i] == truth[j]
    hits, suspects = int(np.count_nonzero(found & false)), int(np.count_nonzero(found))
    chosen = np.flatnonzero(found)
    # Identical items first: they need no further evidence.
    chosen = chosen[np.lexsort((chosen, -suspicion[chosen], ~identical[chosen]))]
    return Radar(
        pairs=Pairs(i[chosen], j[chosen], "all"),
        suspicion=suspicion[chosen],
        score=score[chosen],
        likeness=likeness[chosen],
        overlap=overlap[chosen],
        push=push[chosen],
        identical=identical[chosen],
        median=median,
        negatives=len(i),
        share_of_negatives=_share(suspects, len(i)),
        share_of_push=float("nan") if look.weight is None else float(push[chosen].sum()),
        known=-1 if truth is None else int(np.count_nonzero(false)),
        precision=float("nan") if truth is None else _share(hits, suspects),
        recall=float("nan") if truth is None else _share(hits, int(np.count_nonzero(false))),
        cut=limit,
        why_no_weight=look.why_no_weight,
    )


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


def _negatives(look: Look) -> tuple[Int[np.ndarray, " k"], Int[np.ndarray, " k"]]:
    """Positions of the pairs that the loss reads as negative, each once."""
    i, j = np.nonzero(look.read_neg if look.two_sided else np.triu(look.read_neg, k=1))
    return i, j


def _read_scores(look: Look, i: np.ndarray, j: np.ndarray) -> tuple[Float[np.ndarray, " k"], float]:
    """Scores of the negatives as the loss read them, and the median of the positives."""
    s = look.read_s if look.two_sided else (look.read_s + look.read_s.T) / 2
    positives = s[look.read_pos]
    return s[i, j], float(np.median(positives)) if len(positives) else float("nan")


def _push(look: Look, i: np.ndarray, j: np.ndarray) -> Float[np.ndarray, " k"]:
    """Share of all push that each pair owns, in both directions where items have one side."""
    if look.weight is None:
        return np.full(len(i), np.nan)
    push = np.maximum(look.weight, 0.0).astype(np.float64)
    owned: np.ndarray = push[i, j] if look.two_sided else push[i, j] + push[j, i]
    return np.asarray(owned / max(push.sum(), 1e-300))


def distances(x: np.ndarray) -> Float[np.ndarray, "n n"]:
    """Euclidean distance between any two rows of contents, whatever their shape; exactly 0 for equal ones."""
    flat = x.reshape(len(x), -1).astype(np.float64)
    square = np.einsum("ij,ij->i", flat, flat)
    apart = np.sqrt(np.maximum(square[:, None] + square[None, :] - 2.0 * flat @ flat.T, 0.0))
    _, kind = np.unique(flat, axis=0, return_inverse=True)
    kind = kind.ravel()
    # Rounding hides both ways: equal rows get no distance, and others a trace of one.
    return np.where(kind[:, None] == kind[None, :], 0.0, np.maximum(apart, np.finfo(np.float64).tiny))


def likenesses(distance: Float[np.ndarray, "n n"]) -> Float[np.ndarray, "n n"]:
    """Share of all pairs of two items that lie further apart than each pair does."""
    n = len(distance)
    every = np.sort(distance[np.triu_indices(n, k=1)])
    further = len(every) - np.searchsorted(every, distance, "right")
    return np.asarray(further / max(len(every), 1))


def neighbourhood_overlap(look: Look, k: int = NEIGHBOURS) -> Float[np.ndarray, "n n"]:
    """Share of the k + 1 nearest candidates of i that are among those of j, the item itself among its own.

    Of two sides: of the candidates nearest to side A of i, those that are among the candidates nearest to side B of j.
    """
    rows = _nearest(look.s, k + 1, own=not look.two_sided)
    columns = rows if not look.two_sided else _nearest(look.v @ look.v.T, k + 1, own=True)
    size = min(k + 1, max(len(look.y), 1))
    common: np.ndarray = rows @ columns.T / size
    return common


def _nearest(s: Float[np.ndarray, "n n"], count: int, *, own: bool) -> Float[np.ndarray, "n n"]:
    """1 for the `count` candidates of each row that score highest, ties by position; own: the item itself first."""
    held = s.copy()
    if own:
        np.fill_diagonal(held, np.inf)
    order = np.argsort(-held, axis=1, kind="stable")[:, :count]
    member = np.zeros(s.shape, np.float32)
    np.put_along_axis(member, order, 1.0, axis=1)
    return member


def selected(found: Radar, look: Look, most: int = MOST) -> Selection:
    """The most suspicious pairs as a selection."""
    ids = found.pairs.ids(look)[:most]
    return Selection(PairList(ids), step=look.step, of=look.of, name="suspected false negatives")


def mask_text(found: Radar, look: Look, most: int = MOST) -> str:
    """The value of an event "mask.pairs" that leaves the most suspicious pairs out of training.

    Raises ValueError for a look of the probe, whose items are never trained on.
    """
    if look.of != TRAINING:
        raise ValueError("the probe's items are not trained on: run the radar over training items to mask its pairs")
    return encode_pairs((min(pair), max(pair)) for pair in found.pairs.ids(look)[:most])
