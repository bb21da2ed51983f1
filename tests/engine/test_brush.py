"""What a brush needs travels beside the summaries while one is held, and not otherwise."""

import numpy as np

from models.diagnostics.look import look_of
from models.engine.lane import BESIDE, NOW, LaneActor
from models.engine.registry import Boards
from tests.engine.helpers import eventually, loaded, plain, settled, small


def test_a_lane_gives_the_moment_of_its_summary_where_it_is_asked() -> None:
    actor = LaneActor(small().to_json())
    assert actor.advance(3, NOW).raw is None
    told = actor.advance(4, NOW, raw=True)
    assert told.summary is not None
    assert told.raw is not None
    assert told.raw.step == told.summary.step == 7
    wanted = look_of(plain(small(), 7).snapshot())
    np.testing.assert_array_equal(told.raw.z, wanted.z)
    assert wanted.weight is not None
    np.testing.assert_array_equal(told.raw.weight, wanted.weight)


def test_a_moment_made_beside_the_training_is_that_of_its_summary() -> None:
    actor = LaneActor(small().to_json())
    actor.advance(2, BESIDE, raw=True)
    told = eventually(lambda: next((t for t in [actor.advance(1)] if t.summary is not None), None))
    assert told.raw.step == told.summary.step == 2
    np.testing.assert_array_equal(told.raw.z, plain(small(), 2).snapshot().z)


def test_a_board_tells_moments_while_a_brush_is_held(boards: Boards) -> None:
    player = boards.create([small(), small(temperature=0.5)])
    loaded(player)
    player.step(3)
    assert [lane.raw for lane in settled(player, 3).lanes] == [None, None]
    player.brush(True)
    eventually(lambda: [lane.raw.step for lane in player.state().lanes if lane.raw is not None] == [3, 3])
    player.step(4)
    later = settled(player, 7)
    for lane, temperature in zip(later.lanes, (0.1, 0.5), strict=True):
        assert lane.raw is not None
        assert lane.raw.step == 7
        assert lane.raw.temperature == temperature
        np.testing.assert_array_equal(lane.raw.z, plain(small(temperature), 7).snapshot().z)
    player.brush(False)
    player.step(1)
    assert [lane.raw for lane in settled(player, 8).lanes] == [None, None]
