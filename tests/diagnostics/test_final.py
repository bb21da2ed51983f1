import numpy as np
import pytest

from models.diagnostics.final import final_metrics
from models.diagnostics.items import items_of, unit_rows
from models.diagnostics.measure import measure
from models.diagnostics.neighbours import linear_probe, neighbours
from models.training.config import RunConfig
from models.training.run import Run
from tests.diagnostics.helpers import clouds, snapshot_of, trained

NAMES = [
    "auc",
    "auc_low",
    "auc_high",
    "auc_unseen",
    "uniformity",
    "tolerance",
    "alignment",
    "recall_at_1",
    "map_at_r",
    "knn",
    "linear_probe",
    "effective_rank",
]


def test_final_numbers_of_a_run() -> None:
    snapshot = trained()
    half = np.flatnonzero(snapshot.seen)[::2]
    found = final_metrics(snapshot, snapshot.z[half], snapshot.y[half])
    assert list(found) == NAMES
    light = measure(snapshot.z, snapshot.y, snapshot.seen)
    shared = ["auc", "auc_unseen", "uniformity", "tolerance", "alignment", "recall_at_1", "effective_rank"]
    assert [found[name] for name in shared] == pytest.approx([light[name] for name in shared], abs=1e-5)
    near = neighbours(items_of(snapshot.z[snapshot.seen], snapshot.y[snapshot.seen]))
    assert (found["map_at_r"], found["knn"]) == pytest.approx((near.map_at_r, near.knn), abs=1e-6)
    assert found["auc_low"] < found["auc"] < found["auc_high"]
    assert found["linear_probe"] > 0.9


def test_the_probe_learns_on_training_rows_and_is_tested_on_seen_ones() -> None:
    z, y = clouds(60, 3, 0.8)
    train_z, train_y = clouds(90, 3, 0.8)
    snapshot = snapshot_of(z, y, seen=np.arange(60) < 40)
    expected = linear_probe(unit_rows(train_z), train_y, unit_rows(z[:40]), y[:40])
    assert final_metrics(snapshot, train_z, train_y)["linear_probe"] == expected
    # Only directions count, as in the loss.
    assert final_metrics(snapshot, 7 * train_z, train_y)["linear_probe"] == expected


def test_training_shows() -> None:
    before, after = trained(0), trained(100)
    run = Run(RunConfig())
    assert np.array_equal(before.item, run.snapshot().item)
    first, last = (final_metrics(s, s.z[s.seen], s.y[s.seen]) for s in (before, after))
    assert last["auc"] > first["auc"] + 0.05
    assert last["map_at_r"] > first["map_at_r"] + 0.2


def test_undefined_numbers_are_nan() -> None:
    z, _ = clouds(6, 1)
    found = final_metrics(snapshot_of(z, np.arange(6)), z, np.zeros(6, int))
    defined = {name for name, value in found.items() if np.isfinite(value)}
    assert defined == {"uniformity", "effective_rank"}
