"""Loss against score: the formula of one anchor with the numbers of this moment; its symbols brush their pairs."""

from functools import lru_cache, partial

import pandas as pd
import streamlit as st

from app import items, state
from app.live import Lab
from app.view import View, knobs_now
from app.views import lab_brush
from components import theme
from components.pair_cards import side
from components.panels import loss_against_score
from models.anchor_loss import anchor_loss, usual_anchor
from models.diagnostics.anchor_curve import AnchorLoss
from models.diagnostics.anchor_symbols import Formula, Symbol
from models.diagnostics.look import Look
from models.diagnostics.pairs import positions_of
from models.selection import ItemSet, PairList, Selection
from models.spec import Value

OPEN, ANCHOR, SYMBOL = "formula-open", "formula-anchor", "formula-symbol"
STYLE = "<style>.st-key-formula .katex-display { overflow: auto hidden; }</style>"  # on a phone it is scrolled
Given = tuple[tuple[str, Value], ...]  # the knobs of a lane, as a key


def section(lab: Lab, view: View) -> None:
    """The switch, and behind it the anchor, its formula, the symbols and the picture."""
    st.toggle(
        loss_against_score.TITLE, key=OPEN, value=bool(state.choice(OPEN, False)), on_change=partial(_turned, lab),
        help="The formula of one anchor with live numbers: choose a symbol, and its pairs light up in the panels.",
    )  # fmt: skip
    if not state.choice(OPEN, False):
        return
    with st.container(border=True, key="formula"):
        lane = min(theme.LETTERS.index(str(state.choice(lab_brush.LANE, "A"))), len(view.lanes) - 1)
        look = view.looks[lane]
        if look is None:
            lab.attempt(lambda: lab.player.brush(True))
            st.caption("The numbers come with the next look at the lanes.")
            return
        _lane(lab, view, lane, look)


def _turned(lab: Lab) -> None:
    """The board tells single pairs for as long as something shows them."""
    still = bool(state.get(OPEN)) or lab.page.held is not None
    if lab.player is not None:
        lab.attempt(lambda: lab.player.brush(still))


def _lane(lab: Lab, view: View, lane: int, look: Look) -> None:
    config = view.lanes[lane].config
    given: Given = tuple(knobs_now(config, look.step).items())
    anchor, why = _anchor(lab, lane, look, given)
    names = items.class_names(config.data)
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        called = side(int(look.item[anchor]), int(look.y[anchor]), names)
        st.markdown(f"{theme.badge(lane)} **Anchor** {called} ({why}) at step {look.step}", help=_HELP)
        if state.get(ANCHOR) is not None:
            st.button(
                "Largest loss",
                key="formula-largest",
                on_click=partial(_unpin, lab),
                help="Back to the anchor that loses most.",
            )
    found = _told(look, anchor, given, *_moved(lab.page.setup.brush, look, anchor))
    if found.formula is None:
        _weights_alone(look, anchor, found)
        return
    st.html(STYLE)
    st.latex(found.formula.tex)
    _symbols(lab, lane, look, found, found.formula)
    _picture(look, found, names)


_HELP = (
    "Every item is an anchor: the loss compares its positives with its negatives. Without a choice of yours this is "
    "the anchor that loses most; open a passport to see that item's."
)


def _anchor(lab: Lab, lane: int, look: Look, given: Given) -> tuple[int, str]:
    """(position, why this one): of the passport, as chosen, of the brush, or with the largest loss."""
    place, opened, brush = positions_of(look), lab.page.passport, lab.page.setup.brush
    asked = (
        (opened[1] if opened is not None and opened[0] == lane else None, "its passport is open"),
        (state.get(ANCHOR), "whose symbol was chosen"),
        (_brushed(brush), "brushed"),
    )
    for item, why in asked:
        if item in place:
            return place[item], why
    at = _usual(look, given)
    return (at, "largest loss") if at >= 0 else (0, "the first")


def _brushed(selection: Selection | None) -> int | None:
    """The one item that is brushed, or an end of the one pair."""
    if selection is None:
        return None
    brush = selection.brush
    if isinstance(brush, ItemSet):
        return brush.items[0] if len(brush.items) == 1 else None
    return brush.pairs[0][0] if isinstance(brush, PairList) and len(brush.pairs) == 1 else None


def _moved(selection: Selection | None, look: Look, anchor: int) -> tuple[int | None, int | None]:
    """Positions of the positive and of the negative whose scores move: those of a single brushed pair of the anchor."""
    brush = None if selection is None else selection.brush
    pairs = brush.pairs if isinstance(brush, PairList) else ()
    mine = int(look.item[anchor])
    if len(pairs) != 1 or mine not in pairs[0]:
        return None, None
    other = positions_of(look).get(pairs[0][1] if pairs[0][0] == mine else pairs[0][0])
    return other, other  # whichever kind it is of; the other curve stays with its usual candidate


