import math

import pytest
import torch
from pytorch_metric_learning.distances import CosineSimilarity
from pytorch_metric_learning.losses import TripletMarginLoss
from pytorch_metric_learning.reducers import AvgNonZeroReducer, MeanReducer, SumReducer

from models.geometry import Embeddings, Scores, score
from models.losses import triplet
from models.sensitivity import pair_weights
from tests.losses import helpers

SAMPLES = helpers.samples()
LIBRARY = {"sum": SumReducer(), "mean": MeanReducer(), "mean_active": AvgNonZeroReducer()}


def hinges(s: list[list[float]], group: list[int], margin: float) -> list[float]:
    return [
        max(s[i][k] - s[i][j] + margin, 0.0)
        for i in range(len(group))
        for j in helpers.positives(i, group)
        for k in helpers.negatives(i, group)
    ]


def oracle(s: list[list[float]], group: list[int], margin: float, reduction: str) -> float:
    terms = hinges(s, group, margin)
    active = sum(1 for term in terms if term > 0)
    divisor = {"sum": len(group), "mean": max(len(terms), 1), "mean_active": max(active, 1)}
    return sum(terms) / divisor[reduction]


@pytest.mark.parametrize("reduction", triplet.REDUCTIONS)
@pytest.mark.parametrize("margin", [0.05, 0.2, 0.9])
@pytest.mark.parametrize("name", SAMPLES)
def test_equals_plain_loops(name: str, margin: float, reduction: str) -> None:
    expected = oracle(*helpers.plain(SAMPLES[name]), margin, reduction)
    found = triplet.loss(score(SAMPLES[name]), margin=margin, reduction=reduction).item()
    assert found == pytest.approx(expected, rel=1e-10, abs=1e-12)


@pytest.mark.parametrize("reduction", triplet.REDUCTIONS)
@pytest.mark.parametrize("name", SAMPLES)
def test_single_precision_equals_plain_loops(name: str, reduction: str) -> None:
    # A single-precision row is sorted another way; the loops get the very same single-precision scores.
    batch = SAMPLES[name]
    scores = score(Embeddings(batch.z.float(), batch.y, batch.instance))
    _, group = helpers.plain(batch)
    expected = oracle(scores.s.tolist(), group, 0.3, reduction)
    assert triplet.loss(scores, margin=0.3, reduction=reduction).item() == pytest.approx(expected, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize(("reduction", "divisor"), [("sum", 3), ("mean", 2), ("mean_active", 1)])
def test_by_hand(reduction: str, divisor: int) -> None:
    # 0, 60 | 90 deg, margin 0.2: triplets 0 - 0.5 + 0.2 < 0 and cos 30 deg - 0.5 + 0.2 = 0.566025; three anchors.
    scores = helpers.circle([0, 60, 90], [0, 0, 1])
    assert triplet.loss(scores, margin=0.2, reduction=reduction).item() == pytest.approx(0.566025 / divisor, abs=1e-6)


def test_equals_stored_numbers() -> None:
    misses = helpers.misses_stored(triplet, helpers.oracle_numbers("gpw_weights"), "triplet", margin=0.2)
    assert max(misses.values()) < 1e-6, misses


@pytest.mark.parametrize("reduction", triplet.REDUCTIONS)
def test_equals_library(reduction: str) -> None:
    batch = SAMPLES["balanced"]
    z = batch.z.clone().requires_grad_()
    library = TripletMarginLoss(margin=0.2, distance=CosineSimilarity(), reducer=LIBRARY[reduction])
    expected = library(z, batch.y) / {"sum": len(batch.y)}.get(reduction, 1)
    expected.backward()
    value, gradient = helpers.value_and_gradient(triplet, batch, margin=0.2, reduction=reduction)
    assert value == pytest.approx(expected.item(), rel=1e-10)
    torch.testing.assert_close(gradient, z.grad, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_counts_ties_and_signed_zeros_as_inactive(dtype: torch.dtype) -> None:
    # Margin 0. Columns: itself, positives at 0.5 and -0, negatives at 0.5, 0 and -0. Only 0.5 > -0 is a broken triplet.
    s = torch.tensor([[1.0, 0.5, -0.0, 0.5, 0.0, -0.0]], dtype=dtype)
    pos = torch.tensor([[False, True, True, False, False, False]])
    neg = torch.tensor([[False, False, False, True, True, True]])
    counts = triplet.active_triplets(Scores(s, pos, neg), 0.0)
    assert counts.tolist() == [[0, 0, -1, 1, 0, 0]]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_counts_on_a_wide_random_matrix(dtype: torch.dtype) -> None:
    # Coarse scores, so that ties abound, and several row blocks; one side holds pairs of neither mask.
    generator = torch.Generator().manual_seed(5)
    s = torch.randint(-8, 9, (130, 611), generator=generator).to(dtype) / 8
    kind = torch.randint(0, 3, s.shape, generator=generator)
    scores = Scores(s, kind == 0, kind == 1)
    counts = triplet.active_triplets(scores, 0.25)
    for row in (0, 64, 129):
        over = s[row][scores.neg[row]][:, None] + 0.25 > s[row][scores.pos[row]][None, :]
        assert counts[row][scores.neg[row]].tolist() == over.sum(dim=1).tolist()
        assert counts[row][scores.pos[row]].tolist() == (-over.sum(dim=0)).tolist()
    assert counts[kind == 2].abs().max().item() == 0
    assert counts.max().item() > 100


@pytest.mark.parametrize("reduction", triplet.REDUCTIONS)
def test_gradient_is_numerical(reduction: str) -> None:
    scores = score(helpers.random_batch(10, 3))
    assert helpers.gradient_is_numerical(triplet, scores, margin=0.2, reduction=reduction)


def test_satisfied_batch_rests() -> None:
    scores = helpers.circle([0, 1, 180, 181], [0, 0, 1, 1])
    assert triplet.loss(scores, reduction="mean_active").item() == 0.0
    assert pair_weights(triplet, scores, reduction="mean_active").abs().max().item() == 0.0


def test_not_a_number_is_not_hidden() -> None:
    scores = helpers.circle([0, 60, 90], [0, 0, 1])
    spoiled = scores.s.clone()
    spoiled[1, 2] = math.nan
    assert math.isnan(triplet.loss(Scores(spoiled, scores.pos, scores.neg)).item())


@pytest.mark.parametrize("reduction", triplet.REDUCTIONS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_finite_on_degenerate_batches(dtype: torch.dtype, reduction: str) -> None:
    assert helpers.not_finite(triplet, dtype, reduction=reduction) == []
