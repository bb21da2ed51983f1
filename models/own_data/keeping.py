"""Writing own data sets into the home folder: whole or not at all, within a budget, deleted only when asked to."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from safetensors.numpy import save

from models.own_data import kept
from models.own_data.bounds import MEGABYTE
from models.own_data.own_set import OWN, OwnSet
from models.settings import Settings
from models.writing import write_atomic

FREE_MB = 1024  # of the disk that are left alone


@dataclass(frozen=True)
class Listed:
    """One set on disk."""

    key: str
    name: str
    items: int
    megabytes: float


def keep(own: OwnSet, settings: Settings | None = None) -> str:
    """Write a set, if it is not there yet, and return its key; raises ValueError if there is no room for it.

    Arrays first, then the page that tells of them: a reader finds both or takes the set for missing.
    """
    settings = settings or Settings.from_environment()
    where = settings.folder(kept.FOLDER)
    path = kept.path_of(own.key, where)
    if path.is_file() and path.with_suffix(".json").is_file():
        return own.key
    payload = save({name: array.copy() for name, array in own.arrays.items()})
    _check_room(len(payload), where, settings)
    try:
        write_atomic(path, payload)
        write_atomic(path.with_suffix(".json"), own.about.to_json().encode())
    except OSError as error:
        raise ValueError(f"E128 the set could not be kept: {error.strerror or error}.") from None
    return own.key


def _check_room(wanted: int, where: Path, settings: Settings) -> None:
    used = sum(path.stat().st_size for path in where.glob("*.safetensors"))
    budget = settings.own_data_mb * MEGABYTE
    if used + wanted > budget:
        raise ValueError(
            f"E128 your own data sets use {used / MEGABYTE:,.0f} of {settings.own_data_mb:,} MB, and this one needs "
            f"{wanted / MEGABYTE:,.1f} MB. Delete one first."
        )
    free = shutil.disk_usage(where).free
    if free - wanted < FREE_MB * MEGABYTE:
        raise ValueError(f"E128 the disk has {free / MEGABYTE:,.0f} MB left; {FREE_MB:,} MB must stay free.")


def listed(settings: Settings | None = None) -> list[Listed]:
    """The sets that are kept, by name; damaged ones under their key, so that they can be deleted."""
    where = (settings or Settings.from_environment()).home / kept.FOLDER
    return sorted((_listed(path) for path in where.glob("*.safetensors")), key=lambda one: (one.name, one.key))


def _listed(path: Path) -> Listed:
    key, megabytes = OWN + path.stem, path.stat().st_size / MEGABYTE
    try:
        about = kept.about_of(path)
    except ValueError:
        return Listed(key, "damaged", 0, megabytes)
    return Listed(key, about.name, about.items, megabytes)


def delete(key: str, settings: Settings | None = None) -> None:
    """Remove a set from disk; the page that tells of it first, so that no half is ever found."""
    where = (settings or Settings.from_environment()).home / kept.FOLDER
    path = kept.path_of(key, where)
    path.with_suffix(".json").unlink(missing_ok=True)
    path.unlink(missing_ok=True)
    kept.opened.cache_clear()
