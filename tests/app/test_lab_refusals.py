"""What goes wrong behind the lab page is told in words on it: quotas, lost lanes, values that no control gives."""

import pytest

from app import state
from app.address import DEFAULT_PANELS
from tests.app.boards import LocalBoards, LocalPlayer
from tests.app.drawn import Opener, press, sound, statuses, table


@pytest.mark.parametrize("button", ["play", "step", "go-step", "go-auc", "go-plateau"])
def test_a_full_server_is_a_message_and_the_recording_stays(
    opened: Opener, boards: LocalBoards, monkeypatch: pytest.MonkeyPatch, button: str
) -> None:
    boards.full = "All 60 places on this server are taken; try again later."
    page = press(opened(), button)
    assert [error.value for error in page.error] == [boards.full]
    assert statuses(page) == ["recording", "recording"]
    monkeypatch.setattr(state, "MESSAGE_S", 0.0)
    assert [error.value for error in sound(page.run()).error] == []


@pytest.mark.parametrize("button", ["play", "step", "reset", "go-step", "go-auc", "go-plateau", "repeat", "sweep"])
def test_a_refused_command_is_a_message(opened: Opener, boards: LocalBoards, button: str) -> None:
    page = press(opened(), "step")
    boards.players["board0"].refusal = "10 boards are training now, as many as this server takes; pause one first."
    page = press(page, button)
    assert [error.value for error in page.error] == [boards.players["board0"].refusal]


def refusing(player: LocalPlayer, words: str) -> LocalPlayer:
    player.refusal = words
    return player


def test_a_refusal_at_the_moment_of_going_live_is_a_message(
    opened: Opener, boards: LocalBoards, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = "10 boards are training now, as many as this server takes; pause one first."
    create = boards.create
    monkeypatch.setattr(boards, "create", lambda configs: refusing(create(configs), words))
    page = press(opened(), "play")
    assert [error.value for error in page.error] == [words]
    assert statuses(page) == ["ready", "ready"]


@pytest.mark.parametrize(
    ("status", "message"),
    [("recovering", "Its process stopped; it goes on from step 100."), ("failed", "Step 3: ValueError: no")],
)
def test_what_happens_to_a_lane_is_told(opened: Opener, boards: LocalBoards, status: str, message: str) -> None:
    page = press(opened(lane="infonce"), "step")
    boards.players["board0"].show(status=status, message=message)
    page = sound(page.run())
    assert statuses(page) == [status]
    assert [warning.value for warning in page.warning] == [f"Lane A: {message}"]


def test_a_lane_without_numbers_has_its_place_already(opened: Opener, boards: LocalBoards) -> None:
    page = press(opened(), "step")
    boards.players["board0"].show(status="loading", summary=None, first=None, checksums={})
    page = sound(page.run())
    assert statuses(page) == ["loading", "loading"]
    assert page.get("vega_lite_chart") == []
    assert len(page.get("skeleton")) == len(DEFAULT_PANELS)


def test_a_diverged_lane_goes_on_with_a_tenth_of_its_rate(opened: Opener, boards: LocalBoards) -> None:
    page = press(opened(lane="infonce", optimiser__rate="0.02"), "step")
    boards.players["board0"].show(status="diverged", message="Step 2: loss is not finite.")
    press(sound(page.run()), "resume-")
    told = boards.players["board0"].told
    assert told[-2] == ("resume_from_checkpoint", "lane-0", pytest.approx(0.002))
    assert told[-1] == ("play",)


@pytest.mark.parametrize("value", [-5.0, 1e9, float("nan"), float("inf")])
def test_a_value_that_no_slider_gives_changes_nothing(opened: Opener, boards: LocalBoards, value: float) -> None:
    """Whoever writes to the websocket by hand may send anything."""
    page = press(opened(lane="triplet"), "step")
    slider = next(slider for slider in page.slider if str(slider.key).endswith("lane-0-margin"))
    page = sound(slider.set_value(value).run())
    (lane,) = boards.players["board0"].state().lanes
    assert (lane.config.events, lane.config.loss["margin"], lane.step) == ((), 0.2, 1)
    assert statuses(page) == ["paused"]


def test_a_second_session_with_the_same_address_is_no_reason_to_stop(opened: Opener, boards: LocalBoards) -> None:
    first = press(opened(), "step")
    second = opened(live="board0", lane=list(first.query_params["lane"]))
    assert statuses(second) == ["paused", "paused"]
    assert [row[1] for row in table(second)] == ["1", "1"]
