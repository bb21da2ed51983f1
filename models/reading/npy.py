"""NumPy's own format, its header compared with the bytes that are there before anything is allocated."""

import io
import math
import tokenize
import warnings
import zipfile
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from models.reading import zips
from models.reading.refused import Limits, Refused, counted, shown, size, told

_READERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
_MOST_HEADER = 10_000


@dataclass(frozen=True)
class Header:
    """What an array says of itself, checked against the length of its bytes."""

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[Any]
    start: int  # byte where the values begin


def header(file: IO[bytes], length: int, what: str) -> Header:
    """Read and check a header; `what` names the array or file in messages; raises Refused (E102, E104, E105, E110)."""
    try:
        version = np.lib.format.read_magic(file)
        # Version 3 differs from 2 by UTF-8 names of fields alone, and fields are refused.
        reader = _READERS.get(version, np.lib.format.read_array_header_2_0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # NumPy remarks on headers that Python 2 wrote
            shape, fortran, dtype = reader(file, max_header_size=_MOST_HEADER)
    except (ValueError, TypeError, SyntaxError, tokenize.TokenError, OverflowError, RecursionError, MemoryError):
        raise Refused("E104", f"{what} is damaged: its header cannot be read. Copy or export it again.") from None
    start = file.tell()
    if dtype.hasobject:
        raise _objects(what)
    if any(side < 0 for side in shape):
        raise Refused("E105", f"{what} declares shape {told(shape)}. It is damaged.")
    needs, there = math.prod(shape) * dtype.itemsize, length - start
    if needs > there:
        raise _short(what, shape, needs, there, length)
    if needs < there:
        raise _extra(file, what, start + needs, length)
    return Header(shape, fortran, dtype, start)


def _short(what: str, shape: tuple[int, ...], needs: int, there: int, length: int) -> Refused:
    if needs > 20 * max(there, 1):  # a lie rather than a broken copy
        return Refused(
            "E105", f"{what} declares shape {told(shape)} = {size(needs)} but is {size(length)} long. It is damaged."
        )
    mend = "Copy or export it again."
    return Refused("E104", f"{what} is cut short: shape {told(shape)} needs {needs} bytes, {there} are there. {mend}")


def _objects(what: str) -> Refused:
    if what.startswith("Array '"):
        name = what[len("Array '") : -1]
        kind = f"{name}.astype(str)" if is_label(name) else f"{name}.astype('float32')"
        return Refused("E110", f"{what} holds Python objects. Convert first: {kind}.")
    text = "The array holds Python objects (dtype=object), which only a pickle can store."
    return Refused("E110", f"{text} Convert first: x.astype('float32').")


def _extra(file: IO[bytes], what: str, end: int, length: int) -> Refused:
    blocks = 0
    file.seek(end)
    while piece := file.read(1 << 20):
        blocks += piece.count(b"\x93NUMPY")
    if not blocks:
        return Refused("E114", f"{what} has {size(length - end)} behind the array. Export it again.")
    follow = f"{counted(blocks, 'further block')} {'follows' if blocks == 1 else 'follow'} the array"
    return Refused("E114", f"{follow} (np.save called twice?). Save one array per file, or use np.savez.")


def is_label(name: str) -> bool:
    """True for a name that people give to labels."""
    return name.strip().lower() in ("label", "labels", "y", "target", "targets", "class", "classes")


def values(data: bytes, head: Header) -> NDArray[Any]:
    """The array in bytes that have been checked."""
    flat = np.frombuffer(data, head.dtype, offset=head.start)
    return flat.reshape(head.shape[::-1]).T if head.fortran else flat.reshape(head.shape)


def members(file: IO[bytes], name: str, limits: Limits) -> dict[str, tuple[Header, NDArray[Any]]]:
    """Every array of an .npz by name."""
    archive = zips.opened(file, name, limits, limits.members)
    return arrays_of(archive, archive.infolist(), name, limits)


def arrays_of(
    archive: zipfile.ZipFile, entries: list[zipfile.ZipInfo], name: str, limits: Limits
) -> dict[str, tuple[Header, NDArray[Any]]]:
    """Some members of an .npz by name."""
    found = {}
    for entry in entries:
        key = entry.filename.removesuffix(".npy")
        if not entry.filename.endswith(".npy"):
            raise Refused(
                "E102", f"Member '{shown(entry.filename, 40)}' of {shown(name)} is no array. Save with np.savez."
            )
        what = f"Array '{zips.member(entry.filename)}'"
        if entry.file_size > limits.matrix_bytes * 2:
            raise Refused(
                "E121", f"{what} unpacks to {size(entry.file_size)}; the limit is {size(limits.matrix_bytes * 2)}."
            )
        data = zips.content(archive, entry)
        head = header(io.BytesIO(data), len(data), what)
        found[key] = (head, values(data, head))
    if not found:
        raise Refused(
            "E116", f"{shown(name)} is an archive without an array. Save with np.savez(path, embeddings=x, labels=y)."
        )
    return found
