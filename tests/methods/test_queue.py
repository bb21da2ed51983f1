import math

import pytest
import torch
from torch import Tensor, nn

from models.geometry import Embeddings, unit
from models.losses.infonce import loss
from models.methods.queue import NOBODY, Method
from models.spec import Context
from models.training.run import Run
from tests.losses.helpers import on_circle, oracle_numbers, random_batch, two_views
from tests.methods.helpers import made, moment, plain
from tests.training.helpers import part, small

VFT = oracle_numbers("cl_vft")


def rows(name: str) -> Tensor:
    return torch.tensor(VFT["inputs"][name], dtype=torch.float64)


def holding(keys: Tensor, labels: list[int] | None = None) -> Method:
    method = Method(Context(keys.shape[1], 12, 100), size=len(keys)).double()
    method.rows.copy_(keys)
    method.labels.copy_(torch.tensor(labels or [NOBODY] * len(keys)))
    return method


def two_towers(q: Tensor, k: Tensor) -> Embeddings:
    """First views q, second views k."""
    n = len(q)
    return Embeddings(torch.cat([q, k]), torch.arange(n).repeat(2), torch.arange(n).repeat(2))


def oracle(q: list[list[float]], k: list[list[float]], queue: list[list[float]], temperature: float) -> float:
    """Mean over i of -log(e^(q_i k_i / T) / (e^(q_i k_i / T) + sum_j e^(q_i Q_j / T))), rows scaled to length 1."""

    def cosine(a: list[float], b: list[float]) -> float:
        return sum(x * y for x, y in zip(a, b, strict=True)) / (math.hypot(*a) * math.hypot(*b))

    total = 0.0
    for anchor, key in zip(q, k, strict=True):
        own = math.exp(cosine(anchor, key) / temperature)
        total -= math.log(own / (own + sum(math.exp(cosine(anchor, old) / temperature) for old in queue)))
    return total / len(q)


def test_literal_numbers_of_the_authors_of_paper_18() -> None:
    q = rows("q").requires_grad_()
    batch = two_towers(q, rows("k"))
    (pool,) = holding(rows("queue")).change(plain(batch), moment(batch.z.detach()))
    value = loss(pool.pairs, temperature=0.2)
    value.backward()
    (stored,) = [case for case in VFT["cases"] if case["case"] == "baseline"]
    assert value.item() == pytest.approx(stored["loss"], abs=1e-6)
    logits = torch.cat([pool.pairs.s[:, :4].diagonal()[:, None], pool.pairs.s[:, 4:]], dim=1) / 0.2
    assert torch.allclose(logits, torch.tensor(stored["logits"]).double(), atol=1e-6)
    raw = torch.tensor(stored["grad_q"], dtype=torch.float64)
    tangent = raw - (raw * q.detach()).sum(1, keepdim=True) * q.detach()
    assert torch.allclose(q.grad, tangent, atol=1e-6)


def test_by_hand() -> None:
    # Anchors at 0 and 90 degrees, keys at 60 and 90, one queued row at 180; T = 1.
    # Anchor 1: own key 1/2, queue -1: log(1 + e^-1.5) = 0.201413.
    # Anchor 2: own key 1, queue 0: log(1 + e^-1) = 0.313262.
    q, k, old = (on_circle(angles, [0] * len(angles)).z for angles in ([0, 90], [60, 90], [180]))
    batch = two_towers(q, k)
    (pool,) = holding(old).change(plain(batch), moment(batch.z))
    assert loss(pool.pairs, temperature=1.0).item() == pytest.approx((0.201413 + 0.313262) / 2, abs=1e-6)


@pytest.mark.parametrize("size", [1, 5, 40])
def test_against_plain_loops(size: int) -> None:
    batch = two_views(7, d=5, seed=size)
    old = unit(random_batch(size, 1, d=5, seed=9).z)
    (pool,) = holding(old).change(plain(batch), moment(batch.z))
    expected = oracle(batch.z[:7].tolist(), batch.z[7:].tolist(), old.tolist(), 0.3)
    assert pool.pairs.s.shape == (7, 7 + size)
    assert loss(pool.pairs, temperature=0.3).item() == pytest.approx(expected, abs=1e-9)


def test_with_labels_by_plain_loops() -> None:
    batch = random_batch(6, 3, d=4)
    method = holding(random_batch(5, 1, d=4, seed=1).z, [0, 1, 2, NOBODY, 0])
    (pool,) = method.change(plain(batch), moment(batch.z))
    labels = [*batch.y.tolist(), 0, 1, 2, NOBODY, 0]
    for i, own in enumerate(batch.y.tolist()):
        for j, other in enumerate(labels):
            assert bool(pool.pairs.pos[i, j]) == (own == other and i != j)
            assert bool(pool.pairs.neg[i, j]) == (own != other)


