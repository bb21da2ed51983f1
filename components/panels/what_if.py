"""What another knob would do to the weights at the scores of this moment: nothing is trained."""

from functools import lru_cache
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from components import theme
from models.diagnostics.summary import WeightProfile

TITLE = "What if"
HELP = (
    "The weights the loss gives now (thin) and those it would give with the other value (thick), at the same scores. "
    "Solid: pull on positives, below the line; dashed: push on negatives, above it."
)
SPEC_OPTIONS = ()
_POSITIVE, _NEGATIVE = "pull on positives (solid)", "push on negatives (dashed)"
_COLUMNS = ("when", "score", "weight", "raw", "sign")


@lru_cache
def spec() -> dict[str, Any]:
    """Vega-Lite without data."""
    x = alt.X("score:Q", title=theme.COSINE, scale=alt.Scale(nice=False), axis=theme.axis(tickCount=5, grid=False))
    y = alt.Y("weight:Q", title="weight, largest now = 1", axis=theme.axis(tickCount=5, format="~g"))
    signs = [_POSITIVE, _NEGATIVE]
    legend = alt.Legend(
        title=None, orient="top", direction="vertical", labelLimit=220, symbolOpacity=1, labelFontSize=11, offset=4
    )
    colour = alt.Color("sign:N", scale=alt.Scale(domain=signs, range=[theme.POSITIVE, theme.NEGATIVE]), legend=legend)
    dash = alt.StrokeDash("sign:N", scale=alt.Scale(domain=signs, range=[[1, 0], list(theme.DASH)]), legend=None)
    width = alt.StrokeWidth("when:N", scale=alt.Scale(domain=["now", "then"], range=[1, 3]), legend=None)
    tip = [
        alt.Tooltip("when:N"), alt.Tooltip("sign:N", title="pair"), alt.Tooltip("score:Q", format=".2f"),
        alt.Tooltip("raw:Q", title="weight", format=".3~g"),
    ]  # fmt: skip
    base = alt.Chart().encode(x=x, y=y, color=colour)
    lines = base.mark_line().encode(strokeDash=dash, strokeWidth=width, detail="when:N")
    reach = base.mark_point(opacity=0, size=80).encode(tooltip=tip)
    return theme.freeze(alt.layer(lines, reach), height=240)


def rows(now: WeightProfile, then: WeightProfile) -> pd.DataFrame:
    """One row a score bin, sign and moment; bins without a pair are left out.

    weight is relative to the largest one of its sign now: one positive weighs far more than one of many negatives, and
    a change is a ratio. raw is the weight itself.
    """
    parts = []
    for sign, side in ((_POSITIVE, "pull"), (_NEGATIVE, "push")):
        unit = _largest(getattr(now, side))
        for when, profile in (("now", now), ("then", then)):
            values = getattr(profile, side)
            known = np.isfinite(values)
            raw = values[known]
            parts.append({"when": when, "score": profile.centre[known], "weight": raw / unit, "raw": raw, "sign": sign})
    return theme.frame(parts, _COLUMNS)


def _largest(values: np.ndarray) -> float:
    known = np.abs(values[np.isfinite(values)])
    return float(known.max()) if len(known) and known.max() > 0 else 1.0


def sentence(now: WeightProfile, then: WeightProfile) -> str:
    """How the hardest share and the effective negatives would change."""
    share = f"{theme.percent(now.hardest_share)} → {theme.percent(then.hardest_share)}"
    effective = f"{theme.number(now.effective_negatives, 2)} → {theme.number(then.effective_negatives, 2)}"
    return (
        f"Push carried by the hardest 1 % of negatives: {share}. "
        f"Negatives that matter to a typical anchor: {effective} of {theme.number(then.negatives)}."
    )


def level(now: float, then: float) -> str:
    """How the loss itself would change at these scores; it is another scale, so lower is not better."""
    return f"Loss at these scores: {theme.number(now)} → {theme.number(then)}."


def table(now: WeightProfile, then: WeightProfile) -> pd.DataFrame:
    """One row a moment."""
    return theme.finite(
        pd.DataFrame(
            [
                {
                    "when": when,
                    "push of the hardest 1 % (share)": profile.hardest_share,
                    "effective negatives (count)": profile.effective_negatives,
                    "pull : push": profile.pull_push,
                    "pairs with a weight (share)": profile.active,
                }
                for when, profile in (("now", now), ("then", then))
            ]
        )
    )


def figure(now: WeightProfile, then: WeightProfile) -> alt.LayerChart:
    """The same picture as an Altair chart, for a notebook or a file."""
    return theme.thaw(spec(), rows(now, then))
