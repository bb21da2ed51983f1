"""CWCL against loops, the stored oracle, hand numbers and its two halves."""

import math
from dataclasses import replace

import pytest
import torch

from models.geometry import Embeddings, Scores, score
from models.losses import cwcl, infonce, supcon
from models.sensitivity import pair_weights
from tests.losses.helpers import circle, gradient_is_numerical, oracle_numbers, random_batch, samples

SAMPLES = samples()


def with_target(scores: Scores, seed: int = 0) -> Scores:
    generator = torch.Generator().manual_seed(seed)
    return replace(scores, target=torch.rand(scores.s.shape, generator=generator, dtype=scores.s.dtype))


def by_hand(scores: Scores, temperature: float, sharpness: float) -> float:
    """Both directions as loops over anchors, candidates and denominators."""
    n, m = scores.s.shape
    e = [[math.exp(v / temperature) for v in row] for row in scores.s.tolist()]
    pos, neg = scores.pos.tolist(), scores.neg.tolist()
    target = pos if scores.target is None else scores.target.tolist()
    forward, backward = [], []
    for i in range(n):
        counted = [k for k in range(m) if pos[i][k] or neg[i][k]]
        w = {j: float(target[i][j]) ** sharpness for j in counted}
        if sum(w.values()) > 0:
            whole = sum(e[i][k] for k in counted)
            forward.append(-sum(w[j] * math.log(e[i][j] / whole) for j in counted) / sum(w.values()))
        for j in (j for j in range(m) if pos[i][j]):
            rivals = sum(e[k][j] for k in range(n) if neg[k][j])
            backward.append(-math.log(e[i][j] / (e[i][j] + rivals)))
    return sum(forward) / max(len(forward), 1) + sum(backward) / max(len(backward), 1)


@pytest.mark.parametrize("temperature", [0.03, 0.3])
@pytest.mark.parametrize("name", SAMPLES)
def test_equals_the_loops(name: str, temperature: float) -> None:
    for scores in (score(SAMPLES[name]), with_target(score(SAMPLES[name]))):
        for sharpness in (1.0, 8.0):
            value = cwcl.loss(scores, temperature=temperature, sharpness=sharpness).item()
            assert value == pytest.approx(by_hand(scores, temperature, sharpness), rel=1e-9, abs=1e-12)


def test_equals_the_oracle_with_gradient_and_pair_weights() -> None:
    stored = oracle_numbers("cwcl")
    q = torch.tensor(stored["inputs"]["q_frozen"], dtype=torch.float64)
    p = torch.tensor(stored["inputs"]["p_trained"], dtype=torch.float64, requires_grad=True)
    instance = torch.arange(8)
    scores = score(Embeddings(q, instance, instance), Embeddings(p, instance, instance))
    scores = replace(scores, target=cwcl.similarity(q))
    value = cwcl.loss(scores)
    assert value.item() == pytest.approx(stored["loss"], abs=1e-9)
    assert cwcl.graded(scores).item() == pytest.approx(stored["parts"]["loss_cwcl"], abs=1e-9)
    (grad,) = torch.autograd.grad(value, p)
    raw = torch.tensor(stored["grad"], dtype=torch.float64)
    tangent = raw - (raw * p).sum(1, keepdim=True) * p  # the oracle does not normalise inside
    torch.testing.assert_close(grad, tangent.detach(), atol=1e-8, rtol=0)
    weights = pair_weights(cwcl.graded, scores)
    torch.testing.assert_close(
        weights, torch.tensor(stored["pair_weights_signed"], dtype=torch.float64), atol=1e-9, rtol=0
    )


def test_a_number_checked_by_hand() -> None:
    """Two items at 0 and 90 degrees against themselves, T = 1, target 1 and 1/2 in each row.

    Denominators 1 + e. Graded: log(1 + e) - (2/3) 1 = 0.646595; ordinary: log(1 + e) - 1 = 0.313262.
    """
    square = circle([0, 90], [0, 1]).s
    own = torch.eye(2, dtype=torch.bool)
    scores = Scores(square, own, ~own, torch.tensor([[1.0, 0.5], [0.5, 1.0]], dtype=torch.float64))
    assert cwcl.graded(scores, temperature=1.0).item() == pytest.approx(0.646595, abs=1e-6)
    assert cwcl.loss(scores, temperature=1.0).item() == pytest.approx(0.646595 + 0.313262, abs=2e-6)


def test_equals_supcon_plus_infonce_of_the_other_tower_without_a_target() -> None:
    anchors, candidates = random_batch(12, 3), random_batch(9, 3, seed=1)
    scores = score(anchors, candidates)
    turned = Scores(scores.s.T, scores.pos.T, scores.neg.T)
    for temperature in (0.07, 0.5):
        both = supcon.loss(scores, temperature=temperature) + infonce.loss(turned, temperature=temperature)
        assert both.item() > 1e-3
        torch.testing.assert_close(cwcl.loss(scores, temperature=temperature), both, rtol=1e-12, atol=0)


def test_attracts_a_negative_below_its_target_share_and_repels_one_above() -> None:
    """A pair is pulled while its softmax share is below its share of the target; ordinary InfoNCE only pushes it."""
    scores = circle([0, 20, 100], [0, 0, 1])
    target = torch.tensor([[0.0, 1.0, 1.0], [1.0, 0.0, 0.5], [0.5, 0.5, 0.0]], dtype=torch.float64)
    weight = pair_weights(cwcl.graded, replace(scores, target=target), temperature=0.5)
    assert not cwcl.SPEC.pushes_negatives
    assert weight[0, 2].item() < 0 < weight[0, 1].item()
    plain = pair_weights(cwcl.graded, scores, temperature=0.5)
    assert plain[0, 2].item() > 0


def test_the_target_is_in_range_and_constant() -> None:
    z = random_batch(9, 3).z.requires_grad_()
    target = cwcl.similarity(z)
    assert not target.requires_grad
    assert target.diagonal().numpy() == pytest.approx(1.0)
    assert 0.0 <= target.min() < 0.5 < target.max() <= 1.0


def test_sharpness_lowers_the_floor_of_the_target() -> None:
    """A sharpened target spends less of each row on the negatives, so less of the pull goes astray."""
    batch = random_batch(12, 3)
    scores = replace(score(batch), target=cwcl.similarity(batch.z))
    flat, sharp = (pair_weights(cwcl.graded, scores, temperature=0.2, sharpness=power) for power in (1.0, 8.0))
    pulled = [(-w[scores.neg]).clamp(min=0).sum().item() for w in (flat, sharp)]
    assert 0 < pulled[1] < 0.7 * pulled[0]


def test_gradient_is_numerical() -> None:
    assert gradient_is_numerical(cwcl, with_target(score(random_batch(9, 3))), temperature=0.2)
