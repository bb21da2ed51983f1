"""CosFace against loops, the oracle of the published heads, pytorch-metric-learning and hand numbers."""

import math

import pytest
import torch
from pytorch_metric_learning.losses import CosFaceLoss

from models.geometry import Embeddings, Scores
from models.losses import cosface
from models.spec import Context
from tests.losses.helpers import oracle_numbers, random_batch


def head(classes: int, dim: int, seed: int = 0, **knobs: float) -> cosface.Loss:
    torch.manual_seed(seed)
    return cosface.Loss(Context(dim, classes, 100), **knobs).double()


def by_hand(batch: Embeddings, proxy: torch.Tensor, margin: float, scale: float) -> float:
    """Equation 4 as loops over items and classes."""
    total = 0.0
    for z, y in zip(batch.z.tolist(), batch.y.tolist(), strict=True):
        cosines = []
        for w in proxy.tolist():
            dot = sum(a * b for a, b in zip(z, w, strict=True))
            cosines.append(dot / math.hypot(*z) / math.hypot(*w))
        own = math.exp(scale * (cosines[y] - margin))
        others = sum(math.exp(scale * c) for k, c in enumerate(cosines) if k != y)
        total -= math.log(own / (own + others))
    return total / len(batch.y)


@pytest.mark.parametrize(("margin", "scale"), [(0.0, 1.0), (0.35, 8.0), (1.0, 30.0)])
def test_equals_the_loops(margin: float, scale: float) -> None:
    batch, loss = random_batch(11, 4), head(4, 6, margin=margin, scale=scale)
    assert loss(batch).item() == pytest.approx(by_hand(batch, loss.proxy, margin, scale), rel=1e-12)


@pytest.mark.parametrize(("key", "margin", "scale"), [("CosFace_s64_m0.5", 0.5, 64.0), ("CosFace_s8_m0.35", 0.35, 8.0)])
def test_equals_the_oracle_with_its_gradients(key: str, margin: float, scale: float) -> None:
    stored = oracle_numbers("proxy_heads")
    x = torch.tensor(stored["inputs"]["x"], dtype=torch.float64, requires_grad=True)
    loss = head(4, 4, margin=margin, scale=scale)
    loss.proxy.data = torch.tensor(stored["inputs"]["W"], dtype=torch.float64)
    value = loss(Embeddings(x, torch.tensor(stored["inputs"]["labels"])))
    assert value.item() == pytest.approx(stored["loss"][key], rel=1e-12)
    value.backward()
    for given, name in ((x, "x"), (loss.proxy, "W")):
        torch.testing.assert_close(given.grad, torch.tensor(stored["grad"][key][name]).double(), atol=2e-6, rtol=1e-6)


def test_equals_the_library() -> None:
    batch, loss = random_batch(30, 5, seed=3), head(5, 6, margin=0.2, scale=16.0)
    theirs = CosFaceLoss(5, 6, margin=0.2, scale=16.0)
    theirs.W.data = loss.proxy.data.T.clone()
    torch.testing.assert_close(loss(batch), theirs(batch.z, batch.y), rtol=1e-12, atol=0)


def test_a_number_checked_by_hand() -> None:
    """Cosine 1/2 to the own proxy and 0 to the other, margin 1/4, scale 4: softplus(4 (0 - 1/4))."""
    scores = Scores(torch.tensor([[0.5, 0.0]]), torch.tensor([[True, False]]), torch.tensor([[False, True]]))
    assert head(2, 2, margin=0.25, scale=4.0).from_scores(scores).item() == pytest.approx(math.log1p(math.exp(-1.0)))


def test_knobs_may_be_set_while_running() -> None:
    batch, loss = random_batch(11, 4), head(4, 6)
    loss.margin, loss.scale = 0.1, 5.0
    assert loss(batch).item() == pytest.approx(by_hand(batch, loss.proxy, 0.1, 5.0), rel=1e-12)


def test_proxies_learn() -> None:
    batch, loss = random_batch(40, 4, spread=0.3), head(4, 6, scale=16.0)
    optimiser = torch.optim.Adam(loss.parameters(), lr=0.05)
    first = loss(batch).item()
    for _ in range(60):
        optimiser.zero_grad()
        loss(batch).backward()
        optimiser.step()
    assert loss(batch).item() < 0.2 * first
    assert (loss.score(batch).s.argmax(1) == batch.y).all()
