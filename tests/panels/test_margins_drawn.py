"""The pictures of margins, classes, item weights and heads show the numbers of their summaries."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from components import theme
from components.panels import class_roc, head_histogram, heights, margin_axis, margin_histogram, sample_weights
from models.diagnostics.summary import BINS, Summary
from tests.panels.made_up import margins, start, summary


def of(frame: pd.DataFrame, kind: str, lane: str = "A") -> pd.DataFrame:
    return frame[(frame["kind"] == kind) & (frame["lane"] == lane)]


def lane(seed: int = 0, gap: float = 0.8, *, kind: str = "class", classes: int = 10) -> Summary:
    return replace(summary(seed), margins=margins(seed, gap, kind=kind, classes=classes))


def numbers(column: pd.Series) -> np.ndarray:
    return column.to_numpy(float)


def wide(one: Summary, times: float) -> Summary:
    """The same lane with all margins `times` as large."""
    held = one.margins
    assert held is not None
    return replace(one, margins=replace(held, reach=held.reach * times, grid=held.grid * times))


def test_every_item_is_in_one_bin_and_wrong_ones_lie_left() -> None:
    one = lane()
    assert one.margins is not None
    found = of(margin_histogram.rows([one], counts=True, ghost=False), "bin")
    entries, middle = numbers(found["entries"]), numbers(found["x"])
    assert entries.sum() == 400
    assert entries[middle < 0].sum() == round(one.margins.below * 400)
    assert (numbers(found["to"]) > numbers(found["from"])).all()
    # Heights: the right half is drawn by one mark and the left half by the other; they meet at 0.
    assert found["right"].isna().tolist() == (middle < -one.margins.reach / BINS * 1.5).tolist()
    assert found["wrong"].isna().tolist() == (middle > one.margins.reach / BINS * 1.5).tolist()


def test_lanes_share_bins_whatever_their_reach() -> None:
    near, far = lane(), wide(lane(1), 8.0)
    assert near.margins is not None
    assert far.margins is not None
    found = margin_histogram.rows([near, far], counts=True, ghost=False)
    first, second = (of(found, "bin", letter) for letter in "AB")
    width = 2 * far.margins.reach / BINS
    for shown in (first, second):
        np.testing.assert_allclose(numbers(shown["to"]) - numbers(shown["from"]), width)
    assert numbers(first["entries"]).sum() == 400
    left = numbers(first["to"]) <= 0
    assert numbers(first["entries"])[left].sum() == near.margins.count[:, : BINS // 2].sum()


def test_own_axis_fills_the_picture_and_names_its_unit() -> None:
    near, far = lane(), wide(lane(0), 8.0)
    found = margin_histogram.rows([near, far], own=True, ghost=False)
    first, second = (of(found, "bin", letter) for letter in "AB")
    np.testing.assert_allclose(numbers(first["x"]), numbers(second["x"]))
    np.testing.assert_allclose(numbers(first["right"]) - 1, numbers(second["right"]), atol=2e-4)
    scale = margin_axis.scale([[near.margins], [far.margins]], own=True)
    assert scale.unit[1] == 8 * scale.unit[0]
    words = [of(found, "head", letter)["text"].iloc[0] for letter in "AB"]
    assert [text.endswith(f"1 = {theme.number(unit)}") for text, unit in zip(words, scale.unit, strict=True)] == [
        True
    ] * 2
    assert max(abs(scale.low), scale.high) == 1.0


def test_axis_ends_are_powers_of_two_that_hold_every_bin() -> None:
    one = lane()
    scale = margin_axis.scale([[one.margins, None], [None, None]], own=False)
    assert one.margins is not None
    filled = margin_axis.edges(one.margins)[np.flatnonzero(one.margins.count.sum(axis=0)) + 1]
    assert np.log2([-scale.low, scale.high]).tolist() == np.round(np.log2([-scale.low, scale.high])).tolist()
    assert filled.max() <= scale.high < 2 * filled.max()
    ends = margin_histogram.rows([one], ghost=False)
    assert ends[ends["kind"] == "ends"]["x"].tolist() == [scale.low, scale.high]
    assert margin_axis.scale([[None]], own=True) == margin_axis.Scale(-1.0, 1.0, (1.0,))


def test_lanes_of_very_different_reach_are_told() -> None:
    near, far = lane(), wide(lane(), 8.0)
    assert margin_axis.uneven([near.margins, None, far.margins])
    assert not margin_axis.uneven([near.margins, wide(lane(), 4.0).margins])
    assert not margin_axis.uneven([None, far.margins])


def test_ghost_is_the_first_summary() -> None:
    now, then = lane(), replace(start(), margins=margins(5, 0.0))
    assert then.margins is not None
    found = of(margin_histogram.rows([now], first=[then], counts=True), "bin")
    before = np.fmax(np.nan_to_num(numbers(found["right0"])), np.nan_to_num(numbers(found["wrong0"])))
    assert before.max() > 0
    without = of(margin_histogram.rows([now], first=[then], counts=True, ghost=False), "bin")
    assert without["right0"].isna().all()
    assert without["wrong0"].isna().all()


def test_a_lane_without_margins_says_so_in_one_line() -> None:
    cosine, number = replace(summary(1), margins=None), lane(2, kind="real")
    shown = [lane(), cosine, number]
    for panel in (margin_histogram, sample_weights):
        found = panel.rows(shown)
        words = [of(found, "head", letter)["text"].iloc[0] for letter in "BC"]
        assert words[0] == "B · no margin: reads no logits (menu ⋯: cosine)"
        assert words[1] == "C · predicts a number (menu ⋯: residual)"
        assert of(found, "bin", "B").empty
        assert of(found, "bin", "C").empty
        assert not of(panel.rows(shown, residual=True), "bin", "C").empty
        told = panel.sentence(shown)
        assert "no margin: reads no logits" in told.lower()
        assert "nan" not in told
    assert "predicts a number" in class_roc.sentence(shown)


def test_words_of_margins_and_residuals() -> None:
    one = lane()
    assert one.margins is not None
    held = replace(one.margins, below=0.125, middle=2.5, below_by=np.r_[np.full(9, 0.1), 0.5])
    told = margin_histogram.sentence([replace(one, margins=held)], names=[f"digit {k}" for k in range(10)])
    assert "12.5 % of 400 items are decided wrong, median margin 2.5, worst digit 9 with 50 %." in told
    residual = replace(lane(kind="real").margins, below=0.25, middle=-1.5, size=12.5)  # type: ignore[type-var]
    told = margin_histogram.sentence([replace(one, margins=residual)], residual=True)
    assert "miss by 12.5 on average, 25 % of them too low, median residual -1.5." in told


def test_table_has_all_and_every_class() -> None:
    one = lane(classes=4)
    assert one.margins is not None
    found = margin_histogram.table([one, replace(summary(), margins=None)], names=("a", "b"))
    assert found["of"].tolist()[:5] == ["all", "a", "b", "class 2", "class 3"]
    assert found["entries"].tolist()[:5] == [400, 100, 100, 100, 100]
    np.testing.assert_allclose(numbers(found["decided wrong (share)"])[1:5], one.margins.below_by, rtol=1e-4)
    assert found["of"].tolist()[5].startswith("no margin")


def test_mean_curve_is_the_mean_of_the_classes() -> None:
    one = lane(classes=3)
    held = one.margins
    assert held is not None
    tpr = held.tpr.copy()
    tpr[1], auc = np.nan, np.where(np.arange(3) == 1, np.nan, held.auc)
    found = class_roc.rows([replace(one, margins=replace(held, tpr=tpr, auc=auc))])
    thick = of(found, "mean")
    np.testing.assert_allclose(numbers(thick["tpr"]), (tpr[0] + tpr[2]) / 2, rtol=1e-4)
    assert thick["auc"].iloc[0] == pytest.approx((auc[0] + auc[2]) / 2, rel=1e-4)
    assert sorted(set(of(found, "class")["group"])) == ["class 0", "class 2"]


def test_of_many_classes_the_worst_are_drawn() -> None:
    found = class_roc.rows([lane(classes=30), lane(1, classes=30)])
    shown = set(of(found, "class", "B")["group"])
    assert shown == {f"class {k}" for k in range(class_roc.LINES // 2)}  # made up so that early classes are worse
    assert theme.wire_bytes(found) < theme.LIMIT
    assert len(class_roc.by_class([lane(classes=30)])) == 30


def test_table_of_classes_has_a_column_a_lane() -> None:
    one, other = lane(classes=3), replace(summary(1), margins=None)
    assert one.margins is not None
    found = class_roc.by_class([one, other, lane(2, classes=3)], names=("x", "y", "z"))
    assert list(found.columns) == ["AUC against the rest", "A", "C"]
    assert found["AUC against the rest"].tolist() == ["x", "y", "z"]
    np.testing.assert_allclose(numbers(found["A"]), one.margins.auc, rtol=1e-4)
    assert len(class_roc.by_class([other])) == 0


def test_item_weights_lie_in_their_band_and_are_split_at_zero() -> None:
    one = lane()
    held = one.margins
    assert held is not None
    found = sample_weights.rows([one])
    bins, top = of(found, "bin"), sample_weights.extent(held)[1]
    known = np.isfinite(held.weight)
    middle = margin_axis.centres(held)[known]
    np.testing.assert_allclose(numbers(bins["x"]), middle, rtol=1e-4)
    right = middle > 0
    assert bins["wrong"].isna().tolist() == right.tolist()
    np.testing.assert_allclose(
        numbers(bins["right"])[right], 0.72 * held.weight[known][right] / top, rtol=1e-3, atol=1e-5
    )
    dots = pd.concat([of(found, "dot right"), of(found, "dot wrong")])
    assert len(dots) == sample_weights.DOTS
    assert (numbers(of(found, "dot wrong")["margin"]) < 0).all()
    assert set(numbers(dots["weight"])) <= set(theme.finite(pd.DataFrame({"w": held.dot_weight}))["w"])


def test_sentences_on_item_weights() -> None:
    assert sample_weights.numbers(lane()) == (
        "The hardest 1 % (lowest margins) carry 11.0 % of the gradient.",
        "87.3 of 400 items matter.",
    )
    assert sample_weights.numbers(lane(kind="real"), residual=True)[0].startswith("The hardest 1 % (largest residuals)")
    assert "pairs of item and label" in sample_weights.numbers(lane(kind="multilabel"))[1]
    still = replace(lane().margins, effective=float("nan"))  # type: ignore[type-var]
    assert sample_weights.numbers(replace(lane(), margins=still)) == ("No item has a gradient.", "")


def test_extent_reaches_below_zero_only_where_weights_do() -> None:
    held = lane().margins
    assert held is not None
    assert sample_weights.extent(held)[0] == 0.0
    away = replace(held, dot_weight=np.array([-2.0, 1.0]))
    assert sample_weights.extent(away)[0] == -2.0
    assert sample_weights.extent(None) == (0.0, 1.0)


def test_a_band_a_head_as_far_as_there_is_room() -> None:
    three = summary()
    assert three.heads is not None
    found = head_histogram.rows([three], counts=True)
    assert sorted(set(found["band"].dropna())) == ["A, head 1", "A, head 2", "A, head 3"]
    for k, head in enumerate(three.heads):
        shown = found[found["band"] == f"A, head {k + 1}"]
        assert numbers(shown["positive"]).sum() == head.positive.sum()
        assert numbers(shown["negative"]).sum() == head.negative.sum()
    many = replace(three, heads=three.heads * 4)
    shown = head_histogram.rows([many, replace(three, heads=None)])
    heads = shown[shown["kind"] == "head"]["text"].tolist()
    assert sum("· head" in text for text in heads) == 4
    assert any("(+8 in the table)" in text for text in heads)
    assert "B · has no heads (menu ⋯: cosine)" in heads
    assert len(head_histogram.table([many])) == 12


def test_common_heights() -> None:
    assert heights.common([np.array([0.0, 2.0]), np.array([np.nan, 5.0])], log=False) == (0.0, 5.0)
    assert heights.common([], log=True) == (0.0, 1.0)
    assert heights.common([np.array([0.02, 100.0])], log=True) == (-2.0, pytest.approx(2.0))
    assert heights.density(np.array([1.0, 3.0]), 0.5).tolist() == [0.5, 1.5]
    assert heights.occupied([np.array([0, 0, 1, 0, 0, 0]), np.array([0, 0, 0, 1, 0, 0])]) == slice(1, 5)
