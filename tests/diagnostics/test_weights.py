"""Weights of pairs: hand-made lenses, stored numbers of paper 11, and the lens of a trained run."""

from dataclasses import replace
from functools import lru_cache
from itertools import pairwise
from math import e, log

import numpy as np
import pytest
import torch

from models.diagnostics.response import anchor_share, measured_curves, typical_anchor
from models.diagnostics.weights import (
    BLOCKS,
    DOTS,
    SCORE_BINS,
    active,
    binned,
    dots,
    effective_negatives,
    hardest_share,
    heat_map,
    mean_count,
    own_class_share,
    pull_push,
    relative_penalty,
    score_edges,
    weight_profile,
)
from models.geometry import Embeddings, score
from models.losses import infonce
from models.sensitivity import pair_weights, response
from models.snapshot import Lens
from models.training.config import Part, RunConfig
from models.training.run import Run
from tests.diagnostics.helpers import clouds, snapshot_of, stored, trained

EMPTY = np.empty(0)


def views_of_the_paper(temperature: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Masks and weights of InfoNCE on the stored rows: anchors are the even rows, candidates the odd ones."""
    z = torch.tensor(stored("diagnostics")["behaviour"]["z"], dtype=torch.float64)
    instance = torch.arange(4)
    scores = score(Embeddings(z[0::2], instance, instance), Embeddings(z[1::2], instance, instance))
    weight = pair_weights(infonce, scores, temperature=temperature)
    return scores.pos.numpy(), scores.neg.numpy(), weight.numpy()


def infonce_lens(n: int = 24, temperature: float = 0.2, uneven: bool = False) -> Lens:
    """What a run would hand over, in float64, with curves on a fine grid."""
    z, y = clouds(n, 3, 1.0)
    y = np.where(np.arange(n) < n // 2, 0, y) if uneven else y
    scores = score(Embeddings(torch.from_numpy(z), torch.from_numpy(y)))
    weight = pair_weights(infonce, scores, temperature=temperature)
    lens = Lens(scores.s.numpy(), scores.pos.numpy(), scores.neg.numpy(), weight.numpy(), "items", EMPTY, EMPTY, EMPTY)
    grid = torch.linspace(-1, 1, 61, dtype=torch.float64)
    pull, push = response(infonce, scores, typical_anchor(lens), grid, temperature=temperature)
    return replace(lens, grid=grid.numpy(), pull_curve=pull.numpy(), push_curve=push.numpy())


@lru_cache
def proxies() -> Run:
    run = Run(RunConfig(loss=Part("cosface")))
    run.advance(5)
    return run


@pytest.mark.parametrize("temperature", [0.07, 0.3])
def test_relative_penalty_and_its_entropy_are_the_stored_ones(temperature: float) -> None:
    numbers = stored("diagnostics")["behaviour"]
    pos, neg, weight = views_of_the_paper(temperature)
    name = f"tau{temperature}"
    assert relative_penalty(pos, neg, weight) == pytest.approx(np.asarray(numbers["relative_penalty"][name]), abs=1e-9)
    entropies = np.asarray(numbers["entropy"][name])
    assert effective_negatives(neg, weight) == pytest.approx(np.exp(entropies).mean(), abs=1e-9)


def test_relative_penalty_needs_a_pull() -> None:
    pos, neg = np.asarray([[False, True, False]] * 2), np.asarray([[False, False, True]] * 2)
    found = relative_penalty(pos, neg, np.asarray([[0.0, -0.5, 0.25], [0.0, 0.0, 0.1]]))
    assert found[0].tolist() == [0, 0, 0.5]
    assert np.isnan(found[1]).all()


def test_effective_negatives_by_hand() -> None:
    neg = np.asarray([[False, True, True, True], [True, False, True, True], [True, True, False, True]])
    # One takes all; three alike; no push at all. Shares 1/2, 1/4, 1/4 have entropy 1.5 log 2.
    weight = np.asarray([[0, 0.3, 0, 0], [0.1, -5, 0.1, 0.1], [0.0] * 4])
    assert effective_negatives(neg, weight) == pytest.approx((1 + 3) / 2)
    assert effective_negatives(neg[:1], np.asarray([[9.0, 0.2, 0.1, 0.1]])) == pytest.approx(2**1.5)
    assert np.isnan(effective_negatives(neg, np.zeros((3, 4))))


def test_effective_negatives_of_tiny_weights_do_not_lose_them() -> None:
    neg = np.ones((2, 50), bool)
    assert effective_negatives(neg, np.full((2, 50), 1e-9, np.float32)) == pytest.approx(50, rel=1e-4)


def test_hardest_share_by_hand() -> None:
    score_of = np.arange(200) / 200
    weight = np.ones(200)
    weight[-2:] = [5, 9]  # the hardest 1 % of 200 are two
    weight[0] = -100  # pulled, so it carries no push
    assert hardest_share(score_of, weight) == pytest.approx(14 / (197 + 14))
    assert hardest_share(np.asarray([0.1, 0.9]), np.asarray([3.0, 1.0])) == 0.25  # one at least
    assert np.isnan(hardest_share(score_of, -np.ones(200)))
    assert np.isnan(hardest_share(EMPTY, EMPTY))


def test_ties_at_the_border_share_the_rest() -> None:
    # Nobody is harder than anybody: 1 % of them carry 1 %.
    weight = np.random.default_rng(0).random(300)
    assert hardest_share(np.zeros(300), weight) == pytest.approx(0.01)


def test_pull_push_and_active_by_hand() -> None:
    of_positives, of_negatives = np.asarray([-0.5, 0.25]), np.asarray([0.5, 0.0, -0.25])
    assert pull_push(of_positives, of_negatives) == pytest.approx(0.75 / 0.75)
    assert pull_push(np.asarray([-0.3]), np.asarray([0.1])) == pytest.approx(3)
    assert active(of_positives, of_negatives) == 0.8
    assert np.isnan(pull_push(of_positives[:1], EMPTY))
    assert np.isnan(active(EMPTY, EMPTY))


def test_bins_are_means_and_quantiles() -> None:
    rng = np.random.default_rng(0)
    score_of = rng.uniform(-1, 0.5, 3000).astype(np.float32)
    weight = rng.normal(size=3000).astype(np.float32)
    edges = score_edges(score_of[:, None], "items")
    found = binned(score_of, weight, edges)
    inside = [weight[(score_of >= low) & (score_of < high)] for low, high in pairwise(edges)]
    assert sum(len(w) > 0 for w in inside) == 30
    for k, held in enumerate(inside[:30]):
        assert found.mean[k] == pytest.approx(held.mean(), abs=1e-6)
        assert [found.low[k], found.high[k]] == pytest.approx(np.quantile(held, [0.1, 0.9]).tolist(), abs=1e-6)
    assert np.isnan([found.mean[30:], found.low[30:], found.high[30:]]).all()


def test_no_pairs_leave_all_bins_empty() -> None:
    found = binned(EMPTY, EMPTY, np.linspace(-1, 1, SCORE_BINS + 1))
    assert np.isnan([found.mean, found.low, found.high]).all()


def test_logits_bring_their_own_range() -> None:
    s = np.asarray([[-3.0, 5.0]])
    assert score_edges(s, "class logits")[[0, -1]].tolist() == [-3, 5]
    assert score_edges(s, "class proxies")[[0, -1]].tolist() == [-1, 1]
    assert score_edges(np.full((2, 2), 7.0), "class logits")[[0, -1]].tolist() == [7, 8]


def test_dots_are_pairs_of_the_matrix_and_stay_the_same_ones() -> None:
    lens = trained().lens
    assert lens is not None
    score_of, weight, positive = dots(lens.s, lens.pos, lens.neg, lens.weight)
    assert len(score_of) == 2 * DOTS
    assert positive.sum() == DOTS
    where = np.arange(lens.s.size, dtype=np.float64).reshape(lens.s.shape)
    at, again, _ = dots(where, lens.pos, lens.neg, where)
    assert np.array_equal(at, again)
    assert np.array_equal(lens.s.ravel()[at.astype(int)], score_of)
    assert np.array_equal(lens.weight.ravel()[at.astype(int)], weight)
    assert np.array_equal(lens.pos.ravel()[at.astype(int)], positive)
    # Spread over the matrix: rows from first to last, and no column preferred.
    assert len(np.unique(at[~positive] // 500)) > 150
    assert len(np.unique(at[~positive] % 500)) > 100


def test_heat_is_block_means_of_sorted_pairs() -> None:
    rng = np.random.default_rng(0)
    n = 130
    y = rng.integers(0, 4, n)
    weight, counted = rng.normal(size=(n, n)), rng.random((n, n)) < 0.7
    heat, first = heat_map(weight, counted, y)
    order = sorted(range(n), key=lambda i: (y[i], i))
    starts = [k * n // BLOCKS for k in range(BLOCKS)] + [n]
    assert heat.shape == (BLOCKS, BLOCKS)
    for a, b in ((0, 0), (3, 17), (49, 49), (20, 5)):
        pairs = [(i, j) for i in order[starts[a] : starts[a + 1]] for j in order[starts[b] : starts[b + 1]]]
        kept = [weight[i, j] for i, j in pairs if counted[i, j]]
        assert heat[a, b] == pytest.approx(np.mean(kept))
    assert y[first].tolist() == [y[order[k]] for k in starts[:-1]]


def test_heat_of_few_items_is_the_matrix_and_of_none_is_empty() -> None:
    weight = np.asarray([[1.0, 2], [3, 4], [5, 6]])
    heat, first = heat_map(weight, np.asarray([[True, False], [True, True], [True, True]]), np.asarray([1, 0, 1]))
    assert heat.tolist() == [[3, 4], [1, 0], [5, 6]]
    assert first.tolist() == [1, 0, 2]
    assert heat_map(np.zeros((0, 0)), np.zeros((0, 0), bool), np.zeros(0, int))[0].shape == (0, 0)


@pytest.mark.parametrize("uneven", [False, True])
def test_curves_come_in_the_units_of_the_measured_weights(uneven: bool) -> None:
    # Mean over positive pairs: the typical anchor counts P_i of all sum P.
    lens = infonce_lens(uneven=uneven)
    row = typical_anchor(lens)
    share = lens.pos[row].sum() / lens.pos.sum()
    assert anchor_share(lens) == pytest.approx(share, rel=0.01)
    pull, push = measured_curves(lens)
    # On the curves: the anchor's first positive and first negative, at the scores they have.
    for mask, curve in ((lens.pos, pull), (lens.neg, push)):
        column = int(np.flatnonzero(mask[row])[0])
        assert np.interp(lens.s[row, column], lens.grid, curve) == pytest.approx(lens.weight[row, column], rel=0.03)


def test_other_dots_of_the_typical_anchor_lie_by_the_curve_of_a_warm_loss() -> None:
    # Moving one of many negatives barely changes the rest, so at temperature 1 the whole row obeys the curve.
    lens = infonce_lens(n=60, temperature=1.0)
    row = typical_anchor(lens)
    _, push = measured_curves(lens)
    expected = np.interp(lens.s[row][lens.neg[row]], lens.grid, push)
    assert lens.neg[row].sum() == 40
    assert expected == pytest.approx(lens.weight[row][lens.neg[row]], rel=0.05)


def test_the_curve_of_a_trained_run_has_the_run_s_units() -> None:
    lens = trained().lens
    assert lens is not None
    assert len(lens.grid) > 0
    assert anchor_share(lens) == pytest.approx(lens.pos[typical_anchor(lens)].sum() / lens.pos.sum(), rel=0.01)


def test_a_silent_curve_counts_as_one_of_n() -> None:
    lens = replace(infonce_lens(), pull_curve=np.zeros(61), push_curve=np.zeros(61))
    assert anchor_share(lens) == 1 / 24
    bare = replace(lens, grid=EMPTY, pull_curve=EMPTY, push_curve=EMPTY)
    assert [len(curve) for curve in measured_curves(bare)] == [0, 0]


def test_the_push_on_the_own_class_by_hand() -> None:
    """Two views of three items, the first two of one class: of a push of 1 + 2 + 4 on negatives, 1 hits that class."""
    own, y = np.eye(3, dtype=bool), np.array([7, 7, 5])
    weight = np.array([[-9.0, 1.0, 2.0], [0.0, -9.0, 4.0], [-3.0, 0.0, 5.0]])  # -3: a pulled negative is no push
    lens = Lens(np.zeros((3, 3)), own, ~own, weight, "second views", EMPTY, EMPTY, EMPTY)
    assert own_class_share(lens, y) == pytest.approx(1 / 7)
    both = Lens(np.zeros((3, 6)), *(np.hstack([x, x]) for x in (own, ~own, weight)), "both views", EMPTY, EMPTY, EMPTY)
    assert own_class_share(both, y) == pytest.approx(1 / 7)
    assert own_class_share(both, np.array([1, 2, 3])) == 0
    queue = Lens(*(np.hstack([x, x[:, :1]]) for x in (weight, own, ~own, weight)), "queue", EMPTY, EMPTY, EMPTY)
    assert own_class_share(queue, y) is None
    assert own_class_share(lens, np.arange(4)) is None
    assert np.isnan(own_class_share(replace(lens, weight=-np.ones((3, 3))), y) or 0.0)


def test_curves_that_change_sign_are_read_on_a_straight_line() -> None:
    lens = infonce_lens()
    row = typical_anchor(lens)
    column = int(np.flatnonzero(lens.pos[row])[0])
    slope = -(lens.grid + 1.0)  # zero at the left end
    weight = lens.weight.copy()
    weight[row, column] = -0.5 * (lens.s[row, column] + 1.0)
    straight = replace(lens, weight=weight, pull_curve=slope, push_curve=np.zeros(61))
    assert anchor_share(straight) == pytest.approx(0.5, rel=0.01)


def test_profile_of_a_trained_run() -> None:
    snapshot = trained()
    found = weight_profile(snapshot)
    assert found is not None
    # Softmax: what pulls equals what pushes; every pair takes part; 449.6 negatives an anchor.
    assert found.pull_push == pytest.approx(1, rel=1e-4)
    assert found.active == 1
    assert found.negatives == pytest.approx(snapshot.neg.sum() / 500)
    assert 0.01 < found.hardest_share < 1
    assert 1 < found.effective_negatives < found.negatives
    assert np.nanmax(found.pull) < 0 < np.nanmin(found.push)
    assert np.all(np.diff(found.heat_class) >= 0)
    assert found.heat.shape == (BLOCKS, BLOCKS)
    # Harder negatives are pushed harder: the binned push rises with the score.
    rising = found.push[np.isfinite(found.push)]
    assert rising[-1] > 20 * rising[0]


def test_temperature_narrows_the_push() -> None:
    cold, warm = (
        effective_negatives(lens.neg, lens.weight) for lens in (infonce_lens(60, 0.05), infonce_lens(60, 1.0))
    )
    assert cold < 8 < 30 < warm <= 40
    assert e ** log(warm) == pytest.approx(warm)


def test_profile_of_proxies_looks_at_seen_items_against_classes() -> None:
    snapshot = proxies().snapshot()
    found = weight_profile(snapshot)
    assert found is not None
    assert found.candidates == "class proxies"
    assert found.heat.shape == (BLOCKS, 8)
    assert set(found.heat_class) == set(range(8))
    assert found.negatives == 7
    assert len(found.grid) == 0


def test_no_lens_no_profile() -> None:
    assert weight_profile(snapshot_of(*clouds(6, 2))) is None


def test_mean_count_leaves_out_anchors_without_negatives() -> None:
    assert mean_count(np.asarray([[True, True], [False, False]])) == 2
    assert np.isnan(mean_count(np.zeros((2, 2), bool)))
