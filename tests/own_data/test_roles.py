"""Roles: what is guessed for the columns of files as people have them, and how a guess is changed."""

from typing import Any

import numpy as np
import pytest

from models.own_data.columns import Columns
from models.own_data.roles import ALLOWED, IGNORE, ONCE, WORDS, Roles, guess_roles
from tests.own_data.helpers import digits, grid, table, wine

NUMBERS = grid(40)
TEXTS = [f"the {word} thing number {k}" for k, word in enumerate(["good", "bad", "odd", "even"] * 10)]
MOODS = ["up", "down"] * 20


def guessed(values: dict[str, Any]) -> dict[str, str]:
    return dict(guess_roles(table(values)).of)


def test_wine_has_thirteen_features_and_a_label() -> None:
    roles = guess_roles(wine())
    assert roles["target"] == "label"
    assert len(roles.columns("feature")) == 13
    assert len(roles.of) == 14


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ({"id": list(range(40)), "text": TEXTS, "mood": MOODS}, {"id": "ignore", "text": "text", "mood": "label"}),
        ({"X": NUMBERS, "y": [0, 1, 2, 3] * 10}, {"X": "feature", "y": "label"}),
        ({"a": NUMBERS[:, 0], "b": NUMBERS[:, 1]}, {"a": "feature", "b": "feature"}),
        ({"kind": MOODS, "a": NUMBERS[:, 0]}, {"kind": "label", "a": "feature"}),
        ({"a": NUMBERS[:, 0], "price": NUMBERS[:, 1]}, {"a": "feature", "price": "target"}),
        (
            {"item": [str(k // 2) for k in range(40)], "a": NUMBERS[:, 0], "label": MOODS},
            {"item": "group", "a": "feature", "label": "label"},
        ),
        ({"title": TEXTS, "a": NUMBERS[:, 0], "class": MOODS}, {"title": "ignore", "a": "feature", "class": "label"}),
        ({"a": NUMBERS[:, 0], "gaps": [1.0] * 20 + [np.nan] * 20}, {"a": "feature", "gaps": "ignore"}),
        ({"a": ["1", "2", "3", "4", "x"] * 8, "label": MOODS}, {"a": "feature", "label": "label"}),
        (
            {"a": ["1", "2", "x"] * 13 + ["1"], "b": NUMBERS[:, 0], "label": MOODS},
            {"a": "ignore", "b": "feature", "label": "label"},
        ),
        ({"a": [1, 2] * 20, "label": ["only"] * 40}, {"a": "feature", "label": "label"}),
        ({"code": [101, 101, 102, 102] * 10, "a": NUMBERS[:, 0]}, {"code": "label", "a": "feature"}),
    ],
)
def test_guesses(values: dict[str, Any], wanted: dict[str, str]) -> None:
    assert guessed(values) == wanted


def test_a_number_of_many_values_is_no_label_whatever_its_name() -> None:
    repeated = np.repeat(np.arange(30.0), 3)
    assert guessed({"a": grid(90)[:, 0], "target": repeated})["target"] == "target"
    assert guessed({"a": grid(900)[:, 0], "class": np.repeat(np.arange(90.0), 10)})["class"] == "label"


def test_pictures_are_features_and_folders_labels() -> None:
    assert dict(guess_roles(digits()).of) == {"image": "feature", "class": "label"}


def test_only_one_column_has_a_role_of_which_there_is_one() -> None:
    roles = guess_roles(table({"a": MOODS, "b": NUMBERS[:, 0], "label": MOODS}))
    assert roles.one("label") == "label"
    moved = roles.with_role("a", "label")
    assert dict(moved.of) == {"a": "label", "b": "feature", "label": "ignore"}
    assert roles.one("label") == "label"  # the old one is as it was
    for role in set(WORDS) - set(ONCE):
        both = Roles((("a", role), ("b", IGNORE))).with_role("b", role)
        assert both.columns(role) == ("a", "b")


def test_every_kind_may_be_ignored_and_every_guess_is_allowed() -> None:
    assert all(IGNORE in allowed for allowed in ALLOWED.values())
    for columns in (wine(), digits(), table({"X": NUMBERS, "t": TEXTS, "g": MOODS})):
        roles = guess_roles(columns)
        assert all(roles[name] in ALLOWED[columns.kinds[name]] for name in columns.names)


@pytest.mark.parametrize(("column", "role"), [("b", "label"), ("a", "boss")])
def test_an_unknown_column_or_role_is_told(column: str, role: str) -> None:
    with pytest.raises(ValueError, match=r"^E190 no (column|role) called"):
        Roles((("a", "label"),)).with_role(column, role)


def test_no_columns_have_no_roles() -> None:
    assert guess_roles(Columns({}, np.arange(0))).of == ()
