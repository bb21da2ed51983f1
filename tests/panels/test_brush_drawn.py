"""Brushed pairs in the panels, against counts and places found without them."""

import numpy as np
import pytest

from components.panels import brush, embedding_map, pair_weights, roc_curve, score_histogram
from models.diagnostics.brushed import Brushed, brushed
from models.diagnostics.look import look_of
from models.diagnostics.summarise import summarise
from models.diagnostics.summary import BINS, Summary
from models.selection import ItemSet, ScoreBand, Selection, resolve
from tests.diagnostics.looks import trained_run

BAND = Selection(ScoreBand("negative", 0.5, 0.75), among="seen")


@pytest.fixture(scope="module")
def shown() -> tuple[Summary, Brushed]:
    snapshot = trained_run("items").snapshot()
    look = look_of(snapshot)
    return summarise(snapshot), brushed(look, resolve(BAND, look))


def test_brushed_bins_stand_as_high_as_the_whole_within_the_band(shown: tuple[Summary, Brushed]) -> None:
    summary, held = shown
    rows = score_histogram.rows([summary, summary], counts=True, brushed=[held, None])
    lane = rows[(rows["kind"] == "bin") & (rows["lane"] == "A")]
    inside = (lane["x"] > 0.5) & (lane["x"] < 0.75)
    assert 0 < inside.sum() < len(lane)
    assert held.pairs == int(lane["negative"][inside].sum()) > 0
    np.testing.assert_allclose(lane["neg1"][inside].astype(float), lane["neg"][inside].astype(float))
    floor = float(lane["floor"].iloc[0])
    assert set(lane["neg1"][~inside]) == {floor}
    assert set(lane["pos1"]) == {floor}
    other = rows[(rows["kind"] == "bin") & (rows["lane"] == "B")]
    assert other["neg1"].isna().all()


def test_brushed_density_is_a_share_of_the_whole(shown: tuple[Summary, Brushed]) -> None:
    summary, held = shown
    rows = score_histogram.rows([summary], brushed=[held])
    lane = rows[rows["kind"] == "bin"]
    heights = (lane["neg1"].astype(float) - lane["floor"], lane["neg"].astype(float) - lane["floor"])
    # Heights are sent with five digits, counted from the floor of the band.
    share = held.negatives / summary.scores.negative.sum()
    assert heights[0].sum() / heights[1].sum() == pytest.approx(share, rel=2e-3)


def test_scores_of_brushed_pairs_are_ticks_apart_by_sign(shown: tuple[Summary, Brushed]) -> None:
    summary, _ = shown
    look = look_of(trained_run("items").snapshot())
    few = brushed(look, resolve(Selection(ItemSet(tuple(look.item[:2].tolist()), "any")), look))
    assert 0 < few.positives < brush.RUGS < few.negatives
    rows = score_histogram.rows([summary, summary], brushed=[None, few])
    ticks = {kind: rows[rows["kind"] == kind] for kind in ("rug+", "rug-")}
    assert [list(part["lane"]) for part in ticks.values()] == [["B"], ["B"]]
    texts = {kind: [float(text) for text in part["rug"].iloc[0].split()] for kind, part in ticks.items()}
    scores, same = look.u[:2] @ look.u.T, look.y[:2, None] == look.y[None, :]
    wanted = np.sort([scores[i, j] for i in range(2) for j in range(len(look.y)) if same[i, j] and i < j])
    np.testing.assert_allclose(texts["rug+"], wanted, atol=6e-4)
    assert len(texts["rug-"]) == brush.RUGS
    assert texts["rug-"][0] == pytest.approx(min(scores[~same]), abs=6e-4)
    assert texts["rug-"][-1] == pytest.approx(max(scores[~same]), abs=6e-4)
    low = rows[(rows["kind"] == "bin") & (rows["lane"] == "B")]["floor"].astype(float).min()
    ends = [(float(part["floor"].iloc[0]), float(part["y"].iloc[0])) for part in (ticks["rug-"], ticks["rug+"])]
    assert 0 < ends[0][0] < ends[0][1] < ends[1][0] < ends[1][1] < low  # below all heights, negatives lowest
    assert (
        brush.rugs_said(few) == f"ticks: all {few.positives} positive, {brush.RUGS} of {few.negatives:,} negative pairs"
    )
    assert brush.rugs_said(None) == ""


def test_the_stretch_of_the_roc_is_the_curve_of_the_band(shown: tuple[Summary, Brushed]) -> None:
    summary, held = shown
    rows = roc_curve.rows([summary], brushed=[held])
    thick = rows[rows["kind"] == "stretch"]
    assert len(thick) == len(held.fpr) > 1
    assert thick["cosine"].between(0.5, 0.75).all()
    low, high = (
        summary.scores.negative[k:].sum() / summary.scores.negative.sum() for k in (BINS * 7 // 8, BINS * 3 // 4)
    )
    assert thick["fpr"].astype(float).between(low - 1e-6, high + 1e-6).all()


def test_brushed_weights_are_dots_of_their_own(shown: tuple[Summary, Brushed]) -> None:
    summary, held = shown
    rows = pair_weights.rows([summary], brushed=[held])
    dots = rows[rows["kind"] == "held-"]
    assert 0 < len(dots) <= brush.DOTS
    assert dots["x"].between(0.5, 0.75).all()
    assert (dots["weight"].astype(float) >= 0).all()
    assert "held+" not in set(rows["kind"])


def test_lines_join_the_places_of_both_items(shown: tuple[Summary, Brushed]) -> None:
    summary, held = shown
    option = embedding_map.option([summary, summary], brushed=[None, held])
    drawn = [series for series in option["series"] if series["type"] == "lines"]
    assert [series["xAxisIndex"] for series in drawn] == [1, 1]
    assert drawn[0]["data"] == []
    assert len(drawn[1]["data"]) == len(held.line_from) > 0
    ends = np.array([line["coords"] for line in drawn[1]["data"]])
    np.testing.assert_allclose(ends[:, 0], summary.points.xy[held.line_from], atol=6e-4)
    np.testing.assert_allclose(ends[:, 1], summary.points.xy[held.line_to], atol=6e-4)
    assert option["title"][1]["subtext"] == f"{len(held.line_from)} of {held.pairs:,} pairs as lines"
    assert option["title"][0]["subtext"] == embedding_map.badge(summary)
    assert "brush" not in option
    assert "brush" in embedding_map.option([summary], lasso=True)
