import numpy as np
import pytest

from models.diagnostics.anchors import anchor_statistics, averages
from tests.diagnostics.helpers import some_items, stored


def test_stored_statistics_of_a_queue() -> None:
    numbers = stored("diagnostics")["statistics"]
    q, k, queue = (np.asarray(numbers[name]) for name in ("q", "k", "queue"))
    s = np.concatenate([(q * k).sum(axis=1, keepdims=True), q @ queue.T], axis=1)
    pos = np.zeros(s.shape, bool)
    pos[:, 0] = True
    found = anchor_statistics(s, pos, ~pos)
    assert np.stack([found.neg_mean, found.neg_var, found.pos_mean], axis=1) == pytest.approx(
        np.asarray(numbers["rows"]), abs=1e-9
    )
    mean = averages(found)
    rows = np.asarray(numbers["rows"])
    assert [mean["neg_mean"], mean["neg_var"], mean["pos_mean"]] == pytest.approx(rows.mean(axis=0).tolist(), abs=1e-9)
    assert mean["pos_var"] == pytest.approx(rows[:, 2].var(), abs=1e-9)


def test_loops_agree() -> None:
    items = some_items(15, 3)
    found = anchor_statistics(items.s, items.pos, items.neg)
    for i in range(15):
        negative = [items.s[i, j] for j in range(15) if items.y[j] != items.y[i]]
        positive = [items.s[i, j] for j in range(15) if items.y[j] == items.y[i] and j != i]
        assert found.neg_mean[i] == pytest.approx(np.mean(negative))
        assert found.neg_var[i] == pytest.approx(np.var(negative, ddof=1))
        assert found.pos_mean[i] == pytest.approx(np.mean(positive))


def test_anchors_without_candidates_do_not_count() -> None:
    s = np.asarray([[0.0, 0.5, 0.1], [0.5, 0.0, 0.3], [0.1, 0.3, 0.0]])
    same = np.asarray([[False, True, False], [True, False, False], [False] * 3])
    other = ~same & ~np.eye(3, dtype=bool)
    found = anchor_statistics(s, same, other)
    assert np.isnan(found.pos_mean[2])
    assert np.isnan(found.neg_var[:2]).all()  # one negative has no variance
    mean = averages(found)
    assert mean == pytest.approx({"neg_mean": (0.1 + 0.3 + 0.2) / 3, "neg_var": 0.02, "pos_mean": 0.5, "pos_var": 0.0})
    nothing = averages(anchor_statistics(s[:1, :1], same[:1, :1], same[:1, :1]))
    assert np.isnan(list(nothing.values())).all()
