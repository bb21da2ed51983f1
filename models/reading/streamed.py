"""In the reading process: a sample of the rows of a file too large to be read whole, a block in memory at a time.

A million rows of 64 float32 (256 MB) are thus read in the memory of the sample and of one block.
"""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from importlib import import_module
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from models.reading import npy, tensorfile, zips
from models.reading.refused import Limits, Refused, size

UNBOUNDED = 1 << 50  # bytes of a matrix of which only some rows are kept
_BLOCK = 1 << 22  # bytes read at once
_HEAD = 1 << 14  # bytes in which the header of an array ends


@dataclass(frozen=True, eq=False)
class Stored:
    """A matrix that is still in its file."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    take: Callable[[NDArray[np.int64]], NDArray[Any]]  # rising rows -> their values

    @property
    def ndim(self) -> int:
        """Number of sides."""
        return len(self.shape)


def large(shape: tuple[int, ...], limits: Limits) -> bool:
    """True for a matrix of which a sample is read without the rest."""
    return len(shape) == 2 and 4 * shape[0] * shape[1] > limits.whole_bytes


def arrays(file: IO[bytes], kind: str, name: str, length: int, limits: Limits) -> dict[str, Any]:
    """Everything in an .npz, .safetensors or .h5 by name: large matrices as Stored, the rest as arrays."""
    if kind == ".npz":
        return _members(file, name, limits)
    if kind == ".safetensors":
        found = tensorfile.entries(file, length, limits)
        return {
            one.name: _tensor(file, one) if large(one.shape, limits) else tensorfile.array(file, one) for one in found
        }
    return dict(import_module("models.reading.hdf5").arrays(file, name, limits, stored=True))


def _tensor(file: IO[bytes], entry: tensorfile.Entry) -> Stored:
    wide = entry.length // entry.shape[0]

    def take(rows: NDArray[np.int64]) -> NDArray[Any]:
        raw = bytearray()
        for row in rows.tolist():
            file.seek(entry.start + row * wide)
            raw += file.read(wide)
        return tensorfile.decoded(bytes(raw), entry.kind).reshape(len(rows), entry.shape[1])

    return Stored(entry.shape, tensorfile.decoded(b"", entry.kind).dtype, take)


def _members(file: IO[bytes], name: str, limits: Limits) -> dict[str, Any]:
    archive = zips.opened(file, name, replace(limits, matrix_bytes=UNBOUNDED), limits.members)
    found: dict[str, Any] = {}
    small = []
    for entry in archive.infolist():
        what = f"Array '{zips.member(entry.filename)}'"
        if entry.file_size > limits.whole_bytes and entry.filename.endswith(".npy"):
            with zips.unpacking(entry), archive.open(entry) as packed:
                start = packed.read(_HEAD)
            head = npy.header(io.BytesIO(start), entry.file_size, what)
            if large(head.shape, limits):
                found[entry.filename.removesuffix(".npy")] = _member(archive, entry, head)
                continue
            if entry.file_size > 2 * limits.matrix_bytes:
                most = size(2 * limits.matrix_bytes)
                raise Refused("E121", f"{what} unpacks to {size(entry.file_size)}; the limit is {most}.")
        small.append(entry)
    rest = npy.arrays_of(archive, small, name, limits) if small or not found else {}
    return {**found, **{key: array for key, (_, array) in rest.items()}}


def _member(archive: Any, entry: Any, head: npy.Header) -> Stored:
    """Unpacked from its beginning to its end, so that its checksum counts; by columns in Fortran's order."""

    def take(rows: NDArray[np.int64]) -> NDArray[Any]:
        lines, width = head.shape[::-1] if head.fortran else head.shape
        out = np.empty((len(rows), head.shape[1]), head.dtype)
        with zips.unpacking(entry), archive.open(entry) as packed:
            packed.read(head.start)
            for first, block in _blocks(packed, lines, width, head.dtype):
                if head.fortran:
                    out[:, first : first + len(block)] = block[:, rows].T
                else:
                    low, high = np.searchsorted(rows, (first, first + len(block)))
                    out[low:high] = block[rows[low:high] - first]
            packed.read(1)  # the checksum is compared at the end
        return out

    return Stored(head.shape, head.dtype, take)


def _blocks(packed: IO[bytes], lines: int, width: int, dtype: np.dtype[Any]) -> Iterator[tuple[int, NDArray[Any]]]:
    step = max(_BLOCK // max(width * dtype.itemsize, 1), 1)
    for first in range(0, lines, step):
        count = min(step, lines - first)
        raw = packed.read(count * width * dtype.itemsize)
        if len(raw) < count * width * dtype.itemsize:
            raise EOFError
        yield first, np.frombuffer(raw, dtype).reshape(count, width)
