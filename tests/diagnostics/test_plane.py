import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.diagnostics.items import items_of, unit_rows
from models.diagnostics.plane import closeness, plane
from tests.diagnostics.helpers import clouds, stored


def by_loops(z: np.ndarray, y: np.ndarray) -> tuple[float, float, float, float]:
    """The four definitions over all couples of rows."""
    u = unit_rows(z)
    couples = list(itertools.combinations(range(len(y)), 2))
    distance = [sum((u[i] - u[j]) ** 2) for i, j in couples]
    cosine = [sum(u[i] * u[j]) for i, j in couples]
    same = [y[i] == y[j] for i, j in couples]
    uniformity = -math.log(sum(math.exp(-2 * d) for d in distance) / len(couples))
    tight = [c for c, kind in zip(cosine, same, strict=True) if kind]
    near = [d for d, kind in zip(distance, same, strict=True) if kind]
    return uniformity, sum(tight) / len(tight), sum(tight) / len(couples), sum(near) / len(near)


def test_stored_numbers() -> None:
    numbers = stored("diagnostics")["behaviour"]
    found = plane(items_of(np.asarray(numbers["z"]), np.asarray(numbers["labels"])))
    assert found.uniformity == pytest.approx(-numbers["metrics"]["uniformity_pairs"], abs=1e-12)
    assert found.tolerance == pytest.approx(numbers["metrics"]["tolerance_conditional"], abs=1e-12)
    assert found.tolerance_printed == pytest.approx(numbers["metrics"]["tolerance_literal"], abs=1e-12)


@given(st.integers(0, 1000), st.integers(4, 15), st.booleans())
def test_loops_agree(seed: int, n: int, with_zero_row: bool) -> None:
    z, y = clouds(n, 2, seed=seed)
    z[0] *= not with_zero_row
    found = plane(items_of(z, y))
    expected = by_loops(z, y)
    assert (found.uniformity, found.tolerance, found.tolerance_printed, found.alignment) == pytest.approx(expected)


@given(st.integers(0, 1000))
def test_turning_the_space_changes_nothing(seed: int) -> None:
    z, y = clouds(20, 3, seed=seed)
    turn, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(6, 6)))
    before, after = plane(items_of(z, y)), plane(items_of(z @ turn, y))
    assert after.uniformity == pytest.approx(before.uniformity, abs=1e-10)
    assert after.tolerance == pytest.approx(before.tolerance, abs=1e-10)
    assert after.alignment == pytest.approx(before.alignment, abs=1e-10)


def test_a_point_and_two_poles_by_hand() -> None:
    y = np.asarray([0, 0, 1, 1])
    point = plane(items_of(np.ones((4, 3)), y))
    assert (point.uniformity, point.tolerance, point.alignment) == pytest.approx((0, 1, 0), abs=1e-12)
    poles = plane(items_of(np.asarray([[1.0, 0], [1, 0], [-1, 0], [-1, 0]]), y))
    # Two couples at distance 0 and four at squared distance 4: -log((2 + 4 e^-8) / 6).
    assert poles.uniformity == pytest.approx(-math.log((2 + 4 * math.exp(-8)) / 6))
    assert (poles.tolerance, poles.tolerance_printed, poles.alignment) == pytest.approx((1, 1 / 3, 0))


def test_an_even_sphere_reaches_the_limit_of_the_paper() -> None:
    # In many dimensions random directions are orthogonal: squared distance 2, uniformity 4.
    z = np.random.default_rng(0).normal(size=(300, 2000))
    assert plane(items_of(z, np.arange(300))).uniformity == pytest.approx(4, abs=0.01)


def test_closeness_has_an_empty_diagonal() -> None:
    z, y = clouds(5, 2)
    close = closeness(items_of(z, y))
    assert np.all(close.diagonal() == 0)
    assert close[0, 1] == pytest.approx(math.exp(-2 * float(np.sum((unit_rows(z)[0] - unit_rows(z)[1]) ** 2))))


def test_what_has_no_pairs_is_nan() -> None:
    z, y = clouds(4, 4)
    found = plane(items_of(z, y))
    assert np.isfinite(found.uniformity)
    assert np.isnan([found.tolerance, found.alignment]).all()
    assert found.tolerance_printed == 0
    lone = plane(items_of(z[:1], y[:1]))
    assert np.isnan([lone.uniformity, lone.tolerance, lone.tolerance_printed, lone.alignment]).all()
