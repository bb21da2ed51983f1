"""Slow motion on the page: the switch, the five phases, and the step that is really trained."""

from streamlit.testing.v1 import AppTest

from components.panels import slow_motion
from tests.app.boards import LocalBoards
from tests.app.drawn import Opener, press, sound


def captions(page: AppTest) -> str:
    return " ".join(caption.value for caption in page.caption)


def slow(opened: Opener) -> AppTest:
    page = opened(lane=["infonce", "triplet"], data="clusters", panels="spectrum")
    assert not [button for button in page.button if button.key == "slow-next"]
    page.session_state["slow-on"] = True
    return sound(page.run())


def test_five_phases_of_one_step(opened: Opener, boards: LocalBoards) -> None:
    page = press(slow(opened), "slow-next")
    player = boards.players["board0"]
    assert [command[0] for command in player.told] == ["slow_step"]
    assert "Step 1 draws" in captions(page)
    assert any('class="cards"' in part.proto.body for part in page.get("html"))
    told = ["The encoder's", "Positive pairs score", "pairs shown have a weight", "The step turned a row by"]
    for words in told:
        page = press(page, "slow-next")
        assert words in captions(page)
        assert len(page.get("plotly_chart")) == 1
    assert [command[0] for command in player.told] == ["slow_step"]
    assert player.state().step == 1
    assert next(b for b in page.button if b.key == "slow-next").label == "Draw the next batch"
    page = press(page, "slow-back")
    assert f"**{slow_motion.PHASES[3]}**" in " ".join(part.value for part in page.markdown)


def test_a_lane_that_starts_anew_has_no_step_to_show(opened: Opener, boards: LocalBoards) -> None:
    page = press(slow(opened), "slow-next")
    assert "Step 1 draws" in captions(page)
    boards.players["board0"].show(step=-1)  # the lane stands before the step that was shown
    assert "Step 1 draws" not in captions(sound(page.run()))
    boards.players["board0"].show(step=1)
    assert "Step 1 draws" in captions(sound(page.run()))
    page.session_state["page"].round += 1
    assert "Step 1 draws" not in captions(sound(page.run()))


def test_a_refusal_is_a_message(opened: Opener, boards: LocalBoards) -> None:
    page = slow(opened)
    boards.players["board0"].refusal = "this run is being built; ask again in a moment"
    page = press(page, "slow-next")
    assert "being built" in " ".join(error.value for error in page.error)
