"""What a rule says: a finding, that all is well, or why it could not be checked."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Int

from models.diagnostics.findings.evidence import Evidence
from models.diagnostics.measured import Measured

SEVERITIES = ("info", "warning", "serious")  # rising
CONFIDENCES = ("low", "medium", "high")  # rising


@dataclass(frozen=True, eq=False)
class Selection:
    """Items and pairs of the user's data that a finding is about, by row; of two sides, pairs are (query, document)."""

    items: Int[np.ndarray, " k"] = field(default_factory=lambda: np.empty(0, np.int64))
    pairs: Int[np.ndarray, "p 2"] = field(default_factory=lambda: np.empty((0, 2), np.int64))


@dataclass(frozen=True, eq=False)
class Fired:
    """What a rule found."""

    severity: str
    confidence: str
    sentence: str
    measured: Measured
    threshold: float
    selection: Selection = field(default_factory=Selection)


@dataclass(frozen=True)
class Clear:
    """The rule looked and found nothing; how far its number stands from the threshold."""

    measured: Measured
    threshold: float


@dataclass(frozen=True)
class Unknown:
    """The rule could not be checked."""

    reason: str


Outcome = Fired | Clear | Unknown


@dataclass(frozen=True)
class Rule:
    """One fault that is looked for, with what is the same at every finding of it."""

    key: str
    title: str
    number: str  # name of what is measured
    panel: str  # that proves it
    advice: str
    would_change: str  # what would change our mind
    check: Callable[[Evidence], Outcome]
