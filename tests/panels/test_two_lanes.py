"""Two lanes on the same bins: heights against shares worked out here, a valid spec, and words for every comparison."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import vl_convert

from components import theme
from components.panels import bands, two_lanes
from models.diagnostics.brushed import brushed
from models.diagnostics.look import look_of
from models.diagnostics.summary import BINS, ScoreHistogram, Summary
from models.diagnostics.threshold import COMPARISONS
from models.selection import ScoreBand, Selection, resolve
from tests.diagnostics.looks import trained_run
from tests.panels.made_up import four, summary, unknown

kinds = pytest.mark.parametrize("compare", COMPARISONS)
HALF = 0.5 * bands.BODY


def lane(positive: dict[int, int], negative: dict[int, int]) -> Summary:
    sides = [np.zeros(BINS, dtype=int), np.zeros(BINS, dtype=int)]
    for side, counts in zip(sides, (positive, negative), strict=True):
        for at, count in counts.items():
            side[at] = count
    return replace(summary(), scores=ScoreHistogram(sides[0], sides[1], 0.25, 1.5))


TWO = [lane({60: 30, 61: 10}, {10: 5}), lane({60: 1}, {10: 1, 30: 3})]


def height(found: pd.DataFrame, series: str, at: int, column: str = "h") -> float:
    part = found[(found["kind"] == "bin") & (found["series"] == series)]
    return float(part.iloc[int(np.abs(part["x"].astype(float) - (-1 + (at + 0.5) / 32)).argmin())][column])


def test_overlaid_shares_stand_in_two_halves_on_one_scale() -> None:
    found = two_lanes.rows(TWO, compare="overlay")
    assert height(found, "p0", 60) == pytest.approx(0.5 + HALF * 0.75, abs=1e-4)
    assert height(found, "p1", 60) == pytest.approx(0.5 + HALF, abs=1e-4)
    assert height(found, "n0", 10) == pytest.approx(HALF, abs=1e-4)
    assert height(found, "n1", 30) == pytest.approx(HALF * 0.75, abs=1e-4)
    lanes = found[found["kind"] == "bin"].groupby("series")["lane"].unique()
    assert {name: list(letters) for name, letters in lanes.items()} == {
        "p0": ["A"], "p1": ["B"], "n0": ["A"], "n1": ["B"],
    }  # fmt: skip


def test_the_second_lane_is_turned_downwards() -> None:
    found = two_lanes.rows(TWO, compare="mirror")
    assert height(found, "p0", 61) == pytest.approx(0.5 + HALF * 0.25, abs=1e-4)
    assert height(found, "p1", 60) == pytest.approx(0.5 - HALF, abs=1e-4)
    assert height(found, "n1", 30) == pytest.approx(0.5 - HALF * 0.75, abs=1e-4)


def test_the_second_minus_the_first() -> None:
    found = two_lanes.rows(TWO, compare="difference")
    assert set(found["series"].dropna()) == {"p0", "n0"}
    # Largest is 3/4, of the negatives: 1/4 - 1 in one bin, 3/4 - 0 in the other.
    assert height(found, "n0", 10) == pytest.approx(0.5 - HALF, abs=1e-4)
    assert height(found, "n0", 30) == pytest.approx(0.5 + HALF, abs=1e-4)
    assert height(found, "p0", 60) == pytest.approx(0.5 + HALF * 0.25 / 0.75, abs=1e-4)
    back = two_lanes.rows(TWO, compare="difference", lanes=(1, 0))
    assert height(back, "n0", 10) == pytest.approx(0.5 + HALF, abs=1e-4)


def test_brushed_pairs_are_dark_within_the_whole() -> None:
    snapshot = trained_run("items").snapshot()
    look = look_of(snapshot)
    held = brushed(look, resolve(Selection(ScoreBand("negative", 0.5, 0.75), among="seen"), look))
    assert held.negatives > 0
    found = two_lanes.rows([replace(summary(), scores=summary_of(held.negative)), summary()], brushed=[held, None])
    part = found[found["series"] == "n0"]
    np.testing.assert_allclose(part["h1"].astype(float), part["h"].astype(float), atol=2e-5)  # all of them are brushed
    other = found[found["series"] == "n1"]
    assert set(other["h1"].astype(float)) == {0.0}
    assert two_lanes.rows(TWO)["h1"].isna().all()


def summary_of(negative: np.ndarray) -> ScoreHistogram:
    return ScoreHistogram(np.ones(BINS, int), negative, 0.25, 1.5)


@kinds
def test_a_valid_chart_with_threshold_and_both_colours(compare: str) -> None:
    chart = two_lanes.figure(TWO, compare=compare, threshold=0.25).to_dict(validate=True)
    drawn = vl_convert.vegalite_to_svg(json.dumps({**chart, "width": 420}))
    assert all(colour in drawn for colour in theme.LANES[:2])
    rows = two_lanes.rows(TWO, compare=compare, threshold=0.25)
    assert rows.loc[rows["kind"] == "cut", "cut"].tolist() == [0.25]
    assert theme.wire_bytes(two_lanes.rows(four(), compare=compare)) < theme.LIMIT
    assert list(rows.columns) == list(two_lanes.rows([], compare=compare).columns)


@kinds
def test_words_and_table_of_every_comparison(compare: str) -> None:
    told = two_lanes.sentence(four(), compare=compare, lanes=(3, 1))
    assert theme.name(3, four()[3].label) in told
    change = four()[1].roc.auc - four()[3].roc.auc
    assert f"AUC of lane B minus that of lane D: {change:+.3f}." in told
    table = two_lanes.table(TWO, compare=compare)
    assert len(table) == BINS
    assert table["negative, second minus first"].sum() == pytest.approx(0, abs=1e-9)
    assert table["B negative (share)"].max() == 0.75


@kinds
def test_a_lane_that_is_not_there_leaves_names_alone(compare: str) -> None:
    assert len(two_lanes.rows([summary()], compare=compare, lanes=(0, 3))) == 0
    assert "not both" in two_lanes.sentence([summary()], compare=compare, lanes=(0, 3))
    assert len(two_lanes.table([summary()], compare=compare, lanes=(0, 3))) == 0
    bare = two_lanes.rows([unknown(), summary()], compare=compare, unseen=True)
    assert set(bare["kind"]) <= {"head", "name"}
    assert "five classes" in two_lanes.sentence([unknown(), summary()], compare=compare, unseen=True)


def test_the_legend_gives_each_lane_its_own_colour() -> None:
    rows = two_lanes.rows(four(), compare="overlay", lanes=(2, 0))
    named = rows[rows["kind"] == "name"]
    assert [(label[0], colour) for label, colour in zip(named["label"], named["colour"], strict=True)] == [
        ("C", theme.LANES[2]), ("A", theme.LANES[0]),
    ]  # fmt: skip
    chart = two_lanes.figure(four(), compare="overlay", lanes=(2, 0)).to_dict()
    svg = vl_convert.vegalite_to_svg(json.dumps({**chart, "width": 420}))
    legend = svg[svg.index("role-legend-entry") :]
    assert legend.index(theme.LANES[0]) < legend.index("A · ") < legend.index(theme.LANES[2]) < legend.index("C · ")


def test_an_unknown_comparison_is_refused() -> None:
    with pytest.raises(ValueError, match="one of overlay, mirror, difference, got 'sum'"):
        two_lanes.spec(compare="sum")
