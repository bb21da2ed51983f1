"""Proto-triplet: a query should be nearer to its own class's prototype than to the nearest wrong one, by a margin."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from models.episode import FLOOR, SUSANA, prototypes
from models.geometry import Scores
from models.spec import Counts, Knob, Knobs, Level, LossSpec


def _distance(number: int, within: float, between: float) -> float:
    """From a unit row to the mean of `number` others: cosines `within` among those, `between` to them."""
    return float(np.sqrt(max(1.0 + 1.0 / number + (1.0 - 1.0 / number) * within - 2.0 * between, 0.0) + FLOOR))


def _sizes(counts: Counts) -> list[int]:
    """Members of each class, from how many positives the anchors have."""
    size, anchors = np.unique(counts.positives + 1, return_counts=True)
    return [int(s) for s, a in zip(size, anchors, strict=True) for _ in range(int(a) // int(s))]


def _at(positive: float, negative: Callable[[Counts], float]) -> Callable[[Counts, Knobs], float]:
    """Level when all positives have one score and all negatives another."""

    def level(counts: Counts, knobs: Knobs) -> float:
        sizes, shot, far = _sizes(counts), int(knobs["shot"]), negative(counts)
        made_of = [min(size, shot) if shot else size for size in sizes]  # rows in each prototype
        total, queries = 0.0, 0
        for i, size in enumerate(sizes):
            left = size - 1 if shot == 0 else made_of[i]  # rows in a query's own prototype
            asked = size if shot == 0 else size - left
            rivals = made_of[:i] + made_of[i + 1 :]
            if left == 0 or asked == 0 or not rivals:
                continue
            nearest = min(_distance(number, positive, far) for number in rivals)
            hinge = max(_distance(left, positive, positive) - nearest + float(knobs["margin"]), 0.0)
            total, queries = total + asked * hinge, queries + asked
        return total / max(queries, 1)

    return level


SPEC = LossSpec(
    key="proto_triplet",
    name="Proto-triplet",
    family="triplet",
    reads="scores",
    paper=replace(SUSANA, equation="Proto-Triplet loss"),
    knobs=(
        Knob("margin", 0.5, 0.0, 2.0, unit="distance", help="By how much the own prototype must be nearer."),
        Knob(
            "shot",
            0,
            0,
            50,
            unit="rows",
            help="The first so many rows of a class make its prototype, the rest are queries; 0: each row in turn.",
        ),
    ),
    levels=(
        Level("chance", _at(0.0, lambda c: 0.0), "all rows are at right angles: only the size of a mean tells classes"),
        Level("collapse", _at(1.0, lambda c: 1.0), "all distances are equal: the margin itself is what is left"),
        Level("perfect", _at(1.0, lambda c: c.best_negative), "classes are points on a simplex"),
        Level("inactive", lambda c, k: 0.0, "every query keeps its margin: nothing moves any more"),
    ),
    formula=r"\frac1Q\sum_i\big[\,\|q_i-c_{y_i}\|-\min_{k\ne y_i}\|q_i-c_k\|+m\,\big]_+",
    when="Few-shot classification by the nearest class mean: it trains just that decision.",
    pitfall="A satisfied query gives no gradient at all, and only one wrong class at a time is pushed.",
    convention=(
        "Mean over the queries that have an own and a wrong prototype. Rows are scaled to length 1, which the authors "
        "do not do; prototypes are plain means, not scaled again. Distances are roots of square + 1e-6. At shot 0 each "
        "row is a query against the mean of its class's other rows, so the order of a batch does not matter; with the "
        "episodic sampler set shot to the sampler's. Cosines among supports get weight too: they make up the length of "
        "a prototype, and a tight class has a long one."
    ),
    relations=("(shot 1) is the triplet of Euclidean distances to the hardest support, by pytorch-metric-learning",),
    pulls_positives=False,
    rowwise=False,
    one_tower=True,
    cost=(
        "Distances to prototypes are a product of all scores with the supports of every class: where each item is its "
        "own class, in two views, that takes some ten times as long as the scores."
    ),
)


def loss(scores: Scores, *, margin: float = 0.5, shot: int = 0) -> Float[Tensor, ""]:
    """Mean over queries of [d(q, own prototype) - min over others d(q, prototype) + margin]_+, d Euclidean."""
    to = prototypes(scores, shot)
    mine, wrong = to.own & to.known, ~to.own & to.known
    asked = to.query & mine.any(dim=1) & wrong.any(dim=1)
    own = torch.where(mine, to.distance, 0.0).sum(dim=1)
    nearest = torch.where(wrong, to.distance, torch.inf).amin(dim=1)
    lead = torch.where(asked, own - nearest + margin, 0.0)  # no query: zero over one
    return lead.relu().sum() / asked.sum().clamp(min=1)
