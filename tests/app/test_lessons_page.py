"""The lessons page by Streamlit's own test runner: list, predict, run, graded, and the ways out."""

import json
import re
from urllib.parse import parse_qs, urlsplit

import nbformat
import pytest
from streamlit.testing.v1 import AppTest

from app.address import PANELS, from_query
from app.lesson import Lesson, Place, Question
from app.lesson_file import lessons
from app.lesson_grade import course, grade
from app.lesson_trials import Measured
from app.notebook import MODULES, file_name, notebook
from app.views.lessons import parts
from components.widgets import drawn_curve
from tests.app.boards import LocalBoards
from tests.app.drawn import press, sound

LESSONS = lessons()
FIRST = LESSONS[0]
SCRIPT = "from app.views import lessons\nlessons.page()\n"


def opened(slug: str | None) -> AppTest:
    page = AppTest.from_string(SCRIPT, default_timeout=120)
    if slug is not None:
        page.query_params["lesson"] = slug
    return sound(page.run())


def words(page: AppTest) -> str:
    return "\n".join(
        part.value for kind in ("markdown", "caption", "info", "success", "warning") for part in page.get(kind)
    )


def test_the_list_opens_each_lesson(boards: LocalBoards) -> None:
    page = opened(None)
    text = words(page)
    for lesson in LESSONS:
        assert f"**{lesson.number}. {lesson.title}**" in text
    page = press(page, f"open-{FIRST.slug}")
    assert page.query_params["lesson"] == FIRST.slug
    assert f"### {FIRST.number}. {FIRST.title}" in words(page)
    page = press(page, "all-lessons")
    assert "lesson" not in page.query_params
    assert "### Lessons" in words(page)


def test_a_link_to_no_lesson_lists_those_there_are(boards: LocalBoards) -> None:
    page = opened("alchemy")
    assert "no lesson called 'alchemy'; known: what-temperature-does" in words(page)
    assert f"**{FIRST.number}. {FIRST.title}**" in words(page)


def test_predict_run_and_be_graded(boards: LocalBoards) -> None:
    page = opened(FIRST.slug)
    assert not page.get("vega_lite_chart")  # nothing is shown before the run
    ask = page.slider(key=f"lesson-{FIRST.slug}-ask-negatives")
    sound(ask.set_value(45.0).run())
    page = press(page, "commit-negatives")
    assert "Your answer: **45**" in words(page)
    sound(page.radio(key=f"lesson-{FIRST.slug}-ask-even").set_value("simple").run())
    page = press(page, "commit-even")
    page = press(page, "lesson-show")
    text = words(page)
    assert re.search(r"Near: you said 45\. Measured, .*\*\*39|Near: you said 45\. Measured, .*\*\*4\d", text)
    assert "You said simple; it is **hard**." in text
    assert re.search(r"simple 1\.[56]\d* \[", text)
    assert len(page.get("vega_lite_chart")) == len(FIRST.panels) - 1  # the map is another kind of chart
    assert boards.players == {}  # the recording trains nothing
    page = press(page, "lesson-again")
    assert not page.get("vega_lite_chart")
    assert "Your answer" not in words(page)


def test_run_it_here_trains_the_lessons_runs_and_says_what_came_out(boards: LocalBoards) -> None:
    page = press(opened(FIRST.slug), "lesson-live")
    (player,) = boards.players.values()
    assert [lane.config for lane in player.state().lanes] == [run.config for run in FIRST.runs]
    assert player.told[0] == ("run_until", {"step": FIRST.steps})
    player.step(2)
    page = sound(page.run())
    assert "Trained here" not in words(page)
    page = sound(page.select_slider(key=f"lesson-{FIRST.slug}-if-temperature").set_value(0.01).run())
    assert ("what_if", player.state().lanes[0].id, {"temperature": 0.01}) in player.told


def test_a_full_server_says_so_and_offers_the_recording(boards: LocalBoards) -> None:
    boards.full = "All places are taken."
    page = press(opened(FIRST.slug), "lesson-live")
    assert "All places are taken. The recording shows the same runs." in words(page)
    assert f"**{len(FIRST.title)}" not in words(page)


