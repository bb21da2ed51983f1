"""Folders as a checkpoint: a run of this app, which names its state; other folders are told apart by their files."""

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from models.reading.child import ask, source
from models.reading.refused import Limits, Refused, shown

if TYPE_CHECKING:
    from models.reading.doors import Request

RUN = "run.json"
MODULES = "modules.json"
_STATE = re.compile(r"state-\d{1,12}\.safetensors")


def resolved(request: "Request") -> "Request":
    """The state and config that a run's folder names; a state beside its run.json gets it as config (E104, E401)."""
    path = request.path
    if os.path.isdir(path):  # False for a name too long, where Path raises
        if (path / RUN).is_file():
            return replace(request, path=path / _state(path, request.limits), config=request.config or path / RUN)
        if not (path / MODULES).is_file():
            kinds = f"a run's folder ({RUN}) and a sentence-transformers folder ({MODULES})"
            raise Refused("E401", f"{shown(path.name or path)} is a folder. Name a file; of folders, {kinds} are read.")
        return request
    beside = path.with_name(RUN)
    if _STATE.fullmatch(path.name) and request.config is None and not request.encoder and beside.is_file():
        return replace(request, config=beside)
    return request


def _state(folder: Path, limits: Limits) -> str:
    """The state that run.json names, which lies in the same folder."""
    told = ask("json", [source(folder / RUN, "", (".json",), limits)], {}, limits).told["value"]
    named = told.get("state") if isinstance(told, dict) else None
    if not isinstance(named, str) or not _STATE.fullmatch(named):
        raise Refused("E104", f"{RUN} of {shown(folder.name)} names no state. Copy the folder of the run again.")
    return named
