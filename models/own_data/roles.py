"""What each column of a user's file is for: guessed from names and values, then changed by hand."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from models.own_data.columns import IMAGE, NUMBER, TEXT, VECTOR, Columns, is_missing

LABEL, FEATURE, READ, GROUP, TARGET, IGNORE = "label", "feature", "text", "group", "target", "ignore"
WORDS = {
    LABEL: "label: the class of a row",
    FEATURE: "features: numbers or a picture",
    READ: "text: read letter by letter",
    GROUP: "group: rows of one item",
    TARGET: "target: a number to predict",
    IGNORE: "ignored",
}
ONCE = (LABEL, GROUP, TARGET)  # roles that one column at most can have
ALLOWED = {
    NUMBER: (FEATURE, LABEL, GROUP, TARGET, IGNORE),
    TEXT: (READ, LABEL, GROUP, FEATURE, TARGET, IGNORE),
    VECTOR: (FEATURE, IGNORE),
    IMAGE: (FEATURE, IGNORE),
}
_LABELS = re.compile(r"(class(es|_?(name|label|id))?|labels?|target|species|category|y|kind|diagnosis|sentiment)", re.I)
_LABEL = re.compile(r"(label|class)(s|es)?", re.I)
_GROUPS = re.compile(r"(group|item|instance|pair|subject|identity)(_?id)?", re.I)
_TARGETS = re.compile(r"(target|y|score|rating|price|value)", re.I)
_INDICES = re.compile(r"(|index|idx|id|row|no|nr|unnamed: ?\d+|__index_level_\d+__)", re.I)
_FEW = 20  # whole numbers of so many values are still taken for classes
_MANY = 200  # texts of more values are not
_LONG = 40  # characters of a class name, on average
_NUMERIC, _EMPTY = 0.5, 0.2  # share of cells that make a text one of numbers; without one that make it useless


@dataclass(frozen=True)
class Roles:
    """Role of every column, in the order of the file."""

    of: tuple[tuple[str, str], ...]

    def __getitem__(self, column: str) -> str:
        return dict(self.of)[column]

    def columns(self, role: str) -> tuple[str, ...]:
        """Columns that have this role."""
        return tuple(name for name, its in self.of if its == role)

    def one(self, role: str) -> str | None:
        """The column that has a role which only one can have."""
        return next(iter(self.columns(role)), None)

    def with_role(self, column: str, role: str) -> "Roles":
        """Give a column a role; where only one can have it, the one that had it is ignored from now on."""
        if column not in dict(self.of):
            raise ValueError(f"E190 no column called {column!r}; the columns are: {_named(self)}")
        if role not in WORDS:
            raise ValueError(f"E190 no role called {role!r}; the roles are: {', '.join(WORDS)}")
        freed = {name: IGNORE if role in ONCE and its == role else its for name, its in self.of}
        return Roles(tuple((freed | {column: role}).items()))

    def to_json(self) -> str:
        """Equal roles give equal text."""
        return json.dumps(self.of)


def _named(roles: Roles) -> str:
    names = [name for name, _ in roles.of]
    return ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")


def guess_roles(columns: Columns) -> Roles:
    """A role for every column: one label at most, features, and what is no use ignored.

    A label is a column with a label's name that repeats itself, else a text or a whole number of few values that is the
    last or the first column, else any such text. Text is read only where there is neither a number nor a picture.
    """
    guessed = {name: _first(columns, name) for name in columns.names}
    label = _label(columns, guessed)
    if label is not None:
        guessed[label] = LABEL
    for role, names in ((GROUP, _GROUPS), (TARGET, _TARGETS)):
        found = [name for name in columns.names if names.fullmatch(name) and _fits(role, columns, name, guessed)]
        if found:
            guessed[found[-1]] = role
    if FEATURE not in guessed.values():
        _read_text(columns, guessed)
    return Roles(tuple(guessed.items()))


def _first(columns: Columns, name: str) -> str:
    """What a column is by itself: numbers are features, unless they count the rows or are mostly missing."""
    kind = columns.kinds[name]
    if kind in (VECTOR, IMAGE):
        return FEATURE
    values = columns.numbers(name)
    there = np.isfinite(values)
    if there.mean() < 1 - _EMPTY or (_INDICES.fullmatch(name) and _counts(values)):
        return IGNORE
    return FEATURE


def _counts(values: np.ndarray) -> bool:
    """True for whole numbers that all differ: they name rows and say nothing of them."""
    return bool(np.isfinite(values).all() and (values == np.rint(values)).all() and len(set(values)) == len(values))


def _label(columns: Columns, guessed: Mapping[str, str]) -> str | None:
    sure = [name for name in columns.names if _LABEL.fullmatch(name) and columns.kinds[name] in (TEXT, NUMBER)]
    single = [name for name in sure if columns.different(name)[1] == 1]
    able = [name for name in columns.names if _could_be_label(columns, name) or name in single]
    named = [name for name in able if _LABELS.fullmatch(name)]
    if named:
        return named[-1]
    ends = [name for name in (columns.names[-1], columns.names[0]) if name in able] if columns.names else []
    texts = [name for name in able if columns.kinds[name] == TEXT]
    return next(iter([*ends, *texts]), None)


def _could_be_label(columns: Columns, name: str) -> bool:
    """Two values or more that repeat: names short enough for a class, or a few whole numbers."""
    kind = columns.kinds[name]
    if kind not in (TEXT, NUMBER) or not len(columns):
        return False
    held, different = columns.different(name)
    if not 2 <= different <= held / 2:
        return False
    values = columns.numbers(name)
    known = values[np.isfinite(values)]
    if len(known) > _NUMERIC * len(values):
        many = _LABELS.fullmatch(name) is not None and _TARGETS.fullmatch(name) is None and different <= len(known) / 5
        return bool((known == np.rint(known)).all()) and (different <= _FEW or many)
    return different <= _MANY and sum(map(len, columns.words(name))) <= _LONG * held


def _fits(role: str, columns: Columns, name: str, guessed: Mapping[str, str]) -> bool:
    kind = columns.kinds[name]
    if kind not in (TEXT, NUMBER) or guessed[name] == LABEL:
        return False
    if role == GROUP:
        held, different = columns.different(name)
        return 2 <= different <= held / 1.5
    return LABEL not in guessed.values() and guessed[name] == FEATURE


def _read_text(columns: Columns, guessed: dict[str, str]) -> None:
    """Read the column of texts that says most: the longest on average."""
    texts = [name for name in columns.names if columns.kinds[name] == TEXT and guessed[name] == IGNORE]
    texts = [name for name in texts if not all(is_missing(cell) for cell in columns.values[name])]
    if texts:
        guessed[max(texts, key=lambda name: sum(map(len, columns.words(name))))] = READ
