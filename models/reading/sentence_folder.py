"""sentence-transformers folders: which files are read of them, and which folders are not taken."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.reading.arrays import Arrays, notes_of
from models.reading.child import Source, ask, source
from models.reading.folder import MODULES
from models.reading.onnx import Shapes, shapes_of
from models.reading.refused import MOST_VALUE, PAGE, Limits, Refused, listing, shown
from models.reading.table import ACCEPTED as TEXTS

_JSON, _SAFE = (".json",), (".safetensors",)
_LIBRARY = "sentence_transformers."
_AFTER = ("Normalize", "Dense")
_INSIDE = re.compile(r"[\w-]{0,64}")  # a folder in the folder
_SAVE = "In your own Python: SentenceTransformer(path).save(new_path), which writes safetensors."
_EMBED = "Embed the texts yourself: np.savez(path, embeddings=model.encode(texts), labels=labels)."


@dataclass(frozen=True, eq=False)
class Sentences:
    """The model's report; with data, an embedding of each text."""

    shapes: Shapes
    arrays: Arrays | None


def read_sentences(
    folder: Path, data: Path | None = None, *, sample: int | None = None, limits: Limits = PAGE
) -> Sentences:
    """Run a folder over a table's column of texts; raises Refused (E104, E110, E168, E169, E175, E177, E190).

    sample: so many rows are embedded where there are more, the same each time.
    """
    name = folder.resolve().name
    modules = _modules(folder, name, limits)
    files = _files(folder, name, modules, limits)
    if data is not None:
        files["data"] = source(data, "", TEXTS, limits)
    roles = [[kind, f"module{place}"] for place, (kind, _) in enumerate(modules)]
    options = {"roles": list(files), "modules": roles, "sample": sample}
    answer = ask("sentences", list(files.values()), options, limits)
    shapes = shapes_of(name, answer.told["report"])
    columns: dict[str, Any] = answer.columns
    if "z" not in columns:
        return Sentences(shapes, None)
    classes, total = list(answer.told["classes"] or []), int(answer.told["total"])
    told = columns["z"], columns.get("y"), classes, columns.get("rows"), total, "", notes_of(answer)
    return Sentences(shapes, Arrays(name, *told))


def _modules(folder: Path, name: str, limits: Limits) -> list[tuple[str, str]]:
    """Kind and place of every module: Transformer, Pooling, then Normalize and Dense; raises Refused (E177)."""
    told = ask("json", [source(folder / MODULES, "", _JSON, limits)], {}, limits).told["value"]
    found = []
    for one in told if isinstance(told, list) else []:
        kind, place = (str(one.get(key, "?")) for key in ("type", "path")) if isinstance(one, dict) else ("?", "?")
        if not kind.startswith(_LIBRARY) or not _INSIDE.fullmatch(place):
            text = (
                f"{MODULES} of {shown(name)} asks for '{shown(kind, MOST_VALUE)}', code of its own, which is never run."
            )
            raise Refused("E177", f"{text} {_EMBED}")
        found.append((kind.rpartition(".")[2], place))
    kinds = [kind for kind, _ in found]
    if kinds[:2] != ["Transformer", "Pooling"] or not set(kinds[2:]) <= set(_AFTER):
        text = f"The modules of {shown(name)} are {listing(kinds) or 'none'}."
        raise Refused("E177", f"{text} Read are Transformer, Pooling, then {' and '.join(_AFTER)}. {_EMBED}")
    return found


def _files(folder: Path, name: str, modules: list[tuple[str, str]], limits: Limits) -> dict[str, Source]:
    """Every file that is read, by its role."""
    base = folder / modules[0][1]
    _check_weights(base, name)
    files = {
        "weights": source(base / "model.safetensors", "", _SAFE, limits),
        "config": source(base / "config.json", "", _JSON, limits),
        "tokenizer": source(_tokenizer(base, name), "", _JSON, limits),
    }
    if (base / "sentence_bert_config.json").is_file():
        files["limit"] = source(base / "sentence_bert_config.json", "", _JSON, limits)
    for place, (kind, inside) in enumerate(modules[1:], 1):
        if kind != "Normalize":
            files[f"module{place}"] = source(folder / inside / "config.json", "", _JSON, limits)
        if kind == "Dense":
            _check_weights(folder / inside, name)
            files[f"module{place}.weights"] = source(folder / inside / "model.safetensors", "", _SAFE, limits)
    return files


def _check_weights(folder: Path, name: str) -> None:
    """Weights in safetensors, in one file (E110, E177)."""
    if (folder / "model.safetensors").is_file():
        return
    if (folder / "model.safetensors.index.json").is_file():
        raise Refused(
            "E177", f"The weights of {shown(name)} lie in several files; models of one file are read. {_EMBED}"
        )
    if (folder / "pytorch_model.bin").is_file():
        raise Refused("E110", f"pytorch_model.bin of {shown(name)} is a Python pickle, which is never opened. {_SAVE}")
    raise Refused("E104", f"{shown(name)} has no model.safetensors. Copy the folder again. {_SAVE}")


def _tokenizer(folder: Path, name: str) -> Path:
    path = folder / "tokenizer.json"
    if not path.is_file():
        raise Refused("E104", f"{shown(name)} has no tokenizer.json. {_SAVE}")
    return path
