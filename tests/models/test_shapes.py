"""A loss that is said to fit data learns from a batch of that shape: its gradient is finite and not zero."""

import pytest
import torch

from models.catalogue import discover
from models.geometry import Embeddings, score
from models.sensitivity import pair_weights
from models.shapes import shapes_of

PAIRS = sorted(key for key, module in discover("losses").items() if "views" in shapes_of(module.SPEC))


def rows(n: int, seed: int) -> torch.Tensor:
    return torch.randn(n, 6, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("key", PAIRS)
def test_two_views_without_labels(key: str) -> None:
    item = torch.arange(8).repeat(2)
    z = rows(8, 1).repeat(2, 1) + 0.5 * rows(16, 2)
    scores = score(Embeddings(z, torch.zeros(16, dtype=torch.long), item))
    weight = pair_weights(discover("losses")[key], scores)
    assert weight.isfinite().all()
    assert weight.abs().max() > 0


@pytest.mark.parametrize("key", PAIRS)
def test_queries_and_documents(key: str) -> None:
    item = torch.arange(8)
    query, document = (Embeddings(rows(8, 1) + 0.5 * rows(8, seed), item, item) for seed in (2, 3))
    weight = pair_weights(discover("losses")[key], score(query, document))
    assert weight.isfinite().all()
    assert weight.abs().max() > 0
