"""Comp-sum against loops, the stored oracle, hand numbers and the losses that it passes through."""

import math

import pytest
import torch
from torch.nn.functional import one_hot

from models.losses import comp_sum, cross_entropy
from tests.losses.helpers import oracle_numbers
from tests.losses.tasks import logits_of, stored_logits, value_and_slope

NUMBERS = oracle_numbers("comp_sum")
TAUS = (0.0, 0.5, 1.0, 1.5, 1.7, 2.0, 3.0)
TARGET = torch.tensor([0, 3, 1, 1, 2, 0, 3])


def by_hand(logits: list[list[float]], target: list[int], tau: float) -> float:
    """Phi of u, the sum over the other classes of exp(l_k - l_y)."""
    total = 0.0
    for row, y in zip(logits, target, strict=True):
        u = sum(math.exp(entry - row[y]) for k, entry in enumerate(row) if k != y)
        total += math.log(1 + u) if tau == 1 else ((1 + u) ** (1 - tau) - 1) / (1 - tau)
    return total / len(target)


@pytest.mark.parametrize("tau", TAUS)
def test_equals_the_loops(tau: float) -> None:
    logits = logits_of(7, 4)
    assert comp_sum.loss(logits, TARGET, tau=tau).item() == pytest.approx(
        by_hand(logits.tolist(), TARGET.tolist(), tau), rel=1e-12
    )


@pytest.mark.parametrize("name", sorted(NUMBERS["loss"]))
def test_equals_the_stored_numbers(name: str) -> None:
    logits, target = stored_logits(NUMBERS)
    tau = float(name.removeprefix("tau_"))
    value, slope = value_and_slope(comp_sum.loss, logits, target, tau=tau)
    assert value == pytest.approx(NUMBERS["loss"][name], rel=1e-6)
    torch.testing.assert_close(slope, torch.tensor(NUMBERS["grad"][name], dtype=torch.float64), rtol=1e-6, atol=1e-9)
    _, plain = value_and_slope(cross_entropy.loss, logits, target)
    weight = torch.tensor(NUMBERS["sample_weights"][name], dtype=torch.float64)
    torch.testing.assert_close(slope, weight[:, None] * plain, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(("tau", "expected"), [(0.0, 3.0), (0.5, 2.0), (1.0, math.log(4)), (2.0, 0.75), (3.0, 15 / 32)])
def test_numbers_by_hand_at_probability_one_quarter(tau: float, expected: float) -> None:
    """u = 3: 3, 2 (sqrt 4 - 1), log 4, 1 - 1/4, (1 - 1/16) / 2."""
    logits = torch.tensor([[0.0, math.log(3.0)]], dtype=torch.float64)
    assert comp_sum.loss(logits, torch.tensor([0]), tau=tau).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("gap", [1e-3, 1e-6, 1e-12, 2.3e-16])
@pytest.mark.parametrize("sign", [-1, 1])
def test_runs_smoothly_through_tau_one(gap: float, sign: int) -> None:
    """With e = tau - 1 the series is -log p - e log^2 p / 2 - ..."""
    logits = logits_of(7, 4)
    log_p = logits.log_softmax(1).gather(1, TARGET[:, None])
    tau = 1.0 + sign * gap
    first_order = (-log_p - (tau - 1.0) * log_p.square() / 2).mean().item()
    assert comp_sum.loss(logits, TARGET, tau=tau).item() == pytest.approx(first_order, rel=1e-14 + 20 * gap**2)


def test_at_one_it_is_cross_entropy() -> None:
    left, right = (value_and_slope(module.loss, logits_of(7, 4), TARGET) for module in (comp_sum, cross_entropy))
    assert left[0] == pytest.approx(right[0], rel=1e-12)
    torch.testing.assert_close(left[1], right[1])


def test_at_zero_it_is_the_sum_exponential() -> None:
    logits = logits_of(7, 4)
    gap = (logits - logits.gather(1, TARGET[:, None])).exp()
    expected = (gap.sum(1) - 1.0).mean().item()
    assert comp_sum.loss(logits, TARGET, tau=0.0).item() == pytest.approx(expected, rel=1e-12)


def test_at_1_7_it_is_generalised_cross_entropy() -> None:
    logits = logits_of(7, 4)
    p = logits.softmax(1)[torch.arange(7), TARGET]
    assert comp_sum.loss(logits, TARGET, tau=1.7).item() == pytest.approx(((1 - p**0.7) / 0.7).mean().item(), rel=1e-12)


def test_at_two_it_is_half_the_absolute_error() -> None:
    logits = logits_of(7, 4)
    error = (logits.softmax(1) - one_hot(TARGET, 4)).abs().sum(1).mean().item()
    assert comp_sum.loss(logits, TARGET, tau=2.0).item() == pytest.approx(error / 2, rel=1e-12)


RELATIONS = {
    "at tau 1 equals cross_entropy": test_at_one_it_is_cross_entropy,
    "at tau 0 equals the sum of exponentials of the other logits over the own": test_at_zero_it_is_the_sum_exponential,
    "at tau 1.7 equals generalised cross-entropy with q = 0.7": test_at_1_7_it_is_generalised_cross_entropy,
    "at tau 2 equals half the mean absolute error of the probabilities": test_at_two_it_is_half_the_absolute_error,
}
