"""The symmetry term against loops, the stored reconstruction, hand numbers and InfoNCE."""

import math
from dataclasses import replace

import pytest
import torch

from models.geometry import Embeddings, Scores, score, unit
from models.losses import infonce, symmetry
from models.sensitivity import pair_weights
from tests.losses.helpers import circle, gradient_is_numerical, oracle_numbers, random_batch, samples

SAMPLES = samples()


def with_frontness(scores: Scores, seed: int = 0) -> Scores:
    generator = torch.Generator().manual_seed(seed)
    return replace(scores, target=torch.rand(scores.s.shape, generator=generator, dtype=scores.s.dtype))


def by_hand(scores: Scores, z: list[list[float]], threshold: float) -> float:
    """Squared distances of the selected pairs, one by one."""
    terms = []
    for i in range(len(z)):
        for j in (j for j in range(len(z)) if scores.pos[i, j]):
            rho = 1.0 if scores.target is None else scores.target[i, j].item()
            terms += [sum((a - b) ** 2 for a, b in zip(z[i], z[j], strict=True))] * (rho >= threshold)
    return sum(terms) / max(len(terms), 1)


@pytest.mark.parametrize("threshold", [0.0, 0.5, 0.8, 1.0])
@pytest.mark.parametrize("name", SAMPLES)
def test_equals_the_loops(name: str, threshold: float) -> None:
    batch = SAMPLES[name]
    for scores in (score(batch), with_frontness(score(batch))):
        expected = by_hand(scores, unit(batch.z).tolist(), threshold)
        assert symmetry.loss(scores, threshold=threshold).item() == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_equals_the_oracle_with_its_gradients() -> None:
    stored = oracle_numbers("symface")
    halves = [
        torch.tensor(stored["inputs"][name], dtype=torch.float64, requires_grad=True) for name in ("z_left", "z_right")
    ]
    face = torch.arange(4)
    scores = score(*(Embeddings(z, face, face) for z in halves))
    rho = torch.diag(torch.tensor(stored["inputs"]["rho"], dtype=torch.float64))
    value = symmetry.loss(replace(scores, target=rho))
    assert value.item() == pytest.approx(stored["loss"], abs=1e-9)
    for z, grad, name in zip(halves, torch.autograd.grad(value, halves), ("z_left", "z_right"), strict=True):
        raw = torch.tensor(stored["grad"][name], dtype=torch.float64)
        tangent = raw - (raw * z).sum(1, keepdim=True) * z  # the oracle does not normalise inside
        torch.testing.assert_close(grad, tangent.detach(), atol=1e-8, rtol=0)


def test_frontness_equals_the_stored_example_and_ends_at_the_eyes() -> None:
    example = oracle_numbers("symface")["rho_example"]
    columns = torch.tensor(example["x_eye_left_eye_right_nose"], dtype=torch.float64).T
    assert symmetry.frontness(*columns).numpy() == pytest.approx(example["rho"], abs=1e-9)
    eyes = torch.tensor([0.0, 0.0, 0.0, 5.0]), torch.tensor([10.0, 10.0, 10.0, 5.0])
    assert symmetry.frontness(*eyes, torch.tensor([5.0, 10.0, 14.0, 5.0])).tolist() == [1.0, 0.0, 0.0, 0.0]


def test_a_number_checked_by_hand() -> None:
    """Halves at 0 and 60 degrees: squared distance 2 - 2 * 1/2 = 1; with a third face at 180 the companion adds.

    Companion at T = 1, anchors at 0 and 60: log(1 + e^(-1 - 1/2)) and log(1 + e^(-1/2 - 1/2)), mean 0.257337.
    """
    scores = circle([0, 60, 180], [0, 0, 1])
    assert symmetry.loss(scores).item() == pytest.approx(1.0)
    assert symmetry.loss(scores, companion=2.0, temperature=1.0).item() == pytest.approx(1.0 + 0.514675, abs=1e-6)


def test_is_the_mean_squared_distance_of_the_positive_pairs() -> None:
    batch = random_batch(12, 3)
    scores, z = score(batch), unit(batch.z)
    squares = torch.cdist(z, z).square()[scores.pos]
    assert squares.mean().item() > 0.1
    torch.testing.assert_close(symmetry.loss(scores), squares.mean(), rtol=1e-9, atol=0)


def test_frontness_has_no_unit() -> None:
    """Eyes at 4 and 8: a nose at 7 stands half-way out, in pixels and in hundredths of the picture alike."""
    places = torch.tensor([4.0, 8.0, 7.0], dtype=torch.float64)[:, None]
    found = [symmetry.frontness(*(unit * places)).item() for unit in (1.0, 0.01)]
    assert found == pytest.approx([0.5, 0.5], rel=1e-12)
    assert symmetry.frontness(*torch.ones(3, 1)).item() == 0.0  # both eyes in one place


def test_its_companion_is_infonce() -> None:
    scores = score(random_batch(12, 3))
    for temperature in (0.05, 0.5):
        added = symmetry.loss(scores, companion=3.0, temperature=temperature) - symmetry.loss(scores)
        assert added.item() > 1e-3
        torch.testing.assert_close(added, 3.0 * infonce.loss(scores, temperature=temperature), rtol=1e-10, atol=0)


def test_pull_is_constant_on_what_is_selected_and_zero_elsewhere() -> None:
    scores = with_frontness(score(random_batch(12, 3)))
    weight = pair_weights(symmetry, scores, threshold=0.6)
    chosen = scores.pos & (scores.target >= 0.6)
    assert 0 < int(chosen.sum()) < int(scores.pos.sum())
    assert weight[chosen].numpy() == pytest.approx(-2.0 / int(chosen.sum()))
    assert weight[~chosen].abs().max().item() == 0.0


def test_frontness_at_the_threshold_is_selected() -> None:
    scores = circle([0, 60, 180], [0, 0, 1])
    told = [symmetry.loss(replace(scores, target=torch.full_like(scores.s, rho)), threshold=0.5) for rho in (0.5, 0.49)]
    assert [value.item() for value in told] == pytest.approx([1.0, 0.0])


def test_nothing_selected_is_zero_and_keeps_the_graph() -> None:
    scores = circle([0, 60, 180], [0, 0, 1])
    scores = replace(scores, target=torch.zeros_like(scores.s))
    s = scores.s.clone().requires_grad_()
    value = symmetry.loss(replace(scores, s=s))
    value.backward()
    assert value.item() == 0.0
    assert s.grad is not None
    assert s.grad.abs().max().item() == 0.0


def test_alone_a_collapse_is_its_optimum_and_a_companion_makes_it_a_loss() -> None:
    """All scores 1 against positives at 1 and negatives at -1/2: equal alone, worse with a companion."""
    scores = circle([0, 0, 120, 120, 240, 240], [0, 0, 1, 1, 2, 2])
    collapsed = replace(scores, s=torch.ones_like(scores.s))
    assert symmetry.loss(collapsed).item() == 0.0
    assert symmetry.loss(scores).item() == pytest.approx(0.0, abs=1e-12)
    assert symmetry.loss(collapsed, companion=1.0).item() == pytest.approx(math.log(5.0))
    assert symmetry.loss(scores, companion=1.0).item() < 1e-4


def test_gradient_is_numerical() -> None:
    assert gradient_is_numerical(symmetry, with_frontness(score(random_batch(9, 3))), companion=0.5, threshold=0.4)
