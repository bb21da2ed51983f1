from dataclasses import replace

import numpy as np
import pytest

from models.checkpoint import Material, Pairs, Relevance, ScoreTable, codes
from tests.checkpoint.made import labelled, sound


def test_doors() -> None:
    z, y = sound(10, 2)
    i = np.asarray([0, 1])
    assert labelled(z, y).door == "labels"
    assert Material("m", z=z).door == "embeddings"
    assert Material("m", z=z, pairs=Pairs(i, i + 1, i > 0)).door == "pairs"
    assert Material("m", z=z, relevance=Relevance(z, i, i)).door == "relevance"
    table = Material("m", scores=ScoreTable(np.asarray([0.5, 0.1]), np.asarray([True, False])))
    assert (table.door, table.size, table.dim) == ("scores", 2, 0)


def test_fingerprint_is_that_of_the_data() -> None:
    z, y = sound(10, 2)
    first = labelled(z, y)
    assert len(first.fingerprint) == 64
    assert labelled(z.astype(np.float64).copy(order="F"), y, name="other").fingerprint == first.fingerprint
    changed = z.copy()
    changed[3, 1] += 1e-3
    assert labelled(changed, y).fingerprint != first.fingerprint
    assert labelled(z, 1 - y).fingerprint != first.fingerprint
    assert replace(first, group=y).fingerprint != first.fingerprint


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e30])
def test_numbers_that_are_none_are_named_by_row(bad: float) -> None:
    z = np.ones((5, 3))
    z[2, 1] = z[4, 0] = bad
    with pytest.raises(ValueError, match=r"embeddings: row 2 holds a number that is not finite .* 2 such rows"):
        Material("m", z=z)


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ({}, "either embeddings or a table"),
        ({"z": np.ones(3)}, "must be a matrix"),
        ({"z": np.ones((3, 2), complex)}, "must be real numbers"),
        ({"z": np.ones((3, 2)), "labels": np.zeros(2, int)}, "labels must have one entry for each of 3"),
        ({"z": np.ones((3, 2)), "labels": np.asarray([0, -1, 0])}, "whole numbers from 0"),
        ({"z": np.ones((3, 2)), "item": ("a",)}, "one name for each of 3"),
        ({"z": np.ones((2, 2)), "pairs": Pairs(np.asarray([0]), np.asarray([2]), np.asarray([True]))}, "names row 2"),
        (
            {"z": np.ones((2, 2)), "relevance": Relevance(np.ones((2, 3)), np.asarray([0]), np.asarray([0]))},
            "queries have 2 dimensions, documents 3",
        ),
        ({"scores": ScoreTable(np.asarray([np.nan]), np.asarray([True]))}, "score of row 0 is not finite"),
        ({"scores": ScoreTable(np.ones(2), np.asarray([True]))}, "scores.match has shape"),
        (
            {
                "z": np.ones((2, 2)),
                "labels": np.zeros(2, int),
                "pairs": Pairs(np.asarray([0]), np.asarray([1]), np.asarray([True])),
            },
            "in two ways",
        ),
    ],
)
def test_what_misfits_is_refused(parts: dict[str, object], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Material("m", **parts)  # type: ignore[arg-type]


def test_codes() -> None:
    code, names = codes(["dog", "cat", "dog"])
    assert code.tolist() == [1, 0, 1]
    assert names == ("cat", "dog")


def test_grades_stand_beside_relevance_and_are_above_zero() -> None:
    z, _ = sound(4, 2)
    rows = np.asarray([0, 1])
    made = Material("m", z=z, relevance=Relevance(z, rows, rows, np.asarray([2.0, 1.0])))
    assert made.relevance is not None
    assert made.relevance.grade is not None
    assert made.fingerprint != Material("m", z=z, relevance=Relevance(z, rows, rows)).fingerprint
    with pytest.raises(ValueError, match="a number above 0 for each relevant document"):
        Material("m", z=z, relevance=Relevance(z, rows, rows, np.asarray([1.0, 0.0])))
