"""Adapter: pair losses of pytorch-metric-learning 2.9 as functions of scores, `pml:<Name>`; their cards: pml.toml.

The library is handed a distance object that gives out the scores (or the distance of unit rows that belongs to them,
where that is the loss's default), and tuples or labels made from the masks; so dL/ds exists and pairing by instance
works. Of its losses without parameters of their own these are not offered:

AngularLoss, ThresholdConsistentMarginLoss, VICRegLoss, SignalToNoiseRatioContrastiveLoss: read embeddings, not a matrix
SmoothAPLoss: reads embeddings besides, and asks for classes of one size in sorted rows
NPairsLoss: takes the first positive of each class, so the order of the batch would matter
InstanceLoss: reads the class number as the number of a column
DynamicSoftMarginLoss: fails when a positive is farther than a negative by more than 1.6, and keeps a memory of batches
ManifoldLoss: random, has proxies
"""

import math
import tomllib
from collections.abc import Callable
from functools import cache
from inspect import Parameter, Signature
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from models.geometry import Scores
from models.spec import Counts, Knob, Knobs, Level, LossSpec, Paper, TooLarge

LIMIT_BYTES = 2 << 30  # a loss that would list more than this is refused
_EDGE = 1e-6  # where the library fails at cosine 1, scores are held this far inside
_POWER = {"pairs": 4, "triplets": 3, "cubes": 3, "bins": 2}  # of the batch size in the memory
_TOLD = (
    "pulls_positives",
    "pushes_negatives",
    "rowwise",
    "one_tower",
    "detached",
    "formula",
    "when",
    "pitfall",
    "family",
)


@cache
def variants() -> dict[str, SimpleNamespace]:
    """Map `pml:<Name>` to an object with SPEC and loss(scores, **knobs), for every card of pml.toml."""
    return {f"pml:{name}": _part(name, card) for name, card in _cards().items()}


@cache
def _cards() -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))


def _part(name: str, card: dict[str, Any]) -> SimpleNamespace:
    knobs = tuple(_knob(**given) for given in card["knobs"])
    authors, year, title, arxiv, equation = card["paper"]
    spec = LossSpec(
        key=f"pml:{name}",
        name=f"{card['name']} (library)",
        reads="scores",
        paper=Paper(authors, year, title, arxiv=arxiv, equation=equation, status="pytorch-metric-learning 2.9"),
        knobs=knobs,
        levels=_LEVELS.get(name, ()),
        convention=f"{card['convention']} {_MEASURED[card['measure']]}",
        **{field: card[field] for field in _TOLD if field in card},
    )
    return SimpleNamespace(SPEC=spec, loss=_function(name, card, knobs), __name__=spec.key)


def _knob(*, name: str, default: float | str | bool, choices: list[Any] | None = None, **rest: Any) -> Knob:
    return Knob(name, default, choices=tuple(choices or ()), **rest)


def _function(name: str, card: dict[str, Any], knobs: tuple[Knob, ...]) -> Callable[..., Tensor]:
    """The loss as a function that tells its knobs and their defaults to whoever inspects it."""
    defaults = {knob.name: knob.default for knob in knobs}

    def loss(scores: Scores, **given: Any) -> Float[Tensor, ""]:
        unknown = set(given) - set(defaults)
        if unknown:
            raise TypeError(f"pml:{name} has no knob {min(unknown)!r}; its knobs are: {', '.join(defaults)}")
        return _run(name, card, scores, {**defaults, **given})

    parameters = [Parameter(key, Parameter.KEYWORD_ONLY, default=value) for key, value in defaults.items()]
    scores = Parameter("scores", Parameter.POSITIONAL_OR_KEYWORD, annotation=Scores)
    loss.__signature__ = Signature([scores, *parameters], return_annotation=Tensor)  # type: ignore[attr-defined]
    return loss


