"""What the tests of runs share: small configs, and every number of a run in one dict."""

import numpy as np
import torch

from models.snapshot import Snapshot
from models.training.config import Part, RunConfig
from models.training.keep import optimiser_tensors
from models.training.run import Run


def part(key: str, **knobs: object) -> Part:
    return Part(key, tuple(knobs.items()))  # type: ignore[arg-type]


def small(loss: str = "infonce", **fields: object) -> RunConfig:
    """A few milliseconds a step, and its epochs are short: 20 steps cross several."""
    given = {"data": part("clusters", items=30), "encoder": part("mlp", width=16, dim=8), "loss": Part(loss)}
    return RunConfig(**{**given, "sampler": part("balanced", batch=32), **fields})  # type: ignore[arg-type]


def numbers(run: Run) -> dict[str, np.ndarray]:
    """Weights of encoder and loss, state of the methods, optimiser and trace."""
    trace = run.trace.view()
    tensors = {f"encoder.{k}": t for k, t in run.encoder.state_dict().items()}
    tensors |= {f"objective.{k}": t for k, t in run.objective.state_dict().items()}
    tensors |= {f"methods.{k}": t for k, t in run.chain.state_dict().items()}
    tensors |= optimiser_tensors(run.optimiser)
    columns = {"loss": trace.loss, "grad_norm": trace.grad_norm, "measured_step": trace.measured_step}
    columns |= {f"measured.{k}": column for k, column in trace.measured.items()}
    return {name: t.detach().cpu().numpy().copy() for name, t in tensors.items()} | columns


def differing(one: Run, other: Run) -> list[str]:
    """Names of numbers that are not bit for bit the same (nan equals nan)."""
    left, right = numbers(one), numbers(other)
    assert set(left) == set(right)
    return [name for name in left if left[name].tobytes() != right[name].tobytes()]


def differing_fields(one: Snapshot, other: Snapshot) -> list[str]:
    """Array fields of two snapshots that are not the same."""
    names = ("s", "pos", "neg", "weight", "z", "y", "item", "seen")
    return [name for name in names if _bytes(getattr(one, name)) != _bytes(getattr(other, name))]


def _bytes(array: np.ndarray | None) -> bytes | None:
    return None if array is None else array.tobytes()


def finite(run: Run) -> bool:
    """Whether all weights are numbers."""
    return all(bool(torch.isfinite(p).all()) for p in run.parameters())
