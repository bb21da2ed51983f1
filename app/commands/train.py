"""Train one run without a page and tell how it ended."""

import argparse
import json
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite, nan
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from app import options, output
from app.cli import DONE, FAILED, INTERRUPTED, Refused

if TYPE_CHECKING:
    from models.training.config import RunConfig
    from models.training.run import Run

SLICE = 10  # steps between two looks at the clock and at Ctrl-C


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this command."""
    parser.add_argument("--config", metavar="FILE", help="a RunConfig as JSON; without it the default run")
    parser.add_argument("--resume", metavar="DIR", help="go on with a run that --out left there")
    parser.add_argument("--loss", metavar="KEY", help="see python -m app losses")
    parser.add_argument("--data", metavar="KEY|FILE", help="a set, or a csv, tsv, parquet, Arrow, npz or zip of yours")
    parser.add_argument("--label", metavar="COLUMN", help="the column of the file in --data that holds the class")
    parser.add_argument(
        "--method", metavar="KEY", action="append", help="what changes pairs before the loss, repeatable: queue"
    )
    parser.add_argument("--steps", metavar="N")
    parser.add_argument("--seed", metavar="N")
    parser.add_argument(
        "--set",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="one setting, repeatable: loss.temperature=0.2, encoder.dim=16, pairing=views, methods.queue.size=64",
    )
    parser.add_argument("--out", metavar="DIR", help="keep the run, metrics.json and trace.csv there")
    parser.add_argument("--force", action="store_true", help="replace a run that stands in --out")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")


def run(args: argparse.Namespace) -> int:
    """Check everything that can be checked, train, keep, tell."""
    options.exclusive(args)
    raw = options.raw_config(args)
    out = _folder(args)
    return _Job(_build(args, raw), out, as_json=args.json).train()


def _folder(args: argparse.Namespace) -> Path | None:
    """The folder to keep the run in, made and tried; raises Refused if it holds a run or cannot be written."""
    if args.resume is not None:
        return Path(args.resume)
    if args.out is None:
        return None
    out = Path(args.out)
    if (out / "run.json").exists() and not args.force:
        raise Refused(f"{out} already holds a run. Use --force to replace it, or --resume {out} to go on with it.")
    try:
        output.writable(out)
    except OSError as error:
        raise Refused(f"--out {out} cannot be written: {error.strerror or error}") from None
    return out


def _build(args: argparse.Namespace, raw: dict[str, Any]) -> "Run":
    # torch takes seconds: what can be refused without it has been refused by now.
    import torch

    from models.training.config import RunConfig
    from models.training.run import Run

    torch.set_num_threads(1)
    try:
        return Run(RunConfig.from_json(json.dumps(raw))) if args.resume is None else Run.load(args.resume)
    except ValueError as error:
        raise Refused(str(error)) from None
    except (KeyError, OSError) as error:
        raise Refused(f"--resume {args.resume} cannot be opened: {error}") from None


@dataclass
class _Job:
    """One training with its progress, its interruption and its end."""

    run: "Run"
    out: Path | None
    as_json: bool
    stop: bool = field(default=False)

    def train(self) -> int:
        """Train to the last step; Ctrl-C and divergence keep what there is."""
        from models.training.run import Diverged  # with torch, which is loaded by now

        begun, first = time.perf_counter(), self.run.step
        previous = signal.signal(signal.SIGINT, self._interrupt)
        try:
            self._advance()
        except Diverged as error:
            self._keep()
            sys.stderr.write(f"{error}\n")
            return FAILED
        finally:
            signal.signal(signal.SIGINT, previous)
        self._keep()
        if self.stop:
            sys.stderr.write(f"Interrupted at step {self.run.step} of {self.run.config.steps}.{self._how_to_go_on()}\n")
            return INTERRUPTED
        self._tell(time.perf_counter() - begun, self.run.step - first)
        return DONE

    def _advance(self) -> None:
        total = self.run.config.steps
        bar = output.Progress(total, self.run.label)
        try:
            while self.run.step < total and not self.stop:
                self.run.advance(min(SLICE, total - self.run.step))
                bar.show(self.run.step, self.run.trace.loss[-1])
        finally:
            bar.end(self.run.step, self.run.trace.loss[-1] if self.run.trace.loss else nan)

    def _interrupt(self, _number: int, _frame: FrameType | None) -> None:
        """Stop after the slice that is being trained, so that the state kept is that of a whole step."""
        self.stop = True

    def _how_to_go_on(self) -> str:
        return "" if self.out is None else f" Go on with: python -m app train --resume {self.out}"

    def _keep(self) -> None:
        if self.out is None:
            return
        try:
            self.run.save(self.out)
            output.write_trace(self.out / "trace.csv", self.run.trace.view())
        except OSError as error:
            raise Refused(f"--out {self.out} cannot be written: {error.strerror or error}") from None

    def _tell(self, seconds: float, steps: int) -> None:
        from models.training.finish import finish  # scikit-learn and SciPy come with it

        metrics = {name: _finite(value) for name, value in finish(self.run).items()}
        told = _told(self.run.config, metrics, seconds, steps)
        if self.out is not None:
            output.write_json(self.out / "metrics.json", told)
        text = json.dumps(told, allow_nan=False) if self.as_json else output.table(self.run.label, told)
        sys.stdout.write(text + "\n")


def _told(config: "RunConfig", metrics: Mapping[str, float | None], seconds: float, steps: int) -> dict[str, Any]:
    """Everything but `time` is the same for equal runs."""
    clock = {"seconds": round(seconds, 3), "steps_per_second": round(steps / seconds, 1) if seconds > 0 else None}
    return {
        "config": json.loads(config.to_json()),
        "config_id": config.config_id,
        "metrics": dict(metrics),
        "time": clock,
    }


def _finite(value: float) -> float | None:
    """JSON knows no nan: a measure that is not defined is null."""
    return float(value) if isfinite(value) else None
