"""What holds for every encoder."""

import inspect

import pytest
import torch

from models.catalogue import discover
from models.geometry import Embeddings, score
from tests.encoders.helpers import SHAPES, dead_parameters, items

ENCODERS = discover("encoders")
KIND = {"image": (1, 8, 8), "signal": (1, 40), "text": (512,), "points": (16,)}
READABLE = [(key, KIND[kind]) for key, module in ENCODERS.items() for kind in module.SPEC.kinds]


def build(key: str, shape: tuple[int, ...], **knobs: object) -> torch.nn.Module:
    torch.manual_seed(0)
    encoder: torch.nn.Module = ENCODERS[key].build(shape, **knobs)
    return encoder


def test_there_are_three() -> None:
    assert set(ENCODERS) >= {"linear", "mlp", "conv"}
    assert len(SHAPES) == 6


@pytest.mark.parametrize("key", ENCODERS)
def test_knobs_are_the_arguments_of_build(key: str) -> None:
    parameters = list(inspect.signature(ENCODERS[key].build).parameters.values())[1:]
    assert {knob.name: knob.default for knob in ENCODERS[key].SPEC.knobs} == {p.name: p.default for p in parameters}
    assert {"dim", "normalise"} <= {p.name for p in parameters}


@pytest.mark.parametrize(("key", "shape"), READABLE)
def test_size_gradient_and_independence_of_rows(key: str, shape: tuple[int, ...]) -> None:
    encoder, x = build(key, shape, dim=7), items(shape)
    z = encoder(x)
    assert z.shape == (5, 7)
    assert dead_parameters(encoder, items(shape, 64)) == []
    alone = torch.cat([encoder(row[None]) for row in x])
    assert torch.allclose(z, alone, atol=1e-5)  # an item's embedding does not depend on its batch


@pytest.mark.parametrize(("key", "shape"), READABLE)
def test_normalise_changes_lengths_and_nothing_else(key: str, shape: tuple[int, ...]) -> None:
    x, y = items(shape), torch.zeros(5, dtype=torch.long)
    raw, on = build(key, shape), build(key, shape, normalise=True)
    assert [p.tolist() for p in raw.parameters()] == [p.tolist() for p in on.parameters()]
    assert torch.allclose(on(x).norm(dim=1), torch.ones(5), atol=1e-6)
    assert not torch.allclose(raw(x).norm(dim=1), torch.ones(5), atol=1e-2)
    assert torch.allclose(score(Embeddings(raw(x), y)).s, score(Embeddings(on(x), y)).s, atol=1e-6)


@pytest.mark.parametrize(("key", "shape"), READABLE)
def test_every_knob_at_both_ends_builds(key: str, shape: tuple[int, ...]) -> None:
    knobs = [knob for knob in ENCODERS[key].SPEC.knobs if not knob.choices]
    built = [build(key, shape, **{knob.name: end}) for knob in knobs for end in (knob.low, min(knob.high, 64))]
    assert len(built) >= 2
    assert all(torch.isfinite(encoder(items(shape))).all() for encoder in built)
