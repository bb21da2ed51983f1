"""What the catalogue asks of a side worker: pure functions of keys, JSON and arrays."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from models.agreement import compare
from models.diagnostics.agreement import Comparison
from models.engine.lane import TURN, settle_process
from models.step_cost import step_ms
from models.training.config import RunConfig
from models.training.run import Run
from models.weight_curve import weight_curve


def facts(keys: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Weight curve and cost of a step of each loss, as JSON carries them; the numbers that are not known are None."""
    settle_process()
    found = {}
    for key in keys:
        with TURN:  # a loss at a time: what else this process does has its turns between
            ms, why = step_ms(key)
            curve = {name: np.round(v, 4).tolist() if isinstance(v, np.ndarray) else v for name, v in _curve(key)}
        found[key] = {"ms": None if why else round(ms, 4), "why_no_cost": why, "curve": curve}
    return found


def _curve(key: str) -> list[tuple[str, Any]]:
    return list(asdict(weight_curve(key)).items())


def compare_batch(z: np.ndarray, y: np.ndarray, keys: Sequence[str]) -> Comparison:
    """All these losses on given embeddings (n, d) and labels (n,)."""
    settle_process()
    with TURN:
        return compare(z, y, keys)


def compare_frozen(config: str, step: int, keys: Sequence[str]) -> Comparison:
    """All these losses on the probe of a config (as JSON) after so many steps: the same numbers every time."""
    settle_process()
    with TURN:
        run = Run(RunConfig.from_json(config))
        run.advance(step)
        taken = run.snapshot()
        return compare(taken.z, taken.y, keys)
