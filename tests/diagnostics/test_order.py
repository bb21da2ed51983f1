import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.diagnostics.order import ranking, sortable, unsortable

FINITE = st.floats(width=32, allow_nan=False)
# Few distinct numbers: ties in nearly every row, and both zeros.
TIED = st.sampled_from([-1.0, -0.5, -0.0, 0.0, 0.25, 1.0])


@given(arrays(np.float32, 20, elements=FINITE))
def test_integers_sort_as_the_numbers_do(x: np.ndarray) -> None:
    bits = sortable(x)
    assert np.array_equal(bits[:, None] < bits[None, :], x[:, None] < x[None, :])
    assert np.array_equal(unsortable(bits), x)


@given(arrays(np.float32, (3, 12), elements=TIED), st.integers(1, 15))
def test_ranking_is_a_stable_sort_by_falling_score(s: np.ndarray, top: int) -> None:
    expected = np.argsort(-s, axis=1, kind="stable")
    assert np.array_equal(ranking(s), expected)
    assert np.array_equal(ranking(s, top), expected[:, :top])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_ties_go_by_index(dtype: type) -> None:
    s: np.ndarray = np.asarray([[0.5, 0.9, 0.5, 0.9]], dtype)
    assert ranking(s).tolist() == [[1, 3, 0, 2]]
    assert ranking(s, 3).tolist() == [[1, 3, 0]]
