"""ArcFace against loops, the oracle of the published heads, pytorch-metric-learning, hand numbers and its two traps."""

import math

import pytest
import torch
from pytorch_metric_learning.losses import ArcFaceLoss

from models.geometry import Embeddings, Scores
from models.losses import arcface, cosface
from models.spec import Context
from tests.losses.helpers import oracle_numbers, random_batch


def head(classes: int, dim: int, seed: int = 0, **knobs: float) -> arcface.Loss:
    torch.manual_seed(seed)
    return arcface.Loss(Context(dim, classes, 100), **knobs).double()


def turned(cosine: float, margin: float) -> float:
    """Cosine of the angle plus the margin; past pi the line that the standard implementations go on with."""
    angle = math.acos(cosine)
    return math.cos(angle + margin) if angle + margin <= math.pi else math.cos(angle) - margin * math.sin(margin)


def by_hand(batch: Embeddings, proxy: torch.Tensor, margin: float, scale: float) -> float:
    """Equation 3 as loops over items and classes."""
    total = 0.0
    for z, y in zip(batch.z.tolist(), batch.y.tolist(), strict=True):
        cosines = []
        for w in proxy.tolist():
            dot = sum(a * b for a, b in zip(z, w, strict=True))
            cosines.append(dot / math.hypot(*z) / math.hypot(*w))
        own = math.exp(scale * turned(cosines[y], margin))
        others = sum(math.exp(scale * c) for k, c in enumerate(cosines) if k != y)
        total -= math.log(own / (own + others))
    return total / len(batch.y)


@pytest.mark.parametrize(("margin", "scale"), [(0.0, 1.0), (0.5, 8.0), (1.5, 30.0)])
def test_equals_the_loops(margin: float, scale: float) -> None:
    batch, loss = random_batch(11, 4), head(4, 6, margin=margin, scale=scale)
    assert loss(batch).item() == pytest.approx(by_hand(batch, loss.proxy, margin, scale), rel=1e-12)


def test_equals_the_oracle_with_its_gradients() -> None:
    stored = oracle_numbers("proxy_heads")
    x = torch.tensor(stored["inputs"]["x"], dtype=torch.float64, requires_grad=True)
    loss = head(4, 4, margin=0.5, scale=64.0)
    loss.proxy.data = torch.tensor(stored["inputs"]["W"], dtype=torch.float64)
    value = loss(Embeddings(x, torch.tensor(stored["inputs"]["labels"])))
    assert value.item() == pytest.approx(stored["loss"]["ArcFace_s64_m0.5"], rel=1e-12)
    value.backward()
    for given, name in ((x, "x"), (loss.proxy, "W")):
        expected = torch.tensor(stored["grad"]["ArcFace_s64_m0.5"][name]).double()
        torch.testing.assert_close(given.grad, expected, atol=2e-6, rtol=1e-6)


@pytest.mark.parametrize("margin", [0.3, 1.5])
def test_equals_the_library(margin: float) -> None:
    """At the larger margin many angles pass pi, so both branches are compared."""
    batch, loss = random_batch(60, 5, seed=3), head(5, 6, margin=margin, scale=16.0)
    theirs = ArcFaceLoss(5, 6, margin=math.degrees(margin), scale=16.0)
    theirs.W.data = loss.proxy.data.T.clone()
    passes = torch.acos(loss.score(batch).s[loss.score(batch).pos]) + margin > math.pi
    assert bool(passes.any()) == (margin > 1.0)
    torch.testing.assert_close(loss(batch), theirs(batch.z, batch.y), rtol=1e-10, atol=0)


def test_a_number_checked_by_hand() -> None:
    """60 degrees to the own proxy and a margin of 30: the own logit is that of 90 degrees, as is the other's."""
    scores = Scores(torch.tensor([[0.5, 0.0]]), torch.tensor([[True, False]]), torch.tensor([[False, True]]))
    value = head(2, 2, margin=math.pi / 6, scale=4.0).from_scores(scores)
    assert value.item() == pytest.approx(math.log(2), rel=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_finite_gradient_where_the_arc_cosine_has_none(dtype: torch.dtype) -> None:
    edge = 1.0 - torch.finfo(dtype).eps
    cosine = torch.tensor([1.0, edge, 0.0, -edge, -1.0], dtype=dtype, requires_grad=True)
    value = arcface.with_margin(cosine, 0.5)
    expected = [turned(c, 0.5) for c in cosine.tolist()]
    torch.testing.assert_close(value, torch.tensor(expected, dtype=dtype), atol=1e-3, rtol=0)
    (slope,) = torch.autograd.grad(value.sum(), cosine)
    assert torch.isfinite(slope).all()
    assert (slope > 0).all()


def test_always_rises_with_the_cosine() -> None:
    """Also across the seam at pi - margin, where the plain cosine of the sum would turn back."""
    cosine = torch.linspace(-1.0, 1.0, 4001, dtype=torch.float64)
    for margin in (0.1, 0.5, 1.5):
        assert (arcface.with_margin(cosine, margin).diff() > 0).all()


def test_equals_cosface_at_margin_0() -> None:
    batch, loss = random_batch(11, 4), head(4, 6, margin=0.0)
    torch.manual_seed(0)
    other = cosface.Loss(Context(6, 4, 100), margin=0.0).double()
    torch.testing.assert_close(loss(batch), other(batch))


def test_knobs_may_be_set_while_running() -> None:
    batch, loss = random_batch(11, 4), head(4, 6)
    loss.margin, loss.scale = 0.1, 5.0
    assert loss(batch).item() == pytest.approx(by_hand(batch, loss.proxy, 0.1, 5.0), rel=1e-12)
