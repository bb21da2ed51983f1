"""What the tests of the encoders share."""

import torch
from torch import Tensor, nn

SHAPES = ((1, 8, 8), (1, 28, 28), (1, 25, 25), (1, 40), (16,), (512,))


def items(shape: tuple[int, ...], n: int = 5) -> Tensor:
    """Random items, the same every time."""
    return torch.randn(n, *shape, generator=torch.Generator().manual_seed(0))


def count(module: nn.Module) -> int:
    """Trained numbers."""
    return sum(p.numel() for p in module.parameters())


def dead_parameters(module: nn.Module, x: Tensor) -> list[str]:
    """Names of parameters that no gradient reaches."""
    weight = torch.randn(module(x).shape, generator=torch.Generator().manual_seed(1))
    (module(x) * weight).sum().backward()
    return [name for name, p in module.named_parameters() if p.grad is None or not p.grad.any()]
