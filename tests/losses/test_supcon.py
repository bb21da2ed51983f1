import math

import pytest
import torch
from pytorch_metric_learning.losses import SupConLoss
from pytorch_metric_learning.reducers import AvgNonZeroReducer

from models.geometry import score
from models.losses import supcon
from models.sensitivity import pair_weights
from tests.losses import helpers

SAMPLES = helpers.samples()


def oracle(s: list[list[float]], group: list[int], temperature: float) -> float:
    terms = []
    for i in range(len(group)):
        pos = helpers.positives(i, group)
        if not pos:
            continue
        whole = sum(math.exp(s[i][k] / temperature) for k in range(len(group)) if k != i)
        terms.append(-sum(math.log(math.exp(s[i][j] / temperature) / whole) for j in pos) / len(pos))
    return sum(terms) / max(len(terms), 1)


@pytest.mark.parametrize("temperature", [0.02, 0.1, 1.0])
@pytest.mark.parametrize("name", SAMPLES)
def test_equals_plain_loops(name: str, temperature: float) -> None:
    expected = oracle(*helpers.plain(SAMPLES[name]), temperature)
    found = supcon.loss(score(SAMPLES[name]), temperature=temperature).item()
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_by_hand() -> None:
    # 0, 0 | 90 deg, T = 1: -log(e / (e + 1)) = 0.313262 for two anchors; the third has no positive and does not count.
    value = supcon.loss(helpers.circle([0, 0, 90], [0, 0, 1]), temperature=1.0).item()
    assert value == pytest.approx(0.313262, abs=1e-6)


def test_by_hand_with_two_positives() -> None:
    # Three at 0 deg, one at 90 deg, T = 1: -log(e / (2 e + 1)) = log(2 + 1 / e) = 0.861995, whichever positive.
    value = supcon.loss(helpers.circle([0, 0, 0, 90], [0, 0, 0, 1]), temperature=1.0).item()
    assert value == pytest.approx(0.861995, abs=1e-6)


@pytest.mark.parametrize("name", ["balanced", "one class large"])
def test_equals_library(name: str) -> None:
    batch = SAMPLES[name]
    expected = SupConLoss(temperature=0.2, reducer=AvgNonZeroReducer())(batch.z, batch.y).item()
    assert supcon.loss(score(batch), temperature=0.2).item() == pytest.approx(expected, rel=1e-9)


def test_pushes_easy_positives_away() -> None:
    # Anchor 0 has one positive at its own place and one at 80 deg: the near one holds more than half of the softmax.
    scores = helpers.circle([0, 0, 80, 180], [0, 0, 0, 1])
    weight = pair_weights(supcon, scores, temperature=0.1)
    assert not supcon.SPEC.pulls_positives
    assert weight[0, 1].item() > 0
    assert weight[0, 2].item() < 0


def test_gradient_is_numerical() -> None:
    assert helpers.gradient_is_numerical(supcon, score(helpers.random_batch(10, 3)), temperature=0.2)


@pytest.mark.parametrize("temperature", [0.01, 0.1])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_finite_on_degenerate_batches(dtype: torch.dtype, temperature: float) -> None:
    assert helpers.not_finite(supcon, dtype, temperature=temperature) == []


def test_two_towers_with_one_positive_by_hand() -> None:
    # Cosines 1 and 0, T = 1: -log(e / (e + 1)) = 0.313262, a mean over one; the second query has no positive.
    value = supcon.loss(helpers.one_positive(), temperature=1.0).item()
    assert value == pytest.approx(0.313262, abs=1e-6)
