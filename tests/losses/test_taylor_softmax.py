"""Taylor softmax against loops, a hand number, and the softmax that it is cut from."""

import math

import pytest
import torch

from models.losses import cross_entropy, taylor_softmax
from tests.losses.tasks import logits_of, value_and_slope

TARGET = torch.tensor([0, 3, 1, 1, 2, 0, 3])


def by_hand(logits: list[list[float]], target: list[int]) -> float:
    total = 0.0
    for row, y in zip(logits, target, strict=True):
        terms = [1 + entry + entry**2 / 2 for entry in row]
        total -= math.log(terms[y] / sum(terms))
    return total / len(target)


def test_equals_the_loops() -> None:
    logits = logits_of(7, 4)
    expected = by_hand(logits.tolist(), TARGET.tolist())
    assert taylor_softmax.loss(logits, TARGET).item() == pytest.approx(expected, rel=1e-12)


def test_a_number_checked_by_hand() -> None:
    """Logits 2 and 0 have numerators 5 and 1."""
    logits = torch.tensor([[2.0, 0.0], [2.0, 0.0]], dtype=torch.float64)
    expected = (math.log(6 / 5) + math.log(6)) / 2
    assert taylor_softmax.loss(logits, torch.tensor([0, 1])).item() == pytest.approx(expected, rel=1e-12)


def test_nears_the_softmax_with_the_cube_of_small_logits() -> None:
    logits = logits_of(7, 4, spread=1.0)
    missed = [
        abs((taylor_softmax.loss(h * logits, TARGET) - cross_entropy.loss(h * logits, TARGET)).item())
        for h in (0.0005, 0.001)
    ]
    assert missed[1] / missed[0] == pytest.approx(8.0, rel=0.1)


def test_own_logit_below_minus_one_is_drawn_down() -> None:
    logits = torch.tensor([[-2.0, 0.0, 0.5], [-0.5, 0.0, 0.5]], dtype=torch.float64)
    _, slope = value_and_slope(taylor_softmax.loss, logits, torch.tensor([0, 0]))
    assert slope[0, 0].item() > 0.01
    assert slope[1, 0].item() < -0.01
