"""What one lane shows of a brush: the brushed pairs in every panel, and their share of loss and gradient."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from models.diagnostics.histogram import histogram
from models.diagnostics.items import PairScores
from models.diagnostics.look import VIEWS, Look
from models.diagnostics.pairs import Pairs, foremost, spaced
from models.diagnostics.roc import rates

LINES, DOTS, RUGS, STRETCH = 300, 200, 200, 100  # most lines; dots and rugs of each kind; points of the ROC


@dataclass(frozen=True, eq=False)
class Brushed:
    """Some tens of kilobytes, however many pairs are brushed. Shares are in [0, 1], nan where the whole is nothing."""

    step: int
    label: str
    pairs: int  # brushed, each once
    positives: int
    negatives: int
    positive: np.ndarray  # (BINS,) brushed pairs on the bins of the histogram panel
    negative: np.ndarray
    rug_positive: np.ndarray  # (<= RUGS,) scores of brushed pairs, rising, evenly thinned
    rug_negative: np.ndarray
    threshold: np.ndarray  # (<= STRETCH,) where on the ROC the brushed scores lie, falling; empty without both kinds
    fpr: np.ndarray  # of all pairs of the scope at those thresholds
    tpr: np.ndarray
    dot_score: np.ndarray  # on the weight curve: scores that the loss read of brushed pairs, DOTS of a kind at most
    dot_weight: np.ndarray  # of one direction, anchor against candidate
    dot_positive: np.ndarray  # bool, as the loss takes the pair
    line_from: np.ndarray  # (<= LINES,) positions of both ends on the map, heaviest pair first
    line_to: np.ndarray
    line_weight: np.ndarray  # of the pair, both directions together; nan without weights
    line_positive: np.ndarray  # bool, by label
    items: np.ndarray  # positions of the items that have a brushed pair
    share_of_pairs: float  # of the pairs of the scope
    share_of_auc_loss: float  # of the misordered comparisons of the scope, ties half, those with a brushed pair in them
    share_of_pull: float  # of all that pulls in the scope, whatever the kind of pair
    share_of_push: float
    why_no_weight: str


def brushed(look: Look, pairs: Pairs, own: Int[np.ndarray, " k"] | None = None) -> Brushed:
    """All of it for one lane.

    own: positions of lassoed items; where a loss reads two views, the pair of an item's own views counts with them.
    """
    flat = pairs.i * len(look.y) + pairs.j
    score, positive = look.s.ravel()[flat], look.group[pairs.i] == look.group[pairs.j]
    whole = look.pair_scores(pairs.among)
    # The heaviest brush there is holds the whole scope, which is sorted already.
    everything = len(pairs) == len(whole.positive) + len(whole.negative)
    held = whole if everything else PairScores(np.sort(score[positive]), np.sort(score[~positive]))
    gradient = _Directed.of(look, pairs, own)
    dot = gradient.dots(look)
    line, weight = lines(look, pairs)
    return assembled(
        About(look.step, look.label, _ends(look, pairs), gradient.shares(look, pairs.among), look.why_no_weight),
        held,
        whole,
        Dots(
            look.read_s.ravel()[dot],
            np.full(len(dot), np.nan) if look.weight is None else look.weight.ravel()[dot],
            look.read_pos.ravel()[dot],
        ),
        Lines(pairs.i[line], pairs.j[line], weight, positive[line]),
    )


@dataclass(frozen=True, eq=False)
class About:
    """Whose pairs they are, and what they carry."""

    step: int
    label: str
    items: Int[np.ndarray, " c"]
    shares: tuple[float, float]  # of the pull and of the push of the scope
    why_no_weight: str


@dataclass(frozen=True, eq=False)
class Dots:
    """Pairs on the weight curve, as the loss reads them."""

    score: np.ndarray
    weight: np.ndarray
    positive: np.ndarray


@dataclass(frozen=True, eq=False)
class Lines:
    """Pairs on the map, the heaviest first."""

    start: np.ndarray
    end: np.ndarray
    weight: np.ndarray
    positive: np.ndarray


def assembled(about: About, held: PairScores, whole: PairScores, dots: Dots, lines: Lines) -> Brushed:
    """The record of some pairs. held: their scores; whole: those of the scope, the same object if all are held."""
    counts, everything = histogram(held), len(whole.positive) + len(whole.negative)
    threshold, fpr, tpr = _stretch(held, whole)
    pairs = len(held.positive) + len(held.negative)
    return Brushed(
        step=about.step,
        label=about.label,
        pairs=pairs,
        positives=len(held.positive),
        negatives=len(held.negative),
        positive=counts.positive,
        negative=counts.negative,
        rug_positive=held.positive[spaced(len(held.positive), RUGS)],
        rug_negative=held.negative[spaced(len(held.negative), RUGS)],
        threshold=threshold,
        fpr=fpr,
        tpr=tpr,
        dot_score=dots.score,
        dot_weight=dots.weight,
        dot_positive=dots.positive,
        line_from=lines.start,
        line_to=lines.end,
        line_weight=lines.weight,
        line_positive=lines.positive,
        items=about.items,
        share_of_pairs=pairs / everything if everything else float("nan"),
        share_of_auc_loss=auc_loss_share(held, whole),
        share_of_pull=about.shares[0],
        share_of_push=about.shares[1],
        why_no_weight=about.why_no_weight,
    )


def _ends(look: Look, pairs: Pairs) -> Int[np.ndarray, " c"]:
    """Positions of the items that stand at either end of a pair."""
    end = np.zeros(len(look.y), bool)
    end[pairs.i] = end[pairs.j] = True
    return np.flatnonzero(end)


def lost(positive: Float[np.ndarray, " p"], negative: Float[np.ndarray, " q"]) -> float:
    """Comparisons of a positive with a negative in which the negative scores higher, ties half; both rising."""
    if not (len(positive) and len(negative)):
        return 0.0
    below = np.searchsorted(negative, positive, "left")
    # Ties are rare: only the positives that meet an equal negative are looked up a second time.
    tied = negative[np.minimum(below, len(negative) - 1)] == positive
    equal = np.searchsorted(negative, positive[tied], "right") - below[tied]
    return len(negative) * len(positive) - int(below.sum()) - int(equal.sum()) / 2


def auc_loss_share(some: PairScores, whole: PairScores) -> float:
    """Share of the misordered comparisons that have one of some pairs in them; exact; nan if none is misordered.

    With either pair brushed: lost(A, all) + lost(all, B) - lost(A, B), A the brushed positives, B the negatives.
    """
    total = lost(whole.positive, whole.negative)
    if some is whole:
        return 1.0 if total else float("nan")
    held = lost(some.positive, whole.negative) + lost(whole.positive, some.negative)
    return (held - lost(some.positive, some.negative)) / total if total else float("nan")


def _stretch(some: PairScores, whole: PairScores) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(threshold, fpr, tpr) at brushed scores, evenly through them from the highest: one arc if they are one band."""
    scores = np.sort(np.concatenate([some.positive, some.negative]))[::-1]
    if not (whole.complete and len(scores)):
        return np.empty(0), np.empty(0), np.empty(0)
    threshold = np.unique(scores[spaced(len(scores), STRETCH)])[::-1]
    return threshold, *rates(whole, threshold)


