import math
import time
from dataclasses import replace

import numpy as np
import pytest

from models.engine.registry import Boards, QuotaError
from models.engine.stopping import flat
from models.snapshot import Snapshot
from models.training.config import Event, Part, RunConfig
from models.training.run import Diverged
from tests.engine.helpers import eventually, loaded, plain, settled, small, state_of


def test_lanes_keep_one_clock_and_give_the_numbers_of_plain_runs(boards: Boards) -> None:
    configs = [small(0.1), small(0.5)]
    player = boards.create(configs)
    player.step(60)
    player.step(3)
    state = settled(player, 63)
    assert [lane.step for lane in state.lanes] == [63, 63]
    assert [lane.status for lane in state.lanes] == ["paused", "paused"]
    assert state.lanes[0].checksums["weights"] == state.lanes[1].checksums["weights"]
    assert state.lanes[0].checksums["batches"] == state.lanes[1].checksums["batches"]
    for index, config in enumerate(configs):
        assert state_of(player, index) == plain(config, 63).pack()[0]
    assert state_of(player, 0) != state_of(player, 1)


def test_state_while_playing_and_after_a_pause(boards: Boards) -> None:
    player = boards.create([small()])
    first = player.state()
    assert [lane.status for lane in first.lanes] == ["loading"]
    player.play()
    assert player.state().playing
    eventually(lambda: player.state().step > 20)
    running = player.state()
    assert running.lanes[0].status == "running"
    assert running.lanes[0].steps_per_second > 0
    assert running.version > first.version
    player.pause()
    assert not player.state().playing
    lane = settled(player, eventually(lambda: settled_step(player))).lanes[0]
    assert lane.first is not None
    assert lane.first.step == 0
    assert lane.summary is not None
    assert lane.summary.step == lane.step
    assert lane.steps_per_second == 0


def settled_step(player: object) -> int:
    state = player.state()  # type: ignore[attr-defined]
    return state.step if state.lanes[0].status == "paused" else 0


def test_knob_takes_effect_at_the_next_step_and_is_kept_as_an_event(boards: Boards) -> None:
    player = boards.create([small(0.1)])
    player.step(20)
    settled(player, 20)
    player.set_knob("lane-0", "loss.temperature", 0.5)
    eventually(lambda: player.state().lanes[0].config.events)
    shown = player.state().lanes[0]
    assert shown.config.events == (Event(20, "loss.temperature", 0.5),)
    assert shown.summary is not None
    assert "0.5" in shown.summary.label
    player.step(10)
    settled(player, 30)
    assert state_of(player) == plain(small(0.1).with_event(Event(20, "loss.temperature", 0.5)), 30).pack()[0]


def test_refused_commands_change_nothing(boards: Boards) -> None:
    player = boards.create([small()])
    loaded(player)
    with pytest.raises(ValueError, match=r"temperature must be a number from 0\.01 to 1"):
        player.set_knob(0, "loss.temperature", 7.0)
    with pytest.raises(ValueError, match="no lane 'lane-9'"):
        player.set_knob("lane-9", "loss.temperature", 0.5)
    with pytest.raises(ValueError, match="the last one stays"):
        player.remove_lane(0)
    with pytest.raises(ValueError, match="only a run that diverged"):
        player.resume_from_checkpoint(0)
    with pytest.raises(ValueError, match="whole number from 1"):
        player.step(0)
    with pytest.raises(QuotaError, match="at most 3 runs"):
        player.set_configs([small()] * 4)
    assert player.state().lanes[0].config == small()
    assert player.state().step == 0


def test_lane_added_later_catches_up_and_keeps_the_clock(boards: Boards) -> None:
    player = boards.create([small(0.1)])
    player.step(50)
    settled(player, 50)
    player.add_lane(small(0.5))
    state = settled(player, 50)
    assert [lane.id for lane in state.lanes] == ["lane-0", "lane-1"]
    player.step(5)
    state = settled(player, 55)
    assert [lane.step for lane in state.lanes] == [55, 55]
    assert state_of(player, 1) == plain(small(0.5), 55).pack()[0]
    player.remove_lane("lane-0")
    eventually(lambda: [lane.id for lane in player.state().lanes] == ["lane-1"])


