import json

import numpy as np
import pytest

from models.checkpoint import Material
from models.checkpoint.try_it import Trial, try_it, way
from tests.checkpoint.made import labelled, sound


def buried() -> Material:
    """Classes in four directions under loud noise in all others: a head can find them."""
    rng = np.random.default_rng(0)
    y = np.arange(240) % 4
    z = np.hstack([0.6 * np.eye(4)[y] + 0.15 * rng.normal(size=(240, 4)), rng.normal(size=(240, 12))])
    return labelled(z, y.astype(np.int64))


def test_advice_that_helps_is_confirmed_and_its_reverse_refuted(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("BATCH", 48), ("RATE", 1e-2)):  # small and quick
        monkeypatch.setattr(f"models.checkpoint.try_it.{name}", value)
    # Without negatives InfoNCE is 0 and moves nothing: that way leaves the head as it is.
    material = buried()
    assert material.labels is not None
    negatives = np.argwhere(np.triu(material.labels[:, None] != material.labels[None, :]))
    good, idle = way("infonce", {"temperature": 0.2}), way("infonce", masked=negatives)
    told: list[tuple[int, int]] = []
    found = try_it(material, idle, good, progress=lambda done, of: told.append((done, of)), steps=60)
    assert found.outcome == "confirmed"
    assert found.before == found.untrained
    assert told == [(k, 6) for k in range(1, 7)]
    assert try_it(material, good, idle, steps=60).outcome == "refuted"
    assert json.dumps(found.as_dict(), allow_nan=False)


def test_the_same_way_twice_is_not_distinguishable() -> None:
    one = way("infonce")
    found = try_it(buried(), one, one, "auc", steps=20)
    assert found.outcome == "not distinguishable"
    assert found.before == found.after
    assert found.verdict.difference == 0
    assert len(set(found.batches)) == 3


def test_masking_changes_what_is_trained() -> None:
    z, y = sound(120, 3)
    first, second = np.flatnonzero(y == 0), np.flatnonzero(y == 1)
    pairs = np.asarray([(a, b) for a in first for b in second])
    found: Trial = try_it(labelled(z, y), way("infonce"), way("infonce", masked=pairs), "auc", steps=40)
    assert found.before != found.after


def test_refusals() -> None:
    z, y = sound(40, 4)
    one = way("infonce")
    with pytest.raises(ValueError, match="labels of two classes"):
        try_it(Material("bare", z=z), one, one)
    with pytest.raises(ValueError, match="measure must be one of"):
        try_it(labelled(z, y), one, one, "loss")
    with pytest.raises(ValueError, match="reads logits"):
        try_it(labelled(z, y), way("cross_entropy"), one, steps=1)
    with pytest.raises(ValueError, match="names row 99"):
        try_it(labelled(z, y), way("infonce", masked=np.asarray([[0, 99]])), one, steps=1)
    with pytest.raises(ValueError, match="no knob 'heat'"):
        way("infonce", {"heat": 1.0})
