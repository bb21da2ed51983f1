"""What a loss does to pairs: weight against similarity, who carries the push, and the map of all weights.

Signs as in `models.sensitivity`: a negative weight pulls a pair together, a positive one pushes it apart.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from models.diagnostics.order import sortable, unsortable
from models.diagnostics.response import measured_curves
from models.diagnostics.summary import WeightProfile
from models.snapshot import Lens, Snapshot

SCORE_BINS, DOTS, BLOCKS = 40, 200, 50  # DOTS of each kind of pair
HARDEST = 0.01
_LOW, _HIGH = 0.1, 0.9


@dataclass(frozen=True, eq=False)
class Binned:
    """Weights of one kind of pair by score bin: mean and two quantiles, nan where the bin is empty."""

    mean: Float[np.ndarray, " bins"]
    low: Float[np.ndarray, " bins"]
    high: Float[np.ndarray, " bins"]


def weight_profile(snapshot: Snapshot, every: int = 1) -> WeightProfile | None:
    """The profile of the scores the loss really read; None where it reads none (`why_no_weight` says why).

    every: the spread within a bin is taken over each so many-th pair; all other numbers are over all pairs.
    """
    lens = snapshot.lens
    if lens is None:
        return None
    # Losses that read proxies or logits see the seen classes only; the others see the whole probe.
    y = snapshot.y if len(lens.s) == len(snapshot.y) else snapshot.y[snapshot.seen]
    return lens_profile(lens, y, every)


def lens_profile(lens: Lens, y: Int[np.ndarray, " n"], every: int = 1) -> WeightProfile:
    """The profile of any scores with their weights; y: the class of each anchor."""
    edges = score_edges(lens.s, lens.candidates)
    of_positives, of_negatives = lens.weight[lens.pos], lens.weight[lens.neg]
    negatives = lens.s[lens.neg]
    pull, push = binned(lens.s[lens.pos], of_positives, edges, every), binned(negatives, of_negatives, edges, every)
    score, weight, positive = dots(lens.s, lens.pos, lens.neg, lens.weight)
    heat, first = heat_map(lens.weight, lens.pos | lens.neg, y)
    pull_curve, push_curve = measured_curves(lens)
    return WeightProfile(
        candidates=lens.candidates,
        centre=(edges[1:] + edges[:-1]) / 2,
        pull=pull.mean,
        pull_low=pull.low,
        pull_high=pull.high,
        push=push.mean,
        push_low=push.low,
        push_high=push.high,
        dot_score=score,
        dot_weight=weight,
        dot_positive=positive,
        grid=lens.grid,
        pull_curve=pull_curve,
        push_curve=push_curve,
        heat=heat,
        heat_class=y[first],
        hardest_share=hardest_share(negatives, of_negatives),
        effective_negatives=effective_negatives(lens.neg, lens.weight),
        negatives=mean_count(lens.neg),
        pull_push=pull_push(of_positives, of_negatives),
        active=active(of_positives, of_negatives),
        own_class=own_class_share(lens, y),
    )


def score_edges(s: Float[np.ndarray, "n m"], candidates: str) -> Float[np.ndarray, " edges"]:
    """Edges of the score bins: [-1, 1] for cosines, the range of the scores for logits."""
    if candidates != "class logits" or s.size == 0:
        return np.linspace(-1.0, 1.0, SCORE_BINS + 1)
    low, high = float(s.min()), float(s.max())
    return np.linspace(low, high if high > low else low + 1.0, SCORE_BINS + 1)


def binned(
    score: Float[np.ndarray, " k"], weight: Float[np.ndarray, " k"], edges: Float[np.ndarray, " edges"], every: int = 1
) -> Binned:
    """Mean, 10 % and 90 % quantile (linear between order statistics) of the weights in each bin; float32 weights.

    every: the quantiles are those of each so many-th pair.
    """
    bins = len(edges) - 1
    width = (edges[-1] - edges[0]) / bins
    position = ((score - edges[0]) / width).astype(np.int64).clip(0, bins - 1)
    count = np.bincount(position, minlength=bins)
    total = np.bincount(position, weights=weight, minlength=bins)
    mean = np.divide(total, count, out=np.full(bins, np.nan), where=count > 0)
    # Bin and weight packed into one integer: one sort puts every bin's weights in order, one bin after another.
    position, weight = position[::every], weight[::every]
    key = np.sort((position << 32) | (sortable(weight.astype(np.float32)).astype(np.int64) + (1 << 31)))
    ordered = unsortable(((key & 0xFFFFFFFF) - (1 << 31)).astype(np.int32))
    count = np.bincount(position, minlength=bins)
    start = np.cumsum(count) - count
    return Binned(mean, *(_quantiles(ordered, start, count, q) for q in (_LOW, _HIGH)))


def _quantiles(ordered: np.ndarray, start: np.ndarray, count: np.ndarray, q: float) -> np.ndarray:
    """One quantile of each run of an array; nan for an empty run."""
    found = np.full(len(count), np.nan)
    some = count > 0
    place = q * (count[some] - 1)
    below = np.floor(place).astype(np.int64)
    above = np.minimum(below + 1, count[some] - 1)
    low, high = (ordered[start[some] + at].astype(np.float64) for at in (below, above))
    found[some] = low + (place - below) * (high - low)
    return found


def dots(
    s: Float[np.ndarray, "n m"], pos: Bool[np.ndarray, "n m"], neg: Bool[np.ndarray, "n m"], weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Score, weight and kind of at most DOTS positives and DOTS negatives, the same pairs as long as masks last."""
    chosen = [_spaced(np.flatnonzero(mask)) for mask in (pos, neg)]
    flat = np.concatenate(chosen)
    return s.ravel()[flat], weight.ravel()[flat], np.arange(len(flat)) < len(chosen[0])


