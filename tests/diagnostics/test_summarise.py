from dataclasses import replace

import numpy as np
import pytest

from models.diagnostics import readings
from models.diagnostics.few_shot import few_shot
from models.diagnostics.measure import measure
from models.diagnostics.projection import pca_frame, project
from models.diagnostics.summarise import summarise, thin
from models.diagnostics.summary import TRACE_POINTS
from models.training.config import Event, Part, RunConfig
from models.training.run import Run
from models.training.trace import TraceView
from tests.diagnostics.helpers import clouds, snapshot_of, trained


def long_trace(steps: int) -> TraceView:
    loss = np.arange(steps, dtype=np.float64)
    return TraceView(loss, 2 * loss, np.arange(0, steps, 50), {"auc": np.linspace(0, 1, len(range(0, steps, 50)))})


def test_summary_of_a_trained_run() -> None:
    snapshot = trained()
    found = summarise(snapshot)
    light = measure(snapshot.z, snapshot.y, snapshot.seen)
    assert found.step == 100
    assert RunConfig.from_json(found.config) == snapshot.config
    assert found.roc.auc == pytest.approx(light["auc"], abs=1e-6)
    assert found.roc_unseen is not None
    assert found.roc_unseen.auc == pytest.approx(light["auc_unseen"], abs=1e-6)
    assert found.plane.uniformity == pytest.approx(light["uniformity"], abs=1e-5)
    assert found.neighbours.recall_at_1 == light["recall_at_1"]
    assert found.roc.low < found.roc.auc < found.roc.high
    assert found.scores.positive.sum() == found.roc.positives
    assert found.scores.negative.sum() == found.roc.negatives
    assert found.roc.positives + found.roc.negatives == 400 * 399 // 2
    assert found.weights is not None
    assert found.levels == snapshot.levels
    assert found.points.xy.shape == (500, 2)
    assert 0.5 < found.points.trustworthiness <= 1
    assert len(found.curves.loss) == 100


def test_points_are_seen_in_the_frame_that_is_given() -> None:
    snapshot = trained()
    frame = pca_frame(trained(0).z)
    found = summarise(snapshot, frame)
    assert found.points.xy == pytest.approx(project(snapshot.z, frame), abs=1e-6)
    assert not np.allclose(found.points.xy, summarise(snapshot).points.xy, atol=0.01)


def test_long_traces_are_thinned_from_first_to_last() -> None:
    curves = thin(long_trace(12_345))
    assert len(curves.step) == TRACE_POINTS
    assert (curves.step[0], curves.step[-1]) == (0, 12_344)
    assert np.array_equal(curves.loss, curves.step)
    assert np.array_equal(curves.grad_norm, 2 * curves.step)
    assert set(np.diff(curves.step)) == {30, 31}
    assert len(curves.measured["auc"]) == len(curves.measured_step) == 247


def test_short_traces_are_kept_whole() -> None:
    assert np.array_equal(thin(long_trace(TRACE_POINTS)).step, np.arange(TRACE_POINTS))
    assert len(thin(long_trace(0)).step) == 0


def test_marks_are_the_changes_up_to_now() -> None:
    config = RunConfig(events=(Event(3, "loss.temperature", 0.2), Event(50, "optimiser.rate", 0.01)))
    found = summarise(replace(snapshot_of(*clouds(8, 2)), config=config, step=20))
    assert [(mark.step, mark.text) for mark in found.marks] == [(3, "loss.temperature = 0.2")]


