"""What the page draws: the recording's clock and frames, and the knobs as they stand at a step."""

from dataclasses import replace

from app.address import default_setup
from app.view import HOLD_FRAMES, REPLAY_RATE, frame_number, knobs_now, recording
from models.training.config import Event, Part, RunConfig


def test_the_recording_runs_at_its_rate_holds_and_starts_again() -> None:
    frames = 10
    shown = [frame_number(tick / REPLAY_RATE, frames) for tick in range(frames + HOLD_FRAMES + 3)]
    assert shown == [*range(10), *[9] * HOLD_FRAMES, 0, 1, 2]
    assert frame_number(0.99 / REPLAY_RATE, frames) == 0
    assert frame_number(0.0, 1) == frame_number(1e6, 1) == 0


def test_the_recording_is_the_default_setup_lane_by_lane() -> None:
    lanes = recording()
    configs = [RunConfig.from_json(frames[0].config) for frames in lanes]
    assert [config.loss for config in configs] == [lane.loss for lane in default_setup().lanes]
    assert len({replace(config, loss=Part("infonce")) for config in configs}) == 1
    for frames in lanes:
        steps = [frame.step for frame in frames]
        assert steps[0] == 0
        assert len(steps) > 20
        assert steps == sorted(set(steps))
    assert [frame.step for frame in lanes[0]] == [frame.step for frame in lanes[1]]


def test_knobs_hold_from_the_step_of_their_event() -> None:
    config = RunConfig(loss=Part("infonce", (("temperature", 0.2),)))
    for event in (
        Event(10, "loss.temperature", 0.5),
        Event(15, "optimiser.rate", 0.01),
        Event(20, "loss.temperature", 0.05),
    ):
        config = config.with_event(event)
    assert [knobs_now(config, step)["temperature"] for step in (0, 9, 10, 19, 20, 99)] == [
        0.2,
        0.2,
        0.5,
        0.5,
        0.05,
        0.05,
    ]
    assert "rate" not in knobs_now(config, 99)
    assert config.loss["temperature"] == 0.2
