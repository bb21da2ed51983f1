"""Two-hot against loops, the stored oracle, a hand number, and the mean that it keeps."""

import math

import pytest
import torch

from models.losses import cross_entropy, two_hot
from models.objective import Objective
from models.spec import Context
from models.training.config import Part
from tests.losses.helpers import oracle_numbers
from tests.losses.tasks import logits_of, stored_logits, value_and_slope

NUMBERS = oracle_numbers("two_hot")
TARGET = torch.tensor([-9.0, 0.0, 3.3, 10.0, -10.0], dtype=torch.float64)


def by_hand(logits: list[list[float]], target: list[float], low: float, high: float) -> float:
    """Hats: the share of a location is one less the distance to it in steps, where that is positive."""
    total, m = 0.0, len(logits[0])
    step = (high - low) / (m - 1)
    for row, y in zip(logits, target, strict=True):
        norm = math.log(sum(math.exp(entry) for entry in row))
        for k in range(m):
            total -= max(0.0, 1 - abs(low + k * step - y) / step) * (row[k] - norm)
    return total / len(target)


@pytest.mark.parametrize("bins", [2, 6, 51])
def test_equals_the_loops(bins: int) -> None:
    logits = logits_of(5, bins)
    expected = by_hand(logits.tolist(), TARGET.tolist(), -10.0, 10.0)
    assert two_hot.loss(logits, TARGET).item() == pytest.approx(expected, rel=1e-12)


def test_equals_the_stored_numbers() -> None:
    logits, _ = stored_logits(NUMBERS, "target")
    target = torch.tensor(NUMBERS["inputs"]["target"], dtype=torch.float64)
    value, slope = value_and_slope(two_hot.loss, logits, target, v_min=-1.0, v_max=1.0)
    assert value == pytest.approx(NUMBERS["loss"], rel=1e-6)
    torch.testing.assert_close(slope, torch.tensor(NUMBERS["grad"], dtype=torch.float64), rtol=0, atol=1e-9)
    p = two_hot.shared(target, 6, -1.0, 1.0)
    torch.testing.assert_close(p, torch.tensor(NUMBERS["target_probs"], dtype=torch.float64), rtol=0, atol=1e-12)


def test_a_number_checked_by_hand() -> None:
    """Locations -1, 0, 1 and target 1/4: shares 0, 3/4, 1/4; probabilities 1/2, 1/4, 1/4."""
    logits = torch.tensor([[math.log(2.0), 0.0, 0.0]], dtype=torch.float64)
    value = two_hot.loss(logits, torch.tensor([0.25]).double(), v_min=-1.0, v_max=1.0)
    assert value.item() == pytest.approx(math.log(4.0), rel=1e-12)


def test_the_mean_is_kept_to_both_ends_and_beyond_them_the_end() -> None:
    target = torch.cat([torch.linspace(-10.0, 10.0, 997, dtype=torch.float64), torch.tensor([-1e9, 10.5]).double()])
    p = two_hot.shared(target, 12, -10.0, 10.0)
    assert (p >= 0).all()
    assert ((p > 0).sum(1) <= 2).all()
    back = two_hot.decode(p.log())
    torch.testing.assert_close(back, target.clamp(-10.0, 10.0), rtol=0, atol=1e-12)


def test_on_locations_it_is_cross_entropy() -> None:
    logits, index = logits_of(5, 11), torch.tensor([0, 3, 7, 10, 5])
    target = -10.0 + 2.0 * index.double()
    left, right = value_and_slope(two_hot.loss, logits, target), value_and_slope(cross_entropy.loss, logits, index)
    assert left[0] == pytest.approx(right[0], rel=1e-12)
    torch.testing.assert_close(left[1], right[1], rtol=1e-10, atol=1e-14)


def test_one_location_and_class_labels_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 2 locations, got 1"):
        two_hot.loss(torch.zeros(3, 1), torch.zeros(3))
    with pytest.raises(ValueError, match="Two-hot needs data with a number to predict"):
        Objective(Part("two_hot"), Context(6, 2, 100))


RELATIONS = {"equals cross_entropy when every target is a location": test_on_locations_it_is_cross_entropy}
