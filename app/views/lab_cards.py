"""Under the panels: cards of the brushed pairs, the passport of an item, and the pairs at the threshold."""

from collections.abc import Sequence
from functools import lru_cache, partial
from math import isfinite

import numpy as np
import streamlit as st

from app import brushing, items, state
from app.live import Lab
from app.view import View
from app.views import lab_brush, lab_extras, lab_formula
from components import pair_cards, theme
from components.pair_cards import Names, Pictures
from models.diagnostics.cards import Cards, cards, nearest
from models.diagnostics.look import Look
from models.diagnostics.pairs import Pairs, positions_of
from models.diagnostics.passport import passport
from models.diagnostics.summary import Summary
from models.diagnostics.threshold import Costs, best_threshold, expected_cost
from models.diagnostics.trails import score_trail

MOST = 8  # cards of a lane, and pairs on each side of the threshold
ORDERS = {"weight": "heaviest first", "score": "highest score first", "wrong": "most wrong first"}
AT_THRESHOLD = "threshold-pairs"


def under(lab: Lab, view: View) -> None:
    """All of it; what needs single pairs appears while a brush is held or the threshold's pairs are asked for."""
    if not view.live:
        return
    st.html(f"<style>{pair_cards.STYLE}</style>")
    found = lab_brush.held(lab, view)
    if found is not None:
        _brushed(lab, view, found)
        _passport(lab, view)
    lab_formula.section(lab, view)
    _threshold(lab, view)


def _seen(view: View, look: Look) -> tuple[Names, Pictures]:
    """How the items of a look are called and how they look."""
    data = view.lanes[0].config.data
    return items.class_names(data), items.pictures(data, look.item)


@lru_cache(maxsize=64)
def _cards(look: Look, pairs: Pairs, order: str) -> Cards:
    return cards(look, pairs, order, MOST)


def _brushed(lab: Lab, view: View, found: brushing.Shown) -> None:
    with st.container(key="cards"):
        st.segmented_control(
            "Cards", tuple(ORDERS), default="weight", required=True, key="cards-order",
            format_func=ORDERS.__getitem__, label_visibility="collapsed",
        )  # fmt: skip
        order = str(state.choice("cards-order", "weight"))
        for index, (look, pairs) in enumerate(zip(found.looks, found.pairs, strict=True)):
            if look is None or pairs is None:
                continue
            made = _cards(look, pairs, order)
            several = f"{len(made)} of {len(pairs):,} brushed pairs, {ORDERS[order]}"
            st.markdown(f"{theme.badge(index)} {several} · step {look.step}")
            _lane(lab, view, index, look, made)


@lru_cache(maxsize=16)
def _lines(kept: tuple[Summary, ...], made: Cards) -> tuple[str, ...]:
    """A line of scores over steps for each card."""
    trail = score_trail(kept, made.pairs)
    return tuple(pair_cards.sparkline(trail, k, positive=bool(made.positive[k])) for k in range(len(made)))


def _lane(lab: Lab, view: View, index: int, look: Look, made: Cards) -> None:
    """Cards of a lane: one piece of HTML while it trains, since buttons that move cannot be pressed."""
    names, pictures = _seen(view, look)
    if view.playing:
        st.html(pair_cards.grid(made, names, pictures))
        return
    lines = _lines(view.lanes[index].kept, made)
    with st.grid(MOST, min_column_width=140, key=f"cards-{index}"):
        for k in range(len(made)):
            with st.container(gap="xxsmall"):
                st.html(pair_cards.card(made, k, names, pictures, lines[k]))
                with st.container(horizontal=True, gap="xxsmall"):
                    for end, item in enumerate((int(made.item_i[k]), int(made.item_j[k]))):
                        st.button(
                            f"#{item}", key=f"side-{index}-{k}-{end}", type="tertiary", help="Open its passport.",
                            on_click=partial(_open, lab, index, item),
                        )  # fmt: skip


def _open(lab: Lab, lane: int, item: int) -> None:
    lab.page.passport = (lane, item)


def _close(lab: Lab) -> None:
    lab.page.passport = None


