"""What every loss promises and every SPEC declares, checked on all losses that the catalogue finds."""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.autograd.gradcheck import GradcheckError
from torch.nn.functional import normalize

from models.catalogue import discover
from models.geometry import Embeddings, Scores, score
from models.spec import Context, Counts
from tests.losses.helpers import degenerate_batches, random_batch, two_views
from tests.losses.tasks import task

LOSSES = discover("losses")
CLASSES = 12  # of proxies and heads: more than any batch here holds
ORDINARY = {
    "balanced": random_batch(16, 4),
    "unbalanced": Embeddings(random_batch(13, 3, seed=1).z, torch.tensor([0] * 6 + [1] * 4 + [2, 2, 3])),
    "views": two_views(6),
    "easy": random_batch(14, 3, seed=2, spread=0.05),
    "hard": random_batch(15, 5, seed=3, spread=4.0),
}
Read = Callable[[Tensor], Tensor]  # the loss as a function of the object it reads


def pick(wanted: Callable[[Any], bool]) -> list[str]:
    return [key for key, module in LOSSES.items() if wanted(module)]


def own(module: Any, dtype: torch.dtype, seed: int = 0, **knobs: Any) -> Any:
    """The class of a loss that has one, with parameters from this seed."""
    torch.manual_seed(seed)
    return module.Loss(Context(6, CLASSES, 100), **knobs).to(dtype)


def reading(key: str, batch: Embeddings, **knobs: Any) -> tuple[Read, Tensor]:
    """The loss as a function of scores, embeddings or logits, and what it would read of this batch."""
    module, dtype = LOSSES[key], batch.z.dtype
    function = own(module, dtype, **knobs) if hasattr(module, "Loss") else lambda *what: module.loss(*what, **knobs)
    if module.SPEC.reads == "scores":
        scores = score(batch)
        return lambda s: function(replace(scores, s=s)), scores.s
    if module.SPEC.reads == "embeddings":
        return lambda z: function(replace(batch, z=z)), wide(batch).z
    scores, given = task(module.SPEC.target, batch, CLASSES)
    return lambda logits: function(*given(logits)), scores.s


def wide(batch: Embeddings) -> Embeddings:
    """The batch with six columns, as the proxies have."""
    return replace(batch, z=torch.nn.functional.pad(batch.z, (0, 6 - batch.z.shape[1])))


def on_pairs(key: str, batch: Embeddings, **knobs: Any) -> tuple[Callable[[Scores], Tensor], Scores]:
    """The loss as a function of scores: of items, of items against proxies, or logits."""
    module = LOSSES[key]
    if hasattr(module, "Loss") and module.SPEC.reads == "embeddings":
        holder = own(module, batch.z.dtype, **knobs)
        return holder.from_scores, holder.score(wide(batch))
    function, _ = reading(key, batch, **knobs)
    scores = score(batch) if module.SPEC.reads == "scores" else task(module.SPEC.target, batch, CLASSES)[0]
    return lambda scores: function(scores.s), scores


def of_batch(key: str, batch: Embeddings, **knobs: Any) -> tuple[Tensor, Tensor]:
    """Value of a batch and its gradient at the embeddings, by backward()."""
    z = batch.z.detach().clone().requires_grad_()
    moved = replace(batch, z=z)
    spec, module = LOSSES[key].SPEC, LOSSES[key]
    if spec.reads == "scores":
        function = own(module, z.dtype, **knobs) if hasattr(module, "Loss") else module.loss
        value = function(score(moved), **({} if hasattr(module, "Loss") else knobs))
    elif spec.reads == "embeddings":
        value = reading(key, moved, **knobs)[0](wide(moved).z)
    else:
        value = (lambda pair: pair[0](pair[1]))(reading(key, moved, **knobs))
    value.backward()
    assert z.grad is not None
    return value.detach(), z.grad


def slope(function: Read, at: Tensor) -> Tensor:
    leaf = at.detach().clone().requires_grad_()
    (gradient,) = torch.autograd.grad(function(leaf), leaf)
    return gradient


def pair_slope(key: str, batch: Embeddings, **knobs: Any) -> tuple[Tensor, Scores]:
    function, scores = on_pairs(key, batch, **knobs)
    return slope(lambda s: function(replace(scores, s=s)), scores.s), scores


def settings(key: str) -> list[dict[str, Any]]:
    """Defaults, then every knob at each end or choice."""
    knobs = LOSSES[key].SPEC.knobs
    return [{}] + [{knob.name: value} for knob in knobs for value in (knob.choices or (knob.low, knob.high))]


