"""The app's own encoders from their weights: a report, and embeddings of data; class weights beside or in a file."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.reading import arrays, weights
from models.reading.arrays import Arrays, notes_of
from models.reading.child import ask, source
from models.reading.onnx import DATA, Shapes, shapes_of
from models.reading.refused import PAGE, Limits, Refused, listing, shown, told
from models.spec import Value

ACCEPTED = weights.ACCEPTED
CONFIG = (".json",)
PROXIES = (*arrays.ACCEPTED, ".pt")


@dataclass(frozen=True)
class Named:
    """What is said of the weights: the encoder by key and knobs, or the config that it was trained with."""

    key: str = ""
    knobs: Mapping[str, Value] = field(default_factory=dict)  # others are read from the shapes of the weights
    config: Path | None = None  # run.json, or a config of the lab


@dataclass(frozen=True, eq=False)
class Ran:
    """An encoder's report; with data, its embeddings; class weights (c, d) where they lie beside it."""

    shapes: Shapes
    arrays: Arrays | None
    proxies: NDArray[np.float32] | None


def read_encoder(path: Path, named: Named, data: Path | None = None, *, limits: Limits = PAGE) -> Ran:
    """Build the encoder and run it in the limited process; raises Refused (E104, E110, E160 to E169, E174 to E176).

    Pictures get their channels first and are scaled to 0..1 where they are bytes; other numbers are taken as they are.
    """
    roles = {"weights": (path, ACCEPTED), "data": (data, DATA), "config": (named.config, CONFIG)}
    sources = {role: source(file, "", kinds, limits) for role, (file, kinds) in roles.items() if file is not None}
    options = {"roles": list(sources), "encoder": named.key, "knobs": dict(named.knobs)}
    answer = ask("encoder", list(sources.values()), options, limits)
    values: dict[str, Any] = answer.columns
    z = values.get("z")
    name = sources["weights"].name
    found = None
    if z is not None:
        found = Arrays(name, z, values.get("y"), answer.told["classes"] or [], None, len(z), "", notes_of(answer))
    return Ran(shapes_of(name, answer.told["report"]), found, values.get("proxies"))


def read_proxies(path: Path, *, limits: Limits = PAGE) -> NDArray[np.float32]:
    """Class weights (c, d): the file's one matrix, or the one that is named so; raises Refused."""
    kind = source(path, "", PROXIES, limits).kind
    if kind not in weights.ACCEPTED:
        return arrays.read_arrays(path, limits=limits).z
    every = weights.read_tensors(path, limits=limits)
    matrices = {key: array for key, array in every.items() if array.ndim == 2 and not key.startswith("encoder.")}
    named = {key: array for key, array in matrices.items() if weights.is_proxy(key)}
    chosen = list((named or matrices).values())
    if len(chosen) != 1:
        keys = listing(list(named or matrices)) or "none"
        text = f"{len(chosen)} matrices of {shown(path.name)} could be class weights: {keys}."
        raise Refused("E115", f"{text} Call the one 'proxies'.")
    return np.asarray(chosen[0], np.float32)


def aligned(found: Arrays, proxies: NDArray[np.float32], name: str) -> NDArray[np.float32]:
    """A row for each label of the embeddings, further rows behind; raises Refused (E151, E174, E403).

    Row k is that of class k where labels are whole numbers, else of the k-th name in sorted order. A matrix (d, c) is
    turned.
    """
    if found.y is None:
        raise Refused(
            "E403", f"{shown(name)}: class weights need labels. Give --labels FILE, or labels beside the data."
        )
    d = found.z.shape[1]
    if d not in proxies.shape:
        text = f"Class weights have shape {told(proxies.shape)}; the embeddings have {d:,} dimensions."
        raise Refused("E174", f"{text} One row of {d:,} numbers a class is needed.")
    rows = proxies if proxies.shape[1] == d else np.ascontiguousarray(proxies.T)
    numbers = all(text.isdecimal() for text in found.classes)
    place = np.asarray([int(text) if numbers else k for k, text in enumerate(found.classes)])
    if place.max() >= len(rows) or (not numbers and len(rows) != len(place)):
        text = f"{len(rows):,} class weights for {len(place):,} classes"
        text += f", of which the last is {place.max():,}" if numbers else ""
        raise Refused("E151", f"{text}. Row k must be that of class k; leave out items of classes without one.")
    rest = np.setdiff1d(np.arange(len(rows)), place)
    return np.concatenate([rows[place], rows[rest]])
