import numpy as np
import pytest

from models.data.clusters import load


def mean_squared(a: np.ndarray, b: np.ndarray) -> float:
    """Mean squared distance of every row of a to every row of b, as a plain double loop over rows."""
    return float(np.mean([[((u - v) ** 2).sum() for v in b] for u in a]))


def test_distances_are_the_closed_form() -> None:
    h, spread = 0.6, 0.5
    source = load(classes=60, groups=20, items=10, features=128, hierarchy=h, spread=spread)
    rows = [source.x[source.y == k].astype(np.float64) for k in range(60)]
    groups = range(20)
    within = np.mean([((rows[k][::2] - rows[k][1::2]) ** 2).sum(axis=1).mean() for k in range(60)])
    same_group = np.mean([mean_squared(rows[g], rows[g + 20]) for g in groups])
    other_group = np.mean([mean_squared(rows[g], rows[(g + 1) % 20]) for g in groups])
    assert within == pytest.approx(2 * spread**2, rel=0.05)
    assert same_group == pytest.approx(2 * spread**2 + 2 * (1 - h), rel=0.06)
    assert other_group == pytest.approx(2 * spread**2 + 2, rel=0.06)


def test_names_say_the_group() -> None:
    assert load(classes=5, groups=2).classes == ("A1", "B1", "A2", "B2", "A3")


def test_a_cluster_stays_where_it_is() -> None:
    few, many = load(classes=4, items=10, spread=0.01), load(classes=9, items=10, spread=0.01)
    assert np.allclose(few.x, many.x[: len(few.x)])


def test_counts() -> None:
    source = load(classes=7, items=11, features=3)
    assert source.x.shape == (77, 3)
    assert np.bincount(source.y).tolist() == [11] * 7


def test_without_hierarchy_groups_make_no_difference() -> None:
    assert (load(groups=1, hierarchy=0.0).x == load(groups=5, hierarchy=0.0).x).all()
