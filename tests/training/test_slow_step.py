"""A step in slow motion is the step that would have been trained, and its gradient falls into pull and push."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from models.diagnostics.slow_step import SHOWN, places
from models.training.config import Part, RunConfig
from models.training.run import Run
from models.training.slow_step import slow_step

CONFIGS = {
    "infonce": RunConfig(data=Part("clusters"), steps=20),
    "views": RunConfig(data=Part("digits"), pairing="views", steps=20),
    "towers": RunConfig(data=Part("halves"), pairing="towers", steps=20),
    "logits": RunConfig(data=Part("clusters"), loss=Part("cross_entropy"), steps=20),
    "memory": RunConfig(data=Part("clusters"), loss=Part("aldr_kl"), steps=20),
    "methods": RunConfig(data=Part("clusters"), methods=(Part("queue"),), steps=20),
}


def weights(run: Run) -> list[torch.Tensor]:
    return [p.detach().clone() for p in run.parameters()]


@pytest.mark.parametrize("name", list(CONFIGS))
def test_the_run_goes_on_as_if_it_had_been_a_usual_step(name: str) -> None:
    slow, usual = Run(CONFIGS[name]), Run(CONFIGS[name])
    slow.advance(1)
    found = slow_step(slow)
    slow.advance(1)
    usual.advance(3)
    assert (found.step, slow.step) == (1, 3)
    assert found.loss == pytest.approx(slow.trace.loss[1], rel=1e-6)
    assert slow.trace.loss == usual.trace.loss
    assert all(torch.equal(a, b) for a, b in zip(weights(slow), weights(usual), strict=True))


@pytest.mark.parametrize("name", ["infonce", "views", "towers", "logits"])
def test_pull_and_push_add_up_to_the_gradient_at_the_embeddings(name: str) -> None:
    run = Run(CONFIGS[name])
    x, batch = run.feed.batch(0)
    z = run.encoder(x).detach().requires_grad_()
    run.chain.loss(replace(batch, z=z), x, 0).backward()  # type: ignore[no-untyped-call]
    found = slow_step(run, shown=len(z))
    assert z.grad is not None
    assert found.pull is not None
    assert found.push is not None
    total, size = z.grad.numpy(), float(z.grad.abs().max())
    np.testing.assert_allclose(found.gradient, total, atol=1e-5 * size)
    np.testing.assert_allclose(found.pull + found.push, total, atol=1e-4 * size)
    assert np.abs(found.pull).max() > 0
    assert np.abs(found.push).max() > 0
    np.testing.assert_allclose(found.z, z.detach().numpy())
    assert not np.array_equal(found.z, found.after)


def test_pull_comes_from_positives_alone_by_hand() -> None:
    """Pull on row i of cosines is the sum over its positives of w_ij + w_ji times the tangent towards j."""
    run = Run(CONFIGS["infonce"])
    found = slow_step(run, shown=10_000)
    assert found.weight is not None
    assert found.pull is not None
    u = found.z / np.linalg.norm(found.z, axis=1, keepdims=True)
    both = np.minimum(found.weight, 0) + np.minimum(found.weight, 0).T
    i = int(np.abs(found.pull).max(axis=1).argmax())
    by_hand = sum(both[i, j] * (u[j] - (u[i] @ u[j]) * u[i]) for j in range(len(u)) if j != i)
    np.testing.assert_allclose(found.pull[i], by_hand / np.linalg.norm(found.z[i]), rtol=1e-3, atol=1e-7)


def test_some_rows_are_shown_and_views_stay_together() -> None:
    found = slow_step(Run(CONFIGS["views"]))
    assert len(found.item) == SHOWN < found.rows
    half = SHOWN // 2
    assert found.item[:half].tolist() == found.item[half:].tolist()
    assert found.s is not None
    assert found.pos is not None
    assert found.s.shape == (SHOWN, SHOWN)
    assert all(found.pos[k, half + k] for k in range(half))


def test_what_cannot_be_split_is_said() -> None:
    found = slow_step(Run(CONFIGS["methods"]))
    assert found.pull is None
    assert found.why_no_split == "methods change what this loss reads"
    assert np.abs(found.gradient).max() > 0


@pytest.mark.parametrize(("dim", "kind"), [(2, "circle"), (3, "sphere"), (8, "PCA")])
def test_places(dim: int, kind: str) -> None:
    config = CONFIGS["infonce"]
    run = Run(replace(config, encoder=replace(config.encoder, knobs=(("dim", dim),))))
    found = slow_step(run)
    where = places(found)
    assert where.kind == kind
    assert where.pull is not None
    assert where.push is not None
    longest = max(np.linalg.norm(part, axis=1).max() for part in (where.pull, where.push))
    assert longest == pytest.approx(1.0)
    u = found.z / np.linalg.norm(found.z, axis=1, keepdims=True)
    apart = np.linalg.norm(u[:, None] - u[None], axis=2)
    flat = np.linalg.norm(where.before[:, None] - where.before[None], axis=2)
    assert (flat <= apart + 1e-6).all()


def test_a_step_that_is_not_finite_leaves_the_run_as_it_was() -> None:
    run = Run(CONFIGS["infonce"])
    with torch.no_grad():
        next(iter(run.encoder.parameters())).fill_(float("nan"))
    with pytest.raises(ValueError, match="step 0 is not finite"):
        slow_step(run)
    assert run.step == 0
