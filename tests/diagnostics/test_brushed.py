"""What panels show of a brush, against plain loops over pairs; no more than fits a message."""

import dataclasses
import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.diagnostics.brushed import DOTS, LINES, RUGS, STRETCH, auc_loss_share, brushed, lost
from models.diagnostics.histogram import EDGES
from models.diagnostics.items import PairScores
from models.diagnostics.look import Look, look_of
from models.diagnostics.pairs import Pairs, foremost, spaced
from models.selection import Block, ClassCell, ItemSet, RateBand, ScoreBand, Selection, lassoed, resolve
from tests.diagnostics.helpers import trained
from tests.diagnostics.looks import look_by_hand, trained_run

SOME = [
    Selection(ScoreBand("both", -0.2, 0.4), among="seen"),
    Selection(ScoreBand("negative", 0.3, 1.0)),
    Selection(RateBand("fpr", 0.0, 0.2), among="seen"),
    Selection(ClassCell(0, 1)),
    Selection(Block((2, 9), (4, 15))),
    Selection(ItemSet((0, 7, 8))),
]
# Quarters, so that equal scores occur.
QUARTERS = st.lists(st.integers(-4, 4).map(lambda k: k / 4), max_size=7)


def auc_loss_by_loop(look: Look, pairs: Pairs) -> float:
    """Over every positive and every negative of the scope."""
    keep = look.keep(pairs.among)
    every = [(i, j) for i, j in itertools.combinations(range(len(look.y)), 2) if keep[i] and keep[j]]
    inside = set(zip(pairs.i.tolist(), pairs.j.tolist(), strict=True))
    total = held = 0.0
    for p in every:
        for q in every:
            if look.y[p[0]] == look.y[p[1]] and look.y[q[0]] != look.y[q[1]]:
                wrong = 1.0 if look.s[p] < look.s[q] else 0.5 if look.s[p] == look.s[q] else 0.0
                total += wrong
                held += wrong if p in inside or q in inside else 0.0
    return held / total


@pytest.mark.parametrize("selection", SOME)
def test_shares_by_loops(selection: Selection) -> None:
    look = look_by_hand(n=20)
    pairs = resolve(selection, look)
    found = brushed(look, pairs)
    keep = look.keep(selection.among)
    assert look.weight is not None
    pull = push = 0.0
    for i, j in zip(pairs.i, pairs.j, strict=True):
        both = look.weight[i, j], look.weight[j, i]
        pull += sum(max(-w, 0.0) for w in both)
        push += sum(max(w, 0.0) for w in both)
    assert len(pairs) > 0
    scope = look.weight[np.ix_(keep, keep)]
    assert found.share_of_pull == pytest.approx(pull / -scope[scope < 0].sum(dtype=float), rel=1e-5)
    assert found.share_of_push == pytest.approx(push / scope[scope > 0].sum(dtype=float), rel=1e-5)
    assert found.share_of_pairs == pytest.approx(len(pairs) / (keep.sum() * (keep.sum() - 1) / 2))
    assert found.share_of_auc_loss == pytest.approx(auc_loss_by_loop(look, pairs))
    assert found.items.tolist() == sorted({*pairs.i.tolist(), *pairs.j.tolist()})


@settings(max_examples=60)
@given(QUARTERS, QUARTERS, QUARTERS, QUARTERS)
def test_auc_loss_share_with_ties(a: list[float], b: list[float], c: list[float], d: list[float]) -> None:
    some = PairScores(np.sort(np.array(a, float)), np.sort(np.array(b, float)))
    whole = PairScores(np.sort(np.array(a + c, float)), np.sort(np.array(b + d, float)))
    wrong = {True: 1.0, False: 0.0}
    total = sum(wrong[p < q] + 0.5 * wrong[p == q] for p in a + c for q in b + d)
    rest = sum(wrong[p < q] + 0.5 * wrong[p == q] for p in c for q in d)
    expected = (total - rest) / total if total else float("nan")
    assert auc_loss_share(some, whole) == pytest.approx(expected, nan_ok=True)
    assert lost(whole.positive, whole.negative) == total


def test_histogram_is_that_of_the_brushed_bins() -> None:
    look = look_by_hand(n=60)
    low, high = EDGES[20], EDGES[45]
    found = brushed(look, resolve(Selection(ScoreBand("both", low, high), among="seen"), look))
    scores = look.pair_scores("seen")
    for counts, all_of_kind in ((found.positive, scores.positive), (found.negative, scores.negative)):
        expected, _ = np.histogram(all_of_kind, EDGES)
        expected[:20] = expected[45:] = 0
        assert expected.sum() > 0
        np.testing.assert_array_equal(counts, expected)
    assert (found.positives, found.negatives) == (found.positive.sum(), found.negative.sum())
    assert found.pairs == found.positives + found.negatives


