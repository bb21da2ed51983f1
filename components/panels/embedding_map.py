"""The probe on a plane, a grid a lane: ECharts while it moves, Plotly in three dimensions, Altair for files."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from functools import lru_cache
from math import ceil
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from components import theme
from components.panels import brush
from components.panels.inputs import Given, summaries
from models.diagnostics.summary import Points, Summary
from models.snapshot import Snapshot

TITLE = "Map of the embedding"
HELP = (
    "Every dot is an item, its colour the class; diamonds are classes never trained on. Good: one island a class. "
    "Trustworthiness says how many neighbours on the map are neighbours in the embedding too: 1 is all of them, so "
    "read little into a map far below."
)
SPEC_OPTIONS = ("lanes", "image")
COLUMNS = ("x", "y", "class", "item")
_SEEN, _UNSEEN = "circle", "diamond"
_SIZES = (1.0, 1.25, 1.6, 2.0, 2.5, 3.2, 4.0, 5.0, 6.4, 8.0)  # frames grow in steps, so that they rest between them

_LASSO = {
    "toolbox": {"right": 4, "bottom": 0, "itemSize": 13, "feature": {"brush": {"type": ["polygon", "rect", "clear"]}}},
    "brush": {"xAxisIndex": "all", "yAxisIndex": "all", "throttleType": "debounce", "throttleDelay": 200},
}

Frame = tuple[float, float, float, float]  # x from, x to, y from, y to


@lru_cache
def spec(*, lanes: int = 1, image: str | None = None) -> dict[str, Any]:
    """ECharts option for so many lanes, without data, frames and names; do not change it, `option` copies it.

    Series come in pairs, seen before unseen, each with a dataset of its own, so that a selection's index is a row.
    image: the address of an item's picture, {@item} in the place of its number; the tooltip shows it. Streamlit puts
    the value of {@column} into the tooltip's HTML, with its special characters escaped: no JavaScript is needed.
    """
    picture = f'<img src="{image}" alt="" height="48" style="image-rendering:pixelated"/><br/>' if image else ""
    series = [
        {
            "type": "scatter", "xAxisIndex": lane, "yAxisIndex": lane, "datasetIndex": 2 * lane + k, "symbol": symbol,
            "symbolSize": 6 + 2 * k, "encode": {"x": "x", "y": "y"}, "itemStyle": {"opacity": 0.85},
            "name": f"{theme.letter(lane)} {('seen', 'unseen')[k]}",
        }
        for lane in range(lanes)
        for k, symbol in enumerate((_SEEN, _UNSEEN))
    ]  # fmt: skip
    axis = {"type": "value", "show": False}
    return {
        "animation": False,
        "grid": [_place(lane, lanes) for lane in range(lanes)],
        "xAxis": [{**axis, "gridIndex": lane} for lane in range(lanes)],
        "yAxis": [{**axis, "gridIndex": lane} for lane in range(lanes)],
        "title": [_title(lane, lanes) for lane in range(lanes)],
        "tooltip": {"trigger": "item", "confine": True, "formatter": f"{picture}class {{@class}}<br/>item {{@item}}"},
        "series": series,
    }


def _cell(lane: int, lanes: int) -> tuple[int, int, int, int]:
    """(column, row, columns, rows): one beside the other, two by two from three lanes on."""
    columns = min(lanes, 2)
    return lane % columns, lane // columns, columns, ceil(lanes / columns)


def _place(lane: int, lanes: int) -> dict[str, Any]:
    column, row, columns, rows = _cell(lane, lanes)
    width, height = 100 / columns, 100 / rows
    head = 11 * rows  # per cent of the cell that its title takes
    return {
        "left": f"{column * width + 1:.1f}%", "width": f"{width - 2:.1f}%",
        "top": f"{row * height + head * height / 100 + 1:.1f}%", "height": f"{height * (1 - head / 100) - 2:.1f}%",
        "show": True, "borderWidth": 0.5, "borderColor": theme.NEUTRAL,
    }  # fmt: skip


def _title(lane: int, lanes: int) -> dict[str, Any]:
    column, row, columns, rows = _cell(lane, lanes)
    return {
        "left": f"{column * 100 / columns + 1:.1f}%", "top": f"{row * 100 / rows + 0.5:.1f}%",
        "padding": 0, "itemGap": 2,
        "textStyle": {"fontSize": 11, "fontWeight": "bold", "lineHeight": 14},
        "subtextStyle": {"fontSize": 10, "lineHeight": 12},
    }  # fmt: skip


def option(
    given: Given,
    *,
    frames: Sequence[Frame | None] = (),
    image: str | None = None,
    names: Mapping[int, str] | None = None,
    brushed: brush.Lanes = (),
    lasso: bool = False,
) -> dict[str, Any]:
    """The whole ECharts option of this moment: `spec` with data frames as datasets.

    frames: fixed axes by lane; without, a square that grows in steps. image: the address of an item's picture, as in
    `spec`, so that no picture travels with a tick. names: class names by label.
    brushed: what each lane shows of a brush, its pairs as lines. lasso: with the tools to draw around items.
    """
    lanes = summaries(given)
    chosen = deepcopy(spec(lanes=len(lanes), image=image))
    for index, lane in enumerate(lanes):
        fixed = frames[index] if index < len(frames) else None
        left, right, low, high = fixed or frame(lane.points)
        chosen["xAxis"][index] |= {"min": left, "max": right}
        chosen["yAxis"][index] |= {"min": low, "max": high}
        chosen["title"][index] |= {
            "text": theme.short(index, lane.label, 26),
            "subtext": brush.lines_said(brush.of_lane(brushed, index)) or badge(lane),
        }
    tables = [_rows_of(lane.points, names) for lane in lanes]
    halves = [
        (table[seen], table[~seen])
        for table, seen in ((t, lane.points.seen) for t, lane in zip(tables, lanes, strict=True))
    ]
    chosen["dataset"] = [{"source": half.reset_index(drop=True)} for pair in halves for half in pair]
    chosen["visualMap"] = _colours(lanes, names) | {"seriesIndex": list(range(len(chosen["series"])))}
    for index, lane in enumerate(lanes):
        chosen["series"] += brush.lines(lane.points, brush.of_lane(brushed, index), index)
    if lasso:
        chosen |= deepcopy(_LASSO)
    return chosen


def _colours(lanes: Sequence[Summary], names: Mapping[int, str] | None) -> dict[str, Any]:
    """Class to colour, by the dataset's column; unseen classes are coloured too, their symbol tells them apart."""
    labels = classes(lanes)
    return {
        "type": "piecewise", "show": False, "dimension": COLUMNS.index("class"),
        "categories": [class_name(label, names) for label in labels],
        "inRange": {"color": [class_colour(label) for label in labels]},
    }  # fmt: skip


