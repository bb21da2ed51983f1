import math

import pytest
import torch
from pytorch_metric_learning.distances import CosineSimilarity
from pytorch_metric_learning.losses import GeneralizedLiftedStructureLoss
from pytorch_metric_learning.reducers import MeanReducer

from models.geometry import score
from models.losses import lifted_structure
from models.sensitivity import pair_weights
from tests.losses import helpers

SAMPLES = helpers.samples()


def oracle(s: list[list[float]], group: list[int], threshold: float) -> float:
    total = 0.0
    for i in range(len(group)):
        pull = sum(math.exp(threshold - s[i][j]) for j in helpers.positives(i, group))
        push = sum(math.exp(s[i][k]) for k in helpers.negatives(i, group))
        total += max(math.log(pull) + math.log(push), 0.0) if pull > 0 and push > 0 else 0.0
    return total / len(group)


@pytest.mark.parametrize("threshold", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("name", SAMPLES)
def test_equals_plain_loops(name: str, threshold: float) -> None:
    expected = oracle(*helpers.plain(SAMPLES[name]), threshold)
    found = lifted_structure.loss(score(SAMPLES[name]), threshold=threshold).item()
    assert found == pytest.approx(expected, rel=1e-10, abs=1e-12)


def test_by_hand() -> None:
    # 0, 60 | 90 deg: two anchors have a pair of each kind: 1 - 0.5 + 0 and 1 - 0.5 + cos 30 deg; the third no positive.
    value = lifted_structure.loss(helpers.circle([0, 60, 90], [0, 0, 1]), threshold=1.0).item()
    assert value == pytest.approx((0.5 + 1.3660254038) / 3, abs=1e-9)


def test_satisfied_anchor_has_no_weight() -> None:
    # 0, 0 | 180 deg at threshold 0.5: 0.5 - 1 - 1 < 0 for both anchors of the first class.
    scores = helpers.circle([0, 0, 180], [0, 0, 1])
    assert lifted_structure.loss(scores, threshold=0.5).item() == 0.0
    assert pair_weights(lifted_structure, scores, threshold=0.5).abs().max().item() == 0.0
    assert lifted_structure.loss(scores, threshold=2.0).item() == 0.0
    assert lifted_structure.loss(helpers.circle([0, 0, 90], [0, 0, 1]), threshold=2.0).item() == pytest.approx(2 / 3)


def test_equals_stored_numbers() -> None:
    misses = helpers.misses_stored(lifted_structure, helpers.oracle_numbers("gpw_weights"), "lifted", threshold=1.0)
    assert max(misses.values()) < 1e-6, misses


def test_equals_library() -> None:
    batch = SAMPLES["balanced"]
    library = GeneralizedLiftedStructureLoss(
        neg_margin=0, pos_margin=0.7, distance=CosineSimilarity(), reducer=MeanReducer()
    )
    expected = library(batch.z, batch.y).item()
    assert lifted_structure.loss(score(batch), threshold=0.7).item() == pytest.approx(expected, rel=1e-10)


def test_gradient_is_numerical() -> None:
    assert helpers.gradient_is_numerical(lifted_structure, score(helpers.random_batch(10, 3)), threshold=1.0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_finite_on_degenerate_batches(dtype: torch.dtype) -> None:
    assert helpers.not_finite(lifted_structure, dtype) == []
