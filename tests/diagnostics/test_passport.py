"""The passport of an anchor: lists by plain loops, the next step against autograd and a step really made."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from models.diagnostics.coded import encode
from models.diagnostics.look import Look, look_of
from models.diagnostics.passport import SHOWN, descent, next_change, passport, softmax_share
from models.geometry import Embeddings, score
from models.losses import infonce, multi_similarity
from models.sensitivity import pair_weights
from models.snapshot import Lens
from tests.diagnostics.helpers import clouds, snapshot_of
from tests.diagnostics.looks import look_by_hand, trained_run

_NONE = np.empty(0)


def look_of_loss(module: object, z: np.ndarray, y: np.ndarray, other: np.ndarray | None = None) -> Look:
    """A look with the weights that a loss gives; of two sides, row i belongs to row i."""
    anchors = Embeddings(torch.from_numpy(z), torch.from_numpy(y))
    candidates = None
    if other is not None:
        instance = torch.arange(len(y))
        anchors = replace(anchors, instance=instance)
        candidates = Embeddings(torch.from_numpy(other), anchors.y, instance)
    scores = score(anchors, candidates)
    weight = pair_weights(module, scores).numpy()
    s, pos, neg = (t.numpy() for t in (scores.s, scores.pos, scores.neg))
    lens = Lens(s, pos, neg, weight, "items" if other is None else "other sides", _NONE, _NONE, _NONE)
    snapshot = replace(snapshot_of(z, y, lens=lens), other=other, pos=pos, neg=neg)
    return look_of(snapshot)


def test_lists_by_loops() -> None:
    look = replace(look_by_hand(n=60), knobs={"temperature": 0.2})
    found = passport(look, 7)
    others = [j for j in range(60) if j != 7]
    power = {j: math.exp(look.s[7, j] / 0.2) for j in others}
    assert look.weight is not None
    for ranked, same in ((found.positives, True), (found.negatives, False)):
        expected = sorted((j for j in others if (look.y[j] == look.y[7]) == same), key=lambda j: -look.s[7, j])[:SHOWN]
        assert ranked.position.tolist() == ranked.item.tolist() == expected
        np.testing.assert_array_equal(ranked.label, look.y[expected])
        np.testing.assert_allclose(ranked.score, look.s[7, expected])
        np.testing.assert_allclose(ranked.weight, look.weight[7, expected])
        np.testing.assert_allclose(ranked.share, [power[j] / sum(power.values()) for j in expected])
    assert (found.positive_count, found.negative_count) == (14, 45)
    assert len(found.negatives.position) == SHOWN
    row = look.weight[7].astype(float)
    assert found.pull == pytest.approx(-row[row < 0].sum())
    assert found.push == pytest.approx(row[row > 0].sum())


def test_intruder() -> None:
    look = look_by_hand(n=60, spread=2.0)
    wrong = np.where(look.neg, look.s, -2).max(axis=1) > np.where(look.pos, look.s, -2).max(axis=1)
    anchor = int(np.flatnonzero(wrong)[0])
    found = passport(look, anchor)
    negatives = [j for j in range(60) if look.y[j] != look.y[anchor]]
    best = max(look.s[anchor, j] for j in range(60) if look.y[j] == look.y[anchor] and j != anchor)
    assert found.intruder == max(negatives, key=lambda j: look.s[anchor, j])
    assert found.gap == pytest.approx(best - look.s[anchor, found.intruder])
    assert found.above == sum(look.s[anchor, j] > best for j in negatives)
    assert found.above > 0 > found.gap
    change = next_change(look, anchor, 1.0)
    assert found.gap_change == pytest.approx(change[found.positives.position[0]] - change[found.intruder])


@pytest.mark.parametrize("module", [infonce, multi_similarity])
def test_descent_is_minus_the_gradient(module: object) -> None:
    z, y = clouds(20, 4, spread=1.5)
    free = torch.from_numpy(z).requires_grad_()
    module.loss(score(Embeddings(free, torch.from_numpy(y)))).backward()  # type: ignore[attr-defined]
    assert free.grad is not None
    mine, theirs = descent(look_of_loss(module, z, y))
    scale = float(free.grad.abs().max())
    np.testing.assert_allclose(mine, -free.grad.numpy(), atol=0.01 * scale)  # weights are kept within 0.82 %
    assert theirs is mine


def test_descent_of_two_sides() -> None:
    (z, y), (other, _) = clouds(15, 3), clouds(15, 3, seed=5)
    sides = [torch.from_numpy(a).requires_grad_() for a in (z, other)]
    instance = torch.arange(15)
    a, b = (Embeddings(side, torch.from_numpy(y), instance) for side in sides)
    infonce.loss(score(a, b)).backward()
    for found, side in zip(descent(look_of_loss(infonce, z, y, other)), sides, strict=True):
        assert side.grad is not None
        np.testing.assert_allclose(found, -side.grad.numpy(), atol=0.01 * float(side.grad.abs().max()))


@pytest.mark.parametrize("two_sided", [False, True])
def test_next_step_really_made(two_sided: bool) -> None:
    z, y = clouds(20, 4, spread=1.5)
    other = clouds(20, 4, seed=3)[0] if two_sided else None
    look = look_of_loss(infonce, z, y, other)
    rate = 1e-5
    mine, theirs = descent(look)
    moved = normalize(torch.from_numpy(z + rate * mine)).numpy()
    far = moved if other is None else normalize(torch.from_numpy(other + rate * theirs)).numpy()
    made = (moved @ far.T - look.s)[6]
    expected = next_change(look, 6, rate)
    np.testing.assert_allclose(np.delete(made, 6), np.delete(expected, 6), rtol=1e-3, atol=1e-4 * np.abs(made).max())
    np.testing.assert_allclose(next_change(look, 6, 3 * rate), 3 * expected)
    assert np.abs(expected).max() > 0


def test_the_step_lowers_the_loss_of_the_anchor() -> None:
    z, y = clouds(30, 3, spread=2.0)
    found = passport(look_of_loss(infonce, z, y), 4, rate=0.1)
    assert found.gap_change > 0
    assert found.rate == 0.1


def test_a_row_of_length_zero_stays() -> None:
    z, y = clouds(12, 3)
    z[2] = 0.0
    look = look_of_loss(infonce, z, y)
    assert np.isfinite(next_change(look, 5, 1.0)).all()
    assert np.all(descent(look)[0][2] == 0)


def test_softmax_shares() -> None:
    look = look_by_hand(n=12)
    assert np.isnan(softmax_share(replace(look, knobs={}), 0)).all()
    share = softmax_share(replace(look, knobs={"temperature": 0.001}), 0)  # no overflow; all goes to the nearest
    assert share[0] == 0
    assert share.max() == pytest.approx(1.0)
    assert share.argmax() == np.where(np.arange(12) == 0, -2, look.s[0]).argmax()


def test_alone_in_its_class_and_without_weights() -> None:
    look = look_by_hand(n=12)
    look = replace(look, group=np.arange(12), coded=None, reads="", why_no_weight="it reads logits")
    found = passport(look, 0)
    assert len(found.positives.position) == found.positive_count == found.above == 0
    assert np.isnan([found.gap, found.gap_change, found.pull, found.push]).all()
    assert np.isnan(found.negatives.change).all()
    assert found.why_no_weight == "it reads logits"
    assert passport(replace(look, group=np.zeros(12, np.int64)), 0).intruder == -1
    with pytest.raises(IndexError, match="from 0 to 11, got 12"):
        passport(look, 12)


def test_two_views_move_as_their_item() -> None:
    look = look_of(trained_run("second views").snapshot())
    assert look.weight is not None
    own = encode(look.weight * np.eye(len(look.y), dtype=np.float32), look.read_pos)
    assert own.largest > 0
    # An item's own two views lie on each other here: their pull moves nothing.
    assert np.abs(descent(replace(look, coded=own))[0]).max() < 1e-6 * np.abs(descent(look)[0]).max()
