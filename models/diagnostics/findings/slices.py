"""Faults between parts of the data, and too little of it: seen and unseen classes, slices, wide intervals."""

import numpy as np

from models.diagnostics.bootstrap import auc_replicates
from models.diagnostics.findings.evidence import Evidence
from models.diagnostics.findings.finding import Clear, Fired, Outcome, Rule, Selection, Unknown
from models.diagnostics.items import pair_scores
from models.diagnostics.measured import Measured, drawn
from models.diagnostics.roc import auc

GAP, SHIFT, FEWEST = 0.05, 0.1, 30
_MOST_SLICES, _GRID, _REPLICATES = 20, 512, 100


def unseen_gap(evidence: Evidence) -> Outcome:
    """AUC among seen classes minus AUC among unseen ones above 0.05."""
    if evidence.seen is None or evidence.s is None or evidence.pos is None or evidence.column is not None:
        return Unknown("nothing says which items are of classes that were not trained on")
    values, replicates = [], []
    for part in (evidence.seen, ~evidence.seen):
        square = np.ix_(part, part)
        assert evidence.neg is not None
        s, pos, neg = evidence.s[square], evidence.pos[square], evidence.neg[square]
        if not (pos.any() and neg.any()):
            return Unknown("one part, seen or unseen, has not pairs of both kinds")
        values.append(auc(pair_scores(s, pos, neg)))
        replicates.append(auc_replicates(s, pos, neg, seed=len(values)))
    found = drawn(values[0] - values[1], replicates[0] - replicates[1])
    if not found.value > GAP:
        return Clear(found, GAP)
    told = f"AUC is {values[0]:.3f} among classes that were trained on and {values[1]:.3f} among others: {found} lost."
    chosen = Selection(evidence.selected(np.flatnonzero(~evidence.seen)))
    return Fired("warning", found.above(GAP), told, found, GAP, chosen)


def best_threshold(positive: np.ndarray, negative: np.ndarray) -> float:
    """The middle of the scores at which tpr - fpr is largest (Youden 1950); sorted or not; both kinds must be there."""
    scores = np.concatenate([positive, negative])
    order = np.argsort(scores, kind="stable")
    signed = np.concatenate([np.full(len(positive), -1 / len(positive)), np.full(len(negative), 1 / len(negative))])
    excess = np.cumsum(signed[order])  # tpr - fpr of a threshold just above each score
    ordered = scores[order]
    last = np.append(ordered[1:] > ordered[:-1], True)
    best = int(np.flatnonzero(last)[excess[last].argmax()])
    return float((ordered[best] + ordered[min(best + 1, len(ordered) - 1)]) / 2)


def unstable_threshold(evidence: Evidence) -> Outcome:
    """Best thresholds of two slices differ by more than 0.1 (of a table's scores: a tenth of their range)."""
    slices = _slices(evidence)
    if isinstance(slices, Unknown):
        return slices
    ranges = [float(np.ptp(np.concatenate([p, q]))) for _, p, q in slices]
    limit = SHIFT if evidence.table is None else SHIFT * max(ranges)
    best = [best_threshold(p, q) for _, p, q in slices]
    low, high = int(np.argmin(best)), int(np.argmax(best))
    difference = best[high] - best[low]
    drawn_low, drawn_high = (_redrawn(*slices[k][1:]) for k in (low, high))
    found = drawn(difference, drawn_high - drawn_low)
    if not found.value > limit:
        return Clear(found, limit)
    told = (
        f"The best threshold is {best[low]:.2f} in slice {slices[low][0]} and {best[high]:.2f} in slice "
        f"{slices[high][0]}: no one threshold suits both ({found} apart)."
    )
    return Fired("warning", found.above(limit), told, found, limit, _members(evidence, slices[low][0], slices[high][0]))


