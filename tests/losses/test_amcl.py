"""AMCL against loops, the stored oracle, hand numbers and its limits; both forms."""

import math

import pytest
import torch
from torch import Tensor, nn

from models.geometry import Embeddings, Scores, masks, score
from models.losses import amcl
from models.spec import Context
from tests.losses.helpers import circle, oracle_numbers, random_batch, samples

SAMPLES = samples()
FORMS = ["printed", "smooth"]


def heads(dim: int, seed: int = 0, **knobs: float | str) -> amcl.Loss:
    torch.manual_seed(seed)
    return amcl.Loss(Context(dim, 4, 100), **knobs).double()


def omega(temperature: float, dim: int) -> float:
    return dim / 2 * math.log(temperature) + 1.0 / temperature


def one_head_by_hand(scores: Scores, temperature: list[list[float]], beta: float, dim: int, form: str) -> float:
    """The loss table's expression as loops over anchors and positives."""
    terms = []
    for i, (row, warm) in enumerate(zip(scores.s.tolist(), temperature, strict=True)):
        rivals = [k for k in range(len(row)) if scores.neg[i, k]]
        push = 0.0
        if rivals:
            hardest = max(rivals, key=lambda k, row=row: row[k])
            printed = row[hardest] / warm[hardest]
            smooth = math.log(sum(math.exp(row[k] / warm[k]) for k in rivals))
            push = {"printed": printed, "smooth": smooth}[form] - beta * omega(warm[hardest], dim)
        for j in (j for j in range(len(row)) if scores.pos[i, j]):
            terms.append(-row[j] / warm[j] + beta * omega(warm[j], dim) + push)
    return sum(terms) / max(len(terms), 1)


def by_hand(batch: Embeddings, loss: amcl.Loss) -> float:
    """Blocks, temperatures and heads one by one."""
    size = math.ceil(batch.z.shape[1] / loss.heads)
    total = 0.0
    for head in range(loss.heads):
        rows = []
        for row in batch.z[:, head * size : (head + 1) * size].tolist():
            length = math.hypot(*row)
            rows.append([v / length if length else 0.0 for v in row] + [0.0] * (batch.z.shape[1] - len(row)))
        z = torch.tensor(rows, dtype=torch.float64)
        seen = loss.phi(z).detach()
        gate = (1.0 / (1.0 + (-(seen @ seen.T)).exp())).tolist()
        warm = [[loss.coldest + (loss.hottest - loss.coldest) * g for g in row] for row in gate]
        total += one_head_by_hand(Scores(z @ z.T, *masks(batch)), warm, loss.beta, size, loss.form)
    return total


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("count", [1, 2, 4])
@pytest.mark.parametrize("name", ["balanced", "many classes", "one class large", "easy", "views"])
def test_equals_the_loops(name: str, count: int, form: str) -> None:
    """Four heads of six columns: two columns each, and the last head has none, only the filling."""
    loss = heads(6, heads=count, form=form)
    value = loss(SAMPLES[name]).item()
    assert abs(value) > 1e-3
    assert value == pytest.approx(by_hand(SAMPLES[name], loss), rel=1e-9)


@pytest.mark.parametrize("form", FORMS)
def test_degenerate_batches_equal_the_loops(form: str) -> None:
    for name in ("one sample", "no positive", "no negative", "one anchor without positive"):
        loss = heads(2, heads=2, form=form)
        assert loss(SAMPLES[name]).item() == pytest.approx(by_hand(SAMPLES[name], loss), rel=1e-9, abs=1e-12), name


def test_equals_the_oracle_with_all_its_gradients() -> None:
    """Two heads of four columns, temperatures given: value, both views and both kinds of temperature."""
    stored = oracle_numbers("amcl")
    given = {name: torch.tensor(x, dtype=torch.float64, requires_grad=True) for name, x in stored["inputs"].items()}
    first, second = given["view1"], given["view2"]  # (heads, n, d)
    item = torch.arange(4)
    warm = torch.where(torch.eye(4, dtype=torch.bool), given["tau_pos"][:, :, None], given["tau_neg"])
    value = torch.zeros((), dtype=torch.float64)
    for a, b, temperature in zip(first, second, warm, strict=True):
        pairs = masks(Embeddings(a, item, item), Embeddings(b, item, item))
        value = value + amcl.race(Scores(a @ b.T, *pairs), temperature, 0.1, 4, "printed")
    assert value.item() == pytest.approx(stored["loss"], abs=1e-9)
    names = list(given)
    for name, grad in zip(names, torch.autograd.grad(value, [given[name] for name in names]), strict=True):
        torch.testing.assert_close(grad, torch.tensor(stored["grad"][name], dtype=torch.float64), atol=1e-8, rtol=0)


def test_blocks_of_the_embedding_are_the_heads_of_the_oracle() -> None:
    """The stored heads side by side in one embedding give the scores of each head, masks repeated."""
    stored = oracle_numbers("amcl")["inputs"]
    views = [torch.tensor(stored[name], dtype=torch.float64) for name in ("view1", "view2")]
    item = torch.arange(4)
    joined = [Embeddings(view.transpose(0, 1).flatten(1), item, item) for view in views]
    scores = heads(8, heads=2).score(*joined)
    expected = torch.cat([a @ b.T for a, b in zip(*views, strict=True)], dim=1)
    torch.testing.assert_close(scores.s, expected, atol=1e-12, rtol=0)
    assert torch.equal(scores.pos, torch.eye(4, dtype=torch.bool).repeat(1, 2))
    assert torch.equal(scores.neg, ~scores.pos)