@lru_cache(maxsize=64)
def _usual(look: Look, given: Given) -> int:
    return usual_anchor(look, dict(given))


@lru_cache(maxsize=64)
def _told(look: Look, anchor: int, given: Given, positive: int | None, negative: int | None) -> AnchorLoss:
    return anchor_loss(look, anchor, dict(given), positive, negative)


def _unpin(lab: Lab) -> None:
    """Let go of the anchor, and of the pairs that a symbol of it brushed."""
    state.put(ANCHOR, None)
    state.put(SYMBOL, None)
    lab.page.passport = None
    if lab.page.setup.brush is not None and isinstance(lab.page.setup.brush.brush, PairList):
        lab.brush(None)


def _weights_alone(look: Look, anchor: int, found: AnchorLoss) -> None:
    st.caption(f"{found.why_not[:1].upper()}{found.why_not[1:]}.")
    if look.weight is not None:
        row = look.weight[anchor]
        pull, push = float(-row[row < 0].sum()), float(row[row > 0].sum())
        st.markdown(
            f"In its row: pull {theme.number(pull)}, push {theme.number(push)}. The passport lists each weight."
        )


def _symbols(lab: Lab, lane: int, look: Look, found: AnchorLoss, told: Formula) -> None:
    keys = [symbol.key for symbol in told.symbols]
    tex = {symbol.key: f"${symbol.tex}$" for symbol in told.symbols}
    if state.get(SYMBOL) not in (None, *keys):
        state.put(SYMBOL, None)  # another lane's loss has other symbols
    st.pills(
        "Symbols", keys, format_func=tex.__getitem__, key=SYMBOL, on_change=partial(_choose, lab, lane, look, found),
        help="Choose one with the pointer or with Tab, the arrows and Space: its pairs are brushed in every panel.",
    )  # fmt: skip
    chosen = told.find(str(state.get(SYMBOL)))
    st.markdown(_said(chosen) if chosen is not None else "Choose a symbol to see what it is and where it stands.")


def _choose(lab: Lab, lane: int, look: Look, found: AnchorLoss) -> None:
    """Brush the pairs of the chosen symbol, and stay with this anchor."""
    symbol = found.formula.find(str(state.get(SYMBOL))) if found.formula is not None else None
    if symbol is None:
        return
    mine = int(look.item[found.anchor])
    state.put(ANCHOR, mine)
    # Two views of one item are no pair of the panels.
    others = (int(look.item[k]) for k in symbol.columns if look.two_sided or k != found.anchor)
    pairs = tuple((mine, other) for other in others)
    if pairs:
        lab.attempt(lambda: lab_brush.take(lab, PairList(pairs), lane=theme.letter(lane)))


def _said(symbol: Symbol) -> str:
    told = f"${symbol.tex}$ = **{theme.number(symbol.value)}**: {symbol.means}."
    if not symbol.columns:
        return f"{told} {_SEEN.get(symbol.key, 'Its control stands on the card of the lane.')}"
    count = len(symbol.columns)
    pairs = "This pair is" if symbol.of == 1 else f"These {count} pairs are"
    if count < symbol.of:
        pairs = f"The first {count} of {symbol.of} pairs are"
    return f"{told} {pairs} brushed: solid in the histogram, dots on the weights, lines on the map, cards below them."


_SEEN = {
    "L_i": "The curve of losses shows the mean over all anchors.",
    "sum_k": "No pair is in this sum now.",
    "sum_j": "No pair is in this sum now.",
    "active": "No triplet of this anchor is broken.",
}


def _picture(look: Look, found: AnchorLoss, names: dict[int, str]) -> None:
    st.vega_lite_chart(
        loss_against_score.rows(found), loss_against_score.spec(), key="chart-formula", width="stretch",
        alt=loss_against_score.TITLE,
    )  # fmt: skip
    called = {c.column: side(int(look.item[c.column]), int(look.y[c.column]), names) for c in found.curves}
    st.caption(loss_against_score.sentence(found, called))
    with st.expander("Table"):
        st.dataframe(loss_against_score.table(found), hide_index=True)
        assert found.formula is not None, "an anchor with curves has a formula"
        st.dataframe(
            pd.DataFrame([{"symbol": s.key, "value": s.value, "what it is": s.means} for s in found.formula.symbols]),
            hide_index=True,
        )
