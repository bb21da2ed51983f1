"""In the reading process: the tensors of a checkpoint, and a line about each."""

import math
import zipfile
from collections.abc import Iterator
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from models.reading import opcodes, tensorfile, zips
from models.reading.refused import MOST_VALUE, Limits, Notes, Refused, counted, shown

MEMBERS = 5000
_SCRIPT, _EXPORT = "a TorchScript program", "a torch.export program"
_PROGRAMS = (
    ("constants.pkl", _SCRIPT),
    ("code/", _SCRIPT),
    ("models/", _EXPORT),
    ("archive_format", _EXPORT),
    ("serialized_exported_program.json", _EXPORT),
)
_OLD = 0x1950A86A20F9469CFC6C  # the first number of a state that PyTorch wrote before 1.6
_MOST_WORK = 5e10  # multiplications spent on spectra


def warm(_options: dict[str, Any]) -> None:
    """Let what takes the spectra start before the limits are set."""
    np.linalg.svd(np.ones((2, 2)), compute_uv=False)


def task(files: list[IO[bytes]], options: dict[str, Any], limits: Limits) -> tuple[dict[str, Any], dict[str, Any]]:
    """Facts of every tensor; or, with `values`, the tensors themselves."""
    name, kind, length = options["sources"][0]
    found = every(files[0], name, kind, length, limits)
    if options.get("values"):
        return {}, dict(found)
    notes, facts, work = Notes(), [], 0.0
    for key, values in found:
        work += _work(values)
        facts.append(_facts(key, values, spectrum=work <= _MOST_WORK))
    if not facts:
        raise Refused("E166", f"No tensors found in {shown(name)}.")
    _remark(facts, notes)
    return {"tensors": facts, "notes": [[note.code, note.text] for note in notes.found]}, {}


def every(file: IO[bytes], name: str, kind: str, length: int, limits: Limits) -> Iterator[tuple[str, NDArray[Any]]]:
    """Every tensor of a file by name."""
    return (_safetensors if kind == ".safetensors" else _state)(file, name, length, limits)


def _safetensors(file: IO[bytes], name: str, length: int, limits: Limits) -> Iterator[tuple[str, NDArray[Any]]]:
    found = tensorfile.entries(file, length, limits)
    if not found:
        raise Refused("E166", f"No tensors found in {shown(name)}.")
    return ((entry.name, tensorfile.array(file, entry)) for entry in found)


def _state(file: IO[bytes], name: str, _length: int, limits: Limits) -> Iterator[tuple[str, NDArray[Any]]]:
    """A state as torch.save writes it: a zip with the list of contents and a member for each storage."""
    if file.read(2) != b"PK":
        raise _old(file, name, limits)
    archive = zips.opened(file, name, limits, MEMBERS)
    members = {entry.filename.partition("/")[2]: entry for entry in archive.infolist()}
    for mark, what in _PROGRAMS:
        if any(key == mark or (mark.endswith("/") and key.startswith(mark)) for key in members):
            raise _program(name, what)
    packed = [key for key, entry in members.items() if entry.compress_type != zipfile.ZIP_STORED]
    if packed:
        raise Refused(
            "E120",
            f"Member '{shown(packed[0], MOST_VALUE)}' is compressed, which torch.save never does. Save it again.",
        )
    if "data.pkl" not in members:
        raise Refused(
            "E104", f"{shown(name)} is no state that torch.save wrote: its list of contents is missing. Save it again."
        )
    if members["data.pkl"].file_size > 16 * limits.header_bytes:
        raise Refused("E121", f"The list of contents of {shown(name)} is too long. Save model.state_dict() alone.")
    value = opcodes.Reader(name).read(zips.content(archive, members["data.pkl"]))
    found = opcodes.flattened(value, name, limits.tensors)
    big = "byteorder" in members and zips.content(archive, members["byteorder"]) == b"big"
    return _values(archive, members, found, big=big)


def _program(name: str, what: str) -> Refused:
    weights = "safetensors.torch.save_file(model.state_dict(), path)"
    mend = f"torch.onnx.export(model, (example,), path), or upload the state_dict: {weights}"
    return Refused(
        "E163", f"{shown(name)} is {what}; loading it runs its code, so it is never loaded. Export to ONNX: {mend}."
    )


