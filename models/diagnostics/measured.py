"""A number and how sure it is: 95 % intervals over items, batches and shares."""

from dataclasses import dataclass
from math import isfinite

import numpy as np
from jaxtyping import Float
from scipy.special import stdtrit

from models.diagnostics.bootstrap import LEVEL, interval, multiplicities


@dataclass(frozen=True)
class Measured:
    """A number with its 95 % interval; nan where there is none."""

    value: float
    low: float = float("nan")
    high: float = float("nan")

    @property
    def known(self) -> bool:
        """True if the number is defined."""
        return isfinite(self.value)

    def above(self, threshold: float) -> str:
        """Confidence that the number is above a threshold, given that its value is."""
        return _confidence(self.low > threshold if isfinite(self.low) else None)

    def below(self, threshold: float) -> str:
        """Confidence that the number is below a threshold, given that its value is."""
        return _confidence(self.high < threshold if isfinite(self.high) else None)

    def __str__(self) -> str:
        if not (isfinite(self.low) and isfinite(self.high)):
            return f"{self.value:.3g}"
        return f"{self.value:.3g} [{self.low:.3g}, {self.high:.3g}]"


def _confidence(clear: bool | None) -> str:
    return "medium" if clear is None else "high" if clear else "low"


def share_interval(hits: int, of: int) -> Measured:
    """A share of independent items with Wilson's interval (Wilson 1927)."""
    if of == 0:
        return Measured(float("nan"))
    z, p = 1.959964, hits / of
    centre = (p + z * z / (2 * of)) / (1 + z * z / of)
    half = z / (1 + z * z / of) * float(np.sqrt(p * (1 - p) / of + z * z / (4 * of * of)))
    # At the ends the formula gives 0 and 1 but for rounding.
    return Measured(p, max(centre - half, 0.0) if hits else 0.0, min(centre + half, 1.0) if hits < of else 1.0)


def resampled_mean(values: Float[np.ndarray, " n"]) -> Measured:
    """Mean over items with the percentile interval of a bootstrap over them."""
    if len(values) == 0:
        return Measured(float("nan"))
    if len(values) == 1:
        return Measured(float(values[0]))
    return drawn(float(values.mean()), multiplicities(len(values)) @ values.astype(np.float64) / len(values))


def over_batches(values: Float[np.ndarray, " k"]) -> Measured:
    """Mean over batches that share no item, with Student's t interval; a single batch has none."""
    values = values[np.isfinite(values)]
    k = len(values)
    if k < 2:
        return Measured(float(values[0]) if k else float("nan"))
    half = float(stdtrit(k - 1, (1 + LEVEL) / 2) * values.std(ddof=1) / np.sqrt(k))
    mean = float(values.mean())
    return Measured(mean, mean - half, mean + half)


def drawn(value: float, replicates: Float[np.ndarray, " r"]) -> Measured:
    """A number with the percentile interval of its replicates."""
    return Measured(value, *interval(replicates))
