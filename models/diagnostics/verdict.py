"""What differs between two lanes, and whether it can be told apart from chance."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np
from jaxtyping import Bool, Float
from scipy.special import stdtrit

from models.diagnostics.bootstrap import LEVEL, auc_replicates, draws_for, interval, pair_means
from models.diagnostics.items import Items, pair_scores, snapshot_items
from models.diagnostics.neighbours import first_hits
from models.diagnostics.plane import closeness, plane
from models.diagnostics.roc import auc
from models.diagnostics.summary import RocCurve
from models.snapshot import Snapshot

MEASURES = {"auc": "AUC", "recall_at_1": "recall@1", "uniformity": "Uniformity", "tolerance": "Tolerance"}


@dataclass(frozen=True)
class Verdict:
    """Lane B minus lane A with its 95 % interval; nan where it cannot be computed, and the sentence says why."""

    difference: float
    low: float
    high: float
    distinguishable: bool  # the interval leaves 0 out
    sentence: str


def compare(
    a: Snapshot, b: Snapshot, measure: str = "auc", names: tuple[str, str] = ("A", "B"), seed: int = 0
) -> Verdict:
    """One measure of two snapshots of the same items: bootstrap over items of seen classes, paired.

    The interval is about which items were drawn for the probe, not about the training seed: for that there is
    `compare_seeds`. Raises ValueError for an unknown measure or different items.
    """
    if measure not in MEASURES:
        raise ValueError(f"measure must be one of {', '.join(MEASURES)}, got {measure!r}")
    if not (np.array_equal(a.item[a.seen], b.item[b.seen]) and np.array_equal(a.y[a.seen], b.y[b.seen])):
        raise ValueError("the two lanes are measured on different items: compare lanes of the same data set and probe")
    value_a, replicates_a = _sampled(snapshot_items(a, a.seen), measure, seed)
    value_b, replicates_b = _sampled(snapshot_items(b, b.seen), measure, seed)
    low, high = interval(replicates_b - replicates_a)
    return _verdict(MEASURES[measure], value_b - value_a, (low, high), names[1], "at one seed")


def compare_scores(
    a: Float[np.ndarray, "n m"],
    b: Float[np.ndarray, "n m"],
    pos: Bool[np.ndarray, "n m"],
    neg: Bool[np.ndarray, "n m"],
    names: tuple[str, str] = ("A", "B"),
) -> Verdict:
    """AUC of two score matrices over the same pairs: bootstrap over items, paired."""
    difference = auc(pair_scores(b, pos, neg)) - auc(pair_scores(a, pos, neg))
    replicates = auc_replicates(b, pos, neg) - auc_replicates(a, pos, neg)
    return _verdict("AUC", difference, interval(replicates), names[1], "at one seed")


def compare_curves(a: RocCurve, b: RocCurve, names: tuple[str, str] = ("A", "B")) -> Verdict:
    """AUC of two lanes measured on the same items, from the replicates that each curve carries: paired, and at once.

    Curves over different numbers of pairs cannot come from the same items: they are not compared.
    """
    nan = float("nan")
    if (a.positives, a.negatives) != (b.positives, b.negatives):
        told = "AUC cannot be compared: the lanes are measured on different items"
        return Verdict(b.auc - a.auc, nan, nan, distinguishable=False, sentence=told)
    # A lane that was looked at in a hurry carries fewer replicates: the same first ones, so the pairing holds.
    common = min(len(a.replicates), len(b.replicates))
    if common == 0:
        return _verdict("AUC", nan, (nan, nan), names[1], "at one seed")
    difference = b.replicates[:common].astype(np.float64) - a.replicates[:common]
    return _verdict("AUC", b.auc - a.auc, interval(difference), names[1], "at one seed")


def compare_seeds(
    values_a: Sequence[float], values_b: Sequence[float], measure: str = "AUC", names: tuple[str, str] = ("A", "B")
) -> Verdict:
    """Student's t interval of the mean paired difference; value k of both lanes comes from the same seed.

    Seeds at which either value is nan are left out. Raises ValueError for lists of different length.
    """
    if len(values_a) != len(values_b):
        raise ValueError(f"seeds must be paired: lane {names[0]} has {len(values_a)}, lane {names[1]} {len(values_b)}")
    differences = np.asarray(values_b, np.float64) - np.asarray(values_a, np.float64)
    differences = differences[np.isfinite(differences)]
    n = len(differences)
    mean = float(differences.mean()) if n else float("nan")
    if n < 2:
        told = f"{measure}: {n} seed{'' if n == 1 else 's'} in common, an interval over seeds needs at least 2"
        return Verdict(mean, float("nan"), float("nan"), distinguishable=False, sentence=told)
    half = float(stdtrit(n - 1, (1 + LEVEL) / 2) * differences.std(ddof=1) / np.sqrt(n))
    return _verdict(measure, mean, (mean - half, mean + half), names[1], f"over {n} seeds")


def _sampled(items: Items, measure: str, seed: int) -> tuple[float, np.ndarray]:
    """A measure of some items, and its value in each replicate."""
    if measure == "auc":
        exact = auc(pair_scores(items.s, items.pos, items.neg))
        return exact, auc_replicates(items.s, items.pos, items.neg, seed)
    rows, columns = draws_for(items.pos, items.neg, seed)
    if measure == "recall_at_1":
        # The items that ask are drawn anew; the gallery they ask stays, as a nearest neighbour has no weight.
        hits = first_hits(items)
        asking = np.isfinite(hits)
        total = rows @ asking.astype(np.float64)
        kept = rows @ np.nan_to_num(hits)
        share = np.divide(kept, total, out=np.full(len(total), np.nan), where=total > 0)
        return float(hits[asking].mean()) if asking.any() else float("nan"), share
    if measure == "tolerance":
        return plane(items).tolerance, pair_means(items.s, items.pos, rows, columns)
    return plane(items).uniformity, -np.log(pair_means(closeness(items), items.pos | items.neg, rows, columns))


def _verdict(what: str, difference: float, between: tuple[float, float], lane: str, where: str) -> Verdict:
    low, high = between
    if not (isfinite(difference) and isfinite(low) and isfinite(high)):
        told = f"{what} cannot be compared: it is not defined in both lanes"
        return Verdict(difference, low, high, distinguishable=False, sentence=told)
    apart = low > 0 or high < 0
    numbers = [f"{value:+.{_digits(high - low)}f}" for value in (difference, low, high)]
    told = (
        f"{what} {numbers[0]} for lane {lane} (95 % interval {numbers[1]} to {numbers[2]}): "
        f"{'distinguishable' if apart else 'not distinguishable'} {where}"
    )
    return Verdict(difference, low, high, distinguishable=apart, sentence=told)


def _digits(width: float) -> int:
    """Decimals that show two figures of an interval's width, three at least and six at most."""
    return 3 if width <= 0 else int(np.clip(np.ceil(-np.log10(width)) + 1, 3, 6))
