"""Which picture a panel shows: all pairs by cosine, or what the losses read: margins, residuals, heads."""

from collections.abc import Sequence
from typing import Any

from app import items, state
from app.view import View
from components.panels import (
    class_roc,
    head_histogram,
    margin_axis,
    margin_histogram,
    pair_weights,
    roc_curve,
    sample_weights,
    score_histogram,
)
from models.diagnostics.summary import Summary
from models.training.config import Part

COSINE, MARGIN, RESIDUAL, HEADS = "cosine", "margin", "residual", "heads"
PICTURES: dict[str, dict[str, Any]] = {
    "scores": {
        COSINE: score_histogram, MARGIN: margin_histogram, RESIDUAL: margin_histogram, HEADS: head_histogram,
    },
    "roc": {COSINE: roc_curve, MARGIN: class_roc},
    "weights": {COSINE: pair_weights, MARGIN: sample_weights, RESIDUAL: sample_weights},
}  # fmt: skip
HELP = (
    "cosine: pairs of items, which every lane has. margin: how surely a loss that reads logits decides. residual: by "
    "how much a predicted number misses. heads: pairs under each projection head."
)


def offered(name: str, shown: Sequence[Summary]) -> tuple[str, ...]:
    """The readings of a panel that at least one lane has."""
    return tuple(
        reading
        for reading in PICTURES.get(name, {COSINE: None})
        if reading == COSINE or any(_has(lane, reading, name) for lane in shown)
    )


def usual(name: str, shown: Sequence[Summary]) -> str:
    """What all the losses read; where they read different things, the cosine, which every lane has."""
    common = [r for r in offered(name, shown) if r in (MARGIN, RESIDUAL) and all(_has(s, r, name) for s in shown)]
    return common[0] if common else COSINE


def fullest(name: str, shown: Sequence[Summary]) -> str:
    """What a lesson shows, where nobody chooses: each head where all lanes have several, else what the losses read."""
    heads = name == "scores" and len(shown) > 0 and all(_has(lane, HEADS, name) for lane in shown)
    return HEADS if heads else usual(name, shown)


def chosen(name: str, shown: Sequence[Summary]) -> str:
    """The reading that the panel shows now."""
    readings = offered(name, shown)
    return str(state.choice(key(name, readings), usual(name, shown))) if len(readings) > 1 else COSINE


def key(name: str, readings: tuple[str, ...]) -> str:
    """Where the choice is kept; a board with other lanes offers others, and has a choice of its own."""
    return f"{name}-reading-{'-'.join(readings)}"


def picture(name: str, shown: Sequence[Summary], plain: Any) -> Any:
    """The panel that draws the reading; `plain` where a panel has one picture only."""
    return PICTURES[name][chosen(name, shown)] if name in PICTURES else plain


def title(name: str, shown: Sequence[Summary], panel: Any) -> str:
    """The panel's title; of numbers, that of residuals."""
    residuals = name == "scores" and chosen(name, shown) == RESIDUAL
    return margin_histogram.RESIDUAL_TITLE if residuals else str(panel.TITLE)


def options(name: str, view: View) -> dict[str, Any]:
    """What a picture of another reading is drawn with beside the panel's own choices; nothing for cosines."""
    return options_of(chosen(name, view.summaries), view.lanes[0].config.data)


def options_of(reading: str, data: Part) -> dict[str, Any]:
    """The same for one reading of lanes on a data set."""
    return {} if reading in (COSINE, HEADS) else {"residual": reading == RESIDUAL, "names": items.names(data)}


def drawing(panel: Any, given: dict[str, Any]) -> dict[str, Any]:
    """Those of the options that the picture takes."""
    taken = getattr(panel, "OPTIONS", tuple(given))
    return {name: value for name, value in given.items() if name in taken}


def telling(panel: Any, given: dict[str, Any], plain: Sequence[str] = ()) -> dict[str, Any]:
    """Those of the options that its sentence and its table take; `plain` for panels that do not say."""
    taken = getattr(panel, "WORDS", plain)
    return {name: value for name, value in given.items() if name in taken}


def _has(summary: Summary, reading: str, name: str) -> bool:
    if reading == HEADS:
        return bool(summary.heads)
    if name == "roc":
        return class_roc.curves(summary) is not None
    return margin_axis.shown(summary, residual=reading == RESIDUAL) is not None
