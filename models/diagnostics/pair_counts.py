"""Scores of many pairs as counts in fine bins: what AUC, rates and moments they allow, and how sure those are."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int

from models.diagnostics.summary import RATES, ScoreHistogram

FINE_BINS = 65_536
COSINE = (-1.0, 1.0)  # the range of the bins of cosines; what rounding carries beyond it belongs to the outermost bin


@dataclass(frozen=True, eq=False)
class PairCounts:
    """Pairs by bin of their score, bins of equal width over [low, high]. Counts of parts of the pairs add up."""

    positive: Int[np.ndarray, " bins"]
    negative: Int[np.ndarray, " bins"]
    low: float
    high: float

    def __add__(self, other: "PairCounts") -> "PairCounts":
        """Both together; raises ValueError where the bins differ."""
        if (self.low, self.high, len(self.positive)) != (other.low, other.high, len(other.positive)):
            raise ValueError(f"bins over {self.low}..{self.high} and {other.low}..{other.high} do not add up")
        return PairCounts(self.positive + other.positive, self.negative + other.negative, self.low, self.high)

    @cached_property
    def positives(self) -> int:
        """Number of positive pairs."""
        return int(self.positive.sum())

    @cached_property
    def negatives(self) -> int:
        """Number of negative pairs."""
        return int(self.negative.sum())

    @property
    def complete(self) -> bool:
        """True if there is at least one pair of each kind."""
        return self.positives > 0 and self.negatives > 0

    @property
    def width(self) -> float:
        """Width of a bin, in units of the score: a threshold or a mean is known to this or better."""
        return (self.high - self.low) / len(self.positive)

    @cached_property
    def centre(self) -> Float[np.ndarray, " bins"]:
        """Middle of each bin."""
        return self.low + (np.arange(len(self.positive)) + 0.5) * self.width

    @cached_property
    def uncertain(self) -> Bool[np.ndarray, " bins"]:
        """Bins that hold pairs of both kinds: only there the order of a couple is not known."""
        return (self.positive > 0) & (self.negative > 0)

    @cached_property
    def sure_wins(self) -> int:
        """Couples of a positive and a negative whose positive lies in a higher bin."""
        below = np.cumsum(self.negative) - self.negative
        some = np.flatnonzero(self.positive)
        # Python's whole numbers: the product of both counts passes 2^63 at some 100,000 rows.
        return sum(p * b for p, b in zip(self.positive[some].tolist(), below[some].tolist(), strict=True))

    @cached_property
    def unsure(self) -> int:
        """Couples of a positive and a negative in one bin."""
        both = np.flatnonzero(self.uncertain)
        return sum(p * q for p, q in zip(self.positive[both].tolist(), self.negative[both].tolist(), strict=True))

    def auc_bounds(self) -> tuple[float, float]:
        """(low, high) between which the exact AUC lies for certain; nan without pairs of both kinds.

        A couple in one bin counts 0 at least and 1 at most, so high - low = sum_b p_b n_b / (P N).
        """
        if not self.complete:
            return float("nan"), float("nan")
        couples = self.positives * self.negatives
        return self.sure_wins / couples, (self.sure_wins + self.unsure) / couples

    def auc(self) -> float:
        """AUC with couples in one bin counted half; the exact one is at most half of the bounds' distance away."""
        low, high = self.auc_bounds()
        return (low + high) / 2

    def rates(self) -> tuple[Float[np.ndarray, " k"], Float[np.ndarray, " k"], Float[np.ndarray, " k"]]:
        """Exact (fpr, tpr, threshold) at every edge of a bin from the top edge down; k = bins + 1."""
        edges = self.low + np.arange(len(self.positive), -1, -1) * self.width
        reached = [np.append(0, np.cumsum(kind[::-1])) / max(kind.sum(), 1) for kind in (self.negative, self.positive)]
        return reached[0], reached[1], edges

    def equal_error(self) -> tuple[float, float]:
        """(rate, threshold) where false accepts equal false rejects, on the line between the edges around it."""
        if not self.complete:
            return float("nan"), float("nan")
        fpr, tpr, threshold = self.rates()
        excess = fpr + tpr - 1.0
        k = int(np.argmax(excess >= 0))  # the last edge accepts all, so there it is 1
        share = float(-excess[k - 1] / (excess[k] - excess[k - 1]))
        mean = [float(line[k - 1] + share * (line[k] - line[k - 1])) for line in (fpr, threshold)]
        return mean[0], mean[1]

    def tpr_at(self) -> Float[np.ndarray, " rates"]:
        """Highest true positive rate at an edge whose false positive rate is at most each of RATES.

        nan where that rate is less than one negative's share. The exact one is at most a bin's positives higher.
        """
        found = np.full(len(RATES), np.nan)
        if self.complete:
            fpr, tpr, _ = self.rates()
            for k, rate in enumerate(RATES):
                if rate * self.negatives >= 1 - 1e-9:
                    found[k] = tpr[np.searchsorted(fpr, rate * (1 + 1e-12), "right") - 1]
        return found

    def d_prime(self) -> float:
        """(mean+ - mean-) / sqrt((var+ + var-) / 2), a score taken at its bin's middle; nan if neither side varies."""
        if not self.complete:
            return float("nan")
        means = [float(np.average(self.centre, weights=kind)) for kind in (self.positive, self.negative)]
        spreads = [
            float(np.average((self.centre - mean) ** 2, weights=kind))
            for mean, kind in zip(means, (self.positive, self.negative), strict=True)
        ]
        spread = float(np.sqrt(sum(spreads) / 2))
        return (means[0] - means[1]) / spread if spread > self.width else float("nan")

    def coarse(self, bins: int) -> ScoreHistogram:
        """The histogram that panels draw, in so many bins over the same range; a divisor of the fine ones."""
        positive, negative = (kind.reshape(bins, -1).sum(axis=1) for kind in (self.positive, self.negative))
        overlap = float("nan")
        if self.complete:
            overlap = float(np.minimum(positive / self.positives, negative / self.negatives).sum())
        return ScoreHistogram(positive, negative, overlap, self.d_prime())
