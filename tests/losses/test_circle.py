import math

import pytest
import torch
from pytorch_metric_learning.losses import CircleLoss

from models.geometry import score
from models.losses import circle
from models.sensitivity import pair_weights
from tests.losses import helpers

SAMPLES = helpers.samples()
KNOBS = [{"margin": 0.25, "gamma": 32.0}, {"margin": 0.4, "gamma": 4.0}, {"margin": 0.0, "gamma": 80.0}]


def oracle(s: list[list[float]], group: list[int], margin: float, gamma: float) -> float:
    terms = []
    for i in range(len(group)):
        pos, neg = helpers.positives(i, group), helpers.negatives(i, group)
        if not pos or not neg:
            continue
        pull = sum(math.exp(-gamma * max(1 + margin - s[i][j], 0) * (s[i][j] - (1 - margin))) for j in pos)
        push = sum(math.exp(gamma * max(s[i][k] + margin, 0) * (s[i][k] - margin)) for k in neg)
        terms.append(math.log(1 + pull * push))
    return sum(terms) / max(len(terms), 1)


@pytest.mark.parametrize("knobs", KNOBS)
@pytest.mark.parametrize("name", SAMPLES)
def test_equals_plain_loops(name: str, knobs: dict[str, float]) -> None:
    expected = oracle(*helpers.plain(SAMPLES[name]), **knobs)
    assert circle.loss(score(SAMPLES[name]), **knobs).item() == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_by_hand() -> None:
    # 0, 60 | 90 deg, m 0.25, gamma 1. Positives at 0.5: -(0.75)(-0.25) = 0.1875. Negatives: (0.25)(-0.25) = -0.0625
    # at 0, s^2 - m^2 = 0.6875 at cos 30 deg. softplus(0.125) = 0.757599, softplus(0.875) = 1.223445; no third anchor.
    value = circle.loss(helpers.circle([0, 60, 90], [0, 0, 1]), margin=0.25, gamma=1.0).item()
    assert value == pytest.approx((0.757599 + 1.223445) / 2, abs=1e-6)


@pytest.mark.parametrize("knobs", KNOBS)
def test_weights_hold_the_pace_constant(knobs: dict[str, float]) -> None:
    margin, gamma = knobs["margin"], knobs["gamma"]
    batch = SAMPLES["one class large"]
    s, group = helpers.plain(batch)
    expected = torch.zeros(len(group), len(group), dtype=torch.float64)
    anchors = [i for i in range(len(group)) if helpers.positives(i, group) and helpers.negatives(i, group)]
    assert anchors
    for i in anchors:
        pace = {j: -gamma * max(1 + margin - s[i][j], 0) for j in helpers.positives(i, group)}
        own = {j: math.exp(a * (s[i][j] - 1 + margin)) for j, a in pace.items()}
        push = {k: gamma * max(s[i][k] + margin, 0) for k in helpers.negatives(i, group)}
        other = {k: math.exp(a * (s[i][k] - margin)) for k, a in push.items()}
        product = sum(own.values()) * sum(other.values())
        for pair, term in (own | other).items():
            side = sum(own.values()) if pair in own else sum(other.values())
            expected[i, pair] = (pace | push)[pair] * term / side * product / (1 + product) / len(anchors)
    torch.testing.assert_close(pair_weights(circle, score(batch), **knobs), expected, rtol=1e-9, atol=1e-12)


def test_detached_weights_show() -> None:
    # With the weights in the graph the slope would differ: the declared exception is real.
    scores = score(helpers.random_batch(8, 2))
    step = 1e-6
    bumped = scores.s.clone()
    bumped[0, int(scores.neg[0].nonzero()[0])] += step
    up = circle.loss(type(scores)(bumped, scores.pos, scores.neg), gamma=4.0).item()
    slope = (up - circle.loss(scores, gamma=4.0).item()) / step
    weight = pair_weights(circle, scores, gamma=4.0)[0, int(scores.neg[0].nonzero()[0])].item()
    assert circle.SPEC.detached
    assert slope != pytest.approx(weight, rel=0.05)


@pytest.mark.parametrize(("margin", "gamma"), [(0.4, 80.0), (0.25, 256.0)])
def test_equals_library(margin: float, gamma: float) -> None:
    batch = SAMPLES["balanced"]
    z = batch.z.clone().requires_grad_()
    expected = CircleLoss(m=margin, gamma=gamma)(z, batch.y)
    expected.backward()
    value, gradient = helpers.value_and_gradient(circle, batch, margin=margin, gamma=gamma)
    assert value == pytest.approx(expected.item(), rel=1e-9)
    torch.testing.assert_close(gradient, z.grad, rtol=1e-7, atol=1e-10)


def test_large_gamma_does_not_overflow() -> None:
    batch = helpers.random_batch(12, 3, dtype=torch.float32, spread=0.01)
    value, gradient = helpers.value_and_gradient(circle, batch, margin=0.9, gamma=1024.0)
    assert math.isfinite(value)
    assert gradient.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_finite_on_degenerate_batches(dtype: torch.dtype) -> None:
    assert helpers.not_finite(circle, dtype) == []