def _spaced(where: np.ndarray) -> np.ndarray:
    if len(where) <= DOTS:
        return where
    picked: np.ndarray = where[np.linspace(0, len(where) - 1, DOTS).round().astype(np.int64)]
    return picked


def heat_map(
    weight: Float[np.ndarray, "n m"], counted: Bool[np.ndarray, "n m"], y: np.ndarray
) -> tuple[Float[np.ndarray, "h w"], np.ndarray]:
    """Mean weight of the counted pairs of each block, 0 where it has none, and the first anchor of each block row.

    Anchors are sorted by class, and so are the candidates where they are the same items; proxies and logits are in
    order of class as they come.
    """
    n, m = weight.shape
    order = np.argsort(y, kind="stable")
    rows = _membership(order, weight.dtype)
    columns = rows if m == n else _membership(np.arange(m), weight.dtype)
    total = rows @ np.where(counted, weight, 0) @ columns.T
    pairs = rows @ counted.astype(weight.dtype) @ columns.T
    first = order[np.arange(len(rows)) * n // max(len(rows), 1)]
    return np.divide(total, pairs, out=np.zeros_like(total), where=pairs > 0), first


def _membership(order: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """(blocks, n) 0/1: which item is in which of at most BLOCKS nearly equal stretches of an order."""
    n = len(order)
    blocks = min(n, BLOCKS)
    starts = np.arange(blocks) * n // max(blocks, 1)
    member = np.zeros((blocks, n), dtype)
    member[np.searchsorted(starts, np.arange(n), "right") - 1, order] = 1
    return member


def hardest_share(score: Float[np.ndarray, " k"], weight: Float[np.ndarray, " k"]) -> float:
    """Share of the push on negatives that the highest-scoring 1 % of them (at least one) carries; nan without push.

    Negatives that tie at the border share what is left of the 1 % equally.
    """
    push = np.maximum(weight, 0)
    total = float(push.sum(dtype=np.float64))
    if total == 0:
        return float("nan")
    k = max(round(HARDEST * len(score)), 1)
    border = np.partition(score, len(score) - k)[len(score) - k]
    above, at = push[score > border], push[score == border]
    left = (k - len(above)) / len(at)
    return float(above.sum(dtype=np.float64) + left * at.sum(dtype=np.float64)) / total


def own_class_share(lens: Lens, y: Int[np.ndarray, " n"]) -> float | None:
    """Share of the push on negatives that falls on negatives of the anchor's own class: false ones, if class counts.

    None where the candidates are not the probe's items, one or two views of each; nan without push.
    """
    n, m = lens.s.shape
    if n != len(y) or m not in (n, 2 * n):
        return None
    push = np.maximum(lens.weight, 0.0) * lens.neg
    total = float(push.sum(dtype=np.float64))
    own = y[:, None] == np.resize(y, m)[None, :]
    return float(push[own].sum(dtype=np.float64)) / total if total > 0 else float("nan")


def effective_negatives(neg: Bool[np.ndarray, "n m"], weight: np.ndarray) -> float:
    """Mean over anchors with push of exp(-sum_j p_j log p_j), p_j the share of negative j in the anchor's push.

    The entropy is that of the relative penalty of paper 11 (arXiv 2012.09740): 1 if one negative takes all, the number
    of negatives if all are pushed alike. nan without push.
    """
    push = np.maximum(weight, 0.0) * neg
    total = push.sum(axis=1, dtype=np.float64)
    push, total = push[total > 0], total[total > 0]
    if len(total) == 0:
        return float("nan")
    # H = log(total) - sum w log w / total; w is lifted off zero inside the logarithm only, where it counts nothing.
    surprise = np.einsum("ij,ij->i", push, np.log(np.maximum(push, np.finfo(push.dtype).tiny)))
    return float(np.exp(np.log(total) - surprise / total).mean())


def relative_penalty(
    pos: Bool[np.ndarray, "n m"], neg: Bool[np.ndarray, "n m"], weight: Float[np.ndarray, "n m"]
) -> Float[np.ndarray, "n m"]:
    """r_i = |dL/ds_ij| / |sum of the anchor's pull| on its negatives, 0 elsewhere; nan rows for anchors without pull.

    Paper 11 (arXiv 2012.09740) has one positive an anchor; with several their pulls add up.
    """
    pull = np.abs(np.where(pos, weight, 0.0).sum(axis=1, keepdims=True, dtype=np.float64))
    ratio = np.divide(np.abs(weight), pull, out=np.full(weight.shape, np.nan), where=pull > 0)
    return np.where(neg | (pull <= 0), ratio, 0.0)


def mean_count(neg: Bool[np.ndarray, "n m"]) -> float:
    """Mean number of negatives of the anchors that have one; nan if none has."""
    count = np.count_nonzero(neg, axis=1)
    return float(count[count > 0].mean()) if count.any() else float("nan")


def pull_push(of_positives: np.ndarray, of_negatives: np.ndarray) -> float:
    """Sum of all pulling weights over the sum of all pushing weights, by sign and not by kind; nan without push."""
    weight = np.concatenate([of_positives, of_negatives])
    push = float(np.maximum(weight, 0).sum(dtype=np.float64))
    return float(-np.minimum(weight, 0).sum(dtype=np.float64)) / push if push > 0 else float("nan")


def active(of_positives: np.ndarray, of_negatives: np.ndarray) -> float:
    """Share of the counted pairs whose weight is not 0; nan if none is counted."""
    pairs = len(of_positives) + len(of_negatives)
    acting = int(np.count_nonzero(of_positives) + np.count_nonzero(of_negatives))
    return acting / pairs if pairs else float("nan")
