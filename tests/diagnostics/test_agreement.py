import numpy as np
import pytest

from models.diagnostics.agreement import Reading, clustered, cosines


def reading(value: float, **levels: float) -> Reading:
    empty = np.empty(0)
    return Reading("x", value, levels, 1.0, 1.0, 0.0, empty, empty, 0.0)


def test_cosines_by_hand() -> None:
    found = cosines(np.array([[3.0, 4.0], [4.0, 3.0], [-6.0, -8.0], [0.0, 0.0], [np.nan, 1.0]]))
    assert found[0, 1] == pytest.approx(24 / 25, abs=1e-12)
    assert found[0, 2] == pytest.approx(-1.0, abs=1e-12)
    assert found[0, 0] == 1.0
    assert np.isnan(found[3]).all()
    assert np.isnan(found[:, 4]).all()
    np.testing.assert_array_equal(found, found.T)


def test_tiny_weights_do_not_vanish_in_single_precision() -> None:
    found = cosines(np.array([[1e-30, 2e-30], [2.0, 1.0]], dtype=np.float32))
    assert found[0, 1] == pytest.approx(0.8, abs=1e-6)


def test_an_order_puts_kin_together_and_groups_name_them() -> None:
    angle = np.deg2rad([0.0, 90.0, 3.0, 93.0, 200.0])
    cosine = np.cos(angle[:, None] - angle[None, :])
    order, group = clustered(cosine)
    assert sorted(order.tolist()) == [0, 1, 2, 3, 4]
    place = {row: at for at, row in enumerate(order.tolist())}
    assert abs(place[0] - place[2]) == 1
    assert abs(place[1] - place[3]) == 1
    assert (group[0] == group[2], group[1] == group[3]) == (True, True)
    assert len({group[0], group[1], group[4]}) == 3


def test_a_loss_without_gradient_stands_alone() -> None:
    cosine = np.array([[1.0, 0.99, np.nan], [0.99, 1.0, np.nan], [np.nan, np.nan, np.nan]])
    order, group = clustered(cosine)
    assert sorted(order.tolist()) == [0, 1, 2]
    assert group[0] == group[1] != group[2]


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_need_no_tree(count: int) -> None:
    order, group = clustered(np.ones((count, count)))
    assert order.tolist() == list(range(count))
    assert group.tolist() == [1] * count


def test_the_way_from_chance_to_perfect() -> None:
    assert reading(1.5, chance=2.0, perfect=1.0).way == pytest.approx(0.5)
    assert reading(2.5, chance=2.0, perfect=1.0).way == pytest.approx(-0.5)
    assert np.isnan(reading(1.0, chance=2.0).way)
    assert np.isnan(reading(1.0, chance=2.0, perfect=2.0).way)
    assert np.isnan(reading(float("nan"), chance=2.0, perfect=1.0).way)
