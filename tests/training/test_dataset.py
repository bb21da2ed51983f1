import numpy as np
import pytest

from models.catalogue import discover
from models.data_common import CORRUPTION
from models.training.config import Part, RunConfig
from models.training.dataset import Dataset, build, truth_table

KEYS = tuple(discover("data"))


def made(key: str = "digits", seed: int = 0, **knobs: float) -> Dataset:
    return build(RunConfig(data=Part(key, tuple(knobs.items()))).data, seed)


@pytest.mark.parametrize("key", KEYS)
def test_train_and_probe_share_nothing_whatever_is_done(key: str) -> None:
    spoilt = made(key, seed=3, label_flips=0.3, imbalance=5.0, duplicates=0.4)
    for dataset in (made(key), spoilt):
        assert len(dataset.train) > 0
        assert len(dataset.probe) > 0
        assert set(dataset.train.tolist()) & set(dataset.probe.tolist()) == set()
        assert set(dataset.copy_of.tolist()) & set(dataset.probe.tolist()) == set()


@pytest.mark.parametrize("key", KEYS)
def test_split_depends_on_the_set_alone(key: str) -> None:
    plain, other = made(key), made(key, seed=9, label_flips=0.5, imbalance=3.0, duplicates=0.2)
    assert (plain.probe == other.probe).all()
    assert set(other.train.tolist()) <= set(plain.train.tolist())
    assert (plain.source.y[plain.train] == plain.y).all()


@pytest.mark.parametrize("key", KEYS)
def test_unseen_classes_are_in_the_probe_only(key: str) -> None:
    dataset = made(key, label_flips=0.5)
    classes = len(dataset.source.classes)
    expected = {"fewshot": 5, "letters": 55, "named": 55}.get(key) or {2: 2, 4: 4, 5: 5, 9: 7, 10: 8, 12: 12, 45: 36}[
        classes
    ]
    assert dataset.seen_classes == expected
    assert dataset.truth.max() < expected
    assert dataset.y.max() < expected
    assert (dataset.probe_seen == (dataset.source.y[dataset.probe] < expected)).all()
    assert bool(dataset.why_no_unseen) == (classes == expected) == bool(dataset.probe_seen.all())


@pytest.mark.parametrize(("classes", "seen"), [(2, 2), (4, 4), (5, 3), (9, 7), (10, 8), (20, 16), (60, 48)])
def test_how_many_classes_are_held_out(classes: int, seen: int) -> None:
    dataset = made("clusters", classes=classes, items=20)
    held = np.unique(dataset.source.y[dataset.probe[~dataset.probe_seen]])
    assert dataset.seen_classes == seen
    assert held.tolist() == list(range(seen, classes))


def test_why_there_is_no_unseen_class() -> None:
    assert made("faces").why_no_unseen == "unseen classes need at least five classes; this set has 2"


def test_ranges_of_a_number_are_all_trained_on() -> None:
    assert made("diabetes").why_no_unseen.startswith("the classes of this set are ranges of one number")


@pytest.mark.parametrize("key", ["rotation", "diabetes", "scenes"])
def test_targets_follow_their_items(key: str) -> None:
    for dataset in (made(key), made(key, imbalance=3.0, duplicates=0.3)):
        assert dataset.target is not None
        assert dataset.probe_target is not None
        assert dataset.source.target is not None
        assert (dataset.target == dataset.source.target[dataset.train]).all()
        assert (dataset.probe_target == dataset.source.target[dataset.probe]).all()


@pytest.mark.parametrize("key", ["rotation", "diabetes", "scenes"])
def test_a_flipped_item_takes_a_target_of_its_new_class(key: str) -> None:
    dataset = made(key, label_flips=0.4)
    assert dataset.target is not None
    true = dataset.source.target[dataset.train]  # type: ignore[index]
    wrong = dataset.y != dataset.truth
    assert wrong.mean() == pytest.approx(0.4, abs=0.01)
    assert (dataset.target[~wrong] == true[~wrong]).all()
    for position in np.flatnonzero(wrong):
        of_the_class = true[dataset.truth == dataset.y[position]]
        assert dataset.target[position].tolist() in of_the_class.tolist()
        assert dataset.target[position].tolist() not in true[dataset.truth == dataset.truth[position]].tolist()
    again = made(key, label_flips=0.4)
    assert (again.target == dataset.target).all()


