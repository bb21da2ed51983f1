"""Which losses do the same to a batch: the clustered matrix of cosines between their gradients, and what each reads."""

from collections.abc import Mapping
from math import isfinite
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from components import theme
from models.diagnostics.agreement import Comparison, Reading

TITLE = "Agreement of gradients"
HELP = (
    "Cosine between the gradients that two losses give to the same pairs: 1 means the same direction, whatever the "
    "size of the step. Losses stand in the order of a tree, so that kin are neighbours; squares frame groups whose "
    "mean cosine is 0.9 or more."
)
KINDS = {"all": "All pairs", "positives": "Positives only", "negatives": "Negatives only"}
ROW = 22  # pixels a loss
_MARGIN = 150  # pixels for names


def figure(comparison: Comparison, names: Mapping[str, str], kind: str = "all") -> go.Figure:
    """The matrix in the order of the tree; a loss without a gradient there has an empty row. kind: of KINDS."""
    order, cosine = comparison.order[kind], comparison.cosine[kind]
    labels = [names[comparison.readings[row].key] for row in order]
    shown = cosine[np.ix_(order, order)]
    matrix = go.Heatmap(
        z=np.round(shown, 3), x=labels, y=labels, zmin=-1.0, zmax=1.0, colorscale=[list(stop) for stop in _SCALE],
        colorbar={"title": {"text": "cosine", "side": "right"}, "thickness": 10, "tickvals": [-1, 0, 1]},
        hovertemplate="%{y} and %{x}: %{z}<extra></extra>", hoverongaps=False, xgap=1, ygap=1,
    )  # fmt: skip
    fig = go.Figure(matrix)
    for first, last in _blocks(comparison.group[kind][order]):
        low, high = first - 0.5, last + 0.5
        fig.add_shape(type="rect", x0=low, x1=high, y0=low, y1=high, line={"color": theme.NEUTRAL, "width": 2})
    text = {"size": 11}
    fig.update_xaxes(tickangle=-60, tickfont=text, showgrid=False, side="bottom")
    fig.update_yaxes(autorange="reversed", tickfont=text, showgrid=False)
    return fig.update_layout(
        height=max(len(labels), 4) * ROW + _MARGIN, margin={"l": 10, "r": 10, "t": 10, "b": 10},
        paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)",
    )  # fmt: skip


# Agreement is drawn in the colour of positives and opposition in that of negatives; 0 is see-through.
_SCALE = ((0.0, theme.NEGATIVE), (0.5, "rgba(120,123,130,0.06)"), (1.0, theme.POSITIVE))


def _blocks(group: np.ndarray) -> list[tuple[int, int]]:
    """First and last place of each group of two losses or more, in an order that keeps groups together."""
    starts = np.flatnonzero(np.diff(group, prepend=group[:1] - 1))
    ends = np.append(starts[1:], len(group))[: len(starts)] - 1
    return [(int(first), int(last)) for first, last in zip(starts, ends, strict=True) if last > first]


def table(comparison: Comparison, names: Mapping[str, str]) -> pd.DataFrame:
    """One row a loss in the order of the tree; numbers that are not known are None. `way` is in percent."""
    return pd.DataFrame([_row(comparison.readings[row], names) for row in comparison.order["all"]], columns=COLUMNS)


COLUMNS = (
    "loss", "value", "chance", "perfect", "way", "active", "pull_push", "hardest_share", "pull", "push", "ms"
)  # fmt: skip


def _row(reading: Reading, names: Mapping[str, str]) -> dict[str, Any]:
    numbers = {
        "value": reading.value,
        "chance": reading.levels.get("chance", np.nan),
        "perfect": reading.levels.get("perfect", np.nan),
        "way": 100 * reading.way,
        "active": 100 * reading.active,
        "pull_push": reading.pull_push,
        "hardest_share": 100 * reading.hardest_share,
        "ms": reading.ms,
    }
    known = {name: float(f"{value:.4g}") if isfinite(value) else None for name, value in numbers.items()}
    return {"loss": names[reading.key], **known, "pull": _shape(reading.pull), "push": _shape(reading.push)}


def _shape(profile: np.ndarray) -> list[float]:
    """A profile in units of its largest weight; bins without a pair count as 0."""
    filled = np.nan_to_num(profile)
    largest = np.abs(filled).max(initial=0.0)
    shape: list[float] = np.round(filled / largest, 3).tolist() if largest > 0 else filled.tolist()
    return shape


def sentence(comparison: Comparison, names: Mapping[str, str], kind: str = "all") -> str:
    """The matrix in words: how many groups, and the two losses that agree least."""
    cosine, group = comparison.cosine[kind], comparison.group[kind]
    count = theme.many(len(group), "loss", "losses")
    if not np.isfinite(cosine[np.triu_indices(len(cosine), 1)]).any():
        return f"{count} on {theme.many(comparison.items, 'item')}: no two have a gradient to compare."
    row, column = np.unravel_index(np.nanargmin(cosine), cosine.shape)
    one, other = (names[comparison.readings[int(at)].key] for at in (row, column))
    groups = theme.many(len(set(group.tolist())), "group")
    return (
        f"{count} on {theme.many(comparison.items, 'item')} fall into {groups}; "
        f"{one} and {other} agree least (cosine {cosine[row, column]:.2f})."
    )
