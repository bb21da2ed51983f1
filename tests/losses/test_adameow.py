"""AdaMEOW against loops, the stored oracle with its network, hand numbers and InfoNCE."""

import math

import pytest
import torch
from torch import nn

from models.geometry import Embeddings, Scores, score
from models.losses import adameow, infonce
from models.spec import Context
from tests.losses.helpers import circle, on_circle, oracle_numbers, plain, positives, random_batch, samples

SAMPLES = samples()


def weigher(dim: int, seed: int = 0, **knobs: float | str) -> adameow.Loss:
    torch.manual_seed(seed)
    return adameow.Loss(Context(dim, 4, 100), **knobs).double()


def weight_by_hand(loss: adameow.Loss, a: list[float], b: list[float]) -> float:
    """sigma(w2 tanh(W1 (a + b) + b1) + b2) as loops over hidden units."""
    out = loss.out.bias.item()
    for w1, b1, w2 in zip(
        loss.hidden.weight.tolist(), loss.hidden.bias.tolist(), loss.out.weight[0].tolist(), strict=True
    ):
        out += w2 * math.tanh(sum(w * (x + y) for w, x, y in zip(w1, a, b, strict=True)) + b1)
    return 1.0 / (1.0 + math.exp(-out))


def by_hand(batch: Embeddings, loss: adameow.Loss) -> float:
    cosines, group = plain(batch)
    rows = [[v / math.hypot(*row) for v in row] for row in batch.z.tolist()]
    terms = []
    for i, z in enumerate(rows):
        for j in positives(i, group):
            chosen = [j] + [k for k, g in enumerate(group) if g != group[i]]
            gamma = {k: weight_by_hand(loss, z, rows[k]) for k in chosen}
            mean = sum(gamma.values()) / len(gamma) if loss.weights == "mean one" else 1.0
            whole = sum(gamma[k] / mean * math.exp(cosines[i][k] / loss.temperature) for k in chosen)
            terms.append(-math.log(math.exp(cosines[i][j] / loss.temperature) / whole))
    return sum(terms) / max(len(terms), 1)


@pytest.mark.parametrize("weights", ["free", "mean one"])
@pytest.mark.parametrize("name", SAMPLES)
def test_equals_the_loops(name: str, weights: str) -> None:
    batch = SAMPLES[name]
    loss = weigher(batch.z.shape[1], temperature=0.3, weights=weights)
    assert loss(batch).item() == pytest.approx(by_hand(batch, loss), rel=1e-9, abs=1e-12)


def test_equals_the_oracle_with_its_gradients() -> None:
    stored = oracle_numbers("adameow_infonce")
    given = {name: torch.tensor(rows, dtype=torch.float64) for name, rows in stored["inputs"].items()}
    loss = weigher(4, temperature=stored["hyperparameters"]["tau"])
    loss.hidden, loss.out = nn.Linear(4, 3).double(), nn.Linear(3, 1).double()
    loss.load_state_dict(
        {"hidden.weight": given["W1"], "hidden.bias": given["b1"], "out.weight": given["W2"], "out.bias": given["b2"]}
    )
    towers = [given[name].requires_grad_() for name in ("anchor_fine", "other_coarse")]
    instance = torch.arange(8)
    scores = loss.score(*(Embeddings(z, instance, instance) for z in towers))
    value = loss.from_scores(scores)
    assert value.item() == pytest.approx(stored["loss"], abs=1e-7)
    *grads, bias = torch.autograd.grad(value, [*towers, loss.out.bias])
    assert bias.item() == pytest.approx(stored["grad"]["b2"][0], abs=1e-7)
    for z, grad, name in zip(towers, grads, ("anchor", "other"), strict=True):
        raw = torch.tensor(stored["grad"][name], dtype=torch.float64)
        tangent = raw - (raw * z).sum(1, keepdim=True) * z  # the oracle does not normalise inside
        torch.testing.assert_close(grad, tangent.detach(), atol=1e-6, rtol=0)


def test_a_number_checked_by_hand() -> None:
    """Items at 0, 0 and 90 degrees, T = 1, all weights sigma(0) = 1/2: log((e + 1) / 2) - 1 = -0.379885."""
    loss = weigher(2, temperature=1.0)
    nn.init.zeros_(loss.out.weight)
    nn.init.zeros_(loss.out.bias)
    assert loss(on_circle([0, 0, 90], [0, 0, 1])).item() == pytest.approx(-0.379885, abs=1e-6)


def test_equals_infonce_where_all_weights_are_alike_and_their_mean_is_one() -> None:
    batch, loss = random_batch(12, 3), weigher(6, temperature=0.3, weights="mean one")
    nn.init.zeros_(loss.out.weight)
    expected = infonce.loss(score(batch), temperature=0.3)
    assert expected.item() > 1e-3
    torch.testing.assert_close(loss(batch), expected, rtol=1e-12, atol=0)


def test_untold_weights_are_one() -> None:
    scores = circle([0, 20, 100], [0, 0, 1])
    told = Scores(scores.s, scores.pos, scores.neg)
    expected = infonce.loss(scores, temperature=0.9)
    torch.testing.assert_close(weigher(2).from_scores(told), expected, rtol=1e-12, atol=0)


def test_free_weights_shrink_and_weights_of_mean_one_do_not() -> None:
    """The slope of the output bias is always positive when free; of mean one, a common factor changes nothing."""
    batch = random_batch(20, 4, spread=0.5)
    mean, slopes = [], []
    for weights in ("free", "mean one"):
        loss = weigher(6, weights=weights)
        optimiser = torch.optim.Adam(loss.parameters(), lr=0.05)
        for _ in range(60):
            optimiser.zero_grad()
            loss(batch).backward()
            slopes.append((weights, loss.out.bias.grad.item()))
            optimiser.step()
        mean.append(loss.score(batch).log_weight.exp().mean().item())
    assert min(slope for weights, slope in slopes if weights == "free") > 0
    assert mean[0] < 0.1 < mean[1]


def test_weights_of_pairs_are_symmetric_and_pushes_follow_them() -> None:
    batch, loss = random_batch(9, 3), weigher(6, seed=1)
    scores = loss.score(batch)
    log_weight = scores.log_weight.detach()
    torch.testing.assert_close(log_weight, log_weight.T)
    assert log_weight.std().item() > 0.01
    flat = type(scores)(torch.zeros_like(scores.s).requires_grad_(), scores.pos, scores.neg, log_weight=log_weight)
    (push,) = torch.autograd.grad(loss.from_scores(flat), flat.s)
    row = scores.neg[0]
    torch.testing.assert_close(push[0, row] / push[0, row].sum(), log_weight[0, row].softmax(0))


def test_gradient_is_numerical_with_that_of_the_network() -> None:
    batch, loss = random_batch(8, 3), weigher(6, temperature=0.4, weights="mean one")
    assert torch.autograd.gradcheck(lambda *_: loss(batch), tuple(loss.parameters()), atol=1e-7)
