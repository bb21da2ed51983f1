"""Summaries as arrays and JSON, and lists of them as one .safetensors file."""

import binascii
import dataclasses
import json
import types
import zlib
from base64 import b64decode, b64encode
from collections.abc import Sequence
from math import isfinite
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from models.diagnostics.columns import Column, pack, unpack
from models.diagnostics.summary import Summary

VERSION = 1
_HEADER = "losslab"
_LONGEST = 1 << 26  # characters of a header that are unpacked, at most
T = TypeVar("T")


def to_arrays(value: Any) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Arrays by dotted path, and all else of a (nested) frozen dataclass as strict JSON; nothing is lost or rounded."""
    arrays: dict[str, np.ndarray] = {}
    return arrays, _take_apart(value, "", arrays)


def from_arrays(arrays: dict[str, np.ndarray], meta: dict[str, Any], kind: type[T] = Summary) -> T:  # type: ignore[assignment]
    """The inverse of `to_arrays` for an object of the given dataclass; raises KeyError if a field is missing."""
    return _build(kind, meta, "", arrays)  # type: ignore[no-any-return]


def _take_apart(value: Any, path: str, arrays: dict[str, np.ndarray]) -> Any:
    if isinstance(value, np.ndarray):
        arrays[path] = value
        return None
    if dataclasses.is_dataclass(value):
        fields = [field.name for field in dataclasses.fields(value)]
        return {name: _take_apart(getattr(value, name), _join(path, name), arrays) for name in fields}
    if isinstance(value, dict):
        return {name: _take_apart(item, _join(path, name), arrays) for name, item in value.items()}
    if isinstance(value, tuple):
        return [_take_apart(item, _join(path, str(k)), arrays) for k, item in enumerate(value)]
    if isinstance(value, float):
        # JSON knows no nan and no infinity; their names go through float() unchanged.
        return float(value) if isfinite(value) else str(float(value))
    return value


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _build(kind: Any, meta: Any, path: str, arrays: dict[str, np.ndarray]) -> Any:
    """Read by declared type: what stands in a file decides no type."""
    if get_origin(kind) in (Union, types.UnionType):
        (inner,) = [option for option in get_args(kind) if option is not type(None)]
        absent = meta is None and not (inner is np.ndarray and path in arrays)
        return None if absent else _build(inner, meta, path, arrays)
    if kind is np.ndarray:
        return arrays[path]
    if dataclasses.is_dataclass(kind):
        hints = get_type_hints(kind)
        # What may be absent may be missing too: a recording from before the field was thought of.
        names = [field.name for field in dataclasses.fields(kind) if field.default is not None or field.name in meta]
        return kind(**{name: _build(hints[name], meta[name], _join(path, name), arrays) for name in names})  # type: ignore[operator]
    if get_origin(kind) is dict:
        inner = get_args(kind)[1]
        return {name: _build(inner, item, _join(path, name), arrays) for name, item in meta.items()}
    if get_origin(kind) is tuple:
        inner = get_args(kind)[0]
        return tuple(_build(inner, item, _join(path, str(k)), arrays) for k, item in enumerate(meta))
    return kind(meta)


def save_summaries(path: str | Path, summaries: Sequence[Summary]) -> None:
    """One file of many frames. An array that repeats is kept once; see `columns.stored` for what is rounded and how.

    Written beside and renamed: a reader never finds half a file.
    """
    frames = [to_arrays(summary) for summary in summaries]
    names = sorted({name for arrays, _ in frames for name in arrays})
    packed = {name: pack(name, [arrays.get(name) for arrays, _ in frames]) for name in names}
    about = {
        "version": VERSION,
        "frames": [meta for _, meta in frames],
        "columns": {name: dataclasses.asdict(column) for name, (_, column) in packed.items()},
    }
    payload = save(
        {name: flat for name, (flat, _) in packed.items()},
        {_HEADER: _tight(json.dumps(about, allow_nan=False, separators=(",", ":")))},
    )
    target = Path(path)
    temp = target.with_name(target.name + ".tmp")
    temp.write_bytes(payload)
    temp.replace(target)


def _tight(text: str) -> str:
    """Deflated: the frames of one run say nearly the same, and their JSON was a third of a recording."""
    return b64encode(zlib.compress(text.encode(), 9)).decode("ascii")


def _loose(header: str) -> str:
    """The inverse of `_tight`; JSON as older recordings hold it stays. Raises ValueError on anything else."""
    if header.startswith("{"):
        return header
    try:
        return zlib.decompressobj().decompress(b64decode(header, validate=True), _LONGEST).decode()
    except (binascii.Error, zlib.error) as error:
        raise ValueError(f"its header cannot be unpacked ({error}): copy or record it again") from None


def load_summaries(path: str | Path) -> list[Summary]:
    """The frames of a file by `save_summaries`; raises ValueError saying what is wrong with any other file."""
    source = Path(path)
    if not source.is_file():
        raise ValueError(f"no recording at {source.name!r}: the file is missing")
    try:
        with safe_open(source, "numpy") as file:
            about = json.loads(_loose((file.metadata() or {}).get(_HEADER, "{}")))
            if about.get("version") != VERSION:
                found = about.get("version", "none")
                raise ValueError(f"{source.name!r} has format version {found}, this reads {VERSION}: record it again")
            columns = {name: unpack(file.get_tensor(name), Column(**c)) for name, c in about["columns"].items()}
    except SafetensorError as error:
        raise ValueError(f"{source.name!r} is not a whole recording ({error}): copy or record it again") from None
    return [from_arrays(_frame(columns, k), meta) for k, meta in enumerate(about["frames"])]


def _frame(columns: dict[str, list[np.ndarray | None]], k: int) -> dict[str, np.ndarray]:
    """The arrays of frame k."""
    found = {name: column[k] for name, column in columns.items()}
    return {name: array for name, array in found.items() if array is not None}
