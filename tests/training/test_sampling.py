import numpy as np
import pytest

from models.training.config import Part
from models.training.sampling import epoch_plan

Y = np.repeat(np.arange(8), [40, 35, 30, 28, 25, 22, 21, 20])


def sampler(key: str, **knobs: int) -> Part:
    return Part(key, tuple(knobs.items()))


def balanced(batch: int, classes: int = 0) -> Part:
    return sampler("balanced", batch=batch, classes=classes)


def shares(row: np.ndarray, y: np.ndarray = Y) -> dict[int, int]:
    labels, counts = np.unique(y[row], return_counts=True)
    return dict(zip(labels.tolist(), counts.tolist(), strict=True))


def repeats(row: np.ndarray) -> int:
    return len(row) - len(set(row.tolist()))


def test_uniform_shows_each_item_once_an_epoch() -> None:
    plan = epoch_plan(Y, sampler("uniform", batch=20), seed=0, epoch=0)
    assert plan.shape == (len(Y) // 20, 20)
    assert repeats(plan.ravel()) == 0


def test_balanced_gives_equal_shares() -> None:
    plan = epoch_plan(Y, balanced(32), seed=0, epoch=0)
    assert len(plan) == len(Y) // 32
    assert [shares(row) for row in plan] == [dict.fromkeys(range(8), 4)] * len(plan)


def test_odd_items_go_to_other_classes_each_batch() -> None:
    plan = epoch_plan(Y, balanced(20), seed=0, epoch=0)
    counts = [shares(row) for row in plan]
    assert {n for share in counts for n in share.values()} == {2, 3}
    assert all(sum(share.values()) == 20 for share in counts)
    favoured = {label for share in counts for label, n in share.items() if n == 3}
    assert favoured == set(range(8))


def test_classes_a_batch() -> None:
    plan = epoch_plan(Y, balanced(12, classes=3), seed=0, epoch=0)
    assert all(sorted(shares(row).values()) == [4, 4, 4] for row in plan)
    assert {label for row in plan for label in shares(row)} == set(range(8))  # all get their turn


def test_at_least_two_of_a_class_even_in_a_tiny_batch() -> None:
    plan = epoch_plan(Y, balanced(4), seed=0, epoch=0)
    assert all(sorted(shares(row).values()) == [2, 2] for row in plan)


@pytest.mark.parametrize("epoch", range(5))
def test_no_item_twice_in_a_batch_while_its_class_has_enough(epoch: int) -> None:
    plan = epoch_plan(Y, balanced(8 * 13), seed=1, epoch=epoch)
    many = epoch_plan(np.repeat([0, 1], 15), balanced(14), seed=1, epoch=epoch)  # 7 of 15: left-overs in most batches
    assert [repeats(row) for row in plan] == [0] * len(plan)
    assert [repeats(row) for row in many] == [0] * len(many)


def test_a_class_that_runs_out_repeats_evenly() -> None:
    y = np.repeat([0, 1], [100, 3])
    for row in epoch_plan(y, balanced(20), seed=0, epoch=0):
        rare = row[y[row] == 1]
        assert len(rare) == 10
        assert np.bincount(rare - 100).tolist() in ([4, 3, 3], [3, 4, 3], [3, 3, 4])


def test_all_items_of_a_class_get_their_turn_before_one_comes_again() -> None:
    y = np.repeat([0, 1], 12)
    plan = epoch_plan(y, balanced(8), seed=0, epoch=0)  # three batches of four of each class: once through
    assert np.bincount(plan.ravel()).tolist() == [1] * 24


@pytest.mark.parametrize("part", [balanced(32), sampler("uniform", batch=32)])
def test_an_epoch_depends_on_seed_and_number_alone(part: Part) -> None:
    third = epoch_plan(Y, part, seed=5, epoch=3)
    assert (third == epoch_plan(Y, part, seed=5, epoch=3)).all()
    assert (third != epoch_plan(Y, part, seed=5, epoch=4)).any()
    assert (third != epoch_plan(Y, part, seed=6, epoch=3)).any()


@pytest.mark.parametrize("part", [balanced(300), sampler("uniform", batch=300)])
def test_batch_larger_than_the_data(part: Part) -> None:
    with pytest.raises(
        ValueError, match=r"sampler.batch 300 is larger than the 221 training items; choose 221 or less"
    ):
        epoch_plan(Y, part, seed=0, epoch=0)


@pytest.mark.parametrize("part", [balanced(5), sampler("uniform", batch=5)])
def test_one_class(part: Part) -> None:
    plan = epoch_plan(np.zeros(11, np.int64), part, seed=0, epoch=0)
    assert plan.shape == (2, 5)
    assert [repeats(row) for row in plan] == [0, 0]


def test_batch_as_large_as_the_data() -> None:
    plan = epoch_plan(Y, sampler("uniform", batch=len(Y)), seed=0, epoch=0)
    assert sorted(plan[0].tolist()) == list(range(len(Y)))
