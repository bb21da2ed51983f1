"""Advice tried out: a small head on frozen embeddings, trained both ways from the same start on the same batches.

What is trained is a residual linear head, so that it begins as the embeddings are; what is measured stands in
`models.checkpoint.try_measures`, among held-out items. Seeds draw batches and the split, the same for both sides. Over
seeds a paired t interval says whether the advice helps. Ways that differ in how embeddings are prepared or searched
train nothing: there seeds draw the split alone.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from models.checkpoint.batches import named
from models.checkpoint.material import Material
from models.checkpoint.try_measures import MEASURES, SEARCHES, measured
from models.checkpoint.try_measures import Part as Embedded
from models.diagnostics.verdict import Verdict, compare_seeds
from models.geometry import Embeddings, Scores, score
from models.objective import Objective
from models.spec import Context, Value
from models.training.config import Part

SEEDS, STEPS, BATCH, RATE = (0, 1, 2), 200, 128, 3e-3
MOST = 4000  # items taken
_HELD = 3  # one of so many is held out
VERDICTS = ("confirmed", "not distinguishable", "refuted")


@dataclass(frozen=True)
class Way:
    """One way to train the head."""

    loss: str
    knobs: tuple[tuple[str, Value], ...] = ()
    masked: tuple[tuple[int, int], ...] = ()  # pairs of rows that do not count as negatives
    without: tuple[int, ...] = ()  # rows that are taken out of every batch
    pace: float = 1.0  # times the learning rate
    decay: float = 0.0  # of the head's weights
    decorrelate: float = 0.0  # times the mean square of correlations between two dimensions
    balanced: bool = False  # batches with as many items of every class
    centred: bool = False  # the mean of the trained rows is taken off first
    search: str = "cosine"  # one of SEARCHES: how what comes out is compared
    trained: bool = True  # False: the embeddings as they are

    def __post_init__(self) -> None:
        if self.search not in SEARCHES:
            raise ValueError(f"search must be one of {', '.join(SEARCHES)}, got {self.search!r}")


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


class _Centred(nn.Module):
    """Rows minus a mean, then through the head."""

    mean: Tensor

    def __init__(self, mean: Tensor, head: nn.Module) -> None:
        super().__init__()
        self.head = head
        self.register_buffer("mean", mean)

    def forward(self, z: Tensor) -> Tensor:
        found: Tensor = self.head(z - self.mean)
        return found


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

    Raises ValueError without labels of two classes, for an unknown measure, one that needs slices which are not there,
    and for a loss that reads no pair scores.
    """
    _check(material, measure)
    before: list[float] = []
    after: list[float] = []
    untrained: list[float] = []
    sums: list[str] = []
    doubted = sorted(set(advised.without) - set(now.without))
    for done, seed in enumerate(SEEDS):
        split = _split(material, seed, doubted)
        untrained.append(_measured(material, split, Head(material.dim), (measure, now.search)))
        for turn, (one, found) in enumerate(((now, before), (advised, after))):
            head, checksum = _trained(material, split[0], one, seed, steps)
            found.append(_measured(material, split, head, (measure, one.search)))
            if progress is not None:
                progress(2 * done + turn + 1, 2 * len(SEEDS))
        sums.append(checksum)
    verdict = compare_seeds(before, after, MEASURES[measure], ("now", "advised"))
    return Trial(now, advised, measure, tuple(before), tuple(after), tuple(untrained), verdict, tuple(sums))


def _check(material: Material, measure: str) -> None:
    if material.labels is None or len(np.unique(material.labels)) < 2:
        raise ValueError(f"advice is tried on items with labels of two classes at least; {material.name} has not")
    if measure not in MEASURES:
        raise ValueError(f"measure must be one of {', '.join(MEASURES)}, got {measure!r}")
    if measure == "auc_unseen" and material.seen is None:
        raise ValueError(f"nothing says which items of {material.name} are of classes that were not trained on")
    if measure == "one_threshold" and material.group is None:
        raise ValueError(f"one threshold for all slices is tried where items have slices; {material.name} has none")


