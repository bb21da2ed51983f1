"""The brush of the page: in the address, by keyboard, on the recording, and what the bar says of it."""

from streamlit.testing.v1 import AppTest

from app.address import default_setup, from_query, to_query
from app.views import lab_brush
from models.selection import ScoreBand, Selection
from tests.app.boards import LocalBoards
from tests.app.drawn import Opener, press, sound

HARD = "scores=negative,0.5,1.0;among=seen;lane=A"
SMALL = {"lane": ["infonce", "supcon"], "panels": "scores,roc"}


def said(page: AppTest) -> str:
    return next(part.value for part in page.markdown if " pairs**" in part.value)


def test_a_brush_is_part_of_the_address() -> None:
    query = {name: [value] if isinstance(value, str) else value for name, value in to_query(default_setup()).items()}
    setup, problems = from_query({**query, "brush": [HARD]})
    assert problems == ()
    assert setup.brush == Selection(ScoreBand("negative", 0.5, 1.0), lane="A", among="seen")
    assert to_query(setup)["brush"] == HARD


def test_a_bad_brush_costs_one_message() -> None:
    setup, problems = from_query({"brush": ["scores=negative,0.9,0.1"]})
    assert setup.brush is None
    assert len(problems) == 1
    assert "from low to high" in problems[0]


def test_other_data_keep_a_band_of_scores_and_no_items() -> None:
    setup, _ = from_query({"brush": [HARD]})
    data = default_setup().base.data
    assert setup.with_shared(data=data).brush == setup.brush
    listed, _ = from_query({"brush": ["classes=1,7"]})
    assert listed.brush is not None
    assert listed.with_shared(data=data).brush is None
    assert listed.with_shared(seed=1).brush == listed.brush


def test_a_link_with_a_brush_shows_its_pairs(opened: Opener, boards: LocalBoards) -> None:
    page = opened(brush=HARD, **SMALL)
    assert boards.players["board0"].told == [("brush", True)]
    look = boards.players["board0"].state().lanes[0].raw
    assert look is not None
    inside = [int((scores >= 0.5).sum()) for scores in (look.pair_scores("seen").negative,)]
    assert said(page).startswith(f"**{inside[0]:,} pairs**: negatives scoring 0.50 to 1.00 of seen classes in lane A")
    assert "at step 0" in said(page)
    assert "of the push" in said(page)
    page = press(page, "step")
    assert "at step 1" in said(page)


def test_clear_takes_the_brush_away_everywhere(opened: Opener, boards: LocalBoards) -> None:
    page = press(opened(brush=HARD, **SMALL), "brush-clear")
    assert "brush" not in page.query_params
    assert [command for command in boards.players["board0"].told] == [("brush", True), ("brush", False)]
    assert any(part.value == lab_brush.HINT for part in page.markdown)


def test_a_name_goes_into_the_address(opened: Opener) -> None:
    page = opened(brush=HARD, **SMALL)
    field = next(field for field in page.text_input if str(field.key).startswith("brush-name"))
    page = sound(field.set_value("hard ones").run())
    assert said(page).startswith("**hard ones: ")
    assert page.query_params["brush"] in ([f"{HARD};name=hard%20ones"], f"{HARD};name=hard%20ones")
