import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from models.geometry import Embeddings, Scores, unit
from models.losses.infonce import loss
from models.method_common import Pool
from models.methods.feature_transform import Draw, transform
from tests.losses.helpers import on_circle, oracle_numbers, random_batch, two_views
from tests.methods.helpers import made, moment, plain

VFT = oracle_numbers("cl_vft")
PERM = next(case["perm"] for case in VFT["cases"] if case["case"] == "neg_interpolation")
CASES = {case["case"]: case for case in VFT["cases"]}
CASES["both"] = {
    "lambda_ex": VFT["hyperparameters"]["lambda_ex"],
    "lambda_in": VFT["hyperparameters"]["lambda_in"],
    "perm": PERM,
    "loss": VFT["loss"],
    "grad_q": VFT["grad"],
}


def with_queue(q: Tensor, k: Tensor, queue: Tensor) -> Pool:
    """As MoCo has it: the own key is the positive, the queue the negatives, the other keys do not count."""
    n, m = len(q), len(queue)
    pos = torch.cat([torch.eye(n, dtype=torch.bool), torch.zeros(n, m, dtype=torch.bool)], dim=1)
    neg = torch.cat([torch.zeros(n, n, dtype=torch.bool), torch.ones(n, m, dtype=torch.bool)], dim=1)
    candidates = Embeddings(torch.cat([k, queue]), torch.arange(n + m))
    s = unit(q) @ unit(candidates.z).T
    return Pool(Embeddings(q, torch.arange(n)), candidates, Scores(s, pos, neg))


def drawn(outwards: float, mix: float, order: list[int]) -> Draw:
    return Draw(outwards, mix, torch.tensor(order, dtype=torch.int64))


@pytest.mark.parametrize("name", CASES)
def test_literal_numbers_of_the_authors(name: str) -> None:
    case = CASES[name]
    q, k, queue = (torch.tensor(VFT["inputs"][part], dtype=torch.float64) for part in ("q", "k", "queue"))
    q.requires_grad_()
    draw = drawn(case["lambda_ex"] or 1.0, case["lambda_in"] or 1.0, case["perm"] or list(range(6)))
    pool = transform(with_queue(q, k, queue), draw)
    value = loss(pool.pairs, temperature=VFT["hyperparameters"]["T"])
    value.backward()
    raw = torch.tensor(case["grad_q"], dtype=torch.float64)
    tangent = raw - (raw * q.detach()).sum(1, keepdim=True) * q.detach()
    assert value.item() == pytest.approx(case["loss"], abs=1e-6)
    assert torch.allclose(q.grad, tangent, atol=1e-6)


@pytest.mark.parametrize("name", sorted(set(CASES) - {"both"}))
def test_literal_logits(name: str) -> None:
    case = CASES[name]
    q, k, queue = (torch.tensor(VFT["inputs"][part], dtype=torch.float64) for part in ("q", "k", "queue"))
    draw = drawn(case["lambda_ex"] or 1.0, case["lambda_in"] or 1.0, case["perm"] or list(range(6)))
    s = transform(with_queue(q, k, queue), draw).pairs.s
    logits = torch.cat([s[:, :4].diagonal()[:, None], s[:, 4:]], dim=1) / VFT["hyperparameters"]["T"]
    assert torch.allclose(logits, torch.tensor(case["logits"]).double(), atol=1e-6)


def dot(a: list[float], b: list[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))


def mixed(share: float, a: list[float], b: list[float]) -> list[float]:
    return [share * x + (1 - share) * y for x, y in zip(a, b, strict=True)]


def oracle(z: list[list[float]], group: list[int], draw: Draw) -> dict[tuple[int, int], float]:
    """Scores of all pairs of unit rows, by forming every transformed row."""
    n, scores = len(z), {}
    used = [j for j in range(n) if any(group[i] != group[j] for i in range(n))]
    partner = {j: used[k] for j, k in zip(used, draw.order.tolist(), strict=True)}
    for i in range(n):
        mates = [z[j] for j in range(n) if j != i and group[j] == group[i]]
        centre = [sum(column) / len(mates) for column in zip(*mates, strict=True)] if mates else z[i]
        anchor = mixed(draw.outwards, z[i], centre)
        for j in range(n):
            if group[i] != group[j]:
                other = z[partner[j]] if group[partner[j]] != group[i] else z[j]
                scores[i, j] = dot(anchor, mixed(draw.mix, z[j], other))
            elif i != j:
                scores[i, j] = dot(mixed(draw.outwards, z[i], z[j]), mixed(draw.outwards, z[j], z[i]))
    return scores


BATCHES = {
    "views": two_views(6),
    "labels": random_batch(13, 4),
    "no positive": random_batch(5, 5),
    "one alone": Embeddings(random_batch(6, 2).z, torch.tensor([0, 0, 0, 1, 1, 2])),
}


