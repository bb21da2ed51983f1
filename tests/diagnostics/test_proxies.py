"""Items against proxies by plain loops and by hand."""

import numpy as np
import pytest

from models.diagnostics.items import unit_rows
from models.diagnostics.proxies import fit

RNG = np.random.default_rng(8)
U, W = unit_rows(RNG.normal(size=(11, 4))), unit_rows(RNG.normal(size=(3, 4)))
Y = np.arange(11) % 3


def test_against_plain_loops() -> None:
    found = fit(U, Y, W)
    for i in range(11):
        cosines = [float(sum(a * b for a, b in zip(U[i], row, strict=True))) for row in W]
        own = cosines[Y[i]]
        others = [(value, k) for k, value in enumerate(cosines) if k != Y[i]]
        assert found.own[i] == pytest.approx(own)
        assert (found.other[i], found.nearest[i]) == (pytest.approx(max(others)[0]), max(others)[1])
        assert found.hits[i] == float(own == max(cosines))
    for k in range(3):
        mean = U[k == Y].mean(axis=0)
        assert found.centre[k] == pytest.approx(float(mean @ W[k]) / float(np.linalg.norm(mean)))
    assert found.closest == pytest.approx(max(float(W[0] @ W[1]), float(W[0] @ W[2]), float(W[1] @ W[2])))


def test_items_on_their_proxies_and_one_proxy_alone() -> None:
    found = fit(np.eye(3), np.arange(3), np.eye(3))
    assert (found.own.tolist(), found.other.tolist(), found.closest) == ([1.0] * 3, [0.0] * 3, 0.0)
    alone = fit(np.eye(2)[:1], np.zeros(1, int), np.eye(2)[:1])
    assert alone.hits.tolist() == [1.0]
    assert np.isnan(alone.closest)
