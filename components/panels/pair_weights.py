"""What the loss does to every pair: its pull or push against similarity, a band a lane, and the map of all weights."""

from functools import lru_cache
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from components import theme
from components.panels import bands, brush
from components.panels.inputs import Given, summaries
from models.diagnostics.pairs import spaced
from models.diagnostics.summary import Summary, WeightProfile

TITLE = "Weight of each pair"
HELP = (
    "How hard the loss pulls a positive pair together (below the line, solid) or pushes a negative one apart (above, "
    "dashed), by how similar the two are; above and below have their own scale. Band: the middle 80 %; dots: single "
    "pairs; thin line: theory. Good: the push sits on similar negatives, and no longer on those far away."
)
SPEC_OPTIONS = ()
OPTIONS = ("brushed",)
DOTS = 40  # pairs of a lane on the wire
CURVE = 25  # points of the theoretical curve on the wire
_POSITIVE, _NEGATIVE = "pull on positives (solid)", "push on negatives (dashed)"
_VALUES = ("pull", "pull_lo", "pull_hi", "push", "push_lo", "push_hi")
_COLUMNS = (*bands.COLUMNS, "x", *_VALUES, "weight")


@lru_cache
def spec() -> dict[str, Any]:
    """Vega-Lite without data; above and below 0 every band has its own scale of weights, named at its lines.

    A single positive weighs far more than one of many negatives: on one scale the push would be a flat line.
    """
    x = alt.X(
        "x:Q", title=theme.COSINE, scale=alt.Scale(domain=[-1, 1], nice=False), axis=theme.axis(tickCount=5, grid=False)
    )
    colour = bands.sign_colour(_POSITIVE, _NEGATIVE)
    layers = []
    for side, word, dash in (("pull", _POSITIVE, [1, 0]), ("push", _NEGATIVE, list(theme.DASH))):
        binned = _of("bin").transform_calculate(sign=f"'{word}'")
        theory = _of("theory").transform_calculate(sign=f"'{word}'")
        spread = binned.mark_area(opacity=0.2).encode(
            x=x, y=bands.height_axis(f"{side}_lo"), y2=f"{side}_hi:Q", color=colour, detail="lane:N"
        )
        mean = binned.mark_line(strokeWidth=2.2, strokeDash=dash).encode(
            x=x, y=bands.height_axis(side), color=colour, detail="lane:N"
        )
        curve = theory.mark_line(strokeWidth=1, strokeDash=dash, opacity=0.8).encode(
            x=x, y=bands.height_axis(side), color=colour, detail="lane:N"
        )
        layers += [spread, curve, mean]
    return theme.freeze(bands.assemble([*layers, *_dots(x, colour)]))


def _of(kind: str) -> alt.Chart:
    chart: alt.Chart = alt.Chart().transform_filter(f"datum.kind === '{kind}'")
    return chart


def _dots(x: alt.X, colour: alt.Color) -> list[alt.Chart]:
    """Single pairs: positives filled, negatives open."""
    tip = [
        alt.Tooltip("lane:N", title="lane"), alt.Tooltip("sign:N", title="pair"),
        alt.Tooltip("x:Q", title="similarity", format=".3f"), alt.Tooltip("weight:Q", format=".3~g"),
    ]  # fmt: skip
    layers = []
    for sign, word, filled in (("+", _POSITIVE, True), ("-", _NEGATIVE, False)):
        for kind, size in ((f"dot{sign}", 14), (f"held{sign}", 60)):
            pairs = _of(kind).transform_calculate(sign=f"'{word}'").mark_point(filled=filled, size=size, opacity=0.8)
            layers.append(pairs.encode(x=x, y=bands.height_axis("y"), color=colour, tooltip=tip))
    return layers


def rows(given: Given, *, brushed: brush.Lanes = ()) -> pd.DataFrame:
    """Bins, theory, dots, brushed pairs and names; weights as heights in the view, pairs with their numbers too."""
    lanes = summaries(given)
    parts: list[dict[str, Any]] = []
    for index, lane in enumerate(lanes):
        profile = lane.weights
        low, high = extent(profile)
        band = bands.Band(index, len(lanes), low, high, middle=0.0)
        parts.append(band.head(_label(index, lane)))
        if profile is None:
            continue
        parts += [band.tick(at, theme.number(at, 2)) for at in (low, 0.0, high)]
        parts += _profile(band, profile)
        for sign, score, weight in brush.dots(brush.of_lane(brushed, index)):
            parts.append(_dotted(f"held{sign}", band, _Stretch(profile)(score), weight))
    return theme.frame(parts, _COLUMNS)


