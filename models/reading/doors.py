"""What a user brought, whichever way: embeddings, scores, a checkpoint, or a model with or without data."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.reading import arrays, company, encoder, folder, onnx, relevance, scores, sentence_folder, sniff, weights
from models.reading.arrays import Arrays, Choice
from models.reading.child import source
from models.reading.onnx import Shapes
from models.reading.refused import COMMAND_LINE, Limits, Note, Refused, shown
from models.reading.relevance import Judged
from models.reading.scores import Pairs, ScoreTable
from models.reading.table import ACCEPTED as TABLES
from models.reading.table import Table, read_table
from models.reading.weights import Weights
from models.spec import Value

_PEEK = 100  # rows that show what a large table holds
DOORS = ("embeddings", "relevance", "scores", "weights", "model")
ACCEPTED = (*arrays.ACCEPTED, ".pt", ".onnx")
_TAKES = {
    "embeddings": arrays.ACCEPTED,
    "relevance": relevance.ACCEPTED,
    "scores": TABLES,
    "weights": weights.ACCEPTED,
    "model": (*onnx.ACCEPTED, *encoder.ACCEPTED),
}


@dataclass(frozen=True)
class Request:
    """A file and what belongs to it."""

    path: Path
    door: str = ""  # of DOORS; empty: from the file
    data: Path | None = None  # for a model
    labels: Path | None = None  # for embeddings
    pairs: Path | None = None  # for embeddings
    documents: Path | None = None  # for queries; None: in the same file
    relevance: Path | None = None  # for queries and documents; None: in the same file
    encoder: str = ""  # key of the app's encoder that weights belong to
    knobs: Mapping[str, Value] = field(default_factory=dict)  # of that encoder
    config: Path | None = None  # of the run that trained it
    proxies: Path | None = None  # class weights, for embeddings with labels
    sample: int | None = None  # rows taken of embeddings
    limits: Limits = COMMAND_LINE


@dataclass(frozen=True, eq=False)
class Brought:
    """What was read: one of arrays, judged, scores, weights and shapes; pairs or proxies beside arrays."""

    name: str
    door: str
    arrays: Arrays | None = None
    pairs: Pairs | None = None
    proxies: NDArray[np.float32] | None = None  # (c, d), row k is that of label k
    judged: Judged | None = None
    scores: ScoreTable | None = None
    weights: Weights | None = None
    shapes: Shapes | None = None

    @property
    def notes(self) -> tuple[Note, ...]:
        """What is odd about it."""
        parts = (self.arrays, self.judged, self.scores, self.weights)
        return next((part.notes for part in parts if part is not None), ())


def bring(request: Request) -> Brought:
    """Read a file, or a folder of one checkpoint, and what belongs to it; raises Refused."""
    request = folder.resolved(request)
    name = request.path.name
    if os.path.isdir(request.path):
        company.check(request, "model")
        return _sentences(request)
    kind = source(request.path, "", ACCEPTED, request.limits).kind
    if request.door and kind not in _TAKES[request.door]:
        takes = " ".join(_TAKES[request.door])
        raise Refused(
            "E103", f"{shown(name)} cannot be read as {request.door}: {takes} are. Leave --as out, or export it so."
        )
    door, table = request.door or _guessed(kind, request), None
    if door == "embeddings" and not request.door and request.labels is None and request.pairs is None:
        door, table = _seen(kind, request)
    company.check(request, door)
    if door == "relevance":
        judged = relevance.read_judged(request.path, request.documents, request.relevance, limits=request.limits)
        return Brought(name, door, judged=judged)
    if door == "scores":
        found = scores.read_scores(request.path, limits=request.limits) if table is None else scores.scores_of(table)
        return Brought(name, door, scores=found)
    if door == "model":
        return _model(request, name)
    if door == "weights":
        return _weights(request, name)
    return _embeddings(request, name)


def _seen(kind: str, request: Request) -> tuple[str, Table | None]:
    """Embeddings or scores, from a table itself; the table, if it holds scores and was read to its end."""
    if kind not in (".csv", ".tsv", ".parquet"):
        return "embeddings", None
    peek = 0 if request.sample is None else _PEEK
    table = read_table(request.path, peek=peek, limits=_for_sample(request))
    if not scores.is_scores(table):
        return "embeddings", None
    return "scores", None if len(table) == peek else table


def _guessed(kind: str, request: Request) -> str:
    if kind in encoder.ACCEPTED and (request.encoder or request.config or request.data):
        return "model"
    if request.relevance is not None or request.documents is not None:
        return "relevance"
    return {".onnx": "model", ".pt": "weights", ".safetensors": "weights"}.get(kind, "embeddings")


def _embeddings(request: Request, name: str, array: str = "") -> Brought:
    choice = Choice(array=array, sample=request.sample)
    found = arrays.read_arrays(request.path, labels=request.labels, choice=choice, limits=_for_sample(request))
    return _with_proxies(request, Brought(name, "embeddings", arrays=found, pairs=_pairs(request, found)))


def _for_sample(request: Request) -> Limits:
    """A sample may come from any number of bytes, but for text, which is read to its end; pairs name rows of all."""
    limits = request.limits
    if request.pairs is not None:
        limits = replace(limits, whole_bytes=limits.matrix_bytes)
    mapped = request.sample is not None and sniff.suffix_of(request.path.name) not in (".csv", ".tsv")
    return replace(limits, file_bytes=1 << 50) if mapped else limits


def _pairs(request: Request, found: Arrays) -> Pairs | None:
    if request.pairs is None:
        return None
    if found.rows is not None:
        raise Refused("E403", "--pairs counts all rows of the file, of which only some are read. Leave --sample out.")
    return scores.read_pairs(request.pairs, len(found.z), limits=request.limits)


def _weights(request: Request, name: str) -> Brought:
    """A checkpoint; one matrix that is named so counts as embeddings."""
    found = weights.read_weights(request.path, limits=request.limits)
    safe = sniff.suffix_of(name) == ".safetensors"
    if found.embeddings is not None and safe and request.door != "weights":
        return _embeddings(request, name, found.embeddings)
    if request.labels is not None or request.pairs is not None:
        mend = "Call the matrix 'embeddings', or leave --labels and --pairs out."
        raise Refused("E403", f"{shown(name)} holds weights, not embeddings. {mend}")
    return Brought(name, "weights", weights=found)


def _model(request: Request, name: str) -> Brought:
    """A model: its report alone, or the embeddings it makes of data."""
    if sniff.suffix_of(name) != ".onnx":
        return _encoder(request, name)
    if request.data is None:
        return Brought(name, "model", shapes=onnx.read_shapes(request.path, limits=request.limits))
    shapes = onnx.read_shapes(request.path, limits=request.limits)
    found = onnx.run_model(request.path, request.data, limits=request.limits)
    if request.labels is not None:
        found = arrays.with_labels(found, request.labels, request.limits)
    made = Brought(name, "model", arrays=found, pairs=_pairs(request, found), shapes=shapes)
    return _with_proxies(request, made)


def _encoder(request: Request, name: str) -> Brought:
    """One of the app's own encoders: its report alone, or the embeddings it makes of data."""
    named = encoder.Named(request.encoder, request.knobs, request.config)
    ran = encoder.read_encoder(request.path, named, request.data, limits=request.limits)
    if ran.arrays is None:
        return Brought(name, "model", shapes=ran.shapes)
    found = ran.arrays
    if request.labels is not None:
        found = arrays.with_labels(found, request.labels, request.limits)
    made = Brought(name, "model", arrays=found, pairs=_pairs(request, found), shapes=ran.shapes)
    return _with_proxies(request, made, ran.proxies)


