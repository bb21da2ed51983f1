"""What the command line writes: a progress line, a table, and the files of a kept run."""

import csv
import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from models.training.trace import TraceView

WIDTH = 24  # characters of the bar
EVERY_S = 0.1


class Progress:
    """A bar on standard error where that is a terminal; elsewhere one line at the end."""

    def __init__(self, total: int, label: str) -> None:
        self._total, self._label = total, label
        self._terminal = sys.stderr.isatty()
        self._shown = time.perf_counter()

    def show(self, step: int, loss: float) -> None:
        """Draw at most ten times a second."""
        now = time.perf_counter()
        if not self._terminal or now - self._shown < EVERY_S:
            return
        self._shown = now
        full = WIDTH * step // max(self._total, 1)
        sys.stderr.write(f"\r[{'#' * full}{'.' * (WIDTH - full)}] {step}/{self._total}  loss {loss:.4g}  ")
        sys.stderr.flush()

    def end(self, step: int, loss: float) -> None:
        """The last line, on a terminal in place of the bar."""
        start, blank = ("\r", " " * WIDTH) if self._terminal else ("", "")
        sys.stderr.write(f"{start}{self._label}: step {step} of {self._total}, loss {loss:.4g}{blank}\n")
        sys.stderr.flush()


def table(label: str, told: Mapping[str, Any]) -> str:
    """Metrics one a line."""
    metrics = told["metrics"]
    width = max(len(name) for name in metrics)
    lines = [f"  {name:{width}}  {_number(value)}" for name, value in metrics.items()]
    clock = told["time"]
    rate = _number(clock["steps_per_second"])
    return "\n".join([f"{label}, config {told['config_id']}, {clock['seconds']:g} s, {rate} steps/s", *lines])


def _number(value: float | None) -> str:
    return "not defined" if value is None else f"{value:.6g}"


def writable(folder: Path) -> None:
    """Make a folder if need be and try to write in it; raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    trial = folder / f".{os.getpid()}.tmp"
    trial.write_bytes(b"")
    trial.unlink()


def write_json(path: Path, told: Mapping[str, Any]) -> None:
    """One object, readable; whole or not at all."""
    _write(path, json.dumps(told, indent=1, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """A text; whole or not at all."""
    _write(path, text)


def write_trace(path: Path, trace: "TraceView") -> None:
    """A row a step: loss and gradient norm of the step that leads on from it, measures where there are some."""
    names = list(trace.measured)
    measured = {int(step): row for row, step in enumerate(trace.measured_step)}
    steps = sorted({*range(len(trace.loss)), *measured})
    temp = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    with temp.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["step", "loss", "grad_norm", *names])
        for step in steps:
            own = (trace.loss[step], trace.grad_norm[step]) if step < len(trace.loss) else ("", "")
            row = measured.get(step)
            values = ["" if row is None else _cell(trace.measured[name][row]) for name in names]
            writer.writerow([step, *map(_cell, own), *values])
    temp.replace(path)


def _cell(value: float | str) -> str:
    """All digits of a number; empty where it is not defined."""
    return "" if value == "" or value != value else repr(float(value))


def _write(path: Path, text: str) -> None:
    temp = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    temp.write_text(text, encoding="utf-8")
    temp.replace(path)