def test_sets_of_classes_have_no_target() -> None:
    assert made("digits").target is None
    assert made("digits").probe_target is None


@pytest.mark.parametrize("share", [0.0, 0.1, 0.25, 0.9])
def test_flips_have_the_asked_share_and_keep_the_truth(share: float) -> None:
    clean, flipped = made(), made(label_flips=share)
    wrong = flipped.y != flipped.truth
    assert wrong.sum() == round(share * len(clean.y))
    assert (flipped.train == clean.train).all()
    assert (flipped.truth == flipped.source.y[flipped.train]).all()


def test_flips_go_to_every_other_class_evenly() -> None:
    dataset = made("clusters", items=2000, label_flips=0.9)
    turn = (dataset.y - dataset.truth) % dataset.seen_classes
    counts = np.bincount(turn)[1:]
    assert len(counts) == 7
    assert counts.min() > 0.93 * counts.mean()


def test_two_classes_flip_into_each_other() -> None:
    dataset = made("faces", label_flips=0.5)
    wrong = dataset.y != dataset.truth
    assert wrong.sum() == round(0.5 * len(dataset.y))
    assert (dataset.y[wrong] == 1 - dataset.truth[wrong]).all()


@pytest.mark.parametrize("ratio", [2.0, 10.0, 100.0])
def test_imbalance_is_the_ratio_of_the_class_sizes(ratio: float) -> None:
    sizes = np.sort(np.bincount(made("clusters", items=1000, imbalance=ratio).truth))[::-1]
    assert sizes[0] / sizes[-1] == pytest.approx(ratio, rel=0.1)
    steps = sizes[:-1] / sizes[1:]
    assert steps == pytest.approx(np.full(7, ratio ** (1 / 7)), rel=0.1)  # a geometric fall


def test_imbalance_never_takes_the_last_pair() -> None:
    assert np.bincount(made("clusters", items=10, imbalance=100.0).truth).min() == 2


def test_natural_imbalance_is_left_where_it_is_larger() -> None:
    natural, asked = np.bincount(made("emoji").truth), np.bincount(made("emoji", imbalance=3.0).truth)
    assert natural.max() / natural.min() > 10
    assert asked.max() == natural.max()
    assert asked.min() == natural.min()


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_duplicates_replace_items_of_the_same_class(share: float) -> None:
    plain, doubled = made(), made(duplicates=share)
    copies = doubled.copy_of >= 0
    per_class = np.bincount(doubled.truth[copies])
    assert per_class.tolist() == [round(share * n) for n in np.bincount(plain.truth)]
    assert (np.bincount(doubled.truth) == np.bincount(plain.truth)).all()
    assert (doubled.train[copies] == doubled.copy_of[copies]).all()
    assert (doubled.source.y[doubled.copy_of[copies]] == doubled.truth[copies]).all()
    originals = doubled.train[~copies]
    assert len(set(originals.tolist())) == len(originals)
    assert set(doubled.copy_of[copies].tolist()) <= set(originals.tolist())


def test_corruption_follows_the_seed() -> None:
    knobs = {"label_flips": 0.2, "duplicates": 0.2, "imbalance": 3.0}
    first, again, other = made(seed=1, **knobs), made(seed=1, **knobs), made(seed=2, **knobs)
    assert (first.train == again.train).all()
    assert (first.y == again.y).all()
    assert set(first.train.tolist()) != set(other.train.tolist())


def test_truth_table_says_what_was_done() -> None:
    dataset = made(label_flips=0.2, duplicates=0.3)
    table = truth_table(dataset)
    assert {len(column) for column in table.values()} == {len(dataset.train)}
    assert table["flipped"].sum() == round(0.2 * len(dataset.train))
    assert table["duplicate"].sum() == (table["copy_of"] >= 0).sum() > 0
    assert (table["truth"] == dataset.source.y[table["row"]]).all()


def test_every_set_has_the_same_four_corruption_knobs() -> None:
    names = {knob.name for knob in CORRUPTION}
    assert names == {"label_flips", "imbalance", "duplicates", "view_strength"}
    assert all(names <= set(RunConfig(data=Part(key)).data.values) for key in KEYS)