def classes(lanes: Sequence[Summary]) -> list[int]:
    """All labels on the maps, rising."""
    return sorted({int(label) for lane in lanes for label in np.unique(lane.points.y)})


def class_colour(label: int) -> str:
    """A colour that belongs to the label, whatever else is on the map; after 20 classes they begin again."""
    return theme.CLASSES[label % len(theme.CLASSES)]


def class_name(label: int, names: Mapping[int, str] | None = None) -> str:
    """The class in words; text, because ECharts takes a number for a position."""
    return (names or {}).get(label, str(label))


def _rows_of(points: Points, names: Mapping[int, str] | None) -> pd.DataFrame:
    """Columns COLUMNS; numbers in the smallest type that holds them."""
    xy = np.round(np.asarray(points.xy, np.float32), 4)
    table = {
        "x": pd.Series(np.where(np.isfinite(xy[:, 0]), xy[:, 0], np.nan), dtype=np.float32),
        "y": pd.Series(np.where(np.isfinite(xy[:, 1]), xy[:, 1], np.nan), dtype=np.float32),
        "class": pd.Categorical([class_name(int(label), names) for label in points.y]),
        "item": np.asarray(points.item, np.int16 if np.max(points.item, initial=0) < 2**15 else np.int32),
    }
    return pd.DataFrame(table)


def frame(points: Points) -> Frame:
    """A square around the points and the origin whose half side is a round number; (-1, 1) without points."""
    known = np.abs(points.xy[np.isfinite(points.xy)])
    reach = 1.02 * float(known.max()) if known.size and known.max() > 0 else 1.0
    unit = 10.0 ** np.floor(np.log10(reach))
    half = float(unit * next((size for size in _SIZES if size * unit >= reach), 10.0))
    return -half, half, -half, half


def badge(summary: Summary) -> str:
    """`PCA, trustworthiness 0.91`."""
    return f"{summary.points.method}, trustworthiness {theme.number(summary.points.trustworthiness, 2)}"


def rows(given: Given, *, names: Mapping[int, str] | None = None) -> pd.DataFrame:
    """One row a lane and item; the live map sends the same columns without the lane."""
    blocks = [
        {
            "lane": theme.name(index, lane.label), "x": lane.points.xy[:, 0], "y": lane.points.xy[:, 1],
            "class": [class_name(int(label), names) for label in lane.points.y], "item": lane.points.item,
            "seen": ["seen" if seen else "unseen" for seen in lane.points.seen],
        }
        for index, lane in enumerate(summaries(given))
    ]  # fmt: skip
    return theme.frame(blocks, ("lane", "x", "y", "class", "item", "seen"))


