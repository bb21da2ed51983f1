"""What the page does behind its controls: the commands of one browser session, and what it draws afterwards."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from app import state
from app.address import Setup, default_setup
from app.live import Lab
from app.state import PageState
from app.view import REPLAY_RATE, LaneView, recording
from models.engine.quota import QuotaError
from models.training.config import Event, Part, RunConfig
from tests.app.boards import LocalBoards, LocalPlayer

FULL = "All 60 places on this server are taken; try again later."


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch, boards: LocalBoards) -> PageState:
    """The state of one browser session; every Lab of the test belongs to it."""
    monkeypatch.setattr(state, "watch", lambda board: None)
    monkeypatch.setattr(state, "watched_elsewhere", lambda board: False)
    opened = PageState(small())
    monkeypatch.setattr(state, "page", lambda: opened)
    return opened


def small(*keys: str) -> Setup:
    """Lanes whose steps cost next to nothing."""
    base = RunConfig(
        encoder=Part("mlp", (("width", 16), ("depth", 1), ("dim", 8))), sampler=Part("balanced", (("batch", 16),))
    )
    return Setup(tuple(replace(base, loss=Part(key)) for key in keys or ("infonce", "supcon")))


def player_of(session: PageState, boards: LocalBoards) -> LocalPlayer:
    assert session.board is not None
    return boards.players[session.board]


def test_the_recording_needs_no_board(session: PageState, boards: LocalBoards, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.live.time", SimpleNamespace(monotonic=lambda: session.opened))
    view = Lab().view()
    assert (view.live, view.playing, session.board, boards.players) == (False, True, None, {})
    assert [lane.status for lane in view.lanes] == ["recording", "recording"]
    assert view.summaries[0] is recording()[0][0]
    assert view.firsts == [frames[0] for frames in recording()]


def test_the_recording_moves_with_the_clock(session: PageState, boards: LocalBoards) -> None:
    session.opened -= 5.1 / REPLAY_RATE
    assert Lab().view().summaries == [frames[5] for frames in recording()]


def test_play_makes_one_board_and_plays_it_on(session: PageState, boards: LocalBoards) -> None:
    Lab().play()
    Lab().play()
    Lab().pause()
    assert [command[0] for command in player_of(session, boards).told] == ["play", "play", "pause"]
    assert len(boards.players) == 1
    view = Lab().view()
    assert (view.live, view.playing) == (True, False)
    assert [lane.config for lane in view.lanes] == list(small().lanes)


def test_pause_on_the_recording_does_nothing(session: PageState, boards: LocalBoards) -> None:
    Lab().pause()
    Lab().reset()
    assert (boards.players, session.message) == ({}, "")


def test_a_press_that_came_with_a_tick_is_not_carried_out_again(
    session: PageState, boards: LocalBoards, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = SimpleNamespace(session_id="s", fragment_ids_this_run=["tick"])
    session.ticking.add("tick")
    monkeypatch.setattr(state, "get_script_run_ctx", lambda: run)
    Lab().step()
    run.fragment_ids_this_run = None  # the press itself follows
    Lab().step()
    assert player_of(session, boards).told == [("step", 1)]
    Lab().step()  # and this is another press
    Lab().step(20)
    assert player_of(session, boards).told == [("step", 1), ("step", 1), ("step", 20)]


def test_presses_one_after_another_all_count(session: PageState, boards: LocalBoards) -> None:
    for _ in range(3):
        Lab().step()
    assert player_of(session, boards).told == [("step", 1)] * 3


def test_a_knob_turned_on_the_recording_is_the_start_of_the_live_lane(session: PageState, boards: LocalBoards) -> None:
    session.setup = default_setup()
    lab = Lab()
    lab.set_knob(lab.view().lanes[1], "margin", 0.4)
    configs = [lane.config for lane in player_of(session, boards).state().lanes]
    assert [config.events for config in configs] == [(), ()]
    assert configs[1].loss == Part("triplet", (("margin", 0.4), ("reduction", "mean_active")))
    assert configs[0].loss == default_setup().lanes[0].loss


def test_a_knob_turned_live_is_an_event_of_that_lane_only(session: PageState, boards: LocalBoards) -> None:
    Lab().step(3)
    lab = Lab()
    lab.set_knob(lab.view().lanes[1], "temperature", 0.5)
    lanes = Lab().setup().lanes
    assert [lane.events for lane in lanes] == [(), (Event(3, "loss.temperature", 0.5),)]
    assert Lab().view().step == 3


def test_reset_starts_from_where_the_knobs_stand(session: PageState, boards: LocalBoards) -> None:
    session.setup = replace(small("infonce"), panels=("roc",))
    Lab().step(3)
    lab = Lab()
    lab.set_knob(lab.view().lanes[0], "temperature", 0.5)
    lab.set_optimiser("rate", 0.01)
    Lab().reset()
    (lane,) = Lab().setup().lanes
    assert (lane.events, lane.loss["temperature"], lane.optimiser["rate"]) == ((), 0.5, 0.01)
    assert (Lab().view().step, Lab().view().playing, session.setup.panels) == (0, False, ("roc",))


def test_other_data_keeps_playing_and_rest_rests(session: PageState, boards: LocalBoards) -> None:
    Lab().step()
    Lab().change(Lab().setup().with_shared(seed=5))
    assert player_of(session, boards).told[-1] == ("set_configs", 2)
    Lab().play()
    Lab().change(Lab().setup().with_shared(seed=6))
    assert player_of(session, boards).told[-2:] == [("set_configs", 2), ("play",)]
    assert {lane.seed for lane in Lab().setup().lanes} == {6}


def test_a_new_lane_joins_the_clock_with_what_all_share(session: PageState, boards: LocalBoards) -> None:
    Lab().step(3)
    Lab().add_lane("circle")
    lanes = Lab().view().lanes
    assert [lane.config.loss.key for lane in lanes] == ["infonce", "supcon", "circle"]
    assert {lane.step for lane in lanes} == {3}
    assert len({tuple(lane.checksums.values()) for lane in lanes}) == 1


def test_a_triplet_lane_starts_with_the_mean_over_active_triplets(session: PageState, boards: LocalBoards) -> None:
    Lab().step()
    Lab().add_lane("triplet")
    assert Lab().view().lanes[-1].config.loss["reduction"] == "mean_active"
    assert RunConfig(loss=Part("triplet")).loss["reduction"] == "sum"  # the paper's, for whoever asks for nothing


def test_a_lane_goes_and_a_second_press_on_it_does_nothing(session: PageState, boards: LocalBoards) -> None:
    Lab().step()
    lab = Lab()
    gone = lab.view().lanes[0]
    lab.remove_lane(gone, 0)
    Lab().remove_lane(gone, 0)
    Lab().set_knob(gone, "temperature", 0.5)
    assert [lane.config.loss.key for lane in Lab().view().lanes] == ["supcon"]
    assert Lab().setup().lanes[0].events == ()
    assert session.message == ""


def test_a_lane_taken_from_the_recording_leaves_the_other_live(session: PageState, boards: LocalBoards) -> None:
    lab = Lab()
    lab.remove_lane(lab.view().lanes[0], 0)
    assert [lane.config.loss.key for lane in Lab().view().lanes] == ["supcon"]


def test_a_speed_chosen_before_a_board_is_the_boards(session: PageState, boards: LocalBoards) -> None:
    Lab().set_speed(5.0)
    assert (Lab().speed, boards.players) == (5.0, {})
    Lab().play()
    assert player_of(session, boards).told == [("set_speed", 5.0), ("play",)]
    Lab().set_speed(None)
    assert (Lab().speed, player_of(session, boards).state().speed) == (None, None)


def test_a_full_server_refuses_in_words(session: PageState, boards: LocalBoards) -> None:
    boards.full = FULL
    for command in (Lab().play, Lab().step, lambda: Lab().run_until(plateau=True), lambda: Lab().add_lane("circle")):
        session.message = ""
        command()  # type: ignore[operator]
        assert (session.message, session.board) == (FULL, None)
        assert not Lab().view().live


@pytest.mark.parametrize(
    "command",
    [
        lambda lab, lane: lab.play(),
        lambda lab, lane: lab.pause(),
        lambda lab, lane: lab.step(),
        lambda lab, lane: lab.reset(),
        lambda lab, lane: lab.run_until(auc=0.9),
        lambda lab, lane: lab.set_speed(1.0),
        lambda lab, lane: lab.set_knob(lane, "temperature", 0.5),
        lambda lab, lane: lab.set_optimiser("rate", 0.1),
        lambda lab, lane: lab.add_lane("circle"),
        lambda lab, lane: lab.remove_lane(lane, 0),
        lambda lab, lane: lab.resume(lane),
        lambda lab, lane: lab.what_if(lane, {"temperature": 0.5}),
    ],
    ids=["play", "pause", "step", "reset", "until", "speed", "knob", "rate", "add", "remove", "resume", "what-if"],
)
def test_what_the_board_refuses_is_a_message_and_changes_nothing(
    session: PageState, boards: LocalBoards, command: Any
) -> None:
    Lab().step(2)
    lab = Lab()
    lane, before = lab.view().lanes[0], lab.setup()
    player_of(session, boards).refusal = "Not now."
    command(lab, lane)
    assert session.refusal() == "Not now."
    assert (Lab().setup(), Lab().view().step) == (before, 2)


def test_a_refusal_stands_for_a_while_and_then_goes(session: PageState, boards: LocalBoards) -> None:
    assert session.refusal() == ""
    boards.full = FULL
    Lab().play()
    assert session.refusal() == FULL
    session.refused -= state.MESSAGE_S
    assert session.refusal() == ""


def test_a_board_watched_elsewhere_is_copied(
    session: PageState, boards: LocalBoards, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = boards.create(small("circle").lanes)
    theirs.step(2)
    session.board = theirs.board_id
    monkeypatch.setattr(state, "watched_elsewhere", lambda board: board == theirs.board_id)
    lab = Lab()
    assert session.board not in (None, theirs.board_id)
    lab.play()
    assert theirs.told == [("step", 2)]
    assert [lane.loss.key for lane in lab.setup().lanes] == ["circle"]


@pytest.mark.parametrize("error", [QuotaError(FULL), ValueError("the board did not answer in time; try again")])
def test_a_copy_that_cannot_be_made_leaves_their_board_alone(
    session: PageState, boards: LocalBoards, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def refuse(board: str) -> LocalPlayer:
        raise error

    session.board = boards.create(small("circle").lanes).board_id
    monkeypatch.setattr(state, "watched_elsewhere", lambda board: True)
    monkeypatch.setattr(boards, "copy", refuse)
    lab = Lab()
    assert (session.board, session.refusal(), lab.view().live) == (None, str(error), False)


def test_a_board_that_is_gone_is_made_anew_from_the_address(session: PageState, boards: LocalBoards) -> None:
    session.board, session.setup = "gone", small("circle")
    lab = Lab()
    assert session.board == "board0"
    assert [lane.loss.key for lane in lab.setup().lanes] == ["circle"]


@pytest.mark.parametrize("error", [QuotaError(FULL), ValueError("board.json is damaged")])
def test_a_board_that_cannot_be_restored_is_made_anew(
    session: PageState, boards: LocalBoards, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def refuse(board: str) -> LocalPlayer:
        raise error

    monkeypatch.setattr(boards, "restore", refuse)
    session.board, session.setup = "damaged", small("circle")
    assert [lane.config.loss.key for lane in Lab().view().lanes] == ["circle"]


def test_a_snapshot_is_of_the_lane_asked_for(session: PageState, boards: LocalBoards) -> None:
    recorded: LaneView = Lab().view().lanes[0]
    assert Lab().snapshot(recorded) is None
    assert Lab().what_if(recorded, {"temperature": 0.5}) is None
    Lab().step(2)
    lab = Lab()
    taken = lab.snapshot(lab.view().lanes[1])
    assert taken is not None
    assert (taken.step, taken.config.loss.key) == (2, "supcon")
    found = lab.what_if(lab.view().lanes[0], {"temperature": 0.5})
    assert (found.step, found.knobs) == (2, {"temperature": 0.5})
    assert found.loss != found.loss_now
