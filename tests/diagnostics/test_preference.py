"""Gains over a reference, by hand."""

import math

import numpy as np
import pytest

from models.diagnostics.preference import preferences


def test_numbers_by_hand() -> None:
    """Even reference; leads log 3, log 1/3 and 0; the second pair is decided wrongly, the third not at all."""
    policy = np.log([[0.75, 0.25], [0.2, 0.6], [0.4, 0.4]])
    found = preferences(policy, np.log(np.full((3, 2), 0.5)))
    assert found.accuracy == pytest.approx(0.5)
    assert found.margin == pytest.approx(0.0, abs=1e-12)
    assert found.chosen == pytest.approx((math.log(1.5) + math.log(0.4) + math.log(0.8)) / 3)
    assert found.rejected == pytest.approx((math.log(0.5) + math.log(1.2) + math.log(0.8)) / 3)


def test_the_reference_counts() -> None:
    """A policy that prefers the better answer, but less than the reference did, is wrong."""
    found = preferences(np.log([[0.6, 0.4]]), np.log([[0.9, 0.1]]))
    assert found.accuracy == 0.0
    assert found.margin == pytest.approx(math.log(1.5 / 9))


def test_without_pairs_nothing_is_told() -> None:
    found = preferences(np.empty((0, 2)), np.empty((0, 2)))
    assert all(math.isnan(value) for value in (found.accuracy, found.margin, found.chosen, found.rejected))