def graded_slope(key: str, batch: Embeddings, **knobs: Any) -> tuple[Tensor, Scores]:
    """As pair_slope, with a graded target of random similarities."""
    target = torch.rand((len(batch.y),) * 2, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    scores = replace(score(batch), target=target)
    return slope(lambda s: LOSSES[key].loss(replace(scores, s=s), **knobs), scores.s), scores


def every_slope(key: str) -> Iterator[tuple[Tensor, Scores]]:
    for knobs in settings(key):
        for batch in ORDINARY.values():
            yield pair_slope(key, batch, **knobs)
            if LOSSES[key].SPEC.graded:
                yield graded_slope(key, batch, **knobs)


PAIRED = pick(lambda m: m.SPEC.reads != "embeddings" or hasattr(getattr(m, "Loss", None), "from_scores"))
EVERY = pytest.mark.parametrize("key", LOSSES)


def test_there_are_losses_and_they_are_keyed_by_their_spec() -> None:
    assert len(LOSSES) > 15
    assert {key: module.SPEC.key for key, module in LOSSES.items()} == {key: key for key in LOSSES}


@EVERY
def test_gradient_is_that_of_the_value(key: str) -> None:
    """Numerically; a loss that declares what backward holds constant must differ, or the declaration is idle."""
    function, at = reading(key, random_batch(8, 3, seed=4))
    leaf = at.detach().clone().requires_grad_()
    if LOSSES[key].SPEC.detached:
        with pytest.raises(GradcheckError):
            torch.autograd.gradcheck(function, (leaf,))
    else:
        assert torch.autograd.gradcheck(function, (leaf,), eps=1e-6, atol=1e-6, rtol=1e-4)


@EVERY
@pytest.mark.parametrize("name", ORDINARY)
def test_order_of_the_batch_does_not_matter(key: str, name: str) -> None:
    batch = ORDINARY[name]
    order = torch.randperm(len(batch.y), generator=torch.Generator().manual_seed(0))
    instance = None if batch.instance is None else batch.instance[order]
    value, gradient = of_batch(key, batch)
    other, turned = of_batch(key, Embeddings(batch.z[order], batch.y[order], instance))
    torch.testing.assert_close(other, value, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(turned, gradient[order], rtol=1e-7, atol=1e-9)


@EVERY
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", degenerate_batches())
def test_finite_where_pairs_are_missing(key: str, dtype: torch.dtype, name: str) -> None:
    value, gradient = of_batch(key, degenerate_batches(dtype)[name])
    assert value.shape == ()
    assert value.dtype == gradient.dtype == dtype
    assert torch.isfinite(value)
    assert torch.isfinite(gradient).all()


@EVERY
@pytest.mark.parametrize("name", ["balanced", "unbalanced", "easy", "all rows equal"])
def test_finite_at_both_ends_of_every_knob(key: str, name: str) -> None:
    batch = {**ORDINARY, **degenerate_batches()}[name]
    for knobs in settings(key):
        value, gradient = of_batch(key, replace(batch, z=batch.z.float()), **knobs)
        assert torch.isfinite(value), knobs
        assert torch.isfinite(gradient).all(), knobs


@EVERY
def test_defaults_are_in_range_and_those_of_the_function(key: str) -> None:
    module = LOSSES[key]
    function = module.Loss if hasattr(module, "Loss") else module.loss
    given = inspect.signature(function).parameters
    named = {name: p.default for name, p in given.items() if p.kind is inspect.Parameter.KEYWORD_ONLY}
    assert named == {knob.name: knob.default for knob in module.SPEC.knobs}
    for knob in module.SPEC.knobs:
        assert knob.check(knob.default) == knob.default
        assert type(named[knob.name]) is type(knob.default)
        assert knob.choices or knob.low < knob.high
        assert not knob.log or knob.low > 0
    free = [p.name for p in given.values() if p.kind is not inspect.Parameter.KEYWORD_ONLY and p.default is p.empty]
    reads = {"scores": ["scores"], "embeddings": ["embeddings"], "logits": ["logits", "target"]}[module.SPEC.reads]
    assert free == (["context"] if hasattr(module, "Loss") else reads)
    called = inspect.signature(module.Loss.forward if hasattr(module, "Loss") else function).parameters
    assert [called[name].default for name in (module.SPEC.also,) if name] == [None] * bool(module.SPEC.also)


@pytest.mark.parametrize("key", PAIRED)
@pytest.mark.parametrize("kind", ["pulls_positives", "pushes_negatives"])
def test_declared_sign(key: str, kind: str) -> None:
    """True: never the other way, whatever the knobs. False: on some batch the exception shows."""
    wrong = []
    for gradient, scores in every_slope(key):
        mask, sign = (scores.pos, 1.0) if kind == "pulls_positives" else (scores.neg, -1.0)
        wrong.append((sign * gradient[mask]).max().item() / (gradient.abs().max().item() + 1e-4))
    assert len(wrong) >= len(ORDINARY)
    assert (max(wrong) < 1e-9) == getattr(LOSSES[key].SPEC, kind)


@pytest.mark.parametrize("key", PAIRED)
def test_declared_rowwise(key: str) -> None:
    """Another anchor's scores move only the scale of a row's weights, of pulls and of pushes, whatever the knobs."""
    changed = []
    for knobs, batch in product(settings(key), ORDINARY.values()):
        function, scores = on_pairs(key, batch, **knobs)
        moved = scores.s.detach().clone()
        moved[0] = 0.9 * moved[0].roll(1)
        before, after = (slope(lambda s, f=function, t=scores: f(replace(t, s=s)), s)[1:] for s in (scores.s, moved))
        for mask in (scores.pos[1:], scores.neg[1:]):
            shapes = [normalize(torch.where(mask, w, 0.0).flatten(), dim=0) for w in (before, after)]
            changed.append((shapes[0] - shapes[1]).abs().max().item())
    assert (max(changed) < 1e-9) == LOSSES[key].SPEC.rowwise


def level_case(key: str, batch: Embeddings, name: str) -> tuple[Scores, Counts]:
    """Scores at a reference level and the counts that the level is told."""
    _, scores = on_pairs(key, batch)
    items = score(batch)  # as a run counts: items, whatever the loss holds them against
    groups = batch.y if batch.instance is None else batch.instance
    of_items = LOSSES[key].SPEC.reads == "scores"
    classes = len(groups.unique()) if of_items else CLASSES
    counts = Counts(items.pos.sum(1).numpy(), items.neg.sum(1).numpy(), classes)
    flat = torch.full_like(scores.s, {"chance": 0.0, "collapse": 1.0, "perfect": 1.0}[name]).detach()
    lowered = flat.masked_fill(scores.neg, counts.best_negative)
    return replace(scores, s=lowered if name == "perfect" else flat), counts


LEVELS = [
    (key, level.name) for key, module in LOSSES.items() for level in module.SPEC.levels if level.name != "inactive"
]


@pytest.mark.parametrize(("key", "name"), LEVELS)
def test_declared_levels_are_values_of_the_loss(key: str, name: str) -> None:
    (level,) = [level for level in LOSSES[key].SPEC.levels if level.name == name]
    checked = 0
    for knobs in settings(key):
        complete = {**{knob.name: knob.default for knob in LOSSES[key].SPEC.knobs}, **knobs}
        for batch in [*ORDINARY.values(), *degenerate_batches().values()]:
            scores, counts = level_case(key, batch, name)
            declared = level.value(counts, complete)
            if declared is not None:
                value = on_pairs(key, batch, **knobs)[0](scores).item()
                assert value == pytest.approx(declared, rel=1e-6, abs=1e-9), (knobs, counts)
                checked += 1
    assert checked >= len(ORDINARY)


@EVERY
def test_inputs_are_left_alone_and_two_calls_give_one_value(key: str) -> None:
    batch = ORDINARY["unbalanced"]
    function, at = reading(key, batch)
    kept = (at.clone(), batch.z.clone(), batch.y.clone())
    first, second = (function(at.detach()).item() for _ in range(2))
    assert first == second
    assert all(torch.equal(now, before) for now, before in zip((at, batch.z, batch.y), kept, strict=True))


@pytest.mark.parametrize("key", pick(lambda m: hasattr(m, "Loss")))
def test_state_survives_save_and_load_and_knobs_may_be_set(key: str) -> None:
    module, batch = LOSSES[key], wide(ORDINARY["balanced"])
    first, second = (own(module, torch.float64, seed) for seed in (0, 1))
    for tensor in second.state_dict().values():
        tensor.mul_(1.5)  # a memory starts equal whatever the seed
    logits, given = task(module.SPEC.target, batch, CLASSES)
    what = {"scores": (score(batch),), "embeddings": (batch,), "logits": given(logits.s)}[module.SPEC.reads]
    besides = {"sample": torch.arange(len(batch.y))} if module.SPEC.also == "sample" else {}
    # A loss that is told its numbers by the data, which a run builds again, keeps none: then no seed matters.
    assert (first(*what, **besides).item() != second(*what, **besides).item()) == bool(first.state_dict())
    second.load_state_dict(first.state_dict())
    assert first(*what, **besides).item() == second(*what, **besides).item()
    for knob in module.SPEC.knobs:
        other = knob.choices[-1] if knob.choices else knob.high
        setattr(second, knob.name, other)
        assert second(*what).item() == own(module, torch.float64, **{knob.name: other})(*what).item()
        setattr(second, knob.name, knob.default)


@pytest.mark.parametrize("key", pick(lambda m: m.SPEC.reads != "logits"))
def test_length_of_embeddings_does_not_matter(key: str) -> None:
    batch = ORDINARY["hard"]
    factor = torch.as_tensor(np.linspace(0.2, 30.0, len(batch.y)))[:, None]
    value, gradient = of_batch(key, batch)
    other, scaled = of_batch(key, replace(batch, z=batch.z * factor))
    torch.testing.assert_close(other, value, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(scaled * factor, gradient, rtol=1e-6, atol=1e-8)
