from itertools import pairwise

import numpy as np
import pytest
from sklearn.datasets import load_diabetes

from models.data.diabetes import load
from tests.data.helpers import no_network


def test_numbers_are_the_package_s_raw_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    no_network(monkeypatch)
    source, raw = load(), load_diabetes(scaled=False)
    assert source.target is not None
    assert source.target[:5].tolist() == [151, 75, 141, 206, 135]
    assert (source.target == raw.target).all()
    age = raw.data[:, 0]
    assert np.allclose(source.x[:, 0], (age - age.mean()) / age.std(), atol=1e-5)


def test_features_are_scaled() -> None:
    x = load().x
    assert x.shape == (442, 10)
    assert np.abs(x.mean(axis=0)).max() < 1e-5
    assert x.std(axis=0) == pytest.approx(np.ones(10), abs=1e-4)


def test_classes_are_fifths_in_order() -> None:
    source = load()
    assert source.target is not None
    sizes = np.bincount(source.y)
    assert sizes.sum() == 442
    assert np.abs(sizes - 442 / 5).max() < 3  # ties stay together
    ends = [(source.target[source.y == k].min(), source.target[source.y == k].max()) for k in range(5)]
    assert all(below[1] < above[0] for below, above in pairwise(ends))
    assert source.classes[0].startswith("25 to ")
    assert source.classes[4].endswith(" to 346")
