"""Checkpoints made for tests: clouds of items, sound unless something is done to them."""

from typing import Any

import numpy as np

from models.checkpoint import Material


def sound(
    n: int = 300, classes: int = 6, d: int = 16, spread: float = 0.25, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Unit rows around orthogonal centres, and their labels in no order."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n) % classes)
    z = np.eye(d)[y] + spread * rng.normal(size=(n, d))
    return (z / np.linalg.norm(z, axis=1, keepdims=True)).astype(np.float32), y.astype(np.int64)


def labelled(z: np.ndarray, y: np.ndarray, **more: Any) -> Material:
    """Material of embeddings with labels."""
    return Material(more.pop("name", "made up"), z=z, labels=y, **more)