def _run(name: str, card: dict[str, Any], scores: Scores, knobs: dict[str, Any]) -> Float[Tensor, ""]:
    """Value of the library's loss; raises ValueError if it would list too much, or needs labels that there are not."""
    _refuse_if_huge(name, card, scores, knobs)
    if card.get("needs_positive") and not scores.pos.any():
        return 0.0 * scores.s.sum()
    labels = _labels(scores) if card.get("one_tower") else {}
    told = _TUPLES[card["tuples"]](scores) if card["tuples"] != "labels" else labels
    matrix = scores.s
    if labels:  # the library may read an item's score with itself: a constant, since no mask counts it
        own = torch.eye(len(matrix), dtype=torch.bool, device=matrix.device)
        matrix = matrix.masked_fill(own, 1.0)
    matrix = _MEASURES[card["measure"]](matrix)
    # Slow: three seconds at the first call, and a session that never asks for these losses does not pay them.
    from pytorch_metric_learning import distances, losses

    kind = distances.CosineSimilarity() if card["measure"] in ("cosine", "inside") else None
    distance = kind or distances.LpDistance(power=2 if card["measure"] == "squared" else 1)
    given = matrix.clone()  # some losses write into what they are given
    distance.forward = lambda query, ref=None: _Listed(given) if card["tuples"] == "cover" else given
    # The scores stand in for the embeddings too: a loss of zero is a sum of them times zero, so backward() works.
    value: Tensor = getattr(losses, name)(distance=distance, **knobs)(scores.s, **told)
    return value.sum()  # one loss returns its scalar as a vector of one


class _Listed:
    """A matrix indexed by a list of two lists, as HistogramLoss does; torch itself is giving that up."""

    def __init__(self, matrix: Float[Tensor, "n m"]) -> None:
        self.matrix = matrix

    def __getitem__(self, index: list[list[int]]) -> Float[Tensor, " k"]:
        return self.matrix[tuple(torch.tensor(part, device=self.matrix.device) for part in index)]


def _euclidean(s: Float[Tensor, "n m"]) -> Float[Tensor, "n m"]:
    """Distance of unit rows; 0, with gradient 0, within rounding of cosine 1."""
    square = 2.0 - 2.0 * s
    apart = square > torch.finfo(s.dtype).eps
    return torch.where(apart, torch.where(apart, square, 1.0).sqrt(), 0.0)


_MEASURES: dict[str, Callable[[Tensor], Tensor]] = {
    "cosine": lambda s: s,
    "inside": lambda s: s.clamp(-1.0 + _EDGE, 1.0 - _EDGE),
    "euclidean": _euclidean,
    "squared": lambda s: 2.0 - 2.0 * s,
}
_MEASURED = {
    "cosine": "Reads the cosine.",
    "inside": "Reads the cosine, held 1e-6 inside -1 and 1, where the library fails.",
    "euclidean": "Reads the distance sqrt(2 - 2 s) of unit rows, the library's default.",
    "squared": "Reads the squared distance 2 - 2 s of unit rows, the library's default.",
}


def _pairs(scores: Scores) -> dict[str, Any]:
    """Anchor and candidate of every positive, then of every negative."""
    return {"indices_tuple": (*torch.where(scores.pos), *torch.where(scores.neg))}


def _triplets(scores: Scores) -> dict[str, Any]:
    """Every positive of an anchor with every negative of it."""
    a, p = torch.where(scores.pos)
    row, n = torch.where(scores.neg[a])
    return {"indices_tuple": (a[row], p[row], n)}


def _cover(scores: Scores) -> dict[str, Any]:
    """The fewest triplets that name every pair of the anchors that have both kinds."""
    a, p, n = [], [], []
    for i in torch.where(scores.pos.any(1) & scores.neg.any(1))[0].tolist():
        positives, negatives = torch.where(scores.pos[i])[0], torch.where(scores.neg[i])[0]
        turn = torch.arange(max(len(positives), len(negatives)), device=positives.device)
        a.append(torch.full_like(turn, i))
        p.append(positives[turn % len(positives)])
        n.append(negatives[turn % len(negatives)])
    empty = torch.zeros(0, dtype=torch.long, device=scores.s.device)
    return {"indices_tuple": tuple(torch.cat([empty, *parts]) for parts in (a, p, n))}


