"""The radar: suspected false negatives of a lane, as cards, and a race without them."""

from functools import partial
from html import escape

import numpy as np
import streamlit as st

from app import items, state
from app.live import Lab
from app.view import LaneView, View
from components import theme
from components.panels import radar_cards
from models.training.radar import Found

STYLE = """<style>
.pairs { display: grid; grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr)); gap: 0.4rem; margin: 0; }
.pairs figure { margin: 0; padding: 0.3rem; border: 1px solid rgba(128, 128, 128, 0.4); border-radius: 0.4rem; }
.pairs figcaption { font-size: 0.75rem; }
.pairs img { width: 3rem; height: 3rem; object-fit: contain; image-rendering: pixelated; }
</style>"""


def switch() -> None:
    """The toggle in the toolbar."""
    st.toggle("Radar", key="radar-on", help="Look for training pairs that are pushed apart by mistake.")


def section(lab: Lab, view: View) -> None:
    """What the switch opens: a button a lane, what was found, and the race without it."""
    if not state.get("radar-on"):
        return
    with st.container(border=True, key="radar"):
        st.markdown(f"**{radar_cards.TITLE}**", help=radar_cards.HELP)
        if not view.live:
            st.caption("The radar searches training items of live lanes: press Play first.")
            return
        with st.container(horizontal=True):
            for index, lane in enumerate(view.lanes):
                words = f"Search lane {theme.letter(index)}"
                st.button(words, key=f"radar-{lane.id}", on_click=partial(_search, lab, lane))
        for index, lane in enumerate(view.lanes):
            found: Found | None = state.get(_key(lab, lane))
            if found is not None and found.step <= lane.step:  # else the lane went back since
                _show(lab, lane, index, found)


def _search(lab: Lab, lane: LaneView) -> None:
    found = lab.radar(lane)
    if found is not None:
        state.put(_key(lab, lane), found)


def _key(lab: Lab, lane: LaneView) -> str:
    """Where the findings of a lane are kept; lanes that start anew begin without any."""
    return f"radar-found-{lab.page.round}-{lab.page.board}-{lane.id}"


def _show(lab: Lab, lane: LaneView, index: int, found: Found) -> None:
    st.markdown(f"{theme.badge(index)} {radar_cards.sentence(found)}")
    if not found.suspects:
        return
    st.button(
        "Mask these and race", key=f"radar-race-{lane.id}", on_click=partial(_race, lab, lane, found),
        help=f"Adds a lane from the same start that leaves {theme.many(found.masked, 'pair')} out from step "
        f"{found.step} on.",
    )  # fmt: skip
    names = items.names(lane.config.data)
    st.html(STYLE + _cards(lane, found, names))
    with st.expander("Table"):
        st.dataframe(radar_cards.table(found, names), height=220, hide_index=True)


def _race(lab: Lab, lane: LaneView, found: Found) -> None:
    """A press that the browser's messages deliver twice counts once."""
    if state.fresh("radar-race"):
        lab.race_masked(lane, found.mask, found.step)


def _cards(lane: LaneView, found: Found, names: tuple[str, ...]) -> str:
    """Both items of each pair, as pictures where the set has them under an address, and what is known of the pair."""
    drawn = []
    for at, rows in enumerate(zip(found.rows_i.tolist(), found.rows_j.tolist(), strict=True)):
        both = (int(found.cards.label_i[at]), int(found.cards.label_j[at]))
        called = " and ".join(escape(radar_cards.class_name(label, names)) for label in both)
        told = f"suspicion {found.suspicion[at]:.2f}, cosine {found.cards.score[at]:.2f}"
        pictures = "".join(_picture(lane, row) for row in rows)
        drawn.append(f"<figure>{pictures}<figcaption>{called}<br>{told}</figcaption></figure>")
    return f'<div class="pairs">{"".join(drawn)}</div>'


def _picture(lane: LaneView, row: int) -> str:
    urls = items.pictures(lane.config.data, np.array([row]))
    return f'<img src="{escape(urls[row])}" alt="item {row}" loading="lazy">' if urls else f"<span>item {row} </span>"
