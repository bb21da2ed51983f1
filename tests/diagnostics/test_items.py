import numpy as np
import pytest

from models.diagnostics.items import items_of, label_pairs, pair_scores, snapshot_items, unit_rows, unordered
from tests.diagnostics.helpers import clouds, flat_pairs, some_items, trained


def test_rows_have_length_one_and_zero_stays_zero() -> None:
    u = unit_rows(np.asarray([[3.0, 4.0], [0.0, 0.0], [-2.0, 0.0]]))
    assert u.tolist() == [[0.6, 0.8], [0.0, 0.0], [-1.0, 0.0]]


def test_each_unordered_pair_once() -> None:
    items = some_items(12, 3)
    s, same = flat_pairs(items)
    pairs = pair_scores(items.s, items.pos, items.neg)
    assert np.array_equal(pairs.positive, np.sort(s[same]))
    assert np.array_equal(pairs.negative, np.sort(s[~same]))
    assert len(pairs.positive) == 3 * 6
    assert len(pairs.negative) == 66 - 18


@pytest.mark.parametrize("classes", [1, 3, 12])
def test_pairs_by_label_are_pairs_by_mask(classes: int) -> None:
    for seed in (0, 1):  # the same labels in another order, and scores anew
        items = some_items(12, classes, seed=seed)
        masked, labelled = pair_scores(items.s, items.pos, items.neg), label_pairs(items)
        assert len(labelled.positive) + len(labelled.negative) == 66
        assert np.array_equal(masked.positive, labelled.positive)
        assert np.array_equal(masked.negative, labelled.negative)


def test_two_towers_count_every_entry() -> None:
    s = np.asarray([[0.9, 0.1], [0.2, 0.8]])
    pos = np.eye(2, dtype=bool)
    assert not unordered(pos, ~pos)
    pairs = pair_scores(s, pos, ~pos)
    assert pairs.positive.tolist() == [0.8, 0.9]
    assert pairs.negative.tolist() == [0.1, 0.2]


def test_items_of_a_snapshot_equal_items_of_its_embeddings() -> None:
    snapshot = trained()
    kept, rebuilt = (
        snapshot_items(snapshot, ~snapshot.seen),
        items_of(snapshot.z[~snapshot.seen], snapshot.y[~snapshot.seen]),
    )
    assert len(kept.y) == 100
    assert np.array_equal(kept.pos, rebuilt.pos)
    assert np.array_equal(kept.neg, rebuilt.neg)
    assert kept.s == pytest.approx(rebuilt.s, abs=1e-6)


def test_one_item_and_none_have_no_pairs() -> None:
    z, y = clouds(4, 2)
    for n in (0, 1):
        items = items_of(z[:n], y[:n])
        assert not pair_scores(items.s, items.pos, items.neg).complete
