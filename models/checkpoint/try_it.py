"""Advice tried out: a small head on frozen embeddings, trained both ways from the same start on the same batches.

What is trained is a residual linear head, so that it begins as the embeddings are; what is measured is recall@1 and AUC
among held-out items. Seeds draw batches and the split, the same for both sides. Over seeds a paired t interval says
whether the advice helps.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from models.checkpoint.batches import named
from models.checkpoint.material import Material
from models.diagnostics.items import items_of, pair_scores
from models.diagnostics.neighbours import first_hits
from models.diagnostics.roc import auc
from models.diagnostics.verdict import Verdict, compare_seeds
from models.geometry import Embeddings, Scores, score
from models.objective import Objective
from models.spec import Context, Value
from models.training.config import Part

SEEDS, STEPS, BATCH, RATE = (0, 1, 2), 200, 128, 3e-3
MOST = 4000  # items taken
_HELD = 3  # one of so many is held out
MEASURES = {"recall_at_1": "recall@1", "auc": "AUC"}
VERDICTS = ("confirmed", "not distinguishable", "refuted")


@dataclass(frozen=True)
class Way:
    """One way to train the head."""

    loss: str
    knobs: tuple[tuple[str, Value], ...] = ()
    masked: tuple[tuple[int, int], ...] = ()  # pairs of rows that do not count as negatives


@dataclass(frozen=True, eq=False)
class Trial:
    """What came of it: the advised way minus the present one."""

    now: Way
    advised: Way
    measure: str
    before: tuple[float, ...]  # of the present way, one for each seed
    after: tuple[float, ...]
    untrained: tuple[float, ...]  # of the embeddings as they are
    verdict: Verdict
    batches: tuple[str, ...]  # checksums of the batches, the same for both ways

    @property
    def outcome(self) -> str:
        """One of VERDICTS."""
        if not self.verdict.distinguishable:
            return VERDICTS[1]
        return VERDICTS[0] if self.verdict.difference > 0 else VERDICTS[2]

    def as_dict(self) -> dict[str, Any]:
        """For JSON: numbers that are not defined are None."""
        found = self.verdict
        interval = {name: getattr(found, name) for name in ("difference", "low", "high")}
        return {
            "measure": self.measure,
            "before": list(self.before),
            "after": list(self.after),
            "untrained": list(self.untrained),
            "outcome": self.outcome,
            "sentence": found.sentence,
            **{name: float(x) if np.isfinite(x) else None for name, x in interval.items()},
        }


class Head(nn.Module):
    """z + W z with W = 0 at first."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.change = nn.Parameter(torch.zeros(dim, dim))

    def forward(self, z: Tensor) -> Tensor:
        """Rows (n, d) to rows (n, d)."""
        return z + z @ self.change.T


def way(loss: str, knobs: Mapping[str, Value] | None = None, masked: np.ndarray | None = None) -> Way:
    """A way to train, its knobs complete and checked; raises ValueError naming what is wrong."""
    checked = named(loss, knobs)
    pairs = () if masked is None else tuple((int(a), int(b)) for a, b in masked)
    return Way(loss, tuple(sorted(checked.knobs.items())), pairs)


def try_it(
    material: Material,
    now: Way,
    advised: Way,
    measure: str = "recall_at_1",
    progress: Callable[[int, int], None] | None = None,
    steps: int = STEPS,
) -> Trial:
    """Train both ways with three seeds each; progress is told how many of the six are done.

    Raises ValueError without labels of two classes, for an unknown measure, and for a loss that reads no pair scores.
    """
    if material.labels is None or len(np.unique(material.labels)) < 2:
        raise ValueError(f"advice is tried on items with labels of two classes at least; {material.name} has not")
    if measure not in MEASURES:
        raise ValueError(f"measure must be one of {', '.join(MEASURES)}, got {measure!r}")
    before: list[float] = []
    after: list[float] = []
    untrained: list[float] = []
    sums: list[str] = []
    for done, seed in enumerate(SEEDS):
        split = _split(material, seed)
        untrained.append(_measured(material, split[1], None, measure))
        for turn, (one, found) in enumerate(((now, before), (advised, after))):
            head, checksum = _trained(material, split[0], one, seed, steps)
            found.append(_measured(material, split[1], head, measure))
            if progress is not None:
                progress(2 * done + turn + 1, 2 * len(SEEDS))
        sums.append(checksum)
    verdict = compare_seeds(before, after, MEASURES[measure], ("now", "advised"))
    return Trial(now, advised, measure, tuple(before), tuple(after), tuple(untrained), verdict, tuple(sums))