def _split(material: Material, seed: int, doubted: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Rows to train on, and rows held out; no way is measured on those that only one trains on."""
    order = np.random.default_rng([seed, 13]).permutation(material.size)[:MOST]
    held, rest = order[: len(order) // _HELD], order[len(order) // _HELD :]
    return rest, held[~np.isin(held, doubted)]


def _trained(material: Material, rows: np.ndarray, one: Way, seed: int, steps: int) -> tuple[nn.Module, str]:
    """What was made of the head after some steps, and a checksum of the batches that were drawn."""
    assert material.labels is not None
    z = _inputs(material)
    y = torch.from_numpy(material.labels)
    head: nn.Module = Head(material.dim)
    if one.centred:
        head = _Centred(z[rows].mean(dim=0), head)
    if not one.trained:
        return head, "nothing is trained"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        objective = Objective(Part(one.loss, one.knobs), Context(material.dim, int(y.max()) + 1, len(rows)))
        if objective.spec.reads != "scores":
            raise ValueError(f"{objective.spec.name} reads {objective.spec.reads}: advice is tried on pair losses")
        optimiser = torch.optim.AdamW(
            [*head.parameters(), *objective.parameters()], RATE * one.pace, weight_decay=one.decay
        )
        masked = _mask(one.masked, material.size)
        out = np.isin(np.arange(material.size), one.without)
        draw, total = _drawn(material.labels, rows, seed, balanced=one.balanced), 0
        for _ in range(steps):
            taken = draw()
            batch = torch.from_numpy(taken[~out[taken]])
            total = (total * 1_000_003 + int((taken * np.arange(1, len(taken) + 1)).sum())) % (1 << 61)
            optimiser.zero_grad()
            made = head(z[batch])
            value = objective.read_scores(_scores(made, y[batch], batch, masked))
            if one.decorrelate:
                value = value + one.decorrelate * _correlation(made)
            if value.requires_grad:
                value.backward()  # type: ignore[no-untyped-call]
                optimiser.step()
    return head, f"{total:016x}"


def _drawn(y: np.ndarray, rows: np.ndarray, seed: int, *, balanced: bool) -> Callable[[], np.ndarray]:
    """Batches of rows, none twice in one; balanced: every class as likely as any other to give the next item."""
    rng, size = np.random.default_rng([seed, 14]), min(BATCH, len(rows))
    if not balanced:
        return lambda: rng.choice(rows, size, replace=False)
    _, code, count = np.unique(y[rows], return_inverse=True, return_counts=True)
    share = 1.0 / count[code]
    return lambda: rng.choice(rows, size, replace=False, p=share / share.sum())


def _correlation(z: Tensor) -> Tensor:
    """Mean square of the correlations between two different dimensions; 0 in one dimension."""
    centred = z - z.mean(dim=0)
    unit = centred / centred.norm(dim=0).clamp(min=1e-6)
    matrix = unit.T @ unit
    d = z.shape[1]
    found: Tensor = (matrix.square().sum() - matrix.diagonal().square().sum()) / max(d * (d - 1), 1)
    return found


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


def _inputs(material: Material) -> Tensor:
    """All embeddings, divided by their typical length, so that one learning rate suits all of them."""
    z = material.embeddings
    length = float(np.sqrt(np.mean(np.einsum("ij,ij->i", z, z, dtype=np.float64))))
    return torch.from_numpy(z / np.float32(length if length > 0 else 1.0))


@torch.no_grad()
def _measured(
    material: Material, split: tuple[np.ndarray, np.ndarray], head: nn.Module, asked: tuple[str, str]
) -> float:
    """A measure of held-out items, searched in a way."""
    assert material.labels is not None
    z = _inputs(material)
    if asked[0] == "auc_unseen":
        assert material.seen is not None
        split = split[0], split[1][~material.seen[split[1]]]
    parts = [
        Embedded(head(z[rows]).numpy(), material.labels[rows], None if material.group is None else material.group[rows])
        for rows in split
    ]
    return measured(parts[0], parts[1], *asked)
