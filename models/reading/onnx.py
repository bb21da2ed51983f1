"""ONNX models of a user: a report of shapes, and embeddings of data; they run in the limited process only."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.reading.arrays import ACCEPTED as ARRAYS
from models.reading.arrays import Arrays, notes_of
from models.reading.child import ask, source
from models.reading.refused import PAGE, Limits

ACCEPTED = (".onnx",)
DATA = (*ARRAYS, ".zip")


@dataclass(frozen=True)
class Port:
    """An input or output."""

    name: str
    type: str  # as ONNX calls it
    shape: tuple[int | str, ...] | None  # words for sides that are free; None if nothing is said


@dataclass(frozen=True)
class Shapes:
    """What can be said of a model without running it."""

    name: str
    opset: int | None  # None: no ONNX
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    operators: dict[str, int]
    tensors: int
    parameters: int
    encoder: dict[str, Any] | None = None  # key and knobs, of the app's own encoders


def read_shapes(path: Path, name: str = "", *, limits: Limits = PAGE) -> Shapes:
    """Look at a model; raises Refused (E104, E171 to E173)."""
    checked = source(path, name, ACCEPTED, limits)
    return shapes_of(checked.name, ask("shapes", [checked], {}, limits).told)


def shapes_of(name: str, told: dict[str, Any]) -> Shapes:
    """What the process told of a model."""
    ports = {side: tuple(_port(port) for port in told[side]) for side in ("inputs", "outputs")}
    return Shapes(
        name,
        told["opset"],
        ports["inputs"],
        ports["outputs"],
        told["operators"],
        told["tensors"],
        told["parameters"],
        told.get("encoder"),
    )


def _port(told: dict[str, Any]) -> Port:
    shape = told["shape"]
    return Port(told["name"], told["type"], None if shape is None else tuple(shape))


def run_model(path: Path, data: Path, name: str = "", *, limits: Limits = PAGE) -> Arrays:
    """Embeddings of every row or picture of the data; raises Refused (E104, E171 to E176 and those of the data).

    Pictures are scaled to 0..1 where the model takes floats and get their channels where it has them. The output called
    embeddings, features or z is taken, else the first; one of more than two dimensions is laid flat.
    """
    sources = [source(path, name, ACCEPTED, limits), source(data, "", DATA, limits)]
    answer = ask("onnx", sources, {}, limits)
    values: dict[str, Any] = answer.columns
    z = values["z"]
    return Arrays(sources[0].name, z, values.get("y"), answer.told["classes"] or [], None, len(z), "", notes_of(answer))
