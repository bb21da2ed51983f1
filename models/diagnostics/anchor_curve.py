"""What is known of one anchor's term of a loss: its value, and how it would change with a single score."""

from dataclasses import dataclass

import numpy as np

from models.diagnostics.anchor_symbols import Formula


@dataclass(frozen=True, eq=False)
class ScoreCurve:
    """The anchor's term against one candidate's score, all other scores frozen."""

    column: int  # position of the candidate
    positive: bool
    grid: np.ndarray  # (k,) cosines from -1 to 1
    value: np.ndarray  # (k,) in the unit of the anchor's own term
    score: float  # where the candidate stands now
    slope: float  # of the term there, as the optimiser sees it
    weight: float  # the same in the reduced loss: what the panels show


@dataclass(frozen=True, eq=False)
class AnchorLoss:
    """One anchor's term of the loss, by the loss itself. Without curves, `why_not` says why."""

    anchor: int  # position
    value: float
    share: float  # what the term counts for in the reduced loss
    curves: tuple[ScoreCurve, ...]  # of a positive and of a negative
    formula: Formula | None
    held: str  # what the loss holds constant in its gradient, so that a tangent need not touch its curve; may be empty
    why_not: str = ""
