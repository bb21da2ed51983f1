"""UNPG against loops, the stored oracle of the published heads and hand numbers, on all three heads."""

import math
from dataclasses import replace
from types import ModuleType

import pytest
import torch

from models.geometry import Embeddings, Scores
from models.losses import arcface, cosface, unpg
from models.spec import Context
from tests.losses.helpers import on_circle, oracle_numbers, random_batch

BASES = ["cosface", "arcface", "magface"]


def head(classes: int, dim: int, seed: int = 0, **knobs: float | str) -> unpg.Loss:
    torch.manual_seed(seed)
    return unpg.Loss(Context(dim, classes, 100), **knobs).double()


def cosine(a: list[float], b: list[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True)) / math.hypot(*a) / math.hypot(*b)


def filtered(scores: list[float], whisker: float) -> list[float]:
    order = sorted(scores)
    low, high = order[int(0.25 * len(order))], order[int(0.75 * len(order))]
    return [s for s in scores if low - whisker * (high - low) <= s <= high + whisker * (high - low)]


def own_logit(base: str, own: float, margin: float, length: float) -> float:
    grown = 0.45 + 0.0035 * (min(max(length, 10.0), 110.0) - 10.0)
    return {
        "cosface": own - margin,
        "arcface": math.cos(math.acos(own) + margin),
        "magface": math.cos(math.acos(own) + grown) if own > 0 else own,
    }[base]


def by_hand(batch: Embeddings, loss: unpg.Loss) -> float:
    """The paper's sum as loops over items, classes and pairs."""
    rows, labels, proxies = batch.z.tolist(), batch.y.tolist(), loss.proxy.tolist()
    n = len(rows)
    pairs = [cosine(rows[a], rows[b]) for a in range(n) for b in range(a + 1, n) if labels[a] != labels[b]]
    shared = sum(math.exp(loss.scale * v) for v in filtered(pairs, loss.whisker))
    total, lengths = 0.0, []
    for z, y in zip(rows, labels, strict=True):
        to = [cosine(z, w) for w in proxies]
        own = math.exp(loss.scale * own_logit(loss.base, to[y], loss.margin, math.hypot(*z)))
        others = sum(math.exp(loss.scale * c) for k, c in enumerate(to) if k != y)
        total -= math.log(own / (own + others + shared))
        a = min(max(math.hypot(*z), 10.0), 110.0)
        lengths.append(35.0 * (a / 110.0**2 + 1.0 / a))
    return (total + sum(lengths) * (loss.base == "magface")) / n


@pytest.mark.parametrize("whisker", [0.1, 0.5, 1.5])
@pytest.mark.parametrize("base", BASES)
def test_equals_the_loops(base: str, whisker: float) -> None:
    batch = random_batch(13, 4)
    batch = replace(batch, z=12.0 * batch.z)
    loss = head(4, 6, base=base, margin=0.3, scale=9.0, whisker=whisker)
    assert loss(batch).item() == pytest.approx(by_hand(batch, loss), rel=1e-12)


@pytest.mark.parametrize(
    ("key", "knobs"),
    [
        ("CosFace_s64_m0.5_whisker1.5", {}),
        ("CosFace_s8_m0.35_whisker1.5", {"scale": 8.0, "margin": 0.35}),
        ("ArcFace_s8_m0.35_whisker1.5", {"base": "arcface", "scale": 8.0, "margin": 0.35}),
        ("ArcFace_s8_m0.35_whisker0.25", {"base": "arcface", "scale": 8.0, "margin": 0.35, "whisker": 0.25}),
        ("MagFace_s64_whisker1.5", {"base": "magface"}),
    ],
)
def test_equals_the_oracle_with_its_gradients(key: str, knobs: dict[str, float | str]) -> None:
    stored = oracle_numbers("unpg")
    rows = stored["inputs"][{"magface": "x_magface"}.get(str(knobs.get("base")), "x")]
    x = torch.tensor(rows, dtype=torch.float64, requires_grad=True)
    loss = head(4, 4, **knobs)
    loss.proxy.data = torch.tensor(stored["inputs"]["W"], dtype=torch.float64)
    batch = Embeddings(x, torch.tensor(stored["inputs"]["labels"]))
    value = loss(batch)
    assert value.item() == pytest.approx(stored["loss"][key], rel=1e-9)
    value.backward()
    for given, name in ((x, "x"), (loss.proxy, "W")):
        torch.testing.assert_close(
            given.grad, torch.tensor(stored["grad"][key][name], dtype=torch.float64), atol=1e-7, rtol=1e-7
        )
    pairs = loss.score(batch)
    items = pairs.s[:, 4:]
    shown = items[unpg.kept(items, pairs.neg[:, 4:], loss.whisker)].detach().sort().values
    expected = stored.get("kept_negatives", {}).get(key, shown.tolist())
    torch.testing.assert_close(shown, torch.tensor(expected, dtype=torch.float64).sort().values, atol=1e-9, rtol=0)


