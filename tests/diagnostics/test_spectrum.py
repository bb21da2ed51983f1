import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.diagnostics.items import unit_rows
from models.diagnostics.spectrum import rank_of, spectrum
from tests.diagnostics.helpers import clouds, trained


def test_even_axes_have_full_rank() -> None:
    u = np.concatenate([np.eye(4), -np.eye(4)])
    found = spectrum(u)
    # Each of four directions has variance 2/8.
    assert found.singular == pytest.approx(np.full(4, 0.5))
    assert found.effective_rank == pytest.approx(4)


def test_effective_rank_by_hand() -> None:
    # Six of eight rows on one axis, two on the other: shares of the variance 3/4 and 1/4.
    u = np.asarray([[1.0, 0], [-1, 0], [1, 0], [-1, 0], [1, 0], [-1, 0], [0, 1], [0, -1]])
    shares = np.asarray([0.75, 0.25])
    assert spectrum(u).singular == pytest.approx(np.sqrt(shares))
    assert spectrum(u).effective_rank == pytest.approx(np.exp(-(shares * np.log(shares)).sum()))


def test_variances_add_up_to_the_spread_around_the_mean() -> None:
    u = unit_rows(trained().z)
    total = float(((u - u.mean(axis=0)) ** 2).sum(axis=1).mean())
    assert (spectrum(u).singular ** 2).sum() == pytest.approx(total, rel=1e-5)


@given(st.integers(0, 500))
def test_the_light_way_agrees(seed: int) -> None:
    u = unit_rows(clouds(20, 3, seed=seed)[0])
    assert rank_of(u) == pytest.approx(spectrum(u).effective_rank, rel=1e-9)
    assert 1 <= rank_of(u) <= 6


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_point_has_no_rank(dtype: type) -> None:
    u = unit_rows(np.tile(np.asarray([0.3, -0.7, 0.1], dtype), (50, 1)))
    assert np.isnan(spectrum(u).effective_rank)
    assert np.isnan(rank_of(u))


def test_fewer_items_than_dimensions_fill_up_with_zeros() -> None:
    z, _ = clouds(3, 1, d=6)
    found = spectrum(unit_rows(z))
    assert found.singular.shape == (6,)
    assert np.all(found.singular[3:] == 0)
    assert np.isnan(spectrum(np.zeros((0, 6))).effective_rank)
    assert np.isnan(rank_of(np.zeros((0, 6))))
