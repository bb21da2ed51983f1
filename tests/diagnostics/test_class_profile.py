"""Class against class in a summary, by plain loops and against the exact matrix of a look."""

import numpy as np
import pytest

from models.diagnostics.class_matrix import class_matrix
from models.diagnostics.class_profile import MOST, OTHER, class_profile
from models.diagnostics.look import look_of
from models.diagnostics.summarise import summarise
from tests.diagnostics.helpers import clouds, snapshot_of
from tests.diagnostics.looks import trained_run


@pytest.mark.parametrize("reads", ["items", "second views", "other sides"])
def test_cells_by_loops(reads: str) -> None:
    taken = trained_run(reads).snapshot()
    found, n = class_profile(taken), len(taken.y)
    assert taken.weight is not None
    every = float(np.abs(taken.weight).sum())
    assert found.label.tolist() == sorted(set(taken.y.tolist()))
    for row, column in [(0, 0), (0, 1), (2, 1)]:
        inside = [
            (i, j) for i in range(n) for j in range(n)
            if taken.y[i] == found.label[row] and taken.y[j] == found.label[column]
        ]  # fmt: skip
        counted = [pair for pair in inside if taken.pos[pair] or taken.neg[pair]]
        assert found.count[row, column] == len(counted) > 0
        assert found.similarity[row, column] == pytest.approx(np.mean([taken.s[p] for p in counted]), abs=1e-5)
        assert found.push[row, column] == pytest.approx(sum(max(taken.weight[p], 0) for p in inside) / every, abs=1e-6)
        assert found.pull[row, column] == pytest.approx(sum(max(-taken.weight[p], 0) for p in inside) / every, abs=1e-6)
    assert (found.pull + found.push).sum() == pytest.approx(1.0, abs=1e-5)


def test_agrees_with_the_matrix_of_a_look() -> None:
    taken = trained_run("items").snapshot()
    found, exact = class_profile(taken), class_matrix(look_of(taken))
    whole = exact.total_pull + exact.total_push
    np.testing.assert_array_equal(found.count, exact.count)
    np.testing.assert_allclose(found.similarity, exact.similarity, atol=1e-5)
    np.testing.assert_allclose(found.push, exact.push * exact.total_push / whole, atol=2e-4)  # weights of ten bits
    np.testing.assert_allclose(found.pull, exact.pull * exact.total_pull / whole, atol=2e-4)


def test_rare_classes_share_the_last_row() -> None:
    z, _ = clouds(100, 4, 1.0, 0)
    y = np.concatenate([np.arange(40), np.repeat(np.arange(20), 3)])
    found = class_profile(snapshot_of(z, y))
    assert len(found.label) == MOST
    assert found.label.tolist() == [*range(MOST - 1), OTHER]
    rest = int((y >= MOST - 1).sum())
    assert found.count[-1, -1] == rest * (rest - 1)
    assert found.count.sum() == 100 * 99
    assert found.push.shape == (0, 0)


def test_a_class_of_one_item_has_no_pair_with_itself() -> None:
    found = class_profile(snapshot_of(np.eye(3), np.array([0, 1, 1])))
    assert np.isnan(found.similarity[0, 0])
    assert found.similarity[0, 1] == 0.0
    assert found.count.tolist() == [[0, 2], [2, 2]]


def test_travels_with_the_summary() -> None:
    taken = trained_run("items").snapshot()
    held = summarise(taken).classes
    assert held is not None
    np.testing.assert_array_equal(held.similarity, class_profile(taken).similarity)
