"""What the tests of the diagnostics share: random items, made-up snapshots, and definitions as plain loops."""

import itertools
import json
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from models.diagnostics.items import Items, items_of
from models.snapshot import Lens, Snapshot
from models.training.config import RunConfig
from models.training.run import Run
from models.training.trace import TraceView

_ORACLES = Path(__file__).parents[1] / "oracles"


def stored(name: str) -> dict[str, Any]:
    """The stored numbers of tests/oracles/<name>.json."""
    numbers: dict[str, Any] = json.loads((_ORACLES / f"{name}.json").read_text())
    return numbers


def clouds(n: int, classes: int, spread: float = 1.0, seed: int = 0, d: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Gaussian clouds around random centres, labels in no order; float64."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n) % classes)
    return rng.normal(size=(classes, d))[y] + spread * rng.normal(size=(n, d)), y


def some_items(n: int = 30, classes: int = 4, spread: float = 1.0, seed: int = 0) -> Items:
    return items_of(*clouds(n, classes, spread, seed))


def scored(s: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A score matrix with its masks by label."""
    same = y[:, None] == y[None, :]
    return s, same & ~np.eye(len(y), dtype=bool), ~same


def flat_pairs(items: Items) -> tuple[np.ndarray, np.ndarray]:
    """(scores, same class) of every unordered pair, by a plain loop."""
    couples = list(itertools.combinations(range(len(items.y)), 2))
    s = np.asarray([items.s[i, j] for i, j in couples])
    return s, np.asarray([items.y[i] == items.y[j] for i, j in couples])


def snapshot_of(z: np.ndarray, y: np.ndarray, seen: np.ndarray | None = None, lens: Lens | None = None) -> Snapshot:
    """A snapshot made by hand, with no history."""
    items = items_of(z, y)
    nothing = np.empty(0)
    return Snapshot(
        s=items.s,
        pos=items.pos,
        neg=items.neg,
        weight=None if lens is None else lens.weight,
        z=z,
        y=y,
        item=np.arange(len(y)),
        seen=np.ones(len(y), bool) if seen is None else seen,
        step=0,
        label="made up",
        trace=TraceView(nothing, nothing, np.empty(0, np.int64), {}),
        config=RunConfig(),
        levels={},
        lens=lens,
    )


@lru_cache
def trained(steps: int = 100) -> Snapshot:
    """The probe of the default run after some steps."""
    run = Run(RunConfig())
    run.advance(steps)
    return run.snapshot()


def with_embeddings(snapshot: Snapshot, z: np.ndarray) -> Snapshot:
    """The same probe with other embeddings."""
    items = items_of(z, snapshot.y)
    return replace(snapshot, z=z, s=items.s, pos=items.pos, neg=items.neg)
