"""Looks for tests: made by hand from embeddings and weights, and of short runs of each pairing."""

from functools import lru_cache

import numpy as np

from models.diagnostics.look import Look, look_of
from models.snapshot import Lens
from models.training.config import Part, RunConfig
from models.training.run import Run
from tests.diagnostics.helpers import clouds, scored, snapshot_of

_NONE = np.empty(0)


def look_by_hand(n: int = 24, classes: int = 4, seed: int = 0, spread: float = 1.0) -> Look:
    """Clouds with random weights, those of positives below 0 and of negatives above; the last class is unseen."""
    z, y = clouds(n, classes, spread, seed)
    return look_with(z, y, np.random.default_rng(seed + 1).random((n, n)) + 0.05)


def look_with(z: np.ndarray, y: np.ndarray, size: np.ndarray) -> Look:
    """A look of labelled items whose pairs have weights of these sizes, pulling positives and pushing negatives."""
    _, pos, neg = scored(size, y)
    weight = np.where(pos, -size, np.where(neg, size, 0.0))
    lens = Lens(np.zeros(size.shape), pos, neg, weight, "items", _NONE, _NONE, _NONE)
    return look_of(snapshot_of(z, y, seen=y < y.max(), lens=lens))


SMALL = {
    "items": RunConfig(data=Part("clusters"), steps=20),
    "second views": RunConfig(data=Part("digits"), pairing="views", steps=20),
    "other sides": RunConfig(data=Part("halves"), pairing="towers", steps=20),
}


@lru_cache
def trained_run(reads: str, steps: int = 3) -> Run:
    run = Run(SMALL[reads])
    run.advance(steps)
    return run
