"""SupReMix against mixtures made one by one, the stored oracles, hand numbers and SupCon."""

import math

import pytest
import torch
from torch import Tensor

from models.geometry import Embeddings, score, unit
from models.losses import supcon, supremix
from models.sensitivity import pair_weights
from tests.losses.helpers import degenerate_batches, on_circle, oracle_numbers, random_batch, samples

SAMPLES = samples()


def dot(a: list[float], b: list[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))


def between(a: list[float], b: list[float], share: float) -> list[float]:
    return [share * x + (1.0 - share) * y for x, y in zip(a, b, strict=True)]


def candidates(
    i: int, rows: list[list[float]], y: list[int], window: float, mixing: float, mixtures: str
) -> tuple[list[tuple[list[float], float]], list[list[float]]]:
    """Every candidate of one anchor with its label, and the positives among them."""
    every, pos = [], []
    for j in (j for j in range(len(y)) if j != i):
        every.append((rows[j], float(y[j])))
        pos += [rows[j]] * (y[j] == y[i])
    if mixtures in ("both", "negatives"):
        for k in (k for k in range(len(y)) if y[k] != y[i]):
            every.append((between(rows[i], rows[k], mixing), mixing * y[i] + (1.0 - mixing) * y[k]))
    if mixtures in ("both", "positives"):
        for j in (j for j in range(len(y)) if 0 < y[i] - y[j] < window):
            for k in (k for k in range(len(y)) if 0 < y[k] - y[i] < window):
                mixed = between(rows[j], rows[k], (y[k] - y[i]) / (y[k] - y[j]))
                every.append((mixed, float(y[i])))
                pos.append(mixed)
    return every, pos


def by_hand(
    batch: Embeddings,
    temperature: float = 0.5,
    spacing: float = 1.0,
    window: float = 5.0,
    mixing: float = 0.2,
    mixtures: str = "both",
) -> float:
    rows, y, terms = unit(batch.z).tolist(), batch.y.tolist(), []
    for i, z in enumerate(rows):
        every, pos = candidates(i, rows, y, window, mixing, mixtures)
        whole = sum((1.0 + spacing * abs(y[i] - label)) * math.exp(dot(z, u) / temperature) for u, label in every)
        if pos:
            terms.append(-sum(dot(z, p) / temperature - math.log(whole) for p in pos) / len(pos))
    return sum(terms) / max(len(terms), 1)


SETTINGS = [
    {},
    {"temperature": 0.1, "window": 1.5, "mixing": 0.3},
    {"spacing": 0.25, "window": 3.0, "mixtures": "positives"},
    {"spacing": 4.0, "mixing": 0.8, "mixtures": "negatives"},
    {"mixtures": "none"},
    {"window": 0.0, "mixing": 1.0},
]


@pytest.mark.parametrize("knobs", SETTINGS)
@pytest.mark.parametrize("name", SAMPLES)
def test_equals_mixtures_made_one_by_one(name: str, knobs: dict[str, float | str]) -> None:
    value = supremix.loss(SAMPLES[name], **knobs).item()
    assert value == pytest.approx(by_hand(SAMPLES[name], **knobs), rel=1e-9, abs=1e-12)


def test_labels_with_gaps_and_below_zero() -> None:
    batch = Embeddings(random_batch(14, 3).z, torch.tensor([-4, -4, -1, 0, 0, 2, 2, 3, 7, 8, 8, 9, 12, 40]))
    assert supremix.loss(batch, window=8.0).item() == pytest.approx(by_hand(batch, window=8.0), rel=1e-10)


@pytest.mark.parametrize(
    ("name", "knobs"),
    [
        ("supremix_distance_magnifying", {"mixtures": "none"}),
        ("supremix_full_intended", {"mixing": 0.3, "window": 1.5}),
    ],
)
def test_equals_the_oracle_with_its_gradient(name: str, knobs: dict[str, float | str]) -> None:
    stored = oracle_numbers(name)
    z = torch.tensor(stored["inputs"]["z"], dtype=torch.float64, requires_grad=True)
    value = supremix.loss(Embeddings(z, torch.tensor(stored["inputs"]["y"])), temperature=0.5, **knobs)
    assert value.item() == pytest.approx(stored["loss"], abs=1e-7)
    (grad,) = torch.autograd.grad(value, z)
    raw = torch.tensor(stored["grad"], dtype=torch.float64)
    tangent = raw - (raw * z).sum(1, keepdim=True) * z  # the oracle does not normalise inside
    torch.testing.assert_close(grad, tangent.detach(), atol=1e-6, rtol=0)


def test_a_number_checked_by_hand() -> None:
    """Labels 0, 1, 2 at 0, 90 and 180 degrees, T = 1, positives mixed only.

    The middle item alone has a positive: halfway between the others, at the centre, score 0 like theirs. Its
    denominator is 2 + 2 for its two negatives, a step away, and 1 for the mixture: log 5.
    """
    value = supremix.loss(on_circle([0, 90, 180], [0, 1, 2]), temperature=1.0, mixtures="positives")
    assert value.item() == pytest.approx(math.log(5.0))


