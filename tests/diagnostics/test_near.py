"""Nearest neighbours of all items: exact against scikit-learn, the index against the exact, both stated."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from models.diagnostics import near as module
from models.diagnostics.items import unit_rows
from models.diagnostics.near import agreement, exact, near


def clouds(n: int, d: int = 12) -> np.ndarray:
    rng = np.random.default_rng(n)
    y = rng.integers(0, 6, n)
    return unit_rows((rng.normal(size=(6, d))[y] + 0.7 * rng.normal(size=(n, d))).astype(np.float32))


def test_exact_is_the_library_s_answer_whatever_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    u = clouds(300)
    library = NearestNeighbors(n_neighbors=6, algorithm="brute").fit(u).kneighbors(u, return_distance=False)
    assert np.array_equal(library[:, 0], np.arange(300))
    found = near(u)
    assert found.exact
    assert found.found.value == 1.0
    assert np.array_equal(found.index, library[:, 1:])
    monkeypatch.setattr(module, "_BLOCK", 300 * 7)
    assert np.array_equal(near(u).index, library[:, 1:])


def test_ties_go_to_the_lower_index_and_an_item_is_not_its_own_neighbour() -> None:
    u = np.repeat(np.eye(3, dtype=np.float32), 2, axis=0)
    assert exact(u, np.arange(6), 2).tolist() == [[1, 2], [0, 2], [3, 0], [2, 0], [5, 0], [4, 0]]


class Index:
    """Stands in for the index, whose compiler takes a minute: the truth with every tenth list one item wrong."""

    def __init__(self, u: np.ndarray, *, metric: str, n_neighbors: int, random_state: int, n_jobs: int) -> None:
        assert (metric, random_state, n_jobs) == ("euclidean", 0, 1)
        found = NearestNeighbors(n_neighbors=n_neighbors, algorithm="brute").fit(u).kneighbors(u)
        graph = found[1].astype(np.int32)
        graph[::10, 5] = graph[::10, -1]
        self.neighbor_graph = graph, found[0]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EXACT", 10)
    monkeypatch.setitem(sys.modules, "pynndescent", SimpleNamespace(NNDescent=Index))


def test_above_the_limit_an_index_answers_and_says_how_well(small: None, monkeypatch: pytest.MonkeyPatch) -> None:
    u = clouds(900)
    found = near(u)
    assert not found.exact
    assert not (found.index == np.arange(900)[:, None]).any()
    # One in ten items misses one neighbour of five.
    assert agreement(found.index, exact(u, np.arange(900), 5)).value == pytest.approx(1 - 1 / 50)
    assert found.found.low < 1 - 1 / 50 < found.found.high
    assert found.found.high - found.found.low < 0.02
    monkeypatch.setattr(module, "MOST", 899)
    with pytest.raises(ValueError, match="among 900 items are not looked for: 899 at most"):
        near(u)


def test_copies_of_an_item_do_not_make_it_its_own_neighbour(small: None) -> None:
    u = np.repeat(clouds(60), 3, axis=0)
    found = near(u)
    assert not (found.index == np.arange(180)[:, None]).any()
    copies = np.sort(found.index[:, :2], axis=1) // 3
    assert (copies == np.arange(180)[:, None] // 3).all()


def test_agreement_counts_whatever_the_order() -> None:
    assert agreement(np.array([[1, 2, 3], [4, 5, 6]]), np.array([[3, 2, 9], [6, 4, 5]])).value == pytest.approx(5 / 6)


def test_one_item_has_no_neighbours() -> None:
    with pytest.raises(ValueError, match="two items at least"):
        near(np.ones((1, 2), np.float32))