def test_stretch_of_the_roc() -> None:
    look = look_by_hand(n=40, spread=2.0)
    found = brushed(look, resolve(Selection(RateBand("fpr", 0.25, 0.5)), look))
    negative, positive = look.pair_scores("all").negative, look.pair_scores("all").positive
    np.testing.assert_allclose(found.fpr, [np.mean(negative >= t) for t in found.threshold])
    np.testing.assert_allclose(found.tpr, [np.mean(positive >= t) for t in found.threshold])
    assert np.all(np.diff(found.threshold) < 0)
    assert 0.25 <= found.fpr[0] < 0.27
    assert found.fpr[-1] == pytest.approx(0.5, abs=0.005)


def test_lines_and_dots_of_a_few_pairs_are_all_of_them() -> None:
    look = look_by_hand(n=20)
    pairs = resolve(Selection(ClassCell(0, 1)), look)
    found = brushed(look, pairs)
    assert look.weight is not None
    size = [abs(look.weight[i, j] + look.weight[j, i]) for i, j in zip(found.line_from, found.line_to, strict=True)]
    np.testing.assert_allclose(np.abs(found.line_weight), size, rtol=1e-6)
    assert size == sorted(size, reverse=True)
    assert len(size) == len(pairs) == 25
    assert not found.line_positive.any()
    expected = [
        (look.s[i, j], look.weight[i, j]) for i in range(20) for j in range(20) if {look.y[i], look.y[j]} == {0, 1}
    ]
    assert sorted(zip(found.dot_score, found.dot_weight, strict=True)) == sorted(expected)


def test_all_pairs_of_a_trained_lane_fit_a_message() -> None:
    look = look_of(trained())
    found = brushed(look, resolve(Selection(ScoreBand("both", -1.0, 1.0), among="seen"), look))
    assert found.pairs == 400 * 399 // 2
    assert (len(found.line_from), len(found.threshold), len(found.rug_negative)) == (LINES, STRETCH, RUGS)
    assert len(found.dot_score) == 2 * DOTS
    assert found.share_of_pairs == found.share_of_auc_loss == 1.0
    assert [found.share_of_pull, found.share_of_push] == pytest.approx([1.0, 1.0], rel=1e-5)
    heaviest = np.abs(look.pair_weight[np.ix_(look.seen, look.seen)]).max()  # type: ignore[index]
    assert abs(found.line_weight[0]) == heaviest
    arrays = [value for value in dataclasses.asdict(found).values() if isinstance(value, np.ndarray)]
    assert sum(array.nbytes for array in arrays) < 40_000


def test_nothing_brushed() -> None:
    look = look_by_hand()
    found = brushed(look, resolve(Selection(ItemSet(())), look))
    assert (found.pairs, found.share_of_pairs, found.share_of_auc_loss, found.share_of_push) == (0, 0.0, 0.0, 0.0)
    assert len(found.threshold) == len(found.line_from) == len(found.items) == 0


def test_without_weights_lines_are_the_most_wrong() -> None:
    look = replace(look_by_hand(n=60), coded=None, reads="", why_no_weight="it reads logits")
    pairs = resolve(Selection(ScoreBand("both", -1.0, 1.0)), look)
    found = brushed(look, pairs)
    wrong = [look.s[i, j] * (-1 if look.y[i] == look.y[j] else 1) for i, j in itertools.combinations(range(60), 2)]
    drawn = look.s[found.line_from, found.line_to] * np.where(found.line_positive, -1, 1)
    np.testing.assert_array_equal(drawn, sorted(wrong, reverse=True)[:LINES])
    assert np.isnan([found.share_of_pull, found.share_of_push, *found.line_weight]).all()
    assert len(found.dot_score) == 0
    assert found.why_no_weight == "it reads logits"


def test_lassoed_items_bring_the_pairs_of_their_own_views() -> None:
    look = look_of(trained_run("second views").snapshot())
    assert look.weight is not None
    selection = Selection(ItemSet((int(look.item[4]), int(look.item[30]))))
    pairs, own = resolve(selection, look), lassoed(selection, look)
    assert own is not None
    assert own.tolist() == [4, 30]
    diagonal = -look.weight.diagonal()
    assert brushed(look, pairs).share_of_pull == 0.0
    assert brushed(look, pairs, own).share_of_pull == pytest.approx(diagonal[[4, 30]].sum() / diagonal.sum(), rel=1e-5)
    assert lassoed(Selection(ClassCell(0, 0)), look) is None


def test_two_sides_count_one_direction() -> None:
    look = look_of(trained_run("other sides").snapshot())
    assert look.weight is not None
    pairs = resolve(Selection(ClassCell(0, 1)), look)
    found = brushed(look, pairs)
    push = np.maximum(look.weight, 0.0)
    expected = push[np.ix_(look.y == 0, look.y == 1)].sum() / push.sum()
    assert found.share_of_push == pytest.approx(expected, rel=1e-5)
    assert expected > 0


@given(st.lists(st.integers(-5, 5), max_size=20), st.integers(1, 8))
def test_foremost(keys: list[int], count: int) -> None:
    expected = sorted(range(len(keys)), key=lambda k: (-keys[k], k))[:count]
    assert foremost(np.array(keys, float), count).tolist() == expected


def test_spaced() -> None:
    assert spaced(3, 5).tolist() == [0, 1, 2]
    assert spaced(9, 5).tolist() == [0, 2, 4, 6, 8]
