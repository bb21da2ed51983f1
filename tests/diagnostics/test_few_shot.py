"""Few-shot accuracy with known answers, and against scikit-learn's nearest centroid."""

import math

import numpy as np
import pytest
from sklearn.neighbors import NearestCentroid

from models.diagnostics.few_shot import few_shot


def clouds(spread: float, classes: int = 6, each: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """Items around the axes of as many dimensions as there are classes."""
    y = np.arange(classes).repeat(each)
    return np.eye(classes)[y] + spread * np.random.default_rng(3).standard_normal((len(y), classes)), y


def test_points_that_coincide_are_always_right() -> None:
    found = few_shot(*clouds(0.0), way=4, shot=2, query=3)
    assert (found.accuracy, found.low, found.high) == (1.0, 1.0, 1.0)
    assert (found.way, found.episodes) == (4, 600)
    assert {type(value) for value in (found.accuracy, found.low, found.high)} == {float}


def test_noise_is_at_chance_and_inside_its_interval() -> None:
    rng = np.random.default_rng(1)
    z, y = rng.standard_normal((4000, 16)), np.arange(20).repeat(200)
    found = few_shot(z, y, way=5, shot=1, query=15)
    assert found.accuracy == pytest.approx(0.2, abs=0.01)
    assert found.low < found.accuracy < found.high
    assert found.high - found.low < 0.02


def test_one_class_on_anothers_place_costs_what_it_must() -> None:
    """Three axes, two classes on one of them: ties go to the class drawn first, so a third of all answers is wrong."""
    z = np.eye(2)[np.array([0, 0, 1]).repeat(10)]
    found = few_shot(z, np.arange(3).repeat(10), way=3, shot=5, query=5)
    assert found.accuracy == pytest.approx(2 / 3)
    assert found.low == pytest.approx(found.high)  # every episode alike


def test_equals_the_nearest_centroid_of_unit_rows() -> None:
    """All classes and items in one episode: scikit-learn on the very same supports and queries."""
    z, y = clouds(0.8)
    found = few_shot(z, y, way=6, shot=4, query=8, episodes=5)
    rng, u, right = np.random.default_rng(0), z / np.linalg.norm(z, axis=1, keepdims=True), []
    for _ in range(5):
        order = rng.permutation(6)
        rows = np.stack([rng.permutation(np.flatnonzero(y == c))[:12] for c in order])
        model = NearestCentroid().fit(u[rows[:, :4].ravel()], y[rows[:, :4].ravel()])
        right.append((model.predict(u[rows[:, 4:].ravel()]) == y[rows[:, 4:].ravel()]).mean())
    assert found.accuracy == pytest.approx(np.mean(right))
    half = 1.959964 * np.std(right, ddof=1) / math.sqrt(5)
    assert (found.low, found.high) == pytest.approx((np.mean(right) - half, np.mean(right) + half))
    assert 0.3 < found.accuracy < 1.0


def test_the_length_of_a_row_does_not_matter_and_calls_repeat() -> None:
    z, y = clouds(0.5)
    stretched = z * np.linspace(0.1, 9.0, len(z))[:, None]
    assert few_shot(stretched, y, shot=1, episodes=50) == few_shot(z, y, shot=1, episodes=50)


def test_fewer_classes_make_a_smaller_way_and_one_makes_none() -> None:
    z, y = clouds(0.1, classes=3)
    assert few_shot(z, y, way=5).way == 3
    alone = few_shot(z[:12], y[:12])
    assert (alone.way, alone.episodes) == (1, 0)
    assert all(math.isnan(value) for value in (alone.accuracy, alone.low, alone.high))
    assert math.isnan(few_shot(z, y, shot=10, query=10).accuracy)  # no class has so many items
