"""Checkpoints of any architecture as a table of tensors; nothing in them runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.reading.arrays import notes_of
from models.reading.child import ask, source
from models.reading.refused import MOST_VALUE, PAGE, Limits, Note, Refused, listing, shown, told

ACCEPTED = (".safetensors", ".pt")
EMBEDDINGS = ("embeddings", "features", "z")  # a matrix of one of these names counts as embeddings


@dataclass(frozen=True)
class TensorFacts:
    """One tensor."""

    name: str
    shape: tuple[int, ...]
    type: str  # as NumPy calls it
    norm: float | None  # root of the sum of squares of its finite values
    mean: float | None
    nan: int  # values
    infinite: int
    zero: int
    singular: tuple[float, ...]  # falling; empty if it is no matrix, holds bad values, or was too large

    @property
    def effective_rank(self) -> float | None:
        """exp of the entropy of the singular values' shares (Roy and Vetterli 2007); None without a spectrum."""
        values = np.array(self.singular)
        if not values.size or values.sum() == 0:
            return None
        share = values[values > 0] / values.sum()
        return float(np.exp(-(share * np.log(share)).sum()))


@dataclass(frozen=True)
class Weights:
    """A checkpoint as a table."""

    name: str
    tensors: tuple[TensorFacts, ...]
    notes: tuple[Note, ...]

    @property
    def embeddings(self) -> str | None:
        """The one matrix whose name says that it holds embeddings."""
        named = [fact.name for fact in self.tensors if len(fact.shape) == 2 and fact.name in EMBEDDINGS]
        return named[0] if len(named) == 1 else None


def read_weights(path: Path, name: str = "", *, limits: Limits = PAGE) -> Weights:
    """A line for each tensor of a safetensors file or a torch.save state; raises Refused (E104, E110, E160 to E167)."""
    checked = source(path, name, ACCEPTED, limits)
    answer = ask("weights", [checked], {}, limits)
    facts = tuple(_facts(fact) for fact in answer.told["tensors"])
    return Weights(checked.name, facts, notes_of(answer))


def _facts(fact: dict[str, Any]) -> TensorFacts:
    return TensorFacts(**{**fact, "shape": tuple(fact["shape"]), "singular": tuple(fact["singular"])})


def read_tensors(path: Path, name: str = "", *, limits: Limits = PAGE) -> dict[str, NDArray[Any]]:
    """The tensors themselves, bfloat16 as float32; raises Refused as read_weights does."""
    answer = ask("weights", [source(path, name, ACCEPTED, limits)], {"values": True}, limits)
    return {key: values for key, values in answer.columns.items() if not isinstance(values, list)}


def is_proxy(key: str) -> bool:
    """True for a name that people give to class weights."""
    last = key.lower().split(".")
    return last[-1] in ("proxy", "proxies", "w", "prototypes", "centers", "class_weights") or (
        last[-1] == "weight" and len(last) > 1 and last[-2] in ("head", "classifier", "fc_head", "arcface", "proxies")
    )


def check_fit(found: Mapping[str, tuple[int, ...]], needed: Mapping[str, tuple[int, ...]]) -> None:
    """Refuse weights that are not those of a model, by name and shape (E168, E169)."""
    missing = [key for key in needed if key not in found]
    unknown = [key for key in found if key not in needed]
    if missing or unknown:
        near = get_close_matches(unknown[0], missing, 1) if unknown and missing else []
        hint = f" Is '{shown(unknown[0], MOST_VALUE)}' meant as '{near[0]}'?" if near else ""
        parts = [(missing, "missing"), (unknown, "unknown")]
        said = " and ".join(_said(keys, word, first=place == 0) for place, (keys, word) in enumerate(parts) if keys)
        raise Refused("E168", f"{said}.{hint} Choose the architecture that these weights belong to.")
    for key, shape in needed.items():
        if found[key] != shape:
            raise Refused("E169", f"'{shown(key, MOST_VALUE)}' is {told(found[key])}, the model needs {told(shape)}.")


def _said(keys: list[str], word: str, *, first: bool) -> str:
    noun = (" weight" if len(keys) == 1 else " weights") if first else ""
    return f"{len(keys)}{noun} {'is' if len(keys) == 1 else 'are'} {word} ({listing(keys)})"