def sentence(given: Given) -> str:
    """What the picture shows, for those who do not see it."""
    lanes = summaries(given)
    if not lanes:
        return "Map of the embedding: no lane yet."
    return " ".join(
        f"{theme.name(index, lane.label)}: {theme.many(len(lane.points.y), 'item')} of "
        f"{theme.many(len(np.unique(lane.points.y)), 'class', 'classes')} by {badge(lane)}; 5-nearest-neighbour "
        f"accuracy {theme.number(lane.neighbours.knn, 2)}."
        for index, lane in enumerate(lanes)
    )


def table(given: Given) -> pd.DataFrame:
    """One row a lane and item."""
    found = rows(given)
    return found.rename(columns={"x": "x (map units)", "y": "y (map units)"})


def figure(given: Given, *, names: Mapping[int, str] | None = None, columns: int = 2) -> alt.FacetChart:
    """The same map as small multiples in Altair, for a notebook or a file."""
    found = rows(given, names=names)
    labels = classes(summaries(given))
    scale = alt.Scale(domain=[class_name(k, names) for k in labels], range=[class_colour(k) for k in labels])
    shapes = alt.Scale(domain=["seen", "unseen"], range=[_SEEN, _UNSEEN])
    quiet = alt.Axis(labels=False, ticks=False, grid=False, title=None)
    chart = (
        alt.Chart({"values": found.to_dict(orient="records")})
        .mark_point(filled=True, size=24, opacity=0.85)
        .encode(
            x=alt.X("x:Q", axis=quiet), y=alt.Y("y:Q", axis=quiet), color=alt.Color("class:N", scale=scale),
            shape=alt.Shape("seen:N", scale=shapes), tooltip=["class:N", "item:Q"],
        )
        .properties(width=260, height=240)
    )  # fmt: skip
    facets: alt.FacetChart = chart.facet(alt.Facet("lane:N", title=None), columns=columns)
    return facets


def figure_3d(given: Sequence[Snapshot], *, names: Mapping[int, str] | None = None) -> go.Figure:
    """Plotly: the three widest directions of the unit rows, a scene a snapshot; for a picture that stands still."""
    titles = [theme.short(index, item.label, 26) for index, item in enumerate(given)]
    kinds = [[{"type": "scene"}] * max(len(given), 1)]
    fig = make_subplots(rows=1, cols=max(len(given), 1), specs=kinds, subplot_titles=titles, horizontal_spacing=0.01)
    for index, item in enumerate(given):
        xyz, share = three_directions(item.z)
        _add_scene(fig, index + 1, item, xyz, names)
        fig.layout.annotations[index].text += f"<br>{theme.percent(share)} of the spread"
    quiet = {"title": "", "showticklabels": False, "zeroline": False}
    fig.update_scenes(xaxis=quiet, yaxis=quiet, zaxis=quiet, aspectmode="cube")
    fig.update_annotations(font_size=12)
    return fig.update_layout(height=420, margin={"l": 0, "r": 0, "t": 40, "b": 0}, showlegend=False)


def three_directions(z: np.ndarray) -> tuple[np.ndarray, float]:
    """(n, 3) coordinates of the unit rows along their principal directions, and the share of the variance they hold."""
    z = np.asarray(z, np.float64)
    length = np.linalg.norm(z, axis=1, keepdims=True)
    unit = np.divide(z, length, out=np.zeros_like(z), where=length > 0)
    centred = unit - unit.mean(axis=0)
    _, singular, directions = np.linalg.svd(centred, full_matrices=False)
    # The sign of a direction is arbitrary: the entry of largest size is made positive.
    signs = np.sign(directions[np.arange(len(directions)), np.abs(directions).argmax(axis=1)])
    xyz = np.zeros((len(z), 3))
    xyz[:, : min(3, len(directions))] = centred @ (directions * signs[:, None])[:3].T
    total = float((singular**2).sum())
    return xyz, float((singular[:3] ** 2).sum()) / total if total > 0 else float("nan")


def _add_scene(fig: go.Figure, column: int, item: Snapshot, xyz: np.ndarray, names: Mapping[int, str] | None) -> None:
    for seen, symbol in ((True, "circle"), (False, "diamond")):
        mask = item.seen == seen
        words = [
            f"class {class_name(int(y), names)}, item {i}" for y, i in zip(item.y[mask], item.item[mask], strict=True)
        ]
        colours = [class_colour(int(label)) for label in item.y[mask]]
        fig.add_scatter3d(
            x=xyz[mask, 0], y=xyz[mask, 1], z=xyz[mask, 2], mode="markers", text=words, hoverinfo="text",
            marker={"size": 3 if seen else 4, "symbol": symbol, "color": colours}, row=1, col=column,
        )  # fmt: skip
