"""In the reading process: a sentence-transformers folder as numbers, run over the texts of another file.

No code of the folder or of its library runs: BERT's forward pass, the pooling and what follows it are this app's own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from models import minilm
from models.reading import columns, labels, matrices, tensorfile, texts, values, wordpiece
from models.reading.bert import ORDER, Sizes, Weights, sizes_of, tensor_of, weights_of
from models.reading.refused import MOST_VALUE, Limits, Notes, Refused, counted, listing, shown
from models.reading.wordpiece import WordPiece

BATCH = 64
_MOST_TOKENS = 512
_TEXTS = ("text", "texts", "sentence", "sentences", "content", "document", "passage", "query", "question", "title")
_ACTIVATIONS = {"Identity": lambda x: x, "Tanh": torch.tanh, "ReLU": functional.relu, "GELU": functional.gelu}
_POOLINGS = ("cls", "max", "mean", "mean_sqrt_len")  # in the order in which they stand side by side
Given = Mapping[str, tuple[IO[bytes], Any]]  # role -> file, and its name, kind and length


@dataclass(frozen=True, eq=False)
class Model:
    """All that turns texts into rows."""

    sizes: Sizes
    weights: Weights
    tokenizer: WordPiece
    longest: int  # tokens
    lower: bool
    pooling: tuple[str, ...]
    after: tuple[tuple[str, Weights, str], ...]  # Normalize or Dense, its weights, its activation


def warm(options: dict[str, Any]) -> None:
    """Load what reads the data, and let torch start, before the limits are set."""
    torch.set_num_threads(1)
    for role, one in zip(options["roles"], options["sources"], strict=True):
        if role == "data":
            matrices.warm({"sources": [one]})
    small = torch.ones(1, 1, 2, 2)
    functional.scaled_dot_product_attention(small, small, small)


def task(files: list[IO[bytes]], options: dict[str, Any], limits: Limits) -> tuple[dict[str, Any], dict[str, Any]]:
    """A report of the model; with data, an embedding of each text."""
    given: Given = dict(zip(options["roles"], zip(files, options["sources"], strict=True), strict=True))
    model = _model(given, options["modules"], limits)
    told: dict[str, Any] = {"report": _report(model), "classes": None, "total": 0}
    notes, answer = Notes(), dict[str, Any]()
    if "data" in given:
        found, beside = _texts(given["data"], limits, notes)
        picked = values.sampled(len(found), options["sample"])
        chosen = found if picked is None else [found[row] for row in picked]
        answer["z"], told["total"] = _run(model, chosen, notes), len(found)
        values.check_finite(answer["z"], half=False, drop=False)
        values.remark(answer["z"], notes)
        if picked is not None:
            notes.add("W207", f"{len(picked):,} of {len(found):,} rows were read, drawn at random, the same each time.")
            answer["rows"] = picked
        if beside is not None:
            y, told["classes"] = labels.classes(beside, len(found), limits, notes)
            answer["y"] = y if picked is None else y[picked]
    return {**told, "notes": [[note.code, note.text] for note in notes.found]}, answer


def _json(given: Given, role: str) -> Any:
    file, (name, _, length) = given[role]
    found = texts.parsed(file, name, length, most=64 << 20 if role == "tokenizer" else texts.MOST)
    if not isinstance(found, dict):
        raise Refused("E104", f"{shown(name)} is no JSON object. Save the model again.")
    return found


def _model(given: Given, modules: list[list[str]], limits: Limits) -> Model:
    sizes = sizes_of(_json(given, "config"))
    limit = _json(given, "limit") if "limit" in given else {}
    tokenizer = wordpiece.tokenizer_of(_json(given, "tokenizer"), "tokenizer.json")
    if max(tokenizer.vocabulary.values(), default=0) >= sizes.words:
        text = f"tokenizer.json has more pieces than the {sizes.words:,} of the model."
        raise Refused("E168", f"{text} Save tokenizer and model together.")
    after = tuple(
        (kind, *(_dense(given, role, limits) if kind == "Dense" else ({}, "Identity"))) for kind, role in modules[2:]
    )
    longest = limit.get("max_seq_length") or sizes.places
    longest = min(int(longest), sizes.places, _MOST_TOKENS) if isinstance(longest, int) else sizes.places
    pooling = _pooling(_json(given, modules[1][1]))
    file, (_, _, length) = given["weights"]
    weights = weights_of(file, length, sizes, limits)
    return Model(sizes, weights, tokenizer, longest, bool(limit.get("do_lower_case")), pooling, after)


def _pooling(config: Mapping[str, Any]) -> tuple[str, ...]:
    """The ways of pooling that are on, in the library's order; raises Refused (E177)."""
    named = config.get("pooling_mode")
    on = [named] if isinstance(named, str) else list(named) if isinstance(named, list | tuple) else []
    on = on or [key for key, value in config.items() if key.startswith("pooling_mode_") and value is True]
    ways = [str(key).removeprefix("pooling_mode_").removesuffix("_tokens").removesuffix("_token") for key in on]
    other = [way for way in ways if way not in _POOLINGS]
    if other or not ways:
        what = f"pooling '{shown(other[0], MOST_VALUE)}'" if other else "no pooling"
        raise Refused("E177", f"The folder asks for {what}; read are {', '.join(_POOLINGS)}.")
    return tuple(way for way in _POOLINGS if way in ways)


