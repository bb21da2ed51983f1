"""Files that hold an own loss: read as text, checked before they are, and listed from the folder the user named."""

import re
from pathlib import Path

from models.own_source import MOST_CHARACTERS

SUFFIX = ".py"
_MOST_BYTES = 4 * MOST_CHARACTERS
_MOST_FILES = 200


def name_of(path: Path) -> str:
    """The name that a loss gets from its file's: small letters, digits and _."""
    return re.sub(r"[^a-z0-9_]+", "_", path.stem.lower()).strip("_")[:31] or "mine"


def listed(folder: Path) -> list[str]:
    """Names of the files in the folder that may hold a loss, in order; links and hidden files are left out."""
    try:
        found = [path for path in folder.iterdir() if path.suffix == SUFFIX and not path.name.startswith(".")]
    except OSError:
        return []
    return sorted(path.name for path in found if path.is_file() and not path.is_symlink())[:_MOST_FILES]


def text_in(folder: Path, name: str) -> str:
    """The text of a listed file; raises ValueError if there is no such file or it cannot be read."""
    if name not in listed(folder):
        raise ValueError(f"there is no file {name[:80]!r} in the folder of losses any more")
    return text_of(folder / name)


def text_of(path: Path) -> str:
    """The text of one file; raises ValueError saying in one sentence why it cannot be read."""
    try:
        if not path.is_file():
            raise ValueError(f"{path.name} is no file" if path.exists() else f"there is no file {path}")
        with path.open("rb") as file:
            raw = file.read(_MOST_BYTES + 1)
        if len(raw) > _MOST_BYTES:
            raise ValueError(f"{path.name} is too long for a loss: at most {MOST_CHARACTERS} characters are read")
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path.name} is no UTF-8 text: byte {error.start} cannot be read") from None
    except OSError as error:
        raise ValueError(f"{path.name} cannot be read: {error.strerror or error}") from None
