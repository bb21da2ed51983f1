"""LDR-KL against loops, the maximum that defines it, the stored oracle, a hand number and its three limits."""

import math

import pytest
import torch

from models.losses import cross_entropy, ldr_kl
from tests.losses.helpers import oracle_numbers
from tests.losses.tasks import logits_of, stored_logits, value_and_slope

NUMBERS = oracle_numbers("ldr_kl")
TARGET = torch.tensor([0, 3, 1, 1, 2, 0, 3])


def leads(row: list[float], y: int, margin: float) -> list[float]:
    return [entry - row[y] + (margin if k != y else 0.0) for k, entry in enumerate(row)]


def by_hand(logits: list[list[float]], target: list[int], temperature: float, margin: float) -> float:
    total = 0.0
    for row, y in zip(logits, target, strict=True):
        terms = [math.exp(d / temperature) for d in leads(row, y, margin)]
        total += temperature * math.log(sum(terms) / len(terms))
    return total / len(target)


@pytest.mark.parametrize(("temperature", "margin"), [(1.0, 0.1), (0.2, 1.0), (20.0, 0.0)])
def test_equals_the_loops(temperature: float, margin: float) -> None:
    logits = logits_of(7, 4)
    expected = by_hand(logits.tolist(), TARGET.tolist(), temperature, margin)
    assert ldr_kl.loss(logits, TARGET, temperature=temperature, margin=margin).item() == pytest.approx(
        expected, rel=1e-12
    )


def test_equals_the_stored_numbers() -> None:
    cases = NUMBERS["cases_paper_form"]
    assert len(cases) >= 3
    logits, target = stored_logits(NUMBERS)
    for case in cases:
        knobs = {"temperature": case["lam"], "margin": case["margin"]}
        value, slope = value_and_slope(ldr_kl.loss, logits, target, **knobs)
        assert value == pytest.approx(case["loss_mean"], abs=1e-9)
        torch.testing.assert_close(slope, torch.tensor(case["grad_of_mean"], dtype=torch.float64), rtol=0, atol=1e-8)


def test_is_the_maximum_over_mixtures_less_the_divergence_from_uniform() -> None:
    """The best mixture reaches the closed form, and no other of a thousand does."""
    row, y, temperature, margin = logits_of(1, 5)[0].tolist(), 2, 0.7, 0.3
    lead = torch.tensor(leads(row, y, margin), dtype=torch.float64)
    value = ldr_kl.loss(torch.tensor([row]).double(), torch.tensor([y]), temperature=temperature, margin=margin).item()

    def gain(mixture: torch.Tensor) -> torch.Tensor:
        return mixture @ lead - temperature * (mixture * (5 * mixture).log()).sum(-1)

    assert gain((lead / temperature).softmax(0)).item() == pytest.approx(value, rel=1e-6)
    others = torch.rand(1000, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert gain(others / others.sum(1, keepdim=True)).max().item() < value


def test_a_number_checked_by_hand() -> None:
    """Temperature 2, leads 0 and 2 log 3: the mean of 1 and 3 is 2."""
    logits = torch.tensor([[0.0, 2 * math.log(3) - 0.5]], dtype=torch.float64)
    value = ldr_kl.loss(logits, torch.tensor([0]), temperature=2.0, margin=0.5)
    assert value.item() == pytest.approx(2 * math.log(2), rel=1e-12)


def test_at_temperature_1_it_is_cross_entropy_less_a_constant() -> None:
    logits = logits_of(7, 4)
    left = value_and_slope(ldr_kl.loss, logits, TARGET, temperature=1.0, margin=0.0)
    right = value_and_slope(cross_entropy.loss, logits, TARGET)
    assert left[0] == pytest.approx(right[0] - math.log(4), rel=1e-12)
    torch.testing.assert_close(left[1], right[1])


def test_cold_it_is_the_hinge() -> None:
    logits = logits_of(7, 4)
    expected = [
        max(leads(row, y, 1.0)) - 0.001 * math.log(4) for row, y in zip(logits.tolist(), TARGET.tolist(), strict=True)
    ]
    assert ldr_kl.loss(logits, TARGET, temperature=0.001, margin=1.0).item() == pytest.approx(sum(expected) / 7)


def test_hot_it_is_the_mean_lead() -> None:
    logits = logits_of(7, 4)
    expected = [sum(leads(row, y, 1.0)) / 4 for row, y in zip(logits.tolist(), TARGET.tolist(), strict=True)]
    value = ldr_kl.loss(logits, TARGET, temperature=1e6, margin=1.0).item()
    assert value == pytest.approx(sum(expected) / 7, rel=1e-5)


RELATIONS = {
    "at temperature 1 and margin 0 equals cross_entropy less the log of the number of classes": (
        test_at_temperature_1_it_is_cross_entropy_less_a_constant
    ),
    "is the hinge on the largest lead for a cold temperature": test_cold_it_is_the_hinge,
    "is the mean lead for a hot temperature": test_hot_it_is_the_mean_lead,
}
