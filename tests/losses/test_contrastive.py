import pytest
import torch
from pytorch_metric_learning.distances import CosineSimilarity
from pytorch_metric_learning.losses import ContrastiveLoss
from pytorch_metric_learning.reducers import SumReducer

from models.geometry import score
from models.losses import contrastive
from tests.losses import helpers

SAMPLES = helpers.samples()


def oracle(s: list[list[float]], group: list[int], threshold: float) -> float:
    total = 0.0
    for i in range(len(group)):
        for k in helpers.negatives(i, group):
            total += max(s[i][k] - threshold, 0.0)
        for j in helpers.positives(i, group):
            total -= s[i][j]
    return total / len(group)


@pytest.mark.parametrize("threshold", [-0.3, 0.0, 0.5])
@pytest.mark.parametrize("name", SAMPLES)
def test_equals_plain_loops(name: str, threshold: float) -> None:
    expected = oracle(*helpers.plain(SAMPLES[name]), threshold)
    found = contrastive.loss(score(SAMPLES[name]), threshold=threshold).item()
    assert found == pytest.approx(expected, rel=1e-10, abs=1e-12)


def test_by_hand() -> None:
    # 0, 60 | 90 deg: the pair at cosine 0.5 is pulled from both ends, the one at cos 30 deg = 0.8660 exceeds 0.5 twice.
    value = contrastive.loss(helpers.circle([0, 60, 90], [0, 0, 1]), threshold=0.5).item()
    assert value == pytest.approx((2 * 0.3660254038 - 2 * 0.5) / 3, abs=1e-9)


def test_equals_stored_numbers() -> None:
    misses = helpers.misses_stored(contrastive, helpers.oracle_numbers("gpw_weights"), "contrastive", threshold=0.5)
    assert max(misses.values()) < 1e-6, misses


def test_equals_library_up_to_its_constant() -> None:
    # The library sums 1 - s over positive pairs where we sum -s, and does not divide by n.
    batch = SAMPLES["balanced"]
    library = ContrastiveLoss(pos_margin=1, neg_margin=0.3, distance=CosineSimilarity(), reducer=SumReducer())
    expected = (library(batch.z, batch.y).item() - score(batch).pos.sum().item()) / len(batch.y)
    assert contrastive.loss(score(batch), threshold=0.3).item() == pytest.approx(expected, rel=1e-10)


def test_gradient_is_numerical() -> None:
    assert helpers.gradient_is_numerical(contrastive, score(helpers.random_batch(10, 3)), threshold=0.1)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_finite_on_degenerate_batches(dtype: torch.dtype) -> None:
    assert helpers.not_finite(contrastive, dtype) == []
