"""Mixtures of losses on the lab page: built from two or three, or typed, with a slider for each weight."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import streamlit as st

from app import state
from app.address import PRESETS, is_mixture
from app.live import Lab
from app.view import View, loss_knobs, loss_spec
from components import theme
from components.panels import mixture
from components.widgets.knobs import knob_widget
from models.catalogue import discover, find
from models.custom import REGISTER
from models.mixture import WEIGHT
from models.own_source import MIX
from models.spec import Knob, Value
from models.training.config import Part, RunConfig

PLACES = ("First loss", "Second loss", "Third loss, if you like")
_ENDING = f".{WEIGHT}"


def terms(config: RunConfig) -> int:
    """How many losses a lane's loss is made of; 0: it is no mixture."""
    return sum(knob.name.endswith(_ENDING) for knob in loss_knobs(config)) if is_mixture(config.folded().loss) else 0


def weights_first(knobs: Sequence[Knob]) -> list[Knob]:
    """The knobs of a loss, weights of a mixture before the others."""
    return sorted(knobs, key=lambda knob: not knob.name.endswith(_ENDING))


def labelled(loss: str, knob: Knob) -> Knob:
    """A knob as the page shows it: that of a mixture says whose it is, and its weight has a logarithmic slider."""
    if not loss.startswith(MIX):
        return knob
    label, _, name = knob.name.rpartition(".")
    named = {term.label: term.spec.name for term in find("losses", loss).TERMS}
    number = label.rpartition("_")[2] if list(named.values()).count(named[label]) > 1 else ""
    of_term = f"{named[label]} {number}" if number.isdecimal() else named[label]
    return replace(knob, name=f"{of_term}: {name}", log=knob.log or name == WEIGHT)


def part(keys: Sequence[str], weights: Mapping[str, Value] | None = None) -> Part:
    """One loss, or a mixture of several: presets of its terms, and weights by the terms' labels where given.

    Raises ValueError if there is no such loss, or if they cannot be added.
    """
    if len(keys) == 1:
        find("losses", keys[0])
        return PRESETS.get(keys[0], Part(keys[0]))
    key = MIX + "+".join(keys)
    knobs: dict[str, Value] = {}
    for term in find("losses", key).TERMS:
        preset = PRESETS.get(term.spec.key, Part(term.spec.key)).values
        knobs |= {f"{term.label}.{name}": value for name, value in preset.items()}
    knobs |= {f"{label}{_ENDING}": weight for label, weight in (weights or {}).items()}
    return Part(key, tuple(knobs.items()))


def read(text: str) -> list[str]:
    """Keys of the losses that somebody typed, joined by plus signs, each by key or by name, in whatever case.

    Raises ValueError naming what is not known.
    """
    specs = {key: module.SPEC for key, module in discover("losses").items()} | REGISTER.joined()
    known = {spec.name.lower(): key for key, spec in specs.items()} | {key.lower(): key for key in specs}
    words = [word.strip() for word in text.removeprefix(MIX).split("+")]
    for word in words:
        if word.lower() not in known:
            raise ValueError(
                f"no loss is called {word[:40]!r}: type a name from the list, or two joined by a plus sign"
            )
    return [known[word.lower()] for word in words]


def add(lab: Lab, chosen: str) -> None:
    """Add the lane that was chosen from the list or typed; what cannot be read becomes the page's message."""
    try:
        lab.add_lane(part([chosen] if _listed(chosen) else read(chosen)))
    except ValueError as error:
        lab.page.added += 1  # an empty box again
        lab.page.refuse(error)


def _listed(key: str) -> bool:
    """True of a key of the list, an own loss's included."""
    try:
        find("losses", key)
    except ValueError:
        return False
    return not key.startswith(MIX)


def builder(lab: Lab) -> None:
    """The button beside the box that adds a lane, and behind it the choice of losses and their weights."""
    popover = st.popover("Mix losses", icon=":material/merge:", key="menu-mix", on_change="rerun")
    if popover.open:
        with popover:
            st.caption("One lane that trains a weighted sum of two or three losses.")
            _form(lab)


def _form(lab: Lab) -> None:
    keys: list[str] = []
    for number, label in enumerate(PLACES):
        chosen = _choose(lab, number, label, keys)
        if chosen is None:
            break
        keys.append(chosen)
    if len(keys) < 2:
        st.caption("Losses that read the same thing, pair scores or embeddings or logits, can be added.")
        return
    weights: dict[str, Value] = {}
    stem = f"mix-{lab.page.added}-{'-'.join(keys)}"
    mixed = find("losses", MIX + "+".join(keys))
    knobs = {knob.name: knob for knob in mixed.SPEC.knobs}
    for term in mixed.TERMS:
        knob = knobs[f"{term.label}{_ENDING}"]
        weights[term.label] = knob_widget(labelled(mixed.SPEC.key, knob), knob.default, f"{stem}-{term.label}")
    st.caption(mixed.SPEC.pitfall)
    st.button("Add this mixture", key="mix-add", type="primary", on_click=partial(_add_built, lab, keys, weights))


def _choose(lab: Lab, number: int, label: str, keys: Sequence[str]) -> str | None:
    """One more loss that can be added to those chosen; a box of its own for each choice before it."""
    offered = (*discover("losses"), *REGISTER.joined())
    fitting = [key for key in offered if key not in keys and can_be_added([*keys, key])]
    chosen: str | None = st.selectbox(
        label, fitting, index=None, placeholder="Type part of a loss's name",
        format_func=lambda key: loss_spec(key).name, key=f"mix-{lab.page.added}-{number}-{'-'.join(keys)}",
    )  # fmt: skip
    return chosen


def can_be_added(keys: Sequence[str]) -> bool:
    """True of losses that read the same thing and go with the same target."""
    if len(keys) == 1:
        return True
    try:
        find("losses", MIX + "+".join(keys))
    except ValueError:
        return False
    return True


def _add_built(lab: Lab, keys: Sequence[str], weights: Mapping[str, Value]) -> None:
    lab.add_lane(part(keys, weights))
    state.put("menu-mix", False)


def missing(view: View) -> bool:
    """Say that there is no mixture to draw, where that is so."""
    absent = not mixture.mixed(view.summaries)
    if absent:
        st.caption(mixture.NONE)
    return absent


def numbers(lab: Lab, view: View) -> None:
    """One sentence of numbers for each lane that is a mixture."""
    for index, summary in enumerate(view.summaries):
        if summary.mixture is not None:
            told = mixture.numbers(summary)
            st.caption(f"{theme.badge(index)} {told[:1].upper()}{told[1:]}")
