"""Margins, ROC against the rest and weight of each item, by plain loops, by hand, and by scikit-learn."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, roc_auc_score, roc_curve

from models.diagnostics.items import PairScores
from models.diagnostics.margins import (
    RATES,
    among_first,
    bins,
    entries,
    label_gap,
    leads,
    margin_profile,
    of_scores,
    reach_of,
    strength,
    tpr_at,
    widened,
)
from models.diagnostics.summary import BINS, MarginProfile
from models.snapshot import Lens, Outputs, Snapshot
from tests.diagnostics.helpers import clouds, snapshot_of

EMPTY = np.empty(0)


def lens_of(s: np.ndarray, pos: np.ndarray, weight: np.ndarray, kind: str, residual: np.ndarray | None = None) -> Lens:
    outputs = Outputs(kind, residual, EMPTY, EMPTY)
    return Lens(s, pos, ~pos, weight, "class logits", EMPTY, EMPTY, EMPTY, outputs=outputs)


def snapshot_with(lens: Lens, y: np.ndarray) -> Snapshot:
    z, _ = clouds(len(y), 2)
    return snapshot_of(z, y, lens=lens)


def profile_of(lens: Lens, y: np.ndarray) -> MarginProfile:
    found = margin_profile(snapshot_with(lens, y))
    assert found is not None
    return found


def logits(n: int = 60, c: int = 5, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits that know something of the class, and the classes, all of which occur."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n) % c)
    return (rng.normal(size=(n, c)) + 1.5 * np.eye(c)[y]).astype(np.float32), y


def cross_entropy_weight(s: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(softmax - one-hot) / n, row by row."""
    rows = []
    for row, label in zip(s.astype(np.float64), y, strict=True):
        e = np.exp(row - row.max())
        p = e / e.sum()
        p[label] -= 1.0
        rows.append(p / len(y))
    return np.array(rows)


def test_margin_by_hand() -> None:
    s = np.array([[3.0, 1.0, 2.5], [0.0, 1.0, 4.0], [2.0, 2.0, -1.0]])
    pos = np.eye(3, dtype=bool)[[0, 1, 0]]
    assert of_scores(s, pos).tolist() == [0.5, -3.0, 0.0]
    assert leads(s).tolist() == [[0.5, -2.0, -0.5], [-4.0, -3.0, 3.0], [0.0, 0.0, -3.0]]


def test_leads_by_a_loop() -> None:
    s, _ = logits(20, 6, seed=4)
    expected = [
        [float(row[k]) - max(float(v) for j, v in enumerate(row) if j != k) for k in range(len(row))] for row in s
    ]
    np.testing.assert_array_equal(leads(s), expected)


