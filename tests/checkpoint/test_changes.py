import json
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from models.checkpoint import diagnose
from models.checkpoint.changes import Change, change
from models.checkpoint.sample import choose, evidence_of
from models.diagnostics.findings.evidence import Evidence
from tests.checkpoint.made import labelled, sound


def seen(z: np.ndarray, y: np.ndarray, **more: Any) -> Evidence:
    material = labelled(z, y, **more)
    return evidence_of(material, choose(material))


def spoiled(label: int = 2) -> tuple[Evidence, Evidence, np.ndarray]:
    """A sound set, and the same with one class pushed onto another; and the labels."""
    z, y = sound(240, 4, spread=0.15)
    later = z.copy()
    later[y == label] += 0.9 * (np.eye(16, dtype=np.float32)[0] - np.eye(16, dtype=np.float32)[label])
    return seen(z, y, name="before"), seen(later, y, name="after"), y


def told(before: Evidence, after: Evidence) -> Change:
    found = change(before, after, ("a", "b", "c", "d"))
    assert found is not None
    return found


def test_the_spoiled_classes_are_told_first() -> None:
    before, after, y = spoiled()
    found = told(before, after)
    assert {one.name for one in found.classes[:2]} == {"a", "c"}
    assert found.classes[0].auc.high < 0
    assert len(found.classes) == 4
    assert found.measures["auc"].high < 0
    assert set(y[found.items].tolist()) <= {0, 2}
    assert all(2 in pair for pair in y[found.pairs].tolist())


def test_numbers_are_those_of_plain_loops() -> None:
    before, after, y = spoiled()
    found = told(before, after)
    parts = []
    for one in (before, after):
        assert one.s is not None
        both = [(i, j) for i in range(240) for j in range(i) if 2 in (y[i], y[j])]
        match = [y[i] == y[j] for i, j in both]
        parts.append(roc_auc_score(match, [one.s[i, j] for i, j in both]))
    spoiled_class = next(one for one in found.classes if one.label == 2)
    assert spoiled_class.auc.value == pytest.approx(parts[1] - parts[0], abs=1e-9)
    assert before.s is not None
    assert after.s is not None
    i, j = found.pairs[0]
    assert found.pair_change[0] == pytest.approx(float(after.s[i, j] - before.s[i, j]), abs=1e-6)
    assert abs(found.pair_change[0]) == pytest.approx(np.abs(after.s - before.s).max(), abs=1e-6)
    row = found.items[0]
    own, others = (y == y[row]) & (np.arange(240) != row), y != y[row]
    moved = after.s[row] - before.s[row]
    assert found.item_change[0] == pytest.approx(moved[own].mean() - moved[others].mean(), abs=1e-5)


def test_nothing_changes_between_a_checkpoint_and_itself() -> None:
    before, _, _ = spoiled()
    found = told(before, before)
    assert all(one.value == 0 == one.low == one.high for name, one in found.measures.items() if name != "mean_cosine")
    assert not found.item_change.any()


def test_intervals_hold_zero_for_noise() -> None:
    z, y = sound(240, 4, spread=0.3)
    noise = 0.01 * np.random.default_rng(0).normal(size=z.shape)
    found = told(seen(z, y), seen(z + noise, y))
    assert found.measures["auc"].low < 0 < found.measures["auc"].high


def test_a_diagnosis_tells_changes() -> None:
    z, y = sound(120, 4)
    other = labelled(z[:, ::-1].copy() + 0.2, y, name="first")
    parts = json.loads(diagnose(labelled(z, y), against=[other]).to_json())["changes"]
    assert [part["before"] for part in parts] == ["first"]
    assert {"auc", "recall_at_1", "mean_cosine", "tolerance"} == set(parts[0]["measures"])


def test_other_items_are_refused() -> None:
    with pytest.raises(ValueError, match="different items"):
        change(seen(*sound(40)), seen(*sound(50)))
