import math

import pytest
import torch

from models.geometry import score
from models.losses import binomial_deviance
from models.sensitivity import pair_weights
from tests.losses import helpers

SAMPLES = helpers.samples()
KNOBS = [{"alpha": 2.0, "beta": 40.0, "threshold": 0.5}, {"alpha": 7.0, "beta": 3.0, "threshold": -0.2}]


def oracle(s: list[list[float]], group: list[int], alpha: float, beta: float, threshold: float) -> float:
    total = 0.0
    for i in range(len(group)):
        pull = [math.log(1 + math.exp(alpha * (threshold - s[i][j]))) for j in helpers.positives(i, group)]
        push = [math.log(1 + math.exp(beta * (s[i][k] - threshold))) for k in helpers.negatives(i, group)]
        total += sum(pull) / max(len(pull), 1) + sum(push) / max(len(push), 1)
    return total / len(group)


@pytest.mark.parametrize("knobs", KNOBS)
@pytest.mark.parametrize("name", SAMPLES)
def test_equals_plain_loops(name: str, knobs: dict[str, float]) -> None:
    expected = oracle(*helpers.plain(SAMPLES[name]), **knobs)
    assert binomial_deviance.loss(score(SAMPLES[name]), **knobs).item() == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_by_hand() -> None:
    # 0, 60 | 90 deg, threshold 0.5: positives at 0.5 give log 2 each; the negative at cos 30 deg gives 40 * 0.3660254
    # = 14.641016 for its first end, and half of that for the other, whose second negative (at 0) gives next to nothing.
    value = binomial_deviance.loss(helpers.circle([0, 60, 90], [0, 0, 1])).item()
    assert value == pytest.approx((2 * 0.6931471806 + 14.6410166 + 14.6410166 / 2) / 3, abs=1e-6)


def test_weights_have_the_closed_form() -> None:
    batch = SAMPLES["one class large"]
    s, group = helpers.plain(batch)
    n = len(group)
    expected = torch.zeros(n, n, dtype=torch.float64)
    for i in range(n):
        pos, neg = helpers.positives(i, group), helpers.negatives(i, group)
        for j in pos:
            expected[i, j] = -2.0 / (1 + math.exp(-2.0 * (0.5 - s[i][j]))) / len(pos) / n
        for k in neg:
            expected[i, k] = 40.0 / (1 + math.exp(-40.0 * (s[i][k] - 0.5))) / len(neg) / n
    torch.testing.assert_close(pair_weights(binomial_deviance, score(batch)), expected, rtol=1e-9, atol=1e-12)


def test_gradient_is_numerical() -> None:
    assert helpers.gradient_is_numerical(binomial_deviance, score(helpers.random_batch(10, 3)), beta=5.0)


def test_steep_knobs_do_not_overflow() -> None:
    batch = helpers.random_batch(12, 3, dtype=torch.float32, spread=0.01)
    value, gradient = helpers.value_and_gradient(binomial_deviance, batch, alpha=50.0, beta=100.0, threshold=-1.0)
    assert math.isfinite(value)
    assert gradient.isfinite().all()
    assert value > 50.0  # some negatives are above the threshold by more than 0.5


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_finite_on_degenerate_batches(dtype: torch.dtype) -> None:
    assert helpers.not_finite(binomial_deviance, dtype) == []
