"""HDF5 through h5py: plain data sets only, no links, no outside storage, no filter but the common ones."""

import math
from dataclasses import replace
from typing import IO, Any

import h5py  # type: ignore[import-untyped]
import numpy as np
from numpy.typing import NDArray

from models.reading.refused import MOST_VALUE, Limits, Refused, shown, size, told
from models.reading.streamed import UNBOUNDED, Stored, large

_FILTERS = {1: "gzip", 2: "shuffle", 3: "fletcher32", 32000: "lzf"}
_MOST_DEPTH = 16
_SMALL = 1 << 20  # bytes


def arrays(file: IO[bytes], name: str, limits: Limits, *, stored: bool = False) -> dict[str, NDArray[Any] | Stored]:
    """Every data set by its path, large matrices left where they are if `stored`.

    Raises Refused (E104, E105, E116, E121, E142, E171).
    """
    try:
        with h5py.File(file, "r") as opened:
            found = {key: _values(file, key, data, limits, stored=stored) for key, data in _sets(opened, "", limits)}
    except Refused:
        raise
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, OverflowError):
        raise Refused(
            "E104", f"{shown(name)} is cut short or damaged: it cannot be decoded. Copy or export it again."
        ) from None
    if not found:
        raise Refused("E116", f"No matrix inside; {shown(name)} has no data set.")
    return found


def _sets(group: Any, path: str, limits: Limits, depth: int = 0) -> list[tuple[str, Any]]:
    if depth > _MOST_DEPTH:
        raise Refused("E104", f"Groups lie more than {_MOST_DEPTH} deep. Save the arrays at the top.")
    found = []
    for key in group:
        where = f"{path}{key}"
        link = group.get(key, getlink=True)
        if not isinstance(link, h5py.HardLink):
            text = f"'{shown(where, MOST_VALUE)}' is a link, which is never followed."
            raise Refused("E171", f"{text} Copy the data into one file: h5repack, or save the arrays again.")
        item = group[key]
        found += _sets(item, f"{where}/", limits, depth + 1) if isinstance(item, h5py.Group) else [(where, item)]
        if len(found) > limits.members:
            raise Refused(
                "E121", f"The file has more than {limits.members} data sets. Keep the embeddings and the labels."
            )
    return found


def _values(file: IO[bytes], key: str, data: Any, limits: Limits, *, stored: bool) -> NDArray[Any] | Stored:
    where = f"'{shown(key, MOST_VALUE)}'"
    if not isinstance(data, h5py.Dataset):
        raise Refused("E142", f"{where} is no array. Keep the embeddings and the labels.")
    if data.is_virtual or data.external:
        text = f"{where} keeps its values in another file, which is never opened."
        raise Refused("E171", f"{text} Copy the data into one file: h5repack, or save the arrays again.")
    if data.shape is None:
        raise Refused("E109", f"{where} is empty.")
    _check_filters(where, data)
    text = h5py.check_string_dtype(data.dtype)
    if data.dtype.hasobject and text is None:
        raise Refused("E142", f"{where} holds values of different lengths; a matrix of numbers is needed.")
    left = stored and text is None and large(data.shape, limits)
    _check_size(where, data, replace(limits, matrix_bytes=UNBOUNDED) if left else limits)
    if left:
        return Stored(data.shape, data.dtype, lambda rows: _taken(file, key, rows))
    if text is not None:
        return np.array(data.asstr("utf-8")[()].tolist() if data.shape else [], dtype=np.str_)
    values: NDArray[Any] = data[()]
    return values


def _taken(file: IO[bytes], key: str, rows: NDArray[np.int64]) -> NDArray[Any]:
    """Rows of a data set, read in blocks that end where chunks do."""
    try:
        with h5py.File(file, "r") as opened:
            data = opened[key]
            wide = data.shape[1] * data.dtype.itemsize
            tall = data.chunks[0] if data.chunks else 1
            step = tall * max((1 << 22) // (wide * tall), 1)
            out = np.empty((len(rows), data.shape[1]), data.dtype)
            for first in (np.unique(rows // step) * step).tolist():
                low, high = np.searchsorted(rows, (first, first + step))
                out[low:high] = data[first : first + step][rows[low:high] - first]
    except (OSError, RuntimeError, ValueError, KeyError, TypeError):
        where = f"'{shown(key, MOST_VALUE)}'"
        raise Refused("E104", f"{where} is damaged: it cannot be decoded. Copy or export it again.") from None
    return out


def _check_size(where: str, data: Any, limits: Limits) -> None:
    """What is declared against what is stored, before any of it is read."""
    needs, stored = math.prod(data.shape) * data.dtype.itemsize, data.id.get_storage_size()
    if needs > 2 * limits.matrix_bytes:
        raise Refused(
            "E106",
            f"{where} has shape {told(data.shape)} = {size(needs)}; the limit here is {size(2 * limits.matrix_bytes)}.",
        )
    if needs and not stored:
        raise Refused(
            "E105", f"{where} declares shape {told(data.shape)} = {size(needs)} but holds no values. It is damaged."
        )
    if needs > _SMALL and needs > limits.ratio * stored:
        mend = "If it is real data, save it uncompressed."
        raise Refused("E121", f"{where} grows {needs // stored:,}-fold when unpacked (limit {limits.ratio}). {mend}")


def _check_filters(where: str, data: Any) -> None:
    plan = data.id.get_create_plist()
    for place in range(plan.get_nfilters()):
        number = plan.get_filter(place)[0]
        if number not in _FILTERS:
            raise Refused(
                "E120", f"{where} uses filter {number}, which is not accepted. Save with gzip or without compression."
            )