def _passport(lab: Lab, view: View) -> None:
    """The item that was asked for, in the lane where it was."""
    if lab.page.passport is None:
        return
    lane, item = lab.page.passport
    look = view.looks[lane] if lane < len(view.looks) else None
    at = None if look is None else positions_of(look).get(item)
    if look is None or at is None:
        return
    found = passport(look, at)
    names, pictures = _seen(view, look)
    with st.container(border=True, key="passport"):
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            st.markdown(f"{theme.badge(lane)} **Passport of item #{item}** at step {look.step}")
            st.button("Close", key="passport-close", on_click=partial(_close, lab))
        st.markdown(" ".join(pair_cards.sentences(found, look.item, names)))
        for column, (title, ranked) in zip(
            st.columns(2), (("Positives", found.positives), ("Negatives", found.negatives)), strict=True
        ):
            with column:
                st.markdown(f"**{title}**, nearest first")
                st.html(pair_cards.ranked(ranked, names, pictures))


def _threshold(lab: Lab, view: View) -> None:
    """What mistakes cost, the best threshold for it, and the pairs that a little more or less would flip."""
    st.toggle(
        "Pairs at the threshold, and what mistakes cost",
        key=AT_THRESHOLD,
        value=bool(state.choice(AT_THRESHOLD, False)),
    )
    if not state.choice(AT_THRESHOLD, False):
        return
    with st.container(border=True, key="threshold-cards"):
        costs = _costs()
        among = "unseen" if state.choice("score-unseen", False) else "seen"
        for index, look in enumerate(view.looks):
            if look is not None:
                _lane_cost(index, look, among, costs)
        home = min(theme.LETTERS.index(str(state.choice(lab_brush.LANE, "A"))), len(view.looks) - 1)
        near = view.looks[home]
        if near is None:
            st.caption("The pairs come with the next look at the lanes.")
            return
        _nearest(view, home, near, among)


def _costs() -> Costs:
    with st.container(horizontal=True):
        accept = st.number_input("Cost of a false accept", 0.0, None, 1.0, 0.5, key="cost-accept", width=190)
        reject = st.number_input("Cost of a false reject", 0.0, None, 1.0, 0.5, key="cost-reject", width=190)
        share = st.number_input(
            "Positives in use (%)", 0.0, 100.0, None, 1.0, key="cost-prior", placeholder="as here", width=190,
            help="How often a pair is positive where the threshold will be used. Empty: as often as among these pairs.",
        )  # fmt: skip
    return Costs(accept, reject, None if share is None else share / 100)


@lru_cache(maxsize=64)
def costed(look: Look, among: str, costs: Costs) -> tuple[float, float]:
    """(threshold, cost) of the least expected cost; nan without pairs of both kinds."""
    return best_threshold(look.pair_scores(among), costs)


def _lane_cost(index: int, look: Look, among: str, costs: Costs) -> None:
    best, least = costed(look, among, costs)
    if not isfinite(best):
        st.caption(f"{theme.badge(index)} has not pairs of both kinds here.")
        return
    at = lab_extras.threshold()
    now = float(expected_cost(look.pair_scores(among), np.array([at]), costs)[0])
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(
            f"{theme.badge(index)} at {at:.2f}: {theme.number(now)} a pair · best {best:.3f}: {theme.number(least)}"
        )
        st.button("Use it", key=f"best-{index}", type="tertiary", on_click=partial(_use, best))


def _use(best: float) -> None:
    state.put("threshold", round(min(max(best, -1.0), 1.0), 2))


def _nearest(view: View, index: int, look: Look, among: str) -> None:
    names, pictures = _seen(view, look)
    for word, made in zip(
        ("Just accepted", "Just rejected"), near_cards(look, lab_extras.threshold(), among), strict=True
    ):
        st.markdown(f"{theme.badge(index)} {word}: {theme.many(len(made), 'pair')}, nearest first")
        st.html(pair_cards.grid(made, names, pictures))


@lru_cache(maxsize=64)
def near_cards(look: Look, threshold: float, among: str) -> Sequence[Cards]:
    """Cards of the accepted and of the rejected pairs that are nearest to a threshold."""
    return [cards(look, side, "given", MOST) for side in nearest(look, threshold, MOST, among)]
