"""Beside a diagnosis: advice tried out, all losses on the frozen embeddings, and two checkpoints compared."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import isfinite
from typing import Any

import streamlit as st

from app import state
from app.background import Answer, questions
from app.diagnosing import Asked, Case
from models.catalogue import find
from models.checkpoint.advice import Proposal, advice
from models.checkpoint.diagnosis import Metric
from models.checkpoint.frozen import Frozen
from models.checkpoint.result import Result
from models.checkpoint.sample import SAMPLE
from models.checkpoint.try_it import STEPS, Trial
from models.checkpoint.try_measures import MEASURES
from models.engine import diagnosing

POLL_S = 0.5
SHOWN = 20  # losses, pairs and items of a table


def trial(case: Case, finding: Mapping[str, Any]) -> None:
    """A button beside each piece of advice that can be tried, what came of pressing it, and why the rest is not."""
    asked = case.measured or case.asked
    if case.material is None:
        return
    found = advice(case.material, finding, asked.loss, dict(asked.knobs))
    for one in found.proposals:
        _proposal(case, asked, str(finding["key"]), one)
    if found.why_not:
        st.caption(found.why_not)


def _proposal(case: Case, asked: Asked, finding: str, one: Proposal) -> None:
    pressed = f"tried-{case.key}-{finding}-{one.key}-{hash(asked)}"
    if not state.get(pressed):
        does = f"trains a small head on your embeddings both ways, {STEPS} steps, three seeds, the same batches"
        st.button(
            f"Test this: {one.says}",
            key=f"try-{finding}-{one.key}",
            on_click=partial(state.put, pressed, True),
            help=f"{does[:1].upper()}{does[1:]}."
            if one.advised.trained
            else "Three splits of your items; no training.",
        )
        return
    st.markdown(f"**Tried: {one.says}**")
    answered(
        questions().ask(
            ("diagnose-trial", case.key, finding, one.key, asked),
            diagnosing.trial,
            lambda: (case.kept, one.now, one.advised, one.measure),
        ),
        _told,
        "Both ways, three seeds each",
    )


def answered(answer: Answer, show: Callable[[Any], object], doing: str) -> None:
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
        f":{colour}-badge[{found.outcome}] {MEASURES[found.measure]} {by.difference:+.4f} "
        f"({by.low:+.4f} to {by.high:+.4f}), advised minus now."
    )
    if found.advised.trained:
        told = "equal batches, 95 % interval; a head on your embeddings stands in for the whole training."
        same = found.advised.balanced == found.now.balanced
        st.caption(f"Of held-out items, three seeds, {told if same else told.removeprefix('equal batches, ')}")
    else:
        st.caption("Of held-out items, three splits, 95 % interval; nothing is trained.")


def show(case: Case, result: Result) -> None:
    """Sections below the findings."""
    for change in result.told["changes"]:
        _compared(change)
    if case.material is not None and case.material.labels is not None:
        _standings(case)


def rows_of(metrics: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Numbers of a diagnosis as rows of a table."""
    return [
        {
            "number": one["name"],
            "value": one["value"],
            "low": one["low"],
            "high": one["high"],
            "over": one["scope"] if one["value"] is not None else one["why"],
        }
        for one in metrics
    ]


def neighbours(case: Case) -> None:
    """recall@1 among all items, where the diagnosis has that of a sample."""
    material = case.material
    if material is None or material.labels is None or material.size <= SAMPLE:
        return
    pressed = f"neighbours-{case.key}"
    if not state.get(pressed):
        st.button(
            f"recall@1 among all {material.size:,} items",
            key="diagnose-neighbours",
            on_click=partial(state.put, pressed, True),
            help="Among the sampled items it is higher, as there are fewer to be mistaken for.",
        )
        return
    key = ("diagnose-neighbours", case.key)
    answered(
        questions().ask(key, diagnosing.neighbours, lambda: (case.kept,)),
        _near,
        "Looking for the neighbours of every item",
    )


def _near(found: Sequence[Metric]) -> None:
    st.dataframe(rows_of([one.as_dict() for one in found]), hide_index=True, key="diagnose-near")


def _standings(case: Case) -> None:
    st.markdown("**All losses on your embeddings**, nothing trained")
    asked = case.measured or case.asked
    pressed = f"standings-{case.key}"
    if not state.get(pressed):
        st.button("Compare the losses", key="diagnose-standings", on_click=partial(state.put, pressed, True))
        return
    key = ("diagnose-standings", case.key, asked.loss)
    answered(
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
