"""The lab page by Streamlit's own test runner: every form, every loss, every data set, with runs of this process."""

from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from app import startup
from app.address import DEFAULT_PANELS, MAX_LANES, PANELS
from app.live import Lab
from app.views import lab as lab_page
from app.views import lab_panels
from models.catalogue import discover
from models.objective import refusal
from models.training.config import OPTIMISERS, SAMPLERS
from tests.app.boards import PLAYED, LocalBoards
from tests.app.drawn import Opener, pick, press, sound, statuses, table, widgets
from tests.conftest import ROOT

SPEEDS = {"1 step/s": 1.0, "5 steps/s": 5.0, "20 steps/s": 20.0, "100 steps/s": 100.0, "full speed": None}
LOSSES = {key: module.SPEC for key, module in discover("losses").items()}
# Of another library some: all come through one adapter, and the page knows no loss. One with pairs, one with triplets,
# one whose value is that of a histogram.
LIBRARY = ("pml:SupConLoss", "pml:TripletMarginLoss", "pml:HistogramLoss")
DATA = {
    "class": "digits",
    "binary": "faces",
    "real": "rotation",
    "multilabel": "scenes",
    "preference": "choices",
}  # that a loss of this target can be trained on


def test_what_is_being_prepared_is_shown_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(startup, "warm", lambda: None)
    monkeypatch.setattr(startup, "ready", lambda: False)
    monkeypatch.setattr(
        startup, "progress", lambda: (("Loading torch", True), ("Starting the training workers", False))
    )
    monkeypatch.setattr(startup, "failure", lambda: "Starting the training workers failed: no port")
    page = sound(AppTest.from_file(str(ROOT / "app" / "main.py"), default_timeout=120).run())
    said = [part.value for part in page.markdown]
    assert any("check" in text and "Loading torch" in text for text in said)
    assert any("hourglass" in text and "training workers" in text for text in said)
    assert [error.value for error in page.error] == ["Starting the training workers failed: no port"]


def test_the_page_opens_on_the_recording(opened: Opener, boards: LocalBoards) -> None:
    page = opened()
    assert statuses(page) == ["recording", "recording"]
    assert all(row[-1] == "recorded" for row in table(page))
    assert boards.players == {}
    assert dict(page.query_params) == {}
    assert page.button(key="reset").disabled
    assert len(page.get("vega_lite_chart")) == len(DEFAULT_PANELS) - 1
    assert len(page.get("echarts_chart")) == 1
    linked = " ".join(part.proto.body for part in page.get("html"))
    assert 'href="lessons?lesson=what-temperature-does"' in linked
    assert 'href="diagnose?sample=embeddings"' in linked


def test_play_goes_live_and_pause_pauses(opened: Opener, boards: LocalBoards) -> None:
    page = press(opened(), "play")
    assert statuses(page) == ["running", "running"]
    assert [row[1] for row in table(page)] == [str(PLAYED)] * 2
    assert page.query_params["live"] == "board0" or page.query_params["live"] == ["board0"]
    page = press(page, "pause")
    assert statuses(page) == ["paused", "paused"]
    assert [command[0] for command in boards.players["board0"].told] == ["play", "pause"]


def test_a_key_that_two_buttons_hear_presses_the_one_that_shows(opened: Opener, boards: LocalBoards) -> None:
    """The browser keeps the button that went for a while, hidden, and sends its presses too."""
    page = press(opened(), "play")
    both = page.session_state["page"]
    assert both.drive == "Pause"
    lab = Lab.__new__(Lab)
    lab.page = both
    for shown, told in (("Pause", ["play", "pause"]), ("Play", ["play", "pause", "play"])):
        both.drive = shown
        for name in ("Play", "Pause", "Play"):
            lab_page._press(lab, name)
            both.drive = "neither" if name == shown else both.drive  # as drawn anew, it is another
        assert [command[0] for command in boards.players["board0"].told] == told


def test_step_and_step_twenty_train_so_many(opened: Opener) -> None:
    page = press(press(opened(), "step"), "step20")
    assert [row[1] for row in table(page)] == ["21", "21"]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"seed": "-1"}, ["seed=-1"]),
        ({"data": "mnist9000", "seed": "4"}, ["data=mnist9000"]),
        ({"panels": "roc,scroes"}, ["panels=scroes"]),
        ({"lane": ["infonce;temperature=abc", "nonesuch"]}, ["temperature=abc", "lane=nonesuch"]),
        ({"encoder": "<script>", "optimiser__rate": "1e9", "colour": "blue"}, ["<script>", "rate=1e9", "colour=blue"]),
        ({"lane": "infonce;5@loss.temperature=9"}, ["5@loss.temperature=9"]),
    ],
)
def test_a_bad_link_costs_one_message_a_field(opened: Opener, query: dict[str, Any], words: list[str]) -> None:
    page = opened(**query)
    told = [warning.value for warning in page.warning]
    assert len(told) == len(words)
    assert all(any(word in text for text in told) for word in words), told
    assert set(statuses(page)) == {"ready"}


