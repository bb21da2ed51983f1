from typing import Any

import pytest
import torch
from torch import Tensor

from models.fused_softmax import row_logsumexp
from models.geometry import Embeddings, score
from models.losses import infonce, supcon
from models.objective import Objective
from models.spec import Context
from models.training.config import Part
from tests.losses import helpers

MODULES = {"infonce": infonce, "supcon": supcon}
BATCHES = {
    **helpers.samples(),
    "several blocks": helpers.random_batch(700, 10, d=8, seed=6),
    "views in several blocks": helpers.two_views(300, d=8, seed=7),
    "many small classes": helpers.random_batch(601, 150, d=8, seed=8),
}


def value_and_gradient(loss: Any, batch: Embeddings, dtype: torch.dtype, temperature: float) -> tuple[Tensor, Tensor]:
    z = batch.z.to(dtype).clone().requires_grad_()
    value = loss(Embeddings(z, batch.y, batch.instance), temperature=temperature)
    (gradient,) = torch.autograd.grad(value, z)
    return value.detach(), gradient


def dense(module: Any) -> Any:
    return lambda batch, temperature: module.loss(score(batch), temperature=temperature)


@pytest.mark.parametrize("temperature", [0.01, 0.02, 0.1, 1.0])
@pytest.mark.parametrize("name", BATCHES)
@pytest.mark.parametrize("key", MODULES)
def test_equals_dense_in_double(key: str, name: str, temperature: float) -> None:
    module, batch = MODULES[key], BATCHES[name]
    value, gradient = value_and_gradient(module.fused, batch, torch.float64, temperature)
    expected, slope = value_and_gradient(dense(module), batch, torch.float64, temperature)
    torch.testing.assert_close(value, expected, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(gradient, slope, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("temperature", [0.01, 0.02, 0.1, 1.0])
@pytest.mark.parametrize("name", BATCHES)
@pytest.mark.parametrize("key", MODULES)
def test_single_precision_is_as_good_as_dense(key: str, name: str, temperature: float) -> None:
    # Both are off the double-precision value by rounding of scores, which a cold temperature divides by T.
    module, batch = MODULES[key], BATCHES[name]
    value, gradient = value_and_gradient(module.fused, batch, torch.float32, temperature)
    expected, slope = value_and_gradient(dense(module), batch, torch.float64, temperature)
    assert value.dtype == torch.float32
    tolerance = 1e-6 * max(1.0, 0.1 / temperature)
    torch.testing.assert_close(value.double(), expected, rtol=tolerance, atol=tolerance)
    torch.testing.assert_close(gradient.double(), slope, rtol=1e-4, atol=tolerance * max(1.0, slope.abs().max().item()))


@pytest.mark.parametrize("key", MODULES)
def test_gradient_is_numerical(key: str) -> None:
    batch = helpers.random_batch(9, 3)

    def of(z: Tensor) -> Tensor:
        value: Tensor = MODULES[key].fused(Embeddings(z, batch.y), temperature=0.2)
        return value

    assert torch.autograd.gradcheck(of, (batch.z.clone().requires_grad_(),), eps=1e-6, atol=1e-7)


@pytest.mark.parametrize("key", MODULES)
def test_used_twice_in_one_step(key: str) -> None:
    # Two temperatures on one graph, one of them scaled, and a second backward pass over the kept graph.
    module, batch = MODULES[key], helpers.random_batch(40, 5)

    def gradient(loss: Any) -> tuple[Tensor, Tensor]:
        z = batch.z.clone().requires_grad_()
        hidden = Embeddings(torch.tanh(z), batch.y)
        total = loss(hidden, temperature=0.1) + 3.0 * loss(hidden, temperature=0.5)
        total.backward(retain_graph=True)
        once = z.grad.clone()  # type: ignore[union-attr]
        total.backward()
        return once, z.grad  # type: ignore[return-value]

    for found, expected in zip(gradient(module.fused), gradient(dense(module)), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("key", MODULES)
def test_keeps_no_matrix_for_backward(key: str) -> None:
    kept: list[int] = []
    z = torch.randn(500, 8, generator=torch.Generator().manual_seed(0)).requires_grad_()
    with torch.autograd.graph.saved_tensors_hooks(lambda t: (kept.append(t.numel()), t)[1], lambda t: t):
        value = MODULES[key].fused(Embeddings(z, torch.arange(500) % 10), temperature=0.1)
    assert value.requires_grad
    assert 0 < max(kept) <= 500 * 8


@pytest.mark.parametrize("key", MODULES)
def test_no_gradient_is_found_where_none_is_asked_for(key: str) -> None:
    batch = helpers.random_batch(40, 5)
    with torch.no_grad():
        value = MODULES[key].fused(batch, temperature=0.1)
    assert not value.requires_grad
    assert value.item() == pytest.approx(MODULES[key].loss(score(batch), temperature=0.1).item(), rel=1e-10)


@pytest.mark.parametrize("key", MODULES)
def test_not_a_number_is_not_hidden(key: str) -> None:
    z = helpers.random_batch(20, 4).z.clone()
    z[3, 0] = torch.nan
    assert MODULES[key].fused(Embeddings(z, torch.arange(20) % 4), temperature=0.1).isnan()


@pytest.mark.parametrize("key", MODULES)
def test_training_uses_it_and_equals_the_dense_loss(key: str) -> None:
    batch = helpers.two_views(12)
    objective = Objective(Part(key, (("temperature", 0.2),)), Context(6, 3, 12))
    expected = MODULES[key].loss(score(batch), temperature=0.2).item()
    assert objective(batch).item() == pytest.approx(expected, rel=1e-10)


def test_row_logsumexp_by_hand_and_in_an_empty_row() -> None:
    x = torch.tensor([[0.0, 0.0, 5.0], [1.0, 2.0, 3.0]], dtype=torch.float64, requires_grad=True)
    mask = torch.tensor([[True, True, False], [False, False, False]])
    result = row_logsumexp(x, mask)
    assert result.tolist() == [pytest.approx(0.6931471806), -torch.inf]
    result.exp().sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [[pytest.approx(1.0), pytest.approx(1.0), 0.0], [0.0, 0.0, 0.0]]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_row_logsumexp_far_from_zero(dtype: torch.dtype) -> None:
    # What is masked out may be far above what counts; e^x of neither fits the type.
    x = torch.tensor([[-3000.0, -3001.0, 4000.0]], dtype=dtype)
    result = row_logsumexp(x, torch.tensor([[True, True, False]]))
    assert result.item() == pytest.approx(-3000 + 0.3132616875, rel=1e-6)


def test_row_logsumexp_gradient_is_numerical() -> None:
    x = helpers.random_batch(6, 2, d=9).z.clone().requires_grad_()
    mask = torch.rand(6, 9, generator=torch.Generator().manual_seed(0)) > 0.4
    assert torch.autograd.gradcheck(lambda t: row_logsumexp(t, mask), (x,))
