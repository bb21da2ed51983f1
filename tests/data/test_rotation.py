import numpy as np
import pytest

from models.data import digits
from models.data.rotation import load
from tests.data.helpers import no_network


def stroke_deg(picture: np.ndarray) -> float:
    """Direction of the longest axis of a picture's ink, in degrees counterclockwise from upright, by second moments."""
    down, across = np.mgrid[: picture.shape[0], : picture.shape[1]]
    ink = picture / picture.sum()
    x, y = across - (ink * across).sum(), -(down - (ink * down).sum())
    xx, yy, xy = (ink * x * x).sum(), (ink * y * y).sum(), (ink * x * y).sum()
    axis = 0.5 * np.degrees(np.arctan2(2 * xy, xx - yy))  # from the horizontal
    return float((axis - 90 + 90) % 180 - 90)


def test_the_target_is_the_angle_by_which_a_one_was_turned(monkeypatch: pytest.MonkeyPatch) -> None:
    no_network(monkeypatch)
    plain, source = digits.load(), load()
    assert source.target is not None
    chosen = np.flatnonzero(np.isin(plain.y, (1, 4, 7)))
    ones = np.flatnonzero(plain.y[chosen] == 1)
    before = np.array([stroke_deg(plain.x[chosen[k], 0]) for k in ones])
    after = np.array([stroke_deg(source.x[k, 0]) for k in ones])
    turned = (after - before + 90) % 180 - 90  # counterclockwise
    assert len(ones) == 182
    assert np.median(np.abs(turned - source.target[ones])) < 3
    assert np.corrcoef(turned, source.target[ones])[0, 1] > 0.9


def test_every_picture_once_and_angles_evenly_over_the_reach() -> None:
    source = load(digits="ten", reach=90.0, bins=9)
    assert source.target is not None
    assert source.x.shape == (1797, 1, 12, 12)
    # One angle in each of 1797 equal ranges: sorted, the k-th lies in the k-th.
    place = (np.sort(source.target) + 90) / 180 * 1797
    assert (np.floor(place) == np.arange(1797)).all()
    assert np.bincount(source.y).max() - np.bincount(source.y).min() <= 2


def test_the_class_is_the_range_of_the_angle() -> None:
    source = load(bins=12)
    assert source.target is not None
    assert source.classes[0] == "-60 to -50 deg"
    assert source.classes[11] == "+50 to +60 deg"
    lower = -60 + 10 * source.y
    assert (lower <= source.target).all()
    assert (source.target < lower + 10).all()


def test_the_angle_does_not_tell_the_digit() -> None:
    source, plain = load(digits="ten"), digits.load()
    assert source.target is not None
    means = [source.target[plain.y == k].mean() for k in range(10)]
    assert max(map(abs, means)) < 3 * 60 / np.sqrt(3 * 174)  # three standard errors of an even spread


def test_no_ink_is_lost_at_the_corners() -> None:
    source, plain = load(digits="ten", reach=180.0), digits.load()
    kept = source.x.sum(axis=(1, 2, 3)) / plain.x.sum(axis=(1, 2, 3))
    assert kept.min() > 0.9
    assert (source.x.min(), source.x.max()) == (0.0, 1.0)
