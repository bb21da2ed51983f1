"""Faults of the pairs: negatives that look like positives, items under two labels, labels that neighbours doubt."""

import numpy as np

from models.diagnostics.findings.evidence import Evidence
from models.diagnostics.findings.finding import Clear, Fired, Outcome, Rule, Selection, Unknown
from models.diagnostics.findings.geometry import COLLAPSED, too_few
from models.diagnostics.measured import Measured, share_interval

FALSE_NEGATIVES, SUSPECTS, AGREED, FEW_ROWS = 0.05, 0.03, 0.8, 0.5
_OWN = 1  # neighbours of an item's own label that still leave it suspect: mistakes come in kinds, and lie together
_MUTUAL = 5  # neighbours within which two items must have each other
_SHOWN = 200  # pairs and items that a finding selects


def likely_false_negatives(evidence: Evidence) -> Outcome:
    """Items with a negative above the positive median that is alike: the same content, or neighbours of each other.

    Alike by neighbourhood: each is among the other's five nearest. Fires when more than 5 % of the items have such a
    negative.
    """
    if why := _no_labels(evidence):
        return Unknown(why)
    assert evidence.scores is not None
    if not evidence.scores.complete:
        return Unknown("there are not pairs of both kinds")
    first, second = _suspicious(evidence)
    items = np.unique(np.concatenate([first, second]))
    found = share_interval(len(items), len(evidence.row))
    if found.value <= FALSE_NEGATIVES:
        return Clear(found, FALSE_NEGATIVES)
    pairs = evidence.selected_pairs(first, second)
    told = (
        f"{len(first)} negative pairs score above half of the positives and are near neighbours or copies: {found} of "
        f"the items are in one{_owned(evidence, first, second)}."
    )
    confidence = found.above(FALSE_NEGATIVES)
    if evidence.content is None and confidence == "high":
        # Classes that overlap look the same from their embeddings: only content or a look at the pairs can tell.
        confidence = "medium"
    chosen = Selection(evidence.selected(items[:_SHOWN]), pairs[:_SHOWN])
    return Fired("warning", confidence, told, found, FALSE_NEGATIVES, chosen)


def _no_labels(evidence: Evidence) -> str:
    if why := too_few(evidence):
        return why
    if evidence.pos is None or evidence.column is not None:
        return "negatives that look alike are looked for among items of one kind with labels or pairs"
    if evidence.mean_cosine.value > COLLAPSED:
        return "the embedding has collapsed to a point: all items look alike"
    return ""


def _suspicious(evidence: Evidence) -> tuple[np.ndarray, np.ndarray]:
    """Places of both ends of each suspicious negative, the highest score first, each pair once."""
    assert evidence.s is not None
    assert evidence.neg is not None
    assert evidence.scores is not None
    s, near = evidence.s, evidence.nearest
    n = len(near)
    listed = np.zeros((n, n), bool)
    np.put_along_axis(listed, near[:, :_MUTUAL], values=True, axis=1)
    alike = listed & listed.T
    if evidence.content is not None:
        alike |= evidence.content[:, None] == evidence.content[None, :]
    median = float(np.median(evidence.scores.positive))
    first, second = np.nonzero(np.triu(alike & evidence.neg & (s > median), 1))
    order = np.argsort(-s[first, second], kind="stable")
    return first[order], second[order]


def _owned(evidence: Evidence, first: np.ndarray, second: np.ndarray) -> str:
    """The share of the push that these pairs own, in words; empty where no loss says."""
    loss = evidence.loss
    if loss is None or loss.anchor is None or loss.candidate is None or loss.weight is None or loss.positive is None:
        return ""
    n = len(evidence.row)
    low, high = np.minimum(loss.anchor, loss.candidate), np.maximum(loss.anchor, loss.candidate)
    push = np.where(loss.positive, 0.0, np.maximum(loss.weight, 0.0)).astype(np.float64)
    named = np.isin(low.astype(np.int64) * n + high, first * n + second)
    if push.sum() == 0 or not named.any():
        return ""
    return f"; where they meet in a batch, {named.sum()} of {np.count_nonzero(~loss.positive)} negatives own " + (
        f"{push[named].sum() / push.sum():.0%} of the push"
    )


