"""All losses on one batch, without training: values between their levels, weight profiles, agreement of gradients."""

import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import streamlit as st

from app import startup, state
from app.background import questions
from app.view import lane_name
from components import theme
from components.panels import loss_agreement
from models.catalogue import discover
from models.diagnostics.agreement import Comparison
from models.engine import comparisons
from models.engine.quota import QuotaError
from models.training.config import RunConfig

FROZEN = {"frozen-0": 0, "frozen-30": 30, "frozen-300": 300}  # steps of the default run, InfoNCE on digits
WORDS = {
    "frozen-0": "Digits, before training",
    "frozen-30": "Digits, after 30 steps",
    "frozen-300": "Digits, after 300 steps",
}
FIRST = "frozen-30"  # what is shown first
POLL_S = 0.25
_LOOK = "catalogue-look"  # when a live lane was looked at last: the same look gives the same scores


def prepare() -> None:
    """Ask already what `draw` will show first: a reader of the cards does not wait for it afterwards."""
    with suppress(QuotaError):
        questions().ask((FIRST, _keys()), comparisons.compare_frozen, partial(_arguments, FIRST, _keys()))


def _keys(library: bool = False) -> tuple[str, ...]:
    return tuple(key for key in discover("losses") if library or ":" not in key)


def draw() -> None:
    """The choice of a batch, and what the losses make of it."""
    lanes = _lanes()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        source = st.selectbox(
            "Scores",
            [*lanes, *FROZEN],
            index=len(lanes) + list(FROZEN).index(FIRST),
            format_func=lambda name: lanes[name] if name in lanes else WORDS[name],
            key="catalogue-source",
            help="A frozen batch, or that of a lane of your lab as it is now. Nothing is trained.",
        )
        library = st.toggle("Library losses too (slower)", key="catalogue-library")
        if source in lanes:
            st.button("Look again", key="catalogue-again", on_click=_look_again)
    if state.get(_LOOK) is None:
        _look_again()
    _result(str(source), _keys(library))


def _look_again() -> None:
    state.put(_LOOK, time.monotonic())


def _lanes() -> dict[str, str]:
    """The lanes of this session's live board, by name of the source."""
    page = state.page()
    player = startup.boards().get(page.board) if page.board else None
    if player is None:
        return {}
    return {
        f"lane-{lane.id}": f"Lab, lane {theme.letter(index)} now ({lane_name(lane.config)})"
        for index, lane in enumerate(player.state().lanes)
    }


def _result(source: str, keys: tuple[str, ...]) -> None:
    frozen = source in FROZEN
    key = (source, keys) if frozen else (source, keys, state.page().board, state.get(_LOOK))
    work: Callable[..., Any] = comparisons.compare_frozen if frozen else comparisons.compare_batch
    try:
        answer = questions().ask(key, work, partial(_arguments, source, keys))
    except (ValueError, QuotaError) as error:  # the lane has gone, or cannot be asked now
        st.error(str(error))
        return
    if answer.pending:
        _wait(key, work, source, keys)
    elif answer.problem:
        st.error(answer.problem)
        st.button("Try again", key="catalogue-retry", on_click=partial(questions().forget, key))
    else:
        _show(answer.value)


def _arguments(source: str, keys: tuple[str, ...]) -> tuple[Any, ...]:
    """What the side worker gets: a config and a step, or the embeddings of a lane's probe."""
    if source in FROZEN:
        return RunConfig().to_json(), FROZEN[source], keys
    taken = startup.boards().get(state.page().board).snapshot(source.removeprefix("lane-"))
    return taken.z, taken.y, keys


def _wait(key: Any, work: Callable[..., Any], source: str, keys: tuple[str, ...]) -> None:
    st.info(f"{len(keys)} losses are read on one batch…", icon=":material/hourglass_empty:")

    @st.fragment(run_every=POLL_S)
    def look() -> None:
        if not questions().ask(key, work, partial(_arguments, source, keys)).pending:
            st.rerun()

    look()


def _show(found: Comparison) -> None:
    names = {key: module.SPEC.name for key, module in discover("losses").items()}
    st.caption(
        f"{len(found.readings)} losses at their default knobs on {found.items} items: {found.positives} positive and "
        f"{found.negatives} negative pairs, read in {found.ms / 1000:.2f} s."
    )
    kind = st.segmented_control(
        "Pairs", list(loss_agreement.KINDS), default="all", key="catalogue-kind", required=True,
        format_func=lambda name: loss_agreement.KINDS[name],
    )  # fmt: skip
    st.markdown(f"**{loss_agreement.TITLE}**", help=loss_agreement.HELP)
    st.caption(loss_agreement.sentence(found, names, str(kind)))
    st.plotly_chart(
        loss_agreement.figure(found, names, str(kind)), key="catalogue-matrix", config={"displaylogo": False}
    )
    st.markdown("**What each loss reads**")
    st.dataframe(loss_agreement.table(found, names), hide_index=True, key="catalogue-table", column_config=_columns())
    if found.left_out:
        with st.expander(f"{theme.many(len(found.left_out), 'loss', 'losses')} left out, and why"):
            st.markdown("\n".join(f"- **{names[key]}**: {why}" for key, why in found.left_out.items()))


def _columns() -> dict[str, Any]:
    number, curve = st.column_config.NumberColumn, st.column_config.LineChartColumn
    return {
        "loss": st.column_config.TextColumn("Loss", pinned=True),
        "value": number("Value", format="%.4g"),
        "chance": number("At chance", format="%.4g"),
        "perfect": number("When perfect", format="%.4g"),
        "way": st.column_config.ProgressColumn(
            "Chance to perfect", min_value=0, max_value=100, format="%.0f %%",
            help="0 % at the chance level, 100 % at the perfect one, below 0 if worse than chance.",
        ),
        "active": number("Active pairs", format="%.1f %%", help="Pairs whose weight is not 0."),
        "pull_push": number("Pull / push", format="%.3g", help="Total pull over total push."),
        "hardest_share": number("On the hardest 1 %", format="%.0f %%", help="Share of the push that they carry."),
        "pull": curve("Positives", y_min=-1, y_max=1, help="Mean weight by cosine from -1 to 1, in its largest."),
        "push": curve("Negatives", y_min=-1, y_max=1, help="Mean weight by cosine from -1 to 1, in its largest."),
        "ms": number("ms", format="%.1f", help="Wall time of value and gradient on this batch."),
    }  # fmt: skip
