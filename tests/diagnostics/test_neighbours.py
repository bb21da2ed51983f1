import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import LeaveOneOut, cross_val_score
from sklearn.neighbors import KNeighborsClassifier

from models.diagnostics.items import items_of
from models.diagnostics.neighbours import first_hits, linear_probe, neighbours
from tests.diagnostics.helpers import clouds, some_items, trained


def ranked_others(s: np.ndarray, i: int) -> list[int]:
    """All other items of a row by falling score, ties by index."""
    return sorted((j for j in range(len(s)) if j != i), key=lambda j: (-s[i, j], j))


def by_loops(s: np.ndarray, y: np.ndarray) -> tuple[float, float, float]:
    """recall@1, MAP@R and the vote of five, item by item."""
    first, precision, vote = [], [], []
    for i in range(len(y)):
        order = ranked_others(s, i)
        r = sum(y[j] == y[i] for j in order)
        if r == 0:
            continue
        hits = [y[j] == y[i] for j in order]
        first.append(hits[0])
        precision.append(sum(sum(hits[: k + 1]) / (k + 1) for k in range(r) if hits[k]) / r)
        labels = [y[j] for j in order[:5]]
        vote.append(min(set(labels), key=lambda label: (-labels.count(label), label)) == y[i])
    return float(np.mean(first)), float(np.mean(precision)), float(np.mean(vote))


@given(st.integers(0, 500), st.integers(7, 30), st.integers(1, 6))
def test_loops_agree(seed: int, n: int, classes: int) -> None:
    items = some_items(n, classes, 2.0, seed)
    found = neighbours(items)
    assert (found.recall_at_1, found.map_at_r, found.knn) == pytest.approx(by_loops(items.s, items.y))
    assert np.nanmean(first_hits(items)) == pytest.approx(found.recall_at_1)


def test_loops_agree_on_a_trained_probe_in_float32() -> None:
    snapshot = trained()
    items = items_of(snapshot.z, snapshot.y)
    found = neighbours(items)
    assert items.s.dtype == np.float32
    assert (found.recall_at_1, found.map_at_r, found.knn) == pytest.approx(by_loops(items.s, items.y))
    assert 0.5 < found.map_at_r < 1


def test_leave_one_out_vote_is_that_of_scikit_learn() -> None:
    z, y = clouds(60, 4, 1.5)
    items = items_of(z, y)
    reference = cross_val_score(KNeighborsClassifier(5, algorithm="brute"), items.u, y, cv=LeaveOneOut())
    assert neighbours(items).knn == pytest.approx(reference.mean())


def test_map_at_r_by_hand() -> None:
    # Angles 0, 10, 25, 27 of classes a, a, b, a. R = 2 for a.
    # 0: a b -> 1/2. 10: a? nearest is 0 (10), then 25 (15): 1/2. 27: b, a -> (1/2) / 2 = 1/4. b has no partner.
    angle = np.deg2rad([0.0, 10, 25, 27])
    items = items_of(np.stack([np.cos(angle), np.sin(angle)], axis=1), np.asarray([0, 0, 1, 0]))
    found = neighbours(items)
    assert found.map_at_r == pytest.approx((0.5 + 0.5 + 0.25) / 3)
    assert found.recall_at_1 == pytest.approx(2 / 3)


def test_equal_embeddings_rank_by_index() -> None:
    items = items_of(np.ones((4, 2)), np.asarray([0, 0, 1, 1]))
    # Item 0 meets 1 first, all others meet 0 first.
    assert neighbours(items).recall_at_1 == pytest.approx(2 / 4)
    assert first_hits(items).tolist() == [1, 1, 0, 0]


@pytest.mark.parametrize(("n", "classes"), [(0, 1), (1, 1), (6, 6)])
def test_without_partners_nothing_is_defined(n: int, classes: int) -> None:
    z, y = clouds(n, classes)
    found = neighbours(items_of(z, y))
    assert np.isnan([found.recall_at_1, found.map_at_r, found.knn]).all()
    assert np.isnan(first_hits(items_of(z, y))).all()


def test_a_partnerless_item_does_not_ask() -> None:
    items = items_of(np.asarray([[1.0, 0], [1, 0.1], [0, 1]]), np.asarray([0, 0, 1]))
    assert neighbours(items).recall_at_1 == 1
    assert np.isnan(first_hits(items)[2])


def test_linear_probe_finds_a_line_and_no_more() -> None:
    z, y = clouds(400, 2, 0.3)
    assert linear_probe(z[:200], y[:200], z[200:], y[200:]) == 1
    rng = np.random.default_rng(0)
    corner = rng.uniform(-1, 1, (600, 2))
    xor = (corner[:, 0] * corner[:, 1] > 0).astype(int)
    assert linear_probe(corner[:300], xor[:300], corner[300:], xor[300:]) < 0.75


def test_linear_probe_does_not_mind_scale_or_idle_features() -> None:
    z, y = clouds(200, 3, 1.0)
    plain = linear_probe(z[:100], y[:100], z[100:], y[100:])
    idle = np.concatenate([1000 * z + 5, np.full((200, 1), 0.1)], axis=1)
    assert linear_probe(idle[:100], y[:100], idle[100:], y[100:]) == plain
    assert 0.4 < plain < 1


def test_linear_probe_of_a_point_is_a_guess_and_of_one_class_undefined() -> None:
    _, y = clouds(40, 2)
    point = np.ones((40, 3), np.float32)
    assert linear_probe(point[:20], y[:20], point[20:], y[20:]) == pytest.approx(0.5, abs=0.2)
    assert np.isnan(linear_probe(point, np.zeros(40, int), point, y))
    assert np.isnan(linear_probe(point, y, point[:0], y[:0]))