def _profile(band: bands.Band, profile: WeightProfile) -> list[dict[str, Any]]:
    letter = theme.letter(band.lane)
    stretch = _Stretch(profile)
    bins = {name: band.place(values) for name, values in zip(_VALUES, _sides(profile), strict=True)}
    parts: list[dict[str, Any]] = [{"kind": "bin", "lane": letter, "x": stretch(profile.centre), **bins}]
    if len(profile.grid):
        kept = spaced(len(profile.grid), CURVE)
        curve = {"pull": _inside(band, profile.pull_curve[kept]), "push": _inside(band, profile.push_curve[kept])}
        parts.append({"kind": "theory", "lane": letter, "x": stretch(profile.grid[kept]), **curve})
    dots = spaced(len(profile.dot_score), DOTS)
    for kind, mask in (("dot+", profile.dot_positive[dots]), ("dot-", ~profile.dot_positive[dots])):
        chosen = dots[mask]
        parts.append(_dotted(kind, band, stretch(profile.dot_score[chosen]), profile.dot_weight[chosen]))
    return parts


def _dotted(kind: str, band: bands.Band, x: np.ndarray, weight: np.ndarray) -> dict[str, Any]:
    return {"kind": kind, "lane": theme.letter(band.lane), "x": x, "y": _inside(band, weight), "weight": weight}


def _inside(band: bands.Band, values: np.ndarray) -> np.ndarray:
    """Heights of what the band can hold; what lies outside is left out, not drawn along its edge."""
    return band.place(np.where((values >= band.low) & (values <= band.high), values, np.nan))


class _Stretch:
    """Scores onto the axis of cosines: cosines stay, logits are stretched linearly from their own range."""

    def __init__(self, profile: WeightProfile) -> None:
        self.plain = profile.candidates != "class logits"
        self.low, self.high = logit_range(profile)

    def __call__(self, score: np.ndarray) -> np.ndarray:
        score = np.asarray(score, np.float64)
        return score if self.plain else 2.0 * (score - self.low) / (self.high - self.low) - 1.0


def logit_range(profile: WeightProfile) -> tuple[float, float]:
    """Lowest and highest score of the bins, half a bin around their middles included; (-1, 1) without bins."""
    if len(profile.centre) < 2:
        return -1.0, 1.0
    half = float(profile.centre[1] - profile.centre[0]) / 2
    return float(profile.centre[0]) - half, float(profile.centre[-1]) + half


def _sides(p: WeightProfile) -> tuple[np.ndarray, ...]:
    return p.pull, p.pull_low, p.pull_high, p.push, p.push_low, p.push_high


def extent(profile: WeightProfile | None) -> tuple[float, float]:
    """Lowest and highest weight of the bins and their bands.

    A side without any weight takes the other's extent; (-1, 1) where nothing is known.
    """
    if profile is None:
        return -1.0, 1.0
    values = np.concatenate([np.zeros(1), *_sides(profile)])
    values = values[np.isfinite(values)]
    low, high = float(values.min()), float(values.max())
    if low == high:
        return -1.0, 1.0
    return low if low < 0 else -high, high if high > 0 else -low


def _label(index: int, lane: Summary) -> str:
    if lane.weights is None:
        return f"{theme.letter(index)} · {lane.why_no_weight or 'no weights'}"
    name = theme.short(index, lane.label, 28)
    if lane.weights.candidates == "class logits":
        low, high = logit_range(lane.weights)
        return f"{name} · axis: logits {theme.number(low, 2)} to {theme.number(high, 2)}"
    against = "" if lane.weights.candidates == "items" else f" · against {lane.weights.candidates}"
    return f"{name}{against}"


def numbers(summary: Summary) -> tuple[str, str, str]:
    """Three sentences on who carries the push, how many negatives matter, and how pull and push compare.

    Where a loss has no pair weights the first says why, and the others are empty.
    """
    profile = summary.weights
    if profile is None:
        return summary.why_no_weight or "No weights.", "", ""
    carried = f"The hardest 1 % of negatives carry {theme.percent(profile.hardest_share)} of the push."
    if not np.isfinite(profile.hardest_share):
        carried = "No negative is pushed."
    matter = "How many negatives matter to an anchor is not defined."
    if np.isfinite(profile.effective_negatives):
        matter = (
            f"{theme.number(profile.effective_negatives, 2)} of {theme.number(profile.negatives)} negatives matter to "
            "a typical anchor."
        )
    ratio = f"Pull : push = {profile.pull_push:.1f}." if np.isfinite(profile.pull_push) else "Nothing pushes."
    return carried, matter, ratio


def sentence(given: Given) -> str:
    """What the picture shows, for those who do not see it."""
    lanes = summaries(given)
    if not lanes:
        return "Weight of each pair: no lane yet."
    return " ".join(
        f"{theme.name(index, lane.label)}: {' '.join(part for part in numbers(lane) if part)}"
        for index, lane in enumerate(lanes)
    )


def table(given: Given) -> pd.DataFrame:
    """One row a lane."""
    return theme.finite(pd.DataFrame([_row(index, lane) for index, lane in enumerate(summaries(given))]))


