"""In the reading process: which encoder of the app weights belong to, from its config or from the weights' shapes."""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from models.catalogue import discover
from models.reading.refused import MOST_VALUE, Refused, shown
from models.reading.weights import check_fit, is_proxy
from models.spec import Value, check_knobs

Tensors = Mapping[str, NDArray[Any]]
_OWN = "encoder."  # where a run keeps its encoder
_WRAPPERS = ("module.", "model.", "net.", "_orig_mod.", _OWN)
_ASK = "Name it: --encoder KEY, one of"


@dataclass(frozen=True)
class Asked:
    """The encoder that was named, by hand or by a config; an empty key: by nobody."""

    key: str
    knobs: Mapping[str, Value]


@dataclass(frozen=True, eq=False)
class Built:
    """An encoder with its weights, and the shape of one item that it reads (words for sides that are free)."""

    module: nn.Module
    asked: Asked
    takes: tuple[int | str, ...]


def of_config(config: Any, name: str) -> Asked:
    """The encoder of a run's config, of its run.json, or of the lab's list of configs if it holds one."""
    if isinstance(config, list):
        if len(config) != 1:
            raise Refused("E403", f"{shown(name)} holds {len(config)} configs. Keep the one of these weights.")
        config = config[0]
    config = config.get("config", config) if isinstance(config, dict) else {}
    encoder = config.get("encoder") if isinstance(config, dict) else None
    if not isinstance(encoder, dict) or not isinstance(encoder.get("key"), str):
        raise Refused("E168", f"{shown(name)} names no encoder. Give the run.json of a run, or a config of the lab.")
    knobs = encoder.get("knobs", {})
    return Asked(encoder["key"], knobs if isinstance(knobs, dict) else {})


def own(tensors: Tensors, name: str) -> dict[str, NDArray[Any]]:
    """The encoder's tensors under their plain names: what else a run keeps, and what wraps a model, is left out."""
    found = dict(tensors)
    if any(key.startswith(_OWN) for key in found):
        found = {key: values for key, values in found.items() if key.startswith(_OWN)}
    while found and (wrap := next((one for one in _WRAPPERS if all(key.startswith(one) for key in found)), None)):
        found = {key.removeprefix(wrap): values for key, values in found.items()}
    if found and all(key.startswith(("a.", "b.")) for key in found):
        mend = (
            "save_file({k[10:]: v for k, v in load_file(path).items() if k.startswith('encoder.a.')}, 'a.safetensors')"
        )
        raise Refused("E403", f"{shown(name)} holds two encoders, one a side. Save the one to look at: {mend}.")
    return found


