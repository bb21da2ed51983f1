"""Two towers: an encoder for each side of an item; anchors are one side of a batch, candidates the other."""

from dataclasses import fields, replace

import torch
from torch import Tensor, nn

from models.geometry import Embeddings

Read = Tensor | tuple[Tensor, Tensor]  # what an encoder reads: items, or both sides of items


class Towers(nn.Module):
    """One encoder a side, each with weights of its own; a side alone is side A."""

    def __init__(self, a: nn.Module, b: nn.Module) -> None:
        super().__init__()
        self.a, self.b = a, b

    def forward(self, x: Read) -> Tensor:
        """Side A of n items to (n, dim); both sides to (2n, dim), all of side A first."""
        if isinstance(x, Tensor):
            return self.a(x)  # type: ignore[no-any-return]
        return torch.cat([self.a(x[0]), self.b(x[1])])


def sides(both: Embeddings) -> tuple[Embeddings, Embeddings]:
    """Anchors and candidates: the first and the second half of the rows that two towers gave."""
    n = len(both.y) // 2
    return _rows(both, slice(None, n)), _rows(both, slice(n, None))


def _rows(both: Embeddings, kept: slice) -> Embeddings:
    held = {field.name: getattr(both, field.name) for field in fields(both)}
    return replace(both, **{name: t[kept] for name, t in held.items() if t is not None})