def test_a_link_restores_lanes_data_seed_and_panels(opened: Opener, boards: LocalBoards) -> None:
    query = {
        "lane": ["supcon;temperature=0.2", "triplet;margin=0.3"],
        "data": "clusters",
        "seed": "9",
        "panels": "roc,spectrum",
        "sampler__batch": "64",
    }
    page = opened(**query)
    configs = [lane.config for lane in boards.players["board0"].state().lanes]
    assert [config.loss.key for config in configs] == ["supcon", "triplet"]
    assert (configs[0].loss["temperature"], configs[1].loss["margin"]) == (0.2, 0.3)
    assert {(config.data.key, config.seed, config.sampler["batch"]) for config in configs} == {("clusters", 9, 64)}
    assert len(page.get("vega_lite_chart")) == 2
    written = {name: page.query_params[name] for name in page.query_params if name != "live"}
    again = opened(**{name.replace(".", "__"): value for name, value in written.items()})
    assert table(again) == table(page)


def test_a_link_of_a_board_that_is_gone_starts_its_setup_anew(opened: Opener, boards: LocalBoards) -> None:
    page = opened(live="gone", lane="circle")
    assert statuses(page) == ["ready"]
    assert list(boards.players) == ["board0"]


@pytest.mark.parametrize(
    "key", sorted(key for key in LOSSES if LOSSES[key].target in DATA and (":" not in key or key in LIBRARY))
)
def test_every_loss_is_drawn_in_every_panel_and_as_a_table(opened: Opener, key: str) -> None:
    spec = LOSSES[key]
    page = opened(lane=key, data=DATA[spec.target], panels=",".join(PANELS), sampler__batch="32")
    for name in PANELS:
        page.session_state[f"menu-{name}"] = True
    page = press(page, "step")
    assert statuses(page) == ["paused"]
    assert any(spec.name in part.value for part in page.markdown)
    knobs = [widget for widget in widgets(page) if str(widget.key).startswith("knob-")]
    assert len(knobs) == len(spec.knobs)
    for name in PANELS:
        page.toggle(key=f"table-{name}").set_value(True)
    sound(page.run())
    assert len(page.dataframe) == len(PANELS)
    assert page.get("vega_lite_chart") == []


@pytest.mark.parametrize("key", sorted(key for key in LOSSES if LOSSES[key].target != "class"))
def test_a_loss_that_needs_other_data_is_a_message(opened: Opener, key: str) -> None:
    page = press(opened(lane=key), "step")
    assert [error.value for error in page.error] == [refusal(LOSSES[key], 8)]  # so many classes of digits are trained


@pytest.mark.parametrize("key", sorted(discover("data")))
def test_every_data_set_is_chosen_in_its_form(opened: Opener, boards: LocalBoards, key: str) -> None:
    page = press(opened(lane="infonce", data="digits" if key != "digits" else "clusters"), "step")
    page = pick(page, "data-", list(discover("data")).index(key))
    assert {lane.config.data.key for lane in boards.players["board0"].state().lanes} == {key}
    spec = discover("data")[key].SPEC
    assert spec.teaches in [caption.value for caption in page.caption]
    assert [row[1] for row in table(page)] == ["0"]
    shown = [str(widget.key).split("-")[2] for widget in widgets(page) if str(widget.key).startswith(f"data-{key}-")]
    assert set(shown) >= {knob.name for knob in spec.knobs} | {"label_flips"}
    assert page.query_params.get("data", "digits") in (key, [key])


@pytest.mark.parametrize(
    ("form", "keys"),
    [("encoder", sorted(discover("encoders"))), ("sampler", list(SAMPLERS)), ("optimiser", list(OPTIMISERS))],
)
def test_every_part_of_training_is_chosen_in_its_form(
    opened: Opener, boards: LocalBoards, form: str, keys: list[str]
) -> None:
    page = opened(lane="infonce")
    options = list(next(box for box in page.selectbox if str(box.key).startswith(f"{form}-")).options)
    assert sorted(options) == sorted(keys)
    for key in [*options[1:], options[0]]:
        page = pick(page, f"{form}-", options.index(key))
        assert getattr(boards.players["board0"].state().lanes[0].config, form).key == key
        assert statuses(page) == ["ready"]


