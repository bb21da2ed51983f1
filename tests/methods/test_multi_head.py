import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from models.geometry import Embeddings, score
from models.losses.infonce import loss
from models.method_common import Pool
from models.methods.multi_head import Method
from models.spec import Context
from models.training.run import Run
from tests.losses.helpers import on_circle, oracle_numbers, random_batch, two_views
from tests.methods.helpers import Bench, made, moment, plain
from tests.training.helpers import part, small

AMCL = oracle_numbers("amcl")


class Given(nn.Module):
    """A head that gives these rows, whatever it reads."""

    def __init__(self, rows: Tensor) -> None:
        super().__init__()
        self.rows = rows

    def forward(self, z: Tensor) -> Tensor:
        return self.rows


def with_heads(dim: int, heads: list[nn.Module]) -> Method:
    method = Method(Context(dim, 12, 100))
    method.heads = nn.ModuleList(heads)
    return method.double()


def literal(s: Tensor, tau_pos: list[float], tau_neg: list[list[float]], beta: float, d: int) -> Tensor:
    """Paper 2, equation 2.1, one head: the positive, and the hardest negative alone, each with a temperature."""

    def omega(tau: float) -> float:
        return d / 2 * math.log(tau) + 1 / tau

    total = torch.zeros((), dtype=torch.float64)
    for i in range(len(s)):
        hardest = max((j for j in range(len(s)) if j != i), key=lambda j: s[i, j].item())
        own, other = tau_pos[i], tau_neg[i][hardest]
        total = total - s[i, i] / own + s[i, hardest] / other + beta * (omega(own) - omega(other))
    return total / len(s)


def test_literal_numbers_of_two_heads() -> None:
    inputs, setting = AMCL["inputs"], AMCL["hyperparameters"]
    views = [
        torch.tensor(inputs[name], dtype=torch.float64, requires_grad=True) for name in ("view1", "view2")
    ]  # (heads, 4, 4) each
    method = with_heads(4, [Given(torch.cat([view[c] for view in views])) for c in range(setting["C"])])
    batch = two_views(4, d=4)
    pools = method.change(plain(batch), moment(batch.z))
    value = torch.stack(
        [
            literal(pool.pairs.s[:4, 4:], inputs["tau_pos"][c], inputs["tau_neg"][c], setting["beta"], 4)
            for c, pool in enumerate(pools)
        ]
    ).sum()
    value.backward()
    assert len(pools) == 2
    assert value.item() == pytest.approx(AMCL["loss"], abs=1e-6)
    for name, view in zip(("view1", "view2"), views, strict=True):
        raw, rows = torch.tensor(AMCL["grad"][name], dtype=torch.float64), view.detach()
        tangent = raw - (raw * rows).sum(2, keepdim=True) * rows
        assert torch.allclose(view.grad, tangent, atol=1e-6)


def head_oracle(z: list[float], first: tuple[list, list], second: tuple[list, list]) -> list[float]:
    """Two layers with ReLU between, number by number."""
    hidden = [max(sum(w * x for w, x in zip(row, z, strict=True)) + b, 0.0) for row, b in zip(*first, strict=True)]
    return [sum(w * x for w, x in zip(row, hidden, strict=True)) + b for row, b in zip(*second, strict=True)]


def oracle(z: list[list[float]], y: list[int]) -> float:
    """InfoNCE at temperature 0.1: mean over positive pairs of log(1 + sum over negatives of e^((s_n - s_p) / T))."""

    def cosine(a: list[float], b: list[float]) -> float:
        return sum(p * q for p, q in zip(a, b, strict=True)) / (math.hypot(*a) * math.hypot(*b))

    n, terms = len(y), []
    for i in range(n):
        negatives = [cosine(z[i], z[k]) for k in range(n) if y[k] != y[i]]
        for j in range(n):
            if j != i and y[j] == y[i]:
                own = cosine(z[i], z[j])
                terms.append(math.log(1 + sum(math.exp((other - own) / 0.1) for other in negatives)))
    return sum(terms) / len(terms)


@pytest.mark.parametrize("heads", [1, 2, 5])
def test_the_loss_is_the_sum_over_heads_by_plain_loops(heads: int) -> None:
    batch, bench = random_batch(9, 3, d=4), Bench("multi_head", 4, heads=heads, width=4)
    rows = bench.encoder(batch.z).tolist()
    expected = 0.0
    for head in bench.chain["multi_head"].heads:  # type: ignore[union-attr]
        layers = [(layer.weight.tolist(), layer.bias.tolist()) for layer in (head[0], head[2])]  # type: ignore[index]
        expected += oracle([head_oracle(row, *layers) for row in rows], batch.y.tolist())
    assert bench.step(batch)[0].item() == pytest.approx(expected, abs=1e-9)


def test_by_hand() -> None:
    # Two at 0 deg, one at 90 deg, T = 1. A head that changes nothing gives log(1 + 1/e) = 0.313262; one that gives one
    # row for all gives log 2 = 0.693147: 1.006409 together.
    batch = on_circle([0, 0, 90], [0, 0, 1])
    method = with_heads(2, [nn.Identity(), Given(torch.ones(3, 2, dtype=torch.float64))])
    pools = method.change(plain(batch), moment(batch.z))
    total = sum(loss(pool.pairs, temperature=1.0).item() for pool in pools)
    assert total == pytest.approx(1.006409, abs=1e-6)


def test_heads_read_anchors_and_candidates_alike_and_keep_the_pairs() -> None:
    batch, others = random_batch(5, 2), random_batch(7, 2, seed=1)
    pool = Pool(batch, others, score(batch, others))
    method = made("multi_head", 6)
    changed = method.change(pool, moment(batch.z))
    for head, one in zip(method.heads, changed, strict=True):  # type: ignore[arg-type]
        expected = score(replace(batch, z=head(batch.z)), replace(others, z=head(others.z)))
        assert torch.equal(one.pairs.s, expected.s)
        assert torch.equal(one.pairs.pos, pool.pairs.pos)
        assert torch.equal(one.pairs.neg, pool.pairs.neg)
    assert len({one.pairs.s.sum().item() for one in changed}) == 3


def test_before_a_loss_that_reads_embeddings_each_head_gives_its_rows() -> None:
    batch = random_batch(5, 2)
    method = made("multi_head", 6, heads=2)
    pools = method.change(Pool(batch, None, None), moment(batch.z))
    assert [pool.scores for pool in pools] == [None, None]
    for head, one in zip(method.heads, pools, strict=True):  # type: ignore[arg-type]
        assert torch.equal(one.anchors.z, head(batch.z))
    run = Run(small("arcface", methods=(part("multi_head"),)))
    run.advance(3)
    assert run.snapshot().lens is not None


def test_every_head_is_trained_and_stays_its_own() -> None:
    run = Run(small(methods=(part("multi_head", heads=2, width=8),)))
    before = {name: p.detach().clone() for name, p in run.chain.named_parameters()}
    run.advance(20)
    after = dict(run.chain.named_parameters())
    assert len(before) == 8
    assert [name for name in before if torch.equal(before[name], after[name])] == []
    assert not torch.equal(after["multi_head.heads.0.0.weight"], after["multi_head.heads.1.0.weight"])


def test_labels_stay() -> None:
    batch = Embeddings(random_batch(4, 2).z, torch.tensor([3, 3, 5, 5]))
    (first, *_) = made("multi_head", 6).change(plain(batch), moment(batch.z))
    assert torch.equal(first.anchors.y, batch.y)
