from dataclasses import replace

import numpy as np
import pytest

from models.checkpoint.material import Material, ScoreTable
from models.checkpoint.sample import choose, evidence_of
from models.diagnostics.findings.evidence import Evidence
from models.diagnostics.findings.slices import best_threshold
from tests.diagnostics.findings.cases import clear, evidence, fired, healthy, unknown


def of_table(score: np.ndarray, match: np.ndarray, group: np.ndarray | None = None) -> Evidence:
    material = Material("table", scores=ScoreTable(score, match, group=group))
    return evidence_of(material, choose(material))


def gap_of(share: float) -> Evidence:
    """AUC 1 among the first 100 items, 1 - share among the others."""
    seen = evidence(np.random.default_rng(0).normal(size=(200, 8)), np.arange(200) % 2, seen=np.arange(200) < 100)
    assert seen.pos is not None
    s = np.where(seen.pos, 0.5, 0.0).astype(np.float32)
    negatives = np.argwhere(np.triu(~seen.pos, 1) & (np.arange(200)[:, None] >= 100))
    high = np.random.default_rng(1).permutation(negatives)[: round(share * len(negatives))]
    s[high[:, 0], high[:, 1]] = s[high[:, 1], high[:, 0]] = 0.9
    return replace(seen, s=s)


def test_unseen_gap() -> None:
    found = fired("unseen_gap", gap_of(0.3))
    assert found.measured.value == pytest.approx(0.3, abs=0.01)
    assert found.confidence == "high"
    assert found.selection.items.tolist() == list(range(100, 200))
    fired("unseen_gap", gap_of(0.06))
    clear("unseen_gap", gap_of(0.04))
    clear("unseen_gap", gap_of(0.0))
    assert "not trained on" in unknown("unseen_gap", healthy())


def shifted(by: float) -> Evidence:
    """Two slices of 100 matches at 0.5 and 100 others at 0; in the second the matches lie 2 x by higher."""
    match, group = np.arange(400) % 2 == 0, np.arange(400) // 200
    return of_table(np.where(match, 0.5 + 2 * by * group, 0.0), match, group)


def test_unstable_threshold() -> None:
    found = fired("unstable_threshold", shifted(0.3))
    assert found.measured.value == pytest.approx(0.3)
    fired("unstable_threshold", shifted(0.07))  # a tenth of the range 0.64
    clear("unstable_threshold", shifted(0.05))  # of 0.6
    clear("unstable_threshold", shifted(0.0))
    assert "which slice" in unknown("unstable_threshold", healthy())
    few = of_table(np.linspace(0, 1, 20), np.arange(20) % 2 == 0, np.arange(20) % 2)
    assert "fewer than two slices" in unknown("unstable_threshold", few)


def test_thresholds_of_slices_of_items() -> None:
    rng = np.random.default_rng(0)
    y, group = np.arange(240) % 4, np.arange(240) // 120
    z = np.eye(12)[y] + 0.1 * rng.normal(size=(240, 12))
    z[group == 1, 11] += 1.2  # the second slice lies in a cone of its own
    assert fired("unstable_threshold", evidence(z, y, group=group)).measured.value > 0.2
    z[:, 11] = 0
    clear("unstable_threshold", evidence(z, y, group=group))


@pytest.mark.parametrize(
    ("positive", "negative", "expected"),
    [([0.8, 0.9], [0.1, 0.2], 0.5), ([0.5, 0.9], [0.1, 0.5], 0.3), ([0.1], [0.5], None)],
)
def test_best_threshold_by_hand(positive: list[float], negative: list[float], expected: float | None) -> None:
    found = best_threshold(np.asarray(positive), np.asarray(negative))
    assert found == pytest.approx(0.5 if expected is None else expected)


def test_too_little_data() -> None:
    rng = np.random.default_rng(3)
    for n, rule in ((24, fired), (2400, clear)):
        match = np.arange(n) % 2 == 0
        rule("too_little_data", of_table(rng.normal(size=n) + 0.4 * match, match))
    none = fired("too_little_data", of_table(np.ones(4), np.ones(4, bool)))
    assert (none.severity, none.confidence) == ("serious", "high")
    clear("too_little_data", healthy())


def test_too_little_data_at_the_edge() -> None:
    # AUC 3/4 from four couples; each added copy of all rows halves the variance: 16 copies are enough, 2 are not.
    score, match = np.asarray([1.0, 3.0, 0.0, 2.0]), np.asarray([True, True, False, False])
    fired("too_little_data", of_table(np.tile(score, 2), np.tile(match, 2)))
    clear("too_little_data", of_table(np.tile(score, 16), np.tile(match, 16)))