def test_a_knob_of_a_live_lane_is_an_event_and_no_reset(opened: Opener, boards: LocalBoards) -> None:
    page = press(opened(lane=["infonce", "supcon"]), "step20")
    slider = next(slider for slider in page.select_slider if str(slider.key).endswith("lane-0-temperature"))
    page = sound(slider.set_value(0.2).run()) if 0.2 in slider.options else sound(slider.set_value(0.5).run())
    event = boards.players["board0"].state().lanes[0].config.events[0]
    assert (event.step, event.knob) == (20, "loss.temperature")
    assert [row[1] for row in table(page)] == ["20", "20"]
    lanes = page.query_params["lane"]
    assert lanes[0] == f"infonce;20@loss.temperature={event.value}"
    assert lanes[1] == "supcon"


def test_lanes_come_and_go_within_the_limit(opened: Opener, boards: LocalBoards) -> None:
    page = press(opened(lane="infonce"), "step")
    known = list(discover("losses"))
    for count, key in zip(range(2, MAX_LANES + 1), ("supcon", "circle", "contrastive"), strict=True):
        page = pick(page, "add-", known.index(key))
        assert len(table(page)) == count
        assert {row[1] for row in table(page)} == {"1"}
    assert not [box for box in page.selectbox if str(box.key).startswith("add-")]
    for count in range(MAX_LANES - 1, 0, -1):
        page = press(page, "remove-")
        assert len(table(page)) == count
    last = next(button for button in page.button if str(button.key).startswith("remove-"))
    assert last.disabled


def test_reset_keeps_the_knobs_and_drops_the_events(opened: Opener, boards: LocalBoards) -> None:
    page = press(opened(lane="infonce;0@loss.temperature=0.3", panels="roc"), "step20")
    page = press(page, "reset")
    (lane,) = boards.players["board0"].state().lanes
    assert (lane.config.events, lane.config.loss["temperature"], lane.step) == ((), 0.3, 0)
    assert page.query_params["panels"] in ("roc", ["roc"])


def test_the_speed_reaches_the_board(opened: Opener, boards: LocalBoards) -> None:
    page = press(opened(), "step")
    for words, wanted in SPEEDS.items():
        sound(page.select_slider(key="speed").set_value(words).run())
        assert boards.players["board0"].state().speed == wanted


def test_a_speed_chosen_on_the_recording_holds_when_it_goes_live(opened: Opener, boards: LocalBoards) -> None:
    page = sound(opened().select_slider(key="speed").set_value("5 steps/s").run())
    press(page, "play")
    assert boards.players["board0"].state().speed == 5.0


@pytest.mark.parametrize(
    ("button", "goal"),
    [("go-step", {"step": 500}), ("go-auc", {"auc": 0.98}), ("go-plateau", {"plateau": True})],
)
def test_rules_that_stop_a_run(opened: Opener, boards: LocalBoards, button: str, goal: dict[str, Any]) -> None:
    press(opened(), button)
    assert ("run_until", goal) in boards.players["board0"].told


def test_the_panels_chosen_stand_in_their_usual_order(opened: Opener) -> None:
    page = opened()
    pills = page.get("button_group")
    assert pills
    page = press(opened(panels="spectrum,scores"), "step")
    keys = [part.proto.id.split("-", 2)[-1] for part in page.get("vega_lite_chart")]
    assert len(keys) == 2
    for name in ("scores", "spectrum"):
        page.session_state[f"menu-{name}"] = True
    sound(page.run())
    keys = [str(toggle.key) for toggle in page.toggle if str(toggle.key).startswith("table-")]
    assert sorted(keys) == ["table-scores", "table-spectrum"]


def test_a_menu_is_drawn_while_it_is_open_and_its_choices_outlive_it(opened: Opener) -> None:
    page = opened()
    assert not [toggle for toggle in page.toggle if toggle.key == "score-log"]
    page.session_state["menu-scores"] = True
    sound(page.run())
    page.toggle(key="score-log").set_value(True)
    sound(page.run())
    page.session_state["menu-scores"] = False
    sound(page.run())
    assert not [toggle for toggle in page.toggle if toggle.key == "score-log"]
    assert "log" in page.get("vega_lite_chart")[0].proto.spec.split("height: density")[1][:6]
    page.session_state["menu-scores"] = True
    sound(page.run())
    assert page.toggle(key="score-log").value is True


def test_the_panels_of_a_new_page_come_one_after_another(opened: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lab_panels, "REVEAL", (1, 3, 99))
    page = opened()
    assert len(page.get("vega_lite_chart")) == 1
    assert [len(sound(page.run()).get("vega_lite_chart")) for _ in range(2)] == [3, 5]


def test_what_if_asks_the_lane_that_has_a_temperature(opened: Opener, boards: LocalBoards) -> None:
    page = press(opened(lane=["triplet", "infonce"]), "step20")
    mode = next(group for group in page.button_group if group.key == "tradeoff-mode")
    sound(mode.set_value("What if").run())
    asked = [command for command in boards.players["board0"].told if command[0] == "what_if"]
    assert asked
    assert asked[0][1] == "lane-1"
