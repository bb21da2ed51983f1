"""Parts of pairs add up to the loss, and each is what a plain loop over the paper's sum gives it."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from models.catalogue import find
from models.diagnostics.look import Look, look_of
from models.diagnostics.pair_loss import PARTS, pair_losses
from models.geometry import Scores
from models.training.config import Part, RunConfig
from models.training.run import Run
from tests.diagnostics.looks import look_by_hand, trained_run


def with_loss(look: Look, key: str, **knobs: float) -> Look:
    defaults = {knob.name: float(knob.default) for knob in find("losses", key).SPEC.knobs}
    return replace(look, loss=key, knobs={**defaults, **knobs})


def value(look: Look) -> float:
    """The loss itself, on what it reads."""
    scores = Scores(*(torch.from_numpy(np.array(a)) for a in (look.read_s, look.read_pos, look.read_neg)))
    return float(find("losses", look.loss).loss(replace(scores, s=scores.s.double()), **look.knobs))


@pytest.mark.parametrize("reads", ["items", "second views", "other sides"])
@pytest.mark.parametrize("key", PARTS)
def test_parts_add_up_to_the_loss(key: str, reads: str) -> None:
    look = with_loss(look_of(trained_run(reads).snapshot()), key)
    parts, reason = pair_losses(look)
    assert reason == ""
    assert parts is not None
    assert parts.sum() == pytest.approx(value(look), rel=1e-9)
    assert np.all(parts[~(look.read_pos | look.read_neg)] == 0)
    assert np.count_nonzero(parts) > 100


@pytest.mark.parametrize("key", PARTS)
def test_some_anchors_alone(key: str) -> None:
    look = with_loss(look_by_hand(n=12), key)
    parts, _ = pair_losses(look)
    some, _ = pair_losses(look, np.array([2, 7]))
    assert parts is not None
    np.testing.assert_array_equal(some, parts[[2, 7]])


def test_infonce_by_loop() -> None:
    look = with_loss(look_by_hand(n=12), "infonce", temperature=0.3)
    parts, _ = pair_losses(look)
    assert parts is not None
    positives = [(i, j) for i in range(12) for j in range(12) if i != j and look.y[i] == look.y[j]]
    for i, j in positives:
        rivals = [math.exp((look.s[i, k] - look.s[i, j]) / 0.3) for k in range(12) if look.y[k] != look.y[i]]
        assert parts[i, j] == pytest.approx(math.log(1 + sum(rivals)) / len(positives))
    assert np.count_nonzero(parts) == len(positives)


def test_contrastive_by_hand() -> None:
    # Angles 0, 60, 90 and labels 0, 0, 1: scores .5, 0 and cos 30 = .8660; mean over three anchors, threshold .5.
    z = np.array([[1.0, 0.0], [0.5, math.sqrt(0.75)], [0.0, 1.0]])
    look = replace(look_by_hand(n=3), z=z, y=np.array([0, 0, 1]), group=np.array([0, 0, 1]))
    parts, _ = pair_losses(with_loss(look, "contrastive", threshold=0.5))
    expected = np.array([[0, -0.5, 0], [-0.5, 0, 0.3660254], [0, 0.3660254, 0]]) / 3
    np.testing.assert_allclose(parts, expected, atol=1e-7)


@pytest.mark.parametrize("key", PARTS)
def test_without_positives_nothing_is_lost(key: str) -> None:
    look = look_by_hand(n=5)
    look = with_loss(replace(look, group=np.arange(5), z=np.eye(5)), key)
    parts, _ = pair_losses(look)
    assert parts is not None
    assert np.isfinite(parts).all()
    assert parts.sum() == pytest.approx(value(look), abs=1e-12)


def test_absent_with_a_reason() -> None:
    parts, reason = pair_losses(replace(look_by_hand(), loss="triplet"))
    assert parts is None
    assert "no sum over pairs" in reason
    parts, reason = pair_losses(look_of(Run(RunConfig(data=Part("clusters"), loss=Part("cross_entropy"))).snapshot()))
    assert parts is None
    assert "logits" in reason
