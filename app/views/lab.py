"""The lab: lanes side by side on one clock, six panels, every control in the address."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import streamlit as st

from app import pacing, state
from app.address import DEFAULT_PANELS, MAX_LANES, PANELS
from app.live import Lab
from app.view import LaneView, View, knobs_now, lane_name, loss_knobs, loss_now, loss_spec
from app.views import (
    lab_brush,
    lab_cards,
    lab_clock,
    lab_forms,
    lab_methods,
    lab_mixtures,
    lab_numbers,
    lab_own,
    lab_panels,
    lab_radar,
    lab_slow,
    lab_style,
)
from components import theme
from components.widgets.knobs import knob_widget
from models.catalogue import discover
from models.custom import REGISTER
from models.engine import forks
from models.spec import Value

SPEEDS = {"1 step/s": 1.0, "5 steps/s": 5.0, "20 steps/s": 20.0, "100 steps/s": 100.0, "full speed": None}
JOURNEYS = (  # a click from a result each; the third is the page itself
    '<nav class="journeys"><a href="lessons?lesson=what-temperature-does" target="_self">What does temperature do?</a> '
    '<a href="diagnose?sample=embeddings" target="_self">Is my checkpoint sick?</a></nav>'
)
SHOWN_KNOBS = 2  # knobs of a lane that stand open, of a mixture its weights; the rest is one click away


def page() -> None:
    """Draw the page once; what moves is in the fragment."""
    lab = Lab()
    view = lab.view()
    _header(view)
    for problem in lab.page.problems:
        st.warning(problem, icon="⚠️")
    _toolbar(lab, view)
    _lanes(lab, view)
    lab_slow.section(lab, view)
    lab_radar.section(lab, view)
    _live(lab, view)
    state.publish(lab.setup(), lab.page.board)


def _header(view: View) -> None:
    st.html(f"<style>{lab_style.STYLE}</style>")
    with st.container(horizontal=True, vertical_alignment="bottom", key="header"):
        st.markdown("### Loss Lab")
        if view.live:
            st.caption("Live: these lanes train on this machine, from the same weights, batches and views.")
        else:
            st.caption("This is a recording of a real run. Press **Space** (or Play) to train it live.")
            st.html(JOURNEYS)


def _toolbar(lab: Lab, view: View) -> None:
    with st.container(horizontal=True, key="toolbar", vertical_alignment="bottom"):
        _drive(lab)
        with _popover("Data", "Which items are embedded, and how they are spoiled."):
            lab_forms.data(lab)
        with _popover("Training", "Encoder, optimiser, batches, seed."):
            lab_forms.training(lab)
        if REGISTER.allowed:
            with _popover("Your own loss", "Write a loss, have it examined, race it."):
                lab_own.form(lab, view)
        with _popover("Speed and stop", "How fast to train and when to stop."):
            lab_forms.pace(lab, SPEEDS)
        with _popover("Panels", "Which panels to show."):
            st.pills(
                "Panels",
                PANELS,
                selection_mode="multi",
                default=list(lab.page.setup.panels),
                format_func=lambda name: lab_panels.TITLES[name],
                key=_panels_key(lab),
                on_change=partial(_choose_panels, lab),
            )
        with _popover("Share and save", "A link that restores all this, the config, the numbers."):
            lab_forms.share(lab, view)
        lab_slow.switch()
        lab_radar.switch()


def _popover(label: str, about: str) -> Any:
    """A button and what is behind it.

    It tells what it is for when it is open: a browser draws a button with a tooltip twice, at every tick.
    """
    popover = st.popover(label)
    popover.caption(about)
    return popover


def _drive(lab: Lab) -> None:
    """The buttons that drive the clock, in a fragment of their own: a press shows before the page is drawn anew."""

    @st.fragment
    def buttons() -> None:
        with st.container(horizontal=True, width="content"):
            _buttons(lab, lab.view())

    buttons()


def _buttons(lab: Lab, view: View) -> None:
    # Two buttons and not one that changes its meaning: a press that arrives twice must not undo itself.
    name, icon = ("Pause", ":material/pause:") if view.live and view.playing else ("Play", ":material/play_arrow:")
    lab.page.drive = name
    st.button(name, key=name.lower(), type="primary", icon=icon, shortcut="Space", on_click=partial(_press, lab, name))
    st.button("Step", key="step", shortcut="Right", on_click=lab.step)
    st.button("Step 20", key="step20", shortcut="Up", on_click=partial(lab.step, 20))
    if st.button("Reset", key="reset", on_click=lab.reset, disabled=not view.live):
        st.rerun()  # what stands outside this fragment is of the earlier run


def _press(lab: Lab, name: str) -> None:
    # The other button may stay in the document for a while, hidden, and hear the key that both have.
    if lab.page.drive == name:
        (lab.pause if name == "Pause" else lab.play)()


def _panels_key(lab: Lab) -> str:
    """Another choice box whenever lanes came: a mixture brings its panel with it."""
    return f"panels-{lab.page.round}-{lab.page.added}"


def _choose_panels(lab: Lab) -> None:
    chosen = state.get(_panels_key(lab)) or list(DEFAULT_PANELS)
    lab.page.setup = lab_forms.with_panels(lab.page.setup, chosen)


def _lanes(lab: Lab, view: View) -> None:
    """One card a lane; the live numbers of a lane are in the fragment below."""
    room = len(view.lanes) < MAX_LANES
    columns = st.columns(len(view.lanes) + room, gap="small")
    for index, (lane, column) in enumerate(zip(view.lanes, columns, strict=False)):
        with column, st.container(border=True, key=f"lane-{index}"):
            _lane(lab, view, lane, index)
    if room:
        with columns[-1]:
            _add_lane(lab)


def _lane(lab: Lab, view: View, lane: LaneView, index: int) -> None:
    spec = loss_spec(loss_now(lane.config))
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        about = f"${spec.formula}$\n\n{spec.when}\n\n*{spec.pitfall}*"
        st.markdown(f"{theme.badge(index)} **{lane_name(lane.config)}**", help=about)
        lab_methods.menu(lab, lane, index)
        st.button(
            "",
            icon=":material/close:",
            key=f"remove-{lane.id}",
            type="tertiary",
            disabled=len(view.lanes) == 1,
            help="Remove this lane",
            on_click=partial(lab.remove_lane, lane, index),
        )
    if branch := forks.branch(lane.config):
        st.caption(f"{branch.value} from step {branch.step}")
    now = {**lane.config.folded().loss.values, **knobs_now(lane.config, lane.step)}
    knobs = lab_mixtures.weights_first(loss_knobs(lane.config))
    shown = max(lab_mixtures.terms(lane.config), SHOWN_KNOBS)
    for start in range(0, min(len(knobs), shown), SHOWN_KNOBS):
        row = knobs[start : min(start + SHOWN_KNOBS, shown)]
        for knob, column in zip(row, st.columns(len(row)), strict=True):
            with column:
                _knob(lab, lane, knob.name, now)
    if len(knobs) > shown:
        with st.expander("More knobs"):
            for knob in knobs[shown:]:
                _knob(lab, lane, knob.name, now)
    if not knobs:
        st.caption("This loss has no knob.")


def _knob(lab: Lab, lane: LaneView, name: str, now: Mapping[str, Value]) -> None:
    knob = next(knob for knob in loss_knobs(lane.config) if knob.name == name)
    key = f"knob-{lab.page.round}-{lane.id}-{name}"
    shown = lab_mixtures.labelled(loss_now(lane.config), knob)
    knob_widget(shown, now[name], key, partial(_set_knob, lab, lane, name, key))


def _set_knob(lab: Lab, lane: LaneView, name: str, key: str) -> None:
    lab.set_knob(lane, name, state.get(key))


def _add_lane(lab: Lab) -> None:
    losses = {key: module.SPEC for key, module in discover("losses").items()} | REGISTER.joined()
    key = _add_key(lab)
    st.selectbox(
        "Add a lane",
        list(losses),
        index=None,
        placeholder="A loss, or infonce + triplet",
        format_func=lambda name: f"{losses[name].name} · {losses[name].family}" if name in losses else str(name),
        key=key,
        on_change=partial(_add, lab, key),
        accept_new_options=True,
        help="It starts from the same weights and batches and catches up with the clock. Names joined by a plus sign, "
        "such as infonce + triplet, make a mixture.",
    )
    lab_mixtures.builder(lab)


def _add_key(lab: Lab) -> str:
    """Each lane is added by a box of its own, which is empty when it appears."""
    return f"add-{lab.page.round}-{lab.page.added}"


def _add(lab: Lab, key: str) -> None:
    chosen = state.get(key)
    # The browser may send the choice of a box that has done its work: it must not add a second lane.
    if chosen and key == _add_key(lab):
        lab_mixtures.add(lab, str(chosen))


def _live(lab: Lab, drawn: View) -> None:
    """What moves. It draws the page anew when what stands outside of it is out of date."""
    interval, standing = pacing.interval(lab, drawn), _standing(lab, drawn)

    def check(view: View) -> None:
        # An examination takes seconds: a tick may have cut short the run of the page that would have shown its report.
        news = lab.page.own is not lab.page.own_drawn
        if news or _standing(lab, view) != standing:
            st.rerun()

    @st.fragment(run_every=interval)
    def tick() -> None:
        view = pacing.awaited(lab) if state.ticks() else lab.view()
        check(view)
        _draw(lab, view)

    @st.fragment(run_every=pacing.CROWDED_S)
    def watch() -> None:
        state.ticks()
        check(lab.view())

    tick()
    if interval > pacing.CROWDED_S:  # at rest nobody shall wait for the next tick after a press
        watch()


def _draw(lab: Lab, view: View) -> None:
    shown = lab_clock.moved(lab, view)
    lab_panels.prepare(lab, shown)
    with st.container(key="refusal"):  # always there: what follows keeps its place
        if lab.page.refusal():
            st.error(lab.page.refusal())
    lab_clock.bar(lab, view)
    lab_numbers.numbers(lab, shown)
    lab_numbers.verdict(lab, shown)
    lab_brush.bar(lab, shown)
    lab_panels.grid(lab, shown)
    lab_cards.under(lab, shown)
    # A knob turned on a busy machine takes effect after the page has answered: the address follows here.
    state.publish(lab.setup(), lab.page.board)


def _standing(lab: Lab, view: View) -> tuple[object, ...]:
    """What the standing part of the page depends on."""
    return view.live, pacing.interval(lab, view), *(lane.id for lane in view.lanes)
