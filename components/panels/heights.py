"""Heights of histograms in bands: a floor and a ceiling common to all bands, plain or logarithmic."""

from collections.abc import Sequence

import numpy as np

from components import theme
from components.panels.bands import Band


def density(count: np.ndarray, width: float) -> np.ndarray:
    """Counts as a density that integrates to 1; zeros where nothing is counted."""
    total = np.nansum(count)
    return count / (total * width) if total > 0 else np.zeros(len(count))


def common(sides: Sequence[np.ndarray], log: bool) -> tuple[float, float]:
    """Common floor and ceiling of all bands, as values or as their decimal logarithms."""
    values = np.concatenate(sides) if sides else np.empty(0)
    values = values[np.isfinite(values) & (values > 0)]
    if len(values) == 0:
        return 0.0, 1.0
    if not log:
        return 0.0, float(values.max())
    return float(np.floor(np.log10(values.min()))), float(np.log10(values.max()) + 1e-9)


def ticks(low: float, high: float, log: bool) -> list[tuple[float, str]]:
    """One line near the top; decades, three at most, on a logarithmic height."""
    if not log:
        step = 10.0 ** np.floor(np.log10(high)) if high > 0 else 1.0
        top = float(np.floor(high / step) * step)
        return [(top, theme.number(top))]
    decades = np.arange(np.ceil(low), np.floor(high) + 1)
    return [(float(d), theme.number(10.0**d)) for d in decades[:: max(1, len(decades) // 2)]]


def place(band: Band, values: np.ndarray, log: bool) -> np.ndarray:
    """Values as heights in the view; on a logarithmic height zeros lie on the floor, nan stays nan."""
    if not log:
        return band.place(values)
    with np.errstate(divide="ignore"):
        return band.place(np.where(values > 0, np.log10(values), np.where(np.isnan(values), np.nan, band.low)))


def occupied(sides: Sequence[np.ndarray]) -> slice:
    """The stretch of bins in which one of the sides has something, and one bin around it."""
    filled = np.flatnonzero(np.nansum(sides, axis=0) > 0)
    return slice(max(int(filled[0]) - 1, 0), int(filled[-1]) + 2) if len(filled) else slice(0, 0)
