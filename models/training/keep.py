"""A run's state on disk or on the wire: safetensors and JSON, never pickle; written whole or not at all."""

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor

from models.training.config import RunConfig
from models.training.trace import TraceView
from models.writing import write_atomic as write_atomic

MANIFEST = "run.json"
_VERSION = 1
_FIELDS = ("version", "config", "config_id", "step", "state", "sha256")


def optimiser_tensors(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Moments and step counts by name: optimiser.<parameter>.<field>."""
    state = optimiser.state_dict()["state"]
    return {
        f"optimiser.{index}.{name}": torch.as_tensor(value)
        for index, fields in state.items()
        for name, value in fields.items()
        if value is not None
    }


def optimiser_state(tensors: Mapping[str, Tensor]) -> dict[int, dict[str, Tensor]]:
    """The inverse of `optimiser_tensors`."""
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("optimiser."):
            _, index, field = name.split(".", 2)
            state.setdefault(int(index), {})[field] = tensor
    return state


def pack(config: RunConfig, step: int, trace: TraceView, tensors: Mapping[str, Tensor]) -> tuple[bytes, str]:
    """State as (safetensors bytes, manifest JSON)."""
    columns = {"trace.loss": trace.loss, "trace.grad_norm": trace.grad_norm, "trace.measured_step": trace.measured_step}
    columns |= {f"trace.measured.{name}": column for name, column in trace.measured.items()}
    arrays = {name: torch.from_numpy(column) for name, column in columns.items()}
    payload: bytes = save({name: t.detach().cpu().contiguous() for name, t in {**tensors, **arrays}.items()})
    manifest = {
        "version": _VERSION,
        "config": json.loads(config.to_json()),
        "config_id": config.config_id,
        "step": step,
        "state": f"state-{step:08d}.safetensors",
        "sha256": sha256(payload).hexdigest(),
    }
    return payload, json.dumps(manifest, indent=1)


def unpack(payload: bytes, manifest: str) -> tuple[RunConfig, int, TraceView, dict[str, Tensor]]:
    """The inverse of `pack`; raises ValueError if the state is damaged or of a newer version."""
    about = _manifest(manifest)
    if sha256(payload).hexdigest() != about["sha256"]:
        raise ValueError(f"{about['state']} is damaged (checksum): copy the folder again or go back to an older one")
    tensors = load(payload)
    columns = {name: tensors.pop(name).numpy() for name in list(tensors) if name.startswith("trace.")}
    prefix = "trace.measured."
    measured = {name.removeprefix(prefix): c for name, c in columns.items() if name.startswith(prefix)}
    trace = TraceView(columns["trace.loss"], columns["trace.grad_norm"], columns["trace.measured_step"], measured)
    return RunConfig.from_json(json.dumps(about["config"])), int(about["step"]), trace, tensors


def _manifest(text: str) -> dict[str, Any]:
    """The manifest as a dict with all its fields; raises ValueError naming what is wrong."""
    try:
        about = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"{MANIFEST} is damaged: line {error.lineno}, column {error.colno}: {error.msg}") from None
    if isinstance(about, dict) and about.get("version", _VERSION) != _VERSION:
        raise ValueError(f"made with version {about['version']} of the format, this is {_VERSION}: update to open it")
    missing = [name for name in _FIELDS if not isinstance(about, dict) or name not in about]
    if missing:
        raise ValueError(f"{MANIFEST} is damaged: it has no {missing[0]}")
    return about  # type: ignore[no-any-return]


def write_packed(folder: Path, payload: bytes, manifest: str) -> None:
    """The state first, then the manifest that names it, then older states go: a reader always finds a whole pair."""
    folder.mkdir(parents=True, exist_ok=True)
    current = json.loads(manifest)["state"]
    write_atomic(folder / current, payload)
    write_atomic(folder / MANIFEST, manifest.encode())
    for old in folder.glob("state-*.safetensors"):
        if old.name != current:
            old.unlink(missing_ok=True)


def read(folder: Path) -> tuple[RunConfig, int, TraceView, dict[str, Tensor]]:
    """Open a kept state; raises ValueError naming what is missing or damaged."""
    manifest = folder / MANIFEST
    if not manifest.is_file():
        raise ValueError(f"no run in {folder.name!r}: {MANIFEST} is missing")
    text = manifest.read_text(encoding="utf-8", errors="replace")
    state = folder / Path(str(_manifest(text)["state"])).name
    if not state.is_file():
        raise ValueError(f"the run in {folder.name!r} is damaged: {state.name} is missing")
    return unpack(state.read_bytes(), text)
