"""In the reading process: a small JSON text."""

import json
from typing import IO, Any

from models.reading.refused import Limits, Refused, shown, size

MOST = 1 << 20  # bytes


def warm(_options: dict[str, Any]) -> None:
    """Nothing has to be loaded."""


def task(files: list[IO[bytes]], options: dict[str, Any], _limits: Limits) -> tuple[dict[str, Any], dict[str, Any]]:
    """The value that the file holds."""
    name, _, length = options["sources"][0]
    return {"value": parsed(files[0], name, length)}, {}


def parsed(file: IO[bytes], name: str, length: int, most: int = MOST) -> Any:
    """JSON of at most so many bytes; raises Refused (E104, E121)."""
    if length > most:
        raise Refused("E121", f"{shown(name)} is {size(length)} long; the limit of a config is {size(most)}.")
    try:
        return json.loads(file.read().decode("utf-8-sig"))
    except (ValueError, RecursionError):
        raise Refused("E104", f"{shown(name)} is no JSON text, or a damaged one. Copy or export it again.") from None