def test_a_number_checked_by_hand() -> None:
    """Items at 0 and 60 | 90 and 180 degrees, all at temperature 1/2, beta 1/10, two columns: the terms of O cancel.

    Anchor at 0: -1 + 0 printed, -1 + log(1 + e^-2) smooth. O(1/2) = log(1/2) + 2 = 1.306853.
    """
    scores = circle([0, 60, 90, 180], [0, 0, 1, 2])
    row = Scores(scores.s[:1], scores.pos[:1], scores.neg[:1])
    warm = torch.full((1, 4), 0.5, dtype=torch.float64)
    assert amcl.race(row, warm, 0.1, 2, "printed").item() == pytest.approx(-1.0)
    assert amcl.race(row, warm, 0.1, 2, "smooth").item() == pytest.approx(-1.0 + math.log(1 + math.exp(-2)))
    warm[0, 1] = 1.0  # the positive: -1/2 and O(1) = 1
    value = amcl.race(row, warm, 0.1, 2, "printed").item()
    assert value == pytest.approx(-0.5 + 0.1 * (1.0 - 1.306853), abs=1e-7)


def still(loss: amcl.Loss) -> amcl.Loss:
    """phi that gives 0: every temperature halfway between its bounds."""
    nn.init.zeros_(loss.phi[2].weight)
    nn.init.zeros_(loss.phi[2].bias)
    return loss


def test_equals_infonce_without_the_positive_below_at_one_temperature() -> None:
    batch = random_batch(12, 3)
    loss = still(heads(6, heads=1, beta=0.0, coldest=0.1, hottest=0.5))
    logits = score(batch).s / 0.3
    pos, neg = masks(batch)
    expected = (logits.masked_fill(~neg, -torch.inf).logsumexp(1, keepdim=True) - logits)[pos].mean()
    assert abs(expected.item()) > 1e-3
    torch.testing.assert_close(loss(batch), expected, rtol=1e-12, atol=0)


def test_untold_temperatures_are_the_hottest() -> None:
    scores = circle([0, 60, 90, 180], [0, 0, 1, 2])
    expected = amcl.race(scores, torch.full_like(scores.s, 0.4), 0.1, 1, "smooth")
    torch.testing.assert_close(heads(2, hottest=0.4).from_scores(scores), expected, rtol=1e-12, atol=0)


def test_weights_are_one_over_temperature_and_the_printed_form_pushes_one_negative() -> None:
    batch, loss = random_batch(9, 3), heads(6, heads=2, form="printed")
    scores = loss.score(batch)
    held = type(scores)(
        scores.s.detach().requires_grad_(),
        scores.pos,
        scores.neg,
        temperature=scores.temperature.detach(),
        heads=2,
        dim=scores.dim,
    )
    (weight,) = torch.autograd.grad(loss.from_scores(held), held.s)
    pairs = int(scores.pos.sum()) // 2
    torch.testing.assert_close(weight[scores.pos], -1.0 / (pairs * held.temperature[scores.pos]))
    assert [int((weight[:, part] > 0).sum(1).max()) for part in (slice(0, 9), slice(9, 18))] == [1, 1]


def trained(form: str, hottest: float, steps: int) -> tuple[amcl.Loss, Tensor, Scores]:
    batch, loss = random_batch(24, 4, spread=0.6), heads(6, heads=1, form=form, hottest=hottest)
    z = batch.z.clone().requires_grad_()
    optimiser = torch.optim.Adam([z, *loss.parameters()], lr=0.02)
    for _ in range(steps):
        optimiser.zero_grad()
        loss(Embeddings(z, batch.y)).backward()
        optimiser.step()
    found = Embeddings(z.detach(), batch.y)
    return loss, loss.score(found).temperature.detach(), score(found)


def test_smooth_form_separates_and_is_stable() -> None:
    loss, temperature, scores = trained("smooth", 0.5, steps=100)
    assert scores.s[scores.pos].mean().item() > 0.95
    assert scores.s[scores.neg].max().item() < 0.5
    assert loss.coldest <= temperature.min().item() <= temperature.max().item() <= loss.hottest


def test_printed_form_with_the_bound_of_the_code_merges_classes() -> None:
    """Up to temperature 2 the positives turn hot and two of the four classes fall into one place."""
    _, temperature, scores = trained("printed", 2.0, steps=400)
    assert temperature[scores.pos].min().item() > 1.9
    assert scores.s[scores.neg].max().item() > 0.99


def test_gradient_of_the_network_is_numerical() -> None:
    batch, loss = random_batch(7, 3), heads(6, heads=2)
    last = loss.phi[2]
    assert torch.autograd.gradcheck(lambda *_: loss(batch), (last.weight, last.bias), atol=1e-6)


def test_network_sees_the_embedding_without_gradient() -> None:
    """A loss of the temperatures alone leaves the embeddings untouched and teaches the network."""
    loss, z = heads(6), random_batch(8, 3).z.requires_grad_()
    scores = loss.score(Embeddings(z, torch.arange(8) % 3))
    (none,) = torch.autograd.grad(scores.temperature.sum(), z, allow_unused=True, retain_graph=True)
    assert none is None
    (some,) = torch.autograd.grad(scores.temperature.sum(), loss.phi[0].weight)
    assert some.abs().max().item() > 0