def _row(index: int, lane: Summary) -> dict[str, Any]:
    names = (
        "push of the hardest 1 % (share)", "effective negatives (count)", "negatives of an anchor (count)",
        "pull : push", "pairs with a weight (share)", "candidates",
    )  # fmt: skip
    row: dict[str, Any] = {"lane": theme.name(index, lane.label), "step": lane.step}
    p = lane.weights
    if p is None:
        return {**row, **dict.fromkeys(names), "candidates": lane.why_no_weight}
    values = (p.hardest_share, p.effective_negatives, p.negatives, p.pull_push, p.active, p.candidates)
    return {**row, **dict(zip(names, values, strict=True))}


def figure(given: Given, **options: Any) -> alt.LayerChart:
    """The same picture as an Altair chart, for a notebook or a file."""
    return theme.thaw(spec(), rows(given, **options))


def heat_map(given: Given) -> go.Figure:
    """Plotly: anchors x candidates sorted by class, a picture a lane with its own scale; lines part the classes."""
    lanes = summaries(given)
    titles = [_heat_title(index, lane) for index, lane in enumerate(lanes)]
    fig = make_subplots(rows=1, cols=max(len(lanes), 1), subplot_titles=titles, horizontal_spacing=0.06)
    for index, lane in enumerate(lanes):
        if lane.weights is not None:
            _add_heat(fig, index + 1, lane.weights)
    fig.update_annotations(font_size=12)
    return fig.update_layout(height=theme.HEIGHT + 40, margin={"l": 20, "r": 10, "t": 30, "b": 30}, showlegend=False)


def _heat_title(index: int, lane: Summary) -> str:
    if lane.weights is None:
        return f"{theme.letter(index)} · no weight per pair"
    return f"{theme.letter(index)} · ±{theme.number(_reach(lane.weights), 2)}"


def _reach(profile: WeightProfile) -> float:
    """End of the colour scale: the largest block, either sign."""
    known = np.abs(profile.heat[np.isfinite(profile.heat)])
    return float(known.max()) if known.size and known.max() > 0 else 1.0


def boundaries(profile: WeightProfile) -> np.ndarray:
    """Rows of the heat map before which another class begins, as k - 1/2 on an axis of row numbers."""
    starts: np.ndarray = np.flatnonzero(np.diff(profile.heat_class)) + 0.5
    return starts


def _add_heat(fig: go.Figure, column: int, profile: WeightProfile) -> None:
    reach = _reach(profile)
    height, width = profile.heat.shape
    fig.add_heatmap(
        z=profile.heat, zmid=0.0, zmin=-reach, zmax=reach, colorscale=[list(stop) for stop in theme.DIVERGING],
        showscale=column == 1, colorbar={"thickness": 8, "len": 0.8, "tickvals": [-reach, 0, reach],
                                         "ticktext": ["pull", "0", "push"], "x": 1.0},
        hovertemplate="anchors %{y}, candidates %{x}<br>mean weight %{z:.2e}<extra></extra>", row=1, col=column,
    )  # fmt: skip
    line = {"color": theme.NEUTRAL, "width": 0.6}
    for at in boundaries(profile):
        fig.add_shape(type="line", x0=-0.5, x1=width - 0.5, y0=at, y1=at, line=line, row=1, col=column)
        if height == width:
            fig.add_shape(type="line", x0=at, x1=at, y0=-0.5, y1=height - 0.5, line=line, row=1, col=column)
    fig.update_xaxes(title=f"candidates ({profile.candidates})", showticklabels=False, row=1, col=column)
    fig.update_yaxes(
        title="anchors, by class" if column == 1 else None,
        showticklabels=False,
        autorange="reversed",
        row=1,
        col=column,
    )


def heat_figure(summary: Summary) -> alt.Chart:
    """One lane's heat map as an Altair chart: what a file export uses, since it needs no browser."""
    if summary.weights is None:
        raise ValueError(f"no heat map: {summary.why_no_weight or 'this lane has no weights'}")
    heat, reach = summary.weights.heat, _reach(summary.weights)
    anchor, candidate = np.indices(heat.shape)
    cells = pd.DataFrame({"anchor": anchor.ravel(), "candidate": candidate.ravel(), "weight": heat.ravel()})
    scale = alt.Scale(domain=[-reach, 0, reach], range=[theme.POSITIVE, "#f4f4f6", theme.NEGATIVE])
    quiet = theme.axis(labels=False, ticks=False)
    chart: alt.Chart = (
        alt.Chart({"values": theme.finite(cells).to_dict(orient="records")})
        .mark_rect()
        .encode(
            x=alt.X("candidate:O", title=f"candidates ({summary.weights.candidates})", axis=quiet),
            y=alt.Y("anchor:O", title="anchors, by class", axis=quiet),
            color=alt.Color("weight:Q", scale=scale, title="pull − / push +"),
        )
    )
    return chart