def _old(file: IO[bytes], name: str, limits: Limits) -> Refused:
    """What to say of a file that is no archive; only its opcodes are looked at."""
    file.seek(0)
    raw = file.read(16 * limits.header_bytes)
    if f"{_OLD.to_bytes(10, 'little').hex()}" in raw[:20].hex():
        mend = "In your own Python: torch.save(torch.load(path, weights_only=True), path)."
        return Refused(
            "E160", f"{shown(name)} has the form that PyTorch wrote before version 1.6, which is not read. {mend}"
        )
    try:
        opcodes.check_names(raw, name)
    except Refused as error:
        return error
    mend = "Pickles can run code and are never opened. Save with safetensors.torch.save_file(model.state_dict(), path)."
    return Refused("E110", f"{shown(name)} is a Python pickle. {mend}")


def _values(
    archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo], found: dict[str, opcodes.Tensor], *, big: bool
) -> Iterator[tuple[str, NDArray[Any]]]:
    for key, tensor in found.items():
        width = np.dtype(tensorfile.TYPES[tensor.storage.kind]).itemsize
        opcodes.check_view(key, tensor, width)
        entry = members.get(f"data/{tensor.storage.key}")
        if entry is None or entry.file_size != tensor.storage.count * width:
            there = 0 if entry is None else entry.file_size
            text = (
                f"Tensor '{shown(key, MOST_VALUE)}' needs {tensor.storage.count * width:,} bytes, {there:,} are there."
            )
            raise Refused("E104", f"{text} The file is damaged: copy or save it again.")
    for key, tensor in found.items():
        raw = zips.content(archive, members[f"data/{tensor.storage.key}"])
        code = np.dtype(tensorfile.TYPES[tensor.storage.kind])
        if big:
            raw = np.frombuffer(raw, code).byteswap().tobytes()
        flat = tensorfile.decoded(raw, tensor.storage.kind)[tensor.offset :]
        strides = tuple(step * flat.itemsize for step in tensor.stride)
        view = np.lib.stride_tricks.as_strided(flat, tensor.shape, strides, writeable=False)
        yield key, np.array(view, order="C")


def _work(values: NDArray[Any]) -> float:
    if values.ndim < 2 or not values.size:
        return 0.0
    rows, columns = len(values), values.size // len(values)
    return float(rows) * columns * min(rows, columns)


def _facts(key: str, values: NDArray[Any], *, spectrum: bool) -> dict[str, Any]:
    """Shape, type, size of the numbers, what is wrong with them; the spectrum of a matrix or a kernel laid flat."""
    number = values.astype(np.float64) if values.dtype.kind != "f" else values
    finite = np.isfinite(number)
    clean = np.where(finite, number, 0).astype(np.float64)
    norm = float(np.sqrt(np.square(clean).sum()))
    singular: list[float] = []
    if spectrum and values.ndim >= 2 and values.size and finite.all() and values.dtype.kind == "f":
        singular = np.linalg.svd(clean.reshape(len(clean), -1), compute_uv=False).tolist()
    return {
        "name": key,
        "shape": list(values.shape),
        "type": str(values.dtype),
        "norm": norm if math.isfinite(norm) else None,
        "mean": float(clean.mean()) if clean.size else None,
        "nan": int(np.isnan(number).sum()),
        "infinite": int(np.isinf(number).sum()),
        "zero": int((clean[finite] == 0).sum()),
        "singular": singular,
    }


def _remark(facts: list[dict[str, Any]], notes: Notes) -> None:
    """W231: tensors with bad values."""
    for bad, words in (("nan", "NaN"), ("infinite", "infinite values")):
        wrong = [fact for fact in facts if fact[bad]]
        if wrong:
            first = wrong[0]
            verb = "holds" if len(wrong) == 1 else "hold"
            where = f"{shown(first['name'], MOST_VALUE)}: {first[bad]:,} of {math.prod(first['shape']):,}"
            notes.add("W231", f"{counted(len(wrong), 'tensor')} {verb} {words} ({where}).")
