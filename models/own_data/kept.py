"""Own data sets that this machine keeps, found by key: in the home folder, where every process of a run looks."""

import re
from functools import lru_cache
from pathlib import Path

from safetensors import SafetensorError
from safetensors.numpy import load

from models.data_common import Source
from models.own_data.own_set import DIGITS, OWN, About, OwnSet
from models.settings import Settings
from models.spec import Value

FOLDER = "own_data"
_DIGITS = re.compile(rf"[0-9a-f]{{{DIGITS}}}")


class OwnData:
    """A kept set with the two things that a data module has: SPEC and load; arrays are read when they are needed."""

    def __init__(self, path: Path, about: About) -> None:
        self.path, self.about = path, about
        self.SPEC, self.CLASSES = about.spec(OWN + path.stem), about.classes

    def load(self, **knobs: Value) -> Source:
        """Read the arrays and make the data set; raises ValueError if they are damaged."""
        return opened(self.path).load(**knobs)


def is_own_data(key: str) -> bool:
    """True for a key of a user's own set, kept here or not."""
    return key.startswith(OWN)


def folder() -> Path:
    """Where the sets lie."""
    return Settings.from_environment().home / FOLDER


def path_of(key: str, where: Path | None = None) -> Path:
    """The file of arrays that belongs to a key; raises ValueError if it is no such key."""
    digits = key.removeprefix(OWN)
    if not is_own_data(key) or not _DIGITS.fullmatch(digits):
        raise ValueError(f"E194 a data set of your own is called own: and {DIGITS} of 0-9 and a-f, got {key[:40]!r}")
    return (folder() if where is None else where) / f"{digits}.safetensors"


def find(key: str) -> OwnData:
    """A set that is kept here; raises ValueError if it is not, or if it is damaged."""
    path = path_of(key)
    page = path.with_suffix(".json")
    if not (path.is_file() and page.is_file()):
        raise ValueError(
            f"E194 the data set {key} is not on this server: it stays where it was uploaded. "
            "Upload the same file here and give its columns the same roles"
        )
    return _described(path, page.stat().st_mtime_ns)


@lru_cache(maxsize=64)
def _described(path: Path, _changed_ns: int) -> OwnData:
    return OwnData(path, about_of(path))


def about_of(path: Path) -> About:
    """What is told beside a file of arrays; raises ValueError if it is damaged."""
    try:
        return About.from_json(path.with_suffix(".json").read_text(encoding="utf-8"))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(_damaged(path, type(error).__name__)) from None


def _damaged(path: Path, why: str) -> str:
    return f"E195 the data set {OWN}{path.stem} is damaged ({why}): delete it and upload its file again"


@lru_cache(maxsize=2)
def opened(path: Path) -> OwnSet:
    """A set with its arrays; raises ValueError if a file is damaged or does not hold what its name says."""
    about = about_of(path)
    try:
        own = OwnSet(about, load(path.read_bytes()))
    except (OSError, SafetensorError) as error:
        raise ValueError(_damaged(path, type(error).__name__)) from None
    if own.key != OWN + path.stem:
        raise ValueError(_damaged(path, "checksum"))
    return own