def test_a_number_checked_by_hand() -> None:
    """Items at 0 and 90 degrees on their proxies, margin 1/2, scale 2: own 2 * (1 - 1/2) = 1, one proxy and one pair.

    log(e + 1 + 1) - 1 = 0.551445.
    """
    loss = head(2, 2, margin=0.5, scale=2.0)
    loss.proxy.data = torch.eye(2, dtype=torch.float64)
    assert loss(on_circle([0, 90], [0, 1])).item() == pytest.approx(0.551445, abs=1e-6)


def test_filter_by_hand() -> None:
    """Eight scores, quartiles number 2 and 6 of the sorted: 0.2 and 0.6; half a range beyond is 0 to 0.8."""
    scores = torch.tensor([[-0.5, 0.1, 0.2, 0.3, -0.9], [0.4, 0.5, 0.6, 0.9, 0.95]])
    mask = torch.tensor([[True, True, True, True, False], [True, True, True, True, False]])
    assert scores[unpg.kept(scores, mask, 0.5)].tolist() == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    assert torch.equal(unpg.kept(scores, mask, 100.0), mask)
    assert not unpg.kept(scores, torch.zeros_like(mask), 1.5).any()


@pytest.mark.parametrize(("base", "plain"), [("cosface", cosface), ("arcface", arcface)])
def test_equals_its_base_where_the_batch_holds_one_class(base: str, plain: ModuleType) -> None:
    batch = Embeddings(random_batch(9, 3).z, torch.full((9,), 2))
    loss = head(4, 6, base=base, margin=0.4, scale=8.0)
    torch.manual_seed(0)
    other = plain.Loss(Context(6, 4, 100), margin=0.4, scale=8.0).double()
    assert loss(batch).item() > 1e-3
    torch.testing.assert_close(loss(batch), other(batch), rtol=1e-12, atol=0)


def test_equals_cosface_where_the_batch_holds_one_class() -> None:
    test_equals_its_base_where_the_batch_holds_one_class("cosface", cosface)


def test_equals_arcface_with_its_base_and_one_class() -> None:
    test_equals_its_base_where_the_batch_holds_one_class("arcface", arcface)


def test_weight_of_a_pair_is_its_share_of_every_row_and_zero_where_filtered() -> None:
    """(scale / n) times the softmax mass over all rows, from the paper's remark; the filtered pair gets nothing."""
    batch = random_batch(10, 3)
    loss = head(3, 6, margin=0.2, scale=4.0, whisker=0.2)
    scores = loss.score(batch)
    s = scores.s.detach().requires_grad_()
    (weight,) = torch.autograd.grad(loss.from_scores(replace(scores, s=s)), s)
    pairs = s[:, 3:][scores.neg[:, 3:]].detach()
    stays = unpg.kept(s[:, 3:], scores.neg[:, 3:], 0.2)[scores.neg[:, 3:]]
    assert 0 < int((~stays).sum()) < len(pairs)
    logits = 4.0 * torch.where(scores.pos[:, :3], s[:, :3] - 0.2, s[:, :3]).detach()
    whole = logits.exp().sum(1) + (4.0 * pairs[stays]).exp().sum()
    share = (4.0 * pairs).exp() * (1.0 / whole).sum() * 4.0 / 10
    found = weight[:, 3:][scores.neg[:, 3:]]
    torch.testing.assert_close(found, torch.where(stays, share, 0.0), rtol=1e-10, atol=0)


def test_magface_asks_more_of_long_embeddings_and_takes_unknown_lengths_for_short() -> None:
    loss = head(2, 2, base="magface", scale=4.0)
    loss.proxy.data = torch.eye(2, dtype=torch.float64)
    batch = on_circle([20, 70], [0, 1])
    short, long = replace(batch, z=10.0 * batch.z), replace(batch, z=110.0 * batch.z)
    kept_up = [35.0 * (a / 110.0**2 + 1.0 / a) for a in (10.0, 110.0)]
    values = [loss(short).item() - kept_up[0], loss(long).item() - kept_up[1]]
    assert values[0] + 0.1 < values[1]
    scores = loss.score(long)
    untold = loss.from_scores(Scores(scores.s, scores.pos, scores.neg))
    assert untold.item() == pytest.approx(values[0] + kept_up[0])


@pytest.mark.parametrize("base", BASES)
def test_gradient_is_numerical_on_every_base(base: str) -> None:
    batch, loss = random_batch(8, 3), head(3, 6, base=base, margin=0.3, scale=5.0)
    z = (9.0 * batch.z).requires_grad_()
    assert torch.autograd.gradcheck(lambda given: loss(replace(batch, z=given)), (z,), atol=1e-6)
    assert torch.autograd.gradcheck(lambda _: loss(batch), (loss.proxy,), atol=1e-6)
