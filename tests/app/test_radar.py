"""The radar on the page: search, cards, and the lane that races without the suspects."""

from models.pair_code import decode_pairs
from models.training.config import MASK
from tests.app.boards import LocalBoards
from tests.app.drawn import Opener, press, sound


def test_search_and_race_without_the_suspects(opened: Opener, boards: LocalBoards) -> None:
    page = opened(lane=["infonce"], data="clusters", data__label_flips="0.1", panels="spectrum")
    page = press(page, "step20")
    page.session_state["radar-on"] = True
    page = press(sound(page.run()), "radar-lane")
    told = " ".join(part.value for part in page.markdown)
    assert "(precision)" in told
    assert any('class="pairs"' in part.proto.body for part in page.get("html"))
    press(page, "radar-race-")
    lanes = boards.players["board0"].state().lanes
    assert [len(lane.config.events) for lane in lanes] == [0, 1]
    (event,) = lanes[1].config.events
    assert (event.knob, event.step) == (MASK, lanes[0].step)
    assert len(decode_pairs(str(event.value))) > 0


def test_the_recording_says_what_it_needs(opened: Opener, boards: LocalBoards) -> None:
    page = opened()
    page.session_state["radar-on"] = True
    page = sound(page.run())
    assert any("press Play first" in caption.value for caption in page.caption)
