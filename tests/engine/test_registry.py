import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from models.engine.cluster import Engine
from models.engine.registry import Boards, QuotaError
from models.settings import Settings
from tests.engine.helpers import eventually, loaded, plain, settled, small, state_of


@pytest.fixture
def few(engine: Engine, settings: Settings) -> Iterator[Boards]:
    opened = Boards(engine, replace(settings, boards=1, sessions=2))
    yield opened
    opened.close()


def test_quotas_are_told_in_one_sentence(few: Boards) -> None:
    first, second = few.create([small()]), few.create([small()])
    first.play()
    with pytest.raises(
        QuotaError, match=r"^1 boards are training now, as many as this server takes; pause one first\.$"
    ):
        second.play()
    with pytest.raises(QuotaError, match="1 boards are training"):
        second.step()
    assert not second.state().playing
    first.pause()
    second.step(2)
    assert settled(second, 2).step == 2
    with pytest.raises(QuotaError, match=r"^All 2 places on this server are taken"):
        few.create([small()])
    with pytest.raises(QuotaError, match="at most 3 runs"):
        few.create([small()] * 4)
    few.release(first.board_id)
    assert few.get(first.board_id) is None
    assert few.create([small()]).board_id != first.board_id


def test_readers_wait_their_turn_to_train(few: Boards) -> None:
    first, second = few.create([small()]), few.create([small()])
    assert few.wait("a") == 0
    first.play()
    few.leave("a")
    assert [few.wait("b"), few.wait("c")] == [1, 2]
    first.pause()
    assert [few.wait("c"), few.wait("b")] == [1, 0]
    second.play()
    few.leave("b")
    assert few.wait("c") == 1
    second.pause()


def test_too_many_steps_are_refused(engine: Engine, settings: Settings) -> None:
    strict = Boards(engine, replace(settings, steps=100))
    with pytest.raises(QuotaError, match="at most 100 steps"):
        strict.create([small(steps=101)])
    strict.close()


def test_copy_has_the_same_lanes_at_the_same_step_and_goes_its_own_way(boards: Boards) -> None:
    original = boards.create([small(0.1), small(0.5)])
    original.step(30)
    settled(original, 30)
    original.set_knob(0, "loss.temperature", 0.2)
    copied = boards.copy(original.board_id)
    assert copied.board_id != original.board_id
    state = settled(copied, 30)
    assert [lane.config for lane in state.lanes] == [lane.config for lane in original.state().lanes]
    assert state.lanes[1].first is not None
    assert state.lanes[1].first.step == 0
    copied.step(10)
    settled(copied, 40)
    assert original.state().step == 30
    assert state_of(copied, 0) == plain(original.state().lanes[0].config, 40).pack()[0]
    with pytest.raises(ValueError, match="no such board"):
        boards.copy("0123456789abcdef")


def test_board_is_found_again_after_a_restart(engine: Engine, settings: Settings) -> None:
    before = Boards(engine, settings)
    player = before.create([small(0.1), small(0.5)])
    player.step(25)
    settled(player, 25)
    player.set_knob(1, "loss.temperature", 0.3)
    player.remove_lane("lane-0")
    player.add_lane(small(0.2))
    state = settled(player, 25)
    configs = [lane.config for lane in state.lanes]
    before.close()
    after = Boards(engine, settings)
    assert after.get(player.board_id) is None
    assert after.listed()[0].board_id == player.board_id
    found = after.restore(player.board_id)
    assert found is not None
    again = settled(found, 25)
    assert not again.playing
    assert [lane.id for lane in again.lanes] == ["lane-1", "lane-2"]
    assert [lane.config for lane in again.lanes] == configs
    found.step(5)
    settled(found, 30)
    assert state_of(found, 0) == plain(configs[0], 30).pack()[0]
    assert after.restore("0123456789abcdef") is None
    with pytest.raises(ValueError, match="no such board"):
        after.restore("../../etc")
    after.close()


def test_damaged_boards_are_told_and_do_not_hide_the_others(boards: Boards, settings: Settings) -> None:
    player = boards.create([small()])
    player.step(3)
    settled(player, 3)
    boards.release(player.board_id)
    folder: Path = settings.home / "boards" / player.board_id
    assert player.board_id in [board.board_id for board in boards.listed()]
    state = next((folder / "lane-0").glob("*.safetensors"))
    state.write_bytes(state.read_bytes()[:-1] + b"x")
    broken = boards.restore(player.board_id)
    assert broken is not None
    lane = eventually(lambda: lane if (lane := broken.state().lanes[0]).status == "failed" else None)
    assert "damaged" in lane.message
    boards.release(player.board_id)
    about = json.loads((folder / "board.json").read_text())
    (folder / "board.json").write_text(json.dumps({**about, "step": None}))
    assert player.board_id not in [board.board_id for board in boards.listed()]
    with pytest.raises(ValueError, match="cannot be read"):
        boards.restore(player.board_id)


def test_home_is_for_this_user_alone(boards: Boards, settings: Settings) -> None:
    loaded(boards.create([small()]))
    assert settings.home.stat().st_mode & 0o777 == 0o700


def test_board_that_nobody_looks_at_is_paused_then_released(engine: Engine, settings: Settings) -> None:
    hasty = Boards(engine, replace(settings, idle_s=1.5, forget_s=4.0))
    player, watched = hasty.create([small()]), hasty.create([small()])
    loaded(player)
    loaded(watched)
    hasty.look(player.board_id)
    player.play()
    watched.play()

    def left_alone() -> bool:
        hasty.look(watched.board_id)
        return not player.state().playing

    eventually(left_alone)
    eventually(lambda: "nobody looked" in player.state().message)
    assert watched.state().playing
    assert hasty.get(player.board_id) is player

    def forgotten() -> bool:
        hasty.look(watched.board_id)
        return hasty.get(player.board_id) is None

    eventually(forgotten)
    assert hasty.get(watched.board_id) is watched
    restored = hasty.restore(player.board_id)
    assert restored is not None
    assert loaded(restored).step == player.state().step
    hasty.close()


def test_a_board_that_nobody_looks_at_gives_way_but_goes_on(boards: Boards) -> None:
    watched, left = boards.create([small()]), boards.create([small()])
    for player in (watched, left):
        loaded(player)
        player.play()
    boards._seen[left.board_id] -= 20.0

    def given_way() -> bool:
        boards.look(watched.board_id)
        return left.gives_way and not watched.gives_way

    eventually(given_way)
    step = left.state().step
    eventually(lambda: left.state().step > step)
    watched.pause()
    eventually(lambda: not left.gives_way)
    left.pause()