@pytest.mark.parametrize("name", BATCHES)
@pytest.mark.parametrize(("outwards", "mix"), [(1.4, 0.7), (1.0, 0.3), (2.0, 1.0), (1.9, 0.0)])
def test_against_plain_loops(name: str, outwards: float, mix: float) -> None:
    batch = BATCHES[name]
    group = (batch.y if batch.instance is None else batch.instance).tolist()
    n = len(group)
    draw = drawn(outwards, mix, np.random.default_rng(1).permutation(n).tolist())
    pairs = transform(plain(batch), draw).pairs
    expected = oracle(unit(batch.z).tolist(), group, draw)
    assert len(expected) == int((pairs.pos | pairs.neg).sum()) > 0
    for (i, j), value in expected.items():
        assert pairs.s[i, j].item() == pytest.approx(value, abs=1e-12)


def test_an_anchor_leans_on_the_mean_of_its_own_positives_however_many_anchors_share_them() -> None:
    """Three anchors, two of class 0, against five candidates, three of class 0: counts differ by row and by column."""
    anchors = Embeddings(random_batch(3, 1).z, torch.tensor([0, 0, 1]))
    others = Embeddings(random_batch(5, 1, seed=1).z, torch.tensor([0, 0, 0, 1, 1]))
    pos = anchors.y[:, None] == others.y[None, :]
    s = unit(anchors.z) @ unit(others.z).T
    found = transform(Pool(anchors, others, Scores(s, pos, ~pos)), drawn(1.5, 1.0, list(range(5)))).pairs.s
    rows = unit(others.z)
    for row, column in (~pos).nonzero().tolist():
        mean = rows[pos[row]].mean(dim=0)
        expected = 1.5 * s[row, column] - 0.5 * (mean @ rows[column])
        assert found[row, column].item() == pytest.approx(expected.item(), rel=1e-10)


def test_by_hand() -> None:
    # Positives at 60 degrees, S = 1/2; at lambda = 2 their score is 5 S - 4 = -1.5. The third row stands at 90 degrees
    # to the first, which is scored as 2 z_1 - z_2: 2 * 0 - cos 30 = -0.866025.
    batch = on_circle([0, 60, 90], [0, 0, 1])
    s = transform(plain(batch), drawn(2.0, 1.0, [0, 1, 2])).pairs.s
    assert s[0, 1].item() == pytest.approx(-1.5, abs=1e-12)
    assert s[0, 2].item() == pytest.approx(-0.866025, abs=1e-6)
    # Half of each of two negatives at 90 and 120 degrees: (0 - 1/2) / 2.
    four = transform(plain(on_circle([0, 90, 120], [0, 1, 2])), drawn(1.0, 0.5, [0, 2, 1])).pairs.s
    assert four[0, 1].item() == pytest.approx(-0.25, abs=1e-12)


def test_a_positive_never_rises() -> None:
    batch = random_batch(20, 4, seed=5)
    before = plain(batch).pairs
    for outwards in np.linspace(1.0, 2.0, 7):
        after = transform(plain(batch), drawn(float(outwards), 0.5, list(range(20)))).pairs
        assert (after.s[after.pos] <= before.s[before.pos] + 1e-12).all()


def test_one_and_one_change_nothing_and_zero_shapes_give_them() -> None:
    batch = random_batch(9, 3)
    before = plain(batch).pairs.s
    assert torch.equal(transform(plain(batch), drawn(1.0, 1.0, list(range(8, -1, -1)))).pairs.s, before)
    method = made("feature_transform", 6, extrapolation=0.0, interpolation=0.0)
    (pool,) = method.change(plain(batch), moment(batch.z))
    assert torch.equal(pool.pairs.s, before)


def test_before_it_begins_nothing_changes() -> None:
    batch = random_batch(9, 3)
    method = made("feature_transform", 6, begin=5)
    (early,) = method.change(plain(batch), moment(batch.z, number=4))
    (late,) = method.change(plain(batch), moment(batch.z, number=5))
    assert torch.equal(early.pairs.s, plain(batch).pairs.s)
    assert not torch.equal(late.pairs.s, early.pairs.s)


def test_mean_over_draws_is_the_closed_form() -> None:
    """E over lambda = 1 + Beta(2, 2): S goes to 2.6 S - 1.6; the tolerance is four standard errors."""
    batch = on_circle([0, 60], [0, 0])
    method = made("feature_transform", 2, interpolation=0.0)
    values = [method.change(plain(batch), moment(batch.z, seed=k))[0].pairs.s[0, 1].item() for k in range(2000)]
    error = 4 * np.std(values) / math.sqrt(len(values))
    assert error < 0.1
    assert np.mean(values) == pytest.approx(2.6 * 0.5 - 1.6, abs=error)


def test_mixing_lowers_the_variance_of_negatives_by_the_closed_form() -> None:
    """Var(N^) = (1 - 2 E[l (1 - l)]) Var(N) = 0.62 Var(N) at shape 1.6, for negatives that are not correlated."""
    torch.manual_seed(0)
    q, k, queue = (unit(torch.randn(n, 64, dtype=torch.float64)) for n in (8, 8, 3000))
    pool = with_queue(q, k, queue)
    method = made("feature_transform", 64, extrapolation=0.0)
    ratios = [
        method.change(replace(pool), moment(q, seed=k))[0].pairs.s[:, 8:].var().item()
        / pool.pairs.s[:, 8:].var().item()
        for k in range(300)
    ]
    assert np.mean(ratios) == pytest.approx(1 - 1.6 / (2 * 1.6 + 1), abs=0.02)