def test_what_is_absent_says_why() -> None:
    z, y = clouds(8, 2)
    found = summarise(replace(snapshot_of(z, y), why_no_weight="reads embeddings", why_no_unseen="two classes"))
    assert (found.weights, found.why_no_weight) == (None, "reads embeddings")
    assert (found.scores_unseen, found.roc_unseen, found.why_no_unseen) == (None, None, "two classes")
    lone = summarise(snapshot_of(z, y, seen=np.arange(8) > 0))
    assert lone.roc_unseen is None
    assert "fewer than two items" in lone.why_no_unseen


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("of_one_class", [True, False])
def test_tiny_probes_are_summarised(n: int, of_one_class: bool) -> None:
    z, y = clouds(n, 1 if of_one_class else n)
    found = summarise(snapshot_of(z, y))
    assert np.isnan(found.roc.auc)
    assert np.isnan(found.points.trustworthiness)
    assert found.points.xy.shape == (n, 2)
    assert found.scores.positive.sum() + found.scores.negative.sum() == n * (n - 1) // 2


@pytest.mark.parametrize("z", [np.zeros((40, 4)), np.ones((40, 4))], ids=["zero rows", "one point"])
def test_collapsed_embeddings_are_summarised(z: np.ndarray) -> None:
    found = summarise(snapshot_of(z, np.arange(40) % 4))
    assert found.roc.auc == 0.5
    assert np.isnan([found.spectrum.effective_rank, found.scores.d_prime]).all()
    assert found.scores.overlap == pytest.approx(1)
    assert np.isfinite(found.points.xy).all()


def test_losses_on_proxies_and_logits_are_summarised() -> None:
    for key in ("cosface", "cross_entropy"):
        run = Run(RunConfig(loss=Part(key)))
        run.advance(3)
        found = summarise(run.snapshot())
        assert found.weights is not None
        assert found.why_no_weight != ""
        assert np.isfinite(found.weights.heat).all()


def test_a_run_of_episodes_is_asked_about_new_classes() -> None:
    """The same episodes as by hand from the snapshot's unseen items; a run without episodes has no such number."""
    sampler = Part("episodic", (("way", 4), ("shot", 3), ("query", 2)))
    run = Run(RunConfig(data=Part("fewshot", (("pictures", "digits"),)), sampler=sampler))
    run.advance(1)
    snapshot = run.snapshot()
    unseen = ~snapshot.seen
    assert set(snapshot.y[unseen].tolist()) == {5, 6, 7, 8, 9}
    by_hand = few_shot(snapshot.z[unseen], snapshot.y[unseen], way=4, shot=3, query=2)
    full = summarise(snapshot)
    assert full.few_shot == by_hand.accuracy > 0.3
    hurried = summarise(snapshot, recent=full).few_shot
    assert hurried == few_shot(snapshot.z[unseen], snapshot.y[unseen], way=4, shot=3, query=2, episodes=100).accuracy
    assert readings.read(full, "few_shot") == by_hand.accuracy
    assert summarise(trained()).few_shot is None
    assert np.isnan(readings.read(summarise(trained()), "few_shot"))


def test_a_hurried_summary_differs_only_where_it_says() -> None:
    snapshot = trained()
    whole = summarise(snapshot)
    hurried = summarise(snapshot, recent=whole)
    assert hurried.roc.auc == whole.roc.auc
    np.testing.assert_array_equal(hurried.scores.negative, whole.scores.negative)
    assert hurried.points.trustworthiness == whole.points.trustworthiness
    assert len(hurried.roc.replicates) == 100 < len(whole.roc.replicates)
    np.testing.assert_array_equal(hurried.roc.replicates, whole.roc.replicates[:100])
    assert hurried.roc.low == pytest.approx(whole.roc.low, abs=0.5 * (whole.roc.high - whole.roc.low))
    assert hurried.weights is not None
    assert whole.weights is not None
    np.testing.assert_array_equal(hurried.weights.push, whole.weights.push)
    filled = np.isfinite(hurried.weights.push_high)
    assert filled.sum() > 10
    assert not np.array_equal(hurried.weights.push_high[filled], whole.weights.push_high[filled])
    error = np.abs(hurried.weights.push_high - whole.weights.push_high)[filled]
    assert np.median(error) < 0.1 * np.nanmax(np.abs(whole.weights.push_high))
