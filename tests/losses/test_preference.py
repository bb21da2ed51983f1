"""Preference losses against loops, the stored oracle, hand numbers, their weights, and cross-entropy."""

import math

import pytest
import torch

from models.losses import cross_entropy, preference
from models.objective import Objective
from models.spec import Context, Counts
from models.training.config import Part
from tests.losses.helpers import oracle_numbers
from tests.losses.tasks import logits_of, value_and_slope

NUMBERS = oracle_numbers("preference_template")
FORMS = ("dpo", "ipo", "slic", "best_of_2")
POLICY, REFERENCE = -logits_of(9, 2).abs() - 1.0, -logits_of(9, 2, seed=1).abs() - 1.0


def stored(prefix: str) -> torch.Tensor:
    columns = [NUMBERS["inputs"][f"{prefix}_{answer}_logp"] for answer in ("chosen", "rejected")]
    return torch.tensor(columns, dtype=torch.float64).T


def by_hand(policy: list[list[float]], reference: list[list[float]], form: str, beta: float) -> float:
    total = 0.0
    for (win, lose), (old_win, old_lose) in zip(policy, reference, strict=True):
        v = beta * ((win - old_win) - (lose - old_lose))
        terms = {
            "dpo": -math.log(1 / (1 + math.exp(-v))),
            "ipo": (v - 0.5) ** 2,
            "slic": max(0.0, 1 - v),
            "best_of_2": -win,
        }
        total += terms[form]
    return total / len(policy)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("beta", [0.1, 1.0, 3.0])
def test_equals_the_loops(form: str, beta: float) -> None:
    expected = by_hand(POLICY.tolist(), REFERENCE.tolist(), form, beta)
    assert preference.loss(POLICY, REFERENCE, form=form, beta=beta).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("form", sorted(NUMBERS["loss"]))
def test_equals_the_stored_numbers(form: str) -> None:
    value, slope = value_and_slope(preference.loss, stored("policy"), stored("ref"), form=form)
    assert value == pytest.approx(NUMBERS["loss"][form], rel=1e-6)
    columns = [NUMBERS["grad"][form][answer] for answer in ("chosen", "rejected")]
    torch.testing.assert_close(slope, torch.tensor(columns, dtype=torch.float64).T, rtol=1e-6, atol=1e-12)


def test_the_stored_log_ratios_and_the_stored_value_of_the_hinge() -> None:
    delta = preference.log_ratio(stored("policy"), stored("ref"))
    torch.testing.assert_close(delta, torch.tensor(NUMBERS["delta"], dtype=torch.float64))
    value = preference.loss(stored("policy"), stored("ref"), form="slic").item()
    assert value == pytest.approx(0.773171, abs=1e-6)
    # The library's IPO of these numbers.
    assert preference.loss(stored("policy"), stored("ref"), form="ipo").item() * 100 == pytest.approx(13.563391)


@pytest.mark.parametrize(
    ("form", "expected"), [("dpo", math.log(4 / 3)), ("ipo", (math.log(3) - 0.5) ** 2), ("slic", 0)]
)
def test_numbers_by_hand(form: str, expected: float) -> None:
    """Policy 3 to 1 where the reference is even: the log-ratio is log 3, the logistic one 3/4."""
    policy = torch.tensor([[0.75, 0.25]], dtype=torch.float64).log()
    even = torch.tensor([[0.5, 0.5]], dtype=torch.float64).log()
    assert preference.loss(policy, even, form=form, beta=1.0).item() == pytest.approx(expected, abs=1e-12)
    assert preference.loss(policy, even, form="best_of_2").item() == pytest.approx(math.log(4 / 3))


@pytest.mark.parametrize("form", FORMS)
def test_weights_have_their_closed_forms(form: str) -> None:
    beta = 0.7
    v = beta * preference.log_ratio(POLICY, REFERENCE)
    weight = {
        "dpo": -beta * (-v).sigmoid(),
        "ipo": 2 * beta * (v - 0.5),
        "slic": -beta * (v < 1).double(),
        "best_of_2": -torch.ones(9).double(),
    }[form]
    _, slope = value_and_slope(preference.loss, POLICY, REFERENCE, form=form, beta=beta)
    torch.testing.assert_close(slope[:, 0], weight / 9)
    torch.testing.assert_close(slope[:, 1], torch.zeros(9).double() if form == "best_of_2" else -weight / 9)


def test_only_ipo_pushes_a_lead_back() -> None:
    policy, even = torch.tensor([[8.0, 0.0]]).double(), torch.zeros(1, 2).double()
    slopes = {form: value_and_slope(preference.loss, policy, even, form=form)[1][0, 0].item() for form in FORMS}
    assert slopes["ipo"] > 0.01
    assert max(slopes[form] for form in ("dpo", "slic", "best_of_2")) < 0


def test_no_gradient_goes_through_the_reference() -> None:
    reference = REFERENCE.clone().requires_grad_()
    policy = POLICY.clone().requires_grad_()
    preference.loss(policy, reference).backward()
    assert reference.grad is None
    assert policy.grad is not None


def test_dpo_is_cross_entropy_of_scaled_log_ratios() -> None:
    for beta in (0.1, 2.0):
        left = value_and_slope(preference.loss, POLICY, REFERENCE, beta=beta)
        leaf = POLICY.clone().requires_grad_()
        value = cross_entropy.loss(beta * (leaf - REFERENCE), torch.zeros(9, dtype=torch.long))
        (slope,) = torch.autograd.grad(value, leaf)
        assert left[0] == pytest.approx(value.item(), rel=1e-12)
        torch.testing.assert_close(left[1], slope)


def test_ipo_is_the_squared_gap_of_the_library_times_beta_squared() -> None:
    beta = 0.3
    delta = preference.log_ratio(POLICY, REFERENCE)
    expected = beta**2 * (delta - 1 / (2 * beta)).square().mean()
    assert preference.loss(POLICY, REFERENCE, form="ipo", beta=beta).item() == pytest.approx(expected.item(), rel=1e-12)


def test_the_hinge_is_still_at_its_level() -> None:
    value, slope = value_and_slope(preference.loss, REFERENCE + torch.tensor([11.0, 0.0]), REFERENCE, form="slic")
    counts = Counts(torch.ones(9).long().numpy(), torch.ones(9).long().numpy(), 2)
    (level,) = [level for level in preference.SPEC.levels if level.name == "inactive"]
    assert value == level.value(counts, {"form": "slic", "beta": 0.1}) == 0.0
    assert slope.abs().max().item() == 0.0


def test_an_unknown_form_and_class_labels_are_refused() -> None:
    with pytest.raises(ValueError, match="got 'ppo'"):
        preference.loss(POLICY, REFERENCE, form="ppo")
    with pytest.raises(ValueError, match="Preference needs pairs of answers"):
        Objective(Part("preference"), Context(6, 2, 100))


RELATIONS = {
    "(dpo) equals cross_entropy of beta times the log-ratios with the better answer as the class": (
        test_dpo_is_cross_entropy_of_scaled_log_ratios
    ),
    "(ipo) equals beta squared times the squared gap of the log-ratio to one over two beta": (
        test_ipo_is_the_squared_gap_of_the_library_times_beta_squared
    ),
}
