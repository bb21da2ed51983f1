"""The numbers in the rows against numbers worked out here: heights, rates, counts, levels, weights, trails."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from components import theme
from components.panels import (
    bands,
    curves,
    pair_weights,
    roc_curve,
    score_histogram,
    score_statistics,
    spectrum,
    tradeoff,
    what_if,
)
from models.diagnostics.summary import BINS, RocCurve, ScoreHistogram, Summary
from tests.panels.made_up import four, start, summary, unknown


def of(frame: pd.DataFrame, kind: str, lane: str = "A") -> pd.DataFrame:
    found = frame[(frame["kind"] == kind) & (frame["lane"] == lane)]
    assert len(found) > 0
    return found


def with_counts(positive: dict[int, int], negative: dict[int, int]) -> Summary:
    sides = [np.zeros(BINS, dtype=int), np.zeros(BINS, dtype=int)]
    for side, counts in zip(sides, (positive, negative), strict=True):
        for at, count in counts.items():
            side[at] = count
    return replace(summary(), scores=ScoreHistogram(*sides, 0.25, 1.5))


def test_histogram_heights_are_densities_on_one_scale() -> None:
    lanes = [with_counts({60: 30, 61: 10}, {10: 5}), with_counts({60: 1}, {30: 2, 31: 2})]
    found = score_histogram.rows(lanes)
    # Bins are 1/32 wide: 30 of 40 is a density of 24, all of 5 is 32, half of 4 is 16.
    a, b = of(found, "bin"), of(found, "bin", "B")
    assert a["positive"].max() == pytest.approx(24)
    assert a["negative"].max() == pytest.approx(32)
    assert a["pos"].max() == pytest.approx(1 + 24 / 32 * bands.BODY, rel=1e-4)
    assert b["neg"].max() == pytest.approx(16 / 32 * bands.BODY, rel=1e-4)
    assert b["pos"].max() == pytest.approx(32 / 32 * bands.BODY, rel=1e-4)


def test_histogram_counts_and_log() -> None:
    lane = with_counts({60: 1000}, {10: 10, 20: 1})
    found = of(score_histogram.rows([lane], counts=True, log=True), "bin")
    heights = {k: found.iloc[np.abs(found["x"] - (-1 + (k + 0.5) / 32)).argmin()] for k in (10, 20, 60)}
    assert heights[60]["pos"] == pytest.approx(bands.BODY, rel=1e-4)
    assert heights[10]["neg"] == pytest.approx(bands.BODY / 3, rel=1e-4)
    assert heights[20]["neg"] == 0
    assert heights[60]["positive"] == 1000


def test_histogram_ghost_threshold_and_unseen() -> None:
    plain = score_histogram.rows([summary()], first=[start()], ghost=False)
    assert plain["pos0"].isna().all()
    ghost = score_histogram.rows([summary()], first=[start()], threshold=0.25)
    assert ghost["pos0"].notna().any()
    assert ghost.loc[ghost["kind"] == "cut", "cut"].tolist() == [0.25]
    assert "five classes" in of(score_histogram.rows([unknown()], unseen=True), "head")["text"].iloc[0]


def test_histogram_mean_by_hand() -> None:
    lane = with_counts({63: 1, 0: 1}, {32: 3})
    assert score_histogram.mean(lane.scores.positive) == pytest.approx(0.0)
    assert score_histogram.mean(lane.scores.negative) == pytest.approx(1 / 64)
    assert np.isnan(score_histogram.mean(np.zeros(BINS)))


def test_band_places_values() -> None:
    band = bands.Band(1, 3, -1.0, 1.0)
    np.testing.assert_allclose(band.place([-1, 0, 1, 9]), 1 + bands.BODY * np.array([0, 0.5, 1, 1]))
    split = bands.Band(0, 1, -4.0, 0.5, middle=0.0)
    np.testing.assert_allclose(split.place([-4, -2, 0, 0.25, 0.5]), bands.BODY * np.array([0, 0.25, 0.5, 0.75, 1]))
    assert np.isnan(band.place(np.nan))


def test_confusion_is_exact_at_a_bin_edge() -> None:
    # Edge 0.5 is the lower end of bin 48.
    lane = with_counts({47: 3, 48: 4, 60: 5}, {10: 6, 48: 2})
    curve = RocCurve(*[np.array([np.nan])] * 3, *[0.9] * 3, 0.1, 0.2, np.full(4, np.nan), 12, 8)
    row = roc_curve.confusion([replace(lane, roc=curve)], 0.505).iloc[0]
    assert (row["TP"], row["FP"], row["TN"], row["FN"]) == (9, 2, 6, 3)
    assert row["threshold (cosine)"] == 0.5
    assert row["TP rate (share)"] == pytest.approx(0.75)
    assert row["FP rate (share)"] == pytest.approx(0.25)
    assert row["precision (share)"] == pytest.approx(9 / 11, rel=1e-4)


def test_confusion_takes_a_stored_threshold_that_is_nearer() -> None:
    lane = with_counts({47: 3, 48: 4, 60: 5}, {10: 6, 48: 2})
    steps = np.array([1.0, 0.512, 0.1])
    curve = RocCurve(
        np.array([0, 0.125, 0.25]), np.array([0, 7 / 12, 1]), steps, *[0.9] * 3, 0.1, 0.2, np.full(4, 1), 12, 8
    )
    row = roc_curve.confusion([replace(lane, roc=curve)], 0.51).iloc[0]
    assert (row["threshold (cosine)"], row["TP"], row["FP"]) == (0.512, 7, 1)


def test_confusion_against_the_scores_themselves() -> None:
    rng = np.random.default_rng(3)
    positive, negative = rng.uniform(-0.2, 1, 500), rng.uniform(-1, 0.6, 900)
    edges = np.linspace(-1, 1, BINS + 1)
    counts = [np.histogram(side, edges)[0] for side in (positive, negative)]
    step = np.sort(np.concatenate([positive, negative]))[::-7]
    rates = [np.array([(side >= t).mean() for t in step]) for side in (negative, positive)]
    curve = RocCurve(*rates, step, 0.8, 0.7, 0.9, 0.1, 0.2, np.full(4, 1.0), 500, 900)
    lane = replace(summary(), scores=ScoreHistogram(*counts, 0.2, 1.0), roc=curve)
    for asked in np.linspace(-0.9, 0.9, 19):
        at = roc_curve.working_point(lane, float(asked))
        assert at is not None
        assert abs(at.threshold - asked) <= 1 / 64
        assert at.tp == np.count_nonzero(positive >= at.threshold)
        assert at.fp == np.count_nonzero(negative >= at.threshold)


def test_confusion_without_pairs_is_blank() -> None:
    row = roc_curve.confusion([unknown()], 0.5).iloc[0]
    assert row["TP"] is None
    assert row["lane"].startswith("A · ")


def test_roc_on_a_logarithmic_axis_starts_at_its_floor() -> None:
    found = of(roc_curve.rows([summary(1)], log=True), "curve")
    assert found["fpr"].min() >= roc_curve.FLOOR
    lane = summary(1)
    best = lane.roc.tpr[lane.roc.fpr <= roc_curve.FLOOR].max()
    assert found["tpr"].iloc[0] == pytest.approx(best, rel=1e-4)


def test_roc_label_tells_auc_and_interval() -> None:
    lane = replace(summary(), roc=replace(summary().roc, auc=0.9714, low=0.9636, high=0.9777))
    text = of(roc_curve.rows([lane]), "name")["label"].iloc[0]
    assert text == "A · InfoNCE (temperature 0.1) · AUC 0.971 [0.964, 0.978]"


def test_curves_thin_but_keep_both_ends() -> None:
    lane = summary(step=400)
    found = of(curves.rows([lane]), "point")
    assert len(found) == curves.POINTS
    assert found["step"].iloc[[0, -1]].tolist() == [0, 399]
    assert found["value"].iloc[-1] == pytest.approx(lane.curves.loss[-1], rel=1e-4)


def test_levels_that_coincide_share_their_words() -> None:
    a, b = summary(), replace(summary(1), levels={"chance": 4.736, "perfect": 1.9, "inactive": float("nan")})
    found = curves.rows([a, b])
    words = found[found["kind"] == "words"].set_index("text")
    assert set(words.index) == {"chance AB; collapse A: 4.74", "perfect A: 0.002", "perfect B: 1.9"}
    lines = found[found["kind"] == "level"]
    assert sorted(zip(lines["lane"], lines["value"], strict=True)) == [
        ("A", 0.002), ("A", 4.736), ("A", 4.736), ("B", 1.9), ("B", 4.736),
    ]  # fmt: skip


def test_levels_close_together_stand_side_by_side() -> None:
    lane = replace(summary(), levels={"chance": 4.7, "collapse": 4.8, "perfect": 0.0})
    found = curves.rows([lane])
    words = found[found["kind"] == "words"]
    assert dict(zip(words["value"], words["slot"], strict=True)) == {0.0: 0, 4.7: 0, 4.8: 1}


def test_curves_mark_changed_knobs_and_say_where_the_loss_sits() -> None:
    marks = of(curves.rows([summary()]), "mark")
    assert marks["step"].tolist() == [150, 300]
    assert marks["text"].iloc[0] == "temperature 0.1 → 0.05"
    flat = replace(summary(), curves=replace(summary().curves, loss=np.full(400, 4.73)))
    assert "chance" in curves.sentence([flat])
    assert "chance" not in curves.sentence([summary()])


def test_curves_refuse_an_unknown_measure() -> None:
    with pytest.raises(ValueError, match="measure must be one of loss, auc"):
        curves.rows([summary()], measure="fame")


def test_tradeoff_trail_ends_where_the_lane_stands() -> None:
    found = tradeoff.rows([summary()], sweep=[(0.5, summary(2)), (0.05, summary(3))])
    trail = of(found, "trail")
    assert trail["uniformity"].iloc[0] == pytest.approx(0.5)
    assert trail["step"].tolist() == list(range(0, 401, 50))
    now = of(found, "now").iloc[0]
    assert (now["uniformity"], now["tolerance"]) == (3.2, 0.85)
    sweep = found[found["kind"] == "sweep"]
    assert sweep["text"].tolist() == ["0.05", "0.5"]
    histograms = found[found["kind"] == "bin"].groupby("id")
    assert set(histograms.groups) == {"A", "sweep 0", "sweep 1"}
    assert histograms["pos"].max().tolist() == [1.0, 1.0, 1.0]


def test_statistics_draw_one_standard_deviation() -> None:
    lane = summary()
    found = of(score_statistics.rows([lane]), "step")
    low = -0.3  # the negatives' mean of 0.05 less their deviation of 0.2, then a tenth below, in steps of a tenth
    mean, var = lane.curves.measured["neg_mean"], lane.curves.measured["neg_var"]
    expected = bands.BODY * (mean + np.sqrt(var) - low) / (1 - low)
    np.testing.assert_allclose(found["neg_hi"].to_numpy(float), np.minimum(expected, bands.BODY), rtol=1e-4)


def test_weights_have_a_scale_for_push_and_one_for_pull() -> None:
    lane = summary()
    found = of(pair_weights.rows([lane]), "bin")
    assert found["push_hi"].dropna().max() == pytest.approx(bands.BODY, rel=1e-4)
    assert found["pull_hi"].dropna().min() >= 0.0
    assert found["pull_lo"].dropna().min() == pytest.approx(0.0, abs=1e-6)
    half = bands.BODY / 2
    assert (found["push"].dropna() >= half).all()
    assert (found["pull"].dropna() <= half).all()
    ticks = of(pair_weights.rows([lane]), "tick")
    top = np.nanmax(lane.weights.push_high)
    assert ticks["text"].tolist()[1:] == ["0", theme.number(float(top), 2)]


def test_logits_are_stretched_onto_the_axis() -> None:
    w = summary().weights
    logits = replace(w, candidates="class logits", centre=10 * w.centre, dot_score=10 * w.dot_score, grid=np.empty(0))
    found = pair_weights.rows([summary(), replace(summary(), weights=logits)])
    np.testing.assert_allclose(of(found, "bin", "B")["x"].to_numpy(float), of(found, "bin")["x"].to_numpy(float))
    assert of(found, "head", "B")["text"].iloc[0].endswith("axis: logits -10 to 10")


def test_three_sentences_about_weights() -> None:
    assert pair_weights.numbers(summary()) == (
        "The hardest 1 % of negatives carry 43 % of the push.",
        "2.4 of 436 negatives matter to a typical anchor.",
        "Pull : push = 1.0.",
    )
    assert pair_weights.numbers(unknown()) == (unknown().why_no_weight, "", "")


def test_heat_map_is_centred_on_zero_with_its_classes_parted() -> None:
    fig = pair_weights.heat_map([summary(), unknown(), summary(2)])
    assert [trace.type for trace in fig.data] == ["heatmap", "heatmap"]
    assert all(trace.zmid == 0 and trace.zmin == -trace.zmax for trace in fig.data)
    assert fig.data[0].zmax == pytest.approx(np.abs(summary().weights.heat).max())
    rows = sorted({shape.y0 for shape in fig.layout.shapes if shape.y0 == shape.y1})
    assert rows == [4.5, 9.5, 14.5, 19.5, 24.5, 29.5, 34.5, 39.5, 44.5]
    assert "no weight per pair" in fig.layout.annotations[1].text
    assert len(pair_weights.heat_map([]).data) == 0


def test_heat_figure_holds_every_block() -> None:
    (cells,) = pair_weights.heat_figure(summary()).to_dict()["datasets"].values()
    assert len(cells) == 2500
    assert cells[51]["weight"] == pytest.approx(summary().weights.heat[1, 1], rel=1e-4)
    with pytest.raises(ValueError, match="no heat map"):
        pair_weights.heat_figure(unknown())


def test_what_if_is_relative_to_now() -> None:
    now = summary().weights
    found = what_if.rows(now, replace(now, push=3 * now.push))
    peak = found[found["sign"].str.startswith("push")].groupby("when")["weight"].max()
    assert (peak["now"], peak["then"]) == (pytest.approx(1.0), pytest.approx(3.0, rel=1e-4))
    pull = found[found["sign"].str.startswith("pull")]["weight"]
    assert pull.min() == -1.0
    told = what_if.sentence(now, replace(now, hardest_share=0.1, effective_negatives=40.0))
    assert "43 % → 10 %" in told
    assert "2.4 → 40 of 436" in told


def test_spectrum_has_a_row_a_direction() -> None:
    lane = replace(
        summary(), spectrum=replace(summary().spectrum, singular=np.array([0.5, 0.1, 0.0]), effective_rank=1.2)
    )
    found = of(spectrum.rows([lane]), "value")
    assert found["direction"].tolist() == [1, 2, 3]
    assert found["size"].tolist() == [0.5, 0.1, spectrum.FLOOR]
    assert found["singular"].tolist() == [0.5, 0.1, 0.0]
    assert "1.2 of 3" in spectrum.sentence([lane])


def test_lane_stays_in_its_colour_when_another_knows_nothing() -> None:
    found = roc_curve.rows([unknown(), summary()])
    assert set(of(found, "curve", "B")["lane"]) == {"B"}
    assert len(found[found["kind"] == "name"]) == 2
    assert len(four()) == len(theme.LANES)
