"""The catalogue by Streamlit's own test runner, with a side worker of this process."""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from streamlit.testing.v1 import AppTest

from app import background, loss_facts, startup
from app.address import from_query
from app.background import LOST, Questions
from app.views import catalogue
from components.widgets import loss_card
from models import facts
from models.catalogue import discover
from models.engine import comparisons
from models.objective import refusal
from models.training.dataset import build
from tests.app.boards import LocalBoards
from tests.app.drawn import press, sound

LOSSES = {key: module.SPEC for key, module in discover("losses").items()}
SCRIPT = "from app.views import catalogue\ncatalogue.page()\n"
CURVE = {"grid": [-1.0, 1.0], "pull": [-1.0, 0.0], "push": [0.0, 0.5], "axis": "cosine", "why_not": ""}


class Future:
    """What a side worker gives back."""

    def __init__(self, status: str, value: Any = None) -> None:
        self.status, self.value = status, value

    def result(self, timeout: float) -> Any:
        assert timeout > 0
        return self.value

    def exception(self) -> Exception:
        return ValueError("no room")


class LocalEngine:
    """Does what is submitted at once, unless told to be busy or broken; `asked` lists what it was."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.status = "finished"

    def submit(self, work: Callable[..., Any], *arguments: Any, priority: int = 0) -> Future:
        self.asked.append(work.__name__)
        assert (priority < 0) == (work is comparisons.facts)  # nobody waits for a measurement
        if self.status != "finished":
            return Future(self.status)
        if work is comparisons.facts:
            return Future("finished", {key: {"ms": 2.0, "why_no_cost": "", "curve": CURVE} for key in arguments[0]})
        if work is comparisons.compare_frozen:  # the same numbers every time: trained once for all tests
            return Future("finished", _frozen(*arguments))
        return Future("finished", work(*arguments))


@lru_cache
def _frozen(config: str, step: int, keys: tuple[str, ...]) -> Any:
    return comparisons.compare_frozen(config, step, keys)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> LocalEngine:
    here, asked = LocalEngine(), Questions()
    store: facts.Facts = {}
    monkeypatch.setattr(startup, "engine", lambda: here)
    for module in (background, loss_facts):
        monkeypatch.setattr(module, "questions", lambda: asked)
    monkeypatch.setattr("app.views.catalogue_batch.questions", lambda: asked)
    monkeypatch.setattr(loss_facts, "_store", lambda: store)
    monkeypatch.setattr(facts, "save", lambda settings, found: None)
    return here


@pytest.fixture
def page(boards: LocalBoards, engine: LocalEngine) -> AppTest:
    return AppTest.from_string(SCRIPT, default_timeout=120)


def cards(page: AppTest) -> list[str]:
    """Keys of the losses whose cards are drawn."""
    heads = (re.match(r"\*\*.+?\*\* `([^`]+)`", part.value) for part in page.markdown)
    return [head.group(1) for head in heads if head]


def show_all(page: AppTest) -> AppTest:
    while any(button.key == "catalogue-more" for button in page.button):
        press(page, "catalogue-more")
    return page


def test_every_loss_is_a_card(page: AppTest) -> None:
    shown = cards(show_all(sound(page.run())))
    assert sorted(shown) == sorted(LOSSES)
    ours = [key for key in shown if ":" not in key]
    assert shown[: len(ours)] == ours


def test_a_card_says_all_that_a_loss_says_of_itself(page: AppTest) -> None:
    sound(page.run())
    page.text_input(key="catalogue-search").set_value("infonce van den oord")
    sound(page.run())
    text = "\n".join(part.value for part in page.markdown)
    spec = LOSSES["infonce"]
    knob = spec.knobs[0]
    for part in (
        spec.formula, spec.when, spec.pitfall, spec.convention, spec.paper.authors, spec.paper.title, "equation 4",
        "2018", spec.paper.status, *spec.relations, knob.name, knob.allowed(),
        *(level.sentence for level in spec.levels),
    ):  # fmt: skip
        assert part in text


@pytest.mark.parametrize("key", sorted(LOSSES))
def test_no_status_is_hidden(key: str) -> None:
    spec = LOSSES[key]
    assert spec.paper.status in loss_card.details(spec)
    assert f":small[{spec.paper.status}]" in loss_card.head(key, spec)  # in sight before anything is opened
    assert loss_card.status_of(spec) in (*loss_card.STATUS, loss_card.OTHER_STATUS)
    assert (loss_card.status_of(spec) == loss_card.OTHER_STATUS) == (":" in key)
    assert spec.family in loss_card.FAMILIES


@pytest.mark.parametrize(
    ("widget", "value", "passes"),
    [
        ("catalogue-shape", "real", lambda spec: spec.target == "real"),
        ("catalogue-shape", "graded", lambda spec: spec.graded),
        ("catalogue-status", "unverified", lambda spec: spec.paper.status.startswith("unverified")),
        ("catalogue-family", ["proxy", "triplet"], lambda spec: spec.family in ("proxy", "triplet")),
        ("catalogue-years", (2024, 2025), lambda spec: spec.paper.year >= 2024),
    ],
)
def test_a_filter_leaves_what_passes_it(page: AppTest, widget: str, value: Any, passes: Callable[[Any], bool]) -> None:
    sound(page.run())
    kinds = [*page.selectbox, *page.select_slider, *page.button_group]
    next(one for one in kinds if one.key == widget).set_value(value)
    shown = cards(show_all(sound(page.run())))
    assert 0 < len(shown) < len(LOSSES)
    assert set(shown) == {key for key, spec in LOSSES.items() if passes(spec)}


def test_words_are_searched_on_the_whole_card(page: AppTest) -> None:
    assert catalogue.matches("infonce", LOSSES["infonce"], "OORD temperature")
    assert catalogue.matches("infonce", LOSSES["infonce"], "")
    assert not catalogue.matches("infonce", LOSSES["infonce"], "oord nonesuch")
    sound(page.run())
    page.text_input(key="catalogue-search").set_value("nonesuch")
    sound(page.run())
    assert cards(page) == []
    assert len(page.info) == 1


@pytest.mark.parametrize("key", sorted(LOSSES))
def test_a_link_opens_the_lab_beside_infonce(key: str) -> None:
    spec = LOSSES[key]
    link = loss_card.lab_link(key, spec.target)
    assert urlsplit(link).path == "/"
    setup, problems = from_query(parse_qs(urlsplit(link).query))
    assert problems == ()
    wanted = ["infonce", key] if key != "infonce" else ["infonce"]
    assert [lane.loss.key for lane in setup.lanes] == wanted
    data = build(setup.base.data, seed=0)
    assert refusal(spec, data.seen_classes, data.context(8).offers) == ""


@pytest.mark.parametrize("key", sorted(key for key, spec in LOSSES.items() if spec.cost))
def test_a_card_says_why_a_step_costs_much(key: str) -> None:
    assert f"**Cost.** {LOSSES[key].cost}" in loss_card.details(LOSSES[key])
    assert LOSSES[key].cost.endswith(".")


def test_the_dearest_losses_say_why() -> None:
    assert {key for key, spec in LOSSES.items() if spec.cost} >= {"adameow", "amcl", "supremix", "meow"}


def test_a_plain_link_is_as_short_as_can_be() -> None:
    assert loss_card.lab_link("triplet", "class") == "/?lane=infonce&lane=triplet"


def test_the_cost_is_told_beside_that_of_infonce() -> None:
    fact = {"ms": 3.0, "why_no_cost": "", "curve": CURVE}
    assert loss_card.cost(fact, 2.0) == "A step costs 3 ms, 1.5 × InfoNCE"
    assert "3 ms" not in loss_card.cost(fact, None)  # a number of milliseconds alone says nothing of a loss
    assert "being measured" in loss_card.cost(fact, None)
    assert "being measured" in loss_card.cost(None, 2.0)
    assert loss_card.cost({"ms": None, "why_no_cost": "a < b"}, 2.0) == "Cost of a step not measured: a &lt; b"


def test_a_formula_is_broken_where_it_defines_something_besides() -> None:
    lines = loss_card.formula_lines(r"-\log x,\quad x=\tfrac{a,b}2,\ a=1")
    assert lines == [r"-\log x,", r"x=\tfrac{a,b}2,\ \allowbreak a=1"]
    assert loss_card.formula_lines("a-b") == ["a-b"]


@pytest.mark.parametrize("key", sorted(key for key in LOSSES if ":" not in key))
def test_every_line_of_a_formula_stands_alone(key: str) -> None:
    """Braces and left-right pairs close where they open: no line is cut inside a group."""
    spec = LOSSES[key]
    lines = loss_card.formula_lines(spec.formula)
    for line in lines:
        assert line
        assert line.count("{") == line.count("}")
        assert line.count(r"\left") == line.count(r"\right")
        assert f"$$\n{line}\n$$" in loss_card.head(key, spec)


def test_all_losses_on_a_frozen_batch(page: AppTest, engine: LocalEngine) -> None:
    sound(page.run())
    page.button_group(key="catalogue-view").set_value(catalogue.BATCH)
    sound(page.run())
    (table,) = page.dataframe
    read = {key for key, spec in LOSSES.items() if spec.reads == "scores" and ":" not in key}
    assert set(table.value["loss"]) == {LOSSES[key].name for key in read}
    assert len(page.get("plotly_chart")) == 1
    assert any(f"{len(read)} losses at their default knobs" in part.value for part in page.caption)
    page.button_group(key="catalogue-kind").set_value("negatives")
    sound(page.run())
    assert engine.asked.count("compare_frozen") == 1  # another look at the same answer


def test_the_first_batch_is_asked_for_while_cards_are_read(page: AppTest, engine: LocalEngine) -> None:
    sound(page.run())
    assert engine.asked.count("compare_frozen") == 1
    page.button_group(key="catalogue-view").set_value(catalogue.BATCH)
    sound(page.run())
    assert engine.asked.count("compare_frozen") == 1
    assert len(page.dataframe) == 1


def test_a_live_lane_is_a_batch_too(page: AppTest, boards: LocalBoards, engine: LocalEngine) -> None:
    boards.create(from_query({"lane": ["triplet"]})[0].lanes)
    page.query_params["live"] = "board0"
    sound(page.run())
    page.button_group(key="catalogue-view").set_value(catalogue.BATCH)
    sound(page.run())
    assert page.selectbox(key="catalogue-source").options[0] == "Lab, lane A now (Triplet)"
    page.selectbox(key="catalogue-source").select_index(0)
    sound(page.run())
    assert engine.asked.count("compare_batch") == 1
    press(page, "catalogue-again")
    assert engine.asked.count("compare_batch") == 2
    assert len(page.dataframe) == 1


def test_what_is_pending_and_what_failed_is_told(page: AppTest, engine: LocalEngine) -> None:
    engine.status = "pending"
    sound(page.run())
    assert len(cards(page)) == catalogue.PAGE_OF
    page.button_group(key="catalogue-view").set_value(catalogue.BATCH)
    sound(page.run())
    assert ["losses are read" in part.value for part in page.info] == [True]


def test_a_failure_is_told_and_can_be_tried_again(page: AppTest, engine: LocalEngine) -> None:
    engine.status = "error"
    sound(page.run())
    assert ["no room" in part.value for part in page.warning] == [True]
    page.button_group(key="catalogue-view").set_value(catalogue.BATCH)
    sound(page.run())
    assert ["no room" in part.value for part in page.error] == [True]
    engine.status = "finished"
    press(page, "catalogue-retry")
    assert len(page.dataframe) == 1


def test_a_question_is_asked_once_and_a_lost_one_told(engine: LocalEngine) -> None:
    asked = Questions()
    first, again = (asked.ask("x", max, lambda: (1, 2)) for _ in range(2))
    assert (first.value, again.value, engine.asked) == (2, 2, ["max"])
    engine.status = "lost"
    assert asked.ask("y", max, lambda: (1, 2)).problem == LOST
    asked.forget("y")
    engine.status = "finished"
    assert asked.ask("y", max, lambda: (1, 2)).value == 2
    for number in range(background.KEPT):
        asked.ask(number, max, lambda: (1, 2))
    asked.ask("x", max, lambda: (1, 2))
    assert len(engine.asked) == background.KEPT + 4  # x, the oldest, was asked anew
