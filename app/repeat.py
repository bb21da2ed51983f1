"""How to repeat a diagnosis: the same as Python and as a command line."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from os.path import relpath
from pathlib import Path
from typing import Any

from app.report import Origin

_FILES = ("data", "labels", "pairs", "documents", "relevance", "config", "proxies")


@dataclass(frozen=True)
class Given:
    """What was diagnosed and how, as a user gave it."""

    file: Path
    door: str = ""
    beside: Mapping[str, Path] | None = None  # by name of the option
    against: tuple[Path, ...] = ()
    loss: str | None = None
    knobs: Mapping[str, Any] | None = None
    sample: int | None = None
    encoder: str = ""  # of the app, whose weights the file holds
    encoder_knobs: Mapping[str, Any] | None = None


def origin(given: Given, folder: Path | None = None) -> Origin:
    """Files are named as seen from `folder`, where the notebook will lie; None: by their names alone."""
    return Origin(_code(given, folder), _command(given, folder), date.today().isoformat())


def _named(path: Path, folder: Path | None) -> str:
    return path.name if folder is None else Path(relpath(path.resolve(), folder.resolve())).as_posix()


def _beside(given: Given) -> dict[str, Path]:
    return {name: path for name in _FILES if (path := (given.beside or {}).get(name))}


def _code(given: Given, folder: Path | None) -> str:
    more = [f"door={given.door!r}"] if given.door else []
    more += [f"{name}=Path({_named(path, folder)!r})" for name, path in _beside(given).items()]
    more += [f"encoder={given.encoder!r}"] if given.encoder else []
    more += [f"knobs={dict(given.encoder_knobs)!r}"] if given.encoder_knobs else []
    if given.sample is not None:
        more.append(f"sample={given.sample}")
    request = "".join(f", {part}" for part in more)
    others = ", ".join(f"read({_named(path, folder)!r})" for path in given.against)
    return "\n".join(
        [
            "from pathlib import Path",
            "",
            "from models.checkpoint.result import examined",
            "from models.reading.doors import Request, bring",
            "from models.reading.material import material_of",
            "",
            "",
            "def read(file):",
            f"    return material_of(bring(Request(Path(file){request})))",
            "",
            "",
            "result = examined(",
            f"    read({_named(given.file, folder)!r}),",
            f"    loss={given.loss!r},",
            f"    knobs={dict(given.knobs or {})!r},",
            f"    sample={given.sample!r},",
            f"    against=[{others}],",
            ")",
        ]
    )


def _command(given: Given, folder: Path | None) -> str:
    words = ["python", "-m", "app", "diagnose", _named(given.file, folder)]
    words += ["--as", given.door] if given.door else []
    for name, path in _beside(given).items():
        words += [f"--{name}", _named(path, folder)]
    words += ["--encoder", given.encoder] if given.encoder else []
    for name, value in (given.encoder_knobs or {}).items():
        words += ["--encoder-knob", f"{name}={value}"]
    words += ["--loss", given.loss] if given.loss else []
    for name, value in (given.knobs or {}).items():
        words += ["--knob", f"{name}={value}"]
    words += ["--sample", str(given.sample)] if given.sample is not None else []
    if given.against:
        words += ["--against", *(_named(path, folder) for path in given.against)]
    return shlex.join(words)
