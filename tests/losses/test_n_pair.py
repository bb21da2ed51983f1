import math

import pytest
import torch
from pytorch_metric_learning.losses import NTXentLoss

from models.geometry import score
from models.losses import n_pair
from models.sensitivity import pair_weights
from tests.losses import helpers

SAMPLES = helpers.samples()


def oracle(s: list[list[float]], group: list[int]) -> float:
    terms = []
    for i in range(len(group)):
        for j in helpers.positives(i, group):
            terms.append(math.log(1 + sum(math.exp(s[i][k] - s[i][j]) for k in helpers.negatives(i, group))))
    return sum(terms) / max(len(terms), 1)


@pytest.mark.parametrize("name", SAMPLES)
def test_equals_plain_loops(name: str) -> None:
    expected = oracle(*helpers.plain(SAMPLES[name]))
    assert n_pair.loss(score(SAMPLES[name])).item() == pytest.approx(expected, rel=1e-10, abs=1e-12)


def test_by_hand() -> None:
    # 0, 60 | 90 deg: log(1 + e^(0 - 0.5)) = 0.474077 and log(1 + e^(0.8660 - 0.5)) = 0.892814.
    value = n_pair.loss(helpers.circle([0, 60, 90], [0, 0, 1])).item()
    assert value == pytest.approx((0.474077 + 0.892814) / 2, abs=1e-6)


def test_equals_library_softmax_at_temperature_one() -> None:
    batch = SAMPLES["balanced"]
    expected = NTXentLoss(temperature=1.0)(batch.z, batch.y).item()
    assert n_pair.loss(score(batch)).item() == pytest.approx(expected, rel=1e-10)


def test_weights_have_the_closed_form() -> None:
    batch = SAMPLES["views"]  # one positive each
    s, group = helpers.plain(batch)
    n = len(group)
    expected = torch.zeros(n, n, dtype=torch.float64)
    for i in range(n):
        (j,) = helpers.positives(i, group)
        odds = {k: math.exp(s[i][k] - s[i][j]) for k in helpers.negatives(i, group)}
        whole = 1 + sum(odds.values())
        expected[i, j] = -(1 - 1 / whole) / n
        for k, value in odds.items():
            expected[i, k] = value / whole / n
    torch.testing.assert_close(pair_weights(n_pair, score(batch)), expected, rtol=1e-9, atol=1e-12)


def test_gradient_is_numerical() -> None:
    assert helpers.gradient_is_numerical(n_pair, score(helpers.random_batch(10, 3)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_finite_on_degenerate_batches(dtype: torch.dtype) -> None:
    assert helpers.not_finite(n_pair, dtype) == []


def test_two_towers_with_one_positive_by_hand() -> None:
    # Cosines 1 and 0, T = 1: -log(e / (e + 1)) = 0.313262, a mean over one; the second query has no positive.
    value = n_pair.loss(helpers.one_positive()).item()
    assert value == pytest.approx(0.313262, abs=1e-6)
