import pytest

from models.data.faces import load
from tests.data.helpers import no_network


def test_comes_from_the_installed_package(monkeypatch: pytest.MonkeyPatch) -> None:
    no_network(monkeypatch)
    source = load()
    assert source.x.shape == (200, 1, 25, 25)
    assert source.y.tolist() == [1] * 100 + [0] * 100
    assert source.classes == ("no face", "face")
    assert source.x.min() >= 0
    assert source.x.max() <= 1


def test_the_first_hundred_are_faces() -> None:
    # In the mean face the eyes (row 8) are darker than forehead (row 4) and cheeks (row 12).
    x = load().x[:, 0]
    face, other = x[:100].mean(axis=0)[:, 4:18].mean(axis=1), x[100:].mean(axis=0)[:, 4:18].mean(axis=1)
    assert face[8] < face[4] - 0.1
    assert face[8] < face[12] - 0.1
    assert other[8] > other[4]
