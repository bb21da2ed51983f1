"""Spherical softmax against loops, a hand number, and its blindness to scale and sign."""

import math

import pytest
import torch

from models.losses import spherical_softmax
from tests.losses.tasks import logits_of, value_and_slope

TARGET = torch.tensor([0, 3, 1, 1, 2, 0, 3])


def by_hand(logits: list[list[float]], target: list[int], floor: float) -> float:
    total = 0.0
    for row, y in zip(logits, target, strict=True):
        terms = [entry * entry + floor for entry in row]
        total -= math.log(terms[y] / sum(terms))
    return total / len(target)


@pytest.mark.parametrize("floor", [1e-6, 1e-3, 1.0])
def test_equals_the_loops(floor: float) -> None:
    logits = logits_of(7, 4)
    expected = by_hand(logits.tolist(), TARGET.tolist(), floor)
    assert spherical_softmax.loss(logits, TARGET, floor=floor).item() == pytest.approx(expected, rel=1e-12)


def test_a_number_checked_by_hand() -> None:
    """Logits 2 and -1 with floor 1: numerators 5 and 2."""
    logits = torch.tensor([[2.0, -1.0], [2.0, -1.0]], dtype=torch.float64)
    expected = (math.log(7 / 5) + math.log(7 / 2)) / 2
    assert spherical_softmax.loss(logits, torch.tensor([0, 1]), floor=1.0).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("factor", [0.1, -1.0, 25.0])
def test_a_factor_on_logits_and_its_square_on_the_floor_change_nothing(factor: float) -> None:
    logits = logits_of(7, 4)
    value, slope = value_and_slope(spherical_softmax.loss, logits, TARGET, floor=0.01)
    other, scaled = value_and_slope(spherical_softmax.loss, factor * logits, TARGET, floor=0.01 * factor**2)
    assert other == pytest.approx(value, rel=1e-12)
    torch.testing.assert_close(factor * scaled, slope, rtol=1e-10, atol=1e-14)
    assert abs(spherical_softmax.loss(logits + 1.0, TARGET, floor=0.01).item() - value) > 0.005


def scaling() -> None:
    test_a_factor_on_logits_and_its_square_on_the_floor_change_nothing(25.0)


def test_a_negative_own_logit_is_drawn_further_down() -> None:
    _, slope = value_and_slope(
        spherical_softmax.loss, torch.tensor([[-0.5, 1.0], [0.5, 1.0]]).double(), torch.tensor([0, 0])
    )
    assert slope[0, 0].item() > 0.01
    assert slope[1, 0].item() == pytest.approx(-slope[0, 0].item())


RELATIONS = {
    "does not change when all logits of an item are multiplied by a factor and the floor by its square": scaling,
}
