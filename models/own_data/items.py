"""From rows to items: what class each is of, which rows are views of one item, and what number belongs to it."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from models.own_data.bounds import Bounds
from models.own_data.columns import Columns, RefusedRow
from models.own_data.roles import GROUP, LABEL, TARGET, Roles

_BINS = 5  # classes that a number is cut into where there is no label, as in the set `diabetes`
_DIGITS = re.compile(r"(\d+)")


@dataclass(frozen=True, eq=False)
class Items:
    """Items of a file; rows are the rows taken, and members says which of those belong to each item."""

    rows: np.ndarray  # (r,) rows of the columns
    members: np.ndarray  # (n, v) positions in rows
    y: np.ndarray  # (n,) int64
    classes: tuple[str, ...]  # empty where every item is a class of its own
    labelled: bool
    target: np.ndarray | None  # (n,) float64
    refused: list[RefusedRow]
    notes: tuple[str, ...]


def items_of(columns: Columns, roles: Roles, kept: np.ndarray, bounds: Bounds) -> Items:
    """Items of the kept rows: a row each, or all rows of a group where there is a label or a target beside it.

    Classes are those of the label; without one, the groups themselves, else fifths of the target; with none of these,
    or a label of one value, every item is a class of its own and only views can be paired.
    """
    names = {role: roles.one(role) for role in (LABEL, GROUP, TARGET)}
    words = {role: _picked(columns, name, kept) for role, name in names.items() if name is not None and role != TARGET}
    number = None if names[TARGET] is None else columns.numbers(str(names[TARGET]))[kept]
    merged = GROUP in words and (LABEL in words or number is not None)
    alone: tuple[np.ndarray, list[tuple[int, str]]] = (np.arange(len(kept))[:, None], [])
    members, odd = _members(words[GROUP], words.get(LABEL), bounds.views) if merged else alone
    refused = [RefusedRow(int(columns.lines[kept[at]]), reason) for at, reason in odd]
    first = members[:, 0]
    target = None if number is None else np.array([number[rows].mean() for rows in members])
    label = words.get(LABEL, None if merged else words.get(GROUP))
    y, classes, notes = _classes(len(members), None if label is None else [label[at] for at in first.tolist()], target)
    labelled = len(classes) > 0
    used = np.unique(members)
    return Items(
        rows=kept[used],
        members=np.searchsorted(used, members),
        y=y,
        classes=classes,
        labelled=labelled,
        target=target,
        refused=refused,
        notes=notes,
    )


def _picked(columns: Columns, name: str, kept: np.ndarray) -> list[str]:
    words = columns.words(name)
    return [words[row] for row in kept.tolist()]


def _members(
    groups: Sequence[str], labels: Sequence[str] | None, most: int
) -> tuple[np.ndarray, list[tuple[int, str]]]:
    """(n, v) rows of each group, the first rows again where a group has fewer; and the rows that do not belong.

    A row of another label than its group's first is refused; so is one beyond `most`.
    """
    found: dict[str, list[int]] = {}
    odd: list[tuple[int, str]] = []
    for at, group in enumerate(groups):
        rows = found.setdefault(group, [])
        if rows and labels is not None and labels[at] != labels[rows[0]]:
            odd.append((at, f"group '{group[:40]}' is '{labels[rows[0]][:40]}' before and '{labels[at][:40]}' here"))
        elif len(rows) == most:
            odd.append((at, f"group '{group[:40]}' has more than {most} rows"))
        else:
            rows.append(at)
    views = max(map(len, found.values()))
    return np.array([np.resize(rows, views) for rows in found.values()], np.int64), odd


Named = tuple[np.ndarray, tuple[str, ...], tuple[str, ...]]  # y, class names, notes


def _classes(count: int, label: Sequence[str] | None, target: np.ndarray | None) -> Named:
    if label is not None:
        return _of_labels(label)
    return _each(count, ()) if target is None else _fifths(target)


def _of_labels(label: Sequence[str]) -> Named:
    """Classes in their natural order, those of one item first: the last are held out, and must have pairs."""
    sizes = Counter(label)
    if len(sizes) == 1:
        told = f"W221 all {len(label):,} items are class '{label[0][:40]}': none is a negative by label"
        return _each(len(label), (f"{told}, so views of an item are paired.",))
    single = [name for name, size in sizes.items() if size == 1]
    if len(single) == len(sizes):
        told = f"W222 each of {len(label):,} items has a class of its own: none is a positive by label"
        return _each(len(label), (f"{told}, so views of an item are paired.",))
    names = tuple(sorted(sizes, key=lambda name: (sizes[name] > 1, _natural(name))))
    position = {name: k for k, name in enumerate(names)}
    return np.array([position[name] for name in label], np.int64), names, _label_notes(single, names)


def _label_notes(single: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    """Classes without a pair (W224), and classes that look alike (W223)."""
    notes = []
    if single:
        some = ", ".join(f"'{name[:40]}'" for name in sorted(single)[:5])
        notes.append(f"W224 {len(single):,} of {len(names):,} classes have one item and no positive pair: {some}.")
    alike: dict[str, str] = {}
    for name in names:
        other = alike.setdefault(" ".join(name.casefold().split()), name)
        if other != name:
            notes.append(f"W223 '{other[:40]}' and '{name[:40]}' differ only in case or spaces. Are they one class?")
    return tuple(notes[:6])


def _natural(name: str) -> tuple[tuple[int, float, str], ...]:
    """A key by which 10 comes after 9."""
    return tuple((0, float(part), "") if part.isdecimal() else (1, 0.0, part) for part in _DIGITS.split(name))


def _each(count: int, notes: tuple[str, ...]) -> Named:
    """Every item a class of its own, which needs no name."""
    return np.arange(count, dtype=np.int64), (), notes


def _fifths(target: np.ndarray) -> Named:
    """As many items in each range of the number, ties together."""
    ends = np.unique(np.quantile(target, np.linspace(0, 1, _BINS + 1)))
    cut = np.searchsorted(ends[1:-1], target, side="right")
    present, y = np.unique(cut, return_inverse=True)
    names = [f"{low:.4g} to {high:.4g}" for low, high in pairwise(ends)] or [f"{ends[0]:.4g}"]
    return y.astype(np.int64), tuple(names[k] for k in present), ()
