"""`app train --data FILE`: a user's file becomes a kept set, and the run's fields that must go with it."""

import sys
from pathlib import Path
from typing import Any

from app.cli import Refused
from models.own_data.assemble import Assembled, assemble
from models.own_data.fitting import fitting_sampler
from models.own_data.keeping import keep
from models.own_data.reader import read
from models.own_data.roles import LABEL, guess_roles
from models.training.config import Part

_TOLD = 5  # refused rows that are named


def with_file(raw: dict[str, Any], path: Path, label: str | None) -> dict[str, Any]:
    """The config with the file's set in place of its path; raises Refused with what is wrong with the file.

    The batch is made smaller, or the sampler uniform, where the set needs it and nothing else was asked for.
    """
    try:
        columns, notes = read(path)
        roles = guess_roles(columns) if label is None else guess_roles(columns).with_role(label, LABEL)
        made = assemble(columns, roles, path.name)
        key = keep(made.own)
    except (ValueError, OSError) as error:
        raise Refused(f"--data {path}: {error}") from None
    _tell(made, (*notes, *made.notes))
    fitting = {"data": {"key": key, "knobs": _knobs(raw)}}
    if "sampler" not in raw:
        sampler = fitting_sampler(Part("balanced"), made.own.about)
        fitting["sampler"] = {"key": sampler.key, "knobs": sampler.values}
    return {**raw, **fitting}


def _knobs(raw: dict[str, Any]) -> dict[str, Any]:
    """Knobs that --set gave to the data."""
    part = raw.get("data")
    return dict(part.get("knobs", {})) if isinstance(part, dict) else {}


def _tell(made: Assembled, notes: tuple[str, ...]) -> None:
    """What was taken and what not, on standard error: standard output holds the result alone."""
    about = made.own.about
    used = ", ".join([f"{name}: {role}" for name, role in about.roles if role != "feature"][:12])
    features = sum(role == "feature" for _, role in about.roles)
    classes = f"{len(about.classes)} classes" if about.labelled else "no label"
    lines = [
        f"{made.own.key}: {about.rows:,} rows taken, {about.refused:,} refused; {about.items:,} items, {classes}; "
        f"{features:,} feature columns" + (f"; {used}" if used else ""),
        *(f"line {row.line}: {row.reason}" for row in made.refused[:_TOLD]),
    ]
    if len(made.refused) > _TOLD:
        lines.append(f"and {len(made.refused) - _TOLD:,} more")
    sys.stderr.write("".join(f"{line}\n" for line in (*lines, *notes)))
