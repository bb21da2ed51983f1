"""The catalogue: every loss and method as a card, losses found by words, family, data and year; all on one batch."""

from collections.abc import Mapping

import streamlit as st

from app import loss_facts, state
from app.views import catalogue_batch
from components.widgets import loss_card, method_card
from models.catalogue import discover
from models.shapes import SHAPES, shapes_of
from models.spec import LossSpec

PAGE_OF = 12  # cards at once; the rest is one press away
COLUMNS = 3
POLL_S = 1.0  # between two looks for what is being measured
CARDS, METHODS, BATCH = "Losses", "Methods", "All on one batch"
STYLE = """
.stMainBlockContainer { padding-bottom: 2rem; }
[class*="st-key-card-"] .katex-display { overflow-x: auto; overflow-y: hidden; margin: 0.3rem 0; font-size: 0.88rem; }
@media (max-width: 640px) { [class*="st-key-card-"] .katex-display { font-size: 0.78rem; } }
[class*="st-key-card-"] .katex-display > .katex { white-space: normal; }
[class*="st-key-card-"] .katex-display .base { margin: 0.12rem 0; }
[class*="st-key-card-"] .foot { font-size: 0.85rem; }
[class*="st-key-card-"] .foot p { margin: 0.3rem 0; }
[class*="st-key-card-"] .foot img { max-width: 100%; display: block; }
[class*="st-key-card-"] .opens { color: inherit; text-decoration: underline; }
[class*="st-key-card-"] li, [class*="st-key-card-"] [data-testid="stExpander"] p { font-size: 0.88rem; }
[class*="st-key-card-"] [data-testid="stMarkdownContainer"] { overflow-wrap: anywhere; }
[data-testid="stCaptionContainer"] { opacity: 0.8; }
"""


def page() -> None:
    """Draw the page once; only what waits for a side worker looks again."""
    st.html(f"<style>{STYLE}</style>")
    st.markdown("### Catalogue of losses and methods")
    view = st.segmented_control(
        "View",
        (CARDS, METHODS, BATCH),
        default=CARDS,
        key="catalogue-view",
        label_visibility="collapsed",
        required=True,
    )
    if view == BATCH:
        catalogue_batch.draw()
    elif view == METHODS:
        _methods()
    else:
        _cards()


def specs() -> dict[str, LossSpec]:
    """All losses, ours before those of another library."""
    found = {key: module.SPEC for key, module in discover("losses").items()}
    return dict(sorted(found.items(), key=lambda item: (":" in item[0], item[1].name.lower())))


def _cards() -> None:
    losses = specs()
    catalogue_batch.prepare()
    chosen = _filtered(losses)
    state_of = loss_facts.known()
    st.caption(
        f"{len(chosen)} of {len(losses)} losses. Curve: weight of one pair against its score, "
        "push on a negative above the line (dashed), pull on a positive below it (solid)."
    )
    for problem in state_of.problems:
        st.warning(f"Curves and costs could not be measured. {problem}", icon="⚠️")
    shown = PAGE_OF * int(state.get("catalogue-pages", 1))
    keys = list(chosen)[:shown]
    for start in range(0, len(keys), COLUMNS):
        for key, column in zip(keys[start : start + COLUMNS], st.columns(COLUMNS, gap="small"), strict=False):
            with column:
                loss_card.card(key, losses[key], state_of.found.get(key), state_of.reference_ms)
    if not chosen:
        st.info("No loss fits all of that. Take away a word or a filter.")
    if len(chosen) > shown:
        st.button(f"Show more ({len(chosen) - shown} left)", key="catalogue-more", on_click=_more)
    if state_of.pending:
        _wait(len(state_of.found))


def _methods() -> None:
    st.caption(
        "A method leaves the formula of a loss alone and changes what stands before it. In the lab it belongs to one "
        "lane, so that a loss can be seen with it and without it, from the same weights and batches."
    )
    keys = list(discover("methods"))
    for start in range(0, len(keys), COLUMNS):
        for key, column in zip(keys[start : start + COLUMNS], st.columns(COLUMNS, gap="small"), strict=False):
            with column:
                method_card.card(key, discover("methods")[key].SPEC)


def _more() -> None:
    state.put("catalogue-pages", int(state.get("catalogue-pages", 1)) + 1)


def _start() -> None:
    state.put("catalogue-pages", 1)


def _filtered(losses: Mapping[str, LossSpec]) -> dict[str, LossSpec]:
    """The filters, and what passes them."""
    years = sorted({spec.paper.year for spec in losses.values()})
    words, shape, status, when = st.columns([3, 3, 2, 3], vertical_alignment="bottom")
    text = words.text_input(
        "Search", key="catalogue-search", placeholder="Name, author, use or pitfall", on_change=_start
    )
    fits = shape.selectbox(
        "Fits my data", list(SHAPES), index=None, placeholder="Any data", key="catalogue-shape",
        format_func=lambda name: SHAPES[name][0], on_change=_start,
    )  # fmt: skip
    checked = status.selectbox(
        "Verification", [*loss_card.STATUS, loss_card.OTHER_STATUS], index=None, placeholder="Any",
        key="catalogue-status", on_change=_start,
    )  # fmt: skip
    first, last = when.select_slider(
        "Year of the paper", years, value=(years[0], years[-1]), key="catalogue-years", on_change=_start
    )
    families = st.pills(
        "Family", list(loss_card.FAMILIES), selection_mode="multi", key="catalogue-family", on_change=_start
    )
    return {
        key: spec
        for key, spec in losses.items()
        if matches(key, spec, text or "")
        and (not families or spec.family in families)
        and (fits is None or fits in shapes_of(spec))
        and (checked is None or loss_card.status_of(spec) == checked)
        and first <= spec.paper.year <= last
    }


def matches(key: str, spec: LossSpec, text: str) -> bool:
    """True if every word of the text stands somewhere on the card, whatever its case."""
    paper = spec.paper
    knobs = " ".join(knob.name for knob in spec.knobs)
    fields = (
        key, spec.name, spec.family, spec.when, spec.pitfall, spec.convention, paper.authors, paper.title, paper.arxiv,
        paper.status, str(paper.year), " ".join(spec.relations), knobs,
    )  # fmt: skip
    card = " ".join(fields).lower()
    return all(word in card for word in text.lower().split())


def _wait(known: int) -> None:
    """Draw the page anew when more has been measured."""

    @st.fragment(run_every=POLL_S)
    def look() -> None:
        now = loss_facts.known()
        if len(now.found) != known or not now.pending:
            st.rerun()

    look()
