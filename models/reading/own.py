"""In the reading process: weights of one of the app's encoders, put into it and run over rows or pictures."""

from typing import IO, Any

import numpy as np
import torch
from numpy.typing import NDArray

from models.reading import architecture, inference_data, labels, matrices, tensors, texts, values
from models.reading.architecture import Asked, Built
from models.reading.refused import Limits, Notes, Refused
from models.reading.weights import is_proxy

BATCH = 1024


def warm(options: dict[str, Any]) -> None:
    """Load what reads the data, and let torch start, before the limits are set."""
    torch.set_num_threads(1)
    for role, one in zip(options["roles"], options["sources"], strict=True):
        if role == "data":
            matrices.warm({"sources": [one]})
    torch.nn.functional.linear(torch.ones(1, 2), torch.ones(2, 2))


def task(files: list[IO[bytes]], options: dict[str, Any], limits: Limits) -> tuple[dict[str, Any], dict[str, Any]]:
    """A report of the encoder; with data, its embeddings of them, and class weights that lie beside the encoder's."""
    given = dict(zip(options["roles"], zip(files, options["sources"], strict=True), strict=True))
    file, (name, kind, length) = given["weights"]
    every = dict(tensors.every(file, name, kind, length, limits))
    asked = _asked(given, options)
    notes, rows, beside = Notes(), None, None
    if "data" in given:
        data, source = given["data"]
        rows, beside = inference_data.read(data, (source[0], source[1], source[2]), limits, notes)
    found = architecture.without_proxies(architecture.own(every, name))
    items = None if rows is None else _items(rows, found)
    made = architecture.built(found, asked, None if items is None else items.shape[1:], name)
    told: dict[str, Any] = {"report": architecture.report(made), "classes": None}
    answer = dict(_proxies(every))
    if items is not None:
        z = _run(made, items)
        values.check_finite(z, half=False, drop=False)
        values.remark(z, notes)
        answer["z"] = z
        if beside is not None:
            answer["y"], told["classes"] = labels.classes(beside, len(z), limits, notes)
    return {**told, "notes": [[note.code, note.text] for note in notes.found]}, answer


def _asked(given: dict[str, Any], options: dict[str, Any]) -> Asked:
    """By hand before what a config says."""
    if "config" not in given:
        return Asked(options["encoder"], options["knobs"])
    file, (name, _, length) = given["config"]
    stored = architecture.of_config(texts.parsed(file, name, length), name)
    if options["encoder"] and options["encoder"] != stored.key:
        text = f"--encoder says {options['encoder']}, the config {stored.key}."
        raise Refused("E403", f"{text} Leave one of them out.")
    return Asked(stored.key, {**stored.knobs, **options["knobs"]})


def _proxies(every: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The one matrix beside the encoder's that is named as class weights."""
    found = [array for key, array in every.items() if is_proxy(key) and array.ndim == 2]
    return {"proxies": np.asarray(found[0], np.float32)} if len(found) == 1 else {}


def _items(rows: NDArray[Any], found: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
    """Rows as the encoder reads them: pictures with their channels first, bytes as numbers from 0 to 1."""
    first = next((array for array in found.values() if array.ndim > 1), None)
    x = rows.astype(np.float32) / 255 if rows.dtype == np.uint8 else rows.astype(np.float32)
    flat = first is not None and first.ndim == 3
    if x.ndim == 3 and not flat:
        x = x[:, None]
    elif x.ndim == 4 and x.shape[1] not in (1, 3) and x.shape[3] in (1, 3):
        x = x.transpose(0, 3, 1, 2)
    return np.ascontiguousarray(x)


@torch.no_grad()
def _run(made: Built, items: NDArray[np.float32]) -> NDArray[np.float32]:
    parts = [made.module(torch.from_numpy(items[k : k + BATCH])).numpy() for k in range(0, len(items), BATCH)]
    return np.concatenate(parts)
