"""Colours by lane and by sign, number formats, and the ways a chart is frozen into a spec: one look for every panel."""

from collections.abc import Sequence
from itertools import pairwise
from math import isfinite
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
import pyarrow as pa

# Lanes A to D. Chosen by search: each has a contrast of 3 or more on white and on the dark ground, and any two stay
# 19 or more CIEDE2000 apart for full colour vision, protanopia and deuteranopia. A test recomputes this.
LANES = ("#6688ff", "#9d560b", "#00a373", "#a6458b")
LETTERS = "ABCD"
BADGES = ("blue", "orange", "green", "violet")  # Streamlit's names that come nearest to LANES
POSITIVE, NEGATIVE = "#1391ad", "#d1406a"  # the second sign of each is a pattern: filled or solid, outlined or dashed
NEUTRAL = "#787b82"  # rules, and text inside a plot: contrast above 4.2 on white and on the dark ground
DASH = (5, 3)  # pixels on, off: whatever belongs to negatives
CLASSES = (
    "#1b69cc", "#abb624", "#725538", "#16c2bd", "#d76182", "#8e366b", "#0ca7f7", "#a9720e", "#d9a28b", "#159bab",
    "#01845f", "#646693", "#a0925b", "#a2450a", "#ce1f53", "#5878fb", "#2b9389", "#650cfe", "#17bdde", "#915a74",
)  # fmt: skip
# Push is the colour of negatives and pull that of positives; 0 is see-through, so the page's own ground shows.
DIVERGING = ((0.0, POSITIVE), (0.5, "rgba(120,123,130,0.06)"), (1.0, NEGATIVE))
HEIGHT = 320  # pixels of a live panel, legend included
COSINE = "cosine similarity"
LIMIT = 40_000  # bytes of JSON that the rows of four lanes may have
REACH = 40  # points of a curve that a pointer finds
_DIGITS = 5  # significant digits on the wire: finer than a pixel

alt.data_transformers.disable_max_rows()


def letter(lane: int) -> str:
    """A, B, C, D; a fifth lane is A again, because colours repeat too."""
    return LETTERS[lane % len(LETTERS)]


def colour(lane: int) -> str:
    """The lane's colour, the same in every panel."""
    return LANES[lane % len(LANES)]


def badge(lane: int) -> str:
    """Markdown of the lane's letter on its colour, for Streamlit."""
    return f":{BADGES[lane % len(BADGES)]}-badge[{letter(lane)}]"


def name(lane: int, label: str) -> str:
    """A lane in words: `A · InfoNCE (temperature 0.1)`."""
    return f"{letter(lane)} · {label}"


def short(lane: int, label: str, limit: int = 32) -> str:
    """The same within a plot: knobs that do not fit give way to an ellipsis."""
    if len(label) <= limit:
        return name(lane, label)
    head, _, knobs = label.partition(" (")
    kept = ""
    for knob in knobs.removesuffix(")").split(", "):
        if len(head) + len(kept) + len(knob) + 6 > limit:
            break
        kept += f"{knob}, "
    return name(lane, f"{head} ({kept}…)" if kept else f"{head[:limit]}…")


def number(value: float, digits: int = 3) -> str:
    """Significant digits, a dash for what is not known; no exponent between 0.0001 and a million."""
    if not isfinite(value):
        return "–"
    if value != 0 and not 1e-4 <= abs(value) < 1e6:
        return f"{value:.{digits - 1}e}"
    text = f"{value:.{digits}g}"
    return f"{value:.0f}" if "e" in text else text


def percent(share: float, digits: int = 0) -> str:
    """A share in [0, 1] as a percentage."""
    return f"{100 * share:.{digits}f} %" if isfinite(share) else "–"


def finite(frame: pd.DataFrame) -> pd.DataFrame:
    """The same rows, cells finite numbers (5 significant digits), texts or None: what JSON and Arrow carry."""
    columns = {name: _column(frame[name]) for name in frame.columns}
    # The dtype is said, because pandas would make a text column of objects into one whose None is nan.
    return pd.DataFrame({name: pd.Series(cells, dtype=cells.dtype) for name, cells in columns.items()})


