"""safetensors, read without its library so that every length is compared with the file before anything is believed."""

import json
import math
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from models.reading.refused import MOST_VALUE, Limits, Refused, counted, shown

TYPES = {
    "BOOL": "|b1", "U8": "|u1", "I8": "|i1", "U16": "<u2", "I16": "<i2", "U32": "<u4", "I32": "<i4",
    "U64": "<u8", "I64": "<i8", "F16": "<f2", "F32": "<f4", "F64": "<f8", "BF16": "<u2",
}  # fmt: skip
_OTHER = {"F8_E4M3": "quantised", "F8_E5M2": "quantised", "F8_E8M0": "quantised", "F4": "quantised", "C64": "complex"}


@dataclass(frozen=True)
class Entry:
    """One tensor as the header declares it."""

    name: str
    kind: str  # F32, BF16, ...
    shape: tuple[int, ...]
    start: int  # byte in the file
    length: int  # bytes


def entries(file: IO[bytes], length: int, limits: Limits) -> list[Entry]:
    """Every tensor's place in a file of so many bytes; raises Refused (E165 to E167)."""
    file.seek(0)
    raw = file.read(8)
    count = int.from_bytes(raw, "little")
    if len(raw) < 8 or count > length - 8:
        raise _bad(f"length ({count:,}) is larger than the file ({length:,} bytes)", "header")
    if count > limits.header_bytes:
        raise _bad(f"length ({count:,}) is larger than the limit ({limits.header_bytes:,} bytes)", "header")
    header = _object(file.read(count))
    header.pop("__metadata__", None)
    if len(header) > limits.tensors:
        raise Refused("E167", f"The file holds {len(header):,} tensors; the limit is {limits.tensors:,}.")
    found = sorted(
        (_entry(name, about, 8 + count) for name, about in header.items()),
        key=lambda entry: (entry.start, entry.length),
    )
    _check_cover(found, 8 + count, length)
    return found


def _bad(text: str, what: str = "header is invalid:") -> Refused:
    return Refused("E167", f"The safetensors {what} {text}. Copy or export the file again.")


def _object(raw: bytes) -> dict[str, Any]:
    try:
        pairs = json.loads(raw.decode("utf-8"), object_pairs_hook=list)
        header = json.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError):
        raise _bad("it is no JSON") from None
    if not isinstance(header, dict) or len(pairs) != len(header):
        raise _bad("it names a tensor twice" if isinstance(header, dict) else "it is no JSON object")
    return header


def _entry(name: str, about: Any, base: int) -> Entry:
    where = f"tensor '{shown(name, MOST_VALUE)}'"
    if not isinstance(about, dict) or set(about) != {"dtype", "shape", "data_offsets"}:
        raise _bad(f"{where} lacks its dtype, shape or data_offsets")
    kind, shape, offsets = about["dtype"], about["shape"], about["data_offsets"]
    if not all(
        isinstance(one, list) and all(type(side) is int and side >= 0 for side in one) for one in (shape, offsets)
    ):
        raise _bad(f"shape or data_offsets of {where} are not whole numbers")
    if not isinstance(kind, str) or kind not in TYPES:
        if kind in _OTHER:
            raise Refused(
                "E165", f"Tensor '{shown(name, MOST_VALUE)}' is {_OTHER[kind]}; only dense real numbers are used."
            )
        raise _bad(f"{where} has the unknown type {shown(kind, MOST_VALUE)}")
    if len(offsets) != 2 or offsets[1] - offsets[0] != math.prod(shape) * np.dtype(TYPES[kind]).itemsize:
        raise _bad(f"shape and data_offsets of {where} do not fit")
    return Entry(name, kind, tuple(shape), base + offsets[0], offsets[1] - offsets[0])


def _check_cover(found: list[Entry], start: int, length: int) -> None:
    """Tensors lie one behind the other from the header to the end of the file."""
    before = None
    for entry in found:
        if entry.start < start:
            assert before is not None
            raise _bad(f"tensors '{shown(before.name, MOST_VALUE)}' and '{shown(entry.name, MOST_VALUE)}' overlap")
        if entry.start > start:
            raise _bad(f"there is a gap before tensor '{shown(entry.name, MOST_VALUE)}'")
        start, before = entry.start + entry.length, entry
    if start > length:
        raise Refused(
            "E104",
            f"The safetensors file is cut short: {start:,} bytes are declared, {length:,} are there. Copy it again.",
        )
    if start < length:
        raise _bad(f"{counted(length - start, 'byte')} behind the last tensor belong to none")


def array(file: IO[bytes], entry: Entry) -> NDArray[Any]:
    """The values of one tensor; bfloat16 as float32."""
    file.seek(entry.start)
    return decoded(file.read(entry.length), entry.kind).reshape(entry.shape)


def decoded(raw: bytes, kind: str) -> NDArray[Any]:
    """Little-endian values of one of TYPES."""
    values = np.frombuffer(raw, TYPES[kind])
    return (values.astype(np.uint32) << 16).view(np.float32) if kind == "BF16" else values
