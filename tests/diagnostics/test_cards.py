"""Cards say of a pair what a plain loop says of it."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from models.diagnostics.cards import cards, nearest, table, trail
from models.diagnostics.look import Look, look_of
from models.diagnostics.pair_loss import pair_losses
from models.diagnostics.pairs import Pairs
from models.selection import ClassCell, PairList, ScoreBand, Selection, resolve
from tests.diagnostics.looks import look_by_hand, trained_run

ALL = Selection(ScoreBand("both", -1.0, 1.0))


def every_pair(look: Look) -> list[tuple[int, int]]:
    return list(itertools.combinations(range(len(look.y)), 2))


def wrong_by_loop(look: Look, i: int, j: int) -> float:
    positive = look.y[i] == look.y[j]
    others = [look.s[a, b] for a, b in every_pair(look) if (look.y[a] == look.y[b]) != positive]
    above = [1.0 if o > look.s[i, j] else 0.5 if o == look.s[i, j] else 0.0 for o in others]
    return float(np.mean(above if positive else 1 - np.array(above)))


def test_every_field_by_loops() -> None:
    look = replace(look_by_hand(n=16, spread=2.0), loss="infonce", knobs={"temperature": 0.2})
    found = cards(look, resolve(ALL, look), "given", None)
    parts, _ = pair_losses(look)
    assert len(found) == 120
    assert look.weight is not None
    assert parts is not None
    for k, (i, j) in enumerate(every_pair(look)):
        assert (found.i[k], found.j[k], found.item_i[k], found.item_j[k]) == (i, j, i, j)
        assert (found.label_i[k], found.label_j[k]) == (look.y[i], look.y[j])
        assert found.positive[k] == found.read_positive[k] == (look.y[i] == look.y[j])
        assert found.score[k] == look.s[i, j]
        assert found.weight[k] == pytest.approx(look.weight[i, j] + look.weight[j, i], rel=1e-6)
        assert found.loss[k] == pytest.approx(parts[i, j] + parts[j, i])
        assert found.rank[k] == 1 + sum(look.s[i, c] > look.s[i, j] for c in range(16) if c != i)
        assert found.rank_back[k] == 1 + sum(look.s[c, j] > look.s[i, j] for c in range(16) if c != j)
        assert found.wrong[k] == pytest.approx(wrong_by_loop(look, i, j))
    assert found.wrong.max() > 0.1


@pytest.mark.parametrize("order", ["weight", "score", "wrong"])
def test_orders(order: str) -> None:
    look = look_by_hand(n=16, spread=2.0)
    pairs = resolve(ALL, look)
    found = cards(look, pairs, order, 10)
    every = cards(look, pairs, "given", None)
    key = {"weight": np.abs(every.weight), "score": every.score, "wrong": every.wrong}[order]
    shown = {"weight": np.abs(found.weight), "score": found.score, "wrong": found.wrong}[order]
    np.testing.assert_array_equal(shown, np.sort(key)[::-1][:10])


def test_most_wrong_of_equal_shares_lies_furthest_out() -> None:
    look = look_by_hand(n=16, spread=0.05)  # classes far apart: nothing is misordered
    pairs = resolve(Selection(ClassCell(0, 1)), look)
    found = cards(look, pairs, "wrong", 5)
    assert np.all(found.wrong == 0)
    np.testing.assert_array_equal(found.score, np.sort(look.s[pairs.i, pairs.j])[::-1][:5])


def test_without_weights_order_and_fields_say_so() -> None:
    look = replace(look_by_hand(n=16, spread=2.0), coded=None, reads="", why_no_weight="it reads logits")
    pairs = resolve(ALL, look)
    found = cards(look, pairs, "weight", 10)
    np.testing.assert_array_equal(found.i, cards(look, pairs, "wrong", 10).i)
    assert np.isnan([*found.weight, *found.loss]).all()
    assert found.why_no_weight == found.why_no_loss == "it reads logits"
    with pytest.raises(ValueError, match="order must be one of weight, score, wrong, given, got 'size'"):
        cards(look, pairs, "size")


def test_ranks_with_ties_go_by_position() -> None:
    look = look_by_hand(n=4)
    look = replace(look, z=np.ones((4, 2)))
    found = cards(look, Pairs(np.array([0, 1, 2]), np.array([1, 3, 3]), "all"), "given")
    assert found.rank.tolist() == [1, 3, 3]
    assert found.rank_back.tolist() == [1, 2, 3]


def test_two_sides() -> None:
    look = look_of(trained_run("other sides").snapshot())
    found = cards(look, Pairs(np.array([3, 3]), np.array([3, 9]), "all"), "given")
    assert look.weight is not None
    assert found.positive[0]
    np.testing.assert_allclose(found.weight, look.weight[3, [3, 9]])
    assert found.rank[1] == 1 + np.count_nonzero(look.s[3] > look.s[3, 9])
    assert found.rank_back[1] == 1 + np.count_nonzero(look.s[:, 9] > look.s[3, 9])


def test_two_views_tell_what_the_loss_takes_a_pair_for() -> None:
    look = look_of(trained_run("second views").snapshot())
    found = cards(look, resolve(Selection(ClassCell(1, 1)), look))
    assert len(found) == 24
    assert found.positive.all()
    assert not found.read_positive.any()


@pytest.mark.parametrize("threshold", [-2.0, 0.1, 2.0])
def test_nearest_the_threshold(threshold: float) -> None:
    look = look_by_hand(n=20)
    accepted, rejected = nearest(look, threshold, among="seen")
    every = [(look.s[p], p) for p in every_pair(look) if look.seen[p[0]] and look.seen[p[1]]]
    above = sorted(score for score, _ in every if score >= threshold)[:8]
    below = sorted((score for score, _ in every if score < threshold), reverse=True)[:8]
    assert look.s[accepted.i, accepted.j].tolist() == above
    assert look.s[rejected.i, rejected.j].tolist() == below
    assert len(above) + len(below) in (8, 16)


def test_a_pair_at_the_threshold_is_accepted() -> None:
    look = look_by_hand(n=20)
    accepted, rejected = nearest(look, float(look.s[2, 5]), 1, "all")
    assert (accepted.i.tolist(), accepted.j.tolist()) == ([2], [5])
    assert look.s[rejected.i[0], rejected.j[0]] < look.s[2, 5]


def test_trail_follows_pairs_over_steps() -> None:
    looks = [replace(look_by_hand(seed=seed), step=10 * seed) for seed in range(3)]
    pairs = resolve(Selection(PairList(((1, 4), (2, 3)))), looks[0])
    found = trail(looks, pairs, looks[0])
    assert found.step.tolist() == [0, 10, 20]
    assert found.score.shape == (2, 3)
    for column, look in enumerate(looks):
        assert look.pair_weight is not None
        np.testing.assert_allclose(found.score[:, column], [look.s[1, 4], look.s[2, 3]])
        np.testing.assert_allclose(found.weight[:, column], [look.pair_weight[1, 4], look.pair_weight[2, 3]])
    assert trail([], pairs, looks[0]).score.shape == (2, 0)
    with pytest.raises(ValueError, match="step 20 is not of the same items"):
        trail([replace(looks[2], item=looks[2].item + 1)], pairs, looks[0])


def test_table_has_a_row_for_every_pair() -> None:
    look = look_by_hand(n=70)  # more pairs than are ranked at once
    pairs = resolve(ALL, look)
    found = table(look, pairs)
    assert {len(column) for column in found.values()} == {70 * 69 // 2}
    last = cards(look, pairs.take(np.array([2400])), "given")
    assert (found["rank"][2400], found["rank_back"][2400]) == (last.rank[0], last.rank_back[0])
    assert found["cosine"][2400] == last.score[0]
