"""From columns and their roles to a set that is trained on: rows refused with a reason, features standardised."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.data_common import Source
from models.own_data.bounds import LOCAL, Bounds, check_classes, check_matrix, check_rows
from models.own_data.columns import IMAGE, NUMBER, TEXT, VECTOR, Columns, RefusedRow, is_missing
from models.own_data.items import Items, items_of
from models.own_data.own_set import FEATURES, About, OwnSet, pack_texts
from models.own_data.roles import FEATURE, GROUP, IGNORE, LABEL, READ, TARGET, Roles
from models.training.dataset import training_rows

_LARGEST = float(np.finfo(np.float32).max)
SHOWN = 200  # characters of a row that are shown


@dataclass(frozen=True, eq=False)
class Assembled:
    """The set, what was left out of it and what is odd about it."""

    own: OwnSet
    refused: tuple[RefusedRow, ...]

    @property
    def notes(self) -> tuple[str, ...]:
        """Warnings with their codes."""
        return self.own.about.notes


def assemble(columns: Columns, roles: Roles, name: str = "own data", bounds: Bounds = LOCAL) -> Assembled:
    """The set that columns make with these roles; raises ValueError saying which column must change.

    A row without a label, group or target, or without a number where one belongs, is refused. Numbers are
    standardised by mean and standard deviation of the training rows; a column that never changes there is all zero.
    """
    check_rows(len(columns), bounds)
    kind = _kind(columns, roles)
    reasons = _reasons(columns, roles)
    kept = np.flatnonzero([not reason for reason in reasons])
    refused = [RefusedRow(int(columns.lines[row]), reason) for row, reason in enumerate(reasons) if reason]
    if not len(kept):
        raise ValueError(f"E191 no row is left: {refused[0].reason} (line {refused[0].line}) and so on.")
    items = items_of(columns, roles, kept, bounds)
    refused += items.refused
    if len(items.y) < bounds.fewest:
        raise ValueError(
            f"E192 {len(items.y)} items are left of {len(columns)} rows; at least {bounds.fewest} are needed to train "
            "and to measure."
        )
    check_classes(len(items.classes), bounds)
    arrays = {"y": items.y, "members": items.members, "line": columns.lines[items.rows].astype(np.int64)}
    if items.target is not None:
        arrays["target"] = items.target
    train = _training(items)
    fed, notes = _features(columns, roles, items, train, bounds)
    arrays |= fed | _shown(columns, roles, items)
    every = tuple(sorted((*columns.refused, *refused), key=lambda row: row.line))
    about = About(
        name=name,
        kind=kind,
        classes=items.classes,
        labelled=items.labelled,
        roles=roles.of,
        notes=(*items.notes, *notes),
        rows=len(items.rows),
        refused=len(every),
        items=len(items.y),
        views=items.members.shape[1],
        reads="read" in arrays,
        train=len(train),
    )
    return Assembled(OwnSet(about, arrays), every)


def _kind(columns: Columns, roles: Roles) -> str:
    """What the encoder reads; raises ValueError where the columns do not go together."""
    features, read = roles.columns(FEATURE), roles.columns(READ)
    pictures = [name for name in features if columns.kinds[name] == IMAGE]
    if not features and not read:
        raise ValueError("E191 no column is a feature: give a column of numbers, pictures or text that role.")
    if pictures and (len(features) > 1 or read):
        raise ValueError(f"E193 a picture stands alone: keep '{pictures[0]}' and give the other features ignore.")
    wrong = [name for name in read if columns.kinds[name] not in (TEXT, NUMBER)]
    if wrong:
        raise ValueError(f"E193 '{wrong[0][:40]}' is no text: give it the role feature or ignore.")
    return "image" if pictures else "points" if features else "text"


def _reasons(columns: Columns, roles: Roles) -> list[str]:
    """Why each row cannot be taken; empty where it can."""
    reasons = [""] * len(columns)
    for role, what in ((LABEL, "the label"), (GROUP, "the group"), (READ, "the text")):
        for name in roles.columns(role):
            missing = [not word for word in columns.words(name)]
            _note(reasons, np.array(missing), f"{what} in column '{name[:40]}' is missing")
    for name in (*roles.columns(TARGET), *roles.columns(FEATURE)):
        if columns.kinds[name] in (NUMBER, TEXT):
            _note_numbers(reasons, columns, name)
        elif columns.kinds[name] == VECTOR:
            whole = np.isfinite(np.asarray(columns.values[name], np.float64))
            _note(
                reasons,
                np.asarray(whole.min(axis=1, initial=True) < 1),
                f"column '{name[:40]}' has a value that is no number",
            )
    return reasons


def _note_numbers(reasons: list[str], columns: Columns, name: str) -> None:
    values: np.ndarray = columns.numbers(name)
    where = f"column '{name[:40]}'"
    for row in np.flatnonzero(~(np.abs(values) <= _LARGEST)).tolist():  # nan compares as False
        reasons[row] = reasons[row] or f"{where} {_odd(float(values[row]), columns, name, row)}"


def _odd(value: float, columns: Columns, name: str, row: int) -> str:
    """What is wrong with a cell that should hold a number."""
    if value == value:
        return "is infinite" if np.isinf(value) else "is too large for float32 (3.4e38)"
    cell = "" if columns.kinds[name] == NUMBER else str(columns.values[name][row])
    return "is empty" if is_missing(cell) else f"holds '{cell[:40]}', which is not a number"


def _note(reasons: list[str], bad: np.ndarray, reason: str) -> None:
    for row in np.flatnonzero(bad):
        reasons[row] = reasons[row] or reason


def _training(items: Items) -> np.ndarray:
    """Items that a run trains on, by the split that every data set has."""
    nothing = np.empty((len(items.y), 0), np.float32)
    classes = items.classes or tuple(map(str, range(len(items.y))))
    return training_rows(Source(nothing, items.y, classes, target=items.target))


def _features(
    columns: Columns, roles: Roles, items: Items, train: np.ndarray, bounds: Bounds
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Arrays of what is read of every row, and what is odd about them."""
    names, rows = roles.columns(FEATURE), items.rows
    if names and columns.kinds[names[0]] == IMAGE:
        pixels = np.asarray(columns.values[names[0]])[rows]
        check_matrix(len(rows), pixels.shape[1:], bounds)
        return {"pixels": np.ascontiguousarray(pixels, np.uint8)}, []
    arrays: dict[str, np.ndarray] = {}
    notes: list[str] = []
    width = 0
    if names:
        raw = np.hstack([_block(columns, name, rows) for name in names])
        width = raw.shape[1]
        check_matrix(len(rows), (width,), bounds)
        trained = np.unique(items.members[train])
        arrays, notes = _standardised(raw, trained, _names(columns, names))
    if roles.columns(READ):
        check_matrix(len(rows), (width + int(FEATURES.default),), bounds)
        words = [columns.words(name) for name in roles.columns(READ)]
        arrays |= pack_texts("read", [" ".join(cells[row] for cells in words) for row in rows.tolist()])
    return arrays, notes


