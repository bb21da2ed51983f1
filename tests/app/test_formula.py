"""Loss against score on the page: the anchor, its formula with numbers, and symbols that brush their pairs."""

from streamlit.testing.v1 import AppTest

from models.anchor_loss import anchor_loss, usual_anchor
from models.diagnostics.look import Look
from models.selection import PairList
from models.selection_text import from_text
from tests.app.boards import LocalBoards
from tests.app.drawn import Opener, press, sound

SMALL = {"data": "clusters", "panels": "scores"}


def opened_formula(opened: Opener, losses: list[str]) -> AppTest:
    page = press(opened(lane=losses, **SMALL), "step")
    page = sound(page.toggle(key="formula-open").set_value(True).run())
    return sound(page.run())  # the looks come with the next tick


def look_of(boards: LocalBoards, lane: int = 0) -> Look:
    look = boards.players["board0"].state().lanes[lane].raw
    assert look is not None
    return look


def said(page: AppTest) -> str:
    return " ".join(part.value for part in page.markdown)


def test_the_formula_shows_the_numbers_of_the_anchor_that_loses_most(opened: Opener, boards: LocalBoards) -> None:
    page = opened_formula(opened, ["infonce", "triplet"])
    look, knobs = look_of(boards), dict(boards.players["board0"].state().lanes[0].config.loss.values)
    found = anchor_loss(look, usual_anchor(look, knobs), knobs)
    assert found.formula is not None
    assert [part.value for part in page.latex] == [f"$$\n{found.formula.tex}\n$$"]
    assert f"#{look.item[found.anchor]} (largest loss) at step 1" in said(page)
    assert any("This anchor alone loses" in caption.value for caption in page.caption)


def test_a_symbol_brushes_its_pairs_and_keeps_its_anchor(opened: Opener, boards: LocalBoards) -> None:
    page = opened_formula(opened, ["infonce"])
    look, knobs = look_of(boards), dict(boards.players["board0"].state().lanes[0].config.loss.values)
    found = anchor_loss(look, usual_anchor(look, knobs), knobs)
    hardest = found.curves[1]
    page = sound(page.pills(key="formula-symbol").set_value("s_ik").run())
    mine, other = (int(look.item[k]) for k in (found.anchor, hardest.column))
    held = page.query_params["brush"]
    assert from_text(held if isinstance(held, str) else held[0]).brush == PairList(((mine, other),))
    assert "**1 pair**: listed pairs" in said(page)
    assert f"= **{hardest.score:.3g}**: score of the hardest negative k" in said(page)
    assert "(whose symbol was chosen)" in said(page)
    page = sound(page.pills(key="formula-symbol").set_value("temperature").run())
    assert "Its control stands on the card of the lane" in said(page)
    assert "**1 pair**: listed pairs" in said(page)
    page = sound(press(page, "formula-largest").run())  # the looks come with the next tick
    assert "(largest loss)" in said(page)
    assert "brush" not in page.query_params


def test_a_loss_without_terms_says_so(opened: Opener, boards: LocalBoards) -> None:
    page = opened_formula(opened, ["cacr"])
    assert any("only the weights of the pairs are known" in caption.value for caption in page.caption)
    assert "In its row: pull" in said(page)
    assert len(page.latex) == 0


def test_closed_it_asks_for_nothing(opened: Opener, boards: LocalBoards) -> None:
    page = opened_formula(opened, ["circle"])
    assert len(page.latex) == 1
    page = sound(page.toggle(key="formula-open").set_value(False).run())
    assert [command for command in boards.players["board0"].told if command[0] == "brush"][-1] == ("brush", False)
    assert len(page.latex) == 0
