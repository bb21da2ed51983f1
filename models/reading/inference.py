"""In the reading process: an ONNX model run over the rows or pictures of another file."""

from typing import IO, Any

import numpy as np
import onnxruntime as ort  # type: ignore[import-untyped]
from numpy.typing import NDArray

from models.reading import graph, inference_data, labels, matrices, values
from models.reading.refused import MOST_VALUE, Limits, Notes, Refused, counted, shown

BATCH = 256
_OUTPUTS = ("embeddings", "embedding", "features", "z")
_TYPES = {
    "tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64, "tensor(uint8)": np.uint8,
    "tensor(int64)": np.int64, "tensor(int32)": np.int32,
}  # fmt: skip


def warm(options: dict[str, Any]) -> None:
    """Load what reads the data, and let the runtime start, before the limits are set."""
    graph.warm(options)
    matrices.warm({"sources": options["sources"][1:]})
    ort.SessionOptions()


def task(files: list[IO[bytes]], options: dict[str, Any], limits: Limits) -> tuple[dict[str, Any], dict[str, Any]]:
    """Embeddings of the data, their labels where the data have some, and the shape report."""
    (name, *_), (data_name, kind, length) = options["sources"]
    raw = files[0].read()
    told = graph.report(graph.checked(raw, name))
    notes = Notes()
    rows, beside = inference_data.read(files[1], (data_name, kind, length), limits, notes)
    session = _session(raw, name)
    ports = session.get_inputs()
    if len(ports) != 1:
        names = ", ".join(shown(port.name, MOST_VALUE) for port in ports)
        raise Refused(
            "E174", f"The model takes {len(ports)} inputs ({names}); one is needed. Export it with one input."
        )
    z = _run(session, ports[0], _fitted(ports[0], rows))
    values.check_finite(z, half=False, drop=False)
    values.remark(z, notes)
    answer: dict[str, Any] = {"z": z}
    classes: list[str] | None = None
    if beside is not None:
        answer["y"], classes = labels.classes(beside, len(z), limits, notes)
    return {"report": told, "classes": classes, "notes": [[note.code, note.text] for note in notes.found]}, answer


def _session(raw: bytes, name: str) -> Any:
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 4
    try:
        return ort.InferenceSession(raw, options, providers=["CPUExecutionProvider"])
    except MemoryError:
        raise
    except Exception as error:  # the runtime's own errors have no common class but this
        if "alloc" in str(error).lower():
            raise MemoryError from None
        kind = type(error).__name__
        raise Refused(
            "E104", f"{shown(name)} cannot be run ({kind}): check it with onnx.checker.check_model(path)."
        ) from None


def _fitted(port: Any, rows: NDArray[Any]) -> NDArray[Any]:
    """The data in the shape and type that the input asks for (E174)."""
    sides = list(port.shape)
    if port.type not in _TYPES:
        raise Refused("E174", f"The model takes {port.type}; numbers are needed. Export it with a float input.")
    if len(sides) == 4 and rows.ndim in (3, 4):
        rows = _channels(sides, rows)
    if len(sides) == 2 and rows.ndim > 2 and sides[1] == rows[0].size:
        rows = _scaled(port, rows).reshape(len(rows), -1)
    given = ("n", *rows.shape[1:])
    wrong = len(sides) != rows.ndim or any(
        isinstance(s, int) and s != g for s, g in zip(sides[1:], given[1:], strict=True)
    )
    if wrong:
        asked = "(" + ", ".join("n" if not isinstance(side, int) else str(side) for side in sides) + ")"
        have = "(" + ", ".join(map(str, rows.shape)) + ")"
        raise Refused(
            "E174", f"The model takes {asked}; the data are {have}. Bring the data into that shape, n rows first."
        )
    return _scaled(port, rows).astype(_TYPES[port.type])


def _channels(sides: list[Any], rows: NDArray[Any]) -> NDArray[Any]:
    """Pictures (n, h, w[, c]) with their channels where the model has them, first or last."""
    if rows.ndim == 3:
        rows = rows[..., None]
    if sides[1] in (1, 3) and rows.shape[1] not in (1, 3):
        rows = rows.transpose(0, 3, 1, 2)
        if sides[1] == 3 and rows.shape[1] == 1:
            rows = np.repeat(rows, 3, axis=1)
    return rows


def _scaled(port: Any, rows: NDArray[Any]) -> NDArray[Any]:
    """Bytes of pictures become numbers from 0 to 1 where the model takes such."""
    return rows.astype(np.float32) / 255 if rows.dtype == np.uint8 and "float" in port.type else rows


def _run(session: Any, port: Any, rows: NDArray[Any]) -> NDArray[np.float32]:
    """Batches of the size the model asks for, the last one filled up with its own first row."""
    fixed = port.shape[0] if isinstance(port.shape[0], int) else None
    size = fixed or BATCH
    outputs = [value.name for value in session.get_outputs()]
    wanted = next((name for name in outputs if name.lower() in _OUTPUTS), outputs[0])
    parts = []
    for start in range(0, len(rows), size):
        batch = rows[start : start + size]
        short = size - len(batch) if fixed else 0
        filled = np.concatenate([batch, np.repeat(batch[:1], short, axis=0)]) if short else batch
        parts.append(_output(_called(session, wanted, port.name, filled), len(filled))[: len(batch)])
    return np.concatenate(parts)


def _called(session: Any, wanted: str, name: str, batch: NDArray[Any]) -> Any:
    try:
        return session.run([wanted], {name: batch})[0]
    except MemoryError:
        raise
    except Exception as error:  # the runtime's own errors have no common class but this
        if "alloc" in str(error).lower():
            raise MemoryError from None
        text = f"The model could not be run over the data ({type(error).__name__})"
        raise Refused("E174", f"{text}: check it with onnxruntime on a batch of {len(batch)}.") from None


def _output(found: Any, count: int) -> NDArray[np.float32]:
    """A matrix with a row for each row of the batch (E176)."""
    if not isinstance(found, np.ndarray) or found.dtype.kind not in "biuf":
        what = "text" if isinstance(found, np.ndarray) and found.dtype.kind in "OUS" else type(found).__name__
        raise Refused("E176", f"The model's output is {what}; a matrix of numbers is needed.")
    if found.ndim < 2 or len(found) != count:
        shape = "(" + ", ".join(map(str, found.shape)) + ")"
        rows = counted(count, "row")
        raise Refused("E176", f"The model's output is {shape} for {rows}; a matrix of numbers, a row each, is needed.")
    return values.from_array(found.reshape(count, -1), None)
