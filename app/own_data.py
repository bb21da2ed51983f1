"""A file of the user's own on its way to a data set: read once, roles as they stand, assembled when they change."""

import csv
import io
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np

from models.own_data.assemble import Assembled, assemble
from models.own_data.columns import IMAGE, VECTOR, Columns
from models.own_data.reader import read
from models.own_data.roles import Roles, guess_roles
from models.settings import Settings

PREVIEWED, SHOWN_COLUMNS = 5, 12  # rows; columns with a control of their own
_SAMPLE_ROWS, _SAMPLE_COLUMNS = 30, 6
_NUMBERS = 3  # of a vector in the preview


@dataclass
class Upload:
    """What one session has on its form: a file's columns and roles, or why it was refused."""

    name: str
    token: str  # tells one upload from another
    columns: Columns | None = None
    roles: Roles = field(default_factory=lambda: Roles(()))
    notes: tuple[str, ...] = ()
    problem: str = ""  # of the file: there are no columns
    round: int = 0  # grows when the roles' controls must be built anew
    _made: dict[str, Assembled | str] = field(default_factory=dict)

    def made(self) -> Assembled | str:
        """The set that the roles make, or why they make none."""
        known = self.roles.to_json()
        if self.columns is not None and known not in self._made:
            try:
                self._made = {known: assemble(self.columns, self.roles, self.name)}
            except ValueError as error:
                self._made = {known: str(error)}
        return self._made.get(known, self.problem)


def take(name: str, token: str, content: bytes) -> Upload:
    """Read what was uploaded: it lies in a private file while a limited process reads it, and is gone afterwards."""
    path = Settings.from_environment().folder("uploads") / f"{secrets.token_hex(8)}{Path(name).suffix.lower()[:12]}"
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
        columns, notes = read(path, name)
    except (ValueError, OSError) as error:
        return Upload(name, token, problem=str(error))
    finally:
        path.unlink(missing_ok=True)
    return Upload(name, token, columns, guess_roles(columns), notes)


def preview(columns: Columns) -> dict[str, list[str]]:
    """The first rows, a text a cell; pictures have a preview of their own."""
    names = [name for name in columns.names if columns.kinds[name] != IMAGE][:SHOWN_COLUMNS]
    return {name: [_cell(columns, name, row) for row in range(min(PREVIEWED, len(columns)))] for name in names}


def _cell(columns: Columns, name: str, row: int) -> str:
    value = columns.values[name][row]
    if columns.kinds[name] == VECTOR:
        cells = [f"{number:.3g}" for number in np.asarray(value)[:_NUMBERS]]
        return ", ".join(cells) + (f", … ({len(value)})" if len(value) > _NUMBERS else "")
    return str(value)[:80]


def pictures(columns: Columns) -> np.ndarray | None:
    """The first pictures; None where there are none."""
    found = [name for name in columns.names if columns.kinds[name] == IMAGE]
    return np.asarray(columns.values[found[0]])[:PREVIEWED] if found else None


def with_controls(roles: Roles) -> tuple[str, ...]:
    """Columns whose role can be chosen one by one: those with a special role first, plain features last."""
    given = dict(roles.of)
    names = sorted(given, key=lambda name: {"ignore": 1, "feature": 2}.get(given[name], 0))
    kept = set(names[:SHOWN_COLUMNS])
    return tuple(name for name, _ in roles.of if name in kept)


def summary(roles: Roles, names: Sequence[str]) -> str:
    """Columns without a control in one line: `e0 … e383: feature (384)`."""
    parts = []
    for role in dict.fromkeys(its for name, its in roles.of if name in set(names)):
        alike = [name for name in names if roles[name] == role]
        ends = alike[0][:40] if len(alike) == 1 else f"{alike[0][:40]} … {alike[-1][:40]}"
        parts.append(f"{ends}: {role} ({len(alike)})")
    return "; ".join(parts)


@lru_cache(maxsize=1)
def sample() -> bytes:
    """A csv to copy: thirty tumours of the set `cancer`, half of each class, six measurements as they were taken."""
    # Imported here: it takes a second, and few fetch the sample.
    from sklearn.datasets import load_breast_cancer

    bunch = load_breast_cancer()
    kinds = [np.flatnonzero(bunch.target == kind)[: _SAMPLE_ROWS // 2] for kind in (0, 1)]
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([*(str(name).replace(" ", "_") for name in bunch.feature_names[:_SAMPLE_COLUMNS]), "diagnosis"])
    for row in np.sort(np.concatenate(kinds)).tolist():
        cells = [f"{value:g}" for value in bunch.data[row, :_SAMPLE_COLUMNS]]
        writer.writerow([*cells, str(bunch.target_names[bunch.target[row]])])
    return buffer.getvalue().encode()
