"""Subset fidelity against an independent computation, least squares and hand numbers."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from models.diagnostics.fidelity import (
    compensated,
    correlated,
    explained,
    fidelity,
    foremost,
    inputs_kept,
    moment,
    singletons,
)

ORACLE = json.loads((Path(__file__).parents[1] / "oracles" / "modhifi_subset_fidelity.json").read_text())
X, W = (np.asarray(ORACLE["inputs"][name]) for name in ("X", "W"))
KEPT = np.asarray(ORACLE["hyperparameters"]["subset_C"])


def test_fidelity_and_singletons_of_the_oracle() -> None:
    m = moment(X)
    np.testing.assert_allclose(fidelity(m, W, KEPT), ORACLE["loss"], rtol=1e-9)
    expected = [ORACLE["per_output_channel"][str(c)]["singleton_fidelity"] for c in range(3)]
    np.testing.assert_allclose(singletons(m, W), expected, rtol=1e-9)
    for c in range(3):
        alone = [fidelity(m, W, np.array([i]))[c] for i in range(4)]
        np.testing.assert_allclose(alone, singletons(m, W)[c], rtol=1e-9)


def test_explained_energy_is_what_is_left_out_without_it() -> None:
    """E|Y_c|^2 minus the least of E|Y_c - delta A_ci|^2, by a plain loop."""
    found = explained(moment(X), W)
    for c, row in enumerate(W):
        for i in range(4):
            part, whole = X[:, i] * row[i], X @ row
            rest = whole - (whole @ part) / (part @ part) * part
            assert found[c, i] == pytest.approx((whole**2).mean() - (rest**2).mean())


def test_compensation_is_the_least_squares_regression_of_all_outputs() -> None:
    rng = np.random.default_rng(0)
    h = rng.normal(size=(200, 6)) + 0.5
    w = rng.normal(size=(3, 6))
    kept = np.array([0, 2, 5])
    solved = np.linalg.lstsq(h[:, kept], h @ w.T, rcond=None)[0].T
    found = compensated(moment(h), w, kept)
    np.testing.assert_allclose(found[:, kept], solved, atol=1e-4)
    assert not found[:, [1, 3, 4]].any()
    left = ((h @ w.T - h @ found.T) ** 2).mean(axis=0) / ((h @ w.T) ** 2).mean(axis=0)
    np.testing.assert_allclose(1 - left, fidelity(moment(h), w, kept), atol=1e-5)


def test_fidelity_rises_to_one_with_all_inputs() -> None:
    m = moment(X)
    values = [fidelity(m, W, np.arange(k)) for k in range(1, 5)]
    assert all((later >= earlier - 1e-12).all() for earlier, later in pairwise(values))
    np.testing.assert_allclose(values[-1], 1.0)


def test_dead_inputs_and_weights_count_for_nothing() -> None:
    h, w = X.copy(), W.copy()
    h[:, 1] = 0.0
    w[0, 2] = 0.0
    found = singletons(moment(h), w)
    assert found[:, 1].tolist() == [0.0, 0.0, 0.0]
    assert found[0, 2] == 0.0
    assert np.isfinite(found).all()
    assert np.isnan(fidelity(moment(h), np.zeros((1, 4)), KEPT)[0])


def test_correlation_by_hand() -> None:
    assert correlated(np.eye(3), np.ones((2, 3))) == 0.0
    # Two equal inputs: each Q is all ones, half of its mass beside the diagonal.
    assert correlated(np.ones((2, 2)), np.ones((1, 2))) == pytest.approx(0.5)


def test_choices() -> None:
    score = np.array([[0.1, 0.9, 0.2], [0.8, 0.0, 0.2]])
    assert foremost(score, 2).tolist() == [[False, True, False], [True, False, False]]
    assert inputs_kept(score, 2).tolist() == [0, 1]
