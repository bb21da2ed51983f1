"""Panels and numbers as files. Pictures are drawn by vl-convert, which needs no browser and no network."""

import json
from typing import Any, TypeAlias

import altair as alt
import numpy as np
import pandas as pd
import plotly.graph_objects as go
import vl_convert

from components import theme
from components.panels.inputs import Given, summaries

WIDTH = 720  # pixels of a chart that fills its container on the page
SCALE = 2.0  # pixels of the file for each of these

Figure: TypeAlias = alt.SchemaBase | go.Figure


def png(figure: Figure, *, width: int = WIDTH, scale: float = SCALE) -> bytes:
    """An Altair chart as PNG on white; ValueError for a Plotly figure, which only a browser can draw."""
    data: bytes = vl_convert.vegalite_to_png(_spec(figure, width), scale=scale)
    return data


def svg(figure: Figure, *, width: int = WIDTH) -> bytes:
    """An Altair chart as SVG on white; ValueError for a Plotly figure, which only a browser can draw."""
    return str(vl_convert.vegalite_to_svg(_spec(figure, width))).encode()


def html(figure: go.Figure) -> bytes:
    """A Plotly figure as a page of its own, its library included: nothing is fetched, nothing can be uploaded."""
    page: str = figure.to_html(
        include_plotlyjs=True, full_html=True, config={"displaylogo": False, "showSendToCloud": False}
    )
    return page.encode()


def _spec(figure: Figure, width: int) -> str:
    if isinstance(figure, go.Figure):
        raise ValueError(
            "a Plotly figure has no PNG or SVG here: use export.html, or the panel's Altair figure "
            "(pair_weights.heat_figure, roc_curve.figure, embedding_map.figure)"
        )
    spec: dict[str, Any] = figure.to_dict()
    if spec.get("width") == "container":
        spec["width"] = width
    spec["background"] = "white"
    return json.dumps(spec)


def csv(table: pd.DataFrame) -> bytes:
    """Comma-separated, UTF-8 with a mark so that spreadsheets read the d-prime sign."""
    text: str = table.to_csv(index=False)
    return text.encode("utf-8-sig")


def steps_table(given: Given) -> pd.DataFrame:
    """One row a lane and step: loss and gradient norm of every stored step, measures at the steps that have them."""
    blocks = [_steps(theme.name(index, lane.label), lane) for index, lane in enumerate(summaries(given))]
    if not blocks:
        return pd.DataFrame({"lane": pd.Series(dtype=object), "step": pd.Series(dtype=np.int64)})
    return pd.concat(blocks, ignore_index=True)


def _steps(name: str, lane: Any) -> pd.DataFrame:
    curves = lane.curves
    trained = pd.DataFrame({"step": curves.step, "loss": curves.loss, "gradient norm": curves.grad_norm})
    measured = pd.DataFrame({"step": curves.measured_step, **curves.measured})
    both = [frame.astype({"step": np.int64}) for frame in (trained, measured)]
    merged = both[0].merge(both[1], on="step", how="outer").sort_values("step", ignore_index=True)
    merged.insert(0, "lane", name)
    return merged