def without_proxies(found: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Without matrices that are named as class weights."""
    return {key: values for key, values in found.items() if not is_proxy(key)}


def built(tensors: Tensors, asked: Asked, data: tuple[int, ...] | None, name: str) -> Built:
    """The encoder with these weights for items of a shape; raises Refused (E168, E169, E174, E311) before any runs."""
    keys = discover("encoders")
    if asked.key not in keys:
        what = f"No encoder is called '{shown(asked.key, MOST_VALUE)}'." if asked.key else "Whose weights are they?"
        mend = f"{_ASK} {', '.join(keys)}; or give its config: --config run.json."
        raise Refused("E168", f"{shown(name)} holds weights alone. {what} {mend}")
    shapes = [tensors[key].shape for key in sorted(tensors, key=_natural) if tensors[key].ndim > 1]
    _check_kind(asked.key, shapes, name)
    takes = _takes(asked.key, shapes)
    if data is not None:
        _check_data(asked.key, shapes, data)
    knobs = {**_knobs(asked.key, shapes, keys[asked.key].SPEC.knobs), **asked.knobs}
    try:
        checked = check_knobs(keys[asked.key].SPEC.knobs, knobs, f"encoder {asked.key}")
    except ValueError as error:
        raise Refused("E311", f"{error}.") from None
    return _filled(tensors, Asked(asked.key, checked), takes, data or _example(asked.key, shapes))


def _natural(key: str) -> list[tuple[int, str]]:
    """The order of layers: 3.weight before 10.weight."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in key.split(".")]


def _check_kind(key: str, shapes: list[tuple[int, ...]], name: str) -> None:
    """E168 where the weights are plainly of another kind of encoder."""
    kernels = bool(shapes) and len(shapes[0]) > 2
    if not shapes or len(shapes[-1]) != 2 or kernels != (key == "conv"):
        have = "kernels of convolutions" if kernels else f"{len(shapes)} matrices and no kernel"
        text = f"{shown(name)} holds {have}: these are not the weights of '{key}'."
        raise Refused("E168", f"{text} Choose the architecture that these weights belong to.")


def _filled(tensors: Tensors, asked: Asked, takes: tuple[int | str, ...], shape: tuple[int, ...]) -> Built:
    """Only weights that fit whole are put in."""
    # Without storage, so that knobs which no weights stand behind cost nothing.
    with torch.device("meta"):
        module: nn.Module = discover("encoders")[asked.key].build(shape, **asked.knobs)
    needed = {key: tuple(tensor.shape) for key, tensor in module.state_dict().items()}
    check_fit({key: values.shape for key, values in tensors.items()}, needed)
    state = {key: torch.from_numpy(np.array(tensors[key], np.float32)) for key in needed}
    module.load_state_dict(state, assign=True)
    return Built(module.eval(), asked, takes)


def _takes(key: str, shapes: list[tuple[int, ...]]) -> tuple[int | str, ...]:
    """What one item looks like, as far as weights tell."""
    if key != "conv":
        return (shapes[0][1],)
    return (shapes[0][1], "h", "w") if len(shapes[0]) == 4 else (shapes[0][1], "length")


def _example(key: str, shapes: list[tuple[int, ...]]) -> tuple[int, ...]:
    """An item's shape that fits the weights; of pictures the square ones."""
    if key != "conv":
        return (shapes[0][1],)
    flat = len(shapes[0]) == 3
    pooled = shapes[-1][1] // max(shapes[-2][0], 1)
    side = pooled if flat else math.isqrt(pooled)
    return (shapes[0][1], *([side << (len(shapes) - 1)] * (1 if flat else 2)))


def _check_data(key: str, shapes: list[tuple[int, ...]], data: tuple[int, ...]) -> None:
    """E174 where items have not the size that the weights read."""
    given = ", ".join(map(str, ("n", *data)))
    have = f"the data are ({given})"
    mend = "Bring the data into that shape, n rows first."
    if key != "conv":
        if math.prod(data) != shapes[0][1]:
            raise Refused("E174", f"The model takes (n, {shapes[0][1]}); {have}. {mend}")
        return
    sides = ", ".join(map(str, _takes(key, shapes)))
    if len(data) != len(shapes[0]) - 1 or data[0] != shapes[0][1]:
        raise Refused("E174", f"The model takes (n, {sides}); {have}. {mend}")
    depth = len(shapes) - 1
    left = math.prod(-(-side // (1 << depth)) for side in data[1:]) * shapes[-2][0]
    if left != shapes[-1][1]:
        text = f"The model takes pictures of which {shapes[-1][1]:,} numbers are left after {depth} halvings"
        raise Refused("E174", f"{text}; of these ({given}) {left:,} are. {mend}")


def _knobs(key: str, shapes: list[tuple[int, ...]], knobs: tuple[Any, ...]) -> dict[str, Value]:
    """What the shapes say: size of the embedding, width of the first layer, number of layers."""
    said = {"dim": shapes[-1][0], "width": shapes[0][0], "depth": len(shapes) - 1}
    if key == "linear":
        return {"dim": said["dim"]}
    ends = {knob.name: (knob.low, knob.high) for knob in knobs}
    # A single layer is no network of this kind; the check of the names says so.
    return {name: max(value, int(ends[name][0] or 0)) for name, value in said.items() if name in ends}


def report(made: Built) -> dict[str, Any]:
    """Inputs, outputs, layers and weights, in the form of an ONNX model's report."""
    layers = Counter(type(layer).__name__ for layer in made.module.modules() if not list(layer.children()))
    state = made.module.state_dict()
    return {
        "opset": None,
        "inputs": [{"name": "x", "type": "float", "shape": ["n", *made.takes]}],
        "outputs": [{"name": "z", "type": "float", "shape": ["n", made.asked.knobs["dim"]]}],
        "operators": dict(sorted(layers.items())),
        "tensors": len(state),
        "parameters": sum(tensor.numel() for tensor in state.values()),
        "encoder": {"key": made.asked.key, "knobs": dict(made.asked.knobs)},
    }
