"""What a trial measures among held-out items, and how they are searched; of every measure higher is better."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from models.diagnostics.findings.slices import best_threshold
from models.diagnostics.items import Items, items_of, pair_scores
from models.diagnostics.neighbours import first_hits
from models.diagnostics.roc import auc
from models.diagnostics.spectrum import rank_of

SEARCHES = ("cosine", "dot", "local", "by slice")
MEASURES = {
    "recall_at_1": "recall@1",
    "auc": "AUC",
    "auc_unseen": "AUC among unseen classes",
    "effective_rank": "effective rank",
    "spread": "1 - mean cosine",
    "one_threshold": "balanced accuracy at one threshold",
}
LOCAL = 10  # neighbours that local scaling takes the mean of


@dataclass(frozen=True, eq=False)
class Part:
    """Some items, embedded."""

    z: Float[np.ndarray, "n d"]
    y: Int[np.ndarray, " n"]
    group: Int[np.ndarray, " n"] | None  # slice of the data an item belongs to

    def scored(self, search: str) -> Items:
        """The items with all their pairs; "by slice" scores as cosine does, its shifts belong to a threshold."""
        found = items_of(self.z, self.y)
        if search == "dot":
            return Items(found.u, found.y, self.z @ self.z.T, found.pos, found.neg)
        if search == "local":
            return Items(found.u, found.y, _local(found.s), found.pos, found.neg)
        return found


def measured(trained: Part, held: Part, measure: str, search: str) -> float:
    """One of MEASURES of the held-out items; nan where it is not defined. A threshold is that of the trained items."""
    if measure == "one_threshold":
        return _one_threshold(trained, held, search)
    return _OF_ITEMS[measure](held.scored(search))


def _local(s: Float[np.ndarray, "n n"]) -> Float[np.ndarray, "n n"]:
    """2 s_ij - r_i - r_j, r the mean score of an item's LOCAL nearest others (Conneau et al. 2018, equation 4)."""
    others = s.copy()
    np.fill_diagonal(others, -np.inf)
    k = min(LOCAL, len(s) - 1)
    near = np.partition(others, len(s) - k, axis=1)[:, len(s) - k :].mean(axis=1)
    found: np.ndarray = 2 * s - near[:, None] - near[None, :]
    return found


def _recall(items: Items) -> float:
    hits = first_hits(items)
    return float(hits[np.isfinite(hits)].mean()) if np.isfinite(hits).any() else float("nan")


def _auc(items: Items) -> float:
    return auc(pair_scores(items.s, items.pos, items.neg))


def _spread(items: Items) -> float:
    n = len(items.y)
    return 1.0 - float((items.s.sum(dtype=np.float64) - np.trace(items.s)) / (n * (n - 1))) if n > 1 else float("nan")


_OF_ITEMS: dict[str, Callable[[Items], float]] = {
    "recall_at_1": _recall,
    "auc": _auc,
    "auc_unseen": _auc,
    "effective_rank": lambda items: rank_of(items.u),
    "spread": _spread,
}


def _one_threshold(trained: Part, held: Part, search: str) -> float:
    """(tpr + 1 - fpr) / 2 of pairs within slices at a single threshold; "by slice" shifts each to its own first."""
    learnt, asked = _by_slice(trained, search), _by_slice(held, search)
    if search == "by slice":
        shift = {name: best_threshold(*pairs) for name, pairs in learnt.items()}
        learnt, asked = (
            {name: (p - shift[name], q - shift[name]) for name, (p, q) in side.items() if name in shift}
            for side in (learnt, asked)
        )
    if not learnt or not asked:
        return float("nan")
    positive, negative = (np.concatenate([pairs[kind] for pairs in learnt.values()]) for kind in (0, 1))
    at = best_threshold(positive, negative)
    positive, negative = (np.concatenate([pairs[kind] for pairs in asked.values()]) for kind in (0, 1))
    return float((positive >= at).mean() + (negative < at).mean()) / 2


def _by_slice(part: Part, search: str) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """Scores of both kinds of pair within each slice that has both."""
    assert part.group is not None
    found = {}
    for name in np.unique(part.group).tolist():
        rows = part.group == name
        items = Part(part.z[rows], part.y[rows], None).scored(search)
        pairs = pair_scores(items.s, items.pos, items.neg)
        if pairs.complete:
            found[int(name)] = (pairs.positive, pairs.negative)
    return found
