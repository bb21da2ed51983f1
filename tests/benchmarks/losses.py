"""Forward and backward of every loss against that of the score matrix alone, and against pytorch-metric-learning.

One thread, float32, 64 dimensions, 10 classes (and two views of each item for infonce), 512 and 2048 items; medians.
Every loss is stepped as a run does it: embeddings in, gradient at the embeddings out.
"""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytorch_metric_learning.losses as library
import torch
from torch import Tensor

from models.catalogue import discover
from models.geometry import Embeddings, score
from models.losses import pml
from models.objective import Objective, refusal
from models.spec import Context
from models.training.config import Part

DIM, CLASSES = 64, 10
SIZES = (512, 2048)
TURNS, BUDGET_S = 7, 1.0  # at most so many turns, and none begun after the budget
COUNTERPART = {
    "infonce": "NTXentLoss",
    "n_pair": "NTXentLoss",
    "supcon": "SupConLoss",
    "contrastive": "ContrastiveLoss",
    "triplet": "TripletMarginLoss",
    "multi_similarity": "MultiSimilarityLoss",
    "lifted_structure": "LiftedStructureLoss",
    "circle": "CircleLoss",
    "cosface": "CosFaceLoss",
    "arcface": "ArcFaceLoss",
}


def batch_of(n: int, views: bool) -> Embeddings:
    """Random directions, labels in turn; with views, rows i and i + n / 2 are one item."""
    generator = torch.Generator().manual_seed(n)
    y = torch.arange(n) % CLASSES
    instance = torch.arange(n // 2).repeat(2) if views else None
    return Embeddings(torch.randn(n, DIM, generator=generator), y, instance)


def seconds(functions: Sequence[Callable[[Embeddings], Tensor]], batch: Embeddings) -> list[float]:
    """Median times of forward and backward of each, in turns, so that a change of the machine's load hits all."""
    times: list[list[float]] = []
    while len(times) < 2 or (len(times) <= TURNS and sum(map(sum, times)) < BUDGET_S * len(functions)):
        times.append([_once(function, batch) for function in functions])
    return [statistics.median(column) for column in zip(*times[1:], strict=True)]  # the first turn warms up


def _once(function: Callable[[Embeddings], Tensor], batch: Embeddings) -> float:
    z = batch.z.clone().requires_grad_()
    start = time.perf_counter()
    function(Embeddings(z, batch.y, batch.instance)).backward()
    return time.perf_counter() - start


def matrix(batch: Embeddings) -> Tensor:
    """The floor: all scores of raw rows, and back."""
    return (batch.z @ batch.z.T).sum()


def theirs(key: str, batch: Embeddings) -> str | Callable[[Embeddings], Tensor]:
    """The library's counterpart as a function, or why it is not run."""
    if key not in COUNTERPART:
        return "none"
    name = COUNTERPART[key]
    if f"pml:{name}" in pml.variants():
        need = pml.bytes_needed(name, score(batch))
        if need > pml.LIMIT_BYTES:
            return f"needs {need / 2**30:.0f} GB"
        loss: Any = getattr(library, name)()
    else:
        loss = getattr(library, name)(CLASSES, DIM)
    return lambda given: loss(given.z, given.y if given.instance is None else given.instance)


def row(key: str, batch: Embeddings) -> str:
    """Time of our loss, its ratio to the scores alone, and the library's time as a ratio to ours."""
    ours = Objective(Part(key, defaults(key)), Context(DIM, CLASSES, len(batch.y)))
    floor, own = seconds([matrix, ours], batch)
    other = theirs(key, batch)
    beside = other if isinstance(other, str) else f"{seconds([other], batch)[0] / own:.1f} x ours"
    return f"{1e3 * own:.1f} ms = {own / floor:.1f} x scores alone; library: {beside}"


def defaults(key: str) -> tuple[tuple[str, Any], ...]:
    """The knobs of a loss at their defaults."""
    return tuple((knob.name, knob.default) for knob in discover("losses")[key].SPEC.knobs)


def main() -> Iterator[tuple[str, str]]:
    """Rows (loss and batch, figures) as they are measured."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    for n in SIZES:
        yield f"scores alone, {n} items", f"{1e3 * seconds([matrix], batch_of(n, views=False))[0]:.2f} ms"
        readable = (key for key, module in discover("losses").items() if not refusal(module.SPEC, CLASSES))
        for key in sorted(key for key in readable if ":" not in key):
            yield f"{key}, {n} items", row(key, batch_of(n, views=False))
        yield f"infonce, {n // 2} items in two views", row("infonce", batch_of(n, views=True))
    torch.set_num_threads(before)
