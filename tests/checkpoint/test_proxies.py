"""Class weights in a diagnosis: numbers, and the value of a loss with proxies against a sum from its paper."""

import math

import numpy as np
import pytest

from models.checkpoint import Material, diagnose
from tests.checkpoint.made import sound

Z, Y = sound(n=128, classes=4, d=8)
W = np.eye(8, dtype=np.float32)[:4] + 0.3 * np.random.default_rng(3).normal(size=(4, 8)).astype(np.float32)


def material(w: np.ndarray = W) -> Material:
    return Material("m", z=Z, labels=Y, proxies=w)


def test_value_and_levels_are_those_of_arcface_with_the_given_proxies() -> None:
    """Deng et al. 2019, equation 3, over the items that a batch of the diagnosis holds."""
    made = diagnose(material(), "arcface", {"margin": 0.2, "scale": 8.0, "batch": 128})
    assert made.evidence.loss is not None
    unit = W / np.linalg.norm(W, axis=1, keepdims=True)
    each = []
    for z, y in zip(Z, Y, strict=True):
        cosine = [float(z @ row / np.linalg.norm(z)) for row in unit]
        logits = [8.0 * (math.cos(math.acos(c) + 0.2) if k == y else c) for k, c in enumerate(cosine)]
        each.append(math.log(sum(math.exp(v) for v in logits)) - logits[y])
    assert made.evidence.loss.value.mean() == pytest.approx(np.mean(each), rel=1e-5)
    chance = math.log1p(3 * math.exp(8.0 * -math.cos(math.pi / 2 + 0.2)))
    assert made.levels["chance"] == pytest.approx(chance)
    assert not made.evidence.loss.guessed


def test_numbers_against_proxies() -> None:
    made = diagnose(material(np.eye(8)[:4]))
    assert made.metric("proxy_accuracy").measured.value == pytest.approx((Z[:, :4].argmax(axis=1) == Y).mean())
    assert made.metric("proxy_own").measured.value == pytest.approx(Z[np.arange(128), Y].mean(), rel=1e-5)
    assert made.metric("proxy_closest").measured.value == 0.0
    turned = diagnose(material(np.eye(8)[[1, 2, 3, 0]]))
    assert turned.metric("proxy_accuracy").measured.value < 0.2


def test_losses_that_read_something_else_stay_as_they_are() -> None:
    made = diagnose(material(), "infonce", {"temperature": 0.1})
    assert made.evidence.loss is not None
    assert made.evidence.loss.weight is not None
    logits = diagnose(material(), "cross_entropy")
    assert logits.evidence.loss is None
    assert "reads class logits" in logits.evidence.why_no_loss


@pytest.mark.parametrize(
    ("w", "told"),
    [
        (np.ones((3, 8)), r"proxies have shape \(3, 8\): at least 4 rows of 8 dimensions"),
        (np.ones((4, 5)), r"proxies have shape \(4, 5\)"),
        (np.full((4, 8), np.nan), "proxies: row 0 holds a number that is not finite"),
    ],
)
def test_proxies_that_misfit_are_refused(w: np.ndarray, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        material(w)


def test_proxies_need_classes() -> None:
    with pytest.raises(ValueError, match="proxies are those of classes: give labels"):
        Material("m", z=Z, proxies=W)
