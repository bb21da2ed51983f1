"""Weights in ten bits: sizes within the stated error, signs as they were, small ones gone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.diagnostics.coded import ERROR, decode, decode_at, encode


def random_case(n: int, m: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights over fifteen decades, some 0; half of the signs are not the expected ones."""
    rng = np.random.default_rng(seed)
    weight = rng.choice([-1.0, 1.0], (n, m)) * 10.0 ** rng.uniform(-12, 3, (n, m)) * (rng.random((n, m)) > 0.2)
    return weight, rng.random((n, m)) > 0.5


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 99))
def test_error_is_as_stated(n: int, m: int, seed: int) -> None:
    weight, pulled = random_case(n, m, seed)
    found = decode(encode(weight, pulled), pulled)
    floor = 2.0**-24 * np.abs(weight).max()
    kept = np.abs(weight) >= floor
    assert np.all(np.abs(found - weight)[kept] <= 1.0001 * ERROR * np.abs(weight)[kept])
    assert np.all(np.abs(found[~kept]) <= floor * 1.0001)
    assert np.all(found[np.abs(weight) < floor * 2.0**-0.02] == 0)


def test_error_is_below_one_percent() -> None:
    assert pytest.approx(0.0082, abs=1e-4) == ERROR


@pytest.mark.parametrize("usual", [True, False])
def test_some_positions_alone(usual: bool) -> None:
    weight, pulled = random_case(7, 9, seed=3)
    weight = np.abs(weight) * np.where(pulled == usual, -1.0, 1.0)
    coded = encode(weight, pulled)
    flat = np.array([0, 5, 62, 13, 13])
    assert len(coded.other_way) == (0 if usual else 8)  # 63 bits
    np.testing.assert_array_equal(decode_at(coded, flat, pulled.ravel()[flat]), decode(coded, pulled).ravel()[flat])
    assert np.any(decode_at(coded, flat, pulled.ravel()[flat]) != 0)


def test_nothing_and_not_finite() -> None:
    pulled = np.zeros((2, 2), bool)
    assert np.all(decode(encode(np.zeros((2, 2)), pulled), pulled) == 0)
    found = decode(encode(np.array([[np.nan, np.inf], [0.0, 3.0]]), pulled), pulled)
    np.testing.assert_allclose(found, [[0.0, 0.0], [0.0, 3.0]], rtol=1e-6)
