"""One step for all panels and lanes: scrub, play back, ghost, and forks from the step shown."""

import re
from urllib.parse import unquote

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from app.address import Setup, from_query, to_query
from app.clock import LIVE, Clock, kept_steps, shown, told
from app.live import Lab
from app.state import PageState
from app.view import recording
from app.views import lab_fork
from components import pair_cards
from models.diagnostics.trails import ScoreTrail
from models.training.config import FORK, LOSS, Event, Part, RunConfig
from tests.app.boards import LocalBoards
from tests.app.drawn import Opener, press, sound, statuses, table

SMALL = {"encoder__width": "16", "encoder__depth": "1", "encoder__dim": "8", "sampler__batch": "16"}


def steps(page: AppTest) -> list[str]:
    return [row[1] for row in table(page)]


def scrub(page: AppTest, step: int) -> AppTest:
    return sound(page.select_slider(key="cursor").set_value(step).run())


def test_the_recording_can_be_scrubbed(opened: Opener) -> None:
    page = opened()
    frames = [frame.step for frame in recording()[0]]
    middle = frames[len(frames) // 2]
    scrub(page, middle)
    assert steps(page) == [str(middle)] * 2
    assert statuses(page) == ["shown", "shown"]
    then = recording()[1][len(frames) // 2]
    assert f"{then.roc.auc:.3f}" in table(page)[1][4]
    press(page, "clock-next")
    assert steps(page)[0] == str(frames[len(frames) // 2 + 1])
    press(page, "clock-back")
    press(page, "clock-back")
    assert steps(page)[0] == str(frames[len(frames) // 2 - 1])
    scrub(page, LIVE)
    assert statuses(page) == ["recording", "recording"]


def test_training_goes_on_behind_the_cursor(opened: Opener, boards: LocalBoards) -> None:
    page = opened(lane=["infonce", "supcon"], **SMALL)
    press(page, "step20")
    press(page, "step20")
    page.session_state["page"].clock.renewed = -99.0
    sound(page.run())
    scrub(page, 20)
    assert steps(page) == ["20", "20"]
    press(page, "step20")
    assert boards.players["board0"].state().step == 60
    assert steps(page) == ["20", "20"]
    scrub(page, LIVE)
    assert steps(page) == ["60", "60"]


def test_fork_here_adds_a_lane_that_the_address_restores(opened: Opener, boards: LocalBoards) -> None:
    page = opened(lane=["infonce"], **SMALL)
    press(page, "step20")
    config = boards.players["board0"].state().lanes[0].config
    lab_lane = boards.players["board0"].state().lanes[0].id
    boards.players["board0"].fork(lab_lane, 10, "supcon", {"temperature": 0.3}, 0.01)
    sound(page.run())
    assert len(table(page)) == 2
    assert any("A → A2 (lane B, from step 10)" in caption.value for caption in page.caption)
    assert any(caption.value == "A2 from step 10" for caption in page.caption)
    assert any("SupCon" in part.value for part in page.markdown)
    lane = page.query_params["lane"][1]
    assert "10@fork=A2" in lane
    assert "10@loss=supcon" in lane
    given = {name: page.query_params[name] for name in page.query_params if name != "live"}
    restored, problems = from_query({name: [v] if isinstance(v, str) else v for name, v in given.items()})
    assert problems == ()
    assert restored.lanes == tuple(lane.config for lane in boards.players["board0"].state().lanes)
    assert restored.lanes[0] == config


def test_the_address_carries_every_kind_of_fork() -> None:
    events = (
        Event(5, FORK, "A2"),
        Event(5, LOSS, "triplet"),
        Event(5, "loss.margin", 0.4),
        Event(5, "optimiser.rate", 0.1),
    )
    setup = Setup((RunConfig(), RunConfig(events=events)))
    query = {name: [value] if isinstance(value, str) else value for name, value in to_query(setup).items()}
    assert from_query(query) == (setup, ())
    broken = {"lane": ["infonce;5@loss=nonsense;6@fork=x"]}
    found, problems = from_query(broken)
    assert found.lanes == (RunConfig(),)
    assert len(problems) == 2


@pytest.mark.parametrize(("at", "by", "wanted"), [(None, -1, 20), (10, -1, 0), (0, -1, 0), (10, 1, 20), (20, 1, None)])
def test_moves_by_kept_steps(at: int | None, by: int, wanted: int | None) -> None:
    held = Clock(at=at, offered=(0, 10, 20))
    held.move(by)
    assert held.at == wanted


def test_play_back_goes_at_its_speed_and_stays_at_the_end() -> None:
    held = Clock(offered=(0, 10, 20, 40), speed=2.0)
    held.replay(100.0)
    seen = []
    for now in (100.0, 100.4, 100.6, 101.1, 101.6, 109.0):
        held.tick(now)
        seen.append((held.at, held.playing))
    assert seen == [(0, True), (0, True), (10, True), (20, True), (40, False), (40, False)]
    held.at = 20
    held.replay(200.0)
    held.tick(200.6)
    assert held.at == 40


def test_the_slider_keeps_still_while_a_step_is_shown() -> None:
    held = Clock()
    held.offer((0, 1), now=10.0)
    held.offer((0, 1, 2), now=10.5)
    assert held.offered == (0, 1)
    held.offer((0, 1, 2), now=12.5)
    assert held.offered == (0, 1, 2)
    held.offer((0, 1, 2, 3), now=12.6, moving=False)  # at rest the last step is there at once
    assert held.offered == (0, 1, 2, 3)
    held.go(1)
    held.offer((0, 1, 2, 3, 4), now=99.0)
    assert held.offered == (0, 1, 2, 3)


def test_cursor_and_ghost_change_what_is_shown_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, boards: LocalBoards
) -> None:
    small = RunConfig(encoder=Part("mlp", (("width", 16), ("dim", 8))), sampler=Part("balanced", (("batch", 16),)))
    session = PageState(Setup((small,)))
    monkeypatch.setattr("app.state.page", lambda: session)
    monkeypatch.setattr("app.state.watch", lambda board: None)
    monkeypatch.setattr("app.state.watched_elsewhere", lambda board: False)
    Lab().step(4)
    Lab().player.step(3)
    view = Lab().view()
    assert kept_steps(view) == [0, 4, 7]
    assert shown(view, Clock()) is view
    ghost = shown(view, Clock(ghost=4))
    assert [(lane.first.step, lane.summary.step) for lane in ghost.lanes if lane.first and lane.summary] == [(4, 7)]
    then = shown(view, Clock(at=4))
    assert (then.step, then.then, then.lanes[0].step, then.lanes[0].status) == (4, 4, 4, "shown")
    assert [summary.step for summary in then.firsts] == [0]
    assert view.lanes[0].step == 7


@pytest.fixture
def form(monkeypatch: pytest.MonkeyPatch, boards: LocalBoards) -> dict[str, object]:
    """What the fields of the fork's form hold, beside a lane at step 3."""
    session = PageState(Setup((RunConfig(sampler=Part("balanced", (("batch", 16),))),)))
    held: dict[str, object] = {"fork-lane": 0}
    monkeypatch.setattr("app.state.page", lambda: session)
    monkeypatch.setattr("app.state.watch", lambda board: None)
    monkeypatch.setattr("app.state.watched_elsewhere", lambda board: False)
    monkeypatch.setattr("app.state.fresh", lambda key: True)
    monkeypatch.setattr("app.state.get", lambda key, default=None: held.get(key, default))
    monkeypatch.setattr("app.state.put", held.__setitem__)
    Lab().step(3)
    session.clock.at = 2
    return held


def test_a_press_reads_the_form_as_it_is_and_not_as_it_was_drawn(form: dict[str, object], boards: LocalBoards) -> None:
    lab = Lab()
    form |= {"fork-loss": "supcon", "fork-knobs-supcon": ["temperature", "optimiser.rate"]}
    form[lab_fork.value_key("supcon", "optimiser.rate")] = " 0.5 "
    lab_fork._press(lab)
    assert lab.page.refusal() == "Give temperature a value, then press the button again."
    form["fork-value-supcon-temperature"] = "0.3"
    lab_fork._press(lab)
    told = boards.players["board0"].told[-1]
    knobs = {"temperature": 0.3, "optimiser.rate": 0.5}
    assert told == ("fork", lab.view().lanes[0].id, 2, "supcon", knobs, None)
    assert form["fork"] is False  # the form closes
    form["fork-lane"] = 7  # a lane that has gone
    lab_fork._press(lab)
    assert len(lab.view().lanes) == 2


def test_several_knobs_choices_and_the_optimiser_go_into_one_fork(form: dict[str, object], boards: LocalBoards) -> None:
    lab = Lab()
    given = {"margin": "0.4", "reduction": "mean_active", "optimiser.weight_decay": "0.01", "optimiser.rate": "0.002"}
    form |= {"fork-loss": "triplet", "fork-knobs-triplet": list(given)}
    form |= {lab_fork.value_key("triplet", name): value for name, value in given.items()}
    lab_fork._press(lab)
    events = {event.knob: event.value for event in lab.view().lanes[1].config.events}
    assert events == {
        "fork": "A2", "loss": "triplet", "loss.margin": 0.4, "loss.reduction": "mean_active",
        "optimiser.weight_decay": 0.01, "optimiser.rate": 0.002,
    }  # fmt: skip
    told = lab_fork.values_at(lab.view().lanes[1].config, 2, "triplet")
    assert told == {
        "margin": 0.4, "reduction": "mean_active", "optimiser.rate": 0.002, "optimiser.weight_decay": 0.01,
    }  # fmt: skip
    assert lab_fork.values_at(lab.view().lanes[1].config, 1, "infonce")["optimiser.weight_decay"] == 0.0


@pytest.mark.parametrize(
    ("value", "words"), [("warm", "temperature must be a number, got 'warm'"), ("9", "from 0.01 to 1")]
)
def test_a_fork_with_a_bad_value_is_refused(
    form: dict[str, object], boards: LocalBoards, value: str, words: str
) -> None:
    lab = Lab()
    form |= {"fork-knobs-infonce": ["temperature"], "fork-value-infonce-temperature": value}
    lab_fork._press(lab)
    assert words in lab.page.refusal()
    assert len(lab.view().lanes) == 1
    assert "fork" not in form


def test_the_form_has_a_field_for_every_knob_that_is_chosen(opened: Opener) -> None:
    page = press(opened(lane=["triplet"], panels="scores", **SMALL), "step")
    page.session_state["fork"] = True
    page = sound(page.run())
    page = sound(page.multiselect(key="fork-knobs-triplet").set_value(["reduction", "optimiser.rate"]).run())
    assert page.selectbox(key="fork-value-triplet-reduction").value == "sum"
    assert page.text_input(key="fork-value-triplet-optimiser.rate").value == "0.001"
    assert "from 1e-06 to" in page.text_input(key="fork-value-triplet-optimiser.rate").label


HARD = "scores=both,-1,1;among=seen;lane=A"


def test_cards_go_with_the_cursor_and_draw_a_line_of_scores(opened: Opener, boards: LocalBoards) -> None:
    page = opened(lane=["infonce"], panels="scores", brush=HARD, **SMALL)
    press(page, "step20")
    press(page, "step20")
    page.session_state["page"].clock.renewed = -99.0
    sound(page.run())
    drawn = [unquote(part.proto.body) for part in page.get("html") if 'class="pair ' in part.proto.body]
    assert len(drawn) == 8
    assert all(body.count("<polyline") == 1 and "at step 40" in body for body in drawn)
    assert all(len(re.findall(r"\d\.\d,\d+\.\d", body)) == 3 for body in drawn)  # steps 0, 20 and 40
    assert next(part.value for part in page.markdown if "brushed pairs" in part.value).endswith("step 40")
    scrub(page, 20)
    then = next(part.value for part in page.markdown if "brushed pairs" in part.value)
    assert then.endswith("step 20")
    drawn = [unquote(part.proto.body) for part in page.get("html") if 'class="pair ' in part.proto.body]
    assert len(drawn) == 8
    assert all("weights are of the latest step alone" in body for body in drawn)


def test_a_line_of_scores_by_hand() -> None:
    trail = ScoreTrail(np.array([0, 1, 3]), np.array([[-1.0, 0.0, 1.0]]))
    line = unquote(pair_cards.sparkline(trail, 0, positive=True))
    assert 'points="0.0,24.0 50.0,12.0 100.0,0.0"' in line  # log(1 + step) of 3 is twice that of 1
    assert "Cosine -1.00 at step 0, 1.00 at step 3" in line
    assert pair_cards.sparkline(ScoreTrail(np.array([4]), np.array([[0.5]])), 0, positive=True) == ""


def test_the_tree_in_one_line() -> None:
    parent = RunConfig()
    second = parent.with_event(Event(20, FORK, "A2")).with_event(Event(20, "loss.temperature", 0.5))
    third = second.with_event(Event(30, FORK, "A3"))
    assert told([parent, RunConfig(loss=Part("supcon"))]) == ""
    assert told([parent, second, third]) == "Forks: A → A2 (lane B, from step 20) · A2 → A3 (lane C, from step 30)"
    assert told([parent, third]) == "Forks: a lane that has gone → A3 (lane B, from step 30)"
