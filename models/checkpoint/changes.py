"""Two checkpoints of the same items: what changed, for which classes, items and pairs, and how sure that is.

Intervals are paired bootstraps over items: the same items are drawn for both, and their pairs follow.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.diagnostics.bootstrap import auc_replicates
from models.diagnostics.findings.evidence import Evidence
from models.diagnostics.findings.finding import Selection
from models.diagnostics.items import pair_scores, unordered
from models.diagnostics.measured import Measured, drawn, resampled_mean
from models.diagnostics.roc import auc

MOST_CLASSES, MOST = 50, 50  # classes, and items or pairs, that are told


@dataclass(frozen=True)
class ClassChange:
    """One class: AUC of its items' pairs, and recall@1 of its items, after minus before."""

    label: int
    name: str
    auc: Measured
    recall: Measured


@dataclass(frozen=True, eq=False)
class Change:
    """After minus before. Items changed in their margin: their mean positive score minus their mean negative one."""

    before: str
    after: str
    measures: Mapping[str, Measured]  # auc, recall_at_1, mean_cosine, tolerance
    classes: tuple[ClassChange, ...]  # the largest change of AUC first
    items: np.ndarray  # (k,) rows, the largest change first
    item_change: np.ndarray  # (k,) of their margin
    pairs: np.ndarray  # (p, 2) rows, the largest change first
    pair_change: np.ndarray  # (p,) of their score
    pair_match: np.ndarray  # (p,) bool

    def selection(self) -> Selection:
        """The items and pairs that changed most."""
        return Selection(self.items, self.pairs)

    def as_dict(self) -> dict[str, Any]:
        """For the JSON: intervals as {value, low, high}, the rest as lists."""
        return {
            "before": self.before,
            "after": self.after,
            "measures": {name: _interval(found) for name, found in self.measures.items()},
            "classes": [
                {"label": one.label, "name": one.name, "auc": _interval(one.auc), "recall_at_1": _interval(one.recall)}
                for one in self.classes
            ],
            "items": [
                {"row": int(row), "change": _number(by)} for row, by in zip(self.items, self.item_change, strict=True)
            ],
            "pairs": [
                {"rows": [int(a), int(b)], "change": _number(by), "match": bool(match)}
                for (a, b), by, match in zip(self.pairs, self.pair_change, self.pair_match, strict=True)
            ],
        }


def _number(value: float) -> float | None:
    return float(f"{value:.9g}") if np.isfinite(value) else None


def _interval(found: Measured) -> dict[str, float | None]:
    return {"value": _number(found.value), "low": _number(found.low), "high": _number(found.high)}


def change(before: Evidence, after: Evidence, names: tuple[str, ...] = ()) -> Change | None:
    """What changed between two checkpoints of the same sampled items; None where no pairs are known.

    names: of the classes. Raises ValueError for different items.
    """
    if not np.array_equal(before.row, after.row):
        raise ValueError(f"{before.name} and {after.name} have different items: give the same items in the same order")
    if before.s is None or after.s is None or after.pos is None or after.neg is None:
        return None
    moved = after.s.astype(np.float64) - before.s
    items, by = _items(moved, after.pos, after.neg)
    pairs, pair_by, match = _pairs(moved, after)
    return Change(
        before=before.name,
        after=after.name,
        measures=_measures(before, after),
        classes=_classes(before, after, names),
        items=after.selected(items),
        item_change=by,
        pairs=pairs,
        pair_change=pair_by,
        pair_match=match,
    )


def _measures(before: Evidence, after: Evidence) -> dict[str, Measured]:
    assert after.s is not None
    assert before.s is not None
    assert after.pos is not None
    found = {}
    if after.auc.known and before.auc.known:
        drawn_auc = after.auc_replicates - before.auc_replicates
        found["auc"] = drawn(after.auc.value - before.auc.value, drawn_auc)
    hits = after.hits - before.hits
    found["recall_at_1"] = resampled_mean(hits[np.isfinite(hits)])
    mean = after.mean_cosine.value - before.mean_cosine.value
    found["mean_cosine"] = Measured(mean)
    moved = _row_means(after.s - before.s, after.pos)
    found["tolerance"] = resampled_mean(moved[np.isfinite(moved)])
    return found


def _row_means(values: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Mean over the marked candidates of each item; nan where it has none."""
    count = mask.sum(axis=1)
    total = np.where(mask, values, 0.0).sum(axis=1, dtype=np.float64)
    means: np.ndarray = np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0)
    return means


def _items(moved: np.ndarray, pos: np.ndarray, neg: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places and changes of the items whose margin changed most."""
    margin = _row_means(moved, pos) - _row_means(moved, neg)
    known = np.flatnonzero(np.isfinite(margin))
    top = known[np.argsort(-np.abs(margin[known]), kind="stable")[:MOST]]
    return top, margin[top]


def _pairs(moved: np.ndarray, after: Evidence) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows, changes and kind of the pairs whose score changed most, each unordered pair once."""
    assert after.pos is not None
    assert after.neg is not None
    counted = after.pos | after.neg
    if after.column is None and unordered(after.pos, after.neg):
        counted = np.triu(counted, 1)
    first, second = np.nonzero(counted)
    by = moved[first, second]
    top = np.argsort(-np.abs(by), kind="stable")[:MOST]
    rows = after.selected_pairs(first[top], second[top])
    return rows, by[top], after.pos[first[top], second[top]]


def _classes(before: Evidence, after: Evidence, names: tuple[str, ...]) -> tuple[ClassChange, ...]:
    """Every class that has pairs of both kinds; of many, the largest ones."""
    if after.y is None:
        return ()
    labels, sizes = np.unique(after.y, return_counts=True)
    found = []
    for label in labels[np.argsort(-sizes, kind="stable")][:MOST_CLASSES].tolist():
        own = after.y == label
        scores = [_of_class(one, own) for one in (before, after)]
        if any(part is None for part in scores):
            continue
        (value, replicates), (later, later_replicates) = (part for part in scores if part is not None)
        hits = (after.hits - before.hits)[own]
        name = names[label] if label < len(names) else str(label)
        by = drawn(later - value, later_replicates - replicates)
        found.append(ClassChange(int(label), name, by, resampled_mean(hits[np.isfinite(hits)])))
    return tuple(sorted(found, key=lambda one: (-abs(one.auc.value), one.label)))


def _of_class(one: Evidence, own: np.ndarray) -> tuple[float, np.ndarray] | None:
    """AUC of the pairs that have an item of the class, and its replicates: its own pairs against those with others."""
    assert one.s is not None
    assert one.pos is not None
    assert one.neg is not None
    touching = own[:, None] | own[None, :]
    pos, neg = one.pos & touching, one.neg & touching
    if not (pos.any() and neg.any()):
        return None
    return auc(pair_scores(one.s, pos, neg)), auc_replicates(one.s, pos, neg)
