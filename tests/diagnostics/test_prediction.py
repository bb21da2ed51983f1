import math

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from models.diagnostics.prediction import f1, label_probe, mean_absolute_error, number_probe


def test_error_by_hand() -> None:
    assert mean_absolute_error(np.array([1.0, 2.0, 5.0]), np.array([2.0, 2.0, 1.0])) == pytest.approx(5 / 3)
    assert math.isnan(mean_absolute_error(np.empty(0), np.empty(0)))


def test_f1_by_hand() -> None:
    # TP 2, FP 1, FN 1: 4 / 6.
    assert f1(np.array([1, 1, 1, 0, 0]), np.array([1, 1, 0, 1, 0])) == pytest.approx(2 / 3)
    # Second label: TP 0, FP 1: 0. Third: occurs in neither and is left out.
    decided = np.array([[1, 1, 0], [1, 0, 0], [1, 0, 0], [0, 0, 0], [0, 0, 0]])
    truth = np.array([[1, 0, 0], [1, 0, 0], [0, 0, 0], [1, 0, 0], [0, 0, 0]])
    assert f1(decided, truth) == pytest.approx(1 / 3)
    assert math.isnan(f1(np.zeros((3, 2)), np.zeros((3, 2))))


def test_the_probes_are_the_library_s_on_standardised_rows() -> None:
    rng = np.random.default_rng(0)
    z, test = rng.normal(2.0, 3.0, (80, 4)), rng.normal(2.0, 3.0, (30, 4))
    z[:, 3] = test[:, 3] = 7.0  # does not vary
    number = z[:, 0] - 2 * z[:, 1] + rng.normal(size=80)
    x, x_test = ((a[:, :3] - z[:, :3].mean(axis=0)) / z[:, :3].std(axis=0) for a in (z, test))
    expected = Ridge(alpha=1.0).fit(x, number).predict(x_test)
    assert number_probe(z, number, test) == pytest.approx(expected)
    labels = np.stack([number > 0, np.ones(80), z[:, 2] > 2], axis=1).astype(float)
    decided = label_probe(z, labels, test)
    assert (decided[:, 1] == 1).all()
    for column in (0, 2):
        model = LogisticRegression(max_iter=2000).fit(x, labels[:, column])
        assert (decided[:, column] == model.predict(x_test)).all()
