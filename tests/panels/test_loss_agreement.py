"""The matrix of agreement and its table: names, order, frames and gaps of a comparison made by hand."""

import base64
import json
import re

import numpy as np
import pytest

from components.panels import loss_agreement, weight_picture
from models.diagnostics.agreement import KINDS, Comparison, Reading

NAMES = {"a": "Alpha", "b": "Beta", "c": "Gamma", "d": "Delta"}
CURVE = {"grid": [-1.0, 0.0, 1.0], "pull": [-1.0, -0.5, 0.0], "push": [0.0, 0.25, 0.5], "axis": "cosine"}


def reading(key: str, value: float = 1.5) -> Reading:
    pull, push = np.array([np.nan, -0.2, -0.1]), np.array([0.0, 0.0, 4.0])
    return Reading(key, value, {"chance": 2.0, "perfect": 1.0}, 0.25, 1.0, 0.5, pull, push, 3.21987)


def comparison() -> Comparison:
    """a and c are kin, b agrees little, d has no gradient."""
    cosine = np.array([[1.0, 0.1, 0.95, np.nan], [0.1, 1.0, -0.3, np.nan], [0.95, -0.3, 1.0, np.nan], [np.nan] * 4])
    return Comparison(
        readings=(reading("a"), reading("b", float("nan")), reading("c"), reading("d")),
        cosine=dict.fromkeys(KINDS, cosine),
        order=dict.fromkeys(KINDS, np.array([3, 0, 2, 1])),
        group=dict.fromkeys(KINDS, np.array([2, 3, 2, 1])),
        left_out={},
        items=8,
        positives=3,
        negatives=5,
        ms=10.0,
    )


def empty() -> Comparison:
    cosine, none = dict.fromkeys(KINDS, np.empty((0, 0))), dict.fromkeys(KINDS, np.empty(0, dtype=np.int64))
    return Comparison((), cosine, none, none, {}, 0, 0, 0, 0.0)


@pytest.mark.parametrize("kind", KINDS)
def test_the_matrix_stands_in_the_order_of_the_tree(kind: str) -> None:
    fig = loss_agreement.figure(comparison(), NAMES, kind)
    (matrix,) = fig.data
    assert list(matrix.x) == list(matrix.y) == ["Delta", "Alpha", "Gamma", "Beta"]
    assert matrix.z[1][2] == 0.95
    assert matrix.z[2][3] == -0.3
    assert np.isnan(np.asarray(matrix.z)[0]).all()
    assert (matrix.zmin, matrix.zmax) == (-1.0, 1.0)


def test_a_group_of_two_or_more_is_framed() -> None:
    (frame,) = loss_agreement.figure(comparison(), NAMES).layout.shapes
    assert (frame.x0, frame.x1, frame.y0, frame.y1) == (0.5, 2.5, 0.5, 2.5)


def test_the_table_says_every_number_or_none() -> None:
    table = loss_agreement.table(comparison(), NAMES)
    assert tuple(table.columns) == loss_agreement.COLUMNS
    assert table["loss"].tolist() == ["Delta", "Alpha", "Gamma", "Beta"]
    alpha, beta = (table.iloc[row] for row in (1, 3))
    assert (alpha["value"], alpha["way"], alpha["active"], alpha["ms"]) == (1.5, 50.0, 25.0, 3.22)
    assert alpha["pull"] == [0.0, -1.0, -0.5]
    assert alpha["push"] == [0.0, 0.0, 1.0]
    assert np.isnan(beta["value"])
    assert np.isnan(beta["way"])


def test_the_sentence_counts_groups_and_names_the_least_alike() -> None:
    told = loss_agreement.sentence(comparison(), NAMES)
    assert told == "4 losses on 8 items fall into 3 groups; Beta and Gamma agree least (cosine -0.30)."


def test_nothing_to_compare_is_drawn_and_said() -> None:
    assert "no two have a gradient" in loss_agreement.sentence(empty(), NAMES)
    assert len(loss_agreement.table(empty(), NAMES)) == 0
    assert json.loads(loss_agreement.figure(empty(), NAMES).to_json())["layout"]["height"] > 0


def test_every_kind_has_words() -> None:
    assert tuple(loss_agreement.KINDS) == KINDS


def test_the_small_picture_draws_push_above_and_pull_below() -> None:
    solid, dashed = re.findall(r'<polyline [^>]*points="([^"]*)"', weight_picture.svg(CURVE))
    middle = weight_picture.HEIGHT / 2
    below = [float(point.split(",")[1]) for point in solid.split()]
    above = [float(point.split(",")[1]) for point in dashed.split()]
    assert below == [weight_picture.HEIGHT - 6, (middle + weight_picture.HEIGHT - 6) / 2, middle]
    assert above == [middle, middle - 9, middle - 18]


def test_the_small_picture_is_an_image_with_words() -> None:
    html = weight_picture.picture(CURVE, "A <b> loss")
    data, words = re.fullmatch(r'<img src="data:image/svg\+xml;base64,([^"]+)" alt="([^"]+)" .*>', html).groups()  # type: ignore[union-attr]
    assert base64.b64decode(data).decode() == weight_picture.svg(CURVE)
    assert words == (
        "Weight curve of A &lt;b&gt; loss: positive -1.00 and 0.00, negative 0.00 and 0.50 at cosine -1 and 1"
    )


def test_without_a_curve_there_is_no_picture() -> None:
    assert weight_picture.picture({"grid": [], "pull": [], "push": [], "axis": ""}, "x") == ""
