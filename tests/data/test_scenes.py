import numpy as np
import pytest

from models.data import mnist5k
from models.data.scenes import PAIRS, load
from models.training.config import Part, RunConfig
from models.training.dataset import build
from tests.data.helpers import no_network


def halved(picture: np.ndarray) -> np.ndarray:
    """Means of 2 x 2 pixels, one by one."""
    return np.array([[picture[2 * r : 2 * r + 2, 2 * c : 2 * c + 2].mean() for c in range(14)] for r in range(14)])


def test_both_halves_are_real_pictures_of_the_labelled_digits_each_used_once(monkeypatch: pytest.MonkeyPatch) -> None:
    no_network(monkeypatch)
    source, plain = load(), mnist5k.load()
    assert source.target is not None
    assert source.x.shape == (2475, 1, 14, 28)
    where = {
        np.round(halved(picture), 4).tobytes(): row for row, picture in enumerate(plain.x[:, 0].astype(np.float64))
    }
    assert len(where) == 5000
    used = []
    for scene, target in zip(source.x[:, 0].astype(np.float64), source.target, strict=True):
        rows = [where[np.round(half, 4).tobytes()] for half in (scene[:, :14], scene[:, 14:])]
        assert set(plain.y[rows].tolist()) == set(np.flatnonzero(target).tolist())
        used += rows
    assert len(set(used)) == len(used) == 4950  # so no picture is in a training scene and in the probe


def test_the_class_is_the_pair_on_either_side() -> None:
    source = load()
    assert source.target is not None
    assert len(source.classes) == 45
    assert source.classes[0] == "0 and 5"
    assert [tuple(np.flatnonzero(row).tolist()) for row in source.target] == [PAIRS[k] for k in source.y]
    assert np.bincount(source.y).tolist() == [55] * 45


def test_pairs_never_trained_on_are_made_of_digits_that_are() -> None:
    dataset = build(RunConfig(data=Part("scenes")).data, 0)
    assert dataset.target is not None
    trained, held = set(PAIRS[:36]), PAIRS[36:]
    assert dataset.seen_classes == 36
    assert {PAIRS[k] for k in dataset.y} == trained
    companions = [sum(digit in pair for pair in trained) for digit in range(10)]
    assert sorted(companions) == [7] * 8 + [8, 8]
    assert all(b - a == 1 or (a, b) == (0, 9) for a, b in held)


@pytest.mark.parametrize(("together", "beside", "apart"), [(0.11, -1 / 9, -1 / 9), (0.5, 3 / 8, -11 / 64)])
def test_partners_make_the_labels_correlate(together: float, beside: float, apart: float) -> None:
    # var = 1/5 * 4/5 = 4/25 and cov = P(both) - 1/25, P(both) = 1/5 * share of the digit's scenes: 1/9 if even, 1/2
    # beside the partner and 1/16 beside each of the eight others if not.
    target = load(together=together).target
    assert target is not None
    assert np.corrcoef(target.T)[0, 5] == pytest.approx(beside, abs=0.01)
    assert np.corrcoef(target.T)[0, 1] == pytest.approx(apart, abs=0.01)
    assert target.sum(axis=1).tolist() == [2.0] * len(target)