def same_item_both(evidence: Evidence) -> Outcome:
    """Items of identical content (identical embeddings, where content is not known) that are a negative pair."""
    if why := _no_labels(evidence):
        return Unknown(why)
    assert evidence.neg is not None
    code = evidence.content
    if code is None:
        code = np.unique(evidence.rows, axis=0, return_inverse=True)[1].reshape(-1)
        if len(np.unique(code)) < FEW_ROWS * len(code):
            return Unknown("most embeddings are identical to another: that says nothing of the items")
    what = "content" if evidence.content is not None else "embeddings"
    first, second = np.nonzero(np.triu((code[:, None] == code[None, :]) & evidence.neg, 1))
    if len(first) == 0:
        return Clear(Measured(0.0, 0.0, 0.0), 0.0)
    items = np.unique(np.concatenate([first, second]))
    found = share_interval(len(items), len(code))
    told = f"{len(first)} pairs of items have identical {what} and count as negatives ({len(items)} items)."
    pairs = evidence.selected_pairs(first, second)[:_SHOWN]
    severity = "warning" if found.value <= FALSE_NEGATIVES else "serious"
    confidence = "high" if evidence.content is not None else "medium"
    return Fired(severity, confidence, told, found, 0.0, Selection(evidence.selected(items[:_SHOWN]), pairs))


def label_suspects(evidence: Evidence) -> Outcome:
    """Items whose label at most one of the ten nearest has, while eight or more agree on another; above 3 %."""
    if why := _no_labels(evidence):
        return Unknown(why)
    if evidence.y is None:
        return Unknown("there are pairs and no labels")
    _, y = np.unique(evidence.y, return_inverse=True)
    if y.max() == 0:
        return Unknown("all items have one label")
    around = y[evidence.nearest]
    votes = np.zeros((len(y), int(y.max()) + 1), np.int64)
    np.add.at(votes, (np.arange(len(y))[:, None], around), 1)
    own = votes[np.arange(len(y)), y]
    # A class that has no other item in the sample cannot be confirmed by any neighbour.
    suspect = (own <= _OWN) & (votes.max(axis=1) >= AGREED * around.shape[1]) & (np.bincount(y)[y] > around.shape[1])
    found = share_interval(int(suspect.sum()), len(y))
    if found.value <= SUSPECTS:
        return Clear(found, SUSPECTS)
    told = (
        f"{suspect.sum()} items ({found} of them) lie in the midst of another class: of the ten nearest at most "
        f"one has their label, and eight or more agree on another."
    )
    chosen = Selection(evidence.selected(np.flatnonzero(suspect)[:_SHOWN]))
    return Fired("warning", found.above(SUSPECTS), told, found, SUSPECTS, chosen)


RULES = (
    Rule(
        "likely_false_negatives",
        "Likely false negatives",
        "share of items with a negative that is alike",
        "score_histogram",
        "Mask these pairs, or use guided or debiased negatives.",
        "Looking at the pairs: if they are truly different, they are hard negatives and worth having.",
        likely_false_negatives,
    ),
    Rule(
        "same_item_both",
        "Same item both positive and negative",
        "share of items with a copy under another label",
        "embedding_map",
        "De-duplicate the data, or at least each batch.",
        "Copies that are meant to have several labels: then mask them as negatives.",
        same_item_both,
    ),
    Rule(
        "label_suspects",
        "Label suspects",
        "share of items that confident neighbours contradict",
        "embedding_map",
        "Review the listed items; if they cannot be mended, use a robust loss.",
        "Items that are labelled rightly and embedded wrongly: then the encoder is at fault.",
        label_suspects,
    ),
)
