"""Says when a loss curve sits on one of its reference levels."""

import numpy as np

from models.diagnostics.summary import Curves

STEPS = 30
TOLERANCE = 0.02  # of the span of the levels
_MEANING = {
    "chance": "positives and negatives score alike so far",
    "collapse": "all scores are equal: the embedding may have collapsed to a point",
    "perfect": "classes are as far apart as they can be: nothing is left to gain",
    "inactive": "no pair has a gradient any more: training stands still",
}


def sits_on(curves: Curves, levels: dict[str, float]) -> tuple[str, str] | None:
    """(name, sentence) of the level that the loss has stayed near for the last STEPS steps or more; None if none.

    Near: within 2 % of the span between the lowest and the highest level; of the level's own size where there is no
    span. Of several levels the nearest counts; levels of the same value are told together, and the first names them.
    """
    defined = {name: value for name, value in levels.items() if np.isfinite(value)}
    if not defined or len(curves.step) == 0:
        return None
    span = max(defined.values()) - min(defined.values())
    stays = {
        name: _steps_within(curves, value, TOLERANCE * (span or abs(value) or 1.0)) for name, value in defined.items()
    }
    held = [name for name in defined if stays[name] >= STEPS]
    if not held:
        return None
    last = float(curves.loss[-1])
    name = min(held, key=lambda candidate: abs(defined[candidate] - last))
    value = defined[name]
    alike = [other for other in held if defined[other] == value]
    meaning = "; or ".join(_MEANING.get(other, f"its {other} level") for other in alike)
    return alike[0], (
        f"For {stays[name]} steps the loss has stayed at its {' and '.join(alike)} level ({value:.4g}): {meaning}."
    )


def _steps_within(curves: Curves, value: float, width: float) -> int:
    """How many of the last steps in a row lie within `width` of a value; a thinned curve is taken at its points."""
    outside = np.flatnonzero(~(np.abs(curves.loss - value) <= width))
    first = int(outside[-1]) + 1 if len(outside) else 0
    if first == len(curves.loss):
        return 0
    return int(curves.step[-1] - curves.step[first]) + 1
