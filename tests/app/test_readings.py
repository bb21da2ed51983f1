"""What the scores, ROC and weights panels show where losses read logits: margins, residuals, heads, and the switch."""

import json
from dataclasses import replace
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from app.views import lab_readings
from components.panels import (
    class_roc,
    head_histogram,
    margin_histogram,
    pair_weights,
    roc_curve,
    sample_weights,
    score_histogram,
)
from models.training.config import Part, RunConfig
from tests.app.boards import LocalBoards
from tests.app.drawn import Opener, sound
from tests.panels.made_up import margins, summary


def board(opened: Opener, data: str, *lanes: str, panels: str = "scores,roc,weights", **more: str) -> AppTest:
    return opened(data=data, lane=list(lanes), panels=panels, **more)


def titles(page: AppTest) -> list[str]:
    return [
        part.value.strip("*") for part in page.markdown if part.value.startswith("**") and part.value.endswith("**")
    ]


def axes(page: AppTest) -> str:
    """All specs on the page as text."""
    return " ".join(
        json.dumps(json.loads(chart.proto.spec), ensure_ascii=False) for chart in page.get("vega_lite_chart")
    )


def spoken(page: AppTest) -> str:
    return " ".join(part.proto.body for part in page.get("html") if "spoken" in part.proto.body)


def test_losses_that_read_logits_show_margins(opened: Opener, boards: LocalBoards) -> None:
    page = board(opened, "digits", "cross_entropy", "ldr_kl")
    shown = titles(page)
    assert [panel.TITLE for panel in (margin_histogram, class_roc, sample_weights)] == [
        title for title in shown if title in {margin_histogram.TITLE, class_roc.TITLE, sample_weights.TITLE}
    ]
    assert "logits in favour of the truth" in axes(page)
    assert "decided wrong" in spoken(page)
    assert "cosine" not in axes(page)
    assert not [slider for slider in page.slider if slider.key == "threshold"]
    (classes,) = page.dataframe
    assert list(classes.value.columns) == ["AUC against the rest", "A", "B"]
    assert len(classes.value) == 8


def test_losses_that_read_scores_keep_cosines(opened: Opener, boards: LocalBoards) -> None:
    page = board(opened, "digits", "infonce", "cross_entropy")
    assert score_histogram.TITLE in titles(page)
    assert roc_curve.TITLE in titles(page)
    assert pair_weights.TITLE in titles(page)
    assert [slider.key for slider in page.slider if slider.key == "threshold"] == ["threshold"]


def test_the_switch_shows_margins_and_says_who_has_none(opened: Opener, boards: LocalBoards) -> None:
    page = board(opened, "digits", "infonce", "cross_entropy")
    for name in ("scores", "roc", "weights"):
        page.session_state[f"{name}-reading-cosine-margin"] = lab_readings.MARGIN
    page = sound(page.run())
    assert {margin_histogram.TITLE, class_roc.TITLE, sample_weights.TITLE} <= set(titles(page))
    assert spoken(page).lower().count("no margin: reads no logits") == 3


def test_numbers_show_residuals_and_keep_the_roc_of_pairs(opened: Opener, boards: LocalBoards) -> None:
    page = board(opened, "diabetes", "hl_gauss")
    assert "prediction − target" in axes(page)
    assert "miss by" in spoken(page)
    assert margin_histogram.RESIDUAL_TITLE in titles(page)
    assert roc_curve.TITLE in titles(page)
    assert class_roc.TITLE not in titles(page)


def test_tables_follow_the_reading(opened: Opener, boards: LocalBoards) -> None:
    page = board(opened, "cancer", "anyloss")
    for name in ("scores", "roc", "weights"):
        page.session_state[f"table-{name}"] = True
    frames = [frame.value for frame in sound(page.run()).dataframe]
    assert len(frames) == 3  # the table of classes does not stand twice
    assert frames[0]["of"].tolist() == ["all", "benign", "malignant"]
    assert frames[1]["class"].tolist() == ["mean of 1", "malignant"]
    assert frames[2]["counted"].tolist() == [189]


def test_the_threshold_stays_while_a_panel_shows_cosines(opened: Opener, boards: LocalBoards) -> None:
    handle = [slider.key for slider in board(opened, "diabetes", "hl_gauss").slider if slider.key == "threshold"]
    alone = board(opened, "diabetes", "hl_gauss", panels="scores,weights")
    assert handle == ["threshold"]
    assert [slider.key for slider in alone.slider if slider.key == "threshold"] == []
    assert any("Predictions miss by" in caption.value for caption in alone.caption)


def test_heads_are_a_choice(opened: Opener, boards: LocalBoards) -> None:
    page = board(opened, "digits", "infonce")
    assert score_histogram.TITLE in titles(page)
    boards.players["board0"].set_configs([RunConfig(methods=(Part("multi_head"),))])
    page.session_state["scores-reading-cosine-heads"] = lab_readings.HEADS
    page = sound(page.run())
    assert head_histogram.TITLE in titles(page)
    assert "head 1: positives centre at" in spoken(page)
    assert "head 3: positives centre at" in spoken(page)
    assert [slider.key for slider in page.slider if slider.key == "threshold"] == ["threshold"]


def made(kind: str | None) -> Any:
    return replace(summary(), heads=None, margins=None if kind is None else margins(kind=kind))


@pytest.mark.parametrize(
    ("kinds", "name", "offered", "usual"),
    [
        (["class", "binary"], "scores", ("cosine", "margin"), "margin"),
        (["class", None], "scores", ("cosine", "margin"), "cosine"),
        ([None, None], "weights", ("cosine",), "cosine"),
        (["real", "real"], "scores", ("cosine", "residual"), "residual"),
        (["real", "real"], "roc", ("cosine",), "cosine"),
        (["real", "class"], "weights", ("cosine", "margin", "residual"), "cosine"),
        (["multilabel"], "roc", ("cosine", "margin"), "margin"),
        (["class"], "curves", ("cosine",), "cosine"),
        ([], "scores", ("cosine",), "cosine"),
    ],
)
def test_what_is_shown_follows_from_what_the_losses_read(
    kinds: list[str | None], name: str, offered: tuple[str, ...], usual: str
) -> None:
    lanes = [made(kind) for kind in kinds]
    assert lab_readings.offered(name, lanes) == offered
    assert lab_readings.usual(name, lanes) == usual


def test_a_lesson_shows_what_the_losses_read_and_heads_where_there_are_some() -> None:
    plain, headed = made(None), summary()
    assert headed.heads
    assert lab_readings.fullest("scores", [headed, headed]) == lab_readings.HEADS
    assert lab_readings.fullest("scores", [headed, plain]) == lab_readings.COSINE
    assert lab_readings.fullest("weights", [made("class"), made("binary")]) == lab_readings.MARGIN
    assert lab_readings.fullest("scores", []) == lab_readings.COSINE
    assert lab_readings.options_of(lab_readings.MARGIN, Part("cancer")) == {
        "residual": False,
        "names": ("benign", "malignant"),
    }
    assert lab_readings.options_of(lab_readings.HEADS, Part("cancer")) == {}


def test_classes_are_a_panel_with_a_switch_to_gradients(opened: Opener, boards: LocalBoards) -> None:
    page = board(opened, "digits", "infonce", "cross_entropy", panels="classes")
    assert "Class against class" in titles(page)
    assert spoken(page).count("are the most alike of two classes") == 2
    page.session_state["classes-gradient"] = True
    page = sound(page.run())
    assert "of all push" in spoken(page)
    assert "Cross-entropy reads class logits, not pairs" in " ".join(caption.value for caption in page.caption)
