"""The forms behind the toolbar: data, training, pace, share."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import streamlit as st

from app import state
from app.address import PANELS, Setup
from app.live import Lab
from app.view import View
from app.views import lab_data, lab_export
from components.widgets.knobs import knob_widget
from models.catalogue import discover, find
from models.data_common import CORRUPTION
from models.own_data.kept import is_own_data
from models.spec import Knob
from models.training.config import OPTIMISERS, SAMPLERS, SEED, Part, pairings, part_knobs

FROM, _FROM = "from", ("Built-in sets", "Your own data")
PAIRING_WORDS = {
    "label": "By label: items of one class are positives",
    "views": "Two views of each item: no label is used",
    "towers": "Two sides of each item, an encoder for each: no label is used",
}


def with_panels(setup: Setup, chosen: Sequence[str]) -> Setup:
    """The same setup with other panels, in their usual order."""
    return replace(setup, panels=tuple(name for name in PANELS if name in chosen))


def data(lab: Lab) -> None:
    """Data set or a file of one's own, its knobs, the corruption sliders, pairing."""
    base = lab.setup().base
    own = is_own_data(base.data.key)
    st.segmented_control(
        "Where from",
        _FROM,
        default=_FROM[own],
        required=True,
        key=FROM,
        label_visibility="collapsed",
    )
    if state.get(FROM, _FROM[own]) == _FROM[1]:
        lab_data.form(lab)
        if not own:
            return
    else:
        _built_in(lab)
    spec = find("data", base.data.key).SPEC
    st.caption(spec.teaches)
    for knob in spec.knobs:
        _shared_knob(lab, "data", knob)
    st.markdown("**Spoil it on purpose** (the truth is kept)")
    for knob in CORRUPTION:
        _shared_knob(lab, "data", knob)
    key = f"pairing-{lab.page.round}"
    allowed = pairings(base.data.key)
    st.radio(
        "Pairing",
        allowed,
        index=allowed.index(base.pairing),
        format_func=PAIRING_WORDS.__getitem__,
        key=key,
        on_change=partial(_plain, lab, "pairing", key),
        help="Which pairs of a batch are positives.",
    )


def _built_in(lab: Lab) -> None:
    """The sets that come with the program."""
    now, sets = lab.setup().base.data.key, discover("data")
    key = f"data-{lab.page.round}"
    st.selectbox(
        "Data set",
        list(sets),
        index=list(sets).index(now) if now in sets else None,
        placeholder="Choose one",
        format_func=lambda name: sets[name].SPEC.name,
        key=key,
        on_change=partial(_choose, lab, "data", key),
    )


def training(lab: Lab) -> None:
    """Encoder, sampler, optimiser, seed."""
    base, encoders = lab.setup().base, discover("encoders")
    for name, label, keys in (
        ("encoder", "Encoder", list(encoders)),
        ("sampler", "Batches", list(SAMPLERS)),
        ("optimiser", "Optimiser", list(OPTIMISERS)),
    ):
        part: Part = getattr(base, name)
        key = f"{name}-{lab.page.round}"
        st.selectbox(label, keys, index=keys.index(part.key), key=key, on_change=partial(_choose, lab, name, key))
        for knob in part_knobs(name, part.key):
            _shared_knob(lab, name, knob)
    key = f"seed-{lab.page.round}"
    st.number_input(
        "Seed",
        0,
        int(SEED.high or 0),
        base.seed,
        key=key,
        on_change=partial(_plain, lab, "seed", key),
        help="Drives initial weights, batches, views and corruption; the split into training and probe never changes.",
    )


def pace(lab: Lab, speeds: dict[str, float | None]) -> None:
    """Speed and the rule by which a run stops."""
    names = list(speeds)
    now = next((name for name in names if speeds[name] == lab.speed), names[-1])
    st.select_slider("Speed", names, value=now, key="speed", on_change=partial(_speed, lab, speeds))
    st.number_input("Run until step", 1, 1_000_000, 500, key="until-step")
    st.button("Run until this step", key="go-step", on_click=partial(_until, lab, "step"))
    st.number_input("Run until every lane's AUC reaches", 0.5, 1.0, 0.98, 0.005, format="%.3f", key="until-auc")
    st.button("Run until this AUC", key="go-auc", on_click=partial(_until, lab, "auc"))
    st.button(
        "Run until plateau",
        key="go-plateau",
        on_click=partial(_until, lab, "plateau"),
        help="Stops when no lane's AUC has risen by 0.001 for 300 steps.",
    )


def share(lab: Lab, view: View) -> None:
    """The link, the config and the numbers."""
    lab_export.forms(lab, view)


def _shared_knob(lab: Lab, part_name: str, knob: Knob) -> None:
    part: Part = getattr(lab.setup().base.folded(), part_name)
    key = f"{part_name}-{part.key}-{knob.name}-{lab.page.round}"
    knob_widget(knob, part[knob.name], key, partial(_set, lab, part_name, knob.name, key))


def _choose(lab: Lab, name: str, key: str) -> None:
    if not state.get(key):
        return
    changes: dict[str, Any] = {name: Part(str(state.get(key)))}
    if name == "data":
        now, allowed = lab.setup().base.pairing, pairings(changes[name].key)
        if "towers" in (now, allowed[0]) or now not in allowed:
            changes["pairing"] = ""  # what suits the new data: one side has no towers
    _change(lab, **changes)


def _set(lab: Lab, part_name: str, knob: str, key: str) -> None:
    if part_name == "optimiser" and lab.player is not None:
        lab.set_optimiser(knob, state.get(key))
        return
    part: Part = getattr(lab.setup().base, part_name)
    values = {**part.values, knob: state.get(key)}
    _change(lab, **{part_name: Part(part.key, tuple(values.items()))})


def _plain(lab: Lab, name: str, key: str) -> None:
    _change(lab, **{name: state.get(key)})


def _change(lab: Lab, **changes: Any) -> None:
    try:
        lab.change(lab.setup().with_shared(**changes))
    except ValueError as error:
        lab.page.refuse(error)


def _speed(lab: Lab, speeds: dict[str, float | None]) -> None:
    lab.set_speed(speeds[str(state.get("speed"))])


def _until(lab: Lab, rule: str) -> None:
    if rule == "plateau":
        lab.run_until(plateau=True)
    elif rule == "auc":
        lab.run_until(auc=float(state.get("until-auc")))
    else:
        lab.run_until(step=int(state.get("until-step")))
