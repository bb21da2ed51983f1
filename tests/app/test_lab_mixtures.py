"""Mixtures on the lab page: typed, built, turned while training, drawn by their panel, and kept in the link."""

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from app.address import DEFAULT_PANELS, PRESETS
from app.views import lab_mixtures
from components.panels import mixture
from models.catalogue import discover, find
from models.training.config import Event, Part, RunConfig, part_knobs
from tests.app.boards import LocalBoards
from tests.app.drawn import Opener, press, sound, statuses, widgets

SMALL = {"encoder__dim": "8", "encoder__width": "16", "sampler__batch": "32"}
KEY = "mix:infonce+triplet"


def configs(boards: LocalBoards) -> list[RunConfig]:
    return [lane.config for lane in boards.players["board0"].state().lanes]


def box(page: AppTest, key: str) -> Any:
    return next(found for found in page.selectbox if str(found.key).startswith(key))


def typed(page: AppTest, text: str) -> AppTest:
    """What the browser sends when somebody types into the box that adds a lane; the test runner knows options only."""
    found = box(page, "add-")
    found.options = [*found.options, text]
    return sound(found.set_value(text).run())


def chosen(page: AppTest, number: int, name: str) -> AppTest:
    found = next(found for found in page.selectbox if str(found.key).startswith("mix-") and str(number) in found.key)
    return sound(found.select_index(list(found.options).index(name)).run())


def panels(page: AppTest) -> list[str]:
    """Panels on the page, by their titles."""
    titles = {"**Mixture**": "mixture", "**Curves**": "curves"}
    return [titles[part.value] for part in page.markdown if part.value in titles]


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("infonce + triplet", ["infonce", "triplet"]),
        ("InfoNCE+SupCon + circle", ["infonce", "supcon", "circle"]),
        (" Multi-Similarity ", ["multi_similarity"]),
        ("mix:infonce+infonce", ["infonce", "infonce"]),
    ],
)
def test_names_are_read_as_they_are_typed(text: str, keys: list[str]) -> None:
    assert lab_mixtures.read(text) == keys


def test_what_is_not_known_is_named() -> None:
    with pytest.raises(ValueError, match="no loss is called 'nonesuch': type a name from the list"):
        lab_mixtures.read("infonce + nonesuch")
    with pytest.raises(ValueError, match="no loss is called ''"):
        lab_mixtures.read("infonce +")
    with pytest.raises(ValueError, match="they cannot be added"):
        lab_mixtures.part(["infonce", "arcface"])


def test_terms_start_with_their_presets() -> None:
    made = lab_mixtures.part(["infonce", "triplet", "triplet"], {"triplet_2": 0.5})
    assert made.key == "mix:infonce+triplet+triplet"
    assert made.values == {
        "triplet.reduction": "mean_active", "triplet_2.reduction": "mean_active", "triplet_2.weight": 0.5,
    }  # fmt: skip
    assert lab_mixtures.part(["triplet"]) == PRESETS["triplet"]
    assert lab_mixtures.part(["supcon"]) == Part("supcon")


def test_a_knob_says_whose_it_is_and_weights_come_first() -> None:
    key = "mix:infonce+infonce"
    knobs = lab_mixtures.weights_first(part_knobs("loss", key))
    assert [knob.name for knob in knobs][:2] == ["infonce.weight", "infonce_2.weight"]
    shown = [lab_mixtures.labelled(key, knob) for knob in knobs]
    assert [knob.name for knob in shown] == [
        "InfoNCE: weight", "InfoNCE 2: weight", "InfoNCE: temperature", "InfoNCE 2: temperature",
    ]  # fmt: skip
    assert all(knob.log for knob in shown)
    plain = part_knobs("loss", "triplet")
    assert [lab_mixtures.labelled("triplet", knob) for knob in plain] == list(plain)
    mixed, alone = RunConfig(loss=Part("mix:infonce+circle")), RunConfig()
    assert (lab_mixtures.terms(mixed), lab_mixtures.terms(alone)) == (2, 0)


def test_only_what_can_be_added_is_offered() -> None:
    reads = {key: module.SPEC.reads for key, module in discover("losses").items() if module.SPEC.target == "class"}
    with_infonce = {key for key in reads if lab_mixtures.can_be_added(["infonce", key])}
    assert with_infonce == {key for key, kind in reads.items() if kind == "scores"}
    assert lab_mixtures.can_be_added(["preference"])
    assert not lab_mixtures.can_be_added(["cross_entropy", "two_hot"])


