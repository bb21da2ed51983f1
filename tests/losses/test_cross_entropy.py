"""Cross-entropy against loops and hand numbers, and the linear head that a run gives it."""

import math

import pytest
import torch

from models.losses import cross_entropy
from models.objective import Objective
from models.spec import Context, Counts
from models.training.config import Part
from tests.losses.helpers import random_batch


def by_hand(logits: list[list[float]], target: list[int]) -> float:
    """Mean over items of minus the log of the softmax entry of the own class."""
    terms = [
        -math.log(math.exp(row[y]) / sum(math.exp(entry) for entry in row))
        for row, y in zip(logits, target, strict=True)
    ]
    return sum(terms) / len(terms)


def test_equals_the_loops() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = 3.0 * torch.randn(9, 4, generator=generator, dtype=torch.float64)
    target = torch.randint(4, (9,), generator=generator)
    expected = by_hand(logits.tolist(), target.tolist())
    assert cross_entropy.loss(logits, target).item() == pytest.approx(expected, rel=1e-12)


def test_a_number_checked_by_hand() -> None:
    """Probabilities 3/4 and 1/4: the own class is the first, then the second."""
    logits = torch.tensor([[math.log(3.0), 0.0]], dtype=torch.float64).repeat(2, 1)
    expected = -(math.log(0.75) + math.log(0.25)) / 2
    assert cross_entropy.loss(logits, torch.tensor([0, 1])).item() == pytest.approx(expected, rel=1e-12)


def test_gradient_is_probability_minus_one_hot() -> None:
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(5, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    target = torch.tensor([0, 1, 2, 1, 0])
    (slope,) = torch.autograd.grad(cross_entropy.loss(logits, target), logits)
    expected = logits.softmax(1) - torch.nn.functional.one_hot(target, 3)
    torch.testing.assert_close(slope, expected.detach() / 5)


def test_the_head_of_a_run_learns() -> None:
    torch.manual_seed(0)
    batch = random_batch(40, 4, spread=0.3, dtype=torch.float32)
    objective = Objective(Part("cross_entropy"), Context(6, 4, 100))
    optimiser = torch.optim.Adam(objective.parameters(), lr=0.1)
    first = objective(batch).item()
    for _ in range(80):
        optimiser.zero_grad()
        objective(batch).backward()
        optimiser.step()
    assert objective(batch).item() < 0.1 * first


def test_chance_counts_the_classes_of_the_head_and_not_those_of_the_batch() -> None:
    """A batch of views has a group an item: the level must still be log of the 10 classes that the head tells apart."""
    objective = Objective(Part("cross_entropy"), Context(6, 10, 100))
    ones = torch.ones(8, dtype=torch.int64).numpy()
    assert objective.levels(Counts(ones, 6 * ones, 4))["chance"] == pytest.approx(math.log(10))
