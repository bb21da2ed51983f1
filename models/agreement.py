"""Every loss that reads pair scores, on one batch and without training: values, weights, and how gradients agree."""

import time
from collections.abc import Iterable

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from models.catalogue import discover, find
from models.diagnostics.agreement import KINDS, Comparison, Reading, clustered, cosines
from models.diagnostics.weights import active, hardest_share, pull_push
from models.geometry import Embeddings, Scores, score
from models.objective import Objective, no_weight_reason
from models.sensitivity import value_and_weights
from models.spec import Context, Counts, TooLarge
from models.training.config import Part

BINS = 20  # of the cosine, over [-1, 1]


def compare(z: Float[np.ndarray, "n d"], y: Int[np.ndarray, " n"], keys: Iterable[str] | None = None) -> Comparison:
    """Run the batch, scored against itself with pairs by label, through the losses at their default knobs.

    keys: the losses; None: all but those of another library. Those without a weight per pair are told in `left_out`.
    """
    began = time.perf_counter()
    chosen = list(keys) if keys is not None else [key for key in discover("losses") if ":" not in key]
    batch = Embeddings(torch.as_tensor(z, dtype=torch.float32), torch.as_tensor(y, dtype=torch.long))
    with torch.no_grad():
        scores = score(batch)
    counts = Counts(scores.pos.sum(1).numpy(), scores.neg.sum(1).numpy(), len(set(batch.y.tolist())))
    sides = Side(scores, scores.pos), Side(scores, scores.neg)
    readings, gradients, left_out = [], [], {}
    for key in chosen:
        reason = unreadable(key)
        if not reason:
            try:
                reading, weight = _read(key, scores, counts, sides)
            except TooLarge as refused:
                reason = str(refused)
            else:
                readings.append(reading)
                gradients.append(weight)
        if reason:
            left_out[key] = reason
    cosine = _agreement(gradients, scores)
    tree = {kind: clustered(found) for kind, found in cosine.items()}
    return Comparison(
        readings=tuple(readings),
        cosine=cosine,
        order={kind: order for kind, (order, _) in tree.items()},
        group={kind: group for kind, (_, group) in tree.items()},
        left_out=left_out,
        items=len(batch.y),
        positives=int(scores.pos.sum()) // 2,
        negatives=int(scores.neg.sum()) // 2,
        ms=1e3 * (time.perf_counter() - began),
    )


def unreadable(key: str) -> str:
    """Say why a loss has no weight per pair of items of a batch with labels; empty if it has."""
    spec = find("losses", key).SPEC
    if spec.reads == "scores":
        return ""
    if spec.target != "class":
        return f"{spec.name} reads logits with another target than one class for each item."
    with torch.random.fork_rng(devices=[]):  # heads and proxies are drawn: nobody else's draws are moved
        return no_weight_reason(Objective(Part(key), Context(dim=2, classes=max(spec.fewest_classes, 2), samples=2)))


class Side:
    """The positive or the negative pairs of a batch, and what every loss's reading needs of their scores."""

    def __init__(self, scores: Scores, mask: Bool[Tensor, "n m"]) -> None:
        self.at = np.flatnonzero(mask.numpy())  # (k,) places in the flattened matrix
        self.s = scores.s.numpy().ravel()[self.at]
        self.place = ((self.s + 1.0) * (BINS / 2)).astype(np.int64).clip(0, BINS - 1)
        self.count = np.bincount(self.place, minlength=BINS)

    def of(self, weight: Float[Tensor, "n m"]) -> Float[np.ndarray, " k"]:
        """The weights of these pairs."""
        chosen: np.ndarray = weight.numpy().ravel()[self.at]
        return chosen

    def profile(self, weight: Float[np.ndarray, " k"]) -> Float[np.ndarray, " bins"]:
        """Mean weight of the pairs of each of BINS bins of the cosine; nan where a bin is empty."""
        total = np.bincount(self.place, weights=weight, minlength=BINS)
        mean: np.ndarray = np.divide(total, self.count, out=np.full(BINS, np.nan), where=self.count > 0)
        return mean


def _read(key: str, scores: Scores, counts: Counts, sides: tuple[Side, Side]) -> tuple[Reading, Tensor]:
    """Value and weights of one loss at its default knobs."""
    module = find("losses", key)
    knobs = {knob.name: knob.default for knob in module.SPEC.knobs}
    began = time.perf_counter()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # losses that draw: the same draws at every look
        value, weight = value_and_weights(module, scores, **knobs)
    seconds = time.perf_counter() - began
    (pos, neg), (pull, push) = sides, (side.of(weight) for side in sides)
    levels = {level.name: level.value(counts, knobs) for level in module.SPEC.levels}
    reading = Reading(
        key=key,
        value=value if module.SPEC.has_value else float("nan"),
        levels={name: float(level) for name, level in levels.items() if level is not None},
        active=active(pull, push),
        pull_push=pull_push(pull, push),
        hardest_share=hardest_share(neg.s, push) if len(push) else float("nan"),
        pull=pos.profile(pull),
        push=neg.profile(push),
        ms=1e3 * seconds,
    )
    return reading, weight


def _agreement(weights: list[Tensor], scores: Scores) -> dict[str, np.ndarray]:
    """Cosines between the losses' gradients at the similarity of each unordered pair, which stands in s twice."""
    if not weights:
        return {kind: np.empty((0, 0)) for kind in KINDS}
    above = np.flatnonzero((scores.pos | scores.neg).triu(1).numpy())
    row, column = np.divmod(above, scores.s.shape[1])
    below = column * scores.s.shape[1] + row
    pairs = np.stack([flat[above] + flat[below] for flat in (weight.numpy().ravel() for weight in weights)])
    positive = scores.pos.numpy().ravel()[above]
    parts = (pairs, pairs[:, positive], pairs[:, ~positive])
    return {kind: cosines(part) for kind, part in zip(KINDS, parts, strict=True)}
