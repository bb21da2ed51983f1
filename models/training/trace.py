"""What a run has logged so far: append-only columns, a value a step and a row of measures every so often."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, eq=False)
class TraceView:
    """The columns as arrays. Row k of loss and grad_norm belongs to training step k (from step k to k + 1)."""

    loss: np.ndarray  # (steps,)
    grad_norm: np.ndarray  # (steps,) length of the gradient of all parameters
    measured_step: np.ndarray  # (rows,)
    measured: dict[str, np.ndarray]  # name -> (rows,)


@dataclass
class Trace:
    """Grows with the run; `view()` copies it out."""

    loss: list[float] = field(default_factory=list)
    grad_norm: list[float] = field(default_factory=list)
    measured_step: list[int] = field(default_factory=list)
    measured: dict[str, list[float]] = field(default_factory=dict)

    def log_step(self, loss: float, grad_norm: float) -> None:
        """Add one training step."""
        self.loss.append(loss)
        self.grad_norm.append(grad_norm)

    def log_measures(self, step: int, values: "Mapping[str, float]") -> None:
        """Add one row of measures; the names are those of the first row."""
        self.measured_step.append(step)
        for name, value in values.items():
            self.measured.setdefault(name, []).append(value)

    def due(self, step: int) -> bool:
        """Whether measures belong to this step: closely at first, then every 50th, however the run is sliced."""
        wanted = step % 10 == 0 if step < 50 else step % 50 == 0
        return wanted and (not self.measured_step or self.measured_step[-1] < step)

    def view(self) -> TraceView:
        """The columns so far, as arrays of their own."""
        return TraceView(
            np.asarray(self.loss, np.float64),
            np.asarray(self.grad_norm, np.float64),
            np.asarray(self.measured_step, np.int64),
            {name: np.asarray(column, np.float64) for name, column in self.measured.items()},
        )

    def until(self, step: int) -> "Trace":
        """The rows before `step`: that step adds its own again."""
        rows = sum(at < step for at in self.measured_step)
        columns = {name: column[:rows] for name, column in self.measured.items()}
        return Trace(self.loss[:step], self.grad_norm[:step], self.measured_step[:rows], columns)

    @classmethod
    def of(cls, view: TraceView) -> "Trace":
        """The same columns, ready to grow again."""
        measured = {name: column.tolist() for name, column in view.measured.items()}
        return cls(view.loss.tolist(), view.grad_norm.tolist(), view.measured_step.tolist(), measured)
