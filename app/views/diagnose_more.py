"""Beside a diagnosis: advice tried out, all losses on the frozen embeddings, and two checkpoints compared."""

from collections.abc import Callable, Mapping
from functools import partial
from math import isfinite
from typing import Any

import streamlit as st

from app import state
from app.background import Answer, questions
from app.diagnosing import Asked, Case, advised
from models.catalogue import find
from models.checkpoint.frozen import Frozen
from models.checkpoint.result import Result
from models.checkpoint.try_it import MEASURES, STEPS, Trial, way
from models.engine import diagnosing

POLL_S = 0.5
SHOWN = 20  # losses, pairs and items of a table


def trial(case: Case, finding: Mapping[str, Any]) -> None:
    """The button beside a piece of advice, and what came of pressing it."""
    asked = case.measured or case.asked
    change = advised(finding, asked, _ends(asked))
    if change is None or case.material is None or case.material.labels is None:
        return
    key = ("diagnose-trial", case.key, finding["key"], asked)
    pressed = f"tried-{case.key}-{finding['key']}-{hash(asked)}"
    if not state.get(pressed):
        st.button(
            "Test this",
            key=f"try-{finding['key']}",
            on_click=partial(state.put, pressed, True),
            help=f"Trains a small head on your embeddings both ways, {STEPS} steps, three seeds, the same batches.",
        )
        return
    ways = _ways(asked, change)
    _answered(
        questions().ask(key, diagnosing.trial, lambda: (case.kept, *ways)),
        _told,
        "Training both ways, three seeds each",
    )


def _ends(asked: Asked) -> tuple[float, float]:
    """Lowest and highest temperature of the loss; (0, 0) if it has none."""
    knobs = () if asked.loss is None else find("losses", asked.loss).SPEC.knobs
    found = [(float(knob.low), float(knob.high)) for knob in knobs if knob.name == "temperature"]
    return found[0] if found else (0.0, 0.0)


def _ways(asked: Asked, change: Mapping[str, Any]) -> tuple[Any, Any]:
    assert asked.loss is not None
    knobs = {name: value for name, value in asked.knobs if name != "batch"}
    now = way(asked.loss, knobs)
    return now, way(asked.loss, {**knobs, **change.get("knobs", {})}, change.get("masked"))


def _answered(answer: Answer, show: Callable[[Any], None], doing: str) -> None:
    """Show an answer, or what is being done until it is there."""
    if answer.problem:
        st.error(answer.problem)
    elif answer.pending:
        st.caption(f"{doing} …")
        wait()
    else:
        show(answer.value)


def wait() -> None:
    """Draw the page anew soon: what is asked for may have been answered."""
    state.put("diagnose-waits", 0)

    @st.fragment(run_every=POLL_S)
    def look() -> None:
        looks = int(state.get("diagnose-waits", 0)) + 1
        state.put("diagnose-waits", looks)
        if looks > 1:
            st.rerun()

    look()


def _told(found: Trial) -> None:
    colour = {"confirmed": "green", "refuted": "red"}.get(found.outcome, "gray")
    by = found.verdict
    st.markdown(
        f"Tried: :{colour}-badge[{found.outcome}] {MEASURES[found.measure]} {by.difference:+.4f} "
        f"({by.low:+.4f} to {by.high:+.4f}), advised minus now."
    )
    st.caption(
        "Of held-out items, three seeds, equal batches, 95 % interval; a head on your embeddings stands in for the "
        "whole training."
    )


def show(case: Case, result: Result) -> None:
    """Sections below the findings."""
    for change in result.told["changes"]:
        _compared(change)
    if case.material is not None and case.material.labels is not None:
        _standings(case)


def _standings(case: Case) -> None:
    st.markdown("**All losses on your embeddings**, nothing trained")
    asked = case.measured or case.asked
    pressed = f"standings-{case.key}"
    if not state.get(pressed):
        st.button("Compare the losses", key="diagnose-standings", on_click=partial(state.put, pressed, True))
        return
    key = ("diagnose-standings", case.key, asked.loss)
    _answered(
        questions().ask(key, diagnosing.standings, lambda: (case.kept, asked.loss)), _standing, "Asking every loss"
    )


def _standing(found: Frozen) -> None:
    if found.why_no_agreement:
        st.caption(f"No agreement with the loss it was trained with: {found.why_no_agreement}.")
    rows = [
        {
            "loss": find("losses", one.key).SPEC.name,
            "gradient agrees with yours": _number(one.agreement),
            "value": _number(one.value),
            "way from chance to perfect": _number(one.way),
            "share of pairs with a weight": _number(one.active),
        }
        for one in found.standings[:SHOWN]
    ]
    st.dataframe(rows, hide_index=True, key="diagnose-standing")
    if len(found.standings) > SHOWN:
        st.caption(f"{SHOWN} of {len(found.standings)} losses, those that agree most first.")


def _number(value: float) -> float | None:
    return round(value, 4) if isfinite(value) else None


def _compared(change: Mapping[str, Any]) -> None:
    """One other checkpoint against this one: differences with intervals over items, classes, items and pairs."""
    with st.container(border=True):
        st.markdown(f"**Compared** with `{change['before'].replace('`', '')}`: this one minus that one")
        rows = [
            {"number": name, "difference": one["value"], "low": one["low"], "high": one["high"]}
            for name, one in change["measures"].items()
        ]
        st.dataframe(rows, hide_index=True)
        with st.expander("Classes, items and pairs that changed most"):
            classes = [
                {"class": one["name"], "AUC": one["auc"]["value"], "recall@1": one["recall_at_1"]["value"]}
                for one in change["classes"][:SHOWN]
            ]
            st.dataframe(classes, hide_index=True)
            st.dataframe([{"item": one["row"], "margin": one["change"]} for one in change["items"][:SHOWN]],
                         hide_index=True)  # fmt: skip
            st.dataframe(
                [
                    {"pair": " – ".join(map(str, one["rows"])), "score": one["change"], "match": one["match"]}
                    for one in change["pairs"][:SHOWN]
                ],
                hide_index=True,
            )
