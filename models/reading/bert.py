"""In the reading process: sizes and weights of BERT and DistilBERT from a config.json and a safetensors file."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.reading import tensorfile
from models.reading.refused import MOST_VALUE, Limits, Refused, listing, shown
from models.reading.weights import check_fit

_DISTIL = (
    ("transformer.layer.", "encoder.layer."), ("attention.q_lin", "attention.self.query"),
    ("attention.k_lin", "attention.self.key"), ("attention.v_lin", "attention.self.value"),
    ("attention.out_lin", "attention.output.dense"), ("sa_layer_norm", "attention.output.LayerNorm"),
    ("ffn.lin1", "intermediate.dense"), ("ffn.lin2", "output.dense"), ("output_layer_norm", "output.LayerNorm"),
)  # fmt: skip
_TYPES = "embeddings.token_type_embeddings.weight"
ORDER = ("dim", "layers", "heads", "inner", "words", "places")
_NAMES = {
    "bert": (
        "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "vocab_size",
        "max_position_embeddings",
    ),
    "distilbert": ("dim", "n_layers", "n_heads", "hidden_dim", "vocab_size", "max_position_embeddings"),
}  # fmt: skip
Weights = dict[str, Tensor]


@dataclass(frozen=True)
class Sizes:
    """What a config.json says, under BERT's names."""

    kind: str
    dim: int
    layers: int
    heads: int
    inner: int
    words: int
    places: int
    types: int
    epsilon: float


def sizes_of(config: Mapping[str, Any]) -> Sizes:
    """Raises Refused (E177) for what is not BERT or DistilBERT with GELU and absolute places, and for code."""
    kind = str(config.get("model_type", "unknown"))
    if "auto_map" in config:
        text = "config.json asks to run code of the folder (auto_map), which is never run."
        raise Refused("E177", f"{text} Export the model to ONNX.")
    if kind not in ("bert", "distilbert"):
        text = f"The architecture '{shown(kind, MOST_VALUE)}' is not read; bert and distilbert are."
        raise Refused("E177", f"{text} Embed the texts yourself: np.savez(path, embeddings=model.encode(texts)).")
    names = _NAMES[kind]
    activation = config.get("hidden_act", config.get("activation", "gelu"))
    if activation != "gelu" or config.get("position_embedding_type", "absolute") != "absolute":
        text = f"config.json asks for activation '{shown(activation, MOST_VALUE)}' or places that are not absolute."
        raise Refused("E177", f"{text} Read are models with GELU and absolute places.")
    try:
        numbers = [int(config[name]) for name in names]
        epsilon = float(config.get("layer_norm_eps", 1e-12))
    except (KeyError, TypeError, ValueError):
        raise Refused("E104", f"config.json lacks one of {listing(names, 9)}. Save the model again.") from None
    types = int(config.get("type_vocab_size", 2)) if kind == "bert" else 1
    dim, layers, heads, inner, words, places = numbers
    if min(numbers) < 1 or dim % heads:
        raise Refused("E104", f"config.json has sizes that no model has: {numbers}. Save the model again.")
    return Sizes(kind, dim, layers, heads, inner, words, places, types, epsilon)


def _needed(sizes: Sizes) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the weights, under BERT's names."""
    d = sizes.dim
    rows = {"word": sizes.words, "position": sizes.places, "token_type": sizes.types}
    needed: dict[str, tuple[int, ...]] = {f"embeddings.{name}_embeddings.weight": (n, d) for name, n in rows.items()}
    pairs: dict[str, tuple[int, ...]] = {"embeddings.LayerNorm": (d,)}
    for layer in range(sizes.layers):
        name = f"encoder.layer.{layer}."
        for part in ("self.query", "self.key", "self.value", "output.dense"):
            pairs[f"{name}attention.{part}"] = (d, d)
        pairs |= {f"{name}attention.output.LayerNorm": (d,), f"{name}output.LayerNorm": (d,)}
        pairs |= {f"{name}intermediate.dense": (sizes.inner, d), f"{name}output.dense": (d, sizes.inner)}
    for name, shape in pairs.items():
        needed |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
    return needed


def weights_of(file: IO[bytes], length: int, sizes: Sizes, limits: Limits) -> Weights:
    """The weights under BERT's names; raises Refused (E165 to E169) before any is taken."""
    entries = {_named(entry.name): entry for entry in tensorfile.entries(file, length, limits)}
    found = {key: entry for key, entry in entries.items() if not _unused(key)}
    shapes = {key: entry.shape for key, entry in found.items()}
    if sizes.kind == "distilbert":
        shapes[_TYPES] = (1, sizes.dim)
    check_fit(shapes, _needed(sizes))
    made = {key: tensor_of(tensorfile.array(file, entry)) for key, entry in found.items()}
    return made | ({_TYPES: torch.zeros(1, sizes.dim)} if sizes.kind == "distilbert" else {})


def _named(key: str) -> str:
    """A weight's name as in BERT alone."""
    plain = key.removeprefix("auto_model.").removeprefix("bert.").removeprefix("distilbert.")
    if plain.startswith("transformer.layer."):
        for old, new in _DISTIL:
            plain = plain.replace(old, new)
    return plain


def _unused(key: str) -> bool:
    """Weights of heads that embeddings do not pass, and numbers that only count."""
    return key.startswith(("pooler.", "cls.", "vocab_")) or key.endswith(".position_ids")


def tensor_of(array: NDArray[Any]) -> Tensor:
    """A tensor of float32 that shares nothing with the file."""
    return torch.from_numpy(np.array(array, np.float32))