def test_a_mixed_negative_checked_by_hand() -> None:
    """Two views at 0 degrees and label 2 steps away at 90, T = 1, mixing 1/2: halfway, score 1/2, weight 1 + 1.

    Denominator of the two: e + 3 + 2 sqrt(e), over e: log((2.718282 + 3 + 3.297443) / 2.718282) = 1.198970.
    """
    value = supremix.loss(on_circle([0, 0, 90], [0, 0, 2]), temperature=1.0, mixing=0.5, mixtures="negatives")
    assert value.item() == pytest.approx(1.198970, abs=1e-6)


def test_equals_supcon_at_spacing_zero_without_mixtures() -> None:
    batch = random_batch(12, 3)
    for temperature in (0.1, 0.5):
        value = supremix.loss(batch, temperature=temperature, spacing=0.0, mixtures="none")
        assert value.item() > 1e-3
        torch.testing.assert_close(value, supcon.loss(score(batch), temperature=temperature), rtol=1e-12, atol=0)


def by_hand_with_constants(z: Tensor, fixed: Tensor, y: list[int]) -> Tensor:
    """The loss with mixtures of given rows, for a gradient by automatic differentiation of the plain formula."""
    terms = []
    for i in range(len(y)):
        logits, weights, pos = [], [], []
        for j in (j for j in range(len(y)) if j != i):
            logits.append(z[i] @ z[j] / 0.5)
            weights.append(1.0 + abs(y[i] - y[j]))
            pos.append(y[i] == y[j])
        for k in (k for k in range(len(y)) if y[k] != y[i]):
            logits.append(z[i] @ (0.2 * fixed[i] + 0.8 * fixed[k]) / 0.5)
            weights.append(1.0 + 0.8 * abs(y[i] - y[k]))
            pos.append(False)
        for j, k in ((j, k) for j in range(len(y)) for k in range(len(y)) if y[j] < y[i] < y[k]):
            share = (y[k] - y[i]) / (y[k] - y[j])
            logits.append(z[i] @ (share * fixed[j] + (1 - share) * fixed[k]) / 0.5)
            weights.append(1.0)
            pos.append(True)
        stacked = torch.stack(logits)
        whole = (stacked + torch.tensor(weights, dtype=torch.float64).log()).logsumexp(0)
        terms.append(whole - stacked[torch.tensor(pos)].mean())
    return torch.stack(terms).mean()


def test_gradient_is_that_with_mixtures_held_constant() -> None:
    batch = random_batch(10, 4, seed=2)
    z = batch.z.clone().requires_grad_()
    (ours,) = torch.autograd.grad(supremix.loss(Embeddings(z, batch.y)), z)
    (plain,) = torch.autograd.grad(by_hand_with_constants(unit(z), unit(batch.z), batch.y.tolist()), z)
    assert plain.abs().max().item() > 1e-3
    torch.testing.assert_close(ours, plain, rtol=1e-9, atol=1e-12)


def test_pushes_an_easy_positive_away() -> None:
    """Where it is SupCon, of two positives the one at the anchor's place holds more than half of the softmax."""
    assert not supremix.SPEC.pulls_positives
    batch = on_circle([0, 0, 80, 180], [0, 0, 0, 1])
    ours = supremix.loss(batch, temperature=0.1, spacing=0.0, mixtures="none")
    torch.testing.assert_close(ours, supcon.loss(score(batch), temperature=0.1))
    weight = pair_weights(supcon, score(batch), temperature=0.1)
    assert weight[0, 1].item() > 0 > weight[0, 2].item()


def order_learned(seed: int, **knobs: float | str) -> float:
    """Correlation of label gaps with distances between items of other classes, after training free points."""
    batch = random_batch(24, 4, d=8, seed=seed)
    z = batch.z.clone().requires_grad_()
    optimiser = torch.optim.Adam([z], lr=0.05)
    for _ in range(200):
        optimiser.zero_grad()
        supremix.loss(Embeddings(z, batch.y), **knobs).backward()
        optimiser.step()
    rows = unit(z.detach())
    gap = (batch.y[:, None] - batch.y[None, :]).abs().double()
    both = torch.stack([gap[gap > 0], -(rows @ rows.T)[gap > 0]])
    return torch.corrcoef(both)[0, 1].item()


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_learning_puts_classes_in_order_and_supcon_does_not(seed: int) -> None:
    """Measured on seeds 0 to 3: 0.72 to 0.76 with mixtures, 0.93 with the weights alone, -0.19 to 0.33 for SupCon."""
    assert order_learned(seed) > 0.6
    assert order_learned(seed, mixtures="none") > 0.85
    assert order_learned(seed, mixtures="none", spacing=0.0) < 0.45


@pytest.mark.parametrize("name", degenerate_batches())
@pytest.mark.parametrize("temperature", [0.05, 1.0])
def test_finite_in_float32_at_both_ends_of_the_temperature(name: str, temperature: float) -> None:
    batch = degenerate_batches(torch.float32)[name]
    z = batch.z.clone().requires_grad_()
    value = supremix.loss(Embeddings(z, batch.y), temperature=temperature)
    (grad,) = torch.autograd.grad(value, z)
    assert value.isfinite()
    assert grad.isfinite().all()
