import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from models.geometry import Embeddings, score, unit
from models.losses.infonce import loss
from models.method_common import Pool
from models.methods.mixup_pairs import choose, with_mixtures
from tests.losses.helpers import on_circle, oracle_numbers, random_batch, two_views
from tests.methods.helpers import made, moment, plain

STORED = oracle_numbers("supremix_full_intended")
Y = torch.tensor(STORED["inputs"]["y"])


def stored_pool(z: Tensor) -> Pool:
    """Graded: target 1 - |label difference| / 3."""
    batch = Embeddings(z, Y)
    target = 1.0 - (Y[:, None] - Y[None, :]).abs() / 3.0
    return Pool(batch, None, replace(score(batch), target=target.double()))


def stored_mixtures(z: Tensor) -> Pool:
    pool, setting = stored_pool(z), STORED["hyperparameters"]
    every = choose(pool, setting["window"], 16, torch.zeros(8, dtype=torch.float64))
    return with_mixtures(pool, torch.full((8, 8), setting["alpha_neg"], dtype=torch.float64), every)


def magnified(pool: Pool, temperature: float) -> Tensor:
    """Paper 26: every term below weighs 1 + |label difference|, positives stand below too, mean over anchors."""
    pairs = pool.pairs
    assert pairs.target is not None
    total = torch.zeros((), dtype=torch.float64)
    for i in range(len(pairs.s)):
        counted = [j for j in range(pairs.s.shape[1]) if pairs.pos[i, j] or pairs.neg[i, j]]
        below = sum((1 + 3 * (1 - pairs.target[i, j])) * (pairs.s[i, j] / temperature).exp() for j in counted)
        mine = [j for j in counted if pairs.pos[i, j]]
        total = total - sum(pairs.s[i, j] / temperature - below.log() for j in mine) / len(mine)
    return total / len(pairs.s)


def test_literal_number_of_the_whole_loss() -> None:
    z = torch.tensor(STORED["inputs"]["z"], dtype=torch.float64, requires_grad=True)
    value = magnified(stored_mixtures(z), STORED["hyperparameters"]["tau"])
    value.backward()
    raw = torch.tensor(STORED["grad"], dtype=torch.float64)
    tangent = raw - (raw * z.detach()).sum(1, keepdim=True) * z.detach()
    assert value.item() == pytest.approx(STORED["loss"], abs=1e-6)
    assert torch.allclose(z.grad, tangent, atol=1e-6)


def test_literal_mixtures() -> None:
    z = torch.tensor(STORED["inputs"]["z"], dtype=torch.float64)
    pairs = stored_mixtures(z).pairs
    counted = (pairs.pos | pairs.neg)[:, 8:]
    checked = 0
    for i in range(8):
        # 1: positive, 0: negative, -1: no mixture.
        meant = [
            m for m, on in zip(STORED["inputs"]["mixtures"][i], STORED["inputs"]["mask"][i], strict=True) if on >= 0
        ]
        expected = sorted(sum(a * b for a, b in zip(z[i].tolist(), m, strict=True)) for m in meant)
        assert sorted(pairs.s[i, 8:][counted[i]].tolist()) == pytest.approx(expected, abs=1e-9)
        checked += len(meant)
    assert checked == int(counted.sum()) == 8 * 6 + 4 * 4


def oracle(z: list[list[float]], y: list[int], share: list[list[float]], window: float) -> list[tuple[list, list]]:
    """Scores of all negative and all positive mixtures of every anchor, each mixture formed as a row."""
    found = []
    n = len(y)
    for i in range(n):
        negatives, positives = [], []
        for k in range(n):
            if y[k] != y[i]:
                row = [share[i][k] * a + (1 - share[i][k]) * b for a, b in zip(z[i], z[k], strict=True)]
                negatives.append(sum(a * b for a, b in zip(z[i], row, strict=True)))
            for j in range(n):
                if y[j] < y[i] < y[k] and y[i] - y[j] < window and y[k] - y[i] < window:
                    a = (y[k] - y[i]) / (y[k] - y[j])
                    row = [a * p + (1 - a) * q for p, q in zip(z[j], z[k], strict=True)]
                    positives.append(sum(p * q for p, q in zip(z[i], row, strict=True)))
        found.append((sorted(negatives), sorted(positives)))
    return found


