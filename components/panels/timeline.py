"""Checkpoints of one training in a row: how well each tells pairs apart and finds neighbours, and how sick it is."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import altair as alt
import pandas as pd

from components import theme

TITLE = "Checkpoints in a row"
HELP = (
    "Numbers of each checkpoint on the same items, with 95 % intervals over items; higher is better. Squares "
    "below tell the worst finding of each. Where a line falls beyond its interval, an earlier checkpoint was better."
)
MEASURES = {  # key -> short name; all lie in [0, 1] and rise as the checkpoint gets better
    "auc": "AUC", "recall_at_1": "recall@1", "map_at_r": "MAP@R", "mrr": "MRR", "ndcg_at_10": "nDCG@10",
    "proxy_accuracy": "nearest proxy",
}  # fmt: skip
SEVERITIES = ("none", "info", "warning", "serious")
HEIGHT = 240  # pixels
_COLOURS = ("#b8bcc6", "#3457d5", "#b26a00", "#b3261e")
_MOST = 4  # measures drawn: as many as there are colours that tell apart
_COLUMNS = ("kind", "name", "x", "measure", "value", "low", "high", "worst", "findings")
Told = Sequence[Mapping[str, Any]]  # the timeline of a diagnosis's JSON


@lru_cache
def spec(steps: bool = True) -> dict[str, Any]:
    """Vega-Lite without data; steps: the names of the checkpoints tell their step."""
    scale = alt.Scale(zero=False, nice=False, padding=14)
    title = "step" if steps else "checkpoint, oldest first"
    x = alt.X("x:Q", title=title, scale=scale, axis=theme.axis(tickMinStep=1, tickCount=8, format="~s"))
    y = alt.Y("value:Q", title="number", scale=alt.Scale(domain=[-0.06, 1.02]), axis=theme.axis(tickCount=5))
    colour = alt.Color(
        "measure:N",
        scale=alt.Scale(range=list(theme.LANES)),
        legend=alt.Legend(title=None, orient="top", columns=4, labelFontSize=11),
    )
    tip = [alt.Tooltip("name:N", title="checkpoint"), alt.Tooltip("measure:N"),
           alt.Tooltip("value:Q", format=".4g"), alt.Tooltip("low:Q", format=".4g"),
           alt.Tooltip("high:Q", format=".4g")]  # fmt: skip
    measured = alt.Chart().transform_filter("datum.kind === 'value'").encode(x=x, color=colour)
    span = measured.mark_rule(opacity=0.5, strokeWidth=2).encode(y=alt.Y("low:Q"), y2="high:Q")
    line = measured.mark_line(strokeWidth=2, point=alt.OverlayMarkDef(size=35)).encode(y=y, tooltip=tip)
    marks = (
        alt.Chart()
        .transform_filter("datum.kind === 'worst'")
        .mark_square(size=110, opacity=1)
        .encode(
            x=x,
            y=alt.Y("value:Q"),
            fill=alt.Fill("worst:N", scale=alt.Scale(domain=list(SEVERITIES), range=list(_COLOURS)), legend=None),
            tooltip=[alt.Tooltip("name:N", title="checkpoint"), alt.Tooltip("findings:N")],
        )
    )
    return theme.freeze(alt.layer(line, span, marks), height=HEIGHT)


def rows(told: Told) -> pd.DataFrame:
    """One row a checkpoint and measure, and one a checkpoint for its worst finding."""
    parts: list[dict[str, Any]] = []
    for one, x in zip(told, _places(told), strict=True):
        own = {"name": one["name"], "x": float(x)}
        for key in _drawn(told):
            found = one["metrics"].get(key)
            if found is not None and found["value"] is not None:
                ends = {end: found["value"] if found[end] is None else found[end] for end in ("low", "high")}
                parts.append({"kind": "value", **own, "measure": MEASURES[key], "value": found["value"], **ends})
        titles = ", ".join(finding["title"] for finding in one["findings"]) or "none"
        parts.append({"kind": "worst", **own, "value": -0.04, "worst": worst(one), "findings": titles})
    return theme.frame(parts, _COLUMNS)


def worst(one: Mapping[str, Any]) -> str:
    """The highest severity among the findings of a checkpoint; "none" without any."""
    found = [SEVERITIES.index(finding["severity"]) for finding in one["findings"]]
    return SEVERITIES[max(found, default=0)]


def has_steps(told: Told) -> bool:
    """True if the name of every checkpoint tells its step."""
    return bool(told) and all(one["step"] is not None for one in told)


def _places(told: Told) -> list[int]:
    return [one["step"] for one in told] if has_steps(told) else list(range(1, len(told) + 1))


def _drawn(told: Told) -> list[str]:
    """Measures that some checkpoint has, the first ones of MEASURES."""
    there = [key for key in MEASURES if any(_known(one, key) for one in told)]
    return there[:_MOST]


def _known(one: Mapping[str, Any], key: str) -> bool:
    return key in one["metrics"] and one["metrics"][key]["value"] is not None


def sentence(told: Told) -> str:
    """What the picture shows, for those who do not see it."""
    if not told:
        return "Checkpoints in a row: there is one alone."
    parts = [f"{theme.many(len(told), 'checkpoint')}, {told[0]['name']} to {told[-1]['name']}."]
    for key in _drawn(told):
        best = [one["name"] for one in told if key in one["best_in"]]
        first, last = (_said(one, key) for one in (told[0], told[-1]))
        where = f", best at {best[0]}" if best else ""
        parts.append(f"{MEASURES[key]}: {first} at first, {last} at last{where}.")
    return " ".join(parts)


def _said(one: Mapping[str, Any], key: str) -> str:
    return theme.number(one["metrics"][key]["value"]) if _known(one, key) else "not defined"


def table(told: Told) -> pd.DataFrame:
    """One row a checkpoint: its numbers, and its findings by severity."""
    keys = list(dict.fromkeys(key for one in told for key in one["metrics"]))
    names = {key: one["metrics"][key]["name"] for one in told for key in keys if key in one["metrics"]}
    blocks = [
        {
            "checkpoint": one["name"],
            "step": one["step"],
            **{names[key]: one["metrics"].get(key, {}).get("value") for key in keys},
            "findings": "; ".join(f"{found['title']} ({found['severity']})" for found in one["findings"]) or "none",
        }
        for one in told
    ]
    return pd.DataFrame(blocks, columns=["checkpoint", "step", *(names[key] for key in keys), "findings"])


def figure(told: Told) -> alt.LayerChart:
    """The same picture as an Altair chart, for a notebook or a file."""
    return theme.thaw(spec(has_steps(told)), rows(told))