def test_a_typed_mixture_is_a_lane_with_a_panel_and_a_link(opened: Opener, boards: LocalBoards) -> None:
    page = press(opened(lane="infonce", **SMALL), "step")
    assert panels(page) == ["curves"]
    page = typed(page, "infonce + triplet")
    assert [config.loss.key for config in configs(boards)] == ["infonce", KEY]
    assert configs(boards)[1].loss["triplet.reduction"] == "mean_active"
    assert panels(page) == ["curves", "mixture"]
    assert len(page.get("vega_lite_chart")) == len(DEFAULT_PANELS)  # all but the map, and this one
    assert any(part.value.startswith(":orange-badge[B] At step 1 gradient norms infonce") for part in page.caption)
    assert page.query_params["lane"] == ["infonce", f"{KEY};triplet.reduction=mean_active"]
    assert "panels" not in page.query_params
    page = press(page, "remove-lane-1")
    assert panels(page) == ["curves"]


def test_one_name_that_is_typed_is_that_loss(opened: Opener, boards: LocalBoards) -> None:
    typed(press(opened(lane="infonce", **SMALL), "step"), "supcon")
    assert [config.loss.key for config in configs(boards)] == ["infonce", "supcon"]


@pytest.mark.parametrize(
    ("text", "words"), [("infonce + nope", "no loss is called 'nope'"), ("infonce+arcface", "they cannot be added")]
)
def test_what_cannot_be_typed_is_a_message(opened: Opener, boards: LocalBoards, text: str, words: str) -> None:
    page = typed(press(opened(lane="infonce", panels="roc", **SMALL), "step"), text)
    assert [words in error.value for error in page.error] == [True]
    assert [config.loss.key for config in configs(boards)] == ["infonce"]
    assert box(page, "add-").value is None  # an empty box again


def test_a_mixture_is_built_from_boxes_and_sliders(opened: Opener, boards: LocalBoards) -> None:
    page = press(opened(lane="infonce", panels="roc", **SMALL), "step")
    page.session_state["menu-mix"] = True
    page = chosen(sound(page.run()), 0, "SupCon")
    second = next(
        found for found in page.selectbox if str(found.key).startswith("mix-") and found.key.endswith("supcon")
    )
    assert "ArcFace" not in second.options
    assert "SupCon" not in second.options
    page = sound(second.select_index(list(second.options).index("Triplet")).run())
    weight = next(found for found in page.select_slider if str(found.key).endswith("-triplet"))
    assert (weight.label, weight.value) == ("Triplet: weight", 1.0)
    quarter = min((float(stop) for stop in weight.options), key=lambda stop: abs(stop - 0.25))
    page = sound(weight.set_value(quarter).run())
    press(page, "mix-add")
    (_, mixed) = configs(boards)
    assert mixed.loss.key == "mix:supcon+triplet"
    assert (mixed.loss["supcon.weight"], mixed.loss["triplet.weight"]) == (1.0, quarter)


def test_weights_and_knobs_are_turned_while_it_trains(opened: Opener, boards: LocalBoards) -> None:
    page = press(opened(lane=KEY, panels="mixture", **SMALL), "step20")
    drawn = [widget for widget in widgets(page) if str(widget.key).startswith("knob-")]
    assert [widget.label for widget in drawn if "weight" in widget.label] == ["InfoNCE: weight", "Triplet: weight"]
    assert len(drawn) == len(find("losses", KEY).SPEC.knobs)
    before = next(part.value for part in page.caption if "gradient norms" in part.value)
    weight = next(widget for widget in drawn if widget.label == "Triplet: weight")
    page = sound(weight.set_value(0.0).run())
    assert configs(boards)[0].events == (Event(20, "loss.triplet.weight", 0.0),)
    told = next(part.value for part in page.caption if "gradient norms" in part.value)
    assert "triplet 0;" in told
    assert told != before
    assert statuses(page) == ["paused"]
    lane = page.query_params["lane"]
    again = opened(lane=lane, panels="mixture", **SMALL)
    assert [lane.config for lane in boards.players["board1"].state().lanes] == configs(boards)
    assert any("InfoNCE + Triplet" in part.value for part in again.markdown)


def test_without_a_mixture_the_panel_says_so_in_one_line(opened: Opener) -> None:
    page = press(opened(lane="infonce", panels="mixture", **SMALL), "step")
    assert [part.value for part in page.caption].count(mixture.NONE) == 1
    assert page.get("vega_lite_chart") == []
    page.session_state["menu-mixture"] = True
    sound(page.run())
    page.toggle(key="table-mixture").set_value(True)
    sound(page.run())
    assert page.dataframe[0].value["term"].tolist() == ["no mixture"]


def test_a_mixture_with_a_method_says_what_cannot_be_measured(opened: Opener) -> None:
    page = press(opened(lane=f"{KEY};methods.queue;methods.queue.size=64", panels="mixture", **SMALL), "step")
    assert any(mixture.UNMEASURED[1:] in part.value for part in page.caption)
    assert any("**InfoNCE + Triplet + Momentum queue**" in part.value for part in page.markdown)


def test_the_recording_goes_live_with_a_mixture(opened: Opener, boards: LocalBoards) -> None:
    page = typed(opened(), "InfoNCE + triplet")
    assert [config.loss.key for config in configs(boards)] == ["infonce", "triplet", KEY]
    assert panels(page) == ["curves", "mixture"]
