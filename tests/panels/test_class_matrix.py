"""Class against class: the cells drawn are those of the summary, and the sentence names the right two."""

from dataclasses import replace

import numpy as np
import pytest

from components.panels import class_matrix
from models.diagnostics.summary import ClassProfile, Summary
from tests.panels.made_up import four, summary, unknown


def by_hand(push: float = 0.3) -> ClassProfile:
    similarity = np.array([[0.9, 0.1, np.nan], [0.1, 0.8, 0.4], [np.nan, 0.4, 0.7]])
    pull = np.diag([0.1, 0.2, 0.1])
    pushed = np.array([[0.0, 0.1, 0.0], [push, 0.0, 0.0], [0.0, 0.2, 0.0]])
    return ClassProfile(np.array([0, 1, -1]), np.full((3, 3), 4), similarity, pull, pushed)


def lane(profile: ClassProfile | None = None) -> Summary:
    return replace(summary(), classes=profile or by_hand())


def test_rows_hold_the_cells_in_place() -> None:
    found = class_matrix.rows([lane()], names=("cat", "dog"))
    drawn = found[found["kind"] == "row"]
    assert drawn["row"].tolist() == ["cat", "dog", "other"]
    assert drawn["cells"].tolist() == ["0.9 0.1 -", "0.1 0.8 0.4", "- 0.4 0.7"]
    assert drawn["shares"].tolist() == ["1 0.11 -", "0.11 0.89 0.44", "- 0.44 0.78"]
    assert drawn["top"].is_monotonic_decreasing
    mass = class_matrix.rows([lane()], gradient=True)
    assert mass[mass["kind"] == "row"]["cells"].tolist() == ["-10 10 0", "30 -20 0", "0 20 -10"]


def test_two_lanes_stand_abreast_and_four_in_a_square() -> None:
    two, every = ((f := class_matrix.rows(four()[:n]))[f["kind"] == "name"][["x", "y"]] for n in (2, 4))
    assert two.to_numpy(float).tolist() == [[0.0, 1.0], [0.5, 1.0]]
    assert every.to_numpy(float).tolist() == [[0.0, 1.0], [0.5, 1.0], [0.0, 0.5], [0.5, 0.5]]


def test_sentence_says_who_is_alike_and_who_pushes_whom() -> None:
    alike = class_matrix.sentence([lane()], names=("cat", "dog"))
    assert "dog and other are the most alike of two classes (mean cosine 0.40; within a class 0.8)" in alike
    pushed = class_matrix.sentence([lane()], gradient=True, names=("cat", "dog"))
    assert "dog pushes cat hardest, with 50.0 % of all push (mean cosine 0.10)" in pushed


@pytest.mark.parametrize(("gradient", "told"), [(False, "fewer than two classes"), (True, "no class pushes another")])
def test_one_class_alone_is_said(gradient: bool, told: str) -> None:
    one = ClassProfile(np.array([0]), np.ones((1, 1), int), np.ones((1, 1)), np.ones((1, 1)), np.zeros((1, 1)))
    assert told in class_matrix.sentence([lane(one)], gradient=gradient)


def test_a_lane_without_says_why() -> None:
    bare = replace(by_hand(), pull=np.empty((0, 0)), push=np.empty((0, 0)))
    without = replace(summary(), classes=bare, why_no_weight="Uniformity reads embeddings.")
    assert "Uniformity reads embeddings." in class_matrix.sentence([without], gradient=True)
    assert class_matrix.rows([without], gradient=True)["label"].tolist() == ["A · no gradient of pairs"]
    assert "not recorded" in class_matrix.sentence([unknown()])


def test_table_has_every_two_classes() -> None:
    found = class_matrix.table([lane(), unknown()], names=("cat", "dog"))
    assert len(found) == 10
    cell = found[(found["anchors"] == "dog") & (found["candidates"] == "cat")].iloc[0]
    assert (cell["pairs"], cell["mean cosine"], cell["push (% of gradient)"]) == (4, 0.1, 30.0)
    assert "not recorded" in found["anchors"].iloc[-1]


def test_a_clicked_cell_says_where_it_is() -> None:
    spec = class_matrix.spec()
    (clicked,) = (param for param in spec["params"] if param["name"] == class_matrix.CELL)
    assert clicked["select"] == {"type": "point", "fields": ["lane", "at", "place"]}
    found = class_matrix.rows([summary()])
    rows = found[found["kind"] == "row"]
    assert rows["at"].tolist() == list(range(len(rows)))
    assert len(rows) > 1
