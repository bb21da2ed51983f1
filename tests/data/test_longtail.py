from itertools import combinations

import numpy as np
import pytest

from models.data import digits, mnist5k
from models.data.longtail import LOOK_ALIKES, load
from models.training.config import Part, RunConfig
from models.training.dataset import Dataset, build


def made(seed: int = 0, key: str = "longtail", **knobs: object) -> Dataset:
    return build(RunConfig(data=Part(key, tuple(knobs.items()))).data, seed)  # type: ignore[arg-type]


@pytest.mark.parametrize("factor", [1.0, 10.0, 20.0, 100.0])
def test_training_classes_shrink_geometrically(factor: float) -> None:
    plain, tail = made(key="mnist5k"), made(factor=factor)
    left = np.bincount(tail.y) / np.bincount(plain.y)
    expected = [factor ** (-k / 7) for k in range(8)]
    assert left == pytest.approx(expected, abs=0.01)  # whole items of about 450
    assert set(tail.train.tolist()) <= set(plain.train.tolist())


def test_the_probe_is_that_of_the_plain_set() -> None:
    plain, tail = made(key="mnist5k"), made(factor=100.0, swaps=0.5)
    assert (tail.probe == plain.probe).all()
    assert (tail.source.y[tail.probe] == plain.source.y[plain.probe]).all()


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_only_look_alikes_are_swapped_by_the_share(share: float) -> None:
    dataset = made(factor=1.0, swaps=share)
    partner = dict(LOOK_ALIKES) | {b: a for a, b in LOOK_ALIKES}
    for digit in range(8):
        labels = dataset.y[dataset.truth == digit]
        wrong = labels[labels != digit]
        assert len(wrong) == (round(share * len(labels)) if digit in partner else 0)
        assert set(wrong.tolist()) <= {partner.get(digit)}
    assert (dataset.truth == dataset.source.y[dataset.train]).all()


def test_the_swapped_outnumber_the_tail() -> None:
    dataset = made(swaps=0.3)
    called = dataset.truth[dataset.y == 7]
    assert (called == 4).sum() > (called == 7).sum() > 0


def test_swaps_follow_the_seed_and_leave_other_corruption_alone() -> None:
    first, again, other = made(1, swaps=0.3), made(1, swaps=0.3), made(2, swaps=0.3)
    assert (first.y == again.y).all()
    assert (first.train == again.train).all()
    assert (first.train == other.train).all()  # the tail is the set's, whatever the seed
    assert (first.y != other.y).any()
    flipped = made(1, swaps=0.3, label_flips=0.2)
    assert (flipped.train == first.train).all()
    assert (flipped.y != first.y).sum() == round(0.2 * len(first.y))


def test_look_alikes_are_the_nearest_class_means() -> None:
    source = mnist5k.load()
    mean = [source.x[source.y == k].mean(axis=0) for k in range(8)]
    order = sorted(combinations(range(8), 2), key=lambda pair: float(((mean[pair[0]] - mean[pair[1]]) ** 2).sum()))
    nearest: list[tuple[int, int]] = []
    for pair in order:
        if not set(pair) & {digit for other in nearest for digit in other}:
            nearest.append(pair)
    assert sorted(nearest[:3]) == list(LOOK_ALIKES)


def test_small_pictures() -> None:
    source = load(pictures="digits")
    assert (source.x == digits.load().x).all()
    assert np.bincount(made(pictures="digits", factor=100.0).y).min() >= 2
