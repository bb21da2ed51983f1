"""The radar against plain loops, against mistakes made on purpose, and on the way to a masked run."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from models.diagnostics.look import TRAINING, Look, look_of
from models.diagnostics.radar import (
    CUT,
    CUT_ALONE,
    distances,
    likenesses,
    mask_text,
    neighbourhood_overlap,
    radar,
    selected,
)
from models.selection import PairList, resolve
from models.training.config import MASK, Event, Part, RunConfig
from models.training.run import Run
from models.training.sample import training_snapshot
from tests.diagnostics.looks import look_by_hand, trained_run

FLIPPED = RunConfig(data=Part("clusters", (("label_flips", 0.1),)), steps=100)


def spoilt(config: RunConfig, steps: int, count: int = 300) -> tuple[Run, Look, np.ndarray, np.ndarray]:
    """(run, look at training items, distances of their contents, true labels)."""
    run = Run(config)
    run.advance(steps)
    look = look_of(training_snapshot(run, count), TRAINING)
    contents = run.data.source.x[run.data.train[look.item]]
    return run, look, distances(contents), run.data.truth[look.item]


def couples(n: int) -> list[tuple[int, int]]:
    return list(itertools.combinations(range(n), 2))


def test_every_number_by_loops() -> None:
    look = look_by_hand(n=40, spread=2.0)
    rng = np.random.default_rng(0)
    contents, truth = rng.normal(size=(40, 3)), rng.integers(0, 3, 40)
    distance = distances(contents)
    found = radar(look, distance, truth, cut=0.3)
    assert look.weight is not None
    median = np.median([look.s[p] for p in couples(40) if look.y[p[0]] == look.y[p[1]]])
    near = [{i, *sorted((j for j in range(40) if j != i), key=lambda j: -look.s[i, j])[:10]} for i in range(40)]
    push = np.maximum(look.weight, 0).astype(float)
    apart = np.array([np.linalg.norm(contents[a] - contents[b]) for a, b in couples(40)])
    expected = {}
    for i, j in couples(40):
        further = np.mean(apart > distance[i, j] + 1e-12)
        suspicion = (further + len(near[i] & near[j]) / 11) / 2
        if look.y[i] != look.y[j] and look.s[i, j] > median and suspicion >= 0.3:
            expected[i, j] = suspicion
    order = sorted(expected, key=lambda pair: -expected[pair])
    assert len(order) > 5
    assert list(zip(found.pairs.i.tolist(), found.pairs.j.tolist(), strict=True)) == order
    np.testing.assert_allclose(found.suspicion, [expected[pair] for pair in order])
    np.testing.assert_allclose(found.score, [look.s[pair] for pair in order])
    np.testing.assert_allclose(found.push, [(push[i, j] + push[j, i]) / push.sum() for i, j in order], rtol=1e-6)
    np.testing.assert_allclose((found.likeness + found.overlap) / 2, found.suspicion)
    negatives = [(i, j) for i, j in couples(40) if look.y[i] != look.y[j]]
    false = {(i, j) for i, j in negatives if truth[i] == truth[j]}
    assert (found.negatives, found.known, found.median) == (len(negatives), len(false), pytest.approx(median))
    assert found.share_of_negatives == len(order) / len(negatives)
    assert found.share_of_push == pytest.approx(found.push.sum())
    assert found.precision == len(false & set(order)) / len(order)
    assert found.recall == len(false & set(order)) / len(false)


def test_finds_flipped_labels() -> None:
    _, look, distance, truth = spoilt(FLIPPED, 30)
    found = radar(look, distance, truth)
    base = found.known / found.negatives
    assert base < 0.05
    assert found.precision > 0.8
    assert found.recall > 0.25
    assert found.share_of_push > 2 * found.share_of_negatives
    assert found.cut == CUT


def test_identical_items_with_two_labels_come_first() -> None:
    config = RunConfig(data=Part("clusters", (("label_flips", 0.2), ("duplicates", 0.4))), steps=100)
    run, look, distance, truth = spoilt(config, 3)
    rows = run.data.train[look.item]
    clashes = {(i, j) for i, j in couples(len(rows)) if rows[i] == rows[j] and look.y[i] != look.y[j]}
    found = radar(look, distance, truth, cut=2.0)  # a cut that no suspicion reaches
    assert len(clashes) > 3
    assert set(zip(found.pairs.i.tolist(), found.pairs.j.tolist(), strict=True)) == clashes
    assert found.identical.all()
    assert found.precision == 1.0
    usual = radar(look, distance, truth)
    assert usual.identical[: len(clashes)].all()
    assert not usual.identical[len(clashes) :].any()


def test_the_probe_has_no_flipped_label() -> None:
    run = Run(FLIPPED)
    run.advance(30)
    look = look_of(run.snapshot())
    assert radar(look, truth=look.y).known == 0


def test_without_contents_and_truth() -> None:
    look = look_by_hand(n=40, spread=2.0)
    found = radar(look)
    assert found.cut == CUT_ALONE
    np.testing.assert_array_equal(found.suspicion, found.overlap)
    assert np.isnan(found.likeness).all()
    assert np.isnan([found.precision, found.recall]).all()
    assert found.known == -1
    assert len(found.pairs) > 0


def test_without_weights_or_positives() -> None:
    look = replace(look_by_hand(n=40, spread=2.0), coded=None, reads="", why_no_weight="it reads logits")
    found = radar(look)
    assert np.isnan([found.share_of_push, *found.push]).all()
    assert found.why_no_weight == "it reads logits"
    alone = radar(replace(look, group=np.arange(40)))
    assert len(alone.pairs) == 0
    assert np.isnan(alone.median)


def test_of_two_views_items_of_one_class_are_negatives() -> None:
    look = look_of(trained_run("second views").snapshot())
    found = radar(look, truth=look.y)
    n = len(look.y)
    assert found.negatives == n * (n - 1) // 2
    assert found.known == len([p for p in couples(n) if look.y[p[0]] == look.y[p[1]]])
    assert found.median == pytest.approx(np.median(look.read_s.diagonal()), rel=1e-5)
    both_ways = (look.read_s[found.pairs.i, found.pairs.j] + look.read_s[found.pairs.j, found.pairs.i]) / 2
    np.testing.assert_allclose(found.score, both_ways)


def test_of_two_sides_pairs_have_a_direction() -> None:
    look = look_of(trained_run("other sides").snapshot())
    found = radar(look)
    n = len(look.y)
    assert found.negatives == int(look.neg.sum())
    assert len(found.pairs) > 0
    overlap = neighbourhood_overlap(look)
    i, j = 3, 17
    near = set(np.argsort(-look.s[i], kind="stable")[:11].tolist())
    own = {j, *[k for k in np.argsort(-(look.v @ look.v[j]), kind="stable").tolist() if k != j][:10]}
    assert overlap[i, j] == pytest.approx(len(near & own) / 11)
    assert overlap.shape == (n, n)


def test_distances_and_likenesses() -> None:
    x = np.array([[[0.1, 0.2]], [[0.4, 0.6]], [[0.1, 0.2]], [[3.0, 3.0]]])
    distance = distances(x)
    assert distance[0, 2] == distance[1, 1] == 0
    assert distance[0, 1] == pytest.approx(0.5)
    assert np.count_nonzero(distance == 0) == 6
    # Six pairs: 0 once, .5 twice, about 3.5 to 4.0 three times.
    assert likenesses(distance)[0, 2] == pytest.approx(5 / 6)
    assert likenesses(distance)[0, 1] == pytest.approx(3 / 6)
    assert likenesses(distance)[0, 3] == 0


def test_suspects_can_be_selected_masked_and_trained_without() -> None:
    run, look, distance, truth = spoilt(FLIPPED, 10)
    found = radar(look, distance, truth)
    selection = selected(found, look, 5)
    assert isinstance(selection.brush, PairList)
    assert (selection.of, selection.step, len(selection.brush.pairs)) == (TRAINING, 10, 5)
    pairs = resolve(selection, look)
    assert set(pairs.ids(look)) == set(found.pairs.ids(look)[:5])
    run.set(MASK, mask_text(found, look, 5))
    assert run.config.events == (Event(10, MASK, mask_text(found, look, 5)),)
    after = look_of(training_snapshot(run, 300), TRAINING)
    assert np.all(after.pair_weight_at(pairs.i, pairs.j) == 0)
    assert np.all(look.pair_weight_at(pairs.i, pairs.j) > 0)
    run.advance(1)
    with pytest.raises(ValueError, match="run the radar over training items"):
        mask_text(found, replace(look, of="probe"))
