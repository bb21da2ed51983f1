"""Pairs held as they are: kept by name, in the address, over later steps, and as files of all lanes."""

import io
from dataclasses import replace

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from app import brushing, files
from app.address import default_setup, from_query, to_query
from app.looked_at import MOST_KEPT, Comparison, Looked, fields_of, left_out, looked_of
from models.diagnostics.look import Look
from models.selection import ItemSet, PairList, ScoreBand, Selection, resolve
from models.selection_text import to_text
from tests.app.boards import LocalBoards
from tests.app.drawn import Opener, press, sound
from tests.diagnostics.looks import look_by_hand

HARD = "scores=negative,0.9,1.0;among=seen;lane=A"
SMALL = {"lane": ["infonce", "supcon"], "panels": "scores,roc"}
BAND = Selection(ScoreBand("negative", 0.5, 1.0), lane="A", among="seen")
MANY = PairList(tuple((i, j) for i in range(80) for j in range(i + 1, 80)))


def said(page: AppTest) -> str:
    return next(part.value for part in page.markdown if " pairs**: " in part.value)


def field(page: AppTest, name: str) -> list[str]:
    """The values of a field of the address."""
    value = page.query_params[name]
    return [value] if isinstance(value, str) else list(value)


def named(page: AppTest, name: str) -> AppTest:
    box = next(box for box in page.text_input if str(box.key).startswith("brush-name"))
    return sound(box.set_value(name).run())


def look_at(boards: LocalBoards, lane: int) -> Look:
    look = boards.players["board0"].state().lanes[lane].raw
    assert look is not None
    return look


def test_held_pairs_stay_while_their_scores_go_on(opened: Opener, boards: LocalBoards) -> None:
    page = opened(brush=HARD, **SMALL)
    first = look_at(boards, 0)
    pairs = resolve(Selection(ScoreBand("negative", 0.9, 1.0), among="seen"), first)
    before = first.s[pairs.i, pairs.j]
    assert len(pairs) > 50
    page = press(press(page, "brush-hold"), "step20")
    now = look_at(boards, 0)
    assert now.step == 20
    assert said(page).startswith(f"**held 1: {len(pairs):,} pairs**: pairs held since step 0 in lane A at step 20")
    after = now.s[pairs.i, pairs.j]
    assert after.min() < 0.9 < before.min()  # the band would have let them go
    told = [part.value for part in page.caption if "ticks: " in part.value]
    assert f"negatives from {before.mean():.2f} to {after.mean():.2f} on average since step 0" in told[0]
    other = look_at(boards, 1).s[pairs.i, pairs.j].mean()
    assert f" to {other:.2f} on average since step 0" in told[1]


def test_the_table_of_held_pairs_has_all_lanes(opened: Opener, boards: LocalBoards) -> None:
    page = press(press(opened(brush="scores=negative,0.99,1.0;lane=A", **SMALL), "brush-hold"), "step")
    page = named(page, "hard ones")
    offer = files.OFFERS.find(page.session_state["page"].ticket, "hard-ones.csv")
    assert offer is not None
    table = pd.read_csv(io.BytesIO(offer[1]()))
    assert list(table["lane"].unique()) == ["A", "B"]
    ids = {lane: set(zip(part["item_i"], part["item_j"], strict=True)) for lane, part in table.groupby("lane")}
    assert ids["A"] == ids["B"] == set(page.session_state["page"].setup.brush.brush.pairs)
    assert set(table["step"]) == {1}


def test_names_are_kept_chosen_again_and_forgotten(opened: Opener) -> None:
    page = named(opened(brush=HARD, **SMALL), "hard")
    assert field(page, "brush") == [f"{HARD};name=hard"]
    page = press(page, "brush-clear")
    assert "brush" not in page.query_params
    assert field(page, "kept") == [f"{HARD};name=hard"]
    pills = next(part for part in page.pills if str(part.key).startswith("brush-kept"))
    page = sound(pills.set_value("hard").run())
    assert said(page).startswith("**hard: ")
    assert "kept" not in page.query_params
    page = press(page, "brush-forget")
    assert not {"kept", "brush"} & set(page.query_params)


def test_a_link_carries_every_name_once() -> None:
    looked = Looked().naming(BAND, "hard").naming(Selection(ItemSet((3, 4)), name=""), "two; items")
    assert [one.name for one in looked.kept] == ["hard", "two; items"]
    setup = replace(default_setup(), looked=looked)
    query = {name: [value] if isinstance(value, str) else value for name, value in to_query(setup).items()}
    assert query["brush"] == ["items=any,3.4;name=two%3B%20items"]
    assert query["kept"] == ["scores=negative,0.5,1.0;among=seen;lane=A;name=hard"]
    again, problems = from_query(query)
    assert problems == ()
    assert again.looked == looked