def _split(material: Material, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows to train on, and rows held out."""
    order = np.random.default_rng([seed, 13]).permutation(material.size)[:MOST]
    held = len(order) // _HELD
    return order[held:], order[:held]


def _trained(material: Material, rows: np.ndarray, one: Way, seed: int, steps: int) -> tuple[Head, str]:
    """The head after some steps, and a checksum of the batches it saw."""
    assert material.labels is not None
    z = torch.from_numpy(material.embeddings / _scale(material.embeddings))
    y = torch.from_numpy(material.labels)
    head = Head(material.dim)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        objective = Objective(Part(one.loss, one.knobs), Context(material.dim, int(y.max()) + 1, len(rows)))
        if objective.spec.reads != "scores":
            raise ValueError(f"{objective.spec.name} reads {objective.spec.reads}: advice is tried on pair losses")
        optimiser = torch.optim.Adam([*head.parameters(), *objective.parameters()], RATE)
        masked = _mask(one.masked, material.size)
        rng, total = np.random.default_rng([seed, 14]), 0
        for _ in range(steps):
            batch = torch.from_numpy(rng.choice(rows, min(BATCH, len(rows)), replace=False))
            total = (total * 1_000_003 + int((batch * torch.arange(1, len(batch) + 1)).sum())) % (1 << 61)
            optimiser.zero_grad()
            value = objective.read_scores(_scores(head(z[batch]), y[batch], batch, masked))
            if value.requires_grad:
                value.backward()  # type: ignore[no-untyped-call]
                optimiser.step()
    return head, f"{total:016x}"


def _scores(z: Tensor, y: Tensor, batch: Tensor, masked: Tensor) -> Scores:
    """The batch scored against itself, without the negatives that are masked."""
    found = score(Embeddings(z, y))
    if len(masked) == 0:
        return found
    key = batch[:, None] * (1 << 31) + batch[None, :]
    place = torch.searchsorted(masked, key).clamp(max=len(masked) - 1)
    return Scores(found.s, found.pos, found.neg & (masked[place] != key))


def _mask(pairs: tuple[tuple[int, int], ...], size: int) -> Tensor:
    """Both orders of each pair as one number, rising; raises ValueError for a row that is not there."""
    both = np.asarray(pairs, np.int64).reshape(-1, 2)
    if len(both) and not (both.min() >= 0 and both.max() < size):
        raise ValueError(f"masked names row {both.max()}, there are {size}: rows count from 0")
    keys = [both[:, 0] * (1 << 31) + both[:, 1], both[:, 1] * (1 << 31) + both[:, 0]]
    return torch.from_numpy(np.unique(np.concatenate(keys)))


def _scale(z: np.ndarray) -> np.float32:
    """Typical length of a row, so that one learning rate suits all embeddings."""
    length = float(np.sqrt(np.mean(np.einsum("ij,ij->i", z, z, dtype=np.float64))))
    return np.float32(length if length > 0 else 1.0)


@torch.no_grad()
def _measured(material: Material, rows: np.ndarray, head: Head | None, measure: str) -> float:
    """A measure of held-out items."""
    assert material.labels is not None
    z = torch.from_numpy(material.embeddings[rows] / _scale(material.embeddings))
    items = items_of((z if head is None else head(z)).numpy(), material.labels[rows])
    if measure == "auc":
        return auc(pair_scores(items.s, items.pos, items.neg))
    hits = first_hits(items)
    return float(hits[np.isfinite(hits)].mean()) if np.isfinite(hits).any() else float("nan")
