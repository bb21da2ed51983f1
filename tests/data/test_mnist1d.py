import random

import numpy as np
import pytest
from mnist1d.data import get_templates

from models.data.mnist1d import load


def test_size_scale_and_classes() -> None:
    source = load(items=505)
    assert source.x.shape == (500, 1, 40)  # rounded down to tens
    assert np.bincount(source.y).tolist() == [50] * 10
    assert float(source.x.mean()) == pytest.approx(0, abs=1e-5)
    assert float(source.x.std()) == pytest.approx(1, abs=1e-5)


def test_same_every_time_and_global_generators_untouched() -> None:
    random.seed(3)
    np.random.seed(3)  # noqa: NPY002 - these are the generators that must be left alone
    expected = random.Random(3).random(), np.random.RandomState(3).rand()
    first, second = load(items=200), load(items=200)
    assert (first.x == second.x).all()
    assert (random.random(), np.random.rand()) == expected  # noqa: NPY002


def test_without_noise_and_shift_a_signal_is_its_template() -> None:
    source = load(items=200, noise=0.0, translation=1)
    template = get_templates()["x"][7]  # an independent other side: the drawn shape of class 7
    mean = source.x[source.y == 7].mean(axis=0)[0]
    width = np.flatnonzero(np.abs(mean) > 0.3)
    assert len(width) > 4
    shape = np.interp(np.linspace(0, 11, 8), np.arange(12), template)
    best = max(np.corrcoef(mean[start : start + 8], shape)[0, 1] for start in range(33))
    assert best > 0.9


def test_noise_widens_a_class() -> None:
    calm, loud = load(items=200, noise=0.0, translation=1), load(items=200, noise=2.0, translation=1)
    spread = [s.x[s.y == 0].std(axis=0).mean() for s in (calm, loud)]
    assert spread[1] > 1.2 * spread[0]
