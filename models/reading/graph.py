"""In the reading process: an ONNX model looked at, and refused unless it is standard operators over its own weights."""

import math
from collections import Counter
from collections.abc import Iterator
from typing import IO, Any

import onnx
from google.protobuf.message import DecodeError, Message  # type: ignore[import-untyped]

from models.reading.refused import MOST_VALUE, Limits, Refused, shown

OPSET, FORM = 26, 13  # the newest operator set and file form that the runtime installed here reads
_DOMAINS = {"", "ai.onnx", "ai.onnx.ml"}
_MOST_NODES = 200_000


def warm(_options: dict[str, Any]) -> None:
    """Let the parser load before the limits are set."""
    onnx.ModelProto().ParseFromString(b"")


def task(files: list[IO[bytes]], options: dict[str, Any], _limits: Limits) -> tuple[dict[str, Any], dict[str, Any]]:
    """The shape report."""
    return report(checked(files[0].read(), options["sources"][0][0])), {}


def checked(raw: bytes, name: str) -> onnx.ModelProto:
    """The model, parsed without opening anything it names; raises Refused (E104, E171 to E173)."""
    model = onnx.ModelProto()
    try:
        model.ParseFromString(raw)
    except (DecodeError, RecursionError, ValueError):
        raise Refused("E104", f"{shown(name)} is no ONNX model, or is damaged. Export it again: {_EXPORT}.") from None
    if not model.graph.node:
        raise Refused("E104", f"{shown(name)} is no ONNX model, or has no operators. Export it again: {_EXPORT}.")
    _check_outside(model)
    _check_version(model)
    _check_operators(model)
    return model


_EXPORT = "torch.onnx.export(model, (example,), path)"


def _messages(message: Message) -> Iterator[Message]:
    """A message and every one inside it, wherever the format allows one to stand."""
    open_ = [message]
    while open_:
        current = open_.pop()
        yield current
        for field, value in current.ListFields():
            if field.type == field.TYPE_MESSAGE:
                open_ += [value] if isinstance(value, Message) else list(value)


def _check_outside(model: onnx.ModelProto) -> None:
    """No tensor keeps its values in another file: initializers, sparse ones, attributes, subgraphs, functions alike."""
    for message in _messages(model):
        if not isinstance(message, onnx.TensorProto):
            continue
        places = {entry.key: entry.value for entry in message.external_data}
        if places or message.data_location == onnx.TensorProto.EXTERNAL:
            where = shown(
                places.get("location", "unnamed").replace("\\", "/").rpartition("/")[2] or "unnamed", MOST_VALUE
            )
            mend = "Save it in one file: onnx.save(model, path, save_as_external_data=False)."
            raise Refused(
                "E171", f"The model keeps '{shown(message.name, MOST_VALUE)}' in a separate file ('{where}'). {mend}"
            )


def _check_version(model: onnx.ModelProto) -> None:
    for entry in model.opset_import:
        if entry.domain in ("", "ai.onnx") and entry.version > OPSET:
            text = f"The model needs opset {entry.version}; this version reads up to {OPSET}."
            raise Refused("E173", f"{text} Export with opset_version={OPSET}.")
    if model.ir_version > FORM:
        text = f"The model has file form {model.ir_version}; this version reads up to {FORM}."
        raise Refused(
            "E173", f"{text} Export with opset_version={OPSET}, or set model.ir_version = {FORM} and save it."
        )


def _check_operators(model: onnx.ModelProto) -> None:
    """Standard operators, and functions made of them."""
    own = {(function.domain, function.name) for function in model.functions}
    nodes = [message for message in _messages(model) if isinstance(message, onnx.NodeProto)]
    if len(nodes) > _MOST_NODES:
        raise Refused("E121", f"The model has {len(nodes):,} operators; the limit is {_MOST_NODES:,}.")
    for node in nodes:
        if (node.domain, node.op_type) in own:
            continue
        domain = "" if node.domain == "ai.onnx" else node.domain
        if domain not in _DOMAINS or not onnx.defs.has(node.op_type, domain):
            full = f"{node.domain}::{node.op_type}" if node.domain else node.op_type
            mend = f"Export with standard operators: {_EXPORT}, dynamo=False without custom_opsets."
            raise Refused("E172", f"Operator {shown(full, MOST_VALUE)} is not a standard ONNX operator. {mend}")


def report(model: onnx.ModelProto) -> dict[str, Any]:
    """Inputs, outputs, operators and weights."""
    weights = {tensor.name for tensor in model.graph.initializer}
    numbers = sum(math.prod(tensor.dims) for tensor in model.graph.initializer)
    opset = next((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), 0)
    counts = Counter(node.op_type for node in model.graph.node)
    return {
        "opset": opset,
        "inputs": [_port(value) for value in model.graph.input if value.name not in weights],
        "outputs": [_port(value) for value in model.graph.output],
        "operators": dict(sorted(counts.items())),
        "tensors": len(weights),
        "parameters": numbers,
    }


def _port(value: onnx.ValueInfoProto) -> dict[str, Any]:
    tensor = value.type.tensor_type
    kind = onnx.TensorProto.DataType.Name(tensor.elem_type).lower() if tensor.elem_type else "unknown"
    sides = [_side(side) for side in tensor.shape.dim] if tensor.HasField("shape") else None
    return {"name": value.name, "type": kind, "shape": sides}


def _side(side: Any) -> int | str:
    return int(side.dim_value) if side.HasField("dim_value") else str(side.dim_param or "n")
