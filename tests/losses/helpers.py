"""What the tests of the losses share: points on the unit circle, random batches, stored oracle numbers, gradients."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models.geometry import Embeddings, Scores, masks, score
from models.sensitivity import pair_weights

_ORACLES = Path(__file__).parents[1] / "oracles"


def oracle_numbers(name: str) -> dict[str, Any]:
    """The stored numbers of tests/oracles/<name>.json."""
    numbers: dict[str, Any] = json.loads((_ORACLES / f"{name}.json").read_text())
    return numbers


def on_circle(degrees: Sequence[float], labels: Sequence[int], instance: Sequence[int] | None = None) -> Embeddings:
    """Unit vectors in the plane at these angles, float64: the cosine of two is that of the angle between them."""
    angle = torch.deg2rad(torch.tensor(degrees, dtype=torch.float64))
    z = torch.stack([angle.cos(), angle.sin()], dim=1)
    return Embeddings(z, torch.tensor(labels), None if instance is None else torch.tensor(instance))


def circle(degrees: Sequence[float], labels: Sequence[int]) -> Scores:
    """Scores of `on_circle`, paired by label."""
    return score(on_circle(degrees, labels))


def random_batch(
    n: int, classes: int, *, d: int = 6, seed: int = 0, dtype: torch.dtype = torch.float64, spread: float = 1.0
) -> Embeddings:
    """Gaussian clouds of n rows around `classes` centres, labels in no order; a small spread gives an easy batch."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.arange(n) % classes
    y = y[torch.randperm(n, generator=generator)]
    centre = torch.randn(classes, d, generator=generator, dtype=torch.float64)
    z = centre[y] + spread * torch.randn(n, d, generator=generator, dtype=torch.float64)
    return Embeddings(z.to(dtype), y)


def two_views(n: int, *, d: int = 6, seed: int = 0, dtype: torch.dtype = torch.float64) -> Embeddings:
    """n items with two views each, paired by instance: every anchor has exactly one positive."""
    generator = torch.Generator().manual_seed(seed)
    item = torch.randn(n, d, generator=generator, dtype=torch.float64).repeat(2, 1)
    z = item + 0.7 * torch.randn(2 * n, d, generator=generator, dtype=torch.float64)
    instance = torch.arange(n).repeat(2)
    return Embeddings(z.to(dtype), instance % 3, instance)


def with_scores(s: Tensor, labels: Sequence[int]) -> Scores:
    """A given score matrix with the masks of these labels."""
    y = torch.tensor(labels)
    blank = score(Embeddings(torch.ones(len(labels), 2, dtype=s.dtype), y))
    return Scores(s, blank.pos, blank.neg)


def degenerate_batches(dtype: torch.dtype = torch.float64) -> dict[str, Embeddings]:
    """Batches in which positives, negatives or both are missing, for all anchors or some."""
    z = torch.tensor([[1.0, 0.2], [0.3, -1.0], [-0.6, 0.5], [0.1, 0.9]], dtype=dtype)
    return {
        "one sample": Embeddings(z[:1], torch.tensor([0])),
        "two of one class": Embeddings(z[:2], torch.tensor([3, 3])),
        "two of two classes": Embeddings(z[:2], torch.tensor([3, 5])),
        "no positive": Embeddings(z, torch.tensor([0, 1, 2, 3])),
        "no negative": Embeddings(z, torch.tensor([1, 1, 1, 1])),
        "one anchor without positive": Embeddings(z, torch.tensor([0, 0, 0, 1])),
        "all rows equal": Embeddings(z[:1].repeat(4, 1), torch.tensor([0, 0, 1, 1])),
    }


def value_and_gradient(module: Any, embeddings: Embeddings, **knobs: Any) -> tuple[float, Tensor]:
    """Loss of a batch and its gradient at the raw rows: through the normalisation, so tangential on unit rows."""
    z = embeddings.z.detach().clone().requires_grad_()
    value = module.loss(score(Embeddings(z, embeddings.y, embeddings.instance)), **knobs)
    (gradient,) = torch.autograd.grad(value, z)
    return value.item(), gradient


