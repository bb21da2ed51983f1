"""Slow motion: the next step of a lane, trained for real and shown phase by phase."""

from functools import partial
from html import escape

import streamlit as st

from app import items, state
from app.live import Lab
from app.view import LaneView, View
from components import theme
from components.panels import slow_motion
from models.diagnostics.slow_step import SlowStep

KEYS = {"next": "n", "back": "b"}
STYLE = """<style>
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(3.4rem, 1fr)); gap: 0.3rem; margin: 0; }
.cards figure { margin: 0; text-align: center; font-size: 0.7rem; overflow: hidden; text-overflow: ellipsis; }
.cards img { width: 2.4rem; height: 2.4rem; object-fit: contain; image-rendering: pixelated; }
</style>"""


def switch() -> None:
    """The toggle in the toolbar."""
    st.toggle("Slow motion", key="slow-on", help="Walk through one training step in five phases.")


def section(lab: Lab, view: View) -> None:
    """What the switch opens: phases, the picture of one, and the sentence."""
    if not state.get("slow-on"):
        return
    with st.container(border=True, key="slow"):
        lane, index = _lane(view)
        found: SlowStep | None = state.get(_key(lab, lane))
        if found is not None and found.step > lane.step:  # the lane went back since
            found = None
        phase = _phase(lane) if found is not None else -1
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"{theme.badge(index)} **{slow_motion.TITLE}**", help=slow_motion.HELP)
            st.button("Phase before", key="slow-back", shortcut=KEYS["back"], disabled=phase < 1,
                      on_click=partial(_go, lane, phase - 1))  # fmt: skip
            last = phase in (-1, len(slow_motion.PHASES) - 1)
            st.button("Draw the next batch" if last else "Next phase", key="slow-next", shortcut=KEYS["next"],
                      type="primary", on_click=partial(_draw, lab, lane) if last else partial(_go, lane, phase + 1),
                      help="The step is trained, once, when its batch is drawn.")  # fmt: skip
            marks = (f"**{name}**" if at == phase else name for at, name in enumerate(slow_motion.PHASES))
            st.markdown(" → ".join(marks))
        if found is None:
            st.caption("Draw a batch: the lane trains one step, and here you see what happens in it.")
            return
        _show(lane, found, slow_motion.PHASES[phase])


def _lane(view: View) -> tuple[LaneView, int]:
    letters = [theme.letter(index) for index in range(len(view.lanes))]
    at = 0
    if len(letters) > 1:
        chosen = st.segmented_control("Lane of slow motion", letters, default="A", required=True, key="slow-lane")
        at = letters.index(str(chosen)) if chosen in letters else 0
    return view.lanes[at], at


def _key(lab: Lab, lane: LaneView) -> str:
    """Where the step of a lane is kept; lanes that start anew begin without one."""
    return f"slow-step-{lab.page.round}-{lab.page.board}-{lane.id}"


def _phase(lane: LaneView) -> int:
    return int(state.get(f"slow-phase-{lane.id}", 0))


def _go(lane: LaneView, phase: int) -> None:
    state.put(f"slow-phase-{lane.id}", min(max(phase, 0), len(slow_motion.PHASES) - 1))


def _draw(lab: Lab, lane: LaneView) -> None:
    """Train one step; a press that the browser's messages deliver twice counts once."""
    if not state.fresh("slow-draw"):
        return
    found = lab.slow_step(lane)
    if found is not None:
        state.put(_key(lab, lane), found)
        _go(lane, 0)


def _show(lane: LaneView, found: SlowStep, phase: str) -> None:
    names = items.names(lane.config.data)
    st.caption(slow_motion.sentence(found, phase, names))
    if phase == "drawn":
        st.html(STYLE + _cards(lane, found, names))
        return
    if phase in ("scored", "weighed") and found.s is None:
        return
    st.plotly_chart(slow_motion.figure(found, phase, names), key=f"chart-slow-{phase}", config={"displaylogo": False})
    with st.expander("Table"):
        st.dataframe(slow_motion.table(found, names), height=220, hide_index=True)


def _cards(lane: LaneView, found: SlowStep, names: tuple[str, ...]) -> str:
    """The rows shown, as pictures where the set has them under an address, with their classes."""
    urls = items.pictures(lane.config.data, found.item) or {}
    cards = []
    for item, label in zip(found.item.tolist(), found.y.tolist(), strict=True):
        called = escape(names[label] if label < len(names) and names[label] else str(label))
        picture = f'<img src="{escape(urls[item])}" alt="item {item}" loading="lazy">' if item in urls else ""
        cards.append(f"<figure>{picture}<figcaption>{called}</figcaption></figure>")
    return f'<div class="cards">{"".join(cards)}</div>'
