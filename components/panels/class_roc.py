"""ROC of every class against the rest, from a head's logits: the mean of them thick, each of them thin."""

from functools import lru_cache
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from components import theme
from components.panels import margin_axis
from components.panels.inputs import Given, summaries
from models.diagnostics.summary import MarginProfile, Summary

TITLE = "ROC of each class"
HELP = (
    "Each class against all others, items ranked by how far its logit leads: how many of the class are found (up) at "
    "what price in false alarms (right). Thick: mean of the classes; thin: one class, named under the pointer. Good: "
    "the upper left corner. AUC 1 is perfect, 0.5 is guessing (dotted)."
)
SPEC_OPTIONS = ("log",)
OPTIONS = ("log", "names")
WORDS = ("names",)
FLOOR = 1e-3  # lowest false positive rate of the logarithmic axis: some hundred items have no finer one
LINES = 24  # classes drawn in all lanes together; a table has them all
POINTS = 17  # of a thin line on the wire
_COLUMNS = ("kind", "lane", "label", "line", "group", "fpr", "tpr", "auc")


@lru_cache
def spec(*, log: bool = False) -> dict[str, Any]:
    """Vega-Lite without data; log: decades of false positive rates."""
    scale = alt.Scale(type="log", domain=[FLOOR, 1], nice=False) if log else alt.Scale(domain=[0, 1], nice=False)
    words = {"tickCount": 5, "format": "~g" if log else "~%"}
    x = alt.X("fpr:Q", title="false positive rate, class against the rest", scale=scale, axis=theme.axis(**words))
    y = alt.Y(
        "tpr:Q", title="true positive rate", scale=alt.Scale(domain=[0, 1], nice=False),
        axis=theme.axis(tickCount=5, format="~%"),
    )  # fmt: skip
    lane = alt.Stroke("lane:N", scale=theme.lane_scale(), legend=None)
    near = alt.selection_point(
        name="class_near", fields=["line"], nearest=True, on="pointerover", clear="pointerout", empty=False
    )
    tip = [
        alt.Tooltip("lane:N", title="lane"), alt.Tooltip("group:N", title="class"),
        alt.Tooltip("auc:Q", title="AUC", format=".4f"),
        alt.Tooltip("fpr:Q", title="false positive rate", format=".4~f"),
        alt.Tooltip("tpr:Q", title="true positive rate", format=".4~f"),
    ]  # fmt: skip
    lines: dict[str, Any] = {"clip": True}
    thin = _of("class").mark_line(**lines).encode(
        x=x, y=y, stroke=lane, detail="line:N", order="fpr:Q",
        opacity=alt.when(near).then(alt.value(1)).otherwise(alt.value(0.18)),
        strokeWidth=alt.when(near).then(alt.value(2)).otherwise(alt.value(1)),
    )  # fmt: skip
    points = _of("class").mark_point(size=40, opacity=0).encode(x=x, y=y, tooltip=tip).add_params(near)
    chance = _of("chance").mark_line(color=theme.NEUTRAL, strokeDash=[2, 3], clip=True).encode(x=x, y=y)
    thick = _of("mean").mark_line(strokeWidth=3, **lines).encode(x=x, y=y, stroke=lane, order="fpr:Q", tooltip=tip)
    return theme.freeze(alt.layer(chance, thin, thick, points, theme.lane_legend()))


def _of(kind: str) -> alt.Chart:
    chart: alt.Chart = alt.Chart().transform_filter(f"datum.kind === '{kind}'")
    return chart