@pytest.mark.parametrize("window", [0.0, 1.0, 1.5, 2.5, 9.0])
@pytest.mark.parametrize("name", ["labels", "views", "two classes"])
def test_against_plain_loops(name: str, window: float) -> None:
    batch = {"labels": random_batch(11, 4), "views": two_views(5), "two classes": random_batch(6, 2)}[name]
    n = len(batch.y)
    pool = plain(Embeddings(batch.z, batch.y))
    share = torch.rand(n, n, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    pairs = with_mixtures(pool, share, choose(pool, window, n * n, torch.zeros(n, dtype=torch.float64))).pairs
    expected = oracle(unit(batch.z).tolist(), batch.y.tolist(), share.tolist(), window)
    for i, (negatives, positives) in enumerate(expected):
        assert sorted(pairs.s[i, n : 2 * n][pairs.neg[i, n : 2 * n]].tolist()) == pytest.approx(negatives, abs=1e-12)
        assert sorted(pairs.s[i, 2 * n :][pairs.pos[i, 2 * n :]].tolist()) == pytest.approx(positives, abs=1e-12)
    assert not pairs.neg[:, 2 * n :].any()
    assert not pairs.pos[:, n : 2 * n].any()


def test_by_hand() -> None:
    # Labels 0, 1, 3 at 0, 60 and 150 degrees. For the middle one a = (3 - 1) / (3 - 0): 2/3 cos 60 + 1/3 cos 90 = 1/3.
    # With half of itself its mixture with the first scores 1/2 + 1/2 cos 60 = 3/4.
    pool = plain(on_circle([0, 60, 150], [0, 1, 3]))
    pairs = with_mixtures(
        pool, torch.full((3, 3), 0.5, dtype=torch.float64), choose(pool, 9.0, 4, torch.zeros(3, dtype=torch.float64))
    ).pairs
    assert pairs.pos.sum(1).tolist() == [0, 1, 0]
    assert pairs.s[1][pairs.pos[1]].item() == pytest.approx(1 / 3, abs=1e-12)
    assert pairs.s[1, 3].item() == pytest.approx(0.75, abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_where_there_are_more_triples_they_are_distinct_and_valid(seed: int) -> None:
    batch = random_batch(30, 5, seed=seed)
    pool = plain(batch)
    offset = torch.rand(30, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    low, high, meant = choose(pool, 2.5, 8, offset)
    middle = (batch.y > 0) & (batch.y < 4)
    assert meant.sum(1).tolist() == [8 if inside else 0 for inside in middle.tolist()]
    for i in middle.nonzero().flatten().tolist():
        assert len({(int(j), int(k)) for j, k in zip(low[i], high[i], strict=True)}) == 8
        assert (batch.y[low[i]] < batch.y[i]).all()
        assert (batch.y[high[i]] > batch.y[i]).all()
        assert ((batch.y[high[i]] - batch.y[low[i]]) < 5).all()


def test_every_triple_has_the_same_chance() -> None:
    """Two below, five above, four taken: each of the ten in four of ten offsets."""
    y = torch.tensor([1, 0, 0, 2, 2, 2, 2, 2])
    pool = plain(Embeddings(random_batch(8, 2).z, y))
    taken = torch.zeros(8, 8)
    for offset in (torch.arange(100, dtype=torch.float64) + 0.5) / 100:
        low, high, meant = choose(pool, 9.0, 4, offset.expand(8))
        taken[low[0], high[0]] += meant[0].float()
    assert taken[1:3, 3:].flatten().tolist() == [40.0] * 10
    assert taken.sum() == 400


def test_the_gradient_reaches_the_anchor_alone() -> None:
    z = unit(random_batch(8, 3).z).requires_grad_()
    pool = plain(Embeddings(z, torch.tensor([0, 0, 1, 1, 1, 2, 2, 2])))
    pairs = with_mixtures(
        pool, torch.full((8, 8), 0.3, dtype=torch.float64), choose(pool, 2.0, 4, torch.zeros(8, dtype=torch.float64))
    ).pairs
    pairs.s[2, 8:].sum().backward()
    assert z.grad is not None
    assert (z.grad.abs().sum(1) > 0).tolist() == [False, False, True, False, False, False, False, False]


def test_beta_says_where_the_mixtures_lie() -> None:
    """Mean share of the anchor alpha / (alpha + beta): on rows at a right angle that is the score itself."""
    z = torch.eye(40, dtype=torch.float64)
    batch = Embeddings(z, torch.arange(40))
    for alpha, beta in ((2.0, 8.0), (8.0, 2.0)):
        (pool,) = made("mixup_pairs", 40, alpha=alpha, beta=beta, window=0.0).change(plain(batch), moment(z))
        mixed = pool.pairs.s[:, 40:80][pool.pairs.neg[:, 40:80]]
        assert len(mixed) == 40 * 39
        error = 4 * mixed.std().item() / math.sqrt(len(mixed))
        assert mixed.mean().item() == pytest.approx(alpha / (alpha + beta), abs=error)


def test_rows_that_belong_to_no_class_are_not_mixed() -> None:
    batch = random_batch(6, 3)
    strangers = Embeddings(random_batch(4, 1, seed=3).z, torch.tensor([-1, -1, 0, 2]))
    pool = Pool(batch, strangers, score(batch, strangers))
    (mixed,) = made("mixup_pairs", 6, window=5.0).change(pool, moment(batch.z))
    assert not mixed.pairs.neg[:, 4:6].any()
    assert torch.isfinite(loss(mixed.pairs))
    assert mixed.pairs.pos[:, 8:].any()
