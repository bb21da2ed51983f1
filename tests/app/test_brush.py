"""The brush of the page: in the address, by keyboard, on the recording, and what the bar says of it."""

import re

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from app import brushing
from app.address import default_setup, from_query, to_query
from app.views import lab_brush
from components import pair_cards
from models.diagnostics.cards import cards
from models.diagnostics.passport import passport
from models.selection import Block, ClassCell, ItemSet, RateBand, ScoreBand, Selection, resolve
from tests.app.boards import LocalBoards
from tests.app.drawn import Opener, press, sound
from tests.diagnostics.looks import look_by_hand

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


def html(page: AppTest) -> str:
    return " ".join(part.proto.body for part in page.get("html"))


def typed(page: AppTest, kind: str, **fields: str) -> AppTest:
    """Brush by numbers."""
    page = sound(next(part for part in page.segmented_control if part.key == "brush-kind").set_value(kind).run())
    for key, value in fields.items():
        field = next(field for field in page.text_input if field.key == key.replace("_", "-"))
        field.set_value(value)
    return press(page, "brush-typed")


def test_cards_stand_under_the_panels_and_open_a_passport(opened: Opener, boards: LocalBoards) -> None:
    page = opened(brush=HARD, **SMALL)
    assert html(page).count('class="pair negative"') == 2 * 8
    look = boards.players["board0"].state().lanes[0].raw
    assert look is not None
    found = cards(look, resolve(Selection(ScoreBand("negative", 0.5, 1.0), among="seen"), look), "weight", 8)
    wanted = pair_cards.words(found, 0)
    assert wanted[1].startswith("push ")
    assert all(line in html(page) for line in wanted)
    page = press(page, "side-0-0-1")
    at = int(found.j[0])
    assert f"**Passport of item #{found.item_j[0]}**" in " ".join(part.value for part in page.markdown)
    told = passport(look, at)
    assert f"{told.positive_count} positives, {told.negative_count} negatives" in " ".join(
        p.value for p in page.markdown
    )
    assert html(page).count('class="ranked"') == 2
    page = press(page, "passport-close")
    assert html(page).count('class="ranked"') == 0


def test_cards_of_a_playing_board_are_one_piece(opened: Opener) -> None:
    page = press(opened(brush=HARD, **SMALL), "play")
    assert html(page).count('class="pair negative"') == 2 * 8
    assert [button for button in page.button if str(button.key).startswith("side-")] == []