def _column(values: pd.Series) -> np.ndarray:
    if pd.api.types.is_float_dtype(values.dtype):
        return _known(_rounded(values.to_numpy(np.float64)))
    if pd.api.types.is_bool_dtype(values.dtype) or pd.api.types.is_integer_dtype(values.dtype):
        whole: np.ndarray = values.to_numpy()
        return whole
    cells = np.empty(len(values), dtype=object)
    cells[:] = [_cell(value) for value in values]
    return cells


def _cell(value: Any) -> Any:
    """One cell of a mixed column."""
    if isinstance(value, float | np.floating):
        return float(_rounded(np.array([value]))[0]) if isfinite(value) else None
    return None if value is None or value is pd.NA else value


def _rounded(values: np.ndarray) -> np.ndarray:
    """Significant digits cut; what is not finite stays as it is."""
    usable = np.isfinite(values) & (values != 0)
    size = np.floor(np.log10(np.abs(np.where(usable, values, 1.0))))
    factor = 10.0 ** np.clip(_DIGITS - 1 - size, -300, 300)
    cut: np.ndarray = np.where(usable, np.round(np.where(usable, values, 0.0) * factor) / factor, values)
    return cut


def wire_bytes(frame: pd.DataFrame) -> int:
    """Size of the rows as JSON, columns named once."""
    return len(frame.to_json(orient="split", index=False))


def reach(count: int) -> np.ndarray:
    """1 for the at most REACH points of a curve that a pointer finds, the ends among them; 0 for those between.

    A browser lays out the nearest cell of every such point anew at each update: of all points that took longer than
    the curve itself.
    """
    found = np.zeros(count, np.int8)
    found[np.linspace(0, count - 1, min(count, REACH)).round().astype(int)] = 1
    return found


def frame(parts: Sequence[dict[str, Any]], columns: Sequence[str]) -> pd.DataFrame:
    """One table of many blocks of columns; a column that a block lacks is None there, scalars are repeated.

    Cells are finite numbers (5 significant digits), texts or None. Drawn at every tick: arrays are put in place, not
    walked.
    """
    lengths = [next((len(value) for value in part.values() if np.ndim(value)), 1) for part in parts]
    ends = np.cumsum([0, *lengths])
    places = [slice(int(a), int(b)) for a, b in pairwise(ends)]
    total = int(ends[-1])
    table: dict[str, np.ndarray] = {}
    for name in columns:
        given = [(place, part[name]) for place, part in zip(places, parts, strict=True) if name in part]
        table[name] = _numbers(given, total) if _all_numbers(given) else _words(given, total)
    numeric = [name for name, cells in table.items() if cells.dtype != object]
    if numeric:
        # One pass over all columns of numbers: most of them are short, and each pass has its price.
        rounded = _rounded(np.stack([table[name] for name in numeric]))
        table |= {name: _known(cells) for name, cells in zip(numeric, rounded, strict=True)}
    # The dtype is said, because pandas would make a text column of objects into one whose None is nan.
    return pd.DataFrame({name: pd.Series(cells, dtype=cells.dtype) for name, cells in table.items()})


Given = list[tuple[slice, Any]]


def _all_numbers(given: Given) -> bool:
    return bool(given) and all(np.asarray(value).dtype.kind in "fiu" for _, value in given)


def _numbers(given: Given, total: int) -> np.ndarray:
    cells = np.full(total, np.nan)
    for place, value in given:
        cells[place] = value
    return cells


def _words(given: Given, total: int) -> np.ndarray:
    cells = np.empty(total, dtype=object)
    for place, value in given:
        cells[place] = [_cell(one) for one in value] if np.ndim(value) else _cell(value)
    return cells


def _known(cells: np.ndarray) -> np.ndarray:
    """The same numbers, None where one is not finite."""
    known = np.isfinite(cells)
    if known.all():
        return cells
    found = cells.astype(object)
    found[~known] = None
    return found


def wire(rows: pd.DataFrame) -> pa.Table:
    """The rows as the Arrow table that the browser gets; a column of few different texts holds each of them once."""
    return pa.table({name: _packed(pa.array(rows[name].to_numpy())) for name in rows.columns})