def test_a_reader_sees_the_place_in_the_line_and_trains_when_it_is_their_turn(boards: LocalBoards) -> None:
    boards.line = [2, 2, 1]
    page = press(opened(FIRST.slug), "lesson-live")
    assert "You are **number 2** of those who wait" in words(page)
    assert page.get("vega_lite_chart")  # the recording meanwhile
    assert boards.players == {}
    page = sound(page.run())
    assert "You are **number 1** of those who wait" in words(page)
    page = sound(page.run())
    (player,) = boards.players.values()
    assert player.told[0] == ("run_until", {"step": FIRST.steps})
    assert "of those who wait" not in words(page)


def test_the_presenter_turns_pages(boards: LocalBoards) -> None:
    slides = parts(FIRST)
    assert sum(len(slide) for slide in slides) == len(FIRST.body)
    page = opened(FIRST.slug)
    page = sound(page.toggle(key="presenter").set_value(True).run())
    assert f"1 of {len(slides)}" in words(page)
    assert page.button(key="slide-back").disabled
    for number in range(2, len(slides) + 1):
        page = press(page, "slide-next")
        assert f"{number} of {len(slides)}" in words(page)
    assert page.button(key="slide-next").disabled
    page = press(page, "slide-back")
    assert f"{len(slides) - 1} of {len(slides)}" in words(page)


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.slug)
def test_the_lab_opens_with_the_same_runs(boards: LocalBoards, lesson: Lesson) -> None:
    page = press(opened(lesson.slug), "lesson-show")
    found = [re.search(r'href="([^"]+)"', part.proto.body) for part in page.get("html")]
    (href,) = [match[1] for match in found if match]
    setup, problems = from_query(parse_qs(urlsplit(href.replace("&amp;", "&")).query))
    assert problems == ()
    shown = [run.config for run in lesson.runs if run.config in setup.lanes]
    assert list(setup.lanes) == shown
    left_out = [run.name for run in lesson.runs if run.config not in setup.lanes]
    assert [name for name in left_out if f"Without {', '.join(left_out)}:" not in words(page)] == []
    shared = {(run.config.data, run.config.pairing, run.config.encoder, run.config.sampler) for run in lesson.runs}
    assert bool(left_out) == (len(shared) > 1)
    assert setup.panels == lesson.panels


def test_a_notebook_can_draw_every_panel() -> None:
    assert set(MODULES) == set(PANELS)


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.slug)
def test_the_notebook_is_valid_and_holds_the_lesson(lesson: Lesson) -> None:
    made = nbformat.reads(notebook(lesson), as_version=4)
    nbformat.validate(made)
    assert file_name(lesson).endswith(f"{lesson.slug}.ipynb")
    code = [cell.source for cell in made.cells if cell.cell_type == "code"]
    assert sum(".figure(" in cell for cell in code) == sum(
        isinstance(part, Place) and part.kind == "panel" for part in lesson.body
    )
    for cell in code:
        compile(cell, lesson.slug, "exec")
    configs = json.loads(re.search(r'r"""(.*)"""', code[0], re.DOTALL)[1])  # type: ignore[index]
    assert configs == {run.name: json.loads(run.config.to_json()) for run in lesson.runs}


NUMBER = Question("q", "?", "auc", FIRST.runs[0].name, 0.0, 1.0, 0.1)
CHOICE = Question("q", "?", "auc")


def numbers(*columns: list[float]) -> Measured:
    values = {run.name: {"auc": column} for run, column in zip(FIRST.runs, columns, strict=True)}
    return Measured(values, (0, 1, 2), 1.0, "x")


FLAT = numbers([0.5, 0.5, 0.5], [0.9, 0.9, 0.9], [0.6, 0.9, 1.1], [float("nan")] * 3)


@pytest.mark.parametrize(("answer", "right"), [(0.5, True), (0.41, True), (0.59, True), (0.39, False), (0.61, False)])
def test_a_number_is_near_within_what_the_question_allows(answer: float, right: bool) -> None:
    found = grade(FIRST, NUMBER, answer, FLAT)
    assert found.right == right
    assert found.words.startswith("Near: you said" if right else "Far: you said")


def test_a_choice_is_right_if_it_cannot_be_told_from_the_best() -> None:
    best, level, low = FIRST.runs[1].name, FIRST.runs[2].name, FIRST.runs[0].name
    assert grade(FIRST, CHOICE, best, FLAT).right
    assert grade(FIRST, CHOICE, level, FLAT).words.startswith(f"{level} is not distinguishable from **{best}**")
    assert grade(FIRST, CHOICE, level, FLAT).right
    assert not grade(FIRST, CHOICE, low, FLAT).right
    assert not grade(FIRST, CHOICE, FIRST.runs[3].name, FLAT).right
    assert grade(FIRST, CHOICE, None, FLAT).words.startswith(f"The highest is **{best}**")


