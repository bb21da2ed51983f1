"""Simple contrastive loss against loops from the paper, the oracle, hand numbers and the limit of a hot InfoNCE."""

import math

import pytest
import torch

from models.geometry import Embeddings, Scores, score
from models.losses import infonce, simple_contrastive
from models.sensitivity import pair_weights
from tests.losses.helpers import circle, gradient_is_numerical, oracle_numbers, random_batch, two_views


def by_hand(scores: Scores, negative_weight: float) -> float:
    """The paper's line as loops, averaged over positive pairs."""
    terms = []
    for row, pos, neg in zip(scores.s.tolist(), scores.pos.tolist(), scores.neg.tolist(), strict=True):
        push = sum(s for s, counted in zip(row, neg, strict=True) if counted)
        terms += [-s + negative_weight * push for s, counted in zip(row, pos, strict=True) if counted]
    return sum(terms) / len(terms)


@pytest.mark.parametrize("negative_weight", [0.001, 0.1, 1.0])
def test_equals_the_loops(negative_weight: float) -> None:
    scores = score(random_batch(14, 3))
    value = simple_contrastive.loss(scores, negative_weight=negative_weight)
    assert value.item() == pytest.approx(by_hand(scores, negative_weight), rel=1e-12)


def test_equals_the_oracle_with_its_gradient() -> None:
    stored = oracle_numbers("contrastive_behaviour")
    towers = [torch.tensor(stored["inputs"][name], dtype=torch.float64, requires_grad=True) for name in ("f", "g")]
    instance = torch.arange(4)
    anchors, candidates = (Embeddings(z, instance, instance) for z in towers)
    value = simple_contrastive.loss(score(anchors, candidates), negative_weight=1.0)
    assert value.item() == pytest.approx(stored["loss"]["simple_lambda1"], abs=1e-12)
    for z, grad, name in zip(towers, torch.autograd.grad(value, towers), ("f", "g"), strict=True):
        raw = torch.tensor(stored["grad"]["simple_lambda1"][name], dtype=torch.float64)
        tangent = raw - (raw * z).sum(1, keepdim=True) * z  # the oracle does not normalise inside
        torch.testing.assert_close(grad, tangent.detach(), atol=1e-10, rtol=0)


def test_a_number_checked_by_hand() -> None:
    """Anchor at 0, positive at 60 (cosine 1/2), negatives at 120 (-1/2) and 180 degrees (-1)."""
    scores = circle([0, 60, 120, 180], [0, 0, 1, 2])
    row = Scores(scores.s[:1], scores.pos[:1], scores.neg[:1])
    assert simple_contrastive.loss(row, negative_weight=2.0).item() == pytest.approx(-0.5 + 2 * -1.5)


def test_every_pair_of_a_kind_has_one_weight() -> None:
    scores = score(two_views(6))
    weight = pair_weights(simple_contrastive, scores, negative_weight=0.3)
    torch.testing.assert_close(weight[scores.pos], torch.full((12,), -1 / 12, dtype=torch.float64))
    torch.testing.assert_close(weight[scores.neg], torch.full((120,), 0.3 / 12, dtype=torch.float64))


def test_is_the_limit_of_a_hot_infonce() -> None:
    """Paper 11: T (InfoNCE - log(1 + N)) (1 + N) / N tends to the line with weight 1 / N."""
    scores, rivals, hot = score(two_views(8)), 14, 1e5
    tilted = hot * (infonce.loss(scores, temperature=hot).item() - math.log(1 + rivals)) * (1 + rivals) / rivals
    assert tilted == pytest.approx(simple_contrastive.loss(scores, negative_weight=1 / rivals).item(), abs=1e-4)


def test_gradient_is_numerical() -> None:
    assert gradient_is_numerical(simple_contrastive, score(random_batch(9, 3)), negative_weight=0.5)