def gradient_is_numerical(module: Any, scores: Scores, **knobs: Any) -> bool:
    """Compare dL/ds with central differences in float64; raises where they differ."""

    def of(s: Tensor) -> Tensor:
        value: Tensor = module.loss(Scores(s, scores.pos, scores.neg, scores.target), **knobs)
        return value

    s = scores.s.detach().double().clone().requires_grad_()
    return bool(torch.autograd.gradcheck(of, (s,), eps=1e-6, atol=1e-7, rtol=1e-5))


def samples() -> dict[str, Embeddings]:
    """Ordinary and degenerate batches in float64, for comparison with plain loops."""
    return {
        "balanced": random_batch(24, 4),
        "many classes": random_batch(15, 9, seed=1),
        "one class large": Embeddings(random_batch(12, 2, seed=2).z, torch.tensor([0] * 8 + [1, 1, 2, 3])),
        "easy": random_batch(18, 3, seed=3, spread=0.2),
        "views": two_views(7, seed=4),
        **degenerate_batches(),
    }


def plain(batch: Embeddings) -> tuple[list[list[float]], list[int]]:
    """Cosines and groups (instances if given, else labels) by plain loops, as Python numbers."""
    rows: list[list[float]] = batch.z.tolist()
    unit = [[value / math.sqrt(sum(v * v for v in row)) for value in row] for row in rows]
    group = batch.y if batch.instance is None else batch.instance
    return [[sum(a * b for a, b in zip(u, v, strict=True)) for v in unit] for u in unit], group.tolist()


def positives(i: int, group: Sequence[int]) -> list[int]:
    """Other members of i's group."""
    return [j for j, g in enumerate(group) if g == group[i] and j != i]


def negatives(i: int, group: Sequence[int]) -> list[int]:
    """All that are not of i's group."""
    return [j for j, g in enumerate(group) if g != group[i]]


def stored_batch(numbers: dict[str, Any]) -> Embeddings:
    """The unit rows and labels of a stored oracle."""
    inputs = numbers["inputs"]
    return Embeddings(torch.tensor(inputs["z"], dtype=torch.float64), torch.tensor(inputs["labels"]))


def raw_gradient(module: Any, batch: Embeddings, **knobs: Any) -> Tensor:
    """Gradient at the rows used as they are, without the normalisation in between."""
    z = batch.z.detach().clone().requires_grad_()
    value = module.loss(Scores(z @ z.T, *masks(batch)), **knobs)
    (gradient,) = torch.autograd.grad(value, z)
    return gradient


def misses_stored(module: Any, numbers: dict[str, Any], name: str, **knobs: Any) -> dict[str, float]:
    """Largest absolute difference from a stored oracle in value, gradients and signed pair weights; name "": one."""
    batch = stored_batch(numbers)
    stored = {
        key: numbers[key][name] if name else numbers[key] for key in ("loss", "grad", "grad_tangent", "pair_weights")
    }
    scores = score(batch)
    value, tangent = value_and_gradient(module, batch, **knobs)
    signed = torch.tensor(stored["pair_weights"]) * (scores.neg.double() - scores.pos.double())
    return {
        "value": abs(value - stored["loss"]),
        "grad": (raw_gradient(module, batch, **knobs) - torch.tensor(stored["grad"])).abs().max().item(),
        "grad_tangent": (tangent - torch.tensor(stored["grad_tangent"])).abs().max().item(),
        "pair_weights": (pair_weights(module, scores, **knobs) - signed).abs().max().item(),
    }


def not_finite(module: Any, dtype: torch.dtype = torch.float64, **knobs: Any) -> list[str]:
    """Names of the degenerate batches on which value or gradient is not finite."""
    bad = []
    for name, batch in degenerate_batches(dtype).items():
        value, gradient = value_and_gradient(module, batch, **knobs)
        if not (math.isfinite(value) and bool(gradient.isfinite().all())):
            bad.append(name)
    return bad


def one_positive() -> Scores:
    """Two queries at 0 and 90 degrees against two documents there: only the first of each are of one class."""
    return score(on_circle([0, 90], [0, 1]), on_circle([0, 90], [0, 2]))