COURSE = Question("course", "?", "auc", FIRST.runs[0].name, 0.5, 1.0, 0.05, (0, 50, 100))
LOGGED = Measured(
    {FIRST.runs[0].name: {"auc@0": [0.5, 0.5, 0.5], "auc@50": [0.7, 0.8, 0.9], "auc@100": [0.9, 0.9, 0.9]}},
    (0, 1, 2),
    1.0,
    "x",
)
# Mean 0.8 and deviation 0.1 of three: 0.8 +- 0.248414. Over three steps the reach is 0.082805 in the mean.


def test_the_measured_curve_by_hand() -> None:
    found = course(COURSE, LOGGED)
    assert found.mean == pytest.approx((0.5, 0.8, 0.9))
    assert found.low == pytest.approx((0.5, 0.8 - 0.248414, 0.9), abs=1e-6)
    assert found.high == pytest.approx((0.5, 0.8 + 0.248414, 0.9), abs=1e-6)


@pytest.mark.parametrize(
    ("drawn", "right", "words"),
    [
        ((0.5, 0.8, 0.9), True, "Near: your curve lies **0** from"),
        # 0.132 in the mean is near (0.05 + 0.0828 = 0.1328), 0.134 is far.
        ((0.5, 0.8, 0.504), True, "Near: your curve lies **0.13** from"),
        ((0.5, 0.8, 0.498), False, "Far: your curve lies **0.13** from"),
        (
            (0.9, 0.7, 0.8),
            False,
            "Far: your curve lies **0.2** from the measured one (share of pairs; mean over 3 steps; up ",
        ),
    ],
)
def test_a_curve_is_graded_by_its_mean_distance(drawn: tuple[float, ...], right: bool, words: str) -> None:
    found = grade(FIRST, COURSE, drawn, LOGGED)
    assert found.right == right
    assert found.words.startswith(words)


def test_a_curve_is_told_where_it_was_off_most() -> None:
    words = grade(FIRST, COURSE, (0.9, 0.7, 0.8), LOGGED).words
    assert "up to 0.13 is near, 0.083 of it the spread over seeds" in words
    assert "off most at step 0: you drew 0.9, measured 0.5 [0.5, 0.5]" in words
    assert words.endswith("0.5 at step 0, 0.8 at step 50, 0.9 at step 100.")
    assert grade(FIRST, COURSE, None, LOGGED).words.startswith("Measured, AUC of seen classes (share of pairs): 0.5 at")
    missing = Measured(
        {FIRST.runs[0].name: {**LOGGED.values[FIRST.runs[0].name], "auc@50": [float("nan")] * 3}}, (0, 1, 2), 1.0, "x"
    )
    assert "not defined at each of these steps" in grade(FIRST, COURSE, (0.5, 0.8, 0.9), missing).words


@pytest.mark.parametrize(
    ("held", "heights"),
    [
        ({"values": [0.25, 2, -1]}, (0.25, 1.0, 0.0)),
        ({"values": [0.25, 0.5]}, None),
        ({"values": [0.25, "high", 0.5]}, None),
        ({"values": [0.25, float("nan"), 0.5]}, None),
        ({}, None),
        (None, None),
    ],
)
def test_what_a_browser_sends_is_held_within_the_frame(held: object, heights: tuple[float, ...] | None) -> None:
    assert drawn_curve.sent(drawn_curve.Frame("auc", "share", (0, 10, 20), 0.0, 1.0), held) == heights


def test_a_curve_is_given_by_numbers_kept_and_graded(boards: LocalBoards) -> None:
    (asked,) = [question for question in FIRST.questions if question.steps]
    page = opened(FIRST.slug)
    for step in asked.steps:
        page = sound(page.number_input(key=f"lesson-{FIRST.slug}-ask-{asked.name}-{step}").set_value(0.9).run())
    page = press(page, f"commit-{asked.name}")
    assert "Your answer: **0.9 at step 0, 0.9 at step 20, " in words(page)
    page = press(page, "lesson-show")
    assert "It is off most at step 0: you drew 0.9, measured 0.7" in words(page)
    assert "Dashed: your curve. Line and band: mean over 5 seeds" in words(page)
