"""The picture of a loss against a score: curve, dot and slope where the loss puts them, in words and numbers too."""

import json
from dataclasses import replace

import numpy as np
import pytest
import vl_convert

from components import theme
from components.panels import loss_against_score
from models.diagnostics.anchor_curve import AnchorLoss, ScoreCurve

GRID = np.linspace(-1.0, 1.0, 5)
# 2 - s of a positive, and a hinge above 0.5 of a negative that stands at 0.75.
PULL = ScoreCurve(3, True, GRID, 2.0 - GRID, 0.25, -1.0, -0.1)
PUSH = ScoreCurve(8, False, GRID, 1.5 + np.maximum(GRID - 0.5, 0.0), 0.75, 1.0, 0.1)
TOLD = AnchorLoss(0, 1.75, 0.1, (PULL, PUSH), None, "")
NONE = AnchorLoss(0, float("nan"), float("nan"), (), None, "", "it reads logits")


def test_a_dot_and_a_slope_stand_on_each_curve() -> None:
    rows = loss_against_score.rows(TOLD)
    dots = rows[rows["kind"] == "dot"]
    assert dots["score"].tolist() == [0.25, 0.75]
    assert dots["loss"].tolist() == [1.75, 1.75]
    assert dots["weight"].tolist() == [-0.1, 0.1]
    for side, slope in (("positive moves (solid)", -1.0), ("negative moves (dashed)", 1.0)):
        line = rows[(rows["kind"] == "tangent") & (rows["side"] == side)]
        score, loss = line["score"].to_numpy(float), line["loss"].to_numpy(float)
        assert len(line) == 2
        assert np.diff(loss)[0] / np.diff(score)[0] == pytest.approx(slope, rel=1e-3)
        assert np.interp((score[0] + score[1]) / 2, score, loss) == pytest.approx(np.mean(loss))
    assert (rows["kind"] == "curve").sum() == 2 * len(GRID)
    assert theme.wire_bytes(rows) < theme.LIMIT


def test_a_steep_slope_stays_within_its_curve() -> None:
    steep = replace(TOLD, curves=(replace(PULL, slope=-1e6),))
    rows = loss_against_score.rows(steep)
    line = rows[rows["kind"] == "tangent"]["loss"].to_numpy(float)
    assert line.tolist() == [3.0, 1.0]
    assert np.ptp(rows[rows["kind"] == "tangent"]["score"].to_numpy(float)) < 1e-4


@pytest.mark.parametrize("told", [TOLD, NONE, replace(TOLD, curves=(replace(PULL, slope=0.0),))])
def test_the_chart_is_valid_whatever_comes_in(told: AnchorLoss) -> None:
    spec = {**loss_against_score.figure(told).to_dict(validate=True), "width": 420}
    assert "<svg" in vl_convert.vegalite_to_svg(json.dumps(spec))
    assert list(loss_against_score.rows(told).columns) == list(loss_against_score.rows(TOLD).columns)
    assert len(loss_against_score.table(told)) == len(told.curves)


def test_words_name_the_pairs_and_the_direction() -> None:
    told = loss_against_score.sentence(TOLD, {3: "#12 (cat)"})
    assert "loses 1.75" in told
    assert "positive #12 (cat) scores 0.250 and has weight -0.1: a higher score would lower the loss" in told
    assert "negative scores 0.750 and has weight 0.1: a higher score would raise the loss" in told
    assert "holds constant" not in told
    assert "holds constant the weights" in loss_against_score.sentence(replace(TOLD, held="the weights"))
    assert "changes nothing" in loss_against_score.sentence(replace(TOLD, curves=(replace(PULL, slope=0.0),)))
    assert loss_against_score.sentence(NONE) == "Loss against score: it reads logits."


def test_numbers_say_both_ends() -> None:
    table = loss_against_score.table(TOLD)
    assert table["loss at cosine -1"].tolist() == [3.0, 1.5]
    assert table["loss at cosine 1"].tolist() == [1.0, 2.0]
    assert table["weight in the whole loss"].tolist() == [-0.1, 0.1]
