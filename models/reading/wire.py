"""How arrays come back from the process that read them: the layout of safetensors, checked before it is believed.

Eight bytes with the header's length, the header as JSON (name -> dtype, shape, data_offsets; `__metadata__` holds what
else is told), the values one behind the other. Columns of text travel as whole numbers and the list of their texts.
"""

import json
import math
from collections.abc import Mapping
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from models.reading.refused import Refused

_TYPES = {
    "BOOL": "|b1", "U8": "|u1", "I8": "|i1", "U16": "<u2", "I16": "<i2", "U32": "<u4", "I32": "<i4",
    "U64": "<u8", "I64": "<i8", "F16": "<f2", "F32": "<f4", "F64": "<f8",
}  # fmt: skip
_CODES = {np.dtype(code).newbyteorder("="): name for name, code in _TYPES.items()}
_MOST_HEADER = 1 << 30
Values = NDArray[Any] | list[str]


def write(file: IO[bytes], told: Mapping[str, Any], columns: Mapping[str, Values]) -> None:
    """Send plain values and columns; arrays of any order and byte order."""
    arrays: dict[str, NDArray[Any]] = {}
    texts: dict[str, list[str]] = {}
    for name, column in columns.items():
        if isinstance(column, list):
            places = {text: place for place, text in enumerate(dict.fromkeys(column))}
            texts[name] = list(places)
            arrays[name] = np.fromiter((places[text] for text in column), np.int64, len(column))
        else:
            arrays[name] = column
    header: dict[str, Any] = {"__metadata__": {"told": json.dumps(dict(told)), "texts": json.dumps(texts)}}
    end = 0
    for name, array in arrays.items():
        start, end = end, end + array.nbytes
        kind = _CODES[array.dtype.newbyteorder("=")]
        header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": [start, end]}
    raw = json.dumps(header).encode()
    file.write(len(raw).to_bytes(8, "little") + raw)
    for array in arrays.values():
        plain = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
        file.write(plain.reshape(-1).view(np.uint8).data if plain.size else b"")
    file.flush()


def read(file: IO[bytes], most_bytes: int) -> tuple[dict[str, Any], dict[str, Values]]:
    """What `write` sent; raises ValueError if it is not that, EOFError if it ends early, Refused if it is too long."""
    length = int.from_bytes(_exactly(file, 8), "little")
    if length > _MOST_HEADER:
        raise ValueError(f"a header of {length:,} bytes")
    header = json.loads(bytes(_exactly(file, length)))
    more = header.pop("__metadata__")
    told, texts = json.loads(more["told"]), json.loads(more["texts"])
    columns: dict[str, Values] = {}
    end = 0
    for name, about in header.items():
        array, end = _array(file, about, end, most_bytes)
        columns[name] = array if name not in texts else _texts(array, texts[name])
    if not isinstance(told, dict):
        raise ValueError("no object")
    return told, columns


def _texts(places: NDArray[Any], texts: Any) -> list[str]:
    """The column of texts again; equal texts are one object."""
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise ValueError("texts are not texts")
    if places.ndim != 1 or (places.size and not 0 <= places.min() <= places.max() < len(texts)):
        raise ValueError("places outside the texts")
    return [texts[place] for place in places.tolist()]


def _array(file: IO[bytes], about: Any, start: int, most_bytes: int) -> tuple[NDArray[Any], int]:
    dtype = np.dtype(_TYPES[about["dtype"]])
    shape = tuple(int(side) for side in about["shape"])
    needs = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or about["data_offsets"] != [start, start + needs]:
        raise ValueError("offsets that do not fit")
    if start + needs > most_bytes:
        raise Refused("E106", f"{start + needs:,} bytes of values; the limit here is {most_bytes:,}. Upload a sample.")
    array = np.empty(shape, dtype)
    if needs:
        _fill(file, array.reshape(-1).view(np.uint8).data)
    return array, start + needs


def _exactly(file: IO[bytes], count: int) -> bytearray:
    data = bytearray()
    while len(data) < count:  # no more is reserved than has come
        piece = file.read(min(count - len(data), 1 << 20))
        if not piece:
            raise EOFError
        data += piece
    return data


def _fill(file: IO[bytes], view: memoryview) -> None:
    done = 0
    while done < len(view):
        piece = file.read(min(len(view) - done, 1 << 20))
        if not piece:
            raise EOFError
        view[done : done + len(piece)] = piece
        done += len(piece)
