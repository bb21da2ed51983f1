"""One diagnosis on the page: files read in a child, measured by a side worker, looked at while the page stays free."""

import secrets
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any

from app import brushing, startup
from models import limited
from models.checkpoint import timeline
from models.checkpoint.looks import look_of
from models.checkpoint.material import Material
from models.checkpoint.result import Result, facts
from models.diagnostics.look import Look
from models.engine import diagnosing
from models.reading.company import check_comparison
from models.reading.doors import Brought, Request, bring
from models.reading.material import material_of
from models.reading.refused import PAGE
from models.selection import Selection
from models.settings import Settings
from models.spec import Value

READING = "Reading in a process of its own"
LOST = "The process that worked on this stopped. Press Measure again."
_NAME = 100  # characters kept of a file's name


@dataclass(frozen=True)
class Given:
    """The files as they came: name and bytes. `beside`: by their field of Request; `against`: other checkpoints."""

    file: tuple[str, bytes]
    door: str = ""
    beside: Mapping[str, tuple[str, bytes]] = field(default_factory=dict)
    against: tuple[tuple[str, bytes], ...] = ()
    encoder: str = ""  # of the app, where the file holds its weights alone


@dataclass(frozen=True)
class Asked:
    """The loss that the user named, with the knobs that were given; loss None: unknown."""

    loss: str | None = None
    knobs: tuple[tuple[str, Value], ...] = ()


class Case:
    """What one session diagnoses. Every call returns at once."""

    def __init__(self, given: Given, asked: Asked) -> None:
        self.given, self.asked = given, asked
        self.key = secrets.token_hex(8)
        self.brought: Brought | None = None
        self.material: Material | None = None
        self.against: tuple[Material, ...] = ()
        self.facts: tuple[tuple[str, str], ...] = ()
        self.kept: Any = None  # the material where workers find it
        self.result: Result | None = None
        self.measured: Asked | None = None  # what the result was asked with
        self.problem = ""
        self.cancelled = False
        self._looks: dict[tuple[int, int], Look] = {}  # of one result: its id, and the place of a view
        self._brushed: tuple[Any, brushing.Shown] | None = None  # the last brush, and what it was asked with
        self._family = limited.Family()  # processes that read the files
        self._future: Any = None
        self._topic = ""
        self._reader = Thread(target=self._read, name="diagnose-read", daemon=True)
        self._reader.start()

    @property
    def pending(self) -> bool:
        """True while something is under way."""
        return not self.cancelled and not self.problem and (self._reader.is_alive() or self._future is not None)

    @property
    def read_only(self) -> bool:
        """True where what was brought can be told but not measured: weights, or a model without data."""
        return self.brought is not None and self.material is None and not self.problem

    def poll(self) -> bool:
        """Take in what has finished; True if there is something new to show."""
        if self._future is None or self._future.status == "pending":
            return not self.pending
        future, self._future = self._future, None
        if future.status == "finished":
            self.result, self.measured = future.result(timeout=30), self.asked
        elif not self.cancelled:
            self.problem = _told(future) if future.status == "error" else LOST
        return True

    def doing(self) -> tuple[str, float]:
        """What is being done and the share of it that is done."""
        if self._future is None:
            return f"{READING}: {self.given.file[0]}", 0.0
        heard = startup.engine().heard(self._topic)
        return (str(heard[0]), float(heard[1])) if heard else ("Waiting for a worker", 0.0)

    def measure(self, asked: Asked) -> None:
        """Measure, or measure anew with another loss; what stands on the page stays until the new is there."""
        if self.material is None:
            self.asked = asked
            return
        self._drop()
        self.asked, self.problem, self.cancelled = asked, "", False
        self._topic = f"diagnose-{secrets.token_hex(8)}"
        self._future = startup.engine().submit(
            diagnosing.measure, self.kept, self.against, asked.loss, dict(asked.knobs), self._topic
        )

    def materials(self) -> tuple[Material, ...]:
        """What the views of a result are of, in their order."""
        assert self.material is not None
        order = timeline.in_order([other.name for other in self.against])
        return self.material, *(self.against[place] for place in order)

    def look(self, place: int) -> Look:
        """What answers a brush of one view; kept until there is another result. Raises ValueError without labels."""
        assert self.result is not None
        key = id(self.result), place
        if key not in self._looks:
            self._looks = {old: look for old, look in self._looks.items() if old[0] == key[0]}
            loss = self.result.told["loss"] or {"key": "", "knobs": {}}
            self._looks[key] = look_of(
                self.materials()[place], self.result.views[place], loss["key"], dict(loss["knobs"])
            )
        return self._looks[key]

    def brushed(self, selection: Selection, places: Sequence[int]) -> brushing.Shown:
        """The pairs of a brush in these views; raises ValueError, with one sentence, if they cannot be told."""
        key = selection, id(self.result), tuple(places)
        if self._brushed is None or self._brushed[0] != key:
            self._brushed = key, brushing.found(selection, tuple(map(self.look, places)))
        return self._brushed[1]

    def cancel(self) -> None:
        """Stop, and end the processes that read; what has been shown stays."""
        self.cancelled = True
        self._family.end()
        self._drop()

    def _drop(self) -> None:
        if self._future is not None:
            self._future.cancel(force=True)
            self._future = None

    def _read(self) -> None:
        """In a thread: everything is written to a private folder, read in a child, and gone afterwards."""
        folder = Settings.from_environment().folder("uploads") / self.key
        try:
            folder.mkdir(mode=0o700)
            with limited.belonging_to(self._family):
                self.brought, self.against = self._bring(folder)
            found = material_of(self.brought)
            if found is None or self.cancelled:
                return
            self.facts, self.kept = facts(found), startup.engine().keep(found)
            self.material = found
            self.measure(self.asked)
        except (ValueError, OSError) as error:
            self.problem = "" if self.cancelled else str(error)  # a process that was ended says that it broke
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _bring(self, folder: Path) -> tuple[Brought, tuple[Material, ...]]:
        paths: dict[str, Any] = {role: _written(folder / role, *part) for role, part in self.given.beside.items()}

        def read(place: str, file: tuple[str, bytes]) -> Brought:
            path = _written(folder / place, *file)
            return bring(Request(path, self.given.door, **paths, encoder=self.given.encoder, limits=PAGE))

        check_comparison(paths.get("documents"), len(self.given.against))
        first = read("file", self.given.file)
        others = [material_of(read(f"against{k}", file)) for k, file in enumerate(self.given.against)]
        return first, tuple(one for one in others if one is not None)


def _told(future: Any) -> str:
    """Why it failed: what is wrong with the data in its own words, anything else with the kind of error."""
    error = future.exception(timeout=30)
    return f"E312 {error}." if isinstance(error, ValueError) else f"It failed: {type(error).__name__}: {error}"


def _written(folder: Path, name: str, content: bytes) -> Path:
    """The file under its own name, of which nothing can lead out of the folder."""
    folder.mkdir(mode=0o700)
    plain = "".join(letter if letter.isprintable() and letter not in "/\\" else "_" for letter in name)[-_NAME:]
    path = folder / (plain.lstrip(".") or "file")
    path.write_bytes(content)
    return path
