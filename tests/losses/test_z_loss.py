"""Z-loss against loops, the stored oracle, a hand number, its closed gradient and its invariance."""

import math

import pytest
import torch
from torch.nn.functional import one_hot

from models.losses import z_loss
from models.objective import Objective
from models.spec import Context
from models.training.config import Part
from tests.losses.helpers import oracle_numbers
from tests.losses.tasks import logits_of, stored_logits, value_and_slope

NUMBERS = oracle_numbers("zloss")
TARGET = torch.tensor([0, 3, 1, 1, 2, 0, 3])


def by_hand(logits: list[list[float]], target: list[int], a: float, b: float) -> float:
    """Mean and deviation from the two power sums of a row, as the spherical family has it."""
    total = 0.0
    for row, y in zip(logits, target, strict=True):
        mean = sum(row) / len(row)
        deviation = math.sqrt(sum(entry * entry for entry in row) / len(row) - mean * mean)
        total += math.log(1 + math.exp(a * (b - (row[y] - mean) / deviation))) / a
    return total / len(target)


@pytest.mark.parametrize(("a", "b"), [(1.0, 0.0), (0.1, 10.0), (4.0, -1.0)])
def test_equals_the_loops(a: float, b: float) -> None:
    logits = logits_of(7, 4)
    expected = by_hand(logits.tolist(), TARGET.tolist(), a, b)
    assert z_loss.loss(logits, TARGET, a=a, b=b).item() == pytest.approx(expected, rel=1e-12)


def test_equals_the_stored_numbers() -> None:
    assert len(NUMBERS["cases"]) == 2
    for case in NUMBERS["cases"]:
        logits, target = stored_logits(NUMBERS)
        value, slope = value_and_slope(z_loss.loss, logits, target, a=case["a"], b=case["b"])
        assert value == pytest.approx(case["loss_mean"], abs=1e-9)
        torch.testing.assert_close(slope, torch.tensor(case["grad_of_mean"], dtype=torch.float64), rtol=0, atol=1e-8)
        for index, expected in enumerate(case["per_sample"]):
            row = z_loss.loss(logits[index : index + 1], target[index : index + 1], a=case["a"], b=case["b"])
            assert row.item() == pytest.approx(expected, abs=1e-9)


def test_the_stored_case_of_another_sharpness() -> None:
    assert z_loss.loss(*stored_logits(NUMBERS), a=4.0, b=1.0).item() == pytest.approx(1.2267474625, abs=1e-9)


def test_a_number_checked_by_hand() -> None:
    """Logits 3, 0, 0: mean 1, population deviation sqrt 2, z-scores sqrt 2 and -1 / sqrt 2."""
    logits = torch.tensor([[3.0, 0.0, 0.0], [3.0, 0.0, 0.0]], dtype=torch.float64)
    expected = (math.log1p(math.exp(-math.sqrt(2))) + math.log1p(math.exp(1 / math.sqrt(2)))) / 2
    assert z_loss.loss(logits, torch.tensor([0, 2])).item() == pytest.approx(expected, rel=1e-12)


def test_gradient_has_its_closed_form_and_is_orthogonal_to_logits_and_ones() -> None:
    logits, a, b = logits_of(7, 4), 2.0, 0.7
    _, slope = value_and_slope(z_loss.loss, logits, TARGET, a=a, b=b)
    deviation = logits.std(dim=1, correction=0, keepdim=True)
    z = (logits - logits.mean(1, keepdim=True)) / deviation
    own = z.gather(1, TARGET[:, None])
    expected = -(a * (b - own)).sigmoid() / deviation * (one_hot(TARGET, 4) - 0.25 - z * own / 4) / 7
    torch.testing.assert_close(slope, expected, rtol=1e-10, atol=1e-14)
    assert slope.abs().max().item() > 1e-2
    torch.testing.assert_close(slope.sum(1), torch.zeros(7).double(), rtol=0, atol=1e-15)
    torch.testing.assert_close((slope * logits).sum(1), torch.zeros(7).double(), rtol=0, atol=1e-14)


def test_blind_to_shift_and_scale() -> None:
    logits = logits_of(7, 4)
    factor = torch.linspace(0.2, 30.0, 7).double()[:, None]
    value, slope = value_and_slope(z_loss.loss, logits, TARGET, a=2.0, b=1.0)
    other, scaled = value_and_slope(z_loss.loss, factor * logits + 11.0, TARGET, a=2.0, b=1.0)
    assert other == pytest.approx(value, rel=1e-10)
    torch.testing.assert_close(factor * scaled, slope, rtol=1e-8, atol=1e-12)
    assert abs(z_loss.loss(-logits, TARGET, a=2.0, b=1.0).item() - value) > 0.05


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equal_logits_have_a_finite_slope_that_raises_the_own_one(dtype: torch.dtype) -> None:
    _, slope = value_and_slope(z_loss.loss, torch.zeros(2, 5, dtype=dtype), torch.tensor([0, 4]))
    assert torch.isfinite(slope).all()
    assert slope[0].argmin().item() == 0
    assert slope[1].argmin().item() == 4
    assert 1.0 < slope.abs().max().item() < 1e3


def test_two_classes_are_refused_by_the_loss_and_before_a_run() -> None:
    with pytest.raises(ValueError, match="at least 3 classes, got 2"):
        z_loss.loss(torch.zeros(4, 2), torch.tensor([0, 1, 0, 1]))
    with pytest.raises(ValueError, match="Z-loss needs data of at least 3 classes"):
        Objective(Part("z_loss"), Context(6, 2, 100))


RELATIONS = {
    "does not change when all logits of an item are shifted, or scaled by a positive factor": (
        test_blind_to_shift_and_scale
    ),
}