def test_lane_with_another_config_starts_anew_in_its_place(boards: Boards) -> None:
    player = boards.create([small(0.1), small(0.3)])
    player.step(20)
    settled(player, 20)
    queued = small(0.1, methods=(Part("queue", (("size", 32),)),))
    player.change_lane("lane-0", queued)
    state = settled(player, 20)
    assert [lane.id for lane in state.lanes] == ["lane-2", "lane-1"]
    assert [lane.config for lane in state.lanes] == [queued, small(0.3)]
    assert state.lanes[0].checksums == state.lanes[1].checksums
    assert state_of(player, 0) == plain(queued, 20).pack()[0]
    assert state_of(player, 1) == plain(small(0.3), 20).pack()[0]
    with pytest.raises(ValueError, match="no lane 'lane-0'"):
        player.change_lane("lane-0", queued)
    player.settings = replace(player.settings, steps=400)
    with pytest.raises(QuotaError, match="at most 400 steps here, not 500"):
        player.change_lane("lane-2", replace(queued, seed=1))
    assert [lane.config for lane in player.state().lanes] == [queued, small(0.3)]


def test_diverged_lane_is_told_and_resumes_with_a_lower_rate(boards: Boards) -> None:
    sound = RunConfig(loss=Part("cross_entropy"), sampler=Part("balanced", (("batch", 16),)), optimiser=Part("sgd"))
    broken = replace(sound, optimiser=Part("sgd", (("rate", 10.0),)))
    with pytest.raises(Diverged) as expected:
        plain(broken, 300)
    player = boards.create([sound, broken])
    player.run_until(step=300)
    state = eventually(lambda: state if (state := player.state()).lanes[0].step == 300 else None)
    assert [lane.status for lane in state.lanes] == ["paused", "diverged"]
    assert state.lanes[1].message == str(expected.value)
    assert state.lanes[1].step == expected.value.kept
    player.resume_from_checkpoint("lane-1", rate=0.05)
    state = settled(player, 300)
    lane = state.lanes[1]
    assert lane.status == "paused"
    assert lane.config.events[-1].knob == "optimiser.rate"
    assert lane.config.events[-1].value == 0.05
    assert lane.config.events[-1].step <= expected.value.step
    assert state_of(player, 0) == plain(sound, 300).pack()[0]
    assert state_of(player, 1) == plain(lane.config, 300).pack()[0]


def test_run_that_cannot_be_built_fails_with_the_reason_and_leaves_the_others(boards: Boards) -> None:
    too_large = replace(small(), sampler=Part("uniform", (("batch", 2048),)))
    with pytest.raises(ValueError, match=r"sampler\.batch 2048") as expected:
        plain(too_large, 1)
    player = boards.create([too_large, small()])
    player.step(5)
    state = eventually(lambda: state if (state := player.state()).step == 5 else None)
    assert state.lanes[0].status == "failed"
    assert state.lanes[0].message == str(expected.value)
    assert state_of(player, 1) == plain(small(), 5).pack()[0]


def test_reset_starts_anew_with_the_knobs_as_they_stand(boards: Boards) -> None:
    player = boards.create([small(0.1)])
    player.step(20)
    settled(player, 20)
    player.set_knob(0, "loss.temperature", 0.5)
    player.reset()
    state = settled(player, 0)
    assert state.lanes[0].config == small(0.5)
    assert state.lanes[0].status == "ready"
    player.step(10)
    settled(player, 10)
    assert state_of(player) == plain(small(0.5), 10).pack()[0]
    player.set_configs([small(0.2), small(0.3)])
    state = settled(player, 0)
    assert [lane.config for lane in state.lanes] == [small(0.2), small(0.3)]