@pytest.mark.parametrize("c", [2, 3, 7])
def test_share_below_zero_is_the_error_rate(c: int) -> None:
    s, y = logits(80, c)
    found = profile_of(lens_of(s, np.eye(c, dtype=bool)[y], cross_entropy_weight(s, y), "class"), y)
    decided = s.argmax(axis=1)
    assert 0 < found.below < 1
    assert found.below == pytest.approx(1 - accuracy_score(y, decided), abs=1e-12)
    for label in range(c):
        assert found.below_by[label] == pytest.approx((decided[y == label] != label).mean(), abs=1e-12)
    # 0 is an edge of the bins: the left half holds the errors and nothing else.
    assert found.count[:, : BINS // 2].sum() == (decided != y).sum()
    assert found.entries == 80
    assert found.count.sum(axis=1).tolist() == [(y == label).sum() for label in range(c)]


def test_bins_by_a_loop() -> None:
    rng = np.random.default_rng(3)
    margin = np.concatenate([rng.uniform(-8, 8, 200), [0.0, -1e-12, 8.0, -8.0, 0.25, -0.25]])
    reach = reach_of(margin)
    assert reach == 8.0
    width, expected = 2 * reach / BINS, [0] * BINS
    for m in margin:
        expected[min(int((m + reach) // width), BINS - 1)] += 1
    assert bins(margin, reach).tolist() == expected


def test_reach_is_the_next_power_of_two() -> None:
    largest = [0.0, 0.3, 0.5, 1.0, 1.01, 6.0, 1000.0]
    assert [reach_of(np.array([-value, 0.1 * value])) for value in largest] == [1.0, 0.5, 0.5, 1.0, 2.0, 8.0, 1024.0]


@pytest.mark.parametrize("times", [1, 2, 4, 32, 256])
def test_wider_bins_are_those_of_counting_anew(times: int) -> None:
    margin = np.random.default_rng(times).normal(size=500)
    reach = reach_of(margin)
    assert widened(bins(margin, reach), times).tolist() == bins(margin, reach * times).tolist()
    both = np.stack([bins(margin, reach), bins(-margin, reach)])
    assert widened(both, times)[1].tolist() == bins(-margin, reach * times).tolist()


def test_auc_against_the_rest_is_that_of_scikit_learn() -> None:
    s, y = logits(90, 6, seed=2)
    s = np.round(s, 1)  # ties
    found = profile_of(lens_of(s, np.eye(6, dtype=bool)[y], cross_entropy_weight(s, y), "class"), y)
    expected = [roc_auc_score(y == k, leads(s)[:, k]) for k in range(6)]
    assert len(found.auc) == 6
    np.testing.assert_allclose(found.auc, expected, rtol=0, atol=1e-12)
    assert found.macro_auc == pytest.approx(np.mean(expected), abs=1e-12)


def test_curve_against_the_rest_is_that_of_scikit_learn() -> None:
    s, y = logits(90, 4, seed=5)
    found = profile_of(lens_of(s, np.eye(4, dtype=bool)[y], cross_entropy_weight(s, y), "class"), y)
    np.testing.assert_array_equal(found.fpr, RATES)
    assert (RATES[0], RATES[-1]) == (0.0, 1.0)
    for k in range(4):
        fpr, tpr, _ = roc_curve(y == k, leads(s)[:, k], drop_intermediate=False)
        expected = [tpr[fpr <= rate + 1e-9].max() for rate in RATES]
        np.testing.assert_allclose(found.tpr[k], expected, rtol=0, atol=1e-12)


def test_a_class_that_the_probe_lacks_has_no_auc() -> None:
    s, y = logits(30, 3)
    padded = np.concatenate([s, np.full((30, 1), -9.0, np.float32)], axis=1)
    found = profile_of(lens_of(padded, np.eye(4, dtype=bool)[y], cross_entropy_weight(padded, y), "class"), y)
    assert np.isnan(found.auc).tolist() == [False, False, False, True]
    assert np.isnan(found.tpr[3]).all()
    assert np.isnan(found.below_by[3])
    assert found.macro_auc == pytest.approx(found.auc[:3].mean())
    assert np.isnan(tpr_at(PairScores(EMPTY, np.array([1.0])), RATES)).all()


def test_weight_is_the_length_of_the_gradient_towards_the_own_class() -> None:
    weight = np.array([[-3.0, 4.0, 0.0], [1.0, 2.0, -2.0]])
    pos = np.eye(3, dtype=bool)[[0, 0]]
    assert strength(weight, pos, "class").tolist() == [5.0, -3.0]
    assert strength(weight, pos, "real").tolist() == [5.0, 3.0]
    pairs = np.array([[0.5, -0.5], [0.25, -0.25]])
    assert strength(pairs, np.eye(2, dtype=bool)[[1, 0]], "binary").tolist() == [0.5, -0.25]


def test_single_logit_by_hand() -> None:
    # Logits of the second class against the first: 2, -1, 3; classes 1, 1, 0.
    s, y = np.array([[0.0, 2.0], [0.5, -0.5], [-1.0, 2.0]]), np.array([1, 1, 0])
    g = np.array([-0.1, -0.7, 0.9])
    lens = lens_of(s, np.eye(2, dtype=bool)[y], np.stack([-g, g], axis=1), "binary")
    found = entries(lens, y)
    assert found.margin.tolist() == [2.0, -1.0, -3.0]
    assert found.weight.tolist() == [0.1, 0.7, 0.9]
    profile = profile_of(lens, y)
    assert profile.below == pytest.approx(2 / 3)
    assert profile.roc_group.tolist() == [1]
    assert profile.auc.tolist() == [0.0]


def test_labels_by_hand() -> None:
    s = np.array([[1.0, -2.0], [3.0, 0.5]])
    pos = np.array([[True, True], [False, True]])
    weight = np.array([[-0.1, -0.4], [0.3, 0.2]])  # the last lowers the logit of a label that is there
    found = entries(lens_of(s, pos, weight, "multilabel"), np.array([0, 1]))
    assert found.margin.tolist() == [1.0, -2.0, -3.0, 0.5]
    assert found.weight.tolist() == [0.1, 0.4, 0.3, -0.2]
    assert found.group.tolist() == [0, 1, 0, 1]


def test_how_well_labels_are_told_by_hand() -> None:
    """F1: both told and one too many, none of one, and a label that nobody has or tells."""
    s = np.array([[9.0, -9.0, -9.0], [9.0, -9.0, -9.0], [9.0, -9.0, -9.0], [-9.0, -9.0, -9.0]])
    pos = np.array([[True, True, False], [True, False, False], [False, False, False], [False, False, False]])
    found = profile_of(lens_of(s, pos, np.zeros((4, 3)), "multilabel"), np.arange(4) % 2)
    assert found.f1_by == pytest.approx([4 / 5, 0.0, np.nan], nan_ok=True)
    # Predictions of the last two do not vary, so they correlate with nothing; of the labels only the first two do.
    assert found.label_gap == pytest.approx(np.sqrt(np.corrcoef(pos[:, 0], pos[:, 1])[0, 1] ** 2 / 3))


def test_the_gap_of_correlations_is_that_of_numpy() -> None:
    rng = np.random.default_rng(3)
    s, pos = rng.normal(size=(60, 4)), rng.random((60, 4)) < 0.4
    apart = np.corrcoef(1 / (1 + np.exp(-s)), rowvar=False) - np.corrcoef(pos.astype(float), rowvar=False)
    squares = [apart[a, b] ** 2 for a in range(4) for b in range(4) if a != b]
    assert label_gap(s, pos) == pytest.approx(np.sqrt(np.mean(squares)))
    assert label_gap(s, pos) > 0.05
    assert np.isnan(label_gap(s[:, :1], pos[:, :1]))


def test_only_several_labels_are_told_well_or_badly() -> None:
    s, y = logits(10, 2)
    found = profile_of(lens_of(s, np.eye(2, dtype=bool)[y], cross_entropy_weight(s, y), "class"), y)
    assert found.f1_by is None
    assert found.label_gap is None


def test_numbers_by_hand() -> None:
    s, pos = np.zeros((3, 4)), np.eye(4, dtype=bool)[[0, 1, 2]]
    weight = np.zeros((3, 4))
    weight[:, :2] = [[3.0, 4.0], [0.0, 1.0], [0.0, -2.0]]
    found = profile_of(lens_of(s, pos, weight, "real", np.array([-6.0, 2.0, 1.0])), np.array([4, 4, 7]))
    assert (found.below, found.middle, found.size) == (pytest.approx(1 / 3), 1.0, 3.0)
    assert found.group.tolist() == [4, 7]
    assert found.middle_by.tolist() == [-2.0, 1.0]
    assert len(found.auc) == len(found.fpr) == 0
    assert np.isnan(found.macro_auc)
    # Hardest is the largest residual, on either side: the first item has 5 of 8.
    assert found.hardest_share == pytest.approx(5 / 8)


def test_who_carries_the_gradient() -> None:
    s, y = logits(200, 3)
    pos = np.eye(3, dtype=bool)[y]
    alike = profile_of(lens_of(s, pos, np.tile([[-3.0, 4.0, 0.0]], (200, 1)), "class"), y)
    assert alike.effective == pytest.approx(200)
    assert alike.hardest_share == pytest.approx(0.01)
    weight = np.zeros((200, 3))
    weight[np.argsort(of_scores(s, pos))[:2]] = [-1.0, 1.0, 0.0]
    two = profile_of(lens_of(s, pos, weight, "class"), y)
    assert two.effective == pytest.approx(2)
    assert two.hardest_share == pytest.approx(1.0)
    still = profile_of(lens_of(s, pos, np.zeros((200, 3)), "class"), y)
    assert np.isnan([still.effective, still.hardest_share]).all()


def test_effective_number_by_a_loop() -> None:
    s, y = logits(40, 5)
    weight = cross_entropy_weight(s, y)
    size = [float(np.sqrt((row**2).sum())) for row in weight]
    shares = [value / sum(size) for value in size]
    found = profile_of(lens_of(s, np.eye(5, dtype=bool)[y], weight, "class"), y)
    assert found.effective == pytest.approx(np.exp(-sum(p * np.log(p) for p in shares)), rel=1e-9)
    hardest = int(np.argmin([row[k] - max(np.delete(row, k)) for row, k in zip(s, y, strict=True)]))
    assert found.hardest_share == pytest.approx(shares[hardest], rel=1e-9)  # 1 % of 40 is at least one


def test_binned_weights_by_a_loop() -> None:
    s, y = logits(300, 3)
    lens = lens_of(s, np.eye(3, dtype=bool)[y], cross_entropy_weight(s, y), "class")
    found, every = profile_of(lens, y), entries(lens, y)
    lows = [-found.reach + 2 * found.reach * k / BINS for k in range(BINS)]
    inside = [
        every.weight[(every.margin >= low) & (every.margin < low + 2 * found.reach / BINS)].tolist() for low in lows
    ]
    filled = [k for k, held in enumerate(inside) if held]
    assert 10 < len(filled) < BINS
    assert np.flatnonzero(np.isfinite(found.weight)).tolist() == filled
    for k in filled:
        assert found.weight[k] == pytest.approx(np.mean(inside[k]), rel=1e-9)
        assert found.weight_low[k] == pytest.approx(np.quantile(inside[k], 0.1), rel=1e-5)
        assert found.weight_high[k] == pytest.approx(np.quantile(inside[k], 0.9), rel=1e-5)


def test_no_logits_no_profile() -> None:
    s, y = logits(10, 2)
    lens = lens_of(s, np.eye(2, dtype=bool)[y], cross_entropy_weight(s, y), "class")
    assert margin_profile(snapshot_with(replace(lens, outputs=None), y)) is None
    assert margin_profile(snapshot_of(*clouds(6, 2))) is None


def test_among_the_first_by_hand() -> None:
    """Own logits second, third and level with the highest: a level one counts as behind."""
    s = np.array([[3.0, 2.0, 1.0], [1.0, 2.0, 3.0], [2.0, 2.0, 1.0]])
    pos = np.array([[False, True, False], [True, False, False], [True, False, False]])
    assert [among_first(s, pos, k) for k in (1, 2, 3)] == [0.0, 2 / 3, 1.0]


def test_only_classes_have_a_share_among_the_first_five() -> None:
    s, y = logits(c=7)
    pos = np.eye(7, dtype=bool)[y]
    ranks = [sorted(row, reverse=True).index(row[own]) for row, own in zip(s.tolist(), y, strict=True)]
    shown = profile_of(lens_of(s, pos, cross_entropy_weight(s, y), "class"), y)
    assert shown.top_5 == pytest.approx(np.mean([rank < 5 for rank in ranks]))
    assert 0.5 < np.mean([rank < 5 for rank in ranks]) < 1.0
    labels = profile_of(lens_of(s, pos, cross_entropy_weight(s, y), "multilabel"), y)
    assert labels.top_5 is None
