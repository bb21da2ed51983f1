from dataclasses import replace

import numpy as np
import pytest
import torch

from models.episode import supports
from models.training.config import Part
from models.training.run import Run
from models.training.sampling import epoch_plan
from tests.training.helpers import part, small

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


@pytest.mark.parametrize(
    "part", [balanced(32), sampler("uniform", batch=32), sampler("episodic", way=4, shot=2, query=2)]
)
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


def episodic(way: int, shot: int, query: int) -> Part:
    return sampler("episodic", way=way, shot=shot, query=query)


def test_an_episode_is_class_after_class_without_repeats() -> None:
    plan = epoch_plan(Y, episodic(5, 2, 3), seed=0, epoch=0)
    assert plan.shape == (len(Y) // 25, 25)
    for row in plan:
        by_class = Y[row].reshape(5, 5)
        assert (by_class == by_class[:, :1]).all()
        assert len(set(by_class[:, 0].tolist())) == 5
        assert repeats(row) == 0
    assert {label for row in plan for label in Y[row].tolist()} == set(range(8))


def test_every_item_gets_to_be_support_and_query() -> None:
    y = np.repeat([0, 1], 12)
    plans = [epoch_plan(y, episodic(2, 2, 2), seed=3, epoch=epoch).reshape(-1, 4) for epoch in range(40)]
    first, second = (np.concatenate([plan[:, part] for plan in plans]).ravel() for part in (slice(0, 2), slice(2, 4)))
    assert set(first.tolist()) == set(second.tolist()) == set(range(24))


def test_supports_of_a_batch_are_those_the_losses_take() -> None:
    row = epoch_plan(Y, episodic(4, 3, 2), seed=1, epoch=0)[0]
    support = supports(torch.from_numpy(Y[row]), 3)
    assert support.tolist() == [True, True, True, False, False] * 4


def test_an_episode_takes_only_classes_that_have_enough() -> None:
    y = np.repeat([0, 1, 2, 3], [30, 4, 10, 9])
    plan = epoch_plan(y, episodic(2, 5, 5), seed=0, epoch=0)
    assert {label for row in plan for label in y[row].tolist()} == {0, 2}
    with pytest.raises(ValueError, match=r"sampler.way 3 is more than the 2 classes that have .* = 10 training items"):
        epoch_plan(y, episodic(3, 5, 5), seed=0, epoch=0)


def test_one_episode_where_the_data_hold_no_more() -> None:
    assert epoch_plan(np.repeat([0, 1], 6), episodic(2, 3, 3), seed=0, epoch=0).shape == (1, 12)


@pytest.mark.parametrize("loss", [part("proto_triplet", shot=3), part("icnn", shot=3, official=False)])
def test_a_run_learns_from_episodes(loss: Part) -> None:
    few_shot = small(sampler=part("episodic", way=4, shot=3, query=4), optimiser=part("adam", rate=0.01))
    run = Run(replace(few_shot, loss=loss))
    run.advance(120)
    curve = run.trace.view().loss
    assert curve[-20:].mean() < 0.8 * curve[:20].mean()
