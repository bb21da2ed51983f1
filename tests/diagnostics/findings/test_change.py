from dataclasses import replace

import numpy as np

from models.diagnostics.findings.evidence import Evidence
from tests.checkpoint.made import sound
from tests.diagnostics.findings.cases import clear, evidence, fired, healthy, unknown

RULES = ("over_uniform", "metrics_disagree", "better_checkpoint")


def blurred(amount: float, seed: int = 3, lift: float = 0.0) -> Evidence:
    """A sound checkpoint with noise on top; lift: of one shared direction."""
    z, y = sound(300, 6, spread=0.2)
    z = z + amount * np.random.default_rng(seed).normal(size=z.shape)
    return evidence(np.hstack([z, np.full((300, 1), lift)]), y, name=f"noise {amount}")


def after(now: Evidence, *before: Evidence) -> Evidence:
    return replace(now, earlier=before)


def two_lumps() -> tuple[Evidence, Evidence]:
    """Classes in two far lumps each (a neighbour is sure, AUC is not), and classes in one lump that overlaps others."""
    rng = np.random.default_rng(0)
    n = 400
    y, side = np.arange(n) % 4, np.arange(n) // 4 % 2
    lumps = np.eye(16)[2 * y + side] + 0.05 * rng.normal(size=(n, 16))
    overlap = np.eye(16)[y] + 0.33 * rng.normal(size=(n, 16))
    return evidence(lumps, y), evidence(overlap, y)


def test_over_uniform() -> None:
    found = fired("over_uniform", after(blurred(0.5), blurred(0.0, lift=0.5)))
    assert found.measured.high < 0
    assert len(found.selection.items) > 0
    clear("over_uniform", after(blurred(0.0, lift=0.5), blurred(0.5)))
    clear("over_uniform", after(blurred(0.01), blurred(0.0, lift=0.5)))  # more even, and nothing lost


def test_metrics_disagree() -> None:
    lumps, overlap = two_lumps()
    assert lumps.auc.high < overlap.auc.low
    assert lumps.recall.low > overlap.recall.high
    fired("metrics_disagree", after(overlap, lumps))
    fired("metrics_disagree", after(lumps, overlap))
    clear("metrics_disagree", after(lumps, lumps))
    clear("metrics_disagree", after(blurred(0.5), blurred(0.0)))  # both fall


def test_better_checkpoint() -> None:
    found = fired("better_checkpoint", after(blurred(0.5), blurred(0.45), blurred(0.0), blurred(0.6)))
    assert found.sentence.startswith("noise 0.0 is better")
    clear("better_checkpoint", after(blurred(0.0), blurred(0.5)))
    clear("better_checkpoint", after(blurred(0.1), blurred(0.1, seed=4)))  # no more than chance
    lumps, overlap = two_lumps()
    clear("better_checkpoint", after(lumps, overlap))  # better in one, worse in the other


def test_a_single_checkpoint_or_other_items_cannot_be_compared() -> None:
    for key in RULES:
        assert "no other checkpoint" in unknown(key, healthy())
        assert "same items" in unknown(key, after(healthy(n=200), healthy(n=300)))