def test_pairs_beyond_an_address_are_kept_and_said_to_be_left_out() -> None:
    looked = Looked().naming(BAND, "hard").naming(Selection(MANY, step=7), "many")
    with pytest.raises(ValueError, match="an address has room for"):
        to_text(Selection(MANY))
    assert left_out(looked) == ("many",)
    assert set(fields_of(looked)) == {"kept"}
    assert fields_of(looked)["kept"] == [to_text(replace(BAND, name="hard"))]
    assert looked.brush is not None
    assert looked.brush.brush is MANY


def test_names_are_of_one_selection_and_few() -> None:
    looked = Looked().naming(BAND, "hard")
    with pytest.raises(ValueError, match="another selection is called 'hard'"):
        looked.naming(Selection(ItemSet((3,))), "hard")
    assert looked.naming(replace(BAND, name="hard"), "harder").kept == (replace(BAND, name="harder"),)
    assert looked.naming(replace(BAND, name="hard"), "").kept == ()
    for k in range(MOST_KEPT - 1):
        looked = looked.naming(Selection(ItemSet((k,))), looked.free_name())
    assert looked.free_name() == f"held {MOST_KEPT}"
    with pytest.raises(ValueError, match="8 selections have names"):
        looked.naming(Selection(ItemSet((99,))), "one more")


def test_other_data_keep_what_still_means_something() -> None:
    looked = Looked().naming(Selection(ItemSet((3,))), "items").naming(BAND, "band")
    assert looked.in_other_data().kept == (replace(BAND, name="band"),)
    assert looked.recalled("items").in_other_data().brush is None
    assert looked.recalled("nobody").brush == looked.brush


def test_what_an_address_says_wrongly_costs_one_message_each() -> None:
    told: list[str] = []
    looked = looked_of(
        "scores=x", ["items=any,3", "classes=1"], "sum,A,B", lambda given, why, instead: told.append(given)
    )
    assert told == ["compare=sum,A,B", "kept=classes=1", "brush=scores=x"]
    assert [one.name for one in looked.kept] == ["held 1"]
    twice = looked_of(
        "items=any,3;name=a", ["items=any,4;name=a"], None, lambda given, why, instead: told.append(given)
    )
    assert told[3:] == ["brush=items=any,3;name=a"]
    assert twice.brush == Selection(ItemSet((3,)))
    assert twice.kept == (Selection(ItemSet((4,)), name="a"),)


def test_a_comparison_is_of_two_lanes() -> None:
    looked = Looked(compared=Comparison("mirror", (2, 0)))
    assert fields_of(looked) == {"compare": "mirror,C,A"}
    told: list[str] = []
    assert looked_of(None, (), "mirror,C,A", lambda given, why, instead: told.append(given)) == looked
    assert told == []
    with pytest.raises(ValueError, match="needs two lanes, got A twice"):
        Comparison("mirror", (0, 0))
    assert not looked.compared.fits(2)  # type: ignore[union-attr]


def test_a_list_of_all_pairs_is_found_by_position() -> None:
    look = look_by_hand()
    everything = PairList((*((int(a), int(b)) for a in look.item for b in look.item if a < b), (7, 9999)))
    found = resolve(Selection(everything), look)
    assert len(found) == len(look.y) * (len(look.y) - 1) // 2
    assert hash(everything) == hash(PairList(everything.pairs))
    assert len(resolve(Selection(PairList(())), look)) == 0
    shown = brushing.shown(Selection(everything, step=0), (look,))
    assert brushing.went(shown, 0, ()) == ""
    held = shown.held().brush
    assert isinstance(held, PairList)
    assert set(held.pairs) == {*everything.pairs} - {(7, 9999)}


def test_two_lanes_on_the_same_bins_are_chosen_and_kept_in_the_address(opened: Opener) -> None:
    page = press(opened(lane=["infonce", "supcon", "triplet"], panels="scores,roc", compare="mirror,C,A"), "step")
    assert titles(page)[0].startswith("**Scores of pairs, two lanes")
    assert field(page, "compare") == ["mirror,C,A"]
    told = [part.value for part in page.caption if part.value.startswith("AUC of lane A minus that of lane C")]
    assert len(told) == 1
    assert page.slider(key="threshold").value == 0.5
    page.session_state["menu-scores"] = True
    page = sound(page.run())
    page = sound(page.selectbox(key="compare-how").select_index(3).run())
    assert field(page, "compare") == ["difference,C,A"]
    second = next(part for part in page.segmented_control if part.key == "compare-second")
    page = sound(second.set_value(1).run())
    assert field(page, "compare") == ["difference,C,B"]
    page = sound(page.selectbox(key="compare-how").select_index(0).run())
    assert "compare" not in page.query_params
    assert titles(page)[0] == "**Scores of pairs**"


def titles(page: AppTest) -> list[str]:
    return [part.value for part in page.markdown if part.value.startswith(("**Scores", "**ROC"))]


def test_a_comparison_waits_for_its_lanes(opened: Opener) -> None:
    page = press(opened(lane=["infonce"], panels="scores", compare="overlay,A,B"), "step")
    assert titles(page) == ["**Scores of pairs**"]
    assert field(page, "compare") == ["overlay,A,B"]