def _slices(evidence: Evidence) -> list[tuple[int, np.ndarray, np.ndarray]] | Unknown:
    """(slice, positive scores, negative scores) of the largest slices that have enough of both."""
    group = evidence.table.group if evidence.table is not None else evidence.group
    if group is None:
        return Unknown("nothing says which slice of the data an item or pair belongs to")
    found = []
    names, sizes = np.unique(group, return_counts=True)
    for name in names[np.argsort(-sizes, kind="stable")][:_MOST_SLICES]:
        positive, negative = _scores_of(evidence, group == name)
        if min(len(positive), len(negative)) >= FEWEST:
            found.append((int(name), positive, negative))
    if len(found) < 2:
        return Unknown(f"fewer than two slices have {FEWEST} pairs of both kinds")
    return found


def _scores_of(evidence: Evidence, part: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scores of both kinds of pair within a slice; of two sides, of its queries."""
    if evidence.table is not None:
        score, match = evidence.table.score[part], evidence.table.match[part]
        return score[match], score[~match]
    if evidence.s is None or evidence.pos is None or evidence.neg is None:
        return np.empty(0), np.empty(0)
    where = np.ix_(part, part) if evidence.column is None else np.ix_(part, np.ones(evidence.s.shape[1], bool))
    pairs = pair_scores(evidence.s[where], evidence.pos[where], evidence.neg[where])
    return pairs.positive, pairs.negative


def _redrawn(positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
    """The best threshold of each replicate of a bootstrap over pairs, on a grid of scores.

    Pairs of one slice share items, so this is the least the threshold varies.
    """
    edges = np.linspace(min(positive.min(), negative.min()), max(positive.max(), negative.max()), _GRID + 1)
    rng, shares = np.random.default_rng(0), []
    for scores in (positive, negative):
        count = np.histogram(scores, edges)[0]
        shares.append(np.cumsum(rng.multinomial(len(scores), count / len(scores), _REPLICATES), axis=1) / len(scores))
    best = (shares[1] - shares[0]).argmax(axis=1)
    return np.asarray(edges[1:][best])


def _members(evidence: Evidence, *names: int) -> Selection:
    group = evidence.table.group if evidence.table is not None else evidence.group
    return Selection(evidence.selected(np.flatnonzero(np.isin(group, names)))) if group is not None else Selection()


def too_little(evidence: Evidence) -> Outcome:
    """The interval of the AUC is wider than its distance from one half."""
    if evidence.scores is None:
        return Unknown("nothing says which items belong together")
    p, q = len(evidence.scores.positive), len(evidence.scores.negative)
    if min(p, q) == 0:
        told = f"There are {p} positive and {q} negative pairs: nothing can be said of how well they are told apart."
        return Fired("serious", "high", told, Measured(float("nan")), float("nan"))
    width = evidence.auc.high - evidence.auc.low
    effect = abs(evidence.auc.value - 0.5)
    if np.isfinite(width) and width <= effect:
        return Clear(Measured(width), effect)
    told = (
        f"The AUC is {evidence.auc}: its interval is {width:.3f} wide, and it is only {effect:.3f} from chance. "
        f"There are {p} positive and {q} negative pairs."
    )
    return Fired("warning", "medium", told, Measured(width), effect)


RULES = (
    Rule(
        "unseen_gap",
        "Unseen gap",
        "AUC lost on unseen classes",
        "score_histogram",
        "Regularise, use fewer proxies, or take an earlier checkpoint.",
        "Unseen classes that are harder by themselves: compare with an encoder that saw neither.",
        unseen_gap,
    ),
    Rule(
        "unstable_threshold",
        "Unstable threshold",
        "distance between best thresholds of two slices",
        "roc_curve",
        "Calibrate each slice by itself, or rescale the scores.",
        "Slices with more pairs whose thresholds agree.",
        unstable_threshold,
    ),
    Rule(
        "too_little_data",
        "Too little data to say",
        "width of the AUC's interval",
        "roc_curve",
        "Add pairs, or stop comparing.",
        "More items: the interval narrows with the square root of their number.",
        too_little,
    ),
)
