"""A look holds what its snapshot held: same scores and kinds, weights within the stated error, and it packs."""

import json
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load, save

from models.diagnostics.coded import ERROR
from models.diagnostics.items import pair_scores, snapshot_items
from models.diagnostics.look import TRAINING, Look, factors, look_of
from models.training.config import Event, Part, RunConfig
from models.training.run import Run
from tests.diagnostics.helpers import trained
from tests.diagnostics.looks import SMALL, look_by_hand, trained_run


@pytest.mark.parametrize("reads", SMALL)
def test_same_pairs_as_the_snapshot(reads: str) -> None:
    snapshot = trained_run(reads).snapshot()
    look, lens = look_of(snapshot), snapshot.lens
    assert lens is not None
    assert look.reads == reads
    np.testing.assert_allclose(look.s, snapshot.s, atol=1e-6)
    np.testing.assert_array_equal(look.pos, snapshot.pos)
    np.testing.assert_array_equal(look.neg, snapshot.neg)
    np.testing.assert_array_equal(look.read_pos, lens.pos)
    np.testing.assert_array_equal(look.read_neg, lens.neg)
    np.testing.assert_allclose(look.read_s, lens.s, atol=3e-6)
    assert look.weight is not None
    size = np.abs(lens.weight)
    assert np.all(np.abs(look.weight - lens.weight) <= np.maximum(1.001 * ERROR * size, size.max() * 2.0**-24))
    assert np.abs(look.weight).max() > 0


@pytest.mark.parametrize("reads", SMALL)
def test_some_pairs_alone(reads: str) -> None:
    look = look_of(trained_run(reads).snapshot())
    i, j = np.array([0, 3, 5]), np.array([4, 90, 6])
    assert look.pair_weight is not None
    np.testing.assert_allclose(look.pair_weight_at(i, j), look.pair_weight[i, j])
    np.testing.assert_allclose(look.score_at(i, j), look.s[i, j], atol=1e-6)


@pytest.mark.parametrize("among", ["seen", "unseen"])
def test_scores_are_those_of_the_histogram(among: str) -> None:
    snapshot = trained_run("items").snapshot()
    look = look_of(snapshot)
    items = snapshot_items(snapshot, look.keep(among))
    expected, found = pair_scores(items.s, items.pos, items.neg), look.pair_scores(among)
    assert len(found.positive) > 0
    np.testing.assert_allclose(found.positive, expected.positive, atol=1e-6)
    np.testing.assert_allclose(found.negative, expected.negative, atol=1e-6)


def test_sides_that_several_items_share() -> None:
    snapshot = trained_run("other sides").snapshot()
    pair = np.arange(len(snapshot.y)) % 7
    same = pair[:, None] == pair[None, :]
    look = look_of(replace(snapshot, pos=same, neg=~same, weight=None, lens=None))
    np.testing.assert_array_equal(look.pos, same)
    np.testing.assert_array_equal(look.neg, ~same)
    positive, negative = look.positions("all")
    assert (len(positive), len(negative)) == (same.sum(), (~same).sum())


def test_nothing_is_left_out_of_a_probe() -> None:
    assert all(len(look_of(trained_run(reads).snapshot()).left_out) == 0 for reads in SMALL)


def test_scope_is_named() -> None:
    with pytest.raises(ValueError, match="one of all, seen, unseen, got 'both'"):
        look_by_hand().keep("both")


def test_packs_into_under_400_kilobytes() -> None:
    look = look_of(trained())
    assert len(look.y) == 500
    arrays, meta = look.pack()
    payload = save(arrays, {"look": json.dumps(meta, allow_nan=False)})
    assert len(payload) < 400_000
    found = Look.unpack(load(payload), json.loads(json.dumps(meta)))
    np.testing.assert_array_equal(found.s, look.s)
    np.testing.assert_array_equal(found.weight, look.weight)
    assert (found.step, found.knobs, found.loss, found.other) == (100, {"temperature": 0.1}, "infonce", None)


def test_without_weights() -> None:
    run = Run(RunConfig(data=Part("clusters"), loss=Part("cross_entropy")))
    look = look_of(run.snapshot(), TRAINING)
    assert look.weight is None
    assert look.pair_weight is None
    assert "logits" in look.why_no_weight
    assert np.isnan(look.pair_weight_at(np.array([0]), np.array([1]))).all()
    assert np.isnan(look.temperature)
    assert look.of == TRAINING


def test_knobs_are_those_in_force() -> None:
    config = RunConfig(
        data=Part("clusters"), events=(Event(1, "loss.temperature", 0.3), Event(9, "loss.temperature", 0.9))
    )
    run = Run(config)
    assert look_of(run.snapshot()).temperature == 0.1
    run.advance(2)
    assert look_of(run.snapshot()).temperature == 0.3


def test_factors_give_the_matrix_back() -> None:
    rng = np.random.default_rng(0)
    s = rng.normal(size=(40, 5)) @ rng.normal(size=(5, 30))
    left, right = factors(s, 5)
    assert left.shape == (40, 5)
    np.testing.assert_allclose(left @ right, s, atol=1e-12)
    left, right = factors(s[:3], 8)  # fewer rows than the rank
    np.testing.assert_allclose(left @ right, s[:3], atol=1e-12)