def _sentences(request: Request) -> Brought:
    """A sentence-transformers folder: its report alone, or the embeddings it makes of texts."""
    ran = sentence_folder.read_sentences(request.path, request.data, sample=request.sample, limits=request.limits)
    name, found = ran.shapes.name, ran.arrays
    if found is None:
        return Brought(name, "model", shapes=ran.shapes)
    if request.labels is not None:
        found = arrays.with_labels(found, request.labels, request.limits)
    made = Brought(name, "model", arrays=found, pairs=_pairs(request, found), shapes=ran.shapes)
    return _with_proxies(request, made)


def _with_proxies(request: Request, found: Brought, beside: NDArray[np.float32] | None = None) -> Brought:
    """Class weights of their own file, else those beside an encoder where they fit the labels."""
    assert found.arrays is not None
    if request.proxies is not None:
        given = encoder.read_proxies(request.proxies, limits=request.limits)
        return replace(found, proxies=encoder.aligned(found.arrays, given, request.proxies.name))
    if beside is None or found.arrays.y is None:
        return found
    try:
        return replace(found, proxies=encoder.aligned(found.arrays, beside, found.name))
    except Refused as misfit:  # nobody asked for them
        note = Note("W243", f"The class weights beside the encoder are left out: {misfit.text}")
        return replace(found, arrays=replace(found.arrays, notes=(*found.arrays.notes, note)))
