"""When a page looks at its board, and how long a tick waits for something worth drawing."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from streamlit.runtime.scriptrunner_utils.script_requests import RerunData, ScriptRequests

from app import pacing, state
from app.address import default_setup
from app.state import PageState
from app.view import LaneView, View, recording


class Glances:
    """A board that shows its next moment at a given glance, on a clock that only sleeping moves."""

    def __init__(self, news_at: int, playing: bool = True) -> None:
        self.page = PageState(default_setup())
        self.now, self.looks, self.news_at, self.playing = 0.0, 0, news_at, playing

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def view(self) -> View:
        self.looks += 1
        frames = recording()[0]
        lane = LaneView(
            "lane-0",
            default_setup().lanes[0],
            "running",
            "",
            self.looks,
            frames[self.looks > self.news_at],
            None,
            {},
            9.0,
        )
        return View((lane,), True, self.playing, self.looks, "")


@pytest.fixture
def glances(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Glances:
    found = Glances(*getattr(request, "param", (5,)))
    monkeypatch.setattr(pacing, "time", found)
    monkeypatch.setattr(state, "touched", lambda: False)
    monkeypatch.setattr(state, "asked_again", lambda: False)
    return found


def test_a_tick_waits_for_the_next_moment_and_no_longer(glances: Glances) -> None:
    first = pacing.awaited(glances)  # type: ignore[arg-type]
    assert glances.now == 0.0  # nothing was drawn before
    second = pacing.awaited(glances)  # type: ignore[arg-type]
    assert (glances.looks, second.summaries[0].step) == (6, recording()[0][1].step)
    assert first.summaries[0].step == recording()[0][0].step


@pytest.mark.parametrize("glances", [(10_000,)], indirect=True)
def test_patience_ends_before_the_next_tick_is_due(glances: Glances) -> None:
    pacing.awaited(glances)  # type: ignore[arg-type]
    pacing.awaited(glances)  # type: ignore[arg-type]
    assert pacing.PATIENCE_S <= glances.now < pacing.PLAYING_S


@pytest.mark.parametrize("name", ["asked_again", "touched"])
def test_a_press_is_not_kept_waiting(glances: Glances, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    pacing.awaited(glances)  # type: ignore[arg-type]
    monkeypatch.setattr(state, name, lambda: True)
    pacing.awaited(glances)  # type: ignore[arg-type]
    assert glances.now == 0.0


@pytest.mark.parametrize("glances", [(10_000, False)], indirect=True)
def test_a_board_at_rest_is_not_waited_for(glances: Glances) -> None:
    pacing.awaited(glances)  # type: ignore[arg-type]
    view = pacing.awaited(glances)  # type: ignore[arg-type]
    assert glances.now == 0.0
    assert pacing.interval(glances, view) == pacing.RESTING_S  # type: ignore[arg-type]
    lane = replace(view.lanes[0], status="paused", step=recording()[0][0].step)
    assert pacing.interval(glances, replace(view, lanes=(lane,))) == pacing.RESTING_S  # type: ignore[arg-type]
    late = replace(view, lanes=(replace(lane, step=lane.step + 20),))  # its last summary is still to come
    assert pacing.interval(glances, late) == pacing.PLAYING_S  # type: ignore[arg-type]
    glances.page.clock.playing = True
    assert pacing.interval(glances, replace(view, playing=True)) == pacing.PLAYING_S  # type: ignore[arg-type]


def test_streamlit_tells_whether_a_run_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    requests = ScriptRequests()
    context: Any = SimpleNamespace(script_requests=requests)
    monkeypatch.setattr(state, "get_script_run_ctx", lambda: context)
    assert requests.request_rerun(RerunData(fragment_id="a"))
    assert state.asked_again()
    requests.on_scriptrunner_ready()  # the run begins
    assert not state.asked_again()


def test_a_control_that_is_turned_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    page, values = PageState(default_setup()), {"page": 1, "due-umap": 0.0, "speed": 4}
    monkeypatch.setattr(state, "page", lambda: page)
    monkeypatch.setattr(state.st, "session_state", values)
    assert state.touched()
    assert not state.touched()
    values["due-umap"] = 3.0  # a note of ours, not a control
    assert not state.touched()
    values["speed"] = 8
    assert state.touched()
    assert not state.touched()