def _block(columns: Columns, name: str, rows: np.ndarray) -> np.ndarray:
    """(r, 1) or (r, d) float64."""
    wide = columns.kinds[name] == VECTOR
    values: np.ndarray = np.asarray(columns.values[name], np.float64) if wide else columns.numbers(name)[:, None]
    return np.asarray(values[rows])


def _names(columns: Columns, names: Sequence[str]) -> list[str]:
    """A name for every number of a row."""
    each: list[str] = []
    for name in names:
        wide = columns.kinds[name] == VECTOR
        each += [f"{name}[{k}]" for k in range(np.shape(columns.values[name])[1])] if wide else [name]
    return each


def _standardised(raw: np.ndarray, trained: np.ndarray, names: list[str]) -> tuple[dict[str, np.ndarray], list[str]]:
    """Numbers with mean 0 and variance 1 over the training rows; the probe is measured by the same two."""
    mean, spread = raw[trained].mean(axis=0), raw[trained].std(axis=0)
    still = spread <= 1e-12 * np.maximum(np.abs(mean), 1e-300)
    scale = np.where(still, 1.0, spread)
    numbers = np.where(still, 0.0, (raw - mean) / scale).astype(np.float32)
    notes = []
    if still.any():
        listed = ", ".join(name[:40] for name in np.array(names)[still][:5])
        notes.append(f"W206 {int(still.sum())} of {len(names)} features never change and say nothing: {listed}.")
    repeated = len(raw) - len({row.tobytes() for row in raw})
    if repeated:
        notes.append(
            f"W205 {repeated:,} of {len(raw):,} rows repeat an earlier row: some may be trained on and measured."
        )
    return {"numbers": numbers, "mean": mean, "scale": scale}, notes


def _shown(columns: Columns, roles: Roles, items: Items) -> dict[str, np.ndarray]:
    """What stands for a row: its text, or else the first ignored column of texts; nothing where there is none."""
    if any(columns.kinds[name] == IMAGE for name in roles.columns(FEATURE)):
        return {}
    spare = [name for name in roles.columns(IGNORE) if columns.kinds[name] == TEXT]
    names = roles.columns(READ) or tuple(spare[:1])
    if not names:
        return {}
    words = [columns.words(name) for name in names]
    return pack_texts("shown", [" · ".join(cells[row] for cells in words)[:SHOWN] for row in items.rows.tolist()])
