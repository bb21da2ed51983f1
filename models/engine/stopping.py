"""When a board that plays stops by itself."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.diagnostics.summary import Summary

PLATEAU_STEPS, PLATEAU_RISE = 300, 0.001


@dataclass(frozen=True)
class Goal:
    """Any of: a step of the clock, an AUC that every lane has reached, no rise of any lane's AUC for 300 steps."""

    step: int | None = None
    auc: float | None = None
    plateau: bool = False

    def __post_init__(self) -> None:
        if self.auc is not None and not 0.0 <= self.auc <= 1.0:
            raise ValueError(f"the AUC to reach must be a number from 0 to 1, got {self.auc!r}")

    def reached(self, clock: int, summaries: Sequence[Summary]) -> str:
        """What was reached, as a sentence; empty if nothing was. summaries: the latest of every lane that trains."""
        if self.step is not None and clock >= self.step:
            return f"Step {clock} is reached."
        if not summaries:
            return ""
        if self.auc is not None and all(summary.roc.auc >= self.auc for summary in summaries):
            return f"Every run has reached an AUC of {self.auc:g}."
        if self.plateau and all(flat(summary) for summary in summaries):
            return f"No run's AUC has risen by {PLATEAU_RISE:g} for {PLATEAU_STEPS} steps."
        return ""


def flat(summary: Summary) -> bool:
    """True if the best AUC of the last 300 steps is less than 0.001 above the best before; by logged measures."""
    steps, auc = summary.curves.measured_step, summary.curves.measured.get("auc", np.empty(0))
    recent = steps > summary.step - PLATEAU_STEPS
    known = np.isfinite(auc)
    if not (known & recent).any() or not (known & ~recent).any():
        return False
    return bool(auc[known & recent].max() < auc[known & ~recent].max() + PLATEAU_RISE)
