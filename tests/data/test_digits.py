import numpy as np

from models.data.digits import load


def test_known_items() -> None:
    source = load()
    assert source.x.shape == (1797, 1, 8, 8)
    assert source.y[:10].tolist() == list(range(10))
    assert (source.x[0, 0, 0] * 16).tolist() == [0, 0, 5, 13, 9, 1, 0, 0]  # first line of the UCI file
    assert np.bincount(source.y).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert (source.x.min(), source.x.max()) == (0.0, 1.0)