@dataclass(frozen=True, eq=False)
class _Directed:
    """Flat positions of the brushed pairs in the matrix of what the loss reads: of one side, both directions."""

    flat: Int[np.ndarray, " k"]

    @classmethod
    def of(cls, look: Look, pairs: Pairs, own: Int[np.ndarray, " k"] | None) -> "_Directed":
        n = len(look.y)
        parts = [pairs.i * n + pairs.j]
        parts += [] if look.two_sided else [pairs.j * n + pairs.i]
        parts += [own * (n + 1)] if own is not None and look.reads == VIEWS else []
        return cls(np.concatenate(parts))

    def shares(self, look: Look, among: str) -> tuple[float, float]:
        """Shares of the pull and of the push of a scope that the brushed pairs carry."""
        if look.weight is None:
            return float("nan"), float("nan")
        keep = look.keep(among).astype(look.weight.dtype)
        size, held = np.abs(look.weight), look.weight.ravel()[self.flat]
        # |w| + w is twice the push and |w| - w twice the pull: two sums a matrix, and no copy of either sign.
        net, gross = float(keep @ look.weight @ keep), float(keep @ size @ keep)
        held_net, held_gross = float(held.sum(dtype=np.float64)), float(np.abs(held).sum(dtype=np.float64))
        totals = ((gross - net, held_gross - held_net), (gross + net, held_gross + held_net))
        pull, push = (part / whole if whole > 0 else float("nan") for whole, part in totals)
        return pull, push

    def dots(self, look: Look) -> Int[np.ndarray, " c"]:
        """Evenly spaced ones of each kind, the same as long as the brushed pairs stay."""
        if look.weight is None:
            return self.flat[:0]
        positive = look.read_pos.ravel()[self.flat]
        kinds = (np.flatnonzero(positive), np.flatnonzero(~positive))
        chosen: np.ndarray = self.flat[np.concatenate([kind[spaced(len(kind), DOTS)] for kind in kinds])]
        return chosen


def lines(look: Look, pairs: Pairs) -> tuple[Int[np.ndarray, " c"], Float[np.ndarray, " c"]]:
    """Which pairs to draw on the map, and their weights: the heaviest, or without weights the most wrong."""
    if look.pair_weight is None:
        line = foremost(wrongness(look, pairs), LINES)
        return line, np.full(len(line), np.nan)
    weight = look.pair_weight[pairs.i, pairs.j]
    line = foremost(np.abs(weight), LINES)
    return line, weight[line]


def wrongness(look: Look, pairs: Pairs) -> Float[np.ndarray, " k"]:
    """Cosine of a negative, minus the cosine of a positive: the larger, the more wrong."""
    score = look.s[pairs.i, pairs.j]
    return np.asarray(np.where(look.group[pairs.i] == look.group[pairs.j], -score, score))
