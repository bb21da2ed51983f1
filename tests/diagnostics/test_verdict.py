from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import ttest_rel

from models.diagnostics.bootstrap import multiplicities
from models.diagnostics.items import items_of, pair_scores
from models.diagnostics.roc import auc, roc
from models.diagnostics.verdict import MEASURES, compare, compare_curves, compare_scores, compare_seeds
from tests.diagnostics.helpers import clouds, scored, snapshot_of, trained, with_embeddings


def two_lanes(noise: float, n: int = 120) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Embeddings of the same items, the second with noise added."""
    z, y = clouds(n, 4, 0.8)
    return z, z + noise * np.random.default_rng(5).normal(size=z.shape), y


@pytest.mark.parametrize("measure", MEASURES)
def test_a_lane_is_not_distinguishable_from_itself(measure: str) -> None:
    found = compare(trained(), trained(), measure)
    assert (found.difference, found.low, found.high) == (0, 0, 0)
    assert not found.distinguishable


@pytest.mark.parametrize("measure", MEASURES)
def test_much_noise_is_told_apart(measure: str) -> None:
    clean, noisy, y = two_lanes(2.0)
    found = compare(snapshot_of(clean, y), snapshot_of(noisy, y), measure)
    assert found.distinguishable
    assert found.low < found.difference < found.high
    # Noise spreads the rows and ruins the rest.
    assert (found.difference > 0) == (measure == "uniformity")


def test_a_trace_of_noise_is_not() -> None:
    clean, noisy, y = two_lanes(0.02)
    found = compare(snapshot_of(clean, y), snapshot_of(noisy, y))
    assert found.difference != 0
    assert not found.distinguishable


def test_swapping_the_lanes_turns_the_sign() -> None:
    clean, noisy, y = two_lanes(0.5)
    a, b = snapshot_of(clean, y), snapshot_of(noisy, y)
    forth, back = compare(a, b), compare(b, a)
    assert forth.difference != 0
    assert (back.difference, back.low, back.high) == pytest.approx((-forth.difference, -forth.high, -forth.low))


def test_pairing_removes_what_both_lanes_share() -> None:
    # Both lanes see the same easy and hard items: unpaired, the interval would be several times wider.
    clean, noisy, y = two_lanes(0.1)
    a, b = snapshot_of(clean, y), snapshot_of(noisy, y)
    paired = compare(a, b)
    alone = compare(a, replace(b, s=np.zeros_like(b.s)))  # a constant lane: only the spread of a is left
    assert alone.high - alone.low > 3 * (paired.high - paired.low)


def test_recall_bootstrap_by_hand() -> None:
    # Hits are drawn with their items: the share of hits among 12 draws, replicate by replicate.
    clean, noisy, y = two_lanes(1.5, n=40)
    found = compare(snapshot_of(clean, y), snapshot_of(noisy, y), "recall_at_1")
    hits = []
    for z in (clean, noisy):
        s = items_of(z, y).s - 9 * np.eye(40)
        hits.append((y[s.argmax(axis=1)] == y).astype(float))
    gain = multiplicities(40) @ (hits[1] - hits[0]) / 40
    assert [found.low, found.high] == pytest.approx(np.quantile(gain, [0.025, 0.975]).tolist(), abs=1e-6)
    assert found.difference == pytest.approx(np.mean(hits[1] - hits[0]))


def test_score_matrices_are_compared_alike() -> None:
    clean, noisy, y = two_lanes(0.7)
    a, b = snapshot_of(clean, y), snapshot_of(noisy, y)
    assert compare_scores(a.s, b.s, a.pos, a.neg) == compare(a, b)
    s, pos, neg = scored(b.s, y)
    assert compare_scores(a.s, s, pos, neg).difference == pytest.approx(
        auc(pair_scores(s, pos, neg)) - auc(pair_scores(a.s, pos, neg))
    )


def test_curves_carry_what_a_comparison_needs() -> None:
    clean, noisy, y = two_lanes(0.7)
    a, b = snapshot_of(clean, y), snapshot_of(noisy, y)
    first, second = (roc(lane.s, lane.pos, lane.neg) for lane in (a, b))
    assert [first.low, first.high] == pytest.approx(np.quantile(first.replicates, [0.025, 0.975]).tolist(), abs=1e-6)
    found, full = compare_curves(first, second, ("cold", "warm")), compare(a, b, names=("cold", "warm"))
    assert [found.difference, found.low, found.high] == pytest.approx([full.difference, full.low, full.high], abs=1e-6)
    assert found.sentence == full.sentence


def test_curves_of_different_items_are_not_compared() -> None:
    few, many = (roc(*scored(np.eye(n), np.arange(n) % 3)) for n in (9, 12))
    told = compare_curves(few, many)
    assert np.isnan([told.low, told.high]).all()
    assert told.sentence == "AUC cannot be compared: the lanes are measured on different items"
    undefined = roc(*scored(np.eye(3), np.arange(3)))
    assert "not defined in both lanes" in compare_curves(undefined, undefined).sentence
    assert "not defined in both lanes" in compare_curves(replace(few, replicates=np.empty(0)), few).sentence


def test_unseen_items_play_no_part() -> None:
    snapshot = trained()
    z = snapshot.z.copy()
    z[~snapshot.seen] = np.random.default_rng(0).normal(size=(100, 32))
    found = compare(snapshot, with_embeddings(snapshot, z))
    assert found.difference == pytest.approx(0, abs=1e-6)


def test_sentences_can_be_read_aloud() -> None:
    found = compare_seeds([0.90, 0.91, 0.92], [0.90, 0.92, 0.93], "AUC", ("cold", "warm"))
    # Differences 0, 0.01, 0.01: mean 0.00667, sd 0.00577, t of 2 degrees 4.3027.
    assert found.difference == pytest.approx(0.02 / 3)
    assert [found.low, found.high] == pytest.approx([0.02 / 3 - 4.302653 / 300, 0.02 / 3 + 4.302653 / 300], abs=1e-7)
    assert found.sentence == (
        "AUC +0.007 for lane warm (95 % interval -0.008 to +0.021): not distinguishable over 3 seeds"
    )
    clean, noisy, y = two_lanes(2.0)
    told = compare(snapshot_of(clean, y), snapshot_of(noisy, y)).sentence
    assert told.startswith("AUC -0.")
    assert told.endswith("): distinguishable at one seed")


def test_narrow_intervals_keep_two_figures() -> None:
    found = compare_seeds([0.5, 0.5], [0.50001, 0.50003])
    assert found.sentence.startswith("AUC +0.00002 for lane B (95 % interval -0.00011 to +0.00015)")


def test_interval_over_seeds_is_that_of_scipy() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.random(8), rng.random(8)
    expected = ttest_rel(b, a).confidence_interval(0.95)
    found = compare_seeds(a.tolist(), b.tolist())
    assert [found.low, found.high] == pytest.approx([expected.low, expected.high])
    assert found.distinguishable == (ttest_rel(b, a).pvalue < 0.05)
    sure = compare_seeds(a.tolist(), (a + 0.1).tolist())
    assert sure.distinguishable


def test_too_few_seeds_say_nothing() -> None:
    one = compare_seeds([0.9], [0.95])
    assert one.difference == pytest.approx(0.05)
    assert np.isnan([one.low, one.high]).all()
    assert not one.distinguishable
    assert "1 seed in common" in one.sentence
    assert "0 seeds" in compare_seeds([], []).sentence
    assert "1 seed " in compare_seeds([0.9, np.nan], [0.8, 0.7]).sentence
    with pytest.raises(ValueError, match="lane A has 2, lane B 1"):
        compare_seeds([1.0, 2.0], [1.0])


def test_undefined_measures_are_not_compared() -> None:
    z, _ = clouds(8, 2)
    lone = snapshot_of(z, np.arange(8))
    found = compare(lone, lone)
    assert np.isnan(found.difference)
    assert not found.distinguishable
    assert found.sentence == "AUC cannot be compared: it is not defined in both lanes"
    assert np.isnan(compare(lone, lone, "recall_at_1").difference)


def test_different_items_and_unknown_measures_are_refused() -> None:
    z, y = clouds(8, 2)
    a = snapshot_of(z, y)
    with pytest.raises(ValueError, match="different items"):
        compare(a, replace(a, item=a.item + 1))
    with pytest.raises(ValueError, match="auc, recall_at_1"):
        compare(a, a, "accuracy")
