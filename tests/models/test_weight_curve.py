"""The small picture of a loss: against formulas where there are some, and a picture or a reason for every loss."""

import numpy as np
import pytest
import torch

from models.catalogue import discover
from models.weight_curve import POINTS, weight_curve

PLAIN = sorted(key for key in discover("losses") if ":" not in key)


def test_a_hinge_is_a_step() -> None:
    # Contrastive loss: every positive is pulled alike, a negative is pushed by one beyond its threshold of 0.5.
    found = weight_curve("contrastive")
    np.testing.assert_allclose(found.pull, -1.0, rtol=1e-6)
    threshold = next(knob.default for knob in discover("losses")["contrastive"].SPEC.knobs if knob.name == "threshold")
    np.testing.assert_allclose(found.push, (found.grid > threshold).astype(float), atol=1e-6)
    assert found.axis == "cosine"


def test_a_logistic_loss_has_a_logistic_curve() -> None:
    # Binomial deviance: the weight of a positive is a logistic function of its score, scaled by both sides' largest.
    found = weight_curve("binomial_deviance")
    knobs = {knob.name: knob.default for knob in discover("losses")["binomial_deviance"].SPEC.knobs}
    expected = 1 / (1 + np.exp(knobs["alpha"] * (found.grid - knobs["threshold"])))
    np.testing.assert_allclose(found.pull / found.pull[0], expected / expected[0], rtol=1e-4)


def test_cross_entropy_pulls_by_what_is_missing_of_the_probability() -> None:
    # 1 - p = r / (e^g + r) at the own logit g, r the sum over the other logits: read off two points, true at all.
    found = weight_curve("cross_entropy")
    assert found.axis == "logit"
    missing, g = -found.pull, found.grid
    ratio = missing[0] / missing[-1]
    rest = (np.exp(g[-1]) - ratio * np.exp(g[0])) / (ratio - 1)
    assert rest > 0
    np.testing.assert_allclose(missing / missing[0], (np.exp(g[0]) + rest) / (np.exp(g) + rest), rtol=1e-3)


@pytest.mark.parametrize("key", PLAIN)
def test_every_loss_has_a_curve_or_a_reason(key: str) -> None:
    found = weight_curve(key)
    if found.why_not:
        assert len(found.grid) == len(found.pull) == len(found.push) == 0
        return
    assert len(found.grid) == len(found.pull) == len(found.push) == POINTS
    assert np.isfinite([found.pull, found.push]).all()
    assert max(np.abs(found.pull).max(), np.abs(found.push).max()) == pytest.approx(1.0)


def test_a_curve_is_the_same_at_every_look_and_moves_no_draws() -> None:
    torch.manual_seed(3)
    first = weight_curve("ensloss")
    drawn = torch.rand(1).item()
    torch.manual_seed(3)
    assert torch.rand(1).item() == drawn
    np.testing.assert_array_equal(first.pull, weight_curve("ensloss").pull)