def test_no_gradient_reaches_the_keys() -> None:
    z = two_views(4, d=3).z.requires_grad_()
    batch = Embeddings(z, torch.arange(4).repeat(2), torch.arange(4).repeat(2))
    (pool,) = made("queue", 3, size=6).change(plain(batch), moment(z.detach()))
    loss(pool.pairs).backward()
    assert z.grad is not None
    assert (z.grad[:4].abs().sum(1) > 0).all()
    assert (z.grad[4:] == 0).all()


@pytest.mark.parametrize("size", [3, 5, 8, 20])
def test_the_ring_holds_the_latest_keys(size: int) -> None:
    method = Method(Context(2, 12, 100), size=size).double()
    seen: list[tuple[float, ...]] = [tuple(row) for row in method.rows.tolist()]
    for number in range(4):
        batch = random_batch(5, 2, d=2, seed=number)
        step = moment(batch.z)
        method.change(plain(batch), step)
        method.after(step)
        seen += [tuple(row) for row in (batch.z / batch.z.norm(dim=1, keepdim=True)).tolist()]
    assert {tuple(row) for row in method.rows.round(decimals=9).tolist()} == {
        tuple(row) for row in torch.tensor(seen[-size:], dtype=torch.float64).round(decimals=9).tolist()
    }
    assert int(method.at) == 4 * min(5, size) % size


@pytest.mark.parametrize("momentum", [0.0, 0.9, 1.0])
def test_the_slow_encoder_follows(momentum: float) -> None:
    torch.manual_seed(0)
    encoder = nn.Linear(3, 3).double()
    method = Method(Context(3, 12, 100), size=4, momentum=momentum).double()
    method.start(encoder)
    first = encoder.weight.detach().clone()
    with torch.no_grad():
        encoder.weight += 1.0
    expected = first.clone()
    for _ in range(3):
        method.after(moment(torch.zeros(1, 3), encoder))
        expected = momentum * expected + (1 - momentum) * (first + 1.0)
    assert torch.allclose(method.encoder.weight, expected)
    assert not any(parameter.requires_grad for parameter in method.encoder.parameters())


def test_keys_come_from_the_slow_encoder() -> None:
    encoder = nn.Linear(2, 2, bias=False).double()
    method = Method(Context(2, 12, 100), size=1).double()
    with torch.no_grad():
        encoder.weight.copy_(torch.tensor([[0.0, -1.0], [1.0, 0.0]]))  # a quarter turn
    method.start(encoder)
    with torch.no_grad():
        encoder.weight.copy_(torch.eye(2))
    batch = two_towers(*(on_circle(angles, [0, 1]).z for angles in ([0, 50], [0, 90])))
    (pool,) = method.change(plain(batch), moment(batch.z, encoder))
    assert pool.pairs.s[0, 0].item() == pytest.approx(0.0, abs=1e-12)  # 0 against 0 + 90
    assert pool.pairs.s[1, 1].item() == pytest.approx(math.cos(math.radians(130)), abs=1e-12)


def test_looking_enqueues_nothing() -> None:
    method = made("queue", 3, size=4)
    before = method.state_dict()["rows"].clone()
    batch = random_batch(5, 2, d=3)
    method.change(plain(batch), moment(batch.z, training=False))
    method.after(moment(batch.z))
    assert torch.equal(method.state_dict()["rows"], before)


def test_chance_level_is_that_of_one_positive_among_the_queue() -> None:
    # The value at which a run with 64 queued keys stands while it tells nothing apart: log(1 + 64).
    run = Run(small(pairing="views", methods=(part("queue", size=64),)))
    assert run.snapshot().levels["chance"] == pytest.approx(math.log(65), abs=1e-9)


def test_the_random_rows_of_a_new_queue_are_of_no_class() -> None:
    """Every class of the batch has them as negatives, whatever its number."""
    batch = random_batch(12, 4, d=4)
    (pool,) = Method(Context(4, 12, 100), size=7).double().change(plain(batch), moment(batch.z))
    fresh = pool.pairs.pos[:, -7:], pool.pairs.neg[:, -7:]
    assert batch.y.unique().tolist() == [0, 1, 2, 3]
    assert not fresh[0].any()
    assert fresh[1].all()
