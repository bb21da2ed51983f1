import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from pytorch_metric_learning.losses import MultiSimilarityLoss
from pytorch_metric_learning.miners import MultiSimilarityMiner
from pytorch_metric_learning.reducers import MeanReducer

from models.geometry import score
from models.losses import multi_similarity
from models.spec import Counts
from tests.losses import helpers

SAMPLES = helpers.samples()
KNOBS = [
    {"alpha": 2.0, "beta": 40.0, "threshold": 0.5, "mining_margin": 0.1},
    {"alpha": 2.0, "beta": 40.0, "threshold": 0.5, "mining_margin": 0.0},
    {"alpha": 5.0, "beta": 10.0, "threshold": 0.1, "mining_margin": 0.4},
]


def survivors(s: list[float], pos: list[int], neg: list[int], eps: float) -> tuple[list[int], list[int]]:
    if eps == 0:
        return pos, neg
    if not pos or not neg:
        return [], []
    return [j for j in pos if s[j] < max(s[k] for k in neg) + eps], [
        k for k in neg if s[k] > min(s[j] for j in pos) - eps
    ]


def oracle(
    s: list[list[float]], group: list[int], alpha: float, beta: float, threshold: float, mining_margin: float
) -> float:
    total = 0.0
    for i in range(len(group)):
        pos, neg = survivors(s[i], helpers.positives(i, group), helpers.negatives(i, group), mining_margin)
        total += math.log(1 + sum(math.exp(-alpha * (s[i][j] - threshold)) for j in pos)) / alpha
        total += math.log(1 + sum(math.exp(beta * (s[i][k] - threshold)) for k in neg)) / beta
    return total / len(group)


@pytest.mark.parametrize("knobs", KNOBS)
@pytest.mark.parametrize("name", SAMPLES)
def test_equals_plain_loops(name: str, knobs: dict[str, float]) -> None:
    expected = oracle(*helpers.plain(SAMPLES[name]), **knobs)
    assert multi_similarity.loss(score(SAMPLES[name]), **knobs).item() == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(("mining_margin", "value"), [(0.0, 0.4750660), (0.1, 0.2375330)])
def test_by_hand(mining_margin: float, value: float) -> None:
    # 0, 60 | 90 deg. Without mining: log(2) / 2 for both anchors of class 0, and 14.6410166 / 40 = 0.3660254 for both
    # ends of the negative at cos 30 deg. Mining at 0.1 keeps of all that only the anchor at 60 deg: the one at 0 deg
    # has its positive far above its negative, the one at 90 deg has no positive.
    found = multi_similarity.loss(helpers.circle([0, 60, 90], [0, 0, 1]), mining_margin=mining_margin).item()
    assert found == pytest.approx(value, abs=1e-7)


def test_equals_stored_numbers_without_mining() -> None:
    numbers = helpers.oracle_numbers("gpw_weights")
    misses = helpers.misses_stored(multi_similarity, numbers, "multi_similarity", mining_margin=0.0)
    assert max(misses.values()) < 1e-6, misses


def test_equals_stored_numbers_with_mining() -> None:
    misses = helpers.misses_stored(multi_similarity, helpers.oracle_numbers("ms_loss"), "", mining_margin=0.1)
    assert max(misses.values()) < 1e-6, misses


def test_the_stored_pairs_are_those_that_have_a_gradient() -> None:
    numbers = helpers.oracle_numbers("ms_loss")
    scores = score(helpers.stored_batch(numbers))
    s = scores.s.detach().requires_grad_()
    (weight,) = torch.autograd.grad(multi_similarity.loss(replace(scores, s=s)), s)
    assert (weight != 0).tolist() == numbers["kept"]


def test_equals_library_with_its_miner() -> None:
    batch = SAMPLES["balanced"]
    pairs = MultiSimilarityMiner(0.1)(batch.z, batch.y)
    library = MultiSimilarityLoss(alpha=2, beta=40, base=0.5, reducer=MeanReducer())
    expected = library(batch.z, batch.y, pairs).item()
    assert multi_similarity.loss(score(batch)).item() == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("mining_margin", [0.0, 0.1])
def test_gradient_is_numerical(mining_margin: float) -> None:
    scores = score(helpers.random_batch(10, 3))
    assert helpers.gradient_is_numerical(multi_similarity, scores, beta=5.0, mining_margin=mining_margin)


def test_steep_knobs_do_not_overflow() -> None:
    batch = helpers.random_batch(12, 3, dtype=torch.float32, spread=0.01)
    value, gradient = helpers.value_and_gradient(multi_similarity, batch, alpha=50.0, beta=100.0, threshold=-1.0)
    assert math.isfinite(value)
    assert gradient.isfinite().all()


@pytest.mark.parametrize("mining_margin", [0.0, 0.1])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_finite_on_degenerate_batches(dtype: torch.dtype, mining_margin: float) -> None:
    assert helpers.not_finite(multi_similarity, dtype, mining_margin=mining_margin) == []


def levels_of(mining_margin: float) -> dict[str, float | None]:
    """Two items of one class and one of another; defaults but for the mining."""
    counts = Counts(np.array([1, 1, 0]), np.array([1, 1, 2]), 2)
    knobs = {"alpha": 2.0, "beta": 40.0, "threshold": 0.5, "mining_margin": mining_margin}
    return {level.name: level.value(counts, knobs) for level in multi_similarity.SPEC.levels}


def test_levels_of_one_positive_and_one_negative_by_hand() -> None:
    # All scores 0: log(1 + e) / 2 for a positive, log(1 + k e^-20) / 40 for k negatives; mining drops the third anchor.
    pull, push = math.log(1 + math.e) / 2, math.log1p(math.exp(-20)) / 40
    rest = math.log1p(2 * math.exp(-20)) / 40
    assert levels_of(0.1)["chance"] == pytest.approx(2 * (pull + push) / 3, rel=1e-9)
    assert levels_of(0.0)["chance"] == pytest.approx((2 * (pull + push) + rest) / 3, rel=1e-9)


def test_only_mining_can_leave_nothing_to_do() -> None:
    apart = helpers.circle([0, 0, 180, 180], [0, 0, 1, 1])
    assert (levels_of(0.1)["inactive"], levels_of(0.0)["inactive"]) == (0.0, None)
    assert multi_similarity.loss(apart, mining_margin=0.1).item() == 0.0
    assert multi_similarity.loss(apart, mining_margin=0.0).item() > 0.0
