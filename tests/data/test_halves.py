import numpy as np
import pytest

from models.data.halves import load
from tests.data.helpers import no_network


def test_halves_make_the_picture_again(monkeypatch: pytest.MonkeyPatch) -> None:
    no_network(monkeypatch)
    source = load()
    assert source.side is not None
    assert source.images is not None
    assert source.x.shape == source.side.shape == (1797, 1, 8, 4)
    assert (np.concatenate([source.x, source.side], axis=3)[:, 0] == source.images).all()
    assert (source.x[0, 0, 0] * 16).tolist() == [0, 0, 5, 13]  # first line of the UCI file
    assert (source.side[0, 0, 0] * 16).tolist() == [9, 1, 0, 0]
    assert source.pair is None


def test_faces_lose_their_middle_column_and_mirrored_halves_face_one_way() -> None:
    plain, turned = load(picture="faces"), load(picture="faces", mirror=True)
    assert plain.side is not None
    assert turned.side is not None
    assert plain.images is not None
    assert plain.x.shape == plain.side.shape == (200, 1, 25, 12)
    assert (plain.side[:, 0] == plain.images[:, :, 13:]).all()
    assert (turned.side[7, 0, :, 0] == plain.images[7, :, 24]).all()  # the outer edge comes first, as on the left
    assert (turned.x == plain.x).all()
    faces = plain.y == 1
    across = [np.abs(s.x - s.side)[faces].mean() for s in (plain, turned) if s.side is not None]
    assert across[1] < across[0]  # a face is nearer to its mirror image


def test_graded_is_the_centred_cosine_of_left_halves_carried_to_0_and_1() -> None:
    source = load()
    assert source.graded is not None
    raw = source.x.reshape(1797, 32).astype(np.float64)
    mean = raw.mean(axis=0)
    for i, j in ((0, 0), (0, 1), (3, 1500), (12, 700)):
        a, b = raw[i] - mean, raw[j] - mean
        expected = float(a @ b) / float(np.sqrt((a @ a) * (b @ b))) / 2 + 0.5
        assert float(source.graded[i] @ source.graded[j]) == pytest.approx(expected, abs=1e-6)
    every = source.graded[:300] @ source.graded[:300].T
    same = source.y[:300, None] == source.y[None, :300]
    assert -1e-6 < every.min() < 0.2
    assert np.diagonal(every) == pytest.approx(1, abs=1e-6)
    assert every[same].mean() > every[~same].mean() + 0.15
    assert every[~same].mean() == pytest.approx(0.47, abs=0.05)  # unrelated halves are near one half