def rows(given: Given, *, log: bool = False, names: margin_axis.Names = ()) -> pd.DataFrame:
    """Points of the mean curve of every lane, of its classes (those of lowest AUC where there are many), and chance."""
    lanes = summaries(given)
    low = FLOOR if log else 0.0
    line = np.geomspace(FLOOR, 1.0, 25) if log else np.array([0.0, 1.0])
    parts: list[dict[str, Any]] = [{"kind": "chance", "fpr": line, "tpr": line}] if lanes else []
    for index, lane in enumerate(lanes):
        parts.append({"kind": "name", "lane": theme.letter(index), "label": _label(index, lane)})
        found = curves(lane)
        if found is not None:
            parts += _lines(index, found, low, names, LINES // len(lanes))
    return theme.frame(parts, _COLUMNS)


def curves(summary: Summary) -> MarginProfile | None:
    """The profile of a lane that has a ROC of at least one class."""
    found = summary.margins
    return found if found is not None and np.isfinite(found.auc).any() else None


def _lines(index: int, found: MarginProfile, low: float, names: margin_axis.Names, most: int) -> list[dict[str, Any]]:
    letter = theme.letter(index)
    fpr = np.maximum(found.fpr, low)
    known = np.flatnonzero(np.isfinite(found.auc))
    mean = {"fpr": fpr, "tpr": found.tpr[known].mean(axis=0), "auc": found.macro_auc}
    parts: list[dict[str, Any]] = [
        {"kind": "mean", "lane": letter, "line": letter, "group": f"mean of {len(known)}", **mean}
    ]
    kept = np.unique(np.linspace(0, len(fpr) - 1, POINTS).round().astype(int))
    for k in known[np.argsort(found.auc[known], kind="stable")][:most]:
        group = int(found.roc_group[k])
        parts.append(
            {
                "kind": "class", "lane": letter, "line": f"{letter}{group}",
                "group": margin_axis.group_name(found, group, names), "auc": float(found.auc[k]),
                "fpr": fpr[kept], "tpr": found.tpr[k, kept],
            }
        )  # fmt: skip
    return parts


def _label(index: int, lane: Summary) -> str:
    found = curves(lane)
    if found is None:
        return f"{theme.letter(index)} · {_why_not(lane)}"
    mean = "mean AUC" if len(found.auc) > 1 else "AUC"
    return f"{theme.short(index, lane.label, 28)} · {mean} {theme.number(found.macro_auc, 4)}"


def _why_not(lane: Summary) -> str:
    if lane.margins is None:
        return margin_axis.why_not(lane, residual=False)
    if lane.margins.kind == margin_axis.NUMBERS:
        return "predicts a number, not a class (menu ⋯: cosine)"
    return "no class has items on both sides"


def sentence(given: Given, *, names: margin_axis.Names = ()) -> str:
    """What the picture shows, for those who do not see it."""
    lanes = summaries(given)
    if not lanes:
        return "ROC of each class: no lane yet."
    return " ".join(f"{theme.name(index, lane.label)}: {_told(lane, names)}." for index, lane in enumerate(lanes))


def _told(lane: Summary, names: margin_axis.Names) -> str:
    found = curves(lane)
    if found is None:
        return _why_not(lane)
    worst, best = int(np.nanargmin(found.auc)), int(np.nanargmax(found.auc))
    if worst == best:
        return f"AUC {theme.number(found.macro_auc, 4)}"
    who = [margin_axis.group_name(found, int(found.roc_group[k]), names) for k in (worst, best)]
    return (
        f"mean AUC {theme.number(found.macro_auc, 4)} of {len(found.auc)}, lowest {who[0]} with "
        f"{theme.number(float(found.auc[worst]), 4)}, highest {who[1]} with {theme.number(float(found.auc[best]), 4)}"
    )


def table(given: Given, *, names: margin_axis.Names = ()) -> pd.DataFrame:
    """AUC of every class against the rest, lowest first, after the mean of each lane."""
    return theme.finite(
        pd.DataFrame([row for index, lane in enumerate(summaries(given)) for row in _table_rows(index, lane, names)])
    )


def _table_rows(index: int, lane: Summary, names: margin_axis.Names) -> list[dict[str, Any]]:
    found, name = curves(lane), theme.name(index, lane.label)
    if found is None:
        return [{"lane": name, "class": _why_not(lane), "AUC": None, "decided wrong (share)": None}]
    wrong = dict(zip(found.group.tolist(), found.below_by.tolist(), strict=True))
    mean = {
        "lane": name,
        "class": f"mean of {np.count_nonzero(np.isfinite(found.auc))}",
        "AUC": found.macro_auc,
        "decided wrong (share)": found.below,
    }
    return [mean] + [
        {
            "lane": name, "class": margin_axis.group_name(found, int(found.roc_group[k]), names),
            "AUC": float(found.auc[k]), "decided wrong (share)": wrong[int(found.roc_group[k])],
        }
        for k in np.argsort(found.auc, kind="stable")
    ]  # fmt: skip


def by_class(given: Given, *, names: margin_axis.Names = ()) -> pd.DataFrame:
    """AUC of every class against the rest, a row a class and a column a lane, the lowest mean first."""
    cells: dict[str, dict[str, float]] = {}
    for index, lane in enumerate(summaries(given)):
        found = curves(lane)
        for k, group in enumerate(found.roc_group.tolist() if found is not None else ()):
            assert found is not None, "there are groups"
            cells.setdefault(margin_axis.group_name(found, group, names), {})[theme.letter(index)] = float(found.auc[k])
    order = sorted(cells, key=lambda name: sum(cells[name].values()) / len(cells[name]))
    return theme.finite(pd.DataFrame([{"AUC against the rest": name, **cells[name]} for name in order]))


def figure(given: Given, *, log: bool = False, names: margin_axis.Names = ()) -> alt.LayerChart:
    """The same picture as an Altair chart, for a notebook or a file."""
    return theme.thaw(spec(log=log), rows(given, log=log, names=names))