def _labels(scores: Scores) -> dict[str, Any]:
    """Labels whose masks these are; raises ValueError if there are none."""
    n, m = scores.s.shape
    own = torch.eye(n, m, dtype=torch.bool, device=scores.s.device)
    if n == m:
        label: Int[Tensor, " n"] = (scores.pos | own).int().argmax(dim=1)  # the first item of its group
        same = label[:, None] == label[None, :]
        if torch.equal(scores.pos, same & ~own) and torch.equal(scores.neg, ~same):
            return {"labels": label}
    raise ValueError(
        f"this loss needs every pair of a batch with itself to be positive or negative by label, got {n} x {m} scores "
        f"with {int((scores.pos | scores.neg).sum())} counted pairs; choose a loss that reads pairs, or score one batch"
    )


_TUPLES: dict[str, Callable[[Scores], dict[str, Any]]] = {
    "pairs": _pairs,
    "triplets": _triplets,
    "cover": _cover,
}


def entries(cost: str, scores: Scores, bins: int = 0) -> int:
    """How many combinations a loss of this cost lists for these masks."""
    positives, negatives = scores.pos.sum(1), scores.neg.sum(1)
    if cost == "pairs":
        return int(positives.sum()) * int(negatives.sum())
    if cost == "triplets":
        return int((positives * negatives).sum())
    n = len(positives)
    return n**3 if cost == "cubes" else n**2 * (bins + 1)


def bytes_needed(name: str, scores: Scores, bins: int = 0) -> float:
    """Peak memory of forward and backward of the library's loss, from what was measured for each entry of its lists."""
    card = _cards()[name]
    width = scores.s.element_size() / 4.0  # cards count for float32
    listed = entries(card["cost"], scores, bins) if "cost" in card else 0
    return width * float(card.get("bytes", 0)) * listed


def _refuse_if_huge(name: str, card: dict[str, Any], scores: Scores, knobs: dict[str, Any]) -> None:
    need = bytes_needed(name, scores, int(knobs.get("num_bins", 0)))
    if need > LIMIT_BYTES:
        n = len(scores.s)
        fits = int(n * (LIMIT_BYTES / need) ** (1.0 / _POWER[card["cost"]]))
        raise TooLarge(
            f"pml:{name} needs about {need / 2**30:.0f} GB for a batch of {n}, more than the {LIMIT_BYTES >> 30} GB "
            f"allowed; take a batch of at most {fits}, or a loss without the prefix pml:"
        )


def _race(counts: Counts, knobs: Knobs, gap: float) -> float | None:
    """NT-Xent: mean over positive pairs of log(1 + N e^(gap / T)); 0 by the library without a negative."""
    pairs = counts.positives.sum()
    if pairs == 0 or counts.negatives.sum() == 0:
        return None
    per_anchor = [math.log1p(int(n) * math.exp(gap / float(knobs["temperature"]))) for n in counts.negatives]
    return float((counts.positives * per_anchor).sum() / pairs)


def _hinge(counts: Counts, knobs: Knobs) -> float | None:
    """Triplet with equal distances: the margin, or its softplus."""
    if not (counts.positives * counts.negatives).any():
        return None
    margin = float(knobs["margin"])
    return math.log1p(math.exp(margin)) if knobs["smooth_loss"] else margin


_LEVELS = {
    "NTXentLoss": (
        Level("chance", lambda c, k: _race(c, k, 0.0), "the encoder does not tell positives from negatives yet"),
        Level("collapse", lambda c, k: _race(c, k, 0.0), "all scores are equal: perhaps the embedding has collapsed"),
        Level("perfect", lambda c, k: _race(c, k, c.best_negative - 1.0), "classes sit on a simplex"),
    ),
    "TripletMarginLoss": (
        Level("chance", _hinge, "the encoder does not tell positives from negatives yet"),
        Level("collapse", _hinge, "all distances are equal: if they are 0, the embedding has collapsed to a point"),
    ),
}
