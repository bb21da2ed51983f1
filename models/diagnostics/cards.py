"""Pair cards: what is known of some pairs, in the order in which to read them, and how they came to be so."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from models.diagnostics.brushed import wrongness
from models.diagnostics.look import Look
from models.diagnostics.pair_loss import pair_losses
from models.diagnostics.pairs import Pairs, foremost

ORDERS = ("weight", "score", "wrong", "given")
CARDS = 24
_AT_ONCE = 2048  # rows of candidates that are compared at once: some megabytes


@dataclass(frozen=True, eq=False)
class Cards:
    """One row a pair. Of items with one side, weight and loss are those of both directions together."""

    i: Int[np.ndarray, " k"]  # positions in the look: anchor, or the first of two
    j: Int[np.ndarray, " k"]
    item_i: Int[np.ndarray, " k"]  # ids, for text and picture
    item_j: Int[np.ndarray, " k"]
    label_i: Int[np.ndarray, " k"]  # classes
    label_j: Int[np.ndarray, " k"]
    positive: np.ndarray  # (k,) bool, by label, or by instance of two sides
    read_positive: np.ndarray  # (k,) bool, as the loss takes the pair: of two views, never for two items
    score: Float[np.ndarray, " k"]  # cosine
    weight: Float[np.ndarray, " k"]  # signed: negative pulls, positive pushes; nan without weights
    loss: Float[np.ndarray, " k"]  # part of the loss; nan where the loss is no sum over pairs
    rank: Int[np.ndarray, " k"]  # of j among the candidates of i by falling score, from 1
    rank_back: Int[np.ndarray, " k"]  # of i among the candidates of j; of two sides, among the anchors
    wrong: Float[np.ndarray, " k"]  # share of the pairs of the other kind that it is misordered with, ties half
    why_no_weight: str
    why_no_loss: str

    def __len__(self) -> int:
        return len(self.i)

    @property
    def pairs(self) -> Pairs:
        """The pairs, in the order of the cards."""
        return Pairs(self.i, self.j, "all")


def cards(look: Look, pairs: Pairs, order: str = "weight", most: int | None = CARDS) -> Cards:
    """Cards of the foremost pairs: by falling |weight|, by falling score, or the most wrong first.

    Without weights "weight" is as "wrong"; "given" keeps the order of the pairs; most None makes a card of every pair.
    Raises ValueError on another order.
    """
    chosen = pairs.take(_order(look, pairs, order, len(pairs) if most is None else most))
    i, j = chosen.i, chosen.j
    loss, why_no_loss = _losses(look, i, j)
    score, positive = look.s[i, j], look.group[i] == look.group[j]
    return Cards(
        i=i,
        j=j,
        item_i=look.item[i],
        item_j=look.item[j],
        label_i=look.y[i],
        label_j=look.y[j],
        positive=positive,
        read_positive=look.read_pos[i, j],
        score=score,
        weight=look.pair_weight_at(i, j),
        loss=loss,
        rank=rank(look, i, j),
        rank_back=rank(look, j, i, back=True),
        wrong=_wrong(look, score, positive, pairs.among),
        why_no_weight=look.why_no_weight,
        why_no_loss=why_no_loss,
    )


def _order(look: Look, pairs: Pairs, order: str, most: int) -> Int[np.ndarray, " c"]:
    if order not in ORDERS:
        raise ValueError(f"order must be one of {', '.join(ORDERS)}, got {order!r}")
    if order == "given":
        return np.arange(min(most, len(pairs)))
    if order == "weight" and look.pair_weight is not None:
        return foremost(np.abs(look.pair_weight[pairs.i, pairs.j]), most)
    return foremost(look.s[pairs.i, pairs.j] if order == "score" else wrongness_by_kind(look, pairs), most)


def wrongness_by_kind(look: Look, pairs: Pairs) -> Float[np.ndarray, " k"]:
    """Share of the pairs of the other kind that each is misordered with; of equal shares the further one out is higher.

    The second part is below the least difference of two shares, so that it decides ties alone.
    """
    score, positive = look.s[pairs.i, pairs.j], look.group[pairs.i] == look.group[pairs.j]
    whole = look.pair_scores(pairs.among)
    least = 0.25 / max(len(whole.positive), len(whole.negative), 1)
    share: np.ndarray = _wrong(look, score, positive, pairs.among) + least * wrongness(look, pairs)
    return share


def _wrong(look: Look, score: np.ndarray, positive: np.ndarray, among: str) -> Float[np.ndarray, " k"]:
    """Of a positive the share of negatives above it, of a negative the share of positives below; 0 if there is none."""
    whole = look.pair_scores(among)
    below_n, reach_n = (np.searchsorted(whole.negative, score, side) for side in ("left", "right"))
    below_p, reach_p = (np.searchsorted(whole.positive, score, side) for side in ("left", "right"))
    above = (len(whole.negative) - (below_n + reach_n) / 2) / max(len(whole.negative), 1)
    below = (below_p + reach_p) / 2 / max(len(whole.positive), 1)
    share: np.ndarray = np.where(positive, above, below)
    return share


def _losses(look: Look, i: Int[np.ndarray, " k"], j: Int[np.ndarray, " k"]) -> tuple[Float[np.ndarray, " k"], str]:
    """Part of the loss of each pair, both directions together where items have one side, or nan and the reason."""
    anchors = np.unique(i if look.two_sided else np.concatenate([i, j]))
    parts, reason = pair_losses(look, anchors)
    if parts is None:
        return np.full(len(i), np.nan), reason
    row = np.searchsorted(anchors, i)
    found: np.ndarray = parts[row, j] if look.two_sided else parts[row, j] + parts[np.searchsorted(anchors, j), i]
    return found, ""


def rank(look: Look, i: Int[np.ndarray, " k"], j: Int[np.ndarray, " k"], back: bool = False) -> Int[np.ndarray, " k"]:
    """1 + the candidates of i that score higher than j does, those that tie counted if they stand before it.

    Candidates are all other items, of two sides all sides B. back: i is a candidate, ranked among them is anchor j.
    """
    s = look.s.T if back else look.s
    found = np.ones(len(i), np.int64)
    for start in range(0, len(i), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        rows, column = s[i[part]], j[part, None]
        own = np.take_along_axis(rows, column, axis=1)
        ahead = (rows > own) | ((rows == own) & (np.arange(rows.shape[1])[None, :] < column))
        if not look.two_sided:
            np.put_along_axis(ahead, i[part, None], values=False, axis=1)
        found[part] += np.count_nonzero(ahead, axis=1)
    return found


def nearest(look: Look, threshold: float, count: int = 8, among: str = "seen") -> tuple[Pairs, Pairs]:
    """(accepted, rejected): the pairs nearest a threshold on each side, nearest first, ties in order of position.

    A pair at the threshold is accepted.
    """
    flat = np.sort(np.concatenate(look.positions(among)))
    score = look.s.ravel()[flat]
    sides = []
    for inside, sign in ((score >= threshold, -1.0), (score < threshold, 1.0)):
        side = flat[inside]
        chosen = side[foremost(sign * score[inside], count)]
        sides.append(Pairs(chosen // len(look.y), chosen % len(look.y), among))
    return sides[0], sides[1]


@dataclass(frozen=True, eq=False)
class Trail:
    """Sparklines: how scores and weights of some pairs went, a row a pair and a column a look."""

    step: Int[np.ndarray, " t"]
    score: Float[np.ndarray, "k t"]
    weight: Float[np.ndarray, "k t"]  # of the pair, both directions together; nan without weights


def trail(looks: Sequence[Look], pairs: Pairs, home: Look) -> Trail:
    """The same pairs in every look of one lane, by rising step. home: the look that the pairs are of.

    Raises ValueError if a look is not of the same items.
    """
    columns = []
    for look in looks:
        if not np.array_equal(look.item, home.item):
            raise ValueError(f"the look of step {look.step} is not of the same items: start its trail anew")
        columns.append((look.score_at(pairs.i, pairs.j), look.pair_weight_at(pairs.i, pairs.j)))
    shape = (len(pairs), len(looks))
    score, weight = (np.array([c[k] for c in columns], np.float64).reshape(shape[::-1]).T for k in (0, 1))
    return Trail(np.array([look.step for look in looks], np.int64), score, weight)


def table(look: Look, pairs: Pairs) -> dict[str, np.ndarray]:
    """Every pair as columns of one length, for export: ids, labels, kind, score, weight, part of the loss, ranks."""
    held = cards(look, pairs, "given", None)
    return {
        "item_i": held.item_i,
        "item_j": held.item_j,
        "label_i": held.label_i,
        "label_j": held.label_j,
        "positive": held.positive,
        "read_positive": held.read_positive,
        "cosine": held.score,
        "weight": held.weight,
        "loss": held.loss,
        "rank": held.rank,
        "rank_back": held.rank_back,
        "wrong": held.wrong,
        "step": np.full(len(held), look.step, np.int64),
    }