def test_two_boards_do_not_disturb_each_other(boards: Boards) -> None:
    first, second = boards.create([small(0.1, seed=1)]), boards.create([small(0.5, seed=2)])
    first.run_until(step=200)
    second.run_until(step=150)
    assert settled(first, 200).lanes[0].config == small(0.1, seed=1)
    assert settled(second, 150).lanes[0].config == small(0.5, seed=2)
    assert state_of(first) == plain(small(0.1, seed=1), 200).pack()[0]
    assert state_of(second) == plain(small(0.5, seed=2), 150).pack()[0]


def test_what_if_gives_loss_and_weights_of_other_knobs_and_trains_nothing(boards: Boards) -> None:
    player = boards.create([small(0.1)])
    player.step(30)
    settled(player, 30)
    answer = player.what_if(0, {"temperature": 0.5})
    snapshot = plain(small(0.1), 30).snapshot()
    assert answer.loss == pytest.approx(infonce_by_loops(snapshot, 0.5), rel=1e-4)
    assert answer.loss_now == pytest.approx(infonce_by_loops(snapshot, 0.1), rel=1e-4)
    now = player.state().lanes[0].summary
    assert answer.weights is not None
    assert now is not None
    assert now.weights is not None
    assert answer.weights.effective_negatives > 1.2 * now.weights.effective_negatives
    with pytest.raises(ValueError, match="no knob 'margin'"):
        player.what_if(0, {"margin": 1.0})
    player.step(5)
    settled(player, 35)
    assert state_of(player) == plain(small(0.1), 35).pack()[0]


def infonce_by_loops(snapshot: Snapshot, temperature: float) -> float:
    terms = []
    for i in range(len(snapshot.s)):
        negatives = sum(math.exp(float(s) / temperature) for s in snapshot.s[i][snapshot.neg[i]])
        for s in snapshot.s[i][snapshot.pos[i]]:
            positive = math.exp(float(s) / temperature)
            terms.append(-math.log(positive / (positive + negatives)))
    return sum(terms) / len(terms)


def test_stops_where_it_was_told_to(boards: Boards) -> None:
    player = boards.create([small()])
    player.run_until(auc=0.95)
    state = eventually(lambda: state if "AUC" in (state := player.state()).message else None)
    assert not state.playing
    assert "0.95" in state.message
    shown = settled(player, state.step).lanes[0].summary
    assert shown is not None
    assert shown.roc.auc >= 0.95
    player.run_until(plateau=True)
    state = eventually(lambda: state if "risen" in (state := player.state()).message else None)
    assert not state.playing
    assert state.step > 300


def test_flat_reads_the_logged_measures(boards: Boards) -> None:
    summary = loaded(boards.create([small()])).lanes[0].summary
    assert summary is not None
    steps = np.arange(0, 1000, 50)

    def after(auc: np.ndarray, step: int = 960) -> bool:
        curves = replace(summary.curves, measured_step=steps, measured={"auc": auc})
        return flat(replace(summary, step=step, curves=curves))

    rising = steps / 1000
    assert not after(rising)
    assert after(np.minimum(rising, 0.6))
    assert not after(np.where(steps == 900, 0.9, 0.5))
    assert after(np.where(steps == 100, 0.9, 0.5))
    assert not after(np.full(len(steps), np.nan))
    assert not after(np.full(len(steps), 0.5), step=100)


def test_speed_is_kept_while_playing(boards: Boards) -> None:
    player = boards.create([small()])
    player.step(40)
    settled(player, 40)
    player.set_speed(4.0)
    player.play()
    began = time.monotonic()
    state = eventually(lambda: state if (state := player.state()).step >= 46 else None)
    assert state.speed == 4.0
    assert state.step < 60
    assert time.monotonic() - began > 1.0
    player.pause()
    with pytest.raises(ValueError, match="speed"):
        player.set_speed(-1.0)
