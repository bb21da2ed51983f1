"""Hard contrastive loss against loops from the paper, the stored oracle, hand numbers and its limits."""

import math

import pytest
import torch

from models.geometry import Embeddings, Scores, score
from models.losses import hard_contrastive, infonce
from models.sensitivity import pair_weights
from tests.losses.helpers import circle, gradient_is_numerical, oracle_numbers, random_batch, with_scores


def by_hand(scores: Scores, temperature: float, hardest: int) -> float:
    """The paper's sum as loops: denominators hold the positive and the nearest negatives of the anchor."""
    terms = []
    for row, pos, neg in zip(scores.s.tolist(), scores.pos.tolist(), scores.neg.tolist(), strict=True):
        nearest = sorted((s for s, counted in zip(row, neg, strict=True) if counted), reverse=True)[:hardest]
        rivals = sum(math.exp(s / temperature) for s in nearest)
        for s in (s for s, counted in zip(row, pos, strict=True) if counted):
            own = math.exp(s / temperature)
            terms.append(-math.log(own / (own + rivals)))
    return sum(terms) / len(terms)


@pytest.mark.parametrize("hardest", [1, 2, 5, 100])
@pytest.mark.parametrize("temperature", [0.05, 0.3, 1.0])
def test_equals_the_loops(hardest: int, temperature: float) -> None:
    scores = score(random_batch(14, 3))
    value = hard_contrastive.loss(scores, temperature=temperature, hardest=hardest)
    assert value.item() == pytest.approx(by_hand(scores, temperature, hardest), rel=1e-12)


def test_equals_the_oracle_with_its_gradient() -> None:
    stored = oracle_numbers("contrastive_behaviour")
    towers = [torch.tensor(stored["inputs"][name], dtype=torch.float64, requires_grad=True) for name in ("f", "g")]
    instance = torch.arange(4)
    anchors, candidates = (Embeddings(z, instance, instance) for z in towers)
    value = hard_contrastive.loss(score(anchors, candidates), temperature=0.3, hardest=2)
    assert value.item() == pytest.approx(stored["loss"]["hard_K2_tau0.3"], abs=1e-12)
    for z, grad, name in zip(towers, torch.autograd.grad(value, towers), ("f", "g"), strict=True):
        raw = torch.tensor(stored["grad"]["hard_K2_tau0.3"][name], dtype=torch.float64)
        tangent = raw - (raw * z).sum(1, keepdim=True) * z  # the oracle does not normalise inside
        torch.testing.assert_close(grad, tangent.detach(), atol=1e-10, rtol=0)


def test_a_number_checked_by_hand() -> None:
    """Anchor at 0, positive at 60, negatives at 90 and 180 degrees: only the one at 90 (cosine 0) is kept."""
    scores = circle([0, 60, 90, 180], [0, 0, 1, 2])
    row = Scores(scores.s[:1], scores.pos[:1], scores.neg[:1])
    assert hard_contrastive.loss(row, temperature=0.5, hardest=1).item() == pytest.approx(math.log(1 + math.exp(-1)))


def test_equals_infonce_when_all_negatives_are_kept() -> None:
    scores = score(random_batch(20, 4))
    every = hard_contrastive.loss(scores, temperature=0.2, hardest=20)
    torch.testing.assert_close(every, infonce.loss(scores, temperature=0.2), atol=1e-13, rtol=0)


def test_only_the_nearest_are_pushed() -> None:
    scores = score(random_batch(20, 4))
    weight = pair_weights(hard_contrastive, scores, temperature=0.3, hardest=3)
    pushed = (weight > 0) & scores.neg
    assert (pushed.sum(1) == 3).all()
    farthest_pushed = scores.s.masked_fill(~pushed, 2.0).min(1).values
    nearest_spared = scores.s.masked_fill(~scores.neg | pushed, -2.0).max(1).values
    assert (farthest_pushed > nearest_spared).all()


def test_ties_at_the_edge_keep_the_asked_number() -> None:
    scores = with_scores(torch.zeros(6, 6, dtype=torch.float64), [0, 0, 1, 1, 2, 2])
    assert hard_contrastive.loss(scores, hardest=3).item() == pytest.approx(math.log(4))


def test_gradient_is_numerical() -> None:
    assert gradient_is_numerical(hard_contrastive, score(random_batch(9, 3)), temperature=0.3, hardest=2)
