"""What the named loss makes of a checkpoint, on batches like those it was trained with."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch

from models.agreement import unreadable
from models.catalogue import find
from models.diagnostics.agreement import cosines
from models.diagnostics.findings.evidence import Evidence, LossEvidence
from models.diagnostics.weights import active, effective_negatives, hardest_share, mean_count
from models.geometry import Embeddings, Scores
from models.objective import Objective
from models.spec import Context, Counts, TooLarge, Value, check_knobs
from models.training.config import Part
from models.training.terms import weights_of_terms

BATCH = 128  # where the user does not say
MOST = 16  # batches
_STREAM = 12


@dataclass(frozen=True)
class NamedLoss:
    """The loss that a checkpoint was trained with, as the user says."""

    key: str
    knobs: Mapping[str, Value]
    batch: int | None = None  # items; None: unknown


def named(key: str, knobs: Mapping[str, Value] | None) -> NamedLoss:
    """The loss and its knobs; `batch` among them is the size of the batches. Raises ValueError on what is unknown."""
    given = dict(knobs or {})
    batch = given.pop("batch", None)
    if batch is not None and (not isinstance(batch, int) or isinstance(batch, bool) or batch < 2):
        raise ValueError(f"batch must be a whole number from 2, got {batch!r}")
    spec = find("losses", key).SPEC
    checked = check_knobs(spec.knobs, given, f"loss {key}")
    return NamedLoss(key, checked, batch)


def with_loss(evidence: Evidence, loss: NamedLoss | None, given: frozenset[str] = frozenset()) -> Evidence:
    """The evidence with what the loss makes of it, or with the reason why that is unknown.

    given: names of the knobs that the user gave; where there are others, or no batch size, the loss is marked guessed.
    """
    if loss is None or evidence.table is not None:
        return evidence
    spec = find("losses", loss.key).SPEC
    if evidence.pos is None or evidence.neg is None or not evidence.pos.any():
        return replace(evidence, why_no_loss="no positive pair is known, which a loss needs")
    if spec.reads != "scores":
        return replace(evidence, why_no_loss=_no_scores(loss.key))
    guessed = loss.batch is None or not {knob.name for knob in spec.knobs} <= given
    try:
        found = _on_batches(evidence, loss)
    except (TooLarge, ValueError) as refused:
        return replace(evidence, why_no_loss=str(refused))
    return replace(evidence, loss=replace(found, name=spec.name, guessed=guessed))


def _no_scores(key: str) -> str:
    spec = find("losses", key).SPEC
    if spec.target != "class":
        return f"{spec.name} reads {spec.reads} with another target than one class for each item"
    return unreadable(key) or f"{spec.name} reads {spec.reads}, which embeddings alone do not give"


def _on_batches(evidence: Evidence, loss: NamedLoss) -> LossEvidence:
    """Values, levels and weights over batches that share no item."""
    batches = drawn_batches(evidence, loss.batch or BATCH)
    context = Context(dim=evidence.rows.shape[1], classes=2, samples=len(evidence.row))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # losses that draw: the same draws at every look
        objective = Objective(Part(loss.key, tuple(loss.knobs.items())), context)
        looks = [_look(objective, evidence, *batch) for batch in batches]
    names = set.intersection(*(set(look.levels) for look in looks))
    joined = {
        name: np.concatenate([getattr(look, name) for look in looks])
        for name in ("anchor", "candidate", "positive", "weight")
    }
    return LossEvidence(
        name=loss.key,
        knobs=dict(loss.knobs),
        value=_each(looks, "value"),
        levels={name: np.asarray([look.levels[name] for look in looks]) for name in sorted(names)},
        batch=len(batches[0][0]),
        anchor=joined["anchor"],
        candidate=joined["candidate"],
        positive=joined["positive"],
        weight=joined["weight"],
        hardest_share=_each(looks, "hardest_share"),
        effective=_each(looks, "effective"),
        active=_each(looks, "active"),
        term_cosine=_term_cosine(objective, evidence, batches[0]),
    )


def _each(looks: list["_Look"], name: str) -> np.ndarray:
    return np.asarray([getattr(look, name) for look in looks])


def drawn_batches(evidence: Evidence, size: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """(anchors, candidates) of batches that share no anchor, as places in the sample; at most MOST of them.

    An item comes with one that belongs to it, as training for pairs has it; of two sides, each query with a document
    that is relevant to it.
    """
    assert evidence.pos is not None
    rng = np.random.default_rng(_STREAM)
    n = len(evidence.row)
    if evidence.column is not None:
        asking = rng.permutation(np.flatnonzero(evidence.pos.any(axis=1)))
        partner = evidence.pos[asking].argmax(axis=1)
        _, first = np.unique(partner, return_index=True)  # a document once: it must not be its own negative
        keep = np.sort(first)
        return _parts(asking[keep], partner[keep], size)
    order, free = [], np.ones(n, bool)
    for i in rng.permutation(n):
        if free[i]:
            free[i] = False
            others = np.flatnonzero(evidence.pos[i] & free)
            if len(others):
                j = int(rng.choice(others))
                free[j] = False
                order.append((i, j))
    if not order:
        raise ValueError("no two items belong together")
    flat = np.asarray(order)[rng.permutation(len(order))].ravel()
    return _parts(flat, flat, size)


def _parts(anchors: np.ndarray, candidates: np.ndarray, size: int) -> list[tuple[np.ndarray, np.ndarray]]:
    size = min(size, len(anchors))
    starts = range(0, len(anchors) - size + 1, size)
    return [(anchors[k : k + size], candidates[k : k + size]) for k in list(starts)[:MOST]]


@dataclass(frozen=True, eq=False)
class _Look:
    """One batch through the loss."""

    value: float
    levels: dict[str, float]
    anchor: np.ndarray
    candidate: np.ndarray
    positive: np.ndarray
    weight: np.ndarray
    hardest_share: float
    effective: float
    active: float


def batch_scores(evidence: Evidence, anchors: np.ndarray, candidates: np.ndarray) -> Scores:
    """The scores of one batch, with the masks of the evidence."""
    assert evidence.s is not None
    assert evidence.pos is not None
    assert evidence.neg is not None
    square = np.ix_(anchors, candidates)
    s, pos, neg = (
        torch.from_numpy(np.ascontiguousarray(part[square])) for part in (evidence.s, evidence.pos, evidence.neg)
    )
    return Scores(s.float(), pos, neg)


def _look(objective: Objective, evidence: Evidence, anchors: np.ndarray, candidates: np.ndarray) -> _Look:
    scores = batch_scores(evidence, anchors, candidates)
    weight = objective.weights(scores, _embeddings(evidence, anchors)).numpy()
    with torch.no_grad():
        value = float(objective.read_scores(scores)) if objective.spec.has_value else float("nan")
    pos, neg, s = scores.pos.numpy(), scores.neg.numpy(), scores.s.numpy()
    row, column = np.nonzero(pos | neg)
    counts = Counts(pos.sum(1), neg.sum(1), _groups(pos))
    nan = float("nan")
    return _Look(
        value=value,
        levels=objective.levels(counts),
        anchor=anchors[row],
        candidate=candidates[column],
        positive=pos[row, column],
        weight=weight[row, column],
        hardest_share=hardest_share(s[neg], weight[neg]) if neg.any() else nan,
        effective=effective_negatives(neg, weight) / mean_count(neg) if neg.any() else nan,
        active=active(weight[pos], weight[neg]),
    )


def _embeddings(evidence: Evidence, anchors: np.ndarray) -> Embeddings:
    """Rows of a batch; which belong together stands in the masks of its scores."""
    rows = torch.from_numpy(np.ascontiguousarray(evidence.rows[anchors], np.float32))
    return Embeddings(rows, torch.zeros(len(anchors), dtype=torch.long))


def _groups(pos: np.ndarray) -> int:
    """How many sets of items belong together: rows of the positive mask, an item counted with its own, that differ."""
    if pos.diagonal().any():
        return len(np.unique(pos, axis=0))
    return len(np.unique(pos | np.eye(len(pos), dtype=bool), axis=0))


def _term_cosine(objective: Objective, evidence: Evidence, batch: tuple[np.ndarray, np.ndarray]) -> float | None:
    """Lowest cosine between the pair weights of two terms of a mixture, on one batch; None for a single loss."""
    scores, anchors = batch_scores(evidence, *batch), _embeddings(evidence, batch[0])
    found = weights_of_terms(objective, scores, anchors, None)
    if found is None:
        return None
    between = cosines(found.reshape(len(found), -1))[np.triu_indices(len(found), 1)]
    return float(between.min()) if np.isfinite(between).all() else None