def test_the_threshold_shows_its_pairs_and_the_best_for_the_costs(opened: Opener, boards: LocalBoards) -> None:
    page = press(opened(**SMALL), "step")
    page = sound(page.toggle(key="threshold-pairs").set_value(True).run())
    look = boards.players["board0"].state().lanes[0].raw
    assert look is not None
    middle = round(float(np.median(look.pair_scores("seen").negative)), 2)
    page = sound(page.slider(key="threshold").set_value(middle).run())
    assert html(page).count('class="pair ') == 16
    page = sound(page.number_input(key="cost-accept").set_value(50.0).run())
    whole = look.pair_scores("seen")
    scores = np.sort(np.concatenate([whole.positive, whole.negative]))
    tried = np.append(scores[:: len(scores) // 400], 1.01)
    cost = [((whole.negative >= t).sum() * 50.0 + (whole.positive < t).sum()) / len(scores) for t in tried]
    told = next(part.value for part in page.markdown if "best" in part.value and "a pair" in part.value)
    best, least = (float(number) for number in re.search(r"best ([-\d.]+): ([\d.e-]+)", told).groups())  # type: ignore[union-attr]
    assert least <= min(cost) * 1.001
    page = press(page, "best-0")
    assert page.slider(key="threshold").value == pytest.approx(min(best, 1.0), abs=0.006)
    assert page.slider(key="threshold").value != middle


def test_a_drag_becomes_a_band_within_the_axis() -> None:
    assert brushing.dragged("scores", {"x": [0.91234, 0.5]}, "negative") == ScoreBand("negative", 0.5, 0.912)
    assert brushing.dragged("scores", {"x": [-1.2, 1.3]}, "both") == ScoreBand("both", -1.0, 1.0)
    assert brushing.dragged("roc", {"fpr": [-0.1, 0.25]}, "both") == RateBand("fpr", 0.0, 0.25)
    assert brushing.dragged("roc", {}, "both") is None
    assert brushing.dragged("scores", {"x": [0.3, 0.3]}, "both") is None


def test_a_lasso_becomes_the_items_of_its_rows() -> None:
    rows = [np.array([10, 11, 12]), np.array([40]), np.array([10, 11, 12])]
    groups = [{"series_index": 0, "data_indices": [2, 0]}, {"series_index": 1, "data_indices": [0]}]
    assert brushing.lassoed_items(groups, rows) == (10, 12, 40)
    assert brushing.lassoed_items([{"series_index": 7, "data_indices": [0]}], rows) == ()


def test_a_clicked_cell_becomes_its_classes() -> None:
    labels = [np.array([0, 1, 2]), np.array([3, 5, 8])]
    assert brushing.clicked_cell([{"lane": "B", "at": 2.0, "place": 1}], labels) == (1, ClassCell(8, 5))
    assert brushing.clicked_cell([{"lane": "A", "at": 0, "place": 0}], labels) == (0, ClassCell(0, 0))
    assert brushing.clicked_cell([], labels) is None


def test_a_box_on_a_heat_map_becomes_ranks() -> None:
    cells = [(500, (50, 50)), (100, (50, 50)), (100, (50, 10))]
    box = {"xref": "x", "yref": "y", "x": [19.6, 24.4], "y": [-0.5, 4.49]}
    assert brushing.boxed(box, cells) == (0, Block((0, 50), (200, 250)))
    assert brushing.boxed({**box, "xref": "x2", "x": [60.0, 48.6]}, cells) == (1, Block((0, 10), (98, 100)))
    with pytest.raises(ValueError, match="lane C are not of pairs"):
        brushing.boxed({**box, "xref": "x3"}, cells)


@pytest.mark.parametrize("text", ["", "3, x", "-4", "3.5", "1" * 12])
def test_items_that_are_no_numbers_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="items"):
        brushing.numbers_of(text)


def test_words_of_every_brush() -> None:
    named = {1: "one"}
    told = {
        brushing.words(Selection(brush), named)
        for brush in (
            ScoreBand("negative", 0.6, 0.9), RateBand("fpr", 0.0, 0.1), ClassCell(1, 7), ClassCell(1, 1),
            Block((0, 50), (50, 100)), ItemSet((3, 4)), ItemSet((3, 4), "both"),
        )
    }  # fmt: skip
    assert told == {
        "negatives scoring 0.60 to 0.90 in lane A",
        "pairs accepted between 0.0 % and 10.0 % false positives in lane A",
        "pairs of class one with class 7 in lane A",
        "pairs within class one in lane A",
        "pairs in a block of the heat map, ranks 0 to 49 against ranks 50 to 99 in lane A",
        "pairs with one of 2 items in lane A",
        "pairs among 2 items in lane A",
    }


def test_shares_are_of_all_pairs_of_the_scope() -> None:
    look = look_by_hand()
    found = brushing.shown(Selection(ScoreBand("negative", 0.2, 1.0), lane="B", among="seen"), (None, look))
    whole = look.pair_scores("seen").negative
    share = 100 * (whole >= 0.2).sum() / len(whole)
    assert brushing.share_words(found).startswith(f"{share:.1f} % of negatives, ")
    assert found.lane == 1
    assert found.lanes[0] is None
    with pytest.raises(ValueError, match="lane 'A'"):
        brushing.shown(Selection(ScoreBand("both", 0.2, 1.0), lane="A"), (None, look))


def test_every_lane_tells_its_own_shares_and_ticks(opened: Opener, boards: LocalBoards) -> None:
    page = press(opened(brush="classes=0,1", **SMALL), "step")
    looks = [lane.raw for lane in boards.players["board0"].state().lanes]
    told = [part.value for part in page.caption if "ticks: " in part.value]
    assert len(told) == len(looks) == 2
    for look, words in zip(looks, told, strict=True):
        assert look is not None
        count = int((look.y == 0).sum()) * int((look.y == 1).sum())
        share = 100 * count / len(look.pair_scores("all").negative)
        assert f"ticks: 100 of {count:,} negative pairs: {share:.1f} % of negatives" in words
        assert " of the push" in words


def test_cards_and_passports_escape_names() -> None:
    look = look_by_hand()
    made = cards(look, resolve(Selection(ScoreBand("both", -1.0, 1.0)), look), "wrong", 3)
    names = {k: "<b>x</b>" for k in range(10)}
    assert "<b>" not in pair_cards.grid(made, names, None)
    assert "<img" not in pair_cards.grid(made, names, None)
    drawn = pair_cards.ranked(passport(look, 2).negatives, names, {int(k): f"items/x/{k}" for k in look.item})
    assert "<b>" not in drawn
    assert drawn.count("<img") == drawn.count("<tr>") - 1 > 0


def test_a_card_without_weights_says_why() -> None:
    look = look_by_hand()
    bare = brushing.shown(Selection(ScoreBand("both", -1.0, 1.0)), (look,))
    made = cards(look, bare.pairs[0], "weight", 1)  # type: ignore[arg-type]
    assert pair_cards.words(made, 0)[1].startswith(("push", "pull"))
    absent = type(made)(**{**made.__dict__, "weight": np.full(1, np.nan), "why_no_weight": "it reads logits"})
    assert pair_cards.words(absent, 0)[1] == "no weight: it reads logits"