def _packed(cells: pa.Array) -> pa.Array:
    if pa.types.is_float64(cells.type):  # seven digits draw the same picture, and steps stay whole numbers
        return cells.cast(pa.float32())
    if not pa.types.is_string(cells.type):
        return cells
    short: pa.Array = cells.dictionary_encode().cast(pa.dictionary(pa.int16(), pa.string()))
    return short if short.nbytes < cells.nbytes / 2 else cells


def axis(**options: Any) -> alt.Axis:
    """An axis that leaves the room to the plot."""
    return alt.Axis(**{"titlePadding": 6, "labelPadding": 5, "titleFontSize": 12, "labelFontSize": 11, **options})


def freeze(chart: alt.TopLevelMixin, *, height: int = HEIGHT) -> dict[str, Any]:
    """An Altair chart as a Vega-Lite dict without data, as wide as its container, drawn on a canvas.

    Built once for given options; what changes at a tick are the rows alone, so the browser keeps the chart mounted.
    """
    spec: dict[str, Any] = chart.to_dict()
    for key in ("datasets", "config"):
        spec.pop(key, None)
    _drop_data(spec)
    _say_once(spec, {})
    # Else Vega words a description of every datum at every tick; on a canvas nothing reads it, and the panel's own
    # sentence and table say what the picture shows.
    spec["config"] = {"aria": False}
    spec["width"], spec["height"] = "container", height
    spec["autosize"] = {"type": "fit", "contains": "padding"}
    spec["usermeta"] = {"embedOptions": {"renderer": "canvas"}}
    return spec


def _drop_data(view: dict[str, Any]) -> None:
    """Layers take the data of the whole chart: Altair names an empty set in each, which would hide it."""
    view.pop("data", None)
    for child in view.get("layer", ()):
        _drop_data(child)


def _say_once(view: dict[str, Any], said: dict[tuple[str, str], Any]) -> None:
    """Layers share axes and scales, and each names them: what repeats the first need not travel at every tick."""
    for channel, about in view.get("encoding", {}).items():
        for guide in ("axis", "scale"):
            own = about.get(guide) if isinstance(about, dict) else None
            first = said.setdefault((channel, guide), own) if own else None
            if own and first == own and first is not own:
                del about[guide]
    for child in view.get("layer", ()):
        _say_once(child, said)


def thaw(spec: dict[str, Any], rows: pd.DataFrame) -> alt.LayerChart:
    """Spec and rows as an Altair chart, for notebooks and files; raises what Altair raises if the spec is not valid."""
    values = rows.to_dict(orient="records")
    chart: alt.LayerChart = alt.LayerChart.from_dict({**spec, "data": {"values": values}})
    return chart


def lane_scale() -> alt.Scale:
    """Letters to colours, with a fixed domain: a lane keeps its colour when another goes."""
    return alt.Scale(domain=list(LETTERS), range=list(LANES))


def lane_legend(labels: str = "label", order: str = "lane") -> alt.Chart:
    """An invisible layer whose legend names the lanes; the rows are those with a label, in the order of their letters.

    The legend takes its text from the data, so labels may change at every tick while the spec stays.
    """
    legend = alt.Legend(
        title=None,
        orient="top",
        columns=1,
        labelLimit=340,
        labelFontSize=11,
        rowPadding=1,
        symbolType="square",
        symbolSize=90,
        symbolOpacity=1,
        offset=2,
    )
    fill = alt.Fill(
        f"{labels}:N",
        sort=alt.EncodingSortField(order, order="ascending"),
        scale=alt.Scale(range=list(LANES)),
        legend=legend,
    )
    rows = alt.Chart().transform_filter(f"isValid(datum.{labels})")
    chart: alt.Chart = rows.mark_point(filled=True, opacity=0).encode(fill=fill)
    return chart


def many(count: int, one: str, several: str | None = None) -> str:
    """`1 lane`, `2 lanes`."""
    return f"{count} {one if count == 1 else several or one + 's'}"
