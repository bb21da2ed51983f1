"""What was measured of the losses on this machine, kept in the home folder until program or machine change."""

import hashlib
import json
import os
import platform
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from models.settings import Settings

FOLDER, FILE = "catalogue", "facts.json"
Facts = dict[str, dict[str, Any]]
_ROOT = Path(__file__).parent


@lru_cache
def stamp() -> str:
    """Changes with the code of the models, the interpreter and the machine."""
    digest = hashlib.sha256(f"{platform.python_version()} {platform.platform()} {os.cpu_count()}".encode())
    for path in sorted([*_ROOT.rglob("*.py"), *_ROOT.rglob("*.toml")]):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def load(settings: Settings) -> Facts:
    """What is known by loss key; nothing if it was measured by another program or machine, or cannot be read."""
    try:
        kept = json.loads((settings.folder(FOLDER) / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(kept, dict) or kept.get("stamp") != stamp() or not isinstance(kept.get("losses"), dict):
        return {}
    found: Facts = kept["losses"]
    return found


def save(settings: Settings, found: Mapping[str, Mapping[str, Any]]) -> None:
    """Add to what is kept; a file half written is never seen."""
    together = {**load(settings), **found}
    path = settings.folder(FOLDER) / FILE
    part = path.with_suffix(f".{os.getpid()}.part")
    part.write_text(json.dumps({"stamp": stamp(), "losses": together}), encoding="utf-8")
    part.replace(path)
