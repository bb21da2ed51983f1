"""Samples to press: files of a small encoder trained here on digits, with a fault planted that a diagnosis shall find.

Files and not arrays: a sample goes through the very door that a user's own file goes through.
"""

import io
from collections.abc import Callable

import numpy as np
import torch
from onnx import ModelProto, TensorProto, helper, numpy_helper
from torch import nn

from models.diagnostics.items import items_of
from models.training.config import RunConfig
from models.training.run import Run

STEPS, FLIPPED, PAIRS = 150, 0.06, 4000  # training steps; share of labels planted wrong; scores in the table
_STREAM = 17
Files = dict[str, bytes]  # the main file first


def _trained() -> tuple[Run, np.ndarray, np.ndarray]:
    """The run, all digits as it embeds them, and their true labels."""
    run = Run(RunConfig(steps=STEPS))
    run.advance(STEPS)
    with torch.no_grad():
        z: np.ndarray = run.encoder(torch.from_numpy(run.data.source.x).to(run.device)).cpu().numpy()
    return run, z, run.data.source.y


def flipped(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Labels of which FLIPPED are the next class, and which rows those are."""
    rng = np.random.default_rng(_STREAM)
    rows = np.sort(rng.choice(len(y), round(FLIPPED * len(y)), replace=False))
    wrong = y.copy()
    wrong[rows] = (wrong[rows] + 1) % (int(y.max()) + 1)
    return wrong, rows


def embeddings() -> Files:
    """An npz of 1,797 embeddings whose labels are wrong in places."""
    _, z, y = _trained()
    return {"digits_some_labels_flipped.npz": _npz(embeddings=z, labels=flipped(y)[0])}


def scores() -> Files:
    """A csv of cosines of pairs and whether they match: too few matches to be sure of a threshold."""
    _, z, y = _trained()
    rng = np.random.default_rng(_STREAM)
    rows = rng.choice(len(z), 300, replace=False)
    found = items_of(z[rows], flipped(y)[0][rows])
    i, j = np.triu_indices(len(rows), 1)
    kept = np.sort(rng.choice(len(i), PAIRS, replace=False))
    lines = [f"{found.s[a, b]:.6f},{int(found.pos[a, b])}" for a, b in zip(i[kept], j[kept], strict=True)]
    return {"digits_scores.csv": "\n".join(["score,is_match", *lines, ""]).encode()}


def model() -> Files:
    """The encoder as ONNX, and digits for it with labels that are wrong in places."""
    run, _, y = _trained()
    rows = run.data.source.x
    made = exported(run.encoder.cpu(), rows.shape[1:])
    return {"digits_encoder.onnx": made.SerializeToString(), "digits_images.npz": _npz(x=rows, y=flipped(y)[0])}


SAMPLES: dict[str, Callable[[], Files]] = {"embeddings": embeddings, "scores": scores, "model": model}


def made(door: str) -> Files:
    """The sample of a door; raises KeyError for another."""
    return SAMPLES[door]()


def exported(encoder: nn.Module, shape: tuple[int, ...]) -> ModelProto:
    """A chain of flatten, linear and ReLU layers as ONNX; raises ValueError for any other layer."""
    nodes, weights, at = [], [], "x"
    for place, layer in enumerate(encoder.children()):
        to = f"h{place}"
        if isinstance(layer, nn.Flatten):
            nodes.append(helper.make_node("Flatten", [at], [to]))
        elif isinstance(layer, nn.ReLU):
            nodes.append(helper.make_node("Relu", [at], [to]))
        elif isinstance(layer, nn.Linear):
            parts = {f"{place}.weight": layer.weight, f"{place}.bias": layer.bias}
            weights += [numpy_helper.from_array(value.detach().numpy(), name) for name, value in parts.items()]
            nodes.append(helper.make_node("Gemm", [at, *parts], [to], transB=1))
        else:
            raise ValueError(f"only flatten, linear and ReLU layers are written, got {type(layer).__name__}")
        at = to
    nodes.append(helper.make_node("Identity", [at], ["embeddings"]))
    takes = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", *shape])
    gives = helper.make_tensor_value_info("embeddings", TensorProto.FLOAT, ["n", "d"])
    graph = helper.make_graph(nodes, "encoder", [takes], [gives], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def _npz(**arrays: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()
