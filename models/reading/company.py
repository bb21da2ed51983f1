"""What comes beside a file must belong to its kind: options against the door that the file goes through (E403)."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from models.reading import sniff
from models.reading.refused import Refused, shown

if TYPE_CHECKING:
    from models.reading.doors import Request

# option -> field of the request, doors it goes with, what it belongs to, how to mend
_COMPANY = {
    "--data": ("data", ("model",), "a model", "Name an .onnx file"),
    "--encoder": ("encoder", ("model",), "weights of the app's encoders", "Leave --as or --encoder out"),
    "--config": ("config", ("model",), "weights of the app's encoders", "Leave --as or --config out"),
    "--labels": ("labels", ("embeddings", "weights", "model"), "embeddings", "Leave it out"),
    "--pairs": ("pairs", ("embeddings", "weights", "model"), "embeddings", "Leave it out"),
    "--proxies": ("proxies", ("embeddings", "weights", "model"), "embeddings with labels", "Leave it out"),
    "--documents": ("documents", ("relevance",), "queries and documents", "Leave it out, or leave --as out"),
    "--relevance": ("relevance", ("relevance",), "queries and documents", "Leave it out, or leave --as out"),
}


def check(request: "Request", door: str) -> None:
    """Raises Refused for an option that the file's kind has no use for, and for two that say the same."""
    name = shown(request.path.name)
    if request.labels is not None and request.pairs is not None:
        raise Refused("E403", "--labels and --pairs both say which rows belong together. Give one of them.")
    for option, (field, doors, to, mend) in _COMPANY.items():
        if getattr(request, field) and door not in doors:
            raise Refused("E403", f"{option} belongs to {to}, and {name} is read as {door}. {mend}.")
    whole = sniff.suffix_of(request.path.name) == ".onnx" or os.path.isdir(request.path)
    if whole and (request.encoder or request.config):
        raise Refused(
            "E403", f"--encoder and --config are for weights alone, and {name} is a whole model. Leave them out."
        )
    if door == "model" and request.data is None:
        for option, given in (("--labels", request.labels), ("--pairs", request.pairs), ("--proxies", request.proxies)):
            if given is not None:
                raise Refused("E403", f"{option} needs the rows it speaks of. Give --data FILE as well.")


def check_comparison(documents: Path | None, others: int) -> None:
    """Documents belong to the encoder that embedded them: with other checkpoints each file must hold its own (E403)."""
    if documents is not None and others:
        mend = "Save both in one file for each, np.savez(path, queries=q, documents=d), and leave --documents out."
        raise Refused("E403", f"--against needs the documents of every checkpoint, not of one. {mend}")