def _dense(given: Given, role: str, limits: Limits) -> tuple[Weights, str]:
    """The weights of a dense layer behind the pooling, and its activation."""
    config = _json(given, role)
    activation = str(config.get("activation_function", "torch.nn.modules.activation.Tanh")).rpartition(".")[2]
    if activation not in _ACTIVATIONS:
        text = f"A dense layer asks for {shown(activation, MOST_VALUE)}; read are {', '.join(_ACTIVATIONS)}."
        raise Refused("E177", text)
    file, (name, _, length) = given[f"{role}.weights"]
    found = {entry.name: tensorfile.array(file, entry) for entry in tensorfile.entries(file, length, limits)}
    if "linear.weight" not in found or not set(found) <= {"linear.weight", "linear.bias"}:
        raise Refused("E168", f"{shown(name)} of a dense layer holds {listing(list(found))}; linear.weight is needed.")
    return {key: tensor_of(array) for key, array in found.items()}, activation


def _report(model: Model) -> dict[str, Any]:
    own = [model.weights, *(weights for _, weights, _ in model.after)]
    width = model.sizes.dim * len(model.pooling)
    for _, weights, _ in model.after:
        width = len(weights["linear.weight"]) if weights else width
    steps = {
        "Embedding": 3,
        "Transformer layer": model.sizes.layers,
        **{f"Pooling ({way})": 1 for way in model.pooling},
    }
    return {
        "opset": None,
        "inputs": [{"name": "text", "type": f"text of up to {model.longest} tokens", "shape": ["n"]}],
        "outputs": [{"name": "z", "type": "float", "shape": ["n", width]}],
        "operators": steps | {kind: 1 for kind, _, _ in model.after},
        "tensors": sum(map(len, own)),
        "parameters": sum(tensor.numel() for part in own for tensor in part.values()),
        "encoder": {"key": model.sizes.kind, "knobs": {name: getattr(model.sizes, name) for name in ORDER}},
    }


def _texts(given: tuple[IO[bytes], Any], limits: Limits, notes: Notes) -> tuple[list[str], matrices.Values | None]:
    """The column of texts, and labels beside it (E190)."""
    file, (name, kind, _) = given
    table = columns.read(file, kind, name, limits, notes, lenient=False)[0]
    words = {key: column for key, column in table.items() if isinstance(column, list)}
    lower = {key.strip().lower(): key for key in words}
    key = next((lower[word] for word in _TEXTS if word in lower), None)
    beside = {other: column for other, column in table.items() if other != key}
    if key is None:
        free = [one for one in words if not matrices.is_aside(one)]
        if len(free) != 1:
            text = f"{len(free)} columns could be the texts: {listing(list(table))}."
            raise Refused("E190", f"{text} Call the one 'text', and the labels 'label'.")
        key = free[0]
        beside.pop(key)
    return list(words[key]), matrices.labels_beside(beside, "", Notes())


@torch.no_grad()
def _run(model: Model, found: list[str], notes: Notes) -> NDArray[np.float32]:
    """Rows in the order of the texts; those of like length go together, so that little is padding."""
    ids = [model.tokenizer.ids(text.lower() if model.lower else text, model.longest) for text in found]
    cut = sum(len(one) >= model.longest for one in ids)
    if cut:
        notes.add("W244", f"{counted(cut, 'text')} of {len(ids):,} reached the {model.longest} tokens the model reads.")
    order = sorted(range(len(ids)), key=lambda place: len(ids[place]))
    parts = []
    for start in range(0, len(order), BATCH):
        rows = [ids[place] for place in order[start : start + BATCH]]
        longest = max(map(len, rows))
        mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
        padded = torch.tensor([row + [0] * (longest - len(row)) for row in rows])
        x = minilm.forward(padded, mask, model.weights, model.sizes.heads, model.sizes.epsilon)
        parts.append(_after(model, _pooled(x, mask, model.pooling)).numpy())
    z = np.empty((len(order), parts[0].shape[1]), np.float32)
    z[order] = np.concatenate(parts)
    return z


def _pooled(x: Tensor, mask: Tensor, ways: tuple[str, ...]) -> Tensor:
    """Rows (n, d * ways) from tokens (n, t, d)."""
    there = mask[:, :, None].to(x.dtype)
    total, count = (x * there).sum(1), there.sum(1).clamp(min=1e-9)
    found = {
        "cls": x[:, 0],
        "max": x.masked_fill(there == 0, -1e9).amax(1),
        "mean": total / count,
        "mean_sqrt_len": total / count.sqrt(),
    }
    return torch.cat([found[way] for way in ways], dim=1)


def _after(model: Model, z: Tensor) -> Tensor:
    for kind, weights, activation in model.after:
        if kind == "Normalize":
            z = functional.normalize(z, dim=1)
        else:
            if weights["linear.weight"].shape[1] != z.shape[1]:
                have = f"{tuple(weights['linear.weight'].shape)}, {z.shape[1]} numbers come in"
                raise Refused("E169", f"'linear.weight' of a dense layer is {have}. Save the model again.")
            z = _ACTIVATIONS[activation](functional.linear(z, weights["linear.weight"], weights.get("linear.bias")))
    return z
