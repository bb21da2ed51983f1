import math

import pytest
import torch
from pytorch_metric_learning.losses import NTXentLoss

from models.geometry import score
from models.losses import infonce
from models.sensitivity import pair_weights
from tests.losses import helpers

SAMPLES = helpers.samples()


def oracle(s: list[list[float]], group: list[int], temperature: float) -> float:
    terms = []
    for i in range(len(group)):
        for j in helpers.positives(i, group):
            own = math.exp(s[i][j] / temperature)
            others = sum(math.exp(s[i][k] / temperature) for k in helpers.negatives(i, group))
            terms.append(-math.log(own / (own + others)))
    return sum(terms) / max(len(terms), 1)


@pytest.mark.parametrize("temperature", [0.02, 0.1, 1.0])
@pytest.mark.parametrize("name", SAMPLES)
def test_equals_plain_loops(name: str, temperature: float) -> None:
    expected = oracle(*helpers.plain(SAMPLES[name]), temperature)
    found = infonce.loss(score(SAMPLES[name]), temperature=temperature).item()
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_by_hand() -> None:
    # Two at 0 deg, one at 90 deg, T = 1: cosines 1 and 0, so -log(e / (e + 1)) = 0.313262 for both pairs.
    value = infonce.loss(helpers.circle([0, 0, 90], [0, 0, 1]), temperature=1.0).item()
    assert value == pytest.approx(0.313262, abs=1e-6)


@pytest.mark.parametrize("name", ["balanced", "views"])
def test_equals_library(name: str) -> None:
    batch = SAMPLES[name]
    labels = batch.y if batch.instance is None else batch.instance
    expected = NTXentLoss(temperature=0.2)(batch.z, labels).item()
    assert infonce.loss(score(batch), temperature=0.2).item() == pytest.approx(expected, rel=1e-9)


def test_pull_of_an_anchor_balances_its_push() -> None:
    # A softmax race moves nothing on the whole: the weights of a row add up to zero, and positives are pulled.
    weight = pair_weights(infonce, score(SAMPLES["balanced"]), temperature=0.1)
    pos = score(SAMPLES["balanced"]).pos
    assert weight.sum(dim=1).abs().max().item() < 1e-12
    assert (weight[pos] < 0).all()


def test_gradient_is_numerical() -> None:
    assert helpers.gradient_is_numerical(infonce, score(helpers.random_batch(10, 3)), temperature=0.2)


@pytest.mark.parametrize("temperature", [0.01, 0.1])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_finite_on_degenerate_batches(dtype: torch.dtype, temperature: float) -> None:
    assert helpers.not_finite(infonce, dtype, temperature=temperature) == []


def test_two_towers_with_one_positive_by_hand() -> None:
    # Cosines 1 and 0, T = 1: -log(e / (e + 1)) = 0.313262, a mean over one; the second query has no positive.
    value = infonce.loss(helpers.one_positive(), temperature=1.0).item()
    assert value == pytest.approx(0.313262, abs=1e-6)
